"""Plans in SSM, records in S3, messages through SNS."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from holdfast.adapters.calls import client_config
from holdfast.adapters.s3_records import S3Records
from holdfast.adapters.sns import MOST_BYTES, SnsChat, SnsNotifier, one_line
from holdfast.adapters.ssm_holds import SsmHolds
from holdfast.adapters.ssm_plans import SsmPlans
from holdfast.core.errors import AccessDenied, HoldListError, NoAnswer, NotFound, PlanError, ProviderError
from holdfast.core.holds import Hold
from holdfast.core.model import Breaker, KeepPolicy, Plan, Retention, Selection
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.core.told import Told
from holdfast.holds import parse_holds
from holdfast.ports import Message
from tests.fakes import HOME, FakePlans, FakeRecords
from tests.unit.test_template import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from holdfast.ports import PlanStore, RecordStore

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PATH = "/holdfast/plans"
BUCKET = "records"
KEY = "runs/nightly/20261122T020000Z/create.json"


# Plans


def plan_from(name: str, text: str) -> Plan:
    """Stands for the parser, which is not the store's matter."""
    if text == "broken":
        raise PlanError(name, ["it is broken"])
    return Plan(
        name=name,
        select=Selection(tags=json.loads(text)),
        keep=KeepPolicy(daily=7),
        breaker=Breaker(max_deletes_per_run=20, max_delete_share=0.25),
    )


@pytest.fixture
def ssm(aws: None) -> "SSMClient":
    return boto3.client("ssm", region_name=HOME)


@pytest.fixture
def plans(ssm: "SSMClient") -> SsmPlans:
    return SsmPlans(client=ssm, path=PATH, parse=plan_from)


def put_plan(ssm: "SSMClient", name: str, text: str = "{}") -> None:
    ssm.put_parameter(Name=f"{PATH}/{name}", Value=text, Type="String")


def test_a_plan_is_read_and_parsed(ssm: "SSMClient", plans: SsmPlans) -> None:
    put_plan(ssm, "nightly", '{"team": "orders"}')
    plan = plans.get("nightly")
    assert (plan.name, plan.select.tags) == ("nightly", {"team": "orders"})


def test_a_slash_behind_the_path_makes_no_difference(ssm: "SSMClient") -> None:
    put_plan(ssm, "nightly")
    assert SsmPlans(client=ssm, path=f"{PATH}/", parse=plan_from).get("nightly").name == "nightly"


def test_what_the_parser_raises_is_left_as_it_is(ssm: "SSMClient", plans: SsmPlans) -> None:
    put_plan(ssm, "nightly", "broken")
    with pytest.raises(PlanError, match="it is broken"):
        plans.get("nightly")


def test_a_plan_that_is_not_names_what_was_looked_for_and_all_that_are(
    ssm: "SSMClient", plans: SsmPlans
) -> None:
    for number in range(12):  # more than one page
        put_plan(ssm, f"plan{number:02}")
    ssm.put_parameter(Name="/elsewhere/plans/other", Value="{}", Type="String")
    with pytest.raises(PlanError) as raised:
        plans.get("nigthly")
    (problem,) = raised.value.problems
    assert problem.startswith(
        f"there is no SSM parameter {PATH}/nigthly; the plans there are: plan00, plan01,"
    )
    assert problem.endswith("plan10, plan11")


def test_no_plan_at_all_is_said(plans: SsmPlans) -> None:
    with pytest.raises(PlanError, match="there is no plan at all"):
        plans.get("nightly")


def test_without_the_right_to_list_the_plans_there_is_no_list(ssm: "SSMClient", plans: SsmPlans) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "ParameterNotFound")
        stub.add_client_error("get_parameters_by_path", "AccessDeniedException")
        with pytest.raises(PlanError) as raised:
            plans.get("nightly")
    assert raised.value.problems == (f"there is no SSM parameter {PATH}/nightly",)


def test_a_plan_that_may_not_be_read_is_not_taken_for_missing(ssm: "SSMClient", plans: SsmPlans) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "AccessDeniedException")
        with pytest.raises(AccessDenied):
            plans.get("nightly")


@pytest.mark.parametrize("name", ["", "../nightly", "a/b", "Nightly", "x" * 33])
def test_what_cannot_be_a_plan_s_name_is_not_looked_for(plans: SsmPlans, name: str) -> None:
    with pytest.raises(PlanError, match="lower case letters and digits"):
        plans.get(name)


