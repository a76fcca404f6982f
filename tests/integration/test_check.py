"""How everything stands, on a cloud in memory: what can be restored, whatever the runs claimed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import AccessDenied, HoldListError, ProviderError, Throttled
from holdfast.core.glance import Standing
from holdfast.core.holds import Hold
from holdfast.core.model import Backup, BackupState, Home, KeepPolicy, Origin, Plan, Selection
from holdfast.core.naming import backup_name, format_slot, snapshot_name, tags_for
from holdfast.core.posture import Gap, Health, Posture, Protection, TickState
from holdfast.core.spans import Span
from holdfast.ports import StoredPlan
from tests.builders import (
    AWAY_REGION,
    HOME_REGION,
    NIGHT,
    TAGS,
    a_mark,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)
from tests.fakes import FakeCloud, FakePostureStore, FakeProvider
from tests.integration.world import World

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
RPO = timedelta(hours=26)
VAULT = f"{AWAY_REGION}@111122223333"
COPIED = a_plan(copies=(a_rule(),))
BROKEN = StoredPlan(name="weekly", plan=None, problem="keep: missing")


def a_world(plan: Plan = COPIED, nights: int = 4) -> World:
    """A database and a table, with so many nights behind them, the last one's, which is told, at `NIGHT`."""
    world = World(plan=plan)
    world.cloud.add_resource("rds", "orders", TAGS)
    world.cloud.add_resource("dynamodb", "carts", TAGS)
    quietly(world, nights - 1, until=nights_ago(1))
    live(world, min(nights, 1))
    return world


def live(world: World, nights: int, until: datetime = NIGHT) -> Posture | None:
    """Nights whose last one is `until`; the last posture."""
    posture = None
    for night in range(nights - 1, -1, -1):
        posture = world.run(until - night * DAY)
    return posture


def line(posture: Posture, name: str, place: str = HOME_REGION) -> Protection:
    [found] = [one for one in posture.protections if (one.name, one.place) == (name, place)]
    return found


def named(world: World, name: str) -> str:
    """The ARN of what stands of that name."""
    [found] = [
        one.arn
        for kind in world.providers.values()
        for one in world.cloud._resources.values()
        if one.kind == kind.kind and one.name == name
    ]
    return found


def drop(world: World, name: str, place: str = "") -> None:
    """Somebody deletes all backups of a resource."""
    for one in world.cloud.standing(region=place):
        if one.source.endswith(f":{name}") or one.source.endswith(f"/{name}"):
            world.cloud.delete_backup(one.kind, one.arn)


def name_of_backup(source: str, slot: datetime) -> str:
    return backup_name(a_mark(slot, source))


class TestCalm:
    def test_after_usual_nights_everything_can_be_restored_and_nothing_is_missing(self) -> None:
        world = a_world()
        posture = world.check(NIGHT + HOUR)
        assert posture.standing is Standing.OK
        assert {(one.name, one.place) for one in posture.protections} == {
            ("orders", HOME_REGION),
            ("orders", AWAY_REGION),
            ("carts", HOME_REGION),
        }
        assert {(one.good, one.full, one.missing, one.pending) for one in posture.protections} == {
            (3, 3, 0, 0)
        }
        assert {one.newest for one in posture.protections} == {NIGHT}
        assert posture.recoverable == posture.resources
        assert (posture.problems, posture.uncovered, posture.breaches) == ((), [], [])

    def test_looking_changes_nothing_and_two_looks_see_the_same(self) -> None:
        world = a_world()
        before, writes = world.cloud.standing(), len(world.cloud.writes)
        first, second = world.check(NIGHT + HOUR), world.check(NIGHT + HOUR)
        assert (world.cloud.standing(), len(world.cloud.writes)) == (before, writes)
        assert replace(first, seconds=0.0) == replace(second, seconds=0.0)

    def test_it_is_stored_and_shown(self) -> None:
        world = a_world(nights=1)
        posture = world.check(NIGHT + HOUR)
        assert world.page.shown[-1] == posture
        stored = world.postures.load(NIGHT + HOUR, NIGHT + HOUR)
        assert stored is not None
        assert [(one.key, one.health) for one in stored.protections] == [
            (one.key, one.health) for one in posture.protections
        ]

    def test_what_cannot_be_stored_or_shown_is_a_problem_and_costs_nothing_else(self) -> None:
        class Full(FakePostureStore):
            def save(self, posture: Posture) -> str:
                raise AccessDenied("s3", "posture", "PutObject", "AccessDenied")

        world = a_world(nights=1)
        world.postures = Full()
        posture = world.check(NIGHT + HOUR)
        assert [one.partition(":")[0] for one in posture.problems] == ["The posture could not be stored"]
        assert world.page.shown[-1].problems == posture.problems
        assert posture.standing is Standing.INCOMPLETE
        world.page.failing = AccessDenied("s3", "page", "PutObject", "AccessDenied")
        posture = world.check(NIGHT + HOUR)
        assert len(posture.problems) == 2
        assert "The page could not be written, and shows an earlier hour" in posture.problems[1]

    def test_without_anything_to_protect_it_is_empty_and_not_well(self) -> None:
        assert World().check(NIGHT).standing is Standing.EMPTY


class TestAge:
    def test_the_newest_backup_may_be_as_old_as_the_plan_says_and_not_a_second_older(self) -> None:
        world = a_world()
        at_most = world.check(NIGHT + RPO)
        assert {one.health for one in at_most.protections} == {Health.OK}
        too_old = world.check(NIGHT + RPO + SECOND)
        assert {one.health for one in too_old.protections} == {Health.OVERDUE}
        assert too_old.standing is Standing.BREACHED
        assert too_old.recoverable == frozenset()
        assert line(too_old, "carts").age(too_old.at) == RPO + SECOND
        assert (
            "of 2026-11-22T02:00:00Z, 26 hours ago; the plan's rpo_hours is 26"
            in line(too_old, "orders").reason
        )

    def test_a_plan_has_its_own(self) -> None:
        world = a_world(replace(COPIED, rpo_hours=4))
        assert world.check(NIGHT + 4 * HOUR).standing is Standing.OK
        assert world.check(NIGHT + 4 * HOUR + SECOND).standing is Standing.BREACHED

    def test_a_backup_that_failed_or_is_in_the_making_is_none(self) -> None:
        for state in (BackupState.FAILED, BackupState.CREATING, BackupState.DELETING, BackupState.REMNANT):
            world = a_world()
            for one in world.cloud.standing():
                if one.mark and one.mark.slot == NIGHT:
                    world.cloud.set_backup_state(one.arn, state)
            posture = world.check(NIGHT + 3 * HOUR)
            assert {one.newest for one in posture.protections} == {nights_ago(1)}, state
            assert {one.health for one in posture.protections} == {Health.OVERDUE}, state

    def test_one_that_is_dated_in_the_future_is_none(self) -> None:
        world = a_world(nights=1)
        world.run(NIGHT + 10 * DAY)
        posture = world.check(NIGHT + 5 * DAY)
        assert {one.health for one in posture.protections} == {Health.OVERDUE}
        assert {one.newest for one in posture.protections} == {NIGHT}

    def test_a_run_that_claims_to_be_well_does_not_help(self) -> None:
        world = a_world()
        drop(world, "orders")
        posture = world.check(NIGHT + HOUR)
        assert posture.plans[0].last_run is not None
        assert str(posture.plans[0].last_run.status) == "ok"
        assert line(posture, "orders").health is Health.MISSING
        assert line(posture, "orders", AWAY_REGION).health is Health.MISSING
        assert line(posture, "carts").health is Health.OK
        assert posture.recoverable == {named(world, "carts")}


