"""A drill in words: which restores would work if they had to, and which would not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.core.brief import cut
from holdfast.core.cost import to_the_cent
from holdfast.core.drilling import SCHEMA, Drilling, Leftover, Rehearsal, drilling_to_dict
from holdfast.core.model import Home, name_of
from holdfast.core.report import Status
from holdfast.core.restore_message import duration

_MAX_SUBJECT = 99
_MOST_LINES = 60
_LONGEST_REASON = 500
_MOST_DATA_BYTES = 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillMessage:
    """For people (`subject`, `text`), machines (`data`) and filters (`attributes`)."""

    subject: str
    text: str
    data: str
    attributes: Mapping[str, str]


def status_of(drilling: Drilling) -> Status:
    """`ok` when each restore that was due was rehearsed and passed, and nothing was left behind."""
    passed = [one for one in drilling.rehearsals if one.passed]
    wrong = len(passed) < len(drilling.rehearsals)
    if not (wrong or drilling.skipped or drilling.problems or drilling.left_behind):
        return Status.OK
    return Status.PARTIAL if passed or not drilling.rehearsals else Status.FAILED


def message_of(drilling: Drilling, home: Home, address: str) -> DrillMessage:
    """The message about a drill that is over. `address` is where the whole of it is kept."""
    status = status_of(drilling)
    return DrillMessage(
        subject=_subject(drilling, status),
        text=_text(drilling, home, address),
        data=_data(drilling, home, status),
        attributes={"status": str(status), "plan": drilling.request.plan, "schema": SCHEMA, "news": "true"},
    )


def _subject(drilling: Drilling, status: Status) -> str:
    head = f"Holdfast drill of {drilling.request.plan}: {str(status).upper()}"
    if drilling.request.sweep:
        gone = sum(one.gone for one in drilling.swept)
        return f"{head}, {gone} of {len(drilling.swept)} leftovers removed"[:_MAX_SUBJECT]
    done = drilling.rehearsals
    parts = [f"{sum(one.passed for one in done)} of {len(done)} restores passed"]
    if longest := max((one.seconds for one in done), default=0.0):
        parts.append(f"longest {duration(longest)}")
    if drilling.skipped:
        parts.append(f"{len(drilling.skipped)} left out")
    if drilling.left_behind:
        parts.append(f"{len(drilling.left_behind)} NOT REMOVED")
    return ", ".join([head, *parts])[:_MAX_SUBJECT]


def _text(drilling: Drilling, home: Home, address: str) -> str:
    failed = [one for one in drilling.rehearsals if not one.passed]
    passed = [one for one in drilling.rehearsals if one.passed]
    minutes, hours = drilling.rto_minutes, drilling.rpo_hours
    blocks = [
        _list("Still standing, and paid for; remove it by hand", drilling.left_behind),
        _list("These restores would not do", [_failed(one) for one in failed]),
        _list("What could not be looked at", drilling.problems),
        _list(
            "Due, and left out",
            [f"{_where(one.resource, one.place)}: {one.reason}" for one in drilling.skipped],
        ),
        _list("Restored, checked and removed", [_passed(one) for one in passed]),
        _list("Left behind by earlier drills", [_swept(one) for one in drilling.swept]),
        ""
        if drilling.request.sweep
        else f"The plan allows {minutes} minutes for a restore (RTO) and {hours} hours of loss (RPO).\n"
        f"Estimated cost of this drill: {to_the_cent(drilling.estimated_usd)} USD. "
        f"The plan has {drilling.candidates} restores to rehearse in all.",
        f"The whole of it: {address}\n{_stack(home)}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _stack(home: Home) -> str:
    return f"Stack {home.stack} in {home.region}, account {home.account or 'not known'}"


def _where(arn: str, place: str) -> str:
    return f"{name_of(arn)} in {place}"


def _failed(one: Rehearsal) -> str:
    return f"{one.kind} {_where(one.resource, one.place)}: {cut(one.why, _LONGEST_REASON)}"


def _passed(one: Rehearsal) -> str:
    took = f"in {duration(one.seconds)}" if one.seconds else ""
    return f"{one.kind} {_where(one.resource, one.place)} {took}: {cut(one.why, _LONGEST_REASON)}"


def _swept(one: Leftover) -> str:
    if one.gone:
        return f"{one.arn}: removed"
    return f"{one.arn}: {cut(one.trouble, _LONGEST_REASON) or 'being removed'}"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = len(lines) - _MOST_LINES
    told = [f"  {one}" for one in lines[:_MOST_LINES]]
    return "\n".join([f"{title}:", *told, *([f"  and {more} more"] if more > 0 else [])])


def _data(drilling: Drilling, home: Home, status: Status) -> str:
    """The document. What is too long for a message is left out of it, and is in the record."""
    own = {"status": str(status), "stack": home.stack, "region": home.region, "account": home.account}
    whole = drilling_to_dict(drilling) | own
    text = json.dumps(whole, ensure_ascii=False)
    if len(text.encode()) <= _MOST_DATA_BYTES:
        return text
    short = [{**one, "given": {}, "checks": []} for one in whole["rehearsals"]][:_MOST_LINES]
    left = whole | {"rehearsals": short, "skipped": [], "swept": [], "problems": [], "left_out": True}
    return json.dumps(left, ensure_ascii=False)
