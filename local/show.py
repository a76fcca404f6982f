"""How the demo looks in a terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.company import COMPANY
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing

STANDS = "[green]●[/]"
PRUNED = "[dim]·[/]"


def company() -> Table:
    """What the company has, and what its tags ask for."""
    table = _table(f"The company's data in {HOME_REGION}")
    for heading in ("resource", "tagged", "encrypted", "each night Holdfast"):
        table.add_column(heading)
    for thing in COMPANY:
        does = "backs it up" if thing.is_protected else "leaves it alone"
        if thing.is_copied:
            does += f", copies to {COPY_REGION}"
        name = f"{thing.kind} [bold]{thing.name}[/]"
        if thing.members:
            name += f" [dim](with {', '.join(thing.members)})[/]"
        tag = thing.tags.get("holdfast:plan", "[dim]not at all[/]")
        table.add_row(name, tag, "yes" if thing.encrypted else "no", does)
    return table


def calendar(found: Sequence[Standing], nights: Sequence[datetime]) -> Group:
    """What stands in each Region: a line for each resource, a column for each night."""
    return Group(*(_region(region, found, nights) for region in (HOME_REGION, COPY_REGION)))


def _region(region: str, found: Sequence[Standing], nights: Sequence[datetime]) -> Table:
    what = "backups" if region == HOME_REGION else "copies"
    # Three characters a night: fourteen fit into a terminal of 80.
    table = _table(f"{region}: {what} that stand", padding=(0, 0))
    table.add_column("resource", no_wrap=True)
    for night in nights:
        table.add_column(f"{night:%a}"[:2] + f"\n{night:%d}", justify="center", no_wrap=True)
    table.add_column("in all", no_wrap=True)
    for thing in COMPANY:
        if not (thing.is_protected if region == HOME_REGION else thing.is_copied):
            continue
        slots = [
            one.slot for one in found if (one.kind, one.name, one.region) == (thing.kind, thing.name, region)
        ]
        marks = [STANDS if night in slots else PRUNED for night in nights]
        by_hand = slots.count(None)
        total = f"{len(slots) - by_hand} [dim]and {by_hand} by hand[/]" if by_hand else str(len(slots))
        table.add_row(f"{thing.kind} [bold]{thing.name}[/]", *marks, total)
    return table


def kept(outcomes: Iterable[Mapping[str, str]]) -> Table:
    """Why each night's backups are kept, from a dry run of the prune stage. All resources have the same
    nights, and so the same reasons. The dry run lists other people's backups too."""
    reasons: dict[datetime, dict[str, set[str]]] = {}
    for one in outcomes:
        why = one["reason"].removeprefix("dry run: would keep: ")
        if one["action"] == "keep" and not why.startswith("not ours"):
            reasons.setdefault(_slot_of(one["backup"]), {}).setdefault(one["region"], set()).add(why)
    table = _table("Why each is kept, as a dry run of prune_backups tells")
    for heading in ("of the night of", HOME_REGION, COPY_REGION):
        table.add_column(heading)
    for slot, by_region in sorted(reasons.items()):
        told = ("; ".join(sorted(by_region.get(region, ()))) for region in (HOME_REGION, COPY_REGION))
        table.add_row(f"{slot:%a %d %b}", *told)
    return table


def slip(text: str, keep: Mapping[str, int]) -> Group:
    """What a dry run says to a plan that somebody shortened: its first words, and one of its tables."""
    counts = ", ".join(f"{rule} {count}" for rule, count in keep.items())
    head, *blocks = text.strip().split("\n\n")
    table = next(block for block in blocks if block.startswith(f"rds billing in {HOME_REGION} keeps"))
    notices = [block for block in blocks if block.startswith("The plan nightly keeps")]
    return Group(
        f"[italic]If somebody set {counts} by mistake, a dry run would say (rds billing alone shown)[/]\n",
        Text("\n\n".join([head, *notices])),
        Text(f"\n{table}\n", no_wrap=True, overflow="ellipsis"),
    )


def pruned(records: Mapping[datetime, Mapping[str, Any]]) -> Table:
    """What the prune stage deleted on each night, and the reason that it gave."""
    table = _table("What was pruned, and why")
    for heading in ("in the night of", "backups", "of", "the reason in the record"):
        table.add_column(heading)
    for night, record in records.items():
        deleted = [one for one in record["outcomes"] if (one["action"], one["state"]) == ("delete", "done")]
        groups = Counter((_slot_of(one["backup"]), one["region"], one["reason"]) for one in deleted)
        for (slot, region, reason), count in sorted(groups.items()):
            table.add_row(f"{night:%a %d %b}", f"{count} in {region}", f"{slot:%d %b}", reason)
    return table


def _table(title: str, **style: Any) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, **style)


def _slot_of(backup: str) -> datetime:
    """The night that a backup's name ends in."""
    return datetime.strptime(backup.replace(".", "-").rsplit("-", 1)[1].upper(), "%Y%m%dT%H%M%S%z")


def mail(message: Mapping[str, str]) -> Panel:
    """The last message as a subscriber gets it."""
    head = f"To:      {message['to']}\nSubject: {message['subject']}\n\n"
    return Panel(
        Text(head, style="bold") + Text(message["text"].strip()), title="The last e-mail", title_align="left"
    )


def verdict(console: Console, checks: Iterable[str], differences: Sequence[str]) -> None:
    """What was checked, or how what stands is not what the plan asks for."""
    if not differences:
        for check in checks:
            console.print(f"  [green]✔[/] {check}", highlight=False)
        return
    console.print(f"[bold red]What stands is not what the plan asks for ({len(differences)}):[/]")
    for difference in differences:
        console.print(f"  [red]✘[/] {difference}", highlight=False)
