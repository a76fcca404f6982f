"""All that a plan protects, restored in the other Region while the first one answers nothing."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from holdfast.core.errors import AccessDenied, NoAnswer, ProviderError, Throttled
from holdfast.core.recovery import MOST_AT_ONCE, PATIENCE, Recovery
from holdfast.core.recovery_message import status_of
from holdfast.core.report import Status
from holdfast.ports import Message
from holdfast.usecases.recover import publish_recovery, run_recover, summary_of
from tests.builders import AWAY_REGION, HOME, NIGHT, VOLUME, a_backup
from tests.integration.recovering import CLUSTER, DATABASE, ESTATE, RecoverWorld, a_table, line, states
from tests.messages import check

ORDERS, USERS = a_table("orders"), a_table("users")


def denied(what: str) -> ProviderError:
    return AccessDenied("any", what, "Restore", "AccessDeniedException", "not authorized")


class TestEverything:
    def test_is_restored_under_its_own_name_with_the_settings_that_were_recorded(self) -> None:
        world = RecoverWorld()
        recovery = world.recover()
        assert set(states(recovery).values()) == {"done"}
        assert status_of(recovery) is Status.OK
        names = ("orders", "billing", "ledger", "vol-0123456789abcdef0")
        assert set(world.cloud.made) == {(AWAY_REGION, name) for name in names}
        assert line(recovery, "vol-0123456789abcdef0").settings_known
        assert world.cloud.made[AWAY_REGION, "orders"].settings["TimeToLive"] == "expires"

    def test_of_what_the_inventory_lacks_and_has_backups_comes_too(self) -> None:
        world = RecoverWorld(estate=[ORDERS])
        world.cloud.backups.append(a_backup(NIGHT, USERS, region=AWAY_REGION))
        world.cloud.backups.append(a_backup(NIGHT, a_table("theirs"), region=AWAY_REGION, stack="other"))
        world.cloud.backups.append(a_backup(NIGHT, a_table("weekly"), region=AWAY_REGION, plan="weekly"))
        recovery = world.recover()
        assert states(recovery) == {"orders": "done", "users": "done"}
        assert (line(recovery, "orders").recorded, line(recovery, "users").recorded) == (True, False)
        assert not line(recovery, "users").settings_known
        assert status_of(recovery) is Status.PARTIAL

    def test_without_an_inventory_comes_from_the_backups_alone_and_it_is_told(self) -> None:
        world = RecoverWorld()
        world.settings.documents.clear()
        recovery = world.recover()
        assert len(recovery.restored) == len(ESTATE)
        assert "No inventory of plan nightly is recorded" in recovery.problems[0]

    def test_goes_on_when_the_inventory_cannot_be_read(self) -> None:
        world = RecoverWorld()
        world.settings.failing = denied("settings")
        recovery = world.recover()
        assert len(recovery.restored) == len(ESTATE)
        assert "not authorized" in recovery.problems[0]

    def test_waits_for_the_inventory_when_that_may_pass(self) -> None:
        world = RecoverWorld()
        world.settings.failing = Throttled("s3", "settings", "GetObject", "SlowDown")
        with pytest.raises(Throttled):
            world.look()
        world.settings.failing = None
        assert status_of(world.recover()) is Status.OK

    def test_of_an_unknown_plan_is_nothing_and_that_is_said(self) -> None:
        recovery = RecoverWorld().recover(RecoverWorld().asks(plan="other"))
        assert (recovery.lines, recovery.is_over) == ((), True)
        assert "Nothing is known of plan other in us-west-2" in recovery.problems[-1]
        assert status_of(recovery) is Status.FAILED


class TestOrder:
    def test_a_tier_begins_when_those_before_are_over(self) -> None:
        first, second = a_table("accounts"), a_table("carts")
        world = RecoverWorld(estate=[ORDERS, second, first], tiers={first: "1", second: "2"})
        world.look()
        assert world.begun == [first]
        world.recover()
        assert world.begun == [first, second, ORDERS]

    def test_one_that_fails_holds_up_nobody(self) -> None:
        first = a_table("accounts")
        world = RecoverWorld(estate=[ORDERS, first], tiers={first: "1"}, broken={first: denied(first)})
        recovery = world.recover()
        assert states(recovery) == {"accounts": "failed", "orders": "done"}

    def test_a_tier_that_is_no_number_is_told_and_counts_as_none(self) -> None:
        world = RecoverWorld(estate=[ORDERS, USERS], tiers={ORDERS: "first", USERS: "7"})
        recovery = world.recover()
        assert world.begun == [USERS, ORDERS]
        assert recovery.problems == (
            (
                f"holdfast:tier: 'first' on {ORDERS} is no whole number from 0 to 999999: "
                "it comes last, as without"
            ),
        )

    def test_one_that_takes_for_ever_holds_up_its_successors_for_hours_alone(self) -> None:
        first = a_table("accounts")
        world = RecoverWorld(estate=[ORDERS, first], tiers={first: "1"})
        world.look()
        world.cloud.never = True
        world.look()
        assert world.begun == [first]
        world.now += timedelta(hours=7)
        world.look()
        assert world.begun == [first, ORDERS]

    def test_no_more_of_a_kind_are_in_flight_than_aws_takes(self) -> None:
        tables = [a_table(f"t{n:03}") for n in range(MOST_AT_ONCE["dynamodb"] + 5)]
        world = RecoverWorld(estate=[*tables, DATABASE])
        world.cloud.never = True
        recovery = world.look()
        counts = Counter((one.kind, str(one.state)) for one in recovery.lines)
        assert counts["dynamodb", "pending"] == MOST_AT_ONCE["dynamodb"]
        assert (counts["dynamodb", "waiting"], counts["rds", "pending"]) == (5, 1)


class TestWhatGoesWrong:
    def test_a_refusal_and_a_crash_cost_no_other_anything(self) -> None:
        broken: dict[str, Exception] = {DATABASE: denied(DATABASE), CLUSTER: ZeroDivisionError("surprise")}
        world = RecoverWorld(estate=[ORDERS, DATABASE, VOLUME], broken=broken)
        world.cloud.somebody_makes("users", AWAY_REGION)
        world.record(NIGHT, [ORDERS, DATABASE, VOLUME, CLUSTER, USERS])
        world.cloud.backups += [a_backup(NIGHT, arn, region=AWAY_REGION) for arn in (CLUSTER, USERS)]
        recovery = world.recover()
        told = {one.resource: (str(one.state), one.reason) for one in recovery.lines}
        assert told[ORDERS][0] == told[VOLUME][0] == "done"
        assert told[DATABASE][0] == "failed"
        assert told[CLUSTER] == ("failed", "unexpected ZeroDivisionError: surprise")
        assert told[USERS][0] == "refused"
        assert "users is taken" in told[USERS][1]
        assert status_of(recovery) is Status.PARTIAL

    def test_what_has_no_backup_there_is_listed_as_not_restored(self) -> None:
        world = RecoverWorld(estate=[ORDERS])
        world.record(NIGHT, [ORDERS, USERS])
        recovery = world.recover()
        assert states(recovery) == {"orders": "done", "users": "refused"}
        assert (
            f"no backup of {USERS} that can be restored stands in us-west-2" in line(recovery, "users").reason
        )

    def test_a_kind_that_cannot_be_listed_is_told_and_the_others_come(self) -> None:
        world = RecoverWorld(unlistable={"rds": denied("us-west-2")})
        recovery = world.recover()
        assert (str(line(recovery, "vol-0123456789abcdef0").state)) == "done"
        [database] = [one for one in recovery.lines if one.kind == "rds"]
        assert (str(database.state), "not authorized" in database.reason) == ("failed", True)
        assert "The backups of kind rds cannot be listed" in recovery.problems[0]

    def test_a_kind_that_cannot_be_listed_at_the_moment_comes_later(self) -> None:
        world = RecoverWorld(unlistable={"rds": NoAnswer("rds", "us-west-2", "Describe", "Timeout")})
        looked = world.look()
        assert (looked.is_over, looked.unlisted) == (False, ("rds",))
        world.unlistable.clear()
        assert status_of(world.recover()) is Status.OK

    def test_an_empty_answer_for_now_ends_nothing(self) -> None:
        away = NoAnswer("any", "us-west-2", "Describe", "Timeout")
        world = RecoverWorld(unlistable=dict.fromkeys(("aurora", "dynamodb", "ebs", "rds"), away))
        world.settings.documents.clear()
        assert not world.look().is_over
        world.unlistable.clear()
        assert len(world.recover().restored) == len(ESTATE)

    def test_after_three_days_it_says_what_is_not_there(self) -> None:
        world = RecoverWorld(estate=[ORDERS])
        world.cloud.never = True
        world.look()
        world.now += PATIENCE + timedelta(minutes=1)
        recovery = world.look()
        assert (recovery.is_over, states(recovery)) == (True, {"orders": "failed"})
        assert "72 hours" in line(recovery, "orders").reason

    def test_with_no_time_left_nothing_is_begun(self) -> None:
        world = RecoverWorld()
        world.seconds = 30.0
        assert set(states(world.look()).values()) == {"waiting"}
        assert world.begun == []
        world.seconds = 900.0
        assert status_of(world.recover()) is Status.OK


class TestAsking:
    def test_twice_restores_once(self) -> None:
        world = RecoverWorld()
        first = world.recover()
        begun = list(world.begun)
        assert world.recover() == first
        assert world.begun == begun

    def test_with_an_id_of_another_recovery_is_refused(self) -> None:
        world = RecoverWorld()
        world.look()
        with pytest.raises(ProviderError, match="the id worst-day is that of another recovery"):
            world.look(world.asks(only=("*:table/*",)))

    def test_a_look_that_is_killed_before_it_is_kept_begins_nothing_twice(self) -> None:
        world = RecoverWorld()
        world.look()
        world.recoveries.kept.clear()
        assert status_of(world.recover()) is Status.OK
        assert world.cloud.begun == len(world.begun) == len(ESTATE)

    def test_for_some_alone(self) -> None:
        world = RecoverWorld()
        recovery = world.recover(world.asks(only=("*:table/*",), names={ORDERS: "orders-west"}))
        assert states(recovery) == {"orders": "done"}
        assert (AWAY_REGION, "orders-west") in world.cloud.made

    def test_settings_are_by_kind_and_by_resource(self) -> None:
        given = {"dynamodb": {"BillingMode": "PROVISIONED"}, USERS: {"BillingMode": "PAY_PER_REQUEST"}}
        world = RecoverWorld(estate=[ORDERS, USERS])
        world.recover(world.asks(settings=given))
        modes = {name: made.settings["BillingMode"] for (_, name), made in world.cloud.made.items()}
        assert modes == {"orders": "PROVISIONED", "users": "PAY_PER_REQUEST"}

    def test_until_an_instant_takes_nothing_newer(self) -> None:
        before = NIGHT - timedelta(days=1)
        world = RecoverWorld(estate=[ORDERS])
        world.cloud.backups.append(a_backup(before, ORDERS, region=AWAY_REGION))
        world.record(before, [ORDERS])
        recovery = world.recover(world.asks(until=NIGHT - timedelta(hours=1)))
        assert (recovery.slot, line(recovery, "orders").instant) == (before, before)
        assert line(recovery, "orders").lost_hours(NIGHT) == 24

    def test_dry_makes_nothing_and_says_what_would_be_lost(self) -> None:
        world = RecoverWorld(estate=[ORDERS], tiers={ORDERS: "3"})
        world.record(NIGHT, [ORDERS, USERS])
        recovery = world.look(world.asks(dry_run=True))
        assert (recovery.is_over, world.begun, world.restores.kept) == (True, [], {})
        assert states(recovery) == {"orders": "planned", "users": "refused"}
        summary = summary_of(recovery)
        told: Any = summary["resources"]
        [refused, planned] = told
        assert (refused["resource"], planned["resource"]) == (USERS, ORDERS)
        assert planned["lost_hours"] == 8
        assert states(world.recover()) == {"orders": "done", "users": "refused"}


@pytest.mark.long
def test_five_hundred_resources_are_listed_once_a_look_and_kind() -> None:
    world = RecoverWorld(estate=[a_table(f"t{n:03}") for n in range(500)])
    looks = 1
    recovery = world.look()
    while not recovery.is_over:
        recovery = world.look()
        looks += 1
    assert len(recovery.restored) == 500
    assert world.listed["dynamodb"] <= looks + 1
    assert world.listed["rds"] == 1


class FakeSteps:
    """`ports.Steps` that remembers, and forgets what it is told to."""

    def __init__(self) -> None:
        self.waited: list[int] = []
        self.answers: list[dict[str, object]] = []

    def step(self, name: str, work: object) -> dict[str, object]:
        answer: dict[str, object] = work()  # type: ignore[operator]
        self.answers.append(answer)
        return answer

    def wait(self, seconds: int) -> None:
        self.waited.append(seconds)


class Post:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, message: Message) -> None:
        self.messages.append(message)


class TestRun:
    def run(self, world: RecoverWorld, post: Post, **more: object) -> dict[str, object]:
        request = world.asks(**more)

        def publish(recovery: Recovery) -> str:
            return publish_recovery(post, recovery, HOME, AWAY_REGION, "s3://reports/recoveries/x.json")

        return run_recover(FakeSteps(), lambda: world.look(request), publish)

    def test_ends_in_one_message(self) -> None:
        world, post = RecoverWorld(), Post()
        told = self.run(world, post)
        assert told["subject"] == "Holdfast recovery of nightly in us-west-2: OK, 4 of 4 restored"
        [message] = post.messages
        check(message)
        self.run(world, post)
        assert world.cloud.begun == len(ESTATE)

    def test_dry_tells_nobody(self) -> None:
        post = Post()
        assert self.run(RecoverWorld(), post, dry_run=True)["counts"] == {"planned": 4}
        assert not post.messages

    def test_looks_again_when_what_was_kept_cannot_be_read_for_now(self) -> None:
        world = RecoverWorld()
        world.settings.failing = Throttled("s3", "settings", "GetObject", "SlowDown")
        request, looks = world.asks(), 0

        def sweep() -> Recovery:
            nonlocal looks
            looks += 1
            if looks == 3:
                world.settings.failing = None
            return world.look(request)

        told = run_recover(FakeSteps(), sweep, lambda _: "told")
        assert (told["state"], told["subject"]) == ("ok", "told")


def test_each_bears_the_id_of_its_own_restore() -> None:
    world = RecoverWorld()
    recovery = world.recover()
    asked = {recovery.restore_request(one).id for one in recovery.lines}
    assert {made.request for made in world.cloud.made.values()} == asked
    assert all(one.startswith("worst-day-") and len(one) <= 64 for one in asked)
