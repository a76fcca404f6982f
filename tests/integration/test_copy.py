"""The copy stage on a cloud in memory: what it copies, and how it takes trouble."""

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.core.errors import AccessDenied, NoAnswer, NotFound, ProviderError, QuotaReached, Throttled
from holdfast.core.model import Backup, KeepPolicy
from holdfast.core.naming import snapshot_name
from holdfast.core.report import State, Status
from tests.builders import AWAY_REGION, KEY, NIGHT, TAGS, a_plan, a_request, a_rule, nights_ago
from tests.fakes import FakeCloud
from tests.integration.world import Behind, Overlapping, Surprising, World, by_resource, time_for

NAMES_OF_COPIES = [
    "holdfast-nightly-us-east-1-aurora-shop-20261122t020000z",
    "holdfast-nightly-us-east-1-rds-shop-20261122t020000z",
]


def world_with(*, listings: int = 0, **rule: object) -> World:
    """A night of which the backups are made: one table, one instance, one cluster."""
    cloud = FakeCloud(listings_until_available=listings)
    world = World(cloud=cloud, plan=a_plan(copies=(a_rule(**rule),)))  # type: ignore[arg-type]
    for kind in ("dynamodb", "rds", "aurora"):
        cloud.add_resource(kind, f"{kind}-shop", TAGS | {"team": "shop"})
    world.create()
    return world


@pytest.fixture
def world() -> World:
    return world_with()


def made(world: World, kind: str) -> Backup:
    [one] = world.cloud.standing(kind, "us-east-1")
    return one


class TestAUsualNight:
    def test_each_backup_that_can_be_copied_is_and_a_table_is_said_to_stay(self, world: World) -> None:
        report = world.copy()
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES
        outcomes = by_resource(report)
        assert outcomes["rds-shop"].reason == f"available in us-west-2 as {NAMES_OF_COPIES[1]}"
        assert (outcomes["dynamodb-shop"].state, outcomes["dynamodb-shop"].reason) == (
            State.SKIPPED,
            (
                "dynamodb backups stay where they are: AWS can only export them, and the plan's copy to "
                "us-west-2 names no bucket"
            ),
        )
        assert report.status is Status.OK

    def test_a_copy_carries_the_tags_and_a_mark_of_its_own(self, world: World) -> None:
        world.copy()
        [copy] = world.cloud.standing("rds", AWAY_REGION)
        original = made(world, "rds")
        assert copy.tags["team"] == "shop"
        assert original.mark is not None
        assert copy.mark == replace(original.mark, copy_of=original.arn)

    def test_running_it_twice_makes_no_second_copy(self, world: World) -> None:
        world.copy()
        writes = len(world.cloud.writes)
        assert world.copy().status is Status.OK
        assert len(world.cloud.writes) == writes
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES

    def test_what_a_listing_shows_twice_is_copied_once(self) -> None:
        world = World(plan=a_plan(copies=(a_rule(),)))
        world.cloud.add_resource("ebs", "vol-1", TAGS)
        world.providers["ebs"] = Overlapping(world.cloud, "ebs")
        assert world.create().status is Status.OK
        assert world.copy().status is Status.OK
        assert len(world.cloud.standing("ebs", AWAY_REGION)) == 1

    def test_a_plan_without_copies_lists_nothing(self) -> None:
        world = World()
        assert world.copy().outcomes == []
        assert world.cloud.calls == []

    def test_backups_and_then_copies_in_the_making_are_waited_for(self) -> None:
        world = world_with(listings=2)
        assert by_resource(world.copy())["rds-shop"].reason == "waits for the backup itself to be available"
        reports = [world.copy() for _ in range(6)]
        assert reports[-1].status is Status.OK
        assert "being copied (AWS says creating)" in {one.reason for r in reports for one in r.outcomes}
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES

    def test_what_an_earlier_night_left_uncopied_is_copied_now(self) -> None:
        world = world_with()
        world.create(a_request(nights_ago(-1)))
        report = world.copy(a_request(nights_ago(-1)))
        assert len(world.names(AWAY_REGION)) == 4
        assert "available" in next(one.reason for one in report.outcomes if "20261122" in one.backup)

    def test_the_regions_own_policy_says_what_is_copied(self) -> None:
        world = world_with(keep=KeepPolicy(weekly=1, minimum=1))
        world.create(a_request(nights_ago(-1)))
        world.create(a_request(nights_ago(-2)))
        world.copy(a_request(nights_ago(-2)))
        assert [name[-16:] for name in world.names(AWAY_REGION)] == ["20261124t020000z"] * 2


