"""A drill: restores rehearsed under names of their own, checked against what the plan promises, and removed.

Each look at it is an idempotent sweep, as a restore's is. Whatever goes wrong with one rehearsal, it is
removed, told, and costs no other anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from holdfast.core.brief import cut
from holdfast.core.checks import Check
from holdfast.core.cost import Prices
from holdfast.core.drill_message import message_of
from holdfast.core.drilling import (
    LEFTOVER_AGE,
    PATIENCE,
    Candidate,
    Drilling,
    DrillRequest,
    Leftover,
    Rehearsal,
    Stand,
    tags_of,
)
from holdfast.core.errors import HoldfastError, PlanError, ProviderError
from holdfast.core.model import Backup, DrillRule, Home, Plan, slot_of, source_of
from holdfast.core.planning import ours, select, why_not_carried
from holdfast.core.posture import Drill
from holdfast.core.rehearsing import (
    digest_of,
    drill_settings,
    due,
    estimate,
    merged,
    rehearsal_of,
    target_checks,
    why_restore_failed,
    within_cost,
)
from holdfast.core.restoring import RestoreState, Settings, pause_after
from holdfast.core.retention import is_good
from holdfast.core.verifying import Question
from holdfast.ports import Deadline, DrillPorts, Message, Notifier, Rehearsed, ResourceQuery, Steps
from holdfast.usecases.restore import restore

_LONGEST_REASON = 1000
_ENOUGH_SECONDS = 30.0
"""What one rehearsal's look may take. With less left, the next look goes on."""


def drill(
    ports: DrillPorts, request: DrillRequest, home: Home, now: datetime, deadline: Deadline
) -> Drilling:
    """One look at a drill, and the next thing that there is to do for it. A `dry_run` says which restores
    would be rehearsed and what that costs, and makes nothing.

    Raises `PlanError` and `ProviderError` while it is not even decided what to rehearse.
    """
    now = now.replace(microsecond=0)  # as it is kept
    look = _Look(ports=ports, home=home, now=now, deadline=deadline)
    kept = None if request.dry_run else ports.drills.load(request.id)
    if kept is None:
        planned = look.planned(request)
        if request.dry_run:
            return replace(planned, ended=now)
        kept = ports.drills.begin(planned)
    if kept.is_over:
        return kept
    gone_on = look.gone_on(kept)
    if gone_on != kept:
        ports.drills.save(gone_on)
    return gone_on


def run_drill(
    steps: Steps, sweep: Callable[[], Drilling], publish: Callable[[Drilling], str]
) -> dict[str, object]:
    """Look until it is over, and tell people once; a summary. `sweep` is a look (`drill`); `publish` sends
    the message, and answers its subject. A sweep that found nothing is not told."""
    seen: list[Drilling] = []

    def look() -> dict[str, object]:
        try:
            seen[:] = [sweep()]
        except ProviderError as error:
            if not error.retryable:
                raise
            return {"over": False, "quiet": True, "problem": cut(str(error), _LONGEST_REASON)}
        return _summary(seen[0])

    told = steps.step("drill", look)
    elapsed = 0.0
    while not told["over"] and elapsed < 4 * PATIENCE.total_seconds():
        pause = pause_after(elapsed)
        steps.wait(pause)
        elapsed += pause
        told = steps.step("drill", look)
    if told["quiet"]:
        return told

    def tell() -> dict[str, object]:
        return {"subject": publish(seen[0] if seen else sweep())}

    return {**told, **steps.step("publish", tell)}


def publish_drill(notifier: Notifier, drilling: Drilling, home: Home, address: str) -> str:
    """Tell people how it went; the message's subject."""
    told = message_of(drilling, home, address)
    notifier.publish(
        Message(subject=told.subject, text=told.text, data=told.data, attributes=told.attributes)
    )
    return told.subject


