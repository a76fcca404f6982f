"""A cloud in memory that keeps AWS's laws, for tests that are not about AWS's wire.

`FakeCloud` is the ground truth: a test puts resources in, reads what stands, and turns the knobs. The
other classes are the ports onto it. `tests/contract` holds the fake providers to the same promises as the
real ones.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from holdfast.core import naming
from holdfast.core.errors import (
    AlreadyExists,
    CopySlotsFull,
    HoldfastError,
    NoAnswer,
    NotFound,
    NotReady,
    OutOfReach,
    PlanError,
    ProviderError,
    QuotaReached,
    Unprepared,
)
from holdfast.core.holds import Hold
from holdfast.core.model import (
    Backup,
    BackupState,
    CopyLaws,
    CopySettings,
    Mark,
    Plan,
    Resource,
    Retention,
    account_in,
    name_of,
    region_in,
    region_of,
)
from holdfast.core.posture import Drill, Posture
from holdfast.core.posture_rows import posture_from_rows, rows_of
from holdfast.core.recorded import Inventory, find_in_lines, inventory_from_lines, lines_of
from holdfast.core.report import Report, Stage, carry_over, report_from_dict
from holdfast.core.restoring import Configuration
from holdfast.core.told import Told, told_from_dict, told_now, told_to_dict
from holdfast.ports import Message, ResourceQuery, Saved, StoredPlan
from tests.messages import check

HOME = "us-east-1"
AWAY = "us-west-2"
ACCOUNT = "123456789012"
WRITES = frozenset({"create", "copy", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the laws of one kind are.

    `tagged`: backups carry tags, which are their mark. `unique`: no two in a Region can have one name, and
    the name is their id. `grouped`: several resources can be backed up by one call.
    """

    name: str
    arn_form: str
    backup_arn_form: str
    name_pattern: str
    name_limit: int
    laws: CopyLaws
    tagged: bool = True
    unique: bool = True
    grouped: bool = False


