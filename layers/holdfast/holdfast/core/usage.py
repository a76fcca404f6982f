"""What Holdfast itself used, as far as it is paid for: metered in each invocation, kept in the records."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one or more invocations used: Lambda's `gb_seconds` of memory and time, and the attempts of calls
    to AWS that were sent, by service and operation (`s3.PutObject`)."""

    invocations: int = 0
    gb_seconds: float = 0.0
    calls: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            invocations=self.invocations + other.invocations,
            gb_seconds=self.gb_seconds + other.gb_seconds,
            calls=dict(sorted((Counter(self.calls) + Counter(other.calls)).items())),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "invocations": self.invocations,
            "gb_seconds": round(self.gb_seconds, 3),
            "calls": dict(sorted(self.calls.items())),
        }


def usage_from_dict(data: Mapping[str, Any]) -> Usage:
    """What `to_dict` wrote. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` about anything
    else."""
    return Usage(
        invocations=int(data["invocations"]),
        gb_seconds=float(data["gb_seconds"]),
        calls={str(name): int(count) for name, count in data["calls"].items()},
    )
