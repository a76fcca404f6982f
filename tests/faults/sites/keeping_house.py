"""The calls about the stack's own things: plans, turns, records, and the message."""

from collections.abc import Iterator

from holdfast.core.report import Stage
from tests.faults.house import House
from tests.faults.sites.site import RDS, Fits, Harm, Site, calls_of
from tests.faults.wire import Call


def _own(
    name: str, stage: Stage, harm: Harm, about: str, what: str, *, reads: bool, nth: int | None = None
) -> Site:
    def fits(house: House) -> Fits:
        plain, met = calls_of(name, about)(house), [0]

        def so_manieth(call: Call) -> bool:
            met[0] += plain(call)
            return plain(call) and (nth is None or met[0] >= nth)

        return so_manieth

    return Site(name=name, stage=stage, harm=harm, fits=fits, kinds=RDS, reads=reads, what=what)


def to_keep_house() -> Iterator[Site]:
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        yield _own("ssm.GetParameter", stage, Harm.STAGE, "/plans/", "of-the-plan", reads=True)
        yield _own("s3.GetObject", stage, Harm.STAGE, f"/{stage}.json", "own-record", reads=True)
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
        fits=calls_of("ssm.GetParametersByPath"),
        kinds=RDS,
        reads=True,
        plan="weekly",
    )
