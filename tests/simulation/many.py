"""Many runs, on all processors, and what they come to."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.judge import Violation
from tests.simulation.nights import Result, simulate

_CHUNK = 10
_NOT_ABOUT_DELETING = frozenset(
    {
        "duplicate",
        "false alarm",
        "false ok",
        "false posture",
        "made by the wrong stage",
        "made without a mark",
        "messages",
        "no message",
        "not converged",
        "the simulation broke",
    }
)


@dataclass(slots=True)
class Sum:
    """What many runs came to. `failing` has the seeds by the rule that they broke."""

    runs: int = 0
    nights: int = 0
    calls: int = 0
    deletes: int = 0
    messages: int = 0
    oks: int = 0
    checks: int = 0
    well: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failing: dict[str, list[int]] = field(default_factory=dict)

    def add(self, one: Result) -> None:
        self.runs += 1
        self.nights += one.nights
        self.calls += one.calls
        self.deletes += one.deletes
        self.messages += one.messages
        self.oks += one.oks
        self.checks += one.checks
        self.well += one.well
        self.faults += one.faults
        for rule in sorted({each.rule for each in one.violations}):
            self.failing.setdefault(rule, []).append(one.seed)

    def seeds(self, *rules: str) -> int:
        """How many runs broke one of these rules."""
        return len({seed for rule in rules for seed in self.failing.get(rule, ())})

    @property
    def unsafe(self) -> int:
        """How many runs deleted what must stay."""
        return self.seeds(*(rule for rule in self.failing if rule not in _NOT_ABOUT_DELETING))


@contextmanager
def results_of(seeds: range, processes: int) -> Iterator[Iterator[Result]]:
    """The results of the seeds, in the order in which they are ready."""
    if processes == 1:
        yield map(_simulated, seeds)
        return
    with get_context("spawn").Pool(processes, initializer=_leave_interrupts_to_the_parent) as pool:
        yield pool.imap_unordered(_simulated, seeds, chunksize=_CHUNK)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _simulated(seed: int) -> Result:
    """A mistake of the simulation's own is a failure of its seed, and does not cost the others."""
    try:
        return simulate(seed)
    except Exception as error:  # noqa: BLE001
        broke = Violation("the simulation broke", f"{type(error).__name__}: {error}")
        return Result(seed=seed, violations=[broke])
