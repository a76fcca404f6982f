"""An alarm rings when a backup is missing, even if Holdfast itself is dead, and is silent while all is well.

Days of nightly runs and hourly checks in memory. What they print as metrics is read as CloudWatch reads it,
and given to the template's own alarms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aws_lambda_powertools import Logger

from holdfast.core.cost import Prices
from holdfast.core.errors import Throttled
from holdfast.core.model import CheckRequest, CopyRule, KeepPolicy
from holdfast.core.posture import Posture
from holdfast.core.usage import Usage
from holdfast.gauges import count_run
from holdfast.ports import CheckPorts, StoredPlan
from holdfast.prices import load_prices
from holdfast.telemetry import tell_posture
from holdfast.usecases.check import check_recovery_points, keep_posture
from local.alarms import Alarm, AlarmState, Change, Point, alarm_from, first_ring, follow, points
from tests.builders import DATABASE, TAGS, a_plan, a_request
from tests.fakes import AWAY, FakePlans, FakePostureStore
from tests.integration.world import World
from tests.unit.test_template import STACK, Stack

pytestmark = pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEPLOYED = datetime(2026, 11, 9, 14, 17, tzinfo=UTC)
FIRST_NIGHT = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
RPO = timedelta(hours=26)
"""The template's default, and the sample plan's."""

SEEN_LATE = timedelta(minutes=3)
"""How long after its instant a check's metrics may be seen: it has to run, and CloudWatch to read its log."""

TWO_CHECKS = 2 * HOUR + timedelta(minutes=10)
"""What the alarms take until two checks in a row have seen it."""


class Plans(FakePlans):
    """Plans that were deployed with the stack."""

    def everyone(self) -> Sequence[StoredPlan]:
        return [StoredPlan(name=one.name, plan=one.plan, changed=DEPLOYED) for one in super().everyone()]


class NoPage:
    address = "s3://reports/page/index.html"

    def write(self, posture: Posture) -> None:
        pass


class UsualPrices:
    def read(self) -> tuple[Prices, str]:
        return load_prices(), ""


