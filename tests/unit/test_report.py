"""What a report says of a stage and of a run, and that it survives being written down."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.model import KeepPolicy, Origin, Retention
from holdfast.core.report import (
    Action,
    Outcome,
    Report,
    Stage,
    State,
    Status,
    carry_over,
    combine,
    report_from_dict,
)
from holdfast.core.spans import Span
from tests.builders import AWAY_REGION, DATABASE, HOME_REGION, NIGHT, TABLE


def an_outcome(
    action: Action = Action.CREATE,
    state: State = State.DONE,
    resource: str = DATABASE,
    *,
    backup: str = "",
    region: str = HOME_REGION,
    reason: str = "",
) -> Outcome:
    return Outcome(
        action=action,
        state=state,
        kind="rds",
        resource=resource,
        region=region,
        reason=reason or f"{state}, since a test says so",
        backup=backup,
    )


def a_report(*outcomes: Outcome, stage: Stage = Stage.CREATE, **more: object) -> Report:
    return Report(stage=stage, plan="nightly", slot=NIGHT, outcomes=outcomes, **more)  # type: ignore[arg-type]


outcomes_of_any_kind = st.builds(
    Outcome,
    action=st.sampled_from(Action),
    state=st.sampled_from(State),
    kind=st.sampled_from(["dynamodb", "rds", "aurora"]),
    resource=st.sampled_from([DATABASE, TABLE, ""]),
    region=st.sampled_from([HOME_REGION, AWAY_REGION]),
    reason=st.text(max_size=60),
    backup=st.sampled_from(["", "first", "second"]),
    backup_arn=st.sampled_from(["", f"{TABLE}/backup/01", f"{TABLE}/backup/02"]),
    stuck=st.booleans(),
)
counts = st.integers(0, 99)
retentions = st.builds(
    Retention,
    policies=st.dictionaries(
        st.sampled_from([HOME_REGION, AWAY_REGION]),
        st.builds(
            KeepPolicy,
            daily=counts,
            yearly=counts,
            within=st.none() | st.builds(Span, days=st.integers(1, 99), hours=counts),
            oldest=st.booleans(),
        ),
    ),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
reports = st.builds(
    Report,
    stage=st.sampled_from(Stage),
    plan=st.from_regex(r"[a-z][a-z0-9]{0,31}", fullmatch=True),
    slot=st.just(NIGHT),
    dry_run=st.booleans(),
    outcomes=st.lists(outcomes_of_any_kind, max_size=12).map(tuple),
    refusals=st.lists(st.text(max_size=80), max_size=3).map(tuple),
    problems=st.lists(st.text(max_size=80), max_size=3).map(tuple),
    notices=st.lists(st.text(max_size=80), max_size=3).map(tuple),
    warnings=st.lists(st.text(max_size=80), max_size=3).map(tuple),
    foretold=st.dictionaries(st.sampled_from(["rds", "aurora"]), retentions),
    offers=st.dictionaries(
        st.sampled_from(["0" * 16, "f" * 16]), st.lists(st.sampled_from(["a", "b"])).map(tuple)
    ),
    seconds=st.floats(0, 1e6),
    vault_of=st.none() | st.just(Origin(account="123456789012", region=HOME_REGION)),
)


class TestStatus:
    @pytest.mark.parametrize(
        ("states", "expected"),
        [
            ([], Status.OK),
            ([State.DONE, State.DONE], Status.OK),
            ([State.DONE, State.SKIPPED], Status.OK),
            ([State.SKIPPED], Status.OK),
            ([State.DONE, State.FAILED], Status.PARTIAL),
            ([State.DONE, State.PENDING], Status.PARTIAL),
            ([State.DONE, State.DEFERRED], Status.PARTIAL),
            ([State.PENDING], Status.PARTIAL),
            ([State.FAILED, State.FAILED], Status.FAILED),
            ([State.FAILED, State.PENDING], Status.FAILED),
        ],
        ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
    )
    @pytest.mark.parametrize("stage", Stage)
    def test_it_follows_from_the_outcomes(self, stage: Stage, states: list[State], expected: Status) -> None:
        assert a_report(*(an_outcome(state=one) for one in states), stage=stage).status is expected

    def test_a_refusal_is_told_unless_nothing_at_all_was_achieved(self) -> None:
        done, failed = an_outcome(), an_outcome(state=State.FAILED)
        assert a_report(done, refusals=("no",)).status is Status.REFUSED
        assert a_report(refusals=("no",)).status is Status.REFUSED
        assert a_report(failed, refusals=("no",)).status is Status.FAILED

    def test_a_problem_makes_it_partial_or_failed(self) -> None:
        assert a_report(an_outcome(), problems=("crash",)).status is Status.PARTIAL
        assert a_report(problems=("crash",)).status is Status.FAILED

    def test_a_run_without_a_new_backup_has_failed_however_much_was_pruned(self) -> None:
        outcomes = [an_outcome(state=State.FAILED), an_outcome(Action.DELETE), an_outcome(Action.COPY)]
        assert a_report(*outcomes, stage=Stage.REPORT).status is Status.FAILED
        assert a_report(*outcomes, stage=Stage.PRUNE).status is Status.PARTIAL

    @pytest.mark.parametrize("state", State)
    def test_running_again_may_help_only_what_is_pending_or_deferred(self, state: State) -> None:
        assert a_report(an_outcome(state=state)).unfinished is (state in (State.PENDING, State.DEFERRED))


class TestWrittenDown:
    @given(reports)
    def test_a_report_is_read_as_it_was_written(self, report: Report) -> None:
        read = report_from_dict(report.to_dict())
        assert read.to_dict() == report.to_dict()
        assert read == replace(report, outcomes=tuple(report.by_urgency()), seconds=round(report.seconds, 3))

    def test_a_record_of_an_older_version_is_read(self) -> None:
        written = a_report(an_outcome()).to_dict()
        del written["notices"], written["outcomes"][0]["backup_arn"]
        assert report_from_dict(written) == a_report(an_outcome())

    def test_the_table_for_people_is_in_the_answer_alone(self) -> None:
        assert a_report(text="a table").to_dict()["text"] == "a table"
        assert "text" not in a_report().to_dict()

    def test_what_later_runs_read_is_in_the_record_alone(self) -> None:
        report = a_report(offers={"a" * 16: ("x",)}, foretold={"rds": Retention()})
        assert report.to_dict()["offers"] == {"a" * 16: ["x"]}
        assert report.to_dict()["foretold"] == {"rds": {"time_zone": "UTC", "policies": {}}}
        assert not {"offers", "foretold"} & set(report.to_dict(most=50))

    def test_the_outcomes_come_with_those_first_that_need_a_person(self) -> None:
        mixed = [State.DONE, State.SKIPPED, State.FAILED, State.DEFERRED, State.PENDING]
        written = a_report(*(an_outcome(state=state) for state in mixed)).to_dict()
        assert [one["state"] for one in written["outcomes"]] == [
            "failed",
            "pending",
            "deferred",
            "skipped",
            "done",
        ]

    @given(reports, st.integers(0, 15))
    def test_when_cut_it_counts_what_was_left_out_and_keeps_the_totals(
        self, report: Report, most: int
    ) -> None:
        cut, whole = report.to_dict(most=most), report.to_dict()
        assert len(cut["outcomes"]) + cut["left_out"] == len(report.outcomes)
        assert cut["outcomes"] == whole["outcomes"][:most]
        assert (cut["counts"], cut["status"]) == (whole["counts"], whole["status"])

    def test_the_counts_are_by_action_and_state(self) -> None:
        report = a_report(an_outcome(), an_outcome(), an_outcome(Action.COPY, State.FAILED))
        assert report.counts == {"copy.failed": 1, "create.done": 2}

    def test_what_was_cut_is_not_read_as_a_whole(self) -> None:
        with pytest.raises(ValueError, match="1 outcomes were left out"):
            report_from_dict(a_report(an_outcome()).to_dict(most=0))

    @pytest.mark.parametrize(
        ("changed", "told"), [({"schema": "holdfast.report/2"}, "schema"), ({"slot": "soon"}, "slot 'soon'")]
    )
    def test_another_schema_or_a_bad_slot_is_refused(self, changed: dict[str, str], told: str) -> None:
        with pytest.raises(ValueError, match=told):
            report_from_dict(a_report().to_dict() | changed)


class TestCarryOver:
    def test_the_first_sweep_stands_as_it_is(self) -> None:
        report = a_report(an_outcome())
        assert carry_over(None, report) is report

    def test_a_later_word_on_the_same_act_replaces_the_earlier(self) -> None:
        earlier = a_report(an_outcome(state=State.PENDING))
        now = a_report(an_outcome(backup="made"))
        assert list(carry_over(earlier, now).outcomes) == list(now.outcomes)

    def test_what_was_done_stays_told_and_what_was_not_does_not(self) -> None:
        deleted = an_outcome(Action.DELETE, backup="old")
        pending = an_outcome(Action.DELETE, State.PENDING, backup="older")
        earlier = a_report(deleted, pending, stage=Stage.PRUNE)
        assert list(carry_over(earlier, a_report(stage=Stage.PRUNE)).outcomes) == [deleted]

    def test_two_deletions_of_one_resource_are_two_acts(self) -> None:
        first, second = (an_outcome(Action.DELETE, backup=name) for name in ("first", "second"))
        both = carry_over(a_report(first, stage=Stage.PRUNE), a_report(second, stage=Stage.PRUNE))
        assert set(both.outcomes) == {first, second}

    def test_two_deletions_of_backups_of_one_name_are_two_acts(self) -> None:
        """Two DynamoDB backups of one table can have one name."""
        first, second = (
            replace(an_outcome(Action.DELETE, backup="same"), backup_arn=f"{TABLE}/backup/{number}")
            for number in (1, 2)
        )
        assert len(carry_over(a_report(first), a_report(second)).outcomes) == 2

    def test_lists_that_were_offered_stay_offered(self) -> None:
        first, second = a_report(offers={"a" * 16: ("x",)}), a_report(offers={"b" * 16: ("y",)})
        assert carry_over(first, second).offers == {"a" * 16: ("x",), "b" * 16: ("y",)}

    def test_the_time_of_all_sweeps_is_added_up(self) -> None:
        assert carry_over(a_report(seconds=2.5), a_report(seconds=1.0)).seconds == 3.5

    def test_refusals_and_problems_are_those_of_the_last_sweep(self) -> None:
        both = carry_over(a_report(refusals=("no",), problems=("crash",)), a_report())
        assert (both.refusals, both.problems) == ((), ())

    def test_a_runs_own_report_replaces_the_one_before(self) -> None:
        now = a_report(stage=Stage.REPORT)
        assert carry_over(a_report(an_outcome(), stage=Stage.REPORT), now) is now

    @given(reports, reports)
    def test_carrying_over_twice_tells_the_same(self, earlier: Report, now: Report) -> None:
        now = replace(now, stage=earlier.stage)
        once = carry_over(earlier, now)
        assert carry_over(once, now).outcomes == once.outcomes


class TestCombine:
    def test_a_run_has_the_outcomes_refusals_and_problems_of_its_stages(self) -> None:
        create = a_report(an_outcome(), seconds=1.5)
        prune = a_report(refusals=("too many",), problems=("odd",), stage=Stage.PRUNE, seconds=2.0)
        run = combine({Stage.CREATE: create, Stage.PRUNE: prune}, "nightly", NIGHT, ["crash"], told=True)
        assert run == Report(
            stage=Stage.REPORT,
            plan="nightly",
            slot=NIGHT,
            outcomes=create.outcomes,
            refusals=("too many",),
            problems=("crash", "odd"),
            seconds=3.5,
        )

    def test_a_stage_that_left_no_record_is_a_problem(self) -> None:
        run = combine(
            {Stage.CREATE: a_report(an_outcome()), Stage.COPY: None}, "nightly", NIGHT, [], told=False
        )
        assert run.problems == ("copy_backups left no record of this slot",)
        assert run.status is Status.PARTIAL

    def test_that_records_are_missing_is_not_told_beside_the_reason_why(self) -> None:
        run = combine(dict.fromkeys(Stage), "nightly", NIGHT, ["there is no such plan"], told=True)
        assert run.problems == ("there is no such plan",)

    def test_a_run_without_any_record_has_failed(self) -> None:
        assert combine(dict.fromkeys(Stage), "nightly", NIGHT, [], told=False).status is Status.FAILED
