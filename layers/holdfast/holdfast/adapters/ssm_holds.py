"""The hold list, kept as one SSM parameter that people edit."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import NotFound
from holdfast.core.holds import Hold

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KIND = "ssm"


class SsmHolds:
    """`parse` makes holds of a document and the place that it is from, and raises `HoldListError`. Without a
    parameter nothing is held."""

    def __init__(
        self, *, client: "SSMClient", parameter: str, parse: Callable[[str, str], Sequence[Hold]]
    ) -> None:
        self._client = client
        self._parameter = parameter
        self._parse = parse

    @property
    def place(self) -> str:
        return f"in the SSM parameter {self._parameter}"

    def read(self) -> Sequence[Hold]:
        try:
            with translated(KIND, self._parameter, "GetParameter"):
                text = self._client.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        except NotFound:
            return ()
        return self._parse(text, self.place)
