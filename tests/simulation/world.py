"""Random worlds: accounts with their resources, plans, and what stands there from earlier nights."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from holdfast.core import naming
from holdfast.core.holds import Hold
from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    Breaker,
    CopyRule,
    Home,
    KeepPolicy,
    Mark,
    Origin,
    Plan,
    Resource,
    Selection,
    place_of,
)
from holdfast.core.spans import Span
from tests.builders import AWAY_REGION, HOME_REGION, KEY, STACK
from tests.fakes import ACCOUNT, KINDS
from tests.simulation import rules
from tests.simulation.cloud import SimulatedCloud
from tests.simulation.deployment import Deployment
from tests.simulation.gate import Gate
from tests.simulation.judge import Judge
from tests.simulation.messages import Messages
from tests.simulation.postures import Postures

VAULT = "111122223333"
OTHER_REGION = "eu-west-1"
TAGS = {"holdfast:plan": "nightly"}
GOLD = {"tier": "gold"}
INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
START = datetime(2026, 3, 20, 2, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")


@dataclass(slots=True, kw_only=True)
class World:
    """`vault` is the stack in the second account, if there is one that prunes there."""

    random: Random
    gate: Gate
    cloud: SimulatedCloud
    judge: Judge
    main: Deployment
    vault: Deployment | None = None
    step: timedelta = timedelta(days=1)
    messages: Messages = field(init=False)
    postures: Postures = field(init=False)
    named: int = 0
    slots: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.messages = Messages(judge=self.judge)
        self.postures = Postures(messages=self.messages)

    @property
    def deployments(self) -> list[Deployment]:
        return [self.main, *([self.vault] if self.vault else [])]


def a_world(seed: int) -> World:
    """The world of a seed, before its first night."""
    random = Random(seed)
    gate = Gate(random=random, start=START + timedelta(days=random.randrange(0, 300)))
    judge = Judge(gate=gate)
    cloud = SimulatedCloud(
        gate, judge, copy_slots=random.choice((1, 2, 5, 20)), quota=random.choice((1000, 1000, 1000, 14))
    )
    judge.cloud = cloud
    home = Home(stack=STACK, region=HOME_REGION, account=ACCOUNT)
    main = Deployment(where="main", home=home, gate=gate, cloud=cloud)
    judge.holds = main.holds.holds
    world = World(random=random, gate=gate, cloud=cloud, judge=judge, main=main)
    world.step = random.choice((*[timedelta(days=1)] * 4, timedelta(hours=12), timedelta(hours=6)))
    add_resources(world)
    main.plans.plans["nightly"] = a_plan(world)
    if random.random() < 0.2:
        gold = replace(a_plan(world), name="weekly", select=Selection(tags=GOLD, types=frozenset(KINDS)))
        main.plans.plans["weekly"] = gold
    if any(rule.account for rule in main.plans.plans["nightly"].copies) and random.random() < 0.7:
        add_vault(world)
    add_history(world)
    add_strangers(world)
    add_holds(world)
    for one in world.deployments:
        world.messages.watch(one)
        world.postures.watch(one)
        for plan in one.plans.plans.values():
            if random.random() < 0.7:
                people_know(one, plan, judge)
    return world


def people_know(where: Deployment, plan: Plan, judge: Judge) -> None:
    """Messages have long told of the plan's retention."""
    retention = plan.retention(where.home.region)
    where.records.tell(plan.name, LONG_AGO, dict.fromkeys(KINDS, retention))
    judge.told[(where.where, plan.name)].append((LONG_AGO, retention))


# --- resources -------------------------------------------------------------------------------------------


def add_resources(world: World) -> None:
    random = world.random
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        add_resource(world, random.choice(("dynamodb", "dynamodb", "dynamodb", "rds", "aurora", "ebs")))
    if random.random() < 0.3:
        for number in range(2):
            world.cloud.put_resource(
                "ebs", f"vol-{number}", {}, group=INSTANCE, group_tags=random.choice((TAGS, TAGS, GOLD))
            )


