"""Nights, one of them killed, on clouds that stand at the same time."""

import gzip
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from local import durable, expectation
from local.alarms import Alarm, AlarmState, Point, alarm_from, follow, points
from local.cloud import Cloud
from local.company import COMPANY
from local.house import MACHINES, House
from local.lambda_runtime import Answer, Runtime
from local.mail import MAILBOX
from local.nights import (
    FIRST_NIGHT,
    RUN_TAKES,
    read_check_schedule,
    read_schedule,
    run_night,
    run_stage,
    start_check,
    start_night,
)
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import until
from tests.messages import check_data

BACKED_UP = {(one.kind, one.name, HOME_REGION) for one in COMPANY if one.is_protected}
COPIED = {(one.kind, one.name, COPY_REGION) for one in COMPANY if one.is_protected}


def backups_of(house: House, slot: datetime) -> Counter[tuple[str, str, str]]:
    """How many backups of the slot stand, by kind, resource and Region."""
    return Counter((one.kind, one.name, one.region) for one in house.standing() if one.slot == slot)


def kill_create_when_it_has_begun(house: House, slot: datetime) -> None:
    """Kill the process that runs `create_backups` as soon as a backup of the slot stands."""
    runtime = house.cloud.runtimes[house.stack.outputs["CreateBackupsFunctionName"]]
    until(lambda: backups_of(house, slot))
    for process in runtime.handler_ids:
        os.kill(process, signal.SIGKILL)
    assert set(backups_of(house, slot)) < BACKED_UP, "the sweep was over before it could be killed"


@dataclass(frozen=True, slots=True)
class _Patient:
    """A function that is invoked when the turn of the sweep that was killed has ended. A run's pauses are
    longer than that, and skipped here: it would ask again and again meanwhile."""

    house: House
    runtime: Runtime

    def invoke(self, payload: bytes) -> Answer:
        wait_for_the_turn(self.house)
        return self.runtime.invoke(payload)


@contextmanager
def patiently(house: House) -> Iterator[None]:
    """Within, every sweep that creates waits for its turn."""
    functions, name = house.cloud.gateway.functions, house.stack.outputs["CreateBackupsFunctionName"]
    functions.runtimes = {
        **house.cloud.runtimes,
        name: cast("Runtime", _Patient(house, house.cloud.runtimes[name])),
    }
    try:
        yield
    finally:
        functions.runtimes = house.cloud.runtimes


def wait_for_the_turn(house: House) -> None:
    """Until the lease of whoever had the turn to create is over."""
    answer = house.cloud.clients("s3").get_object(
        Bucket=house.stack.outputs["ReportBucketName"], Key="turns/nightly.json"
    )
    over = datetime.fromisoformat(json.load(answer["Body"])["until"])
    time.sleep(max(0, (over - datetime.now(UTC)).total_seconds()))


@pytest.fixture(scope="module")
def nights(slow_house: House) -> list[datetime]:
    """Two, that have run."""
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    nights = list(schedule.instants(FIRST_NIGHT, 2))
    for night in nights:
        assert run_night(slow_house.cloud, schedule, night).status == "SUCCEEDED"
    return nights


def test_two_nights_leave_what_the_plan_asks_for(slow_house: House, nights: list[datetime]) -> None:
    plan, found = slow_house.default_plan(), slow_house.standing()
    assert expectation.differences(plan, nights, found, slow_house.copy_key) == []


RESOURCES = len({(one.kind, one.name) for one in COMPANY if one.is_protected})
LAST_NIGHT = datetime(2026, 10, 26, 2, tzinfo=UTC)
CHECKED = LAST_NIGHT + RUN_TAKES
FUNCTIONS = (
    "create-backups",
    "copy-backups",
    "prune-backups",
    "record-settings",
    "check-recovery-points",
    "publish-report",
)


