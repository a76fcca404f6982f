"""The template's saved queries, over the lines that the real handlers write.

`answer` knows as much of CloudWatch Logs Insights' language as the queries use, by the CloudWatch Logs user
guide's pages on `fields`, `filter`, `stats`, `sort` and `limit`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from holdfast.core.errors import AccessDenied, Throttled
from holdfast.core.model import KeepPolicy
from holdfast.core.report import Action, Stage, State
from tests.builders import NIGHT, TAGS, a_plan, a_request, a_rule, nights_ago
from tests.fakes import FakeCloud
from tests.integration.world import World
from tests.logged import Invocation, Logged
from tests.unit.test_template import template

type Row = Mapping[str, Any]

RUN = "b5c1d7a2-3f10-4c1e-9d52-0c3e3a3f9b10"
PLAN = a_plan(keep=KeepPolicy(daily=2, minimum=1), copies=(a_rule(keep=KeepPolicy(daily=2, minimum=1)),))
QUERIES = {
    name: one["Properties"]
    for name, one in template()["Resources"].items()
    if one["Type"] == "AWS::Logs::QueryDefinition"
}


# --- the language ------------------------------------------------------------------------------------------


def answer(query: str, lines: Iterable[Row]) -> list[dict[str, Any]]:
    """What a query gives. The lines are in the order of their time, which is `@timestamp`."""
    rows: list[dict[str, Any]] = [{**line, "@timestamp": number} for number, line in enumerate(lines)]
    for command in query.strip().split("\n| "):
        verb, _, rest = command.partition(" ")
        rows = _COMMANDS[verb](rest, rows)
    return rows


def _fields(names: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"shown": names.split(", ")} for row in rows]


def _filter(condition: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if _holds(condition, row)]


def _holds(condition: str, row: Row) -> bool:
    if " or " in condition:
        return any(_holds(one, row) for one in condition.split(" or "))
    if " and " in condition:
        return all(_holds(one, row) for one in condition.split(" and "))
    if found := re.fullmatch(r"ispresent\((\w+)\)", condition):
        return row.get(found[1]) is not None
    found = re.fullmatch(r"(\w+) (!=|=|like|in) (.+)", condition)
    assert found, f"{condition!r} is not understood"
    value, operator, operand = row.get(found[1]), found[2], found[3]
    texts = re.findall(r'"([^"]*)"', operand)
    if operator == "like":
        return texts[0] in str(value or "")
    if operator == "!=":
        return value not in texts
    return value in texts


def _stats(text: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    aggregates, _, by = text.partition(" by ")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by.split(", ")), []).append(row)
    wanted = re.findall(r"(\w+)\(([@\w*]+)\) as (\w+)", aggregates)
    assert aggregates == ", ".join(f"{how}({name}) as {alias}" for how, name, alias in wanted)
    return [
        dict(zip(by.split(", "), key, strict=True))
        | {alias: _AGGREGATES[how]([row.get(name) for row in of_key]) for how, name, alias in wanted}
        for key, of_key in groups.items()
    ]


def _sort(text: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    name, _, way = text.partition(" ")
    assert way in ("asc", "desc")
    return sorted(rows, key=lambda row: row[name], reverse=way == "desc")


_AGGREGATES: Mapping[str, Callable[[list[Any]], Any]] = {
    "latest": lambda values: values[-1],
    "max": max,
    "sum": sum,
    "count": len,
}
_COMMANDS: Mapping[str, Callable[[str, list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "fields": _fields,
    "filter": _filter,
    "stats": _stats,
    "sort": _sort,
    "limit": lambda text, rows: rows[: int(text)],
}

_WORDS = {"filter", "fields", "stats", "sort", "limit", "by", "as", "asc", "desc", "and", "or", "in", "like"}
_FUNCTIONS = {"ispresent", "latest", "max", "sum", "count"}


def fields_of(query: str) -> set[str]:
    """The fields of log lines that a query names."""
    without_texts = re.sub(r'"[^"]*"', "", query)
    aliases = set(re.findall(r" as (\w+)", without_texts))
    names = set(re.findall(r"(?<![@\w])[a-z]\w*", without_texts))
    return names - aliases - _WORDS - _FUNCTIONS


# --- a night ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def night() -> Iterable[Logged]:
    """One table that may never be backed up, one that is at the second try, one that AWS is too busy for
    until the end; five older nights to prune; and a dry run in the morning."""
    world = World(cloud=FakeCloud(), plan=PLAN)
    made = {
        name: world.cloud.add_resource(kind, name, TAGS)
        for kind, name in (("dynamodb", "orders"), ("rds", "shop"), ("aurora", "ledger"))
    }
    world.cloud.listings_until_available = 0
    for number in range(5, 0, -1):
        world.create(a_request(nights_ago(number)))
        world.copy(a_request(nights_ago(number)))
    made |= {name: world.cloud.add_resource("dynamodb", name, TAGS) for name in ("spoilt", "flaky", "busy")}
    world.cloud.fail("create", made["spoilt"].arn, AccessDenied, times=99)
    world.cloud.fail("create", made["flaky"].arn, AccessDenied, times=1)
    world.cloud.fail("create", made["busy"].arn, Throttled, times=2)
    with pytest.MonkeyPatch.context() as patch:
        logged = Logged(world, patch)
        for stage in (Stage.CREATE, Stage.COPY, Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT):
            logged.invoke(stage, run=RUN)
        for stage in (Stage.CREATE, Stage.PRUNE):
            logged.invoke(stage, Invocation(aws_request_id="morning"), dry_run=True)
        yield logged


def asked(night: Logged, name: str, **placeholders: str) -> list[dict[str, Any]]:
    query: str = QUERIES[name]["QueryString"]
    for placeholder, value in placeholders.items():
        assert f'"{placeholder}"' in query
        query = query.replace(placeholder, value)
    return answer(query, night.lines)


class TestQueries:
    @pytest.mark.parametrize("name", sorted(QUERIES))
    def test_each_field_that_a_query_names_is_in_the_lines(self, name: str, night: Logged) -> None:
        written = {field for line in night.lines for field in line}
        assert fields_of(QUERIES[name]["QueryString"]) - written == set()

    def test_what_failed_is_what_had_failed_or_was_not_done_when_the_run_ended(self, night: Logged) -> None:
        rows = asked(night, "WhatFailedQuery")
        assert {(row["act"].split("/")[-1], row["last_state"], row["run"]) for row in rows} == {
            ("spoilt us-east-1", "failed", RUN),
            ("busy us-east-1", "deferred", RUN),
        }
        [spoilt] = [row for row in rows if "spoilt" in row["act"]]
        assert spoilt["why"].startswith("not permitted: see the function's role")
        assert (spoilt["plan"], spoilt["slot"], spoilt["last_stage"]) == (
            "nightly",
            "2026-11-22T02:00:00Z",
            "create",
        )

    def test_a_refusal_failed_too_and_is_told_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        logged = Logged(World(cloud=FakeCloud(), plan=PLAN), monkeypatch)
        for stage in (Stage.CREATE, Stage.CREATE, Stage.REPORT):
            logged.invoke(stage, run=RUN)
        told = [(row["last_state"], row["why"].split(":")[0]) for row in asked(logged, "WhatFailedQuery")]
        assert told.count(("refused", "The plan nightly protects nothing")) == 1
        assert ("problem", "copy_backups left no record of this slot") in told

    @pytest.mark.parametrize("by", ["resource", "backup", "backup_arn"])
    def test_why_something_was_deleted_is_the_reason_of_its_record(self, by: str, night: Logged) -> None:
        record = night.world.records.load("nightly", NIGHT, Stage.PRUNE)
        assert record is not None
        deleted = [
            one
            for one in record.outcomes
            if (one.action, one.state) == (Action.DELETE, State.DONE) and one.resource.endswith(":shop")
        ]
        assert len(deleted) > 3
        wanted = deleted[:1] if by != "resource" else deleted
        rows = asked(night, "WhyDeletedQuery", NAME=getattr(wanted[0], by))
        assert sorted(
            (row["backup"], row["region"], row["reason"]) for row in rows if row["kind"] == "rds"
        ) == (
            sorted(
                (one.backup, one.region, one.reason)
                for one in deleted
                if getattr(one, by) == getattr(wanted[0], by)
            )
        )
        assert all("no rule keeps it" in row["reason"] for row in rows)

    def test_what_is_deleted_from_elsewhere_is_not_told(self, night: Logged) -> None:
        assert asked(night, "WhyDeletedQuery", NAME="spoilt") == []

    def test_everything_of_one_run_is_all_its_lines_in_their_order_and_no_others(self, night: Logged) -> None:
        rows = asked(night, "OneRunQuery", ID=RUN)
        stages = [row["stage"] for row in rows if row["message"] == "began"]
        assert stages == ["create", "copy", "create", "copy", "prune", "report"]
        assert len(rows) == len([line for line in night.lines if line["function_request_id"] != "morning"])

    def test_the_slowest_stages_are_those_by_their_longest_sweep(self, night: Logged) -> None:
        rows = asked(night, "SlowestStagesQuery")
        assert {(row["stage"], row["sweeps"]) for row in rows} == {
            ("create", 3),
            ("copy", 2),
            ("prune", 2),
        }
        slowest = [row["slowest"] for row in rows]
        assert slowest == sorted(slowest, reverse=True)

    def test_what_was_throttled_is_told_for_each_sweep_that_it_was(self, night: Logged) -> None:
        rows = asked(night, "PutOffQuery")
        assert [row["resource"].split("/")[-1] for row in rows] == ["busy", "busy"]


class TestTemplate:
    def test_each_query_looks_in_the_logs_of_every_function(self) -> None:
        resources = template()["Resources"]
        groups = {name for name, one in resources.items() if one["Type"] == "AWS::Logs::LogGroup"}
        functions = [
            one
            for one in resources.values()
            # The verifier, which stands by condition, logs no run.
            if one["Type"] == "AWS::Serverless::Function" and one.get("Condition") != "HasVerifier"
        ]
        assert len(groups) >= len(functions) > 4
        logging = {str(one["Properties"]["LoggingConfig"]["LogGroup"]) for one in functions}
        for query in QUERIES.values():
            assert set(map(str, query["LogGroupNames"])) == logging

    def test_they_stand_in_a_folder_of_the_stack(self) -> None:
        names = [str(one["Name"]) for one in QUERIES.values()]
        assert len(set(names)) == len(names) == 5
        assert all("${AWS::StackName}/" in name for name in names)


class TestTheLanguageItself:
    LINES = ({"a": "x", "n": 1}, {"a": "y", "n": 3}, {"a": "x", "n": 2, "b": "long text"})

    @pytest.mark.parametrize(
        ("condition", "left"),
        [
            ('a = "x"', [1, 2]),
            ('a = "x" and b like "text"', [2]),
            ('a = "y" or b like "text"', [3, 2]),
            ('a in ["y", "z"]', [3]),
            ("ispresent(b)", [2]),
            ('a != "x"', [3]),
            ('b = "long"', []),
        ],
    )
    def test_a_filter_leaves_what_fits(self, condition: str, left: list[int]) -> None:
        assert [row["n"] for row in answer(f"fields a\n| filter {condition}", self.LINES)] == left

    def test_a_condition_that_it_does_not_know_is_an_error(self) -> None:
        with pytest.raises(AssertionError, match="not understood"):
            answer("filter a ~ 3", self.LINES)

    def test_stats_takes_the_latest_of_each_group(self) -> None:
        rows = answer("stats latest(n) as last, count(*) as lines by a\n| sort last desc", self.LINES)
        assert rows == [{"a": "y", "last": 3, "lines": 1}, {"a": "x", "last": 2, "lines": 2}]

    def test_a_field_that_nobody_writes_is_found(self) -> None:
        query = 'filter a = "and text"\n| stats latest(n) as last by a, nothing\n| sort last desc'
        assert fields_of(query) == {"a", "n", "nothing"}
