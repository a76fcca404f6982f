"""The create stage on a cloud in memory: what it makes, and how it takes trouble."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from holdfast.core.errors import (
    AccessDenied,
    HoldfastError,
    NoAnswer,
    NotFound,
    NotReady,
    ProviderError,
    QuotaReached,
    Throttled,
)
from holdfast.core.model import Backup, Home, Selection
from holdfast.core.naming import snapshot_name
from holdfast.core.report import Action, Stage, State, Status, report_from_dict
from tests.builders import NIGHT, TAGS, a_mark, a_plan, a_request, nights_ago
from tests.fakes import KINDS, FakeProvider
from tests.integration.world import Behind, Overlapping, Surprising, World, by_resource, time_for


@pytest.fixture
def world() -> World:
    """A table, an instance and a cluster that the plan protects, and each one more that it does not."""
    world = World()
    for kind in ("dynamodb", "rds", "aurora"):
        world.cloud.add_resource(kind, f"{kind}-shop", TAGS | {"team": "shop"})
        world.cloud.add_resource(kind, f"{kind}-test")
    return world


class TestAUsualNight:
    def test_each_protected_resource_gets_one_backup(self, world: World) -> None:
        report = world.create()
        assert report.status is Status.OK
        assert world.names() == [
            "holdfast-nightly-aurora-shop-20261122t020000z",
            "holdfast-nightly-rds-shop-20261122t020000z",
            "holdfast.nightly.20261122T020000Z",
        ]
        assert {name: one.state for name, one in by_resource(report).items()} == {
            "aurora-shop": State.DONE,
            "dynamodb-shop": State.DONE,
            "rds-shop": State.DONE,
        }
        assert {one.backup for one in report.outcomes} == set(world.names())

    def test_a_snapshot_bears_the_resources_tags_and_our_mark(self, world: World) -> None:
        world.create()
        [snapshot] = world.cloud.standing("rds")
        assert snapshot.tags["team"] == "shop"
        assert snapshot.mark == a_mark(source=snapshot.source)

    def test_running_it_twice_makes_no_second_backup(self, world: World) -> None:
        first, names = world.create(), world.names()
        writes = len(world.cloud.writes)
        again = world.create()
        assert (world.names(), len(world.cloud.writes)) == (names, writes)
        assert again.counts == first.counts

    def test_another_slot_is_another_backup(self, world: World) -> None:
        world.create(a_request(nights_ago(1)))
        world.create()
        assert len(world.names()) == 6

    def test_each_kind_is_listed_once_and_nothing_is_asked_for_per_resource(self, world: World) -> None:
        for number in range(20):
            world.cloud.add_resource("dynamodb", f"more-{number}", TAGS)
        world.create()
        operations = [call.operation for call in world.cloud.calls if call.kind == "dynamodb"]
        assert sorted(operations) == ["backups", *["create"] * 21, "resources"]

    def test_a_kind_that_the_plan_leaves_out_is_not_even_listed(self, world: World) -> None:
        world.plan = a_plan(types=("rds",))
        world.create()
        assert {call.kind for call in world.cloud.calls} == {"rds"}

    def test_what_is_in_the_making_is_pending_until_a_later_sweep_finds_it(self, world: World) -> None:
        world.cloud.listings_until_available = 1
        assert {one.state for one in world.create().outcomes} == {State.PENDING}
        assert {one.state for one in world.create().outcomes} == {State.PENDING}
        assert world.create().status is Status.OK
        assert len(world.cloud.writes) == 3


class TestTrouble:
    """One resource's trouble has a clear reason and costs the others nothing."""

    def others_are_done(self, world: World, spoilt: str) -> None:
        outcomes = by_resource(world.create())
        assert {name for name, one in outcomes.items() if one.state is not State.DONE} == {spoilt}

    @pytest.mark.parametrize(
        ("error", "state", "reason"),
        [
            (AccessDenied, State.FAILED, "not permitted: see the function's role and the key's policy"),
            (
                QuotaReached,
                State.FAILED,
                "no further dynamodb backup can be made in us-east-1: the account's quota is reached",
            ),
            (Throttled, State.DEFERRED, "AWS took no more at that moment: a later sweep tries again"),
            (NotReady, State.PENDING, "busy: a later sweep tries again"),
            (NoAnswer, State.PENDING, "no clear answer: a later sweep looks what became of it"),
            (NotFound, State.FAILED, "it was listed, and is not there"),
            (ProviderError, State.FAILED, "create of "),
        ],
    )
    def test_an_error_about_one_table(
        self, world: World, error: type[ProviderError], state: State, reason: str
    ) -> None:
        spoilt = world.cloud.add_resource("dynamodb", "spoilt", TAGS)
        world.cloud.fail("create", spoilt.arn, error, message="the details")
        outcome = by_resource(world.create())["spoilt"]
        assert outcome.state is state
        assert outcome.reason.startswith(reason)
        assert "the details" in outcome.reason
        assert world.names().count("holdfast.nightly.20261122T020000Z") == 1
        assert len(world.names()) == 3

    @pytest.mark.parametrize("error", [Throttled, NotReady, NoAnswer])
    def test_what_can_be_tried_again_is_done_by_the_next_sweep(
        self, world: World, error: type[ProviderError]
    ) -> None:
        spoilt = world.cloud.add_resource("dynamodb", "spoilt", TAGS)
        world.cloud.fail("create", spoilt.arn, error)
        assert world.create().unfinished
        assert world.create().status is Status.OK

    @pytest.mark.parametrize("kind", ["dynamodb", "rds", "aurora"])
    def test_a_backup_whose_answer_was_lost_is_found_and_not_made_again(
        self, world: World, kind: str
    ) -> None:
        spoilt = world.cloud.add_resource(kind, "spoilt", TAGS)
        world.cloud.fail("create", spoilt.arn, NoAnswer, after_effect=True)
        assert by_resource(world.create())["spoilt"].state is State.PENDING
        assert by_resource(world.create())["spoilt"].state is State.DONE
        assert len(world.cloud.standing(source=spoilt.arn)) == 1

    def test_a_table_that_is_being_created_is_waited_for(self, world: World) -> None:
        young = world.cloud.add_resource(
            "dynamodb", "young", TAGS, unready="the table is CREATING", transient=True
        )
        outcome = by_resource(world.create())["young"]
        assert (outcome.state, outcome.reason) == (State.PENDING, "the table is CREATING")
        world.cloud.set_state(young.arn)
        assert by_resource(world.create())["young"].state is State.DONE

    def test_an_instance_that_is_stopped_fails_with_what_to_do(self, world: World) -> None:
        reason = "the instance is stopped: start it, or take it out of the plan"
        world.cloud.add_resource("rds", "stopped", TAGS, unready=reason)
        outcomes = by_resource(world.create())
        assert (outcomes["stopped"].state, outcomes["stopped"].reason) == (State.FAILED, reason)
        assert outcomes["rds-shop"].state is State.DONE

    @pytest.mark.parametrize("kind", ["rds", "aurora"])
    @pytest.mark.parametrize("of", ["spoilt", "other"])
    def test_a_name_that_somebody_else_took_fails_and_theirs_is_left_alone(
        self, world: World, kind: str, of: str
    ) -> None:
        spoilt = world.cloud.add_resource(kind, "spoilt", TAGS)
        theirs = {"spoilt": spoilt, "other": world.cloud.add_resource(kind, "other")}[of]
        taken = world.cloud.add_backup(theirs.arn, snapshot_name(a_mark(source=spoilt.arn), 63))
        outcome = by_resource(world.create())["spoilt"]
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith("a snapshot of that name stands already")
        assert "look before you touch it, since it may be a good backup" in outcome.reason
        assert taken in world.cloud.standing(kind)
        self.others_are_done(world, "spoilt")

    def test_a_name_that_another_sweep_of_ours_took_meanwhile_is_its_backup(self, world: World) -> None:
        world.create()
        world.providers["rds"] = Behind(world.cloud, "rds", "us-east-1")
        assert by_resource(world.create())["rds-shop"].state is State.DONE
        assert len(world.cloud.standing("rds")) == 1

    @pytest.mark.parametrize("operation", ["resources", "backups"])
    @pytest.mark.parametrize(
        ("error", "state"),
        [(AccessDenied, State.FAILED), (Throttled, State.DEFERRED), (NotFound, State.FAILED)],
    )
    def test_a_kind_that_cannot_be_listed_makes_nothing_and_the_others_are_done(
        self, world: World, operation: str, error: type[ProviderError], state: State
    ) -> None:
        world.cloud.fail(operation, "rds" if operation == "resources" else "us-east-1", error, on_call=1)
        # Backups are listed in the order of the kinds, aurora first.
        spoilt = "aurora" if operation == "backups" else "rds"
        report = world.create()
        [outcome] = [one for one in report.outcomes if one.kind == spoilt]
        assert (outcome.resource, outcome.state) == ("", state)
        assert outcome.reason.startswith("could not be listed: ")
        assert not world.cloud.standing(spoilt)
        assert len(world.names()) == 2

    def test_a_bug_in_an_adapter_costs_one_resource_only(self, world: World) -> None:
        spoilt = world.cloud.add_resource("dynamodb", "spoilt", TAGS)
        world.providers["dynamodb"] = Surprising(world.cloud, "dynamodb", spoilt.arn)
        outcome = by_resource(world.create())["spoilt"]
        assert (outcome.state, outcome.reason) == (State.FAILED, "unexpected KeyError: 'a bug'")
        assert len(world.names()) == 3

    def test_a_plan_that_is_not_there_is_an_error_of_its_own(self, world: World) -> None:
        with pytest.raises(HoldfastError, match="there is no such plan"):
            world.plans.get("weekly")

    def test_a_plan_that_matches_nothing_is_refused(self) -> None:
        world = World(plan=a_plan(types=("rds",)))
        world.cloud.add_resource("rds", "untagged")
        report = world.create()
        assert report.status is Status.REFUSED
        [refusal] = report.refusals
        assert refusal == (
            "The plan nightly protects nothing: no rds resource has holdfast:plan=nightly. "
            "Tag what it should protect."
        )

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_plan_whose_matches_are_all_left_out_is_refused_in_a_dry_run_too(self, dry_run: bool) -> None:
        world = World(plan=a_plan(select=Selection(include=("*",), types=frozenset({"rds"}))))
        world.cloud.add_resource("rds", "private", {"holdfast:plan": "none"})
        report = world.create(a_request(dry_run=dry_run))
        assert report.status is Status.REFUSED
        assert [one.state for one in report.outcomes] == [State.SKIPPED]


