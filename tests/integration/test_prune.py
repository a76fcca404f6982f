"""The prune stage on a cloud in memory: what it deletes, and above all what it refuses to delete.

The guards' classes are numbered in their order of weight.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import (
    AccessDenied,
    HoldfastError,
    HoldListError,
    NoAnswer,
    NotFound,
    NotReady,
    ProviderError,
    Throttled,
)
from holdfast.core.holds import Hold
from holdfast.core.model import HOLD_TAG, Backup, BackupState, Breaker, KeepPolicy, Resource, Retention
from holdfast.core.naming import backup_name, mark_tags, snapshot_name, tags_for
from holdfast.core.report import Action, Outcome, Report, Stage, State, Status
from holdfast.core.told import Told
from holdfast.usecases.publish import publish_report
from tests.builders import (
    AWAY_REGION,
    HOME,
    HOME_REGION,
    NIGHT,
    TAGS,
    a_mark,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)
from tests.fakes import KINDS, FakeProvider, FakeRecords
from tests.integration.world import LONG_AGO, Meddled, Surprising, World, of_action, time_for

KEEP_2 = KeepPolicy(daily=2, minimum=1)
KIND_NAMES = sorted(KINDS)


def a_world(kind: str = "rds", *, nights: int = 5, **plan: Any) -> World:
    """One resource of the kind with a backup of each of the last nights, and a plan that keeps two."""
    settings_of_plan: dict[str, Any] = {"keep": KEEP_2, "types": (kind,)} | plan
    world = World(plan=a_plan(**settings_of_plan))
    shop = world.cloud.add_resource(kind, "shop", TAGS)
    for night in reversed(range(nights)):
        put(world, shop.arn, night)
    return world


def put(
    world: World,
    source: str,
    night: float,
    state: BackupState = BackupState.AVAILABLE,
    *,
    stack: str = "holdfast",
    region: str = HOME_REGION,
) -> Backup:
    """A backup of ours (or of another stack's) as the create or copy stage would have made it."""
    mark = a_mark(nights_ago(night), source, stack=stack)
    if ":dynamodb:" in source:
        return world.cloud.add_backup(source, backup_name(mark), state=state)
    limit = 63 if ":cluster:" in source else 255
    if region == HOME_REGION:
        return world.cloud.add_backup(source, snapshot_name(mark, limit), tags_for(mark, {}), state=state)
    word = "cluster-snapshot" if ":cluster:" in source else "snapshot"
    original = f"arn:aws:rds:{HOME_REGION}:123456789012:{word}:{snapshot_name(mark, limit)}"
    mark = replace(mark, copy_of=original)
    return world.cloud.add_backup(
        source,
        snapshot_name(mark, limit),
        tags_for(mark, {}),
        region=region,
        state=state,
        copied_from=original,
    )


def nights_left(world: World, region: str = HOME_REGION, source: str = "") -> list[int]:
    """How many nights ago the backups are from that stand, newest first."""
    return sorted(
        (NIGHT - slot_of(one)).days for one in world.cloud.standing(region=region, source=source) if one.mark
    )


def slot_of(backup: Backup) -> datetime:
    assert backup.mark is not None
    return backup.mark.slot


def shop_of(world: World) -> str:
    return next(iter({one.source for one in world.cloud.standing()}))


def deletes(world: World) -> int:
    return sum(call.operation == "delete" for call in world.cloud.calls)


def of_night(world: World, night: int, region: str = HOME_REGION) -> Backup:
    [one] = [
        one for one in world.cloud.standing(region=region) if one.mark and slot_of(one) == nights_ago(night)
    ]
    return one


class Killed(BaseException):
    """Lambda ends the function."""


def kill_after(deleted: int, world: World) -> None:
    """A sweep that is killed when it has deleted so many."""

    class Deadly(FakeProvider):
        done = 0

        def delete(self, backup: Backup) -> None:
            if self.done < deleted:
                super().delete(backup)
                self.done += 1
            if self.done == deleted:
                raise Killed

    world.providers["rds"] = Deadly(world.cloud, "rds")
    with pytest.raises(Killed):
        world.prune()
    world.providers["rds"] = FakeProvider(world.cloud, "rds")


class TestAUsualNight:
    @pytest.mark.parametrize("kind", KIND_NAMES)
    def test_what_no_rule_keeps_is_deleted_oldest_first_with_its_reason(self, kind: str) -> None:
        world = a_world(kind)
        report = world.prune()
        assert nights_left(world) == [0, 1]
        assert [(one.state, one.reason) for one in of_action(report, Action.DELETE)] == [
            (State.DONE, "no rule keeps it (daily 2, minimum 1)")
        ] * 3
        assert report.status is Status.OK

    def test_each_location_is_pruned_by_its_own_policy(self) -> None:
        world = a_world(copies=(a_rule(keep=KeepPolicy(daily=3, minimum=1)),))
        for night in range(5):
            put(world, shop_of(world), night, region=AWAY_REGION)
        world.prune()
        assert nights_left(world) == [0, 1]
        assert nights_left(world, AWAY_REGION) == [0, 1, 2]

    def test_running_it_twice_deletes_nothing_more_and_forgets_nothing(self) -> None:
        world = a_world()
        world.prune()
        assert world.prune().outcomes == []
        record = world.records.load("nightly", NIGHT, Stage.PRUNE)
        assert record is not None
        assert record.counts == {"delete.done": 3}

    def test_a_failed_backup_goes_when_a_newer_good_one_stands(self) -> None:
        world = a_world(nights=2)
        put(world, shop_of(world), 3, BackupState.FAILED)
        world.prune()
        assert nights_left(world) == [0, 1]


class TestGuard1TheFloor:
    def test_never_fewer_good_ones_than_the_minimum_are_left(self) -> None:
        world = a_world(keep=KeepPolicy(daily=1, minimum=3))
        world.prune()
        assert nights_left(world) == [0, 1, 2]

    def test_the_floor_is_each_locations_own(self) -> None:
        rule = a_rule(keep=KeepPolicy(daily=1, minimum=4))
        world = a_world(keep=KeepPolicy(daily=1, minimum=2), copies=(rule,))
        for night in range(6):
            put(world, shop_of(world), night, region=AWAY_REGION)
        world.prune()
        assert nights_left(world) == [0, 1]
        assert nights_left(world, AWAY_REGION) == [0, 1, 2, 3]

    def test_held_ones_do_not_count_for_it(self) -> None:
        world = a_world(nights=3, keep=KeepPolicy(daily=1, minimum=2))
        world.cloud.tag_backup(of_night(world, 0).arn, {HOLD_TAG: "x"})
        assert world.prune().outcomes == []

    def test_it_is_looked_at_again_right_before_each_delete(self) -> None:
        """Meanwhile somebody deletes the newer ones: what was to go is now what there is."""

        def meddle(world: World) -> None:
            for night in (0, 1):
                world.providers["rds"].delete(of_night(world, night))

        world = meddled(a_world(nights=3), meddle)
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.reason) == (State.SKIPPED, "kept after all: daily 1 of 2")
        assert nights_left(world) == [2]

    @pytest.mark.parametrize("state", [BackupState.FAILED, BackupState.DELETING])
    def test_a_newer_one_that_is_lost_meanwhile_no_longer_counts(self, state: BackupState) -> None:
        world = meddled(a_world(nights=3), lambda w: w.cloud.set_backup_state(of_night(w, 0).arn, state))
        [outcome] = world.prune().outcomes
        assert outcome.state is State.SKIPPED
        assert deletes(world) == 0