class TestWithoutAny:
    def new(self, world: World) -> str:
        return world.cloud.add_resource("rds", "fresh", TAGS).arn

    def test_what_is_new_waits_for_its_first_backup_and_then_misses_it(self) -> None:
        world = a_world()
        self.new(world)
        seen = NIGHT + HOUR
        first = line(world.check(seen), "fresh")
        assert (first.health, first.since) == (Health.WAITING, seen)
        assert format_slot(seen + RPO) in first.reason
        posture = None
        for hours in range(1, 26):
            posture = world.check(seen + hours * HOUR)
            assert line(posture, "fresh").health is Health.WAITING, hours
        assert posture is not None
        assert named(world, "fresh") in posture.waiting - posture.recoverable
        late = line(world.check(seen + RPO), "fresh")
        assert (late.health, late.since) == (Health.MISSING, seen)
        assert late.reason == (
            "nothing can be restored: no good backup stands there. No run has come lately (none since "
            "2026-11-22T02:00:00Z): look at the schedule, and start one (RunCommand of the stack)."
        )

    def test_its_first_backup_ends_that_and_is_missed_at_once_when_it_vanishes(self) -> None:
        world = a_world()
        self.new(world)
        world.check(NIGHT + HOUR)
        world.run(NIGHT + DAY)
        assert line(world.check(NIGHT + DAY + HOUR), "fresh").health is Health.OK
        assert line(world.check(NIGHT + DAY + HOUR), "fresh").since is None
        drop(world, "fresh")
        gone = line(world.check(NIGHT + DAY + 2 * HOUR), "fresh")
        assert (gone.health, gone.since) == (Health.MISSING, NIGHT + DAY + 2 * HOUR)
        assert line(world.check(NIGHT + DAY + 3 * HOUR), "fresh").since == gone.since

    def test_when_no_earlier_posture_is_there_what_has_none_is_taken_for_new(self) -> None:
        world = a_world()
        drop(world, "orders")
        world.postures = FakePostureStore()
        assert line(world.check(NIGHT + HOUR), "orders").health is Health.WAITING
        assert line(world.check(NIGHT + HOUR + RPO), "orders").health is Health.MISSING

    def test_when_earlier_postures_cannot_be_read_it_is_missing(self) -> None:
        class Unreadable(FakePostureStore):
            def load(self, since: datetime, until: datetime) -> Posture | None:
                raise AccessDenied("s3", "posture", "GetObject", "AccessDenied")

        world = a_world()
        self.new(world)
        world.postures = Unreadable()
        posture = world.check(NIGHT + HOUR)
        assert line(posture, "fresh").health is Health.MISSING
        assert any("An earlier posture cannot be read" in one for one in posture.problems)

    def test_an_earlier_posture_is_remembered_over_days_without_checks(self) -> None:
        world = a_world()
        world.check(NIGHT + HOUR)
        drop(world, "orders")
        assert line(world.check(NIGHT + 6 * DAY), "orders").health is Health.MISSING

    def test_what_another_checks_hour_says_of_later_is_not_looked_at(self) -> None:
        world = a_world(nights=1)
        self.new(world)
        world.check(NIGHT + 3 * DAY)
        assert line(world.check(NIGHT + HOUR), "fresh").since == NIGHT + HOUR

    @pytest.mark.parametrize("kind", ["dynamodb", "rds"])
    def test_what_the_plan_names_and_is_not_there_is_missing_for_as_long(self, kind: str) -> None:
        arn = f"arn:aws:{kind}:us-east-1:123456789012:{'table/' if kind == 'dynamodb' else 'db:'}typo"
        select = Selection(tags=TAGS, include=(arn,), types=COPIED.select.types)
        world = a_world(replace(COPIED, select=select), nights=0)
        first, second = world.check(NIGHT), world.check(NIGHT + HOUR)
        for posture in (first, second):
            assert line(posture, "typo").health is Health.MISSING
            assert line(posture, "typo").since == NIGHT
            assert "correct the plan" in line(posture, "typo").reason
        assert second.standing is Standing.BREACHED

    def test_unless_it_could_not_be_looked_for(self) -> None:
        arn = "arn:aws:rds:us-east-1:123456789012:db:typo"
        select = Selection(tags=TAGS, include=(arn,), types=COPIED.select.types)
        world = a_world(replace(COPIED, select=select), nights=0)
        world.cloud.fail("resources", "rds", Throttled, times=99)
        posture = world.check(NIGHT + HOUR)
        assert "typo" not in {one.name for one in posture.protections}
        assert posture.standing is Standing.INCOMPLETE

    def test_what_it_names_and_somebody_has_deleted_is_told_with_its_backups(self) -> None:
        world = a_world()
        arn = named(world, "orders")
        world.plan = replace(
            world.plan, select=Selection(tags=TAGS, include=(arn,), types=world.plan.select.types)
        )
        world.cloud.remove_resource(arn)
        posture = world.check(NIGHT + 3 * DAY)
        assert line(posture, "orders").health is Health.OVERDUE
        assert line(posture, "orders").good == 3
        assert "there is no such resource" in line(posture, "orders").reason


