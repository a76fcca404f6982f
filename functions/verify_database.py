"""Ask a restored database by SQL whether it is what it should be. It stands in the databases' network."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from holdfast.bootstrap import bootstrap
from holdfast.stage import deadline_of, tell_verdict
from holdfast.usecases.verify_database import verify_database

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    deadline = deadline_of(context)
    ports = bootstrap(deadline).verify_ports
    return tell_verdict(verify_database(ports, event, deadline), logger)
