"""Stage one: a backup of each resource for the slot."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

from holdfast.core.errors import AlreadyExists, ProviderError
from holdfast.core.model import Home, Plan, Request
from holdfast.core.planning import ToCreate, not_there, plan_creates, select, state_of_created
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.ports import Deadline, Provider, ResourceQuery, Turns
from holdfast.usecases.sweep import SKEW, name_taken, sweep, unlisted

_NOT_OURS = (
    "another create_backups is at work for this plan, or was killed a moment ago: a later sweep goes on"
)


def create_backups(
    providers: Mapping[str, Provider],
    turns: Turns,
    plan: Plan,
    request: Request,
    home: Home,
    deadline: Deadline,
) -> Report:
    """Make the backups of the slot that are not there yet; with `dry_run`, only say which.

    Two sweeps of one plan never create at the same time: the second leaves everything `pending`.
    """
    started = time.monotonic()
    turn = nullcontext(_always) if request.dry_run else turns.taken(plan.name)
    left: list[Outcome] = []
    chosen: list[Outcome] = []
    with turn as is_ours:
        for kind in sorted(plan.select.types):
            if not is_ours():
                chosen.append(_not_our_turn(kind, home))
                continue
            left_of_kind, chosen_of_kind = _create_kind(
                providers[kind], plan, request, home, is_ours, deadline
            )
            left += left_of_kind
            chosen += chosen_of_kind
    listed = {one.resource for one in (*left, *chosen)}
    if "" not in listed:  # else not all could be listed, and what is missing is not known
        chosen += not_there(listed, plan.select)
    protected = any(one.state is not State.SKIPPED or request.dry_run for one in chosen)
    return Report(
        stage=Stage.CREATE,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        outcomes=[*left, *chosen],
        refusals=() if protected else (_matches_nothing(plan),),
        seconds=time.monotonic() - started,
    )


def _create_kind(
    provider: Provider,
    plan: Plan,
    request: Request,
    home: Home,
    is_ours: Callable[[], bool],
    deadline: Deadline,
) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of the resources that the plan leaves out, and of those that it protects."""
    query = ResourceQuery(tags=plan.select.tags, everything=bool(plan.select.include))
    try:
        chosen, left = select(provider.resources(query), plan.select)
        backups = provider.backups(home.region, since=request.slot - SKEW) if chosen else ()
    except ProviderError as error:
        return [], [unlisted(Action.CREATE, provider.kind, home.region, error)]
    steps, known = plan_creates(chosen, backups, request, home)

    def act(step: ToCreate) -> Outcome:
        if request.dry_run:
            return step.outcome(State.SKIPPED, f"dry run: would create a backup, since {step.reason}")
        if not is_ours():
            return step.outcome(State.PENDING, _NOT_OURS)
        try:
            made = provider.create(step.resource, step.mark)
        except AlreadyExists as error:
            return _settle(provider, step, home, error)
        return step.outcome(*state_of_created(made), made)

    def instead(step: ToCreate, state: State, reason: str) -> Outcome:
        return step.outcome(state, reason)

    return left, [*known, *sweep(steps, act, instead, deadline)]


def _not_our_turn(kind: str, home: Home) -> Outcome:
    return Outcome(
        action=Action.CREATE,
        state=State.PENDING,
        kind=kind,
        resource="",
        region=home.region,
        reason=_NOT_OURS,
    )


def _always() -> bool:
    return True


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
