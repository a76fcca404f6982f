"""DynamoDB's exports to another Region: what stands for copies of a table's backups."""

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.stub import Stubber

from holdfast.adapters import dynamodb_exports as module
from holdfast.adapters.dynamodb_exports import DynamoDBExports, ExportName
from holdfast.core.errors import (
    AccessDenied,
    CopySlotsFull,
    NotFound,
    NotReady,
    OutOfReach,
    ProviderError,
    Throttled,
    Unprepared,
)
from holdfast.core.model import Backup, BackupState, CopySettings, Mark, Resource
from local import exports as moto_s
from tests.contract.clock import CountingPace
from tests.contract.kinds import DynamoDBWorld
from tests.fakes import ACCOUNT, AWAY, HOME

SLOT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
NEXT = SLOT + timedelta(days=1)
LATER = NEXT + timedelta(hours=12)
TABLE_ID = "12345678-1234-4234-8234-123456789012"
KEY = f"arn:aws:kms:{AWAY}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"

ITEMS: list[dict[str, Any]] = [
    {
        "id": {"S": "every type"},
        "s": {"S": 'Übergrößenträger 値 🦊 "quoted" back\\slash\nsecond line\ttab \u2028'},
        "empty": {"S": ""},
        "n": {"N": "-12345678901234567890.0123456789"},
        "zero": {"N": "0"},
        "b": {"B": b"\x00\x01\xfe\xff binary"},
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "null": {"NULL": True},
        "ss": {"SS": ["ä", "b", "c d"]},
        "ns": {"NS": ["1", "2.5", "-3"]},
        "bs": {"BS": [b"\x00", b"\xff\xfe"]},
        "l": {"L": [{"S": "a"}, {"N": "1"}, {"B": b"\x07"}, {"L": [{"BOOL": False}, {"NULL": True}]}]},
        "m": {
            "M": {"deep": {"M": {"n": {"N": "7"}, "l": {"L": []}}}, "Case": {"S": "A"}, "case": {"S": "a"}}
        },
        "nothing": {"L": []},
        "none": {"M": {}},
    },
    {"id": {"S": "plain"}, "n": {"N": "1"}},
    {"id": {"S": "größer"}, "Item": {"S": "an attribute that is called as the export's envelope is"}},
]


def table(world: DynamoDBWorld, name: str = "orders", *, recoverable: bool = True) -> str:
    arn = world.add_resource(name)
    if recoverable:
        world.dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    return arn


def put(world: DynamoDBWorld, *items: dict[str, Any], name: str = "orders") -> None:
    for item in items:
        world.dynamodb.put_item(TableName=name, Item=item)


def original(
    world: DynamoDBWorld, arn: str, slot: datetime = SLOT, *, plan: str = "nightly", stack: str = "holdfast"
) -> Backup:
    mark = Mark(stack=stack, plan=plan, slot=slot, source=arn)
    return world.provider.create(Resource(kind="dynamodb", arn=arn), mark)


def mark_to_copy(backup: Backup, attempt: int = 1) -> Mark:
    assert backup.mark is not None
    return replace(backup.mark, copy_of=backup.arn, attempt=attempt)


def export(
    world: DynamoDBWorld,
    backup: Backup,
    *,
    base: datetime | None = None,
    kms_key: str = "",
    attempt: int = 1,
    by: DynamoDBExports | None = None,
) -> Backup:
    settings = CopySettings(base=base, kms_key=kms_key)
    return (by or world.dynamodb_backups).copy(backup, AWAY, mark_to_copy(backup, attempt), settings)


def exported(world: DynamoDBWorld, slot: datetime = SLOT, base: datetime | None = None) -> Backup:
    """The table `orders`' backup of the slot, and its export."""
    arn = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders"
    return export(world, original(world, arn, slot), base=base)


def listed(world: DynamoDBWorld) -> list[Backup]:
    return list(world.provider.backups(AWAY))


def keys(world: DynamoDBWorld) -> list[str]:
    pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=world.bucket)
    return [one["Key"] for page in pages for one in page.get("Contents", ())]


def place(world: DynamoDBWorld, *names: str) -> None:
    for name in names:
        world.s3.put_object(Bucket=world.bucket, Key=name, Body=b"")


def remove(world: DynamoDBWorld, *ends: str) -> None:
    """Delete the objects whose keys end so."""
    for key in keys(world):
        if key.endswith(ends):
            world.s3.delete_object(Bucket=world.bucket, Key=key)


def name_of(backup: Backup) -> ExportName:
    assert backup.mark is not None
    return ExportName(mark=backup.mark, base=backup.base)


def id_of(backup: Backup) -> str:
    return backup.arn.rsplit("/", 1)[1]


def requests_of(client: Any, operation: str) -> list[dict[str, Any]]:
    """What is asked of the operation from now on, as the adapter asked it."""
    asked: list[dict[str, Any]] = []
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(
        f"provide-client-params.{service}.{operation}", lambda params, **_: asked.append(dict(params))
    )
    return asked


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALLS_PER_SECOND", 1000)


