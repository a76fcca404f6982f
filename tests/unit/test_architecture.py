"""The way of the imports, read from the source. What breaks a rule is told with its file, line and rule."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "holdfast" / "holdfast"
FUNCTIONS = ROOT / "functions"

EDGE = {"plans", "holds", "prices", "events", "settings", "stage", "telemetry", "gauges"}
"""Modules that stand between Lambda and the use cases: what comes in is read there, what goes out is told."""

MAY_IMPORT: Mapping[str, set[str]] = {
    "core": {"core"},
    "ports": {"core"},
    "usecases": {"usecases", "ports", "core"},
    "adapters": {"adapters", "ports", "core"},
    "plans": {"core"},
    "holds": {"core"},
    "prices": {"core"},
    "page": {"page", "core"},
    "settings": {"core"},
    "events": {"plans", "core"},
    "restore_events": {"events", "core"},
    "return_events": {"events", "core"},
    "drill_events": {"events", "plans", "core"},
    "recovery_events": {"events", "plans", "core"},
    "gauges": {"core"},
    "telemetry": {"gauges", "core"},
    "stage": {"telemetry", "usecases", "ports", "core"},
    "bootstrap": {"adapters", "page", "plans", "holds", "prices", "settings", "ports", "core"},
    "functions": {
        "bootstrap",
        "usecases",
        "events",
        "restore_events",
        "recovery_events",
        "return_events",
        "drill_events",
        "stage",
    },
}
RULES: Mapping[str, str] = {
    "core": "the core imports the standard library and itself only",
    "ports": "ports import the core only",
    "usecases": "imports run functions -> usecases -> ports -> core",
    "adapters": "adapters import ports and the core only",
    "bootstrap": "imports run functions -> bootstrap -> adapters",
    "page": "the page is made of what the core found out, and of nothing else",
    "functions": "imports run functions -> bootstrap -> adapters, functions -> usecases -> ports -> core",
} | dict.fromkeys(EDGE, "what reads events, plans and settings or tells reports stays at the edge")

AWS_SDK = {"boto3", "botocore", "aws_durable_execution_sdk_python"}
MAY_IMPORT_AWS = {"adapters", "bootstrap"}

IMPURE = {
    *("asyncio", "getpass", "http", "locale", "logging", "multiprocessing", "os", "pathlib", "platform"),
    *("random", "secrets", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "time"),
    *("urllib", "uuid", "warnings"),
}
IMPURE_CALLS = {"now", "utcnow", "today", "print", "input", "open", "getenv", "fromtimestamp"}


@dataclass(frozen=True, slots=True)
class Import:
    line: int
    module: str
    for_types_only: bool


def imports_of(source: str) -> Iterator[Import]:
    """Every import of a module, wherever it stands in it."""
    tree = ast.parse(source)
    typed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, node in typed)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "holdfast" else [base]
            for name in names:
                yield Import(node.lineno, name, node in typed)


def layer_of(module: str) -> str:
    """`holdfast.core.model` is of the layer `core`."""
    return module.split(".")[1]


def violations(path: str, source: str, layer: str) -> list[str]:
    """The sentences about what one file imports against the rules."""
    return [
        f"{path}:{one.line} imports {one.module}: {rule}"
        for one in imports_of(source)
        for rule in [_broken_rule(one, layer)]
        if rule
    ]


def _broken_rule(one: Import, layer: str) -> str:
    top = one.module.split(".")[0]
    if one.module.startswith("."):
        return "imports name the whole module"
    if top == "holdfast":
        return "" if layer_of(one.module) in MAY_IMPORT[layer] else RULES[layer]
    if layer in ("core", "ports", "usecases") and top not in sys.stdlib_module_names:
        return f"{layer} imports the standard library and holdfast only"
    if layer == "core" and top in IMPURE:
        return "the core has no clock, environment, logger or randomness"
    if top.startswith("mypy_boto3") and not one.for_types_only:
        return "boto3's stubs are there for TYPE_CHECKING only"
    if top in AWS_SDK and layer not in MAY_IMPORT_AWS and (layer, one.module) != _DURABLE_HANDLER:
        return "AWS's SDKs are for adapters and bootstrap"
    return ""


_DURABLE_HANDLER = ("functions", "aws_durable_execution_sdk_python")
"""A durable function is made by its SDK's decorator, as a handler's logs are by Powertools'."""


def impure_calls(path: str, source: str) -> list[str]:
    """The sentences about what a core module calls that two runs could answer differently."""
    return [
        f"{path}:{node.lineno} calls {ast.unparse(node.func)}: the core decides the same each time"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in IMPURE_CALLS
    ]


def product() -> list[tuple[Path, str]]:
    """Every file of the product with its layer."""
    files = [(path, "functions") for path in sorted(FUNCTIONS.glob("*.py"))]
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            files.append((path, parts[0]))
    return files


FILES = product()


