"""The log lines that the real handlers write over a cloud in memory, read back as CloudWatch reads them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

import copy_backups
import create_backups
import prune_backups
import publish_report
from holdfast.adapters.patience import Patience
from holdfast.core.report import Stage
from holdfast.ports import CreatePorts, PrunePorts
from tests.fakes import KINDS
from tests.integration.world import LONG_AGO, World

HANDLERS: Mapping[Stage, Any] = {
    Stage.CREATE: create_backups,
    Stage.COPY: copy_backups,
    Stage.PRUNE: prune_backups,
    Stage.REPORT: publish_report,
}
NIGHTLY = {"plan": "nightly", "slot": "2026-11-22T02:00:00Z"}


def read(log: StringIO) -> list[dict[str, Any]]:
    """The events of a log. Raises when one is not a JSON object on a line of its own."""
    return [json.loads(line) for line in log.getvalue().split("\n") if line]


@dataclass(kw_only=True)
class Invocation:
    """What Lambda tells a function of its invocation."""

    aws_request_id: str = "11111111-2222-4333-8444-555555555555"
    function_name: str = "holdfast-a-stage"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:holdfast-a-stage"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@dataclass
class Logged:
    """A world, its functions, and what they have logged until now."""

    world: World
    patch: pytest.MonkeyPatch
    text: StringIO = field(default_factory=StringIO)

    def __post_init__(self) -> None:
        self.world.records.tell(
            "nightly", LONG_AGO, dict.fromkeys(KINDS, self.world.plan.retention("us-east-1"))
        )
        for module in HANDLERS.values():
            self.patch.setattr(module, "bootstrap", self._app)
            self.patch.setattr(module.logger.registered_handler, "stream", self.text)

    def invoke(self, stage: Stage, context: Invocation | None = None, **event: object) -> dict[str, Any]:
        handler: Callable[..., dict[str, Any]] = HANDLERS[stage].handler
        return handler(NIGHTLY | event, context or Invocation())

    @property
    def lines(self) -> list[dict[str, Any]]:
        return read(self.text)

    def of(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]

    def _app(self, _deadline: object) -> Any:
        """As `bootstrap.App` has them."""
        world = self.world
        return SimpleNamespace(
            plans=world.plans,
            records=world.records,
            notifier=world.notifier,
            chat=None,
            home=world.home,
            patience=Patience(),
            copy_ports=world.copy_ports,
            create_ports=CreatePorts(
                providers=world.providers, groupers=world.groupers, turns=world.turns, quotas=world.quotas
            ),
            prune_ports=PrunePorts(
                providers=world.providers,
                copiers=world.copiers,
                hold_lists={"dynamodb": world.holds},
                records=world.records,
                quotas=world.quotas,
            ),
        )
