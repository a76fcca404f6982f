"""Least privilege, enforced: the functions run in their own roles through all that they do; what a role is
allowed is what its calls need; and what it must not be able to do is denied when it is tried."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from holdfast.core.drills import drill_to_dict
from holdfast.core.posture import Drill
from local import invoke, restoring
from local.house import STACK
from local.nights import FIRST_NIGHT, read_check_schedule, read_schedule, run_night, start_check
from local.paths import EVENTS, ROOT
from local.sandbox import COPY_REGION, HOME_REGION, VAULT_ACCOUNT_ID, Clients
from local.weather import control
from local.weather.forecast import Forecast, Quotas
from tests.e2e.audit import Audit, short_name, sids_of
from tests.e2e.estate import Estate, estate
from tests.e2e.handlers import until

pytestmark = pytest.mark.long

NIGHTS = 3
STAGES = ("create-backups", "copy-backups", "prune-backups")
RECORD = "record-settings"
RESTORE = "restore"
RETURN = "return-items"
DRILLING = "drill"
RECOVER = "recover"
FUNCTIONS = (
    *STAGES,
    "publish-report",
    "run-plan",
    "check-recovery-points",
    RECORD,
    RESTORE,
    RETURN,
    DRILLING,
    RECOVER,
)
SLOT = "2026-10-27T02:00:00Z"
DRILL = Drill(
    at=datetime(2026, 10, 20, 6, tzinfo=UTC),
    plan="nightly",
    resource="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    place=HOME_REGION,
    slot=datetime(2026, 10, 19, 2, tzinfo=UTC),
    passed=True,
    seconds=600.0,
    rto_minutes=60,
)
CROWD = 80
"""So many snapshots stand beside ours that the quota is asked for."""
LARGER_CROWD = 95
"""In the second account, so that it is full there while there is room elsewhere."""

EXEMPT: Mapping[str, str] = {
    "*/Logs: logs:*": "Lambda writes the logs in the function's name; the embedded cloud's goes to files",
    "holdfast-RunPlanRole: run/OwnProgress: lambda:GetDurableExecutionState": (
        "asked for by a run whose history does not fit the payload of an invocation, which this one's does"
    ),
    "*/DynamodbExportsRead: dynamodb:DescribeExport": (
        "asked for while an export is under way or has ended badly; the embedded cloud's are done at once"
    ),
    "*/RdsShare: arn:aws:rds:us-east-1:*": (
        "for a plan that copies to the second account in the stack's own Region; the roles there are of one "
        "Region, and here of the other"
    ),
    "*/AuroraShare: arn:aws:rds:us-east-1:*": "the same; of volumes it shows, which need no listing",
    "*/KeysUse: kms:ViaService dynamodb.*": (
        "for tables that are encrypted with a key of the customer's, of which the company has none"
    ),
    "holdfast-RestoreRole: restore/OwnProgress: lambda:GetDurableExecutionState": "the same, of a restore",
    "holdfast-DrillRole: drill/OwnProgress: lambda:GetDurableExecutionState": "the same, of a drill",
    "holdfast-ReturnItemsRole: return-items/OwnProgress: lambda:GetDurableExecutionState": "the same",
    "holdfast-ReturnItemsRole: return-items/KeysUse*": (
        "for tables that are encrypted with a key of the customer's, of which the company has none"
    ),
    "*/KeysGrant: kms:ViaService dynamodb.*": (
        "for tables that are to be encrypted with a key of the customer's, of which the company has none"
    ),
    "*/DynamodbImportFill: dynamodb:BatchWriteItem": (
        "for exports that hold changes: in these nights the company does no business"
    ),
    "holdfast-DrillRole: holdfast-Restore*Policy/*": (
        "what RestoreRole may, by the same policies: its restores show each statement, and a drill goes back "
        "to no instant and brings no protection back"
    ),
    "holdfast-RecoverRole: holdfast-Restore*Policy/*": "the same; it restores in the copy Region alone",
    "holdfast-RecoverRole: settings-copies-read/*": (
        "for a standby, which reads there alone, and for the day when the home Region does not answer"
    ),
    "holdfast-RecoverRole: recover/OwnProgress: lambda:GetDurableExecutionState": "as of a run",
    "holdfast-RestoreRole: restore/SettingsRead: s3:GetObject": (
        "for a source that is gone, as tests/e2e/test_restore.py has one"
    ),
    "holdfast-Re*Role: exports-read/DynamodbExportsList: s3:ListBucket": (
        "also said by SettingsCopiesMissing, which stands for itself"
    ),
    "holdfast-RestoreRole: settings-copies-read/*": (
        "for the day when the home Region does not answer, as tests/e2e/test_recover.py has it"
    ),
    "holdfast-RecordSettingsRole: record/DynamodbScalingRead: application-autoscaling:*": (
        "for tables with auto scaling, of which the company has none"
    ),
    "holdfast-RecordSettingsRole: record-copies/SettingsCopiesKey: kms:*": (
        "S3 uses the bucket's key in the writer's name, which the embedded cloud's does for exports alone"
    ),
    "*/NetworkInterfaces: ec2:*": "Lambda's own calls, by which it puts a function into a VPC",
    "*/NetworkList: ec2:*": "the same",
    "*/RdsSettle: rds:RebootDBInstance": (
        "for a parameter group that waits for a restart; the embedded cloud's count at once"
    ),
}
"""What the embedded cloud cannot show, each with its reason. Patterns of what `Audit.superfluous` says."""

EXEMPT_OF_KEYS: Mapping[str, str] = {
    "*/AlarmsEncrypt: kms:*": "CloudWatch's alarms publish by themselves, which moto's do not"
}
NOT_DEPLOYED = {"Traces"}
"""The statements that stand only where tracing is on. Lambda sends the traces itself."""


@pytest.fixture(scope="module")
def whole(built: None) -> Iterator[Estate]:
    """Nights and sweeps in which everything is called that Holdfast calls."""
    with estate() as made:
        _crowd(made)
        _lists(made)
        _nights(made)
        _sweeps(made)
        _restores(made)
        yield made


def _crowd(made: Estate) -> None:
    """Snapshots that people made, in all three places."""
    made.vault("rds", COPY_REGION).create_db_instance(
        DBInstanceIdentifier="lodger",
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret-here",
    )
    home = made.cloud.clients
    for clients, region, instance, crowd in (
        (home, HOME_REGION, "playground", CROWD),
        (home, COPY_REGION, "warehouse", CROWD),
        (made.vault, COPY_REGION, "lodger", LARGER_CROWD),
    ):
        for number in range(crowd):
            clients("rds", region).create_db_snapshot(
                DBInstanceIdentifier=instance, DBSnapshotIdentifier=f"{instance}-{number}"
            )


def _lists(made: Estate) -> None:
    """What people keep for the check to read: holds, prices, and a restore that was rehearsed."""
    ssm = made.cloud.clients("ssm")
    prices = {"as_of": "2026-10-01", "usd": {"ebs_snapshot_gb_month": 0.04}}
    for name, value in (("holds", []), ("prices", prices)):
        ssm.put_parameter(Name=f"/{STACK}/{name}", Type="String", Value=json.dumps(value))
    made.cloud.clients("s3").put_object(
        Bucket=made.house.stack.outputs["ReportBucketName"],
        Key=f"drills/nightly/{DRILL.at:%Y%m%dT%H%M%SZ}.json",
        Body=json.dumps(drill_to_dict(DRILL)).encode(),
    )


def _nights(made: Estate) -> None:
    schedule = read_schedule(made.cloud, made.house.stack)
    for night in schedule.instants(FIRST_NIGHT, NIGHTS):
        run = run_night(made.cloud, schedule, night)
        assert run.status == "SUCCEEDED", run.error
        for name in ("prune-backups", "publish-report"):
            answer = made.in_vault(name, {"plan": "nightly", "slot": f"{night:%Y-%m-%dT%H:%M:%SZ}"})
            assert not answer.error, answer.payload
        checked = start_check(
            made.cloud, read_check_schedule(made.cloud, made.house.stack), night + timedelta(hours=1)
        )
        assert checked["posture"]["problems"] == []
    # What Scheduler cannot start it puts into the queue, in the same role.
    queue = made.cloud.clients("sqs").get_queue_url(QueueName=f"{STACK}-dead-letters")["QueueUrl"]
    scheduler = made.cloud.clients.in_role(schedule.role, service="scheduler.amazonaws.com")
    scheduler("sqs").send_message(QueueUrl=queue, MessageBody="{}")


def _sweeps(made: Estate) -> None:
    made.function("copy-backups", {"plan": "nightly", "hint": True})
    made.function("prune-backups", {"plan": "nightly", "slot": SLOT, "dry_run": True})
    for name in FUNCTIONS[:3]:
        made.function(name, {"plan": "nosuch", "slot": SLOT})
    made.cloud.clients("lambda").invoke(
        FunctionName=f"{STACK}-run-plan",
        Qualifier="live",
        InvocationType="Event",
        Payload=b'{"plan": "nosuch"}',
    )
    until(lambda: _has_sent_a_dead_letter(made), seconds=120)
    plan = made.house.default_plan()
    everything = {"include": ["*"]}
    made.house.put_plan({**plan, "select": everything})
    made.function("create-backups", {"plan": "nightly", "slot": SLOT, "dry_run": True})
    made.function(RECORD, {"plan": "nightly", "slot": SLOT})
    made.function("verify-database", json.loads((EVENTS / "verify_database.rds.json").read_text()))
    # A second account may keep copies in the Region of the stack too. The roles there are of one Region, so
    # that this ends when volumes' snapshots have been shared.
    here = {"region": HOME_REGION, "account": VAULT_ACCOUNT_ID, "keep": {"daily": 1}}
    made.house.put_plan({**plan, "copies": [*plan["copies"], here]})
    made.function("copy-backups", {"plan": "nightly", "slot": SLOT})
    made.house.put_plan(plan)
    _reach_the_quota(made)


def _has_sent_a_dead_letter(made: Estate, role: str = "RunPlanRole") -> bool:
    return any(one["operation"] == "sqs:SendMessage" and role in one["role"] for one in made.decisions())


SCALED = {"MinCapacity": 1, "MaxCapacity": 9}
TRACKED = {
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
}
NOON = {"ScheduledActionName": "noon", "Schedule": "cron(0 12 * * ? *)", "ScalableTargetAction": SCALED}
ALL_OF_A_TABLE = {
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 2},
    "TimeToLive": {"Enabled": True, "AttributeName": "until"},
    "PointInTimeRecovery": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
    "ContributorInsights": {"table": "ACCESSED_AND_THROTTLED_KEYS"},
    "ResourcePolicy": {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "dynamodb:GetItem",
            "Resource": "{TableArn}",
        },
    },
    "AutoScaling": {
        "table": {"ReadCapacityUnits": {**SCALED, "Policies": [TRACKED], "ScheduledActions": [NOON]}}
    },
}
"""Settings by which every call is made that brings one back."""

OF_A_DATABASE = {
    "BackupRetentionPeriod": 3,
    "DeletionProtection": True,
    "MonitoringInterval": 60,
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring",
}


def _restores(made: Estate) -> None:
    """Each kind in both Regions, by each way that there is, with settings to bring back."""
    ec2 = made.cloud.clients("ec2")
    named = [{"Name": "tag:Name", "Values": ["archive"]}]
    volume = ec2.describe_volumes(Filters=named)["Volumes"][0]["VolumeId"]
    dynamodb, rds = "arn:aws:dynamodb:us-east-1:123456789012", "arn:aws:rds:us-east-1:123456789012"
    each: list[tuple[str, Mapping[str, object]]] = [
        (f"{dynamodb}:table/orders", ALL_OF_A_TABLE),
        (f"{rds}:db:billing", OF_A_DATABASE),
        (f"{rds}:cluster:ledger", {"DeletionProtection": True, "BackupRetentionPeriod": 3}),
        (f"arn:aws:ec2:us-east-1:123456789012:volume/{volume}", {}),
    ]
    for region in (HOME_REGION, COPY_REGION):
        for resource, settings in each:
            _restore(made, resource=resource, to="restored", region=region, settings=settings)
    for resource, _ in each[:3]:
        _restore(made, resource=resource, to="latest", at="latest")
    restoring.start(made.cloud.clients, STACK, {"resource": "nothing"})
    until(lambda: _has_sent_a_dead_letter(made, "RestoreRole"), seconds=120)
    _drills(made, [resource for resource, _ in each])
    _returns(made, f"{dynamodb}:table/orders")
    _recovers(made, [resource for resource, _ in each])


def _recovers(made: Estate, resources: Sequence[str]) -> None:
    """One of each kind, in the copy Region."""
    asked = {"plan": "nightly", "id": "audit", "only": list(resources)}
    answer = invoke.invoke(made.cloud.clients, STACK, RECOVER, json.dumps(asked).encode())
    assert not answer.error, answer.payload
    made.cloud.clients("lambda").invoke(
        FunctionName=f"{STACK}-{RECOVER}", Qualifier="live", InvocationType="Event", Payload=b"{}"
    )
    until(lambda: _has_sent_a_dead_letter(made, "RecoverRole"), seconds=120)


def _drills(made: Estate, resources: Sequence[str]) -> None:
    """Each kind from both Regions. A table that never came to its tags is marked and removed as well."""
    for region in (HOME_REGION, COPY_REGION):
        for resource in resources:
            told = _drill(made, resource=resource, place=region)
            [one] = told["rehearsals"]
            assert one["removed"], one
            assert one["stand"] == "over", one
    assert _drill(made, sweep=True)["left_behind"] == []
    schedule = read_schedule(made.cloud, made.house.stack)
    scheduler = made.cloud.clients.in_role(schedule.role, service="scheduler.amazonaws.com")
    scheduler("lambda").invoke(
        FunctionName=f"{STACK}-{DRILLING}",
        Qualifier="live",
        InvocationType="Event",
        Payload=b'{"plan": "nightly", "sweep": true, "slot": "2026-10-28T06:00:00Z"}',
    )
    made.cloud.clients("lambda").invoke(
        FunctionName=f"{STACK}-{DRILLING}", Qualifier="live", InvocationType="Event", Payload=b"{}"
    )
    until(lambda: _has_sent_a_dead_letter(made, "DrillRole"), seconds=120)


def _drill(made: Estate, **event: object) -> Mapping[str, Any]:
    answer = invoke.invoke(
        made.cloud.clients, STACK, DRILLING, json.dumps({"plan": "nightly", **event}).encode()
    )
    told: Mapping[str, Any] = json.loads(answer.payload)
    assert told["over"], told
    return told


def _returns(made: Estate, table: str) -> None:
    """What the company's orders have lost, from a restored table in each Region."""
    made.cloud.clients("dynamodb").delete_item(TableName="orders", Key=ITEM)
    for region in (COPY_REGION, HOME_REGION):
        restored = f"{table.replace(HOME_REGION, region)}-returned"
        _restore(made, resource=table, to="orders-returned", region=region)
        for to in ({}, {"to": table}):
            answer = invoke.invoke(
                made.cloud.clients, STACK, RETURN, json.dumps({"from": restored, **to}).encode()
            )
            assert json.loads(answer.payload)["state"] == "done", answer.payload
    made.cloud.clients("lambda").invoke(
        FunctionName=f"{STACK}-{RETURN}",
        Qualifier="live",
        InvocationType="Event",
        Payload=b'{"from": "nothing"}',
    )
    until(lambda: _has_sent_a_dead_letter(made, "ReturnItemsRole"), seconds=120)


