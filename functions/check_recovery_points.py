"""Look at how everything stands: metrics for the alarms, and the page. Its role can only read backups."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.events import parse_check
from holdfast.stage import begin_check, deadline_of, finish_check
from holdfast.usecases.check import check_recovery_points, keep_posture

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app = bootstrap(deadline_of(context))
    request = parse_check(event, datetime.now(UTC), run=context.aws_request_id)
    begin_check(request, logger)
    posture = check_recovery_points(app.check_ports, request, app.home, app.patience.usage)
    return finish_check(keep_posture(app.check_ports, posture), request, app.check_ports.page.address, logger)
