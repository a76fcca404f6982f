"""A restore, with one thing that goes wrong with one of its calls, once or all the time: in the end there is
one new resource or none, never a second; it is called done only when it stands; nothing else is changed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.core.restore_message import message_of
from holdfast.core.restoring import Restore, RestoreRequest, RestoreState, kind_of
from holdfast.usecases.restore import restore
from tests.fakes import AWAY, HOME
from tests.faults import wire
from tests.faults.house import House
from tests.faults.operations import RESTORERS, called
from tests.faults.wire import Fault, Killed

pytestmark = pytest.mark.long

RESOURCES = ("orders", "shop", "ledger", "vault-disk")
"""One of each kind; those of them that can be are encrypted."""

CASES = [(name, region) for name in RESOURCES for region in (HOME, AWAY)]
PASSING: dict[str, Fault] = {
    "throttled": wire.throttled,
    "unheard": wire.unheard,
    "lost-answer": wire.lost_answer,
    "internal": wire.internal,
    "expired": wire.expired,
    "truncated": wire.truncated,
}
"""What goes wrong once, for as long as botocore repeats a call, and passes."""

MOST_LOOKS = 40

ELSEWHERE = {
    "BatchWriteItem",
    "EnableKinesisStreamingDestination",
    "ModifyDBCluster",
    "ModifyDBInstance",
    "PutResourcePolicy",
    "PutScalingPolicy",
    "PutScheduledAction",
    "RebootDBInstance",
    "RegisterScalableTarget",
    "RestoreDBClusterToPointInTime",
    "RestoreDBInstanceToPointInTime",
    "UpdateContributorInsights",
    "UpdateTable",
    "UpdateTimeToLive",
}
"""Of settings that these resources do not have, and of instants."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A restore that nothing happens to: its calls, what it made and how it ended."""

    calls: tuple[wire.Call, ...]
    made: Counter[str]
    restore: Restore


def asked(house: House, name: str, region: str) -> RestoreRequest:
    return RestoreRequest(
        id="worst-day", resource=house.things.arns[name], region=region, to=f"{name}-restored"
    )


def restored(house: House, request: RestoreRequest) -> Restore:
    """Looks, each in a new execution environment and a minute after the one before, until it is over."""
    began = datetime.now(UTC)
    for number in range(MOST_LOOKS):
        now = began + timedelta(minutes=number)
        try:
            ended = restore(house.app().restore_ports, request, now, lambda: 900.0)
        except Killed:
            house.wire.dead = False
            continue
        if ended.is_over:
            return ended
        house.let_time_pass()
    raise AssertionError(f"not over after {MOST_LOOKS} looks")


def standing(house: House) -> Counter[str]:
    """All that could be a resource or a backup, read from moto itself."""
    found: list[str] = []
    for region in (HOME, AWAY):
        rds, client = house.things.client("rds", region), house.things.client
        found += [one["DBInstanceArn"] for one in rds.describe_db_instances()["DBInstances"]]
        found += [one["DBClusterArn"] for one in rds.describe_db_clusters()["DBClusters"]]
        tables = client("dynamodb", region).list_tables()["TableNames"]
        found += [f"{region}:table/{one}" for one in tables]
        volumes = client("ec2", region).describe_volumes()["Volumes"]
        found += [f"{region}:{one['VolumeId']}" for one in volumes]
    return Counter(found)


def items(house: House, table: str, region: str) -> list[Any]:
    return list(house.things.client("dynamodb", region).scan(TableName=table)["Items"])


def begin(house: House) -> None:
    house.restore(None)
    house.wire.clear()


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def usual(request: pytest.FixtureRequest, house: House) -> tuple[tuple[str, str], Usual]:
    name, region = request.param
    begin(house)
    before = standing(house)
    ended = restored(house, asked(house, name, region))
    assert ended.state is RestoreState.DONE, ended.reason
    return request.param, Usual(tuple(house.wire.calls), standing(house) - before, ended)


