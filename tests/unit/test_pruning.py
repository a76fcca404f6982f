"""What is to be deleted, and what holds it back: each location, copies, people, the breaker."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    Breaker,
    CopyLaws,
    Home,
    KeepPolicy,
    Plan,
    Retention,
    slot_of,
)
from holdfast.core.naming import format_slot
from holdfast.core.planning import Copying, plan_copies
from holdfast.core.pruning import (
    PrunePlan,
    Standing,
    approved,
    digest_of,
    foretold,
    left_behind,
    notice_of_change,
    offers,
    plan_prune,
    put_off_untold,
    strangers,
    tripped,
)
from holdfast.core.retention import Verdict, describe
from holdfast.core.spans import Span
from holdfast.core.told import Told
from tests.builders import (
    AWAY_REGION,
    COPIED,
    DATABASE,
    EXPORTED,
    HOME,
    HOME_REGION,
    KEEP,
    NIGHT,
    TABLE,
    a_backup,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)

AVAILABLE, CREATING = BackupState.AVAILABLE, BackupState.CREATING
FAILED, DELETING = BackupState.FAILED, BackupState.DELETING
FOREIGN_DATABASE = "arn:aws:rds:us-west-2:123456789012:db:orders"


def standing(
    here: Sequence[Backup], there: Sequence[Backup] = (), *, kind: str = "rds", laws: CopyLaws = COPIED
) -> Standing:
    return Standing(kind=kind, by_place={HOME_REGION: here, AWAY_REGION: there}, laws=laws)


def pruned(
    here: Sequence[Backup],
    there: Sequence[Backup] = (),
    plan: Plan | None = None,
    *,
    spared: Mapping[str, str] | None = None,
    laws: CopyLaws = COPIED,
    home: Home = HOME,
    now: datetime = NIGHT,
) -> PrunePlan:
    return plan_prune([standing(here, there, laws=laws)], plan or a_plan(), now, home, spared or {})


def deleted(prune: PrunePlan) -> list[tuple[str, datetime]]:
    return [(one.backup.region, slot_of(one.backup)) for one in prune.deletes]


FORTNIGHT = [a_backup(nights_ago(night)) for night in range(14)]
FORTNIGHT_AWAY = [a_backup(nights_ago(night), region=AWAY_REGION) for night in range(14)]
ONE_DAY = KeepPolicy(daily=1, minimum=1)


class TestPrune:
    def test_a_backup_that_is_listed_twice_and_once_as_nobodys_is_left_alone(self) -> None:
        """Somebody changed its tags while the pages were read."""
        oldest = FORTNIGHT[-1]
        twice = [*FORTNIGHT, replace(oldest, mark=None)]
        assert oldest.arn not in pruned(twice).listed
        assert oldest.arn not in pruned(twice[::-1]).listed

    def test_each_location_has_its_own_policy(self) -> None:
        plan = a_plan(keep=KeepPolicy(daily=3), copies=(a_rule(keep=KeepPolicy(daily=5)),))
        gone = deleted(pruned(FORTNIGHT, FORTNIGHT_AWAY, plan))
        assert [slot for region, slot in gone if region == HOME_REGION] == [
            nights_ago(night) for night in range(13, 2, -1)
        ]
        assert [slot for region, slot in gone if region == AWAY_REGION] == [
            nights_ago(night) for night in range(13, 4, -1)
        ]

    def test_deletions_come_oldest_first(self) -> None:
        slots = [slot for _, slot in deleted(pruned(FORTNIGHT[::-1]))]
        assert slots == sorted(slots)
        assert len(slots) == 11

    def test_each_resource_is_decided_alone(self) -> None:
        bills = DATABASE.replace("orders", "bills")
        gone = deleted(pruned([*FORTNIGHT[:3], *(a_backup(nights_ago(n), bills) for n in range(3, 6))]))
        assert gone == []

    @pytest.mark.parametrize(
        "others",
        [
            [a_backup(nights_ago(night), stack="another") for night in range(14)],
            [a_backup(nights_ago(night), plan="weekly") for night in range(14)],
            [a_backup(nights_ago(night), ours=False) for night in range(14)],
            [a_backup(nights_ago(night), FOREIGN_DATABASE, region=HOME_REGION) for night in range(14)],
        ],
        ids=["another stack", "another plan", "no mark", "copies of another Region's stack"],
    )
    def test_what_is_not_ours_is_not_even_decided_on(self, others: Sequence[Backup]) -> None:
        assert pruned(others, plan=a_plan(keep=ONE_DAY)).verdicts == []

    def test_another_regions_stack_of_the_same_name_keeps_its_originals_there(self) -> None:
        theirs = [a_backup(nights_ago(night), FOREIGN_DATABASE) for night in range(14)]
        plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=ONE_DAY),))
        assert pruned([], theirs, plan).verdicts == []

    @pytest.mark.parametrize("policy", [KeepPolicy(), KeepPolicy(daily=-1)], ids=["empty", "negative"])
    def test_an_empty_or_negative_policy_deletes_nothing(self, policy: KeepPolicy) -> None:
        plan = a_plan(keep=policy, copies=(a_rule(keep=policy),))
        failed = a_backup(nights_ago(20), state=FAILED)
        assert pruned([*FORTNIGHT, failed], FORTNIGHT_AWAY, plan).deletes == []

    @pytest.mark.parametrize("state", [CREATING, FAILED, DELETING])
    def test_the_floor_counts_only_what_could_be_restored(self, state: BackupState) -> None:
        plan = a_plan(keep=KeepPolicy(daily=1, minimum=2))
        bad = [a_backup(nights_ago(night), state=state) for night in range(3)]
        good = [a_backup(nights_ago(night)) for night in (5, 6, 7)]
        gone = deleted(pruned([*bad, *good], plan=plan))
        assert (HOME_REGION, nights_ago(7)) in gone
        assert (HOME_REGION, nights_ago(6)) not in gone
        assert (HOME_REGION, nights_ago(5)) not in gone

    def test_backups_of_the_future_do_not_push_out_those_of_the_past(self) -> None:
        future = [a_backup(nights_ago(-night)) for night in (1, 2, 3)]
        assert pruned([*future, *FORTNIGHT[:3]]).deletes == []

    def test_a_vanished_resource_keeps_what_it_has_however_long_it_is_gone(self) -> None:
        left = [a_backup(nights_ago(night)) for night in (400, 401, 402)]
        plan = a_plan(keep=KeepPolicy(daily=3, minimum=2))
        assert pruned(left, plan=plan).deletes == []

    def test_a_spared_resource_is_not_pruned_and_the_other_is(self) -> None:
        bills = DATABASE.replace("orders", "bills")
        backups = [*FORTNIGHT, *(a_backup(nights_ago(night), bills) for night in range(14))]
        prune = pruned(backups, spared={DATABASE: "its backup of this run is not there"})
        assert {one.backup.source for one in prune.deletes} == {bills}
        reasons = {one.reason for one in prune.verdicts if one.backup == FORTNIGHT[-1]}
        assert reasons == {
            "its backup of this run is not there (else: no rule keeps it (daily 3, minimum 2))"
        }


class TestWhatOthersStandOn:
    """An increment holds the changes since its base, and is worth nothing without it."""

    plan = a_plan(copies=(a_rule(keep=KeepPolicy(daily=1, minimum=1), bucket="exports"),))

    def export(self, nights: int, base: int | None = None, *, held: bool = False) -> Backup:
        tags = {HOLD_TAG: "audit"} if held else {}
        since = nights_ago(base) if base is not None else None
        return a_backup(nights_ago(nights), TABLE, region=AWAY_REGION, base=since, tags=tags)

    def prune(self, *exports: Backup) -> PrunePlan:
        here = [a_backup(nights_ago(nights), TABLE) for nights in range(3)]
        return plan_prune(
            [standing(here, exports, kind="dynamodb", laws=EXPORTED)], self.plan, NIGHT, HOME, {}
        )

    def test_what_a_kept_one_stands_on_is_kept_down_to_the_whole_one(self) -> None:
        prune = self.prune(self.export(0, 1), self.export(1, 2), self.export(2), self.export(3))
        assert deleted(prune) == [(AWAY_REGION, nights_ago(3))]
        reasons = {one.reason.split(" (")[0] for one in prune.verdicts if one.spared}
        assert reasons == {
            f"the backup of {format_slot(slot)} holds the changes since it" for slot in (NIGHT, nights_ago(1))
        }

    def test_so_is_what_a_held_one_stands_on(self) -> None:
        prune = self.prune(self.export(0), self.export(3, 4, held=True), self.export(4), self.export(5))
        assert deleted(prune) == [(AWAY_REGION, nights_ago(5))]

    def test_what_only_let_go_ones_stand_on_goes_after_them(self) -> None:
        """Where the run is cut short between the two, what is left can be restored."""
        prune = self.prune(self.export(0), self.export(3, 4), self.export(4), self.export(5), self.export(2))
        slots = [slot_of(one.backup) for one in prune.deletes]
        assert slots == [nights_ago(night) for night in (5, 3, 4, 2)]

    def test_what_stands_in_another_region_does_not_keep_it(self) -> None:
        away = self.export(0, 1)
        elsewhere = replace(away, region="eu-west-1", arn=f"{away.arn}-elsewhere")
        prune = self.prune(elsewhere, self.export(1), self.export(0))
        assert deleted(prune) == [(AWAY_REGION, nights_ago(1))]


def test_the_rest_of_a_deletion_is_deleted_and_is_no_evidence() -> None:
    rest = a_backup(state=BackupState.REMNANT, region=AWAY_REGION)
    older = a_backup(nights_ago(1), region=AWAY_REGION)
    prune = pruned([a_backup()], [rest, older], a_plan(copies=(a_rule(keep=ONE_DAY),)))
    assert deleted(prune) == [(AWAY_REGION, NIGHT)]


@pytest.mark.parametrize("hold", ["held", "unusable policy"])
def test_the_rest_of_a_deletion_stays_where_nothing_is_deleted(hold: str) -> None:
    tags = {HOLD_TAG: "audit"} if hold == "held" else {}
    rest = a_backup(state=BackupState.REMNANT, region=AWAY_REGION, tags=tags)
    keep = ONE_DAY if hold == "held" else KeepPolicy()
    assert deleted(pruned([a_backup()], [rest], a_plan(copies=(a_rule(keep=keep),)))) == []


def test_what_stands_in_other_accounts_makes_no_breaker_more_patient() -> None:
    """They only grow, and this run cannot delete them."""
    here = [a_backup(nights_ago(night)) for night in range(30)]
    vault = [a_backup(nights_ago(n), region=AWAY_REGION, account="111122223333") for n in range(300)]
    plan = a_plan(breaker=Breaker(max_delete_share=0.25, max_deletes_per_run=1000))
    stands = Standing(kind="rds", by_place={HOME_REGION: here, vault[0].place: vault}, laws=COPIED)
    prune = plan_prune([stands], plan, NIGHT, HOME, {})
    assert "prune.max_delete_share is 0.25" in tripped(prune, plan, a_request())


def test_what_stands_in_other_accounts_is_left_to_them_and_not_told_as_left_behind() -> None:
    vault = [a_backup(nights_ago(n), region=AWAY_REGION, account="111122223333") for n in range(3)]
    stands = Standing(kind="rds", by_place={HOME_REGION: [], vault[0].place: vault}, laws=COPIED)
    prune = plan_prune([stands], a_plan(), NIGHT, HOME, {})
    assert {one.reason for one in prune.verdicts} == {"in another account, whose own stack prunes it"}
    assert left_behind(prune, NIGHT, HOME, set(), ()) == []


class TestPruneWaitsForCopies:
    plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=KeepPolicy(daily=3, minimum=1)),))
    here = (a_backup(), a_backup(nights_ago(1)))
    newest_copied = a_backup(region=AWAY_REGION)

    def gone(self, *there: Backup, plan: Plan | None = None, laws: CopyLaws = COPIED) -> list[datetime]:
        prune = pruned(self.here, [self.newest_copied, *there], plan or self.plan, laws=laws)
        return [slot for region, slot in deleted(prune) if region == HOME_REGION]

    def test_an_original_goes_when_its_copy_stands(self) -> None:
        assert self.gone(a_backup(nights_ago(1), region=AWAY_REGION)) == [nights_ago(1)]

    def test_an_original_stays_while_its_copy_is_missing(self) -> None:
        assert self.gone() == []
        verdicts = pruned(self.here, [self.newest_copied], self.plan).verdicts
        assert "its copy in us-west-2 is still missing (else: no rule keeps it (daily 1, minimum 1))" in [
            one.reason for one in verdicts
        ]

    @pytest.mark.parametrize("state", [CREATING, FAILED, DELETING])
    def test_an_original_stays_while_its_copy_is_not_available(self, state: BackupState) -> None:
        assert self.gone(a_backup(nights_ago(1), region=AWAY_REGION, state=state)) == []

    def test_an_original_stays_while_a_copy_runs_that_the_region_no_longer_wants(self) -> None:
        plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=ONE_DAY),))
        running = a_backup(nights_ago(1), region=AWAY_REGION, state=CREATING)
        assert self.gone(running, plan=plan) == []

    @pytest.mark.parametrize("third", ["missing", "running"])
    def test_each_copy_region_is_waited_for(self, third: str) -> None:
        region = "eu-west-1"
        days = KeepPolicy(daily=3)
        plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=days), a_rule(keep=days, region=region)))
        there = [a_backup(region=region)]
        if third == "running":
            there.append(a_backup(nights_ago(1), region=region, state=CREATING))
        stands = Standing(
            kind="rds",
            by_place={
                HOME_REGION: self.here,
                AWAY_REGION: [a_backup(nights_ago(night), region=AWAY_REGION) for night in (0, 1)],
                region: there,
            },
            laws=COPIED,
        )
        assert plan_prune([stands], plan, NIGHT, HOME, {}).deletes == []

    def test_an_original_does_not_wait_for_a_copy_that_later_ones_leave_no_room_for(self) -> None:
        here = [a_backup(), a_backup(nights_ago(3))]
        there = [a_backup(nights_ago(night), region=AWAY_REGION) for night in range(3)]
        assert deleted(pruned(here, there, self.plan)) == [(HOME_REGION, nights_ago(3))]

    def test_an_original_that_the_region_does_not_want_goes_without_a_copy(self) -> None:
        plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=ONE_DAY),))
        assert self.gone(plan=plan) == [nights_ago(1)]

    def test_kinds_that_cannot_be_copied_are_not_waited_for(self) -> None:
        assert self.gone(laws=EXPORTED) == [nights_ago(1)]

    def test_an_original_of_another_resource_is_no_copy(self) -> None:
        bills = DATABASE.replace("orders", "bills")
        assert self.gone(a_backup(nights_ago(1), bills, region=AWAY_REGION)) == []

    def test_an_original_being_deleted_does_not_take_the_place_of_one_that_is_to_be_copied(self) -> None:
        same_day = a_backup(nights_ago(1.01))
        going = a_backup(nights_ago(1), state=DELETING)
        prune = pruned([self.here[0], going, same_day], [self.newest_copied], self.plan)
        assert prune.deletes == []


LIMIT_BY_NUMBER = Breaker(max_deletes_per_run=10, max_delete_share=1.0)
LIMIT_BY_SHARE = Breaker(max_deletes_per_run=1000, max_delete_share=0.5)


def refusal_of(
    prune: PrunePlan, breaker: Breaker, keep: KeepPolicy = KEEP, done: Sequence[tuple[str, str]] = ()
) -> str:
    return tripped(prune, a_plan(keep=keep, breaker=breaker), a_request(), done)


class TestBreaker:
    prune = pruned(FORTNIGHT)  # 11 of 14

    def test_within_its_limits_it_says_nothing(self) -> None:
        assert refusal_of(self.prune, Breaker(max_deletes_per_run=11, max_delete_share=11 / 14)) == ""

    def test_nothing_to_delete_never_trips(self) -> None:
        nothing = pruned(FORTNIGHT[:3])
        assert refusal_of(nothing, Breaker(max_deletes_per_run=0, max_delete_share=0)) == ""

    def test_too_many_are_refused_with_the_event_that_approves(self) -> None:
        refusal = refusal_of(self.prune, LIMIT_BY_NUMBER)
        assert refusal.startswith(
            "11 of 14 backups would be deleted, but prune.max_deletes_per_run is 10: none was. "
            "Read the list; if it is right, invoke prune_backups with {"
        )
        event = json.loads(refusal[refusal.index("{") :])
        assert event == {
            "plan": "nightly",
            "slot": "2026-11-22T02:00:00Z",
            "approve": digest_of(self.prune.listed, a_plan(), a_request()),
        }

    def test_too_large_a_share_is_refused(self) -> None:
        assert "prune.max_delete_share is 0.5: none was" in refusal_of(self.prune, LIMIT_BY_SHARE)

    def test_both_limits_are_named(self) -> None:
        both = Breaker(max_deletes_per_run=10, max_delete_share=0.5)
        assert "prune.max_deletes_per_run is 10 and prune.max_delete_share is 0.5" in refusal_of(
            self.prune, both
        )

    def test_what_earlier_sweeps_of_the_run_deleted_counts(self) -> None:
        limit = Breaker(max_deletes_per_run=12, max_delete_share=1.0)
        one = (DATABASE, HOME_REGION)
        assert refusal_of(self.prune, limit, done=[one]) == ""
        told = refusal_of(self.prune, limit, done=[one, one])
        assert told.startswith(
            "11 of 14 backups would be deleted (2 were before, in this run), but prune.max"
        )

    def test_a_usual_night_in_two_sweeps_is_a_usual_night(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(30)]
        left = [a_backup(nights_ago(night), table) for table in tables for night in range(3)]
        night = pruned([*left, a_backup(nights_ago(3), tables[0])])
        assert len(night.deletes) == 1
        done = [(table, HOME_REGION) for table in tables[1:]]
        assert refusal_of(night, Breaker(max_delete_share=0.1), done=done) == ""

    def test_a_dry_run_says_what_would_be(self) -> None:
        plan = a_plan(breaker=LIMIT_BY_NUMBER)
        assert "none would be." in tripped(self.prune, plan, a_request(dry_run=True))

    def test_a_location_that_lags_by_a_slot_is_a_usual_one(self) -> None:
        """A copy that is only made when this run has pruned; a backup of the future, which is none yet."""
        plan = a_plan(keep=KEEP, copies=(a_rule(keep=KEEP),), breaker=Breaker(max_delete_share=0.01))
        copies = [a_backup(nights_ago(night), region=AWAY_REGION) for night in range(1, 6)]
        future = a_backup(nights_ago(-9))
        prune = pruned([*FORTNIGHT[:5], future], copies, plan)
        assert len(prune.deletes) == 4
        assert tripped(prune, plan, a_request()) == ""

    def test_without_a_number_more_than_a_few_beyond_a_usual_night_are_refused(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(3)]
        month = pruned([a_backup(nights_ago(night), table) for table in tables for night in range(13)])
        assert len(month.deletes) == 30
        anything = Breaker(max_delete_share=1.0)
        refusal = refusal_of(
            month, anything, KeepPolicy(daily=3, weekly=1, minimum=2)
        )  # 3 are usual for each
        assert "21 are more than usual, of which 20 at most go unread" in refusal
        assert refusal_of(month, anything, KeepPolicy(daily=3, weekly=1, monthly=1, minimum=2)) == ""

    @pytest.mark.parametrize(("beyond", "passes"), [(20, True), (21, False)])
    def test_exactly_twenty_beyond_what_is_usual_go_unread(self, beyond: int, passes: bool) -> None:
        plan = a_plan(keep=ONE_DAY, breaker=Breaker(max_delete_share=1.0))
        prune = pruned([a_backup(nights_ago(night)) for night in range(2 + beyond + 1)], plan=plan)
        assert (tripped(prune, plan, a_request()) == "") is passes

    def test_what_others_do_not_use_of_theirs_is_no_allowance(self) -> None:
        plan = a_plan(keep=ONE_DAY, breaker=Breaker(max_delete_share=1.0))
        names = [DATABASE.replace("orders", f"db-{number}") for number in range(30)]
        quiet = [a_backup(nights_ago(night), name) for name in names for night in (0, 1)]
        noisy = [a_backup(nights_ago(night)) for night in range(24)]
        assert "21 are more than usual" in tripped(pruned([*quiet, *noisy], plan=plan), plan, a_request())

    def test_one_location_has_no_use_of_what_is_usual_for_others(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(100)]
        fine = [a_backup(nights_ago(night), table) for table in tables for night in range(3)]
        emptied = [a_backup(nights_ago(night)) for night in range(60)]
        assert "55 are more than usual" in refusal_of(
            pruned([*fine, *emptied]), Breaker(max_delete_share=1.0)
        )

    def test_backups_of_unknown_id_share_what_is_usual_with_the_resource_of_their_name(self) -> None:
        known = [replace(one, resource_id="db-1") for one in FORTNIGHT[:1]]
        prune = pruned([*known, *FORTNIGHT[1:5]])
        assert len(prune.deletes) == 2
        assert refusal_of(prune, Breaker(max_delete_share=0)) == ""

    def test_for_a_resource_that_got_no_backup_nothing_is_usual(self) -> None:
        gone = [a_backup(nights_ago(night), TABLE) for night in range(2, 26)]
        assert "21 are more than usual" in refusal_of(
            pruned([*FORTNIGHT[:3], *gone]), Breaker(max_delete_share=1.0)
        )

    def test_the_age_of_a_month_moves_on_by_four_days_in_the_first_night_of_march(self) -> None:
        keep = KeepPolicy(within=Span(months=1), minimum=2)
        first_of_march = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(30)]
        nights = [first_of_march - timedelta(days=day) for day in range(32)]
        prune = pruned(
            [a_backup(night, table) for table in tables for night in nights],
            plan=a_plan(keep=keep),
            now=first_of_march,
        )
        assert len(prune.deletes) == 4 * 30
        plan = a_plan(keep=keep, breaker=Breaker(max_delete_share=0.1))
        assert tripped(prune, plan, a_request(first_of_march)) == ""

    @pytest.mark.parametrize(
        "keep",
        [
            KeepPolicy(daily=2, minimum=2),
            KeepPolicy(daily=7, minimum=2),
            KeepPolicy(daily=2, weekly=2, monthly=12, minimum=2),
            KeepPolicy(daily=7, weekly=2, monthly=12, minimum=2),
            KeepPolicy(within=Span(days=5), minimum=2),
            KeepPolicy(daily=2, weekly=2, within=Span(days=9), oldest=True, minimum=2),
            KeepPolicy(daily=7, weekly=9, monthly=12, oldest=True, minimum=2),
        ],
        ids=describe,
    )
    def test_no_usual_night_of_a_year_is_refused_nor_one_after_a_missed_one(self, keep: KeepPolicy) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(3)]
        breaker = Breaker(max_delete_share=0.25)
        stands: list[Backup] = []
        for night in range(400, 0, -1):
            now = nights_ago(night)
            stands += [a_backup(now, table) for table in tables]
            if night % 90 == 0:
                continue  # a night on which nothing was pruned
            prune = pruned(stands, plan=a_plan(keep=keep, breaker=breaker), now=now)
            assert refusal_of(prune, breaker, keep) == ""
            stands = [one.backup for one in prune.verdicts if one.keep]

    def test_a_policy_that_was_shortened_is_refused(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(3)]
        month = pruned([a_backup(nights_ago(night), table) for table in tables for night in range(30)])
        assert "backups would be deleted" in refusal_of(month, Breaker(max_delete_share=0.25))


class TestApproval:
    prune = pruned(FORTNIGHT)

    @given(st.permutations(FORTNIGHT))
    def test_the_digest_does_not_hang_on_the_order_of_the_listing(self, backups: Sequence[Backup]) -> None:
        listed = pruned(backups).listed[::-1]
        assert digest_of(listed, a_plan(), a_request()) == digest_of(self.prune.listed, a_plan(), a_request())

    def test_a_digest_is_of_every_line_of_one_run_of_one_plan(self) -> None:
        of = {
            digest_of(self.prune.listed, a_plan(), a_request()),
            digest_of(self.prune.listed[1:], a_plan(), a_request()),
            digest_of(self.prune.listed[:-1], a_plan(), a_request()),
            digest_of(self.prune.listed, a_plan(name="weekly"), a_request()),
            digest_of(self.prune.listed, a_plan(), a_request(nights_ago(1))),
        }
        assert len(of) == 5

    def test_exactly_what_was_approved_is_deleted(self) -> None:
        some = self.prune.listed[2:4]
        allowed = approved(self.prune, {*some, FORTNIGHT[0].arn})
        assert allowed.listed == some
        assert "not on the approved list (else: no rule keeps it (daily 3, minimum 2))" in {
            one.reason for one in allowed.verdicts
        }

    def test_what_was_held_back_and_what_waits_are_offered_apart(self) -> None:
        retention = Retention(policies={HOME_REGION: KeepPolicy(daily=7, minimum=2)})
        stands = [standing(FORTNIGHT)]
        prune = put_off_untold(self.prune, stands, a_plan(), {"rds": retention}, NIGHT, HOME)
        waiting = [one.backup.arn for one in prune.later]
        both = offers(prune, True, a_plan(), a_request())
        assert sorted(map(len, both.values())) == [4, 7]
        assert both[digest_of(waiting, a_plan(), a_request())] == waiting
        assert list(offers(prune, False, a_plan(), a_request()).values()) == [waiting]
        assert offers(self.prune, False, a_plan(), a_request()) == {}


class TestFormerResources:
    """A new resource of the same name: its backups and those of the former one are decided on apart."""

    former = tuple(replace(a_backup(nights_ago(night), TABLE), resource_id="old") for night in range(10, 17))
    todays = tuple(replace(a_backup(nights_ago(night), TABLE), resource_id="new") for night in range(7))

    def test_an_empty_new_table_does_not_push_out_the_backups_of_the_full_old_one(self) -> None:
        before = {one.backup.arn for one in pruned(self.former).verdicts if one.keep}
        both = pruned([*self.former, *self.todays])
        assert before <= {one.backup.arn for one in both.verdicts if one.keep}

    def told_of(self, *backups: Backup, covered: set[str] | None = None) -> list[str]:
        prune = pruned(backups)
        return [one.reason for one in left_behind(prune, NIGHT, HOME, covered, ())]

    def test_that_they_stay_is_told(self) -> None:
        assert self.told_of(*self.former, *self.todays, covered={TABLE}) == [
            "dynamodb orders: a new resource has its name; backups that stay until a person decides: 3"
        ]

    def test_a_resource_that_is_gone_is_told_where_that_is_known(self) -> None:
        [told] = self.told_of(*self.todays, covered=set())
        assert told == (
            "dynamodb orders: it is gone, or no longer in the plan; "
            "backups that stay until a person decides: 3"
        )
        assert self.told_of(*self.todays, covered={TABLE}) == []
        assert self.told_of(*self.todays, covered=None) == []
        assert left_behind(pruned(self.todays), NIGHT, HOME, set(), {"dynamodb"}) == []

    def test_a_resource_with_a_newer_backup_than_the_slot_is_not_gone(self) -> None:
        prune = pruned(self.todays)
        assert left_behind(prune, nights_ago(1), HOME, set(), ()) == []

    def test_backups_without_an_id_belong_to_the_only_resource_of_their_name(self) -> None:
        unknown = [replace(one, resource_id="") for one in self.former]
        kept = [one.backup for one in pruned([*unknown, *self.todays]).verdicts if one.keep]
        assert kept == list(self.todays[:3])
        assert self.told_of(*unknown, *self.todays, covered={TABLE}) == []

    def test_backups_without_an_id_are_decided_on_apart_when_two_resources_had_their_name(self) -> None:
        unknown = [replace(a_backup(nights_ago(night), TABLE), resource_id="") for night in range(20, 23)]
        prune = pruned([*self.former, *self.todays, *unknown])
        assert {one.backup.arn for one in prune.verdicts if one.keep} >= {one.arn for one in unknown}

    def test_a_backup_that_waits_for_the_next_message_does_not_stay(self) -> None:
        stands = [standing(self.former, kind="dynamodb")]
        full = plan_prune(stands, a_plan(), NIGHT, HOME, {})
        prune = put_off_untold(full, stands, a_plan(), {}, NIGHT, HOME)
        [told] = left_behind(prune, NIGHT, HOME, set(), ())
        assert told.reason.endswith("backups that stay until a person decides: 3")


class TestUntoldRetention:
    """A retention deletes nothing before a message has told of it."""

    week = KeepPolicy(daily=7, minimum=2)
    told = Retention(policies={HOME_REGION: week, AWAY_REGION: week})
    plan = a_plan(keep=KEEP, copies=(a_rule(keep=week),))

    def put_off(
        self,
        known: Retention | None,
        plan: Plan | None = None,
        here: Sequence[Backup] = FORTNIGHT,
        there: Sequence[Backup] = FORTNIGHT_AWAY,
        spared: Mapping[str, str] | None = None,
    ) -> PrunePlan:
        plan = plan or self.plan
        stands = [standing(here, there)]
        full = plan_prune(stands, plan, NIGHT, HOME, spared or {})
        return put_off_untold(full, stands, plan, {"rds": known} if known else {}, NIGHT, HOME)

    def notice(
        self,
        prune: PrunePlan,
        known: Retention | None,
        plan: Plan | None = None,
        kinds: Sequence[str] = ("rds",),
        *,
        dry_run: bool = False,
    ) -> str:
        plan = plan or self.plan
        tells = dict.fromkeys(kinds, plan.retention(HOME_REGION))
        told = {"rds": known} if known else {}
        return notice_of_change(prune, tells, told, plan, a_request(dry_run=dry_run), HOME)

    def nights(self, verdicts: Sequence[Verdict], region: str = HOME_REGION) -> list[int]:
        return [(NIGHT - slot_of(one.backup)).days for one in verdicts if one.backup.region == region]

    def test_what_was_told_is_deleted(self) -> None:
        known = self.plan.retention(HOME_REGION)
        prune = self.put_off(known)
        assert prune == pruned(FORTNIGHT, FORTNIGHT_AWAY, self.plan)
        assert prune.later == []

    def test_what_only_the_change_deletes_waits_and_the_rest_is_deleted(self) -> None:
        prune = self.put_off(self.told)
        assert self.nights(prune.deletes) == list(range(13, 6, -1))
        assert self.nights(prune.later) == list(range(6, 2, -1))
        assert self.nights(prune.deletes, AWAY_REGION) == list(range(13, 6, -1))
        reason = "waits until people know of the plan's retention (else: no rule keeps it"
        assert {one.reason for one in prune.later} == {f"{reason} (daily 3, minimum 2))"}
        assert all(one.keep for one in prune.later)

    def test_before_the_first_message_nothing_is_deleted(self) -> None:
        prune = self.put_off(None)
        assert prune.deletes == []
        assert len(prune.later) == 11 + 7

    def test_a_region_that_no_message_told_of_waits_alone(self) -> None:
        prune = self.put_off(Retention(policies={HOME_REGION: KEEP}))
        assert self.nights(prune.deletes) == list(range(13, 2, -1))
        assert self.nights(prune.later, AWAY_REGION) == list(range(13, 6, -1))

    def test_a_longer_retention_has_nothing_to_wait_for(self) -> None:
        known = Retention(policies={HOME_REGION: ONE_DAY, AWAY_REGION: ONE_DAY})
        prune = self.put_off(known)
        assert prune == pruned(FORTNIGHT, FORTNIGHT_AWAY, self.plan)

    def test_another_time_zone_is_another_retention(self) -> None:
        # In Auckland the third of them was made on the 22nd, the others on the 21st.
        here = [a_backup(nights_ago(1) + timedelta(hours=hours)) for hours in (0, 8, 10)]
        keep = KeepPolicy(daily=2, minimum=1)
        known = Retention(policies={HOME_REGION: keep}, time_zone="Pacific/Auckland")
        prune = self.put_off(known, a_plan(keep=keep), here, ())
        assert prune.listed == [here[0].arn]
        assert [one.backup for one in prune.later] == [here[1]]

    def test_a_zone_of_the_plans_own_is_another_retention_too(self) -> None:
        # In Berlin both were made on the 21st: the first of them half an hour after midnight.
        here = [a_backup(nights_ago(1) - timedelta(hours=hours)) for hours in (2.5, -10)]
        keep = KeepPolicy(daily=2, minimum=1)
        berlin = a_plan(keep=keep, time_zone="Europe/Berlin")
        prune = self.put_off(Retention(policies={HOME_REGION: keep}), berlin, here, ())
        assert pruned(here, plan=berlin).listed == [here[0].arn]
        assert prune.deletes == []
        assert [one.backup for one in prune.later] == [here[0]]

    def test_what_another_guard_keeps_tonight_is_announced_as_well(self) -> None:
        """It goes as soon as that guard lets it, which may be the next run."""
        prune = self.put_off(self.told, spared={DATABASE: "its backup of this run is not there"})
        assert prune.deletes == []
        assert self.nights(prune.later) == list(range(6, 2, -1))

    def test_what_was_told_and_was_only_spared_is_not_told_again(self) -> None:
        here, there = [a_backup(), a_backup(nights_ago(1))], [a_backup(region=AWAY_REGION)]
        wanted = a_plan(keep=ONE_DAY, copies=(a_rule(keep=KeepPolicy(daily=3, minimum=1)),))
        unwanted = a_plan(keep=ONE_DAY, copies=(a_rule(keep=ONE_DAY),))
        prune = self.put_off(wanted.retention(HOME_REGION), unwanted, here, there)
        assert deleted(prune) == [(HOME_REGION, nights_ago(1))]

    def test_another_kind_that_was_told_of_is_deleted_from(self) -> None:
        tables = [a_backup(nights_ago(night), TABLE) for night in range(14)]
        stands = [standing(FORTNIGHT), standing(tables, kind="dynamodb", laws=EXPORTED)]
        plan = a_plan()
        full = plan_prune(stands, plan, NIGHT, HOME, {})
        known = {"rds": self.told, "dynamodb": plan.retention(HOME_REGION)}
        prune = put_off_untold(full, stands, plan, known, NIGHT, HOME)
        assert len([one for one in prune.deletes if one.backup.kind == "dynamodb"]) == 11
        assert {one.backup.kind for one in prune.later} == {"rds"}

    def test_the_notice_says_what_changed_how_many_wait_and_how_to_have_it_now(self) -> None:
        prune = self.put_off(self.told)
        notice = self.notice(prune, self.told)
        assert notice.startswith(
            "The plan nightly keeps daily 3, minimum 2 in us-east-1 (before: daily 7, minimum 2). "
            "This is the first message to tell of it: the next run deletes by it 4 backups that would stay "
            "without the change, and that are kept for now. To keep them, change the plan back or hold them."
        )
        event = json.loads(notice[notice.index("{") :])
        waiting = [one.backup.arn for one in prune.later]
        assert event == {
            "plan": "nightly",
            "slot": "2026-11-22T02:00:00Z",
            "approve": digest_of(waiting, self.plan, a_request()),
        }

    def test_a_dry_run_has_told_nobody(self) -> None:
        notice = self.notice(self.put_off(self.told), self.told, dry_run=True)
        assert (
            "No message has told of it yet: the next run's will, and the run after that deletes by it 4"
            in notice
        )

    def test_it_says_when_the_breaker_will_ask_first(self) -> None:
        strict = replace(self.plan, breaker=Breaker(max_deletes_per_run=17, max_delete_share=1.0))
        assert "it will ask first" in self.notice(self.put_off(self.told), self.told, strict)
        enough = replace(self.plan, breaker=Breaker(max_deletes_per_run=18, max_delete_share=1.0))
        assert "it will ask first" not in self.notice(self.put_off(self.told), self.told, enough)

    def test_a_change_that_deletes_nothing_today_is_told_all_the_same(self) -> None:
        """Else it would delete later without anybody having been told."""
        few = self.put_off(self.told, here=FORTNIGHT[:3], there=())
        assert self.notice(few, self.told).endswith(
            "This is the first message to tell of it: the next run is the first to delete by it. "
            "Nothing stands now that only this change lets go."
        )

    def test_what_was_told_is_no_news(self) -> None:
        known = self.plan.retention(HOME_REGION)
        assert self.notice(self.put_off(known), known) == ""

    def test_the_first_notice_of_all_and_that_of_a_zone(self) -> None:
        first = self.notice(self.put_off(None), None)
        assert (
            "keeps daily 3, minimum 2 in us-east-1 (nothing was told before), daily 7, minimum 2 in" in first
        )
        berlin = replace(self.plan, time_zone="Europe/Berlin")
        zone = self.notice(self.put_off(self.told), self.told, berlin)
        assert "by the days of Europe/Berlin (before: of UTC)" in zone
        assert "by the days of UTC." in first

    def test_a_region_that_is_taken_out_is_told(self) -> None:
        here_alone = replace(self.plan, copies=())
        known = self.plan.retention(HOME_REGION)
        assert "keeps what stands in us-west-2, and looks there no more." in self.notice(
            self.put_off(known, here_alone, there=()), known, here_alone
        )

    def test_kinds_that_know_are_left_out_of_the_notice(self) -> None:
        notice = self.notice(self.put_off(self.told), self.told, kinds=("dynamodb", "rds"))
        assert "(before: daily 7, minimum 2) (of rds)" in notice
        assert "in us-west-2 (nothing was told before), by the days of UTC (of dynamodb)" in notice


class TestForetold:
    """Whose message tells of the plan's retention."""

    retention = a_plan().retention(HOME_REGION)
    stands = (standing(FORTNIGHT), standing([], kind="dynamodb"))

    def tells(self, last: datetime | None) -> set[str]:
        told = {"rds": Told(retention=self.retention, since=last, last=last)} if last else {}
        found = foretold(self.stands, a_plan(), told, NIGHT, HOME)
        assert all(one == self.retention for one in found.values())
        return set(found)

    @pytest.mark.parametrize("last", [None, nights_ago(1), NIGHT])
    def test_each_run_tells_of_every_kind_that_it_could_list(self, last: datetime | None) -> None:
        assert self.tells(last) == {"rds", "dynamodb"}

    def test_a_run_that_is_repeated_for_an_earlier_slot_does_not(self) -> None:
        assert self.tells(nights_ago(-1)) == {"dynamodb"}

    def test_why_deletions_wait_in_such_a_run_is_said(self) -> None:
        full = pruned(FORTNIGHT)
        prune = put_off_untold(full, [standing(FORTNIGHT)], a_plan(), {}, NIGHT, HOME)
        assert notice_of_change(prune, {}, {}, a_plan(), a_request(), HOME) == (
            "11 backups wait until people know of the plan's retention. This run is for an earlier slot than "
            "the last one that was told of: the next run tells."
        )


