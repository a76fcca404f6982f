"""What holds of DynamoDB alone."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.stub import Stubber

from holdfast.adapters import dynamodb as module
from holdfast.adapters.calls import Pace
from holdfast.adapters.dynamodb import DynamoDBBackups
from holdfast.core.errors import NoAnswer, NotReady, Throttled
from holdfast.core.model import BackupState, Mark, Resource
from holdfast.ports import ResourceQuery
from holdfast.usecases.sweep import WORKERS
from tests.contract.clock import Clock, CountingPace
from tests.contract.kinds import DynamoDBWorld
from tests.fakes import AWAY, HOME

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
ORDERS = Resource(kind="dynamodb", arn=TABLE)
MARK = Mark(stack="holdfast", plan="nightly", slot=SLOT, source=TABLE)


def summary(state: str, **more: str) -> dict[str, Any]:
    return {
        "TableName": "orders",
        "TableArn": TABLE,
        "BackupArn": f"{TABLE}/backup/01234567890123-abcdefab",
        "BackupName": "holdfast.nightly.20261122T020000Z",
        "BackupStatus": state,
        "BackupType": "USER",
    } | more


@pytest.mark.parametrize(
    "lost",
    [
        ReadTimeoutError(endpoint_url="https://dynamodb"),
        ConnectionClosedError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("client", ["once", "usual"])
def test_a_create_whose_answer_is_lost_is_sent_exactly_once(
    dynamodb: DynamoDBWorld, client: str, lost: Exception
) -> None:
    """moto makes the backup, then the connection breaks. The usual client shows what would happen else."""
    arn = dynamodb.add_resource("orders")
    chosen = dynamodb.once if client == "once" else dynamodb.dynamodb

    def break_connection(event_name: str, **_: object) -> None:
        if event_name.endswith(".CreateBackup"):
            raise lost

    # The same, least specific event as moto's, since botocore runs more specific ones first.
    chosen.meta.events.register_last("before-send", break_connection)
    provider = dynamodb.provider
    assert isinstance(provider, DynamoDBBackups)
    provider._made_once = chosen
    with pytest.raises(NoAnswer) as raised:
        provider.create(Resource(kind="dynamodb", arn=arn), MARK)
    assert raised.value.retryable
    assert len(provider.backups(HOME)) == (1 if client == "once" else 2)


def test_a_client_that_retries_is_not_taken_for_creating(dynamodb: DynamoDBWorld) -> None:
    retrying = DynamoDBBackups(
        client=dynamodb.dynamodb,
        once=lambda: dynamodb.dynamodb,
        tagging=dynamodb.tagging,
        exports=dynamodb.exports,
    )
    with pytest.raises(ValueError, match="make second backups"):
        retrying.create(Resource(kind="dynamodb", arn=dynamodb.add_resource("orders")), MARK)


def test_backups_from_before_an_instant_are_not_asked_for(dynamodb: DynamoDBWorld) -> None:
    asked: list[dict[str, object]] = []
    dynamodb.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.ListBackups", lambda params, **_: asked.append(dict(params))
    )
    since = datetime(2026, 11, 22, 1, tzinfo=UTC)
    dynamodb.provider.backups(HOME, since=since)
    dynamodb.provider.backups(HOME)
    assert [one.get("TimeRangeLowerBound") for one in asked] == [since, None]


@pytest.fixture
def clock(dynamodb: DynamoDBWorld) -> Clock:
    """The clock by which creates are paced."""
    clock, provider = Clock(), dynamodb.provider
    assert isinstance(provider, DynamoDBBackups)
    provider._create_pace = Pace(1000, clock=clock.read, sleep=clock.sleep)
    return clock


@pytest.mark.parametrize("code", ["ThrottlingException", "LimitExceededException", "RequestLimitExceeded"])
def test_a_throttled_create_is_tried_again(dynamodb: DynamoDBWorld, clock: Clock, code: str) -> None:
    with Stubber(dynamodb.once) as stub:
        stub.add_client_error("create_backup", code)
        stub.add_client_error("create_backup", code)
        stub.add_response(
            "create_backup",
            {
                "BackupDetails": {
                    "BackupArn": f"{TABLE}/backup/01234567890123-abcdefab",
                    "BackupName": "holdfast.nightly.20261122T020000Z",
                    "BackupStatus": "CREATING",
                    "BackupType": "USER",
                    "BackupCreationDateTime": SLOT,
                }
            },
            {"TableName": "orders", "BackupName": "holdfast.nightly.20261122T020000Z"},
        )
        made = dynamodb.provider.create(ORDERS, MARK)
        stub.assert_no_pending_responses()
    assert made.state is BackupState.CREATING
    assert clock.slept == pytest.approx(0.5 + 1)


def test_a_create_that_stays_throttled_gives_up(dynamodb: DynamoDBWorld, clock: Clock) -> None:
    with Stubber(dynamodb.once) as stub:
        for _ in range(module.CREATE_ATTEMPTS):
            stub.add_client_error("create_backup", "ThrottlingException")
        with pytest.raises(Throttled):
            dynamodb.provider.create(ORDERS, MARK)
        stub.assert_no_pending_responses()
    assert clock.slept == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("InternalServerError", 500, NoAnswer), ("TableInUseException", 400, NotReady)],
)
def test_no_other_error_of_a_create_is_tried_again(
    dynamodb: DynamoDBWorld, code: str, status: int, expected: type[Exception]
) -> None:
    with Stubber(dynamodb.once) as stub:
        stub.add_client_error("create_backup", code, http_status_code=status)
        with pytest.raises(expected):
            dynamodb.provider.create(ORDERS, MARK)
        stub.assert_no_pending_responses()


def test_states_are_told_and_deleted_backups_are_left_out(dynamodb: DynamoDBWorld) -> None:
    dynamodb.pages.size = 100
    with Stubber(dynamodb.dynamodb) as stub:
        stub.add_response(
            "list_backups",
            {
                "BackupSummaries": [
                    summary("CREATING"),
                    summary(
                        "AVAILABLE", BackupName="by-hand", TableId="12345678-1234-1234-1234-123456789012"
                    ),
                    summary("DELETED"),
                ]
            },
            {"BackupType": "USER", "Limit": 100, "TableName": "orders"},
        )
        found = dynamodb.provider.backups(HOME, TABLE)
    assert [(one.state, one.state_text) for one in found] == [
        (BackupState.CREATING, "CREATING"),
        (BackupState.AVAILABLE, "AVAILABLE"),
    ]
    assert [one.mark for one in found] == [MARK, None]
    assert [one.resource_id for one in found] == ["", "12345678-1234-1234-1234-123456789012"]


def test_another_region_has_none_and_is_not_asked(dynamodb: DynamoDBWorld) -> None:
    dynamodb.provider.create(Resource(kind="dynamodb", arn=dynamodb.add_resource("orders")), MARK)
    assert dynamodb.provider.backups(AWAY) == []
    assert dynamodb.pages.asked_of("ListBackups") == []


@pytest.mark.parametrize("everything", [False, True])
def test_listing_takes_no_call_for_each_table(dynamodb: DynamoDBWorld, everything: bool) -> None:
    for number in range(7):
        dynamodb.add_resource(f"table-{number}", {"team": "orders"})
    operations: list[str] = []
    for client in (dynamodb.dynamodb, dynamodb.once):
        client.meta.events.register(
            "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
        )
    dynamodb.provider.resources(ResourceQuery(tags={"team": "orders"}, everything=everything))
    assert set(operations) == ({"ListTables", "DescribeTable"} if everything else set())
    assert operations.count("DescribeTable") == int(everything)


def test_pages_are_asked_for_as_large_as_they_come(dynamodb: DynamoDBWorld) -> None:
    dynamodb.add_resource("orders")
    dynamodb.provider.resources(ResourceQuery(everything=True))
    dynamodb.provider.backups(HOME)
    assert [request["Limit"] for request in dynamodb.pages.asked_of("ListTables")] == [100]
    assert [request["Limit"] for request in dynamodb.pages.asked_of("ListBackups")] == [100]
    assert [request["ResourcesPerPage"] for request in dynamodb.pages.asked_of("GetResources")] == [100]


def test_each_call_waits_for_its_own_pace(dynamodb: DynamoDBWorld) -> None:
    arns = [dynamodb.add_resource(name) for name in ("orders", "billing", "ledger")]
    provider = dynamodb.provider
    assert isinstance(provider, DynamoDBBackups)
    waits: list[str] = []
    for name in ("create", "list", "delete"):
        setattr(provider, f"_{name}_pace", CountingPace(partial(waits.append, name)))
    made = [provider.create(Resource(kind="dynamodb", arn=arn), MARK) for arn in arns]
    provider.backups(HOME)  # two pages of three
    provider.delete(made[0])
    assert waits == ["create"] * 3 + ["list"] * 2 + ["delete"]


def test_calls_are_paced_below_what_dynamodb_allows() -> None:
    assert module.SHARE < 1
    # As many as are under way may arrive together with all that are let go in a second.
    assert WORKERS + module.CREATE_BACKUP_LIMIT * module.CREATE_SHARE + 1 < module.CREATE_BACKUP_LIMIT
    assert (module.CREATE_BACKUP_LIMIT, module.DELETE_BACKUP_LIMIT, module.LIST_BACKUPS_LIMIT) == (50, 10, 5)
