"""`make lint` fails for a template with a mistake: each is planted in a copy, and has to be named."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """`there` becomes `instead` in template.yaml, first after the name of the resource (or of `within`). Then
    `check` has to name the resource."""

    check: str
    resource: str
    there: str
    instead: str
    within: str = ""

    @property
    def place(self) -> str:
        return self.within or self.resource


STATEMENTS = "        Statement:\n"


def granted(action: str) -> str:
    return f"          - Effect: Allow\n            Action: {action}\n            Resource: '*'\n"


MISTAKES: Mapping[str, Planted] = {
    "a bucket whose policy may make it public": Planted(
        check="CKV_AWS_54",
        resource="ReportBucket",
        there="BlockPublicPolicy: true",
        instead="BlockPublicPolicy: false",
    ),
    "a bucket that everybody reads": Planted(
        check="CKV_AWS_20",
        resource="ReportBucket",
        there="    Properties:\n",
        instead="    Properties:\n      AccessControl: PublicRead\n",
    ),
    "a bucket that keeps no versions": Planted(
        check="CKV_AWS_21", resource="ReportBucket", there="Status: Enabled", instead="Status: Suspended"
    ),
    "a topic that is not encrypted": Planted(
        check="CKV_AWS_26",
        resource="ReportTopic",
        there="      KmsMasterKeyId: !GetAtt ReportKey.Arn\n",
        instead="",
    ),
    "a queue that is not encrypted": Planted(
        check="CKV_AWS_27",
        resource="SecondQueue",
        within="DeadLetterQueuePolicy",
        there="  DeadLetterQueuePolicy:\n",
        instead="  SecondQueue:\n    Type: AWS::SQS::Queue\n\n  DeadLetterQueuePolicy:\n",
    ),
    "a key that does not rotate": Planted(
        check="CKV_AWS_7",
        resource="ReportKey",
        there="EnableKeyRotation: true",
        instead="EnableKeyRotation: false",
    ),
    "a key for everybody": Planted(
        check="CKV_AWS_33",
        resource="ReportKey",
        there="AWS: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:root",
        instead='AWS: "*"',
    ),
    "a role that may do everything": Planted(
        check="CKV_AWS_63",
        resource="ExportsReadPolicy",
        there=STATEMENTS,
        instead=STATEMENTS + granted("'*'"),
    ),
    "a policy that reads all data": Planted(
        check="CKV_AWS_108",
        resource="StagePolicy",
        there=STATEMENTS,
        instead=STATEMENTS + granted("s3:GetObject"),
    ),
    "a policy that deletes anything": Planted(
        check="CKV_AWS_111",
        resource="StagePolicy",
        there=STATEMENTS,
        instead=STATEMENTS + granted("dynamodb:DeleteTable"),
    ),
    "a policy that lets a role give itself more": Planted(
        check="CKV_AWS_109",
        resource="StagePolicy",
        there=STATEMENTS,
        instead=STATEMENTS + granted("iam:AttachRolePolicy"),
    ),
    "a role for everybody": Planted(
        check="CKV_AWS_60",
        resource="PublishReportRole",
        there="Principal: { Service: lambda.amazonaws.com }",
        instead='Principal: { AWS: "*" }',
    ),
    "logs that are kept for ever": Planted(
        check="CKV_AWS_66",
        resource="RunPlanLogGroup",
        there="      RetentionInDays: !Ref LogRetentionDays\n",
        instead="",
    ),
    "a function that everybody invokes": Planted(
        check="CKV_AWS_364",
        resource="RdsHintPermission",
        there="      SourceArn: !GetAtt RdsHintRule.Arn\n",
        instead="",
    ),
    "an exception that is another check's": Planted(
        check="CKV_AWS_18",
        resource="ReportBucket",
        there="checkov:skip=CKV_AWS_18:",
        instead="checkov:skip=CKV_AWS_19:",
    ),
}


def plant(text: str, mistake: Planted) -> str:
    """The template with the first such line of the resource changed."""
    begin = re.search(rf"^(  )?{mistake.place}:\n", text, re.MULTILINE)
    assert begin, mistake.place
    at = text.find(mistake.there, begin.start())
    assert at >= 0, mistake.there
    return text[:at] + mistake.instead + text[at + len(mistake.there) :]


def lint(by: str, template: Path) -> subprocess.CompletedProcess[str]:
    """What `make lint` does with the templates, by one of its tools, with this one for them."""
    without = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return subprocess.run(
        ["make", "--no-print-directory", by, f"TEMPLATES={template}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in without},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@cache
def linted() -> subprocess.CompletedProcess[str]:
    """A copy of the template with all the mistakes in it."""
    text = (ROOT / "template.yaml").read_text()
    for mistake in MISTAKES.values():
        text = plant(text, mistake)
    with TemporaryDirectory() as folder:
        template = Path(folder) / "template.yaml"
        template.write_text(text)
        return lint("checkov", template)


def test_a_template_with_mistakes_does_not_pass() -> None:
    assert linted().returncode != 0


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_named(name: str) -> None:
    mistake = MISTAKES[name]
    found = rf'Check: {mistake.check}: "[^\n]*\n\s+FAILED for resource: [\w:]+\.{mistake.resource}\n'
    assert re.search(found, linted().stdout), linted().stdout + linted().stderr


def test_cfn_lint_sees_what_checkov_does_not(tmp_path: Path) -> None:
    """checkov reads SAM's functions, but not their `Globals`; cfn-lint reads what SAM makes of both."""
    text = (ROOT / "template.yaml").read_text()
    assert text.count("    Runtime: python3.13\n") == 1
    template = tmp_path / "template.yaml"
    template.write_text(text.replace("    Runtime: python3.13\n", "    Runtime: python3.7\n"))
    done = lint("cfn-lint", template)
    assert done.returncode != 0
    assert "E2531" in done.stdout
