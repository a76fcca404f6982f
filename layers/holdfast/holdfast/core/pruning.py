"""What to delete: each location's policy, and the guards that look at more than one location or at people.

`core.retention` decides on the backups of one resource in one place. Here those verdicts are gathered, and
held back where a copy is still needed, where the resource has no new backup, where nobody was told of the
retention yet, or where the list is longer than one run may delete unread.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from holdfast.core.model import (
    Backup,
    BackupState,
    Home,
    Plan,
    Request,
    Retention,
    name_of,
    slot_of,
    source_of,
)
from holdfast.core.naming import format_slot
from holdfast.core.planning import by_resource, ours, outcome_of, wanted_there, why_not_ours, zone_of
from holdfast.core.report import Action, Outcome, State
from holdfast.core.retention import Verdict, decide, describe

FEW_DELETES = 20
"""So many deletions alone never trip a breaker that has no number of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All backups of one kind, by the Region they stand in: the home Region and each copy Region."""

    kind: str
    by_region: Mapping[str, Sequence[Backup]]
    copied: bool
    """Whether backups of this kind can be copied, so that their copies are to be waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """A verdict for every backup of ours, and the digest of those to delete."""

    verdicts: Sequence[Verdict]

    @property
    def deletes(self) -> list[Verdict]:
        """The verdicts to delete, oldest first."""
        return sorted((one for one in self.verdicts if not one.keep), key=_age)

    @property
    def later(self) -> list[Verdict]:
        """The verdicts to delete as soon as people have been told of the retention, oldest first."""
        return sorted((one for one in self.verdicts if one.later), key=_age)

    @property
    def listed(self) -> list[str]:
        """The ARNs to delete."""
        return [one.backup.arn for one in self.deletes]

    @property
    def digest(self) -> str:
        """Names exactly this list of deletions, for a person to approve."""
        return digest_of(self.listed)


def _age(verdict: Verdict) -> tuple[datetime, str]:
    return slot_of(verdict.backup), verdict.backup.arn


def digest_of(arns: Iterable[str]) -> str:
    """16 characters that name a list of deletions, in whatever order."""
    return hashlib.sha256("\n".join(sorted(arns)).encode()).hexdigest()[:16]


def plan_prune(
    standing: Iterable[Standing], plan: Plan, now: datetime, home: Home, spared: Mapping[str, str]
) -> PrunePlan:
    """What to delete, by each location's policy and every guard that looks at one resource.

    `spared` names resources (by ARN) that are not pruned in this run, and why.
    """
    verdicts: list[Verdict] = []
    for kind in standing:
        groups = by_resource(ours(chain(*kind.by_region.values()), home, plan.name))
        for (source, _), backups in sorted(groups.items()):
            by_region: dict[str, list[Backup]] = defaultdict(list)
            for one in backups:
                by_region[one.region].append(one)
            verdicts += _prune_resource(by_region, kind, plan, now, home, spared.get(source, ""))
    return PrunePlan(verdicts=verdicts)


def strangers(standing: Iterable[Standing], plan: Plan, home: Home) -> list[Verdict]:
    """A verdict for every backup that is not of this stack and plan, so that nobody wonders about it."""
    return [
        Verdict(backup=one, keep=True, reason=reason)
        for kind in standing
        for one in sorted(
            chain(*kind.by_region.values()), key=lambda each: (each.source, each.region, each.arn)
        )
        if (reason := why_not_ours(one, home, plan.name))
    ]


def _prune_resource(
    by_region: Mapping[str, Sequence[Backup]],
    kind: Standing,
    plan: Plan,
    now: datetime,
    home: Home,
    spared: str,
) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for region, backups in sorted(by_region.items()):
        decided = decide(backups, plan.policy_for(region), now, zone_of(plan))
        needed: Mapping[str, str] = {}
        if region == home.region and kind.copied and any(not one.keep for one in decided):
            needed = _needed_for_copies(by_region, plan, now, home)
        for verdict in decided:
            why = "" if verdict.keep else spared or needed.get(verdict.backup.arn, "")
            verdicts.append(_spare(verdict, why) if why else verdict)
    return verdicts


