"""Turns: who may do now what only one may do at a time, by conditional writes to S3.

DynamoDB's CreateBackup cannot be repeated safely, and Lambda may run one event twice, even at the same
moment. So a sweep that creates takes its plan's turn first.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KIND = "s3"
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class S3Turns:
    """One object a name, `turns/<name>.json`, that says until when the turn is taken.

    A turn ends by itself when the invocation that took it can no longer be alive, so that a crash blocks
    nobody for longer than that. Deleting the object ends it at once.
    """

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @contextmanager
    def taken(self, name: str, seconds: float) -> Iterator[datetime | None]:
        """Have the turn while inside, for `seconds` at most. Gives `None`, or the instant until which
        somebody else has it."""
        key = f"turns/{name}.json"
        now = datetime.now(UTC)
        until, tag = self._read(key)
        if until is not None and until > now:
            yield until
            return
        try:
            mine = self._write(key, now + timedelta(seconds=seconds), tag)
        except ProviderError as error:
            if error.code not in _LOST:
                raise
            # Somebody took it between the read and the write. How long for is not known, but not longer.
            yield now + timedelta(seconds=seconds)
            return
        try:
            yield None
        finally:
            # A turn that cannot be given back ends by itself.
            with suppress(ProviderError):
                self._write(key, now, mine)

    def _read(self, key: str) -> tuple[datetime | None, str]:
        """Until when the turn is taken, and the object's entity tag; nothing when nobody ever took it."""
        address = f"s3://{self._bucket}/{key}"
        try:
            with translated(KIND, address, "GetObject"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                text = answer["Body"].read()
        except NotFound as error:
            if error.code != "NoSuchKey":
                raise
            return None, ""
        try:
            return datetime.fromisoformat(json.loads(text)["until"]), answer["ETag"]
        except (ValueError, KeyError, TypeError) as error:
            raise ProviderError(KIND, address, "GetObject", "BrokenTurn", repr(error)) from error

    def _write(self, key: str, until: datetime, tag: str) -> str:
        """Write the object if it is still the one with this entity tag (none: if there is none)."""
        body = json.dumps({"until": until.isoformat()}).encode()
        with translated(KIND, f"s3://{self._bucket}/{key}", "PutObject"):
            if tag:
                answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=tag)
            else:
                answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        return answer["ETag"]
