"""What stands in the logs: one line for each outcome, in the report's words, and nothing secret."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics

from holdfast.adapters.calls import client_config
from holdfast.core.errors import AccessDenied, PlanError, Throttled
from holdfast.core.model import KeepPolicy
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.core.usage import Usage
from holdfast.telemetry import tell
from tests.builders import NIGHT, TABLE, TAGS, a_plan, a_request, a_rule, nights_ago
from tests.contract.night import _answer
from tests.fakes import FakeCloud
from tests.integration.world import World
from tests.logged import Invocation, Logged, read
from tests.unit.test_template import template

PLAN = a_plan(keep=KeepPolicy(daily=2, minimum=1), copies=(a_rule(keep=KeepPolicy(daily=2, minimum=1)),))
RUN = "b5c1d7a2-3f10-4c1e-9d52-0c3e3a3f9b10"
PASSWORD = "correct-horse-battery"
SECRETS = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIexample", "AWS_SESSION_TOKEN": "FwoGZXIvYXdzexample"}


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """A company with five nights behind it."""
    world = World(cloud=FakeCloud(), plan=PLAN)
    for kind in ("dynamodb", "rds"):
        world.cloud.add_resource(kind, f"{kind}-shop", TAGS | {"password": PASSWORD})
    world.cloud.listings_until_available = 0
    for number in range(5, 0, -1):
        for stage in (world.create, world.copy):
            stage(a_request(nights_ago(number)))
    return Logged(world, monkeypatch)


def an_outcome(**more: Any) -> Outcome:
    usual = Outcome(
        action=Action.CREATE,
        state=State.DONE,
        kind="dynamodb",
        resource=TABLE,
        region="us-east-1",
        reason="none",
    )
    return replace(usual, **more)


def told(*outcomes: Outcome, **more: Any) -> list[dict[str, Any]]:
    """The lines of a report with these."""
    text = StringIO()
    logger = Logger(service=f"test-{id(text)}", stream=text)
    usual = Report(stage=Stage.CREATE, plan="nightly", slot=NIGHT, outcomes=outcomes, run=RUN)
    metrics = Metrics()
    tell(replace(usual, **more), logger, metrics)
    metrics.clear_metrics()
    return read(text)


class TestLines:
    def test_each_outcome_is_one_line_with_all_that_it_tells(self, night: Logged) -> None:
        night.invoke(Stage.PRUNE, run=RUN)
        report = night.world.records.load("nightly", NIGHT, Stage.PRUNE)
        assert report is not None
        lines = [line for line in night.lines if "action" in line]
        keys = ("action", "state", "kind", "resource", "region", "backup", "backup_arn", "reason")
        assert [tuple(line[key] for key in keys) for line in lines] == [
            tuple(getattr(one, key) for key in keys) for one in report.by_urgency()
        ]
        assert sum(one.action is Action.DELETE for one in report.outcomes) > 5

    @pytest.mark.parametrize(
        ("state", "level"),
        [
            (State.FAILED, "ERROR"),
            (State.PENDING, "WARNING"),
            (State.DEFERRED, "WARNING"),
            (State.SKIPPED, "INFO"),
            (State.DONE, "INFO"),
        ],
    )
    def test_the_level_says_whether_a_person_is_needed(self, state: State, level: str) -> None:
        line = told(an_outcome(state=state))[0]
        assert (line["message"], line["level"]) == (f"create {state}", level)

    def test_sentences_of_guards_and_problems_are_lines_too(self) -> None:
        lines = told(refusals=["R"], problems=["P"], notices=["N"], warnings=["W"])[:-1]
        assert [(one["message"], one["state"], one["reason"], one["act"], one["level"]) for one in lines] == [
            ("refused", "refused", "R", "R", "ERROR"),
            ("problem", "problem", "P", "P", "ERROR"),
            ("notice", "notice", "N", "N", "WARNING"),
            ("notice", "notice", "W", "W", "WARNING"),
        ]

    def test_the_last_line_sums_it_up(self) -> None:
        usage = Usage(invocations=1, gb_seconds=0.5, calls={"s3.GetObject": 2})
        line = told(an_outcome(), seconds=1.23456, usage=usage)[-1]
        assert {
            key: line[key] for key in ("message", "status", "unfinished", "counts", "seconds", "usage")
        } == {
            "message": "finished",
            "status": "ok",
            "unfinished": False,
            "counts": {"create.done": 1},
            "seconds": 1.235,
            "usage": {"invocations": 1, "gb_seconds": 0.5, "calls": {"s3.GetObject": 2}},
        }

    def test_a_stuck_copy_is_marked_as_such(self) -> None:
        stuck, other = told(an_outcome(state=State.PENDING, stuck=True), an_outcome())[:2]
        assert stuck["stuck"] is True
        assert "stuck" not in other

    def test_a_reason_of_many_lines_stays_one_event(self) -> None:
        reason = 'one\ntwo\r\n{"three": 3}\u2028four'
        text = told(an_outcome(reason=reason))
        assert [line["message"] for line in text] == ["create done", "finished"]
        assert text[0]["reason"] == reason

    def test_the_backup_that_is_made_later_is_of_the_act_that_failed_before(self) -> None:
        failed = told(an_outcome(state=State.FAILED))[0]
        made = told(an_outcome(backup="b", backup_arn=f"{TABLE}/backup/1"))[0]
        other = told(an_outcome(action=Action.DELETE, backup="b", backup_arn=f"{TABLE}/backup/1"))[0]
        assert failed["act"] == made["act"] == f"create dynamodb {TABLE} us-east-1"
        assert other["act"] == f"delete dynamodb {TABLE} us-east-1 {TABLE}/backup/1"

    def test_what_cannot_be_listed_of_two_kinds_is_two_acts(self) -> None:
        lines = told(an_outcome(resource=""), an_outcome(resource="", kind="rds"))
        assert len({line["act"] for line in lines[:2]}) == 2

    def test_a_run_does_not_repeat_the_outcomes_of_its_stages(self, night: Logged) -> None:
        for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
            night.invoke(stage, run=RUN)
        before = len(night.lines)
        night.invoke(Stage.REPORT, run=RUN)
        assert not any("action" in line for line in night.lines[before:])


class TestTheRunsId:
    def test_every_line_of_every_stage_says_what_it_belongs_to(self, night: Logged) -> None:
        for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT):
            before = len(night.lines)
            night.invoke(stage, run=RUN)
            lines = night.lines[before:]
            assert lines[0]["message"] == "began"
            assert {(line["run"], line["plan"], line["slot"], line["stage"]) for line in lines} == {
                (RUN, "nightly", "2026-11-22T02:00:00Z", str(stage))
            }

    def test_the_answer_and_the_record_have_it_too(self, night: Logged) -> None:
        for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT):
            assert night.invoke(stage, run=RUN)["run"] == RUN
            assert night.world.records.load("nightly", NIGHT, stage).run == RUN  # type: ignore[union-attr]

    def test_a_stage_that_a_person_invokes_has_its_invocations(self, night: Logged) -> None:
        answer = night.invoke(Stage.CREATE, Invocation(aws_request_id="by-hand"))
        assert answer["run"] == "by-hand"
        assert {line["run"] for line in night.lines} == {"by-hand"}

    def test_lambdas_own_lines_can_be_joined_by_the_id_of_the_invocation(self, night: Logged) -> None:
        night.invoke(Stage.CREATE, Invocation(aws_request_id="invocation"), run=RUN)
        assert {(line["run"], line["function_request_id"]) for line in night.lines} == {(RUN, "invocation")}

    def test_it_is_there_before_anything_can_go_wrong(
        self, night: Logged, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(name: str) -> None:
            raise PlanError(name, "it is gone")

        monkeypatch.setattr(type(night.world), "plans", property(lambda _: type("S", (), {"get": broken})))
        with pytest.raises(PlanError):
            night.invoke(Stage.CREATE, run=RUN)
        assert [(line["message"], line["run"]) for line in night.lines] == [("began", RUN)]

    def test_nothing_of_one_invocation_is_left_in_the_next(self, night: Logged) -> None:
        night.invoke(Stage.CREATE, run=RUN, dry_run=True)
        before = len(night.lines)
        night.invoke(Stage.CREATE, Invocation(aws_request_id="second"))
        assert {(line["run"], line["dry_run"]) for line in night.lines[before:]} == {("second", False)}


class TestSecrets:
    @pytest.fixture(autouse=True)
    def _credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def root(self) -> Iterator[StringIO]:
        """What comes to the root logger, to which Lambda's runtime gives a handler of its own."""
        text = StringIO()
        handler = logging.StreamHandler(text)
        logging.getLogger().addHandler(handler)
        yield text
        logging.getLogger().removeHandler(handler)

    def test_a_whole_night_with_failures_logs_no_credential_no_tag_and_no_event(
        self, night: Logged, root: StringIO
    ) -> None:
        spoilt = night.world.cloud.add_resource("dynamodb", "spoilt", TAGS | {"password": PASSWORD})
        night.world.cloud.fail("create", spoilt.arn, AccessDenied, times=99)
        for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT):
            night.invoke(stage, run=RUN, most=17)
        text = night.text.getvalue() + root.getvalue()
        assert "not permitted" in text
        for secret in (*SECRETS.values(), PASSWORD, "password", '"most"'):
            assert secret not in text

    def test_at_level_debug_botocore_stays_silent(
        self, root: StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its debug lines have headers with signatures, and the bodies of requests."""
        monkeypatch.setenv("LOG_LEVEL", "DEBUG")
        text = StringIO()
        logger = Logger(service=f"test-{id(text)}", stream=text)
        monkeypatch.setattr(
            "botocore.httpsession.URLLib3Session.send", lambda *_: _answer(200, {"TableNames": []})
        )
        boto3.Session(region_name="us-east-1").client("dynamodb", config=client_config()).list_tables()
        logger.debug("a word of ours")
        assert "a word of ours" in text.getvalue()
        assert not logging.getLogger("botocore").isEnabledFor(logging.DEBUG)
        assert "Signature" not in text.getvalue() + root.getvalue()
        assert len(read(text)) == 1

    def test_no_function_is_told_to_log_its_event_or_to_raise_the_runtimes_own_level(self) -> None:
        document = template()
        functions = [one for one in document["Resources"].values() if one["Type"].endswith("::Function")]
        assert functions
        for settings in (document["Globals"]["Function"], *(one["Properties"] for one in functions)):
            variables = settings.get("Environment", {}).get("Variables", {})
            assert not {"POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_DEV", "AWS_LAMBDA_LOG_LEVEL"} & set(
                variables
            )
            assert "ApplicationLogLevel" not in settings.get("LoggingConfig", {})


def test_a_throttled_call_is_deferred_and_told_with_its_reason(night: Logged) -> None:
    table = night.world.cloud.add_resource("dynamodb", "busy", TAGS)
    night.world.cloud.fail("create", table.arn, Throttled, times=1)
    night.invoke(Stage.CREATE, run=RUN)
    [line] = night.of("create deferred")
    assert (line["resource"], line["level"]) == (table.arn, "WARNING")
    assert line["reason"].startswith("AWS took no more at that moment")
