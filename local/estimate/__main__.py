"""`python -m local.estimate [FILE] [--plan PLAN.json] [--prices FILE] [--json]`. Answers to standard output;
what is wrong with what was given goes to standard error, and the exit code is 2 then."""

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from holdfast.core.errors import PlanError, PricesError
from holdfast.core.model import Plan
from holdfast.prices import load_prices
from local.estimate.answer import Answer, answer
from local.estimate.question import Question, QuestionError, plan_in, read_question
from local.estimate.show import as_data, shown
from local.paths import ROOT

EXAMPLE = ROOT / "docs" / "estimates" / "company.json"
WIDTH = 160
"""Of what is not shown in a terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        found = _answer(given.file, given.plan, given.prices)
    except (QuestionError, PlanError, PricesError) as error:
        print(_told(error), file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(as_data(found), indent=2, ensure_ascii=False))
    else:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(shown(found))
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.estimate",
        description="What protecting data will cost a month. docs/cost.md says how to write the files.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=EXAMPLE, help="which data there is (an example without)"
    )
    parser.add_argument("--plan", type=Path, help="a plan, in place of the one in the file")
    parser.add_argument("--prices", type=Path, help="prices in place of those that come with Holdfast")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args(arguments)


def _answer(file: Path, plan_file: Path | None, prices_file: Path | None) -> Answer:
    prices_text = _text(prices_file) if prices_file else ""
    prices = load_prices(prices_text, f"in {prices_file}")
    question = read_question(_text(file), str(file))
    region = question.region or prices.region
    return answer(question, _plan(question, plan_file, region, file), prices)


def _plan(question: Question, plan_file: Path | None, region: str, file: Path) -> Plan | None:
    if plan_file:
        return plan_in(_text(plan_file), region, str(plan_file))
    if question.plan is None:
        return None
    return plan_in(json.dumps(question.plan, default=_number), region, f"{file}, its plan")


def _number(value: object) -> float:
    """The question's numbers keep their digits; a plan's are as JSON has them."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(value)


def _text(path: Path) -> str:
    """Raises `QuestionError` about a file that cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise QuestionError(str(path), [f"cannot be read: {why}; give a file with JSON"]) from None


def _told(error: QuestionError | PlanError | PricesError) -> str:
    """Each mistake on a line of its own."""
    heading = error.place if isinstance(error, QuestionError) else str(error).split(":", 1)[0]
    return "\n".join([f"{heading}:", *(f"  {problem}" for problem in error.problems)])


if __name__ == "__main__":
    sys.exit(main())
