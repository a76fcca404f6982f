"""The contract between a drill and a verifier, and what the reference verifier makes of what it is given."""

import json
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.adapters.databases import MySQL, SqlDatabases
from holdfast.core.asking import Login, judged, login_of, queries_of
from holdfast.core.checks import Check
from holdfast.core.errors import DatabaseRefused, NoAnswer
from holdfast.core.verifying import (
    SCHEMA,
    Question,
    Verdict,
    question_from_dict,
    question_to_dict,
    verdict_from_dict,
    verdict_to_dict,
)
from holdfast.ports import Database, VerifyPorts
from holdfast.usecases.verify_database import verify_database

SOURCE = "arn:aws:rds:us-east-1:123456789012:db:billing"
QUESTION = Question(
    drill="drill-1",
    kind="rds",
    engine="postgres",
    engine_version="15.8",
    source=SOURCE,
    arn=f"{SOURCE}-drill",
    host="billing.example",
    port=5432,
    slot=datetime(2026, 11, 22, 2, tzinfo=UTC),
    database="billing",
    user="postgres",
)
GOOD = Check(name="answers", passed=True, found="1")
BAD = Check(name="tables", passed=False, found="0")

texts = st.text(max_size=20)
questions = st.builds(
    Question,
    drill=texts,
    kind=texts,
    engine=texts,
    engine_version=texts,
    source=texts.map(lambda name: f"arn:aws:rds:us-east-1:123456789012:db:{name}"),
    arn=texts,
    host=st.text(min_size=1, max_size=20),
    port=st.integers(1, 65_535),
    slot=st.none()
    | st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001  hypothesis wants them naive
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
    database=texts,
    user=texts,
)
checks = st.builds(Check, name=texts, passed=st.booleans(), found=texts)
verdicts = st.builds(Verdict, checks=st.lists(checks, max_size=4).map(tuple), reason=texts)


class TestContract:
    @given(questions)
    def test_a_question_comes_back_as_it_was(self, question: Question) -> None:
        assert question_from_dict(json.loads(json.dumps(question_to_dict(question)))) == question

    @given(verdicts)
    def test_a_verdict_comes_back_as_it_was(self, verdict: Verdict) -> None:
        assert verdict_from_dict(json.loads(json.dumps(verdict_to_dict(verdict)))) == verdict

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"schema": "holdfast.verify/2"}, "schema: 'holdfast.verify/2' is not 'holdfast.verify/1'"),
            ({"host": 7}, "host: 7 is no text"),
            ({"host": ""}, "host and source"),
            ({"source": "billing"}, "host and source"),
            ({"port": "5432"}, "port: '5432' is no number"),
            ({"port": True}, "port: True is no number"),
            ({"port": 65_536}, "port: 65536 is no number"),
            ({"slot": "yesterday"}, "slot: 'yesterday' is no time"),
            ({"slot": 7}, "slot: 7 is no time"),
        ],
    )
    def test_a_question_that_is_none_is_refused(self, changed: Mapping[str, object], told: str) -> None:
        with pytest.raises(ValueError, match=told):
            question_from_dict({**question_to_dict(QUESTION), **changed})

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
    def test_nothing_else_is_a_question_or_a_verdict(self, other: object) -> None:
        for reads in (question_from_dict, verdict_from_dict):
            with pytest.raises(ValueError, match=r"."):
                reads(other)

    @pytest.mark.parametrize(
        "answer",
        [
            {"schema": SCHEMA, "passed": True, "checks": []},
            {"schema": SCHEMA, "passed": True, "checks": [{"name": "a", "passed": False, "found": ""}]},
            {"schema": SCHEMA, "passed": False, "checks": [{"name": "a", "passed": True, "found": ""}]},
            {"schema": SCHEMA, "passed": "yes", "checks": [{"name": "a", "passed": True, "found": ""}]},
            {"schema": SCHEMA, "passed": True, "checks": [{"name": "a", "passed": 1, "found": ""}]},
            {"schema": SCHEMA, "passed": True, "checks": ["a"]},
            {"schema": SCHEMA, "passed": True, "checks": None},
            {"schema": SCHEMA, "passed": True},
            {"passed": True, "checks": []},
        ],
    )
    def test_a_verdict_that_shows_otherwise_or_nothing_is_none(self, answer: object) -> None:
        with pytest.raises(ValueError, match=r"answer lacks|say otherwise"):
            verdict_from_dict(answer)

    def test_who_looked_at_nothing_has_not_let_it_pass(self) -> None:
        assert not Verdict(checks=()).passed
        assert Verdict(checks=(GOOD,)).passed
        assert not Verdict(checks=(GOOD, BAD)).passed


