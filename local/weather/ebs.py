"""EBS in the background: snapshots and copies that take their time; quotas. In moto's own process."""

from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from local.weather.background import Background, Method, Words, wrap
from local.weather.calls import CURRENT

WORDS = Words(service="ec2", begun="pending", done="completed", failed="error")


def teach(background: Background) -> None:
    wrap(EBSBackend, "create_snapshot", partial(_create, background))
    wrap(EBSBackend, "create_snapshots", partial(_create_several, background))
    wrap(EBSBackend, "copy_snapshot", partial(_copy, background))
    wrap(EBSBackend, "delete_snapshot", partial(_delete, background))
    wrap(ElasticBlockStore, "describe_snapshots", partial(_list, background))


def _create(
    background: Background, before: Method, self: Any, volume_id: str, *asked: Any, **named: Any
) -> Any:
    if CURRENT.get() is not None:
        _check_pending(background, self.region_name, volume_id)
    made = before(self, volume_id, *asked, **named)
    background.begin(made, WORDS, "backup", self.region_name)
    return made


def _create_several(background: Background, before: Method, self: Any, *asked: Any, **named: Any) -> Any:
    made = before(self, *asked, **named)
    for one in made:
        background.begin(one, WORDS, "backup", self.region_name)
    return made


def _copy(
    background: Background,
    before: Method,
    self: Any,
    source_snapshot_id: str,
    source_region: str,
    **named: Any,
) -> Any:
    if CURRENT.get() is not None:
        _check_slots(background, self.region_name)
        _check_source(background, source_snapshot_id, source_region)
    made = before(self, source_snapshot_id, source_region, **named)
    background.begin(made, WORDS, "copy", self.region_name, source_snapshot_id)
    return made


def _delete(background: Background, before: Method, self: Any, snapshot_id: str) -> Any:
    gone = before(self, snapshot_id)
    background.deleted(gone, WORDS, self.region_name, snapshot_id, gone.status)
    return gone


def _list(background: Background, before: Method, self: ElasticBlockStore) -> ActionResult:
    answer: ActionResult = before(self)
    if self._get_param("NextToken") is not None:  # the first page has moved everything on
        return answer
    filters = self._filters_from_querystring()

    def belongs(one: Any) -> bool:
        return not filters or one.volume_id in filters.get("volume-id", ())

    result: Any = answer.result
    result["Snapshots"] = background.listed(result["Snapshots"], belongs, "ec2", self.region)
    return answer


# From EC2's list of error codes. How it words them is not documented but for the copies.


def _check_pending(background: Background, region: str, volume: str) -> None:
    most = background.weather.forecast.quotas.ebs_pending_per_volume
    pending = [one.thing.volume_id for one in background.running("ec2", region, "backup")]
    if most is not None and pending.count(volume) >= most:
        message = f"Maximum allowed in-progress snapshots for a single volume exceeded ({most})."
        raise EC2ClientError("ConcurrentSnapshotLimitExceeded", message)


def _check_slots(background: Background, region: str) -> None:
    most = background.weather.forecast.quotas.ebs_copies_in_flight
    if most is not None and len(background.running("ec2", region, "copy")) >= most:
        message = f"Too many snapshot copies in progress. The limit is {most} for this destination region."
        raise EC2ClientError("ResourceLimitExceeded", message)


def _check_source(background: Background, source: str, region: str) -> None:
    if any(one.thing.id == source for one in background.running("ec2", region, "backup")):
        raise EC2ClientError("IncorrectState", f"The snapshot {source} is not in the completed state")
