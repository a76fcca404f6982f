"""Aurora and Multi-AZ DB clusters, and their manual snapshots.

DocumentDB and Neptune answer the same calls and are told apart by their engine: they are not ours.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from holdfast.adapters.calls import Pace, paced
from holdfast.adapters.rds_common import (
    PAGE_SIZE,
    Database,
    OperationNames,
    RdsApiBackups,
    Snapshot,
    tag_list,
    tags_of,
)
from holdfast.core.model import CopyLaws, CopySettings
from holdfast.core.naming import CLUSTER_SNAPSHOT_LIMIT

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_rds.type_defs import CopyDBClusterSnapshotMessageTypeDef, DBClusterSnapshotTypeDef

OTHER_SERVICES = frozenset({"docdb", "neptune"})


class AuroraBackups(RdsApiBackups):
    """The provider and copier of kind `aurora`, which stands for every kind of RDS cluster."""

    KIND = "aurora"
    LIMIT = CLUSTER_SNAPSHOT_LIMIT
    WORD = "cluster"
    RESOURCE_TYPE = "rds:cluster"
    ARN_TYPE = "cluster"
    NAMES = OperationNames(
        describe="DescribeDBClusters",
        describe_snapshots="DescribeDBClusterSnapshots",
        create="CreateDBClusterSnapshot",
        share="ModifyDBClusterSnapshotAttribute",
        copy="CopyDBClusterSnapshot",
        delete="DeleteDBClusterSnapshot",
    )
    LAWS = CopyLaws(service="rds", key_for_unencrypted=False)

    def _databases(self, client: "RDSClient", pace: Pace) -> Iterator[Database]:
        pages = client.get_paginator("describe_db_clusters").paginate(
            PaginationConfig={"PageSize": PAGE_SIZE}
        )
        for page in paced(pages, pace, "Marker"):
            for cluster in page["DBClusters"]:
                if cluster["Engine"] not in OTHER_SERVICES:
                    yield Database(
                        arn=cluster["DBClusterArn"],
                        resource_id=cluster.get("DbClusterResourceId", ""),
                        status=cluster["Status"],
                        tags=tags_of(cluster.get("TagList", ())),
                    )

    def _snapshots(self, client: "RDSClient", pace: Pace, database: str) -> Iterator[Snapshot]:
        pages = client.get_paginator("describe_db_cluster_snapshots").paginate(
            SnapshotType="manual",
            Filters=[{"Name": "db-cluster-id", "Values": [database]}] if database else [],
            PaginationConfig={"PageSize": PAGE_SIZE},
        )
        for page in paced(pages, pace, "Marker"):
            for answer in page["DBClusterSnapshots"]:
                if answer["Engine"] not in OTHER_SERVICES:
                    yield _snapshot(answer)

    def _create(
        self, client: "RDSClient", database: str, identifier: str, tags: Mapping[str, str]
    ) -> Snapshot:
        answer = client.create_db_cluster_snapshot(
            DBClusterIdentifier=database, DBClusterSnapshotIdentifier=identifier, Tags=tag_list(tags)
        )
        return _snapshot(answer["DBClusterSnapshot"])

    def _share(self, client: "RDSClient", identifier: str, account: str) -> None:
        client.modify_db_cluster_snapshot_attribute(
            DBClusterSnapshotIdentifier=identifier, AttributeName="restore", ValuesToAdd=[account]
        )

    def _copy(
        self,
        client: "RDSClient",
        source: str,
        from_region: str,
        identifier: str,
        tags: Mapping[str, str],
        settings: CopySettings,
    ) -> Snapshot:
        request: CopyDBClusterSnapshotMessageTypeDef = {
            "SourceDBClusterSnapshotIdentifier": source,
            "TargetDBClusterSnapshotIdentifier": identifier,
            "CopyTags": False,
            "Tags": tag_list(tags),
        }
        if from_region:
            request["SourceRegion"] = from_region
        if settings.kms_key:
            request["KmsKeyId"] = settings.kms_key
        answer = client.copy_db_cluster_snapshot(**request)
        return _snapshot(answer["DBClusterSnapshot"])

    def _delete(self, client: "RDSClient", identifier: str) -> None:
        client.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=identifier)


def _snapshot(answer: "DBClusterSnapshotTypeDef") -> Snapshot:
    return Snapshot(
        arn=answer["DBClusterSnapshotArn"],
        id=answer["DBClusterSnapshotIdentifier"],
        database=answer["DBClusterIdentifier"],
        status=answer["Status"],
        tags=tags_of(answer.get("TagList", ())),
        copied_from=answer.get("SourceDBClusterSnapshotArn", ""),
        encrypted=answer.get("StorageEncrypted", False),
        size_gib=answer.get("AllocatedStorage", 0),
        kms_key=answer.get("KmsKeyId", ""),
    )
