"""Which operations of AWS the adapters call, read from their source: names of client methods and of
paginators, as botocore's models spell them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name
from botocore.model import ServiceModel

PRODUCT = Path(__file__).parents[2] / "layers/holdfast/holdfast"


@cache
def model_of(service: str) -> ServiceModel:
    """botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


def declared(name: str) -> list[str]:
    """The codes of the errors that the model declares for an operation (`rds.CopyDBSnapshot`), as they are on
    the wire."""
    service, _, operation = name.partition(".")
    shapes = model_of(service).operation_model(operation).error_shapes
    return sorted({str(one.metadata.get("error", {}).get("code", one.name)) for one in shapes})


def services() -> set[str]:
    """The services that the product makes clients of."""
    return {
        call.args[0].value
        for call in _calls(PRODUCT)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "client"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


RESTORERS = ("*_restore*.py", "*_settl*.py", "*_settings.py", "dynamodb_given.py", "dynamodb_increments.py")
"""The adapters whose calls `test_restore` tries."""

REHEARSERS = ("*_rehearsal.py",)
"""Those whose calls `tests/contract/test_rehearsals.py` tries."""

RETURNERS = ("dynamodb_items.py",)
"""Those whose calls `test_return_items` tries."""


OF_THE_VERIFIER = {"lambda", "secretsmanager"}
"""Each has one call, which `test_lambda_verifier` tries, and methods that are named as those of DynamoDB."""


def called(*files: str, but: tuple[str, ...] = ()) -> set[str]:
    """The operations that the adapters call, `rds.CopyDBSnapshot`: those in files of such names (all, where
    none is given), but for those in others."""
    by_method = {
        xform_name(operation): f"{service}.{operation}"
        for service in services() - OF_THE_VERIFIER
        for operation in model_of(service).operation_names
    }
    return {by_method[one] for one in _method_names(files, but) if one in by_method}


def _method_names(files: tuple[str, ...], but: tuple[str, ...]) -> Iterator[str]:
    for call in _calls(PRODUCT / "adapters", files, but):
        if not isinstance(call.func, ast.Attribute):
            continue
        yield call.func.attr
        if call.func.attr in ("get_paginator", "get_waiter") and isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value)


def _calls(folder: Path, files: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> Iterator[ast.Call]:
    for path in folder.rglob("*.py"):
        if (files and not any(map(path.match, files))) or any(map(path.match, but)):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield node
