"""The table of a dry run, as a person reads it."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from holdfast.core.explain import explain
from holdfast.core.model import HOLD_TAG, Backup, BackupState, KeepPolicy, Plan, Retention, slot_of
from holdfast.core.pruning import Standing, plan_prune, put_off_untold, strangers
from tests.builders import (
    AWAY_REGION,
    COPIED,
    DATABASE,
    HOME,
    HOME_REGION,
    NIGHT,
    TABLE,
    a_backup,
    a_plan,
    a_request,
    a_rule,
    nights_ago,
)

KEEP_2 = KeepPolicy(daily=2, minimum=1)


def explained(
    backups: Sequence[Backup],
    plan: Plan | None = None,
    *,
    known: Retention | None = None,
    most: int | None = None,
    sentences: Sequence[str] = (),
) -> str:
    plan = plan or a_plan(keep=KEEP_2)
    by_region = {
        region: [one for one in backups if one.region == region] for region in (HOME_REGION, AWAY_REGION)
    }
    standing = [Standing(kind="rds", by_place=by_region, laws=COPIED)]
    full = plan_prune(standing, plan, NIGHT, HOME, {})
    told = {"rds": known or plan.retention(HOME_REGION)}
    prune = put_off_untold(full, standing, plan, told, NIGHT, HOME)
    others = strangers(standing, plan, HOME)
    return explain(prune, others, plan, replace(a_request(), most=most), sentences)


def rows(text: str) -> list[tuple[str, str, str]]:
    """The title above each backup's line, its verdict and its reason."""
    found: list[tuple[str, str, str]] = []
    for block in text.split("\n\n")[1:]:
        title, heading, *lines = block.splitlines()
        verdict, why, backup = (heading.index(word) for word in ("verdict", "why", "backup"))
        found += [(title, line[verdict:why].strip(), line[why:backup].strip()) for line in lines]
    return found


def test_each_backup_in_each_place_has_its_line() -> None:
    plan = a_plan(keep=KEEP_2, copies=(a_rule(keep=KeepPolicy(daily=1, weekly=2, minimum=1)),))
    backups = [
        *(a_backup(nights_ago(night)) for night in (0, 1, 2)),
        a_backup(nights_ago(3), tags={HOLD_TAG: "case 17"}),
        replace(a_backup(nights_ago(4), ours=False), id="before-release", arn=f"{DATABASE}-by-hand"),
        *(a_backup(nights_ago(night), region=AWAY_REGION) for night in (0, 1)),
    ]
    text = explained(backups, plan)
    assert text.startswith(
        "Plan nightly, as of 2026-11-22T02:00:00Z: would delete 2 of 6 backups; not the plan's own: 1. "
        "Slots are in UTC.\n\n"
    )
    here = "rds orders in us-east-1 keeps daily 2, minimum 1"
    there = "rds orders in us-west-2 keeps daily 1, weekly 2, minimum 1"
    foreign = "rds orders in us-east-1: not the plan's own"
    assert rows(text) == [
        (here, "keep", "daily 1 of 2"),
        (here, "keep", "daily 2 of 2"),
        (here, "DELETE", "no rule keeps it (daily 2, minimum 1)"),
        (here, "keep", "held: case 17"),
        (there, "keep", "daily 1 of 1, weekly 1 of 2"),
        (there, "DELETE", "no rule keeps it (daily 1, weekly 2, minimum 1)"),
        (foreign, "keep", "not ours: it does not bear Holdfast's mark"),
    ]


