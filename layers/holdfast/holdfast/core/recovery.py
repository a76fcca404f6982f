"""A recovery as types and decisions: all that a plan protects, restored in another Region by one call, in
which order, and how far it is.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from holdfast.core.brief import shown
from holdfast.core.model import Backup, name_of
from holdfast.core.recorded import Inventory
from holdfast.core.restoring import Restore, RestoreRequest, RestoreState, Settings, kind_of

SCHEMA = "holdfast.recovery/1"

TIER_TAG = "holdfast:tier"
"""On a resource: a whole number. What has a lower one is restored before what has a higher one; what has none
comes last."""

PATIENCE = timedelta(hours=72)
"""After this a recovery is over, whatever is still being made: nobody waits longer for AWS."""

TIER_PATIENCE = timedelta(hours=6)
"""A resource that takes longer holds up the tiers behind its own no more."""

KINDS_IN_ORDER = ("aurora", "rds", "ebs", "dynamodb")
"""Within a tier, what takes longest first: a cluster is usable only when its instances are made after it."""

MOST_AT_ONCE: Mapping[str, int] = {"aurora": 20, "rds": 20, "ebs": 50, "dynamodb": 40}
"""Restores in flight of each kind. DynamoDB takes 50 restores and 50 imports at a time, by its API reference
(RestoreTableFromBackup, LimitExceededException); some are left to others. RDS and EC2 publish no number of
restores at a time: these are chosen."""

LONGEST_ID = 51
"""Characters of a recovery's id: behind it come a hyphen and the digest of a resource, and the id of a
restore has 64."""

_DIGEST_LENGTH = 12
_KEPT_REASON = 1000
_MOST_LOST_SETTINGS = 40


class LineState(StrEnum):
    """`waiting`: its turn has not come. `planned` is a dry run's. The rest are a restore's
    (`core.restoring.RestoreState`)."""

    WAITING = "waiting"
    PLANNED = "planned"
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


_OVER = frozenset({LineState.DONE, LineState.REFUSED, LineState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRequest:
    """What is asked for: all of a `plan` in `region`, nothing newer than `until` (an instant; `None` for the
    newest), `only` what these ARNs or globs name (empty: all).

    `names` are those of new resources, by the ARN of the source; `settings` by kind or ARN, as a restore
    takes them. `lost_at` is when the Region was lost, which losses are counted up to; `None` for when the
    recovery began. Two requests with one `id` are one recovery.
    """

    id: str
    plan: str
    region: str
    until: datetime | None = None
    lost_at: datetime | None = None
    only: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    dry_run: bool = False

    def wants(self, arn: str) -> bool:
        return not self.only or any(fnmatchcase(arn, pattern) for pattern in self.only)

    def settings_for(self, kind: str, arn: str) -> Settings:
        """What is given for the resource goes before what is given for its kind."""
        return {**self.settings.get(kind, {}), **self.settings.get(arn, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSetting:
    """A setting of the source that did not come back, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One resource: where it stands in the order, and how far its restore is.

    `to` is the new one's name and `label` what people call the source, where its name is an id. `recorded`:
    it is in the inventory, and not only among the sources of the backups. `instant` is the time that its data
    is of; `seconds` how long the restore took, from `began` on.
    """

    resource: str
    to: str
    label: str = ""
    tier: int | None = None
    recorded: bool = True
    state: LineState = LineState.WAITING
    reason: str = ""
    arn: str = ""
    backup: str = ""
    instant: datetime | None = None
    began: datetime | None = None
    seconds: float = 0.0
    settings_known: bool = True
    lost_settings: tuple[LostSetting, ...] = ()

    @property
    def kind(self) -> str:
        return kind_of(self.resource)

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def is_restored(self) -> bool:
        return self.state is LineState.DONE

    @property
    def lacks_settings(self) -> bool:
        return self.is_restored and bool(self.lost_settings or not self.settings_known)

    def lost_hours(self, at: datetime) -> float | None:
        """How much of its data is lost: the age, at that instant, of what it was restored from. `None` when
        that is not known."""
        return None if self.instant is None else max(0.0, (at - self.instant).total_seconds() / 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One recovery, as far as it is. `slot` is that of the inventory, `None` when there is none; `unlisted`
    the kinds whose backups could not be listed yet. `problems` are sentences about the whole."""

    request: RecoveryRequest
    began: datetime
    ended: datetime | None = None
    slot: datetime | None = None
    rpo_hours: int = 0
    rto_minutes: int = 0
    unlisted: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.ended is not None

    @property
    def seconds(self) -> float:
        """How long the whole took: the recovery time (RTO)."""
        return (self.ended - self.began).total_seconds() if self.ended else 0.0

    @property
    def lost_at(self) -> datetime:
        return self.request.lost_at or self.began

    @property
    def missing(self) -> Sequence[Line]:
        """What is not restored, whatever the reason."""
        return [one for one in self.lines if not one.is_restored]

    @property
    def restored(self) -> Sequence[Line]:
        return [one for one in self.lines if one.is_restored]

    def restore_request(self, line: Line) -> RestoreRequest:
        """What the line asks of `restore`."""
        digest = hashlib.sha256(line.resource.encode()).hexdigest()[:_DIGEST_LENGTH]
        return RestoreRequest(
            id=f"{self.request.id}-{digest}",
            resource=line.resource,
            region=self.request.region,
            to=line.to,
            settings=self.request.settings_for(line.kind, line.resource),
            dry_run=self.request.dry_run,
        )


