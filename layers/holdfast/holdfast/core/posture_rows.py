"""A posture as flat rows, one object of JSON each, for a store that queries can read as it is.

The first row is the `summary`, which names the schema. Then there is one row for each `plan`, `protection`,
`uncovered` resource and kind with a quota (`headroom`). `docs/history.md` lists the columns of all of them.
Timelines, drills, the bill of Holdfast itself and the outcomes of the last run are not in them: what these
tell stands in other rows, or in the runs' records.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from holdfast.core.cost import Basis, Cost
from holdfast.core.model import Home
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.posture import (
    SCHEMA,
    Gap,
    Headroom,
    Health,
    LastRun,
    PlanPosture,
    Posture,
    Protection,
    Uncovered,
)
from holdfast.core.report import Status
from holdfast.core.usage import usage_from_dict

_USD_PLACES = 6


def rows_of(posture: Posture) -> Iterator[dict[str, Any]]:
    """The rows of a posture. What there is none of has no key."""
    rows = [
        _summary(posture),
        *(_plan(one) for one in posture.plans),
        *(_protection(one) for one in posture.protections),
        *(_uncovered(one) for one in posture.uncovered),
        *(_headroom(one) for one in posture.headroom),
    ]
    at = format_slot(posture.at)
    for row in rows:
        yield {"at": at} | {name: value for name, value in row.items() if value is not None}


def posture_from_rows(rows: Iterable[Mapping[str, Any]]) -> Posture:
    """What `rows_of` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about anything
    else."""
    made: dict[str, list[Any]] = {sort: [] for sort in _MADE_OF}
    for row in rows:
        made[row["row"]].append(_MADE_OF[row["row"]](row))
    summaries: list[Posture] = made["summary"]
    (whole,) = summaries
    return replace(
        whole,
        plans=tuple(made["plan"]),
        protections=tuple(made["protection"]),
        uncovered=tuple(made["uncovered"]),
        headroom=tuple(made["headroom"]),
    )


def _summary_from(row: Mapping[str, Any]) -> Posture:
    if row["schema"] != SCHEMA:
        raise ValueError(f"schema is {row['schema']!r}, not {SCHEMA!r}")
    return Posture(
        at=_instant(row["at"]),
        home=Home(stack=row["stack"], region=row["region"], account=row["account"]),
        problems=tuple(map(str, row["problems"])),
        warnings=tuple(map(str, row["warnings"])),
        seconds=float(row["seconds"]),
        usage=usage_from_dict(row),
    )


def _summary(posture: Posture) -> dict[str, Any]:
    return {
        "row": "summary",
        "schema": SCHEMA,
        "stack": posture.home.stack,
        "region": posture.home.region,
        "account": posture.home.account,
        "standing": str(posture.standing),
        "resources": len(posture.resources),
        "recoverable": len(posture.recoverable),
        "breached": len(posture.breaches),
        "problems": list(posture.problems),
        "warnings": list(posture.warnings),
        "own_usd": _usd(sum((line.monthly_usd for line in posture.own_cost), Decimal(0))),
        "seconds": round(posture.seconds, 3),
        **posture.usage.to_dict(),
    }


def _plan(one: PlanPosture) -> dict[str, Any]:
    row: dict[str, Any] = {
        "row": "plan",
        "plan": one.name,
        "problem": one.problem,
        "rpo_hours": one.rpo_hours,
        "rto_minutes": one.rto_minutes,
        "keeps": dict(one.keeps),
        "hours_since_run": one.hours_since_run,
        "every_hours": one.every_hours,
        "is_vault": one.is_vault,
    }
    if one.last_run is None:
        return row
    return row | {
        "last_slot": format_slot(one.last_run.slot),
        "last_status": str(one.last_run.status),
        "last_ended": one.last_run.ended,
        **one.last_run.usage.to_dict(),
    }


def _plan_from(row: Mapping[str, Any]) -> PlanPosture:
    last = row.get("last_slot")
    hours = row.get("hours_since_run")
    return PlanPosture(
        name=str(row["plan"]),
        problem=str(row["problem"]),
        rpo_hours=int(row["rpo_hours"]),
        rto_minutes=int(row["rto_minutes"]),
        keeps={str(place): str(words) for place, words in row["keeps"].items()},
        last_run=None if last is None else _last_run(row, last),
        hours_since_run=None if hours is None else float(hours),
        every_hours=float(row["every_hours"]),
        is_vault=bool(row["is_vault"]),
    )


def _last_run(row: Mapping[str, Any], slot: str) -> LastRun:
    return LastRun(
        slot=_instant(slot),
        status=Status(row["last_status"]),
        ended=bool(row["last_ended"]),
        usage=usage_from_dict(row),
    )


def _protection(one: Protection) -> dict[str, Any]:
    return {
        "row": "protection",
        "plan": one.plan,
        "kind": one.kind,
        "resource": one.resource,
        "place": one.place,
        "health": str(one.health),
        "reason": one.reason,
        "rpo_hours": one.rpo_hours,
        "newest": _text(one.newest),
        "since": _text(one.since),
        "good": one.good,
        "good_when_full": one.full,
        "pending": one.pending,
        "stuck": one.stuck,
        "failed": one.failed,
        "missing": one.missing,
        "next_deletion": _text(one.next_deletion),
        "now_usd": _usd(one.cost.now_usd),
        "full_usd": _usd(one.cost.full_usd),
        "transfer_usd": _usd(one.cost.transfer_usd),
        "basis": str(one.cost.basis),
        "rule": one.cost.rule,
    }


def _protection_from(row: Mapping[str, Any]) -> Protection:
    return Protection(
        plan=str(row["plan"]),
        kind=str(row["kind"]),
        resource=_arn(row["resource"]),
        place=str(row["place"]),
        health=Health(row["health"]),
        reason=str(row["reason"]),
        rpo_hours=int(row["rpo_hours"]),
        newest=_instant_if(row.get("newest")),
        since=_instant_if(row.get("since")),
        good=int(row["good"]),
        full=int(row["good_when_full"]),
        pending=int(row["pending"]),
        stuck=int(row["stuck"]),
        failed=int(row["failed"]),
        missing=int(row["missing"]),
        next_deletion=_instant_if(row.get("next_deletion")),
        cost=Cost(
            now_usd=_decimal(row["now_usd"]),
            full_usd=_decimal(row["full_usd"]),
            transfer_usd=_decimal(row["transfer_usd"]),
            basis=Basis(row["basis"]),
            rule=str(row["rule"]),
        ),
    )


def _uncovered(one: Uncovered) -> dict[str, Any]:
    return {
        "row": "uncovered",
        "kind": one.kind,
        "resource": one.resource,
        "gap": str(one.gap),
        "reason": one.reason,
    }


def _uncovered_from(row: Mapping[str, Any]) -> Uncovered:
    return Uncovered(
        kind=str(row["kind"]),
        resource=_arn(row["resource"]),
        gap=Gap(row["gap"]),
        reason=str(row["reason"]),
    )


def _headroom(one: Headroom) -> dict[str, Any]:
    return {
        "row": "headroom",
        "kind": one.kind,
        "place": one.place,
        "standing_backups": one.standing,
        "most_backups": one.most,
    }


def _headroom_from(row: Mapping[str, Any]) -> Headroom:
    return Headroom(
        kind=str(row["kind"]),
        place=str(row["place"]),
        standing=int(row["standing_backups"]),
        most=int(row["most_backups"]),
    )


@lru_cache(maxsize=1024)  # most resources share their slots
def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant


@lru_cache(maxsize=1024)
def _text(instant: datetime | None) -> str | None:
    return format_slot(instant) if instant is not None else None


def _instant_if(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _arn(text: str) -> str:
    """A resource's ARN, which every reader takes the name of."""
    if text.count(":") < 5:
        raise ValueError(f"{text!r} is no ARN")
    return text


def _usd(amount: Decimal) -> float:
    """A number of JSON: to a millionth of a dollar a float is exact enough, for sums of millions too."""
    return round(float(amount), _USD_PLACES)


def _decimal(amount: float) -> Decimal:
    return Decimal(str(float(amount)))


_MADE_OF: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "summary": _summary_from,
    "plan": _plan_from,
    "protection": _protection_from,
    "uncovered": _uncovered_from,
    "headroom": _headroom_from,
}
"""What a row of each sort is, by its column `row`."""
