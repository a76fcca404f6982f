"""What is to be created and copied, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    CopyRule,
    KeepPolicy,
    Selection,
)
from holdfast.core.planning import (
    not_there,
    ours,
    plan_copies,
    plan_creates,
    select,
    wanted_there,
    why_not_ours,
)
from holdfast.core.report import State
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    DATABASE,
    HOME,
    HOME_REGION,
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
        assert (why_not_ours(backup, HOME, "nightly") == "") is expected
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

    def test_a_copy_takes_no_second_place_beside_its_original(self) -> None:
        here = [a_backup(), a_backup(nights_ago(1))]
        slots, _ = copies_of(here, [a_backup(region=AWAY_REGION)], rule=a_rule(keep=KeepPolicy(last=2)))
        assert slots == [nights_ago(1)]

    def test_the_days_of_copies_are_the_plans(self) -> None:
        late, early = (a_backup(nights_ago(1) + timedelta(hours=hours)) for hours in (21, 19))  # 00:00, 22:00
        rule = a_rule(keep=KeepPolicy(daily=2, minimum=1))
        plan = a_plan(copies=(rule,), time_zone="Europe/Berlin")
        assert wanted_there([late, early], [], rule, plan, NIGHT) == [late, early]
        assert wanted_there([late, early], [], rule, replace(plan, time_zone="UTC"), NIGHT) == [late]

    def test_a_held_backup_that_the_region_wants_is_copied(self) -> None:
        assert copies_of([a_backup(tags={HOLD_TAG: "legal"})])[0] == [NIGHT]

    def test_backups_of_later_slots_are_left_to_their_own_runs(self) -> None:
        here = [a_backup(), a_backup(nights_ago(1)), a_backup(nights_ago(2))]
        slots, _ = copies_of(here, rule=a_rule(keep=KeepPolicy(daily=1)), request_slot=nights_ago(1))
        assert slots == [nights_ago(1)]


def test_a_backup_of_the_former_resource_is_none_of_the_new_one() -> None:
    made = replace(a_backup(NIGHT), resource_id="db-OLD")
    steps, outcomes = plan_creates([replace(a_resource(), resource_id="db-NEW")], [made], a_request(), HOME)
    assert (len(steps), outcomes) == (1, [])
