"""What must never be made or deleted, judged at the moment at which it happens, on what really stands.

Each guard of `docs/retention.md` is judged at every deletion that takes effect, by the rules as `rules` says
them and by the truth of the cloud: never by Holdfast's own records.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.holds import Hold
from holdfast.core.model import Backup, BackupState, Home, Plan, Request, Retention, place_of
from tests.simulation import rules
from tests.simulation.cloud import Life, SimulatedCloud
from tests.simulation.gate import Gate, Process

FEW = 20

type RunKey = tuple[str, str, datetime]
"""A deployment, a plan and a slot."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not have happened. `rule` is the class of it."""

    rule: str
    text: str


@dataclass(slots=True, kw_only=True)
class Truth:
    """What the judge knows of one run of a plan.

    `first` is when it was first heard of, in seconds. `lacking` has the resources without a backup when
    create_backups last wrote its record, `decided` is the plan by which was pruned, `unlisted` whether the
    last pruning could not list all, `swept` when it began. Of its deletions `deleted` has the slot of the
    whole backup that each stood on, `standing` how many backups stood before the first.
    """

    first: float
    lacking: set[str] = field(default_factory=set)
    decided: Plan | None = None
    unlisted: bool = False
    swept: float = 0.0
    deleted: list[tuple[Life, str]] = field(default_factory=list)
    standing: int = 0


