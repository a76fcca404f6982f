"""AWS's work that takes its time, its quotas, and listings that lag: as a function sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from local.weather import dynamodb, ebs, rds
from local.weather.background import Background
from local.weather.calls import CURRENT, Call, Protocol
from local.weather.forecast import CALM, Forecast, Lag, Quotas, Work
from local.weather.layer import Weather

AWAY = "us-west-2"

TAUGHT: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        RDSBackend,
        (
            "create_db_snapshot",
            "copy_db_snapshot",
            "delete_db_snapshot",
            "create_db_cluster_snapshot",
            "copy_db_cluster_snapshot",
            "delete_db_cluster_snapshot",
        ),
    ),
    (RDSResponse, ("describe_db_snapshots", "describe_db_cluster_snapshots")),
    (EBSBackend, ("create_snapshot", "create_snapshots", "copy_snapshot", "delete_snapshot")),
    (ElasticBlockStore, ("describe_snapshots",)),
    (DynamoDBBackend, ("create_backup", "delete_backup")),
    (DynamoHandler, ("list_backups", "export_table_to_point_in_time", "describe_export")),
)


@cache
def client(service: str, region: str = "us-east-1") -> Any:
    """Made once: each takes a while."""
    return boto3.client(service, region_name=region)  # type: ignore[call-overload]


class World:
    """moto with a database, a volume and a table, and a function that calls it."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.rds, self.away = client("rds"), client("rds", AWAY)
        self.ec2, self.ec2_away = client("ec2"), client("ec2", AWAY)
        self.dynamodb = client("dynamodb")
        self.rds.create_db_instance(
            DBInstanceIdentifier="billing", DBInstanceClass="db.t4g.medium", Engine="postgres"
        )
        self.volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        self.dynamodb.create_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self._calls = 0

    @contextmanager
    def a_function(self, operation: str = "anything") -> Iterator[None]:
        """While inside, calls are a function's, each with a number of its own."""
        self._calls += 1
        call = Call(
            service="any",
            region="us-east-1",
            operation=operation,
            subject="",
            protocol=Protocol.QUERY,
            access_key="ASIAFUNCTION",
            nth=self._calls,
        )
        token = CURRENT.set(call)
        try:
            yield
        finally:
            CURRENT.reset(token)

    def snapshot(self, name: str) -> str:
        with self.a_function():
            made = self.rds.create_db_snapshot(DBInstanceIdentifier="billing", DBSnapshotIdentifier=name)
        return str(made["DBSnapshot"]["DBSnapshotArn"])

    def copy(self, arn: str, name: str) -> None:
        with self.a_function():
            self.away.copy_db_snapshot(
                SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier=name, SourceRegion="us-east-1"
            )

    def seen(self, rds: Any = None) -> dict[str, str]:
        """What a function's listing has: the states by name."""
        with self.a_function():
            return self.standing(rds)

    def standing(self, rds: Any = None) -> dict[str, str]:
        """What the house's has."""
        found = (rds or self.rds).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return {one["DBSnapshotIdentifier"]: one["Status"] for one in found}

    def forecast(self, **said: Any) -> None:
        self.weather.change(Forecast(**said))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for owner, names in TAUGHT:
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # their snapshots would all be listed
    weather = Weather(lambda _environ, _start_response: [])
    background = Background(weather)
    for service in (rds, ebs, dynamodb):
        service.teach(background)
    with mock_aws():
        yield World(weather)


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


class TestWork:
    def test_a_snapshot_is_available_when_a_function_has_listed_it_so_often(self, world: World) -> None:
        world.forecast(work={"backup": Work(shortest=3, longest=3)})
        world.snapshot("s")
        assert [world.seen()["s"] for _ in range(4)] == ["creating", "creating", "available", "available"]

    def test_the_houses_listings_move_nothing_on(self, world: World) -> None:
        world.forecast(work={"backup": Work(shortest=2, longest=2)})
        world.snapshot("s")
        assert [world.standing()["s"] for _ in range(5)] == ["creating"] * 5

    def test_it_may_fail_at_the_end(self, world: World) -> None:
        world.forecast(work={"backup": Work(shortest=2, longest=2, failing=1.0)})
        world.snapshot("s")
        assert [world.seen()["s"] for _ in range(2)] == ["creating", "failed"]

    def test_it_may_be_stuck_until_the_weather_is_another(self, world: World) -> None:
        world.forecast(work={"backup": Work(stuck=1.0)})
        world.snapshot("s")
        assert {world.seen()["s"] for _ in range(30)} == {"creating"}
        world.weather.change(CALM)
        assert world.seen()["s"] == "available"

    def test_tables_and_volumes_take_their_time_too(self, world: World) -> None:
        world.forecast(work={"backup": Work(shortest=2, longest=2)})
        with world.a_function():
            backup = world.dynamodb.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]
            made = world.ec2.create_snapshot(VolumeId=world.volume)
        assert (backup["BackupStatus"], made["State"]) == ("CREATING", "pending")
        with world.a_function():
            with pytest.raises(ClientError) as refused:
                world.dynamodb.delete_backup(BackupArn=backup["BackupArn"])
            assert code_of(refused)[0] == "BackupInUseException"
            told = [
                (
                    world.dynamodb.list_backups()["BackupSummaries"][0]["BackupStatus"],
                    world.ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"][0]["State"],
                )
                for _ in range(2)
            ]
        assert told == [("CREATING", "pending"), ("AVAILABLE", "completed")]

    def test_what_is_not_available_can_be_neither_copied_nor_deleted(self, world: World) -> None:
        world.forecast(work={"backup": Work(stuck=1.0)})
        arn = world.snapshot("s")
        with pytest.raises(ClientError) as copied:
            world.copy(arn, "s")
        with world.a_function(), pytest.raises(ClientError) as deleted:
            world.rds.delete_db_snapshot(DBSnapshotIdentifier="s")
        assert [code_of(one)[0] for one in (copied, deleted)] == ["InvalidDBSnapshotState"] * 2

    def test_a_copy_fails_when_its_source_is_deleted_meanwhile(self, world: World) -> None:
        arn = world.snapshot("s")
        world.forecast(work={"copy": Work(shortest=3, longest=3)})
        world.copy(arn, "c")
        assert world.seen(world.away) == {"c": "creating"}
        with world.a_function():
            world.rds.delete_db_snapshot(DBSnapshotIdentifier="s")
        assert world.seen(world.away) == {"c": "failed"}


