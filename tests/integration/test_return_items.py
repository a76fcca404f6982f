"""Lost items come back, nothing else changes, and whatever goes wrong costs no item."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import AccessDenied, NotFound, ProviderError, Throttled
from holdfast.core.items import Item, KeyPart, Table
from holdfast.core.model import Home
from holdfast.core.restoring import RestoreState
from holdfast.core.returning import Changed, Comparison, Counts, Return, ReturnState
from holdfast.ports import Deadline, Message
from holdfast.usecases.return_items import publish_return, run_return
from tests.builders import TABLE
from tests.integration.returning import (
    ASKED,
    RESTORE,
    RESTORED,
    Killed,
    ReturnWorld,
    Stored,
    a_restore,
    an_item,
    later,
    some_items,
    unheard,
)
from tests.messages import check

HOME = Home(stack="holdfast", region="us-east-1", account="123456789012")


def denied() -> ProviderError:
    return AccessDenied("dynamodb", RESTORED, "Scan", "AccessDeniedException", "not authorized")


def throttled() -> ProviderError:
    return Throttled("dynamodb", TABLE, "PutItem", "ProvisionedThroughputExceededException")


def a_world(**more: Any) -> ReturnWorld:
    """Seven items before; two are lost since, one is changed, one is new."""
    before = some_items("a", "b", "c", "d", "e", "f", "g")
    now = [before[0], *before[2:5], an_item("f", what="spoiled"), an_item("new", what="since")]
    return ReturnWorld(before, now, **more)


class TestWhatComesBack:
    def test_the_lost_items_come_back_and_nothing_else_changes(self) -> None:
        world = a_world()
        before = world.items()
        ended = world.returned()
        assert (ended.state, ended.reason) == (ReturnState.DONE, "7 items were compared")
        assert ended.counts == Counts(same=4, lost=2, changed=1, returned=2)
        assert world.items() == before | {one["id"]["S"]: one for one in some_items("b", "g")}
        assert ended.keys[Comparison.LOST] == ({"id": {"S": "b"}}, {"id": {"S": "g"}})
        assert ended.keys[Comparison.CHANGED] == ({"id": {"S": "f"}},)
        assert (ended.read_units, ended.write_units) == (14, 2)

    def test_asking_again_does_nothing(self) -> None:
        world = a_world()
        world.returned()
        after = world.items()
        assert world.returned(world.asks(id="again")).counts == Counts(same=6, changed=1)
        assert world.items() == after

    def test_what_is_over_is_answered_as_it_was(self) -> None:
        world = a_world()
        ended = world.returned()
        world.live.items.clear()
        assert world.returned() == ended
        assert world.items() == {}

    def test_a_dry_run_compares_and_writes_nothing(self) -> None:
        world = a_world()
        before = world.items()
        ended = world.returned(world.asks(dry_run=True))
        assert (ended.state, ended.counts) == (ReturnState.COMPARED, Counts(same=4, lost=2, changed=1))
        assert ended.keys[Comparison.LOST] == ({"id": {"S": "b"}}, {"id": {"S": "g"}})
        assert world.items() == before
        # and hinders no real one of the same id
        assert world.returned().counts.returned == 2

    def test_a_changed_item_is_replaced_when_that_is_asked_for(self) -> None:
        world = a_world()
        ended = world.returned(world.asks(changed=Changed.RETURN))
        assert ended.counts == Counts(same=4, lost=2, changed=1, returned=2, replaced=1)
        assert world.items()["f"] == an_item("f", what="of f")
        assert world.items()["new"] == an_item("new", what="since")

    def test_an_empty_table_has_lost_nothing(self) -> None:
        world = ReturnWorld([], some_items("a"))
        assert world.returned().counts == Counts()

    def test_only_fifty_keys_are_named(self) -> None:
        world = ReturnWorld(some_items(*(f"{n:03}" for n in range(80))), [], page_size=7)
        ended = world.returned()
        assert (ended.counts.returned, len(ended.keys[Comparison.LOST])) == (80, 50)

    def test_long_keys_are_named_as_far_as_an_answer_has_room(self) -> None:
        world = ReturnWorld(some_items(*(f"{n}" + "x" * 2000 for n in range(40))), [])
        named = world.returned(world.asks(dry_run=True)).keys[Comparison.LOST]
        assert 5 <= len(named) < 10

    def test_what_it_was_restored_of_is_known(self) -> None:
        world = a_world()
        ended = world.returned(world.asks(target=""))
        assert (ended.target, ended.counts.returned) == (TABLE, 2)


class TestTimeToLive:
    def items(self) -> list[Item]:
        return [
            {**an_item("old"), "until": later(ASKED, days=-1)},
            {**an_item("now"), "until": later(ASKED, seconds=0)},
            {**an_item("young"), "until": later(ASKED, days=1)},
            {**an_item("ancient"), "until": later(ASKED, days=-6 * 365)},
            {**an_item("text"), "until": {"S": "yesterday"}},
            an_item("without"),
        ]

    def test_what_has_expired_is_not_lost(self) -> None:
        world = ReturnWorld(self.items(), [])
        world.live.expiry = "until"
        ended = world.returned()
        assert ended.counts == Counts(lost=5, expired=1, returned=5)
        assert "old" not in world.items()
        assert ended.keys[Comparison.EXPIRED] == ({"id": {"S": "old"}},)

    def test_where_it_is_off_nothing_expires(self) -> None:
        world = ReturnWorld(self.items(), [])
        assert world.returned().counts.returned == 6

    def test_a_changed_item_is_not_replaced_by_one_that_time_to_live_would_delete(self) -> None:
        live = {**an_item("old"), "until": later(ASKED, days=9)}
        world = ReturnWorld(self.items()[:1], [live])
        world.live.expiry = "until"
        ended = world.returned(world.asks(changed=Changed.RETURN))
        assert ended.counts == Counts(expired=1)
        assert world.items()["old"] == live


class TestMeanwhile:
    def test_an_item_that_appears_before_it_is_put_stays(self) -> None:
        world = a_world()
        world.tables.meanwhile["b"] = lambda: world.live.put(an_item("b", what="written since"))
        ended = world.returned()
        assert ended.counts == Counts(same=4, lost=2, changed=1, returned=1, meanwhile=1)
        assert world.items()["b"] == an_item("b", what="written since")

    def test_a_changed_item_that_changes_again_stays(self) -> None:
        world = a_world()
        world.tables.meanwhile["f"] = lambda: world.live.put(an_item("f", what="once more"))
        ended = world.returned(world.asks(changed=Changed.RETURN))
        assert (ended.counts.replaced, ended.counts.meanwhile) == (0, 1)
        assert world.items()["f"] == an_item("f", what="once more")

    def test_one_that_dynamodb_does_not_take_stops_no_other(self) -> None:
        world = a_world(refused={"b"})
        ended = world.returned()
        assert (ended.state, ended.counts.returned, ended.counts.failed) == (ReturnState.DONE, 1, 1)
        [failure] = ended.failures
        assert (failure.key, failure.reason) == (
            {"id": {"S": "b"}},
            "ValidationException: it is too large",
        )
        assert "g" in world.items()

    def test_failures_are_all_counted_and_two_hundred_named(self) -> None:
        ids = [f"{n:03}" for n in range(230)]
        world = ReturnWorld(some_items(*ids), [], refused=set(ids), page_size=90)
        ended = world.returned()
        assert (ended.counts.failed, len(ended.failures)) == (230, 200)


class TestGoingOn:
    def test_no_page_is_begun_that_there_is_no_time_for(self) -> None:
        world = a_world()
        left = iter([900.0, 20.0])
        seen = world.look(deadline=lambda: next(left))
        assert (seen.state, seen.counts.compared) == (ReturnState.PENDING, 3)
        assert world.returned().counts == Counts(same=4, lost=2, changed=1, returned=2)

    def test_killed_at_any_call_it_ends_the_same(self) -> None:
        whole = a_world()
        whole.returned()
        for number in range(1, len(whole.tables.calls) + 1):
            for after in (False, True):
                world = a_world(at_call=(number, Killed, after))
                ended = world.returned()
                assert ended.counts == Counts(same=4, lost=2, changed=1, returned=2), (number, after)
                assert ended.state is ReturnState.DONE
                assert world.items() == whole.items()
                assert sorted(one["id"]["S"] for one in world.tables.puts) == ["b", "g"]

    @pytest.mark.parametrize("fault", [unheard, throttled])
    def test_what_passes_leaves_it_pending_and_costs_nothing(
        self, fault: Callable[[], ProviderError]
    ) -> None:
        whole = a_world()
        whole.returned(whole.asks(changed=Changed.RETURN))
        for number in range(1, len(whole.tables.calls) + 1):
            for after in (False, True):
                world = a_world(at_call=(number, fault, after))
                first = world.look(world.asks(changed=Changed.RETURN))
                assert first.state is ReturnState.PENDING or first.is_over
                ended = world.returned(world.asks(changed=Changed.RETURN))
                told = (number, whole.tables.calls[number - 1], after)
                assert ended.state is ReturnState.DONE, told
                assert ended.counts == Counts(same=4, lost=2, changed=1, returned=2, replaced=1), told
                assert world.items() == whole.items(), told

    def test_what_is_throttled_for_ever_ends_after_three_days_and_says_why(self) -> None:
        world = a_world(faults={"put": throttled})
        assert "AWS took no more" in world.look().reason
        world.now = world.now.replace(day=world.now.day + 4)
        ended = world.look()
        assert ended.state is ReturnState.FAILED
        assert ended.reason.startswith("not finished after 72 hours")

    def test_what_is_not_permitted_fails_and_is_told(self) -> None:
        world = a_world(faults={"page": denied})
        ended = world.look()
        assert ended.state is ReturnState.FAILED
        assert "not permitted" in ended.reason
        assert "ask again with another id (this one was return-1)" in ended.reason

    def test_a_table_that_goes_meanwhile_fails(self) -> None:
        def gone() -> ProviderError:
            return NotFound("dynamodb", TABLE, "BatchGetItem", "ResourceNotFoundException")

        ended = a_world(faults={"find": gone}).look()
        assert (ended.state, "is gone" in ended.reason) == (ReturnState.FAILED, True)

    def test_two_at_the_same_time_lose_nothing(self) -> None:
        """The record is written over by none but who read it; the other one comes again."""
        world = a_world()
        first = True

        def rival() -> None:
            nonlocal first
            if first:
                first = False
                world.look()

        world.tables.meanwhile["b"] = rival
        seen = world.look()
        assert seen.state is ReturnState.PENDING
        assert world.returned().state is ReturnState.DONE
        assert {"b", "g"} <= world.items().keys()


class TestRefusals:
    def refused(self, world: ReturnWorld, **more: Any) -> str:
        ended = world.look(world.asks(**more))
        assert ended.state is ReturnState.REFUSED
        assert world.tables.puts == []
        return ended.reason

    def test_a_table_that_is_not_there(self) -> None:
        world = a_world()
        del world.tables.stored[TABLE]
        assert self.refused(world) == f"to: there is no table {TABLE}; give the ARN of one that stands"

    def test_one_that_no_restore_made(self) -> None:
        world = a_world()
        world.restored.table = replace(world.restored.table, restored_by="")
        assert "bears no tag holdfast:restore; give the ARN of a table that `restore` made" in self.refused(
            world
        )

    def test_into_one_of_the_same_restore(self) -> None:
        world = a_world()
        world.live.table = replace(world.live.table, restored_by=RESTORE)
        assert "was made by the same restore" in self.refused(world)

    def test_into_one_that_an_earlier_restore_made(self) -> None:
        world = a_world()
        world.live.table = replace(world.live.table, restored_by="last-year")
        assert world.returned().counts.returned == 2

    def test_another_key(self) -> None:
        world = a_world()
        world.live.table = replace(world.live.table, keys=(KeyPart(name="id", role="HASH", type="N"),))
        reason = self.refused(world)
        assert f"{TABLE} has the key id (HASH, N)" in reason
        assert f"{RESTORED} has id (HASH, S); give two tables with the same key" in reason

    def test_nobody_knows_what_it_was_restored_of(self) -> None:
        world = a_world()
        for kept in (None, a_restore(arn=TABLE + "-other"), a_restore(arn="")):
            world.restores.kept = {RESTORE: kept} if kept else {}
            assert "to: missing; no record tells what" in self.refused(world, target="")

    def test_the_id_of_another_return(self) -> None:
        world = a_world()
        world.returned()
        after = world.items()
        ended = world.look(world.asks(changed=Changed.RETURN))
        assert ended.state is ReturnState.REFUSED
        assert ended.reason.startswith("id: return-1 is that of another return")
        assert world.items() == after

    def test_a_table_that_is_being_made_is_waited_for(self) -> None:
        world = a_world()
        world.restored.table = replace(world.restored.table, unready="being restored")
        seen = world.look()
        assert (seen.state, "being restored" in seen.reason) == (ReturnState.PENDING, True)
        world.restored.table = replace(world.restored.table, unready="DELETING", lasting=True)
        assert "is DELETING, and cannot be used" in self.refused(world)

    def test_a_restore_that_is_not_over_is_waited_for(self) -> None:
        """The changes since a whole export may be missing."""
        world = a_world()
        world.restores.kept[RESTORE] = a_restore(state=RestoreState.PENDING, reason="filling")
        seen = world.look()
        assert (seen.state, "is not over: filling" in seen.reason) == (ReturnState.PENDING, True)
        world.restores.kept[RESTORE] = a_restore()
        assert world.returned().counts.returned == 2


class Steps:
    """The port `Steps`: what was remembered, and how long was waited."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.waited: list[int] = []

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        self.names.append(name)
        return dict(json.loads(json.dumps(work())))

    def wait(self, seconds: int) -> None:
        self.waited.append(seconds)