class TestNamedResources:
    def test_a_resource_that_the_plan_names_and_that_is_not_there_fails(self, world: World) -> None:
        misspelt = "arn:aws:rds:us-east-1:123456789012:db:rds-shopp"
        world.plan = a_plan(select=Selection(tags=TAGS, include=(misspelt,), types=frozenset(KINDS)))
        outcome = by_resource(world.create())["rds-shopp"]
        assert outcome.state is State.FAILED
        assert outcome.reason.startswith("select.include names it, but there is no such resource")

    def test_one_of_a_kind_that_could_not_be_listed_is_not_called_missing(self, world: World) -> None:
        there = "arn:aws:rds:us-east-1:123456789012:db:rds-test"
        world.plan = a_plan(select=Selection(tags=TAGS, include=(there,), types=frozenset(KINDS)))
        world.cloud.fail("resources", "rds", AccessDenied)
        assert there not in {one.resource for one in world.create().outcomes}

    def test_one_that_is_there_and_a_glob_that_matches_nothing_do_not(self, world: World) -> None:
        there = "arn:aws:rds:us-east-1:123456789012:db:rds-test"
        select = Selection(tags=TAGS, include=(there, "*:db:nothing-*"), types=frozenset(KINDS))
        world.plan = a_plan(select=select)
        assert world.create().counts == {"create.done": 4}


