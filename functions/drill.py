"""Rehearse restores: make them, check them, remove them, and tell how long they took."""

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.drill_events import parse_drill
from holdfast.stage import begin_drill, deadline_of, tell_drill
from holdfast.usecases.drill import drill, publish_drill, run_drill

logger = Logger()


@durable_execution
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    deadline = deadline_of(context.lambda_context)
    app = bootstrap(deadline)
    run, ports, home = app.durable_steps(context), app.drill_ports, app.home
    started = run.started()
    request = parse_drill(event, started, run.id)
    begin_drill(request, logger)
    return run_drill(
        run,
        lambda: tell_drill(
            drill(ports, request, home, request.said(started, datetime.now(UTC)), deadline), logger
        ),
        lambda ended: publish_drill(app.notifier, ended, home, ports.drills.address(request.id)),
    )
