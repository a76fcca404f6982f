"""What AWS checks for snapshots of databases and volumes: RDS's and EC2's rows of the table."""

from collections.abc import Iterator, Mapping
from typing import Any

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

_READ_OF_COPY = ("kms:DescribeKey", "kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant")
_READ_OF_SHARED = (
    *_READ_OF_COPY,
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptTo",
)
"""What another account is to be given of a key that shared snapshots are encrypted with, by EBS's guide."""

_WRITE_OF_COPY = (
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptTo",
    "kms:CreateGrant",
)


def _reading(asked: Asked, key: str) -> tuple[str, ...]:
    return _READ_OF_COPY if facts.owner(key) in ("", asked.account) else _READ_OF_SHARED


# RDS. A snapshot is made of something, checked as well; tags in the call are an action of their own on what
# is made (Service Authorization Reference, "dependent actions"; RDS's guide, "Specifying conditions").


def _tagged(asked: Asked, arn: str) -> Iterator[Check]:
    if tags := asked.given("Tags"):
        yield Check(action="rds:AddTagsToResource", resource=arn, context=request_tags(tags))


def _create_of(action: str, source: str, source_id: str, made: str, made_id: str) -> Row:
    def row(asked: Asked) -> Iterator[Check]:
        tags = request_tags(asked.given("Tags") or ())
        snapshot = asked.arn("rds", f"{made}:{asked[made_id]}")
        yield Check(action=action, resource=asked.arn("rds", f"{source}:{asked[source_id]}"), context=tags)
        yield Check(action=action, resource=snapshot, context=tags)
        yield from _tagged(asked, snapshot)

    return row


def _copy_of(action: str, kind: str, source_id: str, target_id: str) -> Row:
    """RDS's guide, "Copying a DB snapshot": checked on the source in its Region and on the target in its
    own. Encrypted, with the actions that "Sharing encrypted snapshots" has a key's users granted; which of
    them RDS uses on which of the two keys it does not say: here those that read with the one, and write with
    the other."""

    def row(asked: Asked) -> Iterator[Check]:
        source = asked[source_id]
        if not source.startswith("arn:"):
            source = asked.arn("rds", f"{kind}:{source}")
        target = asked.arn("rds", f"{kind}:{asked[target_id]}")
        _, _, _, region, owner, name = source.split(":", 5)
        thing = facts.rds_snapshot(owner, region, kind, name.partition(":")[2])
        yield Check(action=action, resource=source, context=resource_tags(thing.tags, "aws"))
        yield Check(action=action, resource=target, context=request_tags(asked.given("Tags") or ()))
        yield from _tagged(asked, target)
        yield from through("rds", region, thing.key, _reading(asked, thing.key))
        if thing.key or asked.given("KmsKeyId"):
            key = facts.customers_key(asked.given("KmsKeyId") or "", asked.account, asked.call.region)
            yield from through("rds", asked.call.region, key or thing.key, (*_WRITE_OF_COPY, "kms:Encrypt"))

    return row


def _snapshot_of(action: str, kind: str, id_: str) -> Row:
    """What is done to one snapshot, whose tags count."""

    def row(asked: Asked) -> Iterator[Check]:
        thing = facts.rds_snapshot(asked.account, asked.call.region, kind, asked[id_])
        yield Check(
            action=action,
            resource=asked.arn("rds", f"{kind}:{asked[id_]}"),
            context=resource_tags(thing.tags, "aws"),
        )

    return row


def _rds_tags(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Check]:
        _, _, _, region, account, kind, name = asked["ResourceName"].split(":", 6)
        find = facts.rds_snapshot if kind.endswith("snapshot") else facts.rds_database
        tags = find(account, region, kind, name).tags
        context = request_tags(asked.given("Tags") or ()) | resource_tags(tags, "aws")
        yield Check(action=action, resource=asked["ResourceName"], context=context)

    return row


