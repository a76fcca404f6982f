"""Documents in a bucket: JSON, written only over what was read, and whatever else is put there."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, ProviderError
from holdfast.core.naming import parse_slot

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestPaginateTypeDef,
        PutObjectRequestTypeDef,
    )

KIND = "s3"
BROKEN = "BrokenDocument"
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class ChangedMeanwhile(ProviderError):
    """Somebody else wrote the document after it was read. Nothing was written."""

    retryable = True


UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a document may raise that somebody else wrote: numbers without end and lists without bottom
among it."""

type Mode = Literal["GOVERNANCE", "COMPLIANCE"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """S3 Object Lock for what is written: for so many days nobody can delete that version of it, with the
    mode `GOVERNANCE` nobody without a right of their own. `None`: no lock."""

    mode: Mode | None = None
    days: int = 0
    clock: Callable[[], datetime] = _now

    def put_on(self, request: "PutObjectRequestTypeDef") -> None:
        if self.mode is not None:
            request["ObjectLockMode"] = self.mode
            request["ObjectLockRetainUntilDate"] = self.clock() + timedelta(days=self.days)


UNLOCKED = Lock()


class S3Documents:
    """Documents by key. A document's entity tag says which writing of it was read, and is empty when there
    is none yet. `lock` is put on all that is written.

    Telling an absent document needs `s3:ListBucket`; without it S3 answers AccessDenied.
    """

    def __init__(self, *, client: "S3Client", bucket: str, lock: Lock = UNLOCKED) -> None:
        self._client = client
        self._bucket = bucket
        self._lock = lock

    def address(self, key: str) -> str:
        """Where a document is, for people and messages."""
        return f"s3://{self._bucket}/{key}"

    def read(self, key: str) -> tuple[Any, str]:
        """The document and its entity tag. Raises `ProviderError` when it is not JSON."""
        try:
            with translated(KIND, self.address(key), "GetObject"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                text = answer["Body"].read()
        except NotFound as error:
            if error.code != "NoSuchKey":
                raise
            return None, ""
        try:
            return json.loads(text), answer["ETag"]
        except ValueError as error:
            raise self.broken(key, error) from error

    def write(self, key: str, document: object, tag: str) -> str:
        """Write the document if it is still the one with this entity tag. Returns the new one's tag.

        Raises `ChangedMeanwhile` when it is not: also when the answer to a writing was lost and botocore
        repeated it, since what changed the document is that writing itself then.
        """
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": json.dumps(document, ensure_ascii=False).encode(),
            "ContentType": "application/json",
        }
        if tag:
            request["IfMatch"] = tag
        else:
            request["IfNoneMatch"] = "*"
        try:
            return self._put(request)
        except ProviderError as error:
            if error.code not in _CHANGED:
                raise
            raise ChangedMeanwhile(KIND, self.address(key), "PutObject", error.code, error.message) from error

    def get(self, key: str) -> bytes:
        """What is there. Raises `NotFound` when nothing is."""
        with translated(KIND, self.address(key), "GetObject"):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def put(
        self, key: str, body: bytes, *, content_type: str, cache_control: str = "", once: bool = False
    ) -> None:
        """Write whatever is there by now; `once`: unless anything is."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": body,
            "ContentType": content_type,
        }
        if cache_control:
            request["CacheControl"] = cache_control
        if once:
            request["IfNoneMatch"] = "*"
        try:
            self._put(request)
        except ProviderError as error:
            if not once or error.code not in _CHANGED:
                raise

    def keys(self, prefix: str, after: str = "") -> list[str]:
        """All keys that begin so, in order; those alone that sort behind `after`."""
        request: ListObjectsV2RequestPaginateTypeDef = {"Bucket": self._bucket, "Prefix": prefix}
        with translated(KIND, self.address(prefix), "ListObjectsV2"):
            return [
                found["Key"] for page in self._pages(request, after) for found in page.get("Contents", ())
            ]

    def folders(self, prefix: str, after: str = "") -> list[str]:
        """What keys that begin so have up to the next slash, in order, with that slash: `runs/nightly/`.
        With `after`, of those keys alone that sort behind it."""
        request: ListObjectsV2RequestPaginateTypeDef = {
            "Bucket": self._bucket,
            "Prefix": prefix,
            "Delimiter": "/",
        }
        with translated(KIND, self.address(prefix), "ListObjectsV2"):
            return [
                found["Prefix"]
                for page in self._pages(request, after)
                for found in page.get("CommonPrefixes", ())
            ]

    def _pages(
        self, request: "ListObjectsV2RequestPaginateTypeDef", after: str
    ) -> "Iterable[ListObjectsV2OutputTypeDef]":
        if after:
            request["StartAfter"] = after
        return self._client.get_paginator("list_objects_v2").paginate(**request)

    def _put(self, request: "PutObjectRequestTypeDef") -> str:
        """Returns the new entity tag."""
        self._lock.put_on(request)
        with translated(KIND, self.address(request["Key"]), "PutObject"):
            return self._client.put_object(**request)["ETag"]

    def broken(self, key: str, error: Exception) -> ProviderError:
        """The error about a document that is there and cannot be understood."""
        return ProviderError(KIND, self.address(key), "GetObject", BROKEN, repr(error))


def instant_in(name: str) -> datetime | None:
    """The instant that a name begins with, as `core.naming.compact_slot` writes it: that of
    `20261122T020000Z.jsonl.gz` and `20261122T020000Z/`. `None` when it begins with none."""
    if name[16:17].isalnum():
        return None
    return parse_slot(f"{name[:4]}-{name[4:6]}-{name[6:11]}:{name[11:13]}:{name[13:16]}")
