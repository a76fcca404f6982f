"""Rehearsed restores of EBS volumes. What is on one could be seen by an instance alone, which a drill does
not start: it is seen that EC2 makes the volume of it, and that it could be attached."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from holdfast.adapters.calls import Pace, translated
from holdfast.adapters.ebs import KIND, READS_PER_SECOND, WRITES_PER_SECOND
from holdfast.core.checks import Check
from holdfast.core.drilling import DRILL_TAG, Leftover
from holdfast.core.errors import AlreadyExists, NotFound
from holdfast.core.model import name_of, region_of
from holdfast.core.restoring import Found, Settings, Target
from holdfast.core.verifying import Question
from holdfast.ports import Rehearsed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import VolumeTypeDef

_GONE = frozenset({"deleting", "deleted"})
_USABLE = ("available", "in-use")


class EbsRehearser:
    """The rehearser of kind `ebs`. `clients` makes the client of a Region."""

    def __init__(self, *, clients: "Callable[[str], EC2Client]", account: str) -> None:
        self._make = clients
        self._account = account
        self._made: dict[str, EC2Client] = {}
        self._lock = Lock()
        self._reads = Pace(READS_PER_SECOND)
        self._writes = Pace(WRITES_PER_SECOND)

    @property
    def kind(self) -> str:
        return KIND

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:  # noqa: ARG002
        return {"Tags": dict(tags)}

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        volume = self._volume(rehearsed.arn)
        if volume is None:
            return [Check(name="volume", passed=False, found="it is not there any more")]
        found = f"{volume['State']}, {volume['Size']} GiB, of {volume.get('SnapshotId') or 'no snapshot'}"
        return [Check(name="volume", passed=volume["State"] in _USABLE, found=found)]

    def question(self, rehearsed: Rehearsed) -> Question | None:  # noqa: ARG002
        return None

    def remove(self, found: Found, target: Target, drill: str) -> None:  # noqa: ARG002
        self._remove(found.arn, drill)

    def leftovers(self, region: str) -> Sequence[Leftover]:
        self._reads.wait()
        with translated(KIND, region, "DescribeVolumes"):
            pages = (
                self._in(region)
                .get_paginator("describe_volumes")
                .paginate(Filters=[{"Name": "tag-key", "Values": [DRILL_TAG]}])
            )
            volumes = [one for page in pages for one in page["Volumes"]]
        partition = self._in(region).meta.partition
        return [
            Leftover(
                arn=f"arn:{partition}:ec2:{region}:{self._account}:volume/{one['VolumeId']}",
                kind=KIND,
                created=one.get("CreateTime", datetime.now(UTC)),
                drill=_tags(one).get(DRILL_TAG, ""),
            )
            for one in volumes
            if one.get("State") not in _GONE and DRILL_TAG in _tags(one)
        ]

    def remove_leftover(self, left: Leftover) -> bool:
        return self._remove(left.arn, left.drill)

    def _remove(self, arn: str, drill: str) -> bool:
        """Whether it is gone. What somebody has attached to an instance is not deleted by EC2."""
        volume = self._volume(arn)
        if volume is None:
            return True
        if _tags(volume).get(DRILL_TAG) != drill:
            text = f"it does not bear the tag {DRILL_TAG} of this drill, and is not removed"
            raise AlreadyExists(KIND, arn, "DeleteVolume", "NotOurs", text)
        self._writes.wait()
        with translated(KIND, arn, "DeleteVolume"):
            self._in(region_of(arn)).delete_volume(VolumeId=volume["VolumeId"])
        return False

    def _volume(self, arn: str) -> "VolumeTypeDef | None":
        """`None` when it is gone, or going."""
        self._reads.wait()
        try:
            with translated(KIND, arn, "DescribeVolumes"):
                found = self._in(region_of(arn)).describe_volumes(VolumeIds=[name_of(arn)])["Volumes"]
        except NotFound:
            return None
        there = [one for one in found if one.get("State") not in _GONE]
        return there[0] if there else None

    def _in(self, region: str) -> "EC2Client":
        with self._lock:
            if region not in self._made:
                self._made[region] = self._make(region)
            return self._made[region]


def _tags(volume: "VolumeTypeDef") -> dict[str, str]:
    return {one["Key"]: one.get("Value", "") for one in volume.get("Tags", ()) if "Key" in one}
