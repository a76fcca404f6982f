"""What the page calls things: the same at the top, in the table and in its filters."""

from holdfast.core.posture import Health

HEALTH = {
    Health.MISSING: "not recoverable",
    Health.OVERDUE: "too old",
    Health.UNKNOWN: "not known",
    Health.WAITING: "new",
    Health.RETIRED: "retired",
    Health.OK: "ok",
}

TONES = {
    Health.MISSING: "bad",
    Health.OVERDUE: "bad",
    Health.UNKNOWN: "bad",
    Health.WAITING: "unsure",
    Health.RETIRED: "plain",
    Health.OK: "fine",
}

_KINDS = {"dynamodb": "DynamoDB", "rds": "RDS", "aurora": "Aurora", "ebs": "EBS"}


def kind_word(kind: str) -> str:
    """As AWS writes it."""
    return _KINDS.get(kind, kind)
