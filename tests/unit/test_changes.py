"""What is otherwise than a day ago."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.changes import MOST_CHANGES, changes
from holdfast.core.cost import Basis, Cost
from holdfast.core.glance import LONGEST_SENTENCE
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
from tests.postures import AT, HOME, SLOT, arn, company, large, protection, well

DAY = timedelta(days=1)
NIGHTLY = PlanPosture(name="nightly", rpo_hours=26, rto_minutes=60, keeps={"us-east-1": "daily 7"})


def posture(
    *protections: Protection,
    plans: Sequence[PlanPosture] = (NIGHTLY,),
    uncovered: Sequence[Uncovered] = (),
    headroom: Sequence[Headroom] = (),
    problems: Sequence[str] = (),
) -> Posture:
    return Posture(
        at=AT,
        home=HOME,
        plans=plans,
        protections=protections,
        uncovered=uncovered,
        headroom=headroom,
        problems=problems,
    )


def line(kind: str, name: str, place: str = "us-east-1", health: Health = Health.OK) -> Protection:
    """One whose cost is not known."""
    return replace(protection(kind, name, place, health), cost=Cost())


def worse(text: str) -> Change:
    return Change(text=text, is_worse=True)


def told(text: str) -> Change:
    return Change(text=text, is_worse=False)


def gap(name: str = "scratch", kind: Gap = Gap.NO_PLAN) -> Uncovered:
    return Uncovered(kind="rds", resource=arn("rds", name), gap=kind, reason="no plan protects it")


# Resources


FINE = line("rds", "billing")


@pytest.mark.parametrize(
    ("health", "text"),
    [
        (Health.OVERDUE, "rds billing in us-east-1 is overdue since 2026-11-06T04:00:00Z"),
        (Health.MISSING, "rds billing in us-east-1 is missing since 2026-11-07T00:00:00Z"),
        (Health.UNKNOWN, "rds billing in us-east-1 is unknown"),
    ],
)
def test_what_got_bad_is_told_with_since_when_and_what_got_well(health: Health, text: str) -> None:
    bad = replace(line("rds", "billing", health=health), newest=None)
    if health is Health.OVERDUE:
        bad = line("rds", "billing", health=health)
        assert bad.newest == SLOT - 3 * DAY
    fine = replace(FINE, newest=bad.newest)
    assert changes(posture(fine), posture(bad)) == [worse(text)]
    assert changes(posture(bad), posture(fine)) == [told(f"rds billing in us-east-1 is {health} no longer")]


def test_from_bad_to_worse_and_back() -> None:
    overdue = line("rds", "billing", health=Health.OVERDUE)
    missing = line("rds", "billing", health=Health.MISSING)
    assert changes(posture(overdue), posture(missing)) == [
        worse("rds billing in us-east-1 is missing since 2026-11-07T00:00:00Z, and was overdue before")
    ]
    (back,) = changes(posture(missing), posture(overdue))
    assert not back.is_worse


def test_what_is_new_and_bad_at_once_is_both() -> None:
    assert changes(posture(), posture(line("rds", "billing", health=Health.MISSING))) == [
        worse("rds billing in us-east-1 is missing since 2026-11-07T00:00:00Z"),
        told("rds billing is protected by the plan nightly now"),
    ]


def test_a_resource_in_two_places_is_protected_once() -> None:
    both = posture(FINE, line("rds", "billing", "us-west-2"))
    assert changes(posture(), both) == [told("rds billing is protected by the plan nightly now")]


def test_what_is_protected_no_longer_is_told_with_why() -> None:
    before = posture(FINE)
    gone = "rds billing is no longer protected by the plan nightly: "
    assert changes(before, posture()) == [worse(f"{gone}it is gone, or was taken out")]
    retired = replace(FINE, health=Health.RETIRED)
    assert changes(before, posture(retired)) == [worse(f"{gone}it is gone, or was taken out")]
    assert changes(before, posture(uncovered=[gap("billing")])) == [worse(f"{gone}no plan protects it")]


def test_what_went_to_another_plan_needs_nobody() -> None:
    plans = (NIGHTLY, replace(NIGHTLY, name="weekly"))
    assert changes(posture(FINE, plans=plans), posture(replace(FINE, plan="weekly"), plans=plans)) == [
        told("rds billing is no longer protected by the plan nightly: another plan does"),
        told("rds billing is protected by the plan weekly now"),
    ]


def test_a_newest_backup_that_is_gone_was_not_deleted_by_holdfast() -> None:
    older = replace(FINE, newest=SLOT - DAY)
    assert changes(posture(FINE), posture(older)) == [
        worse(
            "rds billing in us-east-1 has lost its newest backup, of 2026-11-08T02:00:00Z, and not by"
            " Holdfast: the newest is of 2026-11-07T02:00:00Z"
        )
    ]
    assert changes(posture(older), posture(FINE)) == []


def test_fewer_backups_are_no_change_retention_may_be_why() -> None:
    assert changes(posture(FINE), posture(replace(FINE, good=1))) == []


def test_many_alike_are_one_sentence_with_the_first_names() -> None:
    fine = [line("rds", f"db{number}") for number in range(5)]
    bad = [replace(one, health=Health.UNKNOWN) for one in fine]
    assert changes(posture(*fine), posture(*bad[:3], *fine[3:])) == [
        worse(f"rds db{number} in us-east-1 is unknown") for number in range(3)
    ]
    assert changes(posture(*fine), posture(*bad)) == [
        worse("5 rds resources in us-east-1 are unknown: db0, db1, db2 and 2 more")
    ]


# Plans


def test_a_plan_that_came_or_went_speaks_for_its_resources() -> None:
    with_plan, without = posture(FINE), posture(plans=())
    assert changes(with_plan, without) == [worse("the plan nightly is gone, which protected 1 resource")]
    assert changes(without, with_plan) == [told("the plan nightly is new")]


def test_a_plan_that_cannot_be_used_speaks_for_its_resources() -> None:
    broken = posture(plans=[PlanPosture(name="nightly", problem="keep is empty")])
    assert changes(posture(FINE), broken) == [
        worse("the plan nightly cannot be used any more: keep is empty")
    ]
    assert changes(broken, posture(FINE)) == [told("the plan nightly can be used again")]
    assert changes(posture(plans=()), broken) == [
        worse("the plan nightly is new, and cannot be used: keep is empty")
    ]


def test_what_a_plan_says_otherwise_is_told() -> None:
    other = replace(
        NIGHTLY, rpo_hours=50, rto_minutes=90, keeps={"us-east-1": "daily 3", "us-west-2": "daily 1"}
    )
    assert changes(posture(), posture(plans=[other])) == [
        told("the plan nightly keeps in us-east-1: daily 3; before: daily 7"),
        told("the plan nightly keeps in us-west-2: daily 1; before: nothing"),
        told("the plan nightly has an RPO of 50 hours; before: 26"),
        told("the plan nightly has an RTO of 90 minutes; before: 60"),
    ]


# Coverage


@pytest.mark.parametrize("kind", list(Gap))
def test_what_is_new_without_a_plan_needs_a_person_unless_one_took_it_out(kind: Gap) -> None:
    found = changes(posture(), posture(uncovered=[gap(kind=kind)]))
    assert found == [
        Change(text="rds scratch has no plan: no plan protects it", is_worse=kind is not Gap.OPTED_OUT)
    ]


def test_what_was_without_a_plan_before_is_not_new() -> None:
    assert changes(posture(uncovered=[gap()]), posture(uncovered=[gap()])) == []
    assert changes(posture(uncovered=[gap()]), posture()) == []
    assert changes(posture(problems=["not seen"]), posture(uncovered=[gap()])) == []


def test_what_got_a_plan_is_protected() -> None:
    assert changes(posture(uncovered=[gap("billing")]), posture(FINE)) == [
        told("rds billing is protected by the plan nightly now")
    ]


# Quotas and costs


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [(79, 80, True), (80, 79, False), (80, 99, None), (99, 100, True), (100, 80, False), (100, 101, None)],
)
def test_thresholds_of_quotas_are_told_when_they_are_crossed(
    was: int, now: int, expected: bool | None
) -> None:
    one = Headroom(kind="rds", place="us-west-2", standing=was, most=100)
    found = changes(posture(headroom=[one]), posture(headroom=[replace(one, standing=now)]))
    text = f"rds in us-west-2: {now} of 100 backups that may stand do now; before: {was} of 100"
    assert found == ([] if expected is None else [Change(text=text, is_worse=expected)])


@pytest.mark.parametrize(
    ("was", "now", "is_told"),
    [
        ("100", "110", False),
        ("100", "110.01", True),
        ("1", "2", False),
        ("1", "2.01", True),
        ("9", "1", False),
    ],
)
def test_growth_of_the_cost_is_told_from_a_tenth_and_a_dollar_on(was: str, now: str, is_told: bool) -> None:
    def costs(usd: str) -> Posture:
        return posture(replace(FINE, cost=Cost(now_usd=Decimal(usd), basis=Basis.KNOWN)))

    found = changes(costs(was), costs(now))
    more = Decimal(now) - Decimal(was)
    text = f"the backups cost {Decimal(now):.2f} dollars a month, {more:.2f} more than before"
    assert found == ([told(text)] if is_told else [])


def test_to_learn_a_size_is_no_growth() -> None:
    unknown = posture(replace(FINE, cost=Cost()))
    known = posture(replace(FINE, cost=Cost(now_usd=Decimal(100), basis=Basis.ESTIMATED)))
    assert changes(unknown, known) == changes(known, unknown) == []


def test_to_read_a_plan_again_is_no_growth() -> None:
    broken = posture(plans=[PlanPosture(name="nightly", problem="keep is empty")])
    known = posture(replace(FINE, cost=Cost(now_usd=Decimal(100), basis=Basis.KNOWN)))
    assert changes(broken, known) == [told("the plan nightly can be used again")]


# All of it


@pytest.mark.parametrize("make", [company, well, lambda: large(300)], ids=["company", "well", "large"])
def test_nothing_is_otherwise_than_itself(make: Callable[[], Posture]) -> None:
    assert changes(make(), make()) == []


HEALTHS = st.lists(st.sampled_from(list(Health)), min_size=12, max_size=12)


@settings(max_examples=40)
@given(HEALTHS, HEALTHS)
def test_what_breached_one_way_heals_the_other(before: list[Health], now: list[Health]) -> None:
    def of(healths: list[Health]) -> Posture:
        return posture(*(replace(line("rds", f"db{n}"), health=one) for n, one in enumerate(healths)))

    def count(found: list[Change], words: str) -> int:
        """How many resources the sentences with these words speak of."""
        return sum(
            int(one.text.split()[0]) if one.text[0].isdigit() else 1 for one in found if words in one.text
        )

    there, back = changes(of(before), of(now)), changes(of(now), of(before))
    both = [(a, b) for a, b in zip(before, now, strict=True) if Health.RETIRED not in (a, b)]
    healed = sum(a in BREACHES and b not in BREACHES for a, b in both)
    assert count(there, "no longer") - count(there, "no longer protected") == healed
    assert count(there, "is protected") + count(there, "are protected") == count(back, "no longer protected")
    assert [one.is_worse for one in there] == sorted((one.is_worse for one in there), reverse=True)


def test_there_is_an_end_to_it() -> None:
    """What comes last needs nobody, unless there is that much that does."""
    plans = [replace(NIGHTLY, name=f"plan{number}", problem="x" * 9000) for number in range(100)]
    found = changes(posture(plans=()), posture(*large(300).protections, plans=plans))
    assert len(found) == MOST_CHANGES
    assert found[-1].text.endswith(" more changes")
    assert found[-1].is_worse
    assert all(len(one.text) <= LONGEST_SENTENCE + 2 for one in found)
