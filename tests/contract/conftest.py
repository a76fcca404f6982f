"""moto in this process, and each kind's world on it and in memory."""

from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any

import moto.core.models
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.contract.kinds import (
    AuroraWorld,
    DynamoDBWorld,
    EbsWorld,
    RdsWorld,
    World,
    fakes,
    on_moto,
)
from tests.fakes import ACCOUNT, KINDS, Kind

_answer = BotocoreStubber.__call__
_answering = RLock()


def _one_at_a_time(self: BotocoreStubber, *asked: Any, **named: Any) -> Any:
    """moto in one process is not made for threads: a listing fails when something is made meanwhile."""
    with _answering:
        return _answer(self, *asked, **named)


BotocoreStubber.__call__ = _one_at_a_time  # type: ignore[method-assign]

# For what calls AWS without boto3, moto makes a thousand patterns at each start. Nothing here does.
moto.core.models.RESPONSES_METHODS = []


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert DEFAULT_ACCOUNT_ID == ACCOUNT
    # More than a thousand images and their snapshots, which every test would wait for.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
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


def _worlds_of(fits: Callable[[Kind], bool]) -> list[str]:
    return [name for name in [*on_moto(), *fakes()] if fits(KINDS[name.split("-")[0]])]


@pytest.fixture(params=_worlds_of(lambda kind: kind.tagged))
def copying(request: pytest.FixtureRequest) -> World:
    """Every kind whose backups are copied by one call."""
    return _build(request)


@pytest.fixture(params=_worlds_of(lambda kind: kind.laws.service == "rds"))
def database(request: pytest.FixtureRequest) -> World:
    """Every kind that can be stopped."""
    return _build(request)


@pytest.fixture(params=_worlds_of(lambda kind: kind.grouped))
def grouping(request: pytest.FixtureRequest) -> World:
    """Every kind whose resources can be backed up together."""
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


@pytest.fixture
def ebs(aws: None) -> EbsWorld:
    return EbsWorld()
