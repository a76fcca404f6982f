"""A stack in the second account, which keeps the copies that the first one's stack makes there."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from holdfast.core.errors import NotReady, RunFailed
from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    Breaker,
    Home,
    KeepPolicy,
    Origin,
    Plan,
    Selection,
    mark_of,
    place_of,
    slot_of,
)
from holdfast.core.naming import INSTANCE_SNAPSHOT_LIMIT, snapshot_name, tags_for
from holdfast.core.report import Action, Stage, State, Status
from holdfast.usecases.run import run_plan
from tests.builders import (
    AWAY_REGION,
    HOME_REGION,
    NIGHT,
    NO_BREAKER,
    TAGS,
    a_mark,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)
from tests.fakes import ACCOUNT, KINDS, FakeCloud, FakeProvider
from tests.integration.world import World, of_action

VAULT = "111122223333"
VAULT_PLACE = place_of(AWAY_REGION, VAULT)
ORIGIN = Origin(account=ACCOUNT, region=HOME_REGION)
WEEK = KeepPolicy(daily=7, minimum=1)
THREE = KeepPolicy(daily=3, minimum=2)
COPIED_KINDS = ("aurora", "ebs", "rds")


class FromWithin(FakeProvider):
    """The provider of a stack in the second account: the Regions there are its own."""

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> list[Backup]:
        listed = super().backups(place_of(place, VAULT), source, since)
        return [replace(one, account="") for one in listed]


def first_account(nights: int, keep: KeepPolicy = WEEK) -> World:
    """The first account after so many nights, each with its copies in the other Region and in the vault."""
    plan = a_plan(keep=WEEK, copies=(a_rule(keep=WEEK), a_rule(account=VAULT, keep=keep)))
    world = World(plan=plan, home=Home(stack="holdfast", region=HOME_REGION, account=ACCOUNT))
    for kind in COPIED_KINDS:
        world.cloud.add_resource(kind, f"{kind}-shop", TAGS)
    for night in reversed(range(nights)):
        a_night(world, nights_ago(night))
    return world


def a_night(world: World, slot: datetime) -> None:
    world.create(a_request(slot))
    while world.copy(a_request(slot)).unfinished:
        pass


def vault_plan(keep: KeepPolicy = THREE, breaker: Breaker = NO_BREAKER) -> Plan:
    return a_plan(keep=keep, breaker=breaker, select=Selection(types=frozenset(KINDS)), vault_of=ORIGIN)


def vault_of(
    cloud: FakeCloud, plan: Plan | None = None, region: str = AWAY_REGION, *, people_know: bool = True
) -> World:
    return World(
        cloud=cloud,
        plan=plan or vault_plan(),
        providers={kind: FromWithin(cloud, kind) for kind in KINDS},
        home=Home(stack="holdfast", region=region, account=VAULT),
        people_know=people_know,
    )


def left(cloud: FakeCloud, place: str = VAULT_PLACE, kind: str = "rds") -> list[int]:
    """How many nights ago those copies are from that stand, newest first."""
    return sorted((NIGHT - slot_of(one)).days for one in cloud.standing(kind, place) if one.mark)


def of_night(cloud: FakeCloud, night: int, kind: str = "rds") -> Backup:
    [one] = [one for one in cloud.standing(kind, VAULT_PLACE) if slot_of(one) == nights_ago(night)]
    return one


class TestAUsualNight:
    @pytest.mark.parametrize("kind", COPIED_KINDS)
    def test_what_no_rule_keeps_is_deleted_there_and_nowhere_else(self, kind: str) -> None:
        first = first_account(5)
        before = [left(first.cloud, place, kind) for place in (HOME_REGION, AWAY_REGION)]
        report = vault_of(first.cloud).prune()
        assert report.status is Status.OK
        assert left(first.cloud, VAULT_PLACE, kind) == [0, 1, 2]
        assert [left(first.cloud, place, kind) for place in (HOME_REGION, AWAY_REGION)] == before
        told = [one for one in of_action(report, Action.DELETE) if one.kind == kind]
        assert [(one.state, one.region) for one in told] == [(State.DONE, AWAY_REGION)] * 2

    def test_nothing_is_created_or_copied_or_even_looked_at_for_it(self) -> None:
        first = first_account(2)
        calls = len(first.cloud.calls)
        vault = vault_of(first.cloud)
        for report in (vault.create(), vault.copy()):
            assert (report.status, report.outcomes, report.refusals) == (Status.OK, (), ())
            assert report.vault_of == ORIGIN
        assert vault.hint() is None
        assert len(first.cloud.calls) == calls

    def test_what_is_pruned_there_does_not_come_back(self) -> None:
        """When both accounts' plans keep the same of it."""
        first = first_account(5, keep=THREE)
        for night in (4, 3):
            assert left(first.cloud).count(night) == 1
        vault_of(first.cloud).prune()
        a_night(first, NIGHT + timedelta(days=1))
        assert left(first.cloud) == [-1, 0, 1, 2]

    def test_the_first_account_counts_what_stands_there(self) -> None:
        first = first_account(5)
        vault_of(first.cloud).prune()
        report = first.prune(a_request(dry_run=True))
        assert sum(one.region == VAULT_PLACE for one in report.outcomes) == 3 * len(COPIED_KINDS)

    def test_a_vault_in_the_region_of_the_backups(self) -> None:
        """There only the account tells the copies from what they were made of."""
        plan = a_plan(keep=WEEK, copies=(a_rule(region=HOME_REGION, account=VAULT, keep=WEEK),))
        first = World(plan=plan, home=Home(stack="holdfast", region=HOME_REGION, account=ACCOUNT))
        first.cloud.add_resource("rds", "shop", TAGS)
        for night in reversed(range(5)):
            a_night(first, nights_ago(night))
        vault = vault_of(first.cloud, region=HOME_REGION)
        assert vault.prune().status is Status.OK
        assert left(first.cloud, place_of(HOME_REGION, VAULT)) == [0, 1, 2]
        assert left(first.cloud, HOME_REGION) == [0, 1, 2, 3, 4]
        first.prune()
        assert left(first.cloud, place_of(HOME_REGION, VAULT)) == [0, 1, 2]