class TestStrangers:
    def test_each_backup_of_others_is_told_with_whose_it_is(self) -> None:
        theirs = [
            a_backup(ours=False),
            a_backup(stack="another"),
            a_backup(plan="weekly"),
            a_backup(source=FOREIGN_DATABASE, region=HOME_REGION),
        ]
        told = strangers([standing([*FORTNIGHT, *theirs])], a_plan(), HOME)
        assert {one.backup.arn: one.reason for one in told} == {
            theirs[0].arn: "not ours: it does not bear Holdfast's mark",
            theirs[1].arn: "not ours: the stack another made it",
            theirs[2].arn: "not ours: it was made for the plan weekly",
            theirs[3].arn: "not ours: the stack holdfast in us-west-2 made it",
        }
        assert all(one.keep for one in told)


# --- properties over several locations -------------------------------------------------------------------

few = st.integers(0, 4)
policies = st.builds(
    KeepPolicy,
    last=few,
    daily=few,
    weekly=few,
    within=st.none() | st.builds(Span, days=st.integers(1, 15)),
    oldest=st.booleans(),
    minimum=st.integers(1, 3),
).filter(lambda policy: not policy.is_unusable)
nights = st.lists(st.integers(-2, 20), max_size=15, unique=True)
states = st.sampled_from([AVAILABLE] * 5 + [CREATING, FAILED, DELETING])


