"""Run the benchmark: `make bench`, or `python -m local.bench [--quick] [--json]`.

Ends non-zero when Holdfast loses a backup, makes one twice, is throttled, or makes more calls than it should.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from local import sandbox
from local.bench.race import all_races, violations
from local.bench.show import show
from local.bench.size import measure
from local.paths import CACHE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="100 tables and 2 cold starts instead of 1,000 and 5"
    )
    parser.add_argument("--json", action="store_true", help="print everything that was measured, as JSON")
    arguments = parser.parse_args()
    tables, repeats = (100, 2) if arguments.quick else (1000, 5)
    sandbox.enter()
    CACHE.mkdir(exist_ok=True)
    logs = Path(tempfile.mkdtemp(prefix="bench-", dir=CACHE))
    progress = Console(stderr=True)
    with progress.status("") as status:
        runs = list(all_races(tables, logs, status.update))
        sizes = measure(tables, repeats, status.update)
    problems = violations(runs)
    if arguments.json:
        results = {
            "about": _about(),
            "runs": [asdict(run) for run in runs],
            "sizes": asdict(sizes),
            "problems": problems,
        }
        json.dump(results, sys.stdout, indent=1)
    else:
        show(runs, sizes, Console())
    for problem in problems:
        progress.print(f"[red]not as it should be:[/] {problem}")
    return 1 if problems else 0


def _about() -> dict[str, object]:
    packages = ("boto3", "botocore", "moto", "aws-lambda-powertools", "awslambdaric")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        **{package: version(package) for package in packages},
    }


if __name__ == "__main__":
    sys.exit(main())
