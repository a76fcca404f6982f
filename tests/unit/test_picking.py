"""What a restore is made of, and under which name."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from string import ascii_lowercase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.core.errors import RestoreRefused
from holdfast.core.model import Backup, BackupState, slot_of
from holdfast.core.picking import name_for, pick
from holdfast.core.restoring import Pick, RestoreRequest, Way, Window
from tests.builders import (
    AWAY_REGION,
    CLUSTER,
    DATABASE,
    HOME_REGION,
    NIGHT,
    TABLE,
    VOLUME,
    a_backup,
    nights_ago,
)

NOW = NIGHT + timedelta(hours=13)
SOURCES = (TABLE, DATABASE, CLUSTER, VOLUME)
PITR = Window(earliest=NOW - timedelta(days=7), latest=NOW - timedelta(minutes=5))

nights = st.lists(st.integers(-2, 30), unique=True, max_size=8)
states = st.sampled_from(list(BackupState))


def asked(source: str = TABLE, **more: object) -> RestoreRequest:
    request = RestoreRequest(id="worst-day", resource=source, region=HOME_REGION)
    return replace(request, **more)  # type: ignore[arg-type]


@st.composite
def standing(draw: st.DrawFn) -> tuple[str, list[Backup]]:
    """A resource, and what stands of it."""
    source = draw(st.sampled_from(SOURCES))
    backups = [
        a_backup(nights_ago(night), source, draw(states), ours=draw(st.booleans()) or night % 3 > 0)
        for night in draw(nights)
    ]
    return source, draw(st.permutations(backups))


def good(backups: Sequence[Backup]) -> list[Backup]:
    return [
        one
        for one in backups
        if one.mark is not None and one.state is BackupState.AVAILABLE and one.mark.slot <= NOW
    ]


class TestTheNewest:
    @given(standing())
    def test_it_is_good_and_none_is_newer(self, found: tuple[str, list[Backup]]) -> None:
        source, backups = found
        assume(good(backups))
        picked = pick(asked(source), backups, None, NOW)
        assert picked.way is Way.BACKUP
        assert picked.instant == max(map(slot_of, good(backups)))
        [piece] = picked.pieces
        assert piece.arn in {one.arn for one in good(backups)}

    @given(standing())
    def test_without_a_good_one_it_is_refused(self, found: tuple[str, list[Backup]]) -> None:
        source, backups = found
        bad = [one for one in backups if one not in good(backups)]
        with pytest.raises(RestoreRefused) as refused:
            pick(asked(source), bad, None, NOW)
        by_hand = [one for one in bad if one.mark is None and one.state is BackupState.AVAILABLE]
        assert ("others made some by hand" in str(refused.value)) is bool(by_hand)


class TestAnInstant:
    @given(standing(), st.datetimes(datetime(2026, 10, 1), datetime(2026, 12, 1)))  # noqa: DTZ001
    def test_the_backups_around_it_are_named(self, found: tuple[str, list[Backup]], at: datetime) -> None:
        source, backups = found
        at = at.replace(tzinfo=NIGHT.tzinfo)
        with pytest.raises(RestoreRefused) as refused:
            pick(asked(source, at=at), backups, None, NOW)
        before = max((one for one in good(backups) if slot_of(one) <= at), key=slot_of, default=None)
        after = min((one for one in good(backups) if slot_of(one) > at), key=slot_of, default=None)
        for word, one in (("before it", before), ("after it", after)):
            assert (word in str(refused.value)) is (one is not None)
            assert one is None or f"(backup={one.id})" in str(refused.value)

    @given(st.integers(-864_000, 864_000))
    def test_only_what_is_kept_can_be_had(self, seconds: int) -> None:
        at = PITR.latest + timedelta(seconds=seconds)
        if PITR.earliest <= at <= PITR.latest:
            assert pick(asked(at=at), [], PITR, NOW).instant == at
        else:
            with pytest.raises(RestoreRefused, match="give an instant of that time, or 'latest'"):
                pick(asked(at=at), [], PITR, NOW)


class TestExports:
    def chain(self, source: str = TABLE) -> list[Backup]:
        whole = a_backup(nights_ago(3), source, region=AWAY_REGION)
        return [
            whole,
            *(a_backup(nights_ago(n), source, region=AWAY_REGION, base=nights_ago(n + 1)) for n in (2, 1, 0)),
        ]

    @given(st.permutations(range(4)), st.integers(0, 3))
    def test_the_whole_one_comes_first_and_each_stands_on_the_one_before(
        self, order: list[int], named: int
    ) -> None:
        chain = self.chain()
        request = asked(region=AWAY_REGION, backup=chain[named].arn)
        picked = pick(request, [chain[one] for one in order], None, NOW)
        assert picked.way is Way.EXPORT
        assert [one.arn for one in picked.pieces] == [one.arn for one in chain[: named + 1]]

    def test_what_lacks_its_base_is_refused(self) -> None:
        chain = self.chain()
        with pytest.raises(RestoreRefused, match="give an older one that is whole"):
            pick(asked(region=AWAY_REGION, backup=chain[-1].arn), chain[1:], None, NOW)

    def test_a_base_of_a_former_table_of_the_name_is_none(self) -> None:
        chain = [replace(one, resource_id="NEW") for one in self.chain()]
        chain[0] = replace(chain[0], resource_id="OLD")
        with pytest.raises(RestoreRefused, match="no export of that slot"):
            pick(asked(region=AWAY_REGION, backup=chain[-1].arn), chain, None, NOW)


RULES = {
    TABLE: re.compile(r"[A-Za-z0-9_.-]{3,255}"),
    DATABASE: re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,61}[a-z0-9]"),
    CLUSTER: re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,61}[a-z0-9]"),
    VOLUME: re.compile(r".{1,255}"),
}
"""What AWS takes, by its API references; RDS keeps names in lower case."""


class TestNames:
    picked = Pick(way=Way.BACKUP, instant=NIGHT, reason="it is the newest")

    @given(st.sampled_from(SOURCES), st.integers(1, 255))
    def test_its_own_name_fits_however_long_the_source_s_is(self, source: str, length: int) -> None:
        rule = RULES[source]
        stem = source.rpartition("orders")[0] or source.rpartition("vol-")[0]
        length = min(length, 63) if ":rds:" in source else length
        name = name_for(asked(f"{stem}{'orders-a' * 40}"[: len(stem) + length].rstrip("-")), self.picked, NOW)
        assert rule.fullmatch(name)
        assert name.endswith("-20261122t020000z")

    @given(st.sampled_from(SOURCES), st.text(min_size=1, max_size=300))
    def test_a_given_one_is_taken_as_it_is_or_refused(self, source: str, to: str) -> None:
        wanted = to.lower() if ":rds:" in source and to.isascii() else to
        if RULES[source].fullmatch(wanted) or (":rds:" in source and wanted in ascii_lowercase):
            assert name_for(asked(source, to=to), self.picked, NOW) == wanted
        else:
            with pytest.raises(RestoreRefused, match="cannot be the name of it; give"):
                name_for(asked(source, to=to), self.picked, NOW)
