"""How long it takes to decide which backups to delete: `python -m local.bench.retention [--quick] [--json]`.

Ends non-zero when the time for each backup grows with their number, or when restic would delete another
number of the same backups.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import inf

from rich.console import Console
from rich.table import Table

from local.bench.show import empty_table
from local.paths import ROOT
from local.restic import PACKAGE, Repository, Restic, a_repository, find
from local.sandbox import environment

KEEP: Mapping[str, int] = {"daily": 7, "weekly": 4, "monthly": 12}
OF_EACH = 100
"""Backups of each resource, one of each night."""
REPEATS = 3
"""The shortest time of so many counts: what is above it is the machine's other work."""
MOST_GROWTH = 1.5
"""How many times the time for each backup may be of ten times as many, before it is no longer linear."""

_NEWEST = datetime(2024, 12, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Holdfast's decision on so many backups, without the making of the input.

    Time for each backup is processor time, on which a busy machine has less effect. Memory is the process's
    peak: `empty_mb` after the imports, `input_mb` with the backups to decide on, `peak_mb` at the end.
    """

    backups: int
    seconds: float
    cpu_seconds: float
    deletes: int
    empty_mb: float
    input_mb: float
    peak_mb: float

    @property
    def each_us(self) -> float:
        return self.cpu_seconds / self.backups * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRestic:
    """The same backups as a repository on this machine.

    `read_seconds` is of `restic snapshots --host none`, which reads every snapshot and finds none of that
    host; `forget_seconds` of `restic forget --dry-run --quiet`, which reads as many and decides.
    """

    version: str
    backups: int
    deletes: int
    read_seconds: float
    forget_seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.bench.retention", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the backups")
    parser.add_argument("--json", action="store_true", help="print everything that was measured, as JSON")
    arguments = parser.parse_args()
    sizes = (1_000, 10_000, 100_000) if arguments.quick else (10_000, 100_000, 1_000_000)
    progress = Console(stderr=True)
    with progress.status("") as status:
        decided = _decide(sizes, status.update)
        restic = find()
        other = _ask(restic, sizes[1], status.update) if restic else None
    problems = _problems(decided, other)
    if arguments.json:
        results = {
            "decided": [{**asdict(one), "each_us": one.each_us} for one in decided],
            "restic": asdict(other) if other else None,
            "problems": problems,
        }
        json.dump(results, sys.stdout, indent=1)
    else:
        _show(decided, other, Console())
    for problem in problems:
        progress.print(f"[red]not as it should be:[/] {problem}")
    return 1 if problems else 0


def _decide(sizes: Sequence[int], tell: Callable[[str], None]) -> list[Decided]:
    """The fastest of the repeats of each size, which take turns: the machine's other work comes and goes."""
    runs: dict[int, list[Decided]] = {size: [] for size in sizes}
    for repeat in range(REPEATS):
        for size in sizes:
            tell(f"Holdfast decides on {size:,} backups ({repeat + 1} of {REPEATS})")
            runs[size].append(_decide_once(size))
    return [min(of_size, key=lambda one: one.cpu_seconds) for of_size in runs.values()]


def _decide_once(backups: int) -> Decided:
    policy = json.dumps({**KEEP, "minimum": 2})
    done = subprocess.run(
        [sys.executable, "-m", "local.bench.deciding", str(backups // OF_EACH), str(OF_EACH), policy],
        env=environment({"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'holdfast'}"}),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    return Decided(
        backups=backups,
        seconds=told["seconds"],
        cpu_seconds=told["cpu_seconds"],
        deletes=told["deletes"],
        empty_mb=told["empty_kb"] / 1024,
        input_mb=told["input_kb"] / 1024,
        peak_mb=told["peak_kb"] / 1024,
    )


def _ask(restic: Restic, backups: int, tell: Callable[[str], None]) -> ByRestic:
    keep = [f"--keep-{rule}={count}" for rule, count in KEEP.items()]
    read_seconds, forget_seconds, output = inf, inf, b""
    with a_repository(restic) as repository:
        tell(f"a restic repository of {backups:,} snapshots is written")
        for host in range(backups // OF_EACH):
            repository.add(str(host), (_NEWEST - timedelta(days=nights) for nights in range(OF_EACH)))
        for repeat in range(REPEATS):
            tell(f"restic reads and decides on {backups:,} snapshots ({repeat + 1} of {REPEATS})")
            read, _ = _timed(repository, "snapshots", "--host=none")
            forget, output = _timed(repository, "forget", "--dry-run", "--quiet", "--group-by=host", *keep)
            read_seconds, forget_seconds = min(read_seconds, read), min(forget_seconds, forget)
    return ByRestic(
        version=".".join(map(str, restic.version)),
        backups=backups,
        deletes=len(re.findall(rb"\b[0-9a-f]{8}\b", output)),
        read_seconds=read_seconds,
        forget_seconds=forget_seconds,
    )


def _timed(repository: Repository, *arguments: str) -> tuple[float, bytes]:
    before = repository.seconds
    output = repository.run(*arguments)
    return repository.seconds - before, output


def _problems(decided: Sequence[Decided], other: ByRestic | None) -> list[str]:
    fewer, more = decided[-2:]
    problems = []
    growth = more.each_us / fewer.each_us
    if growth > MOST_GROWTH:
        problems.append(
            f"a backup of {more.backups:,} takes {growth:.2f} times as long as one of {fewer.backups:,} "
            f"(at most {MOST_GROWTH})"
        )
    same = [one for one in decided if other and one.backups == other.backups and one.deletes != other.deletes]
    problems += [f"of {one.backups:,} backups, restic deletes another number" for one in same]
    return problems


def _show(decided: Sequence[Decided], other: ByRestic | None, console: Console) -> None:
    console.print(_sizes(decided))
    if other is None:
        console.print(f"There is no restic here to compare with: install {PACKAGE}.")
    else:
        own = next(one for one in decided if one.backups == other.backups)
        console.print(_comparison(own, other))


def _sizes(decided: Sequence[Decided]) -> Table:
    table = empty_table(
        f"Holdfast decides on {OF_EACH} nightly backups of each resource",
        *("backups", "resources", "deletes", "s", "µs each", "x", "MB in", "MB peak"),
    )
    for place, one in enumerate(decided):
        table.add_row(
            f"{one.backups:,}",
            f"{one.backups // OF_EACH:,}",
            f"{one.deletes:,}",
            f"{one.seconds:.2f}",
            f"{one.each_us:.2f}",
            f"{one.each_us / decided[place - 1].each_us:.2f}" if place else "",
            f"{one.input_mb - one.empty_mb:.0f}",
            f"{one.peak_mb:.0f}",
        )
    policy = ", ".join(f"{rule} {count}" for rule, count in KEEP.items())
    table.caption = (
        f"By {policy}, minimum 2; the fastest of {REPEATS}. s: grouping, rules, floor, reasons in words and "
        "breaker, without the making of the input. µs each: of processor time. x: times those of the row "
        "above. MB in: what the input takes. MB peak: all that the process takes, with the input and "
        f"{decided[0].empty_mb:.0f} MB of Python and imports."
    )
    return table


def _comparison(own: Decided, other: ByRestic) -> Table:
    table = empty_table(
        f"The same {own.backups:,} backups, and restic {other.version}", "", "s", "x Holdfast"
    )
    for name, seconds in (
        ("Holdfast decides", own.seconds),
        ("restic reads and decides: forget --dry-run --quiet", other.forget_seconds),
        ("restic only reads: snapshots --host none", other.read_seconds),
        ("the difference, roughly restic's deciding", other.forget_seconds - other.read_seconds),
    ):
        table.add_row(name, f"{seconds:.2f}", f"{seconds / own.seconds:.2f}")
    table.caption = (
        f"Both delete {other.deletes:,}. It is not the same work: restic reads and decrypts a file for each "
        "backup, on all processors. Holdfast is given its backups in memory: listing them takes AWS longer "
        "than all of this, and is not in it."
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
