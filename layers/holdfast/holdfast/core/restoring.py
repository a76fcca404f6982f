"""A restore as types: what is asked for, what it is made of, how far it is, and how each setting came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from holdfast.core.model import Backup, place_of, region_of, slot_of
from holdfast.core.naming import format_slot, parse_slot

SCHEMA = "holdfast.restore/1"

RESTORE_TAG = "holdfast:restore"
"""On what a restore made: the request's id. Nothing that lacks it is ever changed by one."""

type Json = str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None
type Settings = Mapping[str, Json]
"""By AWS's own name of each."""

PATIENCE = timedelta(hours=72)
"""What is still being made after this is told as failed: nobody waits longer for AWS."""

_SKEW = timedelta(seconds=90)
"""AWS dates what it makes by a clock of its own."""

_FIRST_PAUSE_SECONDS = 15
_LONGEST_PAUSE_SECONDS = 300

_KINDS = {
    ("dynamodb", "table"): "dynamodb",
    ("rds", "db"): "rds",
    ("rds", "cluster"): "aurora",
    ("ec2", "volume"): "ebs",
}


def kind_of(arn: str) -> str:
    """The kind of resource that an ARN names; empty when it is none that can be restored."""
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return ""
    return _KINDS.get((parts[2], parts[5].replace("/", ":").partition(":")[0]), "")


class Way(StrEnum):
    """What a restore is made of."""

    BACKUP = "backup"
    INSTANT = "instant"
    """AWS's own point-in-time recovery of a resource that still stands, in its own Region."""

    EXPORT = "export"
    """A table's export: a whole one, and the changes since, which are put on top."""


