"""A whole run: its sweeps and waits, its crashes, and its one message at the end."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.lambda_service import InvocationStatus
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult, DurableFunctionTestRunner

import run_plan as function
from holdfast.bootstrap import App
from holdfast.core.errors import AccessDenied, NoAnswer, ProviderError, RunFailed, StageCrashed, Throttled
from holdfast.core.model import BackupState, Breaker, KeepPolicy, Plan
from holdfast.core.report import Stage
from holdfast.plans import PlanLimits, parse_plan
from holdfast.ports import PlanStore
from holdfast.settings import read_settings
from holdfast.usecases.run import run_plan
from tests.builders import AWAY_REGION, TAGS, a_plan, a_request, a_rule, nights_ago
from tests.fakes import FakeCloud, FakePlans
from tests.integration.world import World
from tests.logged import read

PLAN = a_plan(keep=KeepPolicy(daily=2, minimum=1), copies=(a_rule(keep=KeepPolicy(daily=2, minimum=1)),))
LAST = [Stage.PRUNE, Stage.SETTINGS, Stage.CHECK, Stage.REPORT]
type Functions = Callable[[Stage, Mapping[str, object]], dict[str, object]]


def a_world(plan: Plan = PLAN, *, listings: int = 2, nights: int = 0) -> World:
    """A small company, with that many nights behind it."""
    world = World(cloud=FakeCloud(), plan=plan)
    for kind in ("dynamodb", "rds", "aurora"):
        world.cloud.add_resource(kind, f"{kind}-shop", TAGS)
    for night in range(nights, 0, -1):
        for stage in (world.create, world.copy):
            stage(a_request(nights_ago(night)))
    world.cloud.listings_until_available = listings
    return world


class Killed(BaseException):
    """Lambda stops the function in the middle of whatever it does."""


@dataclass
class Execution:
    """`ports.RunContext` as AWS gives it: what is done is remembered, and replayed when the run resumes.

    `killed_at` is the number of the call during which the function is killed, once; `late` says whether the
    call had its effect by then.
    """

    functions: Functions
    killed_at: int = -1
    late: bool = False
    remembered: list[tuple[str, object]] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    invoked: list[Stage] = field(default_factory=list)
    position: int = 0

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        return self._once(f"step {name}", work)

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        def call() -> dict[str, object]:
            self.invoked.append(stage)
            json.dumps(payload)
            try:
                return {"answer": self.functions(stage, payload)}
            except (StageCrashed, ProviderError) as error:
                return {"crash": str(error)}

        result = self._once(f"invoke {stage}", call)
        if "crash" in result:
            raise StageCrashed(str(result["crash"]))
        answer = result["answer"]
        assert isinstance(answer, dict)
        return answer

    def wait(self, seconds: int) -> None:
        assert seconds > 0

        def work() -> dict[str, object]:
            self.waited.append(seconds)
            return {}

        self._once("wait", work)

    def _once(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        number, self.position = self.position, self.position + 1
        if number < len(self.remembered):
            then, result = self.remembered[number]
            assert then == name, f"call {number} was {then} and is {name} when replayed"
            return json.loads(json.dumps(result))  # type: ignore[no-any-return]
        killed = number == self.killed_at
        if killed:
            self.killed_at = -1
        if killed and not self.late:
            raise Killed
        result = work()
        if killed:
            raise Killed
        self.remembered.append((name, result))
        return result

    def run(
        self, world: World, *, dry_run: bool = False, plans: PlanStore | None = None
    ) -> dict[str, object]:
        """To its end, as often as it is killed."""
        while True:
            self.position = 0
            try:
                return run_plan(self, plans or world.plans, a_request(dry_run=dry_run))
            except Killed:
                continue


TIMED_OUT = "Task timed out after 900.00 seconds"


def crashing(world: World, crashes: Mapping[Stage, int], why: str = TIMED_OUT) -> Functions:
    """The world's functions, of which some raise the first times that they are invoked."""
    left = dict(crashes)

    def invoke(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        if left.get(stage, 0):
            left[stage] -= 1
            raise StageCrashed(why)
        return world.invoke(stage, payload)

    return invoke


def end_of(world: World) -> tuple[object, ...]:
    """What is left of a run: what stands, what was written of it but its id, and what people were told."""
    told = [(message.subject, message.text) for message in world.notifier.messages]
    records = {
        address: {key: value for key, value in document.items() if key not in ("seconds", "run")}
        for address, document in world.records.documents.items()
    }
    return world.names(), records, told


class TestAUsualNight:
    def test_it_sweeps_until_nothing_is_pending_then_prunes_then_tells(self) -> None:
        world = a_world(nights=3)
        execution = Execution(world.invoke)
        summary = execution.run(world)
        assert summary["status"] == "ok"
        assert execution.invoked[-4:] == LAST
        assert set(execution.invoked[:-4]) == {Stage.CREATE, Stage.COPY}
        assert {one.state for one in world.cloud.standing()} == {BackupState.AVAILABLE}
        assert len(world.names()) == 3 * 2 + 2 * 2
        [message] = world.notifier.messages
        assert message.subject == "Holdfast nightly: OK, 3 of 3 backed up, 2 copied, 10 pruned"

    def test_a_stage_that_has_finished_is_not_invoked_again(self) -> None:
        world = a_world(listings=3)
        execution = Execution(world.invoke)
        execution.run(world)
        stages = [stage for stage in execution.invoked if stage in (Stage.CREATE, Stage.COPY)]
        last_create = len(stages) - 1 - stages[::-1].index(Stage.CREATE)
        assert set(stages[last_create + 1 :]) == {Stage.COPY}
        assert execution.waited[:4] == [60, 60, 120, 180]

    def test_copies_of_earlier_nights_that_it_catches_up_on_are_told(self) -> None:
        world = a_world()
        world.cloud.listings_until_available = 0
        for night in (2, 1):
            world.create(a_request(nights_ago(night)))
        world.cloud.listings_until_available = 2
        Execution(world.invoke).run(world)
        assert world.notifier.messages[0].subject.startswith(
            "Holdfast nightly: OK, 3 of 3 backed up, 4 copied"
        )

    def test_running_the_slot_again_makes_and_deletes_nothing_more(self) -> None:
        world = a_world(nights=3)
        Execution(world.invoke).run(world)
        names, writes = world.names(), len(world.cloud.writes)
        Execution(world.invoke).run(world)
        assert (world.names(), len(world.cloud.writes)) == (names, writes)


class TestCrashes:
    def calls(self) -> int:
        world = a_world(nights=3)
        execution = Execution(world.invoke)
        execution.run(world)
        return len(execution.remembered)

    @pytest.mark.parametrize("late", [False, True], ids=["before its effect", "after its effect"])
    def test_killed_during_any_call_it_ends_the_same(self, late: bool) -> None:
        undisturbed = a_world(nights=3)
        Execution(undisturbed.invoke).run(undisturbed)
        for number in range(self.calls()):
            world = a_world(nights=3)
            execution = Execution(world.invoke, killed_at=number, late=late)
            execution.run(world)
            assert execution.killed_at == -1
            assert end_of(world) == end_of(undisturbed), f"killed at call {number}"

    def test_what_is_remembered_is_not_done_again(self) -> None:
        world = a_world(nights=3)
        execution = Execution(world.invoke)
        execution.run(world)
        invoked = len(execution.invoked)
        execution.run(world)
        assert len(execution.invoked) == invoked
        assert len(world.notifier.messages) == 1

    @pytest.mark.parametrize("stage", [Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT])
    @pytest.mark.parametrize("times", [1, 2])
    def test_a_stage_that_crashes_and_then_does_its_work_leaves_no_trace(
        self, stage: Stage, times: int
    ) -> None:
        world = a_world(nights=3)
        assert Execution(crashing(world, {stage: times})).run(world)["status"] == "ok"
        assert len(world.notifier.messages) == 1

    def test_when_create_never_succeeds_nothing_is_pruned_and_all_is_told(self) -> None:
        world = a_world(nights=5)
        execution = Execution(crashing(world, {Stage.CREATE: 99}))
        with pytest.raises(RunFailed, match="Holdfast nightly: FAILED"):
            execution.run(world)
        assert Stage.PRUNE not in execution.invoked
        assert execution.invoked.count(Stage.CREATE) == 3
        [message] = world.notifier.messages
        assert "prune_backups was not run, since create_backups did not finish its work" in message.text
        assert "create_backups could not do its work: Task timed out after 900.00 seconds" in message.text

    def test_copies_of_earlier_nights_go_on_when_create_crashes(self) -> None:
        world = a_world()
        world.cloud.listings_until_available = 0
        world.create(a_request(nights_ago(1)))
        with pytest.raises(RunFailed):
            Execution(crashing(world, {Stage.CREATE: 99})).run(world)
        assert len(world.names(AWAY_REGION)) == 2

    def test_when_copy_never_succeeds_the_rest_is_done_and_originals_wait_for_their_copies(self) -> None:
        world = a_world()
        world.cloud.listings_until_available = 0
        for night in range(5, 0, -1):
            world.create(a_request(nights_ago(night)))
        execution = Execution(crashing(world, {Stage.COPY: 99}))
        with pytest.raises(RunFailed, match="Holdfast nightly: PARTIAL"):
            execution.run(world)
        assert execution.invoked[-4:] == LAST
        assert len(world.cloud.standing("rds")) == 2
        assert "copy_backups could not do its work" in world.notifier.messages[0].text

    def test_when_prune_never_succeeds_it_is_told(self) -> None:
        world = a_world(nights=5)
        with pytest.raises(RunFailed, match="PARTIAL"):
            Execution(crashing(world, {Stage.PRUNE: 99})).run(world)
        assert "prune_backups could not do its work" in world.notifier.messages[0].text

    def test_when_the_report_never_goes_out_the_run_ends_with_the_reason(self) -> None:
        world = a_world()
        execution = Execution(crashing(world, {Stage.REPORT: 99}))
        with pytest.raises(StageCrashed, match="Task timed out"):
            execution.run(world)
        assert execution.invoked.count(Stage.REPORT) == 3

    def test_a_message_that_does_not_go_out_at_once_goes_out_later_and_once(self) -> None:
        world = a_world()
        publish = world.notifier.publish
        answers: Iterator[bool] = iter([True, False])

        def unsteady(message: Any) -> None:
            if next(answers):
                raise NoAnswer("sns", "topic", "Publish", "Timeout")
            publish(message)

        world.notifier.publish = unsteady  # type: ignore[method-assign]
        assert Execution(world.invoke).run(world)["status"] == "ok"
        assert len(world.notifier.messages) == 1

    @pytest.mark.parametrize("stage", [Stage.COPY, Stage.PRUNE, Stage.CHECK])
    def test_a_function_that_ends_without_a_word_is_told_of_too(self, stage: Stage) -> None:
        world = a_world()
        with pytest.raises(RunFailed, match="PARTIAL"):
            Execution(crashing(world, {stage: 99}, why="")).run(world)
        assert "AWS does not say why" in world.notifier.messages[0].text


class TestTheLookAtTheEnd:
    def handed(self, world: World, crashes: int = 0, **more: Any) -> list[tuple[Stage, Mapping[str, object]]]:
        """The stages that a run invokes, each with what it is handed."""
        functions = crashing(world, {Stage.CHECK: crashes})
        seen: list[tuple[Stage, Mapping[str, object]]] = []

        def noting(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
            seen.append((stage, payload))
            return functions(stage, payload)

        execution = Execution(noting)
        request = replace(a_request(), run="5f0c", **more)
        try:
            run_plan(execution, world.plans, request)
        except RunFailed:
            assert crashes
        return seen

    def test_the_check_is_asked_after_pruning_and_its_answer_is_told(self) -> None:
        world = a_world(nights=3)
        stages = self.handed(world)
        assert [stage for stage, _ in stages[-4:]] == LAST
        assert stages[-2][1] == {"plan": "nightly", "slot": "2026-11-22T02:00:00Z", "run": "5f0c"}
        told = stages[-1][1]["posture"]
        assert isinstance(told, dict)
        assert (told["standing"], told["resources"], told["recoverable"]) == ("ok", 3, 3)
        record = world.records.load("nightly", a_request().slot, Stage.REPORT)
        assert record is not None
        assert record.glance is not None
        assert record.glance.to_dict() == told

    def test_it_sees_what_this_very_run_has_done(self) -> None:
        world = a_world(nights=3)
        self.handed(world)
        [posture] = world.page.shown
        assert {one.newest for one in posture.protections} == {a_request().slot}
        assert {one.good for one in posture.protections} == {2}
        [plan] = posture.plans
        assert plan.last_run is not None
        assert (plan.last_run.ended, plan.hours_since_run) == (True, 0)

    def test_where_it_crashes_the_run_is_partial_and_says_so_and_the_message_goes_out(self) -> None:
        world = a_world(nights=3)
        stages = self.handed(world, crashes=99)
        assert [stage for stage, _ in stages].count(Stage.CHECK) == 1
        assert "posture" not in stages[-1][1]
        [message] = world.notifier.messages
        assert message.subject.startswith("Holdfast nightly: PARTIAL")
        assert "check_recovery_points could not do its work: Task timed out after 900.00 s" in message.text

    def test_a_dry_run_does_not_ask(self) -> None:
        stages = self.handed(a_world(nights=3), dry_run=True)
        assert {stage for stage, _ in stages} == {Stage.CREATE, Stage.COPY, Stage.PRUNE}

    def test_a_rehearsed_night_hands_on_when_it_is(self) -> None:
        world = a_world(nights=3)
        at = a_request().slot + timedelta(hours=1)
        stages = self.handed(world, at=at)
        assert stages[-2][1]["at"] == "2026-11-22T03:00:00Z"
        assert world.page.shown[0].at == at
        assert all("at" not in payload for stage, payload in stages if stage is not Stage.CHECK)

    def test_it_is_asked_as_well_where_nothing_else_could_be_done(self) -> None:
        world = a_world(nights=3)
        with pytest.raises(RunFailed):
            Execution(crashing(world, {Stage.CREATE: 99})).run(world)
        assert len(world.page.shown) == 1


class TestTheWindow:
    def test_when_it_closes_what_is_unfinished_is_told_and_its_resource_not_pruned(self) -> None:
        world = a_world(replace(PLAN, window_minutes=10), nights=5)
        stuck = next(one for one in world.cloud.standing("rds")).source
        world.cloud.listings_until_available = 10**6
        execution = Execution(world.invoke)
        with pytest.raises(RunFailed, match="Holdfast nightly: PARTIAL, 0 of 3 backed up, 5 pending"):
            execution.run(world)
        assert sum(execution.waited) <= 600
        assert execution.invoked[-4:] == LAST
        assert len(list(world.cloud.standing("rds", "us-east-1", stuck))) == 6

    def test_the_next_night_heals_what_it_left(self) -> None:
        world = a_world(replace(PLAN, window_minutes=10))
        world.cloud.listings_until_available = 10**6
        with pytest.raises(RunFailed):
            Execution(world.invoke).run(world)
        for one in world.cloud.standing():
            world.cloud.set_backup_state(one.arn, BackupState.AVAILABLE)
        world.cloud.listings_until_available = 0
        tomorrow = a_request(nights_ago(-1))
        world.create(tomorrow)
        world.copy(tomorrow)
        assert len(world.names(AWAY_REGION)) == 4


class TestTrouble:
    def test_a_plan_that_is_not_there_runs_no_stage_and_is_told(self) -> None:
        world = a_world()
        execution = Execution(world.invoke)
        with pytest.raises(RunFailed, match="Holdfast nightly: FAILED"):
            execution.run(world, plans=FakePlans([]))
        assert execution.invoked == [Stage.CHECK, Stage.REPORT]
        assert "plan 'nightly' cannot be used: there is no such plan" in world.notifier.messages[0].text

    def test_a_plan_that_copies_to_a_region_that_is_not_allowed_runs_no_stage_and_is_told(self) -> None:
        class Stored(FakePlans):
            def get(self, name: str) -> Plan:
                limits = PlanLimits(kinds=("rds",), home_region="us-east-1", copy_regions=(AWAY_REGION,))
                copy = {"region": "mars-1", "keep": {"daily": 7}}
                document = {"name": name, "select": {"tags": TAGS}, "keep": {"daily": 7}, "copies": [copy]}
                return parse_plan(name, json.dumps(document), limits)

        world = a_world()
        execution = Execution(world.invoke)
        with pytest.raises(RunFailed):
            execution.run(world, plans=Stored([]))
        assert execution.invoked == [Stage.CHECK, Stage.REPORT]
        assert "copies[0].region: 'mars-1' is not allowed; this stack may copy to us-west-2" in (
            world.notifier.messages[0].text
        )

    def test_a_plan_that_cannot_be_fetched_is_told(self) -> None:
        class Closed(FakePlans):
            def get(self, name: str) -> Plan:
                raise AccessDenied("ssm", "/holdfast/plans/nightly", "GetParameter", "AccessDenied")

        world = a_world()
        with pytest.raises(RunFailed):
            Execution(world.invoke).run(world, plans=Closed([]))
        assert "GetParameter of /holdfast/plans/nightly: AccessDenied" in world.notifier.messages[0].text

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_a_bad_moment_of_the_plans_store_does_not_cost_the_night(self, times: int) -> None:
        class Busy(FakePlans):
            left = times

            def get(self, name: str) -> Plan:
                if self.left:
                    self.left -= 1
                    raise Throttled("ssm", "/holdfast/plans/nightly", "GetParameter", "ThrottlingException")
                return super().get(name)

        world = a_world()
        execution = Execution(world.invoke)
        if times < 3:
            assert execution.run(world, plans=Busy([PLAN]))["status"] == "ok"
            return
        with pytest.raises(RunFailed):
            execution.run(world, plans=Busy([PLAN]))
        assert execution.waited == [60, 60]
        assert "ThrottlingException" in world.notifier.messages[0].text

    def test_what_a_function_raised_is_told_in_part_however_long_it_is(self) -> None:
        def functions(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
            if stage is Stage.COPY:
                raise StageCrashed("x" * 1_000_000)
            return world.invoke(stage, payload)

        world = a_world()
        execution = Execution(functions)
        with pytest.raises(RunFailed):
            execution.run(world)
        assert (
            max(len(json.dumps(result)) for name, result in execution.remembered if "report" in name) < 10_000
        )
        assert "copy_backups could not do its work: xxx" in world.notifier.messages[0].text

    def test_one_tables_trouble_costs_that_table_only_and_the_run_ends_as_failed(self) -> None:
        world = a_world(nights=5)
        spoilt = world.cloud.add_resource("dynamodb", "spoilt", TAGS)
        world.cloud.fail("create", spoilt.arn, AccessDenied, times=99)
        with pytest.raises(RunFailed, match="PARTIAL, 3 of 4 backed up, 2 copied, 20 pruned, 1 failed"):
            Execution(world.invoke).run(world)
        assert "back up dynamodb spoilt in us-east-1: not permitted" in world.notifier.messages[0].text

    def test_a_refusal_of_the_breaker_is_told_with_the_way_to_approve(self) -> None:
        breaker = Breaker(max_deletes_per_run=1, max_delete_share=1.0)
        world = a_world(replace(PLAN, breaker=breaker), nights=5)
        with pytest.raises(RunFailed, match="REFUSED"):
            Execution(world.invoke).run(world)
        [message] = world.notifier.messages
        assert 'invoke prune_backups with {"plan": "nightly", "slot": "' in message.text
        assert "Not deleted (" in message.text
        assert "held back: see the refusal (else: no rule keeps it" in message.text

    def test_an_answer_that_is_no_summary_counts_as_finished(self) -> None:
        world = a_world()

        def odd(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
            return {} if stage is Stage.COPY else world.invoke(stage, payload)

        with pytest.raises(RunFailed, match="PARTIAL"):
            Execution(odd).run(world)
        assert "copy_backups left no record of this slot" in world.notifier.messages[0].text


class TestDryRun:
    def test_each_stage_is_asked_once_and_nothing_is_written_or_told(self) -> None:
        world = a_world(nights=5)
        before, documents = (world.names(), len(world.cloud.writes)), dict(world.records.documents)
        execution = Execution(world.invoke)
        result = execution.run(world, dry_run=True)
        assert execution.invoked == [Stage.CREATE, Stage.COPY, Stage.PRUNE]
        assert execution.waited == []
        stages = result["stages"]
        assert isinstance(stages, dict)
        assert {stage: summary["dry_run"] for stage, summary in stages.items()} == dict.fromkeys(
            ["create", "copy", "prune"], True
        )
        told = [one["reason"] for summary in stages.values() for one in summary["outcomes"]]
        assert sum(reason.startswith("dry run: would create") for reason in told) == 3
        assert sum(reason.startswith("dry run: would delete") for reason in told) == 15
        assert (world.names(), len(world.cloud.writes)) == before
        assert (world.records.documents, world.notifier.messages) == (documents, [])

    def test_what_it_cannot_do_is_in_its_answer(self) -> None:
        world = a_world()
        result = Execution(world.invoke).run(world, dry_run=True, plans=FakePlans([]))
        assert result["problems"] == ["plan 'nightly' cannot be used: there is no such plan"]


# --- the function itself, on the SDK's own test runner ---------------------------------------------------


FUNCTIONS = {stage: f"holdfast-{stage}" for stage in Stage}
ENVIRONMENT = {
    "HOLDFAST_STACK": "holdfast",
    "AWS_REGION": "us-east-1",
    "HOLDFAST_ACCOUNT": "123456789012",
    "HOLDFAST_PLANS_PATH": "/holdfast/plans",
    "HOLDFAST_BUCKET": "reports",
    "HOLDFAST_COPY_REGIONS": AWAY_REGION,
}


def an_app(world: World) -> App:
    """Bootstrap's own, but for the plans, which would be SSM's."""
    functions = {f"HOLDFAST_{stage.upper()}_FUNCTION": name for stage, name in FUNCTIONS.items()}
    app = App(read_settings(ENVIRONMENT | functions), boto3.Session(region_name="us-east-1"))
    vars(app)["plans"] = world.plans
    return app


def run_function(
    monkeypatch: pytest.MonkeyPatch, world: World, event: object, functions: Functions | None = None
) -> DurableFunctionTestResult:
    monkeypatch.setattr(function, "bootstrap", lambda _deadline: an_app(world))
    invoke = functions or world.invoke
    with DurableFunctionTestRunner(function.handler, skip_time=True, poll_interval=0.01) as runner:
        for stage, name in FUNCTIONS.items():
            runner.register_function(name, lambda payload, _context, stage=stage: invoke(stage, payload))
        result: DurableFunctionTestResult = runner.run(input=json.dumps(event), execution_timeout=90_000)
        return result


class TestTheFunction:
    event: Mapping[str, object] = {"plan": "nightly", "slot": "2026-11-22T02:00:00Z"}

    def test_a_night_runs_to_its_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = a_world(nights=3)
        result = run_function(monkeypatch, world, self.event)
        assert result.status is InvocationStatus.SUCCEEDED
        assert json.loads(str(result.result))["status"] == "ok"
        assert len(world.names()) == 10
        assert len(world.notifier.messages) == 1

    def test_a_stage_that_raises_is_tried_again_and_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = a_world(nights=3)

        def invoke(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
            if stage is Stage.CREATE:
                read_settings({})
            return world.invoke(stage, payload)

        result = run_function(monkeypatch, world, self.event, invoke)
        assert result.status is InvocationStatus.FAILED
        [message] = world.notifier.messages
        assert "create_backups could not do its work" in message.text
        assert "HOLDFAST_BUCKET is missing" in message.text

    def test_a_run_with_a_failure_ends_as_failed_after_its_message(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = a_world()
        spoilt = world.cloud.add_resource("dynamodb", "spoilt", TAGS)
        world.cloud.fail("create", spoilt.arn, AccessDenied, times=99)
        result = run_function(monkeypatch, world, self.event)
        assert result.status is InvocationStatus.FAILED
        assert "PARTIAL, 3 of 4 backed up" in str(result.error)
        assert len(world.notifier.messages) == 1

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({"plan": "nightly", "slot": "soon"}, "slot: 'soon' is no time"),
            ({"plan": "Nightly!"}, "plan: 'Nightly!' is not the name of a plan"),
        ],
    )
    def test_an_event_that_says_nothing_usable_ends_with_the_reason(
        self, monkeypatch: pytest.MonkeyPatch, event: object, told: str
    ) -> None:
        world = a_world()
        result = run_function(monkeypatch, world, event)
        assert result.status is InvocationStatus.FAILED
        assert told in str(result.error)
        assert world.cloud.writes == []

    def test_without_a_slot_it_is_the_minute_in_which_the_run_began(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = a_world(listings=3)
        result = run_function(monkeypatch, world, {"plan": "nightly"})
        assert result.status is InvocationStatus.SUCCEEDED
        slots: set[datetime] = {one.mark.slot for one in world.cloud.standing() if one.mark}
        assert len(slots) == 1
        assert slots.pop().second == 0
        assert len(world.names()) == 5

    def test_every_stage_and_every_line_has_the_runs_id_which_stays_when_it_resumes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world, log = a_world(listings=1), StringIO()
        functions, handed = crashing(world, {Stage.COPY: 1}), list[tuple[str, object]]()

        def noting(stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
            handed.append((str(stage), payload["run"]))
            return functions(stage, payload)

        monkeypatch.setattr(function.logger.registered_handler, "stream", log)
        result = run_function(monkeypatch, world, self.event, noting)
        run = json.loads(str(result.result))["run"]
        assert re.fullmatch("[0-9a-f-]{36}", run)
        assert {one for _, one in handed} == {run}
        assert {stage for stage, _ in handed} == set(map(str, Stage))
        lines = read(log)
        assert {(line["run"], line["plan"], line["stage"]) for line in lines} == {(run, "nightly", "run")}
        told = [line for line in lines if line["message"] != "began"]
        assert [line["invoked"] for line in told] == [stage for stage, _ in handed], "each once"
        [crashed] = [line for line in told if line["message"] == "crashed"]
        assert (crashed["invoked"], crashed["state"], crashed["level"]) == ("copy", "failed", "ERROR")
        assert "Task timed out after 900.00 seconds" in crashed["reason"]
        assert {line["act"] for line in told} == {f"invoke {stage}" for stage in Stage}

    def test_two_runs_have_two_ids_unless_the_event_gives_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def id_of_a_run(**more: object) -> str:
            result = run_function(monkeypatch, a_world(), {**self.event, "dry_run": True, **more})
            return str(json.loads(str(result.result))["run"])

        assert id_of_a_run() != id_of_a_run()
        assert id_of_a_run(run="by-hand") == "by-hand"

    def test_a_dry_run_answers_with_every_stage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = a_world(nights=5)
        writes = len(world.cloud.writes)
        result = run_function(monkeypatch, world, dict(self.event) | {"dry_run": True})
        assert set(json.loads(str(result.result))["stages"]) == {"create", "copy", "prune"}
        assert len(world.cloud.writes) == writes
