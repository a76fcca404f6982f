"""Bugs that somebody might write into the pruning, each planted once: the suite has to catch them all.

`python -m tests.mutation` plants them (`make mutants`); `tests/unit/test_mutants.py` checks that the list
still fits the code.
"""
