"""Stage three: delete what the plan no longer keeps, and only that."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from holdfast.core.errors import AccessDenied, HoldListError, NotFound, ProviderError
from holdfast.core.explain import explain
from holdfast.core.headroom import warning
from holdfast.core.holds import Hold, hold, idle
from holdfast.core.model import (
    Backup,
    BackupState,
    CopyRule,
    Home,
    Plan,
    Request,
    Retention,
    slot_of,
    source_of,
)
from holdfast.core.naming import format_slot
from holdfast.core.planning import outcome_of, same_resource, source_place, why_not_carried
from holdfast.core.pruning import (
    Location,
    PrunePlan,
    Standing,
    approved,
    foretold,
    left_behind,
    nothing_kept,
    notice_of_change,
    offers,
    overdue,
    plan_prune,
    put_off_untold,
    strangers,
    tripped,
)
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.core.retention import Verdict
from holdfast.core.told import Told, known_before
from holdfast.ports import Deadline, PrunePorts, Quotas, RecordStore
from holdfast.usecases.sweep import sweep


def prune_backups(ports: PrunePorts, plan: Plan, request: Request, home: Home, deadline: Deadline) -> Report:
    """Delete, one after the other, what the plan lets go and what still stands so right before the call.

    With `dry_run` the report has a line for every backup in every location, kept or deleted and why, and the
    same as a table for people. Of a vault's plan it tells besides what is overdue.
    """
    started = time.monotonic()
    home = replace(home, vault_of=plan.vault_of)
    cloud = _Cloud(ports=ports, plan=plan, home=home)
    standing, refusals = _list_all(cloud)
    if not refusals and (nothing := nothing_kept(standing, plan, home)):
        refusals = [nothing]
    missing = overdue(standing, plan, request.slot, home)
    memory, forgotten = _remember(ports.records, plan, request, standing)
    if forgotten:
        standing, refusals = [], [*refusals, forgotten]
    rules = _Rules(
        plan=plan,
        request=request,
        home=home,
        spared=_spared(memory.created, standing) | _overdue(missing),
        known=memory.known,
    )
    decision = _decide(standing, rules, memory)
    if request.dry_run:
        others = strangers(standing, plan, home)
        outcomes = [_foretold(verdict) for verdict in (*decision.prune.verdicts, *others)]
        text = explain(
            decision.prune,
            others,
            plan,
            request,
            [*refusals, *decision.sentences],
            held_back=bool(decision.refusal),
        )
    else:
        _note(ports.records, rules, decision, refusals, memory.untold)
        outcomes = [
            *_act(cloud, rules, decision, memory.begun, deadline),
            *map(_announced, decision.prune.later),
            *memory.untold,
        ]
        text = ""
    return Report(
        stage=Stage.PRUNE,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        outcomes=[*outcomes, *missing, *_left_behind(memory.created, decision.prune, request, home)],
        refusals=[*refusals, decision.refusal] if decision.refusal else refusals,
        notices=[decision.notice] if decision.notice else [],
        warnings=_headroom(standing, ports.quotas),
        foretold=decision.tells,
        offers=decision.offers,
        approved=[request.approve] if decision.is_approved else [],
        text=text,
        seconds=time.monotonic() - started,
        run=request.run,
        vault_of=plan.vault_of,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What earlier stages, sweeps and runs left behind.

    `created` is the record of what was created for the slot; `offers` the lists, by digest, that earlier
    sweeps of the run offered for approval; `deleted_unread` where those sweeps deleted a backup without
    one; `begun` the ARNs of what they deleted or were about to, and `untold` those of these deletions that
    they could not tell the end of; `told` what people were told that the plan keeps, by kind, and `known`
    that of it which they were told before the run.
    """

    created: Report | None = None
    offers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    deleted_unread: Sequence[Location] = ()
    begun: frozenset[str] = frozenset()
    untold: Sequence[Outcome] = ()
    told: Mapping[str, Told] = field(default_factory=dict)
    known: Mapping[str, Retention] = field(default_factory=dict)