class TestSecret:
    def test_that_of_the_source_goes_before_that_for_all(self) -> None:
        own = {"username": "reader", "password": "own", "dbname": "ledger"}
        kept = json.dumps({"username": "other", "password": "other", "billing": own})
        assert login_of(kept, QUESTION) == Login(user="reader", password="own", database="ledger")
        assert login_of(json.dumps(own), QUESTION).user == "reader"

    def test_the_database_is_that_which_aws_tells_without_another(self) -> None:
        kept = json.dumps({"username": "reader", "password": "own"})
        assert login_of(kept, QUESTION).database == "billing"

    @pytest.mark.parametrize(
        "kept",
        ["hush", '"hush"', '["hush"]', '{"username": "hush"}', '{"username": "", "password": "hush"}',
         '{"billing": "hush"}', '{"username": "a", "password": 7}'],
    )  # fmt: skip
    def test_what_is_no_login_is_told_and_not_shown(self, kept: str) -> None:
        with pytest.raises(ValueError, match="the secret") as caught:
            login_of(kept, QUESTION)
        assert "hush" not in str(caught.value)

    def test_a_login_does_not_show_its_password(self) -> None:
        assert "hush" not in repr(Login(user="reader", password="hush", database=""))


class TestQueries:
    def test_those_of_the_source_go_with_those_for_all(self) -> None:
        text = '{"all": "select 1", "billing": {"mine": "select 2"}, "ledger": {"theirs": "select 3"}}'
        assert queries_of(text, SOURCE) == {"all": "select 1", "mine": "select 2"}
        assert queries_of("", SOURCE) == queries_of("{}", SOURCE) == {}

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"a": 7}', '{"a": " "}', '{" ": "select 1"}', '{"billing": {"a": null}}']
    )
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="VERIFIER_QUERIES"):
            queries_of(text, SOURCE)

    def test_too_many_are_refused(self) -> None:
        with pytest.raises(ValueError, match="51 are too many"):
            queries_of(json.dumps({f"q{n}": "select 1" for n in range(51)}), SOURCE)

    @given(
        st.lists(st.lists(st.text() | st.booleans() | st.decimals() | st.floats() | st.none(), max_size=2))
    )
    @example([[Decimal("sNaN")]])
    def test_whatever_is_answered_is_judged(self, rows: list[list[object]]) -> None:
        check = judged("asked", rows)
        assert len(check.found) < 200
        assert not check.passed or (len(rows) == 1 and bool(rows[0][0]))


class Closed:
    """Databases that let nobody in."""

    def connect(self, question: Question, login: Login) -> AbstractContextManager[Database]:
        raise DatabaseRefused("the door is shut")


class Kept:
    def __init__(self, secret: str | Exception) -> None:
        self.secret = secret

    def read(self) -> str:
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret


def answer(event: object, secret: str | Exception = "{}", queries: str = "", **more: Any) -> dict[str, Any]:
    ports = VerifyPorts(secret=Kept(secret), databases=more.get("databases", Closed()), queries=queries)
    told: dict[str, Any] = verify_database(ports, event, lambda: 100.0)
    assert verdict_from_dict(told).passed is False
    return told


class Watched:
    """A connection to MySQL which notes what it is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def cursor(self) -> Any:
        return nullcontext(self)

    def execute(self, sql: str, given: object = None) -> None:
        self.sent.append(sql)

    def fetchall(self) -> list[list[str]]:
        return [["8.0.32", "TLSv1.3"]]


class TestMySQL:
    @pytest.mark.parametrize(
        "sql", ["drop table orders", "/*! drop table a */", "(select 1)", "withdraw", "do 1"]
    )
    def test_what_would_end_the_transaction_is_not_sent(self, sql: str) -> None:
        connection = Watched()
        database = MySQL(connection, ssl.create_default_context(), 5)
        before = list(connection.sent)
        with pytest.raises(DatabaseRefused, match="begins neither"):
            database.rows(sql, None)
        assert connection.sent == before

    @pytest.mark.parametrize("sql", ["select 1", "  WITH a as (select 1) select * from a"])
    def test_what_reads_is_sent_in_a_transaction_that_is_given_up(self, sql: str) -> None:
        connection = Watched()
        MySQL(connection, ssl.create_default_context(), 5).rows(sql, None)
        assert connection.sent[-3:] == ["start transaction read only", sql, "rollback"]


class TestAnswersInEveryCase:
    LOGIN = '{"username": "reader", "password": "hush"}'

    def test_an_event_that_is_no_question(self) -> None:
        assert answer({"plan": "nightly"})["reason"] == "schema: None is not 'holdfast.verify/1'"
        assert answer(["?"])["reason"] == "the question is ['?'], and no object"

    def test_a_secret_that_cannot_be_read(self) -> None:
        error = NoAnswer("secretsmanager", "arn", "GetSecretValue", "InternalServiceError", "try again")
        assert "GetSecretValue" in answer(question_to_dict(QUESTION), error)["reason"]

    def test_queries_that_cannot_be_used(self) -> None:
        assert "VERIFIER_QUERIES" in answer(question_to_dict(QUESTION), self.LOGIN, "[]")["reason"]

    def test_a_database_that_lets_nobody_in(self) -> None:
        told = answer(question_to_dict(QUESTION), self.LOGIN)
        assert told["checks"] == [{"name": "connect", "passed": False, "found": "the door is shut"}]
        assert told["reason"] == "connect: the door is shut"

    def test_an_engine_that_nobody_here_speaks_to(self) -> None:
        event = question_to_dict(QUESTION) | {"engine": "oracle-ee"}
        told = answer(event, self.LOGIN, databases=SqlDatabases(ca_file=""))
        assert "the engine 'oracle-ee' is not known here; known are aurora-mysql" in told["reason"]
