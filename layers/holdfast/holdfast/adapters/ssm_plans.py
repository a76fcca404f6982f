"""Plans, kept as SSM parameters below one path."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound, PlanError, ProviderError
from holdfast.core.model import Plan
from holdfast.core.naming import PLAN_NAME

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

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
        if not PLAN_NAME.fullmatch(name):
            raise PlanError(
                name, ["a plan's name is lower case letters and digits, a letter first, 32 at most"]
            )
        parameter = f"{self._path}/{name}"
        try:
            with translated(KIND, parameter, "GetParameter"):
                text = self._client.get_parameter(Name=parameter)["Parameter"]["Value"]
        except NotFound as error:
            raise PlanError(name, [f"there is no SSM parameter {parameter}{self._others()}"]) from error
        return self._parse(name, text)

    def _others(self) -> str:
        """The plans that there are, in words; empty when the role may not list them."""
        try:
            with translated(KIND, self._path, "GetParametersByPath"):
                names = sorted(
                    parameter["Name"].removeprefix(f"{self._path}/")
                    for page in self._client.get_paginator("get_parameters_by_path").paginate(Path=self._path)
                    for parameter in page["Parameters"]
                )
        except ProviderError:
            return ""
        return f"; the plans there are: {', '.join(names)}" if names else "; there is no plan at all"
