"""A run's report in words: what a person reads on a phone in the morning."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from holdfast.core.advice import for_outcome, for_problem
from holdfast.core.alike import Alike, alike, short_reason
from holdfast.core.brief import cut
from holdfast.core.model import Home, name_of
from holdfast.core.naming import format_slot
from holdfast.core.report import Action, Outcome, Report, State, Status
from holdfast.core.standing import cost_line, in_subject, page_lines, posture_lines

MAX_SUBJECT = 99
"""SNS takes subjects of fewer than 100 characters."""

_MOST_LINES = 30
_MOST_NAMES = 3
"""Resources that are named of those with one reason."""

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
    """`Holdfast nightly: PARTIAL, 2 in breach, 41 of 42 backed up, 12 copied, 8 pruned, 1 failed`."""
    head = f"Holdfast {report.plan}: {str(report.status).upper()}"
    parts = [
        one for one in (in_subject(report.glance), _main_part(report), *_amounts(report.outcomes)) if one
    ]
    kept: list[str] = []
    for part in sorted(parts, key=_gives_way):  # whole ones only, what is well gives way first
        if len(", ".join([head, *kept, part])) <= MAX_SUBJECT:
            kept.append(part)
    return ", ".join([head, *(part for part in parts if part in kept)])[:MAX_SUBJECT]


def _gives_way(part: str) -> bool:
    return part.endswith((" copied", " pruned"))


def text(report: Report, address: str, home: Home) -> str:
    """The body: what needs a person first and what to do, then how everything stands, then what was done and
    what it costs, then where the whole is."""
    held_back = _held_back(report)
    announced = [one for one in report.outcomes if one.action is Action.ANNOUNCE]
    told = {id(one) for one in (*held_back, *announced)}
    others = [one for one in report.outcomes if id(one) not in told]
    advise = _Advice()
    blocks = [
        verdict(report),
        summary(report, home),
        *_sentences("Refused", report.refusals),
        *_sentences(
            "Could not be done",
            report.problems,
            lambda sentence: advise.once(for_problem(sentence, report.plan, home)),
        ),
        *_groups_of(others, State.FAILED, "Failed", advise),
        *_groups_of(others, State.PENDING, "Not finished", advise),
        *_groups_of(others, State.DEFERRED, "Put off", advise),
        *_sentences("New", report.notices),
        *_list_of(held_back, "Not deleted"),
        *_list_of(announced, "Kept until a message has told of the change"),
        *_sentences("Soon", report.warnings),
        "\n".join(posture_lines(report.glance)),
        _done(report.outcomes),
        *_skipped(others),
        *([cost_line(report.glance)] if report.glance else []),
        *(
            ["\n".join(page_lines(report.glance, home.region))]
            if report.glance and report.glance.page
            else []
        ),
        *([_again(report, home)] if may_be_tried_again(report) else []),
        f"The whole record: {address}",
        f"Stack {home.stack} in {home.region}" + (f", account {home.account}" if home.account else ""),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def verdict(report: Report) -> str:
    """The first line."""
    return f"Plan {report.plan}, slot {format_slot(report.slot)}: {str(report.status).upper()}"


def summary(report: Report, home: Home) -> str:
    """What the verdict means, in a sentence or two."""
    trouble = in_subject(report.glance)
    but = f" But elsewhere: {trouble}, see below." if trouble else ""
    besides = f" Of all that is protected: {trouble}, see below." if trouble else ""
    refused = "A guard held something back: a person has to look. Nothing was deleted against it."
    if _is_missing_something(report):
        refused += " Besides, something is missing: see below."
    means = {
        Status.OK: "Everything the plan protects has its backup." + but,
        Status.PARTIAL: "Something is missing or not finished." + besides,
        Status.REFUSED: refused + besides,
        Status.FAILED: "There is no new backup. Please look today." + besides,
    }
    if (origin := report.vault_of) is None:
        return means[report.status]
    means |= {
        Status.OK: "None is overdue." + but,
        Status.FAILED: "This could not be done. Please look today." + besides,
    }
    return (
        f"Plan {report.plan} makes no backups here. It keeps the copies that {home.stack} in {origin.region} "
        f"(account {origin.account}) made here. {means[report.status]}"
    )


class _Advice:
    """What to do, each thing once in a message."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def once(self, advice: str) -> str:
        if not advice or advice in self._given:
            return ""
        self._given.add(advice)
        return f"\n    What to do: {advice}"