class TestTime:
    def test_out_of_time_the_rest_is_pending_and_the_next_sweep_does_it(self, world: World) -> None:
        for number in range(30):
            world.cloud.add_resource("dynamodb", f"more-{number:02}", TAGS)
        report = world.create(deadline=time_for(10))
        states = [one.state for one in report.outcomes]
        assert (states.count(State.DONE), states.count(State.PENDING)) == (10, 23)
        assert {one.reason for one in report.outcomes if one.state is State.PENDING} == {
            "not begun, since the function's time was nearly over: a later sweep goes on"
        }
        assert len(world.cloud.writes) == 10
        assert world.create().status is Status.OK
        assert len(world.names()) == 33

    def test_the_record_of_two_sweeps_has_all_that_was_done(self, world: World) -> None:
        world.create(deadline=time_for(2))
        world.create()
        record = world.records.load("nightly", NIGHT, Stage.CREATE)
        assert record is not None
        assert record.counts == {"create.done": 3}


class TestTurns:
    def test_two_sweeps_of_one_plan_never_create_at_the_same_time(self, world: World) -> None:
        with world.turns.taken("nightly") as mine:
            assert mine()
            report = world.create()
        assert {one.state for one in report.outcomes} == {State.PENDING}
        assert all("another create_backups is at work" in one.reason for one in report.outcomes)
        assert world.cloud.calls == []
        assert world.create().status is Status.OK

    def test_a_sweep_that_loses_its_turn_creates_nothing_more(self, world: World) -> None:
        class Losing(FakeProvider):
            def backups(
                self, region: str, source: str = "", since: datetime | None = None
            ) -> Sequence[Backup]:
                world.turns.lose("nightly")
                return super().backups(region, source, since)

        world.providers["aurora"] = Losing(world.cloud, "aurora")
        report = world.create()
        assert world.cloud.writes == []
        assert report.counts == {"create.pending": 4}

    def test_a_dry_run_takes_no_turn(self, world: World) -> None:
        with world.turns.taken("nightly"):
            assert world.create(a_request(dry_run=True)).counts == {"create.skipped": 3}


