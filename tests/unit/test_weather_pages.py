"""moto's listings in pages of AWS's size, in this process."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.weather import pages


@cache
def client(service: str) -> Any:
    """Made once: each takes a while."""
    return boto3.client(service)  # type: ignore[call-overload]


@pytest.fixture
def cap(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A cloud whose listings have pages of AWS's size, or of what is put into the list."""
    for owner, name in pages.REPLACED:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # their snapshots would all be listed
    most: list[int] = []
    pages.teach(lambda: most[0] if most else None)
    with mock_aws():
        yield most


def sizes(service: Any, listing: str, key: str, **asked: Any) -> list[int]:
    """How many each page has."""
    return [len(page.get(key, ())) for page in service.get_paginator(listing).paginate(**asked)]


def snapshots(rds: Any, count: int) -> None:
    rds.create_db_instance(DBInstanceIdentifier="billing", DBInstanceClass="db.t4g.medium", Engine="postgres")
    for number in range(count):
        rds.create_db_snapshot(DBInstanceIdentifier="billing", DBSnapshotIdentifier=f"s-{number:03}")


class TestAsked:
    """A page has what was asked for, and no more than the service gives."""

    def test_of_instances_snapshots(self, cap: list[int]) -> None:
        rds = client("rds")
        snapshots(rds, 25)
        whole = sizes(rds, "describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
        twenty: dict[str, Any] = {"SnapshotType": "manual", "PaginationConfig": {"PageSize": 20}}
        asked = sizes(rds, "describe_db_snapshots", "DBSnapshots", **twenty)
        assert (whole, asked) == ([25], [20, 5])

    def test_of_clusters_and_their_snapshots(self, cap: list[int]) -> None:
        rds = client("rds")
        for number in range(25):
            rds.create_db_cluster(
                DBClusterIdentifier=f"c-{number}",
                Engine="aurora-postgresql",
                MasterUsername="m",
                MasterUserPassword="p" * 10,
            )
            rds.create_db_cluster_snapshot(
                DBClusterIdentifier=f"c-{number}", DBClusterSnapshotIdentifier=f"s-{number}"
            )
        asked: dict[str, Any] = {"PaginationConfig": {"PageSize": 20}}
        manual = asked | {"SnapshotType": "manual"}
        assert sizes(rds, "describe_db_clusters", "DBClusters", **asked) == [20, 5]
        assert sizes(rds, "describe_db_cluster_snapshots", "DBClusterSnapshots", **manual) == [20, 5]

    def test_of_volumes_and_their_snapshots(self, cap: list[int]) -> None:
        ec2 = client("ec2")
        volumes = [ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"] for _ in range(12)]
        for volume in volumes:
            ec2.create_snapshot(VolumeId=volume)
        asked = {"PaginationConfig": {"PageSize": 5}}
        assert sizes(ec2, "describe_volumes", "Volumes", **asked) == [5, 5, 2]
        assert sizes(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"], **asked)[:2] == [5, 5]

    def test_every_one_is_in_one_page_and_in_no_other(self, cap: list[int]) -> None:
        rds = client("rds")
        snapshots(rds, 25)
        cap.append(7)
        listed = [
            one["DBSnapshotIdentifier"]
            for page in rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
            for one in page["DBSnapshots"]
        ]
        assert listed == [f"s-{number:03}" for number in range(25)]


class TestSmallerThanAsked:
    """AWS may give fewer than it is asked for, and a token all the same."""

    def test_of_everything(self, cap: list[int]) -> None:
        cap.append(3)
        rds, dynamodb, s3 = client("rds"), client("dynamodb"), client("s3")
        tagging = client("resourcegroupstaggingapi")
        for number in range(5):
            rds.create_db_instance(
                DBInstanceIdentifier=f"i-{number}", DBInstanceClass="db.t4g.medium", Engine="postgres"
            )
            dynamodb.create_table(
                TableName=f"table-{number}",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=[{"Key": "team", "Value": "sales"}],
            )
            dynamodb.create_backup(TableName=f"table-{number}", BackupName="nightly")
        s3.create_bucket(Bucket="reports")
        for number in range(5):
            s3.put_object(Bucket="reports", Key=f"runs/{number}/a.json")
            s3.put_object(Bucket="reports", Key=f"top-{number}")
        assert sizes(rds, "describe_db_instances", "DBInstances") == [3, 2]
        assert sizes(dynamodb, "list_backups", "BackupSummaries") == [3, 2]
        tagged = {"ResourceTypeFilters": ["dynamodb:table"]}
        assert sizes(tagging, "get_resources", "ResourceTagMappingList", **tagged) == [3, 2]
        assert sizes(s3, "list_objects_v2", "Contents", Bucket="reports") == [3, 3, 3, 1]
        folders = {"Bucket": "reports", "Prefix": "runs/", "Delimiter": "/"}
        assert sizes(s3, "list_objects_v2", "CommonPrefixes", **folders) == [3, 2]
