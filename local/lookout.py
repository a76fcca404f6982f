"""What people look at, in the embedded cloud: the page, how everything stands, and the alarms."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.alarms import AlarmState, alarm_from, follow, points
from local.company import COMPANY
from local.house import House
from local.nights import read_check_schedule, start_check
from local.paths import CACHE
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing

PAGES = CACHE / "demo"
PAGE = "holdfast.html"
DEAD_PAGE = "holdfast-dead-schedule.html"
STORM_PAGE = "holdfast-storm.html"

HOURS_DEAD = (25, 26, 27, 28)
"""After the last night's slot: a plan's 26 hours are over with the third, and two in a row ring."""

ALARMS = ("run-overdue", "recovery-points")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One hourly check of a schedule that is dead: how many breaches it told, and each alarm's state then."""

    at: datetime
    breaches: int
    alarms: Mapping[str, str]


def save_page(house: House, name: str) -> Path:
    """Fetch the page into a file, as a person would."""
    PAGES.mkdir(parents=True, exist_ok=True)
    answer = house.cloud.clients("s3").get_object(
        Bucket=house.stack.outputs["ReportBucketName"], Key="page/index.html"
    )
    path = PAGES / name
    path.write_bytes(answer["Body"].read())
    return path


def posture_rows(house: House) -> list[dict[str, Any]]:
    """The newest posture, as it lies in the bucket."""
    s3, bucket = house.cloud.clients("s3"), house.stack.outputs["ReportBucketName"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="posture/")["Contents"]
    body = s3.get_object(Bucket=bucket, Key=max(one["Key"] for one in listed))["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def differences(rows: Iterable[Mapping[str, Any]], page: str, found: Sequence[Standing]) -> list[str]:
    """How the posture and the page differ from what stands, listed with plain boto3 and counted by hand."""
    told = {(one["kind"], one["resource"], one["place"]): one for one in rows if one["row"] == "protection"}
    protected = [one for one in COMPANY if one.is_protected]
    problems = [f"the page does not name {one.kind} {one.name}" for one in protected if one.name not in page]
    healthy = [one for one in told.values() if one["health"] == "ok"]
    expected = len(protected) * len((HOME_REGION, COPY_REGION))
    if len(healthy) != expected:
        problems.append(f"{len(healthy)} of {expected} resources in places are told as ok")
    for region in (HOME_REGION, COPY_REGION):
        good = sum(one["good"] for (_, _, place), one in told.items() if place == region)
        stand = sum(one.slot is not None and one.region == region for one in found)
        if good != stand:
            problems.append(f"in {region} {good} good backups are told, and {stand} stand")
    return problems


def dead_schedule(house: House, last: datetime) -> list[Watched]:
    """What the hourly checks see, and the alarms do, when no run comes after `last`."""
    schedule = read_check_schedule(house.cloud, house.stack)
    told = []
    for hours in HOURS_DEAD:
        at = last + timedelta(hours=hours)
        answer = start_check(house.cloud, schedule, at)
        told.append((at, int(answer["posture"]["breached"])))
    began = told[0][0] - timedelta(minutes=30)
    logs = house.cloud.logs / f"{house.stack.name}-check-recovery-points.log"
    metrics = points(logs.read_text(errors="replace").splitlines())
    states = {
        name: follow(alarm_from(one), metrics, began, told[-1][0] + timedelta(minutes=30))
        for name, one in _definitions(house).items()
    }
    return [
        Watched(
            at=at,
            breaches=breaches,
            alarms={
                name: next(
                    (str(one.state) for one in reversed(changes) if one.at <= at + timedelta(minutes=30)),
                    str(AlarmState.INSUFFICIENT_DATA),
                )
                for name, changes in states.items()
            },
        )
        for at, breaches in told
    ]


def first_advice(house: House) -> str:
    """What the alarm on overdue runs says of itself."""
    return str(_definitions(house)["run-overdue"]["AlarmDescription"])


def _definitions(house: House) -> dict[str, Any]:
    names = {name: f"{house.stack.name}-{name}" for name in ALARMS}
    answer = house.cloud.clients("cloudwatch").describe_alarms(AlarmNames=list(names.values()))
    found = {one["AlarmName"]: one for one in answer["MetricAlarms"]}
    return {name: found[full] for name, full in names.items()}
