"""The table of a dry run, as a person reads it."""

from collections.abc import Sequence
from dataclasses import replace
from textwrap import dedent

from holdfast.core.explain import explain
from holdfast.core.model import HOLD_TAG, Backup, KeepPolicy, Plan, Retention
from holdfast.core.pruning import Standing, plan_prune, put_off_untold, strangers
from tests.builders import (
    AWAY_REGION,
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
    standing = [Standing(kind="rds", by_region=by_region, copied=True)]
    full = plan_prune(standing, plan, NIGHT, HOME, {})
    known = known or plan.retention(HOME_REGION)
    prune = put_off_untold(full, standing, plan, known, NIGHT, HOME)
    others = strangers(standing, plan, HOME)
    return explain(prune, others, plan, replace(a_request(), most=most), sentences)


def test_each_backup_in_each_place_has_its_line() -> None:
    plan = a_plan(keep=KEEP_2, copies=(a_rule(keep=KeepPolicy(daily=1, weekly=2, minimum=1)),))
    backups = [
        *(a_backup(nights_ago(night)) for night in (0, 1, 2)),
        a_backup(nights_ago(3), tags={HOLD_TAG: "case 17"}),
        replace(a_backup(nights_ago(4), ours=False), id="before-release", arn=f"{DATABASE}-by-hand"),
        *(a_backup(nights_ago(night), region=AWAY_REGION) for night in (0, 1)),
    ]
    assert explained(backups, plan) == dedent(
        """\
        Plan nightly, as of 2026-11-22T02:00:00Z: would delete 2 of 6 backups; 1 more are not the plan's own. Slots are in UTC.

        rds orders in us-east-1 keeps daily 2, minimum 1
          slot                  backup                                    verdict  why
          Sun 2026-11-22 02:00  holdfast-nightly-orders-20261122t020000z  keep     daily 1 of 2
          Sat 2026-11-21 02:00  holdfast-nightly-orders-20261121t020000z  keep     daily 2 of 2
          Fri 2026-11-20 02:00  holdfast-nightly-orders-20261120t020000z  DELETE   no rule keeps it (daily 2, minimum 1)
          Thu 2026-11-19 02:00  holdfast-nightly-orders-20261119t020000z  keep     held: case 17

        rds orders in us-west-2 keeps daily 1, weekly 2, minimum 1
          slot                  backup                                              verdict  why
          Sun 2026-11-22 02:00  holdfast-nightly-us-east-1-orders-20261122t020000z  keep     daily 1 of 1, weekly 1 of 2
          Sat 2026-11-21 02:00  holdfast-nightly-us-east-1-orders-20261121t020000z  DELETE   no rule keeps it (daily 1, weekly 2, minimum 1)

        rds orders in us-east-1: not the plan's own
          slot  backup          verdict  why
          -     before-release  keep     not ours: it does not bear Holdfast's mark
        """
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
    assert "would delete 1 of 4 backups, 1 with the next run; 0 more" in head
    assert sentence == "What is new."
    assert [line.split()[4] for line in table.splitlines()[2:]] == ["keep", "keep", "next", "DELETE"]


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
    assert explained(backups, most=5).endswith("made it\n\n… and 2 backups more\n")
    assert explained(backups, most=0).endswith("… and 7 backups more\n")
    assert "… and" not in explained(backups)


def test_nothing_at_all_is_said_too() -> None:
    assert explained([]).startswith("Plan nightly, as of 2026-11-22T02:00:00Z: would delete 0 of 0 backups;")
