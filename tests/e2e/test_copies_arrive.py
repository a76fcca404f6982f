"""Copies that take their time, slots that are full, and exports that are imported again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local import restore, sweeps
from local.company import COMPANY, TABLES
from local.house import House
from local.nights import SLOTS_BY_HAND, night_by_hand
from local.pace import let_copies_take
from local.sandbox import COPY_REGION
from local.sweeps import Sweep

FIRST = datetime(2026, 6, 10, 2, tzinfo=UTC)
SECOND = datetime(2026, 6, 11, 2, tzinfo=UTC)
CHANGED = {"id": {"S": "orders-0"}, "amount": {"N": "12345"}}
NEW = {"id": {"S": "orders-new"}, "amount": {"N": "1"}}


@pytest.fixture(scope="module")
def nights(house: House) -> Iterator[list[list[Sweep]]]:
    """The copy sweeps of two nights by hand, between which a table has changed."""
    dynamodb = house.cloud.clients("dynamodb")
    before = {
        one: dynamodb.get_item(TableName="orders", Key={"id": {"S": one}})["Item"]
        for one in ("orders-0", "orders-1")
    }
    first = night_by_hand(house, FIRST)
    dynamodb.put_item(TableName="orders", Item=CHANGED)
    dynamodb.put_item(TableName="orders", Item=NEW)
    dynamodb.delete_item(TableName="orders", Key={"id": {"S": "orders-1"}})
    yield [first, night_by_hand(house, SECOND)]
    dynamodb.delete_item(TableName="orders", Key={"id": NEW["id"]})
    for item in before.values():
        dynamodb.put_item(TableName="orders", Item=item)


def test_what_was_deferred_comes_in_later_sweeps(nights: list[list[Sweep]]) -> None:
    for told in nights:
        assert sweeps.differences(told, SLOTS_BY_HAND) == []
        assert len(told[0].names("deferred")) == sum(one.is_protected for one in COMPANY) - 3
        assert told[0].most_at_once == 1
        assert "no copy slot of us-west-2 is free" in told[0].reasons["deferred"]


def test_each_kind_stands_in_the_other_region(house: House, nights: list[list[Sweep]]) -> None:
    there = [one for one in house.standing() if one.region == COPY_REGION and one.slot == SECOND]
    assert {(one.kind, one.name) for one in there} == {
        (one.kind, one.name) for one in COMPANY if one.is_protected
    }
    assert all(one.whole for one in there)
    assert {one.kind for one in there if one.base == FIRST} == {"dynamodb"}


def test_a_night_by_hand_leaves_the_plan_and_the_pace_as_they_were(
    house: House, nights: list[list[Sweep]]
) -> None:
    (rule,) = house.default_plan()["copies"]
    assert rule["slots"] == 20
    assert status_of_a_copy(house, times=0) == ["available"]


def test_the_newest_export_is_imported_with_equal_items(house: House, nights: list[list[Sweep]]) -> None:
    found = [one for one in house.standing() if one.slot in (FIRST, SECOND)]
    for table in TABLES:
        told = restore.restore_newest(house.cloud.clients, house.copy_bucket, found, table.name)
        delete_table(house, f"{table.name}-restored")
        assert (told.slot, list(told.made_of), told.items) == (SECOND, [FIRST, SECOND], table.items)
        assert told.unequal == []


def test_an_item_that_differs_is_named(house: House, nights: list[list[Sweep]]) -> None:
    """The first night's export is of before the changes."""
    found = [one for one in house.standing() if one.slot == FIRST]
    told = restore.restore_newest(house.cloud.clients, house.copy_bucket, found, "orders")
    delete_table(house, "orders-restored")
    assert told.unequal == ["orders-0", "orders-1", "orders-new"]


def test_changes_without_what_they_stand_on_are_not_imported(house: House, nights: list[list[Sweep]]) -> None:
    found = [one for one in house.standing() if one.slot == SECOND]
    with pytest.raises(restore.RestoreError, match="no export of orders of 2026-06-10"):
        restore.restore_newest(house.cloud.clients, house.copy_bucket, found, "orders")
    with pytest.raises(restore.RestoreError, match="no export of sessions"):
        restore.restore_newest(house.cloud.clients, house.copy_bucket, found, "sessions")


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_copy_takes_as_many_listings_as_it_was_told_to(house: House, times: int) -> None:
    assert status_of_a_copy(house, times) == ["creating"] * times + ["available"]
    # The answer to this call tells no state.
    assert status_of_a_volumes_copy(house, times) == ["pending"] * (times - 1) + ["completed"]
    assert status_of_an_export(house, times) == ["IN_PROGRESS"] * max(times, 1) + ["COMPLETED"]


