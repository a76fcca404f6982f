"""What is to be created and copied, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import (
    HOLD_TAG,
    OPT_OUT,
    PLAN_TAG,
    Backup,
    BackupState,
    CopyLaws,
    CopyRule,
    CopySettings,
    Home,
    KeepPolicy,
    Origin,
    Resource,
    Selection,
)
from holdfast.core.planning import (
    Copying,
    ToCopy,
    free_slots,
    not_there,
    ours,
    plan_copies,
    plan_creates,
    select,
    source_place,
    together,
    wanted_there,
    why_not_ours,
)
from holdfast.core.report import State
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    COPIED,
    DATABASE,
    EXPORTED,
    HOME,
    HOME_REGION,
    KEY,
    NIGHT,
    TABLE,
    TAGS,
    VOLUME,
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


ACCOUNT, VAULT, THIRD = "123456789012", "111122223333", "444455556666"
ORIGIN = Origin(account=ACCOUNT, region=HOME_REGION)


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

    @pytest.mark.parametrize(
        ("home", "expected"),
        [
            (Home(stack="holdfast", region=HOME_REGION, account=ACCOUNT), True),
            (Home(stack="holdfast", region=HOME_REGION, account=VAULT), False),
            (Home(stack="holdfast", region=AWAY_REGION, account=VAULT, vault_of=ORIGIN), True),
            (Home(stack="holdfast", region=HOME_REGION, account=VAULT, vault_of=ORIGIN), True),
            (Home(stack="other", region=AWAY_REGION, account=VAULT, vault_of=ORIGIN), False),
            (
                Home(
                    stack="holdfast",
                    region=AWAY_REGION,
                    account=VAULT,
                    vault_of=replace(ORIGIN, account=THIRD),
                ),
                False,
            ),
            (
                Home(
                    stack="holdfast",
                    region=AWAY_REGION,
                    account=VAULT,
                    vault_of=replace(ORIGIN, region=AWAY_REGION),
                ),
                False,
            ),
        ],
        ids=[
            "the stack that made it",
            "a stack of the same name in the other account",
            "that account's vault",
            "a vault in the Region of the backups",
            "a vault of another stack",
            "a vault of another account",
            "a vault of another Region",
        ],
    )
    @pytest.mark.parametrize("source", [DATABASE, CLUSTER, VOLUME])
    def test_a_copy_in_another_account_is_its_maker_s_and_its_vault_s(
        self, home: Home, source: str, expected: bool
    ) -> None:
        copy = a_backup(source=source, region=AWAY_REGION, account=VAULT)
        assert (why_not_ours(copy, home, "nightly") == "") is expected
        assert why_not_ours(copy, home, "weekly")

    def test_what_is_no_copy_is_none_of_a_vault_s(self) -> None:
        vault = Home(stack="holdfast", region=HOME_REGION, account=VAULT, vault_of=ORIGIN)
        assert why_not_ours(a_backup(), vault, "nightly") == "not ours: it is no copy"

    @given(
        account=st.sampled_from([ACCOUNT, VAULT, THIRD]),
        region=st.sampled_from([HOME_REGION, AWAY_REGION]),
        copied=st.booleans(),
    )
    def test_in_one_account_a_backup_is_never_a_vault_s_and_another_plan_s_too(
        self, account: str, region: str, copied: bool
    ) -> None:
        mark = a_mark(source=f"arn:aws:rds:{region}:{account}:db:orders", copy_of=DATABASE if copied else "")
        backup = replace(a_backup(), mark=mark)
        plain = Home(stack="holdfast", region=HOME_REGION, account=VAULT)
        homes = [
            replace(plain, region=here, vault_of=origin)
            for here in (HOME_REGION, AWAY_REGION)
            for origin in (None, ORIGIN, replace(ORIGIN, region=AWAY_REGION), replace(ORIGIN, account=THIRD))
        ]
        whose = {
            (home.source_account, home.source_region)
            for home in homes
            if not why_not_ours(backup, home, "nightly")
        }
        assert whose <= {(account, region)}
        vaults = {home.vault_of is not None for home in homes if not why_not_ours(backup, home, "nightly")}
        assert len(vaults) <= 1


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

    def test_one_that_aws_ended_as_failed_says_why(self) -> None:
        failed = a_backup(state=FAILED, failure="Volume was lost")
        _, [outcome] = plan_creates([a_resource()], [failed], a_request(), HOME)
        assert outcome.reason == (
            "AWS ended it as failed (Volume was lost); nothing else is made for this slot, the next one "
            "makes the next attempt"
        )

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
    laws: CopyLaws = COPIED,
) -> tuple[list[datetime], list[tuple[State, str]]]:
    """The slots that are to be copied, and what is told of others."""
    rule = rule or a_rule()
    plan = a_plan(copies=(rule,))
    copying = [Copying(kind="rds", laws=laws, here=here, there=there)]
    steps, outcomes = plan_copies(copying, plan, rule, a_request(request_slot), HOME)
    return [slot_of(step.backup) for step in steps], [(one.state, one.reason) for one in outcomes]


class TestCopies:
    def test_what_is_available_and_lacks_its_copy_is_copied_newest_first(self) -> None:
        slots, _ = copies_of([a_backup(nights_ago(2)), a_backup(), a_backup(nights_ago(1))])
        assert slots == [NIGHT, nights_ago(1), nights_ago(2)]

    def test_a_copys_mark_names_its_original(self) -> None:
        rule = a_rule(kms_key=KEY)
        copying = [Copying(kind="rds", laws=COPIED, here=[a_backup(encrypted=True)], there=[])]
        [step], _ = plan_copies(copying, a_plan(copies=(rule,)), rule, a_request(), HOME)
        assert step.mark == replace(a_mark(), copy_of=a_backup().arn)
        assert (step.place, step.reason) == (AWAY_REGION, "us-west-2 has no copy of it")
        assert step.settings == CopySettings(kms_key=KEY)

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
            "it is encrypted, and the plan names no kms_key for us-west-2: give the copy the ARN of a KMS "
            "key of us-west-2"
        )

    def test_an_encrypted_backup_with_a_key_is_copied(self) -> None:
        assert copies_of([a_backup(encrypted=True)], rule=a_rule(kms_key=KEY))[0] == [NIGHT]

    def test_copies_in_flight_use_up_slots_others_too(self) -> None:
        running = a_backup(region=AWAY_REGION, state=CREATING)
        theirs = replace(a_backup(ours=False, state=CREATING, region=AWAY_REGION), arn="theirs")
        made_there = replace(theirs, arn="made there", copied=False)
        done = a_backup(nights_ago(1), region=AWAY_REGION)
        there = [running, theirs, made_there, done]
        copying = [Copying(kind="rds", laws=COPIED, here=[], there=there)]
        assert free_slots(copying, a_rule(slots=5)) == 3
        assert free_slots([*copying, *copying], a_rule(slots=3)) == -1

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


INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"


def a_volume(
    name: str = "vol-1",
    tags: Mapping[str, str] | None = None,
    *,
    group: str = INSTANCE,
    group_tags: Mapping[str, str] | None = None,
) -> Resource:
    arn = f"arn:aws:ec2:us-east-1:123456789012:volume/{name}"
    return Resource(kind="ebs", arn=arn, tags=tags or {}, group=group, group_tags=group_tags or {})


class TestGroups:
    """Volumes of one instance are backed up at one instant when the plan selects the instance."""

    def chosen(self, volume: Resource, selection: Selection | None = None) -> list[str]:
        """The group of the volume when it is chosen, empty when it is chosen alone."""
        found, _ = select([volume], selection or Selection(tags=TAGS))
        return [one.group for one in found]

    def test_a_volume_of_a_tagged_instance_is_in_with_it(self) -> None:
        assert self.chosen(a_volume(group_tags=TAGS)) == [INSTANCE]

    def test_a_tagged_volume_of_an_untagged_instance_is_in_alone(self) -> None:
        assert self.chosen(a_volume(tags=TAGS)) == [""]

    def test_a_volume_of_neither_is_out(self) -> None:
        assert self.chosen(a_volume()) == []
        assert self.chosen(a_volume(group="", group_tags=TAGS)) == []

    def test_a_volume_that_opts_out_is_left_out_and_that_is_said(self) -> None:
        chosen, [left] = select([a_volume(tags={PLAN_TAG: OPT_OUT}, group_tags=TAGS)], Selection(tags=TAGS))
        assert chosen == []
        assert left.reason.startswith("its tag holdfast:plan=none takes it out")

    def test_an_instance_that_opts_out_takes_in_nothing(self) -> None:
        selection = Selection(include=("*:instance/*",))
        assert self.chosen(a_volume(group_tags={PLAN_TAG: OPT_OUT}), selection) == []
        assert self.chosen(a_volume(group_tags={PLAN_TAG: OPT_OUT}), Selection(include=(INSTANCE,))) == [
            INSTANCE
        ]

    def test_an_instance_can_be_named_or_excluded(self) -> None:
        assert self.chosen(a_volume(), Selection(include=(INSTANCE,))) == [INSTANCE]
        excluding = Selection(tags=TAGS, exclude=(INSTANCE,))
        assert self.chosen(a_volume(group_tags=TAGS), excluding) == []
        assert self.chosen(a_volume(tags=TAGS, group_tags=TAGS), excluding) == [""]

    def test_those_of_one_group_are_made_by_one_call_and_others_each_by_its_own(self) -> None:
        volumes = [
            a_volume("vol-1"),
            a_volume("vol-2"),
            a_volume("vol-3", group=INSTANCE.replace("i-0", "i-1")),
            a_volume("vol-4", group=""),
            a_volume("vol-5", group=""),
        ]
        steps, _ = plan_creates(volumes, [], a_request(), HOME)
        batches = [[step.resource.name for step in batch] for batch in together(steps)]
        assert batches == [["vol-1", "vol-2"], ["vol-3"], ["vol-4"], ["vol-5"]]

    def test_what_has_its_backup_is_not_made_again_with_its_group(self) -> None:
        done = a_backup(NIGHT, a_volume("vol-1").arn)
        steps, told = plan_creates([a_volume("vol-1"), a_volume("vol-2")], [done], a_request(), HOME)
        assert [step.resource.name for step in steps] == ["vol-2"]
        assert [one.state for one in told] == [State.DONE]


class TestAttempts:
    def copy(self, attempt: int, state: BackupState = FAILED, failure: str = "") -> Backup:
        return a_backup(region=AWAY_REGION, state=state, attempt=attempt, failure=failure)

    def steps_for(self, *there: Backup) -> list[ToCopy]:
        rule = a_rule()
        copying = [Copying(kind="rds", laws=COPIED, here=[a_backup()], there=there)]
        return plan_copies(copying, a_plan(copies=(rule,)), rule, a_request(), HOME)[0]

    def test_the_next_has_the_next_number_and_says_why(self) -> None:
        [step] = self.steps_for(self.copy(1, failure="Given key ID is not accessible"))
        assert step.mark.attempt == 2
        assert step.reason == (
            "AWS ended 1 of its copies in us-west-2 as failed (Given key ID is not accessible; the KMS key "
            "has to exist and be enabled, and its policy has to allow the copy)"
        )

    def test_what_is_not_about_the_key_does_not_speak_of_it(self) -> None:
        [step] = self.steps_for(self.copy(1, failure="Monkeys at the datacentre"))
        assert "KMS" not in step.reason

    def test_its_number_is_above_all_that_stand(self) -> None:
        [step] = self.steps_for(self.copy(2))
        assert step.mark.attempt == 3

    def test_beside_a_good_one_or_one_that_runs_none_is_begun(self) -> None:
        for state in (AVAILABLE, CREATING):
            assert self.steps_for(self.copy(1), self.copy(2, state)) == []

    def test_the_third_is_the_last(self) -> None:
        assert self.steps_for(self.copy(1), self.copy(2), self.copy(3)) == []

    def test_other_slots_have_attempts_of_their_own(self) -> None:
        others = [
            replace(self.copy(n), mark=replace(a_mark(nights_ago(1)), copy_of="x", attempt=n)) for n in (1, 2)
        ]
        [step] = self.steps_for(*others)
        assert step.mark.attempt == 1


class TestReach:
    laws = EXPORTED

    def test_what_is_older_is_wanted_only_where_it_has_its_copy(self) -> None:
        rule = a_rule(keep=KeepPolicy(daily=90), bucket="exports")
        old = a_backup(nights_ago(35), TABLE)
        plan = a_plan(copies=(rule,))
        assert wanted_there([old], [], rule, plan, NIGHT, EXPORTED.reach) == []
        copy = a_backup(nights_ago(35), TABLE, region=AWAY_REGION)
        assert wanted_there([old], [copy], rule, plan, NIGHT, EXPORTED.reach) == [old]

    def test_up_to_it_all_is_wanted(self) -> None:
        rule = a_rule(keep=KeepPolicy(daily=90), bucket="exports")
        young = a_backup(nights_ago(34.9), TABLE)
        assert wanted_there([young], [], rule, a_plan(copies=(rule,)), NIGHT, EXPORTED.reach) == [young]


class TestIncrements:
    def base_of(self, *exports: Backup, full_every_days: int = 7, slot: datetime = NIGHT) -> datetime | None:
        rule = a_rule(keep=KeepPolicy(daily=60), bucket="exports", full_every_days=full_every_days)
        copying = [Copying(kind="dynamodb", laws=EXPORTED, here=[a_backup(slot, TABLE)], there=exports)]
        [step], _ = plan_copies(copying, a_plan(copies=(rule,)), rule, a_request(slot), HOME)
        return step.settings.base

    def export(self, nights: float, base: float | None = None, state: BackupState = AVAILABLE) -> Backup:
        since = nights_ago(base) if base is not None else None
        return a_backup(nights_ago(nights), TABLE, state, region=AWAY_REGION, base=since)

    def test_it_is_since_the_newest_that_stands(self) -> None:
        assert self.base_of(self.export(1, base=2), self.export(2)) == nights_ago(1)

    def test_without_a_plan_for_it_all_are_whole(self) -> None:
        assert self.base_of(self.export(1), full_every_days=1) is None

    @pytest.mark.parametrize("nights", [1.01, 2, 0.01])
    def test_what_aws_cannot_span_is_no_base(self, nights: float) -> None:
        assert self.base_of(self.export(nights)) is None

    @pytest.mark.parametrize("state", [CREATING, FAILED, DELETING, BackupState.REMNANT])
    def test_what_does_not_stand_is_no_base(self, state: BackupState) -> None:
        assert self.base_of(self.export(1, state=state)) is None

    def test_after_so_many_days_a_whole_one_is_due(self) -> None:
        chain = [self.export(nights, base=nights + 1) for nights in range(1, 6)]
        assert self.base_of(*chain, self.export(6)) == nights_ago(1)
        assert self.base_of(*chain, self.export(6), full_every_days=6) is None

    def test_a_chain_without_its_beginning_is_no_base(self) -> None:
        """The listing says so of what stands on nothing; the age of a whole one that is gone is not known."""
        assert self.base_of(self.export(1, base=9)) is None


def test_a_place_is_fed_from_the_home_region_or_from_the_copies_in_its_own() -> None:
    assert source_place(a_rule(), HOME) == HOME_REGION
    assert source_place(a_rule(account="111122223333"), HOME) == AWAY_REGION
    assert source_place(a_rule(account="111122223333", region=HOME_REGION), HOME) == HOME_REGION
