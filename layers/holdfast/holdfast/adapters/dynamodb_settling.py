"""Bringing back the settings of a table that a restore or an import leaves out.

Reads what is, changes what differs, and is over in the look that found nothing to change: several of these
settings are read eventually consistently, so that what was just changed is looked at again. What is refused
is told, and stops no other; it is tried again in each look, and makes none necessary.

AWS may tell a setting otherwise than it took it (with a default that was not given). What was changed twice
and looks each time as it did before is told, and left.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.adapters.calls import translated
from holdfast.adapters.dynamodb_settings import (
    AWS_TAGS,
    FAILED,
    KIND,
    ON_DEMAND,
    PROVISIONED,
    SCALING,
    TABLE_ARN,
    Clients,
    Described,
    describe,
    read,
    scaled_resources,
)
from holdfast.core.errors import ProviderError
from holdfast.core.model import region_of
from holdfast.core.restoring import Found, Settled, Target, Wanted

_MOST_CHANGES = 2

_MADE_WITH_TABLE = {
    "KeySchema": "a table has the keys that it was made with, which the backup has",
    "AttributeDefinitions": "they are those of the keys of the table and its indexes, which differ",
    "LocalSecondaryIndexes": (
        "local secondary indexes are made with the table and cannot be added: a backup has those of its "
        "time, an import from an export makes none"
    ),
    "Replicas": (
        "a restored table is of one Region: add replicas when it takes the source's place, by UpdateTable "
        "with ReplicaUpdates"
    ),
    "VectorIndexes": "vector indexes are not made here: make them by UpdateTable with VectorIndexUpdates",
}
_PAID_PER_REQUEST = "the table is paid per request, which has none"


@dataclass(slots=True, kw_only=True)
class _Table:
    """A table in the middle of it: its settings as they are (`have`) and are to be (`want`)."""

    clients: Clients
    arn: str
    name: str
    described: Described
    have: Mapping[str, Any]
    want: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        return str(self.want.get("BillingMode", self.have["BillingMode"]))

    def update(self, **change: Any) -> bool:
        """One UpdateTable. It makes the table UPDATING, until which is over there can be no other."""
        client: Any = self.clients.dynamodb
        with translated(KIND, self.arn, "UpdateTable"):
            client.update_table(TableName=self.name, **change)
        return True


type Changes = Counter[tuple[str, str, str]]
"""How often what was changed: by request, setting, and how that was before."""

type _Step = Callable[[_Table], bool]
"""Brings one setting back. Whether there was something to change; what AWS refuses is raised."""


def bring_back(clients: Clients, target: Target, found: Found, wanted: Wanted, changes: Changes) -> Settled:
    """Make the settings of `found`, which bears the request's tag, those that are `wanted`. `changes` are
    those of the looks before, as far as they are remembered."""
    described = describe(clients.dynamodb, found.arn)
    if described is None:
        return Settled(pending="the table cannot be seen at the moment")
    if busy := _busy(described):
        return Settled(pending=busy)
    told = read(clients, found.arn)
    if told is None:
        return Settled(pending="the table cannot be seen at the moment")
    table = _Table(
        clients=clients,
        arn=found.arn,
        name=target.name,
        described=described,
        have=told.settings,
        want={name: value for name, value in wanted.settings.items() if name not in told.unread},
    )
    _leave_out(table, target, wanted)
    changed: list[str] = []
    for name, step in _STEPS:
        before = {seen: told.settings.get(seen) for seen in _SEEN_IN.get(name, (name,))}
        change = (target.request, name, json.dumps(before, sort_keys=True))
        if changes[change] >= _MOST_CHANGES:
            table.problems.setdefault(name, "it was set, and AWS tells it otherwise")
            continue
        if not _tried(table, name, step):
            continue
        changes[change] += 1
        changed.append(name)
        if name in _UPDATES:  # the others wait until AWS is done with it
            return Settled(pending=f"{', '.join(changed)}: set, and AWS is changing the table")
    if changed:
        return Settled(pending=f"{', '.join(changed)}: set, and to be looked at again")
    _explain(table)
    return Settled(problems=table.problems)


def _busy(described: Described) -> str:
    """What AWS is at, in words; empty when the table can be changed."""
    if described["TableStatus"] != "ACTIVE":
        return f"the table is {described['TableStatus']}"
    for index in described.get("GlobalSecondaryIndexes", ()):
        if index.get("IndexStatus", "ACTIVE") != "ACTIVE":
            return f"its index {index['IndexName']} is {index['IndexStatus']}"
    encryption = described.get("SSEDescription", {}).get("Status", "")
    return f"its encryption is {encryption}" if encryption in ("ENABLING", "UPDATING") else ""


def _leave_out(table: _Table, target: Target, wanted: Wanted) -> None:
    """Take out of `want` what means nothing here, and say why."""
    home = region_of(target.source)
    encryption = table.want.get("SSESpecification") or {}
    abroad = target.region != home and "SSESpecification" not in wanted.given
    if abroad and encryption.get("Enabled"):
        del table.want["SSESpecification"]
        table.problems["SSESpecification"] = (
            f"the source's key is of {home}: give settings.SSESpecification with the ARN of a key of "
            f"{target.region}"
        )
    name = "KinesisDataStreamDestinations"
    if table.want.get(name) and name not in wanted.given:
        del table.want[name]
        table.problems[name] = (
            "both tables would write to one stream while the source stands: give "
            f"settings.{name}, or switch it on when the table takes the source's place"
        )
    if table.mode == ON_DEMAND:
        for name in ("ProvisionedThroughput", "AutoScaling"):
            if table.want.pop(name, None):
                table.problems[name] = _PAID_PER_REQUEST
    elif table.want.pop("OnDemandThroughput", None):
        table.problems["OnDemandThroughput"] = "the table has a provisioned throughput"


def _tried(table: _Table, name: str, step: _Step) -> bool:
    """Whether the step changed something. Raises what may pass by itself."""
    try:
        return step(table)
    except ProviderError as error:
        if error.retryable:
            raise
        table.problems[name] = str(error)
        return False


def _differs(table: _Table, name: str) -> bool:
    return name in table.want and table.want[name] != table.have.get(name)


def _explain(table: _Table) -> None:
    """Say why what differs still does so, where it was not refused."""
    reasons = _MADE_WITH_TABLE | {
        "GlobalSecondaryIndexes": _index_reason(table),
        "ProvisionedThroughput": "auto scaling sets it",
    }
    for name, reason in reasons.items():
        if _differs(table, name):
            table.problems.setdefault(name, reason)


# --- by UpdateTable, one at a time ------------------------------------------------------------------------


def _encryption(table: _Table) -> bool:
    name = "SSESpecification"
    return _differs(table, name) and table.update(SSESpecification=table.want[name])


def _table_class(table: _Table) -> bool:
    return _differs(table, "TableClass") and table.update(TableClass=table.want["TableClass"])


def _stream(table: _Table) -> bool:
    name = "StreamSpecification"
    if not _differs(table, name):
        return False
    if table.have[name]["StreamEnabled"]:  # DynamoDB changes no stream: the old one has to end first
        return table.update(StreamSpecification={"StreamEnabled": False})
    return table.update(StreamSpecification=table.want[name])


def _protection(table: _Table) -> bool:
    name = "DeletionProtectionEnabled"
    return _differs(table, name) and table.update(DeletionProtectionEnabled=table.want[name])


def _capacity(table: _Table) -> bool:
    """How the table and its indexes are paid. What auto scaling has taken over is its own to change."""
    change: dict[str, Any] = {}
    if table.mode != table.have["BillingMode"]:
        change["BillingMode"] = table.mode
    if table.mode == PROVISIONED and not table.have.get("AutoScaling"):
        change |= _throughput(table, "ProvisionedThroughput")
    elif table.mode == ON_DEMAND:
        change |= _throughput(table, "OnDemandThroughput")
    return bool(change) and table.update(**change)


def _throughput(table: _Table, name: str) -> dict[str, Any]:
    """What UpdateTable is told so that the table and the indexes that it has get their throughput. An index
    that is told none has the table's."""
    own = table.want.get(name)
    change: dict[str, Any] = {}
    if own and own != table.have.get(name):
        change[name] = own
    wanted = {one["IndexName"]: one for one in table.want.get("GlobalSecondaryIndexes", ())}
    updates = []
    for index in table.have["GlobalSecondaryIndexes"]:
        has = index.get(name)
        default = has or own if name == "ProvisionedThroughput" else has
        should = wanted.get(index["IndexName"], {}).get(name, default)
        if should and should != has:
            updates.append({"Update": {"IndexName": index["IndexName"], name: should}})
    if updates:
        change["GlobalSecondaryIndexUpdates"] = updates
    return change


