"""The simulation finds bugs: each of those planted here, within a few seeds."""

import pytest

from tests.simulation.nights import simulate
from tests.simulation.planted import PLANTED, Planted

QUICK, LONG = 40, 500
FIRST = 46
"""One seed is as good as another. From this one on each bug that is not rare was found within ten."""


def found_within(planted: Planted, seeds: int) -> bool:
    with planted.planted():
        return any(
            planted.caught & {each.rule for each in simulate(seed).violations}
            for seed in range(FIRST, FIRST + seeds)
        )


@pytest.mark.parametrize("planted", [one for one in PLANTED if not one.rare], ids=lambda one: one.name)
def test_a_planted_bug_is_caught(planted: Planted) -> None:
    assert found_within(planted, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("planted", [one for one in PLANTED if one.rare], ids=lambda one: one.name)
def test_a_planted_bug_that_shows_seldom_is_caught(planted: Planted) -> None:
    assert found_within(planted, LONG)