class Phase(StrEnum):
    """How far what is being made is."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


class RestoreState(StrEnum):
    """`planned` is a dry run's. `pending` goes on; the others are final."""

    PLANNED = "planned"
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Fate(StrEnum):
    """How a setting of the source came out: as it was there; as the request wanted it instead; or not, with
    the reason."""

    RESTORED = "restored"
    CHANGED = "changed"
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What is asked for: `resource` (an ARN, of what may be gone) as a new resource called `to` in `region`.

    Of a `backup` (its ARN or name), as it was `at` an instant or at the `latest` one that point-in-time
    recovery has, else of the newest good backup there. `settings` are to be other than the source's. Two
    requests with one `id` are one restore.
    """

    id: str
    resource: str
    region: str
    to: str = ""
    at: datetime | None = None
    latest: bool = False
    backup: str = ""
    settings: Settings = field(default_factory=dict)
    dry_run: bool = False

    @property
    def kind(self) -> str:
        return kind_of(self.resource)

    @property
    def is_abroad(self) -> bool:
        """Whether it is to stand in another Region than the resource."""
        return self.region != region_of(self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The instants that point-in-time recovery has, both ends included."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A resource's settings as they are, and why some could not be read (by name). `recorded` is when they
    were, of those that a run recorded; `None` of those that were read a moment ago."""

    arn: str
    settings: Settings
    unread: Mapping[str, str] = field(default_factory=dict)
    recorded: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One backup that a restore is made of. `slot` and `plan` are those of its mark, if it has one."""

    arn: str
    id: str
    place: str
    slot: datetime | None = None
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a restore is made of, and why that. `instant` is the time that the data will be of; `None` is the
    latest that point-in-time recovery has when it begins. `pieces` are empty for `Way.INSTANT`; of an export
    they are the whole one and the changes since, in their order."""

    way: Way
    instant: datetime | None
    reason: str
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be made."""

    kind: str
    name: str
    region: str
    source: str
    request: str

    @property
    def tags(self) -> Mapping[str, str]:
        return {RESTORE_TAG: self.request}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The settings that the new resource is to have: the source's, `known`, where the request does not say
    otherwise (`given`). Of another Region's source some mean nothing here: its subnets, keys and groups."""

    known: Settings = field(default_factory=dict)
    given: Settings = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return {**self.known, **self.given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands under a target's name. `text` is AWS's own word for its state. `request` is that in its
    tag; where nothing can be tagged when it is made, `made_of` is the ARN of the backup, export or resource
    that AWS says it was made of, and `created` when."""

    arn: str
    phase: Phase
    text: str
    request: str = ""
    made_of: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """How many parts of the changes are on top of a whole export: files, and parts of large ones."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of bringing settings back. `pending` says what is still under way; `problems` why a setting
    could not be brought back, by its name."""

    pending: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingOutcome:
    """One setting of the source, and what the restored resource has."""

    name: str
    fate: Fate
    source: Json
    restored: Json
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One restore, as far as it is. `reason` says what it is at, or why it ended so. `known` are the source's
    settings, kept from when it began, since the source may go meanwhile; `None` when they are not known."""

    request: RestoreRequest
    state: RestoreState
    reason: str
    began: datetime
    ended: datetime | None = None
    to: str = ""
    arn: str = ""
    pick: Pick | None = None
    known: Configuration | None = None
    filled: Filled = field(default_factory=Filled)
    settings: tuple[SettingOutcome, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.state is not RestoreState.PENDING

    @property
    def seconds(self) -> float:
        """How long it took: the recovery time (RTO)."""
        return (self.ended - self.began).total_seconds() if self.ended else 0.0

    @property
    def lost(self) -> Sequence[SettingOutcome]:
        """The settings that did not come back."""
        return [one for one in self.settings if one.fate is Fate.NOT_POSSIBLE]

    @property
    def target(self) -> Target:
        return Target(
            kind=self.request.kind,
            name=self.to,
            region=self.request.region,
            source=self.request.resource,
            request=self.request.id,
        )

    @property
    def wanted(self) -> Wanted:
        return Wanted(known=self.known.settings if self.known else {}, given=self.request.settings)

    def is_mine(self, found: Found) -> bool:
        """Whether what stands under the name is what this restore made. Where nothing can be tagged when it
        is made, AWS tells of what it was made, and when. Another stack's restore may have the same id."""
        pieces = self.pick.pieces if self.pick else ()
        is_of_it = found.made_of in ({one.arn for one in pieces} or {self.request.resource})
        if found.request:
            return found.request == self.request.id and (is_of_it or not found.made_of)
        return is_of_it and found.created is not None and found.created >= self.began - _SKEW

    def ends(self, state: RestoreState, reason: str, now: datetime) -> "Restore":
        return replace(self, state=state, reason=reason, ended=now)


def piece_of(backup: Backup) -> Piece:
    return Piece(
        arn=backup.arn,
        id=backup.id,
        place=place_of(backup.region, backup.account),
        slot=slot_of(backup) if backup.mark else None,
        plan=backup.mark.plan if backup.mark else "",
    )


def pause_after(elapsed_seconds: float) -> int:
    """Seconds until one looks again: a tenth of what it has taken, so that little is added to it."""
    return round(min(_LONGEST_PAUSE_SECONDS, max(_FIRST_PAUSE_SECONDS, elapsed_seconds / 10)))


# --- as a document -----------------------------------------------------------------------------------------


def restore_to_dict(restore: Restore) -> dict[str, Any]:
    """The document `holdfast.restore/1`, which `docs/restore.md` describes."""
    request, pick = restore.request, restore.pick
    return {
        "schema": SCHEMA,
        "state": str(restore.state),
        "reason": restore.reason,
        "request": request_to_dict(request),
        "to": restore.to,
        "arn": restore.arn,
        "began": format_slot(restore.began),
        "ended": format_slot(restore.ended) if restore.ended else None,
        "seconds": round(restore.seconds, 3),
        "made_of": None
        if pick is None
        else {
            "way": str(pick.way),
            "instant": format_slot(pick.instant) if pick.instant else None,
            "reason": pick.reason,
            "backups": [
                {
                    "arn": one.arn,
                    "id": one.id,
                    "place": one.place,
                    "slot": format_slot(one.slot) if one.slot else None,
                    "plan": one.plan,
                }
                for one in pick.pieces
            ],
        },
        "source": None
        if restore.known is None
        else {
            "settings": dict(restore.known.settings),
            "unread": dict(restore.known.unread),
            "recorded": format_slot(restore.known.recorded) if restore.known.recorded else None,
        },
        "filled": {"done": restore.filled.done, "total": restore.filled.total},
        "settings": [
            {
                "name": one.name,
                "fate": str(one.fate),
                "source": one.source,
                "restored": one.restored,
                "reason": one.reason,
            }
            for one in restore.settings
        ],
    }


def request_to_dict(request: RestoreRequest) -> dict[str, Any]:
    """As it is given to the function."""
    asked: dict[str, Any] = {
        "id": request.id,
        "resource": request.resource,
        "region": request.region,
        "to": request.to,
    }
    if request.latest or request.at:
        asked["at"] = format_slot(request.at) if request.at else "latest"
    if request.backup:
        asked["backup"] = request.backup
    return asked | {"settings": dict(request.settings)}


def restore_from_dict(data: Mapping[str, Any]) -> Restore:
    """What `restore_to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about
    anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
    asked, source = data["request"], data["source"]
    return Restore(
        request=RestoreRequest(
            id=asked["id"],
            resource=asked["resource"],
            region=asked["region"],
            to=asked["to"],
            at=None if asked.get("at", "latest") == "latest" else _instant(asked["at"]),
            latest=asked.get("at") == "latest",
            backup=asked.get("backup", ""),
            settings=asked["settings"],
        ),
        state=RestoreState(data["state"]),
        reason=data["reason"],
        began=_instant(data["began"]),
        ended=_instant(data["ended"]) if data["ended"] else None,
        to=data["to"],
        arn=data["arn"],
        pick=_pick(data["made_of"]) if data["made_of"] else None,
        known=None
        if source is None
        else Configuration(
            arn=asked["resource"],
            settings=dict(source["settings"]),
            unread=dict(source["unread"]),
            recorded=_instant(source["recorded"]) if source.get("recorded") else None,
        ),
        filled=Filled(done=int(data["filled"]["done"]), total=int(data["filled"]["total"])),
        settings=tuple(
            SettingOutcome(
                name=one["name"],
                fate=Fate(one["fate"]),
                source=one["source"],
                restored=one["restored"],
                reason=one["reason"],
            )
            for one in data["settings"]
        ),
    )


def _pick(data: Mapping[str, Any]) -> Pick:
    return Pick(
        way=Way(data["way"]),
        instant=_instant(data["instant"]) if data["instant"] else None,
        reason=data["reason"],
        pieces=tuple(
            Piece(
                arn=one["arn"],
                id=one["id"],
                place=one["place"],
                slot=_instant(one["slot"]) if one["slot"] else None,
                plan=one.get("plan", ""),
            )
            for one in data["backups"]
        ),
    )


def _instant(text: str) -> datetime:
    instant = parse_slot(text)
    if instant is None:
        raise ValueError(f"{text!r} is no time")
    return instant
