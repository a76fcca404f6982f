"""The prices that a person gave, kept as one SSM parameter."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.cost import Prices
from holdfast.core.errors import NotFound, PricesError, ProviderError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KIND = "ssm"


class SsmPrices:
    """`parse` makes prices of a document and the place that it is from, and raises `PricesError`. Of an empty
    document it makes those that come with Holdfast, which are also taken without a parameter and in the place
    of those that cannot be used: what backups cost is no reason not to look at how they stand."""

    def __init__(self, *, client: "SSMClient", parameter: str, parse: Callable[[str, str], Prices]) -> None:
        self._client = client
        self._parameter = parameter
        self._parse = parse

    def read(self) -> tuple[Prices, str]:
        place = f"in the SSM parameter {self._parameter}"
        try:
            with translated(KIND, self._parameter, "GetParameter"):
                text = self._client.get_parameter(Name=self._parameter)["Parameter"]["Value"]
            return self._parse(text, place), ""
        except NotFound:
            return self._parse("", place), ""
        except PricesError as error:
            told = str(error)
        except ProviderError as error:
            told = f"the prices {place} cannot be read: {error}"
        return self._parse("", place), f"{told}. The prices that come with Holdfast are used instead"
