"""The words of the design as types. All values are immutable; all instants are aware and in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from holdfast.core.glance import Glance
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


def place_of(region: str, account: str = "") -> str:
    """Where backups stand, in one word: a Region (`us-west-2`), in another account than the stack's with
    that account behind it (`us-west-2@111122223333`)."""
    return f"{region}@{account}" if account else region


def region_in(place: str) -> str:
    """The Region of a place."""
    return place.partition("@")[0]


def account_in(place: str) -> str:
    """The account of a place; empty when it is the stack's own."""
    return place.partition("@")[2]


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

    `group` is the ARN of what it is backed up together with, at one instant (a volume's instance), when that
    bears the tags that were asked for, and `group_tags` are its tags. `label` is what people call it, where
    its name is an id of AWS's.
    """

    kind: str
    arn: str
    resource_id: str = ""
    label: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    unready: str = ""
    transient: bool = False
    group: str = ""
    group_tags: Mapping[str, str] = field(default_factory=dict)

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
    that of the resource, where it was known when the backup was made. `attempt` counts the copies that were
    begun for one slot and place, since a failed one keeps its name.
    """

    stack: str
    plan: str
    slot: datetime
    source: str
    resource_id: str = ""
    copy_of: str = ""
    attempt: int = 1


class BackupState(StrEnum):
    """A backup's life, in every service's place: only `AVAILABLE` is one that can be restored."""

    CREATING = "creating"
    AVAILABLE = "available"
    FAILED = "failed"
    DELETING = "deleting"
    REMNANT = "remnant"
    """What a deletion of ours that was cut short has left over: nothing to restore, and still to be paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One restorable thing, ours (`mark`) or somebody else's (`mark is None`).

    `id` is its name within `region`; `source` the ARN of the resource that it was made from, which
    AWS tells even of those that are not ours. `resource_id` tells backups of a former resource of that name
    from those of today's, where it is known. `state_text` is AWS's own word for the state, and `failure` why
    AWS says that it failed. `account` is empty unless it stands in another account than the stack's.

    `copied`: a copy call made it, as AWS tells, be it ours or not. `kms_key` is the ARN of the key that it
    is encrypted with, where AWS tells. `option_group` is RDS's, and `tde` whether it is encrypted by the
    database engine too. `base` is the slot of the backup that this one holds the changes since; it is worth
    nothing without it. `None`: it is whole.
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
    failure: str = ""
    account: str = ""
    copied: bool = False
    kms_key: str = ""
    option_group: str = ""
    tde: bool = False
    base: datetime | None = None

    @property
    def place(self) -> str:
        """Where it stands: the Region, and the account unless it is the stack's."""
        return place_of(self.region, self.account)

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
class KeyRule:
    """Another KMS key for the copies of what bears all of these tags."""

    tags: Mapping[str, str]
    kms_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRule:
    """One place to copy to: a Region, of the stack's account or of another (`account`).

    `slots` are copies in flight at most, of each service. `kms_key` is for what is encrypted, unless one of
    `kms_keys` fits; the first that does counts. `option_groups` maps RDS's at the source to those at the
    place. `copy_unencrypted` lets copies be unencrypted where AWS would refuse the key. `bucket` is where
    DynamoDB's exports go, and `full_every_days` how often such an export is a full one (1: always).
    """

    region: str
    keep: KeepPolicy
    account: str = ""
    kms_key: str = ""
    kms_keys: tuple[KeyRule, ...] = ()
    slots: int = 20
    option_groups: Mapping[str, str] = field(default_factory=dict)
    copy_unencrypted: bool = False
    bucket: str = ""
    full_every_days: int = 1

    @property
    def place(self) -> str:
        return place_of(self.region, self.account)

    def key_for(self, tags: Mapping[str, str]) -> str:
        """The key for a copy of what bears these tags; empty when the plan names none."""
        fitting = (one.kms_key for one in self.kms_keys if one.tags.items() <= tags.items())
        return next(fitting, self.kms_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLaws:
    """What AWS lets one do with the backups of a kind.

    `service`: kinds of one service share its copies in flight. `key_for_unencrypted`: whether a key can be
    given for a copy of what is not encrypted. `reach`: how long after its slot a copy can still be begun;
    `None` for ever. `to_accounts`: whether there can be copies in other accounts. `to_buckets`: whether a
    copy is an export to the rule's bucket.
    """

    service: str
    key_for_unencrypted: bool = True
    reach: timedelta | None = None
    to_accounts: bool = True
    to_buckets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySettings:
    """What a copy is made with. `base` asks for the changes since that slot alone, where the kind can."""

    kms_key: str = ""
    option_group: str = ""
    base: datetime | None = None


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
class Origin:
    """Where a stack in another account stands whose copies are kept here. It has our stack's name."""

    account: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRule:
    """How restores are rehearsed: each resource, from each place, `within_days`, by drills that come
    `every_days` and cost at most `max_usd` each. `sample` items of a table are looked up by key, and of
    those that DynamoDB counted at most `most_missing_share` may be missing. `settings` are by place and
    kind, as a restore takes them."""

    within_days: int = 91
    every_days: int = 7
    max_usd: Decimal = Decimal(5)
    sample: int = 100
    most_missing_share: float = 0.02
    settings: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A named policy. `docs/plans.md` says what each key means.

    With `vault_of` it makes nothing, and prunes the copies that the stack there made for its plan of this
    name.
    """

    name: str
    select: Selection
    keep: KeepPolicy
    breaker: Breaker
    copies: tuple[CopyRule, ...] = ()
    time_zone: str = "UTC"
    window_minutes: int = 720
    rpo_hours: int = 26
    rto_minutes: int = 60
    vault_of: Origin | None = None
    drill: DrillRule | None = None

    def policy_for(self, place: str) -> KeepPolicy:
        """The policy of a location: that of the copy rule for the place, else the plan's own."""
        return next((rule.keep for rule in self.copies if rule.place == place), self.keep)

    def retention(self, home_region: str) -> Retention:
        """What the plan keeps in its home Region and where it copies to within the account. What stands in
        other accounts is theirs to prune."""
        policies = {home_region: self.keep} | {
            rule.place: rule.keep for rule in self.copies if not rule.account
        }
        return Retention(policies=policies, time_zone=self.time_zone)

    def keeping(self, retention: Retention, home_region: str) -> "Plan":
        """The same plan with another retention. Where that has no policy, everything is kept."""
        policies = retention.policies
        return replace(
            self,
            keep=policies.get(home_region, KEEP_ALL),
            copies=tuple(replace(rule, keep=policies.get(rule.place, KEEP_ALL)) for rule in self.copies),
            time_zone=retention.time_zone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where this stack stands: what is not of this stack, Region and account is not ours. The account is
    empty where it is not known.

    `vault_of` is that of the plan which is worked on: then ours is what the stack there copied to us.
    """

    stack: str
    region: str
    account: str = ""
    vault_of: Origin | None = None

    @property
    def source_region(self) -> str:
        """The Region of the resources whose backups are ours."""
        return self.vault_of.region if self.vault_of else self.region

    @property
    def source_account(self) -> str:
        """The account of those resources; empty when it is not known."""
        return self.vault_of.account if self.vault_of else self.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a stage is asked to do.

    `most` is how many outcomes the answer has at most (`None`: the function's own number). For pruning
    alone, `approve` is the digest of a list of deletions that a person read. For the report alone,
    `problems` are a run's sentences about stages that could not do their work. For copying alone, `hint`: an
    event of AWS said that a backup is done, of whatever slot. `run` is the id that all stages of a run share
    in their logs and records; of a stage that is invoked alone, that of its invocation. For the report alone,
    `glance` is how everything stood a moment ago, or `unchecked` why nobody could look. For a run alone, `at`
    is when it is said to be, where a night that has been is rehearsed.
    """

    plan: str
    slot: datetime
    dry_run: bool = False
    most: int | None = None
    approve: str = ""
    problems: tuple[str, ...] = ()
    hint: bool = False
    run: str = ""
    glance: Glance | None = None
    unchecked: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What checking is asked: how everything stands `at` an instant. `plan` and `slot` name the run that
    asks, if one does, which is over but for its message; `run` is its id, or that of the check itself."""

    at: datetime
    plan: str = ""
    slot: datetime | None = None
    run: str = ""
