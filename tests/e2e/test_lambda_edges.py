"""Where Lambda itself ends the work: too little time, or something missing when a function starts. The built
functions, in Lambda's own runtime."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from local import durable
from local.company import COMPANY
from local.house import MACHINES, House
from local.lambda_runtime import Answer, Runtime, runtime_modules
from local.nights import RUN_TAKES
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import Hurried
from tests.e2e.wire import Call, Reply, Rule, Wire, in_json

pytestmark = pytest.mark.long

PLAN = "edges"
STOP_BEFORE_SECONDS = 60
"""A sweep begins nothing with less time left than this, as docs/architecture.md says."""

HURRIED_SECONDS = 6
KILLED_A_MOMENT_AGO = (
    "another create_backups is at work for this plan, or was killed a moment ago: a later sweep goes on"
)
OUT_OF_TIME = "not begun, since the function's time was nearly over: a later sweep goes on"

BACKED_UP = {(one.kind, one.name, HOME_REGION) for one in COMPANY if one.is_protected}
COPIED = {(one.kind, one.name, COPY_REGION) for one in COMPANY if one.is_protected}
_slots = (datetime(2026, 3, 1, 2, tzinfo=UTC) + timedelta(days=day) for day in count())


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A filled cloud with a plan of its own, and a wire to it that functions can be started on."""

    house: House
    wire: Wire
    hurried: list[Hurried] = field(default_factory=list)

    def runtime(self, function: str, seconds: int = 0, variables: Mapping[str, str] | None = None) -> Runtime:
        """A runtime of a function, on the wire, with another timeout or other variables if there are any."""
        return Runtime(*self._parts(function, seconds, variables or {}))

    def hurry(self, function: str) -> Hurried:
        """One that Lambda ends when `HURRIED_SECONDS` are over, and that believes to have longer."""
        self.hurried.append(Hurried(*self._parts(function, HURRIED_SECONDS, {})))
        return self.hurried[-1]

    def _parts(self, function: str, seconds: int, variables: Mapping[str, str]) -> tuple[Any, ...]:
        cloud = self.house.cloud
        deployed = cloud.functions[f"{self.house.stack.name}-{function}"].function
        function_ = replace(
            deployed,
            timeout_seconds=seconds or deployed.timeout_seconds,
            variables={**deployed.variables, **variables},
        )
        endpoints = {"AWS_ENDPOINT_URL": self.wire.url, "AWS_ENDPOINT_URL_LAMBDA": cloud.endpoint}
        return function_, endpoints, cloud.nursery, runtime_modules(cloud.folder / "code" / "runtime")

    def put_plan(self, name: str) -> None:
        plan = self.house.default_plan() | {"name": name}
        self.house.cloud.clients("ssm").put_parameter(
            Name=self.parameter(name), Type="String", Value=json.dumps(plan), Overwrite=True
        )

    def parameter(self, name: str) -> str:
        return f"{self.house.stack.outputs['DefaultPlanName'].rpartition('/')[0]}/{name}"

    @property
    def bucket(self) -> str:
        return self.house.stack.outputs["ReportBucketName"]

    def record(self, slot: datetime, stage: str) -> dict[str, Any]:
        key = f"runs/{PLAN}/{slot:%Y%m%dT%H%M%SZ}/{stage}.json"
        answer = self.house.cloud.clients("s3").get_object(Bucket=self.bucket, Key=key)
        record: dict[str, Any] = json.load(answer["Body"])
        return record

    def standing(self, slot: datetime) -> Counter[tuple[str, str, str]]:
        """How many backups of the slot stand, by kind, resource and Region."""
        return Counter((one.kind, one.name, one.region) for one in self.house.standing() if one.slot == slot)

    def let_the_turn_end(self, name: str = PLAN) -> None:
        """As if the lease of a sweep that was killed had passed."""
        over = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        s3 = self.house.cloud.clients("s3")
        s3.put_object(Bucket=self.bucket, Key=f"turns/{name}.json", Body=json.dumps({"until": over}).encode())

    @contextmanager
    def instead(self, **runtimes: Runtime) -> Iterator[None]:
        """Within, whoever invokes these functions (`create_backups=…`) gets to these runtimes."""
        cloud = self.house.cloud
        named = {f"{self.house.stack.name}-{name.replace('_', '-')}": one for name, one in runtimes.items()}
        cloud.gateway.functions.runtimes = {**cloud.runtimes, **named}
        try:
            yield
        finally:
            cloud.gateway.functions.runtimes = cloud.runtimes

    def run(self, plan: str, slot: datetime) -> durable.Execution:
        """A whole durable run."""
        answer = self.house.cloud.clients("lambda").invoke(
            FunctionName=f"{self.house.stack.name}-run-plan",
            Qualifier="live",
            InvocationType="Event",
            Payload=event(slot, plan=plan, at=f"{slot + RUN_TAKES:%Y-%m-%dT%H:%M:%SZ}"),
        )
        return durable.wait(self.house.cloud.runner, answer["DurableExecutionArn"], 120)

    def message(self) -> dict[str, Any]:
        """The only message that machines got since they were last asked."""
        (message,) = self.messages()
        return message

    def messages(self) -> list[dict[str, Any]]:
        found = [json.loads(one["Message"]) for one in self.house.messages(MACHINES)]
        return [one for one in found if one["plan"] != "nightly"]


