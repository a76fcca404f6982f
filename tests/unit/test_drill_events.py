"""What may be asked of a drill, and what is said of what may not."""

from datetime import UTC, datetime

import pytest

from holdfast.core.drilling import DrillRequest
from holdfast.core.errors import RequestError
from holdfast.drill_events import parse_drill
from tests.builders import NIGHT, TABLE

RUN = "e4a1"
AT = datetime(2026, 11, 21, 6, tzinfo=UTC)


def test_a_plan_is_enough() -> None:
    assert parse_drill({"plan": "nightly"}, NIGHT, RUN) == DrillRequest(id=RUN, plan="nightly")


def test_all_that_can_be_asked() -> None:
    asked = parse_drill(
        {
            "plan": "nightly",
            "resource": TABLE,
            "place": "us-west-2",
            "id": "drill-1",
            "at": "2026-11-21T06:00:00Z",
            "dry_run": True,
        },
        NIGHT,
        RUN,
    )
    assert asked == DrillRequest(
        id="drill-1", plan="nightly", resource=TABLE, place="us-west-2", dry_run=True, at=AT
    )


@pytest.mark.parametrize(("sweep", "word"), [(False, "drill"), (True, "sweep")])
def test_a_schedule_that_delivers_twice_asks_for_one(sweep: bool, word: str) -> None:
    event = {"plan": "nightly", "slot": "2026-11-22T06:00:00Z", "sweep": sweep}
    assert (
        parse_drill(event, NIGHT, "one").id
        == parse_drill(event, NIGHT, "two").id
        == f"{word}-nightly-20261122T060000Z"
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "plan: None is not the name of a plan"),
        ({"plan": "Nightly"}, "plan: 'Nightly' is not the name of a plan"),
        ({"plan": "nightly", "when": 1}, "when: not a key of this function; allowed are plan, slot,"),
        ({"plan": "nightly", "resource": "orders"}, "resource: 'orders' is no ARN of a DynamoDB table"),
        ({"plan": "nightly", "resource": 7}, "resource: 7 is no ARN"),
        ({"plan": "nightly", "place": "west"}, "place: 'west' is not allowed; give a Region"),
        ({"plan": "nightly", "id": "a b"}, "id: 'a b' is not allowed; give 1 to 64 letters"),
        ({"plan": "nightly", "slot": "today"}, "slot: 'today' is no time"),
        ({"plan": "nightly", "sweep": "yes"}, "sweep: 'yes' is not allowed; give true or false"),
        ({"plan": "nightly", "dry_run": 1}, "dry_run: 1 is not allowed"),
        ({"plan": "nightly", "sweep": True, "place": "us-west-2"}, "sweep: it removes what any drill left"),
        ({"plan": "nightly", "at": "2027-01-01T00:00:00Z"}, "at: '2027-01-01T00:00:00Z' is in the future"),
        ([], "give an object"),
    ],
)
def test_what_cannot_be_used_is_named(event: object, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_drill(event, NIGHT, RUN)
    assert said in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(RequestError) as caught:
        parse_drill({"plan": 1, "place": 2, "id": 3}, NIGHT, RUN)
    assert all(f"{key}: " in str(caught.value) for key in ("plan", "place", "id"))
