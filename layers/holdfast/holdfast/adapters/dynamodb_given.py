"""What a request may say of a table's settings. botocore's own validator knows the shapes of AWS's."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape
from botocore.validate import ParamValidator

from holdfast.adapters.dynamodb_settings import AWS_TAGS, PROVISIONED, TABLE_ARN, normal
from holdfast.core.restoring import RESTORE_TAG, Json, Settings

_SHAPES = {
    "KeySchema": "KeySchema",
    "AttributeDefinitions": "AttributeDefinitions",
    "BillingMode": "BillingMode",
    "ProvisionedThroughput": "ProvisionedThroughput",
    "OnDemandThroughput": "OnDemandThroughput",
    "GlobalSecondaryIndexes": "GlobalSecondaryIndexList",
    "LocalSecondaryIndexes": "LocalSecondaryIndexList",
    "TableClass": "TableClass",
    "DeletionProtectionEnabled": "DeletionProtectionEnabled",
    "StreamSpecification": "StreamSpecification",
    "SSESpecification": "SSESpecification",
    "PointInTimeRecovery": "PointInTimeRecoverySpecification",
    "KinesisDataStreamDestinations": "KinesisDataStreamDestinations",
}
"""The settings that have a shape of that name in DynamoDB's service model."""

_MODES = ("ACCESSED_AND_THROTTLED_KEYS", "THROTTLED_KEYS")
_UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")
_DIMENSION = "dynamodb:table:ReadCapacityUnits"
_PARTS = ("MinCapacity", "MaxCapacity", "SuspendedState", "Policies", "ScheduledActions")


def mistakes(given: Settings) -> list[str]:
    """What is wrong with a request's settings, each in a sentence."""
    found = [f"settings.{name}: {wrong}" for name in sorted(given) if (wrong := _wrong(name, given[name]))]
    if given.get("BillingMode") == PROVISIONED and "ProvisionedThroughput" not in given:
        found.append("settings.BillingMode: PROVISIONED has a throughput; give ProvisionedThroughput too")
    return found


def _wrong(name: str, value: Json) -> str:
    """What is wrong with one of them, and what to give; empty when nothing is."""
    if name not in _SHAPES and name not in _OWN:
        return f"no such setting of a table can be brought back; give {', '.join(sorted({*_SHAPES, *_OWN}))}"
    wrong = _OWN[name](value) if name in _OWN else _unlike(_shape(_SHAPES[name]), value)
    if not wrong and name == "SSESpecification":
        wrong = _wrong_key(value)
    if wrong:
        return wrong
    usual = normal(name, value)
    return "" if usual == value else f"give it in the form {json.dumps(usual)}"


def _unlike(shape: Shape, value: Any) -> str:
    """How a value is not what the service model says."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return f"{report.generate_report().replace(chr(10), '; ')}; give what CreateTable takes, {shape.name}"
    return _unlisted(shape, value)


def _unlisted(shape: Any, value: Any) -> str:
    """The first word that is none of those which the service model lists: botocore leaves that to AWS."""
    if shape.type_name == "structure":
        pairs = [(shape.members[key], one) for key, one in value.items()]
    elif shape.type_name == "list":
        pairs = [(shape.member, one) for one in value]
    else:
        listed = getattr(shape, "enum", None)
        return "" if not listed or value in listed else f"{value!r} is not known; give {' or '.join(listed)}"
    return next(filter(None, (_unlisted(member, one) for member, one in pairs)), "")


@cache
def _shape(name: str) -> Shape:
    return botocore.session.get_session().get_service_model("dynamodb").shape_for(name)


@cache
def _scaling_shape(name: str) -> Shape:
    return botocore.session.get_session().get_service_model("application-autoscaling").shape_for(name)


def _wrong_key(value: Any) -> str:
    if not value["Enabled"] or ":key/" in value.get("KMSMasterKeyId", ""):
        return ""
    return "give KMSMasterKeyId, the ARN of a key"


def _wrong_time_to_live(value: Json) -> str:
    form = 'give {"Enabled": true, "AttributeName": "…"} or {"Enabled": false}'
    if not isinstance(value, Mapping) or not isinstance(value.get("Enabled"), bool):
        return form
    named = isinstance(value.get("AttributeName"), str) and value["AttributeName"]
    return "" if named or not value["Enabled"] else form


def _wrong_insights(value: Json) -> str:
    form = f'give {{"table": mode}}, and "index/<name>" for an index; a mode is {" or ".join(_MODES)}'
    if not isinstance(value, Mapping):
        return form
    places = all(at == "table" or (at.startswith("index/") and len(at) > len("index/")) for at in value)
    return "" if places and all(mode in _MODES for mode in value.values()) else form


def _wrong_policy(value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, Mapping) or not value.get("Statement"):
        return "give the policy as an object with a Statement, or null for none"
    if ":table/" in json.dumps(value):
        return f"a table's policy is about the table itself; give {TABLE_ARN} in the place of its ARN"
    return ""


def _wrong_tags(value: Json) -> str:
    form = "give an object of keys and values, all of them texts"
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        return form
    reserved = sorted(key for key in value if key.startswith(AWS_TAGS) or key == RESTORE_TAG)
    return f"{', '.join(reserved)} cannot be given; give others" if reserved else ""


def _wrong_scaling(value: Json) -> str:
    form = (
        'give {"table": {"ReadCapacityUnits": {"MinCapacity": 1, "MaxCapacity": 9, "Policies": [a '
        'TargetTrackingScalingPolicyConfiguration]}}}, and "index/<name>" for an index'
    )
    if not isinstance(value, Mapping):
        return form
    for at, units in value.items():
        if not (at == "table" or at.startswith("index/")) or not isinstance(units, Mapping):
            return form
        for unit, scaled in units.items():
            if unit not in _UNITS or not _is_scaled(scaled):
                return form
    return ""


def _is_scaled(scaled: Any) -> bool:
    if not isinstance(scaled, Mapping) or not scaled.keys() <= set(_PARTS):
        return False
    limits = [scaled.get("MinCapacity"), scaled.get("MaxCapacity")]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in limits):
        return False
    each = {
        "SuspendedState": [scaled.get("SuspendedState", {})],
        "TargetTrackingScalingPolicyConfiguration": scaled.get("Policies", []),
        "PutScheduledActionRequest": [
            {"ServiceNamespace": "dynamodb", "ResourceId": "-", "ScalableDimension": _DIMENSION, **one}
            for one in scaled.get("ScheduledActions", [])
        ],
    }
    validate = ParamValidator().validate
    return not any(
        validate(one, _scaling_shape(shape)).has_errors() for shape, values in each.items() for one in values
    )


_OWN: Mapping[str, Callable[[Json], str]] = {
    "TimeToLive": _wrong_time_to_live,
    "ContributorInsights": _wrong_insights,
    "ResourcePolicy": _wrong_policy,
    "Tags": _wrong_tags,
    "AutoScaling": _wrong_scaling,
}
"""The settings that have no such shape, or more of one than is told of them here."""
