"""What an invocation uses of what is paid for."""

import math
import time
from collections import Counter
from collections.abc import Callable
from threading import Lock

from holdfast.core.usage import Usage

_MB_OF_A_GB = 1024


class Meter:
    """Counts from `begin` on, for one invocation at a time. Threads may count at the same time.

    A call is named by botocore's id of its service, in lower case and with hyphens, and its operation:
    `s3.PutObject`, `resource-groups-tagging-api.GetResources`. Each attempt counts, since a repeated one is
    sent and answered like any other.

    Time is counted in whole milliseconds, rounded up, as Lambda's price list has it. What Lambda bills
    besides is not seen from here: the start of an environment, which is before the first invocation, and what
    comes after `usage` was asked for.
    """

    def __init__(self, memory_mb: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """`memory_mb` is the function's; 0 where it is none of Lambda's."""
        self._gb = memory_mb / _MB_OF_A_GB
        self._clock = clock
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._began = clock()

    def begin(self) -> None:
        """Forget what an earlier invocation used."""
        with self._lock:
            self._calls.clear()
            self._began = self._clock()

    def sent(self, call: str) -> None:
        """An attempt of this call is sent."""
        with self._lock:
            self._calls[call] += 1

    def usage(self) -> Usage:
        """What this invocation has used until now."""
        with self._lock:
            # A clock's fractions are no whole microseconds: 0.25 s must not become 251 ms.
            milliseconds = math.ceil(round((self._clock() - self._began) * 1000, 3))
            return Usage(
                invocations=1,
                gb_seconds=self._gb * milliseconds / 1000,
                calls=dict(sorted(self._calls.items())),
            )
