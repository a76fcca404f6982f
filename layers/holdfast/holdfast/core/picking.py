"""What a restore is made of, and under which name: decided on what stands, with a reason, or refused with the
way that would work."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from holdfast.core.brief import shown
from holdfast.core.errors import RestoreRefused
from holdfast.core.model import Backup, BackupState, name_of, region_of, slot_of
from holdfast.core.naming import compact_slot, format_slot
from holdfast.core.restoring import Pick, RestoreRequest, Way, Window, piece_of
from holdfast.core.retention import is_good

_MOST_NAMED = 3
"""Backups that a refusal names."""

_RDS_NAME = re.compile(r"(?!.*--)[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]|[A-Za-z]")
_RDS_RULE = "1 to 63 letters, digits and hyphens, a letter first, no two hyphens together and none at the end"
_NAMES = {
    "dynamodb": (re.compile(r"[A-Za-z0-9_.-]{3,255}"), "3 to 255 letters, digits, '_', '.' and '-'"),
    "rds": (_RDS_NAME, _RDS_RULE),
    "aurora": (_RDS_NAME, _RDS_RULE),
    "ebs": (re.compile(r".{1,255}"), "1 to 255 characters, as a Name tag has them"),
}
_LONGEST_OWN_NAME = {"dynamodb": 255, "rds": 63, "aurora": 63, "ebs": 255}


def name_for(request: RestoreRequest, pick: Pick, now: datetime) -> str:
    """The name of what is to be made: what the request says, else the source's with the time that the data is
    of. RDS keeps names in lower case. Raises `RestoreRefused` about one that AWS does not take."""
    kind = request.kind
    pattern, rule = _NAMES[kind]
    if request.to:
        if not pattern.fullmatch(request.to):
            raise RestoreRefused(f"to: {shown(request.to)} cannot be the name of it; give {rule}")
        return request.to.lower() if kind in ("rds", "aurora") else request.to
    tail = f"-{compact_slot(pick.instant or now).lower()}"
    return name_of(request.resource)[: _LONGEST_OWN_NAME[kind] - len(tail)].rstrip("-") + tail


def pick(request: RestoreRequest, backups: Sequence[Backup], window: Window | None, now: datetime) -> Pick:
    """What to make it of. `backups` are all of the resource that stand in the Region where it is to stand,
    `window` is what point-in-time recovery has of it, and `None` where it has nothing.

    Raises `RestoreRefused` when what was asked for is not there.
    """
    if request.backup:
        return _of_backup(_named(request, backups), backups, "the request names it")
    if request.latest or request.at:
        return _of_instant(request, backups, window, now)
    good = _good(backups, now)
    if not good:
        raise RestoreRefused(_nothing(request, backups, window))
    newest = max(good, key=lambda one: (slot_of(one), one.arn))
    return _of_backup(newest, backups, f"the newest good one in {request.region}{_others(newest, good)}")


def _of_backup(backup: Backup, backups: Iterable[Backup], reason: str) -> Pick:
    chain = _chain(backup, backups)
    return Pick(
        way=Way.EXPORT if _is_export(backup) else Way.BACKUP,
        instant=slot_of(backup) if backup.mark else None,
        reason=reason,
        pieces=tuple(map(piece_of, chain)),
    )


def _of_instant(
    request: RestoreRequest, backups: Sequence[Backup], window: Window | None, now: datetime
) -> Pick:
    instead = _instead(request, backups, now)
    if request.is_abroad:
        raise RestoreRefused(
            f"at: point-in-time recovery restores in the resource's own Region alone, "
            f"{region_of(request.resource)}; in {request.region} there are backups of slots: {instead}"
        )
    if window is None:
        raise RestoreRefused(
            f"at: {name_of(request.resource)} has no point-in-time recovery (it is off, or the resource is "
            f"gone): {instead}"
        )
    if request.at and not window.earliest <= request.at <= window.latest:
        raise RestoreRefused(
            f"at: {format_slot(request.at)} is not within what point-in-time recovery has, "
            f"{format_slot(window.earliest)} to {format_slot(window.latest)}: give an instant of that time, "
            f"or 'latest'; or {instead}"
        )
    reason = "point-in-time recovery has it"
    return Pick(way=Way.INSTANT, instant=request.at, reason=reason)


def _named(request: RestoreRequest, backups: Sequence[Backup]) -> Backup:
    found = [one for one in backups if request.backup in (one.arn, one.id)]
    if not found:
        raise RestoreRefused(
            f"backup: {shown(request.backup)} is none of {name_of(request.resource)} in {request.region}: "
            f"{_names(backups)}"
        )
    if len(found) > 1:
        arns = ", ".join(sorted(one.arn for one in found))
        raise RestoreRefused(f"backup: {len(found)} backups have that name: give the ARN of one ({arns})")
    [one] = found
    if one.state is not BackupState.AVAILABLE:
        why = f" ({one.failure})" if one.failure else ""
        raise RestoreRefused(
            f"backup: {one.id} is {one.state}{why}, and cannot be restored: {_names(backups)}"
        )
    return one


def _good(backups: Iterable[Backup], now: datetime) -> list[Backup]:
    return [one for one in backups if one.mark is not None and is_good(one, now)]


def _is_export(backup: Backup) -> bool:
    return backup.kind == "dynamodb" and backup.is_copy


def _chain(backup: Backup, backups: Iterable[Backup]) -> list[Backup]:
    """The backup and what it holds the changes since, the whole one first."""
    below = {
        slot_of(one): one
        for one in backups
        if one.mark is not None
        and one.state is BackupState.AVAILABLE
        and (one.place, one.resource_id) == (backup.place, backup.resource_id)
    }
    chain = [backup]
    while (base := chain[0].base) is not None:
        if base not in below:
            raise RestoreRefused(
                f"backup: {chain[0].id} holds the changes since {format_slot(base)}, and no export of that "
                f"slot stands in {backup.place}: give an older one that is whole"
            )
        chain.insert(0, below[base])
    return chain


def _others(newest: Backup, good: Sequence[Backup]) -> str:
    """A word on backups of a former resource of the name: on the worst day the newest may be of an empty one
    that was made in its place."""
    former = [one for one in good if one.resource_id != newest.resource_id]
    if not former:
        return ""
    last = max(former, key=slot_of)
    return (
        f"; another resource had this name before (id {last.resource_id or 'unknown'}), whose newest one is "
        f"{last.id} of {format_slot(slot_of(last))}: give backup={last.arn} for that"
    )


def _instead(request: RestoreRequest, backups: Sequence[Backup], now: datetime) -> str:
    """Which backups would do for an instant."""
    slots = sorted(_good(backups, now), key=slot_of)
    if not slots:
        return f"no backup of it stands in {request.region} either"
    if request.at is None:
        return f"without 'at' the newest backup is taken, {slots[-1].id} of {format_slot(slot_of(slots[-1]))}"
    before = [one for one in slots if slot_of(one) <= request.at]
    after = [one for one in slots if slot_of(one) > request.at]
    near = [
        f"{word} {format_slot(slot_of(one))} (backup={one.id})"
        for word, one in (
            ("the one before it is of", before[-1] if before else None),
            ("the one after it of", after[0] if after else None),
        )
        if one is not None
    ]
    return "of the backups " + ", ".join(near)


def _names(backups: Sequence[Backup]) -> str:
    """The newest backups that could be restored."""
    there = [one for one in backups if one.state is BackupState.AVAILABLE]
    if not there:
        return "none stands there that can be restored"
    newest = sorted(there, key=_age, reverse=True)
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    names = ", ".join(one.id for one in newest[:_MOST_NAMED])
    return f"there {'is' if len(there) == 1 else 'are'} {names}{more}"


def _age(backup: Backup) -> tuple[str, str]:
    return (format_slot(slot_of(backup)) if backup.mark else "", backup.id)


def _nothing(request: RestoreRequest, backups: Sequence[Backup], window: Window | None) -> str:
    """There is no good backup: what there is instead."""
    said = f"no backup of {request.resource} that can be restored stands in {request.region}"
    by_hand = [one for one in backups if one.mark is None and one.state is BackupState.AVAILABLE]
    if window is not None:
        said += (
            "; point-in-time recovery has it: give at, 'latest' or an instant from "
            f"{format_slot(window.earliest)} to {format_slot(window.latest)}"
        )
    if by_hand:
        said += f"; others made some by hand: {_names(by_hand)} (give one as backup)"
    if window is None and not by_hand:
        said += "; look for one in the other Regions that the plan copies to (region)"
    return said