class TestGuards:
    def test_the_floor_and_the_newest_stay(self) -> None:
        first = first_account(5)
        vault = vault_of(first.cloud, vault_plan(KeepPolicy(weekly=1, minimum=3)))
        vault.prune()
        assert left(first.cloud) == [0, 1, 2]

    def test_what_somebody_holds_stays(self) -> None:
        first = first_account(5)
        first.cloud.tag_backup(of_night(first.cloud, 4).arn, {HOLD_TAG: "audit"})
        vault_of(first.cloud).prune()
        assert left(first.cloud) == [0, 1, 2, 4]

    def test_a_listing_that_fails_deletes_nothing_and_does_not_say_that_nothing_is_there(self) -> None:
        first = first_account(5)
        for _ in COPIED_KINDS:
            first.cloud.fail("backups", VAULT_PLACE, NotReady, times=9)
        report = vault_of(first.cloud).prune()
        assert report.status is Status.REFUSED
        assert len(report.refusals) == len(COPIED_KINDS)
        assert not of_action(report, Action.DELETE)

    def test_more_than_the_breaker_allows_is_asked_about_first_and_done_when_approved(self) -> None:
        first = first_account(5)
        vault = vault_of(first.cloud, vault_plan(breaker=Breaker(max_deletes_per_run=2, max_delete_share=1)))
        report = vault.prune()
        assert report.status is Status.REFUSED
        assert left(first.cloud) == [0, 1, 2, 3, 4]
        [digest] = report.offers
        assert vault.prune(a_request(approve=digest)).status is Status.OK
        assert left(first.cloud) == [0, 1, 2]

    def test_a_new_retention_is_told_before_it_deletes(self) -> None:
        first = first_account(5)
        vault = vault_of(first.cloud, people_know=False)
        report = vault.prune()
        assert left(first.cloud) == [0, 1, 2, 3, 4]
        assert any("The plan nightly keeps" in one and AWAY_REGION in one for one in report.notices)
        vault.publish()
        a_night(first, NIGHT + timedelta(days=1))
        vault.prune(a_request(NIGHT + timedelta(days=1)))
        assert left(first.cloud) == [-1, 0, 1]

    def test_another_s_are_left_alone(self) -> None:
        first = first_account(5)
        third = put(first.cloud, "arn:aws:rds:us-east-1:444455556666:db:shop")
        other_stack = put(first.cloud, "arn:aws:rds:us-east-1:123456789012:db:shop", stack="other")
        other_region = put(first.cloud, "arn:aws:rds:eu-west-1:123456789012:db:shop")
        own = put(first.cloud, f"arn:aws:rds:us-west-2:{VAULT}:db:shop")
        vault = vault_of(first.cloud)
        vault.prune()
        standing = {one.arn for one in first.cloud.standing()}
        assert standing >= {one.arn for one in (third, other_stack, other_region, own)}
        told = {one.backup_arn: one.reason for one in vault.prune(a_request(dry_run=True)).outcomes}
        assert told[third.arn].endswith("not ours: the stack holdfast of account 444455556666 made it")
        assert told[other_region.arn].endswith("not ours: the stack holdfast in eu-west-1 made it")

    def test_a_plan_that_makes_backups_in_that_account_does_not_take_them_for_its_own(self) -> None:
        """Its stack may have the first one's name and Region, and copy to the Region of the vault."""
        first = first_account(5)
        other = vault_of(first.cloud, a_plan(keep=THREE, copies=(a_rule(keep=THREE),)), region=HOME_REGION)
        report = other.prune(a_request(dry_run=True))
        reasons = {one.reason for one in report.outcomes if one.region == AWAY_REGION}
        assert reasons == {
            "dry run: would keep: not ours: the stack holdfast of account 123456789012 made it"
        }
        other.prune()
        assert left(first.cloud) == [0, 1, 2, 3, 4]


