"""What lies between a caller and AWS, and what moto leaves out: distance, limits, pages of AWS's size, and a
log of the calls. A WSGI layer around moto's own application, in moto's process.

    python -m local.weather --port <port> --latency-ms 30 --limit CreateBackup=50

`GET /_weather` answers with the log, `DELETE /_weather` begins a new one.
"""

import argparse
import io
import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.core.responses import ActionResult
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from werkzeug.serving import run_simple

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL_PATH = "/_weather"
PAGE_SIZE = 100
"""The most that one ListBackups or GetResources gives."""

_SERVICE_OF_SIGNATURE = re.compile(r"Credential=[^/]+/\d+/[a-z0-9-]+/(?P<service>[a-z0-9-]+)/")


class Limit:
    """At most `per_second` calls within any second. What is refused does not count.

    A sliding window, the stricter of the two usual ways: a token bucket that holds a second's worth lets
    twice as many through in the first second after a rest.
    """

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._admitted: deque[float] = deque()
        self._lock = Lock()

    def admits(self) -> bool:
        """Whether the call that arrives now is let through."""
        with self._lock:
            now = self._clock()
            while self._admitted and self._admitted[0] <= now - 1:
                self._admitted.popleft()
            if len(self._admitted) >= self._per_second:
                return False
            self._admitted.append(now)
            return True


@dataclass(slots=True)
class Tally:
    """What became of the calls of one operation. `seconds` is the time that moto had them for."""

    calls: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Weather:
    """A WSGI application in front of another. A limit is judged when a call arrives, then the latency
    passes, then the call is answered, refused or not."""

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        latency_seconds: float = 0.0,
        limits: Mapping[str, Limit] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`limits` are by operation, as `CreateBackup`."""
        self._application = application
        self._latency_seconds = latency_seconds
        self._limits = limits or {}
        self._sleep = sleep
        self._lock = Lock()
        self._begin_log()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == CONTROL_PATH:
            return self._control(environ, start_response)
        operation = operation_of(environ)
        limit = self._limits.get(operation)
        throttled = limit is not None and not limit.admits()
        self._sleep(self._latency_seconds)
        started = time.monotonic()
        answer = (
            _throttling(environ, start_response) if throttled else self._application(environ, start_response)
        )
        self._note(operation, throttled, time.monotonic() - started)
        return answer

    def _note(self, operation: str, throttled: bool, seconds: float) -> None:
        with self._lock:
            tally = self._log.setdefault(operation, Tally())
            tally.calls += 1
            tally.throttled += throttled
            tally.seconds += seconds

    def _begin_log(self) -> None:
        self._log: dict[str, Tally] = {}
        self._cpu_seconds = time.process_time()

    def _control(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        with self._lock:
            told = {
                "operations": {operation: asdict(tally) for operation, tally in sorted(self._log.items())},
                "cpu_seconds": time.process_time() - self._cpu_seconds,
            }
            if environ["REQUEST_METHOD"] == "DELETE":
                self._begin_log()
        return _respond(start_response, "200 OK", "application/json", json.dumps(told).encode())


def operation_of(environ: "WSGIEnvironment") -> str:
    """The operation that a request asks for: AWS's name of it, or of a REST service the service's and the
    method (`s3 PUT`)."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return str(parse_qs(body.decode()).get("Action", ["unknown"])[0])
    signed = _SERVICE_OF_SIGNATURE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return f"{signed['service'] if signed else 'unknown'} {environ['REQUEST_METHOD']}"


def _throttling(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    """AWS's refusal, in the protocol that was asked in: JSON (DynamoDB), else that of RDS."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if "HTTP_X_AMZ_TARGET" in environ:
        told = {"__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded"}
        body = json.dumps(told).encode()
        return _respond(start_response, "400 Bad Request", "application/x-amz-json-1.0", body)
    body = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message>"
        b"</Error></ErrorResponse>"
    )
    return _respond(start_response, "400 Bad Request", "text/xml", body)


def _respond(start_response: "StartResponse", status: str, content_type: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def page_as_aws_does() -> None:
    """Make moto's ListBackups and GetResources give pages of AWS's size: moto gives all backups at once,
    and ends a page of resources before the hundredth tag, however few resources that is."""
    DynamoHandler.list_backups = _list_backups  # type: ignore[method-assign]
    get_resources = ResourceGroupsTaggingAPIBackend.get_resources

    def by_resources(self: ResourceGroupsTaggingAPIBackend, **asked: Any) -> Any:
        return get_resources(self, **asked | {"tags_per_page": sys.maxsize})

    ResourceGroupsTaggingAPIBackend.get_resources = by_resources  # type: ignore[method-assign,assignment]


def _list_backups(self: DynamoHandler) -> ActionResult:
    backups = self.dynamodb_backend.list_backups(self.body.get("TableName"))
    after = self.body.get("ExclusiveStartBackupArn")
    start = next((place for place, one in enumerate(backups, 1) if one.arn == after), 0)
    page = backups[start : start + min(self.body.get("Limit", PAGE_SIZE), PAGE_SIZE)]
    answer: dict[str, Any] = {"BackupSummaries": [one.summary for one in page]}
    if start + len(page) < len(backups):
        answer["LastEvaluatedBackupArn"] = page[-1].arn
    return DynamoResult(answer)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `serve` wants to know."""
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to each call")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="OPERATION=CALLS", help="calls a second, at most"
    )


def serve(arguments: argparse.Namespace) -> None:
    """Run moto with this weather until the process is ended."""
    page_as_aws_does()
    named = (limit.partition("=") for limit in arguments.limit)
    weather = Weather(
        DomainDispatcherApplication(create_backend_app),
        latency_seconds=arguments.latency_ms / 1000,
        limits={operation: Limit(int(calls)) for operation, _, calls in named},
    )
    run_simple("127.0.0.1", arguments.port, weather, threaded=True, request_handler=_RequestHandler)


class _RequestHandler(MotoRequestHandler):
    # Head and body are written separately; the second would wait for the first one's acknowledgement.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No line for each request: `Weather` counts them."""


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(_parser)
    serve(_parser.parse_args())
