"""EBS volumes and their snapshots, by EC2's API.

A snapshot bears its mark in tags, and its `Name` tag is derived from the mark. It is ours when both agree
(`core.naming`), when its description is the one that our call gave it, and when EC2 tells the same of where
it came from. CreateSnapshot, CreateSnapshots and CopySnapshot take no token that would make them safe to
repeat, and two snapshots may bear one name. So a call whose answer was lost is never repeated here; the next
sweep lists, and sees.

Volumes that are backed up together are backed up through their instance. One such call gives all snapshots
the same tags, so that these name the instance as the source; which volume each is of, EC2 tells.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from threading import Lock
from typing import TYPE_CHECKING

from holdfast.adapters.accounts import Keys
from holdfast.adapters.calls import Pace, is_sent_once, paced, translated
from holdfast.core import naming
from holdfast.core.errors import NoAnswer, NotFound, NotReady, ProviderError, Throttled, Unprepared
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
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import (
        CopySnapshotRequestTypeDef,
        FilterTypeDef,
        InstanceSpecificationTypeDef,
        InstanceTypeDef,
        SnapshotInfoTypeDef,
        SnapshotResponseTypeDef,
        SnapshotTypeDef,
        TagSpecificationTypeDef,
        TagTypeDef,
        VolumeTypeDef,
    )

    type AnySnapshot = SnapshotTypeDef | SnapshotInfoTypeDef | SnapshotResponseTypeDef

KIND = "ebs"
PAGE_SIZE = 1000
"""The most that EC2 takes. Of volumes it gives 500 all the same."""
FILTER_VALUES = 200
"""EC2 takes no more values in one filter."""
GIB = 1024**3

# EC2 has a bucket of tokens for each operation, per account and Region (its developer guide, on request
# throttling): 100 for those that read, of which 20 come back a second, and 50 for those that change
# something, of which 5 come back. Others in the account use them too.
READS_PER_SECOND = 15
WRITES_PER_SECOND = 4

ATTEMPTS = 4
FIRST_HOLD_SECONDS = 0.5
"""How long all threads wait after a call that makes a snapshot was throttled; twice as long after each
further time. All of it together (3.5 s) stays below a third of a turn's lease (`s3_turns`)."""

_TOO_FAST = frozenset({"EC2ThrottledException", "RequestLimitExceeded", "Throttling", "ThrottlingException"})
"""The codes of a call that came too soon. Other limits (snapshots of a volume at a time, copies in flight)
do not end within seconds, and are no other call's concern."""

_NAME = "Name"
_NO_VOLUME = "vol-ffffffff"
"""What EC2 tells as the volume of a copy today. It documents no more than that it is arbitrary."""

_STATES = {
    "completed": BackupState.AVAILABLE,
    "error": BackupState.FAILED,
    "recoverable": BackupState.DELETING,
    "recovering": BackupState.DELETING,
}
"""`pending`, and whatever EC2 adds, is a snapshot that is not yet usable. Those of `recover…` are in the
Recycle Bin."""

_READY = frozenset({"available", "in-use"})
_LIVING = ["pending", "running", "stopping", "stopped"]
"""The states of an instance whose volumes are backed up together."""

_AUTOMATED_TAGS = ("aws:backup:", "aws:dlm:")
_AUTOMATED = (
    "This snapshot is created by the AWS Backup service",
    "Created by CreateImage(",
    "Copied for DestinationAmi ",
)
"""How EC2 describes the snapshots that AWS Backup made, and those that are parts of an image (AMI)."""


