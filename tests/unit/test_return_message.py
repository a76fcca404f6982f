"""What people are told of a return of lost items."""

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.core.model import Home
from holdfast.core.return_message import message_of
from holdfast.core.returning import Counts, Return, ReturnRequest, ReturnState
from holdfast.ports import Message
from tests.builders import NIGHT, TABLE
from tests.messages import check

HOME = Home(stack="holdfast", region="us-east-1", account="123456789012")
DONE = Return(
    request=ReturnRequest(id="worst-day", source=TABLE + "-before", target=TABLE),
    state=ReturnState.DONE,
    reason="9,000 items were compared",
    began=NIGHT,
    ended=NIGHT + timedelta(minutes=4),
    target=TABLE,
    counts=Counts(same=7000, lost=1204, changed=3, expired=793, returned=1204),
    read_units=12345.6,
    write_units=1204,
)


def told(kept: Return) -> Message:
    made = message_of(kept, HOME, "s3://reports/returns/worst-day.json")
    message = Message(subject=made.subject, text=made.text, data=made.data, attributes=made.attributes)
    check(message)
    return message


def test_the_subject_tells_what_came_back() -> None:
    assert (
        told(DONE).subject == "Holdfast return to orders: done, 1,204 lost items copied back, 3 changed kept"
    )


def test_the_text_tells_all_counts_and_what_it_took() -> None:
    text = told(DONE).text
    assert "1,204 lost items copied back into orders in 4 min, of 9,000 items compared." in text
    assert "793  expired" in text
    assert "12,346 read units and 1,204 write units" in text
    assert "s3://reports/returns/worst-day.json" in text


@pytest.mark.parametrize(
    ("counts", "status", "tail"),
    [
        (Counts(lost=1, returned=1), "ok", "1 lost item copied back"),
        (Counts(changed=4, replaced=3), "ok", "0 lost items copied back, 3 changed replaced, 1 changed kept"),
        (Counts(lost=2, returned=1, failed=1), "partial", "1 lost item copied back, 1 failed"),
        (Counts(lost=2, returned=1, meanwhile=1), "partial", "1 lost item copied back"),
    ],
)
def test_what_did_not_come_back_makes_it_partial(counts: Counts, status: str, tail: str) -> None:
    message = told(replace(DONE, counts=counts))
    assert message.attributes["status"] == status
    assert message.subject == f"Holdfast return to orders: done, {tail}"


def test_what_was_copied_before_it_failed_stays_and_is_told() -> None:
    message = told(replace(DONE, state=ReturnState.FAILED, reason="not permitted"))
    assert (message.subject, message.attributes["status"]) == ("Holdfast return to orders: failed", "failed")
    assert "failed: not permitted. What had been copied by then stays in orders." in message.text


def test_the_longest_name_leaves_room_for_what_came_of_it() -> None:
    counts = Counts(lost=10**9, changed=10**9, returned=10**9 - 7, replaced=10**8, failed=10**8)
    message = told(replace(DONE, target=TABLE + "x" * 240, counts=counts))
    assert "999,999,993 lost items copied back" in message.subject
