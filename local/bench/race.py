"""The contenders, one after the other, each against a moto of its own with the same tables and weather."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bench.settings import (
    BUCKET,
    CREATE_BACKUP_LIMIT,
    LATENCY_MS,
    PLAN,
    PLAN_DOCUMENT,
    STACK,
    table_name,
)
from local.paths import ROOT
from local.processes import Nursery, free_port
from local.sandbox import Clients, environment
from local.weather import control
from local.weather.pages import PAGE_SIZE

HOLDFAST = "holdfast"
EXTRA_CALLS = 10
"""What a sweep of Holdfast may ask for beside the listings and the creates: the plan, the turn (read, taken,
given back), one empty listing for each other kind of resource (of EBS one of the instances and one of the
volumes), one of the backups when there are none."""
RENEWAL_SECONDS = 6.0
"""How often it may renew its turn meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contender's sweep over `tables` tables, `limit` (or 0) CreateBackup calls a second let through.

    `lost` tables have no backup at its end, `doubled` have more than one. `calls` and `throttled` are
    answers of the server, by operation.
    """

    contender: str
    sweep: int
    tables: int
    limit: int
    seconds: float
    lost: int
    doubled: int
    calls: Mapping[str, int]
    throttled: int
    moto_cpu_seconds: float

    @property
    def total_calls(self) -> int:
        return sum(self.calls.values())

    @property
    def floor_calls(self) -> int:
        """The fewest calls that can do it: pages of the tables, and a create for each; in the second sweep
        pages of the tables and of their backups, and nothing to create."""
        pages = -(-self.tables // PAGE_SIZE)
        return pages + self.tables if self.sweep == 1 else 2 * pages

    @property
    def allowed_calls(self) -> int:
        """The most that Holdfast may make."""
        return self.floor_calls + EXTRA_CALLS + int(self.seconds / RENEWAL_SECONDS)

    @property
    def floor_seconds(self) -> float:
        """The time that the limit alone asks for; 0 without one."""
        return self.tables / self.limit if self.limit else 0.0

    @property
    def moto_share(self) -> float:
        """How busy moto kept one processor while the contender ran."""
        return self.moto_cpu_seconds / self.seconds


def race(contender: str, tables: int, logs: Path, *, limit: int = 0, sweeps: int = 1) -> list[Run]:
    """Let a contender back up the tables, `sweeps` times for one slot."""
    with _server(contender, tables, limit, logs) as server:
        return [_sweep(server, contender, sweep, tables, limit) for sweep in range(1, sweeps + 1)]


def violations(runs: list[Run]) -> list[str]:
    """What Holdfast may not do, as sentences; empty when all is well."""
    found = []
    for run in (run for run in runs if run.contender == HOLDFAST):
        where = f"sweep {run.sweep}, {f'{run.limit} calls a second' if run.limit else 'no limit'}"
        if run.lost or run.doubled:
            found.append(f"{where}: {run.lost} tables without a backup, {run.doubled} with more than one")
        if run.throttled:
            found.append(f"{where}: throttled {run.throttled} times")
        if run.total_calls > run.allowed_calls:
            found.append(f"{where}: {run.total_calls} calls; allowed are {run.allowed_calls}")
    return found


@contextmanager
def _server(contender: str, tables: int, limit: int, logs: Path) -> Iterator[Clients]:
    nursery = Nursery(logs)
    port = free_port()
    command = [
        *(sys.executable, "-m", "local.bench.server", "--port", str(port), "--tables", str(tables)),
        *("--latency-ms", str(LATENCY_MS)),
        *(("--limit", f"CreateBackup={limit}") if limit else ()),
    ]
    name = f"{contender}-{limit or 'no-limit'}"
    try:
        server = nursery.start(f"moto-{name}", command, port=port, variables={}, cwd=ROOT)
        clients = Clients(server.url)
        _prepare(clients)
        yield clients
    finally:
        nursery.stop()


def _prepare(clients: Clients) -> None:
    """A plan and a bucket; and one call of each kind, since moto's first of a service takes half a second."""
    clients("s3").create_bucket(Bucket=BUCKET)
    clients("ssm").put_parameter(Name=f"/{STACK}/plans/{PLAN}", Value=PLAN_DOCUMENT, Type="String")
    clients("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["dynamodb:table"])
    dynamodb = clients("dynamodb")
    made = dynamodb.create_backup(TableName=table_name(0), BackupName="warm-up")
    dynamodb.list_backups()
    dynamodb.delete_backup(BackupArn=made["BackupDetails"]["BackupArn"])


def _sweep(clients: Clients, contender: str, sweep: int, tables: int, limit: int) -> Run:
    control.ask(clients.endpoint, "DELETE")
    told = _run(contender, clients.endpoint)
    log = control.ask(clients.endpoint, "GET")
    operations = log["operations"]
    standing = _standing(clients)
    return Run(
        contender=contender,
        sweep=sweep,
        tables=tables,
        limit=limit,
        seconds=told["seconds"],
        lost=tables - len(standing),
        doubled=sum(number > 1 for number in standing.values()),
        calls={name: tally["calls"] for name, tally in operations.items()},
        throttled=sum(tally["throttled"] for tally in operations.values()),
        moto_cpu_seconds=log["cpu_seconds"],
    )


def _run(contender: str, endpoint: str) -> dict[str, Any]:
    variables = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'holdfast'}"}
    done = subprocess.run(
        [sys.executable, "-m", "local.bench.contenders", contender, endpoint],
        env=environment(variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _standing(clients: Clients) -> Counter[str]:
    """How many backups stand of each table that has any."""
    pages = clients("dynamodb").get_paginator("list_backups").paginate()
    return Counter(one["TableName"] for page in pages for one in page["BackupSummaries"])


def all_races(tables: int, logs: Path, say: Callable[[str], None]) -> Iterator[Run]:
    """Without a limit, then with DynamoDB's. The serial loop is left out of the second: it does not come
    near the limit."""
    for contender in (HOLDFAST, "serial", "threads-16"):
        say(f"{contender}: {tables} tables, no limit")
        yield from race(contender, tables, logs, sweeps=2 if contender == HOLDFAST else 1)
    for contender in (HOLDFAST, "threads-16", "threads-32"):
        say(f"{contender}: {tables} tables, {CREATE_BACKUP_LIMIT} CreateBackup calls a second")
        yield from race(contender, tables, logs, limit=CREATE_BACKUP_LIMIT)