# EC2. What is made has no id yet: the ARN ends in `*`. Tags in the call are ec2:CreateTags, with the
# operation as ec2:CreateAction (EC2's guide, "Grant permission to tag resources during creation").


def _specified(asked: Asked) -> dict[str, str]:
    return request_tags(tag for one in asked.given("TagSpecifications") or () for tag in one.get("Tags", ()))


def _made(asked: Asked, action: str) -> Iterator[Check]:
    tags = _specified(asked)
    yield Check(action=action, resource=asked.ebs("*"), context=tags)
    if tags:
        context = {**tags, "ec2:CreateAction": asked.call.operation}
        yield Check(action="ec2:CreateTags", resource=asked.ebs("*"), context=context)


def _standing(asked: Asked, action: str, type_: str, id_: str) -> Check:
    tags = facts.ec2_tags(asked.account, asked.call.region, id_)
    return Check(
        action=action,
        resource=asked.arn("ec2", f"{type_}/{id_}"),
        context=resource_tags(tags, "aws", "ec2"),
    )


def _create_snapshot(asked: Asked) -> Iterator[Check]:
    yield _standing(asked, "ec2:CreateSnapshot", "volume", asked["VolumeId"])
    yield from _made(asked, "ec2:CreateSnapshot")


def _create_snapshots(asked: Asked) -> Iterator[Check]:
    wanted: Mapping[str, Any] = asked.given("InstanceSpecification") or {}
    instance = str(wanted.get("InstanceId"))
    yield _standing(asked, "ec2:CreateSnapshots", "instance", instance)
    left_out = set(wanted.get("ExcludeDataVolumeIds", ()))
    for volume in facts.attached_volumes(asked.account, asked.call.region, instance):
        if volume not in left_out:
            yield _standing(asked, "ec2:CreateSnapshots", "volume", volume)
    yield from _made(asked, "ec2:CreateSnapshots")


def _copy_snapshot(asked: Asked) -> Iterator[Check]:
    """The source and what is made. Encrypted: EBS's guide, "Share the KMS key used to encrypt a shared
    snapshot", has the actions; which on which key is taken as for RDS."""
    region = asked["SourceRegion"]
    thing = facts.ebs_snapshot(region, asked["SourceSnapshotId"])
    yield Check(
        action="ec2:CopySnapshot",
        resource=asked.ebs(asked["SourceSnapshotId"], region),
        context=resource_tags(thing.tags, "aws", "ec2"),
    )
    yield from _made(asked, "ec2:CopySnapshot")
    yield from through("ec2", region, thing.key, _reading(asked, thing.key))
    if thing.key or asked.given("Encrypted"):
        key = facts.customers_key(asked.given("KmsKeyId") or "", asked.account, asked.call.region)
        yield from through("ec2", asked.call.region, key, _WRITE_OF_COPY)


def _ebs_snapshot(action: str) -> Row:
    """What is done to one snapshot. Who it is shared with is known to IAM as ec2:Add/userId and
    ec2:Add/group."""

    def row(asked: Asked) -> Iterator[Check]:
        thing = facts.ebs_snapshot(asked.call.region, asked["SnapshotId"])
        context = resource_tags(thing.tags, "aws", "ec2")
        for key, parameter in (("ec2:Add/userId", "UserIds"), ("ec2:Add/group", "GroupNames")):
            for value in asked.given(parameter) or () if asked["OperationType"] == "add" else ():
                context[key] = value
        for one in (asked.given("CreateVolumePermission") or {}).get("Add", ()):
            context |= {f"ec2:Add/{'userId' if key == 'UserId' else 'group'}": one[key] for key in one}
        yield Check(action=action, resource=asked.ebs(asked["SnapshotId"]), context=context)

    return row