def _restore(made: Estate, **event: object) -> None:
    arn = restoring.start(made.cloud.clients, STACK, event)
    execution = restoring.finished(made.cloud.runner, arn)
    assert execution.status == "SUCCEEDED", (event, execution.error)
    told = json.loads(execution.result)
    assert told["state"] == "done", (event, told)


def _reach_the_quota(made: Estate) -> None:
    """Only then do those who make snapshots ask what it is."""
    asked = {"plan": "nightly", "slot": "2026-10-28T02:00:00Z"}
    for function, quota in (
        ("create-backups", 1),
        ("create-backups", None),
        ("copy-backups", 1),
        ("copy-backups", LARGER_CROWD),
        ("copy-backups", LARGER_CROWD),
        ("copy-backups", None),
        ("check-recovery-points", None),
    ):
        quotas = Quotas(instance_snapshots=quota)
        control.let_it_be(made.cloud.moto.url, Forecast(name=f"room for {quota}", quotas=quotas))
        made.function(function, asked | ({"at": asked["slot"]} if function.startswith("check") else {}))


@pytest.fixture(scope="module")
def audit(whole: Estate) -> Audit:
    policies = whole.policies()
    return Audit(policies["identity"], policies["resource"], whole.decisions())


def ours(audit: Audit) -> list[str]:
    """The roles of the three templates: of the stack in the second account those of the first speak too."""
    return [
        role
        for role in audit.identity
        if VAULT_ACCOUNT_ID not in role or short_name(role) in (f"{STACK}-vault", f"{STACK}-vault-reader")
    ]


