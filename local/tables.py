"""What moto's DynamoDB lacks of making a table again. Imported in moto's own process: afterwards

- a restored table is paid as its source was, unless the request overrides it; so are indexes and encryption;
- point-in-time recovery finds its source by ARN, and gives the items of the instant that is asked for;
- ImportTable refuses a name that is taken, answers a token with the import that it has begun, takes a key,
  and is listed; what DescribeImport tells has all that AWS tells of it;
- UpdateTable changes the table's class, encryption and limits, and tables tell them, and their id;
- there are contributor insights, and streams to Kinesis;
- a tag that is set again replaces the one before.
"""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import GlobalSecondaryIndex, LocalSecondaryIndex, Table
from moto.dynamodb.models.table_import import TableImport
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from local import histories
from local.histories import items_at

PAGE = 25
"""ListImports gives so many at most."""

_ERROR = "com.amazonaws.dynamodb.v20120810#"
_describe_table = Table.describe
_update = DynamoHandler.update_table
_import = DynamoHandler.import_table
_run = TableImport.run
_tag = DynamoDBBackend.tag_resource
_describe_index = GlobalSecondaryIndex.describe
_create_index = GlobalSecondaryIndex.create


def teach() -> None:
    """From now on, have it. May be called again."""
    histories.teach()
    taught: dict[str, Callable[..., Any]] = {
        "restore_table_from_backup": _restore_backup,
        "restore_table_to_point_in_time": _restore_instant,
        "update_table": _update_table,
        "import_table": _import_table,
        "describe_import": _describe_import,
        "list_imports": _list_imports,
        "list_contributor_insights": _list_insights,
        "update_contributor_insights": _update_insights,
        "describe_kinesis_streaming_destination": _describe_streams_to,
        "enable_kinesis_streaming_destination": _enable_stream_to,
    }
    for name, function in taught.items():
        setattr(DynamoHandler, name, function)
    Table.describe = _describe  # type: ignore[method-assign]
    TableImport.run = _run_import  # type: ignore[method-assign]
    DynamoDBBackend.tag_resource = _tag_resource  # type: ignore[method-assign]
    GlobalSecondaryIndex.describe = _describe_global_index  # type: ignore[method-assign]
    GlobalSecondaryIndex.create = staticmethod(_create_global_index)  # type: ignore[method-assign]


# --- tables -----------------------------------------------------------------------------------------------


def _extra(table: Any) -> dict[str, Any]:
    """What a table has that moto knows nothing of, by the names that DescribeTable tells it with."""
    known: dict[str, Any] = table.__dict__.setdefault("holdfast_extra", {})
    return known


def _describe(self: Table, base_key: str = "TableDescription") -> dict[str, Any]:
    told: dict[str, Any] = _describe_table(self, base_key)
    told[base_key]["TableId"] = str(uuid5(NAMESPACE_URL, f"{self.table_arn} {self.created_at}"))
    told[base_key] |= _extra(self)
    return told


def _update_table(self: DynamoHandler) -> ActionResult:
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    if key := self.body.get("SSESpecification"):
        table.sse_specification = _encryption(table, key)
    if name := self.body.get("TableClass"):
        _extra(table)["TableClassSummary"] = {"TableClass": name}
    if limits := self.body.get("OnDemandThroughput"):
        _extra(table)["OnDemandThroughput"] = limits
    answer: ActionResult = _update(self)
    by_name = {one.name: one for one in table.global_indexes}
    for change in self.body.get("GlobalSecondaryIndexUpdates", ()):
        for told in change.values():
            if "OnDemandThroughput" in told:
                by_name[told["IndexName"]].__dict__["holdfast_limits"] = told["OnDemandThroughput"]
    return answer


