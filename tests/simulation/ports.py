"""The ports other than the cloud's own, behind the gate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Self

from holdfast.core.cost import Prices
from holdfast.core.errors import PlanError, ProviderError
from holdfast.core.holds import Hold
from holdfast.core.model import Plan, Retention
from holdfast.core.naming import parse_slot
from holdfast.core.posture import Drill, Posture
from holdfast.core.report import Report, Stage, carry_over
from holdfast.core.told import Told
from holdfast.ports import Message, StoredPlan
from holdfast.prices import load_prices
from tests.fakes import FakeHoldList, FakePostureStore, FakeRecords
from tests.simulation.gate import Gate, Process

LEASE = 20.0


@dataclass(slots=True)
class Plans:
    """The plans' documents. `broken` has those that cannot be used."""

    gate: Gate
    plans: dict[str, Plan] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def get(self, name: str) -> Plan:
        def effect() -> Plan:
            if name not in self.plans or name in self.broken:
                raise PlanError(name, ["keep: nothing is kept"])
            return self.plans[name]

        plan = self.gate.call("plans", name, effect)
        if self.gate.process:
            self.gate.process.plan = plan
        return plan

    def everyone(self) -> Sequence[StoredPlan]:
        return self.gate.call("everyone", "plans", lambda: list(map(self._stored, sorted(self.plans))))

    def _stored(self, name: str) -> StoredPlan:
        if name in self.broken:
            return StoredPlan(name=name, plan=None, problem="keep: nothing is kept")
        return StoredPlan(name=name, plan=self.plans[name])


class Records(FakeRecords):
    """The stages' records."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self._read: dict[str, tuple[object, Report | None]] = {}
        self.saved: Callable[[Report], None] = lambda _report: None

    def save(self, report: Report) -> str:
        def effect() -> str:
            earlier = self._parsed(report.plan, report.slot, report.stage)
            address = self.address(report.plan, report.slot, report.stage)
            self.documents[address] = carry_over(earlier, report).to_dict()
            self.saved(report)
            return address

        return self.gate.call("save", str(report.stage), effect)

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        return self.gate.call("load", str(stage), lambda: self._parsed(plan, slot, stage))

    def _parsed(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        """Each document is read once, to be quick."""
        address = self.address(plan, slot, stage)
        document = self.documents.get(address)
        if address not in self._read or self._read[address][0] is not document:
            self._read[address] = (document, FakeRecords.load(self, plan, slot, stage))
        return self._read[address][1]

    def told(self, plan: str) -> Mapping[str, Told]:
        return self.gate.call("told", plan, lambda: FakeRecords.told(self, plan))

    def tell(self, plan: str, slot: datetime, foretold: Mapping[str, Retention]) -> None:
        self.gate.call("tell", plan, lambda: FakeRecords.tell(self, plan, slot, foretold))

    def slots(self, plan: str, since: datetime) -> Sequence[datetime]:
        def effect() -> list[datetime]:
            texts = {str(one["slot"]) for one in self.documents.values() if one["plan"] == plan}
            return sorted(slot for slot in map(parse_slot, texts) if slot is not None and slot >= since)

        return self.gate.call("slots", plan, effect)


class Postures(FakePostureStore):
    """Postures. `kept` are those that are stored, by their instant, each with when it was."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.kept: dict[datetime, tuple[float, Posture]] = {}
        self._read: dict[datetime, tuple[object, Posture | None]] = {}

    def save(self, posture: Posture) -> str:
        def effect() -> str:
            self.kept[posture.at] = (self.gate.seconds, posture)
            return FakePostureStore.save(self, posture)

        return self.gate.call("keep", "posture", effect)

    def load(self, since: datetime, until: datetime) -> Posture | None:
        def effect() -> Posture | None:
            in_time = [at for at in self.rows if since <= at <= until]
            return self._parsed(max(in_time)) if in_time else None

        return self.gate.call("posture", "before", effect)

    def _parsed(self, at: datetime) -> Posture | None:
        """Each is read once, to be quick."""
        rows = self.rows[at]
        if at not in self._read or self._read[at][0] is not rows:
            self._read[at] = (rows, FakePostureStore.load(self, at, at))
        return self._read[at][1]

    def drills(self, since: datetime) -> Sequence[Drill]:
        return self.gate.call("drills", "all", lambda: FakePostureStore.drills(self, since))


