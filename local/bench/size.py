"""How long the functions take to start and how large they get, as built, in Lambda's own runtime."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from local.bench.settings import SLOT, STACK, TAGS, table_name
from local.cloud import Cloud
from local.lambda_runtime import Function, Runtime, runtime_modules
from local.processes import Nursery
from local.sandbox import COPY_REGION

BARE = Path(__file__).with_name("bare")
EVENT = f'{{"plan": "nightly", "slot": "{SLOT}", "dry_run": %s}}'

FASTEST = "99"
"""Calls to RDS a second: the most that the template takes. What waits for its turn to call hides what it does
meanwhile."""

PACE_SECONDS = 0.25
"""A little more than Holdfast leaves between two ListBackups, so that the second invocation need not wait."""

BUILT, PLAIN, UNCOMPILED = "as built", "boto3 alone", "without byte code"

CLIENTS: Mapping[str, str] = {
    "run-plan": "lambda ssm",
    "create-backups": "dynamodb dynamodb rds resourcegroupstaggingapi s3 ssm",
    "copy-backups": "dynamodb dynamodb rds rds resourcegroupstaggingapi s3 ssm",
    "prune-backups": "dynamodb dynamodb rds rds resourcegroupstaggingapi s3 ssm",
    "publish-report": "s3 sns",
}
"""The clients that each function makes on its way through a sweep, but for EC2's, whose model is large: what
EBS costs is to show."""

STARTED = (
    *((name, variant) for name in CLIENTS for variant in (BUILT, PLAIN)),
    ("create-backups", UNCOMPILED),  # one function is enough to show what the layer's byte code saves
)
"""What is started cold: functions and variants of them."""

_REPORTED = re.compile(r"^REPORT .*\tDuration: ([\d.]+) ms", re.MULTILINE)
_INITIALISED = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One cold start. `cold_ms` is what the first invocation takes longer than the second, so what the
    runtime's start, the imports and the making of the clients cost; `init_ms` is the part of it that
    Lambda calls Init. `cpu_ms` is the same difference in processor time, on which a busy machine has
    less effect. `peak_mb` is of the runtime's process, after two invocations."""

    function: str
    variant: str
    cold_ms: float
    init_ms: float
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """All cold starts, and each function's peak after one run over `tables` tables."""

    starts: list[Start]
    tables: int
    peak_mb: Mapping[str, float]
    run_seconds: float

    def median_of(self, function: str, variant: str, what: str) -> float:
        """The median of `cold_ms`, `init_ms`, `cpu_ms` or `peak_mb`."""
        found = [one for one in self.starts if (one.function, one.variant) == (function, variant)]
        return median(float(getattr(one, what)) for one in found)


def measure(tables: int, repeats: int, say: Callable[[str], None]) -> Sizes:
    """Deploy the build, start each function cold `repeats` times, then let a plan run once."""
    with Cloud() as cloud:
        # A runtime that is stopped breaks off its connections, which the server would print a traceback of.
        cloud.gateway.handle_error = lambda *_: None  # type: ignore[method-assign]
        say("deploying the build")
        cloud.deploy(STACK, {"CopyRegion": COPY_REGION, "RdsCallsPerSecond": FASTEST})
        _make_one_of_each(cloud)
        starts = list(_cold_starts(cloud, repeats, say))
        say(f"a run over {tables} tables in the Lambda runtime")
        _make_tables(cloud, range(1, tables))
        began = time.monotonic()
        _invoke(cloud, "run-plan", dry_run=False)
        return Sizes(
            starts=starts,
            tables=tables,
            peak_mb={name: cloud.runtimes[f"{STACK}-{name}"].peak_mb for name in CLIENTS},
            run_seconds=time.monotonic() - began,
        )


def _make_one_of_each(cloud: Cloud) -> None:
    """So that a dry run makes every client."""
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    _make_tables(cloud, range(1))
    rds = cloud.clients("rds")
    login = {"MasterUsername": "bench", "MasterUserPassword": "not-a-secret"}
    rds.create_db_instance(
        DBInstanceIdentifier="shop", DBInstanceClass="db.t4g.micro", Engine="postgres", Tags=tags, **login
    )
    rds.create_db_cluster(DBClusterIdentifier="ledger", Engine="aurora-postgresql", Tags=tags, **login)


