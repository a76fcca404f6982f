"""Small JSON documents in a bucket, written only over what was read."""

import json
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KIND = "s3"
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class ChangedMeanwhile(ProviderError):
    """Somebody else wrote the document after it was read. Nothing was written."""

    retryable = True


class S3Documents:
    """Documents by key. A document's entity tag says which writing of it was read, and is empty when there
    is none yet.

    Telling an absent document needs `s3:ListBucket`; without it S3 answers AccessDenied.
    """

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

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
        body = json.dumps(document, ensure_ascii=False).encode()
        kind = "application/json"
        try:
            with translated(KIND, self.address(key), "PutObject"):
                if tag:
                    answer = self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=body, ContentType=kind, IfMatch=tag
                    )
                else:
                    answer = self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=body, ContentType=kind, IfNoneMatch="*"
                    )
        except ProviderError as error:
            if error.code not in _CHANGED:
                raise
            raise ChangedMeanwhile(KIND, self.address(key), "PutObject", error.code, error.message) from error
        return answer["ETag"]

    def broken(self, key: str, error: Exception) -> ProviderError:
        """The error about a document that is there and cannot be understood."""
        return ProviderError(KIND, self.address(key), "GetObject", "BrokenDocument", repr(error))