class TestEncryption:
    def test_without_a_key_there_it_fails_with_what_to_do_and_the_rest_is_copied(self, world: World) -> None:
        world.cloud.add_resource("rds", "secret", TAGS, encrypted=True)
        world.create()
        outcomes = by_resource(world.copy())
        assert outcomes["secret"].state is State.FAILED
        assert outcomes["secret"].reason.endswith("give the copy the ARN of a KMS key of us-west-2")
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES

    def test_with_a_key_it_is_copied(self) -> None:
        world = world_with(kms_key=KEY)
        world.plan = replace(world.plan, select=replace(world.plan.select, types=frozenset({"rds"})))
        world.cloud.add_resource("rds", "secret", TAGS, encrypted=True)
        world.create()
        assert world.copy().status is Status.OK
        assert all(one.encrypted for one in world.cloud.standing("rds", AWAY_REGION))


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "state"),
        [
            (AccessDenied, State.FAILED),
            (QuotaReached, State.FAILED),
            (Throttled, State.DEFERRED),
            (NoAnswer, State.PENDING),
        ],
    )
    def test_an_error_about_one_copy_costs_the_others_nothing(
        self, world: World, error: type[ProviderError], state: State
    ) -> None:
        world.cloud.fail("copy", made(world, "rds").arn, error)
        outcomes = by_resource(world.copy())
        assert outcomes["rds-shop"].state is state
        assert "made to fail" in outcomes["rds-shop"].reason
        assert outcomes["aurora-shop"].state is State.DONE

    def test_a_copy_whose_answer_was_lost_is_found_and_not_made_again(self, world: World) -> None:
        world.cloud.fail("copy", made(world, "rds").arn, NoAnswer, after_effect=True)
        assert by_resource(world.copy())["rds-shop"].state is State.PENDING
        assert by_resource(world.copy())["rds-shop"].state is State.DONE
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES

    def test_a_name_that_somebody_else_took_there_fails_and_theirs_is_left_alone(self, world: World) -> None:
        original = made(world, "rds")
        assert original.mark is not None
        name = snapshot_name(replace(original.mark, copy_of=original.arn), 255)
        taken = world.cloud.add_backup(original.source, name, region=AWAY_REGION)
        outcome = by_resource(world.copy())["rds-shop"]
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith("a snapshot of that name stands already")
        assert "look before you touch it, since it may be a good backup" in outcome.reason
        assert taken in world.cloud.standing("rds", AWAY_REGION)

    def test_a_name_that_another_sweep_of_ours_took_meanwhile_is_its_copy(self, world: World) -> None:
        world.copy()
        [copy] = world.cloud.standing("rds", AWAY_REGION)
        world.providers["rds"] = Behind(world.cloud, "rds", AWAY_REGION)
        assert by_resource(world.copy())["rds-shop"].state is State.DONE
        assert world.cloud.standing("rds", AWAY_REGION) == [copy]

    def test_a_listing_that_fails_copies_nothing_of_its_kind_and_the_other_is_done(
        self, world: World
    ) -> None:
        # Of the two kinds aurora is listed first.
        world.plan = replace(
            world.plan, select=replace(world.plan.select, types=frozenset({"rds", "aurora"}))
        )
        world.cloud.fail("backups", "us-east-1", AccessDenied)
        report = world.copy()
        [unlisted] = [one for one in report.outcomes if one.kind == "aurora"]
        assert (unlisted.resource, unlisted.region, unlisted.state) == ("", AWAY_REGION, State.FAILED)
        assert unlisted.reason.startswith("could not be listed: ")
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES[1:]

    def test_where_copies_of_a_service_cannot_be_listed_none_of_it_is_begun(self, world: World) -> None:
        world.plan = replace(
            world.plan, select=replace(world.plan.select, types=frozenset({"rds", "aurora"}))
        )
        world.cloud.fail("backups", AWAY_REGION, Throttled)
        report = world.copy()
        told = {one.kind: (one.state, one.reason) for one in report.outcomes}
        assert told["aurora"][0] is State.DEFERRED
        assert told["rds"] == (
            State.PENDING,
            "waits until it is known how many copy slots of us-west-2 are in use",
        )
        assert world.names(AWAY_REGION) == []
        assert world.copy().status is Status.OK

    def test_a_bug_in_an_adapter_costs_one_resource_only(self, world: World) -> None:
        broken = Surprising(world.cloud, "rds", made(world, "rds").source)
        world.providers["rds"] = broken
        outcome = by_resource(world.copy())["rds-shop"]
        assert (outcome.state, outcome.reason) == (State.FAILED, "unexpected KeyError: 'a bug'")
        assert world.names(AWAY_REGION) == NAMES_OF_COPIES[:1]