@pytest.fixture(params=["plain", "versioned"])
def orders(request: pytest.FixtureRequest, dynamodb: DynamoDBWorld) -> DynamoDBWorld:
    """The table `orders`, and a bucket with or without versions, whose listings come in short pages."""
    if request.param == "versioned":
        dynamodb.s3.put_bucket_versioning(
            Bucket=dynamodb.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    dynamodb.s3.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.setdefault("MaxKeys", 2)
    )
    table(dynamodb)
    return dynamodb


# The proof


def imported(world: DynamoDBWorld, prefix: str, name: str) -> None:
    """Make a table in the other Region of the data files under the prefix."""
    away = world.client("dynamodb", AWAY)
    arn = away.import_table(
        S3BucketSource={"S3Bucket": world.bucket, "S3KeyPrefix": prefix},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]["ImportArn"]
    told: dict[str, Any] = {"ImportStatus": "IN_PROGRESS"}
    until = time.monotonic() + 10
    while told["ImportStatus"] == "IN_PROGRESS" and time.monotonic() < until:
        told = away.describe_import(ImportArn=arn)["ImportTableDescription"]
    assert (told["ImportStatus"], told.get("FailureMessage")) == ("COMPLETED", None)


def normal(value: Any) -> Any:
    """An attribute or item with sets in one order, since they have none."""
    if isinstance(value, dict):
        return {key: sorted(one) if key in ("SS", "NS", "BS") else normal(one) for key, one in value.items()}
    return [normal(one) for one in value] if isinstance(value, list) else value


def items_in(client: Any, name: str) -> dict[str, Any]:
    pages = client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
    return {item["id"]["S"]: normal(item) for page in pages for item in page["Items"]}


def test_an_export_is_imported_in_the_other_region_with_equal_items(orders: DynamoDBWorld) -> None:
    put(orders, *ITEMS)
    copy = exported(orders)
    put(orders, {"id": {"S": "written after the export"}})
    imported(orders, f"{name_of(copy).files(id_of(copy))}data/", "restored")
    found = items_in(orders.client("dynamodb", AWAY), "restored")
    assert found == {item["id"]["S"]: normal(item) for item in ITEMS}


def lines_of(world: DynamoDBWorld, backup: Backup) -> Iterator[dict[str, Any]]:
    """An export's lines, found by its manifests as one would on AWS, and the files checked against them."""
    files = name_of(backup).files(id_of(backup))

    def read(key: str) -> bytes:
        body: bytes = world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read()
        return body

    summary = json.loads(read(f"{files}manifest-summary.json"))
    assert summary["exportArn"] == backup.arn
    assert summary["s3Prefix"] == name_of(backup).prefix
    for line in read(summary["manifestFilesS3Key"]).splitlines():
        entry = json.loads(line)
        found = [json.loads(one) for one in gzip.decompress(read(entry["dataFileS3Key"])).split(b"\n") if one]
        assert len(found) == entry["itemCount"]
        yield from found


def test_a_full_export_and_its_increments_give_the_table_of_the_last_slot(orders: DynamoDBWorld) -> None:
    put(orders, *ITEMS, {"id": {"S": "soon gone"}})
    chain = [exported(orders)]
    put(orders, {"id": {"S": "plain"}, "n": {"N": "2"}}, {"id": {"S": "new"}, "b": {"B": b"\xff"}})
    orders.dynamodb.delete_item(TableName="orders", Key={"id": {"S": "soon gone"}})
    chain.append(exported(orders, NEXT, base=SLOT))
    orders.dynamodb.delete_item(TableName="orders", Key={"id": {"S": "new"}})
    put(orders, {"id": {"S": "soon gone"}, "back": {"BOOL": True}})
    chain.append(exported(orders, LATER, base=NEXT))
    assert {one.state for one in listed(orders)} == {BackupState.AVAILABLE}

    full, *increments = chain
    state = {line["Item"]["id"]["S"]: line["Item"] for line in lines_of(orders, full)}
    for increment in increments:
        lines = list(lines_of(orders, increment))
        assert 0 < len(lines) <= 3  # what has not changed is not in it
        for line in lines:
            key = line["Keys"]["id"]["S"]
            if "NewImage" in line:
                state[key] = line["NewImage"]
            else:
                del state[key]
    # Binary values are text in JSON.
    now = {
        key: json.loads(json.dumps(item, default=lambda data: b64encode(data).decode()))
        for key, item in items_in(orders.dynamodb, "orders").items()
    }
    assert {key: normal(item) for key, item in state.items()} == {
        key: normal(item) for key, item in now.items()
    }


# Requests


def test_a_full_export_is_asked_for_so(orders: DynamoDBWorld) -> None:
    asked = requests_of(orders.dynamodb, "ExportTableToPointInTime")
    exported(orders)
    (request,) = asked
    token = request.pop("ClientToken")
    assert 1 <= len(token) <= 36
    assert request == {
        "TableArn": f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders",
        "ExportTime": SLOT,
        "ExportType": "FULL_EXPORT",
        "ExportFormat": "DYNAMODB_JSON",
        "S3Bucket": orders.bucket,
        "S3Prefix": f"holdfast/holdfast/{HOME}/{ACCOUNT}/orders.-/nightly.20261121T020000Z-full",
    }


