"""Copies arrive: all of them, each once, never more at a time than there is room for, whatever AWS does."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    CopySlotsFull,
    NoAnswer,
    NotReady,
    QuotaReached,
    Throttled,
)
from holdfast.core.model import (
    Backup,
    BackupState,
    CopyRule,
    CopySettings,
    KeepPolicy,
    KeyRule,
    Mark,
    Plan,
    slot_of,
)
from holdfast.core.planning import Copying, plan_copies
from holdfast.core.pruning import PrunePlan, approved
from holdfast.core.report import Action, Outcome, Report, State, Status
from holdfast.core.retention import Verdict
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    DATABASE,
    EXPORTED,
    HOME_REGION,
    NIGHT,
    TABLE,
    TAGS,
    a_backup,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)
from tests.builders import HOME as STACK
from tests.fakes import AWAY, HOME, FakeCloud, FakeProvider
from tests.integration.world import World, by_resource

VAULT = "111122223333"
VAULT_PLACE = f"{AWAY_REGION}@{VAULT}"
VAULT_KEY = f"arn:aws:kms:us-west-2:{VAULT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BUCKET = "exports"
WEEK = KeepPolicy(daily=7, minimum=1)


def a_world(*rules: CopyRule, plan: Plan | None = None, **knobs: object) -> World:
    cloud = FakeCloud(**knobs)  # type: ignore[arg-type]
    return World(cloud=cloud, plan=plan or a_plan(copies=rules or (a_rule(),)))


def add_databases(world: World, count: int) -> None:
    for number in range(count):
        world.cloud.add_resource("rds" if number % 2 else "aurora", f"db-{number}", TAGS)


def sweeps_until_done(world: World, most: int) -> int:
    """How many sweeps it takes until nothing is left to do."""
    for number in range(1, most + 1):
        if not world.copy().unfinished:
            return number
    raise AssertionError(f"not done after {most} sweeps: {world.copy().counts}")


def copies_of_each(world: World, place: str = AWAY_REGION) -> Counter[str]:
    """How many good copies each resource has."""
    return Counter(
        one.source for one in world.cloud.standing(region=place) if one.state is BackupState.AVAILABLE
    )


def of_kind(report: Report, kind: str) -> list[Outcome]:
    return [one for one in report.outcomes if one.kind == kind]


class TestSlots:
    def test_the_newest_nights_go_first_over_all_kinds_of_a_service(self) -> None:
        world = a_world(a_rule(slots=2))
        add_databases(world, 2)
        for night in (1, 0):
            world.create(a_request(nights_ago(night)))
        world.cloud.listings_until_available = 1
        report = world.copy()
        begun = {one.backup[-16:] for one in report.outcomes if one.state is State.PENDING}
        put_off = {one.backup[-16:] for one in report.outcomes if one.state is State.DEFERRED}
        assert (begun, put_off) == ({"20261122t020000z"}, {"20261121t020000z"})
        assert "no copy slot of us-west-2 is free (2 in all): a later sweep copies it" in {
            one.reason for one in report.outcomes
        }

    def test_services_do_not_share_their_slots(self) -> None:
        world = a_world(a_rule(slots=1, bucket=BUCKET))
        for kind in ("rds", "ebs", "dynamodb"):
            world.cloud.add_resource(kind, f"{kind}-one", TAGS)
        world.create()
        world.cloud.listings_until_available = 1
        assert {one.state for one in world.copy().outcomes} == {State.PENDING}
        assert world.cloud.most_in_flight == {
            (AWAY_REGION, "dynamodb"): 1,
            (AWAY_REGION, "ec2"): 1,
            (AWAY_REGION, "rds"): 1,
        }

    def test_backups_in_the_making_there_that_are_no_copies_take_no_slot(self) -> None:
        world = a_world(a_rule(slots=1))
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        there = shop.arn.replace(HOME_REGION, AWAY_REGION)
        world.cloud.add_backup(there, "their-own", region=AWAY_REGION, state=BackupState.CREATING)
        assert by_resource(world.copy())["shop"].state is State.DONE

    def test_what_cannot_be_begun_keeps_no_other_from_its_turn(self) -> None:
        world = a_world(a_rule(slots=3, bucket=BUCKET))
        for number in range(9):
            world.cloud.without_pitr.add(world.cloud.add_resource("dynamodb", f"z-{number}", TAGS).arn)
        for number in range(2):
            world.cloud.add_resource("dynamodb", f"a-{number}", TAGS)
        world.create()
        report = world.copy()
        assert Counter(one.state for one in report.outcomes) == {State.FAILED: 9, State.DONE: 2}
        assert not report.unfinished

    def test_at_the_quota_nothing_waits_for_a_slot(self) -> None:
        world = a_world(a_rule(slots=2), quota=10)
        add_databases(world, 8)
        world.create()
        for kind in ("rds", "aurora"):
            for number in range(10):
                world.cloud.add_backup(theirs_of(kind), f"theirs-{number}", region=AWAY_REGION)
        report = world.copy()
        assert {one.state for one in report.outcomes} == {State.FAILED}
        assert not report.unfinished

    def test_when_aws_says_full_no_further_call_is_made_in_this_sweep(self) -> None:
        world = a_world(copy_slots=1)
        add_databases(world, 40)
        world.create()
        world.cloud.listings_until_available = 9
        states = Counter(one.state for one in world.copy().outcomes)
        assert states == {State.PENDING: 1, State.DEFERRED: 39}
        refused = [call for call in world.cloud.calls if call.operation == "copy"]
        assert len(refused) < 20  # those that were under way at the same time, and no more

    def test_a_full_slot_table_is_no_failure_and_says_what_aws_said(self) -> None:
        world = a_world(copy_slots=0)
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        report = world.copy()
        [outcome] = report.outcomes
        assert outcome.state is State.DEFERRED
        assert "Cannot copy more than 0 snapshots across regions" in outcome.reason
        assert report.unfinished


def theirs_of(kind: str) -> str:
    """The ARN of somebody else's database."""
    return DATABASE if kind == "rds" else CLUSTER


