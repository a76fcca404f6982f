"""The settings that a run records, and the restores that need them."""

import time
from dataclasses import replace

import pytest

from holdfast.core.errors import AccessDenied, NotReady, ProviderError, RunFailed, Throttled
from holdfast.core.model import Origin
from holdfast.core.report import Stage
from holdfast.core.restore_message import message_of, status_of
from holdfast.core.restoring import Fate, RestoreState
from holdfast.ports import ResourceQuery
from tests.builders import AWAY_REGION, HOME, HOME_REGION, NIGHT, TABLE, TAGS, a_plan, a_request, nights_ago
from tests.fakes import FakeCloud
from tests.integration.restoring import ITS_SETTINGS, RestoreCloud, RestoreWorld
from tests.integration.test_run_plan import Execution, a_world, crashing
from tests.integration.world import World, time_for
from tests.unit.test_recorded import an_inventory, one


def a_company(resources: int = 3) -> World:
    world = World(cloud=FakeCloud(), plan=a_plan())
    for number in range(resources):
        world.cloud.add_resource("dynamodb", f"table-{number:05}", TAGS | {"team": "shop"})
    world.cloud.add_resource("dynamodb", "of-nobody", {})
    return world


def reads(world: World) -> list[str]:
    return [call.subject for call in world.cloud.calls if call.operation == "configuration"]


def told(summary: dict[str, object]) -> list[str]:
    problems = summary["problems"]
    assert isinstance(problems, list)
    return problems


def broken(*, code: str = "BrokenDocument") -> ProviderError:
    return ProviderError("s3", "s3://reports/settings/nightly", "GetObject", code)


