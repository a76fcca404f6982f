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
from datetime import datetime, timedelta
from itertools import chain

from holdfast.core.model import (
    Backup,
    BackupState,
    CopyLaws,
    CopyRule,
    Home,
    Plan,
    Request,
    Retention,
    account_in,
    name_of,
    slot_of,
    source_of,
)
from holdfast.core.naming import format_slot
from holdfast.core.planning import (
    by_resource,
    originals_in,
    ours,
    outcome_of,
    source_place,
    wanted_there,
    why_not_carried,
    why_not_ours,
    zone_of,
)
from holdfast.core.report import Action, Outcome, State
from holdfast.core.retention import Verdict, decide, describe, each_once
from holdfast.core.told import Told

FEW_DELETES = 20
"""So many deletions more than a usual night's never trip a breaker that has no number of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All backups of one kind, by the place they stand in: the home Region and where they are copied to.

    `laws` tell which of the plan's copies are made of them, and so are to be waited for.
    """

    kind: str
    by_place: Mapping[str, Sequence[Backup]]
    laws: CopyLaws


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """A verdict for every backup of ours."""

    verdicts: Sequence[Verdict]

    @property
    def deletes(self) -> list[Verdict]:
        """The verdicts to delete, oldest first, but nothing before what stands on it: where a run is cut
        short between the two, what is left can be restored."""
        deletes = [one for one in self.verdicts if not one.keep]
        roots = _roots(one.backup for one in deletes)
        return sorted(
            deletes,
            key=lambda one: (roots[one.backup.arn], -slot_of(one.backup).timestamp(), one.backup.arn),
        )

    @property
    def later(self) -> list[Verdict]:
        """The verdicts to delete as soon as people have been told of the retention, oldest first."""
        return sorted((one for one in self.verdicts if one.later), key=_age)

    @property
    def listed(self) -> list[str]:
        """The ARNs to delete, oldest first."""
        return [one.backup.arn for one in self.deletes]


def _roots(backups: Iterable[Backup]) -> dict[str, datetime]:
    """By ARN, the slot of the whole backup that each stands on, as far down as it is among these: its own,
    unless it holds the changes since another."""
    backups = list(backups)
    base_of = {(source_of(one), one.place, slot_of(one)): one.base for one in backups}
    roots: dict[str, datetime] = {}
    for one in backups:
        slot = slot_of(one)
        while (base := base_of.get((source_of(one), one.place, slot))) is not None:
            slot = base
        roots[one.arn] = slot
    return roots


def _age(verdict: Verdict) -> tuple[datetime, str]:
    return slot_of(verdict.backup), verdict.backup.arn


def plan_prune(
    standing: Iterable[Standing], plan: Plan, now: datetime, home: Home, spared: Mapping[str, str]
) -> PrunePlan:
    """What to delete, by each location's policy and every guard that looks at one resource.

    `spared` names resources (by ARN) that are not pruned in this run, and why.
    """
    verdicts: list[Verdict] = []
    for kind in standing:
        listed = each_once(chain(*kind.by_place.values()))
        groups = by_resource(ours(listed, home, plan.name))
        for (source, _), backups in sorted(groups.items()):
            by_place: dict[str, list[Backup]] = defaultdict(list)
            for one in backups:
                by_place[one.place].append(one)
            verdicts += _prune_resource(
                by_place, kind.laws, kind.kind, plan, now, home, spared.get(source, "")
            )
    return PrunePlan(verdicts=verdicts)


def strangers(standing: Iterable[Standing], plan: Plan, home: Home) -> list[Verdict]:
    """A verdict for every backup that is not of this stack and plan, so that nobody wonders about it."""
    return [
        Verdict(backup=one, keep=True, reason=reason)
        for kind in standing
        for one in sorted(
            chain(*kind.by_place.values()), key=lambda each: (each.source, each.place, each.arn)
        )
        if (reason := why_not_ours(one, home, plan.name))
    ]


