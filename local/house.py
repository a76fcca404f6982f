"""A cloud with everything in it: Holdfast deployed, the company's data, and the subscriptions that the demo
reads. What `make demo`, `make cloud` and the end-to-end tests start from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import company
from local.cloud import Cloud
from local.deploy import Stack
from local.mail import MAILBOX
from local.sandbox import COPY_REGION

STACK = "holdfast"
MAIL_ADDRESS = "operations@example.com"
MACHINES = "machines"
"""The queue that gets what machines get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A filled cloud. `copy_key` is the ARN of the key for the copies."""

    cloud: Cloud
    stack: Stack
    copy_key: str

    def default_plan(self) -> dict[str, Any]:
        """The plan as it is deployed."""
        parameter = self.cloud.clients("ssm").get_parameter(Name=self.stack.outputs["DefaultPlanName"])
        plan: dict[str, Any] = json.loads(parameter["Parameter"]["Value"])
        return plan

    def put_plan(self, plan: Mapping[str, Any]) -> None:
        """Store another plan in the place of the deployed one."""
        self.cloud.clients("ssm").put_parameter(
            Name=self.stack.outputs["DefaultPlanName"], Type="String", Value=json.dumps(plan), Overwrite=True
        )

    def record(self, slot: str, stage: str) -> dict[str, Any]:
        """The record of a stage, by its slot as names have it (`20261122T020000Z`)."""
        answer = self.cloud.clients("s3").get_object(
            Bucket=self.stack.outputs["ReportBucketName"], Key=f"runs/nightly/{slot}/{stage}.json"
        )
        record: dict[str, Any] = json.load(answer["Body"])
        return record

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """What has come into a queue, oldest first; they are taken out of it."""
        sqs = self.cloud.clients("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        taken: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for one in found:
                taken.append(json.loads(one["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return taken


def furnish(cloud: Cloud, parameters: Mapping[str, str] | None = None) -> House:
    """Deploy the built template with its default plan, copies to the second Region, and fill both Regions.

    `parameters` of the template go before those chosen here.
    """
    copy_key = company.create_copy_key(cloud.clients)
    stack = cloud.deploy(
        STACK,
        {
            "CopyRegion": COPY_REGION,
            "CopyKmsKeyArn": copy_key,
            "AlertEmail": MAIL_ADDRESS,
            "RdsCallsPerSecond": "99",  # nobody else calls RDS here
            **(parameters or {}),
        },
    )
    company.fill(cloud.clients)
    _subscribe(cloud, stack)
    return House(cloud=cloud, stack=stack, copy_key=copy_key)


def _subscribe(cloud: Cloud, stack: Stack) -> None:
    """A queue for the post of the template's e-mail subscription, and one that is subscribed itself."""
    sqs = cloud.clients("sqs")
    sqs.create_queue(QueueName=MAILBOX)
    url = sqs.create_queue(QueueName=MACHINES)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = stack.outputs["ReportTopicArn"]
    cloud.clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
