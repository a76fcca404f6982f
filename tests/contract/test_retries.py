"""Calls that fail for the moment are repeated however many failed before, and nothing is sent that an
invocation has no time for."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from holdfast.adapters import patience as patience_module
from holdfast.adapters import s3_records, s3_turns, ssm_plans
from holdfast.adapters.calls import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS, client_config
from holdfast.adapters.dynamodb import DynamoDBBackups
from holdfast.adapters.dynamodb_exports import DynamoDBExports
from holdfast.adapters.patience import (
    LONGEST_PAUSE_SECONDS,
    PAUSE_SECONDS,
    RECORD_SECONDS,
    THROTTLED_PAUSE_SECONDS,
    Patience,
)
from holdfast.adapters.s3_turns import LEASE_SECONDS
from holdfast.adapters.tagging import Tagging
from holdfast.bootstrap import ANSWER_SECONDS, App
from holdfast.core.errors import AccessDenied, NoAnswer, ProviderError, QuotaReached, Throttled
from holdfast.core.model import CopySettings, KeepPolicy, Resource
from holdfast.core.naming import backup_name
from holdfast.core.posture import Posture
from holdfast.core.report import Report, Stage, State
from holdfast.core.run import Sweep, pause_after
from holdfast.ports import CreatePorts, Deadline, Message, PrunePorts, ResourceQuery
from holdfast.settings import read_settings
from holdfast.usecases.create import create_backups
from holdfast.usecases.prune import prune_backups
from holdfast.usecases.sweep import STOP_BEFORE_SECONDS
from tests.builders import HOME as HERE
from tests.builders import (
    NIGHT,
    TABLE,
    TAGS,
    VOLUME,
    a_backup,
    a_mark,
    a_plan,
    a_request,
    nights_ago,
)
from tests.contract.night import Night, Tables
from tests.fakes import AWAY, HOME, FakeCloud, FakeQuotas, FakeRecords, FakeTurns
from tests.unit.test_template import template

TIMEOUT = 900
WINDOW = 12 * 3600
ENVIRONMENT = {
    "HOLDFAST_STACK": "holdfast",
    "AWS_REGION": HOME,
    "HOLDFAST_ACCOUNT": "123456789012",
    "HOLDFAST_PLANS_PATH": "/holdfast/plans",
    "HOLDFAST_BUCKET": "records",
    "HOLDFAST_COPY_REGIONS": AWAY,
    "HOLDFAST_COPY_BUCKET": "exports",
    "HOLDFAST_VAULT_ACCOUNT": "444455556666",
    "HOLDFAST_VAULT_ROLE": "holdfast-vault",
    "HOLDFAST_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:reports",
    "HOLDFAST_HOLDS_PARAMETER": "/holdfast/holds",
}


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session(region_name=HOME)


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night().lived_by(monkeypatch)


def tables_of(night: Night, patch: pytest.MonkeyPatch, number: int, **more: Any) -> Tables:
    return Tables(night=night, names=[f"t{one:05d}" for one in range(number)], **more).strung(patch)


def provider_of(session: boto3.Session, patience: Patience) -> DynamoDBBackups:
    """As bootstrap makes it."""
    client = patience.watched(session.client("dynamodb", config=client_config()))
    return DynamoDBBackups(
        client=client,
        once=lambda: patience.watched(session.client("dynamodb", config=client_config(attempts=1))),
        tagging=Tagging(
            lambda: patience.watched(session.client("resourcegroupstaggingapi", config=client_config()))
        ),
        exports=DynamoDBExports(client=client, s3=lambda _: pytest.fail("no copy"), buckets={}, stack="s"),
    )


def swept(night: Night, patience: Patience, stage: Callable[[Deadline], Report]) -> list[Report]:
    """The sweeps of a stage, as a run makes them: until nothing is left, or the window is over."""
    begin, reports = night.now, list[Report]()
    while True:
        deadline = night.deadline(TIMEOUT)
        patience.begin(deadline)
        reports.append(stage(deadline))
        assert deadline() > 0, "Lambda would have ended the function"
        state = Sweep(
            number=len(reports), unfinished=reports[-1].unfinished, elapsed_seconds=night.now - begin
        )
        pause = pause_after(state, WINDOW)
        if not pause:
            return reports
        night.sleep(pause)


@pytest.mark.parametrize("number", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_every_backup_is_made_once_where_every_third_attempt_fails(
    number: int, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(night, monkeypatch, number)
    patience = Patience()
    provider = provider_of(session, patience)
    ports = CreatePorts(
        providers={"dynamodb": provider}, groupers={}, turns=FakeTurns(), quotas=FakeQuotas(FakeCloud())
    )
    plan = a_plan(types=("dynamodb",))
    reports = swept(
        night, patience, lambda deadline: create_backups(ports, plan, a_request(), HERE, deadline)
    )
    assert {one.state for one in reports[-1].outcomes} <= {State.DONE, State.SKIPPED}
    assert not reports[-1].unfinished
    assert sorted(one["TableName"] for one in tables.backups.values()) == tables.names
    assert sum(tables.failed.values()) > number / 4
    assert len(reports) <= 12


@pytest.mark.parametrize("number", [80, pytest.param(450, marks=pytest.mark.slow)])
def test_pruning_comes_to_its_end_where_every_third_attempt_fails(
    number: int, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(night, monkeypatch, number)
    for table in tables.names:
        for age in (0, 1, 2, 3):
            tables.add_backup(table, backup_name(a_mark(nights_ago(age), table)))
    patience, records = Patience(), FakeRecords()
    plan = a_plan(types=("dynamodb",), keep=KeepPolicy(daily=2, minimum=2))
    records.tell(plan.name, nights_ago(9), {"dynamodb": plan.retention(HOME)})
    provider = provider_of(session, patience)
    ports = PrunePorts(
        providers={"dynamodb": provider},
        copiers={"dynamodb": provider},
        hold_lists={},
        records=records,
        quotas=FakeQuotas(FakeCloud()),
    )
    reports = swept(night, patience, lambda deadline: prune_backups(ports, plan, a_request(), HERE, deadline))
    assert not any(one.refusals for one in reports)
    assert len(tables.backups) == 2 * number
    kept = {one["BackupName"].rpartition(".")[2] for one in tables.backups.values()}
    assert kept == {"20261122T020000Z", "20261121T020000Z"}
    assert len(reports) <= 2 + number * 12 // TIMEOUT


def test_a_listing_of_a_hundred_pages_comes_whole_though_a_thousand_calls_have_failed(
    night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(night, monkeypatch, 100, share=1.0)
    provider = provider_of(session, Patience())
    for _ in range(125):
        with pytest.raises(ProviderError):
            provider.backups(HOME)
    assert tables.failed["ListBackups"] == 1000
    tables.share = 1 / 3
    for number in range(10_000):
        tables.add_backup(tables.names[number % 100], f"b{number}")
    assert len(provider.backups(HOME)) == 10_000


def test_botocore_alone_repeats_nothing_after_some_failures(
    night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why there is `patience.py`. Where this fails, botocore may have come to do without."""
    tables = tables_of(night, monkeypatch, 1, share=1.0)
    client = session.client("dynamodb", config=client_config())
    for _ in range(35):
        with pytest.raises(Exception, match=r"timeout|timed out|Rate exceeded|we failed|Connect"):
            client.list_backups(Limit=100)
    before = tables.attempts["ListBackups"]
    with pytest.raises(Exception, match=r"timeout|timed out|Rate exceeded|we failed|Connect"):
        client.list_backups(Limit=100)
    assert tables.attempts["ListBackups"] - before == 1


