"""What checkov does not look at in the templates: who the policies of resources let in, from where, and how.

Each rule holds for every resource of every template, also for those that are added later, and is shown to
find what breaks it.
"""

import copy
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
TEMPLATES = ("template.yaml", "template-copy-region.yaml", "template-vault-account.yaml")

POLICIES = {
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}
"""Where a type says who is let in."""

STORES = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
}
"""The policy of a type that is reached by itself, and the property that says whose policy it is."""

type Template = dict[str, Any]


@cache
def _decoded(file: str) -> Template:
    loaded, mistakes = decode(str(ROOT / file))
    assert not mistakes
    found: Template = loaded
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def of_type(template: Template, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, one) for name, one in template["Resources"].items() if one["Type"] in kinds)


def statements(document: Any) -> Iterator[dict[str, Any]]:
    """With those of both ways of each condition."""
    for one in as_list(document["Statement"]):
        branches = one["Fn::If"][1:] if "Fn::If" in one else [one]
        yield from (branch for branch in branches if "Effect" in branch)


def allowed(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that lets somebody in, with its resource."""
    for name, one in of_type(template, *POLICIES):
        for statement in statements(one["Properties"][POLICIES[one["Type"]]]):
            if statement["Effect"] == "Allow":
                yield name, statement


def principals(statement: dict[str, Any], kind: str) -> list[str]:
    """As text, also those that are put together."""
    given = statement["Principal"]
    named = given.get(kind, []) if isinstance(given, dict) else given
    return [str(one) for one in as_list(named)]


def condition_keys(statement: dict[str, Any]) -> set[str]:
    return {key for tests in statement.get("Condition", {}).values() for key in tests}


def open_to_everybody(template: Template) -> Iterator[str]:
    for name, statement in allowed(template):
        if "*" in (*principals(statement, "AWS"), *principals(statement, "Service")):
            yield name


def open_to_services_for_others(template: Template) -> Iterator[str]:
    """A service that others use too could be made to come here for them. Lambda need not say for whom it
    takes on a role: IAM lets nobody pass a role on to a function of another account."""
    for name, statement in allowed(template):
        services = set(principals(statement, "Service")) - {"lambda.amazonaws.com", "*"}
        if services and not condition_keys(statement) & {"aws:SourceAccount", "aws:SourceArn"}:
            yield name
    for name, one in of_type(template, "AWS::Lambda::Permission"):
        if not one["Properties"].keys() & {"SourceArn", "SourceAccount"}:
            yield name


def open_to_whole_accounts(template: Template) -> Iterator[str]:
    """The other account by its number, and all that it lets."""
    for name, statement in allowed(template):
        foreign = [one for one in principals(statement, "AWS") if re.search(r"\$\{\w+AccountId\}", one)]
        if foreign and not condition_keys(statement) & {"aws:PrincipalArn", "kms:ViaService"}:
            yield name


def open_without_tls(template: Template) -> Iterator[str]:
    closed = {
        whose["Ref"]
        for name, one in of_type(template, *(kind for kind, _ in STORES.values()))
        for statement in statements(one["Properties"]["PolicyDocument"])
        if statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for whose in as_list(one["Properties"][dict(STORES.values())[one["Type"]]])
    }
    return (name for name, _ in of_type(template, *STORES) if name not in closed)


def queues_in_the_clear(template: Template) -> Iterator[str]:
    for name, one in of_type(template, "AWS::SQS::Queue"):
        properties = one["Properties"]
        if properties.get("SqsManagedSseEnabled") is not True and "KmsMasterKeyId" not in properties:
            yield name


def policies_that_go_before_their_bucket(template: Template) -> Iterator[str]:
    for name, one in of_type(template, "AWS::S3::BucketPolicy"):
        bucket = template["Resources"][one["Properties"]["Bucket"]["Ref"]]
        if any(one.get(when) != bucket.get(when) for when in ("DeletionPolicy", "UpdateReplacePolicy")):
            yield name


RULES = (
    open_to_everybody,
    open_to_services_for_others,
    open_to_whole_accounts,
    open_without_tls,
    queues_in_the_clear,
    policies_that_go_before_their_bucket,
)


@pytest.mark.parametrize("file", TEMPLATES)
@pytest.mark.parametrize("rule", RULES)
def test_nothing_breaks_the_rule(rule: Callable[[Template], Iterator[str]], file: str) -> None:
    assert list(rule(_decoded(file))) == []


def drop(template: Template, *path: str | int) -> None:
    *way, last = path
    place: Any = template["Resources"]
    for one in way:
        place = place[one]
    del place[last]


def put(template: Template, value: Any, *path: str | int) -> None:
    *way, last = path
    place: Any = template["Resources"]
    for one in way:
        place = place[one]
    place[last] = value


BUCKET_STATEMENTS = ("ReportBucketPolicy", "Properties", "PolicyDocument", "Statement")
KEY_STATEMENTS = ("Properties", "KeyPolicy", "Statement")
TRUST = ("Properties", "AssumeRolePolicyDocument", "Statement", 0)
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


@pytest.mark.parametrize(
    ("rule", "file", "spoil", "named"),
    [
        (open_to_everybody, 0, lambda t: put(t, PUBLIC, *BUCKET_STATEMENTS, 0), "ReportBucketPolicy"),
        (
            open_to_everybody,
            1,
            lambda t: put(t, {"AWS": ["*"]}, "CopyKey", *KEY_STATEMENTS, 1, "Fn::If", 1, "Principal"),
            "CopyKey",
        ),
        (
            open_to_services_for_others,
            0,
            lambda t: drop(t, "ScheduleRole", *TRUST, "Condition"),
            "ScheduleRole",
        ),
        (
            open_to_services_for_others,
            0,
            lambda t: drop(t, "ReportKey", *KEY_STATEMENTS, 1, "Condition"),
            "ReportKey",
        ),
        (
            open_to_services_for_others,
            0,
            lambda t: drop(t, "EbsHintPermission", "Properties", "SourceArn"),
            "EbsHintPermission",
        ),
        (open_to_whole_accounts, 2, lambda t: drop(t, "VaultRole", *TRUST, "Condition"), "VaultRole"),
        (
            open_to_whole_accounts,
            1,
            lambda t: drop(
                t, "CopyKey", *KEY_STATEMENTS, 2, "Fn::If", 1, "Condition", "StringEquals", "kms:ViaService"
            ),
            "CopyKey",
        ),
        (open_without_tls, 0, lambda t: drop(t, "ReportTopicPolicy"), "ReportTopic"),
        (
            open_without_tls,
            0,
            lambda t: drop(t, "DeadLetterQueuePolicy", "Properties", "PolicyDocument", "Statement", 0),
            "DeadLetterQueue",
        ),
        (
            queues_in_the_clear,
            0,
            lambda t: put(t, False, "DeadLetterQueue", "Properties", "SqsManagedSseEnabled"),
            "DeadLetterQueue",
        ),
        (
            policies_that_go_before_their_bucket,
            1,
            lambda t: drop(t, "ExportBucketPolicy", "DeletionPolicy"),
            "ExportBucketPolicy",
        ),
    ],
)
def test_what_breaks_it_is_found(
    rule: Callable[[Template], Iterator[str]], file: int, spoil: Callable[[Template], None], named: str
) -> None:
    spoiled = copy.deepcopy(_decoded(TEMPLATES[file]))
    spoil(spoiled)
    assert list(rule(spoiled)) == [named]


@pytest.mark.parametrize("file", TEMPLATES)
def test_every_exception_from_a_check_gives_its_reason(file: str) -> None:
    lines = [
        line
        for line in (ROOT / file).read_text().splitlines()
        if re.search(r"(checkov|bridgecrew).*skip", line)
    ]
    for line in lines:
        assert re.fullmatch(r"    # checkov:skip=CKV2?_AWS_\d+: [A-Z].{30,}\.", line), line
