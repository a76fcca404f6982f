"""The events that start a stage."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import RequestError
from holdfast.core.glance import Glance, Standing
from holdfast.core.model import CheckRequest, Request
from holdfast.core.verifying import question_from_dict
from holdfast.drill_events import parse_drill
from holdfast.events import parse_check, parse_request
from holdfast.recovery_events import parse_recovery
from holdfast.restore_events import parse_restore
from holdfast.return_events import parse_return
from tests.builders import NIGHT
from tests.unit.test_plans import json_values

NOW = datetime(2026, 11, 23, 9, 41, 33, 123_456, tzinfo=UTC)
EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))
WRAPPED = {"detail-type": "Backup requested", "time": "2026-11-22T14:30:05Z", "detail": {"plan": "nightly"}}


class TestRequests:
    def test_an_event_says_the_plan_the_slot_and_whether_it_is_a_dry_run(self) -> None:
        event = {"plan": "nightly", "slot": "2026-11-22T02:00:00Z", "dry_run": True, "most": 5}
        assert parse_request(event, NOW) == Request(plan="nightly", slot=NIGHT, dry_run=True, most=5)

    @pytest.mark.parametrize("key", ["approve", "problems", "hint"])
    def test_a_key_of_another_function_is_refused(self, key: str) -> None:
        with pytest.raises(RequestError, match=f"{key}: not a key of this function"):
            parse_request({"plan": "nightly", key: []}, NOW)

    def test_copying_takes_a_hint(self) -> None:
        request = parse_request({"plan": "nightly", "hint": True}, NOW, also=("hint",))
        assert (request.hint, request.slot) == (True, datetime(2026, 11, 23, 9, 41, tzinfo=UTC))
        assert not parse_request({"plan": "nightly"}, NOW, also=("hint",)).hint
        with pytest.raises(RequestError, match="hint: 'yes' is not allowed; give true or false"):
            parse_request({"plan": "nightly", "hint": "yes"}, NOW, also=("hint",))

    def test_pruning_takes_an_approval(self) -> None:
        event = {"plan": "nightly", "slot": "2026-11-22T02:00:00Z", "approve": "0" * 16}
        assert parse_request(event, NOW, also=("approve",)).approve == "0" * 16

    def test_an_approval_is_of_a_slot(self) -> None:
        with pytest.raises(RequestError, match="slot: missing; with approve, give the slot"):
            parse_request({"plan": "nightly", "approve": "0" * 16}, NOW, also=("approve",))

    @pytest.mark.parametrize("run", ["b5c1d7a2-3f10-4c1e-9d52-0c3e3a3f9b10", "by.hand:1_2", "x" * 128])
    def test_every_function_takes_the_id_of_the_run_that_it_works_for(self, run: str) -> None:
        assert parse_request({"plan": "nightly", "run": run}, NOW, run="invocation").run == run

    @pytest.mark.parametrize("event", [{"plan": "nightly"}, {"plan": "nightly", "run": ""}, WRAPPED])
    def test_without_one_it_is_that_of_the_invocation(self, event: object) -> None:
        assert parse_request(event, NOW, run="invocation").run == "invocation"

    def test_without_a_slot_it_is_now_cut_to_the_minute(self) -> None:
        assert parse_request({"plan": "nightly"}, NOW).slot == datetime(2026, 11, 23, 9, 41, tzinfo=UTC)

    def test_now_is_taken_in_utc(self) -> None:
        berlin = NOW.astimezone(timezone(timedelta(hours=1)))
        assert parse_request({"plan": "nightly"}, berlin) == parse_request({"plan": "nightly"}, NOW)

    def test_an_eventbridge_event_wraps_the_request_and_its_time_is_the_slot(self) -> None:
        slot = datetime(2026, 11, 22, 14, 30, 5, tzinfo=UTC)
        assert parse_request(WRAPPED, NOW) == Request(plan="nightly", slot=slot)

    def test_a_slot_in_the_wrapped_request_goes_before_the_events_time(self) -> None:
        detail = {"plan": "nightly", "slot": "2026-11-22T02:00:00Z"}
        assert parse_request(WRAPPED | {"detail": detail}, NOW).slot == NIGHT

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({}, "plan: None is not the name of a plan"),
            ({"plan": "Nightly"}, "plan: 'Nightly' is not the name of a plan"),
            ({"plan": "../nightly"}, "plan: '../nightly' is not the name of a plan"),
            ({"plan": 7}, "plan: 7 is not the name of a plan"),
            ({"plan": "nightly", "slot": "tonight"}, "slot: 'tonight' is no time"),
            ({"plan": "nightly", "slot": "2026-11-22"}, "slot: '2026-11-22' is no time"),
            ({"plan": "nightly", "slot": "<aws.scheduler.scheduled-time>"}, "is no time"),
            ({"plan": "nightly", "slot": 1_800_000_000}, "slot: 1800000000 is no time"),
            (
                {"plan": "nightly", "slot": "2026-11-23T09:47:00Z"},
                "slot: '2026-11-23T09:47:00Z' is in the future",
            ),
            ({"plan": "nightly", "dry_run": "yes"}, "dry_run: 'yes' is not allowed; give true or false"),
            ({"plan": "nightly", "dry_run": 1}, "dry_run: 1 is not allowed"),
            ({"plan": "nightly", "most": -1}, "most: -1 is not allowed; give a whole number, 0 or more"),
            ({"plan": "nightly", "most": True}, "most: True is not allowed"),
            ({"plan": "nightly", "approve": True}, "approve: True is no digest"),
            ({"plan": "nightly", "approve": "yes"}, "approve: 'yes' is no digest"),
            (
                {"plan": "nightly", "dryrun": True},
                "dryrun: not a key of this function; allowed are plan, slot, dry_run, most, run, approve",
            ),
            ({"plan": "nightly", "run": 7}, "run: 7 is no id of a run; give at most 128 of letters, digits"),
            ({"plan": "nightly", "run": "a b"}, "run: 'a b' is no id of a run"),
            ({"plan": "nightly", "run": "a\n"}, "run: 'a\\n' is no id of a run"),
            ({"plan": "nightly", "run": "x" * 129}, "is no id of a run"),
            (WRAPPED | {"detail": None}, "the event is None; give an object"),
            (WRAPPED | {"time": "soon"}, "slot: 'soon' is no time"),
            ([], "the event is []; give an object"),
            (None, "the event is None; give an object"),
            ("nightly", "the event is 'nightly'; give an object"),
        ],
        ids=str,
    )
    def test_a_mistake_names_the_key_the_value_and_what_is_allowed(self, event: object, told: str) -> None:
        with pytest.raises(RequestError) as caught:
            parse_request(event, NOW, also=("approve",))
        assert told in str(caught.value)

    def test_all_mistakes_are_told_at_once(self) -> None:
        with pytest.raises(RequestError) as caught:
            parse_request({"plan": "", "slot": "x", "dry_run": 0, "approve": 1, "z": 1}, NOW)
        assert all(f"{key}: " in str(caught.value) for key in ("plan", "slot", "dry_run", "approve", "z"))

    @pytest.mark.parametrize(
        "event",
        [
            {"plan": "x" * 1_000_000},
            {"plan": "nightly", "slot": "x" * 1_000_000},
            {"plan": "nightly", "problems": 1, "x" * 1_000_000: 1},
            {"plan": "nightly", **dict.fromkeys(map(str, range(10_000)))},
            ["x" * 1_000_000],
        ],
        ids=["plan", "slot", "key", "keys", "event"],
    )
    def test_what_is_wrong_is_shown_in_part_however_long_it_is(self, event: object) -> None:
        with pytest.raises(RequestError) as caught:
            parse_request(event, NOW)
        assert 50 < len(str(caught.value)) < 15_000

    @given(
        json_values | st.dictionaries(st.sampled_from(["plan", "slot", "detail", "detail-type"]), json_values)
    )
    def test_any_json_is_a_request_or_a_request_error(self, event: object) -> None:
        try:
            request = parse_request(event, NOW)
        except RequestError:
            return
        else:
            assert request.slot.tzinfo is UTC


def problems_in(event: object) -> tuple[str, ...]:
    return parse_request(event, NOW, also=("problems",)).problems


class TestProblems:
    def test_a_run_hands_over_what_stages_could_not_do(self) -> None:
        assert problems_in({"plan": "nightly", "problems": ["a", "b"]}) == ("a", "b")
        assert problems_in({"plan": "nightly"}) == ()

    def test_they_may_be_wrapped_like_all_else(self) -> None:
        assert problems_in(WRAPPED | {"detail": {"plan": "nightly", "problems": ["a"]}}) == ("a",)

    @pytest.mark.parametrize("given_", ["a", None, [1], {"a": "b"}])
    def test_anything_else_than_sentences_is_refused(self, given_: object) -> None:
        with pytest.raises(RequestError, match=r"problems: .* is not allowed; give a list of sentences"):
            problems_in({"plan": "nightly", "problems": given_})


class TestChecks:
    def test_the_schedule_says_the_instant(self) -> None:
        event = {"at": "2026-11-22T02:00:00Z"}
        assert parse_check(event, NOW, run="invocation") == CheckRequest(at=NIGHT, run="invocation")

    def test_without_one_it_is_now_to_the_second(self) -> None:
        assert parse_check({}, NOW).at == NOW.replace(microsecond=0)

    def test_a_run_that_asks_gives_its_plan_slot_and_id(self) -> None:
        event = {
            "plan": "nightly",
            "slot": "2026-11-22T02:00:00Z",
            "run": "5f0c",
            "at": "2026-11-22T03:00:00Z",
        }
        assert parse_check(event, NOW, run="invocation") == CheckRequest(
            at=NIGHT + timedelta(hours=1), plan="nightly", slot=NIGHT, run="5f0c"
        )

    def test_an_event_may_be_wrapped_and_then_has_a_time(self) -> None:
        assert parse_check(WRAPPED | {"detail": {}}, NOW).at == datetime(2026, 11, 22, 14, 30, 5, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({"at": "soon"}, "at: 'soon' is no time"),
            ({"at": 1_800_000_000}, "at: 1800000000 is no time"),
            ({"at": "<aws.scheduler.scheduled-time>"}, "is no time"),
            ({"at": "2026-11-23T09:47:00Z"}, "at: '2026-11-23T09:47:00Z' is in the future"),
            ({"plan": "nightly"}, "plan and slot: give both, of the run that asks, or none"),
            ({"slot": "2026-11-22T02:00:00Z"}, "plan and slot: give both"),
            ({"plan": "Nightly", "slot": "2026-11-22T02:00:00Z"}, "plan: 'Nightly' is not the name"),
            ({"plan": "nightly", "slot": ""}, "slot: '' is no time"),
            ({"plan": 7}, "plan: 7 is not the name"),
            ({"run": "a b"}, "run: 'a b' is no id of a run"),
            ({"dry_run": True}, "dry_run: not a key of this function; allowed are at, plan, slot, run"),
            (None, "the event is None; give an object"),
        ],
        ids=str,
    )
    def test_a_mistake_is_told(self, event: object, told: str) -> None:
        with pytest.raises(RequestError) as caught:
            parse_check(event, NOW)
        assert told in str(caught.value)

    @settings(max_examples=20)
    @given(json_values | st.dictionaries(st.sampled_from(["at", "plan", "slot", "run"]), json_values))
    def test_any_json_is_a_request_or_a_request_error(self, event: object) -> None:
        try:
            request = parse_check(event, NOW)
        except RequestError:
            return
        else:
            assert request.at.tzinfo is UTC


GLANCE = Glance(at=NIGHT, standing=Standing.OK, resources=3, recoverable=3)


class TestPostures:
    def test_the_report_is_handed_what_the_check_answered(self) -> None:
        event = {"plan": "nightly", "posture": GLANCE.to_dict()}
        assert parse_request(event, NOW, also=("posture", "unchecked")).glance == GLANCE

    def test_or_why_there_is_none(self) -> None:
        event = {"plan": "nightly", "unchecked": "Task timed out"}
        request = parse_request(event, NOW, also=("posture", "unchecked"))
        assert (request.glance, request.unchecked) == (None, "Task timed out")

    @pytest.mark.parametrize("posture", [{}, [], "ok", 7, GLANCE.to_dict() | {"standing": "fine"}], ids=str)
    def test_one_that_cannot_be_understood_costs_nobody_the_message(self, posture: object) -> None:
        request = parse_request({"plan": "nightly", "posture": posture}, NOW, also=("posture", "unchecked"))
        assert request.glance is None
        assert request.unchecked.startswith("its answer cannot be understood: ")

    @pytest.mark.parametrize("unchecked", [None, 7, ["x"]])
    def test_why_there_is_none_is_a_sentence(self, unchecked: object) -> None:
        with pytest.raises(RequestError, match=r"unchecked: .* is not allowed; give a sentence"):
            parse_request({"plan": "nightly", "unchecked": unchecked}, NOW, also=("unchecked",))

    def test_a_rehearsed_run_says_when_it_is(self) -> None:
        event = {"plan": "nightly", "at": "2026-11-22T03:00:00Z"}
        assert parse_request(event, NOW, also=("at",)).at == NIGHT + timedelta(hours=1)
        with pytest.raises(RequestError, match="at: 'x' is no time"):
            parse_request({"plan": "nightly", "at": "x"}, NOW, also=("at",))


KEYS_OF = {"copy_backups": ("hint",), "prune_backups": ("approve",), "publish_report": ("problems",)}


class TestFiles:
    @pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.name)
    def test_each_file_is_an_event_that_its_function_understands(self, path: Path) -> None:
        function, event = path.name.split(".")[0], json.loads(path.read_text())
        if function == "check_recovery_points":
            assert parse_check(event, NOW).at <= NOW
        elif function == "recover":
            now = datetime.now(UTC)
            assert parse_recovery(event, now, "us-west-2", ("us-west-2",), "run").plan == "nightly"
        elif function == "drill":
            assert parse_drill(event, NOW, "run").plan == "nightly"
        elif function == "return_items":
            assert parse_return(event, "123456789012", ("us-east-1", "us-west-2"), "run").source
        elif function == "verify_database":
            assert question_from_dict(event).host
        elif function == "restore":
            assert parse_restore(event, datetime.now(UTC), "us-east-1", "run").kind
        else:
            assert parse_request(event, NOW, also=KEYS_OF.get(function, ())).plan == "nightly"

    @pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.name)
    def test_each_file_belongs_to_a_function_or_to_all(self, path: Path) -> None:
        functions = {one.stem for one in (path.parents[1] / "functions").glob("*.py")}
        assert path.name == "nightly.json" or path.name.split(".")[0] in functions

    def test_each_function_has_its_dry_run_and_more(self) -> None:
        uses = {path.name.removesuffix(".json") for path in EVENTS}
        dry = {"create_backups", "copy_backups", "prune_backups", "run_plan"}
        assert {f"{function}.dry_run" for function in dry} | {"publish_report.preview"} <= uses