def _summary(drilling: Drilling) -> dict[str, object]:
    """What the durable function keeps of a look, and answers in the end."""
    request = drilling.request
    nothing = not (drilling.rehearsals or drilling.skipped or drilling.swept or drilling.problems)
    return {
        "id": request.id,
        "plan": request.plan,
        "over": drilling.is_over,
        "quiet": request.dry_run or (request.sweep and nothing),
        "candidates": drilling.candidates,
        "estimated_usd": str(drilling.estimated_usd),
        "rehearsals": [
            {
                "resource": one.resource,
                "place": one.place,
                "stand": str(one.stand),
                "passed": one.passed,
                "why": cut(one.why, _LONGEST_REASON),
                "removed": one.removed,
            }
            for one in drilling.rehearsals
        ],
        "skipped": [
            {"resource": one.resource, "place": one.place, "reason": cut(one.reason, _LONGEST_REASON)}
            for one in drilling.skipped[:100]
        ],
        "left_behind": drilling.left_behind,
        "problems": [cut(one, _LONGEST_REASON) for one in drilling.problems],
    }


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, HoldfastError) else f"unexpected {type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look. `problems` fills with what could not be looked at."""

    ports: DrillPorts
    home: Home
    now: datetime
    deadline: Deadline
    problems: list[str] = field(default_factory=list)

    # --- deciding ------------------------------------------------------------------------------------------

    def planned(self, request: DrillRequest) -> Drilling:
        """What is to be rehearsed. Makes nothing."""
        plan = self.ports.plans.get(request.plan)
        rule = plan.drill or DrillRule()
        drilling = Drilling(
            request=request,
            began=self.now,
            rpo_hours=plan.rpo_hours,
            rto_minutes=plan.rto_minutes,
            sample=rule.sample,
            most_missing_share=rule.most_missing_share,
        )
        if request.sweep:
            return drilling
        if plan.drill is None and not request.resource:
            raise PlanError(
                plan.name, ["drill: it is null, so nothing is rehearsed; give an object, or name a resource"]
            )
        candidates = self._candidates(plan, request)
        chosen = candidates if request.resource else self._due(plan, rule, candidates)
        given = {(one.resource, one.place): self._given(plan, request, one) for one in chosen}
        prices, mistake = self.ports.prices.read()
        if mistake:
            self.problems.append(mistake)
        costs = [(one, self._usd(one, given[one.resource, one.place], plan, prices)) for one in chosen]
        within = within_cost(costs, rule.max_usd)
        rehearsals = [
            rehearsal_of(one, usd, given[one.resource, one.place][1], request, self.now)
            for one, usd in within.rehearsed
        ]
        if not candidates:
            self.problems.append(self._nothing(plan, request))
        return replace(
            drilling,
            candidates=len(candidates),
            rehearsals=tuple(rehearsals),
            skipped=within.skipped,
            problems=tuple(self.problems),
        )

    def _nothing(self, plan: Plan, request: DrillRequest) -> str:
        what = request.resource or "anything that stands"
        return f"The plan {plan.name} does not protect {what}, so no restore can be rehearsed"

    def _due(self, plan: Plan, rule: DrillRule, candidates: Sequence[Candidate]) -> list[Candidate]:
        last = self.ports.drills.last(plan.name, self.now - timedelta(days=2 * rule.within_days))
        return due(candidates, last, rule, self.now)

    def _candidates(self, plan: Plan, request: DrillRequest) -> list[Candidate]:
        found: list[Candidate] = []
        for kind in sorted(plan.select.types & self.ports.rehearsers.keys()):
            try:
                found += self._of_kind(plan, kind)
            except Exception as error:
                if isinstance(error, ProviderError) and error.retryable:
                    raise  # the next look decides, on all that there is
                self.problems.append(f"No {kind} restore could be rehearsed: {_in_words(error)}")
        return [
            one
            for one in found
            if request.resource in ("", one.resource) and request.place in ("", one.place)
        ]

    def _of_kind(self, plan: Plan, kind: str) -> Iterable[Candidate]:
        provider = self.ports.restore.providers[kind]
        query = ResourceQuery(tags=plan.select.tags, everything=bool(plan.select.include))
        resources, _ = select(provider.resources(query), plan.select)
        laws = self.ports.copiers[kind].laws
        places = [self.home.region] + [
            rule.place for rule in plan.copies if not rule.account and not why_not_carried(kind, laws, rule)
        ]
        good = {
            place: _newest(
                [one for one in ours(provider.backups(place), self.home, plan.name) if is_good(one, self.now)]
            )
            for place in places
        }
        at_home = good[self.home.region]
        for place in places:
            for resource in resources:
                newest = good[place].get(resource.arn)
                # An export tells no size: it is about what the table's backup holds.
                sized = newest if newest and newest.size_bytes is not None else at_home.get(resource.arn)
                yield Candidate(
                    kind=kind,
                    resource=resource.arn,
                    place=place,
                    slot=slot_of(newest) if newest else None,
                    size_bytes=sized.size_bytes if sized else None,
                )

    def _given(self, plan: Plan, request: DrillRequest, one: Candidate) -> tuple[Settings, Settings]:
        """The source's settings, and those that the rehearsal is to have."""
        rehearser = self.ports.rehearsers[one.kind]
        try:
            known = self.ports.restore.restorers[one.kind].configuration(one.resource)
        except ProviderError as error:
            if error.retryable:
                raise
            self.problems.append(f"The settings of {one.resource} cannot be read: {error}")
            known = None
        settings = known.settings if known else {}
        own = rehearser.given(settings, tags_of(request.id))
        return settings, merged(own, drill_settings(plan, one.place, one.kind))

    def _usd(
        self, one: Candidate, given: tuple[Settings, Settings], plan: Plan, prices: Prices
    ) -> Decimal | None:
        if one.slot is None:
            return Decimal(0)  # nothing is restored
        return estimate(one, {**given[0], **given[1]}, plan.rto_minutes, prices)

    # --- acting --------------------------------------------------------------------------------------------

    def gone_on(self, kept: Drilling) -> Drilling:
        """As far as all of it comes now. What was found is kept before anything is removed: a look that is
        killed then must not find that it is not there."""
        looked = replace(kept, rehearsals=tuple(self._looked_at(kept, one) for one in kept.rehearsals))
        if looked != kept:
            self.ports.drills.save(looked)
        rehearsals = tuple(self._cleared(looked, one) for one in looked.rehearsals)
        swept = self._swept(looked)
        drilling = replace(
            looked,
            rehearsals=rehearsals,
            swept=swept,
            problems=tuple(dict.fromkeys([*kept.problems, *self.problems])),
        )
        waits = any(not one.is_over for one in rehearsals) or any(
            not one.gone and not one.trouble for one in swept
        )
        return drilling if waits else replace(drilling, ended=self.now)

    def _looked_at(self, kept: Drilling, one: Rehearsal) -> Rehearsal:
        """A rehearsal, restored and checked as far as it comes."""
        one = self._tried(Stand.RESTORING, self._restored, kept, one)
        one = self._tried(Stand.CHECKING, self._checked, kept, one)
        return one if one.stand is Stand.REMOVING else self._impatient(one)

    def _cleared(self, kept: Drilling, one: Rehearsal) -> Rehearsal:
        """A rehearsal that was looked at, removed as far as it comes."""
        if one.stand is not Stand.REMOVING:
            return one
        one = self._impatient(self._tried(Stand.REMOVING, self._removed, kept, one))
        if one.is_over:
            self._record(kept, one)
        return one

    def _tried(
        self, stand: Stand, step: Callable[[Drilling, Rehearsal], Rehearsal], kept: Drilling, one: Rehearsal
    ) -> Rehearsal:
        """A surprise in one rehearsal ends it, and no other."""
        if one.stand is not stand or self.deadline() < _ENOUGH_SECONDS:
            return one
        try:
            return step(kept, one)
        except Exception as error:  # noqa: BLE001
            return self._tripped(one, error)

    def _tripped(self, one: Rehearsal, error: Exception) -> Rehearsal:
        """What may pass by itself, and any trouble with the removal, is tried again in the next look."""
        if one.stand is Stand.REMOVING:
            return replace(one, trouble=_in_words(error))
        if isinstance(error, ProviderError) and error.retryable:
            return one
        return one.fails(_in_words(error), self.now)

    def _impatient(self, one: Rehearsal) -> Rehearsal:
        if one.is_over or self.now - one.since_when <= PATIENCE:
            return one
        hours = round(PATIENCE.total_seconds() / 3600)
        if one.stand is Stand.REMOVING:
            return replace(one.comes_to(Stand.OVER, self.now), ended=self.now)
        return one.fails(f"it was still {one.stand} after {hours} hours", self.now)

    def _restored(self, kept: Drilling, one: Rehearsal) -> Rehearsal:
        made = restore(self.ports.restore, one.request(), self.now, self.deadline)
        one = replace(one, arn=made.arn)
        if made.state is RestoreState.PENDING:
            return one
        if why := why_restore_failed(made):
            return one.fails(why, self.now)
        checks = tuple(target_checks(kept, one, made))
        return replace(one, seconds=made.seconds, checks=checks).comes_to(Stand.CHECKING, self.now)

    def _checked(self, kept: Drilling, one: Rehearsal) -> Rehearsal:
        """What is in it. The checks before are of the restore itself."""
        made = self.ports.restore.restores.load(one.id)
        rehearsed = Rehearsed(
            drill=kept.request.id,
            source=one.resource,
            arn=one.arn,
            region=one.place,
            pieces=made.pick.pieces if made and made.pick else (),
            sample=kept.sample,
            most_missing_share=kept.most_missing_share,
        )
        rehearser = self.ports.rehearsers[one.kind]
        found = [*rehearser.checks(rehearsed), *self._verified(rehearser.question(rehearsed))]
        return replace(one, checks=(*one.checks, *found)).comes_to(Stand.REMOVING, self.now)

    def _verified(self, question: Question | None) -> Sequence[Check]:
        if question is None or self.ports.verifier is None:
            return ()
        verdict = self.ports.verifier.verify(question)
        if not verdict.checks:
            return [Check(name="verifier", passed=False, found=verdict.reason or "it looked at nothing")]
        return [replace(check, name=f"sql {check.name}") for check in verdict.checks]

    def _removed(self, kept: Drilling, one: Rehearsal) -> Rehearsal:
        """Nothing that is not the restore's own is touched."""
        made = self.ports.restore.restores.load(one.id)
        restorer = self.ports.restore.restorers[one.kind]
        found = restorer.look(made.target) if made and made.to else None
        if made is None or found is None or not made.is_mine(found):
            over = replace(one, removed=True, trouble="", ended=self.now)
            return over.comes_to(Stand.OVER, self.now)
        self.ports.rehearsers[one.kind].remove(found, made.target, kept.request.id)
        return replace(one, arn=found.arn, trouble="")

    def _record(self, kept: Drilling, one: Rehearsal) -> None:
        """What the page shows. Without it the drill itself still tells."""
        try:
            self.ports.drills.record(_drill_of(kept, one, self.now), digest_of(one.resource, one.place))
        except ProviderError as error:
            self.problems.append(f"What came of {one.resource} could not be recorded: {error}")

    # --- what earlier ones left ----------------------------------------------------------------------------

    def _swept(self, kept: Drilling) -> tuple[Leftover, ...]:
        """What drills left behind is removed until it is gone. What is new, or this drill's, stays."""
        found = {one.arn: one for one in self._leftovers(kept)}
        swept: list[Leftover] = []
        for one in {**{one.arn: one for one in kept.swept}, **found}.values():
            if one.arn not in found:
                swept.append(replace(one, gone=True, trouble=""))
            else:
                swept.append(self._swept_away(one))
        return tuple(swept)

    def _leftovers(self, kept: Drilling) -> Iterable[Leftover]:
        for kind, rehearser in sorted(self.ports.rehearsers.items()):
            for place in self.ports.places:
                try:
                    there = rehearser.leftovers(place)
                except Exception as error:  # noqa: BLE001  as above
                    self.problems.append(
                        f"What {kind} drills may have left behind in {place} cannot be listed: "
                        f"{_in_words(error)}"
                    )
                    continue
                for one in there:
                    if one.drill != kept.request.id and self.now - one.created > LEFTOVER_AGE:
                        yield one

    def _swept_away(self, one: Leftover) -> Leftover:
        try:
            return replace(one, gone=self.ports.rehearsers[one.kind].remove_leftover(one), trouble="")
        except ProviderError as error:
            return replace(one, trouble="" if error.retryable else str(error))
        except Exception as error:  # noqa: BLE001  as above
            return replace(one, trouble=_in_words(error))


def _newest(backups: Iterable[Backup]) -> Mapping[str, Backup]:
    """The newest of each resource."""
    newest: dict[str, Backup] = {}
    for one in sorted(backups, key=lambda each: (slot_of(each), each.arn)):
        newest[source_of(one)] = one
    return newest


def _drill_of(kept: Drilling, one: Rehearsal, now: datetime) -> Drill:
    age = (one.began - one.slot).total_seconds() / 3600 if one.slot else None
    left = "" if one.removed else f"; {one.arn or one.name} could not be removed: {one.trouble}"
    return Drill(
        at=one.ended or now,
        plan=kept.request.plan,
        resource=one.resource,
        place=one.place,
        slot=one.slot,
        passed=one.passed,
        seconds=one.seconds,
        rto_minutes=kept.rto_minutes,
        reason=cut(one.why + left, _LONGEST_REASON),
        age_hours=age,
        rpo_hours=kept.rpo_hours,
        estimated_usd=one.estimated_usd,
        checks=one.checks,
    )