class TestNeverOkWithSomethingMissing:
    def made(self, kind: str = "rds") -> tuple[World, Backup]:
        world = a_world()
        world.cloud.add_resource(kind, "shop", TAGS)
        world.create()
        [original] = world.cloud.standing(kind, HOME_REGION)
        return world, original

    def test_a_copy_that_failed_of_a_backup_that_is_gone_is_told(self) -> None:
        world, original = self.made()
        world.cloud.listings_until_available = 3
        world.copy()
        world.cloud.delete_backup("rds", original.arn)
        assert world.copy().status is Status.FAILED

    def test_a_backup_that_somebody_is_deleting_and_that_has_no_copy_is_told(self) -> None:
        world, original = self.made()
        world.cloud.set_backup_state(original.arn, BackupState.DELETING)
        assert world.copy().status is Status.FAILED

    def test_a_backup_that_is_gone_before_another_account_has_its_copy_is_told(self) -> None:
        world, original = self.made()
        world.plan = a_plan(copies=(a_rule(account=VAULT, region=HOME_REGION),))
        world.cloud.delete_backup("rds", original.arn)
        assert world.copy().status is Status.FAILED

    def test_one_kind_that_can_never_be_listed_there_keeps_the_others_of_its_service_not_waiting(
        self,
    ) -> None:
        world, _ = self.made()
        world.cloud.add_resource("aurora", "ledger", TAGS)
        world.create()
        world.cloud.fail("backups", AWAY_REGION, AccessDenied, times=2)  # of these aurora is the first
        world.plan = replace(
            world.plan, select=replace(world.plan.select, types=frozenset({"aurora", "rds"}))
        )
        world.providers["rds"] = Deaf(world.cloud, "rds")
        outcomes = {one.kind: one.state for one in world.copy().outcomes}
        assert outcomes == {"aurora": State.FAILED, "rds": State.DONE}

    def test_a_new_table_is_not_told_as_done_by_the_old_one_s_export(self) -> None:
        rule = a_rule(bucket=BUCKET)
        old = replace(a_backup(source=TABLE, region=AWAY_REGION), resource_id="old")
        new = replace(a_backup(source=TABLE), resource_id="new")
        copying = [Copying(kind="dynamodb", laws=EXPORTED, here=[new], there=[old])]
        [step], told = plan_copies(copying, a_plan(copies=(rule,)), rule, a_request(), STACK)
        assert (step.backup, told) == (new, [])


class Deaf(FakeProvider):
    """A provider whose listings do not meet the errors that are meant for another's."""

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        return [one for one in self._cloud.standing(self.kind, place) if source in ("", one.source)]


class TestFailedCopies:
    @pytest.mark.parametrize("kind", ["rds", "aurora", "ebs"])
    def test_a_copy_that_failed_is_begun_again_under_another_name(self, kind: str) -> None:
        world = a_world(failing_copies=lambda number: number == 1)
        world.cloud.add_resource(kind, "shop", TAGS)
        world.create()
        first = world.copy()
        assert [one.state for one in first.outcomes] == [State.FAILED]
        again = world.copy()
        assert [one.state for one in again.outcomes] == [State.DONE]
        assert [name.split("shop-")[1] for name in world.names(AWAY_REGION)] == [
            "20261122t020000z",
            "try2-20261122t020000z",
        ]

    def test_it_is_begun_three_times_and_then_a_person_has_to_look(self) -> None:
        world = a_world(failing_copies=lambda _: True)
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        report = [world.copy() for _ in range(5)][-1]
        assert len(world.names(AWAY_REGION)) == 3
        [outcome] = report.outcomes
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith(
            "AWS ended all 3 attempts as failed, the last one with: made to fail. Mend the cause, delete "
        )
        assert not report.unfinished

    def test_one_that_is_begun_again_in_the_window_ends_the_run_well(self) -> None:
        """A run goes on while a copy is pending, and a copy that failed is one that can be begun again."""
        world = a_world(failing_copies=lambda number: number <= 2)
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        world.cloud.listings_until_available = 1
        reasons = {one.reason for _ in range(5) for one in world.copy().outcomes}
        assert (
            "being copied (AWS says creating), attempt 2 of 3: AWS ended 1 of its copies in us-west-2 as "
            "failed (made to fail)"
        ) in reasons
        sweeps_until_done(world, 9)
        assert len(copies_of_each(world)) == 1

    def test_what_a_newer_good_copy_made_useless_is_pruned(self) -> None:
        world = a_world(a_rule(keep=WEEK), failing_copies=lambda number: number == 1)
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        world.copy()
        world.copy()
        night = a_request(NIGHT + timedelta(days=1))
        world.create(night)
        world.copy(night)
        world.prune(night)
        assert all("try2" in name or "1123" in name for name in world.names(AWAY_REGION))


