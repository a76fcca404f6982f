"""The metrics, as CloudWatch reads them from the logs (its embedded metric format), by Powertools.

All are of the namespace and the `service` that the environment names: `Holdfast`, and the stack's name.
`docs/alarms.md` lists them. CloudWatch bills a metric for each hour in which it is told, so only what an
alarm watches, or the top of the dashboard shows, is told by every check; the rest once a day.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from holdfast.core.cost import Cost
from holdfast.core.posture import BREACHES, Gap, Health, PlanPosture, Posture, Protection
from holdfast.core.report import Report, State, Status

DAILY_HOUR = 0
"""The hour of the day, in UTC, whose checks tell what changes slowly."""

type _Gauges = dict[str, tuple[MetricUnit, float]]


def count_stage(report: Report, metrics: Metrics) -> None:
    """Count a stage's outcomes by state, and the time that it took, by `plan` and `stage`. The handler's
    decorator sends them."""
    metrics.add_dimension(name="plan", value=report.plan)
    metrics.add_dimension(name="stage", value=str(report.stage))
    for state in State:
        amount = sum(one.state is state for one in report.outcomes)
        metrics.add_metric(name=state.value.capitalize(), unit=MetricUnit.Count, value=amount)
    metrics.add_metric(name="Seconds", unit=MetricUnit.Seconds, value=report.seconds)


def count_run(report: Report) -> None:
    """Count a run that has ended, and whether it is other than `ok`: of the stack, and of the plan."""
    told = EphemeralMetrics()
    told.add_dimensions(service=str(told.service), plan=report.plan)  # besides `service` alone
    told.add_metric(name="Runs", unit=MetricUnit.Count, value=1)
    told.add_metric(name="RunsNotOk", unit=MetricUnit.Count, value=int(report.status is not Status.OK))
    told.flush_metrics()


def gauge_posture(posture: Posture) -> None:
    """Tell how everything stands: of the stack, of each plan, and of each plan in each place.

    The instant is the posture's own, so that a check that is made twice tells one instant twice.
    """
    is_daily = posture.at.hour == DAILY_HOUR
    _tell(posture, _of_stack(posture) | (_of_stack_daily(posture) if is_daily else {}))
    for plan in posture.plans:
        mine = [one for one in posture.protections if one.plan == plan.name]
        daily = _of_plan_daily(mine) if is_daily and not plan.problem else {}
        _tell(posture, _of_plan(plan, mine) | daily, plan=plan.name)
        for place in sorted({one.place for one in mine}):
            here = [one for one in mine if one.place == place]
            slow = _of_place_daily(here) if is_daily else {}
            _tell(posture, _of_place(posture, here) | slow, plan=plan.name, place=place)


def _tell(posture: Posture, gauges: _Gauges, **dimensions: str) -> None:
    if not gauges:
        return
    told = EphemeralMetrics()
    told.set_timestamp(posture.at)
    for name, value in dimensions.items():
        told.add_dimension(name=name, value=value)
    for name, (unit, amount) in gauges.items():
        told.add_metric(name=name, unit=unit, value=amount)
    told.flush_metrics()


def _of_stack(posture: Posture) -> _Gauges:
    unusable = sum(bool(one.problem) for one in posture.plans)
    # What cannot be seen must not look fine, and what somebody meant to protect is not.
    unseen = len(posture.problems) + unusable
    return {
        "Breaches": _count(len(posture.breaches) + len(posture.misnamed) + unseen),
        "Resources": _count(len(posture.resources)),
        "Recoverable": _count(len(posture.recoverable)),
    }


def _of_stack_daily(posture: Posture) -> _Gauges:
    shares = [100 * one.standing / one.most for one in posture.headroom if one.most]
    own = sum(float(one.monthly_usd) for one in posture.own_cost)
    return {
        "Waiting": _count(_in(Health.WAITING, posture.protections)),
        "Uncovered": _count(sum(one.gap is Gap.NO_PLAN for one in posture.uncovered)),
        "MonthlyCostNow": _usd(posture.protections, lambda cost: cost.now_usd + cost.transfer_usd),
        "MonthlyCostFull": _usd(posture.protections, lambda cost: cost.full_usd + cost.transfer_usd),
        "MonthlyCostOwn": (MetricUnit.NoUnit, own),
        "CheckSeconds": (MetricUnit.Seconds, posture.seconds),
    } | ({"QuotaUsedPercent": (MetricUnit.Percent, max(shares))} if shares else {})


def _of_plan(plan: PlanPosture, mine: Sequence[Protection]) -> _Gauges:
    """A plan that cannot be used is one breach. The time since a run is told only where it is known: its
    silence is what an alarm takes for the worst."""
    hours = plan.hours_since_run
    known = {"HoursSinceRun": (MetricUnit.NoUnit, hours)} if hours is not None else {}
    return {"Breaches": _count(_in_breach(mine) + bool(plan.problem))} | known


def _of_plan_daily(mine: Sequence[Protection]) -> _Gauges:
    return {
        "Protected": _count(len({one.resource for one in mine if one.health is not Health.RETIRED})),
        "Missing": _count(sum(one.missing for one in mine)),
        "Stuck": _count(sum(one.stuck for one in mine)),
        "MonthlyCostNow": _usd(mine, lambda cost: cost.now_usd + cost.transfer_usd),
    }


def _of_place(posture: Posture, here: Sequence[Protection]) -> _Gauges:
    """The oldest of the newest good backups. Of a resource that has none it is the time since that is so."""
    ends = [one.newest or one.since for one in here if one.health is not Health.RETIRED]
    ages = [(posture.at - end) / timedelta(hours=1) for end in ends if end is not None]
    return {"NewestAgeHours": (MetricUnit.NoUnit, max(ages))} if ages else {}


def _of_place_daily(here: Sequence[Protection]) -> _Gauges:
    return {"GoodBackups": _count(sum(one.good for one in here)), "Breaches": _count(_in_breach(here))}


def _in(health: Health, protections: Sequence[Protection]) -> int:
    return sum(one.health is health for one in protections)


def _in_breach(protections: Sequence[Protection]) -> int:
    return sum(one.health in BREACHES for one in protections)


def _count(amount: int) -> tuple[MetricUnit, float]:
    return MetricUnit.Count, amount


def _usd(protections: Sequence[Protection], amount: Callable[[Cost], Decimal]) -> tuple[MetricUnit, float]:
    """US dollars a month. CloudWatch has no unit for money."""
    return MetricUnit.NoUnit, float(sum(amount(one.cost) for one in protections))
