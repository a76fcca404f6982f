"""The Region is gone, with real processes: from the event's own file, with no call to it answered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import region_gone, standby
from local.cloud import Cloud
from local.company import COMPANY, TABLES
from local.house import furnish
from local.paths import EVENTS
from local.sandbox import COPY_REGION, HOME_REGION
from local.standby import TIERS, Standby
from tests.messages import RECOVERY_SCHEMA, check_data

pytestmark = pytest.mark.long

GONE = json.loads((EVENTS / "recover.region_gone.json").read_text())
DRY = json.loads((EVENTS / "recover.dry_run.json").read_text())


class Lost:
    """A company whose Region is gone, and what it had there in the last night."""

    def __init__(self, waiting: Standby) -> None:
        self.standby = waiting
        self.house = waiting.house
        standby.give_tiers(self.house)
        self.slot = standby.live_until_now(self.house, 2)
        self.items = {one.name: region_gone.items_of(self.house, one.name, HOME_REGION) for one in TABLES}
        standby.lose(self.house)
        self.planned = waiting.recover({**DRY, "id": "rehearsed"})
        self.made_by_dry_run = self.tables()
        self.told = waiting.recover(GONE)
        self.document = waiting.document(GONE["id"])

    def tables(self) -> list[str]:
        names: list[str] = self.house.cloud.clients("dynamodb", COPY_REGION).list_tables()["TableNames"]
        return names

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.document["resources"] if one["kind"] == kind]


@pytest.fixture(scope="module")
def lost(built: None) -> Iterator[Lost]:
    with Cloud() as cloud:
        yield Lost(standby.stand_by(furnish(cloud)))


def test_everything_stands_again_with_its_data(lost: Lost) -> None:
    assert region_gone.differences(lost.house, lost.document, lost.items) == []
    check_data(lost.document, "document", RECOVERY_SCHEMA)
    protected = sum(one.is_protected for one in COMPANY)
    assert lost.told["counts"] == {"done": protected}


def test_no_function_asked_the_region_that_is_gone(lost: Lost) -> None:
    assert [one["operation"] for one in standby.unanswered(lost.house) if one["caller"]] == []
    with pytest.raises(Exception, match=r"onnection|502|Bad Gateway"):
        lost.house.cloud.clients("dynamodb", HOME_REGION).list_tables()
    with pytest.raises(Exception, match=r"onnection|502|Bad Gateway"):
        lost.house.cloud.clients("lambda", HOME_REGION).invoke(FunctionName="holdfast-restore:live")


def test_tier_by_tier(lost: Lost) -> None:
    began = {one["resource"]: one["began"] for one in lost.document["resources"]}
    tiers = {tier: [began[arn] for arn, given in TIERS.items() if given == tier] for tier in ("1", "2")}
    assert max(tiers["1"]) <= min(tiers["2"])
    assert max(tiers["2"]) <= min(began[arn] for arn in began.keys() - TIERS.keys())


def test_settings_are_those_that_the_last_night_recorded(lost: Lost) -> None:
    assert all(one["settings_known"] for one in lost.document["resources"])
    rds, dynamodb = (lost.house.cloud.clients(name, COPY_REGION) for name in ("rds", "dynamodb"))
    [billing] = rds.describe_db_instances(DBInstanceIdentifier="billing")["DBInstances"]
    assert billing["DBInstanceClass"] == "db.t4g.medium"
    assert {"Key": "team", "Value": "finance"} in billing["TagList"]
    [ledger] = rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"]
    assert len(ledger["DBClusterMembers"]) == 2
    recovery = dynamodb.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    volumes = lost.house.cloud.clients("ec2", COPY_REGION).describe_volumes(
        Filters=[{"Name": "tag:Name", "Values": ["archive"]}]
    )["Volumes"]
    assert [one["Size"] for one in volumes] == [20]


def test_people_are_told_in_the_region_that_is_there(lost: Lost) -> None:
    [message] = lost.standby.messages()
    body = json.loads(message["Message"])
    check_data(body, file=RECOVERY_SCHEMA)
    assert "8 of 8 restored" in message["Subject"]


def test_the_dry_run_said_so_and_made_nothing(lost: Lost) -> None:
    assert lost.planned["counts"] == {"planned": sum(one.is_protected for one in COMPANY)}
    assert lost.made_by_dry_run == []


def test_asking_again_restores_nothing_again(lost: Lost) -> None:
    tables = lost.tables()
    assert lost.standby.recover(GONE)["counts"] == lost.told["counts"]
    assert lost.tables() == tables
