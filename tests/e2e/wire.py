"""What lies between a function and what it speaks to: every call is passed on as it came, unless a test has
it answered otherwise, held up or changed."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `operation` is AWS's name of it, or `PUT /bucket/key` where a service is called by
    paths."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        return operation_of(self.method, self.path, self.headers, self.body)

    @property
    def region(self) -> str:
        """The Region that the call was signed for."""
        return self.headers.get("authorization", "///").split("/")[2]

    @property
    def asked(self) -> dict[str, Any]:
        """What a call in JSON asks for, or one in form fields, of each the first value."""
        if "x-amz-target" in self.headers:
            asked: dict[str, Any] = json.loads(self.body)
            return asked
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


type Rule = Callable[[Call], Reply | None]
"""What a test has to say about a call: `None` lets it pass on."""


def operation_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """The operation that a request asks for. The headers' names are in lower case."""
    if target := headers.get("x-amz-target"):
        return target.rsplit(".", 1)[1]
    if action := parse_qs(body.decode(errors="replace")).get("Action"):
        return action[0]
    return f"{method} {urlsplit(path).path}"


def in_json(answer: object, status: int = 200) -> Reply:
    return Reply(
        status=status,
        body=json.dumps(answer).encode(),
        headers={"Content-Type": "application/x-amz-json-1.0"},
    )


class Wire(ThreadingHTTPServer):
    """A proxy on a free port of this machine, in front of the server at `behind`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.calls: list[str] = []
        self.rule: Rule = lambda _: None
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @contextmanager
    def ruled(self, rule: Rule) -> Iterator[list[str]]:
        """Within, the rule is asked about each call. Gives the list of their operations, as they come."""
        self.rule, self.calls = rule, []
        try:
            yield self.calls
        finally:
            self.rule = lambda _: None

    def pass_on(self, call: Call) -> Reply:
        """What the server behind answers."""
        connection = HTTPConnection(self.behind, timeout=960)
        try:
            connection.request(call.method, call.path, body=call.body, headers=dict(call.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        headers = {key: value for key, value in answer.getheaders() if key.lower() not in _HOP_BY_HOP}
        return Reply(status=answer.status, body=body, headers=headers)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that was killed has broken off its call: no news for the terminal."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Wire

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        call = Call(
            method=self.command,
            path=self.path,
            headers={key: value for key, value in headers.items() if key not in _HOP_BY_HOP},
            body=body,
        )
        self.server.calls.append(call.operation)
        reply = self.server.rule(call) or self.server.pass_on(call)
        self.send_response_only(reply.status)
        for key, value in reply.headers.items():
            if key.lower() != "content-length" or self.command == "HEAD":
                self.send_header(key, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No line for each call."""
