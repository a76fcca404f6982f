"""What people do meanwhile, and what AWS delivers twice."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from holdfast.core.errors import HoldListError, StageCrashed
from holdfast.core.holds import Hold
from holdfast.core.model import HOLD_TAG, Backup, BackupState, CopyRule, name_of
from holdfast.core.naming import format_slot
from holdfast.core.report import Stage
from tests.builders import HOME_REGION
from tests.simulation.deployment import Deployment, Execution
from tests.simulation.world import World, a_keep, add_resource, vault_place


def something(world: World, event: dict[str, object]) -> None:
    """One thing that happens while a run of `event` is under way."""
    world.random.choice(_MEANWHILE)(world, event)


def by_day(world: World, event: dict[str, object]) -> None:
    """One thing that a person does between two nights."""
    world.random.choice(_BY_DAY)(world, event)


# --- deliveries ------------------------------------------------------------------------------------------


def stage_again(world: World, event: dict[str, object]) -> None:
    """AWS delivers a stage's event a second time, or a person invokes the stage alone."""
    stages = (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT)
    stage = world.random.choice(stages)
    process = world.gate.process
    if process and process.name in stages and world.random.random() < 0.5:
        stage = Stage(process.name)  # the one that is at work
    world.gate.faults["second delivery of a stage"] += 1
    _invoke(world.main, stage, event)


def run_again(world: World, event: dict[str, object]) -> None:
    world.gate.faults["second delivery of a run"] += 1
    Execution(deployment=world.main, event=event).run()


def hint(world: World, event: dict[str, object]) -> None:
    _invoke(world.main, Stage.COPY, {"plan": event["plan"], "hint": True})


def check(world: World, event: dict[str, object]) -> None:
    """The check's own schedule, which has no plan and no slot."""
    world.gate.faults["check by its schedule"] += 1
    _invoke(world.random.choice(world.deployments), Stage.CHECK, {"at": format_slot(world.gate.now)})


def dry_run(world: World, event: dict[str, object]) -> None:
    stage = world.random.choice((Stage.CREATE, Stage.COPY, Stage.PRUNE))
    _invoke(world.random.choice(world.deployments), stage, {"plan": "nightly", "dry_run": True})


def prune_now(world: World, event: dict[str, object]) -> None:
    """For a slot of its own."""
    _invoke(world.main, Stage.PRUNE, {"plan": event["plan"]})


def _invoke(where: Deployment, stage: Stage, event: dict[str, object]) -> None:
    with suppress(StageCrashed):
        where.invoke(stage, event)


# --- people ----------------------------------------------------------------------------------------------


def _any_backup(world: World) -> Backup | None:
    ours = [one for one in world.cloud.standing() if one.mark and one.mark.stack == "holdfast"]
    return world.random.choice(ours) if ours else None


def delete_backup(world: World, _event: dict[str, object]) -> None:
    one = _any_backup(world)
    if one and one.state is not BackupState.CREATING:
        world.cloud.erase(one.arn)


def hold_backup(world: World, _event: dict[str, object]) -> None:
    one = _any_backup(world)
    if one is None:
        return
    world.gate.note(f"holds {one.arn}")
    if one.kind != "dynamodb":
        world.cloud.tag_backup(one.arn, {HOLD_TAG: "case 17"})
    else:
        name = world.random.choice((one.arn, f"{name_of(one.source)}/{one.id}"))
        world.main.holds.holds.append(Hold(backups=name, reason="case 17"))


def meddle_with_holds(world: World, _event: dict[str, object]) -> None:
    """The list is broken, mended, or names something that is gone."""
    holds = world.main.holds
    chance = world.random.random()
    if chance < 0.3:
        holds.failing = HoldListError("in memory", ["it is no JSON"])
    elif chance < 0.6:
        holds.failing = None
    elif chance < 0.8:
        holds.holds.append(Hold(backups="gone/holdfast.nightly.20200101T000000Z", reason="old"))
    else:
        holds.holds.clear()


def add_thing(world: World, _event: dict[str, object]) -> None:
    one = add_resource(world, world.random.choice(("dynamodb", "rds", "aurora", "ebs")))
    world.cloud.delay(one.arn, 600)
    world.messages.changed_at[one.arn] = world.gate.seconds


def remove_thing(world: World, _event: dict[str, object]) -> None:
    things = world.cloud.resources_now()
    if len(things) < 2:
        return
    one = world.random.choice(things)
    world.gate.note(f"removes {one.arn}")
    world.cloud.remove_resource(one.arn)
    world.messages.changed_at[one.arn] = world.gate.seconds
    if one.kind != "ebs" and world.random.random() < 0.6:
        world.gate.note("and makes another one of that name")
        again = add_resource(world, one.kind, name_of(one.arn))
        world.cloud.delay(again.arn, 1200)


