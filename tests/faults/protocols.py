"""How AWS's services say that a call failed: the form of each protocol, and each service's own words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def error_body(protocol: str, code: str, message: str, status: int) -> Answer:
    """An error in the form of a protocol, as botocore's parsers document and read it."""
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": code, "message": message})
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": _REQUEST_ID}
        return Answer(status, headers, body.encode())
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    forms = {
        "query": (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
            f"<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
        ),
        "ec2": (
            f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
        ),
        "rest-xml": f"<Error>{error}<RequestId>{_REQUEST_ID}</RequestId></Error>",
    }
    return Answer(status, {"Content-Type": "text/xml"}, forms[protocol].encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """A service's codes for what can befall any call, each with its HTTP status. From AWS's lists of common
    errors, EC2's and S3's lists of error codes, and what the services' models declare."""

    throttling: tuple[str, int]
    denial: tuple[str, int]
    expiry: tuple[str, int]
    internal: str


_JSON = _Words(
    throttling=("ThrottlingException", 400),
    denial=("AccessDeniedException", 400),
    expiry=("ExpiredTokenException", 400),
    internal="InternalServerError",
)
_QUERY = _Words(
    throttling=("Throttling", 400),
    denial=("AccessDenied", 403),
    expiry=("ExpiredToken", 403),
    internal="InternalFailure",
)
_SERVICES: Mapping[str, _Words] = {
    "dynamodb": _JSON,
    "ssm": _JSON,
    "kms": _Words(
        throttling=_JSON.throttling,
        denial=_JSON.denial,
        expiry=_JSON.expiry,
        internal="KMSInternalException",
    ),
    "application-autoscaling": _Words(
        throttling=_JSON.throttling,
        denial=_JSON.denial,
        expiry=_JSON.expiry,
        internal="InternalServiceException",
    ),
    "resourcegroupstaggingapi": _Words(
        throttling=("ThrottledException", 400),
        denial=_JSON.denial,
        expiry=_JSON.expiry,
        internal="InternalServiceException",
    ),
    "service-quotas": _Words(
        throttling=("TooManyRequestsException", 400),
        denial=_JSON.denial,
        expiry=_JSON.expiry,
        internal="ServiceException",
    ),
    "rds": _QUERY,
    "sts": _QUERY,
    "sns": _Words(
        throttling=("Throttled", 429),
        denial=("AuthorizationError", 403),
        expiry=_QUERY.expiry,
        internal="InternalError",
    ),
    "ec2": _Words(
        throttling=("RequestLimitExceeded", 503),
        denial=("UnauthorizedOperation", 403),
        expiry=("RequestExpired", 400),
        internal="InternalError",
    ),
    "s3": _Words(
        throttling=("SlowDown", 503),
        denial=("AccessDenied", 403),
        expiry=("ExpiredToken", 400),
        internal="InternalError",
    ),
}


def throttling(service: str) -> tuple[str, int]:
    """The code and the status that ask to slow down."""
    return _SERVICES[service].throttling


def denial(service: str) -> tuple[str, int]:
    """The code and the status of a role that may not."""
    return _SERVICES[service].denial


def expiry(service: str) -> tuple[str, int]:
    """The code and the status of a session whose token is too old."""
    return _SERVICES[service].expiry


def internal_error(service: str) -> str:
    """The code of the service's own failure."""
    return _SERVICES[service].internal
