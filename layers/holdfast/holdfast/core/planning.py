"""What to create and to copy: what there is, compared with what the plan wants. Every step has its reason.

`core.pruning` says what to delete.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from holdfast.core.model import (
    OPT_OUT,
    PLAN_TAG,
    Backup,
    BackupState,
    CopyRule,
    Home,
    Mark,
    Plan,
    Request,
    Resource,
    Selection,
    region_of,
    slot_of,
    source_of,
)
from holdfast.core.naming import format_slot
from holdfast.core.report import Action, Outcome, State
from holdfast.core.retention import decide, most_useful_last


def why_not_ours(backup: Backup, home: Home, plan: str) -> str:
    """Who else than this stack, for this plan, made the backup; empty when nobody else did."""
    mark = backup.mark
    if mark is None:
        return "not ours: it does not bear Holdfast's mark"
    if mark.stack != home.stack:
        return f"not ours: the stack {mark.stack} made it"
    if region_of(mark.source) != home.region:
        return f"not ours: the stack {mark.stack} in {region_of(mark.source)} made it"
    if mark.plan != plan:
        return f"not ours: it was made for the plan {mark.plan}"
    return ""


def ours(backups: Iterable[Backup], home: Home, plan: str) -> list[Backup]:
    """Those of the backups that this stack made for this plan."""
    return [one for one in backups if not why_not_ours(one, home, plan)]


# --- selecting -------------------------------------------------------------------------------------------


def select(resources: Iterable[Resource], selection: Selection) -> tuple[list[Resource], list[Outcome]]:
    """The resources that a plan protects, by ARN, and an outcome for each that only a tag or pattern
    keeps out of it, so that nobody wonders where it went."""
    chosen: list[Resource] = []
    left: list[Outcome] = []
    for one in sorted(resources, key=lambda each: each.arn):
        if not _is_in(one, selection):
            continue
        why_out = _why_out(one, selection)
        if why_out:
            left.append(outcome_of(Action.CREATE, State.SKIPPED, one.kind, one.arn, one.region, why_out))
        else:
            chosen.append(one)
    return chosen, left


def not_there(listed: Collection[str], selection: Selection) -> list[Outcome]:
    """A failure for each resource that the plan names by its whole ARN and that is not among the listed."""
    return [
        outcome_of(
            Action.CREATE,
            State.FAILED,
            arn.split(":")[2],
            arn,
            region_of(arn),
            "select.include names it, but there is no such resource of the plan's types in this Region",
        )
        for arn in selection.include
        if arn.count(":") >= 5
        and not any(sign in arn for sign in "*?[")
        and arn not in listed
        and not any(fnmatchcase(arn, pattern) for pattern in selection.exclude)
    ]


def _is_in(one: Resource, selection: Selection) -> bool:
    if selection.tags and all(one.tags.get(key) == value for key, value in selection.tags.items()):
        return True
    return any(fnmatchcase(one.arn, pattern) for pattern in selection.include)


def _why_out(one: Resource, selection: Selection) -> str:
    excluded = next((pattern for pattern in selection.exclude if fnmatchcase(one.arn, pattern)), "")
    if excluded:
        return f"the plan excludes {excluded}"
    if one.tags.get(PLAN_TAG) == OPT_OUT and one.arn not in selection.include:
        return f"its tag {PLAN_TAG}={OPT_OUT} takes it out of every plan that does not name it"
    return ""


# --- creating --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCreate:
    """A backup to make."""

    resource: Resource
    mark: Mark
    reason: str

    def outcome(self, state: State, reason: str, made: Backup | None = None) -> Outcome:
        one = self.resource
        return outcome_of(Action.CREATE, state, one.kind, one.arn, one.region, reason, made)


def plan_creates(
    resources: Iterable[Resource], backups: Iterable[Backup], request: Request, home: Home
) -> tuple[list[ToCreate], list[Outcome]]:
    """What to create for the slot, and an outcome for each resource that needs no call or cannot have one."""
    of_slot = {
        one.mark.source: one
        for one in sorted(ours(backups, home, request.plan), key=most_useful_last)
        if one.mark is not None and one.mark.slot == request.slot and not one.is_copy
    }
    steps: list[ToCreate] = []
    outcomes: list[Outcome] = []
    for one in resources:
        mark = Mark(
            stack=home.stack,
            plan=request.plan,
            slot=request.slot,
            source=one.arn,
            resource_id=one.resource_id,
        )
        step = ToCreate(
            resource=one, mark=mark, reason=f"it has no backup for the slot {format_slot(request.slot)}"
        )
        made = of_slot.get(one.arn)
        if made is not None and _same_resource(made.resource_id, one.resource_id):
            outcomes.append(step.outcome(*state_of_created(made), made))
        elif one.unready:
            outcomes.append(step.outcome(State.PENDING if one.transient else State.FAILED, one.unready))
        else:
            steps.append(step)
    return steps, outcomes


def _same_resource(one: str, other: str) -> bool:
    """Whether two resources of one name are the same, as far as AWS told."""
    return one == other or not one or not other


def state_of_created(backup: Backup) -> tuple[State, str]:
    """How a backup of this slot stands: the outcome's state and reason."""
    match backup.state:
        case BackupState.AVAILABLE:
            return State.DONE, "available"
        case BackupState.CREATING:
            return State.PENDING, f"being created (AWS says {backup.state_text or backup.state!s})"
        case BackupState.DELETING:
            return State.FAILED, "somebody is deleting it"
        case BackupState.FAILED:
            return State.FAILED, (
                f"AWS ended it as {backup.state_text or backup.state!s}; its name is taken for this slot, "
                "so the next slot makes the next attempt"
            )


