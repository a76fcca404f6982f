"""The stages' reports, kept whole as JSON in one bucket."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, ProviderError
from holdfast.core.naming import compact_slot
from holdfast.core.report import Report, Stage, carry_over, report_from_dict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KIND = "s3"
SAVE_ATTEMPTS = 5
_CHANGED_MEANWHILE = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class S3Records:
    """One object a plan, slot and stage: `runs/<plan>/<slot>/<stage>.json`.

    Telling an absent record needs `s3:ListBucket`; without it S3 answers AccessDenied.
    """

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def save(self, report: Report) -> str:
        """Store the report, joined with what an earlier sweep of the same stage recorded.

        Two sweeps may save at once, since Lambda may run one event twice. So the object is written only
        when it is still the one that was read, and otherwise read again.
        """
        key = _key(report.plan, report.slot, report.stage)
        for _ in range(SAVE_ATTEMPTS - 1):
            try:
                return self._save(key, report)
            except ProviderError as error:
                if error.code not in _CHANGED_MEANWHILE:
                    raise
        return self._save(key, report)

    def address(self, plan: str, slot: datetime, stage: Stage) -> str:
        return self._address(_key(plan, slot, stage))

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        """Raises `ProviderError` when there is a record that cannot be read."""
        return self._load(_key(plan, slot, stage))[0]

    def _save(self, key: str, report: Report) -> str:
        earlier, tag = self._load(key)
        body = json.dumps(carry_over(earlier, report).to_dict(), ensure_ascii=False).encode()
        address = self._address(key)
        with translated(KIND, address, "PutObject"):
            if tag:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", IfMatch=tag
                )
            else:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
                )
        return address

    def _load(self, key: str) -> tuple[Report | None, str]:
        """The record and its entity tag."""
        address = self._address(key)
        try:
            with translated(KIND, address, "GetObject"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                text = answer["Body"].read()
        except NotFound as error:
            if error.code != "NoSuchKey":
                raise
            return None, ""
        try:
            return report_from_dict(json.loads(text)), answer["ETag"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderError(KIND, address, "GetObject", "BrokenRecord", repr(error)) from error

    def _address(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _key(plan: str, slot: datetime, stage: Stage) -> str:
    return f"runs/{plan}/{compact_slot(slot)}/{stage}.json"
