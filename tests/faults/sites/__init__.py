"""Where the product calls AWS, and what it costs when one of these calls fails.

A site is a call in a stage: which calls it is, how many of the plan's things depend on it, and how to get
there. Every operation that the adapters call has at least one.
"""

from tests.faults.sites.checking import to_check
from tests.faults.sites.copying import to_copy
from tests.faults.sites.creating import to_create
from tests.faults.sites.keeping_house import to_keep_house
from tests.faults.sites.pruning import to_prune

SITES = (*to_create(), *to_copy(), *to_prune(), *to_keep_house())
CHECK_SITES = tuple(to_check())
