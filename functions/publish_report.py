"""Tell people what a run did: one message from the stages' records."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import begin, deadline_of, finish_run
from holdfast.usecases.publish import publish_report

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app = bootstrap(deadline_of(context))
    also = ("problems", "posture", "unchecked")
    request = parse_request(event, datetime.now(UTC), also, run=context.aws_request_id)
    begin(request, "report", logger)
    published = publish_report(app.records, app.notifier, request, app.home, app.chat, app.patience.usage)
    return finish_run(published, request, logger, metrics)