class TestStuck:
    def a_stuck_copy(self) -> World:
        world = a_world()
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        world.create(a_request(nights_ago(1)))
        world.copy(a_request(nights_ago(1)))
        [copy] = world.cloud.standing("rds", AWAY_REGION, shop.arn)
        world.cloud.set_backup_state(copy.arn, BackupState.CREATING)
        world.create()
        return world

    def test_a_copy_that_outlasts_the_window_is_told_with_its_age(self) -> None:
        [stuck] = [one for one in self.a_stuck_copy().copy().outcomes if one.stuck]
        assert stuck.state is State.PENDING
        assert stuck.reason.startswith(
            "being copied (AWS says creating), and stuck: it is for the slot 2026-11-21T02:00:00Z, 24 hours "
            "ago, longer than the plan's window"
        )

    def test_the_run_does_not_wait_for_it_and_is_not_ok(self) -> None:
        report = self.a_stuck_copy().copy()
        assert not report.unfinished
        assert report.status is Status.PARTIAL

    def test_the_message_says_so(self) -> None:
        world = self.a_stuck_copy()
        world.copy()
        assert "copy rds shop in us-west-2 (stuck): being copied" in world.publish().message.text

    def test_it_takes_up_its_slot(self) -> None:
        world = self.a_stuck_copy()
        world.plan = replace(world.plan, copies=(a_rule(slots=1),))
        assert State.DEFERRED in {one.state for one in world.copy().outcomes}

    def test_its_original_stays(self) -> None:
        world = self.a_stuck_copy()
        world.plan = replace(world.plan, keep=KeepPolicy(daily=1, minimum=1))
        world.copy()
        world.prune()
        assert len(world.cloud.standing("rds", HOME_REGION)) == 2

    def test_a_copy_within_the_window_is_not_stuck(self) -> None:
        world = a_world(listings_until_available=5)
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        report = world.copy(a_request())
        assert [one.stuck for one in report.outcomes] == [False]
        assert report.unfinished


class TestQuota:
    def test_at_the_quota_it_fails_with_the_count_and_what_to_do(self) -> None:
        world = a_world(quota=3)
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        for number in range(3):
            world.cloud.add_backup(shop.arn, f"theirs-{number}", region=AWAY_REGION)
        outcome = by_resource(world.copy())["shop"]
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith(
            "no further rds backup can be made in us-west-2: 3 manual snapshots stood there when they were "
            'listed, of 3 that may. Raise the quota (Service Quotas, "Manual DB instance snapshots", '
            "L-272F1212) or keep fewer"
        )

    def test_the_other_kind_of_the_service_is_copied_all_the_same(self) -> None:
        world = a_world(quota=1)
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        world.cloud.add_resource("aurora", "ledger", TAGS)
        world.create()
        world.cloud.add_backup(shop.arn, "theirs", region=AWAY_REGION)
        outcomes = by_resource(world.copy())
        assert (outcomes["shop"].state, outcomes["ledger"].state) == (State.FAILED, State.DONE)

    def test_creating_tells_the_same(self) -> None:
        world = a_world(quota=1)
        world.cloud.add_resource("rds", "one", TAGS)
        world.cloud.add_resource("rds", "two", TAGS)
        states = Counter(one.state for one in world.create().outcomes)
        assert states == {State.DONE: 1, State.FAILED: 1}
        reasons = {one.reason for one in world.create().outcomes if one.state is State.FAILED}
        assert all("1 manual snapshots stood there" in one for one in reasons)

    @pytest.mark.parametrize(("standing", "warned"), [(7, False), (8, True), (10, True)])
    def test_the_report_warns_at_four_fifths_of_the_quota_in_each_region(
        self, standing: int, warned: bool
    ) -> None:
        world = a_world(quota=10)
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        for number in range(standing):
            world.cloud.add_backup(shop.arn, f"theirs-{number}", region=AWAY_REGION)
        warnings = world.prune().warnings
        assert [one.split(":")[0] for one in warnings] == (["rds in us-west-2"] if warned else [])
        assert all(f"{standing} of 10" in one for one in warnings)
        published = world.publish().message
        assert ("Soon:\n  - rds in us-west-2: " in published.text) == warned
        assert published.attributes["news"] == "false"


