"""What a drill asks of a verifier, and what that answers: `holdfast.verify/1`, which `docs/verifier.md`
describes. Whoever can reach a database and knows its data can write one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.core.brief import shown
from holdfast.core.checks import Check, check_from_dict, check_to_dict
from holdfast.core.naming import format_slot, parse_slot

SCHEMA = "holdfast.verify/1"

_COLONS = 5
"""At least so many are in an ARN."""

_TEXTS = ("drill", "kind", "engine", "engine_version", "source", "arn", "host", "database", "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Does the database at `host` and `port` answer, and is what it holds what it should be? It was restored
    (`arn`) of the backup of `source` of the `slot`. `database` and `user` are those that AWS tells, and may
    be empty; the password is the source's of that time, and never in here."""

    drill: str
    kind: str
    engine: str
    engine_version: str
    source: str
    arn: str
    host: str
    port: int
    slot: datetime | None
    database: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verifier found. One that looked at nothing has not passed anything."""

    checks: tuple[Check, ...]
    reason: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(one.passed for one in self.checks)


def question_to_dict(question: Question) -> dict[str, Any]:
    texts = {name: getattr(question, name) for name in _TEXTS}
    slot = format_slot(question.slot) if question.slot else None
    return {"schema": SCHEMA, **texts, "port": question.port, "slot": slot}


def question_from_dict(data: object) -> Question:
    """What `question_to_dict` wrote. Raises `ValueError` that names what is wrong in anything else."""
    if not isinstance(data, Mapping):
        raise ValueError(f"the question is {shown(data)}, and no object")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema: {shown(data.get('schema'))} is not {SCHEMA!r}")
    for name in _TEXTS:
        if not isinstance(data.get(name), str):
            raise ValueError(f"{name}: {shown(data.get(name))} is no text")
    if not data["host"] or data["source"].count(":") < _COLONS:
        raise ValueError(
            "host and source: give a name that can be reached, and the ARN of what was backed up"
        )
    port, slot = data.get("port"), data.get("slot")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65_536:
        raise ValueError(f"port: {shown(port)} is no number from 1 to 65535")
    instant = parse_slot(slot) if isinstance(slot, str) else None
    if slot is not None and instant is None:
        raise ValueError(f"slot: {shown(slot)} is no time such as '2026-11-22T02:00:00Z', nor null")
    return Question(**{name: data[name] for name in _TEXTS}, port=port, slot=instant)


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "passed": verdict.passed,
        "reason": verdict.reason,
        "checks": [check_to_dict(one) for one in verdict.checks],
    }


def verdict_from_dict(data: Any) -> Verdict:
    """What `verdict_to_dict` wrote. Raises `ValueError` about anything else, and about an answer that says
    that it passed and shows otherwise."""
    try:
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
        checks = tuple(check_from_dict(one) for one in data["checks"])
        verdict = Verdict(checks=checks, reason=str(data.get("reason", "")))
        claimed = data["passed"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the answer lacks {error}") from error
    if claimed is not verdict.passed:
        raise ValueError(f"passed is {claimed!r}, and its {len(checks)} checks say otherwise")
    return verdict
