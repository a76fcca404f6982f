"""What moto knows and IAM asks for: the tags and keys of things, the policies of roles, keys, topics and
buckets, at the moment of the call. Read in moto's own process, from its backends."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import Role, iam_backends
from moto.kms.models import Key, kms_backends
from moto.rds.models import rds_backends
from moto.s3.models import FakeBucket, FakeDeleteMarker, s3_backends
from moto.sns.models import sns_backends
from moto.sts.models import sts_backends

PARTITION = "aws"

type Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A snapshot: its tags, and the key of the customer's that it is encrypted with; empty for none.

    AWS managed keys count as none: their own policy lets the whole account use them through the service.
    """

    tags: Mapping[str, str]
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session of a role that a key belongs to. `role` and `arn` are ARNs."""

    role: str
    arn: str


NOTHING = Thing(tags={}, key="")


def session_of(key: str) -> Session | None:
    """Whose key it is; `None` when moto's STS gave it to nobody."""
    for account in list(sts_backends):
        found = sts_backends[account][PARTITION].get_assumed_role_from_access_key(key)
        if found is not None:
            return Session(role=found.role_arn, arn=found.arn)
    return None


def identity_policies(role_arn: str) -> dict[str, str]:
    """The documents of a role's inline and attached policies, by their names; none when there is no role."""
    role = _role(role_arn)
    if role is None:
        return {}
    attached = {
        policy.name: version.document
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.is_default
    }
    return {name: _text(document) for name, document in (role.policies | attached).items()}


def roles() -> list[str]:
    """The ARNs of all roles."""
    return [str(role.arn) for account in list(iam_backends) for role in _roles_of(account)]


def keys() -> list[str]:
    """The ARNs of all KMS keys."""
    return [
        str(key.arn)
        for account in list(kms_backends)
        for backend in kms_backends[account].values()
        for key in backend.keys.values()
    ]


def resource_policy(arn: str) -> str:
    """The policy of a role (who is trusted), a KMS key, an SNS topic or a bucket; empty when it has none."""
    _, _, service, region, account, name = arn.split(":", 5)
    match service:
        case "iam":
            role = _role(arn)
            return _text(role.assume_role_policy_document) if role else ""
        case "kms":
            key = _key(arn, account, region)
            return _text(key.policy) if key else ""
        case "sns":
            topic = sns_backends[account][region].topics.get(arn)
            return _text(topic.policy) if topic else ""
        case "s3":
            bucket = _bucket(name.partition("/")[0])
            return bucket.policy.decode() if bucket and bucket.policy else ""
    return ""


def owner(arn: str) -> str:
    """The account that a resource belongs to; empty when nobody knows. The ARN of a bucket does not tell."""
    if not arn.startswith("arn:"):
        return ""
    _, _, service, _, account, name = arn.split(":", 5)
    if service == "s3":
        bucket = _bucket(name.partition("/")[0])
        return str(bucket.account_id) if bucket else ""
    return account


def rds_snapshot(account: str, region: str, kind: str, name: str) -> Thing:
    """`kind` as ARNs have it: `snapshot` or `cluster-snapshot`. Nothing when there is no such snapshot."""
    backend = rds_backends[account][region]
    snapshots: Mapping[str, Any] = (
        backend.cluster_snapshots if kind == "cluster-snapshot" else backend.database_snapshots
    )
    found = snapshots.get(name)
    if found is None:
        return NOTHING
    key = str(found.kms_key_id or "") if found.encrypted else ""
    return Thing(tags=_tags(found.tags), key=customers_key(key, account, region))


def rds_database(account: str, region: str, kind: str, name: str) -> Thing:
    """An instance or a cluster; `kind` as ARNs have it: `db` or `cluster`. Nothing when there is none."""
    backend = rds_backends[account][region]
    standing: Mapping[str, Any] = backend.clusters if kind == "cluster" else backend.databases
    found = standing.get(name)
    if found is None:
        return NOTHING
    key = str(found.kms_key_id or "") if found.storage_encrypted else ""
    return Thing(tags=_tags(found.tags), key=customers_key(key, account, region))


def ebs_snapshot(region: str, id_: str) -> Thing:
    """A snapshot of whichever account: its ARN names none."""
    for account in list(ec2_backends):
        found = ec2_backends[account][region].snapshots.get(id_)
        if found is not None:
            key = str(found.kms_key_id or "") if found.encrypted else ""
            return Thing(tags=_tags(found.get_tags()), key=customers_key(key, account, region))
    return NOTHING


