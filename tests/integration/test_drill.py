"""Drills: what passes, what must not, and that nothing is ever left standing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.checks import Check
from holdfast.core.drill_message import message_of
from holdfast.core.drilling import (
    DRILL_TAG,
    LEFTOVER_AGE,
    Candidate,
    DrillRequest,
    Leftover,
    Stand,
    drilling_from_dict,
    drilling_to_dict,
)
from holdfast.core.errors import AccessDenied, NoAnswer, PlanError, Throttled
from holdfast.core.model import OPT_OUT, PLAN_TAG, DrillRule
from holdfast.core.rehearsing import digest_of, due
from holdfast.core.restoring import restore_from_dict
from holdfast.core.verifying import Question, Verdict
from holdfast.usecases.drill import publish_drill, run_drill
from tests.builders import AWAY_REGION, HOME, HOME_REGION, NIGHT, TABLE
from tests.fakes import FakeNotifier
from tests.integration.drilling import FEWER, GOOD, DrillWorld, FakeVerifier

TABLES = [f"arn:aws:dynamodb:us-east-1:123456789012:table/t{number:02d}" for number in range(13)]
QUESTION = Question(
    drill="sunday",
    kind="rds",
    engine="postgres",
    engine_version="16.3",
    source=TABLE,
    arn=TABLE,
    host="127.0.0.1",
    port=5432,
    slot=NIGHT,
)


def unheard() -> NoAnswer:
    return NoAnswer("dynamodb", TABLE, "Restore", "ReadTimeoutError")


def told(world: DrillWorld, drilling: object) -> str:
    return message_of(drilling, HOME, "s3://reports/rehearsals/sunday.json").text  # type: ignore[arg-type]


class TestAGoodDrill:
    def test_it_restores_checks_removes_and_records(self) -> None:
        world = DrillWorld()
        drilling = world.drill()
        [one] = drilling.rehearsals
        assert (one.passed, one.removed, world.standing) == (True, True, [])
        assert [check.name for check in one.checks] == [
            "recovery time",
            "settings",
            "recovery point",
            "items",
        ]
        [drill] = world.drills.recorded
        assert (drill.resource, drill.place, drill.slot, drill.passed) == (TABLE, HOME_REGION, NIGHT, True)
        assert drill.age_hours == 13.0
        assert drill.seconds == one.seconds > 0
        assert (drill.rto_minutes, drill.rpo_hours) == (60, 26)

    def test_what_it_makes_is_of_no_plan_and_bears_its_tag(self) -> None:
        world = DrillWorld()
        seen: list[object] = []

        def after() -> None:
            seen.extend(made.settings.get("Tags") for made in world.cloud.made.values())

        world.drill(after=after)
        made = restore_from_dict(next(iter(world.restores.kept.values())))
        assert made.request.to.startswith("holdfast-drill-")
        assert made.request.settings["Tags"] == {PLAN_TAG: OPT_OUT, DRILL_TAG: "sunday"}

    def test_from_each_place_that_the_plan_copies_to(self) -> None:
        world = DrillWorld(copies=True)
        drilling = world.drill()
        assert {one.place for one in drilling.rehearsals if one.passed} == {HOME_REGION, AWAY_REGION}
        assert world.standing == []

    def test_the_message_says_it_in_a_line(self) -> None:
        world = DrillWorld()
        drilling = world.drill()
        message = message_of(drilling, HOME, "s3://reports/rehearsals/sunday.json")
        assert message.subject == "Holdfast drill of nightly: OK, 1 of 1 restores passed, longest 2 min"
        assert "Restored, checked and removed:\n  dynamodb orders in us-east-1 in 2 min" in message.text
        assert drilling_from_dict(json.loads(message.data)) == drilling
        assert message.attributes["status"] == "ok"

    def test_asked_twice_it_is_one(self) -> None:
        world = DrillWorld()
        first = world.drill()
        assert world.drill() == first
        assert world.cloud.begun == 1

    def test_a_dry_run_makes_nothing_and_says_what_it_costs(self) -> None:
        world = DrillWorld(copies=True)
        planned = world.look(DrillRequest(id="sunday", plan="nightly", dry_run=True))
        assert [one.place for one in planned.rehearsals] == [HOME_REGION, AWAY_REGION]
        assert planned.estimated_usd == Decimal("0.30")
        assert (world.cloud.begun, world.drills.kept, world.restores.kept) == (0, {}, {})


class TestADrillMustFail:
    def test_with_fewer_items(self) -> None:
        world = DrillWorld()
        world.rehearser.found = (FEWER,)
        drilling = world.drill()
        assert [(one.passed, one.removed) for one in drilling.rehearsals] == [(False, True)]
        assert world.standing == []
        assert not world.drills.recorded[0].passed
        text = told(world, drilling)
        assert "These restores would not do:\n  dynamodb orders in us-east-1: items: 9, and DynamoDB" in text
        assert message_of(drilling, HOME, "").attributes["status"] == "failed"

    def test_when_aws_gives_up(self) -> None:
        world = DrillWorld()
        world.cloud.fails = True
        [one] = world.drill().rehearsals
        assert not one.passed
        assert "AWS gave it up" in one.why
        assert (one.removed, world.standing) == (True, [])

    def test_without_a_good_backup_there(self) -> None:
        world = DrillWorld(copies=True)
        world.cloud.backups = [one for one in world.cloud.backups if one.region == HOME_REGION]
        drilling = world.drill()
        by_place = {one.place: one for one in drilling.rehearsals}
        assert by_place[HOME_REGION].passed
        assert by_place[AWAY_REGION].why == "no good backup of it stands in us-west-2"
        assert {drill.slot for drill in world.drills.recorded} == {NIGHT, None}

    def test_with_a_setting_that_did_not_come_back(self) -> None:
        world = DrillWorld()
        world.cloud.refused = {"TimeToLive": "AWS refused it"}
        [one] = world.drill().rehearsals
        assert not one.passed
        assert one.why == "settings: 1 of 3 did not come back: TimeToLive (AWS refused it)"
        assert one.removed

    def test_longer_than_the_plan_allows(self) -> None:
        world = DrillWorld(rto_minutes=1)
        [one] = world.drill().rehearsals
        assert one.why == "recovery time: 2.0 minutes, and the plan allows 1"

    def test_older_than_the_plan_allows(self) -> None:
        world = DrillWorld(rpo_hours=12)
        [one] = world.drill().rehearsals
        assert one.why == "recovery point: 13.0 hours old when the drill began, and the plan allows 12"

    def test_by_a_surprise_and_is_removed_all_the_same(self) -> None:
        world = DrillWorld()
        world.rehearser.surprise = RuntimeError("no such thing")
        [one] = world.drill().rehearsals
        assert one.why == "unexpected RuntimeError: no such thing"
        assert (one.removed, world.standing) == (True, [])

    def test_that_may_not_look(self) -> None:
        world = DrillWorld()
        world.cloud.faults["checks"] = lambda: AccessDenied("dynamodb", TABLE, "Scan", "AccessDenied", "no")
        [one] = world.drill().rehearsals
        assert one.why == f"Scan of {TABLE}: AccessDenied: no"
        assert one.removed

    def test_that_does_not_come_to_an_end(self) -> None:
        world = DrillWorld()
        world.cloud.never = True

        def half_an_hour() -> None:
            world.cloud.now += timedelta(minutes=29)

        drilling = world.drill(after=half_an_hour)
        [one] = drilling.rehearsals
        assert one.why == "it was still restoring after 12 hours"
        assert not one.removed, "a table that is being made cannot be deleted"
        assert drilling.left_behind == [one.arn]
        assert "1 NOT REMOVED" in message_of(drilling, HOME, "").subject

    def test_and_costs_no_other_anything(self) -> None:
        world = DrillWorld(resources=TABLES[:3])
        bad = TABLES[1].rsplit("/", 1)[1]
        world.cloud.backups = [one for one in world.cloud.backups if bad not in one.source]
        drilling = world.drill()
        assert [one.passed for one in drilling.rehearsals] == [True, False, True]
        assert message_of(drilling, HOME, "").attributes["status"] == "partial"


class TestAVerifier:
    def test_what_it_finds_is_the_drills(self) -> None:
        rows = Check(name="rows", passed=False, found="no order of the last day")
        world = DrillWorld(verifier=FakeVerifier([Verdict(checks=(GOOD, rows))]))
        world.rehearser.asked = QUESTION
        [one] = world.drill().rehearsals
        assert one.why == "sql rows: no order of the last day"
        assert one.removed

    def test_one_that_looked_at_nothing_has_let_nothing_pass(self) -> None:
        world = DrillWorld(verifier=FakeVerifier([Verdict(checks=(), reason="cannot connect")]))
        world.rehearser.asked = QUESTION
        [one] = world.drill().rehearsals
        assert one.why == "verifier: cannot connect"

    def test_one_that_cannot_be_reached_is_asked_again(self) -> None:
        world = DrillWorld(verifier=FakeVerifier([unheard(), Verdict(checks=(GOOD,))]))
        world.rehearser.asked = QUESTION
        [one] = world.drill().rehearsals
        assert one.passed
        assert [check.name for check in one.checks][-2:] == ["items", "sql items"]


class TestRemoving:
    def test_that_fails_once_is_done_again(self) -> None:
        world = DrillWorld()
        faults = [AccessDenied("dynamodb", TABLE, "DeleteTable", "AccessDenied", "not yet")]

        def after() -> None:
            if faults and world.cloud.calls[-2:] and "checks" in world.cloud.calls:
                faults.clear()
                world.cloud.faults.pop("remove", None)

        world.cloud.faults["remove"] = lambda: faults[0] if faults else unheard()
        [one] = world.drill(after=after).rehearsals
        assert (one.passed, one.removed, one.trouble, world.standing) == (True, True, "", [])

    def test_that_never_works_is_told(self) -> None:
        world = DrillWorld(rto_minutes=1000)
        world.cloud.faults["remove"] = lambda: AccessDenied("dynamodb", TABLE, "DeleteTable", "Denied", "no")

        def an_hour() -> None:
            world.cloud.now += timedelta(hours=1)

        drilling = world.drill(after=an_hour)
        [one] = drilling.rehearsals
        assert (one.stand, one.passed, one.removed) == (Stand.OVER, True, False)
        assert drilling.left_behind == [one.arn]
        text = told(world, drilling)
        assert text.startswith("Still standing, and paid for; remove it by hand:\n")
        assert "could not be removed: DeleteTable" in world.drills.recorded[0].reason
        assert message_of(drilling, HOME, "").attributes["status"] == "partial"

    def test_what_stands_under_the_name_and_is_not_its_own_stays(self) -> None:
        world = DrillWorld()
        world.look()
        [(place, name)] = list(world.cloud.made)
        world.cloud.made[place, name] = replace(
            world.cloud.made[place, name], request="another", made_of="another"
        )
        drilling = world.drill()
        assert world.standing == [name]
        assert not drilling.rehearsals[0].passed
        assert world.rehearser.removals == 0

    @pytest.mark.parametrize("after", [False, True])
    def test_a_drill_that_is_killed_at_any_call_leaves_nothing(self, after: bool) -> None:
        class Killed(BaseException):
            pass

        calls = len(_drilled().cloud.calls)
        assert calls > 15
        for number in range(1, calls + 1):
            world = DrillWorld()

            def kill() -> Killed:
                return Killed()

            world.cloud.at_call = (number, kill, after)  # type: ignore[assignment]
            try:
                drilling = world.drill()
            except Killed:
                world.cloud.at_call = None
                drilling = world.drill()
            assert drilling.is_over
            assert world.standing == [], number
            assert [one.passed for one in drilling.rehearsals] == [True], number
            assert world.cloud.begun == 1, number
            assert {one.passed for one in world.drills.recorded} == {True}

    @pytest.mark.parametrize("after", [False, True])
    def test_nor_one_whose_calls_fail(self, after: bool) -> None:
        calls = len(_drilled().cloud.calls)
        for number in range(1, calls + 1):
            world = DrillWorld()
            world.cloud.at_call = (number, unheard, after)
            try:
                drilling = world.drill()
            except NoAnswer:
                drilling = world.drill()
            assert drilling.is_over
            assert world.standing == [], number
            assert world.cloud.begun == 1, number


def _drilled() -> DrillWorld:
    world = DrillWorld()
    world.drill()
    return world


class TestLeftovers:
    SWEEP = DrillRequest(id="sweep", plan="nightly", sweep=True)

    def left(self, age: timedelta, world: DrillWorld, drill: str = "last-week", name: str = "x") -> Leftover:
        arn = f"arn:aws:dynamodb:{AWAY_REGION}:123456789012:table/holdfast-drill-{name}"
        one = Leftover(arn=arn, kind="dynamodb", created=world.cloud.now - age, drill=drill)
        world.rehearser.left.setdefault(AWAY_REGION, []).append(one)
        return one

    def test_old_ones_are_removed_and_told(self) -> None:
        world = DrillWorld()
        old = self.left(LEFTOVER_AGE + timedelta(minutes=1), world)
        swept = world.drill(self.SWEEP)
        assert [(one.arn, one.gone) for one in swept.swept] == [(old.arn, True)]
        message = message_of(swept, HOME, "")
        assert message.subject == "Holdfast drill of nightly: OK, 1 of 1 leftovers removed"
        assert f"Left behind by earlier drills:\n  {old.arn}: removed" in message.text

    def test_young_ones_and_its_own_stay(self) -> None:
        world = DrillWorld()
        self.left(LEFTOVER_AGE, world, name="young")
        self.left(2 * LEFTOVER_AGE, world, drill="sweep", name="own")
        assert world.drill(self.SWEEP).swept == ()
        assert len(world.rehearser.left[AWAY_REGION]) == 2

    def test_one_that_cannot_be_removed_is_told(self) -> None:
        world = DrillWorld()
        old = self.left(2 * LEFTOVER_AGE, world)
        world.cloud.faults["remove_leftover"] = lambda: AccessDenied("dynamodb", old.arn, "D", "Denied", "no")
        swept = world.drill(self.SWEEP)
        assert swept.is_over
        assert swept.left_behind == [old.arn]

    def test_a_listing_that_fails_is_told(self) -> None:
        world = DrillWorld()
        world.cloud.faults["leftovers"] = lambda: AccessDenied("dynamodb", "-", "ListTables", "Denied", "no")
        swept = world.drill(self.SWEEP)
        assert len(swept.problems) == 2
        assert "What dynamodb drills may have left behind in us-west-2 cannot be listed" in swept.problems[1]

    def test_a_sweep_that_finds_nothing_tells_nobody(self) -> None:
        world, published = DrillWorld(), FakeNotifier()
        summary = run_drill(
            Straight(world),
            lambda: world.look(self.SWEEP),
            lambda drilling: publish_drill(published, drilling, HOME, ""),
        )
        assert (summary["quiet"], published.messages) == (True, [])


class Straight:
    """The port `Steps`, without remembering."""

    def __init__(self, world: DrillWorld) -> None:
        self.at_wait: Callable[[], object] = lambda: None
        self._world = world

    def step(self, name: str, work):  # type: ignore[no-untyped-def]
        return work()

    def wait(self, seconds: int) -> None:
        self.at_wait()
        self._world.cloud.now += timedelta(seconds=seconds)


class TestTheRun:
    def test_it_looks_until_it_is_over_and_tells_once(self) -> None:
        world, published = DrillWorld(), FakeNotifier()
        summary = run_drill(
            Straight(world), world.look, lambda drilling: publish_drill(published, drilling, HOME, "")
        )
        assert summary["over"]
        [message] = published.messages
        assert summary["subject"] == message.subject
        assert message.subject.startswith("Holdfast drill of nightly: OK, 1 of 1")


class TestWhatIsRehearsed:
    def test_a_plan_without_drills_is_refused_and_named(self) -> None:
        world = DrillWorld(rule=None)
        with pytest.raises(PlanError, match="drill: it is null"):
            world.look()

    def test_but_one_resource_can_be_asked_for(self) -> None:
        world = DrillWorld(rule=None, resources=TABLES)
        drilling = world.drill(DrillRequest(id="now", plan="nightly", resource=TABLES[7]))
        assert [one.resource for one in drilling.rehearsals] == [TABLES[7]]

    def test_what_the_plan_does_not_protect_is_told(self) -> None:
        world = DrillWorld()
        drilling = world.drill(DrillRequest(id="now", plan="nightly", resource=TABLES[7]))
        assert drilling.problems == (
            f"The plan nightly does not protect {TABLES[7]}, so no restore can be rehearsed",
        )
        assert message_of(drilling, HOME, "").attributes["status"] == "partial"

    def test_no_more_than_the_plan_pays_for(self) -> None:
        world = DrillWorld(resources=TABLES[:4], rule=DrillRule(within_days=7, max_usd=Decimal("0.31")))
        drilling = world.drill()
        assert len(drilling.rehearsals) == 2
        assert [one.resource for one in drilling.skipped] == TABLES[2:4]
        assert "drill.max_usd of 0.31 has 0.01 left" in drilling.skipped[0].reason
        assert "2 left out" in message_of(drilling, HOME, "").subject

    def test_what_has_no_size_is_not_taken_for_cheap(self) -> None:
        drilling = DrillWorld(size_bytes=None).drill()
        assert (drilling.rehearsals, len(drilling.skipped)) == ((), 1)

    def test_a_kind_that_cannot_be_listed_is_told(self) -> None:
        world = DrillWorld()
        world.cloud.faults["resources"] = lambda: AccessDenied("dynamodb", "-", "List", "AccessDenied")
        drilling = world.drill()
        assert "No dynamodb restore could be rehearsed: List of -" in drilling.problems[0]

    def test_nothing_is_decided_on_a_listing_that_may_come_yet(self) -> None:
        world, published = DrillWorld(), FakeNotifier()
        world.cloud.faults["resources"] = lambda: Throttled("dynamodb", "-", "List", "ThrottlingException")
        steps = Straight(world)
        steps.at_wait = world.cloud.faults.clear
        summary = run_drill(steps, world.look, lambda drilling: publish_drill(published, drilling, HOME, ""))
        assert summary["subject"] == published.messages[0].subject
        assert "OK, 1 of 1" in published.messages[0].subject

    @given(
        count=st.integers(1, 40),
        within=st.integers(7, 120),
        every=st.integers(1, 7),
    )
    def test_each_is_rehearsed_within_the_stated_time(self, count: int, within: int, every: int) -> None:
        rule = DrillRule(within_days=within, every_days=every)
        candidates = [
            Candidate(kind="dynamodb", resource=f"{number}", place="here", slot=NIGHT)
            for number in range(count)
        ]
        last: dict[str, object] = {}
        now = NIGHT
        for _ in range(3 * within // every + 3):
            for one in due(candidates, last, rule, now):  # type: ignore[arg-type]
                last[digest_of(one.resource, one.place)] = now
            now += timedelta(days=every)
            if now - NIGHT > timedelta(days=within):
                assert len(last) == count
                assert min(last.values()) >= now - timedelta(days=within + every)  # type: ignore[type-var,operator]

    def test_not_all_at_once(self) -> None:
        candidates = [Candidate(kind="dynamodb", resource=arn, place="here", slot=NIGHT) for arn in TABLES]
        assert len(due(candidates, {}, DrillRule(within_days=91), NIGHT)) == 1
        assert len(due(candidates, {}, DrillRule(within_days=28), NIGHT)) == 4


@given(text=st.text(max_size=30), number=st.floats(0, 1e6), flag=st.booleans())
def test_a_drill_is_kept_as_it_is(text: str, number: float, flag: bool) -> None:
    world = DrillWorld(copies=True)
    drilling = world.look()
    [first, *rest] = drilling.rehearsals
    changed = replace(
        first, failure=text, seconds=round(number, 3), removed=flag, given={"Tags": {"a": text}}
    )
    drilling = replace(drilling, rehearsals=(changed, *rest), problems=(text,))
    assert drilling_from_dict(json.loads(json.dumps(drilling_to_dict(drilling)))) == drilling


def test_the_fakes_prices_are_the_products() -> None:
    assert DrillWorld().look().estimated_usd == Decimal("0.15")
