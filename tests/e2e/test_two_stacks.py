"""Two stacks with one plan's name, in one account and Region, over the same resources: each makes its own
backups and prunes its own, in every kind and place, also where IAM would not stop it.

The second one's name begins with the first one's, and goes on with the plan's: the worst that it could be.
"""

import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.core.model import Mark
from holdfast.core.naming import INSTANCE_SNAPSHOT_LIMIT, snapshot_name
from local.authority import CONTROL_PATH
from local.authority.policies import Caller, Question, Statement, judge, statements_of
from local.cloud import Cloud
from local.company import COMPANY, PEOPLES_BACKUPS
from local.house import STACK, House, furnish
from local.nights import run_stage
from local.sandbox import COPY_REGION, HOME_REGION, Clients
from tests.e2e.estate import SHORT, SHORT_COPIES

pytestmark = pytest.mark.long

SECOND = f"{STACK}-nightly"
FIRST_SLOT = datetime(2026, 7, 1, 2, tzinfo=UTC)
NIGHTS = 3
PROTECTED = [one for one in COMPANY if one.is_protected]
STAGES = ("create_backups", "copy_backups", "prune_backups", "publish_report")

type Found = tuple[str, str, str, str, str]
"""Stack, kind, Region, id and slot of a backup; the stack is empty for people's."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    first: House
    second: House

    @property
    def clients(self) -> Clients:
        return self.first.cloud.clients

    def found(self) -> set[Found]:
        """All backups, by what they bear themselves."""
        home = {*_tables(self.clients), *_snapshots(self.clients, HOME_REGION)}
        return home | {
            *_snapshots(self.clients, COPY_REGION),
            *_exports(self.clients, self.first.copy_bucket),
        }

    def of(self, stack: str) -> set[Found]:
        return {one for one in self.found() if one[0] == stack}


@pytest.fixture(scope="module")
def neighbours(built: None) -> Iterator[Neighbours]:
    """Three nights, in which one runs right after the other."""
    with Cloud() as cloud:
        first = furnish(cloud, {**SHORT, **SHORT_COPIES})
        stack = cloud.deploy_beside(
            SECOND,
            {
                **SHORT,
                **SHORT_COPIES,
                "CopyRegion": COPY_REGION,
                "CopyKmsKeyArn": first.copy_key,
                "CopyBucket": first.copy_bucket,
                "RdsCallsPerSecond": "99",
            },
        )
        made = Neighbours(first, House(cloud=cloud, stack=stack, copy_stack=first.copy_stack))
        for night in range(NIGHTS):
            for stage in STAGES:
                for house in (made.first, made.second):
                    _finish(house, stage, FIRST_SLOT + timedelta(days=night))
        yield made


def _finish(house: House, stage: str, slot: datetime) -> None:
    """Sweep until nothing is unfinished, as a run does."""
    for _ in range(10):
        if not run_stage(house, stage, slot)["unfinished"]:
            return
    raise AssertionError(f"{stage} of {house.stack.name} does not come to an end")


def test_each_has_what_it_would_have_alone(neighbours: Neighbours) -> None:
    """Of each resource the newest backup here and there, and what an export stands on."""
    for stack in (STACK, SECOND):
        counted = Counter((kind, region) for _, kind, region, _, _ in neighbours.of(stack))
        for kind in ("rds", "aurora", "ebs"):
            protected = sum(one.kind == kind for one in PROTECTED)
            assert counted[kind, HOME_REGION] == counted[kind, COPY_REGION] == protected
        assert counted["dynamodb", HOME_REGION] == sum(one.kind == "dynamodb" for one in PROTECTED)
        assert counted["export", COPY_REGION] >= sum(one.kind == "dynamodb" for one in PROTECTED)
    slots = {slot for stack, kind, _, _, slot in neighbours.found() if stack and kind != "export"}
    assert {one.replace("-", "").replace(":", "") for one in slots} == {"20260703T020000Z"}


def test_both_pruned(neighbours: Neighbours) -> None:
    """Otherwise it would say little that nothing of the other's is gone."""
    for house in (neighbours.first, neighbours.second):
        records = [house.record(f"2026070{night}T020000Z", "prune") for night in (2, 3)]
        deleted = {one["kind"] for record in records for one in record["outcomes"] if one["state"] == "done"}
        assert deleted == {"aurora", "dynamodb", "ebs", "rds"}