class TestTables:
    """DynamoDB has no copy call: its copies are exports to a bucket."""

    def a_table(self, **rule: object) -> World:
        world = a_world(a_rule(bucket=BUCKET, keep=WEEK, **rule))  # type: ignore[arg-type]
        self.arn = world.cloud.add_resource("dynamodb", "orders", TAGS).arn
        return world

    def night(self, world: World, slot: datetime) -> Report:
        world.create(a_request(slot))
        report = world.copy(a_request(slot))
        world.prune(a_request(slot))
        return report

    def test_each_night_has_its_export(self) -> None:
        world = self.a_table()
        for night in (2, 1, 0):
            assert self.night(world, nights_ago(night)).status is Status.OK
        exports = world.cloud.standing("dynamodb", AWAY_REGION)
        assert [slot_of(one) for one in exports] == [nights_ago(2), nights_ago(1), NIGHT]
        assert [one.base for one in exports] == [None] * 3

    def test_without_point_in_time_recovery_it_says_so_once_and_the_rest_is_done(self) -> None:
        world = self.a_table()
        world.cloud.add_resource("dynamodb", "bills", TAGS)
        world.cloud.without_pitr.add(self.arn)
        world.create(a_request(nights_ago(1)))
        world.create()
        outcomes = [one for one in world.copy().outcomes if one.resource == self.arn]
        assert [(one.state, one.reason) for one in outcomes] == [
            (State.FAILED, "switch it on"),
            (State.SKIPPED, "not copied, for the reason that is told of this run's backup"),
        ]
        assert len(world.cloud.standing("dynamodb", AWAY_REGION)) == 2

    def test_what_lies_before_the_recovery_window_is_too_late_and_no_failure_of_each_night(self) -> None:
        world = self.a_table()
        world.create(a_request(nights_ago(1)))
        world.create()
        world.cloud.pitr_since[self.arn] = nights_ago(0.5)
        report = world.copy()
        assert report.status is Status.OK
        assert Counter(one.state for one in report.outcomes) == {State.DONE: 1, State.SKIPPED: 1}

    def test_of_this_night_too_late_is_a_failure(self) -> None:
        world = self.a_table()
        world.create()
        world.cloud.pitr_since[self.arn] = NIGHT + timedelta(hours=1)
        assert world.copy().status is Status.FAILED

    def test_what_is_older_than_any_window_is_not_asked_for_and_does_not_hold_its_original(self) -> None:
        world = self.a_table()
        world.plan = replace(
            world.plan,
            keep=KeepPolicy(daily=1, minimum=1),
            copies=(a_rule(bucket=BUCKET, keep=KeepPolicy(daily=90, minimum=1)),),
        )
        world.create(a_request(nights_ago(40)))
        world.create(a_request(nights_ago(20)))
        world.create()
        assert {one.backup[-16:-8] for one in world.copy().outcomes} == {"20261122", "20261102"}
        world.prune()
        kept = world.cloud.standing("dynamodb", HOME_REGION)
        assert [slot_of(one) for one in kept] == [NIGHT]

    def test_an_export_is_pruned_like_any_other_copy(self) -> None:
        world = self.a_table()
        world.plan = replace(world.plan, copies=(a_rule(bucket=BUCKET, keep=KeepPolicy(daily=2)),))
        for night in range(5, -1, -1):
            self.night(world, nights_ago(night))
        exports = world.cloud.standing("dynamodb", AWAY_REGION)
        assert [slot_of(one) for one in exports] == [nights_ago(1), NIGHT]

    def test_what_is_left_of_a_deletion_that_was_cut_short_is_deleted(self) -> None:
        world = self.a_table()
        for night in (1, 0):
            self.night(world, nights_ago(night))
        [first, _] = world.cloud.standing("dynamodb", AWAY_REGION)
        world.cloud.set_backup_state(first.arn, BackupState.REMNANT)
        reasons = {one.reason for one in world.prune().outcomes if one.action is Action.DELETE}
        assert reasons == {"the rest of a deletion that was cut short"}
        assert [slot_of(one) for one in world.cloud.standing("dynamodb", AWAY_REGION)] == [NIGHT]

    def test_a_remnant_is_no_copy(self) -> None:
        world = self.a_table()
        self.night(world, NIGHT)
        [export] = world.cloud.standing("dynamodb", AWAY_REGION)
        world.cloud.set_backup_state(export.arn, BackupState.REMNANT)
        assert [one.state for one in world.copy().outcomes] == [State.DONE]
        assert len(world.cloud.standing("dynamodb", AWAY_REGION)) == 2


