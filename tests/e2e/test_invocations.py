"""Calling the functions: the gateway speaks as Lambda does, every event is answered by the functions
that it names, and a dry run changes nothing.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import durable, invoke, serve
from local.house import House
from local.paths import EVENTS
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.recorder import recorded_calls

CHECK, RESTORE, RETURN, RECOVER = "check_recovery_points", "restore", "return_items", "recover"
DRILL, VERIFY = "drill", "verify_database"
"""What a drill asks, and nobody else."""
OF_PLANS = [
    one
    for one in invoke.functions_for(EVENTS / "nightly.json")
    if one not in (CHECK, RESTORE, RETURN, RECOVER, VERIFY)
]
"""The check looks at all plans at once, a restore and a return are of none: of an event that names a plan
alone they say so."""

CALLS = [
    (event, name)
    for event in sorted(EVENTS.glob("*.json"))
    for name in (OF_PLANS if event.stem == "nightly" else invoke.functions_for(event))
]


@pytest.mark.parametrize(("event", "function"), CALLS, ids=[f"{e.stem}-{f}" for e, f in CALLS])
def test_an_event_is_answered(house: House, event: Path, function: str) -> None:
    payload = invoke.read_event(event)
    if function in (RESTORE, RECOVER, DRILL):  # what is made would stay for the others
        payload = json.dumps({**json.loads(payload), "dry_run": True}).encode()
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, payload)
    assert not answer.error, answer.payload
    told = json.loads(answer.payload)
    if function == RESTORE:
        assert told["state"] in ("planned", "refused"), told
        assert told["reason"]
    elif function == RETURN:  # of a table that nobody has restored here
        assert (told["state"], "there is no table" in told["reason"]) == ("refused", True), told
    elif function == VERIFY:  # whose secret nobody has made here
        assert (told["passed"], told["checks"]) == (False, []), told
        assert "GetSecretValue" in told["reason"]
    elif function == CHECK:
        assert told["posture"]["at"] == told["at"] == json.loads(event.read_text()).get("at", told["at"])
        assert told["posture"]["problems"] == []
    else:
        assert told["plan"] == "nightly"


def test_a_check_writes_what_it_saw_and_nothing_else(house: House) -> None:
    before = all_that_is(house)
    with recorded_calls(house.cloud) as calls:
        answer = invoke.invoke(
            house.cloud.clients, house.stack.name, CHECK, b'{"at": "2026-07-01T02:00:00Z"}'
        )
    assert not answer.error, answer.payload
    bucket = house.stack.outputs["ReportBucketName"]
    written = ("posture/day%3D2026-07-01/20260701T020000Z.jsonl.gz", "page/index.html")
    assert [call for call in calls if not call.startswith(READS)] == [
        f"PUT /{bucket}/{key}" for key in written
    ]
    assert {**all_that_is(house), "records": ()} == {**before, "records": ()}


def test_the_check_of_an_event_that_names_a_plan_alone_says_what_to_give(house: House) -> None:
    payload = invoke.read_event(EVENTS / "nightly.json")
    answer = invoke.invoke(house.cloud.clients, house.stack.name, CHECK, payload)
    assert "plan and slot: give both" in json.loads(answer.payload)["errorMessage"]


@pytest.mark.parametrize("function", OF_PLANS)
def test_a_dry_run_changes_nothing(house: House, function: str) -> None:
    payload = b'{"plan": "nightly", "slot": "2026-07-01T02:00:00Z", "dry_run": true}'
    before = all_that_is(house)
    with recorded_calls(house.cloud) as calls:
        answer = invoke.invoke(house.cloud.clients, house.stack.name, function, payload)
    assert not answer.error, answer.payload
    assert calls
    assert [call for call in calls if not call.startswith(READS)] == []
    assert all_that_is(house) == before


READS = ("Describe", "Get", "List", "GET ", "HEAD ")


def all_that_is(house: House) -> Mapping[str, Any]:
    """Everything that a stage could change: backups, databases, tables, records, messages."""
    clients, bucket = house.cloud.clients, house.stack.outputs["ReportBucketName"]
    sqs = clients("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    return {
        "backups": house.standing(),
        "instances": [
            (one["DBInstanceArn"], one["DBInstanceStatus"], one["TagList"])
            for region in (HOME_REGION, COPY_REGION)
            for one in clients("rds", region).describe_db_instances()["DBInstances"]
        ],
        "tables": clients("dynamodb").list_tables()["TableNames"],
        "records": [
            (one["Key"], one["VersionId"])
            for one in clients("s3").list_object_versions(Bucket=bucket).get("Versions", [])
        ],
        "exports": clients("s3", COPY_REGION).list_objects_v2(Bucket=house.copy_bucket)["KeyCount"],
        "messages": [
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ]
            for url in urls
        ],
    }


class TestMakeInvoke:
    """`python -m local.invoke`, as `make invoke` calls it."""

    @pytest.fixture(autouse=True)
    def environment_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        file = tmp_path / "cloud.env"
        monkeypatch.setattr(serve, "CLOUD_ENV", file)
        return file

    def test_it_prints_the_answer_and_what_of_it_is_for_people_as_it_is(
        self, house: House, capsys: pytest.CaptureFixture[str]
    ) -> None:
        serve.write_environment(house)
        assert invoke.main(["prune_backups", str(EVENTS / "prune_backups.dry_run.json")]) == 0
        printed = capsys.readouterr().out
        answer, end = json.JSONDecoder().raw_decode(printed)
        assert answer["stage"] == "prune"
        assert "text" not in answer
        assert printed[end:].startswith("\nPlan nightly, as of ")

    def test_an_answer_without_words_for_people_is_json_alone(
        self, house: House, capsys: pytest.CaptureFixture[str]
    ) -> None:
        serve.write_environment(house)
        assert invoke.main(["copy_backups", str(EVENTS / "copy_backups.dry_run.json")]) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == "copy"

    def test_a_failed_function_ends_it_with_1(
        self, house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        serve.write_environment(house)
        event = tmp_path / "event.json"
        event.write_text('{"plan": "nosuch"}')
        assert invoke.main(["create_backups", str(event)]) == 1
        assert "create_backups failed (Unhandled)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("function", "event", "said"),
        [
            (
                "no_such",
                "events/nightly.json",
                "publish_report, record_settings, recover, restore, return_items, run_plan",
            ),
            ("create_backups", "events/no_such.json", "events/nightly.json"),
            ("create_backups", "README.md", "is not JSON"),
        ],
    )
    def test_what_is_not_there_is_named(
        self, function: str, event: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert invoke.main([function, event]) == 2
        assert said in " ".join(capsys.readouterr().out.split())

    def test_without_a_cloud_it_says_so(
        self, environment_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert invoke.main(["create_backups", str(EVENTS / "nightly.json")]) == 2
        assert "no cloud is up" in capsys.readouterr().out
        environment_file.write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:9\nexport HOLDFAST_STACK=x\n")
        assert serve.running_cloud() == {}


def refusal(house: House, **call: Any) -> tuple[str, int]:
    """The code and the status with which Lambda refuses an invocation."""
    with pytest.raises(ClientError) as caught:
        house.cloud.clients("lambda").invoke(**call)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_durable_function_is_invoked_by_a_qualifier_only(house: House) -> None:
    name = house.stack.outputs["RunPlanFunctionName"]
    assert refusal(house, FunctionName=name) == ("InvalidParameterValueException", 400)
    assert refusal(house, FunctionName=f"{name}:$LATEST") == ("InvalidParameterValueException", 400)


@pytest.mark.parametrize("suffix", ["-no-such", "-create-backups:no-such"])
def test_what_is_not_there_is_not_found(house: House, suffix: str) -> None:
    assert refusal(house, FunctionName=house.stack.name + suffix) == ("ResourceNotFoundException", 404)


def test_a_function_stands_in_its_own_region_only(house: House) -> None:
    with pytest.raises(ClientError) as caught:
        house.cloud.clients("lambda", "us-west-2").invoke(
            FunctionName=house.stack.outputs["CreateBackupsFunctionName"]
        )
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_payload_that_is_no_json_is_refused(house: House) -> None:
    name = house.stack.outputs["CreateBackupsFunctionName"]
    assert refusal(house, FunctionName=name, Payload=b"{") == ("InvalidRequestContentException", 400)


@pytest.mark.parametrize("form", ["{name}", "{name}:live", "{name}:1", "{arn}", "{arn}:live"])
def test_a_function_is_known_by_name_and_arn(house: House, form: str) -> None:
    name = house.stack.outputs["PruneBackupsFunctionName"]
    arn = house.cloud.functions[name].function.arn
    answer = house.cloud.clients("lambda").invoke(
        FunctionName=form.format(name=name, arn=arn), Payload=b'{"plan": "nightly", "dry_run": true}'
    )
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"])["stage"] == "prune"


def test_an_error_of_the_function_is_told(house: House) -> None:
    answer = house.cloud.clients("lambda").invoke(
        FunctionName=house.stack.outputs["CreateBackupsFunctionName"], Payload=b'{"plan": "nosuch"}'
    )
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert "nosuch" in json.load(answer["Payload"])["errorMessage"]


def test_an_execution_name_starts_one_execution(house: House) -> None:
    def start(payload: bytes) -> str:
        answer = house.cloud.clients("lambda").invoke(
            FunctionName=house.stack.outputs["RunPlanFunctionName"],
            Qualifier="live",
            InvocationType="Event",
            DurableExecutionName="only-once",
            Payload=payload,
        )
        return str(answer["DurableExecutionArn"])

    dry_run = b'{"plan": "nightly", "slot": "2026-06-01T02:00:00Z", "dry_run": true}'
    first = start(dry_run)
    assert start(dry_run) == first
    with pytest.raises(ClientError) as caught:
        start(b'{"plan": "nightly"}')
    assert caught.value.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException"
    assert durable.wait(house.cloud.runner, first, 60).status == "SUCCEEDED"


def test_other_services_and_other_calls_of_lambda_go_to_moto(house: House) -> None:
    s3 = house.cloud.clients("s3")
    s3.create_bucket(Bucket="passed-through")
    body = bytes(range(256)) * 5000
    s3.put_object(Bucket="passed-through", Key="a/b c+d", Body=body)
    assert s3.get_object(Bucket="passed-through", Key="a/b c+d")["Body"].read() == body
    assert s3.head_object(Bucket="passed-through", Key="a/b c+d")["ContentLength"] == len(body)
    s3.delete_object(Bucket="passed-through", Key="a/b c+d")
    functions = house.cloud.clients("lambda").list_functions()["Functions"]
    assert {one["FunctionName"] for one in functions} == set(house.cloud.functions)
