"""A drill as types: which restores are rehearsed, how far each is, and what was found.

A drill is one execution for a plan; a rehearsal is one resource of it, restored from one place. Each bears a
tag and a name of its own, is checked, and is always removed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from holdfast.core.checks import Check, check_from_dict, check_to_dict
from holdfast.core.model import OPT_OUT, PLAN_TAG
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.restoring import RestoreRequest, Settings

SCHEMA = "holdfast.drill_run/1"

DRILL_TAG = "holdfast:drill"
"""On what a drill made: the drill's id. Nothing that lacks it can be removed by one, by IAM neither."""

PREFIX = "holdfast-drill-"
"""What the name of all that a drill makes begins with."""

PATIENCE = timedelta(hours=12)
"""For a restore, its checks, and its removal, each. What takes longer has failed."""

LEFTOVER_AGE = timedelta(hours=24)
"""How old what bears a drill's tag must be to be taken for left behind. Longer than any drill may need it."""


class Stand(StrEnum):
    """How far a rehearsal is."""

    RESTORING = "restoring"
    CHECKING = "checking"
    REMOVING = "removing"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRequest:
    """What is asked for: a drill of `plan`, of the one `resource` (an ARN) or `place` where they are given.
    `sweep`: only remove what earlier ones left behind. Two requests with one `id` are one drill. `at` is when
    it is said to be, where a night that has been is rehearsed."""

    id: str
    plan: str
    resource: str = ""
    place: str = ""
    sweep: bool = False
    dry_run: bool = False
    at: datetime | None = None

    def said(self, began: datetime, now: datetime) -> datetime:
        """When it is said to be, in a drill that really began then."""
        return now if self.at is None else self.at + (now - began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One resource that could be rehearsed, from one place. `slot` is that of the newest good backup there,
    and `None` when there is none. `size_bytes` is `None` where AWS does not tell."""

    kind: str
    resource: str
    place: str
    slot: datetime | None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """One resource, restored from one place, checked and removed. `failure` says why it ended before the
    checks; `trouble` why its removal has not come to an end. `removed`: nothing of it stands."""

    id: str
    kind: str
    resource: str
    place: str
    name: str
    slot: datetime | None
    given: Settings
    began: datetime
    stand: Stand
    estimated_usd: Decimal = Decimal(0)
    size_bytes: int | None = None
    since: datetime | None = None
    arn: str = ""
    seconds: float = 0.0
    failure: str = ""
    trouble: str = ""
    checks: tuple[Check, ...] = ()
    ended: datetime | None = None
    removed: bool = False

    @property
    def is_over(self) -> bool:
        return self.stand is Stand.OVER

    @property
    def passed(self) -> bool:
        """Whether it was restored, and nothing was wrong with it. One that was not looked at has not."""
        return not self.failure and bool(self.checks) and all(one.passed for one in self.checks)

    @property
    def why(self) -> str:
        """What did not pass; else what was found."""
        if self.failure:
            return self.failure
        wrong = [one for one in self.checks if not one.passed]
        return "; ".join(f"{one.name}: {one.found}" for one in wrong or self.checks)

    @property
    def since_when(self) -> datetime:
        """When it came to where it stands."""
        return self.since or self.began

    def comes_to(self, stand: Stand, now: datetime) -> "Rehearsal":
        return replace(self, stand=stand, since=now)

    def fails(self, why: str, now: datetime) -> "Rehearsal":
        """It is removed all the same."""
        return replace(self, failure=self.failure or why).comes_to(Stand.REMOVING, now)

    def request(self) -> RestoreRequest:
        """The restore that it is."""
        return RestoreRequest(
            id=self.id, resource=self.resource, region=self.place, to=self.name, settings=self.given
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A resource that was due, and not rehearsed."""

    resource: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What an earlier drill (`drill` is its id, where it bears the tag) left behind. `trouble` says why it
    still stands after this one tried to remove it."""

    arn: str
    kind: str
    created: datetime
    drill: str = ""
    gone: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilling:
    """One drill, as far as it is. `candidates` counts what the plan could have rehearsed."""

    request: DrillRequest
    began: datetime
    rpo_hours: int
    rto_minutes: int
    sample: int
    most_missing_share: float
    candidates: int = 0
    rehearsals: tuple[Rehearsal, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    swept: tuple[Leftover, ...] = ()
    problems: tuple[str, ...] = ()
    ended: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.ended is not None

    @property
    def left_behind(self) -> list[str]:
        """What stands that should not."""
        made = [one.arn or one.name for one in self.rehearsals if one.is_over and not one.removed]
        return [*made, *(one.arn for one in self.swept if not one.gone)]

    @property
    def estimated_usd(self) -> Decimal:
        return sum((one.estimated_usd for one in self.rehearsals), Decimal(0))


def tags_of(drill: str) -> Mapping[str, str]:
    """What all that a drill makes bears: out of every plan, and removable."""
    return {PLAN_TAG: OPT_OUT, DRILL_TAG: drill}


# --- as a document -----------------------------------------------------------------------------------------


def drilling_to_dict(drilling: Drilling) -> dict[str, Any]:
    """The document `holdfast.drill_run/1`, which `docs/drills.md` describes."""
    request = drilling.request
    return {
        "schema": SCHEMA,
        "id": request.id,
        "plan": request.plan,
        "resource": request.resource,
        "place": request.place,
        "sweep": request.sweep,
        "at": _text(request.at),
        "began": format_slot(drilling.began),
        "ended": _text(drilling.ended),
        "rpo_hours": drilling.rpo_hours,
        "rto_minutes": drilling.rto_minutes,
        "sample": drilling.sample,
        "most_missing_share": drilling.most_missing_share,
        "candidates": drilling.candidates,
        "rehearsals": [_rehearsal_to_dict(one) for one in drilling.rehearsals],
        "skipped": [
            {"resource": one.resource, "place": one.place, "reason": one.reason} for one in drilling.skipped
        ],
        "swept": [
            {
                "arn": one.arn,
                "kind": one.kind,
                "created": format_slot(one.created),
                "drill": one.drill,
                "gone": one.gone,
                "trouble": one.trouble,
            }
            for one in drilling.swept
        ],
        "problems": list(drilling.problems),
    }


def _rehearsal_to_dict(one: Rehearsal) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "resource": one.resource,
        "place": one.place,
        "name": one.name,
        "slot": _text(one.slot),
        "given": dict(one.given),
        "began": format_slot(one.began),
        "since": _text(one.since),
        "stand": str(one.stand),
        "estimated_usd": str(one.estimated_usd),
        "size_bytes": one.size_bytes,
        "arn": one.arn,
        "seconds": round(one.seconds, 3),
        "passed": one.passed,
        "failure": one.failure,
        "trouble": one.trouble,
        "checks": [check_to_dict(check) for check in one.checks],
        "ended": _text(one.ended),
        "removed": one.removed,
    }


def drilling_from_dict(data: Mapping[str, Any]) -> Drilling:
    """What `drilling_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
    return Drilling(
        request=DrillRequest(
            id=str(data["id"]),
            plan=str(data["plan"]),
            resource=str(data["resource"]),
            place=str(data["place"]),
            sweep=bool(data["sweep"]),
            at=_instant_or_none(data["at"]),
        ),
        began=_instant(data["began"]),
        ended=_instant_or_none(data["ended"]),
        rpo_hours=int(data["rpo_hours"]),
        rto_minutes=int(data["rto_minutes"]),
        sample=int(data["sample"]),
        most_missing_share=float(data["most_missing_share"]),
        candidates=int(data["candidates"]),
        rehearsals=tuple(_rehearsal(one) for one in data["rehearsals"]),
        skipped=tuple(
            Skipped(resource=str(one["resource"]), place=str(one["place"]), reason=str(one["reason"]))
            for one in data["skipped"]
        ),
        swept=tuple(
            Leftover(
                arn=str(one["arn"]),
                kind=str(one["kind"]),
                created=_instant(one["created"]),
                drill=str(one["drill"]),
                gone=bool(one["gone"]),
                trouble=str(one["trouble"]),
            )
            for one in data["swept"]
        ),
        problems=tuple(map(str, data["problems"])),
    )


def _rehearsal(data: Mapping[str, Any]) -> Rehearsal:
    return Rehearsal(
        id=str(data["id"]),
        kind=str(data["kind"]),
        resource=str(data["resource"]),
        place=str(data["place"]),
        name=str(data["name"]),
        slot=_instant_or_none(data["slot"]),
        given=dict(data["given"]),
        began=_instant(data["began"]),
        since=_instant_or_none(data["since"]),
        stand=Stand(data["stand"]),
        estimated_usd=Decimal(data["estimated_usd"]),
        size_bytes=None if data["size_bytes"] is None else int(data["size_bytes"]),
        arn=str(data["arn"]),
        seconds=float(data["seconds"]),
        failure=str(data["failure"]),
        trouble=str(data["trouble"]),
        checks=tuple(check_from_dict(one) for one in data["checks"]),
        ended=_instant_or_none(data["ended"]),
        removed=bool(data["removed"]),
    )


def _text(instant: datetime | None) -> str | None:
    return format_slot(instant) if instant else None


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
