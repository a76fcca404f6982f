"""Which backups are kept: by example, by property, and against a second statement of the same rules."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import HOLD_TAG, Backup, BackupState, KeepPolicy, slot_of
from holdfast.core.retention import Verdict, decide, describe
from holdfast.core.spans import Span
from tests.builders import DATABASE, NIGHT, a_backup, nights_ago

BERLIN = ZoneInfo("Europe/Berlin")
AVAILABLE = BackupState.AVAILABLE


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def kept(slots: Iterable[str], policy: KeepPolicy, *, zone: tzinfo = UTC) -> list[str]:
    """The slots that are kept of good backups, newest first, as they were written."""
    by_slot = {at(slot): slot for slot in slots}
    backups = [a_backup(slot) for slot in by_slot]
    verdicts = decide(backups, policy, max(by_slot), zone)
    return [by_slot[slot_of(one.backup)] for one in verdicts if one.keep]


class TestRules:
    daily_fortnight = tuple(f"2026-11-{day:02}T02:00" for day in range(22, 8, -1))

    @pytest.mark.parametrize(
        ("policy", "slots", "expected"),
        [
            pytest.param(
                KeepPolicy(last=3),
                daily_fortnight,
                ["2026-11-22T02:00", "2026-11-21T02:00", "2026-11-20T02:00"],
                id="last keeps the newest whatever their age",
            ),
            pytest.param(
                KeepPolicy(hourly=2),
                ["2026-11-22T02:50", "2026-11-22T02:10", "2026-11-22T01:50", "2026-11-21T23:00"],
                ["2026-11-22T02:50", "2026-11-22T01:50"],
                id="hourly keeps the newest of an hour",
            ),
            pytest.param(
                KeepPolicy(hourly=2),
                ["2026-11-22T02:50", "2026-11-21T02:50", "2026-11-20T02:50"],
                ["2026-11-22T02:50", "2026-11-21T02:50"],
                id="hourly: the same hour of two days is two hours",
            ),
            pytest.param(
                KeepPolicy(daily=2),
                ["2026-11-22T02:00", "2026-10-22T02:00", "2025-11-22T02:00"],
                ["2026-11-22T02:00", "2026-10-22T02:00"],
                id="daily: the same day of two months is two days",
            ),
            pytest.param(
                KeepPolicy(daily=2),
                ["2026-11-22T02:00", "2025-11-22T02:00", "2024-11-22T02:00"],
                ["2026-11-22T02:00", "2025-11-22T02:00"],
                id="daily: the same date of two years is two days",
            ),
            pytest.param(
                KeepPolicy(daily=3),
                [
                    "2026-11-22T14:00",
                    "2026-11-22T02:00",
                    "2026-11-21T02:00",
                    "2026-11-20T02:00",
                    "2026-11-19T02:00",
                ],
                ["2026-11-22T14:00", "2026-11-21T02:00", "2026-11-20T02:00"],
                id="daily keeps the newest of a day",
            ),
            pytest.param(
                KeepPolicy(daily=3),
                ["2026-11-22T02:00", "2026-09-03T02:00", "2026-02-01T02:00", "2025-02-01T02:00"],
                ["2026-11-22T02:00", "2026-09-03T02:00", "2026-02-01T02:00"],
                id="days without a backup do not count, so nothing expires by itself",
            ),
            pytest.param(
                KeepPolicy(weekly=2),
                daily_fortnight,
                ["2026-11-22T02:00", "2026-11-15T02:00"],
                id="weekly: an ISO week ends on Sunday",
            ),
            pytest.param(
                KeepPolicy(monthly=3),
                [
                    "2026-11-01T02:00",
                    "2026-10-31T02:00",
                    "2026-10-01T02:00",
                    "2026-09-30T02:00",
                    "2026-08-31T02:00",
                ],
                ["2026-11-01T02:00", "2026-10-31T02:00", "2026-09-30T02:00"],
                id="monthly keeps the newest of a month",
            ),
            pytest.param(
                KeepPolicy(yearly=2),
                ["2027-01-01T00:00", "2026-12-31T23:59", "2026-01-01T00:00", "2025-12-31T00:00"],
                ["2027-01-01T00:00", "2026-12-31T23:59"],
                id="yearly: the year ends at midnight",
            ),
            pytest.param(
                KeepPolicy(monthly=2),
                ["2027-01-01T00:00", "2026-12-31T23:59", "2026-12-01T00:00"],
                ["2027-01-01T00:00", "2026-12-31T23:59"],
                id="monthly: January and December of the year before are two months",
            ),
            pytest.param(
                KeepPolicy(monthly=2),
                ["2026-11-01T02:00", "2025-11-01T02:00", "2024-11-01T02:00"],
                ["2026-11-01T02:00", "2025-11-01T02:00"],
                id="monthly: the same month of two years is two months",
            ),
            pytest.param(
                KeepPolicy(weekly=2),
                ["2026-11-22T02:00", "2025-11-23T02:00", "2024-11-24T02:00"],
                ["2026-11-22T02:00", "2025-11-23T02:00"],
                id="weekly: week 47 of two years is two weeks",
            ),
            pytest.param(
                KeepPolicy(weekly=2),
                ["2027-01-03T02:00", "2026-12-31T02:00", "2026-12-28T02:00", "2026-12-27T02:00"],
                ["2027-01-03T02:00", "2026-12-27T02:00"],
                id="weekly: week 53 of 2026 reaches into 2027",
            ),
            pytest.param(
                KeepPolicy(weekly=2),
                ["2025-12-29T02:00", "2025-12-28T02:00", "2025-01-05T02:00"],
                ["2025-12-29T02:00", "2025-12-28T02:00"],
                id="weekly: the last days of 2025 are in week 1 of 2026",
            ),
            pytest.param(
                KeepPolicy(daily=2, weekly=2),
                daily_fortnight,
                ["2026-11-22T02:00", "2026-11-21T02:00", "2026-11-15T02:00"],
                id="rules are OR-ed and may keep the same",
            ),
        ],
    )
    def test_the_rules(self, policy: KeepPolicy, slots: Sequence[str], expected: list[str]) -> None:
        assert kept(slots, policy) == expected

    def test_the_reasons_name_every_rule_that_keeps_it(self) -> None:
        verdicts = decide(
            [a_backup(NIGHT), a_backup(nights_ago(1))], KeepPolicy(daily=1, monthly=2), NIGHT, UTC
        )
        assert [(one.keep, one.reason) for one in verdicts] == [
            (True, "daily 1 of 1, monthly 1 of 2"),
            (False, "no rule keeps it (daily 1, monthly 2, minimum 1)"),
        ]

    def test_a_policy_reads_as_its_counts(self) -> None:
        assert describe(KeepPolicy(daily=7, weekly=4, minimum=2)) == "daily 7, weekly 4, minimum 2"
        policy = KeepPolicy(last=1, within=Span(months=1, days=2), oldest=True)
        assert describe(policy) == "last 1, within 1m2d, oldest, minimum 1"


class TestWithin:
    nights = tuple(f"2026-11-{day:02}T02:00" for day in (22, 21, 20, 19, 18))

    def test_what_is_younger_than_that_is_kept_seen_from_the_newest(self) -> None:
        assert kept(self.nights, KeepPolicy(within=Span(days=2))) == list(self.nights[:2])
        assert kept(self.nights, KeepPolicy(within=Span(days=2, hours=1))) == list(self.nights[:3])

    def test_the_age_is_none_of_the_clocks(self) -> None:
        backups = [a_backup(at(slot)) for slot in self.nights]
        years_later = at("2031-01-01T00:00")
        verdicts = decide(backups, KeepPolicy(within=Span(days=2)), years_later, UTC)
        assert [one.reason for one in verdicts if one.keep] == ["within 2d of the newest"] * 2

    @pytest.mark.parametrize(
        "newer",
        [
            a_backup(nights_ago(-3)),
            a_backup(nights_ago(0), state=BackupState.CREATING),
            a_backup(nights_ago(0), tags={HOLD_TAG: ""}),
            a_backup(nights_ago(0), ours=False),
        ],
        ids=["future", "creating", "held", "not ours"],
    )
    def test_the_newest_is_a_good_one(self, newer: Backup) -> None:
        old = [a_backup(nights_ago(night)) for night in (10, 11, 12)]
        verdicts = decide([newer, *old], KeepPolicy(within=Span(days=2)), NIGHT, UTC)
        assert [one.keep for one in verdicts if one.backup in old] == [True, True, False]

    def test_it_keeps_beside_the_counts(self) -> None:
        slots = ["2026-11-22T14:00", "2026-11-22T02:00", "2026-11-21T02:00", "2026-11-20T02:00"]
        backups = [a_backup(at(slot)) for slot in slots]
        verdicts = decide(backups, KeepPolicy(daily=2, within=Span(hours=13)), NIGHT + timedelta(days=1), UTC)
        assert [one.reason for one in verdicts] == [
            "daily 1 of 2, within 13h of the newest",
            "within 13h of the newest",
            "daily 2 of 2",
            "no rule keeps it (daily 2, within 13h, minimum 1)",
        ]

    def test_days_are_days_of_24_hours_whatever_the_zone(self) -> None:
        slots = [
            "2026-03-29T23:00",
            "2026-03-28T23:30",
            "2026-03-28T22:30",
        ]  # the 29th had 23 hours in Berlin
        assert kept(slots, KeepPolicy(within=Span(days=1)), zone=BERLIN) == slots[:2]


class TestOldest:
    def test_a_rule_with_counts_left_keeps_the_oldest_too(self) -> None:
        slots = ["2026-11-22T14:00", "2026-11-22T02:00", "2026-11-21T14:00", "2026-11-21T02:00"]
        assert kept(slots, KeepPolicy(daily=3)) == [slots[0], slots[2]]
        assert kept(slots, KeepPolicy(daily=3, oldest=True)) == [slots[0], slots[2], slots[3]]

    def test_a_rule_whose_counts_are_used_up_does_not(self) -> None:
        slots = ["2026-11-22T14:00", "2026-11-22T02:00", "2026-11-21T14:00", "2026-11-21T02:00"]
        assert kept(slots, KeepPolicy(daily=2, oldest=True)) == [slots[0], slots[2]]

    def test_one_that_is_the_newest_of_its_period_is_counted_once(self) -> None:
        verdicts = decide([a_backup(), a_backup(nights_ago(1))], KeepPolicy(daily=7, oldest=True), NIGHT, UTC)
        assert [one.reason for one in verdicts] == ["daily 1 of 7", "daily 2 of 7"]

    def test_the_reason_is_the_rule_that_has_counts_left(self) -> None:
        backups = [a_backup(), a_backup(nights_ago(0.1)), a_backup(nights_ago(0.2))]
        policy = KeepPolicy(last=1, yearly=3, oldest=True)
        assert [one.reason for one in decide(backups, policy, NIGHT, UTC)] == [
            "last 1 of 1, yearly 1 of 3",
            "no rule keeps it (last 1, yearly 3, oldest, minimum 1)",
            "yearly 2 of 3, the oldest",
        ]

    def test_it_is_the_oldest_good_one(self) -> None:
        odd = [
            a_backup(nights_ago(0.03), state=BackupState.FAILED),
            a_backup(nights_ago(0.04), tags={HOLD_TAG: ""}),
            a_backup(nights_ago(0.05), ours=False),
        ]
        good_one = a_backup(nights_ago(0.02))
        verdicts = decide([a_backup(), good_one, *odd], KeepPolicy(daily=3, oldest=True), NIGHT, UTC)
        told = {one.backup.arn: one.reason for one in verdicts}
        assert told[good_one.arn] == "daily 2 of 3, the oldest"


class TestZones:
    def test_a_day_is_a_day_of_the_plans_zone(self) -> None:
        late, early = (
            "2026-07-01T22:30",
            "2026-07-01T21:30",
        )  # 00:30 of the 2nd and 23:30 of the 1st in Berlin
        assert kept([late, early], KeepPolicy(daily=2), zone=BERLIN) == [late, early]
        assert kept([late, early], KeepPolicy(daily=2)) == [late]

    def test_the_day_that_is_an_hour_shorter_is_one_day(self) -> None:
        slots = [
            "2026-03-29T21:59",
            "2026-03-29T01:30",
            "2026-03-29T00:30",
            "2026-03-28T23:00",
            "2026-03-28T22:59",
        ]
        assert kept(slots, KeepPolicy(daily=2), zone=BERLIN) == [slots[0], slots[4]]

    def test_no_hour_is_lost_where_the_clock_is_set_forward(self) -> None:
        slots = ["2026-03-29T01:30", "2026-03-29T00:30"]  # 03:30 and 01:30: there is no 02:30
        assert kept(slots, KeepPolicy(hourly=2), zone=BERLIN) == slots

    def test_the_day_that_is_an_hour_longer_is_one_day(self) -> None:
        slots = [
            "2026-10-25T22:59",
            "2026-10-25T01:30",
            "2026-10-25T00:30",
            "2026-10-24T22:00",
            "2026-10-24T21:59",
        ]
        assert kept(slots, KeepPolicy(daily=2), zone=BERLIN) == [slots[0], slots[4]]

    def test_the_hour_that_comes_twice_is_one_hour(self) -> None:
        slots = ["2026-10-25T01:30", "2026-10-25T00:30"]  # both 02:30
        assert kept(slots, KeepPolicy(hourly=2), zone=BERLIN) == [slots[0]]

    def test_a_clock_set_back_over_midnight_does_not_count_a_day_twice(self) -> None:
        # In St. John's the clock went from 00:01 of November 7th back to 23:01 of the 6th, at 02:31 UTC.
        zone = ZoneInfo("America/St_Johns")
        slots = ["2010-11-07T03:40", "2010-11-07T02:40", "2010-11-07T02:30:30", "2010-11-07T02:20"]
        assert [at(slot).astimezone(zone).day for slot in slots] == [7, 6, 7, 6]
        assert kept([*slots, "2010-11-05T12:00"], KeepPolicy(daily=3), zone=zone) == [
            slots[0],
            slots[1],
            "2010-11-05T12:00",
        ]


class TestEvidence:
    """Only backups that could be restored count, and only they keep or cost others their place."""

    older = a_backup(nights_ago(1))

    def verdict_of(
        self, odd: Backup, policy: KeepPolicy | None = None, others: Sequence[Backup] = ()
    ) -> tuple[bool, str]:
        verdicts = decide([odd, *others], policy or KeepPolicy(daily=1), NIGHT, UTC)
        return next((one.keep, one.reason) for one in verdicts if one.backup == odd)

    @pytest.mark.parametrize(
        ("odd", "reason"),
        [
            (a_backup(NIGHT, state=BackupState.CREATING), "not finished: creating"),
            (a_backup(NIGHT, state=BackupState.DELETING), "not finished: deleting"),
            (a_backup(NIGHT, tags={HOLD_TAG: ""}), "held"),
            (a_backup(NIGHT, state=BackupState.FAILED, tags={HOLD_TAG: "case 17"}), "held: case 17"),
            (a_backup(nights_ago(-1)), "dated in the future"),
            (a_backup(NIGHT, state=BackupState.FAILED), "it failed, and no newer good backup stands yet"),
        ],
        ids=["creating", "deleting", "held", "held and failed", "future", "failed"],
    )
    def test_what_is_no_evidence_is_kept_and_takes_no_place(self, odd: Backup, reason: str) -> None:
        assert self.verdict_of(odd, others=[self.older]) == (True, reason)
        assert self.verdict_of(self.older, others=[odd]) == (True, "daily 1 of 1")

    def test_a_failed_backup_goes_when_a_newer_good_one_stands(self) -> None:
        failed = a_backup(nights_ago(1), state=BackupState.FAILED)
        assert self.verdict_of(failed, others=[a_backup(NIGHT)]) == (
            False,
            "it failed, and there is a newer good backup",
        )

    def test_a_failed_backup_stays_when_only_one_in_the_making_or_of_the_future_is_newer(self) -> None:
        failed = a_backup(nights_ago(1), state=BackupState.FAILED)
        newer = [a_backup(NIGHT, state=BackupState.CREATING), a_backup(nights_ago(-1))]
        assert self.verdict_of(failed, others=newer)[0]

    def test_a_failed_backup_of_the_newest_good_ones_slot_stays(self) -> None:
        failed = replace(a_backup(NIGHT, state=BackupState.FAILED), arn=f"{DATABASE}-failed")
        assert self.verdict_of(failed, others=[a_backup(NIGHT)])[0]

    @pytest.mark.parametrize(
        "odd",
        [replace(a_backup(NIGHT, ours=False), arn=f"{DATABASE}-by-hand"), a_backup(nights_ago(-1))],
        ids=["not ours", "future"],
    )
    def test_what_is_no_evidence_does_not_lower_the_floor(self, odd: Backup) -> None:
        two = [a_backup(NIGHT), a_backup(nights_ago(0.01))]
        verdicts = decide([*two, odd], KeepPolicy(daily=1, minimum=2), NIGHT, UTC)
        assert all(one.keep for one in verdicts)

    def test_two_backups_of_one_slot_are_one_period_and_the_higher_arn_stands_for_it(self) -> None:
        first, second = (replace(a_backup(NIGHT), arn=f"{DATABASE}-backup-{letter}") for letter in "ab")
        assert self.verdict_of(second, others=[first]) == (True, "daily 1 of 1")
        assert self.verdict_of(first, others=[second])[0] is False

    @pytest.mark.parametrize(
        "policy",
        [
            KeepPolicy(),
            KeepPolicy(minimum=0),
            KeepPolicy(oldest=True),
            KeepPolicy(daily=-1),
            KeepPolicy(daily=7, weekly=-1),
            KeepPolicy(daily=7, within=Span()),
            KeepPolicy(daily=7, within=Span(days=2, hours=-1)),
        ],
        ids=["empty", "no floor", "oldest alone", "negative", "partly negative", "no time", "negative time"],
    )
    def test_an_empty_or_negative_policy_deletes_nothing(self, policy: KeepPolicy) -> None:
        backups = [
            *(a_backup(nights_ago(night)) for night in range(5)),
            a_backup(nights_ago(6), state=BackupState.FAILED),
        ]
        assert all(one.keep for one in decide(backups, policy, NIGHT, UTC))

    def test_the_floor_keeps_the_newest_of_what_no_rule_keeps(self) -> None:
        slots = ["2026-11-22T14:00", "2026-11-22T08:00", "2026-11-22T02:00"]
        assert kept(slots, KeepPolicy(daily=1, minimum=2)) == slots[:2]

    @pytest.mark.parametrize("minimum", [0, -5])
    def test_the_newest_good_one_stays_even_without_a_floor(self, minimum: int) -> None:
        assert kept(["2026-11-22T02:00"], KeepPolicy(daily=1, minimum=minimum)) == ["2026-11-22T02:00"]

    def test_what_is_not_ours_is_kept_and_takes_no_place(self) -> None:
        foreign = replace(a_backup(NIGHT, ours=False), arn=f"{DATABASE}-by-hand")
        assert self.verdict_of(foreign, others=[self.older]) == (
            True,
            "not ours: it does not bear Holdfast's mark",
        )
        assert self.verdict_of(self.older, others=[foreign]) == (True, "daily 1 of 1")

    def test_a_backup_that_a_listing_shows_twice_is_one(self) -> None:
        newest = a_backup(NIGHT)
        verdicts = decide([newest, newest, self.older], KeepPolicy(last=2), NIGHT, UTC)
        assert [(one.backup, one.keep) for one in verdicts] == [(newest, True), (self.older, True)]

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            (a_backup(NIGHT, state=BackupState.DELETING), "not finished: deleting"),
            (a_backup(NIGHT, tags={HOLD_TAG: ""}), "held"),
            (a_backup(NIGHT, ours=False), "not ours: it does not bear Holdfast's mark"),
        ],
        ids=["going", "held", "no longer ours"],
    )
    def test_of_two_states_of_one_backup_the_less_reliable_is_believed(
        self, changed: Backup, reason: str
    ) -> None:
        for twice in ([a_backup(NIGHT), changed], [changed, a_backup(NIGHT)]):
            verdicts = decide([*twice, self.older], KeepPolicy(daily=1), NIGHT, UTC)
            assert [(one.keep, one.reason) for one in verdicts if one.backup == changed] == [(True, reason)]
            assert [one.keep for one in verdicts if one.backup == self.older] == [True]
            assert len(verdicts) == 2


# --- properties ------------------------------------------------------------------------------------------

counts = st.integers(0, 5)
spans = st.one_of(
    st.builds(Span, hours=st.integers(1, 72)),
    st.builds(Span, days=st.integers(0, 60), hours=st.integers(1, 48)),
    st.builds(Span, years=st.integers(0, 1), months=st.integers(1, 20), days=st.integers(0, 31)),
)
policies = st.builds(
    KeepPolicy,
    last=counts,
    hourly=counts,
    daily=counts,
    weekly=counts,
    monthly=counts,
    yearly=counts,
    within=st.none() | spans,
    oldest=st.booleans(),
    minimum=st.integers(1, 6),
).filter(lambda policy: not policy.is_unusable)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]).map(ZoneInfo)

# Clustered, so that hours, days and weeks hold several.
moments = st.one_of(
    st.integers(0, 72).map(lambda hours: NIGHT - timedelta(minutes=20 * hours)),
    st.integers(0, 60).map(lambda days: NIGHT - timedelta(days=days)),
    st.integers(0, 90).map(lambda weeks: NIGHT - timedelta(weeks=weeks)),
    st.integers(-48, 48).map(lambda hours: at("2026-10-25T01:00") + timedelta(minutes=30 * hours)),
    st.integers(-48, 48).map(lambda hours: at("2010-11-07T02:31") + timedelta(minutes=10 * hours)),
)
states = st.sampled_from([AVAILABLE] * 6 + [BackupState.CREATING, BackupState.FAILED, BackupState.DELETING])


@st.composite
def any_backups(draw: st.DrawFn) -> list[Backup]:
    """Backups of one resource in one place, in any order and condition."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.one_of(moments, st.integers(1, 5).map(lambda days: NIGHT + timedelta(days=days))),
                states,
                st.booleans() if draw(st.booleans()) else st.just(False),
            ),
            max_size=30,
        )
    )
    return [
        replace(
            a_backup(slot, state=state, tags={HOLD_TAG: ""} if held else {}), arn=f"{DATABASE}/{number:02}"
        )
        for number, (slot, state, held) in enumerate(drawn)
    ]


