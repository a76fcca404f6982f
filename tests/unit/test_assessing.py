"""How each resource of a plan stands in each place, from what was listed alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.assessing import Listed, assess, interval_of, restorable
from holdfast.core.health import Scene
from holdfast.core.model import Backup, BackupState, KeepPolicy, Plan, Resource, slot_of
from holdfast.core.posture import Health, LastRun, Protection, TickState
from holdfast.core.report import Status
from holdfast.core.spans import Span
from holdfast.prices import load_prices
from tests.builders import (
    AWAY_REGION,
    COPIED,
    DATABASE,
    HOME,
    HOME_REGION,
    NIGHT,
    a_backup,
    a_plan,
    a_resource,
    a_rule,
    nights_ago,
)

HOUR = timedelta(hours=1)
PRICES = load_prices()
OTHER = DATABASE.replace("orders", "users")
ENDED = LastRun(slot=NIGHT, status=Status.OK, ended=True)


def a_scene(plan: Plan, at: datetime = NIGHT + HOUR) -> Scene:
    return Scene(plan=plan, at=at, home=HOME, prices=PRICES, last_run=ENDED)


def a_listing(home: Sequence[Backup], away: Sequence[Backup] = (), *names: str) -> Listed:
    return Listed(
        kind="rds",
        laws=COPIED,
        resources=[a_resource(arn) for arn in names or (DATABASE,)],
        by_place={HOME_REGION: home, AWAY_REGION: away},
    )


def assessed(
    home: Sequence[Backup],
    away: Sequence[Backup] = (),
    *names: str,
    plan: Plan | None = None,
    at: datetime = NIGHT + HOUR,
) -> list[Protection]:
    return assess([a_listing(home, away, *names)], a_scene(plan or a_plan(), at))


def nights(*back: float, source: str = DATABASE, region: str = "") -> list[Backup]:
    return [a_backup(nights_ago(one), source, region=region) for one in back]


class TestTimelines:
    def test_each_slot_tells_why_it_is_kept_and_what_is_to_go(self) -> None:
        [line] = assessed(nights(0, 1, 2, 3))
        assert [(one.slot, one.state, one.reason) for one in line.ticks] == [
            (nights_ago(3), TickState.LEAVING, "no rule keeps it (daily 3, minimum 2)"),
            (nights_ago(2), TickState.KEPT, "daily 3 of 3"),
            (nights_ago(1), TickState.KEPT, "daily 2 of 3"),
            (NIGHT, TickState.KEPT, "daily 1 of 3"),
        ]
        assert (line.good, line.full, line.next_deletion) == (4, 3, NIGHT + timedelta(days=1))

    def test_what_somebody_holds_is_told_with_the_reason_of_each(self) -> None:
        held = [
            a_backup(nights_ago(back), tags={"holdfast:hold": why})
            for back, why in ((5, "court"), (6, "tax"))
        ]
        [line] = assessed([*nights(0, 1, 2), *held])
        assert [one.reason for one in line.ticks[:2]] == ["held: tax", "held: court"]

    def test_two_resources_of_one_pattern_do_not_share_what_differs(self) -> None:
        held = [a_backup(NIGHT, source, tags={"holdfast:hold": source[-6:]}) for source in (DATABASE, OTHER)]
        lines = assessed(held, (), DATABASE, OTHER)
        assert [one.ticks[0].reason for one in lines] == ["held: orders", "held: :users"]

    def test_an_unusable_policy_keeps_everything_and_is_never_full(self) -> None:
        [line] = assessed(nights(*range(20)), plan=a_plan(keep=KeepPolicy()))
        assert (line.good, line.full, line.next_deletion, line.missing) == (20, 0, None, 0)
        assert {one.state for one in line.ticks} == {TickState.KEPT}

    def test_a_policy_that_looks_back_from_the_newest_expects_nights_of_that_time(self) -> None:
        keep = KeepPolicy(within=Span(days=4))
        home = [*nights(0, 1, 3, 9), *nights(*range(12), source=OTHER)]
        [line, _] = assessed(home, (), DATABASE, OTHER, plan=a_plan(keep=keep))
        assert [one.slot for one in line.ticks if one.state is TickState.MISSING] == [nights_ago(2)]

    def test_days_are_those_of_the_plans_zone(self) -> None:
        """14:00 UTC and the next 02:00 UTC are of one day in Auckland."""
        home = nights(0, 0.5, 1, 1.5)
        for zone, kept in (("UTC", 3), ("Pacific/Auckland", 2)):
            [line] = assessed(home, plan=a_plan(keep=KeepPolicy(daily=5), time_zone=zone))
            assert sum(one.state is TickState.KEPT for one in line.ticks) == kept, zone

    @pytest.mark.parametrize(("hours", "full"), [(1, 24), (6, 4), (24, 1)])
    def test_what_is_full_hangs_on_how_often_runs_come(self, hours: int, full: int) -> None:
        home = nights(*(back * hours / 24 for back in range(5)))
        [line] = assessed(home, plan=a_plan(keep=KeepPolicy(within=Span(days=1))))
        assert line.full == full

    def test_a_deletion_under_way_is_neither_there_nor_missing(self) -> None:
        home = [*nights(0, 2), a_backup(nights_ago(1), state=BackupState.DELETING)]
        [line] = assessed(home)
        assert (line.good, line.missing, len(line.ticks)) == (2, 0, 2)


class TestIntervals:
    def test_it_is_a_day_until_there_are_two_slots(self) -> None:
        for home in ([], nights(0)):
            assert interval_of([a_listing(home)], a_scene(a_plan())) == timedelta(days=1)

    def test_a_run_by_hand_and_a_night_that_was_missed_do_not_change_it(self) -> None:
        home = nights(0, 0.5, 1, 2, 3, 5, 6, 7)
        assert interval_of([a_listing(home)], a_scene(a_plan())) == timedelta(days=1)

    def test_neither_does_a_plan_that_keeps_few_of_its_nights(self) -> None:
        scene = replace(a_scene(a_plan()), ran=[nights_ago(back) for back in range(9, -1, -1)])
        assert interval_of([a_listing(nights(0, 7, 14))], scene) == timedelta(days=1)

    def test_two_slots_say_nothing_yet(self) -> None:
        by_hand = [*nights(0), a_backup(NIGHT - timedelta(hours=1))]
        assert interval_of([a_listing(by_hand)], a_scene(a_plan())) == timedelta(days=1)
        third = [*by_hand, a_backup(NIGHT - timedelta(hours=2))]
        assert interval_of([a_listing(third)], a_scene(a_plan())) == timedelta(hours=1)

    def test_neither_do_others_backups_nor_such_of_the_future(self) -> None:
        home = [*nights(0, 1, 2, -9), a_backup(nights_ago(0.3), plan="weekly"), a_backup(ours=False)]
        assert interval_of([a_listing(home)], a_scene(a_plan())) == timedelta(days=1)


class TestChains:
    def chain(self, *links: tuple[float, float | None]) -> list[Backup]:
        return [a_backup(nights_ago(of), base=None if on is None else nights_ago(on)) for of, on in links]

    @pytest.mark.parametrize(
        ("links", "whole"),
        [
            (((3, None), (2, 3), (1, 2)), [3, 2, 1]),
            (((2, 3), (1, 2)), []),
            (((3, None), (1, 2)), [3]),
            (((1, 2), (2, 1)), []),
            (((1, 1),), []),
            (((3, None), (2, None), (1, 3)), [3, 2, 1]),
        ],
    )
    def test_what_stands_on_what_is_gone_is_no_good(
        self, links: Sequence[tuple[float, float | None]], whole: list[int]
    ) -> None:
        good = [one for one in restorable(self.chain(*links)) if one.state is BackupState.AVAILABLE]
        assert [(NIGHT - slot_of(one)).days for one in good] == whole

    def test_so_is_what_stands_on_what_failed(self) -> None:
        base, change = self.chain((2, None), (1, 2))
        failed = replace(base, state=BackupState.FAILED)
        assert [one.state for one in restorable([failed, change])] == [BackupState.FAILED] * 2


STATES = st.sampled_from(BackupState)
STANDING = st.lists(
    st.builds(
        lambda back, state, away, source, serial: a_backup(
            nights_ago(back), source, state, region=AWAY_REGION if away else "", serial=serial
        ),
        st.integers(-1, 9),
        STATES,
        st.booleans(),
        st.sampled_from([DATABASE, OTHER]),
        st.just(0),
    ),
    max_size=14,
    unique_by=lambda one: one.arn,
)


@settings(max_examples=12)
@given(standing=STANDING, data=st.data())
def test_the_order_of_a_listing_and_what_it_shows_twice_say_nothing(
    standing: list[Backup], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(standing + standing[:3]))
    resources: list[Resource] = [a_resource(DATABASE), a_resource(OTHER)]

    def lines(backups: Sequence[Backup], listed: Sequence[Resource]) -> list[Protection]:
        by_place = {
            place: [one for one in backups if one.place == place] for place in (HOME_REGION, AWAY_REGION)
        }
        listing = Listed(kind="rds", laws=COPIED, resources=listed, by_place=by_place)
        return assess([listing], a_scene(a_plan(copies=(a_rule(),))))

    told = lines(standing, resources)
    assert lines(shuffled, [*reversed(resources), resources[0]]) == told
    for line in told:
        good = {
            slot_of(one)
            for one in standing
            if (one.source, one.place) == (line.resource, line.place)
            and one.state is BackupState.AVAILABLE
            and slot_of(one) <= NIGHT + HOUR
        }
        assert (line.good, line.newest) == (len(good), max(good, default=None))
        assert (line.health is Health.OK) == (NIGHT in good or nights_ago(1) in good)
        assert line.missing == sum(one.state is TickState.MISSING for one in line.ticks)
        assert [one.slot for one in line.ticks] == sorted({one.slot for one in line.ticks})