def meddled(world: World, meddle: Callable[[World], object], kind: str = "rds") -> World:
    """The same world, in which something happens after the listing and right before the first delete."""
    world.providers[kind] = Meddled(world.cloud, kind, lambda: meddle(world))
    return world


class TestGuard2IncompleteListings:
    @pytest.mark.parametrize("error", [AccessDenied, Throttled, NoAnswer, NotReady, NotFound, ProviderError])
    def test_a_listing_that_fails_deletes_nothing_and_says_so(self, error: type[ProviderError]) -> None:
        world = a_world()
        world.cloud.fail("backups", HOME_REGION, error)
        report = world.prune()
        assert report.status is Status.REFUSED
        [refusal] = report.refusals
        assert refusal.startswith("Not all rds backups could be listed (")
        assert refusal.endswith("none of that kind was deleted.")
        assert deletes(world) == 0

    def test_a_listing_that_fails_in_one_region_stops_the_kind_in_all(self) -> None:
        world = a_world(copies=(a_rule(keep=KEEP_2),))
        for night in range(5):
            put(world, shop_of(world), night, region=AWAY_REGION)
        world.cloud.fail("backups", AWAY_REGION, AccessDenied)
        assert world.prune().status is Status.REFUSED
        assert deletes(world) == 0

    def test_the_other_kinds_are_pruned(self) -> None:
        world = a_world(types=("rds", "dynamodb"))
        table = world.cloud.add_resource("dynamodb", "orders", TAGS)
        for night in range(5):
            put(world, table.arn, night)
        world.cloud.fail("backups", HOME_REGION, AccessDenied)  # dynamodb is listed first
        assert world.prune().status is Status.REFUSED
        assert nights_left(world, source=table.arn) == [0, 1, 2, 3, 4]
        assert len(world.cloud.standing("rds")) == 2

    def test_a_look_that_fails_right_before_a_delete_keeps_that_backup(self) -> None:
        world = a_world()
        world.cloud.fail("backups", shop_of(world), AccessDenied)
        states = [one.state for one in world.prune().outcomes]
        assert states == [State.FAILED, State.DONE, State.DONE]
        assert nights_left(world) == [0, 1, 4]


class TestGuard3OnlyOurs:
    @pytest.mark.parametrize("kind", KIND_NAMES)
    def test_what_others_made_of_the_same_resource_stands(self, kind: str) -> None:
        world = a_world(kind)
        shop = shop_of(world)
        for night in range(5):
            put(world, shop, night, stack="another")
            world.cloud.add_backup(shop, f"before-release-{night}")
            world.cloud.add_backup(shop, f"with-our-tags-{night}", mark_tags(a_mark(source=shop)))
        world.prune()
        left = world.names()
        assert sum("another" in name for name in left) == 5
        assert sum("before-release" in name or "with-our-tags" in name for name in left) == 10
        assert len(left) == 17

    def test_another_plans_backups_stand(self) -> None:
        world = a_world()
        shop = shop_of(world)
        for night in range(5):
            mark = replace(a_mark(nights_ago(night), shop), plan="weekly")
            world.cloud.add_backup(shop, snapshot_name(mark, 255), mark_tags(mark))
        world.prune()
        assert sum("weekly" in name for name in world.names()) == 5

    def test_another_regions_stack_of_the_same_name_keeps_its_own_there(self) -> None:
        world = a_world(copies=(a_rule(keep=KEEP_2),))
        for night in range(5):
            put(world, shop_of(world), night, region=AWAY_REGION)
        theirs = "arn:aws:rds:us-west-2:123456789012:db:shop"
        for night in range(5):
            mark = a_mark(nights_ago(night), theirs)
            world.cloud.add_backup(theirs, snapshot_name(mark, 255), mark_tags(mark), region=AWAY_REGION)
        world.prune()
        assert len(world.cloud.standing(source=theirs)) == 5
        assert len(world.cloud.standing(region=AWAY_REGION)) == 7

    def test_the_mark_is_looked_at_again_right_before_each_delete(self) -> None:
        world = meddled(
            a_world(nights=3), lambda w: w.cloud.tag_backup(of_night(w, 2).arn, {"holdfast:stack": "another"})
        )
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.reason) == (
            State.SKIPPED,
            "kept after all: right before the call it was not there, or no longer ours",
        )
        assert len(world.names()) == 3

    def test_a_hold_that_is_put_on_right_before_the_delete_holds(self) -> None:
        world = meddled(
            a_world(nights=3), lambda w: w.cloud.tag_backup(of_night(w, 2).arn, {HOLD_TAG: "lawyers"})
        )
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.reason) == (State.SKIPPED, "kept after all: held: lawyers")
        assert nights_left(world) == [0, 1, 2]

    def test_a_hold_holds(self) -> None:
        world = a_world(nights=3)
        world.cloud.tag_backup(of_night(world, 2).arn, {HOLD_TAG: ""})
        assert world.prune().outcomes == []

    def test_one_that_was_deleted_meanwhile_by_somebody_is_no_failure(self) -> None:
        world = meddled(a_world(nights=3), lambda w: w.providers["rds"].delete(of_night(w, 2)))
        assert [one.state for one in world.prune().outcomes] == [State.SKIPPED]

    def test_one_that_goes_between_the_look_and_the_call_is_no_failure(self) -> None:
        world = a_world(nights=3)
        world.cloud.fail("delete", of_night(world, 2).arn, NotFound)
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.reason) == (State.SKIPPED, "it was gone already")


