"""Random nights with faults, in memory: `python -m tests.simulation --runs 10000 --seed 1`.

A seed that fails is run again, call by call, with `--one SEED --trace`.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import process_cpu_count

from tests.simulation.judge import Violation
from tests.simulation.nights import Result, simulate

_CHUNK = 10
_EVERY = 500
"""Runs between two lines of progress."""

_NOT_ABOUT_DELETING = frozenset(
    {
        "duplicate",
        "false ok",
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
    faults: Counter[str] = field(default_factory=Counter)
    failing: dict[str, list[int]] = field(default_factory=dict)

    def add(self, one: Result) -> None:
        self.runs += 1
        self.nights += one.nights
        self.calls += one.calls
        self.deletes += one.deletes
        self.messages += one.messages
        self.oks += one.oks
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


def main() -> int:
    options = _parser().parse_args()
    if options.one is not None:
        return _one(options.one, options.trace)
    started = time.monotonic()
    total = Sum()
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _results(range(options.seed, options.seed + options.runs), options.processes) as results:
            for result in results:
                total.add(result)
                _tell(result, total, time.monotonic() - started)
    except KeyboardInterrupt:
        interrupted = True
        print(f"interrupted after {total.runs} of {options.runs} runs")
    _print(total, options.seed, time.monotonic() - started)
    return 1 if total.failing or interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="the first one; the others follow it")
    parser.add_argument("--processes", type=int, default=process_cpu_count() or 1)
    parser.add_argument("--one", type=int, help="this seed alone")
    parser.add_argument("--trace", action="store_true", help="with --one: every call")
    return parser


@contextmanager
def _results(seeds: range, processes: int) -> Iterator[Iterator[Result]]:
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


def _tell(result: Result, total: Sum, seconds: float) -> None:
    """Progress, and each failure as it comes."""
    for violation in result.violations:
        print(f"seed {result.seed}: {violation.rule}: {violation.text}", file=sys.stderr, flush=True)
    if total.runs % _EVERY == 0:
        failing = len({seed for seeds in total.failing.values() for seed in seeds})
        line = f"{total.runs} runs, {total.faults.total()} faults, {failing} failing, {seconds:.0f} s"
        print(line, file=sys.stderr, flush=True)


def _one(seed: int, trace: bool) -> int:
    result = simulate(seed, trace=trace)
    print(*result.trace, sep="\n")
    for violation in result.violations:
        print(f"{violation.rule}: {violation.text}")
    return 1 if result.violations else 0


def _print(total: Sum, seed: int, seconds: float) -> None:
    kinds = Counter[str]()
    for fault, count in total.faults.items():
        kinds[fault.rpartition(": ")[2]] += count
    crashes = total.faults["crash"] + total.faults["crash of the run"]
    print(
        f"{total.runs} runs ({total.nights} nights) from seed {seed}, {total.calls} calls, {seconds:.0f} s",
        f"{total.faults.total()} faults, of these {crashes} crashes",
        *(f"  {count:>7}  {kind}" for kind, count in kinds.most_common()),
        f"{total.deletes} deletes judged, unsafe in {total.unsafe} runs",
        f"{total.messages} messages, {total.oks} of them ok, false ones in {total.seeds('false ok')} runs",
        f"duplicates in {total.seeds('duplicate')} runs",
        f"not converged: {total.seeds('not converged')} runs",
        sep="\n",
    )
    for rule, seeds in sorted(total.failing.items()):
        print(f"FAILED {rule}: {len(seeds)} runs")
        for one in sorted(seeds):
            print(f"  python -m tests.simulation --one {one} --trace")


if __name__ == "__main__":
    sys.exit(main())
