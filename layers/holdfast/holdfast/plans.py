"""Plan documents: JSON text, checked whole, into a `core.model.Plan`.

Every mistake in a document is told at once, each with its key, its value and what is allowed. The
descriptions of the fields below are those sentences, and `docs/plans.md` explains the keys.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from holdfast.core.errors import PlanError
from holdfast.core.model import (
    Breaker,
    CopyRule,
    DrillRule,
    KeepPolicy,
    KeyRule,
    Origin,
    Plan,
    Selection,
    account_of,
    place_of,
    region_of,
)
from holdfast.core.naming import PLAN_NAME
from holdfast.core.spans import parse_span

PLAN_NAME_RULE = "1 to 32 lower-case letters and digits, a letter first"

WITHIN_RULE = "a length of time above 0 in years, months, days and hours, such as 14d, 36h or 1y6m"

_Count = Annotated[int, Field(ge=0, le=10_000, description="a whole number from 0 to 10000")]
_Text = Annotated[str, Field(min_length=1, max_length=2048)]


class _Document(BaseModel):
    """Nothing is guessed: no unknown key, no number from a string."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Keep(_Document):
    last: _Count = 0
    hourly: _Count = 0
    daily: _Count = 0
    weekly: _Count = 0
    monthly: _Count = 0
    yearly: _Count = 0
    within: str | None = Field(default=None, description=WITHIN_RULE)
    oldest: bool = Field(default=False, description="true or false")
    minimum: int = Field(default=2, ge=1, le=10_000, description="a whole number from 1 to 10000")

    @field_validator("within")
    @classmethod
    def _length_of_time(cls, value: str | None) -> str | None:
        if value is not None and parse_span(value) is None:
            raise _mistake(f"{json.dumps(value)} is not allowed; give {WITHIN_RULE}")
        return value

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.policy().is_unusable:
            raise _mistake(
                "no count is above 0, so it would keep nothing; "
                "give at least one of last, hourly, daily, weekly, monthly, yearly, or within"
            )
        return self

    def policy(self) -> KeepPolicy:
        within = parse_span(self.within) if self.within is not None else None
        return KeepPolicy(**self.model_dump(exclude={"within"}), within=within)


