"""What the documents say is kept, copied and protected, said once more in plain Python.

Nothing here calls the core's decisions, so that a mistake there is not made here too.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from holdfast.core.model import Backup, BackupState, CopyRule, KeepPolicy, Plan, Resource, Selection
from tests.fakes import KINDS

_LABELS: tuple[tuple[str, Callable[[datetime], object]], ...] = (
    ("hourly", lambda one: (one.year, one.month, one.day, one.hour)),
    ("daily", lambda one: (one.year, one.month, one.day)),
    ("weekly", lambda one: tuple(one.isocalendar())[:2]),
    ("monthly", lambda one: (one.year, one.month)),
    ("yearly", lambda one: one.year),
)


def slot(backup: Backup) -> datetime:
    assert backup.mark is not None
    return backup.mark.slot


def good(backups: Iterable[Backup], now: datetime) -> list[Backup]:
    """Evidence: available, not held, of a slot that has been."""
    return [
        one
        for one in backups
        if one.state is BackupState.AVAILABLE and one.mark and not one.held and one.mark.slot <= now
    ]


def zone_of(plan: Plan) -> tzinfo:
    return UTC if plan.time_zone == "UTC" else ZoneInfo(plan.time_zone)


def usable(policy: KeepPolicy) -> bool:
    return policy.rules > 0 and min(policy.counts) >= 0


def kept(evidence: Iterable[Backup], policy: KeepPolicy, zone: tzinfo) -> set[str]:
    """The ARNs that the rules and the floor keep."""
    walked = sorted(evidence, key=lambda one: (slot(one), one.arn), reverse=True)
    keep: set[str] = set()
    lists: list[tuple[int, list[Backup]]] = [(policy.last, walked)]
    for name, label in _LABELS:
        periods: dict[object, Backup] = {}
        for one in walked:
            periods.setdefault(label(slot(one).astimezone(zone)), one)
        lists.append((getattr(policy, name), list(periods.values())))
    for count, firsts in lists:
        keep.update(one.arn for one in firsts[:count])
        if policy.oldest and 0 < len(firsts) < count:
            keep.add(walked[-1].arn)
    if policy.within is not None and walked:
        length = timedelta(days=policy.within.days, hours=policy.within.hours)
        keep.update(one.arn for one in walked if slot(one) > slot(walked[0]) - length)
    for one in walked:
        if len(keep) >= max(policy.minimum, 1):
            break
        keep.add(one.arn)
    return keep


def policy_at(plan: Plan, place: str) -> KeepPolicy:
    for rule in plan.copies:
        if rule.place == place:
            return rule.keep
    return plan.keep


def carried(kind: str, rule: CopyRule) -> bool:
    """Whether the rule says anything to the kind: tables need a bucket, and stay in the account."""
    laws = KINDS[kind].laws
    return not laws.to_buckets or (bool(rule.bucket) and not rule.account)


def source_of_copies(rule: CopyRule, home_region: str) -> str:
    return rule.region if rule.account else home_region


def wanted(
    originals: Sequence[Backup], copies: Sequence[Backup], rule: CopyRule, plan: Plan, now: datetime
) -> set[datetime]:
    """The slots of one resource that a rule's place is to have a copy of: what its policy would keep, were
    all there that can be."""
    hopeful = [
        one
        for one in originals
        if one.mark and one.state in (BackupState.AVAILABLE, BackupState.CREATING) and slot(one) <= now
    ]
    have = {slot(one) for one in hopeful}
    orphans = [one for one in good(copies, now) if slot(one) not in have]
    keep = kept([*hopeful, *orphans], rule.keep, zone_of(plan))
    return {slot(one) for one in hopeful if one.arn in keep}


def stood_on(backup: Backup, others: Iterable[Backup]) -> list[Backup]:
    """Those of the others, of the same resource and place, that hold the changes since this one, directly or
    by what is between them."""
    found: list[Backup] = []
    slots = {slot(backup)}
    for one in sorted(others, key=slot):
        if one.base in slots and one.state is BackupState.AVAILABLE and one.arn != backup.arn:
            found.append(one)
            slots.add(slot(one))
    return found


def protected(resource: Resource, select: Selection, kinds: Collection[str]) -> bool:
    """Whether a plan is to back a resource up. The simulation's plans name whole ARNs, and no patterns."""
    if resource.kind not in kinds or resource.arn in select.exclude:
        return False
    named = resource.arn in select.include
    if resource.tags.get("holdfast:plan") == "none" and not named:
        return False
    tags = select.tags.items()
    of_group = bool(resource.group and select.tags) and tags <= resource.group_tags.items()
    return named or of_group or (bool(select.tags) and tags <= resource.tags.items())
