"""What RDS instances and clusters have in common: one API, one shape of snapshots, two sets of names.

A snapshot bears its mark in tags, and its identifier is derived from the mark. It is ours when both agree
(`core.naming`) and when AWS tells the same of where it came from.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from holdfast.adapters.accounts import Keys
from holdfast.adapters.calls import Pace, translated
from holdfast.adapters.tagging import Tagging
from holdfast.core import naming
from holdfast.core.errors import NotFound, NotReady, ProviderError, Unprepared
from holdfast.core.model import (
    Backup,
    BackupState,
    CopyLaws,
    CopySettings,
    Mark,
    Resource,
    account_in,
    account_of,
    name_of,
    region_in,
    region_of,
)
from holdfast.ports import ResourceQuery

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_rds.type_defs import TagTypeDef

PAGE_SIZE = 100
GIB = 1024**3

READY = frozenset({"available", "storage-optimization"})
"""The states in which RDS takes a snapshot."""

_LASTING = frozenset(
    {
        "cloning-failed",
        "delete-precheck",
        "deleting",
        "failed",
        "insufficient-capacity",
        "migration-failed",
        "restore-error",
        "storage-full",
    }
)
_LASTING_BEGINNINGS = ("inaccessible-encryption-credentials", "incompatible-")
_STOPPED = frozenset({"stopped", "stopping"})

_SNAPSHOT_STATES = {
    "available": BackupState.AVAILABLE,
    "canceled": BackupState.FAILED,
    "cancelled": BackupState.FAILED,
    "deleted": BackupState.DELETING,
    "deleting": BackupState.DELETING,
    "error": BackupState.FAILED,
    "failed": BackupState.FAILED,
    "incompatible-parameters": BackupState.FAILED,
    "incompatible-restore": BackupState.FAILED,
}
"""Every other word (`creating`, `copying`, `pending` …) is one of a snapshot that is not yet usable. RDS has
no full list of them: these are from its API reference, from what botocore's waiters give up at, and
`cancelled` for a copy that was called off."""

_AUTOMATED = ("rds:", "awsbackup:")
"""How the identifiers begin of those that RDS and AWS Backup made and delete themselves."""


class RdsRegions:
    """The RDS clients, and how fast each place may be called. One object serves both kinds, since both
    use the same API, and RDS publishes no rate: `calls_per_second` is per place over both. `home` and
    `account` are the stack's own."""

    def __init__(
        self, *, clients: "Callable[[str], RDSClient]", home: str, account: str, calls_per_second: float
    ) -> None:
        self.home = home
        self.account = account
        self._make = clients
        self._per_second = calls_per_second
        self._made: dict[str, tuple[RDSClient, Pace]] = {}
        self._lock = Lock()

    def of(self, place: str) -> "tuple[RDSClient, Pace]":
        """The client and the pace of a place, made when they are first asked for."""
        with self._lock:
            if place not in self._made:
                self._made[place] = (self._make(place), Pace(self._per_second))
            return self._made[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An instance or a cluster, as far as backups go."""

    arn: str
    resource_id: str
    status: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot of an instance or of a cluster. `copied_from` is the ARN of the snapshot it is a copy of,
    and `origin_region` the Region that it was made in or copied from."""

    arn: str
    id: str
    database: str
    status: str
    tags: Mapping[str, str]
    copied_from: str
    encrypted: bool
    size_gib: int
    kms_key: str
    origin_region: str = ""
    option_group: str = ""
    tde: bool = False


class RdsApiBackups(ABC):
    """Provider and copier of one of the twins, which fill in their names of things."""

    KIND: ClassVar[str]
    LIMIT: ClassVar[int]
    """The most characters of a snapshot's identifier."""
    WORD: ClassVar[str]
    """What one is called in a sentence: `instance`."""
    RESOURCE_TYPE: ClassVar[str]
    """What the Tagging API calls it."""
    ARN_TYPE: ClassVar[str]
    """What stands before its name in an ARN."""
    NAMES: ClassVar["OperationNames"]
    LAWS: ClassVar[CopyLaws]

    def __init__(self, *, regions: RdsRegions, tagging: Tagging, keys: Keys) -> None:
        self._regions = regions
        self._tagging = tagging
        self._keys = keys

    @property
    def kind(self) -> str:
        return self.KIND

    @property
    def laws(self) -> CopyLaws:
        return self.LAWS

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        tagged = (
            None if query.everything else self._tagging.tags_by_arn(self.KIND, self.RESOURCE_TYPE, query.tags)
        )
        if tagged is not None and not tagged:
            return ()
        client, pace = self._regions.of(self._regions.home)
        with translated(self.KIND, self._regions.home, self.NAMES.describe):
            return [
                self._resource(database)
                for database in self._databases(client, pace)
                if tagged is None or database.arn in tagged
            ]

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:  # noqa: ARG002
        """All of them, whatever `since`: RDS cannot list by time."""
        client, pace = self._regions.of(place)
        # Only where the source stands does RDS know its snapshots by it. A copy's source is in our mark.
        stands_there = source and (region_of(source), account_of(source)) == (place, self._regions.account)
        database = name_of(source) if stands_there else ""
        with translated(self.KIND, source or place, self.NAMES.describe_snapshots):
            found = [
                self._backup(snapshot, place)
                for snapshot in self._snapshots(client, pace, database)
                if not snapshot.id.startswith(_AUTOMATED)
            ]
        return [backup for backup in found if not source or backup.source == source]

    def create(self, resource: Resource, mark: Mark) -> Backup:
        client, pace = self._regions.of(self._regions.home)
        tags = naming.tags_for(mark, resource.tags)
        identifier = naming.snapshot_name(mark, self.LIMIT)
        pace.wait()
        with translated(self.KIND, resource.arn, self.NAMES.create):
            snapshot = self._create(client, resource.name, identifier, tags)
        return self._as_backup(snapshot, self._regions.home, mark.source, tags, mark)

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        if account := account_in(place):
            self._share_with(account, backup)
        client, pace = self._regions.of(place)
        tags = naming.tags_for(mark, backup.tags)
        identifier = naming.snapshot_name(mark, self.LIMIT)
        from_region = backup.region if backup.region != region_in(place) else ""
        pace.wait()
        try:
            with translated(self.KIND, backup.arn, self.NAMES.copy):
                snapshot = self._copy(client, backup.arn, from_region, identifier, tags, settings)
        except NotFound as error:
            if not account:
                raise
            # Sharing it did find it. The other account may see it a while later.
            text = f"it was shared with account {account}, which does not see it yet"
            raise NotReady(self.KIND, backup.arn, self.NAMES.copy, error.code, text) from error
        return self._as_backup(snapshot, place, mark.source, tags, mark)

    def delete(self, backup: Backup) -> None:
        client, pace = self._regions.of(backup.place)
        pace.wait()
        with translated(self.KIND, backup.arn, self.NAMES.delete):
            self._delete(client, backup.id)

    @abstractmethod
    def _databases(self, client: "RDSClient", pace: Pace) -> Iterable[Database]:
        """All that are of this kind, from all pages."""

    @abstractmethod
    def _snapshots(self, client: "RDSClient", pace: Pace, database: str) -> Iterable[Snapshot]:
        """All manual snapshots, or those of one database, from all pages."""

    @abstractmethod
    def _create(
        self, client: "RDSClient", database: str, identifier: str, tags: Mapping[str, str]
    ) -> Snapshot: ...

    @abstractmethod
    def _share(self, client: "RDSClient", identifier: str, account: str) -> None:
        """Let another account copy and restore the snapshot. Doing it again changes nothing."""

    @abstractmethod
    def _copy(
        self,
        client: "RDSClient",
        source: str,
        from_region: str,
        identifier: str,
        tags: Mapping[str, str],
        settings: CopySettings,
    ) -> Snapshot:
        """`client` is the destination's, `source` the ARN of the snapshot, and `from_region` its Region when
        that is another one. No tags are taken from the source: AWS's own among them would make the call
        fail."""

    @abstractmethod
    def _delete(self, client: "RDSClient", identifier: str) -> None: ...

    def _share_with(self, account: str, backup: Backup) -> None:
        """Share a backup, unless it can be told beforehand that RDS would refuse."""
        if why := self._unshareable(backup, account):
            raise Unprepared(self.KIND, backup.arn, self.NAMES.share, "CannotBeShared", why)
        client, pace = self._regions.of(backup.region)
        pace.wait()
        try:
            with translated(self.KIND, backup.arn, self.NAMES.share):
                self._share(client, backup.id, account)
        except ProviderError as error:
            if error.code != "SharedSnapshotQuotaExceeded":
                raise
            text = (
                f"it is shared with as many accounts as RDS allows (20), and account {account} cannot be one "
                f"more: take one of them back from {backup.id} in {backup.region} ({error.message})"
            )
            raise Unprepared(self.KIND, backup.arn, self.NAMES.share, error.code, text) from error

    def _unshareable(self, backup: Backup, account: str) -> str:
        """Why RDS lets nobody share it, and what to do; empty when it can be shared. From RDS's user guide,
        "Sharing encrypted snapshots"."""
        if backup.tde:
            return (
                "it is encrypted by the database engine too (TDE), and RDS shares no such snapshot: take "
                f"{self.WORD} {name_of(backup.source)} out of the plan that copies to account {account}"
            )
        if backup.encrypted and self._keys.managed_by_aws(backup.kms_key):
            return (
                "it is encrypted with the AWS managed key (aws/rds), and RDS shares no such snapshot with "
                f"account {account}. Either let the plan copy it to another Region with a key of your own "
                f"first, and from there to the account; or move the {self.WORD} to a key of your own, by "
                "restoring it from a copy of a snapshot that was made with that key"
            )
        return ""

    def _resource(self, database: Database) -> Resource:
        unready, transient = readiness(self.WORD, database.status)
        return Resource(
            kind=self.KIND,
            arn=database.arn,
            resource_id=database.resource_id,
            tags=database.tags,
            unready=unready,
            transient=transient,
        )

    def _backup(self, snapshot: Snapshot, place: str) -> Backup:
        """A listed snapshot as a backup: ours when name, tags and origin agree."""
        source = self._source(snapshot)
        mark = naming.mark_from_tags(snapshot.id, snapshot.tags, self.LIMIT)
        if mark is None or not _came_from(snapshot, source, mark):
            return self._as_backup(snapshot, place, source, snapshot.tags)
        return self._as_backup(snapshot, place, mark.source, snapshot.tags, mark)

    def _as_backup(
        self, snapshot: Snapshot, place: str, source: str, tags: Mapping[str, str], mark: Mark | None = None
    ) -> Backup:
        region = region_in(place)
        # RDS may not tell it yet of a copy that has just begun. Our mark does.
        copied = bool(snapshot.copied_from or (mark and mark.copy_of))
        return Backup(
            kind=self.KIND,
            arn=snapshot.arn,
            id=snapshot.id,
            region=region,
            account=account_in(place),
            source=source,
            resource_id=mark.resource_id if mark else "",
            state=_SNAPSHOT_STATES.get(snapshot.status, BackupState.CREATING),
            state_text=snapshot.status,
            mark=mark,
            tags=tags,
            encrypted=snapshot.encrypted,
            size_bytes=snapshot.size_gib * GIB,
            copied=copied or snapshot.origin_region not in ("", region),
            kms_key=snapshot.kms_key,
            option_group=snapshot.option_group,
            tde=snapshot.tde,
        )

    def _source(self, snapshot: Snapshot) -> str:
        """The ARN of the database, as far as AWS tells: of a copy it has the Region and the account that it
        was copied from last."""
        origin = snapshot.copied_from if snapshot.copied_from.startswith("arn:") else snapshot.arn
        return f"{_region_prefix(origin)}{self.ARN_TYPE}:{snapshot.database}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationNames:
    """AWS's names of the operations, for error messages."""

    describe: str
    describe_snapshots: str
    create: str
    share: str
    copy: str
    delete: str


def readiness(word: str, status: str) -> tuple[str, bool]:
    """Why no snapshot can be made in this state (empty when it can), and whether waiting will help."""
    if status in READY:
        return "", False
    if status in _STOPPED:
        return f"the {word} is {status}: start it, or take it out of the plan", False
    if status in _LASTING or status.startswith(_LASTING_BEGINNINGS):
        return f"the {word} is in state {status}, which does not end by itself", False
    return f"the {word} is in state {status}; a snapshot can be made when it is available", True


def tags_of(entries: "Iterable[TagTypeDef]") -> dict[str, str]:
    """RDS's list of tags as a mapping."""
    return {entry["Key"]: entry.get("Value", "") for entry in entries if "Key" in entry}


def tag_list(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    """A mapping as RDS's list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _came_from(snapshot: Snapshot, source: str, mark: Mark) -> bool:
    """Whether AWS tells what the mark tells. It does not for a copy that a person made: tags, and even the
    identifier in another Region, can be the same."""
    if name_of(mark.source) != snapshot.database:
        return False
    if not mark.copy_of:
        return source == mark.source and not snapshot.copied_from
    from_elsewhere = not mark.copy_of.startswith(_region_prefix(snapshot.arn))
    return from_elsewhere and snapshot.copied_from in ("", mark.copy_of)


def _region_prefix(arn: str) -> str:
    """An ARN up to its Region and account: `arn:aws:rds:us-east-1:123456789012:`."""
    return ":".join(arn.split(":", 5)[:5]) + ":"
