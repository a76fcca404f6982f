"""What template.yaml and samconfig.toml promise, read as CloudFormation reads them."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from holdfast.core.drilling import DRILL_TAG, PREFIX
from holdfast.core.drilling import PATIENCE as DRILL_PATIENCE
from holdfast.core.model import HOLD_TAG, PLAN_TAG, DrillRule, KeepPolicy, Origin
from holdfast.core.naming import STACK_TAG
from holdfast.core.restoring import PATIENCE, RESTORE_TAG
from holdfast.events import parse_request
from holdfast.plans import PlanLimits, parse_plan
from holdfast.settings import read_settings

ROOT = Path(__file__).parents[2]
STACK = "night"
HOME = "eu-central-1"
AWAY = "us-west-2"
ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:{AWAY}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VAULT = "111122223333"
VAULT_KEY = KEY.replace(ACCOUNT, VAULT)
WITH_COPIES = {
    "CopyRegion": AWAY,
    "CopyKmsKeyArn": KEY,
    "CopyBucket": "exports",
    "VaultAccountId": VAULT,
    "VaultKmsKeyArn": VAULT_KEY,
    "CopyOnEvents": "on",
}
VAULT_OF = {"VaultOfAccountId": VAULT, "VaultOfRegion": AWAY}

FUNCTIONS = {
    "RunPlanFunction": "run_plan",
    "CreateBackupsFunction": "create_backups",
    "CopyBackupsFunction": "copy_backups",
    "PruneBackupsFunction": "prune_backups",
    "RecordSettingsFunction": "record_settings",
    "CheckRecoveryPointsFunction": "check_recovery_points",
    "PublishReportFunction": "publish_report",
    "RestoreFunction": "restore",
    "RecoverFunction": "recover",
    "DrillFunction": "drill",
    "ReturnItemsFunction": "return_items",
}
CHECK_ROLE, RESTORE_ROLE, DRILL_ROLE = "CheckPointsRole", "RestoreRole", "DrillRole"
RECOVER_ROLE = "RecoverRole"
RETURN_ROLE = "ReturnItemsRole"
LAMBDA_ROLES = {name.replace("Function", "Role").replace("CheckRecovery", "Check") for name in FUNCTIONS}
WITHOUT_RESOURCES = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "dynamodb:ListBackups",
    "dynamodb:ListContributorInsights",
    "dynamodb:ListImports",
    "dynamodb:ListTables",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "rds:DescribeAccountAttributes",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "tag:GetResources",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions for which AWS's service authorization reference names no resource type: only `*` allows them."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is `{"Fn::Sub": x}`."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # a SafeLoader
    return loaded


def parameters(**given: str) -> dict[str, str]:
    return {name: str(each["Default"]) for name, each in template()["Parameters"].items()} | given


NOTHING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The template with values for its parameters. What only AWS knows is `<LogicalId.Attribute>`."""

    given: Mapping[str, str] = field(default_factory=dict)

    def resource(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.resolve(template()["Resources"][name].get("Properties", {}))
        return properties

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type that this stack has, by logical id."""
        return {
            name: self.resource(name)
            for name, each in template()["Resources"].items()
            if each["Type"] == kind and self.holds(each.get("Condition"))
        }

    def holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.resolve(template()["Conditions"][condition]))

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in resolved.items() if each is not NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(argument)
            case "Condition":
                return self.holds(argument)
            case "Fn::GetAtt":
                return f"<{argument[0]}.{argument[1]}>"
            case "Fn::Split":
                separator, text = self.resolve(argument)
                return text.split(separator)
            case "Fn::Sub":
                text, extra = argument if isinstance(argument, list) else (argument, {})
                known = {key: self.resolve(each) for key, each in extra.items()}
                return re.sub(
                    r"\$\{([^}]+)\}",
                    lambda found: str(known.get(found[1]) or self._name(found[1], known)),
                    text,
                )
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self.holds(condition) else no)
            case "Fn::Equals":
                left, right = self.resolve(argument)
                return left == right
            case "Fn::Not":
                return not self.resolve(argument[0])
            case "Fn::And" | "Fn::Or":
                return (all if name == "Fn::And" else any)(self.resolve(argument))
        raise AssertionError(f"the template uses {name}, which this test does not know")

    def _name(self, name: str, known: Mapping[str, Any]) -> Any:
        if name in known:
            return known[name]
        return f"<{name}>" if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NOTHING,
            "AWS::Partition": "aws",
            "AWS::Region": HOME,
            "AWS::StackName": STACK,
        }
        return (pseudo | parameters(**self.given)).get(name, f"<{name}>")


STACKS = [Stack(), Stack(given={"CopyRegion": AWAY}), Stack(given=WITH_COPIES | {"Tracing": "on"})]
LARGEST = STACKS[-1]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    """What a role may do, wherever in the template it is said."""
    own = stack.resource(role)
    documents = [policy["PolicyDocument"] for policy in own.get("Policies", [])]
    added = stack.of_type("AWS::IAM::Policy").values()
    documents += [policy["PolicyDocument"] for policy in added if f"<{role}>" in policy["Roles"]]
    attached = own.get("ManagedPolicyArns", [])
    shared = stack.of_type("AWS::IAM::ManagedPolicy").items()
    documents += [policy["PolicyDocument"] for name, policy in shared if f"<{name}>" in attached]
    return [statement for document in documents for statement in as_list(document["Statement"])]


def actions(stack: Stack, role: str) -> set[str]:
    return {action for each in statements(stack, role) for action in as_list(each["Action"])}


def roles_with(verb: str) -> dict[str, set[str]]:
    """The actions of each role whose name begins with a verb; roles with none are left out."""
    found = {
        role: {one for one in actions(LARGEST, role) if one.split(":")[1].startswith(verb)}
        for role in LARGEST.of_type("AWS::IAM::Role")
    }
    return {role: those for role, those in found.items() if those}


class TestRoles:
    def test_each_function_has_one_of_its_own(self) -> None:
        roles = [each["Role"] for each in Stack().of_type("AWS::Serverless::Function").values()]
        assert sorted(roles) == sorted(f"<{role}.Arn>" for role in LAMBDA_ROLES)

    def test_the_check_reads_and_writes_what_it_tells(self) -> None:
        """Of S3 where postures and the page are, of all else nothing that changes anything."""
        changing = {
            (action, resource)
            for each in statements(LARGEST, CHECK_ROLE)
            for action in as_list(each["Action"])
            for resource in as_list(each["Resource"])
            if not action.partition(":")[2].startswith(("Describe", "Get", "List"))
            and action.partition(":")[0] not in ("logs", "xray")
        }
        assert changing == {
            ("s3:PutObject", "<ReportBucket.Arn>/posture/*"),
            ("s3:PutObject", "<ReportBucket.Arn>/page/*"),
            ("sts:AssumeRole", f"arn:aws:iam::{VAULT}:role/{STACK}-vault-reader"),
        }

    def test_only_create_backups_may_create(self) -> None:
        found = roles_with("Create")
        grants = {"ec2:CreateTags", "kms:CreateGrant", "logs:CreateLogStream"}
        assert {role: those - grants for role, those in found.items() if those - grants} == {
            "CreateBackupsRole": {
                "dynamodb:CreateBackup",
                "ec2:CreateSnapshot",
                "ec2:CreateSnapshots",
                "rds:CreateDBClusterSnapshot",
                "rds:CreateDBSnapshot",
            },
            RESTORE_ROLE: {"ec2:CreateVolume", "logs:CreateLogGroup", "rds:CreateDBInstance"},
            RECOVER_ROLE: {"ec2:CreateVolume", "logs:CreateLogGroup", "rds:CreateDBInstance"},
            DRILL_ROLE: {"ec2:CreateVolume", "logs:CreateLogGroup", "rds:CreateDBInstance"},
        }

    def test_only_copy_backups_may_copy(self) -> None:
        assert roles_with("Copy") == {
            "CopyBackupsRole": {"ec2:CopySnapshot", "rds:CopyDBClusterSnapshot", "rds:CopyDBSnapshot"}
        }
        assert roles_with("Export") == {"CopyBackupsRole": {"dynamodb:ExportTableToPointInTime"}}

    def test_only_copy_backups_may_share_and_only_what_is_this_stack_s_in_the_copy_region(self) -> None:
        shares = {
            "ec2:ModifySnapshotAttribute",
            "rds:ModifyDBClusterSnapshotAttribute",
            "rds:ModifyDBSnapshotAttribute",
        }
        changes = {"rds:ModifyDBCluster", "rds:ModifyDBInstance"}
        assert roles_with("Modify") == {
            "CopyBackupsRole": shares,
            RESTORE_ROLE: changes,
            RECOVER_ROLE: changes,
            DRILL_ROLE: changes,
        }
        for each in statements(LARGEST, "CopyBackupsRole"):
            if str(each["Action"]) in shares:
                ec2 = str(each["Action"]).startswith("ec2")
                assert each["Condition"]["StringEquals"] == {
                    f"{'ec2' if ec2 else 'aws'}:ResourceTag/{STACK_TAG}": STACK,
                    # With that account alone, and never with everybody. RDS knows no such condition.
                    **({"ec2:Add/userId": VAULT} if ec2 else {}),
                }
                assert [one.split(":")[3] for one in each["Resource"]] == [HOME, AWAY]

    def test_without_a_second_account_none_is_reached(self) -> None:
        def assumed(stack: Stack) -> dict[str, str]:
            return {
                role: each["Resource"]
                for role in LAMBDA_ROLES
                for each in statements(stack, role)
                if each["Action"] == "sts:AssumeRole"
            }

        assert assumed(STACKS[1]) == {}
        assert assumed(LARGEST) == {
            "CopyBackupsRole": f"arn:aws:iam::{VAULT}:role/{STACK}-vault",
            "PruneBackupsRole": f"arn:aws:iam::{VAULT}:role/{STACK}-vault-reader",
            CHECK_ROLE: f"arn:aws:iam::{VAULT}:role/{STACK}-vault-reader",
        }

    def test_exports_are_written_and_deleted_only_under_this_stack_s_prefix(self) -> None:
        mine = f"arn:aws:s3:::exports/holdfast/{STACK}/*"
        recorded = f"arn:aws:s3:::exports/settings/{STACK}/*"
        touching = {
            (role, action)
            for role in LAMBDA_ROLES
            for each in statements(LARGEST, role)
            if each["Resource"] == mine
            for action in as_list(each["Action"])
        }
        assert touching == {
            ("CopyBackupsRole", "s3:AbortMultipartUpload"),
            ("CopyBackupsRole", "s3:PutObject"),
            ("CopyBackupsRole", "s3:PutObjectAcl"),
            ("PruneBackupsRole", "s3:DeleteObject"),
            (RESTORE_ROLE, "s3:GetObject"),
            (RECOVER_ROLE, "s3:GetObject"),
            (DRILL_ROLE, "s3:GetObject"),
        }
        anywhere = {
            role
            for role in LAMBDA_ROLES
            for each in statements(LARGEST, role)
            if "exports" in str(each["Resource"]) and each["Resource"] not in (mine, recorded)
        }
        assert anywhere == {
            "RecordSettingsRole",
            "CopyBackupsRole",
            "PruneBackupsRole",
            CHECK_ROLE,
            RESTORE_ROLE,
            RECOVER_ROLE,
            DRILL_ROLE,
        }  # to list

    def test_who_records_settings_reads_and_writes_what_it_read_and_nothing_else(self) -> None:
        writing = {
            (action, resource)
            for each in statements(LARGEST, "RecordSettingsRole")
            for action in as_list(each["Action"])
            for resource in as_list(each["Resource"])
            if not action.partition(":")[2].startswith(("Describe", "Get", "List"))
            and action.partition(":")[0] not in ("logs", "xray")
        }
        assert writing == {
            ("s3:PutObject", "<ReportBucket.Arn>/settings/*"),
            ("s3:PutObject", f"arn:aws:s3:::exports/settings/{STACK}/*"),
            ("kms:Decrypt", f"arn:aws:kms:{AWAY}:{ACCOUNT}:key/*"),
            ("kms:GenerateDataKey", f"arn:aws:kms:{AWAY}:{ACCOUNT}:key/*"),
        }

    def test_recorded_settings_are_written_by_one_role_and_read_by_those_that_restore(self) -> None:
        touching: dict[str, set[str]] = {}
        for role in LAMBDA_ROLES:
            for each in statements(LARGEST, role):
                if "/settings/" in str(each["Resource"]):
                    touching.setdefault(role, set()).update(as_list(each["Action"]))
        assert touching.pop("RecordSettingsRole") == {"s3:GetObject", "s3:PutObject"}
        assert touching[RESTORE_ROLE] == {"s3:GetObject"}
        assert set.union(*touching.values()) == {"s3:GetObject"}

    def test_only_prune_backups_may_delete(self) -> None:
        assert roles_with("Delete") == {
            "PruneBackupsRole": {
                "dynamodb:DeleteBackup",
                "ec2:DeleteSnapshot",
                "rds:DeleteDBClusterSnapshot",
                "rds:DeleteDBSnapshot",
                "s3:DeleteObject",
            },
            RECOVER_ROLE: {"dynamodb:DeleteItem"},
            RESTORE_ROLE: {"dynamodb:DeleteItem"},  # AWS demands it of whoever restores a table
            DRILL_ROLE: {
                "dynamodb:DeleteItem",
                "dynamodb:DeleteTable",
                "ec2:DeleteVolume",
                "rds:DeleteDBCluster",
                "rds:DeleteDBInstance",
            },
        }

    def test_only_who_ends_something_may_publish(self) -> None:
        may = {"sns:Publish"}
        assert roles_with("Publish") == {
            "PublishReportRole": may,
            RESTORE_ROLE: may,
            RECOVER_ROLE: may,
            RETURN_ROLE: may,
            DRILL_ROLE: may,
        }

    def test_run_plan_touches_no_backup_and_no_record(self) -> None:
        services = {action.split(":")[0] for action in actions(Stack(), "RunPlanRole")}
        assert services == {"lambda", "logs", "sqs", "ssm"}

    @pytest.mark.parametrize("role", sorted(LAMBDA_ROLES | {"ScheduleRole"}))
    def test_no_action_is_a_wildcard(self, role: str) -> None:
        assert not [one for one in actions(LARGEST, role) if "*" in one]

    @pytest.mark.parametrize("role", sorted(LAMBDA_ROLES | {"ScheduleRole"}))
    def test_everything_is_granted_only_where_aws_knows_no_resources(self, role: str) -> None:
        wide = {
            action
            for each in statements(LARGEST, role)
            if "*" in as_list(each["Resource"])
            for action in as_list(each["Action"])
        }
        assert wide <= WITHOUT_RESOURCES

    @pytest.mark.parametrize("stack", STACKS)
    def test_only_policies_of_this_template_are_attached(self, stack: Stack) -> None:
        ours = {f"<{name}>" for name in stack.of_type("AWS::IAM::ManagedPolicy")}
        for role in stack.of_type("AWS::IAM::Role").values():
            assert set(role.get("ManagedPolicyArns", [])) <= ours

    @pytest.mark.parametrize("stack", STACKS)
    def test_a_snapshot_is_deleted_only_with_this_stack_s_tag_and_without_a_hold(self, stack: Stack) -> None:
        deletes = {
            each["Action"]: each["Condition"]
            for each in statements(stack, "PruneBackupsRole")
            if re.match("(rds|ec2):Delete", str(each["Action"]))
        }
        assert len(deletes) == 3
        for action, condition in deletes.items():
            service = "ec2" if action.startswith("ec2") else "aws"
            assert condition == {
                "StringEquals": {f"{service}:ResourceTag/{STACK_TAG}": STACK},
                "Null": {f"{service}:ResourceTag/{HOLD_TAG}": "true"},
            }

    @pytest.mark.parametrize("stack", STACKS)
    def test_only_the_one_that_tells_people_may_note_what_they_were_told(self, stack: Stack) -> None:
        may: dict[str, set[str]] = {}
        for role in ("CreateBackupsRole", "CopyBackupsRole", "PruneBackupsRole", "PublishReportRole"):
            for each in statements(stack, role):
                if "/told/*" in str(each["Resource"]):
                    actions = each["Action"] if isinstance(each["Action"], list) else [each["Action"]]
                    may.setdefault(role, set()).update(actions)
        assert may == {
            "PruneBackupsRole": {"s3:GetObject"},
            "PublishReportRole": {"s3:GetObject", "s3:PutObject"},
        }

    @pytest.mark.parametrize("stack", STACKS)
    def test_the_hold_list_is_read_by_the_one_that_deletes_and_written_by_none(self, stack: Stack) -> None:
        holders = {
            role: each["Action"]
            for role in ("CreateBackupsRole", "CopyBackupsRole", "PruneBackupsRole", "PublishReportRole")
            for each in statements(stack, role)
            if "/holds" in str(each["Resource"])
        }
        assert holders == {"PruneBackupsRole": "ssm:GetParameter"}

    @pytest.mark.parametrize("stack", STACKS)
    @pytest.mark.parametrize("role", ["CreateBackupsRole", "CopyBackupsRole"])
    def test_snapshots_are_tagged_only_as_this_stack_s(self, stack: Stack, role: str) -> None:
        tagging = [each for each in statements(stack, role) if each["Action"] == "rds:AddTagsToResource"]
        if role == "CopyBackupsRole" and not stack.holds("HasCopies"):
            assert "ec2:CreateTags" not in actions(stack, role)
            assert tagging == []
            return
        assert len(tagging) == 2
        for each in tagging:
            assert each["Condition"] == {"StringEquals": {f"aws:RequestTag/{STACK_TAG}": STACK}}
            assert all("snapshot:*" in resource for resource in as_list(each["Resource"]))
            # A copy is tagged where it is made. What stands at home is not the copy role's to mark.
            regions = {resource.split(":")[3] for resource in as_list(each["Resource"])}
            assert regions == {AWAY if role == "CopyBackupsRole" else HOME}
        [volumes] = [each for each in statements(stack, role) if each["Action"] == "ec2:CreateTags"]
        calls = {
            "CreateBackupsRole": ["CreateSnapshot", "CreateSnapshots"],
            "CopyBackupsRole": "CopySnapshot",
        }
        assert volumes["Condition"] == {
            "StringEquals": {f"aws:RequestTag/{STACK_TAG}": STACK, "ec2:CreateAction": calls[role]}
        }
        assert volumes["Resource"].split(":")[3] == (AWAY if role == "CopyBackupsRole" else HOME)

    def test_without_copies_nothing_can_be_copied(self) -> None:
        for stack in (Stack(), Stack(given={"CopyRegion": AWAY})):
            named = {one.split(":")[1] for one in actions(stack, "CopyBackupsRole")}
            copies = {"CopyDBSnapshot", "CopyDBClusterSnapshot", "CopySnapshot"}
            assert named & copies == (copies if stack.given else set())
            assert "ExportTableToPointInTime" not in named, "there is no bucket"

    def test_only_who_selects_asks_what_resources_there_are(self) -> None:
        asking = {
            "dynamodb:DescribeTable",
            "dynamodb:ListTables",
            "ec2:DescribeInstances",
            "ec2:DescribeVolumes",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "tag:GetResources",
        }
        for role in LAMBDA_ROLES:
            select = ("CreateBackupsRole", "RecordSettingsRole", DRILL_ROLE, CHECK_ROLE)
            expected = asking if role in select else set()
            if role in (RESTORE_ROLE, RECOVER_ROLE):  # of those that it is asked for
                expected = asking - {"dynamodb:ListTables", "ec2:DescribeInstances", "tag:GetResources"}
            if role == RETURN_ROLE:  # of the two that it is asked for
                expected = {"dynamodb:DescribeTable"}
            assert actions(LARGEST, role) & asking == expected

    def test_exports_go_to_a_bucket_of_this_account_alone(self) -> None:
        """A bucket's name is anybody's, once its owner has deleted it."""
        touching = [
            each
            for role in LAMBDA_ROLES
            for each in statements(LARGEST, role)
            if "s3:::exports" in str(each["Resource"])
        ]
        recorded = [each for each in touching if str(each["Sid"]).startswith("SettingsCopies")]
        assert len(touching) - len(recorded) == 11  # listed by six
        for each in touching:
            assert each["Condition"]["StringEquals"] == {"aws:ResourceAccount": ACCOUNT}

    def test_other_regions_are_open_only_when_there_are_copies(self) -> None:
        def regions(stack: Stack) -> set[str]:
            return {
                resource.split(":")[3]
                for role in LAMBDA_ROLES
                for each in statements(stack, role)
                for resource in as_list(each["Resource"])
                if resource.startswith(("arn:aws:rds:", "arn:aws:ec2:"))
            }

        assert regions(Stack()) == {HOME}
        assert regions(LARGEST) == {HOME, AWAY}

    def test_keys_are_used_only_through_the_services_that_copy(self) -> None:
        """Without that only their description can be read, which tells no secret."""
        services = {f"{service}.{region}" for service in ("rds", "ec2") for region in (HOME, AWAY)}
        services |= {f"dynamodb.{HOME}", f"s3.{AWAY}"}
        restoring = services | {f"dynamodb.{AWAY}"}
        own_key = "<ReportKey.Arn>"
        for role in LAMBDA_ROLES:
            for each in statements(LARGEST, role):
                if "kms:" not in str(each["Action"]) or each["Resource"] == own_key:
                    continue
                if each["Action"] == "kms:DescribeKey":
                    continue
                through = as_list(each["Condition"]["StringEquals"]["kms:ViaService"])
                allowed = (
                    restoring if role in (RESTORE_ROLE, RECOVER_ROLE, DRILL_ROLE, RETURN_ROLE) else services
                )
                assert {one.removesuffix(".amazonaws.com") for one in through} <= allowed

    def test_x_ray_is_allowed_only_when_it_is_on(self) -> None:
        assert not any("xray" in one for role in LAMBDA_ROLES for one in actions(Stack(), role))
        assert all("xray:PutTraceSegments" in actions(LARGEST, role) for role in LAMBDA_ROLES)

    @pytest.mark.parametrize("role", sorted(LAMBDA_ROLES))
    def test_logs_go_to_the_function_s_own_group(self, role: str) -> None:
        [logs] = [each for each in statements(Stack(), role) if "logs:" in str(each["Action"])]
        function = "CheckRecoveryPoints" if role == CHECK_ROLE else role.removesuffix("Role")
        assert logs["Resource"] == f"<{function}LogGroup.Arn>"

    def test_an_absent_record_is_told_from_a_forbidden_one(self) -> None:
        """S3 answers 404 only to who may list the bucket, and never when that has a condition."""
        for role in LAMBDA_ROLES - {"RunPlanRole"}:
            [listing] = [each for each in statements(Stack(), role) if each["Action"] == "s3:ListBucket"]
            assert listing["Resource"] == "<ReportBucket.Arn>"
            assert "Condition" not in listing


@pytest.mark.parametrize(("logical_id", "file"), FUNCTIONS.items())
class TestFunctions:
    def test_its_handler_is_there(self, logical_id: str, file: str) -> None:
        assert Stack().resource(logical_id)["Handler"] == f"{file}.handler"
        assert "\ndef handler(" in (ROOT / "functions" / f"{file}.py").read_text()

    def test_it_is_named_after_the_stack(self, logical_id: str, file: str) -> None:
        assert Stack().resource(logical_id)["FunctionName"] == f"{STACK}-{file.replace('_', '-')}"

    def test_every_change_reaches_its_alias(self, logical_id: str, file: str) -> None:
        assert template()["Globals"]["Function"]["AutoPublishAlias"] == "live"
        assert Stack().resource(logical_id)["AutoPublishAliasAllProperties"] is True

    def test_its_log_group_is_made_before_it_and_expires(self, logical_id: str, file: str) -> None:
        group = logical_id.replace("Function", "LogGroup")
        function = Stack().resource(logical_id)
        assert function["LoggingConfig"] == {"LogGroup": f"<{group}>"}
        assert Stack().resource(group) == {
            "LogGroupName": f"/aws/lambda/{function['FunctionName']}",
            "RetentionInDays": parameters()["LogRetentionDays"],
        }

    def test_its_settings_can_be_read(self, logical_id: str, file: str) -> None:
        variables = environment(LARGEST, logical_id)
        settings = read_settings(variables | {"AWS_REGION": HOME})
        assert settings.stack == STACK
        assert settings.plans_path == f"/{STACK}/plans"
        assert settings.bucket == "<ReportBucket>"
        assert (settings.account, settings.copy_regions) == (ACCOUNT, (AWAY,))
        assert settings.copy_buckets == {AWAY: "exports"}
        assert settings.vault_accounts == (VAULT,)
        reader = f"{STACK}-vault-reader"
        roles = {
            "copy_backups": f"{STACK}-vault",
            "prune_backups": reader,
            "check_recovery_points": reader,
        }
        assert settings.vault_role == roles.get(file, "")
        assert settings.snapshot_quota is None
        assert settings.rds_calls_per_second == 5
        tells = file in ("publish_report", "restore", "recover", "drill", "return_items")
        assert settings.topic_arn == ("<ReportTopic>" if tells else "")
        reads_holds = file in ("prune_backups", "check_recovery_points")
        assert settings.holds_parameter == (f"/{STACK}/holds" if reads_holds else "")
        reads_prices = file in ("check_recovery_points", "drill")
        assert settings.prices_parameter == (f"/{STACK}/prices" if reads_prices else "")
        stages = {
            "create": "CreateBackupsFunction",
            "copy": "CopyBackupsFunction",
            "prune": "PruneBackupsFunction",
            "settings": "RecordSettingsFunction",
            "check": "CheckRecoveryPointsFunction",
            "report": "PublishReportFunction",
        }
        aliases = {stage: f"<{function}.Arn>:live" for stage, function in stages.items()}
        assert settings.stage_functions == (aliases if file == "run_plan" else {})

    def test_it_is_given_these_variables_and_no_others(self, logical_id: str, file: str) -> None:
        stages = ("CREATE", "COPY", "PRUNE", "SETTINGS", "CHECK", "REPORT")
        own = {
            "run_plan": {f"HOLDFAST_{stage}_FUNCTION" for stage in stages},
            "publish_report": {"HOLDFAST_TOPIC_ARN", "HOLDFAST_CHAT_TOPIC_ARN"},
            "restore": {"HOLDFAST_TOPIC_ARN"},
            "recover": {"HOLDFAST_TOPIC_ARN"},
            "drill": {"HOLDFAST_TOPIC_ARN", "HOLDFAST_PRICES_PARAMETER", "HOLDFAST_VERIFIER"},
            "return_items": {"HOLDFAST_TOPIC_ARN"},
            "copy_backups": {"HOLDFAST_VAULT_ROLE"},
            "prune_backups": {"HOLDFAST_HOLDS_PARAMETER", "HOLDFAST_VAULT_ROLE"},
            "check_recovery_points": {
                "HOLDFAST_HOLDS_PARAMETER",
                "HOLDFAST_PRICES_PARAMETER",
                "HOLDFAST_VAULT_ROLE",
            },
        }
        assert set(environment(Stack(), logical_id)) == own.get(file, set()) | {
            "HOLDFAST_ACCOUNT",
            "HOLDFAST_BUCKET",
            "HOLDFAST_COPY_BUCKET",
            "HOLDFAST_COPY_REGIONS",
            "HOLDFAST_HOME_REGION",
            "HOLDFAST_PLANS_PATH",
            "HOLDFAST_RDS_CALLS_PER_SECOND",
            "HOLDFAST_SNAPSHOT_QUOTA",
            "HOLDFAST_STACK",
            "HOLDFAST_VAULT_ACCOUNT",
            "LOG_LEVEL",
            "POWERTOOLS_METRICS_NAMESPACE",
            "POWERTOOLS_SERVICE_NAME",
        }


def environment(stack: Stack, function: str) -> dict[str, str]:
    shared = stack.resolve(template()["Globals"]["Function"]["Environment"]["Variables"])
    own = stack.resource(function).get("Environment", {}).get("Variables", {})
    return {**shared, **own}


def is_demanded(each: Mapping[str, Any], key: str) -> bool:
    """Whether a statement allows nothing where a condition key has no value."""
    return bool(dict(each.get("Condition", {})).get("Null", {}).get(key) == "false")


class TestRestore:
    """What a restore may do, and to what."""

    MAKES = (
        "dynamodb:ImportTable",
        "dynamodb:RestoreTableFromBackup",
        "dynamodb:RestoreTableToPointInTime",
        "ec2:CreateVolume",
        "rds:CreateDBInstance",
        "rds:RestoreDBClusterFromSnapshot",
        "rds:RestoreDBClusterToPointInTime",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBInstanceToPointInTime",
    )

    def of_restore(self, action: str) -> list[dict[str, Any]]:
        return [each for each in statements(LARGEST, RESTORE_ROLE) if action in as_list(each["Action"])]

    def test_nobody_else_may_make_a_resource(self) -> None:
        for role in LAMBDA_ROLES:
            assert actions(LARGEST, role) & set(self.MAKES) == (
                set(self.MAKES) if role in (RESTORE_ROLE, RECOVER_ROLE, DRILL_ROLE) else set()
            )

    def test_a_person_alone_starts_it_and_lambda_does_not_do_so_again(self) -> None:
        function = Stack().resource("RestoreFunction")
        assert "Events" not in function
        assert function["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}

    def test_it_outlives_its_own_patience(self) -> None:
        durable = Stack().resource("RestoreFunction")["DurableConfig"]
        assert durable["ExecutionTimeout"] >= PATIENCE.total_seconds() + 24 * 3600

    def test_it_keeps_its_own_progress(self) -> None:
        [progress] = [each for each in statements(Stack(), RESTORE_ROLE) if "Durable" in str(each["Action"])]
        assert progress["Resource"] == f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:{STACK}-restore:*"

    def test_it_deletes_nothing(self) -> None:
        for action in actions(LARGEST, RESTORE_ROLE) - {"dynamodb:DeleteItem"}:
            assert not re.search("Delete|Remove|Untag|Terminate|Stop|Disable|Deregister|Revoke", action)
        [items] = self.of_restore("dynamodb:DeleteItem")
        assert items["Resource"] == f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/*"

    @pytest.mark.parametrize(
        "action",
        [
            "dynamodb:PutResourcePolicy",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateTable",
            "dynamodb:UpdateTimeToLive",
            "rds:ModifyDBCluster",
            "rds:ModifyDBInstance",
            "rds:RebootDBInstance",
        ],
    )
    def test_it_changes_only_what_bears_its_tag(self, action: str) -> None:
        for each in self.of_restore(action):
            groups = all(re.search(":(og|pg|cluster-pg):", one) for one in as_list(each["Resource"]))
            service = "ec2" if action.startswith("ec2") else "aws"
            assert is_demanded(each, f"{service}:ResourceTag/{RESTORE_TAG}") or groups

    @pytest.mark.parametrize("action", ["dynamodb:TagResource", "rds:AddTagsToResource"])
    def test_it_takes_nothing_for_its_own_that_a_plan_protects(self, action: str) -> None:
        for each in self.of_restore(action):
            its_own = is_demanded(each, f"aws:ResourceTag/{RESTORE_TAG}")
            marks = is_demanded(each, f"aws:RequestTag/{RESTORE_TAG}")
            assert its_own or (marks and each["Condition"]["Null"][f"aws:ResourceTag/{PLAN_TAG}"] == "true")

    @pytest.mark.parametrize("action", [one for one in MAKES if one.startswith("rds:")])
    def test_what_it_makes_bears_the_tag_from_the_beginning(self, action: str) -> None:
        [each] = self.of_restore(action)
        assert is_demanded(each, f"aws:RequestTag/{RESTORE_TAG}")

    def test_volumes_are_tagged_when_they_are_made_and_never_after(self) -> None:
        [tagging] = self.of_restore("ec2:CreateTags")
        assert tagging["Condition"] == {"StringEquals": {"ec2:CreateAction": "CreateVolume"}}
        made = [one for one in self.of_restore("ec2:CreateVolume") if "volume/*" in str(one["Resource"])]
        assert all(is_demanded(one, f"aws:RequestTag/{RESTORE_TAG}") for one in made)

    def test_aws_has_room_for_its_policies(self) -> None:
        """By IAM's quotas: 6,144 characters a managed policy, 10,240 all of a role's own, without blanks."""
        sizes = {
            name: len(json.dumps(each["PolicyDocument"], separators=(",", ":")))
            for name, each in LARGEST.of_type("AWS::IAM::ManagedPolicy").items()
        }
        assert all(size <= 6144 for size in sizes.values()), sizes
        attached = sum(
            len(json.dumps(each, separators=(",", ":")))
            for each in statements(LARGEST, RESTORE_ROLE)
            if each["Sid"]
            not in str([one["PolicyDocument"] for one in LARGEST.of_type("AWS::IAM::ManagedPolicy").values()])
        )
        assert attached <= 10240


class TestDrill:
    """What a drill may do beyond a restore, and to what."""

    REMOVES = (
        "dynamodb:DeleteTable",
        "ec2:DeleteVolume",
        "rds:DeleteDBCluster",
        "rds:DeleteDBInstance",
    )

    def of_drill(self, action: str) -> list[dict[str, Any]]:
        return [each for each in statements(LARGEST, DRILL_ROLE) if action in as_list(each["Action"])]

    @pytest.mark.parametrize("action", REMOVES)
    def test_it_removes_only_what_bears_its_tag(self, action: str) -> None:
        [each] = self.of_drill(action)
        assert is_demanded(each, f"aws:ResourceTag/{DRILL_TAG}")

    @pytest.mark.parametrize("action", [one for one in REMOVES if one != "ec2:DeleteVolume"])
    def test_and_only_what_is_named_as_its_own(self, action: str) -> None:
        [each] = self.of_drill(action)
        names = [re.split("[:/]", one)[-1] for one in as_list(each["Resource"])]
        assert names == [f"{PREFIX}*", f"{PREFIX}*"]

    def test_besides_it_may_do_what_a_restore_may_and_look(self) -> None:
        more = actions(LARGEST, DRILL_ROLE) - actions(LARGEST, RESTORE_ROLE)
        assert more == {
            *self.REMOVES,
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeBackup",
            "dynamodb:ListTables",
            "ec2:DescribeInstances",
            "ssm:GetParameter",
            "tag:GetResources",
        }

    def test_it_reads_items_of_what_it_made_and_of_what_stands_at_home(self) -> None:
        [own] = self.of_drill("dynamodb:BatchGetItem")
        assert {re.split("[:/]", one)[-1] for one in as_list(own["Resource"])} == {f"{PREFIX}*"}

    def test_it_is_off_until_somebody_wants_it(self) -> None:
        for wanted, state in (({}, "DISABLED"), ({"Drills": "on"}, "ENABLED")):
            events = Stack(given=wanted).resource("DrillFunction")["Events"]
            assert {each["Properties"]["State"] for each in events.values()} == {state}
        assert json.loads(plan_text(Stack()))["drill"] is None

    def test_a_vault_rehearses_nothing(self) -> None:
        stack = Stack(given={"Drills": "on", **VAULT_OF})
        assert json.loads(plan_text(stack))["drill"] is None

    def test_what_it_is_given_is_in_the_plan(self) -> None:
        stack = Stack(given={"Drills": "on", "DrillWithinDays": "28", "DrillMaxUsd": "12.50"})
        rule = parse_plan("nightly", plan_text(stack), limits(stack)).drill
        assert rule == DrillRule(within_days=28, max_usd=Decimal("12.5"))

    def test_it_outlives_its_own_patience(self) -> None:
        durable = Stack().resource("DrillFunction")["DurableConfig"]
        assert durable["ExecutionTimeout"] > 4 * DRILL_PATIENCE.total_seconds()

    def test_each_of_its_schedules_asks_for_an_instant(self) -> None:
        events = Stack().resource("DrillFunction")["Events"]
        asked = [json.loads(each["Properties"]["Input"]) for each in events.values()]
        assert all(one["slot"] == "<aws.scheduler.scheduled-time>" for one in asked)
        assert [one.get("sweep", False) for one in asked] == [False, True]


class TestReturnItems:
    """What a return of lost items may do, and to what."""

    def of_return(self, action: str) -> dict[str, Any]:
        [found] = [each for each in statements(LARGEST, RETURN_ROLE) if action in as_list(each["Action"])]
        return found

    def test_of_tables_it_may_do_this_and_no_more(self) -> None:
        assert {one for one in actions(LARGEST, RETURN_ROLE) if one.startswith("dynamodb:")} == {
            "dynamodb:BatchGetItem",
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:ListTagsOfResource",
            "dynamodb:PutItem",
            "dynamodb:Scan",
        }

    def test_it_reads_whole_only_what_a_restore_made(self) -> None:
        assert is_demanded(self.of_return("dynamodb:Scan"), f"aws:ResourceTag/{RESTORE_TAG}")

    def test_it_writes_at_home_alone(self) -> None:
        assert self.of_return("dynamodb:PutItem")["Resource"] == f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/*"

    def test_of_the_bucket_it_writes_its_own_records(self) -> None:
        assert self.of_return("s3:PutObject")["Resource"] == "<ReportBucket.Arn>/returns/*"

    def test_only_returns_and_restores_touch_items(self) -> None:
        touching = {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Scan"}
        found = {role for role in LAMBDA_ROLES if actions(LARGEST, role) & touching}
        assert found == {RESTORE_ROLE, RECOVER_ROLE, DRILL_ROLE, RETURN_ROLE}

    def test_a_person_alone_starts_it_and_lambda_does_not_do_so_again(self) -> None:
        function = Stack().resource("ReturnItemsFunction")
        assert "Events" not in function
        assert function["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}

    def test_it_outlives_its_own_patience_and_keeps_its_own_progress(self) -> None:
        durable = Stack().resource("ReturnItemsFunction")["DurableConfig"]
        assert durable["ExecutionTimeout"] >= PATIENCE.total_seconds() + 24 * 3600
        progress = self.of_return("lambda:CheckpointDurableExecution")
        assert progress["Resource"] == f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:{STACK}-return-items:*"


class TestRun:
    def test_what_is_invoked_asynchronously_has_a_dead_letter_queue(self) -> None:
        asynchronous = [
            name for name, each in Stack().of_type("AWS::Serverless::Function").items() if each.get("Events")
        ]
        # The check comes again in an hour, and an alarm rings when it stays away: nothing of it is to be done
        # later.
        assert asynchronous == ["RunPlanFunction", "CheckRecoveryPointsFunction", "DrillFunction"]
        assert "DeadLetterQueue" not in Stack().resource("CheckRecoveryPointsFunction")
        assert Stack().resource("RunPlanFunction")["DeadLetterQueue"] == {
            "Type": "SQS",
            "TargetArn": "<DeadLetterQueue.Arn>",
        }
        for function in ("RestoreFunction", "RecoverFunction", "DrillFunction", "ReturnItemsFunction"):
            assert Stack().resource(function)["DeadLetterQueue"] == {
                "Type": "SQS",
                "TargetArn": "<DeadLetterQueue.Arn>",
            }
        for role in ("RunPlanRole", "ScheduleRole", RESTORE_ROLE, RECOVER_ROLE, DRILL_ROLE, RETURN_ROLE):
            [sending] = [each for each in statements(Stack(), role) if each["Action"] == "sqs:SendMessage"]
            assert sending["Resource"] == "<DeadLetterQueue.Arn>"

    def test_a_failed_run_is_not_run_again_by_lambda(self) -> None:
        assert Stack().resource("RunPlanFunction")["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}

    def test_it_outlives_the_longest_window(self) -> None:
        longest = 24 * 60
        pattern = template()["Parameters"]["WindowMinutes"]["AllowedPattern"]
        assert re.search(pattern, str(longest))
        assert not re.search(pattern, str(longest + 1))
        durable = Stack().resource("RunPlanFunction")["DurableConfig"]
        assert durable["ExecutionTimeout"] > longest * 60

    def test_it_may_invoke_the_stages_aliases_and_nothing_else(self) -> None:
        [invoking] = [
            each for each in statements(Stack(), "RunPlanRole") if each["Action"] == "lambda:InvokeFunction"
        ]
        assert invoking["Resource"] == [
            f"<{name}.Arn>:live"
            for name in FUNCTIONS
            if name
            not in (
                "RunPlanFunction",
                "RestoreFunction",
                "RecoverFunction",
                "DrillFunction",
                "ReturnItemsFunction",
            )
        ]

    def test_it_keeps_its_own_progress(self) -> None:
        [progress] = [each for each in statements(Stack(), "RunPlanRole") if "Durable" in str(each["Action"])]
        assert progress["Resource"] == f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:{STACK}-run-plan:*"

    def test_each_schedule_starts_its_function_by_its_alias(self) -> None:
        resources = deployed()["Resources"]
        schedules = [each for each in resources.values() if each["Type"] == "AWS::Scheduler::Schedule"]
        started = {}
        for each in schedules:
            target = each["Properties"]["Target"]
            alias = resources[target["Arn"]["Ref"]]
            assert alias["Type"] == "AWS::Lambda::Alias"
            assert alias["Properties"]["Name"] == "live"
            function = alias["Properties"]["FunctionName"]["Ref"]
            assert target["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
            started[function] = target
        assert started.keys() == {"RunPlanFunction", "CheckRecoveryPointsFunction", "DrillFunction"}
        assert "DurableConfig" in resources["DrillFunction"]["Properties"]
        assert "DurableConfig" in resources["RunPlanFunction"]["Properties"]
        assert "DurableConfig" not in resources["CheckRecoveryPointsFunction"]["Properties"]
        dead_letters = {"Arn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}
        assert started["RunPlanFunction"]["DeadLetterConfig"] == dead_letters
        assert "DeadLetterConfig" not in started["CheckRecoveryPointsFunction"]
        invoked = {
            resource
            for one in statements(Stack(), "ScheduleRole")
            if one["Action"] == "lambda:InvokeFunction"
            for resource in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
        }
        assert invoked == {f"<{function}.Arn>:live" for function in started}

    def test_the_check_comes_every_hour_and_with_its_instant(self) -> None:
        hourly = Stack(given={"ScheduleState": "DISABLED"}).resource("CheckRecoveryPointsFunction")
        schedule = hourly["Events"]["Hourly"]["Properties"]
        assert schedule["ScheduleExpression"] == "rate(1 hour)"
        assert schedule["State"] == "ENABLED", "also where no runs are scheduled: what stands gets older"
        assert json.loads(schedule["Input"]) == {"at": "<aws.scheduler.scheduled-time>"}
        assert schedule["Name"].startswith(STACK)

    def test_the_schedule_asks_for_the_slot_that_was_meant(self) -> None:
        nightly = Stack().resource("RunPlanFunction")["Events"]["Nightly"]["Properties"]
        assert json.loads(nightly["Input"]) == {"plan": "nightly", "slot": "<aws.scheduler.scheduled-time>"}
        assert nightly["Name"].startswith(STACK)


def deployed() -> dict[str, Any]:
    """What CloudFormation is given: the template after SAM's transform."""
    source = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # a SafeLoader
    for each in source["Resources"].values():
        uri = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
        if each["Type"] in uri:
            each["Properties"][uri[each["Type"]]] = "s3://bucket/package.zip"
    transformed: dict[str, Any] = transform(source, {}, _NoManagedPolicies())
    return transformed


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


PLAN_PARAMETERS = tuple(
    name
    for name in template()["Parameters"]
    if any(way in json.dumps(template()["Resources"]["DefaultPlan"]) for way in (f"${{{name}}}", f'"{name}"'))
)
"""Those that go into the plan's JSON."""


def plan_text(stack: Stack) -> str:
    text = stack.resource("DefaultPlan")["Value"]
    assert isinstance(text, str)
    return text


def limits(stack: Stack) -> PlanLimits:
    given = parameters(**stack.given)
    copy_region = given["CopyRegion"]
    return PlanLimits(
        kinds={"dynamodb", "rds", "aurora", "ebs"},
        home_region=HOME,
        copy_regions={copy_region} if copy_region else set(),
        copy_buckets={copy_region: given["CopyBucket"]} if given["CopyBucket"] else {},
        vault_accounts={given["VaultAccountId"]} - {""},
        account=ACCOUNT,
    )


def any_value(parameter: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """What CloudFormation would accept for a parameter."""
    if "AllowedValues" in parameter:
        return st.sampled_from(parameter["AllowedValues"])
    return st.from_regex(parameter["AllowedPattern"], fullmatch=True)


class TestDefaultPlan:
    def test_it_lies_where_the_functions_look(self) -> None:
        assert Stack().resource("DefaultPlan")["Name"] == f"/{STACK}/plans/nightly"

    def test_without_copies(self) -> None:
        plan = parse_plan("nightly", plan_text(Stack()), limits(Stack()))
        assert plan.select.tags == {"holdfast:plan": "nightly"}
        assert plan.keep == KeepPolicy(daily=7, weekly=4, monthly=12, minimum=2)
        assert plan.copies == ()
        assert (plan.window_minutes, plan.rpo_hours, plan.rto_minutes) == (720, 26, 60)
        assert (plan.breaker.max_deletes_per_run, plan.breaker.max_delete_share) == (None, 0.25)

    @pytest.mark.parametrize("key", ["", KEY])
    def test_with_copies(self, key: str) -> None:
        stack = Stack(given={"CopyRegion": AWAY, "CopyKmsKeyArn": key, "TimeZone": "Europe/Berlin"})
        plan = parse_plan("nightly", plan_text(stack), limits(stack))
        [copy] = plan.copies
        assert (copy.region, copy.kms_key, copy.slots) == (AWAY, key, 20)
        assert copy.keep == KeepPolicy(daily=7, weekly=4, minimum=1)
        assert plan.time_zone == "Europe/Berlin"

    def test_each_of_its_parameters_arrives(self) -> None:
        names = [name for name in PLAN_PARAMETERS if name not in (*VAULT_OF, "Drills")]
        counts = {name: str(number) for number, name in enumerate(names, 11)}
        others = {
            "TimeZone": "Asia/Tokyo",
            "MaxDeleteShare": "0.5",
            "CopyUnencryptedClusters": "copy",
            "CopyOptionGroups": '{"auditing": "auditing-west"}',
            "VaultOptionGroups": '{"auditing-west": "auditing-vault"}',
        } | {name: value for name, value in WITH_COPIES.items() if name in PLAN_PARAMETERS}
        stack = Stack(given=counts | others | {"Drills": "on"})
        plan = parse_plan("nightly", plan_text(stack), limits(stack))
        copy, vault = plan.copies
        assert plan.drill is not None
        assert (vault.keep, vault.slots) == (copy.keep, copy.slots)
        assert (vault.copy_unencrypted, vault.place) == (copy.copy_unencrypted, f"{AWAY}@{VAULT}")
        arrived = {
            "TimeZone": plan.time_zone,
            "KeepLast": plan.keep.last,
            "KeepHourly": plan.keep.hourly,
            "KeepDaily": plan.keep.daily,
            "KeepWeekly": plan.keep.weekly,
            "KeepMonthly": plan.keep.monthly,
            "KeepYearly": plan.keep.yearly,
            "KeepMinimum": plan.keep.minimum,
            "CopyRegion": copy.region,
            "CopyKmsKeyArn": copy.kms_key,
            "CopyKeepDaily": copy.keep.daily,
            "CopyKeepWeekly": copy.keep.weekly,
            "CopyKeepMonthly": copy.keep.monthly,
            "CopyKeepMinimum": copy.keep.minimum,
            "CopySlots": copy.slots,
            "CopyBucket": copy.bucket,
            "CopyFullEveryDays": copy.full_every_days,
            "CopyUnencryptedClusters": "copy" if copy.copy_unencrypted else "fail",
            "CopyOptionGroups": json.dumps(copy.option_groups),
            "VaultAccountId": vault.account,
            "VaultOptionGroups": json.dumps(vault.option_groups),
            "VaultKmsKeyArn": vault.kms_key,
            "WindowMinutes": plan.window_minutes,
            "RpoHours": plan.rpo_hours,
            "RtoMinutes": plan.rto_minutes,
            "DrillWithinDays": plan.drill.within_days,
            "DrillMaxUsd": plan.drill.max_usd.normalize(),
            "MaxDeletesPerRun": plan.breaker.max_deletes_per_run,
            "MaxDeleteShare": plan.breaker.max_delete_share,
        }
        assert {name: str(value) for name, value in arrived.items()} == counts | others

    def test_in_a_vault(self) -> None:
        stack = Stack(given=VAULT_OF | {"TimeZone": "Asia/Tokyo", "KeepDaily": "9", "RpoHours": "30"})
        plan = parse_plan("nightly", plan_text(stack), limits(stack))
        assert plan.vault_of == Origin(account=VAULT, region=AWAY)
        assert (plan.select.tags, plan.select.include, plan.copies) == ({}, (), ())
        assert plan.keep == KeepPolicy(daily=9, weekly=4, monthly=12, minimum=2)
        assert (plan.time_zone, plan.rpo_hours, plan.window_minutes) == ("Asia/Tokyo", 30, 720)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({}, []),
            (VAULT_OF, []),
            ({"VaultOfRegion": AWAY}, ["VaultOfRegion has no use without a VaultOfAccountId."]),
            (
                {"VaultOfAccountId": VAULT},
                ["VaultOfAccountId needs the VaultOfRegion of the stack there."],
            ),
            (
                VAULT_OF | {"CopyRegion": AWAY},
                ["With a VaultOfAccountId nothing is copied on; leave CopyRegion empty."],
            ),
        ],
    )
    def test_a_vault_is_of_an_account_and_a_region_and_copies_nothing(
        self, given: dict[str, str], told: list[str]
    ) -> None:
        stack, rules = Stack(given=given), template()["Rules"]
        assert told == [
            each["AssertDescription"]
            for name in ("VaultOfNeedsAccount", "VaultOfNeedsRegion")
            if stack.resolve(rules[name]["RuleCondition"])
            for each in rules[name]["Assertions"]
            if not stack.resolve(each["Assert"])
        ]

    @given(st.data())
    def test_it_is_json_whatever_the_parameters_allow(self, data: st.DataObject) -> None:
        given = {name: data.draw(any_value(template()["Parameters"][name]), name) for name in PLAN_PARAMETERS}
        plan = json.loads(plan_text(Stack(given=given)))
        assert plan["keep"]["daily"] == int(given["KeepDaily"])
        assert plan["prune"]["max_delete_share"] == float(given["MaxDeleteShare"])
        copies = 0 if not given["CopyRegion"] else 2 if given["VaultAccountId"] else 1
        assert [copy["region"] for copy in plan["copies"]] == [given["CopyRegion"]] * copies

    @pytest.mark.parametrize("text", ["07", "1.5", "-1", "", "1e3", " 7", "seven"])
    def test_what_would_not_be_a_count_is_refused_at_once(self, text: str) -> None:
        assert not allowed("KeepDaily", text)

    @pytest.mark.parametrize(("text", "right"), [("0.25", True), ("1", True), ("0", False), ("1.5", False)])
    def test_a_share_is_above_0_and_at_most_1(self, text: str, right: bool) -> None:
        assert allowed("MaxDeleteShare", text) is right


