"""The settings of a plan's resources as a run recorded them: what a restore knows of one that is gone.

As lines of JSON they are the document `holdfast.settings/1`, which `docs/restore.md` describes: the first
line is the header, and each further one a resource.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from holdfast.core.model import Home
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.restoring import Configuration

SCHEMA = "holdfast.settings/1"

type Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One resource, as it was `at` an instant. `label` is what people call it, where its name is an id."""

    kind: str
    arn: str
    label: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration: Configuration
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What was recorded of a plan's resources for a slot, by their ARNs, and the plan's targets.

    `at` is when it was last added to, and `home` where the stack stands. It `is_whole` when all that the
    plan protected is in it.
    """

    plan: str
    slot: datetime
    at: datetime
    home: Home
    rpo_hours: int
    rto_minutes: int
    is_whole: bool = True
    recorded: tuple[Recorded, ...] = ()


def completed(newer: Inventory, older: Inventory) -> Inventory:
    """The newer one, with those of the older one's resources that it lacks."""
    there = {one.arn for one in newer.recorded}
    more = [one for one in older.recorded if one.arn not in there]
    both = sorted([*newer.recorded, *more], key=lambda one: one.arn)
    return replace(newer, recorded=tuple(both), is_whole=newer.is_whole or older.is_whole)


# --- as a document -----------------------------------------------------------------------------------------


def lines_of(inventory: Inventory) -> Iterator[str]:
    """The document's lines, each with its end."""
    yield _line(
        {
            "schema": SCHEMA,
            "plan": inventory.plan,
            "slot": format_slot(inventory.slot),
            "at": format_slot(inventory.at),
            "home": inventory.home.region,
            "stack": inventory.home.stack,
            "account": inventory.home.account,
            "rpo_hours": inventory.rpo_hours,
            "rto_minutes": inventory.rto_minutes,
            "whole": inventory.is_whole,
            "resources": len(inventory.recorded),
        }
    )
    for one in inventory.recorded:
        yield _line(
            {
                "kind": one.kind,
                "arn": one.arn,
                "label": one.label,
                "at": format_slot(one.at),
                "tags": dict(one.tags),
                "settings": dict(one.configuration.settings),
                "unread": dict(one.configuration.unread),
            }
        )


def inventory_from_lines(lines: Iterable[str]) -> Inventory:
    """What `lines_of` wrote. Raises `ValueError` about anything else, and when a line is missing."""
    rest = iter(lines)
    header = _header(next(rest, ""))
    recorded = [_recorded(_object(line)) for line in rest]
    if len(recorded) != header["resources"]:
        raise ValueError(f"{len(recorded)} resources follow, and not the {header['resources']!r} announced")
    return Inventory(
        plan=_text(header, "plan"),
        slot=_instant(header, "slot"),
        at=_instant(header, "at"),
        home=Home(
            stack=_text(header, "stack"), region=_text(header, "home"), account=_text(header, "account")
        ),
        rpo_hours=_number(header, "rpo_hours"),
        rto_minutes=_number(header, "rto_minutes"),
        is_whole=header["whole"] is True,
        recorded=tuple(recorded),
    )


def find_in_lines(lines: Iterable[str], arn: str) -> Recorded | None:
    """What a document has of one resource; `None` when nothing. No other resource's line is understood.
    Raises `ValueError` as `inventory_from_lines`."""
    rest = iter(lines)
    _header(next(rest, ""))
    quoted = json.dumps(arn)
    for line in rest:
        if quoted not in line:
            continue  # another's, which need not be parsed
        found = _recorded(_object(line))
        if found.arn == arn:
            return found
    return None


def _header(line: str) -> Line:
    header = _object(line)
    if header.get("schema") != SCHEMA:
        raise ValueError(f"schema is {header.get('schema')!r}, not {SCHEMA!r}")
    if "resources" not in header or "whole" not in header:
        raise ValueError("the header lacks resources or whole")
    return header


def _recorded(data: Line) -> Recorded:
    arn = _text(data, "arn")
    if arn.count(":") < 5:
        raise ValueError(f"{arn!r} is no ARN")
    at = _instant(data, "at")
    return Recorded(
        kind=_text(data, "kind"),
        arn=arn,
        label=_text(data, "label"),
        tags=_texts(data, "tags"),
        configuration=Configuration(
            arn=arn, settings=_mapping(data, "settings"), unread=_texts(data, "unread"), recorded=at
        ),
        at=at,
    )


def _line(data: Line) -> str:
    return json.dumps(data) + "\n"


def _object(line: str) -> Line:
    try:
        data = json.loads(line)
    except RecursionError as error:
        raise ValueError("a line is nested too deep") from error
    if not isinstance(data, dict):
        raise ValueError(f"a line is no object, but a {type(data).__name__}")
    return data


def _text(data: Line, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}, and no text")
    return value


def _number(data: Line, key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}, and no whole number")
    return value


def _instant(data: Line, key: str) -> datetime:
    instant = parse_slot(_text(data, key))
    if instant is None:
        raise ValueError(f"{key} is {data[key]!r}, and no time")
    return instant


def _mapping(data: Line, key: str) -> dict[str, Any]:
    value = data.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}, and no object")
    return value


def _texts(data: Line, key: str) -> dict[str, str]:
    value = _mapping(data, key)
    if not all(isinstance(one, str) for one in value.values()):
        raise ValueError(f"{key} has other values than texts")
    return value
