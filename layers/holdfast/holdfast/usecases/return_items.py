"""Lost items come back: a restored table is compared with the live one, and what that has lost is copied.

Each look is an idempotent sweep over as many pages as there is time for. How far it came is kept after each
page, under the request's id. Nothing is written but on a condition that DynamoDB checks with the write: an
item that appeared or changed since it was compared stays as it is. Nothing is deleted.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched

from holdfast.core.brief import cut
from holdfast.core.errors import NotFound, NotReady, ProviderError, RestoreRefused
from holdfast.core.items import Fate, Item, Table, Written, identity, key_of
from holdfast.core.model import Home
from holdfast.core.report import State
from holdfast.core.restoring import PATIENCE, RestoreState, pause_after
from holdfast.core.return_message import message_of
from holdfast.core.returning import (
    Comparison,
    Counts,
    Failure,
    Judged,
    Return,
    ReturnRequest,
    ReturnState,
    counted,
    judge,
    keys_to_dict,
    refusal,
    return_from_summary,
    summary_of,
    to_write,
    told_before,
    with_failures,
    with_keys,
)
from holdfast.ports import Deadline, Message, Notifier, ReturnPorts, ReturnStore, Steps
from holdfast.usecases.sweep import state_of

PAGE = 1000
"""Items that are compared and copied before it is noted that they were."""

BATCH = 100
"""BatchGetItem gives so many (API reference)."""

WRITERS = 8
"""Writes at the same time."""

ENOUGH_SECONDS = 90.0
"""For a page: no other one is begun with less time left. One that has to be broken off is compared again."""

_SHORT_PAUSE_SECONDS = 1
_LONGEST_REASON = 1000
_KIND = "dynamodb"


def return_items(ports: ReturnPorts, request: ReturnRequest, now: datetime, deadline: Deadline) -> Return:
    """One look, and as many pages as there is time for. A `dry_run` compares, keeps how far it is, and writes
    no item. What AWS refuses is in the state and its reason."""
    now = now.replace(microsecond=0)  # as it is kept
    asked = Return(request=request, state=ReturnState.PENDING, reason="", began=now, target=request.target)
    work = _Work(store=ports.returns, kept=asked)
    try:
        _look(ports, work, now, deadline)
    except RestoreRefused as refused:
        _end(work, ReturnState.REFUSED, str(refused), now)
    except ProviderError as error:
        _trip(work, error, now)
    return work.kept


def run_return(
    steps: Steps,
    request: ReturnRequest,
    sweep: Callable[[], Return],
    publish: Callable[[Return], str],
) -> dict[str, object]:
    """Look until it is over, and tell people once, but of a dry run nobody: its answer has the keys."""

    def look() -> dict[str, object]:
        return _told(sweep())

    told = steps.step("return_items", look)
    idle = 0.0
    while told["state"] == ReturnState.PENDING and idle < PATIENCE.total_seconds():
        # What is throttled is given time; what ran out of the function's time goes on.
        pause = pause_after(idle) if told["waits"] else _SHORT_PAUSE_SECONDS
        steps.wait(pause)
        idle += pause
        told = steps.step("return_items", look)
    if request.dry_run:
        return told
    ended = return_from_summary(told)
    return {**told, **steps.step("publish", lambda: {"subject": publish(ended)})}


def publish_return(notifier: Notifier, ended: Return, home: Home, address: str) -> str:
    """Tell people how it ended; the message's subject."""
    told = message_of(ended, home, address)
    notifier.publish(
        Message(subject=told.subject, text=told.text, data=told.data, attributes=told.attributes)
    )
    return told.subject


def _told(seen: Return) -> dict[str, object]:
    """What the durable function keeps of a look, and answers in the end. Keys are told by a dry run alone."""
    told: dict[str, object] = summary_of(seen) | {"reason": cut(seen.reason, _LONGEST_REASON)}
    told["waits"] = bool(seen.reason) and not seen.is_over
    return told | ({"keys": keys_to_dict(seen)} if seen.request.dry_run and seen.is_over else {})


