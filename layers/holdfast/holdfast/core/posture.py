"""How a stack's resources stand: what can be restored, from when, and what is missing.

Seen from what stands in the account, and not from what runs told of themselves: so it shows as well when
nothing ran at all. `core.assessing` finds it out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from holdfast.core.checks import Check
from holdfast.core.cost import Cost, CostLine
from holdfast.core.glance import Standing
from holdfast.core.model import Home, name_of
from holdfast.core.report import Outcome, Status
from holdfast.core.usage import Usage

SCHEMA = "holdfast.posture/1"


class Health(StrEnum):
    """How a resource stands in one place, the worst first."""

    MISSING = "missing"
    """Nothing can be restored, although a backup was due."""

    OVERDUE = "overdue"
    """The newest good backup is older than the plan's `rpo_hours`."""

    UNKNOWN = "unknown"
    """It could not be listed."""

    WAITING = "waiting"
    """Nothing can be restored yet: it is new, and its first backup is not due."""

    RETIRED = "retired"
    """Backups that stay until a person decides: what they are of is gone, or no plan's any more."""

    OK = "ok"


BREACHES = frozenset({Health.MISSING, Health.OVERDUE, Health.UNKNOWN})
"""What a person has to look at. What is not known is not fine."""


class TickState(StrEnum):
    """What there is of one slot, of one resource in one place."""

    KEPT = "kept"
    LEAVING = "leaving"
    """It is good, and the next run deletes it, as far as its guards let it."""

    PENDING = "pending"
    FAILED = "failed"
    MISSING = "missing"
    """The policy wants it, and it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One slot in a resource's timeline. `reason` is that of the retention: `daily 1 of 7`."""

    slot: datetime
    state: TickState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How one resource that a plan protects stands in one place.

    `newest` is the slot of the newest good backup, and `None` where there is none. `since` is when that was
    first seen to be so, or `None` while there is one. `good` backups stand, of `full` that the policy keeps
    once it has run for long enough; `stuck` of the `pending` ones take longer than the plan's window;
    `missing` are slots that the policy wants and that are not there. `ticks` are in order of time.
    `next_deletion` is the slot whose run lets the next backup go, if runs go on as they did, and `None`
    where none of the next `core.future.MOST_NIGHTS` does. `reason` says what is wrong and what to do, or what
    there is. `label` is the resource's.
    """

    plan: str
    kind: str
    resource: str
    place: str
    health: Health
    reason: str
    rpo_hours: int
    label: str = ""
    newest: datetime | None = None
    since: datetime | None = None
    good: int = 0
    full: int = 0
    pending: int = 0
    stuck: int = 0
    failed: int = 0
    missing: int = 0
    ticks: Sequence[Tick] = ()
    next_deletion: datetime | None = None
    cost: Cost = field(default_factory=Cost)

    @property
    def name(self) -> str:
        return name_of(self.resource)

    @property
    def title(self) -> str:
        """What people know it by: its name, and before that the label of one that AWS gave its name."""
        return f"{self.label} ({self.name})" if self.label else self.name

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it: plan, resource and place."""
        return self.plan, self.resource, self.place

    def age(self, at: datetime) -> timedelta | None:
        """How old the newest good backup is."""
        return at - self.newest if self.newest is not None else None


class Gap(StrEnum):
    """Why a resource has no plan, what needs a person most first."""

    UNKNOWN_PLAN = "unknown_plan"
    """It is tagged with a plan that there is not."""

    NO_PLAN = "no_plan"
    """Nobody said anything about it."""

    OPTED_OUT = "opted_out"
    """Somebody took it out, by its tag or in a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """A resource that no plan protects."""

    kind: str
    resource: str
    gap: Gap
    reason: str

    @property
    def name(self) -> str:
        return name_of(self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The newest run of a plan that left records. `ended`: it has published its report. `failures` are its
    outcomes that need a person, and `refusals` and `problems` its sentences. `usage` is what the run took."""

    slot: datetime
    status: Status
    ended: bool
    failures: Sequence[Outcome] = ()
    refusals: Sequence[str] = ()
    problems: Sequence[str] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPosture:
    """A plan as it stands. `problem` says why it cannot be used, and is empty when it can.

    `keeps` has its retention in words, by place. `hours_since_run` is seen from the slot of the newest run
    that has ended or is at work within its window, or where none is known from when the plan was last
    changed; `None` where neither is known. `every_hours` is how often its runs come, as far as can be seen.
    """

    name: str
    problem: str = ""
    rpo_hours: int = 0
    rto_minutes: int = 0
    keeps: Mapping[str, str] = field(default_factory=dict)
    last_run: LastRun | None = None
    hours_since_run: float | None = None
    every_hours: float = 24.0
    is_vault: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """How many backups of a kind stand in a place, everybody's, of how many that may."""

    kind: str
    place: str
    standing: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One rehearsed restore, as `drills/` in the report bucket tells of it. `seconds` is how long it took,
    which the plan allows `rto_minutes` for. `slot` is that of its backup, which was `age_hours` old when the
    drill began; `None` when there was none."""

    at: datetime
    plan: str
    resource: str
    place: str
    slot: datetime | None
    passed: bool
    seconds: float
    rto_minutes: int
    reason: str = ""
    age_hours: float | None = None
    rpo_hours: int | None = None
    estimated_usd: Decimal = Decimal(0)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One sentence on what is otherwise than a day ago. `is_worse`: it needs a person."""

    text: str
    is_worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Everything at one instant.

    `problems` are sentences on what could not be looked at; `warnings` those on what will soon be wrong.
    `own_cost` is what Holdfast itself costs. `changes` are since `compared_with`. `usage` is what the
    looking took.
    """

    at: datetime
    home: Home
    plans: Sequence[PlanPosture] = ()
    protections: Sequence[Protection] = ()
    uncovered: Sequence[Uncovered] = ()
    headroom: Sequence[Headroom] = ()
    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()
    own_cost: Sequence[CostLine] = ()
    drills: Sequence[Drill] = ()
    changes: Sequence[Change] = ()
    compared_with: datetime | None = None
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)

    @property
    def breaches(self) -> list[Protection]:
        """Those that need a person, the worst and then the oldest first."""
        order = list(Health)
        bad = [one for one in self.protections if one.health in BREACHES]
        return sorted(bad, key=lambda one: (order.index(one.health), one.newest or self.at, one.key))

    @property
    def resources(self) -> frozenset[str]:
        """The ARNs of what plans protect."""
        return frozenset(one.resource for one in self.protections if one.health is not Health.RETIRED)

    @property
    def recoverable(self) -> frozenset[str]:
        """The ARNs of those that stand well in every place that their plans want them in."""
        well = (Health.OK, Health.RETIRED)
        return self.resources - {one.resource for one in self.protections if one.health not in well}

    @property
    def waiting(self) -> frozenset[str]:
        """The ARNs of those of which nothing is wrong but that they are new."""
        new = {one.resource for one in self.protections if one.health is Health.WAITING}
        return frozenset(new - {one.resource for one in self.breaches})

    @property
    def misnamed(self) -> list[Uncovered]:
        """What somebody meant to protect, and nothing does: its tag names a plan that there is not."""
        return [one for one in self.uncovered if one.gap is Gap.UNKNOWN_PLAN]

    @property
    def standing(self) -> Standing:
        if self.breaches or self.misnamed:
            return Standing.BREACHED
        if self.problems or any(one.problem for one in self.plans):
            return Standing.INCOMPLETE
        return Standing.OK if self.resources else Standing.EMPTY
