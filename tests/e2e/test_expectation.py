"""The demo's own check finds what is wrong: it would be worth nothing otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from local.company import COMPANY, PEOPLES_BACKUPS
from local.expectation import after_nights, bases_of, differences, kept
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing

NIGHTS = [datetime(2026, 10, 25, 2, tzinfo=UTC) + timedelta(days=day) for day in range(14)]
KEEP = {"daily": 7, "weekly": 4, "monthly": 12, "minimum": 2}
COPY_KEEP = {"daily": 7, "weekly": 4, "minimum": 1}
COPY_RULE = {"region": COPY_REGION, "keep": COPY_KEEP, "incremental": {"full_every_days": 6}}
PLAN = {"keep": KEEP, "copies": [COPY_RULE]}
KEY = "arn:aws:kms:us-west-2:123456789012:key/k"
ZONE = ZoneInfo("UTC")


def days(slots: set[datetime]) -> list[str]:
    return [f"{slot:%m-%d}" for slot in sorted(slots)]


def all_well() -> list[Standing]:
    """What stands after the fourteen nights when everything went right."""
    found = [
        Standing(kind=kind, name=name, region=HOME_REGION, slot=None, id=backup, key="", copy_of="")
        for kind, name, backup in PEOPLES_BACKUPS
    ]
    for thing in COMPANY:
        for region, keep in ((HOME_REGION, KEEP), (COPY_REGION, COPY_KEEP)):
            is_export = (thing.kind, region) == ("dynamodb", COPY_REGION)
            every = 6 if is_export else 1
            if thing.is_protected:
                found += [
                    Standing(
                        kind=thing.kind,
                        name=thing.name,
                        region=region,
                        slot=slot,
                        id=f"{thing.name}-{slot}",
                        key=KEY if thing.encrypted or is_export else "",
                        copy_of="" if region == HOME_REGION else "arn:aws:rds:…",
                        base=bases_of(NIGHTS, every)[slot],
                    )
                    for slot in after_nights(NIGHTS, keep, ZONE, every)
                ]
    return found


def without_base(found: list[Standing]) -> list[Standing]:
    return [replace(one, base=None) for one in found]


def without_export(found: list[Standing], day: int) -> list[Standing]:
    return [
        one
        for one in found
        if (one.name, one.region) != ("orders", COPY_REGION) or (one.slot and one.slot.day) != day
    ]


def test_fourteen_nights_counted_by_hand() -> None:
    """Seven days, the Sundays that end the two weeks before, and October's last day."""
    assert days(after_nights(NIGHTS, KEEP, ZONE)) == [
        *("10-25", "10-31", "11-01", "11-02", "11-03", "11-04", "11-05", "11-06", "11-07"),
    ]
    assert "10-31" not in days(after_nights(NIGHTS, COPY_KEEP, ZONE))


def test_what_changes_stand_on_stands_too_counted_by_hand() -> None:
    """Whole are those of 25 and 31 October and of 6 November. 1 November, the Sunday, stands on the 31st."""
    assert [f"{slot:%m-%d}" for slot, base in bases_of(NIGHTS, 6).items() if base is None] == [
        *("10-25", "10-31", "11-06"),
    ]
    assert days(after_nights(NIGHTS, COPY_KEEP, ZONE, 6)) == [
        *("10-25", "10-31", "11-01", "11-02", "11-03", "11-04", "11-05", "11-06", "11-07"),
    ]
    assert days(after_nights(NIGHTS[:9], COPY_KEEP, ZONE, 6)) == [
        *("10-25", "10-26", "10-27", "10-28", "10-29", "10-30", "10-31", "11-01", "11-02"),
    ]


def test_after_a_missed_night_everything_is_exported() -> None:
    missed = [NIGHTS[0], NIGHTS[2], NIGHTS[3]]
    assert list(bases_of(missed, 7).values()) == [None, None, NIGHTS[2]]


def test_the_minimum_is_a_floor() -> None:
    assert days(kept(NIGHTS, {"daily": 1, "minimum": 3}, ZONE)) == ["11-05", "11-06", "11-07"]


def test_a_day_is_one_of_the_plans_zone() -> None:
    late, early = datetime(2026, 11, 1, 22, tzinfo=UTC), datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
    assert kept([late, early], {"daily": 2}, ZoneInfo("Europe/Berlin")) == {late, early}
    assert kept([late, early], {"daily": 2}, ZONE) == {early}


def test_nothing_is_found_when_all_is_well() -> None:
    assert differences(PLAN, NIGHTS, all_well(), KEY) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda found: found[1:], "is gone"),
        (lambda found: found[:2] + found[3:], "is missing"),
        (lambda found: [*found, found[-1]], "2 backups of"),
        (lambda found: [*found, replace(found[-1], slot=NIGHTS[2])], "stands and should not"),
        (lambda found: [*found, replace(found[-1], name="playground", kind="rds")], "rds playground"),
        (lambda found: [*found, replace(found[-1], name="ledger-1", kind="rds")], "rds ledger-1"),
        (lambda found: [*found[:-1], replace(found[-1], key="")], "is not encrypted with"),
        (lambda found: [*found[:-1], replace(found[-1], copy_of="")], "does not say what it is a copy of"),
        (lambda found: [*found[:-1], replace(found[-1], whole=False)], "cannot be restored as it stands"),
        (without_base, "has everything, and should not"),
        (lambda found: without_export(found, 31), "orders in us-west-2: the backup of 2026-10-31 is missing"),
        (lambda found: [replace(one, key="") if one.base else one for one in found], "is not encrypted with"),
    ],
)
def test_every_difference_is_named(spoil: object, said: str) -> None:
    assert callable(spoil)
    assert any(said in one for one in differences(PLAN, NIGHTS, spoil(all_well()), KEY))