def add_resource(world: World, kind: str, name: str = "") -> Resource:
    random = world.random
    world.named += 1
    tags = {**random.choice((TAGS, TAGS, TAGS, TAGS, {}, {"holdfast:plan": "none"}))}
    if random.random() < 0.4:
        tags |= GOLD
    return world.cloud.put_resource(
        kind,
        name or f"thing-{world.named}",
        tags,
        encrypted=kind != "dynamodb" and random.random() < 0.2,
        option_group="auditing" if kind == "rds" and random.random() < 0.15 else "",
        resource_id="" if kind == "ebs" else f"ID{world.named}",
    )


# --- plans -----------------------------------------------------------------------------------------------


def a_keep(random: Random) -> KeepPolicy:
    made = KeepPolicy(
        last=random.choice((0, 0, 1, 2)),
        hourly=random.choice((0, 0, 0, 3)),
        daily=random.choice((0, 1, 2, 3, 5)),
        weekly=random.choice((0, 0, 1, 2)),
        monthly=random.choice((0, 0, 0, 1)),
        within=random.choice((None, None, None, Span(days=2), Span(hours=30))),
        oldest=random.random() < 0.1,
        minimum=random.choice((1, 1, 2, 3)),
    )
    return made if made.rules else replace(made, daily=2)


def a_rule(random: Random, region: str, account: str = "") -> CopyRule:
    return CopyRule(
        region=region,
        account=account,
        keep=a_keep(random),
        slots=random.choice((1, 2, 20)),
        kms_key=random.choice(("", KEY)),
        copy_unencrypted=random.random() < 0.7,
        bucket="exports" if not account and random.random() < 0.85 else "",
        full_every_days=random.choice((1, 3, 7, 7, 7)),
        option_groups={"auditing": "auditing-there"} if random.random() < 0.7 else {},
    )


def a_plan(world: World) -> Plan:
    random = world.random
    copies: list[CopyRule] = []
    if random.random() < 0.7:
        copies.append(a_rule(random, AWAY_REGION))
        if random.random() < 0.5:
            copies.append(a_rule(random, AWAY_REGION, VAULT))
    if random.random() < 0.1:
        copies.append(a_rule(random, HOME_REGION, VAULT))
    if random.random() < 0.1:
        copies.append(a_rule(random, OTHER_REGION))
    random.shuffle(copies)
    arns = [one.arn for one in world.cloud.resources_now()]
    return Plan(
        name="nightly",
        select=Selection(
            tags=TAGS,
            include=tuple(arn for arn in arns if random.random() < 0.1),
            exclude=tuple(arn for arn in arns if random.random() < 0.05),
            types=frozenset(KINDS) if random.random() < 0.85 else frozenset(random.sample(list(KINDS), 2)),
        ),
        keep=a_keep(random),
        copies=tuple(copies),
        breaker=Breaker(
            max_delete_share=random.choice((0.25, 0.5, 1.0, 1.0)),
            max_deletes_per_run=random.choice((None, None, 1, 4, 50)),
        ),
        time_zone=random.choice(ZONES),
        window_minutes=random.choice((4, 10, 20, 40)),
    )


def add_vault(world: World) -> None:
    """The second account's own stack, which prunes the copies there."""
    home = Home(stack=STACK, region=AWAY_REGION, account=VAULT)
    vault = Deployment(where="vault", home=home, gate=world.gate, cloud=world.cloud, inside=VAULT)
    vault.plans.plans["nightly"] = Plan(
        name="nightly",
        select=Selection(types=frozenset(KINDS)),
        keep=a_keep(world.random),
        breaker=Breaker(max_delete_share=world.random.choice((0.25, 1.0))),
        vault_of=Origin(account=ACCOUNT, region=HOME_REGION),
        rpo_hours=26,
    )
    world.vault = vault


# --- what stands from earlier ----------------------------------------------------------------------------


def add_history(world: World) -> None:
    random = world.random
    plan = world.main.plans.plans["nightly"]
    nights = random.choice((0, 2, 3, 4, 6))
    from_the_future = random.random() < 0.15
    for one in world.cloud.resources_now():
        if rules.protected(one, plan.select, plan.select.types):
            add_nights(world, one, plan, nights)
            if from_the_future:
                add_future(world, one, plan)


