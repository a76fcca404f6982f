"""EBS volumes, made again of a snapshot. EC2 has no point-in-time recovery.

A volume has no name of its own: what a restore made is found by its tag, which it bears from the beginning
on. CreateVolume takes a token that makes it safe to repeat (EC2's API reference, "ensuring idempotency"), so
that a volume which EC2's listings do not show yet is not made a second time.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from holdfast.adapters.calls import Pace, translated
from holdfast.adapters.ebs import KIND, READS_PER_SECOND, WRITES_PER_SECOND
from holdfast.core.brief import shown
from holdfast.core.errors import AlreadyExists, NotFound, ProviderError, Unprepared
from holdfast.core.model import name_of, region_of
from holdfast.core.naming import MAX_TAGS
from holdfast.core.restoring import (
    RESTORE_TAG,
    Configuration,
    Filled,
    Found,
    Json,
    Phase,
    Pick,
    Settings,
    Settled,
    Target,
    Wanted,
    Window,
)
from holdfast.ports import Deadline

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import VolumeTypeDef

_NAME = "Name"
_PHASES = {"available": Phase.READY, "in-use": Phase.READY, "creating": Phase.MAKING}
_GONE = frozenset({"deleting", "deleted"})

_FORMS: Mapping[str, tuple[type, str]] = {
    "AvailabilityZone": (str, "a zone such as 'us-east-1a'"),
    "Encrypted": (bool, "true or false"),
    "Iops": (int, "a whole number"),
    "KmsKeyId": (str, "the ARN of a key"),
    "MultiAttachEnabled": (bool, "true or false"),
    "Size": (int, "a whole number of GiB"),
    "Tags": (dict, "an object of texts"),
    "Throughput": (int, "a whole number of MiB/s"),
    "VolumeType": (str, "a type such as 'gp3'"),
}
_OF_THE_REGION = ("AvailabilityZone", "KmsKeyId")
"""What another Region has not."""

_ENCRYPTING = ("Encrypted", "KmsKeyId")

_WITH_IOPS = frozenset({"gp3", "io1", "io2"})
_WITH_THROUGHPUT = frozenset({"gp3"})
"""The types that let one choose; of the others EC2 tells what they have, and refuses to be told it."""

_ASKED_OTHERWISE = "IdempotentParameterMismatch"
"""EC2 knows the token, from a call that asked for it a little otherwise, as for another zone."""


class EbsRestorer:
    """The restorer of kind `ebs`. `clients` makes the client of a Region."""

    def __init__(self, *, clients: "Callable[[str], EC2Client]", account: str) -> None:
        self._make = clients
        self._account = account
        self._made: dict[str, EC2Client] = {}
        self._making = Lock()
        self._reads = Pace(READS_PER_SECOND)
        self._writes = Pace(WRITES_PER_SECOND)

    @property
    def kind(self) -> str:
        return KIND

    def mistakes(self, given: Settings) -> Sequence[str]:
        unknown = [
            f"settings.{name}: not a setting of a volume; give {', '.join(_FORMS)}"
            for name in sorted(given)
            if name not in _FORMS
        ]
        wrong = [
            f"settings.{name}: {shown(given[name])} is not allowed; give {rule}"
            for name, (form, rule) in _FORMS.items()
            if name in given and not _is(given[name], form)
        ]
        return [*unknown, *wrong]

    def configuration(self, arn: str) -> Configuration | None:
        try:
            [volume] = self._volumes(region_of(arn), arn, VolumeIds=[name_of(arn)])
        except NotFound:
            return None
        except ValueError:
            return None
        if volume.get("State") in _GONE:
            return None
        return Configuration(arn=arn, settings=_settings(volume))

    def window(self, arn: str) -> Window | None:  # noqa: ARG002
        return None

    def look(self, target: Target) -> Found | None:
        """The volume of the request: one that is deleted is none."""
        wanted = [{"Name": f"tag:{RESTORE_TAG}", "Values": [target.request]}]
        found = [
            one
            for one in self._volumes(target.region, target.name, Filters=wanted)
            if one.get("State") not in _GONE and _tags(one).get(RESTORE_TAG) == target.request
        ]
        if not found:
            return None
        volume = min(found, key=lambda one: one["VolumeId"])
        state = str(volume.get("State"))
        return Found(
            arn=self._arn(target.region, volume["VolumeId"]),
            phase=_PHASES.get(state, Phase.FAILED),
            text=state,
            request=target.request,
            made_of=f"arn:{self._partition}:ec2:{target.region}::snapshot/{volume.get('SnapshotId', '')}",
            created=volume.get("CreateTime"),
        )

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        snapshot = name_of(pick.pieces[0].arn)
        request = self._request(snapshot, target, _usable(target, wanted), wanted.given)
        self._writes.wait()
        try:
            with translated(KIND, pick.pieces[0].arn, "CreateVolume"):
                self._client(target.region).create_volume(**request)
        except ProviderError as error:
            if error.code != _ASKED_OTHERWISE:
                raise
            text = f"it was begun before, and EC2 does not show it yet ({error.message})"
            raise AlreadyExists(KIND, target.name, "CreateVolume", error.code, text) from error

    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Deadline) -> Filled:  # noqa: ARG002
        return filled

    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:  # noqa: ARG002
        """All that a volume can have it was made with."""
        return Settled(problems=_problems(target, wanted))

    def _request(self, snapshot: str, target: Target, usable: Settings, given: Settings) -> dict[str, Any]:
        kind = usable.get("VolumeType", "")
        # Without either, EC2 keeps the snapshot's own key; asked to encrypt, it may take its default one.
        is_wanted_encrypted = "Encrypted" in given or "KmsKeyId" in usable
        taken = {
            "VolumeType": bool(kind),
            "Size": True,
            "Iops": kind in _WITH_IOPS,
            "Throughput": kind in _WITH_THROUGHPUT,
            "MultiAttachEnabled": kind in ("io1", "io2"),
            "Encrypted": bool(usable.get("Encrypted")) and is_wanted_encrypted,
            "KmsKeyId": True,
        }
        chosen: dict[str, Any] = {
            name: usable[name] for name, is_taken in taken.items() if is_taken and name in usable
        }
        if "KmsKeyId" in chosen:
            chosen["Encrypted"] = True
        tags = _all_tags(target, usable.get("Tags"))
        specification = {"ResourceType": "volume", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        return {
            "SnapshotId": snapshot,
            "AvailabilityZone": self._zone(target, usable),
            "ClientToken": hashlib.sha256(f"{RESTORE_TAG}={target.request}".encode()).hexdigest(),
            "TagSpecifications": [specification],
            **chosen,
        }

    def _zone(self, target: Target, usable: Settings) -> str:
        if zone := usable.get("AvailabilityZone"):
            return str(zone)
        self._reads.wait()
        with translated(KIND, target.region, "DescribeAvailabilityZones"):
            answer = self._client(target.region).describe_availability_zones(
                Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
            )
            zones = sorted(
                one["ZoneName"] for one in answer["AvailabilityZones"] if one.get("State") == "available"
            )
        if not zones:
            text = f"no Availability Zone of {target.region} is available: give settings.AvailabilityZone"
            raise Unprepared(KIND, target.name, "CreateVolume", "NoZone", text)
        return zones[0]

    def _volumes(self, region: str, subject: str, **asked: Any) -> "list[VolumeTypeDef]":
        self._reads.wait()
        with translated(KIND, subject, "DescribeVolumes"):
            pages = self._client(region).get_paginator("describe_volumes").paginate(**asked)
            return [one for page in pages for one in page["Volumes"]]

    def _client(self, region: str) -> "EC2Client":
        with self._making:
            if region not in self._made:
                self._made[region] = self._make(region)
            return self._made[region]

    @property
    def _partition(self) -> str:
        return next(iter(self._made.values())).meta.partition

    def _arn(self, region: str, volume: str) -> str:
        return f"arn:{self._partition}:ec2:{region}:{self._account}:volume/{volume}"


def _is(value: Json, form: type) -> bool:
    if form is dict:
        return isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())
    return isinstance(value, form) and isinstance(value, bool) is (form is bool)


def _tags(volume: "VolumeTypeDef") -> dict[str, str]:
    return {one["Key"]: one.get("Value", "") for one in volume.get("Tags", ()) if "Key" in one}


def _settings(volume: "VolumeTypeDef") -> dict[str, Json]:
    """What a volume has. Its `Name` is what the request calls the new one, and is not compared; nor are the
    IOPS that EC2 tells of a gp2, which follow from its size."""
    told: Mapping[str, Any] = volume
    left_out = {"Tags"} if told.get("VolumeType") in _WITH_IOPS else {"Tags", "Iops"}
    kept = {name: told[name] for name in _FORMS if name not in left_out and told.get(name) not in (None, "")}
    tags = {key: value for key, value in _tags(volume).items() if _is_carried(key)}
    return {**kept, "Tags": tags} if tags else kept


def _is_carried(key: str) -> bool:
    return key not in (_NAME, RESTORE_TAG) and not key.startswith("aws:")


def _all_tags(target: Target, wanted: Json) -> dict[str, str]:
    """The source's, as many as fit, under our own."""
    own = {_NAME: target.name, **target.tags}
    carried = wanted if isinstance(wanted, Mapping) else {}
    kept = [(key, str(value)) for key, value in carried.items() if _is_carried(key)]
    return dict(kept[: MAX_TAGS - len(own)]) | own


def _usable(target: Target, wanted: Wanted) -> Settings:
    """Of another Region's source its zone and its key mean nothing."""
    if region_of(target.source) == target.region:
        return wanted.settings
    return {
        name: value
        for name, value in wanted.settings.items()
        if name in wanted.given or name not in _OF_THE_REGION
    }


def _problems(target: Target, wanted: Wanted) -> dict[str, str]:
    """Why what differs in the end cannot be as the source's, or the request's."""
    usable = _usable(target, wanted)
    kind = usable.get("VolumeType", "")
    problems = {
        name: f"the source's is of {region_of(target.source)}: give settings.{name} of {target.region}"
        for name in wanted.settings
        if name not in usable
    }
    if kind:
        takes = {"Iops": _WITH_IOPS, "Throughput": _WITH_THROUGHPUT}
        problems |= {
            name: f"a volume of type {kind} takes no {name}"
            for name, kinds in takes.items()
            if name in usable and kind not in kinds
        }
    if wanted.settings.get("Encrypted") is False and not wanted.given.keys().isdisjoint(_ENCRYPTING):
        problems["Encrypted"] = "its snapshot, settings.KmsKeyId or the account's default has it encrypted"
    return problems
