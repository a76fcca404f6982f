"""Drills on a cloud in memory: restores that are made, looked at and removed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from holdfast.core.checks import Check
from holdfast.core.cost import GIB, Prices
from holdfast.core.drilling import Drilling, DrillRequest, Leftover, drilling_from_dict, drilling_to_dict
from holdfast.core.errors import AlreadyExists, NotReady, ProviderError
from holdfast.core.model import Backup, CopyLaws, CopyRule, DrillRule, Plan, Resource, name_of
from holdfast.core.posture import Drill
from holdfast.core.restoring import Found, Phase, Settings, Target
from holdfast.core.verifying import Question, Verdict
from holdfast.ports import DrillPorts, Rehearsed, ResourceQuery, RestorePorts
from holdfast.prices import load_prices
from holdfast.usecases.drill import drill
from tests.builders import AWAY_REGION, HOME, HOME_REGION, KEEP, NIGHT, TABLE, TAGS, a_backup, a_plan
from tests.fakes import FakePlans, FakeSettings
from tests.integration.restoring import BackupsThatStand, FakeRestorer, FakeRestores, RestoreCloud

GOOD = Check(name="items", passed=True, found="10, and DynamoDB counted 10")
FEWER = Check(name="items", passed=False, found="9, and DynamoDB counted 10")


class Provided(BackupsThatStand):
    """Of the port `Provider` what a drill asks besides: the resources, and the backups of them all."""

    def __init__(self, cloud: RestoreCloud, resources: Sequence[str]) -> None:
        super().__init__(cloud)
        self._of = cloud
        self._resources = resources

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        found = [Resource(kind="dynamodb", arn=arn, tags=TAGS) for arn in self._resources]
        return self._of.call("resources", lambda: found)

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        if source:
            return super().backups(place, source, since)
        return self._of.call(
            "backups", lambda: [one for one in self._of.backups if one.place == place], place
        )


class Copied:
    """Of the port `Copier` what a drill asks."""

    laws = CopyLaws(service="dynamodb")


@dataclass
class FakeRehearser:
    """The port `Rehearser` over a `RestoreCloud`. `removing` counts the looks until something is gone."""

    cloud: RestoreCloud
    found: Sequence[Check] = (GOOD,)
    left: dict[str, list[Leftover]] = field(default_factory=dict)
    asked: Question | None = None
    surprise: Exception | None = None
    removals: int = 0
    stubborn: bool = False
    """Nothing goes, whatever is asked."""

    @property
    def kind(self) -> str:
        return "dynamodb"

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:
        return {"Tags": dict(tags)}

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        def looked() -> Sequence[Check]:
            if self.surprise is not None:
                raise self.surprise
            assert self.cloud.made[rehearsed.region, name_of(rehearsed.arn)].phase is Phase.READY
            return self.found

        return self.cloud.call("checks", looked, rehearsed.region)

    def question(self, rehearsed: Rehearsed) -> Question | None:
        return self.asked

    def remove(self, found: Found, target: Target, drill: str) -> None:
        def removed() -> None:
            made = self.cloud.made[target.region, target.name]
            assert made.arn == found.arn
            if made.request != target.request:
                raise AlreadyExists("dynamodb", made.arn, "DeleteTable", "NotOurs", drill)
            if made.phase is Phase.MAKING:
                raise NotReady("dynamodb", made.arn, "DeleteTable", "ResourceInUseException")
            self.removals += 1
            if not self.stubborn:
                del self.cloud.made[target.region, target.name]

        self.cloud.call("remove", removed, target.region)

    def leftovers(self, region: str) -> Sequence[Leftover]:
        return self.cloud.call("leftovers", lambda: tuple(self.left.get(region, ())), region)

    def remove_leftover(self, left: Leftover) -> bool:
        def removed() -> bool:
            for those in self.left.values():
                those[:] = [one for one in those if one.arn != left.arn]
            return False

        return self.cloud.call("remove_leftover", removed)


class FakeDrills:
    """The port `DrillStore`: documents, as S3 keeps them."""

    def __init__(self, cloud: RestoreCloud) -> None:
        self.kept: dict[str, dict[str, object]] = {}
        self.recorded: list[Drill] = []
        self.ended: dict[str, datetime] = {}
        self._cloud = cloud

    def load(self, drill: str) -> Drilling | None:
        def loaded() -> Drilling | None:
            kept = self.kept.get(drill)
            return drilling_from_dict(kept) if kept else None

        return self._cloud.call("load drill", loaded)

    def begin(self, drilling: Drilling) -> Drilling:
        def begun() -> Drilling:
            kept = self.kept.setdefault(drilling.request.id, drilling_to_dict(drilling))
            return drilling_from_dict(kept)

        return self._cloud.call("keep drill", begun)

    def save(self, drilling: Drilling) -> None:
        def saved() -> None:
            self.kept[drilling.request.id] = drilling_to_dict(drilling)

        self._cloud.call("save drill", saved)

    def record(self, drill: Drill, digest: str) -> None:
        def recorded() -> None:
            self.recorded.append(drill)
            self.ended[digest] = drill.at

        self._cloud.call("record", recorded)

    def last(self, plan: str, since: datetime) -> Mapping[str, datetime]:
        found = {digest: at for digest, at in self.ended.items() if at >= since}
        return self._cloud.call("last", lambda: found)

    def address(self, drill: str) -> str:
        return f"s3://reports/rehearsals/{drill}.json"


@dataclass
class FakeVerifier:
    """The port `Verifier`. `answers` come one after another, the last again and again."""

    answers: list[Verdict | ProviderError]

    def verify(self, question: Question) -> Verdict:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ProviderError):
            raise answer
        return answer


class ListPrices:
    """The port `PriceList`."""

    def read(self) -> tuple[Prices, str]:
        return load_prices(), ""


@dataclass
class DrillWorld:
    """A deployment whose restores are rehearsed: `resources` with a backup each of the last three nights, at
    home and away."""

    resources: Sequence[str] = (TABLE,)
    rule: DrillRule | None = field(default_factory=lambda: DrillRule(within_days=7))
    copies: bool = False
    cloud: RestoreCloud = field(default_factory=RestoreCloud)
    verifier: FakeVerifier | None = None
    rto_minutes: int = 60
    rpo_hours: int = 26
    size_bytes: int | None = GIB
    drills: FakeDrills = field(init=False)
    restores: FakeRestores = field(init=False)
    rehearser: FakeRehearser = field(init=False)

    def __post_init__(self) -> None:
        self.drills = FakeDrills(self.cloud)
        self.restores = FakeRestores(self.cloud)
        self.rehearser = FakeRehearser(self.cloud)
        self.cloud.backups = [
            replace(a_backup(NIGHT - timedelta(days=days), arn, region=region), size_bytes=self.size_bytes)
            for arn in self.resources
            for region in (HOME_REGION, AWAY_REGION)
            for days in (2, 1, 0)
        ]

    @property
    def plan(self) -> Plan:
        rules = (CopyRule(region=AWAY_REGION, keep=KEEP, bucket="away"),) if self.copies else ()
        plan = a_plan(copies=rules, types=("dynamodb",))
        return replace(plan, drill=self.rule, rto_minutes=self.rto_minutes, rpo_hours=self.rpo_hours)

    @property
    def ports(self) -> DrillPorts:
        provider = Provided(self.cloud, self.resources)
        return DrillPorts(
            restore=RestorePorts(
                providers={"dynamodb": provider},  # type: ignore[dict-item]
                restorers={"dynamodb": FakeRestorer(self.cloud, "dynamodb")},
                restores=self.restores,
                recorded=FakeSettings(),
            ),
            copiers={"dynamodb": Copied()},  # type: ignore[dict-item]
            rehearsers={"dynamodb": self.rehearser},
            plans=FakePlans([self.plan]),
            drills=self.drills,
            prices=ListPrices(),
            verifier=self.verifier,
            places=(HOME_REGION, AWAY_REGION),
        )

    def look(self, request: DrillRequest | None = None) -> Drilling:
        """One look, a minute after the one before."""
        asked = request or DrillRequest(id="sunday", plan="nightly")
        looked = drill(self.ports, asked, HOME, self.cloud.now, lambda: 900.0)
        self.cloud.now += timedelta(minutes=1)
        return looked

    def drill(
        self, request: DrillRequest | None = None, most: int = 60, after: Callable[[], None] = lambda: None
    ) -> Drilling:
        """Look until it is over."""
        looked = self.look(request)
        while not looked.is_over and most:
            after()
            looked = self.look(request)
            most -= 1
        return looked

    @property
    def standing(self) -> list[str]:
        """What drills have made and not removed."""
        return sorted(name for _, name in self.cloud.made)


USD = Decimal("0.15")
"""What restoring a table of one GiB costs, by the price list."""