def add_nights(world: World, resource: Resource, plan: Plan, nights: int) -> None:
    random = world.random
    base: datetime | None = None
    for night in range(nights, 0, -1):
        if random.random() < 0.1:
            continue
        slot = world.gate.start - (night - 1) * world.step
        state = BackupState.FAILED if random.random() < 0.06 else BackupState.AVAILABLE
        original = put_original(world, resource, plan.name, slot, state)
        if state is BackupState.FAILED:
            continue
        for rule in sorted(plan.copies, key=lambda one: bool(one.account)):
            if not rules.carried(resource.kind, rule) or random.random() < 0.1:
                continue
            parent = the_one_in(world, original, rules.source_of_copies(rule, HOME_REGION))
            stands_on = base if rule.full_every_days > 1 and rule.place == AWAY_REGION else None
            if random.random() < 0.3:  # a whole one is due
                stands_on = None
            if parent is not None:
                put_copy(world, parent, rule.place, stands_on)
                if rule.place == AWAY_REGION:
                    base = slot


def add_future(world: World, resource: Resource, plan: Plan) -> None:
    """Backups that were made when a clock was wrong, of slots that no run of the plan has."""
    for night in range(1, world.random.choice((2, 4))):
        slot = world.gate.start + night * world.step + timedelta(minutes=30)
        put_original(world, resource, plan.name, slot)


def mark_for(world: World, resource: Resource, plan: str, slot: datetime, stack: str = STACK) -> Mark:
    return Mark(stack=stack, plan=plan, slot=slot, source=resource.arn, resource_id=resource.resource_id)


def named(kind: str, mark: Mark) -> tuple[str, dict[str, str]]:
    if not KINDS[kind].tagged:
        return naming.backup_name(mark), {}
    return naming.snapshot_name(mark, KINDS[kind].name_limit), naming.tags_for(mark, {})


def put_original(
    world: World,
    resource: Resource,
    plan: str,
    slot: datetime,
    state: BackupState = BackupState.AVAILABLE,
    stack: str = STACK,
) -> Backup:
    mark = mark_for(world, resource, plan, slot, stack)
    name, tags = named(resource.kind, mark)
    return world.cloud.put_backup(resource.arn, mark, name, tags, HOME_REGION, owner=stack, state=state)


def the_one_in(world: World, original: Backup, place: str) -> Backup | None:
    """The backup of the same slot that stands in a place."""
    found = [
        one
        for one in world.cloud.standing(original.kind, place, original.source)
        if one.mark and original.mark and one.mark.slot == original.mark.slot
    ]
    return found[0] if found else None


def put_copy(world: World, parent: Backup, place: str, base: datetime | None) -> Backup:
    assert parent.mark is not None
    mark = replace(parent.mark, copy_of=parent.arn)
    name, tags = named(parent.kind, mark)
    return world.cloud.put_backup(parent.source, mark, name, tags, place, owner=STACK, base=base)


def add_holds(world: World) -> None:
    """What people hold from earlier on: by tag where there are tags, else on the list."""
    random = world.random
    for one in world.cloud.standing():
        if one.mark is None or random.random() > 0.05:
            continue
        if KINDS[one.kind].tagged:
            world.cloud.tag_backup(one.arn, {HOLD_TAG: "case 17"})
        else:
            world.main.holds.holds.append(Hold(backups=one.arn, reason="case 17"))


def add_strangers(world: World) -> None:
    """Backups that are none of ours, however much they look like it."""
    random = world.random
    resources: Sequence[Resource] = world.cloud.resources_now()
    for one in resources:
        slot = world.gate.start - random.randrange(3, 30) * timedelta(hours=7)
        chance = random.random()
        if chance < 0.15:
            put_original(world, one, "nightly", slot, stack="other")
        elif chance < 0.25:
            put_original(world, one, "monthly", slot)
        elif chance < 0.4:
            world.cloud.put_backup(
                one.arn,
                mark_for(world, one, "nightly", slot),
                "by-hand",
                naming.tags_for(mark_for(world, one, "nightly", slot), {}) if KINDS[one.kind].tagged else {},
                HOME_REGION,
                owner="",
            )


def vault_place() -> str:
    return place_of(AWAY_REGION, VAULT)