def test_an_increment_is_asked_for_so(orders: DynamoDBWorld) -> None:
    exported(orders)
    asked = requests_of(orders.dynamodb, "ExportTableToPointInTime")
    made = exported(orders, NEXT, base=SLOT)
    (request,) = asked
    assert (request["ExportType"], request["IncrementalExportSpecification"]) == (
        "INCREMENTAL_EXPORT",
        {"ExportFromTime": SLOT, "ExportToTime": NEXT, "ExportViewType": "NEW_IMAGE"},
    )
    assert "ExportTime" not in request
    assert request["S3Prefix"].endswith("/orders.-/nightly.20261122T020000Z-since-20261121T020000Z")
    assert made.base == SLOT


def test_the_plan_s_key_and_a_further_attempt_are_asked_for(orders: DynamoDBWorld) -> None:
    asked = requests_of(orders.dynamodb, "ExportTableToPointInTime")
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    export(orders, backup)
    export(orders, backup, kms_key=KEY, attempt=2)
    first, second = asked
    assert (second["S3SseAlgorithm"], second["S3SseKmsKeyId"]) == ("KMS", KEY)
    assert second["S3Prefix"] == f"{first['S3Prefix']}-try2"
    assert second["ClientToken"] != first["ClientToken"]


def test_the_table_s_own_id_goes_with_the_export(orders: DynamoDBWorld) -> None:
    """A new table of the same name must not be taken for the old one."""
    backup = replace(original(orders, table(orders, "ledger")), resource_id=TABLE_ID)
    made = export(orders, backup)
    assert made.resource_id == TABLE_ID
    (found,) = listed(orders)
    assert found.resource_id == TABLE_ID
    assert found.mark is not None
    assert found.mark.resource_id == TABLE_ID
    assert f"/ledger.{TABLE_ID}/" in name_of(found).prefix


# Names and listing