def _encryption(table: Table, asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("Enabled") and "KMSMasterKeyId" not in asked:
        key = table._get_default_encryption_key(table.account_id, table.region_name)  # noqa: SLF001
        return asked | {"KMSMasterKeyId": key}
    return asked


def _tag_resource(self: DynamoDBBackend, arn: str, tags: dict[str, str]) -> None:
    self.untag_resource(arn, list(tags))
    _tag(self, arn, tags)


def _create_global_index(dct: dict[str, Any], table_key_attrs: list[str]) -> GlobalSecondaryIndex:
    made = _create_index(dct, table_key_attrs)
    if "OnDemandThroughput" in dct:
        made.__dict__["holdfast_limits"] = dct["OnDemandThroughput"]
    return made


def _describe_global_index(self: GlobalSecondaryIndex) -> dict[str, Any]:
    limits = self.__dict__.get("holdfast_limits")
    return _describe_index(self) | ({"OnDemandThroughput": limits} if limits else {})


# --- restores ---------------------------------------------------------------------------------------------


def _restore_backup(self: DynamoHandler) -> ActionResult:
    backend, asked = self.dynamodb_backend, self.body
    made = backend.restore_table_from_backup(asked["TargetTableName"], asked["BackupArn"])
    return _restored(made, backend.get_backup(asked["BackupArn"]).table, asked)


def _restore_instant(self: DynamoHandler) -> ActionResult:
    backend, asked = self.dynamodb_backend, self.body
    name, arn = asked.get("SourceTableName"), asked.get("SourceTableArn")
    source = next((one for one in backend.tables.values() if name == one.name or arn == one.table_arn), None)
    if source is None:
        raise JsonRESTError(_ERROR + "TableNotFoundException", f"Table not found: {name or arn}")
    if source.continuous_backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        message = f"Point in time recovery is not enabled for table '{source.name}'"
        raise JsonRESTError(_ERROR + "PointInTimeRecoveryUnavailableException", message)
    made = backend.restore_table_to_point_in_time(asked["TargetTableName"], source.name)
    if at := asked.get("RestoreDateTime"):
        made.items = items_at(source, at if at.tzinfo else at.replace(tzinfo=UTC))
    return _restored(made, source, asked)


def _restored(made: Table, source: Table, asked: dict[str, Any]) -> ActionResult:
    made.billing_mode = asked.get("BillingModeOverride") or source.billing_mode
    made.throughput = {
        **copy.deepcopy(source.throughput),
        **(asked.get("ProvisionedThroughputOverride") or {}),
    }
    if made.billing_mode == "PAY_PER_REQUEST":
        made.throughput |= {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    key = asked.get("SSESpecificationOverride")
    made.sse_specification = _encryption(made, key) if key else copy.deepcopy(source.sse_specification)
    if limits := asked.get("OnDemandThroughputOverride"):
        _extra(made)["OnDemandThroughput"] = limits
    if "GlobalSecondaryIndexOverride" in asked:
        made.global_indexes = [
            GlobalSecondaryIndex.create(one, made.table_key_attrs)
            for one in asked["GlobalSecondaryIndexOverride"]
        ]
    if "LocalSecondaryIndexOverride" in asked:
        made.indexes = [
            LocalSecondaryIndex.create(one, made.table_key_attrs)
            for one in asked["LocalSecondaryIndexOverride"]
        ]
    return DynamoResult(made.describe())


# --- imports ----------------------------------------------------------------------------------------------


def _import_table(self: DynamoHandler) -> ActionResult:
    backend, asked = self.dynamodb_backend, dict(self.body)
    for one in backend.table_imports.values():
        told = one.__dict__.get("asked", {})
        if told.get("ClientToken") and told["ClientToken"] == asked.get("ClientToken"):
            if told != asked:
                message = "Import request with the same client token has other parameters"
                raise JsonRESTError(_ERROR + "ImportConflictException", message)
            return ActionResult({"ImportTableDescription": _as_import(one)})
    name = asked["TableCreationParameters"]["TableName"]
    if name in backend.tables:
        raise ResourceInUseException(f"Table already exists: {name}")
    before = set(backend.table_imports)
    _import(self)
    [arn] = backend.table_imports.keys() - before
    made = backend.table_imports[arn]
    made.__dict__["asked"] = asked
    made.__dict__["began"] = datetime.now(UTC)
    return ActionResult({"ImportTableDescription": _as_import(made)})


def _run_import(self: TableImport) -> None:
    _run(self)
    self.__dict__["ended"] = datetime.now(UTC)


def _as_import(one: TableImport) -> dict[str, Any]:
    known = one.__dict__
    asked = known.get("asked", {})
    creation = asked.get("TableCreationParameters", {})
    if one.table is not None:
        one.table.sse_specification = one.table.sse_specification or (
            _encryption(one.table, creation["SSESpecification"]) if creation.get("SSESpecification") else None
        )
        if creation.get("OnDemandThroughput"):
            _extra(one.table).setdefault("OnDemandThroughput", creation["OnDemandThroughput"])
    told = one.response() | {name: value for name, value in asked.items() if name != "TableName"}
    told["StartTime"] = known.get("began")
    told["EndTime"] = known.get("ended")
    if one.table is not None:
        told["TableId"] = one.table.describe()["TableDescription"]["TableId"]
    return {name: value for name, value in told.items() if value is not None}


def _describe_import(self: DynamoHandler) -> ActionResult:
    found = self.dynamodb_backend.table_imports.get(self.body["ImportArn"])
    if found is None:
        raise JsonRESTError(_ERROR + "ImportNotFoundException", f"Import not found: {self.body['ImportArn']}")
    return ActionResult({"ImportTableDescription": _as_import(found)})


def _list_imports(self: DynamoHandler) -> ActionResult:
    table, after = self.body.get("TableArn"), self.body.get("NextToken")
    size = min(self.body.get("PageSize") or PAGE, PAGE)
    named = {"ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "InputFormat", "StartTime", "EndTime"}
    found = [
        one
        for arn, one in sorted(self.dynamodb_backend.table_imports.items())
        if (not table or one.table_arn == table) and (not after or arn > after)
    ]
    answer: dict[str, Any] = {
        "ImportSummaryList": [
            {name: value for name, value in _as_import(one).items() if name in named} for one in found[:size]
        ]
    }
    if len(found) > size:
        answer["NextToken"] = found[size - 1].arn
    return ActionResult(answer)


# --- contributor insights, and streams to Kinesis ---------------------------------------------------------


def _list_insights(self: DynamoHandler) -> ActionResult:
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    switched: dict[str, str] = table.__dict__.get("holdfast_insights", {})
    told = [
        {
            "TableName": table.name,
            **({"IndexName": index} if index else {}),
            "ContributorInsightsStatus": "ENABLED",
            "ContributorInsightsMode": mode,
        }
        for index, mode in switched.items()
    ]
    return ActionResult({"ContributorInsightsSummaries": told})


def _update_insights(self: DynamoHandler) -> ActionResult:
    table, index = self.dynamodb_backend.get_table(self.body["TableName"]), self.body.get("IndexName", "")
    switched = table.__dict__.setdefault("holdfast_insights", {})
    if index and index not in {one.name for one in table.global_indexes}:
        raise JsonRESTError(_ERROR + "ResourceNotFoundException", f"Index not found: {index}")
    if self.body["ContributorInsightsAction"] == "ENABLE":
        switched[index] = self.body.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS")
    else:
        switched.pop(index, None)
    return ActionResult({"TableName": table.name, "ContributorInsightsStatus": "ENABLING"})


def _describe_streams_to(self: DynamoHandler) -> ActionResult:
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    told = table.__dict__.get("holdfast_streams", [])
    return ActionResult({"TableName": table.name, "KinesisDataStreamDestinations": told})


def _enable_stream_to(self: DynamoHandler) -> ActionResult:
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    precision = self.body.get("EnableKinesisStreamingConfiguration", {}).get(
        "ApproximateCreationDateTimePrecision", "MILLISECOND"
    )
    table.__dict__.setdefault("holdfast_streams", []).append(
        {
            "StreamArn": self.body["StreamArn"],
            "DestinationStatus": "ACTIVE",
            "ApproximateCreationDateTimePrecision": precision,
        }
    )
    return ActionResult({"TableName": table.name, "StreamArn": self.body["StreamArn"]})
