"""What AWS checks for restores: DynamoDB's, RDS's, EC2's and Application Auto Scaling's rows of the table.

After the Service Authorization Reference; what DynamoDB demands beside, after its developer guide.
"""

from collections.abc import Iterable, Iterator, Mapping

from local.authority import facts
from local.authority.asked import (
    Asked,
    Check,
    Row,
    on,
    request_tags,
    resource_tags,
    through,
    without_resources,
)

_ITEMS = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""What whoever restores a table needs on the target (developer guide, "Using IAM with DynamoDB backup and
restore")."""

_IMPORT_LOGS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "PutLogEvents",
    "PutRetentionPolicy",
)
_KEY_OF_RESTORE = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""Of one key the use that the guides of RDS and EBS have for reading with it and for writing with it."""


# DynamoDB.


def _restored_table(asked: Asked, action: str, source: str) -> Iterator[Check]:
    target = asked.arn("dynamodb", f"table/{asked['TargetTableName']}")
    for resource in (source, target):
        yield Check(action=action, resource=resource)
    yield from (Check(action=f"dynamodb:{one}", resource=target) for one in _ITEMS)
    key = facts.table_key(source.split("/backup/", maxsplit=1)[0])
    yield from through("dynamodb", asked.call.region, key, _KEY_OF_RESTORE)


def _of_backup(asked: Asked) -> Iterable[Check]:
    return _restored_table(asked, "dynamodb:RestoreTableFromBackup", asked["BackupArn"])


def _of_instant(asked: Asked) -> Iterable[Check]:
    named = asked.arn("dynamodb", f"table/{asked['SourceTableName']}")
    source = asked.given("SourceTableArn") or named
    return _restored_table(asked, "dynamodb:RestoreTableToPointInTime", source)


def _import(asked: Asked) -> Iterator[Check]:
    """Developer guide, "Requesting a table import": it reads with the rights of who asks, and logs so."""
    table = (asked.given("TableCreationParameters") or {}).get("TableName", "*")
    yield Check(action="dynamodb:ImportTable", resource=asked.arn("dynamodb", f"table/{table}"))
    source = asked.given("S3BucketSource") or {}
    bucket, prefix = source.get("S3Bucket", "*"), source.get("S3KeyPrefix", "")
    arn = f"arn:{facts.PARTITION}:s3:::{bucket}"
    yield Check(action="s3:ListBucket", resource=arn, context={"s3:prefix": prefix}, policy=arn)
    yield Check(action="s3:GetObject", resource=f"{arn}/{prefix}*", policy=arn)
    yield from through("s3", facts.bucket_region(bucket), facts.bucket_key(bucket), ("kms:Decrypt",))
    logs = asked.arn("logs", "log-group:/aws-dynamodb/imports")
    yield from (Check(action=f"logs:{one}", resource=logs) for one in _IMPORT_LOGS)


def _table(action: str, arn: str, more: Mapping[str, str] | None = None) -> Check:
    context = resource_tags(facts.table_tags(arn), "aws") | dict(more or {})
    return Check(action=action, resource=arn, context=context)


def _on_table(action: str) -> Row:
    """What changes a table, whose tags count."""
    return lambda asked: [_table(action, asked.arn("dynamodb", f"table/{asked['TableName']}"))]


def _on_arn(action: str) -> Row:
    return lambda asked: [_table(action, asked["ResourceArn"])]


def _tag_table(asked: Asked) -> Iterator[Check]:
    tags = request_tags(asked.given("Tags") or ())
    yield _table("dynamodb:TagResource", asked["ResourceArn"], tags)


def _write_items(asked: Asked) -> Iterator[Check]:
    for table in asked.given("RequestItems") or ():
        arn = table if table.startswith("arn:") else asked.arn("dynamodb", f"table/{table}")
        yield _table("dynamodb:BatchWriteItem", arn)


def _items(action: str, asked: Asked, table: str) -> Iterator[Check]:
    """Developer guide, "DynamoDB encryption at rest": the key of a table is used with the caller's rights."""
    arn = table if table.startswith("arn:") else asked.arn("dynamodb", f"table/{table}")
    yield _table(action, arn)
    key = facts.table_key(arn)
    uses = ["kms:Decrypt", "kms:DescribeKey"]
    if action == "dynamodb:PutItem":
        uses += ["kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    yield from through("dynamodb", asked.call.region, key, uses)


def _on_items(action: str) -> Row:
    return lambda asked: _items(action, asked, asked["TableName"])


def _read_items(asked: Asked) -> Iterator[Check]:
    for table in asked.given("RequestItems") or ():
        yield from _items("dynamodb:BatchGetItem", asked, table)


def _stream_to(asked: Asked) -> Iterator[Check]:
    """Developer guide, "Using IAM for Amazon Kinesis Data Streams and DynamoDB"."""
    yield from _on_table("dynamodb:EnableKinesisStreamingDestination")(asked)
    for action in ("DescribeStream", "PutRecord", "PutRecords"):
        yield Check(action=f"kinesis:{action}", resource=asked["StreamArn"])


# Application Auto Scaling.


def _scale(action: str) -> Row:
    """Its guide: who asks for a policy needs CloudWatch's rights to the alarms."""

    def row(asked: Asked) -> Iterator[Check]:
        yield Check(
            action=f"application-autoscaling:{action}",
            resource=asked.arn("application-autoscaling", "scalable-target/*"),
            context={"application-autoscaling:service-namespace": asked["ServiceNamespace"]},
        )
        if action == "PutScalingPolicy":
            alarm = asked.arn("cloudwatch", f"alarm:TargetTracking-{asked['ResourceId']}-AlarmHigh")
            yield Check(action="cloudwatch:DescribeAlarms", resource=alarm)
            yield Check(action="cloudwatch:PutMetricAlarm", resource=alarm)

    return row


# RDS. What is made, what it is made of, and the groups that it will be of: where a call names none, that of
# AWS's choice. Tags in the call are an action of their own.


def _rds(asked: Asked, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else asked.arn("rds", f"{kind}:{name}")


def _made(asked: Asked, action: str, resources: Iterable[str], made: str) -> Iterator[Check]:
    tags = request_tags(asked.given("Tags") or ())
    for resource in (*resources, made):
        yield Check(action=action, resource=resource, context=tags)
    if tags:
        yield Check(action="rds:AddTagsToResource", resource=made, context=tags)
    yield from _passed(asked)


def _passed(asked: Asked) -> Iterator[Check]:
    if role := asked.given("MonitoringRoleArn"):
        context = {"iam:PassedToService": "monitoring.rds.amazonaws.com"}
        yield Check(action="iam:PassRole", resource=role, context=context)


def _groups(asked: Asked, parameters: str, named: str) -> list[str]:
    return [
        asked.arn("rds", f"og:{asked['OptionGroupName']}"),
        asked.arn("rds", f"{parameters}:{asked[named]}"),
        asked.arn("rds", f"subgrp:{asked['DBSubnetGroupName']}"),
    ]


def _key(asked: Asked, key: str) -> Iterator[Check]:
    given = facts.customers_key(asked.given("KmsKeyId") or "", asked.account, asked.call.region)
    yield from through("rds", asked.call.region, given or key, _KEY_OF_RESTORE)


def _restore_instance(asked: Asked) -> Iterator[Check]:
    source = _rds(asked, "snapshot", asked["DBSnapshotIdentifier"])
    made = asked.arn("rds", f"db:{asked['DBInstanceIdentifier']}")
    groups = _groups(asked, "pg", "DBParameterGroupName")
    yield from _made(asked, "rds:RestoreDBInstanceFromDBSnapshot", [source, *groups], made)
    _, _, _, region, account, name = source.split(":", 5)
    yield from _key(asked, facts.rds_snapshot(account, region, "snapshot", name.partition(":")[2]).key)


def _restore_instance_to_instant(asked: Asked) -> Iterator[Check]:
    source = asked["SourceDBInstanceIdentifier"]
    made = asked.arn("rds", f"db:{asked['TargetDBInstanceIdentifier']}")
    groups = _groups(asked, "pg", "DBParameterGroupName")
    resources = [_rds(asked, "db", source), *groups]
    yield from _made(asked, "rds:RestoreDBInstanceToPointInTime", resources, made)
    yield from _key(asked, facts.rds_database(asked.account, asked.call.region, "db", source).key)


def _restore_cluster(asked: Asked) -> Iterator[Check]:
    source = _rds(asked, "cluster-snapshot", asked["SnapshotIdentifier"])
    made = asked.arn("rds", f"cluster:{asked['DBClusterIdentifier']}")
    groups = _groups(asked, "cluster-pg", "DBClusterParameterGroupName")
    yield from _made(asked, "rds:RestoreDBClusterFromSnapshot", [source, *groups], made)
    _, _, _, region, account, name = source.split(":", 5)
    yield from _key(
        asked, facts.rds_snapshot(account, region, "cluster-snapshot", name.partition(":")[2]).key
    )


def _restore_cluster_to_instant(asked: Asked) -> Iterator[Check]:
    source = asked["SourceDBClusterIdentifier"]
    made = asked.arn("rds", f"cluster:{asked['DBClusterIdentifier']}")
    groups = _groups(asked, "cluster-pg", "DBClusterParameterGroupName")
    resources = [_rds(asked, "cluster", source), *groups]
    yield from _made(asked, "rds:RestoreDBClusterToPointInTime", resources, made)
    yield from _key(asked, facts.rds_database(asked.account, asked.call.region, "cluster", source).key)


def _create_instance(asked: Asked) -> Iterator[Check]:
    made = asked.arn("rds", f"db:{asked['DBInstanceIdentifier']}")
    cluster = asked.arn("rds", f"cluster:{asked['DBClusterIdentifier']}")
    groups = _groups(asked, "pg", "DBParameterGroupName")
    yield from _made(asked, "rds:CreateDBInstance", [cluster, *groups], made)


def _change(action: str, kind: str, id_: str, *groups: tuple[str, str]) -> Row:
    """What changes an instance or a cluster, whose tags count; and the groups that it will be of."""

    def row(asked: Asked) -> Iterator[Check]:
        thing = facts.rds_database(asked.account, asked.call.region, kind, asked[id_])
        context = resource_tags(thing.tags, "aws")
        yield Check(action=action, resource=asked.arn("rds", f"{kind}:{asked[id_]}"), context=context)
        for group, named in groups:
            yield Check(action=action, resource=asked.arn("rds", f"{group}:{asked[named]}"))
        yield from _passed(asked)

    return row


# EC2.


def _create_volume(asked: Asked) -> Iterator[Check]:
    """The volume and, since 2025, the snapshot (EBS's guide, "Permissions for creating volumes from
    snapshots")."""
    tags = request_tags(tag for one in asked.given("TagSpecifications") or () for tag in one.get("Tags", ()))
    volume = asked.arn("ec2", "volume/*")
    yield Check(action="ec2:CreateVolume", resource=volume, context=tags)
    thing = facts.ebs_snapshot(asked.call.region, asked["SnapshotId"])
    yield Check(
        action="ec2:CreateVolume",
        resource=asked.ebs(asked["SnapshotId"]),
        context=resource_tags(thing.tags, "aws", "ec2"),
    )
    if tags:
        context = {**tags, "ec2:CreateAction": "CreateVolume"}
        yield Check(action="ec2:CreateTags", resource=volume, context=context)
    given = facts.customers_key(asked.given("KmsKeyId") or "", asked.account, asked.call.region)
    yield from through("ec2", asked.call.region, given or thing.key, _KEY_OF_RESTORE)


ROWS: Mapping[str, Row] = {
    "application-autoscaling:DescribeScalableTargets": without_resources(
        "application-autoscaling:DescribeScalableTargets"
    ),
    "application-autoscaling:DescribeScalingPolicies": without_resources(
        "application-autoscaling:DescribeScalingPolicies"
    ),
    "application-autoscaling:DescribeScheduledActions": without_resources(
        "application-autoscaling:DescribeScheduledActions"
    ),
    "application-autoscaling:PutScalingPolicy": _scale("PutScalingPolicy"),
    "application-autoscaling:PutScheduledAction": _scale("PutScheduledAction"),
    "application-autoscaling:RegisterScalableTarget": _scale("RegisterScalableTarget"),
    "dynamodb:BatchGetItem": _read_items,
    "dynamodb:BatchWriteItem": _write_items,
    "dynamodb:DescribeContinuousBackups": _on_table("dynamodb:DescribeContinuousBackups"),
    "dynamodb:DescribeImport": lambda asked: [
        Check(action="dynamodb:DescribeImport", resource=asked["ImportArn"])
    ],
    "dynamodb:DescribeKinesisStreamingDestination": _on_table("dynamodb:DescribeKinesisStreamingDestination"),
    "dynamodb:DescribeTimeToLive": _on_table("dynamodb:DescribeTimeToLive"),
    "dynamodb:EnableKinesisStreamingDestination": _stream_to,
    "dynamodb:GetResourcePolicy": _on_arn("dynamodb:GetResourcePolicy"),
    "dynamodb:ImportTable": _import,
    "dynamodb:ListContributorInsights": without_resources("dynamodb:ListContributorInsights"),
    "dynamodb:ListImports": without_resources("dynamodb:ListImports"),
    "dynamodb:ListTagsOfResource": _on_arn("dynamodb:ListTagsOfResource"),
    "dynamodb:PutItem": _on_items("dynamodb:PutItem"),
    "dynamodb:PutResourcePolicy": _on_arn("dynamodb:PutResourcePolicy"),
    "dynamodb:RestoreTableFromBackup": _of_backup,
    "dynamodb:RestoreTableToPointInTime": _of_instant,
    "dynamodb:Scan": _on_items("dynamodb:Scan"),
    "dynamodb:TagResource": _tag_table,
    "dynamodb:UpdateContinuousBackups": _on_table("dynamodb:UpdateContinuousBackups"),
    "dynamodb:UpdateContributorInsights": _on_table("dynamodb:UpdateContributorInsights"),
    "dynamodb:UpdateTable": _on_table("dynamodb:UpdateTable"),
    "dynamodb:UpdateTimeToLive": _on_table("dynamodb:UpdateTimeToLive"),
    "ec2:CreateVolume": _create_volume,
    "ec2:DescribeAvailabilityZones": without_resources("ec2:DescribeAvailabilityZones"),
    "rds:CreateDBInstance": _create_instance,
    "rds:DescribeDBInstanceAutomatedBackups": on(
        "rds:DescribeDBInstanceAutomatedBackups", "rds", "db:{DBInstanceIdentifier}", "auto-backup:*"
    ),
    "rds:ModifyDBCluster": _change(
        "rds:ModifyDBCluster",
        "cluster",
        "DBClusterIdentifier",
        ("cluster-pg", "DBClusterParameterGroupName"),
        ("og", "OptionGroupName"),
    ),
    "rds:ModifyDBInstance": _change(
        "rds:ModifyDBInstance",
        "db",
        "DBInstanceIdentifier",
        ("pg", "DBParameterGroupName"),
        ("og", "OptionGroupName"),
    ),
    "rds:RebootDBInstance": _change("rds:RebootDBInstance", "db", "DBInstanceIdentifier"),
    "rds:RestoreDBClusterFromSnapshot": _restore_cluster,
    "rds:RestoreDBClusterToPointInTime": _restore_cluster_to_instant,
    "rds:RestoreDBInstanceFromDBSnapshot": _restore_instance,
    "rds:RestoreDBInstanceToPointInTime": _restore_instance_to_instant,
}
