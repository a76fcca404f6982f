"""What a person reads in the morning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.advice import for_outcome, for_problem
from holdfast.core.errors import (
    AccessDenied,
    CopySlotsFull,
    KeyUnusable,
    NoAnswer,
    NotReady,
    OutOfReach,
    ProviderError,
    QuotaReached,
    Throttled,
)
from holdfast.core.glance import Glance, Standing
from holdfast.core.message import MAX_SUBJECT, subject, text
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.usecases.sweep import state_of
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
    glance: Glance | None = None,
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
        glance=glance,
    )


TROUBLE = Glance(
    at=NIGHT + timedelta(minutes=40),
    standing=Standing.BREACHED,
    resources=7,
    recoverable=4,
    waiting=1,
    breached=2,
    of_plan=1,
    uncovered=3,
    breaches=(
        "nightly: rds ledger in us-west-2: the newest good backup is 76 hours old, the plan allows 26.",
        "weekly: dynamodb carts in us-east-1: nothing can be restored: no backup stands.",
    ),
    problems=("the hold list cannot be read",),
    now_usd=Decimal("13.60"),
    full_usd=Decimal("20.00"),
    own_usd=Decimal("0.09"),
    page="s3://reports/page/index.html",
)
WELL = replace(
    TROUBLE,
    standing=Standing.OK,
    recoverable=7,
    waiting=0,
    breached=0,
    of_plan=0,
    uncovered=0,
    breaches=(),
    problems=(),
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
    glance=TROUBLE,
)

A_NIGHTS_BODY = """\
Plan nightly, slot 2026-11-22T02:00:00Z: REFUSED

A guard held something back: a person has to look. Nothing was deleted against it. Besides, something is \
missing: see below. Of all that is protected: 2 in breach, see below.

Refused:
  - 30 of 60 backups would be deleted: none was.

Could not be done:
  - copy_backups could not do its work: Task timed out
    What to do: Read the log group /aws/lambda/holdfast-copy-backups, mend the cause, then try the slot again.

Failed (2):
  - back up dynamodb orders in us-east-1: not permitted: see the role
  - copy everything of kind rds in us-west-2: could not be listed: throttled

Not finished (1):
  - copy rds orders in us-west-2: being copied (AWS says creating)
    What to do: Nothing to mend: AWS goes on by itself, and the next run sees what became of it. If it is so \
each night, give the plan a longer window_minutes.

Put off (1):
  - copy rds orders in us-west-2: all 20 copy slots are in use
    What to do: Nothing to mend: the next run goes on with it. If it is so each night, let the plan begin \
more copies at once (slots), or give it a longer window_minutes.

New:
  - The plan nightly keeps daily 3 (before: daily 7).

Not deleted (1):
  - delete b of rds orders in us-east-1: held back: see the refusal (else: no rule keeps it)

Kept until a message has told of the change (1):
  - delete b of rds orders in us-east-1: nobody was told yet (else: no rule keeps it)

Soon:
  - rds in us-west-2: 84 of 100 manual snapshots stand.

Recoverable: 4 of 7 resources, 1 new and not due yet, and not everything could be looked at, as of \
2026-11-22T02:40:00Z.
  - nightly: rds ledger in us-west-2: the newest good backup is 76 hours old, the plan allows 26.
  - weekly: dynamodb carts in us-east-1: nothing can be restored: no backup stands.
  - could not be looked at: the hold list cannot be read
  Tables and databases in no plan: 3. Tag them holdfast:plan=<plan> or =none.

Done:
      3 backed up in us-east-1
      2 copied in us-west-2
      4 pruned in us-east-1

Left out:
      2: the plan excludes *:test-*

Cost a month, estimated: 13.60 USD for what stands, 20.00 USD once the plans are full, 0.09 USD for \
Holdfast itself.

