"""What people were told that a plan keeps, and from which run on it may delete."""

from dataclasses import replace
from datetime import datetime

import pytest

from holdfast.core.model import KeepPolicy, Retention
from holdfast.core.spans import Span
from holdfast.core.told import Told, known_before, told_from_dict, told_now, told_to_dict
from tests.builders import AWAY_REGION, HOME_REGION, NIGHT, nights_ago

WEEK = Retention(policies={HOME_REGION: KeepPolicy(daily=7, minimum=2)})
DAYS = Retention(policies={HOME_REGION: KeepPolicy(daily=3, minimum=2)})
HOURS = Retention(policies={HOME_REGION: KeepPolicy(hourly=3, minimum=2)})

LONG_TOLD = Told(retention=WEEK, slot=nights_ago(9))
CHANGED_TONIGHT = Told(retention=DAYS, slot=NIGHT, before=WEEK)


def test_nobody_knows_before_the_first_message() -> None:
    assert known_before(None, NIGHT) is None


def test_it_is_known_from_the_run_after_the_message_on() -> None:
    first = told_now(None, NIGHT, WEEK)
    assert first == Told(retention=WEEK, slot=NIGHT)
    assert known_before(first, NIGHT) is None
    assert known_before(first, nights_ago(-1)) == WEEK


def test_a_change_is_known_from_the_run_after_it_on() -> None:
    assert told_now(LONG_TOLD, NIGHT, DAYS) == CHANGED_TONIGHT
    assert known_before(CHANGED_TONIGHT, nights_ago(-1)) == DAYS


def test_until_then_what_was_told_before_is_known_also_when_the_run_is_repeated() -> None:
    assert known_before(CHANGED_TONIGHT, NIGHT) == WEEK
    assert known_before(CHANGED_TONIGHT, nights_ago(3)) == WEEK


@pytest.mark.parametrize("slot", [NIGHT, nights_ago(-1), nights_ago(3)])
def test_the_same_again_is_no_news(slot: datetime) -> None:
    assert told_now(CHANGED_TONIGHT, slot, DAYS) is None
    assert told_now(LONG_TOLD, slot, WEEK) is None


@pytest.mark.parametrize("slot", [NIGHT, nights_ago(3)], ids=["the same run", "an earlier one, run again"])
def test_a_second_change_does_not_make_the_first_known_any_sooner(slot: datetime) -> None:
    told = told_now(CHANGED_TONIGHT, slot, HOURS)
    assert told == Told(retention=HOURS, slot=NIGHT, before=WEEK)


def test_it_is_read_as_it_is_written() -> None:
    every = KeepPolicy(
        last=1, hourly=2, daily=3, weekly=4, monthly=5, yearly=6, within=Span(days=7), oldest=True, minimum=8
    )
    retention = Retention(
        policies={HOME_REGION: every, AWAY_REGION: KeepPolicy(daily=1)}, time_zone="Europe/Berlin"
    )
    told = Told(retention=retention, slot=NIGHT, before=WEEK)
    assert told_from_dict(told_to_dict(told)) == told
    assert told_from_dict(told_to_dict(replace(told, before=None))) == replace(told, before=None)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "holdfast.told/9"},
        {"slot": "tonight"},
        {"retention": None},
        {"retention": {}},
        {"before": 7},
    ],
)
def test_anything_else_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        told_from_dict(told_to_dict(CHANGED_TONIGHT) | change)


def test_a_span_that_is_none_is_an_error() -> None:
    data = told_to_dict(CHANGED_TONIGHT)
    data["retention"]["policies"][HOME_REGION]["within"] = "a while"
    with pytest.raises(ValueError, match="within is 'a while'"):
        told_from_dict(data)