class TestCopies:
    def test_copies_that_are_missing_are_counted_and_told_apart(self) -> None:
        world = a_world()
        for one in world.cloud.standing("rds", AWAY_REGION):
            if one.mark and one.mark.slot != NIGHT:
                world.cloud.delete_backup("rds", one.arn)
        away = line(world.check(NIGHT + HOUR), "orders", AWAY_REGION)
        assert (away.health, away.good, away.missing) == (Health.OK, 1, 2)
        assert [(one.slot, one.state) for one in away.ticks] == [
            (nights_ago(2), TickState.MISSING),
            (nights_ago(1), TickState.MISSING),
            (NIGHT, TickState.KEPT),
        ]
        assert line(world.check(NIGHT + HOUR), "orders").missing == 0

    def test_without_any_copy_the_place_is_missed_although_home_is_well(self) -> None:
        world = a_world()
        drop(world, "orders", AWAY_REGION)
        posture = world.check(NIGHT + HOUR)
        assert line(posture, "orders").health is Health.OK
        assert line(posture, "orders", AWAY_REGION).health is Health.MISSING
        assert named(world, "orders") not in posture.recoverable
        assert posture.standing is Standing.BREACHED

    def test_a_copy_in_flight_is_pending_and_after_the_window_stuck(self) -> None:
        world = a_world(replace(COPIED, rpo_hours=72), nights=0)
        live(world, 4, until=nights_ago(1))
        world.create(a_request())
        world.cloud.listings_until_available = 10**6
        world.copy(a_request())
        away = line(world.check(NIGHT + HOUR), "orders", AWAY_REGION)
        assert (away.health, away.pending, away.stuck, away.missing) == (Health.OK, 1, 0, 0)
        assert away.ticks[-1].state is TickState.PENDING
        away = line(world.check(NIGHT + 13 * HOUR), "orders", AWAY_REGION)
        assert (away.health, away.pending, away.stuck, away.missing) == (Health.OK, 1, 1, 0)
        assert "1 stuck: look at it in AWS" in away.reason

    def test_a_rule_without_a_bucket_says_nothing_to_tables(self) -> None:
        posture = a_world().check(NIGHT + HOUR)
        assert [one.place for one in posture.protections if one.kind == "dynamodb"] == [HOME_REGION]

    def test_a_rule_with_a_bucket_does(self) -> None:
        posture = a_world(a_plan(copies=(a_rule(bucket="away"),))).check(NIGHT + HOUR)
        assert line(posture, "carts", AWAY_REGION).health is Health.OK

    def test_none_of_a_table_is_expected_in_another_account(self) -> None:
        plan = a_plan(copies=(a_rule(bucket="away"), a_rule(account="111122223333", bucket="away")))
        posture = a_world(plan).check(NIGHT + HOUR)
        assert {one.place for one in posture.protections if one.kind == "dynamodb"} == {
            HOME_REGION,
            AWAY_REGION,
        }
        assert line(posture, "orders", VAULT).health is Health.OK

    def test_in_another_account_what_is_missing_is_told_as_well(self) -> None:
        world = a_world(a_plan(copies=(a_rule(), a_rule(account="111122223333"))))
        drop(world, "orders", VAULT)
        assert line(world.check(NIGHT + HOUR), "orders", VAULT).health is Health.MISSING

    @pytest.mark.parametrize("gone", [1, 2])
    def test_an_export_of_changes_whose_base_is_gone_cannot_be_restored(self, gone: int) -> None:
        plan = a_plan(copies=(a_rule(bucket="away", full_every_days=7, keep=KeepPolicy(daily=7)),))
        world = a_world(plan, nights=4)
        table = named(world, "carts")
        exports = sorted(
            world.cloud.standing("dynamodb", AWAY_REGION, table),
            key=lambda one: one.mark.slot if one.mark else NIGHT,
        )
        assert [one.base for one in exports] == [None, nights_ago(3), nights_ago(2), nights_ago(1)]
        assert line(world.check(NIGHT + HOUR), "carts", AWAY_REGION).good == 4
        world.cloud.delete_backup("dynamodb", exports[gone].arn)
        away = line(world.check(NIGHT + HOUR), "carts", AWAY_REGION)
        assert (away.good, away.newest) == (gone, nights_ago(4 - gone))
        assert away.health is Health.OVERDUE

    def test_what_changes_stand_on_is_kept_and_no_deletion_is_foretold(self) -> None:
        plan = a_plan(copies=(a_rule(bucket="away", full_every_days=7, keep=KeepPolicy(daily=2)),))
        away = line(a_world(plan, nights=5).check(NIGHT + HOUR), "carts", AWAY_REGION)
        assert {one.state for one in away.ticks} == {TickState.KEPT}
        assert away.ticks[0].reason.startswith("the backup of ")
        assert away.next_deletion is None

    def test_copies_of_nights_that_home_no_longer_keeps_are_missed_too(self) -> None:
        plan = a_plan(keep=KeepPolicy(daily=2), copies=(a_rule(keep=KeepPolicy(daily=6)),))
        world = World(plan=plan)
        world.cloud.add_resource("rds", "orders", TAGS)
        world.cloud.add_resource("rds", "other", TAGS)
        live(world, 8)
        for one in world.cloud.standing("rds", AWAY_REGION):
            if one.source.endswith(":orders") and one.mark and nights_ago(5) < one.mark.slot < nights_ago(1):
                world.cloud.delete_backup("rds", one.arn)
        posture = world.check(NIGHT + HOUR)
        assert line(posture, "orders", AWAY_REGION).missing == 3
        assert line(posture, "other", AWAY_REGION).missing == 0


class TestNights:
    def test_a_night_that_others_have_is_missing(self) -> None:
        world = a_world(nights=4)
        for one in world.cloud.standing("rds"):
            if one.mark and one.mark.slot == nights_ago(1):
                world.cloud.delete_backup("rds", one.arn)
        posture = world.check(NIGHT + HOUR)
        orders = line(posture, "orders")
        assert (orders.missing, orders.good, orders.health) == (1, 2, Health.OK)
        assert "1 missing of what the plan keeps" in orders.reason
        assert line(posture, "carts").missing == 0

    def test_a_night_that_nobody_has_is_not(self) -> None:
        world = a_world(nights=3)
        world.run(NIGHT + 3 * DAY)
        assert {one.missing for one in world.check(NIGHT + 3 * DAY).protections} == {0}

    def test_a_night_that_the_policy_does_not_want_is_not(self) -> None:
        world = a_world(a_plan(keep=KeepPolicy(weekly=2), copies=(a_rule(keep=KeepPolicy(daily=14)),)), 10)
        assert line(world.check(NIGHT + HOUR), "orders").missing == 0

    def test_none_before_its_first_backup_is(self) -> None:
        world = a_world(nights=4)
        world.cloud.add_resource("rds", "fresh", TAGS)
        world.run(NIGHT + DAY)
        assert line(world.check(NIGHT + DAY), "fresh").missing == 0

    def test_none_is_while_its_run_may_still_be_at_work(self) -> None:
        world = a_world(nights=4)
        table = named(world, "carts")
        world.cloud.create_backup("dynamodb", table, name_of_backup(table, NIGHT + DAY), {})
        at = NIGHT + DAY
        assert line(world.check(at + 12 * HOUR), "orders").missing == 0
        assert line(world.check(at + 12 * HOUR + SECOND), "orders").missing == 1

    def test_but_is_when_the_run_has_ended(self) -> None:
        world = a_world(nights=4)
        world.cloud.fail("create", named(world, "orders"), AccessDenied, times=99)
        at = NIGHT + DAY
        posture = world.run(at)
        orders = line(posture, "orders")
        assert (orders.missing, orders.ticks[-1].state, orders.ticks[-1].slot) == (1, TickState.MISSING, at)
        assert posture.plans[0].last_run is not None
        assert [one.resource for one in posture.plans[0].last_run.failures] == [named(world, "orders")]
        later = line(world.check(at + 3 * HOUR), "orders")
        assert later.health is Health.OVERDUE
        assert "The last run said: " in later.reason

    def test_a_failed_attempt_is_told_until_there_is_a_good_one(self) -> None:
        world = a_world(nights=4)
        [newest] = [
            one for one in world.cloud.standing("rds", HOME_REGION) if one.mark and one.mark.slot == NIGHT
        ]
        world.cloud.set_backup_state(newest.arn, BackupState.FAILED)
        orders = line(world.check(NIGHT + HOUR), "orders")
        assert (orders.failed, orders.missing, orders.good) == (1, 0, 2)
        assert line(world.check(NIGHT + 3 * HOUR), "orders").reason.endswith(
            "The newest attempt failed (AWS does not say why): mend the cause, and the next run tries again."
        )

    def test_two_backups_of_one_slot_are_one_night(self) -> None:
        world = a_world(nights=3)
        table = named(world, "carts")
        for _ in range(2):
            world.cloud.create_backup("dynamodb", table, name_of_backup(table, NIGHT), {})
        carts = line(world.check(NIGHT + HOUR), "carts")
        assert (carts.good, len(carts.ticks)) == (3, 3)


