"""What was looked at, and what was found: the smallest piece of a drill's verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `found` says in words what was there, passed or not."""

    name: str
    passed: bool
    found: str


def check_to_dict(check: Check) -> dict[str, Any]:
    return {"name": check.name, "passed": check.passed, "found": check.found}


def check_from_dict(data: Mapping[str, Any]) -> Check:
    """Raises `KeyError` or `TypeError` about anything else."""
    if not isinstance(data["passed"], bool):
        raise TypeError(f"passed is {data['passed']!r}")
    return Check(name=str(data["name"]), passed=data["passed"], found=str(data["found"]))
