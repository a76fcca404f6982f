"""One house for all tests here that need one: to furnish it takes seconds."""

from collections.abc import Iterator

import pytest

from tests.faults.house import House


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    with House.open() as house:
        yield house
