"""What the reference verifier asks a database, and what it makes of the answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from holdfast.core.brief import cut
from holdfast.core.checks import Check
from holdfast.core.model import name_of
from holdfast.core.verifying import Question, Verdict

MOST_SHOWN = 100
"""Characters of an answer that a check shows: it is somebody's data, and goes into messages."""

MOST_QUERIES = 50

STATEMENT_SECONDS = 15.0
"""As long as a statement may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks, and in which database; empty for the server's own choice."""

    user: str
    password: str = field(repr=False)
    database: str


def login_of(secret: str, question: Question) -> Login:
    """The login in a secret: an object with `username`, `password` and, if need be, `dbname`, as RDS keeps
    them; or one of such objects by the names of sources. Raises `ValueError`, which shows nothing of it."""
    try:
        kept = json.loads(secret)
    except ValueError:
        raise ValueError("the secret is no JSON") from None
    if not isinstance(kept, dict):
        raise ValueError("the secret is no JSON object")
    name = name_of(question.source)
    own = kept.get(name, kept)
    own = own if isinstance(own, dict) else {}
    for key in ("username", "password"):
        if not isinstance(own.get(key), str) or not own[key]:
            raise ValueError(f"the secret has no {key}, neither for {name!r} nor for all")
    database = own.get("dbname") or question.database
    return Login(user=own["username"], password=own["password"], database=str(database))


def queries_of(text: str, source: str) -> Mapping[str, str]:
    """The SQL by name that a source's restores are asked: of an object, what has a text as its value is for
    all, and what has an object is for the source of that name. Raises `ValueError`."""
    try:
        given: Any = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"VERIFIER_QUERIES is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError("VERIFIER_QUERIES: give an object of names and SQL")
    own = given.get(name_of(source), {})
    of_all = {name: sql for name, sql in given.items() if not isinstance(sql, dict)}
    queries = {**of_all, **(own if isinstance(own, dict) else {})}
    for name, sql in queries.items():
        if not name.strip() or not isinstance(sql, str) or not sql.strip():
            raise ValueError(f"VERIFIER_QUERIES: {cut(name, MOST_SHOWN)!r} is no name of a text in SQL")
    if len(queries) > MOST_QUERIES:
        raise ValueError(f"VERIFIER_QUERIES: {len(queries)} are too many; give at most {MOST_QUERIES}")
    return queries


def judged(name: str, rows: Sequence[Sequence[object]]) -> Check:
    """Passed when there is one row, whose first column is true or a number above 0."""
    if len(rows) != 1 or not rows[0]:
        return Check(name=name, passed=False, found=f"{len(rows)} rows, where one is needed")
    value = rows[0][0]
    shown = cut(str(value), MOST_SHOWN)
    if value is True or (isinstance(value, int | float | Decimal) and _is_above_zero(value)):
        return Check(name=name, passed=True, found=shown)
    return Check(name=name, passed=False, found=f"{shown}, which is neither true nor a number above 0")


def _is_above_zero(value: float | Decimal) -> bool:
    """As a Decimal, NaN cannot be compared."""
    return not (isinstance(value, Decimal) and value.is_nan()) and value > 0


def judged_version(version: str, expected: str) -> Check:
    """Passed when the server's major version is the one that AWS tells. The minor one may be newer, and of
    Aurora AWS tells another than the server does."""
    found = f"{cut(version, MOST_SHOWN)}, and AWS tells {expected}"
    return Check(name="version", passed=_major(version) == _major(expected), found=found)


def _major(version: str) -> str:
    return version.partition(".")[0]


def concluded(checks: Sequence[Check]) -> Verdict:
    """The verdict, with those in its reason that did not pass."""
    failed = [f"{one.name}: {one.found}" for one in checks if not one.passed]
    return Verdict(checks=tuple(checks), reason="; ".join(failed))
