"""Tell people what a run did: one message from the stages' records."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_request
from holdfast.stage import deadline_of, finish_run
from holdfast.usecases.publish import publish_report

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app = bootstrap(deadline_of(context))
    request = parse_request(event, datetime.now(UTC), also=("problems",))
    published = publish_report(app.records, app.notifier, request, app.home)
    return finish_run(published, request, logger, metrics)
