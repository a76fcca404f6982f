"""What people were told that a plan keeps: no backup is deleted by a retention that no message told of.

A change of a plan's retention is announced by the next run's message, and deletes from the run after it on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from holdfast.core.model import KeepPolicy, Retention
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.spans import parse_span

SCHEMA = "holdfast.told/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The retention that messages tell of since `slot`, and the one that they told of `before`."""

    retention: Retention
    slot: datetime
    before: Retention | None = None


def known_before(told: Told | None, slot: datetime) -> Retention | None:
    """The retention that a message of an earlier slot told of; `None` when none did."""
    if told is None:
        return None
    return told.retention if told.slot < slot else told.before


def told_now(told: Told | None, slot: datetime, retention: Retention) -> Told | None:
    """What to keep when the message of the slot has told of a retention; `None` when that is no news.

    The message of an earlier slot's second run tells those of later slots nothing that they did not know.
    """
    if told is None:
        return Told(retention=retention, slot=slot)
    if told.retention == retention:
        return None
    if slot > told.slot:
        return Told(retention=retention, slot=slot, before=told.retention)
    return Told(retention=retention, slot=told.slot, before=told.before)


def told_to_dict(told: Told) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "slot": format_slot(told.slot),
        "retention": retention_to_dict(told.retention),
        "before": retention_to_dict(told.before) if told.before else None,
    }


def told_from_dict(data: Mapping[str, Any]) -> Told:
    """What `told_to_dict` wrote. Raises `ValueError`, `KeyError` or `TypeError` about anything else."""
    slot = parse_slot(data["slot"])
    if data["schema"] != SCHEMA or slot is None:
        raise ValueError(f"schema is {data['schema']!r} and slot {data['slot']!r}")
    before = data["before"]
    return Told(
        retention=retention_from_dict(data["retention"]),
        slot=slot,
        before=retention_from_dict(before) if before is not None else None,
    )


def retention_to_dict(retention: Retention) -> dict[str, Any]:
    """As in a plan's `keep`: `{"time_zone": "UTC", "policies": {"us-east-1": {"daily": 7, …}}}`."""
    return {
        "time_zone": retention.time_zone,
        "policies": {region: _policy_to_dict(policy) for region, policy in retention.policies.items()},
    }


def retention_from_dict(data: Mapping[str, Any]) -> Retention:
    policies = {region: _policy_from_dict(policy) for region, policy in data["policies"].items()}
    return Retention(policies=policies, time_zone=data["time_zone"])


def _policy_to_dict(policy: KeepPolicy) -> dict[str, Any]:
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return values | {"within": str(policy.within) if policy.within is not None else None}


def _policy_from_dict(data: Mapping[str, Any]) -> KeepPolicy:
    within = data["within"]
    span = parse_span(within) if within is not None else None
    if within is not None and span is None:
        raise ValueError(f"within is {within!r}")
    return KeepPolicy(**{**data, "within": span})
