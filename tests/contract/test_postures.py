"""Postures, rehearsed restores and the page in S3, and S3 Object Lock for what must not be deleted."""

import gzip
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from moto.backends import get_backend

from holdfast.adapters.s3_documents import Lock
from holdfast.adapters.s3_page import S3Page
from holdfast.adapters.s3_postures import S3Postures
from holdfast.adapters.s3_records import S3Records
from holdfast.core.drills import drill_to_dict
from holdfast.core.errors import AccessDenied, NotFound, ProviderError
from holdfast.core.model import KeepPolicy, Retention
from holdfast.core.naming import compact_slot
from holdfast.core.posture import Drill, Posture
from holdfast.core.report import Report, Stage
from local.authority.calls import read
from local.authority.table import checks
from tests.fakes import ACCOUNT, HOME, FakePostureStore
from tests.postures import AT, arn, company, well

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from holdfast.ports import PostureStore

BUCKET = "records"
KEY = "posture/day=2026-11-08/20261108T060000Z.jsonl.gz"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def client() -> Iterator["S3Client"]:
    """One for all of these tests: to make it takes longer than most of them."""
    with mock_aws():
        yield boto3.client("s3", region_name=HOME)


@pytest.fixture
def empty(client: "S3Client") -> "S3Client":
    """With nothing there, not even a bucket."""
    get_backend("s3")[ACCOUNT]["aws"].reset()
    return client


@pytest.fixture
def s3(empty: "S3Client") -> "S3Client":
    empty.create_bucket(Bucket=BUCKET)
    return empty


@pytest.fixture(params=["s3", "fake"])
def postures(request: pytest.FixtureRequest) -> "PostureStore":
    if request.param == "fake":
        return FakePostureStore()
    return S3Postures(client=request.getfixturevalue("s3"), bucket=BUCKET)


def comparable(posture: Posture) -> Posture:
    """What a store keeps of a posture."""
    return replace(
        posture,
        plans=tuple(
            replace(one, last_run=one.last_run and replace(one.last_run, failures=()))
            for one in posture.plans
        ),
        protections=tuple(replace(one, ticks=()) for one in posture.protections),
        uncovered=tuple(posture.uncovered),
        headroom=tuple(posture.headroom),
        problems=tuple(posture.problems),
        warnings=tuple(posture.warnings),
        own_cost=(),
        drills=(),
        changes=(),
        compared_with=None,
    )


# Postures


def test_where_there_is_none_none_is_loaded(postures: "PostureStore") -> None:
    assert postures.load(AT - 24 * HOUR, AT) is None


def test_what_is_saved_is_loaded_without_its_timelines(postures: "PostureStore") -> None:
    saved = replace(company(), problems=("rds could not be listed: größer",))
    postures.save(saved)
    assert postures.load(AT, AT) == comparable(saved)


def test_the_newest_of_a_time_is_loaded_with_both_ends(postures: "PostureStore") -> None:
    """Over midnight, and among those of many days."""
    instants = [AT + hours * HOUR for hours in (-48, -24, -7, 0, 17, 18, 19)]
    for at in instants:
        postures.save(well(at=at))

    def at_of(since: datetime, until: datetime) -> datetime | None:
        loaded = postures.load(since, until)
        return loaded.at if loaded else None

    assert at_of(AT - 72 * HOUR, AT + 72 * HOUR) == AT + 19 * HOUR
    assert at_of(AT - 72 * HOUR, AT + 18 * HOUR) == AT + 18 * HOUR
    assert at_of(AT - 26 * HOUR, AT - 20 * HOUR) == AT - 24 * HOUR
    assert at_of(AT - 24 * HOUR, AT - 24 * HOUR) == AT - 24 * HOUR
    assert at_of(AT - 23 * HOUR, AT - 8 * HOUR) is None
    assert at_of(AT + 20 * HOUR, AT + 72 * HOUR) is None


def test_the_first_look_at_an_instant_stays(postures: "PostureStore") -> None:
    """A later one saw a later world, and history is not rewritten by whoever asks for an instant again."""
    assert postures.save(company()) == postures.save(well())
    assert postures.load(AT, AT) == comparable(company())


def test_a_posture_is_compressed_json_lines_under_its_day(s3: "S3Client") -> None:
    address = S3Postures(client=s3, bucket=BUCKET).save(company())
    assert address == f"s3://{BUCKET}/{KEY}"
    lines = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert (rows[0]["row"], rows[0]["schema"]) == ("summary", "holdfast.posture/1")
    assert {row["row"] for row in rows} == {"summary", "plan", "protection", "uncovered", "headroom"}
    assert {row["at"] for row in rows} == {"2026-11-08T06:00:00Z"}