class TestTheRun:
    def run(
        self, world: ReturnWorld, deadline: Deadline | None = None, **more: Any
    ) -> tuple[Steps, dict[str, object], list[Message]]:
        steps, sent, request = Steps(), list[Message](), world.asks(**more)

        class Notifier:
            def publish(self, message: Message) -> None:
                sent.append(message)

        def publish(ended: Return) -> str:
            return publish_return(Notifier(), ended, HOME, world.returns.address(request))

        return steps, run_return(steps, request, lambda: world.look(request, deadline), publish), sent

    def test_it_looks_until_it_is_over_and_tells_people_once(self) -> None:
        world = a_world()
        left = iter([900.0, 20.0, 900.0, 20.0, 900.0])
        steps, told, [message] = self.run(world, lambda: next(left))
        assert steps.names == ["return_items"] * 3 + ["publish"]
        assert steps.waited == [1, 1], "there is nothing to wait for"
        assert told["state"] == "done"
        assert "keys" not in told
        assert told["subject"] == message.subject
        check(message)
        assert message.subject == (
            "Holdfast return to orders: done, 2 lost items copied back, 1 changed kept"
        )

    def test_what_is_throttled_is_given_time(self) -> None:
        world = a_world(at_call=(9, throttled, False))
        steps, told, _ = self.run(world)
        assert steps.waited == [15]
        assert told["state"] == "done"

    def test_a_dry_run_answers_with_the_keys_and_tells_nobody(self) -> None:
        _, told, sent = self.run(a_world(), dry_run=True)
        assert sent == []
        assert told["keys"] == {
            "lost": [{"id": {"S": "b"}}, {"id": {"S": "g"}}],
            "changed": [{"id": {"S": "f"}}],
        }

    def test_no_message_names_a_key(self) -> None:
        before = some_items("secret-1", "secret-2")
        world = ReturnWorld(before, [], refused={"secret-2"})
        _, told, [message] = self.run(world)
        assert "secret" not in json.dumps(told) + message.text + message.data + message.subject
        assert "secret-2" in json.dumps(world.returns.kept["return-1", False][0])
        check(message)

    def test_a_refusal_is_told(self) -> None:
        world = a_world()
        del world.tables.stored[TABLE]
        _, told, [message] = self.run(world)
        assert (told["state"], message.subject) == ("refused", "Holdfast return to orders: refused")
        assert "there is no table" in message.text
        check(message)


