"""Restores a resource in the cloud that `make cloud` left up, and prints what became of each setting.

    python -m local.restoring orders --to orders-restored
    python -m local.restoring arn:aws:rds:us-east-1:123456789012:db:website --to website --region us-west-2

Ends with 1 when nothing was restored, with 2 when it could not be asked for.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import durable, sandbox
from local.company import COMPANY
from local.durable import Execution
from local.sandbox import ACCOUNT_ID, HOME_REGION, Clients
from local.serve import running_cloud

WAIT_SECONDS = 300.0
_ARNS = {
    "dynamodb": f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/{{}}",
    "rds": f"arn:aws:rds:{HOME_REGION}:{ACCOUNT_ID}:db:{{}}",
    "aurora": f"arn:aws:rds:{HOME_REGION}:{ACCOUNT_ID}:cluster:{{}}",
    "ebs": f"arn:aws:ec2:{HOME_REGION}:{ACCOUNT_ID}:volume/{{}}",
}
_COLOURS = {"restored": "green", "changed": "yellow", "not possible": "red"}


class RestoringError(Exception):
    """A restore that could not be asked for. Says why and what can."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.restoring", description="Restores a resource.")
    parser.add_argument("resource", help="its ARN, or its name where the company has one of that name")
    parser.add_argument("--to", default="", help="the name of what is to be made")
    parser.add_argument("--at", default="", help="an instant, or 'latest'")
    parser.add_argument("--backup", default="", help="the ARN or the name of a backup")
    parser.add_argument("--region", default="", help="where it is to stand")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        cloud = running_cloud()
        if not cloud:
            raise RestoringError("no cloud is up; start one with `make cloud` in another terminal")
        clients, stack = Clients(cloud["AWS_ENDPOINT_URL"]), cloud["HOLDFAST_STACK"]
        given = {name: getattr(options, name) for name in ("to", "at", "backup", "region")}
        told = ask(clients, stack, event_for(clients, options.resource, given))
    except RestoringError as error:
        console.print(f"[bold red]nothing was restored:[/] {error}", highlight=False)
        return 2
    show(console, told, kept(clients, stack, told))
    return 0 if told["state"] == "done" else 1


def event_for(clients: Clients, resource: str, given: Mapping[str, str]) -> dict[str, str]:
    """The event for the function. A volume's name is its tag. Raises `RestoringError` when there is no
    resource of a name."""
    event = {"resource": resource, **{name: value for name, value in given.items() if value}}
    if resource.startswith("arn:"):
        return event
    kinds = [one.kind for one in COMPANY if one.name == resource]
    if not kinds:
        known = ", ".join(sorted(one.name for one in COMPANY))
        raise RestoringError(f"there is no {resource!r}; there are {known}; or give an ARN")
    name = _volume(clients, resource) if kinds[0] == "ebs" else resource
    return {**event, "resource": _ARNS[kinds[0]].format(name)}


def _volume(clients: Clients, name: str) -> str:
    asked = [{"Name": "tag:Name", "Values": [name]}]
    volumes = clients("ec2").describe_volumes(Filters=asked)["Volumes"]
    return str(volumes[0]["VolumeId"]) if volumes else name


def start(clients: Clients, stack: str, event: Mapping[str, Any]) -> str:
    """Start a restore as a person does. Returns the ARN of the execution."""
    try:
        answer = clients("lambda").invoke(
            FunctionName=f"{stack}-restore",
            Qualifier="live",
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
    except ClientError as error:
        raise RestoringError(error.response["Error"]["Message"]) from error
    return str(answer["DurableExecutionArn"])


def ask(clients: Clients, stack: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Restore, and wait for the end: the function's answer. Raises `RestoringError` when it could not."""
    try:
        answer = clients("lambda").invoke(
            FunctionName=f"{stack}-restore", Qualifier="live", Payload=json.dumps(event).encode()
        )
    except ClientError as error:
        raise RestoringError(error.response["Error"]["Message"]) from error
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RestoringError(str(told.get("errorMessage", told)))
    return told


def finished(runner: str, arn: str) -> Execution:
    """The execution when it has ended."""
    return durable.wait(runner, arn, WAIT_SECONDS)


def kept(clients: Clients, stack: str, told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The settings of a restore, one by one, as its document has them; none when it has no document."""
    stacks = clients("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stacks[0].get("Outputs", ())}
    try:
        answer = clients("s3").get_object(
            Bucket=outputs["ReportBucketName"], Key=f"restores/{told['id']}.json"
        )
    except ClientError:
        return []
    settings: Sequence[Mapping[str, Any]] = json.load(answer["Body"])["settings"]
    return settings


def show(console: Console, told: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]) -> None:
    """How it ended, and each setting of the source with what the new resource has."""
    colour = "green" if told["state"] == "done" else "red"
    console.print(Text(f"{told['state']}: {told['reason']}", style=f"bold {colour}"), soft_wrap=True)
    if told["arn"]:
        console.print(Text(f"{told['arn']}, in {told['seconds']:.0f} s"), soft_wrap=True)
    if not settings:
        return
    table = Table("setting", "source", "restored", "", "why")
    for one in settings:
        table.add_row(
            one["name"],
            Text(_value(one["source"])),
            Text(_value(one["restored"])),
            Text(one["fate"], style=_COLOURS[one["fate"]]),
            Text(one["reason"]),
        )
    console.print(table)


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