class _Select(_Document):
    tags: dict[_Text, str] = Field(default_factory=dict, description="an object of tag keys and values")
    include: tuple[_Text, ...] = Field(default=(), description="a list of ARNs or globs over ARNs")
    exclude: tuple[_Text, ...] = Field(default=(), description="a list of ARNs or globs over ARNs")
    types: tuple[str, ...] | None = Field(default=None, description="a list of kinds of resources")

    @field_validator("types")
    @classmethod
    def _known_kinds(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        kinds = _limits(info).kinds
        unknown = [kind for kind in value or () if kind not in kinds]
        if unknown or value == ():
            raise _mistake(
                f"{json.dumps(value)} is not allowed; give some of {_list(kinds)}, or leave it out"
            )
        return value


_KEY_PATTERN = r"^(arn:[^:]+:kms:[^:]+:[^:]*:.+)?$"
_KEY_RULE = "the ARN of a KMS key, or empty"
_ACCOUNT_RULE = "the 12 digits of another AWS account, or empty for the stack's own"


class _KeyByTag(_Document):
    tags: dict[_Text, str] = Field(min_length=1, description="an object of tag keys and values")
    kms_key: str = Field(min_length=1, pattern=_KEY_PATTERN, description="the ARN of a KMS key")


class _Incremental(_Document):
    full_every_days: int = Field(ge=1, le=30, description="a whole number from 1 to 30")


class _Copy(_Document):
    account: str = Field(default="", pattern=r"^([0-9]{12})?$", description=_ACCOUNT_RULE)
    region: str = Field(description="the name of an AWS Region")
    kms_key: str = Field(default="", pattern=_KEY_PATTERN, description=_KEY_RULE)
    kms_keys: tuple[_KeyByTag, ...] = Field(
        default=(), description="a list of objects with tags and kms_key, of which the first that fits counts"
    )
    keep: _Keep = Field(description="an object of counts, as in the plan's own keep")
    slots: int = Field(default=20, ge=1, le=1000, description="a whole number from 1 to 1000")
    option_groups: dict[_Text, _Text] = Field(
        default_factory=dict, description="an object of RDS option groups: at the source, and at the copy"
    )
    unencrypted_clusters: Literal["fail", "copy"] = Field(default="fail", description='"fail" or "copy"')
    bucket: str = Field(default="", description="the name of the stack's bucket in the Region, or empty")
    incremental: _Incremental | None = Field(
        default=None, description="an object with full_every_days, or null for full exports alone"
    )

    @property
    def place(self) -> str:
        return place_of(self.region, self.account)

    @field_validator("account")
    @classmethod
    def _allowed_account(cls, value: str, info: ValidationInfo) -> str:
        limits = _limits(info)
        if value and value not in limits.vault_accounts:
            raise _mistake(
                f"{value!r} is not allowed; this stack may copy to "
                f"{_list(limits.vault_accounts) or 'no other account'} (template parameter VaultAccountId)"
            )
        return value

    @field_validator("region")
    @classmethod
    def _allowed_region(cls, value: str, info: ValidationInfo) -> str:
        limits = _limits(info)
        if value == limits.home_region:
            if info.data.get("account"):
                return value
            raise _mistake(f"{value!r} is where the backups are made; give another Region")
        if value not in limits.copy_regions:
            raise _mistake(
                f"{value!r} is not allowed; this stack may copy to "
                f"{_list(limits.copy_regions) or 'no Region'} (template parameter CopyRegion)"
            )
        return value

    @model_validator(mode="after")
    def _keys_of_the_place(self) -> Self:
        for key in (self.kms_key, *(rule.kms_key for rule in self.kms_keys)):
            if key and region_of(key) != self.region:
                raise _mistake(f"kms_key {key!r} is of another Region; give a key of {self.region}")
            if key and self.account and account_of(key) != self.account:
                raise _mistake(f"kms_key {key!r} is of another account; give a key of {self.account}")
        return self

    @model_validator(mode="after")
    def _bucket_of_the_region(self, info: ValidationInfo) -> Self:
        allowed = _limits(info).copy_buckets.get(self.region, "")
        if self.bucket and self.account:
            raise _mistake("bucket: exports cannot go to another account; leave it out")
        if self.bucket and self.bucket != allowed:
            raise _mistake(
                f"bucket {self.bucket!r} is not allowed; give {allowed or 'none'} "
                "(template parameter CopyBucket)"
            )
        if self.incremental and not self.bucket:
            raise _mistake("incremental: only exports can be incremental; give a bucket, or leave it out")
        return self

    def rule(self) -> CopyRule:
        return CopyRule(
            region=self.region,
            account=self.account,
            keep=self.keep.policy(),
            kms_key=self.kms_key,
            kms_keys=tuple(KeyRule(tags=one.tags, kms_key=one.kms_key) for one in self.kms_keys),
            slots=self.slots,
            option_groups=self.option_groups,
            copy_unencrypted=self.unencrypted_clusters == "copy",
            bucket=self.bucket,
            full_every_days=self.incremental.full_every_days if self.incremental else 1,
        )


class _VaultOf(_Document):
    account: str = Field(pattern=r"^[0-9]{12}$", description="the 12 digits of another AWS account")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="the name of an AWS Region")

    @field_validator("account")
    @classmethod
    def _another_account(cls, value: str, info: ValidationInfo) -> str:
        if value == _limits(info).account:
            raise _mistake(f"{value!r} is the stack's own; give the account that the copies come from")
        return value


class _Prune(_Document):
    max_deletes_per_run: int | None = Field(default=None, ge=0, description="a whole number, 0 or more")
    max_delete_share: float = Field(default=0.25, ge=0, le=1, description="a number from 0 to 1")


