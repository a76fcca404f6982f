"""What an HTTP request asks of AWS: service, operation, parameters, and whose key signed it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
)
_CBOR = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")
_MODELS: Mapping[str, str] = {"servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}
"""botocore's names of services that sign by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A signed call. `service` is the name that IAM knows it by (`rds`, `tag`); `protocol` botocore's word
    for how it speaks. `operation` is empty when no model tells it."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    region: str
    key: str
    protocol: str

    @property
    def action(self) -> str:
        """The operation as AWS writes it in an error: `rds:CopyDBSnapshot`."""
        return f"{self.service}:{self.operation or 'unknown'}"


def read(environ: "WSGIEnvironment", body: bytes) -> Call | None:
    """The call that a request is; `None` when it is not signed."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed is None:
        return None
    service = signed["service"]
    model = get_service_model(_MODELS.get(service, service))
    request = Request(dict(environ))
    request.environ["wsgi.input"] = None  # the body is read already
    protocol = _protocol(model.metadata, request)
    operation, url_params = _operation(model, protocol, request, body)
    return Call(
        service="tag" if service == "tagging" else service,
        operation=operation,
        parameters=_parameters(model, protocol, operation, request, body, url_params),
        region=signed["region"],
        key=signed["key"],
        protocol=protocol,
    )


def _protocol(metadata: Mapping[str, Any], request: Request) -> str:
    """Some services speak several. Which one it is, the request tells."""
    if "X-Amz-Target" in request.headers:
        return "json"
    protocols: list[str] = metadata.get("protocols") or [metadata["protocol"]]
    if request.mimetype == "application/x-www-form-urlencoded" and "query" in protocols:
        return "query"
    return protocols[0]


def _operation(model: Any, protocol: str, request: Request, body: bytes) -> tuple[str, Mapping[str, str]]:
    """The operation, and what the path has of its parameters."""
    if target := request.headers.get("X-Amz-Target"):
        return target.rpartition(".")[2], {}
    if protocol in ("query", "ec2"):
        return str(_form(request, body).get("Action", "")), {}
    if found := _CBOR.fullmatch(request.path):
        return found["operation"], {}
    # As it was written: a slash in an ARN comes encoded.
    return _by_path(model, request, request.environ.get("RAW_URI", request.path).partition("?")[0])


def _by_path(model: Any, request: Request, written: str) -> tuple[str, Mapping[str, str]]:
    """Of several operations with a path, the one of which the request has the most in query and headers."""
    best: tuple[int, str, Mapping[str, str]] = (-1, "", {})
    for name, method, path, query, needed, optional in _routes(model.service_name):
        if method != request.method or (found := path.fullmatch(written)) is None:
            continue
        if any(key not in request.args or (value and request.args[key] != value) for key, value in query):
            continue
        if any((one not in request.args and one not in request.headers) for one in needed):
            continue
        score = 100 * (len(query) + len(needed)) + sum(one in request.args for one in optional)
        if score > best[0]:
            best = (score, name, {key: unquote(value) for key, value in found.groupdict().items()})
    return best[1], best[2]


type Route = tuple[str, str, re.Pattern[str], tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]


@cache
def _routes(service: str) -> tuple[Route, ...]:
    """Operation, method, path, query that must be there, required and other parameters beside the path."""
    model = get_service_model(service)
    return tuple(_route(model.operation_model(name)) for name in model.operation_names)


def _route(operation: OperationModel) -> Route:
    uri, _, query = operation.http["requestUri"].partition("?")
    path = re.sub(
        r"\{(\w+)(\+?)\}", lambda found: f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})", uri.rstrip("/")
    )
    pairs = tuple((key, value) for key, _, value in (one.partition("=") for one in query.split("&") if one))
    required = tuple(_located(operation, required=True))
    return (
        operation.name,
        operation.http["method"],
        re.compile(path + "/?"),
        pairs,
        required,
        tuple(_located(operation, required=False)),
    )


def _located(operation: OperationModel, *, required: bool) -> Iterator[str]:
    shape = operation.input_shape
    if shape is None:
        return
    for name, member in shape.members.items():
        apart = member.serialization.get("location") in ("querystring", "header")
        if apart and (name in shape.required_members) == required:
            yield member.serialization["name"]


def _form(request: Request, body: bytes) -> Mapping[str, Any]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True)) or request.args


def _parameters(
    model: Any, protocol: str, operation: str, request: Request, body: bytes, url_params: Mapping[str, str]
) -> Mapping[str, Any]:
    parser = PROTOCOL_PARSERS.get(protocol)
    if parser is None or operation not in model.operation_names:
        return {}
    asked: Any = {
        "method": request.method,
        "values": _form(request, body) if protocol in ("query", "ec2") else request.args,
        "headers": request.headers,
        # A document that is stored is not looked into.
        "body": b"" if operation == "PutObject" else body,
        "url_path": request.path,
        "url_params": url_params,
    }
    parsed: Mapping[str, Any] = parser(model.operation_model(operation)).parse(asked)
    return parsed
