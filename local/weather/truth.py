"""What was true: each call, what was done to it, and whether it took effect."""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local.weather.calls import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call. `fault` is empty when nothing was done to it; `status` what moto answered, 0 when it was not
    asked; `took_effect` whether AWS did what it was asked, whatever the caller was told. `caller` is the
    session of the role: the function's name."""

    number: int
    caller: str
    service: str
    operation: str
    region: str
    subject: str
    nth: int
    fault: str
    status: int
    took_effect: bool


@dataclass(slots=True)
class Tally:
    """What became of the calls of one operation. `seconds` is the time that moto had them for."""

    calls: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Log:
    """The tallies of all calls, and the entries of those that the weather is for; these also as JSON lines in
    a file, where one is named."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}
        self._entries: list[Entry] = []
        self._written = 0

    def tally(self, operation: str, throttled: bool, seconds: float) -> None:
        with self._lock:
            tally = self._tallies.setdefault(operation, Tally())
            tally.calls += 1
            tally.throttled += throttled
            tally.seconds += seconds

    def enter(self, call: Call, caller: str, fault: str, status: int, took_effect: bool) -> None:
        with self._lock:
            self._written += 1
            entry = Entry(
                number=self._written,
                caller=caller,
                service=call.service,
                operation=call.operation,
                region=call.region,
                subject=call.subject,
                nth=call.nth,
                fault=fault,
                status=status,
                took_effect=took_effect,
            )
            self._entries.append(entry)
            if self._path is not None:
                with self._path.open("a") as lines:
                    lines.write(json.dumps(asdict(entry)) + "\n")

    def told(self) -> dict[str, Any]:
        with self._lock:
            return {
                "operations": {name: asdict(one) for name, one in sorted(self._tallies.items())},
                "calls": [asdict(one) for one in self._entries],
            }

    def clear(self) -> None:
        """Begin anew; the file goes on."""
        with self._lock:
            self._tallies, self._entries = {}, []


def entries(told: Sequence[dict[str, Any]]) -> list[Entry]:
    """The entries that `told` has as `calls`."""
    return [Entry(**one) for one in told]
