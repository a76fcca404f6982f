"""A return of lost items, with one thing that goes wrong with one of its calls, once or all the time: nothing
but the lost items changes, they are back when it says so, and what was not done is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.core.return_message import message_of
from holdfast.core.returning import Changed, Counts, Return, ReturnRequest, ReturnState
from holdfast.usecases import return_items as return_module
from holdfast.usecases.return_items import return_items
from tests.fakes import ACCOUNT, HOME
from tests.faults import wire
from tests.faults.house import House
from tests.faults.operations import RETURNERS, called
from tests.faults.wire import Fault, Killed

pytestmark = pytest.mark.long

LIVE = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders"
RESTORED = f"{LIVE}-before"
REQUEST = ReturnRequest(id="worst-day", source=RESTORED, target=LIVE, changed=Changed.RETURN)
PASSING: dict[str, Fault] = {
    "throttled": wire.throttled,
    "unheard": wire.unheard,
    "lost-answer": wire.lost_answer,
    "internal": wire.internal,
    "expired": wire.expired,
    "truncated": wire.truncated,
}
WHOLE = Counts(same=5, lost=6, changed=1, returned=6, replaced=1)
MOST_LOOKS = 40


def an_item(id_: str, what: str) -> dict[str, Any]:
    return {"id": {"S": id_}, "what": {"S": what}}


def begin(house: House) -> Any:
    """Twelve items of before; six are lost, one is spoiled, one is new. Returns the tables' client."""
    house.restore(None)
    house.wire.clear()
    dynamodb = house.things.client("dynamodb")
    dynamodb.create_table(
        TableName="orders-before",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "holdfast:restore", "Value": "earlier"}],
    )
    for n in range(12):
        dynamodb.put_item(TableName="orders-before", Item=an_item(f"i{n:02}", "before"))
        if n % 2:
            now = "spoiled" if n == 1 else "before"
            dynamodb.put_item(TableName="orders", Item=an_item(f"i{n:02}", now))
    dynamodb.put_item(TableName="orders", Item=an_item("new", "since"))
    house.wire.clear()
    return dynamodb


def items(dynamodb: Any, table: str = "orders") -> dict[str, Any]:
    return {one["id"]["S"]: one for one in dynamodb.scan(TableName=table)["Items"]}


def returned(house: House, request: ReturnRequest = REQUEST) -> Return:
    """Looks, each in a new execution environment and a minute after the one before, until it is over."""
    began = datetime.now(UTC)
    for number in range(MOST_LOOKS):
        now = began + timedelta(minutes=number)
        try:
            ended = return_items(house.app().return_ports, request, now, lambda: 900.0)
        except Killed:
            house.wire.dead = False
            continue
        if ended.is_over:
            return ended
    raise AssertionError(f"not over after {MOST_LOOKS} looks")


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the calls have an order, and there are several pages."""
    monkeypatch.setattr(return_module, "WRITERS", 1)
    monkeypatch.setattr(return_module, "PAGE", 5)


@pytest.fixture(scope="module")
def usual(house: House) -> tuple[wire.Call, ...]:
    """The calls of a return that nothing happens to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(return_module, "WRITERS", 1)
        patch.setattr(return_module, "PAGE", 5)
        begin(house)
        ended = returned(house)
    assert (ended.state, ended.counts) == (ReturnState.DONE, WHOLE), ended.reason
    return tuple(house.wire.calls)


def assert_whole(house: House, before: dict[str, Any], ended: Return, what: object) -> None:
    """What holds of any return, whatever went wrong with it."""
    dynamodb = house.things.client("dynamodb")
    was, now = items(dynamodb, "orders-before"), items(dynamodb)
    assert len(was) == 12, what
    assert before.keys() <= now.keys(), what
    assert all(now[one] in (was.get(one), before.get(one)) for one in now), what
    assert now.keys() <= before.keys() | was.keys(), what
    text = message_of(ended, house.app().home, "s3://reports/returns/worst-day.json").text
    if ended.state is ReturnState.DONE:
        assert now == {**before, **was}, what
    else:
        assert ended.reason in text, what


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_what_passes_costs_nothing_but_time(
    usual: tuple[wire.Call, ...], house: House, fault: str, every: int
) -> None:
    for number in range(1 + len(fault) % every, len(usual) + 1, every):
        call = usual[number - 1]
        before = items(begin(house))
        house.wire.clear()
        rule = house.wire.add(wire.of(call.name, nth=call.nth, region=call.region), PASSING[fault], times=1)
        ended = returned(house)
        what = (call.name, call.nth, ended.state, ended.reason)
        assert rule.met == 1, what
        assert ended.state is ReturnState.DONE, what
        house.wire.clear()
        assert_whole(house, before, ended, what)
        assert ended.counts == WHOLE, what


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_behind_any_call_it_ends_the_same(
    usual: tuple[wire.Call, ...], house: House, every: int
) -> None:
    for number in range(1, len(usual) + 1, every):
        before = items(begin(house))
        house.wire.clear()
        house.wire.kill_at(number, after=True)
        ended = returned(house)
        what = (usual[number - 1].name, ended.state, ended.reason)
        assert (ended.state, ended.counts) == (ReturnState.DONE, WHOLE), what
        house.wire.clear()
        assert_whole(house, before, ended, what)


def _refused_for_ever() -> list[tuple[str, Fault, Callable[[Return], bool]]]:
    return [
        ("not permitted", wire.denied, lambda ended: "not permitted" in ended.reason),
        (
            "the table is gone",
            wire.error("ResourceNotFoundException"),
            lambda ended: "gone" in ended.reason or "no table" in ended.reason,
        ),
    ]


@pytest.mark.parametrize(
    ("fault", "told"), [(two, three) for _, two, three in _refused_for_ever()], ids=["denied", "gone"]
)
def test_what_never_works_ends_and_is_told(
    usual: tuple[wire.Call, ...], house: House, fault: Fault, told: Callable[[Return], bool]
) -> None:
    for name in sorted({one.name for one in usual if one.name.startswith("dynamodb.")}):
        before = items(begin(house))
        house.wire.clear()
        house.wire.add(wire.of(name), fault)
        ended = returned(house)
        what = (name, ended.state, ended.reason)
        assert ended.state in (ReturnState.FAILED, ReturnState.REFUSED), what
        assert told(ended), what
        house.wire.clear()
        assert_whole(house, before, ended, what)


def test_an_item_that_dynamodb_does_not_take_costs_no_other(house: House) -> None:
    begin(house)
    house.wire.clear()
    code = "ItemCollectionSizeLimitExceededException"
    house.wire.add(wire.of("dynamodb.PutItem", "i04"), wire.error(code))
    ended = returned(house)
    assert (ended.state, ended.counts.returned, ended.counts.failed) == (ReturnState.DONE, 5, 1)
    assert [one.key["id"]["S"] for one in ended.failures] == ["i04"]
    assert code in ended.failures[0].reason


def test_every_operation_is_tried_here(usual: tuple[wire.Call, ...]) -> None:
    assert called(*RETURNERS) <= {one.name for one in usual}
    assert called(*RETURNERS) >= {"dynamodb.Scan", "dynamodb.BatchGetItem", "dynamodb.PutItem"}
