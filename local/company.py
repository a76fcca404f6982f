"""A small company's data, for Holdfast to protect: some of it tagged, some not, some of it changing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from local.sandbox import COPY_REGION, HOME_REGION, Clients

_PLAN = "holdfast:plan"
_NIGHTLY = {_PLAN: "nightly"}
_OPTED_OUT = {_PLAN: "none"}
_PASSWORD = "not-a-secret-here"  # noqa: S105
_IMAGE = "ami-0123456789abcdef0"
"""moto asks for one, and does not ask which."""


INSTANCES: Mapping[str, Mapping[str, str]] = {"web": _NIGHTLY | {"team": "sales"}}
"""EC2 instances, by name, and their tags. Volumes are attached to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One resource of the company. `kind` is the word that plans use. A volume's name is its tag `Name`, and
    `instance` the one of `INSTANCES` that it is attached to; the first of each is the one it boots from."""

    kind: str
    name: str
    tags: Mapping[str, str]
    encrypted: bool = False
    items: int = 0
    members: tuple[str, ...] = ()
    instance: str = ""

    @property
    def is_protected(self) -> bool:
        """Whether the nightly plan selects it: by its own tags, or by those of its instance."""
        return "nightly" in (self.tags.get(_PLAN), INSTANCES.get(self.instance, {}).get(_PLAN))


COMPANY = (
    Thing(kind="dynamodb", name="customers", tags=_NIGHTLY | {"team": "sales"}, items=40),
    Thing(kind="dynamodb", name="orders", tags=_NIGHTLY | {"team": "sales"}, items=120),
    Thing(kind="dynamodb", name="sessions", tags={}, items=60),
    Thing(kind="dynamodb", name="clickstream", tags=_OPTED_OUT | {"team": "marketing"}, items=60),
    Thing(kind="rds", name="billing", tags=_NIGHTLY | {"team": "finance"}, encrypted=True),
    Thing(kind="rds", name="website", tags=_NIGHTLY),
    Thing(kind="rds", name="playground", tags={}),
    Thing(kind="aurora", name="ledger", tags=_NIGHTLY, encrypted=True, members=("ledger-1", "ledger-2")),
    Thing(kind="ebs", name="web-root", tags={}, instance="web"),
    Thing(kind="ebs", name="web-data", tags={}, instance="web"),
    Thing(kind="ebs", name="archive", tags=_NIGHTLY | {"team": "finance"}, encrypted=True),
    Thing(kind="ebs", name="scratch", tags={}),
)
"""The cluster's members bear its tag too, and must be left to the cluster all the same. The volumes of the
instance bear none, and are backed up with it."""


TABLES = tuple(thing for thing in COMPANY if thing.kind == "dynamodb" and thing.is_protected)

PEOPLES_BACKUPS = (
    ("dynamodb", "orders", "orders-before-the-audit"),
    ("rds", "billing", "billing-before-upgrade"),
)
"""Kind, resource, and the name of a backup that a person made by hand. Holdfast must leave it alone."""

ELSEWHERE = Thing(kind="rds", name="warehouse", tags=_NIGHTLY)
"""Stands in the copy Region, where this stack copies to and protects nothing."""


def fill(clients: Clients) -> None:
    """Create all of it, and two backups by hand."""
    key = str(clients("kms").create_key(Description="The company's databases")["KeyMetadata"]["Arn"])
    create: dict[str, Callable[[Clients, Thing, str], None]] = {
        "dynamodb": _create_table,
        "rds": _create_instance,
        "aurora": _create_cluster,
        "ebs": _create_volume,
    }
    for thing in COMPANY:
        if not thing.instance:
            create[thing.kind](clients, thing, key)
    for name in INSTANCES:
        _launch(clients, name)
    _create_instance(clients, ELSEWHERE, "", COPY_REGION)
    for kind, name, backup in PEOPLES_BACKUPS:
        if kind == "dynamodb":
            clients("dynamodb").create_backup(TableName=name, BackupName=backup)
        else:
            clients("rds").create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=backup)


def _create_table(clients: Clients, thing: Thing, _key: str) -> None:
    dynamodb = clients("dynamodb")
    dynamodb.create_table(
        TableName=thing.name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=_as_list(thing.tags),
    )
    items = [
        {"id": {"S": f"{thing.name}-{n}"}, "amount": {"N": str(n * 7 % 100)}} for n in range(thing.items)
    ]
    for first in range(0, len(items), 25):  # as many as one call takes
        requests = [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]
        dynamodb.batch_write_item(RequestItems={thing.name: requests})
    if thing.is_protected:  # without it a table cannot be exported
        dynamodb.update_continuous_backups(
            TableName=thing.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )


def do_business(clients: Clients, day: date) -> None:
    """What a day changes in the protected tables: an item more, another amount in one, and one less."""
    dynamodb = clients("dynamodb")
    number = day.toordinal()
    for table in TABLES:
        new, changed, gone = (
            f"{table.name}-{day}",
            f"{table.name}-{number % 10}",
            f"{table.name}-{10 + number % 20}",
        )
        dynamodb.put_item(TableName=table.name, Item={"id": {"S": new}, "amount": {"N": "1"}})
        dynamodb.put_item(TableName=table.name, Item={"id": {"S": changed}, "amount": {"N": str(number)}})
        dynamodb.delete_item(TableName=table.name, Key={"id": {"S": gone}})


def _create_instance(clients: Clients, thing: Thing, key: str, region: str = HOME_REGION) -> None:
    clients("rds", region).create_db_instance(
        DBInstanceIdentifier=thing.name,
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        MasterUserPassword=_PASSWORD,
        StorageEncrypted=thing.encrypted,
        **({"KmsKeyId": key} if thing.encrypted else {}),
        Tags=_as_list(thing.tags),
    )


def _create_cluster(clients: Clients, thing: Thing, key: str) -> None:
    rds = clients("rds")
    rds.create_db_cluster(
        DBClusterIdentifier=thing.name,
        Engine="aurora-postgresql",
        MasterUsername="postgres",
        MasterUserPassword=_PASSWORD,
        StorageEncrypted=thing.encrypted,
        **({"KmsKeyId": key} if thing.encrypted else {}),
        Tags=_as_list(thing.tags),
    )
    for member in thing.members:
        rds.create_db_instance(
            DBInstanceIdentifier=member,
            DBClusterIdentifier=thing.name,
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            Tags=_as_list(thing.tags),
        )


def _create_volume(clients: Clients, thing: Thing, key: str) -> None:
    clients("ec2").create_volume(
        AvailabilityZone=f"{HOME_REGION}a",
        Size=20,
        Encrypted=thing.encrypted,
        **({"KmsKeyId": key} if thing.encrypted else {}),
        TagSpecifications=[{"ResourceType": "volume", "Tags": _as_list({**thing.tags, "Name": thing.name})}],
    )


def _launch(clients: Clients, name: str) -> None:
    """An instance with its volumes."""
    ec2 = clients("ec2")
    volumes = [thing for thing in COMPANY if thing.instance == name]
    devices = ("/dev/sda1", "/dev/sdf", "/dev/sdg")[: len(volumes)]
    (instance,) = ec2.run_instances(
        ImageId=_IMAGE,
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=[{"DeviceName": device, "Ebs": {"VolumeSize": 20}} for device in devices],
        TagSpecifications=[{"ResourceType": "instance", "Tags": _as_list({**INSTANCES[name], "Name": name})}],
    )["Instances"]
    attached = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"]}
    for device, thing in zip(devices, volumes, strict=True):
        tags = _as_list({**thing.tags, "Name": thing.name})
        ec2.create_tags(Resources=[attached[device]], Tags=tags)


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
