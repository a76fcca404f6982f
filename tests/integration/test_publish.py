"""The report stage on a cloud in memory: one message, always, and never the same one twice."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import NoAnswer, ProviderError
from holdfast.core.glance import Glance
from holdfast.core.report import Action, Outcome, Report, Stage, State, Status
from holdfast.core.told import Told
from holdfast.core.usage import Usage
from holdfast.usecases.publish import Published, publish_report
from tests.builders import AWAY_REGION, DATABASE, HOME, HOME_REGION, NIGHT, TAGS, a_plan, a_request, a_rule
from tests.fakes import FakeNotifier, FakeRecords
from tests.integration.world import World
from tests.unit.test_message import TROUBLE, WELL

MOST_BYTES_OF_SNS = 262_144


@pytest.fixture
def world() -> World:
    """A night of which everything is done but the message."""
    world = World(plan=a_plan(copies=(a_rule(),)))
    for kind in ("dynamodb", "rds", "aurora"):
        world.cloud.add_resource(kind, f"{kind}-shop", TAGS)
    world.create()
    world.copy()
    world.prune()
    return world


def test_one_message_tells_people_and_machines_of_the_whole_night(world: World) -> None:
    published = world.publish()
    assert published.sent
    [message] = world.notifier.messages
    assert message.subject == "Holdfast nightly: OK, 3 of 3 backed up, 2 copied"
    assert message.text.startswith("Plan nightly, slot 2026-11-22T02:00:00Z: OK\n")
    assert "memory://runs/nightly/20261122T020000Z/report.json\n" in message.text
    assert message.text.endswith("Stack holdfast in us-east-1\n")
    data = json.loads(message.data)
    assert (data["schema"], data["stage"], data["status"]) == ("holdfast.report/1", "report", "ok")
    assert data["counts"] == {"copy.done": 2, "copy.skipped": 1, "create.done": 3}
    assert message.attributes == {
        "status": "ok",
        "plan": "nightly",
        "schema": "holdfast.report/1",
        "news": "false",
    }


def test_the_runs_own_record_is_kept(world: World) -> None:
    report = world.publish().report
    record = world.records.load("nightly", NIGHT, Stage.REPORT)
    assert record is not None
    assert record.to_dict() == report.to_dict()


def test_the_same_report_is_not_sent_twice(world: World) -> None:
    world.publish()
    assert not world.publish().sent
    assert len(world.notifier.messages) == 1


def test_a_run_that_aws_starts_twice_tells_once_however_long_it_took(world: World) -> None:
    world.publish()
    record = world.records.load("nightly", NIGHT, Stage.CREATE)
    assert record is not None
    world.records.save(replace(record, seconds=record.seconds + 7))
    assert not world.publish().sent
    assert len(world.notifier.messages) == 1


def test_a_report_that_says_more_is_sent(world: World) -> None:
    world.publish()
    assert world.publish(None, "copy_backups could not do its work: Task timed out").sent
    assert [message.attributes["status"] for message in world.notifier.messages] == ["ok", "partial"]


def test_when_the_message_does_not_go_out_nothing_says_that_it_did(world: World) -> None:
    world.notifier.failing = True
    with pytest.raises(NoAnswer):
        world.publish()
    world.notifier.failing = False
    assert world.publish().sent


def test_a_dry_run_shows_the_message_and_neither_sends_nor_stores_it(world: World) -> None:
    documents = dict(world.records.documents)
    published = world.publish(a_request(dry_run=True))
    assert published.message.subject.startswith("Holdfast nightly: OK")
    assert published.report.dry_run
    assert not published.sent
    assert (world.notifier.messages, world.records.documents) == ([], documents)


def test_without_any_record_it_tells_that_nothing_was_done() -> None:
    world = World()
    report = world.publish().report
    assert report.status is Status.FAILED
    assert report.problems == (
        "create_backups left no record of this slot",
        "copy_backups left no record of this slot",
        "prune_backups left no record of this slot",
    )
    assert len(world.notifier.messages) == 1


def test_that_records_are_missing_is_not_told_beside_the_reason_why() -> None:
    reason = "plan 'nightly' cannot be used: there is no such plan"
    assert World().publish(None, reason).report.problems == (reason,)


class _Broken(FakeRecords):
    """Records of which one stage's cannot be read."""

    stage = Stage.COPY

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        if stage is self.stage:
            raise ProviderError("s3", "record", "GetObject", "BrokenRecord")
        return super().load(plan, slot, stage)


