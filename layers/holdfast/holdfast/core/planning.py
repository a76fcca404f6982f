"""What to create and to copy: what there is, compared with what the plan wants. Every step has its reason.

`core.pruning` says what to delete.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from holdfast.core.model import (
    OPT_OUT,
    PLAN_TAG,
    Backup,
    BackupState,
    CopyLaws,
    CopyRule,
    CopySettings,
    Home,
    Mark,
    Plan,
    Request,
    Resource,
    Selection,
    account_of,
    mark_of,
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
    if region_of(mark.source) != home.source_region:
        return f"not ours: the stack {mark.stack} in {region_of(mark.source)} made it"
    if home.source_account and account_of(mark.source) != home.source_account:
        return f"not ours: the stack {mark.stack} of account {account_of(mark.source)} made it"
    if home.vault_of and not mark.copy_of:
        return "not ours: it is no copy"
    if mark.plan != plan:
        return f"not ours: it was made for the plan {mark.plan}"
    return ""


def ours(backups: Iterable[Backup], home: Home, plan: str) -> list[Backup]:
    """Those of the backups that this stack made for this plan."""
    return [one for one in backups if not why_not_ours(one, home, plan)]


# --- selecting -------------------------------------------------------------------------------------------


def select(resources: Iterable[Resource], selection: Selection) -> tuple[list[Resource], list[Outcome]]:
    """The resources that a plan protects, by ARN, and an outcome for each that only a tag or pattern
    keeps out of it, so that nobody wonders where it went.

    Those that keep their `group` are backed up together with the others of it: the plan selects the group.
    """
    chosen: list[Resource] = []
    left: list[Outcome] = []
    once = {one.arn: one for one in resources}  # pages of a listing may overlap
    for one in sorted(once.values(), key=lambda each: each.arn):
        if not _is_in(one, selection):
            continue
        why_out = _why_out(one, selection)
        if why_out:
            left.append(outcome_of(Action.CREATE, State.SKIPPED, one.kind, one.arn, one.region, why_out))
        else:
            chosen.append(one if _is_in_with_its_group(one, selection) else replace(one, group=""))
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
    return _is_itself_in(one, selection) or _is_in_with_its_group(one, selection)


def _is_itself_in(one: Resource, selection: Selection) -> bool:
    return _bears(one.tags, selection) or any(fnmatchcase(one.arn, each) for each in selection.include)


def _is_in_with_its_group(one: Resource, selection: Selection) -> bool:
    """Whether the plan selects what the resource belongs to: an instance, and so all of its volumes."""
    if not one.group or any(fnmatchcase(one.group, pattern) for pattern in selection.exclude):
        return False
    if any(fnmatchcase(one.group, pattern) for pattern in selection.include):
        return one.group_tags.get(PLAN_TAG) != OPT_OUT or one.group in selection.include
    return _bears(one.group_tags, selection) and one.group_tags.get(PLAN_TAG) != OPT_OUT


def _bears(tags: Mapping[str, str], selection: Selection) -> bool:
    return bool(selection.tags) and selection.tags.items() <= tags.items()


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
        if made is not None and same_resource(made.resource_id, one.resource_id):
            outcomes.append(step.outcome(*state_of_created(made), made))
        elif one.unready:
            outcomes.append(step.outcome(State.PENDING if one.transient else State.FAILED, one.unready))
        else:
            steps.append(step)
    return steps, outcomes


def together(steps: Iterable[ToCreate]) -> list[list[ToCreate]]:
    """The steps, those of one group in one list: they are made by one call."""
    batches: dict[str, list[ToCreate]] = defaultdict(list)
    for step in steps:
        batches[step.resource.group or step.resource.arn].append(step)
    return list(batches.values())


def same_resource(one: str, other: str) -> bool:
    """Whether two resources of one name are the same, as far as AWS told."""
    return one == other or not one or not other


def state_of_created(backup: Backup) -> tuple[State, str]:
    """How a backup of this slot stands: the outcome's state and reason."""
    match backup.state:
        case BackupState.AVAILABLE:
            return State.DONE, "available"
        case BackupState.CREATING:
            return State.PENDING, f"being created (AWS says {backup.state_text or backup.state!s})"
        case BackupState.DELETING | BackupState.REMNANT:
            return State.FAILED, "somebody is deleting it"
        case BackupState.FAILED:
            return State.FAILED, (
                f"AWS ended it as {backup.state_text or backup.state!s}"
                + (f" ({backup.failure})" if backup.failure else "")
                + "; nothing else is made for this slot, the next one makes the next attempt"
            )