def left_over(said: list[str], exempt: Mapping[str, str]) -> list[str]:
    return [one for one in said if not any(fnmatchcase(one, f"*{pattern}") for pattern in exempt)]


class TestWhatIsAllowed:
    """A run under enforcement shows that nothing is missing; its log, that nothing is too much."""

    def test_nothing_that_the_run_needed_was_denied(self, whole: Estate) -> None:
        denied = {
            (short_name(one["role"]), one["action"], one["resource"].split(":")[3])
            for one in whole.decisions()
            if not one["allowed"]
        }
        assert {one for one in denied if one[0] != f"{STACK}-vault"} == set()
        assert {region for _, _, region in denied} <= {HOME_REGION}, "the copies to here, as they should be"

    def test_the_log_agrees_with_the_policies(self, audit: Audit) -> None:
        assert len(audit.decisions) > 1000
        assert audit.disagreements() == []

    def test_no_role_is_allowed_what_no_call_needs(self, audit: Audit) -> None:
        assert len(ours(audit)) == 15
        said = [one for role in ours(audit) for one in audit.superfluous(role)]
        assert left_over(said, EXEMPT) == []

    def test_no_trust_and_no_key_is_wider_than_needed(self, audit: Audit) -> None:
        asked = {one["policy"] for one in audit.decisions} & audit.resource.keys()
        stacks = [one for one in asked if VAULT_ACCOUNT_ID not in one or "vault" in one]
        said = [one for each in stacks for one in audit.superfluous_in(each)]
        assert left_over(said, EXEMPT_OF_KEYS) == []

    def test_each_exemption_is_needed(self, audit: Audit) -> None:
        said = [one for role in ours(audit) for one in audit.superfluous(role)]
        for pattern in EXEMPT:
            assert any(fnmatchcase(one, f"*{pattern}") for one in said), pattern

    def test_all_statements_of_the_templates_were_judged(self, whole: Estate, audit: Audit) -> None:
        vault = yaml_parse((ROOT / "template-vault-account.yaml").read_text())
        there = sids_of(whole.house.stack.template) | sids_of(vault)
        assert there - audit.sids(ours(audit)) == NOT_DEPLOYED

    @pytest.mark.parametrize(
        "planted",
        [
            {"Sid": "Planted", "Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"},
            {"Sid": "Planted", "Effect": "Allow", "Action": "rds:DeleteDBInstance", "Resource": "*"},
        ],
    )
    def test_a_permission_that_is_added_shows(self, audit: Audit, planted: Mapping[str, Any]) -> None:
        role = next(one for one in audit.identity if "CreateBackupsRole" in one)
        document = json.dumps({"Version": "2012-10-17", "Statement": [planted]})
        more = {**audit.identity, role: {**audit.identity[role], "planted": document}}
        said = replace(audit, identity=more).superfluous(role)
        assert any("planted/Planted" in one for one in said)

    def test_a_role_that_is_allowed_less_fails_in_the_cloud(self, whole: Estate) -> None:
        """And what it may still do is done."""
        iam = whole.cloud.clients("iam")
        role = next(one for one in whole.policies()["identity"] if "CreateBackupsRole" in one)
        asked = {"RoleName": role.rpartition("/")[2], "PolicyName": "create"}
        document = json.loads(whole.policies()["identity"][role]["create"])
        fewer = [one for one in document["Statement"] if one["Sid"] != "RdsCreateTags"]
        iam.put_role_policy(**asked, PolicyDocument=json.dumps({**document, "Statement": fewer}))
        try:
            answer = whole.function("create-backups", {"plan": "nightly", "slot": "2026-10-29T02:00:00Z"})
        finally:
            iam.put_role_policy(**asked, PolicyDocument=json.dumps(document))
        report = json.loads(answer.payload)
        failed = [one for one in report["outcomes"] if one["state"] == "failed"]
        assert {one["kind"] for one in failed} == {"rds"}
        assert all("rds:AddTagsToResource" in one["reason"] for one in failed)
        others = Counter(one["kind"] for one in report["outcomes"] if one["state"] in ("done", "pending"))
        assert others >= Counter(aurora=1, dynamodb=2, ebs=3), "what was restored is protected too"
        assert set(others) == {"aurora", "dynamodb", "ebs"}