@pytest.mark.parametrize("active", [STACK, SECOND])
def test_one_alone_leaves_the_other_s_as_they_are(neighbours: Neighbours, active: str) -> None:
    """And what people made."""
    house = neighbours.first if active == STACK else neighbours.second
    mine = neighbours.of(active)
    others = neighbours.found() - mine
    slot = FIRST_SLOT + timedelta(days=NIGHTS + (active == SECOND))
    for stage in STAGES:
        _finish(house, stage, slot)
    assert neighbours.found() - neighbours.of(active) == others
    assert len([one for one in others if not one[0]]) >= len(PEOPLES_BACKUPS)
    gone = mine - neighbours.of(active)
    assert {kind for _, kind, _, _, _ in gone} >= {"rds", "aurora", "ebs", "dynamodb"}


def test_iam_stops_it_but_for_dynamodb(neighbours: Neighbours) -> None:
    function = neighbours.second.cloud.functions[f"{SECOND}-prune-backups"].function
    clients = Clients(neighbours.clients.endpoint, function.credentials)
    theirs = {kind: id_ for _, kind, region, id_, _ in neighbours.of(STACK) if region == HOME_REGION}
    attempts: tuple[Callable[[], object], ...] = (
        lambda: clients("rds").delete_db_snapshot(DBSnapshotIdentifier=theirs["rds"]),
        lambda: clients("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=theirs["aurora"]),
        lambda: clients("ec2").delete_snapshot(SnapshotId=theirs["ebs"]),
    )
    for attempt in attempts:
        with pytest.raises(ClientError, match="not authorized"):
            attempt()
    role, statements = _prune_role(neighbours.second)
    backup = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01234567890123-01234567"
    asked = Question(action="dynamodb:DeleteBackup", resource=backup, context={})
    assert judge(asked, Caller(arn=role), statements).allowed, "its backups bear no tags: names alone tell"


def _prune_role(house: House) -> tuple[str, list[Statement]]:
    with urllib.request.urlopen(f"{house.cloud.moto.url}{CONTROL_PATH}/policies") as answer:
        identity: dict[str, dict[str, str]] = json.load(answer)["identity"]
    role = next(one for one in identity if f"/{house.stack.name}-PruneBackupsRole-" in one)
    documents = identity[role].items()
    return role, [one for name, text in documents for one in statements_of(name, json.loads(text))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((STACK, "nightly-website"), (SECOND, "website")),
        (("Prod", "website"), ("prod", "website")),
    ],
)
def test_two_stacks_never_want_one_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    """RDS takes an identifier once in a Region, and knows no capital letters."""
    names = {
        snapshot_name(
            Mark(
                stack=stack,
                plan="nightly",
                slot=FIRST_SLOT,
                source=f"arn:aws:rds:us-east-1:123456789012:db:{instance}",
            ),
            INSTANCE_SNAPSHOT_LIMIT,
        )
        for stack, instance in (one, other)
    }
    assert len(names) == 2


def _tables(clients: Clients) -> Iterator[Found]:
    for backup in clients("dynamodb").list_backups()["BackupSummaries"]:
        stack, _, rest = backup["BackupName"].partition(".")
        slot = rest.rpartition(".")[2]
        is_ours = backup["BackupName"].count(".") == 2
        yield stack if is_ours else "", "dynamodb", HOME_REGION, backup["BackupArn"], slot


def _snapshots(clients: Clients, region: str) -> Iterator[Found]:
    rds = clients("rds", region)
    for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]:
        yield _found("rds", region, one["DBSnapshotIdentifier"], one["TagList"])
    for one in rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]:
        yield _found("aurora", region, one["DBClusterSnapshotIdentifier"], one["TagList"])
    for one in clients("ec2", region).describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        yield _found("ebs", region, one["SnapshotId"], one.get("Tags", []))


def _found(kind: str, region: str, id_: str, entries: list[dict[str, Any]]) -> Found:
    tags = {one["Key"]: one["Value"] for one in entries}
    return tags.get("holdfast:stack", ""), kind, region, id_, tags.get("holdfast:slot", "")


def _exports(clients: Clients, bucket: str) -> Iterator[Found]:
    pages = clients("s3", COPY_REGION).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for key in (one["Key"] for page in pages for one in page.get("Contents", ())):
        _, stack, _, _, table, export, *_ = key.split("/")
        yield stack, "export", COPY_REGION, f"{table}/{export}", export
