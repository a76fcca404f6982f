"""A restore: one new resource, of a backup or by point-in-time recovery, with the settings of its source.

Each look at it is an idempotent sweep, as a stage's is: it looks at what stands, does what comes next, and
ends. What it has to know until the next one is kept under the request's id: asking twice restores once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from holdfast.core.brief import cut, joined
from holdfast.core.errors import (
    AlreadyExists,
    CredentialsExpired,
    NotFound,
    NotReady,
    ProviderError,
    RestoreRefused,
    Throttled,
)
from holdfast.core.model import Home
from holdfast.core.naming import format_slot
from holdfast.core.picking import name_for, pick
from holdfast.core.report import State
from holdfast.core.restore_message import message_of
from holdfast.core.restoring import (
    PATIENCE,
    Configuration,
    Filled,
    Found,
    Phase,
    Pick,
    Restore,
    RestoreRequest,
    RestoreState,
    Way,
    pause_after,
)
from holdfast.core.settling import compare
from holdfast.ports import Deadline, Message, Notifier, RestorePorts, Restorer, Steps
from holdfast.usecases.sweep import state_of

_LONGEST_REASON = 1000

_ALL = "(all)"
"""In the place of a setting's name: none of the source's settings could be read."""


def restore(ports: RestorePorts, request: RestoreRequest, now: datetime, deadline: Deadline) -> Restore:
    """One look at a restore, and the next thing that there is to do for it. A `dry_run` says what would be
    done, and neither makes nor keeps anything. What AWS refuses is in the state and its reason.

    Nothing that stands is ever written over: a name that is taken is refused.
    """
    now = now.replace(microsecond=0)  # as it is kept
    try:
        return _looked(ports, request, now, deadline)
    except ProviderError as error:
        return _tripped(_asked(request, now), error, now)


def run_restore(
    steps: Steps,
    request: RestoreRequest,
    sweep: Callable[[], Restore],
    publish: Callable[[Restore], str],
) -> dict[str, object]:
    """Look until it is over, and tell people once. `sweep` is a look (`restore`); `publish` sends the
    message about the restore as the last one saw it, and answers its subject."""
    seen: list[Restore] = []

    def look() -> dict[str, object]:
        seen[:] = [sweep()]
        return _summary(seen[0])

    told = steps.step("restore", look)
    elapsed = 0.0
    while told["state"] == RestoreState.PENDING and elapsed < PATIENCE.total_seconds():
        pause = pause_after(elapsed)
        steps.wait(pause)
        elapsed += pause
        told = steps.step("restore", look)
    if told["state"] == RestoreState.PLANNED:
        return told
    # A run that died behind its last look has only what is remembered of it. It must not look again: what was
    # refused a moment ago could be begun now.
    ended = seen[0] if seen else _remembered(request, told)
    return {**told, **steps.step("publish", lambda: {"subject": publish(ended)})}


def publish_restore(notifier: Notifier, restore: Restore, home: Home, address: str) -> str:
    """Tell people how it ended; the message's subject."""
    told = message_of(restore, home, address)
    notifier.publish(
        Message(subject=told.subject, text=told.text, data=told.data, attributes=told.attributes)
    )
    return told.subject


def _summary(restore: Restore) -> dict[str, object]:
    """What the durable function keeps of a look, and answers in the end."""
    fates = [one.fate for one in restore.settings]
    return {
        "id": restore.request.id,
        "state": str(restore.state),
        "reason": cut(restore.reason, _LONGEST_REASON),
        "to": restore.to,
        "arn": restore.arn,
        "began": restore.began.isoformat(),
        "ended": (restore.ended or restore.began).isoformat(),
        "seconds": round(restore.seconds, 3),
        "made_of": [one.arn for one in restore.pick.pieces] if restore.pick else [],
        "settings": {str(fate): fates.count(fate) for fate in sorted(set(fates))},
        "lost": {one.name: cut(one.reason, _LONGEST_REASON) for one in restore.lost},
    }