@pytest.fixture(params=["ssm", "fake"])
def two_plans(request: pytest.FixtureRequest) -> "PlanStore":
    """Two plans that can be used."""
    if request.param == "fake":
        return FakePlans([plan_from("weekly", "{}"), plan_from("nightly", "{}")])
    ssm: SSMClient = request.getfixturevalue("ssm")
    put_plan(ssm, "weekly")
    put_plan(ssm, "nightly")
    return SsmPlans(client=ssm, path=PATH, parse=plan_from)


def test_all_plans_are_listed_by_name(two_plans: "PlanStore") -> None:
    listed = two_plans.everyone()
    assert [one.name for one in listed] == ["nightly", "weekly"]
    assert [one.plan for one in listed] == [two_plans.get("nightly"), two_plans.get("weekly")]
    assert [one.problem for one in listed] == ["", ""]


def test_a_plan_that_cannot_be_used_is_listed_with_what_is_wrong(ssm: "SSMClient", plans: SsmPlans) -> None:
    for number in range(11):  # more than one page
        put_plan(ssm, f"plan{number:02}")
    put_plan(ssm, "broken", "broken")
    put_plan(ssm, "Nightly")
    put_plan(ssm, "below/nightly")
    ssm.put_parameter(Name="/elsewhere/plans/other", Value="{}", Type="String")
    listed = {one.name: one for one in plans.everyone()}
    assert len(listed) == 13
    assert listed["broken"].plan is None
    assert listed["broken"].problem == "plan 'broken' cannot be used: it is broken"
    assert listed["Nightly"].plan is None
    assert "lower case letters and digits" in listed["Nightly"].problem
    changed = listed["plan00"].changed
    assert changed is not None
    assert abs(datetime.now(UTC) - changed) < timedelta(minutes=1)


def test_where_there_is_no_plan_none_is_listed(plans: SsmPlans) -> None:
    assert plans.everyone() == []


def test_plans_that_may_not_be_listed_are_not_taken_for_none(ssm: "SSMClient", plans: SsmPlans) -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameters_by_path", "AccessDeniedException")
        with pytest.raises(AccessDenied):
            plans.everyone()


# Records


def outcome(name: str, state: State = State.DONE, reason: str = "made") -> Outcome:
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"
    return Outcome(
        action=Action.CREATE, state=state, kind="dynamodb", resource=arn, region=HOME, reason=reason
    )


def report(*outcomes: Outcome) -> Report:
    return Report(stage=Stage.CREATE, plan="nightly", slot=SLOT, outcomes=outcomes)


@pytest.fixture
def s3(aws: None) -> "S3Client":
    client = boto3.client("s3", region_name=HOME)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(params=["s3", "fake"])
def records(request: pytest.FixtureRequest, s3: "S3Client") -> "RecordStore":
    return S3Records(client=s3, bucket=BUCKET) if request.param == "s3" else FakeRecords()


def test_a_record_that_is_not_is_none(records: "RecordStore") -> None:
    assert records.load("nightly", SLOT, Stage.CREATE) is None


def test_what_is_saved_is_loaded(records: "RecordStore") -> None:
    saved = report(outcome("orders"), outcome("café", State.FAILED, "zu groß"))
    address = records.save(saved)
    assert address == records.address("nightly", SLOT, Stage.CREATE)
    loaded = records.load("nightly", SLOT, Stage.CREATE)
    assert loaded is not None
    assert loaded.to_dict() == saved.to_dict()
    assert records.load("nightly", SLOT, Stage.COPY) is None
    assert records.load("weekly", SLOT, Stage.CREATE) is None


def test_what_an_earlier_sweep_did_stays_told(records: "RecordStore") -> None:
    records.save(report(outcome("orders"), outcome("billing", State.PENDING)))
    records.save(report(outcome("billing")))
    loaded = records.load("nightly", SLOT, Stage.CREATE)
    assert loaded is not None
    assert {(one.resource.rsplit("/")[-1], one.state) for one in loaded.outcomes} == {
        ("orders", State.DONE),
        ("billing", State.DONE),
    }


def test_a_record_is_json_under_the_documented_key(s3: "S3Client") -> None:
    address = S3Records(client=s3, bucket=BUCKET).save(report(outcome("orders")))
    assert address == f"s3://{BUCKET}/{KEY}"
    stored = s3.get_object(Bucket=BUCKET, Key=KEY)
    assert stored["ContentType"] == "application/json"
    assert json.loads(stored["Body"].read())["schema"] == "holdfast.report/1"


