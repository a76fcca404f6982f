"""A furnished AWS account in this process, and Holdfast in it: the real `App` with its real adapters, over
moto with what `local` adds to it.

    with House.open() as house:           # two nights old; takes some seconds
        house.restore(Stage.COPY)         # as it is right before that stage of the night; milliseconds
        house.wire.add(of("rds.CopyDBSnapshot", "shop"), denied)
        report = house.stage(Stage.COPY)  # what the stage's function does; what it raises comes out
        house.truth()                     # what stands, read from moto itself

There are two of each kind of resource, one encrypted and one not, and of volumes four, of which two are
backed up together with their instance. All are copied to a second Region and, but for the tables, from there
to a vault account. Two earlier nights have run, so that this one has something to prune in each place.

Nothing waits: the adapters' pace, the pauses between attempts and those of the durable run are skipped.
Sweeps go over their steps one after the other, in the same order each time. A stage starts cold, as if in a
new execution environment, but for the clients, which take a second to make.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any, override

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics
from botocore.client import BaseClient
from botocore.config import Config
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.ssm.models import ParameterDict

from holdfast import bootstrap as bootstrap_module
from holdfast.adapters import accounts as accounts_module
from holdfast.adapters import dynamodb_exports
from holdfast.adapters.calls import Pace
from holdfast.adapters.patience import RECORD_SECONDS, Patience
from holdfast.bootstrap import App
from holdfast.core.errors import StageCrashed
from holdfast.core.posture import Posture
from holdfast.core.report import Report, Stage
from holdfast.events import parse_check, parse_request
from holdfast.settings import read_settings
from holdfast.stage import finish, finish_check, finish_run
from holdfast.usecases import sweep as sweep_module
from holdfast.usecases.check import check_recovery_points, keep_posture
from holdfast.usecases.copy import copy_backups
from holdfast.usecases.create import create_backups
from holdfast.usecases.prune import prune_backups
from holdfast.usecases.publish import publish_report
from holdfast.usecases.record import record_settings
from holdfast.usecases.run import run_plan
from local import accounts, databases, ebs, exports, tables
from tests.fakes import ACCOUNT, AWAY, HOME
from tests.faults.furniture import BUCKET, EXPORTS, HOLDS, PLANS, TOPIC, VAULT_ACCOUNT, VAULT_ROLE, Things
from tests.faults.truth import Standing, standing
from tests.faults.wire import Rule, Wire, answering, of

ENVIRONMENT = {
    "HOLDFAST_STACK": "holdfast",
    "AWS_REGION": HOME,
    "HOLDFAST_ACCOUNT": ACCOUNT,
    "HOLDFAST_PLANS_PATH": PLANS,
    "HOLDFAST_BUCKET": BUCKET,
    "HOLDFAST_COPY_REGIONS": AWAY,
    "HOLDFAST_COPY_BUCKET": EXPORTS,
    "HOLDFAST_VAULT_ACCOUNT": VAULT_ACCOUNT,
    "HOLDFAST_VAULT_ROLE": VAULT_ROLE,
    "HOLDFAST_TOPIC_ARN": TOPIC,
    "HOLDFAST_HOLDS_PARAMETER": HOLDS,
    "HOLDFAST_PRICES_PARAMETER": "/holdfast/prices",
    "HOLDFAST_RDS_CALLS_PER_SECOND": "100",
    **{f"HOLDFAST_{stage.upper()}_FUNCTION": f"holdfast-{stage}" for stage in Stage},
}

NIGHT = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""The slot of the night: yesterday's, so that it is over by all clocks, and DynamoDB can export it."""

NIGHTS = (NIGHT - timedelta(days=2), NIGHT - timedelta(days=1), NIGHT)
CHECKED_AFTER = timedelta(minutes=10)
STAGES = (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT)
PLENTY_SECONDS = 900.0

_DEFAULT_QUOTA = Rule(of("service-quotas.GetAWSDefaultServiceQuota"), answering({"Quota": {"Value": 250.0}}))
"""moto knows no such operation, and no quota of these services."""

_INSTANCES: list[Any] = BackendDict._instances  # type: ignore[misc]
"""What moto has of each service."""

_ALSO = {Stage.COPY: ("hint",), Stage.PRUNE: ("approve",), Stage.REPORT: ("problems", "posture", "unchecked")}
"""The keys of an event that a stage's function takes besides those of all."""


class _Session(boto3.Session):
    """Makes each client once: of a service, in a Region, with so many attempts of such a length."""

    def client(  # type: ignore[override]
        self, service_name: str, region_name: str | None = None, *, config: Config, **more: Any
    ) -> Any:
        made: dict[object, Any] = self.__dict__.setdefault("_made_clients", {})
        settings: Any = config
        attempts, seconds = settings.retries["total_max_attempts"], settings.read_timeout
        key = (service_name, region_name or self.region_name, attempts, seconds)
        if key not in made:
            made[key] = super().client(service_name, region_name=region_name, config=config, **more)  # type: ignore[call-overload]
        return made[key]


