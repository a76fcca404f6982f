"""What template-copy-region.yaml promises: a key and a bucket that outlive their stack."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint_file  # type: ignore[import-untyped]
from cfnlint.decode import decode  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FILE = ROOT / "template-copy-region.yaml"


@cache
def template() -> dict[str, Any]:
    loaded, mistakes = decode(str(FILE))
    assert not mistakes
    found: dict[str, Any] = loaded
    return found


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][name]["Properties"]
    return found


def rules() -> dict[str, dict[str, Any]]:
    return {one["Id"]: one for one in properties("ExportBucket")["LifecycleConfiguration"]["Rules"]}


def test_cfn_lint_finds_nothing() -> None:
    assert lint_file(FILE, ManualArgs(regions=["us-west-2", "eu-central-1"])) == []


@pytest.mark.parametrize("name", ["CopyKey", "ExportBucket", "ExportBucketPolicy"])
def test_what_backups_need_outlives_the_stack(name: str) -> None:
    resource = template()["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_key_rotates_and_iam_decides_about_it() -> None:
    key = properties("CopyKey")
    assert key["EnableKeyRotation"] is True
    statement, *shared = key["KeyPolicy"]["Statement"]
    assert [one["Fn::If"][0] for one in shared] == ["HasVault", "HasVault"]
    assert statement["Principal"]["AWS"]["Fn::Sub"].endswith(":iam::${AWS::AccountId}:root")
    assert (statement["Effect"], statement["Action"]) == ("Allow", "kms:*")
    assert properties("CopyKeyAlias")["TargetKeyId"] == {"Ref": "CopyKey"}


def test_a_second_account_may_use_the_key_only_through_the_services_that_copy() -> None:
    uses, grants = (one["Fn::If"][1] for one in properties("CopyKey")["KeyPolicy"]["Statement"][1:])
    assert (grants["Action"], grants["Condition"]) == (
        "kms:CreateGrant",
        uses["Condition"] | {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    for one in (uses, grants):
        services = one["Condition"]["StringEquals"]["kms:ViaService"]
        assert [service["Fn::Sub"].split(".")[0] for service in services] == ["rds", "ec2"]
        assert "${VaultAccountId}:root" in one["Principal"]["AWS"]["Fn::Sub"]
    assert not [one for one in uses["Action"] if one in ("kms:*", "kms:PutKeyPolicy", "kms:Encrypt")]


def test_the_bucket_encrypts_with_that_key_by_default() -> None:
    (rule,) = properties("ExportBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": ["CopyKey", "Arn"]},
    }


def test_the_bucket_is_nobody_else_s() -> None:
    bucket = properties("ExportBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_bucket_policy_allows_nobody_and_refuses_what_comes_without_tls() -> None:
    (statement,) = properties("ExportBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [
        {"Fn::GetAtt": ["ExportBucket", "Arn"]},
        {"Fn::Sub": "${ExportBucket.Arn}/*"},
    ]


def test_what_was_deleted_can_be_brought_back_for_some_days() -> None:
    assert properties("ExportBucket")["VersioningConfiguration"] == {"Status": "Enabled"}
    expiry = rules()["DeletedExpire"]["NoncurrentVersionExpiration"]
    assert expiry == {"NoncurrentDays": {"Ref": "NoncurrentDays"}}
    days = template()["Parameters"]["NoncurrentDays"]
    assert days["MinValue"] >= 1
    assert days["MinValue"] <= days["Default"] <= days["MaxValue"]


def test_no_rule_takes_away_what_is_current() -> None:
    """Half of an export is none: what goes, and when, is for the plan's retention alone."""
    for rule in rules().values():
        assert rule["Status"] == "Enabled"
        assert not {"ExpirationInDays", "ExpirationDate", "Transition", "Transitions"} & set(rule)
    assert rules()["UploadsAbort"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] > 0


def test_the_outputs_are_what_the_other_stack_asks_for() -> None:
    outputs = template()["Outputs"]
    assert outputs["KeyArn"]["Value"] == {"Fn::GetAtt": ["CopyKey", "Arn"]}
    assert outputs["BucketName"]["Value"] == {"Ref": "ExportBucket"}
    assert "CopyKmsKeyArn" in outputs["KeyArn"]["Description"]
    assert "CopyBucket" in outputs["BucketName"]["Description"]


def test_every_parameter_has_a_default() -> None:
    assert all("Default" in one for one in template()["Parameters"].values())
