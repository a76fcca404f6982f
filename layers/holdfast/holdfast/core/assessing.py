"""How each resource of a plan stands in each place: from what was listed, and nothing that a run told."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from statistics import median

from holdfast.core.cost import ZERO, cost_of
from holdfast.core.future import next_deletion, steady_slots
from holdfast.core.health import Scene, judged, let_go_by_hold
from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    CopyLaws,
    CopyRule,
    Home,
    KeepPolicy,
    Mark,
    Plan,
    Resource,
    slot_of,
)
from holdfast.core.planning import (
    ResourceKey,
    by_resource,
    not_there,
    originals_in,
    ours,
    select,
    source_place,
    wanted_there,
    why_not_carried,
    zone_of,
)
from holdfast.core.posture import Health, Protection, Tick, TickState
from holdfast.core.pruning import keep_what_others_stand_on
from holdfast.core.retention import decide, each_once, is_good, most_useful_last

USUAL_INTERVAL = timedelta(days=1)
_SEEN_SLOTS = 15
"""Slots from which the interval of a plan's runs is read: two weeks of nights."""

_FEWEST_GAPS = 2
"""A first night and a run by hand an hour later say nothing of how often the runs come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What could be listed of one kind: its resources in the home Region, and its backups in each place,
    everybody's. `trouble` says, by place, why that could not be listed; under `resources` why those could
    not."""

    kind: str
    laws: CopyLaws
    resources: Sequence[Resource] = ()
    by_place: Mapping[str, Sequence[Backup]] = field(default_factory=dict)
    trouble: Mapping[str, str] = field(default_factory=dict)


VANISHED = timedelta(days=7)
"""For how long a vault's resource is missed of which nothing stands any more."""

RESOURCES = "resources"
"""The key of `Listed.trouble` that is no place."""


def assess(listed: Iterable[Listed], scene: Scene) -> list[Protection]:
    """A line for each resource that the plan protects, in each place that it wants a backup in; and for each
    whose backups stay though nothing protects it any more."""
    listed = list(listed)
    slots = _plan_slots(listed, scene)
    gone = _named_and_gone(listed, scene.plan)
    assessor = _Assessor(scene=scene, every=_interval(slots, scene), slots=slots, gone=frozenset(gone))
    labels = {one.arn: one.label for kind in listed for one in kind.resources if one.label}
    lines = [
        replace(line, label=labels[line.resource]) if line.resource in labels else line
        for kind in listed
        for line in assessor.kind(kind)
    ]
    told = {line.resource for line in lines}
    return lines + [_bare(arn, kind, scene) for arn, kind in gone.items() if arn not in told]


def _named_and_gone(listed: Sequence[Listed], plan: Plan) -> dict[str, str]:
    """What the plan names by its whole ARN and that is not there, and its service: not known where not all
    could be listed."""
    if plan.vault_of or any(RESOURCES in kind.trouble for kind in listed):
        return {}
    arns = {one.arn for kind in listed for one in kind.resources}
    arns |= {one.group for kind in listed for one in kind.resources if one.group}
    return {one.resource: one.kind for one in not_there(arns, plan.select)}


_GONE = "the plan names it, and there is no such resource: correct the plan, or take it out"


def _bare(arn: str, kind: str, scene: Scene) -> Protection:
    return Protection(
        plan=scene.plan.name,
        kind=kind,
        resource=arn,
        place=scene.home.region,
        health=Health.MISSING,
        reason=f"nothing can be restored: {_GONE}",
        rpo_hours=scene.plan.rpo_hours,
        since=_first_seen(arn, scene),
    )


def _first_seen(arn: str, scene: Scene) -> datetime:
    """Since when it has been so, as far as is remembered."""
    before = scene.before.get((scene.plan.name, arn, scene.home.region))
    return before.since if before and before.since else scene.at


