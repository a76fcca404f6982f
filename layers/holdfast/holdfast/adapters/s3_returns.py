"""Returns of lost items, kept as JSON by the ids of their requests."""

from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import UNREADABLE, S3Documents
from holdfast.core.returning import Return, ReturnRequest, return_from_dict, return_to_dict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Returns:
    """One object a request: `returns/<id>.json`, and `returns/<id>.dry-run.json` of a dry run, which change
    until they are over. The mark is the object's entity tag."""

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)

    def load(self, request: ReturnRequest) -> tuple[Return | None, str]:
        key = _key(request)
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return return_from_dict(document), tag
        except UNREADABLE as error:
            raise self._documents.broken(key, error) from error

    def save(self, kept: Return, mark: str) -> str:
        return self._documents.write(_key(kept.request), return_to_dict(kept), mark)

    def address(self, request: ReturnRequest) -> str:
        return self._documents.address(_key(request))


def _key(request: ReturnRequest) -> str:
    """An id has no dot."""
    return f"returns/{request.id}{'.dry-run' if request.dry_run else ''}.json"