def _spare(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, keep=True, spared=True, reason=f"{why} (else: {verdict.reason})")


def _needed_for_copies(
    by_region: Mapping[str, Sequence[Backup]], plan: Plan, now: datetime, home: Home
) -> dict[str, str]:
    """Why originals must stay for the sake of copies of them, by their ARN."""
    originals = [one for one in by_region.get(home.region, ()) if one.state is BackupState.AVAILABLE]
    needed: dict[str, str] = {}
    for rule in plan.copies:
        there = by_region.get(rule.region, ())
        running = {slot_of(one) for one in there if one.state is BackupState.CREATING}
        standing = [one for one in there if one.state is BackupState.AVAILABLE]
        copied = {slot_of(one) for one in standing}
        wanted = {one.arn for one in wanted_there(by_region.get(home.region, ()), standing, rule, plan, now)}
        for one in originals:
            if slot_of(one) in running:
                needed.setdefault(one.arn, f"it is being copied to {rule.region}")
            elif slot_of(one) not in copied and one.arn in wanted:
                needed.setdefault(one.arn, f"its copy in {rule.region} is still missing")
    return needed


# --- what people have not been told of ---------------------------------------------------------------------


def put_off_untold(
    prune: PrunePlan,
    standing: Iterable[Standing],
    plan: Plan,
    known: Retention | None,
    now: datetime,
    home: Home,
) -> PrunePlan:
    """The same, with the deletions put off that only a new retention causes.

    `known` is the retention that a message told of before this run; `None` when none did. What it would
    let go too is deleted; the rest stays until the next run, so that somebody can read of it first.
    """
    if known == plan.retention(home.region):
        return prune
    as_told = plan_prune(standing, plan.keeping(known or Retention(), home.region), now, home, {})
    expected = {one.backup.arn for one in as_told.verdicts if _is_let_go(one)}
    return PrunePlan(
        verdicts=[
            _put_off(one) if _is_let_go(one) and one.backup.arn not in expected else one
            for one in prune.verdicts
        ]
    )


def _is_let_go(verdict: Verdict) -> bool:
    """Whether the rules let it go, be it that a guard spares it."""
    return not verdict.keep or verdict.spared


def _put_off(verdict: Verdict) -> Verdict:
    reason = f"no message before this run's told of the plan's retention (else: {verdict.reason})"
    return replace(verdict, keep=True, later=True, reason=reason)


def notice_of_change(
    prune: PrunePlan, full: PrunePlan, plan: Plan, known: Retention | None, request: Request, home: Home
) -> str:
    """The sentence that tells of a retention for the first time; empty when it deletes nothing more.

    `full` is the plan without anything put off: what a person can approve to have done now.
    """
    count = len(prune.later)
    if not count:
        return ""
    return (
        f"The plan {plan.name} keeps {_change(plan, known, home)}. This is the first message to tell of it, "
        f"so {count} {'backup stays' if count == 1 else 'backups stay'} until the next run that would stay "
        "without the change (listed as kept for now). To keep them, change the plan back or hold them. To "
        f"delete them now, with all else that is due, invoke prune_backups with "
        f"{_approval(plan, request, full.digest)}"
    )


def _change(plan: Plan, known: Retention | None, home: Home) -> str:
    """What the plan keeps, and what it kept, where that differs."""
    told: list[str] = []
    for region, policy in plan.retention(home.region).policies.items():
        before = known.policies.get(region) if known else None
        if policy != before:
            was = f"before: {describe(before)}" if before else "nothing was told before"
            told.append(f"{describe(policy)} in {region} ({was})")
    if known and known.time_zone != plan.time_zone:
        told.append(f"by the days of {plan.time_zone} (before: of {known.time_zone})")
    return ", ".join(told)


# --- the breaker -------------------------------------------------------------------------------------------


