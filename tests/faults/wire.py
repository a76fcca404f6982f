"""The wire between the clients that the product makes and moto: every attempt passes here, is noted, and may
meet a fault.

A wire stands where botocore sends (`before-send`), so that serialisation, signing, retries and parsing are
botocore's own. Of the clients in this process it sees those alone that `calls.client_config` set up: what a
test does with its own hands is not on it.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber

from tests.faults.protocols import Answer, denial, error_body, expiry, internal_error, throttling

_OURS = "holdfast"
"""What `calls.client_config` adds to the user agent."""


class Killed(BaseException):
    """The process ended here. No `except Exception` sees it, as none sees a real end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt of one call. `number` counts all attempts on the wire from 1 on, `nth` those of this
    operation of this service; a retry is an attempt more. `assumed`: with a role's credentials in another
    account. `protocol` is the service's."""

    service: str
    operation: str
    region: str
    params: Mapping[str, Any]
    protocol: str
    assumed: bool
    number: int = 0
    nth: int = 0

    @property
    def name(self) -> str:
        """`rds.CreateDBSnapshot`."""
        return f"{self.service}.{self.operation}"

    def is_about(self, text: str) -> bool:
        """Whether one of the parameters' values contains the text."""
        return text in json.dumps(self.params, default=str)


type Deliver = Callable[[], AWSResponse]
"""Lets a call have its effect, and gives the true answer."""

type Fault = Callable[[Call, Deliver], AWSResponse]
"""What becomes of a call: it answers or raises, with or without having let it have its effect."""


@dataclass(slots=True)
class Rule:
    """`fault` for each call that `fits`, as often as `times` (`None`: always). `met` counts how often."""

    fits: Callable[[Call], bool]
    fault: Fault
    times: int | None = None
    met: int = 0

    def applies(self, call: Call) -> bool:
        return (self.times is None or self.met < self.times) and self.fits(call)


@dataclass(slots=True)
class Wire:
    """The calls that were made, and the rules for those to come: the first that applies counts. `standing`
    are rules for what moto cannot answer, which come after all others and are never cleared."""

    calls: list[Call] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    standing: list[Rule] = field(default_factory=list)
    dead: bool = False
    """After a kill nothing is sent any more: each call, in any thread, is killed too."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: threading.local = field(default_factory=threading.local)

    def add(self, fits: Callable[[Call], bool], fault: Fault, times: int | None = None) -> Rule:
        """A rule more. Returned, so that a test can ask how often it was met."""
        rule = Rule(fits, fault, times)
        self.rules.append(rule)
        return rule

    def kill_at(self, number: int, *, after: bool) -> Rule:
        """End the process at the so-manieth attempt, before or after its effect."""
        return self.add(lambda call: call.number == number, killed_after if after else killed_before)

    def clear(self) -> None:
        """No calls, no rules, and alive again."""
        self.calls.clear()
        self.rules.clear()
        self.dead = False

    @contextmanager
    def strung(self) -> Iterator[None]:
        """While inside, the wire is between the product and moto."""
        client_class: Any = BaseClient
        deliver, make = BotocoreStubber.__call__, client_class._make_api_call

        def make_api_call(client: Any, operation_name: str, api_kwargs: dict[str, Any]) -> Any:
            outer = getattr(self._making, "call", None)
            # A client of another account assumes its role in the middle of its own call, on the same thread.
            self._making.call = _call(client, operation_name, api_kwargs)
            try:
                return make(client, operation_name, api_kwargs)
            finally:
                self._making.call = outer

        def send(stub: Any, event_name: str, request: AWSPreparedRequest, **more: Any) -> Any:
            making: Call | None = getattr(self._making, "call", None)
            if making is None:
                return deliver(stub, event_name, request, **more)
            return self._pass(making, lambda: _delivered(deliver, stub, event_name, request, more))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BotocoreStubber, "__call__", send)
            patch.setattr(client_class, "_make_api_call", make_api_call)
            yield

    def _pass(self, making: Call, deliver: Deliver) -> AWSResponse:
        with self._lock:
            if self.dead:
                raise Killed
            call = Call(
                service=making.service,
                operation=making.operation,
                region=making.region,
                params=making.params,
                protocol=making.protocol,
                assumed=making.assumed,
                number=len(self.calls) + 1,
                nth=1 + sum(one.name == making.name for one in self.calls),
            )
            self.calls.append(call)
            rule = next((one for one in (*self.rules, *self.standing) if one.applies(call)), None)
            if rule:
                rule.met += 1
        try:
            return rule.fault(call, deliver) if rule else deliver()
        except Killed:
            self.dead = True
            raise


def _call(client: Any, operation: str, params: Mapping[str, Any]) -> Call | None:
    config = client.meta.config
    if _OURS not in (config.user_agent_extra or ""):
        return None
    model = client.meta.service_model
    credentials = client._request_signer._credentials
    return Call(
        service=model.service_name,
        operation=operation,
        region=client.meta.region_name,
        params=dict(params),
        protocol=model.resolved_protocol,
        assumed=getattr(credentials, "method", "") == "assume-role",
    )


def _delivered(
    deliver: Callable[..., Any], stub: Any, event_name: str, request: Any, more: Any
) -> AWSResponse:
    answer = deliver(stub, event_name, request, **more)
    assert answer is not None, f"moto does not answer {event_name}, and nothing may reach AWS"
    return answer  # type: ignore[no-any-return]


# --- which calls -------------------------------------------------------------------------------------------


def of(name: str, about: str = "", *, nth: int = 0, region: str = "") -> Callable[[Call], bool]:
    """The calls of an operation (`rds.CreateDBSnapshot`), those that have `about` in their parameters; with
    `nth` the so-manieth attempt of the operation alone; with `region` those that go there."""

    def fits(call: Call) -> bool:
        return (
            call.name == name
            and call.is_about(about)
            and nth in (0, call.nth)
            and region in ("", call.region)
        )

    return fits


# --- faults ------------------------------------------------------------------------------------------------


def error(code: str, message: str = "said by the test", status: int = 400) -> Fault:
    """AWS refuses: in the protocol's form, without an effect."""
    return lambda call, _: _answer(error_body(call.protocol, code, message, status))


