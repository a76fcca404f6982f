"""The evaluator of alarms, against the tables of the CloudWatch user guide and cases around them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.alarms import (
    Alarm,
    AlarmState,
    Change,
    Metric,
    Point,
    Series,
    Store,
    alarm_from,
    datapoints,
    first_ring,
    follow,
    judge,
    points,
)

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 1, 0, 17, tzinfo=UTC)
METRIC = Metric("Holdfast", "Breaches", frozenset({("service", "night")}))
OK, ALARM, UNSURE = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def an_alarm(
    needed: int = 3, to_alarm: int | None = None, missing: str = "missing", warm_up: timedelta = timedelta()
) -> Alarm:
    return Alarm(
        name="alarm",
        series={"": Series(METRIC, "Maximum", HOUR)},
        threshold=5,
        comparison="GreaterThanThreshold",
        evaluation_periods=needed,
        datapoints_to_alarm=to_alarm or needed,
        missing=missing,
        warm_up=warm_up,
    )


def seen(written: str) -> list[float | None]:
    """The guide's way to write data points: `0` is fine, `X` in breach, `-` missing; the newest last."""
    return [{"0": 1.0, "X": 9.0, "-": None}[one] for one in written.split()]


class TestTheGuidesTables:
    """`None` stands for "retain current state"."""

    @pytest.mark.parametrize(
        ("written", "states"),
        [
            ("0 - X - X", (OK, OK, OK, OK)),
            ("0 - - - -", (OK, OK, OK, OK)),
            ("- - - - -", (UNSURE, None, ALARM, OK)),
            ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
            ("- - X - -", (ALARM, None, ALARM, OK)),
        ],
    )
    def test_three_of_three(self, written: str, states: Sequence[AlarmState | None]) -> None:
        self.hold(an_alarm(3, 3), written, states)

    @pytest.mark.parametrize(
        ("written", "states"),
        [
            ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
            ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
            ("0 - X - -", (OK, OK, ALARM, OK)),
            ("- - - - 0", (OK, OK, ALARM, OK)),
            ("- - - X -", (ALARM, None, ALARM, OK)),
        ],
    )
    def test_two_of_three(self, written: str, states: Sequence[AlarmState | None]) -> None:
        self.hold(an_alarm(3, 2), written, states)

    @pytest.mark.parametrize("written", ["- - - - X", "- - - X -"])
    def test_too_little_in_breach_is_no_alarm_yet_where_missing_data_is_not(self, written: str) -> None:
        for missing in ("missing", "ignore", "notBreaching"):
            assert judge(an_alarm(3, 3, missing), seen(written), OK) is OK

    def hold(self, alarm: Alarm, written: str, states: Sequence[AlarmState | None]) -> None:
        for missing, expected in zip(TREATMENTS, states, strict=True):
            for before in AlarmState:
                after = judge(replace(alarm, missing=missing), seen(written), before)
                assert after is (expected or before), (missing, before)


class TestTheAlarmsHere:
    """Two of two, as the template's slow alarms have it."""

    @pytest.mark.parametrize(
        ("written", "missing", "expected"),
        [
            ("0 0 0 X", "ignore", OK),
            ("0 0 X X", "ignore", ALARM),
            ("0 X - X", "ignore", ALARM),
            ("X X - -", "ignore", ALARM),
            ("X X - 0", "ignore", OK),
            ("0 0 - -", "breaching", OK),
            ("0 - - -", "breaching", OK),
            ("- - - -", "breaching", ALARM),
            ("- - - 0", "breaching", OK),
            ("- - - X", "breaching", ALARM),
        ],
    )
    def test_case(self, written: str, missing: str, expected: AlarmState) -> None:
        assert judge(an_alarm(2, 2, missing), seen(written), OK) is expected


def at(hours: float, value: float = 9) -> Point:
    return Point(METRIC, START + hours * HOUR, value)


class TestWindows:
    def test_they_slide_with_the_minute_and_a_point_is_in_one_of_them(self) -> None:
        store = Store([at(0, 1), at(1, 2), at(2, 3)])
        for minute in range(1, 61):
            now = START + 2 * HOUR + timedelta(minutes=minute)
            assert datapoints(an_alarm(), store, now, timedelta(), 3) == [1, 2, 3], minute
        assert datapoints(an_alarm(), store, START + 3 * HOUR + timedelta(minutes=1), timedelta(), 3) == [
            2,
            3,
            None,
        ]

    @pytest.mark.parametrize(
        ("statistic", "expected"),
        [("Maximum", 7), ("Minimum", 2), ("Sum", 12), ("Average", 4), ("SampleCount", 3)],
    )
    def test_the_statistic_is_of_all_points_of_a_period(self, statistic: str, expected: float) -> None:
        store = Store([at(0, 2), at(0.1, 7), at(0.2, 3)])
        assert store.value(Series(METRIC, statistic, HOUR), START, START + HOUR) == expected

    def test_a_point_is_not_seen_before_it_has_arrived(self) -> None:
        late = timedelta(minutes=5)
        alarm, store = an_alarm(1), Store([at(0)])
        assert datapoints(alarm, store, START + timedelta(minutes=5), late, 1) == [None]
        assert datapoints(alarm, store, START + timedelta(minutes=6), late, 1) == [9]

    def test_another_dimension_is_another_metric(self) -> None:
        other = Point(Metric("Holdfast", "Breaches", frozenset({("service", "day")})), START, 9)
        assert Store([other]).value(Series(METRIC, "Sum", HOUR), START, START + HOUR) is None