@pytest.mark.parametrize("stage", [Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT])
def test_a_record_that_cannot_be_read_does_not_cost_people_their_message(world: World, stage: Stage) -> None:
    broken = _Broken()
    broken.documents, broken.stage = world.records.documents, stage
    world.records = broken
    if stage is Stage.REPORT:
        broken.save = lambda report: ""  # type: ignore[method-assign]
        assert world.publish().report.status is Status.OK
    else:
        [problem] = world.publish().report.problems
        assert problem.startswith(f"the record of {stage}_backups cannot be read (GetObject of record")
    assert len(world.notifier.messages) == 1


def test_the_largest_report_still_fits_into_a_message() -> None:
    world = World()
    states = list(State)
    outcomes = [
        Outcome(
            action=Action.CREATE,
            state=states[number % len(states)],
            kind="rds",
            resource=f"{DATABASE}-{number}",
            region=HOME_REGION if number % 2 else AWAY_REGION,
            reason=f'{number}: AWS says "no" ' * 100,
        )
        for number in range(3000)
    ]
    world.records.save(Report(stage=Stage.CREATE, plan="nightly", slot=NIGHT, outcomes=outcomes))
    world.publish()
    [message] = world.notifier.messages
    body = json.dumps({"default": message.data, "email": message.text, "sms": message.subject})
    assert len(body.encode()) < MOST_BYTES_OF_SNS
    data = json.loads(message.data)
    assert data["left_out"] + len(data["outcomes"]) == 3000
    assert {one["state"] for one in data["outcomes"]} == {"failed"}


@pytest.mark.parametrize("letter", ["x", '"', "\U0001f600"], ids=["plain", "quoted", "four bytes"])
@pytest.mark.parametrize(("number", "length"), [(1, 1_000_000), (5000, 1000)])
def test_sentences_of_any_number_and_length_still_fit(number: int, length: int, letter: str) -> None:
    world = World()
    problems = [f"{one}: {letter * length}" for one in range(number)]
    world.publish(a_request(), *problems)
    [message] = world.notifier.messages
    body = json.dumps(
        {"default": message.data, "email": message.text, "sms": message.subject}, ensure_ascii=False
    )
    assert len(body.encode()) < MOST_BYTES_OF_SNS
    assert message.text.startswith("Plan nightly, slot 2026-11-22T02:00:00Z: FAILED\n")
    assert "memory://runs/nightly/20261122T020000Z/report.json\n" in message.text
    assert json.loads(message.data)["problems"][0].startswith("0: ")


class TestWhatPeopleWereTold:
    """Once a message has told of the plan's retention, the next run may delete by it."""

    told = dict.fromkeys(
        ("dynamodb", "ebs", "rds", "aurora"),
        Told(retention=a_plan(copies=(a_rule(),)).retention(HOME_REGION), since=NIGHT, last=NIGHT),
    )

    @pytest.fixture
    def news(self, world: World) -> World:
        """The same night, in which nobody knew the retention before."""
        world.people_know = False
        world.records = FakeRecords()
        world.create()
        world.copy()
        world.prune()
        return world

    def test_who_filters_by_attribute_can_have_the_news_whatever_the_status(self, news: World) -> None:
        published = news.publish()
        assert published.message.attributes["status"] == "ok"
        assert published.message.attributes["news"] == "true"

    def test_it_is_noted_when_the_message_is_out(self, news: World) -> None:
        news.publish()
        assert news.records.told("nightly") == self.told

    def test_it_is_noted_too_when_the_message_went_out_before(self, news: World) -> None:
        """What follows the message may have failed the first time."""

        def fail(*_: object) -> None:
            raise NoAnswer("s3", "told", "PutObject", "NoAnswer")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(news.records, "tell", fail)
            with pytest.raises(NoAnswer):
                news.publish()
        assert not news.publish().sent
        assert news.records.told("nightly") == self.told

    def test_a_message_without_a_record_of_pruning_told_nothing_of_it(self) -> None:
        world = World()
        world.publish(None, "prune_backups could not do its work: it timed out")
        assert world.records.told("nightly") == {}


