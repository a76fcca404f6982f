"""The weather's layer: each fault in each protocol, over a socket, as a real botocore client reads it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError
from werkzeug.serving import make_server

from local.weather import control, faults
from local.weather.calls import Call, Protocol, read_call
from local.weather.forecast import (
    PRESETS,
    STORM,
    Fault,
    Forecast,
    Mishap,
    Rule,
    forecast_from_dict,
)
from local.weather.layer import Weather
from local.weather.protocols import Refusal
from local.weather.rates import Bucket
from local.weather.truth import Log

ROLE_KEY = "ASIAFUNCTION"
OTHER_KEY = "testing"

JSON = "application/x-amz-json-1.0"

ANSWERS: Mapping[str, tuple[str, bytes]] = {
    "ListBackups": (JSON, b'{"BackupSummaries": []}'),
    "CreateBackup": (JSON, b'{"BackupDetails": {}}'),
    "GetParameter": (JSON, b'{"Parameter": {"Name": "/holdfast/plans/nightly", "Value": "{}"}}'),
    "DescribeKey": (JSON, b'{"KeyMetadata": {"KeyId": "k"}}'),
    "GetServiceQuota": (JSON, b'{"Quota": {"Value": 100}}'),
    "GetResources": (JSON, b'{"ResourceTagMappingList": []}'),
    "DescribeDBSnapshots": (
        "text/xml",
        b"<R><DescribeDBSnapshotsResult><DBSnapshots/></DescribeDBSnapshotsResult></R>",
    ),
    "Publish": ("text/xml", b"<R><PublishResult><MessageId>1</MessageId></PublishResult></R>"),
    "AssumeRole": (
        "text/xml",
        b"<R><AssumeRoleResult><PackedPolicySize>1</PackedPolicySize></AssumeRoleResult></R>",
    ),
    "DescribeSnapshots": ("text/xml", b"<R><snapshotSet/></R>"),
    "PutObject": ("application/xml", b""),
    "ListObjectsV2": ("application/xml", b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"),
    "lambda GET": ("application/json", b'{"Configuration": {}}'),
}
"""What stands in for AWS answers, by operation."""


def a_call(operation: str = "ListBackups", nth: int = 1, subject: str = "") -> Call:
    return Call(
        service="dynamodb",
        region="us-east-1",
        operation=operation,
        subject=subject,
        protocol=Protocol.JSON,
        nth=nth,
    )


class Aws:
    """A trivial WSGI application in AWS's place. Says what has reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        operation = read_call(environ).operation
        self.reached.append(operation)
        content_type, body = ANSWERS[operation]
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def served(weather: Weather) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, weather, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Sky:
    """A server with weather, in which each test makes the forecast that it wants."""

    def __init__(self, aws: Aws, weather: Weather, url: str) -> None:
        self.aws = aws
        self.weather = weather
        self.url = url
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, key: str = ROLE_KEY) -> Any:
        if (service, key) not in self._made:
            self._made[service, key] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name="us-east-1",
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key="s",
                aws_session_token="t" if key == ROLE_KEY else None,
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._made[service, key]

    def ask(self, service: str, key: str = ROLE_KEY) -> Any:
        """One call of a service's."""
        method, asked = CALLS[service]
        return getattr(self.client(service, key), method)(**asked)

    def fault(self, fault: Fault, *operations: str) -> None:
        """From now on all calls have it, or those named."""
        self.weather.change(Forecast(rules=(Rule(fault=fault, share=1.0, operations=operations or ("*",)),)))


CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("list_backups", {}),
    "ssm": ("get_parameter", {"Name": "/holdfast/plans/nightly"}),
    "kms": ("describe_key", {"KeyId": "k"}),
    "service-quotas": ("get_service_quota", {"ServiceCode": "rds", "QuotaCode": "L-272F1212"}),
    "resourcegroupstaggingapi": ("get_resources", {}),
    "rds": ("describe_db_snapshots", {}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": "m"}),
    "sts": ("assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "session"}),
    "ec2": ("describe_snapshots", {}),
    "s3": ("list_objects_v2", {"Bucket": "b"}),
    "lambda": ("get_function", {"FunctionName": "f"}),
}


@pytest.fixture(scope="module")
def shared_sky() -> Iterator[Sky]:
    aws = Aws()
    weather = Weather(aws, caller_of=lambda key: "session/create" if key == ROLE_KEY else "")
    with served(weather) as url:
        yield Sky(aws, weather, url)


@pytest.fixture
def sky(shared_sky: Sky) -> Sky:
    shared_sky.aws.reached.clear()
    shared_sky.weather.change(Forecast())
    control.ask(shared_sky.url, "DELETE")
    return shared_sky


@pytest.mark.parametrize("service", CALLS)
def test_without_a_fault_every_protocol_goes_through(sky: Sky, service: str) -> None:
    assert sky.ask(service)["ResponseMetadata"]["HTTPStatusCode"] == 200


CODES: Mapping[str, tuple[str, str, str, str, str]] = {
    "dynamodb": (
        "ThrottlingException",
        "InternalServerError",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
    "ssm": (
        "ThrottlingException",
        "InternalServerError",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
    "kms": (
        "ThrottlingException",
        "KMSInternalException",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
    "service-quotas": (
        "TooManyRequestsException",
        "ServiceException",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
    "resourcegroupstaggingapi": (
        "ThrottledException",
        "InternalServiceException",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
    "rds": ("Throttling", "InternalFailure", "ServiceUnavailable", "AccessDenied", "ExpiredToken"),
    "sns": ("Throttled", "InternalError", "ServiceUnavailable", "AuthorizationError", "ExpiredToken"),
    "sts": ("Throttling", "InternalFailure", "ServiceUnavailable", "AccessDenied", "ExpiredToken"),
    "ec2": (
        "RequestLimitExceeded",
        "InternalError",
        "Unavailable",
        "UnauthorizedOperation",
        "RequestExpired",
    ),
    "s3": ("SlowDown", "InternalError", "ServiceUnavailable", "AccessDenied", "ExpiredToken"),
    "lambda": (
        "TooManyRequestsException",
        "ServiceException",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "ExpiredTokenException",
    ),
}
"""The codes that botocore must find, in the order of `Refusal`."""

STATUS: Mapping[tuple[str, Refusal], int] = {
    ("ec2", Refusal.THROTTLED): 503,
    ("s3", Refusal.THROTTLED): 503,
    ("rds", Refusal.THROTTLED): 400,
    ("dynamodb", Refusal.THROTTLED): 400,
    ("dynamodb", Refusal.DENIED): 400,
    ("rds", Refusal.DENIED): 403,
    ("ec2", Refusal.DENIED): 403,
}


@pytest.mark.parametrize("service", CALLS)
def test_botocore_reads_each_refusal_as_the_services_own_and_aws_was_not_asked(
    sky: Sky, service: str
) -> None:
    for refusal, code in zip(Refusal, CODES[service], strict=True):
        sky.fault(refusal)
        with pytest.raises(ClientError) as refused:
            sky.ask(service)
        answer = refused.value.response
        assert answer["Error"]["Code"] == code
        assert answer["Error"]["Message"]
        expected = STATUS.get((service, refusal))
        assert expected in (None, answer["ResponseMetadata"]["HTTPStatusCode"])
    assert sky.aws.reached == []


@pytest.mark.parametrize("service", ["dynamodb", "rds", "ec2", "s3", "resourcegroupstaggingapi", "sns"])
class TestAConnectionThatBreaks:
    def test_a_reset_comes_before_the_effect(self, sky: Sky, service: str) -> None:
        sky.fault(Mishap.RESET)
        with pytest.raises(ConnectionClosedError):
            sky.ask(service)
        assert sky.aws.reached == []

    def test_an_answer_is_lost_after_the_effect(self, sky: Sky, service: str) -> None:
        sky.fault(Mishap.LOST)
        with pytest.raises(ConnectionClosedError):
            sky.ask(service)
        assert len(sky.aws.reached) == 1

    def test_an_answer_is_cut_after_the_effect(self, sky: Sky, service: str) -> None:
        """botocore takes half of a JSON answer for an empty one, and finds no fault with it."""
        sky.fault(Mishap.CUT)
        if service in ("dynamodb", "resourcegroupstaggingapi"):
            assert sky.ask(service).keys() == {"ResponseMetadata"}
        else:
            with pytest.raises((ResponseParserError, ClientError)):
                sky.ask(service)
        assert len(sky.aws.reached) == 1

    def test_a_server_error_may_follow_the_effect(self, sky: Sky, service: str) -> None:
        sky.fault(Mishap.LOST_AS_ERROR)
        with pytest.raises(ClientError) as refused:
            sky.ask(service)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert len(sky.aws.reached) == 1


def test_a_retrying_client_gets_over_a_spell(sky: Sky) -> None:
    spells = [seed for seed in range(200) if _faults(seed, 4) == [True, True, False, False]]
    sky.weather.change(_thin_throttling(spells[0]))
    patient = boto3.client(
        "dynamodb",
        endpoint_url=sky.url,
        aws_access_key_id=ROLE_KEY,
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 4, "mode": "standard"}),
    )
    assert patient.list_backups()["ResponseMetadata"]["RetryAttempts"] == 2


def _thin_throttling(seed: int) -> Forecast:
    return Forecast(seed=seed, rules=(Rule(fault=Refusal.THROTTLED, share=0.3, spell=2),))


def _faults(seed: int, calls: int) -> list[bool]:
    forecast = _thin_throttling(seed)
    return [faults.fault_of(a_call(nth=nth), forecast) is not None for nth in range(1, calls + 1)]


class TestWhoseCalls:
    def test_the_houses_own_calls_are_left_alone(self, sky: Sky) -> None:
        sky.fault(Refusal.DENIED)
        sky.ask("dynamodb", OTHER_KEY)
        assert sky.aws.reached == ["ListBackups"]

    def test_and_are_hit_where_the_weather_is_for_everyone(self, sky: Sky) -> None:
        sky.weather.change(Forecast(everyone=True, rules=(Rule(fault=Refusal.DENIED, share=1),)))
        with pytest.raises(ClientError):
            sky.ask("dynamodb", OTHER_KEY)


class TestTheTruth:
    def test_it_says_what_was_asked_what_was_done_to_it_and_whether_it_took_effect(self, sky: Sky) -> None:
        sky.fault(Mishap.LOST, "CreateBackup")
        with pytest.raises(ConnectionClosedError):
            sky.client("dynamodb").create_backup(TableName="orders", BackupName="nightly")
        sky.fault(Refusal.DENIED, "ListBackups")
        with pytest.raises(ClientError):
            sky.ask("dynamodb")
        sky.fault(Refusal.DENIED, "ListBackups")
        sky.ask("rds")
        told = control.ask(sky.url, "GET")["calls"]
        kept = ("caller", "operation", "region", "subject", "nth", "fault", "status", "took_effect")
        assert [tuple(one[name] for name in kept) for one in told] == [
            ("create", "CreateBackup", "us-east-1", "nightly", 1, "answer lost", 200, True),
            ("create", "ListBackups", "us-east-1", "", 1, "access denied", 0, False),
            ("create", "DescribeDBSnapshots", "us-east-1", "", 1, "", 200, True),
        ]

    def test_it_is_written_to_a_file_too(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "truth.jsonl")
        log.enter(a_call(), "create", "", 200, took_effect=True)
        log.clear()
        log.enter(a_call(nth=2), "create", "answer lost", 200, took_effect=True)
        lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
        assert [(one["number"], one["fault"]) for one in lines] == [(1, ""), (2, "answer lost")]
        assert [one["number"] for one in log.told()["calls"]] == [2]


class TestTheForecast:
    def test_it_can_be_changed_while_the_cloud_runs(self, sky: Sky) -> None:
        rules = (Rule(fault=Refusal.DENIED, share=1),)
        control.let_it_be(sky.url, Forecast(name="ban", rules=rules))
        with pytest.raises(ClientError):
            sky.ask("dynamodb")
        control.let_it_be(sky.url, PRESETS["calm"])
        sky.ask("dynamodb")
        assert control.ask(sky.url, "GET")["forecast"]["name"] == "calm"

    def test_what_is_no_forecast_changes_nothing(self, sky: Sky) -> None:
        sky.fault(Refusal.DENIED)
        for wrong in (b"no json", b'{"rulez": []}', b'{"rules": [{"fault": "rain", "share": 1}]}'):
            assert put(sky.url, wrong) == 400
        with pytest.raises(ClientError):
            sky.ask("dynamodb")

    @pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
    def test_a_preset_survives_the_way_to_another_process(self, preset: Forecast) -> None:
        assert forecast_from_dict(json.loads(json.dumps(preset.to_dict()))) == preset


def put(url: str, body: bytes) -> int:
    import urllib.error
    import urllib.request

    asked = urllib.request.Request(url + control.PATH, data=body, method="PUT")
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


class TestWhatBefallsACall:
    def test_the_same_call_in_the_same_weather_has_the_same_fault(self) -> None:
        calls = [a_call(nth=nth, subject=f"table-{nth % 7}") for nth in range(1, 400)]
        first = [faults.fault_of(one, STORM) for one in calls]
        assert first == [faults.fault_of(one, STORM) for one in reversed(calls)][::-1]
        assert len({one for one in first if one}) > 4

    def test_another_seed_is_another_storm(self) -> None:
        calls = [a_call(nth=nth) for nth in range(1, 400)]
        storms = [
            [faults.fault_of(one, Forecast(seed=seed, rules=STORM.rules)) for one in calls] for seed in (1, 2)
        ]
        assert storms[0] != storms[1]

    def test_a_rule_hits_its_share_of_its_operations_and_no_other(self) -> None:
        rule = Rule(fault=Mishap.LOST, share=0.1, operations=("Create*", "Publish"))
        forecast = Forecast(seed=3, rules=(rule,))
        hit = sum(faults.fault_of(a_call("CreateBackup", nth), forecast) is not None for nth in range(2000))
        assert 150 < hit < 250
        assert not any(faults.fault_of(a_call("ListBackups", nth), forecast) for nth in range(2000))


def test_a_bucket_lets_its_tokens_through_at_once_and_then_what_comes_back() -> None:
    now = [0.0]
    bucket = Bucket(50, 5, clock=lambda: now[0])
    assert sum(bucket.admits() for _ in range(100)) == 50
    now[0] = 2.0
    assert sum(bucket.admits() for _ in range(100)) == 10


def test_a_rate_is_each_regions_own(sky: Sky) -> None:
    sky.weather.change(Forecast(rates={"ListBackups": 1}))
    sky.ask("dynamodb")
    with pytest.raises(ClientError):
        sky.ask("dynamodb")
    away = boto3.client(
        "dynamodb",
        region_name="us-west-2",
        endpoint_url=sky.url,
        aws_access_key_id=ROLE_KEY,
        aws_secret_access_key="s",
    )
    away.list_backups()
