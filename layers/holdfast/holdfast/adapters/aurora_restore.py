"""Aurora and Multi-AZ DB clusters, made again of a snapshot or by point-in-time recovery.

RDS makes an Aurora cluster without instances, which nobody can read: they are made with it, as the source
had them. A Multi-AZ DB cluster has its own by itself.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import Pace, paced, translated
from holdfast.adapters.rds_common import PAGE_SIZE
from holdfast.adapters.rds_restore_common import Names, RdsApiRestorer, Work, helped, phase_of
from holdfast.adapters.rds_settings import (
    DAYS,
    FLAG,
    KEY,
    NAME,
    NUMBER,
    ROLE,
    TAG_FORM,
    TEXT,
    Answer,
    Form,
    all_tags,
    in_state,
    is_default,
    own_tags,
    tags_for,
)
from holdfast.adapters.rds_tables import CLUSTER, SCALING, is_aurora
from holdfast.core.errors import AlreadyExists, ProviderError, Unprepared
from holdfast.core.model import name_of, region_of
from holdfast.core.restoring import RESTORE_TAG, Json, Phase, Settings, Target, Wanted

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

INSTANCES = "Instances"
_LONGEST_NAME = 63
_CAPACITY = {"MinCapacity": 0.5, "MaxCapacity": 16.0}
_SERVERLESS = "db.serverless"
"""What a cluster is read by of which nothing else is known: each current version of Aurora has it, and it is
paid by use (Aurora's user guide, "Aurora Serverless v2")."""


_MEMBER: Mapping[str, tuple[Form, str]] = {
    "DBInstanceClass": (TEXT, "DBInstanceClass"),
    "DBParameterGroupName": (NAME, "DBParameterGroupName"),
    "PromotionTier": (NUMBER, "PromotionTier"),
    "PubliclyAccessible": (FLAG, "PubliclyAccessible"),
    "AutoMinorVersionUpgrade": (FLAG, "AutoMinorVersionUpgrade"),
    "PreferredMaintenanceWindow": (DAYS, "PreferredMaintenanceWindow"),
    "CACertificateIdentifier": (TEXT, "CACertificateIdentifier"),
    "MonitoringInterval": (NUMBER, "MonitoringInterval"),
    "MonitoringRoleArn": (ROLE, "MonitoringRoleArn"),
    "PerformanceInsightsEnabled": (FLAG, "EnablePerformanceInsights"),
    "PerformanceInsightsKMSKeyId": (KEY, "PerformanceInsightsKMSKeyId"),
    "PerformanceInsightsRetentionPeriod": (NUMBER, "PerformanceInsightsRetentionPeriod"),
    "Tags": (TAG_FORM, ""),
}
"""The settings of a cluster's instance that are its own, and the parameter of CreateDBInstance."""

_REGIONAL = ("DBParameterGroupName", "PerformanceInsightsKMSKeyId")


def _are_members(value: Json) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return all(
        isinstance(one, Mapping)
        and "DBInstanceClass" in one
        and all(name in _MEMBER and _MEMBER[name][0].fits(each) for name, each in one.items())
        for one in value
    )


class AuroraRestorer(RdsApiRestorer):
    """The restorer of kind `aurora`, which stands for every kind of RDS cluster."""

    KIND = "aurora"
    TABLE = CLUSTER
    PARAMETERS = "DBClusterParameterGroupName"
    NAMES = Names(
        describe="DescribeDBClusters",
        modify="ModifyDBCluster",
        from_backup="RestoreDBClusterFromSnapshot",
        to_instant="RestoreDBClusterToPointInTime",
        arn="DBClusterArn",
        status="Status",
    )
    OTHERS = {  # noqa: RUF012  as the base says
        INSTANCES: Form(
            words="a list of instances, the writer first, each with a DBInstanceClass and of "
            + ", ".join(sorted(_MEMBER)),
            fits=_are_members,
        ),
        "EngineVersion": TEXT,
    }

    def _describe(self, client: "RDSClient", name: str) -> Answer:
        return client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]

    def _modify(self, client: "RDSClient", name: str, parameters: Mapping[str, Any]) -> None:
        client.modify_db_cluster(DBClusterIdentifier=name, **parameters)

    def _restore(self, client: "RDSClient", operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == self.NAMES.to_instant:
            client.restore_db_cluster_to_point_in_time(**parameters)
        else:
            client.restore_db_cluster_from_snapshot(**parameters)

    def _backup(
        self, client: "RDSClient", pace: Pace, arn: str, target: Target, wanted: Wanted
    ) -> dict[str, object]:
        """RDS takes its newest version of the engine unless it is told, so it is told the snapshot's."""
        pace.wait()
        with translated(self.KIND, arn, "DescribeDBClusterSnapshots"):
            answer = client.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=arn)
            snapshot = answer["DBClusterSnapshots"][0]
            engine, version = snapshot["Engine"], snapshot["EngineVersion"]
        if not engine.startswith("aurora") and not wanted.settings.get("DBClusterInstanceClass"):
            text = "its instances' class is not known: give settings.DBClusterInstanceClass"
            raise Unprepared(self.KIND, target.name, self.NAMES.from_backup, "ClassUnknown", text)
        return {
            "DBClusterIdentifier": target.name,
            "SnapshotIdentifier": arn,
            "Engine": engine,
            "EngineVersion": wanted.given.get("EngineVersion", version),
            **_capacity(engine, wanted),
        }

    def _instant(
        self,
        client: "RDSClient",  # noqa: ARG002
        pace: Pace,  # noqa: ARG002
        instant: datetime | None,
        target: Target,
        wanted: Wanted,
    ) -> dict[str, object]:
        when = {"RestoreToTime": instant} if instant else {"UseLatestRestorableTime": True}
        return {
            "SourceDBClusterIdentifier": name_of(target.source),
            "DBClusterIdentifier": target.name,
            **when,
            **_capacity(str(wanted.known.get("Engine", "")), wanted),
        }

    def _fitting(self, asked: dict[str, object], wanted: Wanted) -> dict[str, object]:  # noqa: ARG002
        """Aurora's own storage need not be said, and is not a Multi-AZ cluster's."""
        return {name: value for name, value in asked.items() if (name, value) != ("StorageType", "aurora")}

    def _earliest(self, region: str, answer: Answer) -> datetime:  # noqa: ARG002
        earliest: datetime = answer["EarliestRestorableTime"]
        return earliest

    def _unapplied(self, answer: Answer) -> Mapping[str, str]:
        return {
            one["DBInstanceIdentifier"]: one.get("DBClusterParameterGroupStatus", "in-sync")
            for one in answer.get("DBClusterMembers", ())
        }

    def _more(self, region: str, answer: Answer) -> tuple[Settings, Mapping[str, str]]:
        if not is_aurora(answer):
            return {}, {}
        try:
            members = self._members(region, answer["DBClusterIdentifier"])
        except ProviderError as error:
            if error.retryable:
                raise
            return {}, {INSTANCES: f"{error}"}
        return {INSTANCES: [_settings_of(one) for one in _in_order(answer, members)]}, {}

    def _members(self, region: str, cluster: str) -> list[Answer]:
        client, pace = self._regions.of(region)
        with translated(self.KIND, cluster, "DescribeDBInstances"):
            pages = client.get_paginator("describe_db_instances").paginate(
                Filters=[{"Name": "db-cluster-id", "Values": [cluster]}],
                PaginationConfig={"PageSize": PAGE_SIZE},
            )
            return [one for page in paced(pages, pace, "Marker") for one in page["DBInstances"]]

    # --- the instances --------------------------------------------------------------------------------------

    def _settle_members(self, target: Target, answer: Answer, wanted: Wanted, work: Work) -> None:
        if not is_aurora(answer) or answer.get("EngineMode") == "serverless":
            return
        if left_out := _left_out(target, wanted):
            work.problem(INSTANCES, left_out)
        standing = {one["DBInstanceIdentifier"]: one for one in self._members(target.region, target.name)}
        for number, member in enumerate(_asked(target, wanted), start=1):
            name = member_name(target.name, number)
            if name not in standing:
                self._make(name, member, target, str(answer["Engine"]), work)
            elif not _is_ours(standing[name], target):
                work.problem(INSTANCES, _taken(standing[name]))
            else:
                _wait_for(standing[name], work)

    def _make(self, name: str, member: Settings, target: Target, engine: str, work: Work) -> None:
        """Make one as it was. Where RDS refuses that, one of its class alone: without any the cluster cannot
        be read."""
        bare = {"DBInstanceClass": member["DBInstanceClass"], "Tags": member.get("Tags")}
        try:
            try:
                self._create(name, member, target, engine)
            except AlreadyExists:
                raise
            except ProviderError as error:
                if error.retryable or member.keys() <= bare.keys():
                    raise
                self._create(name, bare, target, engine)
                work.problem(
                    INSTANCES, f"{name} is of its class alone: RDS refused the rest: {_why(error, target)}"
                )
        except AlreadyExists:
            self._look_at_taken(name, target, work)
        except ProviderError as error:
            if error.retryable:
                raise
            work.problem(INSTANCES, f"{name} could not be made: {_why(error, target)}")
        else:
            work.waits.append(f"{name} is being made")

    def _create(self, name: str, member: Settings, target: Target, engine: str) -> None:
        client, pace = self._regions.of(target.region)
        asked = {
            parameter: member[setting]
            for setting, (_, parameter) in _MEMBER.items()
            if parameter and member.get(setting) is not None and not is_default(member[setting])
        }
        pace.wait()
        with translated(self.KIND, name, "CreateDBInstance"):
            client.create_db_instance(
                DBInstanceIdentifier=name,
                DBClusterIdentifier=target.name,
                Engine=engine,
                Tags=tags_for(member.get("Tags"), target),
                **asked,  # type: ignore[arg-type]  # each has its form
            )

    def _look_at_taken(self, name: str, target: Target, work: Work) -> None:
        """RDS says that there is one of this name: ours, which its list does not have yet, or another's."""
        found = self._instance(target.region, name)
        if found is None or _is_ours(found, target):
            work.waits.append(f"{name} is being made")
        else:
            work.problem(INSTANCES, _taken(found))