def _is_missing_something(report: Report) -> bool:
    return any(one.state in (State.FAILED, State.PENDING, State.DEFERRED) for one in report.outcomes)


def _held_back(report: Report) -> list[Outcome]:
    return [one for one in report.outcomes if one.action is Action.DELETE and one.state is State.SKIPPED]


def may_be_tried_again(report: Report) -> bool:
    """What only the breaker held back is refused again until it is approved."""
    if report.status is Status.OK:
        return False
    return _is_missing_something(report) or bool(report.problems) or not _held_back(report)


def _again(report: Report, home: Home) -> str:
    """How to take the same slot up again, which no later run does by itself."""
    return (
        "To try this slot again, when the cause is mended (what was done is not done twice):\n"
        f"  {command_to_try_again(report, home)}"
    )


def command_to_try_again(report: Report, home: Home) -> str:
    payload = json.dumps({"plan": report.plan, "slot": format_slot(report.slot)})
    return (
        f"aws lambda invoke --region {home.region} --function-name {home.stack}-run-plan:live "
        f"--invocation-type Event --cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"
    )


def _done(outcomes: Iterable[Outcome]) -> str:
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


def _sentences(
    title: str, sentences: Sequence[str], advice: Callable[[str], str] = lambda _: ""
) -> list[str]:
    """They may say how to approve a list, so that none of a usual length is cut."""
    if not sentences:
        return []
    lines = [f"  - {cut(one, _LONGEST_SENTENCE)}{advice(one)}" for one in sentences[:_MOST_LINES]]
    more = (
        [f"  … and {len(sentences) - _MOST_LINES} more in the record"] if len(sentences) > _MOST_LINES else []
    )
    return ["\n".join([f"{title}:", *lines, *more])]


def _groups_of(outcomes: Iterable[Outcome], state: State, title: str, advise: _Advice) -> list[str]:
    """What needs a person, with what is alike told once."""
    found = [one for one in outcomes if one.state is state]
    if not found:
        return []
    groups = alike(found)
    lines = [f"  - {group_line(each)}{advise.once(for_outcome(each.first))}" for each in groups[:_MOST_LINES]]
    left = sum(len(each.outcomes) for each in groups[_MOST_LINES:])
    more = [f"  … and {left} more in the record"] if left else []
    return ["\n".join([f"{title} ({len(found)}):", *lines, *more])]


def group_line(group: Alike) -> str:
    """`back up rds orders in us-east-1: the reason`; of several `back up 40 rds in us-east-1 (billing, carts,
    ledger and 37 more): the first one's reason`."""
    one, count = group.first, len(group.outcomes)
    where = f"in {one.region}{' (stuck)' if one.stuck else ''}"
    reason = cut(short_reason(one), _LONGEST_REASON)
    if count == 1 or not one.resource:
        return f"{_VERBS[one.action]} {_thing(one)} {where}: {reason}"
    names = list(dict.fromkeys(name_of(each.resource) for each in group.outcomes))
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (
        f"{_VERBS[one.action]} {count} {one.kind} {where} ({', '.join(names[:_MOST_NAMES])}{rest}): {reason}"
    )


def _list_of(outcomes: Sequence[Outcome], title: str) -> list[str]:
    """Deletions one by one, with their backups: a person may have to approve them."""
    if not outcomes:
        return []
    lines = [
        f"  - {_VERBS[one.action]} {_thing(one)} in {one.region}: {cut(one.reason, _LONGEST_REASON)}"
        for one in outcomes[:_MOST_LINES]
    ]
    left = len(outcomes) - _MOST_LINES
    more = [f"  … and {left} more in the record"] if left > 0 else []
    return ["\n".join([f"{title} ({len(outcomes)}):", *lines, *more])]


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