def _remember(
    records: RecordStore, plan: Plan, request: Request, standing: Sequence[Standing]
) -> tuple[_Memory, str]:
    """The memory, and a refusal where it cannot be read."""
    try:
        earlier = records.load(plan.name, request.slot, Stage.PRUNE)
    except ProviderError as error:
        return _Memory(), f"The record of this slot cannot be read ({error}): nothing was deleted."
    past = _past(earlier, standing) if earlier else _Memory()
    try:
        told = records.told(plan.name)
    except ProviderError as error:
        return past, (
            f"What people were told of the plan's retention cannot be read ({error}): nothing was deleted. "
            "If the document is broken, delete it, and the next run tells anew."
        )
    try:
        created = _created(records, plan, request, told)
    except ProviderError as error:
        return past, f"The record of this slot cannot be read ({error}): nothing was deleted."
    return replace(past, created=created, told=told, known=known_before(told, request.slot)), ""


def _past(earlier: Report, standing: Sequence[Standing]) -> _Memory:
    """What the record of this stage tells of earlier sweeps."""
    deletions = [one for one in earlier.outcomes if one.action is Action.DELETE]
    begun = {one.backup_arn for one in deletions if one.state in (State.PENDING, State.DONE)}
    untold = _untold(earlier, standing)
    return _Memory(
        offers=earlier.offers,
        begun=frozenset(begun),
        untold=untold,
        deleted_unread=_deleted_unread(earlier, untold),
    )


def _untold(earlier: Report, standing: Sequence[Standing]) -> list[Outcome]:
    """The deletions that an earlier sweep was at when it was cut short, or got no answer to: done, where the
    backup no longer stands. Of a kind that could not be listed this is not known, and no run waits for it."""
    listed = {kind.kind for kind in standing}
    present = {
        one.arn
        for kind in standing
        for backups in kind.by_place.values()
        for one in backups
        if one.state is not BackupState.DELETING
    }
    return [
        replace(one, state=State.DONE, reason=_GONE_UNTOLD)
        if one.kind in listed
        else replace(one, stuck=True)
        for one in earlier.outcomes
        if (one.action, one.state) == (Action.DELETE, State.PENDING) and one.backup_arn not in present
    ]


_GONE_UNTOLD = "it is gone, or going: an earlier sweep was at it, and could not tell"


def _deleted_unread(earlier: Report, untold: Sequence[Outcome]) -> list[Location]:
    read = {arn for digest in earlier.approved for arn in earlier.offers.get(digest, ())}
    return [
        (one.resource, one.region)
        for one in (*earlier.outcomes, *untold)
        if (one.action, one.state) == (Action.DELETE, State.DONE) and one.backup_arn not in read
    ]


def _created(records: RecordStore, plan: Plan, request: Request, told: Mapping[str, Told]) -> Report | None:
    """What was created in this run; when people prune for a slot of its own, in the last run before it.
    `None` of a vault's plan, which creates nothing."""
    if plan.vault_of:
        return None
    created = records.load(plan.name, request.slot, Stage.CREATE)
    runs = [one.last for one in told.values() if one.last < request.slot]
    return created if created or not runs else records.load(plan.name, max(runs), Stage.CREATE)