The page: s3://reports/page/index.html
  aws s3 cp s3://reports/page/index.html holdfast.html --region us-east-1
  and open holdfast.html in a browser.

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
        "Holdfast nightly: REFUSED, 2 in breach, 3 of 4 backed up, 2 copied, 4 pruned, 2 failed, 2 pending"
    )
    assert subject(replace(A_NIGHT, glance=WELL)) == (
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


def test_of_many_reasons_for_failures_thirty_are_listed_and_the_rest_counted() -> None:
    many = run_of(*[outcome(Action.CREATE, State.FAILED, reason=f"denied by {'x' * n}.") for n in range(45)])
    body = text(many, ADDRESS, HOME)
    assert body.count("denied by ") == 30
    assert "  … and 15 more in the record" in body
    assert "Failed (45):" in body


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


class TestWhatIsAlike:
    """Forty failures for one reason are one thing to mend."""

    def denied(self, name: str, message: str = "") -> Outcome:
        arn = f"arn:aws:rds:us-east-1:123456789012:db:{name}"
        reason = f"not permitted: see the role (CreateDBSnapshot of {arn}: AccessDenied: {message} on {name})"
        return outcome(Action.CREATE, State.FAILED, arn, reason)

    def test_it_is_told_once_with_how_many_and_some_names(self) -> None:
        body = text(run_of(*[self.denied(f"db-{n}") for n in range(40)]), ADDRESS, HOME)
        assert (
            "Failed (40):\n  - back up 40 rds in us-east-1 (db-0, db-1, db-2 and 37 more): not permitted"
            in body
        )
        assert body.count("not permitted") == 1

    def test_two_that_are_alike_are_both_named(self) -> None:
        body = text(run_of(self.denied("orders"), self.denied("order")), ADDRESS, HOME)
        assert "back up 2 rds in us-east-1 (orders, order): " in body

    @pytest.mark.parametrize(
        "other",
        [
            {"action": Action.COPY},
            {"kind": "aurora"},
            {"region": AWAY_REGION},
            {"reason": "not permitted: see the key"},
            {"resource": ""},
        ],
    )
    def test_what_differs_in_more_than_the_resource_is_told_apart(self, other: dict[str, Any]) -> None:
        one = self.denied("orders")
        body = text(run_of(one, replace(self.denied("carts"), **other)), ADDRESS, HOME)
        assert body.count("not permitted") == 2

    def test_what_no_person_can_read_is_left_out_and_keeps_nothing_apart(self) -> None:
        told = [
            self.denied(f"db-{n}", f"Encoded authorization failure message: {'xyz'[n] * 900}")
            for n in range(3)
        ]
        body = text(run_of(*told), ADDRESS, HOME)
        assert "back up 3 rds" in body
        assert "Encoded" not in body

    def test_many_of_them_take_no_time(self) -> None:
        body = text(run_of(*[self.denied(f"db-{n}") for n in range(5000)]), ADDRESS, HOME)
        assert "back up 5000 rds in us-east-1 (db-0, db-1, db-2 and 4997 more): " in body

    def test_backups_come_before_copies_and_of_each_the_most_alike_first(self) -> None:
        told = [
            outcome(Action.COPY, State.FAILED, reason="a"),
            outcome(Action.CREATE, State.FAILED, reason="b"),
            *[outcome(Action.CREATE, State.FAILED, f"{DATABASE}-{n}", reason="c") for n in range(2)],
        ]
        body = text(run_of(*told), ADDRESS, HOME)
        places = [
            body.index(one) for one in ("(orders-0, orders-1): c", "orders in us-east-1: b", "copy rds")
        ]
        assert places == sorted(places)


class TestWhatToDo:
    """Each failure says what to do: in its reason, or beside it."""

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (ProviderError, "What to do: Mend what AWS names, then try the slot again."),
            (AccessDenied, "see the function's role"),
            (QuotaReached, "raise it, or prune"),
            (KeyUnusable, "it has to exist and be enabled"),
            (OutOfReach, "the next slot will do"),
            (Throttled, "What to do: Nothing to mend: the next run goes on with it."),
            (CopySlotsFull, "let the plan begin more copies at once (slots)"),
            (NoAnswer, "What to do: Nothing to mend: AWS goes on by itself"),
            (NotReady, "What to do: Nothing to mend: AWS goes on by itself"),
        ],
    )
    def test_of_each_kind_of_error(self, error: type[ProviderError], said: str) -> None:
        state, reason = state_of(error("rds", DATABASE, "CreateDBSnapshot", "SomeCode", "some message"))
        body = text(run_of(outcome(Action.CREATE, state, reason=reason)), ADDRESS, HOME)
        assert said in body
        assert ("What to do: " in body) == ("What to do: " in said or error is CopySlotsFull)

    @pytest.mark.parametrize(
        ("reason", "advice"),
        [
            ("AWS ended it as failed", "recent events"),
            ("AWS ended the copy x as failed: no reason given", "tries again by itself"),
            ("somebody is deleting it", "CloudTrail"),
            ("the backup was made, and was gone before it could be copied", "CloudTrail"),
            ("unexpected KeyError: 'a bug'", "report it"),
            ("the volume is in state error, which does not end by itself", "holdfast:plan=none"),
            ("could not be listed: DescribeDBSnapshots of *: Odd: no", "Mend what AWS names"),
            ("the instance is stopped: start it, or take it out of the plan", ""),
        ],
    )
    def test_of_each_other_reason_that_does_not_say_it(self, reason: str, advice: str) -> None:
        told = for_outcome(outcome(Action.CREATE, State.FAILED, reason=reason))
        assert advice in told
        assert bool(told) == bool(advice)

    def test_a_copy_that_hangs_may_be_deleted_and_nothing_else(self) -> None:
        copying = replace(outcome(Action.COPY, State.PENDING), stuck=True)
        assert "can be deleted" in for_outcome(copying)
        assert "delete" not in for_outcome(replace(copying, action=Action.DELETE))

    @pytest.mark.parametrize("state", [State.DONE, State.SKIPPED])
    def test_nothing_about_what_is_well(self, state: State) -> None:
        assert for_outcome(outcome(Action.CREATE, state, reason="AWS ended it as failed")) == ""

    @pytest.mark.parametrize(
        ("problem", "advice"),
        [
            ("prune_backups could not do its work: it timed out", "/aws/lambda/holdfast-prune-backups"),
            ("create_backups left no record of this slot", "/aws/lambda/holdfast-create-backups"),
            ("check_recovery_points could not do its work: no", "/aws/lambda/holdfast-check-recovery-points"),
            ("plan 'nightly' cannot be used: keep is empty", "/holdfast/plans/nightly"),
            ("the record of copy_backups cannot be read (no)", "report bucket"),
            ("GetParameter of /holdfast/plans/nightly: AccessDenied", "Mend what AWS names"),
            ("prune_backups was not run, since create_backups did not finish its work", ""),
            ("{braces} are no placeholders", ""),
        ],
    )
    def test_of_each_problem(self, problem: str, advice: str) -> None:
        told = for_problem(problem, "nightly", HOME)
        assert advice in told
        assert bool(told) == bool(advice)

    def test_one_advice_is_given_once(self) -> None:
        refused = [outcome(Action.CREATE, State.FAILED, reason=f"CreateX of a: Code{n}: no") for n in "abc"]
        body = text(run_of(*refused), ADDRESS, HOME)
        assert body.count("  - back up") == 3
        assert body.count("What to do: ") == 1


