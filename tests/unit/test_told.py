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

LONG_TOLD = Told(retention=WEEK, since=nights_ago(9), last=nights_ago(1))
CHANGED_TONIGHT = Told(retention=DAYS, since=NIGHT, last=NIGHT, before=WEEK)
TOMORROW = nights_ago(-1)


def told_of(told: Told | None, slot: datetime, retention: Retention) -> Told:
    return told_now({"rds": told} if told else {}, slot, {"rds": retention})["rds"]


def known(told: Told, slot: datetime) -> Retention | None:
    return known_before({"rds": told}, slot).get("rds")


def test_nobody_knows_before_the_first_message() -> None:
    assert known_before({}, NIGHT) == {}


def test_it_is_known_from_the_run_after_the_message_on() -> None:
    first = told_of(None, NIGHT, WEEK)
    assert first == Told(retention=WEEK, since=NIGHT, last=NIGHT)
    assert known(first, NIGHT) is None
    assert known(first, TOMORROW) == WEEK


def test_a_change_is_known_from_the_run_after_it_on() -> None:
    assert told_of(LONG_TOLD, NIGHT, DAYS) == CHANGED_TONIGHT
    assert known(CHANGED_TONIGHT, TOMORROW) == DAYS


def test_until_then_what_was_told_before_is_known_also_when_the_run_is_repeated() -> None:
    assert known(CHANGED_TONIGHT, NIGHT) == WEEK
    assert known(CHANGED_TONIGHT, nights_ago(3)) == WEEK


def test_the_same_again_is_told_since_the_first_time() -> None:
    assert told_of(LONG_TOLD, NIGHT, WEEK) == replace(LONG_TOLD, last=NIGHT)
    assert told_of(CHANGED_TONIGHT, NIGHT, DAYS) == CHANGED_TONIGHT


def test_a_second_change_in_the_same_run_does_not_make_the_first_one_known_any_sooner() -> None:
    assert told_of(CHANGED_TONIGHT, NIGHT, HOURS) == replace(CHANGED_TONIGHT, retention=HOURS)


@pytest.mark.parametrize("retention", [DAYS, HOURS, WEEK])
def test_the_message_of_an_earlier_slot_changes_nothing(retention: Retention) -> None:
    """A run that is repeated for an earlier slot: what the newer messages said holds."""
    assert told_of(CHANGED_TONIGHT, nights_ago(3), retention) == CHANGED_TONIGHT
    assert told_of(LONG_TOLD, nights_ago(3), retention) == LONG_TOLD


def test_each_kind_is_told_of_by_itself() -> None:
    told = told_now({"rds": LONG_TOLD}, NIGHT, {"dynamodb": DAYS})
    assert told == {"rds": LONG_TOLD, "dynamodb": Told(retention=DAYS, since=NIGHT, last=NIGHT)}
    assert known_before(told, NIGHT) == {"rds": WEEK}
    assert known_before(told, TOMORROW) == {"rds": WEEK, "dynamodb": DAYS}


def test_it_is_read_as_it_is_written() -> None:
    every = KeepPolicy(
        last=1, hourly=2, daily=3, weekly=4, monthly=5, yearly=6, within=Span(days=7), oldest=True, minimum=8
    )
    policies = {HOME_REGION: every, AWAY_REGION: KeepPolicy(daily=1)}
    retention = Retention(policies=policies, time_zone="Europe/Berlin")
    told = {"rds": Told(retention=retention, since=nights_ago(2), last=NIGHT), "aurora": CHANGED_TONIGHT}
    assert told_from_dict(told_to_dict(told)) == told
    assert told_from_dict(told_to_dict({})) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"since": "tonight"},
        {"last": "tonight"},
        {"retention": None},
        {"retention": {}},
        {"retention": {"time_zone": "UTC", "policies": {HOME_REGION: {"daily": 7, "within": "a while"}}}},
        {"before": 7},
    ],
)
def test_anything_else_is_an_error(change: dict[str, object]) -> None:
    data = told_to_dict({"rds": CHANGED_TONIGHT})
    with pytest.raises((ValueError, KeyError, TypeError)):
        told_from_dict(data | {"kinds": {"rds": data["kinds"]["rds"] | change}})
    with pytest.raises((ValueError, KeyError, TypeError)):
        told_from_dict(data | {"schema": "holdfast.told/9"})