def _prune_resource(
    by_place: Mapping[str, Sequence[Backup]],
    laws: CopyLaws,
    kind: str,
    plan: Plan,
    now: datetime,
    home: Home,
    spared: str,
) -> list[Verdict]:
    verdicts: list[Verdict] = []
    rules = [rule for rule in plan.copies if not why_not_carried(kind, laws, rule)]
    for place, backups in sorted(by_place.items()):
        if account_in(place):
            verdicts += [Verdict(backup=one, keep=True, reason=_ELSEWHERE) for one in backups]
            continue
        decided = decide(backups, plan.policy_for(place), now, zone_of(plan))
        needed: Mapping[str, str] = {}
        if any(not one.keep for one in decided):
            fed = [rule for rule in rules if source_place(rule, home) == place]
            needed = _needed_for_copies(by_place, fed, laws, plan, now, home)
        verdicts += keep_what_others_stand_on(
            [
                _spare(one, why)
                if not one.keep and (why := spared or needed.get(one.backup.arn, ""))
                else one
                for one in decided
            ]
        )
    return verdicts


_ELSEWHERE = "in another account, whose own stack prunes it"


def _spare(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, keep=True, spared=True, reason=f"{why} (else: {verdict.reason})")


def _needed_for_copies(
    by_place: Mapping[str, Sequence[Backup]],
    rules: Iterable[CopyRule],
    laws: CopyLaws,
    plan: Plan,
    now: datetime,
    home: Home,
) -> dict[str, str]:
    """Why backups must stay for the sake of copies of them, by their ARN."""
    needed: dict[str, str] = {}
    for rule in rules:
        source = source_place(rule, home)
        originals = originals_in(by_place.get(source, ()), source, home)
        there = by_place.get(rule.place, ())
        running = {slot_of(one) for one in there if one.state is BackupState.CREATING}
        standing = [one for one in there if one.state is BackupState.AVAILABLE]
        copied = {slot_of(one) for one in standing}
        wanted = {one.arn for one in wanted_there(originals, standing, rule, plan, now, laws.reach)}
        for one in originals:
            if one.state is not BackupState.AVAILABLE:
                continue
            if slot_of(one) in running:
                needed.setdefault(one.arn, f"it is being copied to {rule.place}")
            elif slot_of(one) not in copied and one.arn in wanted:
                needed.setdefault(one.arn, f"its copy in {rule.place} is still missing")
    return needed


