"""Restores with real processes: the built functions on an embedded cloud, asked for as a person asks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local import durable, restoring
from local.cloud import Cloud
from local.house import House, furnish
from local.mail import MAILBOX
from local.nights import FIRST_NIGHT, read_schedule, run_night, run_stage
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import until

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/{}"
INSTANCE = "arn:aws:rds:us-east-1:123456789012:db:{}"
CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:{}"
VOLUME = "arn:aws:ec2:us-east-1:123456789012:volume/{}"


def restored(house: House, **event: object) -> Mapping[str, Any]:
    """What the function answers."""
    arn = restoring.start(house.cloud.clients, house.stack.name, event)
    execution = durable.wait(house.cloud.runner, arn, 120)
    assert execution.status == "SUCCEEDED", execution.error
    told: Mapping[str, Any] = json.loads(execution.result)
    return told


def kept(house: House, id_: str) -> Mapping[str, Any]:
    """The restore's document."""
    answer = house.cloud.clients("s3").get_object(
        Bucket=house.stack.outputs["ReportBucketName"], Key=f"restores/{id_}.json"
    )
    document: Mapping[str, Any] = json.load(answer["Body"])
    return document


def items(house: House, table: str, region: str = HOME_REGION) -> dict[str, Any]:
    pages = house.cloud.clients("dynamodb", region).get_paginator("scan").paginate(TableName=table)
    return {one["id"]["S"]: one for page in pages for one in page["Items"]}


def texts(house: House, word: str) -> list[str]:
    """The mail about something, out of the mailbox."""
    found: list[str] = []

    def come() -> bool:
        found.extend(f"{one['subject']}\n{one['text']}" for one in house.messages(MAILBOX))
        return any(word in one for one in found)

    until(come, seconds=20)
    return [one for one in found if word in one]


def test_a_table_is_restored_once_and_a_refusal_names_the_way(house: House) -> None:
    """Without the source's tags, so that no plan of other tests protects it; and it goes in the end."""
    dynamodb = house.cloud.clients("dynamodb")
    asked = {"resource": TABLE.format("sessions"), "to": "sessions-again", "id": "once"}
    refused = restored(house, **asked | {"id": "nothing-there"})
    assert refused["state"] == "refused"
    assert "no backup of" in refused["reason"]
    dynamodb.create_backup(TableName="sessions", BackupName="by-hand")
    told = restored(house, **asked, backup="by-hand")
    assert told["state"] == "done", told
    try:
        assert items(house, "sessions-again") == items(house, "sessions")
        again = restored(house, **asked, backup="by-hand")
        assert (again["state"], again["arn"]) == ("done", told["arn"])
        taken = restored(house, **asked | {"id": "another"}, backup="by-hand")
        assert (taken["state"], "Give another name" in taken["reason"]) == ("refused", True)
        document = kept(house, "once")
        assert (document["state"], document["arn"]) == ("done", TABLE.format("sessions-again"))
        assert not [one for one in document["settings"] if one["fate"] == "not possible"]
        assert texts(house, "sessions-again")
    finally:
        dynamodb.delete_table(TableName="sessions-again")
        house.messages(MAILBOX)


@pytest.fixture(scope="module")
def lived_in(built: None) -> Iterator[House]:
    """A cloud of its own in which a night has been."""
    with Cloud() as cloud:
        house = furnish(cloud)
        schedule = read_schedule(cloud, house.stack)
        [night] = schedule.instants(FIRST_NIGHT, 1)
        assert run_night(cloud, schedule, night).status == "SUCCEEDED"
        run_stage(house, "copy_backups", night)
        yield house


def volume(house: House, name: str) -> str:
    asked = [{"Name": "tag:Name", "Values": [name]}]
    volumes = house.cloud.clients("ec2").describe_volumes(Filters=asked)["Volumes"]
    return VOLUME.format(volumes[0]["VolumeId"])