def test_a_copy_is_listed_as_it_was_begun(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    begun = export(orders, backup)
    assert (begun.state, begun.state_text) == (BackupState.CREATING, "IN_PROGRESS")
    (found,) = listed(orders)
    assert found == replace(begun, state=BackupState.AVAILABLE, state_text="COMPLETED")
    assert found.mark == replace(mark_to_copy(backup), copy_of=f"{backup.source}/slot/20261121T020000Z")
    assert found.is_copy
    assert found.copied
    assert (found.id, found.region, found.source) == (backup.id, AWAY, backup.source)
    assert found.arn.startswith(f"{backup.source}/export/")


@pytest.mark.parametrize(
    ("table_name", "plan", "stack"),
    [
        ("data", "data", "data"),
        ("orders.old_2-x", "nightly", "holdfast-prod"),
        ("AWSDynamoDB", "begun", "holdfast"),
        ("a-b.-", "p" * 32, "s" * 49),
        ("t" * 255, "nightly", "holdfast"),
    ],
)
@pytest.mark.parametrize("attempt", [1, 2, 99])
@pytest.mark.parametrize("resource_id", ["", TABLE_ID])
def test_a_name_is_read_as_it_was_written(
    dynamodb: DynamoDBWorld, table_name: str, plan: str, stack: str, attempt: int, resource_id: str
) -> None:
    exports = exports_of(dynamodb, stack=stack)
    source = table(dynamodb, table_name)
    mark = Mark(
        stack=stack,
        plan=plan,
        slot=SLOT,
        source=source,
        resource_id=resource_id,
        attempt=attempt,
        copy_of="x",
    )
    backup = Backup(
        kind="dynamodb", arn="arn", id="x", region=HOME, source=source, state=BackupState.AVAILABLE
    )
    made = [exports.copy(backup, AWAY, mark, CopySettings())]
    made.append(exports.copy(backup, AWAY, replace(mark, slot=NEXT), CopySettings(base=SLOT)))
    for found in (exports.backups(AWAY), exports.backups(AWAY, source)):
        assert [(one.arn, one.mark, one.base, one.state) for one in found] == [
            (one.arn, one.mark, one.base, BackupState.AVAILABLE) for one in made
        ]


def exports_of(
    world: DynamoDBWorld, *, stack: str = "holdfast", clock: Callable[[], datetime] | None = None
) -> DynamoDBExports:
    more: dict[str, Any] = {"clock": clock} if clock else {}
    return DynamoDBExports(
        client=world.dynamodb, s3=lambda _: world.s3, buckets={AWAY: world.bucket}, stack=stack, **more
    )


GOOD = f"holdfast/holdfast/{HOME}/{ACCOUNT}/orders.-/nightly.20261121T020000Z-full/AWSDynamoDB/01-ab/"


@pytest.mark.parametrize(
    "key",
    [
        GOOD.replace("-full", "-whole"),
        GOOD.replace("-full", ""),
        GOOD.replace("-full", "-full-try1"),
        GOOD.replace("-full", "-full-try0"),
        GOOD.replace("20261121", "20261341"),
        GOOD.replace("-full", "-since-20261121T020000Z"),
        GOOD.replace("-full", "-since-20261122T020000Z"),
        GOOD.replace("-full", "-since-20269922T020000Z"),
        GOOD.replace("nightly", "Nightly"),
        GOOD.replace(ACCOUNT, "someone"),
        GOOD.replace("orders.-", "orders"),
        GOOD.replace("AWSDynamoDB", "AWSDynamo"),
        GOOD.replace("/holdfast/", "/holdfast-prod/"),
        GOOD.replace(HOME, "eu-central-1"),
        f"elsewhere/{GOOD}",
        "notes.txt",
    ],
)
def test_what_is_not_called_as_ours_is_neither_listed_nor_touched(orders: DynamoDBWorld, key: str) -> None:
    place(orders, f"{key}manifest-summary.json", f"{key}data/x.json.gz")
    ours = exported(orders)
    assert [one.arn for one in listed(orders)] == [ours.arn]
    orders.provider.delete(listed(orders)[0])
    assert keys(orders) == [f"{key}data/x.json.gz", f"{key}manifest-summary.json"]


def test_the_key_that_the_others_are_wrong_forms_of_is_ours(orders: DynamoDBWorld) -> None:
    place(orders, f"{GOOD}manifest-summary.json", f"{GOOD}data/x.json.gz")
    assert [one.state for one in listed(orders)] == [BackupState.AVAILABLE]


def test_a_table_s_exports_are_listed_alone_even_beside_a_longer_name(orders: DynamoDBWorld) -> None:
    longer = export(orders, original(orders, table(orders, "orders.-")))
    ours = exported(orders)
    assert [one.arn for one in orders.provider.backups(AWAY, ours.source)] == [ours.arn]
    assert [one.arn for one in orders.provider.backups(AWAY, longer.source)] == [longer.arn]
    assert {one.arn for one in listed(orders)} == {ours.arn, longer.arn}


def test_all_pages_are_listed_and_data_files_do_not_lengthen_them(orders: DynamoDBWorld) -> None:
    made = exported(orders)
    increment = exported(orders, NEXT, base=SLOT)
    data = (
        [f"{name_of(made).files(id_of(made))}data/{number}.json.gz" for number in range(40)]
        + [f"{name_of(increment).prefix}/AWSDynamoDB/data/{number}.json.gz" for number in range(40)]
    )  # fmt: skip
    place(orders, *data)
    asked = requests_of(orders.s3, "ListObjectsV2")
    assert [one.arn for one in listed(orders)] == [made.arn, increment.arn]
    assert len(keys(orders)) > 80
    assert len([one for one in asked if one.get("Delimiter") == "/data/"]) == 7  # of 2 entries


def test_a_listing_of_whole_exports_asks_dynamodb_nothing(orders: DynamoDBWorld) -> None:
    exported(orders)
    calls: list[str] = []
    orders.dynamodb.meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
    )
    assert len(listed(orders)) == 1
    assert calls == []


def test_the_home_region_s_backups_are_what_they_were(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    copy = export(orders, backup)
    assert [one.arn for one in orders.provider.backups(HOME)] == [backup.arn]
    orders.provider.delete(backup)
    assert [one.arn for one in orders.provider.backups(HOME)] == []
    assert [one.arn for one in listed(orders)] == [copy.arn]


@pytest.mark.parametrize("where", ["eu-west-1", f"{AWAY}@444455556666"])
def test_a_place_without_a_bucket_has_none_and_takes_none(orders: DynamoDBWorld, where: str) -> None:
    assert list(orders.provider.backups(where)) == []
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    with pytest.raises(Unprepared, match="name a bucket in"):
        orders.dynamodb_backups.copy(backup, where, mark_to_copy(backup), CopySettings())


def test_a_bucket_that_is_gone_is_no_empty_listing(orders: DynamoDBWorld) -> None:
    orders.s3.delete_bucket(Bucket=orders.bucket)
    with pytest.raises(NotFound):
        listed(orders)


def test_laws(orders: DynamoDBWorld) -> None:
    laws = orders.dynamodb_backups.laws
    assert (laws.service, laws.reach) == ("dynamodb", timedelta(days=35))
    assert (laws.key_for_unencrypted, laws.to_accounts, laws.to_buckets) == (True, False, True)


def test_each_region_s_client_is_made_once_and_when_needed(orders: DynamoDBWorld) -> None:
    made: list[str] = []

    def make(region: str) -> Any:
        made.append(region)
        return orders.s3

    exports = DynamoDBExports(
        client=orders.dynamodb, s3=make, buckets={AWAY: orders.bucket}, stack="holdfast"
    )
    assert made == []
    for _ in range(2):
        exports.backups(AWAY)
    assert made == [AWAY]


# States


def the_state(world: DynamoDBWorld) -> tuple[BackupState, str, str]:
    (found,) = listed(world)
    return found.state, found.state_text, found.failure


def test_an_export_under_way_is_creating_from_its_first_moment(orders: DynamoDBWorld) -> None:
    with moto_s.held():
        exported(orders)
    assert [key.rsplit("/", 2)[1] for key in keys(orders)] == ["begun"]
    assert the_state(orders) == (BackupState.CREATING, "IN_PROGRESS", "")
    moto_s.finish(ACCOUNT, HOME)
    assert the_state(orders) == (BackupState.AVAILABLE, "COMPLETED", "")


def test_an_export_under_way_that_has_all_but_its_summary_is_creating(orders: DynamoDBWorld) -> None:
    with moto_s.held():
        made = exported(orders)
    files = name_of(made).files(id_of(made))
    place(orders, f"{files}_started", f"{files}data/x.json.gz", f"{files}manifest-files.json")
    assert the_state(orders)[0] is BackupState.CREATING


def test_an_export_that_failed_before_it_wrote_anything_is_listed_with_its_cause(
    orders: DynamoDBWorld,
) -> None:
    """DynamoDB takes a request for a bucket that it cannot write to, and fails later."""
    orders.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.ExportTableToPointInTime",
        lambda params, **_: params | {"S3Bucket": "nobody-s-bucket"},
    )
    made = exported(orders)
    assert the_state(orders) == (
        BackupState.FAILED,
        "FAILED",
        "S3NoSuchBucket: The specified bucket does not exist",
    )
    orders.provider.delete(listed(orders)[0])
    assert listed(orders) == []
    assert made.state is BackupState.CREATING