# --- listing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cloud:
    """What stands, and what people hold, as it is at the moment of the question."""

    ports: PrunePorts
    plan: Plan
    home: Home

    @property
    def kinds(self) -> list[str]:
        """Those of the plan; of a vault's plan those of which there can be copies in another account."""
        kinds = sorted(self.plan.select.types)
        if self.plan.vault_of is None:
            return kinds
        return [kind for kind in kinds if self.ports.copiers[kind].laws.to_accounts]

    def everything(self, kind: str) -> Standing:
        """All backups of a kind. Raises `HoldListError` when a hold is on nothing that stands."""
        listed = self._listed(kind, self._places(kind))
        holds = self._holds(kind)
        unused = idle(holds, [one for backups in listed.values() for one in backups])
        if unused:
            names = ", ".join(f"{each.backups} ({each.reason})" for each in unused)
            raise HoldListError(
                self.ports.hold_lists[kind].place,
                [f"no backup that stands is called {names}: correct the name, or take the entry out"],
            )
        return self._standing(kind, listed, holds)

    def around(self, backup: Backup) -> Standing:
        """What the decision on one backup rests on: those of its resource.

        What copies are made from is needed as long as they are not there. A copy that feeds no other is
        decided on where it stands.
        """
        copies = [
            rule.place for rule in self._rules(backup.kind) if source_place(rule, self.home) == backup.place
        ]
        listed = self._listed(backup.kind, [backup.place, *copies], backup.source)
        # Read last: a listing takes its time, and a hold counts until the call is made.
        return self._standing(backup.kind, listed, self._holds(backup.kind))

    def _rules(self, kind: str) -> list[CopyRule]:
        laws = self.ports.copiers[kind].laws
        return [rule for rule in self.plan.copies if not why_not_carried(kind, laws, rule)]

    def _places(self, kind: str) -> list[str]:
        return [self.home.region, *(rule.place for rule in self._rules(kind))]

    def _holds(self, kind: str) -> Sequence[Hold]:
        hold_list = self.ports.hold_lists.get(kind)
        try:
            return hold_list.read() if hold_list else ()
        except ProviderError as error:
            place = hold_list.place if hold_list else ""
            raise HoldListError(place, [f"it cannot be read ({error})"]) from error

    def _listed(self, kind: str, places: Sequence[str], source: str = "") -> dict[str, Sequence[Backup]]:
        # The first place last: a listing takes its time, and what is about to be deleted mostly stands there.
        return {place: self.ports.providers[kind].backups(place, source) for place in reversed(places)}

    def _standing(self, kind: str, listed: Mapping[str, Sequence[Backup]], holds: Sequence[Hold]) -> Standing:
        by_place = {place: hold(backups, holds) for place, backups in listed.items()}
        return Standing(kind=kind, by_place=by_place, laws=self.ports.copiers[kind].laws)


def _list_all(cloud: _Cloud) -> tuple[list[Standing], list[str]]:
    """What stands of each kind. A kind that could not be listed in one place is left alone in all."""
    standing: list[Standing] = []
    refusals: list[str] = []
    for kind in cloud.kinds:
        try:
            standing.append(cloud.everything(kind))
        except ProviderError as error:
            refusals.append(
                f"Not all {kind} backups could be listed ({error}): none of that kind was deleted."
            )
        except HoldListError as error:
            refusals.append(f"No {kind} backup was deleted: {error}.")
    return standing, refusals


