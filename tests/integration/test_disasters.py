"""The runbooks of docs/disaster-recovery.md, from their own event files."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.restoring import RestoreState, Way, Window
from holdfast.restore_events import parse_restore
from tests.builders import HOME_REGION
from tests.integration.restoring import ASKED, RestoreWorld, way_of

EVENTS = Path(__file__).parents[2] / "events"
CORRUPT = json.loads((EVENTS / "restore.corrupt_database.json").read_text())
LEDGER = "arn:aws:rds:us-east-1:123456789012:cluster:ledger"


@pytest.mark.parametrize("resource", [CORRUPT["resource"], LEDGER])
def test_a_corrupt_database_comes_back_as_it_was_before(resource: str) -> None:
    request = parse_restore({**CORRUPT, "resource": resource}, ASKED, HOME_REGION, "run")
    assert request.at is not None
    world = RestoreWorld(source=resource)
    world.cloud.window = Window(earliest=ASKED - timedelta(days=7), latest=ASKED)
    made = world.restore(request)
    assert (made.state, way_of(made), made.to) == (RestoreState.DONE, Way.INSTANT, "billing-before")
    assert made.pick is not None
    assert made.pick.instant == request.at
    assert set(world.cloud.made) == {(HOME_REGION, "billing-before")}, "the corrupt one is left alone"


def test_an_instant_that_is_not_there_is_refused_with_what_is() -> None:
    request = parse_restore(CORRUPT, ASKED, HOME_REGION, "run")
    world = RestoreWorld(source=request.resource)
    world.cloud.window = Window(earliest=ASKED - timedelta(days=7), latest=ASKED - timedelta(hours=1))
    made = world.restore(request)
    assert made.state is RestoreState.REFUSED
    assert "the one before it is of 2026-11-22T02:00:00Z" in made.reason
