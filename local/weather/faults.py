"""What befalls a call: the same each time that the same call is made in the same weather."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from local.weather.calls import Call
from local.weather.forecast import Fault, Forecast, Rule


def draw(*what: object) -> float:
    """A number from 0 up to 1, the same for the same arguments in any process."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def fault_of(call: Call, forecast: Forecast) -> Fault | None:
    """What befalls this call, by the first of the rules that hits it."""
    return next(
        (
            rule.fault
            for number, rule in enumerate(forecast.rules)
            if matches(call.operation, rule.operations) and _hits(number, rule, call, forecast.seed)
        ),
        None,
    )


def latency_of(call: Call, forecast: Forecast) -> float:
    """How many seconds it is on its way."""
    jitter = forecast.jitter_ms and forecast.jitter_ms * draw(forecast.seed, "latency", *call.identity)
    return (forecast.latency_ms + jitter) / 1000


def matches(operation: str, patterns: Sequence[str]) -> bool:
    """Whether an operation is one of those."""
    return any(fnmatchcase(operation, pattern) for pattern in patterns)


def _hits(number: int, rule: Rule, call: Call, seed: int) -> bool:
    """Whether a spell of the rule began at this call, or at one not long before it."""
    *what, nth = call.identity
    return any(
        draw(seed, number, *what, at) < rule.share for at in range(max(1, nth - rule.spell + 1), nth + 1)
    )