def put(cloud: FakeCloud, source: str, *, stack: str = "holdfast") -> Backup:
    """A copy, or a backup, of long ago in the vault's Region there, of somebody's."""
    mark = a_mark(nights_ago(30), source, stack=stack)
    if f":{VAULT}:" not in source:
        mark = replace(mark, copy_of=source.replace(":db:", ":snapshot:"))
    name = snapshot_name(mark, INSTANCE_SNAPSHOT_LIMIT)
    return cloud.add_backup(source, name, tags_for(mark, {}), region=VAULT_PLACE, copied_from=mark.copy_of)


class TestOverdue:
    """The vault is where it shows that no copies come, even if the first account is lost."""

    def test_what_gets_no_new_copies_is_told_each_night_and_not_pruned(self) -> None:
        first = first_account(5)
        lost = NIGHT + timedelta(days=3)
        vault = vault_of(first.cloud)
        report = vault.prune(a_request(lost))
        told = {one.kind: one for one in of_action(report, Action.COPY)}
        assert set(told) == set(COPIED_KINDS)
        assert (told["rds"].state, told["rds"].region) == (State.FAILED, AWAY_REGION)
        assert told["rds"].resource.endswith(":db:rds-shop")
        assert told["rds"].reason.startswith(
            "the newest copy is of 2026-11-22T02:00:00Z, 72 hours ago; the plan's rpo_hours is 26. "
        )
        assert left(first.cloud) == [0, 1, 2, 3, 4]
        vault.create(a_request(lost))
        vault.copy(a_request(lost))
        published = vault.publish(a_request(lost))
        assert published.report.status is Status.PARTIAL
        assert "3 failed" in published.message.subject
        assert "copy rds rds-shop in us-west-2: the newest copy is of" in published.message.text
        assert of_action(vault.prune(a_request(lost + timedelta(days=1))), Action.COPY)

    @pytest.mark.parametrize(("hours", "failed"), [(26, 0), (27, 3)])
    def test_as_old_as_the_plan_allows_is_not_overdue(self, hours: int, failed: int) -> None:
        vault = vault_of(first_account(2).cloud)
        report = vault.prune(a_request(NIGHT + timedelta(hours=hours)))
        assert len(of_action(report, Action.COPY)) == failed

    def test_one_alone_is_told_alone_and_the_others_are_pruned(self) -> None:
        first = first_account(5)
        for night in (0, 1):
            first.cloud.delete_backup("rds", of_night(first.cloud, night).arn)
        report = vault_of(first.cloud).prune()
        assert [one.kind for one in of_action(report, Action.COPY)] == ["rds"]
        assert left(first.cloud) == [2, 3, 4]
        assert left(first.cloud, kind="ebs") == [0, 1, 2]

    @pytest.mark.parametrize("state", [BackupState.CREATING, BackupState.FAILED])
    def test_a_copy_that_cannot_be_restored_is_no_news(self, state: BackupState) -> None:
        first = first_account(3)
        for night in (0, 1):
            first.cloud.set_backup_state(of_night(first.cloud, night).arn, state)
        [told] = of_action(vault_of(first.cloud).prune(), Action.COPY)
        assert told.reason.startswith("the newest copy is of 2026-11-20T02:00:00Z, 48 hours ago")

    def test_a_resource_that_never_got_a_good_copy_is_told_when_its_time_is_over(self) -> None:
        first = first_account(1)
        first.cloud.set_backup_state(of_night(first.cloud, 0).arn, BackupState.FAILED)
        vault = vault_of(first.cloud)
        assert not of_action(vault.prune(), Action.COPY)
        [told] = [
            one
            for one in of_action(vault.prune(a_request(NIGHT + timedelta(days=2))), Action.COPY)
            if one.kind == "rds"
        ]
        assert told.reason.startswith(
            "no copy can be restored, and the newest one is of 2026-11-22T02:00:00Z, 48 hours ago"
        )

    def test_who_holds_the_newest_says_that_no_more_will_come(self) -> None:
        first = first_account(5)
        for night in (0, 1):
            first.cloud.delete_backup("rds", of_night(first.cloud, night).arn)
        first.cloud.tag_backup(of_night(first.cloud, 2).arn, {HOLD_TAG: "sold"})
        vault = vault_of(first.cloud)
        report = vault.prune()
        assert report.status is Status.OK
        [line] = [one.reason for one in of_action(report, Action.KEEP)]
        assert line == "rds rds-shop: the newest copy is of 2026-11-20T02:00:00Z, 48 hours ago, and held"
        assert line in vault.publish().message.text

    def test_of_a_former_resource_of_the_name_no_copies_are_expected(self) -> None:
        first = first_account(3)
        for night, resource_id in ((0, "db-NEW"), (1, "db-NEW"), (2, "db-OLD")):
            arn = of_night(first.cloud, night).arn
            first.cloud.tag_backup(arn, {"holdfast:resource-id": resource_id})
        assert mark_of(of_night(first.cloud, 2)).resource_id == "db-OLD"
        assert not of_action(vault_of(first.cloud).prune(), Action.COPY)

    def test_a_vault_without_any_copy_is_refused(self) -> None:
        report = vault_of(FakeCloud()).prune()
        assert report.status is Status.REFUSED
        assert list(report.refusals) == [
            (
                "There is no copy here that holdfast in us-east-1 (account 123456789012) made for its plan "
                "nightly: either it has made none yet, or they are gone."
            )
        ]

    def test_a_plan_that_makes_backups_is_told_nothing_of_this(self) -> None:
        first = first_account(2)
        report = first.prune(a_request(NIGHT + timedelta(days=9)))
        assert not of_action(report, Action.COPY)


