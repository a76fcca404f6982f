"""Lambda's Invoke, over the functions that are deployed: synchronous, asynchronous and durable."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message

from botocore.exceptions import BotoCoreError

from local import durable
from local.functions import Deployed
from local.lambda_runtime import Answer, Runtime
from local.sandbox import HOME_REGION

type SendDeadLetter = Callable[[Deployed, bytes, str], None]
"""Sends to the function's queue (if any) what an event asked for, and the error that it ended with."""

_FUNCTION = re.compile(
    r"(arn:aws:lambda:(?P<region>[a-z0-9-]+):)?(\d{12}:)?(function:)?(?P<name>[A-Za-z0-9_-]+)"
    r"(:(?P<qualifier>[A-Za-z0-9$_-]+))?"
)
_REGION_OF_SIGNATURE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[a-z0-9-]+)/")
_HANDLER_INVOKE = "X-Dex-Handler-Invoke"
"""By this header the durable runner asks for one run of a durable function's handler."""

DURABLE_INVOKE_SECONDS = 900.0
"""The longest that AWS lets a caller wait for a durable execution."""
DURABLE_EVENT_SECONDS = 86400.0

_FAILED = frozenset({"FAILED", "TIMED_OUT"})


def region_of_signature(headers: Message) -> str:
    """The Region that a request is signed for; the house's own where it is not signed."""
    signed = _REGION_OF_SIGNATURE.search(headers.get("Authorization", ""))
    return signed["region"] if signed else HOME_REGION


class LambdaError(Exception):
    """An error of the Lambda API, by AWS's own code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What a caller of Invoke asked for."""

    target: Deployed
    qualifier: str
    kind: str
    payload: bytes
    execution_name: str
    is_handler: bool


@dataclass(slots=True)
class Lambda:
    """Lambda's Invoke, over the functions that are deployed. Empty until `deploy` hands them over."""

    functions: Mapping[str, Deployed] = field(default_factory=dict)
    runtimes: Mapping[str, Runtime] = field(default_factory=dict)
    runner: str = ""
    send_dead_letter: SendDeadLetter = field(default=lambda *_: None)
    region: str = HOME_REGION
    _named: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, name: str, query: Mapping[str, list[str]], headers: Message, body: bytes) -> Response:
        """Raises `LambdaError`."""
        invocation = self._parse(name, query, headers, body)
        if invocation.kind == "DryRun":
            return Response(status=204)
        if invocation.target.durable is not None and not invocation.is_handler:
            return self._run_durable(invocation)
        if invocation.kind == "Event":
            _in_background(self._see_through, invocation)
            return Response(status=202)
        return _answered(self._run(invocation), invocation.target.function.version)

    def _parse(self, name: str, query: Mapping[str, list[str]], headers: Message, body: bytes) -> Invocation:
        target, qualifier = self._find(name, query, headers)
        is_handler = _HANDLER_INVOKE in headers
        if target.durable is not None and not is_handler and qualifier in ("", "$LATEST"):
            message = "You cannot invoke a durable function using an unqualified ARN."
            raise LambdaError(400, "InvalidParameterValueException", message)
        _check_json(body)
        return Invocation(
            target=target,
            qualifier=qualifier,
            kind=headers.get("X-Amz-Invocation-Type", "RequestResponse"),
            payload=body or b"{}",
            execution_name=headers.get("X-Amz-Durable-Execution-Name", ""),
            is_handler=is_handler,
        )

    def _find(self, name: str, query: Mapping[str, list[str]], headers: Message) -> tuple[Deployed, str]:
        """The function that a name or ARN speaks of, and the version or alias that is asked for."""
        found = _FUNCTION.fullmatch(name)
        region = (found and found["region"]) or region_of_signature(headers)
        target = self.functions.get(found["name"]) if found and region == self.region else None
        if target is None or found is None:
            raise LambdaError(404, "ResourceNotFoundException", f"Function not found: {name} in {region}")
        qualifier = found["qualifier"] or query.get("Qualifier", [""])[0]
        if qualifier and qualifier not in target.qualifiers:
            message = f"Function not found: {target.function.arn}:{qualifier}"
            raise LambdaError(404, "ResourceNotFoundException", message)
        return target, qualifier

    def _run(self, invocation: Invocation) -> Answer:
        return self.runtimes[invocation.target.function.name].invoke(invocation.payload)

    def _see_through(self, invocation: Invocation) -> None:
        """An asynchronous invocation: tried again as often as Lambda would, then given to the queue."""
        answer = self._run(invocation)
        for _ in range(invocation.target.retries):
            if answer.error:
                answer = self._run(invocation)
        if answer.error:
            self._give_up(invocation, answer)

    def _give_up(self, invocation: Invocation, answer: Answer) -> None:
        self.send_dead_letter(invocation.target, invocation.payload, answer.payload.decode())

    def _run_durable(self, invocation: Invocation) -> Response:
        arn = self._start_once(invocation)
        headers = {"X-Amz-Durable-Execution-Arn": arn}
        if invocation.kind == "Event":
            _in_background(self._see_execution_through, invocation, arn)
            return Response(status=202, headers=headers)
        execution = durable.wait(self.runner, arn, DURABLE_INVOKE_SECONDS)
        return _answered(_answer_of(execution), invocation.target.function.version, headers)

    def _see_execution_through(self, invocation: Invocation, arn: str) -> None:
        execution = self._end_of(arn)
        for _ in range(invocation.target.retries):
            if execution.status in _FAILED:
                execution = self._end_of(self._start(invocation, ""))
        if execution.status in _FAILED:
            self._give_up(invocation, _answer_of(execution))

    def _end_of(self, arn: str) -> durable.Execution:
        return durable.wait(self.runner, arn, DURABLE_EVENT_SECONDS, poll_seconds=0.5)

    def _start_once(self, invocation: Invocation) -> str:
        """The same name with the same payload starts nothing a second time, as AWS has it."""
        name = invocation.execution_name
        with self._lock:
            arn, payload = self._named.get(name, ("", b""))
            if arn and payload != invocation.payload:
                message = f"An execution named {name} was started with another payload."
                raise LambdaError(409, "DurableExecutionAlreadyStartedException", message)
            arn = arn or self._start(invocation, name)
            if name:
                self._named[name] = (arn, invocation.payload)
        return arn

    def _start(self, invocation: Invocation, name: str) -> str:
        payload = invocation.payload.decode()
        return durable.start(self.runner, invocation.target, invocation.qualifier, payload, name)


def _answered(answer: Answer, version: str, headers: Mapping[str, str] | None = None) -> Response:
    told = {"X-Amz-Executed-Version": version, "Content-Type": "application/json", **(headers or {})}
    if answer.error:
        told["X-Amz-Function-Error"] = answer.error
    return Response(status=200, body=answer.payload, headers=told)


def _answer_of(execution: durable.Execution) -> Answer:
    if execution.status == "SUCCEEDED":
        return Answer(payload=execution.result.encode())
    error = {
        "errorType": execution.error.get("ErrorType") or execution.status,
        "errorMessage": execution.error.get("ErrorMessage") or "",
    }
    return Answer(payload=json.dumps(error).encode(), error="Unhandled")


def _in_background(work: Callable[..., None], *arguments: object) -> None:
    def run() -> None:
        with suppress(OSError, BotoCoreError):  # what it spoke to was stopped with the whole cloud
            work(*arguments)

    threading.Thread(target=run, daemon=True).start()


def _check_json(body: bytes) -> None:
    try:
        json.loads(body or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaError(400, "InvalidRequestContentException", message) from error
