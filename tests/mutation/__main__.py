"""Plant each bug in a copy of the repository and see which test catches it.

    python -m tests.mutation [--jobs 2] [part of a name ...]

Ends with 1 when one survives, with 2 when the tests fail without any bug, and with an error when they cannot
be run.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.mutation.mutants import MUTANTS, PACKAGE, ROOT, Mutant

SUITES = (
    *(
        f"tests/unit/test_{name}.py"
        for name in (
            "retention",
            "pruning",
            "spans",
            "told",
            "holds",
            "planning",
            "assessing",
            "coverage",
            "health",
        )
    ),
    *(
        f"tests/integration/test_{name}.py"
        for name in ("prune", "publish", "create", "copy", "copies_arrive", "vault", "run_plan", "check")
    ),
)
"""Those that are about what is decided and done, the quickest first."""

_NEEDED = (PACKAGE, "functions", "tests", "docs", "pyproject.toml")
_TIMEOUT_SECONDS = 300
_FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the tests: `caught_by` is the first one that failed, and empty when none did."""

    caught_by: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Plants bugs.")
    parser.add_argument("names", nargs="*", help="only the bugs with one of these in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="bugs at the same time")
    options = parser.parse_args()
    mutants = [one for one in MUTANTS if not options.names or any(name in one.name for name in options.names)]
    console = Console(width=150)
    with _copies(options.jobs) as copies:
        clean = _test(copies.queue[0])
        if clean.caught_by:
            console.print(f"[red]Without any bug, {clean.caught_by} fails.[/]")
            return 2
        with Progress(console=console, transient=True) as progress:
            trials = list(progress.track(_all_trials(mutants, copies, options.jobs), total=len(mutants)))
    console.print(_table(mutants, trials))
    survivors = [mutant for mutant, trial in zip(mutants, trials, strict=True) if not trial.caught_by]
    console.print(f"{len(mutants) - len(survivors)} of {len(mutants)} caught")
    for mutant in survivors:
        console.print(f"  [red]survives:[/] {mutant.name} ({mutant.breaks})")
    return 1 if survivors else 0


def _all_trials(mutants: Sequence[Mutant], copies: "Queue[Path]", jobs: int) -> "Iterator[Trial]":
    def one(mutant: Mutant) -> Trial:
        copy = copies.get()
        try:
            return _trial(mutant, copy)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(one, mutants)


@contextmanager
def _copies(count: int) -> "Iterator[Queue[Path]]":
    """So many copies of what the tests need, each for one trial at a time."""
    copies: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        for number in range(count):
            copy = Path(directory) / str(number)
            for name in _NEEDED:
                source, target = ROOT / name, copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, target)
            copies.put(copy)
        yield copies


def _trial(mutant: Mutant, copy: Path) -> Trial:
    path = copy / mutant.path
    source = path.read_text()
    path.write_text(mutant.planted(source))
    try:
        return _test(copy)
    finally:
        path.write_text(source)


def _test(copy: Path) -> Trial:
    """Run the suites in a copy until a test fails: the examples first, which take seconds, then the
    properties, which try the same each time."""
    started = time.monotonic()
    caught = _first_failure(copy, "not hypothesis and not slow") or _first_failure(copy, "hypothesis")
    return Trial(caught, time.monotonic() - started)


def _first_failure(copy: Path, which: str) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-rf", "-p", "no:cacheprovider", "-m", which, *SUITES]
    environment = {**os.environ, "CI": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("HYPOTHESIS_PROFILE", None)
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the time-out of {_TIMEOUT_SECONDS} s"
    failed = _FAILED.search(done.stdout)
    if done.returncode == pytest.ExitCode.TESTS_FAILED and failed:
        return failed[1]
    if done.returncode == pytest.ExitCode.OK:
        return ""
    # A run that broke has caught nothing.
    raise RuntimeError(
        f"pytest ended with {done.returncode} in {copy}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    )


def _table(mutants: Sequence[Mutant], trials: Sequence[Trial]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, title="Planted bugs", title_justify="left")
    for heading in ("bug", "breaks", "caught by", "s"):
        table.add_column(heading, overflow="fold")
    for mutant, trial in zip(mutants, trials, strict=True):
        caught = trial.caught_by.removeprefix("tests/") or "[red]nothing[/]"
        table.add_row(mutant.name, mutant.breaks, caught.replace("[", "\\["), f"{trial.seconds:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