class Straight:
    """A run that nothing interrupts."""

    def __init__(self, world: World) -> None:
        self._world = world

    def step(self, _name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        return work()

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        return self._world.invoke(stage, payload)

    def wait(self, seconds: int) -> None:
        raise AssertionError(f"there is nothing to wait {seconds} s for")


class TestRun:
    def test_a_run_prunes_and_tells(self) -> None:
        first = first_account(5)
        vault = vault_of(first.cloud)
        assert run_plan(Straight(vault), vault.plans, a_request())["status"] == "ok"
        assert left(first.cloud) == [0, 1, 2]
        assert len(vault.notifier.messages) == 1

    def test_a_run_that_finds_something_overdue_ends_as_failed(self) -> None:
        first = first_account(5)
        for night in (0, 1):
            first.cloud.delete_backup("rds", of_night(first.cloud, night).arn)
        vault = vault_of(first.cloud)
        with pytest.raises(
            RunFailed, match="PARTIAL, 1 in breach, copies from us-east-1 of 123456789012, 4 pruned, 1 fail"
        ):
            run_plan(Straight(vault), vault.plans, a_request())


class TestTheMessage:
    def run(self, vault: World) -> None:
        vault.create()
        vault.copy()
        vault.prune()

    def test_it_says_what_the_plan_does_and_claims_no_backups(self) -> None:
        vault = vault_of(first_account(5).cloud)
        self.run(vault)
        published = vault.publish()
        message = published.message
        assert message.subject == "Holdfast nightly: OK, copies from us-east-1 of 123456789012, 6 pruned"
        assert (
            "Plan nightly makes no backups here. It keeps the copies that holdfast in us-east-1 (account "
            "123456789012) made here. None is overdue.\n"
        ) in message.text
        assert "Done:\n      6 pruned in us-west-2\n" in message.text
        assert "backed up" not in message.text
        assert "has its backup" not in message.text
        assert "Stack holdfast in us-west-2, account 111122223333" in message.text

    def test_machines_can_tell_it_too(self) -> None:
        vault = vault_of(first_account(5).cloud)
        self.run(vault)
        data = json.loads(vault.publish().message.data)
        assert data["vault_of"] == {"account": "123456789012", "region": "us-east-1"}
        record = vault.records.load("nightly", NIGHT, Stage.REPORT)
        assert record is not None
        assert record.vault_of == ORIGIN

    def test_of_another_run_nothing_is_said_of_it(self) -> None:
        first = first_account(1)
        first.prune()
        message = first.publish().message
        assert "vault_of" not in json.loads(message.data)
        assert "Everything the plan protects has its backup." in message.text

    def test_a_run_that_could_not_prune_says_so(self) -> None:
        vault = vault_of(first_account(1).cloud)
        vault.create()
        published = vault.publish(None, "prune_backups could not do its work: it was killed")
        assert published.report.status is Status.FAILED
        assert "made here. This could not be done. Please look today." in published.message.text
        assert "There is no new backup" not in published.message.text
