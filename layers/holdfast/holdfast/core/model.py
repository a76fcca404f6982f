"""The words of the design as types. All values are immutable; all instants are aware and in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from holdfast.core.spans import Span

HOLD_TAG = "holdfast:hold"
PLAN_TAG = "holdfast:plan"
OPT_OUT = "none"
"""The value of `PLAN_TAG` that takes a resource out of every plan which does not include it by name."""


def region_of(arn: str) -> str:
    """The Region in an ARN (`arn:partition:service:region:account:…`)."""
    return arn.split(":", 5)[3]


def account_of(arn: str) -> str:
    """The account id in an ARN."""
    return arn.split(":", 5)[4]


def name_of(arn: str) -> str:
    """The resource's own name: what stands behind the ARN's last `:` or `/`."""
    return arn.split(":", 5)[5].replace("/", ":").rsplit(":", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A thing that a plan protects, as it stands at the moment of the listing.

    `unready` is empty when a backup can be made now. Otherwise it says in words why not, and `transient`
    tells whether waiting will help (a table being created) or a person must act (an instance stopped).
    `resource_id` is AWS's own id of it where a listing tells it: an ARN is a name, which a new resource can
    have when the old one is gone.
    """

    kind: str
    arn: str
    resource_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    unready: str = ""
    transient: bool = False

    @property
    def name(self) -> str:
        return name_of(self.arn)

    @property
    def region(self) -> str:
        return region_of(self.arn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What makes a backup ours: whose it is, for which plan and slot, and of what.

    `copy_of` is the ARN of the backup that a copy was made from, and empty on an original. `resource_id` is
    that of the resource, where it was known when the backup was made.
    """

    stack: str
    plan: str
    slot: datetime
    source: str
    resource_id: str = ""
    copy_of: str = ""


class BackupState(StrEnum):
    """A backup's life, in every service's place: only `AVAILABLE` is one that can be restored."""

    CREATING = "creating"
    AVAILABLE = "available"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One restorable thing, ours (`mark`) or somebody else's (`mark is None`).

    `id` is its name within `region`; `source` the ARN of the resource that it was made from, which
    AWS tells even of those that are not ours. `resource_id` tells backups of a former resource of that name
    from those of today's, where it is known. `state_text` is AWS's own word for the state.
    """

    kind: str
    arn: str
    id: str
    region: str
    source: str
    state: BackupState
    resource_id: str = ""
    mark: Mark | None = None
    state_text: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
    size_bytes: int | None = None

    @property
    def held(self) -> bool:
        """Whether a person asked, by tag, that this backup is never pruned."""
        return HOLD_TAG in self.tags

    @property
    def is_copy(self) -> bool:
        return self.mark is not None and bool(self.mark.copy_of)


def mark_of(backup: Backup) -> Mark:
    """The mark of one of our own backups. Raises `ValueError` about one that bears none."""
    if backup.mark is None:
        raise ValueError(f"{backup.arn} bears no mark: this is decided about our own backups alone")
    return backup.mark


def slot_of(backup: Backup) -> datetime:
    """The slot of one of our own backups."""
    return mark_of(backup).slot


def source_of(backup: Backup) -> str:
    """The ARN of the resource of one of our own backups."""
    return mark_of(backup).source


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPolicy:
    """How many backups to keep, by restic's rules (see `core.retention`).

    Counts are of periods that hold a backup, not of calendar periods. `within` keeps all that is younger
    than that, seen from the newest good backup. `oldest` keeps the oldest one too, for as long as a count
    is not used up. `minimum` is a floor.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Span | None = None
    oldest: bool = False
    minimum: int = 1

    @property
    def counts(self) -> tuple[int, ...]:
        """Those of the rules that count periods."""
        return self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly

    @property
    def rules(self) -> int:
        """How many rules keep something."""
        return sum(count > 0 for count in self.counts) + (self.within is not None)

    @property
    def usual_deletes(self) -> int:
        """How many backups of a resource one more backup, and one that was not pruned for, push out at most.

        An age in months or years moves on by up to four days in a night: from 28 January, a month before
        28 February, to 1 February.
        """
        by_calendar = self.within is not None and (self.within.months or self.within.years)
        return self.rules + 1 + (3 if by_calendar else 0)

    @property
    def is_unusable(self) -> bool:
        """Whether no deletion may rest on it: it has no rule that keeps something, or a negative amount."""
        if min(self.counts) < 0 or (self.within is not None and not self.within.is_positive):
            return True
        return not self.rules


KEEP_ALL = KeepPolicy()
"""Without a rule nothing is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRule:
    """One Region to copy to: its key for encrypted backups, its own policy, and copies in flight at most."""

    region: str
    keep: KeepPolicy
    kms_key: str = ""
    slots: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which resources a plan protects. Patterns are ARNs or globs over ARNs."""

    tags: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How much one run may delete before a person has to read the list and approve it."""

    max_delete_share: float
    max_deletes_per_run: int | None = None
    """`None`: what a usual night and one that was missed delete (see `core.pruning.tripped`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a plan keeps everywhere: the policy of each Region, and the zone of their periods."""

    policies: Mapping[str, KeepPolicy] = field(default_factory=dict)
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A named policy. `docs/plans.md` says what each key means."""

    name: str
    select: Selection
    keep: KeepPolicy
    breaker: Breaker
    copies: tuple[CopyRule, ...] = ()
    time_zone: str = "UTC"
    window_minutes: int = 720
    rpo_hours: int = 26
    rto_minutes: int = 60

    def policy_for(self, region: str) -> KeepPolicy:
        """The policy of a location: that of the copy rule for the Region, else the plan's own."""
        return next((rule.keep for rule in self.copies if rule.region == region), self.keep)

    def retention(self, home_region: str) -> Retention:
        """What the plan keeps in its home Region and where it copies to."""
        policies = {home_region: self.keep} | {rule.region: rule.keep for rule in self.copies}
        return Retention(policies=policies, time_zone=self.time_zone)

    def keeping(self, retention: Retention, home_region: str) -> "Plan":
        """The same plan with another retention. Where that has no policy, everything is kept."""
        policies = retention.policies
        return replace(
            self,
            keep=policies.get(home_region, KEEP_ALL),
            copies=tuple(replace(rule, keep=policies.get(rule.region, KEEP_ALL)) for rule in self.copies),
            time_zone=retention.time_zone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where this stack stands: what is not of this stack and Region is not ours. The account is for people
    to read, and empty where nobody reads it."""

    stack: str
    region: str
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a stage is asked to do.

    `most` is how many outcomes the answer has at most (`None`: the function's own number). For pruning
    alone, `approve` is the digest of a list of deletions that a person read. For the report alone,
    `problems` are a run's sentences about stages that could not do their work.
    """

    plan: str
    slot: datetime
    dry_run: bool = False
    most: int | None = None
    approve: str = ""
    problems: tuple[str, ...] = ()
