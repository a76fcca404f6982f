"""Recorded settings as a document: what is written is what is read, and nothing else is taken for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import Home
from holdfast.core.recorded import (
    Inventory,
    Recorded,
    completed,
    find_in_lines,
    inventory_from_lines,
    lines_of,
)
from holdfast.core.restoring import Configuration
from tests.builders import HOME, NIGHT, TABLE

texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
instants = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda one: one.replace(microsecond=0, tzinfo=UTC)
)


@st.composite
def recorded(draw: st.DrawFn) -> Recorded:
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{draw(texts)}"
    at = draw(instants)
    return Recorded(
        kind=draw(texts),
        arn=arn,
        label=draw(texts),
        tags=draw(st.dictionaries(texts, texts, max_size=3)),
        configuration=Configuration(
            arn=arn,
            settings=draw(st.dictionaries(texts, values, max_size=3)),
            unread=draw(st.dictionaries(texts, texts, max_size=3)),
            recorded=at,
        ),
        at=at,
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    return Inventory(
        plan=draw(texts),
        slot=draw(instants),
        at=draw(instants),
        home=Home(stack=draw(texts), region=draw(texts), account=draw(texts)),
        rpo_hours=draw(st.integers()),
        rto_minutes=draw(st.integers()),
        is_whole=draw(st.booleans()),
        recorded=tuple(draw(st.lists(recorded(), max_size=4))),
    )


def one(arn: str = TABLE, at: datetime = NIGHT, **settings: str) -> Recorded:
    configuration = Configuration(arn=arn, settings=settings, recorded=at)
    return Recorded(kind="dynamodb", arn=arn, configuration=configuration, at=at)


def an_inventory(*recorded: Recorded, whole: bool = True) -> Inventory:
    return Inventory(
        plan="nightly",
        slot=NIGHT,
        at=NIGHT,
        home=HOME,
        rpo_hours=26,
        rto_minutes=60,
        is_whole=whole,
        recorded=recorded or (one(),),
    )


@given(inventories())
def test_what_is_written_is_read(inventory: Inventory) -> None:
    lines = list(lines_of(inventory))
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert len("".join(lines).splitlines()) == len(lines), "no value breaks a line"
    assert inventory_from_lines("".join(lines).splitlines()) == inventory


@given(inventories())
def test_one_is_found_among_all(inventory: Inventory) -> None:
    lines = list(lines_of(inventory))
    for each in inventory.recorded:
        assert find_in_lines(lines, each.arn) == next(
            other for other in inventory.recorded if other.arn == each.arn
        )
    assert find_in_lines(lines, "arn:aws:rds:us-east-1:123456789012:db:none") is None


@given(inventories(), st.data())
def test_a_document_that_was_cut_off_is_none(inventory: Inventory, data: st.DataObject) -> None:
    text = "".join(lines_of(inventory)).rstrip("\n")
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(ValueError, match=r"."):
        inventory_from_lines(cut.splitlines())


@given(st.lists(st.text() | values.map(json.dumps), max_size=3))
def test_anything_else_is_a_value_error(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        inventory_from_lines(lines)


@pytest.mark.parametrize(
    ("line", "change", "said"),
    [
        (0, {"schema": "holdfast.settings/2"}, "schema is 'holdfast.settings/2'"),
        (0, {"resources": 2}, "1 resources follow, and not the 2 announced"),
        (0, {"slot": "2026-11-22"}, "slot is '2026-11-22', and no time"),
        (0, {"rpo_hours": "26"}, "rpo_hours is '26', and no whole number"),
        (0, {"home": None}, "home is None, and no text"),
        (1, {"arn": "orders"}, "'orders' is no ARN"),
        (1, {"settings": []}, r"settings is \[\], and no object"),
        (1, {"unread": {"Tags": 1}}, "unread has other values than texts"),
        (1, {"at": 7}, "at is 7, and no text"),
    ],
)
def test_what_is_wrong_is_named(line: int, change: dict[str, object], said: str) -> None:
    lines = list(lines_of(an_inventory()))
    lines[line] = json.dumps(json.loads(lines[line]) | change)
    with pytest.raises(ValueError, match=said):
        inventory_from_lines(lines)


def test_what_is_nested_without_a_bottom_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        inventory_from_lines(["[" * 200_000])


def test_what_the_newer_one_lacks_is_the_older_one_s() -> None:
    gone = one(TABLE.replace("orders", "gone"))
    newer = an_inventory(one(TTL="new"), whole=False)
    older = replace(an_inventory(one(TTL="old"), gone), slot=NIGHT - timedelta(days=1))
    both = completed(newer, older)
    assert (both.slot, both.is_whole) == (NIGHT, True)
    assert [each.arn for each in both.recorded] == sorted([TABLE, gone.arn])
    assert {each.arn: each.configuration.settings for each in both.recorded}[TABLE] == {"TTL": "new"}
