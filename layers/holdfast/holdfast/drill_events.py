"""The events that ask for a drill, read at the edge into a `core.drilling.DrillRequest`."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.drilling import DrillRequest
from holdfast.core.errors import RequestError
from holdfast.core.naming import PLAN_NAME, compact_slot, parse_slot
from holdfast.core.restoring import kind_of
from holdfast.events import instant_of, unwrapped
from holdfast.plans import PLAN_NAME_RULE

_KEYS = ("plan", "slot", "resource", "place", "sweep", "id", "at", "dry_run")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def parse_drill(event: object, now: datetime, run: str) -> DrillRequest:
    """What an event asks `drill`. Its id is the event's, else made of its plan and `slot`, so that a schedule
    that delivers twice has one drill, else `run`. Raises `RequestError` that names all mistakes."""
    body, _ = unwrapped(event)
    at, untimely = instant_of(body.get("at"), now)
    mistakes = [*_mistakes(body), *untimely]
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    return DrillRequest(
        id=body.get("id") or _id_of(body) or run,
        plan=body["plan"],
        resource=body.get("resource") or "",
        place=body.get("place") or "",
        sweep=body.get("sweep", False),
        dry_run=body.get("dry_run", False),
        at=at,
    )


def _id_of(body: Mapping[str, Any]) -> str:
    slot = parse_slot(body.get("slot") or "")
    word = "sweep" if body.get("sweep") else "drill"
    return f"{word}-{body['plan']}-{compact_slot(slot)}" if slot else ""


def _mistakes(body: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(map(str, set(body) - set(_KEYS))):
        yield f"{key}: not a key of this function; allowed are {', '.join(_KEYS)}"
    plan = body.get("plan")
    if not isinstance(plan, str) or not PLAN_NAME.fullmatch(plan):
        yield f"plan: {shown(plan)} is not the name of a plan; give {PLAN_NAME_RULE}"
    slot = body.get("slot")
    if slot is not None and not (isinstance(slot, str) and parse_slot(slot)):
        yield f"slot: {shown(slot)} is no time; give one in UTC such as '2026-11-22T06:00:00Z', or none"
    resource = body.get("resource", "")
    if not isinstance(resource, str) or (resource and not kind_of(resource)):
        yield (
            f"resource: {shown(resource)} is no ARN of a DynamoDB table, an RDS instance, an Aurora cluster "
            "or an EBS volume; give that of one that the plan protects, or none"
        )
    yield from _unlike(body, "place", _PLACE, "a Region that the plan has backups in, or none")
    yield from _unlike(body, "id", _ID, "1 to 64 letters, digits, '_' and '-', or none")
    for key in ("sweep", "dry_run"):
        if not isinstance(body.get(key, False), bool):
            yield f"{key}: {shown(body[key])} is not allowed; give true or false"
    if body.get("sweep") is True and (body.get("resource") or body.get("place")):
        yield "sweep: it removes what any drill left behind; give it with plan alone"


def _unlike(body: Mapping[str, Any], key: str, pattern: re.Pattern[str], rule: str) -> Iterator[str]:
    text = body.get(key, "")
    if not isinstance(text, str) or (text and not pattern.fullmatch(text)):
        yield f"{key}: {shown(text)} is not allowed; give {rule}"
