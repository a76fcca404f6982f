"""The one endpoint of the embedded cloud. Lambda's invocations run here, in the real runtime; durable
executions go to the durable runner; both after `authority`, in moto's process, was asked whether the caller
may. Everything else goes to moto as it came."""

import json
import logging
import re
import threading
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.authority import CONTROL_PATH
from local.invocations import Lambda, LambdaError, Response, region_of_signature
from local.sandbox import loopback

logger = logging.getLogger(__name__)

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations")
_DURABLE = re.compile(r"/2025-12-01/(durable-execution|functions/[^/]+/durable-executions)")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})


class _Handler(BaseHTTPRequestHandler):
    """One connection of a caller, with its own connections to what stands behind the gateway."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Gateway"

    def setup(self) -> None:
        super().setup()
        self._behind: dict[str, HTTPConnection] = {}

    def finish(self) -> None:
        for connection in self._behind.values():
            connection.close()
        super().finish()

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        invoked = _INVOKE.fullmatch(path) if self.command == "POST" else None
        functions = self.server.functions_in(region_of_signature(self.headers))
        durable = _DURABLE.match(path) and functions.runner
        refused = self._refused(body) if invoked or durable else None
        if refused:
            self._reply(refused)
        elif invoked:
            self._reply(self._invoke(functions, invoked["function"], parse_qs(parts.query), body))
        elif durable:
            self._reply(self._pass_on(functions.runner, body))
        else:
            self._reply(self._pass_on(self.server.moto, body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any  # noqa: N815

    def _invoke(self, functions: Lambda, name: str, query: Mapping[str, list[str]], body: bytes) -> Response:
        try:
            return functions.invoke(name, query, self.headers, body)
        except LambdaError as error:
            told = json.dumps({"Type": "User", "Message": str(error)}).encode()
            headers = {"x-amzn-ErrorType": error.code, "Content-Type": "application/json"}
            return Response(status=error.status, body=told, headers=headers)

    def _refused(self, body: bytes) -> Response | None:
        """The refusal, when the caller may not do what never gets to moto."""
        judged = self._pass_on(self.server.moto, body, f"{CONTROL_PATH}/judge")
        return None if judged.status == HTTPStatus.NO_CONTENT else judged

    def _pass_on(self, url: str, body: bytes, below: str = "") -> Response:
        connection = self._behind.get(url)
        if connection is None:
            address = urlsplit(url)
            connection = HTTPConnection(address.hostname or "", address.port, timeout=960)
            self._behind[url] = connection
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP_BY_HOP}
        try:
            connection.request(self.command, below + self.path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return Response(status=502, body=f"{url}: {error}".encode())
        kept = {key: value for key, value in response.getheaders() if key.lower() not in _HOP_BY_HOP}
        return Response(status=response.status, body=content, headers=kept)

    def _reply(self, response: Response) -> None:
        self.send_response_only(response.status)
        given = {key.lower() for key in response.headers}
        for key, value in response.headers.items():
            if key.lower() != "content-length" or self.command == "HEAD":
                self.send_header(key, value)
        if "x-amzn-requestid" not in given:
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.debug(format, *args)


class Gateway(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1 from the moment that it is made."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, moto: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.moto = loopback(moto)
        self.functions = Lambda()
        self.elsewhere: dict[str, Lambda] = {}
        """The functions of a standby, by its Region."""
        self._thread = threading.Thread(target=self.serve_forever, name="gateway", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def functions_in(self, region: str) -> Lambda:
        return self.elsewhere.get(region, self.functions)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A caller went away, or what stands behind was stopped: no news for the terminal."""
        logger.debug("a connection ended", exc_info=True)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()
