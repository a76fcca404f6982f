"""Which resources no plan protects, and why."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from holdfast.core.model import OPT_OUT, PLAN_TAG, Plan, Resource
from holdfast.core.planning import select
from holdfast.core.posture import Gap, Uncovered

WATCHED_KINDS = frozenset({"dynamodb", "rds", "aurora"})
"""The kinds of which each one should have a plan: tables and databases hold data by their nature, a volume
may be a machine's scratch space. A volume is told only where a tag meant to protect it."""


def uncovered(
    resources: Mapping[str, Sequence[Resource]],
    plans: Iterable[Plan],
    unusable: Mapping[str, str],
    elsewhere: Collection[tuple[str, str]] = (),
) -> list[Uncovered]:
    """The resources (by kind) that no plan protects, by what needs a person most.

    `unusable` has the problems of the plans that cannot be used, by name: what is tagged with one of them is
    protected by nothing for as long. `elsewhere` has the resources that other stacks have backups of, each
    with the name of their plan. A stack that only keeps another account's copies knows none of the plans
    here, and tells nothing.
    """
    given = list(plans)
    plans = [plan for plan in given if plan.vault_of is None]
    if given and not plans and not unusable:
        return []
    found = [
        gap
        for kind, of_kind in resources.items()
        for gap in _of_kind(
            kind,
            [one for one in of_kind if (one.arn, _named(one)) not in elsewhere],
            [plan for plan in plans if kind in plan.select.types],
            plans,
            unusable,
        )
    ]
    order = list(Gap)
    return sorted(found, key=lambda one: (order.index(one.gap), one.kind, one.resource))


def _of_kind(
    kind: str,
    resources: Sequence[Resource],
    of_kind: Iterable[Plan],
    plans: Sequence[Plan],
    unusable: Mapping[str, str],
) -> Iterable[Uncovered]:
    protected: set[str] = set()
    left: dict[str, str] = {}
    for plan in of_kind:
        chosen, out = select(resources, plan.select)
        protected.update(one.arn for one in chosen)
        left |= {one.resource: f"plan {plan.name}: {one.reason}" for one in out}
    for one in {each.arn: each for each in resources}.values():  # pages of a listing may overlap
        if one.arn in protected:
            continue
        gap = _gap(one, left.get(one.arn, ""), {plan.name for plan in plans}, unusable)
        if kind in WATCHED_KINDS or (_named(one) and gap[0] is not Gap.OPTED_OUT):
            yield Uncovered(kind=kind, resource=one.arn, gap=gap[0], reason=gap[1])


def _named(one: Resource) -> str:
    """The plan that its tag names, or that of what it belongs to."""
    return one.tags.get(PLAN_TAG) or one.group_tags.get(PLAN_TAG, "")


def _gap(
    one: Resource, left_out: str, plans: Collection[str], unusable: Mapping[str, str]
) -> tuple[Gap, str]:
    named = _named(one)
    if named == OPT_OUT:
        return Gap.OPTED_OUT, f"its tag {PLAN_TAG}={OPT_OUT} takes it out of every plan"
    if left_out:
        return Gap.OPTED_OUT, left_out
    if named in unusable:
        return Gap.UNKNOWN_PLAN, f"its tag names the plan {named}, which cannot be used: {unusable[named]}"
    if named and named not in plans:
        known = ", ".join(sorted(plans)) or "none at all"
        return Gap.UNKNOWN_PLAN, f"its tag {PLAN_TAG}={named} names no plan; there are: {known}"
    if named:
        return Gap.NO_PLAN, f"its tag names the plan {named}, which does not select it"
    return (
        Gap.NO_PLAN,
        f"no plan protects it: give it the tag {PLAN_TAG}, or {PLAN_TAG}={OPT_OUT} to say that none should",
    )
