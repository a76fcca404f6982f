"""What copy_backups calls."""

from collections.abc import Callable, Iterator

from holdfast.core.report import Stage
from local import exports
from tests.fakes import ACCOUNT, AWAY, HOME
from tests.faults.furniture import VAULT
from tests.faults.house import House
from tests.faults.sites.site import (
    AURORA,
    EBS,
    RDS,
    TABLES,
    Fits,
    Harm,
    Site,
    about_thing,
    calls_of,
    first_of,
    unlike_of,
)


def _copying(
    name: str,
    kinds: tuple[str, ...],
    fits: Callable[[House], Fits],
    place: str = AWAY,
    what: str = "",
    *,
    reads: bool = False,
) -> Site:
    return Site(
        name=name,
        stage=Stage.COPY,
        harm=Harm.ACT,
        fits=first_of(fits),
        kinds=kinds,
        hurt=kinds[:1],
        place=place,
        what=what or ("to-the-vault" if place == VAULT else ""),
        reads=reads,
    )


def _listing_to_copy(
    name: str,
    kinds: tuple[str, ...],
    region: str,
    *,
    assumed: bool = False,
    place: str = AWAY,
    what: str = "",
    unlike: str = "SnapshotIds",
) -> Site:
    return Site(
        name=name,
        stage=Stage.COPY,
        harm=Harm.LISTING,
        fits=unlike_of(name, unlike, region, assumed=assumed),
        kinds=kinds,
        hurt=kinds[:1],
        place=place,
        reads=True,
        what=what,
    )


def _with_exports_under_way(house: House) -> None:
    with exports.held():
        house.stage(Stage.COPY)
    house.wire.calls.clear()


def _finish_exports(_: House) -> None:
    exports.finish(ACCOUNT, HOME)


def to_copy() -> Iterator[Site]:
    for name, kinds, thing in (
        ("rds.CopyDBSnapshot", RDS, "shop"),
        ("rds.CopyDBClusterSnapshot", AURORA, "ledger"),
    ):
        yield _copying(name, kinds, about_thing(name, thing, AWAY))
        yield _copying(name, kinds, about_thing(name, thing, AWAY, assumed=True), VAULT)
    for name, kinds, thing in (
        ("rds.ModifyDBSnapshotAttribute", RDS, "shop"),
        ("rds.ModifyDBClusterSnapshotAttribute", AURORA, "ledger"),
    ):
        yield _copying(name, kinds, about_thing(name, thing, AWAY), VAULT)
    yield _copying("ec2.CopySnapshot", EBS, calls_of("ec2.CopySnapshot", HOME, AWAY, assumed=False))
    yield _copying("ec2.CopySnapshot", EBS, calls_of("ec2.CopySnapshot", "", AWAY, assumed=True), VAULT)
    yield _copying("ec2.ModifySnapshotAttribute", EBS, calls_of("ec2.ModifySnapshotAttribute"), VAULT)
    yield _copying(
        "ec2.DescribeSnapshots",
        EBS,
        calls_of("ec2.DescribeSnapshots", "snap-", AWAY, assumed=True),
        VAULT,
        "of-the-share",
        reads=True,
    )
    export = "dynamodb.ExportTableToPointInTime"
    yield _copying(export, TABLES, about_thing(export, "orders"))
    yield _copying("s3.PutObject", TABLES, calls_of("s3.PutObject", "/begun/", AWAY), what="note")
    yield Site(
        name="dynamodb.DescribeExport",
        stage=Stage.COPY,
        harm=Harm.LISTING,
        fits=first_of(calls_of("dynamodb.DescribeExport")),
        kinds=TABLES,
        hurt=("dynamodb",),
        place=AWAY,
        reads=True,
        prepare=_with_exports_under_way,
        settle=_finish_exports,
    )
    yield _listing_to_copy("s3.ListObjectsV2", TABLES, AWAY, what="there")
    yield _listing_to_copy("dynamodb.ListBackups", TABLES, HOME, what="here")
    for name, kinds in (
        ("rds.DescribeDBSnapshots", RDS),
        ("rds.DescribeDBClusterSnapshots", AURORA),
        ("ec2.DescribeSnapshots", EBS),
    ):
        yield _listing_to_copy(name, kinds, HOME, what="here")
        yield _listing_to_copy(name, kinds, AWAY, what="there")
        yield _listing_to_copy(name, kinds, AWAY, assumed=True, place=VAULT, what="in-the-vault")
    yield Site(
        name="sts.AssumeRole",
        stage=Stage.COPY,
        harm=Harm.LISTING,
        fits=calls_of("sts.AssumeRole"),
        kinds=RDS,
        hurt=RDS,
        place=VAULT,
        reads=True,
    )
    yield Site(
        name="kms.DescribeKey",
        stage=Stage.COPY,
        harm=Harm.NOTHING,
        fits=calls_of("kms.DescribeKey"),
        kinds=RDS,
        reads=True,
    )
