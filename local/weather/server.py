"""moto's server with weather around it.

python -m local.weather.server --port <port> --latency-ms 30 --limit CreateBackup=50
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import run_simple

from local.sandbox import HOUSE_ROLE
from local.weather import pages
from local.weather.forecast import Forecast
from local.weather.layer import Weather
from local.weather.truth import Log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `serve` wants to know."""
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to each call")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="OPERATION=CALLS", help="calls a second, at most"
    )
    parser.add_argument("--truth", type=Path, help="a file for the log of the functions' calls")


def forecast_of(arguments: argparse.Namespace) -> Forecast:
    """Calm, for everyone, with the latency and the limits that are asked for."""
    named = (limit.partition("=") for limit in arguments.limit)
    rates = {operation: int(calls) for operation, _, calls in named}
    asked = bool(rates or arguments.latency_ms)
    return Forecast(latency_ms=arguments.latency_ms, rates=rates, everyone=asked)


def serve(arguments: argparse.Namespace, teach: Callable[[Weather], None] = lambda _: None) -> None:
    """Run moto with this weather until the process is ended. `teach` is called before it listens."""
    weather = Weather(
        DomainDispatcherApplication(create_backend_app),
        forecast=forecast_of(arguments),
        log=Log(arguments.truth),
        caller_of=caller_of,
    )
    teach(weather)
    pages.teach(lambda: weather.page_size)
    run_simple("127.0.0.1", arguments.port, weather, threaded=True, request_handler=_RequestHandler)


@cache
def caller_of(access_key: str) -> str:
    """The ARN of the function's session that an access key is of; empty of the house's keys and of unknown
    ones."""
    if not access_key.startswith("ASIA"):  # as the ids of an assumed role's keys do
        return ""
    for regions in list(sts_backends.values()):
        for backend in list(regions.values()):
            if role := backend.get_assumed_role_from_access_key(access_key):
                return "" if f":assumed-role/{HOUSE_ROLE}/" in role.arn else str(role.arn)
    return ""


class _RequestHandler(MotoRequestHandler):
    # Head and body are written separately; the second would wait for the first one's acknowledgement.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No line for each request: `Log` has them."""


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(_parser)
    serve(_parser.parse_args())
