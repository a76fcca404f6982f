"""Embedded clouds for the end-to-end tests: real processes, the built template, the real Lambda runtime."""

import subprocess
from collections.abc import Iterator

import pytest

from local.cloud import Cloud
from local.house import House, furnish
from local.paths import ROOT, build_dir


@pytest.fixture(scope="session")
def built() -> None:
    """What `sam build` makes, made when it is missing."""
    if not (build_dir() / "template.yaml").exists():
        subprocess.run(["make", "build"], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def house(built: None) -> Iterator[House]:
    """A filled cloud. Tests use slots of their own and leave the company's data as it is."""
    with Cloud() as cloud:
        yield furnish(cloud)


@pytest.fixture(scope="session")
def slow_house(built: None) -> Iterator[House]:
    """A filled cloud in which a sweep takes seconds, since it may call RDS three times in a second only."""
    with Cloud() as cloud:
        yield furnish(cloud, {"RdsCallsPerSecond": "3"})
