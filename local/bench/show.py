"""The results as tables for people."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

from local.bench.race import HOLDFAST, Run
from local.bench.settings import LATENCY_MS
from local.bench.size import BUILT, PLAIN, STARTED, UNCOMPILED, Sizes


def show(runs: Sequence[Run], sizes: Sizes, console: Console) -> None:
    """Print what was measured."""
    free = [run for run in runs if not run.limit and run.sweep == 1]
    limited = [run for run in runs if run.limit]
    own = [run for run in runs if run.contender == HOLDFAST and not run.limit]
    console.print(Group(_speed(free), _calls(own), _limit(limited), _size(sizes)))


def empty_table(title: str, *columns: str) -> Table:
    """A table without rows. The column without a heading has the names of the rows, the others numbers."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table


def _speed(runs: Sequence[Run]) -> Table:
    """Ratios are to the plain loop."""
    plain = next(run for run in runs if run.contender == "serial").seconds
    title = f"{runs[0].tables} tables, {LATENCY_MS} ms added to each call, no limit"
    table = empty_table(title, "", "s", "x serial", "lost", "twice", "throttled", "moto's CPU")
    for run in runs:
        table.add_row(
            run.contender,
            f"{run.seconds:.1f}",
            f"{run.seconds / plain:.2f}",
            *map(str, (run.lost, run.doubled, run.throttled)),
            f"{run.moto_share:.0%}",
        )
    return table


def _calls(runs: Sequence[Run]) -> Table:
    table = empty_table("Holdfast's calls", "", *(f"sweep {run.sweep}" for run in runs))
    for operation in sorted({operation for run in runs for operation in run.calls}):
        table.add_row(operation, *(str(run.calls.get(operation, 0)) for run in runs))
    table.add_section()
    table.add_row("all", *(str(run.total_calls) for run in runs))
    table.add_row("floor", *(str(run.floor_calls) for run in runs))
    table.add_row("allowed", *(str(run.allowed_calls) for run in runs))
    table.add_row("a table", *(f"{run.total_calls / run.tables:.3f}" for run in runs))
    return table


def _limit(runs: Sequence[Run]) -> Table:
    one = runs[0]
    title = (
        f"{one.tables} tables, {one.limit} CreateBackup calls a second: {one.floor_seconds:.0f} s at least"
    )
    table = empty_table(title, "", "s", "x floor", "throttled", "lost", "twice", "moto's CPU")
    for run in runs:
        table.add_row(
            run.contender,
            f"{run.seconds:.1f}",
            "unfinished" if run.lost else f"{run.seconds / run.floor_seconds:.2f}",
            *map(str, (run.throttled, run.lost, run.doubled)),
            f"{run.moto_share:.0%}",
        )
    return table


def _size(sizes: Sizes) -> Table:
    repeats = len(sizes.starts) // len(STARTED)
    title = f"Cold starts (medians of {repeats}) and peak memory in the Lambda runtime"
    table = empty_table(title, "", "ms", "x", "Init", "CPU ms", "x", "MB", "x", "MB, run")
    for name, variant in STARTED:
        if variant == PLAIN:
            continue
        cold, cpu, peak = (
            _with_ratio(sizes, name, variant, what) for what in ("cold_ms", "cpu_ms", "peak_mb")
        )
        table.add_row(
            name if variant == BUILT else f"{name} *",
            *cold,
            f"{sizes.median_of(name, variant, 'init_ms'):.0f}",
            *cpu,
            *peak,
            f"{sizes.peak_mb[name]:.0f}" if variant == BUILT else "",
        )
    table.caption = (
        f"x: times a handler with boto3 and the same clients alone. *: {UNCOMPILED}.\n"
        f"The run was over {sizes.tables} tables and took {sizes.run_seconds:.1f} s."
    )
    return table


def _with_ratio(sizes: Sizes, name: str, variant: str, what: str) -> tuple[str, str]:
    measured, plain = (sizes.median_of(name, one, what) for one in (variant, PLAIN))
    return f"{measured:.0f}", f"{measured / plain:.2f}"
