"""Turns: only one has it, it comes back, and one that was killed does not keep it."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from holdfast.adapters.dynamodb import CREATE_ATTEMPTS, FIRST_HOLD_SECONDS
from holdfast.adapters.s3_turns import LEASE_SECONDS, S3Turns
from holdfast.core.errors import ProviderError
from tests.fakes import HOME, FakeTurns

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from holdfast.ports import Turns

BUCKET = "records"
KEY = "turns/nightly.json"


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


def taken_until(s3: "S3Client", until: datetime) -> None:
    """What the object says when somebody else has the turn."""
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps({"until": until.isoformat()}).encode())


def test_a_free_turn_is_had_and_a_taken_one_is_not(turns: "Turns") -> None:
    with turns.taken("nightly") as first, turns.taken("nightly") as second:
        assert first()
        assert not second()


def test_a_turn_comes_back_when_its_work_is_over(turns: "Turns") -> None:
    with turns.taken("nightly") as first:
        assert first()
    with turns.taken("nightly") as again:
        assert again()


def test_a_turn_comes_back_when_its_work_raised(turns: "Turns") -> None:
    def work() -> None:
        with turns.taken("nightly"):
            raise RuntimeError("the sweep broke")

    with pytest.raises(RuntimeError, match="the sweep broke"):
        work()
    with turns.taken("nightly") as again:
        assert again()


def test_plans_have_turns_of_their_own(turns: "Turns") -> None:
    with turns.taken("nightly"), turns.taken("hourly") as other:
        assert other()


def test_a_turn_is_kept_for_longer_than_a_lease(s3: "S3Client") -> None:
    short = S3Turns(client=s3, bucket=BUCKET, lease_seconds=1.5)
    with short.taken("nightly") as first:
        time.sleep(2)
        with short.taken("nightly") as second:
            assert first()
            assert not second()


def test_what_is_begun_within_a_turn_ends_within_it() -> None:
    waits = sum(FIRST_HOLD_SECONDS * 2**attempt for attempt in range(CREATE_ATTEMPTS - 1))
    assert waits < LEASE_SECONDS / 3


def test_the_turn_of_one_that_was_killed_ends_by_itself(s3: "S3Client") -> None:
    taken_until(s3, datetime.now(UTC) - timedelta(seconds=1))
    with S3Turns(client=s3, bucket=BUCKET).taken("nightly") as free:
        assert free()


def test_a_turn_that_somebody_took_over_is_lost_and_not_given_back(s3: "S3Client") -> None:
    with S3Turns(client=s3, bucket=BUCKET, lease_seconds=0.3).taken("nightly") as is_mine:
        taken_until(s3, datetime.now(UTC) + timedelta(hours=1))
        time.sleep(0.5)
        assert not is_mine()
    with S3Turns(client=s3, bucket=BUCKET).taken("nightly") as others:
        assert not others()


def test_a_turn_that_cannot_be_renewed_is_over_before_somebody_else_may_take_it(s3: "S3Client") -> None:
    with S3Turns(client=s3, bucket=BUCKET, lease_seconds=3).taken("nightly") as is_mine:
        taken_until(s3, datetime.now(UTC) + timedelta(hours=1))
        assert is_mine()
        time.sleep(2.1)
        assert not is_mine()


def test_of_two_that_read_a_free_turn_at_once_only_one_has_it(s3: "S3Client") -> None:
    both_have_read = Barrier(2, timeout=10)
    both_have_tried = Barrier(2, timeout=10)

    class Meeting(S3Turns):
        def _read(self, key: str) -> tuple[datetime | None, str]:
            read = super()._read(key)
            both_have_read.wait()
            return read

    def attempt(turns: S3Turns) -> bool:
        with turns.taken("nightly") as is_mine:
            both_have_tried.wait()
            return is_mine()

    with ThreadPoolExecutor(2) as pool:
        had = list(pool.map(attempt, [Meeting(client=s3, bucket=BUCKET) for _ in range(2)]))
    assert sorted(had) == [False, True]


def test_a_turn_is_counted_from_when_it_was_asked_for_and_not_from_before_it_was_read(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slow answer would leave a turn that others find over, while its holder goes on."""
    taken_until(s3, datetime.now(UTC) - timedelta(seconds=1))
    turns, read = S3Turns(client=s3, bucket=BUCKET, lease_seconds=1.5), S3Turns._read

    def slow(self: S3Turns, key: str) -> tuple[datetime | None, str]:
        found = read(self, key)
        time.sleep(1.6)
        return found

    monkeypatch.setattr(S3Turns, "_read", slow)
    with turns.taken("nightly") as first:
        monkeypatch.undo()
        with S3Turns(client=s3, bucket=BUCKET).taken("nightly") as second:
            assert first()
            assert not second()


class LosesAnswers:
    """An S3 client whose every writing takes effect, and is repeated since its answer was lost."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client
        self.written = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def put_object(self, **asked: Any) -> object:
        self.written += 1
        self._client.put_object(**asked)
        return self._client.put_object(**asked)


def test_a_turn_is_taken_and_kept_though_the_answers_to_its_writings_are_lost(s3: "S3Client") -> None:
    client = LosesAnswers(s3)
    with S3Turns(client=client, bucket=BUCKET, lease_seconds=0.6).taken("nightly") as is_mine:  # type: ignore[arg-type]
        time.sleep(1.0)
        assert is_mine()
        assert client.written > 2
    with S3Turns(client=s3, bucket=BUCKET).taken("nightly") as again:
        assert again()


def test_a_turn_that_cannot_be_read_stops_the_work(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"[]")
    with (
        pytest.raises(ProviderError, match="BrokenDocument"),
        S3Turns(client=s3, bucket=BUCKET).taken("nightly"),
    ):
        pass
