"""DynamoDB tables' backups in another Region: point-in-time exports to a bucket there.

DynamoDB cannot copy a backup. It can export a table, as it was at an instant of the last 35 days, to a bucket
in any Region, and ImportTable makes a table of that again. So the copy of a slot's backup is an export of the
slot's instant: all items, or only those that changed since an earlier slot that was exported before.

The bucket is the truth, since ListExports forgets after 90 days. An export's prefix is its mark:

    holdfast/<stack>/<home Region>/<account>/<table>.<table id>/<plan>.<slot>-full
    holdfast/<stack>/<home Region>/<account>/<table>.<table id>/<plan>.<slot>-since-<base>-try2

(`-` for a table id that is not known). Below it stand, by DynamoDB's developer guide ("table export output
format") and what it was seen to write:

    begun/<export id>                              ours: empty, written when DynamoDB has taken the request
    AWSDynamoDB/<export id>/_started               empty, written before all else
    AWSDynamoDB/<export id>/data/*.json.gz         the items of a full export
    AWSDynamoDB/data/*.json.gz                     the changes of an incremental export: no id in this path
    AWSDynamoDB/<export id>/manifest-files.json    and its checksum
    AWSDynamoDB/<export id>/manifest-summary.json  and its checksum: with it an export is whole

What does not parse as such a key is not ours, is not listed and never touched.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from threading import Lock
from typing import TYPE_CHECKING, NoReturn

from botocore.exceptions import ClientError

from holdfast.adapters.calls import Pace, translated
from holdfast.core import naming
from holdfast.core.errors import (
    CopySlotsFull,
    NotFound,
    NotReady,
    OutOfReach,
    ProviderError,
    Throttled,
    Unprepared,
)
from holdfast.core.model import (
    Backup,
    BackupState,
    CopySettings,
    Mark,
    account_of,
    mark_of,
    name_of,
    region_of,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ExportDescriptionTypeDef, ExportTableToPointInTimeInputTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2RequestPaginateTypeDef

KIND = "dynamodb"
REACH = timedelta(days=35)
"""DynamoDB's point-in-time recovery goes back this far at most."""

LAG = timedelta(minutes=15)
"""An instant as young as this may be too young to be exported: the latest restorable one is, by DynamoDB's
developer guide, typically five minutes ago."""

SETTLING = timedelta(minutes=15)
"""For so long an export may be complete and lack its summary. No source says in which order the two come, and
a whole export must never be taken for a remnant."""

FORGETTING = timedelta(days=1)
"""What is younger than this and unknown to DescribeExport has just begun, and was not forgotten."""

CALLS_PER_SECOND = 5
"""DynamoDB publishes no rate for these operations. This is the slowest that it publishes for any other."""

DELETE_BATCH = 1000
"""S3 takes so many keys in one DeleteObjects."""

DATA = "/data/"
"""As a listing's delimiter: all data files of an export become one entry. Nothing in our prefixes is a folder
called `data`, whatever stacks, plans and tables are called."""

_ROOT = "holdfast"
_BEGUN = "begun"
_SUMMARY = "manifest-summary.json"
_START = "ExportTableToPointInTime"
_LIST = "ListObjectsV2"
_DELETE = "DeleteObjects"

