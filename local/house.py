"""A cloud with everything in it: Holdfast deployed, the company's data, and the subscriptions that the demo
reads. What `make demo`, `make cloud` and the end-to-end tests start from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import company, standing
from local.cloud import Cloud
from local.deploy import Stack, deploy_plain
from local.mail import MAILBOX
from local.paths import ROOT
from local.sandbox import COPY_REGION

STACK = "holdfast"
MAIL_ADDRESS = "operations@example.com"
MACHINES = "machines"
"""The queue that gets what machines get."""

FULL_EVERY_DAYS = 6
"""So that after fourteen nights and one more the newest exports hold changes alone, and an older one that a
kept one stands on has outlived the plan's counts."""

UNVERIFIED = {"VerifierSubnetIds": "", "VerifierSecurityGroupIds": "", "VerifierSecretArn": ""}
"""Parameters for a house whose drills ask no verifier: behind its databases no server would answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A filled cloud: the stack, and the one in the copy Region that it copies to."""

    cloud: Cloud
    stack: Stack
    copy_stack: Stack

    @property
    def copy_key(self) -> str:
        """The ARN of the key for the copies."""
        return self.copy_stack.outputs["KeyArn"]

    @property
    def copy_bucket(self) -> str:
        """The name of the bucket for the exports."""
        return self.copy_stack.outputs["BucketName"]

    def standing(self) -> list[standing.Standing]:
        """All backups in both Regions."""
        return standing.everything(self.cloud.clients, self.copy_bucket)

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


def furnish(
    cloud: Cloud,
    parameters: Mapping[str, str] | None = None,
    copy_parameters: Mapping[str, str] | None = None,
) -> House:
    """Deploy what the copy Region needs, then the built template with its default plan and copies to there;
    fill both Regions.

    `parameters` of the built template, and `copy_parameters` of that of the copy Region, go before those
    chosen here.
    """
    copy_stack = deploy_plain(
        cloud.clients,
        ROOT / "template-copy-region.yaml",
        f"{STACK}-copy-region",
        {"StackName": STACK, **(copy_parameters or {})},
        COPY_REGION,
    )
    stack = cloud.deploy(
        STACK,
        {
            "CopyRegion": COPY_REGION,
            "CopyKmsKeyArn": copy_stack.outputs["KeyArn"],
            "CopyBucket": copy_stack.outputs["BucketName"],
            "CopyFullEveryDays": str(FULL_EVERY_DAYS),
            "AlertEmail": MAIL_ADDRESS,
            "RdsCallsPerSecond": "99",  # nobody else calls RDS here
            "Drills": "on",
            # No such network is here, nor such a secret: the verifier is called, and says what it lacks.
            "VerifierSubnetIds": "subnet-0123456789abcdef0",
            "VerifierSecurityGroupIds": "sg-0123456789abcdef0",
            "VerifierSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:verifier-AbCdEf",
            **(parameters or {}),
        },
    )
    company.fill(cloud.clients)
    _subscribe(cloud, stack)
    return House(cloud=cloud, stack=stack, copy_stack=copy_stack)


def _subscribe(cloud: Cloud, stack: Stack) -> None:
    """A queue for the post of the template's e-mail subscription, and one that is subscribed itself."""
    sqs = cloud.clients("sqs")
    sqs.create_queue(QueueName=MAILBOX)
    url = sqs.create_queue(QueueName=MACHINES)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = stack.outputs["ReportTopicArn"]
    cloud.clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
