"""The events that start a stage, read at the edge into a `core.model.Request`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.errors import RequestError
from holdfast.core.model import Request
from holdfast.core.naming import PLAN_NAME, parse_slot
from holdfast.plans import PLAN_NAME_RULE

_KEYS = ("plan", "slot", "dry_run", "most")
_FAST_CLOCK = timedelta(minutes=5)
"""How far the clock of whoever sends an event may be ahead of ours."""

_DIGEST = re.compile(r"[0-9a-f]{16}")


def parse_request(event: object, now: datetime, also: tuple[str, ...] = ()) -> Request:
    """What an event asks for. Without a slot it is the event's own `time`, else `now`, cut to the minute.

    `also` names the keys that this function alone takes: `approve`, `problems`, `hint`. An EventBridge event
    may wrap the request as its `detail`. Raises `RequestError` with the mistakes.
    """
    body, time = _unwrapped(event)
    allowed = (*_KEYS, *also)
    mistakes = [
        f"{key}: not a key of this function; allowed are {', '.join(allowed)}"
        for key in sorted(map(str, set(body) - set(allowed)))
    ]
    plan = body.get("plan")
    if not isinstance(plan, str) or not PLAN_NAME.fullmatch(plan):
        mistakes.append(f"plan: {shown(plan)} is not the name of a plan; give {PLAN_NAME_RULE}")
    given = body.get("slot", time)
    slot = parse_slot(given) if isinstance(given, str) else None
    if given is not None and slot is None:
        mistakes.append(f"slot: {shown(given)} is no time; give one in UTC such as '2026-11-22T02:00:00Z'")
    if slot is not None and slot > now + _FAST_CLOCK:
        mistakes.append(f"slot: {shown(given)} is in the future; give one that has been, or none")
    mistakes += [
        f"{key}: {shown(body[key])} is not allowed; give true or false"
        for key in ("dry_run", "hint")
        if not isinstance(body.get(key, False), bool)
    ]
    most = body.get("most")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
        mistakes.append(f"most: {shown(most)} is not allowed; give a whole number, 0 or more")
    approve = body.get("approve", "")
    if not isinstance(approve, str) or (approve and not _DIGEST.fullmatch(approve)):
        mistakes.append(
            f"approve: {shown(approve)} is no digest; give the 16 characters that the refusal named"
        )
    elif approve and slot is None:
        mistakes.append("slot: missing; with approve, give the slot that the refusal named")
    problems = body.get("problems", [])
    if not isinstance(problems, list) or not all(isinstance(one, str) for one in problems):
        mistakes.append(f"problems: {shown(problems)} is not allowed; give a list of sentences")
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    return Request(
        plan=str(plan),
        slot=slot or now.astimezone(UTC).replace(second=0, microsecond=0),
        dry_run=bool(body.get("dry_run", False)),
        most=most,
        approve=str(approve),
        problems=tuple(problems),
        hint=bool(body.get("hint", False)),
    )


def _unwrapped(event: object) -> tuple[Mapping[str, Any], object]:
    """The request in an event, and the event's own time when EventBridge wrapped it."""
    body: object = event
    time: object = None
    if isinstance(event, Mapping) and "detail-type" in event:
        body, time = event.get("detail"), event.get("time")
    if not isinstance(body, Mapping):
        raise RequestError(f"the event is {shown(body)}; give an object such as {{'plan': 'nightly'}}")
    return body, time