@dataclass(slots=True)
class _Sessions:
    """The stack's own session, and the one with the role in the vault account."""

    own: _Session
    vault: _Session | None = None

    def other(self, botocore_session: Any) -> _Session:
        """Stands for `boto3.Session` where the session of another account is made."""
        if self.vault is None:
            self.vault = _Session(botocore_session=botocore_session)
        return self.vault

    def forget_the_role(self) -> None:
        """The next call in the vault account assumes its role again."""
        if self.vault is not None:
            credentials: Any = self.vault.get_credentials()
            credentials._frozen_credentials = None


class _PatienceOnce(Patience):
    """Watches over a client once, however many environments are given it."""

    def __init__(self) -> None:
        super().__init__()
        self._watching: set[int] = set()

    @override
    def watched[Client: BaseClient](self, client: Client, keep_seconds: float = RECORD_SECONDS) -> Client:
        if id(client) not in self._watching:
            self._watching.add(id(client))
            super().watched(client, keep_seconds)
        return client


class _OneAfterTheOther:
    """A pool of threads without threads, so that each sweep calls in the same order."""

    def __init__(self, max_workers: int) -> None: ...

    def __enter__(self) -> "_OneAfterTheOther":
        return self

    def __exit__(self, *_: object) -> None: ...

    def map[Given, Made](self, work: Callable[[Given], Made], steps: Iterable[Given]) -> Iterator[Made]:
        return iter([work(step) for step in steps])


@dataclass(slots=True)
class House:
    """The account, the things in it, and Holdfast. `operations` are all that the nights called."""

    things: Things
    wire: Wire
    _sessions: _Sessions
    operations: frozenset[str] = frozenset()
    _saved: dict[Stage | None, Any] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator["House"]:
        """A house in which the two earlier nights are over. One at a time in a process; leave it before
        another `mock_aws` begins."""
        with _patience() as patch, mock_aws():
            for lesson in (accounts, ebs, exports, tables, databases):
                lesson.teach()
            sessions = _Sessions(_Session(region_name=HOME))
            patch.setattr(accounts_module, "boto3", SimpleNamespace(Session=sessions.other))
            patience = _PatienceOnce()
            patch.setattr(bootstrap_module, "Patience", lambda _meter: patience)
            house = cls(Things(), Wire(standing=[_DEFAULT_QUOTA]), sessions)
            with house.wire.strung():
                house._live_through_the_nights()
                yield house

    def _live_through_the_nights(self) -> None:
        for slot in NIGHTS[:-1]:
            assert self.run(slot)["status"] == "ok"
        for stage in STAGES:
            if stage is Stage.REPORT:
                self._saved[Stage.CHECK] = _state_of_moto()
                self.check()
            self._saved[stage] = _state_of_moto()
            self.sweeps(stage)
        self._saved[None] = _state_of_moto()
        self.operations = frozenset(one.name for one in self.wire.calls)

    def restore(self, before: Stage | None = Stage.CREATE) -> None:
        """Put everything back to how it is right before a stage of the night (`None`: after the last), when
        those before it went well. The wire is cleared."""
        assert self._saved, "the house is still being furnished"
        _put_back(self._saved[before])
        self.wire.clear()

    def app(self) -> App:
        """Holdfast, as a new execution environment puts it together."""
        self._sessions.forget_the_role()
        made = App(read_settings(ENVIRONMENT), self._sessions.own)
        made.patience.begin(_plenty)
        return made

    def stage(self, stage: Stage, slot: datetime = NIGHT, plan: str = "nightly", **event: Any) -> Report:
        """What the function of a stage does with an event, from the event to the record. Raises what the
        handler would raise; otherwise the report that it left behind."""
        return self._invoked(stage, {"plan": plan, "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}", **event})[0]

    def sweeps(self, stage: Stage, slot: datetime = NIGHT, plan: str = "nightly") -> Report:
        """A stage again and again, a minute apart, until it has nothing left to wait for; four times at most.
        Its last report."""
        for _ in range(3):
            report = self.stage(stage, slot, plan)
            if not report.unfinished:
                return report
            self.let_time_pass()
        return self.stage(stage, slot, plan)

    def run(self, slot: datetime = NIGHT, plan: str = "nightly") -> dict[str, object]:
        """What `run_plan` does: sweeps, prunes, publishes. The run's summary; raises `RunFailed` when its
        status is not `ok`, and `StageCrashed` when no report went out."""
        now = max(slot, datetime.now(UTC))
        request = parse_request({"plan": plan, "slot": f"{slot:%Y-%m-%dT%H:%M:%SZ}"}, now)
        return run_plan(_Run(self), self.app().plans, request)

    def check(self) -> tuple[Posture, dict[str, Any]]:
        """What the check's function does when the night's run asks: the posture, and its answer."""
        return self._checked({"plan": "nightly", "slot": f"{NIGHT:%Y-%m-%dT%H:%M:%SZ}"})

    def record(self, event: Mapping[str, object]) -> dict[str, object]:
        """What the function that records settings does with a run's event."""
        app, now = self.app(), datetime.now(UTC)
        slot = datetime.fromisoformat(str(event["slot"]))
        request = parse_request(event, max(slot, now))
        plan = app.plans.get(request.plan)
        return record_settings(app.record_ports, plan, request, app.home, now, _plenty)

    def _checked(self, event: Mapping[str, object]) -> tuple[Posture, dict[str, Any]]:
        app = self.app()
        slot = datetime.fromisoformat(str(event["slot"]))
        # The earlier nights' checks were of their time, not of today's.
        at = {"at": f"{slot + CHECKED_AFTER:%Y-%m-%dT%H:%M:%SZ}"}
        request = parse_check({**event, **at}, datetime.now(UTC), run="by-itself")
        ports, logger = app.check_ports, Logger(stream=StringIO())
        with redirect_stdout(StringIO()):  # where the metrics go
            posture = check_recovery_points(ports, request, app.home, app.patience.usage)
            posture = keep_posture(ports, posture)
            return posture, finish_check(posture, request, ports.page.address, logger)

    def _invoked(self, stage: Stage, event: Mapping[str, object]) -> tuple[Report, dict[str, Any]]:
        """The report and the answer of a stage's function."""
        logger, metrics = Logger(stream=StringIO()), Metrics()
        metrics.clear_metrics()
        app = self.app()
        slot = datetime.fromisoformat(str(event["slot"]))
        request = parse_request(event, max(slot, datetime.now(UTC)), also=_ALSO.get(stage, ()))
        if stage is Stage.REPORT:
            published = publish_report(app.records, app.notifier, request, app.home)
            return published.report, finish_run(published, request, logger, metrics)
        plan = app.plans.get(request.plan)
        report: Report | None
        if stage is Stage.CREATE:
            report = create_backups(app.create_ports, plan, request, app.home, _plenty)
        elif stage is Stage.COPY:
            report = copy_backups(app.copy_ports, plan, request, app.home, _plenty)
        else:
            report = prune_backups(app.prune_ports, plan, request, app.home, _plenty)
        answer = finish(report, request, app.records, app.patience.usage, logger, metrics)
        assert report is not None
        return report, answer

    def let_time_pass(self) -> None:
        """A minute, as far as Holdfast can tell: a turn that was not given back is over."""
        over = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        s3 = self.things.client("s3")
        for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="turns/").get("Contents", ()):
            s3.put_object(Bucket=BUCKET, Key=one["Key"], Body=json.dumps({"until": over}).encode())

    def truth(self) -> list[Standing]:
        """All backups, copies and exports that stand anywhere, sorted."""
        return standing(self.things.vault_account)

    def messages(self) -> list[str]:
        """The subjects of the messages that went out, oldest first."""
        return self.things.messages()