def _ec2_tags(action: str) -> Row:
    """Tags of what stands: there is no ec2:CreateAction."""

    def row(asked: Asked) -> Iterator[Check]:
        for id_ in asked.given("Resources") or ():
            is_volume = id_.startswith("vol-")
            tags = (
                facts.ec2_tags(asked.account, asked.call.region, id_)
                if is_volume
                else facts.ebs_snapshot(asked.call.region, id_).tags
            )
            context = request_tags(asked.given("Tags") or ()) | resource_tags(tags, "aws", "ec2")
            resource = asked.arn("ec2", f"volume/{id_}") if is_volume else asked.ebs(id_)
            yield Check(action=action, resource=resource, context=context)

    return row


ROWS: Mapping[str, Row] = {
    "ec2:CopySnapshot": _copy_snapshot,
    "ec2:CreateSnapshot": _create_snapshot,
    "ec2:CreateSnapshots": _create_snapshots,
    "ec2:CreateTags": _ec2_tags("ec2:CreateTags"),
    "ec2:DeleteSnapshot": _ebs_snapshot("ec2:DeleteSnapshot"),
    "ec2:DeleteTags": _ec2_tags("ec2:DeleteTags"),
    "ec2:DescribeInstances": without_resources("ec2:DescribeInstances"),
    "ec2:DescribeSnapshots": without_resources("ec2:DescribeSnapshots"),
    "ec2:DescribeVolumes": without_resources("ec2:DescribeVolumes"),
    "ec2:ModifySnapshotAttribute": _ebs_snapshot("ec2:ModifySnapshotAttribute"),
    "rds:AddTagsToResource": _rds_tags("rds:AddTagsToResource"),
    "rds:CopyDBClusterSnapshot": _copy_of(
        "rds:CopyDBClusterSnapshot",
        "cluster-snapshot",
        "SourceDBClusterSnapshotIdentifier",
        "TargetDBClusterSnapshotIdentifier",
    ),
    "rds:CopyDBSnapshot": _copy_of(
        "rds:CopyDBSnapshot", "snapshot", "SourceDBSnapshotIdentifier", "TargetDBSnapshotIdentifier"
    ),
    "rds:CreateDBClusterSnapshot": _create_of(
        "rds:CreateDBClusterSnapshot",
        "cluster",
        "DBClusterIdentifier",
        "cluster-snapshot",
        "DBClusterSnapshotIdentifier",
    ),
    "rds:CreateDBSnapshot": _create_of(
        "rds:CreateDBSnapshot", "db", "DBInstanceIdentifier", "snapshot", "DBSnapshotIdentifier"
    ),
    "rds:DeleteDBClusterSnapshot": _snapshot_of(
        "rds:DeleteDBClusterSnapshot", "cluster-snapshot", "DBClusterSnapshotIdentifier"
    ),
    "rds:DeleteDBSnapshot": _snapshot_of("rds:DeleteDBSnapshot", "snapshot", "DBSnapshotIdentifier"),
    "rds:DescribeDBClusterSnapshots": on(
        "rds:DescribeDBClusterSnapshots",
        "rds",
        "cluster:{DBClusterIdentifier}",
        "cluster-snapshot:{DBClusterSnapshotIdentifier}",
    ),
    "rds:DescribeDBClusters": on("rds:DescribeDBClusters", "rds", "cluster:{DBClusterIdentifier}"),
    "rds:DescribeDBInstances": on("rds:DescribeDBInstances", "rds", "db:{DBInstanceIdentifier}"),
    "rds:DescribeDBSnapshots": on(
        "rds:DescribeDBSnapshots", "rds", "db:{DBInstanceIdentifier}", "snapshot:{DBSnapshotIdentifier}"
    ),
    "rds:ModifyDBClusterSnapshotAttribute": _snapshot_of(
        "rds:ModifyDBClusterSnapshotAttribute", "cluster-snapshot", "DBClusterSnapshotIdentifier"
    ),
    "rds:ModifyDBSnapshotAttribute": _snapshot_of(
        "rds:ModifyDBSnapshotAttribute", "snapshot", "DBSnapshotIdentifier"
    ),
    "rds:RemoveTagsFromResource": _rds_tags("rds:RemoveTagsFromResource"),
}
