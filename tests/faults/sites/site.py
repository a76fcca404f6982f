"""What a site is, and how its calls are told from others."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from holdfast.core.model import name_of
from holdfast.core.report import Action, Stage
from tests.fakes import HOME
from tests.faults.house import House
from tests.faults.wire import Call, of

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

    @property
    def id(self) -> str:
        return "-".join(filter(None, (str(self.stage), self.name, self.what)))

    @property
    def is_special(self) -> bool:
        """Whether the call is none of a usual night's."""
        return self.prepare is not _nothing or self.plan != "nightly"

    @property
    def action(self) -> Action:
        return {Stage.CREATE: Action.CREATE, Stage.COPY: Action.COPY}.get(self.stage, Action.DELETE)


RDS, AURORA, EBS, TABLES = ("rds", "aurora"), ("aurora", "rds"), ("ebs", "rds"), ("dynamodb", "rds")


def calls_of(
    name: str, about: str = "", region: str = "", assumed: bool | None = None
) -> Callable[[House], Fits]:
    """The calls of an operation, that have `about` in their parameters, go to the Region, and are made in
    another account or not."""
    plain = of(name, about, region=region)
    return lambda _: lambda call: plain(call) and assumed in (None, call.assumed)


def about_thing(name: str, thing: str, region: str = "", *, assumed: bool = False) -> Callable[[House], Fits]:
    """The calls about one of the things in the house."""
    return lambda house: calls_of(name, name_of(house.things.arns[thing]), region, assumed)(house)


def unlike_of(name: str, about: str, region: str = "", *, assumed: bool = False) -> Callable[[House], Fits]:
    """The calls that have not `about` in their parameters."""
    plain = calls_of(name, "", region, assumed)
    return lambda house: lambda call: plain(house)(call) and not call.is_about(about)


def first_of(fits: Callable[[House], Fits]) -> Callable[[House], Fits]:
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
