"""Lambda's own runtime on this machine: the emulator binary that aws-sam-cli carries, with `awslambdaric`
as the bootstrap, running the code and the layer that were deployed."""

import json
import os
import platform
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local.paths import ROOT
from local.processes import Child, Nursery, free_port

_EMULATOR = "samcli/local/rapid/aws-lambda-rie-{}"
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_RUNTIME_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


class MissingToolError(Exception):
    """A tool that the embedded cloud needs and did not find. Says how to get it."""


def find_emulator() -> Path:
    """The Lambda runtime emulator inside aws-sam-cli: of the environment that `HOLDFAST_SAM_VENV` names,
    else `.cache/sam`, else this interpreter's own. Raises `MissingToolError`."""
    machine = _ARCHITECTURES.get(platform.machine().lower())
    if sys.platform != "linux" or machine is None:
        raise MissingToolError(
            f"the Lambda runtime emulator runs on Linux, x86_64 or arm64; this is {sys.platform} on "
            f"{platform.machine()}"
        )
    named = os.environ.get("HOLDFAST_SAM_VENV")
    places = [Path(named)] if named else [ROOT / ".cache" / "sam", Path(sys.prefix)]
    for place in places:
        for found in place.glob("lib/python3*/site-packages/" + _EMULATOR.format(machine)):
            return found
    searched = " or ".join(map(str, places))
    raise MissingToolError(
        f"no Lambda runtime emulator: aws-sam-cli is not installed in {searched}. `make demo` installs it; "
        "to use another environment that has it, set HOLDFAST_SAM_VENV"
    )


def runtime_modules(target: Path) -> Path:
    """A folder with the modules that Lambda's own image adds for the bootstrap, and nothing else.

    Functions see this, the standard library, their code and their layer: what they need and the layer does
    not carry is missing here as well. (Lambda's image also has a boto3; the layer carries its own.)
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in _RUNTIME_MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise MissingToolError(f"the Python package awslambdaric is not complete here: no module {name}")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = target / source.name
        if not link.exists():
            link.symlink_to(source)
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as it was deployed. `layers` are folders as they would lie under /opt."""

    name: str
    arn: str
    handler: str
    version: str
    timeout_seconds: int
    memory_mb: int
    variables: Mapping[str, str]
    credentials: Mapping[str, str]
    code: Path
    layers: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an invocation came to. `error` is what Lambda puts into `X-Amz-Function-Error`, or empty."""

    payload: bytes
    error: str = ""


class Runtime:
    """One function's emulator: started at its first invocation, one invocation at a time."""

    def __init__(
        self, function: Function, endpoints: Mapping[str, str], nursery: Nursery, modules: Path
    ) -> None:
        self.function = function
        self._endpoints = endpoints
        self._nursery = nursery
        self._modules = modules
        self._emulator: Child | None = None
        self._turn = threading.Lock()

    @property
    def process_id(self) -> int | None:
        """The emulator's, whose child runs the handler. `None` before the first invocation."""
        return self._emulator.process.pid if self._emulator else None

    @property
    def handler_ids(self) -> list[int]:
        """The processes in which the handler runs: one, or none while there is no execution environment."""
        tasks = Path(f"/proc/{self.process_id}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    @property
    def peak_mb(self) -> float:
        """The highest resident size that the handler's process has had: what Lambda reports as the most
        memory used. 0 when there is none."""
        found = [_PEAK.search(Path(f"/proc/{one}/status").read_text()) for one in self.handler_ids]
        return max((int(peak[1]) / 1024 for peak in found if peak), default=0.0)

    @property
    def cpu_seconds(self) -> float:
        """The processor time of the handler's process until now, in user and in system mode."""
        stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in self.handler_ids]
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in stats)
        return ticks / os.sysconf("SC_CLK_TCK")

    def invoke(self, payload: bytes) -> Answer:
        """Run the handler once."""
        with self._turn:
            emulator = self._running()
            answer = self._ask(emulator, payload)
            peak = self.peak_mb
            if peak <= self.function.memory_mb:
                return answer
            # Lambda would have killed it as soon as it was so large, and starts the next one anew.
            emulator.stop()
            told = f"the handler had {peak:.0f} MB, and the function has {self.function.memory_mb} MB"
            return Answer(payload=_failure("Runtime.OutOfMemory", told), error="Unhandled")

    def _ask(self, emulator: Child, payload: bytes) -> Answer:
        url = f"{emulator.url}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, data=payload, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.function.timeout_seconds + 30) as response:  # noqa: S310
                return _answer(response.read())
        except urllib.error.HTTPError as error:  # the runtime's process ended
            return Answer(payload=error.read(), error="Unhandled")
        except OSError as error:  # the emulator itself was stopped
            return Answer(payload=_failure("Runtime.ExitError", str(error)), error="Unhandled")

    def _running(self) -> Child:
        if self._emulator is None or not self._emulator.running:
            self._emulator = self._start()
        return self._emulator

    def _start(self) -> Child:
        port, runtime_api = free_port(), f"127.0.0.1:{free_port()}"
        command = [
            str(find_emulator()),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", runtime_api),
            *self._bootstrap(runtime_api),
        ]
        return self._nursery.start(
            self.function.name, command, port=port, variables=self._variables(), cwd=self.function.code
        )

    def _bootstrap(self, _runtime_api: str) -> list[str]:
        """The command that asks the runtime API for events, and runs the handler for each."""
        # Without `site` nothing that happens to be installed here can stand in for what a layer lacks.
        return [_base_interpreter(), "-S", "-m", "awslambdaric", self.function.handler]

    def _variables(self) -> dict[str, str]:
        function = self.function
        path = [function.code, *(layer / "python" for layer in function.layers), self._modules]
        region = function.arn.split(":")[3]
        lambdas_own = {
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_seconds),
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "LAMBDA_TASK_ROOT": str(function.code),
            "PYTHONDONTWRITEBYTECODE": "1",  # /opt and /var/task cannot be written to
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "TZ": ":UTC",
            "_HANDLER": function.handler,
        }
        return lambdas_own | dict(function.variables) | dict(function.credentials) | dict(self._endpoints)


def _base_interpreter() -> str:
    """The interpreter that the virtual environment was made from."""
    return str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")


def _answer(body: bytes) -> Answer:
    """Lambda's answer from the emulator's, which reports everything with status 200."""
    if body.startswith(b"Task timed out after"):
        message = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {body.decode()}"
        return Answer(payload=_failure("Sandbox.Timedout", message), error="Unhandled")
    return Answer(payload=body, error="Unhandled" if _is_error(body) else "")


def _is_error(body: bytes) -> bool:
    """Whether awslambdaric wrote this about an exception, and not the handler as its result."""
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return (
        isinstance(value, dict) and {"errorMessage", "errorType", "requestId", "stackTrace"} <= value.keys()
    )


def _failure(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
