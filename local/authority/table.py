"""What AWS checks for each operation that Holdfast calls, and for those that it must not be able to.

From AWS's Service Authorization Reference (actions, the resources that each requires, condition keys) and,
where a service asks another in the caller's name, from that service's guide, named at the row. An operation
without a row is denied: a new call needs its row here.
"""

from collections.abc import Iterator, Mapping

from local.authority import drills, facts, restores, snapshots
from local.authority.asked import Asked, Check, Row, on, through, without_resources
from local.authority.calls import Call


class NoRowError(Exception):
    """An operation of which this table does not say what AWS checks."""


def checks(call: Call, account: str, session: str = "") -> list[Check]:
    """What AWS checks for the call. Raises `NoRowError`."""
    row = ROWS.get(call.action)
    if row is None:
        raise NoRowError(f"{call.action} has no row in local/authority/table.py")
    return list(row(Asked(call, account, session)))


# DynamoDB.


def _export(asked: Asked) -> Iterator[Check]:
    """DynamoDB's guide, "Requesting a table export": what is written is written with the caller's rights;
    S3's guide ("uploading with KMS in parts"): with kms:GenerateDataKey and kms:Decrypt."""
    yield Check(action="dynamodb:ExportTableToPointInTime", resource=asked["TableArn"])
    bucket = asked["S3Bucket"]
    arn = f"arn:{facts.PARTITION}:s3:::{bucket}/{asked['S3Prefix']}/AWSDynamoDB/*"
    for action in ("s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"):
        yield Check(action=action, resource=arn, policy=_bucket_arn(bucket))
    named = asked.given("S3SseKmsKeyId")
    key = facts.key_arn(named, asked.account, asked.call.region) if named else facts.bucket_key(bucket)
    yield from through("s3", facts.bucket_region(bucket), key, ("kms:GenerateDataKey", "kms:Decrypt"))
    table_key = facts.table_key(asked["TableArn"])
    yield from through("dynamodb", asked.call.region, table_key, ("kms:DescribeKey", "kms:Decrypt"))


def _by_arn(action: str, parameter: str) -> Row:
    return lambda asked: [Check(action=action, resource=asked[parameter])]


# S3.


def _bucket_arn(bucket: str) -> str:
    return f"arn:{facts.PARTITION}:s3:::{bucket}"


def _object(action: str, asked: Asked, key: str = "") -> Check:
    bucket = asked["Bucket"]
    name = key or asked["Key"]
    return Check(action=action, resource=f"{_bucket_arn(bucket)}/{name}", policy=_bucket_arn(bucket))


def _on_object(action: str) -> Row:
    return lambda asked: [_object(action, asked)]


def _get_object(asked: Asked) -> Iterator[Check]:
    """S3's API reference, GetObject: without s3:ListBucket an absent object is answered with 403. The
    question has no prefix then. What KMS encrypts takes kms:Decrypt."""
    yield _object("s3:GetObjectVersion" if asked.given("VersionId") else "s3:GetObject", asked)
    bucket = asked["Bucket"]
    if not facts.has_object(bucket, asked["Key"]):
        yield Check(action="s3:ListBucket", resource=_bucket_arn(bucket), policy=_bucket_arn(bucket))
        return
    key = facts.bucket_key(bucket)
    yield from through("s3", facts.bucket_region(bucket), key, ("kms:Decrypt",))


def _put_object(asked: Asked) -> Iterator[Check]:
    """S3's guide, "How to prevent object overwrites with conditional writes": If-Match takes s3:GetObject
    too. In a bucket that encrypts with a key of KMS, kms:GenerateDataKey. PutObject with a lock takes
    s3:PutObjectRetention (S3's guide, "Required permissions" of Object Lock)."""
    yield _object("s3:PutObject", asked)
    if asked.given("ObjectLockMode"):
        yield _object("s3:PutObjectRetention", asked)
    if asked.given("IfMatch"):
        yield _object("s3:GetObject", asked)
    bucket = asked["Bucket"]
    key = facts.bucket_key(bucket)
    yield from through("s3", facts.bucket_region(bucket), key, ("kms:GenerateDataKey",))


