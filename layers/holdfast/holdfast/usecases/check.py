"""How everything stands: looked at apart from the runs, so that it shows as well when nothing ran."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from holdfast.core.assessing import RESOURCES, Listed, assess, interval_of
from holdfast.core.changes import changes
from holdfast.core.cost import Prices
from holdfast.core.coverage import WATCHED_KINDS, uncovered
from holdfast.core.errors import HoldfastError, HoldListError, ProviderError
from holdfast.core.headroom import QUOTAS, warning
from holdfast.core.health import Scene, protections_before
from holdfast.core.holds import hold
from holdfast.core.model import Backup, CheckRequest, Home, Plan
from holdfast.core.own_cost import Fixtures, own_cost, per_month
from holdfast.core.planning import why_not_carried
from holdfast.core.posture import (
    Drill,
    Headroom,
    Health,
    LastRun,
    PlanPosture,
    Posture,
    Protection,
)
from holdfast.core.report import Report, Stage, State, combine
from holdfast.core.retention import describe, is_good
from holdfast.core.usage import Usage
from holdfast.ports import CheckPorts, ResourceQuery, StoredPlan

RUNS_BACK = timedelta(days=40)
"""How far back the newest run of a plan is looked for at least: somewhat more than a plan's month."""

MEMORY = timedelta(days=7)
"""How far back the posture before is looked for."""

AT_LEAST_A_DAY, AT_MOST_A_DAY = timedelta(hours=20), timedelta(hours=72)
"""How old the posture is that this one is compared with: the newest of that time."""

DRILLS_BACK = timedelta(days=100)
"""Somewhat more than a quarter, in which most who have to rehearse do."""

MOST_FAILURES = 200
"""Outcomes of a plan's last run that are shown; its record has them all."""

OTHERS_AGE = timedelta(days=7)
"""How old another stack's newest backup may be for it to be taken for one that is at work."""

MOST_SLOTS = 50
"""Of a plan's newest, those that are searched for one whose run has ended."""

CHECKS_EVERY = timedelta(hours=1)
"""As the template schedules them."""


def check_recovery_points(
    ports: CheckPorts, request: CheckRequest, home: Home, usage: Callable[[], Usage]
) -> Posture:
    """The posture at an instant. What cannot be looked at is told as a problem, and never taken for good.

    Raises `ProviderError` when not even the plans can be listed. `usage` tells what this invocation has used.
    """
    started = time.monotonic()
    look = _Look(ports=ports, request=request, home=home)
    stored = ports.plans.everyone()
    listed = look.everything([one.plan for one in stored if one.plan is not None])
    before, is_lost = look.posture(request.at - MEMORY, request.at - timedelta(seconds=1))
    prices = look.prices()
    found = [look.plan(one, listed, before, is_lost, prices) for one in stored]
    posture = Posture(
        at=request.at,
        home=home,
        plans=[one.shown for one in found],
        protections=[line for one in found for line in one.protections],
        uncovered=uncovered(
            {kind.kind: kind.resources for kind in listed},
            [one.plan for one in stored if one.plan is not None],
            {one.name: one.problem for one in stored if one.plan is None},
            _of_other_stacks(listed, home, request.at),
        ),
        headroom=look.headroom(listed),
        warnings=look.warnings(listed),
        drills=look.drills(),
        usage=usage(),
        seconds=time.monotonic() - started,
    )
    return look.compared(posture, prices)


def _in_words(error: Exception) -> str:
    """What went wrong: AWS's errors tell it themselves, of others one has to know the type."""
    return str(error) if isinstance(error, HoldfastError) else f"unexpected {type(error).__name__}: {error}"