@dataclass(slots=True, kw_only=True)
class Judge:
    """`found` are the violations so far. `told` has the retentions that messages told of, by deployment and
    plan, `holds` what the hold list really says."""

    gate: Gate
    cloud: SimulatedCloud = field(init=False)
    found: list[Violation] = field(default_factory=list)
    deletes: int = 0
    runs: dict[RunKey, Truth] = field(default_factory=dict)
    told: dict[tuple[str, str], list[tuple[datetime, Retention]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    holds: list[Hold] = field(default_factory=list)

    def blame(self, rule: str, text: str) -> None:
        self.gate.note(f"** {rule}: {text}")
        self.found.append(Violation(rule, text))

    def run(self, process: Process) -> Truth:
        """What is known of the run that a process works for."""
        assert process.request is not None
        key = (process.where, process.request.plan, process.request.slot)
        if key not in self.runs:
            self.runs[key] = Truth(first=self.gate.seconds)
        return self.runs[key]

    # --- listing

    def listed(self, process: Process, kind: str, source: str, whole: bool) -> None:
        if process.name == "create" and process.request and not process.request.dry_run:
            self.run(process)  # has begun
        process.looking = bool(source) and process.name == "prune"
        if not source:
            if not whole:
                process.unlisted.add(kind)
        elif whole:
            process.looked.add((kind, source))
        else:
            process.looked.discard((kind, source))

    # --- making

    def made(self, life: Life, backup: Backup, process: Process | None) -> None:
        if process is None:
            return
        if process.name == "check":
            self.blame("made by the wrong stage", f"the check made {life.arn}")
        if process.request is None:
            return
        by = "copy" if life.copied_from else "create"
        if process.name != by or process.request.dry_run:
            self.blame("made by the wrong stage", f"{process.name} made {life.arn}")
        mark = life.mark
        if mark is None:
            self.blame("made without a mark", life.arn)
            return
        twins = [
            one
            for one in self.cloud.truth(life.kind, life.source, life.place)
            if one.arn != life.arn
            and one.state in (BackupState.AVAILABLE, BackupState.CREATING)
            and one.mark is not None
            and (one.mark.stack, one.mark.plan, one.mark.slot) == (mark.stack, mark.plan, mark.slot)
            and self.cloud.lives[one.arn].incarnation == life.incarnation
            and not self._is_whole_again(one, process)
        ]
        if twins:
            self.blame("duplicate", f"{life.arn} beside {twins[0].arn} of {mark.slot} in {life.place}")

    def _is_whole_again(self, increment: Backup, process: Process) -> bool:
        """Whether what it stands on was made anew by this sweep, which found it worthless when it looked."""
        return increment.base is not None and any(
            life.place == increment.place and life.made_at >= process.began
            for life in self.cloud.lives_of(increment.source)
            if life.mark is not None and life.mark.slot < rules.slot(increment)
        )

    # --- deleting

    def deleting(self, life: Life, backup: Backup, process: Process) -> None:
        """A deletion that takes effect now."""
        self.deletes += 1
        process.looking = False
        plan, request = process.plan, process.request
        if process.name != "prune" or plan is None or request is None or request.dry_run:
            self.blame("deleted by the wrong stage", f"{process.name} deletes {life.arn}")
            return
        home = process.home
        assert home is not None
        if not self._is_theirs(life, plan, process, home):
            return
        self._judge_looks(life, process)
        location = self.location(life, home, plan)
        before = [one for one in location if one.arn != backup.arn]
        if backup.state is BackupState.REMNANT:
            return
        if backup.held or self._is_on_list(backup):
            self.blame("held", life.arn)
        self._judge_evidence(backup, location, before, plan, request)
        self._judge_base(backup, before)
        self._judge_copies(life, backup, plan, request, home)
        self._judge_run(life, backup, location, process)

    def _is_theirs(self, life: Life, plan: Plan, process: Process, home: Home) -> bool:
        vault = self.vault_of(plan, process)
        ours = (
            life.owner == process.stack
            and life.mark is not None
            and life.mark.plan == plan.name
            and (bool(life.copied_from) or not vault)
        )
        inside = life.place == vault if vault else "@" not in life.place
        if not ours or not inside:
            self.blame("not ours", f"{life.arn} of {life.owner or 'somebody'} in {life.place}")
        return ours and inside

    def _judge_looks(self, life: Life, process: Process) -> None:
        if life.kind in process.unlisted:
            self.blame("incomplete listing", f"{life.arn} after {life.kind} could not be listed")
        if (life.kind, life.source) not in process.looked:
            self.blame("no look before the delete", life.arn)
        if life.kind == "dynamodb" and process.holds_unread:
            self.blame("hold list unread", life.arn)
        process.looked.discard((life.kind, life.source))

    def _is_on_list(self, backup: Backup) -> bool:
        """The simulation's hold list names whole ARNs, or a table's backups by name."""
        names = (backup.arn, f"{backup.source.rpartition('/')[2]}/{backup.id}")
        return backup.kind == "dynamodb" and any(one.backups in names for one in self.holds)

    def location(self, life: Life, home: Home, plan: Plan, place: str = "") -> list[Backup]:
        """What stands of ours of the same resource in a place, the same one if none is named."""
        return [
            one
            for one in self.cloud.truth(life.kind, life.source, place or life.place)
            if self._counts(one, life, plan)
        ]

    def _counts(self, one: Backup, life: Life, plan: Plan) -> bool:
        other = self.cloud.lives[one.arn]
        return (
            one.mark is not None
            and other.incarnation == life.incarnation
            and other.owner == life.owner
            and one.mark.plan == plan.name
        )

    def _judge_evidence(
        self, backup: Backup, location: list[Backup], before: list[Backup], plan: Plan, request: Request
    ) -> None:
        policy = plan.keep if plan.vault_of else rules.policy_at(plan, backup.place)
        if not rules.usable(policy):
            self.blame("unusable policy", backup.arn)
        now, when = request.slot, rules.slot(backup)
        if backup.state is BackupState.FAILED:
            if not any(rules.slot(one) > when for one in rules.good(location, now)):
                self.blame("failed, and no newer good one", backup.arn)
            return
        if backup.state is not BackupState.AVAILABLE:
            self.blame("not finished", f"{backup.arn} is {backup.state}")
            return
        if when > now:
            self.blame("of the future", backup.arn)
        left = rules.good(before, now)
        if len(left) < max(policy.minimum, 1):
            self.blame("floor", f"{backup.arn} leaves {len(left)} of {policy.minimum} in {backup.place}")
        if not any((rules.slot(one), one.arn) > (when, backup.arn) for one in left):
            self.blame("newest", backup.arn)
        if backup.arn in rules.kept(rules.good(location, now), policy, rules.zone_of(plan)):
            self.blame("kept by the rules", f"{backup.arn} by {policy}")

    def _judge_base(self, backup: Backup, before: list[Backup]) -> None:
        """An export that cannot be restored any more is no base, whatever was made after it."""
        if backup.state is BackupState.AVAILABLE and (stands_on := rules.stood_on(backup, before)):
            self.blame("base of an increment", f"{backup.arn}, which {stands_on[0].arn} stands on")

    def _judge_copies(self, life: Life, backup: Backup, plan: Plan, request: Request, home: Home) -> None:
        """Only from what can be restored a copy can be made."""
        for rule in plan.copies:
            if rules.source_of_copies(rule, home.region) != life.place or not rules.carried(life.kind, rule):
                continue
            if "@" not in rule.place and life.copied_from:
                continue
            there = self.location(life, home, plan, rule.place)
            of_slot = [one for one in there if rules.slot(one) == rules.slot(backup)]
            if any(
                one.state is BackupState.CREATING and self.cloud.lives[one.arn].copied_from == life.arn
                for one in of_slot
            ):
                self.blame("while it is copied", f"{life.arn} to {rule.place}")
            if backup.state is not BackupState.AVAILABLE:
                continue
            if any(one.state is BackupState.AVAILABLE for one in of_slot):
                continue
            here = self.location(life, home, plan)
            if rules.slot(backup) in rules.wanted(here, there, rule, plan, request.slot):
                self.blame("before its copy", f"{life.arn} to {rule.place}")

    def _judge_run(self, life: Life, backup: Backup, location: list[Backup], process: Process) -> None:
        """The guards that look at the run, at people, and at how much goes."""
        plan, request, run = process.plan, process.request, self.run(process)
        assert plan is not None
        assert request is not None
        if life.incarnation in run.lacking:
            self.blame("without a backup of this run", life.arn)
        if request.approve:
            if life.arn not in process.approved:
                self.blame("not on the approved list", life.arn)
            return
        self._judge_told(backup, location, plan, process)
        if not run.deleted or run.standing == 0:
            run.standing = self._standing_of(process)
        run.deleted.append((life, self._root(backup, location)))
        self._judge_breaker(run, plan, life)

    def _judge_told(self, backup: Backup, location: list[Backup], plan: Plan, process: Process) -> None:
        assert process.request is not None
        evidence = rules.good(location, process.request.slot)
        for told_for, retention in self.told[(process.where, plan.name)]:
            # The place of a vault's own stack is its home Region.
            place = backup.region if plan.vault_of else backup.place
            policy = retention.policies.get(place)
            if told_for == process.request.slot or policy is None or not rules.usable(policy):
                continue
            if backup.state is not BackupState.AVAILABLE:
                return
            zone = rules.zone_of(plan.keeping(retention, place))
            if backup.arn not in rules.kept(evidence, policy, zone):
                return
        self.blame("by a retention that was not told", backup.arn)

    def _standing_of(self, process: Process) -> int:
        assert process.plan is not None
        vault = self.vault_of(process.plan, process)
        return sum(
            1
            for one in self.cloud.standing()
            if one.mark is not None
            and self.cloud.lives[one.arn].owner == process.stack
            and one.mark.plan == process.plan.name
            and (one.place == vault if vault else "@" not in one.place)
        )

    def _judge_breaker(self, run: Truth, plan: Plan, life: Life) -> None:
        """At most this may go unread, if everything goes that is usual."""
        total = len(run.deleted)
        most, share = plan.breaker.max_deletes_per_run, plan.breaker.max_delete_share
        chains: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for one, root in run.deleted:
            chains[(one.incarnation, one.place, one.kind)].add(root)
        unusual = 0
        for (_, place, _), roots in chains.items():
            policy = plan.keep if plan.vault_of else rules.policy_at(plan, place)
            unusual += max(0, len(roots) - policy.rules - 1)
        if most is not None and total > most:
            self.blame("breaker: number", f"{total} of {most} at {life.arn}")
        if most is None and unusual > FEW:
            self.blame("breaker: unusual", f"{unusual} at {life.arn}")
        if total > share * run.standing and unusual > 0:
            self.blame("breaker: share", f"{total} of {run.standing} at {life.arn}")

    def vault_of(self, plan: Plan, process: Process) -> str:
        """The place that a vault's own stack prunes; empty of other stacks."""
        assert process.home is not None
        return place_of(process.home.region, process.home.account) if plan.vault_of else ""

    def _root(self, backup: Backup, location: list[Backup]) -> str:
        """The whole backup that one stands on, by its slot."""
        bases = {rules.slot(one): one.base for one in location}
        when, base = rules.slot(backup), backup.base
        while base is not None:
            when, base = base, bases.get(base)
        return when.isoformat()
