"""What happened, in one form for every stage, for the whole run, the message and the record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.core.glance import Glance, glance_from_dict
from holdfast.core.model import Origin, Retention
from holdfast.core.naming import format_slot, parse_slot
from holdfast.core.told import retention_from_dict, retention_to_dict
from holdfast.core.usage import Usage, usage_from_dict

SCHEMA = "holdfast.report/1"


class Stage(StrEnum):
    CREATE = "create"
    COPY = "copy"
    PRUNE = "prune"
    SETTINGS = "settings"
    """What `record_settings` does. It leaves what it recorded, and no record of outcomes."""

    CHECK = "check"
    """What `check_recovery_points` does. It leaves a posture, and no record of outcomes."""

    REPORT = "report"


class State(StrEnum):
    """What became of one resource or backup in one stage. In order of how much it needs a person."""

    FAILED = "failed"
    PENDING = "pending"
    DEFERRED = "deferred"
    SKIPPED = "skipped"
    DONE = "done"


class Status(StrEnum):
    """`ok`: nothing is missing. `partial`: something is, or is not finished, or a resource of the plan stands
    worse than it wants. `refused`: a guard held something back. `failed`: nothing was achieved; of a run, no
    backup was made."""

    FAILED = "failed"
    REFUSED = "refused"
    PARTIAL = "partial"
    OK = "ok"


class Action(StrEnum):
    CREATE = "create"
    COPY = "copy"
    DELETE = "delete"
    ANNOUNCE = "announce"
    """A deletion that is put off until people have been told of what causes it."""
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of a report. `resource` is the ARN of what is protected, or empty when the line is about
    everything of its kind; `backup` the id of the backup that the action is about (empty when there is
    none yet) and `backup_arn` its ARN; `region` the place where that backup stands, or is to stand
    (`core.model.place_of`). `stuck`: it is pending, for longer than the plan's window or with no end to
    see, so that no run waits for it."""

    action: Action
    state: State
    kind: str
    resource: str
    region: str
    reason: str
    backup: str = ""
    backup_arn: str = ""
    stuck: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two outcomes share that speak of the same act."""
        # Two DynamoDB backups of one table can have one name.
        backup = (self.backup_arn or self.backup) if self.action in _PER_BACKUP else ""
        return (self.action, self.resource, self.region, backup)


_PER_BACKUP = frozenset({Action.COPY, Action.DELETE, Action.ANNOUNCE, Action.KEEP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcomes of one stage, or of a whole run when `stage` is `report`.

    `refusals` are sentences of guards that held something back; `problems` those that say why a stage
    could not do its work at all; `notices` those that people should read although nothing is wrong, and
    `warnings` those that say what will soon be, each time until it is mended.
    `foretold` is, by kind, the retention that the prune stage decided by and tells of. `offers` are the
    lists of deletions, by ARN, that a person may approve, by their digests; `approved` the digests of those
    that were. `text` is a dry run's answer for people. `seconds` is the time that the work took. `vault_of`
    is the plan's.
    """

    stage: Stage
    plan: str
    slot: datetime
    dry_run: bool = False
    outcomes: Sequence[Outcome] = ()
    refusals: Sequence[str] = ()
    problems: Sequence[str] = ()
    notices: Sequence[str] = ()
    warnings: Sequence[str] = ()
    foretold: Mapping[str, Retention] = field(default_factory=dict)
    offers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    approved: Sequence[str] = ()
    text: str = ""
    seconds: float = 0.0
    vault_of: Origin | None = None
    run: str = ""
    glance: Glance | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def status(self) -> Status:
        """A run without a single new backup has failed, whatever its other stages did."""
        main = self._states_of_main_outcomes()
        if State.DONE not in main and (self.problems or State.FAILED in main):
            return Status.FAILED
        if self.refusals:
            return Status.REFUSED
        missing = {one.state for one in self.outcomes} & {State.FAILED, State.PENDING, State.DEFERRED}
        in_breach = self.glance is not None and self.glance.of_plan > 0
        return Status.PARTIAL if missing or self.problems or in_breach else Status.OK

    def _states_of_main_outcomes(self) -> set[State]:
        about_creating = self.stage in (Stage.CREATE, Stage.REPORT)
        return {one.state for one in self.outcomes if one.action is Action.CREATE or not about_creating}

    @property
    def counts(self) -> dict[str, int]:
        """How many outcomes there are of each action and state: `{"create.done": 41, …}`, sorted."""
        return dict(sorted(Counter(f"{one.action}.{one.state}" for one in self.outcomes).items()))

    @property
    def unfinished(self) -> bool:
        """Whether running the stage again later may achieve more."""
        return any(one.state in (State.PENDING, State.DEFERRED) and not one.stuck for one in self.outcomes)

    def by_urgency(self) -> list[Outcome]:
        """The outcomes, failures first."""
        order = list(State)
        return sorted(
            self.outcomes, key=lambda one: (order.index(one.state), one.kind, one.resource, one.region)
        )

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """As `holdfast.report/1`. With `most`, the outcomes are cut to that many, failures first, and
        `left_out` counts the rest; what later sweeps and runs alone read is then left out too."""
        ordered = self.by_urgency()
        shown = ordered if most is None else ordered[:most]
        optional: dict[str, Any] = {"text": self.text} if self.text else {}
        if self.vault_of:
            optional["vault_of"] = {"account": self.vault_of.account, "region": self.vault_of.region}
        if self.glance:
            optional["posture"] = self.glance.to_dict()
        if self.foretold and most is None:
            optional["foretold"] = {kind: retention_to_dict(one) for kind, one in self.foretold.items()}
        if self.offers and most is None:
            optional["offers"] = {digest: list(arns) for digest, arns in self.offers.items()}
        if self.approved and most is None:
            optional["approved"] = list(self.approved)
        return {
            "schema": SCHEMA,
            "stage": str(self.stage),
            "status": str(self.status),
            "plan": self.plan,
            "slot": format_slot(self.slot),
            "run": self.run,
            "dry_run": self.dry_run,
            "unfinished": self.unfinished,
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "refusals": list(self.refusals),
            "problems": list(self.problems),
            "notices": list(self.notices),
            "warnings": list(self.warnings),
            "outcomes": [_outcome_to_dict(one) for one in shown],
            "left_out": len(ordered) - len(shown),
            "usage": self.usage.to_dict(),
            **optional,
        }


