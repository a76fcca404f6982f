"""AWS's refusals, in the form of each protocol, so that botocore raises what AWS would make it raise.

The codes are those of the services' models, of their lists of common errors, and of EC2's and S3's lists of
error codes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape

from local.weather.calls import Call, Protocol

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class Refusal(StrEnum):
    """What AWS may answer instead of doing what it was asked."""

    THROTTLED = "throttled"
    INTERNAL = "internal error"
    UNAVAILABLE = "unavailable"
    DENIED = "access denied"
    EXPIRED = "expired token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer. `status` is the line's number and words."""

    status: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Words:
    """How one service says it."""

    status: str
    code: str
    message: str


_BAD, _FORBIDDEN, _SERVER, _BUSY = (
    "400 Bad Request",
    "403 Forbidden",
    "500 Internal Server Error",
    "503 Service Unavailable",
)
_RATE = "Rate exceeded"
_EXPIRED = "The security token included in the request is expired"
_FAILED = "The request processing has failed because of an unknown error, exception or failure."
_OVERLOADED = "The request has failed due to a temporary failure of the server."
_NOT_ALLOWED = "User: {caller} is not authorized to perform: {action}"

_BY_PROTOCOL: Mapping[Protocol, Mapping[Refusal, _Words]] = {
    Protocol.JSON: {
        Refusal.THROTTLED: _Words(_BAD, "ThrottlingException", _RATE),
        Refusal.INTERNAL: _Words(_SERVER, "InternalServerError", "Internal server error"),
        Refusal.UNAVAILABLE: _Words(_BUSY, "ServiceUnavailableException", _OVERLOADED),
        Refusal.DENIED: _Words(_BAD, "AccessDeniedException", _NOT_ALLOWED),
        Refusal.EXPIRED: _Words(_BAD, "ExpiredTokenException", _EXPIRED),
    },
    Protocol.QUERY: {
        Refusal.THROTTLED: _Words(_BAD, "Throttling", _RATE),
        Refusal.INTERNAL: _Words(_SERVER, "InternalFailure", _FAILED),
        Refusal.UNAVAILABLE: _Words(_BUSY, "ServiceUnavailable", _OVERLOADED),
        Refusal.DENIED: _Words(_FORBIDDEN, "AccessDenied", _NOT_ALLOWED),
        Refusal.EXPIRED: _Words(_FORBIDDEN, "ExpiredToken", _EXPIRED),
    },
    Protocol.EC2: {
        Refusal.THROTTLED: _Words(_BUSY, "RequestLimitExceeded", "Request limit exceeded."),
        Refusal.INTERNAL: _Words(_SERVER, "InternalError", "An internal error has occurred"),
        Refusal.UNAVAILABLE: _Words(
            _BUSY, "Unavailable", "The server is overloaded and can't handle the request."
        ),
        Refusal.DENIED: _Words(
            _FORBIDDEN, "UnauthorizedOperation", "You are not authorized to perform this operation."
        ),
        Refusal.EXPIRED: _Words(_BAD, "RequestExpired", "Request has expired."),
    },
    Protocol.S3: {
        Refusal.THROTTLED: _Words(_BUSY, "SlowDown", "Please reduce your request rate."),
        Refusal.INTERNAL: _Words(
            _SERVER, "InternalError", "We encountered an internal error. Please try again."
        ),
        Refusal.UNAVAILABLE: _Words(_BUSY, "ServiceUnavailable", "Service is unable to handle request."),
        Refusal.DENIED: _Words(_FORBIDDEN, "AccessDenied", "Access Denied"),
        Refusal.EXPIRED: _Words(_BAD, "ExpiredToken", "The provided token has expired."),
    },
    Protocol.REST_JSON: {
        Refusal.THROTTLED: _Words("429 Too Many Requests", "TooManyRequestsException", "Rate Exceeded."),
        Refusal.INTERNAL: _Words(_SERVER, "ServiceException", "An error occurred and the request failed."),
        Refusal.UNAVAILABLE: _Words(_BUSY, "ServiceUnavailableException", _OVERLOADED),
        Refusal.DENIED: _Words(_FORBIDDEN, "AccessDeniedException", _NOT_ALLOWED),
        Refusal.EXPIRED: _Words(_FORBIDDEN, "ExpiredTokenException", _EXPIRED),
    },
}

_BY_SERVICE: Mapping[tuple[str, Refusal], _Words] = {
    ("kms", Refusal.INTERNAL): _Words(_SERVER, "KMSInternalException", "An internal error occurred."),
    ("servicequotas", Refusal.THROTTLED): _Words(_BAD, "TooManyRequestsException", _RATE),
    ("servicequotas", Refusal.INTERNAL): _Words(_SERVER, "ServiceException", _FAILED),
    ("sns", Refusal.THROTTLED): _Words("429 Too Many Requests", "Throttled", _RATE),
    ("sns", Refusal.INTERNAL): _Words(_SERVER, "InternalError", _FAILED),
    ("sns", Refusal.DENIED): _Words(_FORBIDDEN, "AuthorizationError", _NOT_ALLOWED),
    ("tagging", Refusal.THROTTLED): _Words(_BAD, "ThrottledException", _RATE),
    ("tagging", Refusal.INTERNAL): _Words(_SERVER, "InternalServiceException", _FAILED),
}
"""Where a service has words of its own."""

_SPACES: Mapping[tuple[str, Refusal], str] = {
    ("dynamodb", Refusal.THROTTLED): "com.amazon.coral.availability#",
    ("dynamodb", Refusal.INTERNAL): "com.amazonaws.dynamodb.v20120810#",
    ("dynamodb", Refusal.DENIED): "com.amazon.coral.service#",
    ("dynamodb", Refusal.EXPIRED): "com.amazon.coral.service#",
}
"""What a code of DynamoDB's begins with."""


def refused(call: Call, refusal: Refusal, caller: str = "") -> Answer:
    """What AWS answers to this call. `caller` is the ARN of whoever made it."""
    words = _BY_SERVICE.get((call.service, refusal)) or _BY_PROTOCOL[call.protocol][refusal]
    action = f"{call.service}:{call.operation}"
    message = words.message.format(caller=caller or "arn:aws:iam::123456789012:root", action=action)
    space = _SPACES.get((call.service, refusal), "")
    match call.protocol:
        case Protocol.JSON:
            body = json.dumps({"__type": space + words.code, "message": message}).encode()
            return Answer(status=words.status, content_type="application/x-amz-json-1.0", body=body)
        case Protocol.REST_JSON:
            body = json.dumps({"__type": words.code, "message": message, "Type": "Service"}).encode()
            return Answer(status=words.status, content_type="application/json", body=body)
        case _:
            body = _xml(call.protocol, words, escape(message))
            return Answer(status=words.status, content_type="text/xml", body=body)


def _xml(protocol: Protocol, words: _Words, message: str) -> bytes:
    error = f"<Code>{words.code}</Code><Message>{message}</Message>"
    match protocol:
        case Protocol.EC2:
            text = (
                f"<Response><Errors><Error>{error}</Error></Errors>"
                f"<RequestID>{REQUEST_ID}</RequestID></Response>"
            )
        case Protocol.S3:
            text = f"<Error>{error}<RequestId>{REQUEST_ID}</RequestId></Error>"
        case _:
            side = "Receiver" if words.status.startswith("5") else "Sender"
            text = (
                f"<ErrorResponse><Error><Type>{side}</Type>{error}</Error>"
                f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
            )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
