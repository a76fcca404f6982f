"""Times of backups, made to be hard on a retention policy, and such as people really have.

A batch is named by its generator and a number, and is always the same for the same name. All instants are in
UTC, in whole seconds, and between `FIRST` and `LAST`: restic leaves out of account what its clock has not
reached. In 2011 the last clocks (of `ZONES`) ceased to be set back over midnight: there a calendar day comes
twice, which restic counts as two days and Holdfast, on purpose, as one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.core.model import KeepPolicy
from holdfast.core.spans import Span

FIRST = datetime(2011, 1, 1, tzinfo=UTC)
LAST = datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",  # half an hour beside the others
    "Asia/Kathmandu",  # a quarter
    "Australia/Lord_Howe",  # set forward and back by half an hour
    "Pacific/Apia",  # had no 30 December 2011
)
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
STYLES = (*RULES, "within", "two", "several", "all", "within and others", "within and others")
"""What a policy is made of, in turn by the batch's number: one rule alone, or some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Schedules that one restic process decides on: all by one policy, in one zone."""

    name: str
    zone: str
    policy: KeepPolicy
    schedules: Sequence[Sequence[datetime]]


# --- adversarial -----------------------------------------------------------------------------------------


def adversarial(number: int) -> Batch:
    """25 schedules of a few dozen backups, close around what could be got wrong."""
    random = Random(f"adversarial {number}")
    style = STYLES[number % len(STYLES)]
    zone = random.choice(("UTC", *ZONES, *(["UTC"] * 6 if style.startswith("within") else [])))
    policy = _policy(random, style, zone)
    schedules = [_adversarial_schedule(random, ZoneInfo(zone), policy) for _ in range(25)]
    return Batch(name=f"adversarial {number}", zone=zone, policy=policy, schedules=schedules)


def _policy(random: Random, style: str, zone: str) -> KeepPolicy:
    numbers = {"within": 0, "two": 2, "several": random.randint(2, 5), "all": 6}
    rules = [style] if style in RULES else random.sample(RULES, numbers.get(style, random.randint(1, 3)))
    counts: dict[str, Any] = {rule: random.choice((1, 1, 2, 3, 4, 5, 7, 8, 12, 24, 30)) for rule in rules}
    within = _span(random, zone) if style.startswith("within") else None
    return KeepPolicy(within=within, **counts)


def _span(random: Random, zone: str) -> Span:
    """A length of time. Years, months and days are of the zone for restic, but always of UTC for Holdfast."""
    if zone != "UTC" or random.random() < 0.2:
        return Span(hours=random.choice((1, 2, 24, 25, 100, 1000, 9000)))
    units = random.sample(("years", "months", "days", "hours"), random.randint(1, 3))
    return Span(**{unit: random.choice((1, 1, 2, 3, 7, 14, 30)) for unit in units})


def _adversarial_schedule(random: Random, zone: ZoneInfo, policy: KeepPolicy) -> list[datetime]:
    moments: list[datetime] = []
    for shape in random.choices(_SHAPES, k=random.randint(1, 4)):
        moments += shape(random, zone, policy)
    moments = _in_range(moments) or [FIRST]
    moments += random.choices(moments, k=random.choice((0, 0, 1, 5)))
    if policy.within is not None:
        if random.random() < 0.3:
            moments = _in_range([*moments, _month_end_after(max(moments), random)])
        moments = without_ambiguous_newest(moments, zone) or [FIRST]
        limit = policy.within.before(max(moments))
        moments += _in_range(limit + timedelta(seconds=seconds) for seconds in (-1, 0, 1))
    random.shuffle(moments)
    return moments


def _month_end_after(moment: datetime, random: Random) -> datetime:
    """A day that not every month has."""
    day = _months_on(date(moment.year, 1, 31), moment.month + random.randint(0, 6))
    return _local(ZoneInfo("UTC"), day, random.randint(0, 23), random)


def without_ambiguous_newest(moments: Sequence[datetime], zone: ZoneInfo) -> list[datetime]:
    """Without the newest ones that lie in an hour that comes twice: reckoning back from there, even by no
    day at all, Go may take the other of the two."""
    left = sorted(moments)
    while left and _is_ambiguous(left[-1].astimezone(zone)):
        left.pop()
    return left


