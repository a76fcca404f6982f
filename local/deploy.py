"""Deploys the built template into the embedded cloud, as `sam deploy` would into AWS: artefacts to a bucket,
the SAM transform, a CloudFormation stack; and templates that need none of that. Nothing in a stack is
invented here."""

import hashlib
import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.sandbox import HOME_REGION, Clients, session

_CODE_PROPERTY = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
_MANAGED_POLICIES: Mapping[str, str] = {
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "AWSXRayDaemonWriteAccess": "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
}
"""What the transform would ask IAM for."""


class DeployError(Exception):
    """A stack that is not whole. Says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A deployed stack. `template` is the transformed one, `resources` the physical id by logical id."""

    name: str
    template: Mapping[str, Any]
    resources: Mapping[str, str]
    outputs: Mapping[str, str]

    def of_type(self, resource_type: str) -> dict[str, str]:
        """Physical id by logical id, of the resources of one type."""
        return {
            logical: self.resources[logical]
            for logical, resource in self.template["Resources"].items()
            if resource["Type"] == resource_type and logical in self.resources
        }


def deploy(
    clients: Clients,
    build: Path,
    name: str,
    parameters: Mapping[str, str],
    code: Path,
    *,
    region: str = HOME_REGION,
) -> Stack:
    """Deploy what `sam build` left in `build`, and lay its code out under `code`, where Lambda's runtime
    finds it by its key in the bucket. Raises `DeployError` when a resource could not be made."""
    source = build / "template.yaml"
    if not source.exists():
        raise DeployError(f"{source} is not there; run `make build`")
    bucket = f"{name}-artefacts-{region}"  # buckets of all accounts share one list of names
    clients("s3").create_bucket(Bucket=bucket)
    packaged = _package(clients, build, yaml.safe_load(source.read_text()), bucket, code)
    template = _transform(packaged, parameters)
    clients("s3").put_object(Bucket=bucket, Key="template.json", Body=json.dumps(template).encode())
    clients("cloudformation", region).create_stack(
        StackName=name,
        TemplateURL=f"https://s3.amazonaws.com/{bucket}/template.json",  # moto reads its own bucket
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    return _whole_stack(clients, name, template, region)


def deploy_plain(
    clients: Clients, source: Path, name: str, parameters: Mapping[str, str], region: str
) -> Stack:
    """Deploy a template without code, as it is written. Raises `DeployError` as `deploy` does."""
    text = source.read_text()
    clients("cloudformation", region).create_stack(
        StackName=name,
        TemplateBody=text,
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    return _whole_stack(clients, name, yaml_parse(text), region)


def _as_list(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _package(
    clients: Clients, build: Path, template: dict[str, Any], bucket: str, code: Path
) -> dict[str, Any]:
    """Upload every folder of code and put its place in the bucket where the folder was named."""
    for resource in template["Resources"].values():
        key_of_code = _CODE_PROPERTY.get(resource["Type"])
        if key_of_code is None:
            continue
        folder = build / resource["Properties"][key_of_code]
        archive = _zip(folder)
        key = hashlib.sha256(archive).hexdigest()[:32]
        clients("s3").put_object(Bucket=bucket, Key=key, Body=archive)
        _lay_out(folder, code / key)
        resource["Properties"][key_of_code] = {"Bucket": bucket, "Key": key}
    return template


def _lay_out(folder: Path, target: Path) -> None:
    """The folder's files again, as links where possible: the next build replaces files and changes none."""
    if target.exists():
        return
    try:
        shutil.copytree(folder, target, copy_function=os.link)
    except shutil.Error:  # on another file system
        shutil.rmtree(target)
        shutil.copytree(folder, target)


def _zip(folder: Path) -> bytes:
    """The folder as a zip, the same bytes for the same files. Not compressed: it goes nowhere."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(str(file.relative_to(folder))), file.read_bytes())
    return buffer.getvalue()


def _transform(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the transform's own, about its own dependencies
        translator = Translator(dict(_MANAGED_POLICIES), Parser(), boto_session=session())
        transformed: dict[str, Any] = translator.translate(template, dict(parameters))
    return transformed


def _whole_stack(clients: Clients, name: str, template: Mapping[str, Any], region: str) -> Stack:
    """The stack as it stands. Raises `DeployError` when something of its template does not."""
    cloudformation = clients("cloudformation", region)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    stack = Stack(
        name=name,
        template=template,
        resources={
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one.get("PhysicalResourceId")
        },
        outputs={one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])},
    )
    _check(stack)
    return stack


def _check(stack: Stack) -> None:
    """Every resource of the template must stand, those aside whose condition may leave them out."""
    missing = [
        f"{logical} ({resource['Type']})"
        for logical, resource in stack.template["Resources"].items()
        if logical not in stack.resources and "Condition" not in resource
    ]
    if missing:
        raise DeployError(f"stack {stack.name}: not made: {', '.join(missing)}")
