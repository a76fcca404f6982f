"""IAM before moto: a layer around its HTTP application, in its process. See the package.

Calls with the house's own credentials are not asked: they are the account's owner, or an AWS service. Those
that assume a role in a service's name say which by SourceIdentity, and the role must trust it.

`GET /_authority/log` answers with the decisions so far, `DELETE` forgets them; `GET /_authority/policies`
answers with all policies as they stand; `/_authority/judge/…` judges a request and passes it on to nobody:
with 204, or as the service would refuse. The decisions are also written to the file that `LOG_VARIABLE`
names.
"""

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import UnknownServiceError
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import FakeBucket

from local.authority import CONTROL_PATH, LOG_VARIABLE, facts, refusals
from local.authority.asked import Check
from local.authority.calls import Call, read
from local.authority.policies import Caller, Question, Statement, Verdict, judge, statements_of
from local.authority.table import NoRowError, checks
from local.sandbox import ACCOUNT_ID, FAKE_CREDENTIALS, HOUSE_ROLE

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    type Application = Callable[[Any, WSGIEnvironment, StartResponse], Iterable[bytes]]

_CONTEXT: Mapping[str, str] = {"aws:SecureTransport": "true"}
"""The embedded cloud speaks plainly, on this machine. It stands for endpoints with TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one check of a call. `operation` is what was called, `session` who called.

    `policy` is the ARN of the resource whose own policy counted, `decides` as in `Check`; `why` is set when
    there was no such check, and the call was denied without one.
    """

    operation: str
    role: str
    session: str
    action: str
    resource: str
    context: Mapping[str, str]
    policy: str
    decides: bool
    allowed: bool
    by: tuple[str, ...]
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Authority:
    """What is decided, and the log of it."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = Lock()
        self._log: list[Decision] = []

    def answer(self, environ: "WSGIEnvironment", body: bytes) -> refusals.Refusal | None:
        """A refusal, or nothing when the request may go on."""
        try:
            call = read(environ, body)
        except UnknownServiceError:
            call = None
        if call is None:
            return None
        if call.key == FAKE_CREDENTIALS["AWS_ACCESS_KEY_ID"]:
            return self._for_a_service(call)
        session = facts.session_of(call.key)
        if session is None:
            return refusals.refuse_unknown_key(call)
        if session.role.endswith(f":role/{HOUSE_ROLE}"):
            return None
        return self._decide(call, Caller(arn=session.role, session=session.arn))

    def control(self, environ: "WSGIEnvironment", path: str, body: bytes) -> tuple[str, str, bytes]:
        """Status, content type and body of what is asked at the control path."""
        if path.startswith("/judge/"):
            judged = environ | {"PATH_INFO": path.removeprefix("/judge")}
            judged["RAW_URI"] = environ["RAW_URI"].removeprefix(f"{CONTROL_PATH}/judge")
            refused = self.answer(judged, body)
            if refused is None:
                return "204 No Content", "text/plain", b""
            return refused.status, refused.content_type, refused.body
        told: object
        match environ["REQUEST_METHOD"], path:
            case "GET", "/log":
                told = [one.as_json() for one in self._log]
            case "DELETE", "/log":
                self._log, told = [], []
            case "GET", "/policies":
                told = _policies()
            case _:
                return "404 Not Found", "text/plain", b"there are /log, /policies and /judge/"
        return "200 OK", "application/json", json.dumps(told).encode()

    def _for_a_service(self, call: Call) -> refusals.Refusal | None:
        """What an AWS service does in its own name: it assumes a role that trusts it."""
        service = str(call.parameters.get("SourceIdentity", "")) if call.action == "sts:AssumeRole" else ""
        return self._decide(call, Caller(arn=service)) if service else None

    def _decide(self, call: Call, caller: Caller) -> refusals.Refusal | None:
        who = caller.session or caller.arn
        try:
            asked = checks(call, caller.account or ACCOUNT_ID, caller.session.rpartition("/")[2])
        except NoRowError as error:
            self._note(_denied_without_row(call, caller, str(error)))
            return refusals.refuse_without_row(call, who, str(error))
        identity = identity_of(facts.identity_policies(caller.arn)) if caller.account else []
        verdicts = [self._judged(call, caller, identity, check) for check in asked]
        for check, verdict in verdicts:
            if not verdict.allowed:
                return refusals.refuse(call, who, check, verdict)
        return None

    def _judged(
        self, call: Call, caller: Caller, identity: Sequence[Statement], check: Check
    ) -> tuple[Check, Verdict]:
        owner = facts.owner(check.resource)
        belongs = {"aws:ResourceAccount": owner} if owner else {}
        context = {**_CONTEXT, **belongs, **_of_caller(caller, check), **check.context}
        question = Question(action=check.action, resource=check.resource, context=context)
        document = facts.resource_policy(check.policy) if check.policy else ""
        resource = parsed(check.policy, document) if document else None
        verdict = judge(question, caller, identity, resource, resource_decides=check.decides)
        self._note(
            Decision(
                operation=call.action,
                role=caller.arn,
                session=caller.session,
                action=check.action,
                resource=check.resource,
                context=context,
                policy=check.policy,
                decides=check.decides,
                allowed=verdict.allowed,
                by=verdict.by,
            )
        )
        return check, verdict

    def _note(self, decision: Decision) -> None:
        with self._lock:
            self._log.append(decision)
            if self._file:
                with self._file.open("a") as file:
                    file.write(json.dumps(decision.as_json()) + "\n")


def identity_of(documents: Mapping[str, str]) -> list[Statement]:
    """The statements of a role's policies, by their names."""
    return [one for name, text in documents.items() for one in parsed(name, text)]