class TestGuard4Policies:
    @pytest.mark.parametrize(
        "keep",
        [KeepPolicy(), KeepPolicy(daily=-1), KeepPolicy(daily=1, weekly=-1)],
        ids=["empty", "negative", "partly negative"],
    )
    def test_an_empty_or_negative_policy_deletes_nothing(self, keep: KeepPolicy) -> None:
        world = a_world(keep=keep)
        put(world, shop_of(world), 9, BackupState.FAILED)
        assert world.prune().outcomes == []
        assert deletes(world) == 0


class TestGuard5NoEvidence:
    @pytest.mark.parametrize("state", [BackupState.CREATING, BackupState.FAILED, BackupState.DELETING])
    def test_newer_ones_that_cannot_be_restored_push_out_no_good_one(self, state: BackupState) -> None:
        world = a_world(nights=0)
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        for night in (0, 1):
            put(world, shop.arn, night, state)
        for night in (2, 3):
            put(world, shop.arn, night)
        assert world.prune().outcomes == []

    def test_those_dated_in_the_future_push_out_none(self) -> None:
        world = a_world(nights=2)
        for night in (-1, -2):
            put(world, shop_of(world), night)
        assert world.prune().outcomes == []


class TestGuard6Copies:
    rule = a_rule(keep=KeepPolicy(daily=5, minimum=1))

    def world(self, *copied: int, nights: int = 5) -> World:
        world = a_world(nights=nights, copies=(self.rule,))
        for night in copied:
            put(world, shop_of(world), night, region=AWAY_REGION)
        return world

    def test_an_original_without_the_copy_that_is_wanted_stays(self) -> None:
        world = self.world(0, 1, 2, 4)
        world.prune()
        assert nights_left(world) == [0, 1, 3]

    def test_an_original_stays_while_its_copy_runs(self) -> None:
        world = self.world(0, 1, 2, 3)
        put(world, shop_of(world), 4, BackupState.CREATING, region=AWAY_REGION)
        world.prune()
        assert nights_left(world) == [0, 1, 4]

    def test_a_copy_that_starts_right_before_the_delete_keeps_its_original(self) -> None:
        rule = a_rule(keep=KEEP_2)
        world = meddled(
            a_world(nights=3, copies=(rule,)),
            lambda w: put(w, shop_of(w), 2, BackupState.CREATING, region=AWAY_REGION),
        )
        for night in (0, 1):
            put(world, shop_of(world), night, region=AWAY_REGION)
        outcomes = [one for one in world.prune().outcomes if one.region == HOME_REGION]
        assert [(one.state, one.reason) for one in outcomes] == [
            (
                State.SKIPPED,
                (
                    "kept after all: it is being copied to us-west-2 (else: no rule keeps it "
                    "(daily 2, minimum 1))"
                ),
            )
        ]
        assert nights_left(world) == [0, 1, 2]

    @pytest.mark.parametrize("region", [HOME_REGION, AWAY_REGION])
    def test_the_newest_good_one_in_each_location_stays(self, region: str) -> None:
        world = a_world(nights=0, keep=KeepPolicy(daily=1, minimum=1), copies=(self.rule,))
        shop = world.cloud.add_resource("rds", "shop", TAGS)
        put(world, shop.arn, 9, region=region)
        assert world.prune().outcomes == []

    def test_a_table_is_not_kept_for_copies_that_cannot_be(self) -> None:
        world = a_world("dynamodb", copies=(self.rule,))
        world.prune()
        assert nights_left(world) == [0, 1]


class TestGuard7TonightsFailures:
    def world(self, state: State, *, resource: bool = True, kind: str = "rds") -> World:
        world = a_world()
        outcome = Outcome(
            action=Action.CREATE,
            state=state,
            kind=kind,
            resource=shop_of(world) if resource else "",
            region=HOME_REGION,
            reason="so a test says",
        )
        world.records.save(Report(stage=Stage.CREATE, plan="nightly", slot=NIGHT, outcomes=[outcome]))
        return world

    @pytest.mark.parametrize("state", [State.FAILED, State.PENDING, State.DEFERRED])
    @pytest.mark.parametrize("resource", [True, False], ids=["itself", "its whole kind"])
    def test_a_resource_whose_backup_of_this_run_is_not_there_is_not_pruned(
        self, state: State, resource: bool
    ) -> None:
        world = self.world(state, resource=resource)
        world.prune()
        assert deletes(world) == 0
        dry = world.prune(a_request(dry_run=True))
        assert any(
            "its backup of this run is not there (else: no rule keeps it" in o.reason for o in dry.outcomes
        )

    @pytest.mark.parametrize("state", [State.DONE, State.SKIPPED])
    def test_one_whose_backup_is_there_is(self, state: State) -> None:
        world = self.world(state)
        world.prune()
        assert deletes(world) == 3

    def test_another_kinds_trouble_is_not_its_own(self) -> None:
        world = self.world(State.FAILED, resource=False, kind="aurora")
        world.prune()
        assert deletes(world) == 3

    def test_another_nights_trouble_is_not_tonights(self) -> None:
        world = self.world(State.FAILED)
        put(world, shop_of(world), -1)
        world.prune(a_request(nights_ago(-1)))
        assert deletes(world) == 4

    def test_copies_of_a_spared_resource_stay_too(self) -> None:
        world = self.world(State.FAILED)
        world.plan = a_plan(keep=KEEP_2, types=("rds",), copies=(a_rule(keep=KEEP_2),))
        for night in range(5):
            put(world, shop_of(world), night, region=AWAY_REGION)
        world.prune()
        assert deletes(world) == 0

    def test_a_record_that_cannot_be_read_deletes_nothing(self) -> None:
        class Unreadable(FakeRecords):
            def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
                if stage is Stage.CREATE:
                    raise AccessDenied("s3", "record", "GetObject", "AccessDenied")
                return super().load(plan, slot, stage)

        world = a_world()
        world.records = Unreadable()
        report = world.prune()
        assert report.status is Status.REFUSED
        assert "The record of this slot cannot be read" in report.refusals[0]
        assert deletes(world) == 0


class TestGuard7ByHand:
    """A prune for a slot of its own goes by what the last run could make."""

    def test_a_resource_whose_last_backup_failed_is_not_pruned_and_another_is(self) -> None:
        world = a_world(nights=1)
        world.people_know = False
        world.records.tell("nightly", LONG_AGO, {"rds": world.plan.retention(HOME_REGION)})
        shop, bills = shop_of(world), world.cloud.add_resource("rds", "bills", TAGS).arn
        world.cloud.set_state(shop, unready="it is stopped")
        night = a_request(nights_ago(-1))
        world.create(night)
        world.prune(night)
        world.publish(night)
        for source, past in ((shop, (3, 4)), (bills, (3, 4))):
            for number in past:
                put(world, source, number)
        world.prune(a_request(nights_ago(-1.5)))
        assert nights_left(world, source=shop) == [0, 3, 4]
        assert nights_left(world, source=bills) == [-1, 3]


