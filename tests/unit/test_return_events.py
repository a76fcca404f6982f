"""What may be asked of a return of lost items, and how each mistake is told."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import RequestError
from holdfast.core.returning import Changed, ReturnRequest
from holdfast.return_events import parse_return
from tests.builders import DATABASE, TABLE

RESTORED = TABLE + "-restored"
ACCOUNT = "123456789012"


def parsed(**event: Any) -> ReturnRequest:
    given = {"from": RESTORED, **{key.rstrip("_"): value for key, value in event.items()}}
    return parse_return(given, ACCOUNT, ("us-east-1", "us-west-2"), "run-1")


def test_the_least_that_one_has_to_say() -> None:
    assert parsed() == ReturnRequest(id="run-1", source=RESTORED)


def test_all_that_one_can_say() -> None:
    asked = parsed(
        from_=RESTORED.replace("us-east-1", "us-west-2"), to=TABLE, changed="return", id="day", dry_run=True
    )
    assert asked == ReturnRequest(
        id="day",
        source=RESTORED.replace("us-east-1", "us-west-2"),
        target=TABLE,
        changed=Changed.RETURN,
        dry_run=True,
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"from_": DATABASE}, "from: 'arn:aws:rds:us-east-1:123456789012:db"),
        ({"from_": "orders"}, "is no ARN of a DynamoDB table; give that of a table that `restore` made"),
        ({"from_": None}, "from: None is no ARN"),
        ({"from_": TABLE + "/index/by-name"}, "is no ARN of a DynamoDB table"),
        ({"to": TABLE + "/stream/x"}, "to: 'arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/x'"),
        ({"to": RESTORED}, "to: it is the table of 'from' too"),
        ({"to": TABLE.replace("123456789012", "111122223333")}, "give a table of 123456789012"),
        ({"from_": RESTORED.replace("us-east-1", "eu-west-1")}, "give a table in us-east-1 or us-west-2"),
        ({"to": TABLE.replace("us-east-1", "us-west-2")}, "is of another Region; give a table in us-east-1"),
        ({"changed": "both"}, "changed: 'both' is not allowed; give 'keep' or 'return'"),
        ({"changed": []}, "changed: [] is not allowed"),
        ({"id": "a.b"}, "id: 'a.b' is not allowed; give 1 to 64 letters"),
        ({"dry_run": "yes"}, "dry_run: 'yes' is not allowed; give true or false"),
        ({"table": "x"}, "table: not a key of this function; allowed are from, to, changed, id, dry_run"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(event: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as raised:
        parsed(**event)
    assert said in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RequestError) as raised:
        parsed(from_="x", to="y", changed=1, id=2, dry_run=3, more=4)
    assert all(f"{key}: " in str(raised.value) for key in ("from", "to", "changed", "id", "dry_run", "more"))


@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "changed", "id", "dry_run"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_nothing_else_is_raised(event: dict[str, Any]) -> None:
    with suppress(RequestError):
        parse_return(event, ACCOUNT, ("us-east-1",), "run-1")
