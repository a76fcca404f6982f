"""The whole of Holdfast on this machine: deployed, filled, run for some nights, and checked.

    python -m local.demo [--nights 14] [--weather storm [--seed 1]]

Ends with 1 when what stands is not what the plan asks for.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from local import drilling, expectation, invoke, lookout, sandbox, show, storm, storm_demo, sweeps
from local.cloud import Cloud
from local.company import TABLES, do_business
from local.deploy import DeployError
from local.house import MACHINES, UNVERIFIED, House, furnish
from local.invoke import read_event
from local.lambda_runtime import MissingToolError
from local.mail import MAILBOX
from local.nights import (
    FIRST_NIGHT,
    SLOTS_BY_HAND,
    NightError,
    Schedule,
    night_by_hand,
    read_schedule,
    run_night,
)
from local.paths import EVENTS, ROOT
from local.processes import StartError
from local.restore import RestoreError, restore_newest
from local.sandbox import ACCOUNT_ID, COPY_REGION, HOME_REGION
from local.standing import Standing
from local.weather.forecast import CALM, PRESETS

NIGHTS = 14
STORM_NIGHTS = 5

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
    parser.add_argument("--nights", type=int, metavar="N", help="how many nights to run")
    parser.add_argument("--weather", choices=PRESETS, default=CALM.name, help="how well AWS does meanwhile")
    parser.add_argument("--seed", type=int, default=1, help="which of all storms")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        if options.weather != CALM.name:
            return storm_demo.show_nights(
                console, storm.named(options.weather, options.seed), options.nights or STORM_NIGHTS
            )
        return _demo(console, options.nights or NIGHTS)
    except (MissingToolError, StartError, DeployError, NightError) as error:
        console.print(f"[bold red]The demo could not be run:[/] {error}", highlight=False)
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 2


def _demo(console: Console, count: int) -> int:
    began = time.monotonic()
    with Cloud() as cloud:
        with console.status("Starting the embedded cloud, deploying the built template, filling it …"):
            house = furnish(cloud, UNVERIFIED)
        schedule = read_schedule(cloud, house.stack)
        *nights, last = schedule.instants(FIRST_NIGHT, count + 1)
        _introduce(console, house, schedule, time.monotonic() - began)
        problems = _run(console, house, schedule, nights)
        problems += _drill(console, house, nights[-1])
        problems += _run_by_hand(console, house, last)
        problems += _present(console, house, [*nights, last])
        _verdict(console, house, problems)
        _end(console, house, time.monotonic() - began)
    return 1 if problems else 0


def _introduce(console: Console, house: House, schedule: Schedule, seconds: float) -> None:
    console.print(
        f"[bold]Stack {house.stack.name}[/]: {len(house.stack.resources)} resources of the built "
        f"template stand in {HOME_REGION} after {seconds:.0f} s, with the key and the bucket of "
        f"template-copy-region.yaml in {COPY_REGION}. All of it is on {house.cloud.endpoint}; no AWS account "
        "is involved.",
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
            do_business(house.cloud.clients, night.date())
            execution = run_night(house.cloud, schedule, night)
            if execution.status != "SUCCEEDED":
                problems.append(f"the run of {night:%Y-%m-%d}: {execution.status}: {dict(execution.error)}")
            progress.console.print(_line(house, night), highlight=False)
            progress.advance(task)
    return problems


REHEARSED = (
    (f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/orders", HOME_REGION),
    (f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/orders", COPY_REGION),
    (f"arn:aws:rds:{HOME_REGION}:{ACCOUNT_ID}:db:billing", HOME_REGION),
)
"""The restores that the demo rehearses, of which a drill of the plan would choose by itself."""


def _drill(console: Console, house: House, night: datetime) -> list[str]:
    """Rehearse restores the morning after a night. Returns what would not do, or was left standing."""
    at = f"{night + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}"
    problems = []
    for resource, place in REHEARSED:
        asked = {"plan": "nightly", "resource": resource, "place": place, "at": at}
        with console.status(f"a drill: {resource.rpartition(':')[2]} in {place}"):
            told = drilling.ask(house.cloud.clients, house.stack.name, asked)
        drilling.show(console, told)
        problems += [
            f"the drill of {resource}: {one['why']}" for one in told["rehearsals"] if not one["passed"]
        ]
        problems += [f"the drill left {arn} behind" for arn in told["left_behind"]]
    return problems


def _line(house: House, night: datetime) -> str:
    said = house.messages(MACHINES)
    return f"  {night:%a %d %b %H:%MZ}  {said[-1]['Subject'] if said else 'no message'}"


def _run_by_hand(console: Console, house: House, night: datetime) -> list[str]:
    """One more night, in which copies have to wait for each other. Returns what went wrong with it."""
    do_business(house.cloud.clients, night.date())
    with console.status(f"the night of {night:%a %d %b %Y}, sweep by sweep"):
        told = night_by_hand(house, night)
    console.print(_line(house, night), highlight=False)
    console.print()
    console.print(show.sweeps(night, told))
    return sweeps.differences(told, SLOTS_BY_HAND)


def _present(console: Console, house: House, nights: Sequence[datetime]) -> list[str]:
    """Show what came of it. Returns how that differs from what the plan asks for."""
    found = house.standing()
    plan = house.default_plan()
    console.print(show.calendar(found, nights))
    problems = _restore(console, house, found)
    records = {night: house.record(f"{night:%Y%m%dT%H%M%SZ}", "prune") for night in nights}
    console.print(show.pruned(records))
    console.print(show.kept(_dry_run_of_prune(house)["outcomes"]))
    console.print(show.slip(_dry_run_with(house, plan, SLIP)["text"], SLIP))
    mails = house.messages(MAILBOX)
    console.print(show.mail(next(one for one in reversed(mails) if " drill of " in one["subject"])))
    console.print(show.mail(mails[-1]))
    problems += expectation.differences(plan, nights, found, house.copy_key)
    return problems + _look(console, house, found, nights[-1])


def _look(console: Console, house: House, found: Sequence[Standing], last: datetime) -> list[str]:
    """The page and how everything stands, and then what happens when no run comes any more. Returns how that
    differs from what stands."""
    page = lookout.save_page(house, lookout.PAGE).read_text()
    rows = lookout.posture_rows(house)
    console.print(show.posture(rows))
    problems = lookout.differences(rows, page, found)
    with console.status("the night in which nothing runs, check by check"):
        told = lookout.dead_schedule(house, last)
    lookout.save_page(house, lookout.DEAD_PAGE)
    console.print(show.watched(told, lookout.first_advice(house)))
    silent = [name for name, state in told[-1].alarms.items() if state != "ALARM"]
    return problems + [f"the schedule is dead, and the alarm {name} does not ring" for name in silent]


def _restore(console: Console, house: House, found: Sequence[Standing]) -> list[str]:
    """Import each table's newest export. Returns how what it has differs from the source."""
    problems, restored = [], []
    for table in TABLES:
        try:
            one = restore_newest(house.cloud.clients, house.copy_bucket, found, table.name)
        except RestoreError as error:
            problems.append(str(error))
            continue
        restored.append(one)
        problems += [f"{table.name}: the item {key} is not what it is in the source" for key in one.unequal]
    console.print(show.restored(restored))
    return problems


