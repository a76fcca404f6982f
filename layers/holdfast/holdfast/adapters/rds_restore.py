"""RDS instances, made again of a snapshot or by point-in-time recovery."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import Pace, translated
from holdfast.adapters.rds_restore_common import Names, RdsApiRestorer
from holdfast.adapters.rds_settings import Answer
from holdfast.adapters.rds_tables import INSTANCE, named_features
from holdfast.core.errors import NotFound
from holdfast.core.model import name_of
from holdfast.core.restoring import Target, Wanted

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

_GP3_BASELINES = (
    {"Iops": 3000, "StorageThroughput": 125},
    {"Iops": 12000, "StorageThroughput": 500},
)
"""IOPS and MiB/s that gp3 has without being told. RDS refuses the first to be said of a small volume (RDS's
user guide, "gp3 storage")."""


class RdsRestorer(RdsApiRestorer):
    """The restorer of kind `rds`."""

    KIND = "rds"
    TABLE = INSTANCE
    PARAMETERS = "DBParameterGroupName"
    NAMES = Names(
        describe="DescribeDBInstances",
        modify="ModifyDBInstance",
        from_backup="RestoreDBInstanceFromDBSnapshot",
        to_instant="RestoreDBInstanceToPointInTime",
        arn="DBInstanceArn",
        status="DBInstanceStatus",
    )

    def _describe(self, client: "RDSClient", name: str) -> Answer:
        return client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def _modify(self, client: "RDSClient", name: str, parameters: Mapping[str, Any]) -> None:
        client.modify_db_instance(DBInstanceIdentifier=name, **parameters)

    def _restore(self, client: "RDSClient", operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == self.NAMES.to_instant:
            client.restore_db_instance_to_point_in_time(**parameters)
        else:
            client.restore_db_instance_from_db_snapshot(**parameters)

    def _backup(
        self,
        client: "RDSClient",  # noqa: ARG002
        pace: Pace,  # noqa: ARG002
        arn: str,
        target: Target,
        wanted: Wanted,  # noqa: ARG002
    ) -> dict[str, object]:
        return {"DBInstanceIdentifier": target.name, "DBSnapshotIdentifier": arn}

    def _instant(
        self,
        client: "RDSClient",  # noqa: ARG002
        pace: Pace,  # noqa: ARG002
        instant: datetime | None,
        target: Target,
        wanted: Wanted,  # noqa: ARG002
    ) -> dict[str, object]:
        when = {"RestoreTime": instant} if instant else {"UseLatestRestorableTime": True}
        return {
            "SourceDBInstanceIdentifier": name_of(target.source),
            "TargetDBInstanceIdentifier": target.name,
            **when,
        }

    def _fitting(self, asked: dict[str, object], wanted: Wanted) -> dict[str, object]:
        if isinstance(asked.get("ProcessorFeatures"), Mapping):
            asked = asked | {"ProcessorFeatures": named_features(asked["ProcessorFeatures"])}
        speed = ("Iops", "StorageThroughput")
        if asked.get("StorageType") != "gp3" or not wanted.given.keys().isdisjoint(speed):
            return asked
        if any(all(asked.get(one, base[one]) == base[one] for one in speed) for base in _GP3_BASELINES):
            return {key: value for key, value in asked.items() if key not in speed}
        return asked

    def _earliest(self, region: str, answer: Answer) -> datetime:
        """As the automated backups tell; else as far back as they are kept, and not before it was made."""
        client, pace = self._regions.of(region)
        pace.wait()
        name = answer["DBInstanceIdentifier"]
        try:
            with translated(self.KIND, name, "DescribeDBInstanceAutomatedBackups"):
                pages = client.describe_db_instance_automated_backups(DBInstanceIdentifier=name)
                told = [
                    one["RestoreWindow"]["EarliestTime"]
                    for one in pages["DBInstanceAutomatedBackups"]
                    if one.get("DbiResourceId") == answer.get("DbiResourceId")
                    and one.get("RestoreWindow", {}).get("EarliestTime")
                ]
        except NotFound:
            told = []
        if told:
            return min(told)
        latest: datetime = answer["LatestRestorableTime"]
        kept = latest - timedelta(days=answer["BackupRetentionPeriod"])
        made: datetime = answer.get("InstanceCreateTime", kept)
        return max(kept, made)

    def _unapplied(self, answer: Answer) -> Mapping[str, str]:
        states = [one.get("ParameterApplyStatus", "in-sync") for one in answer.get("DBParameterGroups", ())]
        return {answer["DBInstanceIdentifier"]: states[0]} if states else {}