@st.composite
def locations(draw: st.DrawFn) -> tuple[list[Backup], list[Backup]]:
    return tuple(  # type: ignore[return-value]
        [
            a_backup(
                nights_ago(night),
                region=region,
                state=draw(states),
                tags={HOLD_TAG: ""} if draw(st.integers(0, 9)) == 0 else {},
            )
            for night in draw(nights)
        ]
        for region in (HOME_REGION, AWAY_REGION)
    )


@given(locations(), policies, policies)
def test_what_is_copied_is_what_the_region_keeps(
    stands: tuple[list[Backup], list[Backup]], keep: KeepPolicy, away: KeepPolicy
) -> None:
    """Else a copy would be made each night and pruned each night."""
    here, there = stands
    rule = a_rule(keep=away, slots=1000)
    plan = a_plan(keep=keep, copies=(rule,))
    steps, _ = plan_copies(
        [Copying(kind="rds", laws=COPIED, here=here, there=there)], plan, rule, a_request(), HOME
    )
    made = [a_backup(slot_of(step.backup), region=AWAY_REGION, attempt=step.mark.attempt) for step in steps]
    gone = {one.backup.arn for one in pruned(here, [*there, *made], plan).deletes}
    assert not gone & {one.arn for one in made}


@given(locations(), policies, policies)
def test_pruning_never_takes_an_original_that_the_next_copy_sweep_wants(
    stands: tuple[list[Backup], list[Backup]], keep: KeepPolicy, away: KeepPolicy
) -> None:
    here, there = stands
    rule = a_rule(keep=away, slots=1000)
    plan = a_plan(keep=keep, copies=(rule,))
    gone = {one.backup.arn for one in pruned(here, there, plan).deletes}
    steps, _ = plan_copies(
        [Copying(kind="rds", laws=COPIED, here=here, there=there)], plan, rule, a_request(), HOME
    )
    assert not gone & {step.backup.arn for step in steps}