def report_from_dict(data: Mapping[str, Any]) -> Report:
    """The report that `to_dict` wrote whole. Raises `ValueError` when it is of another schema or was cut."""
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema is {data.get('schema')!r}, not {SCHEMA!r}")
    if data["left_out"]:
        raise ValueError(f"{data['left_out']} outcomes were left out of this report")
    slot = parse_slot(data["slot"])
    if slot is None:
        raise ValueError(f"slot {data['slot']!r} is no time")
    return Report(
        stage=Stage(data["stage"]),
        plan=data["plan"],
        slot=slot,
        dry_run=data["dry_run"],
        outcomes=tuple(_outcome_from_dict(one) for one in data["outcomes"]),
        refusals=tuple(data["refusals"]),
        problems=tuple(data["problems"]),
        notices=tuple(data.get("notices", ())),
        warnings=tuple(data.get("warnings", ())),
        foretold={kind: retention_from_dict(one) for kind, one in data.get("foretold", {}).items()},
        offers={digest: tuple(arns) for digest, arns in data.get("offers", {}).items()},
        approved=tuple(data.get("approved", ())),
        seconds=data["seconds"],
        vault_of=Origin(**data["vault_of"]) if "vault_of" in data else None,
        run=data.get("run", ""),
        glance=glance_from_dict(data["posture"]) if "posture" in data else None,
        usage=usage_from_dict(data["usage"]) if "usage" in data else Usage(),
    )


def carry_over(earlier: Report | None, now: Report) -> Report:
    """The record of a stage that ran more than once for a slot: what an earlier sweep did stays told.

    An outcome of the later sweep replaces the earlier one about the same act. Of the rest only what was
    `done` stays: a backup that was deleted is not listed by the next sweep, but was deleted all the same.
    So do the lists that a person may have read.
    A run's own report is made from such records, and replaces the one before it.
    """
    if earlier is None or now.stage is Stage.REPORT:
        return now
    told = {one.key for one in now.outcomes}
    kept = [one for one in earlier.outcomes if one.state is State.DONE and one.key not in told]
    return replace(
        now,
        outcomes=(*now.outcomes, *kept),
        offers={**earlier.offers, **now.offers},
        approved=tuple(dict.fromkeys((*earlier.approved, *now.approved))),
        seconds=earlier.seconds + now.seconds,
        usage=earlier.usage + now.usage,
    )


def combine(
    stages: Mapping[Stage, Report | None], plan: str, slot: datetime, problems: Sequence[str], told: bool
) -> Report:
    """The report of a run, from its stages' records. A stage without a record is a problem of the run,
    unless the run itself has `told` which stages could not do their work."""
    records = [record for record in stages.values() if record is not None]
    silent = [f"{stage}_backups left no record of this slot" for stage in stages if stages[stage] is None]
    return Report(
        stage=Stage.REPORT,
        plan=plan,
        slot=slot,
        outcomes=tuple(one for record in records for one in record.outcomes),
        refusals=tuple(one for record in records for one in record.refusals),
        problems=(
            *problems,
            *(() if told else silent),
            *(one for record in records for one in record.problems),
        ),
        notices=tuple(one for record in records for one in record.notices),
        warnings=tuple(one for record in records for one in record.warnings),
        seconds=sum(record.seconds for record in records),
        usage=sum((record.usage for record in records), Usage()),
        vault_of=next((record.vault_of for record in records if record.vault_of), None),
    )


def _outcome_to_dict(one: Outcome) -> dict[str, object]:
    stuck: dict[str, object] = {"stuck": True} if one.stuck else {}
    return {
        "action": str(one.action),
        "state": str(one.state),
        "kind": one.kind,
        "resource": one.resource,
        "region": one.region,
        "backup": one.backup,
        "backup_arn": one.backup_arn,
        "reason": one.reason,
        **stuck,
    }


def _outcome_from_dict(data: Mapping[str, Any]) -> Outcome:
    return Outcome(
        action=Action(data["action"]),
        state=State(data["state"]),
        kind=data["kind"],
        resource=data["resource"],
        region=data["region"],
        backup=data["backup"],
        backup_arn=data.get("backup_arn", ""),
        reason=data["reason"],
        stuck=data.get("stuck", False),
    )