def interval_of(listed: Iterable[Listed], scene: Scene) -> timedelta:
    """How often the plan's runs come: the median of the last times between two that left records, or a backup
    that stands. Few nights stand of a plan that keeps weeks."""
    return _interval(_plan_slots(listed, scene), scene)


def _interval(slots: Sequence[datetime], scene: Scene) -> timedelta:
    newest = sorted({*slots, *scene.ran})[-_SEEN_SLOTS:]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(newest)]
    return timedelta(seconds=median(gaps)) if len(gaps) >= _FEWEST_GAPS else USUAL_INTERVAL


def _plan_slots(listed: Iterable[Listed], scene: Scene) -> list[datetime]:
    """The slots up to now that the plan has a backup of, of any resource, in any place."""
    home = replace(scene.home, vault_of=scene.plan.vault_of)
    return sorted(
        {
            slot_of(one)
            for kind in listed
            for one in ours(chain(*kind.by_place.values()), home, scene.plan.name)
            if slot_of(one) <= scene.at
        }
    )


type _Pattern = tuple[tuple[datetime, BackupState, tuple[str, ...], tuple[datetime, ...]], ...]
"""What the timeline of a resource in a place hangs on: of each backup its slot, its state, why it is held, if
it is, and the slot that it holds the changes since, if it does. Resources of a plan share few of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assessor:
    scene: Scene
    every: timedelta
    slots: Sequence[datetime]
    gone: frozenset[str]
    timelines: dict[tuple[str, _Pattern, tuple[datetime, ...]], tuple[Tick, ...]] = field(
        default_factory=dict
    )
    wanted: dict[tuple[str, str, _Pattern, _Pattern], tuple[datetime, ...]] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return replace(self.scene.home, vault_of=self.scene.plan.vault_of)

    def kind(self, listed: Listed) -> Iterable[Protection]:
        plan = self.scene.plan
        backups = ours(each_once(chain(*listed.by_place.values())), self.home, plan.name)
        groups = by_resource(backups)
        if plan.vault_of:
            yield from self._of_vault(listed, groups)
            return
        if RESOURCES in listed.trouble:
            chosen = self._remembered(listed, groups)
        else:
            chosen, _ = select(listed.resources, plan.select)
        keys: dict[str, list[ResourceKey]] = defaultdict(list)
        for key in groups:
            keys[key[0]].append(key)
        claimed: set[ResourceKey] = set()
        for resource in chosen:
            key = _key_of(resource, keys[resource.arn], groups)
            claimed.add(key)
            its = groups.get(key, ())
            yield self._home_line(listed, resource, its)
            for rule in plan.copies:
                if not why_not_carried(listed.kind, listed.laws, rule):
                    yield self._copy_line(listed, resource, its, rule)
        yield from self._retired(listed, {k: v for k, v in groups.items() if k not in claimed})

    # --- where resources are ---------------------------------------------------------------------------

    def _remembered(self, listed: Listed, groups: Mapping[ResourceKey, Sequence[Backup]]) -> list[Resource]:
        """What was protected when one last could look, and what has backups: how it stands does not hang on
        whether the resources can be listed this hour."""
        before = self._before(listed.kind)
        retired = {arn for arn, seen in before.items() if seen == {Health.RETIRED}}
        arns = before.keys() | {source for source, _ in groups}
        return [Resource(kind=listed.kind, arn=arn) for arn in sorted(arns - retired)]

    def _before(self, kind: str) -> dict[str, set[Health]]:
        """The resources (ARNs) of the posture before, and how they stood in their places."""
        found: dict[str, set[Health]] = defaultdict(set)
        for one in self.scene.before.values():
            if (one.plan, one.kind) == (self.scene.plan.name, kind):
                found[one.resource].add(one.health)
        return found

    def _home_line(self, listed: Listed, resource: Resource, its: Sequence[Backup]) -> Protection:
        scene, place = self.scene, self.scene.home.region
        here = originals_in(its, place, scene.home)
        candidates = self._slots_since(here)
        return self._line(listed, resource.arn, place, here, candidates, scene.plan.keep, resource.unready)

    def _copy_line(
        self, listed: Listed, resource: Resource, its: Sequence[Backup], rule: CopyRule
    ) -> Protection:
        scene = self.scene
        source = source_place(rule, scene.home)
        originals = originals_in(its, source, scene.home)
        copies = [one for one in its if one.is_copy and one.place == rule.place]
        standing = [one for one in copies if one.state is BackupState.AVAILABLE]
        pattern = _pattern(originals), _pattern(standing)
        if (listed.kind, rule.place, *pattern) not in self.wanted:
            wanted = wanted_there(originals, standing, rule, scene.plan, scene.at, listed.laws.reach)
            slots = tuple(sorted({slot_of(one) for one in wanted}))
            self.wanted[(listed.kind, rule.place, *pattern)] = slots
        # What home no longer keeps is missed there as well, once there are copies at all.
        candidates = tuple(
            sorted({*self.wanted[(listed.kind, rule.place, *pattern)], *self._slots_since(copies)})
        )
        exported = max(originals, key=slot_of).size_bytes if originals and listed.laws.to_buckets else None
        return self._line(
            listed,
            resource.arn,
            rule.place,
            copies,
            candidates,
            rule.keep,
            "",
            exported_bytes=exported,
            full_every_days=rule.full_every_days,
        )

    def _of_vault(
        self, listed: Listed, groups: Mapping[ResourceKey, Sequence[Backup]]
    ) -> Iterable[Protection]:
        place, keep = self.scene.home.region, self.scene.plan.keep
        if place in listed.trouble:
            remembered = self._before(listed.kind)
            for source in sorted(arn for arn, seen in remembered.items() if seen != {Health.RETIRED}):
                yield self._line(listed, source, place, (), (), keep, "")
            return
        newest: dict[str, ResourceKey] = {}
        for key, its in groups.items():
            if key[0] not in newest or _newest(its) > _newest(groups[newest[key[0]]]):
                newest[key[0]] = key
        for source, key in sorted(newest.items()):
            here = [one for one in groups[key] if one.place == place]
            line = self._line(listed, source, place, here, self._slots_since(here), keep, "")
            yield let_go_by_hold(line, here, self.scene.at)
        yield from self._vanished(listed, newest.keys())

    def _vanished(self, listed: Listed, present: Collection[str]) -> Iterable[Protection]:
        """What had copies in a vault and has none any more. `VANISHED` ends it: somebody may have deleted
        the last ones of what is gone for good."""
        remembered = self._before(listed.kind)
        for source in sorted(remembered.keys() - set(present)):
            if remembered[source] == {Health.RETIRED}:
                continue
            line = self._line(listed, source, self.scene.home.region, (), (), self.scene.plan.keep, "")
            if line.since is None or self.scene.at - line.since < VANISHED:
                yield line

    def _retired(
        self, listed: Listed, groups: Mapping[ResourceKey, Sequence[Backup]]
    ) -> Iterable[Protection]:
        for (source, _), backups in sorted(groups.items()):
            for place, here in sorted(_by_place(backups).items()):
                keep = self.scene.plan.policy_for(place)
                unready = _GONE if source in self.gone else ""
                line = self._line(listed, source, place, here, (), keep, unready)
                if unready:
                    yield line
                if unready or not line.ticks:
                    continue
                reason = "it is gone, or no plan's any more; what stands stays until a person decides"
                yield replace(
                    line,
                    health=Health.RETIRED,
                    reason=reason,
                    since=None,
                    full=line.good,
                    next_deletion=None,
                    cost=replace(line.cost, full_usd=line.cost.now_usd, transfer_usd=ZERO),
                )

    # --- one line --------------------------------------------------------------------------------------

    def _slots_since(self, backups: Sequence[Backup]) -> tuple[datetime, ...]:
        """The plan's slots from the first on that the resource has a backup of."""
        if not backups:
            return ()
        first = min(map(slot_of, backups))
        return tuple(slot for slot in self.slots if slot >= first)

    def _line(
        self,
        listed: Listed,
        resource: str,
        place: str,
        backups: Sequence[Backup],
        candidates: tuple[datetime, ...],
        keep: KeepPolicy,
        unready: str,
        *,
        exported_bytes: int | None = None,
        full_every_days: int = 1,
    ) -> Protection:
        """`exported_bytes` is the size of what exports are made of, which tell none themselves."""
        scene = self.scene
        backups = _best_of_each_slot(restorable(backups))
        good = [one for one in backups if is_good(one, scene.at)]
        newest = max(map(slot_of, good), default=None)
        ticks = self._timeline(place, backups, candidates, keep)
        counts = Counter(one.state for one in ticks)
        pending = [one for one in backups if one.state is BackupState.CREATING]
        window = timedelta(minutes=scene.plan.window_minutes)
        zone = zone_of(scene.plan)
        steady = steady_slots(keep, zone, max(self.slots, default=scene.at), self.every)
        line = Protection(
            plan=scene.plan.name,
            kind=listed.kind,
            resource=resource,
            place=place,
            health=Health.OK,
            reason="",
            rpo_hours=scene.plan.rpo_hours,
            newest=newest,
            good=len(good),
            full=len(steady),
            pending=len(pending),
            stuck=sum(scene.at - slot_of(one) > window for one in pending),
            failed=counts[TickState.FAILED],
            missing=counts[TickState.MISSING],
            ticks=ticks,
            next_deletion=self._next_deletion(good, ticks, keep),
            cost=cost_of(
                kind=listed.kind,
                is_copy=place != scene.home.region,
                backups=[one for one in backups if one.state is BackupState.AVAILABLE],
                steady=steady,
                every=self.every,
                prices=scene.prices,
                resource_bytes=exported_bytes,
                full_every_days=full_every_days,
            ),
        )
        trouble = listed.trouble.get(place, "")
        return judged(line, scene, trouble, backups, unready)

    def _next_deletion(
        self, good: Sequence[Backup], ticks: Sequence[Tick], keep: KeepPolicy
    ) -> datetime | None:
        if not good or any(one.base is not None for one in good):
            return None  # a chain of changes goes when its last is let go, which no rule tells ahead
        newest = max(self.slots, default=slot_of(good[-1]))
        if any(one.state is TickState.LEAVING for one in ticks):
            return newest + self.every
        held = {slot_of(one) for one in good if one.held}
        kept = [one.slot for one in ticks if one.state is TickState.KEPT and one.slot not in held]
        return next_deletion(kept, keep, zone_of(self.scene.plan), self.every, newest) if kept else None

    def _timeline(
        self, place: str, backups: Sequence[Backup], candidates: tuple[datetime, ...], keep: KeepPolicy
    ) -> tuple[Tick, ...]:
        pattern = _pattern(backups)
        key = (place, pattern, candidates)
        if key not in self.timelines:
            self.timelines[key] = self._ticks(pattern, candidates, keep)
        return self.timelines[key]

    def _ticks(self, pattern: _Pattern, candidates: Iterable[datetime], keep: KeepPolicy) -> tuple[Tick, ...]:
        """What stands, by the reasons of the retention; and what does not of the candidates, where the policy
        would keep it."""
        present = {slot for slot, state, *_ in pattern if state in _PRESENT}
        absent = {slot for slot in candidates if slot not in present and self.scene.is_settled(slot)} - {
            slot for slot, *_ in pattern
        }
        zone, at = zone_of(self.scene.plan), self.scene.at
        stands = [_stand_in(*each) for each in pattern]
        ticks = [
            Tick(slot=slot_of(one.backup), state=_tick_state(one.backup, one.keep, at), reason=one.reason)
            for one in keep_what_others_stand_on(decide(stands, keep, at, zone))
            if one.backup.state in _SHOWN
        ]
        if absent:
            could = [*stands, *(_stand_in(slot, BackupState.AVAILABLE) for slot in absent)]
            ticks += [
                Tick(slot=slot, state=TickState.MISSING, reason=one.reason)
                for one in decide(could, keep, at, zone)
                if one.keep and (slot := slot_of(one.backup)) in absent
            ]
        return tuple(sorted(ticks, key=lambda one: one.slot))