# --- copying ---------------------------------------------------------------------------------------------

MOST_ATTEMPTS = 3
"""How often a copy is begun for one slot and place while the failed ones still stand."""

INCREMENT_FROM, INCREMENT_TO = timedelta(minutes=15), timedelta(hours=24)
"""The shortest and the longest time that one of DynamoDB's incremental exports can span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCopy:
    """A copy to start."""

    backup: Backup
    mark: Mark
    place: str
    reason: str
    settings: CopySettings

    def outcome(self, state: State, reason: str, *, stuck: bool = False) -> Outcome:
        one = self.backup
        made = outcome_of(Action.COPY, state, one.kind, self.mark.source, self.place, reason, one)
        return replace(made, stuck=stuck) if stuck else made


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """All backups of one kind where copies are made from (`here`) and where they go (`there`); others'
    too."""

    kind: str
    laws: CopyLaws
    here: Sequence[Backup]
    there: Sequence[Backup]


def source_place(rule: CopyRule, home: Home) -> str:
    """Where a rule's copies are made from. A snapshot that is encrypted can be shared with another account
    only within its Region, so that account gets its copy from the one that stands in that Region."""
    return rule.region if rule.account else home.region


def why_not_carried(kind: str, laws: CopyLaws, rule: CopyRule) -> str:
    """Why the rule says nothing to backups of this kind; empty when they are copied by it."""
    if rule.account and not laws.to_accounts:
        return f"{kind} backups cannot be copied to another account"
    if laws.to_buckets and not rule.bucket:
        return (
            f"{kind} backups stay where they are: AWS can only export them, and the plan's copy to "
            f"{rule.place} names no bucket"
        )
    return ""


def plan_copies(
    copying: Iterable[Copying],
    plan: Plan,
    rule: CopyRule,
    request: Request,
    home: Home,
    begun: Collection[tuple[str, str]] = (),
) -> tuple[list[ToCopy], list[Outcome]]:
    """What to copy to the rule's place, newest first, as far as there are slots (`free_slots`), and an
    outcome for each wanted copy that needs no call or cannot have one now.

    Wanted is what the place's own policy would keep, were all of it there. `begun` has the places and ARNs of
    originals whose copies an earlier sweep of this slot began, and could not yet tell as done.
    """
    wanted = [one for kind in copying for one in _wanted_of_kind(kind, plan, rule, request, home)]
    steps: list[ToCopy] = []
    outcomes: list[Outcome] = []
    for one in sorted(wanted, key=lambda each: (slot_of(each.original), each.original.arn), reverse=True):
        step = _copy_step(one, rule, request)
        told = _without_a_call(one, step, plan, rule, request, begun)
        if told is None:
            steps.append(step)
        else:
            outcomes += told
    return steps, outcomes


def free_slots(copying: Iterable[Copying], rule: CopyRule) -> int:
    """How many copies can be begun. `copying` has the kinds of one service, which share the place's slots;
    copies in flight that are others' take up slots too."""
    return rule.slots - sum(_is_in_flight(one) for kind in copying for one in kind.there)


def put_off(step: ToCopy, rule: CopyRule) -> Outcome:
    """What is told of a copy that no slot was free for."""
    reason = f"no copy slot of {rule.place} is free ({rule.slots} in all): a later sweep copies it"
    return step.outcome(State.DEFERRED, reason)