@pytest.mark.usefixtures("nights")
class TestWhatPeopleSeeInTheMorning:
    def test_the_page_and_the_postures_of_both_stand_in_the_bucket(self, slow_house: House) -> None:
        s3, bucket = slow_house.cloud.clients("s3"), slow_house.stack.outputs["ReportBucketName"]
        page = s3.get_object(Bucket=bucket, Key="page/index.html")
        assert page["ContentType"] == "text/html; charset=utf-8"
        text = page["Body"].read().decode()
        assert all(one.name in text for one in COMPANY if one.is_protected and one.kind != "ebs")
        kept = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="posture/")["Contents"]]
        assert kept == [
            f"posture/day={at:%Y-%m-%d}/{at:%Y%m%dT%H%M%SZ}.jsonl.gz"
            for at in (CHECKED - timedelta(days=1), CHECKED)
        ]
        rows = _rows(s3.get_object(Bucket=bucket, Key=kept[-1])["Body"].read())
        lines = {(one["kind"], one["place"]) for one in rows if one.get("health")}
        assert lines == {(kind, place) for kind, _, place in BACKED_UP | COPIED}

    def test_the_message_tells_the_posture_to_people_and_to_machines(self, slow_house: House) -> None:
        mail = slow_house.messages(MAILBOX)[-1]
        assert f"Recoverable: {RESOURCES} of {RESOURCES} resources" in mail["text"]
        bucket = slow_house.stack.outputs["ReportBucketName"]
        assert f"s3://{bucket}/page/index.html" in mail["text"]
        told = json.loads(slow_house.messages(MACHINES)[-1]["Message"])
        check_data(told)
        posture = told["posture"]
        assert posture["at"] == f"{CHECKED:%Y-%m-%dT%H:%M:%SZ}"
        assert (posture["standing"], posture["breached"], posture["problems"]) == ("ok", 0, [])
        assert (posture["resources"], posture["recoverable"]) == (RESOURCES, RESOURCES)

    def test_each_line_of_a_run_bears_its_id(self, slow_house: House) -> None:
        runs = {name: _runs(slow_house, name) for name in (*FUNCTIONS, "run-plan")}
        assert len(runs["run-plan"]) == 2
        assert all(each == runs["run-plan"] for each in runs.values())
        record = slow_house.record(f"{LAST_NIGHT:%Y%m%dT%H%M%SZ}", "report")
        assert record["run"] == runs["run-plan"][-1]

    def test_what_the_alarms_watch_is_told_by_the_functions(self, slow_house: House) -> None:
        told = {one.metric for one in _told(slow_house)}
        alarms = [_alarm(slow_house, name) for name in ("recovery-points", "run-overdue", "run-not-ok")]
        watched = {one.metric for alarm in alarms for one in alarm.series.values()}
        assert watched <= told


@pytest.mark.long
@pytest.mark.usefixtures("nights")
def test_when_no_further_night_comes_the_alarms_ring(slow_house: House) -> None:
    """The nightly schedule is dead, and the hourly one is not."""
    schedule = read_check_schedule(slow_house.cloud, slow_house.stack)
    since = LAST_NIGHT + timedelta(hours=25)
    for hour in range(5):
        start_check(slow_house.cloud, schedule, since + timedelta(hours=hour))
    told, until_then = _told(slow_house), since + timedelta(hours=4, minutes=5)
    for name in ("recovery-points", "run-overdue"):
        changes = follow(_alarm(slow_house, name), told, since + timedelta(hours=1), until_then)
        assert [one.state for one in changes] == [AlarmState.OK, AlarmState.ALARM], name
        rpo = LAST_NIGHT + timedelta(hours=slow_house.default_plan()["rpo_hours"])
        assert rpo < changes[-1].at <= rpo + timedelta(hours=3)