# --- copying ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCopy:
    """A copy to start."""

    backup: Backup
    mark: Mark
    region: str
    kms_key: str
    reason: str

    def outcome(self, state: State, reason: str) -> Outcome:
        one = self.backup
        return outcome_of(Action.COPY, state, one.kind, self.mark.source, self.region, reason, one)


def plan_copies(
    here: Iterable[Backup],
    there: Iterable[Backup],
    plan: Plan,
    rule: CopyRule,
    request: Request,
    home: Home,
    begun: Collection[tuple[str, str]] = (),
) -> tuple[list[ToCopy], list[Outcome]]:
    """What to copy to the rule's Region, newest first, and an outcome for each wanted copy that needs no
    call or cannot have one now.

    Wanted is what the Region's own policy would keep, were all of it there. `here` and `there` are all
    backups of one kind that stand in the two Regions; those of others count against the Region's slots.
    `begun` has the Regions and ids of originals whose copies an earlier sweep of this slot began, and could
    not yet tell as done.
    """
    there = list(there)
    copies = _live_copies(ours(there, home, plan.name))
    room = rule.slots - sum(one.state is BackupState.CREATING for one in there)
    steps: list[ToCopy] = []
    outcomes: list[Outcome] = []
    for original in _wanted_copies(ours(here, home, plan.name), copies, rule, plan, request):
        step = _copy_step(original, rule, request)
        copy = copies.get((step.mark.source, step.mark.slot))
        if copy is not None:
            # Copies of earlier slots that stand as they should are not told again each night.
            news = step.mark.slot == request.slot or (rule.region, original.id) in begun
            if news or copy.state is not BackupState.AVAILABLE:
                outcomes.append(step.outcome(*state_of_copy(copy)))
            continue
        hindrance = _hindrance(original, rule)
        if hindrance is not None:
            outcomes.append(step.outcome(*hindrance))
        elif room <= 0:
            outcomes.append(
                step.outcome(State.DEFERRED, f"all {rule.slots} copy slots of {rule.region} are in use")
            )
        else:
            room -= 1
            steps.append(step)
    return steps, outcomes


def _live_copies(there: Iterable[Backup]) -> dict[tuple[str, datetime], Backup]:
    """The copies by source and slot."""
    return {
        (one.mark.source, one.mark.slot): one
        for one in sorted(there, key=most_useful_last)
        if one.mark is not None and one.is_copy
    }


def _wanted_copies(
    here: Iterable[Backup],
    copies: Mapping[tuple[str, datetime], Backup],
    rule: CopyRule,
    plan: Plan,
    request: Request,
) -> list[Backup]:
    originals = [one for one in here if not one.is_copy and one.state is not BackupState.DELETING]
    standing = [copy for copy in copies.values() if copy.state is BackupState.AVAILABLE]
    wanted: list[Backup] = []
    for backups in by_resource([*originals, *standing]).values():
        of_one = [one for one in backups if not one.is_copy]
        its_copies = [one for one in backups if one.is_copy]
        wanted += wanted_there(of_one, its_copies, rule, plan, request.slot)
    return sorted(wanted, key=lambda one: (slot_of(one), one.arn), reverse=True)


