"""Items of tables as DynamoDB has them, and when two are the same.

An item is what DynamoDB's API gives, by attribute: `{"id": {"S": "a"}, "price": {"N": "1.50"}}`; binary
values are bytes.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

type Item = Mapping[str, Mapping[str, Any]]

MOST_OVERDUE = timedelta(days=5 * 365)
"""DynamoDB's guide on time to live: what expired more than five years ago is not deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPart:
    """An attribute of a table's primary key. `role` is `HASH` or `RANGE`, `type` one of `S`, `N`, `B`."""

    name: str
    role: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it stands. The partition key comes first in `keys`. `restored_by` is the id of the restore
    that made it; `unready` says why it cannot be read yet, and `lasting` that waiting will not help."""

    arn: str
    keys: tuple[KeyPart, ...]
    restored_by: str = ""
    unready: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some items of a table, and what reading them took. `after` is the key to go on behind; `None` at the
    end."""

    items: Sequence[Item]
    after: Item | None = None
    units: float = 0.0


class Fate(StrEnum):
    """What became of a write: done; not done, since somebody else wrote the item meanwhile; not possible, for
    a reason that lies in the item."""

    DONE = "done"
    MEANWHILE = "meanwhile"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of one write, and what it took."""

    fate: Fate
    reason: str = ""
    units: float = 0.0


def is_same(one: Item, other: Item) -> bool:
    """As DynamoDB compares: numbers by their value, sets in whatever order, all else as it is."""
    return _attributes(one) == _attributes(other)


def key_of(item: Item, keys: Sequence[KeyPart]) -> Item:
    """The primary key of an item."""
    return {part.name: item[part.name] for part in keys}


def identity(key: Item) -> tuple[object, ...]:
    """Equal for two keys of a table that are the same."""
    return tuple(_comparable(key[name]) for name in sorted(key))


def is_expired(item: Item, expiry: str, at: datetime) -> bool:
    """Whether time to live deletes it: `expiry` is its attribute, in seconds since 1970; empty when the table
    has none. DynamoDB's guide: what is no number does not expire."""
    told = item.get(expiry, {}).get("N") if expiry else None
    try:
        over = Decimal(int(at.timestamp())) - Decimal(str(told)) if told is not None else Decimal(0)
    except InvalidOperation:
        return False
    return 0 < over <= Decimal(int(MOST_OVERDUE.total_seconds()))


def key_to_dict(key: Item) -> dict[str, dict[str, str]]:
    """As DynamoDB's JSON has it, and not botocore: binary values are texts in base64."""
    return {
        name: {
            kind: b64encode(content).decode() if kind == "B" else content for kind, content in value.items()
        }
        for name, value in key.items()
    }


def key_from_dict(told: Mapping[str, Mapping[str, str]]) -> Item:
    return {
        name: {kind: b64decode(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in told.items()
    }


def _attributes(item: Item) -> dict[str, object]:
    return {name: _comparable(value) for name, value in item.items()}


def _comparable(value: Mapping[str, Any]) -> tuple[str, object]:
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "L":
            return kind, _each(content)
        case "M":
            return kind, _attributes(content)
        case _:
            return kind, content


def _each(values: Iterable[Mapping[str, Any]]) -> list[tuple[str, object]]:
    return [_comparable(one) for one in values]
