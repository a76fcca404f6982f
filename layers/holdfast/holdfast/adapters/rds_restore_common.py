"""What restoring RDS instances and clusters has in common: one API, two sets of names.

A restore is one call, which takes most settings. What it does not take is changed when the new database
stands, by as few modify calls as there can be, and only where it differs. Nothing that does not bear the
restore's tag is ever changed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.adapters.calls import Pace, translated
from holdfast.adapters.rds_common import READY, RdsRegions
from holdfast.adapters.rds_settings import Answer, Change, Form, Table, all_tags, tags_for
from holdfast.core.brief import joined
from holdfast.core.errors import NotFound, ProviderError, Unprepared
from holdfast.core.model import name_of, region_of
from holdfast.core.restoring import (
    RESTORE_TAG,
    Configuration,
    Filled,
    Found,
    Phase,
    Pick,
    Settings,
    Settled,
    Target,
    Wanted,
    Way,
    Window,
)

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

_FAILED = frozenset(
    {
        "cloning-failed",
        "deleting",
        "failed",
        "insufficient-capacity",
        "migration-failed",
        "restore-error",
        "storage-full",
    }
)
_FAILED_BEGINNINGS = ("inaccessible-encryption-credentials", "incompatible-")

PATIENCE = timedelta(hours=1)
"""How long an idle database is waited for to take on what RDS was told to change. RDS's own states say so
while it works on it: nothing that takes longer is under way."""

_HELP = {
    "CertificateNotFound": "give settings.CACertificateIdentifier, one that the Region has",
    "DBClusterParameterGroupNotFound": "give settings.DBClusterParameterGroupName, one that is in the Region",
    "DBParameterGroupNotFound": "give settings.DBParameterGroupName, one that is in the Region",
    "DBSubnetGroupDoesNotCoverEnoughAZs": (
        "give settings.DBSubnetGroupName, one with subnets in at least two Availability Zones"
    ),
    "DBSubnetGroupNotFound": "give settings.DBSubnetGroupName, one that is in the Region",
    "DomainNotFound": "give settings.Domain, a directory of the Region, or leave it out",
    "InsufficientDBClusterCapacity": "give settings.DBClusterInstanceClass, another one, or ask again later",
    "InsufficientDBInstanceCapacity": "give settings.DBInstanceClass, another one, or ask again later",
    "InsufficientStorageClusterCapacity": "give settings.DBSubnetGroupName, one with other zones",
    "InvalidRestore": "give another backup",
    "InvalidSubnet": "give settings.DBSubnetGroupName, one whose subnets are all of one VPC",
    "InvalidVPCNetworkState": "give settings.DBSubnetGroupName, one whose subnets have free addresses",
    "NetworkTypeNotSupported": "give settings.NetworkType, IPV4, or a settings.DBSubnetGroupName for DUAL",
    "OptionGroupNotFound": "give settings.OptionGroupName, one that is in the Region",
    "PointInTimeRestoreNotEnabled": "give a backup, since the source keeps no automated ones",
    "ProvisionedIopsNotAvailableInAZ": "give settings.StorageType, another one, or another subnet group",
    "StorageTypeNotAvailable": "give settings.StorageType, another one",
    "StorageTypeNotSupported": "give settings.StorageType, another one",
    "VpcEncryptionControlViolation": "give settings.DBSubnetGroupName and settings.DBInstanceClass, which "
    "the VPC's rules of encryption allow",
}
"""What a person has to give after an error, by AWS's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """AWS's names of a kind's operations and of what their answers hold."""

    describe: str
    modify: str
    from_backup: str
    to_instant: str
    arn: str
    status: str


@dataclass(slots=True, kw_only=True)
class Work:
    """What one look at settling finds to wait for, and what cannot be brought back."""

    waits: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def problem(self, name: str, why: str) -> None:
        """One more about a setting."""
        self.problems[name] = f"{self.problems[name]}; {why}" if name in self.problems else why

    @property
    def settled(self) -> Settled:
        return Settled(pending=joined(self.waits), problems=self.problems)


