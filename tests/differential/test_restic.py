"""Which backups are kept, next to the real restic: `restic forget` decides the same schedules.

Compared are, for each schedule, the instants that are kept: of two backups of one instant, restic keeps
either and Holdfast the one with the higher ARN. restic 0.14 and 0.15 do not keep the oldest; no restic has a
floor, so that it is 1 here.

The slow test prints its figures: `pytest -rP -m slow tests/differential`. A batch is decided again with
`SCHEDULES='adversarial 17' pytest -rP -k one_batch tests/differential`.
"""

import os
import time
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from holdfast.core.model import Backup, BackupState, KeepPolicy, Mark
from holdfast.core.retention import decide, describe
from holdfast.core.spans import Span
from local.restic import PACKAGE, Restic, a_repository, find
from tests.builders import DATABASE, HOME_REGION, STACK
from tests.differential.schedules import LAST, RULES, ZONES, Batch, adversarial, natural

GENERATORS: Mapping[str, Callable[[int], Batch]] = {"adversarial": adversarial, "natural": natural}
QUICK_BATCHES = {"adversarial": 24, "natural": 10}
"""600 and 100 schedules."""
LONG_BATCHES = {"adversarial": 400, "natural": 200}
"""10,000 and 2,000 schedules."""
ONE_BATCH = os.environ.get("SCHEDULES", "")
PARTS = 4
"""The long test runs in so many parts of each kind, for as many processes."""


