"""Tables made again of backups, by point-in-time recovery and of exports, with their settings."""

import gzip
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.adapters import dynamodb_exports, dynamodb_increments
from holdfast.adapters.dynamodb_given import mistakes
from holdfast.adapters.dynamodb_restore import DynamoDBRestorer
from holdfast.core.errors import (
    AlreadyExists,
    NotFound,
    NotReady,
    ProviderError,
    Throttled,
    Unprepared,
)
from holdfast.core.model import Backup
from holdfast.core.restoring import (
    RESTORE_TAG,
    Configuration,
    Fate,
    Filled,
    Found,
    Phase,
    Pick,
    Restore,
    RestoreRequest,
    RestoreState,
    Settings,
    Settled,
    Target,
    Wanted,
    Way,
    piece_of,
)
from holdfast.core.settling import compare
from local import tables as moto_s_tables
from tests.contract.kinds import DynamoDBWorld
from tests.contract.test_dynamodb_exports import ITEMS, SLOT, exported, items_in, normal, put
from tests.fakes import ACCOUNT, AWAY, HOME

REQUEST = "restore-1"
NEXT, LAST = SLOT + timedelta(days=1), SLOT + timedelta(days=1, hours=12)
ORDERS = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/orders"
STREAM = f"arn:aws:kinesis:{HOME}:{ACCOUNT}:stream/changes"
READS = ("Describe", "List", "Get")
PLENTY = 900.0