class RdsApiRestorer(ABC):
    """The restorer of one of the twins, which fill in their names of things."""

    KIND: ClassVar[str]
    TABLE: ClassVar[Table]
    NAMES: ClassVar[Names]
    PARAMETERS: ClassVar[str]
    """The setting that names the parameter group."""
    OTHERS: ClassVar[Mapping[str, Form]] = {}
    """Settings beside those of the table."""

    def __init__(
        self, *, regions: RdsRegions, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._regions = regions
        self._clock = clock
        # An environment that does not have it any more waits anew: it only bounds the waiting.
        self._first: dict[tuple[str, str], datetime] = {}

    @property
    def kind(self) -> str:
        return self.KIND

    def mistakes(self, given: Settings) -> Sequence[str]:
        return self.TABLE.mistakes(given, self.OTHERS)

    def configuration(self, arn: str) -> Configuration | None:
        answer = self._described(region_of(arn), name_of(arn))
        if answer is None:
            return None
        settings = self.TABLE.read(answer)
        more, unread = self._more(region_of(arn), answer)
        return Configuration(arn=arn, settings={**settings, **more}, unread=unread)

    def window(self, arn: str) -> Window | None:
        answer = self._described(region_of(arn), name_of(arn))
        if not answer or not answer.get("BackupRetentionPeriod") or not answer.get("LatestRestorableTime"):
            return None
        return Window(earliest=self._earliest(region_of(arn), answer), latest=answer["LatestRestorableTime"])

    def look(self, target: Target) -> Found | None:
        answer = self._described(target.region, target.name)
        if answer is None:
            return None
        status = answer[self.NAMES.status]
        return Found(
            arn=answer[self.NAMES.arn],
            phase=phase_of(status),
            text=status,
            request=all_tags(answer).get(RESTORE_TAG, ""),
        )

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        asked = self.TABLE.for_restore(wanted, target)
        asked["Tags"] = tags_for(wanted.settings.get("Tags"), target)
        client, pace = self._regions.of(target.region)
        of_instant = pick.way is Way.INSTANT
        operation = self.NAMES.to_instant if of_instant else self.NAMES.from_backup
        try:
            if of_instant:
                more = self._instant(client, pace, pick.instant, target, wanted)
            else:
                more = self._backup(client, pace, pick.pieces[0].arn, target, wanted)
            pace.wait()
            with translated(self.KIND, target.name, operation):
                self._restore(client, operation, {**self._fitting(asked, wanted), **more})
        except Unprepared as error:
            raise helped(error, target) from error

    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Callable[[], float]) -> Filled:  # noqa: ARG002
        """Nothing: RDS restores whole."""
        return filled

    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:
        """What differs is sent at once, deletion protection too: RDS lets a protected database be changed. A
        parameter group that waits for a restart is given it, since nothing uses the database yet. The master
        password is not touched: it is that of the time of the backup."""
        answer = self._described(target.region, target.name)
        if answer is None:
            return Settled(pending="it cannot be seen at the moment")
        if all_tags(answer).get(RESTORE_TAG) != target.request:
            return Settled(problems={"Tags": f"{found.arn} does not bear this restore's tag: left as it is"})
        work = Work()
        if busy := self._busy(answer):
            work.waits.append(busy)
        else:
            self._settle_members(target, answer, wanted, work)
            self._bring_back(target, answer, wanted, work)
        return work.settled

    # --- what the twins fill in -----------------------------------------------------------------------------

    @abstractmethod
    def _describe(self, client: "RDSClient", name: str) -> Answer:
        """Raises botocore's error when there is none."""

    @abstractmethod
    def _modify(self, client: "RDSClient", name: str, parameters: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _restore(self, client: "RDSClient", operation: str, parameters: Mapping[str, Any]) -> None:
        """One of the two restore calls."""

    @abstractmethod
    def _backup(
        self, client: "RDSClient", pace: Pace, arn: str, target: Target, wanted: Wanted
    ) -> dict[str, object]:
        """The parameters that make it a restore of a backup under the target's name."""

    @abstractmethod
    def _instant(
        self, client: "RDSClient", pace: Pace, instant: datetime | None, target: Target, wanted: Wanted
    ) -> dict[str, object]:
        """The parameters that make it a restore of the source as it was."""

    @abstractmethod
    def _earliest(self, region: str, answer: Answer) -> datetime:
        """The earliest instant that point-in-time recovery has."""

    @abstractmethod
    def _unapplied(self, answer: Answer) -> Mapping[str, str]:
        """The instances whose parameter group does not count yet, and RDS's word for how far it is."""

    def _fitting(self, asked: dict[str, object], wanted: Wanted) -> dict[str, object]:  # noqa: ARG002
        """The parameters without those that AWS does not take together."""
        return asked

    def _more(self, region: str, answer: Answer) -> tuple[Settings, Mapping[str, str]]:  # noqa: ARG002
        """Settings beside the table's, and why some could not be read."""
        return {}, {}

    def _settle_members(self, target: Target, answer: Answer, wanted: Wanted, work: Work) -> None:  # noqa: B027
        """Make and wait for what belongs to it."""

    # --- shared ---------------------------------------------------------------------------------------------

    def _described(self, region: str, name: str) -> Answer | None:
        client, pace = self._regions.of(region)
        pace.wait()
        try:
            with translated(self.KIND, name, self.NAMES.describe):
                return self._describe(client, name)
        except NotFound:
            return None

    def _busy(self, answer: Answer) -> str:
        """What RDS is at; empty when it can be told to change something."""
        status = answer[self.NAMES.status]
        if status not in READY:
            return f"RDS is at it ({status})"
        waiting = [name for name, value in answer.get("PendingModifiedValues", {}).items() if value]
        if waiting and self._waits_for(answer, f"pending {sorted(waiting)}"):
            return "RDS is changing " + ", ".join(sorted(waiting))
        return ""

    def _bring_back(self, target: Target, answer: Answer, wanted: Wanted, work: Work) -> None:
        has = self.TABLE.read(answer)
        work.problems |= self.TABLE.problems(has, wanted, target)
        changes = []
        for change in self.TABLE.changes(has, wanted, target):
            if self._is_overdue(answer, f"{change}"):
                said = "RDS took it, and has not changed it within an hour"
                work.problems |= dict.fromkeys(change.names, said)
            else:
                changes.append(change)
        if changed := self._changed(target, answer, changes, work):
            work.waits.append("RDS is bringing back " + ", ".join(sorted(changed)))
        else:
            self._restarted(target, answer, work)

    def _changed(self, target: Target, answer: Answer, changes: Sequence[Change], work: Work) -> list[str]:
        """Send what differs, all in one call; where that is refused, each by itself. The names of those that
        RDS took."""
        if len(changes) > 1 and not self._refusal(target, sum(changes[1:], start=changes[0])):
            taken = list(changes)
        else:
            refusals = [(change, self._refusal(target, change)) for change in changes]
            taken = [change for change, why in refusals if not why]
            for change, why in refusals:
                if why:
                    work.problems |= dict.fromkeys(change.names, why)
        for change in taken:
            self._is_first(answer, f"{change}")
        return [name for change in taken for name in change.names]

    def _refusal(self, target: Target, change: Change) -> str:
        """Make a change; why RDS refused it. Raises what may pass by itself."""
        client, pace = self._regions.of(target.region)
        pace.wait()
        try:
            with translated(self.KIND, target.name, self.NAMES.modify):
                self._modify(client, target.name, {**change.parameters, "ApplyImmediately": True})
        except ProviderError as error:
            if error.retryable:
                raise
            return f"RDS refused it: {error.code}: {error.message}"
        return ""

    def _restarted(self, target: Target, answer: Answer, work: Work) -> None:
        """Let parameter groups count that wait for a restart: one restart each."""
        for name, state in sorted(self._unapplied(answer).items()):
            if state == "in-sync":
                continue
            if not self._waits_for(answer, f"parameters of {name}"):
                said = f"{name} has not taken it on within an hour ({state}): restart it"
                work.problems[self.PARAMETERS] = said
                continue
            if state == "pending-reboot" and self._is_first(answer, f"reboot of {name}"):
                self._reboot(target, name)
            work.waits.append(f"{name} is taking its parameter group on ({state})")

    def _reboot(self, target: Target, name: str) -> None:
        found = self._instance(target.region, name)
        if found is None or all_tags(found).get(RESTORE_TAG) != target.request:
            return
        client, pace = self._regions.of(target.region)
        pace.wait()
        with translated(self.KIND, name, "RebootDBInstance"):
            client.reboot_db_instance(DBInstanceIdentifier=name)

    def _instance(self, region: str, name: str) -> Answer | None:
        client, pace = self._regions.of(region)
        pace.wait()
        try:
            with translated(self.KIND, name, "DescribeDBInstances"):
                return client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        except NotFound:
            return None

    def _is_first(self, answer: Answer, what: str) -> bool:
        """Note that it is so from now on; whether it was not before."""
        key = (answer[self.NAMES.arn], what)
        known = key in self._first
        self._first.setdefault(key, self._clock())
        return not known

    def _is_overdue(self, answer: Answer, what: str) -> bool:
        """Whether it has been so for too long."""
        now = self._clock()
        return now - self._first.get((answer[self.NAMES.arn], what), now) > PATIENCE

    def _waits_for(self, answer: Answer, what: str) -> bool:
        """Note that it is so, and tell whether it is worth waiting for."""
        self._is_first(answer, what)
        return not self._is_overdue(answer, what)


def phase_of(status: str) -> Phase:
    """From RDS's user guide, "Viewing DB instance status" and "DB cluster status"."""
    if status in READY:
        return Phase.READY
    if status in _FAILED or status.startswith(_FAILED_BEGINNINGS):
        return Phase.FAILED
    return Phase.MAKING


def helped(error: Unprepared, target: Target) -> Unprepared:
    """The same with what a person has to give."""
    code = error.code.removesuffix("Exception").removesuffix("Fault")
    text = f"{error.message}: {_HELP[code]} ({target.region})" if code in _HELP else error.message
    return Unprepared(error.kind, error.resource, error.operation, error.code, text)
