"""A run of the simulation: one seed, its world, its nights, and what is left to be said at the end."""

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

from holdfast.core import naming
from holdfast.core.cost import Cost
from holdfast.core.errors import AccessDenied, NoAnswer, StageCrashed, Throttled
from holdfast.core.model import Backup, BackupState, Plan
from holdfast.core.naming import format_slot
from holdfast.core.report import Stage
from tests.builders import AWAY_REGION
from tests.fakes import KINDS
from tests.simulation import people, rules
from tests.simulation.cloud import PROMPT, Pace
from tests.simulation.deployment import Deployment, Execution, event_for
from tests.simulation.gate import CALM, Gate, Odds
from tests.simulation.judge import Violation
from tests.simulation.ports import InTurn
from tests.simulation.world import World, a_world, vault_place

CALM_NIGHTS = 2
_ERRORS_OF_A_NIGHT: tuple[type[Exception], ...] = (AccessDenied, Throttled, NoAnswer)


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of one seed."""

    seed: int
    violations: list[Violation]
    faults: Counter[str] = field(default_factory=Counter)
    deletes: int = 0
    messages: int = 0
    oks: int = 0
    checks: int = 0
    well: int = 0
    calls: int = 0
    nights: int = 0
    trace: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return f"{zlib.crc32(chr(10).join(self.trace).encode()):08x}"


def simulate(seed: int, *, trace: bool = False) -> Result:
    """One run. The same seed gives the same run, call by call."""
    world = a_world(seed)
    if trace:
        world.gate.trace = []
    with in_simulated_time(world.gate):
        nights = world.random.choice((1, 2, 2, 3, 4))
        _set_weather(world)
        for _ in range(nights):
            _night(world)
        _calm(world)
    return Result(
        seed=seed,
        violations=world.judge.found,
        faults=world.gate.faults,
        deletes=world.judge.deletes,
        messages=world.messages.statuses.total(),
        oks=world.messages.statuses["ok"],
        checks=world.postures.checks,
        well=world.postures.well,
        calls=world.gate.calls,
        nights=nights + CALM_NIGHTS,
        trace=world.gate.trace or [],
    )


_parse_slot, _format_slot = cache(naming.parse_slot), cache(naming.format_slot)
_compact_slot = cache(naming.compact_slot)


@contextmanager
def in_simulated_time(gate: Gate) -> Iterator[None]:
    """The use cases' threads are one after the other, and their clock is the simulation's."""
    clock = SimpleNamespace(monotonic=lambda: gate.seconds)
    pool = type("Pool", (InTurn,), {"gate": gate})
    remembered: dict[str, object] = {"holdfast.core.naming.compact_slot": _compact_slot}
    for module in ("core.naming", "core.report", "core.told", "events"):
        remembered[f"holdfast.{module}.parse_slot"] = _parse_slot
    for module in ("naming", "report", "told", "pruning", "planning", "message"):
        remembered[f"holdfast.core.{module}.format_slot"] = _format_slot
    # What backups cost, and when the next one goes, is judged elsewhere, and takes its time.
    remembered |= {
        "holdfast.core.assessing.cost_of": lambda **_: Cost(),
        "holdfast.core.assessing.steady_slots": lambda *_: (),
        "holdfast.core.assessing.next_deletion": lambda *_: None,
    }
    with ExitStack() as stack:
        for name, function in remembered.items():
            stack.enter_context(patch(name, function))
        stack.enter_context(_threads_and_clock(pool, clock))
        yield


@contextmanager
def _threads_and_clock(pool: type, clock: object) -> Iterator[None]:
    with (
        patch("holdfast.usecases.sweep.ThreadPoolExecutor", pool),
        patch("holdfast.usecases.create.time", clock),
        patch("holdfast.usecases.copy.time", clock),
        patch("holdfast.usecases.prune.time", clock),
        patch("holdfast.usecases.check.time", clock),
    ):
        yield


def _set_weather(world: World) -> None:
    random = world.random
    storm = random.choice((0.0, 0.5, 1.0, 2.0, 3.0))
    world.gate.odds = Odds(
        error=0.03 * storm,
        lost_answer=0.05 * storm,
        death=0.006 * storm,
        slow=0.004 * storm,
        interlude=random.choice((0.0, 0.004, 0.015)),
    )
    world.cloud.pace = Pace(
        minutes=random.choice(((0.0, 0.0), (0.0, 2.0), (0.0, 2.0), (1.0, 20.0))),
        failing=random.choice((0.0, 0.0, 0.1)) * storm,
        stuck=random.choice((0.0, 0.0, 0.04)) * storm,
        lag=random.choice((0.0, 0.0, 4.0)) * storm,
        cut_short=0.1 * storm,
        clock_off=random.choice((0.0, -120.0, 120.0)),
    )
    world.main.turns.share_lost = 0.03 * storm


def _night(world: World) -> None:
    random, gate = world.random, world.gate
    slot = _next_slot(world)
    if random.random() < 0.08:
        gate.faults["missed night"] += 1
        return
    _set_lasting(world)
    name = random.choice(sorted(world.main.plans.plans)) if random.random() < 0.4 else "nightly"
    event = event_for(name, slot)
    at = {"at": format_slot(slot)} if random.random() < 0.2 else {}
    gate.interlude = lambda: people.something(world, event)
    _run(world, world.main, event | at)
    if world.vault:
        _run(world, world.vault, event_for("nightly", slot))
    gate.lasting.clear()
    if len(world.slots) > 1 and random.random() < 0.1:
        gate.faults["slot run again later"] += 1
        _run(world, world.main, event_for("nightly", random.choice(world.slots[:-1])))
    if random.random() < 0.5:
        people.by_day(world, event)
    if random.random() < 0.5:
        people.check(world, event)


def _next_slot(world: World) -> datetime:
    """Time goes on to the next slot. The scheduler's clock may be some seconds ahead of ours."""
    gate = world.gate
    slot = (world.slots[-1] if world.slots else gate.start) + world.step
    while slot < gate.now:
        slot += world.step
    early = 0.0 if gate.odds is CALM else world.random.choice((0.0, 5.0, -50.0))
    gate.seconds = max(gate.seconds, (slot - gate.start).total_seconds() + early)
    world.slots.append(slot)
    return slot


