"""The settings of an RDS instance or cluster as a table: how each is read, given to a restore, and changed.

What AWS keeps of each in a restore is from RDS's API reference of the operations, in botocore's model.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.adapters.rds_common import tag_list, tags_of
from holdfast.core.brief import shown
from holdfast.core.model import region_of
from holdfast.core.restoring import RESTORE_TAG, Json, Settings, Target, Wanted

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import TagTypeDef

type Answer = Mapping[str, Any]
"""What a describe call tells of one instance or cluster."""

TAGS = "Tags"
PROTECTION = "DeletionProtection"
_MOST_TAGS = 49
"""AWS allows 50, and one is ours."""

_RESERVED = ("aws:", "rds:")
_DEFAULTS = ("default.", "default:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a value has to be: `words` for people, and whether one fits."""

    words: str
    fits: Callable[[Json], bool]


def is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_mapping_of(value: Json, fits: Callable[[Json], bool]) -> bool:
    return isinstance(value, Mapping) and all(map(fits, value.values()))


def _is_texts(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_text, value))


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and bool(value)


def _matching(pattern: str) -> Callable[[Json], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_tags(value: Json) -> bool:
    if not isinstance(value, Mapping) or len(value) > _MOST_TAGS:
        return False
    return all(
        isinstance(one, str) and key and not key.lower().startswith(_RESERVED) for key, one in value.items()
    )


_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_TIME = r"([01]\d|2[0-3]):[0-5]\d"

TEXT = Form(words="a text", fits=_is_text)
NAME = Form(words="a name in lower case, as RDS keeps it", fits=_matching(r"[a-z0-9][a-z0-9.:_-]*"))
NUMBER = Form(words="a whole number", fits=is_whole)
FLAG = Form(words="true or false", fits=lambda value: isinstance(value, bool))
TEXTS = Form(words="a list of texts", fits=_is_texts)
NUMBERS = Form(
    words="names and numbers",
    fits=lambda value: _is_mapping_of(
        value, lambda one: isinstance(one, int | float) and not isinstance(one, bool)
    ),
)
FEATURES = Form(words="names and texts", fits=lambda value: _is_mapping_of(value, _is_text))
KEY = Form(words="the ARN of a KMS key", fits=_matching(r"arn:[^:]+:kms:[^:]+:\d{12}:key/.+"))
ROLE = Form(words="the ARN of a role", fits=_matching(r"arn:[^:]+:iam::\d{12}:role/.+"))
HOURS = Form(words="a time of each day as hh:mm-hh:mm in UTC", fits=_matching(f"{_TIME}-{_TIME}"))
DAYS = Form(
    words="a time of each week as ddd:hh:mm-ddd:hh:mm in UTC, in lower case",
    fits=_matching(f"{_DAY}:{_TIME}-{_DAY}:{_TIME}"),
)
TAG_FORM = Form(
    words=f"at most {_MOST_TAGS} keys and their texts, none beginning with aws: or rds:", fits=_is_tags
)


def _the_wanted(has: Json, wanted: Json) -> object:  # noqa: ARG001
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, by AWS's name.

    `restored` is the parameter of the restore calls that takes it, and `modified` that of the modify call,
    made of what it has and what it should (`change`); each is empty where there is none. Settings of one
    `group` are changed by one call. `always`: said in a restore even where it is off, since AWS's default is
    on. `regional`: another Region does not know what the source has. `only_given`: no restore takes it from
    the source. `lost` says why it stays different.
    """

    name: str
    form: Form
    read: Callable[[Answer], Json]
    restored: str = ""
    modified: str = ""
    change: Callable[[Json, Json], object] = _the_wanted
    group: str = ""
    always: bool = False
    regional: bool = False
    only_given: bool = False
    lost: str = "RDS has no call that changes it"

    @property
    def can_be_given(self) -> bool:
        return bool(self.restored or self.modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one modify call changes: the settings' names, and its parameters."""

    names: tuple[str, ...]
    parameters: Mapping[str, object]

    def __add__(self, other: "Change") -> "Change":
        return Change(names=self.names + other.names, parameters={**self.parameters, **other.parameters})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All settings of a kind."""

    word: str
    settings: Sequence[Setting]

    def read(self, answer: Answer) -> dict[str, Json]:
        """The settings of what was described, tags too."""
        found: dict[str, Json] = {TAGS: own_tags(answer)}
        for one in self.settings:
            if (value := one.read(answer)) is not None:
                found[one.name] = value
        return found

    def mistakes(self, given: Settings, others: Mapping[str, Form]) -> list[str]:
        """What is wrong with the given ones. `others` are settings that are not of the table."""
        forms = {one.name: one.form for one in self.settings if one.can_be_given} | {TAGS: TAG_FORM, **others}
        fixed = {one.name: one.lost for one in self.settings if one.name not in forms}
        return [
            text for name, value in given.items() if (text := _mistake(self.word, name, value, forms, fixed))
        ]

    def for_restore(self, wanted: Wanted, target: Target) -> dict[str, object]:
        """The parameters of the restore call."""
        return {
            one.restored: value
            for one in self.settings
            if one.restored and (value := _said(one, wanted, target)) is not None
        }

    def changes(self, has: Settings, wanted: Wanted, target: Target) -> list[Change]:
        """The modify calls that bring back what differs, each safe by itself, deletion protection last."""
        groups: dict[str, Change] = {}
        for one in self.settings:
            value = usable(one, wanted, target)
            if not one.modified or value is None or value == has.get(one.name):
                continue
            change = Change(
                names=(one.name,), parameters={one.modified: one.change(has.get(one.name), value)}
            )
            group = one.group or one.name
            groups[group] = groups[group] + change if group in groups else change
        return sorted(groups.values(), key=lambda change: PROTECTION in change.names)

    def problems(self, has: Settings, wanted: Wanted, target: Target) -> dict[str, str]:
        """Why those stay different that no call changes."""
        return {
            one.name: (_of_the_region(one.name, target) if _is_elsewhere(one, wanted, target) else one.lost)
            for one in self.settings
            if wanted.settings.get(one.name, has.get(one.name)) != has.get(one.name)
            and (usable(one, wanted, target) is None or not one.modified)
        }


def usable(setting: Setting, wanted: Wanted, target: Target) -> Json:
    """What a setting is to be; `None` leaves it as AWS makes it."""
    if setting.name in wanted.given:
        value = wanted.given[setting.name]
        return sorted(value) if setting.form is TEXTS and isinstance(value, list) else value
    if setting.only_given or _is_elsewhere(setting, wanted, target):
        return None
    return wanted.known.get(setting.name)


def own_tags(answer: Answer) -> dict[str, str]:
    """The tags of what was described that a person could have put there, without ours of a restore."""
    return {
        key: value
        for key, value in sorted(all_tags(answer).items())
        if not key.lower().startswith(_RESERVED) and key != RESTORE_TAG
    }


def all_tags(answer: Answer) -> dict[str, str]:
    return tags_of(answer.get("TagList", ()))


def tags_for(tags: Json, target: Target) -> "list[TagTypeDef]":
    """Tags for what a restore makes, its own among them. Those that are too many for AWS are left out."""
    mine = tags if isinstance(tags, Mapping) else {}
    kept = dict(sorted(mine.items())[:_MOST_TAGS]) | dict(target.tags)
    return tag_list({key: str(value) for key, value in kept.items()})


def is_default(value: Json) -> bool:
    """Whether it is a group that AWS makes for each engine, and puts there by itself."""
    return isinstance(value, str) and value.startswith(_DEFAULTS)


# --- reading -----------------------------------------------------------------------------------------------


def as_told(name: str) -> Callable[[Answer], Json]:
    """As the answer has it under this name."""
    return lambda answer: None if answer.get(name) == "" else answer.get(name)


def unless_zero(name: str) -> Callable[[Answer], Json]:
    return lambda answer: answer.get(name) or None


def in_state(name: str, key: str) -> Callable[[Answer], Json]:
    """The name under `key` of the first of a list that is not on its way out."""

    def read(answer: Answer) -> Json:
        states = ((one.get(key), f"{one.get('Status', '')}") for one in answer.get(name, ()))
        return next((found for found, state in states if not state.endswith(("removal", "removing"))), None)

    return read


def sorted_texts(name: str) -> Callable[[Answer], Json]:
    return lambda answer: sorted(answer.get(name, ()))


def security_groups(answer: Answer) -> Json:
    """Those that are on their way out are not among them."""
    return sorted(
        one["VpcSecurityGroupId"]
        for one in answer.get("VpcSecurityGroups", ())
        if one.get("Status") != "removing"
    )


def numbers(name: str, *names: str) -> Callable[[Answer], Json]:
    def read(answer: Answer) -> Json:
        found = answer.get(name) or {}
        return {each: found[each] for each in names if each in found} or None

    return read


def logs_change(has: Json, wanted: Json) -> object:
    """The difference between two lists of logs, as the modify calls take it."""
    now = {str(one) for one in has} if isinstance(has, Sequence) else set()
    then = {str(one) for one in wanted} if isinstance(wanted, Sequence) else set()
    change = {"EnableLogTypes": sorted(then - now), "DisableLogTypes": sorted(now - then)}
    return {name: value for name, value in change.items() if value}


# --- deciding ----------------------------------------------------------------------------------------------


def _said(setting: Setting, wanted: Wanted, target: Target) -> object:
    """What a restore call is told; `None` when nothing need be said."""
    value = usable(setting, wanted, target)
    if setting.name in wanted.given or setting.always:
        return value
    off = value is None or value is False or value == 0 or value in ([], {}, ())
    return None if off or is_default(value) else value


def _is_elsewhere(setting: Setting, wanted: Wanted, target: Target) -> bool:
    """Whether the source's means nothing in the Region of the target."""
    if not setting.regional or setting.name in wanted.given:
        return False
    return region_of(target.source) != target.region and not is_default(wanted.known.get(setting.name))


def _of_the_region(name: str, target: Target) -> str:
    return f"it is of {region_of(target.source)}: give settings.{name} of {target.region}"


def _mistake(word: str, name: str, value: Json, forms: Mapping[str, Form], fixed: Mapping[str, str]) -> str:
    if name in fixed:
        return f"settings.{name}: {fixed[name]}; leave it out"
    if name not in forms:
        known = ", ".join(sorted(forms))
        return f"settings.{name}: there is no such setting of a restored {word}; give one of {known}"
    if not forms[name].fits(value):
        return f"settings.{name}: {shown(value)} cannot be used; give {forms[name].words}"
    return ""
