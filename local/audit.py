"""Compare every version that is pinned here with the vulnerabilities that are known by now: `make audit`.

pip-audit asks the OSV database, and takes an answer with nothing in it for good news, also from a proxy that
answers everything so; and it leaves out what the database does not know, with a warning alone. So it is asked
about a version with known vulnerabilities too, and each pin is looked for in what it says. Ends with 0 when
nothing is known, with 1 when something is, and with 3 when that could not be found out.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

OSV = "https://api.osv.dev/v1/query"

KNOWN = "urllib3==1.24.1"
"""Has vulnerabilities that were published in 2019 (CVE-2019-11324 is one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A vulnerability that is lived with, until the day on which somebody has to look again."""

    until: date
    reason: str


ACCEPTED: Mapping[str, Accepted] = {
    "CVE-2024-23342": Accepted(
        until=date(2027, 6, 1),
        reason="ecdsa's signing can be timed, and its authors plan no fix. checkov brings the package along "
        "and signs nothing: it verifies, which is not affected, and only checks from elsewhere.",
    )
}
"""By any name of the vulnerability."""


class UncheckedError(Exception):
    """It could not be found out. Says why."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Pin:
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    pin: Pin
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]
    summary: str

    def accepted(self, today: date) -> Accepted | None:
        known = (ACCEPTED[name] for name in self.names if name in ACCEPTED)
        return next((one for one in known if today < one.until), None)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv-url", default=OSV)
    parser.add_argument("--pip-audit", default=".cache/audit/bin/pip-audit")
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    where = {path: pins_of(path.read_text()) for path in given.files}
    try:
        found = vulnerabilities(where, given.pip_audit, given.osv_url)
    except UncheckedError as error:
        print(f"NOT AUDITED: {error}", file=sys.stderr)
        print("Whether these versions have known vulnerabilities is as open as before.", file=sys.stderr)
        return 3
    return tell(found, where, given.today)


def pins_of(text: str) -> frozenset[Pin]:
    """What a requirements.txt pins."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.MULTILINE)
    return frozenset(Pin(name=_canonical(name), version=version) for name, version in found)


def vulnerabilities(where: Mapping[Path, Iterable[Pin]], pip_audit: str, osv_url: str) -> list[Vulnerability]:
    """Those of all the pins. Raises `UncheckedError`."""
    asked = {pin for pins in where.values() for pin in pins}
    [known] = pins_of(KNOWN)
    with tempfile.TemporaryDirectory() as folder:
        # pip-audit refuses a list that has a package twice, and each environment has its own versions.
        answers = [
            _ask(pins, Path(folder) / "requirements.txt", pip_audit, osv_url)
            for pins in _apart({*asked, known})
        ]
    answered = {pin: those for answer in answers for pin, those in answer.items()}
    if missing := sorted({*asked, known} - answered.keys()):
        raise UncheckedError(f"{osv_url} said nothing of {', '.join(map(str, missing))}.")
    if not answered[known]:
        raise UncheckedError(f"{osv_url} knows nothing against {known}, which has known vulnerabilities.")
    return [one for pin in sorted(asked) for one in answered[pin]]


def tell(found: Iterable[Vulnerability], where: Mapping[Path, Iterable[Pin]], today: date) -> int:
    """Print it. Returns how the audit ends."""
    open_ = 0
    for one in found:
        files = ", ".join(str(path) for path, pins in where.items() if one.pin in pins)
        print(f"{one.pin} ({files}): {' = '.join(one.names)}: {one.summary}")
        if accepted := one.accepted(today):
            print(f"  accepted until {accepted.until}: {accepted.reason}")
        else:
            open_ += 1
            print(f"  fixed in {', '.join(one.fixed_in) or 'no version'}")
    count = len({pin for pins in where.values() for pin in pins})
    print(f"{count} versions audited, {open_ or 'no'} known vulnerabilities that are not accepted.")
    return 1 if open_ else 0


def _apart(pins: Iterable[Pin]) -> list[list[Pin]]:
    """In as few lists as possible of which none has a package twice."""
    lists: list[list[Pin]] = []
    for pin in sorted(pins):
        place = next((one for one in lists if one[-1].name != pin.name), None)
        if place is None:
            lists.append(place := [])
        place.append(pin)
    return lists


def _ask(pins: Iterable[Pin], path: Path, pip_audit: str, osv_url: str) -> dict[Pin, list[Vulnerability]]:
    path.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins))
    asked = [
        pip_audit,
        *("--requirement", str(path), "--no-deps", "--disable-pip", "--progress-spinner", "off"),
        *("--vulnerability-service", "osv", "--osv-url", osv_url, "--format", "json"),
    ]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UncheckedError(f"{osv_url} could not be asked: {lines[-1]}") from None
    return dict(_answer(one) for one in dependencies if "version" in one)


def _answer(dependency: Mapping[str, Any]) -> tuple[Pin, list[Vulnerability]]:
    pin = Pin(name=_canonical(dependency["name"]), version=dependency["version"])
    return pin, [
        Vulnerability(
            pin=pin,
            names=(one["id"], *one["aliases"]),
            fixed_in=tuple(one["fix_versions"]),
            summary=one["description"],
        )
        for one in dependency["vulns"]
    ]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
