"""What protecting data will cost a month, before anything is deployed: `python -m local.estimate`.

`docs/cost.md` says how to ask, and what the answer rests on.
"""

import sys

from local.paths import ROOT

# Holdfast is a layer, and not installed. The estimate rests on the very rules that a deployment goes by.
sys.path.append(str(ROOT / "layers" / "holdfast"))