type Try = Callable[[Clients], object]

DENIALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}

INSTANCE = "i-0123456789abcdef0"
VOLUME = "vol-0123456789abcdef0"
SNAPSHOT = "snap-0123456789abcdef0"
ITEM = {"id": {"S": "orders-0"}}

TOUCH_DATA: dict[str, Try] = {
    "get an item": lambda c: c("dynamodb").get_item(TableName="orders", Key=ITEM),
    "scan": lambda c: c("dynamodb").scan(TableName="orders"),
    "put an item": lambda c: c("dynamodb").put_item(TableName="orders", Item=ITEM),
    "delete an item": lambda c: c("dynamodb").delete_item(TableName="orders", Key=ITEM),
    "restore a table": lambda c: c("dynamodb").restore_table_from_backup(
        TargetTableName="stolen",
        BackupArn="arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01234567890123-01234567",
    ),
    "list blocks": lambda c: c("ebs").list_snapshot_blocks(SnapshotId=SNAPSHOT),
    "get a block": lambda c: c("ebs").get_snapshot_block(
        SnapshotId=SNAPSHOT, BlockIndex=0, BlockToken="token"
    ),
    "make a volume": lambda c: c("ec2").create_volume(
        AvailabilityZone="us-east-1a", SnapshotId=SNAPSHOT, Size=1
    ),
    "attach a volume": lambda c: c("ec2").attach_volume(
        VolumeId=VOLUME, InstanceId=INSTANCE, Device="/dev/sdz"
    ),
    "change an instance": lambda c: c("rds").modify_db_instance(
        DBInstanceIdentifier="billing", MasterUserPassword="another-password"
    ),
    "restore an instance": lambda c: c("rds").restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="stolen", DBSnapshotIdentifier="billing-before-upgrade"
    ),
}
DESTROY: dict[str, Try] = {
    "delete a table": lambda c: c("dynamodb").delete_table(TableName="orders"),
    "delete an instance": lambda c: c("rds").delete_db_instance(DBInstanceIdentifier="billing"),
    "delete a cluster": lambda c: c("rds").delete_db_cluster(DBClusterIdentifier="ledger"),
    "delete a volume": lambda c: c("ec2").delete_volume(VolumeId=VOLUME),
    "terminate": lambda c: c("ec2").terminate_instances(InstanceIds=[INSTANCE]),
    "untag a snapshot": lambda c: c("ec2").delete_tags(Resources=[SNAPSHOT], Tags=[{"Key": "holdfast:hold"}]),
    "untag a database snapshot": lambda c: c("rds").remove_tags_from_resource(
        ResourceName="arn:aws:rds:us-east-1:123456789012:snapshot:billing-before-upgrade",
        TagKeys=["holdfast:hold"],
    ),
    "tag a volume's snapshot": lambda c: c("ec2").create_tags(
        Resources=[SNAPSHOT], Tags=[{"Key": "holdfast:stack", "Value": STACK}]
    ),
}
TAKE_OVER: dict[str, Try] = {
    "make a role": lambda c: c("iam").create_role(RoleName="mine", AssumeRolePolicyDocument="{}"),
    "widen a role": lambda c: c("iam").put_role_policy(RoleName="r", PolicyName="p", PolicyDocument="{}"),
    "change a function": lambda c: c("lambda").update_function_code(
        FunctionName=f"{STACK}-prune-backups", ZipFile=b"zip"
    ),
    "change a plan": lambda c: c("ssm").put_parameter(
        Name=f"/{STACK}/plans/nightly", Type="String", Value="{}", Overwrite=True
    ),
    "change the prices": lambda c: c("ssm").put_parameter(
        Name=f"/{STACK}/prices", Type="String", Value="{}", Overwrite=True
    ),
    "change the holds": lambda c: c("ssm").put_parameter(
        Name=f"/{STACK}/holds", Type="String", Value="[]", Overwrite=True
    ),
    "be somebody else": lambda c: c("sts").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/admin", RoleSessionName="mine"
    ),
    "decrypt": lambda c: c("kms", COPY_REGION).decrypt(
        CiphertextBlob=b"secret", KeyId=f"alias/{STACK}-copies"
    ),
    "decrypt with what is not there": lambda c: c("kms").decrypt(CiphertextBlob=b"secret", KeyId="nosuch"),
    "throw a key away": lambda c: c("kms", COPY_REGION).schedule_key_deletion(
        KeyId=f"alias/{STACK}-copies", PendingWindowInDays=7
    ),
}
CREATE: dict[str, Try] = {
    "create a backup": lambda c: c("dynamodb").create_backup(TableName="orders", BackupName="mine"),
    "create a snapshot": lambda c: c("rds").create_db_snapshot(
        DBInstanceIdentifier="billing", DBSnapshotIdentifier="mine"
    ),
    "create a cluster's": lambda c: c("rds").create_db_cluster_snapshot(
        DBClusterIdentifier="ledger", DBClusterSnapshotIdentifier="mine"
    ),
    "create a volume's": lambda c: c("ec2").create_snapshot(VolumeId=VOLUME),
}
COPY: dict[str, Try] = {
    "copy a snapshot": lambda c: c("rds").copy_db_snapshot(
        SourceDBSnapshotIdentifier="billing-before-upgrade", TargetDBSnapshotIdentifier="mine"
    ),
    "copy a volume's": lambda c: c("ec2").copy_snapshot(SourceRegion=HOME_REGION, SourceSnapshotId=SNAPSHOT),
    "export": lambda c: c("dynamodb").export_table_to_point_in_time(
        TableArn="arn:aws:dynamodb:us-east-1:123456789012:table/orders", S3Bucket="mine"
    ),
    "share a snapshot": lambda c: c("rds").modify_db_snapshot_attribute(
        DBSnapshotIdentifier="billing-before-upgrade", AttributeName="restore", ValuesToAdd=["all"]
    ),
    "share a volume's": lambda c: c("ec2").modify_snapshot_attribute(
        SnapshotId=SNAPSHOT, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    ),
}
DELETE: dict[str, Try] = {
    "delete a backup": lambda c: c("dynamodb").delete_backup(
        BackupArn="arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01234567890123-01234567"
    ),
    "delete a snapshot": lambda c: c("rds").delete_db_snapshot(DBSnapshotIdentifier="billing-before-upgrade"),
    "delete a cluster's": lambda c: c("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="s"),
    "delete a volume's": lambda c: c("ec2").delete_snapshot(SnapshotId=SNAPSHOT),
}
LIST: dict[str, Try] = {
    "list backups": lambda c: c("dynamodb").list_backups(),
    "list snapshots": lambda c: c("rds").describe_db_snapshots(),
    "list volumes'": lambda c: c("ec2").describe_snapshots(),
    "list resources": lambda c: c("resourcegroupstaggingapi").get_resources(),
}
PUBLISH: dict[str, Try] = {
    "publish": lambda c: c("sns").publish(
        TopicArn=f"arn:aws:sns:us-east-1:123456789012:{STACK}-reports", Message="all is well"
    )
}
INVOKE: dict[str, Try] = {
    "invoke": lambda c: c("lambda").invoke(FunctionName=f"{STACK}-prune-backups:live", Payload=b"{}")
}
MARK = [{"Key": "holdfast:restore", "Value": "mine"}]
CHANGE: dict[str, Try] = {
    "change an instance": TOUCH_DATA["change an instance"],
    "restore without the tag": TOUCH_DATA["restore an instance"],
    "make a volume without the tag": TOUCH_DATA["make a volume"],
    "attach a volume": TOUCH_DATA["attach a volume"],
    "list blocks": TOUCH_DATA["list blocks"],
    "get a block": TOUCH_DATA["get a block"],
    "change a cluster": lambda c: c("rds").modify_db_cluster(
        DBClusterIdentifier="ledger", MasterUserPassword="another-password"
    ),
    "restart an instance": lambda c: c("rds").reboot_db_instance(DBInstanceIdentifier="billing"),
    "change a table": lambda c: c("dynamodb").update_table(
        TableName="orders", DeletionProtectionEnabled=False
    ),
    "let items expire": lambda c: c("dynamodb").update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "amount"}
    ),
    "switch recovery off": lambda c: c("dynamodb").update_continuous_backups(
        TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    ),
    "take a table for its own": lambda c: c("dynamodb").tag_resource(
        ResourceArn="arn:aws:dynamodb:us-east-1:123456789012:table/orders", Tags=MARK
    ),
    "take an instance for its own": lambda c: c("rds").add_tags_to_resource(
        ResourceName="arn:aws:rds:us-east-1:123456789012:db:billing", Tags=MARK
    ),
    "take a cluster for its own": lambda c: c("rds").add_tags_to_resource(
        ResourceName="arn:aws:rds:us-east-1:123456789012:cluster:ledger", Tags=MARK
    ),
    "take a volume for its own": lambda c: c("ec2").create_tags(Resources=[VOLUME], Tags=MARK),
    "write an item away": lambda c: c("dynamodb", COPY_REGION).put_item(TableName="orders", Item=ITEM),
}
"""What whoever restores must leave alone. Items at home are not among it: AWS demands the rights to them."""