_UNKNOWN_ID = "-"
_SLOT_FORMAT = "%Y%m%dT%H%M%SZ"
_EXPORT_ID = r"(?!data/)[^/]+"
_KEY = re.compile(
    rf"{_ROOT}/(?P<stack>[^/]+)/(?P<region>[a-z0-9-]+)/(?P<account>\d{{12}})/"
    r"(?P<table>[A-Za-z0-9_.-]+)\.(?P<table_id>[0-9A-Za-z-]+)/"
    r"(?P<plan>[a-z][a-z0-9]*)\.(?P<slot>\d{8}T\d{6}Z)-(full|since-(?P<base>\d{8}T\d{6}Z))"
    r"(-try(?P<attempt>[1-9][0-9]?))?/"
    rf"({_BEGUN}/(?P<begun>[^/]+)$|AWSDynamoDB/(?P<id>{_EXPORT_ID})/(?P<file>.*))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportName:
    """What the prefix of an export tells of it, and all that its keys tell."""

    mark: Mark
    base: datetime | None

    @property
    def prefix(self) -> str:
        """What is given to AWS as `S3Prefix`, and read again from the keys."""
        mark = self.mark
        kind = f"since-{naming.compact_slot(self.base)}" if self.base else "full"
        again = f"-try{mark.attempt}" if mark.attempt > 1 else ""
        name = f"{mark.plan}.{naming.compact_slot(mark.slot)}-{kind}{again}"
        return f"{folder(mark.stack, mark.source)}{mark.resource_id or _UNKNOWN_ID}/{name}"

    def files(self, export_id: str) -> str:
        """The key of an export's files, up to their names."""
        return f"{self.prefix}/AWSDynamoDB/{export_id}/"

    def begun(self, export_id: str) -> str:
        """The key of our note that this export was begun."""
        return f"{self.prefix}/{_BEGUN}/{export_id}"


def folder(stack: str, source: str) -> str:
    """What the keys of all of a table's exports begin with. So do those of a table whose name begins with
    this one's and a dot."""
    return f"{_ROOT}/{stack}/{region_of(source)}/{account_of(source)}/{name_of(source)}."


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the bucket shows of one export. `touched` is when the newest of its files, besides its data, was
    written."""

    name: ExportName
    id: str
    files: set[str] = field(default_factory=set)
    touched: datetime | None = None

    @property
    def arn(self) -> str:
        return _export_arn(self.name.mark.source, self.id)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """`text` is AWS's word for the state, where it has one."""

    state: BackupState
    text: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFiles:
    """Where an export's files stand. `data` is what the keys of a whole one's items begin with, and of no
    other; `manifest` is the key of the list of its data files."""

    place: str
    bucket: str
    data: str
    manifest: str


class DynamoDBExports:
    """The exports of one home Region's tables. `buckets` has the bucket of each Region that takes exports,
    and `s3` makes the client of a Region."""

    def __init__(
        self,
        *,
        client: "DynamoDBClient",
        s3: "Callable[[str], S3Client]",
        buckets: Mapping[str, str],
        stack: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._make_s3 = s3
        self._made_s3: dict[str, S3Client] = {}
        self._making = Lock()
        self._buckets = buckets
        self._stack = stack
        self._clock = clock
        self._start_pace = Pace(CALLS_PER_SECOND)
        self._describe_pace = Pace(CALLS_PER_SECOND)

    def backups(self, place: str, source: str = "") -> Sequence[Backup]:
        """The exports in the place's bucket, of every age: one is worth what those are that it stands on.

        | the bucket has | DescribeExport says | state                                                   |
        | -------------- | ------------------- | ------------------------------------------------------- |
        | its summary    | (is not asked)      | available; failed if what it stands on is gone          |
        | other files    | `IN_PROGRESS`       | creating                                                |
        | other files    | `FAILED`            | failed, with the code and message                       |
        | other files    | `COMPLETED`         | remnant, unless the summary comes yet (`SETTLING`)      |
        | other files    | it does not know it | creating for a day after the newest file, then remnant  |

        An export that DynamoDB took and that has no file yet, not even our note, is not listed. It was begun
        seconds ago, or the sweep that began it broke off then. To copy again finds that same export.
        """
        bucket = self._buckets.get(place)
        if not bucket:
            return ()
        seen = self._seen(place, bucket, source)
        listed = [_as_backup(one, place, self._judge(one, place, bucket)) for one in seen]
        return _with_sound_bases(listed)

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        """Start the export that is the backup's copy.

        Safe to repeat for 8 hours, by DynamoDB's API reference: the same token with the same request gives
        the same export, whatever has become of it. So the answer may be of any state.

        Of what an increment would need, DynamoDB may no longer have the older end (when point-in-time
        recovery was switched off and on in between). It is a full export then.
        """
        bucket = self._bucket(place, backup, _START)
        known = replace(mark, resource_id=mark.resource_id or backup.resource_id, copy_of=_copy_of(mark))
        export = ExportName(mark=known, base=settings.base)
        try:
            told = self._start(backup, bucket, export, settings.kms_key)
        except OutOfReach:
            if export.base is None:
                raise
            export = replace(export, base=None)
            told = self._start(backup, bucket, export, settings.kms_key)
        begun = _Seen(name=export, id=told["ExportArn"].rsplit("/", 1)[1])
        verdict = self._verdict(begun, place, bucket, told)
        if verdict.state is BackupState.REMNANT:
            message = (
                "it was exported and deleted within the last 8 hours. It can be exported again after that"
            )
            raise NotReady(KIND, backup.arn, _START, "ExportDeleted", message)
        with translated(KIND, f"s3://{bucket}/{export.prefix}", "PutObject"):
            self._s3(place).put_object(Bucket=bucket, Key=export.begun(begun.id), Body=b"")
        return _as_backup(begun, place, verdict)

    def delete(self, backup: Backup) -> None:
        """Delete an export's files, its summary first, so that it is never again taken for whole, and our
        note last, so that it is listed until nothing is left.

        Raises `NotReady` about one that is under way: DynamoDB would go on, and call it complete.
        """
        bucket = self._bucket(backup.place, backup, _DELETE)
        if backup.state is BackupState.CREATING:
            message = "the export is under way, and DynamoDB cannot cancel it"
            raise NotReady(KIND, backup.arn, _DELETE, "ExportInProgress", message)
        export = ExportName(mark=mark_of(backup), base=backup.base)
        groups = self._keys_in_order(backup, bucket, export)
        if not any(groups):
            message = f"nothing of it is left in the bucket {bucket}"
            raise NotFound(KIND, backup.arn, _DELETE, "NoSuchKey", message)
        for group in groups:
            for keys in batched(group, DELETE_BATCH, strict=False):
                self._delete_keys(backup, bucket, keys)

    def files(self, place: str, source: str, arns: Sequence[str]) -> Sequence[ExportFiles]:
        """Where the files of these exports of one table are, in the same order. Raises `NotFound` when one is
        not there, or not whole."""
        bucket = self._buckets.get(place, "")
        whole = {
            one.arn: one.name.files(one.id)
            for one in (self._seen(place, bucket, source) if bucket else ())
            if _SUMMARY in one.files
        }
        for arn in arns:
            if arn not in whole:
                message = f"the bucket for exports in {place} ({bucket or 'none'}) does not have all of it"
                raise NotFound(KIND, arn, _LIST, "NoSuchKey", message)
        return [
            ExportFiles(
                place=place,
                bucket=bucket,
                data=f"{whole[arn].removesuffix('/')}{DATA}",
                manifest=f"{whole[arn]}manifest-files.json",
            )
            for arn in arns
        ]

    def item_count(self, place: str, source: str, arn: str) -> int | None:
        """How many items a whole export has, as its summary counts them."""
        [files] = self.files(place, source, [arn])
        key = f"{files.manifest.rpartition('/')[0]}/{_SUMMARY}"
        with translated(KIND, f"s3://{files.bucket}/{key}", "GetObject"):
            body = self._s3(place).get_object(Bucket=files.bucket, Key=key)["Body"].read()
        count = json.loads(body).get("itemCount")
        return int(count) if count is not None else None

    def arn_of(self, key: str) -> str:
        """The ARN of the export that a key, or the beginning of its files' keys, is of; empty when it is of
        none."""
        read = self._read(key)
        return _export_arn(read[0].mark.source, read[1]) if read else ""

    def _bucket(self, place: str, backup: Backup, operation: str) -> str:
        bucket = self._buckets.get(place)
        if not bucket:
            message = f"name a bucket in {place} for the exports: DynamoDB has no other way to another Region"
            raise Unprepared(KIND, backup.arn, operation, "NoBucket", message)
        return bucket

    def _s3(self, place: str) -> "S3Client":
        """The client of a place's Region. Several threads may be the first to ask, and boto3's sessions make
        only one client at a time."""
        with self._making:
            if place not in self._made_s3:
                self._made_s3[place] = self._make_s3(place)
            return self._made_s3[place]

    def _seen(self, place: str, bucket: str, source: str) -> Iterable[_Seen]:
        """All exports that the bucket has something of."""
        within = folder(self._stack, source) if source else f"{_ROOT}/{self._stack}/{self._home}/"
        seen: dict[tuple[str, str], _Seen] = {}
        for key, written in self._keys(place, bucket, within, DATA):
            read = self._read(key)
            if read is None or (source and read[0].mark.source != source):
                continue
            export, export_id, file = read
            one = seen.setdefault((export.prefix, export_id), _Seen(name=export, id=export_id))
            one.files.add(file)
            one.touched = max(filter(None, (one.touched, written)), default=None)
        return seen.values()

    def _keys(
        self, place: str, bucket: str, within: str, delimiter: str = ""
    ) -> Iterator[tuple[str, datetime | None]]:
        """The keys that begin with `within` and when each was written. Of those with the delimiter, only what
        comes before it, and no time."""
        wanted: ListObjectsV2RequestPaginateTypeDef = {"Bucket": bucket, "Prefix": within}
        if delimiter:
            wanted["Delimiter"] = delimiter
        pages = self._s3(place).get_paginator("list_objects_v2").paginate(**wanted)
        with translated(KIND, f"s3://{bucket}/{within}", _LIST):
            for page in pages:
                # S3 leaves out what there is none of, but never this: what lacks it is no empty bucket.
                page["IsTruncated"]
                yield from ((one["Key"], one["LastModified"]) for one in page.get("Contents", ()))
                yield from ((one["Prefix"], None) for one in page.get("CommonPrefixes", ()))

    def _read(self, key: str) -> tuple[ExportName, str, str] | None:
        """Of which export a key is, and which of its files; `None` when it is no such key."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        slot, base = _slot(found["slot"]), _slot(found["base"])
        if slot is None or (base is None) != (found["base"] is None) or (base and base >= slot):
            return None
        source = (
            f"arn:{self._client.meta.partition}:dynamodb:{found['region']}:{found['account']}"
            f":table/{found['table']}"
        )
        mark = Mark(
            stack=found["stack"],
            plan=found["plan"],
            slot=slot,
            source=source,
            resource_id="" if found["table_id"] == _UNKNOWN_ID else found["table_id"],
            attempt=int(found["attempt"] or 1),
        )
        export = ExportName(mark=replace(mark, copy_of=_copy_of(mark)), base=base)
        # "-try1" would be a second spelling of one prefix.
        if not key.startswith(f"{export.prefix}/"):
            return None
        return export, found["id"] or found["begun"], found["file"] or ""

    def _judge(self, one: _Seen, place: str, bucket: str) -> _Verdict:
        if _SUMMARY in one.files:
            return _Verdict(BackupState.AVAILABLE, "COMPLETED")
        return self._verdict(one, place, bucket, self._describe(one))

    def _verdict(
        self, one: _Seen, place: str, bucket: str, told: "ExportDescriptionTypeDef | None"
    ) -> _Verdict:
        """What DynamoDB tells, about an export that no summary was seen of."""
        if told is None:
            young = one.touched is not None and self._clock() - one.touched < FORGETTING
            return _Verdict(BackupState.CREATING if young else BackupState.REMNANT)
        text = told["ExportStatus"]
        if text == "FAILED":
            why = ": ".join(filter(None, (told.get("FailureCode"), told.get("FailureMessage"))))
            return _Verdict(BackupState.FAILED, text, why)
        if text != "COMPLETED":
            return _Verdict(BackupState.CREATING, text)
        # It may have ended after the listing.
        summary = one.name.files(one.id) + _SUMMARY
        if any(key == summary for key, _ in self._keys(place, bucket, summary)):
            return _Verdict(BackupState.AVAILABLE, text)
        since = told.get("EndTime") or one.touched
        settled = since is not None and self._clock() - since >= SETTLING
        return _Verdict(BackupState.REMNANT if settled else BackupState.CREATING, text)

    def _describe(self, one: _Seen) -> "ExportDescriptionTypeDef | None":
        """What DynamoDB tells of an export; `None` when it has forgotten it, or does not know it yet."""
        self._describe_pace.wait()
        try:
            with translated(KIND, one.arn, "DescribeExport"):
                return self._client.describe_export(ExportArn=one.arn)["ExportDescription"]
        except NotFound:
            return None

    def _start(
        self, backup: Backup, bucket: str, export: ExportName, kms_key: str
    ) -> "ExportDescriptionTypeDef":
        slot = export.mark.slot
        request: ExportTableToPointInTimeInputTypeDef = {
            "TableArn": export.mark.source,
            "S3Bucket": bucket,
            "S3Prefix": export.prefix,
            "ExportFormat": "DYNAMODB_JSON",
            "ClientToken": hashlib.sha256(f"{bucket}/{export.prefix}".encode()).hexdigest()[:32],
        }
        if export.base:
            request["ExportType"] = "INCREMENTAL_EXPORT"
            request["IncrementalExportSpecification"] = {
                "ExportFromTime": export.base,
                "ExportToTime": slot,
                # By DynamoDB's developer guide a deleted item comes all the same, as its key alone.
                "ExportViewType": "NEW_IMAGE",
            }
        else:
            request["ExportType"] = "FULL_EXPORT"
            request["ExportTime"] = slot
        if kms_key:
            request["S3SseAlgorithm"] = "KMS"
            request["S3SseKmsKeyId"] = kms_key
        self._start_pace.wait()
        try:
            with translated(KIND, backup.arn, _START):
                return self._client.export_table_to_point_in_time(**request)["ExportDescription"]
        except ProviderError as error:
            self._raise_in_words(error, export)

    def _raise_in_words(self, error: ProviderError, export: ExportName) -> NoReturn:
        """Raise what an error of this operation means, in a sentence for a person where one must act."""
        source, slot = export.mark.source, naming.format_slot(export.mark.slot)
        told = (KIND, error.resource, error.operation, error.code)
        if isinstance(error, Unprepared):
            raise Unprepared(
                *told,
                "point-in-time recovery is off, and only with it can the table be exported to another "
                f"Region. Switch it on: aws dynamodb update-continuous-backups --region {region_of(source)} "
                f"--table-name {name_of(source)} "
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
            ) from error
        if isinstance(error, NotFound):
            gone = "the table is gone, and with it what could be exported"
            raise OutOfReach(*told, gone) from error
        if self._is_too_young(error, export):
            raise NotReady(*told, f"{slot} is too young: DynamoDB lags some minutes behind") from error
        if isinstance(error, Throttled) and error.code.startswith("LimitExceeded"):
            # By DynamoDB's quotas: at most 300 exports at a time in an account, or 100 TB of tables.
            raise CopySlotsFull(*told, error.message) from error
        if error.code.startswith("ExportConflict"):
            raise ProviderError(
                *told,
                f"probably an export for {slot} was begun with another key within the last 8 hours. It can "
                f"be begun with this one after that time ({error.message})",
            ) from error
        raise error

    def _is_too_young(self, error: ProviderError, export: ExportName) -> bool:
        """Whether waiting helps. Of an increment's end no source tells the error: it may be one of
        validation."""
        about_time = isinstance(error, OutOfReach) or (
            error.code == "ValidationException" and "ExportTo" in error.message
        )
        return about_time and self._clock() - export.mark.slot < LAG

    def _keys_in_order(self, backup: Backup, bucket: str, export: ExportName) -> list[list[str]]:
        """The keys of an export, in groups of which each may be deleted only when the one before is gone.

        The changes of an incremental export do not bear its id. Should there be another export under the
        prefix (the same request, more than 8 hours later), they are left for whichever is deleted last.
        """
        export_id = backup.arn.rsplit("/", 1)[1]
        files, begun = export.files(export_id), export.begun(export_id)
        keys = [key for key, _ in self._keys(backup.place, bucket, f"{export.prefix}/")]
        own = [key for key in keys if key.startswith(files)]
        shared = [key for key in keys if key.startswith(f"{export.prefix}/AWSDynamoDB{DATA}")]
        note = [key for key in keys if key == begun]
        if not own and not note:
            return []
        if len(own) + len(shared) + len(note) < len(keys):
            shared = []
        summary = [key for key in own if key == files + _SUMMARY]
        data = [key for key in own if key.startswith(files.removesuffix("/") + DATA)]
        apart = {*summary, *data}
        rest = [key for key in own if key not in apart]
        return [summary, [*shared, *data], rest, note]

    def _delete_keys(self, backup: Backup, bucket: str, keys: Iterable[str]) -> None:
        """Raises what S3 says of the first key that it could not delete."""
        with translated(KIND, backup.arn, _DELETE):
            answer = self._s3(backup.place).delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
            for one in answer.get("Errors", ()):
                text = f"{one.get('Message', '')} ({one.get('Key', '')})"
                # The call succeeds when single keys fail. Each failure has the code that a call would have.
                raise ClientError({"Error": {"Code": one.get("Code", "Unknown"), "Message": text}}, _DELETE)

    @property
    def _home(self) -> str:
        return self._client.meta.region_name


def _export_arn(source: str, export_id: str) -> str:
    return f"{source}/export/{export_id}"


def _copy_of(mark: Mark) -> str:
    """What stands for the original: an export's keys do not tell the ARN of the slot's backup."""
    return f"{mark.source}/slot/{naming.compact_slot(mark.slot)}"


def _slot(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, _SLOT_FORMAT).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _as_backup(one: _Seen, place: str, verdict: _Verdict) -> Backup:
    mark = one.name.mark
    return Backup(
        kind=KIND,
        arn=one.arn,
        id=naming.backup_name(mark),
        region=place,
        source=mark.source,
        resource_id=mark.resource_id,
        state=verdict.state,
        state_text=verdict.text,
        failure=verdict.failure,
        mark=mark,
        encrypted=True,  # S3 has no other
        copied=True,
        base=one.name.base,
    )


def _with_sound_bases(listed: Sequence[Backup]) -> list[Backup]:
    """The same backups, those failed that stand on one which is gone."""
    whole = [one for one in listed if one.state is BackupState.AVAILABLE]
    bases = {_point(one, mark_of(one).slot): one.base for one in whole if one.base is not None}
    full = {_point(one, mark_of(one).slot) for one in whole if one.base is None}

    def missing(one: Backup) -> datetime | None:
        """The slot nearest to this one, of those that it stands on, that has no export."""
        base = one.base
        while base is not None and _point(one, base) not in full:
            below = bases.get(_point(one, base))
            if below is None:
                return base
            base = below
        return None

    def judged(one: Backup) -> Backup:
        gone = missing(one) if one.state is BackupState.AVAILABLE else None
        if gone is None:
            return one
        failure = f"its base of {naming.format_slot(gone)} is gone"
        return replace(one, state=BackupState.FAILED, failure=failure)

    return [judged(one) for one in listed]


def _point(one: Backup, slot: datetime) -> tuple[str, str, datetime]:
    """A state of a table: this very one, not another of its name."""
    return one.source, one.resource_id, slot
