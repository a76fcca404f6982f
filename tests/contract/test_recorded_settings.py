"""Recorded settings in S3, in two Regions' buckets, each on its own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from holdfast.adapters.s3_documents import S3Documents
from holdfast.adapters.s3_settings import S3Settings
from holdfast.core.errors import ProviderError
from holdfast.core.recorded import Inventory, Recorded
from tests.builders import AWAY_REGION, HOME_REGION, NIGHT, TABLE, nights_ago
from tests.unit.test_recorded import an_inventory, one

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HERE, THERE = "reports", "exports"
KEY = "nightly/20261122T020000Z.jsonl.gz"


@pytest.fixture
def here(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=HOME_REGION)
    client.create_bucket(Bucket=HERE)
    return client


@pytest.fixture
def there(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=AWAY_REGION)
    client.create_bucket(Bucket=THERE, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return client


@pytest.fixture
def store(here: "S3Client", there: "S3Client") -> S3Settings:
    return S3Settings(
        home=S3Documents(client=here, bucket=HERE),
        copies=[S3Documents(client=there, bucket=THERE)],
        stack="holdfast",
    )


def of(nights: int, *recorded: Recorded, whole: bool = True) -> Inventory:
    return replace(an_inventory(*recorded, whole=whole), slot=nights_ago(nights), at=nights_ago(nights))


def forget(client: "S3Client", bucket: str) -> None:
    """A bucket that is gone, with all that it held."""
    for found in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
        client.delete_object(Bucket=bucket, Key=found["Key"])
    client.delete_bucket(Bucket=bucket)


def test_what_is_saved_is_there_in_both(store: S3Settings, here: "S3Client", there: "S3Client") -> None:
    saved = store.save(an_inventory())
    assert (saved.address, saved.problems) == (f"s3://{HERE}/settings/{KEY}", ())
    bodies = [
        client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for client, bucket, key in (
            (here, HERE, f"settings/{KEY}"),
            (there, THERE, f"settings/holdfast/{KEY}"),
        )
    ]
    assert bodies[0] == bodies[1]
    store.save(an_inventory())
    assert here.get_object(Bucket=HERE, Key=f"settings/{KEY}")["Body"].read() == bodies[0]
    assert store.load("nightly", NIGHT) == an_inventory()


def test_what_is_not_there_is_none(store: S3Settings) -> None:
    assert store.load("nightly", NIGHT) is None
    assert store.newest("nightly", NIGHT) is None
    assert store.find("nightly", TABLE, NIGHT) is None


@pytest.mark.parametrize("gone", [HERE, THERE])
def test_when_one_is_gone_the_other_has_it_and_it_is_told(
    gone: str, store: S3Settings, here: "S3Client", there: "S3Client"
) -> None:
    store.save(of(1, one(TTL="before")))
    forget(here if gone == HERE else there, gone)
    saved = store.save(an_inventory())
    [problem] = saved.problems
    assert f"not recorded as s3://{gone}/settings/" in problem
    assert "NoSuchBucket" in problem
    assert saved.address.startswith(f"s3://{THERE if gone == HERE else HERE}/")
    assert store.load("nightly", NIGHT) == an_inventory()
    found = store.find("nightly", TABLE, nights_ago(1))
    assert found is not None
    assert found.settings == {"TTL": "before"}
    assert store.newest("nightly", NIGHT) == an_inventory()


def test_when_both_are_gone_it_raises(store: S3Settings, here: "S3Client", there: "S3Client") -> None:
    forget(here, HERE)
    forget(there, THERE)
    assert (store.save(an_inventory()).address, len(store.save(an_inventory()).problems)) == ("", 2)
    for ask in (
        lambda: store.load("nightly", NIGHT),
        lambda: store.newest("nightly", NIGHT),
        lambda: store.find("nightly", TABLE, NIGHT),
    ):
        with pytest.raises(ProviderError, match="NoSuchBucket"):
            ask()


@pytest.mark.parametrize(("nights", "expected"), [(3, "3"), (2, "3"), (0, "0"), (-1, "0"), (9, "3")], ids=str)
def test_the_nearest_before_and_else_the_oldest_after(nights: int, expected: str, store: S3Settings) -> None:
    for night in (0, 3):
        store.save(of(night, one(night=str(night))))
    store.save(of(2, one(TABLE + "-2")))
    found = store.find("nightly", TABLE, nights_ago(nights))
    assert found is not None
    assert found.settings == {"night": expected}
    assert found.recorded == NIGHT


def test_the_newest_lacks_nothing_that_an_older_one_has(store: S3Settings) -> None:
    other = one(TABLE + "-2")
    store.save(of(2, one(night="2"), one(TABLE + "-old")))
    store.save(of(1, one(night="1"), other))
    store.save(of(0, one(night="0"), whole=False))
    store.save(of(-1, one(night="later")))
    newest = store.newest("nightly", NIGHT + timedelta(hours=1))
    assert newest is not None
    assert (newest.slot, names(newest.recorded)) == (NIGHT, [TABLE, other.arn])
    assert newest.recorded[0].configuration.settings == {"night": "0"}


def names(recorded: Sequence[Recorded]) -> list[str]:
    return [each.arn for each in recorded]


@pytest.mark.parametrize("body", [b"", b"{}", b"\x1f\x8b\x08\x00nothing"])
def test_what_cannot_be_understood_is_passed_over_and_else_told(
    body: bytes, store: S3Settings, here: "S3Client", there: "S3Client"
) -> None:
    store.save(an_inventory())
    here.put_object(Bucket=HERE, Key=f"settings/{KEY}", Body=body)
    assert store.load("nightly", NIGHT) == an_inventory(), "the other Region's is good"
    there.put_object(Bucket=THERE, Key=f"settings/holdfast/{KEY}", Body=body)
    for ask in (
        lambda: store.load("nightly", NIGHT),
        lambda: store.newest("nightly", NIGHT),
        lambda: store.find("nightly", TABLE, NIGHT),
    ):
        with pytest.raises(ProviderError, match="BrokenDocument"):
            ask()
    store.save(of(1, one(night="1")))
    newest, found = store.newest("nightly", NIGHT), store.find("nightly", TABLE, NIGHT)
    assert newest is not None
    assert newest.slot == nights_ago(1)
    assert found is not None
    assert found.settings == {"night": "1"}
