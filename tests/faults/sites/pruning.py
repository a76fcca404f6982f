"""What prune_backups calls."""

from collections.abc import Iterator

from holdfast.core.report import Stage
from tests.fakes import AWAY, HOME
from tests.faults.sites.site import AURORA, EBS, RDS, TABLES, Harm, Site, calls_of, first_of, unlike_of


def _deleting(name: str, kinds: tuple[str, ...], place: str = HOME, what: str = "") -> Site:
    return Site(
        name=name,
        stage=Stage.PRUNE,
        harm=Harm.ACT,
        fits=first_of(calls_of(name, "", place)),
        kinds=kinds,
        hurt=kinds[:1],
        place=place,
        what=what,
    )


def _listing_to_prune(name: str, kinds: tuple[str, ...], place: str = HOME, unlike: str = "") -> Site:
    return Site(
        name=name,
        stage=Stage.PRUNE,
        harm=Harm.REFUSAL,
        fits=unlike_of(name, unlike, place) if unlike else calls_of(name, "", place),
        kinds=kinds,
        hurt=kinds[:1],
        place=place,
        reads=True,
        what="" if place == HOME else "there",
    )


def _looking_again(name: str, kinds: tuple[str, ...], about: str) -> Site:
    """The look right before a deletion."""
    return Site(
        name=name,
        stage=Stage.PRUNE,
        harm=Harm.ACT,
        fits=first_of(calls_of(name, about, HOME)),
        kinds=kinds,
        hurt=kinds[:1],
        reads=True,
        what="right-before",
    )


def to_prune() -> Iterator[Site]:
    yield _deleting("rds.DeleteDBSnapshot", RDS)
    yield _deleting("rds.DeleteDBSnapshot", RDS, AWAY, "there")
    yield _deleting("rds.DeleteDBClusterSnapshot", AURORA)
    yield _deleting("ec2.DeleteSnapshot", EBS)
    yield _deleting("dynamodb.DeleteBackup", TABLES)
    yield _deleting("s3.DeleteObjects", TABLES, AWAY)
    yield _listing_to_prune("rds.DescribeDBSnapshots", RDS, unlike="db-instance-id")
    yield _listing_to_prune("rds.DescribeDBSnapshots", RDS, AWAY)
    yield _listing_to_prune("rds.DescribeDBClusterSnapshots", AURORA, unlike="db-cluster-id")
    yield _listing_to_prune("ec2.DescribeSnapshots", EBS, unlike="volume-id")
    yield _listing_to_prune("dynamodb.ListBackups", TABLES, unlike="TableName")
    yield _listing_to_prune("s3.ListObjectsV2", TABLES, AWAY)
    yield _looking_again("rds.DescribeDBSnapshots", RDS, "db-instance-id")
    yield _looking_again("rds.DescribeDBClusterSnapshots", AURORA, "db-cluster-id")
    yield _looking_again("ec2.DescribeSnapshots", EBS, "volume-id")
    yield _looking_again("dynamodb.ListBackups", TABLES, "TableName")
    yield Site(
        name="ssm.GetParameter",
        stage=Stage.PRUNE,
        harm=Harm.REFUSAL,
        fits=calls_of("ssm.GetParameter", "/holds"),
        kinds=TABLES,
        hurt=("dynamodb",),
        reads=True,
        what="of-the-holds",
    )
    for what, key in (("told", "told/"), ("record", "/create.json")):
        yield Site(
            name="s3.GetObject",
            stage=Stage.PRUNE,
            harm=Harm.REFUSAL,
            fits=calls_of("s3.GetObject", key),
            kinds=RDS,
            hurt=RDS,
            reads=True,
            what=what,
        )
