"""Which restores a drill rehearses, what that costs, and whether one passed."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from holdfast.core.checks import Check
from holdfast.core.cost import MONTH, Prices, gb, to_the_cent
from holdfast.core.drilling import PREFIX, Candidate, Drilling, DrillRequest, Rehearsal, Skipped, Stand
from holdfast.core.model import DrillRule, Plan
from holdfast.core.naming import compact_slot
from holdfast.core.restoring import Json, Restore, RestoreState, Settings

_DIGEST_LENGTH = 12
_LONGEST_DRILL_ID = 48
"""A restore's id has at most 64 characters, and the digest stands behind this."""

_UNITS = {
    "nano": Decimal("0.25"),
    "micro": Decimal("0.5"),
    "small": Decimal(1),
    "medium": Decimal(2),
    "large": Decimal(4),
    "xlarge": Decimal(8),
}
"""RDS's normalization factors of instance sizes (RDS's user guide, "Reserved DB instances"); `Nxlarge` has N
times that of `xlarge`."""

_UNKNOWN_UNITS = Decimal(16)
"""Of an instance whose class is not known: those of a `2xlarge`, so that it is not taken for cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a drill rehearses, with what each costs, and what was due and is left out."""

    rehearsed: tuple[tuple[Candidate, Decimal], ...] = ()
    skipped: tuple[Skipped, ...] = ()


def due(
    candidates: Iterable[Candidate],
    last: Mapping[str, datetime],
    rule: DrillRule,
    now: datetime,
) -> list[Candidate]:
    """Those that this drill has to rehearse so that each is within `within_days`: the longest not rehearsed
    first, as many as fall to one of the drills that come `every_days`, and all that would be late by the
    next one. `last` is when each was rehearsed last, passed or not, by `digest_of`."""
    never = now - timedelta(days=36_500)
    waiting = sorted(candidates, key=lambda one: (last.get(_key(one), never), one.resource, one.place))
    share = math.ceil(len(waiting) * rule.every_days / rule.within_days)
    late = now - timedelta(days=max(0, rule.within_days - rule.every_days))
    overdue = [one for one in waiting if _key(one) in last and last[_key(one)] < late]
    chosen = waiting[: max(share, 1)]
    return [one for one in waiting if one in chosen or one in overdue]


def within_cost(costs: Sequence[tuple[Candidate, Decimal | None]], max_usd: Decimal) -> Chosen:
    """As many as the plan lets a drill cost, in their order. What is left out is told, and why; one that
    alone is too dear hinders none of the others."""
    rehearsed: list[tuple[Candidate, Decimal]] = []
    skipped: list[Skipped] = []
    spent = Decimal(0)
    for one, usd in costs:
        why = ""
        if usd is None:
            why = "what it costs cannot be estimated, since AWS does not tell its size"
        elif spent + usd > max_usd:
            why = (
                f"it would cost about {to_the_cent(usd)} USD, and the plan's drill.max_usd of {max_usd} has "
                f"{to_the_cent(max_usd - spent)} left: raise it, or drill this one by itself"
            )
        if why or usd is None:
            skipped.append(Skipped(resource=one.resource, place=one.place, reason=why))
        else:
            spent += usd
            rehearsed.append((one, usd))
    return Chosen(rehearsed=tuple(rehearsed), skipped=tuple(skipped))


def estimate(candidate: Candidate, known: Settings, rto_minutes: int, prices: Prices) -> Decimal | None:
    """What rehearsing it costs: restoring it, and keeping it for as long as the plan allows a restore and an
    hour for the rest. `None` when its size is not known. By list prices (`docs/cost.md`)."""
    if candidate.size_bytes is None:
        return None
    size = gb(candidate.size_bytes)
    hours = Decimal(math.ceil(rto_minutes / 60) + 1)
    months = hours / Decimal(MONTH / timedelta(hours=1))
    match candidate.kind:
        case "dynamodb":
            return size * prices.of("dynamodb_restore_gb")
        case "ebs":
            return size * months * prices.of("ebs_volume_gb_month")
        case _:
            each_hour = _units(known) * prices.of("rds_instance_unit_hour")
            return each_hour * hours + size * months * prices.of("rds_storage_gb_month")


