"""What a stage leaves in the logs and metrics: one line and one count per outcome, in the report's words."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from holdfast.core.naming import format_slot
from holdfast.core.report import Report, Stage, State

_LEVELS = {State.FAILED: "error", State.PENDING: "warning", State.DEFERRED: "warning"}


def tell(report: Report, logger: Logger, metrics: Metrics) -> None:
    """Log each outcome, refusal and problem with its reason, and count the outcomes by state.

    The outcomes of a run were logged by its stages, and are not logged a second time. The metrics are
    `Done`, `Failed`, `Pending`, `Deferred`, `Skipped` and `Seconds`, by `plan`, `stage` and `service`. A dry
    run is logged, and leaves no metrics.
    """
    logger.append_keys(
        plan=report.plan, slot=format_slot(report.slot), stage=str(report.stage), dry_run=report.dry_run
    )
    for one in report.by_urgency() if report.stage is not Stage.REPORT else ():
        log = getattr(logger, _LEVELS.get(one.state, "info"))
        log(
            one.reason,
            action=str(one.action),
            state=str(one.state),
            kind=one.kind,
            resource=one.resource,
            region=one.region,
            backup=one.backup,
        )
    for sentence in (*report.refusals, *report.problems):
        logger.error(sentence)
    for sentence in report.notices:
        logger.warning(sentence)
    logger.info("finished", status=str(report.status), counts=report.counts)
    if not report.dry_run:
        _count(report, metrics)


def _count(report: Report, metrics: Metrics) -> None:
    metrics.add_dimension(name="plan", value=report.plan)
    metrics.add_dimension(name="stage", value=str(report.stage))
    for state in State:
        amount = sum(one.state is state for one in report.outcomes)
        metrics.add_metric(name=state.value.capitalize(), unit=MetricUnit.Count, value=amount)
    metrics.add_metric(name="Seconds", unit=MetricUnit.Seconds, value=report.seconds)
