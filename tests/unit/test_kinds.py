"""A kind of resource is complete: its adapter, its entry in bootstrap, permissions, contract tests."""

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from holdfast.bootstrap import KINDS, App
from holdfast.ports import Copier, Provider
from holdfast.settings import read_settings
from tests.contract.kinds import REAL
from tests.fakes import KINDS as FAKE_KINDS

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "layers" / "holdfast" / "holdfast" / "adapters"
READ, CREATE, PRUNE, CHECK = "StagePolicy", "CreateBackupsRole", "PruneBackupsRole", "CheckPointsRole"
RESTORE = "RestoreTablesPolicy or RestoreDatabasesPolicy"
COPY = "CopyPolicy or ExportsWritePolicy"
"""Which one, is the kind's own: what is exported is not copied."""


TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())


def documents(resources: dict[str, Any], names: str) -> list[dict[str, Any]]:
    """The roles' or policies' own documents."""
    found: list[dict[str, Any]] = []
    for properties in (resources[name]["Properties"] for name in names.split(" or ")):
        found += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        found += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    return found


def sids(resources: dict[str, Any], names: str) -> list[str]:
    return [each["Sid"] for document in documents(resources, names) for each in document["Statement"]]


def app() -> App:
    """Wired as in Lambda. Making clients calls nothing."""
    settings = read_settings(
        {
            "HOLDFAST_STACK": "holdfast",
            "AWS_REGION": "us-east-1",
            "HOLDFAST_ACCOUNT": "123456789012",
            "HOLDFAST_PLANS_PATH": "/holdfast/plans",
            "HOLDFAST_BUCKET": "reports",
            "HOLDFAST_COPY_REGIONS": "us-west-2",
        }
    )
    return App(settings, boto3.Session(region_name="us-east-1"))


APP = app()


def what_is_missing(
    kind: str,
    *,
    files: Sequence[str],
    providers: dict[str, Provider],
    copiers: dict[str, Copier],
    resources: dict[str, Any],
    contract: Sequence[str],
) -> list[str]:
    """What a kind lacks, in sentences."""
    roles = [READ, CREATE, PRUNE, CHECK, RESTORE, *([COPY] if kind in copiers else [])]
    word = kind.capitalize()
    wanted = {
        f"adapters/{kind}.py": f"{kind}.py" in files,
        "its entry in App.providers": kind in providers and providers[kind].kind == kind,
        "its line in tests/contract/kinds.py": kind in contract,
    } | {
        f"a statement {word}… in {role} of template.yaml": any(
            re.match(rf"{word}([A-Z]|$)", sid) for sid in sids(resources, role)
        )
        for role in roles
    }
    return [f"{kind} lacks {what}" for what, there in wanted.items() if not there]


def missing(kind: str, **changed: Any) -> list[str]:
    facts: dict[str, Any] = {
        "files": [path.name for path in ADAPTERS.glob("*.py")],
        "providers": dict(APP.providers),
        "copiers": dict(APP.copiers),
        "resources": TEMPLATE["Resources"],
        "contract": list(REAL),
    }
    return what_is_missing(kind, **(facts | changed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_complete(kind: str) -> None:
    assert missing(kind) == []


def test_the_lists_of_kinds_agree() -> None:
    assert set(KINDS) == set(APP.providers) == set(REAL) == set(FAKE_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_can_copy_is_among_the_copiers(kind: str) -> None:
    assert hasattr(APP.providers[kind], "copy") == (kind in APP.copiers)
    copier: object = APP.copiers.get(kind, APP.providers[kind])
    assert copier is APP.providers[kind]


def test_a_kind_that_nobody_wrote_lacks_everything() -> None:
    assert missing("efs") == [
        "efs lacks adapters/efs.py",
        "efs lacks its entry in App.providers",
        "efs lacks its line in tests/contract/kinds.py",
        "efs lacks a statement Efs… in StagePolicy of template.yaml",
        "efs lacks a statement Efs… in CreateBackupsRole of template.yaml",
        "efs lacks a statement Efs… in PruneBackupsRole of template.yaml",
        "efs lacks a statement Efs… in CheckPointsRole of template.yaml",
        "efs lacks a statement Efs… in RestoreTablesPolicy or RestoreDatabasesPolicy of template.yaml",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_that_is_taken_away_is_missed(kind: str) -> None:
    assert missing(kind, files=["calls.py"]) == [f"{kind} lacks adapters/{kind}.py"]
    assert missing(kind, providers={}) == [f"{kind} lacks its entry in App.providers"]
    assert missing(kind, contract=[]) == [f"{kind} lacks its line in tests/contract/kinds.py"]
    for role in (CREATE, PRUNE, CHECK, RESTORE, *([COPY] if kind in APP.copiers else [])):
        resources = deepcopy(TEMPLATE["Resources"])
        for document in documents(resources, role):
            document["Statement"] = [
                one for one in document["Statement"] if not one["Sid"].startswith(kind.capitalize())
            ]
        assert missing(kind, resources=resources) == [
            f"{kind} lacks a statement {kind.capitalize()}… in {role} of template.yaml"
        ]