class TestRecording:
    def test_all_that_the_plan_protects_and_nothing_else(self) -> None:
        world = a_company()
        summary = world.record()
        assert (summary["recorded"], summary["of"], summary["unfinished"]) == (3, 3, False)
        assert summary["problems"] == []
        inventory = world.settings.load("nightly", NIGHT)
        assert inventory is not None
        assert inventory.is_whole
        assert (inventory.rpo_hours, inventory.rto_minutes) == (world.plan.rpo_hours, world.plan.rto_minutes)
        assert [each.arn.rpartition("/")[2] for each in inventory.recorded] == [
            f"table-{number:05}" for number in range(3)
        ]
        assert inventory.recorded[0].tags["team"] == "shop"
        assert inventory.recorded[0].configuration.settings["Name"] == "table-00000"

    def test_what_an_earlier_sweep_recorded_is_not_read_again(self) -> None:
        world = a_company(20)
        first = world.record(deadline=time_for(5))
        assert (first["recorded"], first["of"], first["unfinished"]) == (5, 20, True)
        [problem] = told(first)
        assert "and 14 more: not recorded yet" in problem
        kept = world.settings.load("nightly", NIGHT)
        assert kept is not None
        assert not kept.is_whole
        second = world.record()
        assert (second["recorded"], second["unfinished"], second["problems"]) == (20, False, [])
        assert len(reads(world)) == len(set(reads(world))) == 20

    def test_the_next_night_reads_all_again(self) -> None:
        world = a_company()
        world.record()
        world.record(a_request(nights_ago(-1)))
        assert len(reads(world)) == 6

    @pytest.mark.parametrize("error", [Throttled, NotReady])
    def test_what_may_pass_is_left_to_the_next_sweep(self, error: type[ProviderError]) -> None:
        world = a_company()
        arn = next(each.arn for each in world.cloud.list_resources("dynamodb", _everything()))
        world.cloud.fail("configuration", arn, error)
        assert world.record()["unfinished"] is True
        again = world.record()
        assert (again["recorded"], again["unfinished"], again["problems"]) == (3, False, [])

    def test_what_is_denied_is_told_with_what_it_means(self) -> None:
        world = a_company()
        arn = next(each.arn for each in world.cloud.list_resources("dynamodb", _everything()))
        world.cloud.fail("configuration", arn, AccessDenied, times=9)
        summary = world.record()
        [problem] = told(summary)
        assert problem.startswith(
            f"{arn}: its settings are not recorded: a restore after it is gone will not know them"
        )
        assert "AccessDenied" in problem
        assert (summary["recorded"], summary["of"], summary["unfinished"]) == (2, 3, False)

    def test_a_setting_that_cannot_be_read_is_told_once(self) -> None:
        world = a_company()
        world.readers["dynamodb"].unread = {"ResourcePolicy": "GetResourcePolicy: AccessDenied"}
        summary = world.record()
        [problem] = told(summary)
        assert "ResourcePolicy of " in problem
        assert " and 2 more is not recorded" in problem
        assert summary["unread"] == {"ResourcePolicy": "GetResourcePolicy: AccessDenied"}
        assert summary["recorded"] == 3

    def test_one_that_goes_meanwhile_is_no_problem(self) -> None:
        world = a_company()
        listed = world.providers["dynamodb"].resources

        def then_gone(query: object) -> object:
            found = listed(query)  # type: ignore[arg-type]
            world.cloud.remove_resource(found[0].arn)
            return found

        world.providers["dynamodb"].resources = then_gone  # type: ignore[method-assign,assignment]
        summary = world.record()
        assert (summary["recorded"], summary["of"], summary["problems"]) == (2, 2, [])

    def test_a_kind_that_cannot_be_listed_is_told_and_the_others_are_recorded(self) -> None:
        world = a_company()
        world.cloud.fail("resources", "rds", AccessDenied)
        summary = world.record()
        assert summary["recorded"] == 3
        assert told(summary)[0].startswith("all rds resources: ")
        inventory = world.settings.load("nightly", NIGHT)
        assert inventory is not None
        assert not inventory.is_whole

    def test_where_nothing_could_be_listed_nothing_is_written(self) -> None:
        world = a_company()
        for kind in world.plan.select.types:
            world.cloud.fail("resources", kind, AccessDenied)
        world.record()
        assert world.settings.saved == 0

    def test_what_cannot_be_written_is_told(self) -> None:
        world = a_company()
        world.settings.unwritable = AccessDenied("s3", "s3://reports/settings", "PutObject", "AccessDenied")
        summary = world.record()
        assert "AccessDenied" in str(summary["problems"])
        assert (summary["unfinished"], summary["address"]) == (False, "")

    def test_what_may_be_written_later_is_unfinished(self) -> None:
        world = a_company()
        world.settings.unwritable = Throttled("s3", "s3://reports/settings", "PutObject", "SlowDown")
        assert world.record()["unfinished"] is True

    def test_what_an_earlier_sweep_recorded_is_not_written_over_while_it_cannot_be_read(self) -> None:
        world = a_company()
        world.settings.failing = Throttled("s3", "s3://reports/settings", "GetObject", "SlowDown")
        assert world.record()["unfinished"] is True
        assert (world.settings.saved, reads(world)) == (0, [])

    def test_what_nobody_can_read_is_written_anew(self) -> None:
        world = a_company()
        world.settings.failing = broken()
        assert world.record()["recorded"] == 3
        assert world.settings.saved == 1

    @pytest.mark.parametrize("how", ["a dry run", "a vault"])
    def test_nothing_is_recorded_by(self, how: str) -> None:
        world = a_company()
        if how == "a vault":
            world.plan = replace(world.plan, vault_of=Origin(account="111122223333", region=HOME_REGION))
        summary = world.record(a_request(dry_run=how == "a dry run"))
        assert (summary["recorded"], world.settings.saved, world.cloud.calls) == (0, 0, [])

    def test_ten_times_as_many_take_about_ten_times_as_long(self) -> None:
        def seconds(resources: int) -> float:
            world = a_company(resources)
            began = time.process_time()
            assert world.record()["recorded"] == resources
            assert len(reads(world)) == resources
            return time.process_time() - began

        few = min(seconds(200) for _ in range(3))
        assert seconds(2000) < 40 * few


