"""Child processes of the embedded cloud: their ports, their logs, and that none outlives it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local import sandbox

LEASH = Path(__file__).with_name("leash.py")
START_SECONDS = 30.0


class StartError(Exception):
    """A child that ended, or did not answer, before it could be used."""


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One running process, and the port on which it answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_until_it_listens(self) -> None:
        """Raises `StartError`, with the end of its log, when it does not."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.running:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        raise StartError(f"{self.log.stem} did not start; the end of {self.log}:\n{tail}")

    def stop(self) -> None:
        """At once: nothing that a child holds is kept. A handler's process ends with its emulator."""
        self.process.kill()
        self.process.wait()


class Nursery:
    """Starts children and stops all of them.

    They are all started from one thread that lives as long as the nursery does: Linux kills a leashed
    child when the thread that started it ends, and not only when the process does.
    """

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.logs = logs
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nursery")
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], *, port: int, variables: Mapping[str, str], cwd: Path
    ) -> Child:
        """Start a command that will listen on `port`, its output in `<name>.log`; wait until it does."""
        log = self.logs / f"{name}.log"
        child = self._starter.submit(self._start, command, port, variables, cwd, log).result()
        self._children.append(child)
        child.wait_until_it_listens()
        return child

    @staticmethod
    def _start(
        command: Sequence[str], port: int, variables: Mapping[str, str], cwd: Path, log: Path
    ) -> Child:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(LEASH), str(os.getpid()), *command],
                env=sandbox.environment(variables),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the parent, which stops its children
            )
        return Child(process, port, log)

    def stop(self) -> None:
        """Stop all, the last started first."""
        while self._children:
            self._children.pop().stop()
        self._starter.shutdown()
