"""How long a call is tried: again while that may help, and never past the end of the invocation.

botocore repeats failed calls too, out of a quota that all calls of a client share: 500, of which a repetition
takes 14, of a throttled call 5, and a call that succeeded at once gives 1 back (`botocore/retries`). Where
every third call fails it is empty after some hundreds; from then on nothing is repeated, and no listing of
many pages comes to its end. The quota is there for fleets of clients, which would keep a broken service down.
Holdfast is one client, with few threads and a pace of its own: here each call has its attempts.
"""

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ConnectionError, HTTPClientError  # noqa: A004  botocore's own

from holdfast.adapters.calls import OutOfTime, error_class
from holdfast.adapters.meter import Meter
from holdfast.core.errors import NoAnswer, ProviderError, Throttled
from holdfast.core.usage import Usage
from holdfast.ports import Deadline

RECORD_SECONDS = 30.0
"""What is kept of the invocation's time when the work has to be over: both calls that store the record, one
of which may hang and be repeated, and the answer."""

THROTTLED_PAUSE_SECONDS = 1.0
PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 20.0
"""botocore's own: at most these before the second attempt, twice as long before each further one, and never
longer than the last."""


class Patience:
    """Watches over clients: what is sent, and what is sent again; and counts it."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._left: Deadline = lambda: math.inf
        self._meter = meter or Meter()

    def begin(self, deadline: Deadline) -> None:
        """Count on the time of this invocation from now on. A Lambda environment has one at a time."""
        self._left = deadline
        self._meter.begin()

    def usage(self) -> Usage:
        """What this invocation has used until now."""
        return self._meter.usage()

    def watched[Client: BaseClient](self, client: Client, keep_seconds: float = RECORD_SECONDS) -> Client:
        """The client itself. From now on it raises `OutOfTime` instead of sending what could, by its own
        timeouts, leave less than `keep_seconds`; and it repeats what failed for the moment as often as its
        configuration says, whatever failed before. An answer that did not come whole is a failed one."""
        config: Any = client.meta.config
        watch = _Watch(
            left=self._seconds_left,
            sent=self._meter.sent,
            needed_seconds=config.connect_timeout + config.read_timeout + keep_seconds,
            attempts=config.retries["total_max_attempts"],
        )
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"before-send.{service}", watch.check)
        # botocore's own handlers of this event answer as well, which its stubs do not know.
        pause: Callable[..., Any] = watch.pause
        client.meta.events.register_first(f"needs-retry.{service}", pause)
        client.meta.events.register_first(f"before-parse.{service}", _refuse_what_is_not_whole)
        return client

    def _seconds_left(self) -> float:
        """By the deadline of this invocation, not of the one that the client was made in."""
        return self._left()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """Handlers of botocore's events, for one client."""

    left: Deadline
    sent: Callable[[str], None]
    needed_seconds: float
    attempts: int

    def check(self, *, event_name: str, **_: object) -> None:
        if self.left() < self.needed_seconds:
            raise OutOfTime
        self.sent(event_name.partition(".")[2])  # before-send.s3.PutObject

    def pause(
        self,
        *,
        attempts: int,
        response: tuple[Any, Mapping[str, Any]] | None,
        caught_exception: Exception | None,
        **_: object,
    ) -> float | bool | None:
        """The seconds until the next attempt, or `False` when there is no time for one. `None` leaves the
        answer to botocore, which knows other reasons: an S3 bucket in another Region."""
        failure = _failure(response, caught_exception)
        if failure is None or attempts >= self.attempts:
            return None
        first = THROTTLED_PAUSE_SECONDS if issubclass(failure, Throttled) else PAUSE_SECONDS
        pause = random.random() * min(first * 2 ** (attempts - 1), LONGEST_PAUSE_SECONDS)  # noqa: S311
        return False if self.left() - pause < self.needed_seconds else pause


def _failure(
    response: tuple[Any, Mapping[str, Any]] | None, caught: Exception | None
) -> type[ProviderError] | None:
    """What went wrong, if the same call may succeed in a moment."""
    if response is None:
        return NoAnswer if isinstance(caught, ConnectionError | HTTPClientError) else None
    answer, parsed = response
    # Its status as it was read: botocore raises by it, and has it that of HTTP where S3 alone needs another.
    answer.status_code = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", answer.status_code)
    if answer.status_code < 300:
        return None
    chosen = error_class(parsed.get("Error", {}), answer.status_code)
    return chosen if chosen in (Throttled, NoAnswer) else None


_SERVER_ERROR = 500


def _refuse_what_is_not_whole(
    *,
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    """Have an answer that was cut off read as a server's error.

    botocore does not compare an answer's length with what was announced (it asks urllib3 not to), and reads
    JSON that it cannot parse as an answer without content: half a listing would be an empty one.
    """
    body = response_dict["body"]
    if not isinstance(body, bytes):
        return  # a stream, which tells by itself when it is read
    if not (
        _is_as_long_as_announced(body, operation_model, response_dict["headers"])
        and _is_a_document(body, operation_model, response_dict["status_code"])
    ):
        response_dict |= {"status_code": _SERVER_ERROR, "body": b""}
        customized_response_dict["Error"] = {"Code": "IncompleteAnswer", "Message": "the answer was cut off"}


def _is_as_long_as_announced(body: bytes, operation_model: Any, headers: Mapping[str, str]) -> bool:
    announced = headers.get("content-length", "")
    if (
        operation_model.http.get("method") == "HEAD"
        or "content-encoding" in headers
        or not announced.isdigit()
    ):
        return True
    return len(body) == int(announced)


def _is_a_document(body: bytes, operation_model: Any, status: int) -> bool:
    """Of a JSON service, whether it is an object. XML that does not parse is an error of botocore's own."""
    if operation_model.service_model.resolved_protocol != "json" or status >= 300:
        return True
    if operation_model.output_shape is None:
        return True
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
