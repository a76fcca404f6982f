"""The embedded cloud's IAM: what it decides from documents, and that it refuses to judge what it does not
know."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from moto.core.utils import get_service_model

from local.authority.calls import read
from local.authority.policies import (
    Caller,
    Question,
    UnknownError,
    Verdict,
    judge,
    statements_of,
    without,
)
from local.authority.table import ROWS

ROLE = Caller(
    arn="arn:aws:iam::123456789012:role/copier", session="arn:aws:sts::123456789012:assumed-role/copier/x"
)
SNAPSHOT = "arn:aws:rds:us-east-1:123456789012:snapshot:one"
KEY = "arn:aws:kms:us-east-1:123456789012:key/one"
OTHERS_KEY = KEY.replace("123456789012", "111122223333")
ADAPTERS = Path(__file__).parents[2] / "layers" / "holdfast" / "holdfast" / "adapters"

type Statement = Mapping[str, Any]


def allow(
    action: str | list[str] = "rds:DeleteDBSnapshot", resource: str | list[str] = SNAPSHOT, **more: Any
) -> Statement:
    return {"Sid": "Allow", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str, resource: str = "*", **more: Any) -> Statement:
    return {"Sid": "Deny", "Effect": "Deny", "Action": action, "Resource": resource, **more}


def verdict(
    *statements: Statement,
    action: str = "rds:DeleteDBSnapshot",
    resource: str = SNAPSHOT,
    context: Mapping[str, str] | None = None,
    caller: Caller = ROLE,
    policy: list[Statement] | None = None,
    decides: bool = False,
) -> Verdict:
    return judge(
        Question(action=action, resource=resource, context=context or {}),
        caller,
        statements_of("own", {"Statement": list(statements)}),
        None if policy is None else statements_of("theirs", {"Statement": policy}),
        resource_decides=decides,
    )


def may(*statements: Statement, **asked: Any) -> bool:
    return verdict(*statements, **asked).allowed


class TestStatements:
    def test_what_is_not_allowed_is_denied(self) -> None:
        assert not may()
        assert may(allow())
        assert not may(allow("rds:DeleteDBInstance"))

    def test_a_deny_goes_before_every_allow(self) -> None:
        told = verdict(allow("*", "*"), deny("rds:Delete*"))
        assert not told.allowed
        assert told.explicit
        assert told.by == ("own/Deny",)
        assert not verdict(allow("rds:Create*")).explicit

    def test_who_allowed_it_is_told(self) -> None:
        assert verdict(allow()).by == ("own/Allow",)

    @pytest.mark.parametrize(
        ("pattern", "fits"),
        [
            ("rds:DeleteDBSnapshot", True),
            ("RDS:deletedbsnapshot", True),
            ("rds:Delete*", True),
            ("rds:DeleteDB?napshot", True),
            ("rds:DeleteDBSnapshot?", False),
            ("rds:Delete[D]BSnapshot", False),
            ("*", True),
        ],
    )
    def test_actions(self, pattern: str, fits: bool) -> None:
        assert may(allow(pattern)) is fits

    @pytest.mark.parametrize(
        ("pattern", "fits"),
        [
            ("*", True),
            ("arn:aws:rds:us-east-1:123456789012:snapshot:*", True),
            ("arn:aws:rds:*:*:snapshot:one", True),
            ("arn:aws:rds:us-east-1:123456789012:snapshot:ONE", False),
            ("arn:aws:rds:us-west-2:123456789012:snapshot:*", False),
            ("arn:aws:rds:*:snapshot:one", False),
            ("arn:*", False),
        ],
    )
    def test_resources_part_by_part(self, pattern: str, fits: bool) -> None:
        assert may(allow(resource=pattern)) is fits

    def test_where_aws_knows_no_resource_only_all_of_them_will_do(self) -> None:
        asked = {"action": "tag:GetResources", "resource": "*"}
        assert may(allow("tag:GetResources", "*"), **asked)
        assert not may(allow("tag:GetResources", "arn:aws:dynamodb:*:*:table/*"), **asked)


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "context", "holds"),
        [
            ({"StringEquals": {"aws:ResourceTag/a": "x"}}, {"aws:ResourceTag/a": "x"}, True),
            ({"StringEquals": {"aws:ResourceTag/a": "x"}}, {"aws:ResourceTag/a": "X"}, False),
            ({"StringEquals": {"aws:ResourceTag/a": "x"}}, {}, False),
            ({"StringEquals": {"aws:ResourceTag/a": ["x", "y"]}}, {"aws:ResourceTag/a": "y"}, True),
            ({"StringEquals": {"aws:ResourceTag/a": "x"}}, {"aws:RequestTag/a": "x"}, False),
            ({"StringEquals": {"aws:resourcetag/a": "x"}}, {}, None),
            ({"StringLike": {"s3:prefix": "holdfast/*"}}, {"s3:prefix": "holdfast/one"}, True),
            ({"StringLike": {"s3:prefix": "holdfast/*"}}, {"s3:prefix": "other"}, False),
            ({"Null": {"aws:ResourceTag/hold": "true"}}, {}, True),
            ({"Null": {"aws:ResourceTag/hold": "true"}}, {"aws:ResourceTag/hold": ""}, False),
            ({"Null": {"ec2:CreateAction": "false"}}, {"ec2:CreateAction": "CopySnapshot"}, True),
            ({"Bool": {"kms:GrantIsForAWSResource": True}}, {"kms:GrantIsForAWSResource": "true"}, True),
            ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "true"}, False),
            ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a-*"}}, {"aws:PrincipalArn": "b"}, False),
        ],
    )
    def test_they_hold_or_not(
        self, condition: Mapping[str, Any], context: Mapping[str, str], holds: bool | None
    ) -> None:
        if holds is None:  # a key that is written otherwise is not one that is known
            with pytest.raises(UnknownError):
                may(allow(Condition=condition), context=context)
        else:
            assert may(allow(Condition=condition), context=context) is holds

    def test_all_of_them_must_hold(self) -> None:
        both = {
            "StringEquals": {"aws:ResourceTag/a": "x", "aws:RequestTag/b": "y"},
            "Null": {"aws:ResourceTag/c": "true"},
        }
        context = {"aws:ResourceTag/a": "x", "aws:RequestTag/b": "y"}
        assert may(allow(Condition=both), context=context)
        for missing in context:
            less = {key: value for key, value in context.items() if key != missing}
            assert not may(allow(Condition=both), context=less)
        assert not may(allow(Condition=both), context=context | {"aws:ResourceTag/c": "z"})

    @pytest.mark.parametrize(
        "statement",
        [
            allow(Condition={"StringEqualsIfExists": {"aws:ResourceTag/a": "x"}}),
            allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
            allow(Condition={"StringEquals": {"aws:SourceIp": "127.0.0.1"}}),
            allow(Condition={"StringEquals": {"aws:ResourceTag/a": "${aws:username}"}}),
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::one"},
        ],
    )
    def test_what_is_not_known_is_not_judged(self, statement: Statement) -> None:
        with pytest.raises(UnknownError):
            may(statement)


ROOT = {"AWS": "arn:aws:iam::123456789012:root"}


class TestPoliciesOfResources:
    def test_a_key_s_policy_decides_and_may_leave_it_to_the_account(self) -> None:
        asked: dict[str, Any] = {"action": "kms:Decrypt", "resource": KEY, "decides": True}
        own = allow("kms:Decrypt", KEY)
        account = allow("kms:*", "*", Principal=ROOT)
        assert not may(own, **asked)
        assert not may(own, policy=[], **asked)
        assert not may(policy=[account], **asked)
        assert may(own, policy=[account], **asked)
        assert may(policy=[allow("kms:*", "*", Principal={"AWS": ROLE.arn})], **asked)
        assert not may(own, policy=[account, deny("kms:Decrypt", Principal="*")], **asked)

    def test_of_another_account_both_must_allow(self) -> None:
        asked: dict[str, Any] = {"action": "kms:Decrypt", "resource": OTHERS_KEY, "decides": True}
        own = allow("kms:Decrypt", OTHERS_KEY)
        theirs = allow("kms:*", "*", Principal={"AWS": ROLE.arn})
        assert not may(own, policy=[], **asked)
        assert not may(policy=[theirs], **asked)
        assert may(own, policy=[theirs], **asked)
        assert may(own, policy=[allow("kms:*", "*", Principal=ROOT)], **asked)
        other = allow("kms:*", "*", Principal={"AWS": "arn:aws:iam::111122223333:root"})
        assert not may(own, policy=[other], **asked)

    def test_a_service_comes_by_its_name(self) -> None:
        asked: dict[str, Any] = {
            "action": "sts:AssumeRole",
            "resource": ROLE.arn,
            "decides": True,
            "caller": Caller(arn="lambda.amazonaws.com"),
        }
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {}}
        assert may(policy=[{**trust, "Principal": {"Service": "lambda.amazonaws.com"}}], **asked)
        assert not may(policy=[{**trust, "Principal": {"Service": "ec2.amazonaws.com"}}], **asked)
        assert not may(policy=[{**trust, "Principal": ROOT}], **asked)

    def test_a_bucket_s_policy_need_not_repeat_what_iam_allows(self) -> None:
        asked: dict[str, Any] = {"action": "s3:GetObject", "resource": "arn:aws:s3:::bucket/key"}
        own = allow("s3:GetObject", "arn:aws:s3:::bucket/*")
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        tls = deny("s3:*", Principal="*", Condition=insecure)
        assert may(own, policy=[tls], context={"aws:SecureTransport": "true"}, **asked)
        assert not may(own, policy=[tls], context={"aws:SecureTransport": "false"}, **asked)


def test_each_thing_that_is_allowed_can_be_taken_away() -> None:
    document = {
        "Statement": [
            allow(
                ["rds:CopyDBSnapshot", "rds:DeleteDBSnapshot"],
                ["arn:aws:rds:us-east-1:1:snapshot:*", "arn:aws:rds:us-west-2:1:snapshot:*"],
                Condition={"StringEquals": {"aws:RequestTag/a": ["x", "y"], "aws:RequestTag/b": "z"}},
            ),
            deny("iam:*"),
        ]
    }
    ways = dict(without(statements_of("own", document)))
    assert [one.removeprefix("own/Allow: ") for one in ways] == [
        "rds:CopyDBSnapshot",
        "rds:DeleteDBSnapshot",
        "arn:aws:rds:us-east-1:1:snapshot:*",
        "arn:aws:rds:us-west-2:1:snapshot:*",
        "aws:RequestTag/a x",
        "aws:RequestTag/a y",
    ]
    assert all(len(left) == 2 for left in ways.values())


def test_the_last_action_of_a_statement_takes_it_away() -> None:
    ((_, left),) = without(statements_of("own", {"Statement": [allow()]}))
    assert left == []


class TestCalls:
    """How a request is read."""

    def read(self, service: str, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        path, _, query = path.partition("?")
        return read(
            {
                "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=ASIA1/20261122/us-west-2/{service}"
                "/aws4_request, SignedHeaders=host, Signature=0",
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "RAW_URI": f"{path}?{query}" if query else path,
                "QUERY_STRING": query,
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "80",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                **headers,
            },
            body,
        )

    def test_json(self) -> None:
        call = self.read(
            "dynamodb",
            "POST",
            "/",
            json.dumps({"TableName": "orders"}).encode(),
            HTTP_X_AMZ_TARGET="DynamoDB_20120810.CreateBackup",
        )
        assert (call.action, call.region, call.key) == ("dynamodb:CreateBackup", "us-west-2", "ASIA1")
        assert call.parameters["TableName"] == "orders"

    def test_query_with_lists(self) -> None:
        body = b"Action=CreateDBSnapshot&DBSnapshotIdentifier=s&Tags.Tag.1.Key=a&Tags.Tag.1.Value=b"
        call = self.read("rds", "POST", "/", body, CONTENT_TYPE="application/x-www-form-urlencoded")
        assert call.action == "rds:CreateDBSnapshot"
        assert call.parameters["Tags"] == [{"Key": "a", "Value": "b"}]

    def test_ec2(self) -> None:
        body = b"Action=ModifySnapshotAttribute&SnapshotId=s&OperationType=add&UserId.1=1&UserGroup.1=all"
        call = self.read("ec2", "POST", "/", body, CONTENT_TYPE="application/x-www-form-urlencoded")
        assert call.parameters["UserIds"] == ["1"]
        assert call.parameters["GroupNames"] == ["all"]

    @pytest.mark.parametrize(
        ("method", "path", "operation", "headers"),
        [
            ("GET", "/bucket/a/b.json", "GetObject", {}),
            ("GET", "/bucket/a?tagging", "GetObjectTagging", {}),
            ("GET", "/bucket?list-type=2&prefix=x", "ListObjectsV2", {}),
            ("GET", "/bucket?policy", "GetBucketPolicy", {}),
            ("PUT", "/bucket/key", "PutObject", {}),
            ("PUT", "/bucket/key", "CopyObject", {"HTTP_X_AMZ_COPY_SOURCE": "other/key"}),
            ("PUT", "/bucket/key?partNumber=1&uploadId=x", "UploadPart", {}),
            ("PUT", "/bucket?policy", "PutBucketPolicy", {}),
            ("POST", "/bucket?delete", "DeleteObjects", {}),
            ("DELETE", "/bucket/key", "DeleteObject", {}),
            ("DELETE", "/bucket", "DeleteBucket", {}),
        ],
    )
    def test_s3(self, method: str, path: str, operation: str, headers: dict[str, str]) -> None:
        body = b"<Delete><Object><Key>a</Key></Object></Delete>" if "delete" in path else b""
        call = self.read("s3", method, path, body, **headers)
        assert call.operation == operation
        assert call.parameters["Bucket"] == "bucket"

    def test_an_arn_in_a_path(self) -> None:
        arn = "arn:aws:lambda:us-east-1:123456789012:function:run:1/durable-execution/a/b"
        encoded = arn.replace("/", "%2F").replace(":", "%3A")
        call = self.read("lambda", "POST", f"/2025-12-01/durable-executions/{encoded}/checkpoint", b"{}")
        assert call.action == "lambda:CheckpointDurableExecution"
        assert call.parameters["DurableExecutionArn"] == arn

    def test_what_no_model_knows_has_no_operation(self) -> None:
        assert self.read("lambda", "POST", "/nowhere").action == "lambda:unknown"

    def test_what_is_not_signed_is_no_call(self) -> None:
        assert self.read("s3", "GET", "/bucket/key", HTTP_AUTHORIZATION="") is None


def test_each_call_of_the_adapters_has_its_row() -> None:
    """A new call is denied in the embedded cloud until the table says what AWS checks for it."""
    written = "\n".join(path.read_text() for path in ADAPTERS.glob("*.py"))
    called = set(re.findall(r"\.([a-z]+(?:_[a-z0-9]+)+)\(", written))
    called |= set(re.findall(r"get_paginator\(\"([a-z0-9_]+)\"", written))
    services = (
        *("dynamodb", "ec2", "kms", "rds", "resourcegroupstaggingapi", "s3", "service-quotas"),
        *("sns", "ssm", "sts"),
    )
    by_method = {
        xform_name(operation): operation
        for service in services
        for operation in get_service_model(service).operation_names
    }
    known = {row.partition(":")[2] for row in ROWS}
    needed = {by_method[method] for method in called if method in by_method}
    assert len(needed) > 30
    assert needed <= known
