"""Postures to show, tell and count: of a small company, and of a large one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from holdfast.core.cost import Basis, Cost, CostLine
from holdfast.core.model import Home
from holdfast.core.posture import (
    Change,
    Drill,
    Gap,
    Headroom,
    Health,
    LastRun,
    PlanPosture,
    Posture,
    Protection,
    Tick,
    TickState,
    Uncovered,
)
from holdfast.core.report import Action, Outcome, State, Status

ACCOUNT = "123456789012"
HOME = Home(stack="holdfast", region="us-east-1", account=ACCOUNT)
AT = datetime(2026, 11, 8, 6, 0, tzinfo=UTC)
SLOT = datetime(2026, 11, 8, 2, 0, tzinfo=UTC)
PRICED = date(2026, 11, 1)


def arn(kind: str, name: str) -> str:
    paths = {
        "dynamodb": f"dynamodb:us-east-1:{ACCOUNT}:table/{name}",
        "rds": f"rds:us-east-1:{ACCOUNT}:db:{name}",
    }
    paths |= {
        "aurora": f"rds:us-east-1:{ACCOUNT}:cluster:{name}",
        "ebs": f"ec2:us-east-1:{ACCOUNT}:volume/{name}",
    }
    return f"arn:aws:{paths[kind]}"


def ticks(nights: int = 14, *, missing: Sequence[int] = (), pending: Sequence[int] = ()) -> tuple[Tick, ...]:
    """The last nights, `0` the newest; all but those that are named are kept."""
    return tuple(
        Tick(
            slot=SLOT - timedelta(days=back),
            state=TickState.MISSING
            if back in missing
            else TickState.PENDING
            if back in pending
            else TickState.KEPT,
            reason="" if back in (*missing, *pending) else f"daily {back + 1} of {nights}",
        )
        for back in range(nights - 1, -1, -1)
    )


def protection(
    kind: str = "dynamodb", name: str = "orders", place: str = "us-east-1", health: Health = Health.OK
) -> Protection:
    """One that has what `health` says: the newest backup of this night, or of three nights ago, or none."""
    behind = {Health.OK: 0, Health.OVERDUE: 3}.get(health)
    newest = None if behind is None else SLOT - timedelta(days=behind)
    strip = ticks(missing=range(behind or 0)) if newest else ()
    reasons = {
        Health.OK: "the newest backup is 4 hours old",
        Health.OVERDUE: (
            "the newest backup that can be restored is of 2026-11-05T02:00:00Z, 76 hours ago; the plan's "
            "rpo_hours is 26. The last run said: the KMS key cannot be used."
        ),
        Health.MISSING: (
            "nothing can be restored: no good backup stands there. The last run did not tell of it: look at "
            "its record, and run the plan again."
        ),
        Health.UNKNOWN: "it could not be listed (rds us-west-2 DescribeDBSnapshots: AccessDenied)",
        Health.WAITING: "new: its first backup is due by 2026-11-09T04:00:00Z",
    }
    good = sum(one.state is TickState.KEPT for one in strip)
    return Protection(
        plan="nightly",
        kind=kind,
        resource=arn(kind, name),
        place=place,
        health=health,
        reason=reasons[health],
        rpo_hours=26,
        newest=newest,
        since=None if newest else AT - timedelta(hours=30),
        good=good,
        full=22,
        missing=sum(one.state is TickState.MISSING for one in strip),
        ticks=strip,
        next_deletion=SLOT + timedelta(days=1) if good else None,
        cost=Cost(
            now_usd=Decimal("1.40"),
            full_usd=Decimal("2.20"),
            transfer_usd=Decimal(0) if place == "us-east-1" else Decimal("0.60"),
            basis=Basis.KNOWN if kind == "dynamodb" else Basis.ESTIMATED,
            rule="each backup is a whole copy" if kind == "dynamodb" else "whole once, then 3 % a day",
        ),
    )


def company(*, at: datetime = AT) -> Posture:
    """Four kinds in two Regions, with one of each trouble."""
    protections = [
        protection(kind, name, place)
        for kind, name in (
            ("dynamodb", "orders"),
            ("rds", "billing"),
            ("aurora", "ledger"),
            ("ebs", "vol-0a1"),
        )
        for place in ("us-east-1", "us-west-2")
    ]
    protections += [
        protection("rds", "reporting", "us-east-1"),
        protection("rds", "reporting", "us-west-2", Health.OVERDUE),
        protection("dynamodb", "carts", "us-east-1", Health.MISSING),
        protection("dynamodb", "new-orders", "us-east-1", Health.WAITING),
    ]
    failure = Outcome(
        action=Action.COPY,
        state=State.FAILED,
        kind="rds",
        resource=arn("rds", "reporting"),
        region="us-west-2",
        reason="AWS cannot use the KMS key: it has to exist and be enabled",
        backup="holdfast-nightly-reporting-20261108t020000z",
    )
    return Posture(
        at=at,
        home=HOME,
        plans=[
            PlanPosture(
                name="nightly",
                rpo_hours=26,
                rto_minutes=60,
                keeps={
                    "us-east-1": "daily 7, weekly 4, monthly 12, minimum 2",
                    "us-west-2": "daily 7, minimum 1",
                },
                last_run=LastRun(slot=SLOT, status=Status.PARTIAL, ended=True, failures=[failure]),
                hours_since_run=4.0,
            )
        ],
        protections=protections,
        uncovered=[
            Uncovered(
                kind="rds", resource=arn("rds", "scratch"), gap=Gap.NO_PLAN, reason="no plan protects it"
            ),
            Uncovered(
                kind="dynamodb",
                resource=arn("dynamodb", "sessions"),
                gap=Gap.UNKNOWN_PLAN,
                reason="its tag holdfast:plan=nightyl names a plan that there is not",
            ),
        ],
        headroom=[Headroom(kind="rds", place="us-west-2", standing=84, most=100)],
        warnings=["rds in us-west-2: 84 of 100 manual snapshots stand, 84 of them Holdfast's"],
        own_cost=[
            CostLine(
                what="Lambda",
                amount=Decimal(5200),
                unit="GB-seconds",
                price_usd=Decimal("0.0000166667"),
                monthly_usd=Decimal("0.09"),
                basis=Basis.ESTIMATED,
                rule="the last run and check, as often as they come",
            )
        ],
        drills=[
            Drill(
                at=AT - timedelta(days=3),
                plan="nightly",
                resource=arn("rds", "billing"),
                place="us-east-1",
                slot=SLOT - timedelta(days=3),
                passed=True,
                seconds=1310,
                rto_minutes=60,
            )
        ],
        changes=[
            Change(text="rds reporting in us-west-2 is overdue since 2026-11-08T04:00:00Z", is_worse=True),
            Change(text="dynamodb new-orders is protected by the plan nightly now", is_worse=False),
        ],
        compared_with=at - timedelta(days=1),
        seconds=2.5,
    )


def well(*, at: datetime = AT) -> Posture:
    """The same company on a morning on which nothing is wrong."""
    whole = company(at=at)
    fine = [one for one in whole.protections if one.health is Health.OK and one.name != "reporting"]
    (plan,) = whole.plans
    run = LastRun(slot=SLOT, status=Status.OK, ended=True)
    return replace(
        whole, protections=fine, plans=[replace(plan, last_run=run)], uncovered=(), changes=(), warnings=()
    )


def large(resources: int = 10_000) -> Posture:
    """Many resources in two Regions, with something wrong with one in a hundred."""
    kinds = ("dynamodb", "rds", "aurora", "ebs")
    protections = [
        protection(
            kinds[number % 4],
            f"resource-{number:05d}",
            place,
            Health.OVERDUE if number % 100 == 7 and place == "us-west-2" else Health.OK,
        )
        for number in range(resources)
        for place in ("us-east-1", "us-west-2")
    ]
    return replace(company(), protections=protections)
