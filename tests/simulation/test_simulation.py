"""Random nights with faults: no unsafe deletion, no duplicate, no false `ok`, and an end as it should be."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.nights import Result, simulate

RUNS = 160
ROOT = Path(__file__).parents[2]
CHUNKS = 4


def violations_of(results: list[Result]) -> list[str]:
    return [
        f"{each.rule}: {each.text} (python -m tests.simulation --one {one.seed} --trace)"
        for one in results
        for each in one.violations
    ]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_nights_break_no_promise(chunk: int) -> None:
    first = 1 + chunk * (RUNS // CHUNKS)
    results = [simulate(seed) for seed in range(first, first + RUNS // CHUNKS)]
    assert violations_of(results) == []
    faults = sum((one.faults for one in results), Counter[str]())
    assert faults.total() > 5 * len(results), "else this proves little"
    assert sum(one.deletes for one in results) > len(results)
    assert sum(one.oks for one in results) > len(results)


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


@pytest.mark.parametrize("seed", [6, 35])
def test_the_same_seed_gives_the_same_run_call_by_call(seed: int) -> None:
    here = simulate(seed, trace=True)
    assert len(here.trace) > 100
    assert simulate(seed, trace=True).trace == here.trace
    assert digest_in_another_process(seed, "1") == here.digest
    assert simulate(seed + 1, trace=True).digest != here.digest


def test_a_trace_changes_nothing() -> None:
    assert simulate(6).calls == simulate(6, trace=True).calls


def test_every_port_fails_in_some_run() -> None:
    faults = sum((simulate(seed).faults for seed in range(300, 340)), Counter[str]())
    failing = {kind.partition(":")[0] for kind in faults}
    ports = {
        "resources",
        "backups",
        "create",
        "copy",
        "delete",
        "plans",
        "turns",
        "save",
        "load",
        "told",
        "publish",
    }
    assert ports <= failing
    assert {"crash", "crash of the run", "slow call", "backup ends as failed", "missed night"} <= failing
