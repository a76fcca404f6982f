"""Time that a test owns."""

from collections.abc import Callable

from holdfast.adapters.calls import Pace


class Clock:
    """Time that passes only when somebody sleeps, and then `late` seconds more than was asked for."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1000.0
        self.slept = 0.0
        self._late = late

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds + self._late


class CountingPace(Pace):
    """A pace that lets everything through, and tells each time that it was waited for."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__(1)
        self._tell = tell

    def wait(self) -> None:
        self._tell()
