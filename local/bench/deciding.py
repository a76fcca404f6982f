"""Decides once on many backups, in a process of its own: `local.bench.retention` starts it.

python -m local.bench.deciding <resources> <backups of each> '{"daily": 7, …}'
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from holdfast.core.model import (
    Backup,
    BackupState,
    Breaker,
    CopyLaws,
    Home,
    KeepPolicy,
    Mark,
    Plan,
    Request,
    Selection,
)
from holdfast.core.pruning import Standing, plan_prune, tripped

HOME = Home(stack="holdfast", region="us-east-1")
NEWEST = datetime(2024, 12, 1, 2, tzinfo=UTC)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def main() -> None:
    resources, of_each = int(sys.argv[1]), int(sys.argv[2])
    keep = KeepPolicy(**json.loads(sys.argv[3]))
    empty_kb = _peak_kb()
    backups = list(_backups(resources, of_each))
    Random(0).shuffle(backups)  # noqa: S311 -- a listing is in no order that would help
    input_kb = _peak_kb()
    started, started_cpu = time.perf_counter(), time.process_time()
    deletes = _decide(backups, keep)
    told = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - started_cpu,
        "deletes": deletes,
        "empty_kb": empty_kb,
        "input_kb": input_kb,
        "peak_kb": _peak_kb(),
    }
    json.dump(told, sys.stdout)


def _decide(backups: list[Backup], keep: KeepPolicy) -> int:
    """How many are to be deleted."""
    plan = Plan(
        name="nightly",
        select=Selection(),
        keep=keep,
        breaker=Breaker(max_delete_share=1.0, max_deletes_per_run=len(backups)),
    )
    standing = Standing(kind="rds", by_place={HOME.region: backups}, laws=CopyLaws(service="rds"))
    prune = plan_prune([standing], plan, NEWEST, HOME, {})
    refused = tripped(prune, plan, Request(plan=plan.name, slot=NEWEST))
    if refused:
        raise RuntimeError(refused)
    return len(prune.deletes)


def _backups(resources: int, of_each: int) -> Iterator[Backup]:
    """One of each night, the newest of all at `NEWEST`."""
    for name in (f"database-{number:06}" for number in range(resources)):
        source = f"arn:aws:rds:us-east-1:123456789012:db:{name}"
        for nights in range(of_each):
            slot = NEWEST - timedelta(days=nights)
            snapshot = f"holdfast-nightly-{name}-{slot:%Y%m%dt%H%M%Sz}"
            yield Backup(
                kind="rds",
                arn=f"arn:aws:rds:us-east-1:123456789012:snapshot:{snapshot}",
                id=snapshot,
                region=HOME.region,
                source=source,
                state=BackupState.AVAILABLE,
                mark=Mark(stack=HOME.stack, plan="nightly", slot=slot, source=source),
            )


def _peak_kb() -> int:
    """The most memory that the process had so far. Not `getrusage`'s: that begins with the parent's."""
    return int(_PEAK.findall(Path("/proc/self/status").read_text())[0])


if __name__ == "__main__":
    main()
