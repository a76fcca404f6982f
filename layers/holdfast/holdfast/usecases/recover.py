"""A recovery: all that a plan protects, restored in another Region, tier by tier.

Each look at it is an idempotent sweep over all of its resources: each is a restore of its own
(`usecases/restore.py`), kept under an id of its own, so that asking twice restores once. Whatever goes wrong
with one resource costs no other anything. Nothing here asks the Region that the resources were in.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import override

from holdfast.core.brief import cut
from holdfast.core.errors import ProviderError
from holdfast.core.model import Backup, Home, Mark, Resource
from holdfast.core.planning import ours
from holdfast.core.recorded import Inventory
from holdfast.core.recovery import (
    PATIENCE,
    Line,
    LineState,
    Recovery,
    RecoveryRequest,
    at_work,
    gone_on,
    in_order,
    lines_of_backups,
    lines_of_inventory,
    told,
)
from holdfast.core.recovery_message import message_of, status_of
from holdfast.core.report import State
from holdfast.core.restoring import (
    Configuration,
    Filled,
    Found,
    Pick,
    Settings,
    Settled,
    Target,
    Wanted,
    Window,
    pause_after,
)
from holdfast.ports import (
    Deadline,
    Message,
    Notifier,
    Provider,
    RecoverPorts,
    ResourceQuery,
    Restorer,
    Steps,
)
from holdfast.usecases.restore import restore
from holdfast.usecases.sweep import STOP_BEFORE_SECONDS, sweep

_LONGEST_REASON = 300
_MOST_TOLD = 30
"""Resources in a summary: a durable function keeps at most 256 KB of a step."""

_MOST_TOLD_OF_DRY_RUN = 300
_LOOK_SECONDS = STOP_BEFORE_SECONDS + 120.0
"""What one resource's look may take of the time there is, so that the changes of one large table do not take
all of it from the others."""


def recover(
    ports: RecoverPorts, request: RecoveryRequest, home: Home, now: datetime, deadline: Deadline
) -> Recovery:
    """One look at a recovery, and the next things that there are to do for it. A `dry_run` says what would be
    done, and neither makes a resource nor begins one.

    Raises `ProviderError` when what was kept of the recovery cannot be read or written.
    """
    now = now.replace(microsecond=0)  # as it is kept
    kept = ports.recoveries.load(request)
    if kept is not None and kept.request != request:
        raise ProviderError(
            "s3",
            ports.recoveries.address(request),
            "GetObject",
            "OtherRecovery",
            f"the id {request.id} is that of another recovery: give another id, or none",
        )
    if kept is not None and kept.is_over:
        return kept
    look = _Look(ports=ports, request=request, home=home, now=now, deadline=deadline)
    planned = kept or ports.recoveries.begin(look.planned())
    after = look.gone_on(planned)
    if after != planned:
        ports.recoveries.save(after)
    return after


def run_recover(
    steps: Steps, sweep: Callable[[], Recovery], publish: Callable[[Recovery], str]
) -> dict[str, object]:
    """Look until it is over, and tell people once; a summary. `sweep` is a look (`recover`); `publish` sends
    the message, and answers its subject. A dry run is one look, and tells nobody."""
    seen: list[Recovery] = []

    def look() -> dict[str, object]:
        try:
            seen[:] = [sweep()]
        except ProviderError as error:
            if not error.retryable:
                raise
            return {"over": False, "state": "pending", "problem": cut(str(error), _LONGEST_REASON)}
        return summary_of(seen[0])

    answer = steps.step("recover", look)
    elapsed = 0.0
    # Once more than its own patience: the look behind it is the one that gives up.
    while not answer["over"] and elapsed < PATIENCE.total_seconds() + 3600:
        pause = pause_after(elapsed)
        steps.wait(pause)
        elapsed += pause
        answer = steps.step("recover", look)
    if answer.get("dry_run") or not answer["over"]:
        return answer

    def tell() -> dict[str, object]:
        return {"subject": publish(seen[0] if seen else sweep())}

    return {**answer, **steps.step("publish", tell)}


def publish_recovery(notifier: Notifier, recovery: Recovery, home: Home, here: str, address: str) -> str:
    """Tell people how it went; the message's subject."""
    message = message_of(recovery, home, here, address)
    notifier.publish(
        Message(subject=message.subject, text=message.text, data=message.data, attributes=message.attributes)
    )
    return message.subject


