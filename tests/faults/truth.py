"""What stands, read from moto's own memory: no listing can hide anything from it, and none of the product's
code has a say in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends

from tests.fakes import ACCOUNT, AWAY, HOME
from tests.faults.furniture import EXPORTS


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Standing:
    """A backup, a copy or an export. `source` is the ARN of what it was made from, `slot` as names have it
    (`20261122T020000Z`, empty where it tells none), and `id` AWS's own, which no two share. `whole`: AWS
    calls it done."""

    kind: str
    place: str
    source: str
    slot: str
    id: str
    whole: bool = True

    @property
    def what(self) -> tuple[str, str, str, str]:
        """What should stand once: the backup of a resource for a slot in a place."""
        return self.kind, self.place, self.source, self.slot


def standing(vault_account: str) -> list[Standing]:
    """All that stand, sorted."""
    found: list[Standing] = [*_tables(), *_exports()]
    for region, account in ((HOME, ""), (AWAY, ""), (AWAY, vault_account)):
        found += _databases(region, account)
        found += _volumes(region, account)
    return sorted(found)


def _place(region: str, account: str) -> str:
    return f"{region}@{account}" if account else region


def _tables() -> Iterator[Standing]:
    for one in dynamodb_backends[ACCOUNT][HOME].backups.values():
        yield Standing(
            kind="dynamodb",
            place=HOME,
            source=one.table.table_arn,
            slot=one.name.rpartition(".")[2],
            id=one.arn,
            whole=one.status == "AVAILABLE",
        )


def _exports() -> Iterator[Standing]:
    """One for each prefix that has anything below it."""
    everything = list(s3_backends[ACCOUNT]["aws"].buckets[EXPORTS].keys)
    keys = [key for key in everything if not key.startswith("settings/")]
    for prefix in {"/".join(key.split("/")[:6]) for key in keys}:
        *_, table, name = prefix.split("/")
        yield Standing(
            kind="dynamodb",
            place=AWAY,
            source=f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/{table.rpartition('.')[0]}",
            slot=name.partition("-")[0].rpartition(".")[2],
            id=prefix,
            whole=any(key.startswith(prefix) and key.endswith("/manifest-summary.json") for key in keys),
        )


def _databases(region: str, account: str) -> Iterator[Standing]:
    backend = rds_backends[account or ACCOUNT][region]
    snapshots: list[tuple[str, Any, str]] = [
        *(("rds", one, one.db_snapshot_arn) for one in backend.database_snapshots.values()),
        *(("aurora", one, one.db_cluster_snapshot_arn) for one in backend.cluster_snapshots.values()),
    ]
    for kind, one, arn in snapshots:
        tags = _tags(one.tags)
        yield Standing(
            kind=kind,
            place=_place(region, account),
            source=tags.get("holdfast:source", ""),
            slot=_compact(tags.get("holdfast:slot", "")),
            id=arn,
            whole=one.status == "available",
        )


def _volumes(region: str, account: str) -> Iterator[Standing]:
    """A snapshot that was made together with others has the instance as its source: moto knows the volume."""
    owner = account or ACCOUNT
    for one in ec2_backends[owner][region].snapshots.values():
        if one.owner_id != owner:
            continue  # of an image
        tags = _tags(one.get_tags())
        source = tags.get("holdfast:source", "")
        if "holdfast:copy-of" not in tags:
            source = f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{one.volume_id}"
        yield Standing(
            kind="ebs",
            place=_place(region, account),
            source=source,
            slot=_compact(tags.get("holdfast:slot", "")),
            id=one.id,
            whole=one.status == "completed",
        )


def _tags(entries: Any) -> dict[str, str]:
    return {str(one.get("Key", one.get("key"))): str(one.get("Value", one.get("value"))) for one in entries}


def _compact(slot: str) -> str:
    return re.sub(r"[-:]", "", slot)