class TestDryRun:
    def test_it_lists_every_backup_that_it_would_make_and_writes_nothing(self, world: World) -> None:
        report = world.create(a_request(dry_run=True))
        assert {name: one.reason for name, one in by_resource(report).items()} == dict.fromkeys(
            ["aurora-shop", "dynamodb-shop", "rds-shop"],
            "dry run: would create a backup, since it has no backup for the slot 2026-11-22T02:00:00Z",
        )
        assert {one.action for one in report.outcomes} == {Action.CREATE}
        assert (world.cloud.writes, world.names(), world.records.documents) == ([], [], {})

    def test_it_tells_what_stands_and_what_hinders_as_a_real_run_does(self, world: World) -> None:
        world.create()
        world.cloud.add_resource("rds", "stopped", TAGS, unready="the instance is stopped")
        writes = len(world.cloud.writes)
        outcomes = by_resource(world.create(a_request(dry_run=True)))
        assert (outcomes["rds-shop"].state, outcomes["stopped"].state) == (State.DONE, State.FAILED)
        assert len(world.cloud.writes) == writes


def test_the_record_is_read_back_as_it_was_made(world: World) -> None:
    report = world.create()
    assert report_from_dict(report.to_dict()).counts == report.counts


def test_two_stacks_back_up_one_database_beside_each_other(world: World) -> None:
    world.create()
    other = Home(stack="other", region="us-east-1")
    world.create(home=other)
    assert len(world.names()) == 6
    assert world.create().status is Status.OK


class TestTogether:
    """The volumes of an instance are backed up at one instant, by one call."""

    INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"

    @pytest.fixture
    def volumes(self) -> World:
        world = World()
        for name in ("vol-root", "vol-data"):
            world.cloud.add_resource("ebs", name, group=self.INSTANCE, group_tags=TAGS)
        world.cloud.add_resource("ebs", "vol-alone", TAGS)
        return world

    def calls(self, world: World) -> list[str]:
        return sorted(call.subject.rsplit("/", 1)[1] for call in world.cloud.writes)

    def test_they_are_made_by_one_call_and_a_single_one_by_its_own(self, volumes: World) -> None:
        report = volumes.create()
        assert report.status is Status.OK
        assert self.calls(volumes) == ["i-0123456789abcdef0", "vol-alone"]
        assert {name: one.state for name, one in by_resource(report).items()} == dict.fromkeys(
            ("vol-root", "vol-data", "vol-alone"), State.DONE
        )

    def test_running_it_twice_makes_none_again(self, volumes: World) -> None:
        volumes.create()
        assert volumes.create().status is Status.OK
        assert len(self.calls(volumes)) == 2

    def test_what_a_listing_shows_twice_is_backed_up_once(self, volumes: World) -> None:
        volumes.providers["ebs"] = Overlapping(volumes.cloud, "ebs")
        assert volumes.create().status is Status.OK
        assert len(volumes.cloud.standing("ebs")) == 3

    def test_a_call_that_fails_is_a_failure_of_each_of_them_and_of_no_other(self, volumes: World) -> None:
        volumes.cloud.fail("create", self.INSTANCE, AccessDenied)
        states = {name: one.state for name, one in by_resource(volumes.create()).items()}
        assert states == {
            "vol-root": State.FAILED,
            "vol-data": State.FAILED,
            "vol-alone": State.DONE,
        }

    def test_a_lost_answer_is_looked_for_and_not_repeated(self, volumes: World) -> None:
        volumes.cloud.fail("create", self.INSTANCE, NoAnswer, after_effect=True)
        assert by_resource(volumes.create())["vol-root"].state is State.PENDING
        assert volumes.create().status is Status.OK
        assert len(volumes.cloud.standing("ebs")) == 3

    def test_one_that_was_attached_later_is_backed_up_beside_what_stands(self, volumes: World) -> None:
        volumes.create()
        volumes.cloud.add_resource("ebs", "vol-new", group=self.INSTANCE, group_tags=TAGS)
        assert volumes.create().status is Status.OK
        assert len(volumes.cloud.standing("ebs")) == 4

    def test_an_instance_that_the_plan_names_is_no_missing_resource(self, volumes: World) -> None:
        volumes.plan = a_plan(select=Selection(include=(self.INSTANCE,), types=frozenset({"ebs"})))
        assert volumes.create().status is Status.OK
        assert len(volumes.cloud.standing("ebs")) == 2
        volumes.plan = a_plan(
            select=Selection(include=(f"{self.INSTANCE}1",), tags=TAGS, types=frozenset({"ebs"}))
        )
        assert (
            "no such resource" in {one.state: one.reason for one in volumes.create().outcomes}[State.FAILED]
        )
