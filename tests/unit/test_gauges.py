"""What the metrics tell, as CloudWatch would read it from the log."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from holdfast.core.posture import Health, PlanPosture, Posture
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.gauges import gauge_posture
from holdfast.telemetry import tell, tell_posture
from local.alarms import Point, points
from tests.postures import company, protection, well

pytestmark = pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")

STACK = {"service": "holdfast"}
PLAN = {"service": "holdfast", "plan": "nightly"}
AT = datetime(2026, 11, 8, 6, 17, tzinfo=UTC)
MIDNIGHT = AT.replace(hour=0)

HOURLY = {
    ("service",): {"Breaches", "Resources", "Recoverable"},
    ("plan", "service"): {"Breaches", "HoursSinceRun"},
    ("place", "plan", "service"): {"NewestAgeHours"},
}
DAILY = {
    ("service",): {
        *("Waiting", "Uncovered", "MonthlyCostNow", "MonthlyCostFull", "MonthlyCostOwn"),
        *("CheckSeconds", "QuotaUsedPercent"),
    },
    ("plan", "service"): {"Protected", "Missing", "Stuck", "MonthlyCostNow"},
    ("place", "plan", "service"): {"GoodBackups", "Breaches"},
}

type Told = Callable[[Posture], list[Point]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """What a posture's gauges tell."""

    def gauged(posture: Posture) -> list[Point]:
        gauge_posture(posture)
        return points(capsys.readouterr().out.splitlines())

    return gauged


def value(told: list[Point], name: str, dimensions: Mapping[str, str]) -> float:
    [found] = [
        one.value
        for one in told
        if (one.metric.name, one.metric.dimensions) == (name, frozenset(dimensions.items()))
    ]
    return found


def names(told: list[Point]) -> dict[tuple[str, ...], set[str]]:
    """The names of the metrics by those of their dimensions."""
    found: dict[tuple[str, ...], set[str]] = {}
    for one in told:
        key = tuple(sorted(name for name, _ in one.metric.dimensions))
        found.setdefault(key, set()).add(one.metric.name)
    return found


