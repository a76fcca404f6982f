"""Restoring volumes: of which snapshot, with what, and never a second one."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.adapters.ebs_restore import EbsRestorer
from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    ProviderError,
    QuotaReached,
    Throttled,
    Unprepared,
)
from holdfast.core.model import name_of
from holdfast.core.restoring import (
    RESTORE_TAG,
    Fate,
    Filled,
    Json,
    Phase,
    Pick,
    Piece,
    Settled,
    Target,
    Wanted,
    Way,
)
from holdfast.core.settling import compare
from tests.contract.kinds import EbsWorld
from tests.fakes import ACCOUNT, AWAY, HOME

READS = ("Describe",)


@dataclass
class Bench:
    """A world with a restorer, and every call that changes something."""

    world: EbsWorld
    restorer: EbsRestorer
    writes: list[str] = field(default_factory=list)

    def client(self, region: str) -> Any:
        return self.world.client_at(region)

    def a_volume(self, **settings: Any) -> str:
        """A source with all that a volume can have; its ARN."""
        asked = {
            "VolumeType": "gp3",
            "Size": 40,
            "Iops": 4000,
            "Throughput": 250,
            "AvailabilityZone": f"{HOME}b",
            "TagSpecifications": [
                {
                    "ResourceType": "volume",
                    "Tags": [{"Key": "Name", "Value": "web-data"}, {"Key": "team", "Value": "shop"}],
                }
            ],
        } | settings
        made = self.client(HOME).create_volume(**asked)
        return f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{made['VolumeId']}"

    def a_snapshot(self, volume: str, region: str = HOME, **copied: Any) -> Piece:
        made = self.client(HOME).create_snapshot(VolumeId=name_of(volume))["SnapshotId"]
        if region != HOME:
            asked = {"SourceRegion": HOME, "SourceSnapshotId": made} | copied
            made = self.client(region).copy_snapshot(**asked)["SnapshotId"]
        return Piece(arn=f"arn:aws:ec2:{region}::snapshot/{made}", id=made, place=region)

    def known(self, volume: str, **given: Json) -> Wanted:
        configuration = self.restorer.configuration(volume)
        assert configuration is not None
        return Wanted(known=configuration.settings, given=given)

    def volumes(self, region: str = HOME) -> list[dict[str, Any]]:
        return list(self.client(region).describe_volumes()["Volumes"])

    def fates(self, source: str, restored: str, wanted: Wanted, settled: Settled) -> dict[str, Fate]:
        of_source, of_restored = map(self.restorer.configuration, (source, restored))
        assert of_restored is not None
        told = compare(of_source, of_restored, wanted.given, settled.problems)
        return {one.name: one.fate for one in told}


@pytest.fixture
def bench(aws: None) -> Bench:
    world = EbsWorld()
    bench = Bench(world, EbsRestorer(clients=world.client_at, account=ACCOUNT))

    def note(params: object, model: Any, **more: object) -> None:
        if not model.name.startswith(READS):
            bench.writes.append(model.name)

    for region in (HOME, AWAY):
        bench.client(region).meta.events.register("before-call.ec2", note)
    return bench


def target(region: str = HOME, request: str = "worst-day", source: str = "") -> Target:
    source = source or f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/vol-0"
    return Target(kind="ebs", name="web-data-restored", region=region, source=source, request=request)


def of(piece: Piece) -> Pick:
    return Pick(way=Way.BACKUP, instant=None, reason="it is the newest", pieces=(piece,))


def made(bench: Bench, source: str, wanted: Wanted, region: str = HOME, **copied: Any) -> tuple[str, Settled]:
    """A restore to its end: the new volume's ARN, and what came of its settings."""
    into = target(region, source=source)
    bench.restorer.begin(of(bench.a_snapshot(source, region, **copied)), into, wanted)
    found = bench.restorer.look(into)
    assert found is not None
    assert found.phase is Phase.READY
    return found.arn, bench.restorer.settle(into, found, wanted)


