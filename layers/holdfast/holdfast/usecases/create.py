"""Stage one: a backup of each resource for the slot."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from holdfast.core.errors import AlreadyExists, NotFound, ProviderError, QuotaReached
from holdfast.core.headroom import quota_reached
from holdfast.core.model import Backup, Home, Plan, Request
from holdfast.core.planning import ToCreate, not_there, plan_creates, select, state_of_created, together
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.ports import CreatePorts, Deadline, Grouper, Provider
from holdfast.usecases.sweep import SKEW, always, listed, name_taken, nothing_to_do, sweep, unlisted

_NOT_OURS = (
    "another create_backups is at work for this plan, or was killed a moment ago: a later sweep goes on"
)

_VANISHED = (
    "it was listed, and is not there: either it was deleted a moment ago, or it is so new that AWS does not "
    "know it everywhere yet. The next run sees which"
)


def create_backups(
    ports: CreatePorts, plan: Plan, request: Request, home: Home, deadline: Deadline
) -> Report:
    """Make the backups of the slot that are not there yet; with `dry_run`, only say which.

    Two sweeps of one plan never create at the same time: the second leaves everything `pending`. A vault's
    plan has nothing to create.
    """
    started = time.monotonic()
    if plan.vault_of:
        return nothing_to_do(Stage.CREATE, plan, request)
    turn = nullcontext(always) if request.dry_run else ports.turns.taken(plan.name)
    left: list[Outcome] = []
    chosen: list[Outcome] = []
    groups: set[str] = set()
    with turn as is_ours:
        work = _Work(ports=ports, plan=plan, request=request, home=home, deadline=deadline, is_ours=is_ours)
        for kind in sorted(plan.select.types):
            if not is_ours():
                chosen.append(_not_our_turn(kind, home))
                continue
            of_kind = _create_kind(ports.providers[kind], work)
            left += of_kind.left
            chosen += of_kind.chosen
            groups |= of_kind.groups
    told = {one.resource for one in (*left, *chosen)}
    if "" not in told:  # else not all could be listed, and what is missing is not known
        chosen += not_there(told | groups, plan.select)
    protected = any(one.state is not State.SKIPPED or request.dry_run for one in chosen)
    return Report(
        stage=Stage.CREATE,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        outcomes=[*left, *chosen],
        refusals=() if protected else (_matches_nothing(plan),),
        seconds=time.monotonic() - started,
        run=request.run,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What the kinds of one sweep share."""

    ports: CreatePorts
    plan: Plan
    request: Request
    home: Home
    deadline: Deadline
    is_ours: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfKind:
    """The outcomes of the resources of one kind that the plan leaves out, and of those that it protects; and
    the groups that were found."""

    left: Sequence[Outcome]
    chosen: Sequence[Outcome]
    groups: frozenset[str] = frozenset()


def _create_kind(provider: Provider, work: _Work) -> _OfKind:
    request, home, plan = work.request, work.home, work.plan
    try:
        resources = listed(provider, plan)
        chosen, left = select(resources, plan.select)
        backups = provider.backups(home.region, since=request.slot - SKEW) if chosen else ()
    except ProviderError as error:
        return _OfKind(left=[], chosen=[unlisted(Action.CREATE, provider.kind, home.region, error)])
    steps, known = plan_creates(chosen, backups, request, home)

    def act(batch: Sequence[ToCreate]) -> list[Outcome]:
        if request.dry_run:
            return [
                step.outcome(State.SKIPPED, f"dry run: would create a backup, since {step.reason}")
                for step in batch
            ]
        if not work.is_ours():
            return [step.outcome(State.PENDING, _NOT_OURS) for step in batch]
        try:
            made = _create(provider, work.ports.groupers, batch)
        except NotFound as error:
            return [step.outcome(State.FAILED, f"{_VANISHED} ({error})") for step in batch]
        except AlreadyExists as error:
            return [_settle(provider, step, home, error) for step in batch]
        except QuotaReached as error:
            # A kind with a quota lists all that stands, whatever `since` is.
            most = work.ports.quotas.most(provider.kind, home.region)
            reason = quota_reached(provider.kind, home.region, len(backups), most, str(error))
            return [step.outcome(State.FAILED, reason) for step in batch]
        return [step.outcome(*state_of_created(one), one) for step, one in zip(batch, made, strict=True)]

    def instead(batch: Sequence[ToCreate], state: State, reason: str) -> list[Outcome]:
        return [step.outcome(state, reason) for step in batch]

    acted = sweep(together(steps), act, instead, work.deadline)
    return _OfKind(
        left=left,
        chosen=[*known, *(one for batch in acted for one in batch)],
        groups=frozenset(one.group for one in resources if one.group),
    )


def _create(
    provider: Provider, groupers: Mapping[str, Grouper], batch: Sequence[ToCreate]
) -> Sequence[Backup]:
    first = batch[0]
    if not first.resource.group:
        return [provider.create(first.resource, first.mark)]
    grouper = groupers[provider.kind]
    return grouper.create_together([one.resource for one in batch], [one.mark for one in batch])


def _not_our_turn(kind: str, home: Home) -> Outcome:
    return Outcome(
        action=Action.CREATE,
        state=State.PENDING,
        kind=kind,
        resource="",
        region=home.region,
        reason=_NOT_OURS,
    )


def _settle(provider: Provider, step: ToCreate, home: Home, error: AlreadyExists) -> Outcome:
    """The name is taken: by this very backup (an answer was lost, or another sweep was faster), or not."""
    for one in provider.backups(home.region, step.resource.arn):
        if one.mark == step.mark:
            return step.outcome(*state_of_created(one), one)
    return step.outcome(State.FAILED, name_taken(error))


def _matches_nothing(plan: Plan) -> str:
    wanted = [f"{key}={value}" for key, value in sorted(plan.select.tags.items())]
    return (
        f"The plan {plan.name} protects nothing: no {', '.join(sorted(plan.select.types))} resource has "
        f"{' and '.join(wanted) or 'tags that it selects by'}"
        + (f" or matches {', '.join(plan.select.include)}" if plan.select.include else "")
        + ". Tag what it should protect."
    )