class TestGuard8TheBreaker:
    breaker = Breaker(max_deletes_per_run=2, max_delete_share=1.0)

    def test_more_than_it_allows_deletes_none_and_says_how_to_approve(self) -> None:
        world = a_world(breaker=self.breaker)
        report = world.prune()
        assert report.status is Status.REFUSED
        assert "3 of 5 backups would be deleted, but prune.max_deletes_per_run is 2" in report.refusals[0]
        assert {(one.action, one.state) for one in report.outcomes} == {(Action.DELETE, State.SKIPPED)}
        assert len(report.outcomes) == 3
        assert deletes(world) == 0

    def test_too_large_a_share_deletes_none(self) -> None:
        world = a_world(breaker=Breaker(max_deletes_per_run=100, max_delete_share=0.5))
        assert world.prune().status is Status.REFUSED
        assert deletes(world) == 0

    def test_the_digest_of_the_list_lets_exactly_it_pass(self) -> None:
        world = a_world(breaker=self.breaker)
        digest = digest_in(world.prune().refusals[0])
        assert world.prune(a_request(approve=digest)).status is Status.OK
        assert nights_left(world) == [0, 1]

    def test_what_was_not_on_the_list_that_was_read_stays(self) -> None:
        world = a_world(breaker=self.breaker)
        digest = digest_in(world.prune().refusals[0])
        put(world, shop_of(world), 9)
        assert world.prune(a_request(approve=digest)).status is Status.OK
        assert nights_left(world) == [0, 1, 9]

    def test_it_counts_what_earlier_sweeps_of_the_run_deleted(self) -> None:
        world = a_world(nights=4, breaker=self.breaker)
        assert world.prune().status is Status.OK
        put(world, shop_of(world), 9)
        report = world.prune()
        assert "1 of 3 backups would be deleted (2 were before, in this run)" in report.refusals[0]
        assert nights_left(world) == [0, 1, 9]

    def test_what_was_offered_and_not_approved_counts(self) -> None:
        world = a_world(nights=8, breaker=Breaker(max_deletes_per_run=3, max_delete_share=1.0))
        assert world.prune().status is Status.REFUSED
        held = [of_night(world, night).arn for night in (5, 6, 7)]
        for arn in held:
            world.cloud.tag_backup(arn, {HOLD_TAG: ""})
        assert world.prune().status is Status.OK
        for night in (9, 10, 11):
            put(world, shop_of(world), night)
        assert world.prune().status is Status.REFUSED
        assert deletes(world) == 3

    def test_what_a_person_approved_does_not_count(self) -> None:
        world = a_world(breaker=self.breaker)
        digest = digest_in(world.prune().refusals[0])
        world.prune(a_request(approve=digest))
        put(world, shop_of(world), 9)
        assert world.prune().status is Status.OK
        assert nights_left(world) == [0, 1]

    def test_a_dry_run_tells_the_refusal_and_the_whole_list(self) -> None:
        world = a_world(breaker=self.breaker)
        report = world.prune(a_request(dry_run=True))
        assert digest_in(report.refusals[0]) == digest_in(world.prune().refusals[0])
        assert len(of_action(report, Action.DELETE)) == 3


def digest_in(refusal: str) -> str:
    return refusal.split('"approve": "')[1][:16]