@pytest.fixture(scope="module")
def edge(house: House) -> Iterator[Edge]:
    wire = Wire(house.cloud.moto.url)
    edge = Edge(house=house, wire=wire)
    edge.put_plan(PLAN)
    yield edge
    for one in edge.hurried:
        one.stop()
    wire.stop()


def event(slot: datetime, **more: object) -> bytes:
    return json.dumps({"plan": PLAN, "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}", **more}).encode()


def told(answer: Answer) -> dict[str, Any]:
    """The summary that a stage answered with."""
    assert not answer.error, answer.payload
    summary: dict[str, Any] = json.loads(answer.payload)
    return summary


def failure(answer: Answer) -> tuple[str, str]:
    """The type and the message of the error that a function ended with."""
    assert answer.error == "Unhandled", answer.payload
    error = json.loads(answer.payload)
    return error["errorType"], error["errorMessage"]


def reasons(report: Mapping[str, Any], state: str) -> set[str]:
    return {one["reason"] for one in report["outcomes"] if one["state"] == state}


@dataclass(slots=True)
class Ending:
    """A rule by which a function is ended during the first call of an operation, after it had its effect or
    before: by Lambda, whose time it is over, if it is a hurried one, else by being killed at once.

    The operation is such as `CreateBackup`, or the end of the path that is written to.
    """

    edge: Edge
    runtime: Runtime
    operation: str
    after: bool = False
    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Call) -> Reply | None:
        wanted = call.operation.endswith(self.operation) and call.method in ("PUT", "POST")
        if not wanted or self.begun.is_set():
            return None
        self.begun.set()
        if self.after:
            self.edge.wire.pass_on(call)
        if isinstance(self.runtime, Hurried):
            time.sleep(HURRIED_SECONDS + 1)
        else:
            for process in self.runtime.handler_ids:
                os.kill(process, signal.SIGKILL)
        return Reply(status=500)

    def happens(self, slot: datetime) -> None:
        with self.edge.wire.ruled(self):
            kind, message = failure(self.runtime.invoke(event(slot)))
        assert self.begun.is_set(), "it was over before it came so far"
        if isinstance(self.runtime, Hurried):
            assert kind == "Sandbox.Timedout"
            assert f"Task timed out after {HURRIED_SECONDS}" in message
        else:
            assert kind == "Runtime.ExitError"


@pytest.fixture(scope="module")
def creating(edge: Edge) -> Runtime:
    return edge.runtime("create-backups")


@pytest.fixture(scope="module")
def reporting(edge: Edge) -> Runtime:
    return edge.runtime("publish-report")


