"""The kinds of resources that the contract suite holds to the ports' promises.

A new kind is one line in `REAL`: how to build its world on moto. Its fake twin comes from `tests.fakes`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import boto3

from holdfast.adapters.aurora import AuroraBackups
from holdfast.adapters.calls import client_config
from holdfast.adapters.dynamodb import DynamoDBBackups
from holdfast.adapters.rds import RdsBackups
from holdfast.adapters.rds_common import RdsRegions
from holdfast.adapters.tagging import Tagging
from holdfast.core.model import Backup, name_of
from holdfast.ports import Copier, Provider
from tests.contract.paging import ShortPages
from tests.fakes import ACCOUNT, AWAY, HOME, KINDS, FakeCloud, FakeCopier, provider_for

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
    home = HOME
    away = AWAY

    @property
    def kind(self) -> str:
        return self.provider.kind

    @property
    def unique_names(self) -> bool:
        return KINDS[self.kind].tagged

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
    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> None:
        """A backup that a person makes, called as they like."""

    def stop(self, source: str) -> None:
        """Stop a resource."""
        raise AssertionError(f"a resource of kind {self.kind} cannot be stopped")

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        """A copy of a backup that a person makes, with all of its tags."""
        raise AssertionError(f"a backup of kind {self.kind} cannot be copied")

    def key_in(self, region: str) -> str:
        """The ARN of a KMS key in the Region."""
        return f"arn:aws:kms:{region}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"


@dataclass
class FakeWorld(World):
    """A kind of the cloud in memory."""

    name: str
    cloud: FakeCloud = field(default_factory=FakeCloud)

    def __post_init__(self) -> None:
        provider = provider_for(self.cloud, self.name)
        self.provider = provider
        self.copier = provider if isinstance(provider, FakeCopier) else None

    def add_resource(
        self, name: str, tags: Mapping[str, str] | None = None, *, encrypted: bool = False
    ) -> str:
        return self.cloud.add_resource(self.name, name, tags, encrypted=encrypted).arn

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> None:
        self.cloud.add_backup(source, name, tags)

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
    def __init__(self) -> None:
        super().__init__()
        self.dynamodb = self.client("dynamodb")
        self.once = self.client("dynamodb", attempts=1)
        self.provider = DynamoDBBackups(client=self.dynamodb, once=lambda: self.once, tagging=self.tagging)

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

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> None:
        self.dynamodb.create_backup(TableName=name_of(source), BackupName=name)


class RdsWorld(MotoWorld):
    """RDS instances."""

    def __init__(self) -> None:
        super().__init__()
        self.rds = self.client("rds")
        self.rds_away = self.client("rds", AWAY)
        clients = {HOME: self.rds, AWAY: self.rds_away}
        self.regions = RdsRegions(clients=clients.__getitem__, home=HOME, calls_per_second=FAST)
        self.provider = self.copier = self._build()

    def _build(self) -> RdsBackups | AuroraBackups:
        return RdsBackups(regions=self.regions, tagging=self.tagging)

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

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> None:
        self.rds.create_db_snapshot(
            DBInstanceIdentifier=name_of(source), DBSnapshotIdentifier=name, Tags=_tag_list(tags)
        )

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
        return AuroraBackups(regions=self.regions, tagging=self.tagging)

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

    def add_backup(self, source: str, name: str, tags: Mapping[str, str] | None = None) -> None:
        self.rds.create_db_cluster_snapshot(
            DBClusterIdentifier=name_of(source), DBClusterSnapshotIdentifier=name, Tags=_tag_list(tags)
        )

    def stop(self, source: str) -> None:
        self.rds.stop_db_cluster(DBClusterIdentifier=name_of(source))

    def copy_by_hand(self, backup: Backup, name: str, region: str) -> None:
        self._client_in(region).copy_db_cluster_snapshot(
            SourceDBClusterSnapshotIdentifier=backup.arn,
            TargetDBClusterSnapshotIdentifier=name,
            SourceRegion=backup.region,
            Tags=_tag_list(backup.tags),
        )


REAL: dict[str, tuple[type[Provider], Callable[[], World]]] = {
    "dynamodb": (DynamoDBBackups, DynamoDBWorld),
    "rds": (RdsBackups, RdsWorld),
    "aurora": (AuroraBackups, AuroraWorld),
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
