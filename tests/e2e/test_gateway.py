"""The gateway speaks as Lambda does, and lets everything else through."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import durable
from local.house import House

pytestmark = pytest.mark.xdist_group("cloud")


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
