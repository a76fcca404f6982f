"""moto in this process, and each kind's world on it and in memory."""

from collections.abc import Iterator

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.contract.kinds import AuroraWorld, DynamoDBWorld, RdsWorld, World, fakes, on_moto
from tests.fakes import ACCOUNT, KINDS


@pytest.fixture
def aws() -> Iterator[None]:
    assert DEFAULT_ACCOUNT_ID == ACCOUNT
    with mock_aws():
        yield


def _build(request: pytest.FixtureRequest) -> World:
    name: str = request.param
    if name in fakes():
        return fakes()[name]()
    request.getfixturevalue("aws")
    return on_moto()[name]()


@pytest.fixture(params=[*on_moto(), *fakes()])
def world(request: pytest.FixtureRequest) -> World:
    """Every kind, on moto and in memory."""
    return _build(request)


@pytest.fixture(params=[name for name in [*on_moto(), *fakes()] if KINDS[name.split("-")[0]].tagged])
def copying(request: pytest.FixtureRequest) -> World:
    """Every kind that can be copied."""
    return _build(request)


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBWorld:
    return DynamoDBWorld()


@pytest.fixture(params=[RdsWorld, AuroraWorld], ids=["rds", "aurora"])
def twin(request: pytest.FixtureRequest, aws: None) -> RdsWorld:
    """Each of the two kinds that the RDS API knows."""
    build: type[RdsWorld] = request.param
    return build()


@pytest.fixture
def rds(aws: None) -> RdsWorld:
    return RdsWorld()


@pytest.fixture
def aurora(aws: None) -> AuroraWorld:
    return AuroraWorld()
