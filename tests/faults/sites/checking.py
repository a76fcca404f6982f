"""What check_recovery_points calls."""

from collections.abc import Iterator

from holdfast.core.report import Stage
from tests.fakes import AWAY, HOME
from tests.faults.furniture import EXPORTS, VAULT
from tests.faults.sites.site import Harm, Site, calls_of

_ALL = ("aurora", "dynamodb", "ebs", "rds")


def _looking(
    name: str,
    what: str = "",
    *,
    about: str = "",
    region: str = "",
    assumed: bool | None = None,
    hurt: tuple[str, ...] = (),
    place: str = HOME,
    harm: Harm = Harm.PROBLEM,
    reads: bool = True,
) -> Site:
    """`hurt` are the kinds of which nobody can say how they stand in the place, when the call fails."""
    return Site(
        name=name,
        stage=Stage.CHECK,
        harm=harm,
        fits=calls_of(name, about, region, assumed),
        kinds=_ALL,
        hurt=hurt,
        place=place,
        reads=reads,
        what=what,
    )


def to_check() -> Iterator[Site]:
    yield _looking("ssm.GetParametersByPath", "plans", harm=Harm.STAGE)
    for name in (
        "rds.DescribeDBInstances",
        "rds.DescribeDBClusters",
        "ec2.DescribeInstances",
        "ec2.DescribeVolumes",
        "resourcegroupstaggingapi.GetResources",
        "dynamodb.ListTables",
        "dynamodb.DescribeTable",
    ):
        yield _looking(name)
    for name, kind in (
        ("rds.DescribeDBSnapshots", "rds"),
        ("rds.DescribeDBClusterSnapshots", "aurora"),
        ("ec2.DescribeSnapshots", "ebs"),
    ):
        yield _looking(name, "here", region=HOME, hurt=(kind,))
        yield _looking(name, "there", region=AWAY, assumed=False, hurt=(kind,), place=AWAY)
        yield _looking(name, "in-the-vault", region=AWAY, assumed=True, hurt=(kind,), place=VAULT)
    yield _looking("dynamodb.ListBackups", "here", hurt=("dynamodb",))
    yield _looking("s3.ListObjectsV2", "exports", about=EXPORTS, hurt=("dynamodb",), place=AWAY)
    yield _looking("sts.AssumeRole", hurt=("aurora", "ebs", "rds"), place=VAULT)
    yield _looking("ssm.GetParameter", "holds", about="/holds")
    yield _looking("ssm.GetParameter", "prices", about="/prices")
    yield _looking("s3.ListObjectsV2", "postures", about="posture/")
    yield _looking("s3.GetObject", "posture", about="posture/")
    yield _looking("s3.ListObjectsV2", "runs", about="runs/nightly/")
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        yield _looking("s3.GetObject", f"of-{stage}", about=f"/{stage}.json")
    yield _looking("s3.ListObjectsV2", "drills", about="drills/")
    yield _looking("s3.PutObject", "posture", about="posture/", reads=False)
    yield _looking("s3.PutObject", "page", about="page/", reads=False)
