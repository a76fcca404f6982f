"""Nights, one of them killed, on clouds that stand at the same time."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from local import durable, expectation
from local.cloud import Cloud
from local.company import COMPANY
from local.house import House
from local.lambda_runtime import Answer, Runtime
from local.nights import FIRST_NIGHT, read_schedule, run_night, run_stage, start_night
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import until

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


def test_two_nights_leave_what_the_plan_asks_for(slow_house: House) -> None:
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    nights = list(schedule.instants(FIRST_NIGHT, 2))
    for night in nights:
        assert run_night(slow_house.cloud, schedule, night).status == "SUCCEEDED"
    plan, found = slow_house.default_plan(), slow_house.standing()
    assert expectation.differences(plan, nights, found, slow_house.copy_key) == []


def test_a_night_whose_create_is_killed_heals_itself(slow_house: House) -> None:
    slot = datetime(2026, 11, 3, 2, tzinfo=UTC)
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    run = start_night(slow_house.cloud, schedule, slot)
    until(lambda: backups_of(slow_house, slot))
    with patiently(slow_house):
        kill_create_when_it_has_begun(slow_house, slot)
        assert durable.wait(slow_house.cloud.runner, run, 120).status == "SUCCEEDED"
    assert backups_of(slow_house, slot) == Counter(BACKED_UP | COPIED)


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
