"""That the faults of tests/faults are what they say, as botocore reads them."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from moto import mock_aws

from holdfast.adapters.calls import client_config
from tests.fakes import HOME
from tests.faults import wire as faults
from tests.faults.protocols import denial, expiry, internal_error, throttling
from tests.faults.wire import Fault, Killed, Wire, of

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("list_backups", {}),
    "ec2": ("describe_volumes", {}),
    "kms": ("list_keys", {}),
    "rds": ("describe_db_snapshots", {}),
    "resourcegroupstaggingapi": ("get_resources", {}),
    "s3": ("get_object", {"Bucket": "records", "Key": "key"}),
    "service-quotas": ("get_service_quota", {"ServiceCode": "rds", "QuotaCode": "L-1"}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:reports", "Message": "text"}),
    "ssm": ("get_parameter", {"Name": "/holdfast/plans/nightly"}),
    "sts": ("get_caller_identity", {}),
}
"""A call of each service, of every protocol that they speak."""


@pytest.fixture
def strung() -> Iterator[Wire]:
    wire = Wire()
    with mock_aws(), wire.strung():
        yield wire


def client(service: str) -> Any:
    return boto3.Session(region_name=HOME).client(service, config=client_config(attempts=1))  # type: ignore[call-overload]


def call(service: str) -> Any:
    method, parameters = CALLS[service]
    return getattr(client(service), method)(**parameters)


def code_of(strung: Wire, service: str, fault: Fault) -> tuple[str, int]:
    strung.add(lambda _: True, fault)
    with pytest.raises(ClientError) as raised:
        call(service)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", CALLS)
def test_an_error_arrives_with_its_code_and_message(strung: Wire, service: str) -> None:
    strung.add(lambda _: True, faults.error("SomeThing.Happened", "to <you> & me", 418))
    with pytest.raises(ClientError) as raised:
        call(service)
    error = raised.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("SomeThing.Happened", "to <you> & me")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 418


@pytest.mark.parametrize("service", CALLS)
def test_each_service_has_words_of_its_own(strung: Wire, service: str) -> None:
    for fault, told in (
        (faults.throttled, throttling(service)),
        (faults.denied, denial(service)),
        (faults.expired, expiry(service)),
        (faults.internal, (internal_error(service), 500)),
    ):
        strung.clear()
        assert code_of(strung, service, fault) == told


@pytest.mark.parametrize("service", CALLS)
def test_an_outage_is_told_by_its_status(strung: Wire, service: str) -> None:
    assert code_of(strung, service, faults.outage)[1] == 503


@pytest.mark.parametrize(
    ("fault", "raised", "made"),
    [
        (faults.unreachable, ConnectTimeoutError, 0),
        (faults.unheard, ReadTimeoutError, 0),
        (faults.reset, ConnectionClosedError, 0),
        (faults.killed_before, Killed, 0),
        (faults.lost_answer, ReadTimeoutError, 1),
        (faults.reset_after, ConnectionClosedError, 1),
        (faults.truncated, ResponseParserError, 1),
        (faults.killed_after, Killed, 1),
    ],
)
def test_a_call_is_lost_before_or_after_its_effect(
    strung: Wire, fault: Fault, raised: type[BaseException], made: int
) -> None:
    strung.add(of("ec2.CreateVolume"), fault)
    with pytest.raises(raised):
        client("ec2").create_volume(AvailabilityZone=f"{HOME}a", Size=1)
    volumes = boto3.Session(region_name=HOME).client("ec2").describe_volumes()["Volumes"]
    assert len(volumes) == made


def test_after_a_kill_nothing_is_sent(strung: Wire) -> None:
    strung.kill_at(2, after=False)
    ec2 = client("ec2")
    ec2.describe_volumes()
    for _ in range(2):
        with pytest.raises(Killed):
            ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1)
    assert [one.name for one in strung.calls] == ["ec2.DescribeVolumes", "ec2.CreateVolume"]
    strung.clear()
    assert ec2.describe_volumes()["Volumes"] == []


def test_calls_are_told_apart_by_what_they_are_about(strung: Wire) -> None:
    strung.add(of("ec2.CreateVolume", '"Size": 2'), faults.denied)
    ec2 = client("ec2")
    ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1)
    with pytest.raises(ClientError):
        ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=2)
    assert [(one.number, one.nth, one.region) for one in strung.calls] == [(1, 1, HOME), (2, 2, HOME)]


def test_each_attempt_is_seen(strung: Wire) -> None:
    rule = strung.add(of("ec2.DescribeVolumes"), faults.outage, times=2)
    made: Any = boto3.Session(region_name=HOME).client("ec2", config=client_config(attempts=4))
    made.describe_volumes()
    assert (rule.met, len(strung.calls)) == (2, 3)


def test_what_a_test_does_by_itself_is_not_on_the_wire(strung: Wire) -> None:
    strung.add(lambda _: True, faults.denied)
    assert boto3.Session(region_name=HOME).client("rds").describe_db_snapshots()["DBSnapshots"] == []
    assert strung.calls == []