def _rows(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def _lines(house: House, function: str) -> list[str]:
    return (house.cloud.logs / f"{house.stack.name}-{function}.log").read_text().splitlines()


def _runs(house: House, function: str) -> list[str]:
    """The ids in the lines of a function's logger, in their order, each once. Every line has to have one."""
    told = [json.loads(line) for line in _lines(house, function) if line.startswith('{"level"')]
    return list(dict.fromkeys(line["run"] for line in told))


def _told(house: House) -> list[Point]:
    """What CloudWatch would read of all functions' logs."""
    return [point for name in FUNCTIONS for point in points(_lines(house, name))]


def _alarm(house: House, name: str) -> Alarm:
    """As it was deployed. moto knows nothing of warm-ups: that it has none is stricter."""
    asked = house.cloud.clients("cloudwatch").describe_alarms(AlarmNames=[f"{house.stack.name}-{name}"])
    return alarm_from(asked["MetricAlarms"][0])


def test_a_night_whose_create_is_killed_heals_itself(slow_house: House) -> None:
    slot = datetime(2026, 11, 3, 2, tzinfo=UTC)
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    run = start_night(slow_house.cloud, schedule, slot)
    until(lambda: backups_of(slow_house, slot))
    with patiently(slow_house):
        kill_create_when_it_has_begun(slow_house, slot)
        assert durable.wait(slow_house.cloud.runner, run, 120).status == "SUCCEEDED"
    assert backups_of(slow_house, slot) == Counter(BACKED_UP | COPIED)


@pytest.mark.long
def test_the_stages_run_again_after_a_killed_night_make_no_second_backup(slow_house: House) -> None:
    slot = datetime(2026, 11, 4, 2, tzinfo=UTC)
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    run = start_night(slow_house.cloud, schedule, slot)
    until(lambda: backups_of(slow_house, slot))
    slow_house.cloud.clients("lambda").stop_durable_execution(DurableExecutionArn=run)
    kill_create_when_it_has_begun(slow_house, slot)
    assert run_stage(slow_house, "create_backups", slot)["unfinished"], "the killed sweep may still live"
    wait_for_the_turn(slow_house)
    until(lambda: not run_stage(slow_house, "create_backups", slot)["unfinished"])
    for stage in ("create_backups", "copy_backups", "prune_backups", "publish_report"):
        run_stage(slow_house, stage, slot)
    assert backups_of(slow_house, slot) == Counter(BACKED_UP | COPIED)


def test_two_sweeps_at_the_same_moment_make_one_backup_each(slow_house: House) -> None:
    slot = datetime(2026, 11, 5, 2, tzinfo=UTC)
    name = slow_house.stack.outputs["CreateBackupsFunctionName"]
    runtimes = (slow_house.cloud.runtimes[name], slow_house.cloud.runtime_of(name))
    payload = json.dumps({"plan": "nightly", "slot": "2026-11-05T02:00:00Z"}).encode()
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda runtime: runtime.invoke(payload), runtimes))
    assert not any(answer.error for answer in answers), answers
    made = [json.loads(answer.payload)["counts"].get("create.done", 0) for answer in answers]
    assert sorted(map(bool, made)) == [False, True]
    assert backups_of(slow_house, slot) == Counter(BACKED_UP)


def test_a_run_that_failed_goes_to_the_dead_letters(slow_house: House) -> None:
    asked = {"plan": "nosuch", "slot": "2026-11-06T02:00:00Z"}
    slow_house.cloud.clients("lambda").invoke(
        FunctionName=slow_house.stack.outputs["RunPlanFunctionName"],
        Qualifier="live",
        InvocationType="Event",
        Payload=json.dumps(asked).encode(),
    )
    queue = f"{slow_house.stack.name}-dead-letters"
    assert until(lambda: slow_house.messages(queue)) == [asked]


def test_two_clouds_stand_at_once(slow_house: House) -> None:
    with Cloud() as other:
        assert other.endpoint != slow_house.cloud.endpoint
        assert other.clients("dynamodb").list_tables()["TableNames"] == []
    assert slow_house.cloud.clients("dynamodb").list_tables()["TableNames"]
