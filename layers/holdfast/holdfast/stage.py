"""What every handler does around its stage: how much time it has, and what it leaves behind."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics

from holdfast.core.drilling import Drilling, DrillRequest
from holdfast.core.gathered import glance_of
from holdfast.core.model import CheckRequest, Request
from holdfast.core.naming import format_slot
from holdfast.core.posture import Posture
from holdfast.core.recovery import LineState, Recovery, RecoveryRequest
from holdfast.core.report import Report, Stage
from holdfast.core.restoring import Restore, RestoreRequest
from holdfast.core.returning import Return, ReturnRequest
from holdfast.core.usage import Usage
from holdfast.ports import Deadline, RecordStore
from holdfast.telemetry import follow, tell, tell_posture
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


def begin(request: Request, stage: str, logger: Logger) -> None:
    """Have all lines of this invocation bear the run's id, and log that the work begins: what Lambda itself
    logs of it (a time-out) has the invocation's id alone, and this line has both."""
    follow(request, stage, logger)
    logger.info("began")


def begin_check(request: CheckRequest, logger: Logger) -> None:
    """As `begin`, for the check, which is of no plan and slot of its own."""
    logger.append_keys(run=request.run, stage=str(Stage.CHECK))
    logger.info("began")


def begin_restore(request: RestoreRequest, logger: Logger) -> None:
    """As `begin`, for a restore, which is of no plan and slot."""
    logger.append_keys(run=request.id, stage="restore", resource=request.resource, dry_run=request.dry_run)
    logger.info("began")


def tell_restore(restore: Restore, logger: Logger) -> Restore:
    """Log how far a restore is; the same restore."""
    told = {"act": "restore", "state": str(restore.state), "reason": restore.reason, "backup": restore.arn}
    logger.info("looked", extra=told)
    return restore


def tell_recorded(summary: dict[str, Any], logger: Logger) -> dict[str, Any]:
    """Log how many resources' settings are recorded, and which are not; the same summary."""
    state = "pending" if summary["unfinished"] else "done"
    reason = f"{summary['recorded']} of {summary['of']} recorded"
    logger.info("recorded", extra={"act": "record settings", "state": state, "reason": reason})
    for sentence in summary["problems"]:
        logger.warning("unrecorded", extra={"act": "record settings", "state": state, "reason": sentence})
    return summary


def tell_verdict(verdict: dict[str, object], logger: Logger) -> dict[str, object]:
    """Log what a verifier answers; the same answer."""
    told = {"act": "verify", "state": "done" if verdict["passed"] else "failed", "reason": verdict["reason"]}
    logger.info("verified", extra=told)
    return verdict


def begin_drill(request: DrillRequest, logger: Logger) -> None:
    """As `begin`, for a drill, which is of no slot."""
    logger.append_keys(run=request.id, stage="drill", plan=request.plan, dry_run=request.dry_run)
    logger.info("began")


def tell_drill(drilling: Drilling, logger: Logger) -> Drilling:
    """Log how far each rehearsal is; the same drill."""
    for one in drilling.rehearsals:
        told = {"act": "rehearse", "state": str(one.stand), "resource": one.resource, "place": one.place}
        logger.info("looked", extra=told | {"reason": one.why or one.trouble, "backup": one.arn})
    for left in drilling.swept:
        told = {"act": "sweep", "state": "removed" if left.gone else "left", "resource": left.arn}
        logger.info("looked", extra=told | {"reason": left.trouble})
    return drilling


def begin_recovery(request: RecoveryRequest, logger: Logger) -> None:
    """As `begin`, for a recovery, which is of no slot."""
    logger.append_keys(run=request.id, stage="recover", plan=request.plan, dry_run=request.dry_run)
    logger.info("began")


def tell_recovery(recovery: Recovery, logger: Logger) -> Recovery:
    """Log how far each restore in flight is, and in the end what became of all; the same recovery."""
    for one in recovery.lines:
        if recovery.is_over or one.state is LineState.PENDING:
            told = {"act": "recover", "state": str(one.state), "resource": one.resource}
            logger.info("looked", extra=told | {"reason": one.reason, "backup": one.backup})
    for sentence in recovery.problems:
        logger.warning("problem", extra={"act": "recover", "reason": sentence})
    return recovery


def begin_return(request: ReturnRequest, logger: Logger) -> None:
    """As `begin`, for a return of lost items."""
    logger.append_keys(run=request.id, stage="return", resource=request.source, dry_run=request.dry_run)
    logger.info("began")


def tell_return(kept: Return, logger: Logger) -> Return:
    """Log how far a return is, in numbers: no key of an item; the same return."""
    told = {"act": "return", "state": str(kept.state), "reason": kept.reason, "to": kept.target}
    logger.info("looked", extra=told | {"counts": asdict(kept.counts)})
    return kept


def finish(
    report: Report | None,
    request: Request,
    records: RecordStore,
    usage: Callable[[], Usage],
    logger: Logger,
    metrics: Metrics,
) -> dict[str, Any]:
    """Log the report, count it, store it whole, and answer with its summary. A dry run stores nothing, and a
    hint that led to nothing has no report.

    `usage` tells what the invocation has used until then, for the record: the calls that store the record
    are not in it.
    """
    if report is None:
        return {"plan": request.plan, "hint": "nothing to do now"}
    report = replace(report, usage=usage())
    tell(report, logger, metrics)
    summary = _summary(report, request)
    return summary if report.dry_run else summary | {"record": records.save(report)}


def finish_run(published: Published, request: Request, logger: Logger, metrics: Metrics) -> dict[str, Any]:
    """Log and count the run's report, and answer with its summary and the message that people got."""
    tell(published.report, logger, metrics)
    message = published.message
    told = {"subject": message.subject, "text": message.text, "sent": published.sent}
    if published.chat_problem:
        logger.error("problem", reason=published.chat_problem)
        told["chat_problem"] = published.chat_problem
    return _summary(published.report, request) | told


def finish_check(posture: Posture, request: CheckRequest, page: str, logger: Logger) -> dict[str, Any]:
    """Log the posture and tell it in metrics, and answer with a glance at it."""
    tell_posture(posture, logger)
    glance = glance_of(posture, request.plan, page)
    return {"at": format_slot(posture.at), "standing": str(posture.standing), "posture": glance.to_dict()}


def _summary(report: Report, request: Request) -> dict[str, Any]:
    usual = MOST_OUTCOMES_OF_DRY_RUN if report.dry_run else MOST_OUTCOMES
    return report.to_dict(most=usual if request.most is None else min(request.most, usual))
