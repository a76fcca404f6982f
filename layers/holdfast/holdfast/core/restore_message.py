"""A restore in words: what a person reads who has waited for it at three in the morning."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.core.brief import cut
from holdfast.core.model import Home, name_of
from holdfast.core.naming import format_slot
from holdfast.core.report import Status
from holdfast.core.restoring import (
    SCHEMA,
    Fate,
    Restore,
    RestoreState,
    SettingOutcome,
    Way,
    restore_to_dict,
)

_MAX_SUBJECT = 99
_MOST_SETTINGS = 60
_LONGEST_VALUE = 120
_LONGEST_REASON = 500
_MOST_DATA_BYTES = 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreMessage:
    """For people (`subject`, `text`), machines (`data`) and filters (`attributes`)."""

    subject: str
    text: str
    data: str
    attributes: Mapping[str, str]


def status_of(restore: Restore) -> Status:
    """`ok` when all settings came back; `partial` when it stands and some did not."""
    match restore.state:
        case RestoreState.DONE:
            return Status.PARTIAL if restore.lost or restore.known is None else Status.OK
        case RestoreState.REFUSED:
            return Status.REFUSED
        case _:
            return Status.FAILED


def message_of(restore: Restore, home: Home, address: str) -> RestoreMessage:
    """The message about a restore that is over. `address` is where the whole of it is kept."""
    status = status_of(restore)
    return RestoreMessage(
        subject=_subject(restore, status),
        text=_text(restore, home, address),
        data=_data(restore, home, status),
        attributes={"status": str(status), "schema": SCHEMA, "news": "true"},
    )


def _subject(restore: Restore, status: Status) -> str:
    name = restore.to or name_of(restore.request.resource)
    head = f"Holdfast restore: {str(status).upper()}, "
    tail = f" in {duration(restore.seconds)}" if restore.state is RestoreState.DONE else ""
    if restore.lost:
        tail += f", {_count(len(restore.lost), 'setting')} missing"
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in name)
    return head + plain[: _MAX_SUBJECT - len(head) - len(tail)] + tail


def _text(restore: Restore, home: Home, address: str) -> str:
    where = f"Stack {home.stack} in {home.region}, account {home.account or 'not known'}"
    blocks = [
        _verdict(restore),
        _what(restore),
        _settings("What did not come back", restore.lost),
        _settings("As the request says, and not as the source had it", _of(restore, Fate.CHANGED)),
        _settings("As the source had it", _of(restore, Fate.RESTORED)),
        f"The whole of it: {address}\n{where}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _verdict(restore: Restore) -> str:
    request, name = restore.request, name_of(restore.request.resource)
    if restore.state is not RestoreState.DONE:
        word = "was refused" if restore.state is RestoreState.REFUSED else "failed"
        return f"The restore of {request.kind} {name} {word}: {cut(restore.reason, _LONGEST_REASON)}"
    said = f"{restore.to} stands in {request.region}, made of {name} in {duration(restore.seconds)}."
    if restore.known is None:
        said += " The source is gone and its settings are not known: compare them with what you have of them."
    elif restore.known.recorded is not None:
        said += f" Its settings are those recorded on {format_slot(restore.known.recorded)}."
    return said + f" Nothing uses it yet: point at it what used {name}."


def _what(restore: Restore) -> str:
    pick = restore.pick
    lines = [f"Resource: {restore.request.resource}"]
    if restore.arn:
        lines.append(f"Restored: {restore.arn}")
    if pick is not None:
        lines += [f"Made of:  {one.arn}" for one in pick.pieces]
        of = format_slot(pick.instant) if pick.instant else "the latest instant that there was"
        how = {
            Way.BACKUP: "a backup",
            Way.INSTANT: "point-in-time recovery",
            Way.EXPORT: "an export, and the changes since",
        }[pick.way]
        lines.append(f"Data of:  {of} ({how}: {cut(pick.reason, _LONGEST_REASON)})")
    return "\n".join(lines)


def _settings(title: str, outcomes: Sequence[SettingOutcome]) -> str:
    if not outcomes:
        return ""
    lines = [f"  {_line(one)}" for one in outcomes[:_MOST_SETTINGS]]
    more = len(outcomes) - _MOST_SETTINGS
    return "\n".join([f"{title}:", *lines, *([f"  and {more} more"] if more > 0 else [])])


def _line(one: SettingOutcome) -> str:
    has = cut(json.dumps(one.restored, ensure_ascii=False), _LONGEST_VALUE)
    if one.fate is Fate.RESTORED:
        return f"{one.name}: {has}"
    had = cut(json.dumps(one.source, ensure_ascii=False), _LONGEST_VALUE)
    return f"{one.name}: {has}, and was {had}: {cut(one.reason, _LONGEST_REASON)}"


def _of(restore: Restore, fate: Fate) -> list[SettingOutcome]:
    return [one for one in restore.settings if one.fate is fate]


def _data(restore: Restore, home: Home, status: Status) -> str:
    """The document. What is too long for a message is left out of it, and is in the record."""
    own = {"status": str(status), "stack": home.stack, "region": home.region, "account": home.account}
    whole = restore_to_dict(restore) | own
    text = json.dumps(whole, ensure_ascii=False)
    if len(text.encode()) <= _MOST_DATA_BYTES:
        return text
    short = whole | {"source": None, "settings": [], "left_out": True}
    short["request"] = {**whole["request"], "settings": {}}
    return json.dumps(short | {"reason": cut(restore.reason, _LONGEST_REASON)}, ensure_ascii=False)


def duration(seconds: float) -> str:
    """`23 min`, `1 h 5 min`, `40 s`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