@dataclass
class House:
    """A deployment whose nights and hours pass. What it printed is in `told`."""

    read: Callable[[], str]
    world: World
    postures: FakePostureStore = field(default_factory=FakePostureStore)
    told: list[Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ports = CheckPorts(
            providers=self.world.providers,
            copiers=self.world.copiers,
            hold_lists={"dynamodb": self.world.holds},
            plans=Plans([self.world.plan]),
            records=self.world.records,
            postures=self.postures,
            page=NoPage(),
            prices=UsualPrices(),
            quotas=self.world.quotas,
        )

    def check(self, request: CheckRequest) -> None:
        posture = check_recovery_points(self.ports, request, self.world.home, Usage)
        tell_posture(keep_posture(self.ports, posture), Logger())
        self.told += points(self.read().splitlines())

    def run(self, slot: datetime) -> None:
        request = a_request(slot)
        self.world.create(request)
        self.world.copy(request)
        self.world.prune(request)
        self.check(CheckRequest(at=slot + timedelta(minutes=24), plan="nightly", slot=slot))
        self.world.publish(request)

    def live(
        self,
        days: float,
        *,
        runs: Callable[[datetime], bool] = lambda _: True,
        checks: Callable[[datetime], bool] = lambda _: True,
    ) -> datetime:
        """Let days pass since the deployment, with the runs and checks of those instants. Returns the end."""
        nights = [(FIRST_NIGHT + night * DAY, self.run, runs) for night in range(int(days) + 1)]
        hours = [(DEPLOYED + hour * HOUR, self._check_at, checks) for hour in range(int(days * 24))]
        until = DEPLOYED + days * DAY
        for at, act, comes in sorted([*nights, *hours], key=lambda one: one[0]):
            if at < until and comes(at):
                act(at)
        return until

    def _check_at(self, at: datetime) -> None:
        self.check(CheckRequest(at=at))


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", STACK)
    rule = CopyRule(region=AWAY, keep=KeepPolicy(daily=2, minimum=1))
    world = World(plan=a_plan(copies=(rule,)))
    world.cloud.add_resource("rds", "orders", TAGS)
    world.cloud.add_resource("dynamodb", "carts", TAGS)
    return House(read=lambda: capsys.readouterr().out, world=world)


def alarm(name: str, **given: str) -> Alarm:
    return alarm_from(Stack(given=given).resource(name))


def changes(name: str, house: House, until: datetime, **more: int) -> list[Change]:
    """What an alarm of the template does, from its deployment on."""
    return follow(
        alarm(name), house.told, DEPLOYED, until, every=timedelta(minutes=10), late=SEEN_LATE, **more
    )


def states(found: Iterable[Change]) -> list[AlarmState]:
    return [one.state for one in found]


BY_METRICS_OF_CHECKS = ("RecoveryPointsAlarm", "RunOverdueAlarm")


@pytest.mark.parametrize("days", [2, pytest.param(10, marks=pytest.mark.long)])
def test_in_calm_days_none_rings_the_first_hours_included(house: House, days: int) -> None:
    until = house.live(days)
    for name in BY_METRICS_OF_CHECKS:
        assert states(changes(name, house, until)) == [AlarmState.OK], name


class TestTheRunsScheduleDies:
    def test_both_ring_within_hours_of_the_rpo_and_end_with_the_next_run(self, house: House) -> None:
        last, back = FIRST_NIGHT, FIRST_NIGHT + 2 * DAY
        until = house.live(3, runs=lambda at: at <= last or at >= back)
        for name in BY_METRICS_OF_CHECKS:
            found = changes(name, house, until)
            assert states(found) == [AlarmState.OK, AlarmState.ALARM, AlarmState.OK], name
            assert RPO < found[1].at - last <= RPO + TWO_CHECKS, name
            assert back < found[2].at <= back + TWO_CHECKS, name

    @pytest.mark.long
    def test_they_stay_as_long_as_it_lasts(self, house: House) -> None:
        until = house.live(9, runs=lambda at: at <= FIRST_NIGHT + 2 * DAY)
        for name in BY_METRICS_OF_CHECKS:
            assert states(changes(name, house, until)) == [AlarmState.OK, AlarmState.ALARM], name


class TestEverythingDies:
    def test_silence_rings_whatever_the_number_of_periods_that_cloudwatch_looks_at(
        self, house: House
    ) -> None:
        dead = DEPLOYED + DAY
        until = house.live(2, runs=lambda at: at < dead, checks=lambda at: at < dead)
        last = max(one.at for one in house.told)
        for more in range(4):
            ring = first_ring(changes("RunOverdueAlarm", house, until, more=more), DEPLOYED)
            assert ring is not None
            assert (1 + more) * HOUR < ring - last <= (2 + more) * HOUR + timedelta(minutes=10)

    @pytest.mark.long
    def test_what_was_found_before_stays_told(self, house: House) -> None:
        dead = FIRST_NIGHT + RPO + 4 * HOUR
        until = house.live(4, runs=lambda at: at <= FIRST_NIGHT, checks=lambda at: at < dead)
        assert states(changes("RecoveryPointsAlarm", house, until)) == [AlarmState.OK, AlarmState.ALARM]

    def test_a_stack_whose_checks_never_began_rings_after_the_warm_up(self, house: House) -> None:
        until = DEPLOYED + 6 * HOUR
        assert first_ring(changes("RunOverdueAlarm", house, until), DEPLOYED) == DEPLOYED + 3 * HOUR


class TestOneResourceOnly:
    @pytest.mark.long
    def test_a_copy_that_is_missing_rings_although_runs_end(self, house: House) -> None:
        house.world.cloud.failing_copies = lambda number: number > 2
        until = house.live(5)
        assert AlarmState.ALARM in states(changes("RecoveryPointsAlarm", house, until))
        assert states(changes("RunOverdueAlarm", house, until)) == [AlarmState.OK]

    @pytest.mark.long
    def test_a_listing_that_fails_once_wakes_nobody(self, house: House) -> None:
        refused = DEPLOYED + 30 * HOUR

        def with_trouble(at: datetime) -> bool:
            if at == refused:
                house.world.cloud.fail("backups", AWAY, Throttled)
            return True

        until = house.live(3, checks=with_trouble)
        worst = max(one.value for one in house.told if one.metric.name == "Breaches" and one.at == refused)
        assert worst > 0
        assert states(changes("RecoveryPointsAlarm", house, until)) == [AlarmState.OK]


def test_a_schedule_that_is_switched_off_is_not_overdue() -> None:
    assert alarm("RunOverdueAlarm").rings
    assert not alarm("RunOverdueAlarm", ScheduleState="DISABLED").rings
    assert alarm("RecoveryPointsAlarm", ScheduleState="DISABLED").rings


class TestRunNotOk:
    @pytest.mark.parametrize("fails", [True, False])
    def test_it_rings_at_once_for_a_run_that_is_not_ok_and_for_no_other(
        self, house: House, fails: bool
    ) -> None:
        if fails:
            house.world.cloud.fail("create", DATABASE, Throttled)
        request = a_request(FIRST_NIGHT)
        house.world.create(request)
        house.world.copy(request)
        house.world.prune(request)
        count_run(house.world.publish(request).report)
        told = points(house.read().splitlines())
        [at] = {one.at for one in told}
        found = follow(alarm("RunNotOkAlarm"), told, at - HOUR, at + 6 * HOUR)
        expected = [AlarmState.OK, AlarmState.ALARM, AlarmState.OK] if fails else [AlarmState.OK]
        assert states(found) == expected
        ring = first_ring(found, at)
        assert ring is None or ring - at <= timedelta(minutes=1)
