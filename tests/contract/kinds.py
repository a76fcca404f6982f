"""The kinds of resources that the contract suite holds to the ports' promises.

A new kind is one line in `REAL`: how to build its world on moto. Its fake twin comes from `tests.fakes`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from typing import Any

import boto3

from holdfast.adapters.accounts import Accounts, Keys
from holdfast.adapters.aurora import AuroraBackups
from holdfast.adapters.calls import client_config
from holdfast.adapters.dynamodb import DynamoDBBackups
from holdfast.adapters.dynamodb_exports import DynamoDBExports
from holdfast.adapters.ebs import EbsBackups
from holdfast.adapters.rds import RdsBackups
from holdfast.adapters.rds_common import RdsRegions
from holdfast.adapters.tagging import Tagging
from holdfast.core import naming
from holdfast.core.model import Backup, Mark, account_in, name_of
from holdfast.ports import Copier, Grouper, Provider
from local import accounts as moto_s_accounts
from local import ebs as moto_s_ebs
from local import exports as moto_s_exports
from tests.contract.paging import ShortPages
from tests.fakes import ACCOUNT, AWAY, HOME, KINDS, FakeCloud, FakeGrouper, provider_for

VAULT_ROLE = "holdfast-vault"
"""What other accounts call the role that copies are made with there."""

FAST = 1000.0
"""Calls a second: tests of the pace have a clock of their own."""


@cache
def _session() -> boto3.Session:
    """One for all tests: a session remembers the service models, which take most of a client's making."""
    return boto3.Session(region_name=HOME)


class World(ABC):
    """A kind's provider, and other people's hands on the same account."""

    provider: Provider
    copier: Copier | None = None
    grouper: Grouper | None = None
    home = HOME
    away = AWAY

    @property
    def kind(self) -> str:
        return self.provider.kind

    @property
    def tagged(self) -> bool:
        """Whether backups carry tags."""
        return KINDS[self.kind].tagged

    @property
    def unique_names(self) -> bool:
        """Whether a backup's id is the name that our mark gives it, and only one in a Region can have it."""
        return KINDS[self.kind].unique

    @property
    def name_limit(self) -> int:
        return KINDS[self.kind].name_limit

    @property
    def name_pattern(self) -> str:
        return KINDS[self.kind].name_pattern

    @abstractmethod
    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        """A resource in the home Region. Returns its ARN."""

    @abstractmethod
    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        """A backup that a person makes, called as they like. Returns its id."""

    def other(self, source: str) -> str:
        """The ARN of a resource like this one, which is not there."""
        return f"{source.removesuffix(name_of(source))}gone"

    def tags_of(self, mark: Mark) -> dict[str, str]:
        """The tags that a backup has by its mark."""
        return naming.mark_tags(mark)

    def add_group(self, tags: Mapping[str, str]) -> tuple[str, list[str]]:
        """Two untagged resources that can be backed up together, by what they belong to, which bears the
        tags. Its ARN, and theirs."""
        raise AssertionError(f"resources of kind {self.kind} cannot be backed up together")

    def stop(self, source: str) -> None:
        """Stop a resource."""
        raise AssertionError(f"a resource of kind {self.kind} cannot be stopped")

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        """A copy of a backup that a person makes, with all of its tags. With the backup's id as the name it
        is called as the backup is."""
        raise AssertionError(f"a backup of kind {self.kind} cannot be copied")

    def key_in(self, region: str) -> str:
        """The ARN of a KMS key in the Region."""
        return f"arn:aws:kms:{region}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"


@dataclass
class FakeWorld(World):
    """A kind of the cloud in memory."""

    name: str
    cloud: FakeCloud = field(default_factory=FakeCloud)
    _groups: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        provider = provider_for(self.cloud, self.name)
        self.provider = self.copier = provider
        self.grouper = provider if isinstance(provider, FakeGrouper) else None

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        return self.cloud.add_resource(self.name, name, tags, encrypted=encrypted).arn

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        return self.cloud.add_backup(source, name, tags).id

    def add_group(self, tags: Mapping[str, str]) -> tuple[str, list[str]]:
        number = next(self._groups)
        group = f"arn:aws:ec2:{HOME}:{ACCOUNT}:instance/i-{number}"
        members = [
            self.cloud.add_resource(self.name, f"{name}-{number}", group=group, group_tags=tags)
            for name in ("root", "data")
        ]
        return group, [one.arn for one in members]

    def stop(self, source: str) -> None:
        self.cloud.set_state(source, unready="it is stopped")

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        self.cloud.add_backup(backup.source, name, backup.tags, region=region, copied_from=backup.arn)