# --- deciding ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """How this run decides on what stands, when the list is made and again before each delete."""

    plan: Plan
    request: Request
    home: Home
    spared: Mapping[str, str]
    known: Mapping[str, Retention]

    def full(self, standing: Sequence[Standing]) -> PrunePlan:
        """What is due, whether people know of the retention or not: what a person can approve."""
        return plan_prune(standing, self.plan, self.request.slot, self.home, self.spared)

    def told(self, full: PrunePlan, standing: Sequence[Standing]) -> PrunePlan:
        """What of it is due by what people were told."""
        return put_off_untold(full, standing, self.plan, self.known, self.request.slot, self.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """What to delete, unless there is a `refusal`; and what to tell people, and to offer them."""

    prune: PrunePlan
    refusal: str
    notice: str
    tells: Mapping[str, Retention]
    offers: Mapping[str, Sequence[str]]
    is_approved: bool

    @property
    def sentences(self) -> list[str]:
        return [one for one in (self.refusal, self.notice) if one]


def _decide(standing: Sequence[Standing], rules: _Rules, memory: _Memory) -> _Decision:
    plan, request, home = rules.plan, rules.request, rules.home
    full = rules.full(standing)
    told = rules.told(full, standing)
    if arns := _approved(told, memory, plan, request):
        return _Decision(
            prune=approved(full, arns),
            refusal="",
            notice="",
            tells={},
            offers={request.approve: sorted(arns)},
            is_approved=True,
        )
    refusal = (
        _not_approved(request) if request.approve else tripped(told, plan, request, memory.deleted_unread)
    )
    tells = foretold(standing, plan, memory.told, request.slot, home)
    return _Decision(
        prune=told,
        refusal=refusal,
        notice=notice_of_change(told, tells, memory.known, plan, request, home),
        tells=tells,
        offers=offers(told, bool(refusal), plan, request),
        is_approved=False,
    )


def _approved(told: PrunePlan, memory: _Memory, plan: Plan, request: Request) -> frozenset[str]:
    """The ARNs of the list that a person approved: one that an earlier sweep of the run offered, or that a
    dry run would offer now. Empty without an approval, and when there is no such list."""
    if not request.approve:
        return frozenset()
    lists = {**offers(told, True, plan, request), **memory.offers}
    return frozenset(lists.get(request.approve, ()))


def _not_approved(request: Request) -> str:
    return (
        f"The approval {request.approve} is of no list that this run offers: nothing was deleted. "
        "A dry run for the same slot, without it, names the digests that there are."
    )


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
        for backups in kind.by_place.values()
        for backup in backups
        if backup.mark is not None
    ]
    return spared | dict.fromkeys(unlisted, reason)


def _overdue(missing: Iterable[Outcome]) -> dict[str, str]:
    """The resources of which no new copy came: the older ones are what they have."""
    return {one.resource: "its newest copy is overdue" for one in missing if one.state is State.FAILED}


def _unlisted_kinds(created: Report | None) -> set[str]:
    return {one.kind for one in created.outcomes if not one.resource} if created else set()


def _left_behind(created: Report | None, prune: PrunePlan, request: Request, home: Home) -> list[Outcome]:
    outcomes = created.outcomes if created else ()
    covered = {one.resource for one in outcomes if one.state is not State.SKIPPED} if created else None
    return left_behind(prune, request.slot, home, covered, _unlisted_kinds(created))


# --- acting ------------------------------------------------------------------------------------------------


def _note(
    records: RecordStore,
    rules: _Rules,
    decision: _Decision,
    refusals: Sequence[str],
    untold: Sequence[Outcome],
) -> None:
    """Record what is about to be deleted: a sweep that is killed tells no more, and the next one does not
    see what is gone. Raises `ProviderError`, and then nothing is deleted."""
    if decision.refusal or not decision.prune.deletes:
        return
    outcomes = [_outcome(one, State.PENDING, "about to be deleted") for one in decision.prune.deletes]
    records.save(
        Report(
            stage=Stage.PRUNE,
            plan=rules.plan.name,
            slot=rules.request.slot,
            outcomes=[*outcomes, *untold],
            refusals=refusals,
            notices=[decision.notice] if decision.notice else [],
            offers=decision.offers,
            approved=[rules.request.approve] if decision.is_approved else [],
            vault_of=rules.plan.vault_of,
            run=rules.request.run,
        )
    )