def test_a_failed_export_keeps_its_place_beside_the_next_attempt(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    with moto_s.held():
        export(orders, backup)
    (failing,) = moto_s.exports_in(ACCOUNT, HOME)
    failing.status, failing.failure = "FAILED", ("AccessDenied", "no s3:PutObject")
    export(orders, backup, attempt=2)
    found = {one.mark.attempt: (one.state, one.failure) for one in listed(orders) if one.mark}
    assert found == {
        1: (BackupState.FAILED, "AccessDenied: no s3:PutObject"),
        2: (BackupState.AVAILABLE, ""),
    }


def test_an_export_without_its_summary_that_ended_is_a_remnant(orders: DynamoDBWorld) -> None:
    exported(orders)
    remove(orders, "manifest-summary.json")
    assert the_state(orders) == (BackupState.REMNANT, "COMPLETED", "")


@pytest.mark.parametrize("tells_when", [True, False])
def test_an_export_that_has_just_ended_may_lack_its_summary_for_a_while(
    orders: DynamoDBWorld, tells_when: bool
) -> None:
    """Whether DynamoDB tells when it ended or not: its answer need not have that."""
    exported(orders)
    remove(orders, "manifest-summary.json")
    if not tells_when:
        orders.dynamodb.meta.events.register(
            "after-call.dynamodb.DescribeExport",
            lambda parsed, **_: parsed["ExportDescription"].pop("EndTime"),
        )
    states = [
        exports_of(orders, clock=lambda age=age: datetime.now(UTC) + age).backups(AWAY)[0].state  # type: ignore[misc]
        for age in (timedelta(minutes=14), timedelta(minutes=16))
    ]
    assert states == [BackupState.CREATING, BackupState.REMNANT]


def test_an_export_that_ends_between_the_two_looks_is_whole(orders: DynamoDBWorld) -> None:
    """It has no summary when the bucket is listed, and has ended when DynamoDB is asked."""
    with moto_s.held():
        exported(orders)
    orders.dynamodb.meta.events.register(
        "before-call.dynamodb.DescribeExport", lambda **_: moto_s.finish(ACCOUNT, HOME)
    )
    assert the_state(orders) == (BackupState.AVAILABLE, "COMPLETED", "")


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(hours=23), BackupState.CREATING), (timedelta(hours=25), BackupState.REMNANT)],
)
def test_an_export_that_dynamodb_does_not_know_is_new_or_forgotten(
    orders: DynamoDBWorld, age: timedelta, expected: BackupState
) -> None:
    place(orders, f"{GOOD}_started")
    exports = exports_of(orders, clock=lambda: datetime.now(UTC) + age)
    assert [one.state for one in exports.backups(AWAY)] == [expected]


def test_data_alone_of_an_unknown_export_is_a_remnant(orders: DynamoDBWorld) -> None:
    place(orders, f"{GOOD}data/x.json.gz")
    assert the_state(orders)[0] is BackupState.REMNANT


def test_an_error_of_the_second_look_is_no_state(orders: DynamoDBWorld) -> None:
    place(orders, f"{GOOD}_started")
    with Stubber(orders.dynamodb) as stub:
        stub.add_client_error("describe_export", "AccessDeniedException")
        with pytest.raises(AccessDenied):
            listed(orders)


# Chains


