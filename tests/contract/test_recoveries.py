"""Recoveries in S3, by the ids of their requests."""

from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest

from holdfast.adapters.s3_recoveries import S3Recoveries
from holdfast.core.errors import ProviderError
from holdfast.core.recovery import Line, Recovery, RecoveryRequest
from tests.builders import AWAY_REGION, HOME_REGION, NIGHT, TABLE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "reports"
REQUEST = RecoveryRequest(id="worst-day", plan="nightly", region=AWAY_REGION)
BEGUN = Recovery(request=REQUEST, began=NIGHT, lines=(Line(resource=TABLE, to="orders"),))


@pytest.fixture
def s3(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=HOME_REGION)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def recoveries(s3: "S3Client") -> S3Recoveries:
    return S3Recoveries(client=s3, bucket=BUCKET)


def test_is_kept_and_comes_back(recoveries: S3Recoveries) -> None:
    assert recoveries.load(REQUEST) is None
    assert recoveries.begin(BEGUN) == BEGUN
    over = replace(BEGUN, ended=NIGHT)
    recoveries.save(over)
    assert recoveries.load(REQUEST) == over
    assert recoveries.address(REQUEST) == "s3://reports/recoveries/worst-day.json"


def test_who_begins_first_is_the_one(recoveries: S3Recoveries) -> None:
    recoveries.begin(BEGUN)
    other = replace(BEGUN, problems=("another look saw more",))
    assert recoveries.begin(other) == BEGUN


def test_a_dry_run_is_apart(recoveries: S3Recoveries) -> None:
    dry = replace(REQUEST, dry_run=True)
    recoveries.begin(replace(BEGUN, request=dry))
    assert recoveries.load(REQUEST) is None
    assert recoveries.load(dry) is not None


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"schema": "holdfast.recovery/1"}', b"not json"])
def test_what_cannot_be_understood_is_an_error(s3: "S3Client", recoveries: S3Recoveries, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key="recoveries/worst-day.json", Body=body)
    with pytest.raises(ProviderError, match="BrokenDocument"):
        recoveries.load(REQUEST)
