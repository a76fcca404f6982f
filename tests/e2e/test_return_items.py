"""Someone deleted data: the whole runbook, from its event files, on an embedded cloud with real processes."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local import invoke
from local.cloud import Cloud
from local.house import House, furnish
from local.mail import MAILBOX
from local.paths import EVENTS
from tests.e2e.handlers import until
from tests.messages import RETURN_SCHEMA, check_data

pytestmark = pytest.mark.long

ITEMS = 240
LOST = [f"orders-{n}" for n in range(0, ITEMS, 3)]
SPOILED = "orders-1"


@pytest.fixture(scope="module")
def own_house(built: None) -> Iterator[House]:
    """Of its own, since it changes the company's orders."""
    with Cloud() as cloud:
        yield furnish(cloud)


def an_order(id_: str, state: str = "paid") -> Mapping[str, Any]:
    return {
        "id": {"S": id_},
        "state": {"S": state},
        "total": {"N": "19.90"},
        "parts": {"NS": ["1", "2"]},
        "receipt": {"B": b"\x00\xffreceipt"},
    }


def orders(house: House, table: str = "orders") -> dict[str, Any]:
    pages = house.cloud.clients("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {one["id"]["S"]: one for page in pages for one in page["Items"]}


def asked(house: House, event: str, **more: object) -> dict[str, Any]:
    """What the function answers to an event file, with the time and the words of this day in it."""
    path = EVENTS / event
    payload = json.loads(invoke.read_event(path)) | more
    function = event.partition(".")[0]
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, json.dumps(payload).encode())
    assert not answer.error, answer.payload
    told: dict[str, Any] = json.loads(answer.payload)
    return told


def mail(house: House, word: str) -> str:
    found: list[str] = []

    def come() -> bool:
        found.extend(f"{one['subject']}\n{one['text']}" for one in house.messages(MAILBOX))
        return any(word in one for one in found)

    until(come, seconds=20)
    return next(one for one in found if word in one)


def test_deleted_items_come_back_and_what_was_written_since_stays(own_house: House) -> None:
    house = own_house
    dynamodb = house.cloud.clients("dynamodb")
    for n in range(ITEMS):
        dynamodb.put_item(TableName="orders", Item=an_order(f"orders-{n}"))
    before = orders(house)
    time.sleep(1.1)  # instants are of whole seconds
    instant = datetime.now(UTC).replace(microsecond=0)
    time.sleep(0.1)
    # What goes wrong, and what goes on meanwhile.
    for id_ in LOST:
        dynamodb.delete_item(TableName="orders", Key={"id": {"S": id_}})
    dynamodb.put_item(TableName="orders", Item=an_order(SPOILED, "spoiled"))
    dynamodb.put_item(TableName="orders", Item=an_order("orders-new", "open"))
    damaged = orders(house)

    restored = asked(house, "restore.deleted_items.json", at=f"{instant:%Y-%m-%dT%H:%M:%SZ}")
    assert restored["state"] == "done", restored
    assert orders(house, "orders-before") == before

    compared = asked(house, "return_items.dry_run.json")
    assert compared["state"] == "compared", compared
    assert (compared["counts"]["lost"], compared["counts"]["changed"]) == (len(LOST), 1)
    assert {one["id"]["S"] for one in compared["keys"]["lost"]} <= set(LOST)
    assert len(compared["keys"]["lost"]) == 50
    assert compared["keys"]["changed"] == [{"id": {"S": SPOILED}}]
    assert orders(house) == damaged
    house.messages(MAILBOX)

    told = asked(house, "return_items.lost.json", id="worst-day")
    assert told["state"] == "done", told
    assert told["counts"] == {
        "same": len(before) - len(LOST) - 1,
        "lost": len(LOST),
        "changed": 1,
        "expired": 0,
        "returned": len(LOST),
        "replaced": 0,
        "meanwhile": 0,
        "failed": 0,
    }
    assert orders(house) == damaged | {one: before[one] for one in LOST}
    assert f"done, {len(LOST)} lost items copied back, 1 changed kept" in mail(house, "return to orders")

    replaced = asked(house, "return_items.lost.json", changed="return")
    assert replaced["counts"]["replaced"] == 1
    assert orders(house) == before | {"orders-new": damaged["orders-new"]}
    again = asked(house, "return_items.lost.json", changed="return")
    assert (again["counts"]["lost"], again["counts"]["changed"]) == (0, 0)

    bucket = house.stack.outputs["ReportBucketName"]
    kept = house.cloud.clients("s3").get_object(Bucket=bucket, Key="returns/worst-day.json")
    check_data(json.load(kept["Body"]), "document", RETURN_SCHEMA)


def test_a_table_that_no_restore_made_is_refused(own_house: House) -> None:
    told = asked(own_house, "return_items.lost.json", **{"from": _table("customers")})
    assert told["state"] == "refused"
    assert "bears no tag holdfast:restore" in told["reason"]


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"


def test_its_logs_name_no_item(own_house: House) -> None:
    """Runs last: what the functions printed until now."""
    logs = [one.read_text(errors="replace") for one in _logs(own_house)]
    assert any("return_items" in one or '"stage":"return"' in one for one in logs)
    assert not [one for one in logs for id_ in (LOST[-1], SPOILED, "orders-new") if f'"{id_}"' in one]


def _logs(house: House) -> list[Path]:
    return [*house.cloud.logs.glob("*return-items*")]