def test_the_same_posture_is_the_same_bytes(s3: "S3Client") -> None:
    tags = []
    for _ in range(2):
        S3Postures(client=s3, bucket=BUCKET).save(company())
        tags.append(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])
    assert tags[0] == tags[1]


def test_what_is_named_otherwise_is_no_posture(s3: "S3Client") -> None:
    store = S3Postures(client=s3, bucket=BUCKET)
    store.save(well())
    for key in ("posture/day=2026-11-08/notes.txt", "posture/day=2026-11-09/20261108T0700Z.jsonl.gz"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    loaded = store.load(AT - HOUR, AT + 48 * HOUR)
    assert loaded is not None
    assert loaded.at == AT


SUMMARY = '{"row": "summary", "at": "2026-11-08T06:00:00Z", "schema": "holdfast.posture/9"}\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no gzip",
        gzip.compress(b""),
        gzip.compress(b"no JSON\n"),
        gzip.compress(b"[]\n"),
        gzip.compress(b'{"row": "else"}\n'),
        gzip.compress(SUMMARY.encode()),
        gzip.compress(SUMMARY.replace("/9", "/1").encode()),
        gzip.compress(b"{}\n" * 1000)[:-9],
    ],
    ids=range(9),
)
def test_a_broken_posture_is_an_error_that_names_it(s3: "S3Client", body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=body)
    with pytest.raises(ProviderError, match=f"s3://{BUCKET}/{KEY}: BrokenDocument"):
        S3Postures(client=s3, bucket=BUCKET).load(AT, AT)


def test_a_posture_cut_in_the_middle_is_broken(s3: "S3Client") -> None:
    store = S3Postures(client=s3, bucket=BUCKET)
    store.save(company())
    body = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=body[: len(body) // 2])
    with pytest.raises(ProviderError, match="BrokenDocument"):
        store.load(AT, AT)


def test_postures_that_may_not_be_listed_are_not_taken_for_none(s3: "S3Client") -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDenied):
            S3Postures(client=s3, bucket=BUCKET).load(AT, AT)
    with pytest.raises(NotFound):
        S3Postures(client=s3, bucket="nobody-s").load(AT, AT)


# Drills


def drill(at: datetime = AT, plan: str = "nightly", name: str = "billing") -> Drill:
    return Drill(
        at=at,
        plan=plan,
        resource=arn("rds", name),
        place=HOME,
        slot=at - 4 * HOUR,
        passed=True,
        seconds=1310.5,
        rto_minutes=60,
        reason="restored and counted",
    )


def put_drill(s3: "S3Client", one: Drill, more: str = "") -> None:
    key = f"drills/{one.plan}/{compact_slot(one.at)}{more}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(drill_to_dict(one)).encode())


def test_drills_are_read_newest_first_from_an_instant_on(s3: "S3Client") -> None:
    early, late, other = drill(AT - 48 * HOUR), drill(), drill(AT - HOUR, plan="weekly")
    beside = drill(name="ledger")
    for one in (early, late, other):
        put_drill(s3, one)
    put_drill(s3, beside, "-ledger")
    put_drill(s3, drill(AT - 49 * HOUR))
    store = S3Postures(client=s3, bucket=BUCKET)
    assert store.drills(AT - 48 * HOUR) == [beside, late, other, early]
    assert store.drills(AT + HOUR) == []


def test_the_fake_gives_drills_in_the_same_order() -> None:
    store = FakePostureStore()
    store.rehearsed = [drill(AT - HOUR), drill(), drill(AT - 48 * HOUR)]
    assert store.drills(AT - HOUR) == [drill(), drill(AT - HOUR)]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "holdfast.drill/9"},
        {"at": "yesterday"},
        {"resource": "billing"},
        {"passed": "yes"},
        {"seconds": None},
    ],
)
def test_a_document_that_is_no_drill_costs_nobody_the_others(s3: "S3Client", change: dict[str, Any]) -> None:
    put_drill(s3, drill())
    key = f"drills/nightly/{compact_slot(AT + HOUR)}.json"
    text = json.dumps(drill_to_dict(drill(AT + HOUR)) | change)
    for broken, body in ((key, text), ("drills/aaa/20261108T070000Z.json", "no JSON"), ("drills/a.json", "")):
        s3.put_object(Bucket=BUCKET, Key=broken, Body=body.encode())
    assert S3Postures(client=s3, bucket=BUCKET).drills(AT - HOUR) == [drill()]


