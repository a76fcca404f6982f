"""The fake cloud's laws and knobs, which the contract does not reach."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.core.errors import NoAnswer, NotReady, ProviderError, QuotaReached, Throttled
from holdfast.core.model import Backup, BackupState, CopySettings, Mark, Resource
from tests.fakes import AWAY, HOME, Call, FakeCloud, FakeProvider

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def rds(cloud: FakeCloud) -> FakeProvider:
    return FakeProvider(cloud, "rds")


def mark_of(resource: Resource, day: int = 0) -> Mark:
    slot = SLOT + timedelta(days=day)
    return Mark(stack="holdfast", plan="nightly", slot=slot, source=resource.arn)


def copy(rds: FakeProvider, backup: Backup, key: str = "") -> Backup:
    assert backup.mark is not None
    return rds.copy(backup, AWAY, replace(backup.mark, copy_of=backup.arn), CopySettings(kms_key=key))


def test_a_backup_becomes_available_after_so_many_listings(cloud: FakeCloud, rds: FakeProvider) -> None:
    cloud.listings_until_available = 2
    orders = cloud.add_resource("rds", "orders")
    assert rds.create(orders, mark_of(orders)).state is BackupState.CREATING
    states = [rds.backups(HOME)[0].state for _ in range(4)]
    assert states == [BackupState.CREATING] * 2 + [BackupState.AVAILABLE] * 2


def test_a_state_that_a_test_set_stays(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    put = cloud.add_backup(orders.arn, "by-hand", state=BackupState.CREATING)
    assert [rds.backups(HOME)[0].state for _ in range(3)] == [BackupState.CREATING] * 3
    cloud.set_backup_state(put.arn, BackupState.FAILED)
    assert rds.backups(HOME)[0].state is BackupState.FAILED


def test_errors_come_on_the_calls_that_were_named(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    cloud.fail("create", orders.arn, Throttled, on_call=2, times=2)
    rds.create(orders, mark_of(orders))
    for day in (1, 2):
        with pytest.raises(Throttled):
            rds.create(orders, mark_of(orders, day))
    rds.create(orders, mark_of(orders, 3))
    assert len(cloud.standing()) == 2
    assert len(cloud.writes) == 4


def test_an_answer_can_be_lost_after_the_work_is_done(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    cloud.fail("create", orders.arn, NoAnswer, after_effect=True)
    with pytest.raises(NoAnswer):
        rds.create(orders, mark_of(orders))
    assert [one.mark for one in cloud.standing("rds", HOME, orders.arn)] == [mark_of(orders)]


def test_only_what_would_change_something_is_a_write(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    rds.backups(HOME)
    made = rds.create(orders, mark_of(orders))
    rds.delete(made)
    assert cloud.writes == [
        Call("create", "rds", HOME, orders.arn),
        Call("delete", "rds", HOME, made.arn),
    ]
    assert len(cloud.calls) == 3


def test_an_unready_resource_takes_no_backup(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders", unready="it is being created", transient=True)
    with pytest.raises(NotReady):
        rds.create(orders, mark_of(orders))
    cloud.set_state(orders.arn)
    assert rds.create(orders, mark_of(orders)).state is BackupState.AVAILABLE


def test_what_is_being_made_can_neither_be_copied_nor_deleted(cloud: FakeCloud, rds: FakeProvider) -> None:
    cloud.listings_until_available = 1
    orders = cloud.add_resource("rds", "orders")
    made = rds.create(orders, mark_of(orders))
    with pytest.raises(NotReady):
        copy(rds, made)
    with pytest.raises(NotReady):
        rds.delete(made)


def test_a_destination_takes_so_many_copies_at_a_time(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    made = [rds.create(orders, mark_of(orders, day)) for day in range(3)]
    cloud.listings_until_available, cloud.copy_slots = 1, 2
    copy(rds, made[0])
    copy(rds, made[1])
    with pytest.raises(Throttled):
        copy(rds, made[2])
    for _ in range(2):
        rds.backups(AWAY)
    copy(rds, made[2])


def test_deleting_a_source_breaks_the_copy_that_runs(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders")
    made = rds.create(orders, mark_of(orders))
    cloud.listings_until_available = 3
    copy(rds, made)
    rds.delete(made)
    assert rds.backups(AWAY)[0].state is BackupState.FAILED


def test_a_region_holds_so_many_snapshots(cloud: FakeCloud, rds: FakeProvider) -> None:
    cloud.quota = 1
    orders = cloud.add_resource("rds", "orders")
    rds.create(orders, mark_of(orders))
    with pytest.raises(QuotaReached):
        rds.create(orders, mark_of(orders, 1))


def test_keys_of_copies_follow_rds_s_rules(cloud: FakeCloud, rds: FakeProvider) -> None:
    secret = cloud.add_resource("rds", "secret", encrypted=True)
    with pytest.raises(ProviderError, match="no key"):
        copy(rds, rds.create(secret, mark_of(secret)))
    plain = cloud.add_resource("rds", "plain")
    assert copy(rds, rds.create(plain, mark_of(plain)), key="arn:aws:kms:x").encrypted
    aurora = FakeProvider(cloud, "aurora")
    cluster = cloud.add_resource("aurora", "plain")
    with pytest.raises(ProviderError, match="not encrypted"):
        copy(aurora, aurora.create(cluster, mark_of(cluster)), key="arn:aws:kms:x")


def test_dynamodb_tells_a_table_s_id_with_its_backups_and_not_with_the_table(cloud: FakeCloud) -> None:
    tables = FakeProvider(cloud, "dynamodb")
    orders = cloud.add_resource("dynamodb", "orders", resource_id="ID1")
    made = tables.create(orders, mark_of(orders))
    assert (orders.resource_id, made.resource_id) == ("", "ID1")
    assert copy(tables, made).resource_id == "ID1"
    cloud.remove_resource(orders.arn)
    again = cloud.add_resource("dynamodb", "orders", resource_id="ID2")
    assert tables.create(again, mark_of(again, 1)).resource_id == "ID2"


def test_a_snapshot_has_the_database_s_id_from_its_tags_alone(cloud: FakeCloud, rds: FakeProvider) -> None:
    orders = cloud.add_resource("rds", "orders", resource_id="ID1")
    assert orders.resource_id == "ID1"
    assert rds.create(orders, mark_of(orders)).resource_id == ""
    assert rds.create(orders, replace(mark_of(orders, 1), resource_id="ID1")).resource_id == "ID1"
