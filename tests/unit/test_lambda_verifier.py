"""Asking a verifier, and its asking for its secret: what answers and failures become."""

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from holdfast.adapters.lambda_verifier import LambdaVerifier
from holdfast.adapters.secret import ManagedSecret
from holdfast.core.errors import AccessDenied, NotFound, ProviderError, SettingsError, Throttled
from holdfast.core.verifying import SCHEMA, question_to_dict
from tests.unit.test_verifying import BAD, GOOD, QUESTION

FUNCTION = "mine:live"
CHECKS = [{"name": one.name, "passed": one.passed, "found": one.found} for one in (GOOD, BAD)]


@pytest.fixture
def stubbed() -> Iterator[tuple[LambdaVerifier, Stubber]]:
    client = boto3.client("lambda", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield LambdaVerifier(client=client, function=FUNCTION), stubber
        stubber.assert_no_pending_responses()


def answers(stubber: Stubber, text: str, **more: str) -> None:
    body = StreamingBody(io.BytesIO(text.encode()), len(text.encode()))
    expected = {"FunctionName": FUNCTION, "Payload": json.dumps(question_to_dict(QUESTION)).encode()}
    stubber.add_response("invoke", {"StatusCode": 200, "Payload": body, **more}, expected)


type Stubbed = tuple[LambdaVerifier, Stubber]


def test_a_verdict_is_handed_on(stubbed: Stubbed) -> None:
    answers(stubbed[1], json.dumps({"schema": SCHEMA, "passed": False, "reason": "r", "checks": CHECKS}))
    verdict = stubbed[0].verify(QUESTION)
    assert (verdict.passed, verdict.reason, verdict.checks) == (False, "r", (GOOD, BAD))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "did not answer as a verifier does"),
        ("null", "did not answer as a verifier does"),
        ("[" * 100_000, "did not answer as a verifier does"),
        (json.dumps({"schema": SCHEMA, "passed": True, "checks": CHECKS}), "its 2 checks say otherwise"),
        (json.dumps({"schema": SCHEMA, "passed": False, "checks": CHECKS * 51}), "102 checks are too many"),
    ],
    ids=["nothing", "null", "deep", "a claim", "many"],
)
def test_what_is_no_verdict_has_let_nothing_pass(stubbed: Stubbed, text: str, told: str) -> None:
    answers(stubbed[1], text)
    verdict = stubbed[0].verify(QUESTION)
    assert (verdict.passed, verdict.checks) == (False, ())
    assert told in verdict.reason
    assert len(verdict.reason) < 1_000


def test_a_function_that_fails_has_let_nothing_pass(stubbed: Stubbed) -> None:
    answers(stubbed[1], '{"errorMessage": "Task timed out"}', FunctionError="Unhandled")
    verdict = stubbed[0].verify(QUESTION)
    assert not verdict.passed
    assert "the function mine:live failed" in verdict.reason
    assert "Task timed out" in verdict.reason


def test_long_texts_are_cut(stubbed: Stubbed) -> None:
    long = [{"name": "n" * 10_000, "passed": False, "found": "f" * 10_000}]
    answers(
        stubbed[1], json.dumps({"schema": SCHEMA, "passed": False, "reason": "r" * 9_999, "checks": long})
    )
    verdict = stubbed[0].verify(QUESTION)
    assert max(len(verdict.reason), len(verdict.checks[0].name), len(verdict.checks[0].found)) < 600


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("TooManyRequestsException", Throttled),
        ("ResourceNotFoundException", NotFound),
        ("AccessDeniedException", AccessDenied),
    ],
)
def test_a_call_that_lambda_refuses_is_an_error(stubbed: Stubbed, code: str, error: Any) -> None:
    stubbed[1].add_client_error("invoke", code)
    with pytest.raises(error):
        stubbed[0].verify(QUESTION)


class TestSecret:
    ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:reader-AbCdEf"

    def test_it_is_read(self) -> None:
        client = boto3.client("secretsmanager", region_name="us-east-1")
        with Stubber(client) as stubber:
            stubber.add_response("get_secret_value", {"SecretString": "{}"}, {"SecretId": self.ARN})
            assert ManagedSecret(client=client, arn=self.ARN).read() == "{}"

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("ResourceNotFoundException", NotFound),
            ("AccessDeniedException", AccessDenied),
            ("DecryptionFailure", ProviderError),
        ],
    )
    def test_why_it_is_not(self, code: str, error: Any) -> None:
        client = boto3.client("secretsmanager", region_name="us-east-1")
        with Stubber(client) as stubber:
            stubber.add_client_error("get_secret_value", code)
            with pytest.raises(error, match="GetSecretValue"):
                ManagedSecret(client=client, arn=self.ARN).read()

    def test_without_an_arn_it_is_said_what_is_missing(self) -> None:
        client = boto3.client("secretsmanager", region_name="us-east-1")
        with pytest.raises(SettingsError, match="VERIFIER_SECRET_ARN is missing"):
            ManagedSecret(client=client, arn="").read()
