"""The table's data, as small as it gets: 10,000 resources share a few timelines and a few reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast.core.cost import Basis, to_the_cent
from holdfast.core.naming import format_slot
from holdfast.core.posture import Health, Posture, Protection, Tick, TickState
from holdfast.page.words import HEALTH, TONES, kind_word

COLUMNS = 31
"""Slots in a timeline, the newest of the plan: a month of nights. Older backups are counted beside it."""

EMPTY = "-"
"""A slot of the plan of which nothing stands, and nothing should."""

LETTERS = {
    TickState.KEPT: "k",
    TickState.LEAVING: "l",
    TickState.PENDING: "p",
    TickState.FAILED: "f",
    TickState.MISSING: "m",
}


_RANKS = {health: rank for rank, health in enumerate(Health)}


class _Numbered[Thing]:
    """Things by the order in which they were first met."""

    def __init__(self) -> None:
        self.things: dict[Thing, int] = {}

    def number(self, thing: Thing) -> int:
        return self.things.setdefault(thing, len(self.things))


@dataclass(frozen=True, slots=True)
class _Tables:
    """What rows refer to by number."""

    plans: _Numbered[str] = field(default_factory=_Numbered)
    kinds: _Numbered[str] = field(default_factory=_Numbered)
    places: _Numbered[str] = field(default_factory=_Numbered)
    reasons: _Numbered[str] = field(default_factory=_Numbered)
    strips: _Numbered[tuple[object, ...]] = field(default_factory=_Numbered)
    strips_of: dict[tuple[str, int], int] = field(default_factory=dict)
    """A strip's number by its plan and the identity of its ticks, which resources that are alike share."""
    rules: _Numbered[str] = field(default_factory=_Numbered)


def table_of(posture: Posture) -> dict[str, Any]:
    """What `page.js` shows: `rows` of `[plan, kind, name, ARN, lines]`, where a line is what is there in one
    place; `columns` are the slots of each plan's timelines."""
    tables = _Tables()
    columns = columns_of(posture.protections)
    groups: dict[tuple[str, str, str], list[Protection]] = {}
    for one in posture.protections:
        groups.setdefault((one.plan, one.kind, one.resource), []).append(one)
    rows = [
        [
            tables.plans.number(plan),
            tables.kinds.number(kind),
            lines[0].title,
            resource,
            [_line(one, columns[plan], tables) for one in lines],
        ]
        for (plan, kind, resource), lines in groups.items()
    ]
    return {
        "at": format_slot(posture.at),
        "healths": [[HEALTH[one], TONES[one]] for one in Health],
        "plans": list(tables.plans.things),
        "kinds": [kind_word(kind) for kind in tables.kinds.things],
        "places": list(tables.places.things),
        "reasons": list(tables.reasons.things),
        "rules": list(tables.rules.things),
        "columns": [[format_slot(slot) for slot in columns[plan]] for plan in tables.plans.things],
        "strips": [list(one) for one in tables.strips.things],
        "rows": rows,
    }


def columns_of(protections: Iterable[Protection]) -> dict[str, Sequence[datetime]]:
    """The newest slots of each plan that any of its resources has something to say about, in order."""
    slots: dict[str, set[datetime]] = {}
    for one in protections:
        slots.setdefault(one.plan, set()).update(tick.slot for tick in one.ticks)
    return {plan: sorted(its)[-COLUMNS:] for plan, its in slots.items()}


def _line(one: Protection, columns: Sequence[datetime], tables: _Tables) -> list[object]:
    cost = one.cost
    known = cost.basis is not Basis.UNKNOWN
    return [
        tables.places.number(one.place),
        _RANKS[one.health],
        tables.reasons.number(one.reason),
        format_slot(one.newest) if one.newest else None,
        one.rpo_hours,
        one.good,
        one.full,
        _strip_number(one, columns, tables),
        format_slot(one.next_deletion) if one.next_deletion else None,
        str(to_the_cent(cost.now_usd + cost.transfer_usd)) if known else None,
        str(to_the_cent(cost.full_usd + cost.transfer_usd)) if known else None,
        tables.rules.number(f"{cost.basis}: {cost.rule}" if cost.rule else str(cost.basis)),
    ]


def _strip_number(one: Protection, columns: Sequence[datetime], tables: _Tables) -> int:
    key = one.plan, id(one.ticks)
    if key not in tables.strips_of:
        tables.strips_of[key] = tables.strips.number(_strip(one.ticks, columns, tables))
    return tables.strips_of[key]


def _strip(ticks: Sequence[Tick], columns: Sequence[datetime], tables: _Tables) -> tuple[object, ...]:
    """A letter for each column, the reason of each letter that is not `EMPTY`, and the older ones: how many
    good ones there are, and the slot of the oldest."""
    by_slot = {one.slot: one for one in ticks}
    shown = [by_slot.get(slot) for slot in columns]
    letters = "".join(LETTERS[one.state] if one else EMPTY for one in shown)
    reasons = tuple(tables.reasons.number(one.reason) for one in shown if one)
    first = columns[0] if columns else None
    older = [
        one.slot
        for one in ticks
        if first and one.slot < first and one.state in (TickState.KEPT, TickState.LEAVING)
    ]
    return letters, reasons, len(older), format_slot(min(older)) if older else None