@dataclass(slots=True, kw_only=True)
class _Work:
    """A return as it is kept, and the mark of what was last written of it; no mark: nothing is kept yet."""

    store: ReturnStore
    kept: Return
    mark: str = ""

    def keep(self, kept: Return) -> None:
        self.mark = self.store.save(kept, self.mark)
        self.kept = kept


def _end(work: _Work, state: ReturnState, reason: str, now: datetime) -> None:
    """It is over. What was never begun is not kept: it can be asked for again under its id."""
    ended = work.kept.ends(state, reason, now)
    if not work.mark:
        work.kept = ended
        return
    try:
        work.keep(ended)
    except ProviderError as error:
        # The next look ends the same way.
        work.kept = ended if not error.retryable else replace(work.kept, reason=state_of(error)[1])


def _trip(work: _Work, error: ProviderError, now: datetime) -> None:
    """What an error makes of it: what may pass by itself leaves it pending."""
    state, reason = state_of(error)
    if isinstance(error, NotFound):
        state, reason = State.FAILED, f"something that it needs is gone ({error})"
    if state is State.FAILED:
        again = f"ask again with another id (this one was {work.kept.request.id})"
        _end(work, ReturnState.FAILED, f"{reason}; {again}", now)
    elif now - work.kept.began > PATIENCE:
        _end(work, ReturnState.FAILED, f"not finished after {_hours()} hours: {reason}", now)
    else:
        work.kept = replace(work.kept, reason=reason)


def _hours() -> int:
    return round(PATIENCE.total_seconds() / 3600)


# --- which tables ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    source: Table
    target: Table
    expiry: str


def _pair(ports: ReturnPorts, request: ReturnRequest) -> _Pair:
    """Both tables, when items may go from one to the other. Raises `RestoreRefused` with what would work."""
    source = _standing(ports, request.source, "from")
    target = _standing(ports, request.target or _origin(ports, source), "to")
    if reason := refusal(source, target):
        raise RestoreRefused(reason)
    _see_that_it_is_whole(ports, source)
    return _Pair(source=source, target=target, expiry=ports.tables.expiry(target.arn))


def _standing(ports: ReturnPorts, arn: str, key: str) -> Table:
    table = ports.tables.table(arn)
    if table is None:
        raise RestoreRefused(f"{key}: there is no table {arn}; give the ARN of one that stands")
    if table.unready and table.lasting:
        raise RestoreRefused(f"{key}: {arn} is {table.unready}, and cannot be used; give another")
    if table.unready:
        raise NotReady(_KIND, arn, "DescribeTable", "TableNotReady", f"it is {table.unready}")
    return table


def _origin(ports: ReturnPorts, source: Table) -> str:
    """What a restored table was made of."""
    kept = ports.restores.load(source.restored_by) if source.restored_by else None
    if kept is None or kept.arn != source.arn:
        raise RestoreRefused(
            f"to: missing; no record tells what {source.arn} was made of: give the ARN of the table that has "
            "lost items"
        )
    if kept.request.resource == source.arn:
        raise RestoreRefused(
            f"to: missing; {source.arn} stands in the place of its source: give another table"
        )
    return kept.request.resource


def _see_that_it_is_whole(ports: ReturnPorts, source: Table) -> None:
    """A table that an import made still lacks the changes since, until its restore is over."""
    kept = ports.restores.load(source.restored_by)
    if kept is not None and kept.arn == source.arn and kept.state is RestoreState.PENDING:
        message = f"the restore {source.restored_by}, which makes it, is not over: {kept.reason}"
        raise NotReady(_KIND, source.arn, "Scan", "RestoreNotOver", message)


# --- acting ------------------------------------------------------------------------------------------------


