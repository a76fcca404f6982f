"""What a run's message tells of the posture: little enough to be handed from one function to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

MOST_SENTENCES = 30
"""Of each sort: what a durable function keeps of a call is limited to 256 KB."""

MOST_CHARACTERS = 25_000
"""Of all sentences of a sort together, as JSON that escapes what is not ASCII: an emoji takes twelve."""

LONGEST_SENTENCE = 500
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Standing(StrEnum):
    """How everything stands in one word, the worst first."""

    BREACHED = "breached"
    """A resource of a plan is `missing`, `overdue` or `unknown` somewhere, or its tag names a plan that there
    is not."""

    INCOMPLETE = "incomplete"
    """Something could not be looked at, and nothing that could is in breach."""

    EMPTY = "empty"
    """No plan protects anything."""

    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The posture of one instant, for the reader of a message about one plan.

    `resources` are those of all plans: `recoverable` ones stand well in every place, `waiting` ones are new,
    the others cannot be restored as their plans want it. `breaches` are sentences on what is `breached` in
    all, of which `of_plan` are this plan's. `uncovered` tables and databases have no plan. The costs are US
    dollars a month: of what stands, of what will once all plans are full, and of Holdfast itself. `page` is
    where the page is.
    """

    at: datetime
    standing: Standing
    resources: int
    recoverable: int
    waiting: int = 0
    breached: int = 0
    of_plan: int = 0
    uncovered: int = 0
    breaches: Sequence[str] = ()
    problems: Sequence[str] = ()
    now_usd: Decimal = Decimal(0)
    full_usd: Decimal = Decimal(0)
    own_usd: Decimal = Decimal(0)
    cost_is_whole: bool = True
    """Whether no size is missing in the sums."""

    page: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "at": f"{self.at:{_TIME}}",
            "standing": str(self.standing),
            "resources": self.resources,
            "recoverable": self.recoverable,
            "waiting": self.waiting,
            "breached": self.breached,
            "of_plan": self.of_plan,
            "uncovered": self.uncovered,
            "breaches": list(self.breaches),
            "problems": list(self.problems),
            "monthly_usd": {
                "now": str(self.now_usd),
                "full": str(self.full_usd),
                "holdfast": str(self.own_usd),
                "whole": self.cost_is_whole,
            },
            "page": self.page,
        }


def glance_from_dict(data: Mapping[str, Any]) -> Glance:
    """What `to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about anything
    else."""
    at = datetime.strptime(data["at"], _TIME).replace(tzinfo=UTC)
    usd = data["monthly_usd"]
    try:
        now, full, own = (Decimal(usd[name]) for name in ("now", "full", "holdfast"))
    except InvalidOperation as error:
        raise ValueError(f"monthly_usd is {usd!r}") from error
    return Glance(
        at=at,
        standing=Standing(data["standing"]),
        resources=int(data["resources"]),
        recoverable=int(data["recoverable"]),
        waiting=int(data["waiting"]),
        breached=int(data["breached"]),
        of_plan=int(data["of_plan"]),
        uncovered=int(data["uncovered"]),
        breaches=tuple(map(str, data["breaches"])),
        problems=tuple(map(str, data["problems"])),
        now_usd=now,
        full_usd=full,
        own_usd=own,
        cost_is_whole=bool(usd["whole"]),
        page=str(data["page"]),
    )
