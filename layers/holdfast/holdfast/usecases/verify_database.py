"""The reference verifier: asks a restored database by SQL, and answers in every case."""

from collections.abc import Iterator

from holdfast.core.asking import (
    STATEMENT_SECONDS,
    concluded,
    judged,
    judged_version,
    login_of,
    queries_of,
)
from holdfast.core.checks import Check
from holdfast.core.errors import DatabaseRefused, ProviderError, SettingsError
from holdfast.core.verifying import Question, Verdict, question_from_dict, verdict_to_dict
from holdfast.ports import Database, Deadline, VerifyPorts

ANSWER_SECONDS = 3.0
"""What is left for the answer when the last statement has taken all of its time."""


def verify_database(ports: VerifyPorts, event: object, deadline: Deadline) -> dict[str, object]:
    """A verdict as a drill reads it (`core.verifying`). What keeps it from asking is its reason: whoever asks
    has to be told what a person can do about it."""
    try:
        verdict = _verdict(ports, question_from_dict(event), deadline)
    except (ValueError, ProviderError, SettingsError) as error:
        verdict = Verdict(checks=(), reason=str(error))
    return verdict_to_dict(verdict)


def _verdict(ports: VerifyPorts, question: Question, deadline: Deadline) -> Verdict:
    queries = queries_of(ports.queries, question.source)
    login = login_of(ports.secret.read(), question)
    try:
        with ports.databases.connect(question, login) as database:
            asked = {"tables": database.tables_sql, **queries}
            checks = [*_greeted(database, question)]
            checks += [_asked(database, name, sql, question, deadline) for name, sql in asked.items()]
    except DatabaseRefused as error:
        return concluded([Check(name="connect", passed=False, found=str(error))])
    return concluded(checks)


def _greeted(database: Database, question: Question) -> Iterator[Check]:
    yield Check(name="connect", passed=True, found=database.greeting)
    yield judged("answers", database.rows("select 1", question.slot))
    yield judged_version(database.version, question.engine_version)


def _asked(database: Database, name: str, sql: str, question: Question, deadline: Deadline) -> Check:
    if deadline() < STATEMENT_SECONDS + ANSWER_SECONDS:
        return Check(name=name, passed=False, found="it was not asked, since the function's time is over")
    try:
        return judged(name, database.rows(sql, question.slot))
    except DatabaseRefused as error:
        return Check(name=name, passed=False, found=str(error))