# --- one call ----------------------------------------------------------------------------------------------


class TestOneCall:
    """What becomes of a single ListBackups."""

    @pytest.fixture(autouse=True)
    def longest_pauses(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patience_module, "random", SimpleNamespace(random=lambda: 1.0))

    @pytest.mark.parametrize(
        ("fault", "pauses"),
        [
            ("throttled", [1, 2, 4, 8, 16, 20, 20]),
            ("broken", [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]),
            ("unreachable", [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]),
            ("unheard", [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]),
        ],
    )
    def test_it_is_tried_as_often_as_is_said_with_growing_pauses(
        self,
        fault: str,
        pauses: list[float],
        night: Night,
        session: boto3.Session,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tables = tables_of(night, monkeypatch, 1, share=1.0, faults=(fault,))
        with pytest.raises(Throttled if fault == "throttled" else NoAnswer):
            provider_of(session, Patience()).backups(HOME)
        assert tables.attempts["ListBackups"] == ATTEMPTS
        assert night.pauses == pytest.approx(pauses)

    def test_what_must_not_be_repeated_is_not(
        self, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables = tables_of(night, monkeypatch, 1, share=1.0, faults=("broken",))
        provider = provider_of(session, Patience())
        with pytest.raises(NoAnswer):
            provider.create(Resource(kind="dynamodb", arn=TABLE, tags={}), a_mark(source=TABLE))
        assert tables.attempts["CreateBackup"] == 1

    @pytest.mark.parametrize(("fault", "expected"), [("refused", AccessDenied), ("full", QuotaReached)])
    def test_what_no_repetition_helps_is_not_repeated(
        self,
        fault: str,
        expected: type[ProviderError],
        night: Night,
        session: boto3.Session,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tables = tables_of(night, monkeypatch, 1, share=1.0, faults=(fault,))
        with pytest.raises(expected):
            provider_of(session, Patience()).backups(HOME)
        assert tables.attempts["ListBackups"] == 1

    def test_it_is_not_sent_when_its_answer_could_come_too_late(
        self, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables, patience = tables_of(night, monkeypatch, 1, share=0.0), Patience()
        provider = provider_of(session, patience)
        needed = CONNECT_SECONDS + READ_SECONDS + RECORD_SECONDS
        patience.begin(lambda: needed)
        assert provider.backups(HOME) == []
        patience.begin(lambda: needed - 0.1)
        with pytest.raises(NoAnswer, match="OutOfTime: not sent, since the function's time is nearly over"):
            provider.backups(HOME)
        assert tables.attempts["ListBackups"] == 1

    @pytest.mark.parametrize("fault", ["throttled", "broken", "unheard", "unreachable"])
    def test_it_is_not_repeated_when_there_is_no_time_for_that(
        self, fault: str, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables_of(night, monkeypatch, 1, share=1.0, faults=(fault,))
        patience, deadline = Patience(), night.deadline(60)
        provider = provider_of(session, patience)
        patience.begin(deadline)
        with pytest.raises(ProviderError):
            provider.backups(HOME)
        assert deadline() >= RECORD_SECONDS

    def test_the_next_invocation_has_its_own_time(
        self, night: Night, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables_of(night, monkeypatch, 1, share=0.0)
        patience = Patience()
        provider = provider_of(session, patience)
        patience.begin(lambda: 0.0)
        with pytest.raises(NoAnswer):
            provider.backups(HOME)
        patience.begin(lambda: 900.0)
        assert provider.backups(HOME) == []


# --- all calls ---------------------------------------------------------------------------------------------


def every_part(app: App) -> dict[str, Callable[[], object]]:
    """A call through each of the clients that an `App` makes."""
    vault = f"{AWAY}@444455556666"
    table = Resource(kind="dynamodb", arn=TABLE, tags={})
    volume = Resource(kind="ebs", arn=VOLUME, tags={})
    export = a_backup(source=TABLE)
    calls: dict[str, Callable[[], object]] = {
        "plans": lambda: app.plans.get("nightly"),
        "records": lambda: app.records.load("nightly", NIGHT, Stage.CREATE),
        "turns": lambda: app.turns.taken("nightly").__enter__(),
        "holds": app.hold_lists["dynamodb"].read,
        "notifier": lambda: app.notifier.publish(Message(subject="s", text="t", data="{}")),
        "create a DynamoDB backup": lambda: app.providers["dynamodb"].create(table, a_mark(source=TABLE)),
        "create a snapshot": lambda: app.providers["ebs"].create(volume, a_mark(source=VOLUME)),
        "export": lambda: app.copiers["dynamodb"].copy(
            export, AWAY, a_mark(source=TABLE, copy_of="x"), CopySettings()
        ),
        "postures": lambda: app.check_ports.postures.load(NIGHT, NIGHT),
        "drills": lambda: app.check_ports.postures.drills(NIGHT),
        "page": lambda: app.check_ports.page.write(Posture(at=NIGHT, home=app.home)),
        "all plans": app.plans.everyone,
        "slots": lambda: app.records.slots("nightly", NIGHT),
        "tags": lambda: app.providers["rds"].resources(ResourceQuery(tags=TAGS)),
    }
    for kind, provider in app.providers.items():
        for place in (HOME, AWAY) if kind == "dynamodb" else (HOME, AWAY, vault):
            calls[f"{kind} in {place}"] = partial(provider.backups, place)
    return calls


def test_no_part_of_holdfast_sends_what_there_is_no_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda *_: pytest.fail("it was sent"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    app = App(read_settings(ENVIRONMENT), boto3.Session(region_name=HOME))
    app.patience.begin(lambda: 0.0)
    for name, call in every_part(app).items():
        with pytest.raises(NoAnswer) as raised:
            call()
        assert raised.value.code == "OutOfTime", name
    assert app.quotas.most("rds", HOME, 99) == 100  # where it cannot be asked, what every account has


# --- what it adds up to ------------------------------------------------------------------------------------


def timeouts() -> dict[str, int]:
    """Each function's, in seconds, by the name of its file."""
    usual = template()["Globals"]["Function"]["Timeout"]
    return {
        one["Properties"]["Handler"].partition(".")[0]: one["Properties"].get("Timeout", usual)
        for one in template()["Resources"].values()
        if one["Type"] == "AWS::Serverless::Function"
    }


ATTEMPT = CONNECT_SECONDS + READ_SECONDS
RECORD_ATTEMPT = CONNECT_SECONDS + s3_records.READ_SECONDS
PARAMETER_ATTEMPT = CONNECT_SECONDS + ssm_plans.READ_SECONDS
RENEWAL_ATTEMPT = CONNECT_SECONDS + s3_turns.RENEWAL_READ_SECONDS


def pauses(first: float, attempts: int) -> float:
    """The longest that the pauses between the attempts of one call can be, all together."""
    return sum(min(first * 2.0**one, LONGEST_PAUSE_SECONDS) for one in range(attempts - 1))


def test_what_one_call_can_take_at_the_worst() -> None:
    """These are the figures of docs/reliability.md. More than any function has, but for the deadline."""
    assert ATTEMPT == 23
    assert ATTEMPTS * ATTEMPT + pauses(PAUSE_SECONDS, ATTEMPTS) == pytest.approx(190.35)
    assert pauses(THROTTLED_PAUSE_SECONDS, ATTEMPTS) == 71


def test_an_act_that_is_begun_can_send_its_first_call() -> None:
    assert ATTEMPT + RECORD_SECONDS <= STOP_BEFORE_SECONDS


def test_the_record_survives_a_call_that_hangs() -> None:
    assert RECORD_ATTEMPT + RECORD_ATTEMPT + ANSWER_SECONDS <= RECORD_SECONDS


def test_a_turn_survives_a_renewal_that_hangs() -> None:
    """It is renewed after a third of the lease, and believed in for two thirds."""
    assert RENEWAL_ATTEMPT < LEASE_SECONDS / 3


def test_every_function_has_the_time_for_what_it_must_do() -> None:
    told = timeouts()
    assert set(told) == {
        "run_plan",
        "create_backups",
        "copy_backups",
        "prune_backups",
        "check_recovery_points",
        "publish_report",
        "restore",
        "record_settings",
        "drill",
        "recover",
        "return_items",
        "verify_database",
    }
    # Four attempts at the plan may hang.
    assert 4 * PARAMETER_ATTEMPT + pauses(PAUSE_SECONDS, 4) + ANSWER_SECONDS <= told["run_plan"]
    # Of the calls before the message four may hang; it is sent when what follows it has its time, too.
    assert told["publish_report"] >= 4 * RECORD_ATTEMPT + ATTEMPT + RECORD_SECONDS
    # It begins no call that there is no time for, and stores what it saw when four more have hung.
    assert told["check_recovery_points"] / 10 >= 4 * RECORD_ATTEMPT
    # A sweep does something for at least nine tenths of its time.
    for name in (
        "create_backups",
        "copy_backups",
        "prune_backups",
        "record_settings",
        "restore",
        "drill",
        "recover",
        "return_items",
    ):
        assert told[name] / 10 >= STOP_BEFORE_SECONDS
