"""Stage two: a copy of each backup in each place that the plan names."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from holdfast.core.errors import (
    AlreadyExists,
    CopySlotsFull,
    NotFound,
    OutOfReach,
    ProviderError,
    QuotaReached,
    Unprepared,
)
from holdfast.core.headroom import quota_reached
from holdfast.core.model import Backup, BackupState, CopyRule, Home, Plan, Request, slot_of, source_of
from holdfast.core.planning import (
    MOST_ATTEMPTS,
    Copying,
    ToCopy,
    free_slots,
    ours,
    plan_copies,
    put_off,
    source_place,
    state_of_copy,
    waits_for_its_region,
    why_not_carried,
)
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.core.retention import each_once
from holdfast.ports import CopyPorts, Deadline
from holdfast.usecases.sweep import SKEW, always, name_taken, nothing_to_do, state_of, sweep, unlisted

_NOT_OURS = "another copy_backups is at work for this plan, or was killed a moment ago: a later sweep goes on"


def copy_backups(
    ports: CopyPorts, plan: Plan, request: Request, home: Home, deadline: Deadline
) -> Report | None:
    """Start the copies that are missing; with `dry_run`, only say which.

    Two sweeps of one plan never copy at the same time: EBS would make two copies. The second leaves
    everything `pending`.

    A hint says that there may be something to copy, and is believed no further: the sweep is one for the slot
    of the newest backup that stands. `None`, with nothing done and nothing to record, when none stands, when
    not all could be listed, or when another sweep is at work anyway. A vault's plan has nothing to copy.
    """
    started = time.monotonic()
    if plan.vault_of:
        return None if request.hint else nothing_to_do(Stage.COPY, plan, request)
    turn = nullcontext(always) if request.dry_run else ports.turns.taken(f"{plan.name}-copy")
    with turn as is_ours:
        work = _Work(ports=ports, plan=plan, request=request, home=home, deadline=deadline, is_ours=is_ours)
        if request.hint:
            slot = _newest_slot(work) if is_ours() else None
            if slot is None:
                return None
            work = replace(work, request=replace(request, slot=slot))
        outcomes = _copy_all(work)
    if request.hint and not all(one.resource for one in outcomes):
        return None  # not all could be listed: the run that is under way, or the next one, tells
    return Report(
        stage=Stage.COPY,
        plan=plan.name,
        slot=work.request.slot,
        dry_run=request.dry_run,
        outcomes=outcomes,
        seconds=time.monotonic() - started,
        run=request.run,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One sweep. A listing is made once, or has failed once, until something is made in its place."""

    ports: CopyPorts
    plan: Plan
    request: Request
    home: Home
    deadline: Deadline
    is_ours: Callable[[], bool]
    known: dict[tuple[str, str], Sequence[Backup] | ProviderError] = field(default_factory=dict)

    def listed(self, kind: str, place: str) -> Sequence[Backup]:
        """Raises `ProviderError`, the same one each time it is asked."""
        key = (kind, place)
        if key not in self.known:
            try:
                self.known[key] = list(each_once(self.ports.providers[kind].backups(place)))
            except ProviderError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, ProviderError):
            raise found
        return found


def _forget(work: _Work, kinds: Iterable[str], place: str) -> None:
    """What was begun there is what copies for another account are made from."""
    for kind in kinds:
        work.known.pop((kind, place), None)


def _newest_slot(work: _Work) -> datetime | None:
    """The slot of the newest backup that stands in the home Region, of the kinds that are copied."""
    kinds = [
        kind
        for kind in sorted(work.plan.select.types)
        if any(not why_not_carried(kind, work.ports.copiers[kind].laws, rule) for rule in work.plan.copies)
    ]
    try:
        slots = [
            slot_of(one)
            for kind in kinds
            for one in ours(work.listed(kind, work.home.region), work.home, work.plan.name)
            if slot_of(one) <= work.request.slot
        ]
    except ProviderError:
        return None
    return max(slots, default=None)


def _copy_all(work: _Work) -> list[Outcome]:
    begun, made = _begun(work), _made(work)
    outcomes: list[Outcome] = []
    # The copy for another account is made from the one that stands in its Region, so that one comes first.
    for rule in sorted(work.plan.copies, key=lambda each: bool(each.account)):
        carried: dict[str, list[str]] = {}
        for kind in sorted(work.plan.select.types):
            laws = work.ports.copiers[kind].laws
            if why := why_not_carried(kind, laws, rule):
                outcomes += _stay(work, kind, rule, why)
            else:
                carried.setdefault(laws.service, []).append(kind)
        for kinds in carried.values():
            outcomes += _copy_service(work, kinds, rule, begun, made)
    return outcomes


