"""A glance in words: what can be restored, what it costs, and where the page is that shows it."""

from collections.abc import Sequence

from holdfast.core.brief import cut
from holdfast.core.glance import Glance, Standing
from holdfast.core.naming import format_slot

_MOST_BREACHES = 8
_MOST_PROBLEMS = 3
_LONGEST_BREACH = 300


def in_subject(glance: Glance | None) -> str:
    """What a subject says of it: nothing as long as everything stands well."""
    if glance is None:
        return ""
    if lost := not_recoverable(glance):
        return f"{lost} in breach"
    return f"{glance.breached} in breach" if glance.breached else ""


def not_recoverable(glance: Glance) -> int:
    """The resources of all plans that do not stand as they should. Those whose first backup is not due yet
    are none of them."""
    return max(0, glance.resources - glance.recoverable - glance.waiting)


def posture_lines(glance: Glance | None) -> list[str]:
    """How everything stands, the answer first."""
    if glance is None:
        return [
            "Recoverable: not known.",
            "  check_recovery_points told nothing in this run: the page has what it saw last.",
        ]
    lines = [_answer(glance)]
    lines += [f"  - {cut(one, _LONGEST_BREACH)}" for one in glance.breaches[:_MOST_BREACHES]]
    lines += _more(len(glance.breaches) - _MOST_BREACHES)
    lines += _unseen(glance.problems)
    if glance.uncovered:
        lines.append(
            f"  Tables and databases in no plan: {glance.uncovered}. Tag them holdfast:plan=<plan> or =none."
        )
    return lines


def _answer(glance: Glance) -> str:
    seen = f"as of {format_slot(glance.at)}"
    if glance.standing is Standing.EMPTY:
        return f"Recoverable: no plan protects anything, {seen}."
    waiting = f", {glance.waiting} new and not due yet" if glance.waiting else ""
    unknown = ", and not everything could be looked at" if glance.problems else ""
    return f"Recoverable: {glance.recoverable} of {glance.resources} resources{waiting}{unknown}, {seen}."


def _more(count: int) -> list[str]:
    return [f"  … and {count} more on the page"] if count > 0 else []


def _unseen(problems: Sequence[str]) -> list[str]:
    lines = [f"  - could not be looked at: {cut(one, _LONGEST_BREACH)}" for one in problems[:_MOST_PROBLEMS]]
    return lines + _more(len(problems) - _MOST_PROBLEMS)


def cost_line(glance: Glance) -> str:
    """One line, in US dollars a month."""
    least = "" if glance.cost_is_whole else "at least "
    return (
        f"Cost a month, estimated: {least}{glance.now_usd} USD for what stands, {least}{glance.full_usd} USD "
        f"once the plans are full, {glance.own_usd} USD for Holdfast itself."
    )


def page_lines(glance: Glance, region: str) -> list[str]:
    """Where the page is, and how to look at it."""
    return [
        f"The page: {glance.page}",
        f"  aws s3 cp {glance.page} holdfast.html --region {region}",
        "  and open holdfast.html in a browser.",
    ]
