"""Drills, kept as JSON by their ids while they are at work, and what came of each rehearsal."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import UNREADABLE, ChangedMeanwhile, S3Documents, instant_in
from holdfast.core.drilling import Drilling, drilling_from_dict, drilling_to_dict
from holdfast.core.drills import drill_to_dict
from holdfast.core.naming import compact_slot
from holdfast.core.posture import Drill

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Drills:
    """One object a drill, `rehearsals/<id>.json`, which changes until it is over; and one for what came of
    each rehearsal, `drills/<plan>/<instant>-<digest>.json`, which never does."""

    def __init__(self, *, client: "S3Client", bucket: str) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)

    def load(self, drill: str) -> Drilling | None:
        return self._read(drill)[0]

    def begin(self, drilling: Drilling) -> Drilling:
        """Lambda may run one event twice at the same moment: the one that writes first is the one."""
        try:
            self._documents.write(_key(drilling.request.id), drilling_to_dict(drilling), "")
        except ChangedMeanwhile:
            kept = self.load(drilling.request.id)
            if kept is None:
                raise
            return kept
        return drilling

    def save(self, drilling: Drilling) -> None:
        """What another look at the same drill wrote meanwhile stays: the next one goes on from there."""
        tag = self._read(drilling.request.id)[1]
        try:
            self._documents.write(_key(drilling.request.id), drilling_to_dict(drilling), tag)
        except ChangedMeanwhile:
            return

    def record(self, drill: Drill, digest: str) -> None:
        """The first stays: a repeated look found the same."""
        key = f"{_folder(drill.plan)}{compact_slot(drill.at)}-{digest}.json"
        body = json.dumps(drill_to_dict(drill), ensure_ascii=False).encode()
        self._documents.put(key, body, content_type="application/json", once=True)

    def last(self, plan: str, since: datetime) -> Mapping[str, datetime]:
        """Of the keys alone: a year of drills is thousands of documents."""
        folder = _folder(plan)
        last: dict[str, datetime] = {}
        for key in self._documents.keys(folder, after=f"{folder}{compact_slot(since)}"):
            name = key.removeprefix(folder)
            instant = instant_in(name)
            if instant is not None and instant >= since:
                digest = name.removesuffix(".json").rpartition("-")[2]
                last[digest] = max(instant, last.get(digest, instant))
        return last

    def address(self, drill: str) -> str:
        return self._documents.address(_key(drill))

    def _read(self, drill: str) -> tuple[Drilling | None, str]:
        key = _key(drill)
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return drilling_from_dict(document), tag
        except UNREADABLE as error:
            raise self._documents.broken(key, error) from error


def _folder(plan: str) -> str:
    return f"drills/{plan}/"


def _key(drill: str) -> str:
    return f"rehearsals/{drill}.json"
