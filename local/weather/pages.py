"""Listings in pages of AWS's size, with tokens that have to be followed. Imported in moto's own process.

By itself moto gives all there is in one page, whatever is asked, of DescribeDBSnapshots, DescribeDBClusters,
DescribeDBClusterSnapshots, DescribeSnapshots, DescribeVolumes and ListBackups. Of DescribeDBInstances,
DescribeInstances and ListObjectsV2 it gives pages as they are asked for; it ends one of GetResources before
the hundredth tag, however few resources that is.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.rds.responses import RDSResponse
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from moto.s3.responses import S3Response

PAGE_SIZE = 100
"""The most that one ListBackups or GetResources gives."""

type Cap = Callable[[], int | None]
"""The most that a page may have at the moment, whatever the service gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A listing that gives all at once. Of the request: how many are wanted, and after which; of the answer:
    the things and the token of the next page. `most` is the largest page that the service gives; where less
    is asked it gives that."""

    owner: Any
    method: str
    things: str
    identity: Callable[[Any], str]
    size: str
    asked: str
    told: str
    most: int


_RDS_MOST = 100
"""By RDS's API reference the default, and the most, of MaxRecords."""

_LISTINGS = (
    Listing(
        owner=RDSResponse,
        method="describe_db_snapshots",
        things="DBSnapshots",
        identity=lambda one: str(one.db_snapshot_identifier),
        size="MaxRecords",
        asked="Marker",
        told="Marker",
        most=_RDS_MOST,
    ),
    Listing(
        owner=RDSResponse,
        method="describe_db_cluster_snapshots",
        things="DBClusterSnapshots",
        identity=lambda one: str(one.db_cluster_snapshot_identifier),
        size="MaxRecords",
        asked="Marker",
        told="Marker",
        most=_RDS_MOST,
    ),
    Listing(
        owner=RDSResponse,
        method="describe_db_clusters",
        things="DBClusters",
        identity=lambda one: str(one.db_cluster_identifier),
        size="MaxRecords",
        asked="Marker",
        told="Marker",
        most=_RDS_MOST,
    ),
    Listing(
        owner=ElasticBlockStore,
        method="describe_snapshots",
        things="Snapshots",
        identity=lambda one: str(one.id),
        size="MaxResults",
        asked="NextToken",
        told="NextToken",
        most=1000,
    ),
    Listing(
        owner=ElasticBlockStore,
        method="describe_volumes",
        things="Volumes",
        identity=lambda one: str(one.id),
        size="MaxResults",
        asked="NextToken",
        told="NextToken",
        most=500,
    ),
)


REPLACED: Sequence[tuple[Any, str]] = (
    *((listing.owner, listing.method) for listing in _LISTINGS),
    (RDSResponse, "describe_db_instances"),
    (DynamoHandler, "list_backups"),
    (ResourceGroupsTaggingAPIBackend, "get_resources"),
    (S3Response, "list_objects_v2"),
)
"""The methods of moto's that `teach` replaces, by class and name."""


def teach(cap: Cap = lambda: None) -> None:
    """From now on, have them. Called once, after all else that changes what is listed."""
    for listing in _LISTINGS:
        _page(listing, cap)
    _bound(RDSResponse, "describe_db_instances", "MaxRecords", cap)
    _page_backups(cap)
    _page_resources(cap)
    _page_objects(cap)


def _page(listing: Listing, cap: Cap) -> None:
    everything = getattr(listing.owner, listing.method)

    def paged(self: Any) -> ActionResult:
        answer: ActionResult = everything(self)
        result: Any = answer.result
        things = sorted(result[listing.things], key=listing.identity)
        after = _asked(self, listing.asked) or ""
        left = [one for one in things if listing.identity(one) > after]
        size = _size(_asked(self, listing.size), listing.most, cap)
        result[listing.things] = left[:size]
        if len(left) > size:
            result[listing.told] = listing.identity(left[size - 1])
        return answer

    setattr(listing.owner, listing.method, paged)


def _asked(response: Any, name: str) -> Any:
    if isinstance(response, RDSResponse):
        return response.params.get(name)
    return response._get_param(name)  # noqa: SLF001


def _size(asked: Any, most: int, cap: Cap) -> int:
    return max(1, min(int(asked or most), most, cap() or most))


def _bound(owner: Any, method: str, size: str, cap: Cap) -> None:
    """Of a listing that has pages: no larger ones than may be."""
    listing = getattr(owner, method)

    def bounded(self: Any) -> Any:
        if cap():
            self.params[size] = _size(self.params.get(size), _RDS_MOST, cap)
        return listing(self)

    setattr(owner, method, bounded)


def _page_backups(cap: Cap) -> None:
    everything = DynamoHandler.list_backups

    def list_backups(self: DynamoHandler) -> ActionResult:
        after = self.body.get("ExclusiveStartBackupArn") or ""
        found: Any = everything(self).result
        summaries = sorted(found["BackupSummaries"], key=lambda one: str(one["BackupArn"]))
        left = [one for one in summaries if one["BackupArn"] > after]
        page = left[: _size(self.body.get("Limit"), PAGE_SIZE, cap)]
        answer: dict[str, Any] = {"BackupSummaries": page}
        if len(left) > len(page):
            answer["LastEvaluatedBackupArn"] = page[-1]["BackupArn"]
        return DynamoResult(answer)

    DynamoHandler.list_backups = list_backups  # type: ignore[method-assign]


def _page_resources(cap: Cap) -> None:
    get_resources = ResourceGroupsTaggingAPIBackend.get_resources

    def by_resources(self: ResourceGroupsTaggingAPIBackend, **asked: Any) -> Any:
        size = _size(asked.get("resources_per_page"), PAGE_SIZE, cap)
        return get_resources(self, **asked | {"tags_per_page": sys.maxsize, "resources_per_page": size})

    ResourceGroupsTaggingAPIBackend.get_resources = by_resources  # type: ignore[method-assign,assignment]


def _page_objects(cap: Cap) -> None:
    list_objects = S3Response.list_objects_v2

    def bounded(self: S3Response) -> Any:
        if most := cap():
            asked = self.querystring.get("max-keys", ["1000"])[0]
            # In place: moto knows this mapping by another name too.
            self.querystring["max-keys"] = [str(min(int(asked), most))]
        return list_objects(self)

    S3Response.list_objects_v2 = bounded  # type: ignore[method-assign]
