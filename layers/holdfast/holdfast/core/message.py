"""A run's report in words: what a person reads on a phone in the morning."""

from collections import Counter
from collections.abc import Iterable, Sequence

from holdfast.core.model import name_of
from holdfast.core.naming import format_slot
from holdfast.core.report import Action, Outcome, Report, State, Status

MAX_SUBJECT = 99
"""SNS takes subjects of fewer than 100 characters."""

_MOST_LINES = 40
_LONGEST_REASON = 400
_VERBS = {
    Action.CREATE: "back up",
    Action.COPY: "copy",
    Action.DELETE: "delete",
    Action.KEEP: "keep",
}


def subject(report: Report) -> str:
    """`Holdfast nightly: PARTIAL, 41 of 42 backed up, 12 copied, 8 pruned, 1 failed`."""
    parts = [_backed_up(report.outcomes), *_amounts(report.outcomes)]
    head = f"Holdfast {report.plan}: {str(report.status).upper()}"
    return ", ".join([head, *parts])[:MAX_SUBJECT]


def text(report: Report, address: str) -> str:
    """The body: what needs a person first, then what was done, then where the whole record is."""
    blocks = [
        f"Plan {report.plan}, slot {format_slot(report.slot)}: {str(report.status).upper()}",
        _advice(report.status),
        *_sentences("Refused", report.refusals),
        *_sentences("Could not be done", report.problems),
        *_list_of(report.outcomes, State.FAILED, "Failed"),
        *_list_of(report.outcomes, State.PENDING, "Not finished"),
        *_list_of(report.outcomes, State.DEFERRED, "Put off"),
        _summary(report.outcomes),
        *_skipped(report.outcomes),
        f"The whole record: {address}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _advice(status: Status) -> str:
    return {
        Status.OK: "Everything the plan protects has its backup.",
        Status.PARTIAL: "Something is missing or not finished. The next run tries again.",
        Status.REFUSED: "A guard held something back. Nothing was lost; a person has to look.",
        Status.FAILED: "The run did not do its work. Please look today.",
    }[status]


def _summary(outcomes: Iterable[Outcome]) -> str:
    done = Counter((one.action, one.region) for one in outcomes if one.state is State.DONE)
    words = {Action.CREATE: "backed up", Action.COPY: "copied", Action.DELETE: "pruned"}
    lines = [
        f"  {count:>5} {word} in {region}"
        for action, word in words.items()
        for (counted, region), count in sorted(done.items())
        if counted is action
    ]
    return "\n".join(["Done:", *lines]) if lines else "Done: nothing."


def _skipped(outcomes: Iterable[Outcome]) -> list[str]:
    """Skipped things by reason, so that what the plan leaves out is said every day, in one line each."""
    reasons = Counter(one.reason for one in outcomes if one.state is State.SKIPPED)
    lines = [f"  {count:>5}: {_cut(reason)}" for reason, count in sorted(reasons.items())[:_MOST_LINES]]
    more = [f"  … and {len(reasons) - _MOST_LINES} more reasons"] if len(reasons) > _MOST_LINES else []
    return ["\n".join(["Left out:", *lines, *more])] if lines else []


def _sentences(title: str, sentences: Sequence[str]) -> list[str]:
    return ["\n".join([f"{title}:", *(f"  - {one}" for one in sentences)])] if sentences else []


def _list_of(outcomes: Iterable[Outcome], state: State, title: str) -> list[str]:
    found = [one for one in outcomes if one.state is state]
    if not found:
        return []
    lines = [
        f"  - {_VERBS[one.action]} {_thing(one)} in {one.region}: {_cut(one.reason)}"
        for one in found[:_MOST_LINES]
    ]
    more = [f"  … and {len(found) - _MOST_LINES} more in the record"] if len(found) > _MOST_LINES else []
    return ["\n".join([f"{title} ({len(found)}):", *lines, *more])]


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST_REASON else f"{sentence[:_LONGEST_REASON]} …"


def _thing(one: Outcome) -> str:
    return f"{one.kind} {name_of(one.resource)}" if one.resource else f"everything of kind {one.kind}"


def _backed_up(outcomes: Iterable[Outcome]) -> str:
    created = [one for one in outcomes if one.action is Action.CREATE and one.state is not State.SKIPPED]
    done = sum(one.state is State.DONE for one in created)
    return f"{done} of {len(created)} backed up"


def _amounts(outcomes: Sequence[Outcome]) -> list[str]:
    def count(state: State, *actions: Action) -> int:
        return sum(one.state is state and one.action in actions for one in outcomes)

    everything = tuple(Action)
    amounts = [
        (count(State.DONE, Action.COPY), "copied"),
        (count(State.DONE, Action.DELETE), "pruned"),
        (count(State.FAILED, *everything), "failed"),
        (count(State.PENDING, *everything) + count(State.DEFERRED, *everything), "pending"),
    ]
    return [f"{amount} {word}" for amount, word in amounts if amount]