def _set_lasting(world: World) -> None:
    """Now and then something is forbidden, or does not answer, for a whole night."""
    random = world.random
    if not world.gate.odds.error or random.random() < 0.8:
        return
    operation = random.choice(("backups", "backups", "create", "copy", "delete"))
    kind = random.choice(list(KINDS))
    place = random.choice(("us-east-1", "us-west-2", "us-west-2@111122223333"))
    world.gate.lasting[(operation, kind, place)] = random.choice(_ERRORS_OF_A_NIGHT)


def _run(world: World, where: Deployment, event: dict[str, object]) -> Execution:
    random, gate = world.random, world.gate

    def between() -> None:
        if random.random() < 5 * gate.odds.interlude:
            gate.meanwhile()

    run = Execution(deployment=where, event=event, between=between)
    before = len(where.notifier.messages)
    run.run()
    names = [name for name, _ in run.remembered]
    if "invoke check" in names and names[-1] != "invoke report":
        world.judge.blame("no message", f"{event} ended after its check: {names}")
    if run.ended != "crashed" and len(where.notifier.messages) == before:
        _expect_told(world, where, event)
    return run


def _expect_told(world: World, where: Deployment, event: dict[str, object]) -> None:
    """A run that sent nothing has told the same before."""
    told = [
        one
        for one in where.notifier.messages
        if f'"slot": "{event["slot"]}"' in one.data and one.attributes["plan"] == event["plan"]
    ]
    if not told:
        world.judge.blame("no message", f"{event} ended without a message")


# --- the calm after it -------------------------------------------------------------------------------------


def _calm(world: World) -> None:
    """Faults stop, people mend what is theirs to mend: within two runs all is as the plan wants it."""
    gate = world.gate
    gate.odds, world.cloud.pace = CALM, PROMPT
    gate.interlude = lambda: None
    gate.lasting.clear()
    world.main.turns.share_lost = 0.0
    gate.seconds += 3600
    people.mend(world)
    gate.note("-- calm")
    statuses: dict[str, str] = {}
    slot = gate.start
    for _ in range(CALM_NIGHTS):
        slot = _next_slot(world)
        for where in world.deployments:
            for name in sorted(where.plans.plans):
                statuses[f"{where.where} {name}"] = _calm_run(world, where, name, slot)
    for where in world.deployments:
        for name, plan in where.plans.plans.items():
            status = statuses[f"{where.where} {name}"]
            excused = (status == "refused" and _has_nothing(world, plan)) or (
                status in ("partial", "failed") and _is_overdue(world, plan, slot)
            )
            if status not in ("ok", "approved") and not excused:
                world.judge.blame("not converged", f"{where.where} {name} ends as {status}")
            _expect_converged(world, where, plan, slot)
        world.postures.expect_calm(where)


def _has_nothing(world: World, plan: Plan) -> bool:
    """A plan that protects nothing is refused, and so is one that keeps nothing for another account."""
    if plan.vault_of is None:
        return not world.messages.protected(plan)
    return not _in_vault(world, plan)


