"""The check, with one thing that goes wrong with one of its calls, all the time; killed at any of them; and
with calls that take as long as they can. It never says of what it could not see that it is well, it changes
nothing but its own posture and page, and the run that asked has its message."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from holdfast.core.errors import HoldfastError
from holdfast.core.glance import Standing
from holdfast.core.posture import Health, Posture
from holdfast.core.report import Stage
from tests.faults.cases import Case, all_cases
from tests.faults.house import House
from tests.faults.sites import CHECK_SITES
from tests.faults.sites.site import Harm
from tests.faults.waiting import Waiting
from tests.faults.wire import Killed

pytestmark = pytest.mark.long

CASES = all_cases(CHECK_SITES)
type Healths = Mapping[tuple[str, str, str], Health]
FAIR_PART = list({case.site.id: case for number, case in enumerate(CASES) if number % 4 == 0}.values())
EVERY = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of a check: its posture or what it raised, and what the message is handed of it."""

    posture: Posture | None
    raised: HoldfastError | None
    handed: Mapping[str, Any]

    @property
    def healths(self) -> Healths:
        return {one.key: one.health for one in self.posture.protections} if self.posture else {}


@dataclass(frozen=True, slots=True)
class Plain:
    """A check that nothing happens to, and how many calls it takes."""

    looked: Looked
    calls: int


def look(house: House) -> Looked:
    """Any other error than Holdfast's own is none that a person could read, and ends the test."""
    try:
        posture, answer = house.check()
    except HoldfastError as error:
        return Looked(None, error, {"unchecked": str(error)})
    return Looked(posture, None, {"posture": answer["posture"]})


@pytest.fixture(scope="module")
def plain(house: House) -> Plain:
    house.restore(Stage.CHECK)
    looked = look(house)
    assert looked.posture is not None
    assert looked.posture.standing is Standing.OK, looked.posture.problems
    assert len(looked.healths) > 20
    assert set(looked.healths.values()) == {Health.OK}
    return Plain(looked, len(house.wire.calls))


def assert_told(house: House, looked: Looked) -> None:
    """The run's message goes out, and says what the check said."""
    before = len(house.messages())
    report = house.stage(Stage.REPORT, **looked.handed)
    assert len(house.messages()) == before + 1
    assert (report.glance is None) is (looked.posture is None)
    if looked.raised:
        assert any(str(looked.raised) in one for one in report.problems)


def check(house: House, plain: Plain, case: Case) -> None:
    site = case.site
    house.restore(Stage.CHECK)
    before = Counter(house.truth())
    rule = house.wire.add(site.fits(house), case.wrong.fault)
    house.wire.rules.insert(0, house.wire.rules.pop())
    looked = look(house)
    assert rule.met, f"{site.name} was not called"
    assert Counter(house.truth()) == before
    house.wire.clear()
    assert_told(house, looked)
    if site.harm is Harm.STAGE:
        assert looked.raised is not None
        assert case.wrong.told in str(looked.raised)
        return
    posture = looked.posture
    assert posture is not None, looked.raised
    if case.wrong.garbled and not posture.problems:  # nothing that was needed stood in what is left out
        assert looked.healths == plain.looked.healths
        return
    assert any(case.wrong.told in one for one in posture.problems), posture.problems
    assert posture.standing is not Standing.OK
    for line in posture.protections:
        unseen = line.kind in site.hurt and line.place == site.place
        assert line.health is (Health.UNKNOWN if unseen else Health.OK), line
    assert looked.healths.keys() == plain.looked.healths.keys(), "nothing is forgotten"


@pytest.mark.parametrize("case", FAIR_PART, ids=lambda case: case.id)
def test_what_a_check_cannot_see_it_does_not_call_well(house: House, plain: Plain, case: Case) -> None:
    check(house, plain, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_fault_of_any_call_makes_a_check_call_well_what_it_cannot_see(
    house: House, plain: Plain, case: Case
) -> None:
    check(house, plain, case)


def test_every_call_of_a_check_is_in_the_matrix(house: House, plain: Plain) -> None:
    house.restore(Stage.CHECK)
    house.check()
    sites = [site.fits(house) for site in CHECK_SITES]
    assert [call for call in house.wire.calls if not any(fits(call) for fits in sites)] == []


@pytest.mark.parametrize("every", [EVERY, pytest.param(1, marks=pytest.mark.slow)])
def test_a_check_that_ends_at_any_call_costs_nothing(house: House, plain: Plain, every: int) -> None:
    """Neither the message of the run that asked, nor the next check."""
    for number in range(1, plain.calls + 1, every):
        house.restore(Stage.CHECK)
        before = Counter(house.truth())
        rule = house.wire.kill_at(number, after=True)
        with pytest.raises(Killed):
            house.check()
        assert rule.met == 1
        house.wire.clear()
        assert_told(house, Looked(None, HoldfastError("Task timed out"), {"unchecked": "Task timed out"}))
        assert Counter(house.truth()) == before
        again = look(house)
        assert again.healths == plain.looked.healths, number
        assert again.posture is not None
        assert again.posture.standing is Standing.OK


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "crawls"])
@pytest.mark.parametrize(
    ("left", "every"), [(120.0, 12), (1.0, 12), pytest.param(900.0, 3, marks=pytest.mark.slow)]
)
def test_a_check_ends_before_lambda_ends_it_however_long_aws_takes(
    left: float, every: int, hangs: bool, house: House, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, plain.calls + 1, every):
        waiting = Waiting(house, Stage.CHECK, number, left, hangs)
        waiting.live(monkeypatch)
        assert waiting.seconds_left >= 0, number
        if hangs and waiting.answer:
            assert waiting.answer["standing"] != Standing.OK, number
