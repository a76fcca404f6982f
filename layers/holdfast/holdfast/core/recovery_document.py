"""A recovery as the document `holdfast.recovery/1`, which `docs/recovery.schema.json` describes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.recovery import SCHEMA, Line, LineState, LostSetting, Recovery, RecoveryRequest


def recovery_to_dict(recovery: Recovery) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "request": request_to_dict(recovery.request),
        "began": format_slot(recovery.began),
        "ended": _text(recovery.ended),
        "seconds": round(recovery.seconds, 3),
        "lost_at": format_slot(recovery.lost_at),
        "inventory": _text(recovery.slot),
        "rpo_hours": recovery.rpo_hours,
        "rto_minutes": recovery.rto_minutes,
        "unlisted": list(recovery.unlisted),
        "problems": list(recovery.problems),
        "resources": [line_to_dict(one, recovery) for one in recovery.lines],
    }


def request_to_dict(request: RecoveryRequest) -> dict[str, Any]:
    """As it is given to the function."""
    return {
        "id": request.id,
        "plan": request.plan,
        "region": request.region,
        "until": _text(request.until),
        "lost_at": _text(request.lost_at),
        "only": list(request.only),
        "names": dict(request.names),
        "settings": {key: dict(one) for key, one in request.settings.items()},
        "dry_run": request.dry_run,
    }


def line_to_dict(line: Line, recovery: Recovery) -> dict[str, Any]:
    hours = line.lost_hours(recovery.lost_at)
    return {
        "kind": line.kind,
        "resource": line.resource,
        "label": line.label,
        "tier": line.tier,
        "recorded": line.recorded,
        "state": str(line.state),
        "reason": line.reason,
        "restore": recovery.restore_request(line).id,
        "to": line.to,
        "arn": line.arn,
        "backup": line.backup,
        "instant": _text(line.instant),
        "lost_hours": None if hours is None else round(hours, 2),
        "began": _text(line.began),
        "seconds": round(line.seconds, 3),
        "settings_known": line.settings_known,
        "lost_settings": [{"name": one.name, "reason": one.reason} for one in line.lost_settings],
    }


def recovery_from_dict(data: Mapping[str, Any]) -> Recovery:
    """What `recovery_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
    asked = data["request"]
    return Recovery(
        request=RecoveryRequest(
            id=asked["id"],
            plan=asked["plan"],
            region=asked["region"],
            until=_instant(asked["until"]),
            lost_at=_instant(asked["lost_at"]),
            only=tuple(asked["only"]),
            names=dict(asked["names"]),
            settings={key: dict(one) for key, one in asked["settings"].items()},
            dry_run=asked["dry_run"],
        ),
        began=_needed(data["began"]),
        ended=_instant(data["ended"]),
        slot=_instant(data["inventory"]),
        rpo_hours=int(data["rpo_hours"]),
        rto_minutes=int(data["rto_minutes"]),
        unlisted=tuple(data["unlisted"]),
        problems=tuple(data["problems"]),
        lines=tuple(map(_line, data["resources"])),
    )


def _line(data: Mapping[str, Any]) -> Line:
    tier = data["tier"]
    return Line(
        resource=data["resource"],
        to=data["to"],
        label=data["label"],
        tier=None if tier is None else int(tier),
        recorded=data["recorded"],
        state=LineState(data["state"]),
        reason=data["reason"],
        arn=data["arn"],
        backup=data["backup"],
        instant=_instant(data["instant"]),
        began=_instant(data["began"]),
        seconds=float(data["seconds"]),
        settings_known=data["settings_known"],
        lost_settings=tuple(
            LostSetting(name=one["name"], reason=one["reason"]) for one in data["lost_settings"]
        ),
    )


def _text(instant: datetime | None) -> str | None:
    return format_slot(instant) if instant else None


def _instant(text: str | None) -> datetime | None:
    return None if text is None else _needed(text)


def _needed(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
