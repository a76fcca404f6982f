"""The fake cloud on the simulation's clock, and the ground truth: what was ever made and deleted, and how.

Backups become available, fail or hang by the clock; listings may lag behind; and each deletion is judged
before it takes effect, on what really stands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from holdfast.core.errors import NoAnswer, NotFound, NotReady
from holdfast.core.model import Backup, BackupState, Mark, Resource, account_of, place_of, region_of
from holdfast.ports import ResourceQuery
from tests.fakes import KINDS, Call, FakeCloud, FakeProvider, _Standing
from tests.simulation.gate import CALM, Gate, Process

NEVER = float("inf")


@dataclass(slots=True, kw_only=True, eq=False)
class Life:
    """What the truth knows of one backup. Times are the simulation's seconds.

    `owner` is the stack that really made it, and empty for people's. `incarnation` tells the resources of one
    name apart, whatever ids AWS tells. `ready_at` is when it ends being created, and `fails` how. Listings
    show it from `seen_from` on; `maker` is whoever made it.
    """

    arn: str
    kind: str
    source: str
    incarnation: str
    place: str
    mark: Mark | None
    owner: str = ""
    made_at: float = 0.0
    ready_at: float = 0.0
    fails: bool = False
    available_at: float | None = None
    gone_at: float | None = None
    seen_from: float = 0.0
    maker: Process | None = None
    copied_from: str = ""


class Judge(Protocol):
    """Who looks at what happens, at the moment at which it happens."""

    def made(self, life: Life, backup: Backup, process: Process | None) -> None: ...

    def deleting(self, life: Life, backup: Backup, process: Process) -> None: ...

    def listed(self, process: Process, kind: str, source: str, whole: bool) -> None: ...


@dataclass(slots=True, kw_only=True)
class Pace:
    """How AWS works in one run. Minutes that a backup takes; the shares of those that fail or hang; the
    seconds by which listings lag behind; and how far AWS's clock is off."""

    minutes: tuple[float, float] = (0.0, 0.0)
    failing: float = 0.0
    stuck: float = 0.0
    lag: float = 0.0
    cut_short: float = 0.0
    clock_off: float = 0.0


PROMPT = Pace()


@dataclass(frozen=True, slots=True)
class _Ghost:
    """A backup that is gone, and that listings still show."""

    backup: Backup
    until: float
    deleter: Process | None


def _came_before(other: Process | None, process: Process) -> bool:
    """Whether the other one did the same stage's work, and has ended."""
    return other is not None and other.dead and (other.name, other.where) == (process.name, process.where)


