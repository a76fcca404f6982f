"""What is otherwise than it was in an earlier posture, in sentences: only what the two make certain."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from holdfast.core.brief import cut
from holdfast.core.cost import ZERO, Basis
from holdfast.core.glance import LONGEST_SENTENCE
from holdfast.core.headroom import WARN_PERCENT
from holdfast.core.naming import format_slot
from holdfast.core.posture import (
    BREACHES,
    Change,
    Gap,
    Headroom,
    Health,
    PlanPosture,
    Posture,
    Protection,
    Uncovered,
)

MOST_CHANGES = 40
MOST_ALIKE = 3
"""More than so many alike are one sentence, which names the first so many."""

COST_SHARE = Decimal("0.10")
COST_USD = Decimal(1)
"""A month's cost that has grown by more than both is told."""

type _Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """One thing that is otherwise. `text` tells it alone; `many` what it and those alike have in common,
    behind their number. `name` is what it is told of."""

    is_worse: bool
    text: str
    many: str = ""
    name: str = ""


def changes(before: Posture, now: Posture) -> list[Change]:
    """What is otherwise in `now`: what needs a person first, and many alike as one."""
    events = [
        *_health(before, now),
        *_plans(before, now),
        *_protected(before, now),
        *_lost_newest(before, now),
        *_uncovered(before, now),
        *_quotas(before.headroom, now.headroom),
        *_costs(before, now),
    ]
    told = _together(dict.fromkeys(events))
    ordered = sorted(told, key=lambda one: not one.is_worse)  # the order of the above stays within
    rest = ordered[MOST_CHANGES - 1 :]
    if len(rest) <= 1:
        return ordered
    more = Change(text=f"{len(rest)} more changes", is_worse=any(one.is_worse for one in rest))
    return [*ordered[: MOST_CHANGES - 1], more]


def _together(events: Iterable[_Event]) -> list[Change]:
    alike: dict[tuple[bool, str], list[_Event]] = {}
    for event in events:
        alike.setdefault((event.is_worse, event.many or event.text), []).append(event)
    return [change for group in alike.values() for change in _told(group)]


