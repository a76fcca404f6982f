"""Short ways to say what a test is about. Nothing here decides anything."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from holdfast.core.model import (
    Backup,
    BackupState,
    Breaker,
    CopyLaws,
    CopyRule,
    Home,
    KeepPolicy,
    Mark,
    Origin,
    Plan,
    Request,
    Resource,
    Selection,
    region_of,
)
from holdfast.core.naming import (
    CLUSTER_SNAPSHOT_LIMIT,
    EBS_NAME_LIMIT,
    INSTANCE_SNAPSHOT_LIMIT,
    backup_name,
    snapshot_name,
)

STACK = "holdfast"
HOME_REGION = "us-east-1"
AWAY_REGION = "us-west-2"
HOME = Home(stack=STACK, region=HOME_REGION)
NIGHT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""The slot of the run that a test is about."""

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
DATABASE = "arn:aws:rds:us-east-1:123456789012:db:orders"
CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:orders"
VOLUME = "arn:aws:ec2:us-east-1:123456789012:volume/vol-0123456789abcdef0"
TAGS = {"holdfast:plan": "nightly"}
KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

COPIED = CopyLaws(service="rds")
EXPORTED = CopyLaws(service="dynamodb", reach=timedelta(days=35), to_accounts=False, to_buckets=True)
"""Of kinds whose copies are exports: a rule without a bucket says nothing to them."""

KEEP = KeepPolicy(daily=3, minimum=2)
NO_BREAKER = Breaker(max_deletes_per_run=1000, max_delete_share=1.0)


def nights_ago(nights: float) -> datetime:
    """The slot that many nights before the run's."""
    return NIGHT - timedelta(days=nights)


def kind_of(source: str) -> str:
    if ":dynamodb:" in source:
        return "dynamodb"
    if ":ec2:" in source:
        return "ebs"
    return "aurora" if ":cluster:" in source else "rds"


def a_mark(
    slot: datetime = NIGHT,
    source: str = DATABASE,
    *,
    stack: str = STACK,
    plan: str = "nightly",
    copy_of: str = "",
) -> Mark:
    return Mark(stack=stack, plan=plan, slot=slot, source=source, copy_of=copy_of)


def a_backup(
    slot: datetime = NIGHT,
    source: str = DATABASE,
    state: BackupState = BackupState.AVAILABLE,
    *,
    region: str = "",
    stack: str = STACK,
    plan: str = "nightly",
    tags: Mapping[str, str] | None = None,
    encrypted: bool = False,
    ours: bool = True,
    serial: int = 0,
    account: str = "",
    attempt: int = 1,
    failure: str = "",
    option_group: str = "",
    base: datetime | None = None,
) -> Backup:
    """An original in the source's Region, or a copy of it when `region` or `account` is another one."""
    where = region or region_of(source)
    mark = a_mark(slot, source, stack=stack, plan=plan)
    copied = where != region_of(source) or bool(account)
    if copied:
        original = a_backup(slot, source, stack=stack, plan=plan, region=where if account else "")
        mark = replace(mark, copy_of=original.arn, attempt=attempt)
    kind = kind_of(source)
    if kind == "dynamodb":
        name = backup_name(mark)
        word = "export" if copied else "backup"
        arn = f"{source}/{word}/{slot:%Y%m%d%H%M%S}-{stack}-{plan}-{serial}"
    elif kind == "ebs":
        name = snapshot_name(mark, EBS_NAME_LIMIT)
        arn = f"arn:aws:ec2:{where}::snapshot/snap-{name}-{serial}"
    else:
        name = snapshot_name(mark, INSTANCE_SNAPSHOT_LIMIT if kind == "rds" else CLUSTER_SNAPSHOT_LIMIT)
        word = "snapshot" if kind == "rds" else "cluster-snapshot"
        arn = f"arn:aws:rds:{where}:{account or '123456789012'}:{word}:{name}"
    return Backup(
        kind=kind,
        arn=arn,
        id=name,
        region=where,
        source=source,
        state=state,
        mark=mark if ours else None,
        state_text=str(state),
        tags=tags or {},
        encrypted=encrypted,
        account=account,
        copied=copied,
        failure=failure,
        option_group=option_group,
        base=base,
    )


def a_resource(
    arn: str = DATABASE,
    tags: Mapping[str, str] | None = None,
    *,
    unready: str = "",
    transient: bool = False,
) -> Resource:
    return Resource(
        kind=kind_of(arn), arn=arn, tags=TAGS if tags is None else tags, unready=unready, transient=transient
    )


def a_rule(
    *,
    keep: KeepPolicy | None = None,
    kms_key: str = "",
    slots: int = 20,
    region: str = AWAY_REGION,
    account: str = "",
    bucket: str = "",
    full_every_days: int = 1,
) -> CopyRule:
    return CopyRule(
        region=region,
        account=account,
        keep=keep or KEEP,
        kms_key=kms_key,
        slots=slots,
        bucket=bucket,
        full_every_days=full_every_days,
    )


def a_plan(
    *,
    keep: KeepPolicy = KEEP,
    copies: tuple[CopyRule, ...] = (),
    select: Selection | None = None,
    breaker: Breaker = NO_BREAKER,
    types: tuple[str, ...] = ("aurora", "dynamodb", "ebs", "rds"),
    name: str = "nightly",
    time_zone: str = "UTC",
    window_minutes: int = 720,
    vault_of: Origin | None = None,
) -> Plan:
    return Plan(
        name=name,
        select=select or Selection(tags=TAGS, types=frozenset(types)),
        keep=keep,
        breaker=breaker,
        copies=copies,
        time_zone=time_zone,
        window_minutes=window_minutes,
        vault_of=vault_of,
    )


def a_request(slot: datetime = NIGHT, *, dry_run: bool = False, approve: str = "") -> Request:
    return Request(plan="nightly", slot=slot, dry_run=dry_run, approve=approve)
