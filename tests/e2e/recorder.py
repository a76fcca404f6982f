"""Which calls reach the cloud while something is done, by moto's own recorder."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from local.cloud import Cloud
from tests.e2e.wire import operation_of


@contextmanager
def recorded_calls(cloud: Cloud) -> Iterator[list[str]]:
    """A list that has, after the block, the operation of each call: `ListBackups`, or `PUT /bucket/key`
    where a service is called by paths."""
    calls: list[str] = []
    _ask(cloud, "reset-recording")
    _ask(cloud, "start-recording")
    try:
        yield calls
    finally:
        _ask(cloud, "stop-recording")
        calls += [_operation(line) for line in _ask(cloud, "download-recording").splitlines()]


def _ask(cloud: Cloud, what: str) -> str:
    method = "GET" if what.startswith("download") else "POST"
    request = urllib.request.Request(f"{cloud.moto.url}/moto-api/recorder/{what}", method=method)
    with urllib.request.urlopen(request) as response:
        return str(response.read().decode())


def _operation(line: str) -> str:
    entry = json.loads(line)
    headers = {key.lower(): value for key, value in entry["headers"].items()}
    body = base64.b64decode(entry["body"]) if entry["body_encoded"] else b""
    return operation_of(entry["method"], entry["url"], headers, body)
