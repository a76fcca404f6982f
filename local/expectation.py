"""What must stand after some nights, worked out in the plainest way, and how it differs from what does.

Shares no code with the product: it would find the product's mistakes only if it did not make them too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local.company import COMPANY, PEOPLES_BACKUPS, Thing
from local.sandbox import COPY_REGION, HOME_REGION
from local.standing import Standing

type Made = Mapping[tuple[str, str], Iterable[datetime]]
"""The slots of which there was a backup, of each resource, by its kind and name."""

_PERIODS: Mapping[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar()[:2]),
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}


def kept(slots: Iterable[datetime], keep: Mapping[str, int], zone: ZoneInfo) -> set[datetime]:
    """Of these slots, those that the counts keep: of each period that holds one, the newest; of the
    periods, the newest so many; and never fewer than the minimum."""
    newest_first = sorted(slots, reverse=True)
    keeping = set(newest_first[: max(keep.get("last", 0), keep.get("minimum", 0))])
    for rule, period_of in _PERIODS.items():
        newest_of: dict[tuple[int, ...], datetime] = {}
        for slot in newest_first:
            newest_of.setdefault(period_of(slot.astimezone(zone)), slot)
        keeping |= set(list(newest_of.values())[: keep.get(rule, 0)])
    return keeping


def after_nights(
    nights: Sequence[datetime], keep: Mapping[str, int], zone: ZoneInfo, full_every_days: int = 1
) -> set[datetime]:
    """What stands when each night added one backup and then pruned. What a kept one has the changes since
    stands too, and counts with the others in the night after."""
    bases = bases_of(nights, full_every_days)
    standing: set[datetime] = set()
    for night in nights:
        standing = kept(standing | {night}, keep, zone)
        for slot in sorted(standing, reverse=True):
            base = bases[slot]
            while base is not None:
                standing.add(base)
                base = bases[base]
    return standing


def bases_of(nights: Sequence[datetime], full_every_days: int) -> dict[datetime, datetime | None]:
    """Of each night the one that its export has the changes since: the night before, no more than a day
    ago, unless the last whole export (`None`) is so many days old."""
    bases: dict[datetime, datetime | None] = {}
    whole = before = datetime.min.replace(tzinfo=ZoneInfo("UTC"))
    for night in nights:
        days = timedelta(days=full_every_days)
        changes = night - whole < days and night - before <= timedelta(days=1)
        bases[night] = before if changes else None
        whole, before = (whole if changes else night), night
    return bases


def differences(
    plan: Mapping[str, Any], nights: Sequence[datetime], found: Sequence[Standing], copy_key: str
) -> list[str]:
    """Every way in which what stands is not what the plan asks for, as sentences. Empty when all is well."""
    policies = {HOME_REGION: plan["keep"]} | {rule["region"]: rule["keep"] for rule in plan["copies"]}
    zone = ZoneInfo(plan.get("time_zone", "UTC"))
    expected = {region: after_nights(nights, keep, zone) for region, keep in policies.items()}
    problems = (
        [f"{COPY_REGION} is not a Region that the plan copies to"] if COPY_REGION not in policies else []
    )
    full_every_days = full_every_days_of(plan)
    exported = after_nights(nights, policies.get(COPY_REGION, {}), zone, full_every_days)
    for thing in COMPANY:
        for region, slots in expected.items():
            stands = exported if (thing.kind, region) == ("dynamodb", COPY_REGION) else slots
            problems += _slot_differences(thing, region, stands if thing.is_protected else set(), found)
    problems += _strangers(found)
    problems += _peoples_backups(found)
    problems += _copy_problems(found, copy_key)
    problems += _base_problems(found, bases_of(nights, full_every_days))
    return problems


def after_storm(plan: Mapping[str, Any], made: Made, found: Sequence[Standing], copy_key: str) -> list[str]:
    """The same where not every night brought a backup of everything: of those that were `made`, what is kept
    must stand in both Regions, and nothing else but what an export holds the changes since."""
    policies = {HOME_REGION: plan["keep"]} | {rule["region"]: rule["keep"] for rule in plan["copies"]}
    zone = ZoneInfo(plan.get("time_zone", "UTC"))
    problems: list[str] = []
    for thing in COMPANY:
        slots = made.get((thing.kind, thing.name), ()) if thing.is_protected else ()
        for region, keep in policies.items():
            wanted = kept(slots, keep, zone)
            bases = {one.slot: one.base for one in found if _is_of(one, thing, region)}
            problems += _slot_differences(thing, region, wanted | _stood_on(wanted, bases), found)
            problems += [
                f"{thing.kind} {thing.name} in {region}: the export of {slot:%Y-%m-%d} stands on nothing"
                for slot, base in bases.items()
                if slot is not None and base is not None and base not in bases
            ]
    return [*problems, *_strangers(found), *_peoples_backups(found), *_copy_problems(found, copy_key)]


def _is_of(one: Standing, thing: Thing, region: str) -> bool:
    return (one.kind, one.name, one.region) == (thing.kind, thing.name, region)


def _stood_on(slots: Iterable[datetime], bases: Mapping[datetime | None, datetime | None]) -> set[datetime]:
    """What these hold the changes since, down to the whole ones."""
    found: set[datetime] = set()
    for slot in slots:
        base = bases.get(slot)
        while base is not None:
            found.add(base)
            base = bases.get(base)
    return found


def at_home(found: Iterable[Standing]) -> list[Standing]:
    """Holdfast's backups in the home Region that could be restored."""
    return [one for one in found if one.region == HOME_REGION and one.slot is not None and one.whole]