@dataclass(slots=True)
class _Run:
    """A durable run's context that remembers nothing: it is not resumed."""

    house: House

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        return work()

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        try:
            if stage is Stage.CHECK:
                return self.house._checked(payload)[1]
            if stage is Stage.SETTINGS:
                return self.house.record(payload)
            return self.house._invoked(stage, payload)[1]
        except Exception as error:  # as Lambda does of whatever a handler raises
            raise StageCrashed(f"{type(error).__name__}: {error}") from error

    def wait(self, seconds: int) -> None:
        self.house.let_time_pass()


def _plenty() -> float:
    return PLENTY_SECONDS


@contextmanager
def _patience() -> Iterator[pytest.MonkeyPatch]:
    """Whatever would wait does not."""
    with pytest.MonkeyPatch.context() as patch:
        # More than a thousand images and their snapshots.
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setattr(Pace, "wait", lambda _: None)
        patch.setattr(Pace, "hold", lambda _, seconds: None)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
        patch.setattr(ParameterDict, "__deepcopy__", _copied, raising=False)
        patch.setattr(dynamodb_exports, "SETTLING", timedelta(0))  # what moto has ended has settled
        patch.setattr(sweep_module, "ThreadPoolExecutor", _OneAfterTheOther)
        yield patch


def _copied(parameters: ParameterDict, memo: dict[int, Any]) -> ParameterDict:
    """moto's own does not tell how to make it anew."""
    made = ParameterDict(parameters.account_id, parameters.region_name)
    made.update(copy.deepcopy(dict(parameters), memo))
    return made


def _state_of_moto() -> Any:
    instances: list[Any] = list(_INSTANCES)
    return copy.deepcopy([dict(one) for one in instances]), instances


def _put_back(state: Any) -> None:
    saved, instances = state
    for one in _INSTANCES:
        one.clear()
    for one, content in zip(instances, copy.deepcopy(saved), strict=True):
        one.update(content)