def test_it_comes_back_as_it_was(bench: Bench) -> None:
    source = bench.a_volume()
    wanted = bench.known(source)
    arn, settled = made(bench, source, wanted)
    assert settled == Settled()
    fates = bench.fates(source, arn, wanted, settled)
    assert set(fates) >= {"VolumeType", "Size", "Iops", "Throughput", "AvailabilityZone", "Encrypted", "Tags"}
    assert set(fates.values()) == {Fate.RESTORED}
    [volume] = [one for one in bench.volumes() if one["VolumeId"] == name_of(arn)]
    tags = {one["Key"]: one["Value"] for one in volume["Tags"]}
    assert tags == {"Name": "web-data-restored", "team": "shop", RESTORE_TAG: "worst-day"}


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("gp2", {}), ("io2", {"Iops": 3000, "MultiAttachEnabled": True}), ("st1", {"Size": 500})],
)
def test_each_type_is_asked_for_what_it_takes_alone(bench: Bench, kind: str, asked: dict[str, Any]) -> None:
    plain = {"VolumeType": kind, "Size": 100, "AvailabilityZone": f"{HOME}a"}
    volume = bench.client(HOME).create_volume(**plain | asked)
    source = f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{volume['VolumeId']}"
    arn, _ = made(bench, source, bench.known(source))
    [restored] = [one for one in bench.volumes() if one["VolumeId"] == name_of(arn)]
    assert (restored["VolumeType"], restored["Size"]) == (kind, (plain | asked)["Size"])


def test_as_the_request_says(bench: Bench) -> None:
    source = bench.a_volume()
    wanted = bench.known(source, VolumeType="gp2", AvailabilityZone=f"{HOME}c", Size=80)
    arn, settled = made(bench, source, wanted)
    fates = bench.fates(source, arn, wanted, settled)
    assert {name for name, fate in fates.items() if fate is Fate.CHANGED} == set(wanted.given)


def test_in_another_region_it_takes_a_zone_of_that_and_says_so(bench: Bench) -> None:
    source = bench.a_volume()
    wanted = bench.known(source)
    arn, settled = made(bench, source, wanted, AWAY)
    assert arn.startswith(f"arn:aws:ec2:{AWAY}:")
    assert settled.problems == {
        "AvailabilityZone": f"the source's is of {HOME}: give settings.AvailabilityZone of {AWAY}"
    }
    [volume] = [one for one in bench.volumes(AWAY) if one["VolumeId"] == name_of(arn)]
    assert volume["AvailabilityZone"].startswith(AWAY)


def test_an_encrypted_one_stays_so_with_the_key_that_is_given(bench: Bench) -> None:
    key = bench.world.key_in(HOME)
    source = bench.a_volume()
    wanted = bench.known(source, KmsKeyId=key)
    arn, settled = made(bench, source, wanted)
    [volume] = [one for one in bench.volumes() if one["VolumeId"] == name_of(arn)]
    assert (volume["Encrypted"], volume["KmsKeyId"]) == (True, key)
    assert "settings.KmsKeyId" in settled.problems["Encrypted"]


@pytest.mark.parametrize(("given", "is_asked"), [({}, False), ({"Encrypted": True}, True)])
def test_in_another_region_an_encrypted_snapshot_keeps_its_key_unless_the_request_says(
    bench: Bench, given: dict[str, Json], is_asked: bool
) -> None:
    source = bench.a_volume(Encrypted=True, KmsKeyId=bench.world.key_in(HOME))
    seen: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **more: object) -> None:
        seen.append(dict(params))

    bench.client(AWAY).meta.events.register("provide-client-params.ec2.CreateVolume", note)
    _, settled = made(bench, source, bench.known(source, **given), AWAY)
    [asked] = seen
    assert "KmsKeyId" not in asked
    assert ("Encrypted" in asked) is is_asked
    assert settled.problems["KmsKeyId"] == f"the source's is of {HOME}: give settings.KmsKeyId of {AWAY}"


def test_a_type_without_a_setting_of_the_source_is_told(bench: Bench) -> None:
    source = bench.a_volume()
    wanted = bench.known(source, VolumeType="gp2")
    arn, settled = made(bench, source, wanted)
    assert settled.problems["Iops"] == "a volume of type gp2 takes no Iops"
    assert bench.fates(source, arn, wanted, settled)["Throughput"] is Fate.NOT_POSSIBLE


