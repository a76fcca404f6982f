"""Nights, one of them killed, on clouds that stand at the same time."""

import json
import os
import signal
import threading
from collections import Counter
from datetime import UTC, datetime

import pytest

from local import durable, expectation, invoke, standing
from local.company import COMPANY
from local.house import House
from local.nights import FIRST_NIGHT, read_schedule, run_night, start_night
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import handler_processes, until

pytestmark = pytest.mark.xdist_group("slow cloud")

BACKED_UP = {(one.kind, one.name, HOME_REGION) for one in COMPANY if one.is_protected}
COPIED = {(one.kind, one.name, COPY_REGION) for one in COMPANY if one.is_copied}


def backups_of(house: House, slot: datetime) -> Counter[tuple[str, str, str]]:
    """How many backups of the slot stand, by kind, resource and Region."""
    found = standing.everything(house.cloud.clients)
    return Counter((one.kind, one.name, one.region) for one in found if one.slot == slot)


def kill_create_when_it_has_begun(house: House, slot: datetime) -> Counter[tuple[str, str, str]]:
    """Kill the process that runs `create_backups` as soon as a backup of the slot stands. Returns what
    stood then."""
    runtime = house.cloud.runtimes[house.stack.outputs["CreateBackupsFunctionName"]]
    until(lambda: backups_of(house, slot))
    for process in handler_processes(runtime):
        os.kill(process, signal.SIGKILL)
    return backups_of(house, slot)


def invoke_stage(house: House, function: str, slot: datetime) -> None:
    payload = json.dumps({"plan": "nightly", "slot": slot.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, payload)
    assert not answer.error, answer.payload


def test_two_nights_leave_what_the_plan_asks_for(slow_house: House) -> None:
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    nights = list(schedule.instants(FIRST_NIGHT, 2))
    for night in nights:
        assert run_night(slow_house.cloud, schedule, night).status == "SUCCEEDED"
    found = standing.everything(slow_house.cloud.clients)
    plan = slow_house.default_plan()
    assert expectation.differences(plan, nights, found, slow_house.copy_key) == []


def test_a_night_whose_create_is_killed_heals_itself(slow_house: House) -> None:
    slot = datetime(2026, 11, 3, 2, tzinfo=UTC)
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    run = start_night(slow_house.cloud, schedule, slot)
    stood = kill_create_when_it_has_begun(slow_house, slot)
    assert set(stood) < BACKED_UP, "the sweep was over before it could be killed"
    assert durable.wait(slow_house.cloud.runner, run, 120).status == "SUCCEEDED"
    assert backups_of(slow_house, slot) == Counter(BACKED_UP | COPIED)


def test_the_stages_run_again_after_a_killed_night_make_no_second_backup(slow_house: House) -> None:
    slot = datetime(2026, 11, 4, 2, tzinfo=UTC)
    schedule = read_schedule(slow_house.cloud, slow_house.stack)
    run = start_night(slow_house.cloud, schedule, slot)
    until(lambda: backups_of(slow_house, slot))
    slow_house.cloud.clients("lambda").stop_durable_execution(DurableExecutionArn=run)
    stood = kill_create_when_it_has_begun(slow_house, slot)
    assert set(stood) < BACKED_UP, "the sweep was over before it could be killed"
    for stage in ("create_backups", "copy_backups", "prune_backups", "publish_report"):
        invoke_stage(slow_house, stage, slot)
    assert backups_of(slow_house, slot) == Counter(BACKED_UP | COPIED)


def test_two_sweeps_at_once_make_one_backup_each(slow_house: House) -> None:
    slot = datetime(2026, 11, 5, 2, tzinfo=UTC)
    calls = [
        threading.Thread(target=invoke_stage, args=(slow_house, "create_backups", slot)) for _ in range(2)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert backups_of(slow_house, slot) == Counter(BACKED_UP)


def test_two_clouds_stand_at_once(house: House, slow_house: House) -> None:
    assert house.cloud.endpoint != slow_house.cloud.endpoint
    house.cloud.clients("sqs").create_queue(QueueName="only-here")
    names = [one.rsplit("/", 1)[1] for one in slow_house.cloud.clients("sqs").list_queues()["QueueUrls"]]
    assert "only-here" not in names
