"""Where things lie in the repository."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "events"
FUNCTIONS = ROOT / "functions"
CACHE = ROOT / ".cache"
CLOUD_ENV = CACHE / "cloud.env"
"""Written by `make cloud`, read by `make invoke`."""


def build_dir() -> Path:
    """Where `sam build` put the functions, the layer and the template."""
    return Path(os.environ.get("HOLDFAST_BUILD_DIR", ROOT / ".aws-sam" / "build"))