class EbsBackups:
    """Provider, grouper and copier of kind `ebs`.

    `clients` makes the client of a place, `once` one that never retries by itself. `account` is the stack's
    own: EC2 does not tell the ARNs of volumes.
    """

    def __init__(
        self,
        *,
        clients: "Callable[[str], EC2Client]",
        once: "Callable[[str], EC2Client]",
        home: str,
        account: str,
        keys: Keys,
    ) -> None:
        def checked(place: str) -> "EC2Client":
            made = once(place)
            if not is_sent_once(made.meta.config):
                raise ValueError("the client for CreateSnapshot would repeat calls and make second snapshots")
            return made

        if not account:
            raise ValueError("without the account's id no snapshot would be known by its volume")
        making = Lock()  # boto3's sessions make only one client at a time
        self._clients = _PerPlace(clients, making)
        self._once = _PerPlace(checked, making)
        self._reads = _PerPlace(lambda _: Pace(READS_PER_SECOND), Lock())
        self._writes = _PerPlace(lambda _: Pace(WRITES_PER_SECOND), Lock())
        self._home = home
        self._account = account
        self._keys = keys

    @property
    def kind(self) -> str:
        return KIND

    @property
    def laws(self) -> CopyLaws:
        return CopyLaws(service="ec2")

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        """The volumes that bear the tags, or that are attached to an instance which does."""
        tags = {} if query.everything else query.tags
        instances = self._tagged_instances(tags)
        volumes = {one["VolumeId"]: one for one in self._volumes(_tag_filters(tags)) if _bears(one, tags)}
        if not query.everything:
            for some in batched(sorted(instances), FILTER_VALUES, strict=False):
                attached = self._volumes([{"Name": "attachment.instance-id", "Values": list(some)}])
                volumes |= {one["VolumeId"]: one for one in attached}
        return [self._resource(one, instances) for one in volumes.values()]

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:  # noqa: ARG002
        """All of them, whatever `since`: EC2 cannot list from a time on."""
        filters: list[FilterTypeDef] = []
        if source and (region_of(source), account_of(source)) == (place, self._account):
            filters = [{"Name": "volume-id", "Values": [name_of(source)]}]
        elif source:  # Of a copy EC2 tells another volume, so that our mark alone tells the right one.
            filters = [{"Name": f"tag:{naming.SOURCE_TAG}", "Values": [source]}]
        pages = (
            self._clients(place)
            .get_paginator("describe_snapshots")
            .paginate(OwnerIds=["self"], Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
        )
        with translated(KIND, source or place, "DescribeSnapshots"):
            found = [
                self._listed(one, place)
                for page in paced(pages, self._reads(place), "NextToken")
                for one in page["Snapshots"]
                if not _is_automated(one)
            ]
        return [backup for backup in found if not source or backup.source == source]

    def create(self, resource: Resource, mark: Mark) -> Backup:
        """Raises `NoAnswer` when it is not known whether a snapshot was made. Never `AlreadyExists`."""
        tags = _tags_for(mark, resource.tags)
        answer = self._send(
            self._home,
            resource.arn,
            "CreateSnapshot",
            lambda client: client.create_snapshot(
                VolumeId=resource.name, Description=_description(mark), TagSpecifications=_specified(tags)
            ),
        )
        return self._as_backup(answer, self._home, mark.source, tags, mark)

    def create_together(self, resources: Sequence[Resource], marks: Sequence[Mark]) -> Sequence[Backup]:
        """Raises `NotReady` when one of the volumes is no longer attached to the instance, and `NoAnswer`
        when it is not known whether, or of which volumes, snapshots were made."""
        group = resources[0].group
        mark = replace(marks[0], source=group)
        if [replace(mark, source=one.arn) for one in resources] != list(marks):
            raise ValueError("what is backed up together has one mark but for the source")
        tags = _tags_for(mark, _shared(resources))
        specification = self._specification(group, resources)
        answer = self._send(
            self._home,
            group,
            "CreateSnapshots",
            lambda client: client.create_snapshots(
                InstanceSpecification=specification,
                Description=_description(mark),
                TagSpecifications=_specified(tags),
            ),
        )
        made = {one["VolumeId"]: one for one in answer["Snapshots"]}
        if missing := sorted({one.name for one in resources} - made.keys()):
            text = f"EC2 tells of no snapshot of {', '.join(missing)}"
            raise NoAnswer(KIND, group, "CreateSnapshots", "IncompleteAnswer", text)
        return [
            self._as_backup(made[one.name], self._home, one.arn, tags, its)
            for one, its in zip(resources, marks, strict=True)
        ]

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        """A key that cannot be used is not refused here: EC2 tries it later, and the copy ends as failed.
        Raises `NoAnswer` when it is not known whether a copy was begun. Never `AlreadyExists`."""
        account = account_in(place)
        if account:
            self._share(backup, account)
        tags = _tags_for(mark, backup.tags)
        asked: CopySnapshotRequestTypeDef = {
            "SourceRegion": backup.region,
            "SourceSnapshotId": backup.id,
            "Description": _description(mark),
            "TagSpecifications": _specified(tags),
        }
        if settings.kms_key:
            asked |= {"Encrypted": True, "KmsKeyId": settings.kms_key}
        try:
            if account:
                self._look_from_there(backup, place)
            answer = self._send(
                place, backup.arn, "CopySnapshot", lambda client: client.copy_snapshot(**asked)
            )
        except NotFound as error:
            if not account:
                raise
            # Sharing it did find it. The other account may see it a while later.
            text = f"it was shared with account {account}, which does not see it yet"
            raise NotReady(KIND, backup.arn, "CopySnapshot", error.code, text) from error
        return Backup(
            kind=KIND,
            arn=self._snapshot_arn(place, answer["SnapshotId"]),
            id=answer["SnapshotId"],
            region=region_in(place),
            account=account,
            source=mark.source,
            resource_id=mark.resource_id,
            state=BackupState.CREATING,
            state_text="pending",
            mark=mark,
            tags=tags,
            encrypted=backup.encrypted or bool(settings.kms_key),
            size_bytes=backup.size_bytes,
            copied=True,
            kms_key=settings.kms_key,
        )

    def delete(self, backup: Backup) -> None:
        """Raises `ProviderError` when it is part of an image: EC2 keeps it as long as that is registered."""
        self._writes(backup.place).wait()
        try:
            with translated(KIND, backup.arn, "DeleteSnapshot"):
                self._clients(backup.place).delete_snapshot(SnapshotId=backup.id)
        except ProviderError as error:
            if error.code != "InvalidSnapshot.InUse":
                raise
            text = f"it is registered as an image and stays until that is deregistered ({error.message})"
            raise ProviderError(KIND, backup.arn, "DeleteSnapshot", error.code, text) from error

    # Volumes and instances.

    def _tagged_instances(self, tags: Mapping[str, str]) -> "dict[str, _Instance]":
        """The instances that bear the tags (without any, those that bear some), by id."""
        living: FilterTypeDef = {"Name": "instance-state-name", "Values": _LIVING}
        found = self._instances([living, *_tag_filters(tags)])
        return {id_: one for id_, one in found.items() if one.tags and tags.items() <= one.tags.items()}

    def _instances(self, filters: "Sequence[FilterTypeDef]") -> "dict[str, _Instance]":
        pages = (
            self._clients(self._home)
            .get_paginator("describe_instances")
            .paginate(Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
        )
        with translated(KIND, self._home, "DescribeInstances"):
            return {
                one["InstanceId"]: _instance(one)
                for page in paced(pages, self._reads(self._home), "NextToken")
                for reservation in page["Reservations"]
                for one in reservation.get("Instances", ())
            }

    def _volumes(self, filters: "Sequence[FilterTypeDef]") -> "list[VolumeTypeDef]":
        pages = (
            self._clients(self._home)
            .get_paginator("describe_volumes")
            .paginate(Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
        )
        with translated(KIND, self._home, "DescribeVolumes"):
            return [
                one for page in paced(pages, self._reads(self._home), "NextToken") for one in page["Volumes"]
            ]

    def _resource(self, volume: "VolumeTypeDef", instances: "Mapping[str, _Instance]") -> Resource:
        unready, transient = readiness(volume["State"])
        # Several instances may have it attached; the same one is chosen each time.
        instance = min((id_ for id_ in _attached_to(volume) if id_ in instances), default="")
        tags = _tags_of(volume.get("Tags", ()))
        return Resource(
            kind=KIND,
            arn=self._arn(self._home, self._account, "volume", volume["VolumeId"]),
            label=tags.get("Name", ""),
            tags=tags,
            unready=unready,
            transient=transient,
            group=self._arn(self._home, self._account, "instance", instance) if instance else "",
            group_tags=instances[instance].tags if instance else {},
        )

    def _specification(self, group: str, resources: Sequence[Resource]) -> "InstanceSpecificationTypeDef":
        """The instance as CreateSnapshots wants it, which takes all of its volumes but those that are named
        here: any that is not of `resources`."""
        wanted = {one.name for one in resources}
        id_ = name_of(group)
        instance = self._instances([{"Name": "instance-id", "Values": [id_]}]).get(id_)
        attached = instance.volumes if instance else frozenset[str]()
        if gone := sorted(wanted - attached):
            text = f"{', '.join(gone)} is no longer attached to the instance"
            raise NotReady(KIND, group, "CreateSnapshots", "NotAttached", text)
        root = instance.root if instance else ""
        specification: InstanceSpecificationTypeDef = {"InstanceId": id_}
        if root and root not in wanted:
            specification["ExcludeBootVolume"] = True
        if others := sorted(attached - wanted - {root}):
            specification["ExcludeDataVolumeIds"] = others
        return specification

    # Snapshots.

    def _listed(self, snapshot: "SnapshotTypeDef", place: str) -> Backup:
        """A listed snapshot as a backup."""
        tags = _tags_of(snapshot.get("Tags", ()))
        account = account_in(place) or self._account
        volume = self._arn(region_in(place), account, "volume", snapshot.get("VolumeId", _NO_VOLUME))
        mark = self._mark(snapshot, place, volume, tags)
        return self._as_backup(snapshot, place, mark.source if mark else volume, tags, mark)

    def _mark(
        self, snapshot: "SnapshotTypeDef", place: str, volume: str, tags: Mapping[str, str]
    ) -> Mark | None:
        """The mark of one that is ours: when name, tags, description and origin agree."""
        mark = naming.mark_from_tags(tags.get(_NAME, ""), tags, naming.EBS_NAME_LIMIT)
        if mark is None or snapshot.get("Description") != _description(mark):
            return None
        if mark.copy_of:
            account = account_in(place) or self._account
            return mark if _came_from_elsewhere(mark, region_in(place), account) else None
        if _is_copy(snapshot):
            return None
        group_or_volume = (self._instance_beside(volume, mark.source), volume)
        return replace(mark, source=volume) if mark.source in group_or_volume else None

    def _as_backup(
        self, snapshot: "AnySnapshot", place: str, source: str, tags: Mapping[str, str], mark: Mark | None
    ) -> Backup:
        size = snapshot.get("VolumeSize")
        state = snapshot.get("State", "pending")
        return Backup(
            kind=KIND,
            arn=self._snapshot_arn(place, snapshot["SnapshotId"]),
            id=snapshot["SnapshotId"],
            region=region_in(place),
            account=account_in(place),
            source=source,
            resource_id=mark.resource_id if mark else "",
            state=_STATES.get(state, BackupState.CREATING),
            state_text=state,
            failure=str(snapshot.get("StateMessage", "")),
            mark=mark,
            tags=tags,
            encrypted=snapshot.get("Encrypted", False),
            size_bytes=None if size is None else size * GIB,
            copied=_is_copy(snapshot) or bool(mark and mark.copy_of),
            kms_key=str(snapshot.get("KmsKeyId", "")),
        )

    def _share(self, backup: Backup, account: str) -> None:
        """Let the other account copy it."""
        operation = "ModifySnapshotAttribute"
        if backup.encrypted and self._keys.managed_by_aws(backup.kms_key):
            text = (
                f"it is encrypted with the AWS managed key (aws/ebs), which account {account} cannot use. "
                "Either let the plan copy it to another Region with a key of your own first, and from there "
                "to the account; or move the volume to a key of your own, by creating it anew from a copy of "
                "a snapshot that was made with that key"
            )
            raise Unprepared(KIND, backup.arn, operation, "CannotBeShared", text)
        self._writes(backup.place).wait()
        with translated(KIND, backup.arn, operation):
            self._clients(backup.place).modify_snapshot_attribute(
                SnapshotId=backup.id,
                Attribute="createVolumePermission",
                OperationType="add",
                UserIds=[account],
            )

    def _look_from_there(self, backup: Backup, place: str) -> None:
        """Raises `NotFound` while the other account does not see the snapshot: people report of minutes, and
        of copies that EC2 took before and that came to nothing. It may be there and a moment later not, since
        what EC2 tells is only "eventually consistent", as its API reference has it."""
        self._reads(place).wait()
        with translated(KIND, backup.arn, "DescribeSnapshots"):
            self._clients(place).describe_snapshots(SnapshotIds=[backup.id])

    def _send[T](self, place: str, subject: str, operation: str, call: "Callable[[EC2Client], T]") -> T:
        """Make a call that makes snapshots. It is repeated only when EC2 said that it came too soon."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._send_once(place, subject, operation, call)
            except Throttled as refused:
                if refused.code not in _TOO_FAST:
                    raise
                self._writes(place).hold(FIRST_HOLD_SECONDS * 2**attempt)
        return self._send_once(place, subject, operation, call)

    def _send_once[T](self, place: str, subject: str, operation: str, call: "Callable[[EC2Client], T]") -> T:
        self._writes(place).wait()
        with translated(KIND, subject, operation):
            return call(self._once(place))

    # ARNs, which EC2 does not tell.

    def _arn(self, region: str, account: str, type_: str, id_: str) -> str:
        return f"arn:{self._partition}:ec2:{region}:{account}:{type_}/{id_}"

    def _snapshot_arn(self, place: str, id_: str) -> str:
        """A snapshot's ARN names no account."""
        return self._arn(region_in(place), "", "snapshot", id_)

    @staticmethod
    def _instance_beside(volume: str, source: str) -> str:
        """The source's instance as it would be called where the volume is."""
        return volume.rsplit(":", 1)[0] + f":instance/{name_of(source)}"

    @property
    def _partition(self) -> str:
        return self._clients(self._home).meta.partition


class _PerPlace[T]:
    """One of something for each place, made when it is first asked for."""

    def __init__(self, make: Callable[[str], T], lock: Lock) -> None:
        self._make = make
        self._lock = lock
        self._made: dict[str, T] = {}

    def __call__(self, place: str) -> T:
        with self._lock:
            if place not in self._made:
                self._made[place] = self._make(place)
            return self._made[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    """An instance, as far as the backups of its volumes go. `root` is the volume that it boots from."""

    tags: Mapping[str, str]
    volumes: frozenset[str]
    root: str


def readiness(state: str) -> tuple[str, bool]:
    """Why no snapshot can be made of a volume in this state (empty when it can), and whether waiting will
    help."""
    if state in _READY:
        return "", False
    if state == "creating":
        return "the volume is being created; a snapshot can be made when it is available", True
    return f"the volume is in state {state}, which does not end by itself", False


def _instance(answer: "InstanceTypeDef") -> _Instance:
    by_device = {
        mapping.get("DeviceName", ""): mapping["Ebs"]["VolumeId"]
        for mapping in answer.get("BlockDeviceMappings", ())
        if "VolumeId" in mapping.get("Ebs", {})
    }
    return _Instance(
        tags=_tags_of(answer.get("Tags", ())),
        volumes=frozenset(by_device.values()),
        root=by_device.get(answer.get("RootDeviceName", ""), ""),
    )


def _attached_to(volume: "VolumeTypeDef") -> Iterator[str]:
    """The ids of the instances that a volume is attached to."""
    for attachment in volume.get("Attachments", ()):
        if "InstanceId" in attachment and attachment.get("State") != "detached":
            yield attachment["InstanceId"]


def _bears(volume: "VolumeTypeDef", tags: Mapping[str, str]) -> bool:
    return tags.items() <= _tags_of(volume.get("Tags", ())).items()


def _tag_filters(tags: Mapping[str, str]) -> "list[FilterTypeDef]":
    """Filters for all of the tags. EC2 takes `*` and `?` in a value for patterns unless they are escaped, so
    that what it gives is looked at again."""
    return [
        {"Name": f"tag:{key}", "Values": [re.sub(r"([*?\\])", r"\\\1", value)]} for key, value in tags.items()
    ]


def _tags_of(entries: "Iterable[TagTypeDef]") -> dict[str, str]:
    return {entry["Key"]: entry.get("Value", "") for entry in entries if "Key" in entry}


def _shared(resources: Sequence[Resource]) -> dict[str, str]:
    """The tags that can be carried over to all of the snapshots of a group: the group's own, and those that
    its volumes have in common."""
    common = set(resources[0].tags.items()).intersection(*(one.tags.items() for one in resources))
    return {**resources[0].group_tags, **dict(common)}


def _tags_for(mark: Mark, carried: Mapping[str, str]) -> dict[str, str]:
    """The tags of a new snapshot: `naming.tags_for`, and our name in place of one that is carried over. What
    is over 49 is dropped; one more is left for a hold."""
    ours = naming.mark_tags(mark) | {_NAME: naming.snapshot_name(mark, naming.EBS_NAME_LIMIT)}
    tags = naming.tags_for(mark, {key: value for key, value in carried.items() if key != _NAME})
    own = [(key, value) for key, value in tags.items() if key not in ours]
    return dict(own[: naming.MAX_TAGS - 1 - len(ours)]) | ours


def _specified(tags: Mapping[str, str]) -> "list[TagSpecificationTypeDef]":
    return [
        {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
    ]


def _description(mark: Mark) -> str:
    """The description that our calls give a snapshot. A person's copy of one can have its tags and name, but
    gets a description of its own."""
    if mark.copy_of:
        return f"Copied by Holdfast from {mark.copy_of}"
    return f"Made by Holdfast of {name_of(mark.source)} for {naming.format_slot(mark.slot)}"


def _came_from_elsewhere(mark: Mark, region: str, account: str) -> bool:
    """Whether a copy's mark names a snapshot of another Region, or a volume of another account: a snapshot's
    ARN names none. Within one place we copy nothing."""
    origin = mark.copy_of.split(":")
    if len(origin) != 6 or origin[2] != "ec2":
        return False
    return origin[3] != region or account_of(mark.source) != account


def _is_copy(snapshot: "AnySnapshot") -> bool:
    """Whether EC2 tells that a copy call made it. `TransferType` does not tell: EC2's model has it for copies
    alone, and answers that people published have it on plain snapshots too."""
    return snapshot.get("VolumeId", _NO_VOLUME) == _NO_VOLUME


def _is_automated(snapshot: "SnapshotTypeDef") -> bool:
    """Whether AWS made it by itself, or for an image. Such are not ours to list."""
    if snapshot.get("Description", "").startswith(_AUTOMATED):
        return True
    return any(key.startswith(_AUTOMATED_TAGS) for key in _tags_of(snapshot.get("Tags", ())))
