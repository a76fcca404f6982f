"""A posture as one HTML page."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from holdfast.core.advice import for_outcome
from holdfast.core.alike import Alike, alike, short_reason
from holdfast.core.cost import ZERO, to_the_cent
from holdfast.core.gathered import MOST_NAMES, gathered
from holdfast.core.glance import Standing
from holdfast.core.model import name_of
from holdfast.core.posture import Gap, Health, Posture
from holdfast.core.report import Action, State
from holdfast.core.totals import CostKey, Sum, Totals, totals
from holdfast.page.strips import table_of
from holdfast.page.words import HEALTH, kind_word

MOST_NEEDS = 50
"""Things that need a person, listed at the top. The table has all that are about a resource in a place."""

MOST_UNCOVERED = 200

LONGEST_SHOWN = 280
"""Characters of a reason that are shown before the rest has to be opened."""

_FOLDER = Path(__file__).parent


def render(posture: Posture) -> str:
    """The whole page. Names and reasons may be whatever somebody made them: all of it is escaped."""
    style, script = _asset("page.css"), _asset("page.js")
    needs = needs_of(posture)
    costs = _costs(posture)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            posture=posture,
            headline=headline(posture),
            needs=needs[:MOST_NEEDS],
            more_needs=max(0, len(needs) - MOST_NEEDS),
            facts=_facts(posture, costs),
            costs=costs,
            uncovered=posture.uncovered[:MOST_UNCOVERED],
            more_uncovered=max(0, len(posture.uncovered) - MOST_UNCOVERED),
            table=table_of(posture),
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": _moment,
        "ago": ago,
        "usd": usd,
        "iso": datetime.isoformat,
        "kind": kind_word,
    }
    environment.globals |= {"longest": LONGEST_SHOWN}
    return environment


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names what it lets be."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _moment(instant: datetime) -> str:
    return f"{instant:%a} {instant.day} {instant:%b %Y, %H:%M} UTC"


def ago(instant: datetime, at: datetime) -> str:
    """How long before `at` that was, in the largest unit that says enough."""
    return _span(at - instant) + " ago"


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    if hours < 1:
        return f"{max(0, int(hours * 60))} min"
    return f"{int(hours)} h" if hours < 48 else f"{int(hours // 24)} days"


def usd(amount: Decimal) -> str:
    return f"${to_the_cent(amount):,}"


# --- the first seconds -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The answer to "is everything recoverable?". `tone` is `good`, `bad`, `unsure` or `empty`."""

    tone: str
    word: str
    title: str
    text: str


