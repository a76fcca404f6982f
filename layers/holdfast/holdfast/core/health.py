"""Whether a resource can be restored from a place as its plan wants it, and if not, why and what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from holdfast.core.cost import Prices
from holdfast.core.model import Backup, BackupState, Home, Plan, slot_of
from holdfast.core.naming import format_slot
from holdfast.core.posture import Health, LastRun, Posture, Protection
from holdfast.core.retention import is_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all decisions on one plan share.

    `ran` are the slots of the runs that left records. `before` is the posture before this one, where there is
    one that can be read, and `memory_lost` that there may be one which cannot.
    """

    plan: Plan
    at: datetime
    home: Home
    prices: Prices
    last_run: LastRun | None = None
    ran: Sequence[datetime] = ()
    before: Mapping[tuple[str, str, str], Protection] = field(default_factory=dict)
    memory_lost: bool = False

    @property
    def rpo(self) -> timedelta:
        return timedelta(hours=self.plan.rpo_hours)

    def is_settled(self, slot: datetime) -> bool:
        """Whether what is not there of a slot is no longer on its way: its run has ended, or should have."""
        run = self.last_run
        if run is not None and run.ended and slot <= run.slot:
            return True
        return self.at - slot > timedelta(minutes=self.plan.window_minutes)


def protections_before(posture: Posture | None) -> dict[tuple[str, str, str], Protection]:
    """A posture's protections by what names them. What is left of a former resource of a name has the name
    of today's, and says nothing of it."""
    found = sorted(posture.protections, key=_is_in_use) if posture else ()
    return {one.key: one for one in found}


def _is_in_use(line: Protection) -> bool:
    return line.health is not Health.RETIRED


def judged(
    line: Protection, scene: Scene, trouble: str, backups: Sequence[Backup], unready: str
) -> Protection:
    """The line with its health and the reason. `trouble` says why its place could not be listed, `unready`
    why no backup of the resource can be made now; `backups` are those that the line is about."""
    if trouble:
        return _unseen(line, scene, trouble)
    why = _why(line, scene, backups, unready)
    if line.newest is None:
        return _without_any(line, scene, why)
    age = scene.at - line.newest
    if age > scene.rpo:
        reason = (
            f"the newest backup that can be restored is of {format_slot(line.newest)}, {_hours(age)} ago; "
            f"the plan's rpo_hours is {line.rpo_hours}. {why}"
        )
        return replace(line, health=Health.OVERDUE, reason=reason)
    stuck = f"; {line.stuck} stuck: look at {_them(line.stuck)} in AWS" if line.stuck else ""
    lacking = f"; {line.missing} missing of what the plan keeps" if line.missing else ""
    return replace(line, reason=f"the newest backup is {_hours(age)} old{lacking}{stuck}")


def _unseen(line: Protection, scene: Scene, trouble: str) -> Protection:
    """What was last seen stays remembered, so that what is gone when one can look again is missed."""
    before = scene.before.get(line.key)
    reason = f"it could not be listed: {trouble}"
    if before is None:
        return replace(line, health=Health.UNKNOWN, reason=reason)
    return replace(line, health=Health.UNKNOWN, reason=reason, newest=before.newest, since=before.since)


def _without_any(line: Protection, scene: Scene, why: str) -> Protection:
    """Nothing can be restored. That is to be expected of what was not there a while ago."""
    before = scene.before.get(line.key)
    if before is not None and before.health is Health.RETIRED:
        before = None  # what is left of a former resource of its name says nothing of it
    since = before.since if before and before.since else scene.at
    had_some = before is not None and (before.newest is not None or before.health is Health.MISSING)
    due = since + scene.rpo
    if had_some or scene.memory_lost or scene.at >= due:
        reason = f"nothing can be restored: no good backup stands there. {why}"
        return replace(line, health=Health.MISSING, since=since, reason=reason)
    reason = f"new: its first backup there is due by {format_slot(due)}"
    return replace(line, health=Health.WAITING, since=since, reason=reason)


def _why(line: Protection, scene: Scene, backups: Sequence[Backup], unready: str) -> str:
    """What is known of the cause, and what to do."""
    if unready:
        return f"{unready[0].upper()}{unready[1:]}."
    run = scene.last_run
    said = (
        [one.reason for one in run.failures if (one.resource, one.region) == (line.resource, line.place)]
        if run
        else []
    )
    if said:
        return f"The last run said: {said[0]}."
    if line.stuck:
        them = _them(line.stuck)
        return f"{line.stuck} in the making for longer than the plan's window: look at {them} in AWS."
    if failed := [one for one in backups if one.state is BackupState.FAILED]:
        why = max(failed, key=slot_of).failure or "AWS does not say why"
        return f"The newest attempt failed ({why}): mend the cause, and the next run tries again."
    if scene.plan.vault_of:
        return (
            "Look at the account that makes the copies; if the resource is gone for good, hold its newest "
            "copy."
        )
    if run is None or scene.at - run.slot > scene.rpo:
        when = f"none since {format_slot(run.slot)}" if run else "none that is known"
        return (
            f"No run has come lately ({when}): look at the schedule, and start one (RunCommand of the stack)."
        )
    if line.pending:
        return "One is in the making."
    return "The last run did not tell of it: look at its record, and run the plan again."


def let_go_by_hold(line: Protection, backups: Iterable[Backup], at: datetime) -> Protection:
    """A vault's copy that somebody holds is of a resource that is gone for good: nothing newer is due."""
    if line.health is not Health.OVERDUE:
        return line
    good = [one for one in backups if is_good(one, at)]
    if good and max(good, key=slot_of).held:
        return replace(line, health=Health.RETIRED, reason="its newest copy is held, and gets no younger")
    return line


def _hours(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return "less than an hour" if hours < 1 else f"{hours} hour{'' if hours == 1 else 's'}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
