"""The Region is gone: nights at home with copies, then no call to the Region is answered, and the standby
brings the company back in the other one.

    python -m local.region_gone

Ends with 1 when what stands there is not what the last night saw.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local import sandbox, show, standby
from local.cloud import Cloud
from local.company import COMPANY, TABLES, do_business
from local.deploy import DeployError
from local.house import House, furnish
from local.lambda_runtime import MissingToolError
from local.nights import NightError
from local.paths import EVENTS, ROOT
from local.processes import StartError
from local.sandbox import COPY_REGION, HOME_REGION
from local.standby import Standby

NIGHTS = 3
EVENT = EVENTS / "recover.region_gone.json"

type Items = Mapping[str, Mapping[str, Any]]


def main() -> int:
    console = Console()
    try:
        with Cloud() as cloud:
            return _demo(console, cloud, time.monotonic())
    except (MissingToolError, StartError, DeployError, NightError, TimeoutError) as error:
        console.print(f"[bold red]The demo could not be run:[/] {error}", highlight=False)
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 2


def _demo(console: Console, cloud: Cloud, began: float) -> int:
    with console.status("Starting the embedded cloud, deploying the stack and its standby, filling it …"):
        house = furnish(cloud)
        waiting = standby.stand_by(house)
        standby.give_tiers(house)
    console.print(show.company())
    with console.status(f"{NIGHTS} nights in {HOME_REGION}, with copies in {COPY_REGION} …"):
        slot = standby.live_until_now(house, NIGHTS)
    saved = {one.name: items_of(house, one.name, HOME_REGION) for one in TABLES}
    do_business(cloud.clients, slot.date() + timedelta(days=1))
    last = {one.name: items_of(house, one.name, HOME_REGION) for one in TABLES}
    standby.lose(house)
    console.print(
        f"\n[bold red]{HOME_REGION} is gone.[/] No call to it is answered, whoever makes it. The last night "
        f"was {slot:%Y-%m-%d %H:%MZ}; the company has gone on since.\n"
        f"The standby in {COPY_REGION} is asked with {EVENT.relative_to(ROOT)}:\n{EVENT.read_text()}",
        highlight=False,
    )
    event = json.loads(EVENT.read_text())
    with console.status(f"recover, in {COPY_REGION} …"):
        told = waiting.recover(event)
    document = waiting.document(event["id"])
    for one in (missing(document), restored(document)):
        if one is not None:
            console.print(one)
    _tell(console, house, waiting, told)
    problems = differences(house, document, saved)
    _lost_items(console, saved, last)
    _verdict(console, problems)
    console.print(f"\nIt took {time.monotonic() - began:.0f} s.", highlight=False)
    return 1 if problems else 0


def missing(document: Mapping[str, Any]) -> Table | None:
    """What could not be restored, and why; `None` when there is nothing."""
    lines = [one for one in document["resources"] if one["state"] != "done"]
    if not lines:
        return None
    table = Table(title=f"[bold red]NOT restored ({len(lines)})", title_justify="left")
    for title in ("kind", "what", "why"):
        table.add_column(title, overflow="fold")
    for one in lines:
        table.add_row(one["kind"], _name(one), Text(one["reason"]))
    return table


def restored(document: Mapping[str, Any]) -> Table:
    """What was restored, in the order of the tiers, with what was lost and how long it took."""
    table = Table(
        title=f"Restored in {document['request']['region']}: what was lost (RPO), how long it took (RTO)",
        title_justify="left",
    )
    for title in ("tier", "kind", "what", "data of", "lost", "took", "settings that did not come back"):
        table.add_column(title, overflow="fold")
    for one in document["resources"]:
        if one["state"] == "done":
            names = ", ".join(each["name"] for each in one["lost_settings"])
            known = names or ("" if one["settings_known"] else "(not known)")
            tier = "-" if one["tier"] is None else str(one["tier"])
            lost = f"{one['lost_hours']:.1f} h"
            took = f"{one['seconds']:.0f} s"
            table.add_row(tier, one["kind"], _name(one), one["instant"], lost, took, Text(known))
    return table


def _name(line: Mapping[str, Any]) -> str:
    return str(line["label"] or line["to"])


def _tell(console: Console, house: House, waiting: Standby, told: Mapping[str, Any]) -> None:
    said = "\n".join(str(one["Subject"]) for one in waiting.messages()) or "no message came"
    calls = standby.unanswered(house)
    theirs = sorted({one["operation"] for one in calls if one["caller"]})
    console.print(Panel(Text(said), title=f"the message, from {COPY_REGION}", title_align="left"))
    console.print(
        f"{told['counts'].get('done', 0)} of {sum(told['counts'].values())} resources stand. The recovery as "
        f"a whole (RTO): {told['seconds']:.0f} s here, where AWS's own work takes no time.\n"
        f"Calls to {HOME_REGION} by functions meanwhile: {', '.join(theirs) or 'none'}.",
        highlight=False,
    )


def _lost_items(console: Console, saved: Mapping[str, Items], last: Mapping[str, Items]) -> None:
    for name, items in last.items():
        before = saved[name]
        new, gone = len(items.keys() - before.keys()), len(before.keys() - items.keys())
        changed = sum(items[key] != before[key] for key in items.keys() & before.keys())
        console.print(
            f"  {name}: lost since the last night: {new} new, {changed} changed; {gone} deleted came back",
            highlight=False,
        )


def differences(house: House, document: Mapping[str, Any], saved: Mapping[str, Items]) -> list[str]:
    """How what stands in the copy Region differs from what the last night saw, by plain boto3."""
    wanted = {(one.kind, one.name) for one in COMPANY if one.is_protected}
    found = {(one["kind"], _name(one)) for one in document["resources"] if one["state"] == "done"}
    problems = [f"{kind} {name} is not restored" for kind, name in sorted(wanted - found)]
    problems += [
        f"{kind} {name} was restored, and nobody protects it" for kind, name in sorted(found - wanted)
    ]
    for name, items in saved.items():
        if ("dynamodb", name) in found and items_of(house, name, COPY_REGION) != items:
            problems.append(f"{name}: its items are not those of the last night")
    return problems


def items_of(house: House, table: str, region: str) -> Items:
    """What a table holds, by the items' ids."""
    pages = house.cloud.clients("dynamodb", region).get_paginator("scan").paginate(TableName=table)
    return {one["id"]["S"]: one for page in pages for one in page["Items"]}


def _verdict(console: Console, problems: Sequence[str]) -> None:
    checks = (
        f"everything that the plan protected stands in {COPY_REGION}, and nothing else",
        "the tables have the items of the last night, one by one",
    )
    console.print("\n[bold]Checked, listing with plain boto3:[/]")
    show.verdict(console, checks, problems)


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
