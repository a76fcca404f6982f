"""The ways to back up every tagged table, each in a process of its own, with its clients made from scratch.

    python -m local.bench.contenders <name> <endpoint>

Prints the seconds that it took from its first client on, and how many backups it thinks that it made.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from holdfast.bootstrap import App
from holdfast.core.model import Request
from holdfast.core.naming import parse_slot
from holdfast.core.report import State
from holdfast.settings import read_settings
from holdfast.usecases.create import create_backups
from local.bench.settings import BUCKET, PLAN, SLOT, STACK
from local.sandbox import ACCOUNT_ID, HOME_REGION, loopback

LAMBDA_SECONDS = 900.0


def holdfast() -> int:
    """The create stage as its function runs it, but for the handler: plan, turn, listings, creates."""
    variables = {
        "HOLDFAST_STACK": STACK,
        "AWS_REGION": HOME_REGION,
        "HOLDFAST_ACCOUNT": ACCOUNT_ID,
        "HOLDFAST_PLANS_PATH": f"/{STACK}/plans",
        "HOLDFAST_BUCKET": BUCKET,
    }
    app = App(read_settings(variables), boto3.Session(region_name=HOME_REGION))
    slot = parse_slot(SLOT)
    assert slot is not None  # noqa: S101
    report = create_backups(
        app.create_ports,
        app.plans.get(PLAN),
        Request(plan=PLAN, slot=slot),
        app.home,
        lambda: LAMBDA_SECONDS,
    )
    return sum(one.state is State.DONE for one in report.outcomes)


def serial() -> int:
    """The plain loop. boto3's defaults; what fails is left."""
    make = _backup_maker()
    return sum(make(table) for table in _tables())


def threads(number: int) -> int:
    """The same loop in threads."""
    with ThreadPoolExecutor(max_workers=number) as pool:
        return sum(pool.map(_backup_maker(), _tables()))


def _tables() -> Iterator[str]:
    pages = (
        boto3.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            ResourceTypeFilters=["dynamodb:table"],
            TagFilters=[{"Key": "holdfast:plan", "Values": [PLAN]}],
        )
    )
    for page in pages:
        for entry in page["ResourceTagMappingList"]:
            yield entry["ResourceARN"].rpartition("/")[2]


def _backup_maker() -> Callable[[str], bool]:
    client = boto3.client("dynamodb")

    def make(table: str) -> bool:
        try:
            client.create_backup(TableName=table, BackupName=f"{table}-nightly")
        except (ClientError, BotoCoreError):
            return False
        return True

    return make


CONTENDERS: dict[str, Callable[[], int]] = {
    "holdfast": holdfast,
    "serial": serial,
    "threads-16": lambda: threads(16),
    "threads-32": lambda: threads(32),
}


if __name__ == "__main__":
    os.environ["AWS_ENDPOINT_URL"] = loopback(sys.argv[2])
    os.environ["AWS_DEFAULT_REGION"] = HOME_REGION
    _started = time.monotonic()
    _made = CONTENDERS[sys.argv[1]]()
    print(json.dumps({"seconds": time.monotonic() - _started, "made": _made}))