def _told(group: Sequence[_Event]) -> Iterator[Change]:
    if len(group) <= MOST_ALIKE:
        for event in group:
            yield Change(text=cut(event.text, LONGEST_SENTENCE), is_worse=event.is_worse)
        return
    names = ", ".join(cut(event.name, LONGEST_SENTENCE // 5) for event in group[:MOST_ALIKE])
    text = f"{len(group)} {group[0].many}: {names} and {len(group) - MOST_ALIKE} more"
    yield Change(text=cut(text, LONGEST_SENTENCE), is_worse=group[0].is_worse)


# How resources stand.


def _standing(posture: Posture) -> dict[_Key, Protection]:
    """What plans protect: not what only waits for a person to decide on its backups."""
    return {one.key: one for one in posture.protections if one.health is not Health.RETIRED}


def _health(before: Posture, now: Posture) -> Iterator[_Event]:
    earlier = _standing(before)
    order = list(Health)
    for one in sorted(_standing(now).values(), key=lambda one: (order.index(one.health), one.key)):
        was = earlier.get(one.key)
        state = was.health if was is not None else Health.OK
        if one.health in BREACHES and one.health is not state:
            is_worse = state not in BREACHES or order.index(one.health) < order.index(state)
            yield _breach(one, state, is_worse=is_worse)
        elif state in BREACHES and one.health not in BREACHES:
            many = f"{one.kind} resources in {one.place} are {state} no longer"
            text = f"{one.kind} {one.name} in {one.place} is {state} no longer"
            yield _Event(is_worse=False, text=text, many=many, name=one.name)


def _breach(one: Protection, was: Health, *, is_worse: bool) -> _Event:
    after = f", and was {was} before" if was in BREACHES else ""
    many = f"{one.kind} resources in {one.place} are {one.health}{after}"
    text = f"{one.kind} {one.name} in {one.place} is {one.health}{_since(one)}{after}"
    return _Event(is_worse=is_worse, text=text, many=many, name=one.name)


def _since(one: Protection) -> str:
    """From when on it stands as badly as it does, where that is known."""
    if one.health is Health.MISSING and one.since is not None:
        return f" since {format_slot(one.since)}"
    if one.health is Health.OVERDUE and one.newest is not None:
        return f" since {format_slot(one.newest + timedelta(hours=one.rpo_hours))}"
    return ""


def _lost_newest(before: Posture, now: Posture) -> Iterator[_Event]:
    """Holdfast deletes no newest backup: when the newest is an older one than it was, somebody else did."""
    earlier = _standing(before)
    for one in now.protections:
        was = earlier.get(one.key)
        if was is None or was.newest is None or one.newest is None or one.newest >= was.newest:
            continue
        yield _Event(
            is_worse=True,
            text=f"{one.kind} {one.name} in {one.place} has lost its newest backup, of"
            f" {format_slot(was.newest)}, and not by Holdfast: the newest is of {format_slot(one.newest)}",
            many=f"{one.kind} resources in {one.place} have lost their newest backup, and not by Holdfast",
            name=one.name,
        )


# What plans there are, and what they protect.


def _plans(before: Posture, now: Posture) -> Iterator[_Event]:
    earlier = {one.name: one for one in before.plans}
    later = {one.name: one for one in now.plans}
    for name in sorted(earlier.keys() - later.keys()):
        count = len({one.resource for one in _standing(before).values() if one.plan == name})
        resources = "1 resource" if count == 1 else f"{count} resources"
        yield _Event(is_worse=True, text=f"the plan {name} is gone, which protected {resources}")
    for name, one in sorted(later.items()):
        was = earlier.get(name)
        if was is None:
            yield _Event(is_worse=bool(one.problem), text=f"the plan {name} is new{_but(one)}")
        else:
            yield from _otherwise(was, one)


def _but(plan: PlanPosture) -> str:
    return f", and cannot be used: {plan.problem}" if plan.problem else ""


def _otherwise(was: PlanPosture, now: PlanPosture) -> Iterator[_Event]:
    if now.problem:
        if not was.problem:
            yield _Event(is_worse=True, text=f"the plan {now.name} cannot be used any more: {now.problem}")
        return
    if was.problem:  # then nothing of what it said is known
        yield _Event(is_worse=False, text=f"the plan {now.name} can be used again")
        return
    for place in sorted(was.keeps.keys() | now.keeps.keys()):
        old, new = was.keeps.get(place, "nothing"), now.keeps.get(place, "nothing")
        if old != new:
            text = f"the plan {now.name} keeps in {place}: {new}; before: {old}"
            yield _Event(is_worse=False, text=text)
    for word, unit, old_time, new_time in (
        ("RPO", "hours", was.rpo_hours, now.rpo_hours),
        ("RTO", "minutes", was.rto_minutes, now.rto_minutes),
    ):
        if old_time != new_time:
            text = f"the plan {now.name} has an {word} of {new_time} {unit}; before: {old_time}"
            yield _Event(is_worse=False, text=text)


def _protected(before: Posture, now: Posture) -> Iterator[_Event]:
    """What a plan has taken on, and what it protects no longer. Not where the plan itself is the reason,
    which is told of it."""
    usable = _usable(before) & _usable(now)
    gone = _by_resource(before, usable)
    new = _by_resource(now, usable)
    elsewhere = {one.resource for one in _standing(now).values()}
    gaps = {one.resource: one for one in now.uncovered}
    for key in sorted(gone.keys() - new.keys()):
        yield _no_longer(gone[key], gaps.get(key[1]), is_elsewhere=key[1] in elsewhere)
    for key in sorted(new.keys() - gone.keys()):
        one = new[key]
        yield _Event(
            is_worse=False,
            text=f"{one.kind} {one.name} is protected by the plan {one.plan} now",
            many=f"{one.kind} resources are protected by the plan {one.plan} now",
            name=one.name,
        )


def _usable(posture: Posture) -> set[str]:
    return {one.name for one in posture.plans if not one.problem}


def _by_resource(posture: Posture, plans: set[str]) -> dict[tuple[str, str], Protection]:
    return {(one.plan, one.resource): one for one in _standing(posture).values() if one.plan in plans}


def _no_longer(was: Protection, gap: Uncovered | None, *, is_elsewhere: bool) -> _Event:
    if is_elsewhere:
        why = "another plan does"
    elif gap is not None:
        why = gap.reason
    else:
        why = "it is gone, or was taken out"
    return _Event(
        is_worse=not is_elsewhere,
        text=f"{was.kind} {was.name} is no longer protected by the plan {was.plan}: {why}",
        many=f"{was.kind} resources are no longer protected by the plan {was.plan}",
        name=was.name,
    )


def _uncovered(before: Posture, now: Posture) -> Iterator[_Event]:
    """What has no plan, and had one or was not there. What was protected is told of already; and where
    something could not be looked at before, nothing is new for certain."""
    if before.problems:
        return
    protected = {one.resource for one in _standing(before).values()}
    earlier: Mapping[str, Gap] = {one.resource: one.gap for one in before.uncovered}
    for one in sorted(now.uncovered, key=lambda one: (one.gap, one.kind, one.resource)):
        if one.resource in protected or earlier.get(one.resource) is one.gap:
            continue
        yield _Event(
            is_worse=one.gap is not Gap.OPTED_OUT,
            text=f"{one.kind} {one.name} has no plan: {one.reason}",
            many=f"{one.kind} resources have no plan now ({one.gap})",
            name=one.name,
        )


# What it takes.


def _quotas(before: Iterable[Headroom], now: Iterable[Headroom]) -> Iterator[_Event]:
    earlier = {(one.kind, one.place): one for one in before}
    for one in sorted(now, key=lambda one: (one.kind, one.place)):
        was = earlier.get((one.kind, one.place))
        if was is None or _level(was) == _level(one):
            continue
        yield _Event(
            is_worse=_level(one) > _level(was),
            text=f"{one.kind} in {one.place}: {one.standing} of {one.most} backups that may stand do now;"
            f" before: {was.standing} of {was.most}",
        )


def _level(one: Headroom) -> int:
    """0 while enough is left of a quota, 1 from where people are told, 2 when nothing is."""
    return (one.standing * 100 >= one.most * WARN_PERCENT) + (one.standing >= one.most)


def _costs(before: Posture, now: Posture) -> Iterator[_Event]:
    unknown = _unknown(before) | _unknown(now)
    unseen = {one.name for posture in (before, now) for one in posture.plans if one.problem}
    was, cost = (_monthly(posture, unknown, unseen) for posture in (before, now))
    if cost - was > max(COST_USD, was * COST_SHARE):
        text = f"the backups cost {cost:.2f} dollars a month, {cost - was:.2f} more than before"
        yield _Event(is_worse=False, text=text)


def _unknown(posture: Posture) -> set[_Key]:
    return {one.key for one in posture.protections if one.cost.basis is Basis.UNKNOWN}


def _monthly(posture: Posture, unknown: set[_Key], unseen: set[str]) -> Decimal:
    """Without what is not known on one of the two sides: to know it is no growth."""
    known = [one.cost for one in posture.protections if one.key not in unknown and one.plan not in unseen]
    return sum((one.now_usd + one.transfer_usd for one in known), ZERO)