def assert_whole(house: House, usual: Usual, before: Counter[str], ended: Restore, what: object) -> None:
    """What holds of any restore, whatever went wrong with it."""
    after = standing(house)
    assert not before - after, what
    made = after - before
    assert max(made.values(), default=1) == 1, what
    assert sum(made.values()) <= sum(usual.made.values()), what
    text = message_of(ended, house.app().home, "s3://reports/restores/worst-day.json").text
    if ended.state is RestoreState.DONE:
        assert ended.lost or sum(made.values()) == sum(usual.made.values()), what
        assert ended.arn in text, what
    else:
        assert ended.reason in text, what
    if made and ended.request.kind == "dynamodb" and ended.state is RestoreState.DONE:
        assert items(house, ended.to, ended.request.region) == items(house, "orders", HOME), what


def test_it_makes_one_and_leaves_all_else(usual: tuple[tuple[str, str], Usual], house: House) -> None:
    (name, region), was = usual
    kind = kind_of(house.things.arns[name])
    assert was.restore.request.kind == kind
    assert sum(was.made.values()) >= 1
    assert all(region in one for one in was.made)


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_what_passes_costs_nothing_but_time(
    usual: tuple[tuple[str, str], Usual], house: House, fault: str, every: int
) -> None:
    """Once at a call, for as often as botocore sends it."""
    (name, region), was = usual
    numbers = range(1 + len(fault) % every, len(was.calls) + 1, every)
    for number in numbers:
        call = was.calls[number - 1]
        begin(house)
        before = standing(house)
        fits = wire.of(call.name, nth=call.nth, region=call.region)
        rule = house.wire.add(fits, PASSING[fault], times=1)
        ended = restored(house, asked(house, name, region))
        what = (call.name, call.params, ended.state, ended.reason)
        assert rule.met == 1, what
        assert ended.state is RestoreState.DONE, what
        assert_whole(house, was, before, ended, what)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_behind_any_call_it_ends_the_same(
    usual: tuple[tuple[str, str], Usual], house: House, every: int
) -> None:
    (name, region), was = usual
    for number in range(1, len(was.calls) + 1, every):
        begin(house)
        before = standing(house)
        house.wire.kill_at(number, after=True)
        ended = restored(house, asked(house, name, region))
        what = (was.calls[number - 1].name, ended.state, ended.reason)
        assert ended.state is RestoreState.DONE, what
        assert_whole(house, was, before, ended, what)


def _each_operation(was: Usual) -> Iterator[wire.Call]:
    yield from {one.name: one for one in was.calls}.values()


def test_what_is_not_permitted_is_told_and_costs_no_more_than_it_must(
    usual: tuple[tuple[str, str], Usual], house: House
) -> None:
    """Each operation, all the time: it ends, with the reason, or as a setting that did not come back."""
    (name, region), was = usual
    for call in _each_operation(was):
        begin(house)
        before = standing(house)
        house.wire.add(wire.of(call.name), wire.denied)
        ended = restored(house, asked(house, name, region))
        what = (call.name, ended.state, ended.reason)
        assert ended.is_over, what
        assert_whole(house, was, before, ended, what)
        if ended.state is RestoreState.DONE:
            assert ended.lost or ended.known is None or ended == was.restore, what
        else:
            assert call.operation in ended.reason, what


def test_every_operation_of_the_restorers_is_tried_somewhere(house: House) -> None:
    """Those that these resources do not need are, one by one, in the restorers' own contract tests."""
    seen: set[str] = set()
    for name, region in CASES:
        begin(house)
        assert restored(house, asked(house, name, region)).state is RestoreState.DONE
        seen |= {one.operation for one in house.wire.calls}
    # Several services have operations of one name.
    assert {one.rpartition(".")[2] for one in called(*RESTORERS)} - seen == ELSEWHERE
