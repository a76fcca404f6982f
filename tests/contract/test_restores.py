"""Restores in S3, by the ids of their requests."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from holdfast.adapters.s3_restores import S3Restores
from holdfast.core.errors import NotFound, ProviderError
from holdfast.core.restoring import Filled, Restore, RestoreRequest, RestoreState
from tests.builders import HOME_REGION, NIGHT, TABLE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "reports"
KEY = "restores/worst-day.json"


@pytest.fixture
def s3(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=HOME_REGION)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def restores(s3: "S3Client") -> S3Restores:
    return S3Restores(client=s3, bucket=BUCKET)


def begun(to: str = "orders-restored") -> Restore:
    return Restore(
        request=RestoreRequest(id="worst-day", resource=TABLE, region=HOME_REGION),
        state=RestoreState.PENDING,
        reason="to be made",
        began=NIGHT,
        to=to,
    )


def test_what_is_not_there_is_none(restores: S3Restores) -> None:
    assert restores.load("worst-day") is None


def test_it_is_kept_by_the_request_s_id(s3: "S3Client", restores: S3Restores) -> None:
    assert restores.begin(begun()) == begun()
    assert restores.load("worst-day") == begun()
    assert restores.address("worst-day") == f"s3://{BUCKET}/{KEY}"
    document = json.loads(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())
    assert document["schema"] == "holdfast.restore/1"


def test_the_first_one_to_begin_is_the_one(restores: S3Restores) -> None:
    restores.begin(begun("first"))
    assert restores.begin(begun("second")).to == "first"
    kept = restores.load("worst-day")
    assert kept is not None
    assert kept.to == "first"


def test_later_looks_write_over_it(restores: S3Restores) -> None:
    restores.begin(begun())
    further = replace(begun(), filled=Filled(done=2, total=5))
    restores.save(further)
    assert restores.load("worst-day") == further
    done = further.ends(RestoreState.DONE, "it stands", NIGHT + timedelta(minutes=23))
    restores.save(done)
    assert restores.load("worst-day") == done


@pytest.mark.parametrize(
    "document", ["no JSON", "[]", "{}", '{"schema": "holdfast.restore/2"}', '{"schema": 1e999}']
)
def test_what_cannot_be_understood_is_an_error_and_is_not_written_over(
    s3: "S3Client", restores: S3Restores, document: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=document.encode())
    with pytest.raises(ProviderError, match="worst-day"):
        restores.load("worst-day")
    with pytest.raises(ProviderError):
        restores.begin(begun())
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read().decode() == document


def test_without_its_bucket_nothing_can_be_said(s3: "S3Client") -> None:
    with pytest.raises(NotFound):
        S3Restores(client=s3, bucket="nosuch").load("worst-day")
