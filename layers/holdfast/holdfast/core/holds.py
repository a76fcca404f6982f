"""Holds on backups that cannot carry a tag: a list that people keep, applied as if each bore the tag."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from holdfast.core.model import HOLD_TAG, Backup, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One entry of the list.

    `backups` names them as `<resource>/<backup>`, both as a report does, or by ARN; `*` and `?` stand for
    any characters. `reason` says for whom they are kept, and is what the reports give.
    """

    backups: str
    reason: str

    def covers(self, backup: Backup) -> bool:
        by_name = f"{name_of(backup.source)}/{backup.id}"
        return fnmatchcase(backup.arn if self.backups.startswith("arn:") else by_name, self.backups)


def hold(backups: Iterable[Backup], holds: Sequence[Hold]) -> list[Backup]:
    """The backups, with the hold tag on those that the list covers."""
    return [_held(one, holds) for one in backups]


def _held(backup: Backup, holds: Sequence[Hold]) -> Backup:
    reasons = [each.reason for each in holds if each.covers(backup)]
    return replace(backup, tags={**backup.tags, HOLD_TAG: "; ".join(reasons)}) if reasons else backup


def idle(holds: Iterable[Hold], backups: Sequence[Backup]) -> list[Hold]:
    """The entries that cover none of the backups: mistyped, or what they held is gone."""
    return [each for each in holds if not any(each.covers(one) for one in backups)]
