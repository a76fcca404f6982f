"""The weather and the verdict of the benchmark: what they are to show, planted."""

import io
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from werkzeug.serving import make_server

from local.bench.race import HOLDFAST, Run, violations
from local.weather import pages
from local.weather.calls import operation_of
from local.weather.control import PATH as CONTROL_PATH
from local.weather.forecast import Forecast
from local.weather.layer import Weather
from local.weather.rates import Limit

GOOD = Run(
    contender=HOLDFAST,
    sweep=1,
    tables=1000,
    limit=50,
    seconds=22.5,
    lost=0,
    doubled=0,
    calls={"GetResources": 10, "CreateBackup": 1000},
    throttled=0,
    moto_cpu_seconds=3.0,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_limit_lets_its_number_through_in_any_second_and_no_more() -> None:
    clock = Clock()
    limit = Limit(50, clock=clock)
    for _ in range(50):
        assert limit.admits()
        clock.now += 0.0199  # 50 of them take 0.995 s
    assert not limit.admits()
    clock.now += 0.005
    assert limit.admits(), "the first has left the window, and a refusal took no place in it"
    assert not limit.admits()


def test_a_rest_saves_nothing_up() -> None:
    clock = Clock()
    limit = Limit(50, clock=clock)
    clock.now += 3600
    assert sum(limit.admits() for _ in range(200)) == 50


def test_every_call_waits_for_the_latency_and_a_refused_one_does_not_reach_aws() -> None:
    clock = Clock()
    reached = []

    def aws(environ: Any, start_response: Any) -> list[bytes]:
        reached.append(operation_of(environ))
        return [b"{}"]

    forecast = Forecast(everyone=True, latency_ms=30, rates={"CreateBackup": 1})
    weather = Weather(aws, forecast=forecast, clock=clock, sleep=clock.sleep)
    for operation in ("CreateBackup", "CreateBackup", "ListBackups"):
        weather(request(HTTP_X_AMZ_TARGET=f"DynamoDB_20120810.{operation}"), start_response)
    assert reached == ["CreateBackup", "ListBackups"]
    assert clock.now == pytest.approx(1000.09)


def test_boto3_sees_the_refusal_as_dynamodbs_and_the_log_counts_it() -> None:
    def aws(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0")])
        return [b'{"BackupDetails": {}}']

    with served(Weather(aws, forecast=Forecast(everyone=True, rates={"CreateBackup": 2}))) as url:
        once = Config(retries={"total_max_attempts": 1})
        client = boto3.client("dynamodb", endpoint_url=url, config=once)
        for _ in range(2):
            client.create_backup(TableName="orders", BackupName="nightly")
        with pytest.raises(ClientError) as refused:
            client.create_backup(TableName="orders", BackupName="nightly")
        assert refused.value.response["Error"]["Code"] == "ThrottlingException"
        log = operations(url, "DELETE")
        assert (log["CreateBackup"]["calls"], log["CreateBackup"]["throttled"]) == (3, 1)
        assert operations(url, "GET") == {}


def test_rds_is_refused_in_its_own_words() -> None:
    def aws(_environ: Any, _start_response: Any) -> list[bytes]:
        raise AssertionError("it came through")

    with served(Weather(aws, forecast=Forecast(everyone=True, rates={"DescribeDBInstances": 0}))) as url:
        client = boto3.client("rds", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError) as refused:
            client.describe_db_instances()
    assert refused.value.response["Error"]["Code"] == "Throttling"


def test_a_rest_service_is_named_with_its_method() -> None:
    signature = "AWS4-HMAC-SHA256 Credential=testing/20261122/us-east-1/s3/aws4_request, SignedHeaders=host"
    assert operation_of(request(HTTP_AUTHORIZATION=signature, REQUEST_METHOD="PUT")) == "s3 PUT"


def test_pages_are_of_awss_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in pages.REPLACED:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    pages.teach()
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        for number in range(101):
            dynamodb.create_table(
                TableName=f"orders-{number}",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=[{"Key": "team", "Value": "orders"}, {"Key": "stage", "Value": "test"}],
            )
            dynamodb.create_backup(TableName=f"orders-{number}", BackupName="nightly")
        backups = [len(page["BackupSummaries"]) for page in dynamodb.get_paginator("list_backups").paginate()]
        tagging = boto3.client("resourcegroupstaggingapi").get_paginator("get_resources")
        resources = [
            len(page["ResourceTagMappingList"])
            for page in tagging.paginate(PaginationConfig={"PageSize": 100})
        ]
    assert (backups, resources) == ([100, 1], [100, 1])


def test_a_good_run_is_no_violation() -> None:
    assert violations([GOOD]) == []


@pytest.mark.parametrize(
    ("run", "word"),
    [
        (replace(GOOD, lost=1), "1 tables without a backup"),
        (replace(GOOD, doubled=2), "2 with more than one"),
        (replace(GOOD, throttled=3), "throttled 3 times"),
        (replace(GOOD, calls={"CreateBackup": 1000, "ListBackups": 24}), "1024 calls; allowed are 1023"),
        (replace(GOOD, sweep=2, seconds=3.3, calls={"CreateBackup": 31}), "31 calls; allowed are 30"),
    ],
)
def test_a_planted_violation_shows(run: Run, word: str) -> None:
    assert word in " ".join(violations([GOOD, run]))


def test_the_others_may_do_as_badly_as_they_like() -> None:
    assert violations([replace(GOOD, contender="threads-32", lost=476, throttled=777)]) == []


def request(**variables: str) -> dict[str, Any]:
    return {"PATH_INFO": "/", "REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(), **variables}


def start_response(*_: Any) -> Any:
    """Where nobody waits for a response."""


def operations(url: str, method: str) -> dict[str, dict[str, float]]:
    asked = urllib.request.Request(url + CONTROL_PATH, method=method)
    with urllib.request.urlopen(asked, timeout=5) as answer:
        found: dict[str, dict[str, float]] = json.load(answer)["operations"]
    return found


@contextmanager
def served(weather: Weather) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, weather, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
