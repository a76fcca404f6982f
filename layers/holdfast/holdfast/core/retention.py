"""Which backups of one resource in one place are kept, and why.

The rules are those of restic's `forget` (`internal/data/snapshot_policy.go` in its source): walk the
backups from the newest to the oldest; each rule (`last`, `hourly`, `daily`, …) keeps the first backup that
it meets in a period, until it has kept as many as its count. So a rule counts periods that hold a backup,
not calendar periods: after a month without backups nothing has expired. Rules are OR-ed. Weeks are ISO
weeks; periods are those of the plan's time zone. As in restic 0.14, the oldest backup is not kept
for a rule that has counts left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from holdfast.core.model import Backup, BackupState, KeepPolicy, Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to become of one backup, and in words why."""

    backup: Backup
    keep: bool
    reason: str


type _Period = Callable[[datetime, int], object]

_RULES: tuple[tuple[str, _Period], ...] = (
    ("last", lambda _moment, position: position),
    ("hourly", lambda moment, _position: (moment.date(), moment.hour)),
    ("daily", lambda moment, _position: moment.date()),
    ("weekly", lambda moment, _position: moment.isocalendar()[:2]),
    ("monthly", lambda moment, _position: (moment.year, moment.month)),
    ("yearly", lambda moment, _position: moment.year),
)


def decide(backups: Iterable[Backup], policy: KeepPolicy, now: datetime, zone: tzinfo) -> list[Verdict]:
    """A verdict for each of the backups, newest first. All must be ours, of one resource, in one place.

    Only backups that are available, not held and not dated after `now` are evidence: they alone fill the
    rules' periods and count for the floor. Others are kept, but for a failed one that a newer good backup
    has made useless. A policy without any count keeps everything.
    """
    ordered = sorted(((_mark_of(one).slot, one.arn, one) for one in backups), reverse=True)
    good = [one for slot, _, one in ordered if is_good(one, now) and not one.held]
    reasons = _kept_by_rules(good, policy, zone)
    _raise_to_floor(reasons, good, policy.minimum)
    newest_good = max((_mark_of(one).slot for one in good), default=None)
    return [_verdict(one, reasons.get(one.arn, ""), policy, now, newest_good) for _, _, one in ordered]


def is_good(backup: Backup, now: datetime) -> bool:
    """Whether a backup can be relied on: one that could be restored, from a moment that has been."""
    return backup.state is BackupState.AVAILABLE and _mark_of(backup).slot <= now


def _kept_by_rules(good: Sequence[Backup], policy: KeepPolicy, zone: tzinfo) -> dict[str, str]:
    """The reasons, by ARN, of those of `good` (newest first) that a rule keeps."""
    reasons: dict[str, list[str]] = {}
    for name, period in _RULES:
        count = int(getattr(policy, name))
        met: set[object] = set()  # and not the last one alone: a clock set back over midnight repeats a day
        for position, one in enumerate(good):
            if len(met) >= count:
                break
            current = period(_mark_of(one).slot.astimezone(zone), position)
            if current in met:
                continue
            met.add(current)
            reasons.setdefault(one.arn, []).append(f"{name} {len(met)} of {count}")
    return {arn: ", ".join(words) for arn, words in reasons.items()}


def _raise_to_floor(reasons: dict[str, str], good: Sequence[Backup], minimum: int) -> None:
    """Keep the newest of what no rule keeps, until `minimum` good ones are kept. The newest always is."""
    floor = max(minimum, 1)
    for one in good:
        if len(reasons) >= floor:
            return
        reasons.setdefault(one.arn, f"floor: {floor} good backups")


def _verdict(
    backup: Backup, kept_because: str, policy: KeepPolicy, now: datetime, newest_good: datetime | None
) -> Verdict:
    slot = _mark_of(backup).slot
    if backup.held:
        return Verdict(backup=backup, keep=True, reason="held")
    if policy.is_unusable:
        return Verdict(backup=backup, keep=True, reason="the policy has no usable count: it deletes nothing")
    if backup.state is BackupState.FAILED:
        if newest_good is not None and newest_good > slot:
            return Verdict(backup=backup, keep=False, reason="it failed, and there is a newer good backup")
        return Verdict(backup=backup, keep=True, reason="it failed, and no newer good backup stands yet")
    if backup.state is not BackupState.AVAILABLE:
        return Verdict(backup=backup, keep=True, reason=f"not finished: {backup.state}")
    if slot > now:
        return Verdict(backup=backup, keep=True, reason="dated in the future")
    if kept_because:
        return Verdict(backup=backup, keep=True, reason=kept_because)
    return Verdict(backup=backup, keep=False, reason=f"no rule keeps it ({describe(policy)})")


def describe(policy: KeepPolicy) -> str:
    """A policy in words: `daily 7, weekly 4, minimum 2`."""
    counts = [f"{name} {getattr(policy, name)}" for name, _ in _RULES if getattr(policy, name)]
    return ", ".join([*counts, f"minimum {policy.minimum}"])


def _mark_of(backup: Backup) -> Mark:
    """Backups without a mark are not ours and never come this far."""
    if backup.mark is None:
        raise ValueError(f"{backup.arn} bears no mark: retention decides on our own backups alone")
    return backup.mark
