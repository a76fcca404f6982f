"""Restoring RDS instances and clusters: what comes back, what is told of what does not, and what is never
touched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, RDSBackend, rds_backends

from holdfast.adapters.aurora_restore import AuroraRestorer, member_name
from holdfast.adapters.rds_common import RdsRegions
from holdfast.adapters.rds_restore import RdsRestorer
from holdfast.adapters.rds_restore_common import PATIENCE, RdsApiRestorer, phase_of
from holdfast.core.errors import (
    AlreadyExists,
    KeyUnusable,
    NotReady,
    QuotaReached,
    Unprepared,
)
from holdfast.core.model import CopySettings, Mark
from holdfast.core.restoring import (
    Configuration,
    Fate,
    Filled,
    Found,
    Json,
    Phase,
    Pick,
    Piece,
    Restore,
    RestoreRequest,
    RestoreState,
    SettingOutcome,
    Settings,
    Settled,
    Target,
    Wanted,
    Way,
    restore_from_dict,
    restore_to_dict,
)
from holdfast.core.settling import compare
from holdfast.ports import ResourceQuery, RestorePorts
from holdfast.usecases.restore import restore
from local import databases as moto_s_databases
from tests.contract.kinds import AuroraWorld, RdsWorld
from tests.fakes import ACCOUNT, AWAY, HOME, FakeSettings

REQUEST = "r-1"
READS = ("Describe", "List")
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@pytest.fixture
def taught(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto with what restores need, in these tests alone."""
    for name in dir(RDSBackend):
        if name.startswith(("restore_db", "describe_db_cluster_snap", "create_db_", "modify_db_")):
            monkeypatch.setattr(RDSBackend, name, getattr(RDSBackend, name))
    moto_s_databases.teach()


@dataclass
class Bench:
    """A world with a restorer, and every call that changes something."""

    world: RdsWorld
    restorer: RdsApiRestorer
    time: datetime = NOW
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def record(self) -> "Bench":
        for client in (self.world.rds, self.world.rds_away):
            client.meta.events.register("provide-client-params.rds", self._note)
        return self

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if not model.name.startswith(READS):
            self.writes.append((model.name, dict(params)))

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.writes if name == operation]

    def target(self, source: str, name: str = "orders-again", region: str = HOME) -> Target:
        return Target(kind=self.restorer.kind, name=name, region=region, source=source, request=REQUEST)

    def known(self, source: str) -> Configuration:
        known = self.restorer.configuration(source)
        assert known is not None
        return known

    def settle(self, target: Target, wanted: Wanted, most: int = 6) -> Settled:
        """Settle until nothing is under way."""
        pending = ""
        for _ in range(most):
            found = self.restorer.look(target)
            assert found is not None
            settled = self.restorer.settle(target, found, wanted)
            if not settled.pending:
                return settled
            pending = settled.pending
        raise AssertionError(f"still under way: {pending}")

    def restored(
        self, pick: Pick, target: Target, given: Settings | None = None, *, source_known: bool = True
    ) -> dict[str, SettingOutcome]:
        """Restore whole, and compare as people are told."""
        known = self.known(target.source) if source_known else None
        wanted = Wanted(known=known.settings if known else {}, given=given or {})
        self.restorer.begin(pick, target, wanted)
        settled = self.settle(target, wanted)
        found = self.restorer.look(target)
        assert found is not None
        has = self.known(found.arn)
        return {one.name: one for one in compare(known, has, wanted.given, settled.problems)}


def not_restored(outcomes: Mapping[str, SettingOutcome]) -> dict[str, str]:
    return {name: one.reason for name, one in outcomes.items() if one.fate is not Fate.RESTORED}


def backup_of(arn: str, region: str = HOME) -> Pick:
    piece = Piece(arn=arn, id=arn.rsplit(":", 1)[1], place=region)
    return Pick(way=Way.BACKUP, instant=None, reason="a test", pieces=(piece,))


def instant(at: datetime | None = None) -> Pick:
    return Pick(way=Way.INSTANT, instant=at, reason="a test")


@pytest.fixture
def instances(taught: None, rds: RdsWorld) -> Bench:
    bench = Bench(rds, RdsRestorer(regions=rds.regions))
    bench.restorer = RdsRestorer(regions=rds.regions, clock=lambda: bench.time)
    return bench.record()


@pytest.fixture
def clusters(taught: None, aurora: AuroraWorld) -> Bench:
    bench = Bench(aurora, AuroraRestorer(regions=aurora.regions))
    bench.restorer = AuroraRestorer(regions=aurora.regions, clock=lambda: bench.time)
    return bench.record()


def network(region: str, group: str = "inner") -> tuple[str, str]:
    """A subnet group and a security group of a VPC of its own."""
    ec2: Any = ec2_backends[ACCOUNT][region]
    vpc = ec2.create_vpc("10.7.0.0/16").id
    subnets = [
        ec2.create_subnet(vpc, f"10.7.{number}.0/24", availability_zone=f"{region}{zone}")
        for number, zone in enumerate("ab")
    ]
    backend(region).create_subnet_group(group, "inner", subnets, tags=[])
    return group, str(ec2.create_security_group(f"{group}-sg", "inner", vpc_id=vpc).id)