def stop_or_start(world: World, _event: dict[str, object]) -> None:
    things = world.cloud.resources_now()
    if not things:
        return
    one = world.random.choice(things)
    unready = "" if one.unready else "it is stopped"
    world.cloud.set_state(one.arn, unready=unready, transient=world.random.random() < 0.5)
    world.messages.changed_at[one.arn] = world.gate.seconds


def change_plan(world: World, event: dict[str, object]) -> None:
    where = world.random.choice(world.deployments)
    name = str(event["plan"]) if where is world.main else "nightly"
    plan = where.plans.plans[name]
    chance = world.random.random()
    if chance < 0.6:
        plan = replace(plan, keep=a_keep(world.random))
    elif plan.copies and chance < 0.9:
        first, *others = plan.copies
        plan = replace(plan, copies=(replace(first, keep=a_keep(world.random)), *others))
    elif plan.copies:
        plan = replace(plan, copies=_fed(plan.copies[1:]))
    world.gate.note(f"changes {where.where}'s plan {name} to {plan.keep} {[r.keep for r in plan.copies]}")
    where.plans.plans[name] = plan
    world.messages.plans_changed_at[(where.where, name)] = world.gate.seconds


def _fed(copies: tuple[CopyRule, ...]) -> tuple[CopyRule, ...]:
    """Without those that get their copies from a Region that gets none: no document may say that."""
    fed = {HOME_REGION, *(rule.region for rule in copies if not rule.account)}
    return tuple(rule for rule in copies if rule.region in fed)


def break_plan(world: World, event: dict[str, object]) -> None:
    broken = world.main.plans.broken
    (broken.discard if event["plan"] in broken else broken.add)(str(event["plan"]))
    world.messages.plans_changed_at[("main", str(event["plan"]))] = world.gate.seconds


def approve(world: World, event: dict[str, object]) -> None:
    """A person reads the list of the latest record, or of a dry run, and approves it."""
    where = world.random.choice(world.deployments)
    name = str(event["plan"]) if where is world.main else "nightly"
    lists = offered(where, name, str(event["slot"]))
    if lists:
        digest = world.random.choice(sorted(lists))
        world.gate.note(f"approves {digest}")
        with suppress(StageCrashed):
            where.invoke(
                Stage.PRUNE,
                {"plan": name, "slot": event["slot"], "approve": digest},
                approved=frozenset(lists[digest]),
            )


def offered(where: Deployment, plan: str, slot: str) -> dict[str, list[str]]:
    """The lists that the record of a run's pruning offers, by digest."""
    for document in where.records.documents.values():
        if (document["stage"], document["plan"], document["slot"]) == ("prune", plan, slot):
            offers = document.get("offers", {})
            assert isinstance(offers, dict)
            return offers
    return {}


def mend(world: World) -> None:
    """People put everything in order, and AWS has a good day."""
    cloud, main = world.cloud, world.main
    cloud.quota, cloud.copy_slots = 1000, 20
    cloud.without_pitr.clear()
    cloud.pitr_since.clear()
    main.holds.failing = None
    main.holds.holds[:] = []
    main.plans.broken.clear()
    cloud.end_all()
    for one in cloud.resources_now():
        cloud.set_state(one.arn)
    for name, plan in main.plans.plans.items():
        main.plans.plans[name] = replace(
            plan,
            window_minutes=120,
            select=replace(
                plan.select,
                include=tuple(
                    one.arn
                    for one in cloud.resources_now()
                    if one.arn in plan.select.include and one.kind in plan.select.types
                ),
            ),
            copies=tuple(
                replace(
                    rule,
                    slots=20,
                    kms_key="arn:aws:kms:us-west-2:123456789012:key/1",
                    copy_unencrypted=True,
                    option_groups={"auditing": "auditing-there", "auditing-there": "auditing-vault"},
                )
                for rule in plan.copies
            ),
        )
    if world.vault:
        _let_vault_keep_what_it_gets(world.vault, main)
    for backup in cloud.truth():
        if backup.state is BackupState.FAILED and backup.copied:
            cloud.erase(backup.arn)


def _let_vault_keep_what_it_gets(vault: Deployment, main: Deployment) -> None:
    """`docs/copies.md`: else the first account copies each night what the second one prunes."""
    plan = main.plans.plans["nightly"]
    for rule in plan.copies:
        if rule.place == vault_place():
            mine = vault.plans.plans["nightly"]
            vault.plans.plans["nightly"] = replace(mine, keep=rule.keep, time_zone=plan.time_zone)


_MEANWHILE: tuple[Callable[[World, dict[str, object]], None], ...] = (
    stage_again,
    stage_again,
    run_again,
    hint,
    hint,
    dry_run,
    prune_now,
    check,
    delete_backup,
    hold_backup,
    add_thing,
    remove_thing,
    stop_or_start,
    change_plan,
    approve,
)
_BY_DAY: tuple[Callable[[World, dict[str, object]], None], ...] = (
    *_MEANWHILE,
    meddle_with_holds,
    break_plan,
    approve,
    approve,
)
