"""How large it gets: the memory of the functions, their events, answers, records and messages, in Lambda's
own runtime, with 10,000 resources.

The limits, from Lambda's quotas and API reference (Invoke): 6 MB for what a synchronous invocation sends and
gets, 1 MB for an asynchronous event. A durable execution's step keeps 256 KB, and its error 32,768 bytes
(AWS's own SDK and local runner). SNS takes 262,144 bytes in a message, whatever characters they make.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from local import durable
from local.house import House
from local.lambda_runtime import Answer, Runtime, runtime_modules
from local.sandbox import HOME_REGION
from tests.e2e.crowd import Crowd
from tests.e2e.wire import Call, Wire

pytestmark = pytest.mark.long

MOST_RESOURCES = 10_000
FEW = 200
SYNCHRONOUS_BYTES = 6 * 1024 * 1024
ASYNCHRONOUS_BYTES = 1024 * 1024
CHECKPOINT_BYTES = 256 * 1024
ERROR_BYTES = 32_768
SNS_BYTES = 262_144

SHARE = 0.6
"""Of the memory, and of the time, that a function may need of what it has."""

MB_OF_A_PROCESSOR = 1769
"""With so much memory a function has one virtual processor, and its share with less (Lambda's developer
guide)."""

STAGES = ("create-backups", "copy-backups", "prune-backups", "publish-report")
CHECK = "check-recovery-points"
SWEPT = (*STAGES, CHECK)
TOO_LATE = timedelta(days=3)
"""After the slot, when all that is protected is overdue."""

PLAN = "crowd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A cloud in which a plan protects a crowd of tables and volumes, and the functions on a wire to it."""

    house: House
    wire: Wire
    runtimes: Mapping[str, Runtime]

    @property
    def bucket(self) -> str:
        return self.house.stack.outputs["ReportBucketName"]


