"""What a chat channel is shown of a run."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.chat import chat_payload, plain
from holdfast.core.report import Action, Report, State
from tests.builders import AWAY_REGION, DATABASE, HOME, NIGHT, TABLE
from tests.messages import check_chat
from tests.unit.test_message import ADDRESS, TROUBLE, WELL, outcome, run_of
from tests.unit.test_report import reports

CONTROLS = re.compile(r"<[^>]*>|[*~`\[\]<>]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|@\w|://|:[a-z_+-]+:")
"""What Slack or Teams would read as formatting, a mention, a link or an emoji."""


def payload(report: Report) -> dict[str, Any]:
    shown = chat_payload(report, ADDRESS, HOME)
    check_chat(json.dumps(shown))
    return shown


def test_a_failed_night() -> None:
    night = run_of(
        outcome(Action.CREATE, State.DONE),
        outcome(Action.CREATE, State.FAILED, TABLE, "CreateBackup of x: Odd: no", kind="dynamodb"),
        outcome(Action.COPY, State.PENDING, reason="being copied (AWS says creating)", region=AWAY_REGION),
        glance=TROUBLE,
    )
    shown = payload(night)
    content, metadata = shown["content"], shown["metadata"]
    assert (shown["version"], shown["source"], content["textType"]) == ("1.0", "custom", "client-markdown")
    assert content["title"] == "Holdfast nightly: PARTIAL, 2 in breach, 1 of 2 backed up, 1 failed, 1 pending"
    assert content["description"].splitlines() == [
        "Plan nightly, slot 2026-11-22T02:00:00Z: PARTIAL",
        "Something is missing or not finished. Of all that is protected: 2 in breach, see below.",
        "• back up dynamodb orders in us-east-1: CreateBackup of x: Odd: no",
        "• copy rds orders in us-west-2: being copied (AWS says creating)",
        (
            "Recoverable: 4 of 7 resources, 1 new and not due yet, and not everything could be looked at, as "
            "of 2026-11-22T02:40:00Z."
        ),
        "- nightly: rds ledger in us-west-2: the newest good backup is 76 hours old, the plan allows 26.",
        "- weekly: dynamodb carts in us-east-1: nothing can be restored: no backup stands.",
        "- could not be looked at: the hold list cannot be read",
        f"The whole record: {ADDRESS}",
    ]
    assert content["nextSteps"][0] == "Mend what AWS names, then try the slot again."
    assert content["nextSteps"][1].startswith("Nothing to mend: AWS goes on by itself")
    assert content["nextSteps"][-1].endswith(
        '--payload \'{"plan": "nightly", "slot": "2026-11-22T02:00:00Z"}\' /dev/stdout`'
    )
    assert content["keywords"] == ["holdfast:holdfast", "plan:nightly", "status:partial"]
    assert metadata["relatedResources"] == [TABLE, DATABASE]
    assert metadata["additionalContext"] == {
        "status": "partial",
        "plan": "nightly",
        "slot": "2026-11-22T02:00:00Z",
        "record": ADDRESS,
    }


def test_a_quiet_night_has_nothing_to_do() -> None:
    shown = payload(run_of(outcome(Action.CREATE, State.DONE), glance=WELL))
    assert "nextSteps" not in shown["content"]
    assert "relatedResources" not in shown["metadata"]


def test_a_refusal_is_to_be_read_first() -> None:
    refused = run_of(
        outcome(Action.CREATE, State.DONE), refusals=("30 of 60 would be deleted: approve 0123",)
    )
    content = payload(refused)["content"]
    assert "• 30 of 60 would be deleted: approve 0123" in content["description"]
    assert content["nextSteps"][0].startswith("Read what was refused")


def test_what_is_told_again_of_a_slot_answers_in_its_thread() -> None:
    first = run_of(outcome(Action.CREATE, State.DONE))
    again = replace(first, outcomes=(), problems=("no",), run="another")
    others = [replace(first, plan="weekly"), replace(first, slot=NIGHT + timedelta(days=1))]
    thread = payload(first)["metadata"]["threadId"]
    assert payload(again)["metadata"]["threadId"] == thread
    assert all(payload(other)["metadata"]["threadId"] != thread for other in others)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("<!channel> & <@U123>", "&lt;!channel&gt; &amp; &lt;@\u2060U123&gt;"),
        ("@here look", "@\u2060here look"),
        ("<https://evil.example|click>", "&lt;https:\u2060//evil.\u2060example|click&gt;"),
        ("*bold* ~gone~ `code` _slanted_", "\u2217bold\u2217 \u223cgone\u223c 'code' \uff3fslanted\uff3f"),
        ("[text](link)", "(text)(link)"),
        ("two\nlines\x1b[31m\u202e", "two lines (31m"),
        (":fire:", ":\u2060fire:"),
        ("my_table_2026", "my_table_2026"),
        ("2026-11-22T02:00:00Z", "2026-11-22T02:00:00Z"),
    ],
)
def test_names_and_reasons_format_mention_and_link_nothing(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown
    night = run_of(outcome(Action.CREATE, State.FAILED, reason=hostile))
    assert shown in payload(night)["content"]["description"]


@given(st.text() | st.from_regex(r"[<>*_~`@:/!a-c\[\]()& .]{1,40}", fullmatch=True))
def test_no_text_at_all_does(text: str) -> None:
    shown = plain(text)
    assert not CONTROLS.search(shown)
    assert shown.isprintable() or "\u2060" in shown


@settings(max_examples=25)
@given(reports, st.integers(1, 3000))
def test_any_report_is_small_enough(report: Report, times: int) -> None:
    payload(replace(report, plan="a" * 32, problems=[one * times for one in report.problems], glance=TROUBLE))