def summary_of(recovery: Recovery) -> dict[str, object]:
    """What the durable function keeps of a look, and answers in the end: what is not restored comes first."""
    request = recovery.request
    most = _MOST_TOLD_OF_DRY_RUN if request.dry_run else _MOST_TOLD
    first = sorted(
        recovery.lines, key=lambda one: (_ORDER[one.state], one.lost_hours(recovery.lost_at) is None)
    )
    named = first if request.dry_run else [one for one in first if not one.is_restored]
    return {
        "id": request.id,
        "plan": request.plan,
        "region": request.region,
        "dry_run": request.dry_run,
        "over": recovery.is_over,
        "state": str(status_of(recovery)) if recovery.is_over and not request.dry_run else "pending",
        "began": recovery.began.isoformat(),
        "seconds": round(recovery.seconds, 3),
        "inventory": recovery.slot.isoformat() if recovery.slot else None,
        "counts": dict(sorted(Counter(str(one.state) for one in recovery.lines).items())),
        "problems": [cut(one, _LONGEST_REASON) for one in recovery.problems[:_MOST_TOLD]],
        "resources": [_brief(one, recovery) for one in named[:most]],
        "more": max(0, len(named) - most),
    }


_ORDER: Mapping[LineState, int] = {
    LineState.REFUSED: 0,
    LineState.FAILED: 1,
    LineState.PENDING: 2,
    LineState.WAITING: 3,
    LineState.PLANNED: 4,
    LineState.DONE: 5,
}


def _brief(line: Line, recovery: Recovery) -> dict[str, object]:
    hours = line.lost_hours(recovery.lost_at)
    return {
        "resource": line.resource,
        "tier": line.tier,
        "state": str(line.state),
        "to": line.to,
        "backup": line.backup,
        "lost_hours": None if hours is None else round(hours, 2),
        "reason": cut(line.reason, _LONGEST_REASON),
    }


# --- one look ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Look:
    """One look. What it lists and loads, it does once."""

    ports: RecoverPorts
    request: RecoveryRequest
    home: Home
    now: datetime
    deadline: Deadline
    _providers: dict[str, "_Listed"] = field(init=False)

    def __post_init__(self) -> None:
        request = self.request
        self._providers = {
            kind: _Listed(
                provider,
                request.region,
                lambda backups: _no_newer(ours(backups, self.home, request.plan), request.until),
            )
            for kind, provider in self.ports.restore.providers.items()
        }

    def planned(self) -> Recovery:
        """What is to be restored by the inventory. That of the backups alone comes with the first look."""
        recovery = Recovery(
            request=self.request,
            began=self.now,
            unlisted=tuple(sorted(self._providers.keys() & self.ports.restore.restorers.keys())),
        )
        inventory, why = self._inventory(self.request.until or self.now)
        if inventory is None:
            said = f"No inventory of plan {self.request.plan} is recorded, so only what has a backup is known"
            return replace(recovery, problems=(f"{said} ({why})" if why else said,))
        lines, problems = lines_of_inventory(self.request, inventory)
        if not inventory.is_whole:
            problems.append(
                "The inventory is not whole: a resource that it lacks and that has no backup is not listed"
            )
        return replace(
            recovery,
            slot=inventory.slot,
            rpo_hours=inventory.rpo_hours,
            rto_minutes=inventory.rto_minutes,
            lines=in_order(lines),
            problems=tuple(problems),
        )

    def gone_on(self, recovery: Recovery) -> Recovery:
        """As far as all of it comes now."""
        recovery = self._completed(recovery)
        if recovery.request.dry_run:
            looked = self._looked(recovery, [one for one in recovery.lines if not one.is_over])
            return replace(gone_on(recovery, looked, self.now), unlisted=(), ended=self.now)
        return gone_on(recovery, self._looked(recovery, at_work(recovery.lines, self.now)), self.now)

    def _completed(self, recovery: Recovery) -> Recovery:
        """With a line for each source of backups that the inventory lacks, of those kinds that can be
        listed now."""
        known = {one.resource for one in recovery.lines}
        lines, problems, unlisted = list(recovery.lines), list(recovery.problems), []
        for kind in recovery.unlisted:
            try:
                backups = self._providers[kind].all()
            except ProviderError as error:
                if error.retryable:
                    unlisted.append(kind)
                    continue
                problems.append(
                    f"The backups of kind {kind} cannot be listed in {self.request.region}: {error}"
                )
                continue
            more, mistakes = lines_of_backups(self.request, backups, known)
            lines += more
            problems += mistakes
        if not lines and not unlisted:
            problems.append(self._nothing())
        return replace(
            recovery,
            lines=in_order(lines),
            unlisted=tuple(unlisted),
            problems=tuple(dict.fromkeys(problems)),
        )

    def _nothing(self) -> str:
        request = self.request
        only = f" of what `only` names ({', '.join(request.only[:3])})" if request.only else ""
        return (
            f"Nothing{only} is known of plan {request.plan} in {request.region}: look whether the plan has "
            "this name, and copies to this Region"
        )

    def _looked(self, recovery: Recovery, lines: Sequence[Line]) -> list[Line]:
        if not lines:
            return []
        ports = replace(
            self.ports.restore,
            providers=self._providers,
            restorers=self._restorers(recovery, lines),
        )

        def act(line: Line) -> Line:
            asked = recovery.restore_request(line)
            return told(line, restore(ports, asked, self.now, self._share()), self.now)

        return sweep(lines, act, self._instead, self.deadline)

    def _instead(self, line: Line, state: State, reason: str) -> Line:
        if state is State.FAILED:
            return replace(line, state=LineState.FAILED, reason=cut(reason, _LONGEST_REASON))
        return replace(line, reason=cut(reason, _LONGEST_REASON))

    def _share(self) -> Deadline:
        """The deadline of one resource's look: a share of what is left, from now on."""
        left = self.deadline()
        if math.isinf(left):
            return self.deadline
        return lambda: min(self.deadline(), _LOOK_SECONDS - (left - self.deadline()))

    def _restorers(self, recovery: Recovery, lines: Sequence[Line]) -> dict[str, Restorer]:
        """Restorers that know the sources by the inventory, and ask no Region for them."""
        begins = any(one.state is not LineState.PENDING or not one.arn for one in lines)
        inventory = self._inventory(recovery.slot)[0] if begins and recovery.slot else None
        known = {one.arn: one.configuration for one in inventory.recorded} if inventory else {}
        return {
            kind: _Remembering(restorer, frozenset(one.resource for one in recovery.lines), known)
            for kind, restorer in self.ports.restore.restorers.items()
        }

    def _inventory(self, until: datetime) -> tuple[Inventory | None, str]:
        """That of the newest slot until then, and why it cannot be read. Raises what may pass by itself."""
        try:
            return self.ports.settings.newest(self.request.plan, until), ""
        except ProviderError as error:
            if error.retryable:
                raise
            return None, str(error)


