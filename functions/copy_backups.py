"""Copy a plan's backups to its other Regions. The only function whose role may copy."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import begin, deadline_of, finish
from holdfast.usecases.copy import copy_backups

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    deadline = deadline_of(context)
    app = bootstrap(deadline)
    request = parse_request(event, datetime.now(UTC), also=("hint",), run=context.aws_request_id)
    begin(request, "copy", logger)
    plan = app.plans.get(request.plan)
    report = copy_backups(app.copy_ports, plan, request, app.home, deadline)
    return finish(report, request, app.records, app.patience.usage, logger, metrics)