good_backups = st.lists(moments, max_size=40).map(
    lambda slots: [
        replace(a_backup(slot), arn=f"{DATABASE}/{number:02}") for number, slot in enumerate(slots)
    ]
)


def good(backups: Iterable[Backup]) -> list[Backup]:
    """Those that may count: newest first, as the rules see them."""
    usable = [one for one in backups if one.state is AVAILABLE and not one.held and slot_of(one) <= NIGHT]
    return sorted(usable, key=lambda one: (slot_of(one), one.arn), reverse=True)


def arns(verdicts: Iterable[Verdict], *, keep: bool) -> set[str]:
    return {one.backup.arn for one in verdicts if one.keep is keep}


class TestProperties:
    @given(any_backups(), policies, zones)
    def test_each_backup_has_exactly_one_verdict(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        verdicts = decide(backups, policy, NIGHT, zone)
        assert sorted(one.backup.arn for one in verdicts) == sorted(one.arn for one in backups)
        assert all(one.reason for one in verdicts)

    @given(any_backups(), policies, zones, st.randoms())
    def test_the_order_of_the_listing_does_not_matter(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, random: Random
    ) -> None:
        shuffled = list(backups)
        random.shuffle(shuffled)
        assert decide(shuffled, policy, NIGHT, zone) == decide(backups, policy, NIGHT, zone)

    @given(any_backups(), policies, zones)
    def test_the_newest_good_one_is_kept(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        deleted = arns(decide(backups, policy, NIGHT, zone), keep=False)
        assert not {one.arn for one in good(backups)[:1]} & deleted

    @given(any_backups(), policies, zones)
    def test_the_floor_holds(self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo) -> None:
        kept_arns = arns(decide(backups, policy, NIGHT, zone), keep=True)
        kept_good = [one for one in good(backups) if one.arn in kept_arns]
        assert len(kept_good) >= min(policy.minimum, len(good(backups)))

    @given(any_backups(), policies, zones)
    def test_no_more_good_ones_are_kept_than_the_counts_and_the_floor_allow(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        kept_arns = arns(decide(backups, policy, NIGHT, zone), keep=True)
        kept_good = [one for one in good(backups) if one.arn in kept_arns]
        young = 0
        if policy.within is not None and kept_good:
            young = sum(slot_of(one) > policy.within.before(slot_of(kept_good[0])) for one in kept_good)
        assert len(kept_good) <= max(sum(policy.counts) + young, policy.minimum)

    @given(any_backups(), policies, zones)
    def test_deciding_on_what_was_kept_deletes_nothing(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        stays = [one.backup for one in decide(backups, policy, NIGHT, zone) if one.keep]
        assert arns(decide(stays, policy, NIGHT, zone), keep=False) == set()

    @given(
        good_backups,
        policies,
        zones,
        st.sampled_from(["last", "hourly", "daily", "weekly", "monthly", "yearly"]),
    )
    def test_a_larger_policy_keeps_all_that_the_smaller_kept_by_rule(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, rule: str
    ) -> None:
        larger = replace(policy, **{rule: getattr(policy, rule) + 1})
        by_rule = {
            one.backup.arn
            for one in decide(backups, policy, NIGHT, zone)
            if one.keep and not one.reason.startswith("floor")
        }
        assert by_rule <= arns(decide(backups, larger, NIGHT, zone), keep=True)

    @given(good_backups, policies, zones, spans, st.booleans())
    def test_a_longer_time_or_the_oldest_added_keep_all_that_was_kept_by_rule(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, span: Span, oldest: bool
    ) -> None:
        smaller = policy.within or Span(hours=1)
        policy = replace(policy, within=policy.within and smaller, oldest=False)
        larger = replace(
            policy,
            within=replace(span, hours=span.hours + smaller.hours, days=span.days + smaller.days + 366 * 4),
            oldest=oldest,
        )
        by_rule = {
            one.backup.arn
            for one in decide(backups, policy, NIGHT, zone)
            if one.keep and not one.reason.startswith("floor")
        }
        assert by_rule <= arns(decide(backups, larger, NIGHT, zone), keep=True)

    @given(any_backups(), policies, zones, st.randoms())
    def test_a_listing_that_lacks_some_makes_none_deletable_that_is_kept(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, random: Random
    ) -> None:
        seen = [one for one in backups if random.random() < 0.7]
        gone_of_all = arns(decide(backups, policy, NIGHT, zone), keep=False)
        assert arns(decide(seen, policy, NIGHT, zone), keep=False) <= gone_of_all

    @given(any_backups(), policies, zones, st.randoms())
    def test_a_listing_that_shows_some_twice_changes_nothing(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, random: Random
    ) -> None:
        twice = [*backups, *(one for one in backups if random.random() < 0.5)]
        assert decide(twice, policy, NIGHT, zone) == decide(backups, policy, NIGHT, zone)

    @given(any_backups(), policies, zones, st.integers(0, 10_000))
    def test_the_clock_alone_lets_nothing_go(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo, days: int
    ) -> None:
        past = [one for one in backups if slot_of(one) <= NIGHT]
        later = decide(past, policy, NIGHT + timedelta(days=days), zone)
        assert later == decide(past, policy, NIGHT, zone)

    @given(good_backups, policies, zones)
    def test_a_higher_floor_keeps_all_that_the_lower_kept(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        higher = replace(policy, minimum=policy.minimum + 1)
        low, high = (arns(decide(backups, each, NIGHT, zone), keep=True) for each in (policy, higher))
        assert low <= high

    @given(good_backups, policies, zones)
    def test_pruning_each_day_leaves_what_pruning_once_leaves_of_the_rules(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        """The floor may have let go earlier what it would now hold, so it is one that never holds."""
        policy = replace(policy, minimum=1)
        standing: list[Backup] = []
        for new in sorted(backups, key=lambda one: (slot_of(one), one.arn)):
            verdicts = decide([*standing, new], policy, slot_of(new), zone)
            standing = [one.backup for one in verdicts if one.keep]
        at_once = decide(backups, policy, NIGHT, zone)
        assert {one.arn for one in standing} == arns(at_once, keep=True)

    @given(any_backups(), policies, zones)
    def test_what_is_no_evidence_changes_no_verdict_of_a_good_one(
        self, backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
    ) -> None:
        alone = arns(decide(good(backups), policy, NIGHT, zone), keep=False)
        among = arns(decide(backups, policy, NIGHT, zone), keep=False)
        assert alone == among & {one.arn for one in good(backups)}


# --- the same rules, said another way --------------------------------------------------------------------

_PERIODS: dict[str, Callable[[datetime], str]] = {
    "hourly": lambda local: f"{local:%Y-%m-%d %H}",
    "daily": lambda local: f"{local:%Y-%m-%d}",
    "weekly": lambda local: f"{local:%G week %V}",
    "monthly": lambda local: f"{local:%Y-%m}",
    "yearly": lambda local: f"{local:%Y}",
}


def oracle(backups: Sequence[Backup], policy: KeepPolicy, zone: ZoneInfo) -> set[str]:
    """Group by period, take the newest of each group, and of those the newest as many as the count."""

    def age(one: Backup) -> tuple[datetime, str]:
        return slot_of(one), one.arn

    stays = {one.arn for one in sorted(backups, key=age)[-policy.last :]} if policy.last else set()
    for rule, name in _PERIODS.items():
        groups: dict[str, list[Backup]] = {}
        for one in backups:
            groups.setdefault(name(slot_of(one).astimezone(zone)), []).append(one)
        newest_of_each = sorted((max(group, key=age) for group in groups.values()), key=age)
        count = getattr(policy, rule)
        stays |= {one.arn for one in newest_of_each[len(newest_of_each) - min(count, len(newest_of_each)) :]}
        if policy.oldest and groups and count > len(groups):
            stays.add(min(backups, key=age).arn)
    if policy.oldest and policy.last > len(backups) > 0:
        stays.add(min(backups, key=age).arn)
    if policy.within and backups:
        limit = policy.within.before(max(slot_of(one) for one in backups))
        stays |= {one.arn for one in backups if slot_of(one) > limit}
    others = sorted((one for one in backups if one.arn not in stays), key=age)
    while others and len(stays) < policy.minimum:
        stays.add(others.pop().arn)
    return stays


@given(good_backups, policies, zones)
def test_the_decision_is_that_of_the_rules_said_another_way(
    backups: list[Backup], policy: KeepPolicy, zone: ZoneInfo
) -> None:
    assert arns(decide(backups, policy, NIGHT, zone), keep=True) == oracle(backups, policy, zone)