def _begun(work: _Work) -> set[tuple[str, str]]:
    """The copies, by place and original, that an earlier sweep of this slot left unfinished: their end is to
    be told."""
    try:
        record = work.ports.records.load(work.plan.name, work.request.slot, Stage.COPY)
    except ProviderError:
        return set()  # a line less in the report; the copies themselves are listed all the same
    outcomes = record.outcomes if record else ()
    unfinished = (State.PENDING, State.DEFERRED)
    return {(one.region, one.backup_arn) for one in outcomes if one.state in unfinished}


def _made(work: _Work) -> list[Outcome]:
    """The backups of this slot that create_backups told as done."""
    try:
        record = work.ports.records.load(work.plan.name, work.request.slot, Stage.CREATE)
    except ProviderError:
        return []  # publish_report tells that the record cannot be read
    return [one for one in (record.outcomes if record else ()) if one.state is State.DONE]


def _copy_service(
    work: _Work,
    kinds: Iterable[str],
    rule: CopyRule,
    begun: Collection[tuple[str, str]],
    made: Sequence[Outcome],
) -> list[Outcome]:
    """Copy the kinds of one service. Where the copies of one of them cannot be listed at the moment, the
    slots in use are not known, and none of the service is begun. Where they never can be, AWS alone
    counts."""
    copying: list[Copying] = []
    unlisted_here: list[Outcome] = []
    unlisted_there: list[Outcome] = []
    for kind in kinds:
        here: Sequence[Backup] = ()
        try:
            here = work.listed(kind, source_place(rule, work.home))
        except ProviderError as error:
            unlisted_here.append(unlisted(Action.COPY, kind, rule.place, error))
        try:
            there = work.listed(kind, rule.place)
        except ProviderError as error:
            unlisted_there.append(unlisted(Action.COPY, kind, rule.place, error))
            continue
        laws = work.ports.copiers[kind].laws
        copying.append(Copying(kind=kind, laws=laws, here=here, there=there))
    steps, known = plan_copies(copying, work.plan, rule, work.request, work.home, begun)
    if any(one.state is not State.FAILED for one in unlisted_there):
        reason = f"waits until it is known how many copy slots of {rule.place} are in use"
        acted = [step.outcome(State.PENDING, reason) for step in steps]
    else:
        acted = _act(steps, copying, rule, work)
        _forget(work, {step.backup.kind for step in steps}, rule.place)
    unseen = {one.kind for one in unlisted_here}
    if source_place(rule, work.home) != work.home.region:
        acted += [one for kind in copying if kind.kind not in unseen for one in _waiting(work, kind, rule)]
    gone = [one for kind in copying if kind.kind not in unseen for one in _vanished(made, kind, rule, work)]
    return [*unlisted_here, *unlisted_there, *known, *gone, *acted]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """The copies of one service that are begun in one place. `full` and `at_quota` are what AWS answered,
    by service and by kind, after which no further call has a chance."""

    work: _Work
    standing: Mapping[str, Sequence[Backup]]
    of_this_slot: frozenset[str]
    full: dict[str, tuple[State, str]] = field(default_factory=dict)
    at_quota: dict[str, tuple[State, str]] = field(default_factory=dict)


def _act(steps: Sequence[ToCopy], copying: Iterable[Copying], rule: CopyRule, work: _Work) -> list[Outcome]:
    """Begin as many as there are slots. What turns out to need none, since it cannot be begun, makes room for
    the next ones: else a few that fail each time would keep others from ever being tried."""
    copying = list(copying)
    standing = {kind.kind: kind.there for kind in copying}
    room = free_slots(copying, rule)
    slot = work.request.slot
    of_this_slot = frozenset(source_of(one.backup) for one in steps if one.mark.slot == slot)
    round_ = _Round(work=work, standing=standing, of_this_slot=of_this_slot)

    def act(step: ToCopy) -> Outcome:
        if work.request.dry_run:
            return step.outcome(State.SKIPPED, f"dry run: would copy, since {step.reason}")
        if not work.is_ours():
            return step.outcome(State.PENDING, _NOT_OURS)
        return _begin(step, round_)

    def instead(step: ToCopy, state: State, reason: str) -> Outcome:
        return step.outcome(state, reason)

    outcomes: list[Outcome] = []
    rest = list(steps)
    while rest and room > 0:
        batch, rest = rest[:room], rest[room:]
        acted = sweep(batch, act, instead, work.deadline)
        outcomes += acted
        room -= sum(one.state in (State.DONE, State.PENDING) for one in acted)
        if any(one.state is State.DEFERRED for one in acted):
            break
    if round_.full:  # what AWS said of one holds for all: no further call is made
        return [*outcomes, *sweep(rest, act, instead, work.deadline)]
    return [*outcomes, *(put_off(step, rule) for step in rest)]


