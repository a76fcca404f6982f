"""A run's context on Lambda's durable functions.

Of the SDK only its step, invoke and wait are used. How often to sweep and how long to wait is the core's
to decide: a durable function's own retry and wait strategies would decide it a second time.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from aws_durable_execution_sdk_python import DurableContext, InvokeError
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets

from holdfast.core.errors import SettingsError, StageCrashed
from holdfast.core.report import Stage


class DurableRun:
    """`ports.RunContext`: every result is a checkpoint that AWS keeps, and is replayed after a crash."""

    def __init__(self, context: DurableContext, functions: Mapping[str, str]) -> None:
        """`functions` has the alias to invoke of each stage, by the stage's name."""
        missing = [str(stage) for stage in Stage if not functions.get(stage)]
        if missing:
            raise SettingsError(
                f"no function is named for the stages {', '.join(missing)} (see template.yaml)"
            )
        self._context = context
        self._functions = functions

    def started(self) -> datetime:
        """When the run began, the same each time it is resumed."""
        told = self.step("started", lambda: {"at": datetime.now(UTC).isoformat()})
        return datetime.fromisoformat(str(told["at"]))

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        config = StepConfig(retry_strategy=RetryPresets.none())
        return self._context.step(lambda _: work(), name=name, config=config)

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        try:
            answer: object = self._context.invoke(self._functions[stage], dict(payload), name=str(stage))
        except InvokeError as error:
            raise StageCrashed(str(error)) from error
        if not isinstance(answer, dict):
            raise StageCrashed(f"its function answered {answer!r} and not with a summary")
        return answer

    def wait(self, seconds: int) -> None:
        self._context.wait(Duration.from_seconds(seconds))
