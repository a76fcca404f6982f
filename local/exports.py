"""DynamoDB's exports and imports, of which moto has a beginning: made to behave as AWS documents them.
Imported in moto's own process (see `moto_server`), or by a test.

What an export writes, and under which names, is DynamoDB's developer guide ("table export output format"). An
export is done before its request is answered, though the answer says that it is under way, as AWS's does.
While `held` holds them, exports stay under way until `finish`; where `pace` says that copies take their time,
until they have been described so often.

moto keeps no history, so that three things differ. An export has the items of the moment in which it was
asked for, whatever its time. An increment has what changed since the table's export for its
`ExportFromTime`, or everything if there is none. And no time is out of reach.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import PointInTimeRecoveryUnavailable, TableNotFoundException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.table_import import TableImport
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoHandler
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.s3.models import FakeDeleteMarker, S3Backend, s3_backends

from local.pace import COPIES

SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)
"""The period of an incremental export."""
LARGEST_PAGE = 25
TOKEN_LIFE = timedelta(hours=8)

_ERROR = "com.amazonaws.dynamodb.v20120810#"
_held = False
_list_objects = S3Backend.list_objects


@dataclass
class Export:
    """One export. `asked` is the request as it came, and `request` with what AWS fills in. `items` are those
    of the table at that moment, by their keys, and `before` those at the beginning of an increment."""

    arn: str
    asked: dict[str, Any]
    request: dict[str, Any]
    table_id: str
    keys: list[str]
    items: dict[str, dict[str, Any]]
    before: dict[str, dict[str, Any]]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    status: str = "IN_PROGRESS"
    failure: tuple[str, str] | None = None
    size_bytes: int = 0
    lines: int = 0
    life: ManagedState = field(default_factory=lambda: ManagedState(COPIES, [("IN_PROGRESS", "COMPLETED")]))
    is_held: bool = field(default_factory=lambda: _held)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[1]

    @property
    def increment(self) -> dict[str, Any] | None:
        return self.request.get("IncrementalExportSpecification")

    @property
    def at(self) -> datetime:
        """The instant that it has the table's items of."""
        at: datetime = self.increment["ExportToTime"] if self.increment else self.request["ExportTime"]
        return at

    @property
    def folder(self) -> str:
        prefix = self.request.get("S3Prefix", "")
        return f"{prefix}/AWSDynamoDB/" if prefix else "AWSDynamoDB/"

    def describe(self) -> dict[str, Any]:
        """As `ExportDescription`."""
        answer = self.request | {
            "ExportArn": self.arn,
            "ExportStatus": self.status,
            "StartTime": self.started,
            "TableId": self.table_id,
            "ExportType": self.request.get("ExportType", "FULL_EXPORT"),
        }
        if self.failure:
            answer["FailureCode"], answer["FailureMessage"] = self.failure
        if self.ended:
            answer["EndTime"] = self.ended
        if self.status == "COMPLETED":
            answer["ExportManifest"] = f"{self.folder}{self.id}/manifest-summary.json"
            answer |= {"ItemCount": self.lines, "BilledSizeBytes": self.size_bytes}
        return answer

    def move_on(self, s3: S3Backend) -> None:
        """Finish if it is time."""
        if self.status == "IN_PROGRESS" and not self.is_held and self.life.status == "COMPLETED":
            self.finish(s3)

    def finish(self, s3: S3Backend) -> None:
        """Write all of it, or fail as AWS does: later, and not in the answer to the request."""
        self.ended = datetime.now(UTC)
        if self.request["S3Bucket"] not in s3.buckets:
            self._fail("S3NoSuchBucket", "The specified bucket does not exist")
            return
        self._put(s3, f"{self.id}/_started", b"")
        data = "data" if self.increment else f"{self.id}/data"
        lines = self._changes() if self.increment else [{"Item": item} for item in self.items.values()]
        self.lines = len(lines)
        # Two partitions, of which one is empty in a small table: AWS writes a file for that one too.
        files = [self._put_data(s3, data, part) for part in (lines, [])]
        self._put_with_checksum(s3, "manifest-files", "\n".join(map(json.dumps, files)))
        self.status = "COMPLETED"
        self._put_with_checksum(s3, "manifest-summary", json.dumps(self._summary()))

    def fail(self, s3: S3Backend, code: str, message: str) -> None:
        """End as one that AWS gave up after it had begun to write."""
        self.ended = datetime.now(UTC)
        self._put(s3, f"{self.id}/_started", b"")
        self._fail(code, message)

    def _fail(self, code: str, message: str) -> None:
        self.status = "FAILED"
        self.failure = (code, message)

    def _changes(self) -> list[dict[str, Any]]:
        """One line for each item that is not what it was: its image now, or its key alone if it is gone."""
        wants_old = (self.increment or {}).get("ExportViewType", "NEW_AND_OLD_IMAGES") != "NEW_IMAGE"
        lines = []
        for key in sorted({*self.items, *self.before}):
            new, old = self.items.get(key), self.before.get(key)
            if new == old:
                continue
            image = new or old or {}
            line: dict[str, Any] = {
                "Metadata": {"WriteTimestampMicros": {"N": str(int(self.at.timestamp() * 1e6) - 1)}},
                "Keys": {name: image[name] for name in self.keys},
            }
            if new is not None:
                line["NewImage"] = new
            if old is not None and wants_old:
                line["OldImage"] = old
            lines.append(line)
        return lines

    def _put_data(self, s3: S3Backend, data: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Write a data file; its entry in the manifest."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        body = gzip.compress(text)
        self.size_bytes += len(text)
        key = self._put(s3, f"{data}/{uuid4().hex[:26]}.json.gz", body)
        return {
            "itemCount": len(lines),
            "md5Checksum": _md5(body),
            "etag": f"{hashlib.md5(body, usedforsecurity=False).hexdigest()}-1",
            "dataFileS3Key": key,
        }

    def _put_with_checksum(self, s3: S3Backend, name: str, text: str) -> None:
        self._put(s3, f"{self.id}/{name}.json", text.encode())
        self._put(s3, f"{self.id}/{name}.md5", _md5(text.encode()).encode())

    def _put(self, s3: S3Backend, name: str, body: bytes) -> str:
        key = self.folder + name
        s3.put_object(self.request["S3Bucket"], key, body)
        return key

    def _summary(self) -> dict[str, Any]:
        increment = self.increment
        times: dict[str, Any]
        if increment:
            times = {
                "version": "2023-08-01",
                "exportFromTime": _iso(increment["ExportFromTime"]),
                "exportToTime": _iso(self.at),
                "outputView": increment.get("ExportViewType", "NEW_AND_OLD_IMAGES"),
                "exportType": "INCREMENTAL_EXPORT",
            }
        else:
            times = {"version": "2020-06-30", "exportTime": _iso(self.at)}
        return times | {
            "exportArn": self.arn,
            "startTime": _iso(self.started),
            "endTime": _iso(self.ended or self.started),
            "tableArn": self.request["TableArn"],
            "tableId": self.table_id,
            "s3Bucket": self.request["S3Bucket"],
            "s3Prefix": self.request.get("S3Prefix"),
            "s3SseAlgorithm": self.request.get("S3SseAlgorithm", "AES256"),
            "s3SseKmsKeyId": self.request.get("S3SseKmsKeyId"),
            "manifestFilesS3Key": f"{self.folder}{self.id}/manifest-files.json",
            "billedSizeBytes": self.size_bytes,
            "itemCount": self.lines,
            "outputFormat": self.request.get("ExportFormat", "DYNAMODB_JSON"),
        }


def teach() -> None:
    """From now on, moto's exports and imports are these. May be called again."""
    DynamoHandler.export_table_to_point_in_time = _export  # type: ignore[method-assign]
    DynamoHandler.describe_export = _describe  # type: ignore[method-assign]
    DynamoHandler.list_exports = _list  # type: ignore[method-assign]
    TableImport._process_s3_files = _import  # type: ignore[assignment, method-assign] # noqa: SLF001
    S3Backend.list_objects = _list_live_objects  # type: ignore[method-assign]


@contextmanager
def held() -> Iterator[None]:
    """While inside, an export that is begun stays under way until `finish`."""
    global _held  # noqa: PLW0603  one switch for all of moto's accounts
    _held = True
    try:
        yield
    finally:
        _held = False


def exports_in(account: str, region: str) -> list[Export]:
    """The exports of a Region's tables."""
    return list(_exports(dynamodb_backends[account][region]).values())


def finish(account: str, region: str) -> None:
    """Let a Region's exports that are under way end."""
    for export in exports_in(account, region):
        if export.status == "IN_PROGRESS":
            export.finish(_s3(dynamodb_backends[account][region]))


def _export(self: DynamoHandler) -> ActionResult:
    backend, asked = self.dynamodb_backend, dict(self.body)
    now = datetime.now(UTC)
    request: dict[str, Any] = {"ClientToken": str(uuid4()), "ExportTime": now} | asked
    for one in _exports(backend).values():
        if one.request["ClientToken"] == request["ClientToken"] and now - one.started < TOKEN_LIFE:
            if one.asked != asked:
                message = "Duplicate request detected with a different request body"
                raise JsonRESTError(_ERROR + "ExportConflictException", message)
            return ActionResult({"ExportDescription": one.describe()})
    table = _table(backend, request["TableArn"])
    increment = request.get("IncrementalExportSpecification")
    if increment:
        period = increment["ExportToTime"] - increment["ExportFromTime"]
        if not SHORTEST <= period <= LONGEST:
            message = (
                "Difference between export period from and to time is not between 15 minutes and 24 hours"
            )
            raise JsonRESTError(_ERROR + "InvalidExportTimeException", message)
    export = Export(
        arn=f"{table.table_arn}/export/{int(now.timestamp() * 1000):014}-{uuid4().hex[:8]}",
        asked=asked,
        request=request,
        table_id=str(uuid5(NAMESPACE_URL, f"{table.table_arn} {table.created_at}")),
        keys=list(table.table_key_attrs),
        items=_items(table),
        before=_items_at(backend, table, increment["ExportFromTime"]) if increment else {},
    )
    answer = export.describe()
    _exports(backend)[export.arn] = export
    export.move_on(_s3(backend))
    return ActionResult({"ExportDescription": answer})


def _describe(self: DynamoHandler) -> ActionResult:
    export = _exports(self.dynamodb_backend).get(self.body["ExportArn"])
    if export is None:
        raise JsonRESTError(_ERROR + "ExportNotFoundException", f"Export not found: {self.body['ExportArn']}")
    export.life.advance()
    export.move_on(_s3(self.dynamodb_backend))
    return ActionResult({"ExportDescription": export.describe()})


def _list(self: DynamoHandler) -> ActionResult:
    table, after = self.body.get("TableArn"), self.body.get("NextToken")
    size = min(self.body.get("MaxResults") or LARGEST_PAGE, LARGEST_PAGE)
    exports = [
        one
        for arn, one in sorted(_exports(self.dynamodb_backend).items(), reverse=True)
        if (not table or one.request["TableArn"] == table) and (not after or arn < after)
    ]
    answer: dict[str, Any] = {
        "ExportSummaries": [
            {key: one.describe()[key] for key in ("ExportArn", "ExportStatus", "ExportType")}
            for one in exports[:size]
        ]
    }
    if len(exports) > size:
        answer["NextToken"] = exports[size - 1].arn
    return ActionResult(answer)


def _import(self: TableImport, s3: S3Backend, bucket: Any) -> None:
    """moto reads JSON with a parser of its own, which neither knows escapes nor an empty file."""
    self.table = table = dynamodb_backends[self.account_id][self.region_name].create_table(
        name=self.table_name,
        billing_mode=self.billing_mode,
        throughput=self.throughput,
        schema=self.key_schema,
        global_indexes=self.global_indexes,
        indexes=None,
        attr=self.attrs,
        sse_specification=None,
        streams=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    keys, _, _, _ = s3.list_objects(bucket, self.s3_source.get("S3KeyPrefix"), None, None, None)
    for key in keys:
        body = gzip.decompress(key.value) if self.compression_type == "GZIP" else key.value
        for line in body.decode().split("\n"):
            if line:
                self.processed_count += 1
                self.processed_bytes += len(line)
                table.put_item(item_attrs=json.loads(line)["Item"])
                self.imported_count += 1
    self.status = "COMPLETED"


def _list_live_objects(
    self: S3Backend, bucket: Any, prefix: Any, delimiter: Any, *more: Any, **named: Any
) -> Any:
    """moto still tells the common prefixes of what was deleted in a bucket with versions."""
    keys, folders, *rest = _list_objects(self, bucket, prefix, delimiter, *more, **named)
    if folders:
        live = [name for name, key in bucket.keys.items() if not isinstance(key, FakeDeleteMarker)]
        folders = [one for one in folders if any(name.startswith(one) for name in live)]  # type: ignore[assignment]
    return (keys, folders, *rest)


def _exports(backend: DynamoDBBackend) -> dict[str, Export]:
    exports: Any = backend.table_exports
    return exports  # type: ignore[no-any-return]


def _s3(backend: DynamoDBBackend) -> S3Backend:
    return s3_backends[backend.account_id][backend.partition]


def _table(backend: DynamoDBBackend, arn: str) -> Table:
    table = next((one for one in backend.tables.values() if one.table_arn == arn), None)
    if table is None:
        raise TableNotFoundException(name=arn)
    recovery = table.continuous_backups["PointInTimeRecoveryDescription"]
    if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
        raise PointInTimeRecoveryUnavailable(name=table.name)
    return table


def _items(table: Table) -> dict[str, dict[str, Any]]:
    items = [json.loads(dynamo_json_dump(one.to_json("Item")))["Item"] for one in table.all_items()]
    return {json.dumps([item[name] for name in table.table_key_attrs]): item for item in items}


def _items_at(backend: DynamoDBBackend, table: Table, at: datetime) -> dict[str, dict[str, Any]]:
    """The items that the table's export of that instant has."""
    same = (
        one
        for one in _exports(backend).values()
        if one.request["TableArn"] == table.table_arn and one.at == at
    )
    found = next(same, None)
    return found.items if found else {}


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
