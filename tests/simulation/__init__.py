"""Random nights with faults, in memory. `nights` is the place to begin reading."""

import sys
from pathlib import Path

_LAYER = str(Path(__file__).parents[2] / "layers" / "holdfast")
if _LAYER not in sys.path:  # so that `python -m tests.simulation` works by itself
    sys.path.insert(0, _LAYER)
