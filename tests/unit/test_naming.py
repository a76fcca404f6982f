"""What a backup is called and tagged, and that it is recognised again: exactly ours, and nothing else."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.core.model import Mark
from holdfast.core.naming import (
    CLUSTER_SNAPSHOT_LIMIT,
    DYNAMODB_BACKUP_LIMIT,
    INSTANCE_SNAPSHOT_LIMIT,
    MAX_TAGS,
    backup_name,
    compact_slot,
    format_slot,
    mark_from_backup_name,
    mark_from_tags,
    mark_tags,
    parse_slot,
    snapshot_name,
    tags_for,
)
from tests.builders import AWAY_REGION, DATABASE, a_backup, a_mark

LIMITS = [CLUSTER_SNAPSHOT_LIMIT, INSTANCE_SNAPSHOT_LIMIT]

# What CloudFormation, DynamoDB and RDS allow in names.
stacks = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,48}", fullmatch=True)
plans = st.from_regex(r"[a-z][a-z0-9]{0,31}", fullmatch=True)
tables = st.from_regex(r"[A-Za-z0-9_.-]{3,255}", fullmatch=True)
databases = st.from_regex(r"[a-z](-?[a-z0-9]){0,62}", fullmatch=True).filter(lambda name: len(name) <= 63)
regions = st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2"])
slots = st.integers(946_684_800, 4_102_444_799).map(lambda second: datetime.fromtimestamp(second, UTC))
"""Any second of this century."""


@st.composite
def marks(draw: st.DrawFn, *, table: bool = False, copies: bool = True) -> Mark:
    region = draw(regions)
    source = (
        f"arn:aws:dynamodb:{region}:123456789012:table/{draw(tables)}"
        if table
        else f"arn:aws:rds:{region}:123456789012:{draw(st.sampled_from(['db', 'cluster']))}:{draw(databases)}"
    )
    mark = Mark(stack=draw(stacks), plan=draw(plans), slot=draw(slots), source=source)
    if table or not copies or not draw(st.booleans()):
        return mark
    name = snapshot_name(mark, INSTANCE_SNAPSHOT_LIMIT)
    return replace(mark, copy_of=f"arn:aws:rds:{region}:123456789012:snapshot:{name}")


class TestSlots:
    @given(slots)
    def test_a_slot_is_read_as_it_was_written(self, slot: datetime) -> None:
        assert parse_slot(format_slot(slot)) == slot

    def test_a_slot_is_written_in_utc_whatever_zone_it_comes_in(self) -> None:
        berlin_summer = timezone(timedelta(hours=2))
        slot = datetime(2026, 7, 1, 4, 0, tzinfo=berlin_summer)
        assert format_slot(slot) == "2026-07-01T02:00:00Z"
        assert compact_slot(slot) == "20260701T020000Z"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "tonight",
            "2026-11-22",
            "2026-11-22T02:00:00",
            "2026-11-22T02:00:00+00:00",
            "2026-11-22T02:00:00.5Z",
            "2026-13-22T02:00:00Z",
            "2026-11-31T02:00:00Z",
            "2026-11-22T25:00:00Z",
            "2026-11-22T02:00:60Z",
            "2026-1-2T3:4:5Z",
            " 2026-11-22T02:00:00Z",
            "2026-11-22T02:00:00Z\n",
            "\u0662026-11-22T02:00:00Z",
            "0001-01-01T00:00:00Z",
        ],
    )
    def test_what_is_no_slot_is_not_read_as_one(self, text: str) -> None:
        assert parse_slot(text) is None


class TestBackupNames:
    def test_the_name_is_stack_plan_and_slot(self) -> None:
        assert backup_name(a_mark()) == "holdfast.nightly.20261122T020000Z"

    @given(marks(table=True))
    def test_a_mark_is_read_from_the_name_that_it_wrote(self, mark: Mark) -> None:
        name = backup_name(mark)
        assert mark_from_backup_name(name, mark.source) == mark
        assert re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", name)
        assert len(name) <= DYNAMODB_BACKUP_LIMIT

    @given(marks(table=True), marks(table=True))
    def test_two_marks_of_one_table_never_share_a_name(self, one: Mark, other: Mark) -> None:
        other = replace(other, source=one.source)
        assert (backup_name(one) == backup_name(other)) == (one == other)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "before-migration",
            "holdfast.nightly",
            "holdfast.nightly.20261122",
            "holdfast.nightly.20261122T020000Z.old",
            "holdfast.nightly.20261322T020000Z",
            "holdfast.Nightly.20261122T020000Z",
            "holdfast.night-ly.20261122T020000Z",
            "hold.fast.nightly.20261122T020000Z",
            "-holdfast.nightly.20261122T020000Z",
            "holdfast.nightly.00011122T020000Z",
            "copy-of-holdfast.nightly.20261122T020000Z\n",
        ],
    )
    def test_names_that_others_gave_have_no_mark(self, name: str) -> None:
        assert mark_from_backup_name(name, DATABASE) is None

    @given(st.text(max_size=80))
    def test_any_text_is_no_mark_or_the_one_that_writes_it(self, name: str) -> None:
        mark = mark_from_backup_name(name, DATABASE)
        assert mark is None or backup_name(mark) == name


class TestSnapshotNames:
    def test_the_name_is_stack_plan_resource_and_slot(self) -> None:
        assert snapshot_name(a_mark(), 63) == "holdfast-nightly-orders-20261122t020000z"

    @pytest.mark.parametrize("stack", ["holdfast-prod", "Holdfast", "hold-fast"])
    def test_that_of_a_stack_with_a_hyphen_or_a_capital_letter_has_a_digest(self, stack: str) -> None:
        name = snapshot_name(a_mark(stack=stack), 63)
        assert re.fullmatch(f"{stack.lower()}-nightly-orders-[0-9a-f]{{8}}-20261122t020000z", name)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(one=marks(copies=False), other=marks(copies=False))
    def test_two_stacks_in_one_region_never_want_one_name(self, limit: int, one: Mark, other: Mark) -> None:
        assume(one.stack != other.stack)
        assert snapshot_name(one, limit) != snapshot_name(other, limit)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("holdfast", "nightly-website"), ("holdfast-nightly", "website")),
            (("Prod", "website"), ("prod", "website")),
            (("PROD", "website"), ("Prod", "website")),
            (("a--b", "website"), ("a-b", "website")),
        ],
    )
    def test_neither_do_those_whose_parts_spell_the_same(
        self, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        names = {
            snapshot_name(a_mark(stack=stack, source=DATABASE.replace(":orders", f":{name}")), 63)
            for stack, name in (one, other)
        }
        assert len(names) == 2

    def test_a_copy_says_where_it_comes_from(self) -> None:
        mark = a_mark(copy_of=a_backup().arn)
        assert snapshot_name(mark, 63) == "holdfast-nightly-us-east-1-orders-20261122t020000z"

    def test_a_name_over_the_limit_is_cut_in_the_middle_with_a_digest_of_the_whole(self) -> None:
        mark = a_mark(source=DATABASE.replace(":orders", f":{'long-' * 12}end"))
        name = snapshot_name(mark, 63)
        assert re.fullmatch(r"holdfast-nightly-long-[a-z-]*-[0-9a-f]{8}-20261122t020000z", name)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(mark=marks())
    def test_every_name_is_one_that_rds_takes(self, limit: int, mark: Mark) -> None:
        name = snapshot_name(mark, limit)
        assert len(name) <= limit
        assert re.fullmatch(r"[a-z](-?[a-z0-9])*", name)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(mark=marks())
    def test_a_mark_is_read_from_the_name_and_tags_that_it_wrote(self, limit: int, mark: Mark) -> None:
        assert mark_from_tags(snapshot_name(mark, limit), mark_tags(mark), limit) == mark

    @pytest.mark.parametrize("limit", LIMITS)
    @given(one=marks(), other=marks())
    def test_two_marks_of_one_stack_in_one_region_never_share_a_name(
        self, limit: int, one: Mark, other: Mark
    ) -> None:
        """Originals of one kind in one Region, as RDS keeps them apart."""
        one, other = (replace(each, copy_of="") for each in (one, other))
        prefix = one.source.rpartition(":")[0]
        other = replace(other, stack=one.stack, source=f"{prefix}:{other.source.rpartition(':')[2]}")
        assert (snapshot_name(one, limit) == snapshot_name(other, limit)) == (one == other)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(one=marks(copies=False), resource=databases)
    def test_only_the_resource_and_slot_need_differ(self, limit: int, one: Mark, resource: str) -> None:
        other = replace(one, source=f"{one.source.rpartition(':')[0]}:{resource}")
        later = replace(one, slot=one.slot + timedelta(seconds=1))
        assert (snapshot_name(one, limit) == snapshot_name(other, limit)) == (one == other)
        assert snapshot_name(one, limit) != snapshot_name(later, limit)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(mark=marks(copies=False))
    def test_a_copy_never_has_the_name_of_its_original(self, limit: int, mark: Mark) -> None:
        copy = replace(mark, copy_of="arn:aws:rds:us-east-1:123456789012:snapshot:the-original")
        assert snapshot_name(copy, limit) != snapshot_name(mark, limit)

    @pytest.mark.parametrize("limit", LIMITS)
    @given(mark=marks(copies=False), region=regions)
    def test_copies_from_two_regions_never_share_a_name(self, limit: int, mark: Mark, region: str) -> None:
        here = replace(mark, copy_of="arn:aws:rds:us-east-1:123456789012:snapshot:the-original")
        parts = mark.source.split(":")
        assume(region != parts[3])
        there = replace(here, source=":".join([*parts[:3], region, *parts[4:]]))
        assert snapshot_name(here, limit) != snapshot_name(there, limit)


class TestMarksInTags:
    def test_a_persons_manual_copy_with_our_tags_is_not_ours(self) -> None:
        tags = mark_tags(a_mark())
        assert mark_from_tags("before-the-migration", tags, 255) is None

    def test_our_name_without_our_tags_is_not_ours(self) -> None:
        name = snapshot_name(a_mark(), 255)
        assert mark_from_tags(name, {}, 255) is None
        assert mark_from_tags(name, {"holdfast:stack": "holdfast"}, 255) is None

    @pytest.mark.parametrize(
        "changed",
        [
            {"holdfast:stack": "another"},
            {"holdfast:stack": ""},
            {"holdfast:plan": "weekly"},
            {"holdfast:plan": "none"},
            {"holdfast:slot": "2026-11-23T02:00:00Z"},
            {"holdfast:slot": "2026-11-22T2:00:00Z"},
            {"holdfast:slot": "soon"},
            {"holdfast:source": DATABASE.replace("orders", "bills")},
            {"holdfast:source": "orders"},
            {"holdfast:source": ""},
            {"holdfast:copy-of": "arn:aws:rds:us-east-1:123456789012:snapshot:x"},
        ],
        ids=str,
    )
    def test_a_tag_that_disagrees_with_the_name_makes_it_not_ours(self, changed: dict[str, str]) -> None:
        name = snapshot_name(a_mark(), 255)
        assert mark_from_tags(name, mark_tags(a_mark()) | changed, 255) is None

    def test_another_stacks_mark_is_told_as_another_stacks(self) -> None:
        mark = a_mark(stack="another")
        read = mark_from_tags(snapshot_name(mark, 255), mark_tags(mark), 255)
        assert read is not None
        assert read.stack == "another"

    @given(st.dictionaries(st.sampled_from(list(mark_tags(a_mark(copy_of="x")))), st.text(max_size=40)))
    def test_no_tags_whatever_raise(self, tags: dict[str, str]) -> None:
        mark = mark_from_tags("some-name", tags, 255)
        assert mark is None or snapshot_name(mark, 255) == "some-name"


class TestTagsOfABackup:
    mark = a_mark(copy_of=a_backup(region=AWAY_REGION).arn)

    def test_the_resources_own_tags_are_carried_and_reserved_ones_left_out(self) -> None:
        carried = {
            "team": "shop",
            "aws:cloudformation:stack-name": "shop",
            "AWS:x": "1",
            "rds:y": "2",
            "holdfast:plan": "nightly",
            "holdfast:hold": "legal",
        }
        assert tags_for(a_mark(), carried) == {"team": "shop"} | mark_tags(a_mark())

    @given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=10), max_size=80))
    def test_ours_are_always_there_and_there_is_always_room_for_a_hold(self, carried: dict[str, str]) -> None:
        tags = tags_for(self.mark, carried)
        assert mark_tags(self.mark).items() <= tags.items()
        assert len(tags) < MAX_TAGS

    @given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=10), max_size=80), st.randoms())
    def test_a_retry_carries_the_same(self, carried: dict[str, str], random: Random) -> None:
        items = list(carried.items())
        random.shuffle(items)
        assert tags_for(self.mark, dict(items)) == tags_for(self.mark, carried)

    def test_what_is_over_forty_nine_is_dropped_in_the_order_of_the_keys(self) -> None:
        tags = tags_for(a_mark(), {f"key-{number:02}": "" for number in range(60)})
        assert len(tags) == MAX_TAGS - 1
        assert "key-44" in tags
        assert "key-45" not in tags
