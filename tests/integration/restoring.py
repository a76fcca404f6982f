"""Restores on a cloud in memory: what stands and is made, and every way in which AWS answers or does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from holdfast.core.errors import AccessDenied, AlreadyExists, NoAnswer, NotFound, ProviderError
from holdfast.core.model import Backup, name_of, region_of
from holdfast.core.restoring import (
    RESTORE_TAG,
    Configuration,
    Filled,
    Found,
    Json,
    Phase,
    Pick,
    Restore,
    RestoreRequest,
    Settings,
    Settled,
    Target,
    Wanted,
    Way,
    Window,
    restore_from_dict,
    restore_to_dict,
)
from holdfast.ports import Deadline, Provider, RestorePorts
from holdfast.usecases.restore import restore
from tests.builders import AWAY_REGION, HOME_REGION, NIGHT, TABLE, a_backup, kind_of
from tests.fakes import FakeSettings

ASKED = NIGHT + timedelta(hours=13)
"""When people ask for a restore."""

LOOKS_UNTIL_IT_STANDS = 2
ITS_SETTINGS: Settings = {"BillingMode": "PAY_PER_REQUEST", "Tags": {"team": "shop"}, "TimeToLive": "expires"}
ALLOWED = ("BillingMode", "Tags", "TimeToLive", "KmsKeyId")

type Fault = Callable[[], ProviderError]


@dataclass(slots=True)
class Made:
    """A resource that a restore, or somebody, made."""

    arn: str
    made_of: str
    created: datetime
    settings: dict[str, Json]
    request: str = ""
    looks: int = LOOKS_UNTIL_IT_STANDS
    phase: Phase = Phase.MAKING
    files: int = 0


@dataclass
class RestoreCloud:
    """`made` is what stands, by Region and name; `begun` counts the restores that AWS took. `settings` are
    the source's; `None` when it is gone. `tags_at_once`: a thing bears its request from the beginning on."""

    backups: list[Backup] = field(default_factory=list)
    made: dict[tuple[str, str], Made] = field(default_factory=dict)
    window: Window | None = None
    settings: Settings | None = field(default_factory=lambda: dict(ITS_SETTINGS))
    refused: dict[str, str] = field(default_factory=dict)
    unreachable: str = ""
    tags_at_once: bool = True
    fails: bool = False
    never: bool = False
    settling: int = 1
    files: int = 0
    now: datetime = ASKED
    begun: int = 0
    settled: int = 0
    calls: list[str] = field(default_factory=list)
    faults: dict[str, Fault] = field(default_factory=dict)
    at_call: tuple[int, Fault, bool] | None = None
    """The so-manieth call of all ends with that, before its effect or (`True`) after it."""

    def call[T](self, name: str, effect: Callable[[], T], region: str = HOME_REGION) -> T:
        self.calls.append(name)
        if region == self.unreachable:
            raise NoAnswer("dynamodb", region, name, "ConnectTimeoutError")
        number, fault, after = self.at_call or (0, None, False)
        if fault is not None and number == len(self.calls):
            if after:
                effect()
            raise fault()
        if name in self.faults:
            error = self.faults[name]()
            raise error
        return effect()

    def somebody_makes(self, name: str, region: str = HOME_REGION) -> Made:
        """A thing that is none of ours."""
        made = Made(
            arn=f"arn:aws:dynamodb:{region}:123456789012:table/{name}",
            made_of="",
            created=self.now,
            settings={"BillingMode": "PROVISIONED"},
            phase=Phase.READY,
        )
        self.made[region, name] = made
        return made


class FakeRestorer:
    """The port `Restorer` over a `RestoreCloud`."""

    def __init__(self, cloud: RestoreCloud, kind: str) -> None:
        self._cloud = cloud
        self._kind = kind

    @property
    def kind(self) -> str:
        return self._kind

    def mistakes(self, given: Settings) -> Sequence[str]:
        return [
            f"settings.{name}: not a setting of it; give {', '.join(ALLOWED)}"
            for name in given
            if name not in ALLOWED
        ]

    def configuration(self, arn: str) -> Configuration | None:
        def read() -> Configuration | None:
            made = self._cloud.made.get((region_of(arn), name_of(arn)))
            if made is not None and made.arn == arn:
                return Configuration(arn=arn, settings=dict(made.settings))
            if self._cloud.settings is None:
                return None
            return Configuration(arn=arn, settings=dict(self._cloud.settings))

        return self._cloud.call("configuration", read, region_of(arn))

    def window(self, arn: str) -> Window | None:
        return self._cloud.call("window", lambda: self._cloud.window, region_of(arn))

    def look(self, target: Target) -> Found | None:
        def looked() -> Found | None:
            made = self._cloud.made.get((target.region, target.name))
            if made is None:
                return None
            made.looks -= 1
            if made.looks <= 0 and made.phase is Phase.MAKING and not self._cloud.never:
                made.phase = Phase.FAILED if self._cloud.fails else Phase.READY
            return Found(
                arn=made.arn,
                phase=made.phase,
                text=str(made.phase),
                request=made.request,
                made_of=made.made_of,
                created=made.created,
            )

        return self._cloud.call("look", looked, target.region)

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        def begun() -> None:
            if (target.region, target.name) in self._cloud.made:
                raise AlreadyExists(self._kind, target.name, "Restore", "TableAlreadyExistsException")
            standing = {one.arn for one in self._cloud.backups}
            if not {one.arn for one in pick.pieces} <= standing:
                raise NotFound(self._kind, target.name, "Restore", "BackupNotFoundException")
            self._cloud.begun += 1
            service, sort = target.source.split(":")[2], target.source.split(":", 5)[5]
            kept = {"BillingMode": wanted.settings.get("BillingMode", "PAY_PER_REQUEST")}
            self._cloud.made[target.region, target.name] = Made(
                arn=f"arn:aws:{service}:{target.region}:123456789012:{sort.split('/')[0]}/{target.name}",
                made_of=pick.pieces[-1].arn if pick.pieces else target.source,
                created=self._cloud.now,
                settings=dict(kept),
                request=target.request if self._cloud.tags_at_once else "",
            )

        self._cloud.call("begin", begun, target.region)

    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Deadline) -> Filled:
        def put() -> Filled:
            made = self._cloud.made[target.region, target.name]
            made.files = min(self._cloud.files, filled.done + 2)
            return Filled(done=made.files, total=self._cloud.files)

        return self._cloud.call("fill", put, target.region)

    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:
        def settled() -> Settled:
            made = self._cloud.made[target.region, target.name]
            assert made.arn == found.arn
            assert made.made_of, "nothing that somebody made is changed"
            made.request = target.tags[RESTORE_TAG]
            self._cloud.settled += 1
            if self._cloud.settled < self._cloud.settling:
                return Settled(pending="AWS is changing it (UPDATING)")
            for name, value in wanted.settings.items():
                if name not in self._cloud.refused:
                    made.settings[name] = value
            return Settled(problems=self._cloud.refused)

        return self._cloud.call("settle", settled, target.region)


