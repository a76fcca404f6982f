"""Recoveries, kept as JSON by the ids of their requests."""

from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import UNREADABLE, ChangedMeanwhile, S3Documents
from holdfast.core.recovery import Recovery, RecoveryRequest
from holdfast.core.recovery_document import recovery_from_dict, recovery_to_dict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Recoveries:
    """One object a request: `recoveries/<id>.json`, and `recoveries/<id>.dry-run.json` of a dry run, which
    change until they are over."""

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)

    def load(self, request: RecoveryRequest) -> Recovery | None:
        return self._read(_key(request))[0]

    def begin(self, recovery: Recovery) -> Recovery:
        """Lambda may run one event twice at the same moment: the one that writes first is the one."""
        key = _key(recovery.request)
        try:
            self._documents.write(key, recovery_to_dict(recovery), "")
        except ChangedMeanwhile:
            kept = self._read(key)[0]
            if kept is None:
                raise
            return kept
        return recovery

    def save(self, recovery: Recovery) -> None:
        """What another look at the same recovery wrote meanwhile stays: each resource's own restore is kept
        by itself, and the next look goes on from there."""
        key = _key(recovery.request)
        tag = self._read(key)[1]
        try:
            self._documents.write(key, recovery_to_dict(recovery), tag)
        except ChangedMeanwhile:
            return

    def address(self, request: RecoveryRequest) -> str:
        return self._documents.address(_key(request))

    def _read(self, key: str) -> tuple[Recovery | None, str]:
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return recovery_from_dict(document), tag
        except UNREADABLE as error:
            raise self._documents.broken(key, error) from error


def _key(request: RecoveryRequest) -> str:
    """An id has no dot."""
    return f"recoveries/{request.id}{'.dry-run' if request.dry_run else ''}.json"