class TestHowEverythingStands:
    """What the run was handed of the posture is told, and kept."""

    def test_it_is_in_the_message_for_people_and_machines_and_in_the_record(self, world: World) -> None:
        published = world.publish(replace(a_request(), glance=TROUBLE, run="5f0c"))
        assert published.message.subject.startswith("Holdfast nightly: PARTIAL, 2 in breach, 3 of 3")
        assert "Recoverable: 4 of 7 resources" in published.message.text
        data = json.loads(published.message.data)
        assert data["posture"] == TROUBLE.to_dict()
        assert data["run"] == "5f0c"
        record = world.records.load("nightly", NIGHT, Stage.REPORT)
        assert record is not None
        assert (record.glance, record.run) == (published.report.glance, "5f0c")

    @pytest.mark.parametrize(
        "later",
        [
            replace(TROUBLE, at=TROUBLE.at + timedelta(minutes=3)),
            replace(
                TROUBLE, now_usd=Decimal(99), full_usd=Decimal(99), own_usd=Decimal(9), cost_is_whole=False
            ),
            replace(TROUBLE, breaches=tuple(one.replace("76 hours", "77 hours") for one in TROUBLE.breaches)),
        ],
    )
    def test_what_changes_by_itself_is_no_news(self, world: World, later: Glance) -> None:
        world.publish(replace(a_request(), glance=TROUBLE, run="one"))
        record = world.records.load("nightly", NIGHT, Stage.CREATE)
        assert record is not None
        used = Usage(invocations=9, gb_seconds=9.0, calls={"s3.PutObject": 9})
        world.records.save(replace(record, seconds=99, usage=used, run="two"))
        assert not world.publish(replace(a_request(), glance=later, run="two")).sent
        assert len(world.notifier.messages) == 1

    @pytest.mark.parametrize(
        "later",
        [WELL, None, replace(TROUBLE, breaches=(TROUBLE.breaches[0], "weekly: rds x in us-east-1: missing"))],
    )
    def test_what_is_otherwise_is_told_again(self, world: World, later: Glance | None) -> None:
        world.publish(replace(a_request(), glance=TROUBLE))
        assert world.publish(replace(a_request(), glance=later)).sent
        assert len(world.notifier.messages) == 2

    def test_the_first_look_at_a_slot_is_told(self, world: World) -> None:
        world.publish()
        assert world.publish(replace(a_request(), glance=WELL)).sent


class TestTheChatChannel:
    def published(self, world: World) -> Published:
        return publish_report(world.records, world.notifier, a_request(), world.home, world.notifier)

    def test_it_is_told_the_same(self, world: World) -> None:
        published = self.published(world)
        assert published.chat_problem == ""
        [shown] = world.notifier.chats
        assert json.loads(shown)["content"]["title"] == published.message.subject

    def test_it_is_told_once(self, world: World) -> None:
        self.published(world)
        self.published(world)
        assert len(world.notifier.chats) == 1

    def test_its_failure_costs_nobody_the_message_nor_its_record(self, world: World) -> None:
        world.notifier.silent = True
        published = self.published(world)
        assert published.sent
        assert published.chat_problem.startswith("the chat channel was not told (publish of chat: NoAnswer")
        assert len(world.notifier.messages) == 1
        assert world.records.load("nightly", NIGHT, Stage.REPORT) is not None
        assert not self.published(world).sent

    def test_it_is_not_told_what_people_were_not(self, world: World) -> None:
        world.notifier.failing = True
        with pytest.raises(NoAnswer):
            self.published(world)
        assert world.notifier.chats == []

    def test_a_rehearsal_is_not_told_there(self, world: World) -> None:
        publish_report(world.records, world.notifier, a_request(dry_run=True), HOME, world.notifier)
        assert world.notifier.chats == []


LETTERS = ["x", "\u00fc", "\U0001f600", '"', "\\", "\n", "\x00", "\x1f", "\u2028", "<!channel>"]
sentences = st.lists(
    st.builds(lambda letter, times: letter * times, st.sampled_from(LETTERS), st.integers(1, 60_000)),
    max_size=6,
)


@settings(max_examples=10)
@given(problems=sentences, refusals=sentences, notices=sentences, breaches=sentences, reasons=sentences)
def test_whatever_the_sentences_are_sns_takes_the_message(
    problems: list[str], refusals: list[str], notices: list[str], breaches: list[str], reasons: list[str]
) -> None:
    """The notifier checks the bytes, the subject, the attributes and the schema."""
    records, notifier = FakeRecords(), FakeNotifier()
    outcomes = [
        Outcome(
            action=Action.CREATE,
            state=State.FAILED,
            kind="rds",
            resource=f"{DATABASE}-{number}",
            region=HOME_REGION,
            reason=reason,
        )
        for number, reason in enumerate(reasons * 20)
    ]
    report = Report(
        stage=Stage.CREATE, plan="nightly", slot=NIGHT, outcomes=outcomes, refusals=refusals, notices=notices
    )
    records.save(report)
    glance = replace(TROUBLE, breaches=tuple(breaches), problems=tuple(breaches))
    request = replace(a_request(), problems=tuple(problems), glance=glance)
    published = publish_report(records, notifier, request, HOME, notifier)
    [message] = notifier.messages
    data = json.loads(message.data)
    assert data["left_out"] + len(data["outcomes"]) == len(outcomes)
    assert "memory://runs/nightly/20261122T020000Z/report.json" in message.text
    assert published.sent
