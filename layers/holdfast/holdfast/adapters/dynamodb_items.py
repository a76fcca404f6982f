"""Items of tables: read page by page, found by their keys, and put on a condition.

Which item is meant is never part of an error: keys are the users' data, and errors are logged.
"""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from holdfast.adapters.calls import translated
from holdfast.adapters.dynamodb_settings import KIND, Described, describe, tags_of
from holdfast.core.errors import NotReady, ProviderError, Throttled
from holdfast.core.items import Fate, Item, KeyPart, Page, Table, Written, is_same
from holdfast.core.model import name_of, region_of
from holdfast.core.restoring import RESTORE_TAG

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 8
"""How often BatchGetItem is asked for keys of which it gave none; botocore repeats what fails as a whole."""

FIRST_PAUSE_SECONDS = 0.05
"""Before the second time; twice as long before each further one, as DynamoDB's API reference advises."""

MOST_OPERATORS = 300
MOST_BYTES = 4096
"""Operators and functions of an expression, and its length (developer guide, "Service, account, and table
quotas in Amazon DynamoDB")."""

_READY = ("ACTIVE", "UPDATING")
_COMES = ("CREATING",)
_OF_ONE_ITEM = ("ItemCollectionSizeLimitExceeded", "ValidationException", "ValidationError")
"""What concerns one item alone: it is too large, a value does not fit an index, its collection is full."""

_BUSY = ("ReplicatedWriteConflict", "TransactionConflict")
"""Somebody writes the item this very moment."""

_CONDITION = "ConditionalCheckFailed"
_KEY_ROLES = {"HASH": 0, "RANGE": 1}


class DynamoDBItems:
    """`ports.Tables`. `clients` makes the client of a Region."""

    def __init__(self, *, clients: "Callable[[str], DynamoDBClient]") -> None:
        self._make = clients
        self._made: dict[str, DynamoDBClient] = {}
        self._lock = Lock()

    def table(self, arn: str) -> Table | None:
        client = self._in(arn)
        told = describe(client, arn)
        if told is None:
            return None
        text = str(told["TableStatus"])
        restoring = bool(told.get("RestoreSummary", {}).get("RestoreInProgress"))
        return Table(
            arn=arn,
            keys=_keys(told),
            restored_by=tags_of(client, arn).get(RESTORE_TAG, ""),
            unready="being restored" if restoring else "" if text in _READY else text,
            lasting=not restoring and text not in _COMES,
        )

    def expiry(self, arn: str) -> str:
        with translated(KIND, arn, "DescribeTimeToLive"):
            told = self._in(arn).describe_time_to_live(TableName=name_of(arn))["TimeToLiveDescription"]
        return (
            told.get("AttributeName", "") if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else ""
        )

    def page(self, arn: str, after: Item | None, most: int) -> Page:
        request: dict[str, Any] = {"TableName": name_of(arn), "Limit": most, "ConsistentRead": True}
        if after is not None:
            request["ExclusiveStartKey"] = after
        client: Any = self._in(arn)
        with translated(KIND, arn, "Scan"):
            answer = client.scan(**request, ReturnConsumedCapacity="TOTAL")
            return Page(
                items=answer["Items"],
                after=answer.get("LastEvaluatedKey") or None,
                units=_units(answer.get("ConsumedCapacity")),
            )

    def find(self, arn: str, keys: Sequence[Item]) -> Page:
        client, name = self._in(arn), name_of(arn)
        found, units, left = list[Item](), 0.0, list(keys)
        attempt = 0
        while left:
            if attempt:
                time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            with translated(KIND, arn, "BatchGetItem"):
                answer: Any = client.batch_get_item(
                    RequestItems={name: {"Keys": cast("Any", left), "ConsistentRead": True}},
                    ReturnConsumedCapacity="TOTAL",
                )
                found += answer["Responses"].get(name, [])
                left_out = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
            units += sum(_units(one) for one in answer.get("ConsumedCapacity", ()))
            # An answer has 16 MB at most, so that large items take several: no reason to slow down.
            attempt = attempt + 1 if len(left_out) == len(left) else 0
            left = left_out
            if attempt == ATTEMPTS:
                message = f"DynamoDB gave {len(keys) - len(left)} of {len(keys)} items"
                raise Throttled(KIND, arn, "BatchGetItem", "UnprocessedKeys", message)
        return Page(items=found, units=units)

    def put(self, arn: str, item: Item, was: Item | None, keys: Sequence[KeyPart]) -> Written:
        """A condition can demand what an item has, and not that it has nothing else. So when an attribute
        appeared that was not compared, which DynamoDB tells with the write, what was there is put back."""
        if was is None:
            condition: dict[str, Any] | None = {
                "ConditionExpression": "attribute_not_exists(#0)",
                "ExpressionAttributeNames": {"#0": keys[0].name},
            }
        else:
            condition = _still(was, item) if _still(item, was) is not None else None
        if condition is None:
            return Written(
                fate=Fate.FAILED,
                reason=(
                    "it has too many attributes: DynamoDB cannot check with the write that they are as they "
                    f"were compared, in {MOST_OPERATORS} operators. Copy it by hand"
                ),
            )
        answer, written = self._put(arn, item, condition)
        replaced = answer.get("Attributes") or None
        if written.fate is not Fate.DONE or was is None or replaced is None or is_same(replaced, was):
            return written
        back = self._put(arn, replaced, cast("dict[str, Any]", _still(item, replaced)))[1]
        return Written(
            fate=Fate.MEANWHILE if back.fate is not Fate.FAILED else Fate.FAILED,
            reason=back.reason,
            units=written.units + back.units,
        )

    def _put(self, arn: str, item: Item, condition: dict[str, Any]) -> tuple[Described, Written]:
        client: Any = self._in(arn)
        try:
            with translated(KIND, arn, "PutItem"):
                answer = client.put_item(
                    TableName=name_of(arn),
                    Item=item,
                    **condition,
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    ReturnConsumedCapacity="TOTAL",
                )
        except ProviderError as error:
            return {}, _refused(error, arn, item)
        return answer, Written(fate=Fate.DONE, units=_units(answer.get("ConsumedCapacity")))

    def _in(self, arn: str) -> "DynamoDBClient":
        region = region_of(arn)
        with self._lock:
            if region not in self._made:
                self._made[region] = self._make(region)
            return self._made[region]


