"""The reference verifier against a PostgreSQL server: what passes, and what it says of what does not."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.adapters.databases import SqlDatabases
from holdfast.core.verifying import Question, question_to_dict, verdict_from_dict
from holdfast.ports import VerifyPorts
from holdfast.usecases.verify_database import verify_database
from local.processes import free_port
from tests.verifier.postgresql import HOST, Server

pytestmark = pytest.mark.long

SOURCE = "arn:aws:rds:us-east-1:123456789012:db:shop"
SLOT = datetime(2026, 11, 22, 2, tzinfo=UTC)
FRESH = "select max(placed) between :slot::timestamptz - interval '1 day' and :slot from orders"


class Kept:
    """A secret that says what it is given."""

    def __init__(self, **secret: object) -> None:
        self.secret = {"username": "reader", "password": "reads-only"} | secret

    def read(self) -> str:
        return json.dumps(self.secret)


def asked(server: Server, **changed: Any) -> Question:
    given: dict[str, Any] = {
        "drill": "drill-1",
        "kind": "rds",
        "engine": "postgres",
        "engine_version": server.version,
        "source": SOURCE,
        "arn": f"{SOURCE}-drill",
        "host": HOST,
        "port": server.port,
        "slot": SLOT,
        "database": "shop",
    }
    return Question(**{**given, **changed})


def answer(
    server: Server,
    question: Question | None = None,
    queries: dict[str, Any] | None = None,
    *,
    secret: Kept | None = None,
    ca: Path | None = None,
    statement_seconds: float = 5,
    seconds_left: float = 100,
) -> dict[str, Any]:
    ports = VerifyPorts(
        secret=secret or Kept(),
        databases=SqlDatabases(ca_file=str(ca or server.ca), statement_seconds=statement_seconds),
        queries=json.dumps(queries or {}),
    )
    told: dict[str, Any] = verify_database(
        ports, question_to_dict(question or asked(server)), lambda: seconds_left
    )
    assert verdict_from_dict(told).passed is told["passed"]
    assert "reads-only" not in json.dumps(told)
    return told


def found(told: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    return {one["name"]: (one["passed"], one["found"]) for one in told["checks"]}


def test_a_whole_database_passes(server: Server) -> None:
    told = answer(server, queries={"orders are fresh": FRESH, "orders": "select count(*) from orders"})
    assert found(told) == {
        "connect": (True, "TLSv1.3, its certificate is verified"),
        "answers": (True, "1"),
        "version": (True, found(told)["version"][1]),
        "tables": (True, "2"),
        "orders are fresh": (True, "True"),
        "orders": (True, "2"),
    }
    assert found(told)["version"][1].startswith(server.version)
    assert (told["passed"], told["reason"]) == (True, "")


def test_without_a_ca_file_it_is_told_that_nobody_verified_the_server(server: Server) -> None:
    told = answer(server, ca=Path("nosuch.pem"))
    assert found(told)["connect"] == (True, "TLSv1.3, its certificate is not verified: no CA file")


def test_a_server_that_another_authority_signed_is_not_told_the_password(
    server: Server, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(_another_authority())
    told = answer(server, ca=other)
    assert not told["passed"]
    assert "its certificate is not right" in found(told)["connect"][1]


def test_a_server_whose_certificate_is_of_another_name_is_refused(server: Server) -> None:
    told = answer(server, asked(server, host="localhost"))
    assert found(told) == {
        "connect": (False, found(told)["connect"][1]),
    }
    assert "Hostname mismatch" in found(told)["connect"][1]


def test_a_server_without_tls_is_refused(server: Server) -> None:
    server.run("alter system set ssl = off", "select pg_reload_conf()")
    try:
        _until(lambda: "SSL" in found(answer(server))["connect"][1])
        assert not answer(server)["passed"]
    finally:
        server.run("alter system reset ssl", "select pg_reload_conf()")
        _until(lambda: bool(answer(server)["passed"]))


def test_a_wrong_password_is_told_and_not_shown(server: Server) -> None:
    told = answer(server, secret=Kept(password="wrong-one"))
    assert found(told) == {
        "connect": (False, 'password authentication failed for user "reader" (28P01)'),
    }
    assert told["reason"] == 'connect: password authentication failed for user "reader" (28P01)'
    assert "wrong-one" not in json.dumps(told)


def test_a_server_that_is_not_there(server: Server) -> None:
    told = answer(server, asked(server, port=free_port()))
    assert "Can't create a connection to host 127.0.0.1" in found(told)["connect"][1]
    assert not told["passed"]


def test_a_server_that_does_not_answer_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.adapters.databases.CONNECT_SECONDS", 0.3)
    with _silent() as port:
        told = answer(server, asked(server, port=port))
    assert "timed out" in found(told)["connect"][1]


def test_a_database_without_tables_fails(server: Server) -> None:
    told = answer(server, asked(server, database="empty"))
    assert found(told)["tables"] == (False, "0, which is neither true nor a number above 0")
    assert told["reason"].startswith("tables: 0")


def test_a_database_that_is_not_there_fails(server: Server) -> None:
    told = answer(server, asked(server, database="nosuch"))
    assert found(told)["connect"] == (False, 'database "nosuch" does not exist (3D000)')


def test_another_major_version_fails(server: Server) -> None:
    told = answer(server, asked(server, engine_version="9.6"))
    assert found(told)["version"][0] is False


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select false", "False, which is neither true nor a number above 0"),
        ("select 0", "0, which is neither true nor a number above 0"),
        ("select 'NaN'::numeric", "NaN, which is neither true nor a number above 0"),
        ("select null", "None, which is neither true nor a number above 0"),
        ("select note from orders where id = 1", "one, which is neither true nor a number above 0"),
        ("select repeat('x', 1000)", "x" * 100 + " …, which is neither true nor a number above 0"),
        ("select id from orders", "2 rows, where one is needed"),
        ("select id from orders where id = 9", "0 rows, where one is needed"),
        ("select nosuch from orders", 'column "nosuch" does not exist (42703)'),
        ("select count(*) from nosuch", 'relation "nosuch" does not exist (42P01)'),
        ("select :other", "There's a placeholder 'other' in the query"),
        ("select 1 $", "AttributeError"),
        ("select 1; select 2", "cannot insert multiple commands into a prepared statement (42601)"),
    ],
)
def test_a_query_that_does_not_show_what_it_should_fails_alone(server: Server, sql: str, why: str) -> None:
    told = answer(server, queries={"before": "select 1", "asked": sql, "after": "select 1"})
    assert found(told)["asked"][0] is False
    assert why in found(told)["asked"][1]
    assert found(told)["before"][0] is found(told)["after"][0] is True


def test_data_that_is_too_old_fails(server: Server) -> None:
    slot = datetime(2026, 11, 24, 2, tzinfo=UTC)
    told = answer(server, asked(server, slot=slot), {"orders are fresh": FRESH})
    assert found(told)["orders are fresh"] == (False, "False, which is neither true nor a number above 0")


def test_a_slow_query_is_ended_by_the_server_and_the_next_one_is_asked(server: Server) -> None:
    told = answer(server, queries={"slow": "select pg_sleep(60)", "next": "select 1"}, statement_seconds=0.2)
    assert found(told)["slow"] == (False, "canceling statement due to statement timeout (57014)")
    assert found(told)["next"] == (True, "1")


@pytest.mark.parametrize(
    "sql",
    [
        "delete from orders returning 1",
        "insert into items values (7) returning id",
        "with gone as (delete from orders returning id) select count(*) from gone",
        "commit; delete from orders",
        "set transaction read write",
        "do $do$ begin commit; delete from orders; end $do$",
        "create table left_behind (id int)",
    ],
)
def test_a_query_that_would_write_is_refused(server: Server, sql: str) -> None:
    """Also to a user who may."""
    told = answer(server, queries={"writes": sql, "afterwards": "delete from orders returning 1"})
    assert found(told)["writes"][0] is False
    assert "read-only transaction (25006)" in found(told)["afterwards"][1]
    connection = server.connected("shop")
    ((orders,),) = connection.run("select count(*) from orders")
    ((items,),) = connection.run("select count(*) from items")
    connection.close()
    assert (orders, items) == (2, 0)


def test_a_connection_that_breaks_fails_what_is_left(server: Server) -> None:
    server.run("grant pg_signal_backend to reader")
    told = answer(
        server, queries={"break": "select pg_terminate_backend(pg_backend_pid())", "next": "select 1"}
    )
    assert found(told)["tables"][0] is True
    assert found(told)["break"][0] is found(told)["next"][0] is False


def test_what_there_is_no_time_for_is_not_asked_and_fails(server: Server) -> None:
    told = answer(server, queries={"late": "select 1"}, seconds_left=17)
    assert found(told)["late"] == (False, "it was not asked, since the function's time is over")


def test_secrets_and_queries_may_be_of_one_source_alone(server: Server) -> None:
    secret = Kept(shop={"username": "reader", "password": "reads-only", "dbname": "shop"}, password="other")
    queries = {"all": "select 1", "shop": {"mine": "select 2"}, "billing": {"theirs": "select 0"}}
    told = answer(server, asked(server, database="nosuch"), queries, secret=secret)
    assert told["passed"]
    assert {"all", "mine"} <= set(found(told))
    assert "theirs" not in found(told)


def _another_authority() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from tests.verifier import postgresql

    key = ec.generate_private_key(ec.SECP256R1())
    made = postgresql._certificate("other", key, "other", key, is_authority=True)
    return made.public_bytes(serialization.Encoding.PEM)


@contextmanager
def _silent() -> Iterator[int]:
    """A port that takes connections, and never says anything."""
    with socket.create_server((HOST, 0)) as one:
        yield int(one.getsockname()[1])


def _until(is_so: Callable[[], bool]) -> None:
    """A server reads its settings anew when it comes to it."""
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
