"""What many resources cost together, summed up in several ways."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
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

    def plus(self, cost: Cost) -> "Sum":
        is_unknown = cost.basis is Basis.UNKNOWN
        return Sum(
            now_usd=self.now_usd + (ZERO if is_unknown else cost.now_usd),
            full_usd=self.full_usd + (ZERO if is_unknown else cost.full_usd),
            transfer_usd=self.transfer_usd + (ZERO if is_unknown else cost.transfer_usd),
            parts=self.parts + 1,
            estimated=self.estimated + (cost.basis is Basis.ESTIMATED),
            unknown=self.unknown + is_unknown,
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
    whole = Sum()
    by_plan: defaultdict[str, Sum] = defaultdict(Sum)
    by_place: defaultdict[str, Sum] = defaultdict(Sum)
    by_kind: defaultdict[str, Sum] = defaultdict(Sum)
    by_both: defaultdict[tuple[str, str], Sum] = defaultdict(Sum)
    for key, cost in costs:
        whole = whole.plus(cost)
        by_plan[key.plan] = by_plan[key.plan].plus(cost)
        by_place[key.place] = by_place[key.place].plus(cost)
        by_kind[key.kind] = by_kind[key.kind].plus(cost)
        by_both[key.plan, key.place] = by_both[key.plan, key.place].plus(cost)
    return Totals(
        all=whole,
        by_plan=dict(sorted(by_plan.items())),
        by_place=dict(sorted(by_place.items())),
        by_kind=dict(sorted(by_kind.items())),
        by_plan_and_place=dict(sorted(by_both.items())),
    )
