"""What holds of EBS alone, beyond the contract."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from holdfast.adapters import ebs as module
from holdfast.adapters.calls import Pace
from holdfast.adapters.ebs import EbsBackups, readiness
from holdfast.core import naming
from holdfast.core.errors import (
    AccessDenied,
    CopySlotsFull,
    KeyUnusable,
    NoAnswer,
    NotFound,
    NotReady,
    ProviderError,
    QuotaReached,
    Throttled,
    Unprepared,
)
from holdfast.core.model import (
    HOLD_TAG,
    Backup,
    BackupState,
    CopySettings,
    Mark,
    Resource,
    account_of,
    name_of,
    place_of,
)
from holdfast.ports import ResourceQuery
from tests.contract.clock import Clock, CountingPace
from tests.contract.kinds import EbsWorld
from tests.fakes import ACCOUNT, AWAY, HOME

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
EVERYTHING = ResourceQuery(everything=True)
TAGS = {"holdfast:plan": "nightly", "team": "web"}
TAGGED = ResourceQuery(tags=TAGS)
VAULT = "111122223333"
VOLUME = EbsWorld.arn_of("volume", "vol-0123456789abcdef0")
INSTANCE = EbsWorld.arn_of("instance", "i-0123456789abcdef0")
SNAPSHOT = f"arn:aws:ec2:{HOME}::snapshot/snap-0123456789abcdef0"
ORIGINAL = f"Made by Holdfast of {name_of(VOLUME)} for 2026-11-22T02:00:00Z"
OF_GROUP = f"Made by Holdfast of {name_of(INSTANCE)} for 2026-11-22T02:00:00Z"
COPY = f"Copied by Holdfast from {SNAPSHOT}"


def mark_of(source: str, copy_of: str = "", nights: int = 0) -> Mark:
    slot = SLOT + timedelta(days=nights)
    return Mark(stack="holdfast", plan="nightly", slot=slot, source=source, copy_of=copy_of)


def volume_of(ebs: EbsWorld, arn: str) -> Resource:
    (found,) = (one for one in ebs.provider.resources(EVERYTHING) if one.arn == arn)
    return found


def make(ebs: EbsWorld, *, encrypted: bool = False) -> Backup:
    arn = ebs.add_resource("orders", TAGS, encrypted=encrypted)
    made = ebs.ebs.create(volume_of(ebs, arn), mark_of(arn))
    return next(one for one in ebs.ebs.backups(HOME) if one.id == made.id)


def make_together(ebs: EbsWorld, volumes: int = 2, nights: int = 0) -> list[Backup]:
    ebs.add_instance(TAGS, volumes)
    resources = ebs.ebs.resources(TAGGED)
    return list(ebs.ebs.create_together(resources, [mark_of(one.arn, nights=nights) for one in resources]))


def asked_of(client: Any, operation: str) -> list[dict[str, Any]]:
    """The parameters of each call from now on, as botocore's model has accepted them."""
    asked: list[dict[str, Any]] = []
    client.meta.events.register_first(
        f"before-parameter-build.ec2.{operation}", lambda params, **_: asked.append(dict(params))
    )
    return asked


def specified(tags: dict[str, str]) -> list[dict[str, Any]]:
    tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": "snapshot", "Tags": tag_list}]


def answer(ebs: EbsWorld, mark: Mark, **more: Any) -> dict[str, Any]:
    """A snapshot of `VOLUME` as EC2 describes it."""
    return {
        "SnapshotId": "snap-0123456789abcdef1",
        "VolumeId": name_of(VOLUME),
        "State": "completed",
        "VolumeSize": 20,
        "Encrypted": False,
        "TransferType": "standard",  # seen on every snapshot, though documented for copies alone
        "Description": ORIGINAL,
        "Tags": specified(ebs.tags_of(mark))[0]["Tags"],
    } | more


def listed(ebs: EbsWorld, place: str, *answers: dict[str, Any]) -> list[Backup]:
    """What the provider makes of an answer of EC2."""
    ebs.pages.size = 100
    with Stubber(ebs.client_at(place)) as stub:
        stub.add_response("describe_snapshots", {"Snapshots": list(answers)})
        return list(ebs.provider.backups(place))


# Which volumes


def test_volumes_are_in_by_their_instance_s_tags(ebs: EbsWorld) -> None:
    instance, volumes = ebs.add_instance(TAGS)
    ebs.add_instance({"team": "web"})
    found = ebs.provider.resources(TAGGED)
    assert {one.arn for one in found} == set(volumes)
    assert {one.group for one in found} == {instance}
    assert all(dict(one.group_tags) == TAGS and dict(one.tags) == {} for one in found)


def test_a_volume_that_bears_the_tags_too_is_listed_once_and_in_its_group(ebs: EbsWorld) -> None:
    instance, (root, _) = ebs.add_instance(TAGS)
    ebs.ec2.create_tags(Resources=[name_of(root)], Tags=[{"Key": key, "Value": TAGS[key]} for key in TAGS])
    found = {one.arn: one for one in ebs.provider.resources(TAGGED)}
    assert len(found) == 2
    assert (found[root].group, dict(found[root].tags)) == (instance, TAGS)


