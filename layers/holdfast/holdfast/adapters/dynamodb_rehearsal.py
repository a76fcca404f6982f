"""Rehearsed restores of DynamoDB tables: what is in them, and their removal."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import batched
from threading import Lock
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import translated
from holdfast.adapters.dynamodb_exports import DynamoDBExports
from holdfast.adapters.dynamodb_settings import KIND, Described, describe, tags_of
from holdfast.core.checks import Check
from holdfast.core.drilling import DRILL_TAG, PREFIX, Leftover
from holdfast.core.drilling import tags_of as drill_tags
from holdfast.core.errors import AlreadyExists, NotFound, NotReady
from holdfast.core.model import name_of, region_of
from holdfast.core.rehearsing import count_check, sample_check
from holdfast.core.restoring import Found, Settings, Target
from holdfast.core.verifying import Question
from holdfast.ports import Rehearsed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_PAGES = 2000
"""Pages of at most 1 MB that are counted: of a table above 2 GB the first 2 GB."""

_SEGMENTS = 16
"""Into which a source is parted, so that each drill samples another part of it."""

_BATCH = 100
"""Keys that BatchGetItem takes, by its API reference."""

_TRIES = 20
_SETS = ("SS", "NS", "BS")


class DynamoDBRehearser:
    """The rehearser of kind `dynamodb`. `clients` makes the client of a Region."""

    def __init__(self, *, clients: "Callable[[str], DynamoDBClient]", exports: DynamoDBExports) -> None:
        self._make = clients
        self._exports = exports
        self._made: dict[str, DynamoDBClient] = {}
        self._lock = Lock()

    @property
    def kind(self) -> str:
        return KIND

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:
        """Auto scaling is left out, since AWS does not take its targets away with the table; and so is a
        Kinesis stream, which others read."""
        left_out: dict[str, Any] = {"AutoScaling": {}, "KinesisDataStreamDestinations": []}
        without = {name: nothing for name, nothing in left_out.items() if known.get(name)}
        return {"Tags": dict(tags), "DeletionProtectionEnabled": False, **without}

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        restored, whole = self._count(rehearsed)
        expected, exact = self._expected(rehearsed)
        counted = count_check(restored, expected, exact and whole, rehearsed.most_missing_share)
        if not whole:
            found = f"more than {restored} (counting ended after 2 GB), and the backup tells of {expected}"
            counted = Check(name="items", passed=restored > 0, found=found)
        return [counted, *self._sampled(rehearsed)]

    def question(self, rehearsed: Rehearsed) -> Question | None:  # noqa: ARG002
        return None

    def remove(self, found: Found, target: Target, drill: str) -> None:
        """DeleteTable wants the drill's tag, by IAM. A table that was made a moment ago, and never came to
        its tags, is given it first, and deleted in a later look: what IAM allows by a tag follows it."""
        if not target.name.startswith(PREFIX):
            raise AlreadyExists(KIND, found.arn, "DeleteTable", "NotOurs", "it is not named as a drill's")
        self._remove(found.arn, drill, target.tags)

    def leftovers(self, region: str) -> Sequence[Leftover]:
        return list(self._leftovers(region))

    def remove_leftover(self, left: Leftover) -> bool:
        if not name_of(left.arn).startswith(PREFIX):
            raise AlreadyExists(KIND, left.arn, "DeleteTable", "NotOurs", "it is not named as a drill's")
        return self._remove(left.arn, left.drill or "unknown", {})

    def _remove(self, arn: str, drill: str, more: Mapping[str, str]) -> bool:
        """Whether it is gone."""
        client = self._in(region_of(arn))
        table = describe(client, arn)
        if table is None:
            return True
        if table["TableStatus"] == "DELETING":
            return False
        if table["TableStatus"] != "ACTIVE":
            text = f"it is {table['TableStatus']}, and a table can be deleted when it is ACTIVE"
            raise NotReady(KIND, arn, "DeleteTable", "ResourceInUseException", text)
        if DRILL_TAG not in tags_of(client, arn):
            tags = {**drill_tags(drill), **more}
            with translated(KIND, arn, "TagResource"):
                client.tag_resource(
                    ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )
            return False
        with translated(KIND, arn, "DeleteTable"):
            client.delete_table(TableName=name_of(arn))
        return False

    def _leftovers(self, region: str) -> Iterator[Leftover]:
        client = self._in(region)
        # Names come in their order, and this one sorts just before those of drills.
        request: dict[str, Any] = {"ExclusiveStartTableName": PREFIX.removesuffix("-")}
        while True:
            with translated(KIND, region, "ListTables"):
                page = client.list_tables(**request)
            for name in page["TableNames"]:
                if name.startswith(PREFIX) and (table := self._there(client, name)) is not None:
                    yield Leftover(
                        arn=table["TableArn"],
                        kind=KIND,
                        created=table["CreationDateTime"],
                        drill=tags_of(client, table["TableArn"]).get(DRILL_TAG, ""),
                    )
            last = page.get("LastEvaluatedTableName", "")
            if not last or last > PREFIX + "\uffff":
                return
            request["ExclusiveStartTableName"] = last

    def _there(self, client: "DynamoDBClient", name: str) -> Described | None:
        """`None` when it is gone, or going."""
        try:
            with translated(KIND, name, "DescribeTable"):
                table = client.describe_table(TableName=name)["Table"]
        except NotFound:
            return None
        return None if table["TableStatus"] == "DELETING" else table

    def _count(self, rehearsed: Rehearsed) -> tuple[int, bool]:
        """How many items are counted, and whether that is all. DynamoDB's own count of a new table may be
        hours old."""
        client: Any = self._in(rehearsed.region)
        request: dict[str, Any] = {"TableName": name_of(rehearsed.arn), "Select": "COUNT"}
        count = 0
        for _ in range(MOST_PAGES):
            with translated(KIND, rehearsed.arn, "Scan"):
                page = client.scan(**request)
            count += page["Count"]
            if not page.get("LastEvaluatedKey"):
                return count, True
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return count, False

    def _expected(self, rehearsed: Rehearsed) -> tuple[int | None, bool]:
        """How many items the backup has, and whether that is exact."""
        if not rehearsed.pieces:
            return None, False
        first = rehearsed.pieces[0]
        if "/export/" in first.arn:
            count = self._exports.item_count(rehearsed.region, rehearsed.source, first.arn)
            return count, len(rehearsed.pieces) == 1
        with translated(KIND, first.arn, "DescribeBackup"):
            told = self._in(region_of(first.arn)).describe_backup(BackupArn=first.arn)["BackupDescription"]
        return told.get("SourceTableDetails", {}).get("ItemCount"), False

    def _sampled(self, rehearsed: Rehearsed) -> list[Check]:
        if not rehearsed.sample:
            return []
        source: Any = self._in(region_of(rehearsed.source))
        table = describe(source, rehearsed.source)
        if table is None:
            return []
        keys = [one["AttributeName"] for one in table["KeySchema"]]
        items = self._some_of(source, rehearsed)
        if not items:
            return []
        there = {
            _identity(item, keys): item
            for batch in batched(items, _BATCH, strict=False)
            for item in self._looked_up(rehearsed, [_key(one, keys) for one in batch])
        }
        found = [(one, there[_identity(one, keys)]) for one in items if _identity(one, keys) in there]
        same = sum(_plain(one) == _plain(other) for one, other in found)
        return [sample_check(len(items), len(found), same)]

    def _some_of(self, client: Any, rehearsed: Rehearsed) -> list[dict[str, Any]]:
        """Items of the source, from a part of it that the drill's id chooses."""
        first = int(hashlib.sha256(rehearsed.drill.encode()).hexdigest(), 16)
        items: list[dict[str, Any]] = []
        for number in range(_SEGMENTS):
            with translated(KIND, rehearsed.source, "Scan"):
                page = client.scan(
                    TableName=name_of(rehearsed.source),
                    Segment=(first + number) % _SEGMENTS,
                    TotalSegments=_SEGMENTS,
                    Limit=rehearsed.sample - len(items),
                )
            items += page["Items"]
            if len(items) >= rehearsed.sample:
                break
        return items

    def _looked_up(self, rehearsed: Rehearsed, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        client: Any = self._in(rehearsed.region)
        name = name_of(rehearsed.arn)
        left: dict[str, Any] = {name: {"Keys": list(keys)}}
        found: list[dict[str, Any]] = []
        for _ in range(_TRIES):
            with translated(KIND, rehearsed.arn, "BatchGetItem"):
                answer = client.batch_get_item(RequestItems=left)
            found += answer["Responses"].get(name, ())
            left = answer.get("UnprocessedKeys") or {}
            if not left:
                return found
        text = "DynamoDB leaves keys unread again and again"
        raise NotReady(KIND, rehearsed.arn, "BatchGetItem", "UnprocessedKeys", text)

    def _in(self, region: str) -> "DynamoDBClient":
        with self._lock:
            if region not in self._made:
                self._made[region] = self._make(region)
            return self._made[region]


def _key(item: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {name: item[name] for name in keys}


def _identity(item: Mapping[str, Any], keys: Sequence[str]) -> str:
    return repr([item[name] for name in keys])


def _plain(value: Any) -> Any:
    """A value in which sets, that DynamoDB gives in any order, have one."""
    if isinstance(value, Mapping):
        return {
            name: sorted(one) if name in _SETS and isinstance(one, list) else _plain(one)
            for name, one in value.items()
        }
    return [_plain(one) for one in value] if isinstance(value, list) else value