def _put_retention(asked: Asked) -> Iterator[Check]:
    """To shorten one, or take it away, takes s3:BypassGovernanceRetention (S3's API reference,
    PutObjectRetention)."""
    yield _object("s3:PutObjectRetention", asked)
    if asked.given("BypassGovernanceRetention"):
        yield _object("s3:BypassGovernanceRetention", asked)


def _list_bucket(asked: Asked) -> Iterator[Check]:
    bucket = asked["Bucket"]
    prefix = asked.given("Prefix")
    context = {"s3:prefix": str(prefix)} if prefix is not None else {}
    yield Check(
        action="s3:ListBucket",
        resource=_bucket_arn(bucket),
        context=context,
        policy=_bucket_arn(bucket),
    )


def _delete_objects(asked: Asked) -> Iterator[Check]:
    for one in (asked.given("Delete") or {}).get("Objects", ()):
        action = "s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject"
        yield _object(action, asked, one["Key"])


# The others.


def _publish(asked: Asked) -> Iterator[Check]:
    """SNS's guide, "Key management": who publishes to an encrypted topic needs kms:GenerateDataKey and
    kms:Decrypt on its key."""
    topic = asked["TopicArn"]
    yield Check(action="sns:Publish", resource=topic, policy=topic)
    yield from through(
        "sns", asked.call.region, facts.topic_key(topic), ("kms:GenerateDataKey", "kms:Decrypt")
    )


def _assume_role(asked: Asked) -> Iterator[Check]:
    role = asked["RoleArn"]
    yield Check(action="sts:AssumeRole", resource=role, policy=role, decides=True)


def _on_key(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Check]:
        key = facts.key_arn(asked["KeyId"], asked.account, asked.call.region)
        yield Check(action=action, resource=key, policy=key, decides=True)

    return row


def _parameter(asked: Asked, action: str, name: str) -> Check:
    return Check(action=action, resource=asked.arn("ssm", f"parameter/{name.lstrip('/')}"))


def _quota(action: str) -> Row:
    """Service Quotas asks the service itself in the caller's name; RDS by DescribeAccountAttributes."""

    def row(asked: Asked) -> Iterator[Check]:
        yield Check(action=action, resource="*")
        if asked["ServiceCode"] == "rds":
            yield Check(action="rds:DescribeAccountAttributes", resource="*")

    return row


def _invoke(asked: Asked) -> Iterator[Check]:
    """By its name, its ARN, and with a version or alias in either or beside it."""
    name, qualifier = asked["FunctionName"], asked.given("Qualifier")
    arn = name if name.startswith("arn:") else asked.arn("lambda", f"function:{name}")
    yield Check(action="lambda:InvokeFunction", resource=f"{arn}:{qualifier}" if qualifier else arn)


def _checkpoint(asked: Asked) -> Iterator[Check]:
    """Lambda's guide, "Durable functions": a function invokes others in its own name, by a checkpoint."""
    yield Check(action="lambda:CheckpointDurableExecution", resource=_execution(asked))
    for update in asked.given("Updates") or ():
        if update.get("Type") == "CHAINED_INVOKE" and update.get("Action") == "START":
            name = update["ChainedInvokeOptions"]["FunctionName"]
            arn = name if name.startswith("arn:") else asked.arn("lambda", f"function:{name}")
            yield Check(action="lambda:InvokeFunction", resource=arn)


def _execution(asked: Asked) -> str:
    """Its ARN begins with that of its function's version (Lambda's guide, "Security and permissions for
    Lambda durable functions"). The local runner gives it a name alone: then it is one of the function that
    asks, by which Lambda names the session."""
    arn = asked["DurableExecutionArn"]
    if arn.startswith("arn:"):
        return arn
    return asked.arn("lambda", f"function:{asked.session}:1/durable-execution/{arn}")


