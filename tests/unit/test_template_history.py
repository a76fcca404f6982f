"""The report bucket as history: how long what stays, and what may be locked."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import SettingsError
from holdfast.settings import read_settings
from tests.unit.test_template import LARGEST, Stack, as_list, environment, parameters, statements, template

LOCKED = Stack(given={"RecordLockMode": "GOVERNANCE", "RecordLockDays": "30"})
WRITERS = {
    "runs": {"CreateBackupsRole", "CopyBackupsRole", "PruneBackupsRole", "PublishReportRole"},
    "posture": {"CheckPointsRole"},
}
LOCK_POLICIES = {"runs": "RecordLockPolicy", "posture": "PostureLockPolicy"}
PAGE = Path(__file__).parents[2] / "docs" / "history.md"
REQUIRED = {
    "HOLDFAST_STACK": "holdfast",
    "AWS_REGION": "us-east-1",
    "HOLDFAST_ACCOUNT": "123456789012",
    "HOLDFAST_PLANS_PATH": "/holdfast/plans",
    "HOLDFAST_BUCKET": "records",
}


@cache
def rules() -> dict[str, dict[str, Any]]:
    bucket = Stack().resource("ReportBucket")
    return {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}


# How long what stays


@pytest.mark.parametrize(
    ("rule", "prefix"),
    [
        ("RecordsExpire", "runs/"),
        ("PosturesExpire", "posture/"),
        ("DrillsExpire", "drills/"),
        ("RestoresExpire", "restores/"),
        ("ReturnsExpire", "returns/"),
    ],
)
def test_what_an_auditor_reads_stays_for_the_days_that_were_asked_for(rule: str, prefix: str) -> None:
    assert rules()[rule]["Prefix"] == prefix
    assert rules()[rule]["ExpirationInDays"] == parameters()["ReportRetentionDays"]
    assert rules()[rule]["Status"] == "Enabled"


def test_recorded_settings_stay_for_as_long_as_a_backup_may_need_them() -> None:
    assert not [rule for rule in rules().values() if "settings/".startswith(rule.get("Prefix", "-"))]


def test_the_pages_before_do_not_pile_up_and_the_page_stays() -> None:
    page = rules()["PagesExpire"]
    assert (page["Prefix"], page["NoncurrentVersionExpiration"]) == ("page/", {"NoncurrentDays": 1})
    assert "ExpirationInDays" not in page


def test_the_page_about_history_names_the_buckets_folders() -> None:
    text = PAGE.read_text()
    for rule in rules().values():
        assert f"`{rule.get('Prefix', '')}" in text


# The lock


def test_without_the_parameter_nothing_can_be_locked() -> None:
    for stack in (Stack(), LARGEST):
        assert not [name for name in stack.resource("ReportBucket") if name.startswith("ObjectLock")]
        assert not set(LOCK_POLICIES.values()) & set(stack.of_type("AWS::IAM::Policy"))
        assert not [name for name in environment(stack, "CreateBackupsFunction") if "LOCK" in name]


def test_with_it_the_bucket_can_lock_and_has_no_lock_of_its_own() -> None:
    """A default would lock turns, the page and what people were told too."""
    bucket = LOCKED.resource("ReportBucket")
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.long
def test_a_bucket_that_is_there_is_not_replaced_for_it() -> None:
    """By CloudFormation's own schema of the resource."""
    from cfnlint.schema import (  # type: ignore[import-untyped]  # it takes seconds
        PROVIDER_SCHEMA_MANAGER,
    )

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::S3::Bucket").schema
    assert "ObjectLockEnabled" in schema["properties"]
    assert "/properties/ObjectLockEnabled" not in schema["createOnlyProperties"]


@pytest.mark.parametrize("folder", WRITERS)
def test_who_writes_there_may_lock_there_and_nowhere_else(folder: str) -> None:
    policy = LOCKED.of_type("AWS::IAM::Policy")[LOCK_POLICIES[folder]]
    assert set(policy["Roles"]) == {f"<{role}>" for role in WRITERS[folder]}
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:PutObjectRetention"
    assert statement["Resource"] == f"<ReportBucket.Arn>/{folder}/*"


def test_nobody_may_undo_a_lock() -> None:
    for role in _roles():
        allowed = {action for each in statements(LOCKED, role) for action in as_list(each["Action"])}
        assert "s3:BypassGovernanceRetention" not in allowed


@pytest.mark.parametrize("folder", WRITERS)
def test_every_role_that_writes_there_is_among_them(folder: str) -> None:
    def writes(role: str) -> bool:
        return any(
            "s3:PutObject" in as_list(statement["Action"])
            and any(str(one).endswith(f"/{folder}/*") for one in as_list(statement["Resource"]))
            for statement in statements(Stack(), role)
        )

    assert {role for role in _roles() if writes(role)} == WRITERS[folder]


def _roles() -> list[str]:
    return [name for name, each in template()["Resources"].items() if each["Type"] == "AWS::IAM::Role"]


def test_the_functions_are_told_of_the_lock() -> None:
    settings = read_settings(
        environment(LOCKED, "CheckRecoveryPointsFunction") | {"AWS_REGION": "eu-central-1"}
    )
    assert (settings.record_lock_mode, settings.record_lock_days) == ("GOVERNANCE", 30)


def test_that_compliance_cannot_be_undone_is_said_where_it_is_chosen() -> None:
    mode = template()["Parameters"]["RecordLockMode"]
    assert mode["AllowedValues"] == ["", "GOVERNANCE", "COMPLIANCE"]
    assert "NOBODY CAN UNDO IT" in mode["Description"]
    assert "cannot be undone by anybody" in PAGE.read_text()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"HOLDFAST_RECORD_LOCK_MODE": "governance"}, "HOLDFAST_RECORD_LOCK_MODE is 'governance'"),
        ({"HOLDFAST_RECORD_LOCK_MODE": "COMPLIANCE"}, "HOLDFAST_RECORD_LOCK_DAYS is ''"),
        (
            {"HOLDFAST_RECORD_LOCK_MODE": "COMPLIANCE", "HOLDFAST_RECORD_LOCK_DAYS": "0"},
            "HOLDFAST_RECORD_LOCK_DAYS is '0'",
        ),
        ({"HOLDFAST_RECORD_LOCK_DAYS": "long"}, "HOLDFAST_RECORD_LOCK_DAYS is 'long'"),
    ],
)
def test_a_lock_that_is_not_meant_so_is_a_mistake(given: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        read_settings(REQUIRED | given)


def test_without_the_variables_there_is_no_lock() -> None:
    settings = read_settings(REQUIRED)
    assert (settings.record_lock_mode, settings.record_lock_days) == (None, 0)