class TestIncrements:
    def run_nights(self, nights: int, keep: KeepPolicy, full_every_days: int = 4) -> World:
        world = a_world(a_rule(bucket=BUCKET, keep=keep, full_every_days=full_every_days))
        world.cloud.add_resource("dynamodb", "orders", TAGS)
        for night in range(nights - 1, -1, -1):
            slot = nights_ago(night)
            for stage in (world.create, world.copy, world.prune):
                assert stage(a_request(slot)).status is Status.OK
            self.assert_all_can_be_restored(world)
        return world

    def assert_all_can_be_restored(self, world: World) -> None:
        for one in FakeProvider(world.cloud, "dynamodb").backups(AWAY_REGION):
            assert one.state is BackupState.AVAILABLE, one.failure

    def bases(self, world: World) -> dict[datetime, datetime | None]:
        return {slot_of(one): one.base for one in world.cloud.standing("dynamodb", AWAY_REGION)}

    def test_a_full_one_is_followed_by_increments(self) -> None:
        bases = self.bases(self.run_nights(6, KeepPolicy(daily=30, minimum=1)))
        assert [base is None for _, base in sorted(bases.items())] == [True, False, False, False, True, False]
        assert all(base is None or slot - base == timedelta(days=1) for slot, base in bases.items())

    def test_what_a_kept_increment_stands_on_is_kept(self) -> None:
        """Each night, all along: `run_nights` looks at every export after every stage."""
        world = self.run_nights(15, KeepPolicy(daily=2, minimum=1))
        bases = self.bases(world)
        assert min(bases) >= nights_ago(6)
        assert all(base is None or base in bases for base in bases.values())

    def test_a_shorter_retention_that_nobody_was_told_of_parts_no_increment_from_its_base(self) -> None:
        """The old retention would have deleted the base by now, had nothing stood on it."""
        world = a_world(a_rule(bucket=BUCKET, keep=KeepPolicy(daily=4, minimum=1), full_every_days=4))
        world.people_know = False
        world.cloud.add_resource("dynamodb", "orders", TAGS)
        for night in range(12, -1, -1):
            if night == 5:
                shorter = replace(world.plan.copies[0], keep=KeepPolicy(daily=1, minimum=1))
                world.plan = replace(world.plan, copies=(shorter,))
            for stage in (world.create, world.copy, world.prune, world.publish):
                stage(a_request(nights_ago(night)))
                self.assert_all_can_be_restored(world)
        assert len(self.bases(world)) <= 4

    def test_an_increment_that_cannot_be_deleted_keeps_its_base(self) -> None:
        world = self.run_nights(4, KeepPolicy(daily=30, minimum=1))
        chain = sorted(world.cloud.standing("dynamodb", AWAY_REGION), key=slot_of)
        rule = replace(world.plan.copies[0], keep=KeepPolicy(daily=1, minimum=1), full_every_days=1)
        world.plan = replace(world.plan, copies=(rule,))
        world.cloud.fail("delete", chain[-1].arn, Throttled)
        for stage in (world.create, world.copy, world.prune):
            stage(a_request(nights_ago(-1)))
        self.assert_all_can_be_restored(world)
        assert len(world.cloud.standing("dynamodb", AWAY_REGION)) == len(chain) + 1
        world.prune(a_request(nights_ago(-1)))
        assert len(world.cloud.standing("dynamodb", AWAY_REGION)) == 1

    def test_what_cannot_be_restored_is_nobody_s_base(self) -> None:
        world = self.run_nights(3, KeepPolicy(daily=30, minimum=1))
        full, increment, last = sorted(world.cloud.standing("dynamodb", AWAY_REGION), key=slot_of)
        world.cloud.set_backup_state(increment.arn, BackupState.REMNANT)
        world.cloud.tag_backup(last.arn, {"holdfast:hold": "look at it"})
        world.prune(a_request(nights_ago(-1)))
        standing = {one.arn for one in world.cloud.standing("dynamodb", AWAY_REGION)}
        assert standing == {full.arn, last.arn}

    def test_nothing_of_a_former_table_of_the_name_stands_on_today_s(self) -> None:
        """A slot that is run again later gives the new table a copy of the slot of the former one's."""
        shortest = KeepPolicy(daily=1, minimum=1)
        world = a_world(a_rule(bucket=BUCKET, keep=shortest, full_every_days=7))
        world.plan = replace(world.plan, keep=shortest)
        world.cloud.add_resource("dynamodb", "orders", TAGS, resource_id="OLD")
        for night in (6, 5):
            for stage in (world.create, world.copy, world.prune):
                stage(a_request(nights_ago(night)))
        world.cloud.add_resource("dynamodb", "orders", TAGS, resource_id="NEW")
        for night in (6, 0):
            for stage in (world.create, world.copy):
                stage(a_request(nights_ago(night)))
        old = {("OLD", nights_ago(6)), ("OLD", nights_ago(5))}
        assert self.tables(world) == old | {("NEW", nights_ago(6)), ("NEW", NIGHT)}
        world.prune()
        assert self.tables(world) == old | {("NEW", NIGHT)}

    def tables(self, world: World) -> set[tuple[str, datetime]]:
        return {(one.resource_id, slot_of(one)) for one in world.cloud.standing("dynamodb", AWAY_REGION)}

    def test_an_approval_of_a_list_parts_no_increment_from_its_base(self) -> None:
        exports = [
            a_backup(nights_ago(1), TABLE, region=AWAY_REGION, base=nights_ago(2)),
            a_backup(nights_ago(2), TABLE, region=AWAY_REGION),
        ]
        verdicts = [Verdict(backup=one, keep=False, reason="no rule keeps it") for one in exports]
        kept = approved(PrunePlan(verdicts=verdicts), [exports[1].arn])
        assert kept.deletes == []

    @pytest.mark.long
    def test_the_breaker_takes_a_chain_that_ends_for_usual(self) -> None:
        rule = a_rule(bucket=BUCKET, keep=KeepPolicy(daily=1, minimum=1), full_every_days=7, slots=50)
        world = a_world(rule)
        for number in range(40):
            world.cloud.add_resource("dynamodb", f"table-{number}", TAGS)
        world.plan = replace(world.plan, breaker=replace(world.plan.breaker, max_deletes_per_run=None))
        for night in range(15, -1, -1):
            for stage in (world.create, world.copy, world.prune):
                assert stage(a_request(nights_ago(night))).status is Status.OK

    @pytest.mark.long
    def test_so_it_does_when_one_night_frees_several_chains(self) -> None:
        keep = KeepPolicy(daily=3, weekly=2, monthly=2, minimum=1)
        world = a_world(a_rule(bucket=BUCKET, keep=keep, full_every_days=7, slots=50))
        for number in range(8):
            world.cloud.add_resource("dynamodb", f"table-{number}", TAGS)
        world.plan = replace(world.plan, breaker=replace(world.plan.breaker, max_deletes_per_run=None))
        for night in range(95, -1, -1):
            for stage in (world.create, world.copy, world.prune):
                assert stage(a_request(nights_ago(night))).status is Status.OK

    def test_a_night_that_was_missed_is_followed_by_a_full_one(self) -> None:
        world = a_world(a_rule(bucket=BUCKET, keep=WEEK, full_every_days=7))
        world.cloud.add_resource("dynamodb", "orders", TAGS)
        for night in (3, 2, 0):
            world.create(a_request(nights_ago(night)))
            world.copy(a_request(nights_ago(night)))
        assert [base is None for _, base in sorted(self.bases(world).items())] == [True, False, True]

    def test_nothing_stands_on_an_export_that_is_not_finished(self) -> None:
        world = a_world(a_rule(bucket=BUCKET, keep=WEEK, full_every_days=7))
        world.cloud.add_resource("dynamodb", "orders", TAGS)
        world.create(a_request(nights_ago(1)))
        world.copy(a_request(nights_ago(1)))
        [export] = world.cloud.standing("dynamodb", AWAY_REGION)
        world.cloud.set_backup_state(export.arn, BackupState.CREATING)
        world.create()
        world.copy()
        assert self.bases(world)[NIGHT] is None