def test_a_tagged_volume_of_an_instance_without_the_tags_stands_alone(ebs: EbsWorld) -> None:
    instance, (_, data) = ebs.add_instance({"team": "other"})
    ebs.ec2.create_tags(Resources=[name_of(data)], Tags=[{"Key": key, "Value": TAGS[key]} for key in TAGS])
    (found,) = ebs.provider.resources(TAGGED)
    assert (found.arn, found.group, dict(found.group_tags)) == (data, "", {})
    assert volume_of(ebs, data).group == instance


def test_an_instance_without_any_tag_is_no_group(ebs: EbsWorld) -> None:
    _, (root, _) = ebs.add_instance({})
    assert volume_of(ebs, root).group == ""


def test_only_instances_that_live_are_asked_for(ebs: EbsWorld) -> None:
    ebs.provider.resources(TAGGED)
    ebs.provider.resources(EVERYTHING)
    living = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    tagged, everything = (one["Filters"] for one in ebs.pages.asked_of("DescribeInstances"))
    assert tagged == [
        living,
        {"Name": "tag:holdfast:plan", "Values": ["nightly"]},
        {"Name": "tag:team", "Values": ["web"]},
    ]
    assert everything == [living]


def test_a_volume_that_is_attached_to_several_instances_is_of_the_first_that_bears_the_tags(
    ebs: EbsWorld,
) -> None:
    ebs.pages.size = 100
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    instances = [
        {"InstanceId": "i-2", "Tags": tags},
        {"InstanceId": "i-3", "Tags": tags},
        {"InstanceId": "i-1", "Tags": [{"Key": "team", "Value": "web"}]},
    ]
    attached = [{"InstanceId": one, "State": "attached"} for one in ("i-3", "i-2", "i-1")]
    volume = {"VolumeId": "vol-1", "State": "in-use", "Attachments": attached}
    with Stubber(ebs.ec2) as stub:
        stub.add_response("describe_instances", {"Reservations": [{"Instances": instances}]})
        stub.add_response("describe_volumes", {"Volumes": []})
        stub.add_response("describe_volumes", {"Volumes": [volume]})
        (found,) = ebs.provider.resources(TAGGED)
    assert found.group == EbsWorld.arn_of("instance", "i-2")


def test_a_value_with_a_pattern_s_signs_is_meant_as_it_stands(ebs: EbsWorld) -> None:
    ebs.pages.size = 100
    volumes = [
        {"VolumeId": f"vol-{number}", "State": "in-use", "Tags": [{"Key": "team", "Value": value}]}
        for number, value in enumerate((r"we\b*?", "weob"))
    ]
    with Stubber(ebs.ec2) as stub:
        stub.add_response("describe_instances", {"Reservations": []})
        stub.add_response("describe_volumes", {"Volumes": volumes})
        found = ebs.provider.resources(ResourceQuery(tags={"team": r"we\b*?"}))
    assert [one.name for one in found] == ["vol-0"]
    (asked,) = ebs.pages.asked_of("DescribeVolumes")
    assert asked["Filters"] == [{"Name": "tag:team", "Values": [r"we\\b\*\?"]}]


def test_no_filter_has_more_values_than_ec2_takes(ebs: EbsWorld) -> None:
    ebs.pages.size = 1000
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    instances = [{"InstanceId": f"i-{number:03}", "Tags": tags} for number in range(401)]
    with Stubber(ebs.ec2) as stub:
        stub.add_response("describe_instances", {"Reservations": [{"Instances": instances}]})
        for _ in range(4):
            stub.add_response("describe_volumes", {"Volumes": []})
        ebs.provider.resources(TAGGED)
    _, *asked = (one["Filters"][0] for one in ebs.pages.asked_of("DescribeVolumes"))
    assert {one["Name"] for one in asked} == {"attachment.instance-id"}
    assert [len(one["Values"]) for one in asked] == [200, 200, 1]


@pytest.mark.parametrize(
    ("state", "unready", "transient"),
    [
        ("available", "", False),
        ("in-use", "", False),
        ("creating", "the volume is being created", True),
        ("deleting", "the volume is in state deleting", False),
        ("deleted", "the volume is in state deleted", False),
        ("error", "the volume is in state error", False),
    ],
)
def test_states_that_take_a_snapshot(state: str, unready: str, transient: bool) -> None:
    told, passes = readiness(state)
    assert told.startswith(unready)
    assert bool(told) is bool(unready)
    assert passes is transient


# One volume