def _remembered(request: RestoreRequest, told: Mapping[str, object]) -> Restore:
    """A restore that is over, without its settings, as its summary tells it."""
    return Restore(
        request=request,
        state=RestoreState(str(told["state"])),
        reason=str(told["reason"]),
        began=datetime.fromisoformat(str(told["began"])),
        ended=datetime.fromisoformat(str(told["ended"])),
        to=str(told["to"]),
        arn=str(told["arn"]),
    )


# --- deciding ----------------------------------------------------------------------------------------------


def _looked(ports: RestorePorts, request: RestoreRequest, now: datetime, deadline: Deadline) -> Restore:
    kept = None if request.dry_run else ports.restores.load(request.id)
    if kept is None:
        planned = _planned(ports, request, now)
        if request.dry_run or planned.is_over:
            return planned
        kept = ports.restores.begin(planned)
    if kept.request != request:
        reason = (
            f"id: {request.id} is that of another restore, of {kept.request.resource} to {kept.to}: give "
            "another id, or none"
        )
        return _asked(request, now).ends(RestoreState.REFUSED, reason, now)
    if kept.is_over:
        return kept
    gone_on = _tried(ports, kept, now, deadline)
    if gone_on != kept:
        ports.restores.save(gone_on)
    return gone_on


def _planned(ports: RestorePorts, request: RestoreRequest, now: datetime) -> Restore:
    """What is to be done, or the refusal. Makes nothing."""
    asked, restorer = _asked(request, now), ports.restorers[request.kind]
    if mistakes := restorer.mistakes(request.settings):
        return asked.ends(RestoreState.REFUSED, joined(mistakes), now)
    backups = ports.providers[request.kind].backups(request.region, request.resource)
    window = None if request.is_abroad else restorer.window(request.resource)
    try:
        picked = pick(request, backups, window, now)
        name = name_for(request, picked, now)
    except RestoreRefused as refused:
        return asked.ends(RestoreState.REFUSED, str(refused), now)
    planned = replace(
        asked,
        state=RestoreState.PLANNED if request.dry_run else RestoreState.PENDING,
        reason=f"to be made: {picked.reason}",
        to=name,
        pick=picked,
    )
    if taken := restorer.look(planned.target):
        return planned.ends(RestoreState.REFUSED, _taken(taken, planned), now)
    known = _known(ports, request, picked)
    return replace(planned, known=known, reason=planned.reason + _of_settings(known))


def _known(ports: RestorePorts, request: RestoreRequest, picked: Pick) -> Configuration | None:
    """The source's settings: as they are, else as a run recorded them with the backup; `None` when it is gone
    and nothing is recorded. That its Region cannot be reached hinders no restore elsewhere: it may be why one
    is needed."""
    unreached = ""
    try:
        standing = ports.restorers[request.kind].configuration(request.resource)
    except (Throttled, NotReady, CredentialsExpired):
        raise  # it answers, and will tell in a while
    except ProviderError as error:
        if not request.is_abroad:
            raise
        standing, unreached = None, str(error)
    if standing is not None:
        return standing
    recorded, unread = _recorded(ports, request, picked)
    why = "; ".join(filter(None, (unreached, unread)))
    if recorded is None and why:
        return Configuration(arn=request.resource, settings={}, unread={_ALL: why})
    return recorded


def _recorded(ports: RestorePorts, request: RestoreRequest, picked: Pick) -> tuple[Configuration | None, str]:
    """What a run recorded of the source, and why that could not be read: it never hinders a restore."""
    last = picked.pieces[-1] if picked.pieces else None
    if last is None or last.slot is None:
        return None, ""  # of no backup, or of one that no run made
    try:
        return ports.recorded.find(last.plan, request.resource, last.slot), ""
    except ProviderError as error:
        return None, f"what was recorded of its settings cannot be read: {error}"


def _of_settings(known: Configuration | None) -> str:
    """Where the source's settings are from, behind a reason; empty when they are its own as they stand."""
    if known is None:
        return "; the source's settings are not known"
    if known.recorded is not None:
        return f"; the source's settings are those recorded on {format_slot(known.recorded)}"
    return f"; the source's settings are not known: {known.unread[_ALL]}" if _ALL in known.unread else ""