class TestHowEverythingStands:
    def test_a_quiet_night_says_so_in_its_first_lines(self) -> None:
        body = text(run_of(outcome(Action.CREATE, State.DONE), glance=WELL), ADDRESS, HOME)
        assert body.splitlines()[2:5] == [
            "Everything the plan protects has its backup.",
            "",
            "Recoverable: 7 of 7 resources, as of 2026-11-22T02:40:00Z.",
        ]

    def test_trouble_of_another_plan_is_in_the_subject_and_at_the_top(self) -> None:
        elsewhere = run_of(outcome(Action.CREATE, State.DONE), glance=replace(TROUBLE, of_plan=0))
        assert subject(elsewhere) == "Holdfast nightly: OK, 2 in breach, 1 of 1 backed up"
        body = text(elsewhere, ADDRESS, HOME)
        assert "has its backup. But elsewhere: 2 in breach, see below." in body

    def test_a_breach_without_a_resource_is_one_all_the_same(self) -> None:
        misnamed = replace(WELL, standing=Standing.BREACHED, breached=1, breaches=("rds x: no such plan",))
        assert "1 in breach" in subject(run_of(outcome(Action.CREATE, State.DONE), glance=misnamed))

    def test_what_is_new_and_not_due_is_no_loss(self) -> None:
        new = replace(WELL, recoverable=5, waiting=2)
        assert "recoverable" not in subject(run_of(outcome(Action.CREATE, State.DONE), glance=new))

    def test_without_a_look_it_is_not_known(self) -> None:
        body = text(run_of(outcome(Action.CREATE, State.DONE)), ADDRESS, HOME)
        assert "Recoverable: not known." in body
        assert "Cost" not in body
        assert "The page" not in body

    def test_where_no_plan_protects_anything_it_says_that(self) -> None:
        empty = replace(WELL, standing=Standing.EMPTY, resources=0, recoverable=0)
        assert "Recoverable: no plan protects anything" in text(run_of(glance=empty), ADDRESS, HOME)

    def test_of_many_breaches_eight_are_told_and_the_rest_counted(self) -> None:
        many = replace(TROUBLE, breached=40, breaches=tuple(f"breach {n}" for n in range(30)))
        body = text(run_of(glance=many), ADDRESS, HOME)
        assert body.count("  - breach ") == 8
        assert "  … and 22 more on the page" in body

    def test_where_a_size_is_not_known_the_cost_is_the_least(self) -> None:
        body = text(run_of(glance=replace(WELL, cost_is_whole=False)), ADDRESS, HOME)
        assert "estimated: at least 13.60 USD for what stands, at least 20.00 USD once" in body
