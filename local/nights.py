"""Nights on the embedded cloud: what EventBridge Scheduler would do at the hour that the schedule names, or a
person, stage by stage."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local import durable, invoke, standing
from local.cloud import Cloud
from local.deploy import Stack
from local.house import House
from local.pace import let_copies_take
from local.sandbox import COPY_REGION
from local.sweeps import Copied, Sweep

FIRST_NIGHT = date(2026, 10, 25)
"""A Sunday near a month's end: fourteen nights from here end three ISO weeks and one month."""

_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
_DAILY = re.compile(r"cron\((?P<minute>\d+) (?P<hour>\d+) \* \* \? \*\)")
_OTHER_SCHEDULES_HOUR = time(2, 0)
RUN_SECONDS = 300.0

RUN_TAKES = timedelta(minutes=20)
"""How long after the slot a night's run is said to look back at what it did."""

SLOTS_BY_HAND = 1
"""Copies of a service at once, in a night by hand: with AWS's twenty, none of so few would ever wait."""

_LISTINGS_BY_HAND = 1
"""A copy is there when the sweep after the one that began it looks."""

_MOST_SWEEPS = 20


class NightError(Exception):
    """A night's run that could not be started or did not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as it was deployed: when, in which zone, what it invokes with which input, and as who."""

    expression: str
    zone: ZoneInfo
    target: str
    input: str
    role: str

    def instants(self, first: date, nights: int) -> Iterator[datetime]:
        """The instants, in UTC, of so many nights. A schedule that is not plainly daily gets 02:00."""
        daily = _DAILY.fullmatch(self.expression)
        at = time(int(daily["hour"]), int(daily["minute"])) if daily else _OTHER_SCHEDULES_HOUR
        for night in range(nights):
            local = datetime.combine(first + timedelta(days=night), at, tzinfo=self.zone)
            yield local.astimezone(UTC)


def read_schedule(cloud: Cloud, stack: Stack) -> Schedule:
    """The schedule of the runs, from the scheduler's own API."""
    return _schedule(cloud, stack, "RunPlanFunctionNightly")


def read_check_schedule(cloud: Cloud, stack: Stack) -> Schedule:
    """The schedule of the hourly check."""
    return _schedule(cloud, stack, "CheckRecoveryPointsFunctionHourly")


def _schedule(cloud: Cloud, stack: Stack, logical: str) -> Schedule:
    name = stack.of_type("AWS::Scheduler::Schedule")[logical]
    told: dict[str, Any] = cloud.clients("scheduler").get_schedule(Name=name)
    return Schedule(
        expression=told["ScheduleExpression"],
        zone=ZoneInfo(told.get("ScheduleExpressionTimezone") or "UTC"),
        target=told["Target"]["Arn"],
        input=told["Target"]["Input"],
        role=told["Target"]["RoleArn"],
    )


def start_night(cloud: Cloud, schedule: Schedule, instant: datetime) -> str:
    """Invoke the schedule's target as Scheduler does. Returns the ARN of the durable execution.

    The nights of this cloud have been: what looks at their end is told when that was.
    """
    event = {**_input(schedule, instant), "at": _text(instant + RUN_TAKES)}
    scheduler = cloud.clients.in_role(schedule.role, service="scheduler.amazonaws.com")
    answer = scheduler("lambda").invoke(
        FunctionName=schedule.target, InvocationType="Event", Payload=json.dumps(event).encode()
    )
    arn = answer.get("DurableExecutionArn")
    if not arn:
        raise NightError(f"{schedule.target} did not start a durable execution")
    return str(arn)


def start_check(cloud: Cloud, schedule: Schedule, instant: datetime) -> dict[str, Any]:
    """Invoke the check as Scheduler does, and wait for it. Returns its answer. Raises `NightError` when it
    fails."""
    scheduler = cloud.clients.in_role(schedule.role, service="scheduler.amazonaws.com")
    answer = scheduler("lambda").invoke(
        FunctionName=schedule.target, Payload=json.dumps(_input(schedule, instant)).encode()
    )
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise NightError(f"{schedule.target} failed: {body}")
    return body


def _input(schedule: Schedule, instant: datetime) -> dict[str, Any]:
    """What Scheduler sends. It does not check whether it is JSON, and Lambda would refuse it at night."""
    event: dict[str, Any] = json.loads(schedule.input.replace(_SCHEDULED_TIME, _text(instant)))
    return event


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def run_night(cloud: Cloud, schedule: Schedule, instant: datetime) -> durable.Execution:
    """One whole night. Raises `TimeoutError` when its run does not end."""
    return durable.wait(cloud.runner, start_night(cloud, schedule, instant), RUN_SECONDS)


def night_by_hand(house: House, slot: datetime) -> list[Sweep]:
    """A night stage by stage, with few copy slots and copies that take their time. Returns the copy sweeps.

    The plan and the pace are put back. Raises `NightError` when a stage fails or does not come to an end.
    """
    plan = house.default_plan()
    few = [
        {**rule, "slots": SLOTS_BY_HAND} if rule["region"] == COPY_REGION else rule for rule in plan["copies"]
    ]
    _finish(house, "create_backups", slot)
    house.put_plan({**plan, "copies": few})
    let_copies_take(house.cloud.moto.url, _LISTINGS_BY_HAND)
    try:
        answers = _finish(house, "copy_backups", slot)
    finally:
        let_copies_take(house.cloud.moto.url, 0)
        house.put_plan(plan)
    run_stage(house, "prune_backups", slot)
    posture = run_stage(house, "check_recovery_points", slot, at=_text(slot + RUN_TAKES))["posture"]
    run_stage(house, "publish_report", slot, posture=posture)
    volumes = standing.volume_names(house.cloud.clients)
    return [_sweep(answer, volumes) for answer in answers]


def run_stage(house: House, function: str, slot: datetime, **more: object) -> dict[str, Any]:
    """Call a stage's function for a slot, with whatever `more` its event has. Raises `NightError` when it
    fails."""
    payload = json.dumps({"plan": "nightly", "slot": _text(slot), **more}).encode()
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, payload)
    if answer.error:
        raise NightError(f"{function} failed: {answer.payload.decode()}")
    summary: dict[str, Any] = json.loads(answer.payload)
    return summary


def _finish(house: House, function: str, slot: datetime) -> list[dict[str, Any]]:
    """Call it until it leaves nothing unfinished. Returns its answers."""
    answers = [run_stage(house, function, slot)]
    while answers[-1]["unfinished"]:
        if len(answers) == _MOST_SWEEPS:
            raise NightError(f"{function} has not finished after {_MOST_SWEEPS} sweeps")
        answers.append(run_stage(house, function, slot))
    return answers


def _sweep(answer: Mapping[str, Any], volumes: Mapping[str, str]) -> Sweep:
    by_state: dict[str, list[Copied]] = {}
    reasons: dict[str, str] = {}
    for one in answer["outcomes"]:
        name = one["resource"].replace("/", ":").rpartition(":")[2]
        by_state.setdefault(one["state"], []).append((one["kind"], volumes.get(name, name)))
        reasons.setdefault(one["state"], one["reason"])
    return Sweep(status=answer["status"], by_state=by_state, reasons=reasons)
