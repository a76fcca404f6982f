"""A run's report in words: what a person reads on a phone in the morning."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from holdfast.core.brief import cut
from holdfast.core.model import Home, name_of
from holdfast.core.naming import format_slot
from holdfast.core.report import Action, Outcome, Report, State, Status

MAX_SUBJECT = 99
"""SNS takes subjects of fewer than 100 characters."""

_MOST_LINES = 30
_LONGEST_REASON = 500
_LONGEST_SENTENCE = 2000
_VERBS = {
    Action.CREATE: "back up",
    Action.COPY: "copy",
    Action.DELETE: "delete",
    Action.ANNOUNCE: "delete",
    Action.KEEP: "keep",
}


_OF_A_BACKUP = frozenset({Action.DELETE, Action.ANNOUNCE})


def subject(report: Report) -> str:
    """`Holdfast nightly: PARTIAL, 41 of 42 backed up, 12 copied, 8 pruned, 1 failed`."""
    parts = [_main_part(report), *_amounts(report.outcomes)]
    line = f"Holdfast {report.plan}: {str(report.status).upper()}"
    for part in parts:  # whole ones only, the most urgent first
        if len(line) + len(part) + 2 <= MAX_SUBJECT:
            line += f", {part}"
    return line[:MAX_SUBJECT]


def text(report: Report, address: str, home: Home) -> str:
    """The body: what needs a person first, then what was done, then where the whole record is."""
    held_back = [one for one in report.outcomes if one.action is Action.DELETE and one.state is State.SKIPPED]
    announced = [one for one in report.outcomes if one.action is Action.ANNOUNCE]
    told = {id(one) for one in (*held_back, *announced)}
    others = [one for one in report.outcomes if id(one) not in told]
    blocks = [
        f"Plan {report.plan}, slot {format_slot(report.slot)}: {str(report.status).upper()}",
        _advice(report, home),
        *_sentences("Refused", report.refusals),
        *_sentences("Could not be done", report.problems),
        *_sentences("New", report.notices),
        *_sentences("Soon", report.warnings),
        *_list_of(others, State.FAILED, "Failed"),
        *_list_of(others, State.PENDING, "Not finished"),
        *_list_of(others, State.DEFERRED, "Put off"),
        *_list_of(held_back, State.SKIPPED, "Not deleted"),
        *_list_of(announced, State.SKIPPED, "Kept until a message has told of the change"),
        _summary(report.outcomes),
        *_skipped(others),
        *([_again(report, home)] if _may_be_tried_again(report, held_back) else []),
        f"The whole record: {address}",
        f"Stack {home.stack} in {home.region}" + (f", account {home.account}" if home.account else ""),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _advice(report: Report, home: Home) -> str:
    refused = "A guard held something back: a person has to look. Nothing was deleted against it."
    if _is_missing_something(report):
        refused += " Besides, something is missing: see below."
    advice = {
        Status.OK: "Everything the plan protects has its backup.",
        Status.PARTIAL: "Something is missing or not finished.",
        Status.REFUSED: refused,
        Status.FAILED: "There is no new backup. Please look today.",
    }
    if (origin := report.vault_of) is None:
        return advice[report.status]
    advice |= {Status.OK: "None is overdue.", Status.FAILED: "This could not be done. Please look today."}
    return (
        f"Plan {report.plan} makes no backups here. It keeps the copies that {home.stack} in {origin.region} "
        f"(account {origin.account}) made here. {advice[report.status]}"
    )


def _is_missing_something(report: Report) -> bool:
    return any(one.state in (State.FAILED, State.PENDING, State.DEFERRED) for one in report.outcomes)


def _may_be_tried_again(report: Report, held_back: Sequence[Outcome]) -> bool:
    """What only the breaker held back is refused again until it is approved."""
    if report.status is Status.OK:
        return False
    return _is_missing_something(report) or bool(report.problems) or not held_back


def _again(report: Report, home: Home) -> str:
    """How to take the same slot up again, which no later run does by itself."""
    payload = json.dumps({"plan": report.plan, "slot": format_slot(report.slot)})
    return (
        "To try this slot again, when the cause is mended (what was done is not done twice):\n"
        f"  aws lambda invoke --region {home.region} --function-name {home.stack}-run-plan:live "
        f"--invocation-type Event --cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"
    )


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
    lines = [
        f"  {count:>5}: {cut(reason, _LONGEST_REASON)}"
        for reason, count in sorted(reasons.items())[:_MOST_LINES]
    ]
    more = [f"  … and {len(reasons) - _MOST_LINES} more reasons"] if len(reasons) > _MOST_LINES else []
    return ["\n".join(["Left out:", *lines, *more])] if lines else []


def _sentences(title: str, sentences: Sequence[str]) -> list[str]:
    """They may say how to approve a list, so that none of a usual length is cut."""
    if not sentences:
        return []
    lines = [f"  - {cut(one, _LONGEST_SENTENCE)}" for one in sentences[:_MOST_LINES]]
    more = (
        [f"  … and {len(sentences) - _MOST_LINES} more in the record"] if len(sentences) > _MOST_LINES else []
    )
    return ["\n".join([f"{title}:", *lines, *more])]


def _list_of(outcomes: Iterable[Outcome], state: State, title: str) -> list[str]:
    found = [one for one in outcomes if one.state is state]
    if not found:
        return []
    lines = [
        f"  - {_VERBS[one.action]} {_thing(one)} in {one.region}{' (stuck)' if one.stuck else ''}: "
        f"{cut(one.reason, _LONGEST_REASON)}"
        for one in found[:_MOST_LINES]
    ]
    more = [f"  … and {len(found) - _MOST_LINES} more in the record"] if len(found) > _MOST_LINES else []
    return ["\n".join([f"{title} ({len(found)}):", *lines, *more])]


def _thing(one: Outcome) -> str:
    """What the line is about. Of deletions it is the backup, since a person may have to approve it."""
    thing = f"{one.kind} {name_of(one.resource)}" if one.resource else f"everything of kind {one.kind}"
    return f"{one.backup} of {thing}" if one.backup and one.action in _OF_A_BACKUP else thing


def _main_part(report: Report) -> str:
    if (origin := report.vault_of) is not None:
        return f"copies from {origin.region} of {origin.account}"
    return _backed_up(report.outcomes)


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
        (count(State.SKIPPED, Action.ANNOUNCE), "to be pruned"),
    ]
    return [f"{amount} {word}" for amount, word in amounts if amount]
