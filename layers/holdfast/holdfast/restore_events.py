"""The events that ask for a restore, read at the edge into a `core.restoring.RestoreRequest`."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.errors import RequestError
from holdfast.core.restoring import RestoreRequest, kind_of
from holdfast.events import instant_of, unwrapped

_KEYS = ("resource", "to", "region", "at", "backup", "settings", "id", "dry_run")
_LATEST = "latest"
_MOST_CHARACTERS = 50_000
"""Of the settings: what a durable function keeps of an event, and of a call, is limited to 256 KB."""

_TEXTS = {
    "id": (re.compile(r"[A-Za-z0-9_-]{1,64}"), "1 to 64 letters, digits, '_' and '-'"),
    "to": (re.compile(r"[^\x00-\x1f\x7f]{1,255}"), "the name of what is to be made"),
    "backup": (re.compile(r"[^\x00-\x1f\x7f]{1,512}"), "the ARN or the name of a backup"),
    "region": (re.compile(r"[a-z]{2}(-[a-z]+)+-\d"), "a Region such as 'us-west-2'"),
}


def parse_restore(event: object, now: datetime, home_region: str, run: str) -> RestoreRequest:
    """What an event asks `restore`. `run` is its id where it gives none. Raises `RequestError` that names all
    mistakes."""
    body, _ = unwrapped(event)
    mistakes = list(_mistakes(body, now))
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    at = body.get("at")
    return RestoreRequest(
        id=body.get("id") or run,
        resource=body["resource"],
        region=body.get("region") or home_region,
        to=body.get("to") or "",
        at=None if at == _LATEST else instant_of(at, now)[0],
        latest=at == _LATEST,
        backup=body.get("backup") or "",
        settings=dict(body.get("settings") or {}),
        dry_run=body.get("dry_run", False),
    )


def _mistakes(body: Mapping[str, Any], now: datetime) -> Iterator[str]:
    for key in sorted(map(str, set(body) - set(_KEYS))):
        yield f"{key}: not a key of this function; allowed are {', '.join(_KEYS)}"
    resource = body.get("resource")
    if not isinstance(resource, str) or not kind_of(resource):
        yield (
            f"resource: {shown(resource)} is no ARN of a DynamoDB table, an RDS instance, an Aurora cluster "
            "or an EBS volume; give that of what is to be restored, such as "
            "'arn:aws:dynamodb:us-east-1:123456789012:table/orders'"
        )
    for key, (pattern, rule) in _TEXTS.items():
        text = body.get(key, "")
        if not isinstance(text, str) or (text and not pattern.fullmatch(text)):
            yield f"{key}: {shown(text)} is not allowed; give {rule}"
    yield from _mistakes_of_time(body, now)
    if not _is_settings(body.get("settings", {})):
        yield (
            f"settings: {shown(body['settings'])} is not allowed; give an object of AWS's names and values, "
            f"of at most {_MOST_CHARACTERS:,} characters"
        )
    if not isinstance(body.get("dry_run", False), bool):
        yield f"dry_run: {shown(body['dry_run'])} is not allowed; give true or false"


def _mistakes_of_time(body: Mapping[str, Any], now: datetime) -> Iterator[str]:
    at = body.get("at")
    if at != _LATEST:
        yield from (f"{one} (or 'latest')" for one in instant_of(at, now)[1])
    if at is not None and body.get("backup"):
        yield "backup and at: give one of them, or neither for the newest good backup"


def _is_settings(given: object) -> bool:
    return isinstance(given, Mapping) and len(json.dumps(given)) <= _MOST_CHARACTERS
