"""Pages as AWS makes them. moto answers most listings whole, whatever was asked for, so that an adapter
which forgets the second page would pass. These hooks cut its answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHORT_PAGE = 2


@dataclass(frozen=True, slots=True)
class Listing:
    """How one operation pages, by its service model."""

    event: str
    items: str
    size: str
    token_in: str
    token_out: str
    cursor: str = ""
    """The key of an item that is the token by which the listing goes on behind it; else it is a number."""
    moto_pages: bool = False
    """Whether moto pages this by itself, so that asking it for less is enough."""


LISTINGS = (
    Listing("ec2.DescribeInstances", "Reservations", "MaxResults", "NextToken", "NextToken", moto_pages=True),
    Listing("ec2.DescribeSnapshots", "Snapshots", "MaxResults", "NextToken", "NextToken"),
    Listing("ec2.DescribeVolumes", "Volumes", "MaxResults", "NextToken", "NextToken"),
    Listing("rds.DescribeDBInstances", "DBInstances", "MaxRecords", "Marker", "Marker", moto_pages=True),
    Listing("rds.DescribeDBClusters", "DBClusters", "MaxRecords", "Marker", "Marker"),
    Listing("rds.DescribeDBSnapshots", "DBSnapshots", "MaxRecords", "Marker", "Marker"),
    Listing("rds.DescribeDBClusterSnapshots", "DBClusterSnapshots", "MaxRecords", "Marker", "Marker"),
    Listing(
        "dynamodb.ListBackups",
        "BackupSummaries",
        "Limit",
        "ExclusiveStartBackupArn",
        "LastEvaluatedBackupArn",
        "BackupArn",
    ),
    Listing(
        "dynamodb.ListTables",
        "TableNames",
        "Limit",
        "ExclusiveStartTableName",
        "LastEvaluatedTableName",
        moto_pages=True,
    ),
    Listing(
        "resource-groups-tagging-api.GetResources",
        "ResourceTagMappingList",
        "ResourcesPerPage",
        "PaginationToken",
        "PaginationToken",
        moto_pages=True,
    ),
)


@dataclass(slots=True)
class ShortPages:
    """Makes a client's listings come in pages of `size`, and remembers what was asked for."""

    size: int = SHORT_PAGE
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def install(self, client: Any) -> None:
        for listing in LISTINGS:
            hooks = _Hooks(self, listing)
            client.meta.events.register(f"before-parameter-build.{listing.event}", hooks.before)
            client.meta.events.register(f"after-call.{listing.event}", hooks.after)

    def asked_of(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name == operation]


@dataclass(frozen=True, slots=True)
class _Hooks:
    pages: ShortPages
    listing: Listing

    def before(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        self.pages.asked.append((model.name, dict(params)))
        context["asked"] = dict(params)
        if self.listing.moto_pages:
            params[self.listing.size] = min(self.pages.size, params.get(self.listing.size, self.pages.size))

    def after(self, parsed: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        items = parsed.get(self.listing.items)
        if self.listing.moto_pages or items is None:
            return
        start = self._start(items, context["asked"].get(self.listing.token_in))
        page = items[start : start + self.pages.size]
        parsed[self.listing.items] = page
        if start + len(page) < len(items):
            token = page[-1][self.listing.cursor] if self.listing.cursor else str(start + len(page))
            parsed[self.listing.token_out] = token

    def _start(self, items: list[Any], token: str | None) -> int:
        if token is None:
            return 0
        if not self.listing.cursor:
            return int(token)
        return 1 + [item[self.listing.cursor] for item in items].index(token)