def test_no_more_drills_are_read_than_a_page_shows(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.adapters.s3_postures.MOST_DRILLS", 3)
    for minutes in range(4):
        put_drill(s3, drill(AT + timedelta(minutes=minutes)))
    found = S3Postures(client=s3, bucket=BUCKET).drills(AT)
    assert [one.at for one in found] == [AT + timedelta(minutes=minutes) for minutes in (3, 2, 1)]


def test_drills_that_may_not_be_read_are_an_error(s3: "S3Client") -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDenied):
            S3Postures(client=s3, bucket=BUCKET).drills(AT)


# The page


def test_the_page_is_html_that_no_browser_keeps(s3: "S3Client") -> None:
    page = S3Page(client=s3, bucket=BUCKET, render=lambda posture: f"<p>größer {posture.at:%d}</p>")
    assert page.address == f"s3://{BUCKET}/page/index.html"
    for at in (AT, AT + 24 * HOUR):
        page.write(well(at=at))
    stored = s3.get_object(Bucket=BUCKET, Key="page/index.html")
    assert stored["Body"].read().decode() == "<p>größer 09</p>"
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert stored["CacheControl"] == "no-cache"


def test_a_page_that_may_not_be_written_is_an_error(s3: "S3Client") -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("put_object", "AccessDenied", http_status_code=403)
        with pytest.raises(AccessDenied):
            S3Page(client=s3, bucket=BUCKET, render=lambda _: "").write(well())


# The lock


NOW = datetime.now(UTC).replace(microsecond=0)
LOCK = Lock(mode="COMPLIANCE", days=30, clock=lambda: NOW)


@pytest.fixture
def locking(empty: "S3Client") -> "S3Client":
    empty.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return empty


def versions(s3: "S3Client") -> list[tuple[str, str]]:
    return [(one["Key"], one["VersionId"]) for one in s3.list_object_versions(Bucket=BUCKET)["Versions"]]


def write_all(s3: "S3Client", **lock: Lock) -> None:
    records = S3Records(client=s3, bucket=BUCKET, **lock)
    for _ in range(2):  # written over, on the condition that it is what was read
        records.save(Report(stage=Stage.CREATE, plan="nightly", slot=AT))
    records.tell("nightly", AT, {"rds": Retention(policies={HOME: KeepPolicy(daily=7)})})
    S3Postures(client=s3, bucket=BUCKET, **lock).save(well())
    S3Page(client=s3, bucket=BUCKET, render=lambda _: "").write(well())


def test_nobody_deletes_a_locked_record_or_posture_and_nothing_else_is_locked(locking: "S3Client") -> None:
    write_all(locking, lock=LOCK)
    record = "runs/nightly/20261108T060000Z/create.json"
    for key, version in versions(locking):
        expected: AbstractContextManager[object] = (
            pytest.raises(ClientError, match="AccessDenied") if key in (KEY, record) else nullcontext()
        )
        with expected:
            locking.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    assert sorted(key for key, _ in versions(locking)) == [KEY, record, record]
    for key in (KEY, record):
        stored = locking.head_object(Bucket=BUCKET, Key=key)
        assert stored["ObjectLockMode"] == "COMPLIANCE"
        assert stored["ObjectLockRetainUntilDate"] == NOW + timedelta(days=30)


def test_without_the_parameter_nothing_is_locked(locking: "S3Client") -> None:
    write_all(locking)
    for key, version in versions(locking):
        locking.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    assert "Versions" not in locking.list_object_versions(Bucket=BUCKET)


def test_what_is_put_with_a_lock_has_a_checksum(locking: "S3Client") -> None:
    """S3's API reference, PutObject: with a retention period, a checksum or Content-MD5 is required."""
    sent: list[dict[str, Any]] = []

    def sending(request: AWSPreparedRequest, **_: object) -> None:
        sent.append(dict(request.headers))

    locking.meta.events.register_last("before-send.s3.PutObject", sending)
    S3Postures(client=locking, bucket=BUCKET, lock=LOCK).save(well())
    locking.meta.events.unregister("before-send.s3.PutObject", sending)
    (headers,) = sent
    assert headers.keys() & {"x-amz-sdk-checksum-algorithm", "Content-MD5"}


@pytest.mark.parametrize(
    ("headers", "actions"),
    [
        ({}, ["s3:PutObject"]),
        ({"HTTP_X_AMZ_OBJECT_LOCK_MODE": "GOVERNANCE"}, ["s3:PutObject", "s3:PutObjectRetention"]),
    ],
)
def test_the_embedded_cloud_asks_for_the_right_to_lock(
    s3: "S3Client", headers: dict[str, str], actions: list[str]
) -> None:
    asked = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": f"/{BUCKET}/{KEY}",
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=AKIA/20261108/us-east-1/s3/aws4_request",
    }
    call = read(asked | headers, b"")
    assert call is not None
    assert [check.action for check in checks(call, ACCOUNT)] == actions
