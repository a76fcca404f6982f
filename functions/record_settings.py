"""Record the settings of what a plan protects, for a restore when it is gone. Its role can only read them."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import begin, deadline_of, tell_recorded
from holdfast.usecases.record import record_settings

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    deadline = deadline_of(context)
    app, now = bootstrap(deadline), datetime.now(UTC)
    request = parse_request(event, now, run=context.aws_request_id)
    begin(request, "settings", logger)
    plan = app.plans.get(request.plan)
    return tell_recorded(record_settings(app.record_ports, plan, request, app.home, now, deadline), logger)
