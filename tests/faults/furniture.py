"""What stands in the house: the stack's own things, the company's, and what the copies need elsewhere. Made
with plain boto3."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.sns.models import sns_backends

from tests.fakes import ACCOUNT, AWAY, HOME

BUCKET = "holdfast-records"
EXPORTS = "holdfast-exports"
TOPIC = f"arn:aws:sns:{HOME}:{ACCOUNT}:holdfast-reports"
PLANS = "/holdfast/plans"
HOLDS = "/holdfast/holds"
VAULT_ACCOUNT = "111122223333"
VAULT_ROLE = "holdfast-vault"
VAULT = f"{AWAY}@{VAULT_ACCOUNT}"
PLACES = (HOME, AWAY, VAULT)

TAGS = {"holdfast:plan": "nightly"}
KEEP = {"daily": 2, "minimum": 2}


@dataclass(slots=True)
class Things:
    """The ARNs of what stands, by their names. A name is also in the ARN, but for volumes and instances."""

    arns: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """The ARN of the KMS key of each place."""
    vault_account: str = VAULT_ACCOUNT
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._make_keys()
        self._make_the_stack()
        self._make_databases()
        self._make_tables()
        self._make_volumes()

    def client(self, service: str, place: str = HOME) -> Any:
        """A plain client, which is not on the wire."""
        if (service, place) not in self._clients:
            region, _, account = place.partition("@")
            session: Any = self._vault() if account else boto3.Session()
            self._clients[service, place] = session.client(service, region_name=region)
        return self._clients[service, place]

    def name_of(self, arn: str) -> str:
        """What a thing is called here."""
        return next(name for name, one in self.arns.items() if one == arn)

    def messages(self) -> list[str]:
        """The subjects of what the topic was given, oldest first."""
        sent = sns_backends[ACCOUNT][HOME].topics[TOPIC].sent_notifications
        return [str(subject) for _, _, subject, *_ in sent]

    def put_plan(self, plan: Mapping[str, Any]) -> None:
        """Store a plan under its name."""
        name = f"{PLANS}/{plan['name']}"
        self.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps(plan), Overwrite=True)

    def nightly(self) -> dict[str, Any]:
        """The plan that the house lives by."""
        copies = {"unencrypted_clusters": "copy", "keep": KEEP}
        return {
            "name": "nightly",
            "select": {"tags": TAGS},
            "keep": KEEP,
            "copies": [
                {"region": AWAY, "kms_key": self.keys[AWAY], "bucket": EXPORTS, **copies},
                {"region": AWAY, "account": VAULT_ACCOUNT, "kms_key": self.keys[VAULT], **copies},
            ],
            "prune": {"max_deletes_per_run": 1000, "max_delete_share": 1.0},
        }

    def _vault(self) -> boto3.Session:
        arn = f"arn:aws:iam::{VAULT_ACCOUNT}:role/{VAULT_ROLE}"
        given = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="hands")["Credentials"]
        return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def _make_keys(self) -> None:
        for place in PLACES:
            self.keys[place] = self.client("kms", place).create_key()["KeyMetadata"]["Arn"]

    def _make_the_stack(self) -> None:
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("s3", AWAY).create_bucket(
            Bucket=EXPORTS, CreateBucketConfiguration={"LocationConstraint": AWAY}
        )
        self.client("sns").create_topic(Name=TOPIC.rpartition(":")[2])
        self.client("ssm").put_parameter(Name=HOLDS, Type="String", Value="[]")
        self.put_plan(self.nightly())

    def _make_databases(self) -> None:
        rds = self.client("rds")
        owner = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret", "Tags": _list(TAGS)}
        for name, encrypted in (("shop", True), ("blog", False)):
            key = {"StorageEncrypted": True, "KmsKeyId": self.keys[HOME]} if encrypted else {}
            self.arns[name] = rds.create_db_instance(
                DBInstanceIdentifier=name,
                Engine="postgres",
                DBInstanceClass="db.t4g.micro",
                AllocatedStorage=20,
                **owner,
                **key,
            )["DBInstance"]["DBInstanceArn"]
        for name, encrypted in (("ledger", True), ("wiki", False)):
            key = {"StorageEncrypted": True, "KmsKeyId": self.keys[HOME]} if encrypted else {}
            self.arns[name] = rds.create_db_cluster(
                DBClusterIdentifier=name, Engine="aurora-postgresql", **owner, **key
            )["DBCluster"]["DBClusterArn"]

    def _make_tables(self) -> None:
        dynamodb = self.client("dynamodb")
        for name in ("orders", "events"):
            table = dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=_list(TAGS),
            )
            self.arns[name] = table["TableDescription"]["TableArn"]
            dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}})
            dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )

    def _make_volumes(self) -> None:
        ec2 = self.client("ec2")
        for name, encrypted in (("scratch", False), ("vault-disk", True)):
            key = {"Encrypted": True, "KmsKeyId": self.keys[HOME]} if encrypted else {}
            volume = ec2.create_volume(
                AvailabilityZone=f"{HOME}a", Size=20, TagSpecifications=_specified("volume"), **key
            )
            self.arns[name] = _ec2_arn("volume", volume["VolumeId"])
        (instance,) = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[
                {"DeviceName": one, "Ebs": {"VolumeSize": 8}} for one in ("/dev/sda1", "/dev/sdf")
            ],
            TagSpecifications=_specified("instance"),
        )["Instances"]
        self.arns["server"] = _ec2_arn("instance", instance["InstanceId"])
        attached = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"]}
        self.arns["server-root"] = _ec2_arn("volume", attached["/dev/sda1"])
        self.arns["server-data"] = _ec2_arn("volume", attached["/dev/sdf"])


def _ec2_arn(type_: str, id_: str) -> str:
    return f"arn:aws:ec2:{HOME}:{ACCOUNT}:{type_}/{id_}"


def _list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _specified(type_: str) -> list[dict[str, Any]]:
    return [{"ResourceType": type_, "Tags": _list(TAGS)}]
