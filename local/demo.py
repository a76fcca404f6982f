"""The whole of Holdfast on this machine: deployed, filled, run for fourteen nights, and checked.

    python -m local.demo [--nights 14]

Ends with 1 when what stands is not what the plan asks for.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from local import expectation, invoke, sandbox, show, standing
from local.cloud import Cloud
from local.deploy import DeployError
from local.house import MACHINES, House, furnish
from local.invoke import read_event
from local.lambda_runtime import MissingToolError
from local.mail import MAILBOX
from local.nights import FIRST_NIGHT, Schedule, read_schedule, run_night
from local.paths import EVENTS, ROOT
from local.processes import StartError
from local.sandbox import COPY_REGION

SLIP = {"daily": 2, "monthly": 0}
"""What somebody writes into the plan by mistake."""

_NEXT = """\
What to try next
  make cloud                leaves this cloud up, filled, with the variables to use it with aws or boto3
  make invoke FUNCTION=prune_backups EVENT=events/prune_backups.dry_run.json
  docs/retention.md         what is kept, what is deleted, what never is
  functions/run_plan.py     where to begin to read"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=14, metavar="N", help="how many nights to run")
    nights = parser.parse_args(arguments).nights
    console = Console()
    try:
        return _demo(console, nights)
    except (MissingToolError, StartError, DeployError) as error:
        console.print(f"[bold red]The demo could not be run:[/] {error}", highlight=False)
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 2


def _demo(console: Console, count: int) -> int:
    began = time.monotonic()
    with Cloud() as cloud:
        with console.status("Starting the embedded cloud, deploying the built template, filling it …"):
            house = furnish(cloud)
        schedule = read_schedule(cloud, house.stack)
        nights = list(schedule.instants(FIRST_NIGHT, count))
        _introduce(console, house, schedule, time.monotonic() - began)
        failed = _run(console, house, schedule, nights)
        differences = failed + _present(console, house, nights)
        _end(console, house, time.monotonic() - began)
    return 1 if differences else 0


def _introduce(console: Console, house: House, schedule: Schedule, seconds: float) -> None:
    console.print(
        f"[bold]Stack {house.stack.name}[/]: {len(house.stack.resources)} resources of the built "
        f"template stand after {seconds:.0f} s, on {house.cloud.endpoint}. No AWS account is involved.",
        highlight=False,
    )
    console.print(show.company())
    console.print(
        f"The schedule is [bold]{schedule.expression}[/], {schedule.zone}. Each night runs the plan's "
        "durable function, which invokes the stages in Lambda's own runtime and skips the waiting.\n",
        highlight=False,
    )


def _run(console: Console, house: House, schedule: Schedule, nights: Sequence[datetime]) -> list[str]:
    """Run the nights, one line each. Returns what went wrong with them."""
    problems = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(nights))
        for night in nights:
            progress.update(task, description=f"the night of {night:%a %d %b %Y}")
            execution = run_night(house.cloud, schedule, night)
            said = house.messages(MACHINES)
            subject = str(said[-1]["Subject"]) if said else "no message"
            if execution.status != "SUCCEEDED":
                problems.append(f"the run of {night:%Y-%m-%d}: {execution.status}: {dict(execution.error)}")
            progress.console.print(f"  {night:%a %d %b %H:%MZ}  {subject}", highlight=False)
            progress.advance(task)
    return problems


def _present(console: Console, house: House, nights: Sequence[datetime]) -> list[str]:
    """Show what came of it. Returns how that differs from what the plan asks for."""
    found = standing.everything(house.cloud.clients)
    plan = house.default_plan()
    console.print()
    console.print(show.calendar(found, nights))
    records = {night: house.record(f"{night:%Y%m%dT%H%M%SZ}", "prune") for night in nights}
    console.print(show.pruned(records))
    console.print(show.kept(_dry_run_of_prune(house)["outcomes"]))
    console.print(show.slip(_dry_run_with(house, plan, SLIP)["text"], SLIP))
    console.print(show.mail(house.messages(MAILBOX)[-1]))
    differences = expectation.differences(plan, nights, found, house.copy_key)
    keep = ", ".join(f"{rule} {count}" for rule, count in plan["keep"].items() if count)
    checks = (
        f"in each Region stand the nights that the plan keeps ({keep}; copies by theirs), no other",
        "no night has two backups of one resource",
        "what is untagged or opted out has no backup; the cluster's members are left to their cluster",
        "the backups that people made by hand still stand",
        f"the copies stand in {COPY_REGION}, those of encrypted databases under the key of that Region",
    )
    console.print("\n[bold]Checked, listing with plain boto3 and counting by hand:[/]")
    show.verdict(console, checks, differences)
    return differences


def _dry_run_with(house: House, plan: Mapping[str, Any], keep: Mapping[str, int]) -> dict[str, Any]:
    """What pruning would do if the plan kept only that. The plan is put back."""
    house.put_plan({**plan, "keep": {**plan["keep"], **keep}})
    try:
        return _dry_run_of_prune(house)
    finally:
        house.put_plan(plan)


def _dry_run_of_prune(house: House) -> dict[str, Any]:
    answer = invoke.invoke(
        house.cloud.clients,
        house.stack.name,
        "prune_backups",
        read_event(EVENTS / "prune_backups.dry_run.json"),
    )
    report: dict[str, Any] = json.loads(answer.payload)
    return report


def _end(console: Console, house: House, seconds: float) -> None:
    logs = house.cloud.logs.relative_to(ROOT)
    console.print(
        f"\nIt took {seconds:.0f} s. The logs of moto and of each function are in {logs}/\n", highlight=False
    )
    console.print(_NEXT, highlight=False)


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
