"""What the weather is to be: how long calls take, what befalls them, how slow AWS's work is. As JSON too, so
that another process can ask for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from local.weather.protocols import Refusal


class Mishap(StrEnum):
    """What happens to a call on its way, besides AWS's refusals."""

    RESET = "connection reset"
    """The connection ends without an answer, before AWS has seen the request."""
    LOST = "answer lost"
    """The call takes effect; the connection ends without an answer."""
    LOST_AS_ERROR = "internal error after the effect"
    """The call takes effect; what is answered is a server's error."""
    CUT = "answer cut"
    """The call takes effect; the connection ends in the middle of the answer."""


type Fault = Refusal | Mishap

AFTER_THE_EFFECT = frozenset({Mishap.LOST, Mishap.LOST_AS_ERROR, Mishap.CUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault, of `share` of the calls whose operation matches one of the patterns. `spell`: the next calls
    of the same operation, Region and subject have it too, so many in all."""

    fault: Fault
    share: float
    operations: tuple[str, ...] = ("*",)
    spell: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How AWS does what takes it a while (a backup, a copy, an export): done when it was listed for the
    `shortest`th to `longest`th time by a function. Of so many shares it ends as failed then, or is stuck:
    it ends only when the weather is another."""

    shortest: int = 0
    longest: int = 0
    failing: float = 0.0
    stuck: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much there may be at once. `None`: as much as one likes.

    RDS's user guide ("Quotas for Amazon RDS") has 100 manual snapshots of instances, 100 of clusters and 20
    copies in flight to a Region; EBS's 20 copies in flight and 5 pending snapshots of a volume; DynamoDB's
    300 exports at a time.
    """

    instance_snapshots: int | None = None
    cluster_snapshots: int | None = None
    rds_copies_in_flight: int | None = None
    ebs_copies_in_flight: int | None = None
    ebs_pending_per_volume: int | None = None
    exports_in_flight: int | None = None


PUBLISHED_QUOTAS = Quotas(
    instance_snapshots=100,
    cluster_snapshots=100,
    rds_copies_in_flight=20,
    ebs_copies_in_flight=20,
    ebs_pending_per_volume=5,
    exports_in_flight=300,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Listings that are behind: of what was just made (RDS, EC2, DynamoDB), `share` is missing from the first
    listings by functions, and of what was just deleted is still in them, `listings` times at most.

    A listing that is behind has caught up when the function that made the thing begins its next sweep: AWS's
    lag by seconds, and a run waits a minute at least, which the embedded cloud skips. With `over_sweeps` it
    has not: as if Lambda had delivered one event twice.
    """

    share: float = 0.0
    listings: int = 1
    over_sweeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A whole weather. It is for functions' calls alone, unless it is for `everyone`.

    `rates` are calls a second, by operation; `buckets` pairs of tokens and of those that come back a second,
    by patterns. `work` is by what is done: `backup`, `copy`, `export`. `most_in_a_page` bounds the pages of
    every listing. Of the Regions that are `gone` no call is answered, whoever makes it.
    """

    name: str = "calm"
    seed: int = 0
    everyone: bool = False
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    rates: Mapping[str, int] = field(default_factory=dict)
    buckets: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    work: Mapping[str, Work] = field(default_factory=dict)
    quotas: Quotas = field(default_factory=Quotas)
    lag: Lag = field(default_factory=Lag)
    most_in_a_page: int | None = None
    gone: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def forecast_from_dict(told: Mapping[str, Any]) -> Forecast:
    """What `to_dict` gave. Raises `TypeError`, `ValueError` or `KeyError` when it is no such thing."""
    named = dict(told)
    named["rules"] = tuple(_rule(one) for one in named.get("rules", ()))
    named["work"] = {name: Work(**one) for name, one in named.get("work", {}).items()}
    named["buckets"] = {name: tuple(pair) for name, pair in named.get("buckets", {}).items()}
    named["quotas"] = Quotas(**named.get("quotas", {}))
    named["lag"] = Lag(**named.get("lag", {}))
    named["gone"] = tuple(named.get("gone", ()))
    return Forecast(**named)


def _rule(told: Mapping[str, Any]) -> Rule:
    return Rule(
        **{**told, "fault": fault(told["fault"]), "operations": tuple(told.get("operations", ("*",)))}
    )


def fault(word: str) -> Fault:
    """The fault of that name. Raises `ValueError`."""
    return Refusal(word) if word in set(Refusal) else Mishap(word)


PUBLISHED_RATES: Mapping[str, int] = {
    "CreateBackup": 50,
    "DeleteBackup": 10,
    "DescribeBackup": 10,
    "ListBackups": 5,
    "DescribeContinuousBackups": 10,
}
"""Calls a second, from DynamoDB's API reference."""

PUBLISHED_BUCKETS: Mapping[str, tuple[int, int]] = {
    "DescribeInstances": (100, 20),
    "DescribeVolumes": (100, 20),
    "DescribeSnapshots": (100, 20),
    "CreateSnapshot*": (50, 5),
    "CopySnapshot": (50, 5),
    "DeleteSnapshot": (50, 5),
    "ModifySnapshotAttribute": (50, 5),
}
"""From EC2's developer guide ("Request throttling for the Amazon EC2 API"): what reads, and what changes."""

_READS = ("Describe*", "List*", "Get*", "Head*")
_WRITES = ("Create*", "Copy*", "Delete*", "Put*", "Export*", "Publish", "Modify*")

CALM = Forecast()

STORM = Forecast(
    name="storm",
    jitter_ms=20,
    rates=PUBLISHED_RATES,
    buckets=PUBLISHED_BUCKETS,
    rules=(
        Rule(fault=Refusal.THROTTLED, share=0.015, spell=2),
        Rule(fault=Refusal.INTERNAL, share=0.01),
        Rule(fault=Refusal.UNAVAILABLE, share=0.004, spell=3),
        Rule(fault=Mishap.RESET, share=0.01),
        Rule(fault=Mishap.LOST, share=0.07, operations=_WRITES),
        Rule(fault=Mishap.LOST_AS_ERROR, share=0.04, operations=_WRITES),
        Rule(fault=Mishap.CUT, share=0.006, operations=_READS),
        Rule(fault=Refusal.DENIED, share=0.003, spell=2),
        Rule(fault=Refusal.EXPIRED, share=0.002),
    ),
    work={
        "backup": Work(shortest=1, longest=3, failing=0.03, stuck=0.02),
        "copy": Work(shortest=1, longest=4, failing=0.06, stuck=0.02),
        "export": Work(shortest=1, longest=3, failing=0.04, stuck=0.02),
    },
    quotas=Quotas(
        instance_snapshots=100,
        cluster_snapshots=100,
        rds_copies_in_flight=2,
        ebs_copies_in_flight=2,
        ebs_pending_per_volume=5,
        exports_in_flight=300,
    ),
    lag=Lag(share=0.3, listings=2),
    most_in_a_page=7,
)

PRESETS: Mapping[str, Forecast] = {one.name: one for one in (CALM, STORM)}
