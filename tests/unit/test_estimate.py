"""The estimate, as one asks for it: what it answers, and what it says about a question that is wrong."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.cost import ZERO, Basis, to_the_cent
from holdfast.prices import load_prices
from local.estimate.__main__ import main
from local.estimate.answer import answer
from local.estimate.question import ALLOWED, Question, Thing, plan_in

ESTIMATES = Path(__file__).parents[2] / "docs" / "estimates"
PLAN = {"name": "nightly", "select": {"tags": {"a": "b"}}, "keep": {"daily": 7}}
TWO_PLACES = PLAN | {"copies": [{"region": "us-west-2", "keep": {"daily": 3}}]}
VAULT = {
    "name": "vault",
    "keep": {"daily": 1},
    "vault_of": {"account": "111122223333", "region": "us-east-1"},
}
EXPORTED = PLAN | {"copies": [{"region": "us-west-2", "bucket": "exports", "keep": {"daily": 3}}]}


class Asked:
    """A question in a file, and how it was answered."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def write(self, name: str, document: object) -> str:
        text = document if isinstance(document, str) else json.dumps(document)
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def data(self, document: object, *arguments: str) -> dict[str, Any]:
        assert main([self.write("mine.json", document), "--json", *arguments]) == 0
        told: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return told

    def lines(self, document: object, *arguments: str) -> dict[tuple[str, str], Decimal]:
        """US dollars once all is full, by what and where."""
        return {
            (line["what"], line["place"]): Decimal(line["monthly_usd"])
            for line in self.data(document, *arguments)["lines"]
        }

    def mistakes(self, document: object, *arguments: str) -> list[str]:
        assert main([self.write("mine.json", document), *arguments]) == 2
        told = self.capsys.readouterr()
        assert told.out == ""
        heading, *mistakes = told.err.splitlines()
        assert heading.endswith(":")
        return [mistake.removeprefix("  ") for mistake in mistakes]


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(tmp_path, capsys)


def one(kind: str = "rds", size_gb: object = 100, **more: object) -> dict[str, object]:
    return {"resources": [{"kind": kind, "size_gb": size_gb, **more}], "plan": PLAN}


