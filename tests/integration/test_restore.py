"""One new resource for one request, whatever AWS answers, and never anything else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holdfast.core.errors import KeyUnusable, NotReady, QuotaReached, Throttled
from holdfast.core.model import BackupState
from holdfast.core.restore_message import message_of, status_of
from holdfast.core.restoring import PATIENCE, Fate, Phase, RestoreState, Way, Window
from holdfast.usecases.restore import publish_restore, run_restore
from tests.builders import AWAY_REGION, HOME, HOME_REGION, NIGHT, TABLE, a_backup, nights_ago
from tests.fakes import FakeNotifier
from tests.integration.restoring import (
    ASKED,
    FakeRestores,
    RestoreCloud,
    RestoreWorld,
    denied,
    unheard,
    way_of,
)
from tests.messages import check

DATABASE = "arn:aws:rds:us-east-1:123456789012:db:billing"
PITR = Window(earliest=ASKED - timedelta(days=7), latest=ASKED - timedelta(minutes=5))


THREE = [f"holdfast.nightly.202611{day}T020000Z" for day in (22, 21, 20)]
"""The backups that stand, the newest first."""

NO_PITR = "at: orders has no point-in-time recovery (it is off, or the resource is gone)"
THE_NEWEST = f"without 'at' the newest backup is taken, {THREE[0]} of 2026-11-22T02:00:00Z"


class TestTheUsualWays:
    def test_the_newest_good_backup_under_a_name_that_tells_its_time(self) -> None:
        world = RestoreWorld()
        restored = world.restore()
        assert restored.state is RestoreState.DONE
        assert (restored.to, way_of(restored)) == ("orders-20261122t020000z", Way.BACKUP)
        assert restored.pick is not None
        assert restored.pick.pieces[0].arn == a_backup(NIGHT, TABLE).arn
        assert {one.fate for one in restored.settings} == {Fate.RESTORED}
        assert status_of(restored) == "ok"

    def test_a_backup_by_its_name(self) -> None:
        wanted = a_backup(nights_ago(2), TABLE)
        restored = RestoreWorld().restore(RestoreWorld().asks(backup=wanted.id))
        assert restored.pick is not None
        assert [one.arn for one in restored.pick.pieces] == [wanted.arn]

    def test_a_backup_that_a_person_made(self) -> None:
        world = RestoreWorld()
        by_hand = replace(a_backup(nights_ago(9), TABLE, ours=False, serial=7), id="before-migration")
        world.cloud.backups.append(by_hand)
        restored = world.restore(world.asks(backup="before-migration", to="orders-then"))
        assert (restored.state, restored.to) == (RestoreState.DONE, "orders-then")

    @pytest.mark.parametrize("at", [PITR.earliest, ASKED - timedelta(hours=3), PITR.latest])
    def test_an_instant(self, at: Any) -> None:
        world = RestoreWorld(cloud=RestoreCloud(window=PITR))
        restored = world.restore(world.asks(at=at))
        assert (restored.state, way_of(restored)) == (RestoreState.DONE, Way.INSTANT)
        assert restored.pick is not None
        assert restored.pick.instant == at

    def test_the_latest_instant(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(window=PITR))
        restored = world.restore(world.asks(latest=True))
        assert way_of(restored) is Way.INSTANT
        assert restored.to == f"orders-{ASKED:%Y%m%dt%H%M%Sz}"

    def test_in_another_region_from_the_copy_there(self) -> None:
        world = RestoreWorld()
        restored = world.restore(world.asks(region=AWAY_REGION))
        assert (restored.state, way_of(restored)) == (RestoreState.DONE, Way.EXPORT)
        assert restored.arn == f"arn:aws:dynamodb:{AWAY_REGION}:123456789012:table/{restored.to}"

    def test_increments_are_put_on_top_before_it_is_called_whole(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(files=5))
        seen = [world.look(world.asks(region=AWAY_REGION)) for _ in range(5)]
        assert [one.filled.done for one in seen] == [0, 0, 2, 4, 5]
        assert [one.is_over for one in seen] == [False] * 4 + [True]

    def test_settings_that_the_request_gives(self) -> None:
        world = RestoreWorld()
        restored = world.restore(world.asks(settings={"BillingMode": "PROVISIONED"}))
        [changed] = [one for one in restored.settings if one.fate is Fate.CHANGED]
        assert (changed.name, changed.source, changed.restored) == (
            "BillingMode",
            "PAY_PER_REQUEST",
            "PROVISIONED",
        )
        assert status_of(restored) == "ok"

    def test_a_dry_run_makes_nothing_and_keeps_nothing(self) -> None:
        world = RestoreWorld()
        planned = world.look(world.asks(dry_run=True))
        assert planned.state is RestoreState.PLANNED
        assert planned.pick is not None
        assert planned.to == "orders-20261122t020000z"
        assert (world.cloud.made, world.restores.kept) == ({}, {})
        assert world.restore().state is RestoreState.DONE, "the same id may do it then"

    def test_how_long_it_took_is_from_the_request_on(self) -> None:
        world = RestoreWorld()
        restored = world.restore()
        assert restored.began == ASKED
        assert restored.seconds == (world.cloud.now - timedelta(minutes=1) - ASKED).total_seconds()


class TestRefused:
    """Each refusal names the way that would work."""

    @pytest.mark.parametrize(
        ("asked", "sentence"),
        [
            (
                {"backup": "no-such"},
                f"backup: 'no-such' is none of orders in us-east-1: there are {', '.join(THREE)}",
            ),
            (
                {"at": nights_ago(1) + timedelta(hours=5)},
                (
                    f"{NO_PITR}: of the backups the one before it is of 2026-11-21T02:00:00Z "
                    f"(backup={THREE[1]}), the one after it of 2026-11-22T02:00:00Z (backup={THREE[0]})"
                ),
            ),
            ({"latest": True}, f"{NO_PITR}: {THE_NEWEST}"),
            (
                {"latest": True, "region": AWAY_REGION},
                (
                    "at: point-in-time recovery restores in the resource's own Region alone, us-east-1; in "
                    f"us-west-2 there are backups of slots: {THE_NEWEST}"
                ),
            ),
            (
                {"region": "eu-west-1"},
                (
                    f"no backup of {TABLE} that can be restored stands in eu-west-1; look for one in the "
                    "other Regions that the plan copies to (region)"
                ),
            ),
            (
                {"to": "x"},
                "to: 'x' cannot be the name of it; give 3 to 255 letters, digits, '_', '.' and '-'",
            ),
            (
                {"settings": {"Colour": "red"}},
                "settings.Colour: not a setting of it; give BillingMode, Tags, TimeToLive, KmsKeyId",
            ),
        ],
    )
    def test_what_is_not_there(self, asked: dict[str, Any], sentence: str) -> None:
        world = RestoreWorld()
        refused = world.look(world.asks(**asked))
        assert (refused.state, refused.reason) == (RestoreState.REFUSED, sentence)
        assert (world.cloud.made, world.restores.kept) == ({}, {})

    def test_an_instant_that_is_not_kept(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(window=PITR))
        refused = world.look(world.asks(at=PITR.latest + timedelta(seconds=1)))
        assert "is not within what point-in-time recovery has, 2026-11-15T15:00:00Z to" in refused.reason
        assert "or 'latest'" in refused.reason

    def test_a_backup_that_cannot_be_restored(self) -> None:
        world = RestoreWorld()
        failed = a_backup(nights_ago(3), TABLE, BackupState.FAILED, failure="no disk")
        world.cloud.backups.append(failed)
        refused = world.look(world.asks(backup=failed.arn))
        assert "is failed (no disk), and cannot be restored: there are holdfast" in refused.reason

    def test_a_name_of_two_backups(self) -> None:
        world = RestoreWorld()
        world.cloud.backups.append(a_backup(NIGHT, TABLE, serial=1))
        refused = world.look(world.asks(backup="holdfast.nightly.20261122T020000Z"))
        assert refused.reason.startswith("backup: 2 backups have that name: give the ARN of one (arn:")

    def test_only_point_in_time_recovery_has_it(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(window=PITR, backups=[a_backup(NIGHT, DATABASE)]))
        refused = world.look()
        assert "point-in-time recovery has it: give at, 'latest' or an instant from" in refused.reason

    def test_a_name_that_is_taken(self) -> None:
        world = RestoreWorld()
        taken = world.cloud.somebody_makes("orders-restored")
        refused = world.look(world.asks(to="orders-restored"))
        assert refused.state is RestoreState.REFUSED
        assert taken.arn in refused.reason
        assert refused.reason.endswith("Give another name as 'to'")
        assert taken.settings == {"BillingMode": "PROVISIONED"}
        assert world.cloud.begun == 0

    def test_what_was_refused_can_be_asked_again_with_the_same_id(self) -> None:
        world = RestoreWorld()
        assert world.look(world.asks(to="x")).state is RestoreState.REFUSED
        assert world.restore().state is RestoreState.DONE

    @pytest.mark.parametrize("state", [RestoreState.PENDING, RestoreState.DONE])
    def test_the_id_of_another_restore(self, state: RestoreState) -> None:
        world = RestoreWorld()
        kept = world.restore() if state is RestoreState.DONE else world.look()
        refused = world.look(world.asks(to="another"))
        assert refused.reason == (
            f"id: worst-day is that of another restore, of {TABLE} to {kept.to}: give another id, or none"
        )
        assert world.cloud.begun == 1
        assert world.restores.load("worst-day") == kept


class TestTheFormerResourceOfTheName:
    def test_the_answer_names_its_newest_backup(self) -> None:
        """On the worst day the newest is of the empty table that somebody made in its place."""
        full = replace(a_backup(nights_ago(1), TABLE), resource_id="FULL")
        empty = replace(a_backup(NIGHT, TABLE), resource_id="EMPTY")
        world = RestoreWorld(cloud=RestoreCloud(backups=[full, empty]))
        planned = world.look(world.asks(dry_run=True))
        assert planned.pick is not None
        assert planned.pick.pieces[0].arn == empty.arn
        assert f"(id FULL), whose newest one is {full.id} of 2026-11-21T02:00:00Z" in planned.reason
        assert f"give backup={full.arn} for that" in planned.reason


class TestOnce:
    def test_asked_twice(self) -> None:
        world = RestoreWorld()
        first, second = world.restore(), world.restore()
        assert first == second
        assert world.cloud.begun == 1

    def test_asked_twice_at_the_same_moment(self) -> None:
        world = RestoreWorld()
        with ThreadPoolExecutor(max_workers=4) as pool:
            ends = list(pool.map(lambda _: world.restore(), range(4)))
        assert {one.state for one in ends} == {RestoreState.DONE}
        assert {one.arn for one in ends} == {ends[0].arn}
        assert (world.cloud.begun, len(world.cloud.made)) == (1, 1)

    def test_another_invocation_keeps_its_plan_first(self) -> None:
        """It was a second earlier, and the latest instant was another one."""
        world = RestoreWorld(cloud=RestoreCloud(window=PITR))
        rival = RestoreWorld(cloud=RestoreCloud(window=PITR, now=ASKED - timedelta(seconds=1)))
        request = world.asks(latest=True)
        planned = rival.look(request)
        world.restores.rival = lambda: planned
        assert world.restore(request).to == planned.to

    @pytest.mark.parametrize("tags_at_once", [True, False])
    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("region", [HOME_REGION, AWAY_REGION])
    def test_an_answer_that_is_lost_at_any_call_changes_nothing_but_time(
        self, region: str, after: bool, tags_at_once: bool
    ) -> None:
        def a_world() -> RestoreWorld:
            return RestoreWorld(cloud=RestoreCloud(files=3, tags_at_once=tags_at_once, settling=2))

        usual = a_world()
        expected = usual.restore(usual.asks(region=region))
        assert len(usual.cloud.calls) > 12
        for number in range(1, len(usual.cloud.calls) + 1):
            world = a_world()
            world.cloud.at_call = (number, unheard, after)
            restored = world.restore(world.asks(region=region))
            assert (restored.state, restored.to) == (RestoreState.DONE, expected.to), number
            if restored.known == expected.known:
                assert restored.settings == expected.settings, number
            else:  # of the source in its Region, which a restore elsewhere does not wait for
                assert (region, usual.cloud.calls[number - 1]) == (AWAY_REGION, "configuration")
                assert "ReadTimeoutError" in restored.lost[0].reason
            assert (world.cloud.begun, len(world.cloud.made)) == (1, 1), number

    @pytest.mark.parametrize("tags_at_once", [True, False])
    def test_a_name_that_somebody_takes_meanwhile(self, tags_at_once: bool) -> None:
        world = RestoreWorld(cloud=RestoreCloud(tags_at_once=tags_at_once))
        world.cloud.faults["begin"] = unheard
        world.look()
        world.cloud.faults.clear()
        theirs = world.cloud.somebody_makes("orders-20261122t020000z")
        ended = world.restore()
        assert ended.state is RestoreState.REFUSED
        assert theirs.arn in ended.reason
        assert theirs.settings == {"BillingMode": "PROVISIONED"}

    def test_a_restore_of_the_same_backup_under_the_same_name_that_somebody_began_before(self) -> None:
        """It has no tag yet, and is of the same backup: what tells it apart is when it was made."""
        world = RestoreWorld(cloud=RestoreCloud(tags_at_once=False))
        world.cloud.faults["begin"] = unheard
        began = world.look()
        world.cloud.faults.clear()
        theirs = world.cloud.somebody_makes(began.to)
        theirs.made_of, theirs.created = a_backup(NIGHT, TABLE).arn, ASKED - timedelta(hours=1)
        assert world.restore().state is RestoreState.REFUSED

    def test_a_thing_that_another_stack_s_restore_of_the_same_id_made(self) -> None:
        world = RestoreWorld()
        world.cloud.faults["begin"] = unheard
        began = world.look()
        world.cloud.faults.clear()
        theirs = world.cloud.somebody_makes(began.to)
        theirs.request, theirs.made_of = "worst-day", f"{TABLE}-of-others/backup/1"
        assert world.restore().state is RestoreState.REFUSED


class TestTrouble:
    @pytest.mark.parametrize("call", ["load", "backups", "configuration", "look", "begin", "settle", "save"])
    @pytest.mark.parametrize("error", [unheard, lambda: Throttled("s3", "x", "Get", "SlowDown"), "busy"])
    def test_what_passes_by_itself_is_waited_for(self, call: str, error: Any) -> None:
        world = RestoreWorld()
        busy = NotReady("rds", "x", "Restore", "InvalidDBInstanceState")
        world.cloud.faults[call] = (lambda: busy) if error == "busy" else error
        assert [world.look().state for _ in range(4)] == [RestoreState.PENDING] * 4
        world.cloud.faults.clear()
        assert world.restore().state is RestoreState.DONE
        assert world.cloud.begun == 1

    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            (denied, "not permitted: see the function's role"),
            (
                lambda: KeyUnusable("rds", "x", "Restore", "KMSKeyNotAccessibleFault"),
                "AWS cannot use the KMS",
            ),
            (lambda: QuotaReached("rds", "x", "Restore", "InstanceQuotaExceeded"), "the account's quota is"),
        ],
    )
    def test_what_does_not_pass_ends_it_with_what_to_do(self, error: Any, sentence: str) -> None:
        world = RestoreWorld()
        world.cloud.faults["begin"] = error
        failed = world.restore()
        assert failed.state is RestoreState.FAILED
        assert failed.reason.startswith(sentence)
        assert "ask again with another id (this one was worst-day)" in failed.reason

    def test_a_backup_that_is_gone_meanwhile(self) -> None:
        world = RestoreWorld()
        world.cloud.faults["begin"] = unheard
        world.look()
        world.cloud.faults.clear()
        world.cloud.backups.clear()
        failed = world.restore()
        assert failed.state is RestoreState.FAILED
        assert failed.reason.startswith("something that it needs is gone")

    def test_aws_gives_it_up(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(fails=True))
        failed = world.restore()
        assert failed.state is RestoreState.FAILED
        assert failed.reason.startswith(f"AWS gave it up: it is failed. Look at {failed.arn}")

    def test_it_never_ends(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(never=True))
        waiting = world.restore(most=5)
        assert waiting.state is RestoreState.PENDING
        world.cloud.now = ASKED + PATIENCE + timedelta(minutes=1)
        failed = world.look()
        assert failed.state is RestoreState.FAILED
        assert failed.reason.startswith(
            "not finished after 72 hours, and no longer waited for: AWS is making it"
        )

    def test_what_was_made_vanishes_and_is_made_again(self) -> None:
        world = RestoreWorld()
        for _ in range(2):
            world.look()
        world.cloud.made.clear()
        assert world.restore().state is RestoreState.DONE
        assert len(world.cloud.made) == 1

    def test_a_setting_that_is_refused_is_told_and_stops_no_other(self) -> None:
        why = "not permitted: dynamodb:UpdateTimeToLive"
        world = RestoreWorld(cloud=RestoreCloud(refused={"TimeToLive": why}))
        restored = world.restore()
        assert restored.state is RestoreState.DONE
        assert {one.name: one.fate for one in restored.settings} == {
            "BillingMode": Fate.RESTORED,
            "Tags": Fate.RESTORED,
            "TimeToLive": Fate.NOT_POSSIBLE,
        }
        assert [one.reason for one in restored.lost] == [why]
        assert status_of(restored) == "partial"

    def test_a_source_that_is_gone(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(settings=None))
        restored = world.restore(world.asks(settings={"BillingMode": "PROVISIONED"}))
        assert restored.state is RestoreState.DONE
        assert status_of(restored) == "partial"
        assert "its settings are not known" in message_of(restored, HOME, "").text

    def test_a_source_that_goes_while_it_is_restored(self) -> None:
        world = RestoreWorld()
        world.look()
        world.cloud.settings = None
        restored = world.restore()
        assert {one.fate for one in restored.settings} == {Fate.RESTORED}

    def test_the_source_s_region_is_gone(self) -> None:
        """The records are kept where the function stands, which is not that Region then."""
        world = RestoreWorld(cloud=RestoreCloud(unreachable=HOME_REGION))
        world.restores = FakeRestores(RestoreCloud())
        restored = world.restore(world.asks(region=AWAY_REGION))
        assert restored.state is RestoreState.DONE
        assert status_of(restored) == "partial"
        assert "the source's could not be read" in restored.lost[0].reason

    def test_a_source_that_is_only_busy_is_waited_for_elsewhere_too(self) -> None:
        world = RestoreWorld()
        world.cloud.faults["configuration"] = lambda: Throttled(
            "dynamodb", "x", "DescribeTable", "Throttling"
        )
        assert world.look(world.asks(region=AWAY_REGION)).state is RestoreState.PENDING
        world.cloud.faults.clear()
        assert status_of(world.restore(world.asks(region=AWAY_REGION))) == "ok"


# --- as a durable function ---------------------------------------------------------------------------------


class Killed(Exception):
    """The invocation ends here."""


class Remembered:
    """The port `Steps`: what has a result is not done again. Dies once, at the so-manieth step or wait,
    before its result is kept or (`late`) behind that."""

    def __init__(self, world: RestoreWorld, dies_at: int = 0, *, late: bool = False) -> None:
        self.world = world
        self.results: list[dict[str, object]] = []
        self.position = 0
        self.dies_at = dies_at
        self.late = late
        self.waited: list[int] = []
        self.when_it_dies: Callable[[], None] = lambda: None

    def step(self, name: str, work: Any) -> dict[str, object]:
        self.position += 1
        if self.position <= len(self.results):
            return self.results[self.position - 1]
        dies = self.position == self.dies_at
        if dies:
            self.dies_at = -1
        if dies and not self.late:
            work()
            raise Killed
        self.results.append(work())
        if dies:
            raise Killed
        return self.results[-1]

    def wait(self, seconds: int) -> None:
        def waited() -> dict[str, object]:
            self.waited.append(seconds)
            return {}

        self.step("wait", waited)

    def run(self, notifier: FakeNotifier, **asked: Any) -> dict[str, object]:
        world, request = self.world, self.world.asks(**asked)
        while True:
            self.position = 0
            try:
                return run_restore(
                    self,
                    request,
                    lambda: world.look(request),
                    lambda ended: publish_restore(notifier, ended, HOME, world.restores.address(request.id)),
                )
            except Killed:
                self.when_it_dies()


class TestTheFunction:
    def test_it_looks_until_it_stands_and_tells_once(self) -> None:
        notifier, steps = FakeNotifier(), Remembered(RestoreWorld(cloud=RestoreCloud(settling=9)))
        answer = steps.run(notifier)
        assert answer["state"] == "done"
        assert answer["settings"] == {"restored": 3}
        [message] = notifier.messages
        assert message.subject == answer["subject"]
        assert message.subject.startswith("Holdfast restore: OK, orders-20261122t020000z in ")
        check(message)
        assert steps.waited == sorted(steps.waited)
        assert (min(steps.waited), max(steps.waited)) == (15, 15)

    def test_pauses_grow_with_the_time_that_it_takes(self) -> None:
        steps = Remembered(RestoreWorld(cloud=RestoreCloud(settling=200)))
        steps.run(FakeNotifier())
        assert max(steps.waited) == 300

    def test_it_gives_up(self) -> None:
        notifier, world = FakeNotifier(), RestoreWorld(cloud=RestoreCloud(never=True))
        world.cloud.faults["load"] = unheard
        answer = Remembered(world).run(notifier)
        assert answer["state"] == "pending"
        [message] = notifier.messages
        assert message.subject.startswith("Holdfast restore: FAILED, orders")

    def test_a_dry_run_tells_nobody(self) -> None:
        notifier = FakeNotifier()
        answer = Remembered(RestoreWorld()).run(notifier, dry_run=True)
        assert answer["state"] == "planned"
        assert notifier.messages == []

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("asked", [{}, {"to": "x"}])
    def test_killed_at_any_checkpoint_it_ends_the_same(self, asked: dict[str, Any], late: bool) -> None:
        usual = Remembered(RestoreWorld(cloud=RestoreCloud(settling=3)))
        expected = usual.run(FakeNotifier(), **asked)
        for number in range(1, usual.position + 1):
            notifier, world = FakeNotifier(), RestoreWorld(cloud=RestoreCloud(settling=3))
            answer = Remembered(world, number, late=late).run(notifier, **asked)
            same = ("state", "to", "arn", "settings", "lost", "made_of")
            assert {key: answer[key] for key in same} == {key: expected[key] for key in same}, number
            assert world.cloud.begun == (0 if asked else 1)
            sent = len(notifier.messages)
            assert sent == (2 if number == usual.position and not late else 1), number

    def test_what_was_refused_is_told_and_not_begun_when_the_run_dies_in_between(self) -> None:
        world = RestoreWorld()
        world.cloud.somebody_makes("orders-restored")
        steps, notifier = Remembered(world, 1, late=True), FakeNotifier()
        steps.when_it_dies = world.cloud.made.clear
        answer = steps.run(notifier, to="orders-restored")
        assert answer["state"] == "refused"
        assert world.cloud.made == {}
        assert world.cloud.begun == 0
        assert "REFUSED" in notifier.messages[0].subject


class TestWhatPeopleRead:
    def test_the_first_line_says_it(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(refused={"TimeToLive": "not permitted"}))
        text = message_of(world.restore(), HOME, "s3://reports/restores/worst-day.json").text
        first = text.splitlines()[0]
        assert first.startswith("orders-20261122t020000z stands in us-east-1, made of orders in ")
        assert "Nothing uses it yet" in first
        assert text.index("What did not come back:") < text.index("As the source had it:")
        assert 'TimeToLive: null, and was "expires": not permitted' in text

    def test_a_thing_that_failed_says_what_to_look_at(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(fails=True))
        failed = world.restore()
        assert world.cloud.made[HOME_REGION, failed.to].phase is Phase.FAILED
        text = message_of(failed, HOME, "").text
        assert text.startswith("The restore of dynamodb orders failed: AWS gave it up")