@given(locations(), policies, policies)
def test_pruning_twice_deletes_nothing_more(
    stands: tuple[list[Backup], list[Backup]], keep: KeepPolicy, away: KeepPolicy
) -> None:
    """An original that waited for its copy may go when the Region's own deletions freed it, and only that."""
    here, there = stands
    plan = a_plan(keep=keep, copies=(a_rule(keep=away),))
    gone = {one.backup.arn for one in pruned(here, there, plan).deletes}
    left_here, left_there = ([one for one in each if one.arn not in gone] for each in (here, there))
    assert pruned(left_here, left_there, plan).deletes == []


@given(locations(), policies, policies)
def test_in_each_location_the_floor_and_the_newest_good_one_stay(
    stands: tuple[list[Backup], list[Backup]], keep: KeepPolicy, away: KeepPolicy
) -> None:
    here, there = stands
    gone = {
        one.backup.arn for one in pruned(here, there, a_plan(keep=keep, copies=(a_rule(keep=away),))).deletes
    }
    for backups, policy in ((here, keep), (there, away)):
        usable = [one for one in backups if one.state is AVAILABLE and slot_of(one) <= NIGHT and not one.held]
        usable.sort(key=slot_of, reverse=True)
        stay = [one for one in usable if one.arn not in gone]
        assert stay[:1] == usable[:1]
        assert len(stay) >= min(policy.minimum, len(usable))


