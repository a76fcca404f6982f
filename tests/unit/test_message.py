"""What a person reads in the morning."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.message import MAX_SUBJECT, subject, text
from holdfast.core.report import Action, Outcome, Report, Stage, State
from tests.builders import AWAY_REGION, DATABASE, HOME, HOME_REGION, NIGHT, TABLE
from tests.unit.test_report import reports

ADDRESS = "s3://reports/runs/nightly/20261122T020000Z/report.json"


def outcome(
    action: Action,
    state: State,
    resource: str = DATABASE,
    reason: str = "available",
    *,
    region: str = HOME_REGION,
    kind: str = "rds",
) -> Outcome:
    return Outcome(
        action=action, state=state, kind=kind, resource=resource, region=region, reason=reason, backup="b"
    )


def run_of(
    *outcomes: Outcome,
    refusals: Sequence[str] = (),
    problems: Sequence[str] = (),
    notices: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Report:
    return Report(
        stage=Stage.REPORT,
        plan="nightly",
        slot=NIGHT,
        outcomes=outcomes,
        refusals=refusals,
        problems=problems,
        notices=notices,
        warnings=warnings,
    )


A_NIGHT = run_of(
    *[outcome(Action.CREATE, State.DONE)] * 3,
    outcome(Action.CREATE, State.FAILED, TABLE, "not permitted: see the role", kind="dynamodb"),
    outcome(Action.CREATE, State.SKIPPED, reason="the plan excludes *:test-*"),
    outcome(Action.CREATE, State.SKIPPED, reason="the plan excludes *:test-*"),
    *[outcome(Action.COPY, State.DONE, region=AWAY_REGION)] * 2,
    outcome(Action.COPY, State.PENDING, reason="being copied (AWS says creating)", region=AWAY_REGION),
    outcome(Action.COPY, State.DEFERRED, reason="all 20 copy slots are in use", region=AWAY_REGION),
    outcome(Action.COPY, State.FAILED, "", "could not be listed: throttled", region=AWAY_REGION),
    *[outcome(Action.DELETE, State.DONE, reason="no rule keeps it")] * 4,
    outcome(Action.DELETE, State.SKIPPED, reason="held back: see the refusal (else: no rule keeps it)"),
    outcome(Action.ANNOUNCE, State.SKIPPED, reason="nobody was told yet (else: no rule keeps it)"),
    refusals=("30 of 60 backups would be deleted: none was.",),
    notices=("The plan nightly keeps daily 3 (before: daily 7).",),
    warnings=("rds in us-west-2: 84 of 100 manual snapshots stand.",),
    problems=("copy_backups could not do its work: Task timed out",),
)

A_NIGHTS_BODY = """\
Plan nightly, slot 2026-11-22T02:00:00Z: REFUSED

A guard held something back: a person has to look. Nothing was deleted against it. Besides, something is \
missing: see below.

Refused:
  - 30 of 60 backups would be deleted: none was.

Could not be done:
  - copy_backups could not do its work: Task timed out

New:
  - The plan nightly keeps daily 3 (before: daily 7).

Soon:
  - rds in us-west-2: 84 of 100 manual snapshots stand.

Failed (2):
  - back up dynamodb orders in us-east-1: not permitted: see the role
  - copy everything of kind rds in us-west-2: could not be listed: throttled

Not finished (1):
  - copy rds orders in us-west-2: being copied (AWS says creating)

Put off (1):
  - copy rds orders in us-west-2: all 20 copy slots are in use

Not deleted (1):
  - delete b of rds orders in us-east-1: held back: see the refusal (else: no rule keeps it)

Kept until a message has told of the change (1):
  - delete b of rds orders in us-east-1: nobody was told yet (else: no rule keeps it)

Done:
      3 backed up in us-east-1
      2 copied in us-west-2
      4 pruned in us-east-1

Left out:
      2: the plan excludes *:test-*

To try this slot again, when the cause is mended (what was done is not done twice):
  aws lambda invoke --region us-east-1 --function-name holdfast-run-plan:live --invocation-type Event \
--cli-binary-format raw-in-base64-out --payload '{"plan": "nightly", "slot": "2026-11-22T02:00:00Z"}' \
/dev/stdout

The whole record: s3://reports/runs/nightly/20261122T020000Z/report.json

Stack holdfast in us-east-1
"""


def test_the_body_has_what_needs_a_person_first_then_what_was_done_then_the_record() -> None:
    assert text(A_NIGHT, ADDRESS, HOME) == A_NIGHTS_BODY


def test_the_subject_says_how_it_went_in_numbers() -> None:
    assert subject(A_NIGHT) == (
        "Holdfast nightly: REFUSED, 3 of 4 backed up, 2 copied, 4 pruned, 2 failed, 2 pending"
    )
    fewer = run_of(outcome(Action.CREATE, State.DONE), outcome(Action.ANNOUNCE, State.SKIPPED))
    assert subject(fewer) == "Holdfast nightly: OK, 1 of 1 backed up, 1 to be pruned"


def test_a_quiet_night_reads_as_one() -> None:
    quiet = run_of(outcome(Action.CREATE, State.DONE))
    assert subject(quiet) == "Holdfast nightly: OK, 1 of 1 backed up"
    assert text(quiet, ADDRESS, HOME).splitlines()[:3] == [
        "Plan nightly, slot 2026-11-22T02:00:00Z: OK",
        "",
        "Everything the plan protects has its backup.",
    ]


def test_a_run_that_did_nothing_says_so() -> None:
    body = text(run_of(problems=("the plan cannot be read",)), ADDRESS, HOME)
    assert "There is no new backup. Please look today." in body
    assert "Done: nothing." in body


def test_of_many_failures_forty_are_listed_and_the_rest_counted() -> None:
    many = run_of(*[outcome(Action.CREATE, State.FAILED, reason="denied")] * 45)
    body = text(many, ADDRESS, HOME)
    assert body.count("denied") == 30
    assert "  … and 15 more in the record" in body


def test_of_many_reasons_for_leaving_things_out_forty_are_listed() -> None:
    many = run_of(*[outcome(Action.CREATE, State.SKIPPED, reason=f"reason {n}") for n in range(45)])
    body = text(many, ADDRESS, HOME)
    assert body.count(": reason ") == 30
    assert "  … and 15 more reasons" in body


@given(reports, st.integers(1, 5000))
def test_any_subject_is_one_line_that_sns_takes(report: Report, times: int) -> None:
    line = subject(Report(stage=Stage.REPORT, plan="a" * 32, slot=NIGHT, outcomes=[*report.outcomes] * times))
    assert len(line) <= MAX_SUBJECT < 100
    assert line.isprintable()
    assert line.isascii()


@given(reports)
def test_any_body_tells_every_refusal_and_problem_and_the_record(report: Report) -> None:
    body = text(report, ADDRESS, HOME)
    assert all(f"  - {sentence}" in body for sentence in (*report.refusals, *report.problems))
    assert body.endswith(f"The whole record: {ADDRESS}\n\nStack holdfast in us-east-1\n")


@given(reports)
def test_in_any_body_failures_come_before_what_was_done(report: Report) -> None:
    outcomes = [replace(one, reason="for a reason") for one in report.outcomes]
    body = text(run_of(*outcomes), ADDRESS, HOME)
    titles = ("\nFailed (", "\nNot finished (", "\nPut off (", "\nDone:")
    places = [body.index(title) for title in titles if title in body]
    assert places == sorted(places)