def wanted_there(
    originals: Sequence[Backup], copies: Sequence[Backup], rule: CopyRule, plan: Plan, now: datetime
) -> list[Backup]:
    """Those of one resource's originals that the rule's Region is to have a copy of.

    The Region's policy is applied to everything that it could have: the originals (those still being
    created as if they were done), and the copies whose original is gone. A hold on an original is no wish
    for a copy: the copy would not bear it, would be pruned, and be made again the next night.
    """
    hopeful = [
        replace(one, state=BackupState.AVAILABLE, tags={})
        for one in originals
        if one.state in (BackupState.CREATING, BackupState.AVAILABLE) and slot_of(one) <= now
    ]
    known = {one.mark.slot for one in hopeful if one.mark is not None}
    orphans = [one for one in copies if one.mark is not None and one.mark.slot not in known]
    verdicts = decide([*hopeful, *orphans], rule.keep, now, zone_of(plan))
    kept = {verdict.backup.arn for verdict in verdicts if verdict.keep}
    return [one for one in originals if one.arn in kept]


def _copy_step(original: Backup, rule: CopyRule, request: Request) -> ToCopy:
    if original.mark is None:
        raise ValueError(f"{original.arn} bears no mark: only our own backups are copied")
    return ToCopy(
        backup=original,
        mark=replace(original.mark, copy_of=original.arn),
        region=rule.region,
        kms_key=rule.kms_key,
        reason=f"{rule.region} has no copy of it"
        + ("" if original.mark.slot == request.slot else f" (of {format_slot(original.mark.slot)})"),
    )


def state_of_copy(copy: Backup) -> tuple[State, str]:
    """How a copy stands: the outcome's state and reason."""
    match copy.state:
        case BackupState.AVAILABLE:
            return State.DONE, f"available in {copy.region} as {copy.id}"
        case BackupState.CREATING:
            return State.PENDING, f"being copied (AWS says {copy.state_text or copy.state!s})"
        case BackupState.DELETING:
            return State.PENDING, f"an earlier copy is being deleted in {copy.region}"
        case BackupState.FAILED:
            return State.FAILED, (
                f"AWS ended the copy {copy.id} as {copy.state_text or copy.state!s}; delete it in "
                f"{copy.region}, and the next run copies again"
            )


def _hindrance(original: Backup, rule: CopyRule) -> tuple[State, str] | None:
    """Why a copy cannot be started now, before any call is made; `None` when it can."""
    if original.state is BackupState.CREATING:
        return State.PENDING, "waits for the backup itself to be available"
    if original.encrypted and not rule.kms_key:
        return State.FAILED, (
            f"it is encrypted, and the plan names no kms_key for {rule.region}: "
            f"give the copy a key of {rule.region}"
        )
    return None


# --- what the stages share -------------------------------------------------------------------------------


type ResourceKey = tuple[str, str]
"""The name (ARN) and AWS's own id of a resource. Its backups are decided on together, and apart from those
of a former resource of the same name: else those of an empty new table would push out the full ones."""


def by_resource(backups: Iterable[Backup]) -> dict[ResourceKey, list[Backup]]:
    """Our backups of a kind, by resource. Those without an id belong to the only one of their name that
    has an id, if there is only one."""
    groups: dict[ResourceKey, list[Backup]] = defaultdict(list)
    for one in backups:
        groups[(source_of(one), one.resource_id)].append(one)
    ids: dict[str, list[str]] = defaultdict(list)
    for source, resource_id in groups:
        if resource_id:
            ids[source].append(resource_id)
    for source, known in ids.items():
        if len(known) == 1 and (source, "") in groups:
            groups[(source, known[0])] += groups.pop((source, ""))
    return dict(groups)


def zone_of(plan: Plan) -> tzinfo:
    """The zone of a plan's periods. The name was checked when the plan was parsed."""
    return UTC if plan.time_zone == "UTC" else ZoneInfo(plan.time_zone)


def outcome_of(
    action: Action,
    state: State,
    kind: str,
    resource: str,
    region: str,
    reason: str,
    backup: Backup | None = None,
) -> Outcome:
    return Outcome(
        action=action,
        state=state,
        kind=kind,
        resource=resource,
        region=region,
        reason=reason,
        backup=backup.id if backup else "",
        backup_arn=backup.arn if backup else "",
    )