@pytest.mark.long
class TestEachKind:
    @pytest.mark.parametrize("region", [HOME_REGION, COPY_REGION])
    def test_a_table(self, lived_in: House, region: str) -> None:
        name = f"orders-in-{region}"
        told = restored(lived_in, resource=TABLE.format("orders"), to=name, region=region)
        assert told["state"] == "done", told
        assert items(lived_in, name, region) == items(lived_in, "orders")
        self.check(lived_in, told)

    def test_a_table_as_it_was_a_moment_ago(self, lived_in: House) -> None:
        told = restored(lived_in, resource=TABLE.format("customers"), to="customers-latest", at="latest")
        assert told["state"] == "done", told
        assert items(lived_in, "customers-latest") == items(lived_in, "customers")

    @pytest.mark.parametrize("region", [HOME_REGION, COPY_REGION])
    def test_an_instance(self, lived_in: House, region: str) -> None:
        told = restored(
            lived_in, resource=INSTANCE.format("billing"), to=f"billing-in-{region}", region=region
        )
        assert told["state"] == "done", told
        self.check(lived_in, told)
        [made] = lived_in.cloud.clients("rds", region).describe_db_instances(DBInstanceIdentifier=told["to"])[
            "DBInstances"
        ]
        assert made["DBInstanceArn"] == told["arn"]
        assert made["DBInstanceClass"] == "db.t4g.medium"
        assert {"Key": "team", "Value": "finance"} in made["TagList"]

    def test_a_cluster_with_its_instances(self, lived_in: House) -> None:
        told = restored(lived_in, resource=CLUSTER.format("ledger"), to="ledger-restored")
        assert told["state"] == "done", told
        self.check(lived_in, told)
        [made] = lived_in.cloud.clients("rds").describe_db_clusters(DBClusterIdentifier="ledger-restored")[
            "DBClusters"
        ]
        assert len(made["DBClusterMembers"]) == 2

    @pytest.mark.parametrize("region", [HOME_REGION, COPY_REGION])
    def test_a_volume(self, lived_in: House, region: str) -> None:
        told = restored(lived_in, resource=volume(lived_in, "archive"), to="archive-restored", region=region)
        assert told["state"] == "done", told
        self.check(lived_in, told)
        [made] = lived_in.cloud.clients("ec2", region).describe_volumes(
            Filters=[{"Name": "tag:Name", "Values": ["archive-restored"]}]
        )["Volumes"]
        assert (made["Size"], made["Encrypted"]) == (20, True)

    def check(self, house: House, told: Mapping[str, Any]) -> None:
        """What all restores leave behind."""
        document = kept(house, told["id"])
        assert (document["state"], document["arn"]) == ("done", told["arn"])
        assert document["settings"]
        assert texts(house, told["to"])


@pytest.mark.long
def test_make_restore_tells_setting_by_setting(
    lived_in: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = {"AWS_ENDPOINT_URL": lived_in.cloud.endpoint, "HOLDFAST_STACK": lived_in.stack.name}
    monkeypatch.setattr(restoring, "running_cloud", lambda: cloud)
    assert restoring.main(["customers", "--to", "customers-restored"]) == 0
    printed = capsys.readouterr().out
    assert "done" in printed
    assert "BillingMode" in printed
    assert restoring.main(["customers", "--to", "customers-restored"]) == 1
    assert "is taken" in " ".join(capsys.readouterr().out.split())
    assert restoring.main(["nosuch"]) == 2
    assert "customers" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("region", [HOME_REGION, COPY_REGION])
def test_a_table_that_is_gone_comes_back_of_its_backup_alone(built: None, region: str) -> None:
    """With all the settings that the night's run recorded, under the roles of the functions."""
    with Cloud() as cloud:
        house = furnish(cloud)
        schedule = read_schedule(cloud, house.stack)
        [night] = schedule.instants(FIRST_NIGHT, 1)
        assert run_night(cloud, schedule, night).status == "SUCCEEDED"
        run_stage(house, "copy_backups", night)
        had = items(house, "orders")
        dynamodb = house.cloud.clients("dynamodb")
        dynamodb.update_table(TableName="orders", DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName="orders")
        told = restored(house, resource=TABLE.format("orders"), to="orders-again", region=region)
        assert told["state"] == "done", told
        assert "the source's settings are those recorded on " in told["reason"]
        assert items(house, "orders-again", region) == had
        document = kept(house, told["id"])
        assert document["source"]["recorded"]
        fates = {one["name"]: one["fate"] for one in document["settings"]}
        assert {"BillingMode", "KeySchema", "Tags"} <= fates.keys()
        assert set(fates.values()) == {"restored"}, fates
