"""What a run's message tells of the posture, and how it gets from one function to the next."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.gathered import glance_of
from holdfast.core.glance import MOST_SENTENCES, Glance, Standing, glance_from_dict
from holdfast.core.posture import (
    Gap,
    Health,
    PlanPosture,
    Posture,
    Protection,
    Uncovered,
)
from tests.postures import AT, HOME, protection


def standing(name: str, health: Health, place: str = "us-east-1") -> Protection:
    return replace(protection("rds", name, place), health=health)


WHOLE = Glance(
    at=AT,
    standing=Standing.BREACHED,
    resources=42,
    recoverable=40,
    waiting=1,
    breached=1,
    of_plan=1,
    uncovered=3,
    breaches=("nightly: rds orders in us-west-2: no",),
    problems=("one",),
    now_usd=Decimal("1.10"),
    full_usd=Decimal("11.05"),
    own_usd=Decimal("0.43"),
    cost_is_whole=False,
    page="s3://reports/page/index.html",
)


class TestOnTheWay:
    def test_it_arrives_as_it_left(self) -> None:
        assert glance_from_dict(json.loads(json.dumps(WHOLE.to_dict()))) == WHOLE

    @settings(max_examples=20)
    @given(
        st.builds(
            Glance,
            at=st.just(AT),
            standing=st.sampled_from(Standing),
            resources=st.integers(0),
            recoverable=st.integers(0),
            breaches=st.lists(st.text(), max_size=3).map(tuple),
            problems=st.lists(st.text(), max_size=3).map(tuple),
            now_usd=st.decimals(0, 10**6, places=2),
            full_usd=st.decimals(0, 10**6, places=2),
            own_usd=st.decimals(0, 10**6, places=2),
            page=st.text(),
        )
    )
    def test_so_does_any(self, glance: Glance) -> None:
        assert glance_from_dict(json.loads(json.dumps(glance.to_dict()))) == glance

    @pytest.mark.parametrize("key", sorted(WHOLE.to_dict()))
    @pytest.mark.parametrize("value", [None, "x", [], {}])
    def test_what_is_not_one_is_told_by_an_error_that_the_reader_expects(
        self, key: str, value: object
    ) -> None:
        data: dict[str, Any] = WHOLE.to_dict() | {key: value}
        try:
            glance = glance_from_dict(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        assert isinstance(glance, Glance)

    def test_a_key_that_is_missing_is_such_an_error(self) -> None:
        for key in WHOLE.to_dict():
            with pytest.raises(KeyError):
                glance_from_dict({name: value for name, value in WHOLE.to_dict().items() if name != key})

    @pytest.mark.parametrize("character", ["x", "ü", "\U0001f4a5", '"', "\\", "\x00", "</script>"])
    def test_however_much_is_wrong_it_stays_small(self, character: str) -> None:
        """A durable function keeps 256 KB of a call."""
        noise = character * 100_000
        bad = [
            replace(protection("rds", f"orders-{number}", health=Health.MISSING), reason=noise)
            for number in range(500)
        ]
        posture = Posture(
            at=AT,
            home=HOME,
            protections=bad,
            plans=[PlanPosture(name=f"plan-{number}", problem=noise) for number in range(100)],
            uncovered=[
                Uncovered(kind="rds", resource=one.resource, gap=Gap.UNKNOWN_PLAN, reason=noise)
                for one in bad
            ],
            problems=[noise] * 100,
        )
        glance = glance_of(posture, "nightly", "s3://reports/page/index.html")
        assert len(json.dumps(glance.to_dict())) < 60_000
        assert glance.breached == 1000
        assert glance.breaches
        assert glance.problems
        assert len(glance.breaches) <= MOST_SENTENCES


class TestWhatItTells:
    def posture(self, *healths: Health) -> Posture:
        lines = [standing(f"db-{number}", one) for number, one in enumerate(healths)]
        return Posture(at=AT, home=HOME, protections=lines)

    @pytest.mark.parametrize(
        ("healths", "standing"),
        [
            ((), Standing.EMPTY),
            ((Health.RETIRED,), Standing.EMPTY),
            ((Health.OK, Health.RETIRED, Health.WAITING), Standing.OK),
            ((Health.OK, Health.MISSING), Standing.BREACHED),
            ((Health.OVERDUE,), Standing.BREACHED),
            ((Health.OK, Health.UNKNOWN), Standing.BREACHED),
        ],
    )
    def test_the_worst_says_how_everything_stands(
        self, healths: tuple[Health, ...], standing: Standing
    ) -> None:
        assert self.posture(*healths).standing is standing

    def test_a_problem_of_any_sort_is_never_well(self) -> None:
        well = self.posture(Health.OK)
        assert replace(well, problems=["x"]).standing is Standing.INCOMPLETE
        assert replace(well, plans=[PlanPosture(name="a", problem="x")]).standing is Standing.INCOMPLETE
        lost = Uncovered(kind="rds", resource=protection().resource, gap=Gap.UNKNOWN_PLAN, reason="")
        assert replace(well, uncovered=[lost]).standing is Standing.BREACHED
        assert replace(well, uncovered=[replace(lost, gap=Gap.NO_PLAN)]).standing is Standing.OK

    def test_each_resource_is_counted_once_wherever_it_stands(self) -> None:
        lines = [
            standing(name, health, place)
            for name, place, health in (
                ("a", "us-east-1", Health.OK),
                ("a", "us-west-2", Health.OVERDUE),
                ("b", "us-east-1", Health.OK),
                ("b", "us-west-2", Health.OK),
                ("c", "us-east-1", Health.WAITING),
                ("c", "us-west-2", Health.WAITING),
                ("d", "us-east-1", Health.WAITING),
                ("d", "us-west-2", Health.MISSING),
                ("e", "us-east-1", Health.RETIRED),
            )
        ]
        glance = glance_of(Posture(at=AT, home=HOME, protections=lines), "nightly", "page")
        assert (glance.resources, glance.recoverable, glance.waiting, glance.breached) == (4, 1, 1, 2)

    def test_what_is_worst_and_oldest_is_told_first(self) -> None:
        posture = self.posture(Health.UNKNOWN, Health.OVERDUE, Health.OK, Health.MISSING)
        assert [one.health for one in posture.breaches] == [Health.MISSING, Health.OVERDUE, Health.UNKNOWN]

    def test_those_of_the_plan_are_counted_apart(self) -> None:
        posture = self.posture(Health.MISSING, Health.MISSING)
        other = replace(posture.protections[0], plan="weekly")
        glance = glance_of(replace(posture, protections=[*posture.protections, other]), "weekly", "page")
        assert (glance.breached, glance.of_plan) == (3, 1)
