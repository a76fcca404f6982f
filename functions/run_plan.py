"""Run a plan for a slot: the stages in their order, and the waiting between them."""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import begin, deadline_of
from holdfast.usecases.run import run_plan

logger = Logger()


@durable_execution
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    app = bootstrap(deadline_of(context.lambda_context))
    run = app.durable_run(context)
    request = parse_request(event, run.started(), also=("at",), run=run.id)
    begin(request, "run", logger)
    return run_plan(run, app.plans, request)
