"""What every handler does around its stage: how much time it has, and what it leaves behind."""

import math
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics

from holdfast.core.model import Request
from holdfast.core.report import Report
from holdfast.ports import Deadline, RecordStore
from holdfast.telemetry import tell
from holdfast.usecases.publish import Published

MOST_OUTCOMES = 50
"""Outcomes in a summary."""

MOST_OUTCOMES_OF_DRY_RUN = 4000
"""A dry run is not recorded, so its answer is all there is: as much as Lambda's 6 MB takes."""


class Timed(Protocol):
    """What Lambda's context tells, be it Powertools' or the durable SDK's type of it."""

    def get_remaining_time_in_millis(self) -> int: ...


def deadline_of(context: Timed | None) -> Deadline:
    """The seconds that the invocation has left. The durable SDK's own test runner has no such context, and no
    end."""
    if context is None:
        return lambda: math.inf
    return lambda: context.get_remaining_time_in_millis() / 1000


def finish(
    report: Report | None, request: Request, records: RecordStore, logger: Logger, metrics: Metrics
) -> dict[str, Any]:
    """Log the report, count it, store it whole, and answer with its summary. A dry run stores nothing, and a
    hint that led to nothing has no report."""
    if report is None:
        return {"plan": request.plan, "hint": "nothing to do now"}
    tell(report, logger, metrics)
    summary = _summary(report, request)
    return summary if report.dry_run else summary | {"record": records.save(report)}


def finish_run(published: Published, request: Request, logger: Logger, metrics: Metrics) -> dict[str, Any]:
    """Log and count the run's report, and answer with its summary and the message that people got."""
    tell(published.report, logger, metrics)
    message = published.message
    told = {"subject": message.subject, "text": message.text, "sent": published.sent}
    return _summary(published.report, request) | told


def _summary(report: Report, request: Request) -> dict[str, Any]:
    usual = MOST_OUTCOMES_OF_DRY_RUN if report.dry_run else MOST_OUTCOMES
    return report.to_dict(most=usual if request.most is None else min(request.most, usual))
