"""Restore one resource from its backups, under a new name. Asked for by a person, on the worst day."""

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.restore_events import parse_restore
from holdfast.stage import begin_restore, deadline_of, tell_restore
from holdfast.usecases.restore import publish_restore, restore, run_restore

logger = Logger()


@durable_execution
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    deadline = deadline_of(context.lambda_context)
    app = bootstrap(deadline)
    run, ports, home = app.durable_steps(context), app.restore_ports, app.home
    request = parse_restore(event, run.started(), app.settings.here, run.id)
    begin_restore(request, logger)
    return run_restore(
        run,
        request,
        lambda: tell_restore(restore(ports, request, datetime.now(UTC), deadline), logger),
        lambda ended: publish_restore(app.notifier, ended, home, ports.restores.address(request.id)),
    )