_FORBIDDEN: Mapping[str, tuple[str, str]] = {
    "dynamodb:DeleteItem": ("dynamodb", "table/{TableName}"),
    "dynamodb:GetItem": ("dynamodb", "table/{TableName}"),
    "dynamodb:Query": ("dynamodb", "table/{TableName}"),
    "ebs:GetSnapshotBlock": ("ebs", "snapshot/{SnapshotId}"),
    "ebs:ListSnapshotBlocks": ("ebs", "snapshot/{SnapshotId}"),
    "ec2:AttachVolume": ("ec2", "volume/{VolumeId}"),
    "ec2:TerminateInstances": ("ec2", "instance/*"),
    "iam:AttachRolePolicy": ("iam", "role/{RoleName}"),
    "iam:CreateRole": ("iam", "role/{RoleName}"),
    "iam:PutRolePolicy": ("iam", "role/{RoleName}"),
    "lambda:UpdateFunctionCode": ("lambda", "function:{FunctionName}"),
    "lambda:UpdateFunctionConfiguration": ("lambda", "function:{FunctionName}"),
    "rds:StopDBInstance": ("rds", "db:{DBInstanceIdentifier}"),
    "s3:DeleteBucket": ("s3", "{Bucket}"),
    "s3:PutBucketPolicy": ("s3", "{Bucket}"),
    "sns:SetTopicAttributes": ("sns", "*"),
}
"""What Holdfast never calls, and tests try: the service in the ARN, and the resource in it. Each checks more
than this in AWS. It is denied with the first."""

ROWS: Mapping[str, Row] = {
    **{action: on(action, service, resource) for action, (service, resource) in _FORBIDDEN.items()},
    **snapshots.ROWS,
    **restores.ROWS,
    **drills.ROWS,
    "dynamodb:CreateBackup": on("dynamodb:CreateBackup", "dynamodb", "table/{TableName}"),
    "dynamodb:DeleteBackup": _by_arn("dynamodb:DeleteBackup", "BackupArn"),
    "dynamodb:DescribeExport": _by_arn("dynamodb:DescribeExport", "ExportArn"),
    "dynamodb:DescribeTable": on("dynamodb:DescribeTable", "dynamodb", "table/{TableName}"),
    "dynamodb:ExportTableToPointInTime": _export,
    "dynamodb:ListBackups": without_resources("dynamodb:ListBackups"),
    "dynamodb:ListTables": without_resources("dynamodb:ListTables"),
    "kms:Decrypt": _on_key("kms:Decrypt"),
    "kms:DescribeKey": _on_key("kms:DescribeKey"),
    "kms:ScheduleKeyDeletion": _on_key("kms:ScheduleKeyDeletion"),
    "lambda:CheckpointDurableExecution": _checkpoint,
    "lambda:GetDurableExecutionState": lambda asked: [
        Check(action="lambda:GetDurableExecutionState", resource=_execution(asked))
    ],
    "lambda:Invoke": _invoke,
    "s3:DeleteObject": lambda asked: [
        _object("s3:DeleteObjectVersion" if asked.given("VersionId") else "s3:DeleteObject", asked)
    ],
    "s3:DeleteObjects": _delete_objects,
    "s3:GetObject": _get_object,
    "s3:HeadObject": _get_object,
    "s3:ListObjects": _list_bucket,
    "s3:ListObjectsV2": _list_bucket,
    "s3:PutObject": _put_object,
    "s3:PutObjectRetention": _put_retention,
    "servicequotas:GetAWSDefaultServiceQuota": _quota("servicequotas:GetAWSDefaultServiceQuota"),
    "servicequotas:GetServiceQuota": _quota("servicequotas:GetServiceQuota"),
    "sns:Publish": _publish,
    "sqs:SendMessage": lambda asked: [
        Check(
            action="sqs:SendMessage",
            resource=asked.arn("sqs", asked["QueueUrl"].rpartition("/")[2]),
        )
    ],
    "secretsmanager:GetSecretValue": lambda asked: [
        Check(action="secretsmanager:GetSecretValue", resource=asked["SecretId"])
    ],
    "ssm:GetParameter": lambda asked: [_parameter(asked, "ssm:GetParameter", asked["Name"])],
    "ssm:GetParametersByPath": lambda asked: [_parameter(asked, "ssm:GetParametersByPath", asked["Path"])],
    "ssm:PutParameter": lambda asked: [_parameter(asked, "ssm:PutParameter", asked["Name"])],
    "sts:AssumeRole": _assume_role,
    "sts:GetCallerIdentity": lambda _: [],  # allowed to all, whatever their policies say
    "tag:GetResources": without_resources("tag:GetResources"),
}
