"""A table made again, in the copy Region, of what stands there: as a person would, with plain boto3 and none
of the product's code. ImportTable takes whole exports; the changes since are put on top, oldest first."""

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.sandbox import COPY_REGION, Clients
from local.standing import Standing

_IMPORT_SECONDS = 30.0


class RestoreError(Exception):
    """An export that cannot be imported. Says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of a table's newest export: its slot, those of the exports that the new table was made of,
    how many items the source has, and the keys of those that are not equal in both."""

    table: str
    slot: datetime
    made_of: Sequence[datetime]
    items: int
    unequal: Sequence[str]


def restore_newest(clients: Clients, bucket: str, found: Sequence[Standing], table: str) -> Restored:
    """Make the table `<table>-restored`, and compare every item with the source's. Raises `RestoreError`."""
    whole, *changes = _chain(found, table)
    name = f"{table}-restored"
    _import(clients, bucket, whole, table, name)
    away = clients("dynamodb", COPY_REGION)
    for export in changes:
        for line in _lines(clients, bucket, export):
            if "NewImage" in line:
                away.put_item(TableName=name, Item=line["NewImage"])
            else:
                away.delete_item(TableName=name, Key=line["Keys"])
    source, restored = _items(clients("dynamodb"), table), _items(away, name)
    newest = changes[-1] if changes else whole
    return Restored(
        table=table,
        slot=_slot(newest),
        made_of=[_slot(one) for one in (whole, *changes)],
        items=len(source),
        unequal=sorted(key for key in {*source, *restored} if source.get(key) != restored.get(key)),
    )


def _chain(found: Sequence[Standing], table: str) -> list[Standing]:
    """The newest export of a table and what it has the changes since, the whole one first."""
    exports = {
        one.slot: one
        for one in found
        if (one.kind, one.name, one.region) == ("dynamodb", table, COPY_REGION) and one.slot
    }
    slot = max(exports, default=None)
    chain: list[Standing] = []
    while slot is not None:
        if slot not in exports:
            raise RestoreError(f"there is no export of {table} of {slot:%Y-%m-%d}")
        chain.insert(0, exports[slot])
        slot = exports[slot].base
    if not chain:
        raise RestoreError(f"there is no export of {table}")
    return chain


def _import(clients: Clients, bucket: str, export: Standing, table: str, name: str) -> None:
    described = clients("dynamodb").describe_table(TableName=table)["Table"]
    away = clients("dynamodb", COPY_REGION)
    told = away.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": f"{_files(clients, bucket, export)}data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": name,
            "AttributeDefinitions": described["AttributeDefinitions"],
            "KeySchema": described["KeySchema"],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]
    end = time.monotonic() + _IMPORT_SECONDS
    while told["ImportStatus"] == "IN_PROGRESS" and time.monotonic() < end:
        time.sleep(0.02)
        told = away.describe_import(ImportArn=told["ImportArn"])["ImportTableDescription"]
    if told["ImportStatus"] != "COMPLETED":
        raise RestoreError(
            f"the import of {table} ended as {told['ImportStatus']}: {told.get('FailureMessage', '')}"
        )


def _files(clients: Clients, bucket: str, export: Standing) -> str:
    """What the keys of the export's own files begin with: its summary stands there."""
    (summary,) = (key for key in _keys(clients, bucket, export) if key.endswith("/manifest-summary.json"))
    return summary.removesuffix("manifest-summary.json")


def _lines(clients: Clients, bucket: str, export: Standing) -> Iterator[dict[str, Any]]:
    s3 = clients("s3", COPY_REGION)
    for key in _keys(clients, bucket, export):
        if key.endswith(".json.gz"):
            body = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            yield from (json.loads(line) for line in body.splitlines())


def _keys(clients: Clients, bucket: str, export: Standing) -> list[str]:
    pages = clients("s3", COPY_REGION).get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bucket, Prefix=f"{export.id}/")
    return [one["Key"] for page in found for one in page.get("Contents", ())]


def _items(dynamodb: Any, table: str) -> dict[str, Any]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}


def _slot(export: Standing) -> datetime:
    if export.slot is None:
        raise RestoreError(f"{export.id} tells no slot")
    return export.slot
