"""What the environment has to say, and that every mistake in it is named."""

import pytest

from holdfast.core.errors import SettingsError
from holdfast.settings import Settings, read_settings

LEAST = {
    "HOLDFAST_STACK": "holdfast",
    "AWS_REGION": "us-east-1",
    "HOLDFAST_ACCOUNT": "123456789012",
    "HOLDFAST_PLANS_PATH": "/holdfast/plans",
    "HOLDFAST_BUCKET": "reports",
}


def test_what_is_left_out_has_its_default() -> None:
    assert read_settings(LEAST) == Settings(
        stack="holdfast",
        region="us-east-1",
        here="us-east-1",
        account="123456789012",
        plans_path="/holdfast/plans",
        bucket="reports",
        copy_regions=(),
        copy_buckets={},
        vault_accounts=(),
        vault_role="",
        snapshot_quota=None,
        rds_calls_per_second=5.0,
        topic_arn="",
        holds_parameter="",
        prices_parameter="",
        record_lock_mode=None,
        record_lock_days=0,
        stage_functions={},
    )


def test_everything_is_read() -> None:
    settings = read_settings(
        LEAST
        | {
            "HOLDFAST_PLANS_PATH": "/holdfast/plans/",
            "HOLDFAST_COPY_REGIONS": " us-west-2, ,eu-central-1",
            "HOLDFAST_COPY_BUCKET": "exports",
            "HOLDFAST_VAULT_ACCOUNT": "111122223333",
            "HOLDFAST_VAULT_ROLE": "holdfast-vault",
            "HOLDFAST_SNAPSHOT_QUOTA": "250",
            "HOLDFAST_RDS_CALLS_PER_SECOND": "2.5",
            "HOLDFAST_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:reports",
            "HOLDFAST_CREATE_FUNCTION": "create",
            "HOLDFAST_COPY_FUNCTION": "copy",
            "HOLDFAST_PRUNE_FUNCTION": "prune",
            "HOLDFAST_REPORT_FUNCTION": "report",
            "PATH": "/bin",
        }
    )
    assert settings.plans_path == "/holdfast/plans"
    assert settings.copy_regions == ("us-west-2", "eu-central-1")
    assert settings.copy_buckets == {"us-west-2": "exports"}
    assert (settings.vault_accounts, settings.vault_role) == (("111122223333",), "holdfast-vault")
    assert settings.snapshot_quota == 250
    assert settings.rds_calls_per_second == 2.5
    assert settings.topic_arn.endswith(":reports")
    assert settings.stage_functions == {stage: stage for stage in ("create", "copy", "prune", "report")}


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "missing"])
def test_a_missing_variable_is_named(name: str, empty: bool) -> None:
    environment = {key: value for key, value in LEAST.items() if key != name} | ({name: ""} if empty else {})
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        read_settings(environment)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"HOLDFAST_RDS_CALLS_PER_SECOND": "fast"})
    assert all(name in str(caught.value) for name in (*LEAST, "HOLDFAST_RDS_CALLS_PER_SECOND is 'fast'"))


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "101", "five", ""])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(SettingsError, match="give a number above 0, at most 100"):
        read_settings(LEAST | {"HOLDFAST_RDS_CALLS_PER_SECOND": rate})


@pytest.mark.parametrize("quota", ["0", "-1", "many", "1.5", "1000000"])
def test_a_quota_that_is_none_is_refused(quota: str) -> None:
    with pytest.raises(SettingsError, match="HOLDFAST_SNAPSHOT_QUOTA is"):
        read_settings(LEAST | {"HOLDFAST_SNAPSHOT_QUOTA": quota})


class TestStandby:
    GIVEN = LEAST | {"AWS_REGION": "us-west-2", "HOLDFAST_HOME_REGION": "us-east-1"}

    def test_stands_elsewhere_than_its_resources(self) -> None:
        settings = read_settings(self.GIVEN | {"HOLDFAST_COPY_REGIONS": "us-west-2"})
        assert (settings.region, settings.here) == ("us-east-1", "us-west-2")
        assert settings.restore_regions == ("us-west-2",)

    def test_stands_in_the_copy_region(self) -> None:
        with pytest.raises(SettingsError, match="'us-west-2' is no copy Region"):
            read_settings(self.GIVEN)

    def test_a_primary_restores_in_the_copy_region_first(self) -> None:
        given = {"HOLDFAST_HOME_REGION": "us-east-1", "HOLDFAST_COPY_REGIONS": "us-west-2"}
        assert read_settings(LEAST | given).restore_regions == ("us-west-2", "us-east-1")