@given(locations(), policies, policies, st.randoms())
def test_a_listing_that_lacks_some_makes_none_deletable_that_is_kept(
    stands: tuple[list[Backup], list[Backup]], keep: KeepPolicy, away: KeepPolicy, random: Random
) -> None:
    """But for a copy that is being made: nothing else tells that its original is needed."""
    plan = a_plan(keep=keep, copies=(a_rule(keep=away),))
    here, there = stands
    seen_here = [one for one in here if random.random() < 0.7]
    seen_there = [one for one in there if one.state is CREATING or random.random() < 0.7]
    assert set(pruned(seen_here, seen_there, plan).listed) <= set(pruned(here, there, plan).listed)


@given(locations(), policies, policies, policies, policies)
def test_what_people_were_not_told_of_only_ever_puts_deletions_off(
    stands: tuple[list[Backup], list[Backup]],
    keep: KeepPolicy,
    away: KeepPolicy,
    known_keep: KeepPolicy,
    known_away: KeepPolicy,
) -> None:
    here, there = stands
    plan = a_plan(keep=keep, copies=(a_rule(keep=away),))
    known = Retention(policies={HOME_REGION: known_keep, AWAY_REGION: known_away})
    full = pruned(here, there, plan)
    prune = put_off_untold(full, [standing(here, there)], plan, {"rds": known}, NIGHT, HOME)
    as_known = pruned(here, there, plan.keeping(known, HOME_REGION))
    assert set(prune.listed) <= set(full.listed)
    assert set(full.listed) - set(prune.listed) <= {one.backup.arn for one in prune.later}
    assert set(prune.listed) >= set(full.listed) & set(as_known.listed)