def internal(call: Call, _: Deliver) -> AWSResponse:
    """The service's own code for an error of its own, with status 500."""
    return _answer(error_body(call.protocol, internal_error(call.service), "we failed", 500))


def outage(call: Call, _: Deliver) -> AWSResponse:
    """503 from something before the service that does not speak its protocol."""
    page = b"<html><body><h1>503 Service Unavailable</h1></body></html>"
    return _answer(Answer(503, {"Content-Type": "text/html"}, page))


def throttled(call: Call, _: Deliver) -> AWSResponse:
    """The service asks to slow down, by its own code and status."""
    code, status = throttling(call.service)
    return _answer(error_body(call.protocol, code, "Rate exceeded", status))


def denied(call: Call, _: Deliver) -> AWSResponse:
    """The role may not, by the service's own code and status."""
    code, status = denial(call.service)
    message = f"User is not authorized to perform: {call.service}:{call.operation}"
    return _answer(error_body(call.protocol, code, message, status))


def expired(call: Call, _: Deliver) -> AWSResponse:
    """The session's token is too old, by the service's own code and status."""
    code, status = expiry(call.service)
    return _answer(error_body(call.protocol, code, "The security token included is expired", status))


def unreachable(call: Call, _: Deliver) -> AWSResponse:
    """No connection in time: the request did not arrive."""
    raise ConnectTimeoutError(endpoint_url=_url(call))


def unheard(call: Call, _: Deliver) -> AWSResponse:
    """The request got lost: no effect, and no answer in time."""
    raise ReadTimeoutError(endpoint_url=_url(call))


def lost_answer(call: Call, deliver: Deliver) -> AWSResponse:
    """The call took effect, and its answer did not come in time."""
    deliver()
    raise ReadTimeoutError(endpoint_url=_url(call))


def reset(call: Call, _: Deliver) -> AWSResponse:
    """The connection broke before the request was read: no effect."""
    raise ConnectionClosedError(endpoint_url=_url(call))


def reset_after(call: Call, deliver: Deliver) -> AWSResponse:
    """The call took effect, and the connection broke before an answer."""
    deliver()
    raise ConnectionClosedError(endpoint_url=_url(call))


def truncated(call: Call, deliver: Deliver) -> AWSResponse:
    """The call took effect, and half of the answer's body came."""
    true = deliver()
    return _answer(Answer(true.status_code, true.headers, true.content[: len(true.content) // 2]))


def emptied(call: Call, deliver: Deliver) -> AWSResponse:
    """The call took effect, and its answer has a good status and no body."""
    true = deliver()
    headers = {name: value for name, value in true.headers.items() if name.lower() != "content-length"}
    return _answer(Answer(true.status_code, headers, b""))


def killed_before(call: Call, _: Deliver) -> AWSResponse:
    """The process ends before the call is sent."""
    raise Killed


def killed_after(call: Call, deliver: Deliver) -> AWSResponse:
    """The process ends when the call has had its effect."""
    deliver()
    raise Killed


def answering(output: Mapping[str, Any]) -> Fault:
    """No fault: an answer that moto cannot give. For services that speak JSON."""
    body = json.dumps(output).encode()
    return lambda call, _: _answer(Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, body))


def _url(call: Call) -> str:
    return f"https://{call.service}.{call.region}.amazonaws.com/"


class _Raw:
    """A body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: Any, **__: Any) -> bytes:
        body, self._body = self._body, b""
        return body


def _answer(answer: Answer) -> AWSResponse:
    return AWSResponse("", answer.status, dict(answer.headers), _Raw(answer.body))  # type: ignore[arg-type]