class SimulatedCloud(FakeCloud):
    """`judge` is asked at each deletion, before it takes effect."""

    def __init__(self, gate: Gate, judge: Judge, **knobs: object) -> None:
        super().__init__(**knobs)  # type: ignore[arg-type]
        self.gate = gate
        self.judge = judge
        self.pace = PROMPT
        self.lives: dict[str, Life] = {}
        self.incarnations: dict[str, str] = {}
        self._coming: dict[str, float] = {}
        self._at: dict[tuple[str, str], dict[str, _Standing]] = {}
        self._by_source: dict[str, list[Life]] = {}
        self._unfinished: dict[str, Life] = {}
        self._unseen: list[Life] = []
        self._ghosts: list[_Ghost] = []

    # What stands, as it really is.

    def settle(self) -> None:
        """Let those backups end whose time has come."""
        now = self.gate.seconds
        for arn in [arn for arn, then in self._coming.items() if then <= now]:
            del self._coming[arn]
            if arn in self._resources:
                self.set_state(arn)
        for arn, life in list(self._unfinished.items()):
            if arn not in self._standing:
                del self._unfinished[arn]
            elif life.ready_at <= now:
                del self._unfinished[arn]
                self._end(life)

    def _end(self, life: Life) -> None:
        state = BackupState.FAILED if life.fails else BackupState.AVAILABLE
        if not life.fails:
            life.available_at = life.ready_at
        standing = self._standing[life.arn]
        failure = "made to fail" if life.fails else ""
        standing.backup = replace(standing.backup, state=state, state_text=str(state), failure=failure)

    def truth(self, kind: str = "", source: str = "", place: str = "") -> list[Backup]:
        """What stands, in its real state."""
        self.settle()
        return [self._with_its_chain(one) for one in self.standing(kind, place, source)]

    def incarnation_of(self, arn: str) -> str:
        """Of a resource that exists, or that did."""
        return self.incarnations.get(arn, arn)

    def standing(self, kind: str = "", region: str = "", source: str = "") -> list[Backup]:
        if not kind or not region:
            return super().standing(kind, region, source)
        there = self._at.get((kind, region), {})
        return [one.backup for one in there.values() if source in ("", one.backup.source)]

    def lives_of(self, source: str) -> list[Life]:
        """All backups that there ever were of a resource of this name."""
        return self._by_source.get(source, [])

    def resources_now(self) -> list[Resource]:
        return list(self._resources.values())

    def end_all(self) -> None:
        """All that is under way ends; what hangs, as failed."""
        for life in self._unfinished.values():
            life.fails = life.fails or life.ready_at == NEVER
            life.ready_at = self.gate.seconds
        self.settle()

    def catch_up(self, process: Process) -> None:
        """A process begins to look: listings show it what the ended ones of its stage have made and deleted.

        So a lag never outlasts the time between two sweeps of a stage. It stays within a sweep, and between
        stages and deliveries that overlap.
        """
        if self._unseen:
            self._unseen = [life for life in self._unseen if life.seen_from > self.gate.seconds]
            for life in self._unseen:
                if _came_before(life.maker, process):
                    life.seen_from = self.gate.seconds
        self._ghosts = [one for one in self._ghosts if not _came_before(one.deleter, process)]

    # What people do.

    def put_resource(self, kind: str, name: str, tags: Mapping[str, str], **how: object) -> Resource:
        made = self.add_resource(kind, name, tags, **how)  # type: ignore[arg-type]
        self.incarnations[made.arn] = f"{made.arn}#{how.get('resource_id', '')}"
        return made

    def delay(self, arn: str, seconds: float) -> None:
        """A resource is being created for that long."""
        self.set_state(arn, unready="it is being created", transient=True)
        self._coming[arn] = self.gate.seconds + seconds

    def put_backup(
        self,
        source: str,
        mark: Mark,
        name: str,
        tags: Mapping[str, str],
        place: str,
        *,
        owner: str,
        base: datetime | None = None,
        state: BackupState = BackupState.AVAILABLE,
    ) -> Backup:
        """A backup of an earlier time."""
        kind = self._kind_of(source)
        standing = self._stand(kind, source, name, tags, place, state, copied_from=mark.copy_of)
        backup = standing.backup
        if not KINDS[kind].tagged and mark.copy_of:
            known = replace(mark, resource_id=backup.resource_id)
            standing.backup = replace(backup, base=base, mark=known)
        made_at = min(0.0, (mark.slot - self.gate.start).total_seconds()) + 300
        self._remember(standing, made_at, owner)
        return standing.backup

    def erase(self, arn: str) -> None:
        """A person deletes a backup by hand. Listings show that at once: of what they do not show yet nobody
        could know, and `docs/reliability.md` promises nothing there."""
        self.gate.note(f"deletes {arn}")
        self._gone(self._standing[arn].backup)
        self._ghosts = [ghost for ghost in self._ghosts if ghost.backup.arn != arn]

    # What the ports call.

    def list_resources(self, kind: str, query: ResourceQuery) -> list[Resource]:
        found = super().list_resources(kind, query)
        if found and self.gate.odds is not CALM and self.gate.random.random() < 0.01:
            self.gate.fault("resources: one is listed twice", found[0].arn)
            found.append(found[0])
        return found

    def list_backups(
        self, kind: str, region: str, source: str, since: datetime | None = None
    ) -> list[Backup]:
        def effect() -> list[Backup]:
            self.settle()
            now = self.gate.seconds
            found = [
                one.backup
                for one in self._at.get((kind, region), {}).values()
                if source in ("", one.backup.source)
                and (since is None or self._dated(one.backup) >= since)
                and self.lives[one.backup.arn].seen_from <= now
            ]
            if self._ghosts:
                self._ghosts = [ghost for ghost in self._ghosts if ghost.until > now]
                ghosts = [ghost.backup for ghost in self._ghosts]
                found += [one for one in ghosts if self._matches(one, kind, region, source)]
            if self.gate.odds is not CALM and len(found) > 1:
                self.gate.random.shuffle(found)
                if self.gate.random.random() < 0.02:
                    self.gate.fault("backups: one is listed twice", found[0].arn)
                    found.append(found[0])
            return [self._with_its_chain(one) for one in found]

        whole, process = False, self.gate.process
        try:
            found = self._call(Call("backups", kind, region, source or region), effect)
            whole = True
            return found
        finally:
            if process is not None:
                self.judge.listed(process, kind, source, whole)

    def delete_backup(self, kind: str, arn: str) -> None:
        def effect() -> None:
            self.settle()
            standing = self._standing.get(arn)
            if standing is None:
                raise NotFound(kind, arn, "delete", "SnapshotNotFound")
            backup = standing.backup
            if backup.state is BackupState.CREATING:
                raise NotReady(kind, arn, "delete", "InvalidSnapshotState", "it is being created")
            process = self.gate.process
            if process is not None:
                self.judge.deleting(self.lives[arn], self._with_its_chain(backup), process)
            export = KINDS[kind].laws.to_buckets and bool(standing.copied_from)
            if export and backup.state is not BackupState.REMNANT and self._happens(self.pace.cut_short):
                standing.backup = replace(backup, state=BackupState.REMNANT)
                self.gate.fault("delete: cut short", arn)
                raise NoAnswer(kind, arn, "delete", "NoAnswer", "cut short")
            self._gone(backup)

        self._call(Call("delete", kind, region_of(arn), arn), effect)

    def _gone(self, backup: Backup) -> None:
        del self._standing[backup.arn]
        del self._at[(backup.kind, backup.place)][backup.arn]
        now = self.gate.seconds
        self.lives[backup.arn].gone_at = now
        if self._lags(backup.kind):
            until = now + self.gate.random.random() * self.pace.lag
            self._ghosts.append(_Ghost(backup, until, self.gate.process))
        for copy in self._in_flight(KINDS[backup.kind].laws.service):
            if copy.copied_from == backup.arn:
                life = self.lives[copy.backup.arn]
                life.ready_at, life.fails = now, True
        self.settle()

    def _begin(
        self,
        kind: str,
        source: str,
        name: str,
        tags: Mapping[str, str],
        place: str,
        *,
        copied_from: str = "",
        encrypted: bool = False,
        fails: bool = False,
    ) -> _Standing:
        standing = self._stand(
            kind,
            source,
            name,
            tags,
            place,
            BackupState.CREATING,
            copied_from=copied_from,
            encrypted=encrypted,
        )
        process = self.gate.process
        owner = process.stack if process else ""
        life = self._remember(standing, self.gate.seconds, owner)
        random, pace = self.gate.random, self.pace
        life.fails = self._happens(pace.failing)
        # AWS's answer always says that it is being created.
        life.ready_at = self.gate.seconds + max(1.0, 60 * random.uniform(*pace.minutes))
        if self._happens(pace.stuck):
            life.ready_at = NEVER
        if self._lags(kind):
            life.seen_from, life.maker = self.gate.seconds + random.random() * pace.lag, process
            self._unseen.append(life)
        if life.fails:
            self.gate.fault("backup ends as failed", standing.backup.arn)
        if life.ready_at == NEVER:
            self.gate.fault("backup hangs", standing.backup.arn)
        self._unfinished[standing.backup.arn] = life
        return standing

    def _remember(self, standing: _Standing, made_at: float, owner: str) -> Life:
        backup = standing.backup
        source = backup.source
        life = Life(
            arn=backup.arn,
            kind=backup.kind,
            source=source,
            incarnation=self.incarnation_of(source),
            place=backup.place,
            mark=backup.mark,
            owner=owner,
            made_at=made_at,
            copied_from=standing.copied_from,
            available_at=made_at if backup.state is BackupState.AVAILABLE else None,
        )
        if standing.copied_from in self.lives:
            life.incarnation = self.lives[standing.copied_from].incarnation
        self.lives[backup.arn] = life
        self._at.setdefault((backup.kind, backup.place), {})[backup.arn] = standing
        self._by_source.setdefault(source, []).append(life)
        return life

    def _create(self, kind: str, arn: str, name: str, tags: Mapping[str, str]) -> Backup:
        made = super()._create(kind, arn, name, tags)
        self._tell_made(made)
        return made

    def _note_in_flight(self, kind: str, place: str) -> None:
        """Right after a copy was begun."""
        super()._note_in_flight(kind, place)
        self._tell_made(next(reversed(self._standing.values())).backup)

    def _tell_made(self, made: Backup) -> None:
        life = self.lives[made.arn]
        life.mark = made.mark
        self.judge.made(life, made, self.gate.process)

    def _call[T](self, call: Call, effect: Callable[[], T]) -> T:
        self.settle()
        return self.gate.call(call.operation, call.subject, effect, kind=call.kind, place=call.region)

    def _dated(self, backup: Backup) -> datetime:
        """When AWS says that a backup was made, by a clock of its own."""
        return self.gate.start + timedelta(seconds=self.lives[backup.arn].made_at + self.pace.clock_off)

    def _lags(self, kind: str) -> bool:
        return self.pace.lag > 0 and self.gate.random.random() < 0.5

    def _happens(self, share: float) -> bool:
        return share > 0 and self.gate.random.random() < share


class FromWithin(FakeProvider):
    """The provider of a stack in another account: what stands there is its own."""

    def __init__(self, cloud: SimulatedCloud, kind: str, account: str) -> None:
        super().__init__(cloud, kind)
        self._account = account

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        return [one for one in super().resources(query) if account_of(one.arn) == self._account]

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        listed = super().backups(place_of(place, self._account), source, since)
        return [replace(one, account="") for one in listed]
