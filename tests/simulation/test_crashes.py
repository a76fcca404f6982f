"""Each stage, and the whole run, dies at its 1st, 2nd, … nth call and is started again: the same end."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random

import pytest

from holdfast.core.errors import StageCrashed
from holdfast.core.model import BackupState, Breaker, Home, KeepPolicy, Plan, Resource, Selection
from holdfast.core.report import Stage
from holdfast.ports import Message
from tests.builders import AWAY_REGION, HOME_REGION, KEY, NIGHT, STACK, a_rule
from tests.fakes import ACCOUNT, KINDS
from tests.simulation import rules
from tests.simulation.cloud import SimulatedCloud
from tests.simulation.deployment import Deployment, Execution, event_for
from tests.simulation.gate import CALM, Gate
from tests.simulation.judge import Judge
from tests.simulation.nights import in_simulated_time
from tests.simulation.world import (
    INSTANCE,
    TAGS,
    VAULT,
    World,
    people_know,
    put_copy,
    put_original,
    vault_place,
)

EVENT = event_for("nightly", NIGHT)
KEEP = KeepPolicy(daily=2, minimum=1)
PLAN = Plan(
    name="nightly",
    select=Selection(tags=TAGS, types=frozenset(KINDS)),
    keep=KEEP,
    breaker=Breaker(max_delete_share=1.0),
    copies=(
        a_rule(keep=KEEP, kms_key=KEY, bucket="exports", full_every_days=3),
        replace(a_rule(keep=KEEP, kms_key=KEY), account=VAULT),
    ),
)
CHECK = str(Stage.CHECK)
STRIDE = 11
"""By default the process dies at each eleventh call, in the long proofs at each."""

type End = tuple[object, ...]


def a_rich_world() -> World:
    """Of each kind something, a group and something encrypted among it. Some nights stand, nothing fails."""
    random = Random(1)
    gate = Gate(random=random, start=NIGHT, odds=CALM)
    judge = Judge(gate=gate)
    cloud = judge.cloud = SimulatedCloud(gate, judge)
    home = Home(stack=STACK, region=HOME_REGION, account=ACCOUNT)
    main = Deployment(where="main", home=home, gate=gate, cloud=cloud)
    main.plans.plans["nightly"] = PLAN
    world = World(random=random, gate=gate, cloud=cloud, judge=judge, main=main, step=timedelta(days=1))
    for kind in ("dynamodb", "rds", "aurora"):
        cloud.put_resource(kind, f"{kind}-shop", TAGS, resource_id=f"ID-{kind}", encrypted=kind == "rds")
    for number in range(2):
        cloud.put_resource("ebs", f"vol-{number}", {}, group=INSTANCE, group_tags=TAGS)
    plan = replace(PLAN, copies=tuple(replace(rule, copy_unencrypted=True) for rule in PLAN.copies))
    main.plans.plans["nightly"] = plan
    for one in cloud.resources_now():
        add_history(world, one)
    world.messages.watch(main)
    people_know(main, plan, judge)
    return world


def add_history(world: World, resource: Resource) -> None:
    """Three nights, with all their copies. Of the exports the oldest is a full one."""
    base: datetime | None = None
    for night in (3, 2, 1):
        slot = NIGHT - night * world.step
        original = put_original(world, resource, "nightly", slot)
        copy = put_copy(world, original, AWAY_REGION, base)
        if resource.kind == "dynamodb":
            base = slot
        else:
            put_copy(world, copy, vault_place(), None)


def end_of(world: World) -> End:
    """What stands, by name, place and state, and how many were told."""
    standing = Counter(
        (one.source, rules.slot(one), one.place, str(one.state), one.base, one.is_copy)
        for one in world.cloud.truth()
    )
    return standing, [_told(message) for message in world.main.notifier.messages]


def _told(message: Message) -> str:
    """The status, or that it could not be looked at how everything stands."""
    unchecked = "check_recovery_points could not do its work" in message.text
    return "unchecked" if unchecked else message.attributes["status"]


def a_run(world: World, crash_at: int = -1, *, late: bool = False) -> None:
    ended = Execution(deployment=world.main, event=EVENT, crash_at=crash_at, late=late).run()
    assert ended == ("failed" if CHECK in world.gate.died else "ok")


def stages_by_hand(world: World) -> None:
    """Each stage until it has nothing left to do, as AWS repeats an invocation that failed."""
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.CHECK, Stage.REPORT):
        for _ in range(6):
            world.gate.seconds += 60
            with suppress(StageCrashed):
                if not world.main.invoke(stage, EVENT).get("unfinished"):
                    break


def after(
    work: Callable[[World], None], crash_at: int = 0, *, late: bool = False
) -> tuple[End, int, list[str]]:
    """The end, the number of calls that it took, and who died at one of them."""
    world = a_rich_world()
    world.gate.crash_at, world.gate.late = crash_at, late
    with in_simulated_time(world.gate):
        work(world)
    assert world.judge.found == []
    assert world.gate.faults["crash"] == (1 if crash_at else 0)
    return end_of(world), world.gate.calls, world.gate.died


@cache
def without(work: Callable[[World], None]) -> tuple[End, int, list[str]]:
    """The end without a crash, and how many calls there are."""
    return after(work)


def test_the_world_is_rich_enough() -> None:
    (standing, told), calls, _ = without(a_run)
    assert isinstance(standing, Counter)
    assert calls > 100
    assert told == ["ok"]
    assert {one[2] for one in standing} == {HOME_REGION, AWAY_REGION, f"{AWAY_REGION}@{VAULT}"}
    assert {one[3] for one in standing} == {str(BackupState.AVAILABLE)}
    assert any(one[4] for one in standing), "there are increments"
    assert all(count == 1 for count in standing.values())


@pytest.mark.parametrize("every", [STRIDE, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("late", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("work", [a_run, stages_by_hand], ids=lambda work: work.__name__)
def test_a_stage_that_dies_at_any_call_ends_as_if_it_had_not(
    work: Callable[[World], None], late: bool, every: int
) -> None:
    expected, calls, _ = without(work)
    for number in range(1, calls + 1, every):
        (standing, told), _, died = after(work, number, late=late)
        assert standing == expected[0], f"dead at call {number}"
        assert isinstance(told, list)
        # What the check could not find out a run tells, and does not wait for.
        assert told[-1] == ("unchecked" if work is a_run and died == [CHECK] else "ok")
        # One more only where it died between the message and the record that says that it went out.
        assert len(told) <= 2, f"dead at call {number}: {told}"


@pytest.mark.parametrize("late", [False, True], ids=["before its effect", "after its effect"])
def test_a_run_that_dies_at_any_step_ends_as_if_it_had_not(late: bool) -> None:
    expected, *_ = without(a_run)
    world = a_rich_world()
    with in_simulated_time(world.gate):
        run = Execution(deployment=world.main, event=EVENT)
        run.run()
    for number in range(len(run.remembered)):
        again = a_rich_world()
        with in_simulated_time(again.gate):
            a_run(again, number, late=late)
        assert again.judge.found == []
        assert end_of(again) == expected, f"dead at step {number}"