class TestAnotherAccount:
    """Its copy is made from the one that stands in its Region."""

    def a_vault(self) -> World:
        vault = a_rule(account=VAULT, kms_key=VAULT_KEY, keep=WEEK)
        world = a_world(vault, a_rule(kms_key=KEY, keep=WEEK))
        for kind in ("rds", "aurora", "ebs"):
            world.cloud.add_resource(kind, f"{kind}-shop", TAGS, encrypted=True)
        return world

    def test_each_arrives_in_the_region_and_then_in_the_account(self) -> None:
        world = self.a_vault()
        world.create()
        sweeps_until_done(world, 4)
        assert (
            copies_of_each(world, VAULT_PLACE) == copies_of_each(world) == copies_of_each(world, HOME_REGION)
        )
        for one in world.cloud.standing(region=VAULT_PLACE):
            assert (one.account, one.mark and one.mark.copy_of in self.arns(world, AWAY_REGION)) == (
                VAULT,
                True,
            )

    def arns(self, world: World, place: str) -> set[str]:
        return {one.arn for one in world.cloud.standing(region=place)}

    def test_a_copy_in_the_making_is_waited_for(self) -> None:
        world = self.a_vault()
        world.create()
        world.cloud.listings_until_available = 2
        reasons = {one.reason for _ in range(3) for one in world.copy().outcomes}
        assert "waits for the backup itself to be available" in reasons
        sweeps_until_done(world, 9)
        assert len(self.arns(world, VAULT_PLACE)) == 3

    def test_nothing_there_is_ever_deleted_and_what_it_is_made_from_stays_until_it_is(self) -> None:
        world = self.a_vault()
        world.plan = replace(
            world.plan,
            keep=KeepPolicy(daily=1, minimum=1),
            copies=tuple(replace(one, keep=KeepPolicy(daily=1, minimum=1)) for one in world.plan.copies),
        )
        world.create(a_request(nights_ago(1)))
        sweeps_until_done_at(world, nights_ago(1))
        world.create()
        world.copy()
        world.prune()
        assert len(self.arns(world, AWAY_REGION)) == 3
        assert len(self.arns(world, VAULT_PLACE)) == 6
        plan = world.prune(a_request(dry_run=True))
        elsewhere = [one for one in plan.outcomes if one.region == VAULT_PLACE]
        assert {one.action for one in elsewhere} == {Action.KEEP}

    def test_a_copy_stays_while_the_account_lacks_its_own(self) -> None:
        world = self.a_vault()
        region_alone = tuple(
            replace(one, keep=KeepPolicy(daily=1, minimum=1)) for one in world.plan.copies if not one.account
        )
        [vault] = [one for one in world.plan.copies if one.account]
        world.plan = replace(world.plan, copies=region_alone)
        for night in (1, 0):
            world.create(a_request(nights_ago(night)))
            world.copy(a_request(nights_ago(night)))
        world.plan = replace(world.plan, copies=(*region_alone, vault))
        reasons = {one.reason for one in world.prune(a_request(dry_run=True)).outcomes}
        assert any(f"its copy in {VAULT_PLACE} is still missing" in one for one in reasons)

    def test_an_account_that_cannot_be_listed_stops_the_pruning(self) -> None:
        world = self.a_vault()
        world.create()
        sweeps_until_done(world, 4)
        world.cloud.fail("backups", VAULT_PLACE, NotReady, times=9)
        report = world.prune()
        assert report.status is Status.REFUSED

    def test_while_the_copy_that_it_is_made_from_is_missing_that_is_said(self) -> None:
        world = self.a_vault()
        world.plan = replace(world.plan, copies=tuple(replace(one, slots=1) for one in world.plan.copies))
        world.create()
        world.cloud.listings_until_available = 2
        waiting = [one for one in world.copy().outcomes if one.region == VAULT_PLACE]
        assert {one.kind for one in waiting} == {"aurora", "ebs", "rds"}
        assert "is made from the copy in us-west-2, which is not there yet" in {one.reason for one in waiting}
        sweeps_until_done(world, 20)
        assert len(self.arns(world, VAULT_PLACE)) == 3

    def test_tables_cannot_go_there_and_that_is_said(self) -> None:
        world = self.a_vault()
        world.cloud.add_resource("dynamodb", "orders", TAGS)
        world.create()
        told = {one.region: one.reason for one in world.copy().outcomes if one.kind == "dynamodb"}
        assert told[VAULT_PLACE] == "dynamodb backups cannot be copied to another account"

    def test_an_account_in_the_home_region_gets_its_copy_from_the_backup_itself(self) -> None:
        world = a_world(a_rule(account=VAULT, region=HOME_REGION))
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        assert by_resource(world.copy())["shop"].state is State.DONE
        [copy] = world.cloud.standing(region=f"{HOME_REGION}@{VAULT}")
        [original] = world.cloud.standing(region=HOME_REGION)
        assert copy.mark == replace(original.mark, copy_of=original.arn)  # type: ignore[type-var]


def sweeps_until_done_at(world: World, slot: datetime) -> None:
    for _ in range(5):
        world.copy(a_request(slot))


