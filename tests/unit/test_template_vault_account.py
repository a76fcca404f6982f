"""What template-vault-account.yaml promises: who holds the source account can add copies in the other one,
and take none away. Its policies are asked as IAM would ask them."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from cfnlint.api import ManualArgs, lint_file  # type: ignore[import-untyped]
from cfnlint.decode import decode  # type: ignore[import-untyped]

from holdfast.core.model import HOLD_TAG
from holdfast.core.naming import STACK_TAG

ROOT = Path(__file__).parents[2]
FILE = ROOT / "template-vault-account.yaml"
SOURCE, VAULT = "123456789012", "111122223333"
REGION = "us-west-2"
KEY = f"arn:aws:kms:{REGION}:{VAULT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
GIVEN = {
    "AWS::AccountId": VAULT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "SourceAccountId": SOURCE,
    "StackName": "night",
    "VaultKey.Arn": KEY,
}

type Statement = Mapping[str, Any]
type Context = Mapping[str, str]

OURS: Context = {f"aws:RequestTag/{STACK_TAG}": "night"}
ROLES = ("VaultRole", "VaultReaderRole")


@cache
def template() -> dict[str, Any]:
    loaded, mistakes = decode(str(FILE))
    assert not mistakes
    found: dict[str, Any] = loaded
    return found


def resolve(value: Any) -> Any:
    match value:
        case {"Ref": name}:
            return GIVEN.get(name, f"<{name}>")
        case {"Fn::GetAtt": [name, attribute]}:
            return GIVEN[f"{name}.{attribute}"]
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: GIVEN[found[1]], text)
        case dict():
            return {key: resolve(each) for key, each in value.items()}
        case list():
            return [resolve(each) for each in value]
    return value


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = resolve(template()["Resources"][name]["Properties"])
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: str) -> list[Statement]:
    own = properties(role)
    documents = [policy["PolicyDocument"] for policy in own.get("Policies", [])]
    documents += [properties(name.strip("<>"))["PolicyDocument"] for name in own["ManagedPolicyArns"]]
    return [statement for document in documents for statement in document["Statement"]]


def _meets(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    for operator, wanted in condition.items():
        for key, value in wanted.items():
            match operator:
                case "StringEquals" | "Bool":
                    fits = context.get(key) in as_list(value)
                case "ArnLike":
                    fits = any(fnmatchcase(context.get(key, ""), one) for one in as_list(value))
                case "Null":
                    fits = (key not in context) == (value == "true")
                case _:
                    raise AssertionError(f"the template uses {operator}, which this test does not know")
            if not fits:
                return False
    return True


def _speaks_of(statement: Statement, action: str, resource: str, context: Context) -> bool:
    return (
        any(fnmatchcase(action, one) for one in as_list(statement["Action"]))
        and any(fnmatchcase(resource, one) for one in as_list(statement["Resource"]))
        and _meets(statement.get("Condition", {}), context)
    )


EVERYTHING: Statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def may(role: str, action: str, resource: str, context: Context | None = None, *more: Statement) -> bool:
    """Whether IAM lets the role, with what `more` allows."""
    spoken = [one for one in [*statements(role), *more] if _speaks_of(one, action, resource, context or {})]
    effects = {one["Effect"] for one in spoken}
    return effects == {"Allow"}


def rds_arn(kind: str, account: str = VAULT, region: str = REGION) -> str:
    return f"arn:aws:rds:{region}:{account}:{kind}:night-nightly-orders"


SNAPSHOT = f"arn:aws:ec2:{REGION}::snapshot/snap-0123456789abcdef0"


def test_cfn_lint_finds_nothing() -> None:
    assert lint_file(FILE, ManualArgs(regions=["us-west-2", "eu-central-1"])) == []


# What copies need


@pytest.mark.parametrize(
    ("action", "kind"),
    [("rds:CopyDBSnapshot", "snapshot"), ("rds:CopyDBClusterSnapshot", "cluster-snapshot")],
)
def test_a_shared_snapshot_can_be_copied_into_the_account(action: str, kind: str) -> None:
    assert may("VaultRole", action, rds_arn(kind, SOURCE))
    assert may("VaultRole", action, rds_arn(kind))
    assert may("VaultRole", "rds:AddTagsToResource", rds_arn(kind), OURS)


def test_an_ebs_snapshot_can_be_copied_with_our_tags() -> None:
    assert may("VaultRole", "ec2:CopySnapshot", SNAPSHOT)
    assert may("VaultRole", "ec2:CreateTags", SNAPSHOT, {**OURS, "ec2:CreateAction": "CopySnapshot"})


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("rds:DescribeDBSnapshots", rds_arn("snapshot")),
        ("rds:DescribeDBSnapshots", rds_arn("db")),
        ("rds:DescribeDBClusterSnapshots", rds_arn("cluster-snapshot")),
        ("rds:DescribeDBClusterSnapshots", rds_arn("cluster")),
        ("ec2:DescribeSnapshots", "*"),
        ("servicequotas:GetServiceQuota", f"arn:aws:servicequotas:{REGION}:{VAULT}:rds/L-1"),
    ],
)
def test_copies_can_be_listed_by_both_roles(role: str, action: str, resource: str) -> None:
    assert may(role, action, resource)


@pytest.mark.parametrize("service", ["rds", "ec2"])
@pytest.mark.parametrize("key", [KEY, KEY.replace(VAULT, SOURCE)], ids=["own", "source's"])
def test_keys_are_used_through_rds_and_ec2_alone(service: str, key: str) -> None:
    through = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    for action in ("kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom"):
        assert may("VaultRole", action, key, through)
        assert not may("VaultRole", action, key)
        assert not may("VaultRole", action, key, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
    grant = "kms:CreateGrant"
    assert may("VaultRole", grant, key, {**through, "kms:GrantIsForAWSResource": "true"})
    assert not may("VaultRole", grant, key, through)
    assert not may("VaultRole", grant, key, {"kms:GrantIsForAWSResource": "true"})


# What nobody may


def test_the_roles_may_do_what_is_listed_here_and_nothing_else() -> None:
    look = {
        "ec2:DescribeSnapshots",
        "rds:DescribeAccountAttributes",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBSnapshots",
        "servicequotas:GetAWSDefaultServiceQuota",
        "servicequotas:GetServiceQuota",
    }
    copy = {
        "ec2:CopySnapshot",
        "ec2:CreateTags",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "rds:AddTagsToResource",
        "rds:CopyDBClusterSnapshot",
        "rds:CopyDBSnapshot",
    }
    allowed = {
        role: {
            action
            for one in statements(role)
            if one["Effect"] == "Allow"
            for action in as_list(one["Action"])
        }
        for role in ROLES
    }
    assert allowed == {"VaultRole": look | copy, "VaultReaderRole": look}


@cache
def operations(service: str) -> tuple[str, ...]:
    """Every operation that a service knows."""
    return tuple(get_session().get_service_model(service).operation_names)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("service", "beginnings"),
    [
        ("rds", ("Delete", "Modify", "Remove", "Restore", "StartExportTask")),
        (
            "ec2",
            ("Delete", "ModifySnapshot", "ResetSnapshot", "LockSnapshot", "UnlockSnapshot", "CreateVolume"),
        ),
        ("ebs", ("",)),
        ("kms", ("ScheduleKeyDeletion", "Disable", "PutKeyPolicy", "Delete", "Update")),
        ("iam", ("",)),
    ],
)
def test_no_policy_that_is_added_later_lets_them_destroy_share_or_read(
    role: str, service: str, beginnings: tuple[str, ...]
) -> None:
    feared = [one for one in operations(service) if one.startswith(beginnings)]
    assert len(feared) >= 5
    for operation in feared:
        assert not may(role, f"{service}:{operation}", "arn:aws:any", None, EVERYTHING), operation


@pytest.mark.parametrize("role", ROLES)
def test_tags_of_what_stands_cannot_be_taken_away(role: str) -> None:
    assert not may(role, "rds:RemoveTagsFromResource", rds_arn("snapshot"), None, EVERYTHING)
    assert not may(role, "ec2:DeleteTags", SNAPSHOT, None, EVERYTHING)


def test_tags_of_ebs_snapshots_that_stand_cannot_be_changed() -> None:
    assert not may("VaultRole", "ec2:CreateTags", SNAPSHOT, OURS, EVERYTHING)
    assert not may("VaultRole", "ec2:CreateTags", SNAPSHOT, {**OURS, "ec2:CreateAction": "CreateVolume"})


@pytest.mark.parametrize(
    "tags",
    [{}, {f"aws:RequestTag/{STACK_TAG}": "other"}, {**OURS, f"aws:RequestTag/{HOLD_TAG}": "for ever"}],
    ids=["none", "another stack's", "a hold"],
)
def test_nothing_is_tagged_without_the_stack_s_own_mark(tags: Context) -> None:
    for kind in ("snapshot", "cluster-snapshot"):
        assert not may("VaultRole", "rds:AddTagsToResource", rds_arn(kind), tags)
    assert not may("VaultRole", "ec2:CreateTags", SNAPSHOT, {**tags, "ec2:CreateAction": "CopySnapshot"})


def test_the_rights_end_at_the_region_and_at_snapshots() -> None:
    assert not may("VaultRole", "rds:CopyDBSnapshot", rds_arn("snapshot", region="eu-west-1"))
    assert not may("VaultRole", "rds:CopyDBSnapshot", rds_arn("snapshot", "444455556666"))
    assert not may("VaultRole", "rds:AddTagsToResource", rds_arn("db"), OURS)
    assert not may("VaultRole", "ec2:CopySnapshot", SNAPSHOT.replace(REGION, "eu-west-1"))
    through = {"kms:ViaService": f"rds.{REGION}.amazonaws.com"}
    assert not may("VaultRole", "kms:Decrypt", KEY.replace(VAULT, "444455556666"), through)


def test_the_reader_copies_nothing() -> None:
    for action in ("rds:CopyDBSnapshot", "rds:CopyDBClusterSnapshot", "ec2:CopySnapshot"):
        for resource in (rds_arn("snapshot"), rds_arn("cluster-snapshot"), SNAPSHOT):
            assert not may("VaultReaderRole", action, resource, OURS)


# Who comes in


def comes_in(role: str, caller: str, account: str = SOURCE) -> bool:
    (statement,) = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    trusted = statement["Principal"] == {"AWS": f"arn:aws:iam::{account}:root"}
    return trusted and _meets(
        statement["Condition"], {"aws:PrincipalArn": f"arn:aws:iam::{account}:role/{caller}"}
    )


@pytest.mark.parametrize(
    ("caller", "roles"),
    [
        ("night-CopyBackupsRole-1A2B3C4D5E6F", {"VaultRole"}),
        ("night-PruneBackupsRole-1A2B3C4D5E6F", {"VaultReaderRole"}),
        ("night-CreateBackupsRole-1A2B3C4D5E6F", set()),
        ("day-CopyBackupsRole-1A2B3C4D5E6F", set()),
        ("admin", set()),
    ],
)
def test_only_the_stack_s_functions_come_in(caller: str, roles: set[str]) -> None:
    assert {role for role in ROLES if comes_in(role, caller)} == roles


def test_no_other_account_comes_in() -> None:
    assert not any(comes_in(role, "night-CopyBackupsRole-1A2B", "444455556666") for role in ROLES)


@pytest.mark.parametrize("role", ["CopyBackupsRole", "PruneBackupsRole"])
def test_the_longest_stack_name_leaves_the_role_s_name_whole(role: str) -> None:
    """CloudFormation cuts a role's name to 64 characters, of which up to 13 are its own letters."""
    assert f"  {role}:\n" in (ROOT / "template.yaml").read_text()
    pattern = template()["Parameters"]["StackName"]["AllowedPattern"]
    longest = max(length for length in range(1, 65) if re.fullmatch(pattern, "s" * length))
    assert longest + len(f"-{role}-") + 13 <= 64
    assert len(properties("VaultReaderRole")["RoleName"]) - len("night") + longest <= 64


