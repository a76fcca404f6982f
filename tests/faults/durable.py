"""A whole run on the durable SDK and its own test runner, in which functions end before their time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult, DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.executor import Executor

import run_plan as function
from holdfast.bootstrap import App
from holdfast.core.report import Stage
from tests.faults.wire import Killed
from tests.integration.test_run_plan import FUNCTIONS, Functions


class Ended(Exception):
    """Lambda ended the function: what its caller sees of a `Killed`."""


def run(
    patch: pytest.MonkeyPatch, app: Callable[[], App], functions: Functions, slot: str
) -> DurableFunctionTestResult:
    """One execution of `run_plan`, to its end."""

    def handler(event: Any, context: Any) -> Any:
        try:
            return function.handler(event, context)
        except Killed as error:  # the runner is no Lambda: such an end would be its own
            raise Ended from error

    def stage_of(stage: Stage) -> Callable[[Any, Any], object]:
        def invoke(payload: Any, _context: Any) -> object:
            try:
                return functions(stage, payload)
            except Killed as error:
                raise Ended from error

        return invoke

    patch.setattr(function, "bootstrap", lambda _: app())
    patch.setattr(Executor, "RETRY_BACKOFF_SECONDS", 0)
    with DurableFunctionTestRunner(handler, skip_time=True, poll_interval=0.01) as runner:
        for stage, name in FUNCTIONS.items():
            runner.register_function(name, stage_of(stage))
        event = json.dumps({"plan": "nightly", "slot": slot})
        result: DurableFunctionTestResult = runner.run(input=event, execution_timeout=90_000)
        return result
