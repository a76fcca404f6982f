"""The gate that every call of the simulation passes: who calls, what time it is, and what goes wrong.

One thing happens at a time. A second delivery runs to its end inside a call of the first one, so that the
same seed always gives the same order.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    CopySlotsFull,
    HoldListError,
    KeyUnusable,
    NoAnswer,
    NotFound,
    NotReady,
    PlanError,
    ProviderError,
    QuotaReached,
    Throttled,
)
from holdfast.core.model import Home, Plan, Request

LIFETIME = 900.0
"""Seconds after which Lambda ends a function."""


class Killed(BaseException):
    """The process dies in the middle of whatever it does. Nothing but its own boundary catches this."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        super().__init__(f"{process.name} was killed")


class Surprise(Exception):
    """What no port should raise: a bug in an adapter."""


@dataclass(slots=True, eq=False)
class Process:
    """One invocation of a function. `ends_at` is when Lambda ends it, on the simulation's clock.

    `skew` is how far its clock is ahead. `where` names the deployment, `stack` its stack. `plan` and
    `request` are known once it has read them, `approved` what a person read whose digest it was given.
    `unlisted` has the kinds of which a whole listing failed, `looked` the resources that it has looked at and
    not deleted from since. It is `looking` from the first listing of such a look to the deletion.
    """

    name: str
    number: int
    began: float
    ends_at: float
    skew: float = 0.0
    where: str = ""
    stack: str = ""
    home: Home | None = None
    plan: Plan | None = None
    request: Request | None = None
    approved: frozenset[str] = frozenset()
    dead: bool = False
    unlisted: set[str] = field(default_factory=set)
    looked: set[tuple[str, str]] = field(default_factory=set)
    looking: bool = False
    holds_unread: bool = False


@dataclass(slots=True, kw_only=True)
class Odds:
    """How likely each misfortune is, at each call."""

    error: float = 0.0
    lost_answer: float = 0.0
    death: float = 0.0
    slow: float = 0.0
    interlude: float = 0.0


CALM = Odds()

_COMMON = (Throttled, Throttled, NoAnswer, AccessDenied, ProviderError, Surprise)
_ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "resources": (Throttled, NoAnswer, AccessDenied, Surprise),
    "backups": (Throttled, NoAnswer, AccessDenied, ProviderError, Surprise),
    "create": (*_COMMON, NotReady, NotFound, QuotaReached),
    "copy": (*_COMMON, NotReady, NotFound, QuotaReached, CopySlotsFull, CopySlotsFull, KeyUnusable),
    "delete": (*_COMMON, NotReady, NotFound),
    "plans": (Throttled, NoAnswer, AccessDenied, PlanError, Surprise),
    "holds": (Throttled, NoAnswer, AccessDenied, HoldListError, Surprise),
    "turns": (Throttled, NoAnswer, AccessDenied, Surprise),
    "save": (Throttled, NoAnswer, AccessDenied, Surprise),
    "load": (Throttled, NoAnswer, AccessDenied, ProviderError, Surprise),
    "told": (Throttled, NoAnswer, AccessDenied, ProviderError, Surprise),
    "everyone": (Throttled, NoAnswer, AccessDenied, Surprise),
    "slots": (Throttled, NoAnswer, AccessDenied, Surprise),
    "prices": (Throttled, NoAnswer, AccessDenied),
    "posture": (Throttled, NoAnswer, AccessDenied, ProviderError, Surprise),
    "drills": (Throttled, NoAnswer, AccessDenied, ProviderError, Surprise),
    "keep": (Throttled, NoAnswer, AccessDenied, Surprise),
    "page": (Throttled, NoAnswer, AccessDenied, Surprise),
    "tell": (Throttled, NoAnswer, AccessDenied, Surprise),
    "publish": (Throttled, NoAnswer, AccessDenied, Surprise),
}
"""What each operation may be answered, with nothing done."""

_LOSABLE = frozenset({"create", "copy", "delete", "save", "tell", "publish", "keep", "page"})
"""Operations whose answer may be lost after they took effect."""

_CHANGES = frozenset({"create", "copy", "delete"})
_LISTINGS = frozenset({"resources", "backups"})
_TAKING_TURNS = frozenset({"create", "copy"})
"""The stages of which two sweeps never act at the same time."""

_CROWD = 5
"""How much likelier others act between what such a stage has listed and what it does."""


def made_up(error: type[Exception], subject: str, operation: str) -> Exception:
    """An error of the class, about the subject."""
    if issubclass(error, ProviderError):
        return error("simulated", subject, operation, error.__name__, "made up")
    if issubclass(error, PlanError | HoldListError):
        return error(subject, ["made up"])
    return error(f"{operation} of {subject}: a bug")


