"""Postures as rows, and back."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.cost import Basis, Cost
from holdfast.core.model import Home
from holdfast.core.posture import Health, LastRun, PlanPosture, Posture
from holdfast.core.posture_rows import posture_from_rows, rows_of
from holdfast.core.report import Status
from holdfast.core.usage import Usage
from tests.postures import AT, HOME, SLOT, company, protection

USAGE = Usage(invocations=3, gb_seconds=1.25, calls={"rds.DescribeDBSnapshots": 7})


def through_json(posture: Posture) -> Posture:
    return posture_from_rows([json.loads(json.dumps(row)) for row in rows_of(posture)])


def rows(posture: Posture | None = None) -> list[dict[str, Any]]:
    return list(rows_of(posture or company()))


def test_what_a_posture_is_compared_by_comes_back() -> None:
    run = LastRun(slot=SLOT, status=Status.REFUSED, ended=False, usage=USAGE)
    plan = PlanPosture(
        name="weekly", rpo_hours=170, rto_minutes=5, keeps={"us-east-1": "weekly 4"}, last_run=run,
        hours_since_run=4.5, every_hours=168.0, is_vault=True,
    )  # fmt: skip
    bare = PlanPosture(name="broken", problem="keep is empty")
    whole = replace(
        company(),
        plans=(plan, bare),
        protections=tuple(replace(one, ticks=()) for one in company().protections),
        problems=("not seen",),
        usage=USAGE,
    )
    back = through_json(whole)
    assert back.plans == whole.plans
    assert back.protections == whole.protections
    assert back.uncovered == tuple(whole.uncovered)
    assert back.headroom == tuple(whole.headroom)
    assert (back.at, back.home, back.problems, back.warnings) == (
        AT,
        HOME,
        ("not seen",),
        tuple(whole.warnings),
    )
    assert (back.usage, back.seconds) == (USAGE, 2.5)
    assert back.standing is whole.standing
    assert back.recoverable == whole.recoverable


def test_the_summary_counts_and_comes_first() -> None:
    summary = rows()[0]
    assert summary["row"] == "summary"
    assert (summary["resources"], summary["recoverable"], summary["breached"]) == (7, 4, 2)
    assert summary["standing"] == "breached"
    assert summary["own_usd"] == 0.09


def test_what_there_is_none_of_has_no_key() -> None:
    (line,) = [row for row in rows() if row.get("resource", "").endswith("carts")]
    assert "newest" not in line
    assert line["since"] == "2026-11-07T00:00:00Z"
    assert None not in [value for row in rows() for value in row.values()]


@given(
    usd=st.decimals(min_value=0, max_value=10_000_000, places=6),
    health=st.sampled_from(list(Health)),
    hours=st.integers(0, 100_000),
    counts=st.lists(st.integers(0, 10_000), min_size=6, max_size=6),
    text=st.text(max_size=30),
)
def test_any_protection_comes_back(
    usd: Decimal, health: Health, hours: int, counts: list[int], text: str
) -> None:
    good, full, pending, stuck, failed, missing = counts
    one = replace(
        protection(),
        health=health,
        reason=text,
        newest=AT - timedelta(hours=hours) if hours else None,
        good=good,
        full=full,
        pending=pending,
        stuck=stuck,
        failed=failed,
        missing=missing,
        ticks=(),
        cost=Cost(now_usd=usd, full_usd=usd, transfer_usd=usd, basis=Basis.ESTIMATED, rule=text),
    )
    whole = Posture(at=AT, home=Home(stack="holdfast", region="us-east-1"), protections=(one,))
    assert through_json(whole) == whole


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ("summary", {"schema": "holdfast.posture/9"}),
        ("summary", {"at": "today"}),
        ("summary", {"calls": []}),
        ("protection", {"health": "splendid"}),
        ("protection", {"resource": "billing"}),
        ("protection", {"now_usd": "a lot"}),
        ("protection", {"good": None}),
        ("plan", {"keeps": "daily 7"}),
        ("uncovered", {"gap": ""}),
        ("headroom", {"most_backups": "many"}),
        ("plan", {"row": "else"}),
    ],
)
def test_anything_else_is_an_error(row: str, change: dict[str, Any]) -> None:
    changed = [one | change if one["row"] == row else one for one in rows()]
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        posture_from_rows(changed)


@pytest.mark.parametrize("summaries", [0, 2])
def test_a_posture_has_one_summary(summaries: int) -> None:
    first, *others = rows()
    with pytest.raises(ValueError, match="values to unpack"):
        posture_from_rows([first] * summaries + others)
