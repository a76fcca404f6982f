"""The warning before a quota of backups is reached, and the reason when it is."""

from dataclasses import replace

import pytest

from holdfast.core.headroom import QUOTAS, quota_reached, warning
from holdfast.core.model import Backup
from tests.builders import a_backup, nights_ago

WEST = "us-west-2"
AWAY = "us-west-2@111122223333"


def backups(count: int, others: int = 0) -> list[Backup]:
    """That many backups, of which the last `others` are not ours."""
    return [a_backup(nights_ago(night), ours=night < count - others) for night in range(count)]


@pytest.mark.parametrize(("standing", "most"), [(0, 100), (79, 100), (99, 124), (0, 1), (7, 9)])
def test_below_four_fifths_nothing_is_said(standing: int, most: int) -> None:
    assert warning("rds", WEST, backups(standing), most) == ""


@pytest.mark.parametrize(("standing", "most"), [(80, 100), (84, 100), (99, 123), (4, 5), (8, 9), (1, 1)])
def test_from_four_fifths_on_it_is(standing: int, most: int) -> None:
    assert f"{standing} of {most}" in warning("rds", WEST, backups(standing), most)


def test_the_warning_says_what_stands_whose_it_is_and_what_to_do() -> None:
    assert warning("rds", WEST, backups(210, others=50), 250) == (
        "rds in us-west-2: 210 of 250 manual snapshots stand, 160 of them Holdfast's; at 250 no further one "
        'can be made. Raise the quota (Service Quotas, "Manual DB instance snapshots", L-272F1212) or keep '
        "fewer."
    )


def test_at_the_quota_none_can_be_made_any_more() -> None:
    assert warning("aurora", AWAY, backups(120, others=120), 120) == (
        "aurora in us-west-2@111122223333: 120 of 120 manual snapshots stand, 0 of them Holdfast's; none can "
        'be made any more. Raise the quota (Service Quotas, "Manual DB cluster snapshots", L-9B510759) or '
        "keep fewer."
    )


def test_what_stands_above_the_quota_puts_its_number_in_doubt() -> None:
    assert warning("rds", WEST, backups(121), 120) == (
        "rds in us-west-2: 121 manual snapshots stand, 121 of them Holdfast's, and the quota is 120 as far "
        "as is known. If that is right, none can be made any more. Let Holdfast read the quota "
        "(servicequotas:GetServiceQuota) or give it the right number, or else raise the quota (Service "
        'Quotas, "Manual DB instance snapshots", L-272F1212) or keep fewer.'
    )


@pytest.mark.parametrize("kind", sorted(QUOTAS))
def test_aws_s_default_is_called_so(kind: str) -> None:
    default = QUOTAS[kind].default
    standing = backups(1) * default
    assert f"{default} of {default} (AWS's default) " in warning(kind, WEST, standing, default)
    assert f"quota is {default} (AWS's default) as far" in warning(
        kind, WEST, [*standing, *backups(1)], default
    )
    assert "default" not in warning(kind, WEST, standing, default + 1)


def test_snapshots_of_volumes_are_called_by_their_own_quota() -> None:
    told = warning("ebs", WEST, backups(9), 10)
    assert told.startswith("ebs in us-west-2: 9 of 10 snapshots stand, 9 of them Holdfast's; at 10 ")
    assert '(Service Quotas, "Snapshots per Region", L-309BACF6)' in told


def test_another_stack_s_and_another_plan_s_are_holdfast_s_too() -> None:
    standing = [a_backup(stack="other"), a_backup(plan="hourly"), replace(a_backup(), mark=None)]
    assert "3 of 3 manual snapshots stand, 2 of them Holdfast's" in warning("rds", WEST, standing, 3)


def test_a_kind_without_a_quota_has_no_warning() -> None:
    assert warning("dynamodb", WEST, backups(100), 100) == ""


def test_a_quota_that_is_not_known_has_no_warning() -> None:
    assert warning("rds", WEST, backups(100), None) == ""


def test_the_reason_of_a_failure_has_the_count_the_quota_and_what_to_do() -> None:
    said = "CreateDBSnapshot of orders: SnapshotQuotaExceeded: Cannot create more than 250 manual snapshots"
    assert quota_reached("rds", WEST, 249, 250, said) == (
        "no further rds backup can be made in us-west-2: 249 manual snapshots stood there when they were "
        'listed, of 250 that may. Raise the quota (Service Quotas, "Manual DB instance snapshots", '
        f"L-272F1212) or keep fewer ({said})"
    )


def test_the_reason_calls_aws_s_default_so() -> None:
    assert "listed, of 100 (AWS's default) that may. Raise" in quota_reached("rds", WEST, 100, 100, "said")


def test_the_reason_goes_without_a_quota_that_is_not_known() -> None:
    told = quota_reached("ebs", WEST, 7, None, "said")
    assert told.startswith(
        "no further ebs backup can be made in us-west-2: 7 snapshots stood there when they were listed. "
    )
    assert told.endswith("(said)")


def test_the_reason_of_a_kind_without_a_quota_that_we_know_says_what_aws_said() -> None:
    assert quota_reached("dynamodb", "us-east-1", 7, None, "said") == (
        "no further dynamodb backup can be made in us-east-1: the account's quota is reached, with 7 listed "
        "there before. Raise it, or keep fewer (said)"
    )