class MotoWorld(World):
    """Clients for moto's account, whose listings come in short pages."""

    def __init__(self) -> None:
        self.pages = ShortPages()
        self._keys: dict[str, str] = {}
        self.tagging = Tagging(lambda: self.client("resourcegroupstaggingapi"))

    def client(self, service: str, region: str = HOME, *, attempts: int = 2) -> Any:
        """A client as bootstrap makes it, and with short pages."""
        client: Any = _session().client(  # type: ignore[call-overload]
            service, region_name=region, config=client_config(attempts)
        )
        self.pages.install(client)
        return client

    def key_in(self, region: str) -> str:
        if region not in self._keys:
            self._keys[region] = self.client("kms", region).create_key()["KeyMetadata"]["Arn"]
        return self._keys[region]


class DynamoDBWorld(MotoWorld):
    """Tables, and a bucket in the other Region that their exports go to."""

    bucket = "exports-of-the-stack"

    def __init__(self) -> None:
        super().__init__()
        moto_s_exports.teach()
        self.dynamodb = self.client("dynamodb")
        self.once = self.client("dynamodb", attempts=1)
        self.s3 = self.client("s3", AWAY)
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": AWAY})
        self.exports = DynamoDBExports(
            client=self.dynamodb,
            s3={AWAY: self.s3}.__getitem__,
            buckets={AWAY: self.bucket},
            stack="holdfast",
            clock=lambda: datetime.now(UTC) + timedelta(hours=1),  # what moto has ended has settled
        )
        self.provider = self.copier = self.dynamodb_backups = DynamoDBBackups(
            client=self.dynamodb, once=lambda: self.once, tagging=self.tagging, exports=self.exports
        )

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        table = self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=_tag_list(tags),
        )
        return str(table["TableDescription"]["TableArn"])

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        self.dynamodb.create_backup(TableName=name_of(source), BackupName=name)
        return name


class RdsWorld(MotoWorld):
    """RDS instances."""

    def __init__(self) -> None:
        super().__init__()
        moto_s_accounts.teach()
        self.rds = self.client("rds")
        self.rds_away = self.client("rds", AWAY)
        self.accounts = Accounts(_session(), role=VAULT_ROLE, session_name="holdfast")
        self.regions = RdsRegions(clients=self.client_at, home=HOME, account=ACCOUNT, calls_per_second=FAST)
        self.keys = Keys(partial(self.client, "kms"))
        self.provider = self.copier = self._build()

    def _build(self) -> RdsBackups | AuroraBackups:
        return RdsBackups(regions=self.regions, tagging=self.tagging, keys=self.keys)

    def client_at(self, place: str) -> Any:
        """The client of a place; of another account, with a role's credentials there."""
        if not account_in(place):
            return self._client_in(place)
        client = self.accounts.client("rds", place, client_config(2))
        self.pages.install(client)
        return client

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        return self.add_instance(name, tags, encrypted=encrypted)

    def add_instance(
        self,
        name: str,
        tags: Mapping[str, str] | None = None,
        *,
        encrypted: bool = False,
        cluster: str = "",
        engine: str = "postgres",
    ) -> str:
        more = {"KmsKeyId": self.key_in(HOME)} if encrypted else {}
        if cluster:
            more["DBClusterIdentifier"] = cluster
        else:
            more |= {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret"}
        instance = self.rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine=engine,
            DBInstanceClass="db.t4g.micro",
            StorageEncrypted=encrypted,
            Tags=_tag_list(tags),
            **({} if cluster else {"AllocatedStorage": 20}),
            **more,
        )
        return str(instance["DBInstance"]["DBInstanceArn"])

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        self.rds.create_db_snapshot(
            DBInstanceIdentifier=name_of(source), DBSnapshotIdentifier=name, Tags=_tag_list(tags)
        )
        return name

    def stop(self, source: str) -> None:
        self.rds.stop_db_instance(DBInstanceIdentifier=name_of(source))

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        self._client_in(region).copy_db_snapshot(
            SourceDBSnapshotIdentifier=backup.arn,
            TargetDBSnapshotIdentifier=name,
            SourceRegion=backup.region,
            Tags=_tag_list(backup.tags),
        )

    def _client_in(self, region: str) -> Any:
        return self.rds if region == HOME else self.rds_away


class AuroraWorld(RdsWorld):
    """Clusters."""

    def _build(self) -> RdsBackups | AuroraBackups:
        return AuroraBackups(regions=self.regions, tagging=self.tagging, keys=self.keys)

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        return self.add_cluster(name, tags, encrypted=encrypted)

    def add_cluster(
        self,
        name: str,
        tags: Mapping[str, str] | None = None,
        *,
        encrypted: bool = False,
        engine: str = "aurora-postgresql",
    ) -> str:
        cluster = self.rds.create_db_cluster(
            DBClusterIdentifier=name,
            Engine=engine,
            MasterUsername="owner",
            MasterUserPassword="not-a-secret",
            StorageEncrypted=encrypted,
            Tags=_tag_list(tags),
            **({"KmsKeyId": self.key_in(HOME)} if encrypted else {}),
        )
        return str(cluster["DBCluster"]["DBClusterArn"])

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        self.rds.create_db_cluster_snapshot(
            DBClusterIdentifier=name_of(source), DBClusterSnapshotIdentifier=name, Tags=_tag_list(tags)
        )
        return name

    def stop(self, source: str) -> None:
        self.rds.stop_db_cluster(DBClusterIdentifier=name_of(source))

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        self._client_in(region).copy_db_cluster_snapshot(
            SourceDBClusterSnapshotIdentifier=backup.arn,
            TargetDBClusterSnapshotIdentifier=name,
            SourceRegion=backup.region,
            Tags=_tag_list(backup.tags),
        )


