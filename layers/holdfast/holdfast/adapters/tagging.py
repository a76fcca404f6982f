"""Resources by tag, through the Resource Groups Tagging API: 100 a call, where the services' own calls
would need one for each resource."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated

if TYPE_CHECKING:
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient

PAGE_SIZE = 100


class Tagging:
    """The tags of one Region's resources, as AWS has indexed them: a change shows after some seconds."""

    def __init__(self, client: "Callable[[], ResourceGroupsTaggingAPIClient]") -> None:
        """`client` makes the client when tags are first asked for: only stages that select ask."""
        self._make_client = client

    @cached_property
    def _client(self) -> "ResourceGroupsTaggingAPIClient":
        return self._make_client()

    def tags_by_arn(
        self, kind: str, resource_type: str, tags: Mapping[str, str]
    ) -> dict[str, Mapping[str, str]]:
        """The tags of each resource of `resource_type` (as `dynamodb:table`) that bears all of `tags`.

        Without `tags`: of each that has, or once had, any.
        """
        pages = self._client.get_paginator("get_resources").paginate(
            ResourceTypeFilters=[resource_type],
            TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
            PaginationConfig={"PageSize": PAGE_SIZE},
        )
        with translated(kind, resource_type, "GetResources"):
            return {
                entry["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in entry.get("Tags", ())}
                for page in pages
                for entry in page["ResourceTagMappingList"]
            }
