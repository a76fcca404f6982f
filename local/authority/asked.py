"""A call as IAM is asked about it: the checks, and what rows of the table are made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.authority import facts
from local.authority.calls import Call

type Row = Callable[["Asked"], Iterable["Check"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to IAM. `policy` is the ARN of the resource whose own policy counts too; `decides` says
    that without it nothing is allowed."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A call, the account in whose name it is made, and the name of the caller's session."""

    call: Call
    account: str
    session: str

    def __getitem__(self, name: str) -> str:
        """A parameter; `*` when it is not given, as AWS has it for resources."""
        return str(self.call.parameters.get(name) or "*")

    def given(self, name: str) -> Any:
        return self.call.parameters.get(name)

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        place = self.call.region if region is None else region
        return f"arn:{facts.PARTITION}:{service}:{place}:{self.account}:{resource}"

    def ebs(self, id_: str, region: str = "") -> str:
        """A snapshot's ARN names no account."""
        return f"arn:{facts.PARTITION}:ec2:{region or self.call.region}::snapshot/{id_}"


def without_resources(action: str) -> Row:
    """Of these AWS knows no resource: only a statement about `*` allows them."""
    return lambda _: [Check(action=action, resource="*")]


def on(action: str, service: str, *resources: str) -> Row:
    """`resources` as in an ARN, with parameters: `db:{DBInstanceIdentifier}`. All of them are checked."""

    def row(asked: Asked) -> Iterator[Check]:
        for resource in resources:
            yield Check(action=action, resource=asked.arn(service, resource.format_map(_Parameters(asked))))

    return row


class _Parameters(dict[str, str]):
    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __missing__(self, name: str) -> str:
        return self._asked[name]


def request_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags}


def resource_tags(tags: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    return {f"{prefix}:ResourceTag/{key}": value for prefix in prefixes for key, value in tags.items()}


# KMS, asked by another service in the caller's name ("forward access sessions").


def through(service: str, region: str, key: str, actions: Iterable[str]) -> Iterator[Check]:
    """The uses of a key (of a customer's; none for none) by a service."""
    if not key:
        return
    via = {"kms:ViaService": f"{service}.{region}.amazonaws.com"}
    for action in actions:
        grant = {"kms:GrantIsForAWSResource": "true"} if action == "kms:CreateGrant" else {}
        yield Check(action=action, resource=key, context=via | grant, policy=key, decides=True)