class BackupsThatStand:
    """Of the port `Provider` what a restore asks: the backups of a resource in a place."""

    def __init__(self, cloud: RestoreCloud) -> None:
        self._cloud = cloud

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        return self._cloud.call(
            "backups",
            lambda: [one for one in self._cloud.backups if (one.place, one.source) == (place, source)],
            place,
        )


class FakeRestores:
    """The port `RestoreStore`: documents, as S3 keeps them. `rival` is asked for what another invocation
    keeps first."""

    def __init__(self, cloud: RestoreCloud) -> None:
        self.kept: dict[str, dict[str, object]] = {}
        self.rival: Callable[[], Restore] | None = None
        self._cloud = cloud

    def load(self, request: str) -> Restore | None:
        return self._cloud.call("load", lambda: self._load(request))

    def begin(self, restore: Restore) -> Restore:
        def begun() -> Restore:
            if self.rival is not None:
                self._keep(self.rival())
            if restore.request.id not in self.kept:
                self._keep(restore)
            kept = self._load(restore.request.id)
            assert kept is not None
            return kept

        return self._cloud.call("keep", begun)

    def save(self, restore: Restore) -> None:
        self._cloud.call("save", lambda: self._keep(restore))

    def address(self, request: str) -> str:
        return f"s3://reports/restores/{request}.json"

    def _load(self, request: str) -> Restore | None:
        kept = self.kept.get(request)
        return restore_from_dict(kept) if kept else None

    def _keep(self, restore: Restore) -> None:
        self.kept[restore.request.id] = restore_to_dict(restore)


@dataclass
class RestoreWorld:
    """A deployment that is asked for a restore."""

    source: str = TABLE
    cloud: RestoreCloud = field(default_factory=RestoreCloud)
    restores: FakeRestores = field(init=False)
    recorded: FakeSettings = field(default_factory=FakeSettings)

    def __post_init__(self) -> None:
        self.restores = FakeRestores(self.cloud)
        if not self.cloud.backups:
            self.cloud.backups = [a_backup(NIGHT - timedelta(days=n), self.source) for n in (2, 1, 0)]
            self.cloud.backups.append(a_backup(NIGHT, self.source, region=AWAY_REGION))

    @property
    def ports(self) -> RestorePorts:
        kind = kind_of(self.source)
        provider: Provider = BackupsThatStand(self.cloud)  # type: ignore[assignment]
        return RestorePorts(
            providers={kind: provider},
            restorers={kind: FakeRestorer(self.cloud, kind)},
            restores=self.restores,
            recorded=self.recorded,
        )

    def asks(self, **more: object) -> RestoreRequest:
        request = RestoreRequest(id="worst-day", resource=self.source, region=HOME_REGION)
        return replace(request, **more)  # type: ignore[arg-type]

    def look(self, request: RestoreRequest | None = None) -> Restore:
        """One look, a minute after the one before."""
        looked = restore(self.ports, request or self.asks(), self.cloud.now, lambda: 900.0)
        self.cloud.now += timedelta(minutes=1)
        return looked

    def restore(self, request: RestoreRequest | None = None, most: int = 30) -> Restore:
        """Look until it is over."""
        request = request or self.asks()
        looked = self.look(request)
        while not looked.is_over and most:
            looked = self.look(request)
            most -= 1
        return looked


def denied() -> ProviderError:
    return AccessDenied("dynamodb", TABLE, "Restore", "AccessDeniedException", "not authorized")


def unheard() -> ProviderError:
    return NoAnswer("dynamodb", TABLE, "Restore", "ReadTimeoutError")


def way_of(made: Restore) -> Way | None:
    return made.pick.way if made.pick else None
