"""One deployment of Holdfast in the simulation: its stages as the handlers run them, and its durable runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from holdfast.core.errors import RunFailed, StageCrashed
from holdfast.core.gathered import glance_of
from holdfast.core.model import Home, Request
from holdfast.core.naming import format_slot
from holdfast.core.posture import Posture
from holdfast.core.report import Report, Stage
from holdfast.core.usage import Usage
from holdfast.events import parse_check, parse_request
from holdfast.ports import (
    CheckPorts,
    Copier,
    CopyPorts,
    CreatePorts,
    Grouper,
    Provider,
    PrunePorts,
    RecordPorts,
)
from holdfast.stage import MOST_OUTCOMES
from holdfast.usecases.check import check_recovery_points, keep_posture
from holdfast.usecases.copy import copy_backups
from holdfast.usecases.create import create_backups
from holdfast.usecases.prune import prune_backups
from holdfast.usecases.publish import publish_report
from holdfast.usecases.record import record_settings
from holdfast.usecases.run import run_plan
from tests.fakes import KINDS, FakeGrouper, FakeProvider, FakeQuotas, FakeReader, FakeSettings, provider_for
from tests.simulation.cloud import FromWithin, SimulatedCloud
from tests.simulation.gate import Gate, Killed, Process
from tests.simulation.ports import HoldList, Notifier, Page, Plans, Postures, PriceList, Records, Turns

FAR = 1e12
_MORE_KEYS = {
    Stage.CREATE: (),
    Stage.COPY: ("hint",),
    Stage.PRUNE: ("approve",),
    Stage.SETTINGS: (),
    Stage.REPORT: ("problems", "posture", "unchecked"),
}


@dataclass(slots=True, kw_only=True)
class Deployment:
    """`where` names it. With `inside` it stands in that other account, and its Regions are that one's.

    `underway` has the plan and slot of each run that goes on, `twice` those of which two ever did at once.
    `checked` is told of each posture that was found, and `answered` has what the checks answered.
    """

    where: str
    home: Home
    gate: Gate
    cloud: SimulatedCloud
    inside: str = ""
    underway: list[tuple[str, str]] = field(default_factory=list)
    twice: set[tuple[str, str]] = field(default_factory=set)
    checked: Callable[[Posture, Process], None] = lambda _posture, _process: None
    answered: list[object] = field(default_factory=list)
    plans: Plans = field(init=False)
    records: Records = field(init=False)
    turns: Turns = field(init=False)
    notifier: Notifier = field(init=False)
    holds: HoldList = field(init=False)
    postures: Postures = field(init=False)
    page: Page = field(init=False)
    providers: dict[str, Provider] = field(init=False)
    settings: FakeSettings = field(default_factory=FakeSettings)

    def __post_init__(self) -> None:
        self.plans, self.records, self.turns = Plans(self.gate), Records(self.gate), Turns(self.gate)
        self.turns.taken_by = self.cloud.catch_up
        self.notifier, self.holds = Notifier(self.gate), HoldList(self.gate)
        self.postures, self.page = Postures(self.gate), Page(self.gate)
        made: Callable[[str], Provider] = lambda kind: provider_for(self.cloud, kind)  # noqa: E731
        if self.inside:
            made = lambda kind: FromWithin(self.cloud, kind, self.inside)  # noqa: E731
        self.providers = {kind: made(kind) for kind in KINDS}

    @property
    def copiers(self) -> Mapping[str, Copier]:
        return {kind: one for kind, one in self.providers.items() if isinstance(one, FakeProvider)}

    @property
    def groupers(self) -> Mapping[str, Grouper]:
        return {kind: one for kind, one in self.providers.items() if isinstance(one, FakeGrouper)}

    # --- the stages' functions

    def invoke(
        self,
        stage: Stage,
        event: Mapping[str, object],
        approved: frozenset[str] = frozenset(),
    ) -> dict[str, object]:
        """What a stage's function does with an event. Raises `StageCrashed` when it raised or died."""
        with self.gate.within(str(stage)) as process:
            process.approved = approved
            self._begin(process)
            try:
                return self._handle(stage, event, process)
            except Killed as death:
                if death.process is not process:
                    raise
                raise StageCrashed("Task timed out after 900.00 seconds") from death
            except Exception as error:
                self.gate.note(f"raised {error!r}")
                raise StageCrashed(repr(error)) from error

    def _begin(self, process: Process) -> None:
        process.where, process.stack, process.home = self.where, self.home.stack, self.home
        self.cloud.catch_up(process)

    def _handle(self, stage: Stage, event: Mapping[str, object], process: Process) -> dict[str, object]:
        if stage is Stage.CHECK:
            return self._check(event, process)
        request = parse_request(event, self._clock_of(process), also=_MORE_KEYS[stage], run="by-itself")
        process.request = request
        self.gate.note(f"begins {dict(event)}")
        if stage is Stage.REPORT:
            published = publish_report(self.records, self.notifier, request, self.home)
            summary = published.report.to_dict(most=MOST_OUTCOMES)
            return summary | {"subject": published.message.subject, "sent": published.sent}
        if stage is Stage.SETTINGS:
            return self._record(request, process)
        report = self._sweep(stage, request, process)
        if report is None:
            return {"plan": request.plan, "hint": "nothing to do now"}
        summary = report.to_dict(most=MOST_OUTCOMES)
        self.gate.note(f"ends {summary['status']} {summary['counts']}")
        return summary if report.dry_run else summary | {"record": self.records.save(report)}

    def _check(self, event: Mapping[str, object], process: Process) -> dict[str, object]:
        request = parse_check(event, self._clock_of(process), run="by-itself")
        self.gate.note(f"begins {dict(event)}")
        ports = CheckPorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists={"dynamodb": self.holds},
            plans=self.plans,
            records=self.records,
            postures=self.postures,
            page=self.page,
            prices=PriceList(self.gate),
            quotas=FakeQuotas(self.cloud),
        )
        posture = check_recovery_points(ports, request, self.home, Usage)
        self.checked(posture, process)
        posture = keep_posture(ports, posture)
        if self.gate.trace is not None:
            lines = [(one.key, str(one.health)) for one in posture.protections]
            self.gate.note(f"ends {posture.standing} {lines}")
        glance = glance_of(posture, request.plan, self.page.address).to_dict()
        self.answered.append(glance)
        return {"at": format_slot(posture.at), "standing": str(posture.standing), "posture": glance}

    def _record(self, request: Request, process: Process) -> dict[str, object]:
        readers = {kind: FakeReader(self.cloud, kind) for kind in KINDS}
        ports = RecordPorts(providers=self.providers, restorers=readers, settings=self.settings)  # type: ignore[arg-type]
        plan, now = self.plans.get(request.plan), self._clock_of(process)
        return record_settings(ports, plan, request, self.home, now, self.gate.deadline(process))

    def _clock_of(self, process: Process) -> datetime:
        return (self.gate.now + timedelta(seconds=process.skew)).astimezone(UTC)

    def _sweep(self, stage: Stage, request: Request, process: Process) -> Report | None:
        plan = self.plans.get(request.plan)
        deadline, quotas = self.gate.deadline(process), FakeQuotas(self.cloud)
        if stage is Stage.CREATE:
            return create_backups(
                CreatePorts(
                    providers=self.providers, groupers=self.groupers, turns=self.turns, quotas=quotas
                ),
                plan,
                request,
                self.home,
                deadline,
            )
        if stage is Stage.COPY:
            ports = CopyPorts(
                providers=self.providers,
                copiers=self.copiers,
                records=self.records,
                turns=self.turns,
                quotas=quotas,
            )
            return copy_backups(ports, plan, request, self.home, deadline)
        prune_ports = PrunePorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists={"dynamodb": self.holds},
            records=self.records,
            quotas=quotas,
        )
        return prune_backups(prune_ports, plan, request, self.home, deadline)


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A durable run: what it has done is remembered, and replayed when it goes on after a death.

    `between` lets others act while it waits. `deaths` is how often it may die: AWS starts it again each time.
    `crash_at` is the number of the one remembered call at which it dies, before its effect or after.
    """

    deployment: Deployment
    event: Mapping[str, object]
    between: Callable[[], None] = lambda: None
    deaths: int = 4
    crash_at: int = -1
    late: bool = False
    remembered: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    ended: str = ""
    _position: int = 0

    def run(self) -> str:
        """To its end, as often as it dies. How it ended: `ok`, `failed` after its message, or `crashed`."""
        this, underway = (str(self.event["plan"]), str(self.event["slot"])), self.deployment.underway
        if this in underway:
            self.deployment.twice.add(this)
        underway.append(this)
        try:
            return self._to_its_end()
        finally:
            underway.remove(this)

    def _to_its_end(self) -> str:
        while True:
            self._position = 0
            with self.deployment.gate.within("run", lifetime=FAR) as process:
                try:
                    self._run()
                except Killed as death:
                    if death.process is not process:
                        raise
                    continue
                except RunFailed:
                    self.ended = "failed"
                except StageCrashed:
                    self.ended = "crashed"
                except Exception as error:  # noqa: BLE001  Lambda ends it as failed, whatever it is
                    self.deployment.gate.note(f"the run raised {error!r}")
                    self.ended = "crashed"
                return self.ended

    def _run(self) -> None:
        process = self.deployment.gate.process
        assert process is not None
        number = process.number
        started = self._once(
            "started", lambda: {"at": self.deployment.gate.now.isoformat(), "run": f"run-{number}"}
        )
        now = datetime.fromisoformat(str(started["at"]))
        request = parse_request(self.event, now, also=("at",), run=str(started["run"]))
        process.request = request
        run_plan(self, self.deployment.plans, request)
        self.ended = "ok"

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        return self._once(f"step {name}", work)

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        def call() -> dict[str, object]:
            try:
                return {"answer": self.deployment.invoke(stage, payload)}
            except StageCrashed as error:
                return {"crash": str(error)}

        result = self._once(f"invoke {stage}", call)
        if "crash" in result:
            raise StageCrashed(str(result["crash"]))
        answer = result["answer"]
        assert isinstance(answer, dict)
        return answer

    def wait(self, seconds: int) -> None:
        def work() -> dict[str, object]:
            self.deployment.gate.seconds += seconds
            self.between()
            return {}

        self._once("wait", work)

    def _once(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        number, self._position = self._position, self._position + 1
        if number < len(self.remembered):
            then, result = self.remembered[number]
            assert then == name, f"call {number} was {then} and is {name} when replayed"
            return result
        gate = self.deployment.gate
        dies, late = self._dies(number)
        if dies and not late:
            self._die()
        result = work()
        if dies:
            self._die()
        self.remembered.append((name, result))
        gate.note(f"remembers {name}")
        return result

    def _dies(self, number: int) -> tuple[bool, bool]:
        if number == self.crash_at:
            self.crash_at = -1
            return True, self.late
        gate = self.deployment.gate
        if self.deaths and gate.odds.death and gate.random.random() < 3 * gate.odds.death:
            self.deaths -= 1
            return True, gate.random.random() < 0.5
        return False, False

    def _die(self) -> None:
        gate = self.deployment.gate
        process = gate.process
        assert process is not None
        gate.fault("crash of the run", f"at {self._position}")
        process.dead = True
        raise Killed(process)


def event_for(plan: str, slot: datetime, **more: object) -> dict[str, object]:
    """The event of a stage or a run."""
    return {"plan": plan, "slot": format_slot(slot), **more}
