"""Lost items that come back into a table, as types; and what is decided about one page of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.core.brief import cut
from holdfast.core.items import Item, Table, is_expired, is_same, key_from_dict, key_to_dict
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.restoring import RESTORE_TAG

SCHEMA = "holdfast.return/1"

MOST_KEYS = 50
"""Of the items of each comparison that a return names."""

MOST_KEY_CHARACTERS = 20_000
"""Of these keys together: they stand in the function's answer, and a durable function may answer 256 KB."""

MOST_FAILURES = 200
LONGEST_REASON = 500


class Changed(StrEnum):
    """What is done about an item that both tables have, and differently."""

    KEEP = "keep"
    RETURN = "return"


class ReturnState(StrEnum):
    """`compared` is a dry run's end. `pending` goes on; the others are final."""

    PENDING = "pending"
    COMPARED = "compared"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Comparison(StrEnum):
    """How an item of the restored table stands in the live one. `expired`: it is not there as it was, and its
    time to live is over."""

    SAME = "same"
    LOST = "lost"
    CHANGED = "changed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRequest:
    """What is asked for: the items that the restored table `source` has and the table `target` has not,
    copied there. Both are ARNs; without a target it is the table that `source` was restored of. Two requests
    with one `id` are one."""

    id: str
    source: str
    target: str = ""
    changed: Changed = Changed.KEEP
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Items. The first four are as they were compared; the others what became of those that were to be
    written: `returned` of the lost, `replaced` of the changed; `meanwhile` written by somebody else between
    the comparison and the copy, and left as they are; `failed`."""

    same: int = 0
    lost: int = 0
    changed: int = 0
    expired: int = 0
    returned: int = 0
    replaced: int = 0
    meanwhile: int = 0
    failed: int = 0

    @property
    def compared(self) -> int:
        return self.same + self.lost + self.changed + self.expired

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An item of the restored table, and how it stands. `was` is what the live one has in its place, kept
    where that is to be replaced."""

    item: Item
    key: Item
    comparison: Comparison
    was: Item | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An item that could not be written."""

    key: Item
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One return, as far as it is. `after` is the key that the next page begins behind, and `begun` how that
    page compared before anything of it was written; `keys` names the first items of each comparison."""

    request: ReturnRequest
    state: ReturnState
    reason: str
    began: datetime
    ended: datetime | None = None
    target: str = ""
    counts: Counts = field(default_factory=Counts)
    after: Item | None = None
    begun: Counts | None = None
    keys: Mapping[Comparison, tuple[Item, ...]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    read_units: float = 0.0
    write_units: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.state is not ReturnState.PENDING

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds() if self.ended else 0.0

    def ends(self, state: ReturnState, reason: str, now: datetime) -> "Return":
        return replace(self, state=state, reason=reason, ended=now)


# --- deciding ----------------------------------------------------------------------------------------------


def refusal(source: Table, target: Table) -> str:
    """Why items of `source` cannot go into `target`; empty when they can."""
    if not source.restored_by:
        return (
            f"from: {source.arn} bears no tag {RESTORE_TAG}; give the ARN of a table that `restore` made, or "
            "restore one first"
        )
    if target.restored_by == source.restored_by:
        return (
            f"to: {target.arn} was made by the same restore as {source.arn}, {source.restored_by}; give the "
            "table that has lost items"
        )
    if source.keys != target.keys:
        return (
            f"to: {target.arn} has the key {_key_text(target)}, and {source.arn} has {_key_text(source)}; "
            "give two tables with the same key"
        )
    return ""


def _key_text(table: Table) -> str:
    return ", ".join(f"{part.name} ({part.role}, {part.type})" for part in table.keys)


def judge(
    item: Item, key: Item, there: Item | None, request: ReturnRequest, expiry: str, at: datetime
) -> Judged:
    """How an item stands. `expiry` is the live table's attribute of time to live; empty when it has none."""
    if there is not None and is_same(item, there):
        return Judged(item=item, key=key, comparison=Comparison.SAME)
    if is_expired(item, expiry, at):
        return Judged(item=item, key=key, comparison=Comparison.EXPIRED)
    if there is None:
        return Judged(item=item, key=key, comparison=Comparison.LOST)
    was = there if request.changed is Changed.RETURN else None
    return Judged(item=item, key=key, comparison=Comparison.CHANGED, was=was)


def to_write(judged: Sequence[Judged], request: ReturnRequest) -> list[Judged]:
    """What of a page has to be written. Nothing is ever deleted, and nothing of a dry run."""
    if request.dry_run:
        return []
    return [one for one in judged if one.comparison is Comparison.LOST or one.was is not None]


def counted(judged: Sequence[Judged]) -> Counts:
    each = [one.comparison for one in judged]
    return Counts(**{str(comparison): each.count(comparison) for comparison in Comparison})


def told_before(begun: Counts, now: Counts, request: ReturnRequest) -> Counts:
    """Of a page that is compared again, since the work on it was cut short: how it compared at first, and
    what was written of it then, by what is the same by now."""
    back = max(0, now.same - begun.same)
    returned = min(back, max(0, begun.lost - now.lost))
    replaced = back - returned if request.changed is Changed.RETURN else 0
    return replace(begun, returned=returned, replaced=replaced)


def with_keys(kept: Return, judged: Sequence[Judged]) -> Return:
    """With the keys of a page named, as long as there are few; those of what is the same are not."""
    keys = dict(kept.keys)
    for comparison in (Comparison.LOST, Comparison.CHANGED, Comparison.EXPIRED):
        named = list(keys.get(comparison, ()))
        room = MOST_KEY_CHARACTERS - sum(_length(one) for one in named)
        for one in judged:
            if one.comparison is not comparison or len(named) >= MOST_KEYS:
                continue
            room -= _length(one.key)
            if room < 0:
                break
            named.append(one.key)
        if named:
            keys[comparison] = tuple(named)
    return replace(kept, keys=keys)


def _length(key: Item) -> int:
    return len(str(key_to_dict(key)))


def with_failures(kept: Return, failures: Sequence[Failure]) -> Return:
    """With the failures named, as long as there are few."""
    brief = [replace(one, reason=cut(one.reason, LONGEST_REASON)) for one in failures]
    return replace(kept, failures=(*kept.failures, *brief)[:MOST_FAILURES])


# --- as a document -----------------------------------------------------------------------------------------


def return_to_dict(kept: Return) -> dict[str, Any]:
    """The document `holdfast.return/1`, which `docs/return.schema.json` describes. Keys are in DynamoDB's
    JSON."""
    return summary_of(kept) | {
        "schema": SCHEMA,
        "after": key_to_dict(kept.after) if kept.after else None,
        "begun": asdict(kept.begun) if kept.begun else None,
        "keys": keys_to_dict(kept),
        "failures": [{"key": key_to_dict(one.key), "reason": one.reason} for one in kept.failures],
    }


def summary_of(kept: Return) -> dict[str, Any]:
    """What of it names no item."""
    request = kept.request
    return {
        "state": str(kept.state),
        "reason": kept.reason,
        "request": {
            "id": request.id,
            "from": request.source,
            "to": request.target,
            "changed": str(request.changed),
            "dry_run": request.dry_run,
        },
        "to": kept.target,
        "began": format_slot(kept.began),
        "ended": format_slot(kept.ended) if kept.ended else None,
        "seconds": round(kept.seconds, 3),
        "counts": asdict(kept.counts),
        "units": {"read": round(kept.read_units, 1), "written": round(kept.write_units, 1)},
    }


def keys_to_dict(kept: Return) -> dict[str, list[dict[str, dict[str, str]]]]:
    return {str(comparison): [key_to_dict(one) for one in keys] for comparison, keys in kept.keys.items()}


def return_from_dict(data: Mapping[str, Any]) -> Return:
    """What `return_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
    kept = return_from_summary(data)
    return replace(
        kept,
        after=key_from_dict(data["after"]) if data["after"] else None,
        begun=Counts(**data["begun"]) if data["begun"] else None,
        keys={Comparison(name): tuple(map(key_from_dict, keys)) for name, keys in data["keys"].items()},
        failures=tuple(
            Failure(key=key_from_dict(one["key"]), reason=one["reason"]) for one in data["failures"]
        ),
    )


def return_from_summary(data: Mapping[str, Any]) -> Return:
    """What `summary_of` tells. Raises as `return_from_dict`."""
    asked, units = data["request"], data["units"]
    return Return(
        request=ReturnRequest(
            id=asked["id"],
            source=asked["from"],
            target=asked["to"],
            changed=Changed(asked["changed"]),
            dry_run=bool(asked["dry_run"]),
        ),
        state=ReturnState(data["state"]),
        reason=data["reason"],
        began=_instant(data["began"]),
        ended=_instant(data["ended"]) if data["ended"] else None,
        target=data["to"],
        counts=Counts(**data["counts"]),
        read_units=float(units["read"]),
        write_units=float(units["written"]),
    )


def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
