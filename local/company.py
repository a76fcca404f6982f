"""A small company's data, for Holdfast to protect: some of it tagged, some not, and a key for the copies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.sandbox import COPY_REGION, HOME_REGION, Clients

_PLAN = "holdfast:plan"
_NIGHTLY = {_PLAN: "nightly"}
_OPTED_OUT = {_PLAN: "none"}
_PASSWORD = "not-a-secret-here"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One resource of the company. `kind` is the word that plans use."""

    kind: str
    name: str
    tags: Mapping[str, str]
    encrypted: bool = False
    items: int = 0
    members: tuple[str, ...] = ()

    @property
    def is_protected(self) -> bool:
        """Whether the nightly plan selects it."""
        return self.tags.get(_PLAN) == "nightly"

    @property
    def is_copied(self) -> bool:
        """Whether its backups go to the copy Region too: DynamoDB has no call that copies a backup."""
        return self.is_protected and self.kind != "dynamodb"


COMPANY = (
    Thing(kind="dynamodb", name="customers", tags=_NIGHTLY | {"team": "sales"}, items=40),
    Thing(kind="dynamodb", name="orders", tags=_NIGHTLY | {"team": "sales"}, items=120),
    Thing(kind="dynamodb", name="sessions", tags={}, items=60),
    Thing(kind="dynamodb", name="clickstream", tags=_OPTED_OUT | {"team": "marketing"}, items=60),
    Thing(kind="rds", name="billing", tags=_NIGHTLY | {"team": "finance"}, encrypted=True),
    Thing(kind="rds", name="website", tags=_NIGHTLY),
    Thing(kind="rds", name="playground", tags={}),
    Thing(kind="aurora", name="ledger", tags=_NIGHTLY, encrypted=True, members=("ledger-1", "ledger-2")),
)
"""The cluster's members bear its tag too, and must be left to the cluster all the same."""


PEOPLES_BACKUPS = (
    ("dynamodb", "orders", "orders-before-the-audit"),
    ("rds", "billing", "billing-before-upgrade"),
)
"""Kind, resource, and the name of a backup that a person made by hand. Holdfast must leave it alone."""

ELSEWHERE = Thing(kind="rds", name="warehouse", tags=_NIGHTLY)
"""Stands in the copy Region, where this stack copies to and protects nothing."""


def create_copy_key(clients: Clients) -> str:
    """A KMS key in the copy Region. Returns its ARN, which the stack's parameters name."""
    key = clients("kms", COPY_REGION).create_key(Description="Copies of encrypted snapshots")
    return str(key["KeyMetadata"]["Arn"])


def fill(clients: Clients) -> None:
    """Create all of it, and two backups by hand."""
    key = str(clients("kms").create_key(Description="The company's databases")["KeyMetadata"]["Arn"])
    create: dict[str, Callable[[Clients, Thing, str], None]] = {
        "dynamodb": _create_table,
        "rds": _create_instance,
        "aurora": _create_cluster,
    }
    for thing in COMPANY:
        create[thing.kind](clients, thing, key)
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


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