class TestPosture:
    def test_every_check_tells_what_alarms_watch_and_the_first_of_a_day_all(self, told: Told) -> None:
        assert names(told(company(at=AT))) == HOURLY
        assert names(told(company(at=MIDNIGHT))) == {key: HOURLY[key] | DAILY[key] for key in HOURLY}

    def test_all_is_of_the_posture_s_instant(self, told: Told) -> None:
        assert {one.at for one in told(company(at=AT))} == {AT}

    def test_a_posture_told_twice_tells_the_same(self, told: Told) -> None:
        assert told(company(at=AT)) == told(company(at=AT))

    def test_the_namespace_is_holdfast(self, told: Told) -> None:
        assert {one.metric.namespace for one in told(company(at=MIDNIGHT))} == {"Holdfast"}

    def test_of_the_stack(self, told: Told) -> None:
        found = told(company(at=MIDNIGHT))
        assert value(found, "Resources", STACK) == 7
        assert value(found, "Recoverable", STACK) == 4
        assert value(found, "Breaches", STACK) == 3  # one overdue, one missing, one tag that names no plan
        assert value(found, "Waiting", STACK) == 1
        assert value(found, "Uncovered", STACK) == 1
        assert value(found, "QuotaUsedPercent", STACK) == 84
        assert value(found, "CheckSeconds", STACK) == 2.5
        assert value(found, "MonthlyCostNow", STACK) == pytest.approx(12 * 1.40 + 5 * 0.60)
        assert value(found, "MonthlyCostFull", STACK) == pytest.approx(12 * 2.20 + 5 * 0.60)
        assert value(found, "MonthlyCostOwn", STACK) == pytest.approx(0.09)

    def test_of_a_plan(self, told: Told) -> None:
        found = told(company(at=MIDNIGHT))
        assert value(found, "Breaches", PLAN) == 2
        assert value(found, "Protected", PLAN) == 7
        assert value(found, "Missing", PLAN) == 3
        assert value(found, "Stuck", PLAN) == 0
        assert value(found, "HoursSinceRun", PLAN) == 4.0
        assert value(found, "MonthlyCostNow", PLAN) == pytest.approx(12 * 1.40 + 5 * 0.60)

    def test_of_a_place_the_oldest_of_the_newest_tells(self, told: Told) -> None:
        found = told(company(at=AT))
        away = PLAN | {"place": "us-west-2"}
        assert value(found, "NewestAgeHours", away) == pytest.approx(3 * 24 + 4 + 17 / 60)

    def test_what_has_no_backup_is_as_old_as_that_is_so(self, told: Told) -> None:
        bare = protection(health=Health.MISSING)
        posture = replace(well(at=AT), protections=[replace(bare, since=AT - timedelta(hours=30))])
        assert value(told(posture), "NewestAgeHours", PLAN | {"place": "us-east-1"}) == 30

    def test_an_age_that_nobody_knows_is_not_told(self, told: Told) -> None:
        unseen = replace(protection(health=Health.UNKNOWN), newest=None, since=None)
        found = told(replace(well(at=AT), protections=[unseen]))
        assert "NewestAgeHours" not in {one.metric.name for one in found}
        assert value(found, "Breaches", STACK) == 1

    def test_what_is_no_plan_s_any_more_grows_old_in_peace(self, told: Told) -> None:
        retired = replace(protection(), health=Health.RETIRED, newest=AT - timedelta(days=90))
        found = told(replace(well(at=MIDNIGHT), protections=[retired]))
        assert value(found, "Breaches", STACK) == value(found, "Protected", PLAN) == 0
        assert "NewestAgeHours" not in {one.metric.name for one in found}

    def test_in_each_place_by_itself(self, told: Told) -> None:
        found = told(company(at=MIDNIGHT))
        assert value(found, "Breaches", PLAN | {"place": "us-east-1"}) == 1
        assert value(found, "Breaches", PLAN | {"place": "us-west-2"}) == 1
        assert value(found, "GoodBackups", PLAN | {"place": "us-west-2"}) == 4 * 14 + 11

    def test_a_calm_morning_has_no_breach(self, told: Told) -> None:
        found = told(well(at=AT))
        assert {one.value for one in found if one.metric.name == "Breaches"} == {0}
        assert value(found, "Resources", STACK) == value(found, "Recoverable", STACK) == 4

    def test_what_could_not_be_looked_at_is_a_breach(self, told: Told) -> None:
        found = told(replace(well(at=AT), problems=["the records cannot be read", "nor the drills"]))
        assert value(found, "Breaches", STACK) == 2
        assert value(found, "Breaches", PLAN) == 0

    def test_a_plan_that_cannot_be_used_is_a_breach_of_its_own_and_looks_nowhere_fine(
        self, told: Told
    ) -> None:
        broken = PlanPosture(name="weekly", problem="keep: missing")
        calm = well(at=MIDNIGHT)
        found = told(replace(calm, plans=[*calm.plans, broken]))
        weekly = STACK | {"plan": "weekly"}
        assert value(found, "Breaches", STACK) == value(found, "Breaches", weekly) == 1
        its = {one.metric.name for one in found if ("plan", "weekly") in one.metric.dimensions}
        assert its == {"Breaches"}

    def test_the_time_since_a_run_is_told_only_where_it_is_known(self, told: Told) -> None:
        calm = well(at=AT)
        unknown = [replace(one, hours_since_run=None) for one in calm.plans]
        assert "HoursSinceRun" not in {one.metric.name for one in told(replace(calm, plans=unknown))}

    def test_an_empty_account_tells_its_zeros(self, told: Told) -> None:
        found = told(replace(well(at=MIDNIGHT), plans=(), protections=(), headroom=()))
        assert value(found, "Resources", STACK) == value(found, "Breaches", STACK) == 0
        assert "QuotaUsedPercent" not in {one.metric.name for one in found}

    def test_the_service_is_what_the_environment_says(
        self, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "other-stack")
        assert {dict(one.metric.dimensions)["service"] for one in told(company(at=AT))} == {"other-stack"}