def _is_ambiguous(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _in_range(moments: Iterable[datetime]) -> list[datetime]:
    return [moment for moment in moments if FIRST <= moment <= LAST]


def _around_a_turn(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    """Seconds, hours and days before and after a moment at which periods change."""
    turn = random.choice(turns(zone.key))
    steps = (1, 60, 900, 1800, 3599, 3600, 5400, 7200, 86399, 86400, 90000, 604800)
    return [
        turn + timedelta(seconds=random.choice(steps) * random.randint(-2, 2) - random.choice((0, 0, 1)))
        for _ in range(random.randint(2, 12))
    ]


def _burst(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    """Seconds and minutes apart."""
    moment = _somewhere(random, zone)
    moments = [moment]
    for _ in range(random.randint(1, 15)):
        moment += timedelta(seconds=random.choice((0, 1, 30, 60, random.randint(1, 1800))))
        moments.append(moment)
    return moments


def _same_hour_of_other_days(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    start = _somewhere(random, zone).astimezone(zone)
    reach = random.choice((8, 40, 400))
    return [
        _local(zone, start.date() + timedelta(days=random.randint(0, reach)), start.hour, random)
        for _ in range(random.randint(2, 20))
    ]


def _same_day_of_other_months(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    """The day, or the month's last where it has no such day."""
    start = _somewhere(random, zone).astimezone(zone)
    reach = random.choice((3, 13, 40))
    return [
        _local(zone, _months_on(start.date(), random.randint(0, reach)), start.hour, random)
        for _ in range(random.randint(2, 15))
    ]


def _same_time_of_other_years(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    """The same month, day and hour, or the same day of the same ISO week."""
    start = _somewhere(random, zone).astimezone(zone)
    _, week, weekday = start.isocalendar()
    moments = []
    for _ in range(random.randint(2, 10)):
        year = random.randint(2011, 2024)
        by_week = date.fromisocalendar(year, min(week, 52), weekday)
        by_month = _months_on(start.date(), 12 * (year - start.year))
        moments.append(_local(zone, random.choice((by_week, by_month)), start.hour, random))
    return moments


def _as_many_periods_as_counted(random: Random, zone: ZoneInfo, policy: KeepPolicy) -> list[datetime]:
    """One period less than a rule keeps, as many, one or two more; some of those in between are empty."""
    counts = {rule: count for rule in RULES if (count := getattr(policy, rule))}
    if not counts:
        return _far_apart(random, zone, policy)
    rule = random.choice(list(counts))
    place, moments = 0, []
    start = _somewhere(random, zone).astimezone(zone)
    for _ in range(max(1, counts[rule] + random.randint(-1, 2))):
        moments += [_in_period(rule, start, place, random) for _ in range(random.choice((1, 1, 2, 3)))]
        place += random.choice((1, 1, 1, 2, 5))
    return moments


def _in_period(rule: str, start: datetime, place: int, random: Random) -> datetime:
    """A moment in the period that lies `place` periods before that of `start` (a local time)."""
    zone, day, hour = start.tzinfo, start.date(), random.randint(0, 23)
    if not isinstance(zone, ZoneInfo):
        raise TypeError(f"{start} is in no zone")
    match rule:
        case "hourly":
            earlier = (start.astimezone(UTC) - timedelta(hours=place)).astimezone(zone)
            day, hour = earlier.date(), earlier.hour
        case "weekly":
            day -= timedelta(days=7 * place + day.weekday() - random.randint(0, 6))
        case "monthly":
            day = _months_on(day.replace(day=random.randint(1, 28)), -place)
        case "yearly":
            day = _months_on(date(day.year, random.randint(1, 12), random.randint(1, 28)), -12 * place)
        case _:
            day -= timedelta(days=place)
    return _local(zone, day, hour, random)


def _far_apart(random: Random, zone: ZoneInfo, _policy: KeepPolicy) -> list[datetime]:
    return [_somewhere(random, zone) for _ in range(random.randint(1, 12))]


_SHAPES: Sequence[Callable[[Random, ZoneInfo, KeepPolicy], list[datetime]]] = (
    _around_a_turn,
    _around_a_turn,
    _burst,
    _same_hour_of_other_days,
    _same_day_of_other_months,
    _same_time_of_other_years,
    _as_many_periods_as_counted,
    _as_many_periods_as_counted,
    _far_apart,
)


def _somewhere(random: Random, zone: ZoneInfo) -> datetime:
    """Any moment, often one near the change of a year, month or week or of the clocks."""
    if random.random() < 0.5:
        return random.choice(turns(zone.key)) + timedelta(seconds=random.randint(-90000, 90000))
    return FIRST + timedelta(seconds=random.randint(0, int((LAST - FIRST).total_seconds())))


@cache
def turns(zone: str) -> Sequence[datetime]:
    """Where periods change: years, the ISO weeks 1 and 53 (both begin in December at times), the days around
    29 February, months, and both changes of the clocks."""
    days = []
    for year in range(FIRST.year, LAST.year + 1):
        days += [date(year, 1, 1), date(year, 2, 28), date(year, 3, 1), date(year, 8, 31)]
        days += [date.fromisocalendar(year, 1, 1), date(year, 12, 28) + timedelta(days=1), date(year, 12, 31)]
        days.append(date.fromisocalendar(year, 1, 1) - timedelta(days=7))  # week 52 or 53
        days += [date(year, 2, 29)] if year % 4 == 0 else []
    in_zone = ZoneInfo(zone)
    midnights = [datetime(day.year, day.month, day.day, tzinfo=in_zone).astimezone(UTC) for day in days]
    return (*midnights, *_clock_changes(in_zone) * 2)


def _clock_changes(zone: ZoneInfo) -> list[datetime]:
    """The first second after each change of the zone's offset."""
    changes = []
    for hours in range(0, int((LAST - FIRST).total_seconds()) // 3600, 12):
        before, after = FIRST + timedelta(hours=hours), FIRST + timedelta(hours=hours + 12)
        if _offset(before, zone) == _offset(after, zone):
            continue
        while after - before > timedelta(seconds=1):
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if _offset(middle, zone) == _offset(before, zone):
                before = middle
            else:
                after = middle
        changes.append(after)
    return changes


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _local(zone: ZoneInfo, day: date, hour: int, random: Random) -> datetime:
    """A moment in that hour of that day, of either if the hour comes twice."""
    local = datetime(
        day.year,
        day.month,
        day.day,
        hour,
        random.choice((0, 59, random.randint(0, 59))),
        random.choice((0, 59, random.randint(0, 59))),
        tzinfo=zone,
        fold=random.randint(0, 1),
    )
    return local.astimezone(UTC)


def _months_on(day: date, months: int) -> date:
    """The same day so many months later, or that month's last."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month0 + 1) // 12, (month0 + 1) % 12 + 1, 1)
    return following.replace(year=year, month=month0 + 1, day=min(day.day, (following - timedelta(1)).day))


# --- natural ---------------------------------------------------------------------------------------------

USUAL_POLICIES = (
    KeepPolicy(daily=7, weekly=4, monthly=12),
    KeepPolicy(daily=14),
    KeepPolicy(hourly=24, daily=7, weekly=4, monthly=12, yearly=3),
    KeepPolicy(last=10, daily=30, monthly=6),
    KeepPolicy(weekly=8, monthly=24, within=Span(hours=72)),
    KeepPolicy(within=Span(days=14), weekly=4),
    KeepPolicy(within=Span(months=3)),
    KeepPolicy(within=Span(days=7), monthly=12, yearly=7),
    KeepPolicy(daily=31, weekly=53, yearly=10),
    KeepPolicy(hourly=48, weekly=5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rhythm:
    every_hours: int
    shortest_days: int
    longest_days: int


_RHYTHMS = (
    _Rhythm(every_hours=1, shortest_days=3, longest_days=45),
    _Rhythm(every_hours=6, shortest_days=14, longest_days=180),
    _Rhythm(every_hours=24, shortest_days=14, longest_days=730),
    _Rhythm(every_hours=24, shortest_days=14, longest_days=730),
    _Rhythm(every_hours=168, shortest_days=100, longest_days=3000),
)


def natural(number: int) -> Batch:
    """10 schedules of some hundred backups: every hour, six hours, night or week, some late, some missed,
    some made by hand in between."""
    random = Random(f"natural {number}")
    policy = USUAL_POLICIES[number % len(USUAL_POLICIES)]
    of_calendar = policy.within is not None and replace(policy.within, hours=0).is_positive
    zone = "UTC" if of_calendar else random.choice(ZONES)
    schedules = [_natural_schedule(random, ZoneInfo(zone)) for _ in range(10)]
    if policy.within is not None:
        schedules = [without_ambiguous_newest(one, ZoneInfo(zone)) for one in schedules]
    return Batch(name=f"natural {number}", zone=zone, policy=policy, schedules=schedules)


def _natural_schedule(random: Random, zone: ZoneInfo) -> list[datetime]:
    """By the zone's clock, or by UTC as those of cron on a server."""
    rhythm = random.choice(_RHYTHMS)
    days = random.randint(rhythm.shortest_days, rhythm.longest_days)
    first = FIRST + timedelta(minutes=random.randint(0, int((LAST - FIRST).days - days - 1) * 1440))
    by_clock = first.astimezone(zone) if random.random() < 0.5 else first
    missed = random.choice((0, 0.01, 0.1, 0.3))
    late_seconds = random.choice((0, 5, 900, 5400))
    outage = random.randrange(0, days)
    outage_end = outage + random.choice((0, 0, 3, 40))
    moments = []
    for hours in range(0, days * 24, rhythm.every_hours):
        if outage <= hours // 24 < outage_end or random.random() < missed:
            continue
        # To a local time, Python adds hours of the clock on the wall, and not of the sun.
        scheduled = (by_clock + timedelta(hours=hours)).astimezone(UTC)
        moments.append(scheduled + timedelta(seconds=random.randint(0, late_seconds)))
    by_hand = random.randint(0, 5)
    moments += [first + timedelta(seconds=random.randint(0, days * 86400)) for _ in range(by_hand)]
    moments = _in_range(moments) or [first]
    random.shuffle(moments)
    return moments