class TestTheManual:
    """The example in docs/retention.md is the answer of the code for the backups that it shows."""

    page = (Path(__file__).parents[2] / "docs" / "retention.md").read_text()
    example = page.split("### A worked example")[1]
    told = example.split("```text\n")[1].split("```")[0]

    def test_it_is_what_a_dry_run_answers(self) -> None:
        policy = json.loads(self.example.split("`")[1])
        plan = a_plan(keep=KeepPolicy(**policy), time_zone="Europe/Berlin")
        backups = [self.backup(line) for line in self.told.splitlines()[4:]]
        now = max(slot_of(one) for one in backups)
        standing = [Standing(kind="rds", by_place={HOME_REGION: backups}, laws=COPIED)]
        prune = plan_prune(standing, plan, now, HOME, {})
        assert explain(prune, [], plan, a_request(now), []) == self.told

    def backup(self, line: str) -> Backup:
        """The backup of a line, with what the line says of it besides its verdict."""
        local = datetime.strptime(line[2:22], "%a %Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo("Europe/Berlin"))
        return a_backup(
            local.astimezone(UTC),
            DATABASE.replace("orders", "billing"),
            BackupState.FAILED if "it failed" in line else BackupState.AVAILABLE,
            tags={HOLD_TAG: held[1].strip()} if (held := re.search(r"held: (.+?)  ", line)) else {},
        )


def test_slots_are_in_the_plans_zone_and_seconds_are_told_where_there_are_any() -> None:
    plan = a_plan(keep=KEEP_2, time_zone="Asia/Kathmandu")
    told = explained([a_backup(), a_backup(NIGHT.replace(second=7))], plan)
    assert "Slots are in Asia/Kathmandu." in told
    assert "  Sun 2026-11-22 07:45  " in told
    assert "  Sun 2026-11-22 07:45:07  " in told


def test_what_waits_for_the_next_message_is_told_apart() -> None:
    backups = [a_backup(nights_ago(night)) for night in range(4)]
    known = Retention(policies={HOME_REGION: KeepPolicy(daily=3, minimum=1)})
    told = explained(backups, known=known, sentences=["What is new."])
    head, sentence, table = told.split("\n\n")
    assert "would delete 1 of 4 backups, 1 later; not the plan's own: 0." in head
    assert sentence == "What is new."
    assert [line.split()[3] for line in table.splitlines()[2:]] == ["keep", "keep", "later", "DELETE"]


def test_resources_that_had_one_name_have_a_table_each() -> None:
    former = [replace(a_backup(nights_ago(night), TABLE), resource_id="old") for night in (9, 10)]
    todays = [replace(a_backup(nights_ago(night), TABLE), resource_id="new") for night in (0, 1)]
    told = explained([*former, *todays])
    assert "\ndynamodb orders (new) in us-east-1 keeps daily 2, minimum 1\n" in told
    assert "\ndynamodb orders (old) in us-east-1 keeps daily 2, minimum 1\n" in told


def test_a_backup_whose_id_is_not_known_stands_with_the_only_resource_of_its_name() -> None:
    known = replace(a_backup(nights_ago(0), TABLE), resource_id="new")
    told = explained([known, a_backup(nights_ago(1), TABLE)])
    assert told.count("dynamodb orders in us-east-1 keeps") == 1
    assert "unknown" not in told


def test_no_more_are_listed_than_was_asked_for_and_the_rest_is_counted() -> None:
    backups = [
        *(a_backup(nights_ago(night)) for night in range(4)),
        *(a_backup(nights_ago(night), stack="another") for night in range(3)),
    ]
    assert explained(backups, most=5).endswith("z\n\n… and 2 backups more\n")
    assert explained(backups, most=0).endswith("… and 7 backups more\n")
    assert "… and" not in explained(backups)


def test_nothing_at_all_is_said_too() -> None:
    assert explained([]).startswith("Plan nightly, as of 2026-11-22T02:00:00Z: would delete 0 of 0 backups;")


def test_what_stands_in_another_account_is_said_to_be_pruned_there() -> None:
    """And not that this plan's policy keeps it, which decides nothing there."""
    vault = a_backup(region=AWAY_REGION, account="111122223333")
    by_place = {HOME_REGION: [a_backup()], vault.place: [vault]}
    standing = [Standing(kind="rds", by_place=by_place, laws=COPIED)]
    plan = a_plan(keep=KEEP_2)
    text = explain(plan_prune(standing, plan, NIGHT, HOME, {}), (), plan, a_request(), ())
    assert [title for title, *_ in rows(text)] == [
        "rds orders in us-east-1 keeps daily 2, minimum 1",
        "rds orders in us-west-2@111122223333 is pruned there",
    ]
