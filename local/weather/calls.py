"""What a request asks for: read from its head and body, before moto sees it."""

import io
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class Protocol(StrEnum):
    """How a request is written, and so what an error has to look like."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    S3 = "s3"
    REST_JSON = "rest-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `service` is the name that it was signed for, `operation` AWS's own name, or of a REST
    service that is not known here its name and the method (`lambda POST`). `subject` is what was asked about,
    short; `nth` counts the calls of the same operation, Region and subject."""

    service: str
    region: str
    operation: str
    subject: str
    protocol: Protocol
    access_key: str = ""
    nth: int = 1

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What this call is again when the same is done once more."""
        return self.operation, self.region, self.subject, self.nth


CURRENT: ContextVar[Call | None] = ContextVar("CURRENT", default=None)
"""The call that this thread answers, while it is one that the weather is for."""

_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
)

_SUBJECTS = (
    "BackupName",
    "TargetDBSnapshotIdentifier",
    "TargetDBClusterSnapshotIdentifier",
    "DBSnapshotIdentifier",
    "DBClusterSnapshotIdentifier",
    "BackupArn",
    "ExportArn",
    "S3Prefix",
    "TableName",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "VolumeId",
    "SnapshotId",
    "SourceSnapshotId",
    "InstanceSpecification.InstanceId",
    "TopicArn",
    "RoleArn",
    "KeyId",
    "QuotaCode",
    "Name",
)
"""Members of requests that say what a call is about, the most telling first."""

_S3_OPERATIONS: Mapping[tuple[str, bool], str] = {
    ("GET", True): "GetObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("HEAD", True): "HeadObject",
    ("HEAD", False): "HeadBucket",
}


def read_call(environ: "WSGIEnvironment") -> Call:
    """The call, and the body put back for whoever reads it next."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = signed["service"] if signed else "unknown"
    operation, subject, protocol = _asked(environ, service)
    return Call(
        service=service,
        region=signed["region"] if signed else "",
        operation=operation,
        subject=subject,
        protocol=protocol,
        access_key=signed["key"] if signed else "",
    )


def operation_of(environ: "WSGIEnvironment") -> str:
    """The operation that a request asks for."""
    return read_call(environ).operation


def _asked(environ: "WSGIEnvironment", service: str) -> tuple[str, str, Protocol]:
    """The operation, its subject, and the protocol."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2], _subject_of_json(_body(environ)), Protocol.JSON
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        asked = parse_qs(_body(environ).decode())
        return (
            asked.get("Action", ["unknown"])[0],
            _subject({name: values[0] for name, values in asked.items()}),
            Protocol.EC2 if service == "ec2" else Protocol.QUERY,
        )
    path = unquote(environ["PATH_INFO"]).strip("/")
    method = environ["REQUEST_METHOD"]
    if service == "s3" and path:
        return _s3_operation(method, path, environ.get("QUERY_STRING", "")), path, Protocol.S3
    protocol = Protocol.S3 if service == "s3" else Protocol.REST_JSON
    return f"{service} {method}", path, protocol


def _s3_operation(method: str, path: str, query: str) -> str:
    asked = parse_qs(query, keep_blank_values=True)
    if method == "GET" and asked.get("list-type") == ["2"]:
        return "ListObjectsV2"
    if method == "POST" and "delete" in asked:
        return "DeleteObjects"
    apart = sorted(set(asked) & {"tagging", "encryption", "versioning", "location", "versions", "uploads"})
    named = _S3_OPERATIONS.get((method, "/" in path)) if not apart else None
    return named or " ".join(["s3", method, *apart])


def _body(environ: "WSGIEnvironment") -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _subject_of_json(body: bytes) -> str:
    try:
        asked: Any = json.loads(body or b"{}")
    except ValueError:
        return ""
    return _subject(asked) if isinstance(asked, dict) else ""


def _subject(asked: Mapping[str, Any]) -> str:
    return next((str(asked[name]) for name in _SUBJECTS if asked.get(name)), "")