def _no_newer(backups: Sequence[Backup], until: datetime | None) -> list[Backup]:
    return [one for one in backups if until is None or one.mark is None or one.mark.slot <= until]


class _Listed(Provider):
    """The backups of a kind in one Region, listed once, whoever asks for which of them."""

    def __init__(
        self, provider: Provider, region: str, only: Callable[[Sequence[Backup]], Sequence[Backup]]
    ) -> None:
        self._provider = provider
        self._region = region
        self._only = only
        self._lock = Lock()
        self._found: dict[str, list[Backup]] | None = None
        self._error: ProviderError | None = None

    @property
    @override
    def kind(self) -> str:
        return self._provider.kind

    def all(self) -> list[Backup]:
        """Raises `ProviderError`, to each who asks."""
        return [backup for backups in self._listed().values() for backup in backups]

    @override
    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        if place != self._region or not source:
            return self._provider.backups(place, source, since)
        return self._listed().get(source, [])

    def _listed(self) -> dict[str, list[Backup]]:
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._found is None:
                try:
                    backups = self._only(self._provider.backups(self._region))
                except ProviderError as error:
                    self._error = error
                    raise
                found: dict[str, list[Backup]] = {}
                for one in backups:
                    found.setdefault(one.source, []).append(one)
                self._found = found
            return self._found

    @override
    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        return self._provider.resources(query)

    @override
    def create(self, resource: Resource, mark: Mark) -> Backup:
        return self._provider.create(resource, mark)

    @override
    def delete(self, backup: Backup) -> None:
        self._provider.delete(backup)


class _Remembering(Restorer):
    """A restorer that knows of the `sources` what is recorded, and reads only what it makes itself."""

    def __init__(
        self, restorer: Restorer, sources: frozenset[str], known: Mapping[str, Configuration]
    ) -> None:
        self._restorer = restorer
        self._sources = sources
        self._known = known

    @property
    @override
    def kind(self) -> str:
        return self._restorer.kind

    @override
    def mistakes(self, given: Settings) -> Sequence[str]:
        return self._restorer.mistakes(given)

    @override
    def configuration(self, arn: str) -> Configuration | None:
        if arn in self._known:
            return self._known[arn]
        return None if arn in self._sources else self._restorer.configuration(arn)

    @override
    def window(self, arn: str) -> Window | None:
        return None if arn in self._sources else self._restorer.window(arn)

    @override
    def look(self, target: Target) -> Found | None:
        return self._restorer.look(target)

    @override
    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        self._restorer.begin(pick, target, wanted)

    @override
    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Deadline) -> Filled:
        return self._restorer.fill(pick, target, filled, deadline)

    @override
    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:
        return self._restorer.settle(target, found, wanted)