def _indexes(table: _Table) -> bool:
    """The first index that is missing: AWS makes one at a time."""
    there = {one["IndexName"] for one in table.have["GlobalSecondaryIndexes"]}
    missing = [one for one in table.want.get("GlobalSecondaryIndexes", ()) if one["IndexName"] not in there]
    if not missing:
        return False
    without = "OnDemandThroughput" if table.mode == PROVISIONED else "ProvisionedThroughput"
    index = {name: value for name, value in missing[0].items() if name != without}
    keyed = [
        *table.have["GlobalSecondaryIndexes"],
        *table.have["LocalSecondaryIndexes"],
        {"KeySchema": table.have["KeySchema"]},
        index,
    ]
    used = {key["AttributeName"] for one in keyed for key in one["KeySchema"]}
    known = {one["AttributeName"]: one for one in table.want.get("AttributeDefinitions", ())}
    known |= {one["AttributeName"]: one for one in table.have["AttributeDefinitions"]}
    return table.update(
        AttributeDefinitions=[known[name] for name in sorted(used & known.keys())],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )


def _index_reason(table: _Table) -> str:
    wanted = {one["IndexName"]: one for one in table.want.get("GlobalSecondaryIndexes", ())}
    has = {one["IndexName"]: one for one in table.have["GlobalSecondaryIndexes"]}
    more = sorted(has.keys() - wanted.keys())
    if more:
        return f"the backup has other indexes, which were left: {', '.join(more)}"
    shape = [
        name
        for name, one in wanted.items()
        if name in has and any(one[part] != has[name][part] for part in ("KeySchema", "Projection"))
    ]
    if shape:
        return f"the backup's indexes have other keys or projections: {', '.join(sorted(shape))}"
    if table.mode == ON_DEMAND:
        return f"of their throughput: {_PAID_PER_REQUEST}"
    return "of their throughput: auto scaling sets it, or they have the table's"


