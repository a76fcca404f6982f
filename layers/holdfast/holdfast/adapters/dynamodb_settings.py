"""A DynamoDB table's settings, in one form: what AWS tells of a table, and what a request may give.

Names and shapes are those of CreateTable, and of the call that makes the setting where that has it not:

    TimeToLive                      {"Enabled": true, "AttributeName": "until"}          UpdateTimeToLive
    PointInTimeRecovery             {"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35}
    ContributorInsights             {"table": mode, "index/<name>": mode}
    ResourcePolicy                  the document, with `{TableArn}` where the table's own ARN stands
    KinesisDataStreamDestinations   [{"StreamArn": …, "ApproximateCreationDateTimePrecision": …}]
    AutoScaling                     {"table" or "index/<name>": {"ReadCapacityUnits": {"MinCapacity": 1,
                                    "MaxCapacity": 9, "Policies": […], "ScheduledActions": […]}}}, where a
                                    policy is its TargetTrackingScalingPolicyConfiguration
    Tags                            {"key": "value"}
    Replicas                        the other Regions of a global table

What is switched off is told as that, so that a request can ask for it. A throughput that comes of a table's
use (warm throughput) is no setting.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, ProviderError
from holdfast.core.model import name_of
from holdfast.core.restoring import RESTORE_TAG, Configuration, Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KIND = "dynamodb"
TABLE_ARN = "{TableArn}"
"""Stands for the ARN of the table that a resource policy belongs to."""

PROVISIONED, ON_DEMAND = "PROVISIONED", "PAY_PER_REQUEST"
FAILED = "FAILED"
"""Of contributor insights in the place of a mode: AWS could not switch them on."""

LONGEST_RECOVERY_DAYS = 35
"""DynamoDB's own period, where none is given."""

AWS_TAGS = "aws:"
SCALING = "dynamodb"
"""DynamoDB's namespace in Application Auto Scaling."""

_NO_THROUGHPUT = -1
"""In `OnDemandThroughput`, by DynamoDB's API reference: no limit."""

type Described = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Those of one Region. `scaling` is of Application Auto Scaling."""

    dynamodb: "DynamoDBClient"
    scaling: Any


def read(clients: Clients, arn: str) -> Configuration | None:
    """The settings of a table as it stands; `None` when it is gone. What is refused is `unread`; raises where
    it may be answered later."""
    table = describe(clients.dynamodb, arn)
    if table is None:
        return None
    settings, unread = dict(made_with(table)), dict[str, str]()
    for name, part in _PARTS.items():
        try:
            settings[name] = part(clients, table)
        except ProviderError as error:
            if error.retryable:
                raise
            unread[name] = str(error)
    return Configuration(arn=arn, settings=settings, unread=unread)


def describe(client: "DynamoDBClient", arn: str) -> Described | None:
    """DynamoDB's description of the table with this ARN; `None` when there is none."""
    try:
        with translated(KIND, arn, "DescribeTable"):
            table = client.describe_table(TableName=name_of(arn))["Table"]
            return table if table["TableArn"] == arn else None
    except NotFound:
        return None


def tags_of(client: "DynamoDBClient", arn: str) -> dict[str, str]:
    """All of a table's tags."""
    with translated(KIND, arn, "ListTagsOfResource"):
        return {
            tag["Key"]: tag["Value"]
            for page in client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
            for tag in page.get("Tags", ())
        }


# --- in one form ------------------------------------------------------------------------------------------


def made_with(table: Described) -> Settings:
    """The settings that DescribeTable tells."""
    mode = table.get("BillingModeSummary", {}).get("BillingMode", PROVISIONED)
    settings: dict[str, Any] = {
        "BillingMode": mode,
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "TableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "SSESpecification": _encryption(table.get("SSEDescription", {})),
    }
    for name in ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        settings[name] = normal(name, table.get(name, []))
    settings["StreamSpecification"] = normal("StreamSpecification", table.get("StreamSpecification", {}))
    if mode == PROVISIONED:
        settings["ProvisionedThroughput"] = _throughput(table["ProvisionedThroughput"])
    elif limits := _limits(table.get("OnDemandThroughput", {})):
        settings["OnDemandThroughput"] = limits
    if replicas := sorted(one["RegionName"] for one in table.get("Replicas", ())):
        settings["Replicas"] = replicas
    if vectors := sorted(one["IndexName"] for one in table.get("VectorIndexes", ())):
        settings["VectorIndexes"] = vectors
    return settings


def normal(name: str, value: Any) -> Any:
    """A setting in the form in which two that mean the same are equal. `value` has the setting's shape."""
    return _NORMAL[name](value) if name in _NORMAL and value is not None else value


def _keys(keys: Sequence[Described]) -> list[dict[str, str]]:
    """The partition key first, as DynamoDB demands it."""
    return [{"AttributeName": one["AttributeName"], "KeyType": one["KeyType"]} for one in keys]


def _attributes(definitions: Sequence[Described]) -> list[dict[str, str]]:
    return [
        {"AttributeName": one["AttributeName"], "AttributeType": one["AttributeType"]}
        for one in sorted(definitions, key=lambda one: str(one["AttributeName"]))
    ]


