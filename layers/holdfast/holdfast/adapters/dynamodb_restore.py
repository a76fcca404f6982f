"""DynamoDB tables made again: of a backup, by point-in-time recovery, or of exports in another Region.

Neither RestoreTable nor ImportTable takes tags. Until the table bears the request's, DescribeTable and
ListImports tell of what it was made; the tag comes first of all that is changed, and in a look of its own:
what IAM allows by a tag follows it some seconds later.

RestoreTable takes no token. A call whose answer was lost is not repeated; the next look sees the table.
ImportTable takes one, for 8 hours; of a failed import the same token tells the failure.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import is_sent_once, translated
from holdfast.adapters.dynamodb_exports import DynamoDBExports
from holdfast.adapters.dynamodb_given import mistakes
from holdfast.adapters.dynamodb_increments import Increments
from holdfast.adapters.dynamodb_settings import (
    KIND,
    ON_DEMAND,
    PROVISIONED,
    Clients,
    Described,
    describe,
    read,
    recovery_of,
    tags_of,
)
from holdfast.adapters.dynamodb_settling import Changes, bring_back
from holdfast.core.errors import AlreadyExists, NotFound, NotReady, ProviderError, Unprepared
from holdfast.core.model import account_of, region_of
from holdfast.core.restoring import (
    RESTORE_TAG,
    Configuration,
    Filled,
    Found,
    Phase,
    Pick,
    Settings,
    Settled,
    Target,
    Wanted,
    Way,
    Window,
)
from holdfast.ports import Deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_PHASES = {
    "ACTIVE": Phase.READY,
    "CREATING": Phase.MAKING,
    "UPDATING": Phase.MAKING,
}
"""Every other state lasts, or ends with the table."""

_TAKEN = ("TableAlreadyExists", "TableInUse", "ResourceInUse")
"""What RestoreTable and ImportTable answer about a name that a table has, which may be under way, or going:
by the API reference, in this order, it exists; it is being created or deleted; either."""

_OVERRIDES = {
    "BillingMode": "BillingModeOverride",
    "ProvisionedThroughput": "ProvisionedThroughputOverride",
    "OnDemandThroughput": "OnDemandThroughputOverride",
    "GlobalSecondaryIndexes": "GlobalSecondaryIndexOverride",
    "LocalSecondaryIndexes": "LocalSecondaryIndexOverride",
    "SSESpecification": "SSESpecificationOverride",
}
_KEYS = ("KeySchema", "AttributeDefinitions")
_FAILED_IMPORTS = ("FAILED", "CANCELLING", "CANCELLED")
_IMPORTING = timedelta(minutes=10)
"""A table and its import begin within this time of each other."""


class DynamoDBRestorer:
    """The restorer of kind `dynamodb`. `clients`, `scaling` (Application Auto Scaling's) and `s3` make the
    client of a Region; `once` one of DynamoDB that never repeats a call by itself."""

    def __init__(
        self,
        *,
        clients: "Callable[[str], DynamoDBClient]",
        once: "Callable[[str], DynamoDBClient]",
        scaling: Callable[[str], Any],
        s3: "Callable[[str], S3Client]",
        exports: DynamoDBExports,
    ) -> None:
        self._make = clients
        self._make_once = once
        self._make_scaling = scaling
        self._exports = exports
        self._made: dict[str, Clients] = {}
        self._lock = Lock()
        self._changes: Changes = Counter()
        self._increments = Increments(s3=s3, dynamodb=lambda region: self._in(region).dynamodb)

    @property
    def kind(self) -> str:
        return KIND

    def mistakes(self, given: Settings) -> Sequence[str]:
        return mistakes(given)

    def configuration(self, arn: str) -> Configuration | None:
        return read(self._in(region_of(arn)), arn)

    def window(self, arn: str) -> Window | None:
        try:
            told = recovery_of(self._in(region_of(arn)).dynamodb, arn)
        except NotFound:
            return None
        earliest, latest = told.get("EarliestRestorableDateTime"), told.get("LatestRestorableDateTime")
        if told.get("PointInTimeRecoveryStatus") != "ENABLED" or earliest is None or latest is None:
            return None
        return Window(earliest=earliest, latest=latest)

    def look(self, target: Target) -> Found | None:
        """Raises `NotReady` when a table is being created and AWS does not tell yet of what."""
        client = self._in(target.region).dynamodb
        table = describe(client, _arn(target))
        if table is None:
            return None
        made_of, phase, text = self._origin(client, table)
        request = tags_of(client, table["TableArn"]).get(RESTORE_TAG, "")
        if phase is Phase.MAKING and not made_of and not request:
            message = f"a table of this name is {text}, and AWS does not tell yet of what it is made"
            raise NotReady(KIND, table["TableArn"], "DescribeTable", "OriginUnknown", message)
        return Found(
            arn=table["TableArn"],
            phase=phase,
            text=text,
            request=request,
            made_of=made_of,
            created=table.get("CreationDateTime"),
        )

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        match pick.way:
            case Way.EXPORT:
                self._import(pick, target, wanted)
            case Way.BACKUP:
                request = {"BackupArn": pick.pieces[0].arn, **_overrides(wanted)}
                self._restore("RestoreTableFromBackup", request, target)
            case Way.INSTANT:
                when: dict[str, Any] = {"RestoreDateTime": pick.instant}
                if pick.instant is None:
                    when = {"UseLatestRestorableTime": True}
                request = {"SourceTableArn": target.source, **when, **_overrides(wanted)}
                self._restore("RestoreTableToPointInTime", request, target)

    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Deadline) -> Filled:
        """Writes to a table that bears the request's tag alone. One without it that was made of the pick gets
        it, and is filled in the next look."""
        if pick.way is not Way.EXPORT or len(pick.pieces) == 1:
            return Filled()
        found = self.look(target)
        if found is None or (found.request or found.made_of) not in (target.request, pick.pieces[0].arn):
            message = "what stands under the name is not what this restore made, and is not written to"
            raise AlreadyExists(KIND, _arn(target), "BatchWriteItem", "NotOurs", message)
        if not found.request:
            self._claim(found, target)
            return Filled(done=0, total=max(filled.total, 1))
        increments = self._exports.files(target.region, target.source, [one.arn for one in pick.pieces[1:]])
        return self._increments.put(increments, target.region, target.name, filled, deadline)

    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:
        if not found.request:
            self._claim(found, target)
            return Settled(pending="it has got its tag, and its settings are brought back")
        if found.request != target.request:
            message = f"it bears the tag of another restore, {found.request}, and is not changed"
            raise AlreadyExists(KIND, found.arn, "UpdateTable", "NotOurs", message)
        return bring_back(self._in(target.region), target, found, wanted, self._changes)

    def _in(self, region: str) -> Clients:
        """The clients of a Region."""
        with self._lock:
            if region not in self._made:
                self._made[region] = Clients(dynamodb=self._make(region), scaling=self._make_scaling(region))
            return self._made[region]

    def _claim(self, found: Found, target: Target) -> None:
        with translated(KIND, found.arn, "TagResource"):
            self._in(target.region).dynamodb.tag_resource(
                ResourceArn=found.arn,
                Tags=[{"Key": key, "Value": value} for key, value in target.tags.items()],
            )

    def _restore(self, operation: str, request: Mapping[str, Any], target: Target) -> None:
        client: Any = self._make_once(target.region)
        if not is_sent_once(client.meta.config):
            raise ValueError(f"the client for {operation} would repeat calls")
        send = {
            "RestoreTableFromBackup": client.restore_table_from_backup,
            "RestoreTableToPointInTime": client.restore_table_to_point_in_time,
        }[operation]
        self._start(operation, target, lambda: send(TargetTableName=target.name, **request))

    def _import(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        whole = pick.pieces[0]
        created = _created_with(target, wanted, filling=len(pick.pieces) > 1)
        [files] = self._exports.files(target.region, target.source, [whole.arn])
        client: Any = self._in(target.region).dynamodb
        answer = self._start(
            "ImportTable",
            target,
            lambda: client.import_table(
                ClientToken=_token(target),
                S3BucketSource={"S3Bucket": files.bucket, "S3KeyPrefix": files.data},
                InputFormat="DYNAMODB_JSON",
                InputCompressionType="GZIP",
                TableCreationParameters=created,
            ),
        )
        told = answer.get("ImportTableDescription", {})
        if told.get("ImportStatus") in _FAILED_IMPORTS:
            code = told.get("FailureCode") or told["ImportStatus"]
            raise ProviderError(KIND, _arn(target), "ImportTable", code, told.get("FailureMessage") or "")

    def _start(self, operation: str, target: Target, send: Callable[[], Any]) -> Any:
        try:
            with translated(KIND, _arn(target), operation):
                return send()
        except ProviderError as error:
            if error.code.startswith(_TAKEN):
                raise AlreadyExists(
                    KIND, error.resource, error.operation, error.code, error.message
                ) from error
            raise

    def _origin(self, client: Any, table: Described) -> tuple[str, Phase, str]:
        """Of what AWS says that a table was made, how far that is, and AWS's word for it."""
        text = table["TableStatus"]
        phase = _PHASES.get(text, Phase.FAILED)
        summary = table.get("RestoreSummary")
        if summary:
            if summary.get("RestoreInProgress") and phase is Phase.READY:
                phase = Phase.MAKING
            return summary.get("SourceBackupArn") or summary.get("SourceTableArn", ""), phase, text
        told = self._import_of(client, table)
        if told is None:
            return "", phase, text
        made_of = self._exports.arn_of(told["S3BucketSource"].get("S3KeyPrefix", ""))
        return made_of, *_importing(told, phase, text)

    def _import_of(self, client: Any, table: Described) -> Described | None:
        """The import that made this very table; `None` when none did. An earlier one may have made another
        table of its name."""
        arn = table["TableArn"]
        request = {"TableArn": arn}
        while True:
            with translated(KIND, arn, "ListImports"):
                page = client.list_imports(**request)
            for one in page.get("ImportSummaryList", ()):
                with translated(KIND, one["ImportArn"], "DescribeImport"):
                    told: Described = client.describe_import(ImportArn=one["ImportArn"])[
                        "ImportTableDescription"
                    ]
                if _made(told, table):
                    return told
            if not page.get("NextToken"):
                return None
            request["NextToken"] = page["NextToken"]


def _made(told: Described, table: Described) -> bool:
    """Whether an import made this table: by its id, and where AWS does not tell that, by the time."""
    if told.get("TableId") and table.get("TableId"):
        return bool(told["TableId"] == table["TableId"])
    began: datetime | None = told.get("StartTime")
    created: datetime | None = table.get("CreationDateTime")
    return began is not None and created is not None and abs(created - began) < _IMPORTING


def _importing(told: Described, phase: Phase, text: str) -> tuple[Phase, str]:
    """How far an import is. One that ends with errors has left items out, by DynamoDB's developer guide, and
    is complete all the same."""
    status, errors = told["ImportStatus"], told.get("ErrorCount") or 0
    if status in _FAILED_IMPORTS:
        why = ": ".join(filter(None, (told.get("FailureCode"), told.get("FailureMessage"))))
        return Phase.FAILED, f"{text}, its import {status}" + (f" ({why})" if why else "")
    if status == "IN_PROGRESS":
        return (Phase.MAKING if phase is Phase.READY else phase), f"{text}, its import IN_PROGRESS"
    if errors:
        logs = told.get("CloudWatchLogGroupArn") or "CloudWatch Logs"
        return Phase.FAILED, f"{text}, its import left out items: {errors} errors, which {logs} tells"
    return phase, text


def _arn(target: Target) -> str:
    """The ARN of the table that is to be made: in the source's account, since nothing is restored in
    another."""
    partition = target.source.split(":", 2)[1]
    return f"arn:{partition}:dynamodb:{target.region}:{account_of(target.source)}:table/{target.name}"


def _token(target: Target) -> str:
    return hashlib.sha256(f"{target.request} {target.region} {target.name}".encode()).hexdigest()[:32]


def _overrides(wanted: Wanted) -> dict[str, Any]:
    """What the request gives can be so from the beginning."""
    return {
        _OVERRIDES[name]: value
        for name, value in wanted.given.items()
        if name in _OVERRIDES and value is not None
    }


def _created_with(target: Target, wanted: Wanted, *, filling: bool) -> dict[str, Any]:
    """What ImportTable is told of the table. Raises `Unprepared` when its keys are not known.

    Where changes are to be put on top the table is paid per request until then: a provisioned throughput
    would be used up by them for hours.
    """
    settings: Mapping[str, Any] = wanted.settings
    if not all(settings.get(name) for name in _KEYS):
        message = (
            "an export does not tell the table's keys, and the source's settings are not known: give "
            "settings.KeySchema and settings.AttributeDefinitions, as CreateTable takes them"
        )
        raise Unprepared(KIND, target.source, "ImportTable", "KeysUnknown", message)
    mode = ON_DEMAND if filling else settings.get("BillingMode", ON_DEMAND)
    without = {"OnDemandThroughput" if mode == PROVISIONED else "ProvisionedThroughput"}
    if filling:
        without.add("OnDemandThroughput")
    indexes = [
        {name: value for name, value in one.items() if name not in without}
        for one in settings.get("GlobalSecondaryIndexes", ())
    ]
    keys = {
        one["AttributeName"]
        for keyed in ({"KeySchema": settings["KeySchema"]}, *indexes)
        for one in keyed["KeySchema"]
    }
    created: dict[str, Any] = {
        "TableName": target.name,
        "KeySchema": settings["KeySchema"],
        "AttributeDefinitions": [
            one for one in settings["AttributeDefinitions"] if one["AttributeName"] in keys
        ],
        "BillingMode": mode,
    }
    if indexes:
        created["GlobalSecondaryIndexes"] = indexes
    if mode == PROVISIONED:
        created["ProvisionedThroughput"] = settings["ProvisionedThroughput"]
    elif not filling and settings.get("OnDemandThroughput"):
        created["OnDemandThroughput"] = settings["OnDemandThroughput"]
    encryption = settings.get("SSESpecification") or {}
    if encryption.get("Enabled") and (
        "SSESpecification" in wanted.given or target.region == region_of(target.source)
    ):
        created["SSESpecification"] = encryption
    return created
