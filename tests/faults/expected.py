"""What a case has to lead to: the state of what depends on the call, and words of its reason."""

from holdfast.core.report import Stage, State
from tests.faults.cases import Case
from tests.faults.codes import Meaning
from tests.faults.furniture import VAULT
from tests.faults.sites.site import Harm

_BY_MEANING: dict[Meaning, tuple[State, str]] = {
    Meaning.UNCLEAR: (State.PENDING, "no clear answer: a later sweep looks"),
    Meaning.SLOW: (State.DEFERRED, "AWS took no more at that moment: a later sweep tries again"),
    Meaning.BUSY: (State.PENDING, "a later sweep tries again"),
    Meaning.FULL: (State.DEFERRED, "no copy slot is free: a later sweep tries again"),
    Meaning.STALE: (State.PENDING, "the credentials had expired: the next sweep has new ones"),
    Meaning.TAKEN: (State.FAILED, "a snapshot of that name stands already"),
    Meaning.DENIED: (State.FAILED, "not permitted: see the function's role"),
    Meaning.KEY: (State.FAILED, "its policy and the role of the function both have to allow it"),
    Meaning.QUOTA: (State.FAILED, "aise the quota"),
    Meaning.SHARES: (State.FAILED, "take one of them back"),
    Meaning.RECOVERY_OFF: (State.FAILED, "Switch it on: aws dynamodb update-continuous-backups"),
    Meaning.TOO_LATE: (State.FAILED, "the next slot will do"),
    Meaning.KEY_CHANGED: (State.FAILED, "can be begun with this one after that time"),
    Meaning.OTHER: (State.FAILED, ""),
}

_SPEAKS_FOR_ITSELF = frozenset({Meaning.RECOVERY_OFF, Meaning.SHARES})
"""What is told in a sentence of its own, without AWS's code."""


_GONE_ALREADY = "it was gone already"


def expected(case: Case) -> tuple[State, str]:
    """The state, and words that the reason must have."""
    site, meaning = case.site, case.wrong.meaning
    if meaning is not Meaning.GONE:
        return _BY_MEANING[meaning]
    if site.harm is Harm.LISTING or site.what == "right-before":
        return State.FAILED, "could not be listed"  # what a listing does not find is no resource
    if site.stage is Stage.CREATE:
        return State.FAILED, "it was listed, and is not there"
    if site.stage is Stage.PRUNE:
        return State.SKIPPED, _GONE_ALREADY
    if site.name.startswith("dynamodb."):
        return State.FAILED, "the table is gone"
    asked_there = site.place == VAULT and "Modify" not in site.name
    if asked_there:
        return State.PENDING, "does not see it yet"
    return State.FAILED, "gone before it could be copied"


def words(case: Case) -> list[str]:
    """All that the reason must have in it."""
    told = "" if case.wrong.meaning in _SPEAKS_FOR_ITSELF else case.wrong.told
    listing = "could not be listed" if case.site.harm is Harm.LISTING else ""
    if expected(case)[1] == _GONE_ALREADY:
        told = ""  # nothing has to be done about it
    return [one for one in (expected(case)[1], told, listing) if one]


def is_true_of_what_is_not_there(case: Case) -> bool:
    """Whether AWS said that there is nothing to do: the stage may be content then."""
    return expected(case)[0] is State.SKIPPED
