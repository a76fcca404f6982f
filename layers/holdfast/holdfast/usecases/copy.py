"""Stage two: a copy of each backup in each Region that the plan names."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from holdfast.core.errors import AlreadyExists, NotFound, ProviderError
from holdfast.core.model import Backup, CopyRule, Home, Plan, Request
from holdfast.core.planning import ToCopy, ours, plan_copies, state_of_copy
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.ports import Copier, Deadline, Provider, RecordStore
from holdfast.usecases.sweep import SKEW, name_taken, sweep, unlisted


def copy_backups(
    providers: Mapping[str, Provider],
    copiers: Mapping[str, Copier],
    records: RecordStore,
    plan: Plan,
    request: Request,
    home: Home,
    deadline: Deadline,
) -> Report:
    """Start the copies that are missing; with `dry_run`, only say which."""
    started = time.monotonic()
    begun = _begun(records, plan, request)
    made = _made(records, plan, request)
    outcomes: list[Outcome] = []
    for kind in sorted(plan.select.types) if plan.copies else ():
        provider, copier = providers[kind], copiers.get(kind)
        # What cannot be copied is only told about, and only about this slot's.
        since = request.slot - SKEW if copier is None else None
        try:
            here = provider.backups(home.region, since=since)
        except ProviderError as error:
            outcomes += [unlisted(Action.COPY, kind, rule.region, error) for rule in plan.copies]
            continue
        for rule in plan.copies:
            if copier is None:
                outcomes += _cannot_leave(here, plan, rule, request, home)
            else:
                outcomes += _copy_kind(
                    provider, copier, here, plan, rule, request, home, deadline, begun, made
                )
    return Report(
        stage=Stage.COPY,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        outcomes=outcomes,
        seconds=time.monotonic() - started,
    )


def _begun(records: RecordStore, plan: Plan, request: Request) -> set[tuple[str, str]]:
    """The copies, by Region and original, that an earlier sweep of this slot left unfinished: their end is
    to be told."""
    try:
        record = records.load(plan.name, request.slot, Stage.COPY)
    except ProviderError:
        return set()  # a line less in the report; the copies themselves are listed all the same
    outcomes = record.outcomes if record else ()
    return {(one.region, one.backup) for one in outcomes if one.state is State.PENDING}


def _made(records: RecordStore, plan: Plan, request: Request) -> list[Outcome]:
    """The backups of this slot that create_backups told as done."""
    try:
        record = records.load(plan.name, request.slot, Stage.CREATE)
    except ProviderError:
        return []  # publish_report tells that the record cannot be read
    return [one for one in (record.outcomes if record else ()) if one.state is State.DONE]


def _vanished(
    made: Sequence[Outcome], standing: Sequence[Backup], kind: str, rule: CopyRule, request: Request
) -> list[Outcome]:
    """Backups of this slot that were made, and that somebody deleted before they were copied. Those of a
    slot that later ones have followed may have been pruned."""
    present = {one.mark.source for one in standing if one.mark and one.mark.slot >= request.slot}
    return [
        replace(
            one,
            action=Action.COPY,
            state=State.FAILED,
            region=rule.region,
            reason="the backup was made, and was gone before it could be copied",
        )
        for one in made
        if one.kind == kind and one.resource not in present
    ]


def _copy_kind(
    provider: Provider,
    copier: Copier,
    here: Sequence[Backup],
    plan: Plan,
    rule: CopyRule,
    request: Request,
    home: Home,
    deadline: Deadline,
    begun: Collection[tuple[str, str]],
    made: Sequence[Outcome],
) -> list[Outcome]:
    try:
        there = provider.backups(rule.region)
    except ProviderError as error:
        return [unlisted(Action.COPY, provider.kind, rule.region, error)]
    steps, known = plan_copies(here, there, plan, rule, request, home, begun)

    def act(step: ToCopy) -> Outcome:
        if request.dry_run:
            return step.outcome(State.SKIPPED, f"dry run: would copy, since {step.reason}")
        try:
            copy = copier.copy(step.backup, step.region, step.mark, step.kms_key)
        except AlreadyExists as error:
            return _settle(provider, step, error)
        except NotFound as error:
            return step.outcome(State.FAILED, f"the backup was gone before it could be copied ({error})")
        return step.outcome(*state_of_copy(copy))

    def instead(step: ToCopy, state: State, reason: str) -> Outcome:
        return step.outcome(state, reason)

    standing = ours([*here, *there], home, plan.name)
    gone = _vanished(made, standing, provider.kind, rule, request)
    return [*known, *gone, *sweep(steps, act, instead, deadline)]


def _settle(provider: Provider, step: ToCopy, error: AlreadyExists) -> Outcome:
    """The name is taken in the other Region: by this very copy, or by something else."""
    for one in provider.backups(step.region, step.mark.source):
        if one.mark == step.mark:
            return step.outcome(*state_of_copy(one))
    return step.outcome(State.FAILED, name_taken(error))


def _cannot_leave(
    here: Sequence[Backup], plan: Plan, rule: CopyRule, request: Request, home: Home
) -> list[Outcome]:
    """Kinds whose service has no copy call are said to stay behind, each night and for each resource."""
    return [
        Outcome(
            action=Action.COPY,
            state=State.SKIPPED,
            kind=one.kind,
            resource=one.mark.source,
            region=rule.region,
            backup=one.id,
            backup_arn=one.arn,
            reason=f"{one.kind} backups cannot be copied: AWS has no call for it, they stay in {home.region}",
        )
        for one in ours(here, home, plan.name)
        if one.mark is not None and one.mark.slot == request.slot
    ]
