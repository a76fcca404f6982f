"""Copy back what a table has lost, out of one that was restored. Asked for by a person."""

from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.return_events import parse_return
from holdfast.stage import begin_return, deadline_of, tell_return
from holdfast.usecases.return_items import publish_return, return_items, run_return

logger = Logger()


@durable_execution
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    deadline = deadline_of(context.lambda_context)
    app = bootstrap(deadline)
    run, ports, home = app.durable_steps(context), app.return_ports, app.home
    regions = (app.settings.here, *app.settings.copy_regions)
    request = parse_return(event, home.account, regions, run.id)
    begin_return(request, logger)
    return run_return(
        run,
        request,
        lambda: tell_return(return_items(ports, request, datetime.now(UTC), deadline), logger),
        lambda ended: publish_return(app.notifier, ended, home, ports.returns.address(request)),
    )