class TestUnlisted:
    """What cannot be looked at is never well, and costs nothing else its place."""

    def test_resources_that_cannot_be_listed_stand_as_their_backups_do(self) -> None:
        world = a_world()
        world.cloud.fail("resources", "rds", Throttled, times=99)
        posture = world.check(NIGHT + HOUR)
        assert posture.standing is Standing.INCOMPLETE
        assert [one.partition(":")[0] for one in posture.problems] == [
            "The rds resources could not be listed"
        ]
        assert line(posture, "orders").health is Health.OK
        assert line(posture, "carts").health is Health.OK
        drop(world, "orders")
        posture = world.check(NIGHT + 2 * HOUR)
        assert line(posture, "orders").health is Health.MISSING
        assert line(posture, "orders", AWAY_REGION).health is Health.MISSING

    def test_what_was_gone_before_is_still_gone_however_long_that_lasts(self) -> None:
        world = a_world()
        world.cloud.remove_resource(named(world, "orders"))
        assert line(world.check(NIGHT + HOUR), "orders").health is Health.RETIRED
        world.cloud.fail("resources", "rds", Throttled, times=99)
        for hours in range(2, 40, 6):
            assert line(world.check(NIGHT + hours * HOUR), "orders").health is Health.RETIRED, hours

    def test_what_only_waited_goes_on_waiting(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "fresh", TAGS)
        world.check(NIGHT + HOUR)
        world.cloud.fail("resources", "rds", Throttled, times=99)
        assert line(world.check(NIGHT + 2 * HOUR), "fresh").health is Health.WAITING
        assert line(world.check(NIGHT + HOUR + RPO), "fresh").health is Health.MISSING

    @pytest.mark.parametrize(
        ("place", "names"),
        [
            (HOME_REGION, {("orders", HOME_REGION), ("carts", HOME_REGION)}),
            (AWAY_REGION, {("orders", AWAY_REGION)}),
            (VAULT, {("orders", VAULT)}),
        ],
    )
    def test_a_place_that_cannot_be_listed_is_unknown_and_the_others_are_judged(
        self, place: str, names: set[tuple[str, str]]
    ) -> None:
        world = a_world(a_plan(copies=(a_rule(), a_rule(account="111122223333"))))
        world.check(NIGHT + HOUR)
        world.cloud.fail("backups", place, AccessDenied, times=99)
        posture = world.check(NIGHT + 2 * HOUR)
        unknown = {(one.name, one.place) for one in posture.protections if one.health is Health.UNKNOWN}
        assert unknown == names
        assert len(posture.protections) == 4
        assert {one.health for one in posture.protections if (one.name, one.place) not in names} == {
            Health.OK
        }
        assert posture.standing is Standing.BREACHED
        assert posture.problems
        assert {one.newest for one in posture.protections} == {NIGHT}
        assert all("could not be listed" in one.reason for one in posture.breaches)

    def test_what_vanished_meanwhile_is_missed_when_one_can_look_again(self) -> None:
        world = a_world()
        world.check(NIGHT + HOUR)
        world.cloud.fail("backups", AWAY_REGION, Throttled, times=3 * len(("aurora", "ebs", "rds")))
        for hours in range(2, 5):
            assert line(world.check(NIGHT + hours * HOUR), "orders", AWAY_REGION).health is Health.UNKNOWN
        drop(world, "orders", AWAY_REGION)
        assert line(world.check(NIGHT + 6 * HOUR), "orders", AWAY_REGION).health is Health.MISSING

    def test_what_cannot_be_listed_and_has_waited_is_overdue_in_the_end(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "fresh", TAGS)
        world.check(NIGHT + HOUR)
        world.cloud.fail("backups", HOME_REGION, Throttled, times=len(world.providers))
        assert line(world.check(NIGHT + 2 * HOUR), "fresh").health is Health.UNKNOWN
        fresh = line(world.check(NIGHT + HOUR + RPO), "fresh")
        assert (fresh.health, fresh.since) == (Health.MISSING, NIGHT + HOUR)

    @pytest.mark.parametrize("kind", ["aurora", "dynamodb", "ebs", "rds"])
    @pytest.mark.parametrize("what", ["resources", HOME_REGION, AWAY_REGION])
    def test_no_kind_can_fail_to_be_listed_and_all_be_well(self, kind: str, what: str) -> None:
        world = a_world(a_plan(copies=(a_rule(bucket="away"),)))
        provider = world.providers[kind]

        def fail(*_: object, **__: object) -> Sequence[object]:
            raise Throttled("fake", kind, what, "Throttled")

        if what == "resources":
            provider.resources = fail  # type: ignore[method-assign,assignment]
        else:
            list_, fails_in = provider.backups, what
            provider.backups = (  # type: ignore[method-assign]
                lambda place, *more: fail() if place == fails_in else list_(place, *more)  # type: ignore[assignment]
            )
        posture = world.check(NIGHT + HOUR)
        assert posture.standing in (Standing.INCOMPLETE, Standing.BREACHED)
        assert len(posture.problems) == 1

    def test_nor_can_records_holds_prices_drills(self) -> None:
        def broken(*_: object) -> object:
            raise AccessDenied("s3", "bucket", "GetObject", "AccessDenied")

        def breaks(name: str) -> Callable[[World], None]:
            def spoil(world: World) -> None:
                if name == "holds":
                    world.holds.failing = HoldListError("holds", ["no JSON"])
                elif name == "prices":
                    world.prices.mistake = "The prices cannot be used"
                elif name == "drills":
                    world.postures.drills = broken  # type: ignore[method-assign,assignment]
                else:
                    setattr(world.records, name, broken)

            return spoil

        for name in ("slots", "load", "holds", "prices", "drills"):
            world = a_world(nights=2)
            breaks(name)(world)
            posture = world.check(NIGHT + HOUR)
            assert posture.standing is Standing.INCOMPLETE, name
            assert len(posture.problems) == 1, name
            assert {one.health for one in posture.protections} == {Health.OK}, name

    def test_when_not_even_the_plans_can_be_listed_it_raises(self) -> None:
        class Unlisted(World):
            @property
            def plans(self) -> "NoPlans":  # type: ignore[override]
                return NoPlans()

        with pytest.raises(ProviderError):
            Unlisted().check()

    def test_a_plan_that_cannot_be_used_is_a_problem_of_its_own(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "left", {"holdfast:plan": "weekly"})
        world.stored = [StoredPlan(name="nightly", plan=world.plan), BROKEN]
        posture = world.check(NIGHT + HOUR)
        assert [(one.name, one.problem) for one in posture.plans] == [
            ("nightly", ""),
            ("weekly", "keep: missing"),
        ]
        assert [(one.name, one.gap) for one in posture.uncovered] == [("left", Gap.UNKNOWN_PLAN)]
        assert "which cannot be used: keep: missing" in posture.uncovered[0].reason
        assert posture.standing is Standing.BREACHED

    def test_even_when_nothing_is_tagged_with_it(self) -> None:
        world = a_world()
        world.stored = [StoredPlan(name="nightly", plan=world.plan), BROKEN]
        assert world.check(NIGHT + HOUR).standing is Standing.INCOMPLETE