class TestSlots:
    def test_no_more_than_the_plans_slots_are_in_flight_and_the_rest_follows(self) -> None:
        world = world_with(slots=2)
        for number in range(4):
            world.cloud.add_resource("rds", f"more-{number}", TAGS)
        world.create()
        world.cloud.listings_until_available = 1
        first = world.copy()
        states = [one.state for one in first.outcomes if one.kind == "rds"]
        assert (states.count(State.PENDING), states.count(State.DEFERRED)) == (2, 3)
        later = [world.copy() for _ in range(8)]
        assert later[-1].status is Status.OK
        assert len(world.cloud.standing("rds", AWAY_REGION)) == 5

    def test_when_aws_has_fewer_slots_than_the_plan_says_the_rest_is_put_off(self) -> None:
        world = world_with()
        for number in range(4):
            world.cloud.add_resource("rds", f"more-{number}", TAGS)
        world.create()
        world.cloud.listings_until_available, world.cloud.copy_slots = 1, 2
        states = [one.state for one in world.copy().outcomes if one.kind == "rds"]
        assert (states.count(State.PENDING), states.count(State.DEFERRED)) == (2, 3)


def test_out_of_time_the_rest_is_pending_and_the_next_sweep_does_it(world: World) -> None:
    report = world.copy(deadline=time_for(1))
    assert sorted(one.state for one in report.outcomes if one.kind != "dynamodb") == [
        State.DONE,
        State.PENDING,
    ]
    assert report.unfinished
    assert world.copy().status is Status.OK


def test_a_dry_run_lists_every_copy_with_its_reason_and_writes_nothing(world: World) -> None:
    writes, documents = len(world.cloud.writes), dict(world.records.documents)
    report = world.copy(a_request(dry_run=True))
    outcomes = by_resource(report)
    assert outcomes["rds-shop"].reason == "dry run: would copy, since us-west-2 has no copy of it"
    assert outcomes["aurora-shop"].state is State.SKIPPED
    assert len(outcomes) == 3
    assert (len(world.cloud.writes), world.records.documents) == (writes, documents)
    assert world.names(AWAY_REGION) == []
    assert report.slot == NIGHT


class TestVanished:
    def test_a_backup_that_is_gone_when_it_is_to_be_copied_fails(self, world: World) -> None:
        original = made(world, "rds")
        world.cloud.fail("copy", original.arn, NotFound)
        outcome = by_resource(world.copy())["rds-shop"]
        assert outcome.state is State.FAILED
        assert "gone before it could be copied" in outcome.reason

    def test_a_backup_that_somebody_deleted_after_it_was_made_is_told(self, world: World) -> None:
        original = made(world, "rds")
        world.cloud.delete_backup("rds", original.arn)
        outcome = by_resource(world.copy())["rds-shop"]
        assert (outcome.state, outcome.region) == (State.FAILED, AWAY_REGION)
        assert outcome.reason == "the backup was made, and was gone before it could be copied"

    def test_a_backup_that_was_pruned_after_its_copy_arrived_is_no_alarm(self, world: World) -> None:
        assert world.copy().status is Status.OK
        world.cloud.delete_backup("rds", made(world, "rds").arn)
        assert world.copy().status is Status.OK

    def test_a_slot_that_later_ones_have_followed_may_have_been_pruned(self, world: World) -> None:
        original = made(world, "rds")
        world.create(a_request(NIGHT + timedelta(days=1)))
        world.cloud.delete_backup("rds", original.arn)
        assert world.copy().status is Status.OK
