"""Rehearsed restores as documents: `holdfast.drill/1`, which `docs/history.md` describes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from holdfast.core.checks import check_from_dict, check_to_dict
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
        "slot": format_slot(drill.slot) if drill.slot else None,
        "passed": drill.passed,
        "seconds": round(drill.seconds, 3),
        "rto_minutes": drill.rto_minutes,
        "reason": drill.reason,
        "age_hours": None if drill.age_hours is None else round(drill.age_hours, 2),
        "rpo_hours": drill.rpo_hours,
        "estimated_usd": str(drill.estimated_usd),
        "checks": [check_to_dict(one) for one in drill.checks],
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
        slot=None if data["slot"] is None else _instant(data["slot"]),
        passed=data["passed"],
        seconds=float(data["seconds"]),
        rto_minutes=int(data["rto_minutes"]),
        reason=str(data.get("reason", "")),
        age_hours=_or_none(data.get("age_hours"), float),
        rpo_hours=_or_none(data.get("rpo_hours"), int),
        estimated_usd=_usd(data.get("estimated_usd", "0")),
        checks=tuple(check_from_dict(one) for one in data.get("checks", ())),
    )


def _or_none[Number](value: Any, form: Callable[[Any], Number]) -> Number | None:
    return None if value is None else form(value)


def _usd(text: Any) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no amount") from error


def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