class TestTime:
    """An invocation that is over before its work is."""

    @pytest.mark.parametrize(
        ("stage", "slow", "wanted"),
        [
            ("create", "CreateDBClusterSnapshot", BACKED_UP),
            ("copy", "CopyDBClusterSnapshot", BACKED_UP | COPIED),
        ],
    )
    def test_a_sweep_stops_by_itself_before_its_time_is_over_and_the_next_goes_on(
        self, edge: Edge, stage: str, slow: str, wanted: set[tuple[str, str, str]]
    ) -> None:
        slot = next(_slots)
        if stage == "copy":
            told(edge.house.cloud.runtimes["holdfast-create-backups"].invoke(event(slot)))
        seconds = STOP_BEFORE_SECONDS + 6
        runtime = edge.runtime(f"{stage}-backups", seconds)
        end = time.monotonic() + seconds

        def until_it_is_late(call: Call) -> None:
            if call.operation == slow:
                time.sleep(max(0, end - STOP_BEFORE_SECONDS + 0.5 - time.monotonic()))

        with edge.wire.ruled(until_it_is_late):
            first = told(runtime.invoke(event(slot)))
        assert time.monotonic() < end - STOP_BEFORE_SECONDS / 2
        assert first["unfinished"]
        assert first["status"] == "partial"
        assert OUT_OF_TIME in reasons(first, "pending")
        begun = set(edge.standing(slot))
        assert begun < wanted
        record = edge.record(slot, stage)
        assert record["counts"] == first["counts"]

        again = told(runtime.invoke(event(slot)))
        while again["unfinished"]:
            again = told(runtime.invoke(event(slot)))
        assert edge.standing(slot) == Counter(wanted)
        assert edge.record(slot, stage)["status"] == "ok"

    def test_a_sweep_that_lambda_ends_during_a_call_leaves_nothing_that_the_next_does_not_heal(
        self, edge: Edge, creating: Runtime
    ) -> None:
        slot = next(_slots)
        Ending(edge, edge.hurry("create-backups"), "CreateBackup", after=True).happens(slot)
        assert_that_the_next_heals(edge, creating, slot)

    @pytest.mark.parametrize(
        ("operation", "after"),
        [("CreateBackup", False), ("CreateSnapshots", True)],
        ids=["before its effect", "after the effect of one for several"],
    )
    def test_so_does_one_that_is_killed(
        self, edge: Edge, creating: Runtime, operation: str, after: bool
    ) -> None:
        slot = next(_slots)
        Ending(edge, creating, operation, after).happens(slot)
        assert_that_the_next_heals(edge, creating, slot)

    @pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it was written"])
    def test_a_sweep_that_is_killed_with_its_record_makes_no_second_backup(
        self, edge: Edge, creating: Runtime, after: bool
    ) -> None:
        slot = next(_slots)
        Ending(edge, creating, "/create.json", after).happens(slot)
        assert edge.standing(slot) == Counter(BACKED_UP)
        healed = told(creating.invoke(event(slot)))
        assert healed["status"] == "ok"
        assert edge.standing(slot) == Counter(BACKED_UP)
        assert edge.record(slot, "create")["counts"] == {"create.done": len(BACKED_UP)}

    @pytest.mark.parametrize(
        ("operation", "after", "messages"),
        [("Publish", False, 1), ("Publish", True, 2), ("/report.json", False, 2), ("/report.json", True, 1)],
        ids=[
            "before the message is out",
            "when SNS has the message",
            "before the run's record is written",
            "when the run's record is written",
        ],
    )
    def test_a_report_that_is_killed_is_told_by_the_next_invocation_at_the_latest(
        self, edge: Edge, reporting: Runtime, operation: str, after: bool, messages: int
    ) -> None:
        """Rather twice than never: a message that may have gone out is sent again."""
        slot = next(_slots)
        edge.messages()
        Ending(edge, reporting, operation, after).happens(slot)
        again = told(reporting.invoke(event(slot)))
        found = edge.messages()
        assert [one["slot"] for one in found] == [again["slot"]] * messages
        assert all(said_of_the_slot(one) == said_of_the_slot(found[0]) for one in found)
        assert edge.record(slot, "report")["problems"] == again["problems"]

    def test_a_run_goes_on_after_lambda_ended_a_stage_and_its_report(self, edge: Edge) -> None:
        slot = next(_slots)
        edge.messages()
        create, publish = edge.hurry("create-backups"), edge.hurry("publish-report")
        endings = [Ending(edge, create, "GetParameter"), Ending(edge, publish, "Publish")]

        def each_once(call: Call) -> Reply | None:
            return next((reply for rule in endings if (reply := rule(call))), None)

        with edge.wire.ruled(each_once), edge.instead(create_backups=create, publish_report=publish):
            execution = edge.run(PLAN, slot)
        assert all(one.begun.is_set() for one in endings)
        assert execution.status == "SUCCEEDED", execution.error
        assert edge.standing(slot) == Counter(BACKED_UP | COPIED)
        assert edge.message()["status"] == "ok"