def _in_vault(world: World, plan: Plan) -> list[Backup]:
    return [one for one in world.cloud.truth(place=vault_place()) if one.mark and one.mark.plan == plan.name]


def _is_overdue(world: World, plan: Plan, slot: datetime) -> bool:
    """Whether the vault keeps copies of what gets no more, which it tells each night until a person holds
    them."""
    if plan.vault_of is None:
        return False
    main = world.main.plans.plans["nightly"]
    served = {one.arn for one in world.messages.protected(main)}
    places = {rule.place for rule in main.copies}
    if not places >= {vault_place(), AWAY_REGION}:  # what goes to the vault is made from the copies there
        return True
    return any(one.source not in served for one in _in_vault(world, plan))


def _calm_run(world: World, where: Deployment, name: str, slot: datetime) -> str:
    """The run's status; `approved` when a person had to approve what the breaker held back."""
    event = event_for(name, slot)
    before = len(where.notifier.messages)
    _run(world, where, event)
    sent = where.notifier.messages[before:]
    if len(sent) != 1:
        world.judge.blame("messages", f"{len(sent)} for a calm run of {slot}")
        return "untold"
    status = sent[0].attributes["status"]
    if status != "refused" or "Read the list" not in sent[0].data:
        return status
    refused = [digest for digest in people.offered(where, name, format_slot(slot)) if digest in sent[0].text]
    for digest in refused:
        arns = frozenset(people.offered(where, name, format_slot(slot))[digest])
        with suppress(StageCrashed):
            where.invoke(Stage.PRUNE, {**event, "approve": digest}, approved=arns)
    return "approved"


def _expect_converged(world: World, where: Deployment, plan: Plan, slot: datetime) -> None:
    groups: dict[tuple[str, str], list[Backup]] = {}
    for one in world.cloud.truth():
        life = world.cloud.lives[one.arn]
        ours = life.owner == where.home.stack and one.mark is not None and one.mark.plan == plan.name
        if ours and one.kind in plan.select.types:
            groups.setdefault((life.incarnation, one.place), []).append(one)
    if plan.vault_of is None:
        _expect_all_there(world, plan, groups, slot)
    places = _places_of(where, plan)
    for (incarnation, place), backups in sorted(groups.items()):
        overdue = plan.vault_of and not any(
            slot - rules.slot(one) <= timedelta(hours=plan.rpo_hours) for one in rules.good(backups, slot)
        )
        if place in places and not overdue:
            _expect_pruned(world, plan, incarnation, place, backups, slot)


def _places_of(where: Deployment, plan: Plan) -> set[str]:
    if plan.vault_of:
        return {f"{where.home.region}@{where.inside}"}
    return {where.home.region, *(rule.place for rule in plan.copies if not rule.account)}


def _expect_pruned(
    world: World, plan: Plan, incarnation: str, place: str, backups: list[Backup], slot: datetime
) -> None:
    """Nothing stands that the rules let go."""
    policy = plan.keep if plan.vault_of else rules.policy_at(plan, place)
    evidence = rules.good(backups, slot)
    keep = rules.kept(evidence, policy, rules.zone_of(plan))
    for one in evidence:
        kept_above = [each for each in rules.stood_on(one, backups) if each.arn in keep or each.held]
        if one.arn not in keep and not kept_above:
            world.judge.blame("not converged", f"{one.arn} of {incarnation} still stands in {place}")
    for one in backups:
        newer = any(rules.slot(each) > rules.slot(one) for each in evidence)
        if one.state in (BackupState.FAILED, BackupState.REMNANT) and newer and not one.held:
            world.judge.blame("not converged", f"{one.arn}, which is {one.state}, still stands in {place}")


def _expect_all_there(
    world: World, plan: Plan, groups: dict[tuple[str, str], list[Backup]], slot: datetime
) -> None:
    for resource in world.cloud.resources_now():
        if not rules.protected(resource, plan.select, plan.select.types):
            continue
        incarnation = world.cloud.incarnation_of(resource.arn)
        here = groups.get((incarnation, resource.region), [])
        if not any(rules.slot(one) == slot for one in rules.good(here, slot)):
            world.judge.blame("not converged", f"no backup of {resource.arn}")
        for rule in plan.copies:
            if not rules.carried(resource.kind, rule):
                continue
            originals = groups.get((incarnation, rules.source_of_copies(rule, resource.region)), [])
            there = groups.get((incarnation, rule.place), [])
            standing = {rules.slot(one) for one in there if one.state is BackupState.AVAILABLE}
            missing = rules.wanted(originals, there, rule, plan, slot) - standing
            if missing:
                world.judge.blame(
                    "not converged",
                    f"no copy of {resource.arn} of {min(missing)} in {rule.place}",
                )
