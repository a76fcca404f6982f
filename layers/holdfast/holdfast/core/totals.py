"""What many resources cost together, summed up in several ways."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from holdfast.core.cost import ZERO, Basis, Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """US dollars a month of `parts` resources in places, of which `estimated` are so by a rule, and `unknown`
    are in no amount."""

    now_usd: Decimal = ZERO
    full_usd: Decimal = ZERO
    transfer_usd: Decimal = ZERO
    parts: int = 0
    estimated: int = 0
    unknown: int = 0

    @property
    def is_whole(self) -> bool:
        return not self.unknown

    def plus(self, other: "Sum") -> "Sum":
        return Sum(
            now_usd=self.now_usd + other.now_usd,
            full_usd=self.full_usd + other.full_usd,
            transfer_usd=self.transfer_usd + other.transfer_usd,
            parts=self.parts + other.parts,
            estimated=self.estimated + other.estimated,
            unknown=self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The same costs, summed up in several ways."""

    all: Sum = field(default_factory=Sum)
    by_plan: Mapping[str, Sum] = field(default_factory=dict)
    by_place: Mapping[str, Sum] = field(default_factory=dict)
    by_kind: Mapping[str, Sum] = field(default_factory=dict)
    by_plan_and_place: Mapping[tuple[str, str], Sum] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostKey:
    """Whose cost it is."""

    plan: str
    place: str
    kind: str


def totals(costs: Iterable[tuple[CostKey, Cost]]) -> Totals:
    """Tens of thousands of costs have a few keys: what has the same one is summed up once, and then those."""
    same: defaultdict[CostKey, list[Cost]] = defaultdict(list)
    for key, cost in costs:
        same[key].append(cost)
    whole = Sum()
    by_plan: defaultdict[str, Sum] = defaultdict(Sum)
    by_place: defaultdict[str, Sum] = defaultdict(Sum)
    by_kind: defaultdict[str, Sum] = defaultdict(Sum)
    by_both: defaultdict[tuple[str, str], Sum] = defaultdict(Sum)
    for key, its in same.items():
        one = _sum(its)
        whole = whole.plus(one)
        by_plan[key.plan] = by_plan[key.plan].plus(one)
        by_place[key.place] = by_place[key.place].plus(one)
        by_kind[key.kind] = by_kind[key.kind].plus(one)
        by_both[key.plan, key.place] = by_both[key.plan, key.place].plus(one)
    return Totals(
        all=whole,
        by_plan=dict(sorted(by_plan.items())),
        by_place=dict(sorted(by_place.items())),
        by_kind=dict(sorted(by_kind.items())),
        by_plan_and_place=dict(sorted(by_both.items())),
    )


def _sum(costs: Sequence[Cost]) -> Sum:
    known = [one for one in costs if one.basis is not Basis.UNKNOWN]
    return Sum(
        now_usd=sum((one.now_usd for one in known), ZERO),
        full_usd=sum((one.full_usd for one in known), ZERO),
        transfer_usd=sum((one.transfer_usd for one in known), ZERO),
        parts=len(costs),
        estimated=sum(one.basis is Basis.ESTIMATED for one in costs),
        unknown=len(costs) - len(known),
    )
