"""Which backups of one resource in one place are kept, and why.

The rules are those of restic's `forget` (`internal/restic/snapshot_policy.go` in its source): walk the
backups from the newest to the oldest; each rule (`last`, `hourly`, `daily`, …) keeps the first backup that
it meets in a period, until it has kept as many as its count. So a rule counts periods that hold a backup,
not calendar periods: after a month without backups nothing has expired. Rules are OR-ed. Weeks are ISO
weeks; periods are those of the plan's time zone. `within` keeps what is younger than a length of time, seen
from the newest good backup and never from the clock. `oldest` is what later versions of restic do and 0.14
does not: a rule with counts left keeps the oldest backup too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from holdfast.core.model import HOLD_TAG, Backup, BackupState, KeepPolicy, slot_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to become of one backup, and in words why.

    `spared`: the rules let it go, and a guard keeps it for now. `later`: nothing is against deleting it but
    that people have not been told yet of the retention that lets it go. `stood_on`: spared, since another one
    holds the changes since it.
    """

    backup: Backup
    keep: bool
    reason: str
    spared: bool = False
    later: bool = False
    stood_on: bool = False


type _Period = Callable[[datetime, int], object]

_RULES: tuple[tuple[str, _Period], ...] = (
    ("last", lambda _moment, position: position),
    ("hourly", lambda moment, _position: (moment.date(), moment.hour)),
    ("daily", lambda moment, _position: moment.date()),
    ("weekly", lambda moment, _position: moment.isocalendar()[:2]),
    ("monthly", lambda moment, _position: (moment.year, moment.month)),
    ("yearly", lambda moment, _position: moment.year),
)

_STATES = (
    BackupState.REMNANT,
    BackupState.FAILED,
    BackupState.DELETING,
    BackupState.CREATING,
    BackupState.AVAILABLE,
)


def decide(backups: Iterable[Backup], policy: KeepPolicy, now: datetime, zone: tzinfo) -> list[Verdict]:
    """A verdict for each of the backups, newest first. Those that are ours must be of one resource, in one
    place.

    Only backups that are ours, available, not held and not dated after `now` are evidence: they alone fill
    the rules' periods and count for the floor. Others are kept, but for a failed one of ours that a newer
    good backup has made useless, and for what a deletion of ours left over. A policy without any rule keeps
    everything. A backup that a listing shows twice is one.
    """
    ordered = sorted(each_once(backups), key=_age, reverse=True)
    good = [one for one in ordered if is_good(one, now) and not one.held]
    reasons = _kept_by_rules(good, policy, zone)
    _raise_to_floor(reasons, good, policy.minimum)
    scene = _Scene(
        now=now,
        unusable=policy.is_unusable,
        newest_good=slot_of(good[0]) if good else None,
        none_keeps=f"no rule keeps it ({describe(policy)})",
    )
    return [_verdict(one, reasons.get(one.arn, ""), scene) for one in ordered]


def is_good(backup: Backup, now: datetime) -> bool:
    """Whether a backup of ours can be relied on: one that could be restored, from a moment that has been."""
    return backup.state is BackupState.AVAILABLE and backup.mark is not None and backup.mark.slot <= now


def most_useful_last(backup: Backup) -> int:
    """A key that sorts backups by how much can be expected of them."""
    return _STATES.index(backup.state)


def each_once(backups: Iterable[Backup]) -> Iterable[Backup]:
    """Pages of a listing overlap when backups come and go between them. What speaks more against deleting
    is believed: that it is not ours, that it is held, that it cannot be relied on."""
    found: dict[str, Backup] = {}
    for one in backups:
        other = found.get(one.arn)
        found[one.arn] = one if other is None else min(other, one, key=_reliance)
    return found.values()


def _reliance(backup: Backup) -> tuple[bool, bool, int]:
    return backup.mark is not None, not backup.held, most_useful_last(backup)


