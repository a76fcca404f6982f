"""Bugs to plant in Holdfast, each of which the simulation has to catch: who else would say that it can?

Each is a patch of one function, and names the violations of which at least one has to be found.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from holdfast.core.errors import ProviderError
from holdfast.core.model import Backup, BackupState, slot_of, source_of
from holdfast.core.planning import plan_creates
from holdfast.core.posture import Health, Protection
from holdfast.core.pruning import PrunePlan
from holdfast.core.report import Report, Stage, Status, combine
from holdfast.usecases import prune
from holdfast.usecases.sweep import always


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """`patches` are what is patched, and with what. `caught` are the rules, one of which finds it. A `rare`
    one needs many seeds."""

    name: str
    patches: Mapping[str, object]
    caught: frozenset[str]
    rare: bool = False

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for where, bug in self.patches.items():
                stack.enter_context(patch(where, bug))
            yield


def _a(name: str, where: str, bug: object, *caught: str, **also: object) -> Planted:
    """`also` has what else `usecases.prune` has to be robbed of, so that no second guard hides the bug."""
    patches = {where: bug} | {f"holdfast.usecases.prune.{each}": other for each, other in also.items()}
    return Planted(name=name, patches=patches, caught=frozenset(caught), rare=name in _RARE)


_RARE = frozenset(
    {
        "a name is a resource",
        "the hold list is not read",
        "two may act at a time",
        "what could not be deleted is stood on by nothing",
        "unfinished ones are evidence",
        "what cannot be listed is well",
        "what vanished is new",
    }
)


def _listed_in_part(
    self: Any, kind: str, places: Sequence[str], source: str = ""
) -> dict[str, Sequence[Backup]]:
    found: dict[str, Sequence[Backup]] = {}
    for place in places:
        try:
            found[place] = self.ports.providers[kind].backups(place, source)
        except ProviderError:
            found[place] = ()
    return found


def _anybodys(backup: Backup, home: object, plan: str) -> str:
    return "" if backup.mark is not None else "not ours"


def _whatever_its_age(backup: Backup, now: datetime) -> bool:
    return backup.state is BackupState.AVAILABLE and backup.mark is not None


def _failed_ones_too(backup: Backup, now: datetime) -> bool:
    states = (BackupState.AVAILABLE, BackupState.FAILED)
    return backup.state in states and backup.mark is not None and slot_of(backup) <= now


def _unfinished_ones_too(backup: Backup, now: datetime) -> bool:
    states = (BackupState.AVAILABLE, BackupState.CREATING)
    return backup.state in states and backup.mark is not None and slot_of(backup) <= now


def _by_name(backups: Iterable[Backup]) -> dict[tuple[str, str], list[Backup]]:
    groups: dict[tuple[str, str], list[Backup]] = defaultdict(list)
    for one in backups:
        groups[(source_of(one), "")].append(one)
    return dict(groups)


def _blind_combine(
    stages: Mapping[Any, Report | None], plan: str, slot: datetime, *_: object, **__: object
) -> Report:
    whole = {stage: record for stage, record in stages.items() if record is not None}
    return combine(whole, plan, slot, (), told=True)


@contextmanager
def _everybodys(self: object, name: str) -> Iterator[Callable[[], bool]]:
    yield always


def _well(line: Protection, *_: object) -> Protection:
    return replace(line, health=Health.OK)


def _check_or_crash(context: Any, request: Any) -> dict[str, object]:
    return {"posture": context.invoke(Stage.CHECK, {"run": request.run})["posture"]}


_EVERYTHING: Callable[[Any, str], Any] = prune._Cloud.everything

PLANTED = (
    _a(
        "the floor is forgotten",
        "holdfast.core.retention._raise_to_floor",
        lambda *_: None,
        "floor",
        "newest",
    ),
    _a(
        "a partial listing is trusted",
        "holdfast.usecases.prune._Cloud._listed",
        _listed_in_part,
        "incomplete listing",
        "no look before the delete",
        "false ok",
    ),
    _a("anybody's backups are ours", "holdfast.core.planning.why_not_ours", _anybodys, "not ours"),
    _a(
        "no look before the delete",
        "holdfast.usecases.prune._Cloud.around",
        lambda self, backup: _EVERYTHING(self, backup.kind),
        "no look before the delete",
    ),
    _a(
        "what was created is ignored",
        "holdfast.usecases.prune._spared",
        lambda *_: {},
        "without a backup of this run",
    ),
    _a(
        "copies are not waited for",
        "holdfast.core.pruning._needed_for_copies",
        lambda *_: {},
        "before its copy",
    ),
    _a(
        "bases are not kept",
        "holdfast.core.pruning.keep_what_others_stand_on",
        list,
        "base of an increment",
        _still_stood_on=lambda *_: "",
    ),
    _a(
        "what could not be deleted is stood on by nothing",
        "holdfast.usecases.prune._still_stood_on",
        lambda *_: "",
        "base of an increment",
    ),
    _a(
        "there is no breaker",
        "holdfast.usecases.prune.tripped",
        lambda *_: "",
        "breaker: number",
        "breaker: unusual",
        "breaker: share",
    ),
    _a(
        "changes are not told first",
        "holdfast.usecases.prune.put_off_untold",
        lambda full, *_: full,
        "by a retention that was not told",
    ),
    _a("the hold list is not read", "holdfast.usecases.prune.hold", lambda backups, _: list(backups), "held"),
    _a(
        "the future is evidence",
        "holdfast.core.retention.is_good",
        _whatever_its_age,
        "kept by the rules",
        "of the future",
    ),
    _a(
        "failed ones are evidence",
        "holdfast.core.retention.is_good",
        _failed_ones_too,
        "floor",
        "kept by the rules",
    ),
    _a(
        "unfinished ones are evidence",
        "holdfast.core.retention.is_good",
        _unfinished_ones_too,
        "kept by the rules",
        "floor",
        "newest",
    ),
    _a(
        "a name is a resource",
        "holdfast.core.pruning.by_resource",
        _by_name,
        "kept by the rules",
        "floor",
        "newest",
    ),
    _a(
        "it is not looked before a create",
        "holdfast.usecases.create.plan_creates",
        lambda resources, _, request, home: plan_creates(resources, (), request, home),
        "duplicate",
    ),
    _a("ok is blind", "holdfast.core.report.Report.status", property(lambda _: Status.OK), "false ok"),
    _a("problems are dropped", "holdfast.usecases.publish.combine", _blind_combine, "false ok"),
    _a("nobody is told", "holdfast.usecases.run._publish", lambda *_: {"status": "ok"}, "no message"),
    _a(
        "nothing is copied",
        "holdfast.usecases.copy.plan_copies",
        lambda *_: ([], []),
        "false ok",
        "not converged",
    ),
    _a(
        "nothing is pruned",
        "holdfast.usecases.prune.plan_prune",
        lambda *_: PrunePlan(verdicts=[]),
        "not converged",
    ),
    _a("what cannot be listed is well", "holdfast.core.health._unseen", _well, "false posture"),
    _a(
        "what is in the making can be restored",
        "holdfast.core.assessing.is_good",
        _unfinished_ones_too,
        "false posture",
    ),
    _a("what vanished is new", "holdfast.usecases.check.protections_before", lambda _: {}, "false posture"),
    _a("a check that dies costs the message", "holdfast.usecases.run._check", _check_or_crash, "no message"),
    _a("no message tells of the posture", "holdfast.usecases.run._check", lambda *_: {}, "false posture"),
    _a("two may act at a time", "tests.simulation.ports.Turns.taken", _everybodys, "duplicate"),
)
