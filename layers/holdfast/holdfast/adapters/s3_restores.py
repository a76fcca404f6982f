"""Restores, kept as JSON by the ids of their requests."""

from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import UNREADABLE, ChangedMeanwhile, S3Documents
from holdfast.core.restoring import Restore, restore_from_dict, restore_to_dict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Restores:
    """One object a request: `restores/<id>.json`, which changes until the restore is over."""

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)

    def load(self, request: str) -> Restore | None:
        return self._read(request)[0]

    def begin(self, restore: Restore) -> Restore:
        """Lambda may run one event twice at the same moment: the one that writes first is the one."""
        try:
            self._documents.write(_key(restore.request.id), restore_to_dict(restore), "")
        except ChangedMeanwhile:
            kept = self.load(restore.request.id)
            if kept is None:
                raise
            return kept
        return restore

    def save(self, restore: Restore) -> None:
        """What another look at the same restore wrote meanwhile stays: it saw as much, and the next one goes
        on from there."""
        tag = self._read(restore.request.id)[1]
        try:
            self._documents.write(_key(restore.request.id), restore_to_dict(restore), tag)
        except ChangedMeanwhile:
            return

    def address(self, request: str) -> str:
        return self._documents.address(_key(request))

    def _read(self, request: str) -> tuple[Restore | None, str]:
        key = _key(request)
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return restore_from_dict(document), tag
        except UNREADABLE as error:
            raise self._documents.broken(key, error) from error


def _key(request: str) -> str:
    return f"restores/{request}.json"