class TestFollow:
    def follow(self, alarm: Alarm, told: list[Point], hours: float, **more: Any) -> list[Change]:
        return follow(alarm, told, START, START + hours * HOUR, **more)

    def test_each_change_is_told_once(self) -> None:
        told = [at(hour, 9 if 3 <= hour < 6 else 1) for hour in range(12)]
        changes = self.follow(an_alarm(2, missing="ignore"), told, 12)
        assert [one.state for one in changes] == [OK, ALARM, OK]
        assert first_ring(changes, START) == START + 4 * HOUR + timedelta(minutes=1)

    def test_of_data_that_stops_an_alarm_for_which_missing_data_breaches_rings_when_the_range_is_empty(
        self,
    ) -> None:
        told = [at(hour, 1) for hour in range(6)]
        alarm = an_alarm(2, missing="breaching")
        for more, hours in ((0, 2), (2, 4), (3, 5)):
            ring = first_ring(self.follow(alarm, told, 14, more=more), START + 2 * HOUR)
            assert ring is not None
            assert (hours - 1) * HOUR < ring - told[-1].at <= hours * HOUR + timedelta(minutes=1), more

    def test_one_that_warms_up_waits_for_data(self) -> None:
        told = [at(hour, 1) for hour in range(6)]
        cold = an_alarm(2, missing="breaching")
        assert first_ring(self.follow(cold, told, 5), START) == START
        warm = replace(cold, warm_up=3 * HOUR)
        assert [one.state for one in self.follow(warm, told, 5)] == [OK]

    def test_one_that_warms_up_does_not_wait_for_ever(self) -> None:
        changes = self.follow(an_alarm(2, missing="breaching", warm_up=3 * HOUR), [], 5)
        assert changes == [Change(START + 3 * HOUR, ALARM)]

    def test_data_that_come_before_the_warm_up_is_over_end_it(self) -> None:
        told = [at(hour, 9) for hour in range(6)]
        changes = self.follow(an_alarm(2, missing="breaching", warm_up=10 * HOUR), told, 5)
        assert changes == [Change(START + HOUR + timedelta(minutes=1), ALARM)]


class TestPoints:
    def line(self, **values: Any) -> str:
        told = {
            "Namespace": "Holdfast",
            "Dimensions": [["service"], ["service", "plan"]],
            "Metrics": [{"Name": "Runs"}],
        }
        blob = {"Timestamp": START.timestamp() * 1000, "CloudWatchMetrics": [told]}
        return json.dumps({"_aws": blob, "service": "night", "plan": "nightly"} | values)

    def test_each_value_is_told_of_each_set_of_dimensions(self) -> None:
        stack, plan = (
            frozenset({("service", "night")}),
            frozenset({("service", "night"), ("plan", "nightly")}),
        )
        found = points([self.line(Runs=[1.0, 2.0])])
        assert {(one.metric.dimensions, one.value) for one in found} == {
            (stack, 1.0), (stack, 2.0), (plan, 1.0), (plan, 2.0),
        }  # fmt: skip
        assert {(one.metric.namespace, one.metric.name, one.at) for one in found} == {
            ("Holdfast", "Runs", START)
        }

    def test_a_single_number_is_a_value_too(self) -> None:
        assert [one.value for one in points([self.line(Runs=3)])] == [3.0, 3.0]

    def test_other_lines_are_passed_over(self) -> None:
        others = [
            "START RequestId: 1",
            '{"message": "checked"}',
            '{"_aws": {"Timestamp": 1',
            "[]",
            '"text"',
            "",
        ]
        assert points(others) == []


def definition(**changed: Any) -> dict[str, Any]:
    return {
        "AlarmName": "alarm",
        "Namespace": "Holdfast",
        "MetricName": "Breaches",
        "Dimensions": [{"Name": "service", "Value": "night"}],
        "Statistic": "Maximum",
        "Period": 3600,
        "EvaluationPeriods": 3,
        "Threshold": "5",
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": ["topic"],
    } | changed


def summed(expression: str) -> dict[str, Any]:
    metrics: list[dict[str, Any]] = [{"Id": "all", "Expression": expression}]
    metrics += [
        {
            "Id": name,
            "MetricStat": {
                "Stat": "Sum",
                "Period": 3600,
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
            },
        }
        for name in ("one", "two")
    ]
    single = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    return {key: value for key, value in definition().items() if key not in single} | {"Metrics": metrics}


class TestDefinitions:
    def test_what_is_left_out_is_what_cloudwatch_takes(self) -> None:
        assert alarm_from(definition()) == an_alarm()

    def test_one_whose_actions_are_off_does_not_ring(self) -> None:
        assert not alarm_from(definition(ActionsEnabled=False)).rings
        assert not alarm_from(definition(AlarmActions=[])).rings

    def test_a_filled_sum_counts_the_silent_as_told(self) -> None:
        alarm = alarm_from(summed("SUM([FILL(one, 0), FILL(two, 4)])"))
        [one] = [series.metric for name, series in alarm.series.items() if name == "one"]
        store = Store([Point(one, START, 3)])
        assert datapoints(alarm, store, START + HOUR, timedelta(), 2) == [4, 7]

    @pytest.mark.parametrize(
        "unknown",
        [
            definition(EvaluationWindow={"WallClockWindow": {}}),
            definition(ComparisonOperator="LessThanLowerThreshold"),
            definition(Statistic="p99"),
            definition(
                WarmUpConfiguration={
                    "WarmUpPeriodDurationInMinutes": 5,
                    "OnlyStartEvaluatingAfterWarmUpPeriodEnds": True,
                }
            ),
            summed("one + two"),
            summed("SUM([one, FILL(two, 0)])"),
            summed("SUM([FILL(one, 0)])"),
            summed("SUM([FILL(one, 0), FILL(two, REPEAT)])"),
        ],
    )
    def test_what_it_cannot_evaluate_it_does_not_guess(self, unknown: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="evaluated here"):
            alarm_from(unknown)