def _begin(step: ToCopy, round_: _Round) -> Outcome:
    work, kind = round_.work, step.backup.kind
    copier = work.ports.copiers[kind]
    service = copier.laws.service
    if known := round_.full.get(service) or round_.at_quota.get(kind):
        return step.outcome(*known)
    try:
        copy = copier.copy(step.backup, step.place, step.mark, step.settings)
    except AlreadyExists as error:
        return _settle(work, step, error)
    except NotFound as error:
        return step.outcome(State.FAILED, f"the backup was gone before it could be copied ({error})")
    except CopySlotsFull as error:
        return step.outcome(*round_.full.setdefault(service, state_of(error)))
    except QuotaReached as error:
        most = work.ports.quotas.most(kind, step.place)
        reason = quota_reached(kind, step.place, len(round_.standing[kind]), most, str(error))
        return step.outcome(*round_.at_quota.setdefault(kind, (State.FAILED, reason)))
    except (OutOfReach, Unprepared) as error:
        return _too_late_or_unprepared(step, error, round_)
    state, reason = state_of_copy(copy)
    if step.mark.attempt > 1 and state is State.PENDING:
        reason += f", attempt {step.mark.attempt} of {MOST_ATTEMPTS}: {step.reason}"
    return step.outcome(state, reason)


def _too_late_or_unprepared(step: ToCopy, error: ProviderError, round_: _Round) -> Outcome:
    """What is missing for ever is no failure of every night to come, and one resource's lack of a setting is
    told once, of this slot."""
    if step.mark.slot == round_.work.request.slot:
        return step.outcome(*state_of(error))
    if isinstance(error, OutOfReach):
        return step.outcome(State.SKIPPED, f"too late: AWS cannot copy it any more ({error.message})")
    if source_of(step.backup) in round_.of_this_slot:
        return step.outcome(State.SKIPPED, "not copied, for the reason that is told of this run's backup")
    return step.outcome(*state_of(error))


def _waiting(work: _Work, kind: Copying, rule: CopyRule) -> list[Outcome]:
    try:
        at_home = work.listed(kind.kind, work.home.region)
    except ProviderError:
        return []  # that is told of the Region's own copies
    return waits_for_its_region(kind, at_home, work.plan, rule, work.request, work.home)


def _vanished(made: Sequence[Outcome], kind: Copying, rule: CopyRule, work: _Work) -> list[Outcome]:
    """Backups of this slot that were made, and that somebody deleted before they were copied. Those of a
    slot that later ones have followed may have been pruned."""
    if source_place(rule, work.home) != work.home.region:
        return []  # the copy that it is made from tells
    standing = ours([*kind.here, *kind.there], work.home, work.plan.name)
    present = {
        source_of(one)
        for one in standing
        if slot_of(one) >= work.request.slot and one.state in (BackupState.CREATING, BackupState.AVAILABLE)
    }
    return [
        replace(
            one,
            action=Action.COPY,
            state=State.FAILED,
            region=rule.place,
            reason="the backup was made, and was gone before it could be copied",
        )
        for one in made
        if one.kind == kind.kind and one.resource not in present
    ]


def _settle(work: _Work, step: ToCopy, error: AlreadyExists) -> Outcome:
    """The name is taken in the other place: by this very copy, or by something else."""
    for one in work.ports.providers[step.backup.kind].backups(step.place, step.mark.source):
        if one.mark == step.mark:
            return step.outcome(*state_of_copy(one))
    return step.outcome(State.FAILED, name_taken(error))


def _stay(work: _Work, kind: str, rule: CopyRule, why: str) -> list[Outcome]:
    """Backups of this slot that the rule does not carry are said to stay, each night and for each
    resource."""
    try:
        here = work.ports.providers[kind].backups(work.home.region, since=work.request.slot - SKEW)
    except ProviderError as error:
        return [unlisted(Action.COPY, kind, rule.place, error)]
    return [
        Outcome(
            action=Action.COPY,
            state=State.SKIPPED,
            kind=one.kind,
            resource=source_of(one),
            region=rule.place,
            backup=one.id,
            backup_arn=one.arn,
            reason=why,
        )
        for one in ours(each_once(here), work.home, work.plan.name)
        if slot_of(one) == work.request.slot
    ]