@pytest.fixture
def chain(orders: DynamoDBWorld) -> list[Backup]:
    """A full export, an increment, and one on top of that."""
    return [exported(orders), exported(orders, NEXT, base=SLOT), exported(orders, LATER, base=NEXT)]


@pytest.mark.parametrize("gone", [0, 1])
def test_an_increment_is_failed_when_what_it_stands_on_is_gone(
    orders: DynamoDBWorld, chain: list[Backup], gone: int
) -> None:
    orders.provider.delete(listed(orders)[gone])
    left = [one for one in listed(orders) if one.state is not BackupState.AVAILABLE]
    assert [one.arn for one in left] == [one.arn for one in chain[gone + 1 :]]
    slot = ("2026-11-21", "2026-11-22")[gone]
    assert {(one.state, one.failure) for one in left} == {
        (BackupState.FAILED, f"its base of {slot}T02:00:00Z is gone")
    }


def test_a_base_that_is_not_whole_is_gone(orders: DynamoDBWorld, chain: list[Backup]) -> None:
    world = orders
    world.s3.delete_object(
        Bucket=world.bucket, Key=f"{name_of(chain[0]).files(id_of(chain[0]))}manifest-summary.json"
    )
    assert [one.state for one in listed(world)] == [
        BackupState.REMNANT,
        BackupState.FAILED,
        BackupState.FAILED,
    ]


@pytest.mark.parametrize("other", ["table", "id"])
def test_another_table_s_export_is_no_base(orders: DynamoDBWorld, other: str) -> None:
    exported(orders)
    if other == "table":
        backup = original(orders, table(orders, "ledger"), NEXT)
    else:
        backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders", NEXT)
        backup = replace(backup, resource_id=TABLE_ID)
    increment = export(orders, backup, base=SLOT)
    (found,) = [one for one in listed(orders) if one.arn == increment.arn]
    assert found.state is BackupState.FAILED


