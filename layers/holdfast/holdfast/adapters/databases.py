"""Restored databases, asked by SQL: only to read, only with TLS, and never for long."""

import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.core.asking import STATEMENT_SECONDS, Login
from holdfast.core.brief import cut
from holdfast.core.errors import DatabaseRefused
from holdfast.core.verifying import Question
from holdfast.ports import Database

CONNECT_SECONDS = 10.0
_SLACK_SECONDS = 3.0
"""What the socket waits beyond a statement's time, so that it is the server that ends it, and says so."""

_LONGEST_ERROR = 200

_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)

type Opener = Callable[[Question, Login, ssl.SSLContext, float], "Database"]


class SqlDatabases:
    """`ports.Databases`. A server's certificate is verified where there is a file with its authority's."""

    def __init__(self, *, ca_file: str, statement_seconds: float = STATEMENT_SECONDS) -> None:
        self._ca_file = ca_file
        self._statement_seconds = statement_seconds

    @contextmanager
    def connect(self, question: Question, login: Login) -> Iterator[Database]:
        opener = _OPENERS.get(question.engine)
        if opener is None:
            known = ", ".join(sorted(_OPENERS))
            raise DatabaseRefused(f"the engine {question.engine!r} is not known here; known are {known}")
        with refused():
            database = opener(question, login, self._tls(), self._statement_seconds)
        try:
            yield database
        finally:
            with suppress(Exception):  # what was found stands, however the farewell goes
                database.close()

    def _tls(self) -> ssl.SSLContext:
        """RDS's certificates are of AWS's own authority, which no system knows by itself."""
        if self._ca_file and Path(self._ca_file).exists():
            return ssl.create_default_context(cafile=self._ca_file)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class PostgreSQL:
    """A read-only transaction in a session of PostgreSQL, or of Aurora's PostgreSQL."""

    tables_sql = (
        "select count(*) from pg_catalog.pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema')"
    )

    def __init__(self, connection: Any, tls: ssl.SSLContext, seconds: float) -> None:
        self._connection = connection
        connection.run(f"set statement_timeout = {round(seconds * 1000)}")
        ((protocol,),) = connection.run("select version from pg_stat_ssl where pid = pg_backend_pid()")
        self.greeting = _greeting(str(protocol), tls)
        ((self.version,),) = connection.run("show server_version")

    def rows(self, sql: str, slot: datetime | None) -> Sequence[Sequence[object]]:
        """Each in a transaction of its own, since one that has failed answers nothing more. The statement in
        it has a parameter in any case: only so the driver sends it by the protocol that takes one statement
        alone, which so cannot end the transaction. That is read-only for good after its first query."""
        with refused():
            self._connection.run("begin read only")
            try:
                self._connection.run("select 1")
                rows: Sequence[Sequence[object]] = self._connection.run(sql, slot=slot) or []
                return rows
            finally:
                with suppress(Exception):  # of a connection that is broken; the error itself is told
                    self._connection.run("rollback")

    def close(self) -> None:
        self._connection.close()


class MySQL:
    """The same of MySQL, MariaDB, or Aurora's MySQL."""

    tables_sql = (
        "select count(*) from information_schema.tables where table_type = 'BASE TABLE' "
        "and table_schema not in ('mysql', 'sys', 'performance_schema', 'information_schema')"
    )

    def __init__(self, connection: Any, tls: ssl.SSLContext, seconds: float) -> None:
        self._connection = connection
        self.version = str(self._run("select version()")[0][0])
        if "mariadb" in self.version.lower():
            self._run(f"set session max_statement_time = {seconds}")
        else:
            self._run(f"set session max_execution_time = {round(seconds * 1000)}")
        self.greeting = _greeting(str(self._run("show status like 'Ssl_version'")[0][1]), tls)

    def rows(self, sql: str, slot: datetime | None) -> Sequence[Sequence[object]]:
        """Without the driver's flag for it, the server takes one statement at a time. One such as
        `drop table` would end the transaction before it does its work, read-only or not."""
        if not _READS.match(sql):
            raise DatabaseRefused("it was not asked: it begins neither with select nor with with")
        with refused():
            self._run("start transaction read only")
            try:
                at = slot.astimezone(UTC).replace(tzinfo=None) if slot else None
                given = re.sub(r":slot\b", "%(slot)s", sql.replace("%", "%%"))
                return self._run(given, {"slot": at})
            finally:
                with suppress(Exception):  # as above
                    self._run("rollback")

    def _run(self, sql: str, given: dict[str, object] | None = None) -> Sequence[Sequence[object]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, given)
            return list(cursor.fetchall())

    def close(self) -> None:
        self._connection.close()


def _open_postgresql(question: Question, login: Login, tls: ssl.SSLContext, seconds: float) -> PostgreSQL:
    from pg8000.native import Connection  # type: ignore[import-untyped]  # noqa: PLC0415  in one function's layer

    connection = Connection(
        login.user,
        host=question.host,
        port=question.port,
        database=login.database or "postgres",
        password=login.password,
        ssl_context=tls,
        timeout=CONNECT_SECONDS,
        application_name="holdfast",
    )
    # The driver keeps no other way to it: the time to connect would else be the time of each statement.
    connection._usock.settimeout(seconds + _SLACK_SECONDS)  # noqa: SLF001
    return PostgreSQL(connection, tls, seconds)


def _open_mysql(question: Question, login: Login, tls: ssl.SSLContext, seconds: float) -> MySQL:
    import pymysql  # noqa: PLC0415  as above

    connection = pymysql.connect(
        host=question.host,
        port=question.port,
        user=login.user,
        password=login.password,
        database=login.database or None,
        ssl=tls,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=seconds + _SLACK_SECONDS,
    )
    return MySQL(connection, tls, seconds)


_OPENERS: dict[str, Opener] = {
    "postgres": _open_postgresql,
    "aurora-postgresql": _open_postgresql,
    "mysql": _open_mysql,
    "mariadb": _open_mysql,
    "aurora-mysql": _open_mysql,
}
"""By RDS's names of engines."""


def _greeting(protocol: str, tls: ssl.SSLContext) -> str:
    is_verified = tls.verify_mode == ssl.CERT_REQUIRED
    return f"{protocol}, its certificate is {'verified' if is_verified else 'not verified: no CA file'}"


@contextmanager
def refused() -> Iterator[None]:
    """Turn whatever a driver raises into a `DatabaseRefused`. They do not keep to errors of their own: a
    broken connection, an odd answer and SQL that they cannot take apart come as Python's."""
    try:
        yield
    except Exception as error:
        raise DatabaseRefused(cut(_told(error), _LONGEST_ERROR)) from error


def _told(error: Exception) -> str:
    """What went wrong, in the words of the server where it has spoken. Those of PostgreSQL are in a
    dictionary, by letters: C is the code, M the text. Of MySQL they are a number and a text."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not right: {error.verify_message}"
    said = error.args[0] if error.args else ""
    if isinstance(said, dict):
        return f"{said.get('M', 'an error')} ({said.get('C', 'without a code')})"
    return f"{type(error).__name__}: {error}"