class NoPlans:
    def get(self, name: str) -> Plan:
        raise NotImplementedError

    def everyone(self) -> Sequence[StoredPlan]:
        raise Throttled("ssm", "/holdfast/plans", "GetParametersByPath", "Throttled")


class TestThePage:
    def test_it_never_goes_back_in_time(self) -> None:
        world = a_world(nights=2)
        world.check(NIGHT + 2 * HOUR)
        world.check(NIGHT + HOUR)
        assert [one.at for one in world.page.shown][-1] == NIGHT + 2 * HOUR


class TestSurprises:
    """What nobody thought of costs only what it is about, and never looks fine."""

    def test_a_listing_that_raises_whatever_it_likes_is_unknown_and_the_others_are_judged(self) -> None:
        world = a_world(nights=2)
        world.check(NIGHT + HOUR)

        class Odd(FakeProvider):
            def backups(
                self, place: str, source: str = "", since: datetime | None = None
            ) -> Sequence[Backup]:
                raise KeyError("DBSnapshots")

        world.providers["rds"] = Odd(world.cloud, "rds")
        posture = world.check(NIGHT + 2 * HOUR)
        assert line(posture, "orders").health is Health.UNKNOWN
        assert line(posture, "carts").health is Health.OK
        assert "unexpected KeyError: 'DBSnapshots'" in posture.problems[0]

    def test_a_page_that_cannot_be_made_is_a_problem_and_no_end(self) -> None:
        world = a_world(nights=2)

        def fail(posture: Posture) -> None:
            raise ZeroDivisionError("in a template")

        world.page.write = fail  # type: ignore[method-assign]
        posture = world.check(NIGHT + HOUR)
        assert posture.standing is Standing.INCOMPLETE
        assert "unexpected ZeroDivisionError: in a template" in posture.problems[0]

    def test_a_plan_that_surprises_costs_the_other_plans_nothing(self) -> None:
        world = a_world(nights=2)
        world.check(NIGHT + HOUR)
        odd = replace(world.plan, name="weekly", time_zone="Nowhere/Nothing")
        fine = StoredPlan(name="nightly", plan=world.plan)
        world.stored = [fine, StoredPlan(name="weekly", plan=odd)]
        posture = world.check(NIGHT + 2 * HOUR)
        assert line(posture, "orders").health is Health.OK
        assert posture.standing is Standing.INCOMPLETE
        assert [one.problem.split(":")[0] for one in posture.plans] == ["", "it could not be looked at"]


class TestAPlanThatCannotBeUsed:
    def test_nobody_knows_what_to_expect_of_what_it_protected(self) -> None:
        world = a_world(nights=2)
        world.check(NIGHT + HOUR)
        world.stored = [StoredPlan(name="nightly", plan=None, problem="keep: missing")]
        posture = world.check(NIGHT + 2 * HOUR)
        assert {one.health for one in posture.protections} == {Health.UNKNOWN}
        assert line(posture, "orders").newest == NIGHT
        assert line(posture, "orders").reason == "its plan cannot be used: keep: missing"
        assert posture.standing is Standing.BREACHED

    def test_what_vanished_meanwhile_is_missed_when_it_can_be_used_again(self) -> None:
        world = a_world(nights=2)
        world.check(NIGHT + HOUR)
        world.stored = [StoredPlan(name="nightly", plan=None, problem="keep: missing")]
        world.check(NIGHT + 2 * HOUR)
        world.stored = [StoredPlan(name="nightly", plan=world.plan)]
        drop(world, "orders")
        assert line(world.check(NIGHT + 3 * HOUR), "orders").health is Health.MISSING