@dataclass(slots=True)
class Page:
    """What people look at; `shown` is the newest."""

    gate: Gate
    shown: Posture | None = None
    address: str = "memory://page/index.html"

    def write(self, posture: Posture) -> None:
        def effect() -> None:
            self.shown = posture

        self.gate.call("page", "page", effect)


@dataclass(slots=True)
class PriceList:
    """Holdfast's own prices. Where a person's cannot be read it says so, and never raises."""

    gate: Gate

    def read(self) -> tuple[Prices, str]:
        try:
            return self.gate.call("prices", "prices", _prices), ""
        except ProviderError as error:
            return _prices(), str(error)


@cache
def _prices() -> Prices:
    return load_prices()


class HoldList(FakeHoldList):
    """The hold list of DynamoDB."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def read(self) -> Sequence[Hold]:
        process = self.gate.process
        if process:
            process.holds_unread = True
        found = self.gate.call("holds", self.place, lambda: FakeHoldList.read(self))
        if process:
            process.holds_unread = False
        return found


class Notifier:
    """What people were told, and by whom."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.messages: list[Message] = []
        self.published: Callable[[Message, Process], None] = lambda _message, _process: None

    def publish(self, message: Message) -> None:
        def effect() -> None:
            self.messages.append(message)
            if self.gate.process:
                self.published(message, self.gate.process)

        self.gate.call("publish", "topic", effect)


@dataclass(slots=True)
class _Turn:
    holder: Process
    until: float
    renewed: bool = True


@dataclass(slots=True)
class Turns:
    """Turns that end by themselves when their holder is dead, or could not renew them. `taken_by` is called
    with whoever takes one."""

    gate: Gate
    share_lost: float = 0.0
    taken_by: Callable[[Process], None] = lambda _process: None
    _had: dict[str, _Turn] = field(default_factory=dict)

    @contextmanager
    def taken(self, name: str) -> Iterator[Callable[[], bool]]:
        turn = self.gate.call("turns", name, lambda: self._take(name))
        if turn is None:
            yield lambda: False
            return
        try:
            yield lambda: self._is_ours(name, turn)
        finally:
            # One that is dead gives nothing back.
            if not turn.holder.dead and self._is_ours(name, turn):
                del self._had[name]

    def _take(self, name: str) -> _Turn | None:
        process = self.gate.process
        assert process is not None
        other = self._had.get(name)
        if other is not None:
            self._keep_up(other)
            if other.until > self.gate.seconds:
                return None
        turn = _Turn(process, self.gate.seconds + LEASE)
        if self.share_lost and self.gate.random.random() < self.share_lost:
            self.gate.fault("turn: cannot be renewed", name)
            turn.renewed = False
        self._had[name] = turn
        self.taken_by(process)
        return turn

    def _is_ours(self, name: str, turn: _Turn) -> bool:
        self._keep_up(turn)
        return self._had.get(name) is turn and self.gate.seconds < turn.until - LEASE / 3

    def _keep_up(self, turn: _Turn) -> None:
        """The holder renews its turn in the background for as long as it lives."""
        lives = not turn.holder.dead and self.gate.seconds <= turn.holder.ends_at
        if turn.renewed and lives:
            turn.until = self.gate.seconds + LEASE


class InTurn:
    """In the place of `ThreadPoolExecutor`: one after the other, in an order that the seed decides."""

    gate: Gate | None = None

    def __init__(self, max_workers: int) -> None:
        self._workers = max_workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def map[A, B](self, work: Callable[[A], B], things: Sequence[A]) -> list[B]:
        """The first that dies takes the others with it, as they die with the process."""
        order = list(range(len(things)))
        if self._workers > 1 and self.gate is not None:
            self.gate.random.shuffle(order)
        found = {number: work(things[number]) for number in order}
        return [found[number] for number in range(len(things))]
