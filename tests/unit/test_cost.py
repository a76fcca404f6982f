"""What backups cost: each rule by example, and what holds whatever the sizes are."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.cost import (
    GIB,
    MONTH,
    Basis,
    Cost,
    CostLine,
    cost_of,
    to_the_cent,
)
from holdfast.core.model import Backup
from holdfast.core.own_cost import Fixtures, own_cost, per_month
from holdfast.core.posture import Posture
from holdfast.core.report import State
from holdfast.core.totals import CostKey, Sum, totals
from holdfast.core.usage import Usage
from holdfast.gauges import DAILY_HOUR, gauge_posture
from holdfast.prices import load_prices
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    DATABASE,
    HOME_REGION,
    TABLE,
    VOLUME,
    a_backup,
    nights_ago,
)
from tests.postures import well

DAY = timedelta(days=1)
FEWER = settings(max_examples=max(1, settings().max_examples // 2))
WEEK = tuple(nights_ago(night) for night in range(6, -1, -1))
PRICES = load_prices()
SOURCES = {"dynamodb": TABLE, "rds": DATABASE, "aurora": CLUSTER, "ebs": VOLUME}
TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def sized(backup: Backup, gb: float | None) -> Backup:
    return replace(backup, size_bytes=None if gb is None else int(gb * GIB))


def nightly(kind: str, *gbs: float | None, region: str = "", account: str = "") -> list[Backup]:
    """Backups of the last nights, of these sizes, the oldest first."""
    nights = reversed(range(len(gbs)))
    return [
        sized(a_backup(nights_ago(night), SOURCES[kind], region=region, account=account), size)
        for night, size in zip(nights, gbs, strict=True)
    ]


def at_home(kind: str, backups: Sequence[Backup], steady: Sequence[datetime] = WEEK) -> Cost:
    return cost_of(kind=kind, is_copy=False, backups=backups, steady=steady, every=DAY, prices=PRICES)


def away(kind: str, backups: Sequence[Backup], *, gb: int | None = None, full_every_days: int = 1) -> Cost:
    return cost_of(
        kind=kind,
        is_copy=True,
        backups=backups,
        steady=WEEK,
        every=DAY,
        prices=PRICES,
        resource_bytes=None if gb is None else gb * GIB,
        full_every_days=full_every_days,
    )


class TestTables:
    def test_each_backup_is_a_whole_copy_of_the_size_that_aws_tells(self) -> None:
        cost = at_home("dynamodb", nightly("dynamodb", 10, 20, 30))
        assert cost.now_usd == Decimal("6.00")  # 60 GB at 0.10
        assert cost.full_usd == Decimal("21.00")  # seven of the newest
        assert cost.transfer_usd == 0
        assert cost.basis is Basis.KNOWN
        assert cost.rule == "each backup is a whole copy of the table, at $0.10 per GB-month"

    def test_a_gb_is_as_many_bytes_as_aws_bills(self) -> None:
        assert at_home("dynamodb", [replace(a_backup(source=TABLE), size_bytes=2**30)]).now_usd == Decimal(
            "0.10"
        )

    def test_an_empty_table_costs_nothing_and_that_is_known(self) -> None:
        cost = at_home("dynamodb", nightly("dynamodb", 0))
        assert cost == Cost(basis=Basis.KNOWN, rule=cost.rule)

    def test_a_size_that_is_missing_is_taken_from_its_neighbour_and_told(self) -> None:
        cost = at_home("dynamodb", nightly("dynamodb", 10, None, 30))
        assert cost.now_usd == Decimal("7.00")  # 10 + 30 + 30
        assert cost.basis is Basis.ESTIMATED
        assert "AWS told no size of 1 of 3" in cost.rule

    def test_without_any_size_it_is_unknown(self) -> None:
        cost = at_home("dynamodb", nightly("dynamodb", None, None))
        assert cost == Cost(rule="not counted: AWS told no size")
        assert at_home("dynamodb", []).rule == "not counted: no backup stands whose size could tell"


class TestSnapshots:
    @pytest.mark.parametrize(("kind", "price"), [("rds", "0.095"), ("aurora", "0.021"), ("ebs", "0.05")])
    def test_the_oldest_is_whole_and_each_other_one_holds_what_changed(self, kind: str, price: str) -> None:
        cost = at_home(kind, nightly(kind, 100, 100, 100))
        assert cost.now_usd == (100 + 3 + 3) * Decimal(price)
        assert cost.full_usd == (100 + 6 * 3) * Decimal(price)
        assert cost.transfer_usd == 0
        assert cost.basis is Basis.ESTIMATED
        assert "the oldest counts whole" in cost.rule
        assert "3 % of the data a day" in cost.rule
        assert f"${price} per GB-month" in cost.rule

    def test_the_longer_the_time_between_two_the_more_has_changed_and_never_more_than_all(self) -> None:
        week = [sized(a_backup(nights_ago(night)), 100) for night in (7, 0)]
        assert at_home("rds", week).now_usd == 121 * Decimal("0.095")
        year = [sized(a_backup(nights_ago(night)), 100) for night in (365, 0)]
        assert at_home("rds", year).now_usd == 200 * Decimal("0.095")

    def test_the_share_that_changes_is_the_price_tables(self) -> None:
        prices = replace(PRICES, daily_change=Decimal("0.5"))
        backups = nightly("rds", 100, 100)
        cost = cost_of(kind="rds", is_copy=False, backups=backups, steady=(), every=DAY, prices=prices)
        assert cost.now_usd == 150 * Decimal("0.095")
        assert "50 % of the data a day" in cost.rule

    def test_the_order_of_a_listing_makes_no_difference(self) -> None:
        backups = nightly("rds", 10, 20, 30)
        assert at_home("rds", backups[::-1]) == at_home("rds", backups)

    def test_a_copy_brings_to_the_region_what_is_new_in_it(self) -> None:
        cost = away("rds", nightly("rds", 100, 100, region=AWAY_REGION))
        assert cost.now_usd == 103 * Decimal("0.095")
        assert to_the_cent(cost.transfer_usd) == to_the_cent(3 * Decimal(730) / 24 * Decimal("0.02"))
        assert "brings that much to the Region, at $0.02 per GB" in cost.rule

    def test_a_copy_in_another_account_comes_from_its_own_region(self) -> None:
        copies = nightly("rds", 100, region=AWAY_REGION, account="111122223333")
        assert away("rds", copies).transfer_usd == 0

    def test_a_clusters_one_gib_is_not_believed(self) -> None:
        """RDS tells it of Aurora, whose storage is not fixed, whatever there is."""
        cost = at_home("aurora", nightly("aurora", 1, 1))
        assert cost == Cost(basis=Basis.UNKNOWN, rule=cost.rule)
        assert cost.rule == "not counted: AWS tells 1 GiB of an Aurora cluster's snapshot whatever it holds"
        assert at_home("rds", nightly("rds", 1)).basis is Basis.ESTIMATED

    def test_a_size_of_nothing_is_none(self) -> None:
        assert at_home("rds", nightly("rds", 0)).basis is Basis.UNKNOWN

    def test_runs_that_never_come_are_told(self) -> None:
        with pytest.raises(ValueError, match="is none"):
            cost_of(kind="rds", is_copy=False, backups=(), steady=(), every=timedelta(0), prices=PRICES)


class TestExports:
    def test_their_size_is_the_tables_which_has_to_be_told(self) -> None:
        exports = nightly("dynamodb", None, None, region=AWAY_REGION)
        assert away("dynamodb", exports).basis is Basis.UNKNOWN
        assert "AWS tells no size of exports" in away("dynamodb", exports).rule
        cost = away("dynamodb", exports, gb=10)
        assert cost.now_usd == 20 * Decimal("0.023")
        assert cost.full_usd == 70 * Decimal("0.023")
        runs = Decimal(730) / 24
        assert to_the_cent(cost.transfer_usd) == to_the_cent(10 * runs * Decimal("0.12"))
        assert cost.basis is Basis.ESTIMATED

    def test_an_increment_holds_what_changed_since_its_base(self) -> None:
        full, first, second = nightly("dynamodb", None, None, None, region=AWAY_REGION)
        chain = [full, replace(first, base=nights_ago(2)), replace(second, base=nights_ago(1))]
        assert away("dynamodb", chain, gb=10).now_usd == Decimal("10.6") * Decimal("0.023")

    def test_a_whole_one_each_week_moves_less(self) -> None:
        cost = away("dynamodb", [], gb=10, full_every_days=7)
        whole = Decimal(730) / 24 / 7
        moved = whole * 10 + 6 * whole * Decimal("0.3")
        assert to_the_cent(cost.transfer_usd) == to_the_cent(moved * Decimal("0.12"))
        assert cost.full_usd == (10 + 6 * Decimal("0.3")) * Decimal("0.023")
        assert "a whole export each 7 days" in cost.rule

    def test_with_an_increment_that_is_kept_stands_all_that_it_is_based_on(self) -> None:
        def full(*steady: datetime) -> Decimal:
            return cost_of(
                kind="dynamodb",
                is_copy=True,
                backups=[],
                steady=steady,
                every=DAY,
                prices=PRICES,
                resource_bytes=10 * GIB,
                full_every_days=7,
            ).full_usd / Decimal("0.023")

        assert full(WEEK[0]) == 10
        assert full(WEEK[0], WEEK[-1]) == 10 + 6 * Decimal("0.3")
        assert full(WEEK[0], WEEK[0] + 7 * DAY) == 20


sizes = st.floats(min_value=2, max_value=10_000)
cases = st.tuples(
    st.sampled_from([(kind, is_copy) for kind in SOURCES for is_copy in (False, True)]),
    st.lists(st.tuples(st.integers(min_value=0, max_value=400), sizes), max_size=8, unique_by=lambda x: x[0]),
    st.sets(st.integers(min_value=0, max_value=400), max_size=12),
    st.sampled_from([1, 1, 7]),
)


def cost_in(
    case: tuple[tuple[str, bool], list[tuple[int, float]], set[int], int], times: float = 1.0
) -> Cost:
    (kind, is_copy), standing, steady, full_every_days = case
    region = AWAY_REGION if is_copy else HOME_REGION
    return cost_of(
        kind=kind,
        is_copy=is_copy,
        backups=[
            sized(a_backup(nights_ago(night), SOURCES[kind], region=region), gb * times)
            for night, gb in standing
        ],
        steady=[nights_ago(night) for night in steady],
        every=DAY,
        prices=PRICES,
        full_every_days=full_every_days,
    )


class TestWhateverTheSizes:
    @FEWER
    @given(cases)
    def test_nothing_costs_less_than_nothing_and_more_data_never_less(self, case) -> None:  # type: ignore[no-untyped-def]
        cost, larger = cost_in(case), cost_in(case, 1.5)
        for amount, more in (
            (cost.now_usd, larger.now_usd),
            (cost.full_usd, larger.full_usd),
            (cost.transfer_usd, larger.transfer_usd),
        ):
            assert 0 <= amount <= more

    @FEWER
    @given(cases, st.data())
    def test_fewer_backups_never_cost_more(self, case, data) -> None:  # type: ignore[no-untyped-def]
        kind, standing, steady, _ = case
        fewer = data.draw(st.sets(st.sampled_from(sorted(steady)))) if steady else set()
        some = cost_in((kind, standing, fewer, 1))
        assert some.full_usd <= cost_in((kind, standing, steady, 1)).full_usd


class TestTotals:
    costs = (
        (CostKey(plan="a", place="here", kind="rds"), Cost(now_usd=Decimal("0.004"), basis=Basis.ESTIMATED)),
        (CostKey(plan="a", place="there", kind="rds"), Cost(now_usd=Decimal("0.004"), basis=Basis.KNOWN)),
        (CostKey(plan="b", place="here", kind="ebs"), Cost(full_usd=Decimal(2), basis=Basis.KNOWN)),
        (CostKey(plan="b", place="here", kind="ebs"), Cost(now_usd=Decimal(9), basis=Basis.UNKNOWN)),
    )

    def test_sums_are_of_what_is_not_rounded_and_leave_out_what_is_not_known(self) -> None:
        found = totals(self.costs)
        assert found.all == Sum(
            now_usd=Decimal("0.008"), full_usd=Decimal(2), parts=4, estimated=1, unknown=1
        )
        assert to_the_cent(found.all.now_usd) == Decimal("0.01")
        assert not found.all.is_whole

    def test_by_plan_place_and_kind(self) -> None:
        found = totals(self.costs)
        assert found.by_plan["a"] == Sum(now_usd=Decimal("0.008"), parts=2, estimated=1)
        assert found.by_place["there"] == Sum(now_usd=Decimal("0.004"), parts=1)
        assert found.by_kind["ebs"] == Sum(full_usd=Decimal(2), parts=2, unknown=1)
        assert found.by_plan_and_place["a", "here"].is_whole
        for parts in (found.by_plan, found.by_place, found.by_kind, found.by_plan_and_place):
            assert sum(one.full_usd for one in parts.values()) == found.all.full_usd
            assert sum(one.now_usd for one in parts.values()) == found.all.now_usd


def test_half_a_cent_is_shown_as_one() -> None:
    assert to_the_cent(Decimal("0.005")) == Decimal("0.01")
    assert to_the_cent(Decimal("0.0049")) == Decimal("0.00")


class TestOwnCost:
    usage = Usage(
        invocations=1_000_000,
        gb_seconds=30_000.0,
        calls={
            "s3.PutObject": 1000,
            "s3.ListObjectsV2": 1000,
            "s3.GetObject": 2000,
            "s3.HeadObject": 500,
            "s3.DeleteObjects": 9000,
            "sns.Publish": 2_000_000,
            "rds.DescribeDBSnapshots": 100,
        },
    )

    def lines(self, fixtures: Fixtures | None = None) -> dict[str, CostLine]:
        return {line.what: line for line in own_cost(self.usage, PRICES, fixtures)}

    @pytest.mark.parametrize(
        ("what", "amount", "usd"),
        [
            ("Lambda, time", 30_000, "0.500001"),
            ("Lambda, invocations", 1_000_000, "0.20"),
            ("Lambda, durable operations", 2_000_000, "16.00"),
            ("S3, writes and lists", 2000, "0.01"),
            ("S3, reads", 2500, "0.001"),
            ("SNS, messages", 2_000_000, "1.00"),
        ],
    )
    def test_what_was_metered(self, what: str, amount: int, usd: str) -> None:
        line = self.lines()[what]
        assert line.amount == amount
        assert line.monthly_usd == Decimal(usd)
        assert line.basis is Basis.ESTIMATED
        assert line.rule

    def test_what_is_paid_for_by_the_month(self) -> None:
        lines = self.lines(Fixtures(keys=1, alarm_metrics=10, dashboards=5, plans=2, places=4))
        assert lines["KMS, keys"].monthly_usd == 1
        assert lines["CloudWatch, alarms"].monthly_usd == 1
        assert lines["CloudWatch, dashboards"].monthly_usd == 6  # the first three are free
        assert lines["CloudWatch, alarms"].basis is Basis.KNOWN
        assert "CloudWatch, dashboards" not in self.lines(Fixtures(dashboards=3))

    def test_each_line_is_its_amount_at_its_price(self) -> None:
        for line in self.lines(Fixtures()).values():
            assert line.monthly_usd == line.amount * line.price_usd

    def test_what_is_not_used_has_no_line(self) -> None:
        assert own_cost(Usage(), PRICES) == []

    def test_a_month_is_made_of_as_many_as_fit(self) -> None:
        once = Usage(invocations=2, gb_seconds=1.5, calls={"s3.PutObject": 3})
        month = per_month(once, timedelta(hours=1))
        assert month == Usage(invocations=1460, gb_seconds=1095.0, calls={"s3.PutObject": 2190})
        assert per_month(once, MONTH) == once
        with pytest.raises(ValueError, match="is not used"):
            per_month(once, timedelta(0))

    @pytest.mark.parametrize(
        ("resource", "amount"),
        [("KMS::Key", "keys"), ("CloudWatch::Dashboard", "dashboards")],
    )
    def test_the_template_has_as_many_as_are_counted(self, resource: str, amount: str) -> None:
        found = re.findall(rf"^    Type: AWS::{resource}$", TEMPLATE.read_text(), re.MULTILINE)
        assert len(found) == getattr(Fixtures(), amount)

    @pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")
    def test_as_many_metrics_are_counted_as_are_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        posture = well()
        of_plan = 4 * (len(State) + 1) + 2  # of each stage its states and its time; of a run two
        of_stack = 2  # of all plans' runs
        hourly, daily = (_metrics_told(posture, hour, capsys) for hour in (DAILY_HOUR + 5, DAILY_HOUR))
        plans = len(posture.plans)
        places = len({(one.plan, one.place) for one in posture.protections})
        assert hourly < daily
        assert (
            Fixtures(plans=plans, places=places).metrics
            == len(hourly) + Decimal(len(daily - hourly) + of_plan * plans + of_stack) / 24
        )


def _metrics_told(posture: Posture, hour: int, capsys: pytest.CaptureFixture[str]) -> set[tuple[str, ...]]:
    """The names of the metrics that a check tells, each with its dimensions."""
    capsys.readouterr()
    gauge_posture(replace(posture, at=posture.at.replace(hour=hour)))
    told: set[tuple[str, ...]] = set()
    for line in capsys.readouterr().out.splitlines():
        blob = json.loads(line)
        for directive in blob["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                values = [str(blob[name]) for name in names]
                told |= {(metric["Name"], *values) for metric in directive["Metrics"]}
    return told
