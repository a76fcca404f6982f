"""An answer, for people and for machines."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast.core.cost import CostLine, percent, to_the_cent
from holdfast.core.retention import describe
from local.estimate.answer import MODEL, Answer, Billed

NOT_IN_IT = (
    "What RDS keeps for nothing, as much in a Region as its databases hold: it is not subtracted.",
    "The data itself and what keeps it, restoring it, and replicas' own storage.",
    "Requests to KMS, and to S3 by replication and lifecycle rules; e-mails, traces, the records' storage.",
    "Free tiers, discounts and taxes.",
)


def shown(answer: Answer) -> Group:
    parts: list[RenderableType] = [_heading(answer)]
    if answer.billed:
        parts += [_bill(answer), _rules(one.line for one in answer.billed)]
    if answer.own:
        parts += [_own(answer), Text(f"By a model, not measured: {MODEL}.", style="dim"), Text("")]
    parts += [Text(f"! {note}", style="yellow") for note in answer.notes]
    parts.append(_foot(answer))
    return Group(*parts)


def _heading(answer: Answer) -> Text:
    text = Text()
    if answer.question.about:
        text.append(f"{answer.question.about}\n", style="bold")
    if answer.plan:
        hours = f"{answer.question.every_hours.normalize():f}"
        text.append(f"Plan {answer.plan.name}, each {hours} hours: {describe(answer.plan.keep)}\n")
        for rule in answer.plan.copies:
            text.append(f"  copies in {rule.place}: {describe(rule.keep)}\n")
    return text


def _bill(answer: Answer) -> Table:
    table = Table(title="US dollars a month", title_justify="left", box=box.SIMPLE, show_footer=True)
    table.add_column("for", footer="total")
    table.add_column("what")
    table.add_column("where")
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("month 1", justify="right", no_wrap=True, footer=_usd(answer.first_month_usd))
    table.add_column("full", justify="right", no_wrap=True, footer=_usd(answer.total_usd))
    table.add_column("", no_wrap=True)
    table.add_column("rule", justify="right")
    numbers = _numbers(one.line for one in answer.billed)
    before = ""
    for one in answer.billed:
        line = one.line
        table.add_row(
            Text(one.thing if one.thing != before else ""),
            Text(line.what),
            Text(one.place),
            f"{_amount(line.amount)} {line.unit}",
            _price(line.price_usd),
            _usd(one.first_month_usd),
            _usd(line.monthly_usd),
            Text(str(line.basis), style="green" if line.basis == "known" else "yellow"),
            str(numbers[line.rule]),
        )
        before = one.thing
    return table


def _own(answer: Answer) -> Table:
    table = Table(title="Holdfast itself", title_justify="left", box=box.SIMPLE, show_footer=True)
    table.add_column("what", footer="total")
    table.add_column("amount", justify="right")
    table.add_column("unit")
    table.add_column("price", justify="right")
    table.add_column("a month", justify="right", footer=_usd(answer.own_usd))
    table.add_column("")
    for line in answer.own:
        table.add_row(
            line.what,
            _amount(line.amount),
            line.unit,
            _price(line.price_usd),
            _usd(line.monthly_usd),
            str(line.basis),
        )
    return table


def _numbers(lines: Iterable[CostLine]) -> dict[str, int]:
    rules = dict.fromkeys(line.rule for line in lines)
    return {rule: number for number, rule in enumerate(rules, 1)}


def _rules(lines: Iterable[CostLine]) -> Text:
    text = Text()
    for rule, number in _numbers(lines).items():
        text.append(f"{number:>3}  {rule}\n", style="dim")
    return text


def _foot(answer: Answer) -> Text:
    prices = answer.prices
    text = Text(f"Keeping {_usd(answer.total_usd - answer.transfer_usd)}, ")
    text.append(f"moving {_usd(answer.transfer_usd)}, together ")
    text.append(f"{_usd(answer.total_usd)} US dollars a month once all is full", style="bold")
    text.append(f"; {_usd(answer.first_month_usd)} at the end of the first month.\n")
    if answer.own:
        text.append(f"With Holdfast itself: {_usd(answer.total_usd + answer.own_usd)}.\n")
    text.append(f"Prices of {prices.region}, as of {prices.as_of}")
    if prices.overridden:
        text.append(f", yours in place of: {', '.join(sorted(prices.overridden))}")
    text.append(
        f". Where nothing else is said, {percent(prices.daily_change)} of the data change in a day.\n"
    )
    text.append("\nNot in it:\n", style="dim")
    for sentence in NOT_IN_IT:
        text.append(f"  {sentence}\n", style="dim")
    return text


def _usd(amount: Decimal) -> str:
    return f"{to_the_cent(amount):,}"


def _amount(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount >= Decimal("0.01") else f"{amount:.6f}"


def _price(price: Decimal) -> str:
    return f"{price:f}"


def as_data(answer: Answer) -> dict[str, Any]:
    """For machines. Amounts are texts, so that no digit gets lost: lines whole, sums to the cent."""
    return {
        "about": answer.question.about,
        "plan": answer.plan.name if answer.plan else None,
        "prices": {
            "as_of": answer.prices.as_of.isoformat(),
            "region": answer.prices.region,
            "overridden": sorted(answer.prices.overridden),
            "daily_change": f"{answer.prices.daily_change:f}",
        },
        "lines": [_billed(one) for one in answer.billed],
        "holdfast": [_line(one) for one in answer.own],
        "monthly_usd": {
            "first_month": str(to_the_cent(answer.first_month_usd)),
            "full": str(to_the_cent(answer.total_usd)),
            "of_it_transfer": str(to_the_cent(answer.transfer_usd)),
            "holdfast": str(to_the_cent(answer.own_usd)),
        },
        "notes": list(answer.notes),
        "not_in_it": list(NOT_IN_IT),
    }


def _billed(one: Billed) -> dict[str, Any]:
    return {
        "for": one.thing,
        "way": one.way,
        "place": one.place,
        **_line(one.line),
        "first_month_usd": f"{one.first_month_usd:f}",
        "is_transfer": one.transfer,
    }


def _line(line: CostLine) -> dict[str, Any]:
    return {
        "what": line.what,
        "amount": f"{line.amount:f}",
        "unit": line.unit,
        "price_usd": f"{line.price_usd:f}",
        "monthly_usd": f"{line.monthly_usd:f}",
        "basis": str(line.basis),
        "rule": line.rule,
    }