def missing(found: Sequence[Standing], slot: datetime) -> Iterable[str]:
    """What a run that says `ok` must have and has not: of everything protected a whole backup of the slot, in
    each Region."""
    for thing in (thing for thing in COMPANY if thing.is_protected):
        for region in (HOME_REGION, COPY_REGION):
            its = [one for one in found if _is_of(one, thing, region) and one.slot == slot and one.whole]
            if not its:
                yield f"{slot:%Y-%m-%d} is told as ok, without {thing.kind} {thing.name} in {region}"


def twice(found: Sequence[Standing]) -> Iterable[str]:
    """Resources of which two backups of one slot stand that AWS has not ended as failed."""
    counts = Counter(
        (one.kind, one.name, one.region, one.slot)
        for one in found
        if one.slot is not None and not one.failed and (one.whole or not _is_export(one))
    )
    for (kind, name, region, slot), count in counts.items():
        if count > 1:
            yield f"{kind} {name} in {region}: {count} backups of {slot:%Y-%m-%d}"


def wrongly_gone(
    plan: Mapping[str, Any], before: Sequence[Standing], after: Sequence[Standing], slot: datetime
) -> Iterable[str]:
    """Whole backups that stood before the night of this slot and were deleted in it, though the plan keeps
    them, or a guard should have."""
    left = {(one.kind, one.name, one.region, one.id) for one in after}
    for one in before:
        if (one.kind, one.name, one.region, one.id) in left or not one.whole:
            continue
        where = f"{one.kind} {one.name} in {one.region}: {one.id} was deleted"
        if one.slot is None:
            yield f"{where}, which a person made"
        else:
            yield from (f"{where}, {why}" for why in _why_not(plan, one, one.slot, before, after, slot))


def _why_not(
    plan: Mapping[str, Any],
    gone: Standing,
    its_slot: datetime,
    before: Sequence[Standing],
    after: Sequence[Standing],
    slot: datetime,
) -> Iterable[str]:
    """Why a backup should not have been deleted."""
    zone = ZoneInfo(plan.get("time_zone", "UTC"))
    copies = {rule["region"]: rule["keep"] for rule in plan["copies"]}
    here = _whole_slots(gone, gone.region, [*before, *after])
    now = _whole_slots(gone, gone.region, after)
    keep = plan["keep"] if gone.region == HOME_REGION else copies[gone.region]
    if its_slot in kept(here, keep, zone):
        yield "which the plan keeps"
    if len(now) < keep["minimum"]:
        yield f"and {len(now)} are left of a minimum of {keep['minimum']}"
    if slot not in _whole_slots(gone, HOME_REGION, after):
        yield "although the night brought no backup"
    theirs = (gone.kind, gone.name, gone.region)
    if any(one.base == its_slot for one in after if (one.kind, one.name, one.region) == theirs):
        yield "on which another one stands"
    if gone.region == HOME_REGION:
        copied = _whole_slots(gone, COPY_REGION, after)
        wanted = kept(here | copied, copies[COPY_REGION], zone)
        if its_slot in wanted - copied:
            yield "before it was copied"


