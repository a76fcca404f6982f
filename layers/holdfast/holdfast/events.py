"""The events that start a stage, read at the edge into a `core.model.Request`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.errors import RequestError
from holdfast.core.glance import Glance, glance_from_dict
from holdfast.core.model import CheckRequest, Request
from holdfast.core.naming import PLAN_NAME, parse_slot
from holdfast.plans import PLAN_NAME_RULE

_KEYS = ("plan", "slot", "dry_run", "most", "run")
_CHECK_KEYS = ("at", "plan", "slot", "run")
_FAST_CLOCK = timedelta(minutes=5)
"""How far the clock of whoever sends an event may be ahead of ours."""

_DIGEST = re.compile(r"[0-9a-f]{16}")
_RUN = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def parse_request(event: object, now: datetime, also: tuple[str, ...] = (), run: str = "") -> Request:
    """What an event asks for. Without a slot it is the event's own `time`, else `now`, cut to the minute;
    without the id of a run it is `run`.

    `also` names the keys that this function alone takes: `approve`, `problems`, `posture`, `unchecked`,
    `hint`, `at`. An EventBridge event may wrap the request as its `detail`. Raises `RequestError` with the
    mistakes. A posture that cannot be understood is none: it must not cost people their message.
    """
    body, time = unwrapped(event)
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
    mistakes += _mistakes_of_run(body.get("run", ""))
    problems = body.get("problems", [])
    if not isinstance(problems, list) or not all(isinstance(one, str) for one in problems):
        mistakes.append(f"problems: {shown(problems)} is not allowed; give a list of sentences")
    unchecked = body.get("unchecked", "")
    if not isinstance(unchecked, str):
        mistakes.append(f"unchecked: {shown(unchecked)} is not allowed; give a sentence")
    glance, unfit = _glance(body.get("posture"))
    at, untimely = instant_of(body.get("at"), now)
    mistakes += untimely
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
        run=str(body.get("run") or run),
        glance=glance,
        unchecked=str(unchecked) or unfit,
        at=at,
    )


def parse_check(event: object, now: datetime, run: str = "") -> CheckRequest:
    """What an event asks `check_recovery_points`: how everything stands `at` an instant, else at the event's
    own `time`, else `now`. A run that asks gives its `plan` and `slot`. Raises `RequestError`."""
    body, time = unwrapped(event)
    mistakes = [
        f"{key}: not a key of this function; allowed are {', '.join(_CHECK_KEYS)}"
        for key in sorted(map(str, set(body) - set(_CHECK_KEYS)))
    ]
    plan, slot = body.get("plan", ""), body.get("slot")
    if not isinstance(plan, str) or (plan and not PLAN_NAME.fullmatch(plan)):
        mistakes.append(f"plan: {shown(plan)} is not the name of a plan; give {PLAN_NAME_RULE}")
    instant = parse_slot(slot) if isinstance(slot, str) else None
    if slot is not None and instant is None:
        mistakes.append(f"slot: {shown(slot)} is no time; give one in UTC such as '2026-11-22T02:00:00Z'")
    if bool(plan) != (slot is not None):
        mistakes.append("plan and slot: give both, of the run that asks, or none")
    at, untimely = instant_of(body.get("at", time), now)
    mistakes += [*untimely, *_mistakes_of_run(body.get("run", ""))]
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    return CheckRequest(
        at=at or now.astimezone(UTC).replace(microsecond=0),
        plan=str(plan),
        slot=instant,
        run=str(body.get("run") or run),
    )


def _glance(given: object) -> tuple[Glance | None, str]:
    """What `check_recovery_points` answered, or why that cannot be understood."""
    if given is None:
        return None, ""
    try:
        return glance_from_dict(given), ""  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None, f"its answer cannot be understood: {shown(given)}"


def instant_of(given: object, now: datetime) -> tuple[datetime | None, list[str]]:
    if given is None:
        return None, []
    at = parse_slot(given) if isinstance(given, str) else None
    if at is None:
        return None, [f"at: {shown(given)} is no time; give one in UTC such as '2026-11-22T06:00:00Z'"]
    if at > now + _FAST_CLOCK:
        return None, [f"at: {shown(given)} is in the future; give a time that has been, or none"]
    return at, []


def _mistakes_of_run(given: object) -> list[str]:
    if isinstance(given, str) and (not given or _RUN.fullmatch(given)):
        return []
    return [f"run: {shown(given)} is no id of a run; give at most 128 of letters, digits and '_.:-'"]


def unwrapped(event: object) -> tuple[Mapping[str, Any], object]:
    """The request in an event, and the event's own time when EventBridge wrapped it."""
    body: object = event
    time: object = None
    if isinstance(event, Mapping) and "detail-type" in event:
        body, time = event.get("detail"), event.get("time")
    if not isinstance(body, Mapping):
        raise RequestError(f"the event is {shown(body)}; give an object such as {{'plan': 'nightly'}}")
    return body, time