def test_a_snapshot_is_made_with_description_name_and_tags_in_the_call(ebs: EbsWorld) -> None:
    arn = ebs.add_resource("orders", TAGS | {"Name": "orders data", "aws:x": "y"})
    asked = asked_of(ebs.client_at(HOME, attempts=1), "CreateSnapshot")
    ebs.provider.create(volume_of(ebs, arn), mark_of(arn))
    assert asked == [
        {
            "VolumeId": name_of(arn),
            "Description": f"Made by Holdfast of {name_of(arn)} for 2026-11-22T02:00:00Z",
            "TagSpecifications": specified(
                {"team": "web"}
                | naming.mark_tags(mark_of(arn))
                | {"Name": f"holdfast-nightly-{name_of(arn)}-20261122t020000z"}
            ),
        }
    ]


def test_a_snapshot_never_has_more_tags_than_leave_room_for_a_hold(ebs: EbsWorld) -> None:
    many = {f"key-{number:02}": "value" for number in range(50)}
    arn = ebs.add_resource("orders")
    made = ebs.provider.create(replace(volume_of(ebs, arn), tags=many | {"Name": "mine"}), mark_of(arn))
    (found,) = ebs.provider.backups(HOME)
    assert dict(found.tags) == dict(made.tags)
    assert len(found.tags) == 49
    assert found.mark == mark_of(arn)
    ebs.ec2.create_tags(Resources=[made.id], Tags=[{"Key": HOLD_TAG, "Value": ""}])
    assert ebs.provider.backups(HOME)[0].held


def test_a_long_name_fits_into_a_tag(ebs: EbsWorld) -> None:
    arn = ebs.add_resource("orders")
    mark = replace(mark_of(arn), stack="s" * 250)
    made = ebs.provider.create(volume_of(ebs, arn), mark)
    assert len(made.tags["Name"]) <= 255
    assert ebs.provider.backups(HOME)[0].mark == mark


def test_size_key_and_state_are_as_ec2_tells(ebs: EbsWorld) -> None:
    made = make(ebs, encrypted=True)
    assert (made.encrypted, made.kms_key, made.size_bytes) == (True, ebs.key_in(HOME), 20 * 1024**3)
    assert (made.state, made.state_text, made.copied) == (BackupState.AVAILABLE, "completed", False)


# Several volumes


def test_the_volumes_of_an_instance_are_backed_up_by_one_call(ebs: EbsWorld) -> None:
    instance, volumes = ebs.add_instance(TAGS, 3)
    asked = asked_of(ebs.client_at(HOME, attempts=1), "CreateSnapshots")
    resources = ebs.ebs.resources(TAGGED)
    marks = [mark_of(one.arn) for one in resources]
    made = ebs.ebs.create_together(resources, marks)
    assert [one.mark for one in made] == marks
    assert [one.source for one in made] == [one.arn for one in resources]
    assert asked == [
        {
            "InstanceSpecification": {"InstanceId": name_of(instance)},
            "Description": f"Made by Holdfast of {name_of(instance)} for 2026-11-22T02:00:00Z",
            "TagSpecifications": specified(
                {"team": "web"}
                | naming.mark_tags(mark_of(instance))
                | {"Name": f"holdfast-nightly-{name_of(instance)}-20261122t020000z"}
            ),
        }
    ]
    found = {one.source: one for one in ebs.provider.backups(HOME)}
    assert {source: one.mark for source, one in found.items()} == {arn: mark_of(arn) for arn in volumes}
    assert {one.id for one in made} == {one.id for one in found.values()}
    assert all(dict(one.tags) == dict(made[0].tags) for one in found.values())
    (alone,) = ebs.provider.backups(HOME, volumes[1])
    assert alone.mark == mark_of(volumes[1])


@pytest.mark.parametrize(
    ("wanted", "excluded"),
    [
        ([1, 2, 3], {"ExcludeBootVolume": True}),
        ([0, 2], {"ExcludeDataVolumeIds": [1, 3]}),
        ([3], {"ExcludeBootVolume": True, "ExcludeDataVolumeIds": [1, 2]}),
    ],
)
def test_volumes_that_are_not_asked_for_are_left_out(
    ebs: EbsWorld, wanted: list[int], excluded: dict[str, Any]
) -> None:
    instance, volumes = ebs.add_instance(TAGS, 4)
    asked = asked_of(ebs.client_at(HOME, attempts=1), "CreateSnapshots")
    resources = [volume_of(ebs, volumes[number]) for number in wanted]
    ebs.ebs.create_together(resources, [mark_of(one.arn) for one in resources])
    if "ExcludeDataVolumeIds" in excluded:
        others = sorted(name_of(volumes[number]) for number in excluded["ExcludeDataVolumeIds"])
        excluded = {**excluded, "ExcludeDataVolumeIds": others}
    assert asked[0]["InstanceSpecification"] == {"InstanceId": name_of(instance), **excluded}
    assert {one.source for one in ebs.provider.backups(HOME)} == {volumes[number] for number in wanted}


