"""Random nights with faults, in memory, on a clock of their own.

A seed makes a world (`world`: accounts, resources, plans, what stands from earlier), then some nights
(`nights`). In each the real use cases run, stage by stage and as durable runs (`deployment`), on fakes
of the ports (`cloud`, `ports`). Every call passes one `gate`, where it can fail, lose its answer, be
slow, or kill the process. Meanwhile `people` meddle, and AWS delivers things twice. Nothing is parallel:
a second delivery runs to its end inside a call of the first, so that one seed is one order of events,
call by call, in every process.

`judge` looks at each backup that is made or deleted, `messages` at each message that goes out, both at
that moment, on what really stands, by the documents' rules as `rules` says them anew. After the nights
comes a calm: faults end, people mend what is theirs, and after two more runs all must be as the plans
want it. `planted` has bugs that the simulation has to catch; `python -m tests.simulation` does thousands
of runs.
"""

import sys
from pathlib import Path

_LAYER = str(Path(__file__).parents[2] / "layers" / "holdfast")
if _LAYER not in sys.path:  # so that `python -m tests.simulation` works by itself
    sys.path.insert(0, _LAYER)