def test_two_sweeps_that_save_at_once_lose_nothing(s3: "S3Client") -> None:
    """Between the first one's reading and its writing, the other one writes."""
    first, second = (S3Records(client=client, bucket=BUCKET) for client in (s3, boto3.client("s3", HOME)))
    late = iter(("billing", "ledger"))

    def other_writes(**_: object) -> None:
        name = next(late, None)
        if name:
            second.save(report(outcome(name)))

    s3.meta.events.register_first("before-call.s3.PutObject", other_writes)
    first.save(report(outcome("orders")))
    loaded = first.load("nightly", SLOT, Stage.CREATE)
    assert loaded is not None
    assert sorted(one.resource.rsplit("/")[-1] for one in loaded.outcomes) == ["billing", "ledger", "orders"]


def test_a_record_that_changes_all_the_time_is_an_error(s3: "S3Client") -> None:
    with Stubber(s3) as stub:
        for _ in range(5):
            stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
            stub.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
        with pytest.raises(ProviderError, match="PreconditionFailed"):
            S3Records(client=s3, bucket=BUCKET).save(report())
        stub.assert_no_pending_responses()


def test_the_slots_of_a_plan_are_those_with_a_record_in_order(records: "RecordStore") -> None:
    days = [SLOT + timedelta(days=day) for day in range(3)]
    for slot in reversed(days):
        records.save(replace(report(), slot=slot))
        records.save(replace(report(), slot=slot, stage=Stage.REPORT))
    records.save(replace(report(), plan="nightlyz"))
    assert records.slots("nightly", SLOT) == days
    assert records.slots("nightly", days[1]) == days[1:]
    assert records.slots("nightly", days[1] + timedelta(seconds=1)) == days[2:]
    assert records.slots("weekly", SLOT) == []


def test_what_is_not_named_as_a_slot_is_no_slot(s3: "S3Client") -> None:
    for name in ("notes.txt", "20261122T020000Zx/create.json", "20261399T020000Z/a", "zzz/create.json"):
        s3.put_object(Bucket=BUCKET, Key=f"runs/nightly/{name}", Body=b"{}")
    store = S3Records(client=s3, bucket=BUCKET)
    store.save(report())
    assert store.slots("nightly", SLOT - timedelta(days=400)) == [SLOT]


def test_a_listing_that_broke_off_is_no_listing(s3: "S3Client") -> None:
    page = {
        "IsTruncated": True,
        "NextContinuationToken": "more",
        "CommonPrefixes": [{"Prefix": "runs/nightly/20261122T020000Z/"}],
    }
    with Stubber(s3) as stub:
        stub.add_response("list_objects_v2", page)
        stub.add_client_error("list_objects_v2", "InternalError", http_status_code=500)
        with pytest.raises(NoAnswer):
            S3Records(client=s3, bucket=BUCKET).slots("nightly", SLOT)


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "null", "{}", '{"schema": "holdfast.report/9"}', '{"schema": "holdfast.report/1"}'],
)
def test_a_broken_record_is_an_error_that_names_it(s3: "S3Client", text: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=text.encode())
    store = S3Records(client=s3, bucket=BUCKET)
    with pytest.raises(ProviderError, match=f"s3://{BUCKET}/{KEY}: BrokenDocument"):
        store.load("nightly", SLOT, Stage.CREATE)
    with pytest.raises(ProviderError, match="BrokenDocument"):
        store.save(report())


def test_a_record_cut_short_is_broken_too(s3: "S3Client") -> None:
    cut = report(outcome("orders"), outcome("billing")).to_dict(most=1)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(cut).encode())
    with pytest.raises(ProviderError, match="1 outcomes were left out"):
        S3Records(client=s3, bucket=BUCKET).load("nightly", SLOT, Stage.CREATE)


def test_a_missing_bucket_is_not_an_absent_record(s3: "S3Client") -> None:
    with pytest.raises(NotFound, match="NoSuchBucket"):
        S3Records(client=s3, bucket="nobody-s").load("nightly", SLOT, Stage.CREATE)


# What people were told

WEEK = {"rds": Retention(policies={HOME: KeepPolicy(daily=7, minimum=2)})}
DAYS = {"rds": Retention(policies={HOME: KeepPolicy(daily=3, minimum=2)})}
NEXT = SLOT + timedelta(days=1)


def test_nobody_was_told_at_first(records: "RecordStore") -> None:
    assert records.told("nightly") == {}


