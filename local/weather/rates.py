"""How often AWS lets an operation be called, per account and Region."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Protocol


class Rate(Protocol):
    """Something that admits calls, or does not."""

    def admits(self) -> bool:
        """Whether the call that arrives now is let through."""


class Limit:
    """At most `per_second` calls within any second. What is refused does not count.

    A sliding window, the stricter of the two usual ways: a token bucket that holds a second's worth lets
    twice as many through in the first second after a rest.
    """

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._admitted: deque[float] = deque()
        self._lock = Lock()

    def admits(self) -> bool:
        with self._lock:
            now = self._clock()
            while self._admitted and self._admitted[0] <= now - 1:
                self._admitted.popleft()
            if len(self._admitted) >= self._per_second:
                return False
            self._admitted.append(now)
            return True


class Bucket:
    """`size` tokens, of which `per_second` come back: each call takes one. EC2's developer guide ("Request
    throttling for the Amazon EC2 API") describes its limits so."""

    def __init__(self, size: int, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(size)
        self._at = clock()
        self._lock = Lock()

    def admits(self) -> bool:
        with self._lock:
            now = self._clock()
            self._tokens = min(self._size, self._tokens + (now - self._at) * self._per_second)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
