"""What Holdfast itself costs a month: from what was metered, and from what its template has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import ceil

from holdfast.core.cost import GIB, MONTH, Basis, CostLine, Prices
from holdfast.core.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixtures:
    """What of a stack is paid for by the month, whether it works or not: what its template has, and the
    metrics of its `plans` and of the `places` of each, counted together. Of alarms, the metrics count that
    they watch: CloudWatch bills each of an expression's."""

    keys: int = 1
    alarm_metrics: int = 26
    dashboards: int = 1
    plans: int = 1
    places: int = 1

    @property
    def metrics(self) -> Decimal:
        """CloudWatch bills a metric for each hour that it is told in. A few are told each hour, most in one
        hour of the day (`holdfast.gauges`)."""
        hourly = 3 + 2 * self.plans + self.places
        daily = 9 + 30 * self.plans + 2 * self.places
        return hourly + Decimal(daily) / 24


FREE_DASHBOARDS = 3
"""Of an account, by Amazon CloudWatch's price page."""

_OPERATIONS_PER_INVOCATION = 2
"""Of a run: the call of a function, and the wait after it."""

_LOGGED_GB = Decimal(2_000) / GIB
"""Thought to be logged by each invocation and for each call."""

_FREE_S3_CALLS = ("Delete", "Abort")
_S3_GETS = ("Get", "Head", "Select")


def per_month(usage: Usage, every: timedelta) -> Usage:
    """What a month takes that is used each `every`."""
    if every <= timedelta(0):
        raise ValueError(f"what is used each {every} is not used")
    times = MONTH / every
    return Usage(
        invocations=ceil(usage.invocations * times),
        gb_seconds=usage.gb_seconds * times,
        calls={call: ceil(count * times) for call, count in usage.calls.items()},
    )


def own_cost(usage: Usage, prices: Prices, fixtures: Fixtures | None = None) -> list[CostLine]:
    """What Holdfast itself costs a month: `usage` is a month's. Without `fixtures`, what it uses alone.

    AWS's free tiers are those of the account and not subtracted, but for dashboards. What costs nothing here
    has no line.
    """
    operations = usage.invocations * _OPERATIONS_PER_INVOCATION
    logged = _LOGGED_GB * (usage.invocations + sum(usage.calls.values()))
    metered = "as metered in the last runs and the last check"
    lines = [
        _line("Lambda, time", Decimal(str(usage.gb_seconds)), "lambda_gb_second", prices, metered),
        _line("Lambda, invocations", usage.invocations, "lambda_request", prices, metered),
        _line(
            "Lambda, durable operations",
            operations,
            "lambda_durable_operation",
            prices,
            f"{_OPERATIONS_PER_INVOCATION} for each invocation: the call, and the wait after it",
        ),
        _line("S3, writes and lists", _s3(usage, writes=True), "s3_put_request", prices, metered),
        _line("S3, reads", _s3(usage, writes=False), "s3_get_request", prices, metered),
        _line("SNS, messages", usage.calls.get("sns.Publish", 0), "sns_publish", prices, metered),
        _line("CloudWatch, logs", logged, "cloudwatch_logs_gb", prices, "2 KB an invocation and a call"),
        *(_fixed(fixtures, prices) if fixtures else ()),
    ]
    return [line for line in lines if line.amount]


def _s3(usage: Usage, *, writes: bool) -> int:
    """The requests of one of S3's two prices: deleting is free, and all but reading is the other."""
    calls = {name.removeprefix("s3."): count for name, count in usage.calls.items() if name.startswith("s3.")}
    return sum(
        count
        for name, count in calls.items()
        if not name.startswith(_FREE_S3_CALLS) and name.startswith(_S3_GETS) is not writes
    )


def _fixed(fixtures: Fixtures, prices: Prices) -> Iterator[CostLine]:
    known, rule = Basis.KNOWN, "of the stack's template"
    watched = f"{rule}: billed by the metrics that they watch"
    yield _line("KMS, keys", fixtures.keys, "kms_key_month", prices, rule, known)
    yield _line(
        "CloudWatch, alarms", fixtures.alarm_metrics, "cloudwatch_alarm_month", prices, watched, known
    )
    hours = "each name with its dimensions; those of a daily run for one hour of the day"
    yield _line("CloudWatch, metrics", fixtures.metrics, "cloudwatch_metric_month", prices, hours)
    paid = max(0, fixtures.dashboards - FREE_DASHBOARDS)
    few = f"an account's first {FREE_DASHBOARDS} are free"
    yield _line("CloudWatch, dashboards", paid, "cloudwatch_dashboard_month", prices, few, known)


def _line(
    what: str, amount: Decimal | int, price: str, prices: Prices, rule: str, basis: Basis = Basis.ESTIMATED
) -> CostLine:
    usd, exact = prices.of(price), Decimal(amount)
    unit = _UNITS[price]
    return CostLine(
        what=what,
        amount=exact,
        unit=unit,
        price_usd=usd,
        monthly_usd=exact * usd,
        basis=basis,
        rule=rule,
    )


_UNITS: Mapping[str, str] = {
    "lambda_gb_second": "GB-seconds",
    "lambda_request": "requests",
    "lambda_durable_operation": "operations",
    "s3_put_request": "requests",
    "s3_get_request": "requests",
    "sns_publish": "messages",
    "cloudwatch_logs_gb": "GB",
    "kms_key_month": "keys",
    "cloudwatch_alarm_month": "metrics watched",
    "cloudwatch_metric_month": "metrics",
    "cloudwatch_dashboard_month": "dashboards",
}
