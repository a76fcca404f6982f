"""What RDS really answers to a night's copies, as users report it, played to the real adapter and stage."""

from collections.abc import Callable
from threading import Lock, local
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from holdfast.core.model import Backup, BackupState
from holdfast.core.report import Report, State, Status
from holdfast.ports import CopyPorts, ResourceQuery
from holdfast.usecases.copy import copy_backups
from tests.builders import HOME as STACK
from tests.builders import NIGHT, TAGS, a_mark, a_plan, a_request, a_rule
from tests.contract.kinds import RdsWorld
from tests.fakes import AWAY, HOME, FakeCloud, FakeQuotas, FakeRecords, FakeTurns

type Answer = tuple[AWSResponse, dict[str, Any]]

TOO_MANY = ("SnapshotQuotaExceeded", "Cannot copy more than 5 snapshots across regions")
NO_MORE = ("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots")
EXISTS = ("DBSnapshotAlreadyExists", "Cannot create the snapshot because one of that identifier exists")


def refusal(code: str, message: str) -> Answer:
    answer = AWSResponse("https://rds.us-west-2.amazonaws.com/", 400, {}, None)  # type: ignore[arg-type]
    told = {"Code": code, "Message": message, "Type": "Sender"}
    return answer, {"Error": told, "ResponseMetadata": {"HTTPStatusCode": 400}}


class Rds:
    """CopyDBSnapshot in the other Region. Calls, by their number from 1 on, are refused before they have an
    effect, or answered with an error although they had it."""

    def __init__(self, world: RdsWorld) -> None:
        self.calls = 0
        self._counting = Lock()
        self._under_way = local()
        self.refused: dict[int, tuple[str, str]] = {}
        self.answered_wrongly: dict[int, tuple[str, str]] = {}
        events = world.rds_away.meta.events
        events.register("before-call.rds.CopyDBSnapshot", self._before)
        events.register("after-call.rds.CopyDBSnapshot", self._after)

    def _before(self, **_: Any) -> Answer | None:
        with self._counting:
            self.calls += 1
            self._under_way.number = self.calls
        said = self.refused.get(self._under_way.number)
        return refusal(*said) if said else None

    def _after(self, http_response: AWSResponse, parsed: dict[str, Any], **_: Any) -> None:
        if said := self.answered_wrongly.get(self._under_way.number):
            http_response.status_code = 400
            parsed |= refusal(*said)[1]


def copying(world: RdsWorld) -> Callable[[], Report]:
    """The copy stage of a plan for instances alone."""
    assert world.copier is not None
    plan = a_plan(copies=(a_rule(),), types=("rds",))
    ports = CopyPorts(
        providers={"rds": world.provider},
        copiers={"rds": world.copier},
        records=FakeRecords(),
        turns=FakeTurns(),
        quotas=FakeQuotas(FakeCloud()),
    )

    def sweep() -> Report:
        report = copy_backups(ports, plan, a_request(), STACK, lambda: 900.0)
        assert report is not None
        return report

    return sweep


def fill(world: RdsWorld, count: int) -> list[str]:
    """So many databases with a backup of the night. Returns their ARNs."""
    arns = [world.add_resource(f"db-{number:02}", TAGS) for number in range(count)]
    for resource in world.provider.resources(ResourceQuery(everything=True)):
        world.provider.create(resource, a_mark(NIGHT, resource.arn))
    return arns


def standing(world: RdsWorld, region: str) -> list[Backup]:
    return [one for one in world.provider.backups(region) if one.state is BackupState.AVAILABLE]


def test_accepted_refused_accepted_and_already_there_ends_in_exactly_one_copy_of_each(
    rds: RdsWorld,
) -> None:
    arns = fill(rds, 12)
    sweep, aws = copying(rds), Rds(rds)
    aws.refused = dict.fromkeys(range(6, 13), TOO_MANY)
    first = sweep()
    states = [one.state for one in first.outcomes]
    assert (states.count(State.DONE), states.count(State.DEFERRED)) == (5, 7)
    assert any(TOO_MANY[1] in one.reason for one in first.outcomes)
    assert first.unfinished
    # Of those that are accepted then, the answer to one is that of the caller's own repetition.
    aws.refused, aws.answered_wrongly = {}, {aws.calls + 2: EXISTS}
    second = sweep()
    assert [one.state for one in second.outcomes if one.state is not State.DONE] == []
    calls = aws.calls
    assert sweep().status is Status.OK
    assert aws.calls == calls
    assert sorted(one.source for one in standing(rds, AWAY)) == sorted(arns)
    assert len(standing(rds, HOME)) == 12


@pytest.mark.parametrize(("said", "expected"), [(TOO_MANY, State.DEFERRED), (NO_MORE, State.FAILED)])
def test_the_two_meanings_of_one_error_are_told_apart_by_its_message(
    rds: RdsWorld, said: tuple[str, str], expected: State
) -> None:
    fill(rds, 1)
    sweep, aws = copying(rds), Rds(rds)
    aws.refused = {1: said}
    [outcome] = sweep().outcomes
    assert outcome.state is expected
    assert said[1] in outcome.reason
    assert sweep().status is Status.OK
