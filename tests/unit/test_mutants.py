"""The list of planted bugs fits the code. `make mutants` plants them."""

import ast
from collections import Counter

import pytest

from tests.mutation.mutants import MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_its_place_is_there_once_and_the_bug_is_python(mutant: Mutant) -> None:
    source = (ROOT / mutant.path).read_text()
    planted = mutant.planted(source)
    ast.parse(planted)
    assert planted != source


def test_each_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(one.name for one in MUTANTS).items() if count > 1] == []


def test_every_guard_and_every_rule_is_broken() -> None:
    broken = {one.breaks for one in MUTANTS}
    assert {f"guard {number}" for number in range(1, 12)} <= broken
    rules = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within", "oldest")
    assert {f"rule {rule}" for rule in rules} <= broken
