"""Recoveries on a cloud in memory: resources of all kinds, of which the copies stand in the other Region."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from holdfast.core.errors import NoAnswer, ProviderError
from holdfast.core.model import Backup, name_of
from holdfast.core.recorded import Inventory, Recorded
from holdfast.core.recovery import Line, Recovery, RecoveryRequest
from holdfast.core.recovery_document import recovery_from_dict, recovery_to_dict
from holdfast.core.restoring import Configuration, Pick, Target, Wanted
from holdfast.ports import Deadline, Provider, RecoverPorts, RestorePorts
from holdfast.usecases.recover import recover
from tests.builders import AWAY_REGION, HOME, HOME_REGION, NIGHT, VOLUME, a_backup, kind_of
from tests.fakes import FakeSettings
from tests.integration.restoring import ITS_SETTINGS, FakeRestorer, FakeRestores, RestoreCloud

KINDS = ("aurora", "dynamodb", "ebs", "rds")
LOST = NIGHT + timedelta(hours=8)
"""When people ask for the recovery."""


def a_table(name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"


DATABASE = "arn:aws:rds:us-east-1:123456789012:db:billing"
CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:ledger"
ESTATE = (a_table("orders"), DATABASE, CLUSTER, VOLUME)


class Copies:
    """Of the port `Provider` what a recovery asks: the listing of a Region."""

    def __init__(self, world: "RecoverWorld", kind: str) -> None:
        self._world = world
        self.kind = kind

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        self._world.listed[self.kind] += 1
        if self.kind in self._world.unlistable:
            raise self._world.unlistable[self.kind]
        return [
            one
            for one in self._world.cloud.backups
            if (one.kind, one.place) == (self.kind, place) and source in ("", one.source)
        ]


class Restores(FakeRestorer):
    """A restorer that fails for the resources it is told to."""

    def __init__(self, world: "RecoverWorld", kind: str) -> None:
        super().__init__(world.cloud, kind)
        self._world = world

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        self._world.begun.append(target.source)
        if error := self._world.broken.get(target.source):
            raise error
        super().begin(pick, target, wanted)


class FakeRecoveries:
    """The port `RecoveryStore`: documents, as S3 keeps them."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, bool], dict[str, object]] = {}

    def load(self, request: RecoveryRequest) -> Recovery | None:
        kept = self.kept.get((request.id, request.dry_run))
        return recovery_from_dict(kept) if kept else None

    def begin(self, recovery: Recovery) -> Recovery:
        self.kept.setdefault((recovery.request.id, recovery.request.dry_run), recovery_to_dict(recovery))
        kept = self.load(recovery.request)
        assert kept is not None
        return kept

    def save(self, recovery: Recovery) -> None:
        self.kept[recovery.request.id, recovery.request.dry_run] = recovery_to_dict(recovery)

    def address(self, request: RecoveryRequest) -> str:
        return f"s3://reports/recoveries/{request.id}.json"


@dataclass
class RecoverWorld:
    """A standby that is asked for everything of a plan. The other Region answers no call. `tiers` are the
    tags of resources; `listed` counts the listings, `begun` is in the order of the calls."""

    estate: Sequence[str] = ESTATE
    tiers: Mapping[str, str] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    unlistable: dict[str, ProviderError] = field(default_factory=dict)
    cloud: RestoreCloud = field(init=False)
    settings: FakeSettings = field(default_factory=FakeSettings)
    recoveries: FakeRecoveries = field(default_factory=FakeRecoveries)
    listed: Counter[str] = field(default_factory=Counter)
    begun: list[str] = field(default_factory=list)
    now: datetime = LOST
    seconds: float = 900.0

    def __post_init__(self) -> None:
        copies = [a_backup(NIGHT, arn, region=AWAY_REGION) for arn in self.estate]
        self.cloud = RestoreCloud(backups=copies, settling=0)
        self.restores = FakeRestores(self.cloud)
        if self.estate:
            self.record(NIGHT, self.estate)
        self.reaches_no_other_region()

    def reaches_no_other_region(self) -> None:
        """The fake restorers' calls to the home Region fail; the stores' are in this one."""
        plain = self.cloud.call

        def call(name: str, effect: object, region: str = AWAY_REGION) -> object:
            if region == HOME_REGION:
                raise NoAnswer("any", region, name, "ConnectTimeoutError")
            return plain(name, effect, region)  # type: ignore[arg-type]

        self.cloud.call = call  # type: ignore[method-assign,assignment]

    def record(self, slot: datetime, arns: Sequence[str], *, whole: bool = True) -> None:
        recorded = [
            Recorded(
                kind=kind_of(arn),
                arn=arn,
                tags={"holdfast:tier": self.tiers[arn]} if arn in self.tiers else {},
                configuration=Configuration(arn=arn, settings=ITS_SETTINGS, recorded=slot),
                at=slot,
            )
            for arn in arns
        ]
        self.settings.save(
            Inventory(
                plan="nightly",
                slot=slot,
                at=slot,
                home=HOME,
                rpo_hours=26,
                rto_minutes=60,
                is_whole=whole,
                recorded=tuple(recorded),
            )
        )

    @property
    def ports(self) -> RecoverPorts:
        providers: dict[str, Provider] = {kind: Copies(self, kind) for kind in KINDS}  # type: ignore[misc]
        return RecoverPorts(
            restore=RestorePorts(
                providers=providers,
                restorers={kind: Restores(self, kind) for kind in KINDS},
                restores=self.restores,
                recorded=self.settings,
            ),
            settings=self.settings,
            recoveries=self.recoveries,
        )

    def asks(self, **more: object) -> RecoveryRequest:
        request = RecoveryRequest(id="worst-day", plan="nightly", region=AWAY_REGION)
        return replace(request, **more)  # type: ignore[arg-type]

    def look(self, request: RecoveryRequest | None = None) -> Recovery:
        """One look, a minute after the one before."""
        deadline: Deadline = lambda: self.seconds  # noqa: E731
        looked = recover(self.ports, request or self.asks(), HOME, self.now, deadline)
        self.now += timedelta(minutes=1)
        self.cloud.now = self.now
        return looked

    def recover(self, request: RecoveryRequest | None = None, most: int = 60) -> Recovery:
        """Look until it is over."""
        looked = self.look(request)
        while not looked.is_over and most:
            looked = self.look(request)
            most -= 1
        return looked


def line(recovery: Recovery, name: str) -> Line:
    [found] = [one for one in recovery.lines if name_of(one.resource) == name]
    return found


def states(recovery: Recovery) -> dict[str, str]:
    return {name_of(one.resource): str(one.state) for one in recovery.lines}