class TestLog:
    @pytest.fixture
    def logged(self, request: pytest.FixtureRequest) -> Callable[[Posture], list[dict[str, Any]]]:
        """The lines that a posture leaves. Loggers of one name share a stream."""
        stream = StringIO()
        logger = Logger(service=request.node.name, level="INFO", stream=stream)

        def log(posture: Posture) -> list[dict[str, Any]]:
            tell_posture(posture, logger)
            return list(map(json.loads, stream.getvalue().splitlines()))

        return log

    def test_each_breach_has_its_line_with_what_where_and_why(
        self, logged: Callable[[Posture], list[dict[str, Any]]]
    ) -> None:
        posture = company(at=AT)
        missing, overdue, misnamed, *_ = [one for one in logged(posture) if one["message"] == "breach"]
        for line, one in zip((missing, overdue), posture.breaches, strict=True):
            told = (
                line["plan"],
                line["kind"],
                line["resource"],
                line["region"],
                line["health"],
                line["reason"],
            )
            assert told == (one.plan, one.kind, one.resource, one.place, one.health, one.reason)
        assert (missing["level"], overdue["level"]) == ("ERROR", "WARNING")
        assert misnamed["resource"] == posture.misnamed[0].resource

    def test_what_could_not_be_looked_at_has_too(
        self, logged: Callable[[Posture], list[dict[str, Any]]]
    ) -> None:
        broken = PlanPosture(name="weekly", problem="keep: missing")
        lines = logged(replace(well(at=AT), plans=[broken], problems=["no records"]))
        problems = [line for line in lines if line["message"] == "problem"]
        assert [(line.get("plan"), line["reason"]) for line in problems] == [
            ("weekly", "keep: missing"),
            (None, "no records"),
        ]
        assert {line["level"] for line in problems} == {"ERROR"}

    def test_a_calm_hour_is_one_line_with_the_numbers(
        self, logged: Callable[[Posture], list[dict[str, Any]]]
    ) -> None:
        [line] = logged(well(at=AT))
        assert (line["message"], line["standing"], line["at"]) == ("checked", "ok", "2026-11-08T06:17:00Z")
        assert (line["resources"], line["recoverable"], line["breaches"]) == (4, 4, 0)


def an_outcome(state: State) -> Outcome:
    return Outcome(
        action=Action.CREATE, state=state, kind="rds", resource="arn", region="us-east-1", reason="because"
    )


def a_report(stage: Stage = Stage.CREATE, *states: State, dry_run: bool = False) -> Report:
    outcomes = [an_outcome(state) for state in states]
    return Report(stage=stage, plan="nightly", slot=AT, outcomes=outcomes, seconds=12.5, dry_run=dry_run)


class TestReports:
    @pytest.fixture
    def counted(self, capsys: pytest.CaptureFixture[str]) -> Callable[[Report], list[Point]]:
        """What a function tells of its report, sent as its handler sends it."""

        def count(report: Report) -> list[Point]:
            metrics = Metrics()
            metrics.log_metrics(lambda _event, _context: tell(report, Logger(), metrics))({}, None)
            return points(capsys.readouterr().out.splitlines())

        return count

    def test_a_stage_counts_its_outcomes_by_state(self, counted: Callable[[Report], list[Point]]) -> None:
        found = counted(a_report(Stage.CREATE, State.DONE, State.DONE, State.FAILED))
        here = PLAN | {"stage": "create"}
        amounts = {one.metric.name: one.value for one in found}
        assert amounts == {"Done": 2, "Failed": 1, "Pending": 0, "Deferred": 0, "Skipped": 0, "Seconds": 12.5}
        assert {one.metric.dimensions for one in found} == {frozenset(here.items())}

    @pytest.mark.parametrize(("state", "not_ok"), [(State.DONE, 0), (State.FAILED, 1)])
    def test_a_run_counts_itself_of_the_stack_and_of_the_plan(
        self, counted: Callable[[Report], list[Point]], state: State, not_ok: int
    ) -> None:
        found = counted(a_report(Stage.REPORT, State.DONE, state))
        for dimensions in (STACK, PLAN):
            assert value(found, "Runs", dimensions) == 1
            assert value(found, "RunsNotOk", dimensions) == not_ok
        assert value(found, "Seconds", PLAN | {"stage": "report"}) == 12.5

    def test_a_stage_is_no_run(self, counted: Callable[[Report], list[Point]]) -> None:
        assert "Runs" not in {one.metric.name for one in counted(a_report(Stage.PRUNE))}

    @pytest.mark.filterwarnings("ignore:No application metrics to publish")
    def test_a_dry_run_leaves_no_metric(self, counted: Callable[[Report], list[Point]]) -> None:
        assert counted(a_report(Stage.REPORT, State.FAILED, dry_run=True)) == []