class TestWhose:
    def test_backups_of_another_stack_or_plan_or_of_people_are_not_ours(self) -> None:
        for mark in (
            a_mark(NIGHT, stack="other"),
            a_mark(NIGHT, plan="weekly"),
            None,
        ):
            world = a_world(nights=0)
            source = named(world, "orders")
            if mark is None:
                world.cloud.add_backup(source, "by-hand")
            else:
                its = replace(mark, source=source)
                world.cloud.add_backup(source, snapshot_name(its, 255), tags_for(its, {}))
            world.postures = FakePostureStore()
            posture = world.check(NIGHT)
            assert line(posture, "orders").health is Health.WAITING, mark
            assert line(posture, "orders").good == 0

    def test_what_another_stack_protects_is_no_gap_of_ours_while_it_is_at_work(self) -> None:
        world = a_world(nights=1)
        source = world.cloud.add_resource("rds", "theirs", {"holdfast:plan": "hourly"}).arn
        mark = a_mark(NIGHT, source, stack="other", plan="hourly")
        world.cloud.add_backup(source, snapshot_name(mark, 255), tags_for(mark, {}))
        assert world.check(NIGHT + HOUR).uncovered == []
        [one] = world.check(NIGHT + 8 * DAY).uncovered
        assert (one.name, one.gap) == ("theirs", Gap.UNKNOWN_PLAN)

    def test_two_plans_are_judged_each_by_its_own_backups(self) -> None:
        world = a_world(nights=2)
        other = replace(world.plan, name="weekly", copies=())
        world.stored = [StoredPlan(name="nightly", plan=world.plan), StoredPlan(name="weekly", plan=other)]
        posture = world.check(NIGHT + HOUR)
        found = {(one.plan, one.name, one.place): one.health for one in posture.protections}
        assert found["nightly", "orders", HOME_REGION] is Health.OK
        assert found["weekly", "orders", HOME_REGION] is Health.WAITING
        assert named(world, "orders") not in posture.recoverable

    def test_backups_that_are_held_can_be_restored_and_are_kept(self) -> None:
        world = a_world(nights=2)
        for one in world.cloud.standing("rds"):
            world.cloud.tag_backup(one.arn, {"holdfast:hold": "legal"})
        world.holds.holds = [Hold(backups="carts/*", reason="legal")]
        posture = world.check(NIGHT + 10 * HOUR)
        assert {(one.health, one.good) for one in posture.protections} == {(Health.OK, 2)}
        assert {tick.reason for one in posture.protections for tick in one.ticks} == {"held: legal"}
        assert {one.next_deletion for one in posture.protections} == {None}

    def test_what_is_gone_keeps_its_backups_and_is_no_breach(self) -> None:
        world = a_world()
        arn = named(world, "orders")
        world.cloud.remove_resource(arn)
        posture = world.check(NIGHT + 30 * DAY)
        orders = line(posture, "orders")
        assert (orders.health, orders.good, orders.next_deletion) == (Health.RETIRED, 3, None)
        assert line(posture, "orders", AWAY_REGION).health is Health.RETIRED
        assert [one.name for one in posture.breaches] == ["carts"]
        assert arn not in posture.resources

    def test_so_does_what_was_opted_out(self) -> None:
        world = a_world()
        world.cloud.add_resource("rds", "orders", {"holdfast:plan": "none"})
        posture = world.check(NIGHT + 30 * DAY)
        assert line(posture, "orders").health is Health.RETIRED
        assert [(one.name, one.gap) for one in posture.uncovered] == [("orders", Gap.OPTED_OUT)]

    def test_old_backups_do_not_protect_a_new_resource_of_the_name(self) -> None:
        world = World(plan=COPIED)
        world.cloud.add_resource("rds", "orders", TAGS, resource_id="db-OLD")
        live(world, 4)
        world.cloud.add_resource("rds", "orders", TAGS, resource_id="db-NEW")
        seen = NIGHT + HOUR

        def found(at: datetime, place: str = HOME_REGION) -> dict[Health, int]:
            return {one.health: one.good for one in world.check(at).protections if one.place == place}

        assert found(seen) == {Health.MISSING: 0, Health.RETIRED: 3}
        world.run(NIGHT + DAY)
        assert found(NIGHT + DAY + HOUR) == {Health.OK: 1, Health.RETIRED: 3}
        assert found(NIGHT + DAY + HOUR, AWAY_REGION) == {Health.OK: 1, Health.RETIRED: 3}

    @pytest.mark.parametrize("forgets", [True, False])
    def test_nor_do_those_of_an_old_one_make_a_new_one_look_lost(self, forgets: bool) -> None:
        world = World(plan=COPIED)
        world.cloud.add_resource("rds", "orders", TAGS, resource_id="db-OLD")
        live(world, 3)
        world.cloud.remove_resource(named(world, "orders"))
        world.check(NIGHT + HOUR)
        if forgets:
            world.postures = FakePostureStore()
        world.cloud.add_resource("rds", "orders", TAGS, resource_id="db-NEW")
        for hours in (2, 3, 4, 27):
            healths = {one.health for one in world.check(NIGHT + hours * HOUR).protections}
            assert healths == {Health.WAITING, Health.RETIRED}, hours
        assert Health.MISSING in {one.health for one in world.check(NIGHT + 28 * HOUR).protections}

    def test_where_the_listing_tells_no_id_the_newest_backups_are_todays(self) -> None:
        world = World()
        world.cloud.add_resource("dynamodb", "carts", TAGS, resource_id="OLD")
        live(world, 3)
        world.cloud.add_resource("dynamodb", "carts", TAGS, resource_id="NEW")
        world.run(NIGHT + DAY)
        posture = world.check(NIGHT + DAY + HOUR)
        assert [(one.health, one.good, one.newest) for one in posture.protections] == [
            (Health.OK, 1, NIGHT + DAY),
            (Health.RETIRED, 3, NIGHT),
        ]


class TestCoverage:
    def test_each_way_to_be_without_a_plan_is_told_once(self) -> None:
        world = a_world(nights=1)
        for name, tags in (
            ("typo", {"holdfast:plan": "nigthly"}),
            ("forgotten", {}),
            ("scratch", {"holdfast:plan": "none"}),
        ):
            world.cloud.add_resource("rds", name, tags)
        world.cloud.add_resource("aurora", "cluster", {})
        world.cloud.add_resource("dynamodb", "table", {})
        world.cloud.add_resource("ebs", "vol-1", {})
        world.cloud.add_resource("ebs", "vol-2", {"holdfast:plan": "nigthly"})
        posture = world.check(NIGHT + HOUR)
        assert [(one.name, one.gap) for one in posture.uncovered] == [
            ("vol-2", Gap.UNKNOWN_PLAN),
            ("typo", Gap.UNKNOWN_PLAN),
            ("cluster", Gap.NO_PLAN),
            ("table", Gap.NO_PLAN),
            ("forgotten", Gap.NO_PLAN),
            ("scratch", Gap.OPTED_OUT),
        ]
        assert {one.name for one in posture.misnamed} == {"typo", "vol-2"}
        assert posture.standing is Standing.BREACHED

    def test_what_has_no_plan_at_all_is_no_breach(self) -> None:
        world = a_world(nights=1)
        world.cloud.add_resource("rds", "forgotten", {})
        assert world.check(NIGHT + HOUR).standing is Standing.OK

    def test_kinds_that_no_plan_is_about_are_watched_too(self) -> None:
        world = World(plan=a_plan(types=("rds",)))
        world.cloud.add_resource("dynamodb", "table", {})
        assert [one.name for one in world.check().uncovered] == ["table"]


