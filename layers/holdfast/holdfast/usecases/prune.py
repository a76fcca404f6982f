"""Stage three: delete what the plan no longer keeps, and only that."""

import time
from collections.abc import Mapping, Sequence

from holdfast.core.errors import NotFound, ProviderError
from holdfast.core.model import Backup, Home, Plan, Request
from holdfast.core.planning import Deletion, PrunePlan, Standing, left_behind, plan_prune, tripped
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.core.retention import Verdict
from holdfast.ports import Copier, Deadline, Provider, RecordStore
from holdfast.usecases.sweep import sweep


def prune_backups(
    providers: Mapping[str, Provider],
    copiers: Mapping[str, Copier],
    records: RecordStore,
    plan: Plan,
    request: Request,
    home: Home,
    deadline: Deadline,
) -> Report:
    """Delete, one after the other, what `plan_prune` says and what still stands so right before the call.

    With `dry_run` the report has a line for every backup in every location: kept or deleted, and why.
    """
    started = time.monotonic()
    standing, refusals = _list_all(providers, copiers, plan, home)
    try:
        created = records.load(plan.name, request.slot, Stage.CREATE)
        listed = _listed(records, plan, request)
    except ProviderError as error:
        standing, created, listed = [], None, []
        refusals.append(f"The record of this slot cannot be read ({error}): nothing was deleted.")
    spared = _spared(created, standing)
    prune = plan_prune(standing, plan, request.slot, home, spared)
    refusal = tripped(prune, plan, request, listed)
    if request.dry_run:
        outcomes = [_foretold(verdict) for verdict in prune.verdicts]
    elif refusal:
        outcomes = [_held_back(verdict) for verdict in prune.deletes]
    else:
        outcomes = _delete_all(providers, copiers, prune, plan, request, home, spared, deadline)
    return Report(
        stage=Stage.PRUNE,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        outcomes=[*outcomes, *_left_behind(created, prune, request, home)],
        refusals=[*refusals, refusal] if refusal else refusals,
        seconds=time.monotonic() - started,
    )


def _listed(records: RecordStore, plan: Plan, request: Request) -> list[Deletion]:
    """The list that an approval may be of, as an earlier sweep of the slot recorded it: whatever became of
    each since."""
    record = records.load(plan.name, request.slot, Stage.PRUNE) if request.approve else None
    outcomes = record.outcomes if record else ()
    return [(one.resource, one.region, one.backup) for one in outcomes if one.action is Action.DELETE]


def _list_all(
    providers: Mapping[str, Provider], copiers: Mapping[str, Copier], plan: Plan, home: Home
) -> tuple[list[Standing], list[str]]:
    """What stands of each kind. A kind that could not be listed in one place is left alone in all."""
    standing: list[Standing] = []
    refusals: list[str] = []
    for kind in sorted(plan.select.types):
        copied = kind in copiers
        try:
            standing.append(_stand(providers[kind], copied, _locations(copied, plan, home)))
        except ProviderError as error:
            refusals.append(
                f"Not all {kind} backups could be listed ({error}): none of that kind was deleted."
            )
    return standing, refusals


def _locations(copied: bool, plan: Plan, home: Home) -> list[str]:
    return [home.region, *(rule.region for rule in plan.copies if copied)]


def _stand(provider: Provider, copied: bool, regions: Sequence[str], source: str = "") -> Standing:
    by_region = {region: provider.backups(region, source) for region in regions}
    return Standing(kind=provider.kind, by_region=by_region, copied=copied)


def _spared(created: Report | None, standing: Sequence[Standing]) -> dict[str, str]:
    """The resources whose backup of this run is not there: their older backups are what they have."""
    outcomes = created.outcomes if created else ()
    missing = [one for one in outcomes if one.state in (State.FAILED, State.PENDING, State.DEFERRED)]
    reason = "its backup of this run is not there"
    spared = {one.resource: reason for one in missing if one.resource}
    unlisted = [
        backup.mark.source
        for kind in standing
        if kind.kind in _unlisted_kinds(created)
        for backups in kind.by_region.values()
        for backup in backups
        if backup.mark is not None
    ]
    return spared | dict.fromkeys(unlisted, reason)


def _left_behind(created: Report | None, prune: PrunePlan, request: Request, home: Home) -> list[Outcome]:
    outcomes = created.outcomes if created else ()
    covered = {one.resource for one in outcomes if one.state is not State.SKIPPED} if created else None
    return left_behind(prune, request.slot, home, covered, _unlisted_kinds(created))


def _unlisted_kinds(created: Report | None) -> set[str]:
    return {one.kind for one in created.outcomes if not one.resource} if created else set()


def _delete_all(
    providers: Mapping[str, Provider],
    copiers: Mapping[str, Copier],
    prune: PrunePlan,
    plan: Plan,
    request: Request,
    home: Home,
    spared: Mapping[str, str],
    deadline: Deadline,
) -> list[Outcome]:
    def act(verdict: Verdict) -> Outcome:
        backup = verdict.backup
        provider = providers[backup.kind]
        copied = backup.kind in copiers
        # An original is needed as long as a copy of it is not there. A copy is decided on where it stands.
        regions = [backup.region] if backup.region != home.region else _locations(copied, plan, home)
        fresh = _stand(provider, copied, regions, _source(backup))
        objection = _objection(backup, plan_prune([fresh], plan, request.slot, home, spared))
        if objection:
            return _outcome(verdict, State.SKIPPED, objection)
        try:
            provider.delete(backup)
        except NotFound:
            return _outcome(verdict, State.SKIPPED, "it was gone already")
        return _outcome(verdict, State.DONE, verdict.reason)

    # One after the other, since each looks at what the one before it has left.
    return sweep(prune.deletes, act, _outcome, deadline, workers=1)


def _objection(backup: Backup, now: PrunePlan) -> str:
    """Why a backup that was to be deleted must stay after all, decided again on what stands this moment."""
    for verdict in now.verdicts:
        if verdict.backup.arn == backup.arn and verdict.backup.mark == backup.mark:
            return f"kept after all: {verdict.reason}" if verdict.keep else ""
    return "kept after all: right before the call it was not there, or no longer ours"


def _held_back(verdict: Verdict) -> Outcome:
    return _outcome(verdict, State.SKIPPED, f"held back by the breaker (else: {verdict.reason})")


def _foretold(verdict: Verdict) -> Outcome:
    verb = "keep" if verdict.keep else "delete"
    return _outcome(verdict, State.SKIPPED, f"dry run: would {verb}: {verdict.reason}")


def _outcome(verdict: Verdict, state: State, reason: str) -> Outcome:
    backup = verdict.backup
    return Outcome(
        action=Action.KEEP if verdict.keep else Action.DELETE,
        state=state,
        kind=backup.kind,
        resource=_source(backup),
        region=backup.region,
        backup=backup.id,
        reason=reason,
    )


def _source(backup: Backup) -> str:
    return backup.mark.source if backup.mark else backup.source
