"""Plans, kept as SSM parameters below one path."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, PlanError, ProviderError
from holdfast.core.model import Plan
from holdfast.core.naming import PLAN_NAME
from holdfast.ports import StoredPlan

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef

KIND = "ssm"
READ_SECONDS = 5
"""A parameter is small, and `run_plan`, which reads one, has a minute."""


class SsmPlans:
    """The plan `nightly` is the parameter `<path>/nightly`.

    `parse` makes a plan of a name and a document, and raises `PlanError`.
    """

    def __init__(self, *, client: "SSMClient", path: str, parse: Callable[[str, str], Plan]) -> None:
        self._client = client
        self._path = path.rstrip("/")
        self._parse = parse

    def get(self, name: str) -> Plan:
        _check(name)
        parameter = f"{self._path}/{name}"
        try:
            with translated(KIND, parameter, "GetParameter"):
                text = self._client.get_parameter(Name=parameter)["Parameter"]["Value"]
        except NotFound as error:
            raise PlanError(name, [f"there is no SSM parameter {parameter}{self._others()}"]) from error
        return self._parse(name, text)

    def everyone(self) -> Sequence[StoredPlan]:
        """What stands directly below the path, whatever its name."""
        return sorted(map(self._stored, self._parameters()), key=lambda one: one.name)

    def _stored(self, parameter: "ParameterTypeDef") -> StoredPlan:
        name = self._name_of(parameter)
        changed = parameter["LastModifiedDate"]
        try:
            _check(name)
            plan = self._parse(name, parameter["Value"])
        except PlanError as error:
            return StoredPlan(name=name, plan=None, problem=str(error), changed=changed)
        return StoredPlan(name=name, plan=plan, changed=changed)

    def _others(self) -> str:
        """The plans that there are, in words; empty when the role may not list them."""
        try:
            names = sorted(map(self._name_of, self._parameters()))
        except ProviderError:
            return ""
        return f"; the plans there are: {', '.join(names)}" if names else "; there is no plan at all"

    def _parameters(self) -> "list[ParameterTypeDef]":
        with translated(KIND, self._path, "GetParametersByPath"):
            return [
                parameter
                for page in self._client.get_paginator("get_parameters_by_path").paginate(Path=self._path)
                for parameter in page["Parameters"]
            ]

    def _name_of(self, parameter: "ParameterTypeDef") -> str:
        return parameter["Name"].removeprefix(f"{self._path}/")


def _check(name: str) -> None:
    if not PLAN_NAME.fullmatch(name):
        raise PlanError(name, ["a plan's name is lower case letters and digits, a letter first, 32 at most"])
