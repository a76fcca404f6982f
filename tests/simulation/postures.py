"""What a check says of how everything stands must be true: each posture is judged when it is found, on what
really stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from holdfast.core.model import Backup, BackupState, Plan, Resource, place_of
from holdfast.core.posture import Health, Posture, Protection
from holdfast.core.report import Stage
from tests.simulation import rules
from tests.simulation.cloud import Life
from tests.simulation.deployment import Deployment
from tests.simulation.gate import Process
from tests.simulation.messages import Messages

MEMORY = timedelta(days=7)
"""For how long `docs/posture.md` says that what vanished is missed."""


@dataclass(slots=True, kw_only=True)
class Postures:
    """Their judge. `lines` counts those that said `ok`, `checks` all that were found, `well` those that said
    that everything is.

    What people changed since a check began is not held against it: `messages` knows.
    """

    messages: Messages
    checks: int = 0
    lines: int = 0
    well: int = 0

    def watch(self, deployment: Deployment) -> None:
        """Judge what the checks of a deployment find from now on."""
        deployment.checked = lambda posture, process: self.checked(posture, process, deployment)

    def checked(self, posture: Posture, process: Process, where: Deployment) -> None:
        self.checks += 1
        look = _Look(judge=self, posture=posture, process=process, where=where)
        for line in posture.protections:
            if line.health is Health.OK:
                self.lines += 1
                look.judge_ok(line)
            elif line.health is Health.WAITING:
                look.judge_waiting(line)
        if posture.standing == "ok":
            self.well += 1
            look.judge_well()

    def expect_calm(self, where: Deployment) -> None:
        """Nothing fails: what can be restored is told so, and nothing is forgotten."""
        answer = where.invoke(Stage.CHECK, {})
        posture = where.page.shown
        if posture is None or posture.problems:
            self.messages.judge.blame("not converged", f"a calm check has problems: {answer}")
            return
        look = _Look(judge=self, posture=posture, process=_nobody(where), where=where)
        for line in posture.breaches:
            if look.is_restorable(line):
                self.messages.judge.blame("false alarm", f"{line.key} is {line.health}: {line.reason}")
        look.judge_well()


def _nobody(where: Deployment) -> Process:
    now = where.gate.seconds
    return Process(name="check", number=0, began=now, ends_at=now, where=where.where, stack=where.home.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One posture, and what truly stood while it was found."""

    judge: Postures
    posture: Posture
    process: Process
    where: Deployment

    def blame(self, rule: str, text: str) -> None:
        self.judge.messages.judge.blame(rule, text)

    # --- single lines

    def judge_ok(self, line: Protection) -> None:
        if not self._has_changed(line.resource, line.plan) and not self.is_restorable(line):
            self.blame("false posture", f"{line.key} is ok by {line.newest}: {line.reason}")

    def judge_waiting(self, line: Protection) -> None:
        """New is what was never seen with a backup, and not for longer than the plan allows."""
        before = self._before()
        lines = [one for one in before.protections if one.key == line.key] if before else []
        # What is left of a former resource of the name says nothing of today's.
        lines = [one for one in lines if one.health is not Health.RETIRED]
        had_some = any(one.newest is not None for one in lines)
        if had_some:
            self.blame("false posture", f"{line.key} had a backup, and is called new")
        since = [one.since for one in lines if one.since]
        if since and self.posture.at - min(since) >= timedelta(hours=line.rpo_hours):
            self.blame("false posture", f"{line.key} is called new since {min(since)}")

    def _before(self) -> Posture | None:
        """The newest posture that was stored when the check began."""
        at = self.posture.at
        stored = [
            posture
            for when, (seconds, posture) in self.where.postures.kept.items()
            if seconds <= self.process.began and at - MEMORY <= when < at
        ]
        return max(stored, key=lambda one: one.at, default=None)

    def is_restorable(self, line: Protection) -> bool:
        """Whether a backup that the line may mean could be restored, at some time since the check began."""
        cloud = self.where.cloud
        cloud.settle()
        place = self._true_place(line.place)
        oldest = self.posture.at - timedelta(hours=line.rpo_hours)
        standing = {one.arn: one for one in cloud.truth(line.kind, line.resource, place)}
        return any(
            life.place == place
            and life.kind == line.kind
            and life.owner == self.where.home.stack
            and life.mark is not None
            and life.mark.plan == line.plan
            and oldest <= life.mark.slot <= self.posture.at
            and self._is_of(life, line.resource)
            and self._stood(life, standing.get(life.arn))
            for life in cloud.lives_of(line.resource)
        )

    def _is_of(self, life: Life, resource: str) -> bool:
        """Of today's resource, not of a former one of its name. Nobody knows today's in another account, and
        after it is gone; and the listing of tables tells no ids (`docs/reliability.md`)."""
        there = any(one.arn == resource for one in self.where.cloud.resources_now())
        if self.where.inside or not there or life.kind == "dynamodb":
            return True
        return life.incarnation == self.where.cloud.incarnation_of(resource)

    def _stood(self, life: Life, backup: Backup | None) -> bool:
        """Good at some time since the check began; a listing may show for a while what is gone."""
        if life.available_at is None:
            return False
        if backup is None or backup.state is BackupState.AVAILABLE:
            return backup is not None or self._is_just_gone(life)
        # What it holds the changes since may have been there when it was looked.
        below = [one for one in self.where.cloud.lives_of(life.source) if one.place == life.place]
        return backup.base is not None and any(map(self._is_just_gone, below))

    def _is_just_gone(self, life: Life) -> bool:
        return life.gone_at is not None and life.gone_at >= self.process.began - self.where.cloud.pace.lag

    def _true_place(self, place: str) -> str:
        return place_of(place, self.where.inside) if self.where.inside else place

    def _has_changed(self, resource: str, plan: str) -> bool:
        messages, since = self.judge.messages, self.process.began
        return (
            messages.changed_at.get(resource, -1.0) >= since
            or messages.plans_changed_at.get((self.where.where, plan), -1.0) >= since
        )

    # --- the whole

    def judge_well(self) -> None:
        """Whatever a plan protects is told of, in each place that it wants a copy in."""
        told = {one.key for one in self.posture.protections if one.health is not Health.RETIRED}
        for plan, resource, place in self._wanted():
            if (plan.name, resource.arn, place) not in told:
                self.blame("false posture", f"{plan.name}: nothing is told of {resource.arn} in {place}")

    def _wanted(self) -> Iterator[tuple[Plan, Resource, str]]:
        for name, plan in self.where.plans.plans.items():
            if plan.vault_of is not None or name in self.where.plans.broken:
                continue
            for resource in self.judge.messages.protected(plan):
                if self._has_changed(resource.arn, name):
                    continue
                yield plan, resource, resource.region
                for rule in plan.copies:
                    if rules.carried(resource.kind, rule):
                        yield plan, resource, rule.place
