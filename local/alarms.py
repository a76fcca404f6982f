"""What CloudWatch's alarms would do with the metrics that the functions tell: read from their logs, and
evaluated as the CloudWatch user guide says (pages "Alarm evaluation", "Configuring how CloudWatch alarms
treat missing data" and "Alarm warm-up periods").

moto keeps alarms and never evaluates one. What the guide leaves open is a parameter here, or said where it
is decided.
"""

import json
import operator
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import fmean
from typing import Any

MORE_PERIODS = 2
"""How many periods before the evaluation periods CloudWatch looks at where some are missing. The guide does
not tell; in its examples it is two."""


class AlarmState(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Metric:
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Point:
    metric: Metric
    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A metric as an alarm reads it: one statistic of each period."""

    metric: Metric
    statistic: str
    period: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm's definition. With a `formula`, its series are filled with these numbers where they have no
    point, and summed; without, there is one series."""

    name: str
    series: Mapping[str, Series]
    formula: Mapping[str, float] = field(default_factory=dict)
    threshold: float
    comparison: str
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str
    warm_up: timedelta = timedelta()
    rings: bool = True
    """Whether its actions are enabled."""

    @property
    def period(self) -> timedelta:
        return next(iter(self.series.values())).period

    def is_breached(self, value: float) -> bool:
        return _OPERATORS[self.comparison](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Change:
    at: datetime
    state: AlarmState


_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": fmean,
    "SampleCount": len,
}
_FILLED_SUM = re.compile(r"SUM\(\[(.+)\]\)")
_FILL = re.compile(r"FILL\((\w+), *(-?[0-9.]+)\)")


def points(lines: Iterable[str]) -> list[Point]:
    """The points that CloudWatch would make of log lines in its embedded metric format. Other lines are not
    its business, and an object that is cut off is not one."""
    return [point for line in lines for point in _points_of(line)]


def _points_of(line: str) -> list[Point]:
    try:
        told = json.loads(line)
        directives = told["_aws"]["CloudWatchMetrics"]
        at = datetime.fromtimestamp(told["_aws"]["Timestamp"] / 1000, UTC)
    except (ValueError, KeyError, TypeError):
        return []
    return [
        Point(Metric(each["Namespace"], metric["Name"], _dimensions(told, names)), at, float(value))
        for each in directives
        for names in each["Dimensions"]
        for metric in each["Metrics"]
        for value in _values(told[metric["Name"]])
    ]


def _dimensions(told: Mapping[str, Any], names: Iterable[str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, told[name]) for name in names)


def _values(value: Any) -> Sequence[float]:
    return value if isinstance(value, list) else [value]


def alarm_from(definition: Mapping[str, Any]) -> Alarm:
    """An alarm as a template's resolved properties or `describe_alarms` tell it; both have one form. Raises
    `ValueError` about what this module does not evaluate."""
    if "WallClockWindow" in definition.get("EvaluationWindow", {}):
        raise ValueError("only sliding windows are evaluated here")
    if definition["ComparisonOperator"] not in _OPERATORS:
        raise ValueError(f"{definition['ComparisonOperator']} is not evaluated here")
    series, formula = _watched(definition)
    periods = int(definition["EvaluationPeriods"])
    warm_up = definition.get("WarmUpConfiguration", {})
    if warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds"):
        raise ValueError("only a warm-up that ends with the first data is evaluated here")
    return Alarm(
        name=definition["AlarmName"],
        series=series,
        formula=formula,
        threshold=float(definition["Threshold"]),
        comparison=definition["ComparisonOperator"],
        evaluation_periods=periods,
        datapoints_to_alarm=int(definition.get("DatapointsToAlarm", periods)),
        missing=definition.get("TreatMissingData", "missing"),
        warm_up=timedelta(minutes=warm_up.get("WarmUpPeriodDurationInMinutes", 0)),
        rings=definition.get("ActionsEnabled", True) and bool(definition.get("AlarmActions")),
    )


def _watched(definition: Mapping[str, Any]) -> tuple[dict[str, Series], dict[str, float]]:
    if "MetricName" in definition:
        return {"": _series(definition, definition["Statistic"], definition["Period"])}, {}
    expressions = [one["Expression"] for one in definition["Metrics"] if "Expression" in one]
    stats = {one["Id"]: one["MetricStat"] for one in definition["Metrics"] if "MetricStat" in one}
    series = {name: _series(one["Metric"], one["Stat"], one["Period"]) for name, one in stats.items()}
    found = _FILLED_SUM.fullmatch(expressions[0]) if len(expressions) == 1 else None
    formula = {name: float(filled) for name, filled in _FILL.findall(found[1])} if found else {}
    written = ", ".join(f"FILL({name}, {filled:g})" for name, filled in formula.items())
    if not found or written != found[1] or set(formula) != set(series):
        raise ValueError(f"{expressions} is not evaluated here: only the sum of filled series is")
    return series, formula


def _series(metric: Mapping[str, Any], statistic: str, seconds: int) -> Series:
    if statistic not in _STATISTICS:
        raise ValueError(f"{statistic} is not evaluated here")
    dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", ()))
    return Series(
        Metric(metric["Namespace"], metric["MetricName"], dimensions), statistic, timedelta(seconds=seconds)
    )


class Store:
    """Points, found by metric and time."""

    def __init__(self, told: Iterable[Point]) -> None:
        self._points: dict[Metric, list[Point]] = defaultdict(list)
        for point in sorted(told, key=lambda one: one.at):
            self._points[point.metric].append(point)

    def value(self, series: Series, start: datetime, end: datetime) -> float | None:
        """The statistic of the points from `start` on and before `end`; `None` where there are none."""
        standing = self._points.get(series.metric, [])
        first = bisect_left(standing, start, key=lambda one: one.at)
        last = bisect_left(standing, end, key=lambda one: one.at)
        values = [one.value for one in standing[first:last]]
        return float(_STATISTICS[series.statistic](values)) if values else None


def datapoints(
    alarm: Alarm, store: Store, now: datetime, late: timedelta, periods: int
) -> list[float | None]:
    """What the alarm sees of the last periods, the oldest first; `None` where nothing was told.

    The windows slide: they end `now`, whatever the clock says. A point is seen `late` after its instant.
    """
    seen = now - late
    ends = [now - back * alarm.period for back in range(periods - 1, -1, -1)]
    return [_datapoint(alarm, store, end - alarm.period, min(end, seen)) for end in ends]


def _datapoint(alarm: Alarm, store: Store, start: datetime, end: datetime) -> float | None:
    values = {name: store.value(series, start, end) for name, series in alarm.series.items()}
    if not alarm.formula:
        return values[""]
    filled = [alarm.formula[name] if value is None else value for name, value in values.items()]
    return sum(filled)


def judge(alarm: Alarm, seen: Sequence[float | None], state: AlarmState) -> AlarmState:
    """The state after an evaluation that saw these data points (the oldest first, `None` where one is
    missing), of as many periods as CloudWatch looks at."""
    needed = alarm.evaluation_periods
    real = [value for value in seen if value is not None][-needed:]
    bad = sum(map(alarm.is_breached, real))
    if bad >= alarm.datapoints_to_alarm:
        return AlarmState.ALARM
    if len(real) == needed:
        return AlarmState.OK
    if alarm.missing == "breaching":
        filled = bad + needed - len(real)
        return AlarmState.ALARM if filled >= alarm.datapoints_to_alarm else AlarmState.OK
    # A point that is fine says that it is; so does one that is filled in as fine.
    if alarm.missing == "notBreaching" or bad < len(real):
        return AlarmState.OK
    if alarm.missing == "ignore":
        return state
    return _premature(alarm, seen) if real else AlarmState.INSUFFICIENT_DATA


def _premature(alarm: Alarm, seen: Sequence[float | None]) -> AlarmState:
    """All that was told is in breach, and it is too little. It is an alarm once the oldest is as old as the
    data points that it takes; the guide does not name the state before that other than as no alarm."""
    oldest = next(age for age, value in zip(range(len(seen), 0, -1), seen, strict=True) if value is not None)
    return AlarmState.ALARM if oldest >= alarm.datapoints_to_alarm else AlarmState.OK


def follow(
    alarm: Alarm,
    told: Iterable[Point],
    since: datetime,
    until: datetime,
    *,
    every: timedelta = timedelta(minutes=1),
    late: timedelta = timedelta(),
    more: int = MORE_PERIODS,
) -> list[Change]:
    """Each change of state of an alarm that was made at `since`. CloudWatch evaluates `every` minute.

    While it warms up, an alarm stays as it was made, and does nothing. That ends when the evaluation periods
    are full of data, and with the time that its definition gives.
    """
    store, state, changes = Store(told), AlarmState.INSUFFICIENT_DATA, []
    is_warm, now = not alarm.warm_up, since
    while now <= until:
        seen = datapoints(alarm, store, now, late, alarm.evaluation_periods + more)
        is_warm = is_warm or now >= since + alarm.warm_up or None not in seen[more:]
        after = judge(alarm, seen, state) if is_warm else state
        if after is not state:
            changes.append(Change(now, after))
            state = after
        now += every
    return changes


def first_ring(changes: Iterable[Change], after: datetime) -> datetime | None:
    """When it first went into alarm from then on."""
    return next((one.at for one in changes if one.at >= after and one.state is AlarmState.ALARM), None)