def _indexes(indexes: Sequence[Described]) -> list[dict[str, Any]]:
    return [_index(one) for one in sorted(indexes, key=lambda one: str(one["IndexName"]))]


def _index(index: Described) -> dict[str, Any]:
    projection = {"ProjectionType": index.get("Projection", {}).get("ProjectionType", "ALL")}
    if others := index.get("Projection", {}).get("NonKeyAttributes"):
        projection["NonKeyAttributes"] = sorted(others)
    made: dict[str, Any] = {
        "IndexName": index["IndexName"],
        "KeySchema": _keys(index["KeySchema"]),
        "Projection": projection,
    }
    throughput = _throughput(index.get("ProvisionedThroughput", {}))
    if any(throughput.values()):  # of what is paid per request DynamoDB tells zeros
        made["ProvisionedThroughput"] = throughput
    if limits := _limits(index.get("OnDemandThroughput", {})):
        made["OnDemandThroughput"] = limits
    return made


def _throughput(told: Described) -> dict[str, int]:
    return {name: int(told.get(name, 0)) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _limits(told: Described) -> dict[str, int]:
    names = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
    return {name: int(told[name]) for name in names if told.get(name, _NO_THROUGHPUT) != _NO_THROUGHPUT}


def _encryption(told: Described) -> dict[str, Any]:
    """By its API reference, DynamoDB describes no encryption with a key of its own, which is the default."""
    if told.get("Status") in (None, "DISABLED", "DISABLING"):
        return {"Enabled": False}
    return {
        "Enabled": True,
        "SSEType": told.get("SSEType", "KMS"),
        "KMSMasterKeyId": told["KMSMasterKeyArn"],
    }


def _given_encryption(given: Described) -> dict[str, Any]:
    return {"SSEType": "KMS", **given} if given.get("Enabled") else {"Enabled": False}


def _stream(told: Described) -> dict[str, Any]:
    if not told.get("StreamEnabled"):
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": told["StreamViewType"]}


def _time_to_live(given: Described) -> dict[str, Any]:
    if not given.get("Enabled"):
        return {"Enabled": False}
    return {"Enabled": True, "AttributeName": given["AttributeName"]}


def _recovery(given: Described) -> dict[str, Any]:
    if not given.get("PointInTimeRecoveryEnabled"):
        return {"PointInTimeRecoveryEnabled": False}
    days = given.get("RecoveryPeriodInDays", LONGEST_RECOVERY_DAYS)
    return {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}


def _streams_to(told: Iterable[Described]) -> list[dict[str, str]]:
    wanted = ("StreamArn", "ApproximateCreationDateTimePrecision")
    kept = [{"ApproximateCreationDateTimePrecision": "MILLISECOND", **one} for one in told]
    return sorted(
        ({name: str(one[name]) for name in wanted} for one in kept), key=lambda one: one["StreamArn"]
    )


def _document(value: Any) -> Any:
    """A policy with lists of one as that one and lists in order: to IAM they mean the same."""
    if isinstance(value, Mapping):
        return {key: _document(one) for key, one in value.items()}
    if isinstance(value, list):
        each = [_document(one) for one in value]
        if len(each) == 1:
            return each[0]
        return sorted(each, key=lambda one: json.dumps(one, sort_keys=True))
    return value


_NORMAL: Mapping[str, Callable[[Any], Any]] = {
    "KeySchema": _keys,
    "AttributeDefinitions": _attributes,
    "GlobalSecondaryIndexes": _indexes,
    "LocalSecondaryIndexes": _indexes,
    "OnDemandThroughput": _limits,
    "SSESpecification": _given_encryption,
    "StreamSpecification": _stream,
    "TimeToLive": _time_to_live,
    "PointInTimeRecovery": _recovery,
    "ResourcePolicy": _document,
    "KinesisDataStreamDestinations": _streams_to,
}


# --- each read by a call of its own -----------------------------------------------------------------------


def _read_time_to_live(clients: Clients, table: Described) -> Any:
    with translated(KIND, table["TableArn"], "DescribeTimeToLive"):
        told = clients.dynamodb.describe_time_to_live(TableName=table["TableName"])["TimeToLiveDescription"]
        enabled = told["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return _time_to_live({**told, "Enabled": enabled})


def _read_recovery(clients: Clients, table: Described) -> Any:
    told = recovery_of(clients.dynamodb, table["TableArn"])
    enabled = told.get("PointInTimeRecoveryStatus") == "ENABLED"
    return _recovery({**told, "PointInTimeRecoveryEnabled": enabled})


def recovery_of(client: "DynamoDBClient", arn: str) -> Described:
    """What DynamoDB tells of a table's point-in-time recovery."""
    with translated(KIND, arn, "DescribeContinuousBackups"):
        told = client.describe_continuous_backups(TableName=name_of(arn))["ContinuousBackupsDescription"]
    return told.get("PointInTimeRecoveryDescription", {})


def _read_insights(clients: Clients, table: Described) -> Any:
    insights: dict[str, str] = {}
    request: dict[str, Any] = {"TableName": table["TableName"]}
    with translated(KIND, table["TableArn"], "ListContributorInsights"):
        while True:
            answer = clients.dynamodb.list_contributor_insights(**request)
            for one in answer["ContributorInsightsSummaries"]:
                at = f"index/{one['IndexName']}" if one.get("IndexName") else "table"
                status = one["ContributorInsightsStatus"]
                if status in ("ENABLED", "ENABLING"):
                    insights[at] = one.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS")
                elif status == FAILED:
                    insights[at] = FAILED
            if not answer.get("NextToken"):
                return insights
            request["NextToken"] = answer["NextToken"]


def _read_policy(clients: Clients, table: Described) -> Any:
    arn = table["TableArn"]
    try:
        with translated(KIND, arn, "GetResourcePolicy"):
            text = clients.dynamodb.get_resource_policy(ResourceArn=arn)["Policy"]
    except ProviderError as error:
        if error.code.startswith("PolicyNotFound"):
            return None
        raise
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ProviderError(KIND, arn, "GetResourcePolicy", "MalformedPolicy", str(error)) from error
    own = re.sub(re.escape(arn) + r'(?=["/])', lambda _: TABLE_ARN, json.dumps(document))
    return _document(json.loads(own))


def _read_streams_to(clients: Clients, table: Described) -> Any:
    with translated(KIND, table["TableArn"], "DescribeKinesisStreamingDestination"):
        told = clients.dynamodb.describe_kinesis_streaming_destination(TableName=table["TableName"])
        live = [
            one
            for one in told.get("KinesisDataStreamDestinations", ())
            if one["DestinationStatus"] in ("ACTIVE", "ENABLING", "UPDATING")
        ]
        return _streams_to(live)


def _read_tags(clients: Clients, table: Described) -> Any:
    tags = tags_of(clients.dynamodb, table["TableArn"])
    return {key: tags[key] for key in sorted(tags) if key != RESTORE_TAG and not key.startswith(AWS_TAGS)}


def scaled_resources(table: Described) -> dict[str, str]:
    """What Application Auto Scaling calls the table and its indexes, by what they are called here."""
    own = f"table/{table['TableName']}"
    indexes = [one["IndexName"] for one in table.get("GlobalSecondaryIndexes", ())]
    return {"table": own} | {f"index/{name}": f"{own}/index/{name}" for name in sorted(indexes)}


def _read_scaling(clients: Clients, table: Described) -> Any:
    resources = scaled_resources(table)
    names = {resource: name for name, resource in resources.items()}
    found: dict[str, dict[str, Any]] = {}
    asked = {"ResourceIds": list(names)}
    for target in _listed(clients, table, "describe_scalable_targets", "ScalableTargets", asked):
        scaled = {"MinCapacity": target["MinCapacity"], "MaxCapacity": target["MaxCapacity"]}
        if stopped := sorted(key for key, off in (target.get("SuspendedState") or {}).items() if off):
            scaled["SuspendedState"] = dict.fromkeys(stopped, True)
        unit = target["ScalableDimension"].rsplit(":", 1)[1]
        found.setdefault(names[target["ResourceId"]], {})[unit] = scaled
    for name, units in found.items():
        _read_policies(clients, table, resources[name], units)
    return found


def _read_policies(clients: Clients, table: Described, resource: str, units: dict[str, Any]) -> None:
    asked = {"ResourceId": resource}
    for policy in _listed(clients, table, "describe_scaling_policies", "ScalingPolicies", asked):
        tracking = policy.get("TargetTrackingScalingPolicyConfiguration")
        unit = units.get(policy["ScalableDimension"].rsplit(":", 1)[1])
        if tracking and unit is not None and policy["ResourceId"] == resource:
            unit.setdefault("Policies", []).append(tracking)
    for action in _listed(clients, table, "describe_scheduled_actions", "ScheduledActions", asked):
        unit = units.get(action["ScalableDimension"].rsplit(":", 1)[1])
        if unit is not None and action["ResourceId"] == resource:
            unit.setdefault("ScheduledActions", []).append(_action(action))
    for unit in units.values():
        for name in ("Policies", "ScheduledActions"):
            if name in unit:
                unit[name].sort(key=lambda one: json.dumps(one, sort_keys=True))


def _action(action: Described) -> dict[str, Any]:
    names = (
        *("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction"),
    )
    return {name: _plain(action[name]) for name in names if action.get(name) is not None}


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _listed(
    clients: Clients, table: Described, operation: str, what: str, asked: Mapping[str, Any]
) -> Iterator[Described]:
    pages = clients.scaling.get_paginator(operation).paginate(ServiceNamespace=SCALING, **asked)
    with translated(KIND, table["TableArn"], "".join(part.title() for part in operation.split("_"))):
        for page in pages:
            yield from page[what]


_PARTS: Mapping[str, Callable[[Clients, Described], Any]] = {
    "TimeToLive": _read_time_to_live,
    "PointInTimeRecovery": _read_recovery,
    "ContributorInsights": _read_insights,
    "ResourcePolicy": _read_policy,
    "KinesisDataStreamDestinations": _read_streams_to,
    "Tags": _read_tags,
    "AutoScaling": _read_scaling,
}
