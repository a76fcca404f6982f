"""Functions that are ended in the middle of their work."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from local.lambda_runtime import Function, Runtime
from local.processes import Nursery
from tests.e2e.wire import Call, Reply, Wire

EXTRA_SECONDS = 600
"""How much longer a hurried function believes to have: enough for it to begin whatever there is."""


class Hurried(Runtime):
    """A function that Lambda ends long before the deadline that it was told, in the middle of its work.

    In truth this takes a call that hangs for a minute: a sweep begins none in its last one.
    """

    def __init__(
        self, function: Function, endpoints: Mapping[str, str], nursery: Nursery, modules: Path
    ) -> None:
        super().__init__(function, endpoints, nursery, modules)
        self._wires: list[Wire] = []

    def stop(self) -> None:
        for wire in self._wires:
            wire.stop()

    def _bootstrap(self, runtime_api: str) -> list[str]:
        wire = Wire(f"http://{runtime_api}")
        self._wires.append(wire)

        def later(call: Call) -> Reply | None:
            if not call.path.endswith("/invocation/next"):
                return None
            event = wire.pass_on(call)
            deadline = int(event.headers[_DEADLINE]) + EXTRA_SECONDS * 1000
            return replace(event, headers={**event.headers, _DEADLINE: str(deadline)})

        wire.rule = later
        return ["env", f"AWS_LAMBDA_RUNTIME_API={wire.address}", *super()._bootstrap(runtime_api)]


_DEADLINE = "Lambda-Runtime-Deadline-Ms"


def until[T](ask: Callable[[], T], *, seconds: float = 30) -> T:
    """What `ask` answers as soon as that is something."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"nothing within {seconds} s"
        time.sleep(0.01)
    return answer
