"""The hold list: JSON text, checked whole, into `core.holds.Hold`s. `docs/retention.md` explains it."""

import json
from collections.abc import Mapping
from typing import Any

from holdfast.core.errors import HoldListError
from holdfast.core.holds import Hold

_KEYS = ("backups", "reason")
_EXAMPLE = '[{"backups": "orders/holdfast.nightly.20261122T020000Z", "reason": "case 17"}]'
_FORM = f"a list such as {_EXAMPLE}, or [] for none"


def parse_holds(text: str, place: str, service: str) -> tuple[Hold, ...]:
    """The holds in a document that is kept at `place`. An ARN in it must be of the `service`.

    Raises `HoldListError` with every mistake, each with its position, its value and what is allowed.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HoldListError(place, [f"not JSON ({error}); give {_FORM}"]) from None
    if not isinstance(document, list):
        raise HoldListError(place, [f"it is {json.dumps(document)}; give {_FORM}"])
    mistakes = [
        mistake for number, entry in enumerate(document) for mistake in _mistakes(number, entry, service)
    ]
    if mistakes:
        raise HoldListError(place, mistakes)
    return tuple(Hold(backups=entry["backups"], reason=entry["reason"].strip()) for entry in document)


def _mistakes(number: int, entry: object, service: str) -> list[str]:
    where = f"entry {number + 1}"
    if not isinstance(entry, Mapping):
        return [f"{where}: {json.dumps(entry)} is not an object with backups and reason"]
    found = [
        f"{where}: unknown key {key!r}; allowed are {', '.join(_KEYS)}" for key in entry if key not in _KEYS
    ]
    for key in _KEYS:
        value: Any = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            found.append(f"{where}: {key} is {json.dumps(value)}; give a text")
    backups = entry.get("backups")
    if isinstance(backups, str) and backups.strip() and not _is_pattern(backups, service):
        found.append(
            f"{where}: backups is {backups!r}; give <table>/<backup name> or the backup's {service} ARN, "
            "with * and ? for any characters"
        )
    return found


def _is_pattern(backups: str, service: str) -> bool:
    if backups != backups.strip():
        return False
    if backups.startswith("arn:"):
        return backups.count(":") >= 5 and backups.split(":")[2] == service
    table, slash, name = backups.partition("/")
    return bool(table and slash and name) and "/" not in name
