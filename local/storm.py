"""Nights in which AWS misbehaves, and what was true in each: seen with plain boto3, outside the weather."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from local import expectation
from local.company import do_business
from local.expectation import Made
from local.house import MACHINES, House
from local.nights import FIRST_NIGHT, read_schedule, run_night
from local.standing import Standing
from local.weather import control
from local.weather.forecast import CALM, PRESETS, Forecast
from local.weather.truth import Entry, entries

PARAMETERS: Mapping[str, str] = {
    "KeepDaily": "3",
    "KeepWeekly": "1",
    "KeepMonthly": "1",
    "CopyKeepDaily": "2",
    "CopyKeepWeekly": "1",
    "CopyFullEveryDays": "3",
    "WindowMinutes": "30",
    "MaxDeleteShare": "1",
}
"""A plan that prunes within few nights, and that does not wait long for what is stuck. What could not be
pruned in the storm may be more than its breaker's usual share, and nobody is there to approve it."""

CALM_NIGHTS = 2
"""So many runs after the last fault must have put everything right."""

_STAGES = ("create-backups", "copy-backups", "prune-backups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What one night came to. `status` is that of the run's record, empty when it left none; `subject` the
    message's.

    `calls` are those that the functions made, `sweeps` how often a stage began; `problems` sentences of what
    Holdfast did or said that was not right. A run that failed, and said so, is none.
    """

    slot: datetime
    weather: str
    status: str
    subject: str
    calls: Sequence[Entry]
    sweeps: int
    problems: Sequence[str]

    @property
    def faults(self) -> Counter[str]:
        return Counter(one.fault for one in self.calls if one.fault)


@dataclass(slots=True, kw_only=True)
class Watch:
    """What has been seen of a house so far: `made` has, of each resource, the slots of which a backup was
    whole at some time."""

    house: House
    made: dict[tuple[str, str], set[datetime]] = field(default_factory=dict)

    def see(self) -> list[Standing]:
        """What stands now."""
        found = self.house.standing()
        for one in expectation.at_home(found):
            self.made.setdefault((one.kind, one.name), set()).add(one.slot)  # type: ignore[arg-type]
        return found

    def differences(self) -> list[str]:
        """How what stands differs from what the plan asks for of the backups that came to be."""
        made: Made = self.made
        return expectation.after_storm(self.house.default_plan(), made, self.see(), self.house.copy_key)


def named(weather: str, seed: int) -> Forecast:
    """A preset, with a seed of one's own."""
    return replace(PRESETS[weather], seed=seed)


def nights(house: House, watch: Watch, forecast: Forecast, count: int) -> Iterator[Night]:
    """So many nights in the weather, then calm ones until all is as it should be, two at most."""
    schedule = read_schedule(house.cloud, house.stack)
    server = house.cloud.moto.url
    for number, slot in enumerate(schedule.instants(FIRST_NIGHT, count + CALM_NIGHTS)):
        if number > count and not watch.differences():
            return
        weather = forecast if number < count else CALM
        if number in (0, count):
            control.let_it_be(server, weather)
        do_business(house.cloud.clients, slot.date())
        before = watch.see()
        control.ask(server, "DELETE")
        run_night(house.cloud, schedule, slot)
        yield _told(house, watch, weather, slot, before)


def _told(house: House, watch: Watch, weather: Forecast, slot: datetime, before: Sequence[Standing]) -> Night:
    calls = entries(control.ask(house.cloud.moto.url, "GET")["calls"])
    after = watch.see()
    status = str(_record(house, slot).get("status", ""))
    plan = house.default_plan()
    problems = [
        *expectation.wrongly_gone(plan, before, after, slot),
        *expectation.twice(after),
        *(expectation.missing(after, slot) if status == "ok" else ()),
    ]
    said = house.messages(MACHINES)
    return Night(
        slot=slot,
        weather=weather.name,
        status=status,
        subject=said[-1]["Subject"] if said else "",
        calls=calls,
        sweeps=sum(_begins_a_sweep(one) for one in calls),
        problems=problems,
    )


def _begins_a_sweep(call: Entry) -> bool:
    """Every stage but the last reads the plan first."""
    return call.operation == "GetParameter" and call.took_effect and call.caller.endswith(_STAGES)


def _record(house: House, slot: datetime) -> dict[str, Any]:
    """The run's record; empty when it left none."""
    try:
        return house.record(f"{slot:%Y%m%dT%H%M%SZ}", "report")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return {}