@pytest.fixture(scope="module")
def restic() -> Restic:
    found = find()
    if found is None:
        pytest.skip(f"there is no restic here: install {PACKAGE}")
    if not (0, 14) <= found.version < (0, 16):
        pytest.skip(f"restic is {found.version}; after 0.15 it keeps the oldest: install {PACKAGE}, 0.14")
    return found


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was compared, and where the two disagreed."""

    schedules: int = 0
    backups: int = 0
    kept: int = 0
    clamped: int = 0
    restic_seconds: float = 0.0
    own_seconds: float = 0.0
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.schedules:,} schedules with {self.backups:,} backups, {self.kept:,} kept by restic; "
            f"{self.restic_seconds:.1f} s in restic, {self.own_seconds:.1f} s in Holdfast; "
            f"{self.clamped:,} schedules where Holdfast may keep more; "
            f"{len(self.disagreements):,} disagreements"
        )


@pytest.mark.parametrize("kind", GENERATORS)
def test_restic_keeps_the_same(kind: str, restic: Restic) -> None:
    _assert_agreement(restic, (GENERATORS[kind](number) for number in range(QUICK_BATCHES[kind])), kind)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", GENERATORS)
def test_restic_keeps_the_same_of_many(kind: str, part: int, restic: Restic) -> None:
    size = LONG_BATCHES[kind] // PARTS
    numbers = range(part * size, (part + 1) * size)
    _assert_agreement(restic, map(GENERATORS[kind], numbers), f"{kind}, part {part + 1} of {PARTS}")


if ONE_BATCH:

    def test_restic_keeps_the_same_of_one_batch(restic: Restic) -> None:
        kind, number = ONE_BATCH.split()
        _assert_agreement(restic, [GENERATORS[kind](int(number))], ONE_BATCH)


def test_a_batch_is_always_the_same() -> None:
    for generate in GENERATORS.values():
        assert generate(3) == generate(3)
        assert generate(3) != generate(4)


def test_the_schedules_hold_what_they_are_meant_to_hold() -> None:
    """What the comparison is worth rests on these cases being among those compared."""
    batches = [adversarial(number) for number in range(QUICK_BATCHES["adversarial"])]
    local = [
        [moment.astimezone(ZoneInfo(batch.zone)) for moment in one]
        for batch in batches
        for one in batch.schedules
    ]
    everything = [moment for one in local for moment in one]
    assert {batch.zone for batch in batches} == set(ZONES)
    assert any(moment.isocalendar().week == 53 for moment in everything)
    assert any(moment.isocalendar().year > moment.year for moment in everything)
    assert any((moment.month, moment.day) == (2, 29) for moment in everything)
    assert any(moment.fold for moment in everything)
    assert any(len(set(one)) < len(one) for one in local)
    for rule in RULES:
        assert any(getattr(batch.policy, rule) and not batch.policy.within for batch in batches)
    assert any(batch.policy.within and not any(batch.policy.counts) for batch in batches)
    assert any(batch.policy.within and any(batch.policy.counts) for batch in batches)
    assert any(_is_clamped(batch.policy.within, max(one)) for batch in batches for one in batch.schedules)


def _assert_agreement(restic: Restic, batches: Iterable[Batch], title: str) -> None:
    figures = Figures()
    for batch in batches:
        _compare(restic, batch, figures)
    print(f"{title}: {figures}")
    assert not figures.disagreements, "\n".join(figures.disagreements[:5])


def _compare(restic: Restic, batch: Batch, figures: Figures) -> None:
    zone = ZoneInfo(batch.zone)
    with a_repository(restic) as repository:
        for number, moments in enumerate(batch.schedules):
            repository.add(str(number), (moment.astimezone(zone) for moment in moments))
        forgotten = repository.forget(_options(batch.policy), batch.zone)
    figures.restic_seconds += repository.seconds
    assert forgotten.keys() == {str(number) for number in range(len(batch.schedules))}
    for number, moments in enumerate(batch.schedules):
        theirs = forgotten[str(number)]
        assert sorted(theirs.keep + theirs.remove) == sorted(moments), "restic did not read what was written"
        clamped = _is_clamped(batch.policy.within, max(moments))
        backups = _backups(moments)
        started = time.perf_counter()
        verdicts = decide(backups, batch.policy, LAST, zone)
        figures.own_seconds += time.perf_counter() - started
        ours = [one.backup.mark.slot for one in verdicts if one.keep and one.backup.mark is not None]
        figures.schedules += 1
        figures.backups += len(moments)
        figures.kept += len(theirs.keep)
        figures.clamped += clamped
        difference = _difference(ours, theirs.keep, ours_may_be_more=clamped)
        if difference:
            figures.disagreements.append(
                f"{batch.name}, schedule {number} of {len(moments)} backups, {describe(batch.policy)}, "
                f"{batch.zone}: {difference}. Again: SCHEDULES='{batch.name}'"
            )


def _options(policy: KeepPolicy) -> list[str]:
    """The policy as options of `restic forget`."""
    counts = [f"--keep-{rule}={count}" for rule in RULES if (count := getattr(policy, rule))]
    return counts if policy.within is None else [*counts, f"--keep-within={policy.within}"]


def _difference(ours: Sequence[datetime], theirs: Sequence[datetime], *, ours_may_be_more: bool) -> str:
    """The newest instant of which not as many are kept on both sides, in words; nothing if there is none."""
    here, there = Counter(ours), Counter(theirs)
    for moment in sorted({*here, *there}, reverse=True):
        own, other = here[moment], there[moment]
        if own < other or (own > other and not ours_may_be_more):
            utc = moment.astimezone(UTC)
            return f"of {utc:%Y-%m-%dT%H:%M:%SZ} restic keeps {other} and Holdfast {own}"
    return ""


def _is_clamped(within: Span | None, newest: datetime) -> bool:
    """Whether the month in which `within` begins has no such day as that of the newest backup.

    A month before 31 March there is no 31 February. restic goes on counting, to 3 March, so that on
    1 April more is kept again; Holdfast takes the month's last day, and so keeps more.
    """
    if within is None:
        return False
    year, month0 = divmod(newest.year * 12 + newest.month - 1 - within.years * 12 - within.months, 12)
    return newest.day > monthrange(year, month0 + 1)[1]


def _backups(moments: Sequence[datetime]) -> list[Backup]:
    """As `tests.builders.a_backup` makes them, but for millions of them, and with ARNs of their own."""
    return [
        Backup(
            kind="rds",
            arn=f"{DATABASE}-{number}",
            id=str(number),
            region=HOME_REGION,
            source=DATABASE,
            state=BackupState.AVAILABLE,
            mark=Mark(stack=STACK, plan="nightly", slot=moment, source=DATABASE),
        )
        for number, moment in enumerate(moments)
    ]
