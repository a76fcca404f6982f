"""What backups cost a month, and by which rule that was found.

AWS tells how much a DynamoDB backup holds. It does not tell how much a snapshot of RDS, Aurora or EBS holds
that the one before it does not (`FullSnapshotSizeInBytes`, by their API references, is "not the incremental
size"), so that is estimated. Amounts are exact decimals; only `to_the_cent` rounds, for what is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache

from holdfast.core.model import Backup, region_of, slot_of, source_of

ZERO = Decimal(0)
GIB = 1 << 30
"""Bytes of what AWS's price pages call a GB (Amazon S3's says so: "1 GB = 2^30 bytes")."""

MONTH = timedelta(hours=730)
"""A month in AWS's own calculator."""


class Basis(StrEnum):
    """How sure an amount is."""

    KNOWN = "known"
    """AWS tells the sizes."""

    ESTIMATED = "estimated"
    """By a rule: AWS does not tell how much a snapshot holds that the one before it does not."""

    UNKNOWN = "unknown"
    """Not even a size is known: it is in no sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars, by name (`docs/cost.md` lists them). `as_of` is the day of the list, `region` where
    they hold, and `overridden` names those that a person gave. `daily_change` is no price but an assumption:
    the share of its data that a resource writes anew in a day."""

    as_of: date
    region: str
    usd: Mapping[str, Decimal]
    daily_change: Decimal = Decimal("0.03")
    overridden: frozenset[str] = frozenset()

    def of(self, name: str) -> Decimal:
        return self.usd[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """US dollars a month of one resource's backups in one place: to store those that stand (`now_usd`), to
    store what the plan keeps once it is full (`full_usd`), and to bring new ones there (`transfer_usd`)."""

    now_usd: Decimal = ZERO
    full_usd: Decimal = ZERO
    transfer_usd: Decimal = ZERO
    basis: Basis = Basis.UNKNOWN
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One line of a bill: `amount` of `unit` at `price_usd` each, in a month."""

    what: str
    amount: Decimal
    unit: str
    price_usd: Decimal
    monthly_usd: Decimal
    basis: Basis
    rule: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def to_the_cent(usd: Decimal) -> Decimal:
    """An amount as it is shown. Sums are taken of what is not rounded."""
    return usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def gb(size_bytes: int) -> Decimal:
    return Decimal(size_bytes) / GIB


def days(length: timedelta) -> Decimal:
    return Decimal(length // timedelta(microseconds=1)) / (86_400 * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """The rule for snapshots: the oldest is whole, and each other one holds what changed since the one before
    it, which is `daily_change` of the data a day, and never more than all."""

    daily_change: Decimal

    def holds(self, size_gb: Decimal, since: timedelta) -> Decimal:
        return size_gb * _changed(self.daily_change, since)

    def stored(self, sizes_gb: Sequence[tuple[datetime, Decimal]]) -> Decimal:
        """The GB of all together, which are given in order of time."""
        total = ZERO
        before: datetime | None = None
        for slot, size_gb in sizes_gb:
            total += size_gb if before is None else self.holds(size_gb, slot - before)
            before = slot
        return total

    def times(self, slots: tuple[datetime, ...]) -> Decimal:
        """How many whole ones these would be, all of one size."""
        return _times(self, slots)

    def __str__(self) -> str:
        return f"{percent(self.daily_change)} of the data a day"


@lru_cache(maxsize=1024)
def _changed(daily_change: Decimal, since: timedelta) -> Decimal:
    """The share of the data. Thousands of resources have few distances."""
    return min(Decimal(1), daily_change * days(since))


@lru_cache(maxsize=1024)
def _times(change: Incremental, slots: tuple[datetime, ...]) -> Decimal:
    return change.stored([(slot, Decimal(1)) for slot in slots])


def percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a kind's snapshots are paid for, and from how many bytes on what AWS tells of their size can be
    true."""

    word: str
    price: str
    least_bytes: int = 1


_SNAPSHOTS: Mapping[str, _Kind] = {
    "rds": _Kind(word="RDS", price="rds_snapshot_gb_month"),
    # By RDS's API reference, AllocatedStorage "always returns 1" for Aurora, whose storage is not fixed.
    "aurora": _Kind(word="Aurora", price="aurora_snapshot_gb_month", least_bytes=GIB + 1),
    "ebs": _Kind(word="EBS", price="ebs_snapshot_gb_month"),
}


def cost_of(
    *,
    kind: str,
    is_copy: bool,
    backups: Sequence[Backup],
    steady: Sequence[datetime],
    every: timedelta,
    prices: Prices,
    resource_bytes: int | None = None,
    full_every_days: int = 1,
) -> Cost:
    """What the backups of one resource in one place cost.

    `backups` are ours that stand there and are available. `steady` are the slots that the policy keeps once
    it is full (`core.future.steady_slots`), each `every` being the time from one run to the next. Where AWS
    tells no size of the backups themselves, as of exports, `resource_bytes` is what is known of the resource
    from elsewhere. `full_every_days` is that of the copy rule.
    """
    if every <= timedelta(0):
        raise ValueError(f"a backup each {every} is none")
    standing = sorted(backups, key=slot_of)
    case = _Case(
        sizes=_sizes(standing, resource_bytes, _SNAPSHOTS[kind].least_bytes if kind in _SNAPSHOTS else 0),
        standing=standing,
        steady=tuple(sorted(steady)),
        every=every,
        prices=prices,
        change=Incremental(daily_change=prices.daily_change),
        full_every_days=full_every_days,
    )
    if not case.sizes:
        return Cost(rule=_why_unknown(kind, is_copy, standing))
    if kind in _SNAPSHOTS:
        return _snapshots(case, _SNAPSHOTS[kind], is_copy=is_copy)
    return _exports(case) if is_copy else _whole(case)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One resource in one place. `sizes` are the GB of what stands, in its order, and of what comes next: one
    more than stand."""

    sizes: Sequence[Decimal]
    standing: Sequence[Backup]
    steady: tuple[datetime, ...]
    every: timedelta
    prices: Prices
    change: Incremental
    full_every_days: int

    @property
    def next_gb(self) -> Decimal:
        return self.sizes[-1]

    @property
    def runs_a_month(self) -> Decimal:
        return days(MONTH) / days(self.every)

    @property
    def crosses_regions(self) -> bool:
        """A copy in another account is made of the one in its own Region."""
        return not any(one.account or one.region == region_of(source_of(one)) for one in self.standing)


def _sizes(standing: Sequence[Backup], resource_bytes: int | None, least: int) -> list[Decimal]:
    """Empty when none is known. A backup without one has that of the next newer, else the newest known."""
    told = [one.size_bytes for one in standing]
    known = [size if size is not None and size >= least else None for size in told]
    newest = next((size for size in reversed(known) if size is not None), resource_bytes)
    if newest is None:
        return []
    sizes = [newest]
    for size in reversed(known):
        sizes.append(sizes[-1] if size is None else size)
    return [gb(size) for size in reversed(sizes)]


def _whole(case: _Case) -> Cost:
    """DynamoDB: each backup is a whole copy of the table."""
    price = case.prices.of("dynamodb_backup_gb_month")
    missing = sum(one.size_bytes is None for one in case.standing)
    rule = f"each backup is a whole copy of the table, at ${price:f} per GB-month"
    if missing:
        rule += f"; AWS told no size of {missing} of {len(case.standing)}, taken to be as large as the others"
    elif not case.standing:
        rule += "; none stands yet, taken to be as large as the table"
    return Cost(
        now_usd=sum(case.sizes[:-1], ZERO) * price,
        full_usd=len(case.steady) * case.next_gb * price,
        basis=Basis.ESTIMATED if missing or not case.standing else Basis.KNOWN,
        rule=rule,
    )


def _snapshots(case: _Case, kind: _Kind, *, is_copy: bool) -> Cost:
    price, transfer = case.prices.of(kind.price), case.prices.of("transfer_between_regions_gb")
    now = case.change.stored(
        [(slot_of(one), size) for one, size in zip(case.standing, case.sizes, strict=False)]
    )
    full = case.next_gb * case.change.times(case.steady)
    rule = (
        f"{kind.word} snapshots are incremental, and AWS does not tell their own size: the oldest counts "
        f"whole, each other one as {case.change} since the one before it, at ${price:f} per GB-month"
    )
    moved = ZERO
    if is_copy and case.crosses_regions:
        moved = case.runs_a_month * case.change.holds(case.next_gb, case.every)
        rule += f"; each new copy brings that much to the Region, at ${transfer:f} per GB"
    return Cost(
        now_usd=now * price,
        full_usd=full * price,
        transfer_usd=moved * transfer,
        basis=Basis.ESTIMATED,
        rule=rule,
    )


def _exports(case: _Case) -> Cost:
    """DynamoDB's copies: exports, which stand in S3."""
    prices = case.prices
    price, export = prices.of("s3_standard_gb_month"), prices.of("dynamodb_export_gb")
    transfer = prices.of("transfer_between_regions_gb")
    now = ZERO
    for one, size_gb in zip(case.standing, case.sizes, strict=False):
        now += size_gb if one.base is None else case.change.holds(size_gb, slot_of(one) - one.base)
    made = (
        "each export holds the whole table"
        if case.full_every_days <= 1
        else (
            f"a whole export each {case.full_every_days} days, and between them {case.change}; "
            "with each that is kept stand those that it is based on"
        )
    )
    return Cost(
        now_usd=now * price,
        full_usd=_kept_exports_gb(case) * price,
        transfer_usd=_exported_gb(case) * (export + transfer),
        basis=Basis.ESTIMATED,
        rule=(
            f"{made}, uncompressed, at ${price:f} per GB-month of S3 Standard; each is exported at "
            f"${export:f} and brought to the Region at ${transfer:f} per GB"
        ),
    )


def _kept_exports_gb(case: _Case) -> Decimal:
    """Those of `full_every_days` stand on each other from the whole one on: of each such row, all up to the
    newest that is kept."""
    if case.full_every_days <= 1:
        return len(case.steady) * case.next_gb
    row = timedelta(days=case.full_every_days)
    first = case.steady[0] if case.steady else None
    longest: dict[int, timedelta] = {}
    for slot in case.steady:
        number, length = divmod(slot - (first or slot), row)
        longest[number] = max(length, longest.get(number, length))
    each = case.change.holds(case.next_gb, case.every)
    return sum((case.next_gb + length // case.every * each for length in longest.values()), ZERO)


def _exported_gb(case: _Case) -> Decimal:
    """In a month."""
    if case.full_every_days <= 1:
        return case.runs_a_month * case.next_gb
    whole = min(case.runs_a_month, days(MONTH) / case.full_every_days)
    return whole * case.next_gb + (case.runs_a_month - whole) * case.change.holds(case.next_gb, case.every)


def _why_unknown(kind: str, is_copy: bool, standing: Sequence[Backup]) -> str:
    """In no sum, and why."""
    if kind == "aurora" and standing:
        return "not counted: AWS tells 1 GiB of an Aurora cluster's snapshot whatever it holds"
    if kind == "dynamodb" and is_copy:
        return "not counted: AWS tells no size of exports, and none of the table is known"
    return (
        "not counted: AWS told no size" if standing else "not counted: no backup stands whose size could tell"
    )
