"""What a stage's record tells of its calls is what went over the wire."""

import json
from collections import Counter

import pytest

from holdfast.core.report import Stage
from tests.faults.furniture import BUCKET
from tests.faults.house import NIGHT, House
from tests.faults.wire import Call, denied, of

STORED = {"s3.GetObject": 1, "s3.PutObject": 1}
"""The calls that store the record: what an earlier sweep of the slot left is read first."""

KEPT = {"s3.ListObjectsV2": 2, "s3.GetObject": 1, "s3.PutObject": 2}
"""Those that come after a check has told its usage: it reads the posture of a day ago, stores its own, looks
whether a newer one stands, and writes the page."""


def name_of(call: Call) -> str:
    """As the meter names it: boto3 alone runs this one service's name together."""
    service = "resource-groups-tagging-api" if call.service == "resourcegroupstaggingapi" else call.service
    return f"{service}.{call.operation}"


def told(house: House, stage: Stage) -> Counter[str]:
    key = f"runs/nightly/{NIGHT:%Y%m%dT%H%M%SZ}/{stage}.json"
    body = house.things.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    usage = json.loads(body)["usage"]
    assert usage["invocations"] == 1
    return Counter(usage["calls"])


@pytest.mark.parametrize("stage", [Stage.CREATE, Stage.COPY, Stage.PRUNE])
def test_every_call_of_a_stage_is_told_but_those_that_store_its_record(house: House, stage: Stage) -> None:
    house.restore(stage)
    house.stage(stage)
    sent = Counter(map(name_of, house.wire.calls))
    assert {"dynamodb", "rds", "ec2"} <= {name.partition(".")[0] for name in sent}
    metered = told(house, stage)
    assert sent - metered == STORED
    assert not metered - sent


def test_every_call_of_a_check_is_told_but_those_that_store_and_show_it(house: House) -> None:
    house.restore(Stage.CHECK)
    posture, _ = house.check()
    sent = Counter(map(name_of, house.wire.calls))
    metered = Counter(posture.usage.calls)
    assert sent - metered == KEPT
    assert not metered - sent
    assert posture.usage.invocations == 1


def test_a_call_that_was_denied_is_told_too(house: House) -> None:
    house.restore(Stage.CREATE)
    house.wire.add(of("dynamodb.CreateBackup"), denied)
    house.stage(Stage.CREATE)
    sent = sum(call.name == "dynamodb.CreateBackup" for call in house.wire.calls)
    assert told(house, Stage.CREATE)["dynamodb.CreateBackup"] == sent > 0