# --- what is to be restored --------------------------------------------------------------------------------


def lines_of_inventory(request: RecoveryRequest, inventory: Inventory) -> tuple[list[Line], list[str]]:
    """A line for each resource of an inventory that is asked for, and a problem for each wrong tier."""
    lines, problems = [], []
    for one in inventory.recorded:
        if not kind_of(one.arn) or not request.wants(one.arn):
            continue
        tier, mistake = tier_of(one.arn, one.tags)
        problems += mistake
        name = request.names.get(one.arn) or one.label or name_of(one.arn)
        lines.append(Line(resource=one.arn, to=name, label=one.label, tier=tier))
    return lines, problems


def lines_of_backups(
    request: RecoveryRequest, backups: Iterable[Backup], known: Iterable[str]
) -> tuple[list[Line], list[str]]:
    """A line for each source of the plan's backups that is asked for and not `known`. Of its tags those are
    told that the newest of its backups bears."""
    newest: dict[str, Backup] = {}
    passed = set(known)
    for one in backups:
        mark = one.mark
        if mark is None or mark.source in passed or not request.wants(mark.source):
            continue
        other = newest.get(mark.source)
        if other is None or other.mark is None or other.mark.slot < mark.slot:
            newest[mark.source] = one
    lines, problems = [], []
    for arn, backup in sorted(newest.items()):
        tier, mistake = tier_of(arn, backup.tags)
        problems += mistake
        label = backup.tags.get("Name", "") if kind_of(arn) == "ebs" else ""
        name = request.names.get(arn) or label or name_of(arn)
        lines.append(Line(resource=arn, to=name, label=label, tier=tier, recorded=False))
    return lines, problems


def tier_of(arn: str, tags: Mapping[str, str]) -> tuple[int | None, list[str]]:
    """The tier that a resource's tag says, and what is wrong with the tag."""
    text = tags.get(TIER_TAG)
    if text is None:
        return None, []
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and len(plain) <= 6:
        return int(plain), []
    return None, [
        f"{TIER_TAG}: {shown(text)} on {arn} is no whole number from 0 to 999999: it comes last, as without"
    ]


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines as they are restored: by tier, then what takes longest, then by ARN."""
    return tuple(sorted(lines, key=lambda one: (_tier(one), KINDS_IN_ORDER.index(one.kind), one.resource)))


# --- what comes next ---------------------------------------------------------------------------------------


def at_work(lines: Sequence[Line], now: datetime, most: Mapping[str, int] = MOST_AT_ONCE) -> list[Line]:
    """The lines that are to be looked at now: what is in flight, and what may begin beside it. A tier begins
    when nothing of those before is waiting or in flight, but for what takes longer than `TIER_PATIENCE`."""
    pending = [one for one in lines if one.state is LineState.PENDING]
    waiting = [one for one in lines if one.state is LineState.WAITING]
    holding = [*waiting, *(one for one in pending if not _is_slow(one, now))]
    turn = min(map(_tier, holding), default=math.inf)
    flying = Counter(one.kind for one in pending)
    begun = []
    for one in waiting:
        if _tier(one) == turn and flying[one.kind] < most[one.kind]:
            flying[one.kind] += 1
            begun.append(one)
    return [*pending, *begun]


def _tier(line: Line) -> float:
    return math.inf if line.tier is None else line.tier


def _is_slow(line: Line, now: datetime) -> bool:
    return line.began is not None and now - line.began > TIER_PATIENCE


def told(line: Line, restore: Restore, now: datetime) -> Line:
    """The line, as its restore now says."""
    picked = restore.pick
    state = LineState(restore.state.value)
    return replace(
        line,
        state=state,
        reason=restore.reason[:_KEPT_REASON],
        to=restore.to or line.to,
        arn=restore.arn,
        backup=picked.pieces[-1].arn if picked and picked.pieces else "",
        instant=picked.instant if picked else None,
        began=None if state is LineState.PLANNED else line.began or now,
        seconds=restore.seconds,
        settings_known=restore.known is not None or restore.state is not RestoreState.DONE,
        lost_settings=tuple(
            LostSetting(name=one.name, reason=one.reason[:_KEPT_REASON])
            for one in restore.lost[:_MOST_LOST_SETTINGS]
        ),
    )


def given_up(line: Line) -> Line:
    """A line that nobody waits for any longer."""
    hours = round(PATIENCE.total_seconds() / 3600)
    doing = line.reason or "its turn had not come"
    return replace(line, state=LineState.FAILED, reason=f"not restored after {hours} hours: {doing}")


def gone_on(recovery: Recovery, lines: Iterable[Line], now: datetime) -> Recovery:
    """The recovery with these of its lines as they are now. It is over when each line is."""
    looked = {one.resource: one for one in lines}
    after = tuple(looked.get(one.resource, one) for one in recovery.lines)
    if now - recovery.began > PATIENCE:
        after = tuple(one if one.is_over else given_up(one) for one in after)
        return replace(recovery, lines=after, unlisted=(), ended=now)
    is_over = not recovery.unlisted and all(one.is_over for one in after)
    return replace(recovery, lines=after, ended=now if is_over else None)
