"""Where the product calls AWS, and what it costs when one of these calls fails.

A site is a call in a stage: which calls it is, how many of the plan's things depend on it, and how to get
there. Every operation that the adapters call has at least one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from holdfast.core.model import name_of
from holdfast.core.report import Action, Stage
from local import exports
from tests.fakes import ACCOUNT, AWAY, HOME
from tests.faults.furniture import VAULT
from tests.faults.house import House
from tests.faults.wire import Call, error, of

type Fits = Callable[[Call], bool]


class Harm(Enum):
    """What a failure of the call costs."""

    ACT = auto()
    """One backup, copy or deletion (of a group: of each of its volumes)."""
    LISTING = auto()
    """All of a kind, in this stage and place: it could not be listed."""
    REFUSAL = auto()
    """All deletions of a kind: nothing is deleted on a listing that is not whole."""
    PROBLEM = auto()
    """A sentence in the run's report; the message goes out with it."""
    NOTHING = auto()
    """Nothing: the work goes on without what the call would have told."""
    STAGE = auto()
    """The stage, which cannot do its work without, or cannot say that it did."""


def _nothing(_: House) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A call. `fits` makes anew, for each case, what knows it. `kinds` are those that the plan has, of which
    `hurt` are those that a failure concerns, in `place`. `acts` is how many outcomes an act has.

    `reads`: it changes nothing in AWS, so that it is all one whether a call without an answer took effect.
    `prepare` brings a restored house to where the call is made, and `settle` lets AWS finish what is under
    way. `plan` is the plan whose stage is run.
    """

    name: str
    stage: Stage
    harm: Harm
    fits: Callable[[House], Fits]
    kinds: tuple[str, ...]
    hurt: tuple[str, ...] = ()
    place: str = HOME
    acts: int = 1
    reads: bool = False
    what: str = ""
    prepare: Callable[[House], None] = _nothing
    settle: Callable[[House], None] = _nothing
    plan: str = "nightly"
    attempts: int | None = None

    @property
    def id(self) -> str:
        return "-".join(filter(None, (str(self.stage), self.name, self.what)))

    @property
    def action(self) -> Action:
        return {Stage.CREATE: Action.CREATE, Stage.COPY: Action.COPY}.get(self.stage, Action.DELETE)


_RDS, _AURORA, _EBS, _TABLES = ("rds", "aurora"), ("aurora", "rds"), ("ebs", "rds"), ("dynamodb", "rds")


def _of(name: str, about: str = "", region: str = "", assumed: bool | None = None) -> Callable[[House], Fits]:
    plain = of(name, about, region=region)
    return lambda _: lambda call: plain(call) and assumed in (None, call.assumed)


def _of_thing(name: str, thing: str, region: str = "", *, assumed: bool = False) -> Callable[[House], Fits]:
    """The calls about one of the things in the house."""
    return lambda house: _of(name, name_of(house.things.arns[thing]), region, assumed)(house)


def _without(name: str, about: str, region: str = "", *, assumed: bool = False) -> Callable[[House], Fits]:
    """The calls that have not `about` in their parameters."""
    plain = _of(name, "", region, assumed)
    return lambda house: lambda call: plain(house)(call) and not call.is_about(about)


def _first(fits: Callable[[House], Fits]) -> Callable[[House], Fits]:
    """Of these calls the first that is made, and those with the very same parameters."""

    def anew(house: House) -> Fits:
        plain = fits(house)
        chosen: list[Call] = []

        def same(call: Call) -> bool:
            if not plain(call):
                return False
            if not chosen:
                chosen.append(call)
            return (call.region, call.params) == (chosen[0].region, chosen[0].params)

        return same

    return anew


# --- creating ----------------------------------------------------------------------------------------------


def _creating(name: str, thing: str, kinds: tuple[str, ...], acts: int = 1) -> Site:
    return Site(
        name=name,
        stage=Stage.CREATE,
        harm=Harm.ACT,
        fits=_of_thing(name, thing),
        kinds=kinds,
        hurt=kinds[:1],
        acts=acts,
    )


def _listing_to_create(name: str, kinds: tuple[str, ...], about: str = "", unlike: str = "") -> Site:
    return Site(
        name=name,
        stage=Stage.CREATE,
        harm=Harm.LISTING,
        fits=_without(name, unlike, HOME) if unlike else _of(name, about, HOME),
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
        fits=_of(name),
        kinds=_TABLES,
        hurt=("dynamodb",),
        reads=True,
        prepare=_with_an_including_plan,
        plan="all",
    )


def _at_the_quota(house: House) -> None:
    """RDS takes no more, so that the quota is looked up."""
    house.wire.add(of("rds.CreateDBSnapshot", "shop"), error("SnapshotQuotaExceeded"))


def _to_create() -> Iterator[Site]:
    yield _creating("rds.CreateDBSnapshot", "shop", _RDS)
    yield _creating("rds.CreateDBClusterSnapshot", "ledger", _AURORA)
    yield _creating("dynamodb.CreateBackup", "orders", _TABLES)
    yield _creating("ec2.CreateSnapshot", "scratch", _EBS)
    yield _creating("ec2.CreateSnapshots", "server", _EBS, 2)
    yield Site(
        name="ec2.DescribeInstances",
        stage=Stage.CREATE,
        harm=Harm.ACT,
        fits=_of("ec2.DescribeInstances", '"instance-id"'),
        kinds=_EBS,
        hurt=("ebs",),
        acts=2,
        reads=True,
        what="of-the-group",
    )
    yield _listing_to_create("rds.DescribeDBInstances", _RDS)
    yield _listing_to_create("rds.DescribeDBSnapshots", _RDS)
    yield _listing_to_create("rds.DescribeDBClusters", _AURORA)
    yield _listing_to_create("rds.DescribeDBClusterSnapshots", _AURORA)
    yield _listing_to_create("ec2.DescribeVolumes", _EBS)
    yield _listing_to_create("ec2.DescribeInstances", _EBS, unlike='"instance-id"')
    yield _listing_to_create("ec2.DescribeSnapshots", _EBS)
    yield _listing_to_create("dynamodb.ListBackups", _TABLES)
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", _RDS, "rds:db")
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", _AURORA, "rds:cluster")
    yield _listing_to_create("resourcegroupstaggingapi.GetResources", _TABLES, "dynamodb:table")
    yield _listing_of_all_tables("dynamodb.ListTables")
    yield _listing_of_all_tables("dynamodb.DescribeTable")
    for name in ("service-quotas.GetServiceQuota", "service-quotas.GetAWSDefaultServiceQuota"):
        yield Site(
            name=name,
            stage=Stage.CREATE,
            harm=Harm.NOTHING,
            fits=_of(name),
            kinds=_RDS,
            reads=True,
            prepare=_at_the_quota,
        )


# --- copying -----------------------------------------------------------------------------------------------


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
        fits=_first(fits),
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
        fits=_without(name, unlike, region, assumed=assumed),
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


def _to_copy() -> Iterator[Site]:
    for name, kinds, thing in (
        ("rds.CopyDBSnapshot", _RDS, "shop"),
        ("rds.CopyDBClusterSnapshot", _AURORA, "ledger"),
    ):
        yield _copying(name, kinds, _of_thing(name, thing, AWAY))
        yield _copying(name, kinds, _of_thing(name, thing, AWAY, assumed=True), VAULT)
    for name, kinds, thing in (
        ("rds.ModifyDBSnapshotAttribute", _RDS, "shop"),
        ("rds.ModifyDBClusterSnapshotAttribute", _AURORA, "ledger"),
    ):
        yield _copying(name, kinds, _of_thing(name, thing, AWAY), VAULT)
    yield _copying("ec2.CopySnapshot", _EBS, _of("ec2.CopySnapshot", HOME, AWAY, assumed=False))
    yield _copying("ec2.CopySnapshot", _EBS, _of("ec2.CopySnapshot", "", AWAY, assumed=True), VAULT)
    yield _copying("ec2.ModifySnapshotAttribute", _EBS, _of("ec2.ModifySnapshotAttribute"), VAULT)
    yield _copying(
        "ec2.DescribeSnapshots",
        _EBS,
        _of("ec2.DescribeSnapshots", "snap-", AWAY, assumed=True),
        VAULT,
        "of-the-share",
        reads=True,
    )
    export = "dynamodb.ExportTableToPointInTime"
    yield _copying(export, _TABLES, _of_thing(export, "orders"))
    yield _copying("s3.PutObject", _TABLES, _of("s3.PutObject", "/begun/", AWAY), what="note")
    yield Site(
        name="dynamodb.DescribeExport",
        stage=Stage.COPY,
        harm=Harm.LISTING,
        fits=_first(_of("dynamodb.DescribeExport")),
        kinds=_TABLES,
        hurt=("dynamodb",),
        place=AWAY,
        reads=True,
        prepare=_with_exports_under_way,
        settle=_finish_exports,
    )
    yield _listing_to_copy("s3.ListObjectsV2", _TABLES, AWAY, what="there")
    yield _listing_to_copy("dynamodb.ListBackups", _TABLES, HOME, what="here")
    for name, kinds in (
        ("rds.DescribeDBSnapshots", _RDS),
        ("rds.DescribeDBClusterSnapshots", _AURORA),
        ("ec2.DescribeSnapshots", _EBS),
    ):
        yield _listing_to_copy(name, kinds, HOME, what="here")
        yield _listing_to_copy(name, kinds, AWAY, what="there")
        yield _listing_to_copy(name, kinds, AWAY, assumed=True, place=VAULT, what="in-the-vault")
    yield Site(
        name="sts.AssumeRole",
        stage=Stage.COPY,
        harm=Harm.LISTING,
        fits=_of("sts.AssumeRole"),
        kinds=_RDS,
        hurt=_RDS,
        place=VAULT,
        reads=True,
    )
    yield Site(
        name="kms.DescribeKey",
        stage=Stage.COPY,
        harm=Harm.NOTHING,
        fits=_of("kms.DescribeKey"),
        kinds=_RDS,
        reads=True,
    )


# --- pruning -----------------------------------------------------------------------------------------------


def _deleting(name: str, kinds: tuple[str, ...], place: str = HOME, what: str = "") -> Site:
    return Site(
        name=name,
        stage=Stage.PRUNE,
        harm=Harm.ACT,
        fits=_first(_of(name, "", place)),
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
        fits=_without(name, unlike, place) if unlike else _of(name, "", place),
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
        fits=_first(_of(name, about, HOME)),
        kinds=kinds,
        hurt=kinds[:1],
        reads=True,
        what="right-before",
    )


def _to_prune() -> Iterator[Site]:
    yield _deleting("rds.DeleteDBSnapshot", _RDS)
    yield _deleting("rds.DeleteDBSnapshot", _RDS, AWAY, "there")
    yield _deleting("rds.DeleteDBClusterSnapshot", _AURORA)
    yield _deleting("ec2.DeleteSnapshot", _EBS)
    yield _deleting("dynamodb.DeleteBackup", _TABLES)
    yield _deleting("s3.DeleteObjects", _TABLES, AWAY)
    yield _listing_to_prune("rds.DescribeDBSnapshots", _RDS, unlike="db-instance-id")
    yield _listing_to_prune("rds.DescribeDBSnapshots", _RDS, AWAY)
    yield _listing_to_prune("rds.DescribeDBClusterSnapshots", _AURORA, unlike="db-cluster-id")
    yield _listing_to_prune("ec2.DescribeSnapshots", _EBS, unlike="volume-id")
    yield _listing_to_prune("dynamodb.ListBackups", _TABLES, unlike="TableName")
    yield _listing_to_prune("s3.ListObjectsV2", _TABLES, AWAY)
    yield _looking_again("rds.DescribeDBSnapshots", _RDS, "db-instance-id")
    yield _looking_again("rds.DescribeDBClusterSnapshots", _AURORA, "db-cluster-id")
    yield _looking_again("ec2.DescribeSnapshots", _EBS, "volume-id")
    yield _looking_again("dynamodb.ListBackups", _TABLES, "TableName")
    yield Site(
        name="ssm.GetParameter",
        stage=Stage.PRUNE,
        harm=Harm.REFUSAL,
        fits=_of("ssm.GetParameter", "/holds"),
        kinds=_TABLES,
        hurt=("dynamodb",),
        reads=True,
        what="of-the-holds",
    )
    for what, key in (("told", "told/"), ("record", "/create.json")):
        yield Site(
            name="s3.GetObject",
            stage=Stage.PRUNE,
            harm=Harm.REFUSAL,
            fits=_of("s3.GetObject", key),
            kinds=_RDS,
            hurt=_RDS,
            reads=True,
            what=what,
        )


# --- the stack's own things --------------------------------------------------------------------------------


def _own(
    name: str, stage: Stage, harm: Harm, about: str, what: str, *, reads: bool, nth: int | None = None
) -> Site:
    def fits(house: House) -> Fits:
        plain, met = _of(name, about)(house), [0]

        def so_manieth(call: Call) -> bool:
            met[0] += plain(call)
            return plain(call) and (nth is None or met[0] >= nth)

        return so_manieth

    return Site(name=name, stage=stage, harm=harm, fits=fits, kinds=_RDS, reads=reads, what=what)


def _to_keep_house() -> Iterator[Site]:
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        yield _own("ssm.GetParameter", stage, Harm.STAGE, "/plans/", "of-the-plan", reads=True)
        yield _own("s3.PutObject", stage, Harm.STAGE, f"/{stage}.json", "record", reads=False)
    for stage, turn in ((Stage.CREATE, "turns/nightly.json"), (Stage.COPY, "turns/nightly-copy.json")):
        yield _own("s3.GetObject", stage, Harm.STAGE, turn, "turn", reads=True)
        yield _own("s3.PutObject", stage, Harm.STAGE, turn, "turn", reads=False)
        yield _own("s3.PutObject", stage, Harm.NOTHING, turn, "turn-given-back", reads=False, nth=2)
    yield _own("s3.GetObject", Stage.COPY, Harm.NOTHING, "/create.json", "record-of-create", reads=True)
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        yield _own("s3.GetObject", Stage.REPORT, Harm.PROBLEM, f"/{stage}.json", f"of-{stage}", reads=True)
    yield _own("s3.GetObject", Stage.REPORT, Harm.STAGE, "/report.json", "own", reads=True)
    yield _own("s3.PutObject", Stage.REPORT, Harm.STAGE, "/report.json", "own", reads=False)
    yield _own("s3.GetObject", Stage.REPORT, Harm.STAGE, "told/", "told", reads=True)
    yield _own("s3.PutObject", Stage.REPORT, Harm.STAGE, "told/", "told", reads=False)
    yield _own("sns.Publish", Stage.REPORT, Harm.STAGE, "", "", reads=False)
    yield Site(
        name="ssm.GetParametersByPath",
        stage=Stage.CREATE,
        harm=Harm.STAGE,
        fits=_of("ssm.GetParametersByPath"),
        kinds=_RDS,
        reads=True,
        plan="weekly",
    )


SITES = (*_to_create(), *_to_copy(), *_to_prune(), *_to_keep_house())
