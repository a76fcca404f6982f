"""Postures, kept as compressed JSON lines by day, and the rehearsed restores that were told beside them."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from holdfast.adapters.s3_documents import BROKEN, UNLOCKED, UNREADABLE, Lock, S3Documents, instant_in
from holdfast.core.drills import drill_from_dict
from holdfast.core.errors import ProviderError
from holdfast.core.naming import compact_slot
from holdfast.core.posture import Drill, Posture
from holdfast.core.posture_rows import posture_from_rows, rows_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_DRILLS = 100
"""Each is one more call."""

_POSTURES = "posture/"
_DRILLS = "drills/"
_SUFFIX = ".jsonl.gz"
_LEVEL = 6
"""At 9 gzip takes twice the time for a hundredth less."""


class S3Postures:
    """One object an instant, `posture/day=<day>/<instant>.jsonl.gz`, of the rows of `core.posture_rows`; and
    `drills/<plan>/<instant>….json`, which others write."""

    def __init__(self, *, client: "S3Client", bucket: str, lock: Lock = UNLOCKED) -> None:
        self._documents = S3Documents(client=client, bucket=bucket, lock=lock)

    def save(self, posture: Posture) -> str:
        """The first look at an instant stays: a later one saw a later world, whatever it was asked for."""
        key = f"{_stem(posture.at)}{_SUFFIX}"
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows_of(posture))
        # mtime: the same posture is the same bytes.
        body = gzip.compress(lines.encode(), compresslevel=_LEVEL, mtime=0)
        self._documents.put(key, body, content_type="application/x-ndjson", once=True)
        return self._documents.address(key)

    def load(self, since: datetime, until: datetime) -> Posture | None:
        """Raises `ProviderError` when the newest one cannot be read."""
        found = {_instant_of(key): key for key in self._documents.keys(_POSTURES, after=_stem(since))}
        in_time = [instant for instant in found if instant is not None and since <= instant <= until]
        return self._load(found[max(in_time)]) if in_time else None

    def drills(self, since: datetime) -> Sequence[Drill]:
        """At most `MOST_DRILLS`. A document that is not one is left out: others write them, and it must
        cost nobody the page."""
        keys = [
            key
            for plan in self._documents.folders(_DRILLS)
            for key in self._documents.keys(plan, after=f"{plan}{compact_slot(since)}")
            if _instant_of(key) is not None
        ]
        newest = sorted(keys, key=_file_name, reverse=True)[:MOST_DRILLS]
        drills = [drill for key in newest for drill in self._drill(key)]
        return sorted(drills, key=lambda one: (one.at, one.plan, one.resource), reverse=True)

    def _load(self, key: str) -> Posture:
        body = self._documents.get(key)
        try:
            return posture_from_rows(_lines(gzip.decompress(body)))
        except (*UNREADABLE, OSError, EOFError, zlib.error) as error:
            raise self._documents.broken(key, error) from error

    def _drill(self, key: str) -> list[Drill]:
        """The drill, or nothing when it is none, or gone meanwhile."""
        try:
            document, tag = self._documents.read(key)
            return [drill_from_dict(document)] if tag else []
        except ProviderError as error:
            if error.code != BROKEN:
                raise
        except UNREADABLE:
            pass
        return []


def _lines(data: bytes) -> Iterator[Any]:
    return (json.loads(line) for line in data.splitlines() if line)


def _stem(instant: datetime) -> str:
    """What the key of an instant begins with; those of later ones sort behind it."""
    return f"{_POSTURES}day={instant:%Y-%m-%d}/{compact_slot(instant)}"


def _file_name(key: str) -> str:
    return key.rpartition("/")[2]


def _instant_of(key: str) -> datetime | None:
    return instant_in(_file_name(key))