def _verdict(console: Console, house: House, problems: Sequence[str]) -> None:
    keep = ", ".join(f"{rule} {count}" for rule, count in house.default_plan()["keep"].items() if count)
    checks = (
        f"in {HOME_REGION} stand the nights that the plan keeps ({keep}), of each resource, no other",
        f"in {COPY_REGION} those that it keeps there, of each of the four kinds, all of them whole",
        "no night has two backups of one resource in one Region",
        "what is untagged or opted out has no backup; the cluster's members are left to their cluster",
        "the backups that people made by hand still stand",
        f"in {COPY_REGION}, what is encrypted is under the key of that Region, and so are all exports",
        "what an export holds the changes since stands too; the newest, imported again, has equal items",
        "with one copy slot no service had two copies under way; what was deferred came in later sweeps",
        "what the posture and the page tell is what stands; a schedule that is dead makes the alarms ring",
        "restores that were rehearsed came back whole, in both Regions, and nothing of them stands any more",
    )
    console.print("\n[bold]Checked, listing with plain boto3 and counting by hand:[/]")
    show.verdict(console, checks, problems)


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
    pages = lookout.PAGES.relative_to(ROOT)
    console.print(
        f"\n[bold]The page[/], to be opened in a browser: {pages}/{lookout.PAGE}\n"
        f"  (when the schedule is dead: {pages}/{lookout.DEAD_PAGE})\n"
        "[bold]The message[/]: the last e-mail, above",
        highlight=False,
    )


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