def keep_what_others_stand_on(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of one resource in one place; what a kept backup holds the changes since is kept too."""
    stands_on: dict[datetime, datetime] = {}
    kept: list[Verdict] = []
    for one in sorted(verdicts, key=_age, reverse=True):
        slot = slot_of(one.backup)
        if not one.keep and slot in stands_on and one.backup.state is BackupState.AVAILABLE:
            why = f"the backup of {format_slot(stands_on[slot])} holds the changes since it"
            one = replace(_spare(one, why), stood_on=True)  # noqa: PLW2901
        if one.keep and one.backup.base is not None:
            stands_on.setdefault(one.backup.base, slot)
        kept.append(one)
    return kept


def _keeping_bases(verdicts: Iterable[Verdict]) -> PrunePlan:
    """The plan with these verdicts, of which some were changed to keep: then what those stand on is kept."""
    verdicts = list(verdicts)
    groups: dict[Location, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        groups[_location(one)].append(one)
    settled = {
        one.backup.arn: one
        for group in groups.values()
        if any(each.backup.base is not None for each in group)
        for one in keep_what_others_stand_on(group)
    }
    return PrunePlan(verdicts=[settled.get(one.backup.arn, one) for one in verdicts])


# --- what people have not been told of ---------------------------------------------------------------------


def put_off_untold(
    prune: PrunePlan,
    standing: Iterable[Standing],
    plan: Plan,
    known: Mapping[str, Retention],
    now: datetime,
    home: Home,
) -> PrunePlan:
    """The same, with the deletions put off that only a new retention causes.

    `known` is the retention, by kind, that a message told of before this run. What it would let go too is
    deleted; the rest stays until people can have read of it.
    """
    changed = [kind for kind in standing if known.get(kind.kind) != plan.retention(home.region)]
    if not changed:
        return prune
    expected: set[str] = set()
    for kind in changed:
        as_told = plan.keeping(known.get(kind.kind) or Retention(), home.region)
        verdicts = plan_prune([kind], as_told, now, home, {}).verdicts
        expected.update(one.backup.arn for one in verdicts if _is_let_go(one))
    kinds = {kind.kind for kind in changed}
    return _keeping_bases(
        _put_off(one)
        if one.backup.kind in kinds and _is_let_go(one) and one.backup.arn not in expected
        else one
        for one in prune.verdicts
    )


def _is_let_go(verdict: Verdict) -> bool:
    """Whether the rules let it go, be it that a guard spares it for now. What others stand on goes with
    those."""
    return not verdict.keep or (verdict.spared and not verdict.stood_on)


def _put_off(verdict: Verdict) -> Verdict:
    reason = f"waits until people know of the plan's retention (else: {verdict.reason})"
    return replace(verdict, keep=True, later=True, reason=reason)


def foretold(
    standing: Iterable[Standing], plan: Plan, told: Mapping[str, Told], slot: datetime, home: Home
) -> dict[str, Retention]:
    """The retention, by kind, that the message of the slot tells of.

    A run that is repeated for a slot before the last one that was told of has no say: it does not see what
    later ones made, and a newer message says what holds.
    """
    kinds = [kind.kind for kind in standing]
    return {
        kind: plan.retention(home.region) for kind in kinds if kind not in told or told[kind].last <= slot
    }


def notice_of_change(
    prune: PrunePlan,
    tells: Mapping[str, Retention],
    known: Mapping[str, Retention],
    plan: Plan,
    request: Request,
    home: Home,
) -> str:
    """The sentences that tell of a retention for the first time, or why deletions wait although they do not;
    empty when there is nothing to tell. `tells` is what this run's message tells of (`foretold`)."""
    new = {
        kind: _change(plan, known.get(kind), home) for kind in sorted(tells) if tells[kind] != known.get(kind)
    }
    if new:
        changes = "; ".join(
            change + (f" (of {', '.join(kinds)})" if kinds != sorted(tells) else "")
            for change in dict.fromkeys(new.values())
            if (kinds := [kind for kind in new if new[kind] == change])
        )
        return f"The plan {plan.name} keeps {changes}. {_what_follows(prune, plan, request)}"
    if prune.later:
        return (
            f"{_backups(len(prune.later))} wait until people know of the plan's retention. This run is for "
            "an earlier slot than the last one that was told of: the next run tells."
        )
    return ""


def _what_follows(prune: PrunePlan, plan: Plan, request: Request) -> str:
    first = (
        "No message has told of it yet: the next run's will, and the run after that"
        if request.dry_run
        else "This is the first message to tell of it: the next run"
    )
    if not prune.later:
        return f"{first} is the first to delete by it. Nothing stands now that only this change lets go."
    asks = ""
    if _excess(prune, [*prune.deletes, *prune.later], (), plan, request):
        asks = "; it will ask first, since these are more than the breaker lets go unread"
    return (
        f"{first} deletes by it {_backups(len(prune.later))} that would stay without the change, and that "
        f"are kept for now{asks}. "
        "To keep them, change the plan back or hold them. To delete them now, invoke prune_backups with "
        + approval([one.backup.arn for one in prune.later], plan, request)
    )


def _backups(count: int) -> str:
    return f"{count} {'backup' if count == 1 else 'backups'}"


def _change(plan: Plan, known: Retention | None, home: Home) -> str:
    """What the plan keeps, and what it kept, where that differs."""
    retention = plan.retention(home.region)
    told: list[str] = []
    for region, policy in retention.policies.items():
        before = known.policies.get(region) if known else None
        if policy != before:
            was = f"before: {describe(before)}" if before else "nothing was told before"
            told.append(f"{describe(policy)} in {region} ({was})")
    dropped = [region for region in (known.policies if known else ()) if region not in retention.policies]
    told += [f"what stands in {region}, and looks there no more" for region in dropped]
    if known is None or known.time_zone != plan.time_zone:
        was = f" (before: of {known.time_zone})" if known else ""
        told.append(f"by the days of {plan.time_zone}{was}")
    return ", ".join(told)


# --- the breaker, and what a person approves ---------------------------------------------------------------


type Location = tuple[str, str]
"""A resource (by ARN) and the place in which backups of it stand."""


def tripped(prune: PrunePlan, plan: Plan, request: Request, done: Sequence[Location] = ()) -> str:
    """The refusal when the list of deletions is longer than one run may delete unread, else nothing.

    `done` has the location of each backup that earlier sweeps of the run deleted unread.
    """
    limits = _excess(prune, prune.deletes, done, plan, request)
    if not limits:
        return ""
    so_far = f" ({len(done)} were before, in this run)" if done else ""
    return (
        f"{len(prune.deletes)} of {len(prune.verdicts)} backups would be deleted{so_far}, but "
        f"{' and '.join(limits)}: none {'would be' if request.dry_run else 'was'}. Read the list; if it is "
        f"right, invoke prune_backups with {approval(prune.listed, plan, request)}"
    )


def _excess(
    prune: PrunePlan, deletes: Sequence[Verdict], done: Sequence[Location], plan: Plan, request: Request
) -> list[str]:
    """The limits that a list of deletions exceeds, in words.

    A run adds one backup to each location, which can push out one for each rule of the policy there: on
    the first of a month that is a Monday, a daily, a weekly and a monthly one. So many, and one more in each
    location for a night on which nothing was pruned, a run may delete whatever the share is, and without a
    number of the plan's own; besides them a few.
    """
    if not deletes:
        return []
    # What stands in other accounts is not this run's to delete, and is no part of what it deletes a share of.
    standing = sum(not one.backup.account for one in prune.verdicts) + len(done)
    total = len(deletes) + len(done)
    unusual = _more_than_usual(prune, [*_locations_of_chains(deletes), *done], plan, request.slot)
    most, share = plan.breaker.max_deletes_per_run, plan.breaker.max_delete_share
    limits = []
    if most is None and unusual > FEW_DELETES:
        limits.append(
            f"{unusual} are more than usual, of which {FEW_DELETES} at most go unread "
            "(prune.max_deletes_per_run)"
        )
    if most is not None and total > most:
        limits.append(f"prune.max_deletes_per_run is {most}")
    if total > share * standing and unusual > 0:
        limits.append(f"prune.max_delete_share is {share:g}")
    return limits


def _more_than_usual(prune: PrunePlan, gone: Iterable[Location], plan: Plan, now: datetime) -> int:
    """How many deletions are more than their locations' usual ones. A location that has a backup of neither
    of the plan's last two slots gets no more, and has no usual deletions; a copy may come one slot late."""
    slots: dict[Location, set[datetime]] = defaultdict(set)
    for one in prune.verdicts:
        if slot_of(one.backup) <= now:
            slots[_location(one)].add(slot_of(one.backup))
    last_two = set(sorted(set().union(*slots.values()))[-2:])
    return sum(
        max(0, count - (plan.policy_for(place[1]).usual_deletes if slots[place] & last_two else 0))
        for place, count in Counter(gone).items()
    )


def _locations_of_chains(deletes: Sequence[Verdict]) -> list[Location]:
    """The location of each deletion, those of one chain counted once: what stood on a whole backup goes with
    it, and one night's whole backup can free a chain for each rule."""
    roots = _roots(one.backup for one in deletes)
    return [location for location, _ in {(_location(one), roots[one.backup.arn]) for one in deletes}]


def _location(verdict: Verdict) -> Location:
    return source_of(verdict.backup), verdict.backup.place


def digest_of(arns: Iterable[str], plan: Plan, request: Request) -> str:
    """16 characters that name a list of deletions, in whatever order, for one run of a plan."""
    lines = [plan.name, format_slot(request.slot), *sorted(arns)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def approval(arns: Iterable[str], plan: Plan, request: Request) -> str:
    """The event that approves a list, as JSON."""
    digest = digest_of(arns, plan, request)
    return json.dumps({"plan": plan.name, "slot": format_slot(request.slot), "approve": digest})


def offers(prune: PrunePlan, refused: bool, plan: Plan, request: Request) -> dict[str, list[str]]:
    """The lists that this run's report asks a person to approve, by digest: what the breaker held back, and
    what waits for people to know."""
    lists = ([prune.listed] if refused else []) + [[one.backup.arn for one in prune.later]]
    return {digest_of(arns, plan, request): arns for arns in lists if arns}


def approved(full: PrunePlan, arns: Collection[str]) -> PrunePlan:
    """Of the deletions, those alone that a person approved."""
    return _keeping_bases(
        one
        if one.keep or one.backup.arn in arns
        else replace(one, keep=True, reason=f"not on the approved list (else: {one.reason})")
        for one in full.verdicts
    )


# --- what is missing ---------------------------------------------------------------------------------------


def nothing_kept(standing: Iterable[Standing], plan: Plan, home: Home) -> str:
    """The refusal of a vault's plan where there is nothing to keep, else nothing."""
    origin = home.vault_of
    if origin is None or any(_copies(kind, plan, home) for kind in standing):
        return ""
    return (
        f"There is no copy here that {home.stack} in {origin.region} (account {origin.account}) made for its "
        f"plan {plan.name}: either it has made none yet, or they are gone."
    )


def overdue(standing: Iterable[Standing], plan: Plan, now: datetime, home: Home) -> list[Outcome]:
    """Of a vault's plan, a failure for each resource whose newest good copy is older than `rpo_hours`: nobody
    else tells when the account that makes them is lost. A line only, where somebody holds that copy, as one
    does when the resource is gone for good.
    """
    told: list[Outcome] = []
    for kind in standing if home.vault_of else ():
        by_source: dict[str, list[Backup]] = defaultdict(list)
        for one in _copies(kind, plan, home):
            if slot_of(one) <= now and one.state not in (BackupState.DELETING, BackupState.REMNANT):
                by_source[source_of(one)].append(one)
        for source, copies in sorted(by_source.items()):
            good = [one for one in copies if one.state is BackupState.AVAILABLE]
            newest = max(good or copies, key=slot_of)
            age = now - slot_of(newest)
            if age <= timedelta(hours=plan.rpo_hours):
                continue
            which = "the newest copy" if good else "no copy can be restored, and the newest one"
            why = (
                f"{which} is of {format_slot(slot_of(newest))}, {int(age.total_seconds() // 3600)} hours ago"
            )
            if newest.held:
                reason = f"{kind.kind} {name_of(source)}: {why}, and held"
                told.append(outcome_of(Action.KEEP, State.SKIPPED, kind.kind, source, home.region, reason))
                continue
            reason = (
                f"{why}; the plan's rpo_hours is {plan.rpo_hours}. Look at the account that makes them. If "
                "the resource is gone for good, hold that copy, or delete what is left"
            )
            told.append(outcome_of(Action.COPY, State.FAILED, kind.kind, source, home.region, reason))
    return told


def _copies(kind: Standing, plan: Plan, home: Home) -> list[Backup]:
    return ours(each_once(chain(*kind.by_place.values())), home, plan.name)


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
        if verdict.keep and not verdict.later and not verdict.backup.account:
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
