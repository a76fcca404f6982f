"""Rehearses restores in the cloud that `make cloud` left up, and prints what was found.

    python -m local.drilling
    python -m local.drilling --resource arn:aws:rds:us-east-1:123456789012:db:website

Ends with 1 when a rehearsed restore would not do, with 2 when none could be asked for.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.restoring import RestoringError
from local.sandbox import Clients
from local.serve import running_cloud


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.drilling", description="Rehearses restores.")
    parser.add_argument("--plan", default="nightly", help="the plan whose restores are rehearsed")
    parser.add_argument("--resource", default="", help="the ARN of the only one")
    parser.add_argument("--place", default="", help="the only Region whose backups are restored")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        cloud = running_cloud()
        if not cloud:
            raise RestoringError("no cloud is up; start one with `make cloud` in another terminal")
        event = {name: value for name, value in vars(options).items() if value}
        told = ask(Clients(cloud["AWS_ENDPOINT_URL"]), cloud["HOLDFAST_STACK"], event)
    except RestoringError as error:
        console.print(f"[bold red]nothing was rehearsed:[/] {error}", highlight=False)
        return 2
    show(console, told)
    return 0 if all(one["passed"] for one in told["rehearsals"]) and not told["left_behind"] else 1


def ask(clients: Clients, stack: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Drill, and wait for the end: the function's answer. Raises `RestoringError` when it could not."""
    try:
        answer = clients("lambda").invoke(
            FunctionName=f"{stack}-drill", Qualifier="live", Payload=json.dumps(event).encode()
        )
    except ClientError as error:
        raise RestoringError(error.response["Error"]["Message"]) from error
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RestoringError(str(told.get("errorMessage", told)))
    return told


def show(console: Console, told: Mapping[str, Any]) -> None:
    """Each restore that was rehearsed, and what was left out or left behind."""
    table = Table("resource", "in", "", "what was found")
    for one in told["rehearsals"]:
        word, colour = ("passed", "green") if one["passed"] else ("FAILED", "red")
        name = one["resource"].split(":", 5)[5]
        table.add_row(Text(name), one["place"], Text(word, style=colour), Text(one["why"]))
    console.print(table)
    for one in told["skipped"]:
        console.print(Text(f"left out: {one['resource']} in {one['place']}: {one['reason']}"), soft_wrap=True)
    for one in told["left_behind"]:
        console.print(Text(f"STILL STANDING: {one}", style="bold red"), soft_wrap=True)
    for one in told["problems"]:
        console.print(Text(one, style="red"), soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
