"""The stages' reports, kept whole as JSON in one bucket."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import (
    UNLOCKED,
    UNREADABLE,
    ChangedMeanwhile,
    Lock,
    S3Documents,
    instant_in,
)
from holdfast.core.model import Retention
from holdfast.core.naming import compact_slot
from holdfast.core.report import Report, Stage, carry_over, report_from_dict
from holdfast.core.told import Told, told_from_dict, told_now, told_to_dict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAVE_ATTEMPTS = 5
READ_SECONDS = 8
"""For the largest record there is time enough, and for both calls that store one to hang and be repeated, in
what is kept for them of an invocation (`patience.RECORD_SECONDS`)."""


class S3Records:
    """One object a plan, slot and stage: `runs/<plan>/<slot>/<stage>.json`; and one a plan that says what
    people were told of its retention: `told/<plan>.json`.

    `lock` is for the records. What people were told changes with every run, and is worth nothing later.
    """

    def __init__(self, *, client: "S3Client", bucket: str, lock: Lock = UNLOCKED) -> None:
        self._documents = S3Documents(client=client, bucket=bucket, lock=lock)
        self._notes = S3Documents(client=client, bucket=bucket)

    def save(self, report: Report) -> str:
        """Store the report, joined with what an earlier sweep of the same stage recorded.

        Two sweeps may save at once, since Lambda may run one event twice. So the object is written only
        when it is still the one that was read, and otherwise read again.
        """
        key = _key(report.plan, report.slot, report.stage)
        for _ in range(SAVE_ATTEMPTS - 1):
            try:
                return self._save(key, report)
            except ChangedMeanwhile:
                continue
        return self._save(key, report)

    def address(self, plan: str, slot: datetime, stage: Stage) -> str:
        return self._documents.address(_key(plan, slot, stage))

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        """Raises `ProviderError` when there is a record that cannot be read."""
        return self._load(_key(plan, slot, stage))[0]

    def slots(self, plan: str, since: datetime) -> Sequence[datetime]:
        """What is named otherwise than a slot is not ours, and left out."""
        runs = f"runs/{plan}/"
        folders = self._documents.folders(runs, after=f"{runs}{compact_slot(since)}")
        slots = (instant_in(folder.removeprefix(runs)) for folder in folders)
        return sorted(slot for slot in slots if slot is not None and slot >= since)

    def told(self, plan: str) -> Mapping[str, Told]:
        """Raises `ProviderError` when there is such a document that cannot be read."""
        return self._told(plan)[0]

    def tell(self, plan: str, slot: datetime, foretold: Mapping[str, Retention]) -> None:
        for _ in range(SAVE_ATTEMPTS - 1):
            try:
                return self._tell(plan, slot, foretold)
            except ChangedMeanwhile:
                continue  # by our own writing too, where its answer was lost
        return self._tell(plan, slot, foretold)

    def _tell(self, plan: str, slot: datetime, foretold: Mapping[str, Retention]) -> None:
        told, tag = self._told(plan)
        now = told_now(told, slot, foretold)
        if now != told:
            self._notes.write(_told_key(plan), told_to_dict(now), tag)

    def _told(self, plan: str) -> tuple[Mapping[str, Told], str]:
        """What was told, and the document's entity tag."""
        document, tag = self._notes.read(_told_key(plan))
        if not tag:
            return {}, ""
        try:
            return told_from_dict(document), tag
        except UNREADABLE as error:
            raise self._notes.broken(_told_key(plan), error) from error

    def _save(self, key: str, report: Report) -> str:
        earlier, tag = self._load(key)
        self._documents.write(key, carry_over(earlier, report).to_dict(), tag)
        return self._documents.address(key)

    def _load(self, key: str) -> tuple[Report | None, str]:
        """The record and its entity tag."""
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return report_from_dict(document), tag
        except UNREADABLE as error:
            raise self._documents.broken(key, error) from error


def _told_key(plan: str) -> str:
    return f"told/{plan}.json"


def _key(plan: str, slot: datetime, stage: Stage) -> str:
    return f"runs/{plan}/{compact_slot(slot)}/{stage}.json"
