"""What an invocation uses is counted: each attempt of each call, and the memory and time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from holdfast.adapters.calls import OutOfTime, client_config
from holdfast.adapters.meter import Meter
from holdfast.adapters.patience import Patience
from holdfast.bootstrap import App
from holdfast.core.usage import Usage
from holdfast.settings import read_settings
from tests.contract.clock import Clock
from tests.contract.night import _answer
from tests.contract.test_retries import ENVIRONMENT
from tests.fakes import AWAY, HOME

BUSY = _answer(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Whatever botocore sends is answered by these, and at the end by nothing in particular."""

    def wire(*answers: AWSResponse) -> None:
        left = list(answers)
        monkeypatch.setattr(
            "botocore.httpsession.URLLib3Session.send",
            lambda *_: left.pop(0) if left else _answer(200, {}),
        )

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr("random.random", lambda: 0.0)  # no pause between two attempts
    wire()
    return wire


def a_client(patience: Patience, service: str, **more: Any) -> Any:
    made: Any = boto3.Session(region_name=HOME).client(service, config=client_config(**more))  # type: ignore[call-overload]
    return patience.watched(made)


class TestCalls:
    @pytest.mark.usefixtures("wired")
    def test_a_call_has_the_name_of_its_service_and_operation(self) -> None:
        patience = Patience()
        a_client(patience, "dynamodb").list_tables()
        a_client(patience, "resourcegroupstaggingapi").get_resources()
        a_client(patience, "dynamodb").list_tables()
        assert patience.usage() == Usage(
            invocations=1,
            calls={"dynamodb.ListTables": 2, "resource-groups-tagging-api.GetResources": 1},
        )

    def test_each_attempt_counts(self, wired: Callable[..., None]) -> None:
        wired(BUSY, BUSY)
        patience = Patience()
        a_client(patience, "dynamodb").list_tables()
        assert patience.usage().calls == {"dynamodb.ListTables": 3}

    def test_so_does_one_that_failed_for_good(self, wired: Callable[..., None]) -> None:
        wired(_answer(400, {"__type": "AccessDeniedException", "message": "may not"}))
        patience = Patience()
        with pytest.raises(ClientError):
            a_client(patience, "dynamodb").list_tables()
        assert patience.usage().calls == {"dynamodb.ListTables": 1}

    @pytest.mark.usefixtures("wired")
    def test_what_there_was_no_time_to_send_does_not(self) -> None:
        patience = Patience()
        patience.begin(lambda: 1.0)
        with pytest.raises(OutOfTime):
            a_client(patience, "dynamodb").list_tables()
        assert patience.usage().calls == {}

    @pytest.mark.usefixtures("wired")
    def test_the_next_invocation_begins_anew(self) -> None:
        patience = Patience()
        client = a_client(patience, "dynamodb")
        client.list_tables()
        patience.begin(lambda: 900.0)
        assert patience.usage() == Usage(invocations=1)
        client.list_tables()
        assert patience.usage().calls == {"dynamodb.ListTables": 1}

    def test_threads_lose_no_count(self) -> None:
        meter = Meter()

        def send(_: int) -> None:
            for _attempt in range(2000):
                meter.sent("s3.PutObject")

        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(send, range(8)))
        assert meter.usage().calls == {"s3.PutObject": 16_000}


class TestTime:
    @pytest.mark.parametrize(
        ("memory_mb", "seconds", "gb_seconds"),
        [
            (1024, 2.0, 2.0),
            (512, 2.0, 1.0),
            (256, 0.25, 0.0625),
            (1024, 0.0001, 0.001),
            (1024, 1.0001, 1.001),
            (0, 60.0, 0.0),
        ],
    )
    def test_it_is_memory_times_time_by_started_milliseconds(
        self, memory_mb: int, seconds: float, gb_seconds: float
    ) -> None:
        clock = Clock()
        meter = Meter(memory_mb, clock.read)
        clock.sleep(1000.0)  # between two invocations
        meter.begin()
        clock.sleep(seconds)
        assert meter.usage().gb_seconds == pytest.approx(gb_seconds, rel=1e-9)

    def test_the_memory_is_what_lambda_tells(self) -> None:
        told = read_settings(ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"})
        assert (told.memory_mb, read_settings(ENVIRONMENT).memory_mb) == (512, 0)
        app = App(told, boto3.Session(region_name=HOME))
        assert app.patience.usage().gb_seconds > 0


@pytest.mark.usefixtures("wired")
def test_a_client_of_another_place_is_metered_as_well() -> None:
    app = App(read_settings(ENVIRONMENT), boto3.Session(region_name=HOME))
    app.patience.begin(lambda: 900.0)
    app._accounts.client("kms", AWAY, client_config()).list_keys()
    assert app.patience.usage().calls == {"kms.ListKeys": 1}