def _make_tables(cloud: Cloud, numbers: Iterable[int]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    dynamodb = cloud.clients("dynamodb")

    def make(number: int) -> None:
        dynamodb.create_table(
            TableName=table_name(number),
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=tags,
        )

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(make, numbers))


def _cold_starts(cloud: Cloud, repeats: int, say: Callable[[str], None]) -> Iterator[Start]:
    """In turns, so that what else the machine does falls on all alike."""
    functions = {(name, variant): _variant(cloud, name, variant) for name, variant in STARTED}
    for repeat in range(1, repeats + 1):
        say(f"cold starts, round {repeat} of {repeats}")
        for (name, variant), function in functions.items():
            yield _start(cloud, name, variant, function)


def _variant(cloud: Cloud, name: str, variant: str) -> Function:
    function = cloud.functions[f"{STACK}-{name}"].function
    if variant == PLAIN:
        variables = {**function.variables, "BENCH_CLIENTS": CLIENTS[name]}
        return replace(function, handler="bare.handler", code=BARE, variables=variables)
    if variant == UNCOMPILED:
        return replace(function, layers=tuple(map(_without_byte_code, function.layers)))
    return function


def _without_byte_code(layer: Path) -> Path:
    copy = layer.with_name(layer.name + "-uncompiled")
    if not copy.exists():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(layer, copy, ignore=ignored, copy_function=os.link)
    return copy


def _start(cloud: Cloud, name: str, variant: str, function: Function) -> Start:
    """Invoke a function twice in a runtime of its own. (A durable function's handler runs several times
    in each invocation; the first run of each is compared.)"""
    folder = cloud.folder / "starts"
    nursery = Nursery(folder)
    log = folder / f"{function.name}.log"
    log.unlink(missing_ok=True)
    modules = runtime_modules(cloud.folder / "code" / "runtime")
    endpoints = {"AWS_ENDPOINT_URL": cloud.moto.url, "AWS_ENDPOINT_URL_LAMBDA": cloud.endpoint}
    runtime = Runtime(function, endpoints, nursery, modules)
    try:
        cloud.gateway.functions.runtimes = {**cloud.runtimes, function.name: runtime}

        def invoke() -> tuple[list[float], float]:
            """What the emulator has reported since its start, and the processor time since then."""
            if variant == PLAIN:
                runtime.invoke(b"{}")
            else:
                _invoke(cloud, name, dry_run=True)
            return _durations(log), runtime.cpu_seconds * 1000

        first, first_cpu_ms = invoke()
        time.sleep(PACE_SECONDS)
        both, both_cpu_ms = invoke()
        initialised = _INITIALISED.search(log.read_text())
        return Start(
            function=name,
            variant=variant,
            cold_ms=first[0] - both[len(first)],
            init_ms=float(initialised[1]) if initialised else 0.0,
            cpu_ms=first_cpu_ms - (both_cpu_ms - first_cpu_ms),
            peak_mb=runtime.peak_mb,
        )
    finally:
        cloud.gateway.functions.runtimes = cloud.runtimes
        nursery.stop()


def _invoke(cloud: Cloud, name: str, *, dry_run: bool) -> None:
    """Raises `RuntimeError` when the function does."""
    payload = EVENT % str(dry_run).lower()
    answer = cloud.clients("lambda").invoke(FunctionName=f"{STACK}-{name}", Qualifier="live", Payload=payload)
    if "FunctionError" in answer:
        raise RuntimeError(f"{name}: {answer['Payload'].read()!r}; see {cloud.logs}")


def _durations(log: Path) -> list[float]:
    """What the emulator reported of each run of the handler, in milliseconds; it writes after it answers."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        text = log.read_text()
        durations = [float(found) for found in _REPORTED.findall(text)]
        if durations and len(durations) == text.count("INVOKE START("):
            return durations
        time.sleep(0.01)
    raise RuntimeError(f"the Lambda runtime emulator did not report its invocations in {log}")