def rich_instance(bench: Bench, **more: Any) -> str:
    """An instance with much that a restore does not bring back."""
    group, security = network(HOME)
    bench.world.rds.create_db_parameter_group(
        DBParameterGroupName="tuned", DBParameterGroupFamily="postgres16", Description="d"
    )
    asked = {
        "DBInstanceIdentifier": "orders",
        "Engine": "postgres",
        "EngineVersion": "16.3",
        "DBInstanceClass": "db.m7g.large",
        "AllocatedStorage": 500,
        "StorageType": "io1",
        "Iops": 5000,
        "MasterUsername": "owner",
        "MasterUserPassword": "not-a-secret",
        "DBSubnetGroupName": group,
        "VpcSecurityGroupIds": [security],
        "DBParameterGroupName": "tuned",
        "MultiAZ": True,
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
        "MaxAllocatedStorage": 1000,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "PubliclyAccessible": False,
        "EnableIAMDatabaseAuthentication": True,
        "EnableCloudwatchLogsExports": ["upgrade", "postgresql"],
        "AutoMinorVersionUpgrade": False,
        "Port": 5433,
        "EnablePerformanceInsights": True,
        "MonitoringInterval": 30,
        "MonitoringRoleArn": f"arn:aws:iam::{ACCOUNT}:role/watcher",
        "CACertificateIdentifier": "rds-ca-ecc384-g1",
        "Tags": [{"Key": "team", "Value": "shop"}, {"Key": "holdfast:plan", "Value": "nightly"}],
    }
    return str(bench.world.rds.create_db_instance(**{**asked, **more})["DBInstance"]["DBInstanceArn"])


def snapshot(bench: Bench, source: str = "orders", name: str = "orders-night") -> str:
    if isinstance(bench.world, AuroraWorld):
        made = bench.world.rds.create_db_cluster_snapshot(
            DBClusterIdentifier=source, DBClusterSnapshotIdentifier=name
        )["DBClusterSnapshot"]["DBClusterSnapshotArn"]
    else:
        made = bench.world.rds.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier=name)[
            "DBSnapshot"
        ]["DBSnapshotArn"]
    return str(made)


def copied(bench: Bench, arn: str) -> str:
    """The snapshot's copy in the other Region."""
    name = arn.rsplit(":", 1)[1]
    if isinstance(bench.world, AuroraWorld):
        made = bench.world.rds_away.copy_db_cluster_snapshot(
            SourceDBClusterSnapshotIdentifier=arn, TargetDBClusterSnapshotIdentifier=name
        )["DBClusterSnapshot"]["DBClusterSnapshotArn"]
    else:
        made = bench.world.rds_away.copy_db_snapshot(
            SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier=name
        )["DBSnapshot"]["DBSnapshotArn"]
    return str(made)


def rich_cluster(bench: Bench, members: int = 2, **more: Any) -> str:
    group, security = network(HOME)
    rds = bench.world.rds
    asked = {
        "DBClusterIdentifier": "orders",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.4",
        "MasterUsername": "owner",
        "MasterUserPassword": "not-a-secret",
        "DBSubnetGroupName": group,
        "VpcSecurityGroupIds": [security],
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "EnableIAMDatabaseAuthentication": True,
        "EnableCloudwatchLogsExports": ["postgresql"],
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8},
        "Port": 5433,
        "Tags": [{"Key": "team", "Value": "shop"}],
    }
    made = rds.create_db_cluster(**{**asked, **more})["DBCluster"]
    for number in range(members):
        rds.create_db_instance(
            DBInstanceIdentifier=f"orders-{'writer' if number == 0 else f'a-reader-{number}'}",
            DBClusterIdentifier="orders",
            Engine=asked["Engine"],
            DBInstanceClass="db.r7g.large" if number == 0 else "db.serverless",
            PromotionTier=number,
            Tags=[{"Key": "number", "Value": str(number)}],
        )
    return str(made["DBClusterArn"])


def backend(region: str = HOME) -> RDSBackend:
    return rds_backends[ACCOUNT][region]


# --- instances ---------------------------------------------------------------------------------------------


def test_an_instance_comes_back_from_a_snapshot_with_all_of_its_settings(instances: Bench) -> None:
    source = rich_instance(instances)
    outcomes = instances.restored(backup_of(snapshot(instances)), instances.target(source))
    assert not_restored(outcomes) == {}
    assert {name: one.restored for name, one in outcomes.items() if name in EXPECTED} == EXPECTED


EXPECTED: dict[str, Json] = {
    "DBInstanceClass": "db.m7g.large",
    "DBParameterGroupName": "tuned",
    "DBSubnetGroupName": "inner",
    "MultiAZ": True,
    "Iops": 5000,
    "MaxAllocatedStorage": 1000,
    "DeletionProtection": True,
    "BackupRetentionPeriod": 14,
    "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
    "EnableIAMDatabaseAuthentication": True,
    "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
    "PerformanceInsightsEnabled": True,
    "MonitoringInterval": 30,
    "Port": 5433,
    "Tags": {"holdfast:plan": "nightly", "team": "shop"},
}


