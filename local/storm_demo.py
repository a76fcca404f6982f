"""The demo's nights in a storm: `make demo WEATHER=storm`."""

import time
from collections.abc import Sequence

from rich.console import Console

from local import lookout, show, storm
from local.cloud import Cloud
from local.house import furnish
from local.mail import MAILBOX
from local.paths import ROOT
from local.weather.forecast import Forecast


def show_nights(console: Console, forecast: Forecast, count: int) -> int:
    """Run so many nights in that weather and then calm ones, and show what came of each. 1 when Holdfast did
    or said something that was not right, or when not all is as it should be afterwards."""
    began = time.monotonic()
    with Cloud() as cloud:
        with console.status("Starting the embedded cloud, deploying the built template, filling it …"):
            house = furnish(cloud, storm.PARAMETERS)
        _introduce(console, forecast, count)
        watch = storm.Watch(house=house)
        told: list[storm.Night] = []
        for night in storm.nights(house, watch, forecast, count):
            told.append(night)
            console.print(show.stormy_night(night), highlight=False)
        problems = [one for night in told for one in night.problems] + watch.differences()
        console.print()
        console.print(show.faults([one for night in told for one in night.calls]))
        console.print(show.calendar(watch.see(), [night.slot for night in told]))
        console.print(show.mail(house.messages(MAILBOX)[-1]))
        page = lookout.save_page(house, lookout.STORM_PAGE)
        console.print(show.posture(lookout.posture_rows(house)))
        _verdict(console, problems)
        _end(console, cloud, forecast, time.monotonic() - began)
        console.print(
            f"[bold]The page[/], to be opened in a browser: {page.relative_to(ROOT)}", highlight=False
        )
    return 1 if problems else 0


def _introduce(console: Console, forecast: Forecast, count: int) -> None:
    console.print(
        f"[bold]{count} nights in a {forecast.name}, seed {forecast.seed}[/]: calls are throttled, refused, "
        "cut off, and lost after they took effect; snapshots take their time, fail or get stuck; listings "
        f"lag and come {forecast.most_in_a_page} a page. Then {storm.CALM_NIGHTS} calm nights at most.\n",
        highlight=False,
    )


def _end(console: Console, cloud: Cloud, forecast: Forecast, seconds: float) -> None:
    console.print(
        f"\nIt took {seconds:.0f} s. Every call, what was done to it and whether it took effect: "
        f"{cloud.truth.relative_to(ROOT)}\n"
        f"The same storm again: make demo WEATHER={forecast.name} SEED={forecast.seed}\n",
        highlight=False,
    )


def _verdict(console: Console, problems: Sequence[str]) -> None:
    checks = (
        "no run said ok while a backup or a copy of its slot was missing",
        "no backup was deleted that the plan keeps, that another stands on, or that was not yet copied",
        "none below the minimum, none that a person made, none of what the night brought no new backup of",
        "no slot has two backups of one resource in one Region",
        "of the backups that came to be, both Regions now have those that the plan keeps, and no other",
    )
    console.print("[bold]Checked against what was true, and not against what Holdfast recorded:[/]")
    show.verdict(console, checks, problems, "What was done or said and should not have been, or is missing")