class TestScenarios:
    """Three that are known to the cent, line by line."""

    @pytest.mark.parametrize(
        ("name", "lines", "total"),
        [
            (
                "mvp",
                [
                    ("dynamodb data", "pitr", "1", "0.20", "0.20"),
                    ("rds data", "rds_automated", "5", "0", "0.00"),
                    ("s3 data", "s3_versioning", "10", "0.023", "0.23"),
                ],
                "0.43",
            ),
            (
                "production",
                [
                    ("dynamodb data", "pitr", "10", "0.20", "2.00"),
                    ("rds data", "manual_snapshot", "50", "0.095", "4.75"),
                    ("s3 data", "s3_versioning", "100", "0.023", "2.30"),
                    ("s3 data", "s3_replication", "100", "0.02", "2.00"),
                ],
                "11.05",
            ),
            (
                "enterprise",
                [
                    ("dynamodb data", "pitr", "100", "0.20", "20.00"),
                    ("dynamodb data", "aws_backup", "100", "0.05", "5.00"),
                    ("rds data", "manual_snapshot", "500", "0.095", "47.50"),
                    ("s3 data", "s3_versioning", "1000", "0.023", "23.00"),
                    ("s3 data", "s3_replication", "1000", "0.02", "20.00"),
                    ("s3 data", "glacier", "1000", "0.004", "4.00"),
                ],
                "119.50",
            ),
        ],
    )
    def test_to_the_cent(
        self,
        name: str,
        lines: list[tuple[str, str, str, str, str]],
        total: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main([str(ESTIMATES / f"{name}.json"), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [
            (
                line["for"],
                line["way"],
                line["amount"],
                line["price_usd"],
                str(to_the_cent(Decimal(line["monthly_usd"]))),
            )
            for line in told["lines"]
        ] == lines
        assert told["monthly_usd"]["full"] == told["monthly_usd"]["first_month"] == total
        assert told["holdfast"] == []

    def test_for_people_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(ESTIMATES / "enterprise.json")]) == 0
        told = capsys.readouterr().out
        assert "moving 20.00, together 119.50 US dollars a month" in told
        assert "Prices of us-east-1, as of 2026-11-22" in told
        assert "Not in it:" in told

    def test_without_a_file_there_is_an_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 0
        told = capsys.readouterr().out
        assert "Plan nightly, each 24 hours: daily 7, weekly 4, monthly 6, minimum 2" in told
        assert "copies in us-west-2: daily 3, weekly 2, minimum 1" in told
        assert "Holdfast itself" in told
        assert "By a model, not measured: " in told


class TestPlans:
    def test_snapshots_by_the_plan(self, asked: Asked) -> None:
        lines = asked.lines(one())
        assert lines == {("backups", "us-east-1"): (100 + 6 * 3) * Decimal("0.095")}

    def test_tables_are_whole_each_time(self, asked: Asked) -> None:
        lines = asked.lines(one("dynamodb"))
        assert lines == {("backups", "us-east-1"): Decimal("70.00")}

    def test_how_much_changes_can_be_said_of_each(self, asked: Asked) -> None:
        lines = asked.lines(one(daily_change=0.5))
        assert lines == {("backups", "us-east-1"): (100 + 6 * 50) * Decimal("0.095")}

    def test_copies_and_what_moves_them(self, asked: Asked) -> None:
        told = asked.data(one() | {"plan": TWO_PLACES})
        _, kept, moved = told["lines"]
        assert (kept["what"], kept["place"]) == ("copies", "us-west-2")
        assert Decimal(kept["monthly_usd"]) == 106 * Decimal("0.095")
        assert (moved["what"], moved["is_transfer"]) == ("transfer", True)
        a_month = Decimal(730) / 24 * 3
        assert to_the_cent(Decimal(moved["monthly_usd"])) == to_the_cent(a_month * Decimal("0.02"))
        first_month = a_month + 97  # the first copy is a whole one
        assert to_the_cent(Decimal(moved["first_month_usd"])) == to_the_cent(first_month * Decimal("0.02"))

    def test_tables_are_exported(self, asked: Asked) -> None:
        lines = asked.lines(one("dynamodb", 10) | {"plan": EXPORTED})
        assert lines["exports", "us-west-2"] == 30 * Decimal("0.023")
        month = Decimal(730) / 24 * 10
        assert to_the_cent(lines["exporting them", "us-west-2"]) == to_the_cent(month / 10)
        assert to_the_cent(lines["transfer", "us-west-2"]) == to_the_cent(month / 50)

    def test_a_table_without_a_bucket_has_no_copies_and_that_is_told(self, asked: Asked) -> None:
        told = asked.data(one("dynamodb", name="orders") | {"plan": TWO_PLACES})
        assert len(told["lines"]) == 1
        assert told["notes"] == [
            "dynamodb orders has no copies in us-west-2: its copies are exports, and the rule names no bucket"
        ]

    def test_a_copy_in_another_account_moves_within_its_region(self, asked: Asked) -> None:
        vault = {"region": "us-west-2", "account": "111122223333", "keep": {"daily": 3}}
        plan = PLAN | {"copies": [{"region": "us-west-2", "keep": {"daily": 3}}, vault]}
        lines = asked.lines(one() | {"plan": plan})
        assert ("copies", "us-west-2@111122223333") in lines
        assert ("transfer", "us-west-2@111122223333") not in lines

    def test_the_first_month_has_not_yet_what_comes_later(self, asked: Asked) -> None:
        told = asked.data(one("dynamodb", 1) | {"plan": PLAN | {"keep": {"monthly": 12}}})
        assert told["monthly_usd"]["full"] == "1.20"
        assert Decimal(told["monthly_usd"]["first_month"]) <= Decimal("0.20")

    def test_more_runs_in_a_day_keep_no_more_days(self, asked: Asked) -> None:
        assert asked.lines(one("dynamodb") | {"every_hours": 6}) == asked.lines(one("dynamodb"))

    def test_several_of_a_kind(self, asked: Asked) -> None:
        three, single = asked.lines(one(count=3)), asked.lines(one())
        assert three == {what: 3 * usd for what, usd in single.items()}

    def test_holdfast_itself_is_told_apart(self, asked: Asked) -> None:
        told = asked.data(one())
        own = sum((Decimal(line["monthly_usd"]) for line in told["holdfast"]), ZERO)
        assert told["monthly_usd"]["holdfast"] == str(to_the_cent(own))
        assert {line["what"] for line in told["holdfast"]} >= {"KMS, keys", "Lambda, time"}
        assert told["monthly_usd"]["full"] == str(to_the_cent(118 * Decimal("0.095")))

    def test_a_plan_from_a_file_of_its_own(self, asked: Asked) -> None:
        plan = asked.write("plan.json", PLAN | {"keep": {"daily": 1, "minimum": 1}})
        assert asked.lines(one(), "--plan", plan) == {("backups", "us-east-1"): Decimal("9.5")}

    def test_prices_from_a_file(self, asked: Asked) -> None:
        prices = asked.write("prices.json", '{"usd": {"rds_snapshot_gb_month": 1}, "region": "eu-west-1"}')
        told = asked.data(one(), "--prices", prices)
        assert told["prices"]["overridden"] == ["rds_snapshot_gb_month"]
        assert told["lines"][0]["place"] == "eu-west-1"
        assert told["monthly_usd"]["full"] == "118.00"

    def test_what_costs_nothing_by_a_persons_prices(self, asked: Asked) -> None:
        free = {"rds_snapshot_gb_month": 0, "transfer_between_regions_gb": 0}
        prices = asked.write("prices.json", {"usd": free})
        assert set(asked.lines(one() | {"plan": TWO_PLACES}, "--prices", prices).values()) == {Decimal(0)}

    @settings(max_examples=max(1, settings().max_examples // 2))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([(kind, way) for kind, ways in ALLOWED.items() for way in ways]),
                st.decimals(min_value=1, max_value=5000, places=3),
                st.integers(min_value=1, max_value=9),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_the_total_is_the_sum_of_its_lines_and_the_first_month_keeps_no_more(
        self, asked_for: list[tuple[tuple[str, str], Decimal, int]]
    ) -> None:
        things = tuple(
            Thing.model_validate({"kind": kind, "size_gb": size, "count": count, "protect": [way]})
            for (kind, way), size, count in asked_for
        )
        found = answer(
            Question(resources=things), plan_in(json.dumps(TWO_PLACES), "us-east-1", "here"), load_prices()
        )
        assert found.total_usd == sum((one.line.monthly_usd for one in found.billed), ZERO)
        for billed in found.billed:
            assert billed.line.monthly_usd >= 0
            assert billed.line.basis is not Basis.UNKNOWN
            assert billed.transfer or billed.first_month_usd <= billed.line.monthly_usd


WAYS = (
    "plan, pitr, manual_snapshot, rds_automated, aws_backup, s3_versioning, s3_replication, "
    "s3_replication_time_control, glacier"
)


class TestMistakes:
    @pytest.mark.parametrize(
        ("document", "told"),
        [
            ("{", "line 1, column 2: not JSON ("),
            ("[" * 100_000, "not JSON that can be read ("),
            ("[]", 'it is []; give an object such as {"resources": '),
            ({}, "resources: missing; give a list of what there is, not empty"),
            ({"resources": []}, "resources: [] is not allowed; give a list of what there is, not empty"),
            ({"resources": ["orders"]}, 'resources[0]: "orders" is not allowed; give an object with'),
            (one("oracle"), 'resources[0].kind: "oracle" is not allowed; give one of dynamodb, rds, '),
            (one(size_gb=-1), "resources[0].size_gb: -1 is not allowed; give a number above 0"),
            (one(size_gb=float("nan")), "resources[0].size_gb: NaN is not allowed; give a number above 0"),
            (one(size_gb="5"), 'resources[0].size_gb: "5" is not allowed; give a number above 0'),
            (one(size_gb=True), "resources[0].size_gb: true is not allowed; give a number above 0"),
            (one(count=0), "resources[0].count: 0 is not allowed; give a whole number from 1 to 1000000"),
            (one(daily_change=2), "resources[0].daily_change: 2 is not allowed; give a number from 0 to 1"),
            (one(size="5"), "resources[0].size: unknown key; allowed are kind, name, count, "),
            (one(protect="plan"), 'resources[0].protect: "plan" is not allowed; give a list of ways to'),
            (one(protect=["tape"]), f'resources[0].protect[0]: "tape" is not allowed; give one of {WAYS}'),
            (
                one(protect=["pitr"]),
                "resources[0].protect: pitr is nothing for rds; allowed are plan, manual_snapshot, ",
            ),
            (one("s3"), "resources[0].protect: plan is nothing for s3; allowed are s3_versioning, "),
            (one(protect=["plan", "plan"]), "resources[0].protect: plan is given twice; give it once"),
            (one() | {"plan": None}, "resources[0].protect: plan, and there is none; give one in "),
            (one() | {"every_hours": 0}, "every_hours: 0 is not allowed; give a number of hours from 1"),
            (one() | {"region": "moon"}, 'region: "moon" is not allowed; give the name of the AWS Region'),
            (one() | {"oops": 1}, "oops: unknown key; allowed are about, region, every_hours, "),
            (one() | {"plan": PLAN | {"keep": {}}}, "keep: no count is above 0, so it would keep nothing"),
            (one() | {"plan": {"keep": {"daily": 1}}}, "name: missing; give 1 to 32 lower-case letters"),
            (
                one() | {"plan": PLAN | {"select": {"tags": {"a": "b"}, "types": ["ebs"]}}},
                "resources[0].protect: plan, and the plan nightly leaves out rds; its select.types are ebs",
            ),
            (
                one() | {"plan": VAULT},
                "vault_of: such a plan makes no backups; give the plan that makes them",
            ),
        ],
    )
    def test_each_is_told_with_where_it_is_and_what_is_allowed(
        self, asked: Asked, document: object, told: str
    ) -> None:
        mistakes = asked.mistakes(document)
        assert any(mistake.startswith(told) for mistake in mistakes), mistakes

    def test_all_are_told_at_once(self, asked: Asked) -> None:
        resources = [{"kind": "rds", "size_gb": -1}, {"kind": "disk", "size_gb": 1, "protect": ["tape"]}]
        assert len(asked.mistakes({"resources": resources, "oops": 1})) == 4

    @pytest.mark.parametrize("argument", ["--plan", "--prices"])
    def test_a_mistake_in_another_file_names_that_file(
        self, asked: Asked, argument: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = asked.write("other.json", "[]")
        assert main([asked.write("mine.json", one()), argument, other]) == 2
        assert other in capsys.readouterr().err

    def test_a_plan_that_copies_to_where_the_data_is(self, asked: Asked) -> None:
        [mistake] = asked.mistakes(one() | {"plan": TWO_PLACES, "region": "us-west-2"})
        assert "'us-west-2' is where the backups are made; give another Region" in mistake

    def test_a_file_that_is_not_there_or_no_text(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(tmp_path / "none.json")]) == 2
        assert "cannot be read: No such file or directory; give a file with JSON" in capsys.readouterr().err
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
        assert main([str(tmp_path / "binary")]) == 2
        assert "cannot be read: it is not text in UTF-8" in capsys.readouterr().err

    def test_a_name_cannot_format_the_answer(self, asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([asked.write("mine.json", one(name="[bold red]x[/] [/]"))]) == 0
        assert "rds [bold red]x[/] [/]" in capsys.readouterr().out


class TestTheDocument:
    text = (ESTIMATES.parent / "cost.md").read_text()

    def test_it_explains_every_key_and_every_way(self) -> None:
        keys = {*Question.model_fields, *Thing.model_fields}
        ways = {way for ways in ALLOWED.values() for way in ways}
        assert [word for word in sorted(keys | ways) if f"| `{word}` |" not in self.text] == []

    def test_its_example_is_answered(self, asked: Asked) -> None:
        example = self.text.split('```json\n{\n  "about"')[1].split("```")[0]
        assert asked.data('{"about"' + example)["monthly_usd"]["full"] != "0.00"
