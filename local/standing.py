"""What stands in the embedded cloud, listed with plain boto3 and none of the product's code."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.sandbox import COPY_REGION, HOME_REGION, Clients


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A backup that can be restored. `slot` is `None` when it is not one of Holdfast's."""

    kind: str
    name: str
    region: str
    slot: datetime | None
    id: str
    key: str
    copy_of: str


def everything(clients: Clients) -> list[Standing]:
    """All backups that people or tools made, in both Regions."""
    return [
        one
        for region in (HOME_REGION, COPY_REGION)
        for listed in (_tables(clients, region), _instances(clients, region), _clusters(clients, region))
        for one in listed
    ]


def _tables(clients: Clients, region: str) -> Iterator[Standing]:
    pages = clients("dynamodb", region).get_paginator("list_backups").paginate()
    for backup in (one for page in pages for one in page["BackupSummaries"]):
        yield Standing(
            kind="dynamodb",
            name=backup["TableName"],
            region=region,
            slot=_slot(backup["BackupName"].rsplit(".", 1)[-1], "%Y%m%dT%H%M%SZ"),
            id=backup["BackupName"],
            key="",
            copy_of="",
        )


def _instances(clients: Clients, region: str) -> Iterator[Standing]:
    pages = clients("rds", region).get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
    for snapshot in (one for page in pages for one in page["DBSnapshots"]):
        yield _snapshot(
            "rds", region, snapshot, snapshot["DBSnapshotIdentifier"], snapshot["DBInstanceIdentifier"]
        )


def _clusters(clients: Clients, region: str) -> Iterator[Standing]:
    pages = (
        clients("rds", region).get_paginator("describe_db_cluster_snapshots").paginate(SnapshotType="manual")
    )
    for snapshot in (one for page in pages for one in page["DBClusterSnapshots"]):
        yield _snapshot(
            "aurora",
            region,
            snapshot,
            snapshot["DBClusterSnapshotIdentifier"],
            snapshot["DBClusterIdentifier"],
        )


def _snapshot(kind: str, region: str, snapshot: dict[str, Any], identifier: str, name: str) -> Standing:
    tags = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList", [])}
    return Standing(
        kind=kind,
        name=name,
        region=region,
        slot=_slot(tags.get("holdfast:slot", ""), "%Y-%m-%dT%H:%M:%SZ"),
        id=identifier,
        key=snapshot.get("KmsKeyId") or "",
        copy_of=tags.get("holdfast:copy-of", ""),
    )


def _slot(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
