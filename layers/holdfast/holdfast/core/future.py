"""What time will do to retention: what a policy keeps once it is full, and when it next lets something go.

Both are asked of `core.retention.decide` itself, about backups that are made up for it, so that they cannot
tell otherwise than what will be pruned.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from holdfast.core.model import Backup, BackupState, KeepPolicy, Mark, slot_of
from holdfast.core.retention import Verdict, decide

MOST_NIGHTS = 400
"""How many runs ahead `next_deletion` looks."""

MOST_WITHIN = 10_000
"""How many backups `within` is thought to keep at most: more than a year of hours."""

_SOURCE = "arn:aws:rds:us-east-1:123456789012:db:any"
_EARLIEST_YEAR = 3
"""No time zone leads out of the calendar from there."""

_PATTERNS = 4096
"""How many answers are remembered: resources of one plan share a few."""


@lru_cache(maxsize=_PATTERNS)
def steady_slots(policy: KeepPolicy, zone: tzinfo, now: datetime, every: timedelta) -> tuple[datetime, ...]:
    """The slots, in order of time, that the policy keeps at `now`, had there been a backup each `every` since
    for ever, the newest at `now`.

    Nothing for a policy that is unusable: it keeps everything, and is never full. Of `within`, the newest
    `MOST_WITHIN` slots are thought of; of all rules, those since the year 3. `oldest` says nothing here: what
    goes back for ever has no oldest. Raises `ValueError` when `every` is no time.
    """
    if every <= timedelta(0):
        raise ValueError(f"a backup each {every} is none")
    if policy.is_unusable:
        return ()
    candidates = set(_that_matter(policy, zone, now.astimezone(UTC), every))
    verdicts = _decided(candidates, replace(policy, oldest=False), now, zone)
    return tuple(sorted(slot_of(one.backup) for one in verdicts if one.keep))


def next_deletion(
    kept: Sequence[datetime], policy: KeepPolicy, zone: tzinfo, every: timedelta, newest: datetime
) -> datetime | None:
    """The slot of the first run that lets a backup go, if runs go on each `every` after `newest` and each
    makes a good one; `None` when none of the next `MOST_NIGHTS` does.

    `kept` are the slots of the good backups that stand, are not held, and are kept today.
    """
    return _next_deletion(frozenset(kept), policy, zone, every, newest)


@lru_cache(maxsize=_PATTERNS)
def _next_deletion(
    kept: frozenset[datetime], policy: KeepPolicy, zone: tzinfo, every: timedelta, newest: datetime
) -> datetime | None:
    if every <= timedelta(0):
        raise ValueError(f"a backup each {every} is none")
    if policy.is_unusable:
        return None
    standing = [one.astimezone(UTC) for one in kept]
    start = newest.astimezone(UTC)

    def lets_go(nights: int, policy: KeepPolicy) -> bool:
        """Whether anything goes by the last of so many more runs, of which none let anything go before."""
        slots = {*standing, *(start + every * night for night in range(1, nights + 1))}
        return not all(one.keep for one in _decided(slots, policy, max(slots), zone))

    # What the rules let go at one run they let go at each later one, since newer backups only push it further
    # out: so the first such run is found by halves. The floor alone can spare something later on.
    rules = replace(policy, minimum=1)
    reach = 1
    while reach < MOST_NIGHTS and not lets_go(reach, rules):
        reach = min(reach * 2, MOST_NIGHTS)
    first = bisect_left(range(1, reach + 1), x=True, key=lambda nights: lets_go(nights, rules)) + 1
    going = (nights for nights in range(first, MOST_NIGHTS + 1) if lets_go(nights, policy))
    nights = next(going, None)
    return None if nights is None else start + every * nights


def _decided(slots: Iterable[datetime], policy: KeepPolicy, now: datetime, zone: tzinfo) -> list[Verdict]:
    return decide(map(_good_backup, slots), policy, now, zone)


@lru_cache(maxsize=_PATTERNS)
def _good_backup(slot: datetime) -> Backup:
    """Some good backup of that slot."""
    name = slot.isoformat()
    return Backup(
        kind="rds",
        arn=name,
        id=name,
        region="us-east-1",
        source=_SOURCE,
        state=BackupState.AVAILABLE,
        mark=Mark(stack="any", plan="any", slot=slot, source=_SOURCE),
    )


def _that_matter(policy: KeepPolicy, zone: tzinfo, now: datetime, every: timedelta) -> Iterator[datetime]:
    """The slots before which and between which none can be kept: enough for each rule, and more than it
    keeps. Which of them are kept, the rules themselves say."""
    newest = max(policy.last, policy.minimum, 1)
    if policy.within is not None:
        newest = max(newest, min((now - policy.within.before(now)) // every + 1, MOST_WITHIN))
    first = datetime(_EARLIEST_YEAR, 1, 1, tzinfo=UTC)
    yield from (now - every * back for back in range(min(newest, (now - first) // every + 1)))
    for count, start in (
        (policy.hourly, _hour),
        (policy.daily, _day),
        (policy.weekly, _week),
        (policy.monthly, _month),
        (policy.yearly, _year),
    ):
        yield from _newest_in_each(count, start, zone, now, every)


def _newest_in_each(
    count: int, start_of: Callable[[datetime], datetime], zone: tzinfo, now: datetime, every: timedelta
) -> Iterator[datetime]:
    """The newest slots of the newest `count` periods, and a few more where clocks are set back.

    From one slot on, it goes on with the newest before its period began.
    """
    met: set[datetime] = set()
    slot = now
    while slot.year >= _EARLIEST_YEAR:
        start = start_of(slot.astimezone(zone).replace(tzinfo=None))
        met.add(start)
        if len(met) > count:
            return
        yield slot
        began = min(_latest(start, zone), slot)
        slot = now - every * ((now - began) // every + 1)


def _latest(wall: datetime, zone: tzinfo) -> datetime:
    """The instant at which clocks show it. When they do twice it is the second, and when they are set over it
    that moment: what lies between it and a later slot of the same period is of that period."""
    return max(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _hour(wall: datetime) -> datetime:
    return wall.replace(minute=0, second=0, microsecond=0)


def _day(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0, microsecond=0)


def _week(wall: datetime) -> datetime:
    return _day(wall) - timedelta(days=wall.weekday())


def _month(wall: datetime) -> datetime:
    return _day(wall).replace(day=1)


def _year(wall: datetime) -> datetime:
    return _month(wall).replace(month=1)
