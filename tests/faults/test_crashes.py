"""A stage that ends at any of its calls, before its effect or after it, and is started again: what stands in
the end is what would stand without, and nothing is unsafe in between.

A crash between two writes leaves the same as one at any read between them. So the usual tests end a stage
behind each kind of write, and the long ones at each single call.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from aws_durable_execution_sdk_python.lambda_service import InvocationStatus
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult

from holdfast.adapters.durable import DurableRun
from holdfast.adapters.patience import RECORD_SECONDS
from holdfast.bootstrap import App
from holdfast.core.report import Report, Stage, Status
from holdfast.usecases.sweep import STOP_BEFORE_SECONDS
from tests.faults.durable import run
from tests.faults.house import NIGHT, STAGES, House
from tests.faults.truth import Standing
from tests.faults.waiting import Waiting
from tests.faults.wire import Call, Killed

pytestmark = pytest.mark.long

WRITES = ("Create", "Copy", "Delete", "Export", "Modify", "Publish", "Put")
MINIMUM = 2
EVERY = 4
UNCHECKED = frozenset({"Holdfast nightly: PARTIAL"})
TODAY = 1 + NIGHT.toordinal() % EVERY
"""Of the whole run the long tests take each fourth call, and others tomorrow: `TODAY` is the first."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A stage that nothing happens to: its calls, what stands before and after it, its record, and the
    messages that were sent by then."""

    calls: tuple[Call, ...]
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]
    report: Report
    messages: tuple[str, ...]


def undisturbed(house: House, stage: Stage) -> Undisturbed:
    house.restore(stage)
    before = tuple(house.truth())
    house.stage(stage)
    calls = tuple(house.wire.calls)
    house.sweeps(stage)
    return Undisturbed(calls, before, tuple(house.truth()), recorded(house, stage), tuple(house.messages()))


def recorded(house: House, stage: Stage) -> Report:
    """The record of the stage, joined from all of its sweeps."""
    record = house.app().records.load("nightly", NIGHT, stage)
    assert record is not None
    return record


@pytest.fixture(scope="module", params=STAGES)
def usual(request: pytest.FixtureRequest, house: House) -> tuple[Stage, Undisturbed]:
    """Each stage, and how it goes when nothing happens to it."""
    return request.param, undisturbed(house, request.param)


def told(report: Report) -> Counter[tuple[str, ...]]:
    """What a report says became of what, however it came to know."""
    return Counter((one.action, one.state, one.kind, one.resource, one.region) for one in report.outcomes)


def assert_safe(was: Undisturbed, standing: list[Standing], stage: Stage) -> None:
    """Nothing twice, and nothing gone that should stand."""
    ours = Counter(one.what for one in standing if one.slot)
    twice = [what for what, number in ours.items() if number > 1]
    assert not twice
    gone = {one.id for one in was.before} - {one.id for one in standing}
    if stage is not Stage.PRUNE:
        assert not gone
        return
    assert gone <= {one.id for one in was.before} - {one.id for one in was.after}
    left = Counter((one.kind, one.place, one.source) for one in standing if one.whole)
    before = Counter((one.kind, one.place, one.source) for one in was.before if one.whole)
    assert all(left[key] >= min(MINIMUM, number) for key, number in before.items())


def crash(house: House, stage: Stage, was: Undisturbed, number: int, *, after: bool) -> None:
    """End the stage at that call, look at what it left, start it again, and look at the end."""
    house.restore(stage)
    rule = house.wire.kill_at(number, after=after)
    with pytest.raises(Killed):
        house.stage(stage)
    assert rule.met == 1
    assert_safe(was, house.truth(), stage)
    house.wire.clear()
    house.sweeps(stage)
    standing = house.truth()
    assert_safe(was, standing, stage)
    assert Counter((one.what, one.whole) for one in standing) == Counter(
        (one.what, one.whole) for one in was.after
    )
    record = recorded(house, stage)
    assert record.status is Status.OK
    assert not record.unfinished
    assert told(record) == told(was.report)
    assert house.messages() == [*was.messages, *again(was, number, after=after)]


def again(was: Undisturbed, number: int, *, after: bool) -> tuple[str, ...]:
    """The message that goes out a second time: when the stage that tells ends between the message and its
    record. Better told twice than never."""
    names = [one.name for one in was.calls[: number if after else number - 1]]
    return was.messages[-1:] if "sns.Publish" in names and "s3.PutObject" not in names else ()


def kinds_of_writes(calls: tuple[Call, ...]) -> list[int]:
    """The numbers of the writes in the middle of those of their kind."""
    kinds: dict[str, list[int]] = {}
    for number, one in enumerate(calls, 1):
        for kind in WRITES:
            if one.operation.startswith(kind):
                kinds.setdefault(kind, []).append(number)
    return sorted(numbers[len(numbers) // 2] for numbers in kinds.values())


def test_a_stage_that_ends_behind_any_kind_of_write_is_finished_by_the_next_sweep(
    usual: tuple[Stage, Undisturbed], house: House
) -> None:
    stage, was = usual
    numbers = kinds_of_writes(was.calls)
    assert numbers
    for number in numbers:
        crash(house, stage, was, number, after=True)


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_a_stage_that_ends_at_any_call_is_finished_by_the_next_sweep(
    usual: tuple[Stage, Undisturbed], half: int, house: House
) -> None:
    """An end before a call leaves what one behind the call before it leaves."""
    stage, was = usual
    if half == 0:
        crash(house, stage, was, 1, after=False)
    for number in range(1 + half, len(was.calls) + 1, 2):
        crash(house, stage, was, number, after=True)


# --- the whole run -----------------------------------------------------------------------------------------


@dataclass
class HouseNight:
    """A whole run in the house: each invocation is a process of its own. `unchecked`: the check was ended."""

    house: House
    unchecked: bool = False

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        self.house.wire.dead = False
        if stage is not Stage.CHECK:
            return self.house._invoked(stage, payload)[1]
        self.unchecked = True
        answer = self.house._checked(payload)[1]
        self.unchecked = False
        return answer

    def live(self, patch: pytest.MonkeyPatch) -> DurableFunctionTestResult:
        wait = DurableRun.wait

        def waited(durable: DurableRun, seconds: int) -> None:
            wait(durable, seconds)
            self.house.let_time_pass()

        with patch.context() as within:
            within.setattr(DurableRun, "wait", waited)
            return run(within, self.app, self.invoke, f"{NIGHT:%Y-%m-%dT%H:%M:%SZ}")

    def app(self) -> App:
        self.house.wire.dead = False
        return self.house.app()


@dataclass(frozen=True, slots=True)
class UndisturbedRun:
    """A run that nothing happens to: its calls, what stands after it, how many messages were sent before, and
    those of the run."""

    calls: tuple[Call, ...]
    after: Counter[tuple[object, ...]]
    told_before: int
    messages: frozenset[str]


@pytest.fixture(scope="module")
def usual_run(house: House) -> UndisturbedRun:
    house.restore(Stage.CREATE)
    before = len(house.messages())
    night = HouseNight(house)
    with pytest.MonkeyPatch.context() as patch:
        assert night.live(patch).status is InvocationStatus.SUCCEEDED
    return UndisturbedRun(
        tuple(house.wire.calls),
        all_of(house),
        before,
        told_first(house.messages()[before:]),
    )


def all_of(house: House) -> Counter[tuple[object, ...]]:
    return Counter((one.what, one.whole) for one in house.truth())


def told_first(messages: list[str]) -> frozenset[str]:
    """What comes first in the subjects: the status. How long the run took is no matter."""
    return frozenset(one.partition(", ")[0] for one in messages)


@pytest.mark.slow
@pytest.mark.parametrize("first", [TODAY, TODAY + EVERY], ids=["some", "others"])
def test_a_run_of_which_a_stage_ends_at_a_call_comes_to_the_same_end(
    first: int, usual_run: UndisturbedRun, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for a check that ends: nobody waits for it, and the message tells that."""
    for call in usual_run.calls[first - 1 :: 2 * EVERY]:
        house.restore(Stage.CREATE)
        rule, night = house.wire.kill_at(call.number, after=True), HouseNight(house)
        result = night.live(monkeypatch)
        assert rule.met == 1
        ends_as = InvocationStatus.FAILED if night.unchecked else InvocationStatus.SUCCEEDED
        assert result.status is ends_as, call
        assert all_of(house) == usual_run.after, call
        told = house.messages()[usual_run.told_before :]
        assert len(told) == (2 if call.name == "sns.Publish" else 1), call
        assert told_first(told) == (UNCHECKED if night.unchecked else usual_run.messages), call


# --- waiting -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "crawls"])
@pytest.mark.parametrize(
    ("left", "every"),
    [
        (STOP_BEFORE_SECONDS, 0),
        pytest.param(900.0, 3, marks=pytest.mark.slow),
        pytest.param(STOP_BEFORE_SECONDS, 3, marks=pytest.mark.slow),
        pytest.param(RECORD_SECONDS + 1, 3, marks=pytest.mark.slow),
    ],
)
def test_a_function_ends_before_lambda_ends_it_however_long_aws_takes(
    left: float,
    every: int,
    hangs: bool,
    usual: tuple[Stage, Undisturbed],
    house: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From each third call on (without `every`, from the one in the middle), with any time left. While AWS
    answers, whatever was done is in the record."""
    stage, was = usual
    numbers = range(2, len(was.calls) + 1, every) if every else [len(was.calls) // 2]
    for number in numbers:
        waiting = Waiting(house, stage, number, left, hangs)
        waiting.live(monkeypatch)
        assert waiting.seconds_left >= 0, number
        assert_safe(was, house.truth(), stage)
        if not hangs and Counter(house.truth()) != Counter(was.before):
            assert waiting.answer["record"], number
