"""Outcomes that are the same but for the resource, told as one: forty alike are one thing to mend."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast.core.model import name_of
from holdfast.core.report import Action, Outcome

_ARN = re.compile(r"\barn:aws[a-z-]*:[^\s,;()'\"]+")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b\d{8}[tT]\d{6}[zZ]")
_ENCODED = re.compile(r"Encoded authorization failure message: \S+")
"""EC2 adds it to a refusal: some kilobytes, others each time."""

_LONGEST_COMPARED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Outcomes of one kind, action, state and place, whose reasons differ by the resource alone. There is
    at least one."""

    outcomes: Sequence[Outcome]

    @property
    def first(self) -> Outcome:
        return self.outcomes[0]


def alike(outcomes: Iterable[Outcome]) -> list[Alike]:
    """The outcomes in groups: backups first, then copies and deletions, and of each the largest groups."""
    groups: dict[tuple[object, ...], list[Outcome]] = {}
    for one in outcomes:
        key = (one.action, one.state, one.kind, one.region, one.stuck, not one.resource, _said(one))
        groups.setdefault(key, []).append(one)
    actions = list(Action)
    ordered = sorted(groups.values(), key=lambda each: (actions.index(each[0].action), -len(each)))
    return [Alike(outcomes=each) for each in ordered]


def short_reason(one: Outcome) -> str:
    """The reason without what no person can read."""
    return _ENCODED.sub("", one.reason).rstrip()


def _said(one: Outcome) -> str:
    """The reason, with what is this resource's own taken out."""
    said = _ARN.sub("<arn>", short_reason(one)[:_LONGEST_COMPARED])
    name = name_of(one.resource) if one.resource else ""
    for own in (one.backup, name):
        if own and own in said:
            said = re.sub(rf"(?<![\w-]){re.escape(own)}(?![\w-])", "<name>", said)
    return _TIME.sub("<time>", said)
