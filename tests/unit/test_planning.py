"""What each stage is to do: selected, created, copied and deleted, each with its reason."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    Breaker,
    CopyRule,
    Home,
    KeepPolicy,
    Plan,
    Selection,
)
from holdfast.core.planning import (
    Deletion,
    PrunePlan,
    Standing,
    digest_of,
    is_ours,
    left_behind,
    not_there,
    ours,
    plan_copies,
    plan_creates,
    plan_prune,
    select,
    tripped,
)
from holdfast.core.report import State
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    DATABASE,
    HOME,
    HOME_REGION,
    KEEP,
    KEY,
    NIGHT,
    TABLE,
    TAGS,
    a_backup,
    a_mark,
    a_plan,
    a_request,
    a_resource,
    a_rule,
    nights_ago,
)

AVAILABLE, CREATING = BackupState.AVAILABLE, BackupState.CREATING
FAILED, DELETING = BackupState.FAILED, BackupState.DELETING
FOREIGN_DATABASE = "arn:aws:rds:us-west-2:123456789012:db:orders"


def slot_of(backup: Backup) -> datetime:
    assert backup.mark is not None
    return backup.mark.slot


class TestOurs:
    @pytest.mark.parametrize(
        ("backup", "expected"),
        [
            (a_backup(), True),
            (a_backup(region=AWAY_REGION), True),
            (a_backup(ours=False), False),
            (a_backup(stack="another"), False),
            (a_backup(plan="weekly"), False),
            (a_backup(source=FOREIGN_DATABASE), False),
            (a_backup(source=FOREIGN_DATABASE, region=HOME_REGION), False),
        ],
        ids=[
            "our original",
            "our copy",
            "no mark",
            "another stack",
            "another plan",
            "another Region's stack of the same name",
            "that stack's copy to our Region",
        ],
    )
    def test_only_what_this_stack_made_for_this_plan_is_ours(self, backup: Backup, expected: bool) -> None:
        assert is_ours(backup, HOME, "nightly") is expected
        assert ours([backup], HOME, "nightly") == ([backup] if expected else [])


def test_what_is_named_and_excluded_is_not_missed() -> None:
    assert not_there(set(), Selection(include=(DATABASE,), exclude=(DATABASE,))) == []
    assert [one.resource for one in not_there(set(), Selection(include=(DATABASE,)))] == [DATABASE]


OPTED_OUT_REASON = "its tag holdfast:plan=none takes it out of every plan that does not name it"


class TestSelect:
    @pytest.mark.parametrize(
        ("selection", "tags", "chosen"),
        [
            pytest.param(Selection(tags=TAGS), TAGS, True, id="its tag"),
            pytest.param(Selection(tags=TAGS), {}, False, id="no tag"),
            pytest.param(Selection(tags=TAGS), {"holdfast:plan": "weekly"}, False, id="another value"),
            pytest.param(
                Selection(tags={"a": "1", "b": "2"}),
                {"a": "1", "b": "2", "c": ""},
                True,
                id="all of the tags",
            ),
            pytest.param(Selection(tags={"a": "1", "b": "2"}), {"a": "1"}, False, id="one of two tags"),
            pytest.param(Selection(include=("*:db:ord*",)), {}, True, id="included by a glob"),
            pytest.param(Selection(include=("*:db:Ord*",)), {}, False, id="a glob of another case"),
            pytest.param(
                Selection(tags=TAGS, include=(DATABASE,)), {}, True, id="by name though without the tag"
            ),
            pytest.param(
                Selection(tags=TAGS, include=("*:table/*",)), TAGS, True, id="by tag though not included"
            ),
            pytest.param(
                Selection(tags=TAGS, exclude=("*:orders",)), TAGS, False, id="excluded though tagged"
            ),
            pytest.param(
                Selection(include=(DATABASE,), exclude=(DATABASE,)), {}, False, id="excluded though named"
            ),
            pytest.param(
                Selection(include=("*",)), {"holdfast:plan": "none"}, False, id="opted out of a glob"
            ),
            pytest.param(
                Selection(tags={"a": "1"}), {"a": "1", "holdfast:plan": "none"}, False, id="opted out of tags"
            ),
            pytest.param(
                Selection(include=(DATABASE,)), {"holdfast:plan": "none"}, True, id="opted out but named"
            ),
            pytest.param(Selection(), TAGS, False, id="a selection by nothing"),
        ],
    )
    def test_what_a_plan_protects(self, selection: Selection, tags: Mapping[str, str], chosen: bool) -> None:
        resource = a_resource(tags=tags)
        assert select([resource], selection)[0] == ([resource] if chosen else [])

    def test_named_and_tagged_and_opted_out_is_left_out_only_if_not_named(self) -> None:
        """A resource that a plan names stays in it, however it came to the listing."""
        tags = {"a": "1", "holdfast:plan": "none"}
        selection = Selection(tags={"a": "1"}, include=(DATABASE,))
        assert select([a_resource(tags=tags)], selection)[0] == [a_resource(tags=tags)]

    def test_what_is_kept_out_says_why(self) -> None:
        resources = [
            a_resource(TABLE, {"holdfast:plan": "none"}),
            a_resource(DATABASE, {}),
            a_resource(CLUSTER, {}),
        ]
        _, left = select(resources, Selection(include=("*:table/*", "*:db:*"), exclude=("*:db:*",)))
        assert [(one.resource, one.state, one.reason) for one in left] == [
            (TABLE, State.SKIPPED, OPTED_OUT_REASON),
            (DATABASE, State.SKIPPED, "the plan excludes *:db:*"),
        ]

    def test_the_order_is_that_of_the_arns(self) -> None:
        resources = [a_resource(DATABASE.replace("orders", name)) for name in ("b", "c", "a")]
        chosen, _ = select(resources, Selection(tags=TAGS))
        assert [one.name for one in chosen] == ["a", "b", "c"]


class TestCreates:
    def test_a_resource_without_a_backup_of_the_slot_gets_one(self) -> None:
        steps, outcomes = plan_creates([a_resource()], [a_backup(nights_ago(1))], a_request(), HOME)
        assert [(step.resource.arn, step.mark, step.reason) for step in steps] == [
            (DATABASE, a_mark(), "it has no backup for the slot 2026-11-22T02:00:00Z")
        ]
        assert outcomes == []

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (AVAILABLE, State.DONE),
            (CREATING, State.PENDING),
            (FAILED, State.FAILED),
            (DELETING, State.FAILED),
        ],
    )
    def test_one_that_has_it_gets_no_second(self, state: BackupState, expected: State) -> None:
        made = a_backup(state=state)
        steps, [outcome] = plan_creates([a_resource()], [made], a_request(), HOME)
        assert steps == []
        assert (outcome.state, outcome.backup) == (expected, made.id)

    @pytest.mark.parametrize(("transient", "expected"), [(True, State.PENDING), (False, State.FAILED)])
    def test_one_that_is_not_ready_says_why(self, transient: bool, expected: State) -> None:
        resource = a_resource(unready="the instance is stopped", transient=transient)
        steps, [outcome] = plan_creates([resource], [], a_request(), HOME)
        assert steps == []
        assert (outcome.state, outcome.reason) == (expected, "the instance is stopped")

    def test_a_backup_made_before_it_was_stopped_still_counts(self) -> None:
        resource = a_resource(unready="the instance is stopped")
        _, [outcome] = plan_creates([resource], [a_backup()], a_request(), HOME)
        assert outcome.state is State.DONE

    def test_of_two_backups_of_one_slot_the_one_that_can_be_restored_is_told(self) -> None:
        good, bad = a_backup(source=TABLE, serial=1), a_backup(source=TABLE, state=FAILED, serial=2)
        for backups in ([good, bad], [bad, good]):
            _, [outcome] = plan_creates([a_resource(TABLE)], backups, a_request(), HOME)
            assert outcome.state is State.DONE

    @pytest.mark.parametrize(
        "other",
        [
            a_backup(stack="another"),
            a_backup(plan="weekly"),
            a_backup(ours=False),
            a_backup(source=DATABASE.replace("orders", "bills")),
            a_backup(nights_ago(1)),
        ],
        ids=["another stack", "another plan", "no mark", "another resource", "another slot"],
    )
    def test_what_others_made_does_not_count(self, other: Backup) -> None:
        steps, _ = plan_creates([a_resource()], [other], a_request(), HOME)
        assert len(steps) == 1


def copies_of(
    here: Sequence[Backup],
    there: Sequence[Backup] = (),
    rule: CopyRule | None = None,
    request_slot: datetime = NIGHT,
) -> tuple[list[datetime], list[tuple[State, str]]]:
    """The slots that are to be copied, and what is told of others."""
    rule = rule or a_rule()
    plan = a_plan(copies=(rule,))
    steps, outcomes = plan_copies(here, there, plan, rule, a_request(request_slot), HOME)
    return [slot_of(step.backup) for step in steps], [(one.state, one.reason) for one in outcomes]


class TestCopies:
    def test_what_is_available_and_lacks_its_copy_is_copied_newest_first(self) -> None:
        slots, _ = copies_of([a_backup(nights_ago(2)), a_backup(), a_backup(nights_ago(1))])
        assert slots == [NIGHT, nights_ago(1), nights_ago(2)]

    def test_a_copys_mark_names_its_original(self) -> None:
        rule = a_rule(kms_key=KEY)
        [step], _ = plan_copies([a_backup()], [], a_plan(copies=(rule,)), rule, a_request(), HOME)
        assert step.mark == replace(a_mark(), copy_of=a_backup().arn)
        assert (step.region, step.kms_key, step.reason) == (AWAY_REGION, KEY, "us-west-2 has no copy of it")

    def test_only_what_the_regions_own_policy_would_keep_is_copied(self) -> None:
        here = [a_backup(nights_ago(night)) for night in range(10)]
        assert copies_of(here, rule=a_rule(keep=KeepPolicy(daily=2)))[0] == [NIGHT, nights_ago(1)]
        assert copies_of(here, rule=a_rule(keep=KeepPolicy(weekly=2)))[0] == [NIGHT, nights_ago(7)]

    def test_copies_whose_original_is_gone_take_their_place_in_the_policy(self) -> None:
        orphan = a_backup(nights_ago(1), region=AWAY_REGION)
        here = [a_backup(), a_backup(nights_ago(2)), a_backup(nights_ago(3))]
        assert copies_of(here, [orphan], a_rule(keep=KeepPolicy(daily=3)))[0] == [NIGHT, nights_ago(2)]

    def test_what_has_its_copy_is_not_copied_again(self) -> None:
        slots, told = copies_of([a_backup()], [a_backup(region=AWAY_REGION)])
        assert slots == []
        assert [state for state, _ in told] == [State.DONE]

    def test_copies_of_earlier_slots_are_not_told_again(self) -> None:
        earlier = nights_ago(1)
        assert copies_of([a_backup(earlier)], [a_backup(earlier, region=AWAY_REGION)]) == ([], [])

    @pytest.mark.parametrize(
        ("state", "expected", "word"),
        [
            (CREATING, State.PENDING, "being copied"),
            (FAILED, State.FAILED, "delete it in us-west-2, and the next run copies again"),
            (DELETING, State.PENDING, "an earlier copy is being deleted"),
        ],
    )
    @pytest.mark.parametrize("slot", [NIGHT, nights_ago(1)])
    def test_a_copy_that_does_not_stand_is_told(
        self, state: BackupState, expected: State, word: str, slot: datetime
    ) -> None:
        slots, [(told, reason)] = copies_of(
            [a_backup(slot)], [a_backup(slot, state=state, region=AWAY_REGION)]
        )
        assert slots == []
        assert told is expected
        assert word in reason

    def test_a_backup_still_in_the_making_is_waited_for(self) -> None:
        assert copies_of([a_backup(state=CREATING)]) == (
            [],
            [(State.PENDING, "waits for the backup itself to be available")],
        )

    @pytest.mark.parametrize("state", [FAILED, DELETING])
    def test_a_backup_that_failed_or_goes_is_not_copied_and_takes_no_place(self, state: BackupState) -> None:
        here = [a_backup(state=state), a_backup(nights_ago(1))]
        assert copies_of(here, rule=a_rule(keep=KeepPolicy(daily=1))) == ([nights_ago(1)], [])

    def test_an_encrypted_backup_without_a_key_there_fails_with_advice(self) -> None:
        slots, [(state, reason)] = copies_of([a_backup(encrypted=True)])
        assert slots == []
        assert state is State.FAILED
        assert reason == (
            "it is encrypted, and the plan names no kms_key for us-west-2: give the copy a key of us-west-2"
        )

    def test_an_encrypted_backup_with_a_key_is_copied(self) -> None:
        assert copies_of([a_backup(encrypted=True)], rule=a_rule(kms_key=KEY))[0] == [NIGHT]

    def test_what_finds_no_free_slot_is_put_off_newest_first(self) -> None:
        here = [a_backup(nights_ago(night)) for night in range(3)]
        slots, told = copies_of(here, rule=a_rule(slots=2))
        assert slots == [NIGHT, nights_ago(1)]
        assert told == [(State.DEFERRED, "all 2 copy slots of us-west-2 are in use")]

    def test_others_copies_in_flight_use_up_slots(self) -> None:
        others = [
            replace(a_backup(nights_ago(n), ours=False, state=CREATING, region=AWAY_REGION), arn=f"x{n}")
            for n in range(2)
        ]
        assert copies_of([a_backup()], others, a_rule(slots=2))[0] == []
        assert copies_of([a_backup()], others, a_rule(slots=3))[0] == [NIGHT]

    def test_waiting_failing_and_standing_ones_use_no_slot(self) -> None:
        here = [a_backup(state=CREATING), a_backup(nights_ago(1), encrypted=True), a_backup(nights_ago(2))]
        assert copies_of(here, rule=a_rule(slots=1))[0] == [nights_ago(2)]

    @pytest.mark.parametrize(
        "other",
        [
            a_backup(stack="another"),
            a_backup(plan="weekly"),
            a_backup(ours=False),
            a_backup(source=FOREIGN_DATABASE, region=HOME_REGION),
        ],
        ids=["another stack", "another plan", "no mark", "a copy of another Region's stack"],
    )
    def test_what_others_made_is_not_copied(self, other: Backup) -> None:
        assert copies_of([other]) == ([], [])

    def test_a_copy_that_stands_here_is_not_copied_on(self) -> None:
        copy = replace(a_backup(), mark=a_mark(copy_of="arn:aws:rds:us-east-1:123456789012:snapshot:x"))
        assert copies_of([copy]) == ([], [])

    def test_a_hold_on_an_original_is_no_wish_for_a_copy_that_would_be_pruned_again(self) -> None:
        held = a_backup(nights_ago(30), tags={HOLD_TAG: "legal"})
        newer = [a_backup(nights_ago(night)) for night in range(3)]
        slots, _ = copies_of([held, *newer], rule=a_rule(keep=KeepPolicy(daily=2)))
        assert slots == [NIGHT, nights_ago(1)]

    def test_a_held_backup_that_the_region_wants_is_copied(self) -> None:
        assert copies_of([a_backup(tags={HOLD_TAG: "legal"})])[0] == [NIGHT]

    def test_backups_of_later_slots_are_left_to_their_own_runs(self) -> None:
        here = [a_backup(), a_backup(nights_ago(1)), a_backup(nights_ago(2))]
        slots, _ = copies_of(here, rule=a_rule(keep=KeepPolicy(daily=1)), request_slot=nights_ago(1))
        assert slots == [nights_ago(1)]


def standing(
    here: Sequence[Backup], there: Sequence[Backup] = (), *, kind: str = "rds", copied: bool = True
) -> Standing:
    return Standing(kind=kind, by_region={HOME_REGION: here, AWAY_REGION: there}, copied=copied)


def pruned(
    here: Sequence[Backup],
    there: Sequence[Backup] = (),
    plan: Plan | None = None,
    *,
    spared: Mapping[str, str] | None = None,
    copied: bool = True,
    home: Home = HOME,
    now: datetime = NIGHT,
) -> PrunePlan:
    return plan_prune([standing(here, there, copied=copied)], plan or a_plan(), now, home, spared or {})


def deleted(prune: PrunePlan) -> list[tuple[str, datetime]]:
    return [(one.backup.region, slot_of(one.backup)) for one in prune.deletes]


FORTNIGHT = [a_backup(nights_ago(night)) for night in range(14)]
FORTNIGHT_AWAY = [a_backup(nights_ago(night), region=AWAY_REGION) for night in range(14)]
ONE_DAY = KeepPolicy(daily=1, minimum=1)


class TestPrune:
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


class TestPruneWaitsForCopies:
    plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=KeepPolicy(daily=3, minimum=1)),))
    here = (a_backup(), a_backup(nights_ago(1)))
    newest_copied = a_backup(region=AWAY_REGION)

    def gone(self, *there: Backup, plan: Plan | None = None, copied: bool = True) -> list[datetime]:
        prune = pruned(self.here, [self.newest_copied, *there], plan or self.plan, copied=copied)
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

    def test_an_original_that_the_region_does_not_want_goes_without_a_copy(self) -> None:
        plan = a_plan(keep=ONE_DAY, copies=(a_rule(keep=ONE_DAY),))
        assert self.gone(plan=plan) == [nights_ago(1)]

    def test_kinds_that_cannot_be_copied_are_not_waited_for(self) -> None:
        assert self.gone(copied=False) == [nights_ago(1)]

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
    prune: PrunePlan,
    breaker: Breaker,
    approve: str = "",
    listed: Sequence[Deletion] = (),
    keep: KeepPolicy = KEEP,
) -> str:
    return tripped(prune, a_plan(keep=keep, breaker=breaker), a_request(approve=approve), listed)


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
            "approve": self.prune.digest,
        }

    def test_too_large_a_share_is_refused(self) -> None:
        assert "prune.max_delete_share is 0.5: none was" in refusal_of(self.prune, LIMIT_BY_SHARE)

    def test_both_limits_are_named(self) -> None:
        both = Breaker(max_deletes_per_run=10, max_delete_share=0.5)
        assert "prune.max_deletes_per_run is 10 and prune.max_delete_share is 0.5" in refusal_of(
            self.prune, both
        )

    def test_the_digest_of_exactly_this_list_lets_it_pass(self) -> None:
        assert refusal_of(self.prune, LIMIT_BY_NUMBER, self.prune.digest) == ""

    def test_the_digest_of_another_list_does_not(self) -> None:
        other = pruned(FORTNIGHT[:13]).digest
        refusal = refusal_of(self.prune, LIMIT_BY_NUMBER, other)
        assert refusal.startswith(f"The approval {other} is of another list. ")
        assert self.prune.digest in refusal

    def test_what_is_left_of_an_approved_list_may_be_finished(self) -> None:
        first = self.prune.deletes[0].backup
        rest = pruned([one for one in FORTNIGHT if one is not first])
        limit = Breaker(max_deletes_per_run=1, max_delete_share=1.0)
        assert refusal_of(rest, limit, self.prune.digest, self.prune.listed) == ""
        assert refusal_of(rest, limit, self.prune.digest) != ""

    def test_what_was_not_on_an_approved_list_is_not_approved_by_it(self) -> None:
        limit = Breaker(max_deletes_per_run=1, max_delete_share=1.0)
        less = self.prune.listed[1:]
        assert refusal_of(self.prune, limit, digest_of(less), less) != ""

    def test_a_recorded_list_is_not_approved_by_another_digest(self) -> None:
        limit = Breaker(max_deletes_per_run=1, max_delete_share=1.0)
        assert refusal_of(self.prune, limit, "0" * 16, self.prune.listed) != ""

    def test_without_a_number_more_than_a_usual_night_deletes_is_refused(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(3)]
        month = pruned([a_backup(nights_ago(night), table) for table in tables for night in range(30)])
        refusal = refusal_of(month, Breaker(max_delete_share=1.0))
        assert "a usual night deletes 20 at most (prune.max_deletes_per_run)" in refusal

    @pytest.mark.parametrize("rules", [("daily",), ("daily", "weekly", "monthly")])
    @pytest.mark.parametrize("days", [2, 7])
    def test_no_usual_night_of_a_year_is_refused_nor_one_after_a_missed_one(
        self, rules: Sequence[str], days: int
    ) -> None:
        keep = KeepPolicy(**({"weekly": 2, "monthly": 12} | {"daily": days}), minimum=2)
        keep = replace(keep, **{name: 0 for name in ("weekly", "monthly") if name not in rules})
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(11)]
        breaker = Breaker(max_delete_share=0.25)
        stands: list[Backup] = []
        for night in range(400, 0, -1):
            now = nights_ago(night)
            stands += [a_backup(now, table) for table in tables]
            if night % 90 == 0:
                continue  # a night on which nothing was pruned
            prune = pruned(stands, plan=a_plan(keep=keep, breaker=breaker), now=now)
            assert refusal_of(prune, breaker, keep=keep) == ""
            stands = [one.backup for one in prune.verdicts if one.keep]

    def test_a_policy_that_was_shortened_is_refused(self) -> None:
        tables = [TABLE.replace("orders", f"table-{number}") for number in range(3)]
        month = pruned([a_backup(nights_ago(night), table) for table in tables for night in range(30)])
        assert "backups would be deleted" in refusal_of(month, Breaker(max_delete_share=0.25))

    @given(st.permutations(FORTNIGHT))
    def test_the_digest_does_not_hang_on_the_order_of_the_listing(self, backups: Sequence[Backup]) -> None:
        assert pruned(backups).digest == self.prune.digest


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

    def test_a_backup_of_the_former_resource_is_none_of_the_new_one(self) -> None:
        made = replace(a_backup(NIGHT), resource_id="db-OLD")
        steps, outcomes = plan_creates(
            [replace(a_resource(), resource_id="db-NEW")], [made], a_request(), HOME
        )
        assert (len(steps), outcomes) == (1, [])


# --- properties over several locations -------------------------------------------------------------------

few = st.integers(0, 4)
policies = st.builds(KeepPolicy, last=few, daily=few, weekly=few, minimum=st.integers(1, 3)).filter(
    lambda policy: not policy.is_unusable
)
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
    steps, _ = plan_copies(here, there, plan, rule, a_request(), HOME)
    made = [a_backup(slot_of(step.backup), region=AWAY_REGION) for step in steps]
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
    steps, _ = plan_copies(here, there, plan, rule, a_request(), HOME)
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