def member_name(cluster: str, number: int) -> str:
    tail = f"-{number}"
    return cluster[: _LONGEST_NAME - len(tail)].rstrip("-") + tail


def _asked(target: Target, wanted: Wanted) -> list[Settings]:
    """The instances to make, the writer first. Where nothing is known of any, one that adapts itself."""
    if INSTANCES in wanted.given:
        return _mappings(wanted.given[INSTANCES])
    known = _mappings(wanted.known.get(INSTANCES))
    if not known:
        return [{"DBInstanceClass": _SERVERLESS}]
    return [{name: one[name] for name in one if not _means_nothing(name, one[name], target)} for one in known]


def _mappings(value: Json) -> list[Settings]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return []
    return [one for one in value if isinstance(one, Mapping)]


def _means_nothing(name: str, value: Json, target: Target) -> bool:
    """Whether another Region does not know it."""
    return name in _REGIONAL and region_of(target.source) != target.region and not is_default(value)


def _left_out(target: Target, wanted: Wanted) -> str:
    if INSTANCES in wanted.given:
        return ""
    names = {
        name
        for one in _mappings(wanted.known.get(INSTANCES))
        for name, value in one.items()
        if _means_nothing(name, value, target)
    }
    if not names:
        return ""
    what = " and ".join(sorted(names))
    return f"{what} of {region_of(target.source)} left out: give settings.Instances with {target.region}'s"


