"""Items of tables on an emulated DynamoDB: read page by page, found by their keys, put on conditions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from holdfast.adapters import dynamodb_items
from holdfast.adapters.dynamodb_items import DynamoDBItems
from holdfast.adapters.s3_returns import S3Returns
from holdfast.core.errors import NotReady, ProviderError, Throttled
from holdfast.core.items import Fate, Item, KeyPart, is_same
from holdfast.core.returning import (
    Changed,
    Comparison,
    Counts,
    Failure,
    Return,
    ReturnRequest,
    ReturnState,
)
from local import tables as moto_s_tables
from tests.fakes import ACCOUNT, HOME
from tests.messages import RETURN_SCHEMA, check_data

LIVE = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders"
KEYS = (KeyPart(name="id", role="HASH", type="S"), KeyPart(name="at", role="RANGE", type="N"))
OF_ALL_TYPES: Item = {
    "id": {"S": "a"},
    "at": {"N": "1"},
    "number": {"N": "1.5"},
    "binary": {"B": b"\x00\xff"},
    "numbers": {"NS": ["1", "20"]},
    "texts": {"SS": ["x", "y"]},
    "binaries": {"BS": [b"\x01", b"\x02"]},
    "list": {"L": [{"N": "1"}, {"M": {"deep": {"B": b"\x03"}}}]},
    "map": {"M": {"flag": {"BOOL": True}, "nothing": {"NULL": True}}},
}


def an_item(id_: str, **more: str) -> Item:
    return {"id": {"S": id_}, "at": {"N": "1"}, **{name: {"S": value} for name, value in more.items()}}


@pytest.fixture
def client(aws: None) -> Any:
    client = boto3.client("dynamodb", region_name=HOME)
    client.create_table(
        TableName="orders",
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@pytest.fixture
def tables(client: Any) -> DynamoDBItems:
    return DynamoDBItems(clients=lambda region: client)


@pytest.fixture
def stub() -> Iterator[tuple[DynamoDBItems, Stubber]]:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = boto3.client(
        "dynamodb",
        region_name=HOME,
        config=config,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    with Stubber(client) as stubber:
        yield DynamoDBItems(clients=lambda region: client), stubber


def standing(client: Any) -> list[Item]:
    items: list[Item] = client.scan(TableName="orders")["Items"]
    return items


class TestTables:
    def test_its_keys_its_restore_and_its_state(self, client: Any, tables: DynamoDBItems) -> None:
        table = tables.table(LIVE)
        assert table is not None
        assert (table.arn, table.keys, table.restored_by, table.unready) == (LIVE, KEYS, "", "")
        client.tag_resource(ResourceArn=LIVE, Tags=[{"Key": "holdfast:restore", "Value": "worst-day"}])
        tagged = tables.table(LIVE)
        assert tagged is not None
        assert tagged.restored_by == "worst-day"
        assert tables.table(LIVE + "-other") is None

    @pytest.mark.parametrize(
        ("told", "unready", "lasting"),
        [
            ({"TableStatus": "CREATING"}, "CREATING", False),
            ({"TableStatus": "UPDATING"}, "", True),
            ({"TableStatus": "DELETING"}, "DELETING", True),
            (
                {
                    "TableStatus": "ACTIVE",
                    "RestoreSummary": {
                        "RestoreInProgress": True,
                        "RestoreDateTime": datetime(2026, 11, 22, tzinfo=UTC),
                    },
                },
                "being restored",
                False,
            ),
        ],
    )
    def test_whether_it_can_be_read(
        self, stub: tuple[DynamoDBItems, Stubber], told: Mapping[str, Any], unready: str, lasting: bool
    ) -> None:
        tables, stubber = stub
        described = {
            "TableArn": LIVE,
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
        stubber.add_response("describe_table", {"Table": described | dict(told)})
        stubber.add_response("list_tags_of_resource", {"Tags": []})
        table = tables.table(LIVE)
        assert table is not None
        assert table.unready == unready
        assert table.lasting is lasting

    def test_its_time_to_live(self, client: Any, tables: DynamoDBItems) -> None:
        assert tables.expiry(LIVE) == ""
        client.update_time_to_live(
            TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
        )
        assert tables.expiry(LIVE) == "until"


class TestReading:
    def test_page_by_page_all_items_come_once(self, client: Any, tables: DynamoDBItems) -> None:
        items: list[Item] = [{"id": {"S": f"i{n % 3}"}, "at": {"N": str(n)}} for n in range(10)]
        for one in items:
            client.put_item(TableName="orders", Item=one)
        found, after, pages = list[Item](), None, 0
        while True:
            page = tables.page(LIVE, after, 4)
            found, after, pages = [*found, *page.items], page.after, pages + 1
            assert len(page.items) <= 4
            assert page.units > 0
            if after is None:
                break
        assert pages >= 3
        assert sorted(map(str, found)) == sorted(map(str, items))

    def test_an_empty_table_has_one_empty_page(self, tables: DynamoDBItems) -> None:
        page = tables.page(LIVE, None, 10)
        assert (list(page.items), page.after) == ([], None)

    def test_what_is_there_of_some_keys(self, client: Any, tables: DynamoDBItems) -> None:
        client.put_item(TableName="orders", Item=OF_ALL_TYPES)
        keys = [{"id": {"S": "a"}, "at": {"N": str(n)}} for n in range(100)]
        [found] = tables.find(LIVE, keys).items
        assert is_same(found, OF_ALL_TYPES)

    def test_both_read_what_was_written_last(self, stub: tuple[DynamoDBItems, Stubber]) -> None:
        tables, stubber = stub
        key = {"id": {"S": "a"}, "at": {"N": "1"}}
        asked = {"TableName": "orders", "Limit": 9, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"}
        stubber.add_response("scan", {"Items": []}, asked)
        stubber.add_response(
            "batch_get_item",
            {"Responses": {}},
            {
                "RequestItems": {"orders": {"Keys": [key], "ConsistentRead": True}},
                "ReturnConsumedCapacity": "TOTAL",
            },
        )
        tables.page(LIVE, None, 9)
        tables.find(LIVE, [key])

    def test_what_dynamodb_leaves_out_is_asked_for_again(
        self, stub: tuple[DynamoDBItems, Stubber], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables, stubber = stub
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        keys = [{"id": {"S": name}, "at": {"N": "1"}} for name in "abc"]

        def answer(got: str, left: str) -> None:
            unprocessed = (
                {"orders": {"Keys": [one for one in keys if one["id"]["S"] in left]}} if left else {}
            )
            items = [an_item(one) for one in got]
            stubber.add_response(
                "batch_get_item",
                {
                    "Responses": {"orders": items},
                    "UnprocessedKeys": unprocessed,
                    "ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": float(len(items))}],
                },
            )

        for got, left in (("a", "bc"), ("", "bc"), ("", "bc"), ("bc", "")):
            answer(got, left)
        page = tables.find(LIVE, keys)
        assert [one["id"]["S"] for one in page.items] == ["a", "b", "c"]
        assert page.units == 3
        assert slept == [0.05, 0.1], "not when it gave some"
        for _ in range(dynamodb_items.ATTEMPTS):
            answer("", "abc")
        with pytest.raises(Throttled, match="DynamoDB gave 0 of 3 items"):
            tables.find(LIVE, keys)


class TestPutting:
    def test_where_there_is_none(self, client: Any, tables: DynamoDBItems) -> None:
        assert tables.put(LIVE, OF_ALL_TYPES, None, KEYS).fate is Fate.DONE
        [there] = standing(client)
        assert is_same(there, OF_ALL_TYPES)

    def test_never_over_one_that_appeared(self, client: Any, tables: DynamoDBItems) -> None:
        client.put_item(TableName="orders", Item=an_item("a", what="since"))
        assert tables.put(LIVE, OF_ALL_TYPES, None, KEYS).fate is Fate.MEANWHILE
        assert standing(client) == [an_item("a", what="since")]

    def test_its_own_write_is_told_as_done(self, client: Any, tables: DynamoDBItems) -> None:
        """A call whose answer was lost is repeated."""
        tables.put(LIVE, OF_ALL_TYPES, None, KEYS)
        assert tables.put(LIVE, OF_ALL_TYPES, None, KEYS).fate is Fate.DONE
        was = {**OF_ALL_TYPES, "number": {"N": "9"}}
        assert tables.put(LIVE, OF_ALL_TYPES, was, KEYS).fate is Fate.DONE

    def test_in_the_place_of_what_was_compared(self, client: Any, tables: DynamoDBItems) -> None:
        was = {**OF_ALL_TYPES, "number": {"N": "9"}, "added": {"S": "x"}}
        client.put_item(TableName="orders", Item=was)
        assert tables.put(LIVE, OF_ALL_TYPES, was, KEYS).fate is Fate.DONE
        [there] = standing(client)
        assert is_same(there, OF_ALL_TYPES)

    @pytest.mark.parametrize("name", [one for one in OF_ALL_TYPES if one not in ("id", "at")])
    def test_not_when_any_attribute_is_another_now(
        self, client: Any, tables: DynamoDBItems, name: str
    ) -> None:
        was = {**OF_ALL_TYPES, "spoiled": {"S": "yes"}}
        for now in ({**was, name: {"S": "another"}}, {one: was[one] for one in was if one != name}):
            client.put_item(TableName="orders", Item=now)
            assert tables.put(LIVE, OF_ALL_TYPES, was, KEYS).fate is Fate.MEANWHILE
            [there] = standing(client)
            assert is_same(there, now)

    def test_not_when_it_is_gone(self, client: Any, tables: DynamoDBItems) -> None:
        assert tables.put(LIVE, an_item("a"), an_item("a", what="spoiled"), KEYS).fate is Fate.MEANWHILE
        assert standing(client) == []

    @pytest.mark.parametrize("added", ["what", "unheard-of"])
    def test_an_attribute_that_was_added_meanwhile_is_not_lost(
        self, client: Any, tables: DynamoDBItems, added: str
    ) -> None:
        """No condition can demand that there are no others; DynamoDB tells what it replaced."""
        now = {**an_item("a", other="spoiled"), added: {"S": "new"}}
        client.put_item(TableName="orders", Item=now)
        told = tables.put(LIVE, an_item("a", what="before"), an_item("a", other="spoiled"), KEYS)
        assert told.fate is Fate.MEANWHILE
        assert standing(client) == [now]

    def test_what_takes_too_large_a_condition_is_told(self, client: Any, tables: DynamoDBItems) -> None:
        wide = {f"attribute-{n}": "x" for n in range(120)}
        was = an_item("a", **wide)
        client.put_item(TableName="orders", Item=was)
        assert tables.put(LIVE, an_item("a", what="before"), was, KEYS).fate is Fate.DONE
        wider = an_item("b", **wide, **{f"more-{n}": "x" for n in range(40)})
        client.put_item(TableName="orders", Item=wider)
        for item, there in ((an_item("b"), wider), (wider, an_item("b"))):
            told = tables.put(LIVE, item, there, KEYS)
            assert (told.fate, "too many attributes" in told.reason) == (Fate.FAILED, True)

    @pytest.mark.parametrize("code", ["ItemCollectionSizeLimitExceededException", "ValidationException"])
    def test_what_lies_in_the_item_is_told(self, stub: tuple[DynamoDBItems, Stubber], code: str) -> None:
        tables, stubber = stub
        stubber.add_client_error("put_item", code, "because")
        told = tables.put(LIVE, an_item("a"), None, KEYS)
        assert (told.fate, told.reason) == (Fate.FAILED, f"{code}: because")

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("TransactionConflictException", NotReady),
            ("ReplicatedWriteConflictException", NotReady),
            ("ProvisionedThroughputExceededException", Throttled),
            ("AccessDeniedException", ProviderError),
        ],
    )
    def test_what_does_not_is_raised_and_names_no_key(
        self, stub: tuple[DynamoDBItems, Stubber], code: str, error: type[ProviderError]
    ) -> None:
        tables, stubber = stub
        stubber.add_client_error("put_item", code, "because")
        with pytest.raises(error) as raised:
            tables.put(LIVE, an_item("secret"), None, KEYS)
        assert "secret" not in str(raised.value)


class TestRecords:
    @pytest.fixture
    def bucket(self, aws: None) -> Callable[[], S3Returns]:
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="reports")
        return lambda: S3Returns(client=client, bucket="reports")

    def a_return(self) -> Return:
        key: Item = {"id": {"B": b"\x00\xff"}, "at": {"N": "1"}}
        return Return(
            request=ReturnRequest(id="r-1", source=LIVE + "-restored", changed=Changed.RETURN),
            state=ReturnState.PENDING,
            reason="",
            began=datetime(2026, 11, 22, 15, tzinfo=UTC),
            target=LIVE,
            counts=Counts(lost=3, returned=2, failed=1),
            after=key,
            begun=Counts(lost=1),
            keys={Comparison.LOST: (key,)},
            failures=(Failure(key=key, reason="too large"),),
            read_units=4.5,
            write_units=2,
        )

    def test_it_is_read_as_it_was_written(self, bucket: Callable[[], S3Returns]) -> None:
        kept = self.a_return()
        assert bucket().load(kept.request) == (None, "")
        mark = bucket().save(kept, "")
        assert bucket().load(kept.request) == (kept, mark)
        assert bucket().address(kept.request) == "s3://reports/returns/r-1.json"
        document = boto3.client("s3", region_name="us-east-1").get_object(
            Bucket="reports", Key="returns/r-1.json"
        )
        check_data(json.load(document["Body"]), "document", RETURN_SCHEMA)

    def test_a_dry_run_of_its_id_is_another(self, bucket: Callable[[], S3Returns]) -> None:
        kept = self.a_return()
        bucket().save(kept, "")
        assert bucket().load(replace(kept.request, dry_run=True)) == (None, "")

    def test_what_somebody_else_wrote_is_not_written_over(self, bucket: Callable[[], S3Returns]) -> None:
        kept = self.a_return()
        mark = bucket().save(kept, "")
        bucket().save(replace(kept, reason="another"), mark)
        for old in (mark, ""):
            with pytest.raises(ProviderError) as raised:
                bucket().save(kept, old)
            assert raised.value.retryable
        assert bucket().load(kept.request)[0] == replace(kept, reason="another")

    def test_what_cannot_be_understood_is_an_error(self, bucket: Callable[[], S3Returns]) -> None:
        boto3.client("s3", region_name="us-east-1").put_object(
            Bucket="reports", Key="returns/r-1.json", Body=b'{"schema": "holdfast.return/1"}'
        )
        with pytest.raises(ProviderError, match="returns/r-1"):
            bucket().load(self.a_return().request)


class TestTheEmulatedRecovery:
    """moto gives the items of now. Runbooks are tried on what `local.histories` makes of it."""

    def test_an_instant_has_the_items_of_then(self, client: Any) -> None:
        moto_s_tables.teach()
        client.update_continuous_backups(
            TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        for id_ in "abc":
            client.put_item(TableName="orders", Item=an_item(id_, what="before"))
        then = datetime.now(UTC)
        time.sleep(0.002)  # instants are sent to the millisecond
        key = {"id": {"S": "a"}, "at": {"N": "1"}}
        client.delete_item(TableName="orders", Key=key)
        client.update_item(
            TableName="orders",
            Key={**key, "id": {"S": "b"}},
            UpdateExpression="SET what = :now",
            ExpressionAttributeValues={":now": {"S": "now"}},
        )
        client.put_item(TableName="orders", Item=an_item("c", what="now"))
        client.put_item(TableName="orders", Item=an_item("new"))
        asked = {"SourceTableName": "orders", "TargetTableName": "then", "RestoreDateTime": then}
        client.restore_table_to_point_in_time(**asked)
        found = client.scan(TableName="then")["Items"]
        assert sorted(found, key=str) == [an_item(id_, what="before") for id_ in "abc"]
        assert {one["id"]["S"] for one in standing(client)} == {"b", "c", "new"}
