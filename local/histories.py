"""What the items of a table were at an instant, of which moto keeps nothing. Imported in moto's own process:
afterwards point-in-time recovery can give a table as it was, from when it was switched on until now. (AWS's
is some five minutes behind.) An instant before that, which AWS refuses, has the items of now, as all have in
moto.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import unix_time
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_put = Table.put_item
_delete = Table.delete_item
_update = DynamoDBBackend.update_item
_describe = DynamoDBBackend.describe_continuous_backups


@dataclass(frozen=True, slots=True)
class _Change:
    """A write, and what was there before it; `None`: nothing."""

    at: datetime
    hash_key: DynamoType
    range_key: DynamoType | None
    before: Item | None


def teach() -> None:
    """From now on, have it. May be called again."""
    Table.put_item = _put_item  # type: ignore[method-assign]
    Table.delete_item = _delete_item  # type: ignore[method-assign]
    DynamoDBBackend.update_item = _update_item  # type: ignore[method-assign]
    DynamoDBBackend.describe_continuous_backups = _describe_recovery  # type: ignore[method-assign]


def items_at(table: Table, at: datetime) -> Any:
    """The table's items as moto keeps them, as they were."""
    items = copy.deepcopy(table.items)
    if at.timestamp() < _recovery(table).get("EarliestRestorableDateTime", 0):
        return items
    for change in reversed(_changes(table)):
        if change.at <= at:
            break
        _set(items, change)
    return items


def _set(items: dict[Any, Any], change: _Change) -> None:
    """Undo it."""
    place, key = items, change.hash_key
    if change.range_key is not None:
        place, key = items.setdefault(change.hash_key, {}), change.range_key
    if change.before is None:
        place.pop(key, None)
    else:
        place[key] = copy.deepcopy(change.before)


def _changes(table: Table) -> list[_Change]:
    changes: list[_Change] = table.__dict__.setdefault("holdfast_history", [])
    return changes


def _recovery(table: Table) -> dict[str, Any]:
    told: dict[str, Any] = table.continuous_backups["PointInTimeRecoveryDescription"]
    return told


def _describe_recovery(self: DynamoDBBackend, table_name: str) -> dict[str, Any]:
    answer: dict[str, Any] = _describe(self, table_name)
    told = answer["PointInTimeRecoveryDescription"]
    if "LatestRestorableDateTime" in told:
        told["LatestRestorableDateTime"] = unix_time()
    return answer


def _note(table: Table, hash_key: DynamoType, range_key: DynamoType | None) -> None:
    if _recovery(table)["PointInTimeRecoveryStatus"] == "ENABLED":
        before = copy.deepcopy(table.get_item(hash_key, range_key))
        _changes(table).append(_Change(datetime.now(UTC), hash_key, range_key, before))


def _note_key(table: Table, key: dict[str, Any]) -> None:
    """Where the key is not whole, the write is refused."""
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if all(name in key for name in names):
        values = [DynamoType(key[name]) for name in names]
        _note(table, values[0], values[1] if len(values) > 1 else None)


def _put_item(self: Table, item_attrs: dict[str, Any], *rest: Any, **named: Any) -> Item:
    _note_key(self, item_attrs)
    return _put(self, item_attrs, *rest, **named)


def _delete_item(self: Table, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
    _note(self, hash_key, range_key)
    return _delete(self, hash_key, range_key)


def _update_item(
    self: DynamoDBBackend, table_name: str, key: dict[str, Any], *rest: Any, **named: Any
) -> Item:
    _note_key(self.get_table(table_name), key)
    return _update(self, table_name, key, *rest, **named)
