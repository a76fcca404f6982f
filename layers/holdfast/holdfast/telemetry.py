"""What a stage leaves in the logs and metrics: one line and one count per outcome, in the report's words."""

from aws_lambda_powertools import Logger, Metrics

from holdfast.core.model import Request
from holdfast.core.naming import format_slot
from holdfast.core.posture import Health, Posture
from holdfast.core.report import Outcome, Report, Stage, State
from holdfast.gauges import count_run, count_stage, gauge_posture

_LEVELS = {State.FAILED: "error", State.PENDING: "warning", State.DEFERRED: "warning"}


def follow(work: Request | Report, stage: str, logger: Logger) -> None:
    """Have every line from now on say what it belongs to, until the logger's state is cleared."""
    logger.append_keys(
        run=work.run, plan=work.plan, slot=format_slot(work.slot), stage=stage, dry_run=work.dry_run
    )


def tell(report: Report, logger: Logger, metrics: Metrics) -> None:
    """Log each outcome, refusal and problem with its reason, and count the outcomes by state.

    `docs/logs.md` describes the lines, and the template's saved queries read them. `act` is what two lines
    share that speak of the same act in two sweeps.
    The outcomes of a run were logged by its stages, and are not logged a second time. The metrics are
    `Done`, `Failed`, `Pending`, `Deferred`, `Skipped` and `Seconds`, by `plan`, `stage` and `service`. A dry
    run is logged, and leaves no metrics.
    """
    follow(report, str(report.stage), logger)
    for one in report.by_urgency() if report.stage is not Stage.REPORT else ():
        log = getattr(logger, _LEVELS.get(one.state, "info"))
        log(f"{one.action} {one.state}", **_fields(one))
    for sentence in report.refusals:
        logger.error("refused", act=sentence, state="refused", reason=sentence)
    for sentence in report.problems:
        logger.error("problem", act=sentence, state="problem", reason=sentence)
    for sentence in (*report.notices, *report.warnings):
        logger.warning("notice", act=sentence, state="notice", reason=sentence)
    logger.info(
        "finished",
        status=str(report.status),
        unfinished=report.unfinished,
        counts=report.counts,
        seconds=round(report.seconds, 3),
        usage=report.usage.to_dict(),
    )
    if not report.dry_run:
        count_stage(report, metrics)
        if report.stage is Stage.REPORT:
            count_run(report)


def _fields(one: Outcome) -> dict[str, object]:
    backup = one.key[-1]  # a backup that is not made yet, and the one that was made, are of one act
    return {
        "act": " ".join(filter(None, (one.action, one.kind, one.resource, one.region, backup))),
        "action": str(one.action),
        "state": str(one.state),
        "kind": one.kind,
        "resource": one.resource,
        "region": one.region,
        "backup": one.backup,
        "backup_arn": one.backup_arn,
        "reason": one.reason,
        **({"stuck": True} if one.stuck else {}),
    }


def tell_posture(posture: Posture, logger: Logger) -> None:
    """Log what is in breach, each with its reason, and what could not be looked at; then the numbers. The
    metrics are told besides (`holdfast.gauges`).

    The same is told every hour until it is mended, so none of it is an act of a run.
    """
    for one in posture.breaches:
        log = logger.error if one.health is Health.MISSING else logger.warning
        log(
            "breach",
            plan=one.plan,
            health=str(one.health),
            kind=one.kind,
            resource=one.resource,
            region=one.place,
            reason=one.reason,
        )
    for gap in posture.misnamed:
        logger.warning("breach", health=str(gap.gap), kind=gap.kind, resource=gap.resource, reason=gap.reason)
    for plan in posture.plans:
        if plan.problem:
            logger.error("problem", plan=plan.name, reason=plan.problem)
    for sentence in posture.problems:
        logger.error("problem", reason=sentence)
    for sentence in posture.warnings:
        logger.warning("notice", reason=sentence)
    logger.info(
        "checked",
        at=format_slot(posture.at),
        standing=str(posture.standing),
        resources=len(posture.resources),
        recoverable=len(posture.recoverable),
        breaches=len(posture.breaches) + len(posture.misnamed),
        seconds=round(posture.seconds, 3),
    )
    gauge_posture(posture)
