"""What a function's cold start is measured against: boto3, and the same clients."""

import os
from typing import Any

import boto3

CLIENTS = [
    boto3.client(service)  # type: ignore[call-overload]
    for service in os.environ["BENCH_CLIENTS"].split()
]


def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    return {"clients": len(CLIENTS)}
