"""What create_backups calls."""

from collections.abc import Iterator

from holdfast.core.report import Stage
from tests.fakes import HOME
from tests.faults.house import House
from tests.faults.sites.site import AURORA, EBS, RDS, TABLES, Harm, Site, about_thing, calls_of, unlike_of
from tests.faults.wire import error, of


def _creating(name: str, thing: str, kinds: tuple[str, ...], acts: int = 1) -> Site:
    return Site(
        name=name,
        stage=Stage.CREATE,
        harm=Harm.ACT,
        fits=about_thing(name, thing),
        kinds=kinds,
        hurt=kinds[:1],
        acts=acts,
    )


def _listing_to_create(name: str, kinds: tuple[str, ...], about: str = "", unlike: str = "") -> Site:
    return Site(
        name=name,
        stage=Stage.CREATE,
        harm=Harm.LISTING,
        fits=unlike_of(name, unlike, HOME) if unlike else calls_of(name, about, HOME),
        kinds=kinds,
        hurt=kinds[:1],
        reads=True,
        what=about.replace(":", "-"),
    )


def _with_an_including_plan(house: House) -> None:
    """A plan that selects by ARN has to know all tables."""
    plan = house.things.nightly() | {"name": "all", "copies": []}
    select = {"include": ["arn:aws:dynamodb:*", "arn:aws:rds:*"], "types": ["dynamodb", "rds"]}
    house.things.put_plan(plan | {"select": select})


def _listing_of_all_tables(name: str) -> Site:
    return Site(
        name=name,
        stage=Stage.CREATE,
        harm=Harm.LISTING,
        fits=calls_of(name),
        kinds=TABLES,
        hurt=("dynamodb",),
        reads=True,
        prepare=_with_an_including_plan,
        plan="all",
    )


def _at_the_quota(house: House) -> None:
    """RDS takes no more, so that the quota is looked up."""
    house.wire.add(of("rds.CreateDBSnapshot", "shop"), error("SnapshotQuotaExceeded"))


def to_create() -> Iterator[Site]:
    yield _creating("rds.CreateDBSnapshot", "shop", RDS)
    yield _creating("rds.CreateDBClusterSnapshot", "ledger", AURORA)
    yield _creating("dynamodb.CreateBackup", "orders", TABLES)
    yield _creating("ec2.CreateSnapshot", "scratch", EBS)
    yield _creating("ec2.CreateSnapshots", "server", EBS, 2)
    yield Site(
        name="ec2.DescribeInstances",
        stage=Stage.CREATE,
        harm=Harm.ACT,
        fits=calls_of("ec2.DescribeInstances", '"instance-id"'),
        kinds=EBS,
        hurt=("ebs",),
        acts=2,
        reads=True,
        what="of-the-group",
    )
    yield _listing_to_create("rds.DescribeDBInstances", RDS)
    yield _listing_to_create("rds.DescribeDBSnapshots", RDS)
    yield _listing_to_create("rds.DescribeDBClusters", AURORA)
    yield _listing_to_create("rds.DescribeDBClusterSnapshots", AURORA)
    yield _listing_to_create("ec2.DescribeVolumes", EBS)
    yield _listing_to_create("ec2.DescribeInstances", EBS, unlike='"instance-id"')
    yield _listing_to_create("ec2.DescribeSnapshots", EBS)
    yield _listing_to_create("dynamodb.ListBackups", TABLES)
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", RDS, "rds:db")
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", AURORA, "rds:cluster")
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", TABLES, "dynamodb:table")
    yield _listing_of_all_tables("dynamodb.ListTables")
    yield _listing_of_all_tables("dynamodb.DescribeTable")
    for name in ("service-quotas.GetServiceQuota", "service-quotas.GetAWSDefaultServiceQuota"):
        yield Site(
            name=name,
            stage=Stage.CREATE,
            harm=Harm.NOTHING,
            fits=calls_of(name),
            kinds=RDS,
            reads=True,
            prepare=_at_the_quota,
        )