@pytest.fixture(scope="module")
def edge(house: House) -> Iterator[Edge]:
    wire, cloud = Wire(house.cloud.moto.url), house.cloud
    plan = house.default_plan() | {"name": PLAN}
    plan["select"]["types"] = ["dynamodb", "ebs"]
    for rule in plan["copies"]:  # so that only volumes are copied
        del rule["bucket"], rule["incremental"]
    path = house.stack.outputs["DefaultPlanName"].rpartition("/")[0]
    cloud.clients("ssm").put_parameter(Name=f"{path}/{PLAN}", Type="String", Value=json.dumps(plan))
    modules = runtime_modules(cloud.folder / "code" / "runtime")
    runtimes = {
        name: Runtime(
            cloud.functions[f"{house.stack.name}-{name}"].function,
            {"AWS_ENDPOINT_URL": wire.url},
            cloud.nursery,
            modules,
        )
        for name in SWEPT
    }
    yield Edge(house=house, wire=wire, runtimes=runtimes)
    cloud.clients("ssm").delete_parameter(Name=f"{path}/{PLAN}")
    wire.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What an invocation over so many resources took, and what it answered."""

    resources: int
    answer: Answer
    peak_mb: float
    cpu_seconds: float

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.answer.payload)
        return report


type Sweeps = Mapping[str, Sequence[Sweep]]


@pytest.fixture(
    scope="module",
    params=[1_000, pytest.param(MOST_RESOURCES, marks=pytest.mark.slow)],
    ids=lambda n: f"{n:,}",
)
def sweeps(edge: Edge, request: pytest.FixtureRequest) -> Sweeps:
    """Each stage over few resources, then over many, in one execution environment: two backups of each, of
    which the older has its copy. And the check, so late that all is in breach."""
    slot = datetime(2026, 2, 1, 2, tzinfo=UTC) + timedelta(days=request.param // 1000)
    done: dict[str, list[Sweep]] = {stage: [] for stage in SWEPT}
    for days, resources in enumerate((FEW, request.param)):
        for stage in STAGES:
            done[stage].append(_sweep(edge, stage, resources, slot - timedelta(days=30 * days)))
        done[CHECK].append(_sweep(edge, CHECK, resources, slot - timedelta(days=30 * days)))
    return done


def _sweep(edge: Edge, stage: str, resources: int, slot: datetime) -> Sweep:
    before = slot - timedelta(days=1)
    half = resources // 2
    crowd = Crowd(tables=half, volumes=half, slots=[before, slot], copied=[before], plan=PLAN)
    runtime = edge.runtimes[stage]
    cpu_seconds = runtime.cpu_seconds
    asked: dict[str, object] = {"plan": PLAN, "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}"}
    asked |= {"at": f"{slot + TOO_LATE:%Y-%m-%dT%H:%M:%SZ}"} if stage == CHECK else {}
    asked |= {"dry_run": True} if stage == "prune-backups" else {}
    with edge.wire.ruled(crowd):
        answer = runtime.invoke(json.dumps(asked).encode())
    assert not answer.error, answer.payload
    return Sweep(
        resources=resources,
        answer=answer,
        peak_mb=runtime.peak_mb,
        cpu_seconds=runtime.cpu_seconds - cpu_seconds,
    )


def at_most(sweeps: Sequence[Sweep], of: str) -> float:
    """What it is with `MOST_RESOURCES`, where it grows as it did from few to many."""
    few, many = sweeps
    grown = getattr(many, of) - getattr(few, of)
    return float(
        getattr(many, of) + grown / (many.resources - few.resources) * (MOST_RESOURCES - many.resources)
    )


class TestTenThousand:
    def test_every_resource_is_seen(self, sweeps: Sweeps) -> None:
        for stage in STAGES:
            for sweep in sweeps[stage]:
                counts = sweep.report["counts"]
                assert (
                    sum(counts.values())
                    == {
                        "create-backups": sweep.resources,
                        "copy-backups": sweep.resources,
                        "prune-backups": sweep.resources * 2.5,
                        "publish-report": sweep.resources * 2,
                    }[stage]
                ), counts

    @pytest.mark.parametrize("stage", SWEPT)
    def test_it_fits_into_the_function_s_memory(self, edge: Edge, sweeps: Sweeps, stage: str) -> None:
        peak_mb, has_mb = at_most(sweeps[stage], "peak_mb"), edge.runtimes[stage].function.memory_mb
        print(f"{stage}: {peak_mb:.0f} MB of {has_mb} with {MOST_RESOURCES:,} resources")
        assert peak_mb < SHARE * has_mb

    @pytest.mark.parametrize("stage", SWEPT)
    def test_its_processor_time_fits_into_the_function_s_time(
        self, edge: Edge, sweeps: Sweeps, stage: str
    ) -> None:
        function = edge.runtimes[stage].function
        seconds = at_most(sweeps[stage], "cpu_seconds") / (function.memory_mb / MB_OF_A_PROCESSOR)
        print(f"{stage}: {seconds:.0f} s of {function.timeout_seconds} with {MOST_RESOURCES:,} resources")
        assert seconds < SHARE * function.timeout_seconds

    @pytest.mark.parametrize("stage", STAGES)
    def test_its_answer_fits(self, sweeps: Sweeps, stage: str) -> None:
        most_bytes = SYNCHRONOUS_BYTES if stage == "prune-backups" else CHECKPOINT_BYTES
        for sweep in sweeps[stage]:
            assert len(sweep.answer.payload) < SHARE * most_bytes
            assert sweep.report["left_out"] + len(sweep.report["outcomes"]) == sum(
                sweep.report["counts"].values()
            )

    def test_the_check_sees_all_and_its_answer_fits_with_all_in_breach(self, sweeps: Sweeps) -> None:
        """The two plans of this cloud choose the same resources by their tag."""
        for sweep in sweeps[CHECK]:
            posture = sweep.report["posture"]
            assert (posture["standing"], posture["recoverable"]) == ("breached", 0)
            assert posture["resources"] >= sweep.resources
            assert posture["breached"] >= posture["of_plan"] >= sweep.resources
            assert len(sweep.answer.payload) < SHARE * CHECKPOINT_BYTES

    def test_the_message_of_a_run_that_hands_it_on_fits(self, edge: Edge, sweeps: Sweeps) -> None:
        posture = sweeps[CHECK][-1].report["posture"]
        published, sent = _publish(edge, datetime(2026, 1, 22, 2, tzinfo=UTC), posture=posture)
        assert len(json.dumps(published).encode()) < SHARE * CHECKPOINT_BYTES
        assert len(sent["Message"].encode()) <= SNS_BYTES
        told = json.loads(json.loads(sent["Message"])["default"])
        assert told["posture"] == posture


class TestMessages:
    def test_a_record_of_ten_thousand_makes_a_message_that_sns_takes(self, edge: Edge) -> None:
        """Also where most of its characters take four bytes."""
        slot = datetime(2026, 1, 20, 2, tzinfo=UTC)
        outcomes = [_outcome(number) for number in range(MOST_RESOURCES)]
        _put_record(edge, slot, "create", outcomes)
        published, sent = _publish(edge, slot)
        assert published["counts"] == {"create.done": 6_666, "create.failed": 3_334}
        assert len(sent["Message"].encode()) <= SNS_BYTES
        assert len(sent["Subject"]) < 100
        bodies = json.loads(sent["Message"])
        assert "3334 failed" in sent["Subject"]
        assert "Failed (3334):" in bodies["email"]
        told = json.loads(bodies["default"])
        assert {one["state"] for one in told["outcomes"]} == {"failed"}
        assert len(told["outcomes"]) + told["left_out"] == MOST_RESOURCES

    @pytest.mark.parametrize(
        "problems", [["y" * 300_000], ["\N{FIRE}" * 900 for _ in range(200)]], ids=["long", "many"]
    )
    def test_problems_of_any_length_still_make_a_message(self, edge: Edge, problems: list[str]) -> None:
        published, sent = _publish(edge, datetime(2026, 1, 21, 2, tzinfo=UTC), problems=problems)
        assert published["status"] == "failed"
        assert len(sent["Message"].encode()) <= SNS_BYTES
        assert problems[0][:100] in json.loads(sent["Message"])["email"]


def _outcome(number: int) -> dict[str, object]:
    return {
        "action": "create",
        "state": "done" if number % 3 else "failed",
        "kind": "rds",
        "resource": f"arn:aws:rds:{HOME_REGION}:123456789012:db:orders-{number:05d}",
        "region": HOME_REGION,
        "backup": f"holdfast-crowd-orders-{number:05d}-20260120t020000z",
        "backup_arn": "",
        "reason": "\N{FIRE}" * 400,
    }


def _put_record(edge: Edge, slot: datetime, stage: str, outcomes: Sequence[Mapping[str, object]]) -> None:
    record = {
        "schema": "holdfast.report/1",
        "stage": stage,
        "plan": PLAN,
        "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}",
        "dry_run": False,
        "seconds": 1.0,
        "outcomes": outcomes,
        "left_out": 0,
        "refusals": [],
        "problems": [],
    }
    edge.house.cloud.clients("s3").put_object(
        Bucket=edge.bucket,
        Key=f"runs/{PLAN}/{slot:%Y%m%dT%H%M%SZ}/{stage}.json",
        Body=json.dumps(record, ensure_ascii=False).encode(),
    )


def _publish(edge: Edge, slot: datetime, **more: object) -> tuple[dict[str, Any], dict[str, str]]:
    """What publish_report answers, and what it gave SNS."""
    sent: list[dict[str, str]] = []

    def note(call: Call) -> None:
        if call.operation == "Publish":
            sent.append({key: values[0] for key, values in parse_qs(call.body.decode()).items()})

    asked = {"plan": PLAN, "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}", **more}
    with edge.wire.ruled(note):
        answer = edge.runtimes["publish-report"].invoke(json.dumps(asked).encode())
    assert not answer.error, answer.payload[:1000]
    (message,) = sent
    return json.loads(answer.payload), message


class TestEvents:
    @pytest.mark.parametrize(
        "event",
        [
            {"plan": "x" * 5_000_000},
            {"plan": PLAN, "slot": "x" * 5_000_000},
            {"plan": PLAN} | {f"key-{number}": number for number in range(200_000)},
            ["x" * 5_000_000],
        ],
        ids=["plan", "slot", "keys", "list"],
    )
    def test_a_large_event_that_cannot_be_used_is_told_in_few_words(self, edge: Edge, event: object) -> None:
        payload = json.dumps(event).encode()
        assert len(payload) < SYNCHRONOUS_BYTES
        answer = edge.runtimes["create-backups"].invoke(payload)
        assert answer.error
        error = json.loads(answer.payload)
        assert error["errorType"] == "RequestError"
        assert len(answer.payload) < ERROR_BYTES

    def test_so_it_is_by_a_run(self, edge: Edge) -> None:
        """The largest event that may come asynchronously."""
        payload = json.dumps({"plan": PLAN, "slot": "x" * (ASYNCHRONOUS_BYTES - 1000)}).encode()
        answer = edge.house.cloud.clients("lambda").invoke(
            FunctionName=f"{edge.house.stack.name}-run-plan",
            Qualifier="live",
            InvocationType="Event",
            Payload=payload,
        )
        execution = durable.wait(edge.house.cloud.runner, answer["DurableExecutionArn"], 60)
        assert execution.status == "FAILED"
        assert len(json.dumps(execution.error)) < ERROR_BYTES
        assert "the event cannot be used" in execution.error["ErrorMessage"]
