"""What people are told must be true: each message is judged when it goes out, on what really stands."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.core.model import Backup, BackupState, Home, Plan, Request, Resource
from holdfast.core.naming import format_slot
from holdfast.core.report import Report, Stage
from holdfast.ports import Message
from tests.simulation import rules
from tests.simulation.deployment import Deployment
from tests.simulation.gate import Process
from tests.simulation.judge import Judge, Truth


@dataclass(slots=True, kw_only=True)
class Messages:
    """Their judge. `changed_at` has when people last changed a resource (by ARN), `plans_changed_at` a plan
    (by deployment and name): what a run could not know from its beginning it is not blamed for.

    `twice` has, by deployment, the plans and slots of which two whole runs overlapped. Each of their messages
    is true of what its own sweeps saw, and not judged by what the other's made and deleted meanwhile.
    `answered` has, by deployment, what its checks answered.
    """

    judge: Judge
    statuses: Counter[str] = field(default_factory=Counter)
    changed_at: dict[str, float] = field(default_factory=dict)
    plans_changed_at: dict[tuple[str, str], float] = field(default_factory=dict)
    twice: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    answered: dict[str, list[object]] = field(default_factory=dict)

    def watch(self, deployment: Deployment) -> None:
        """Judge what a deployment records and publishes from now on."""
        deployment.notifier.published = self.published
        deployment.records.saved = self.saved
        self.twice[deployment.where] = deployment.twice
        self.answered[deployment.where] = deployment.answered

    def saved(self, report: Report) -> None:
        """A stage's record was written."""
        process = self.judge.gate.process
        if process is None or process.plan is None or process.request is None:
            return
        run = self.judge.run(process)
        if report.stage is Stage.CREATE and process.plan.vault_of is None:
            run.lacking = self._lacking(process, report.slot)
            self.judge.gate.note(f"in truth without a backup: {sorted(run.lacking)}")
        if report.stage is Stage.PRUNE:
            run.decided = process.plan if not process.request.approve else run.decided
            run.unlisted, run.swept = bool(process.unlisted), process.began

    def _lacking(self, process: Process, when: datetime) -> set[str]:
        """The resources that had no backup of the slot at any time since the sweep began."""
        assert process.plan is not None
        return {
            self.judge.cloud.incarnation_of(one.arn)
            for one in self.protected(process.plan)
            if not self._was_there(one, process.plan, process.stack, when, "", process.began)
        }

    def protected(self, plan: Plan) -> list[Resource]:
        """What a plan is to back up now."""
        there = self.judge.cloud.resources_now()
        return [one for one in there if rules.protected(one, plan.select, plan.select.types)]

    def _was_there(
        self, one: Resource, plan: Plan, stack: str, when: datetime, place: str, since: float
    ) -> bool:
        """Whether a good backup of the slot stood in the place (else at home) at some time since then."""
        cloud = self.judge.cloud
        cloud.settle()
        incarnation = cloud.incarnation_of(one.arn)
        return any(
            life.available_at is not None
            and (life.gone_at is None or life.gone_at >= since)
            and life.place == (place or one.region)
            for life in cloud.lives_of(one.arn)
            if life.incarnation == incarnation
            and life.owner == stack
            and life.mark is not None
            and (life.mark.plan, life.mark.slot) == (plan.name, when)
        )

    def published(self, message: Message, process: Process) -> None:
        """A message went out."""
        assert process.request is not None
        status = message.attributes["status"]
        self.statuses[status] += 1
        run = self.judge.run(process)
        if run.decided is not None and process.home is not None:
            retention = run.decided.retention(process.home.region)
            told = self.judge.told[(process.where, process.request.plan)]
            told.append((process.request.slot, retention))
        if status == "ok":
            self._judge_ok(run, process)
        self._judge_posture(message, process)

    def _judge_posture(self, message: Message, process: Process) -> None:
        """A run's message tells what its check answered, or that it did not."""
        request = process.request
        assert request is not None
        told = json.loads(message.data).get("posture")
        if told is not None and told not in self.answered[process.where]:
            self.judge.blame("false posture", f"no check answered {told}")
        if told is None and not request.unchecked and request.run.startswith("run-"):
            self.judge.blame("false posture", "the message of a run tells of none")
        if request.unchecked and message.attributes["status"] == "ok":
            self.judge.blame("false ok", "nobody could look at how everything stands")

    def _judge_ok(self, run: Truth, process: Process) -> None:
        """Nothing that the plan wants may be missing."""
        assert process.request is not None
        stack, request = process.stack, process.request
        plan = run.decided
        if plan is None:
            self.judge.blame("false ok", "nothing was pruned, nor was it tried")
            return
        if self.plans_changed_at.get((process.where, request.plan), -1.0) >= run.first:
            return
        if (request.plan, format_slot(request.slot)) in self.twice[process.where]:
            return
        if run.unlisted:
            self.judge.blame("false ok", "not all could be listed for pruning")
        if plan.vault_of:
            self._judge_ok_of_vault(run, plan, request, process)
            return
        covered = [one for one in self.protected(plan) if self.changed_at.get(one.arn, -1.0) < run.first]
        for one in covered:
            if not self._was_there(one, plan, stack, request.slot, "", run.first):
                self.judge.blame("false ok", f"no backup of {one.arn}")
                continue
            for rule in plan.copies:
                if rules.carried(one.kind, rule):
                    self._judge_copied(one, rule.place, plan, stack, run, request)

    def _judge_copied(
        self, one: Resource, place: str, plan: Plan, stack: str, run: Truth, request: Request
    ) -> None:
        rule = next(each for each in plan.copies if each.place == place)
        incarnation = self.judge.cloud.incarnation_of(one.arn)
        sample = next(
            (
                life
                for life in self.judge.cloud.lives_of(one.arn)
                if life.incarnation == incarnation and life.owner == stack
            ),
            None,
        )
        if sample is None:
            return
        home = Home(stack=stack, region=one.region)
        here = self.judge.location(sample, home, plan, rules.source_of_copies(rule, one.region))
        here = [each for each in here if each.is_copy == (each.place != one.region)]
        there = self.judge.location(sample, home, plan, place)
        for when in sorted(rules.wanted(here, there, rule, plan, request.slot)):
            if when != request.slot and one.kind == "dynamodb":
                continue  # an earlier instant may lie before what can be exported
            if not self._was_there(one, plan, stack, when, place, run.first):
                self.judge.blame("false ok", f"no copy of {one.arn} of {when} in {place}")

    def _judge_ok_of_vault(self, run: Truth, plan: Plan, request: Request, process: Process) -> None:
        vault = self.judge.vault_of(plan, process)
        good: dict[str, Backup] = {}
        first: dict[str, Backup] = {}
        for one in sorted((each for each in self.judge.cloud.truth() if each.mark), key=rules.slot):
            life = self.judge.cloud.lives[one.arn]
            ours = life.owner == process.stack and one.mark and one.mark.plan == plan.name
            if not ours or one.place != vault or rules.slot(one) > request.slot:
                continue
            first.setdefault(one.source, one)
            if one.state is BackupState.AVAILABLE:
                good[one.source] = one
        deleted_since = {
            life.source
            for life in self.judge.cloud.lives.values()
            if life.place == vault and life.gone_at is not None and life.gone_at >= run.swept
        }
        if not first and not deleted_since:
            self.judge.blame("false ok", "no copy stands in the vault")
        for source, oldest in first.items():
            newest = good.get(source, oldest)
            if source in deleted_since:
                continue
            if request.slot - rules.slot(newest) > timedelta(hours=plan.rpo_hours) and not newest.held:
                self.judge.blame("false ok", f"no copy of {source} in the vault since {rules.slot(newest)}")
