"""The settings of all that a plan protects, read and recorded: what a restore needs when a resource is gone.

As each stage it is an idempotent sweep: what an earlier one of the same slot recorded is not read again.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.core.brief import cut
from holdfast.core.errors import ProviderError
from holdfast.core.model import Home, Plan, Request, Resource
from holdfast.core.naming import format_slot
from holdfast.core.planning import select
from holdfast.core.recorded import Inventory, Recorded
from holdfast.core.report import State
from holdfast.ports import Deadline, RecordPorts, Saved
from holdfast.usecases.sweep import listed, state_of, sweep

MOST_NAMED = 50
"""Settings in an answer that could not be read."""

_MOST_PROBLEMS = 20
"""Resources that the problems name: what a durable function keeps of a call is limited."""

_LONGEST_REASON = 500

_MEANING = "its settings are not recorded: a restore after it is gone will not know them"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What became of reading one resource: its settings; or why not. Of one that is gone there is neither."""

    arn: str
    recorded: Recorded | None = None
    state: State = State.DONE
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the plan protects, and a line for each kind that could not be listed."""

    resources: Sequence[Resource]
    unlisted: Sequence[_Read]


def record_settings(
    ports: RecordPorts, plan: Plan, request: Request, home: Home, now: datetime, deadline: Deadline
) -> dict[str, object]:
    """Record what is not recorded for the slot yet; the summary, whose `problems` are sentences about what is
    not. A dry run records nothing, and a vault's plan protects nothing here."""
    started = time.monotonic()
    now = now.replace(microsecond=0)  # as it is kept
    if request.dry_run or plan.vault_of:
        return _summary(plan, request, [], 0, _NOTHING, [], started)
    try:
        earlier = ports.settings.load(plan.name, request.slot)
    except ProviderError as error:
        if error.retryable:  # to begin anew would put less in the place of what an earlier sweep recorded
            problem = f"what an earlier sweep recorded of the settings cannot be read: {error}"
            return _summary(plan, request, [], 0, Saved(address="", may_pass=True), [problem], started)
        earlier = None  # what nobody can read is written over
    kept = earlier.recorded if earlier else ()
    found = _protected(ports, plan)
    there = {one.arn for one in kept}
    reads = sweep(
        [one for one in found.resources if one.arn not in there],
        lambda one: _read(ports, one, now),
        lambda one, state, reason: _Read(arn=one.arn, state=state, reason=reason),
        deadline,
    )
    missing = [*found.unlisted, *(one for one in reads if one.reason)]
    recorded = sorted(
        [*kept, *(one.recorded for one in reads if one.recorded)], key=lambda recorded: recorded.arn
    )
    changed = any(one.recorded for one in reads)
    inventory = Inventory(
        plan=plan.name,
        slot=request.slot,
        at=now if changed or earlier is None else earlier.at,
        home=home,
        rpo_hours=plan.rpo_hours,
        rto_minutes=plan.rto_minutes,
        is_whole=not missing,
        recorded=tuple(recorded),
    )
    saved = ports.settings.save(inventory) if recorded else _NOTHING
    problems = [*_problems(missing), *_unread_problems(recorded), *saved.problems]
    unfinished = any(one.state in _LATER for one in missing)
    return _summary(
        plan, request, recorded, len(recorded) + len(missing), saved, problems, started, unfinished=unfinished
    )


_NOTHING = Saved(address="")
_LATER = (State.PENDING, State.DEFERRED)


def _protected(ports: RecordPorts, plan: Plan) -> _Found:
    resources: list[Resource] = []
    unlisted: list[_Read] = []
    for kind in sorted(plan.select.types & ports.restorers.keys()):
        try:
            resources += select(listed(ports.providers[kind], plan), plan.select)[0]
        except ProviderError as error:
            state, reason = state_of(error)
            unlisted.append(_Read(arn=f"all {kind} resources", state=state, reason=reason))
    return _Found(resources=resources, unlisted=unlisted)


def _read(ports: RecordPorts, resource: Resource, now: datetime) -> _Read:
    try:
        configuration = ports.restorers[resource.kind].configuration(resource.arn)
    except ProviderError as error:
        state, reason = state_of(error)
        return _Read(arn=resource.arn, state=state, reason="" if state is State.SKIPPED else reason)
    if configuration is None:
        return _Read(arn=resource.arn, state=State.SKIPPED)
    return _Read(
        arn=resource.arn,
        recorded=Recorded(
            kind=resource.kind,
            arn=resource.arn,
            label=resource.label,
            tags=resource.tags,
            configuration=replace(configuration, recorded=now),
            at=now,
        ),
    )


def _problems(missing: Sequence[_Read]) -> list[str]:
    """A sentence for each resource that a person has to look at, and one for all that are left to a later
    sweep: it stands in the answer of the last one alone when that was never made."""
    failed = [one for one in missing if one.state not in _LATER]
    later = [one for one in missing if one.state in _LATER]
    told = [f"{one.arn}: {_MEANING} ({cut(one.reason, _LONGEST_REASON)})" for one in failed[:_MOST_PROBLEMS]]
    if len(failed) > _MOST_PROBLEMS:
        told.append(f"{len(failed) - _MOST_PROBLEMS} more resources: their settings are not recorded either")
    if later:
        told.append(
            f"{later[0].arn}{f' and {len(later) - 1} more' if len(later) > 1 else ''}: not recorded yet "
            f"({cut(later[0].reason, _LONGEST_REASON)})"
        )
    return told


def _unread(recorded: Iterable[Recorded]) -> Mapping[str, Sequence[tuple[Recorded, str]]]:
    """Who lacks a setting since it could not be read, and why, by its name."""
    lacking: dict[str, list[tuple[Recorded, str]]] = defaultdict(list)
    for one in recorded:
        for name, why in one.configuration.unread.items():
            lacking[name].append((one, why))
    return dict(sorted(lacking.items()))


def _unread_problems(recorded: Iterable[Recorded]) -> list[str]:
    """A sentence for each such setting, however many resources lack it."""
    told = []
    for name, lacking in _unread(recorded).items():
        first, why = lacking[0]
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        told.append(
            f"{name} of {first.arn}{more} is not recorded: a restore after it is gone will not know it "
            f"({cut(why, _LONGEST_REASON)})"
        )
    return told[:_MOST_PROBLEMS]


def _summary(
    plan: Plan,
    request: Request,
    recorded: Sequence[Recorded],
    of: int,
    saved: Saved,
    problems: Sequence[str],
    started: float,
    *,
    unfinished: bool = False,
) -> dict[str, object]:
    unread = {name: cut(lacking[0][1], _LONGEST_REASON) for name, lacking in _unread(recorded).items()}
    return {
        "plan": plan.name,
        "slot": format_slot(request.slot),
        "dry_run": request.dry_run,
        "recorded": len(recorded),
        "of": of,
        "unfinished": unfinished or saved.may_pass,
        "seconds": round(time.monotonic() - started, 3),
        "address": saved.address,
        "unread": dict(list(unread.items())[:MOST_NAMED]),
        "problems": list(problems),
    }
