"""The price table, and what is taken and said of what a person puts in its place."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import PricesError
from holdfast.prices import UNVERIFIED, listed, load_prices

PLACE = "in the SSM parameter /holdfast/prices"


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(PricesError) as raised:
        load_prices(text, PLACE)
    assert str(raised.value).startswith(f"the prices {PLACE} cannot be used: ")
    return raised.value.problems


class TestTheTable:
    def test_it_is_dated_and_says_where_it_holds(self) -> None:
        prices = load_prices()
        assert prices.as_of >= date(2026, 11, 1)
        assert prices.region == "us-east-1"
        assert prices.daily_change == Decimal("0.03")
        assert prices.overridden == frozenset()

    @pytest.mark.parametrize(
        ("name", "usd"),
        [
            ("dynamodb_backup_gb_month", "0.10"),
            ("dynamodb_pitr_gb_month", "0.20"),
            ("dynamodb_restore_gb", "0.15"),
            ("dynamodb_export_gb", "0.10"),
            ("rds_snapshot_gb_month", "0.095"),
            ("aurora_snapshot_gb_month", "0.021"),
            ("ebs_snapshot_gb_month", "0.05"),
            ("s3_standard_gb_month", "0.023"),
            ("s3_glacier_gb_month", "0.004"),
            ("transfer_between_regions_gb", "0.02"),
            ("s3_replication_time_control_gb", "0.015"),
            ("lambda_durable_operation", "0.000008"),
        ],
    )
    def test_prices_are_exact(self, name: str, usd: str) -> None:
        assert load_prices().of(name) == Decimal(usd)

    def test_each_line_says_what_it_is_for_and_from_where(self) -> None:
        assert len({one.name for one in listed()}) == len(listed()) == len(load_prices().usd)
        for one in listed():
            assert one.usd > 0
            assert one.unit
            assert one.what
            assert one.source == UNVERIFIED or one.source.endswith(("pricing page", "pricing pages"))


class TestOverrides:
    def test_each_part_by_itself(self) -> None:
        prices = load_prices('{"usd": {"rds_snapshot_gb_month": 0.105}}')
        assert prices.of("rds_snapshot_gb_month") == Decimal("0.105")
        assert prices.of("ebs_snapshot_gb_month") == Decimal("0.05")
        assert prices.overridden == {"rds_snapshot_gb_month"}
        assert load_prices('{"as_of": "2026-12-01"}').as_of == date(2026, 12, 1)
        assert load_prices('{"region": "eu-central-1"}').region == "eu-central-1"
        assert load_prices('{"daily_change": 0}').daily_change == 0
        assert load_prices('{"daily_change": 0}').overridden == {"daily_change"}

    @pytest.mark.parametrize("text", ["", " \n", "{}", '{"usd": {}}'])
    def test_nothing_changes_nothing(self, text: str) -> None:
        assert load_prices(text) == load_prices()

    @given(st.decimals(min_value=0, max_value=1_000_000, places=12))
    def test_a_price_keeps_all_its_digits(self, usd: Decimal) -> None:
        assert load_prices(f'{{"usd": {{"kms_key_month": {usd:f}}}}}').of("kms_key_month") == usd

    @pytest.mark.parametrize(
        "value",
        ["-1", "-0.01", "NaN", "Infinity", "1000001", '"0.1"', "true", "null", "[]", "1e-20", "1e400"],
    )
    def test_what_is_no_price_is_told_with_its_name_and_what_is_allowed(self, value: str) -> None:
        [problem] = problems_of(f'{{"usd": {{"kms_key_month": {value}}}}}')
        assert problem.startswith("usd.kms_key_month: ")
        assert problem.endswith(
            "is not allowed; give a number of US dollars from 0 to 1000000 with at most 12 decimals, "
            "such as 0.095"
        )

    def test_an_unknown_price_is_told_with_those_there_are(self) -> None:
        [problem] = problems_of('{"usd": {"rds_snapshots": 1}}')
        assert problem.startswith("usd.rds_snapshots: unknown price; allowed are ")
        for one in listed():
            assert one.name in problem

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('{"prices": {}}', "prices: unknown key; allowed are as_of, daily_change, region, usd"),
            ('{"as_of": "1.11.2026"}', 'as_of: "1.11.2026" is not allowed; give the day of the list'),
            ('{"as_of": 5}', "as_of: 5 is not allowed; give the day"),
            ('{"region": "Frankfurt"}', 'region: "Frankfurt" is not allowed; give the name of an AWS Region'),
            ('{"usd": [1]}', "usd: [1] is not allowed; give an object of prices by name"),
            ('{"daily_change": 3}', "daily_change: 3 is not allowed; give a number from 0 to 1"),
            ('{"usd": {}, "usd": {}}', "usd: given twice; give it once"),
            ("[]", "it is []; give an object such as "),
            ("{", "line 1, column 2: not JSON ("),
            ("[" * 100_000, "not JSON that can be read ("),
            ('{"daily_change": 1e99999999999999999999}', "not JSON that can be read ("),
        ],
    )
    def test_every_other_mistake_is_told(self, text: str, told: str) -> None:
        [problem] = problems_of(text)
        assert problem.startswith(told)

    def test_all_mistakes_are_told_at_once(self) -> None:
        document = {"oops": 1, "as_of": "never", "usd": {"kms_key_month": -1}, "daily_change": 2}
        assert len(problems_of(json.dumps(document))) == 4

    def test_a_long_value_is_cut(self) -> None:
        [problem] = problems_of(json.dumps({"region": "x" * 10_000}))
        assert len(problem) < 200


class TestTheDocument:
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()

    def test_it_lists_the_prices_as_they_are(self) -> None:
        told = {tuple(map(str.strip, row.strip("|").split("|"))) for row in self.text.splitlines()}
        for one in listed():
            assert (f"`{one.name}`", f"{one.usd:f}", one.unit, one.what, one.source) in told
        assert f"as of {load_prices().as_of}" in self.text

    def test_its_example_of_own_prices_can_be_used(self) -> None:
        [example] = [row for row in self.text.splitlines() if row.startswith('{"as_of"')]
        assert load_prices(example).region == "eu-central-1"
