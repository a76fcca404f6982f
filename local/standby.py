"""A standby beside a filled cloud, the loss of the Region that the company is in, and its recovery."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local import durable
from local.company import do_business
from local.deploy import Stack
from local.house import MACHINES, House
from local.nights import NightError, read_schedule, run_night
from local.sandbox import ACCOUNT_ID, COPY_REGION, HOME_REGION
from local.weather import control
from local.weather.forecast import CALM
from local.weather.layer import REGION_GONE

TIERS: Mapping[str, str] = {
    f"arn:aws:rds:{HOME_REGION}:{ACCOUNT_ID}:cluster:ledger": "1",
    f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/customers": "1",
    f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/orders": "2",
    f"arn:aws:rds:{HOME_REGION}:{ACCOUNT_ID}:db:billing": "2",
}
"""What has to be there first, as the company says."""

_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """The stack in the copy Region, for the house's."""

    house: House
    stack: Stack

    def recover(self, event: Mapping[str, object]) -> dict[str, Any]:
        """What `recover` answers there. Raises `NightError` when it fails."""
        answer = self.house.cloud.clients("lambda", COPY_REGION).invoke(
            FunctionName=f"{self.stack.name}-recover:live",
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
        runner = self.house.cloud.gateway.elsewhere[COPY_REGION].runner
        execution = durable.wait(runner, answer["DurableExecutionArn"], _WAIT_SECONDS)
        if execution.status != "SUCCEEDED":
            raise NightError(f"recover: {execution.status}: {dict(execution.error)}")
        told: dict[str, Any] = json.loads(execution.result)
        return told

    def document(self, recovery: str) -> dict[str, Any]:
        """What is kept of it."""
        answer = self.house.cloud.clients("s3", COPY_REGION).get_object(
            Bucket=self.stack.outputs["ReportBucketName"], Key=f"recoveries/{recovery}.json"
        )
        document: dict[str, Any] = json.load(answer["Body"])
        return document

    def messages(self) -> list[dict[str, Any]]:
        """What came into the queue there, oldest first; they are taken out of it."""
        sqs = self.house.cloud.clients("sqs", COPY_REGION)
        url = sqs.get_queue_url(QueueName=MACHINES)["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"]) for one in found]


def stand_by(house: House, parameters: Mapping[str, str] | None = None) -> Standby:
    """Deploy the standby, and subscribe a queue to its topic. `parameters` go before those of here."""
    stack = house.cloud.deploy_standby(
        house.stack.name,
        COPY_REGION,
        {
            "StandbyOf": HOME_REGION,
            "CopyRegion": COPY_REGION,
            "CopyKmsKeyArn": house.copy_key,
            "CopyBucket": house.copy_bucket,
            "RdsCallsPerSecond": "99",  # nobody else calls RDS here
            **(parameters or {}),
        },
    )
    clients = house.cloud.clients
    sqs = clients("sqs", COPY_REGION)
    url = sqs.create_queue(QueueName=MACHINES)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = stack.outputs["ReportTopicArn"]
    clients("sns", COPY_REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Standby(house=house, stack=stack)


def give_tiers(house: House) -> None:
    """Tag what has to be restored first."""
    clients = house.cloud.clients
    for arn, tier in TIERS.items():
        tags = [{"Key": "holdfast:tier", "Value": tier}]
        if ":dynamodb:" in arn:
            clients("dynamodb").tag_resource(ResourceArn=arn, Tags=tags)
        else:
            clients("rds").add_tags_to_resource(ResourceName=arn, Tags=tags)


def live_until_now(house: House, nights: int) -> datetime:
    """Run the nights before this moment; the slot of the last. Raises `NightError` when one fails."""
    schedule = read_schedule(house.cloud, house.stack)
    now = datetime.now(UTC)
    first = (now - timedelta(days=nights + 1)).date()
    slots = [one for one in schedule.instants(first, nights + 2) if one < now][-nights:]
    for slot in slots:
        do_business(house.cloud.clients, slot.date())
        execution = run_night(house.cloud, schedule, slot)
        if execution.status != "SUCCEEDED":
            raise NightError(f"the run of {slot:%Y-%m-%d}: {execution.status}: {dict(execution.error)}")
    return slots[-1]


def lose(house: House, region: str = HOME_REGION) -> None:
    """From now on no call to the Region is answered, whoever makes it."""
    control.let_it_be(house.cloud.moto.url, replace(CALM, name="region gone", gone=(region,)))


def unanswered(house: House) -> list[dict[str, Any]]:
    """The calls since then that were made to it, as the log has them."""
    told = control.ask(house.cloud.moto.url, "GET")
    return [one for one in told["calls"] if one["fault"] == REGION_GONE]