def _whole_slots(like: Standing, region: str, found: Iterable[Standing]) -> set[datetime]:
    """The slots of which a resource has a whole backup in a Region."""
    return {
        one.slot
        for one in found
        if (one.kind, one.name, one.region) == (like.kind, like.name, region)
        and one.slot is not None
        and one.whole
    }


def full_every_days_of(plan: Mapping[str, Any]) -> int:
    """How often the plan has a table exported whole."""
    settings = [rule.get("incremental") for rule in plan["copies"] if rule["region"] == COPY_REGION]
    return next((one["full_every_days"] for one in settings if one), 1)


def _slot_differences(
    thing: Thing, region: str, wanted: set[datetime], found: Sequence[Standing]
) -> Iterable[str]:
    where = f"{thing.kind} {thing.name} in {region}"
    slots = [
        one.slot
        for one in found
        if (one.kind, one.name, one.region) == (thing.kind, thing.name, region) and one.slot is not None
    ]
    standing = set(slots)
    for slot in sorted(wanted - standing):
        yield f"{where}: the backup of {slot:%Y-%m-%d} is missing"
    for slot in sorted(standing - wanted):
        yield f"{where}: the backup of {slot:%Y-%m-%d} stands and should not"
    for slot in sorted(slot for slot in standing if slots.count(slot) > 1):
        yield f"{where}: {slots.count(slot)} backups of {slot:%Y-%m-%d}"


def _strangers(found: Sequence[Standing]) -> Iterable[str]:
    known = {(thing.kind, thing.name) for thing in COMPANY}
    for one in found:
        if (one.kind, one.name) not in known:
            yield f"{one.kind} {one.name} in {one.region}: has the backup {one.id} and should have none"


def _peoples_backups(found: Sequence[Standing]) -> Iterable[str]:
    names = {one.id for one in found if one.slot is None}
    theirs = {name for _, _, name in PEOPLES_BACKUPS}
    for name in sorted(theirs - names):
        yield f"the backup {name}, which a person made, is gone"
    for name in sorted(names - theirs):
        yield f"the backup {name} is neither Holdfast's nor a person's"


def _base_problems(found: Sequence[Standing], bases: Mapping[datetime, datetime | None]) -> Iterable[str]:
    for one in found:
        if one.base != (bases.get(one.slot) if _is_export(one) and one.slot else None):
            since = f"the changes since {one.base:%Y-%m-%d}" if one.base else "everything"
            yield f"{one.kind} {one.name} in {one.region}: {one.id} has {since}, and should not"


def _is_export(one: Standing) -> bool:
    return (one.kind, one.region) == ("dynamodb", COPY_REGION)


def _copy_problems(found: Sequence[Standing], copy_key: str) -> Iterable[str]:
    encrypted = {(thing.kind, thing.name) for thing in COMPANY if thing.encrypted or thing.kind == "dynamodb"}
    for one in found:
        if not one.whole:
            yield f"{one.kind} {one.name} in {one.region}: {one.id} cannot be restored as it stands"
        if one.region != HOME_REGION and not one.copy_of:
            yield f"{one.kind} {one.name} in {one.region}: {one.id} does not say what it is a copy of"
        if one.region != HOME_REGION and (one.kind, one.name) in encrypted and one.key != copy_key:
            yield f"{one.kind} {one.name} in {one.region}: {one.id} is not encrypted with {copy_key}"