def _look(ports: ReturnPorts, work: _Work, now: datetime, deadline: Deadline) -> None:
    request = work.kept.request
    kept, mark = ports.returns.load(request)
    if kept is not None:
        if kept.request != request:
            raise RestoreRefused(
                f"id: {request.id} is that of another return, from {kept.request.source} to {kept.target}: "
                "give another id, or none"
            )
        work.kept, work.mark = replace(kept, reason="" if not kept.is_over else kept.reason), mark
        if kept.is_over:
            return
    pair = _pair(ports, request)
    if kept is None:
        work.keep(replace(work.kept, target=pair.target.arn))
    elif kept.target != pair.target.arn:
        raise RestoreRefused(f"to: it was {kept.target} when this began, and would be {pair.target.arn} now")
    while now - work.kept.began <= PATIENCE:
        if deadline() < ENOUGH_SECONDS:
            return
        _page(ports, work, pair, now)
        if work.kept.is_over:
            return
    _end(work, ReturnState.FAILED, f"not finished after {_hours()} hours, and no longer waited for", now)


def _page(ports: ReturnPorts, work: _Work, pair: _Pair, now: datetime) -> None:
    """Compare and copy one page; behind the last one it is over."""
    kept, request = work.kept, work.kept.request
    page = ports.tables.page(pair.source.arn, kept.after, PAGE)
    judged, units = _judged(ports, kept, pair, page.items)
    compared, writes = counted(judged), to_write(judged, request)
    if kept.begun is None:
        kept = with_keys(kept, judged)
        counts = compared
        if writes:
            # What is written compares as the same later. Noted first, it counts even when this is cut short.
            work.keep(replace(kept, begun=compared))
    else:
        counts = told_before(kept.begun, compared, request)
    written = _written(ports, pair, writes)
    failures = [
        Failure(key=one.key, reason=each.reason)
        for one, each in zip(writes, written, strict=True)
        if each.fate is Fate.FAILED
    ]
    kept = replace(
        with_failures(kept, failures),
        after=page.after,
        begun=None,
        counts=kept.counts + counts + _became(writes, written),
        read_units=kept.read_units + page.units + units,
        write_units=kept.write_units + sum(one.units for one in written),
    )
    if page.after is None:
        done = ReturnState.COMPARED if request.dry_run else ReturnState.DONE
        kept = kept.ends(done, f"{kept.counts.compared:,} items were compared", now)
    work.keep(kept)


def _judged(
    ports: ReturnPorts, kept: Return, pair: _Pair, items: Sequence[Item]
) -> tuple[list[Judged], float]:
    """How each item stands, and the read units that it took. An item may have 400 KB: of what the live table
    has no more is in memory at once than a batch, and what has to be replaced."""
    judged, units = list[Judged](), 0.0
    for batch in batched(items, BATCH, strict=False):
        keys = [key_of(one, pair.source.keys) for one in batch]
        found = ports.tables.find(pair.target.arn, keys)
        there = {identity(key_of(one, pair.target.keys)): one for one in found.items}
        judged += [
            judge(item, key, there.get(identity(key)), kept.request, pair.expiry, kept.began)
            for item, key in zip(batch, keys, strict=True)
        ]
        units += found.units
    return judged, units


def _written(ports: ReturnPorts, pair: _Pair, writes: list[Judged]) -> list[Written]:
    """What became of each write. Raises what may pass by itself, and what concerns them all."""
    if not writes:
        return []
    with ThreadPoolExecutor(min(WRITERS, len(writes))) as pool:
        return list(
            pool.map(
                lambda one: ports.tables.put(pair.target.arn, one.item, one.was, pair.target.keys), writes
            )
        )


def _became(writes: list[Judged], written: list[Written]) -> Counts:
    def count(fate: Fate, *comparisons: Comparison) -> int:
        pairs = zip(writes, written, strict=True)
        return sum(each.fate is fate and one.comparison in comparisons for one, each in pairs)

    both = (Comparison.LOST, Comparison.CHANGED)
    return Counts(
        returned=count(Fate.DONE, Comparison.LOST),
        replaced=count(Fate.DONE, Comparison.CHANGED),
        meanwhile=count(Fate.MEANWHILE, *both),
        failed=count(Fate.FAILED, *both),
    )