def _pattern(backups: Iterable[Backup]) -> _Pattern:
    return tuple(sorted((slot_of(one), one.state, _hold_of(one), _base_of(one)) for one in backups))


def _hold_of(backup: Backup) -> tuple[str, ...]:
    return (backup.tags[HOLD_TAG],) if backup.held else ()


def _base_of(backup: Backup) -> tuple[datetime, ...]:
    return (backup.base,) if backup.base is not None else ()


_PRESENT = (BackupState.AVAILABLE, BackupState.CREATING)
_SHOWN = (BackupState.AVAILABLE, BackupState.CREATING, BackupState.FAILED)


def restorable(backups: Iterable[Backup]) -> list[Backup]:
    """The backups of one resource in one place, those as failed that are available and cannot be restored:
    what holds changes is worth nothing without what it stands on."""
    backups = list(backups)
    below = {slot_of(one): one.base for one in backups if one.state is BackupState.AVAILABLE}

    def is_whole(slot: datetime | None) -> bool:
        seen: set[datetime] = set()
        while slot is not None:
            if slot in seen or slot not in below:
                return False
            seen.add(slot)
            slot = below[slot]
        return True

    return [
        replace(one, state=BackupState.FAILED, failure="what it holds the changes since is gone")
        if one.state is BackupState.AVAILABLE and not is_whole(one.base)
        else one
        for one in backups
    ]


