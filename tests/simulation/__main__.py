"""Random nights with faults, in memory: `python -m tests.simulation --runs 10000 --seed 1`.

A seed that fails is run again, call by call, with `--one SEED --trace`.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from os import process_cpu_count

from tests.simulation.many import Sum, results_of
from tests.simulation.nights import Result, simulate

_EVERY = 500
"""Runs between two lines of progress."""


def main() -> int:
    options = _parser().parse_args()
    if options.one is not None:
        return _one(options.one, options.trace)
    started = time.monotonic()
    total = Sum()
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with results_of(range(options.seed, options.seed + options.runs), options.processes) as results:
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
        f"{total.checks} checks, {total.well} of them ok, false ones in {total.seeds('false posture')} runs",
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
