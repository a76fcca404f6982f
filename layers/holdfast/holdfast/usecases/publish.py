"""The last stage: one message about the whole run, whatever failed before it."""

import json
from dataclasses import dataclass, replace

from holdfast.core.errors import ProviderError
from holdfast.core.message import subject, text
from holdfast.core.model import Request
from holdfast.core.report import SCHEMA, Report, Stage, combine
from holdfast.ports import Message, Notifier, RecordStore

MOST_BYTES = 180_000
"""Of the message for machines. SNS takes 262,144 for it and the text for people (at most 60 KB) together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The run's report, and whether a message went out for it: not in a dry run, and never twice."""

    report: Report
    message: Message
    sent: bool


def publish_report(records: RecordStore, notifier: Notifier, request: Request) -> Published:
    """Combine the stages' records, tell people, and keep the result as the run's own record.

    Needs no plan, so that a plan that cannot be read is told too. The same report is not sent a second
    time: an invocation that AWS repeats sends nothing new.
    """
    stages: dict[Stage, Report | None] = {}
    problems = list(request.problems)
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        try:
            stages[stage] = records.load(request.plan, request.slot, stage)
        except ProviderError as error:  # a record that is lost must not cost people their message
            problems.append(f"the record of {stage}_backups cannot be read ({error})")
    report = replace(combine(stages, request.plan, request.slot, problems), dry_run=request.dry_run)
    message = Message(
        subject=subject(report),
        text=text(report, records.address(request.plan, request.slot, Stage.REPORT)),
        data=_fitting(report),
        attributes={"status": str(report.status), "plan": report.plan, "schema": SCHEMA},
    )
    if request.dry_run or _was_told(records, report):
        return Published(report=report, message=message, sent=False)
    notifier.publish(message)
    records.save(report)
    return Published(report=report, message=message, sent=True)


def _fitting(report: Report) -> str:
    """The report as JSON, with as many outcomes as fit, failures first."""
    most = len(report.outcomes)
    while True:
        data = json.dumps(report.to_dict(most=most))
        # SNS wants the JSON as a string within JSON, where each of its quotes becomes two characters.
        if len(json.dumps(data)) <= MOST_BYTES or most == 0:
            return data
        most = most * 2 // 3


def _was_told(records: RecordStore, report: Report) -> bool:
    try:
        told = records.load(report.plan, report.slot, Stage.REPORT)
    except ProviderError:
        return False  # better told twice than never
    # How long the work took is no news: a run that AWS started twice sweeps twice.
    return told is not None and replace(told, seconds=0).to_dict() == replace(report, seconds=0).to_dict()
