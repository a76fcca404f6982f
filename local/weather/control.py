"""How another process changes the weather of a running cloud, and reads what was true."""

import json
import urllib.request
from typing import Any

from local.weather.forecast import Forecast

PATH = "/_weather"
"""`GET` gives the log and the forecast, `DELETE` too and begins a new log, `PUT` takes a forecast."""


def ask(server: str, method: str, forecast: Forecast | None = None) -> dict[str, Any]:
    """What the server at this URL answers."""
    body = None if forecast is None else json.dumps(forecast.to_dict()).encode()
    request = urllib.request.Request(server + PATH, data=body, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        told: dict[str, Any] = json.load(answer)
    return told


def let_it_be(server: str, forecast: Forecast) -> None:
    """From now on, have this weather."""
    ask(server, "PUT", forecast)