class TestUntoldRetention:
    """No backup is deleted by a retention that no message told of before the run."""

    one_day = KeepPolicy(daily=1, minimum=1)

    def world(self, **plan: Any) -> World:
        world = a_world(**plan)
        world.people_know = False
        world.create()
        return world

    def night(self, world: World, night: int = 0) -> Report:
        """One run: made at the slot of that night, pruned, told."""
        request = a_request(nights_ago(night))
        world.create(request)
        report = world.prune(request)
        world.publish(request)
        return report

    def told(self, world: World) -> Mapping[str, Told]:
        return world.records.told("nightly")

    def test_the_first_message_tells_and_the_next_run_deletes(self) -> None:
        world = self.world()
        report = self.night(world)
        assert [(one.action, one.state) for one in report.outcomes] == [(Action.ANNOUNCE, State.SKIPPED)] * 3
        assert (report.status, deletes(world)) == (Status.OK, 0)
        self.night(world, -1)
        assert nights_left(world) == [-1, 0]

    def test_sweeps_of_the_same_run_do_not_delete_what_its_message_tells(self) -> None:
        world = self.world()
        self.night(world)
        self.night(world)
        assert deletes(world) == 0

    def test_a_shorter_retention_is_told_one_run_before_it_deletes(self) -> None:
        world = self.world()
        self.night(world)
        self.night(world, -1)
        world.plan = a_plan(keep=self.one_day, types=("rds",))
        report = self.night(world, -2)
        assert nights_left(world) == [-2, -1]
        [announced] = of_action(report, Action.ANNOUNCE)
        assert announced.backup == of_night(world, -1).id
        assert report.notices[0].startswith(
            "The plan nightly keeps daily 1, minimum 1 in us-east-1 (before: daily 2, minimum 1)."
        )
        message = world.notifier.messages[-1]
        assert message.subject.endswith(", 1 to be pruned")
        assert report.notices[0] in message.text
        listed = "Kept until a message has told of the change (1):\n  - delete holdfast-nightly-shop-"
        assert listed in message.text
        self.night(world, -3)
        assert nights_left(world) == [-3]

    def test_a_change_that_is_taken_back_in_time_deletes_nothing(self) -> None:
        world = self.world(keep=KeepPolicy(daily=5, minimum=1))
        usual = world.plan
        self.night(world)
        world.plan = a_plan(keep=self.one_day, types=("rds",))
        self.night(world, -1)
        world.plan = usual
        self.night(world, -2)
        assert nights_left(world) == [-2, -1, 0, 1, 2]

    def test_a_change_that_deletes_nothing_tonight_is_told_before_it_does(self) -> None:
        world = self.world(nights=2, keep=KeepPolicy(daily=30, minimum=1))
        self.night(world)
        world.plan = a_plan(keep=KeepPolicy(daily=3, minimum=1), types=("rds",))
        report = self.night(world, -1)
        assert "keeps daily 3, minimum 1 in us-east-1 (before: daily 30, minimum 1)" in report.notices[0]
        self.night(world, -2)
        assert nights_left(world) == [-2, -1, 0]

    def test_runs_that_overlap_tell_all_the_same(self) -> None:
        """The next run has made its backups before this one prunes."""
        world = self.world()
        for night in range(3):
            world.create(a_request(nights_ago(-night - 1)))
            request = a_request(nights_ago(-night))
            world.prune(request)
            world.publish(request)
        assert nights_left(world) == [-3, -2, -1]

    def test_a_notice_offers_what_it_names(self) -> None:
        """One kind has something to wait for, another has not."""
        world = self.world(types=("aurora", "rds"))
        cluster = world.cloud.add_resource("aurora", "ledger", TAGS)
        for night in range(4):
            put(world, cluster.arn, night)
        world.records.tell("nightly", LONG_AGO, {"aurora": world.plan.retention(HOME_REGION)})
        digest = digest_in(world.prune().notices[0])
        world.prune(a_request(approve=digest))
        assert nights_left(world, source=shop_of(world)) == [0, 1]

    def test_a_run_that_is_repeated_for_an_earlier_slot_tells_nobody(self) -> None:
        """It does not see what later slots made, and so not what the change would delete of it."""
        world = self.world(keep=KeepPolicy(daily=30, minimum=1))
        self.night(world)
        world.plan = a_plan(keep=self.one_day, types=("rds",))
        self.night(world, 4)
        report = self.night(world, -1)
        assert len(of_action(report, Action.ANNOUNCE)) == 5
        assert deletes(world) == 0

    def test_an_old_message_that_is_published_again_brings_no_old_retention_back(self) -> None:
        world = self.world(nights=1, keep=self.one_day)
        self.night(world)
        world.plan = a_plan(keep=KeepPolicy(daily=30, minimum=1), types=("rds",))
        self.night(world, -1)
        self.night(world, -2)
        world.plan = a_plan(keep=self.one_day, types=("rds",))
        world.publish(a_request(NIGHT))
        assert len(of_action(self.night(world, -3), Action.ANNOUNCE)) == 3
        assert deletes(world) == 0

    def test_a_message_that_did_not_go_out_told_nobody(self) -> None:
        world = self.world()
        world.prune()
        world.notifier.failing = True
        with pytest.raises(NoAnswer):
            world.publish()
        later = a_request(nights_ago(-1))
        assert of_action(world.prune(later), Action.DELETE) == []

    def test_a_rehearsal_tells_nobody(self) -> None:
        world = self.world()
        world.prune(a_request(dry_run=True))
        world.prune()
        publish_report(world.records, world.notifier, a_request(dry_run=True), HOME)
        assert self.told(world) == {}

    def test_a_kind_that_could_not_be_listed_is_not_told_of_and_the_others_are(self) -> None:
        """What could not be listed could not be announced."""
        world = self.world(types=("aurora", "rds"))
        world.cloud.fail("backups", HOME_REGION, AccessDenied)  # aurora is listed first
        world.prune()
        world.publish()
        assert set(self.told(world)) == {"rds"}
        later = a_request(nights_ago(-1))
        world.cloud.fail("backups", HOME_REGION, AccessDenied)
        assert len(of_action(world.prune(later), Action.DELETE)) == 3

    def test_who_cannot_wait_approves_the_list(self) -> None:
        world = self.world()
        digest = digest_in(world.prune().notices[0])
        assert world.prune(a_request(approve=digest)).status is Status.OK
        assert nights_left(world) == [0, 1]

    def test_the_list_that_waits_is_approved_apart_from_what_was_deleted_as_usual(self) -> None:
        world = self.world()
        week = Retention(policies={HOME_REGION: KeepPolicy(daily=3, minimum=1)})
        world.records.tell("nightly", LONG_AGO, {"rds": week})
        report = self.night(world)
        assert nights_left(world) == [0, 1, 2]
        assert world.prune(a_request(approve=digest_in(report.notices[0]))).status is Status.OK
        assert nights_left(world) == [0, 1]

    def test_an_approved_list_that_was_stopped_half_way_may_be_finished(self) -> None:
        world = self.world(nights=7)
        week = Retention(policies={HOME_REGION: KeepPolicy(daily=5, minimum=1)})
        world.records.tell("nightly", LONG_AGO, {"rds": week})
        digest = digest_in(world.prune().notices[0])
        assert nights_left(world) == [0, 1, 2, 3, 4]
        world.prune(a_request(approve=digest), time_for(1))
        assert nights_left(world) == [0, 1, 2, 3]
        world.prune(a_request(approve=digest))
        assert nights_left(world) == [0, 1]

    def test_an_approval_deletes_what_was_read_and_nothing_that_came_since(self) -> None:
        world = self.world()
        digest = digest_in(world.prune().notices[0])
        put(world, shop_of(world), 9)
        world.prune(a_request(approve=digest))
        assert nights_left(world) == [0, 1, 9]

    def test_an_approval_deletes_nothing_that_must_stay_by_now(self) -> None:
        world = self.world()
        digest = digest_in(world.prune().notices[0])
        world.cloud.tag_backup(of_night(world, 4).arn, {HOLD_TAG: ""})
        world.prune(a_request(approve=digest))
        assert nights_left(world) == [0, 1, 4]

    @pytest.mark.parametrize("approve", ["0" * 16, "of another night"])
    def test_an_approval_of_no_list_of_this_run_deletes_nothing_at_all(self, approve: str) -> None:
        world = a_world(breaker=Breaker(max_deletes_per_run=2, max_delete_share=1.0))
        if approve == "of another night":
            approve = digest_in(world.prune().refusals[0])
            request = a_request(nights_ago(-1), approve=approve)
        else:
            request = a_request(approve=approve)
        report = world.prune(request)
        assert report.refusals[0].startswith(f"The approval {approve} is of no list that this run offers:")
        assert (report.status, deletes(world)) == (Status.REFUSED, 0)

    def test_an_approval_of_no_list_deletes_not_even_what_needs_none(self) -> None:
        world = a_world()
        assert world.prune(a_request(approve="0" * 16)).status is Status.REFUSED
        assert deletes(world) == 0

    def test_the_breaker_counts_only_what_would_go_now(self) -> None:
        breaker = Breaker(max_deletes_per_run=0, max_delete_share=1.0)
        world = self.world(breaker=breaker)
        report = self.night(world)
        assert not report.refusals
        assert "it will ask first" in report.notices[0]
        report = self.night(world, -1)
        assert report.status is Status.REFUSED
        assert deletes(world) == 0

    def test_what_people_know_cannot_be_read_deletes_nothing(self) -> None:
        class Unreadable(FakeRecords):
            def told(self, plan: str) -> Mapping[str, Told]:
                raise ProviderError("s3", "s3://reports/told/nightly.json", "GetObject", "BrokenDocument")

        world = self.world()
        world.records = Unreadable()
        report = world.prune()
        assert report.status is Status.REFUSED
        assert "delete it, and the next run tells anew" in report.refusals[0]
        assert deletes(world) == 0

    def test_it_is_looked_at_again_before_each_delete(self) -> None:
        """Meanwhile a newer backup is lost: what went by the old retention goes now only by the new one."""
        world = self.world()
        world.records.tell(
            "nightly", LONG_AGO, {"rds": Retention(policies={HOME_REGION: KeepPolicy(last=4)})}
        )
        world = meddled(world, lambda w: w.cloud.set_backup_state(of_night(w, 3).arn, BackupState.FAILED))
        report = world.prune()
        [outcome] = [one for one in report.outcomes if one.backup == of_night(world, 4).id]
        assert outcome.state is State.SKIPPED
        assert outcome.reason.startswith("kept after all: waits until people know of the plan's retention")
        assert deletes(world) == 0