class TestHints:
    """Events of AWS may start a sweep early. What they say is not believed."""

    def test_a_hint_copies_what_stands_for_the_slot_that_it_is_of(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        report = world.hint(NIGHT + timedelta(minutes=7))
        assert report is not None
        assert (report.slot, report.status) == (NIGHT, Status.OK)
        assert len(world.names(AWAY_REGION)) == 1
        assert list(world.records.documents) == [
            "memory://runs/nightly/20261122T020000Z/create.json",
            "memory://runs/nightly/20261122T020000Z/copy.json",
        ]

    def test_with_nothing_to_copy_it_does_nothing_and_leaves_no_record(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS)
        assert world.hint() is None
        assert (world.cloud.writes, world.records.documents) == ([], {})

    def test_while_another_sweep_is_at_work_it_leaves_its_record_alone(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        with world.turns.taken("nightly-copy"):
            assert world.hint() is None
            assert world.copy().counts == {"copy.pending": 1}
        assert by_resource(world.copy())["shop"].state is State.DONE

    def test_when_not_all_can_be_listed_there_the_run_s_record_stays_as_it_is(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        world.copy()
        documents = dict(world.records.documents)
        world.cloud.fail("backups", AWAY_REGION, Throttled)
        assert world.hint() is None
        assert world.records.documents == documents

    def test_when_not_all_can_be_listed_it_does_nothing(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        world.cloud.fail("backups", HOME_REGION, Throttled)
        assert world.hint() is None
        assert world.names(AWAY_REGION) == []

    @settings(max_examples=20)
    @given(st.lists(st.sampled_from(["hint", "sweep", "time"]), max_size=8))
    def test_lost_repeated_and_reordered_hints_change_nothing_but_time(self, events: list[str]) -> None:
        def nights(happenings: list[str]) -> tuple[list[str], list[State]]:
            world = a_world(a_rule(slots=2, keep=WEEK))
            add_databases(world, 3)
            states: list[State] = []
            for night in (1, 0):
                slot = a_request(nights_ago(night))
                world.create(slot)
                world.cloud.listings_until_available = 1
                for happening in happenings:
                    if happening == "hint":
                        world.hint(slot.slot + timedelta(minutes=5))
                    elif happening == "sweep":
                        world.copy(slot)
                    else:
                        for kind in ("rds", "aurora"):
                            world.cloud.list_backups(kind, AWAY, "")
                report = [world.copy(slot) for _ in range(9)][-1]
                states += sorted(one.state for one in report.outcomes)
                world.cloud.listings_until_available = 0
                world.prune(slot)
            return world.names(), states

        assert nights(events) == nights([])


class TestKeys:
    def test_another_key_by_tag(self) -> None:
        other = KEY.replace("1234abcd", "feedbeef")
        rule = replace(a_rule(kms_key=KEY), kms_keys=(KeyRule(tags={"class": "secret"}, kms_key=other),))
        world = a_world(rule)
        world.cloud.add_resource("rds", "bills", TAGS | {"class": "secret"}, encrypted=True)
        world.cloud.add_resource("rds", "shop", TAGS, encrypted=True)
        given_keys: dict[str, str] = {}
        world.providers["rds"] = Watched(
            world.cloud, "rds", lambda one, told: given_keys.update({one: told.kms_key})
        )
        world.create()
        world.copy()
        assert given_keys == {"bills": other, "shop": KEY}

    def test_an_unencrypted_cluster_with_a_key_fails_unless_the_plan_lets_it_be_copied_so(self) -> None:
        world = a_world(a_rule(kms_key=KEY))
        world.cloud.add_resource("aurora", "ledger", TAGS)
        world.create()
        outcome = by_resource(world.copy())["ledger"]
        assert outcome.state is State.FAILED
        assert outcome.reason == (
            "it is not encrypted, and AWS refuses a key for the copy of such a cluster: encrypt the cluster, "
            'or let its copies in us-west-2 be unencrypted too ("unencrypted_clusters": "copy")'
        )
        world.plan = replace(
            world.plan, copies=tuple(replace(one, copy_unencrypted=True) for one in world.plan.copies)
        )
        assert by_resource(world.copy())["ledger"].state is State.DONE
        [copy] = world.cloud.standing("aurora", AWAY_REGION)
        assert not copy.encrypted

    def test_an_unencrypted_instance_with_a_key_is_copied_encrypted(self) -> None:
        world = a_world(a_rule(kms_key=KEY))
        world.cloud.add_resource("rds", "shop", TAGS)
        world.create()
        world.copy()
        assert [one.encrypted for one in world.cloud.standing("rds", AWAY_REGION)] == [True]

    def test_no_copy_is_asked_for_that_lacks_its_key(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "shop", TAGS, encrypted=True)
        world.create()
        assert by_resource(world.copy())["shop"].state is State.FAILED
        assert [call for call in world.cloud.calls if call.operation == "copy"] == []


class TestOptionGroups:
    def a_world_with(self, group: str, **mapping: str) -> World:
        world = a_world(replace(a_rule(), option_groups=mapping))
        world.cloud.add_resource("rds", "shop", TAGS, option_group=group)
        world.create()
        return world

    @pytest.mark.parametrize("group", ["", "default:postgres-16"])
    def test_aws_own_group_needs_nothing(self, group: str) -> None:
        assert by_resource(self.a_world_with(group).copy())["shop"].state is State.DONE

    def test_another_without_its_counterpart_there_fails_before_the_call(self) -> None:
        world = self.a_world_with("auditing")
        outcome = by_resource(world.copy())["shop"]
        assert outcome.state is State.FAILED
        assert outcome.reason == (
            "its option group auditing is none of AWS's own, and does not reach to us-west-2: make one there "
            'with the same options, and name it in the plan\'s copy ("option_groups": {"auditing": "…"}).'
        )
        assert [call for call in world.cloud.calls if call.operation == "copy"] == []

    def test_its_counterpart_is_given_with_the_call(self) -> None:
        world = self.a_world_with("auditing", auditing="auditing-west")
        assert by_resource(world.copy())["shop"].state is State.DONE
        assert [one.option_group for one in world.cloud.standing("rds", AWAY_REGION)] == ["auditing-west"]


class Watched(FakeProvider):
    """A provider that tells what each copy is made with."""

    def __init__(self, cloud: FakeCloud, kind: str, tell: Callable[[str, CopySettings], object]) -> None:
        super().__init__(cloud, kind)
        self._tell = tell

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        self._tell(backup.source.rsplit(":", 1)[1], settings)
        return super().copy(backup, place, mark, settings)


class Replayed(FakeProvider):
    """RDS as users report it: some copies accepted, then refused as too many, then accepted, and one whose
    answer was lost."""

    def __init__(self, cloud: FakeCloud) -> None:
        super().__init__(cloud, "rds")
        self._calls = 0

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        self._calls += 1
        if 6 <= self._calls <= 8:
            message = "Cannot copy more than 5 snapshots across regions"
            raise CopySlotsFull("rds", backup.arn, "CopyDBSnapshot", "SnapshotQuotaExceeded", message)
        copy = super().copy(backup, place, mark, settings)
        if self._calls == 10:
            raise NoAnswer("rds", backup.arn, "CopyDBSnapshot", "ReadTimeoutError")
        if self._calls == 12:  # the caller's own retry of a call that had its effect
            raise AlreadyExists("rds", backup.arn, "CopyDBSnapshot", "DBSnapshotAlreadyExists")
        return copy


def test_a_replay_of_what_aws_really_answers_ends_in_exactly_one_copy_of_each() -> None:
    world = a_world()
    for number in range(12):
        world.cloud.add_resource("rds", f"db-{number:02}", TAGS)
    world.create()
    world.providers["rds"] = Replayed(world.cloud)
    reports = [world.copy() for _ in range(6)]
    assert reports[0].unfinished
    assert State.DEFERRED in {one.state for one in reports[0].outcomes}
    assert not any(one.state is State.FAILED for report in reports for one in report.outcomes)
    assert reports[-1].status is Status.OK
    assert copies_of_each(world) == dict.fromkeys(copies_of_each(world, HOME_REGION), 1)


def test_an_error_that_is_like_the_full_slot_table_and_is_none_fails() -> None:
    world = a_world()
    shop = world.cloud.add_resource("rds", "shop", TAGS)
    world.create()
    [original] = world.cloud.standing("rds", HOME, shop.arn)
    world.cloud.fail(
        "copy", original.arn, QuotaReached, message="Cannot create more than 100 manual snapshots"
    )
    assert by_resource(world.copy())["shop"].state is State.FAILED


@pytest.mark.long
class TestThousand:
    @pytest.mark.parametrize(
        ("count", "slots", "failing"),
        [
            pytest.param(400, 20, False, id="400, 20 slots"),
            pytest.param(250, 5, False, id="250, 5 slots"),
            pytest.param(300, 20, True, id="300, a third of the copies fails"),
            pytest.param(1000, 20, False, id="1000, 20 slots", marks=pytest.mark.slow),
            pytest.param(1000, 5, False, id="1000, 5 slots", marks=pytest.mark.slow),
            pytest.param(1000, 20, True, id="1000, a third of the copies fails", marks=pytest.mark.slow),
        ],
    )
    def test_all_arrive_and_never_more_than_the_slots_are_in_flight(
        self, count: int, slots: int, failing: bool
    ) -> None:
        """RDS and Aurora share the slots of a Region."""
        random = Random(4)
        world = a_world(
            a_rule(slots=slots),
            copy_slots=slots,
            quota=5000,
            failing_copies=(lambda _: random.random() < 1 / 3) if failing else (lambda _: False),
        )
        add_databases(world, count)
        world.create()
        world.cloud.listings_until_available = 2
        most_sweeps = 5 * count // slots
        sweeps_until_done(world, most_sweeps)
        if failing:  # a night later each of the few that failed three times is tried again
            for night in range(1, 8):
                prune_failed(world)
                sweeps_until_done(world, most_sweeps)
                if len(copies_of_each(world)) == count:
                    break
                assert night < 7
        assert set(copies_of_each(world).values()) == {1}
        assert len(copies_of_each(world)) == count
        assert world.cloud.most_in_flight == {(AWAY_REGION, "rds"): slots}

    def test_where_aws_has_fewer_slots_than_the_plan_says_all_arrive_too(self) -> None:
        world = a_world(a_rule(slots=20), copy_slots=5, quota=500)
        add_databases(world, 100)
        world.create()
        world.cloud.listings_until_available = 1
        sweeps_until_done(world, 80)
        assert len(copies_of_each(world)) == 100
        assert world.cloud.most_in_flight == {(AWAY_REGION, "rds"): 5}


def prune_failed(world: World) -> None:
    """A person follows the advice and deletes the copies that failed, before pruning does."""
    for one in world.cloud.standing(region=AWAY_REGION):
        if one.state is BackupState.FAILED:
            world.cloud.delete_backup(one.kind, one.arn)
