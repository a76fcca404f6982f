"""What moto's RDS lacks for restores. Imported in moto's own process: afterwards

- a restored instance or cluster has what RDS brings back and what the call gives it, and no more of its
  source: no tags, security groups, subnet group, parameter group, logs, roles or second zone;
- a cluster's snapshot can be named by its ARN, in its Region;
- what a call turns on by one name (`EnablePerformanceInsights`) is told by the other.

RDS's API reference of the restore calls says so.
"""

from collections.abc import Callable, Mapping
from typing import Any

from moto.rds.exceptions import DBInstanceAlreadyExists, DBSnapshotNotFoundFault, RDSClientError
from moto.rds.models import DBCluster, DBClusterSnapshot, DBInstance, RDSBackend

_INSTANCE = (
    "engine",
    "engine_version",
    "db_instance_class",
    "allocated_storage",
    "port",
    "db_name",
    "license_model",
    "master_username",
    "master_user_password",
    "storage_type",
    "iops",
    "storage_throughput",
    "backup_retention_period",
    "preferred_backup_window",
    "storage_encrypted",
    "kms_key_id",
)
"""What an instance keeps in a restore."""

_CLUSTER = (
    "engine",
    "engine_version",
    "port",
    "database_name",
    "master_username",
    "storage_encrypted",
    "kms_key_id",
    "backup_retention_period",
    "preferred_backup_window",
)
"""What a cluster keeps in a restore."""

_TOLD_AS = {
    "enable_performance_insights": "performance_insights_enabled",
    "db_port_number": "port",
}

_describe_snapshots: Callable[..., list[DBClusterSnapshot]] = RDSBackend.describe_db_cluster_snapshots
_create_instance: Callable[..., DBInstance] = RDSBackend.create_db_instance
_create_cluster: Callable[..., DBCluster] = RDSBackend.create_db_cluster
_modify_instance: Callable[..., DBInstance] = RDSBackend.modify_db_instance
_modify_cluster: Callable[..., DBCluster] = RDSBackend.modify_db_cluster


def _restore_instance(self: RDSBackend, from_snapshot_id: str, overrides: Mapping[str, Any]) -> DBInstance:
    if from_snapshot_id.startswith("arn:") and from_snapshot_id.split(":")[3] != self.region_name:
        raise DBSnapshotNotFoundFault(from_snapshot_id)
    snapshot = self.get_db_snapshot(from_snapshot_id)
    kept = _kept(snapshot.database, _INSTANCE) | {
        "storage_encrypted": snapshot.encrypted,
        "kms_key_id": snapshot.kms_key_id,
    }
    return self.create_db_instance({**kept, **overrides})


def _restore_instance_to_instant(
    self: RDSBackend, source_db_identifier: str, target_db_identifier: str, overrides: Mapping[str, Any]
) -> DBInstance:
    [source] = self.describe_db_instances(db_instance_identifier=source_db_identifier)
    named = {"db_instance_identifier": target_db_identifier}
    return self.create_db_instance({**_kept(source, _INSTANCE), **overrides, **named})


def _restore_cluster(self: RDSBackend, from_snapshot_id: str, overrides: Mapping[str, Any]) -> DBCluster:
    [snapshot] = self.describe_db_cluster_snapshots(None, from_snapshot_id)
    kept = _kept(snapshot.cluster, _CLUSTER) | {
        "storage_encrypted": snapshot.encrypted,
        "kms_key_id": snapshot.kms_key_id,
    }
    return self.create_db_cluster({**kept, **overrides})


def _restore_cluster_to_instant(
    self: RDSBackend, source_db_cluster_identifier: str, **asked: Any
) -> DBCluster:
    [source] = self.describe_db_clusters(db_cluster_identifier=source_db_cluster_identifier)
    return self.create_db_cluster({**_kept(source, _CLUSTER), **asked})


def _kept(source: DBInstance | DBCluster, names: tuple[str, ...]) -> dict[str, Any]:
    kept = {name: getattr(source, name) for name in names if name != "master_user_password"}
    return kept | {"master_user_password": getattr(source, "_master_user_password")}  # noqa: B009


def _describe_cluster_snapshots(
    self: RDSBackend, db_cluster_identifier: str | None, db_snapshot_identifier: str, *more: Any, **named: Any
) -> list[DBClusterSnapshot]:
    wanted = db_snapshot_identifier
    if wanted and wanted.startswith("arn:") and wanted.split(":")[3] == self.region_name:
        wanted = wanted.split(":", 6)[6]
    return _describe_snapshots(self, db_cluster_identifier, wanted, *more, **named)


def _create_db_instance(self: RDSBackend, asked: dict[str, Any]) -> DBInstance:
    if asked["db_instance_identifier"] in self.databases:
        raise DBInstanceAlreadyExists
    made = _create_instance(self, asked)
    _tell(made, asked)
    return made


def _create_db_cluster(self: RDSBackend, asked: dict[str, Any]) -> DBCluster:
    if asked["db_cluster_identifier"] in self.clusters:
        raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    made = _create_cluster(self, asked)
    _tell(self.clusters[made.db_cluster_identifier], asked)
    return made


def _modify_db_instance(self: RDSBackend, db_instance_identifier: str, asked: dict[str, Any]) -> DBInstance:
    made = _modify_instance(self, db_instance_identifier, asked)
    _tell(made, asked)
    return made


def _modify_db_cluster(self: RDSBackend, asked: dict[str, Any]) -> DBCluster:
    name = asked["db_cluster_identifier"]
    asked = dict(asked)
    asked["enable_cloudwatch_logs_exports"] = asked.pop("cloudwatch_logs_export_configuration", None)
    answer = _modify_cluster(self, asked)
    _tell(self.clusters[name], asked)
    return answer


def _tell(database: DBInstance | DBCluster, asked: Mapping[str, Any]) -> None:
    told = _TOLD_AS | {
        name: name for name in ("performance_insights_kms_key_id", "performance_insights_retention_period")
    }
    if isinstance(database, DBCluster):
        told["enable_iam_database_authentication"] = "iam_auth"
    for name, attribute in told.items():
        if asked.get(name) is not None:
            setattr(database, attribute, asked[name])


def teach() -> None:
    """From now on, have it."""
    taught: dict[str, Callable[..., Any]] = {
        "restore_db_instance_from_db_snapshot": _restore_instance,
        "restore_db_instance_to_point_in_time": _restore_instance_to_instant,
        "restore_db_cluster_from_snapshot": _restore_cluster,
        "restore_db_cluster_to_point_in_time": _restore_cluster_to_instant,
        "describe_db_cluster_snapshots": _describe_cluster_snapshots,
        "create_db_instance": _create_db_instance,
        "create_db_cluster": _create_db_cluster,
        "modify_db_instance": _modify_db_instance,
        "modify_db_cluster": _modify_db_cluster,
    }
    for name, function in taught.items():
        setattr(RDSBackend, name, function)