def waits_for_its_region(
    copying: Copying, at_home: Sequence[Backup], plan: Plan, rule: CopyRule, request: Request, home: Home
) -> list[Outcome]:
    """A line for each backup of this slot that another account is to have a copy of, and whose copy in that
    account's Region, from which it is made, is not there: what that one's line says holds for this one."""
    here = [one for one in ours(copying.here, home, plan.name) if one.state in _HOPEFUL]
    there = [one for one in ours(copying.there, home, plan.name) if one.state in _HOPEFUL]
    present = {source_of(one) for one in (*here, *there) if slot_of(one) == request.slot}
    originals = originals_in(ours(at_home, home, plan.name), home.region, home)
    return [
        outcome_of(
            Action.COPY,
            State.SKIPPED,
            copying.kind,
            source_of(one),
            rule.place,
            f"is made from the copy in {rule.region}, which is not there yet",
            one,
        )
        for one in wanted_there(originals, [], rule, plan, request.slot, copying.laws.reach)
        if slot_of(one) == request.slot and source_of(one) not in present
    ]


_HOPEFUL = (BackupState.CREATING, BackupState.AVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A backup that the place is to have a copy of, the copies of it that stand there, and those of its
    resource."""

    original: Backup
    laws: CopyLaws
    copies: Sequence[Backup]
    siblings: Sequence[Backup]

    @property
    def best(self) -> Backup | None:
        """The copy of which most can be expected."""
        return max(self.copies, key=most_useful_last, default=None)

    @property
    def failed(self) -> list[Backup]:
        """The copies that AWS ended as failed, the last attempt last."""
        failed = [one for one in self.copies if one.state is BackupState.FAILED]
        return sorted(failed, key=lambda one: mark_of(one).attempt)


def _is_in_flight(backup: Backup) -> bool:
    return backup.copied and backup.state is BackupState.CREATING


def _wanted_of_kind(
    kind: Copying, plan: Plan, rule: CopyRule, request: Request, home: Home
) -> Iterable[_Wanted]:
    source = source_place(rule, home)
    originals = originals_in(ours(kind.here, home, plan.name), source, home)
    copies = [
        one
        for one in ours(kind.there, home, plan.name)
        if one.is_copy and one.place == rule.place and one.state is not BackupState.REMNANT
    ]
    live = [one for one in originals if one.state is not BackupState.DELETING]
    standing = [one for one in copies if one.state is BackupState.AVAILABLE]
    by_slot: dict[tuple[str, datetime], list[Backup]] = defaultdict(list)
    for one in copies:
        by_slot[(source_of(one), slot_of(one))].append(one)
    for backups in by_resource([*live, *standing]).values():
        of_one = [one for one in backups if one.place == source]
        its_copies = [one for one in backups if one.place == rule.place]
        for original in wanted_there(of_one, its_copies, rule, plan, request.slot, kind.laws.reach):
            yield _Wanted(
                original=original,
                laws=kind.laws,
                copies=[
                    one
                    for one in by_slot[(source_of(original), slot_of(original))]
                    if same_resource(one.resource_id, original.resource_id)
                ],
                siblings=its_copies,
            )


def originals_in(backups: Iterable[Backup], source: str, home: Home) -> list[Backup]:
    """Those that copies are made from in a place: in the home Region the backups themselves, elsewhere their
    copies."""
    return [one for one in backups if one.place == source and one.is_copy == (source != home.region)]


def wanted_there(
    originals: Sequence[Backup],
    copies: Sequence[Backup],
    rule: CopyRule,
    plan: Plan,
    now: datetime,
    reach: timedelta | None = None,
) -> list[Backup]:
    """Those of one resource's originals that the rule's place is to have a copy of.

    The place's policy is applied to everything that it could have: the originals (those still being
    created as if they were done) that are not older than AWS's `reach`, and the copies whose original is
    gone. A hold on an original is no wish for a copy: the copy would not bear it, would be pruned, and be
    made again the next night.
    """
    copied = {slot_of(one) for one in copies}
    hopeful = [
        replace(one, state=BackupState.AVAILABLE, tags={})
        for one in originals
        if one.state in _HOPEFUL
        and slot_of(one) <= now
        and (reach is None or now - slot_of(one) < reach or slot_of(one) in copied)
    ]
    known = {slot_of(one) for one in hopeful}
    orphans = [one for one in copies if slot_of(one) not in known]
    verdicts = decide([*hopeful, *orphans], rule.keep, now, zone_of(plan))
    kept = {verdict.backup.arn for verdict in verdicts if verdict.keep}
    return [one for one in originals if one.arn in kept]


def _copy_step(wanted: _Wanted, rule: CopyRule, request: Request) -> ToCopy:
    original, failed = wanted.original, wanted.failed
    mark = mark_of(original)
    attempt = max((mark_of(one).attempt for one in failed), default=0) + 1
    reason = f"{rule.place} has no copy of it"
    if failed:
        reason = (
            f"AWS ended {len(failed)} of its copies in {rule.place} as failed ({_why_failed(failed[-1])})"
        )
    return ToCopy(
        backup=original,
        mark=replace(mark, copy_of=original.arn, attempt=attempt),
        place=rule.place,
        reason=reason + ("" if mark.slot == request.slot else f" (of {format_slot(mark.slot)})"),
        settings=CopySettings(
            kms_key=_key_for(wanted, rule),
            option_group=rule.option_groups.get(original.option_group, ""),
            base=_base_of_increment(wanted, rule),
        ),
    )


def _key_for(wanted: _Wanted, rule: CopyRule) -> str:
    """The key to give with the call. Where AWS refuses one for what is not encrypted, none is given then:
    `_hindrance` sees to it that the plan allows that."""
    if not wanted.original.encrypted and not wanted.laws.key_for_unencrypted:
        return ""
    return rule.key_for(wanted.original.tags)


def _base_of_increment(wanted: _Wanted, rule: CopyRule) -> datetime | None:
    """The slot of the newest copy that the changes since would do after; `None` when a whole one is due."""
    if not wanted.laws.to_buckets or rule.full_every_days <= 1:
        return None
    slot = slot_of(wanted.original)
    whole = {slot_of(one): one.base for one in wanted.siblings if one.state is BackupState.AVAILABLE}
    recent = [one for one in whole if INCREMENT_FROM <= slot - one <= INCREMENT_TO]
    root = base = max(recent, default=None)
    while root is not None and (below := whole.get(root)) is not None:
        root = below
    if root is None or slot - root >= timedelta(days=rule.full_every_days):
        return None
    return base


def _without_a_call(
    wanted: _Wanted,
    step: ToCopy,
    plan: Plan,
    rule: CopyRule,
    request: Request,
    begun: Collection[tuple[str, str]],
) -> list[Outcome] | None:
    """What is to be told of a wanted copy, maybe nothing; `None` when a copy has to be begun."""
    copy, original = wanted.best, wanted.original
    stuck = request.slot - step.mark.slot > timedelta(minutes=plan.window_minutes)
    if copy is not None and copy.state is not BackupState.FAILED:
        # Copies of earlier slots that stand as they should are not told again each night.
        news = step.mark.slot == request.slot or (rule.place, original.arn) in begun
        if copy.state is BackupState.AVAILABLE and not news:
            return []
        state, reason = state_of_copy(copy)
        if wanted.failed and copy.state is BackupState.CREATING:
            reason += f", attempt {mark_of(copy).attempt} of {MOST_ATTEMPTS}: {step.reason}"
        stuck = stuck and copy.state is BackupState.CREATING
        return [step.outcome(state, reason + (_age_of(step, request) if stuck else ""), stuck=stuck)]
    if original.state is BackupState.CREATING:
        reason = "waits for the backup itself to be available"
        return [step.outcome(State.PENDING, reason + (_age_of(step, request) if stuck else ""), stuck=stuck)]
    if len(wanted.failed) >= MOST_ATTEMPTS:
        return [step.outcome(State.FAILED, _all_failed(wanted.failed, rule))]
    hindrance = _hindrance(wanted, rule)
    return [step.outcome(State.FAILED, hindrance)] if hindrance else None


def _age_of(step: ToCopy, request: Request) -> str:
    hours = int((request.slot - step.mark.slot).total_seconds() // 3600)
    return (
        f", and stuck: it is for the slot {format_slot(step.mark.slot)}, {hours} hours ago, longer than the "
        "plan's window. Look at it in AWS; when it ends as failed, a new one is begun"
    )


def _why_failed(copy: Backup) -> str:
    """EBS takes any key with the call, and tells only in the end that it cannot be used."""
    why = copy.failure or f"AWS says {copy.state_text or copy.state!s} and not why"
    if re.search(r"\b(kms|key)\b", why, re.IGNORECASE):
        why += "; the KMS key has to exist and be enabled, and its policy has to allow the copy"
    return why


def _all_failed(failed: Sequence[Backup], rule: CopyRule) -> str:
    names = ", ".join(one.id for one in failed)
    return (
        f"AWS ended all {len(failed)} attempts as failed, the last one with: {_why_failed(failed[-1])}. Mend "
        f"the cause, delete {names} in {rule.place}, and the next run copies again"
    )


def state_of_copy(copy: Backup) -> tuple[State, str]:
    """How a copy stands: the outcome's state and reason."""
    match copy.state:
        case BackupState.AVAILABLE:
            return State.DONE, f"available in {copy.place} as {copy.id}"
        case BackupState.CREATING:
            return State.PENDING, f"being copied (AWS says {copy.state_text or copy.state!s})"
        case BackupState.DELETING | BackupState.REMNANT:
            return State.PENDING, f"an earlier copy is being deleted in {copy.place}"
        case BackupState.FAILED:
            return State.FAILED, f"AWS ended the copy {copy.id} as failed: {_why_failed(copy)}"


