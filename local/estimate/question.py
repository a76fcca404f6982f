"""What is asked: which data there is, how it is protected, and by which plan."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from holdfast.core.brief import LONGEST_VALUE, cut
from holdfast.core.errors import HoldfastError
from holdfast.core.model import Plan
from holdfast.plans import PlanLimits, parse_plan

type Kind = Literal["dynamodb", "rds", "aurora", "ebs", "s3"]
type Protection = Literal[
    "plan",
    "pitr",
    "manual_snapshot",
    "rds_automated",
    "aws_backup",
    "s3_versioning",
    "s3_replication",
    "s3_replication_time_control",
    "glacier",
]

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "dynamodb": ("plan", "pitr", "aws_backup"),
    "rds": ("plan", "manual_snapshot", "rds_automated", "aws_backup"),
    "aurora": ("plan", "manual_snapshot", "aws_backup"),
    "ebs": ("plan", "manual_snapshot", "aws_backup"),
    "s3": ("s3_versioning", "s3_replication", "s3_replication_time_control", "glacier", "aws_backup"),
}
"""How each kind can be protected."""

PLANNED = tuple(kind for kind, ways in ALLOWED.items() if "plan" in ways)

_FORM = 'an object such as {"resources": [{"kind": "rds", "size_gb": 50, "protect": ["plan"]}]}'


class QuestionError(HoldfastError):
    """A question that cannot be answered. Carries every mistake found."""

    def __init__(self, place: str, problems: Iterable[str]) -> None:
        self.place = place
        self.problems = tuple(problems)
        super().__init__(f"{place}: {'; '.join(self.problems)}")


def _number(value: object) -> object:
    """No number from a text, nor from true or false."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError
    return value


type _Amount = Annotated[Decimal, BeforeValidator(_number)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thing(_Document):
    """`count` resources of one kind, each with `size_gb` of data."""

    kind: Kind = Field(description=f"one of {', '.join(ALLOWED)}")
    name: str = Field(default="", strict=True, max_length=200, description="a text of at most 200 characters")
    count: int = Field(
        default=1, strict=True, ge=1, le=1_000_000, description="a whole number from 1 to 1000000"
    )
    size_gb: _Amount = Field(
        gt=0, le=10_000_000, decimal_places=9, description="a number above 0, up to 10000000, in GB"
    )
    daily_change: _Amount | None = Field(
        default=None, ge=0, le=1, decimal_places=12, description="a number from 0 to 1, such as 0.03"
    )
    protect: tuple[Protection, ...] = Field(default=("plan",), description="a list of ways to protect it")

    @property
    def label(self) -> str:
        several = f"{self.count} x " if self.count > 1 else ""
        return f"{several}{self.kind} {self.name}".strip()

    @property
    def gb(self) -> Decimal:
        """Of all of them."""
        return self.size_gb * self.count


class Question(_Document):
    """Everything that is asked at once. `plan` is a document as `docs/plans.md` describes it."""

    about: str = Field(default="", strict=True, max_length=2000, description="a text")
    region: str | None = Field(
        default=None,
        strict=True,
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$",
        description="the name of the AWS Region that the data is in",
    )
    every_hours: _Amount = Field(
        default=Decimal(24), ge=1, le=8784, decimal_places=3, description="a number of hours from 1 to 8784"
    )
    resources: tuple[Thing, ...] = Field(description="a list of what there is, not empty")
    plan: dict[str, Any] | None = Field(default=None, description="an object: a plan as in docs/plans.md")


def read_question(text: str, place: str) -> Question:
    """The question in a document. Raises `QuestionError` with every mistake, each with where it is and what
    is allowed."""
    try:
        question = Question.model_validate(_parsed(text, place))
    except ValidationError as error:
        # One sentence for each place: a list that holds a wrong word is not told once for each right word.
        raise QuestionError(place, dict.fromkeys(map(_sentence, error.errors()))) from None
    mistakes = [
        f"resources[{number}].protect: {way} is nothing for {thing.kind}; allowed are "
        f"{', '.join(ALLOWED[thing.kind])}"
        for number, thing in enumerate(question.resources)
        for way in thing.protect
        if way not in ALLOWED[thing.kind]
    ]
    mistakes += [
        f"resources[{number}].protect: {way} is given twice; give it once"
        for number, thing in enumerate(question.resources)
        for way in sorted({way for way in thing.protect if thing.protect.count(way) > 1})
    ]
    if not question.resources:
        mistakes.append(
            f"resources: [] is not allowed; give {Question.model_fields['resources'].description}"
        )
    if mistakes:
        raise QuestionError(place, mistakes)
    return question


def plan_in(document: str, home_region: str, place: str) -> Plan:
    """The plan in a document, wherever it wants its copies: what the stack will allow is not yet decided.

    Raises `PlanError` about what is wrong with it, and `QuestionError` where it makes no backups.
    """
    data = _parsed(document, place)
    if not isinstance(data, dict):
        raise QuestionError(place, [f"it is {_shown(data)}; give a plan, as docs/plans.md describes it"])
    name = data.get("name")
    copies = [copy for copy in _listed(data.get("copies")) if isinstance(copy, dict)]
    limits = PlanLimits(
        kinds=PLANNED,
        home_region=home_region,
        copy_regions=_texts(copy.get("region") for copy in copies),
        copy_buckets={
            copy["region"]: copy["bucket"]
            for copy in copies
            if isinstance(copy.get("region"), str) and isinstance(copy.get("bucket"), str)
        },
        vault_accounts=_texts(copy.get("account") for copy in copies),
    )
    plan = parse_plan(name if isinstance(name, str) else "", document, limits)
    if plan.vault_of is not None:
        raise QuestionError(
            place, ["vault_of: such a plan makes no backups; give the plan that makes them, with its copies"]
        )
    return plan


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _parsed(text: str, place: str) -> object:
    """JSON. Numbers keep all their digits."""
    try:
        document: object = json.loads(text, parse_float=Decimal, parse_constant=Decimal)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise QuestionError(place, [f"{where}: not JSON ({error.msg}); give {_FORM}"]) from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise QuestionError(place, [f"not JSON that can be read ({error}); give {_FORM}"]) from None
    return document


def _sentence(error: ErrorDetails) -> str:
    path = error["loc"]
    if not path:
        return f"it is {_shown(error['input'])}; give {_FORM}"
    of_thing = path[0] == "resources" and len(path) > 2
    model: type[_Document] = Thing if of_thing else Question
    key = str(path[2] if of_thing else path[0])
    where = _dotted(path)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key; allowed are {', '.join(model.model_fields)}"
    if key == "protect" and len(path) > 3:
        ways = get_args(Protection.__value__)
        return f"{where}: {_shown(error['input'])} is not allowed; give one of {', '.join(ways)}"
    if path[0] == "resources" and len(path) == 2:
        return f"{where}: {_shown(error['input'])} is not allowed; give an object with kind and size_gb"
    allowed = model.model_fields[key].description
    if error["type"] == "missing":
        return f"{where}: missing; give {allowed}"
    return f"{where}: {_shown(error['input'])} is not allowed; give {allowed}"


def _dotted(path: Iterable[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _shown(value: object) -> str:
    return cut(str(value) if isinstance(value, Decimal) else json.dumps(value, default=str), LONGEST_VALUE)
