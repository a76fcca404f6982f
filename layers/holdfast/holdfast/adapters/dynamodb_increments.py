"""The changes in incremental exports of a table, put on top of a table made of the whole one before them.

By DynamoDB's developer guide ("table export output format") a data file is gzip of a line of JSON for each
item that changed: `Keys`, and `NewImage` unless the item was deleted. `manifest-files.json` has a line for
each data file. By AWS's announcement of incremental exports ("the export is compacted") an item that changed
several times is in an export once, as it was last: the order within an export means nothing, that of the
exports all. To put a change twice gives the same as to put it once.
"""

import gzip
import json
import time
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from itertools import batched, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from holdfast.adapters.calls import translated
from holdfast.adapters.dynamodb_exports import ExportFiles
from holdfast.core.errors import ProviderError, Throttled
from holdfast.core.restoring import Filled
from holdfast.ports import Deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

KIND = "dynamodb"
PART = 20_000
"""Changes that count as one file, and as one step of progress. DynamoDB gives a new table paid per request
4,000 write units a second: of items of 10 KB this many take 50 seconds."""

BATCH = 25
"""BatchWriteItem takes so many. An item has at most 400 KB, and they may have 16 MB together."""

THREADS = 8
ENOUGH_SECONDS = 60.0
ATTEMPTS = 8
"""How often BatchWriteItem is called with what it left out before; botocore repeats what fails as a whole."""

FIRST_PAUSE_SECONDS = 0.05
"""Before the second time; twice as long before each further one, as DynamoDB's API reference advises."""

_READ_BYTES = 1 << 20

type _Request = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The lines from `first` on of a data file, up to `last` (`None`: to its end)."""

    files: ExportFiles
    key: str
    first: int
    last: int | None


class Increments:
    """Puts changes into a Region's tables. Both arguments make the client of a Region."""

    def __init__(
        self, *, s3: "Callable[[str], S3Client]", dynamodb: "Callable[[str], DynamoDBClient]"
    ) -> None:
        self._make_s3 = s3
        self._dynamodb = dynamodb
        self._made: dict[str, S3Client] = {}
        self._lock = Lock()

    def put(
        self, exports: Sequence[ExportFiles], region: str, table: str, filled: Filled, deadline: Deadline
    ) -> Filled:
        """Put the changes of `exports`, which are in their order, into the table, behind those that `filled`
        says are there. A part that was cut short is put again, whole. Raises what may pass by itself only
        if nothing was done: what was done has to be remembered."""
        parts = [part for one in exports for part in self._parts(one)]
        done = filled.done
        try:
            for part in parts[done:]:
                if not self._put(part, region, table, deadline):
                    break
                done += 1
        except ProviderError as error:
            if not error.retryable or done == filled.done:
                raise
        return Filled(done=done, total=len(parts))

    def _s3(self, region: str) -> "S3Client":
        with self._lock:
            if region not in self._made:
                self._made[region] = self._make_s3(region)
            return self._made[region]

    def _parts(self, files: ExportFiles) -> Iterator[_Part]:
        """Always the same of the same export: a manifest does not change."""
        with translated(KIND, _address(files, files.manifest), "GetObject"):
            body = self._s3(files.place).get_object(Bucket=files.bucket, Key=files.manifest)["Body"].read()
            for line in body.splitlines():
                told = _json(line, files, files.manifest)
                key, count = str(told["dataFileS3Key"]), int(told["itemCount"])
                starts = range(0, max(count, 1), PART)
                for first in starts:
                    last = None if first == starts[-1] else first + PART
                    yield _Part(files=files, key=key, first=first, last=last)

    def _put(self, part: _Part, region: str, table: str, deadline: Deadline) -> bool:
        """Whether there was time for all of it."""
        client = self._dynamodb(region)
        lines = self._lines(part)
        with ThreadPoolExecutor(THREADS) as pool:
            # So many at a time that a part of large items is not in memory at once.
            for some in batched(batched(lines, BATCH, strict=False), THREADS, strict=False):
                if deadline() < ENOUGH_SECONDS:
                    return False
                requests = [[_request(line) for line in batch] for batch in some]
                for _ in pool.map(lambda batch: _write(client, table, batch), requests):
                    pass
        return True

    def _lines(self, part: _Part) -> Iterator[Mapping[str, Any]]:
        files = part.files
        with translated(KIND, _address(files, part.key), "GetObject"):
            body = self._s3(files.place).get_object(Bucket=files.bucket, Key=part.key)["Body"]
            unpacked = BufferedReader(cast("Any", gzip.GzipFile(fileobj=body)), _READ_BYTES)
            try:
                for line in islice(unpacked, part.first, part.last):
                    yield _json(line, files, part.key)
            except (EOFError, OSError, zlib.error) as error:
                raise _malformed(files, part.key, error) from error


def _write(client: "DynamoDBClient", table: str, requests: list[_Request]) -> None:
    """Raises `Throttled` when DynamoDB leaves some out again and again."""
    left = requests
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        with translated(KIND, table, "BatchWriteItem"):
            answer = client.batch_write_item(RequestItems={table: cast("Any", left)})
            left = cast("list[_Request]", answer.get("UnprocessedItems", {}).get(table, []))
        if not left:
            return
    message = f"DynamoDB took {len(requests) - len(left)} of {len(requests)} changes"
    raise Throttled(KIND, table, "BatchWriteItem", "UnprocessedItems", message)


def _request(change: Mapping[str, Any]) -> _Request:
    if "NewImage" in change:
        return {"PutRequest": {"Item": _attributes(change["NewImage"])}}
    return {"DeleteRequest": {"Key": _attributes(change["Keys"])}}


def _attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in item.items()}


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute as botocore takes it. Of DynamoDB's JSON it is binary values alone, which botocore encodes
    anew, that have to be decoded."""
    [(kind, content)] = value.items()
    match kind:
        case "B":
            return {kind: b64decode(content)}
        case "BS":
            return {kind: [b64decode(one) for one in content]}
        case "L":
            return {kind: [_value(one) for one in content]}
        case "M":
            return {kind: _attributes(content)}
        case _:
            return {kind: content}


def _json(line: bytes, files: ExportFiles, key: str) -> Mapping[str, Any]:
    try:
        read: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise _malformed(files, key, error) from error
    return read


def _malformed(files: ExportFiles, key: str, error: Exception) -> ProviderError:
    message = f"the export cannot be read: {error}"
    return ProviderError(KIND, _address(files, key), "GetObject", "MalformedExport", message)


def _address(files: ExportFiles, key: str) -> str:
    return f"s3://{files.bucket}/{key}"