def name_of_file(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(("path", "layer"), FILES, ids=[name_of_file(path) for path, _ in FILES])
def test_imports_run_one_way(path: Path, layer: str) -> None:
    assert layer in MAY_IMPORT, (
        f"{name_of_file(path)} is of no layer that this test knows: say what it may import"
    )
    broken = violations(name_of_file(path), path.read_text(), layer)
    assert not broken, "\n".join(broken)


def test_every_layer_is_there_to_be_read() -> None:
    assert {layer for _, layer in FILES} == set(MAY_IMPORT)


def test_the_core_has_no_clock_and_nothing_else_that_changes_between_two_runs() -> None:
    core = [path for path, layer in FILES if layer == "core"]
    broken = [sentence for path in core for sentence in impure_calls(name_of_file(path), path.read_text())]
    assert not broken, "\n".join(broken)


class TestTheCheckItself:
    @pytest.mark.parametrize(
        ("layer", "line", "told"),
        [
            (
                "core",
                "from holdfast.ports import Provider",
                "the core imports the standard library and itself only",
            ),
            (
                "core",
                "import holdfast.usecases.create",
                "the core imports the standard library and itself only",
            ),
            ("core", "import pydantic", "core imports the standard library and holdfast only"),
            ("core", "import boto3", "core imports the standard library and holdfast only"),
            ("core", "from time import monotonic", "the core has no clock"),
            ("core", "import os.path", "the core has no clock"),
            ("core", "import logging", "the core has no clock"),
            ("ports", "from holdfast.adapters.sns import SnsNotifier", "ports import the core only"),
            (
                "usecases",
                "from holdfast.adapters.rds import RdsBackups",
                "functions -> usecases -> ports -> core",
            ),
            (
                "usecases",
                "def f():\n    from holdfast.bootstrap import App",
                "functions -> usecases -> ports -> core",
            ),
            (
                "usecases",
                "import botocore.exceptions",
                "usecases imports the standard library and holdfast only",
            ),
            ("adapters", "from holdfast.usecases import create", "adapters import ports and the core only"),
            ("adapters", "from holdfast import bootstrap", "adapters import ports and the core only"),
            ("adapters", "from mypy_boto3_rds import RDSClient", "for TYPE_CHECKING only"),
            ("adapters", "from . import calls", "imports name the whole module"),
            (
                "functions",
                "from holdfast.adapters.durable import DurableRun",
                "functions -> bootstrap -> adapters",
            ),
            (
                "functions",
                "from holdfast.core.planning import select",
                "functions -> usecases -> ports -> core",
            ),
            ("functions", "import boto3", "AWS's SDKs are for adapters and bootstrap"),
            ("events", "from botocore.session import Session", "AWS's SDKs are for adapters and bootstrap"),
            ("plans", "from holdfast.bootstrap import App", "stays at the edge"),
        ],
    )
    def test_a_planted_import_is_told_with_its_line_and_the_rule(
        self, layer: str, line: str, told: str
    ) -> None:
        [sentence] = violations("planted.py", f'"""A module."""\n{line}\n', layer)
        assert sentence.startswith(("planted.py:2 imports ", "planted.py:3 imports "))
        assert told in sentence

    @pytest.mark.parametrize(
        ("layer", "source"),
        [
            ("core", "from datetime import UTC, datetime"),
            ("core", "from holdfast.core.model import Plan"),
            ("adapters", "if TYPE_CHECKING:\n    from mypy_boto3_rds import RDSClient"),
            ("bootstrap", "import boto3"),
            ("functions", "from aws_durable_execution_sdk_python import durable_execution"),
        ],
    )
    def test_what_is_allowed_is_not_told(self, layer: str, source: str) -> None:
        assert violations("fine.py", source, layer) == []

    @pytest.mark.parametrize("call", ["datetime.now(UTC)", "date.today()", "datetime.utcnow()", "open('x')"])
    def test_a_planted_clock_is_told(self, call: str) -> None:
        [sentence] = impure_calls("planted.py", f"x = 1\nnow = {call}\n")
        assert sentence.startswith("planted.py:2 calls ")


HANDLERS = sorted(FUNCTIONS.glob("*.py"))


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.name)
class TestHandlers:
    def handler(self, path: Path) -> ast.FunctionDef:
        [found] = [
            node
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name == "handler"
        ]
        return found

    def test_a_handler_has_at_most_25_lines(self, path: Path) -> None:
        node = self.handler(path)
        assert (node.end_lineno or 0) - node.lineno + 1 <= 25

    def test_a_handler_decides_nothing(self, path: Path) -> None:
        deciding = (ast.If, ast.IfExp, ast.Match, ast.For, ast.While, ast.Try, ast.BoolOp, ast.comprehension)
        found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, deciding)]
        assert [f"{path.name}:{getattr(node, 'lineno', '?')}" for node in found] == []

    def test_a_file_has_its_handler_and_no_other_function(self, path: Path) -> None:
        functions = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
        ]
        assert [node.name for node in functions] == ["handler"]