def test_a_base_may_be_of_another_attempt(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    export(orders, backup, attempt=3)
    exported(orders, NEXT, base=SLOT)
    assert {one.state for one in listed(orders)} == {BackupState.AVAILABLE}


# Repeating


def test_a_repeated_copy_is_one_export(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    first = export(orders, backup)
    again = export(orders, backup)
    assert again == replace(first, state=BackupState.AVAILABLE, state_text="COMPLETED")
    assert [one.arn for one in listed(orders)] == [first.arn]
    assert len(orders.dynamodb.list_exports()["ExportSummaries"]) == 1


def test_a_copy_that_was_cut_short_before_its_note_is_found_by_repeating_it(orders: DynamoDBWorld) -> None:
    with moto_s.held():
        backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
        first = export(orders, backup)
        remove(orders, f"begun/{id_of(first)}")
        assert listed(orders) == []
        assert export(orders, backup).arn == first.arn
    assert [(one.arn, one.state) for one in listed(orders)] == [(first.arn, BackupState.CREATING)]


def test_what_was_deleted_a_moment_ago_is_not_exported_again_at_once(orders: DynamoDBWorld) -> None:
    """DynamoDB answers a repeated request with the export that is no more."""
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    export(orders, backup)
    orders.provider.delete(listed(orders)[0])
    with pytest.raises(NotReady, match="deleted within the last 8 hours"):
        export(orders, backup)
    assert keys(orders) == []


def test_two_places_want_two_exports(orders: DynamoDBWorld) -> None:
    orders.s3.create_bucket(Bucket="third", CreateBucketConfiguration={"LocationConstraint": AWAY})
    exports = DynamoDBExports(
        client=orders.dynamodb,
        s3=lambda _: orders.s3,
        buckets={AWAY: orders.bucket, "eu-west-1": "third"},
        stack="holdfast",
    )
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    made = [
        exports.copy(backup, where, mark_to_copy(backup), CopySettings()) for where in (AWAY, "eu-west-1")
    ]
    assert made[0].arn != made[1].arn
    assert [one.place for one in exports.backups("eu-west-1")] == ["eu-west-1"]


# Deleting


def test_a_deleted_export_leaves_nothing_and_its_neighbours_everything(
    orders: DynamoDBWorld, chain: list[Backup]
) -> None:
    full, increment, last = chain
    other = export(orders, original(orders, table(orders, "orders.-")))
    for gone in (last, increment):
        (found,) = [one for one in listed(orders) if one.arn == gone.arn]
        orders.provider.delete(found)
        assert not any(key.startswith(name_of(gone).prefix) for key in keys(orders))
    assert {(one.arn, one.state) for one in listed(orders)} == {
        (full.arn, BackupState.AVAILABLE),
        (other.arn, BackupState.AVAILABLE),
    }
    with pytest.raises(NotFound) as raised:
        orders.provider.delete(replace(last, state=BackupState.AVAILABLE))
    assert raised.value.resource == last.arn


def test_the_summary_goes_first_and_our_note_last(orders: DynamoDBWorld) -> None:
    exported(orders)
    (found,) = listed(orders)
    asked = requests_of(orders.s3, "DeleteObjects")
    orders.provider.delete(found)
    gone = [[one["Key"].rsplit("/", 1)[1] for one in call["Delete"]["Objects"]] for call in asked]
    assert gone[0] == ["manifest-summary.json"]
    assert all(key.endswith(".json.gz") for key in gone[1])
    assert sorted(gone[2]) == [
        "_started", "manifest-files.json", "manifest-files.md5", "manifest-summary.md5",
    ]  # fmt: skip
    assert gone[3:] == [[id_of(found)]]
    assert {call["Bucket"] for call in asked} == {orders.bucket}


def test_s3_is_given_a_thousand_keys_at_most(orders: DynamoDBWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.DELETE_BATCH == 1000
    monkeypatch.setattr(module, "DELETE_BATCH", 3)
    made = exported(orders)
    place(orders, *(f"{name_of(made).files(id_of(made))}data/{number}.json.gz" for number in range(5)))
    asked = requests_of(orders.s3, "DeleteObjects")
    orders.provider.delete(listed(orders)[0])
    assert [len(call["Delete"]["Objects"]) for call in asked] == [1, 3, 3, 1, 3, 1, 1]
    assert keys(orders) == []


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize("increment", [False, True], ids=["full", "increment"])
def test_a_deletion_that_was_cut_short_shows_and_is_finished(
    orders: DynamoDBWorld, monkeypatch: pytest.MonkeyPatch, failing: int, increment: bool
) -> None:
    """One key of a call cannot be deleted, though the call succeeds."""
    exported(orders)
    gone = exported(orders, NEXT, base=SLOT) if increment else listed(orders)[0]
    found = next(one for one in listed(orders) if one.arn == gone.arn)
    delete, calls = orders.s3.delete_objects, []

    def delete_or_refuse(**request: Any) -> Any:
        calls.append(request)
        if len(calls) < failing:
            return delete(**request)
        first, *others = request["Delete"]["Objects"]
        if others:
            delete(**request | {"Delete": {"Objects": others}})
        return {"Errors": [{"Key": first["Key"], "Code": "AccessDenied", "Message": "Access Denied"}]}

    with monkeypatch.context() as patched:
        patched.setattr(orders.s3, "delete_objects", delete_or_refuse)
        with pytest.raises(AccessDenied) as raised:
            orders.provider.delete(found)
    assert raised.value.resource == gone.arn
    assert raised.value.operation == "DeleteObjects"
    (left,) = [one for one in listed(orders) if one.arn == gone.arn]
    assert left.state is (BackupState.AVAILABLE if failing == 1 else BackupState.REMNANT)
    orders.provider.delete(left)
    assert not any(key.startswith(name_of(gone).prefix) for key in keys(orders))


def test_an_export_under_way_is_not_deleted(orders: DynamoDBWorld) -> None:
    with moto_s.held():
        exported(orders)
    with pytest.raises(NotReady, match="under way"):
        orders.provider.delete(listed(orders)[0])
    moto_s.finish(ACCOUNT, HOME)
    assert the_state(orders)[0] is BackupState.AVAILABLE


def test_the_changes_of_two_exports_under_one_prefix_go_with_the_last_of_them(orders: DynamoDBWorld) -> None:
    """The same request more than 8 hours later is another export, and its changes lie in the same folder."""
    exported(orders)
    made = exported(orders, NEXT, base=SLOT)
    twin = f"{name_of(made).prefix}/AWSDynamoDB/01795697218000-d6299cbd/manifest-summary.json"
    place(orders, twin)
    changes = [key for key in keys(orders) if "/AWSDynamoDB/data/" in key]
    assert changes
    first, second = [one for one in listed(orders) if one.base == SLOT]
    orders.provider.delete(first)
    assert [key for key in keys(orders) if "/AWSDynamoDB/data/" in key] == changes
    orders.provider.delete(second)
    assert not any(key.startswith(name_of(made).prefix) for key in keys(orders))


def test_what_bears_no_mark_is_not_deleted(orders: DynamoDBWorld) -> None:
    exported(orders)
    before = keys(orders)
    with pytest.raises(ValueError, match="bears no mark"):
        orders.provider.delete(replace(listed(orders)[0], mark=None))
    assert keys(orders) == before


# Errors


def test_without_point_in_time_recovery_the_error_says_how_to_switch_it_on(dynamodb: DynamoDBWorld) -> None:
    backup = original(dynamodb, table(dynamodb, recoverable=False))
    with pytest.raises(Unprepared) as raised:
        export(dynamodb, backup)
    assert not raised.value.retryable
    command = (
        f"aws dynamodb update-continuous-backups --region {HOME} --table-name orders "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    )
    assert command in raised.value.message
    assert keys(dynamodb) == []


def test_of_a_table_that_is_gone_nothing_can_be_exported_any_more(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    orders.dynamodb.delete_table(TableName="orders")
    with pytest.raises(OutOfReach, match="the table is gone, and with it what could be exported"):
        export(orders, backup)


def test_an_instant_too_young_for_an_increment_may_be_told_as_a_mistake_in_the_request(
    orders: DynamoDBWorld,
) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    for age, expected in ((timedelta(minutes=14), NotReady), (timedelta(minutes=16), ProviderError)):
        now = SLOT + age
        with Stubber(orders.dynamodb) as stub:
            stub.add_client_error(
                "export_table_to_point_in_time", "ValidationException", "ExportToTime is too late"
            )
            with pytest.raises(ProviderError) as raised:
                export(orders, backup, by=exports_of(orders, clock=partial(_same, now)))
        assert type(raised.value) is expected


def _same(moment: datetime) -> datetime:
    return moment


@pytest.mark.parametrize(
    ("age", "expected"), [(timedelta(minutes=14), NotReady), (timedelta(minutes=16), OutOfReach)]
)
def test_a_slot_beyond_what_can_be_exported_is_too_young_or_too_old(
    orders: DynamoDBWorld, age: timedelta, expected: type[ProviderError]
) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    with Stubber(orders.dynamodb) as stub:
        stub.add_client_error("export_table_to_point_in_time", "InvalidExportTimeException")
        with pytest.raises(expected) as raised:
            export(orders, backup, by=exports_of(orders, clock=lambda: SLOT + age))
        stub.assert_no_pending_responses()
    assert raised.value.retryable is (expected is NotReady)


def test_an_increment_whose_beginning_is_out_of_reach_becomes_a_full_export(orders: DynamoDBWorld) -> None:
    asked = requests_of(orders.dynamodb, "ExportTableToPointInTime")
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders", NEXT)
    # moto refuses a period of more than a day with the same error.
    made = export(orders, backup, base=SLOT - timedelta(days=1), by=exports_of(orders, clock=lambda: LATER))
    assert [one["ExportType"] for one in asked] == ["INCREMENTAL_EXPORT", "FULL_EXPORT"]
    assert made.base is None
    assert the_state(orders)[0] is BackupState.AVAILABLE


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("LimitExceededException", CopySlotsFull, "too many"),
        ("ThrottlingException", Throttled, "too many"),
        ("ExportConflictException", ProviderError, "begun with another key"),
        ("AccessDeniedException", AccessDenied, "too many"),
    ],
)
def test_errors_say_what_to_do(
    orders: DynamoDBWorld, code: str, expected: type[ProviderError], words: str
) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    with Stubber(orders.dynamodb) as stub:
        stub.add_client_error("export_table_to_point_in_time", code, "too many")
        with pytest.raises(ProviderError, match=words) as raised:
            export(orders, backup)
    assert type(raised.value) is expected
    assert (raised.value.resource, raised.value.code) == (backup.arn, code)
    assert raised.value.operation == "ExportTableToPointInTime"


def test_the_same_export_with_another_key_is_refused_for_a_while(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    export(orders, backup)
    with pytest.raises(ProviderError, match="after that time") as raised:
        export(orders, backup, kms_key=KEY)
    assert not raised.value.retryable


def test_a_bucket_that_cannot_be_written_to_shows_at_once(orders: DynamoDBWorld) -> None:
    backup = original(orders, f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders")
    with Stubber(orders.s3) as stub:
        stub.add_client_error("put_object", "AccessDenied")
        with pytest.raises(AccessDenied) as raised:
            export(orders, backup)
    assert orders.bucket in raised.value.resource


def test_calls_wait_for_their_pace(orders: DynamoDBWorld) -> None:
    waits: list[str] = []
    for name in ("start", "describe"):
        setattr(orders.exports, f"_{name}_pace", CountingPace(partial(waits.append, name)))
    with moto_s.held():
        exported(orders)
    listed(orders)
    assert waits == ["start", "describe"]


# What plays AWS


def test_moto_s_exports_are_listed_in_pages_newest_first(orders: DynamoDBWorld) -> None:
    made = [exported(orders, SLOT + timedelta(hours=hour)).arn for hour in range(5)]
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = orders.dynamodb.list_exports(
            TableArn=f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders", MaxResults=2, **more
        )
        found += [one["ExportArn"] for one in page["ExportSummaries"]]
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    assert found == sorted(made, reverse=True)


def test_moto_tells_an_export_as_aws_does(orders: DynamoDBWorld) -> None:
    put(orders, *ITEMS)
    made = exported(orders)
    told = orders.dynamodb.describe_export(ExportArn=made.arn)["ExportDescription"]
    assert (told["ExportStatus"], told["ExportTime"], told["ItemCount"]) == ("COMPLETED", SLOT, len(ITEMS))
    assert (told["S3Bucket"], told["S3Prefix"]) == (orders.bucket, name_of(made).prefix)
    assert told["ExportManifest"] == f"{name_of(made).files(id_of(made))}manifest-summary.json"
    with pytest.raises(orders.dynamodb.exceptions.ExportNotFoundException):
        orders.dynamodb.describe_export(ExportArn=f"{made.source}/export/01695097218000-d6299cbd")
