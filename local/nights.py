"""Nights on the embedded cloud: what EventBridge Scheduler would do at the hour that the schedule names."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local import durable
from local.cloud import Cloud
from local.deploy import Stack

FIRST_NIGHT = date(2026, 10, 25)
"""A Sunday near a month's end: fourteen nights from here end three ISO weeks and one month."""

_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
_DAILY = re.compile(r"cron\((?P<minute>\d+) (?P<hour>\d+) \* \* \? \*\)")
_OTHER_SCHEDULES_HOUR = time(2, 0)
RUN_SECONDS = 300.0


class NightError(Exception):
    """A night's run that could not be started or did not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as it was deployed: when, in which zone, and what it invokes with which input."""

    expression: str
    zone: ZoneInfo
    target: str
    input: str

    def instants(self, first: date, nights: int) -> Iterator[datetime]:
        """The instants, in UTC, of so many nights. A schedule that is not plainly daily gets 02:00."""
        daily = _DAILY.fullmatch(self.expression)
        at = time(int(daily["hour"]), int(daily["minute"])) if daily else _OTHER_SCHEDULES_HOUR
        for night in range(nights):
            local = datetime.combine(first + timedelta(days=night), at, tzinfo=self.zone)
            yield local.astimezone(UTC)


def read_schedule(cloud: Cloud, stack: Stack) -> Schedule:
    """The stack's only schedule, from the scheduler's own API."""
    (name,) = stack.of_type("AWS::Scheduler::Schedule").values()
    told: dict[str, Any] = cloud.clients("scheduler").get_schedule(Name=name)
    return Schedule(
        expression=told["ScheduleExpression"],
        zone=ZoneInfo(told.get("ScheduleExpressionTimezone") or "UTC"),
        target=told["Target"]["Arn"],
        input=told["Target"]["Input"],
    )


def start_night(cloud: Cloud, schedule: Schedule, instant: datetime) -> str:
    """Invoke the schedule's target as Scheduler does. Returns the ARN of the durable execution."""
    told = schedule.input.replace(_SCHEDULED_TIME, instant.strftime("%Y-%m-%dT%H:%M:%SZ"))
    json.loads(told)  # Scheduler does not check, and Lambda would refuse it at night
    answer = cloud.clients("lambda").invoke(
        FunctionName=schedule.target, InvocationType="Event", Payload=told.encode()
    )
    arn = answer.get("DurableExecutionArn")
    if not arn:
        raise NightError(f"{schedule.target} did not start a durable execution")
    return str(arn)


def run_night(cloud: Cloud, schedule: Schedule, instant: datetime) -> durable.Execution:
    """One whole night. Raises `TimeoutError` when its run does not end."""
    return durable.wait(cloud.runner, start_night(cloud, schedule, instant), RUN_SECONDS)