@cache
def parsed(name: str, text: str) -> tuple[Statement, ...]:
    """The statements of a policy's text."""
    return tuple(statements_of(name, json.loads(text)))


def teach() -> None:
    """From now on, moto's HTTP application answers only what is allowed."""
    file = os.environ.get(LOG_VARIABLE)
    authority = Authority(Path(file) if file else None)
    application: Application = DomainDispatcherApplication.__call__

    def guarded(self: Any, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = _body(environ)
        path = environ["PATH_INFO"]
        if path.startswith(f"{CONTROL_PATH}/"):
            answer = authority.control(environ, path.removeprefix(CONTROL_PATH), body)
            return _respond(start_response, *answer)
        refused = authority.answer(environ, body)
        if refused:
            return _respond(start_response, refused.status, refused.content_type, refused.body)
        return application(self, environ, start_response)

    DomainDispatcherApplication.__call__ = guarded  # type: ignore[method-assign]
    # moto asks the policies of buckets itself, and does not read their conditions: "deny what comes without
    # TLS" would deny everything.
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL  # type: ignore[method-assign]


def _of_caller(caller: Caller, check: Check) -> dict[str, str]:
    """AWS tells a service's calls by the account that they are made for, a role's by the role."""
    if caller.account:
        return {"aws:PrincipalArn": caller.arn}
    return {"aws:SourceAccount": check.resource.split(":")[4]}


def _denied_without_row(call: Call, caller: Caller, why: str) -> Decision:
    return Decision(
        operation=call.action,
        role=caller.arn,
        session=caller.session,
        action=call.action,
        resource="*",
        context={},
        policy="",
        decides=False,
        allowed=False,
        by=(),
        why=why,
    )


def _policies() -> dict[str, Any]:
    """`identity`: by role and name; `resource`: by the ARN of what bears one."""
    return {
        "identity": {role: facts.identity_policies(role) for role in facts.roles()},
        "resource": {arn: facts.resource_policy(arn) for arn in (*facts.roles(), *facts.keys())},
    }


def _body(environ: "WSGIEnvironment") -> bytes:
    """The request's body, which the application finds again."""
    length = environ.get("CONTENT_LENGTH")
    if length:
        body: bytes = environ["wsgi.input"].read(int(length))
    elif environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read()
    else:
        body = b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _respond(start_response: "StartResponse", status: str, content_type: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