class TestQuotas:
    def test_both_of_rds_have_one_code_and_differ_by_the_message(self, world: World) -> None:
        arns = [world.snapshot(f"s-{number}") for number in range(3)]
        slow = {"copy": Work(stuck=1.0)}
        world.forecast(work=slow, quotas=Quotas(instance_snapshots=3, rds_copies_in_flight=2))
        for number in range(2):
            world.copy(arns[number], f"c-{number}")
        with pytest.raises(ClientError) as no_slot:
            world.copy(arns[2], "c-2")
        with pytest.raises(ClientError) as no_room:
            world.snapshot("s-3")
        assert code_of(no_slot) == (
            "SnapshotQuotaExceeded",
            "Cannot copy more than 2 snapshots across regions",
        )
        assert code_of(no_room) == ("SnapshotQuotaExceeded", "Cannot create more than 3 manual snapshots")

    def test_those_of_ebs(self, world: World) -> None:
        with world.a_function():
            done = world.ec2.create_snapshot(VolumeId=world.volume)["SnapshotId"]
        slow = Work(stuck=1.0)
        quotas = Quotas(ebs_copies_in_flight=1, ebs_pending_per_volume=1)
        world.forecast(work={"copy": slow, "backup": slow}, quotas=quotas)
        asked = {"SourceRegion": "us-east-1", "SourceSnapshotId": done}
        with world.a_function():
            world.ec2_away.copy_snapshot(**asked)
            pending = world.ec2.create_snapshot(VolumeId=world.volume)["SnapshotId"]
        with world.a_function():
            with pytest.raises(ClientError) as no_slot:
                world.ec2_away.copy_snapshot(**asked)
            with pytest.raises(ClientError) as at_once:
                world.ec2.create_snapshot(VolumeId=world.volume)
        assert code_of(no_slot)[0] == "ResourceLimitExceeded"
        assert code_of(at_once)[0] == "ConcurrentSnapshotLimitExceeded"
        world.forecast()
        with world.a_function(), pytest.raises(ClientError) as too_early:
            world.ec2_away.copy_snapshot(**asked | {"SourceSnapshotId": pending})
        assert code_of(too_early)[0] == "IncorrectState"

    def test_the_house_has_none(self, world: World) -> None:
        world.forecast(quotas=Quotas(instance_snapshots=0))
        world.rds.create_db_snapshot(DBInstanceIdentifier="billing", DBSnapshotIdentifier="by-hand")
        assert world.standing() == {"by-hand": "available"}


class TestLag:
    def test_what_was_just_made_is_missing_from_a_functions_first_listings(self, world: World) -> None:
        world.forecast(lag=Lag(share=1.0, listings=2))
        world.snapshot("s")
        assert world.standing() == {"s": "available"}
        assert [sorted(world.seen()) for _ in range(3)] == [[], [], ["s"]]

    def test_what_was_just_deleted_is_still_in_them(self, world: World) -> None:
        world.snapshot("s")
        world.forecast(lag=Lag(share=1.0, listings=2))
        with world.a_function():
            world.rds.delete_db_snapshot(DBSnapshotIdentifier="s")
        assert world.standing() == {}
        assert [world.seen() for _ in range(3)] == [{"s": "available"}, {"s": "available"}, {}]

    def test_a_sweep_later_the_listings_have_caught_up(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sweeps = [1]
        monkeypatch.setattr(world.weather, "sweep_of", lambda _: sweeps[0])
        world.forecast(lag=Lag(share=1.0, listings=9))
        world.snapshot("s")
        assert world.seen() == {}
        sweeps[0] = 2
        assert world.seen() == {"s": "available"}