def tripped(prune: PrunePlan, plan: Plan, request: Request, listed: Sequence[str] = ()) -> str:
    """The refusal when the list of deletions is longer than one run may delete unread, else nothing.

    A night adds one backup to each location, which can push out one for each rule of the policy there: on
    the first of a month that is a Monday, a daily, a weekly and a monthly one. So many, and one more in each
    location for a night that was missed, a run may delete whatever the share is, and without a number of
    the plan's own. An approved list passes (`is_approved`).
    """
    deletes, standing = len(prune.deletes), len(prune.verdicts)
    if not deletes or is_approved(prune, request.approve, listed):
        return ""
    locations = {(source_of(one.backup), one.backup.resource_id, one.backup.region) for one in prune.verdicts}
    usual = sum(plan.policy_for(region).rules + 1 for _, _, region in locations)
    most, share = plan.breaker.max_deletes_per_run, plan.breaker.max_delete_share
    limits = []
    if most is None and deletes > max(usual, FEW_DELETES):
        limits.append(f"a usual night deletes {max(usual, FEW_DELETES)} at most (prune.max_deletes_per_run)")
    if most is not None and deletes > most:
        limits.append(f"prune.max_deletes_per_run is {most}")
    if deletes > share * standing and deletes > usual:
        limits.append(f"prune.max_delete_share is {share:g}")
    if not limits:
        return ""
    return (
        f"{deletes} of {standing} backups would be deleted, but {' and '.join(limits)}: none was. "
        f"Read the list; if it is right, invoke prune_backups with {_approval(plan, request, prune.digest)}"
    )


def not_followed(prune: PrunePlan, request: Request, listed: Sequence[str]) -> str:
    """The refusal of an approval that is of another list; empty when none was given or it is of this one."""
    if not request.approve or is_approved(prune, request.approve, listed):
        return ""
    return f"The approval {request.approve} is of another list: nothing was deleted."


def is_approved(prune: PrunePlan, approve: str, listed: Sequence[str]) -> bool:
    """Whether a person approved this very list, or the one that an earlier sweep recorded (`listed`, by
    ARN) and of which this is what is left. `approve` is the digest that the person gave."""
    if approve == prune.digest:
        return True
    return bool(approve) and approve == digest_of(listed) and Counter(prune.listed) <= Counter(listed)


def _approval(plan: Plan, request: Request, digest: str) -> str:
    """The event that approves a list, as JSON."""
    return json.dumps({"plan": plan.name, "slot": format_slot(request.slot), "approve": digest})


# --- what nobody backs up any more -------------------------------------------------------------------------


def left_behind(
    prune: PrunePlan, now: datetime, home: Home, covered: Collection[str] | None, unlisted: Collection[str]
) -> list[Outcome]:
    """A line for each resource that keeps backups and gets no more, so that somebody decides about them.

    `covered` names the resources (by ARN) that this run made a backup of or tried to; `None` when that is
    not known, as it is not for the kinds in `unlisted`. Of several resources of one name, the one with the
    newest backup is today's.
    """
    by_kind: dict[str, list[Backup]] = defaultdict(list)
    for verdict in prune.verdicts:
        if verdict.keep:
            by_kind[verdict.backup.kind].append(verdict.backup)
    told: list[Outcome] = []
    for kind, kept in sorted(by_kind.items()):
        groups = by_resource(kept)
        newest = {key: max(map(slot_of, backups)) for key, backups in groups.items()}
        todays: dict[str, datetime] = {}
        for (source, resource_id), slot in newest.items():
            if resource_id:
                todays[source] = max(slot, todays.get(source, slot))
        for key, backups in sorted(groups.items()):
            source, resource_id = key
            if resource_id and newest[key] < todays[source]:
                why = "a new resource has its name"
            elif kind in unlisted or covered is None or source in covered or newest[key] > now:
                continue
            else:
                why = "it is gone, or no longer in the plan"
            reason = (
                f"{kind} {name_of(source)}: {why}; backups that stay until a person decides: {len(backups)}"
            )
            told.append(outcome_of(Action.KEEP, State.SKIPPED, kind, source, home.region, reason))
    return told