def _act(
    cloud: _Cloud, rules: _Rules, decision: _Decision, begun: Collection[str], deadline: Deadline
) -> list[Outcome]:
    """Delete what was decided on, if it was not refused. `begun` has the ARNs that earlier sweeps were at."""
    if decision.refusal:
        return [_held_back(one) for one in decision.prune.deletes]

    def act(verdict: Verdict) -> Outcome:
        try:
            fresh = [cloud.around(verdict.backup)]
        except NotFound as error:  # that is said of what the listing asked about, and not of the backup
            reason = f"kept, since what stands beside it could not be listed ({error})"
            return _outcome(verdict, State.FAILED, reason)
        now = rules.full(fresh)
        objection = _objection(verdict.backup, now if decision.is_approved else rules.told(now, fresh))
        if objection:
            return _outcome(verdict, State.SKIPPED, objection)
        try:
            cloud.ports.providers[verdict.backup.kind].delete(verdict.backup)
        except NotFound:
            if verdict.backup.arn in begun:
                return _outcome(verdict, State.DONE, _GONE_UNTOLD)
            return _outcome(verdict, State.SKIPPED, "it was gone already")
        except AccessDenied:
            # A call whose answer was lost is repeated, and what is gone bears no tag that would permit it.
            if _stands(cloud, verdict.backup):
                raise
            return _outcome(verdict, State.DONE, f"{verdict.reason}; the answer to its deletion was lost")
        return _outcome(verdict, State.DONE, verdict.reason)

    # One after the other, since each looks at what the one before it has left.
    return sweep(decision.prune.deletes, act, _outcome, deadline, workers=1)


def _stands(cloud: _Cloud, backup: Backup) -> bool:
    """Whether it is still there, as far as that can be told."""
    try:
        listed = cloud.ports.providers[backup.kind].backups(backup.place, source_of(backup))
    except ProviderError:
        return True
    return any(one.arn == backup.arn for one in listed)


def _objection(backup: Backup, now: PrunePlan) -> str:
    """Why a backup that was to be deleted must stay after all, decided again on what stands this moment."""
    for verdict in now.verdicts:
        if verdict.backup.arn == backup.arn and verdict.backup.mark == backup.mark:
            why = verdict.reason if verdict.keep else _still_stood_on(verdict.backup, now)
            return f"kept after all: {why}" if why else ""
    return "kept after all: right before the call it was not there, or no longer ours"


def _still_stood_on(backup: Backup, now: PrunePlan) -> str:
    """What was to be deleted before, and still stands: without this one it could not be restored any more."""
    if backup.state is not BackupState.AVAILABLE:
        return ""  # nothing that stands on it can be restored anyway
    for one in (verdict.backup for verdict in now.verdicts):
        is_beside = (source_of(one), one.place) == (source_of(backup), backup.place)
        is_beside = is_beside and same_resource(one.resource_id, backup.resource_id)
        if is_beside and one.state is BackupState.AVAILABLE and one.base == slot_of(backup):
            why = f"the backup of {format_slot(slot_of(one))}, which still stands"
            return f"{why}, holds the changes since it"
    return ""


# --- telling -----------------------------------------------------------------------------------------------


def _headroom(standing: Iterable[Standing], quotas: Quotas) -> list[str]:
    """Where so many backups stand that there will soon be no more. Of all stages this one lists them all."""
    sentences = [
        warning(kind.kind, place, backups, quotas.most(kind.kind, place, len(backups)))
        for kind in standing
        for place, backups in kind.by_place.items()
    ]
    return [one for one in sentences if one]


def _announced(verdict: Verdict) -> Outcome:
    return _outcome(verdict, State.SKIPPED, verdict.reason)


def _held_back(verdict: Verdict) -> Outcome:
    return _outcome(verdict, State.SKIPPED, f"held back: see the refusal (else: {verdict.reason})")


def _foretold(verdict: Verdict) -> Outcome:
    verb = "delete, but later" if verdict.later else "keep" if verdict.keep else "delete"
    return _outcome(verdict, State.SKIPPED, f"dry run: would {verb}: {verdict.reason}")


def _outcome(verdict: Verdict, state: State, reason: str) -> Outcome:
    backup = verdict.backup
    action = Action.ANNOUNCE if verdict.later else Action.KEEP if verdict.keep else Action.DELETE
    source = backup.mark.source if backup.mark else backup.source
    return outcome_of(action, state, backup.kind, source, backup.place, reason, backup)