def _asked(request: RestoreRequest, now: datetime) -> Restore:
    """A restore of which nothing is decided yet."""
    return Restore(request=request, state=RestoreState.PENDING, reason="", began=now, to=request.to)


def _taken(found: Found, restore: Restore) -> str:
    return (
        f"to: {restore.to} is taken: {found.arn} ({found.text}) stands under that name, and a restore never "
        "writes over what stands. Give another name as 'to'"
    )


# --- acting ------------------------------------------------------------------------------------------------


def _tried(ports: RestorePorts, kept: Restore, now: datetime, deadline: Deadline) -> Restore:
    """As far as it comes now."""
    try:
        return _gone_on(ports.restorers[kept.request.kind], kept, now, deadline)
    except ProviderError as error:
        return _tripped(kept, error, now)


def _tripped(kept: Restore, error: ProviderError, now: datetime) -> Restore:
    """What an error makes of a restore: what may pass by itself leaves it pending."""
    state, reason = state_of(error)
    if isinstance(error, NotFound):
        reason = f"something that it needs is gone ({error})"
    elif state is not State.FAILED:
        return _waiting(kept, reason, now)
    return kept.ends(RestoreState.FAILED, f"{reason}; {_ask_anew(kept)}", now)


def _gone_on(restorer: Restorer, kept: Restore, now: datetime, deadline: Deadline) -> Restore:
    picked = kept.pick
    if picked is None:  # a document that somebody wrote: what is kept has always been decided
        return kept.ends(RestoreState.FAILED, "it is not known what it was to be made of", now)
    found = restorer.look(kept.target)
    if found is None:
        try:
            restorer.begin(picked, kept.target, kept.wanted)
        except AlreadyExists:
            found = restorer.look(kept.target)
        if found is None:
            return _waiting(kept, "AWS has begun to make it", now)
    if not kept.is_mine(found):
        return kept.ends(RestoreState.REFUSED, _taken(found, kept), now)
    kept = replace(kept, arn=found.arn)
    match found.phase:
        case Phase.FAILED:
            reason = f"AWS gave it up: it is {found.text}. Look at {found.arn}, and {_ask_anew(kept)}"
            return kept.ends(RestoreState.FAILED, reason, now)
        case Phase.MAKING:
            return _waiting(kept, f"AWS is making it ({found.text})", now)
        case Phase.READY:
            return _finished(restorer, kept, found, now, deadline)


def _finished(restorer: Restorer, kept: Restore, found: Found, now: datetime, deadline: Deadline) -> Restore:
    """It stands. What it still lacks is put in, and then it is compared with its source."""
    picked = kept.pick
    if picked is not None and picked.way is Way.EXPORT:
        filled = restorer.fill(picked, kept.target, kept.filled, deadline)
        kept = replace(kept, filled=filled)
        if filled.done < filled.total:
            return _waiting(kept, _filling(filled), now)
    settled = restorer.settle(kept.target, found, kept.wanted)
    if settled.pending:
        return _waiting(kept, settled.pending, now)
    restored = restorer.configuration(found.arn)
    if restored is None:
        return _waiting(kept, "it cannot be seen at the moment", now)
    outcomes = compare(kept.known, restored, kept.request.settings, settled.problems)
    reason = f"it stands{_of_settings(kept.known)}"
    return replace(kept.ends(RestoreState.DONE, reason, now), settings=outcomes)


def _filling(filled: Filled) -> str:
    return f"the changes since the whole export are put on top: {filled.done} of {filled.total} parts"


def _waiting(kept: Restore, doing: str, now: datetime) -> Restore:
    if now - kept.began <= PATIENCE:
        return replace(kept, reason=doing)
    hours = round(PATIENCE.total_seconds() / 3600)
    what = kept.arn or kept.to
    reason = f"not finished after {hours} hours, and no longer waited for: {doing}. Look at {what}"
    return kept.ends(RestoreState.FAILED, reason, now)


def _ask_anew(kept: Restore) -> str:
    return f"ask again with another id (this one was {kept.request.id})"