def _hindrance(wanted: _Wanted, rule: CopyRule) -> str:
    """Why AWS would not make this copy, as far as one knows before the call; empty when nothing is known."""
    original = wanted.original
    key = rule.key_for(original.tags)
    # What is exported without a key is encrypted with S3's own.
    if original.encrypted and not key and not wanted.laws.to_buckets:
        return (
            f"it is encrypted, and the plan names no kms_key for {rule.place}: "
            f"give the copy the ARN of a KMS key of {rule.place}"
        )
    if key and not original.encrypted and not wanted.laws.key_for_unencrypted and not rule.copy_unencrypted:
        return (
            "it is not encrypted, and AWS refuses a key for the copy of such a cluster: encrypt the cluster, "
            f'or let its copies in {rule.place} be unencrypted too ("unencrypted_clusters": "copy")'
        )
    return _option_group_missing(original, rule)


def _option_group_missing(original: Backup, rule: CopyRule) -> str:
    group = original.option_group
    if not group or group.startswith("default:") or group in rule.option_groups:
        return ""
    transparent = (
        " It is encrypted by the database engine (TDE): the group there needs the TDE option, else it cannot "
        "be restored."
        if original.tde
        else ""
    )
    return (
        f"its option group {group} is none of AWS's own, and does not reach to {rule.place}: make one there "
        f'with the same options, and name it in the plan\'s copy ("option_groups": {{"{group}": "…"}}).'
        f"{transparent}"
    )


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
    place: str,
    reason: str,
    backup: Backup | None = None,
) -> Outcome:
    return Outcome(
        action=action,
        state=state,
        kind=kind,
        resource=resource,
        region=place,
        reason=reason,
        backup=backup.id if backup else "",
        backup_arn=backup.arn if backup else "",
    )
