"""The page in a real browser."""

import sys
from pathlib import Path

_LAYER = str(Path(__file__).parents[2] / "layers" / "holdfast")
if _LAYER not in sys.path:  # so that `python -m tests.browser.screenshot` works by itself
    sys.path.insert(0, _LAYER)
