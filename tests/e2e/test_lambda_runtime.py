"""The emulator's answers become those of the Lambda API."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.lambda_runtime import Function, MissingToolError, Runtime, find_emulator, runtime_modules
from local.processes import Nursery
from tests.e2e.handlers import until

HANDLER = """
import os, time
def handler(event, context):
    if event == "raise":
        raise ValueError("no")
    if event == "sleep":
        time.sleep(30)
    if event == "error-like":
        return {"errorMessage": "a value", "errorType": "of the handler's own"}
    return {"event": event, "name": context.function_name, "variable": os.environ["COLOUR"]}
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("function")
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(HANDLER)
    function = Function(
        name="painter",
        arn="arn:aws:lambda:us-east-1:123456789012:function:painter",
        handler="app.handler",
        version="1",
        timeout_seconds=2,
        memory_mb=128,
        variables={"COLOUR": "green"},
        credentials={},
        code=folder / "code",
        layers=(),
    )
    nursery = Nursery(folder / "logs")
    yield Runtime(function, {}, nursery, runtime_modules(folder / "modules"))
    nursery.stop()


def test_a_result_is_passed_on(runtime: Runtime) -> None:
    answer = runtime.invoke(b'"hello"')
    assert not answer.error
    assert json.loads(answer.payload) == {"event": "hello", "name": "painter", "variable": "green"}


def test_an_exception_is_a_function_error(runtime: Runtime) -> None:
    answer = runtime.invoke(b'"raise"')
    assert answer.error == "Unhandled"
    assert json.loads(answer.payload)["errorType"] == "ValueError"


def test_a_result_that_looks_like_an_error_is_a_result(runtime: Runtime) -> None:
    assert not runtime.invoke(b'"error-like"').error


def test_a_timeout_is_a_function_error_and_the_next_call_works(runtime: Runtime) -> None:
    answer = runtime.invoke(b'"sleep"')
    assert answer.error == "Unhandled"
    assert json.loads(answer.payload)["errorType"] == "Sandbox.Timedout"
    assert not runtime.invoke(b"1").error


def test_a_killed_handler_is_a_function_error_and_the_next_call_works(runtime: Runtime) -> None:
    answers = []
    call = threading.Thread(target=lambda: answers.append(runtime.invoke(b'"sleep"')))
    call.start()
    for process in until(lambda: runtime.handler_ids):
        os.kill(process, signal.SIGKILL)
    call.join()
    assert answers[0].error == "Unhandled"
    assert json.loads(answers[0].payload)["errorType"] == "Runtime.ExitError"
    assert not runtime.invoke(b"1").error


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOLDFAST_SAM_VENV", str(tmp_path))
    with pytest.raises(MissingToolError, match="aws-sam-cli is not installed in"):
        find_emulator()
