"""Functions that wait for AWS until Lambda would end them. Time is the test's own, so that nobody waits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

import check_recovery_points
import copy_backups
import create_backups
import prune_backups
import publish_report
from holdfast import bootstrap as bootstrap_module
from holdfast.adapters import s3_records, ssm_plans
from holdfast.adapters.calls import CONNECT_SECONDS, READ_SECONDS
from holdfast.core.errors import ProviderError
from holdfast.core.report import Stage
from tests.contract.night import Night
from tests.contract.test_retries import timeouts
from tests.faults.house import NIGHT, House
from tests.faults.wire import Call, Deliver

FUNCTIONS: dict[Stage, ModuleType] = {
    Stage.CREATE: create_backups,
    Stage.COPY: copy_backups,
    Stage.PRUNE: prune_backups,
    Stage.CHECK: check_recovery_points,
    Stage.REPORT: publish_report,
}
_READ_SECONDS = {"s3": s3_records.READ_SECONDS, "ssm": ssm_plans.READ_SECONDS}


def longest(call: Call) -> float:
    """How long an attempt can take, by the client that it is made with."""
    read = _READ_SECONDS.get(call.service, READ_SECONDS)
    exports = call.service == "s3" and call.params.get("Bucket") != "holdfast-records"
    return CONNECT_SECONDS + (READ_SECONDS if exports else read)


@dataclass
class Waiting:
    """A function's invocation in a house. From the call of that number on (the second at the earliest),
    before which so many seconds are left, each call takes as long as it can: it is answered in the last
    moment, or `hangs` and is not."""

    house: House
    stage: Stage
    from_call: int
    left: float
    hangs: bool
    night: Night = field(default_factory=Night)
    answer: Any = None
    error: Exception | None = None

    @property
    def timeout(self) -> float:
        return timeouts()[FUNCTIONS[self.stage].__name__]

    @property
    def seconds_left(self) -> float:
        return self.timeout - self.night.now

    def live(self, patch: pytest.MonkeyPatch) -> None:
        """What is raised is kept, as Lambda keeps it for the caller."""
        self.house.restore(self.stage)
        self.house.wire.add(lambda _: True, self._wait)
        handler: Callable[..., Any] = FUNCTIONS[self.stage].handler
        with patch.context() as within:
            self.night.lived_by(within)
            within.setattr(bootstrap_module, "_app", self.house.app)
            try:
                self.answer = handler(
                    {"plan": "nightly", "slot": f"{NIGHT:%Y-%m-%dT%H:%M:%SZ}"}, _Context(self)
                )
            except ProviderError as error:
                self.error = error

    def _wait(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.number < self.from_call:
            answer = deliver()
            if call.number == self.from_call - 1:
                self.night.now = max(self.night.now, self.timeout - self.left)
            return answer
        self.night.now += longest(call)
        if self.hangs:
            raise ReadTimeoutError(endpoint_url="https://aws")
        return deliver()


@dataclass
class _Context:
    """What Lambda tells a function of its invocation."""

    waiting: Waiting
    function_name: str = "holdfast"
    function_version: str = "1"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:holdfast"
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.waiting.seconds_left * 1000)