@dataclass(slots=True, kw_only=True)
class Gate:
    """Where all calls pass. `interlude` is what else happens in the middle of a call.

    `lasting` has, by operation, kind and place, errors that are raised each time. `crash_at` is the number of
    the one call, counted by `calls`, at which the process is killed, before its effect or after (`late`).
    """

    random: Random
    start: datetime
    odds: Odds = field(default_factory=Odds)
    seconds: float = 0.0
    interlude: Callable[[], None] = lambda: None
    lasting: dict[tuple[str, str, str], type[Exception]] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)
    calls: int = 0
    crash_at: int = 0
    late: bool = False
    trace: list[str] | None = None
    _made: int = 0
    _depth: int = 0

    @property
    def now(self) -> datetime:
        """The simulation's true time."""
        return self.start + timedelta(seconds=self.seconds)

    @property
    def process(self) -> Process | None:
        """Whose call this is."""
        return self.processes[-1] if self.processes else None

    def note(self, line: str) -> None:
        """A line of the trace."""
        if self.trace is not None:
            who = self.process.name + f"#{self.process.number}" if self.process else "people"
            self.trace.append(f"{self.now:%m-%d %H:%M:%S} {who}: {line}")

    def fault(self, kind: str, about: str) -> None:
        """Count what goes wrong."""
        self.faults[kind] += 1
        self.note(f"!! {kind}: {about}")

    @contextmanager
    def within(self, name: str, lifetime: float = LIFETIME) -> Iterator[Process]:
        """A new process, which makes all calls until it is over."""
        self._made += 1
        process = Process(name=name, number=self._made, began=self.seconds, ends_at=self.seconds + lifetime)
        if self.odds is not CALM:
            process.skew = self.random.choice((0.0, 0.0, 0.0, 45.0, -90.0, 200.0, -200.0))
        self.processes.append(process)
        try:
            yield process
        finally:
            process.dead = True
            self.processes.pop()

    def call[T](
        self, operation: str, subject: str, effect: Callable[[], T], *, kind: str = "", place: str = ""
    ) -> T:
        """Let a call happen, or go wrong."""
        process = self.process
        if process is None:  # people, who are never in bad luck
            return effect()
        self.calls += 1
        self._live(process)
        dies = self.calls == self.crash_at
        error = None
        late = operation in _CHANGES or (process.name in _TAKING_TURNS and self._late_listing(operation))
        if self.odds is CALM:
            self.seconds += 0.05
        else:
            dies = dies or self.random.random() < self.odds.death
            if not late:
                self._let_pass(process)
            error = self._weather(operation, subject, kind, place)
        if dies and not self._dies_late(operation):
            self._die(process, f"before {operation} of {subject}")
        if error is not None:
            self.fault(f"{operation}: {type(error).__name__}", subject)
            raise error
        result = effect()
        if late and self.odds is not CALM:
            self._let_pass(process, _CROWD if operation in _LISTINGS else 1)
        if self.trace is not None:
            self.note(f"{operation} {kind} {place} {subject}: {_short(result)}")
        if dies:
            self._die(process, f"after {operation} of {subject}")
        if operation in _LOSABLE and self.odds is not CALM and self.random.random() < self.odds.lost_answer:
            self.fault(f"{operation}: answer lost", subject)
            raise self._lost(operation, subject, kind)
        return result

    def _late_listing(self, operation: str) -> bool:
        """Whether a listing shows what was, since its answer is slow."""
        return operation in _LISTINGS and self.odds is not CALM and self.random.random() < 0.5

    def _dies_late(self, operation: str) -> bool:
        if self.crash_at:
            return self.late
        return self.random.random() < 0.6

    def _weather(self, operation: str, subject: str, kind: str, place: str) -> Exception | None:
        """The error that comes instead of the effect, if any."""
        lasting = self.lasting.get((operation, kind, place))
        if lasting is not None:
            return made_up(lasting, subject, operation)
        # What changes something is rare, and gets more than its share.
        if self.random.random() < self.odds.error * (4 if operation in _CHANGES else 1):
            return made_up(self.random.choice(_ERRORS[operation]), subject, operation)
        return None

    def _let_pass(self, process: Process, crowd: int = 1) -> None:
        """Time passes, and others act.

        What changes the cloud takes effect at once, and is slow only in its answer: between the last look, or
        the question for the turn, and that call nobody can be kept out. A look before a deletion is several
        calls, between which nobody acts for the same reason. A listing may be slow in its answer too, where
        turns keep others out.
        """
        random, odds = self.random, self.odds
        self.seconds += random.random() * 0.4
        if random.random() < odds.slow:
            self.faults["slow call"] += 1
            self.seconds += random.choice((10.0, 30.0, 200.0, 600.0))
            self._live(process)
        if self._depth == 0 and not process.looking and random.random() < crowd * odds.interlude:
            self.meanwhile()
            self._live(process)

    def meanwhile(self) -> None:
        """Somebody else acts, to the end, before this call goes on."""
        self._depth += 1
        try:
            self.interlude()
        finally:
            self._depth -= 1

    def _lost(self, operation: str, subject: str, kind: str) -> Exception:
        if operation in ("create", "copy") and kind in ("rds", "aurora") and self.random.random() < 0.5:
            # The adapter sent it again by itself.
            return made_up(AlreadyExists, subject, operation)
        return made_up(NoAnswer, subject, operation)

    def _live(self, process: Process) -> None:
        """What is dead, or out of time, makes no more calls."""
        if process.dead:
            raise Killed(process)
        if self.seconds > process.ends_at:
            self._die(process, "since its time was over")

    def _die(self, process: Process, how: str) -> None:
        self.fault("crash", how)
        self.died.append(process.name)
        process.dead = True
        raise Killed(process)

    def deadline(self, process: Process) -> Callable[[], float]:
        """The seconds that a process has left."""
        return lambda: process.ends_at - self.seconds


def _short(result: object) -> str:
    if isinstance(result, list | tuple):
        return f"{len(result)}"
    text = getattr(result, "arn", None)
    return str(text) if text else str(result)[:60]
