"""Rehearsed restores as documents: `holdfast.drill/1`, which `docs/history.md` describes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.posture import Drill

SCHEMA = "holdfast.drill/1"


def drill_to_dict(drill: Drill) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "at": format_slot(drill.at),
        "plan": drill.plan,
        "resource": drill.resource,
        "place": drill.place,
        "slot": format_slot(drill.slot),
        "passed": drill.passed,
        "seconds": round(drill.seconds, 3),
        "rto_minutes": drill.rto_minutes,
        "reason": drill.reason,
    }


def drill_from_dict(data: Mapping[str, Any]) -> Drill:
    """What `drill_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
    if data["resource"].count(":") < 5:
        raise ValueError(f"resource is {data['resource']!r}, which is no ARN")
    if not isinstance(data["passed"], bool):
        raise TypeError(f"passed is {data['passed']!r}")
    return Drill(
        at=_instant(data["at"]),
        plan=str(data["plan"]),
        resource=data["resource"],
        place=str(data["place"]),
        slot=_instant(data["slot"]),
        passed=data["passed"],
        seconds=float(data["seconds"]),
        rto_minutes=int(data["rto_minutes"]),
        reason=str(data.get("reason", "")),
    )


def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
