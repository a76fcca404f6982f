"""The settings of what is protected, recorded as compressed JSON lines by plan and slot."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from holdfast.adapters.s3_documents import BROKEN, S3Documents, instant_in
from holdfast.core.errors import NoAnswer, NotFound, ProviderError
from holdfast.core.naming import compact_slot
from holdfast.core.recorded import (
    Inventory,
    Recorded,
    completed,
    find_in_lines,
    inventory_from_lines,
    lines_of,
)
from holdfast.core.restoring import Configuration
from holdfast.ports import Saved

MOST_LOOKED_AT = 10
"""Documents that a search reads on either side of a slot: each is one more call, and of megabytes."""

_SUFFIX = ".jsonl.gz"
_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A bucket, and what the keys in it begin with."""

    documents: S3Documents
    prefix: str

    def key(self, plan: str, slot: datetime) -> str:
        return f"{self.prefix}{plan}/{compact_slot(slot)}{_SUFFIX}"


class S3Settings:
    """One object a plan and slot: `settings/<plan>/<slot>.jsonl.gz` in the report bucket, and the same one in
    the bucket of each copy Region, as `settings/<stack>/<plan>/…`, since other stacks may copy there too.

    Each bucket is written and read on its own: when the Region of one is gone, the other tells.
    """

    def __init__(self, *, home: S3Documents, copies: Sequence[S3Documents], stack: str) -> None:
        self._places = [
            _Place(documents=home, prefix="settings/"),
            *(_Place(documents=one, prefix=f"settings/{stack}/") for one in copies),
        ]

    def save(self, inventory: Inventory) -> Saved:
        # mtime: the same inventory is the same bytes.
        body = gzip.compress("".join(lines_of(inventory)).encode(), compresslevel=_LEVEL, mtime=0)
        written: list[str] = []
        failed: list[tuple[str, ProviderError]] = []
        for place in self._places:
            key = place.key(inventory.plan, inventory.slot)
            address = place.documents.address(key)
            try:
                place.documents.put(key, body, content_type="application/x-ndjson")
            except ProviderError as error:
                failed.append((address, error))
            else:
                written.append(address)
        return Saved(
            address=written[0] if written else "",
            problems=tuple(
                f"the settings of the plan's resources are not recorded as {address}: {error}"
                for address, error in failed
            ),
            may_pass=any(error.retryable for _, error in failed),
        )

    def load(self, plan: str, slot: datetime) -> Inventory | None:
        """Raises `ProviderError` when nothing could be read, and somewhere there may be something."""
        return self._first(lambda place: self._load(place, plan, slot))

    def newest(self, plan: str, until: datetime) -> Inventory | None:
        """What is broken is passed over where there is an older one. Raises `ProviderError` else."""
        before = sorted((one for one in self._slots(plan) if one <= until), reverse=True)
        found: Inventory | None = None
        broken: ProviderError | None = None
        for slot in before[:MOST_LOOKED_AT]:
            try:
                older = self.load(plan, slot)
            except ProviderError as error:
                broken = _passed_over(error)
                continue
            if older is not None:
                found = completed(found, older) if found else older
            if found is not None and found.is_whole:
                return found
        if found is None and broken is not None:
            raise broken
        return found

    def find(self, plan: str, arn: str, slot: datetime) -> Configuration | None:
        """At most `MOST_LOOKED_AT` documents before the slot, and as many after it, are looked at. Raises
        `ProviderError` when none of those that can be read has it, and one cannot."""
        slots = sorted(self._slots(plan))
        before = [one for one in reversed(slots) if one <= slot]
        after = [one for one in slots if one > slot]
        broken: ProviderError | None = None
        for near in (*before[:MOST_LOOKED_AT], *after[:MOST_LOOKED_AT]):
            try:
                found = self._first(partial(self._find, plan, near, arn))
            except ProviderError as error:
                broken = broken or _passed_over(error)
                continue
            if found is not None:
                return found.configuration
        if broken is not None:
            raise broken
        return None

    def _slots(self, plan: str) -> set[datetime]:
        """Those that any of the places has something of."""
        return self._first(lambda place: self._slots_in(place, plan) or None) or set()

    def _slots_in(self, place: _Place, plan: str) -> set[datetime]:
        prefix = f"{place.prefix}{plan}/"
        slots = (instant_in(key.removeprefix(prefix)) for key in place.documents.keys(prefix))
        return {slot for slot in slots if slot is not None}

    def _load(self, place: _Place, plan: str, slot: datetime) -> Inventory | None:
        return _read(place, place.key(plan, slot), inventory_from_lines)

    def _find(self, plan: str, slot: datetime, arn: str, place: _Place) -> Recorded | None:
        return _read(place, place.key(plan, slot), lambda lines: find_in_lines(lines, arn))

    def _first[Told](self, ask: Callable[[_Place], Told | None]) -> Told | None:
        """What the first place tells that has something to tell. Raises the first error when none has."""
        failed: ProviderError | None = None
        for place in tuple(self._places):
            try:
                told = ask(place)
            except ProviderError as error:
                failed = failed or error
                if isinstance(error, NoAnswer):  # to wait for it with each call would take the night
                    self._places.remove(place)
                    self._places.append(place)
                continue
            if told is not None:
                return told
        if failed is not None:
            raise failed
        return None


def _passed_over(error: ProviderError) -> ProviderError:
    """An error about one document alone. Any other is raised: it would be the same with the next one."""
    if error.code != BROKEN:
        raise error
    return error


def _read[Made](place: _Place, key: str, make: Callable[[Iterator[str]], Made]) -> Made | None:
    """What is made of a document; `None` when there is none. Raises `ProviderError` when it cannot be
    understood."""
    try:
        body = place.documents.get(key)
    except NotFound as error:
        if error.code != "NoSuchKey":
            raise
        return None
    try:
        return make(iter(gzip.decompress(body).decode().splitlines()))
    except (ValueError, OverflowError, OSError, EOFError, zlib.error) as error:
        raise place.documents.broken(key, error) from error
