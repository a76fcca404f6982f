"""A dry run of pruning as people read it: a table for each resource in each place."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from holdfast.core.model import Plan, Request, name_of
from holdfast.core.naming import format_slot
from holdfast.core.planning import ResourceKey, by_resource, zone_of
from holdfast.core.pruning import PrunePlan
from holdfast.core.retention import Verdict, describe

_MOST_LINES = 4000
_HEADINGS = ("slot", "verdict", "why", "backup")


def explain(
    prune: PrunePlan,
    others: Sequence[Verdict],
    plan: Plan,
    request: Request,
    sentences: Iterable[str],
    *,
    held_back: bool = False,
) -> str:
    """Every backup in every place, newest first, kept or deleted and why; before it what a person should
    know (`sentences`). Slots are in the plan's time zone. Not more backups than the request asks for.

    `held_back`: what the rules let go would not be deleted, since the run would be refused.
    """
    most = _MOST_LINES if request.most is None else min(request.most, _MOST_LINES)
    own, foreign = prune.verdicts[:most], others[: max(0, most - len(prune.verdicts))]
    tables = [
        f"{title}\n{_table(verdicts, plan)}"
        for title, verdicts in (*_own_tables(own, plan).items(), *_foreign_tables(foreign).items())
    ]
    blocks = [_head(prune, others, plan, request, held_back), *sentences, *tables]
    left_out = len(prune.verdicts) + len(others) - len(own) - len(foreign)
    if left_out:
        blocks.append(f"… and {left_out} backups more")
    return "\n\n".join(blocks) + "\n"


def _head(prune: PrunePlan, others: Sequence[Verdict], plan: Plan, request: Request, held_back: bool) -> str:
    later = f", {len(prune.later)} later" if prune.later else ""
    does = "would ask before it deletes" if held_back else "would delete"
    return (
        f"Plan {plan.name}, as of {format_slot(request.slot)}: {does} {len(prune.deletes)} of "
        f"{len(prune.verdicts)} backups{later}; not the plan's own: {len(others)}. "
        f"Slots are in {plan.time_zone}."
    )


def _own_tables(verdicts: Sequence[Verdict], plan: Plan) -> dict[str, list[Verdict]]:
    """The verdicts by the title of their table. Resources that had one name, one after the other, have a
    table each, as they are decided on apart."""
    keys: dict[str, ResourceKey] = {
        one.arn: key
        for key, backups in by_resource(verdict.backup for verdict in verdicts).items()
        for one in backups
    }
    of_name = Counter(source for source, _ in set(keys.values()))
    tables: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        one = verdict.backup
        source, resource_id = keys[one.arn]
        which = f" ({resource_id or 'of unknown id'})" if of_name[source] > 1 else ""
        keeps = "is pruned there" if one.account else f"keeps {describe(plan.policy_for(one.place))}"
        title = f"{one.kind} {name_of(source)}{which} in {one.place} {keeps}"
        tables.setdefault(title, []).append(verdict)
    return tables


def _foreign_tables(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    tables: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        one = verdict.backup
        title = f"{one.kind} {name_of(one.source)} in {one.place}: not the plan's own"
        tables.setdefault(title, []).append(verdict)
    return tables


def _table(verdicts: Sequence[Verdict], plan: Plan) -> str:
    rows = [_HEADINGS, *(_row(one, plan) for one in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(verdict: Verdict, plan: Plan) -> tuple[str, ...]:
    backup = verdict.backup
    slot = _local(backup.mark.slot, plan) if backup.mark else "-"
    word = "later" if verdict.later else "keep" if verdict.keep else "DELETE"
    return slot, word, verdict.reason, backup.id


def _local(slot: datetime, plan: Plan) -> str:
    return slot.astimezone(zone_of(plan)).strftime(f"%a %Y-%m-%d %H:%M{':%S' if slot.second else ''}")
