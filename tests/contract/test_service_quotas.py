"""The numbers of Service Quotas. Botocore's own model judges each request and each answer: moto knows the
quotas of VPCs alone."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from holdfast.adapters.calls import client_config
from holdfast.adapters.service_quotas import ServiceQuotas
from holdfast.core.errors import AccessDenied
from holdfast.core.headroom import QUOTAS

if TYPE_CHECKING:
    from mypy_boto3_service_quotas import ServiceQuotasClient

EAST = "us-east-1"
WEST = "us-west-2"
AWAY = "us-west-2@111122223333"
APPLIED = "GetServiceQuota"
DEFAULT = "GetAWSDefaultServiceQuota"
INSTANCES = {"ServiceCode": "rds", "QuotaCode": "L-272F1212"}
CLUSTERS = {"ServiceCode": "rds", "QuotaCode": "L-9B510759"}
VOLUMES = {"ServiceCode": "ebs", "QuotaCode": "L-309BACF6"}


class Desk:
    """Where the quotas are asked for: a client for each place, and what was asked, in order."""

    def __init__(self, stubs: ExitStack) -> None:
        self._stubs = stubs
        self._clients: dict[str, ServiceQuotasClient] = {}
        self._stub_of: dict[str, Stubber] = {}
        self.made: list[str] = []
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    def client(self, place: str) -> "ServiceQuotasClient":
        """What the adapter makes its clients with."""
        self.made.append(place)
        return self._clients[place]

    def open(self, place: str) -> "ServiceQuotasClient":
        if place not in self._clients:
            client = boto3.client(
                "service-quotas",
                region_name=place.partition("@")[0],
                aws_access_key_id="fake",
                aws_secret_access_key="fake",
                config=client_config(attempts=1),
            )

            def note(params: dict[str, Any], model: Any, **_: Any) -> None:
                self.asked.append((place, model.name, dict(params)))

            # Before the stubber, whose complaint about a call too many the adapter would take for AWS's.
            client.meta.events.register_first("before-parameter-build.*.*", note)
            self._clients[place] = client
            self._stub_of[place] = self._stubs.enter_context(Stubber(client))
        return self._clients[place]

    def stub(self, place: str) -> Stubber:
        self.open(place)
        return self._stub_of[place]

    def tells(self, value: float, place: str = WEST, operation: str = "get_service_quota") -> None:
        self.stub(place).add_response(operation, {"Quota": {"Value": value}})

    def refuses(
        self, code: str, status: int = 400, place: str = WEST, operation: str = "get_service_quota"
    ) -> None:
        self.stub(place).add_client_error(operation, code, "no", status)

    def quotas(self, configured: Mapping[str, int] | None = None) -> ServiceQuotas:
        return ServiceQuotas(clients=self.client, configured=configured or {})


@pytest.fixture
def desk() -> Iterator[Desk]:
    with ExitStack() as stubs:
        yield Desk(stubs)


@pytest.mark.parametrize(("kind", "params"), [("rds", INSTANCES), ("aurora", CLUSTERS), ("ebs", VOLUMES)])
def test_the_account_s_own_quota_of_each_kind_is_asked_for(
    desk: Desk, kind: str, params: Mapping[str, str]
) -> None:
    desk.tells(250.0)
    assert desk.quotas().most(kind, WEST) == 250
    assert desk.asked == [(WEST, APPLIED, params)]


def test_a_kind_without_a_quota_is_not_asked_about(desk: Desk) -> None:
    desk.open(WEST)
    assert desk.quotas({"dynamodb": 5}).most("dynamodb", WEST) is None
    assert desk.asked == []
    assert desk.made == []


def test_where_the_account_has_no_value_of_its_own_aws_s_default_counts(desk: Desk) -> None:
    desk.refuses("NoSuchResourceException")
    desk.tells(130.0, operation="get_aws_default_service_quota")
    assert desk.quotas().most("rds", WEST) == 130
    assert desk.asked == [(WEST, APPLIED, INSTANCES), (WEST, DEFAULT, INSTANCES)]


def test_a_number_that_the_deployment_gives_is_taken_without_asking(desk: Desk) -> None:
    desk.tells(250.0)
    quotas = desk.quotas({"rds": 40})
    assert quotas.most("rds", WEST) == 40
    assert quotas.most("rds", AWAY) == 40
    assert desk.asked == []
    assert quotas.most("aurora", WEST) == 250, "the other kinds are asked about all the same"


REFUSALS = [
    ("AccessDeniedException", 400),
    ("TooManyRequestsException", 400),
    ("IllegalArgumentException", 400),
    ("UnrecognizedClientException", 400),
    ("SomethingNewException", 400),
    ("ServiceException", 500),
]


@pytest.mark.parametrize(("code", "status"), REFUSALS)
@pytest.mark.parametrize("kind", sorted(QUOTAS))
def test_where_asking_fails_the_published_default_counts(
    desk: Desk, kind: str, code: str, status: int
) -> None:
    desk.refuses(code, status)
    assert desk.quotas().most(kind, WEST) == QUOTAS[kind].default
    assert [operation for _, operation, _ in desk.asked] == [APPLIED], "asked once, and for nothing else"


@pytest.mark.parametrize(("code", "status"), [*REFUSALS, ("NoSuchResourceException", 400)])
def test_where_asking_for_the_default_fails_too_the_published_one_counts(
    desk: Desk, code: str, status: int
) -> None:
    desk.refuses("NoSuchResourceException")
    desk.refuses(code, status, operation="get_aws_default_service_quota")
    assert desk.quotas().most("rds", WEST) == 100
    assert [operation for _, operation, _ in desk.asked] == [APPLIED, DEFAULT]


def test_a_region_without_service_quotas_costs_no_more_than_the_answer(desk: Desk) -> None:
    def nowhere(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://servicequotas.us-west-2.amazonaws.com")

    desk.tells(250)
    desk.open(WEST).meta.events.register_first("before-call.*.*", nowhere)
    assert desk.quotas().most("ebs", WEST) == 100_000
    assert len(desk.asked) == 1


def test_an_account_whose_role_cannot_be_taken_on_costs_no_more_than_the_answer() -> None:
    def refused(place: str) -> "ServiceQuotasClient":
        raise AccessDenied("sts", place, "AssumeRole", "AccessDenied")

    assert ServiceQuotas(clients=refused, configured={}).most("rds", AWAY) == 100


@pytest.mark.parametrize(
    "answer",
    [
        {"Quota": {"ErrorReason": {"ErrorCode": "DEPENDENCY_ACCESS_DENIED_ERROR", "ErrorMessage": "no"}}},
        {"Quota": {"ErrorReason": {"ErrorCode": "DEPENDENCY_THROTTLING_ERROR"}, "Value": 0.0}},
        {"Quota": {"ErrorReason": {"ErrorCode": "DEPENDENCY_SERVICE_ERROR"}, "Value": 7.0}},
        {"Quota": {"Value": 0.0}},
        {"Quota": {}},
        {},
    ],
)
def test_an_answer_without_a_number_is_none(desk: Desk, answer: dict[str, Any]) -> None:
    desk.stub(WEST).add_response("get_service_quota", answer)
    assert desk.quotas().most("rds", WEST) == 100
    assert len(desk.asked) == 1


def test_each_place_has_its_own_quota(desk: Desk) -> None:
    for place, value in ((EAST, 110), (WEST, 120), (AWAY, 130)):
        desk.tells(value, place)
    quotas = desk.quotas()
    assert [quotas.most("rds", place) for place in (EAST, WEST, AWAY)] == [110, 120, 130]
    assert desk.asked == [(place, APPLIED, INSTANCES) for place in (EAST, WEST, AWAY)]


def test_a_place_is_asked_once_for_each_kind_with_one_client(desk: Desk) -> None:
    desk.tells(110)
    desk.tells(120)
    quotas = desk.quotas()
    told = [quotas.most(kind, WEST) for kind in ("rds", "aurora", "rds", "aurora")]
    assert told == [110, 120, 110, 120]
    assert len(desk.asked) == 2
    assert desk.made == [WEST]


def test_what_could_not_be_asked_is_not_asked_again(desk: Desk) -> None:
    desk.refuses("TooManyRequestsException")
    desk.tells(250)
    quotas = desk.quotas()
    assert [quotas.most("rds", WEST) for _ in range(3)] == [100, 100, 100]
    assert len(desk.asked) == 1


def test_threads_that_ask_at_the_same_time_ask_once(desk: Desk) -> None:
    desk.tells(250)

    def slow(**_: Any) -> None:
        time.sleep(0.2)  # the others come meanwhile

    desk.open(WEST).meta.events.register_first("before-call.*.*", slow)
    quotas = desk.quotas()
    ask: Callable[[int], int | None] = lambda _: quotas.most("rds", WEST)  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [250] * 8
    assert len(desk.asked) == 1
    assert desk.made == [WEST]


@pytest.mark.parametrize(("standing", "asked"), [(0, False), (79, False), (80, True), (300, True)])
def test_aws_is_not_asked_as_long_as_few_stand_for_every_account(
    desk: Desk, standing: int, asked: bool
) -> None:
    desk.tells(250)
    assert desk.quotas().most("rds", WEST, standing) == (250 if asked else 100)
    assert bool(desk.asked) == asked


def test_a_number_of_the_deployment_counts_however_few_stand(desk: Desk) -> None:
    assert desk.quotas({"rds": 10}).most("rds", WEST, 8) == 10
    assert desk.asked == []