class TestTheLookBeforeTheDelete:
    def test_the_place_of_the_backup_is_looked_at_last(self) -> None:
        """The listing of a copy Region takes its time: a hold that is put on meanwhile counts."""
        world = a_world(nights=3, copies=(a_rule(keep=KEEP_2),))
        for night in range(2):
            put(world, shop_of(world), night, region=AWAY_REGION)
        oldest = of_night(world, 2).arn

        class Slow(FakeProvider):
            def backups(self, region: str, source: str = "", since: datetime | None = None) -> list[Backup]:
                found = super().backups(region, source, since)
                if source and region == AWAY_REGION:
                    world.cloud.tag_backup(oldest, {HOLD_TAG: "late"})
                return list(found)

        world.providers["rds"] = Slow(world.cloud, "rds")
        [outcome] = [one for one in world.prune().outcomes if one.region == HOME_REGION]
        assert (outcome.state, outcome.reason) == (State.SKIPPED, "kept after all: held: late")

    def test_a_backup_whose_mark_has_changed_is_not_the_one_that_was_decided_on(self) -> None:
        world = meddled(
            a_world(nights=3),
            lambda w: w.cloud.tag_backup(of_night(w, 2).arn, {"holdfast:resource-id": "db-NEW"}),
        )
        [outcome] = world.prune().outcomes
        assert outcome.state is State.SKIPPED
        assert deletes(world) == 0

    def test_one_is_deleted_after_the_other(self) -> None:
        """Each look sees what the deletion before it has left."""
        world = a_world(nights=8)
        deleting, looks_meanwhile = Event(), []

        class Lengthy(FakeProvider):
            def backups(self, region: str, source: str = "", since: datetime | None = None) -> list[Backup]:
                if deleting.is_set():
                    looks_meanwhile.append(source)
                return list(super().backups(region, source, since))

            def delete(self, backup: Backup) -> None:
                deleting.set()
                time.sleep(0.02)
                super().delete(backup)
                deleting.clear()

        world.providers["rds"] = Lengthy(world.cloud, "rds")
        world.prune()
        assert nights_left(world) == [0, 1]
        assert looks_meanwhile == []


class TestHoldList:
    """DynamoDB backups cannot carry the hold tag: people keep a list."""

    def world(self, *holds: Hold) -> World:
        world = a_world("dynamodb")
        world.holds.holds = list(holds)
        return world

    def hold(self, world: World, night: int) -> Hold:
        return Hold(backups=f"shop/{of_night(world, night).id}", reason="case 17")

    def test_what_it_names_is_kept_and_counts_for_nothing(self) -> None:
        world = self.world()
        world.holds.holds = [self.hold(world, 0), self.hold(world, 4)]
        world.prune()
        assert nights_left(world) == [0, 1, 2, 4]

    def test_the_reason_is_told(self) -> None:
        world = self.world()
        world.holds.holds = [self.hold(world, 4)]
        report = world.prune(a_request(dry_run=True))
        assert "dry run: would keep: held: case 17" in [one.reason for one in report.outcomes]
        assert "held: case 17" in report.text

    def test_it_is_read_again_right_before_each_delete(self) -> None:
        world = self.world()
        late = self.hold(world, 4)
        world = meddled(world, lambda w: w.holds.holds.append(late), kind="dynamodb")
        states = {one.backup: (one.state, one.reason) for one in world.prune().outcomes}
        assert states[of_night(world, 4).id] == (State.SKIPPED, "kept after all: held: case 17")
        assert nights_left(world) == [0, 1, 4]

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (
                HoldListError("in the SSM parameter /holdfast/holds", ["entry 1: it is wrong"]),
                (
                    "No dynamodb backup was deleted: the hold list in the SSM parameter /holdfast/holds "
                    "cannot be used: entry 1: it is wrong."
                ),
            ),
            (
                AccessDenied("ssm", "/holdfast/holds", "GetParameter", "AccessDenied"),
                (
                    "No dynamodb backup was deleted: the hold list in memory cannot be used: it cannot be "
                    "read (GetParameter of /holdfast/holds: AccessDenied)."
                ),
            ),
        ],
        ids=["wrong", "unreadable"],
    )
    def test_a_list_that_cannot_be_used_deletes_nothing_of_its_kind(
        self, error: HoldfastError, told: str
    ) -> None:
        world = self.world()
        database = world.cloud.add_resource("rds", "bills", TAGS)
        for night in range(5):
            put(world, database.arn, night)
        world.plan = a_plan(keep=KEEP_2, types=("dynamodb", "rds"))
        world.holds.failing = error
        report = world.prune()
        assert (report.status, list(report.refusals)) == (Status.REFUSED, [told])
        assert len(world.cloud.standing("dynamodb")) == 5
        assert len(world.cloud.standing("rds")) == 2

    def test_one_that_is_broken_right_before_a_delete_keeps_that_backup(self) -> None:
        world = self.world()
        broken = HoldListError("here", ["entry 1: it is wrong"])

        def meddle(world: World) -> None:
            world.holds.failing = broken

        report = meddled(world, meddle, kind="dynamodb").prune()
        assert {one.state for one in report.outcomes} == {State.FAILED}
        assert deletes(world) == 0

    def test_an_entry_that_names_nothing_deletes_nothing_until_it_is_put_right(self) -> None:
        world = self.world(Hold(backups="shop/holdfast.nightly.2026-11-22", reason="case 17"))
        report = world.prune()
        assert list(report.refusals) == [
            (
                "No dynamodb backup was deleted: the hold list in memory cannot be used: no backup that "
                "stands is called shop/holdfast.nightly.2026-11-22 (case 17): correct the name, or take the "
                "entry out."
            )
        ]
        assert deletes(world) == 0

    def test_an_entry_for_another_plans_backup_is_no_mistake(self) -> None:
        world = self.world()
        mark = replace(a_mark(source=shop_of(world)), plan="weekly")
        other = world.cloud.add_backup(shop_of(world), backup_name(mark))
        world.holds.holds = [Hold(backups=f"shop/{other.id}", reason="case 17")]
        assert world.prune().status is Status.OK
        assert deletes(world) == 3