def allowed(name: str, text: str) -> bool:
    """Whether CloudFormation takes this text for a parameter."""
    parameter = template()["Parameters"][name]
    if "AllowedValues" in parameter:
        return text in map(str, parameter["AllowedValues"])
    if parameter["Type"] == "Number":
        return bool(parameter["MinValue"] <= float(text) <= parameter["MaxValue"])
    return re.fullmatch(parameter["AllowedPattern"].strip("^$"), text) is not None


class TestParameters:
    @pytest.mark.parametrize("name", sorted(template()["Parameters"]))
    def test_the_default_is_allowed(self, name: str) -> None:
        assert allowed(name, parameters()[name])

    @pytest.mark.parametrize("name", sorted(template()["Parameters"]))
    def test_a_mistake_is_answered_with_what_is_allowed(self, name: str) -> None:
        parameter = template()["Parameters"][name]
        assert parameter["Description"]
        assert "AllowedValues" in parameter or parameter["ConstraintDescription"]

    def test_each_stands_in_a_group(self) -> None:
        groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        assert sorted(grouped) == sorted(template()["Parameters"])

    @pytest.mark.parametrize(
        "text", ["cron(0 2 * * ? *)", "cron(0/15 8-18 ? * MON-FRI *)", "rate(1 day)", "rate(12 hours)"]
    )
    def test_a_schedule(self, text: str) -> None:
        assert allowed("Schedule", text)

    @pytest.mark.parametrize("text", ["0 2 * * *", "cron(0 2 * * *)", "rate(0 days)", "nightly", ""])
    def test_no_schedule(self, text: str) -> None:
        assert not allowed("Schedule", text)


