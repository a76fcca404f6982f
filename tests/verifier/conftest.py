"""One PostgreSQL for all tests here. Where there is none they are skipped, but with
`HOLDFAST_POSTGRES=required`, which CI sets, they fail."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verifier.postgresql import Server, find_postgresql, started


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    binaries = find_postgresql()
    if binaries is None:
        reason = "there is no PostgreSQL here: on Debian and Ubuntu `apt-get install postgresql`"
        if os.environ.get("HOLDFAST_POSTGRES") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's own folder, in which another user, as whom the server runs as root, may not look.
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-postgresql-") as folder,
        started(binaries, Path(folder)) as one,
    ):
        one.run("create role reader login password 'reads-only'", "create database shop")
        one.run(
            "create table orders (id int primary key, placed timestamptz not null, note text)",
            "insert into orders values (1, '2026-11-21T23:00:00Z', 'one')",
            "insert into orders values (2, '2026-11-22T01:00:00Z', 'two')",
            "create table items (id int primary key)",
            "grant select, insert, delete on orders, items to reader",
            database="shop",
        )
        one.run("create database empty")
        yield one
