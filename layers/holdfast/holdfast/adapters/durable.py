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


class DurableSteps:
    """`ports.Steps`: every result is a checkpoint that AWS keeps, and is replayed after a crash."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    @property
    def id(self) -> str:
        """The run's id, the same each time it is resumed: the execution's name, which Lambda makes unique
        where nobody gives one. By Lambda's API reference the ARN ends in `…/durable-execution/<name>/<id>`,
        and a name has at most 64 letters, digits, `-` and `_`."""
        return self._context.execution_context.durable_execution_arn.split("/")[-2]

    def started(self) -> datetime:
        """When the run began, the same each time it is resumed."""
        told = self.step("started", lambda: {"at": datetime.now(UTC).isoformat()})
        return datetime.fromisoformat(str(told["at"]))

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        config = StepConfig(retry_strategy=RetryPresets.none())
        return self._context.step(lambda _: work(), name=name, config=config)

    def wait(self, seconds: int) -> None:
        self._context.wait(Duration.from_seconds(seconds))


class DurableRun(DurableSteps):
    """`ports.RunContext`."""

    def __init__(self, context: DurableContext, functions: Mapping[str, str]) -> None:
        """`functions` has the alias to invoke of each stage, by the stage's name."""
        super().__init__(context)
        missing = [str(stage) for stage in Stage if not functions.get(stage)]
        if missing:
            raise SettingsError(
                f"no function is named for the stages {', '.join(missing)} (see template.yaml)"
            )
        self._functions = functions

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        try:
            answer: object = self._context.invoke(self._functions[stage], dict(payload), name=str(stage))
        except InvokeError as error:
            raise self._crashed(stage, str(error)) from error
        if not isinstance(answer, dict):
            raise self._crashed(stage, f"its function answered {answer!r} and not with a summary")
        told = {"act": f"invoke {stage}", "state": "done", "invoked": str(stage)}
        self._context.logger.info("invoked", extra=told)
        return answer

    def _crashed(self, stage: Stage, why: str) -> StageCrashed:
        """The SDK's logger leaves out what an earlier invocation of this execution has logged."""
        told = {"act": f"invoke {stage}", "state": "failed", "invoked": str(stage), "reason": why}
        self._context.logger.error("crashed", extra=told)
        return StageCrashed(why)