def headline(posture: Posture) -> Headline:
    resources, well = len(posture.resources), len(posture.recoverable)
    waiting = len(posture.waiting)
    new = f" {_count(waiting, 'new one waits', 'new ones wait')} for a first backup." if waiting else ""
    match posture.standing:
        case Standing.OK if not well:
            return Headline(
                tone="unsure", word="Not yet", title="Nothing is recoverable yet.", text=new.strip()
            )
        case Standing.OK:
            title = "All that is due is recoverable." if waiting else "Everything is recoverable."
            return Headline(
                tone="good",
                word="Recoverable",
                title=title,
                text=f"{_count(well, 'resource has', 'resources have')} a good backup in every place that "
                f"the plan wants, none older than it allows.{new}",
            )
        case Standing.BREACHED:
            broken = resources - well - waiting
            title = (
                f"{broken} of {_count(resources, 'resource is', 'resources are')} not recoverable as planned."
                if broken
                else "A tag names a plan that does not exist."
            )
            return Headline(
                tone="bad",
                word="Not recoverable",
                title=title,
                text=f"{well} stand well.{new} See what to do below.",
            )
        case Standing.INCOMPLETE:
            return Headline(
                tone="unsure",
                word="Not sure",
                title="Not everything could be looked at.",
                text=f"What could be seen stands well: {well} of {resources} resources.{new}",
            )
        case Standing.EMPTY:
            return Headline(
                tone="empty",
                word="Nothing protected",
                title="No plan protects anything.",
                text="Give a table, database or volume the tag holdfast:plan with the name of a plan.",
            )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that needs a person. `tone` is `bad` or `unsure`."""

    tone: str
    label: str
    what: str
    where: str
    reason: str


def needs_of(posture: Posture) -> list[Need]:
    """The most urgent first: what cannot be restored, what was meant to be protected, what the last runs
    could not do, what could not be looked at."""
    return [
        *(
            Need(
                tone="bad",
                label=HEALTH[one.health],
                what=", ".join(f"{kind_word(kind)} {title}" for kind, title in one.named) + one.and_more,
                where=one.places,
                reason=one.reason,
            )
            for one in gathered(posture.breaches)
        ),
        *(
            Need(
                tone="bad",
                label="no such plan",
                what=f"{kind_word(one.kind)} {one.name}",
                where="",
                reason=one.reason,
            )
            for one in posture.misnamed
        ),
        *(
            Need(tone="bad", label="unusable", what=f"plan {one.name}", where="", reason=one.problem)
            for one in posture.plans
            if one.problem
        ),
        *_of_last_runs(posture),
        *(Need(tone="unsure", label="not seen", what="", where="", reason=one) for one in posture.problems),
    ]


_VERBS = {
    Action.CREATE: "back up",
    Action.COPY: "copy",
    Action.DELETE: "delete",
    Action.ANNOUNCE: "announce",
    Action.KEEP: "keep",
}


def _of_last_runs(posture: Posture) -> Iterable[Need]:
    told = {(one.resource, one.place) for one in posture.breaches}
    for plan in posture.plans:
        run = plan.last_run
        if run is None:
            continue
        if not run.ended and plan.hours_since_run is not None and plan.hours_since_run > plan.rpo_hours:
            reason = (
                f"The run of {_moment(run.slot)} has not told how it ended, and none has for "
                f"{plan.hours_since_run:.0f} hours: look at its log, and run the plan again."
            )
            yield Need(tone="unsure", label="last run", what=f"plan {plan.name}", where="", reason=reason)
        for sentence in run.refusals:
            yield Need(tone="unsure", label="refused", what=f"plan {plan.name}", where="", reason=sentence)
        for sentence in run.problems:
            yield Need(tone="unsure", label="last run", what=f"plan {plan.name}", where="", reason=sentence)
        for group in alike(one for one in run.failures if (one.resource, one.region) not in told):
            one = group.first
            yield Need(
                tone="bad" if one.state is State.FAILED else "unsure",
                label=str(one.state),
                what=f"{_VERBS[one.action]} {_names(group)}",
                where=one.region,
                reason=f"{short_reason(one).rstrip('.')}. {for_outcome(one)}".strip(),
            )


def _names(group: Alike) -> str:
    """What outcomes that are alike are about, the first by name."""
    kind = kind_word(group.first.kind)
    names = list(dict.fromkeys(name_of(one.resource) for one in group.outcomes if one.resource))
    if not names:
        return f"all {kind}"
    rest = len(names) - MOST_NAMES
    return f"{kind} {', '.join(names[:MOST_NAMES])}" + (f" and {rest} more" if rest > 0 else "")


# --- costs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Costs:
    sums: Totals
    own: Decimal
    groups: Sequence[tuple[str, Mapping[str, Sum]]]

    @property
    def now(self) -> Decimal:
        return self.sums.all.now_usd + self.sums.all.transfer_usd + self.own

    @property
    def full(self) -> Decimal:
        return self.sums.all.full_usd + self.sums.all.transfer_usd + self.own


def _costs(posture: Posture) -> _Costs:
    sums = totals(
        (CostKey(plan=one.plan, place=one.place, kind=one.kind), one.cost) for one in posture.protections
    )
    own = sum((one.monthly_usd for one in posture.own_cost), ZERO)
    by_kind = {kind_word(kind): its for kind, its in sums.by_kind.items()}
    groups = (("plan", sums.by_plan), ("place", sums.by_place), ("kind", by_kind))
    return _Costs(sums=sums, own=own, groups=groups)


# --- the numbers beside the headline ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number beside the headline."""

    name: str
    value: str
    note: str


def _facts(posture: Posture, costs: _Costs) -> list[Fact]:
    ages = [
        age
        for one in posture.protections
        if one.health is not Health.RETIRED and (age := one.age(posture.at)) is not None
    ]
    none_at_all = sum(one.gap is Gap.NO_PLAN for one in posture.uncovered)
    return [
        Fact(
            name="Recoverable",
            value=f"{len(posture.recoverable)} of {len(posture.resources)}",
            note="resources that plans protect",
        ),
        Fact(
            name="Oldest newest backup",
            value=_span(max(ages)) if ages else "none",
            note="counted from its slot",
        ),
        Fact(name="In no plan", value=str(none_at_all), note="tables and databases"),
        Fact(
            name="A month",
            value=usd(costs.now),
            note="estimated" if costs.sums.all.estimated else "by the sizes that AWS tells",
        ),
    ]