@pytest.mark.long
def test_all_that_can_be_said_when_it_is_made_is(instances: Bench) -> None:
    source = rich_instance(instances)
    instances.restored(backup_of(snapshot(instances)), instances.target(source))
    [asked] = instances.calls("RestoreDBInstanceFromDBSnapshot")
    assert {"Key": "holdfast:restore", "Value": REQUEST} in asked["Tags"]
    assert asked["VpcSecurityGroupIds"]
    assert asked["DBSubnetGroupName"] == "inner"
    assert asked["PubliclyAccessible"] is False
    assert "DeletionProtection" not in asked  # what fails half way must be easy to take away
    assert len(instances.calls("ModifyDBInstance")) == 1


@pytest.mark.long
def test_settling_again_changes_nothing(instances: Bench) -> None:
    source = rich_instance(instances)
    target = instances.target(source)
    instances.restored(backup_of(snapshot(instances)), target)
    instances.writes.clear()
    instances.settle(target, Wanted(known=instances.known(source).settings))
    assert instances.writes == []


@pytest.mark.long
@pytest.mark.parametrize("at", [None, NOW])
def test_an_instance_comes_back_as_it_was_at_an_instant(instances: Bench, at: datetime | None) -> None:
    source = rich_instance(instances)
    assert not_restored(instances.restored(instant(at), instances.target(source))) == {}
    [asked] = instances.calls("RestoreDBInstanceToPointInTime")
    assert asked["SourceDBInstanceIdentifier"] == "orders"
    assert (asked.get("RestoreTime"), asked.get("UseLatestRestorableTime")) == (at, None if at else True)


def test_another_region_takes_its_own_defaults_and_is_told_what_to_give(instances: Bench) -> None:
    source = rich_instance(instances, DBParameterGroupName="tuned")
    copy = copied(instances, snapshot(instances))
    outcomes = instances.restored(backup_of(copy, AWAY), instances.target(source, region=AWAY))
    told = f"it is of {HOME}: give settings.{{}} of {AWAY}"
    lost = ("DBParameterGroupName", "DBSubnetGroupName", "VpcSecurityGroupIds")
    assert not_restored(outcomes) == {name: told.format(name) for name in lost}
    [asked] = instances.calls("RestoreDBInstanceFromDBSnapshot")
    assert asked.keys().isdisjoint(lost)


@pytest.mark.long
def test_another_region_takes_what_is_given(instances: Bench) -> None:
    source = rich_instance(instances)
    group, security = network(AWAY, "outer")
    instances.world.rds_away.create_db_parameter_group(
        DBParameterGroupName="tuned-away", DBParameterGroupFamily="postgres16", Description="d"
    )
    copy = copied(instances, snapshot(instances))
    given: dict[str, Json] = {
        "DBSubnetGroupName": group,
        "VpcSecurityGroupIds": [security],
        "DBParameterGroupName": "tuned-away",
        "DBInstanceClass": "db.m7g.xlarge",
        "DeletionProtection": False,
    }
    outcomes = instances.restored(backup_of(copy, AWAY), instances.target(source, region=AWAY), given)
    assert {name: outcomes[name].fate for name in given} == dict.fromkeys(given, Fate.CHANGED)
    assert not_restored(outcomes).keys() == given.keys()


@pytest.mark.long
def test_a_source_that_is_gone_is_restored_as_its_backup_has_it(instances: Bench) -> None:
    source = rich_instance(instances, DeletionProtection=False)
    pick = backup_of(snapshot(instances))
    instances.world.rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    assert instances.restorer.configuration(source) is None
    assert instances.restorer.window(source) is None
    instances.restored(pick, instances.target(source), {"BackupRetentionPeriod": 3}, source_known=False)
    found = instances.restorer.look(instances.target(source))
    assert found is not None
    assert found.request == REQUEST
    assert instances.known(found.arn).settings["BackupRetentionPeriod"] == 3


@pytest.mark.long
def test_the_base_speed_of_gp3_is_not_said(instances: Bench) -> None:
    """RDS refuses it of a small volume, and tells it of one all the same."""
    source = rich_instance(instances, StorageType="gp3", Iops=3000, StorageThroughput=125)
    instances.restored(backup_of(snapshot(instances)), instances.target(source))
    [asked] = instances.calls("RestoreDBInstanceFromDBSnapshot")
    assert asked["StorageType"] == "gp3"
    assert not {"Iops", "StorageThroughput"} & asked.keys()


@pytest.mark.long
def test_storage_that_grew_since_the_backup_is_told(instances: Bench) -> None:
    source = rich_instance(instances)
    pick = backup_of(snapshot(instances))
    instances.world.rds.modify_db_instance(DBInstanceIdentifier="orders", AllocatedStorage=600)
    outcomes = instances.restored(pick, instances.target(source))
    assert "give settings.AllocatedStorage" in outcomes["AllocatedStorage"].reason
    assert outcomes["AllocatedStorage"].fate is Fate.NOT_POSSIBLE