def test_what_people_were_told_is_kept_for_each_plan_with_what_they_were_told_before(
    records: "RecordStore",
) -> None:
    records.tell("nightly", SLOT, WEEK)
    assert records.told("nightly") == {"rds": Told(retention=WEEK["rds"], since=SLOT, last=SLOT)}
    records.tell("nightly", NEXT, DAYS)
    records.tell("nightly", NEXT, DAYS)
    changed = Told(retention=DAYS["rds"], since=NEXT, last=NEXT, before=WEEK["rds"])
    assert records.told("nightly") == {"rds": changed}
    assert records.told("weekly") == {}


def test_it_is_json_under_the_documented_key(s3: "S3Client") -> None:
    S3Records(client=s3, bucket=BUCKET).tell("nightly", SLOT, WEEK)
    stored = s3.get_object(Bucket=BUCKET, Key="told/nightly.json")
    assert json.loads(stored["Body"].read())["schema"] == "holdfast.told/1"


def test_telling_the_same_again_writes_nothing(s3: "S3Client") -> None:
    store = S3Records(client=s3, bucket=BUCKET)
    store.tell("nightly", SLOT, WEEK)
    writes: list[object] = []
    s3.meta.events.register("before-call.s3.PutObject", lambda **_: writes.append(1))
    store.tell("nightly", SLOT, WEEK)
    assert writes == []


def test_what_somebody_else_told_meanwhile_is_not_written_over(s3: "S3Client") -> None:
    first, second = (S3Records(client=client, bucket=BUCKET) for client in (s3, boto3.client("s3", HOME)))
    once = iter((DAYS,))

    def other_tells(**_: object) -> None:
        for retention in once:
            second.tell("nightly", NEXT, retention)

    s3.meta.events.register_first("before-call.s3.PutObject", other_tells)
    first.tell("nightly", SLOT, WEEK)
    assert first.told("nightly") == {"rds": Told(retention=DAYS["rds"], since=NEXT, last=NEXT)}


def test_that_one_s_own_writing_had_its_effect_is_seen(s3: "S3Client") -> None:
    """Its answer was lost, and it was repeated: the document is no longer the one that was read."""
    store = S3Records(client=s3, bucket=BUCKET)
    once = iter((WEEK,))

    def had_its_effect(**_: object) -> None:
        for retention in once:
            S3Records(client=boto3.client("s3", HOME), bucket=BUCKET).tell("nightly", SLOT, retention)

    s3.meta.events.register_first("before-call.s3.PutObject", had_its_effect)
    store.tell("nightly", SLOT, WEEK)
    assert store.told("nightly") == {"rds": Told(retention=WEEK["rds"], since=SLOT, last=SLOT)}


def test_a_document_that_changes_all_the_time_is_an_error(s3: "S3Client") -> None:
    store, other = S3Records(client=s3, bucket=BUCKET), boto3.client("s3", HOME)
    store.tell("nightly", SLOT, WEEK)
    text = other.get_object(Bucket=BUCKET, Key="told/nightly.json")["Body"].read()
    spaces = iter(range(1, 100))

    def changes(**_: object) -> None:
        other.put_object(Bucket=BUCKET, Key="told/nightly.json", Body=text + b" " * next(spaces))

    s3.meta.events.register_first("before-call.s3.PutObject", changes)
    with pytest.raises(ProviderError, match="PreconditionFailed"):
        store.tell("nightly", NEXT, DAYS)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", "{}", '{"schema": "holdfast.told/9"}'])
def test_what_people_were_told_cannot_be_guessed(s3: "S3Client", text: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="told/nightly.json", Body=text.encode())
    store = S3Records(client=s3, bucket=BUCKET)
    with pytest.raises(ProviderError, match=f"s3://{BUCKET}/told/nightly.json: BrokenDocument"):
        store.told("nightly")
    with pytest.raises(ProviderError, match="BrokenDocument"):
        store.tell("nightly", SLOT, WEEK)


# Holds


HOLDS = "/holdfast/holds"


@pytest.fixture
def holds(ssm: "SSMClient") -> SsmHolds:
    return SsmHolds(
        client=ssm, parameter=HOLDS, parse=lambda text, place: parse_holds(text, place, "dynamodb")
    )


def test_without_a_list_nothing_is_held(holds: SsmHolds) -> None:
    assert holds.read() == ()


def test_the_list_is_read_anew_each_time(holds: SsmHolds, ssm: "SSMClient") -> None:
    entry = {"backups": "orders/*", "reason": "case 17"}
    ssm.put_parameter(Name=HOLDS, Type="String", Value=json.dumps([entry]))
    assert holds.read() == (Hold(backups="orders/*", reason="case 17"),)
    ssm.put_parameter(Name=HOLDS, Type="String", Value="[]", Overwrite=True)
    assert holds.read() == ()