class _Drill(_Document):
    within_days: int = Field(default=91, ge=1, le=366, description="a whole number from 1 to 366")
    every_days: int = Field(default=7, ge=1, le=31, description="a whole number from 1 to 31")
    max_usd: float = Field(default=5, ge=0, le=100_000, description="a number from 0 to 100000")
    sample: int = Field(default=100, ge=0, le=1000, description="a whole number from 0 to 1000")
    most_missing_share: float = Field(default=0.02, ge=0, le=1, description="a number from 0 to 1")
    settings: dict[_Text, dict[_Text, dict[_Text, Any]]] = Field(
        default_factory=dict, description="an object of places, of kinds, of settings as a restore takes them"
    )

    @field_validator("settings")
    @classmethod
    def _known_kinds(
        cls, value: dict[str, dict[str, dict[str, Any]]], info: ValidationInfo
    ) -> dict[str, dict[str, dict[str, Any]]]:
        limits = _limits(info)
        places = {limits.home_region, *limits.copy_regions}
        if unknown := sorted(value.keys() - places):
            raise _mistake(f"{_list(unknown)} is no place of backups; give some of {_list(places)}")
        kinds = {kind for by_kind in value.values() for kind in by_kind}
        if unknown := sorted(kinds - set(limits.kinds)):
            raise _mistake(f"{_list(unknown)} is no kind of resource; give some of {_list(limits.kinds)}")
        return value

    def rule(self) -> DrillRule:
        values = self.model_dump()
        return DrillRule(**values | {"max_usd": Decimal(str(self.max_usd))})


_UNUSABLE = object()
"""In the place of a `vault_of` that has a mistake of its own."""


class _Plan(_Document):
    name: str = Field(description=PLAN_NAME_RULE)
    vault_of: _VaultOf | None = Field(
        default=None, description="an object with account and region, or null for a plan that makes backups"
    )
    select: _Select | None = Field(
        default=None, validate_default=True, description="an object with at least one of tags and include"
    )
    keep: _Keep = Field(description="an object of counts")
    copies: tuple[_Copy, ...] = Field(default=(), description="a list of Regions to copy to")
    time_zone: str = Field(default="UTC", description="a zone of the IANA database, as Europe/Berlin is one")
    window_minutes: int = Field(default=720, ge=1, le=1440, description="a whole number from 1 to 1440")
    rpo_hours: int = Field(default=26, ge=1, le=8784, description="a whole number from 1 to 8784")
    rto_minutes: int = Field(default=60, ge=1, le=525_600, description="a whole number from 1 to 525600")
    prune: _Prune = Field(default_factory=_Prune, description="an object of limits")
    drill: _Drill | None = Field(
        default=None, description="an object that says how restores are rehearsed, or null for not at all"
    )

    @field_validator("name")
    @classmethod
    def _own_name(cls, value: str, info: ValidationInfo) -> str:
        stored_as = info.context["name"] if info.context else value
        if not PLAN_NAME.fullmatch(value):
            raise _mistake(f"{value!r} is not allowed; give {PLAN_NAME_RULE}")
        if value != stored_as:
            raise _mistake(f"{value!r} is stored as the plan {stored_as!r}; give both the same name")
        return value

    @field_validator("select")
    @classmethod
    def _selects_something(cls, value: _Select | None, info: ValidationInfo) -> _Select | None:
        if info.data.get("vault_of", _UNUSABLE) is not None:
            if value and (value.tags or value.include or value.exclude):
                raise _mistake("with vault_of, what stands is kept; give types alone, or leave it out")
        elif value is None:
            raise _mistake(f"missing; give {cls.model_fields['select'].description}")
        elif not value.tags and not value.include:
            raise _mistake("it selects by nothing; give at least one of select.tags and select.include")
        return value

    @field_validator("time_zone")
    @classmethod
    def _existing_zone(cls, value: str) -> str:
        if value != "UTC" and value not in available_timezones():
            raise _mistake(f"{value!r} is not allowed; give {cls.model_fields['time_zone'].description}")
        return value

    @field_validator("drill")
    @classmethod
    def _of_its_own(cls, value: _Drill | None, info: ValidationInfo) -> _Drill | None:
        if value and info.data.get("vault_of"):
            raise _mistake("with vault_of, the stack that made the copies rehearses; leave it out")
        return value

    @field_validator("copies")
    @classmethod
    def _each_place_once(cls, value: tuple[_Copy, ...], info: ValidationInfo) -> tuple[_Copy, ...]:
        if value and info.data.get("vault_of"):
            raise _mistake("with vault_of, nothing is copied on; leave it out")
        places = [copy.place for copy in value]
        repeated = sorted({place for place in places if places.count(place) > 1})
        if repeated:
            raise _mistake(f"{_list(repeated)} is given more than once; give each place once")
        fed = {_limits(info).home_region, *(copy.region for copy in value if not copy.account)}
        for copy in value:
            if copy.region not in fed:
                raise _mistake(
                    f"the account {copy.account} gets its copies from those in {copy.region}; copy to "
                    f"{copy.region} in the stack's own account too"
                )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """What a deployment allows its plans: the kinds that it knows, its own Region, and where it may copy.

    `copy_buckets` is the bucket for exports by Region, `vault_accounts` are the other accounts, and `account`
    is its own.
    """

    kinds: Collection[str]
    home_region: str
    copy_regions: Collection[str]
    copy_buckets: Mapping[str, str] = field(default_factory=dict)
    vault_accounts: Collection[str] = ()
    account: str = ""