def deployments() -> list[tuple[str, dict[str, str]]]:
    """The environments of samconfig.toml that can be deployed, and their parameters."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    return [
        (name, dict(each.split("=", 1) for each in commands["deploy"]["parameters"]["parameter_overrides"]))
        for name, commands in config.items()
        if isinstance(commands, dict) and "deploy" in commands
    ]


class TestDeployments:
    def test_there_is_one_for_each_size(self) -> None:
        assert {name for name, _ in deployments()} == {"mvp", "production", "enterprise", "standby"}

    @pytest.mark.parametrize(("name", "overrides"), deployments())
    def test_its_values_are_allowed(self, name: str, overrides: dict[str, str]) -> None:
        assert {key: text for key, text in overrides.items() if not allowed(key, text)} == {}

    @pytest.mark.parametrize(("name", "overrides"), deployments())
    def test_its_plan_can_be_used(self, name: str, overrides: dict[str, str]) -> None:
        stack = Stack(given=overrides)
        plan = parse_plan("nightly", plan_text(stack), limits(stack))
        assert bool(plan.copies) is (name in ("enterprise", "standby"))


class TestHints:
    RULES = ("RdsHintRule", "EbsHintRule")

    def test_there_are_none_unless_they_are_asked_for(self) -> None:
        assert Stack(given={"CopyRegion": AWAY}).of_type("AWS::Events::Rule") == {}
        assert set(LARGEST.of_type("AWS::Events::Rule")) == set(self.RULES)

    @pytest.mark.parametrize("name", RULES)
    def test_what_they_say_is_a_hint_for_the_copy_stage_and_may_be_said(self, name: str) -> None:
        [target] = LARGEST.resource(name)["Targets"]
        request = parse_request(json.loads(target["Input"]), datetime.now(UTC), also=("hint",))
        assert (request.plan, request.hint) == ("nightly", True)
        permission = LARGEST.resource(name.replace("Rule", "Permission"))
        assert permission["SourceArn"] == f"<{name}.Arn>"
        assert permission["FunctionName"] == target["Arn"] == "<CopyBackupsFunction.Alias>"

    def test_of_databases_only_those_of_this_stack_s_snapshots_are_heard(self) -> None:
        detail = LARGEST.resource("RdsHintRule")["EventPattern"]["detail"]
        assert detail["SourceIdentifier"] == [{"prefix": {"equals-ignore-case": f"{STACK}-"}}]


class TestStores:
    @pytest.mark.parametrize(
        ("policy", "guarded"),
        [
            ("ReportBucketPolicy", ["<ReportBucket.Arn>", "<ReportBucket.Arn>/*"]),
            ("ReportTopicPolicy", ["<ReportTopic>"]),
            ("DeadLetterQueuePolicy", ["<DeadLetterQueue.Arn>"]),
        ],
    )
    def test_nothing_is_reached_without_tls(self, policy: str, guarded: list[str]) -> None:
        document = Stack().resource(policy)["PolicyDocument"]
        [denial] = [each for each in document["Statement"] if each["Effect"] == "Deny"]
        assert denial["Principal"] == "*"
        assert as_list(denial["Resource"]) == guarded
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_the_bucket_keeps_what_it_is_given(self) -> None:
        raw = template()["Resources"]["ReportBucket"]
        assert (raw["DeletionPolicy"], raw["UpdateReplacePolicy"]) == ("Retain", "Retain")
        bucket = Stack().resource("ReportBucket")
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}

    def test_the_bucket_does_not_grow_for_ever(self) -> None:
        rules = {
            rule["Id"]: rule for rule in Stack().resource("ReportBucket")["LifecycleConfiguration"]["Rules"]
        }
        assert rules["RecordsExpire"]["Prefix"] == "runs/"
        assert rules["RecordsExpire"]["ExpirationInDays"] == parameters()["ReportRetentionDays"]
        assert rules["VersionsExpire"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert rules["UploadsAbort"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
        assert all(rule["Status"] == "Enabled" for rule in rules.values())

    def test_alarms_can_publish_to_the_encrypted_topic(self) -> None:
        assert Stack().resource("ReportTopic")["KmsMasterKeyId"] == "<ReportKey.Arn>"
        for resource, key in (("ReportKey", "KeyPolicy"), ("ReportTopicPolicy", "PolicyDocument")):
            document = Stack().resource(resource)[key]
            [alarms] = [
                each
                for each in document["Statement"]
                if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            ]
            assert alarms["Effect"] == "Allow"
            assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}

    def test_the_queue_is_encrypted_and_patient(self) -> None:
        queue = Stack().resource("DeadLetterQueue")
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60

    @pytest.mark.parametrize("name", sorted(Stack().of_type("AWS::CloudWatch::Alarm")))
    def test_an_alarm_tells_people_what_to_do_first(self, name: str) -> None:
        alarm = Stack().resource(name)
        assert alarm["AlarmActions"] == ["<ReportTopic>"]
        assert "First: " in alarm["AlarmDescription"]
        assert len(alarm["AlarmDescription"]) <= 1024

    def test_the_alarm_on_errors_counts_every_function_and_takes_silence_for_zero(self) -> None:
        watched = {
            (one["MetricStat"]["Metric"]["MetricName"], dimension["Value"])
            for alarm in ("FunctionErrorsAlarm", "FunctionThrottlesAlarm", "RecoveryErrorsAlarm")
            for one in self.counted(alarm)
            for dimension in one["MetricStat"]["Metric"]["Dimensions"]
        }
        assert watched == {(metric, f"<{name}>") for name in FUNCTIONS for metric in ("Errors", "Throttles")}

    def counted(self, alarm: str) -> list[dict[str, Any]]:
        total: dict[str, Any]
        counted: list[dict[str, Any]]
        [total, *counted] = Stack().resource(alarm)["Metrics"]
        filled = ", ".join(f"FILL({one['Id']}, 0)" for one in counted)
        assert total["Expression"] == f"SUM([{filled}])"
        assert len(counted) <= 10, "an alarm takes no more (CloudWatch's user guide)"
        return counted

    def test_people_are_subscribed_only_when_there_is_an_address(self) -> None:
        assert not Stack().of_type("AWS::SNS::Subscription")
        told = Stack(given={"AlertEmail": "team@example.com"})
        [subscription] = told.of_type("AWS::SNS::Subscription").values()
        assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "team@example.com")


class TestStandby:
    """The same template in the copy Region, for when the other one is gone."""

    LIKE_THE_FIRST: Mapping[str, str] = {"CopyRegion": HOME, "CopyBucket": "exports", "CopyOnEvents": "on"}
    STANDBY = Stack(given={**LIKE_THE_FIRST, "StandbyOf": AWAY})

    def test_the_resources_are_in_the_other_region(self) -> None:
        variables = self.STANDBY.resolve(template()["Globals"]["Function"]["Environment"]["Variables"])
        assert (variables["HOLDFAST_HOME_REGION"], variables["HOLDFAST_COPY_REGIONS"]) == (AWAY, HOME)
        assert (
            Stack().resolve(template()["Globals"]["Function"]["Environment"]["Variables"])[
                "HOLDFAST_HOME_REGION"
            ]
            == HOME
        )

    def test_nothing_runs_by_itself(self) -> None:
        states = [
            event["Properties"]["State"]
            for function in self.STANDBY.of_type("AWS::Serverless::Function").values()
            for event in function.get("Events", {}).values()
        ]
        assert states
        assert set(states) == {"DISABLED"}
        assert not self.STANDBY.of_type("AWS::Events::Rule")

    def test_nothing_rings_since_nothing_runs(self) -> None:
        assert not self.STANDBY.of_type("AWS::CloudWatch::Dashboard")
        rings = self.STANDBY.of_type("AWS::CloudWatch::Alarm")
        assert (
            not {"RunOverdueAlarm", "RunNotOkAlarm", "RecoveryPointsAlarm", "FunctionErrorsAlarm"}
            & rings.keys()
        )
        assert "RunOverdueAlarm" in Stack().of_type("AWS::CloudWatch::Alarm")

    @pytest.mark.parametrize("role", [RESTORE_ROLE, RECOVER_ROLE])
    def test_it_restores_here_and_only_reads_there(self, role: str) -> None:
        """The names of tables, instances and clusters there are read, and nothing is written."""
        there = {
            action
            for each in statements(self.STANDBY, role)
            if any(f":{AWAY}:" in resource for resource in as_list(each["Resource"]))
            for action in as_list(each["Action"])
        }
        assert there
        assert all(action.partition(":")[2].startswith(("Describe", "Get", "List")) for action in there)

    def test_it_has_to_be_where_the_copies_are(self) -> None:
        rule = template()["Rules"]["StandbyIsInCopyRegion"]
        held = [self.STANDBY.resolve(one["Assert"]) for one in rule["Assertions"]]
        assert all(held)
        for wrong in ({"StandbyOf": HOME}, {"CopyRegion": AWAY}, {"VaultOfAccountId": VAULT}):
            stack = Stack(given={**self.STANDBY.given, **wrong})
            assert stack.resolve(rule["RuleCondition"])
            assert not all(stack.resolve(one["Assert"]) for one in rule["Assertions"]), wrong