class TestHeadroom:
    def test_how_much_of_the_quota_is_left_in_each_place_is_told(self) -> None:
        world = a_world(nights=3)
        world.cloud.quota = 3
        posture = world.check(NIGHT + HOUR)
        room = {(one.kind, one.place): (one.standing, one.most) for one in posture.headroom}
        assert room["rds", HOME_REGION] == room["rds", AWAY_REGION] == (3, 3)
        assert room["aurora", HOME_REGION] == (0, 3)
        assert not any(kind == "dynamodb" for kind, _ in room)
        assert len(posture.warnings) == 2

    def test_it_is_not_where_the_place_could_not_be_listed(self) -> None:
        world = a_world(nights=3)
        world.cloud.fail("backups", AWAY_REGION, Throttled, times=99)
        assert {one.place for one in world.check(NIGHT + HOUR).headroom} == {HOME_REGION}


class TestRuns:
    def hours(self, posture: Posture) -> float | None:
        return posture.plans[0].hours_since_run

    def test_the_hours_since_a_run_has_ended_are_seen_from_its_slot(self) -> None:
        world = a_world()
        assert self.hours(world.check(NIGHT + 30 * HOUR)) == 30

    def test_a_run_that_has_not_told_counts_until_its_window_closes(self) -> None:
        """One that waits for its copies all night is no schedule that is dead."""
        world = a_world()
        for stage in (world.create, world.copy, world.prune):
            stage(a_request(NIGHT + DAY))
        window = timedelta(minutes=world.plan.window_minutes)
        for after, hours in ((HOUR, 1), (window, window / HOUR), (window + HOUR, 24 + window / HOUR + 1)):
            posture = world.check(NIGHT + DAY + after)
            run = posture.plans[0].last_run
            assert run is not None
            assert (run.slot, run.ended, self.hours(posture)) == (NIGHT + DAY, False, hours)

    def test_runs_that_all_begin_and_never_tell_are_none(self) -> None:
        world = a_world()
        for hour in range(1, 30):
            world.create(a_request(NIGHT + hour * HOUR))
        assert self.hours(world.check(NIGHT + 29 * HOUR)) == 29

    def test_nor_does_a_change_of_the_plan_hide_them(self) -> None:
        world = a_world(nights=0)
        for hour in (0, 1, 2):
            world.create(a_request(NIGHT + hour * HOUR))
        changed = NIGHT + 30 * HOUR
        world.stored = [StoredPlan(name="nightly", plan=world.plan, changed=changed)]
        assert self.hours(world.check(changed + HOUR)) == 31

    def test_but_one_that_asks_for_the_check_has(self) -> None:
        world = a_world()
        world.create(a_request(NIGHT + DAY))
        posture = world.check(NIGHT + DAY + HOUR, "nightly", NIGHT + DAY)
        run = posture.plans[0].last_run
        assert run is not None
        assert (run.ended, self.hours(posture)) == (True, 1)

    def test_one_of_another_plan_that_asks_has_not(self) -> None:
        world = a_world()
        world.create(a_request(NIGHT + DAY))
        run = world.check(NIGHT + DAY + HOUR, "weekly", NIGHT + DAY).plans[0].last_run
        assert run is not None
        assert not run.ended

    @pytest.mark.parametrize(("changed", "hours"), [(nights_ago(4), 97.0), (None, None)])
    def test_where_none_ever_ran_they_are_seen_from_the_plans_last_change(
        self, changed: datetime | None, hours: float | None
    ) -> None:
        world = a_world(nights=0)
        world.stored = [StoredPlan(name="nightly", plan=world.plan, changed=changed)]
        posture = world.check(NIGHT + HOUR)
        assert (self.hours(posture), posture.plans[0].last_run) == (hours, None)

    def test_a_plan_that_cannot_be_used_has_them_too(self) -> None:
        world = a_world(nights=2)
        world.stored = [replace(BROKEN, name="nightly")]
        assert self.hours(world.check(NIGHT + 50 * HOUR)) == 50

    def test_a_dry_run_is_none(self) -> None:
        world = a_world()
        world.create(a_request(NIGHT + DAY, dry_run=True))
        assert self.hours(world.check(NIGHT + DAY)) == 24

    def test_one_of_a_later_slot_than_the_instant_is_not_seen(self) -> None:
        world = a_world(nights=0)
        live(world, 2)
        assert self.hours(world.check(nights_ago(1) + HOUR)) == 1

    def test_when_the_records_cannot_be_read_they_are_not_known(self) -> None:
        world = a_world()

        def broken(*_: object) -> Sequence[datetime]:
            raise AccessDenied("s3", "bucket", "ListObjectsV2", "AccessDenied")

        world.records.slots = broken  # type: ignore[method-assign,assignment]
        assert self.hours(world.check(NIGHT + HOUR)) is None

    def test_when_nothing_runs_for_days_everything_shows_it(self) -> None:
        world = a_world()
        posture = world.check(NIGHT + 3 * DAY)
        assert self.hours(posture) == 72
        assert posture.standing is Standing.BREACHED
        assert len(posture.breaches) == len(posture.protections) == 3
        assert all(
            "No run has come lately (none since 2026-11-22T02:00:00Z)" in one.reason
            for one in posture.breaches
        )


ORIGIN = Origin(account="444455556666", region="us-east-1")
SHOP = "arn:aws:rds:us-east-1:444455556666:db:shop"
ORIGINAL = "arn:aws:rds:us-west-2:444455556666:snapshot:shop"


def a_vault(*slots: datetime, held: bool = False) -> World:
    """The second account, and the copies that the first one made there."""
    world = World(
        cloud=FakeCloud(home=AWAY_REGION),
        plan=a_plan(vault_of=ORIGIN),
        home=Home(stack="holdfast", region=AWAY_REGION, account="111122223333"),
    )
    for slot in slots:
        mark = replace(a_mark(slot, SHOP), copy_of=ORIGINAL)
        copy = world.cloud.add_backup(
            SHOP, snapshot_name(mark, 255), tags_for(mark, {}), region=AWAY_REGION, copied_from=ORIGINAL
        )
        if held:
            world.cloud.tag_backup(copy.arn, {"holdfast:hold": "gone for good"})
    return world