def parse_plan(name: str, text: str, limits: PlanLimits) -> Plan:
    """The plan in a document that is stored under `name`. Raises `PlanError` with every mistake found."""
    data = _read_json(name, text)
    try:
        document = _Plan.model_validate_json(json.dumps(data), context={"name": name, "limits": limits})
    except ValidationError as error:
        raise PlanError(name, [_sentence(one) for one in error.errors()]) from None
    return _plan_of(document, limits)


def _read_json(name: str, text: str) -> object:
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        repeated.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return dict(pairs)

    try:
        data: object = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise PlanError(
            name, [f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})"]
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets as deep
        raise PlanError(name, [f"not JSON that can be read ({error})"]) from None
    if repeated:
        raise PlanError(name, [f"{key}: given twice; give it once" for key in repeated])
    return data


def _limits(info: ValidationInfo) -> PlanLimits:
    limits = (info.context or {}).get("limits")
    if not isinstance(limits, PlanLimits):
        raise TypeError("a plan is validated with its limits as context")
    return limits


def _mistake(sentence: str) -> PydanticCustomError:
    """A mistake whose sentence names the value and what is allowed by itself."""
    return PydanticCustomError("mistake", "{sentence}", {"sentence": sentence})


def _plan_of(document: _Plan, limits: PlanLimits) -> Plan:
    select = document.select or _Select()
    origin = document.vault_of
    return Plan(
        name=document.name,
        select=Selection(
            tags=select.tags,
            include=select.include,
            exclude=select.exclude,
            types=frozenset(limits.kinds if select.types is None else select.types),
        ),
        keep=document.keep.policy(),
        breaker=Breaker(**document.prune.model_dump()),
        copies=tuple(copy.rule() for copy in document.copies),
        time_zone=document.time_zone,
        window_minutes=document.window_minutes,
        rpo_hours=document.rpo_hours,
        rto_minutes=document.rto_minutes,
        vault_of=Origin(account=origin.account, region=origin.region) if origin else None,
        drill=document.drill.rule() if document.drill else None,
    )


def _sentence(error: ErrorDetails) -> str:
    """One mistake: the key as one writes it (`copies[0].keep.daily`), the value, what is allowed."""
    path = error["loc"]
    if error["type"] == "extra_forbidden":
        model = _model_at(path[:-1])
        allowed = _list(model.model_fields) if model else ""
        return f"{_dotted(path)}: unknown key; allowed are {allowed}"
    if not path and error["type"] == "mistake":
        return error["msg"]
    if error["type"] == "json_invalid":
        return f"not JSON that can be read ({error['msg']})"
    if not path:
        return f"the document is {json.dumps(error['input'])}; give an object"
    if error["type"] == "mistake":
        return f"{_dotted(path)}: {error['msg']}"
    allowed = _allowed_at(path)
    if error["type"] == "missing":
        return f"{_dotted(path)}: missing; give {allowed}"
    return f"{_dotted(path)}: {json.dumps(error['input'])} is not allowed; give {allowed}"


def _model_at(path: Iterable[str | int]) -> type[_Document] | None:
    model: type[_Document] | None = _Plan
    for step in path:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step) if model else None
        model = _document_in(field.annotation) if field else None
    return model


def _document_in(annotation: object) -> type[_Document] | None:
    """The document class in a field's type: itself, or inside `tuple[…]`."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, _Document):
            return candidate
    return None


def _allowed_at(path: tuple[str | int, ...]) -> str:
    """The description of the deepest field that the path names."""
    described = "a value of another type"
    for length in range(1, len(path) + 1):
        step = path[length - 1]
        model = _model_at(path[: length - 1])
        if model and isinstance(step, str) and step in model.model_fields:
            described = model.model_fields[step].description or described
    return described


def _dotted(path: Iterable[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
