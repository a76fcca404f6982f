"""What AWS checks for drills: what looks at a restored resource, and what removes it, by its tags.

After the Service Authorization Reference.
"""

from collections.abc import Iterator, Mapping

from local.authority import facts
from local.authority.asked import Asked, Check, Row, resource_tags


def _delete_table(asked: Asked) -> Iterator[Check]:
    arn = asked.arn("dynamodb", f"table/{asked['TableName']}")
    context = resource_tags(facts.table_tags(arn), "aws")
    yield Check(action="dynamodb:DeleteTable", resource=arn, context=context)


def _delete_database(action: str, kind: str, named: str) -> Row:
    def row(asked: Asked) -> Iterator[Check]:
        thing = facts.rds_database(asked.account, asked.call.region, kind, asked[named])
        resource = asked.arn("rds", f"{kind}:{asked[named]}")
        yield Check(action=action, resource=resource, context=resource_tags(thing.tags, "aws", "rds"))

    return row


def _delete_volume(asked: Asked) -> Iterator[Check]:
    tags = facts.ec2_tags(asked.account, asked.call.region, asked["VolumeId"])
    resource = asked.arn("ec2", f"volume/{asked['VolumeId']}")
    yield Check(action="ec2:DeleteVolume", resource=resource, context=resource_tags(tags, "aws", "ec2"))


def _described_backup(asked: Asked) -> Iterator[Check]:
    yield Check(action="dynamodb:DescribeBackup", resource=asked["BackupArn"])


ROWS: Mapping[str, Row] = {
    "dynamodb:DeleteTable": _delete_table,
    "dynamodb:DescribeBackup": _described_backup,
    "ec2:DeleteVolume": _delete_volume,
    "rds:DeleteDBCluster": _delete_database("rds:DeleteDBCluster", "cluster", "DBClusterIdentifier"),
    "rds:DeleteDBInstance": _delete_database("rds:DeleteDBInstance", "db", "DBInstanceIdentifier"),
}