_SNAPSHOT_NAME = r"[a-z](?:-?[a-z0-9])*"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="dynamodb",
            arn_form="arn:aws:dynamodb:{region}:{account}:table/{name}",
            backup_arn_form="{source}/backup/{serial:020d}-fake",
            name_pattern=r"[A-Za-z0-9_.-]{3,}",
            name_limit=naming.DYNAMODB_BACKUP_LIMIT,
            laws=CopyLaws(service="dynamodb", reach=timedelta(days=35), to_accounts=False, to_buckets=True),
            tagged=False,
            unique=False,
        ),
        Kind(
            name="rds",
            arn_form="arn:aws:rds:{region}:{account}:db:{name}",
            backup_arn_form="arn:aws:rds:{region}:{account}:snapshot:{name}",
            name_pattern=_SNAPSHOT_NAME,
            name_limit=naming.INSTANCE_SNAPSHOT_LIMIT,
            laws=CopyLaws(service="rds"),
        ),
        Kind(
            name="aurora",
            arn_form="arn:aws:rds:{region}:{account}:cluster:{name}",
            backup_arn_form="arn:aws:rds:{region}:{account}:cluster-snapshot:{name}",
            name_pattern=_SNAPSHOT_NAME,
            name_limit=naming.CLUSTER_SNAPSHOT_LIMIT,
            laws=CopyLaws(service="rds", key_for_unencrypted=False),
        ),
        Kind(
            name="ebs",
            arn_form="arn:aws:ec2:{region}:{account}:volume/{name}",
            backup_arn_form="arn:aws:ec2:{region}::snapshot/snap-{serial:017x}",
            name_pattern=r".+",
            name_limit=naming.EBS_NAME_LIMIT,
            laws=CopyLaws(service="ec2"),
            unique=False,
            grouped=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached the cloud. `subject` is what it was about: an ARN, or the Region of a listing."""

    operation: str
    kind: str
    region: str
    subject: str


@dataclass(slots=True, kw_only=True)
class _Standing:
    """A backup as it stands. `copied_from` is empty unless a copy call made it."""

    backup: Backup
    name: str
    listings_left: int | None
    """Listings that still show it as `creating`; `None` when only the test changes its state."""
    copied_from: str = ""
    fails: bool = False


@dataclass(slots=True, kw_only=True)
class _Fault:
    operation: str
    subject: str
    error: ProviderError
    first: int
    last: int
    after_effect: bool
    seen: int = 0


@dataclass(slots=True)
class FakeCloud:
    """One account, and what it copies to others. The knobs:

    - `listings_until_available`: a new backup is `creating` in that many listings before it is available.
    - `copy_slots`: copies in flight that one place takes of one service before it refuses more.
    - `quota`: backups of one kind in one place.
    - `failing_copies`: which copies, by their number from 1 on, end as failed.
    - `without_pitr`: the tables (by ARN) that cannot be exported; `pitr_since` those that can be from an
      instant on.
    - `fail(...)`: errors at will.

    `most_in_flight` is the most copies that were ever under way, by place and service.
    """

    home: str = HOME
    account: str = ACCOUNT
    listings_until_available: int = 0
    copy_slots: int = 20
    quota: int = 100
    failing_copies: Callable[[int], bool] = lambda _number: False
    without_pitr: set[str] = field(default_factory=set)
    pitr_since: dict[str, datetime] = field(default_factory=dict)
    most_in_flight: dict[tuple[str, str], int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    _copies_made: int = 0
    _resources: dict[str, Resource] = field(default_factory=dict)
    _encrypted: set[str] = field(default_factory=set)
    _option_groups: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _standing: dict[str, _Standing] = field(default_factory=dict)
    _faults: list[_Fault] = field(default_factory=list)
    _serial: int = 0
    _lock: RLock = field(default_factory=RLock)

    # What a test puts in and reads out. None of it counts as a call.

    def add_resource(
        self,
        kind: str,
        name: str,
        tags: Mapping[str, str] | None = None,
        *,
        unready: str = "",
        transient: bool = False,
        encrypted: bool = False,
        group: str = "",
        group_tags: Mapping[str, str] | None = None,
        option_group: str = "",
        resource_id: str = "",
    ) -> Resource:
        """`resource_id` is AWS's own. DynamoDB tells it with the backups alone."""
        arn = KINDS[kind].arn_form.format(region=self.home, account=self.account, name=name)
        resource = Resource(
            kind=kind,
            arn=arn,
            resource_id="" if kind == "dynamodb" else resource_id,
            tags=tags or {},
            unready=unready,
            transient=transient,
            group=group,
            group_tags=group_tags or {},
        )
        self._resources[arn] = resource
        self._option_groups[arn] = option_group
        self._ids[arn] = resource_id
        if encrypted:
            self._encrypted.add(arn)
        return resource

    def set_state(self, arn: str, *, unready: str = "", transient: bool = False) -> None:
        """Make a resource unready, or ready again."""
        self._resources[arn] = replace(self._resources[arn], unready=unready, transient=transient)

    def remove_resource(self, arn: str) -> None:
        """The resource is deleted by its owner. Its backups stay."""
        del self._resources[arn]

    def add_backup(
        self,
        source: str,
        name: str,
        tags: Mapping[str, str] | None = None,
        *,
        region: str = "",
        state: BackupState = BackupState.AVAILABLE,
        copied_from: str = "",
    ) -> Backup:
        """A backup that stands without having been made through the ports."""
        kind = self._kind_of(source)
        return self._stand(
            kind, source, name, tags or {}, region or self.home, state, copied_from=copied_from
        ).backup

    def set_backup_state(self, arn: str, state: BackupState) -> None:
        standing = self._standing[arn]
        standing.backup = replace(standing.backup, state=state, state_text=str(state))
        standing.listings_left = None

    def tag_backup(self, arn: str, tags: Mapping[str, str]) -> None:
        standing = self._standing[arn]
        one = standing.backup
        merged = {**one.tags, **tags}
        mark = self._mark(one.kind, one.source, standing.name, merged, one.region, standing.copied_from)
        standing.backup = replace(one, tags=merged, mark=mark)

    def standing(self, kind: str = "", region: str = "", source: str = "") -> list[Backup]:
        """The backups that stand now in a place (`region`), in the order they were made."""
        return [
            one.backup
            for one in self._standing.values()
            if kind in ("", one.backup.kind)
            and region in ("", one.backup.place)
            and source in ("", one.backup.source)
        ]

    def names(self, place: str = "") -> list[str]:
        """What the backups that stand in a place were called, in the order they were made."""
        return [one.name for one in self._standing.values() if place in ("", one.backup.place)]

    @property
    def writes(self) -> list[Call]:
        """The calls that would have changed something, those that failed included."""
        return [call for call in self.calls if call.operation in WRITES]

    def fail(
        self,
        operation: str,
        subject: str,
        error: type[ProviderError],
        *,
        on_call: int = 1,
        times: int = 1,
        after_effect: bool = False,
        message: str = "made to fail",
    ) -> None:
        """Let calls number `on_call` and the next ones, `times` in all, of `operation` about `subject` fail.

        `operation` is `resources`, `backups`, `create`, `copy` or `delete`. `subject` is the ARN of the
        resource (create), of the backup (copy, delete), the Region or the source (backups), or the kind
        (resources). With `after_effect` the work is done all the same, and only the answer is lost.
        """
        self._faults.append(
            _Fault(
                operation=operation,
                subject=subject,
                error=error("fake", subject, operation, error.__name__, message),
                first=on_call,
                last=on_call + times - 1,
                after_effect=after_effect,
            )
        )

    # What the providers call.

    def list_resources(self, kind: str, query: ResourceQuery) -> list[Resource]:
        return self._call(
            Call("resources", kind, self.home, kind),
            lambda: [
                one
                for one in self._resources.values()
                if one.kind == kind
                and (
                    query.everything
                    or query.tags.items() <= one.tags.items()
                    or (one.group and query.tags.items() <= one.group_tags.items())
                )
            ],
        )

    def list_backups(
        self, kind: str, region: str, source: str, since: datetime | None = None
    ) -> list[Backup]:
        """A backup of ours counts as made at its slot."""

        def effect() -> list[Backup]:
            found = [
                one
                for one in self._standing.values()
                if self._matches(one.backup, kind, region, source)
                and (since is None or one.backup.mark is None or one.backup.mark.slot >= since)
            ]
            for one in found:
                self._progress(one)
            return [self._with_its_chain(one.backup) for one in found]

        return self._call(Call("backups", kind, region, source or region), effect)

    def _with_its_chain(self, backup: Backup) -> Backup:
        """An increment whose base is gone can no more be restored than one that failed."""
        if backup.base is None or backup.state is not BackupState.AVAILABLE:
            return backup
        whole = {
            one.backup.mark.slot: one.backup.base
            for one in self._standing.values()
            if one.backup.mark is not None
            and one.backup.state is BackupState.AVAILABLE
            and (one.backup.source, one.backup.place) == (backup.source, backup.place)
            and one.backup.resource_id == backup.resource_id
        }
        base: datetime | None = backup.base
        while base is not None:
            if base not in whole:
                return replace(backup, state=BackupState.FAILED, failure="its base is gone")
            base = whole[base]
        return backup

    def create_backup(self, kind: str, arn: str, name: str, tags: Mapping[str, str]) -> Backup:
        return self._call(Call("create", kind, self.home, arn), lambda: self._create(kind, arn, name, tags))

    def create_backups(
        self, kind: str, group: str, wanted: Sequence[tuple[str, str, Mapping[str, str]]]
    ) -> list[Backup]:
        """Backups of several resources (ARN, name, tags) of one group by one call: all or none."""

        def effect() -> list[Backup]:
            for arn, name, tags in wanted:
                self._check_create(kind, arn, name, tags)
            return [self._create(kind, *one) for one in wanted]

        return self._call(Call("create", kind, self.home, group), effect)

    def _create(self, kind: str, arn: str, name: str, tags: Mapping[str, str]) -> Backup:
        self._check_create(kind, arn, name, tags)
        return self._begin(kind, arn, name, tags, self.home).backup

    def _check_create(self, kind: str, arn: str, name: str, tags: Mapping[str, str]) -> None:
        resource = self._resources.get(arn)
        if resource is None:
            raise NotFound(kind, arn, "create", "SourceNotFound")
        if resource.unready:
            raise NotReady(kind, arn, "create", "InvalidState", resource.unready)
        self._check_new(kind, self.home, name, tags, arn, "create")

    def copy_backup(
        self,
        kind: str,
        arn: str,
        place: str,
        name: str,
        tags: Mapping[str, str],
        mark: Mark,
        settings: CopySettings,
    ) -> Backup:
        def effect() -> Backup:
            standing = self._standing.get(arn)
            if standing is None:
                raise NotFound(kind, arn, "copy", "SnapshotNotFound")
            backup = standing.backup
            if backup.state is not BackupState.AVAILABLE:
                raise NotReady(kind, arn, "copy", "InvalidSnapshotState", backup.state_text)
            if account_in(place) and region_in(place) != backup.region:
                raise ProviderError(kind, arn, "copy", "InvalidParameter", "shared across Regions")
            if KINDS[kind].laws.to_buckets:
                self._check_export(kind, arn, mark)
            self._check_key(kind, backup, settings.kms_key)
            self._check_new(kind, place, name, tags, arn, "copy")
            self._check_slots(kind, place, arn)
            self._copies_made += 1
            made = self._begin(
                kind,
                backup.source,
                name,
                tags,
                place,
                copied_from=arn,
                encrypted=bool(settings.kms_key),
                fails=self.failing_copies(self._copies_made),
            )
            known = replace(mark, resource_id=mark.resource_id or backup.resource_id)
            made.backup = replace(
                made.backup,
                base=settings.base,
                option_group=settings.option_group,
                mark=made.backup.mark if KINDS[kind].tagged else known,
                resource_id=known.resource_id,
            )
            self._note_in_flight(kind, place)
            return made.backup

        return self._call(Call("copy", kind, place, arn), effect)

    def _check_export(self, kind: str, arn: str, mark: Mark) -> None:
        if mark.source in self.without_pitr:
            raise Unprepared(kind, arn, "copy", "PointInTimeRecoveryUnavailable", "switch it on")
        since = self.pitr_since.get(mark.source)
        if since is not None and mark.slot < since:
            raise OutOfReach(kind, arn, "copy", "InvalidExportTime", "before the window")

    def _note_in_flight(self, kind: str, place: str) -> None:
        service = KINDS[kind].laws.service
        now = len(self._in_flight(service, place))
        key = (place, service)
        self.most_in_flight[key] = max(now, self.most_in_flight.get(key, 0))

    def delete_backup(self, kind: str, arn: str) -> None:
        def effect() -> None:
            standing = self._standing.get(arn)
            if standing is None:
                raise NotFound(kind, arn, "delete", "SnapshotNotFound")
            if standing.backup.state is BackupState.CREATING:
                raise NotReady(kind, arn, "delete", "InvalidSnapshotState", "it is being created")
            del self._standing[arn]
            for copy in self._in_flight(KINDS[kind].laws.service):
                if copy.copied_from == arn:
                    self.set_backup_state(copy.backup.arn, BackupState.FAILED)

        self._call(Call("delete", kind, region_of(arn), arn), effect)

    def resource(self, arn: str) -> Resource | None:
        """A resource that stands."""
        return self._resources.get(arn)

    def call[T](self, call: Call, effect: Callable[[], T]) -> T:
        """What another port's fake asks of this cloud."""
        return self._call(call, effect)

    def _call[T](self, call: Call, effect: Callable[[], T]) -> T:
        """Log the call, then let it happen, unless it is made to fail."""
        with self._lock:
            self.calls.append(call)
            fault = self._fault_for(call)
            if fault is not None and not fault.after_effect:
                raise fault.error
            result = effect()
            if fault is not None:
                raise fault.error
            return result

    def _fault_for(self, call: Call) -> _Fault | None:
        due = None
        for fault in self._faults:
            if (fault.operation, fault.subject) != (call.operation, call.subject):
                continue
            fault.seen += 1
            if fault.first <= fault.seen <= fault.last:
                due = due or fault
        return due

    def _begin(
        self,
        kind: str,
        source: str,
        name: str,
        tags: Mapping[str, str],
        place: str,
        *,
        copied_from: str = "",
        encrypted: bool = False,
        fails: bool = False,
    ) -> _Standing:
        """A backup that a create or copy call makes."""
        waits = self.listings_until_available
        done = BackupState.FAILED if fails else BackupState.AVAILABLE
        return self._stand(
            kind,
            source,
            name,
            tags,
            place,
            BackupState.CREATING if waits else done,
            copied_from=copied_from,
            encrypted=encrypted,
            listings_left=waits or None,
            fails=fails,
        )

    def _stand(
        self,
        kind: str,
        source: str,
        name: str,
        tags: Mapping[str, str],
        place: str,
        state: BackupState,
        *,
        copied_from: str = "",
        encrypted: bool = False,
        listings_left: int | None = None,
        fails: bool = False,
    ) -> _Standing:
        self._serial += 1
        region, account = region_in(place), account_in(place)
        form = KINDS[kind].backup_arn_form
        if KINDS[kind].laws.to_buckets and copied_from:
            form = "{source}/export/{serial:020d}-fake"
        arn = form.format(
            source=source, region=region, account=account or self.account, name=name, serial=self._serial
        )
        mark = self._mark(kind, source, name, tags, region, copied_from)
        backup = Backup(
            kind=kind,
            arn=arn,
            id=name if KINDS[kind].unique or not KINDS[kind].tagged else name_of(arn),
            region=region,
            account=account,
            source=source,
            resource_id=self._id_of(kind, source, mark),
            state=state,
            state_text=str(state),
            failure="made to fail" if state is BackupState.FAILED and fails else "",
            mark=mark,
            tags=dict(tags),
            encrypted=encrypted or source in self._encrypted or kind == "dynamodb",
            copied=bool(copied_from),
            option_group=self._option_groups.get(source, ""),
        )
        standing = _Standing(
            backup=backup, name=name, listings_left=listings_left, copied_from=copied_from, fails=fails
        )
        self._standing[backup.arn] = standing
        return standing

    def _id_of(self, kind: str, source: str, mark: Mark | None) -> str:
        """DynamoDB tells the table's id with its backups; of snapshots our tags alone do."""
        if not KINDS[kind].tagged:
            return self._ids.get(source, "")
        return mark.resource_id if mark else ""

    @staticmethod
    def _mark(
        kind: str, source: str, name: str, tags: Mapping[str, str], region: str, copied_from: str
    ) -> Mark | None:
        laws = KINDS[kind]
        if not laws.tagged:
            return naming.mark_from_backup_name(name, source)
        mark = naming.mark_from_tags(name, tags, laws.name_limit)
        if mark is None or mark.source != source or mark.copy_of != copied_from:
            return None
        return mark if mark.copy_of or region_of(source) == region else None

    @staticmethod
    def _matches(backup: Backup, kind: str, place: str, source: str) -> bool:
        return backup.kind == kind and backup.place == place and source in ("", backup.source)

    @staticmethod
    def _progress(standing: _Standing) -> None:
        """One listing nearer to being available. A listing shows the state after this step."""
        if standing.listings_left is None:
            return
        if standing.listings_left == 0:
            state = BackupState.FAILED if standing.fails else BackupState.AVAILABLE
            failure = "made to fail" if standing.fails else ""
            standing.backup = replace(standing.backup, state=state, state_text=str(state), failure=failure)
            standing.listings_left = None
        else:
            standing.listings_left -= 1

    def _in_flight(self, service: str, place: str = "") -> list[_Standing]:
        return [
            one
            for one in self._standing.values()
            if one.copied_from
            and one.backup.state is BackupState.CREATING
            and KINDS[one.backup.kind].laws.service == service
            and place in ("", one.backup.place)
        ]

    def _check_new(
        self, kind: str, place: str, name: str, tags: Mapping[str, str], subject: str, operation: str
    ) -> None:
        laws = KINDS[kind]
        if len(name) > laws.name_limit or not re.fullmatch(laws.name_pattern, name):
            raise ProviderError(kind, subject, operation, "InvalidParameterValue", f"name {name}")
        if not laws.tagged:
            return
        if len(tags) > naming.MAX_TAGS or any(key.startswith(("aws:", "rds:")) for key in tags):
            raise ProviderError(kind, subject, operation, "InvalidParameterValue", "tags")
        there = self.standing(kind, place)
        if laws.unique and any(one.id == name for one in there):
            raise AlreadyExists(kind, subject, operation, "SnapshotAlreadyExists", name)
        if len(there) >= self.quota:
            raise QuotaReached(kind, subject, operation, "SnapshotQuotaExceeded", f"{self.quota} snapshots")

    def _check_slots(self, kind: str, place: str, arn: str) -> None:
        if len(self._in_flight(KINDS[kind].laws.service, place)) >= self.copy_slots:
            reason = f"Cannot copy more than {self.copy_slots} snapshots across regions"
            raise CopySlotsFull(kind, arn, "copy", "SnapshotQuotaExceeded", reason)

    @staticmethod
    def _check_key(kind: str, backup: Backup, kms_key: str) -> None:
        if backup.encrypted and not kms_key and not KINDS[kind].laws.to_buckets:
            raise ProviderError(kind, backup.arn, "copy", "InvalidParameterCombination", "no key is given")
        if kms_key and not backup.encrypted and not KINDS[kind].laws.key_for_unencrypted:
            raise ProviderError(kind, backup.arn, "copy", "InvalidParameterCombination", "not encrypted")

    @staticmethod
    def _kind_of(source: str) -> str:
        service, place = source.split(":", 5)[2], source.split(":", 5)[5]
        if service in ("dynamodb", "ec2"):
            return "dynamodb" if service == "dynamodb" else "ebs"
        return "aurora" if place.startswith("cluster:") else "rds"


class FakeProvider:
    """The ports `Provider` and `Copier` onto a fake cloud."""

    def __init__(self, cloud: FakeCloud, kind: str) -> None:
        self._cloud = cloud
        self._laws = KINDS[kind]

    @property
    def kind(self) -> str:
        return self._laws.name

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        return self._cloud.list_resources(self.kind, query)

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        return self._cloud.list_backups(self.kind, place, source, since)

    def create(self, resource: Resource, mark: Mark) -> Backup:
        if not self._laws.tagged:
            return self._cloud.create_backup(self.kind, resource.arn, naming.backup_name(mark), {})
        name = naming.snapshot_name(mark, self._laws.name_limit)
        return self._cloud.create_backup(self.kind, resource.arn, name, naming.tags_for(mark, resource.tags))

    def delete(self, backup: Backup) -> None:
        self._cloud.delete_backup(self.kind, backup.arn)

    @property
    def laws(self) -> CopyLaws:
        return self._laws.laws

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        if not self._laws.tagged:
            name, tags = naming.backup_name(mark), {}
        else:
            name, tags = naming.snapshot_name(mark, self._laws.name_limit), naming.tags_for(mark, backup.tags)
        return self._cloud.copy_backup(self.kind, backup.arn, place, name, tags, mark, settings)


class FakeGrouper(FakeProvider):
    """The port `Grouper` too, for kinds that can be backed up together."""

    def create_together(self, resources: Sequence[Resource], marks: Sequence[Mark]) -> Sequence[Backup]:
        limit = self._laws.name_limit
        wanted = [
            (one.arn, naming.snapshot_name(mark, limit), naming.tags_for(mark, one.tags))
            for one, mark in zip(resources, marks, strict=True)
        ]
        return self._cloud.create_backups(self.kind, resources[0].group, wanted)


class FakePlans:
    """The port `PlanStore` over plans given."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self._plans = {plan.name: plan for plan in plans}

    def get(self, name: str) -> Plan:
        if name not in self._plans:
            raise PlanError(name, ["there is no such plan"])
        return self._plans[name]

    def everyone(self) -> Sequence[StoredPlan]:
        return [StoredPlan(name=name, plan=plan) for name, plan in sorted(self._plans.items())]


class FakeRecords:
    """The port `RecordStore`. Reports go through their JSON form, as they do in S3."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, object]] = {}
        self._told: dict[str, dict[str, object]] = {}

    def told(self, plan: str) -> Mapping[str, Told]:
        return told_from_dict(self._told[plan]) if plan in self._told else {}

    def tell(self, plan: str, slot: datetime, foretold: Mapping[str, Retention]) -> None:
        self._told[plan] = told_to_dict(told_now(self.told(plan), slot, foretold))

    def forget(self, plan: str) -> None:
        """Nobody was told what the plan keeps."""
        self._told.pop(plan, None)

    def save(self, report: Report) -> str:
        earlier = self.load(report.plan, report.slot, report.stage)
        address = self.address(report.plan, report.slot, report.stage)
        self.documents[address] = carry_over(earlier, report).to_dict()
        return address

    def address(self, plan: str, slot: datetime, stage: Stage) -> str:
        return f"memory://runs/{plan}/{naming.compact_slot(slot)}/{stage}.json"

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        document = self.documents.get(self.address(plan, slot, stage))
        return report_from_dict(document) if document is not None else None

    def slots(self, plan: str, since: datetime) -> Sequence[datetime]:
        records = [report_from_dict(document) for document in self.documents.values()]
        return sorted({one.slot for one in records if one.plan == plan and one.slot >= since})


class FakePostureStore:
    """The port `PostureStore`. Postures go through their rows, as they do in S3."""

    def __init__(self) -> None:
        self.rows: dict[datetime, list[dict[str, Any]]] = {}
        self.rehearsed: list[Drill] = []

    def save(self, posture: Posture) -> str:
        self.rows.setdefault(posture.at, list(rows_of(posture)))
        return f"memory://posture/{naming.compact_slot(posture.at)}"

    def load(self, since: datetime, until: datetime) -> Posture | None:
        in_time = [at for at in self.rows if since <= at <= until]
        return posture_from_rows(self.rows[max(in_time)]) if in_time else None

    def drills(self, since: datetime) -> Sequence[Drill]:
        late = [one for one in self.rehearsed if one.at >= since]
        return sorted(late, key=lambda one: (one.at, one.plan, one.resource), reverse=True)


class FakeHoldList:
    """The port `HoldList`. `failing` is raised by each reading."""

    place = "in memory"

    def __init__(self, *holds: Hold) -> None:
        self.holds = list(holds)
        self.failing: HoldfastError | None = None

    def read(self) -> Sequence[Hold]:
        if self.failing:
            raise self.failing
        return tuple(self.holds)


class FakeNotifier:
    """The ports `Notifier` and `Chat`: keeps what was published, which has to be as documented. `failing`
    makes each publish go unanswered, `silent` each one to the chat channel."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.chats: list[str] = []
        self.failing = False
        self.silent = False

    def publish(self, message: Message) -> None:
        if self.failing:
            raise NoAnswer("fake", "topic", "publish", "NoAnswer")
        check(message)
        self.messages.append(message)

    def tell(self, message: Message) -> None:
        if self.silent:
            raise NoAnswer("fake", "chat", "publish", "NoAnswer")
        self.chats.append(message.chat)


def provider_for(cloud: FakeCloud, kind: str) -> FakeProvider:
    """The provider of a kind; one that groups too where the kind can be."""
    return FakeGrouper(cloud, kind) if KINDS[kind].grouped else FakeProvider(cloud, kind)


class FakeReader:
    """Of the port `Restorer` what recording settings asks: of what stands its name and its tags. `unread` are
    settings of which AWS refuses to tell."""

    def __init__(self, cloud: FakeCloud, kind: str) -> None:
        self._cloud = cloud
        self.kind = kind
        self.unread: dict[str, str] = {}

    def configuration(self, arn: str) -> Configuration | None:
        def read() -> Configuration | None:
            standing = self._cloud.resource(arn)
            if standing is None:
                return None
            return Configuration(
                arn=arn,
                settings={"Name": standing.name, "Tags": dict(standing.tags)},
                unread=dict(self.unread),
            )

        return self._cloud.call(Call("configuration", self.kind, region_of(arn), arn), read)


class FakeSettings:
    """The port `SettingsStore`: documents, as S3 keeps them, by plan and slot. `failing` makes each reading
    end with it, and `unwritable` each writing."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, datetime], list[str]] = {}
        self.saved = 0
        self.failing: ProviderError | None = None
        self.unwritable: ProviderError | None = None

    def save(self, inventory: Inventory) -> Saved:
        if self.unwritable:
            problem = f"the settings are not recorded: {self.unwritable}"
            return Saved(address="", problems=(problem,), may_pass=self.unwritable.retryable)
        self.saved += 1
        self.documents[inventory.plan, inventory.slot] = list(lines_of(inventory))
        return Saved(address=f"s3://reports/settings/{inventory.plan}")

    def load(self, plan: str, slot: datetime) -> Inventory | None:
        if self.failing:
            raise self.failing
        lines = self.documents.get((plan, slot))
        return inventory_from_lines(lines) if lines else None

    def newest(self, plan: str, until: datetime) -> Inventory | None:
        slots = [slot for name, slot in self.documents if name == plan and slot <= until]
        return self.load(plan, max(slots)) if slots else None

    def find(self, plan: str, arn: str, slot: datetime) -> Configuration | None:
        if self.failing:
            raise self.failing
        slots = sorted(each for name, each in self.documents if name == plan)
        before = [each for each in reversed(slots) if each <= slot]
        for each in (*before, *(one for one in slots if one > slot)):
            if found := find_in_lines(self.documents[plan, each], arn):
                return found.configuration
        return None


class FakeQuotas:
    """The port `Quotas`: what a fake cloud keeps to, or what a test says of a kind."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud
        self.told: dict[str, int | None] = {"dynamodb": None}

    def most(self, kind: str, place: str, standing: int | None = None) -> int | None:
        return self.told.get(kind, self._cloud.quota)


class FakeTurns:
    """`ports.Turns` in memory."""

    def __init__(self) -> None:
        self._had: set[str] = set()

    @contextmanager
    def taken(self, name: str) -> Iterator[Callable[[], bool]]:
        if name in self._had:
            yield lambda: False
            return
        self._had.add(name)
        try:
            yield lambda: name in self._had
        finally:
            self._had.discard(name)

    def lose(self, name: str) -> None:
        """Let whoever has the turn lose it."""
        self._had.discard(name)
