"""DynamoDB tables and their on-demand backups.

Such a backup stands in its table's Region only, cannot carry tags, and cannot be copied: its name is its
mark (see `core.naming`), and what stands for a copy is an export (see `dynamodb_exports`). CreateBackup takes
no token that would make it safe to repeat, and two backups may bear one name. So a call whose answer was lost
is never repeated here; the next sweep lists, and sees.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from holdfast.adapters.calls import Pace, is_sent_once, paced, translated
from holdfast.adapters.dynamodb_exports import REACH, DynamoDBExports
from holdfast.adapters.tagging import Tagging
from holdfast.core import naming
from holdfast.core.errors import Throttled
from holdfast.core.model import Backup, BackupState, CopyLaws, CopySettings, Mark, Resource, name_of
from holdfast.ports import ResourceQuery

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        BackupDetailsTypeDef,
        BackupSummaryTypeDef,
        ListBackupsInputPaginateTypeDef,
    )

KIND = "dynamodb"
PAGE_SIZE = 100

# Calls a second that DynamoDB allows per account and Region, from its API reference. Others in the account
# use them too, so that a tenth is left over; and calls bunch up on their way. Of CreateBackup alone several
# are under way at once: with 8 of them and 41 more let go in any second, even a bunch stays below 50.
CREATE_BACKUP_LIMIT = 50
DELETE_BACKUP_LIMIT = 10
LIST_BACKUPS_LIMIT = 5
SHARE = 0.9
CREATE_SHARE = 0.8

CREATE_ATTEMPTS = 4
FIRST_HOLD_SECONDS = 0.5
"""How long all threads wait after CreateBackup was throttled; twice as long after each further time. All of
it together (3.5 s) stays below a third of a turn's lease (`s3_turns`)."""

_STATES = {"CREATING": BackupState.CREATING, "AVAILABLE": BackupState.AVAILABLE}
_DELETED = "DELETED"


class DynamoDBBackups:
    """The provider and copier of kind `dynamodb`. `once` makes a client that never retries by itself, when a
    backup is to be made. `exports` are what stands in other Regions."""

    def __init__(
        self,
        *,
        client: "DynamoDBClient",
        once: "Callable[[], DynamoDBClient]",
        tagging: Tagging,
        exports: DynamoDBExports,
    ) -> None:
        self._client = client
        self._make_once = once
        self._made_once: DynamoDBClient | None = None
        self._making = Lock()
        self._tagging = tagging
        self._exports = exports
        self._home = client.meta.region_name
        self._create_pace = Pace(CREATE_BACKUP_LIMIT * CREATE_SHARE)
        self._delete_pace = Pace(DELETE_BACKUP_LIMIT * SHARE)
        self._list_pace = Pace(LIST_BACKUPS_LIMIT * SHARE)

    @property
    def kind(self) -> str:
        return KIND

    @property
    def laws(self) -> CopyLaws:
        return CopyLaws(
            service=KIND, key_for_unencrypted=True, reach=REACH, to_accounts=False, to_buckets=True
        )

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        """The tables. Their state is not known, since telling it takes a call for each table: a table that
        is not ready shows as `NotReady` when its backup is made."""
        tags = self._tagging.tags_by_arn(KIND, "dynamodb:table", {} if query.everything else query.tags)
        arns = self._every_table() if query.everything else list(tags)
        return [Resource(kind=KIND, arn=arn, tags=tags.get(arn, {})) for arn in arns]

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        if place != self._home:
            return self._exports.backups(place, source)
        wanted: ListBackupsInputPaginateTypeDef = {
            "BackupType": "USER",
            "PaginationConfig": {"PageSize": PAGE_SIZE},
        }
        if source:
            wanted["TableName"] = name_of(source)
        if since:
            wanted["TimeRangeLowerBound"] = since
        pages = self._client.get_paginator("list_backups").paginate(**wanted)
        with translated(KIND, source or place, "ListBackups"):
            return [
                self._listed(summary)
                for page in paced(pages, self._list_pace, "LastEvaluatedBackupArn")
                for summary in page["BackupSummaries"]
                if summary["BackupStatus"] != _DELETED
            ]

    def create(self, resource: Resource, mark: Mark) -> Backup:
        """Raises `NoAnswer` when it is not known whether a backup was made. Never `AlreadyExists`."""
        for attempt in range(CREATE_ATTEMPTS - 1):
            try:
                return self._create(resource, mark)
            except Throttled:
                self._create_pace.hold(FIRST_HOLD_SECONDS * 2**attempt)
        return self._create(resource, mark)

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        return self._exports.copy(backup, place, mark, settings)

    def delete(self, backup: Backup) -> None:
        if backup.place != self._home:
            self._exports.delete(backup)
            return
        self._delete_pace.wait()
        with translated(KIND, backup.arn, "DeleteBackup"):
            self._client.delete_backup(BackupArn=backup.arn)

    def _once(self) -> "DynamoDBClient":
        """The client for CreateBackup. Several threads may be the first to ask, and boto3's sessions make
        only one client at a time."""
        with self._making:
            if self._made_once is None:
                made = self._make_once()
                if not is_sent_once(made.meta.config):
                    raise ValueError("the client for CreateBackup would repeat calls and make second backups")
                self._made_once = made
            return self._made_once

    def _create(self, resource: Resource, mark: Mark) -> Backup:
        self._create_pace.wait()
        with translated(KIND, resource.arn, "CreateBackup"):
            details = self._once().create_backup(
                TableName=resource.name, BackupName=naming.backup_name(mark)
            )["BackupDetails"]
        return self._backup(details, resource.arn, mark)

    def _backup(
        self,
        answer: "BackupSummaryTypeDef | BackupDetailsTypeDef",
        source: str,
        mark: Mark | None,
        table_id: str = "",
    ) -> Backup:
        return Backup(
            kind=KIND,
            arn=answer["BackupArn"],
            id=answer["BackupName"],
            region=self._home,
            source=source,
            resource_id=table_id,
            state=_STATES.get(answer["BackupStatus"], BackupState.DELETING),
            state_text=answer["BackupStatus"],
            mark=mark,
            encrypted=True,  # DynamoDB has no other
            size_bytes=answer.get("BackupSizeBytes"),
        )

    def _listed(self, summary: "BackupSummaryTypeDef") -> Backup:
        source = summary["TableArn"]
        mark = naming.mark_from_backup_name(summary["BackupName"], source)
        return self._backup(summary, source, mark, summary.get("TableId", ""))

    def _every_table(self) -> list[str]:
        with translated(KIND, self._home, "ListTables"):
            names = [
                name
                for page in self._client.get_paginator("list_tables").paginate(
                    PaginationConfig={"PageSize": PAGE_SIZE}
                )
                for name in page["TableNames"]
            ]
        if not names:
            return []
        # ListTables gives names alone. What is before the name is the same in every table's ARN.
        with translated(KIND, names[0], "DescribeTable"):
            arn = self._client.describe_table(TableName=names[0])["Table"]["TableArn"]
        return [f"{arn.removesuffix(names[0])}{name}" for name in names]