def test_a_list_that_is_wrong_is_an_error_that_says_where_it_is(holds: SsmHolds, ssm: "SSMClient") -> None:
    ssm.put_parameter(Name=HOLDS, Type="String", Value="orders/*")
    with pytest.raises(
        HoldListError, match=f"the hold list in the SSM parameter {HOLDS} cannot be used: not"
    ):
        holds.read()
    assert holds.place == f"in the SSM parameter {HOLDS}"


def test_a_list_that_may_not_be_read_is_not_an_absent_one(holds: SsmHolds, ssm: "SSMClient") -> None:
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "AccessDeniedException", http_status_code=400)
        with pytest.raises(AccessDenied):
            holds.read()


# Messages


MESSAGE = Message(
    subject="Holdfast nightly: OK, 2 of 2 backed up",
    text="Everything the plan protects has its backup. Größe: 3 TB\n",
    data='{"schema": "holdfast.report/1"}',
    attributes={"status": "ok", "plan": "nightly"},
)


@pytest.fixture
def sns(aws: None) -> "SNSClient":
    return boto3.client("sns", region_name=HOME, config=client_config(1))


@pytest.fixture
def topic(sns: "SNSClient") -> str:
    return sns.create_topic(Name="holdfast")["TopicArn"]


def requests_of(sns: "SNSClient") -> list[dict[str, Any]]:
    """Fills with each Publish request."""
    asked: list[dict[str, Any]] = []
    sns.meta.events.register_first(
        "before-parameter-build.sns.Publish", lambda params, **_: asked.append(dict(params))
    )
    return asked


def test_each_protocol_has_its_own_body(sns: "SNSClient", topic: str) -> None:
    asked = requests_of(sns)
    SnsNotifier(client=sns, topic_arn=topic).publish(MESSAGE)
    (request,) = asked
    assert request["MessageStructure"] == "json"
    bodies = json.loads(request["Message"])
    assert bodies == {"default": MESSAGE.data, "email": MESSAGE.text, "sms": MESSAGE.subject}
    assert request["Subject"] == MESSAGE.subject
    assert request["MessageAttributes"] == {
        "status": {"DataType": "String", "StringValue": "ok"},
        "plan": {"DataType": "String", "StringValue": "nightly"},
    }