def _refused(error: ProviderError, arn: str, item: Item) -> Written:
    """What became of a write that DynamoDB refused. Raises what is not this item's alone."""
    if error.code.startswith(_CONDITION):
        # A call whose answer was lost is sent again, and finds what it wrote itself.
        cause = error.__cause__
        there = cause.response.get("Item") if isinstance(cause, ClientError) else None
        mine = there is not None and is_same(cast("Item", there), item)
        return Written(fate=Fate.DONE if mine else Fate.MEANWHILE)
    if error.code.startswith(_OF_ONE_ITEM):
        return Written(fate=Fate.FAILED, reason=f"{error.code}: {error.message}")
    if error.code.startswith(_BUSY):
        raise NotReady(KIND, arn, error.operation, error.code, error.message) from error
    raise error


def _still(was: Item, other: Item) -> dict[str, Any] | None:
    """The condition that an item is what it was, and has none of the attributes that `other` has beside;
    `None` where that takes more than an expression can have. By DynamoDB's API reference `=` compares all
    types, lists and maps among them."""
    names = [*was, *(name for name in other if name not in was)]
    parts = [f"#{n}=:{n}" if name in was else f"attribute_not_exists(#{n})" for n, name in enumerate(names)]
    expression = " AND ".join(parts)
    if 2 * len(parts) - 1 > MOST_OPERATORS or len(expression) > MOST_BYTES:
        return None
    return {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": {f"#{n}": name for n, name in enumerate(names)},
        "ExpressionAttributeValues": {f":{n}": was[name] for n, name in enumerate(names) if name in was},
    }


def _keys(told: Described) -> tuple[KeyPart, ...]:
    types = {one["AttributeName"]: one["AttributeType"] for one in told["AttributeDefinitions"]}
    parts = [
        KeyPart(name=one["AttributeName"], role=one["KeyType"], type=types[one["AttributeName"]])
        for one in told["KeySchema"]
    ]
    return tuple(sorted(parts, key=lambda part: _KEY_ROLES[part.role]))


def _units(told: Any) -> float:
    return float((told or {}).get("CapacityUnits", 0.0))
