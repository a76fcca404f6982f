"""`make audit` says what is known against a version, and never that nothing is when it could not find out.

The real pip-audit asks a server on this machine for OSV's answers.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local import audit

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

type Answers = Mapping[str, Sequence[Mapping[str, Any]]]
"""Vulnerabilities by `name version`. What is missing has none, as OSV has it."""


def vulnerability(name: str, id_: str, *aliases: str) -> Mapping[str, Any]:
    affected = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
    }
    return {"id": id_, "aliases": aliases, "summary": f"{name} does it wrong", "affected": [affected]}


KNOWN: Answers = {
    audit.KNOWN.replace("==", " "): [vulnerability("urllib3", "PYSEC-2019-133", "CVE-2019-11324")]
}


@contextmanager
def osv(answers: Answers, *, broken: str = "") -> Iterator[str]:
    """The URL of a database with these answers. It fails for the package that is `broken`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            known = answers.get(f"{name} {asked['version']}")
            body = json.dumps({"vulns": known} if known else {}).encode()
            self.send_response(503 if name == broken else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two environments."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("# what is needed\nmoto[server]==5.2.5\n    # via -r one.in\nEcdsa==0.19.2\n")
    two.write_text('moto==5.2.5\npy_yaml.x==6.0 ; python_version < "4"\n')
    return [one, two]


def run(url: str, files: Sequence[Path], today: str = "2026-12-01") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.audit", "--osv-url", url, "--today", today, *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_nothing_is_known(files: list[Path]) -> None:
    with osv(KNOWN) as url:
        done = run(url, files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 versions audited, no known vulnerabilities that are not accepted.\n"


def test_a_vulnerability_is_named_with_where_it_is_and_what_mends_it(files: list[Path]) -> None:
    files[1].write_text("moto==5.0.1\nPy-YAML-x==6.0\n")
    with osv({**KNOWN, "moto 5.0.1": [vulnerability("moto", "PYSEC-2026-1", "CVE-2026-1")]}) as url:
        done = run(url, files)
    assert done.returncode == 1
    assert f"moto 5.0.1 ({files[1]}): PYSEC-2026-1 = CVE-2026-1: moto does it wrong" in done.stdout
    assert "fixed in 9.9" in done.stdout
    assert "4 versions audited, 1 known" in done.stdout
    assert "moto 5.2.5" not in done.stdout


@pytest.mark.parametrize(("today", "ends"), [("2026-12-01", 0), ("2031-01-01", 1)])
def test_what_is_accepted_is_accepted_until_its_day(files: list[Path], today: str, ends: int) -> None:
    [(name, accepted), *_] = audit.ACCEPTED.items()
    with osv({**KNOWN, "ecdsa 0.19.2": [vulnerability("ecdsa", "GHSA-wj6h-64fc-37mp", name)]}) as url:
        done = run(url, files, today)
    assert done.returncode == ends
    assert (accepted.reason in done.stdout) == (ends == 0)


def test_a_database_that_knows_nothing_is_not_believed(files: list[Path]) -> None:
    """As a proxy may answer. pip-audit alone would find no known vulnerabilities."""
    with osv({}) as url:
        done = run(url, files)
    assert_not_audited(done)
    assert "urllib3 1.24.1, which has known vulnerabilities" in done.stderr


def test_a_database_that_fails_for_one_package_is_no_good_news(files: list[Path]) -> None:
    with osv(KNOWN, broken="moto") as url:
        assert_not_audited(run(url, files))


def test_a_database_that_is_not_there_is_no_good_news(files: list[Path]) -> None:
    with osv(KNOWN) as url:
        pass
    assert_not_audited(run(url, files))


def test_a_pin_that_cannot_be_looked_up_is_no_good_news(files: list[Path]) -> None:
    files[0].write_text("moto==latest\n")
    with osv(KNOWN) as url:
        assert_not_audited(run(url, files))


def assert_not_audited(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("NOT AUDITED: ")


@pytest.mark.parametrize("file", ["layers/holdfast/requirements.txt", "requirements-dev.txt"])
def test_every_version_is_read(file: str) -> None:
    text = (ROOT / file).read_text()
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(audit.pins_of(text)) == len(lines) > 10
