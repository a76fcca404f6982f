"""Who is told, as template.yaml has it: the topics, their subscriptions, and who may publish."""

from typing import Any

import pytest

from tests.unit.test_template import ACCOUNT, Stack, environment, statements

FAILURES = "on-call@example.com"


def subscriptions(**given: str) -> dict[str, dict[str, Any]]:
    return Stack(given=given).of_type("AWS::SNS::Subscription")


def test_who_wants_failures_alone_gets_them_and_the_alarms() -> None:
    told = subscriptions(FailuresEmail=FAILURES)
    assert set(told) == {"FailuresSubscription", "AlarmSubscription"}
    assert {(one["Protocol"], one["Endpoint"]) for one in told.values()} == {("email", FAILURES)}
    assert told["FailuresSubscription"]["TopicArn"] == "<ReportTopic>"
    assert told["FailuresSubscription"]["FilterPolicyScope"] == "MessageAttributes"
    assert told["FailuresSubscription"]["FilterPolicy"] == {
        "$or": [{"status": [{"anything-but": ["ok"]}]}, {"news": ["true"]}]
    }


def test_alarms_reach_that_address_unfiltered_since_they_have_no_attributes() -> None:
    alarms = subscriptions(FailuresEmail=FAILURES)["AlarmSubscription"]
    assert alarms["TopicArn"] == "<AlarmTopic>"
    assert "FilterPolicy" not in alarms


@pytest.mark.parametrize("name", sorted(Stack().of_type("AWS::CloudWatch::Alarm")))
def test_every_alarm_tells_it_too(name: str) -> None:
    alarm = Stack(given={"FailuresEmail": FAILURES}).resource(name)
    for when in ("AlarmActions", "OKActions"):
        assert alarm.get(when, ["<ReportTopic>", "<AlarmTopic>"]) == ["<ReportTopic>", "<AlarmTopic>"]


def test_both_addresses_can_be_given() -> None:
    assert len(subscriptions(FailuresEmail=FAILURES, AlertEmail="team@example.com")) == 3


@pytest.mark.parametrize("given", [{}, {"AlertEmail": "team@example.com"}])
def test_without_that_address_there_is_no_second_topic(given: dict[str, str]) -> None:
    assert set(Stack(given=given).of_type("AWS::SNS::Topic")) == {"ReportTopic"}


def test_a_chat_channel_has_a_topic_of_its_own_that_only_the_report_publishes_to() -> None:
    stack = Stack(given={"ChatTopic": "on"})
    assert set(stack.of_type("AWS::SNS::Topic")) == {"ReportTopic", "ReportChatTopic"}
    assert environment(stack, "PublishReportFunction")["HOLDFAST_CHAT_TOPIC_ARN"] == "<ReportChatTopic>"
    publishing = {
        one["Sid"]: one for one in statements(stack, "PublishReportRole") if one["Action"] == "sns:Publish"
    }
    assert publishing["ChatPublish"]["Resource"] == "<ReportChatTopic>"
    assert set(publishing) == {"Publish", "ChatPublish"}


def test_without_a_chat_channel_nothing_may_publish_to_one() -> None:
    stack = Stack()
    assert environment(stack, "PublishReportFunction")["HOLDFAST_CHAT_TOPIC_ARN"] == ""
    assert "ChatPublish" not in {one.get("Sid") for one in statements(stack, "PublishReportRole")}


@pytest.mark.parametrize(
    ("topic", "given"),
    [
        ("ReportTopic", {}),
        ("AlarmTopic", {"FailuresEmail": FAILURES}),
        ("ReportChatTopic", {"ChatTopic": "on"}),
    ],
)
def test_every_topic_is_encrypted_and_takes_nothing_without_tls(topic: str, given: dict[str, str]) -> None:
    stack = Stack(given=given)
    assert stack.resource(topic)["KmsMasterKeyId"] == "<ReportKey.Arn>"
    policy = stack.resource(f"{topic}Policy")
    assert policy["Topics"] == [f"<{topic}>"]
    [tls] = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (tls["Principal"], tls["Action"], tls["Resource"]) == ("*", "sns:Publish", f"<{topic}>")


def test_alarms_of_this_account_may_publish_to_the_topic_of_alarms() -> None:
    stack = Stack(given={"FailuresEmail": FAILURES})
    document = stack.resource("AlarmTopicPolicy")["PolicyDocument"]
    [alarms] = [one for one in document["Statement"] if one["Effect"] == "Allow"]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