# --- by calls of their own --------------------------------------------------------------------------------


def _tags(table: _Table) -> bool:
    wanted, has = table.want.get("Tags", {}), table.have.get("Tags", {})
    missing = [
        {"Key": key, "Value": value}
        for key, value in wanted.items()
        if has.get(key) != value and not key.startswith(AWS_TAGS)
    ]
    if not missing:
        return False
    with translated(KIND, table.arn, "TagResource"):
        table.clients.dynamodb.tag_resource(ResourceArn=table.arn, Tags=missing)  # type: ignore[arg-type]
    return True


def _time_to_live(table: _Table) -> bool:
    name = "TimeToLive"
    if not _differs(table, name):
        return False
    wanted = table.want[name]
    has = table.have[name]
    attribute = wanted.get("AttributeName") or has.get("AttributeName")
    with translated(KIND, table.arn, "UpdateTimeToLive"):
        table.clients.dynamodb.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"Enabled": wanted["Enabled"], "AttributeName": attribute},
        )
    return True


def _recovery(table: _Table) -> bool:
    name = "PointInTimeRecovery"
    if not _differs(table, name):
        return False
    with translated(KIND, table.arn, "UpdateContinuousBackups"):
        table.clients.dynamodb.update_continuous_backups(
            TableName=table.name, PointInTimeRecoverySpecification=table.want[name]
        )
    return True


def _policy(table: _Table) -> bool:
    """By its API reference GetResourcePolicy may not know yet what PutResourcePolicy has just put."""
    name = "ResourcePolicy"
    if not _differs(table, name) or not table.want[name]:
        return False
    document = json.dumps(table.want[name]).replace(TABLE_ARN, table.arn)
    with translated(KIND, table.arn, "PutResourcePolicy"):
        table.clients.dynamodb.put_resource_policy(ResourceArn=table.arn, Policy=document)
    return True


