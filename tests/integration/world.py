"""Holdfast on a cloud in memory: the use cases wired to the fakes, as bootstrap wires them to AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from holdfast.core.errors import StageCrashed
from holdfast.core.model import Backup, Mark, Plan, Request, Resource
from holdfast.core.report import Action, Outcome, Report, Stage
from holdfast.events import parse_request
from holdfast.ports import Copier, Deadline, Provider
from holdfast.usecases.copy import copy_backups
from holdfast.usecases.create import create_backups
from holdfast.usecases.prune import prune_backups
from holdfast.usecases.publish import Published, publish_report
from tests.builders import HOME, NIGHT, a_plan, a_request
from tests.fakes import (
    KINDS,
    FakeCloud,
    FakeCopier,
    FakeHoldList,
    FakeNotifier,
    FakePlans,
    FakeRecords,
    FakeTurns,
    provider_for,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def plenty() -> float:
    """A deadline that is far off."""
    return 900.0


def time_for(acts: int) -> Deadline:
    """A deadline that is far off for that many questions, and then nearly over."""
    lock, asked = Lock(), 0

    def deadline() -> float:
        nonlocal asked
        with lock:
            asked += 1
            return 900.0 if asked <= acts else 5.0

    return deadline


@dataclass
class World:
    """One deployment. `providers` may be replaced by a test's own."""

    cloud: FakeCloud = field(default_factory=FakeCloud)
    plan: Plan = field(default_factory=a_plan)
    records: FakeRecords = field(default_factory=FakeRecords)
    turns: FakeTurns = field(default_factory=FakeTurns)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    providers: dict[str, Provider] = field(default_factory=dict)
    holds: FakeHoldList = field(default_factory=FakeHoldList)
    """The hold list of DynamoDB."""
    people_know: bool = True
    """Whether messages have long told of the plan's retention, whatever it is."""

    def __post_init__(self) -> None:
        for kind in KINDS:
            self.providers.setdefault(kind, provider_for(self.cloud, kind))

    @property
    def copiers(self) -> Mapping[str, Copier]:
        return {kind: one for kind, one in self.providers.items() if isinstance(one, FakeCopier)}

    @property
    def plans(self) -> FakePlans:
        return FakePlans([self.plan])

    def create(self, request: Request | None = None, deadline: Deadline = plenty) -> Report:
        request = request or a_request()
        report = create_backups(self.providers, self.turns, self.plan, request, HOME, deadline)
        return self._kept(report)

    def copy(self, request: Request | None = None, deadline: Deadline = plenty) -> Report:
        request = request or a_request()
        return self._kept(
            copy_backups(self.providers, self.copiers, self.records, self.plan, request, HOME, deadline)
        )

    def prune(self, request: Request | None = None, deadline: Deadline = plenty) -> Report:
        request = request or a_request()
        if self.people_know:
            self.records.forget(self.plan.name)
            self.records.tell(
                self.plan.name, LONG_AGO, dict.fromkeys(KINDS, self.plan.retention(HOME.region))
            )
        report = prune_backups(
            self.providers,
            self.copiers,
            {"dynamodb": self.holds},
            self.records,
            self.plan,
            request,
            HOME,
            deadline,
        )
        return self._kept(report)

    def publish(self, request: Request | None = None, *problems: str) -> Published:
        request = replace(request or a_request(), problems=problems)
        return publish_report(self.records, self.notifier, request, HOME)

    def _kept(self, report: Report) -> Report:
        if not report.dry_run:
            self.records.save(report)
        return report

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        """What a stage's function does with an event."""
        request = parse_request(
            payload, max(NIGHT, datetime.now(UTC)), also=("problems",) if stage is Stage.REPORT else ()
        )
        if request.plan != self.plan.name and stage is not Stage.REPORT:
            raise StageCrashed("there is no such plan")
        if stage is Stage.REPORT:
            published = self.publish(request, *request.problems)
            return published.report.to_dict() | {"subject": published.message.subject}
        run: Mapping[Stage, Callable[[Request], Report]] = {
            Stage.CREATE: self.create,
            Stage.COPY: self.copy,
            Stage.PRUNE: self.prune,
        }
        return run[stage](request).to_dict()

    def names(self, region: str = "") -> list[str]:
        """The ids of all backups that stand, sorted."""
        return sorted(one.id for one in self.cloud.standing(region=region))


def by_resource(report: Report) -> dict[str, Outcome]:
    """The outcomes, of which each resource has one, by the resource's own name."""
    found = {one.resource.replace("/", ":").rsplit(":", 1)[-1]: one for one in report.outcomes}
    assert len(found) == len(report.outcomes)
    return found


def of_action(report: Report, action: Action) -> list[Outcome]:
    return [one for one in report.outcomes if one.action is action]


class Meddled(FakeCopier):
    """A provider whose cloud changes right before the look that goes before a deletion."""

    def __init__(self, cloud: FakeCloud, kind: str, meddle: Callable[[], object]) -> None:
        super().__init__(cloud, kind)
        self._meddle: Callable[[], object] | None = meddle

    def backups(self, region: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        if source and self._meddle:
            meddle, self._meddle = self._meddle, None
            meddle()
        return list(super().backups(region, source, since))


class Surprising(FakeCopier):
    """A provider with a bug: it raises what no provider should."""

    def __init__(self, cloud: FakeCloud, kind: str, about: str) -> None:
        super().__init__(cloud, kind)
        self.about = about

    def create(self, resource: Resource, mark: Mark) -> Backup:
        if resource.arn == self.about:
            raise KeyError("a bug")
        return super().create(resource, mark)

    def copy(self, backup: Backup, region: str, mark: Mark, kms_key: str) -> Backup:
        if backup.source == self.about:
            raise KeyError("a bug")
        return super().copy(backup, region, mark, kms_key)

    def delete(self, backup: Backup) -> None:
        if backup.source == self.about:
            raise KeyError("a bug")
        super().delete(backup)


class Behind(FakeCopier):
    """A provider whose listing of a whole Region is older than what another sweep has just made there."""

    def __init__(self, cloud: FakeCloud, kind: str, region: str) -> None:
        super().__init__(cloud, kind)
        self._behind = region

    def backups(self, region: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        return list(super().backups(region, source, since)) if source or region != self._behind else []
