"""Run a plan for a slot: the stages in their order, and the waiting between them."""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_lambda_powertools import Logger

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import deadline_of
from holdfast.usecases.run import run_plan

logger = Logger()


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, object]:
    context.set_logger(logger)
    app = bootstrap(deadline_of(context.lambda_context))
    run = app.durable_run(context)
    return run_plan(run, app.plans, parse_request(event, run.started()))