def _capacity(engine: str, wanted: Wanted) -> dict[str, object]:
    """The scaling that instances of no known class need."""
    known = wanted.given.get(INSTANCES, wanted.known.get(INSTANCES))
    unknown = not known and INSTANCES not in wanted.given
    if unknown and engine.startswith("aurora") and SCALING not in wanted.settings:
        return {SCALING: _CAPACITY}
    return {}


def _is_ours(instance: Answer, target: Target) -> bool:
    return (
        all_tags(instance).get(RESTORE_TAG) == target.request
        and instance.get("DBClusterIdentifier") == target.name
    )


def _taken(instance: Answer) -> str:
    return f"its name is taken: {instance['DBInstanceArn']} is not of this restore, and left as it is"


def _wait_for(instance: Answer, work: Work) -> None:
    name, status = instance["DBInstanceIdentifier"], instance["DBInstanceStatus"]
    match phase_of(status):
        case Phase.MAKING:
            work.waits.append(f"{name} is being made ({status})")
        case Phase.FAILED:
            work.problem(INSTANCES, f"{name} is {status}")


def _why(error: ProviderError, target: Target) -> str:
    known = helped(error, target) if isinstance(error, Unprepared) else error
    return f"{known.code}: {known.message}"


def _in_order(cluster: Answer, members: Sequence[Answer]) -> list[Answer]:
    """The writer first. Those of a restored cluster are numbered in the order of the source's."""
    if RESTORE_TAG in all_tags(cluster):
        return sorted(
            members, key=lambda one: (len(one["DBInstanceIdentifier"]), one["DBInstanceIdentifier"])
        )
    writers = {
        one["DBInstanceIdentifier"]
        for one in cluster.get("DBClusterMembers", ())
        if one.get("IsClusterWriter")
    }

    def rank(one: Answer) -> tuple[bool, int, str]:
        name = one["DBInstanceIdentifier"]
        return name not in writers, one.get("PromotionTier", 0), name

    return sorted(members, key=rank)


def _settings_of(instance: Answer) -> Settings:
    group = in_state("DBParameterGroups", "DBParameterGroupName")(instance)
    found = {name: instance.get(name) for name in _MEMBER} | {
        "DBParameterGroupName": group,
        "Tags": own_tags(instance),
    }
    return {name: value for name, value in found.items() if value is not None}