def keep_posture(ports: CheckPorts, posture: Posture) -> Posture:
    """Store the posture and show it as the page, unless a newer one stands. Returns it with what could not be
    done of that as a problem: neither costs people the other, nor the metrics."""
    problems = list(posture.problems)
    try:
        ports.postures.save(posture)
    except Exception as error:  # noqa: BLE001  nor may a surprise
        problems.append(f"The posture could not be stored: {_in_words(error)}")
    try:
        # A check that was late, or was asked for another instant, is no reason to show people an older world.
        if ports.postures.load(posture.at + timedelta(seconds=1), posture.at + MEMORY) is None:
            ports.page.write(replace(posture, problems=tuple(problems)))
    except Exception as error:  # noqa: BLE001
        problems.append(f"The page could not be written, and shows an earlier hour: {_in_words(error)}")
    return replace(posture, problems=tuple(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfPlan:
    """A plan, and how its resources stand."""

    shown: PlanPosture
    protections: Sequence[Protection] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look around. `problems` fills with what could not be looked at."""

    ports: CheckPorts
    request: CheckRequest
    home: Home
    problems: list[str] = field(default_factory=list)

    # --- what stands -----------------------------------------------------------------------------------

    def everything(self, plans: Sequence[Plan]) -> list[Listed]:
        """What there is of each kind: of those that a plan is about, and of those that should have one."""
        kinds = WATCHED_KINDS.union(*(plan.select.types for plan in plans))
        return [self._listed(kind, plans) for kind in sorted(kinds & self.ports.providers.keys())]

    def _listed(self, kind: str, plans: Sequence[Plan]) -> Listed:
        laws = self.ports.copiers[kind].laws
        of_kind = [plan for plan in plans if kind in plan.select.types]
        places = {self.home.region} if of_kind else set()
        places |= {
            rule.place for plan in of_kind for rule in plan.copies if not why_not_carried(kind, laws, rule)
        }
        trouble: dict[str, str] = {}
        everything = partial(self.ports.providers[kind].resources, ResourceQuery(everything=True))
        resources = self._tried(everything, f"{kind} resources", RESOURCES, trouble)
        by_place = {
            place: self._tried(
                partial(self._backups, kind, place), f"{kind} backups in {place}", place, trouble
            )
            for place in sorted(places)
        }
        return Listed(kind=kind, laws=laws, resources=resources, by_place=by_place, trouble=trouble)

    def _tried[Thing](
        self, listing: Callable[[], Sequence[Thing]], what: str, place: str, trouble: dict[str, str]
    ) -> Sequence[Thing]:
        try:
            return listing()
        except Exception as error:  # noqa: BLE001  one listing's surprise must not cost the others theirs
            why = _in_words(error)
            self.problems.append(f"The {what} could not be listed: {why}")
            trouble[place] = why
            return ()

    def _backups(self, kind: str, place: str) -> Sequence[Backup]:
        """With the holds that people keep in a list. Without them a held backup looks like any other."""
        backups = self.ports.providers[kind].backups(place)
        holds = self.ports.hold_lists.get(kind)
        if holds is None:
            return backups
        try:
            return hold(backups, holds.read())
        except (ProviderError, HoldListError) as error:
            self.problems.append(f"The holds of {kind} backups cannot be read: {error}")
            return backups

    def headroom(self, listed: Iterable[Listed]) -> list[Headroom]:
        return [
            Headroom(kind=kind, place=place, standing=len(standing), most=most)
            for kind, place, standing, most in self._quotas(listed)
        ]

    def warnings(self, listed: Iterable[Listed]) -> list[str]:
        told = [warning(kind, place, standing, most) for kind, place, standing, most in self._quotas(listed)]
        return [one for one in told if one]

    def _quotas(self, listed: Iterable[Listed]) -> Iterable[tuple[str, str, Sequence[Backup], int]]:
        for kind in listed:
            for place, standing in kind.by_place.items() if kind.kind in QUOTAS else ():
                most = (
                    None if place in kind.trouble else self.ports.quotas.most(kind.kind, place, len(standing))
                )
                if most is not None:
                    yield kind.kind, place, standing, most

    # --- what was --------------------------------------------------------------------------------------

    def posture(self, since: datetime, until: datetime) -> tuple[Posture | None, bool]:
        """The newest posture of a time, and whether there may be one that cannot be read."""
        try:
            return self.ports.postures.load(since, until), False
        except Exception as error:  # noqa: BLE001  whatever is stored there
            self.problems.append(f"An earlier posture cannot be read: {_in_words(error)}")
            return None, True

    def drills(self) -> Sequence[Drill]:
        try:
            return self.ports.postures.drills(self.request.at - DRILLS_BACK)
        except Exception as error:  # noqa: BLE001  others write them
            self.problems.append(f"The drills cannot be read: {_in_words(error)}")
            return ()

    def prices(self) -> Prices:
        prices, mistake = self.ports.prices.read()
        if mistake:
            self.problems.append(mistake)
        return prices

    def compared(self, posture: Posture, prices: Prices) -> Posture:
        """With what is otherwise than a day ago, what Holdfast costs, and all that could not be looked at."""
        at = self.request.at
        yesterday, _ = self.posture(at - AT_MOST_A_DAY, at - AT_LEAST_A_DAY)
        posture = replace(posture, own_cost=own_cost(_monthly(posture), prices, _fixtures(posture)))
        if yesterday is not None:
            posture = replace(posture, changes=changes(yesterday, posture), compared_with=yesterday.at)
        return replace(posture, problems=tuple(dict.fromkeys(self.problems)))

    # --- plans -----------------------------------------------------------------------------------------

    def plan(
        self,
        stored: StoredPlan,
        listed: Sequence[Listed],
        before: Posture | None,
        is_lost: bool,
        prices: Prices,
    ) -> _OfPlan:
        """What is found of one plan; what surprises there must not cost the other plans theirs."""
        try:
            return self._plan(stored, listed, before, is_lost, prices)
        except Exception as error:  # noqa: BLE001
            shown = PlanPosture(name=stored.name, problem=f"it could not be looked at: {_in_words(error)}")
            return _OfPlan(shown=shown, protections=_unseen(stored, before, shown.problem))

    def _plan(
        self,
        stored: StoredPlan,
        listed: Sequence[Listed],
        before: Posture | None,
        is_lost: bool,
        prices: Prices,
    ) -> _OfPlan:
        run, hours, ran = self._last_run(stored)
        plan = stored.plan
        if plan is None:
            shown = PlanPosture(name=stored.name, problem=stored.problem, last_run=run, hours_since_run=hours)
            why = f"its plan cannot be used: {stored.problem}"
            return _OfPlan(shown=shown, protections=_unseen(stored, before, why))
        kinds = [kind for kind in listed if kind.kind in plan.select.types]
        if plan.vault_of:
            kinds = [kind for kind in kinds if kind.laws.to_accounts]
        scene = Scene(
            plan=plan,
            at=self.request.at,
            home=self.home,
            prices=prices,
            last_run=run,
            ran=ran,
            before=protections_before(before),
            memory_lost=is_lost,
        )
        shown = PlanPosture(
            name=plan.name,
            rpo_hours=plan.rpo_hours,
            rto_minutes=plan.rto_minutes,
            keeps=_keeps(plan, self.home),
            last_run=run,
            hours_since_run=hours,
            every_hours=interval_of(kinds, scene).total_seconds() / 3600,
            is_vault=plan.vault_of is not None,
        )
        return _OfPlan(shown=shown, protections=assess(kinds, scene))

    def _last_run(self, stored: StoredPlan) -> tuple[LastRun | None, float | None, Sequence[datetime]]:
        """The newest run that left records, the hours since the newest that has ended or is within its
        window, and the slots of all that left some."""
        at, plan = self.request.at, stored.name
        try:
            slots = [slot for slot in self.ports.records.slots(plan, at - _runs_back(stored)) if slot <= at]
            newest = self._run(plan, slots[-1]) if slots else None
            ended = self._came(stored, slots, newest) if newest else None
        except ProviderError as error:
            self.problems.append(f"The records of the plan {plan} cannot be read: {error}")
            return None, None, ()
        # Runs that all began and never told have been since the first of them, however new the plan is.
        since = ended or min(filter(None, (stored.changed, *slots[:1])), default=None)
        return newest, (at - since).total_seconds() / 3600 if since else None, slots

    def _came(self, stored: StoredPlan, slots: Sequence[datetime], newest: LastRun) -> datetime | None:
        """The slot of the newest run that has ended, or is at work: one that may be counts only where the one
        before it has told, since runs that all begin and never tell are none."""
        if newest.ended:
            return newest.slot
        told = next(filter(self._told(stored.name), reversed(slots[-MOST_SLOTS:-1])), None)
        is_first_untold = len(slots) == 1 or told == slots[-2]
        return newest.slot if is_first_untold and self._is_in_time(stored, newest.slot) else told

    def _is_in_time(self, stored: StoredPlan, slot: datetime) -> bool:
        """Whether the run of a slot may still be at work."""
        window = timedelta(minutes=stored.plan.window_minutes) if stored.plan else timedelta(0)
        return self.request.at - slot <= window

    def _told(self, plan: str) -> Callable[[datetime], bool]:
        """Whether the run of a slot has told people how it went."""
        return lambda slot: self.ports.records.load(plan, slot, Stage.REPORT) is not None

    def _run(self, plan: str, slot: datetime) -> LastRun:
        """Of a run that asks for this check, and is about to tell, what it has done counts: an earlier run of
        the same slot may have told something else."""
        asks = (plan, slot) == (self.request.plan, self.request.slot)
        told = None if asks else self.ports.records.load(plan, slot, Stage.REPORT)
        report = told or self._so_far(plan, slot)
        failures = [one for one in report.by_urgency() if one.state in _NEEDS_A_LOOK]
        return LastRun(
            slot=slot,
            status=report.status,
            ended=asks or told is not None,
            failures=failures[:MOST_FAILURES],
            refusals=report.refusals,
            problems=report.problems,
            usage=report.usage,
        )

    def _so_far(self, plan: str, slot: datetime) -> Report:
        stages: Mapping[Stage, Report | None] = {
            stage: self.ports.records.load(plan, slot, stage)
            for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE)
        }
        return combine(stages, plan, slot, (), told=True)


def _of_other_stacks(listed: Iterable[Listed], home: Home, at: datetime) -> set[tuple[str, str]]:
    """What other stacks have good backups of that are not old, and for which of their plans: a stack that is
    gone protects nothing."""
    return {
        (one.mark.source, one.mark.plan)
        for kind in listed
        for backups in kind.by_place.values()
        for one in backups
        if one.mark is not None
        and one.mark.stack != home.stack
        and is_good(one, at)
        and at - one.mark.slot < OTHERS_AGE
    }


def _unseen(stored: StoredPlan, before: Posture | None, why: str) -> list[Protection]:
    """What a plan that cannot be used protected as long as it could: nobody knows what of it to expect now,
    and what vanishes meanwhile is missed when it can be used again."""
    return [
        replace(one, health=Health.UNKNOWN, reason=why)
        for one in (before.protections if before else ())
        if one.plan == stored.name and one.health is not Health.RETIRED
    ]


def _runs_back(stored: StoredPlan) -> timedelta:
    """A plan that seldom runs says so by its RPO."""
    return max(RUNS_BACK, timedelta(hours=stored.plan.rpo_hours) if stored.plan else RUNS_BACK)


_NEEDS_A_LOOK = (State.FAILED, State.PENDING, State.DEFERRED)


def _keeps(plan: Plan, home: Home) -> dict[str, str]:
    return {home.region: describe(plan.keep)} | {rule.place: describe(rule.keep) for rule in plan.copies}


def _fixtures(posture: Posture) -> Fixtures:
    """What is paid for by the month whether it is used or not."""
    places = {(one.plan, one.place) for one in posture.protections}
    return Fixtures(plans=len(posture.plans), places=len(places))


def _monthly(posture: Posture) -> Usage:
    """What a month takes, if all runs are as the last ones were, and all checks as this one."""
    month = per_month(posture.usage, CHECKS_EVERY)
    for plan in posture.plans:
        if plan.last_run is not None:
            month += per_month(plan.last_run.usage, timedelta(hours=plan.every_hours))
    return month
