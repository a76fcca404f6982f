"""How each service says that a call is not allowed: in its protocol, with AWS's sentence."""

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape

from local.authority.asked import Check
from local.authority.calls import Call
from local.authority.policies import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An HTTP answer."""

    status: str
    content_type: str
    body: bytes
    code: str


def refuse(call: Call, who: str, check: Check, verdict: Verdict) -> Refusal:
    """The answer to a call that is denied for one of its checks. `who` is the ARN of the caller's session."""
    return _as_spoken(call, _code(call, check), sentence(who, check, verdict))


def refuse_unknown_key(call: Call) -> Refusal:
    """The answer to a call that is signed with credentials which are nobody's."""
    return _as_spoken(call, "InvalidClientTokenId", "The security token included in the request is invalid.")


def refuse_without_row(call: Call, who: str, why: str) -> Refusal:
    """The answer to a call of which nothing is known. No sentence of AWS's: the table has to be completed."""
    text = f"User: {who} is not authorized to perform: {call.action}, since {why}"
    return _as_spoken(call, _code(call, Check(action=call.action, resource="*")), text)


def sentence(who: str, check: Check, verdict: Verdict) -> str:
    """As IAM's guide has it ("Troubleshoot access denied error messages")."""
    why = (
        "with an explicit deny in an identity-based policy"
        if verdict.explicit
        else f"because no identity-based policy allows the {check.action} action"
    )
    return f"User: {who} is not authorized to perform: {check.action} on resource: {check.resource} {why}"


def _code(call: Call, check: Check) -> str:
    """Each service's own, from its API reference. What fails at KMS has codes of its own."""
    if check.action.startswith("kms:") and call.service in ("rds", "sns"):
        return {"rds": "KMSKeyNotAccessibleFault", "sns": "KMSAccessDenied"}[call.service]
    return _CODES.get(call.service, "AccessDeniedException")


_CODES = {
    "ec2": "UnauthorizedOperation",
    "rds": "AccessDenied",
    "s3": "AccessDenied",
    "sns": "AuthorizationError",
    "sts": "AccessDenied",
}


def _as_spoken(call: Call, code: str, text: str) -> Refusal:
    match call.protocol:
        case "ec2":
            xml = (
                f"<Response><Errors><Error><Code>{code}</Code><Message>You are not authorized to perform "
                f"this operation. {escape(text)}</Message></Error></Errors><RequestID>denied</RequestID>"
                "</Response>"
            )
        case "query":
            xml = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(text)}"
                "</Message></Error><RequestId>denied</RequestId></ErrorResponse>"
            )
        case "rest-xml":
            xml = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
        case _:
            return _json(call, code, text)
    status = "400 Bad Request" if code == "KMSKeyNotAccessibleFault" else "403 Forbidden"
    return Refusal(status=status, content_type="text/xml", body=xml.encode(), code=code)


def _json(call: Call, code: str, text: str) -> Refusal:
    rest = call.protocol == "rest-json"
    body = json.dumps({"__type": code, "message": text, "Message": text}).encode()
    return Refusal(
        status="403 Forbidden" if rest else "400 Bad Request",
        content_type="application/json" if rest else "application/x-amz-json-1.1",
        body=body,
        code=code,
    )
