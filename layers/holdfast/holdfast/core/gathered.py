"""Breaches that have their cause in common, told as one: a schedule that is dead is one thing to mend.

And what a run's message tells of them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from holdfast.core.brief import cut
from holdfast.core.cost import ZERO, Basis, to_the_cent
from holdfast.core.glance import LONGEST_SENTENCE, MOST_CHARACTERS, MOST_SENTENCES, Glance
from holdfast.core.posture import Gap, Health, Posture, Protection

MOST_NAMES = 4
"""Resources that are named before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Breaches of one plan whose health and reason are the same. There is at least one."""

    lines: Sequence[Protection]

    @property
    def plan(self) -> str:
        return self.lines[0].plan

    @property
    def health(self) -> Health:
        return self.lines[0].health

    @property
    def reason(self) -> str:
        return self.lines[0].reason

    @property
    def named(self) -> list[tuple[str, str]]:
        """The kinds and titles of the first resources that it is about."""
        return self._resources[:MOST_NAMES]

    @property
    def and_more(self) -> str:
        """How many resources there are besides: ` and 12 more`."""
        rest = len(self._resources) - MOST_NAMES
        return f" and {rest} more" if rest > 0 else ""

    @property
    def names(self) -> str:
        """What it is about: `rds billing, rds website and 12 more`."""
        return ", ".join(f"{kind} {title}" for kind, title in self.named) + self.and_more

    @property
    def _resources(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((one.kind, one.title) for one in self.lines))

    @property
    def places(self) -> str:
        return ", ".join(dict.fromkeys(one.place for one in self.lines))


def gathered(breaches: Iterable[Protection]) -> list[Gathered]:
    """The breaches in groups, in the order of each one's first."""
    groups: dict[tuple[str, Health, str], list[Protection]] = {}
    for one in breaches:
        groups.setdefault((one.plan, one.health, one.reason), []).append(one)
    return [Gathered(lines=each) for each in groups.values()]


def glance_of(posture: Posture, plan: str, page: str) -> Glance:
    """What the message of a run of the plan tells of the posture. `page` is the page's address."""
    together = gathered(posture.breaches)
    breaches = [
        f"{one.plan}: {one.names} in {one.places}: {cut(one.reason, LONGEST_SENTENCE)}" for one in together
    ]
    breaches += [f"{one.kind} {one.name}: {cut(one.reason, LONGEST_SENTENCE)}" for one in posture.misnamed]
    costs = [one.cost for one in posture.protections]
    unusable = [
        f"plan {one.name}: {cut(one.problem, LONGEST_SENTENCE)}" for one in posture.plans if one.problem
    ]
    problems = [cut(one, LONGEST_SENTENCE) for one in posture.problems]
    return Glance(
        at=posture.at,
        standing=posture.standing,
        resources=len(posture.resources),
        recoverable=len(posture.recoverable),
        waiting=len(posture.waiting),
        breached=len(posture.breaches) + len(posture.misnamed),
        of_plan=sum(one.plan == plan for one in posture.breaches),
        uncovered=sum(one.gap is Gap.NO_PLAN for one in posture.uncovered),
        breaches=_fitting(breaches),
        problems=_fitting([*unusable, *problems]),
        now_usd=to_the_cent(sum((one.now_usd + one.transfer_usd for one in costs), ZERO)),
        full_usd=to_the_cent(sum((one.full_usd + one.transfer_usd for one in costs), ZERO)),
        own_usd=to_the_cent(sum((one.monthly_usd for one in posture.own_cost), ZERO)),
        cost_is_whole=all(one.basis is not Basis.UNKNOWN for one in costs),
        page=page,
    )


def _fitting(sentences: Sequence[str]) -> list[str]:
    """The first of them, as many as may be handed on."""
    ends = accumulate(len(json.dumps(one)) for one in sentences[:MOST_SENTENCES])
    return [one for one, end in zip(sentences, ends, strict=False) if end <= MOST_CHARACTERS]