def _best_of_each_slot(backups: Iterable[Backup]) -> list[Backup]:
    """One backup of each slot: a failed attempt beside a good copy is of no interest."""
    best: dict[datetime, Backup] = {}
    for one in sorted(backups, key=most_useful_last):
        best[slot_of(one)] = one
    return list(best.values())


def _stand_in(
    slot: datetime, state: BackupState, hold: tuple[str, ...] = (), base: tuple[datetime, ...] = ()
) -> Backup:
    """A backup as the retention sees it: it asks for nothing else."""
    mark = Mark(stack="", plan="", slot=slot, source="")
    tags = {HOLD_TAG: hold[0]} if hold else {}
    arn = f"{slot:%Y%m%dT%H%M%S}-{state}"
    return Backup(
        kind="",
        arn=arn,
        id="",
        region="",
        source="",
        state=state,
        mark=mark,
        tags=tags,
        base=next(iter(base), None),
    )


def _tick_state(backup: Backup, keep: bool, at: datetime) -> TickState:
    if backup.state is BackupState.CREATING:
        return TickState.PENDING
    if backup.state is BackupState.FAILED:
        return TickState.FAILED
    if slot_of(backup) > at:
        return TickState.PENDING
    return TickState.KEPT if keep else TickState.LEAVING


def _newest(backups: Iterable[Backup]) -> datetime:
    return max(map(slot_of, backups), default=datetime.min.replace(tzinfo=UTC))


def _by_place(backups: Iterable[Backup]) -> dict[str, list[Backup]]:
    places: dict[str, list[Backup]] = defaultdict(list)
    for one in backups:
        places[one.place].append(one)
    return places


def _key_of(
    resource: Resource, its: Sequence[ResourceKey], groups: Mapping[ResourceKey, Sequence[Backup]]
) -> ResourceKey:
    """Which backups of its name are those of today's resource, and not of a former one: those with its id. A
    listing that tells no id leaves the ones with the newest backup."""
    if resource.resource_id:
        its = [key for key in its if key[1] in ("", resource.resource_id)]
    return max(its, key=lambda key: _newest(groups[key]), default=(resource.arn, resource.resource_id))