class TestGuard9VanishedResources:
    def test_a_resource_that_is_gone_keeps_what_it_has_night_after_night(self) -> None:
        world = a_world(keep=KeepPolicy(daily=3, minimum=2))
        world.cloud.remove_resource(shop_of(world))
        for night in range(60):
            request = a_request(nights_ago(-night))
            world.create(request)
            world.prune(request)
        assert nights_left(world) == [0, 1, 2]

    def test_a_resource_that_is_no_longer_selected_does_too(self) -> None:
        world = a_world(keep=KeepPolicy(daily=3, minimum=2))
        arn = shop_of(world)
        world.cloud.remove_resource(arn)
        world.cloud.add_resource("rds", "shop", {"holdfast:plan": "none"})
        for night in range(10):
            world.prune(a_request(nights_ago(-night)))
        assert nights_left(world) == [0, 1, 2]


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "state"),
        [
            (AccessDenied, State.FAILED),
            (Throttled, State.DEFERRED),
            (NotReady, State.PENDING),
            (NoAnswer, State.PENDING),
        ],
    )
    def test_an_error_about_one_backup_costs_the_others_nothing(
        self, error: type[ProviderError], state: State
    ) -> None:
        world = a_world()
        world.cloud.fail("delete", of_night(world, 3).arn, error)
        assert [one.state for one in world.prune().outcomes] == [State.DONE, state, State.DONE]
        assert nights_left(world) == [0, 1, 3]
        world.prune()
        assert nights_left(world) == [0, 1]

    def test_a_deletion_whose_answer_was_lost_is_not_asked_for_again(self) -> None:
        world = a_world(nights=3)
        gone = of_night(world, 2)
        world.cloud.fail("delete", gone.arn, NoAnswer, after_effect=True)
        assert [one.state for one in world.prune().outcomes] == [State.PENDING]
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.backup_arn) == (State.DONE, gone.arn)
        assert outcome.reason == "it is gone, or going: an earlier sweep was at it, and could not tell"
        assert deletes(world) == 1

    def test_what_is_gone_is_not_told_as_forbidden(self) -> None:
        """A call whose answer was lost is repeated, and IAM denies it: what is gone bears no tag."""
        world = a_world(nights=3)
        gone = of_night(world, 2)
        world.cloud.fail("delete", gone.arn, AccessDenied, after_effect=True)
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.backup_arn) == (State.DONE, gone.arn)
        assert outcome.reason.endswith("; the answer to its deletion was lost")

    def test_what_a_killed_sweep_has_deleted_is_told_by_the_next(self) -> None:
        world = a_world()
        kill_after(2, world)
        report = world.prune()
        assert [one.state for one in report.outcomes] == [State.DONE] * 3
        assert world.publish().message.subject.endswith("3 pruned")

    def test_what_a_killed_sweep_has_deleted_counts_for_the_breaker(self) -> None:
        world = a_world(breaker=Breaker(max_deletes_per_run=3, max_delete_share=1.0))
        source = shop_of(world)
        kill_after(2, world)
        put(world, source, 5)  # shown by no listing before
        [refusal] = world.prune().refusals
        assert refusal.startswith("2 of 4 backups would be deleted (2 were before, in this run)")
        assert nights_left(world) == [0, 1, 2, 5]

    def test_so_is_what_is_still_going(self) -> None:
        world = a_world(nights=3)
        gone = of_night(world, 2)
        world.cloud.fail("delete", gone.arn, NoAnswer)
        world.prune()
        world.cloud.set_backup_state(gone.arn, BackupState.DELETING)
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.backup_arn) == (State.DONE, gone.arn)

    def test_a_sweep_that_is_refused_forgets_nothing_of_it(self) -> None:
        class Unread(FakeRecords):
            closed = False

            def told(self, plan: str) -> Mapping[str, Told]:
                if self.closed:
                    raise NoAnswer("s3", "told/", "GetObject", "NoAnswer")
                return super().told(plan)

        world = a_world()
        records = Unread()
        world.records = records
        kill_after(2, world)
        world.people_know, records.closed = False, True
        assert world.prune().status is Status.REFUSED
        records.closed = False
        world.prune()
        record = world.records.load("nightly", NIGHT, Stage.PRUNE)
        assert record is not None
        assert record.counts == {"delete.done": 3}

    def test_a_listing_that_shows_what_an_earlier_sweep_deleted_takes_nothing_back(self) -> None:
        world = a_world(nights=3)
        gone = of_night(world, 2)
        world.prune()
        put(world, shop_of(world), 2)  # as a listing shows it that lags behind
        world.cloud.fail("delete", gone.arn, NotFound)
        [outcome] = world.prune().outcomes
        assert (outcome.state, outcome.backup_arn) == (State.DONE, gone.arn)

    def test_what_cannot_be_noted_is_not_deleted(self) -> None:
        world = a_world()

        class Full(FakeRecords):
            def save(self, report: Report) -> str:
                raise AccessDenied("s3", "runs/", "PutObject", "AccessDenied")

        world.records = Full()
        with pytest.raises(AccessDenied):
            world.prune()
        assert deletes(world) == 0

    def test_a_listing_that_finds_nothing_right_before_the_call_is_told(self) -> None:
        world = a_world(nights=3)
        source = of_night(world, 2).source
        world.cloud.fail("backups", source, NotFound)
        [outcome] = world.prune().outcomes
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith("kept, since what stands beside it could not be listed")
        assert deletes(world) == 0

    def test_a_bug_in_an_adapter_costs_one_resource_only(self) -> None:
        world = a_world()
        bills = world.cloud.add_resource("rds", "bills", TAGS)
        for night in range(5):
            put(world, bills.arn, night)
        world.providers["rds"] = Surprising(world.cloud, "rds", bills.arn)
        report = world.prune()
        failed = [one for one in report.outcomes if one.state is State.FAILED]
        assert {one.resource for one in failed} == {bills.arn}
        assert {one.reason for one in failed} == {"unexpected KeyError: 'a bug'"}
        assert len(world.cloud.standing(source=bills.arn)) == 5
        assert len(world.cloud.standing()) == 7

    def test_out_of_time_the_rest_is_pending_and_the_next_sweep_does_it(self) -> None:
        world = a_world()
        report = world.prune(deadline=time_for(1))
        assert [one.state for one in report.outcomes] == [State.DONE, State.PENDING, State.PENDING]
        assert nights_left(world) == [0, 1, 2, 3]
        assert world.prune().status is Status.OK
        assert nights_left(world) == [0, 1]