TRACKING = {
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
}
SCALED = {
    "table": {
        "ReadCapacityUnits": {
            "MinCapacity": 5,
            "MaxCapacity": 50,
            "Policies": [TRACKING],
            "ScheduledActions": [
                {
                    "ScheduledActionName": "evening",
                    "Schedule": "cron(0 18 * * ? *)",
                    "ScalableTargetAction": {"MinCapacity": 6, "MaxCapacity": 9},
                }
            ],
        }
    },
    "index/by-customer": {"WriteCapacityUnits": {"MinCapacity": 2, "MaxCapacity": 20}},
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["dynamodb:Query", "dynamodb:GetItem"],
            "Resource": [ORDERS, f"{ORDERS}/index/*"],
        }
    ],
}
INDEX = {
    "IndexName": "by-customer",
    "KeySchema": [{"AttributeName": "customer", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total", "day"]},
    "ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 3},
}
LOCAL_INDEX = {
    "IndexName": "by-day",
    "KeySchema": [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "day", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}


class RestoreWorld(DynamoDBWorld):
    """Tables, and what is called to make them again: `sent` has each call by its operation."""

    def __init__(self) -> None:
        super().__init__()
        moto_s_tables.teach()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.refused: dict[str, str] = {}
        self.dynamodb_away = self.client("dynamodb", AWAY)
        self.scaling = self.client("application-autoscaling")
        self._made: dict[tuple[str, str, int], Any] = {}
        self.restorer = DynamoDBRestorer(
            clients=lambda region: self.watched("dynamodb", region),
            once=lambda region: self.watched("dynamodb", region, attempts=1),
            scaling=lambda region: self.watched("application-autoscaling", region),
            s3=lambda region: self.watched("s3", region),
            exports=self.exports,
        )

    def watched(self, service: str, region: str, *, attempts: int = 2) -> Any:
        """A client whose calls are remembered, and of which some are `refused` (a code, by operation)."""
        key = (service, region, attempts)
        if key not in self._made:
            client = self.client(service, region, attempts=attempts)
            name = client.meta.service_model.service_id.hyphenize()
            client.meta.events.register_first(f"provide-client-params.{name}.*", self._send)
            self._made[key] = client
        return self._made[key]

    def _send(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.sent.append((model.name, dict(params)))
        if model.name in self.refused:
            code = self.refused[model.name]
            raise ClientError({"Error": {"Code": code, "Message": "not today"}}, model.name)

    def writes(self) -> list[str]:
        """What changed something, of all that was called since the last time."""
        told = [name for name, _ in self.sent if not name.startswith(READS)]
        self.sent.clear()
        return told

    # a table

    def make(self, name: str = "orders", **more: Any) -> str:
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            **({"BillingMode": "PAY_PER_REQUEST"} | more),
        )
        self.recoverable(name)
        return f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/{name}"

    def recoverable(self, name: str) -> None:
        self.dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={
                "PointInTimeRecoveryEnabled": True,
                "RecoveryPeriodInDays": 14,
            },
        )

    def make_with_everything(self) -> str:
        """A table on which every setting is other than DynamoDB makes it."""
        self.dynamodb.create_table(
            TableName="orders",
            KeySchema=[
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "line", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in (("line", "N"), ("id", "S"), ("customer", "S"), ("day", "S"))
            ],
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 11, "WriteCapacityUnits": 4},
            GlobalSecondaryIndexes=[INDEX],
            LocalSecondaryIndexes=[LOCAL_INDEX],
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": self.key_in(HOME)},
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            DeletionProtectionEnabled=True,
            Tags=[{"Key": "team", "Value": "sales"}, {"Key": "holdfast:plan", "Value": "nightly"}],
        )
        self.recoverable("orders")
        self.dynamodb.update_table(TableName="orders", TableClass="STANDARD_INFREQUENT_ACCESS")
        self.dynamodb.update_time_to_live(
            TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
        )
        self.dynamodb.put_resource_policy(ResourceArn=ORDERS, Policy=json.dumps(POLICY))
        for index in ({}, {"IndexName": "by-customer"}):
            self.dynamodb.update_contributor_insights(
                TableName="orders",
                ContributorInsightsAction="ENABLE",
                ContributorInsightsMode="THROTTLED_KEYS",
                **index,
            )
        self.dynamodb.enable_kinesis_streaming_destination(TableName="orders", StreamArn=STREAM)
        self._scale()
        return ORDERS

    def _scale(self) -> None:
        own = {"ServiceNamespace": "dynamodb", "ResourceId": "table/orders"}
        reads = {**own, "ScalableDimension": "dynamodb:table:ReadCapacityUnits"}
        self.scaling.register_scalable_target(**reads, MinCapacity=5, MaxCapacity=50)
        self.scaling.put_scaling_policy(
            **reads,
            PolicyName="as-somebody-called-it",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=TRACKING,
        )
        self.scaling.put_scheduled_action(
            **reads,
            ScheduledActionName="evening",
            Schedule="cron(0 18 * * ? *)",
            ScalableTargetAction={"MinCapacity": 6, "MaxCapacity": 9},
        )
        self.scaling.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/orders/index/by-customer",
            ScalableDimension="dynamodb:index:WriteCapacityUnits",
            MinCapacity=2,
            MaxCapacity=20,
        )

    # a restore of it

    def target(self, name: str = "orders-again", region: str = HOME, source: str = ORDERS) -> Target:
        return Target(kind="dynamodb", name=name, region=region, source=source, request=REQUEST)

    def backup(self) -> Pick:
        details = self.dynamodb.create_backup(TableName="orders", BackupName="by-hand")["BackupDetails"]
        [backup] = [one for one in self.provider.backups(HOME) if one.arn == details["BackupArn"]]
        return Pick(way=Way.BACKUP, instant=None, reason="", pieces=(piece_of(backup),))

    def configured(self, arn: str) -> Configuration:
        found = self.restorer.configuration(arn)
        assert found is not None
        return found

    def begun(self, pick: Pick, target: Target, wanted: Wanted = Wanted()) -> Found:  # noqa: B008
        """The table when it stands."""
        self.restorer.begin(pick, target, wanted)
        return self.ready(target)

    def ready(self, target: Target) -> Found:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                found = self.restorer.look(target)
            except NotReady:
                continue
            if found is not None and found.phase is not Phase.MAKING:
                return found
        raise AssertionError(f"{target.name} was not made")

    def settled(self, target: Target, wanted: Wanted, looks: int = 12) -> Settled:
        """What comes of it when it is looked at until nothing is pending."""
        pending = ""
        for _ in range(looks):
            settled = self.restorer.settle(target, self.ready(target), wanted)
            pending = settled.pending
            if not pending:
                return settled
        raise AssertionError(f"still pending: {pending}")


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb_exports, "CALLS_PER_SECOND", 1000)
    monkeypatch.setattr(dynamodb_increments, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.fixture
def world(aws: None) -> RestoreWorld:
    return RestoreWorld()


INSTANT = Pick(way=Way.INSTANT, instant=None, reason="")


def chain(*exports: Backup) -> Pick:
    return Pick(way=Way.EXPORT, instant=None, reason="", pieces=tuple(map(piece_of, exports)))


def is_mine(pick: Pick, target: Target, found: Found, began: datetime) -> bool:
    restore = Restore(
        request=RestoreRequest(id=target.request, resource=target.source, region=target.region),
        state=RestoreState.PENDING,
        reason="",
        began=began,
        to=target.name,
        pick=pick,
    )
    return restore.is_mine(found)


# Made of a backup, and by point-in-time recovery


def test_a_backup_is_restored_with_its_items_of_then(world: RestoreWorld) -> None:
    world.make()
    put(world, *ITEMS)
    pick, target, began = world.backup(), world.target(), datetime.now(UTC)
    put(world, {"id": {"S": "later"}})
    found = world.begun(pick, target)
    assert items_in(world.dynamodb, target.name) == {item["id"]["S"]: normal(item) for item in ITEMS}
    assert (found.phase, found.text, found.request) == (Phase.READY, "ACTIVE", "")
    assert found.made_of == pick.pieces[0].arn
    assert is_mine(pick, target, found, began)
    assert not is_mine(pick, target, found, began + timedelta(minutes=3))


@pytest.mark.long
@pytest.mark.parametrize("at", [None, datetime(2026, 11, 21, 2, 0, tzinfo=UTC)])
def test_point_in_time_recovery_is_asked_for_the_instant(world: RestoreWorld, at: datetime | None) -> None:
    world.make()
    put(world, *ITEMS)
    target, pick = world.target(), replace(INSTANT, instant=at)
    found = world.begun(pick, target)
    when = {"RestoreDateTime": at} if at else {"UseLatestRestorableTime": True}
    [asked] = [params for name, params in world.sent if name == "RestoreTableToPointInTime"]
    assert asked == {"SourceTableArn": ORDERS, "TargetTableName": "orders-again", **when}
    assert found.made_of == ORDERS
    assert is_mine(pick, target, found, datetime.now(UTC))
    assert items_in(world.dynamodb, target.name) == {item["id"]["S"]: normal(item) for item in ITEMS}


@pytest.mark.long
def test_nothing_stands_before(world: RestoreWorld) -> None:
    world.make()
    assert world.restorer.look(world.target()) is None


@pytest.mark.long
@pytest.mark.parametrize("way", [Way.BACKUP, Way.INSTANT, Way.EXPORT])
def test_a_name_that_is_taken_is_told_as_that_and_left_alone(world: RestoreWorld, way: Way) -> None:
    world.make()
    region = AWAY if way is Way.EXPORT else HOME
    target = world.target("taken", region)
    away = world.client("dynamodb", region)
    away.create_table(
        TableName="taken",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    away.put_item(TableName="taken", Item={"id": {"S": "theirs"}})
    pick = INSTANT
    if way is not Way.INSTANT:
        pick = world.backup() if way is Way.BACKUP else chain(exported(world))
    known = world.configured(ORDERS).settings
    with pytest.raises(AlreadyExists):
        world.restorer.begin(pick, target, Wanted(known=known))
    found = world.restorer.look(target)
    assert found is not None
    assert not is_mine(pick, target, found, datetime.now(UTC))
    assert items_in(away, "taken").keys() == {"theirs"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("operation", "code", "raised"),
    [
        ("RestoreTableFromBackup", "TableInUseException", AlreadyExists),
        ("RestoreTableFromBackup", "BackupInUseException", NotReady),
        ("RestoreTableFromBackup", "LimitExceededException", Throttled),
        ("RestoreTableFromBackup", "BackupNotFoundException", NotFound),
        ("RestoreTableToPointInTime", "TableAlreadyExistsException", AlreadyExists),
        ("RestoreTableToPointInTime", "PointInTimeRecoveryUnavailableException", Unprepared),
    ],
)
def test_what_aws_answers_to_a_restore(
    world: RestoreWorld, operation: str, code: str, raised: type[ProviderError]
) -> None:
    world.make()
    world.refused = {operation: code}
    pick = INSTANT if operation.endswith("InTime") else world.backup()
    with pytest.raises(raised) as caught:
        world.restorer.begin(pick, world.target(), Wanted())
    assert caught.type is raised
    assert [name for name, _ in world.sent] == [operation]


@pytest.mark.long
def test_a_client_that_repeats_restores_is_not_used(world: RestoreWorld) -> None:
    world.make()
    restorer = DynamoDBRestorer(
        clients=lambda region: world.watched("dynamodb", region),
        once=lambda region: world.watched("dynamodb", region),
        scaling=lambda region: world.watched("application-autoscaling", region),
        s3=lambda region: world.watched("s3", region),
        exports=world.exports,
    )
    with pytest.raises(ValueError, match="repeat"):
        restorer.begin(INSTANT, world.target(), Wanted())
    assert world.sent == []


@pytest.mark.long
def test_what_the_request_gives_is_so_from_the_beginning(world: RestoreWorld) -> None:
    world.make_with_everything()
    throughput = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 1}
    key = world.key_in(HOME)
    given: dict[str, Any] = {
        "ProvisionedThroughput": throughput,
        "BillingMode": "PROVISIONED",
        "GlobalSecondaryIndexes": [],
        "LocalSecondaryIndexes": [],
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        "TableClass": "STANDARD",
    }
    world.begun(world.backup(), world.target(), Wanted(given=given))
    [asked] = [params for name, params in world.sent if name == "RestoreTableFromBackup"]
    assert {name for name in asked if name.endswith("Override")} == {
        "BillingModeOverride",
        "ProvisionedThroughputOverride",
        "GlobalSecondaryIndexOverride",
        "LocalSecondaryIndexOverride",
        "SSESpecificationOverride",
    }
    has = world.configured(f"{ORDERS}-again").settings
    assert {name: has[name] for name in given if name != "TableClass"} == {
        name: value for name, value in given.items() if name != "TableClass"
    }


# The settings


def outcomes(
    world: RestoreWorld, target: Target, wanted: Wanted, settled: Settled
) -> dict[str, tuple[Fate, str]]:
    restored = world.configured(world.ready(target).arn)
    known = Configuration(arn=target.source, settings=wanted.known)
    return {
        one.name: (one.fate, one.reason) for one in compare(known, restored, wanted.given, settled.problems)
    }


@pytest.mark.long
def test_every_setting_is_read(world: RestoreWorld) -> None:
    world.make_with_everything()
    told = world.configured(ORDERS)
    assert told.unread == {}
    assert told.settings == {
        "KeySchema": [
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "line", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("customer", "S"), ("day", "S"), ("id", "S"), ("line", "N"))
        ],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 11, "WriteCapacityUnits": 4},
        "GlobalSecondaryIndexes": [
            INDEX | {"Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["day", "total"]}}
        ],
        "LocalSecondaryIndexes": [LOCAL_INDEX],
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": world.key_in(HOME)},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "DeletionProtectionEnabled": True,
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "TimeToLive": {"Enabled": True, "AttributeName": "until"},
        "PointInTimeRecovery": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 14},
        "ContributorInsights": {"table": "THROTTLED_KEYS", "index/by-customer": "THROTTLED_KEYS"},
        "ResourcePolicy": {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": ["dynamodb:GetItem", "dynamodb:Query"],
                "Resource": ["{TableArn}", "{TableArn}/index/*"],
            },
        },
        "KinesisDataStreamDestinations": [
            {"StreamArn": STREAM, "ApproximateCreationDateTimePrecision": "MILLISECOND"}
        ],
        "AutoScaling": SCALED,
        "Tags": {"holdfast:plan": "nightly", "team": "sales"},
    }
    json.dumps(told.settings)