def _units(known: Settings) -> Decimal:
    """The normalized size of what a drill would run: of a cluster it restores one instance."""
    members = known.get("Instances")
    first = members[0] if isinstance(members, list | tuple) and members else {}
    told = (first.get("DBInstanceClass") if isinstance(first, Mapping) else None) or known.get(
        "DBInstanceClass"
    )
    size = str(told or "").rpartition(".")[2]
    times = Decimal(size.removesuffix("xlarge")) if size.removesuffix("xlarge").isdigit() else Decimal(1)
    units = _UNITS.get("xlarge" if size.endswith("xlarge") else size)
    if units is None:
        return _UNKNOWN_UNITS
    return units * times * (2 if known.get("MultiAZ") is True else 1)


def rehearsal_of(
    candidate: Candidate, usd: Decimal, given: Settings, request: DrillRequest, now: datetime
) -> Rehearsal:
    """A rehearsal that begins. One without a good backup has failed already, and nothing is to be removed."""
    digest = digest_of(candidate.resource, candidate.place)
    begun = Rehearsal(
        id=f"{request.id[:_LONGEST_DRILL_ID]}-{digest}",
        kind=candidate.kind,
        resource=candidate.resource,
        place=candidate.place,
        name=f"{PREFIX}{compact_slot(now).lower()}-{digest}",
        slot=candidate.slot,
        given=given,
        began=now,
        stand=Stand.RESTORING,
        estimated_usd=usd,
        size_bytes=candidate.size_bytes,
    )
    if candidate.slot is not None:
        return begun
    return begun.fails(f"no good backup of it stands in {candidate.place}", now)


def drill_settings(plan: Plan, place: str, kind: str) -> Settings:
    """What the plan gives its drills for a place and a kind: another Region's subnet groups and keys."""
    rule = plan.drill
    by_kind = rule.settings.get(place, {}) if rule else {}
    return by_kind.get(kind, {})


def target_checks(drilling: Drilling, rehearsal: Rehearsal, restore: Restore) -> list[Check]:
    """The restore held against what the plan promises: recovery time, recovery point and settings."""
    minutes = restore.seconds / 60
    lost = [f"{one.name} ({one.reason})" for one in restore.lost]
    known = restore.known is not None
    checks = [
        Check(
            name="recovery time",
            passed=minutes <= drilling.rto_minutes,
            found=f"{minutes:.1f} minutes, and the plan allows {drilling.rto_minutes}",
        ),
        Check(
            name="settings",
            passed=known and not lost,
            found=_settings_found(len(restore.settings), lost) if known else "the source's are not known",
        ),
    ]
    if rehearsal.slot is not None:
        age = (rehearsal.began - rehearsal.slot).total_seconds() / 3600
        found = f"{age:.1f} hours old when the drill began, and the plan allows {drilling.rpo_hours}"
        checks.append(Check(name="recovery point", passed=age <= drilling.rpo_hours, found=found))
    return checks


def _settings_found(number: int, lost: Sequence[str]) -> str:
    if not lost:
        return f"all {number} as the source has them, but for what a drill wants otherwise"
    return f"{len(lost)} of {number} did not come back: {'; '.join(lost)}"


def why_restore_failed(restore: Restore) -> str:
    """Empty when it stands."""
    if restore.state is RestoreState.DONE:
        return ""
    word = "was refused" if restore.state is RestoreState.REFUSED else "failed"
    return f"its restore {word}: {restore.reason}"


def count_check(restored: int, expected: int | None, exact: bool, most_missing: float) -> Check:
    """A table's items against what its backup says that it holds. `exact`: an export's manifest counts them;
    else it is DynamoDB's own count, which by its API reference is updated about every six hours."""
    if expected is None:
        found = f"{restored} items; how many the backup holds is not told"
        return Check(name="items", passed=restored > 0, found=found)
    least = expected if exact else math.ceil(expected * (1 - most_missing))
    where = "its export counts" if exact else "DynamoDB counted in its source, as of up to six hours before,"
    return Check(name="items", passed=restored >= least, found=f"{restored}, and {where} {expected}")


def sample_check(asked: int, found: int, same: int) -> Check:
    """Items of the source, looked up by key in what was restored. Those that are younger than the backup
    are not in it, so half of them has to be."""
    text = f"of {asked} items of the source, {found} are there by their key, {same} of them just the same"
    return Check(name="sample", passed=found * 2 >= asked, found=text)


def digest_of(resource: str, place: str) -> str:
    """Stands for a resource and a place in names that take neither."""
    return hashlib.sha256(f"{resource} {place}".encode()).hexdigest()[:_DIGEST_LENGTH]


def _key(one: Candidate) -> str:
    return digest_of(one.resource, one.place)


def merged(drill: Settings, plan: Settings) -> dict[str, Json]:
    """What the plan gives, under what a drill must have."""
    return {**plan, **drill}
