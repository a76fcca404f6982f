"""The WSGI application in front of moto's."""

import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

from local import authority
from local.weather import faults
from local.weather.calls import CURRENT, Call, read_call
from local.weather.control import PATH
from local.weather.forecast import AFTER_THE_EFFECT, CALM, Fault, Forecast, Mishap, forecast_from_dict
from local.weather.protocols import Answer, Refusal, refused
from local.weather.rates import Bucket, Limit, Rate
from local.weather.truth import Log

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_RESET_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset, and nothing more."""

REGION_GONE = "Region gone"
"""What the log has as the fault of a call to one."""

_OWN = ("/moto-api/", f"{authority.CONTROL_PATH}/log", f"{authority.CONTROL_PATH}/policies")
"""Of those what is asked in nobody's name. What is to be judged is a call that somebody signed."""

_NOT_AWSS = ("/moto-api/", f"{authority.CONTROL_PATH}/")
"""How the paths begin of what moto and the embedded cloud ask of themselves."""


class Weather:
    """A limit is judged when a call arrives, then the latency passes, then the call is answered, refused or
    not. What the forecast says of moto's own doings (`pages`, `states`) is read from `forecast`."""

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        forecast: Forecast = CALM,
        log: Log | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        caller_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`caller_of` gives the ARN of the function's role that an access key was given to, and of another's
        key nothing."""
        self._application = application
        self._log = log or Log()
        self._sleep = sleep
        self._clock = clock
        self._caller_of = caller_of
        self._lock = Lock()
        self._sweeps: Counter[str] = Counter()
        self._cpu_seconds = time.process_time()
        self.change(forecast)

    def change(self, forecast: Forecast) -> None:
        """From now on it is this weather. Rates and counts begin anew."""
        with self._lock:
            self._rates: dict[tuple[str, str], Rate | None] = {}
            self._met: Counter[tuple[str, str, str]] = Counter()
            self.forecast = forecast

    @property
    def page_size(self) -> int | None:
        """The most that a listing of this thread's caller gives at once, where it is less than AWS's."""
        return self.forecast.most_in_a_page if CURRENT.get() is not None else None

    def sweep_of(self, access_key: str) -> int:
        """How many sweeps the function with this key has begun: each of them reads the plan first."""
        return self._sweeps[access_key]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == PATH:
            return self._control(environ, start_response)
        if self.forecast.gone and not path.startswith(_OWN):
            self._end_if_gone(read_call(environ), environ)
        if path.startswith(_NOT_AWSS):
            return self._application(environ, start_response)
        call = read_call(environ)
        caller = self._caller_of(call.access_key)
        if caller or self.forecast.everyone:
            return self._weathered(self._numbered(call), caller, environ, start_response)
        started = time.monotonic()
        answer = self._application(environ, start_response)
        self._log.tally(call.operation, False, time.monotonic() - started)
        return answer

    def _end_if_gone(self, call: Call, environ: "WSGIEnvironment") -> None:
        """A call to a Region that is gone, by the signature, ends as if nobody were there."""
        if call.region in self.forecast.gone:
            caller = self._caller_of(call.access_key).rpartition("/")[2]
            self._log.enter(call, caller, REGION_GONE, 0, took_effect=False)
            hang_up(environ)

    def _numbered(self, call: Call) -> Call:
        key = (call.operation, call.region, call.subject)
        with self._lock:
            self._met[key] += 1
            self._sweeps[call.access_key] += call.operation == "GetParameter"
            return replace(call, nth=self._met[key])

    def _weathered(
        self, call: Call, caller: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        forecast = self.forecast
        fault = self._fault(call, forecast)
        self._sleep(faults.latency_of(call, forecast))
        started = time.monotonic()
        done = self._ask(call, environ) if fault is None or fault in AFTER_THE_EFFECT else _NOT_ASKED
        self._log.tally(call.operation, fault is Refusal.THROTTLED, time.monotonic() - started)
        self._log.enter(
            call, caller.rpartition("/")[2], fault or "", done.number, took_effect=0 < done.number < 400
        )
        match fault:
            case None:
                start_response(done.status, done.headers)
                return [done.body]
            case Mishap.CUT if len(done.body) > 1:
                start_response(done.status, done.headers_with_length)
                return _half(done.body, environ)
            case Mishap.LOST_AS_ERROR:
                return respond(start_response, refused(call, Refusal.INTERNAL, caller))
            case Refusal():
                return respond(start_response, refused(call, fault, caller))
            case _:
                return hang_up(environ)

    def _fault(self, call: Call, forecast: Forecast) -> Fault | None:
        rate = self._rate(call, forecast)
        too_fast = rate is not None and not rate.admits()
        return Refusal.THROTTLED if too_fast else faults.fault_of(call, forecast)

    def _ask(self, call: Call, environ: "WSGIEnvironment") -> "_Captured":
        """Let moto do what it is asked; its whole answer."""
        answer = _Captured()
        token = CURRENT.set(call)
        try:
            answer.body = b"".join(self._application(environ, answer))
        finally:
            CURRENT.reset(token)
        return answer

    def _rate(self, call: Call, forecast: Forecast) -> Rate | None:
        key = (call.operation, call.region)
        with self._lock:
            if key not in self._rates:
                self._rates[key] = self._make_rate(call.operation, forecast)
            return self._rates[key]

    def _make_rate(self, operation: str, forecast: Forecast) -> Rate | None:
        if operation in forecast.rates:
            return Limit(forecast.rates[operation], clock=self._clock)
        sizes = [pair for pattern, pair in forecast.buckets.items() if faults.matches(operation, (pattern,))]
        return Bucket(*sizes[0], clock=self._clock) if sizes else None

    def _control(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        method = environ["REQUEST_METHOD"]
        status = "200 OK"
        if method == "PUT":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            try:
                self.change(forecast_from_dict(json.loads(body)))
                told: Mapping[str, Any] = self.forecast.to_dict()
            except (TypeError, ValueError, KeyError) as error:
                status, told = "400 Bad Request", {"error": f"no forecast: {error!r}"}
        else:
            told = self._log.told() | {
                "forecast": self.forecast.to_dict(),
                "cpu_seconds": time.process_time() - self._cpu_seconds,
            }
        if method == "DELETE":
            self._log.clear()
            self._cpu_seconds = time.process_time()
        body = json.dumps(told).encode()
        return respond(start_response, Answer(status=status, content_type="application/json", body=body))


class _Captured:
    """A `start_response` that keeps what it is told, and the body."""

    def __init__(self) -> None:
        self.status = "0 not asked"
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def __call__(
        self, status: str, headers: list[tuple[str, str]], _error: Any = None
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return lambda _: None

    @property
    def number(self) -> int:
        return int(self.status.split(" ", 1)[0])

    @property
    def headers_with_length(self) -> list[tuple[str, str]]:
        others = [pair for pair in self.headers if pair[0].lower() != "content-length"]
        return [*others, ("Content-Length", str(len(self.body)))]


_NOT_ASKED = _Captured()


def respond(start_response: "StartResponse", answer: Answer) -> list[bytes]:
    """Answer with all of it."""
    headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
    start_response(answer.status, headers)
    return [answer.body]


def hang_up(environ: "WSGIEnvironment") -> NoReturn:
    """End the connection without another byte: by a reset, as from a router that has forgotten it. Raises
    `ConnectionResetError`, by which werkzeug knows that there is nobody to answer any more."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def _half(body: bytes, environ: "WSGIEnvironment") -> Iterator[bytes]:
    yield body[: len(body) // 2]
    hang_up(environ)