def test_tags_that_all_volumes_have_are_carried_over_with_the_instance_s(ebs: EbsWorld) -> None:
    ebs.add_instance(TAGS)
    root, data = ebs.ebs.resources(TAGGED)
    both = {"env": "prod", "team": "storage"}
    resources = [replace(root, tags=both | {"disk": "root"}), replace(data, tags=both | {"disk": "data"})]
    made = ebs.ebs.create_together(resources, [mark_of(one.arn) for one in resources])
    for one in made:
        carried = {key: one.tags[key] for key in one.tags if not key.startswith("holdfast:")}
        assert {key: carried[key] for key in carried if key != "Name"} == both


def test_a_volume_that_is_no_longer_attached_is_found_out_before_the_call(ebs: EbsWorld) -> None:
    instance, (_, data) = ebs.add_instance(TAGS)
    resources = ebs.ebs.resources(TAGGED)
    ebs.ec2.detach_volume(VolumeId=name_of(data), InstanceId=name_of(instance))
    with pytest.raises(NotReady, match=name_of(data)) as raised:
        ebs.ebs.create_together(resources, [mark_of(one.arn) for one in resources])
    assert raised.value.resource == instance
    assert list(ebs.provider.backups(HOME)) == []


def test_an_answer_that_lacks_a_volume_is_no_answer(ebs: EbsWorld) -> None:
    _, (root, data) = ebs.add_instance(TAGS)
    resources = [volume_of(ebs, root), volume_of(ebs, data)]
    one = {"SnapshotId": "snap-1", "VolumeId": name_of(root), "State": "pending"}
    with Stubber(ebs.client_at(HOME, attempts=1)) as stub:
        stub.add_response("create_snapshots", {"Snapshots": [one]})
        with pytest.raises(NoAnswer, match=name_of(data)):
            ebs.ebs.create_together(resources, [mark_of(one.arn) for one in resources])


def test_marks_that_one_call_cannot_give_are_refused(ebs: EbsWorld) -> None:
    _, (root, data) = ebs.add_instance(TAGS)
    resources = [volume_of(ebs, root), volume_of(ebs, data)]
    for marks in (
        [mark_of(root), mark_of(data, nights=1)],
        [mark_of(data), mark_of(root)],
        [mark_of(root)],
    ):
        with pytest.raises(ValueError, match="one mark"):
            ebs.ebs.create_together(resources, marks)
    assert list(ebs.provider.backups(HOME)) == []


# Which snapshots


def test_images_and_other_services_snapshots_are_never_listed(ebs: EbsWorld) -> None:
    instance, _ = ebs.add_instance(TAGS)
    ebs.ec2.create_image(InstanceId=name_of(instance), Name="golden")
    assert list(ebs.provider.backups(HOME)) == []
    mark = mark_of(VOLUME)
    found = listed(
        ebs,
        HOME,
        answer(ebs, mark, Description="This snapshot is created by the AWS Backup service."),
        answer(ebs, mark, Description="Created by CreateImage(i-0123) for ami-0123"),
        answer(ebs, mark, Description="Copied for DestinationAmi ami-0123 from SourceAmi ami-0456"),
        answer(ebs, mark, Tags=[{"Key": "aws:backup:source-resource", "Value": "x"}]),
        answer(ebs, mark, Tags=[{"Key": "aws:dlm:lifecycle-policy-id", "Value": "x"}]),
        answer(ebs, mark),
    )
    assert [one.mark for one in found] == [mark]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("pending", BackupState.CREATING),
        ("completed", BackupState.AVAILABLE),
        ("error", BackupState.FAILED),
        ("recoverable", BackupState.DELETING),
        ("recovering", BackupState.DELETING),
    ],
)
def test_ec2_s_states_are_told_in_our_words(ebs: EbsWorld, state: str, expected: BackupState) -> None:
    (found,) = listed(ebs, HOME, answer(ebs, mark_of(VOLUME), State=state))
    assert (found.state, found.state_text) == (expected, state)


def test_a_copy_that_failed_tells_why(ebs: EbsWorld) -> None:
    """EC2 tries the key later, and says so nowhere else."""
    mark = mark_of(VOLUME, SNAPSHOT)
    why = "Given key ID is not accessible"
    failed = answer(ebs, mark, Description=COPY, State="error", StateMessage=why, VolumeId="vol-ffffffff")
    (found,) = listed(ebs, AWAY, failed)
    assert (found.mark, found.state, found.failure) == (mark, BackupState.FAILED, why)


def test_a_snapshot_that_has_just_begun_has_little_to_tell(ebs: EbsWorld) -> None:
    begun = {"SnapshotId": "snap-1", "VolumeId": name_of(VOLUME), "State": "pending"}
    (found,) = listed(ebs, HOME, begun)
    assert (found.mark, found.size_bytes, found.encrypted) == (None, None, False)
    assert found.source == VOLUME


@pytest.mark.parametrize("more", [{}, {"TransferType": "standard"}], ids=["", "with a type of transfer"])
def test_copies_are_known_by_what_ec2_tells_of_the_volume_alone(ebs: EbsWorld, more: dict[str, str]) -> None:
    theirs = {"SnapshotId": "snap-1", "VolumeId": "vol-ffffffff", "State": "pending"} | more
    plain = theirs | {"VolumeId": "vol-1"}
    assert [one.copied for one in listed(ebs, AWAY, theirs, plain)] == [True, False]


