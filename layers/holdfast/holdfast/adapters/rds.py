"""RDS instances and their manual snapshots. Members of clusters are left to their cluster."""

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
from holdfast.core.naming import INSTANCE_SNAPSHOT_LIMIT

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_rds.type_defs import CopyDBSnapshotMessageTypeDef, DBSnapshotTypeDef


class RdsBackups(RdsApiBackups):
    """The provider and copier of kind `rds`."""

    KIND = "rds"
    LIMIT = INSTANCE_SNAPSHOT_LIMIT
    WORD = "instance"
    RESOURCE_TYPE = "rds:db"
    ARN_TYPE = "db"
    NAMES = OperationNames(
        describe="DescribeDBInstances",
        describe_snapshots="DescribeDBSnapshots",
        create="CreateDBSnapshot",
        share="ModifyDBSnapshotAttribute",
        copy="CopyDBSnapshot",
        delete="DeleteDBSnapshot",
    )
    LAWS = CopyLaws(service="rds")

    def _databases(self, client: "RDSClient", pace: Pace) -> Iterator[Database]:
        pages = client.get_paginator("describe_db_instances").paginate(
            PaginationConfig={"PageSize": PAGE_SIZE}
        )
        for page in paced(pages, pace, "Marker"):
            for instance in page["DBInstances"]:
                if not instance.get("DBClusterIdentifier"):
                    yield Database(
                        arn=instance["DBInstanceArn"],
                        resource_id=instance.get("DbiResourceId", ""),
                        status=instance["DBInstanceStatus"],
                        tags=tags_of(instance.get("TagList", ())),
                    )

    def _snapshots(self, client: "RDSClient", pace: Pace, database: str) -> Iterator[Snapshot]:
        pages = client.get_paginator("describe_db_snapshots").paginate(
            SnapshotType="manual",
            Filters=[{"Name": "db-instance-id", "Values": [database]}] if database else [],
            PaginationConfig={"PageSize": PAGE_SIZE},
        )
        for page in paced(pages, pace, "Marker"):
            yield from map(_snapshot, page["DBSnapshots"])

    def _create(
        self, client: "RDSClient", database: str, identifier: str, tags: Mapping[str, str]
    ) -> Snapshot:
        answer = client.create_db_snapshot(
            DBInstanceIdentifier=database, DBSnapshotIdentifier=identifier, Tags=tag_list(tags)
        )
        return _snapshot(answer["DBSnapshot"])

    def _share(self, client: "RDSClient", identifier: str, account: str) -> None:
        client.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=identifier, AttributeName="restore", ValuesToAdd=[account]
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
        request: CopyDBSnapshotMessageTypeDef = {
            "SourceDBSnapshotIdentifier": source,
            "TargetDBSnapshotIdentifier": identifier,
            "CopyTags": False,
            "Tags": tag_list(tags),
        }
        if from_region:
            request["SourceRegion"] = from_region
        if settings.kms_key:
            request["KmsKeyId"] = settings.kms_key
        if settings.option_group:
            request["OptionGroupName"] = settings.option_group
        answer = client.copy_db_snapshot(**request)
        return _snapshot(answer["DBSnapshot"])

    def _delete(self, client: "RDSClient", identifier: str) -> None:
        client.delete_db_snapshot(DBSnapshotIdentifier=identifier)


def _snapshot(answer: "DBSnapshotTypeDef") -> Snapshot:
    return Snapshot(
        arn=answer["DBSnapshotArn"],
        id=answer["DBSnapshotIdentifier"],
        database=answer["DBInstanceIdentifier"],
        status=answer["Status"],
        tags=tags_of(answer.get("TagList", ())),
        copied_from=answer.get("SourceDBSnapshotIdentifier", ""),
        encrypted=answer.get("Encrypted", False),
        size_gib=answer.get("AllocatedStorage", 0),
        kms_key=answer.get("KmsKeyId", ""),
        origin_region=answer.get("SourceRegion", ""),
        option_group=answer.get("OptionGroupName", ""),
        tde=bool(answer.get("TdeCredentialArn")),
    )
