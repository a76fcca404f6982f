"""What the parts of the benchmark agree on."""

import json

STACK = "bench"
PLAN = "nightly"
BUCKET = "bench-reports"
SLOT = "2026-11-22T02:00:00Z"
LATENCY_MS = 30
CREATE_BACKUP_LIMIT = 50
"""DynamoDB's published CreateBackup calls a second, per account and Region."""

TAGS = {"holdfast:plan": PLAN, "team": "orders", "stage": "production"}

PLAN_DOCUMENT = json.dumps(
    {"name": PLAN, "select": {"tags": {"holdfast:plan": PLAN}}, "keep": {"daily": 7, "minimum": 2}}
)


def table_name(number: int) -> str:
    return f"orders-{number:05d}"