def test_a_mark_counts_only_when_ec2_tells_the_same_origin(ebs: EbsWorld) -> None:
    original, group, copy = mark_of(VOLUME), mark_of(INSTANCE), mark_of(VOLUME, SNAPSHOT)
    vault = place_of(HOME, VAULT)
    assert listed(ebs, HOME, answer(ebs, original))[0].mark == original
    assert listed(ebs, HOME, answer(ebs, group, Description=OF_GROUP))[0].mark == original
    # Of a copy EC2 tells any volume.
    for volume in ("vol-ffffffff", "vol-9", name_of(VOLUME)):
        for place in (AWAY, vault):
            assert listed(ebs, place, answer(ebs, copy, Description=COPY, VolumeId=volume))[0].mark == copy
    for place, forged in (
        (HOME, answer(ebs, original, VolumeId="vol-9")),
        (HOME, answer(ebs, original, Description="")),
        (HOME, answer(ebs, original, Description=f"[Copied {name_of(SNAPSHOT)} from {HOME}] {ORIGINAL}")),
        (HOME, answer(ebs, group)),
        (HOME, answer(ebs, group, Description=OF_GROUP, VolumeId="vol-ffffffff")),
        (AWAY, answer(ebs, original)),
        (AWAY, answer(ebs, group, Description=OF_GROUP)),
        (vault, answer(ebs, original)),
        (HOME, answer(ebs, copy, Description=COPY)),
        (AWAY, answer(ebs, copy, Description=f"[Copied snap-9 from {AWAY}] {COPY}")),
        (AWAY, answer(ebs, copy, Description=ORIGINAL)),
    ):
        assert listed(ebs, place, forged)[0].mark is None


@pytest.mark.parametrize("source", ["x", "a:b:c:d:e:f", "arn:aws:s3:::bucket", "::::::"])
@pytest.mark.parametrize("copy_of", ["", "x", "a:b:c:d:e:f"])
def test_tags_of_nonsense_do_not_break_a_listing(ebs: EbsWorld, source: str, copy_of: str) -> None:
    nonsense = ebs.tags_of(mark_of("a:b:c:d:e:f", copy_of)) | {naming.SOURCE_TAG: source}
    for text in (COPY, ORIGINAL, f"Copied by Holdfast from {copy_of}"):
        wrong = answer(ebs, mark_of(VOLUME), Tags=specified(nonsense)[0]["Tags"], Description=text)
        (found,) = listed(ebs, HOME, wrong)
        assert found.mark is None


def test_a_person_s_copy_of_our_copy_is_not_ours(ebs: EbsWorld) -> None:
    made = make(ebs)
    mark = replace(mark_of(made.source), copy_of=made.arn)
    ebs.ebs.copy(made, AWAY, mark, CopySettings())
    (ours,) = ebs.provider.backups(AWAY)
    ebs.copy_by_hand(ours, ours.id, AWAY)
    ebs.copy_by_hand(ours, ours.id, HOME)
    assert [one.id for one in ebs.provider.backups(AWAY) if one.mark] == [ours.id]
    assert [one.id for one in ebs.provider.backups(HOME) if one.mark] == [made.id]


def test_a_person_s_copy_of_one_of_a_group_is_not_ours(ebs: EbsWorld) -> None:
    made = make_together(ebs)
    for region in (HOME, AWAY):
        ebs.copy_by_hand(made[0], made[0].id, region)
    assert {one.id for one in ebs.provider.backups(HOME) if one.mark} == {one.id for one in made}
    assert [one.mark for one in ebs.provider.backups(AWAY)] == [None]


def test_a_source_is_asked_for_by_its_volume_where_it_stands_and_by_our_tag_elsewhere(ebs: EbsWorld) -> None:
    for place in (HOME, AWAY, place_of(HOME, VAULT)):
        ebs.provider.backups(place, VOLUME)
        ebs.provider.backups(place)
    asked = ebs.pages.asked_of("DescribeSnapshots")
    here = {"Name": "volume-id", "Values": [name_of(VOLUME)]}
    there = {"Name": "tag:holdfast:source", "Values": [VOLUME]}
    assert [one["Filters"] for one in asked] == [[here], [], [there], [], [there], []]
    assert all((one["OwnerIds"], one["MaxResults"]) == (["self"], 1000) for one in asked)


def test_copies_are_listed_by_their_source(ebs: EbsWorld) -> None:
    first, second = make_together(ebs)
    for made in (first, second):
        ebs.ebs.copy(made, AWAY, replace(mark_of(made.source), copy_of=made.arn), CopySettings())
    (found,) = ebs.provider.backups(AWAY, second.source)
    assert found.mark == replace(mark_of(second.source), copy_of=second.arn)


# Copies