# The key


def test_the_key_outlives_the_stack_and_rotates() -> None:
    resource = template()["Resources"]["VaultKey"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert properties("VaultKey")["EnableKeyRotation"] is True
    assert properties("VaultKey")["PendingWindowInDays"] == 30
    assert properties("VaultKeyAlias") == {"AliasName": "alias/night-vault", "TargetKeyId": "<VaultKey>"}


def test_the_key_is_the_second_account_s_alone() -> None:
    (statement,) = properties("VaultKey")["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{VAULT}:root"}
    assert SOURCE not in str(properties("VaultKey")["KeyPolicy"])


def test_the_outputs_are_what_the_other_side_needs() -> None:
    assert {name: one["Value"] for name, one in template()["Outputs"].items()} == {
        "RoleArn": {"Fn::GetAtt": ["VaultRole", "Arn"]},
        "ReaderRoleArn": {"Fn::GetAtt": ["VaultReaderRole", "Arn"]},
        "KeyArn": {"Fn::GetAtt": ["VaultKey", "Arn"]},
    }


def test_the_command_to_deploy_it_names_all_that_it_needs() -> None:
    command = re.sub(r"\\\n#\s*", "", FILE.read_text())
    (line,) = [one for one in command.splitlines() if "aws cloudformation deploy" in one]
    assert "--capabilities CAPABILITY_NAMED_IAM" in line
    for name, parameter in template()["Parameters"].items():
        assert f"{name}=" in line
        value = line.split(f"{name}=")[1].split()[0]
        assert re.fullmatch(parameter["AllowedPattern"], value)