ALL = TOUCH_DATA | DESTROY | TAKE_OVER
MUST_NOT: Mapping[str, Mapping[str, Try]] = {
    "create-backups": ALL | COPY | DELETE | PUBLISH | INVOKE,
    "copy-backups": ALL | CREATE | DELETE | PUBLISH | INVOKE,
    "prune-backups": ALL | CREATE | COPY | PUBLISH | INVOKE,
    "publish-report": ALL | CREATE | COPY | DELETE | LIST | INVOKE,
    "run-plan": ALL | CREATE | COPY | DELETE | LIST | PUBLISH,
    "check-recovery-points": ALL | CREATE | COPY | DELETE | PUBLISH | INVOKE,
    RECORD: ALL | CHANGE | CREATE | COPY | DELETE | PUBLISH | INVOKE,
    RESTORE: CHANGE | DESTROY | TAKE_OVER | CREATE | COPY | DELETE | INVOKE,
    RETURN: {
        what: attempt
        for what, attempt in (ALL | CHANGE | CREATE | COPY | DELETE | LIST | INVOKE).items()
        if what != "put an item"
    },
}


def assert_denied(attempt: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as refused:
        attempt()
    assert refused.value.response["Error"]["Code"] in DENIALS
    message = refused.value.response["Error"]["Message"]
    assert "is not authorized to perform" in message
    assert "has no row" not in message, "it was denied for a lack of knowledge, and not by IAM"


@pytest.mark.parametrize(
    ("function", "what"), [(function, what) for function, tried in MUST_NOT.items() for what in tried]
)
def test_what_a_function_must_not_do_is_denied(whole: Estate, function: str, what: str) -> None:
    clients = whole.as_function(function)
    assert_denied(lambda: MUST_NOT[function][what](clients))


class TestWhatIsDeletedByTags:
    """The prune role deletes by what a snapshot bears at the moment of the call."""

    @pytest.mark.parametrize(
        ("tags", "may"),
        [
            ({}, False),
            ({"holdfast:stack": "another"}, False),
            ({"holdfast:stack": STACK.upper()}, False),
            ({"holdfast:stack": STACK, "holdfast:hold": "audit"}, False),
            ({"holdfast:stack": STACK, "holdfast:hold": ""}, False),
            ({"holdfast:stack": STACK}, True),
        ],
    )
    @pytest.mark.parametrize("kind", ["instance", "cluster", "volume"])
    def test_only_ours_and_not_what_is_held(
        self, whole: Estate, kind: str, tags: Mapping[str, str], may: bool
    ) -> None:
        delete = _made(whole, kind, tags)
        if may:
            delete(whole.as_function("prune-backups"))
        else:
            assert_denied(lambda: delete(whole.as_function("prune-backups")))
            delete(whole.cloud.clients)


def _made(whole: Estate, kind: str, tags: Mapping[str, str]) -> Try:
    """Make a snapshot with these tags. Returns how it is deleted."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    clients = whole.cloud.clients
    match kind:
        case "instance":
            clients("rds").create_db_snapshot(
                DBInstanceIdentifier="website", DBSnapshotIdentifier="tried", Tags=listed
            )
            return lambda c: c("rds").delete_db_snapshot(DBSnapshotIdentifier="tried")
        case "cluster":
            clients("rds").create_db_cluster_snapshot(
                DBClusterIdentifier="ledger", DBClusterSnapshotIdentifier="tried", Tags=listed
            )
            return lambda c: c("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="tried")
        case _:
            volume = clients("ec2").describe_volumes()["Volumes"][0]["VolumeId"]
            made = clients("ec2").create_snapshot(VolumeId=volume)["SnapshotId"]
            if listed:
                clients("ec2").create_tags(Resources=[made], Tags=listed)
            return lambda c: c("ec2").delete_snapshot(SnapshotId=made)


class TestSharing:
    """The copy role gives EBS snapshots to the second account, and to nobody else. RDS has no condition for
    it: there the tag alone stands against sharing what is not ours."""

    @pytest.mark.parametrize("whom", [{"GroupNames": ["all"]}, {"UserIds": ["444455556666"]}])
    def test_a_volume_s_snapshot_is_shared_with_no_other(
        self, whole: Estate, whom: Mapping[str, list[str]]
    ) -> None:
        snapshot = _ours(whole)
        asked = {"SnapshotId": snapshot, "Attribute": "createVolumePermission", "OperationType": "add"}
        ec2 = whole.as_function("copy-backups")("ec2", COPY_REGION)
        assert_denied(lambda: ec2.modify_snapshot_attribute(**asked, **whom))
        ec2.modify_snapshot_attribute(**asked, UserIds=[VAULT_ACCOUNT_ID])


def _ours(whole: Estate) -> str:
    listed = whole.cloud.clients("ec2", COPY_REGION).describe_snapshots(
        Filters=[{"Name": "tag:holdfast:stack", "Values": [STACK]}]
    )
    return str(listed["Snapshots"][0]["SnapshotId"])


class TestBuckets:
    def test_the_exports_are_read_by_restores_alone(self, whole: Estate) -> None:
        bucket = whole.house.copy_bucket
        listed = whole.cloud.clients("s3", COPY_REGION).list_objects_v2(Bucket=bucket)["Contents"]
        key = next(one["Key"] for one in listed if "/data/" in one["Key"])
        for function in FUNCTIONS:
            s3 = whole.as_function(function)("s3", COPY_REGION)
            if function not in (RESTORE, DRILLING, RECOVER):
                assert_denied(lambda s3=s3: s3.get_object(Bucket=bucket, Key=key))  # type: ignore[misc]
        assert whole.as_function(RESTORE)("s3", COPY_REGION).get_object(Bucket=bucket, Key=key)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_no_record_is_deleted(self, whole: Estate, function: str) -> None:
        bucket = whole.house.stack.outputs["ReportBucketName"]
        s3 = whole.as_function(function)("s3")
        assert_denied(lambda: s3.delete_object(Bucket=bucket, Key="runs/nightly/one.json"))
        assert_denied(lambda: s3.delete_bucket(Bucket=bucket))

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_posture_and_the_page_are_written_by_the_check_alone(
        self, whole: Estate, function: str
    ) -> None:
        bucket = whole.house.stack.outputs["ReportBucketName"]
        s3 = whole.as_function(function)("s3")
        for key in ("posture/day=2026-10-25/one.jsonl.gz", "page/another.html"):
            put = partial(s3.put_object, Bucket=bucket, Key=key, Body=b"")
            if function == "check-recovery-points":
                put()
            else:
                assert_denied(put)

    def test_the_check_writes_no_record_and_no_drill(self, whole: Estate) -> None:
        bucket = whole.house.stack.outputs["ReportBucketName"]
        s3 = whole.as_function("check-recovery-points")("s3")
        for key in ("runs/nightly/one.json", "told/nightly.json", "turns/nightly.json", "drills/nightly/x"):
            assert_denied(lambda key=key: s3.put_object(Bucket=bucket, Key=key, Body=b""))  # type: ignore[misc]

    def test_each_record_and_posture_is_locked_and_nothing_that_changes(self, whole: Estate) -> None:
        bucket, s3 = whole.house.stack.outputs["ReportBucketName"], whole.cloud.clients("s3")
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        modes = {key: s3.head_object(Bucket=bucket, Key=key).get("ObjectLockMode") for key in keys}
        assert {key.partition("/")[0] for key, mode in modes.items() if mode == "GOVERNANCE"} == {
            "runs",
            "posture",
        }
        assert {key.partition("/")[0] for key, mode in modes.items() if mode is None} >= {
            "told",
            "turns",
            "page",
            "drills",
        }

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_no_lock_is_bypassed(self, whole: Estate, function: str) -> None:
        bucket, s3 = whole.house.stack.outputs["ReportBucketName"], whole.as_function(function)("s3")
        versions = whole.cloud.clients("s3").list_object_versions(Bucket=bucket, Prefix="runs/")["Versions"]
        locked = {"Bucket": bucket, "Key": versions[0]["Key"], "VersionId": versions[0]["VersionId"]}
        assert_denied(lambda: s3.delete_object(**locked, BypassGovernanceRetention=True))
        sooner = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2026, 12, 1, tzinfo=UTC)}
        assert_denied(
            lambda: s3.put_object_retention(**locked, Retention=sooner, BypassGovernanceRetention=True)
        )

    def test_prune_deletes_under_its_own_prefix_alone(self, whole: Estate) -> None:
        bucket = whole.house.copy_bucket
        s3 = whole.as_function("prune-backups")("s3", COPY_REGION)
        for key in ("holdfast/another/x", "other/x", f"holdfast/{STACK}-two/x"):
            assert_denied(lambda key=key: s3.delete_object(Bucket=bucket, Key=key))  # type: ignore[misc]
        s3.delete_object(Bucket=bucket, Key=f"holdfast/{STACK}/x")

    def test_an_absent_record_is_absent_and_what_is_elsewhere_forbidden(self, whole: Estate) -> None:
        bucket = whole.house.stack.outputs["ReportBucketName"]
        s3 = whole.as_function("publish-report")("s3")
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket=bucket, Key="runs/nosuch")
        assert_denied(lambda: s3.get_object(Bucket=bucket, Key="turns/nightly.json"))


class TestTheSecondAccount:
    def test_prune_and_the_check_may_look_there_and_not_copy(self, whole: Estate) -> None:
        role = f"arn:aws:iam::{VAULT_ACCOUNT_ID}:role/{STACK}-vault"
        for name in ("prune-backups", "check-recovery-points"):
            looking = whole.as_function(name)
            assert_denied(lambda looking=looking: looking.assume(role, "mine"))  # type: ignore[misc]
            looking.assume(f"{role}-reader", "mine")
        whole.as_function("copy-backups").assume(role, "mine")
        for name in ("create-backups", "publish-report", "run-plan"):
            assert_denied(lambda name=name: whole.as_function(name).assume(role, "mine"))  # type: ignore[misc]

    @pytest.mark.parametrize("what", [*TOUCH_DATA, *DESTROY, *DELETE, *TAKE_OVER])
    def test_the_copying_role_takes_nothing_away_there(self, whole: Estate, what: str) -> None:
        assert_denied(lambda: (ALL | DELETE)[what](whole.as_copier_in_vault()))

    def test_its_own_stack_pruned_there(self, whole: Estate) -> None:
        deleted = [
            one
            for one in whole.decisions()
            if VAULT_ACCOUNT_ID in one["role"] and ":Delete" in one["action"] and one["allowed"]
        ]
        assert {one["action"] for one in deleted} == {
            "ec2:DeleteSnapshot",
            "rds:DeleteDBClusterSnapshot",
            "rds:DeleteDBSnapshot",
        }
        assert {short_name(one["role"]) for one in deleted} == {f"{STACK}-PruneBackupsRole"}
