"""How many backups may stand in a place, and what to say before, and when, that many do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.core.model import Backup

WARN_PERCENT = 80
"""From this share of a quota on, people are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What AWS limits of a kind, in each account and Region.

    `service`, `code` and `name` are Service Quotas' words for it. `word` is what it counts, and `default`
    how many there may be in an account that never asked for more.
    """

    service: str
    code: str
    name: str
    word: str
    default: int


QUOTAS: Mapping[str, Quota] = {
    "rds": Quota(
        service="rds",
        code="L-272F1212",
        name="Manual DB instance snapshots",
        word="manual snapshots",
        default=100,
    ),
    "aurora": Quota(
        service="rds",
        code="L-9B510759",
        name="Manual DB cluster snapshots",
        word="manual snapshots",
        default=100,
    ),
    "ebs": Quota(
        service="ebs",
        code="L-309BACF6",
        name="Snapshots per Region",
        word="snapshots",
        default=100_000,
    ),
}
"""The kinds whose backups have a quota, from the tables of quotas in the AWS General Reference. DynamoDB's
have none."""


def warning(kind: str, place: str, standing: Sequence[Backup], most: int | None) -> str:
    """The sentence that says that little is left of a quota; empty while enough is, or when there is none.

    `standing` are all backups of the kind that are listed in the place, others' too: whatever their state,
    they count. Automated snapshots do not, and by the RDS and Aurora user guides AWS Backup's do not either;
    no listing has them. EC2 documents no such exception, so for EBS, where AWS Backup's and those of images
    are not listed, more may count than is said here. So it may for clusters, if there are snapshots of
    DocumentDB or Neptune.

    `most` is how many may stand, as far as is known (`ports.Quotas`): more can stand only when it is not the
    account's own number.
    """
    quota = QUOTAS.get(kind)
    count = len(standing)
    if quota is None or most is None or count * 100 < most * WARN_PERCENT:
        return ""
    ours = sum(one.mark is not None for one in standing)
    whose = f"{quota.word} stand, {ours} of them Holdfast's"
    if count > most:
        return (
            f"{kind} in {place}: {count} {whose}, and the quota is {_told(most, quota)} as far as is known. "
            "If that is right, none can be made any more. Let Holdfast read the quota "
            f"(servicequotas:GetServiceQuota) or give it the right number, or else {_remedy(quota)}."
        )
    end = "none can be made any more" if count == most else f"at {most} no further one can be made"
    of = f"{count} of {_told(most, quota)} {whose}"
    return f"{kind} in {place}: {of}; {end}. {_capital(_remedy(quota))}."


def quota_reached(kind: str, place: str, count: int, most: int | None, said: str) -> str:
    """The reason when AWS made no backup since too many stand.

    `count` are those that were listed before (as in `warning`), `most` how many may stand as far as is known,
    and `said` is AWS's answer.
    """
    quota = QUOTAS.get(kind)
    if quota is None:
        return (
            f"no further {kind} backup can be made in {place}: the account's quota is reached, with {count} "
            f"listed there before. Raise it, or keep fewer ({said})"
        )
    known = "" if most is None else f", of {_told(most, quota)} that may"
    return (
        f"no further {kind} backup can be made in {place}: {count} {quota.word} stood there when they were "
        f"listed{known}. {_capital(_remedy(quota))} ({said})"
    )


def _told(most: int, quota: Quota) -> str:
    """The number, and whether it is AWS's default: who has had it raised then knows that it was not read."""
    return f"{most} (AWS's default)" if most == quota.default else str(most)


def _remedy(quota: Quota) -> str:
    return f'raise the quota (Service Quotas, "{quota.name}", {quota.code}) or keep fewer'


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
