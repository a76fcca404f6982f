"""A recovery in words: what could not be restored first, then what it lacks, then what was lost and how long
it took."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.core.brief import cut
from holdfast.core.model import Home, name_of
from holdfast.core.naming import format_slot
from holdfast.core.recovery import SCHEMA, Line, LineState, Recovery
from holdfast.core.recovery_document import recovery_to_dict
from holdfast.core.report import Status
from holdfast.core.restore_message import duration

_MAX_SUBJECT = 99
_MOST_LINES = 60
_MOST_SETTINGS = 8
_LONGEST_REASON = 500
_MOST_DATA_BYTES = 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryMessage:
    """For people (`subject`, `text`), machines (`data`) and filters (`attributes`)."""

    subject: str
    text: str
    data: str
    attributes: Mapping[str, str]


def status_of(recovery: Recovery) -> Status:
    """`ok` when all of it stands, with its data and its settings; `failed` when nothing does."""
    if not recovery.restored:
        return Status.FAILED
    lacking = recovery.missing or any(one.lacks_settings for one in recovery.lines)
    return Status.PARTIAL if lacking or recovery.problems else Status.OK


def message_of(recovery: Recovery, home: Home, here: str, address: str) -> RecoveryMessage:
    """The message about a recovery that is over. `here` is the Region of the stack that did it, `address`
    where the whole of it is kept."""
    status = status_of(recovery)
    return RecoveryMessage(
        subject=_subject(recovery, status),
        text=_text(recovery, home, here, address),
        data=_data(recovery, home, here, status),
        attributes={"status": str(status), "plan": recovery.request.plan, "schema": SCHEMA, "news": "true"},
    )


def _subject(recovery: Recovery, status: Status) -> str:
    request = recovery.request
    head = f"Holdfast recovery of {request.plan} in {request.region}: {str(status).upper()}, "
    tail = f"{len(recovery.restored)} of {len(recovery.lines)} restored"
    if recovery.missing:
        tail += f", {len(recovery.missing)} not"
    return (head + tail)[:_MAX_SUBJECT]


def _text(recovery: Recovery, home: Home, here: str, address: str) -> str:
    lacking = [one for one in recovery.restored if one.lacks_settings]
    blocks = [
        _verdict(recovery),
        _list("NOT restored", [_missing(one, recovery) for one in recovery.missing]),
        _list("Restored, and not as they were", [_lacking(one) for one in lacking]),
        _list("What else went wrong", recovery.problems),
        _list(
            "What was lost (RPO) and how long it took (RTO)",
            [_measured(one, recovery) for one in _worst(recovery)],
        ),
        _counts(recovery),
        f"The whole of it: {address}\nStack {home.stack} in {here}, account {home.account or 'not known'}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _verdict(recovery: Recovery) -> str:
    request, total = recovery.request, len(recovery.lines)
    source = (
        f"the inventory of {format_slot(recovery.slot)}"
        if recovery.slot
        else "the backups alone, since no inventory is there"
    )
    said = (
        f"{len(recovery.restored)} of the {total} resources of plan {request.plan} were restored in "
        f"{request.region} in {duration(recovery.seconds)}, by {source}."
    )
    return said + " Nothing uses them yet: point at them what used the lost ones."


def _missing(line: Line, recovery: Recovery) -> str:
    told = f"{_named(line)}: {cut(line.reason, _LONGEST_REASON) or 'its turn did not come'}"
    return (
        f"{told}\n      {line.resource}\n      What to do: mend that, and ask again with another id and only "
        f"this ARN as `only` (restores/{recovery.restore_request(line).id}.json has what was tried)."
    )


def _lacking(line: Line) -> str:
    if not line.lost_settings:
        return f"{_named(line)}: the source's settings are not known; compare them with what you have of them"
    names = [
        f"{one.name} ({cut(one.reason, _LONGEST_REASON)})" for one in line.lost_settings[:_MOST_SETTINGS]
    ]
    more = len(line.lost_settings) - _MOST_SETTINGS
    return f"{_named(line)}: {'; '.join(names)}" + (f"; and {more} more" if more > 0 else "")


def _worst(recovery: Recovery) -> list[Line]:
    """What was restored, the one that lost most first."""
    at = recovery.lost_at
    return sorted(recovery.restored, key=lambda one: (-(one.lost_hours(at) or 0), one.resource))


def _measured(line: Line, recovery: Recovery) -> str:
    hours = line.lost_hours(recovery.lost_at)
    lost = "not known" if hours is None else duration(hours * 3600)
    over = [
        word
        for word, is_over in (
            (
                f"more than the RPO of {recovery.rpo_hours} h",
                recovery.rpo_hours and (hours or 0) > recovery.rpo_hours,
            ),
            (
                f"longer than the RTO of {recovery.rto_minutes} min",
                recovery.rto_minutes and line.seconds > recovery.rto_minutes * 60,
            ),
        )
        if is_over
    ]
    of = f" (data of {format_slot(line.instant)})" if line.instant else ""
    beyond = f": {', '.join(over)}" if over else ""
    return f"{_named(line)}: lost {lost}{of}, restored in {duration(line.seconds)}{beyond}"


def _counts(recovery: Recovery) -> str:
    counts = Counter((one.kind, one.is_restored) for one in recovery.lines)
    kinds = sorted({kind for kind, _ in counts})
    return "\n".join(
        f"  {counts[kind, True]:>5} of {counts[kind, True] + counts[kind, False]} {kind}" for kind in kinds
    )


def _named(line: Line) -> str:
    name = name_of(line.resource)
    called = f"{line.label} ({name})" if line.label and line.label != name else name
    tier = f", tier {line.tier}" if line.tier is not None else ""
    return f"{line.kind} {called}{tier}"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = len(lines) - _MOST_LINES
    told = [f"  - {one}" for one in lines[:_MOST_LINES]]
    return "\n".join([f"{title} ({len(lines)}):", *told, *([f"  and {more} more"] if more > 0 else [])])


def _data(recovery: Recovery, home: Home, here: str, status: Status) -> str:
    """The document. What is too long for a message is left out of it, and is in the record."""
    own = {"status": str(status), "plan": recovery.request.plan, "stack": home.stack}
    own |= {"region": here, "account": home.account}
    whole = recovery_to_dict(recovery) | own
    text = json.dumps(whole, ensure_ascii=False)
    if len(text.encode()) <= _MOST_DATA_BYTES:
        return text
    missing = [one for one in whole["resources"] if one["state"] != LineState.DONE]
    short = [
        {**one, "reason": cut(one["reason"], _LONGEST_REASON), "lost_settings": []}
        for one in missing[:_MOST_LINES]
    ]
    request = whole["request"] | {"names": {}, "settings": {}, "only": []}
    left = whole | {"request": request, "resources": short, "problems": [], "left_out": True}
    return json.dumps(left, ensure_ascii=False)
