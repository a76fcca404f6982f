"""The durable run, on the SDK and its own test runner: the function is ended at each of its checkpoints, and
the run goes on to the same end, with one message. The stages are in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import InvocationStatus
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult
from aws_durable_execution_sdk_python_testing.client import InMemoryServiceClient

from holdfast.core.report import Stage
from tests.faults.durable import Ended, run
from tests.integration.test_run_plan import a_world, an_app, end_of
from tests.integration.world import World

pytestmark = pytest.mark.long


@dataclass
class Checkpoints:
    """What AWS keeps of a run. At the checkpoint of that number the function ends, once: before it is kept,
    or when it is. Then its next invocation goes on."""

    end_at: int = 0
    after: bool = False
    made: int = 0
    ended: int = field(default=0, init=False)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        keep = InMemoryServiceClient.checkpoint

        def checkpoint(client: InMemoryServiceClient, *given: Any, **more: Any) -> Any:
            self.made += 1
            ends = self.made == self.end_at
            self.ended += ends
            if ends and not self.after:
                raise Ended
            kept = keep(client, *given, **more)
            if ends:
                raise Ended
            return kept

        patch.setattr(InMemoryServiceClient, "checkpoint", checkpoint)


@dataclass
class Night:
    """A run in memory, and how often each stage was asked for its work."""

    world: World
    invoked: Counter[Stage] = field(default_factory=Counter)

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        self.invoked[stage] += 1
        return self.world.invoke(stage, payload)

    def live(self, patch: pytest.MonkeyPatch, checkpoints: Checkpoints) -> DurableFunctionTestResult:
        with patch.context() as within:
            checkpoints.watch(within)
            return run(within, lambda: an_app(self.world), self.invoke, "2026-11-22T02:00:00Z")


@pytest.fixture(scope="module")
def usual() -> tuple[Night, int]:
    """A night without an end before its time, and how many checkpoints it makes."""
    night, checkpoints = Night(a_world(nights=3)), Checkpoints()
    with pytest.MonkeyPatch.context() as patch:
        result = night.live(patch, checkpoints)
    assert result.status is InvocationStatus.SUCCEEDED
    assert checkpoints.made > 10, "else a run has become too short for its test"
    return night, checkpoints.made


@pytest.mark.parametrize("every", [24, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_ends_at_any_checkpoint_goes_on_to_the_same_end(
    after: bool, every: int, usual: tuple[Night, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, number = usual
    for end_at in range(max(1, every // 2), number + 1, every):
        night, checkpoints = Night(a_world(nights=3)), Checkpoints(end_at, after)
        result = night.live(monkeypatch, checkpoints)
        assert checkpoints.ended == 1
        assert result.status is InvocationStatus.SUCCEEDED, end_at
        assert end_of(night.world) == end_of(undisturbed.world), end_at
        assert len(night.world.notifier.messages) == 1
        assert night.invoked == undisturbed.invoked, end_at
