"""A run's report for a chat channel: a custom notification of Amazon Q Developer in chat applications.

Its form is of that service's administrator guide ("Custom notifications"): version 1.0 of the source
`custom`, with markdown as the channel's client has it. What is known of sizes is Slack's: 3,000 characters of
a section of text. Those below stay under it, with room for what Amazon Q puts around them.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from holdfast.core.advice import for_outcome, for_problem
from holdfast.core.alike import Alike, alike
from holdfast.core.brief import cut
from holdfast.core.message import (
    command_to_try_again,
    group_line,
    may_be_tried_again,
    subject,
    summary,
    verdict,
)
from holdfast.core.model import Home
from holdfast.core.naming import compact_slot, format_slot
from holdfast.core.report import Report, State, Status
from holdfast.core.standing import posture_lines

_MOST_GROUPS = 4
_LONGEST_LINE = 300
_LONGEST_DESCRIPTION = 2500
_MOST_STEPS = 5
_MOST_RELATED = 10

_NEEDS_A_PERSON = (State.FAILED, State.PENDING, State.DEFERRED)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[A-Za-z0-9_.:/-]{1,200}")

_JOINER = "\u2060"
"""Takes no room, and keeps apart what would else be read as one thing."""

_LOOK_ALIKES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "\u2217", "~": "\u223c", "`": "'", "[": "(", "]": ")"}
)
"""Slack has no escape but entities for its three control characters (its guide, "Formatting message text"),
so that other marks of formatting become characters that look like them."""

_UNDERSCORE_AT_AN_EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MENTION_LINK_OR_EMOJI = re.compile(
    r"@|:(?=//)|(?<=\w)\.(?=[A-Za-z])"
    r"|(?:(?<![0-9]):|:(?![0-9]))(?=[\w+-]*[A-Za-z][\w+-]*:)"  # not the colons of a time
)


def chat_payload(report: Report, address: str, home: Home) -> dict[str, Any]:
    """What a channel is shown. All runs of a plan for one slot are one thread. `address` is where the run's
    record is."""
    title = plain(subject(report))
    content: dict[str, Any] = {
        "textType": "client-markdown",
        "title": title,
        "description": _description(report, address, home),
        "keywords": [f"holdfast:{home.stack}", f"plan:{report.plan}", f"status:{report.status}"],
    }
    metadata: dict[str, Any] = {
        "threadId": f"{home.stack}.{home.region}.{report.plan}.{compact_slot(report.slot)}",
        "summary": title,
        "eventType": "holdfast.report",
        "additionalContext": {
            "status": str(report.status),
            "plan": report.plan,
            "slot": format_slot(report.slot),
            "record": address,
        },
    }
    if steps := _next_steps(report, home):
        content["nextSteps"] = steps
    if related := _related(report):
        metadata["relatedResources"] = related
    return {"version": "1.0", "source": "custom", "content": content, "metadata": metadata}


def plain(text: str) -> str:
    """The text on one line, which formats nothing, mentions nobody and links to nothing: names and AWS's own
    words may hold whatever somebody put there."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    line = _UNDERSCORE_AT_AN_EDGE.sub("\uff3f", line)
    return _MENTION_LINK_OR_EMOJI.sub(lambda found: found[0] + _JOINER, line).translate(_LOOK_ALIKES)


def _short(text: str) -> str:
    return plain(cut(text, _LONGEST_LINE))


def _description(report: Report, address: str, home: Home) -> str:
    groups = _groups(report)
    lines = [
        _short(verdict(report)),
        _short(summary(report, home)),
        *(f"• {_short(one)}" for one in (*report.refusals, *report.problems, *report.notices)[:_MOST_GROUPS]),
        *(f"• {_short(group_line(each))}" for each in groups[:_MOST_GROUPS]),
        *_more(len(groups) - _MOST_GROUPS),
        *(_short(one) for one in posture_lines(report.glance)[:_MOST_GROUPS]),
        f"The whole record: {address}",
    ]
    return _fitting(lines)


def _groups(report: Report) -> list[Alike]:
    """What needs a person, the most urgent first."""
    return [
        each
        for state in _NEEDS_A_PERSON
        for each in alike(one for one in report.outcomes if one.state is state)
    ]


def _more(count: int) -> list[str]:
    return [f"… and {count} more, in the record"] if count > 0 else []


def _fitting(lines: Sequence[str]) -> str:
    """As many of the lines as fit, the last one in any case."""
    *others, last = lines
    kept: list[str] = []
    room = _LONGEST_DESCRIPTION - len(last)
    for line in others:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, last])


def _next_steps(report: Report, home: Home) -> list[str]:
    told = [
        *(for_problem(one, report.plan, home) for one in report.problems),
        *(for_outcome(each.first) for each in _groups(report)),
    ]
    steps = [plain(one) for one in _once(told)]
    if report.status is Status.REFUSED:
        steps.insert(0, "Read what was refused: it says how to approve it, or what to mend.")
    if may_be_tried_again(report):
        again = f"When the cause is mended, try the slot again: `{command_to_try_again(report, home)}`"
        steps = [*steps[: _MOST_STEPS - 1], again]
    return steps[:_MOST_STEPS]


def _related(report: Report) -> list[str]:
    needy = (one.resource for one in report.by_urgency() if one.state in _NEEDS_A_PERSON)
    return [arn for arn in _once(needy) if _ARN.fullmatch(arn)][:_MOST_RELATED]


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(one for one in texts if one))