def said_of_the_slot(message: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is of the invocation that sends it."""
    return {key: value for key, value in message.items() if key not in ("run", "usage")}


def assert_that_the_next_heals(edge: Edge, creating: Runtime, slot: datetime) -> None:
    """Nothing is made while the turn of the one that was ended lasts, and all that is missing after it."""
    left = edge.standing(slot)
    meanwhile = told(creating.invoke(event(slot)))
    assert reasons(meanwhile, "pending") == {KILLED_A_MOMENT_AGO}
    assert meanwhile["unfinished"]
    assert edge.standing(slot) == left, "made without the turn"
    edge.let_the_turn_end()
    healed = told(creating.invoke(event(slot)))
    while healed["unfinished"]:
        healed = told(creating.invoke(event(slot)))
    assert edge.standing(slot) == Counter(BACKED_UP)
    assert edge.record(slot, "create")["counts"] == {"create.done": len(BACKED_UP)}


class TestColdStart:
    """Something that a function needs is not there when it starts."""

    def test_a_plan_that_is_missing_is_named_and_found_when_it_is_there(self, edge: Edge) -> None:
        slot, runtime = next(_slots), edge.runtime("create-backups")
        kind, message = failure(runtime.invoke(event(slot, plan="later")))
        assert kind == "PlanError"
        assert edge.parameter("later") in message
        assert "the plans there are: edges, nightly" in message
        environment = runtime.handler_ids
        edge.put_plan("later")
        try:
            assert told(runtime.invoke(event(slot, plan="later", dry_run=True)))["counts"]
        finally:
            edge.house.cloud.clients("ssm").delete_parameter(Name=edge.parameter("later"))
        assert runtime.handler_ids == environment

        with edge.wire.ruled(refusing("GetParameter", "AccessDeniedException", 1)):
            kind, message = failure(runtime.invoke(event(slot, dry_run=True)))
        assert kind == "AccessDenied"
        assert f"GetParameter of {edge.parameter(PLAN)}: AccessDenied" in message
        with edge.wire.ruled(refusing("GetParameter", "ThrottlingException", 2)) as calls:
            assert told(runtime.invoke(event(slot, dry_run=True)))["counts"]
        assert calls.count("GetParameter") == 3
        assert runtime.handler_ids == environment

    def test_a_bucket_that_is_missing_is_named_and_found_when_it_is_there(self, edge: Edge) -> None:
        slot, runtime = next(_slots), edge.runtime("create-backups")

        def without_it(call: Call) -> Reply | None:
            said = b"<Error><Code>NoSuchBucket</Code><Message>There is none.</Message></Error>"
            return Reply(status=404, body=said) if call.path.startswith(f"/{edge.bucket}") else None

        with edge.wire.ruled(without_it):
            kind, message = failure(runtime.invoke(event(slot)))
        assert kind == "NotFound"
        assert f"s3://{edge.bucket}/turns/edges.json: NoSuchBucket" in message
        assert edge.standing(slot) == Counter(), "made without a turn"
        environment = runtime.handler_ids
        assert told(runtime.invoke(event(slot)))["record"].startswith(f"s3://{edge.bucket}/runs/edges/")
        assert runtime.handler_ids == environment

    @pytest.mark.parametrize(
        ("function", "variable"),
        [
            ("create-backups", "HOLDFAST_STACK"),
            ("copy-backups", "HOLDFAST_BUCKET"),
            ("prune-backups", "HOLDFAST_HOLDS_PARAMETER"),
            ("publish-report", "HOLDFAST_TOPIC_ARN"),
        ],
    )
    def test_a_variable_that_is_missing_is_named(self, edge: Edge, function: str, variable: str) -> None:
        kind, message = failure(edge.runtime(function, variables={variable: ""}).invoke(event(next(_slots))))
        assert kind == "SettingsError"
        assert f"{variable} is missing" in message
        assert "see template.yaml" in message

    def test_a_run_tells_which_stage_lacks_what(self, edge: Edge) -> None:
        slot = next(_slots)
        edge.messages()
        with edge.instead(
            create_backups=edge.runtime("create-backups", variables={"HOLDFAST_PLANS_PATH": ""})
        ):
            execution = edge.run(PLAN, slot)
        assert execution.status == "FAILED"
        message = edge.message()
        assert message["status"] == "failed"
        assert [one for one in message["problems"] if "create_backups could not do its work" in one] == [
            (
                "create_backups could not do its work: the environment cannot be used: "
                "HOLDFAST_PLANS_PATH is missing (see template.yaml)"
            )
        ]
        assert (
            "prune_backups was not run, since create_backups did not finish its work" in message["problems"]
        )

    def test_a_run_without_its_plan_tells_so(self, edge: Edge) -> None:
        edge.messages()
        assert edge.run("absent", next(_slots)).status == "FAILED"
        message = edge.message()
        assert message["status"] == "failed"
        assert any(
            f"there is no SSM parameter {edge.parameter('absent')}" in one for one in message["problems"]
        )

    def test_a_run_that_may_not_read_its_plan_tells_so(self, edge: Edge) -> None:
        edge.messages()
        run_plan = edge.runtime("run-plan")
        with (
            edge.wire.ruled(refusing("GetParameter", "AccessDeniedException", 1)),
            edge.instead(run_plan=run_plan),
        ):
            assert edge.run(PLAN, next(_slots)).status == "FAILED"
        message = edge.message()
        assert any(
            f"GetParameter of {edge.parameter(PLAN)}: AccessDenied" in one for one in message["problems"]
        )

    def test_a_run_without_the_name_of_a_stage_ends_as_failed(self, edge: Edge) -> None:
        with edge.instead(run_plan=edge.runtime("run-plan", variables={"HOLDFAST_REPORT_FUNCTION": ""})):
            execution = edge.run(PLAN, next(_slots))
        assert execution.status == "FAILED"
        assert "no function is named for the stages report" in execution.error["ErrorMessage"]


def refusing(operation: str, code: str, times: int) -> Rule:
    """So often, the operation is refused as a service that speaks JSON does it."""
    left = count(times, -1)

    def rule(call: Call) -> Reply | None:
        if call.operation != operation or next(left) <= 0:
            return None
        return in_json({"__type": code, "message": "as the test wants it"}, status=400)

    return rule