class TestVault:
    def test_the_copies_of_the_other_account_are_judged_by_its_slots(self) -> None:
        world = a_vault(nights_ago(1), NIGHT)
        [shop] = world.check(NIGHT + RPO).protections
        assert (shop.name, shop.place, shop.health, shop.good) == ("shop", AWAY_REGION, Health.OK, 2)
        posture = world.check(NIGHT + RPO + SECOND)
        assert posture.breaches[0].health is Health.OVERDUE
        assert "Look at the account that makes the copies" in posture.breaches[0].reason
        assert posture.plans[0].is_vault

    def test_a_copy_that_is_held_is_of_what_is_gone_for_good(self) -> None:
        [shop] = a_vault(NIGHT, held=True).check(NIGHT + 30 * DAY).protections
        assert shop.health is Health.RETIRED

    def test_its_resources_are_none_of_ours_to_cover(self) -> None:
        world = a_vault(NIGHT)
        world.cloud.add_resource("rds", "own", TAGS)
        assert world.check(NIGHT + HOUR).uncovered == []

    def test_what_cannot_be_listed_is_unknown(self) -> None:
        world = a_vault(NIGHT)
        world.check(NIGHT + HOUR)
        world.cloud.fail("backups", AWAY_REGION, Throttled, times=99)
        [shop] = world.check(NIGHT + 2 * HOUR).protections
        assert (shop.health, shop.newest) == (Health.UNKNOWN, NIGHT)

    def test_what_has_no_copy_left_is_missed_for_a_week(self) -> None:
        world = a_vault(NIGHT)
        world.check(NIGHT + HOUR)
        drop(world, "shop")
        for hours, told in ((2, [Health.MISSING]), (2 + 7 * 24 - 1, [Health.MISSING]), (2 + 7 * 24, [])):
            posture = world.check(NIGHT + hours * HOUR)
            assert [one.health for one in posture.protections] == told, hours

    def test_without_a_memory_it_is_a_problem_all_the_same(self) -> None:
        world = a_vault(NIGHT)
        world.cloud.fail("backups", AWAY_REGION, Throttled, times=99)
        assert world.check(NIGHT + HOUR).standing is Standing.INCOMPLETE


ZONES = st.sampled_from(["UTC", "Pacific/Auckland"])
FEW_NIGHTS = st.builds(
    KeepPolicy,
    last=st.integers(0, 2),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 2),
    monthly=st.integers(0, 1),
    within=st.sampled_from([None, Span(days=3)]),
    oldest=st.booleans(),
    minimum=st.integers(1, 3),
)


class TestCalmNights:
    """Whatever the policies: what runs do is what the posture foretells."""

    @settings(max_examples=3)
    @given(
        home=FEW_NIGHTS, away=FEW_NIGHTS, zone=st.sampled_from(["UTC", "Pacific/Auckland"]), data=st.data()
    )
    def test_nothing_is_missing_and_the_next_deletion_comes_when_it_is_foretold(
        self, home: KeepPolicy, away: KeepPolicy, zone: str, data: st.DataObject
    ) -> None:
        nights = data.draw(st.integers(2, 8))
        world = World(plan=a_plan(keep=home, copies=(a_rule(keep=away),), time_zone=zone, types=("rds",)))
        world.cloud.add_resource("rds", "orders", TAGS)
        quietly(world, nights - 1, until=nights_ago(1))
        posture = world.run()
        assert posture.standing is Standing.OK
        assert {one.missing for one in posture.protections} == {0}
        told = posture.protections[data.draw(st.integers(0, 1))]
        soon = told.next_deletion is not None and told.next_deletion <= NIGHT + 8 * DAY
        assert first_deletion(world, told, nights=8) == (told.next_deletion if soon else None)

    @settings(max_examples=3)
    @given(keep=FEW_NIGHTS.filter(lambda one: not one.is_unusable and not one.monthly and not one.oldest))
    def test_as_many_stand_as_it_says_once_it_is_full(self, keep: KeepPolicy) -> None:
        world = World(plan=a_plan(keep=keep, types=("rds",)))
        world.cloud.add_resource("rds", "orders", TAGS)
        quietly(world, 16)
        [orders] = world.check().protections
        assert orders.good == orders.full == len(world.names())


def quietly(world: World, nights: int, until: datetime = NIGHT) -> None:
    """Nights whose last one is `until`, without a check or a message."""
    for night in range(nights - 1, -1, -1):
        for stage in (world.create, world.copy, world.prune):
            stage(a_request(until - night * DAY))


def first_deletion(world: World, line: Protection, nights: int) -> datetime | None:
    """The slot of the first of so many more runs that deletes a backup of what the line is of."""
    for night in range(1, nights + 1):
        before = {one.arn for one in world.cloud.standing("rds", line.place)}
        quietly(world, 1, until=NIGHT + night * DAY)
        if before - {one.arn for one in world.cloud.standing("rds", line.place)}:
            return NIGHT + night * DAY
    return None


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["night", "night", "create", "drop", "fail", "spoil", "later"]),
        st.integers(0, 10**6),
    ),
    max_size=14,
)


class TestAnyHistory:
    @settings(max_examples=6)
    @given(acts=ACTS)
    def test_the_health_is_what_plain_reasoning_finds(self, acts: list[tuple[str, int]]) -> None:
        world = World(plan=a_plan(copies=(a_rule(),), types=("rds",)))
        arns = [world.cloud.add_resource("rds", name, TAGS).arn for name in ("orders", "users")]
        seen: dict[tuple[str, str], datetime] = {}
        had: set[tuple[str, str]] = set()
        at = NIGHT
        for act, number in acts:
            at = act_on(world, act, number, at)
            standing, writes = world.cloud.standing(), len(world.cloud.writes)
            posture = world.check(at)
            assert (world.cloud.standing(), len(world.cloud.writes)) == (standing, writes)
            for arn in arns:
                for place in (HOME_REGION, AWAY_REGION):
                    good = [
                        one.mark.slot
                        for one in standing
                        if (one.source, one.place) == (arn, place)
                        and one.state is BackupState.AVAILABLE
                        and one.mark is not None
                    ]
                    expected = plainly(good, at, seen.setdefault((arn, place), at), (arn, place) in had)
                    [told] = [one for one in posture.protections if (one.resource, one.place) == (arn, place)]
                    assert (told.health, told.newest) == (expected, max(good, default=None))
                    assert told.good == len(set(good))
                    if good:
                        had.add((arn, place))


def plainly(good: Sequence[datetime], at: datetime, first_seen: datetime, had_one: bool) -> Health:
    if good:
        return Health.OK if at - max(good) <= RPO else Health.OVERDUE
    return Health.MISSING if had_one or at >= first_seen + RPO else Health.WAITING


def act_on(world: World, act: str, number: int, at: datetime) -> datetime:
    """Something happens; the instant after it."""
    standing = world.cloud.standing("rds")
    one = standing[number % len(standing)] if standing else None
    if act == "later":
        return at + (1 + number % 30) * HOUR
    if act in ("night", "create"):
        at = max(at + HOUR, NIGHT + DAY * ((at - NIGHT) // DAY + 1))
        stages = (world.create, world.copy, world.prune) if act == "night" else (world.create,)
        for stage in stages:
            stage(a_request(at))
    elif act == "spoil" and one is not None:
        drop(world, one.source.rsplit(":", 1)[-1], one.place)
    elif act == "drop" and one is not None and one.state is not BackupState.CREATING:
        world.cloud.delete_backup("rds", one.arn)
    elif act == "fail" and one is not None:
        world.cloud.set_backup_state(one.arn, BackupState.FAILED)
    return at + HOUR
