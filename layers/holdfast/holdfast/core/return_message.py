"""A return of lost items in words. Counts alone: the items are the users' data, and keys may name people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.core.brief import cut
from holdfast.core.model import Home, name_of
from holdfast.core.report import Status
from holdfast.core.restore_message import duration
from holdfast.core.returning import SCHEMA, Return, ReturnState, summary_of

_MAX_SUBJECT = 99
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnMessage:
    """For people (`subject`, `text`), machines (`data`) and filters (`attributes`)."""

    subject: str
    text: str
    data: str
    attributes: Mapping[str, str]


def status_of(kept: Return) -> Status:
    """`partial` when an item that was to come back did not."""
    match kept.state:
        case ReturnState.DONE | ReturnState.COMPARED:
            return Status.PARTIAL if kept.counts.failed or kept.counts.meanwhile else Status.OK
        case ReturnState.REFUSED:
            return Status.REFUSED
        case _:
            return Status.FAILED


def message_of(kept: Return, home: Home, address: str) -> ReturnMessage:
    """The message about a return that is over. `address` is where the whole of it is kept."""
    status = status_of(kept)
    own = {"status": str(status), "stack": home.stack, "region": home.region, "account": home.account}
    told = summary_of(kept) | {"schema": SCHEMA, "reason": cut(kept.reason, _LONGEST_REASON)} | own
    return ReturnMessage(
        subject=_subject(kept),
        text=_text(kept, home, address),
        data=json.dumps(told, ensure_ascii=False),
        attributes={"status": str(status), "schema": SCHEMA, "news": "true"},
    )


def _subject(kept: Return) -> str:
    counts, name = kept.counts, name_of(kept.target or kept.request.source)
    tail = f": {kept.state}"
    if kept.state is ReturnState.DONE:
        tail += f", {_items(counts.returned, 'lost ')} copied back"
        if counts.replaced:
            tail += f", {counts.replaced:,} changed replaced"
        if left := _kept(kept):
            tail += f", {left:,} changed kept"
        if counts.failed:
            tail += f", {counts.failed:,} failed"
    head = "Holdfast return to "
    tail = tail[: _MAX_SUBJECT - len(head) - 3]
    return head + name[: _MAX_SUBJECT - len(head) - len(tail)] + tail


def _kept(kept: Return) -> int:
    return max(0, kept.counts.changed - kept.counts.replaced)


def _text(kept: Return, home: Home, address: str) -> str:
    where = f"Stack {home.stack} in {home.region}, account {home.account or 'not known'}"
    tables = f"From: {kept.request.source}"
    if kept.target:
        tables += f"\nTo:   {kept.target}"
    blocks = [_verdict(kept), tables, _lines(kept), f"The whole of it: {address}\n{where}"]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _verdict(kept: Return) -> str:
    name = name_of(kept.target or kept.request.source)
    if kept.state is not ReturnState.DONE:
        word = "was refused" if kept.state is ReturnState.REFUSED else "failed"
        said = f"The return of lost items to {name} {word}: {cut(kept.reason, _LONGEST_REASON)}"
        return said + (f". What had been copied by then stays in {name}." if kept.counts.returned else "")
    return (
        f"{_items(kept.counts.returned, 'lost ')} copied back into {name} in {duration(kept.seconds)}, of "
        f"{_items(kept.counts.compared)} compared. Nothing was deleted."
    )


def _lines(kept: Return) -> str:
    counts = kept.counts
    each = (
        (counts.same, "the same in both tables"),
        (counts.lost, "lost: in the restored table alone"),
        (counts.changed, "changed: in both tables, and different"),
        (counts.expired, "expired: their time to live is over, so that they were left as they are"),
        (counts.returned, "lost ones copied back"),
        (counts.replaced, "changed ones replaced by what they were"),
        (counts.meanwhile, "written by somebody else meanwhile, and left as they are"),
        (counts.failed, "failed; the record names the first of them"),
    )
    if not counts.compared:
        return ""
    lines = [f"  {number:>12,}  {what}" for number, what in each if number]
    units = f"It took {kept.read_units:,.0f} read units and {kept.write_units:,.0f} write units."
    return "\n".join(["Items:", *lines, units])


def _items(number: int, what: str = "") -> str:
    return f"{number:,} {what}item{'' if number == 1 else 's'}"
