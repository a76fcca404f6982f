"""What people were told that a plan keeps: no backup is deleted by a retention that no message told of.

A change of a plan's retention is announced by the next run's message, and deletes from the run after it on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from holdfast.core.model import KeepPolicy, Retention
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.spans import parse_span

SCHEMA = "holdfast.told/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What messages tell that a plan keeps of one kind of resource.

    They tell of `retention` since the one of the slot `since`, and told of `before` until then; `last` is the
    newest slot whose message said so.
    """

    retention: Retention
    since: datetime
    last: datetime
    before: Retention | None = None


def known_before(told: Mapping[str, Told], slot: datetime) -> dict[str, Retention]:
    """What messages of earlier slots told, by kind."""
    known = {kind: one.retention if one.since < slot else one.before for kind, one in told.items()}
    return {kind: retention for kind, retention in known.items() if retention is not None}


def told_now(told: Mapping[str, Told], slot: datetime, foretold: Mapping[str, Retention]) -> dict[str, Told]:
    """What is told when the message of the slot has told what it foretold, by kind.

    The message of a slot before the last one (a run that is repeated) changes nothing: the newer message
    says what holds.
    """
    return {**told, **{kind: _told_of(told.get(kind), slot, each) for kind, each in foretold.items()}}


def _told_of(told: Told | None, slot: datetime, retention: Retention) -> Told:
    if told is None:
        return Told(retention=retention, since=slot, last=slot)
    if slot < told.last:
        return told
    if told.retention == retention:
        return replace(told, last=slot)
    before = told.before if told.since == slot else told.retention
    return Told(retention=retention, since=slot, last=slot, before=before)


def told_to_dict(told: Mapping[str, Told]) -> dict[str, Any]:
    kinds = {
        kind: {
            "retention": retention_to_dict(one.retention),
            "since": format_slot(one.since),
            "last": format_slot(one.last),
            "before": retention_to_dict(one.before) if one.before else None,
        }
        for kind, one in told.items()
    }
    return {"schema": SCHEMA, "kinds": kinds}


def told_from_dict(data: Mapping[str, Any]) -> dict[str, Told]:
    """What `told_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}")
    return {kind: _told_from_dict(one) for kind, one in data["kinds"].items()}


def _told_from_dict(data: Mapping[str, Any]) -> Told:
    since, last, before = parse_slot(data["since"]), parse_slot(data["last"]), data["before"]
    if since is None or last is None:
        raise ValueError(f"since is {data['since']!r} and last {data['last']!r}")
    return Told(
        retention=retention_from_dict(data["retention"]),
        since=since,
        last=last,
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
