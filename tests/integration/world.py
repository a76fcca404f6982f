"""Holdfast on a cloud in memory: the use cases wired to the fakes, as bootstrap wires them to AWS."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from threading import Lock

from holdfast.core.cost import Prices
from holdfast.core.errors import ProviderError, StageCrashed
from holdfast.core.gathered import glance_of
from holdfast.core.model import Backup, CheckRequest, CopySettings, Home, Mark, Plan, Request, Resource
from holdfast.core.naming import format_slot
from holdfast.core.posture import Posture
from holdfast.core.report import Action, Outcome, Report, Stage
from holdfast.core.usage import Usage
from holdfast.events import parse_check, parse_request
from holdfast.ports import (
    CheckPorts,
    Copier,
    CopyPorts,
    CreatePorts,
    Deadline,
    Grouper,
    Provider,
    PrunePorts,
    RecordPorts,
    ResourceQuery,
    StoredPlan,
)
from holdfast.prices import load_prices
from holdfast.usecases.check import check_recovery_points, keep_posture
from holdfast.usecases.copy import copy_backups
from holdfast.usecases.create import create_backups
from holdfast.usecases.prune import prune_backups
from holdfast.usecases.publish import Published, publish_report
from holdfast.usecases.record import record_settings
from tests.builders import HOME, NIGHT, a_plan, a_request
from tests.fakes import (
    KINDS,
    FakeCloud,
    FakeGrouper,
    FakeHoldList,
    FakeNotifier,
    FakePlans,
    FakePostureStore,
    FakeProvider,
    FakeQuotas,
    FakeReader,
    FakeRecords,
    FakeSettings,
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


class FakePage:
    """The port `PageStore`: keeps what was shown. `failing` makes each writing end with it."""

    address = "s3://reports/page/index.html"

    def __init__(self) -> None:
        self.shown: list[Posture] = []
        self.failing: ProviderError | None = None

    def write(self, posture: Posture) -> None:
        if self.failing:
            raise self.failing
        self.shown.append(posture)


class UsualPrices:
    """The port `PriceList`: Holdfast's own table. `mistake` is what is wrong with a person's."""

    def __init__(self) -> None:
        self.mistake = ""

    def read(self) -> tuple[Prices, str]:
        return _usual_prices(), self.mistake


@cache
def _usual_prices() -> Prices:
    return load_prices()


class StoredPlans(FakePlans):
    """The port `PlanStore` over plans as they are kept, those that cannot be used among them."""

    def __init__(self, stored: Iterable[StoredPlan]) -> None:
        self._stored = sorted(stored, key=lambda one: one.name)
        super().__init__(one.plan for one in self._stored if one.plan)

    def everyone(self) -> Sequence[StoredPlan]:
        return self._stored


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
    home: Home = HOME
    postures: FakePostureStore = field(default_factory=FakePostureStore)
    page: FakePage = field(default_factory=FakePage)
    prices: UsualPrices = field(default_factory=UsualPrices)
    readers: dict[str, FakeReader] = field(default_factory=dict)
    settings: FakeSettings = field(default_factory=FakeSettings)
    stored: list[StoredPlan] = field(default_factory=list)
    """All plans as they are kept, where there are others than `plan`."""

    def __post_init__(self) -> None:
        for kind in KINDS:
            self.providers.setdefault(kind, provider_for(self.cloud, kind))
            self.readers.setdefault(kind, FakeReader(self.cloud, kind))

    @property
    def copiers(self) -> Mapping[str, Copier]:
        return {kind: one for kind, one in self.providers.items() if isinstance(one, FakeProvider)}

    @property
    def groupers(self) -> Mapping[str, Grouper]:
        return {kind: one for kind, one in self.providers.items() if isinstance(one, FakeGrouper)}

    @property
    def quotas(self) -> FakeQuotas:
        return FakeQuotas(self.cloud)

    @property
    def copy_ports(self) -> CopyPorts:
        return CopyPorts(
            providers=self.providers,
            copiers=self.copiers,
            records=self.records,
            turns=self.turns,
            quotas=self.quotas,
        )

    @property
    def plans(self) -> FakePlans:
        return StoredPlans(self.stored) if self.stored else FakePlans([self.plan])

    @property
    def check_ports(self) -> CheckPorts:
        return CheckPorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists={"dynamodb": self.holds},
            plans=self.plans,
            records=self.records,
            postures=self.postures,
            page=self.page,
            prices=self.prices,
            quotas=self.quotas,
        )

    def create(
        self, request: Request | None = None, deadline: Deadline = plenty, home: Home | None = None
    ) -> Report:
        request = request or a_request()
        ports = CreatePorts(
            providers=self.providers, groupers=self.groupers, turns=self.turns, quotas=self.quotas
        )
        return self._kept(create_backups(ports, self.plan, request, home or self.home, deadline))

    def copy(self, request: Request | None = None, deadline: Deadline = plenty) -> Report:
        report = copy_backups(self.copy_ports, self.plan, request or a_request(), self.home, deadline)
        assert report is not None
        return self._kept(report)

    def hint(self, now: datetime = NIGHT, deadline: Deadline = plenty) -> Report | None:
        """What the copy function does when AWS tells that a backup is done."""
        request = Request(plan=self.plan.name, slot=now, hint=True)
        report = copy_backups(self.copy_ports, self.plan, request, self.home, deadline)
        return self._kept(report) if report else None

    def prune(self, request: Request | None = None, deadline: Deadline = plenty) -> Report:
        request = request or a_request()
        if self.people_know:
            self.records.forget(self.plan.name)
            self.records.tell(
                self.plan.name, LONG_AGO, dict.fromkeys(KINDS, self.plan.retention(self.home.region))
            )
        ports = PrunePorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists={"dynamodb": self.holds},
            records=self.records,
            quotas=self.quotas,
        )
        report = prune_backups(ports, self.plan, request, self.home, deadline)
        return self._kept(report)

    def record(
        self, request: Request | None = None, deadline: Deadline = plenty, now: datetime = NIGHT
    ) -> dict[str, object]:
        ports = RecordPorts(providers=self.providers, restorers=self.readers, settings=self.settings)  # type: ignore[arg-type]
        return record_settings(ports, self.plan, request or a_request(), self.home, now, deadline)

    def publish(self, request: Request | None = None, *problems: str) -> Published:
        request = replace(request or a_request(), problems=problems)
        return publish_report(self.records, self.notifier, request, self.home)

    def check(self, at: datetime = NIGHT, plan: str = "", slot: datetime | None = None) -> Posture:
        """How everything stands; `plan` and `slot` are those of the run that asks, if one does."""
        return self._checked(CheckRequest(at=at, plan=plan, slot=slot))

    def _checked(self, request: CheckRequest) -> Posture:
        ports = self.check_ports
        return keep_posture(ports, check_recovery_points(ports, request, self.home, Usage))

    def run(self, slot: datetime = NIGHT) -> Posture:
        """A whole night, its stages one after the other; the posture that its message tells of."""
        request = a_request(slot)
        for stage in (self.create, self.copy, self.prune):
            stage(request)
        posture = self.check(slot, self.plan.name, slot)
        self.publish(request)
        return posture

    def _kept(self, report: Report) -> Report:
        if not report.dry_run:
            self.records.save(report)
        return report

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        """What a stage's function does with an event."""
        now = max(NIGHT, datetime.now(UTC))
        if stage is Stage.CHECK:
            return self._answer(parse_check({"at": payload["slot"], **payload}, now))
        also = ("problems", "posture", "unchecked") if stage is Stage.REPORT else ()
        request = parse_request(payload, now, also)
        if request.plan != self.plan.name and stage is not Stage.REPORT:
            raise StageCrashed("there is no such plan")
        if stage is Stage.SETTINGS:
            return self.record(request)
        if stage is Stage.REPORT:
            published = self.publish(request, *request.problems)
            return published.report.to_dict() | {"subject": published.message.subject}
        run: Mapping[Stage, Callable[[Request], Report]] = {
            Stage.CREATE: self.create,
            Stage.COPY: self.copy,
            Stage.PRUNE: self.prune,
        }
        return run[stage](request).to_dict()

    def _answer(self, request: CheckRequest) -> dict[str, object]:
        posture = self._checked(request)
        glance = glance_of(posture, request.plan, self.page.address)
        return {"at": format_slot(posture.at), "posture": glance.to_dict()}

    def names(self, place: str = "") -> list[str]:
        """The names of all backups that stand, sorted."""
        return sorted(self.cloud.names(place))


