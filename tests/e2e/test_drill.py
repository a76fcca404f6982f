"""Drills with real processes: restores rehearsed by the built function on an embedded cloud, under its own
permissions."""

import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

import pytest

from local import drilling
from local.cloud import Cloud
from local.house import UNVERIFIED, House, furnish
from local.mail import MAILBOX
from local.nights import FIRST_NIGHT, read_schedule, run_night, run_stage
from local.sandbox import COPY_REGION, HOME_REGION
from tests.e2e.handlers import until
from tests.e2e.test_restore import CLUSTER, INSTANCE, TABLE, volume

pytestmark = pytest.mark.long

AT = datetime.combine(FIRST_NIGHT, time(12), UTC)


@pytest.fixture(scope="module")
def lived_in(built: None) -> Iterator[House]:
    """A cloud of its own in which a night has been."""
    with Cloud() as cloud:
        house = furnish(cloud, UNVERIFIED)
        schedule = read_schedule(cloud, house.stack)
        [night] = schedule.instants(FIRST_NIGHT, 1)
        assert run_night(cloud, schedule, night).status == "SUCCEEDED"
        run_stage(house, "copy_backups", night)
        yield house


def drilled(house: House, resource: str, place: str = HOME_REGION, **more: Any) -> Mapping[str, Any]:
    """What the function answers about the one rehearsal."""
    event = {"plan": "nightly", "resource": resource, "place": place, "at": f"{AT:%Y-%m-%dT%H:%M:%SZ}"}
    return drilling.ask(house.cloud.clients, house.stack.name, event | more)


def standing(house: House) -> list[str]:
    """What drills made and did not remove, anywhere."""
    found: list[str] = []
    for region in (HOME_REGION, COPY_REGION):
        clients = house.cloud.clients
        found += clients("dynamodb", region).list_tables()["TableNames"]
        databases = clients("rds", region)
        found += [one["DBInstanceIdentifier"] for one in databases.describe_db_instances()["DBInstances"]]
        found += [one["DBClusterIdentifier"] for one in databases.describe_db_clusters()["DBClusters"]]
        asked = [{"Name": "tag-key", "Values": ["holdfast:drill"]}]
        volumes = clients("ec2", region).describe_volumes(Filters=asked)["Volumes"]
        found += [f"holdfast-drill-{one['VolumeId']}" for one in volumes]
    return [one for one in found if one.startswith("holdfast-drill")]


def kept(house: House, prefix: str) -> list[dict[str, Any]]:
    s3, bucket = house.cloud.clients("s3"), house.stack.outputs["ReportBucketName"]
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]
    return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]


class TestEachKind:
    @pytest.mark.parametrize("place", [HOME_REGION, COPY_REGION])
    def test_a_table(self, lived_in: House, place: str) -> None:
        self.passes(lived_in, TABLE.format("orders"), place)

    def test_an_instance(self, lived_in: House) -> None:
        self.passes(lived_in, INSTANCE.format("billing"), HOME_REGION)

    def test_a_cluster(self, lived_in: House) -> None:
        self.passes(lived_in, CLUSTER.format("ledger"), HOME_REGION)

    def test_a_volume(self, lived_in: House) -> None:
        self.passes(lived_in, volume(lived_in, "web-root"), HOME_REGION)

    def passes(self, house: House, resource: str, place: str) -> None:
        told = drilled(house, resource, place)
        [one] = told["rehearsals"]
        assert one["passed"], one["why"]
        assert (one["removed"], told["left_behind"], standing(house)) == (True, [], [])
        recorded = [each for each in kept(house, "drills/") if each["resource"] == resource]
        assert {(each["place"], each["passed"]) for each in recorded} >= {(place, True)}
        [record] = [each for each in recorded if each["place"] == place]
        assert 9 < record["age_hours"] < 11
        assert len(record["checks"]) >= 4


def test_a_backup_that_restores_with_fewer_items_fails(lived_in: House) -> None:
    """An item is lost from the copy behind everybody's back; its summary still counts it."""
    s3 = lived_in.cloud.clients("s3", COPY_REGION)
    bucket = lived_in.copy_bucket
    keys = [
        one["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for one in page.get("Contents", ())
    ]
    data = [one for one in keys if "/customers." in one and one.endswith(".json.gz")]
    sizes = {key: gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in data}
    key, whole = next((key, text) for key, text in sizes.items() if text)
    s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(b"".join(whole.splitlines(keepends=True)[1:])))
    try:
        [one] = drilled(lived_in, TABLE.format("customers"), COPY_REGION)["rehearsals"]
        assert not one["passed"]
        assert one["why"].startswith("items: ")
        assert (one["removed"], standing(lived_in)) == (True, [])
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(whole))


def test_the_mail_says_it(lived_in: House) -> None:
    lived_in.messages(MAILBOX)
    drilled(lived_in, TABLE.format("orders"))
    found: list[str] = []

    def come() -> bool:
        found.extend(f"{one['subject']}\n{one['text']}" for one in lived_in.messages(MAILBOX))
        return any("drill" in one for one in found)

    until(come, seconds=20)
    [mail] = [one for one in found if "Holdfast drill" in one]
    assert mail.startswith("Holdfast drill of nightly: OK, 1 of 1 restores passed")
    assert "Restored, checked and removed:" in mail


def test_a_sweep_finds_what_is_old_alone(lived_in: House) -> None:
    told = drilling.ask(lived_in.cloud.clients, lived_in.stack.name, {"plan": "nightly", "sweep": True})
    assert (told["quiet"], told["problems"]) == (True, [])
