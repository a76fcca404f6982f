"""What AWS's services cost: the table that comes with Holdfast, and what a person puts in its place.

The table is `prices.json`, beside this file; `docs/cost.md` explains both.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from holdfast.core.brief import LONGEST_VALUE, cut
from holdfast.core.cost import Prices
from holdfast.core.errors import PricesError

UNVERIFIED = "unverified"
"""In the place of a source that nobody has seen."""

_AMOUNT_RULE = "a number of US dollars from 0 to 1000000 with at most 12 decimals, such as 0.095"
_SHARE_RULE = "a number from 0 to 1 with at most 12 decimals, such as 0.03"
_DATE_RULE = "the day of the list, such as 2026-11-20"
_REGION_RULE = "the name of an AWS Region"
_FORM = 'an object such as {"usd": {"rds_snapshot_gb_month": 0.1}}'


def _number(value: object) -> object:
    """No number from a text, nor from true or false."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError
    return value


def _text(value: object) -> object:
    """No date from a number of seconds."""
    if not isinstance(value, str):
        raise ValueError
    return value


_Amount = Annotated[
    Decimal, BeforeValidator(_number), Field(ge=0, le=1_000_000, decimal_places=12, allow_inf_nan=False)
]
_Share = Annotated[
    Decimal, BeforeValidator(_number), Field(ge=0, le=1, decimal_places=12, allow_inf_nan=False)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A line of the table: US dollars for one `unit`, and which of AWS's price pages they are from."""

    name: str
    usd: Decimal
    unit: str
    what: str
    source: str


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Overrides(_Document):
    as_of: Annotated[date, BeforeValidator(_text)] | None = Field(default=None, description=_DATE_RULE)
    region: str | None = Field(
        default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description=_REGION_RULE, strict=True
    )
    usd: dict[str, _Amount] = Field(default_factory=dict, description="an object of prices by name")
    daily_change: _Share | None = Field(default=None, description=_SHARE_RULE)


@cache
def listed() -> tuple[Listed, ...]:
    """The table's lines."""
    return tuple(
        Listed(
            name=one["name"],
            usd=Decimal(one["usd"]),
            unit=one["unit"],
            what=one["what"],
            source=one["source"],
        )
        for one in _table()["prices"]
    )


def load_prices(override_text: str = "", place: str = "that were given") -> Prices:
    """The table, and in it what `override_text` says instead. Nothing but space says nothing.

    Raises `PricesError` with every mistake in the text, each with where it is and what is allowed. `place` is
    where the text is from, in words.
    """
    table = _table()
    prices = Prices(
        as_of=date.fromisoformat(table["as_of"]),
        region=table["region"],
        usd={one.name: one.usd for one in listed()},
        daily_change=Decimal(table["daily_change"]),
    )
    return _overridden(prices, _read(override_text, place)) if override_text.strip() else prices


def _overridden(prices: Prices, given: _Overrides) -> Prices:
    changed = {*given.usd, *(("daily_change",) if given.daily_change is not None else ())}
    return replace(
        prices,
        as_of=given.as_of or prices.as_of,
        region=given.region or prices.region,
        usd={**prices.usd, **given.usd},
        daily_change=prices.daily_change if given.daily_change is None else given.daily_change,
        overridden=frozenset(changed),
    )


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(files("holdfast").joinpath("prices.json").read_text("utf-8"))
    return table


def _read(text: str, place: str) -> _Overrides:
    document, repeated = _parsed(text, place)
    mistakes = [f"{key}: given twice; give it once" for key in repeated]
    try:
        given = _Overrides.model_validate(document)
    except ValidationError as error:
        raise PricesError(place, [*mistakes, *map(_sentence, error.errors())]) from None
    known = [one.name for one in listed()]
    mistakes += [
        f"usd.{name}: unknown price; allowed are {', '.join(sorted(known))}"
        for name in given.usd
        if name not in known
    ]
    if mistakes:
        raise PricesError(place, mistakes)
    return given


def _parsed(text: str, place: str) -> tuple[object, list[str]]:
    """The document, and the keys that are in it twice. Numbers keep all their digits."""
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        repeated.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return dict(pairs)

    try:
        document: object = json.loads(
            text, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PricesError(place, [f"{where}: not JSON ({error.msg}); give {_FORM}"]) from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise PricesError(place, [f"not JSON that can be read ({error}); give {_FORM}"]) from None
    return document, repeated


def _sentence(error: ErrorDetails) -> str:
    """One mistake: where, the value, what is allowed."""
    path = [str(step) for step in error["loc"]]
    if not path:
        return f"it is {_shown(error['input'])}; give {_FORM}"
    where = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key; allowed are {_list(_Overrides.model_fields)}"
    nested = path[0] == "usd" and len(path) > 1
    allowed = _AMOUNT_RULE if nested else _Overrides.model_fields[path[0]].description
    return f"{where}: {_shown(error['input'])} is not allowed; give {allowed}"


def _shown(value: object) -> str:
    return cut(str(value) if isinstance(value, Decimal) else json.dumps(value, default=str), LONGEST_VALUE)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
