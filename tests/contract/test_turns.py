"""Turns: only one has it, it comes back, and a crash does not keep it for ever."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import boto3
import pytest

from holdfast.adapters.s3_turns import S3Turns
from holdfast.core.errors import ProviderError
from tests.fakes import HOME, FakeTurns

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from holdfast.ports import Turns

BUCKET = "records"


@pytest.fixture
def s3(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=HOME)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(params=["s3", "fake"])
def turns(request: pytest.FixtureRequest, s3: "S3Client") -> "Turns":
    made: dict[str, Callable[[], Turns]] = {
        "s3": lambda: S3Turns(client=s3, bucket=BUCKET),
        "fake": FakeTurns,
    }
    return made[request.param]()


def test_a_free_turn_is_had_and_a_taken_one_is_not(turns: "Turns") -> None:
    with turns.taken("nightly", 900) as first, turns.taken("nightly", 900) as second:
        assert first is None
        assert second is not None
        assert timedelta(0) < second - datetime.now(UTC) <= timedelta(seconds=900)


def test_a_turn_comes_back_when_its_work_is_over(turns: "Turns") -> None:
    with turns.taken("nightly", 900) as first:
        assert first is None
    with turns.taken("nightly", 900) as again:
        assert again is None


def test_a_turn_comes_back_when_its_work_raised(turns: "Turns") -> None:
    def work() -> None:
        with turns.taken("nightly", 900):
            raise RuntimeError("the sweep broke")

    with pytest.raises(RuntimeError, match="the sweep broke"):
        work()
    with turns.taken("nightly", 900) as again:
        assert again is None


def test_plans_have_turns_of_their_own(turns: "Turns") -> None:
    with turns.taken("nightly", 900), turns.taken("hourly", 900) as other:
        assert other is None


def test_the_turn_of_a_crashed_sweep_ends_by_itself(s3: "S3Client") -> None:
    ended = datetime.now(UTC) - timedelta(seconds=1)
    body = json.dumps({"until": ended.isoformat()}).encode()
    s3.put_object(Bucket=BUCKET, Key="turns/nightly.json", Body=body)
    with S3Turns(client=s3, bucket=BUCKET).taken("nightly", 900) as busy_until:
        assert busy_until is None


def test_of_two_that_read_a_free_turn_at_once_only_one_has_it(s3: "S3Client") -> None:
    both_have_read = Barrier(2, timeout=10)
    both_have_tried = Barrier(2, timeout=10)

    class Meeting(S3Turns):
        def _read(self, key: str) -> tuple[datetime | None, str]:
            read = super()._read(key)
            both_have_read.wait()
            return read

    def attempt(turns: S3Turns) -> bool:
        with turns.taken("nightly", 900) as busy_until:
            both_have_tried.wait()
            return busy_until is None

    with ThreadPoolExecutor(2) as pool:
        had = list(pool.map(attempt, [Meeting(client=s3, bucket=BUCKET) for _ in range(2)]))
    assert sorted(had) == [False, True]


def test_a_turn_that_cannot_be_read_stops_the_work(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="turns/nightly.json", Body=b"[]")
    with (
        pytest.raises(ProviderError, match="BrokenTurn"),
        S3Turns(client=s3, bucket=BUCKET).taken("nightly", 900),
    ):
        pass