@pytest.mark.long
def test_what_cannot_be_changed_says_why(instances: Bench) -> None:
    """Its key, and a version that the source got since."""
    source = rich_instance(instances)
    pick = backup_of(snapshot(instances))
    instances.world.rds.modify_db_instance(DBInstanceIdentifier="orders", EngineVersion="16.4")
    outcomes = instances.restored(pick, instances.target(source))
    assert not_restored(outcomes) == {"EngineVersion": "it is the backup's: upgrade it by hand"}


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rds", "aurora"])
def test_a_name_that_is_taken_is_told_and_left_alone(kind: str, request: pytest.FixtureRequest) -> None:
    bench: Bench = request.getfixturevalue("clusters" if kind == "aurora" else "instances")
    source = rich_cluster(bench) if kind == "aurora" else rich_instance(bench)
    other = bench.world.add_resource("orders-again")
    target = bench.target(source)
    wanted = Wanted(known=bench.known(source).settings)
    pick = backup_of(snapshot(bench))
    bench.writes.clear()
    with pytest.raises(AlreadyExists):
        bench.restorer.begin(pick, target, wanted)
    found = bench.restorer.look(target)
    assert found is not None
    assert (found.arn, found.request) == (other, "")
    settled = bench.restorer.settle(target, found, wanted)
    assert settled.problems.keys() == {"Tags"}
    assert [name for name, _ in bench.writes if not name.startswith("Restore")] == []


def test_another_restores_thing_is_never_changed(instances: Bench) -> None:
    source = rich_instance(instances)
    target = instances.target(source)
    wanted = Wanted(known=instances.known(source).settings)
    instances.restorer.begin(backup_of(snapshot(instances)), replace(target, request="r-0"), wanted)
    instances.writes.clear()
    found = instances.restorer.look(target)
    assert found is not None
    assert found.request == "r-0"
    instances.restorer.settle(target, found, wanted)
    assert instances.writes == []


