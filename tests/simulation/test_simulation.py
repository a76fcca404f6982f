"""Random nights with faults: no unsafe deletion, no duplicate, no false `ok`, and an end as it should be."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation.nights import Result, simulate

RUNS, CHUNKS = 200, 4
ROOT = Path(__file__).parents[2]
PORTS = frozenset(
    {
        "backups",
        "copy",
        "create",
        "delete",
        "load",
        "plans",
        "publish",
        "resources",
        "save",
        "told",
        "turns",
    }
)
MISFORTUNES = frozenset(
    {
        "backup ends as failed",
        "crash",
        "crash of the run",
        "missed night",
        "second delivery of a stage",
        "slow call",
    }
)


def violations_of(results: Sequence[Result]) -> list[str]:
    return [
        f"{each.rule}: {each.text} (python -m tests.simulation --one {one.seed} --trace)"
        for one in results
        for each in one.violations
    ]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_nights_break_no_promise(chunk: int) -> None:
    size = RUNS // CHUNKS
    results = [simulate(seed) for seed in range(1 + chunk * size, 1 + (chunk + 1) * size)]
    assert violations_of(results) == []
    faults = sum((one.faults for one in results), Counter[str]())
    assert faults.total() > 5 * size, "else this proves little"
    assert {kind.partition(":")[0] for kind in faults} >= PORTS | MISFORTUNES
    assert sum(one.deletes for one in results) > size
    assert sum(one.oks for one in results) > size


def digest_in_another_process(seed: int, hash_seed: str) -> str:
    code = f"from tests.simulation.nights import simulate; print(simulate({seed}, trace=True).digest)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_run_call_by_call() -> None:
    here = simulate(35, trace=True)
    assert len(here.trace) > 100
    assert simulate(35).calls == here.calls, "a trace changes nothing"
    assert simulate(36, trace=True).digest != here.digest
    for hash_seed in ("1", "2"):  # sets have another order then
        assert digest_in_another_process(35, hash_seed) == here.digest
