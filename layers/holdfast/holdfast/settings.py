"""What the template tells the functions: environment variables, read once, all mistakes named at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from holdfast.core.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The deployment, as the functions need to know it. Those of one function alone may be empty."""

    stack: str
    region: str
    """Of the resources."""
    here: str
    """The Region of the stack itself: another one in a standby, which is there to restore."""
    account: str
    plans_path: str
    bucket: str
    copy_regions: tuple[str, ...]
    copy_buckets: Mapping[str, str]
    """Where exports go, by Region: the first one's, since a bucket is of one."""
    vault_accounts: tuple[str, ...]
    vault_role: str
    """The name of the role to take in each of those accounts."""
    snapshot_quota: int | None
    """Manual snapshots of instances, and of clusters, in each Region; `None` to ask Service Quotas."""
    rds_calls_per_second: float
    topic_arn: str
    chat_topic_arn: str = ""
    """Of the topic that a chat channel follows; empty when none does."""
    holds_parameter: str
    prices_parameter: str
    record_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    """S3 Object Lock's mode for records and postures; `None` for no lock."""
    record_lock_days: int
    verifier_function: str = ""
    """The name or ARN of the function that asks restored databases by SQL; empty for none."""
    verifier_secret: str = ""
    """These three are of that function, where it is the reference one: the ARN of its secret, its queries as
    JSON, and the file with the authority of the servers' certificates."""
    verifier_queries: str = ""
    verifier_ca_file: str = ""
    stage_functions: Mapping[str, str]
    """The alias to invoke of each stage, by the stage's name."""
    memory_mb: int = 0
    """The function's own, which Lambda tells; 0 elsewhere."""

    @property
    def restore_regions(self) -> tuple[str, ...]:
        """Where all of a plan can be restored, the usual one first."""
        return (self.here,) if self.here != self.region else (*self.copy_regions, self.region)


_REQUIRED = (
    "HOLDFAST_STACK",
    "AWS_REGION",
    "HOLDFAST_ACCOUNT",
    "HOLDFAST_PLANS_PATH",
    "HOLDFAST_BUCKET",
)
_STAGE_VARIABLES = {
    "create": "HOLDFAST_CREATE_FUNCTION",
    "copy": "HOLDFAST_COPY_FUNCTION",
    "prune": "HOLDFAST_PRUNE_FUNCTION",
    "settings": "HOLDFAST_SETTINGS_FUNCTION",
    "check": "HOLDFAST_CHECK_FUNCTION",
    "report": "HOLDFAST_REPORT_FUNCTION",
}
_LOCK_MODES: Mapping[str, Literal["GOVERNANCE", "COMPLIANCE"] | None] = {
    "": None,
    "GOVERNANCE": "GOVERNANCE",
    "COMPLIANCE": "COMPLIANCE",
}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises `SettingsError` that names every variable which is missing or has no usable value."""
    problems = [f"{name} is missing" for name in _REQUIRED if not environment.get(name)]
    rate_text = environment.get("HOLDFAST_RDS_CALLS_PER_SECOND", "5")
    try:
        rate = float(rate_text)
    except ValueError:
        rate = 0
    if not 0 < rate <= 100:
        problems.append(f"HOLDFAST_RDS_CALLS_PER_SECOND is {rate_text!r}: give a number above 0, at most 100")
    quota = environment.get("HOLDFAST_SNAPSHOT_QUOTA", "")
    if quota and not re.fullmatch(r"[1-9][0-9]{0,5}", quota):
        problems.append(
            f"HOLDFAST_SNAPSHOT_QUOTA is {quota!r}: give a whole number from 1 to 999999, or none"
        )
    problems += _lock_problems(environment)
    problems += _standby_problems(environment)
    copy_regions = _list(environment.get("HOLDFAST_COPY_REGIONS", ""))
    copy_bucket = environment.get("HOLDFAST_COPY_BUCKET", "")
    if problems:
        raise SettingsError("the environment cannot be used: " + "; ".join(problems) + " (see template.yaml)")
    return Settings(
        stack=environment["HOLDFAST_STACK"],
        region=environment.get("HOLDFAST_HOME_REGION") or environment["AWS_REGION"],
        here=environment["AWS_REGION"],
        account=environment["HOLDFAST_ACCOUNT"],
        plans_path=environment["HOLDFAST_PLANS_PATH"].rstrip("/"),
        bucket=environment["HOLDFAST_BUCKET"],
        copy_regions=copy_regions,
        copy_buckets={copy_regions[0]: copy_bucket} if copy_bucket and copy_regions else {},
        vault_accounts=_list(environment.get("HOLDFAST_VAULT_ACCOUNT", "")),
        vault_role=environment.get("HOLDFAST_VAULT_ROLE", ""),
        snapshot_quota=int(quota) if quota else None,
        rds_calls_per_second=rate,
        topic_arn=environment.get("HOLDFAST_TOPIC_ARN", ""),
        chat_topic_arn=environment.get("HOLDFAST_CHAT_TOPIC_ARN", ""),
        holds_parameter=environment.get("HOLDFAST_HOLDS_PARAMETER", ""),
        prices_parameter=environment.get("HOLDFAST_PRICES_PARAMETER", ""),
        record_lock_mode=_LOCK_MODES[environment.get("HOLDFAST_RECORD_LOCK_MODE", "")],
        record_lock_days=int(environment.get("HOLDFAST_RECORD_LOCK_DAYS") or 0),
        verifier_function=environment.get("HOLDFAST_VERIFIER", ""),
        verifier_secret=environment.get("VERIFIER_SECRET_ARN", ""),
        verifier_queries=environment.get("VERIFIER_QUERIES", ""),
        verifier_ca_file=environment.get("VERIFIER_CA_FILE", ""),
        stage_functions={
            stage: environment[name] for stage, name in _STAGE_VARIABLES.items() if environment.get(name)
        },
        memory_mb=int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0),
    )


def _standby_problems(environment: Mapping[str, str]) -> list[str]:
    home, here = environment.get("HOLDFAST_HOME_REGION", ""), environment.get("AWS_REGION", "")
    copies = _list(environment.get("HOLDFAST_COPY_REGIONS", ""))
    if home in ("", here) or here in copies:
        return []
    return [
        f"HOLDFAST_HOME_REGION is {home!r}, and {here!r} is no copy Region: a standby stands in CopyRegion"
    ]


def _lock_problems(environment: Mapping[str, str]) -> list[str]:
    mode = environment.get("HOLDFAST_RECORD_LOCK_MODE", "")
    days = environment.get("HOLDFAST_RECORD_LOCK_DAYS", "")
    problems = []
    if mode not in _LOCK_MODES:
        problems.append(f"HOLDFAST_RECORD_LOCK_MODE is {mode!r}: give GOVERNANCE or COMPLIANCE, or none")
    if (mode or days) and not re.fullmatch(r"[1-9][0-9]{0,4}", days):
        problems.append(f"HOLDFAST_RECORD_LOCK_DAYS is {days!r}: give a whole number from 1 to 99999")
    return problems


def _list(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())
