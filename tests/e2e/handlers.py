"""Reaching the processes that run handlers, to kill them in the middle of their work."""

import time
from collections.abc import Callable
from pathlib import Path

from local.lambda_runtime import Runtime


def handler_processes(runtime: Runtime) -> list[int]:
    """The processes in which the runtime's handler runs: the children of its emulator."""
    if runtime.process_id is None:
        return []
    tasks = Path(f"/proc/{runtime.process_id}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def until[T](ask: Callable[[], T], *, seconds: float = 30) -> T:
    """What `ask` answers as soon as that is something."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"nothing within {seconds} s"
        time.sleep(0.01)
    return answer