def refusing(code: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RDSClientError(code, "RDS says no")

    return refuse


class Refusing:
    """A client that answers one snapshot, and every restore with an error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            if name.startswith("describe"):
                return {"DBClusterSnapshots": [{"Engine": "aurora-mysql", "EngineVersion": "8.0"}]}
            error: Any = {"Error": {"Code": self._code, "Message": "RDS says no"}}
            raise ClientError(error, name)

        return call


def regions(code: str = "") -> RdsRegions:
    client: Any = Refusing(code)
    return RdsRegions(clients=lambda _: client, home=HOME, account=ACCOUNT, calls_per_second=1000.0)


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("InstanceQuotaExceeded", QuotaReached, "RDS says no"),
        ("StorageQuotaExceeded", QuotaReached, "RDS says no"),
        ("KMSKeyNotAccessibleFault", KeyUnusable, "RDS says no"),
        ("DBSubnetGroupNotFoundFault", Unprepared, "give settings.DBSubnetGroupName"),
        ("DBParameterGroupNotFound", Unprepared, "give settings.DBParameterGroupName"),
        ("OptionGroupNotFoundFault", Unprepared, "give settings.OptionGroupName"),
        ("InvalidVPCNetworkStateFault", Unprepared, "give settings.DBSubnetGroupName"),
        ("InvalidSubnet", Unprepared, "give settings.DBSubnetGroupName"),
        ("InsufficientDBInstanceCapacity", Unprepared, "give settings.DBInstanceClass"),
        ("PointInTimeRestoreNotEnabled", Unprepared, "give a backup"),
        ("InvalidDBSnapshotState", NotReady, "RDS says no"),
        ("DBInstanceAlreadyExists", AlreadyExists, "RDS says no"),
        ("DBClusterAlreadyExistsFault", AlreadyExists, "RDS says no"),
        ("DBClusterQuotaExceededFault", QuotaReached, "RDS says no"),
        ("DBClusterParameterGroupNotFound", Unprepared, "give settings.DBClusterParameterGroupName"),
        ("InsufficientDBClusterCapacityFault", Unprepared, "give settings.DBClusterInstanceClass"),
    ],
)
@pytest.mark.parametrize("way", ["a backup", "an instant"])
def test_a_refused_restore_says_what_to_do(way: str, code: str, error: type[Exception], says: str) -> None:
    restorer: type[RdsApiRestorer] = AuroraRestorer if "Cluster" in code else RdsRestorer
    pick = instant() if way == "an instant" else backup_of(f"arn:aws:rds:{AWAY}:{ACCOUNT}:snapshot:night")
    source = f"arn:aws:rds:{HOME}:{ACCOUNT}:db:orders"
    target = Target(kind="rds", name="again", region=HOME, source=source, request=REQUEST)
    with pytest.raises(error, match=says):
        restorer(regions=regions(code)).begin(pick, target, Wanted())


def test_one_refused_setting_stops_no_other(instances: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = rich_instance(instances)
    modify = RDSBackend.modify_db_instance

    def refuse_one(self: RDSBackend, name: str, asked: dict[str, Any]) -> DBInstance:
        if "monitoring_interval" in asked:
            raise RDSClientError("InvalidParameterValue", "no such role")
        return modify(self, name, asked)

    monkeypatch.setattr(RDSBackend, "modify_db_instance", refuse_one)
    outcomes = instances.restored(backup_of(snapshot(instances)), instances.target(source))
    said = "RDS refused it: InvalidParameterValue: no such role"
    assert not_restored(outcomes) == dict.fromkeys(("MonitoringInterval", "MonitoringRoleArn"), said)
    assert outcomes["DeletionProtection"].restored is True


@pytest.mark.long
def test_what_may_pass_by_itself_is_raised(instances: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = rich_instance(instances)
    target, wanted = instances.target(source), Wanted(known=instances.known(source).settings)
    instances.restorer.begin(backup_of(snapshot(instances)), target, wanted)
    monkeypatch.setattr(RDSBackend, "modify_db_instance", refusing("InvalidDBInstanceState"))
    found = instances.restorer.look(target)
    assert found is not None
    with pytest.raises(NotReady):
        instances.restorer.settle(target, found, wanted)


# --- waiting -----------------------------------------------------------------------------------------------


@pytest.fixture
def begun(instances: Bench) -> tuple[Bench, Target, Found, Wanted]:
    """A plain restore that stands, and its database in moto."""
    source = instances.world.add_resource("orders")
    target, wanted = instances.target(source), Wanted(known=instances.known(source).settings)
    instances.restorer.begin(backup_of(snapshot(instances)), target, wanted)
    instances.settle(target, wanted)
    found = instances.restorer.look(target)
    assert found is not None
    instances.writes.clear()
    return instances, target, found, wanted


type Begun = tuple[Bench, Target, Found, Wanted]


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("available", Phase.READY),
        ("storage-optimization", Phase.READY),
        ("creating", Phase.MAKING),
        ("backing-up", Phase.MAKING),
        ("configuring-enhanced-monitoring", Phase.MAKING),
        ("rebooting", Phase.MAKING),
        ("a-word-that-rds-has-tomorrow", Phase.MAKING),
        ("failed", Phase.FAILED),
        ("incompatible-network", Phase.FAILED),
        ("inaccessible-encryption-credentials-recoverable", Phase.FAILED),
        ("restore-error", Phase.FAILED),
        ("storage-full", Phase.FAILED),
    ],
)
def test_phases_are_of_rds_s_words(status: str, phase: Phase) -> None:
    assert phase_of(status) is phase


@pytest.mark.long
def test_a_database_that_rds_works_on_is_waited_for(begun: Begun) -> None:
    bench, target, found, _ = begun
    backend().databases[target.name].status = "modifying"
    look = bench.restorer.look(target)
    assert look is not None
    assert (look.phase, look.text) == (Phase.MAKING, "modifying")
    assert "modifying" in bench.restorer.settle(target, found, Wanted(given={"Port": 1})).pending
    assert bench.writes == []


@pytest.mark.long
def test_pending_values_are_waited_for_an_hour_at_most(begun: Begun) -> None:
    bench, target, found, wanted = begun
    database: Any = backend().databases[target.name]
    database.pending_modified_values = {"CACertificateIdentifier": "rds-ca-rsa2048-g1"}
    assert "CACertificateIdentifier" in bench.restorer.settle(target, found, wanted).pending
    bench.time += PATIENCE + timedelta(minutes=1)
    assert bench.restorer.settle(target, found, wanted).pending == ""


def test_what_rds_takes_and_never_does_is_told_in_the_end(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, target, found, wanted = begun
    monkeypatch.setattr(RDSBackend, "modify_db_instance", lambda self, name, _: self.databases[name])
    wanted = replace(wanted, given={"BackupRetentionPeriod": 9})
    assert bench.restorer.settle(target, found, wanted).pending
    bench.time += PATIENCE + timedelta(minutes=1)
    settled = bench.restorer.settle(target, found, wanted)
    assert settled.pending == ""
    assert "has not changed it" in settled.problems["BackupRetentionPeriod"]


def test_a_parameter_group_that_waits_for_a_restart_gets_one(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, target, found, wanted = begun
    name = wanted.settings["DBParameterGroupName"]
    state = "pending-reboot"

    def group(_: DBInstance) -> list[dict[str, Json]]:
        return [{"DBParameterGroupName": name, "ParameterApplyStatus": state}]

    monkeypatch.setattr(DBInstance, "db_parameter_group_status_list", property(group))
    for _ in range(2):  # RDS may take its time to begin
        assert "taking its parameter group on" in bench.restorer.settle(target, found, wanted).pending
    state = "in-sync"
    assert bench.restorer.settle(target, found, wanted) == Settled()
    assert bench.writes == [("RebootDBInstance", {"DBInstanceIdentifier": target.name})]


@pytest.mark.long
def test_a_parameter_group_that_is_not_taken_on_is_told(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, target, found, wanted = begun
    name = wanted.settings["DBParameterGroupName"]
    states = [{"DBParameterGroupName": name, "ParameterApplyStatus": "applying"}]
    monkeypatch.setattr(DBInstance, "db_parameter_group_status_list", property(lambda _: states))
    assert bench.restorer.settle(target, found, wanted).pending
    bench.time += PATIENCE + timedelta(minutes=1)
    settled = bench.restorer.settle(target, found, wanted)
    assert settled.pending == ""
    assert "restart it" in settled.problems["DBParameterGroupName"]
    assert bench.writes == []


@pytest.mark.long
def test_nothing_is_filled_in_behind_a_restore(begun: Begun) -> None:
    bench, target, *_ = begun
    assert bench.restorer.fill(instant(), target, Filled(), lambda: 60.0) == Filled()


# --- windows -----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_instances_window_begins_where_its_automated_backups_do(
    instances: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = instances.world.add_resource("orders")
    window = instances.restorer.window(source)
    assert window is not None
    assert window.earliest <= window.latest
    early = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def told(*_: Any, **__: Any) -> list[dict[str, Any]]:
        id_ = backend().databases["orders"].dbi_resource_id
        return [{"DbiResourceId": id_, "RestoreWindow": {"EarliestTime": early}}]

    monkeypatch.setattr(RDSBackend, "describe_db_instance_automated_backups", told)
    window = instances.restorer.window(source)
    assert window is not None
    assert window.earliest == early


def test_an_instance_without_automated_backups_has_no_window(instances: Bench) -> None:
    source = rich_instance(instances, BackupRetentionPeriod=0)
    assert instances.restorer.window(source) is None


@pytest.mark.long
def test_a_clusters_window_is_what_it_tells(clusters: Bench) -> None:
    source = clusters.world.add_resource("orders")
    cluster = clusters.world.rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"][0]
    window = clusters.restorer.window(source)
    assert window is not None
    assert window.earliest == cluster["EarliestRestorableTime"]
    assert clusters.restorer.window(clusters.world.other(source)) is None


# --- clusters ----------------------------------------------------------------------------------------------


def test_a_cluster_comes_back_with_its_settings_and_instances(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    outcomes = clusters.restored(backup_of(snapshot(clusters)), clusters.target(source))
    assert not_restored(outcomes) == {}
    members: Any = outcomes["Instances"].restored
    assert [one["DBInstanceClass"] for one in members] == ["db.r7g.large", "db.serverless"]
    assert [one["PromotionTier"] for one in members] == [0, 1]
    assert outcomes["ServerlessV2ScalingConfiguration"].restored == {"MinCapacity": 0.5, "MaxCapacity": 8.0}
    made = clusters.calls("CreateDBInstance")[-2:]
    assert [one["DBInstanceIdentifier"] for one in made] == ["orders-again-1", "orders-again-2"]
    assert all({"Key": "holdfast:restore", "Value": REQUEST} in one["Tags"] for one in made)


@pytest.mark.long
def test_a_cluster_is_of_its_snapshots_version(clusters: Bench) -> None:
    """RDS would take its newest one."""
    source = rich_cluster(clusters, EngineVersion="15.2")
    clusters.restored(backup_of(snapshot(clusters)), clusters.target(source))
    [asked] = clusters.calls("RestoreDBClusterFromSnapshot")
    assert (asked["Engine"], asked["EngineVersion"]) == ("aurora-postgresql", "15.2")


@pytest.mark.long
def test_a_cluster_comes_back_as_it_was_at_an_instant(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    assert not_restored(clusters.restored(instant(NOW), clusters.target(source))) == {}
    [asked] = clusters.calls("RestoreDBClusterToPointInTime")
    assert asked["RestoreToTime"] == NOW
    assert "UseLatestRestorableTime" not in asked


@pytest.mark.long
def test_a_cluster_in_another_region_is_told_what_to_give(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    clusters.world.rds.create_db_parameter_group(
        DBParameterGroupName="tuned", DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    backend().databases["orders-writer"].db_parameter_group_name = "tuned"
    copy = copied(clusters, snapshot(clusters))
    outcomes = clusters.restored(backup_of(copy, AWAY), clusters.target(source, region=AWAY))
    told = f"it is of {HOME}: give settings.{{}} of {AWAY}"
    assert not_restored(outcomes) == {
        "DBSubnetGroupName": told.format("DBSubnetGroupName"),
        "VpcSecurityGroupIds": told.format("VpcSecurityGroupIds"),
        "Instances": (f"DBParameterGroupName of {HOME} left out: give settings.Instances with {AWAY}'s"),
    }
    assert len(clusters.calls("CreateDBInstance")) == 4  # two of them the source's


@pytest.mark.long
def test_settling_a_cluster_again_changes_nothing(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    target = clusters.target(source)
    clusters.restored(backup_of(snapshot(clusters)), target)
    clusters.writes.clear()
    clusters.settle(target, Wanted(known=clusters.known(source).settings))
    assert clusters.writes == []


@pytest.mark.long
def test_a_cluster_of_which_nothing_is_known_can_be_read(clusters: Bench) -> None:
    source = rich_cluster(clusters, members=0, DeletionProtection=False)
    pick = backup_of(snapshot(clusters))
    clusters.world.rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)
    target = clusters.target(source)
    clusters.restored(pick, target, source_known=False)
    [asked] = clusters.calls("RestoreDBClusterFromSnapshot")
    assert asked["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 16.0}
    [made] = clusters.calls("CreateDBInstance")
    assert (made["DBInstanceIdentifier"], made["DBInstanceClass"]) == ("orders-again-1", "db.serverless")


def test_a_clusters_instances_are_waited_for(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    target, wanted = clusters.target(source), Wanted(known=clusters.known(source).settings)
    clusters.restorer.begin(backup_of(snapshot(clusters)), target, wanted)
    clusters.settle(target, wanted)
    found = clusters.restorer.look(target)
    assert found is not None
    backend().databases["orders-again-2"].status = "creating"
    settled = clusters.restorer.settle(target, found, wanted)
    assert settled.pending == "orders-again-2 is being made (creating)"
    backend().databases["orders-again-2"].status = "failed"
    settled = clusters.restorer.settle(target, found, wanted)
    assert (settled.pending, settled.problems) == ("", {"Instances": "orders-again-2 is failed"})


def test_an_instances_name_that_is_taken_is_told_and_left_alone(clusters: Bench) -> None:
    source = rich_cluster(clusters)
    clusters.world.add_instance("orders-again-2")
    standing = clusters.world.rds.describe_db_instances(DBInstanceIdentifier="orders-again-2")["DBInstances"]
    outcomes = clusters.restored(backup_of(snapshot(clusters)), clusters.target(source))
    assert "orders-again-2 is not of this restore, and left as it is" in outcomes["Instances"].reason
    after = clusters.world.rds.describe_db_instances(DBInstanceIdentifier="orders-again-2")["DBInstances"]
    assert {**after[0], "LatestRestorableTime": None} == {**standing[0], "LatestRestorableTime": None}


@pytest.mark.long
def test_an_instance_that_cannot_be_as_it_was_is_made_of_its_class(
    clusters: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rich_cluster(clusters, members=1)
    create = RDSBackend.create_db_instance

    def refuse(self: RDSBackend, asked: dict[str, Any]) -> DBInstance:
        if "promotion_tier" in asked:
            raise RDSClientError("CertificateNotFound", "no such certificate")
        return create(self, asked)

    monkeypatch.setattr(RDSBackend, "create_db_instance", refuse)
    target, wanted = clusters.target(source), Wanted(known=clusters.known(source).settings)
    clusters.restorer.begin(backup_of(snapshot(clusters)), target, wanted)
    found = clusters.restorer.look(target)
    assert found is not None
    settled = clusters.restorer.settle(target, found, wanted)
    assert "orders-again-1 is being made" in settled.pending
    assert "give settings.CACertificateIdentifier" in settled.problems["Instances"]


@pytest.mark.long
def test_a_quota_of_instances_is_told_and_stops_nothing_else(
    clusters: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rich_cluster(clusters)
    pick, target = backup_of(snapshot(clusters)), clusters.target(source)
    known = clusters.known(source)
    monkeypatch.setattr(RDSBackend, "create_db_instance", refusing("InstanceQuotaExceeded"))
    wanted = Wanted(known=known.settings)
    clusters.restorer.begin(pick, target, wanted)
    settled = clusters.settle(target, wanted)
    assert "InstanceQuotaExceeded" in settled.problems["Instances"]
    assert backend().clusters["orders-again"].deletion_protection is True


@pytest.mark.long
def test_a_multi_az_cluster_brings_its_own_instances(clusters: Bench) -> None:
    more: dict[str, Any] = {
        "Engine": "postgres",
        "EngineVersion": "16.3",
        "DBClusterInstanceClass": "db.m6gd.large",
        "StorageType": "io1",
        "AllocatedStorage": 400,
        "Iops": 3000,
        "EnableIAMDatabaseAuthentication": False,
        "ServerlessV2ScalingConfiguration": None,
    }
    source = rich_cluster(clusters, members=0, **{**more, "ServerlessV2ScalingConfiguration": {}})
    outcomes = clusters.restored(backup_of(snapshot(clusters)), clusters.target(source))
    [asked] = clusters.calls("RestoreDBClusterFromSnapshot")
    assert (asked["DBClusterInstanceClass"], asked["StorageType"], asked["Iops"]) == (
        "db.m6gd.large",
        "io1",
        3000,
    )
    assert clusters.calls("CreateDBInstance") == []
    assert "Instances" not in outcomes


@pytest.mark.long
def test_a_multi_az_cluster_of_no_known_class_asks_for_one(clusters: Bench) -> None:
    source = rich_cluster(
        clusters,
        members=0,
        Engine="postgres",
        EngineVersion="16.3",
        EnableIAMDatabaseAuthentication=False,
        ServerlessV2ScalingConfiguration={},
    )
    with pytest.raises(Unprepared, match=r"give settings.DBClusterInstanceClass"):
        clusters.restorer.begin(backup_of(snapshot(clusters)), clusters.target(source), Wanted())


@pytest.mark.long
def test_instances_that_cannot_be_read_hide_nothing_else(
    clusters: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rich_cluster(clusters)
    monkeypatch.setattr(RDSBackend, "describe_db_instances", refusing("AccessDenied"))
    known = clusters.known(source)
    assert known.settings["BackupRetentionPeriod"] == 14
    assert known.unread.keys() == {"Instances"}


def test_an_instances_name_is_never_too_long() -> None:
    assert member_name("orders", 1) == "orders-1"
    assert len(member_name("o" * 63, 12)) == 63
    assert member_name("o" * 60 + "-oo", 1) == "o" * 60 + "-1"


# --- whole restores ----------------------------------------------------------------------------------------


@dataclass
class Kept:
    """Restores in memory."""

    restores: dict[str, Restore] = field(default_factory=dict)

    def load(self, request: str) -> Restore | None:
        return self.restores.get(request)

    def begin(self, restore: Restore) -> Restore:
        return self.restores.setdefault(restore.request.id, restore)

    def save(self, restore: Restore) -> None:
        # What is kept is a document.
        self.restores[restore.request.id] = restore_from_dict(restore_to_dict(restore))

    def address(self, request: str) -> str:
        return request


@pytest.mark.long
@pytest.mark.parametrize("kind", ["rds", "aurora"])
@pytest.mark.parametrize(("region", "at"), [(HOME, False), (AWAY, False), (HOME, True)])
def test_a_request_becomes_a_database(
    kind: str, region: str, at: bool, request: pytest.FixtureRequest
) -> None:
    """Of the newest backup that a night made, of its copy, and by point-in-time recovery."""
    bench: Bench = request.getfixturevalue("clusters" if kind == "aurora" else "instances")
    source = rich_cluster(bench) if kind == "aurora" else rich_instance(bench)
    provider, copier = bench.world.provider, bench.world.copier
    assert copier is not None
    [resource] = provider.resources(ResourceQuery(everything=True))
    mark = Mark(stack="holdfast", plan="nightly", slot=NOW - timedelta(days=1), source=source)
    made = provider.create(resource, mark)
    copier.copy(made, AWAY, replace(mark, copy_of=made.arn), CopySettings())
    ports = RestorePorts(
        providers={kind: provider},
        restorers={kind: bench.restorer},
        restores=Kept(),
        recorded=FakeSettings(),
    )
    asked = RestoreRequest(id=REQUEST, resource=source, region=region, to="orders-again", latest=at)
    seen = restore(ports, asked, NOW, lambda: 60.0)
    for _ in range(6):
        seen = restore(ports, asked, NOW, lambda: 60.0)
    assert (seen.state, seen.reason) == (RestoreState.DONE, "it stands")
    assert seen.arn == source.replace(HOME, region) + "-again"
    lost = {one.name for one in seen.lost}
    regional = {"DBSubnetGroupName", "VpcSecurityGroupIds"}
    more = {"DBParameterGroupName"} if kind == "rds" else set()
    assert lost == (regional | more if region == AWAY else set())
    bench.writes.clear()
    assert restore(ports, asked, NOW, lambda: 60.0) == seen
    assert bench.writes == []


# --- settings that are given -------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"DBInstanceClas": "db.m7g.large"}, "there is no such setting"),
        ({"Engine": "mysql"}, "leave it out"),
        ({"KmsKeyId": "alias/mine"}, "the key of the backup"),
        ({"MultiAZ": "yes"}, "true or false"),
        ({"BackupRetentionPeriod": True}, "a whole number"),
        ({"BackupRetentionPeriod": -1}, "a whole number"),
        ({"VpcSecurityGroupIds": "sg-1"}, "a list of texts"),
        ({"DBSubnetGroupName": "Inner"}, "in lower case"),
        ({"PreferredBackupWindow": "3:00-4:00"}, "hh:mm-hh:mm"),
        ({"PreferredMaintenanceWindow": "Sun:03:00-Sun:04:00"}, "in lower case"),
        ({"Tags": {"aws:mine": "x"}}, "none beginning with aws:"),
        ({"Tags": {f"k{number}": "v" for number in range(50)}}, "at most 49"),
        ({"ProcessorFeatures": ["coreCount"]}, "names and texts"),
    ],
)
def test_mistakes_of_an_instances_settings_are_told(instances: Bench, given: Settings, says: str) -> None:
    [mistake] = instances.restorer.mistakes(given)
    assert mistake.startswith(f"settings.{next(iter(given))}: ")
    assert says in mistake


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Instances": []}, ""),
        ({"Instances": [{"DBInstanceClass": "db.r7g.large", "PromotionTier": 1}]}, ""),
        ({"Instances": [{"PromotionTier": 1}]}, "each with a DBInstanceClass"),
        ({"Instances": [{"DBInstanceClass": "db.r7g.large", "Colour": "red"}]}, "a list of instances"),
        ({"Instances": "db.r7g.large"}, "a list of instances"),
        ({"KmsKeyId": "alias/mine"}, "the ARN of a KMS key"),
        ({"KmsKeyId": f"arn:aws:kms:{AWAY}:{ACCOUNT}:key/k"}, ""),
        ({"ServerlessV2ScalingConfiguration": {"MinCapacity": "1"}}, "names and numbers"),
        ({"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 2}}, ""),
        ({"EngineVersion": "16.4"}, ""),
        ({"Tags": {"team": "shop"}}, ""),
    ],
)
def test_mistakes_of_a_clusters_settings_are_told(given: Settings, says: str) -> None:
    mistakes = AuroraRestorer(regions=regions()).mistakes(given)
    assert bool(mistakes) == bool(says)
    assert says in "".join(mistakes)
