"""How the demo looks in a terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.company import COMPANY, INSTANCES, Thing
from local.restore import Restored
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing
from local.sweeps import Sweep
from local.weather.truth import Entry

if TYPE_CHECKING:
    from local.lookout import Watched
    from local.storm import Night

STANDS = "[green]●[/]"
CHANGES = "[green]+[/]"
PRUNED = "[dim]·[/]"
_LEGEND = f"{STANDS} stands   {CHANGES} an export of what changed since the one before   {PRUNED} pruned"


def company() -> Table:
    """What the company has, and what its tags ask for."""
    table = _table(f"The company's data in {HOME_REGION}; copies go to {COPY_REGION}")
    for heading in ("resource", "tagged", "encrypted", "each night"):
        table.add_column(heading)
    for thing in COMPANY:
        name = f"{thing.kind} [bold]{thing.name}[/]"
        if thing.members:
            name += f" [dim](with {', '.join(thing.members)})[/]"
        if thing.instance:
            name += f" [dim](of instance {thing.instance})[/]"
        does = f"a backup, {'an export' if thing.kind == 'dynamodb' else 'a copy'}"
        table.add_row(
            name,
            _tag_of(thing),
            "yes" if thing.encrypted else "no",
            does if thing.is_protected else "[dim]nothing[/]",
        )
    return table


def _tag_of(thing: Thing) -> str:
    """The resource's own tag, else that of its instance."""
    its_own = thing.tags.get("holdfast:plan")
    of_instance = INSTANCES.get(thing.instance, {}).get("holdfast:plan")
    return its_own or (f"{of_instance} [dim](instance)[/]" if of_instance else "[dim]not at all[/]")


def calendar(found: Sequence[Standing], nights: Sequence[datetime]) -> Group:
    """What stands in each Region: a line for each resource, a column for each night."""
    return Group(*(_region(region, found, nights) for region in (HOME_REGION, COPY_REGION)), _LEGEND, "")


def _region(region: str, found: Sequence[Standing], nights: Sequence[datetime]) -> Table:
    what = "backups" if region == HOME_REGION else "copies and exports"
    # Three characters a night: fourteen fit into a terminal of 80.
    table = _table(f"{region}: {what} that stand", padding=(0, 0))
    table.add_column("resource", no_wrap=True)
    for night in nights:
        table.add_column(f"{night:%a}"[:2] + f"\n{night:%d}", justify="center", no_wrap=True)
    table.add_column("in all", no_wrap=True)
    for thing in COMPANY:
        if not thing.is_protected:
            continue
        its = [one for one in found if (one.kind, one.name, one.region) == (thing.kind, thing.name, region)]
        mark_of = {one.slot: CHANGES if one.base else STANDS for one in its}
        marks = [mark_of.get(night, PRUNED) for night in nights]
        by_hand = sum(one.slot is None for one in its)
        total = f"{len(its) - by_hand}[dim], {by_hand} by hand[/]" if by_hand else str(len(its))
        table.add_row(f"{thing.kind} [bold]{thing.name}[/]", *marks, total)
    return table


def kept(outcomes: Iterable[Mapping[str, str]]) -> Table:
    """Why each night's backups are kept, from a dry run of the prune stage. All resources have the same
    nights, and so the same reasons; an export may have to stay for another one's sake. The dry run lists
    other people's backups too, and those of EBS, whose ids do not tell their night."""
    reasons: dict[datetime, dict[str, set[str]]] = {}
    for one in outcomes:
        why = one["reason"].removeprefix("dry run: would keep: ")
        ours = one["action"] == "keep" and not why.startswith("not ours")
        if ours and (slot := _slot_of(one["backup"])):
            reasons.setdefault(slot, {}).setdefault(one["region"], set()).add(why)
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


def sweeps(night: datetime, told: Sequence[Sweep]) -> Group:
    """What each copy sweep of a night by hand found and did."""
    table = _table(f"{night:%a %d %b}, run by hand with one copy slot for each service, and slow copies")
    for heading in ("copy_backups", "arrived", "under way", "deferred", "status"):
        table.add_column(heading)
    for number, sweep in enumerate(told, 1):
        names = ", ".join(f"{kind} [bold]{name}[/]" for kind, name in sweep.names("pending"))
        arrived, deferred = (str(len(sweep.names(state))) for state in ("done", "deferred"))
        table.add_row(f"sweep {number}", arrived, names or "[dim]none[/]", deferred, sweep.status)
    reason = told[0].reasons.get("deferred", "")
    return Group(table, f'The reason of those that are deferred: "{reason}"\n' if reason else "")


def restored(tables: Iterable[Restored]) -> Table:
    """What was made of the newest exports, and whether it is the same."""
    table = _table(f"Imported again in {COPY_REGION}, each into a new table")
    for heading in ("table", "as of", "made of", "items", "compared"):
        table.add_column(heading)
    for one in tables:
        whole, *changes = one.made_of
        made_of = f"the export of {whole:%d %b}" + (f", {len(changes)} of changes" if changes else "")
        equal = f"[red]{len(one.unequal)} differ[/]" if one.unequal else "every one is equal"
        table.add_row(f"[bold]{one.table}[/]", f"{one.slot:%a %d %b}", made_of, str(one.items), equal)
    return table