def test_every_setting_comes_back_or_is_told(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    stream = came.pop("KinesisDataStreamDestinations")
    assert stream[0] is Fate.NOT_POSSIBLE
    assert "one stream" in stream[1]
    assert {name: one for name, one in came.items() if one[0] is not Fate.RESTORED} == {}
    assert len(came) == 16
    policy = world.dynamodb.get_resource_policy(ResourceArn=f"{ORDERS}-again")["Policy"]
    assert json.loads(policy)["Statement"]["Resource"] == [f"{ORDERS}-again", f"{ORDERS}-again/index/*"]


def test_settling_again_changes_nothing(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    first = world.settled(target, wanted)
    assert len(world.writes()) > 10
    assert world.settled(target, wanted, looks=1) == first
    assert world.writes() == []


@pytest.mark.long
def test_the_tag_comes_first_and_alone_and_the_protection_last(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    found = world.begun(world.backup(), target, wanted)
    world.writes()
    first = world.restorer.settle(target, found, wanted)
    assert first.pending
    assert world.writes() == ["TagResource"]
    assert world.ready(target).request == REQUEST
    world.settled(target, wanted)
    updates = [params for name, params in world.sent if name == "UpdateTable"]
    assert [set(one) - {"TableName"} for one in updates] == [
        {"TableClass"},
        {"StreamSpecification"},
        {"DeletionProtectionEnabled"},
    ]
    assert world.writes()[-1] == "UpdateTable"


@pytest.mark.long
def test_one_change_of_the_table_at_a_time(world: RestoreWorld) -> None:
    """Each makes the table UPDATING, and another one is refused then."""
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    looks = 0
    while True:
        settled = world.restorer.settle(target, world.ready(target), wanted)
        assert world.writes().count("UpdateTable") <= 1
        if not settled.pending:
            break
        looks += 1
        assert looks < 10


@pytest.mark.long
def test_a_table_that_aws_changes_is_waited_for(world: RestoreWorld) -> None:
    world.make()
    target = world.target()
    found = replace(world.begun(INSTANT, target), request=REQUEST)

    def updating(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Table"]["GlobalSecondaryIndexes"] = [{"IndexName": "by-day", "IndexStatus": "CREATING"}]

    client = world.watched("dynamodb", HOME)
    client.meta.events.register("after-call.dynamodb.DescribeTable", updating)
    world.writes()
    settled = world.restorer.settle(target, found, Wanted(known={"TableClass": "STANDARD_INFREQUENT_ACCESS"}))
    assert settled.pending == "its index by-day is CREATING"
    assert world.writes() == []


@pytest.mark.long
def test_what_aws_tells_otherwise_than_it_took_it_is_told_and_left(world: RestoreWorld) -> None:
    world.make()
    target, known = world.target(), world.configured(ORDERS).settings
    wanted = Wanted(known={**known, "TimeToLive": {"Enabled": True, "AttributeName": "until"}})
    world.begun(INSTANT, target, wanted)
    world.watched("dynamodb", HOME).meta.events.register(
        "after-call.dynamodb.DescribeTimeToLive",
        lambda parsed, **_: parsed["TimeToLiveDescription"].update(AttributeName="another"),
    )
    settled = world.settled(target, wanted)
    assert settled.problems == {"TimeToLive": "it was set, and AWS tells it otherwise"}
    assert world.writes().count("UpdateTimeToLive") == 3  # once while it was off, and then twice


REFUSALS = {
    "UpdateTimeToLive": {"TimeToLive"},
    "UpdateContinuousBackups": {"PointInTimeRecovery"},
    "PutResourcePolicy": {"ResourcePolicy"},
    "UpdateContributorInsights": {"ContributorInsights"},
    "UpdateTable": {"TableClass", "StreamSpecification", "DeletionProtectionEnabled"},
    "RegisterScalableTarget": {"AutoScaling"},
    "PutScalingPolicy": {"AutoScaling"},
    "PutScheduledAction": {"AutoScaling"},
}


@pytest.mark.long
@pytest.mark.parametrize("operation", REFUSALS)
def test_what_is_refused_stops_nothing_else(world: RestoreWorld, operation: str) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    world.refused = {operation: "AccessDeniedException"}
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    lost = {name: reason for name, (fate, reason) in came.items() if fate is Fate.NOT_POSSIBLE}
    assert lost.keys() == REFUSALS[operation] | {"KinesisDataStreamDestinations"}
    assert all(operation in lost[name] and "not today" in lost[name] for name in REFUSALS[operation])


@pytest.mark.long
def test_what_may_pass_is_tried_again_in_the_next_look(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    world.restorer.settle(target, world.ready(target), wanted)
    world.refused = {"UpdateTimeToLive": "ThrottlingException"}
    with pytest.raises(Throttled):
        world.restorer.settle(target, world.ready(target), wanted)
    world.refused = {}
    assert "TimeToLive" not in world.settled(target, wanted).problems


UNREADABLE = {
    "DescribeTimeToLive": "TimeToLive",
    "DescribeContinuousBackups": "PointInTimeRecovery",
    "ListContributorInsights": "ContributorInsights",
    "GetResourcePolicy": "ResourcePolicy",
    "DescribeKinesisStreamingDestination": "KinesisDataStreamDestinations",
    "ListTagsOfResource": "Tags",
    "DescribeScalableTargets": "AutoScaling",
    "DescribeScalingPolicies": "AutoScaling",
}


@pytest.mark.long
@pytest.mark.parametrize(("operation", "name"), UNREADABLE.items())
def test_what_cannot_be_read_hides_no_other(world: RestoreWorld, operation: str, name: str) -> None:
    world.make_with_everything()
    whole = world.configured(ORDERS).settings
    world.refused = {operation: "AccessDeniedException"}
    told = world.configured(ORDERS)
    assert told.unread.keys() == {name}
    assert "not today" in told.unread[name]
    assert told.settings == {key: value for key, value in whole.items() if key != name}
    world.refused = {operation: "ThrottlingException"}
    with pytest.raises(Throttled):
        world.restorer.configuration(ORDERS)


@pytest.mark.long
def test_a_setting_that_cannot_be_read_is_not_written_over(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    world.refused = {"GetResourcePolicy": "AccessDeniedException"}
    world.settled(target, wanted)
    assert "PutResourcePolicy" not in world.writes()


@pytest.mark.long
def test_a_table_that_is_gone_has_no_settings_and_no_window(world: RestoreWorld) -> None:
    assert world.restorer.configuration(ORDERS) is None
    assert world.restorer.window(ORDERS) is None


@pytest.mark.long
def test_the_window_is_that_of_point_in_time_recovery(world: RestoreWorld) -> None:
    world.make()
    window = world.restorer.window(ORDERS)
    assert window is not None
    assert window.earliest <= window.latest <= datetime.now(UTC)
    world.dynamodb.update_continuous_backups(
        TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    assert world.restorer.window(ORDERS) is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "given"),
    [
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            },
            {"BillingMode": "PAY_PER_REQUEST"},
        ),
        (
            {},
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                "TimeToLive": {"Enabled": True, "AttributeName": "until"},
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
                "PointInTimeRecovery": {"PointInTimeRecoveryEnabled": False},
                "Tags": {"team": "recovery"},
                "KinesisDataStreamDestinations": [
                    {"StreamArn": STREAM, "ApproximateCreationDateTimePrecision": "MICROSECOND"}
                ],
                "AutoScaling": {"table": {"ReadCapacityUnits": {"MinCapacity": 1, "MaxCapacity": 2}}},
            },
        ),
    ],
)
def test_what_the_request_gives_comes_instead(
    world: RestoreWorld, source: dict[str, Any], given: dict[str, Any]
) -> None:
    world.make(**source)
    assert world.restorer.mistakes(given) == []
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings, given=given)
    world.begun(INSTANT, target, wanted)
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    assert {name: came[name] for name in given} == dict.fromkeys(given, (Fate.CHANGED, "as the request says"))
    lost = {name: reason for name, (fate, reason) in came.items() if fate is Fate.NOT_POSSIBLE}
    assert lost == (
        {"ProvisionedThroughput": "the table is paid per request, which has none"} if source else {}
    )


@pytest.mark.long
def test_limits_of_what_is_paid_per_request_come_back(world: RestoreWorld) -> None:
    world.make()
    limits = {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}
    world.dynamodb.update_table(TableName="orders", OnDemandThroughput=limits)
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    assert wanted.known["OnDemandThroughput"] == limits
    world.begun(INSTANT, target, wanted)
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    assert came["OnDemandThroughput"] == (Fate.RESTORED, "")


@pytest.mark.long
def test_a_throughput_that_auto_scaling_sets_is_left_to_it(world: RestoreWorld) -> None:
    world.make_with_everything()
    target, wanted = world.target(), Wanted(known=world.configured(ORDERS).settings)
    world.begun(world.backup(), target, wanted)
    world.settled(target, wanted)
    world.dynamodb.update_table(
        TableName=target.name, ProvisionedThroughput={"ReadCapacityUnits": 30, "WriteCapacityUnits": 4}
    )
    world.writes()
    settled = world.settled(target, wanted, looks=1)
    assert settled.problems["ProvisionedThroughput"] == "auto scaling sets it"
    assert world.writes() == []


@pytest.mark.long
def test_an_index_made_since_the_backup_is_made_again_and_an_older_one_told(world: RestoreWorld) -> None:
    world.make()
    pick = world.backup()
    index = {name: value for name, value in INDEX.items() if name != "ProvisionedThroughput"}
    world.dynamodb.update_table(
        TableName="orders",
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "customer", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    target, known = world.target(), world.configured(ORDERS).settings
    world.begun(pick, target)
    came = outcomes(world, target, Wanted(known=known), world.settled(target, Wanted(known=known)))
    assert {fate for fate, _ in came.values()} == {Fate.RESTORED}

    older = world.target("orders-without")
    wanted = Wanted(known={**known, "GlobalSecondaryIndexes": []})
    world.begun(INSTANT, older)
    came = outcomes(world, older, wanted, world.settled(older, wanted))
    assert came["GlobalSecondaryIndexes"] == (
        Fate.NOT_POSSIBLE,
        "the backup has other indexes, which were left: by-customer",
    )


@pytest.mark.long
def test_a_table_of_another_restore_is_not_settled(world: RestoreWorld) -> None:
    world.make()
    target = world.target()
    found = world.begun(INSTANT, target)
    world.writes()
    with pytest.raises(AlreadyExists, match="another restore"):
        world.restorer.settle(target, replace(found, request="theirs"), Wanted(known={"TableClass": "x"}))
    assert world.writes() == []


# Made of exports, in the other Region


def changed_twice(world: RestoreWorld) -> Pick:
    """A table, its whole export and two with changes; and the items of the last."""
    put(world, *ITEMS, {"id": {"S": "soon gone"}}, {"id": {"S": "gone later"}})
    exports = [exported(world)]
    put(world, {"id": {"S": "plain"}, "n": {"N": "2"}}, {"id": {"S": "new"}, "b": {"B": b"\xff\x00"}})
    world.dynamodb.delete_item(TableName="orders", Key={"id": {"S": "soon gone"}})
    exports.append(exported(world, NEXT, base=SLOT))
    world.dynamodb.delete_item(TableName="orders", Key={"id": {"S": "gone later"}})
    put(
        world,
        {"id": {"S": "new"}, "bs": {"BS": [b"\x01", b"\xfe"]}},
        {"id": {"S": "soon gone"}, "n": {"N": "9"}},
    )
    put(world, ITEMS[0] | {"m": {"M": {"deep": {"L": [{"B": b"\x09"}]}}}})
    exports.append(exported(world, LAST, base=NEXT))
    return chain(*exports)


@pytest.fixture
def abroad(world: RestoreWorld) -> tuple[RestoreWorld, Pick, Target, Wanted]:
    world.make()
    pick = changed_twice(world)
    return world, pick, world.target(region=AWAY), Wanted(known=world.configured(ORDERS).settings)


type Abroad = tuple[RestoreWorld, Pick, Target, Wanted]


def filled(world: RestoreWorld, pick: Pick, target: Target, filled: Filled = Filled()) -> Filled:  # noqa: B008
    for _ in range(3):
        filled = world.restorer.fill(pick, target, filled, lambda: PLENTY)
        if filled.done == filled.total:
            break
    return filled


def test_a_whole_export_and_its_increments_give_the_items_of_the_last_slot(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    source = items_in(world.dynamodb, "orders")
    put(world, {"id": {"S": "after the last slot"}})
    began = datetime.now(UTC)
    found = world.begun(pick, target, wanted)
    assert (found.phase, found.made_of) == (Phase.READY, pick.pieces[0].arn)
    assert is_mine(pick, target, found, began)
    assert filled(world, pick, target) == Filled(done=4, total=4)
    assert items_in(world.dynamodb_away, target.name) == source


@pytest.mark.long
def test_the_settings_come_along_to_the_other_region(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    filled(world, pick, target)
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    assert {fate for fate, _ in came.values()} == {Fate.RESTORED}


@pytest.mark.long
def test_every_setting_comes_to_the_other_region_or_is_told(world: RestoreWorld) -> None:
    world.make_with_everything()
    pick = chain(exported(world), exported(world, NEXT, base=SLOT))
    target, wanted = world.target(region=AWAY), Wanted(known=world.configured(ORDERS).settings)
    world.begun(pick, target, wanted)
    filled(world, pick, target)
    came = outcomes(world, target, wanted, world.settled(target, wanted))
    lost = {name: reason for name, (fate, reason) in came.items() if fate is Fate.NOT_POSSIBLE}
    assert lost.keys() == {
        "LocalSecondaryIndexes",
        "AttributeDefinitions",
        "SSESpecification",
        "KinesisDataStreamDestinations",
    }
    assert lost["SSESpecification"].startswith(
        f"the source's key is of {HOME}: give settings.SSESpecification"
    )
    assert "cannot be added" in lost["LocalSecondaryIndexes"]
    key = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": world.key_in(AWAY)}
    given: dict[str, Any] = {"SSESpecification": key}
    again, wanted = world.target("with-key", AWAY), replace(wanted, given=given)
    world.begun(pick, again, wanted)
    filled(world, pick, again)
    came = outcomes(world, again, wanted, world.settled(again, wanted))
    assert came["SSESpecification"][0] is Fate.CHANGED


@pytest.mark.long
def test_until_the_changes_are_there_the_table_is_paid_per_request(world: RestoreWorld) -> None:
    """A provisioned throughput of some units would be used up for hours."""
    world.make_with_everything()
    whole, more = exported(world), exported(world, NEXT, base=SLOT)
    wanted = Wanted(known=world.configured(ORDERS).settings)
    world.begun(chain(whole, more), world.target("filled", AWAY), wanted)
    world.begun(chain(whole), world.target("whole", AWAY), wanted)
    modes = [
        params["TableCreationParameters"]["BillingMode"]
        for name, params in world.sent
        if name == "ImportTable"
    ]
    assert modes == ["PAY_PER_REQUEST", "PROVISIONED"]


@pytest.mark.long
def test_a_whole_export_alone_has_nothing_to_put_on_top(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    alone = replace(pick, pieces=pick.pieces[:1])
    world.begun(alone, target, wanted)
    world.writes()
    assert world.restorer.fill(alone, target, Filled(), lambda: PLENTY) == Filled()
    assert world.writes() == []


@pytest.mark.long
def test_an_import_without_known_keys_says_what_to_give(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.writes()
    with pytest.raises(Unprepared, match=r"settings\.KeySchema and settings\.AttributeDefinitions"):
        world.restorer.begin(pick, target, Wanted())
    assert world.writes() == []
    given: Settings = {name: wanted.known[name] for name in ("KeySchema", "AttributeDefinitions")}
    assert world.begun(pick, target, Wanted(given=given)).phase is Phase.READY


@pytest.mark.long
def test_asking_for_an_import_again_finds_the_same(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.begin(pick, target, wanted)
    imports = world.dynamodb_away.list_imports()["ImportSummaryList"]
    assert len(imports) == 1


@pytest.mark.long
def test_an_increment_that_is_gone_is_told(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    last = pick.pieces[-1].arn.rsplit("/", 1)[1]
    pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=world.bucket)
    for key in [one["Key"] for page in pages for one in page["Contents"] if last in one["Key"]]:
        world.s3.delete_object(Bucket=world.bucket, Key=key)
    world.writes()
    with pytest.raises(NotFound):
        world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    assert world.writes() == []


@pytest.mark.long
def test_filling_resumed_in_the_middle_gives_the_same(
    abroad: Abroad, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, pick, target, wanted = abroad
    monkeypatch.setattr(dynamodb_increments, "PART", 2)
    monkeypatch.setattr(dynamodb_increments, "BATCH", 1)
    monkeypatch.setattr(dynamodb_increments, "THREADS", 1)
    source = items_in(world.dynamodb, "orders")
    world.begun(pick, target, wanted)
    told, looks = Filled(), 0
    while not (told.total > 1 and told.done == told.total):
        left = iter([PLENTY, PLENTY, PLENTY, *[10.0] * 99])
        before, told = told, world.restorer.fill(pick, target, told, lambda: next(left))  # noqa: B023
        assert before.done <= told.done <= told.total
        looks += 1
        assert looks < 20
    assert told.total == 6  # two increments of three and four changes, and two empty files
    assert looks == 4  # the tag, and three of which two stop in the middle of a part
    assert items_in(world.dynamodb_away, target.name) == source


@pytest.mark.long
def test_without_time_nothing_is_put(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    world.writes()
    told = world.restorer.fill(pick, target, Filled(), lambda: 59.0)
    assert told.done == 0
    assert told.total == 4
    assert "BatchWriteItem" not in world.writes()


@pytest.mark.long
def test_what_dynamodb_leaves_out_is_sent_again(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    source = items_in(world.dynamodb, "orders")
    world.begun(pick, target, wanted)
    kept: list[Any] = []

    def keep_one_back(params: dict[str, Any], **_: Any) -> None:
        [requests] = params["RequestItems"].values()
        kept[:] = requests[1:]
        del requests[1:]

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        parsed["UnprocessedItems"] = {target.name: list(kept)} if kept else {}

    client = world.watched("dynamodb", AWAY)
    client.meta.events.register("before-parameter-build.dynamodb.BatchWriteItem", keep_one_back)
    client.meta.events.register("after-call.dynamodb.BatchWriteItem", tell)
    filled(world, pick, target)
    assert items_in(world.dynamodb_away, target.name) == source


@pytest.mark.long
def test_what_was_put_before_dynamodb_asked_to_slow_down_is_remembered(
    abroad: Abroad, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, pick, target, wanted = abroad
    monkeypatch.setattr(dynamodb_increments, "PART", 1)
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    count = iter(range(99))

    def slow_down(**_: Any) -> None:
        if next(count) == 2:
            error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
            raise ClientError(error, "BatchWriteItem")  # type: ignore[arg-type]

    world.watched("dynamodb", AWAY).meta.events.register(
        "before-parameter-build.dynamodb.BatchWriteItem", slow_down
    )
    assert world.restorer.fill(pick, target, Filled(), lambda: PLENTY) == Filled(done=2, total=9)


@pytest.mark.long
def test_what_dynamodb_leaves_out_for_ever_is_told(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    left: dict[str, Any] = {}
    client = world.watched("dynamodb", AWAY)
    client.meta.events.register(
        "before-parameter-build.dynamodb.BatchWriteItem",
        lambda params, **_: left.update(params["RequestItems"]),
    )
    client.meta.events.register(
        "after-call.dynamodb.BatchWriteItem", lambda parsed, **_: parsed.update(UnprocessedItems=dict(left))
    )
    with pytest.raises(Throttled, match="DynamoDB took 0 of"):
        world.restorer.fill(pick, target, Filled(), lambda: PLENTY)


def put_changes(world: RestoreWorld, body: bytes) -> None:
    """In the place of every file with changes."""
    pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=world.bucket)
    for key in [one["Key"] for page in pages for one in page["Contents"]]:
        if "AWSDynamoDB/data/" in key:
            world.s3.put_object(Bucket=world.bucket, Key=key, Body=body)


@pytest.mark.long
def test_an_empty_file_is_a_partition_without_changes(abroad: Abroad) -> None:
    """By the developer guide there is one for each, and it is not said to be packed."""
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    put_changes(world, b"")
    assert world.restorer.fill(pick, target, Filled(), lambda: PLENTY) == Filled(done=4, total=4)


BROKEN_FILES = [b"not gzip at all", b"\x1f\x8b\x08\x00broken", gzip.compress(b"{]\n", mtime=0)]


@pytest.mark.long
@pytest.mark.parametrize("body", BROKEN_FILES)
def test_an_export_that_is_broken_is_told(abroad: Abroad, body: bytes) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    put_changes(world, body)
    with pytest.raises(ProviderError) as caught:
        world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    assert (caught.value.code, caught.value.retryable) == ("MalformedExport", False)


def test_a_table_that_was_not_made_of_the_export_is_not_written_to(abroad: Abroad) -> None:
    world, pick, target, _ = abroad
    world.dynamodb_away.create_table(
        TableName=target.name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.writes()
    for tag in ("", "another-restore"):
        if tag:
            arn = f"arn:aws:dynamodb:{AWAY}:{ACCOUNT}:table/{target.name}"
            world.dynamodb_away.tag_resource(ResourceArn=arn, Tags=[{"Key": RESTORE_TAG, "Value": tag}])
        with pytest.raises(AlreadyExists, match="not written to"):
            world.restorer.fill(pick, target, Filled(), lambda: PLENTY)
    assert world.writes() == []
    assert items_in(world.dynamodb_away, target.name) == {}


@pytest.mark.long
def test_a_table_of_the_name_of_one_imported_before_is_another(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    world.dynamodb_away.delete_table(TableName=target.name)
    world.dynamodb_away.create_table(
        TableName=target.name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    found = world.restorer.look(target)
    assert found is not None
    assert found.made_of == ""
    assert not is_mine(pick, target, found, datetime.now(UTC))


def importing(world: RestoreWorld, **told: Any) -> None:
    """What DescribeImport answers from now on, besides."""
    world.watched("dynamodb", AWAY).meta.events.register(
        "after-call.dynamodb.DescribeImport",
        lambda parsed, **_: parsed["ImportTableDescription"].update(told),
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("told", "phase", "text"),
    [
        ({"ImportStatus": "IN_PROGRESS"}, Phase.MAKING, "ACTIVE, its import IN_PROGRESS"),
        (
            {"ImportStatus": "FAILED", "FailureCode": "S3AccessDenied", "FailureMessage": "no"},
            Phase.FAILED,
            "ACTIVE, its import FAILED (S3AccessDenied: no)",
        ),
        ({"ImportStatus": "CANCELLED"}, Phase.FAILED, "ACTIVE, its import CANCELLED"),
        (
            {"ErrorCount": 3},
            Phase.FAILED,
            "ACTIVE, its import left out items: 3 errors, which CloudWatch Logs tells",
        ),
        ({"TableId": ""}, Phase.READY, "ACTIVE"),
    ],
)
def test_how_far_an_import_is(abroad: Abroad, told: dict[str, Any], phase: Phase, text: str) -> None:
    world, pick, target, wanted = abroad
    world.begun(pick, target, wanted)
    importing(world, **told)
    found = world.restorer.look(target)
    assert found is not None
    assert (found.phase, found.text, found.made_of) == (phase, text, pick.pieces[0].arn)


@pytest.mark.long
def test_an_import_that_failed_and_left_no_table_is_told_when_it_is_asked_for_again(abroad: Abroad) -> None:
    world, pick, target, wanted = abroad
    world.watched("dynamodb", AWAY).meta.events.register(
        "after-call.dynamodb.ImportTable",
        lambda parsed, **_: parsed["ImportTableDescription"].update(
            ImportStatus="FAILED", FailureCode="KMSKeyAccessDenied", FailureMessage="the key"
        ),
    )
    with pytest.raises(ProviderError, match="KMSKeyAccessDenied: the key") as caught:
        world.restorer.begin(pick, target, wanted)
    assert not caught.value.retryable


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("CREATING", Phase.MAKING),
        ("UPDATING", Phase.MAKING),
        ("ACTIVE", Phase.READY),
        ("DELETING", Phase.FAILED),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", Phase.FAILED),
        ("ARCHIVED", Phase.FAILED),
    ],
)
def test_how_far_a_table_is(world: RestoreWorld, status: str, phase: Phase) -> None:
    world.make()
    target = world.target()
    world.begun(INSTANT, target)
    world.watched("dynamodb", HOME).meta.events.register(
        "after-call.dynamodb.DescribeTable", lambda parsed, **_: parsed["Table"].update(TableStatus=status)
    )
    found = world.restorer.look(target)
    assert found is not None
    assert (found.phase, found.text) == (phase, status)


@pytest.mark.long
def test_a_restore_that_fills_an_active_table_goes_on(world: RestoreWorld) -> None:
    world.make()
    target = world.target()
    world.begun(INSTANT, target)
    world.watched("dynamodb", HOME).meta.events.register(
        "after-call.dynamodb.DescribeTable",
        lambda parsed, **_: parsed["Table"]["RestoreSummary"].update(RestoreInProgress=True),
    )
    found = world.restorer.look(target)
    assert found is not None
    assert found.phase is Phase.MAKING


@pytest.mark.long
def test_a_table_in_the_making_of_which_nothing_is_told_yet_is_looked_at_again(world: RestoreWorld) -> None:
    world.make("orders-again")
    world.watched("dynamodb", HOME).meta.events.register(
        "after-call.dynamodb.DescribeTable",
        lambda parsed, **_: parsed["Table"].update(TableStatus="CREATING"),
    )
    with pytest.raises(NotReady, match="does not tell yet"):
        world.restorer.look(world.target())


# What a request may give


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"Colour": "red"}, "settings.Colour: no such setting of a table can be brought back; give Attribute"),
    ({"BillingMode": "FREE"}, "give PROVISIONED or PAY_PER_REQUEST"),
    ({"BillingMode": 1}, "Invalid type"),
    ({"BillingMode": "PROVISIONED"}, "give ProvisionedThroughput too"),
    ({"DeletionProtectionEnabled": "yes"}, "Invalid type"),
    ({"ProvisionedThroughput": {"ReadCapacityUnits": 1}}, "Missing required parameter"),
    ({"GlobalSecondaryIndexes": [{**INDEX, "Colour": 1}]}, "Unknown parameter"),
    ({"GlobalSecondaryIndexes": [INDEX]}, 'give it in the form [{"IndexName": "by-customer"'),
    ({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "ALL"}}, "'ALL' is not known"),
    ({"SSESpecification": {"Enabled": True, "KMSMasterKeyId": "alias/mine"}}, "the ARN of a key"),
    ({"PointInTimeRecovery": {"PointInTimeRecoveryEnabled": True}}, '"RecoveryPeriodInDays": 35'),
    ({"TimeToLive": {"Enabled": True}}, '"AttributeName"'),
    ({"TimeToLive": True}, '"AttributeName"'),
    ({"ContributorInsights": {"index": "THROTTLED_KEYS"}}, "index/<name>"),
    ({"ContributorInsights": {"table": "SOME"}}, "a mode is"),
    ({"ResourcePolicy": POLICY}, "give {TableArn} in the place of its ARN"),
    ({"ResourcePolicy": "{}"}, "as an object with a Statement"),
    ({"Tags": {"a": 1}}, "all of them texts"),
    ({"Tags": {"aws:x": "1"}}, "aws:x cannot be given"),
    ({"Tags": {RESTORE_TAG: "1"}}, "cannot be given"),
    ({"AutoScaling": {"table": {"ReadCapacityUnits": {"MinCapacity": 1}}}}, '"MaxCapacity"'),
    ({"AutoScaling": {"table": {"Reads": {"MinCapacity": 1, "MaxCapacity": 2}}}}, '"MaxCapacity"'),
    (
        {
            "AutoScaling": {
                "table": {"ReadCapacityUnits": {"MinCapacity": 1, "MaxCapacity": 2, "Policies": [{}]}}
            }
        },
        '"Policies"',
    ),
]


@pytest.mark.parametrize(("given", "sentence"), MISTAKES)
def test_a_mistake_in_the_settings_is_told(given: dict[str, Any], sentence: str) -> None:
    [mistake] = mistakes(given)
    assert mistake.startswith(f"settings.{next(iter(given))}: ")
    assert sentence in mistake
    assert "give " in mistake


@pytest.mark.long
def test_what_a_table_has_may_be_given(world: RestoreWorld) -> None:
    world.make_with_everything()
    assert world.restorer.mistakes(world.configured(ORDERS).settings) == []