def test_a_queue_gets_the_data(sns: "SNSClient", topic: str) -> None:
    sqs: SQSClient = boto3.client("sqs", region_name=HOME)
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    SnsNotifier(client=sns, topic_arn=topic).publish(MESSAGE)
    (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
    envelope = json.loads(received["Body"])
    assert envelope["Message"] == MESSAGE.data
    assert envelope["Subject"] == MESSAGE.subject


def test_an_empty_attribute_is_left_out(sns: "SNSClient", topic: str) -> None:
    asked = requests_of(sns)
    SnsNotifier(client=sns, topic_arn=topic).publish(
        replace(MESSAGE, attributes={"plan": "nightly", "run": ""})
    )
    assert set(asked[0]["MessageAttributes"]) == {"plan"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("short", "short"),
        ("two\nlines\r\nand\ta tab", "two lines and a tab"),
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 96 + "..."),
    ],
)
def test_a_subject_is_one_short_line(subject: str, expected: str) -> None:
    assert one_line(subject) == expected
    assert len(one_line(subject)) < 100


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_over_the_limit_is_an_error_of_its_own(sns: "SNSClient", topic: str, over: int) -> None:
    """The limit is of bytes: a letter beyond ASCII counts for what it takes."""
    notifier = SnsNotifier(client=sns, topic_arn=topic)
    asked = requests_of(sns)
    bare = Message(subject="Holdfast", text="", data="", attributes={"plan": "ü"})
    notifier.publish(bare)
    attributes = len(b"plan" + b"String" + "ü".encode())
    room = MOST_BYTES - len(asked[0]["Message"].encode()) - attributes
    body = "ü" * (room // 2) + "x" * (room % 2)
    full = replace(bare, text=body, data="y" * over)
    if not over:
        notifier.publish(full)
        return
    with pytest.raises(ProviderError, match="MessageTooLong") as raised:
        notifier.publish(full)
    assert str(MOST_BYTES) in raised.value.message
    assert len(asked) == 1


def test_a_topic_that_is_gone_is_an_error(sns: "SNSClient", topic: str) -> None:
    with pytest.raises(NotFound):
        SnsNotifier(client=sns, topic_arn=topic + "-gone").publish(MESSAGE)


def test_an_unanswered_publish_is_an_error(sns: "SNSClient", topic: str) -> None:
    with Stubber(sns) as stub:
        stub.add_client_error("publish", "InternalError", http_status_code=500)
        with pytest.raises(NoAnswer):
            SnsNotifier(client=sns, topic_arn=topic).publish(MESSAGE)


# Who gets which message


@pytest.fixture
def sqs(aws: None) -> "SQSClient":
    return boto3.client("sqs", region_name=HOME)


def inbox(sns: "SNSClient", sqs: "SQSClient", topic: str, name: str, **filters: str) -> str:
    """The URL of a queue that is subscribed to the topic."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=filters)
    return url


def got(sqs: "SQSClient", url: str) -> list[str]:
    """The bodies of the messages in a queue."""
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(one["Body"])["Message"] for one in received]


def failures_filter() -> dict[str, Any]:
    """The template's own, of who wants failures alone."""
    told: dict[str, Any] = Stack(given={"FailuresEmail": "x@example.com"}).resource("FailuresSubscription")
    assert told["FilterPolicyScope"] == "MessageAttributes"
    policy: dict[str, Any] = told["FilterPolicy"]
    return policy


@pytest.mark.parametrize(
    ("status", "news", "delivered"),
    [
        ("ok", "false", False),
        ("ok", "true", True),
        ("partial", "false", True),
        ("refused", "false", True),
        ("failed", "false", True),
        ("failed", "true", True),
    ],
)
def test_who_wants_failures_alone_gets_what_is_not_ok_or_new(
    sns: "SNSClient", sqs: "SQSClient", topic: str, status: str, news: str, delivered: bool
) -> None:
    """SNS takes a policy whose only key is `$or` when one of its policies does; moto does not know that, so
    that each of them has a queue here."""
    policy = failures_filter()
    assert set(policy) == {"$or"}
    urls = [
        inbox(
            sns,
            sqs,
            topic,
            f"by-{number}",
            FilterPolicy=json.dumps(one),
            FilterPolicyScope="MessageAttributes",
        )
        for number, one in enumerate(policy["$or"])
    ]
    told = replace(MESSAGE, attributes={"status": status, "plan": "nightly", "schema": "s", "news": news})
    SnsNotifier(client=sns, topic_arn=topic).publish(told)
    assert any(got(sqs, url) for url in urls) == delivered


def test_the_template_s_filter_is_one_that_sns_takes(sns: "SNSClient", sqs: "SQSClient", topic: str) -> None:
    policy = json.dumps(failures_filter())
    inbox(sns, sqs, topic, "failures", FilterPolicy=policy, FilterPolicyScope="MessageAttributes")


def test_an_alarm_which_has_no_attributes_reaches_who_is_subscribed_without_a_filter(
    sns: "SNSClient", sqs: "SQSClient", topic: str
) -> None:
    subscription = Stack(given={"FailuresEmail": "x@example.com"}).resource("AlarmSubscription")
    url = inbox(
        sns, sqs, topic, "alarms", **{one: subscription[one] for one in subscription if "Filter" in one}
    )
    sns.publish(TopicArn=topic, Subject="ALARM: night-dead-letters", Message='{"NewStateValue": "ALARM"}')
    assert got(sqs, url) == ['{"NewStateValue": "ALARM"}']


def test_a_chat_channel_gets_its_own_form_alone(sns: "SNSClient", sqs: "SQSClient", topic: str) -> None:
    url = inbox(sns, sqs, topic, "chat")
    asked = requests_of(sns)
    SnsChat(client=sns, topic_arn=topic).tell(replace(MESSAGE, chat='{"version": "1.0"}'))
    assert got(sqs, url) == ['{"version": "1.0"}']
    assert "MessageStructure" not in asked[0]
    assert set(asked[0]["MessageAttributes"]) == {"status", "plan"}


def test_a_chat_channel_that_cannot_be_told_is_an_error(sns: "SNSClient", topic: str) -> None:
    with pytest.raises(NotFound):
        SnsChat(client=sns, topic_arn=topic + "-gone").tell(replace(MESSAGE, chat="{}"))
    with pytest.raises(ProviderError, match="MessageTooLong"):
        SnsChat(client=sns, topic_arn=topic).tell(replace(MESSAGE, chat="x" * MOST_BYTES))
