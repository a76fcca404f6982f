"""Restore all that a plan protects in another Region, by one call, on the worst day."""

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.recovery_events import parse_recovery
from holdfast.stage import begin_recovery, deadline_of, tell_recovery
from holdfast.usecases.recover import publish_recovery, recover, run_recover

logger = Logger()


@durable_execution
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    deadline = deadline_of(context.lambda_context)
    app = bootstrap(deadline)
    run, ports, home, here = app.durable_steps(context), app.recover_ports, app.home, app.settings.here
    regions = app.settings.restore_regions
    request = parse_recovery(event, run.started(), regions[0], regions, run.id)
    begin_recovery(request, logger)
    return run_recover(
        run,
        lambda: tell_recovery(recover(ports, request, home, datetime.now(UTC), deadline), logger),
        lambda ended: publish_recovery(app.notifier, ended, home, here, ports.recoveries.address(request)),
    )
