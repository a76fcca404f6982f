"""What time will do to retention, held against what is decided about backups that are really there."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from holdfast.core.future import MOST_NIGHTS, MOST_WITHIN, next_deletion, steady_slots
from holdfast.core.model import KEEP_ALL, KeepPolicy, slot_of
from holdfast.core.retention import decide
from holdfast.core.spans import Span
from tests.builders import NIGHT, a_backup, nights_ago

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FEWER = settings(max_examples=max(1, settings().max_examples // 4))
"""Each example is decided many times over."""

BERLIN = ZoneInfo("Europe/Berlin")


def kept(slots: Iterable[datetime], policy: KeepPolicy, zone: tzinfo, now: datetime) -> tuple[datetime, ...]:
    """What is decided about real backups of these slots."""
    verdicts = decide([a_backup(slot) for slot in slots], policy, now, zone)
    return tuple(sorted(slot_of(one.backup) for one in verdicts if one.keep))


counts = st.integers(min_value=0, max_value=6)
spans = st.sampled_from([None, None, Span(days=3), Span(hours=30), Span(months=1)])


@st.composite
def policies(draw: st.DrawFn) -> KeepPolicy:
    policy = KeepPolicy(
        last=draw(counts),
        hourly=draw(counts),
        daily=draw(counts),
        weekly=draw(counts),
        monthly=draw(st.integers(min_value=0, max_value=2)),
        within=draw(spans),
        oldest=draw(st.booleans()),
        minimum=draw(st.integers(min_value=1, max_value=8)),
    )
    assume(not policy.is_unusable)
    return policy


zones = st.sampled_from(
    [
        UTC,
        BERLIN,
        ZoneInfo("Australia/Lord_Howe"),  # sets its clocks by half an hour
        ZoneInfo("America/St_Johns"),  # set them at a minute past midnight
        ZoneInfo("America/Sao_Paulo"),  # had days without a midnight
    ]
)
moments = st.integers(min_value=0, max_value=36 * 365 * 24 * 60).map(
    lambda minutes: datetime(1990, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


class TestSteady:
    def test_seven_nights_are_seven_backups(self) -> None:
        assert steady_slots(KeepPolicy(daily=7), UTC, NIGHT, DAY) == tuple(
            nights_ago(night) for night in range(6, -1, -1)
        )

    def test_rules_that_keep_the_same_one_keep_it_once(self) -> None:
        assert len(steady_slots(KeepPolicy(daily=7, weekly=4, monthly=12), UTC, NIGHT, DAY)) == 7 + 3 + 11

    def test_more_backups_in_a_day_are_not_more_days(self) -> None:
        slots = steady_slots(KeepPolicy(daily=3), UTC, NIGHT, HOUR)
        assert slots == (nights_ago(2).replace(hour=23), nights_ago(1).replace(hour=23), NIGHT)

    def test_where_runs_are_rarer_than_a_rules_periods_it_keeps_as_many(self) -> None:
        assert steady_slots(KeepPolicy(daily=3), UTC, NIGHT, timedelta(days=10)) == (
            nights_ago(20),
            nights_ago(10),
            NIGHT,
        )

    def test_the_floor_keeps_more_than_the_rules(self) -> None:
        assert len(steady_slots(KeepPolicy(daily=1, minimum=5), UTC, NIGHT, DAY)) == 5

    def test_days_are_those_of_the_zone(self) -> None:
        late = NIGHT.replace(hour=23)  # in Berlin it is tomorrow
        assert steady_slots(KeepPolicy(daily=2), BERLIN, late, HOUR) == (late - HOUR, late)

    def test_an_oldest_one_is_not_kept_where_there_is_none(self) -> None:
        assert steady_slots(KeepPolicy(yearly=2, oldest=True), UTC, NIGHT, DAY) == steady_slots(
            KeepPolicy(yearly=2), UTC, NIGHT, DAY
        )

    @pytest.mark.parametrize("policy", [KEEP_ALL, KeepPolicy(daily=-1, last=3)])
    def test_a_policy_without_a_usable_rule_is_never_full(self, policy: KeepPolicy) -> None:
        assert steady_slots(policy, UTC, NIGHT, DAY) == ()

    def test_what_would_be_kept_for_ever_is_cut(self) -> None:
        # Two years of hours are more than that.
        assert len(steady_slots(KeepPolicy(within=Span(years=2)), UTC, NIGHT, HOUR)) == MOST_WITHIN

    def test_the_calendar_begins_somewhere(self) -> None:
        slots = steady_slots(KeepPolicy(yearly=10_000), BERLIN, NIGHT, DAY)
        assert len(slots) == NIGHT.year - 2
        assert slots[0].year == 3

    @pytest.mark.parametrize("every", [timedelta(0), -DAY])
    def test_runs_that_never_come_are_told(self, every: timedelta) -> None:
        with pytest.raises(ValueError, match="is none"):
            steady_slots(KeepPolicy(daily=1), UTC, NIGHT, every)

    @FEWER
    @given(
        policies(),
        zones,
        moments,
        st.sampled_from([timedelta(hours=5, minutes=3), timedelta(hours=12), DAY, timedelta(days=3)]),
    )
    @example(
        KeepPolicy(hourly=30), ZoneInfo("Australia/Lord_Howe"), datetime(2026, 4, 5, tzinfo=UTC), HOUR / 4
    )
    @example(
        KeepPolicy(hourly=30), ZoneInfo("Australia/Lord_Howe"), datetime(2026, 10, 5, tzinfo=UTC), HOUR / 4
    )
    @example(KeepPolicy(daily=9), ZoneInfo("America/St_Johns"), datetime(1990, 11, 1, tzinfo=UTC), HOUR / 2)
    @example(KeepPolicy(daily=9), ZoneInfo("America/Sao_Paulo"), datetime(2018, 11, 6, tzinfo=UTC), HOUR / 2)
    @example(KeepPolicy(daily=5), ZoneInfo("Pacific/Apia"), datetime(2012, 1, 2, tzinfo=UTC), HOUR)
    def test_it_is_what_is_decided_about_a_long_history(
        self, policy: KeepPolicy, zone: tzinfo, now: datetime, every: timedelta
    ) -> None:
        history = [now - every * back for back in range(480)]
        # Enough for all that these policies ask for: else it is the history that is too short.
        reach = timedelta(days=7 * policy.weekly + 31 * policy.monthly + 40)
        assume(every < timedelta(hours=5) or reach < every * 480 or not (policy.weekly or policy.monthly))
        assert set(kept(history, policy, zone, now)) - {history[-1]} == set(
            steady_slots(policy, zone, now, every)
        ) - {history[-1]}


class TestNextDeletion:
    def test_the_next_run_lets_the_eighth_of_seven_go(self) -> None:
        slots = [nights_ago(night) for night in range(7)]
        assert next_deletion(slots, KeepPolicy(daily=7), UTC, DAY, NIGHT) == NIGHT + DAY

    def test_with_four_of_seven_it_is_the_fourth_run(self) -> None:
        slots = [nights_ago(night) for night in range(4)]
        assert next_deletion(slots, KeepPolicy(daily=7), UTC, DAY, NIGHT) == NIGHT + 4 * DAY

    def test_one_that_is_yet_to_come_may_be_the_first_to_go(self) -> None:
        assert next_deletion([NIGHT], KeepPolicy(monthly=12), UTC, DAY, NIGHT) == NIGHT + DAY
        end_of_month = NIGHT.replace(day=30)
        goes = next_deletion([end_of_month], KeepPolicy(monthly=12), UTC, DAY, end_of_month)
        assert goes == end_of_month + 2 * DAY  # the first of December, for the second

    def test_it_looks_no_further_than_it_says(self) -> None:
        policy = KeepPolicy(last=MOST_NIGHTS)
        assert next_deletion([NIGHT], policy, UTC, DAY, NIGHT) == NIGHT + MOST_NIGHTS * DAY
        assert next_deletion([], policy, UTC, DAY, NIGHT) is None

    def test_a_policy_without_a_usable_rule_lets_nothing_go(self) -> None:
        assert next_deletion([NIGHT], KEEP_ALL, UTC, DAY, NIGHT) is None

    def test_runs_that_never_come_are_told(self) -> None:
        with pytest.raises(ValueError, match="is none"):
            next_deletion([NIGHT], KeepPolicy(daily=1), UTC, timedelta(0), NIGHT)

    @FEWER
    @given(
        policies(),
        zones,
        moments,
        st.sampled_from([HOUR, timedelta(hours=6), DAY, timedelta(days=7)]),
        st.sets(st.integers(min_value=0, max_value=30), max_size=12),
    )
    def test_it_is_what_is_decided_night_after_night(
        self, policy: KeepPolicy, zone: tzinfo, now: datetime, every: timedelta, backs: set[int]
    ) -> None:
        standing = kept([now - every * back for back in backs], policy, zone, now)
        found = next_deletion(standing, policy, zone, every, now)
        expected = _first_by_night(standing, policy, zone, every, now)
        if expected is None:
            assert found is None or found > now + every * NIGHTS
        else:
            assert found == expected


NIGHTS = 40


def _first_by_night(
    standing: Sequence[datetime], policy: KeepPolicy, zone: tzinfo, every: timedelta, newest: datetime
) -> datetime | None:
    """Of the next `NIGHTS` runs alone."""
    slots = list(standing)
    for night in range(1, NIGHTS + 1):
        slots.append(newest + every * night)
        if len(kept(slots, policy, zone, slots[-1])) < len(slots):
            return slots[-1]
    return None
