"""What AWS does in the background, in the time that it takes: backups, copies and exports that are not there
at once, that fail at the end, or never end; and listings that lag. `rds`, `ebs` and `dynamodb` put it into
moto.

It all concerns functions' calls alone: the house's own calls (`CURRENT` is empty then) find everything as it
is, and nothing that they list moves on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from local.weather.calls import CURRENT, Call
from local.weather.faults import draw
from local.weather.forecast import Forecast, Work
from local.weather.layer import Weather

type Method = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A kind of thing's states. Without a word for it, it cannot fail."""

    service: str
    begun: str
    done: str
    failed: str = ""


@dataclass(eq=False, slots=True, kw_only=True)
class Life:
    """Something of AWS's that a function's call made or deleted. `ends` is its last state, `left` the
    listings until then (`None`: it is stuck). `unseen` counts the listings that it is not in yet; of
    something that was deleted, `ghostly` those that it is still in. `source` is what a copy is made from:
    deleted before the copy is done, it makes that fail."""

    thing: Any
    words: Words
    region: str
    what: str
    source: str
    ends: str
    left: int | None
    unseen: int
    call: Call
    sweep: int
    forecast: Forecast
    ghostly: int = 0
    is_over: bool = False


@dataclass(slots=True)
class Background:
    """All that is going on, in all Regions."""

    weather: Weather
    lives: list[Life] = field(default_factory=list)
    lock: RLock = field(default_factory=RLock)

    # Making.

    def begin(self, thing: Any, words: Words, what: str, region: str, source: str = "") -> None:
        """Let something that a function has just made take its time."""
        call = CURRENT.get()
        with self.lock:
            if call is None or self.life_of(thing) is not None:
                return
            forecast = self.weather.forecast
            work, lag = forecast.work.get(what), forecast.lag
            if work is None and not lag.share:
                return
            identity = (forecast.seed, what, *call.identity, sum(one.call == call for one in self.lives))
            left, ends = _course(work, words, identity) if work else (0, thing.status)
            life = Life(
                thing=thing,
                words=words,
                region=region,
                what=what,
                source=source,
                ends=ends,
                left=left,
                unseen=lag.listings if draw("lag", *identity) < lag.share else 0,
                call=call,
                sweep=self.weather.sweep_of(call.access_key),
                forecast=forecast,
                is_over=left == 0,
            )
            self.lives.append(life)
            thing.status = ends if left == 0 else words.begun

    def life_of(self, thing: Any) -> Life | None:
        return next((one for one in self.lives if one.thing is thing), None)

    def running(self, service: str, region: str, what: str) -> list[Life]:
        """Those of a kind that are under way."""
        return [
            one
            for one in self.lives
            if (one.words.service, one.region, one.what, one.is_over) == (service, region, what, False)
            and not one.ghostly
        ]

    # Listing.

    def listed(
        self, found: Iterable[Any], ghosts: Callable[[Any], bool], service: str, region: str
    ) -> list[Any]:
        """What a function gets to see of what it lists. Of the lately deleted it sees those that `ghosts`
        says belong here."""
        if CURRENT.get() is None:
            return list(found)
        with self.lock:
            shown = [one for one in found if self._is_seen(one)]
            return [*shown, *(one for one in self._ghosts(service, region) if ghosts(one))]

    def _is_seen(self, thing: Any) -> bool:
        life = self.life_of(thing)
        if life is None:
            return True
        if life.unseen and not self._has_caught_up(life):
            life.unseen -= 1
            return False
        life.unseen = 0
        self.move_on(life)
        return True

    def move_on(self, life: Life) -> None:
        """It was looked at once more. In another weather than it began in, nothing is stuck."""
        if life.is_over:
            return
        if self.weather.forecast != life.forecast:
            life.left = 1
        if life.left is not None:
            life.left -= 1
            if life.left <= 0:
                self._end(life)

    def _end(self, life: Life) -> None:
        life.is_over = True
        life.thing.status = life.ends

    def _has_caught_up(self, life: Life) -> bool:
        lag = self.weather.forecast.lag
        return not lag.share or (
            not lag.over_sweeps and self.weather.sweep_of(life.call.access_key) != life.sweep
        )

    def _ghosts(self, service: str, region: str) -> list[Any]:
        shown = []
        for life in [
            one for one in self.lives if one.ghostly and (one.words.service, one.region) == (service, region)
        ]:
            if self._has_caught_up(life):
                life.ghostly = 0
            else:
                life.ghostly -= 1
                shown.append(life.thing)
            if not life.ghostly:
                self.lives.remove(life)
        return shown

    # Deleting.

    def deleted(self, thing: Any, words: Words, region: str, arn: str, status: str) -> None:
        """Something was deleted that was in that state: a copy that is being made of it fails."""
        call = CURRENT.get()
        with self.lock:
            self.lives = [one for one in self.lives if one.thing is not thing]
            for copy in self.lives:
                if copy.source == arn and not copy.is_over:
                    copy.ends, copy.left = copy.words.failed, 1
            forecast = self.weather.forecast
            lag = forecast.lag
            if call is None or draw(forecast.seed, "ghost", *call.identity) >= lag.share:
                return
            thing.status = status
            ghost = Life(
                thing=thing,
                words=words,
                region=region,
                what="ghost",
                source="",
                ends=status,
                left=None,
                unseen=0,
                call=call,
                sweep=self.weather.sweep_of(call.access_key),
                forecast=forecast,
                ghostly=lag.listings,
                is_over=True,
            )
            self.lives.append(ghost)


def _course(work: Work, words: Words, identity: Sequence[object]) -> tuple[int | None, str]:
    """After how many listings it ends, and how."""
    chance = draw("end", *identity)
    ends = words.failed if words.failed and chance < work.failing else words.done
    if work.failing <= chance < work.failing + work.stuck:
        return None, words.done
    return work.shortest + int(draw("takes", *identity) * (work.longest - work.shortest + 1)), ends


def wrap(owner: Any, name: str, around: Method) -> None:
    """Replace a method. `around` gets the one that was there before, then what that one gets."""
    before = getattr(owner, name)

    def method(self: Any, *asked: Any, **named: Any) -> Any:
        return around(before, self, *asked, **named)

    setattr(owner, name, method)