def pruned(records: Mapping[datetime, Mapping[str, Any]]) -> Group:
    """How many backups the prune stage deleted on each night, of which nights they were, and the reasons that
    it gave. The id of an EBS snapshot does not tell its night, which is one of the others'."""
    table = _table("What was pruned")
    for heading in ("in the night of", HOME_REGION, COPY_REGION):
        table.add_column(heading)
    reasons: dict[str, set[str]] = {}
    for night, record in records.items():
        deleted = [one for one in record["outcomes"] if (one["action"], one["state"]) == ("delete", "done")]
        for one in deleted:
            reasons.setdefault(one["region"], set()).add(one["reason"])
        if deleted:
            cells = (_pruned_in(region, deleted) for region in (HOME_REGION, COPY_REGION))
            table.add_row(f"{night:%a %d %b}", *cells)
    why = [f"{region}: {'; '.join(sorted(told))}" for region, told in sorted(reasons.items())]
    return Group(table, *([Text("\n".join(["The reasons in the records:", *why, ""]))] if why else []))


def _pruned_in(region: str, deleted: Sequence[Mapping[str, str]]) -> str:
    there = [one["backup"] for one in deleted if one["region"] == region]
    nights = sorted({slot for one in there if (slot := _slot_of(one))})
    return f"{len(there)} of {', '.join(f'{night:%d %b}' for night in nights)}" if there else "[dim]none[/]"


def _table(title: str, **style: Any) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, **style)


def _slot_of(backup: str) -> datetime | None:
    """The night that a backup's name ends in; an EBS snapshot's id is no name."""
    end = backup.replace(".", "-").rsplit("-", 1)[1]
    return None if backup.startswith("snap-") else datetime.strptime(end.upper(), "%Y%m%dT%H%M%S%z")


def stormy_night(night: "Night") -> str:
    """A line for a night: when, in which weather, what people were told, and what it was like."""
    met = ", ".join(f"{count} {fault}" for fault, count in night.faults.most_common())
    return (
        f"  {night.slot:%a %d %b}  {night.subject or 'no message'}\n"
        f"    [dim]{night.weather}: {night.sweeps} sweeps, {len(night.calls)} calls, "
        f"{sum(night.faults.values())} faults{f' ({met})' if met else ''}[/]"
        + "".join(f"\n    [red]✘[/] {problem}" for problem in night.problems)
    )


def faults(calls: Sequence[Entry]) -> Table:
    """What was done to the calls in all, by fault."""
    table = _table("What was true: the functions' calls")
    table.add_column("what was done to them")
    for heading in ("calls", "took effect", "most of them"):
        table.add_column(heading, justify="left" if heading == "most of them" else "right")
    by_fault: dict[str, list[Entry]] = {}
    for one in calls:
        by_fault.setdefault(one.fault, []).append(one)
    for fault, its in sorted(by_fault.items(), key=lambda pair: -len(pair[1])):
        common = Counter(one.operation for one in its).most_common(3)
        most = ", ".join(f"{operation} {count}" for operation, count in common)
        took = sum(one.took_effect for one in its)
        table.add_row(fault or "[dim]nothing[/]", str(len(its)), str(took), most)
    return table


def posture(rows: Sequence[Mapping[str, Any]]) -> Table:
    """How everything stands, as the last run's check found it."""
    lines = [one for one in rows if one["row"] == "protection"]
    table = _table("How everything stands, as check_recovery_points sees it")
    for heading in ("place", "recoverable", "newest backup of", "good backups", "a month"):
        table.add_column(heading)
    for place in dict.fromkeys(one["place"] for one in lines):
        here = [one for one in lines if one["place"] == place]
        well = sum(one["health"] == "ok" for one in here)
        newest = sorted({one["newest"][:10] for one in here if one["newest"]})
        cost = sum(float(one["now_usd"]) + float(one["transfer_usd"]) for one in here)
        good = sum(one["good"] for one in here)
        table.add_row(place, f"{well} of {len(here)}", ", ".join(newest), str(good), f"{cost:.2f} USD")
    return table


def watched(told: Sequence["Watched"], advice: str) -> Group:
    """What the alarms do when no run comes any more."""
    table = _table("If the schedule died now: the hourly checks of the next night, and the alarms")
    for heading in ("check at", "breaches", *told[0].alarms):
        table.add_column(heading)
    for one in told:
        states = (f"[bold red]{state}[/]" if state == "ALARM" else state for state in one.alarms.values())
        table.add_row(f"{one.at:%a %d %b %H:%MZ}", str(one.breaches), *states)
    return Group(table, Text(f"run-overdue says: {advice}\n"))


def mail(message: Mapping[str, str]) -> Panel:
    """A message as a subscriber gets it."""
    head = f"To:      {message['to']}\nSubject: {message['subject']}\n\n"
    return Panel(
        Text(head, style="bold") + Text(message["text"].strip()), title="An e-mail", title_align="left"
    )


def verdict(
    console: Console,
    checks: Iterable[str],
    differences: Sequence[str],
    wrong: str = "What stands is not what the plan asks for",
) -> None:
    """What was checked, or how what stands is not what the plan asks for."""
    if not differences:
        for check in checks:
            console.print(f"  [green]✔[/] {check}", highlight=False)
        return
    console.print(f"[bold red]{wrong} ({len(differences)}):[/]")
    for difference in differences:
        console.print(f"  [red]✘[/] {difference}", highlight=False)