class TestDryRun:
    def test_it_lists_each_backup_in_each_location_with_its_reason_and_writes_nothing(self) -> None:
        world = a_world(copies=(a_rule(keep=KeepPolicy(daily=1, minimum=1)),))
        for night in range(2):
            put(world, shop_of(world), night, region=AWAY_REGION)
        names = world.names()
        report = world.prune(a_request(dry_run=True))
        told = [(one.region, one.action, one.reason) for one in report.outcomes]
        delete, keep = Action.DELETE, Action.KEEP
        no_rule = "dry run: would delete: no rule keeps it"
        assert told == [
            (HOME_REGION, keep, "dry run: would keep: daily 1 of 2"),
            (HOME_REGION, keep, "dry run: would keep: daily 2 of 2"),
            *[(HOME_REGION, delete, f"{no_rule} (daily 2, minimum 1)")] * 3,
            (AWAY_REGION, keep, "dry run: would keep: daily 1 of 1"),
            (AWAY_REGION, delete, f"{no_rule} (daily 1, minimum 1)"),
        ]
        assert {one.state for one in report.outcomes} == {State.SKIPPED}
        assert (world.cloud.writes, world.names(), world.records.documents) == ([], names, {})

    def test_what_is_not_ours_is_listed_with_whose_it_is(self) -> None:
        world = a_world(nights=1)
        put(world, shop_of(world), 1, stack="another")
        report = world.prune(a_request(dry_run=True))
        assert [one.reason for one in report.outcomes] == [
            "dry run: would keep: daily 1 of 2",
            "dry run: would keep: not ours: the stack another made it",
        ]

    def test_people_get_the_same_as_a_table(self) -> None:
        world = a_world()
        text = world.prune(a_request(dry_run=True)).text
        assert text.startswith(
            "Plan nightly, as of 2026-11-22T02:00:00Z: would delete 3 of 5 backups; not the plan's own: 0."
        )
        assert "rds shop in us-east-1 keeps daily 2, minimum 1\n" in text
        assert text.count(" DELETE ") == 3

    def test_the_table_has_the_refusals_and_what_is_new_first(self) -> None:
        world = a_world(breaker=Breaker(max_deletes_per_run=2, max_delete_share=1.0), types=("rds", "aurora"))
        world.cloud.fail("backups", HOME_REGION, AccessDenied)  # aurora is listed first
        text = world.prune(a_request(dry_run=True)).text
        listing, breaker = text.split("\n\n")[1:3]
        assert listing.startswith("Not all aurora backups could be listed")
        assert breaker.startswith("3 of 5 backups would be deleted, but prune.max_deletes_per_run is 2")

    def test_a_shorter_retention_shows_what_it_would_delete(self) -> None:
        world = a_world()
        world.people_know = False
        world.records.tell(
            "nightly", LONG_AGO, {"rds": Retention(policies={HOME_REGION: KeepPolicy(daily=4)})}
        )
        report = world.prune(a_request(dry_run=True))
        assert report.notices[0].startswith(
            "The plan nightly keeps daily 2, minimum 1 in us-east-1 (before: "
        )
        assert [(one.action, one.reason[:44]) for one in report.outcomes][2:] == [
            (Action.ANNOUNCE, "dry run: would delete, but later: waits unti"),
            (Action.ANNOUNCE, "dry run: would delete, but later: waits unti"),
            (Action.DELETE, "dry run: would delete: no rule keeps it (dai"),
        ]
        assert world.records.documents == {}

    def test_a_run_that_is_no_rehearsal_has_no_table(self) -> None:
        assert a_world().prune().text == ""


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(list(BackupState))), max_size=14),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 10),
)
def test_however_often_it_is_stopped_half_way_the_end_is_the_same_and_the_floor_holds(
    stand: list[tuple[int, BackupState]], daily: int, minimum: int, acts: int
) -> None:
    def world() -> World:
        made = World(plan=a_plan(keep=KeepPolicy(daily=daily, minimum=minimum), types=("rds",)))
        shop: Resource = made.cloud.add_resource("rds", "shop", TAGS)
        for night, state in dict(stand).items():
            put(made, shop.arn, night, state)
        return made

    def good(one: World) -> int:
        return sum(each.state is BackupState.AVAILABLE for each in one.cloud.standing())

    at_once, stopped = world(), world()
    before = good(at_once)
    at_once.prune()
    stopped.prune(deadline=time_for(acts))
    assert good(stopped) >= min(minimum, before)
    stopped.prune()
    assert stopped.names() == at_once.names()


class TestLeftBehind:
    def test_a_resource_that_is_gone_keeps_its_backups_and_is_told(self) -> None:
        world = a_world(nights=2)
        gone = next(one for one in world.cloud.standing() if one.kind == "rds")
        before = world.cloud.standing("rds", source=gone.source)
        world.cloud.remove_resource(gone.source)
        request = a_request(NIGHT + timedelta(days=1))
        world.create(request)
        report = world.prune(request)
        [told] = [one for one in report.outcomes if one.action is Action.KEEP]
        assert (told.resource, told.state) == (gone.source, State.SKIPPED)
        assert "it is gone, or no longer in the plan" in told.reason
        assert world.cloud.standing("rds", source=gone.source) == before

    def test_a_resource_that_the_plan_leaves_out_now_is_told_too(self) -> None:
        world = a_world(nights=2)
        arn = shop_of(world)
        world.cloud.remove_resource(arn)
        world.cloud.add_resource("rds", "shop", {**TAGS})
        world.plan = replace(world.plan, select=replace(world.plan.select, exclude=(arn,)))
        request = a_request(nights_ago(-1))
        world.create(request)
        [told] = of_action(world.prune(request), Action.KEEP)
        assert "it is gone, or no longer in the plan" in told.reason