def test_a_copy_is_asked_of_the_destination_with_everything_in_the_call(ebs: EbsWorld) -> None:
    made = make(ebs)
    asked = asked_of(ebs.client_at(AWAY, attempts=1), "CopySnapshot")
    mark = replace(mark_of(made.source), copy_of=made.arn)
    plain = ebs.ebs.copy(made, AWAY, mark, CopySettings())
    key = ebs.key_in(AWAY)
    encrypted = ebs.ebs.copy(made, AWAY, mark, CopySettings(kms_key=key))
    expected = {
        "SourceRegion": HOME,
        "SourceSnapshotId": made.id,
        "Description": f"Copied by Holdfast from {made.arn}",
        "TagSpecifications": specified(
            {"team": "web"}
            | naming.mark_tags(mark)
            | {"Name": f"holdfast-nightly-{HOME}-{name_of(made.source)}-20261122t020000z"}
        ),
    }
    assert [{key: one[key] for key in one if key != "PresignedUrl"} for one in asked] == [
        expected,
        expected | {"Encrypted": True, "KmsKeyId": key},
    ]
    assert [one.state for one in (plain, encrypted)] == [BackupState.CREATING] * 2
    found = {one.id: one for one in ebs.provider.backups(AWAY)}
    assert (found[plain.id].encrypted, found[plain.id].copied) == (False, True)
    assert (found[encrypted.id].encrypted, found[encrypted.id].kms_key) == (True, key)


def test_a_copy_in_another_account_is_shared_first_and_made_there(ebs: EbsWorld) -> None:
    made = make(ebs, encrypted=True)
    place = place_of(HOME, VAULT)
    asked = asked_of(ebs.ec2, "ModifySnapshotAttribute")
    mark = replace(mark_of(made.source), copy_of=made.arn)
    key = f"arn:aws:kms:{HOME}:{VAULT}:key/00000000-0000-4000-8000-000000000000"
    copy = ebs.ebs.copy(made, place, mark, CopySettings(kms_key=key))
    assert asked == [
        {
            "SnapshotId": made.id,
            "Attribute": "createVolumePermission",
            "OperationType": "add",
            "UserIds": [VAULT],
        }
    ]
    (found,) = ebs.provider.backups(place)
    assert (found.id, found.mark, found.source) == (copy.id, mark, made.source)
    assert (found.place, found.account, found.kms_key) == (copy.place, VAULT, key) == (place, VAULT, key)
    assert [one.id for one in ebs.provider.backups(HOME)] == [made.id]
    (by_source,) = ebs.provider.backups(place, made.source)
    assert by_source.id == copy.id


def test_others_snapshots_in_another_account_are_of_that_account_s_volumes(ebs: EbsWorld) -> None:
    theirs = {"SnapshotId": "snap-1", "VolumeId": "vol-1", "State": "completed"}
    (found,) = listed(ebs, place_of(HOME, VAULT), theirs)
    assert account_of(found.source) == VAULT
    assert found.mark is None


def test_what_is_encrypted_with_aws_s_key_is_not_shared(ebs: EbsWorld) -> None:
    volume = ebs.ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1, Encrypted=True)["VolumeId"]
    ebs.add_backup(EbsWorld.arn_of("volume", volume), "by-hand")
    (backup,) = ebs.provider.backups(HOME)
    place = place_of(HOME, VAULT)
    mark = mark_of(backup.source, backup.arn)
    calls: list[object] = []
    for client in (ebs.ec2, ebs.client_at(place, attempts=1)):
        client.meta.events.register("before-call.ec2.*", lambda **call: calls.append(call))
    with pytest.raises(Unprepared, match=f"account {VAULT} cannot use") as raised:
        ebs.ebs.copy(backup, place, mark, CopySettings(kms_key=ebs.key_in(HOME)))
    assert raised.value.resource == backup.arn
    assert calls == []
    # Where KMS does not tell whose key it is, EC2 says so.
    unknown = replace(backup, kms_key="")
    with pytest.raises(ProviderError, match="cannot be shared"):
        ebs.ebs.copy(unknown, place, mark, CopySettings(kms_key=ebs.key_in(HOME)))


# Deleting


def test_what_is_part_of_an_image_says_so(ebs: EbsWorld) -> None:
    made = make(ebs)
    with Stubber(ebs.ec2) as stub:
        stub.add_client_error(
            "delete_snapshot",
            "InvalidSnapshot.InUse",
            "The snapshot is currently in use by ami-1",
            expected_params={"SnapshotId": made.id},
        )
        with pytest.raises(ProviderError, match="registered as an image and stays") as raised:
            ebs.provider.delete(made)
    assert "ami-1" in raised.value.message
    assert not raised.value.retryable


def test_a_copy_is_deleted_in_the_account_where_it_stands(ebs: EbsWorld) -> None:
    made = make(ebs)
    place = place_of(HOME, VAULT)
    copy = ebs.ebs.copy(made, place, replace(mark_of(made.source), copy_of=made.arn), CopySettings())
    ebs.provider.delete(copy)
    assert list(ebs.provider.backups(place)) == []
    assert [one.id for one in ebs.provider.backups(HOME)] == [made.id]