def _kept_by_rules(good: Sequence[Backup], policy: KeepPolicy, zone: tzinfo) -> dict[str, str]:
    """The reasons, by ARN, of those of `good` (newest first) that a rule keeps."""
    reasons: dict[str, list[str]] = defaultdict(list)
    moments = [slot_of(one).astimezone(zone) for one in good]
    for name, period in _RULES:
        count = int(getattr(policy, name))
        kept = _newest_of_periods(moments, period, count)
        for number, position in enumerate(kept, 1):
            reasons[good[position].arn].append(f"{name} {number} of {count}")
        if policy.oldest and 0 < len(kept) < count and kept[-1] != len(good) - 1:
            reasons[good[-1].arn].append(f"{name} {len(kept) + 1} of {count}, the oldest")
    if policy.within is not None and good:
        limit = policy.within.before(slot_of(good[0]))
        for one in good:
            if slot_of(one) > limit:
                reasons[one.arn].append(f"within {policy.within} of the newest")
    return {arn: ", ".join(words) for arn, words in reasons.items()}


def _newest_of_periods(moments: Sequence[datetime], period: _Period, count: int) -> list[int]:
    """The positions of the newest moment in each of the newest `count` periods."""
    met: dict[object, int] = {}  # and not the last one alone: a clock set back over midnight repeats a day
    for position, moment in enumerate(moments):
        if len(met) >= count:
            break
        met.setdefault(period(moment, position), position)
    return list(met.values())


def _raise_to_floor(reasons: dict[str, str], good: Sequence[Backup], minimum: int) -> None:
    """Keep the newest of what no rule keeps, until `minimum` good ones are kept. The newest always is."""
    floor = max(minimum, 1)
    for one in good:
        if len(reasons) >= floor:
            return
        reasons.setdefault(one.arn, f"floor: {floor} good backups")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What all verdicts of one decision share."""

    now: datetime
    unusable: bool
    newest_good: datetime | None
    none_keeps: str


def _verdict(backup: Backup, kept_because: str, scene: _Scene) -> Verdict:
    if backup.mark is None:
        return Verdict(backup=backup, keep=True, reason="not ours: it does not bear Holdfast's mark")
    if backup.held:
        return Verdict(backup=backup, keep=True, reason=_held(backup.tags))
    if scene.unusable:
        return Verdict(backup=backup, keep=True, reason="the policy has no usable rule: it deletes nothing")
    if backup.state is BackupState.REMNANT:
        return Verdict(backup=backup, keep=False, reason="the rest of a deletion that was cut short")
    if backup.state is BackupState.FAILED:
        if scene.newest_good is not None and scene.newest_good > backup.mark.slot:
            return Verdict(backup=backup, keep=False, reason="it failed, and there is a newer good backup")
        return Verdict(backup=backup, keep=True, reason="it failed, and no newer good backup stands yet")
    if backup.state is not BackupState.AVAILABLE:
        return Verdict(backup=backup, keep=True, reason=f"not finished: {backup.state}")
    if backup.mark.slot > scene.now:
        return Verdict(backup=backup, keep=True, reason="dated in the future")
    if kept_because:
        return Verdict(backup=backup, keep=True, reason=kept_because)
    return Verdict(backup=backup, keep=False, reason=scene.none_keeps)


def describe(policy: KeepPolicy) -> str:
    """A policy in words: `daily 7, weekly 4, within 14d, oldest, minimum 2`."""
    counts = [f"{name} {getattr(policy, name)}" for name, _ in _RULES if getattr(policy, name)]
    within = [f"within {policy.within}"] if policy.within is not None else []
    return ", ".join([*counts, *within, *(["oldest"] if policy.oldest else []), f"minimum {policy.minimum}"])


def _held(tags: Mapping[str, str]) -> str:
    why = tags.get(HOLD_TAG, "")
    return f"held: {why}" if why else "held"


def _age(backup: Backup) -> tuple[bool, datetime, str]:
    """Ours by slot, those of one slot by ARN; what is not ours comes last, by ARN."""
    if backup.mark is None:
        return False, datetime.min.replace(tzinfo=UTC), backup.arn
    return True, backup.mark.slot, backup.arn