def _everything() -> ResourceQuery:
    return ResourceQuery(tags=TAGS)


class TestTheRun:
    def test_a_problem_makes_it_partial_and_is_in_the_message(self) -> None:
        world = a_world(nights=3)
        world.readers["rds"].unread = {"Roles": "DescribeDBInstances: AccessDenied"}
        with pytest.raises(RunFailed, match="PARTIAL"):
            Execution(world.invoke).run(world)
        assert "Roles of arn:aws:rds:" in world.notifier.messages[0].text

    def test_it_goes_on_while_it_is_unfinished(self) -> None:
        world = a_world(nights=3)
        arn = next(iter(world.cloud.standing("rds"))).source
        world.cloud.fail("configuration", arn, Throttled, times=2)
        execution = Execution(world.invoke)
        assert execution.run(world)["status"] == "ok"
        assert execution.invoked.count(Stage.SETTINGS) == 3

    def test_where_it_crashes_the_run_is_partial_and_the_message_goes_out(self) -> None:
        world = a_world(nights=3)
        with pytest.raises(RunFailed, match="PARTIAL"):
            Execution(crashing(world, {Stage.SETTINGS: 99})).run(world)
        assert "record_settings could not do its work: Task timed out" in world.notifier.messages[0].text


class TestARestoreOfWhatIsGone:
    def gone(self, **cloud: object) -> RestoreWorld:
        world = RestoreWorld(cloud=RestoreCloud(settings=None, **cloud))  # type: ignore[arg-type]
        world.recorded.save(an_inventory(one(**ITS_SETTINGS)))  # type: ignore[arg-type]
        return world

    def test_its_recorded_settings_come_back_all(self) -> None:
        restored = self.gone().restore()
        assert restored.state is RestoreState.DONE
        assert {each.name: each.fate for each in restored.settings} == dict.fromkeys(
            ITS_SETTINGS, Fate.RESTORED
        )
        assert status_of(restored) == "ok"
        assert restored.known is not None
        assert restored.known.recorded == NIGHT
        told = "the source's settings are those recorded on 2026-11-22T02:00:00Z"
        assert restored.reason == f"it stands; {told}"
        assert (
            "Its settings are those recorded on 2026-11-22T02:00:00Z." in message_of(restored, HOME, "").text
        )

    def test_a_dry_run_tells_where_they_are_from(self) -> None:
        planned = self.gone().look(RestoreWorld().asks(dry_run=True))
        assert planned.reason.endswith("; the source's settings are those recorded on 2026-11-22T02:00:00Z")

    def test_in_the_other_region_while_its_own_does_not_answer(self) -> None:
        world = self.gone(unreachable=HOME_REGION)
        planned = world.look(world.asks(region=AWAY_REGION, dry_run=True))
        assert planned.state is RestoreState.PLANNED
        assert planned.known is not None
        assert (planned.known.recorded, planned.known.settings) == (NIGHT, ITS_SETTINGS)

    def test_those_of_one_that_stands_are_its_own(self) -> None:
        world = RestoreWorld()
        world.recorded.save(an_inventory(one(BillingMode="PROVISIONED")))
        restored = world.restore()
        assert restored.known is not None
        assert (restored.known.recorded, restored.known.settings) == (None, ITS_SETTINGS)

    def test_a_record_that_cannot_be_read_hinders_nothing_and_is_told(self) -> None:
        world = self.gone()
        world.recorded.failing = broken()
        restored = world.restore()
        assert restored.state is RestoreState.DONE
        assert "what was recorded of its settings cannot be read: GetObject of s3://" in restored.reason
        assert status_of(restored) == "partial"

    def test_those_of_another_resource_are_not_taken(self) -> None:
        world = RestoreWorld(cloud=RestoreCloud(settings=None))
        world.recorded.save(an_inventory(one(TABLE + "-2", BillingMode="PROVISIONED")))
        assert world.restore().known is None
