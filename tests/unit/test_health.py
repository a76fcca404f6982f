"""Whether a resource can be restored from a place as its plan wants it, and what to do if not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from holdfast.core.health import Scene, judged, let_go_by_hold, protections_before
from holdfast.core.model import Backup, BackupState, Origin
from holdfast.core.posture import Health, LastRun, Posture, Protection
from holdfast.core.report import Action, Outcome, State, Status
from holdfast.prices import load_prices
from tests.builders import DATABASE, HOME, HOME_REGION, NIGHT, a_backup, a_plan, nights_ago

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
RPO = timedelta(hours=26)
PRICES = load_prices()
LINE = Protection(
    plan="nightly",
    kind="rds",
    resource=DATABASE,
    place=HOME_REGION,
    health=Health.OK,
    reason="",
    rpo_hours=26,
    newest=NIGHT,
)
NONE = replace(LINE, newest=None)
RAN = LastRun(slot=NIGHT, status=Status.OK, ended=True)


def a_scene(
    at: datetime = NIGHT + HOUR,
    *,
    before: Protection | None = None,
    last_run: LastRun | None = RAN,
    memory_lost: bool = False,
) -> Scene:
    return Scene(
        plan=a_plan(),
        at=at,
        home=HOME,
        prices=PRICES,
        last_run=last_run,
        before={before.key: before} if before else {},
        memory_lost=memory_lost,
    )


def judge(
    line: Protection, scene: Scene, *backups: Backup, trouble: str = "", unready: str = ""
) -> Protection:
    return judged(line, scene, trouble, backups, unready)


class TestHealth:
    @pytest.mark.parametrize(
        ("age", "health"),
        [(timedelta(0), Health.OK), (RPO, Health.OK), (RPO + SECOND, Health.OVERDUE)],
    )
    def test_the_newest_may_be_as_old_as_the_plan_says(self, age: timedelta, health: Health) -> None:
        assert judge(LINE, a_scene(NIGHT + age)).health is health

    def test_what_could_not_be_listed_is_unknown_whatever_stood_there(self) -> None:
        for before in (None, LINE, NONE):
            told = judge(NONE, a_scene(before=before), trouble="AccessDenied")
            assert (told.health, told.reason) == (Health.UNKNOWN, "it could not be listed: AccessDenied")
            assert told.newest == (before.newest if before else None)

    @pytest.mark.parametrize(
        ("before", "health"),
        [
            (None, Health.WAITING),
            (LINE, Health.MISSING),
            (replace(LINE, health=Health.OVERDUE), Health.MISSING),
            (replace(LINE, health=Health.UNKNOWN), Health.MISSING),
            (replace(NONE, health=Health.UNKNOWN), Health.WAITING),
            (replace(NONE, health=Health.MISSING, since=NIGHT), Health.MISSING),
            (replace(NONE, health=Health.WAITING, since=NIGHT), Health.WAITING),
            (replace(NONE, health=Health.WAITING, since=NIGHT + HOUR - RPO), Health.MISSING),
            (replace(NONE, health=Health.WAITING, since=NIGHT + HOUR - RPO + SECOND), Health.WAITING),
        ],
    )
    def test_nothing_is_expected_only_of_what_had_none(
        self, before: Protection | None, health: Health
    ) -> None:
        assert judge(NONE, a_scene(before=before)).health is health

    def test_what_may_have_had_one_misses_it(self) -> None:
        assert judge(NONE, a_scene(memory_lost=True)).health is Health.MISSING

    def test_since_when_is_remembered(self) -> None:
        before = replace(NONE, health=Health.WAITING, since=nights_ago(1))
        assert judge(NONE, a_scene(before=before)).since == nights_ago(1)
        assert judge(NONE, a_scene()).since == NIGHT + HOUR
        assert judge(LINE, a_scene(before=before)).since is None


class TestWhy:
    def why(self, scene: Scene, *backups: Backup, line: Protection = LINE, unready: str = "") -> str:
        return judge(line, scene, *backups, unready=unready).reason

    def test_that_of_the_resource_itself_comes_first(self) -> None:
        told = self.why(a_scene(NIGHT + 2 * RPO), unready="it is stopped: start it")
        assert told.endswith(". It is stopped: start it.")

    def test_then_what_the_last_run_said_of_it_in_that_place(self) -> None:
        said = Outcome(
            action=Action.CREATE,
            state=State.FAILED,
            kind="rds",
            resource=DATABASE,
            region=HOME_REGION,
            reason="AccessDenied",
        )
        elsewhere = replace(said, region="us-west-2", reason="another")
        run = replace(RAN, failures=[elsewhere, said])
        assert self.why(a_scene(NIGHT + 2 * RPO, last_run=run)).endswith("The last run said: AccessDenied.")

    def test_then_what_is_stuck(self) -> None:
        told = self.why(a_scene(NIGHT + 2 * RPO), line=replace(LINE, pending=2, stuck=2))
        assert told.endswith("2 in the making for longer than the plan's window: look at them in AWS.")

    def test_then_the_newest_attempt_that_failed(self) -> None:
        failed = [
            a_backup(nights_ago(night), state=BackupState.FAILED, failure=f"of night {night}")
            for night in (2, 1, 3)
        ]
        assert "The newest attempt failed (of night 1)" in self.why(a_scene(NIGHT + 2 * RPO), *failed)

    @pytest.mark.parametrize(("run", "when"), [(None, "none that is known"), (RAN, "none since 2026-11-22")])
    def test_then_that_no_run_came(self, run: LastRun | None, when: str) -> None:
        told = self.why(a_scene(NIGHT + 2 * RPO, last_run=run))
        assert f"No run has come lately ({when}" in told
        assert "look at the schedule" in told

    def test_then_that_one_is_on_its_way(self) -> None:
        run = replace(RAN, slot=NIGHT + RPO)
        assert self.why(a_scene(NIGHT + 2 * RPO, last_run=run), line=replace(LINE, pending=1)).endswith(
            "One is in the making."
        )

    def test_what_is_well_tells_what_is_not_so_well(self) -> None:
        told = judge(replace(LINE, missing=2, pending=1, stuck=1), a_scene(NIGHT + 5 * HOUR)).reason
        assert told == (
            "the newest backup is 5 hours old; 2 missing of what the plan keeps; 1 stuck: look at it in AWS"
        )

    @pytest.mark.parametrize(
        ("age", "told"),
        [
            (HOUR - SECOND, "less than an hour"),
            (HOUR, "1 hour"),
            (2 * HOUR - SECOND, "1 hour"),
            (2 * HOUR, "2 hours"),
        ],
    )
    def test_ages_are_in_whole_hours(self, age: timedelta, told: str) -> None:
        assert judge(LINE, a_scene(NIGHT + age)).reason == f"the newest backup is {told} old"


class TestSettled:
    @pytest.mark.parametrize(
        ("run", "at", "settled"),
        [
            (None, NIGHT + 12 * HOUR, False),
            (None, NIGHT + 12 * HOUR + SECOND, True),
            (RAN, NIGHT, True),
            (replace(RAN, ended=False), NIGHT + HOUR, False),
            (replace(RAN, slot=nights_ago(1)), NIGHT + HOUR, False),
            (replace(RAN, slot=NIGHT + 3 * HOUR), NIGHT + 4 * HOUR, True),
        ],
    )
    def test_a_slot_is_when_its_run_has_ended_or_should_have(
        self, run: LastRun | None, at: datetime, settled: bool
    ) -> None:
        assert a_scene(at, last_run=run).is_settled(NIGHT) is settled


class TestMemory:
    def test_what_is_left_of_a_former_resource_of_the_name_says_nothing_of_todays(self) -> None:
        former, today = replace(LINE, health=Health.RETIRED), replace(NONE, health=Health.WAITING)
        for lines in ([former, today], [today, former]):
            posture = Posture(at=NIGHT, home=HOME, protections=lines)
            assert protections_before(posture) == {LINE.key: today}

    def test_without_a_posture_there_is_none(self) -> None:
        assert protections_before(None) == {}


class TestHolds:
    def test_only_the_newest_good_copy_of_what_is_overdue_lets_go(self) -> None:
        held = {"holdfast:hold": "gone for good"}
        overdue = replace(LINE, health=Health.OVERDUE)
        at = NIGHT + 2 * RPO
        newest, older = a_backup(NIGHT, tags=held), a_backup(nights_ago(1))
        assert let_go_by_hold(overdue, [newest, older], at).health is Health.RETIRED
        assert let_go_by_hold(LINE, [newest, older], at).health is Health.OK
        wrong = [a_backup(NIGHT), a_backup(nights_ago(1), tags=held)]
        assert let_go_by_hold(overdue, wrong, at).health is Health.OVERDUE
        broken = [replace(newest, state=BackupState.FAILED), older]
        assert let_go_by_hold(overdue, broken, at).health is Health.OVERDUE

    def test_a_vaults_reason_is_the_account_that_makes_the_copies(self) -> None:
        plan = a_plan(vault_of=Origin(account="111122223333", region=HOME_REGION))
        scene = replace(a_scene(NIGHT + 2 * RPO), plan=plan)
        assert "Look at the account that makes the copies" in judge(LINE, scene).reason
