"""The events that ask for a recovery, read at the edge into a `core.recovery.RecoveryRequest`."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.errors import RequestError
from holdfast.core.naming import PLAN_NAME
from holdfast.core.recovery import KINDS_IN_ORDER, LONGEST_ID, RecoveryRequest
from holdfast.core.restoring import kind_of
from holdfast.events import instant_of, unwrapped
from holdfast.plans import PLAN_NAME_RULE

_KEYS = ("plan", "region", "until", "lost_at", "only", "names", "settings", "id", "dry_run")
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_MOST_CHARACTERS = 50_000
"""Of settings, names and `only` together: what a durable function keeps of an event is limited to 256 KB."""

_DIGEST_LENGTH = 32


def parse_recovery(
    event: object, now: datetime, default: str, regions: Sequence[str], run: str
) -> RecoveryRequest:
    """What an event asks `recover`, to restore in the Region `default` where it says none, and else in one of
    `regions`. `run` is its id where it gives none; of one that is too long, a digest. Raises `RequestError`
    that names all mistakes."""
    body, _ = unwrapped(event)
    mistakes = list(_mistakes(body, now, default, regions))
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    return RecoveryRequest(
        id=body.get("id") or _short(run),
        plan=body["plan"],
        region=body.get("region") or default,
        until=instant_of(body.get("until"), now)[0],
        lost_at=instant_of(body.get("lost_at"), now)[0],
        only=tuple(body.get("only") or ()),
        names=dict(body.get("names") or {}),
        settings={key: dict(one) for key, one in (body.get("settings") or {}).items()},
        dry_run=body.get("dry_run", False),
    )


def _short(run: str) -> str:
    return run if _ID.fullmatch(run) else hashlib.sha256(run.encode()).hexdigest()[:_DIGEST_LENGTH]


def _mistakes(body: Mapping[str, Any], now: datetime, default: str, regions: Sequence[str]) -> Iterator[str]:
    for key in sorted(map(str, set(body) - set(_KEYS))):
        yield f"{key}: not a key of this function; allowed are {', '.join(_KEYS)}"
    plan, region, id_ = body.get("plan"), body.get("region", default), body.get("id", "")
    if not isinstance(plan, str) or not PLAN_NAME.fullmatch(plan):
        yield f"plan: {shown(plan)} is not the name of a plan; give {PLAN_NAME_RULE}"
    if not isinstance(region, str) or region not in regions:
        yield f"region: {shown(region)} is none that this stack works in; give {' or '.join(regions)}"
    if not isinstance(id_, str) or (id_ and not _ID.fullmatch(id_)):
        yield f"id: {shown(id_)} is not allowed; give 1 to {LONGEST_ID} letters, digits, '_' and '-'"
    for key in ("until", "lost_at"):
        yield from (f"{key}{one.removeprefix('at')}" for one in instant_of(body.get(key), now)[1])
    yield from _mistakes_of_lists(body)
    if not isinstance(body.get("dry_run", False), bool):
        yield f"dry_run: {shown(body['dry_run'])} is not allowed; give true or false"


def _mistakes_of_lists(body: Mapping[str, Any]) -> Iterator[str]:
    only, names, settings = (body.get(key) or {} for key in ("only", "names", "settings"))
    if only and not (isinstance(only, list) and all(isinstance(one, str) and one for one in only)):
        yield f"only: {shown(only)} is not allowed; give a list of ARNs, or of globs such as '*:table/*'"
    if not isinstance(names, Mapping):
        yield f"names: {shown(names)} is not allowed; give an object of new names by ARN"
    else:
        for arn, name in names.items():
            if not kind_of(str(arn)) or not isinstance(name, str) or not _NAME.fullmatch(name):
                yield (
                    f"names: {shown(arn)}: {shown(name)} is not allowed; give a new name by the ARN of its "
                    "source"
                )
    if not isinstance(settings, Mapping):
        yield f"settings: {shown(settings)} is not allowed; give an object by kind or ARN"
    else:
        for key, given in settings.items():
            if (key not in KINDS_IN_ORDER and not kind_of(str(key))) or not isinstance(given, Mapping):
                yield (
                    f"settings: {shown(key)}: {shown(given)} is not allowed; give an object of AWS's names "
                    f"and values by kind ({', '.join(sorted(KINDS_IN_ORDER))}) or by ARN"
                )
    if len(json.dumps([only, names, settings], default=str)) > _MOST_CHARACTERS:
        yield f"only, names and settings: give at most {_MOST_CHARACTERS:,} characters of them in all"