class EbsWorld(MotoWorld):
    """Volumes, and instances that they are attached to."""

    name_limit = 22
    name_pattern = r"snap-[0-9a-f]{17}"

    def __init__(self) -> None:
        super().__init__()
        moto_s_ebs.teach()
        self.accounts = Accounts(_session(), role=VAULT_ROLE, session_name="holdfast")
        self.keys = Keys(partial(self.client, "kms"))
        self._made: dict[tuple[str, int], Any] = {}
        self.ec2 = self.client_at(HOME)
        self.ec2_away = self.client_at(AWAY)
        self.provider = self.copier = self.grouper = self.ebs = EbsBackups(
            clients=self.client_at,
            once=partial(self.client_at, attempts=1),
            home=HOME,
            account=ACCOUNT,
            keys=self.keys,
        )

    def client_at(self, place: str, *, attempts: int = 2) -> Any:
        """The client of a place; of another account, with a role's credentials there."""
        if (place, attempts) not in self._made:
            self._made[place, attempts] = self._client_at(place, attempts)
        return self._made[place, attempts]

    def _client_at(self, place: str, attempts: int) -> Any:
        if not account_in(place):
            return self.client("ec2", place, attempts=attempts)
        client = self.accounts.client("ec2", place, client_config(attempts))
        self.pages.install(client)
        return client

    def tags_of(self, mark: Mark) -> dict[str, str]:
        return super().tags_of(mark) | {"Name": naming.snapshot_name(mark, naming.EBS_NAME_LIMIT)}

    def other(self, source: str) -> str:
        return f"{source.removesuffix(name_of(source))}vol-{0:017x}"

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        volume = self.ec2.create_volume(
            AvailabilityZone=f"{HOME}a",
            Size=20,
            Encrypted=encrypted,
            **({"KmsKeyId": self.key_in(HOME)} if encrypted else {}),
            **({"TagSpecifications": _specified("volume", tags)} if tags else {}),
        )
        return self.arn_of("volume", volume["VolumeId"])

    def add_group(self, tags: Mapping[str, str]) -> tuple[str, list[str]]:
        return self.add_instance(tags)

    def add_instance(self, tags: Mapping[str, str], volumes: int = 2) -> tuple[str, list[str]]:
        """An instance with so many untagged volumes. Its ARN and theirs, that of the root volume first."""
        devices = ["/dev/sda1", *(f"/dev/sd{letter}" for letter in "fghijkl")][:volumes]
        (instance,) = self.ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[{"DeviceName": one, "Ebs": {"VolumeSize": 8}} for one in devices],
            **({"TagSpecifications": _specified("instance", tags)} if tags else {}),
        )["Instances"]
        attached = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"]}
        volumes_of_it = [self.arn_of("volume", attached[one]) for one in devices]
        return self.arn_of("instance", instance["InstanceId"]), volumes_of_it

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> str:
        snapshot = self.ec2.create_snapshot(
            VolumeId=name_of(source),
            Description="made by hand",
            TagSpecifications=_specified("snapshot", {**(tags or {}), "Name": name}),
        )
        return str(snapshot["SnapshotId"])

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        """The description is EC2's console's."""
        tags = backup.tags if name == backup.id else {**backup.tags, "Name": name}
        self.client_at(region).copy_snapshot(
            SourceRegion=backup.region,
            SourceSnapshotId=backup.id,
            Description=f"[Copied {backup.id} from {backup.region}]",
            TagSpecifications=_specified("snapshot", tags),
        )

    @staticmethod
    def arn_of(type_: str, id_: str) -> str:
        return f"arn:aws:ec2:{HOME}:{ACCOUNT}:{type_}/{id_}"


REAL: dict[str, tuple[type[Provider], Callable[[], World]]] = {
    "dynamodb": (DynamoDBBackups, DynamoDBWorld),
    "rds": (RdsBackups, RdsWorld),
    "aurora": (AuroraBackups, AuroraWorld),
    "ebs": (EbsBackups, EbsWorld),
}
"""Every kind: the adapter that provides it, and its world on moto."""


def on_moto() -> dict[str, Callable[[], World]]:
    """The worlds of the real adapters, by the name that their tests bear."""
    return {f"{kind}-moto": build for kind, (_, build) in REAL.items()}


def fakes() -> dict[str, Callable[[], World]]:
    """The worlds in memory."""
    return {f"{kind}-fake": partial(FakeWorld, kind) for kind in REAL}


def _tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _specified(type_: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": type_, "Tags": _tag_list(tags)}]
