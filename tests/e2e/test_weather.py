"""A short storm over the built code in the real runtime, judged by what was true; and that the judges see."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local import expectation, storm
from local.cloud import Cloud
from local.company import COMPANY
from local.demo import main
from local.house import furnish
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing
from local.storm import Night, Watch

pytestmark = pytest.mark.long

SEED = 1
NIGHTS = 2


@pytest.fixture(scope="module")
def stormy(built: None) -> Iterator[tuple[Watch, list[Night], list[str]]]:
    """Nights in a storm and the calm ones after it, with the lines of the truth's log."""
    with Cloud() as cloud:
        watch = Watch(house=furnish(cloud, storm.PARAMETERS))
        nights = list(storm.nights(watch.house, watch, storm.named("storm", SEED), NIGHTS))
        yield watch, nights, cloud.truth.read_text().splitlines()


class TestAShortStorm:
    def test_nothing_was_said_or_done_that_was_not_right(
        self, stormy: tuple[Watch, list[Night], list[str]]
    ) -> None:
        _, nights, _ = stormy
        assert [problem for night in nights for problem in night.problems] == []

    def test_when_it_is_over_all_is_as_the_plan_asks(
        self, stormy: tuple[Watch, list[Night], list[str]]
    ) -> None:
        watch, nights, _ = stormy
        assert watch.differences() == []
        assert sum(night.weather == "calm" for night in nights) <= storm.CALM_NIGHTS

    def test_it_was_a_storm(self, stormy: tuple[Watch, list[Night], list[str]]) -> None:
        _, nights, lines = stormy
        faults = [one["fault"] for one in map(json.loads, lines) if one["fault"]]
        assert len(faults) == sum(sum(night.faults.values()) for night in nights) > 15
        assert len(set(faults)) > 4
        assert not nights[-1].faults


def test_a_weather_that_there_is_not_is_named_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--weather", "rain"])
    assert "invalid choice: 'rain' (choose from" in capsys.readouterr().err


FIRST = datetime(2026, 10, 25, 2, tzinfo=UTC)
SLOTS = tuple(FIRST + timedelta(days=day) for day in range(6))
PLAN = {
    "keep": {"daily": 3, "minimum": 2},
    "copies": [{"region": COPY_REGION, "keep": {"daily": 2, "minimum": 1}}],
}


class TestTheJudges:
    """They find what is wrong: they would be worth nothing otherwise."""

    def one(self, slot: datetime | None, region: str = HOME_REGION, **changes: object) -> Standing:
        name = "by-hand" if slot is None else f"billing-{slot:%d}"
        standing = Standing(
            kind="rds", name="billing", region=region, slot=slot, id=name, key="", copy_of="", whole=True
        )
        return replace(standing, **changes)  # type: ignore[arg-type]

    def both(self, *slots: datetime) -> list[Standing]:
        return [self.one(slot, region) for slot in slots for region in (HOME_REGION, COPY_REGION)]

    def gone(self, before: list[Standing], after: list[Standing]) -> list[str]:
        return list(expectation.wrongly_gone(PLAN, before, after, SLOTS[-1]))

    def test_a_deletion_that_the_plan_asks_for_is_right(self) -> None:
        before = self.both(*SLOTS[:-1])
        after = [*self.both(*SLOTS[-2:]), self.one(SLOTS[-3])]
        assert self.gone(before, after) == []

    def test_each_that_it_does_not_is_told(self) -> None:
        newest = SLOTS[-1]
        stands = [self.one(slot) for slot in SLOTS]
        for before, after, said in (
            ([self.one(None)], [], "which a person made"),
            (stands, self.both(*SLOTS[-2:]), "which the plan keeps"),
            (stands, [self.one(newest)], "1 are left of a minimum of 2"),
            (stands[:3], [self.one(SLOTS[2]), self.one(SLOTS[1])], "brought no backup"),
            (stands[3:], [self.one(newest), self.one(SLOTS[3])], "before it was copied"),
            (
                stands,
                [*stands[3:], self.one(newest, base=SLOTS[0])],
                "on which another one stands",
            ),
        ):
            assert any(said in one for one in self.gone(before, after)), said

    def test_an_ok_with_something_missing_is_told(self) -> None:
        slot = SLOTS[0]
        protected = [thing for thing in COMPANY if thing.is_protected]
        everything = [
            self.one(slot, region, kind=thing.kind, name=thing.name)
            for thing in protected
            for region in (HOME_REGION, COPY_REGION)
        ]
        assert list(expectation.missing(everything, slot)) == []
        for absent in everything:
            for spoilt in ([], [replace(absent, whole=False)]):
                rest = [one for one in everything if one is not absent]
                assert len(list(expectation.missing(rest + spoilt, slot))) == 1

    def test_two_of_one_slot_are_told_unless_one_has_failed(self) -> None:
        slot = SLOTS[0]
        twins = [self.one(slot), self.one(slot, id="second")]
        assert len(list(expectation.twice(twins))) == 1
        assert list(expectation.twice([twins[0], replace(twins[1], failed=True, whole=False)])) == []

    def test_after_the_storm_what_was_made_and_is_kept_must_stand(self) -> None:
        thing = next(one for one in COMPANY if (one.kind, one.name) == ("rds", "website"))
        made = {(thing.kind, thing.name): SLOTS[1:]}
        stands = [
            self.one(slot, region, name=thing.name, copy_of="arn" if region == COPY_REGION else "")
            for region, slots in ((HOME_REGION, SLOTS[-3:]), (COPY_REGION, SLOTS[-2:]))
            for slot in slots
        ]
        told = expectation.after_storm(PLAN, made, stands, "key")
        assert [one for one in told if "website" in one] == []
        for spoilt, said in (
            (stands[1:], "is missing"),
            ([*stands, replace(stands[0], slot=SLOTS[0])], "stands and should not"),
            ([*stands, replace(stands[0], id="twin")], "2 backups of"),
            ([replace(stands[0], whole=False), *stands[1:]], "cannot be restored as it stands"),
        ):
            told = expectation.after_storm(PLAN, made, spoilt, "key")
            assert any("website" in one and said in one for one in told), said
