"""What to do about an outcome or a problem, where its own reason does not say it. The one place for it.

A report keeps reasons in words alone, so the words are what advice goes by: those of `usecases.sweep`,
`core.planning` and the adapters. A reason that says itself what to do gets no second advice.
"""

import re
from collections.abc import Sequence

from holdfast.core.model import Home
from holdfast.core.report import Action, Outcome, State

_UNLISTED = "could not be listed: "

_REFUSED_BY_AWS = re.compile(r"[A-Z][A-Za-z0-9]+ of \S+: [A-Za-z0-9.]+")
"""How a `ProviderError` tells itself: `CreateDBSnapshot of arn:…: SomeCode: a message`."""

_LOOK_WHO = (
    "Find out in CloudTrail who deleted it (DeleteBackup, DeleteDBSnapshot, DeleteDBClusterSnapshot or "
    "DeleteSnapshot), then try the slot again."
)
_OF_FAILURES: Sequence[tuple[str, str]] = (
    ("AWS ended it as", "Look at the resource's recent events in the AWS console for the cause."),
    ("AWS ended the copy", "The next run tries again by itself. If it fails again, mend what AWS names."),
    ("somebody is deleting it", _LOOK_WHO),
    ("the backup was gone before it could be copied", _LOOK_WHO),
    ("the backup was made, and was gone", _LOOK_WHO),
    (
        "unexpected ",
        "A mistake in Holdfast, of this one resource alone: please report it with the stage's log.",
    ),
    (
        "which does not end by itself",
        "Look at the resource in the AWS console, or take it out with the tag holdfast:plan=none.",
    ),
)
_STUCK = {
    Action.COPY: (
        "No run waits for it any more. Look at it in the AWS console: a copy that hangs can be deleted, "
        "and the next run begins it anew."
    )
}
_AT_IT = (
    "Nothing to mend: AWS goes on by itself, and the next run sees what became of it. If it is so each "
    "night, give the plan a longer window_minutes."
)
_NO_ROOM = (
    "Nothing to mend: the next run goes on with it. If it is so each night, let the plan begin more copies "
    "at once (slots), or give it a longer window_minutes."
)
_LOOK_AT_IT = "No run waits for it any more. Look at it in the AWS console."
_TRY_AGAIN = "Mend what AWS names, then try the slot again."


def for_outcome(one: Outcome) -> str:
    """What to do about what failed, is not finished or was put off; empty where the reason says it."""
    match one.state:
        case State.FAILED:
            return _for_failure(one.reason.removeprefix(_UNLISTED))
        case State.PENDING:
            return _STUCK.get(one.action, _LOOK_AT_IT) if one.stuck else _AT_IT
        case State.DEFERRED:
            return _NO_ROOM
        case _:
            return ""


def _for_failure(reason: str) -> str:
    for words, advice in _OF_FAILURES:
        if words in reason:
            return advice
    return _TRY_AGAIN if _REFUSED_BY_AWS.match(reason) else ""


_READ_ITS_LOG = (
    "Read the log group /aws/lambda/{stack}-{stage}-backups, mend the cause, then try the slot again."
)
_OF_PROBLEMS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"(?P<stage>create|copy|prune)_backups could not do its work"), _READ_ITS_LOG),
    (re.compile(r"(?P<stage>create|copy|prune)_backups left no record"), _READ_ITS_LOG),
    (
        re.compile(r"check_recovery_points could not do its work"),
        "Read the log group /aws/lambda/{stack}-check-recovery-points. What this run made is not concerned.",
    ),
    (
        re.compile(r"plan '[^']*' cannot be used"),
        "Correct the SSM parameter /{stack}/plans/{plan}, then try the slot again.",
    ),
    (
        re.compile(r"the record of \w+_backups cannot be read"),
        "See whether the report bucket, its policy and publish_report's role let the record be read.",
    ),
    (_REFUSED_BY_AWS, _TRY_AGAIN),
)


def for_problem(sentence: str, plan: str, home: Home) -> str:
    """What to do about a sentence that says why a stage could not do its work; empty where nothing is
    known."""
    for pattern, advice in _OF_PROBLEMS:
        if found := pattern.match(sentence):
            return advice.format(**found.groupdict(), stack=home.stack, plan=plan)
    return ""