def status_of_a_copy(house: House, times: int) -> list[str]:
    """What is told of an instance's copy: first in the answer to the call, then by listings."""
    here, there = (house.cloud.clients("rds", region) for region in ("us-east-1", COPY_REGION))
    (source,) = here.describe_db_snapshots(DBSnapshotIdentifier="billing-before-upgrade")["DBSnapshots"]
    told = [
        slowly(
            house,
            times,
            lambda: there.copy_db_snapshot(
                SourceDBSnapshotIdentifier=source["DBSnapshotArn"],
                TargetDBSnapshotIdentifier="slow",
                KmsKeyId=house.copy_key,
            )["DBSnapshot"]["Status"],
        )
    ]
    for _ in range(times):
        (snapshot,) = there.describe_db_snapshots(DBSnapshotIdentifier="slow")["DBSnapshots"]
        told.append(snapshot["Status"])
    there.delete_db_snapshot(DBSnapshotIdentifier="slow")
    return told


def status_of_a_volumes_copy(house: House, times: int) -> list[str]:
    here, there = (house.cloud.clients("ec2", region) for region in ("us-east-1", COPY_REGION))
    volume = here.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    source = here.create_snapshot(VolumeId=volume)["SnapshotId"]
    copy = slowly(
        house,
        times,
        lambda: there.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=source)["SnapshotId"],
    )
    told = [
        there.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["State"] for _ in range(max(times, 1))
    ]
    there.delete_snapshot(SnapshotId=copy)
    here.delete_snapshot(SnapshotId=source)
    here.delete_volume(VolumeId=volume)
    return told


def status_of_an_export(house: House, times: int) -> list[str]:
    dynamodb = house.cloud.clients("dynamodb")
    table = dynamodb.describe_table(TableName="customers")["Table"]["TableArn"]
    asked = {"TableArn": table, "S3Bucket": house.copy_bucket, "S3Prefix": f"slow-{times}"}
    told = slowly(house, times, lambda: dynamodb.export_table_to_point_in_time(**asked)["ExportDescription"])
    arn = told["ExportArn"]
    states = [
        dynamodb.describe_export(ExportArn=arn)["ExportDescription"]["ExportStatus"]
        for _ in range(max(times, 1))
    ]
    s3 = house.cloud.clients("s3", COPY_REGION)
    for one in s3.list_objects_v2(Bucket=house.copy_bucket, Prefix=asked["S3Prefix"])["Contents"]:
        s3.delete_object(Bucket=house.copy_bucket, Key=one["Key"])
    return [told["ExportStatus"], *states]


def slowly(house: House, times: int, call: Any) -> Any:
    """The answer of a call that is made while copies take so many listings. moto reads the pace whenever it
    is asked, so it stays so until the next one."""
    let_copies_take(house.cloud.moto.url, times)
    return call()


@pytest.fixture(autouse=True)
def usual_pace(house: House) -> Iterator[None]:
    yield
    let_copies_take(house.cloud.moto.url, 0)


def delete_table(house: House, name: str) -> None:
    house.cloud.clients("dynamodb", COPY_REGION).delete_table(TableName=name)


def test_what_stands_in_the_copy_region_is_what_its_template_says(house: House) -> None:
    kms, s3 = (house.cloud.clients(service, COPY_REGION) for service in ("kms", "s3"))
    bucket = {"Bucket": house.copy_bucket}
    rules = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_location(**bucket)["LocationConstraint"] == COPY_REGION
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    assert [one["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] for one in rules] == [house.copy_key]
    assert kms.describe_key(KeyId="alias/holdfast-copies")["KeyMetadata"]["Arn"] == house.copy_key


class TestTheCheckOfTheSweeps:
    """It finds what is wrong: it would be worth nothing otherwise."""

    def sweep(self, status: str = "partial", **by_state: list[tuple[str, str]]) -> Sweep:
        return Sweep(status=status, by_state=by_state, reasons={})

    def good(self) -> list[Sweep]:
        first, second = ("rds", "billing"), ("aurora", "ledger")
        return [
            self.sweep(pending=[first], deferred=[second]),
            self.sweep(done=[first], pending=[second]),
            self.sweep("ok", done=[first, second]),
        ]

    def test_nothing_is_found_when_all_is_well(self) -> None:
        assert sweeps.differences(self.good(), 1) == []

    def test_every_difference_is_named(self) -> None:
        first, *rest = self.good()
        everything = [("rds", "billing"), ("aurora", "ledger")]
        for spoilt, said in (
            ([self.sweep(pending=[("rds", "billing")]), *rest], "deferred no copy"),
            ([first, self.sweep(pending=everything), rest[-1]], "sweep 2: 2 copies of a service at once"),
            ([first, rest[0], self.sweep("ok", done=[("rds", "billing")])], "aurora ledger: its copy was"),
            ([first, rest[0], replace(rest[-1], status="partial")], "the last sweep says partial"),
        ):
            assert any(said in one for one in sweeps.differences(spoilt, 1)), said