# Calls that must not be repeated


def _create(ebs: EbsWorld) -> None:
    arn = ebs.add_resource("orders")
    ebs.provider.create(volume_of(ebs, arn), mark_of(arn))


def _create_together(ebs: EbsWorld) -> None:
    make_together(ebs)


def _copy(ebs: EbsWorld) -> None:
    original = Backup(
        kind="ebs",
        arn=SNAPSHOT,
        id=ebs.add_backup(ebs.add_resource("orders"), "by-hand"),
        region=HOME,
        source=VOLUME,
        state=BackupState.AVAILABLE,
    )
    ebs.ebs.copy(original, AWAY, mark_of(VOLUME, SNAPSHOT), CopySettings())


CALLS = {
    "CreateSnapshot": (_create, HOME, 1, 2),
    "CreateSnapshots": (_create_together, HOME, 2, 4),
    "CopySnapshot": (_copy, AWAY, 1, 2),
}
"""Operation: what makes the call, where, and how many snapshots it makes when it is sent once and twice."""


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("client", ["once", "usual"])
def test_a_call_whose_answer_is_lost_is_sent_exactly_once(ebs: EbsWorld, client: str, operation: str) -> None:
    """moto does the work, then the connection breaks. The usual client shows what would happen else."""
    call, place, once, twice = CALLS[operation]
    chosen = ebs.client_at(place, attempts=1 if client == "once" else 2)

    def break_connection(event_name: str, **_: object) -> None:
        if event_name.endswith(f".{operation}"):
            raise ReadTimeoutError(endpoint_url="https://ec2")

    # The same, least specific event as moto's, since botocore runs more specific ones first.
    chosen.meta.events.register_last("before-send", break_connection)
    ebs.ebs._once._made[place] = chosen
    with pytest.raises(NoAnswer) as raised:
        call(ebs)
    assert raised.value.retryable
    assert len(ebs.provider.backups(place)) == (once if client == "once" else twice)


@pytest.mark.parametrize("operation", CALLS)
def test_a_client_that_retries_is_not_taken_for_them(ebs: EbsWorld, operation: str) -> None:
    ebs.ebs = EbsBackups(clients=ebs.client_at, once=ebs.client_at, home=HOME, account=ACCOUNT, keys=ebs.keys)
    ebs.provider = ebs.ebs
    with pytest.raises(ValueError, match="make second snapshots"):
        CALLS[operation][0](ebs)


@pytest.fixture
def clock(ebs: EbsWorld) -> Clock:
    """The clock by which calls are paced that change something."""
    clock = Clock()
    for place in (HOME, AWAY):
        ebs.ebs._writes._made[place] = Pace(1000, clock=clock.read, sleep=clock.sleep)
    return clock


BEGUN = {"SnapshotId": "snap-1", "VolumeId": name_of(VOLUME), "State": "pending", "VolumeSize": 1}


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "Throttling", "EC2ThrottledException"])
def test_a_call_that_came_too_soon_is_made_again(ebs: EbsWorld, clock: Clock, code: str) -> None:
    with Stubber(ebs.client_at(HOME, attempts=1)) as stub:
        stub.add_client_error("create_snapshot", code, http_status_code=503)
        stub.add_client_error("create_snapshot", code, http_status_code=503)
        stub.add_response("create_snapshot", BEGUN)
        made = ebs.provider.create(Resource(kind="ebs", arn=VOLUME), mark_of(VOLUME))
        stub.assert_no_pending_responses()
    assert made.state is BackupState.CREATING
    assert clock.slept == pytest.approx(0.5 + 1)


