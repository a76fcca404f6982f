"""When two items are the same, as DynamoDB compares them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.items import Item, identity, is_expired, is_same, key_from_dict, key_to_dict

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)
scalars = (
    st.builds(lambda text: {"S": text}, st.text(max_size=8))
    | st.builds(lambda number: {"N": str(number)}, numbers)
    | st.builds(lambda data: {"B": data}, st.binary(max_size=8))
    | st.builds(lambda flag: {"BOOL": flag}, st.booleans())
    | st.just({"NULL": True})
    | st.builds(lambda each: {"NS": [str(one) for one in each]}, st.sets(numbers, min_size=1, max_size=3))
    | st.builds(lambda each: {"SS": list(each)}, st.sets(st.text(max_size=4), min_size=1, max_size=3))
    | st.builds(lambda each: {"BS": list(each)}, st.sets(st.binary(max_size=4), min_size=1, max_size=3))
)
values: Any = st.recursive(
    scalars,
    lambda inner: (
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"M": each}, st.dictionaries(st.text(max_size=4), inner, max_size=3))
    ),
    max_leaves=6,
)
items = st.dictionaries(st.text(min_size=1, max_size=4), values, max_size=4)


def otherwise(value: dict[str, Any]) -> dict[str, Any]:
    """The same value in another form."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return {kind: f"{Decimal(content) * 10:f}e-1"}
        case "NS" | "SS" | "BS":
            return {kind: list(reversed(content))}
        case "L":
            return {kind: [otherwise(one) for one in content]}
        case "M":
            return {kind: {name: otherwise(content[name]) for name in reversed(content)}}
    return value


@settings(max_examples=40)
@given(items)
def test_the_form_does_not_matter(item: dict[str, Any]) -> None:
    assert is_same(item, {name: otherwise(item[name]) for name in reversed(item)})


@settings(max_examples=40)
@given(items, items)
def test_what_is_same_has_the_same_attributes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert is_same(one, other) == is_same(other, one)
    if is_same(one, other):
        assert one.keys() == other.keys()
    assert is_same(one, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"N": "1"}, {"S": "1"}),
        ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}),
        ({"SS": ["a"]}, {"L": [{"S": "a"}]}),
        ({"SS": ["1"]}, {"NS": ["1"]}),
        ({"B": b"a"}, {"S": "a"}),
        ({"BOOL": True}, {"N": "1"}),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "1"}, "b": {"NULL": True}}}),
        ({"S": "é"}, {"S": "e\u0301"}),
    ],
)
def test_what_is_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not is_same({"a": one}, {"a": other})


def test_a_key_is_known_by_its_value() -> None:
    one, other = {"id": {"N": "1.0"}, "at": {"S": "x"}}, {"at": {"S": "x"}, "id": {"N": "1"}}
    assert identity(one) == identity(other)
    assert len({identity(one), identity(other), identity({"at": {"S": "x"}, "id": {"S": "1"}})}) == 2


def test_a_key_goes_into_a_document_and_comes_back() -> None:
    key: Item = {"id": {"B": b"\x00\xff"}, "at": {"N": "1"}}
    assert json.dumps(key_to_dict(key)) == '{"id": {"B": "AP8="}, "at": {"N": "1"}}'
    assert key_from_dict(key_to_dict(key)) == key


@pytest.mark.parametrize(
    ("value", "expired"),
    [
        ({"N": str(int(NOW.timestamp()) - 1)}, True),
        ({"N": str(int(NOW.timestamp()))}, False),
        ({"N": str(int(NOW.timestamp()) * 1000)}, False),
        ({"N": str(int(NOW.timestamp()) - 6 * 365 * 86400)}, False),
        ({"N": "-1"}, False),
        ({"S": "1"}, False),
        ({"L": []}, False),
    ],
)
def test_what_time_to_live_deletes(value: dict[str, Any], expired: bool) -> None:
    assert is_expired({"until": value}, "until", NOW) is expired
    assert not is_expired({"until": value}, "", NOW)
    assert not is_expired({"other": value}, "until", NOW)
