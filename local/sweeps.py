"""The copy sweeps of a night in which copies have to wait for each other, and what was wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

type Copied = tuple[str, str]
"""A resource whose backup is copied: its kind and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What copy_backups answered: its status, the copies by state, and one reason that was given for each
    state."""

    status: str
    by_state: Mapping[str, Sequence[Copied]]
    reasons: Mapping[str, str]

    def names(self, state: str) -> list[Copied]:
        """The copies of a state, in an order of their own."""
        return sorted(self.by_state.get(state, ()))

    @property
    def most_at_once(self) -> int:
        """Of the services, the largest number of copies under way. Instances and clusters are of one."""
        services = ["rds" if kind == "aurora" else kind for kind, _ in self.names("pending")]
        return max(map(services.count, services), default=0)


def differences(sweeps: Sequence[Sweep], slots: int) -> list[str]:
    """How the sweeps were not what so few slots ask for, as sentences. Empty when all is well."""
    problems = []
    deferred = sweeps[0].names("deferred")
    if not deferred:
        problems.append("the first sweep deferred no copy, although there were fewer slots than copies")
    problems += [
        f"sweep {number}: {sweep.most_at_once} copies of a service at once, with {slots} slots"
        for number, sweep in enumerate(sweeps, 1)
        if sweep.most_at_once > slots
    ]
    problems += [
        f"{kind} {name}: its copy was deferred, and no later sweep completed it"
        for kind, name in deferred
        if (kind, name) not in sweeps[-1].names("done")
    ]
    if sweeps[-1].status != "ok":
        problems.append(f"the last sweep says {sweeps[-1].status}")
    return problems