def ec2_tags(account: str, region: str, id_: str) -> Mapping[str, str]:
    """The tags of a volume, an instance or a snapshot."""
    return _tags(ec2_backends[account][region].describe_tags(filters={"resource-id": [id_]}))


def attached_volumes(account: str, region: str, instance: str) -> Iterator[str]:
    for volume in ec2_backends[account][region].volumes.values():
        if volume.attachment and volume.attachment.instance.id == instance:
            yield str(volume.id)


def topic_key(arn: str) -> str:
    """The ARN of the key that a topic is encrypted with; empty for none."""
    _, _, _, region, account, _ = arn.split(":", 5)
    topic = sns_backends[account][region].topics.get(arn)
    return customers_key(str(topic.kms_master_key_id or "") if topic else "", account, region)


def bucket_key(name: str) -> str:
    """The ARN of the key that a bucket encrypts with when a call names none; empty for S3's own."""
    bucket = _bucket(name)
    text = json.dumps(bucket.encryption or {}, default=str) if bucket else ""
    return next((part for part in text.split('"') if part.startswith("arn:aws:kms:")), "")


def bucket_region(name: str) -> str:
    bucket = _bucket(name)
    return str(bucket.region_name) if bucket else ""


def has_object(bucket: str, key: str) -> bool:
    found = _bucket(bucket)
    return found is not None and not isinstance(found.keys.get(key), FakeDeleteMarker | None)


def table_key(arn: str) -> str:
    """The ARN of the customer's key that a table is encrypted with; empty for none."""
    _, _, _, region, account, name = arn.split(":", 5)
    table = dynamodb_backends[account][region].tables.get(name.partition("/")[2])
    asked = (table.sse_specification if table else None) or {}
    return customers_key(str(asked.get("KMSMasterKeyId", "")), account, region)


def table_tags(arn: str) -> Mapping[str, str]:
    if not arn.startswith("arn:"):
        return {}
    _, _, _, region, account, name = arn.split(":", 5)
    table = dynamodb_backends[account][region].tables.get(name.partition("/")[2])
    return _tags(table.tags) if table else {}


def key_arn(named: str, account: str, region: str) -> str:
    """The ARN of a key by whatever name; when there is no such key, what its ARN would be."""
    if named.startswith("arn:"):
        _, _, _, region, account, named = named.split(":", 5)
        named = named.removeprefix("key/")
    found = _key(named, account, region)
    resource = named if named.startswith("alias/") else f"key/{named}"
    return str(found.arn) if found else f"arn:{PARTITION}:kms:{region}:{account}:{resource}"


def customers_key(named: str, account: str, region: str) -> str:
    """The key's ARN, unless it is none or one that AWS manages."""
    if not named:
        return ""
    if named.startswith("arn:"):
        _, _, _, region, account, _ = named.split(":", 5)
    found = _key(named, account, region)
    return "" if found is None or found.key_manager == "AWS" else str(found.arn)


def _roles_of(account: str) -> list[Role]:
    return list(iam_backends[account][PARTITION].roles.values())


def _role(arn: str) -> Role | None:
    account = arn.split(":")[4]
    return next((role for role in _roles_of(account) if role.arn == arn), None)


def _key(named: str, account: str, region: str) -> Key | None:
    backend = kms_backends[account][region]
    alias = named.rpartition(":")[2]
    if alias.startswith("alias/") and not backend.alias_exists(alias):
        return None
    return backend.keys.get(str(backend.any_id_to_key_id(named)))


def _bucket(name: str) -> FakeBucket | None:
    for account in list(s3_backends):
        found = s3_backends[account][PARTITION].buckets.get(name)
        if found is not None:
            return found
    return None


def _text(document: Any) -> str:
    """moto keeps some policies as they stand in a template, and leaves a gap in a list where `AWS::NoValue`
    leaves nothing."""
    return _without_gaps(document if isinstance(document, str) else json.dumps(document))


@cache
def _without_gaps(text: str) -> str:
    def closed(value: Any) -> Any:
        match value:
            case dict():
                return {key: closed(each) for key, each in value.items()}
            case list():
                return [closed(each) for each in value if each is not None]
        return value

    return json.dumps(closed(json.loads(text)))


def _tags(entries: Any) -> dict[str, str]:
    return {
        str(one.get("Key", one.get("key"))): str(one.get("Value", one.get("value")) or "") for one in entries
    }
