"""The durable-execution service: AWS's own local runner, and what the gateway asks of it."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.functions import Deployed, function_configs
from local.paths import ROOT
from local.processes import Child, Nursery, free_port
from local.sandbox import ACCOUNT_ID, HOME_REGION

API = "/2025-12-01"
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How a durable execution stands: `status` in AWS's words, its result or its error as JSON text."""

    arn: str
    status: str
    result: str
    error: Mapping[str, Any]


def start_runner(
    functions: Mapping[str, Deployed],
    gateway: str,
    python: str,
    folder: Path,
    nursery: Nursery,
    region: str = HOME_REGION,
) -> Child:
    """Start a Region's runner. It skips what a run would wait, and invokes the handlers at the gateway."""
    configs = folder / f"functions-{region}.json"
    configs.write_text(function_configs(functions))
    port = free_port()
    command = [
        *(python, "-m", "aws_durable_execution_sdk_python_testing.cli", "start-server"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--lambda-endpoint", gateway, "--local-runner-region", region),
        *("--function-configs", f"file://{configs}", "--skip-time", "--log-level", "WARNING"),
    ]
    return nursery.start(f"durable-runner-{region}", command, port=port, variables={}, cwd=ROOT)


def start(runner: str, deployed: Deployed, qualifier: str, payload: str, name: str) -> str:
    """Start an execution. Returns its ARN."""
    body = {
        "AccountId": ACCOUNT_ID,
        "FunctionName": deployed.function.name,
        "FunctionQualifier": qualifier,
        "ExecutionName": name or str(uuid.uuid4()),
        "ExecutionTimeoutSeconds": (deployed.durable or {}).get("ExecutionTimeout", 86400),
        "ExecutionRetentionPeriodDays": (deployed.durable or {}).get("RetentionPeriodInDays", 14),
        "Input": payload,
    }
    request = urllib.request.Request(  # noqa: S310
        f"{runner}/start-durable-execution", data=json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return str(json.load(response)["ExecutionArn"])


def wait(runner: str, arn: str, seconds: float, *, poll_seconds: float = 0.02) -> Execution:
    """Wait until the execution ends. Raises `TimeoutError` when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        execution = get(runner, arn)
        if execution.status in TERMINAL:
            return execution
        time.sleep(poll_seconds)
    raise TimeoutError(f"durable execution {arn} did not end within {seconds:.0f} s")


def get(runner: str, arn: str) -> Execution:
    url = f"{runner}{API}/durable-executions/{quote(arn, safe='')}"
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310
        told = json.load(response)
    return Execution(
        arn=arn, status=told["Status"], result=told.get("Result") or "null", error=told.get("Error") or {}
    )