def test_a_call_that_stays_throttled_gives_up(ebs: EbsWorld, clock: Clock) -> None:
    with Stubber(ebs.client_at(HOME, attempts=1)) as stub:
        for _ in range(module.ATTEMPTS):
            stub.add_client_error("create_snapshot", "RequestLimitExceeded", http_status_code=503)
        with pytest.raises(Throttled):
            ebs.provider.create(Resource(kind="ebs", arn=VOLUME), mark_of(VOLUME))
        stub.assert_no_pending_responses()
    assert clock.slept == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("SnapshotCreationPerVolumeRateExceeded", 400, Throttled),
        ("ConcurrentSnapshotLimitExceeded", 400, Throttled),
        ("PendingSnapshotLimitExceeded", 400, Throttled),
        ("SnapshotLimitExceeded", 400, QuotaReached),
        ("InvalidVolume.NotFound", 400, NotFound),
        ("IncorrectState", 400, NotReady),
        ("UnauthorizedOperation", 403, AccessDenied),
        ("InternalError", 500, NoAnswer),
        ("Unavailable", 503, NoAnswer),
        ("InvalidParameterValue", 400, ProviderError),
    ],
)
def test_what_a_create_is_refused_for(
    ebs: EbsWorld, code: str, status: int, expected: type[ProviderError]
) -> None:
    with Stubber(ebs.client_at(HOME, attempts=1)) as stub:
        stub.add_client_error("create_snapshot", code, http_status_code=status)
        with pytest.raises(ProviderError) as raised:
            ebs.provider.create(Resource(kind="ebs", arn=VOLUME), mark_of(VOLUME))
    assert type(raised.value) is expected
    assert (raised.value.kind, raised.value.resource, raised.value.code) == ("ebs", VOLUME, code)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ResourceLimitExceeded", CopySlotsFull),
        ("InvalidSnapshot.NotFound", NotFound),
        ("IncorrectState", NotReady),
        ("InvalidKmsKey.NotFound", KeyUnusable),
        ("InvalidKmsKey.InvalidState", KeyUnusable),
        ("SnapshotCopyUnsupported.InterRegion", ProviderError),
    ],
)
def test_what_a_copy_is_refused_for(ebs: EbsWorld, code: str, expected: type[ProviderError]) -> None:
    (original,) = listed(ebs, HOME, answer(ebs, mark_of(VOLUME)))
    with Stubber(ebs.client_at(AWAY, attempts=1)) as stub:
        stub.add_client_error("copy_snapshot", code)
        with pytest.raises(ProviderError) as raised:
            ebs.ebs.copy(original, AWAY, mark_of(VOLUME, original.arn), CopySettings())
    assert type(raised.value) is expected
    assert raised.value.resource == original.arn


# Pace and clients


def test_every_call_waits_for_its_place_s_pace(ebs: EbsWorld) -> None:
    arns = [ebs.add_resource(name, TAGS) for name in ("orders", "billing", "ledger")]
    resources = [volume_of(ebs, arn) for arn in arns]
    waits: list[str] = []
    for place in (HOME, AWAY, place_of(HOME, VAULT)):
        ebs.ebs._reads._made[place] = CountingPace(partial(waits.append, f"read {place}"))
        ebs.ebs._writes._made[place] = CountingPace(partial(waits.append, f"write {place}"))
    made = [ebs.provider.create(one, mark_of(one.arn)) for one in resources]
    ebs.provider.backups(HOME)  # two pages of three
    copy = ebs.ebs.copy(made[0], AWAY, mark_of(made[0].source, made[0].arn), CopySettings())
    ebs.ebs.copy(made[0], place_of(HOME, VAULT), mark_of(made[0].source, made[0].arn), CopySettings())
    ebs.provider.delete(copy)
    assert waits == [
        *[f"write {HOME}"] * 3,
        *[f"read {HOME}"] * 2,
        f"write {AWAY}",
        f"write {HOME}",
        f"read {HOME}@{VAULT}",
        f"write {HOME}@{VAULT}",
        f"write {AWAY}",
    ]


def test_what_the_other_account_does_not_see_yet_is_not_copied_to_it(ebs: EbsWorld) -> None:
    """EC2 is said to take such a copy, of which nothing comes."""
    arn = ebs.add_resource("orders", TAGS)
    made = ebs.provider.create(volume_of(ebs, arn), mark_of(arn))
    place = place_of(HOME, VAULT)
    with Stubber(ebs.client_at(place)) as stub, Stubber(ebs.client_at(place, attempts=1)):
        stub.add_client_error(
            "describe_snapshots",
            "InvalidSnapshot.NotFound",
            http_status_code=400,
            expected_params={"SnapshotIds": [made.id]},
        )
        with pytest.raises(NotReady, match=f"shared with account {VAULT}, which does not see it yet"):
            ebs.ebs.copy(made, place, mark_of(arn, made.arn), CopySettings())
    assert ebs.ebs.copy(made, place, mark_of(arn, made.arn), CopySettings()).account == VAULT


def test_calls_are_paced_below_what_ec2_gives_back() -> None:
    assert module.READS_PER_SECOND < 20
    assert module.WRITES_PER_SECOND < 5


def test_each_place_s_clients_are_made_once(ebs: EbsWorld) -> None:
    made: list[str] = []

    def client(place: str, attempts: int) -> Any:
        made.append(f"{place} {attempts}")
        return ebs.client_at(place, attempts=attempts)

    provider = EbsBackups(
        clients=partial(client, attempts=2),
        once=partial(client, attempts=1),
        home=HOME,
        account=ACCOUNT,
        keys=ebs.keys,
    )
    assert made == []
    arn = ebs.add_resource("orders")
    for nights in range(2):
        provider.create(Resource(kind="ebs", arn=arn), mark_of(arn, nights=nights))
        provider.backups(HOME)
        provider.backups(AWAY)
    assert sorted(made) == sorted([f"{HOME} 1", f"{HOME} 2", f"{AWAY} 2"])


def test_no_account_is_no_way_to_know_our_snapshots(ebs: EbsWorld) -> None:
    with pytest.raises(ValueError, match="account's id"):
        EbsBackups(clients=ebs.client_at, once=ebs.client_at, home=HOME, account="", keys=ebs.keys)
