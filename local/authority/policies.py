"""IAM's decision, from documents alone: Allow, explicit Deny, wildcards, and the conditions that Holdfast's
templates use. What this does not know it refuses to judge (`UnknownError`), so that no policy is taken for
narrower or wider than AWS takes it.

After IAM's user guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

type Context = Mapping[str, str]
"""Values by condition key. A key that the call does not have is absent."""


class UnknownError(Exception):
    """A policy that uses what is not modelled here. Says what."""


_KEYS = (
    "application-autoscaling:service-namespace",
    "aws:PrincipalArn",
    "aws:RequestTag/",
    "aws:ResourceAccount",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "ec2:Add/group",
    "ec2:Add/userId",
    "ec2:CreateAction",
    "ec2:ResourceTag/",
    "iam:PassedToService",
    "kms:GrantIsForAWSResource",
    "kms:ViaService",
    "s3:prefix",
)
"""The condition keys (or beginnings of keys) that `table` gives values to, where AWS does."""

_ELEMENTS = frozenset({"Sid", "Effect", "Action", "Resource", "Condition", "Principal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        value = next((given for key, given in context.items() if key.lower() == self.key.lower()), None)
        if self.operator == "Null":
            return (value is None) == (self.values == ("true",))
        test = _TESTS[self.operator]
        return value is not None and any(test(wanted, value) for wanted in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`name` is its policy's and its own. `principals` are empty in a policy of an identity."""

    name: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    principals: tuple[str, ...] = ()

    def speaks_of(self, asked: "Question") -> bool:
        return (
            any(_like(one.lower(), asked.action.lower()) for one in self.actions)
            and any(_arn_like(one, asked.resource) for one in self.resources)
            and all(one.holds(asked.context) for one in self.conditions)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether `action` may be done to `resource` (`*` where AWS knows none)."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a role (`arn` of the role, `session` of its session), or a service by its name alone."""

    arn: str
    session: str = ""

    @property
    def account(self) -> str:
        return self.arn.split(":")[4] if self.arn.startswith("arn:") else ""

    def is_named(self, principal: str) -> bool:
        """Whether a resource's policy names this very caller."""
        return principal in ("*", self.arn, self.session)

    def is_of(self, principal: str) -> bool:
        """Whether it names the caller's account, and so leaves the decision to that one's IAM."""
        return bool(self.account) and principal in (
            self.account,
            f"arn:{self.arn.split(':')[1]}:iam::{self.account}:root",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`by` are the statements that allowed it, or the ones that explicitly denied it."""

    allowed: bool
    by: tuple[str, ...] = ()

    @property
    def explicit(self) -> bool:
        """Whether a statement denied it, and not the lack of one."""
        return not self.allowed and bool(self.by)


def statements_of(name: str, document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document. Raises `UnknownError`."""
    return [_statement(name, number, one) for number, one in enumerate(_listed(document["Statement"]))]


def judge(
    asked: Question,
    caller: Caller,
    identity: Sequence[Statement],
    resource: Sequence[Statement] | None = None,
    *,
    resource_decides: bool = False,
) -> Verdict:
    """Whether the caller may.

    `identity` are the statements of the caller's own policies, `resource` those of the resource's policy if
    it has one. `resource_decides` says that without that policy nothing is allowed: so it is with KMS keys,
    with the trust in a role, and with all that belongs to another account and has such a policy.
    """
    own = [one for one in identity if one.speaks_of(asked)]
    theirs = [one for one in resource or () if one.speaks_of(asked)]
    named = [one for one in theirs if any(map(caller.is_named, one.principals))]
    left = [one for one in theirs if any(map(caller.is_of, one.principals))]
    if denied := [one.name for one in (*own, *named, *left) if not one.allows]:
        return Verdict(allowed=False, by=tuple(denied))
    if named and not _is_of_another_account(asked.resource, caller):
        return Verdict(allowed=True, by=_names([*named, *own]))
    if not own or (resource_decides and not (named or left)):
        return Verdict(allowed=False)
    return Verdict(allowed=True, by=_names([*own, *named, *left]))


def without(statements: Sequence[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """Each way to take something away from what is allowed: an action, a pattern of resources, or one of
    several values of a condition; in words, with the statements that are left."""
    for place, one in enumerate(statements):
        if not one.allows:
            continue
        for words, less in _lessened(one):
            left = [less] if less.actions and less.resources else []
            yield f"{one.name}: {words}", [*statements[:place], *left, *statements[place + 1 :]]


def _lessened(one: Statement) -> Iterator[tuple[str, Statement]]:
    for action in one.actions:
        yield action, replace(one, actions=tuple(each for each in one.actions if each != action))
    for pattern in one.resources if len(one.resources) > 1 else ():
        yield pattern, replace(one, resources=tuple(each for each in one.resources if each != pattern))
    for condition in one.conditions:
        for value in condition.values if len(condition.values) > 1 else ():
            less = replace(condition, values=tuple(each for each in condition.values if each != value))
            conditions = tuple(less if each is condition else each for each in one.conditions)
            yield f"{condition.key} {value}", replace(one, conditions=conditions)


def _names(statements: Iterable[Statement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in statements))


def _is_of_another_account(resource: str, caller: Caller) -> bool:
    """Whether both accounts have to allow it. A service is of none, and a bucket's ARN names none."""
    parts = resource.split(":", 5)
    return bool(caller.account) and len(parts) == 6 and parts[4] not in ("", caller.account)


def _statement(policy: str, number: int, document: Mapping[str, Any]) -> Statement:
    name = f"{policy}/{document.get('Sid', number)}"
    if unknown := document.keys() - _ELEMENTS:
        raise UnknownError(f"{name}: {', '.join(sorted(unknown))}")
    return Statement(
        name=name,
        allows=document["Effect"] == "Allow",
        actions=tuple(_listed(document["Action"])),
        resources=tuple(_listed(document.get("Resource", "*"))),  # the policy that trusts a role names none
        conditions=tuple(_conditions(name, document.get("Condition", {}))),
        principals=tuple(_principals(document.get("Principal", {}))),
    )


def _conditions(name: str, block: Mapping[str, Mapping[str, Any]]) -> Iterator[Condition]:
    for operator, tests in block.items():
        if operator != "Null" and operator not in _TESTS:
            raise UnknownError(f"{name}: the operator {operator}")
        for key, values in tests.items():
            if not any(key == known or (known.endswith("/") and key.startswith(known)) for known in _KEYS):
                raise UnknownError(f"{name}: the condition key {key}")
            given = tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in _listed(values))
            if any("${" in one for one in given):
                raise UnknownError(f"{name}: a policy variable in {key}")
            yield Condition(operator=operator, key=key, values=given)


def _principals(given: str | Mapping[str, Any]) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    else:
        for values in given.values():
            yield from _listed(values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in text), re.DOTALL)


def _like(pattern: str, value: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _arn_like(pattern: str, value: str) -> bool:
    """Part by part: a wildcard does not reach beyond a colon, but in the last part."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(given) == 6 and all(map(_like, wanted, given))


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringLike": _like,
    "ArnLike": _arn_like,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
}