def test_a_source_that_is_gone_is_none_and_hinders_nothing(bench: Bench) -> None:
    source = bench.a_volume()
    snapshot = bench.a_snapshot(source)
    bench.client(HOME).delete_volume(VolumeId=name_of(source))
    assert bench.restorer.configuration(source) is None
    assert bench.restorer.window(source) is None
    bench.restorer.begin(of(snapshot), target(source=source), Wanted())
    found = bench.restorer.look(target(source=source))
    assert found is not None
    assert found.made_of == snapshot.arn


def test_nothing_is_found_before_it_is_made(bench: Bench) -> None:
    bench.a_volume()
    assert bench.restorer.look(target()) is None


def test_the_same_request_has_the_same_token(bench: Bench) -> None:
    """EC2 makes one volume for one token, whatever became of the answers."""
    source, seen = bench.a_volume(), []

    def note(params: dict[str, Any], **more: object) -> None:
        seen.append(params["ClientToken"])

    bench.client(HOME).meta.events.register("provide-client-params.ec2.CreateVolume", note)
    snapshot, wanted = bench.a_snapshot(source), bench.known(source)
    for request in ("worst-day", "worst-day", "another"):
        bench.restorer.begin(of(snapshot), target(request=request), wanted)
    assert seen[0] == seen[1] != seen[2]
    assert len(seen[0]) <= 64


def test_settling_again_writes_nothing(bench: Bench) -> None:
    source = bench.a_volume()
    wanted = bench.known(source)
    made(bench, source, wanted)
    found = bench.restorer.look(target(source=source))
    assert found is not None
    bench.writes.clear()
    assert bench.restorer.settle(target(source=source), found, wanted) == Settled()
    assert bench.writes == []


def test_a_volume_has_no_increments(bench: Bench) -> None:
    filled = bench.restorer.fill(of(bench.a_snapshot(bench.a_volume())), target(), Filled(), lambda: 900.0)
    assert filled == Filled()


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (
            {"Colour": "red"},
            "settings.Colour: not a setting of a volume; give AvailabilityZone, Encrypted",
        ),
        ({"Size": "big"}, "settings.Size: 'big' is not allowed; give a whole number of GiB"),
        ({"Size": True}, "settings.Size: True is not allowed"),
        ({"Encrypted": 1}, "settings.Encrypted: 1 is not allowed; give true or false"),
        ({"Tags": {"a": 1}}, "settings.Tags: {'a': 1} is not allowed; give an object of texts"),
    ],
)
def test_each_mistake_is_told_with_what_is_allowed(
    bench: Bench, given: dict[str, Json], mistake: str
) -> None:
    [told] = bench.restorer.mistakes(given)
    assert told.startswith(mistake), told


def test_all_that_a_volume_has_may_be_given(bench: Bench) -> None:
    source = bench.a_volume(Encrypted=True, KmsKeyId=bench.world.key_in(HOME))
    assert bench.restorer.mistakes(bench.known(source).known) == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UnauthorizedOperation", AccessDenied),
        ("InvalidSnapshot.NotFound", NotFound),
        ("RequestLimitExceeded", Throttled),
        ("VolumeLimitExceeded", QuotaReached),
        ("MaxIOPSLimitExceeded", QuotaReached),
        ("InsufficientVolumeCapacity", Unprepared),
        ("InvalidZone.NotFound", Unprepared),
        ("IdempotentParameterMismatch", AlreadyExists),
    ],
)
def test_what_ec2_refuses_is_told_by_what_it_means(
    bench: Bench, code: str, error: type[ProviderError]
) -> None:
    source = bench.a_volume()
    snapshot, wanted = bench.a_snapshot(source), bench.known(source)

    def refuse(**more: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateVolume")

    bench.client(HOME).meta.events.register("before-call.ec2.CreateVolume", refuse)
    with pytest.raises(error):
        bench.restorer.begin(of(snapshot), target(), wanted)
