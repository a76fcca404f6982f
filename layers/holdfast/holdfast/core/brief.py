"""Sentences of a length that can be sent and read: what was given may be as long as anybody makes it."""

from collections.abc import Iterable

LONGEST_VALUE = 100
"""Characters of a value that a sentence repeats because it is wrong."""

LONGEST_MISTAKE = 500
MOST_MISTAKES = 20


def cut(text: str, most: int) -> str:
    """The text, or its first `most` characters and a sign that there were more."""
    return text if len(text) <= most else f"{text[:most]} …"


def shown(value: object) -> str:
    """A wrong value, as an error shows it."""
    return cut(repr(value), LONGEST_VALUE)


def joined(mistakes: Iterable[str]) -> str:
    """The first mistakes as one sentence, and how many more there are."""
    each = [cut(one, LONGEST_MISTAKE) for one in mistakes]
    more = [f"and {len(each) - MOST_MISTAKES} more"] if len(each) > MOST_MISTAKES else []
    return "; ".join([*each[:MOST_MISTAKES], *more])
