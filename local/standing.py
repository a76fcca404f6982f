"""What stands in the embedded cloud, listed with plain boto3 and none of the product's code."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from local.sandbox import COPY_REGION, HOME_REGION, Clients

_COMPACT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A backup. `slot` is `None` when it is not one of Holdfast's. A volume's name is its tag `Name`, as is
    the id of its snapshots; the id of a table's export is its prefix in the bucket.

    `whole` says whether AWS calls it done, `failed` whether it gave it up, which an export does not tell.
    `base` is the slot that an export has the changes since; `None` when it has everything.
    """

    kind: str
    name: str
    region: str
    slot: datetime | None
    id: str
    key: str
    copy_of: str
    whole: bool = True
    failed: bool = False
    base: datetime | None = None


def everything(clients: Clients, copy_bucket: str) -> list[Standing]:
    """All backups that people or tools made, in both Regions, and all exports in the bucket."""
    snapshots = [
        one
        for region in (HOME_REGION, COPY_REGION)
        for listed in (_tables, _instances, _clusters, _volumes)
        for one in listed(clients, region)
    ]
    return [*snapshots, *_exports(clients, copy_bucket)]


def _tables(clients: Clients, region: str) -> Iterator[Standing]:
    pages = clients("dynamodb", region).get_paginator("list_backups").paginate()
    for backup in (one for page in pages for one in page["BackupSummaries"]):
        yield Standing(
            kind="dynamodb",
            name=backup["TableName"],
            region=region,
            slot=_slot(backup["BackupName"].rsplit(".", 1)[-1], _COMPACT),
            id=backup["BackupName"],
            key="",
            copy_of="",
            whole=backup["BackupStatus"] == "AVAILABLE",
        )


def _exports(clients: Clients, bucket: str) -> Iterator[Standing]:
    """One for each prefix that has anything below it:
    `holdfast/<stack>/<Region>/<account>/<table>.<table id>/<plan>.<slot>-full`, or `…-since-<slot>`."""
    s3 = clients("s3", COPY_REGION)
    prefixes: dict[str, Standing] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="holdfast/"):
        for key in (one["Key"] for one in page.get("Contents", ())):
            prefix = "/".join(key.split("/")[:6])
            one = prefixes.setdefault(prefix, _export(prefix))
            if key.endswith("/manifest-summary.json"):
                summary = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
                prefixes[prefix] = replace(
                    one, whole=True, key=summary["s3SseKmsKeyId"] or "", copy_of=summary["tableArn"]
                )
    yield from prefixes.values()


def _export(prefix: str) -> Standing:
    """What the name tells of an export; it is not whole before its summary is seen."""
    *_, table, export = prefix.split("/")
    slot, _, kind = export.rpartition(".")[2].partition("-")
    return Standing(
        kind="dynamodb",
        name=table.rpartition(".")[0],
        region=COPY_REGION,
        slot=_slot(slot, _COMPACT),
        id=prefix,
        key="",
        copy_of="",
        whole=False,
        base=_slot(kind.removeprefix("since-").partition("-try")[0], _COMPACT),
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


def _volumes(clients: Clients, region: str) -> Iterator[Standing]:
    names = volume_names(clients)
    pages = clients("ec2", region).get_paginator("describe_snapshots").paginate(OwnerIds=["self"])
    for snapshot in (one for page in pages for one in page["Snapshots"]):
        tags = _tags_of(snapshot)
        copy_of = tags.get("holdfast:copy-of", "")
        # A copy does not tell its volume.
        volume = tags["holdfast:source"].rpartition("/")[2] if copy_of else snapshot["VolumeId"]
        yield Standing(
            kind="ebs",
            name=names.get(volume, volume),
            region=region,
            slot=_slot(tags.get("holdfast:slot", ""), "%Y-%m-%dT%H:%M:%SZ"),
            id=tags.get("Name", snapshot["SnapshotId"]),
            key=snapshot.get("KmsKeyId", ""),
            copy_of=copy_of,
            whole=snapshot["State"] == "completed",
            failed=snapshot["State"] == "error",
        )


def volume_names(clients: Clients) -> dict[str, str]:
    """The tag `Name` of each volume in the home Region, by its id."""
    pages = clients("ec2").get_paginator("describe_volumes").paginate()
    return {
        volume["VolumeId"]: _tags_of(volume).get("Name", volume["VolumeId"])
        for page in pages
        for volume in page["Volumes"]
    }


def _tags_of(described: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


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
        whole=snapshot["Status"] == "available",
        failed=snapshot["Status"] == "failed",
    )


def _slot(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
