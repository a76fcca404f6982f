"""How a run goes on after a sweep: once more after a while, or on to pruning and publishing."""

from dataclasses import dataclass

_PAUSES = (60, 60, 120, 180)
_LONGEST_PAUSE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What the run knows after its `number`th sweep (the first is 1).

    `elapsed_seconds` is the time that the sweeps and the waits between them took so far.
    """

    number: int
    unfinished: bool
    elapsed_seconds: float


def pause_after(sweep: Sweep, window_seconds: float) -> int:
    """The seconds to wait before the next sweep; 0 when there is to be none.

    There is none when nothing is pending, or when the window would be over by then. A snapshot takes
    minutes to hours: the pauses grow from one minute to five.
    """
    if not sweep.unfinished:
        return 0
    index = sweep.number - 1
    pause = _PAUSES[index] if index < len(_PAUSES) else _LONGEST_PAUSE
    return pause if sweep.elapsed_seconds + pause <= window_seconds else 0