ids = st.sampled_from([f"i{n}" for n in range(12)])
values = st.sampled_from(["1", "2"])
tables = st.dictionaries(ids, values, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    before=tables,
    now=tables,
    changed=st.sampled_from(Changed),
    size=st.integers(1, 5),
    kill=st.integers(0, 40),
)
def test_every_lost_item_is_back_and_no_other_is_changed(
    before: dict[str, str], now: dict[str, str], changed: Changed, size: int, kill: int
) -> None:
    world = ReturnWorld(
        [an_item(id_, v=value) for id_, value in before.items()],
        [an_item(id_, v=value) for id_, value in now.items()],
        page_size=size,
        at_call=(kill, Killed, True),
    )
    ended = world.returned(world.asks(changed=changed))
    assert ended.state is ReturnState.DONE
    wins = {**now, **before} if changed is Changed.RETURN else {**before, **now}
    assert world.items() == {id_: an_item(id_, v=value) for id_, value in wins.items()}
    both = before.keys() & now.keys()
    different = sum(before[one] != now[one] for one in both)
    assert ended.counts == Counts(
        same=len(both) - different,
        lost=len(before.keys() - now.keys()),
        changed=different,
        returned=len(before.keys() - now.keys()),
        replaced=different if changed is Changed.RETURN else 0,
    )
    puts = len(world.tables.puts)
    again = world.returned(world.asks(id="again", changed=changed))
    assert len(world.tables.puts) == puts, "twice is nothing"
    assert again.counts.lost == 0


def test_a_table_of_two_keys() -> None:
    keys = (KeyPart(name="id", role="HASH", type="S"), KeyPart(name="at", role="RANGE", type="N"))
    items: list[Item] = [{"id": {"S": "a"}, "at": {"N": str(n)}} for n in range(4)]
    world = ReturnWorld(items, [])
    world.tables.stored[TABLE] = Stored(Table(arn=TABLE, keys=keys), [{"id": {"S": "a"}, "at": {"N": "2.0"}}])
    world.restored.table = replace(world.restored.table, keys=keys)
    assert world.returned().counts == Counts(same=0, lost=3, changed=0, returned=3) + Counts(same=1)