def by_resource(report: Report) -> dict[str, Outcome]:
    """The outcomes, of which each resource has one, by the resource's own name."""
    found = {one.resource.replace("/", ":").rsplit(":", 1)[-1]: one for one in report.outcomes}
    assert len(found) == len(report.outcomes)
    return found


def of_action(report: Report, action: Action) -> list[Outcome]:
    return [one for one in report.outcomes if one.action is action]


class Meddled(FakeProvider):
    """A provider whose cloud changes right before the look that goes before a deletion."""

    def __init__(self, cloud: FakeCloud, kind: str, meddle: Callable[[], object]) -> None:
        super().__init__(cloud, kind)
        self._meddle: Callable[[], object] | None = meddle

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        if source and self._meddle:
            meddle, self._meddle = self._meddle, None
            meddle()
        return list(super().backups(place, source, since))


class Surprising(FakeProvider):
    """A provider with a bug: it raises what no provider should."""

    def __init__(self, cloud: FakeCloud, kind: str, about: str) -> None:
        super().__init__(cloud, kind)
        self.about = about

    def create(self, resource: Resource, mark: Mark) -> Backup:
        if resource.arn == self.about:
            raise KeyError("a bug")
        return super().create(resource, mark)

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        if backup.source == self.about:
            raise KeyError("a bug")
        return super().copy(backup, place, mark, settings)

    def delete(self, backup: Backup) -> None:
        if backup.source == self.about:
            raise KeyError("a bug")
        super().delete(backup)


class Overlapping(FakeGrouper):
    """A provider whose pages overlap: what stands where one ends is on the next one as well."""

    def resources(self, query: ResourceQuery) -> list[Resource]:
        found = list(super().resources(query))
        return [*found, *found[:1]]

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        found = list(super().backups(place, source, since))
        return [*found, *found[:1]]


class Behind(FakeProvider):
    """A provider whose listing of a whole Region is older than what another sweep has just made there."""

    def __init__(self, cloud: FakeCloud, kind: str, region: str) -> None:
        super().__init__(cloud, kind)
        self._behind = region

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        return list(super().backups(place, source, since)) if source or place != self._behind else []
