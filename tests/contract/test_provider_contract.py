"""What every provider promises, whatever stands behind it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.core import naming
from holdfast.core.errors import AlreadyExists, NotFound, NotReady
from holdfast.core.model import (
    OPT_OUT,
    PLAN_TAG,
    Backup,
    BackupState,
    CopySettings,
    Mark,
    Resource,
    name_of,
    region_of,
)
from holdfast.ports import Copier, ResourceQuery
from tests.contract.kinds import World

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TAGS = {PLAN_TAG: "nightly", "team": "orders"}
EVERYTHING = ResourceQuery(everything=True)
TAGGED = ResourceQuery(tags={PLAN_TAG: "nightly"})


def mark_for(arn: str, *, slot: datetime = SLOT, stack: str = "holdfast", plan: str = "nightly") -> Mark:
    return Mark(stack=stack, plan=plan, slot=slot, source=arn)


def resource_of(world: World, arn: str) -> Resource:
    (found,) = [one for one in world.provider.resources(EVERYTHING) if one.arn == arn]
    return found


def make(world: World, name: str = "orders", slot: datetime = SLOT) -> Backup:
    arn = world.add_resource(name, TAGS)
    return world.provider.create(resource_of(world, arn), mark_for(arn, slot=slot))


def copier_of(world: World) -> Copier:
    assert world.copier is not None
    return world.copier


def copy_mark(backup: Backup) -> Mark:
    assert backup.mark is not None
    return replace(backup.mark, copy_of=backup.arn)


# Resources


def test_a_tagged_resource_is_listed_with_its_tags(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    world.add_resource("untagged")
    (found,) = world.provider.resources(TAGGED)
    assert (found.kind, found.arn, found.name, found.region) == (world.kind, arn, name_of(arn), world.home)
    assert dict(found.tags) == TAGS
    assert found.unready == ""


def test_a_query_for_several_tags_wants_all_of_them(world: World) -> None:
    both = world.add_resource("both", TAGS)
    world.add_resource("one", {PLAN_TAG: "nightly"})
    world.add_resource("other", TAGS | {"team": "billing"})
    query = ResourceQuery(tags=TAGS)
    assert [one.arn for one in world.provider.resources(query)] == [both]


def test_everything_is_everything_tagged_or_not(world: World) -> None:
    arns = {world.add_resource("orders", TAGS), world.add_resource("untagged")}
    assert {one.arn for one in world.provider.resources(EVERYTHING)} == arns
    assert (
        dict(
            resource_of(world, next(iter(arns - {one.arn for one in world.provider.resources(TAGGED)}))).tags
        )
        == {}
    )


def test_an_opted_out_resource_is_listed_and_its_tag_is_seen(world: World) -> None:
    arn = world.add_resource("secret", {PLAN_TAG: OPT_OUT, "env": "prod"})
    (found,) = world.provider.resources(ResourceQuery(tags={"env": "prod"}))
    assert found.arn == arn
    assert found.tags[PLAN_TAG] == OPT_OUT


@pytest.mark.parametrize("query", [EVERYTHING, TAGGED], ids=["everything", "tagged"])
def test_resources_of_all_pages_are_listed(world: World, query: ResourceQuery) -> None:
    arns = {world.add_resource(f"orders-{number}", TAGS) for number in range(7)}
    found = [one.arn for one in world.provider.resources(query)]
    assert len(found) == 7
    assert set(found) == arns


def test_nothing_is_an_empty_listing(world: World) -> None:
    assert list(world.provider.resources(EVERYTHING)) == []
    assert list(world.provider.resources(TAGGED)) == []
    assert list(world.provider.backups(world.home)) == []
    assert list(world.provider.backups(world.away)) == []


# Create and list


def test_what_is_created_is_listed_with_its_mark_source_and_state(world: World) -> None:
    made = make(world)
    (listed,) = world.provider.backups(world.home)
    assert listed.mark == made.mark == mark_for(made.source)
    assert listed.source == made.source
    assert (listed.kind, listed.arn, listed.id, listed.region) == (world.kind, made.arn, made.id, world.home)
    assert listed.state is made.state is BackupState.AVAILABLE
    assert listed.state_text
    assert not listed.is_copy


def test_a_backup_is_listed_by_its_source(world: World) -> None:
    made = make(world)
    other = make(world, "billing")
    assert [one.arn for one in world.provider.backups(world.home, made.source)] == [made.arn]
    assert [one.arn for one in world.provider.backups(world.home, other.source)] == [other.arn]


def test_backups_of_all_pages_are_listed(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    resource = resource_of(world, arn)
    slots = [SLOT + timedelta(days=day) for day in range(7)]
    made = {world.provider.create(resource, mark_for(arn, slot=slot)).arn for slot in slots}
    assert len(made) == 7
    for listing in (world.provider.backups(world.home), world.provider.backups(world.home, arn)):
        assert len(listing) == 7
        assert {one.arn for one in listing} == made
        assert {one.mark.slot for one in listing if one.mark} == set(slots)


@pytest.mark.parametrize("length", [3, 40, 63])
def test_a_name_is_within_what_the_service_takes(world: World, length: int) -> None:
    arn = world.add_resource("r" * length)
    stack = "s" + "tack-Name" * 14 + "x"
    made = world.provider.create(resource_of(world, arn), mark_for(arn, stack=stack, plan="p" * 32))
    assert len(made.id) <= world.name_limit
    assert re.fullmatch(world.name_pattern, made.id)
    (listed,) = world.provider.backups(world.home)
    assert listed.mark == mark_for(arn, stack=stack, plan="p" * 32)


def test_names_that_differ_beyond_the_limit_stay_apart(world: World) -> None:
    long = "r" * 60
    first, second = (world.add_resource(f"{long}{end}") for end in "ab")
    names = set()
    for arn in (first, second):
        names.add((world.provider.create(resource_of(world, arn), mark_for(arn)).id, arn))
    assert {one.mark.source for one in world.provider.backups(world.home) if one.mark} == {first, second}
    assert len({name for name, _ in names}) == (2 if world.tagged else 1)


def test_the_resource_s_tags_are_carried_over(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    resource = replace(resource_of(world, arn), tags=TAGS | {"aws:cloudformation:stack-name": "shop"})
    world.provider.create(resource, mark_for(arn))
    (listed,) = world.provider.backups(world.home)
    if world.tagged:
        assert dict(listed.tags) == {"team": "orders"} | world.tags_of(mark_for(arn))
    else:
        assert dict(listed.tags) == {}


def test_creating_twice(world: World) -> None:
    """Where names are unique the second call is told so; where they are not, two backups stand."""
    made = make(world)
    assert made.mark is not None
    resource = resource_of(world, made.source)
    if world.unique_names:
        with pytest.raises(AlreadyExists):
            world.provider.create(resource, made.mark)
        assert len(world.provider.backups(world.home)) == 1
    else:
        again = world.provider.create(resource, made.mark)
        assert again.arn != made.arn
        assert [one.mark for one in world.provider.backups(world.home)] == [made.mark, made.mark]


def test_a_resource_that_is_gone_is_not_found(world: World) -> None:
    arn = world.add_resource("orders")
    gone = replace(resource_of(world, arn), arn=world.other(arn))
    with pytest.raises(NotFound) as raised:
        world.provider.create(gone, mark_for(gone.arn))
    assert not raised.value.retryable
    assert raised.value.code


# Create together


def test_what_belongs_together_is_listed_by_the_tags_of_what_it_belongs_to(grouping: World) -> None:
    group, members = grouping.add_group(TAGS)
    grouping.add_group({"team": "billing"})
    found = grouping.provider.resources(TAGGED)
    assert {one.arn for one in found} == set(members)
    assert all(one.group == group and dict(one.group_tags) == TAGS for one in found)
    assert all(dict(one.tags) == {} for one in found)


def test_what_is_created_together_has_each_its_mark(grouping: World) -> None:
    assert grouping.grouper is not None
    _, members = grouping.add_group(TAGS)
    resources = [resource_of(grouping, arn) for arn in reversed(members)]
    marks = [mark_for(one.arn) for one in resources]
    made = grouping.grouper.create_together(resources, marks)
    assert [one.mark for one in made] == marks
    assert [one.source for one in made] == [one.arn for one in resources]
    listed = {one.arn: one.mark for one in grouping.provider.backups(grouping.home)}
    assert listed == {one.arn: one.mark for one in made}
    (alone,) = grouping.provider.backups(grouping.home, members[0])
    assert alone.mark == mark_for(members[0])


def test_one_of_a_group_that_is_left_out_has_no_backup(grouping: World) -> None:
    assert grouping.grouper is not None
    _, (first, second) = grouping.add_group(TAGS)
    grouping.grouper.create_together([resource_of(grouping, second)], [mark_for(second)])
    assert [one.source for one in grouping.provider.backups(grouping.home)] == [second]
    assert list(grouping.provider.backups(grouping.home, first)) == []


def test_a_copy_of_one_of_a_group_has_its_mark(grouping: World) -> None:
    assert grouping.grouper is not None
    _, members = grouping.add_group(TAGS)
    resources = [resource_of(grouping, arn) for arn in members]
    made = grouping.grouper.create_together(resources, [mark_for(arn) for arn in members])
    copier_of(grouping).copy(made[1], grouping.away, copy_mark(made[1]), CopySettings())
    (listed,) = grouping.provider.backups(grouping.away)
    assert (listed.mark, listed.source) == (copy_mark(made[1]), members[1])


# Others' backups


def test_another_s_backup_is_listed_without_a_mark(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    made = world.add_backup(arn, "before-the-migration", {"owner": "ana"})
    (listed,) = world.provider.backups(world.home)
    assert listed.mark is None
    assert listed.source == arn
    assert listed.id == made


def test_two_stacks_tell_their_backups_apart(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    resource = resource_of(world, arn)
    for stack in ("holdfast", "holdfast-prod"):
        world.provider.create(resource, mark_for(arn, stack=stack))
    stacks = {one.mark.stack for one in world.provider.backups(world.home) if one.mark}
    assert stacks == {"holdfast", "holdfast-prod"}


def test_our_tags_on_another_name_are_no_mark(world: World) -> None:
    arn = world.add_resource("orders", TAGS)
    world.add_backup(arn, "kept-by-ana", naming.mark_tags(mark_for(arn)))
    (listed,) = world.provider.backups(world.home)
    assert listed.mark is None


# Delete


def test_what_is_deleted_is_gone_and_nothing_else_is(world: World) -> None:
    made = make(world)
    other = make(world, "billing")
    world.provider.delete(made)
    assert [one.arn for one in world.provider.backups(world.home)] == [other.arn]


def test_deleting_again_says_that_it_is_gone(world: World) -> None:
    made = make(world)
    world.provider.delete(made)
    with pytest.raises(NotFound):
        world.provider.delete(made)


# Copy


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_copy_stands_in_the_other_region_with_its_mark(copying: World, encrypted: bool) -> None:
    arn = copying.add_resource("orders", TAGS, encrypted=encrypted)
    made = copying.provider.create(resource_of(copying, arn), mark_for(arn))
    key = copying.key_in(copying.away) if encrypted else ""
    begun = copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings(kms_key=key))
    (listed,) = copying.provider.backups(copying.away)
    assert listed.mark == begun.mark == replace(mark_for(arn), copy_of=made.arn)
    assert listed.is_copy
    assert (listed.arn, listed.id, listed.source) == (begun.arn, begun.id, arn)
    assert listed.region == region_of(listed.arn) == copying.away
    assert listed.encrypted is encrypted
    assert listed.tags["team"] == "orders"
    assert len(listed.id) <= copying.name_limit
    assert [one.arn for one in copying.provider.backups(copying.home)] == [made.arn]


def test_copies_are_listed_by_the_source_of_what_was_copied(copying: World) -> None:
    first, second = make(copying), make(copying, "billing")
    for made in (first, second):
        copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())
    (listed,) = copying.provider.backups(copying.away, second.source)
    assert listed.mark == copy_mark(second)


def test_copying_twice(copying: World) -> None:
    """Where names are unique the second call is told so; where they are not, two copies stand."""
    made = make(copying)
    first = copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())
    if copying.unique_names:
        with pytest.raises(AlreadyExists):
            copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())
        assert len(copying.provider.backups(copying.away)) == 1
    else:
        second = copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())
        assert second.arn != first.arn
        assert [one.mark for one in copying.provider.backups(copying.away)] == [copy_mark(made)] * 2


def test_copying_what_is_gone_says_so(copying: World) -> None:
    made = make(copying)
    copying.provider.delete(made)
    with pytest.raises(NotFound):
        copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())


def test_a_copy_is_deleted_where_it_stands(copying: World) -> None:
    made = make(copying)
    copy = copier_of(copying).copy(made, copying.away, copy_mark(made), CopySettings())
    copying.provider.delete(copy)
    assert list(copying.provider.backups(copying.away)) == []
    assert [one.arn for one in copying.provider.backups(copying.home)] == [made.arn]


@pytest.mark.parametrize("same_name", [False, True], ids=["other-name", "same-name"])
def test_a_person_s_copy_in_another_region_is_not_ours(copying: World, same_name: bool) -> None:
    """It has all of our tags, and may even have our name, which is free in the other Region."""
    made = make(copying)
    (listed,) = copying.provider.backups(copying.home)
    copying.copy_by_hand(listed, made.id if same_name else "keep-this", copying.away)
    (theirs,) = copying.provider.backups(copying.away)
    assert theirs.tags[naming.STACK_TAG] == "holdfast"
    assert theirs.mark is None


def test_a_stopped_resource_says_so_and_that_a_person_must_act(database: World) -> None:
    arn = database.add_resource("orders", TAGS)
    database.stop(arn)
    (found,) = database.provider.resources(TAGGED)
    assert "stopped" in found.unready
    assert not found.transient


def test_errors_tell_whose_they_are(world: World) -> None:
    made = make(world)
    world.provider.delete(made)
    with pytest.raises(NotFound) as raised:
        world.provider.delete(made)
    assert raised.value.resource == made.arn
    assert raised.value.operation
    assert not isinstance(raised.value, NotReady)