def _insights(table: _Table) -> bool:
    name = "ContributorInsights"
    has, changed, client = table.have.get(name, {}), False, table.clients.dynamodb
    for at, mode in table.want.get(name, {}).items():
        if has.get(at) == FAILED:
            table.problems[name] = f"AWS could not switch them on ({at})"
        elif has.get(at) != mode and mode != FAILED:
            request: dict[str, Any] = {"TableName": table.name, "ContributorInsightsAction": "ENABLE"}
            if at != "table":
                request["IndexName"] = at.removeprefix("index/")
            with translated(KIND, table.arn, "UpdateContributorInsights"):
                client.update_contributor_insights(ContributorInsightsMode=mode, **request)
            changed = True
    return changed


def _streams_to(table: _Table) -> bool:
    name = "KinesisDataStreamDestinations"
    has = {one["StreamArn"] for one in table.have.get(name, ())}
    missing = [one for one in table.want.get(name, ()) if one["StreamArn"] not in has]
    precision = "ApproximateCreationDateTimePrecision"
    for one in missing:
        with translated(KIND, table.arn, "EnableKinesisStreamingDestination"):
            table.clients.dynamodb.enable_kinesis_streaming_destination(
                TableName=table.name,
                StreamArn=one["StreamArn"],
                EnableKinesisStreamingConfiguration={precision: one[precision]},  # type: ignore[misc]
            )
    return bool(missing)


def _scaling(table: _Table) -> bool:
    """Registered with Application Auto Scaling's own service-linked role, whatever the source's was."""
    name = "AutoScaling"
    resources = scaled_resources(table.described)
    changed = False
    for at, units in table.want.get(name, {}).items():
        for unit, wanted in units.items():
            if at not in resources:
                table.problems[name] = f"there is no {at}"
            elif table.have.get(name, {}).get(at, {}).get(unit) != wanted:
                _scale(table, resources[at], f"{SCALING}:{at.partition('/')[0]}:{unit}", wanted)
                changed = True
    return changed


def _scale(table: _Table, resource: str, dimension: str, wanted: Mapping[str, Any]) -> None:
    scaling = table.clients.scaling
    at = {"ServiceNamespace": SCALING, "ResourceId": resource, "ScalableDimension": dimension}
    limits = {
        name: wanted[name] for name in ("MinCapacity", "MaxCapacity", "SuspendedState") if name in wanted
    }
    with translated(KIND, table.arn, "RegisterScalableTarget"):
        scaling.register_scalable_target(**at, **limits)
    for tracking in wanted.get("Policies", ()):
        with translated(KIND, table.arn, "PutScalingPolicy"):
            scaling.put_scaling_policy(
                **at,
                PolicyName=_policy_name(tracking, resource),
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracking,
            )
    for action in wanted.get("ScheduledActions", ()):
        with translated(KIND, table.arn, "PutScheduledAction"):
            scaling.put_scheduled_action(**at, **action)


def _policy_name(tracking: Mapping[str, Any], resource: str) -> str:
    """As DynamoDB's console names them. A scaling policy of one name is replaced, not made again."""
    metric = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "custom")
    return f"{metric}:{resource}"


_UPDATES = frozenset(
    {"SSESpecification", "TableClass", "BillingMode", "GlobalSecondaryIndexes", "StreamSpecification"}
)
"""What may leave the table UPDATING. The protection does too, and nothing comes after it."""

_SEEN_IN = {
    "BillingMode": ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "GlobalSecondaryIndexes")
}
"""The settings that a step changes, where it is not the one that it is called by."""

_STEPS: Sequence[tuple[str, _Step]] = (
    ("Tags", _tags),
    ("TimeToLive", _time_to_live),
    ("PointInTimeRecovery", _recovery),
    ("ResourcePolicy", _policy),
    ("ContributorInsights", _insights),
    ("SSESpecification", _encryption),
    ("TableClass", _table_class),
    ("BillingMode", _capacity),
    ("GlobalSecondaryIndexes", _indexes),
    ("StreamSpecification", _stream),
    ("AutoScaling", _scaling),
    ("KinesisDataStreamDestinations", _streams_to),
    ("DeletionProtectionEnabled", _protection),
)
"""In this order: what auto scaling is to change stands before it, and the protection comes last."""
