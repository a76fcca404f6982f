"""The schema of docs/message.schema.json: it takes what is documented, and nothing else."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from holdfast.core.model import Origin
from holdfast.core.report import Action, Report, Stage, State
from holdfast.core.usage import Usage
from holdfast.usecases.publish import message_of
from tests.builders import HOME
from tests.messages import SCHEMA, check, check_data, validator
from tests.unit.test_message import ADDRESS, TROUBLE, outcome, run_of
from tests.unit.test_report import reports

NIGHT = replace(
    run_of(
        outcome(Action.CREATE, State.DONE),
        replace(outcome(Action.COPY, State.PENDING), stuck=True),
        refusals=("a guard",),
        glance=TROUBLE,
    ),
    run="5f0c",
    usage=Usage(invocations=4, gb_seconds=3.25, calls={"s3.PutObject": 4}),
    vault_of=Origin(account="123456789012", region="us-east-1"),
)
GOOD: dict[str, Any] = json.loads(message_of(NIGHT, ADDRESS, HOME).data)


def test_it_is_a_schema_and_takes_a_message_with_everything() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))
    check(message_of(NIGHT, ADDRESS, HOME))


def test_every_object_in_it_is_closed() -> None:
    """Else a key that nobody documented would pass."""

    def objects(node: object) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for each in node for found in objects(each)]
        if not isinstance(node, dict):
            return []
        inner = [found for each in node.values() for found in objects(each)]
        return [node, *inner] if node.get("type") == "object" else inner

    everything = json.loads(SCHEMA.read_text())
    shared = everything["$defs"].pop("report")  # closed by those that are made of it
    closed = [*objects(everything), *objects(list(shared["properties"].values()))]
    assert len(closed) > 5
    assert all("additionalProperties" in one for one in closed)
    assert all(
        everything["$defs"][name]["unevaluatedProperties"] is False
        for name in ("message", "record", "answer")
    )


@settings(max_examples=25)
@given(reports)
def test_any_message_is_as_it_says(report: Report) -> None:
    check(message_of(replace(report, stage=Stage.REPORT, dry_run=False, glance=TROUBLE), ADDRESS, HOME))


@settings(max_examples=25)
@given(reports, st.sampled_from([Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT]))
def test_any_record_and_answer_is(report: Report, stage: Stage) -> None:
    one = replace(report, stage=stage)
    check_data(replace(one, dry_run=False).to_dict(), "record")
    check_data(one.to_dict(most=2) | {"record": "s3://x", "subject": "x", "sent": True}, "answer")


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "another schema": lambda one: one.update(schema="holdfast.report/2"),
    "an unknown key": lambda one: one.update(surprise=1),
    "a key too few": lambda one: one.pop("counts"),
    "an unknown status": lambda one: one.update(status="fine"),
    "a stage's report": lambda one: one.update(stage="create"),
    "a dry run": lambda one: one.update(dry_run=True),
    "a plan's name": lambda one: one.update(plan="Nightly!"),
    "a local time": lambda one: one.update(slot="2026-11-22T02:00:00+01:00"),
    "no day of the calendar": lambda one: one.update(slot="2026-02-30T02:00:00Z"),
    "an unknown count": lambda one: one["counts"].update({"create.lost": 1}),
    "a count of nothing": lambda one: one["counts"].update({"create.done": 0}),
    "a sentence that is none": lambda one: one.update(problems=[None]),
    "an unknown key of an outcome": lambda one: one["outcomes"][0].update(error="x"),
    "an unknown state": lambda one: one["outcomes"][0].update(state="lost"),
    "a resource that is no ARN": lambda one: one["outcomes"][0].update(resource="orders"),
    "a place that is none": lambda one: one["outcomes"][0].update(region="Frankfurt"),
    "not stuck": lambda one: one["outcomes"][0].update(stuck=False),
    "what only a record has": lambda one: one.update(offers={}),
    "a negative count": lambda one: one.update(left_out=-1),
    "a call of no service": lambda one: one["usage"]["calls"].update({"PutObject": 1}),
    "an unknown standing": lambda one: one["posture"].update(standing="good"),
    "an unknown key of the posture": lambda one: one["posture"].update(score=10),
    "an amount as a number": lambda one: one["posture"]["monthly_usd"].update(now=13.6),
    "too many breaches": lambda one: one["posture"].update(breaches=["x"] * 31),
    "no account": lambda one: one.update(account="12345"),
    "an account without its Region": lambda one: one["vault_of"].pop("region"),
    "no run's id": lambda one: one.update(run="a b"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_it_refuses(wrong: Callable[[dict[str, Any]], object]) -> None:
    data = deepcopy(GOOD)
    assert not list(validator().iter_errors(data))
    wrong(data)
    assert list(validator().iter_errors(data))


def test_the_example_in_the_document_is_one() -> None:
    text = (Path(SCHEMA).parent / "message.md").read_text()
    examples = [json.loads(block.split("```")[0]) for block in text.split("```json\n")[1:]]
    [report] = [one for one in examples if one.get("schema") == "holdfast.report/1"]
    check_data(report)
