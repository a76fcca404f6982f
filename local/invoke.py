"""Calls a function in the cloud that `make cloud` left up, and prints what it answers.

    python -m local.invoke create_backups events/nightly.json

Ends with 1 when the function failed, with 2 when it could not be called.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.json import JSON

from local import sandbox
from local.lambda_runtime import Answer
from local.paths import EVENTS, FUNCTIONS, ROOT
from local.sandbox import Clients
from local.serve import running_cloud


class InvokeError(Exception):
    """A function that could not be called. Says why and what can."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description="Calls a function.")
    parser.add_argument("function", help="a file in functions/, without .py")
    parser.add_argument("event", type=Path, help="a file in events/")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        function = known_function(options.function)
        payload = read_event(options.event)
        cloud = running_cloud()
        if not cloud:
            raise InvokeError("no cloud is up; start one with `make cloud` in another terminal")
        answer = invoke(Clients(cloud["AWS_ENDPOINT_URL"]), cloud["HOLDFAST_STACK"], function, payload)
    except InvokeError as error:
        console.print(f"[bold red]{options.function} was not called:[/] {error}", highlight=False)
        return 2
    _show(console, answer.payload.decode())
    if answer.error:
        console.print(f"[bold red]{options.function} failed ({answer.error})[/]")
    return 1 if answer.error else 0


def _show(console: Console, payload: str) -> None:
    """The answer as JSON, and what of it is for people as it is."""
    answer: Any = json.loads(payload)
    text = answer.pop("text", "") if isinstance(answer, dict) else ""
    console.print(JSON.from_data(answer), soft_wrap=True)
    if text:
        console.print(text, soft_wrap=True, highlight=False, markup=False)


def invoke(clients: Clients, stack: str, function: str, payload: bytes) -> Answer:
    """Call a function's alias and wait for its answer. Raises `InvokeError` when Lambda refuses."""
    name = f"{stack}-{function.replace('_', '-')}"
    try:
        answer = clients("lambda").invoke(FunctionName=name, Qualifier="live", Payload=payload)
    except ClientError as error:
        raise InvokeError(error.response["Error"]["Message"]) from error
    return Answer(payload=answer["Payload"].read(), error=answer.get("FunctionError", ""))


def known_function(name: str) -> str:
    """The name itself. Raises `InvokeError`, with those that exist, when there is no such function."""
    known = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
    if name not in known:
        raise InvokeError(f"there is no function {name!r}; there are {', '.join(known)}")
    return name


def read_event(path: Path) -> bytes:
    """The event in a file. Raises `InvokeError`, with those that exist, when it is not there or no JSON."""
    known = ", ".join(str(one.relative_to(ROOT)) for one in sorted(EVENTS.glob("*.json")))
    try:
        event: Any = json.loads(path.read_text())
    except OSError as error:
        raise InvokeError(f"{path} cannot be read ({error.strerror}); there are {known}") from error
    except ValueError as error:
        raise InvokeError(f"{path} is not JSON: {error}") from error
    return json.dumps(event).encode()


def functions_for(event: Path) -> tuple[str, ...]:
    """Which functions an event is for: the one that its name begins with, else (`nightly.json`) every one."""
    functions = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
    named = event.name.split(".", 1)[0]
    return (named,) if named in functions else tuple(functions)


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
