"""How a run goes on after a sweep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.run import Sweep, pause_after

HOUR = 3600.0


@pytest.mark.parametrize(
    ("number", "pause"), [(1, 60), (2, 60), (3, 120), (4, 180), (5, 300), (6, 300), (500, 300)]
)
def test_the_pauses_grow_from_one_minute_to_five(number: int, pause: int) -> None:
    assert pause_after(Sweep(number=number, unfinished=True, elapsed_seconds=0), 12 * HOUR) == pause


@pytest.mark.parametrize("number", [1, 2, 50])
def test_there_is_no_next_sweep_when_nothing_is_pending(number: int) -> None:
    assert pause_after(Sweep(number=number, unfinished=False, elapsed_seconds=0), 12 * HOUR) == 0


@pytest.mark.parametrize(("elapsed", "pause"), [(3540.0, 60), (3541.0, 0), (3600.0, 0), (9000.0, 0)])
def test_there_is_no_next_sweep_that_would_begin_after_the_window(elapsed: float, pause: int) -> None:
    assert pause_after(Sweep(number=1, unfinished=True, elapsed_seconds=elapsed), HOUR) == pause


def test_without_a_window_there_is_one_sweep() -> None:
    assert pause_after(Sweep(number=1, unfinished=True, elapsed_seconds=0), 0) == 0


@given(st.floats(0, 86_400), st.floats(0, 900))
def test_the_sweeps_end_and_none_begins_after_the_window(window: float, seconds_of_a_sweep: float) -> None:
    number, elapsed = 1, seconds_of_a_sweep
    while pause := pause_after(Sweep(number=number, unfinished=True, elapsed_seconds=elapsed), window):
        assert elapsed + pause <= window
        number, elapsed = number + 1, elapsed + pause + seconds_of_a_sweep
    assert number <= 4 + window / 60
