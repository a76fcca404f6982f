"""Whether policies and what was called by them fit: the decisions of a run, judged again without each thing
that a policy allows. What can go without a call being denied was granted for nothing."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.authority.policies import Caller, Question, Statement, judge, statements_of, without

_GIVEN_LETTERS = re.compile(r"-[A-Z0-9]{12}(?=$|/)")
"""What CloudFormation puts behind the names of roles and policies."""


@dataclass(frozen=True, slots=True)
class Audit:
    """`identity` are the documents of roles by ARN and by the name of the policy, `resource` those of roles
    (who is trusted) and keys by ARN, and `decisions` as the log has them."""

    identity: Mapping[str, Mapping[str, str]]
    resource: Mapping[str, str]
    decisions: Sequence[Mapping[str, Any]]

    def superfluous(self, role: str) -> list[str]:
        """What the role's policies allow and no call of its needs, in words."""
        mine = self._asked(lambda one: one["role"] == role)
        statements = self._identity(role)
        return [
            f"{short_name(role)}: {_GIVEN_LETTERS.sub('', words)}"
            for words, fewer in without(statements)
            if all(self._allowed(one, identity=fewer) for one in mine)
        ]

    def superfluous_in(self, resource: str) -> list[str]:
        """What a key's policy, or the trust in a role, allows and nobody needs."""
        theirs = self._asked(lambda one: one["policy"] == resource)
        statements = statements_of(resource, json.loads(self.resource[resource]))
        return [
            f"{short_name(resource)}: {words.removeprefix(resource)}"
            for words, fewer in without(statements)
            if all(self._allowed(one, resource=fewer) for one in theirs)
        ]

    def disagreements(self) -> list[str]:
        """Decisions that are not what the policies say now: then nothing here means anything."""
        return [
            f"{one['role']} {one['action']} {one['resource']}"
            for one in self._asked(lambda one: not one["why"])
            if not self._allowed(one)
        ]

    def sids(self, roles: Iterable[str]) -> set[str]:
        """The names of all statements of these roles."""
        return {one.name.rpartition("/")[2] for role in roles for one in self._identity(role)}

    def _asked(self, wanted: Any) -> list[Mapping[str, Any]]:
        """What was allowed of these, each question once."""
        unique = {
            json.dumps([one["role"], one["action"], one["resource"], one["context"]]): one
            for one in self.decisions
            if one["allowed"] and wanted(one)
        }
        return list(unique.values())

    def _identity(self, role: str) -> list[Statement]:
        documents = self.identity.get(role, {})
        return [one for name, text in documents.items() for one in statements_of(name, json.loads(text))]

    def _allowed(
        self,
        one: Mapping[str, Any],
        identity: Sequence[Statement] | None = None,
        resource: Sequence[Statement] | None = None,
    ) -> bool:
        if resource is None and one["policy"] in self.resource:
            resource = statements_of(one["policy"], json.loads(self.resource[one["policy"]]))
        verdict = judge(
            Question(action=one["action"], resource=one["resource"], context=one["context"]),
            Caller(arn=one["role"], session=one["session"]),
            self._identity(one["role"]) if identity is None else identity,
            resource,
            resource_decides=one["decides"],
        )
        return verdict.allowed


def short_name(arn: str) -> str:
    """Without what differs from one deployment to the next."""
    return _GIVEN_LETTERS.sub("", arn.rpartition("/")[2])


def sids_of(template: Mapping[str, Any]) -> set[str]:
    """The names of all statements of roles in a template."""
    policies = ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    return {
        sid
        for resource in template["Resources"].values()
        if resource["Type"] in policies
        for sid in _sids(resource["Properties"])
    }


def _sids(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if "Sid" in value:
                yield value["Sid"]
            for each in value.values():
                yield from _sids(each)
        case list():
            for each in value:
                yield from _sids(each)
