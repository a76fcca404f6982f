"""What holds of RDS instances and clusters, beyond the contract."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from botocore.stub import Stubber

from holdfast.adapters.rds_common import RdsRegions, readiness
from holdfast.core import naming
from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    CopySlotsFull,
    KeyUnusable,
    NotReady,
    ProviderError,
    QuotaReached,
    Throttled,
)
from holdfast.core.model import Backup, BackupState, CopyLaws, CopySettings, Mark, Resource, place_of
from holdfast.ports import Copier, ResourceQuery
from tests.contract.clock import CountingPace
from tests.contract.kinds import AuroraWorld, RdsWorld
from tests.fakes import ACCOUNT, AWAY, HOME

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
EVERYTHING = ResourceQuery(everything=True)
TAGS = {"team": "orders"}


def names_of(world: RdsWorld) -> dict[str, str]:
    """AWS's words for the twin, in requests and answers."""
    cluster = isinstance(world, AuroraWorld)
    word, prefix = ("Cluster", "cluster-") if cluster else ("", "")
    return {
        "snapshot": f"DB{word}Snapshot",
        "call": "db_cluster_snapshot" if cluster else "db_snapshot",
        "database": "DBClusterIdentifier" if cluster else "DBInstanceIdentifier",
        "arn": f"arn:aws:rds:us-east-1:123456789012:{'cluster' if cluster else 'db'}:orders",
        "snapshot_arn": f"arn:aws:rds:{{region}}:123456789012:{prefix}snapshot:{{name}}",
        "copied_from": f"SourceDB{word}Snapshot{'Arn' if cluster else 'Identifier'}",
    }


def mark_of(world: RdsWorld, copy_of: str = "") -> Mark:
    return Mark(stack="holdfast", plan="nightly", slot=SLOT, source=names_of(world)["arn"], copy_of=copy_of)


def answer(world: RdsWorld, mark: Mark, region: str, **more: Any) -> dict[str, Any]:
    """A snapshot as RDS describes it."""
    words = names_of(world)
    name = naming.snapshot_name(mark, world.name_limit)
    return {
        f"{words['snapshot']}Identifier": name,
        f"{words['snapshot']}Arn": words["snapshot_arn"].format(region=region, name=name),
        words["database"]: "orders",
        "Engine": "aurora-postgresql",
        "Status": "available",
        "SnapshotType": "manual",
        "TagList": [{"Key": key, "Value": value} for key, value in naming.mark_tags(mark).items()],
    } | more


def copier_of(world: RdsWorld) -> Copier:
    assert world.copier is not None
    return world.copier


def listed(world: RdsWorld, region: str, *answers: dict[str, Any]) -> list[Backup]:
    """What the provider makes of an answer of RDS."""
    words = names_of(world)
    world.pages.size = 100
    client = world.rds if region == HOME else world.rds_away
    with Stubber(client) as stub:
        stub.add_response(f"describe_{words['call']}s", {f"{words['snapshot']}s": list(answers)})
        return list(world.provider.backups(region))


# Which resources


def test_members_of_clusters_are_left_to_their_cluster(rds: RdsWorld, aurora: AuroraWorld) -> None:
    cluster = aurora.add_cluster("orders")
    aurora.add_instance("orders-writer", cluster="orders", engine="aurora-postgresql")
    alone = rds.add_instance("billing")
    assert [one.arn for one in rds.provider.resources(EVERYTHING)] == [alone]
    assert [one.arn for one in aurora.provider.resources(EVERYTHING)] == [cluster]


def test_a_tagged_member_is_left_out_too(rds: RdsWorld, aurora: AuroraWorld) -> None:
    aurora.add_cluster("orders")
    rds.add_instance("orders-writer", TAGS, cluster="orders", engine="aurora-postgresql")
    assert list(rds.provider.resources(ResourceQuery(tags=TAGS))) == []


def test_a_multi_az_cluster_is_a_cluster(aurora: AuroraWorld) -> None:
    arn = aurora.rds.create_db_cluster(
        DBClusterIdentifier="ledger",
        Engine="postgres",
        DBClusterInstanceClass="db.m5d.large",
        AllocatedStorage=100,
        StorageType="io1",
        Iops=1000,
        MasterUsername="owner",
        MasterUserPassword="not-a-secret",
    )["DBCluster"]["DBClusterArn"]
    (found,) = aurora.provider.resources(EVERYTHING)
    assert (found.arn, found.kind) == (arn, "aurora")


@pytest.mark.parametrize("engine", ["docdb", "neptune"])
def test_documentdb_and_neptune_are_not_ours(aurora: AuroraWorld, engine: str) -> None:
    answers = {
        "DBClusters": [
            {
                "DBClusterIdentifier": "papers",
                "DBClusterArn": "arn:aws:rds:us-east-1:123456789012:cluster:papers",
                "Engine": engine,
                "Status": "available",
            }
        ]
    }
    with Stubber(aurora.rds) as stub:
        stub.add_response("describe_db_clusters", answers)
        assert list(aurora.provider.resources(EVERYTHING)) == []
    mark = mark_of(aurora)
    assert listed(aurora, HOME, answer(aurora, mark, HOME, Engine=engine)) == []


def test_nothing_tagged_takes_no_call_to_rds(twin: RdsWorld) -> None:
    twin.add_resource("orders")
    assert list(twin.provider.resources(ResourceQuery(tags=TAGS))) == []
    assert twin.pages.asked_of("DescribeDBInstances") == twin.pages.asked_of("DescribeDBClusters") == []


@pytest.mark.parametrize("status", ["available", "storage-optimization"])
def test_states_that_take_a_snapshot(status: str) -> None:
    assert readiness("instance", status) == ("", False)


@pytest.mark.parametrize(
    "status",
    [
        "backing-up",
        "configuring-enhanced-monitoring",
        "creating",
        "maintenance",
        "modifying",
        "rebooting",
        "renaming",
        "starting",
        "storage-initialization",
        "upgrading",
        "a-state-of-next-year",
    ],
)
def test_states_that_end_by_themselves(status: str) -> None:
    unready, transient = readiness("instance", status)
    assert status in unready
    assert transient


@pytest.mark.parametrize(
    "status",
    [
        "deleting",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-restore",
        "restore-error",
        "stopped",
        "stopping",
        "storage-full",
    ],
)
def test_states_that_need_a_person(status: str) -> None:
    unready, transient = readiness("cluster", status)
    assert unready.startswith("the cluster is ")
    assert status in unready
    assert not transient


def test_a_stopped_instance_says_what_to_do() -> None:
    assert readiness("instance", "stopped")[0] == (
        "the instance is stopped: start it, or take it out of the plan"
    )


# Which snapshots


def test_automated_snapshots_are_never_listed(twin: RdsWorld) -> None:
    """moto makes one for each new instance; RDS's and AWS Backup's are told by their names too."""
    twin.add_resource("orders")
    assert list(twin.provider.backups(HOME)) == []
    words = names_of(twin)
    key = f"{words['snapshot']}Identifier"
    mark = mark_of(twin)
    found = listed(
        twin,
        HOME,
        answer(twin, mark, HOME, **{key: "rds:orders-2026-11-22-02-00"}),
        answer(twin, mark, HOME, **{key: "awsbackup:job-1"}),
        answer(twin, mark, HOME),
    )
    assert [one.mark for one in found] == [mark]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("creating", BackupState.CREATING),
        ("copying", BackupState.CREATING),
        ("pending", BackupState.CREATING),
        ("available", BackupState.AVAILABLE),
        ("canceled", BackupState.FAILED),
        ("cancelled", BackupState.FAILED),
        ("error", BackupState.FAILED),
        ("failed", BackupState.FAILED),
        ("incompatible-restore", BackupState.FAILED),
        ("deleting", BackupState.DELETING),
    ],
)
def test_rds_s_states_are_told_in_our_words(twin: RdsWorld, status: str, state: BackupState) -> None:
    (found,) = listed(twin, HOME, answer(twin, mark_of(twin), HOME, Status=status))
    assert (found.state, found.state_text) == (state, status)


def test_a_snapshot_that_has_just_begun_has_little_to_tell(twin: RdsWorld) -> None:
    begun = answer(twin, mark_of(twin), HOME, Status="creating")
    del begun["TagList"]
    (found,) = listed(twin, HOME, begun)
    assert found.mark is None
    assert found.size_bytes == 0


def test_origin_and_size_are_as_rds_tells(twin: RdsWorld) -> None:
    """A copy that somebody made from another Region comes from the database there."""
    words = names_of(twin)
    origin = words["snapshot_arn"].format(region=HOME, name="before")
    theirs = answer(
        twin, mark_of(twin), AWAY, TagList=[], AllocatedStorage=20, **{words["copied_from"]: origin}
    )
    (found,) = listed(twin, AWAY, theirs)
    assert found.source == words["arn"]
    assert found.mark is None
    assert found.size_bytes == 20 * 1024**3


def test_the_key_is_as_rds_tells(twin: RdsWorld) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    plain, encrypted = listed(
        twin, HOME, answer(twin, mark_of(twin), HOME), answer(twin, mark_of(twin), HOME, KmsKeyId=key)
    )
    assert (plain.kms_key, encrypted.kms_key) == ("", key)


def test_option_group_and_tde_of_an_instance_are_as_rds_tells(rds: RdsWorld) -> None:
    credential = "arn:aws:cloudhsm:us-east-1:123456789012:hapg-1"
    plain, special = listed(
        rds,
        HOME,
        answer(rds, mark_of(rds), HOME),
        answer(rds, mark_of(rds), HOME, OptionGroupName="oracle", TdeCredentialArn=credential),
    )
    assert (plain.option_group, plain.tde) == ("", False)
    assert (special.option_group, special.tde) == ("oracle", True)


def test_a_copy_is_one_when_rds_or_our_mark_says_so(twin: RdsWorld) -> None:
    """RDS need not tell of a copy that has just begun what it is made from."""
    words = names_of(twin)
    origin = words["snapshot_arn"].format(region=HOME, name="before")
    ours = mark_of(twin, copy_of=origin)
    begun, theirs = listed(
        twin,
        AWAY,
        answer(twin, ours, AWAY, Status="creating"),
        answer(twin, ours, AWAY, TagList=[], Status="creating", **{words["copied_from"]: origin}),
    )
    assert (begun.mark, begun.copied) == (ours, True)
    assert (theirs.mark, theirs.copied) == (None, True)
    (original,) = listed(twin, HOME, answer(twin, mark_of(twin), HOME))
    assert not original.copied


def test_the_region_that_an_instance_s_snapshot_is_from_says_whether_it_is_a_copy(rds: RdsWorld) -> None:
    """RDS tells it of originals too: it is where they were created."""
    original, theirs = listed(
        rds,
        AWAY,
        answer(rds, mark_of(rds), AWAY, TagList=[], SourceRegion=AWAY),
        answer(rds, mark_of(rds), AWAY, TagList=[], SourceRegion=HOME),
    )
    assert (original.copied, theirs.copied) == (False, True)


def test_a_mark_counts_only_when_rds_tells_the_same_origin(twin: RdsWorld) -> None:
    words = names_of(twin)
    original = words["snapshot_arn"].format(region=HOME, name="one")
    other = words["snapshot_arn"].format(region=HOME, name="two")
    ours, copied = mark_of(twin), mark_of(twin, copy_of=original)
    key = words["copied_from"]
    assert listed(twin, HOME, answer(twin, ours, HOME))[0].mark == ours
    assert listed(twin, AWAY, answer(twin, copied, AWAY, **{key: original}))[0].mark == copied
    assert listed(twin, AWAY, answer(twin, copied, AWAY))[0].mark == copied
    for region, forged in (
        (HOME, answer(twin, ours, HOME, **{words["database"]: "billing"})),
        (HOME, answer(twin, ours, HOME, **{key: other})),
        (AWAY, answer(twin, ours, AWAY, **{key: original})),
        (AWAY, answer(twin, copied, AWAY, **{key: other})),
        (HOME, answer(twin, copied, HOME)),
    ):
        assert listed(twin, region, forged)[0].mark is None


@pytest.mark.parametrize("source", ["x", "a:b:c:d:e:f", "arn:aws:s3:::bucket", "::::::"])
@pytest.mark.parametrize("copy_of", ["", "x", "a:b:c:d:e:f"])
def test_tags_of_nonsense_do_not_break_a_listing(twin: RdsWorld, source: str, copy_of: str) -> None:
    tags = naming.mark_tags(mark_of(twin)) | {naming.SOURCE_TAG: source, naming.COPY_TAG: copy_of}
    tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
    (found,) = listed(twin, HOME, answer(twin, mark_of(twin), HOME, TagList=tag_list))
    assert found.mark is None


# What is asked


def test_a_source_is_asked_for_where_it_stands_only(twin: RdsWorld) -> None:
    words = names_of(twin)
    twin.provider.backups(HOME, words["arn"])
    twin.provider.backups(AWAY, words["arn"])
    here, away = twin.pages.asked_of(f"Describe{words['snapshot']}s")
    name = "db-cluster-id" if isinstance(twin, AuroraWorld) else "db-instance-id"
    assert here["Filters"] == [{"Name": name, "Values": ["orders"]}]
    assert away["Filters"] == []
    assert here["SnapshotType"] == away["SnapshotType"] == "manual"
    assert here["MaxRecords"] == 100


def copies_asked(world: RdsWorld, settings: CopySettings) -> tuple[Backup, Mark, dict[str, Any]]:
    """What was copied to the other Region, with which mark, and what RDS was asked for."""
    world.add_resource("orders", TAGS)
    (resource,) = world.provider.resources(EVERYTHING)
    made = world.provider.create(resource, mark_of(world))
    asked: list[dict[str, Any]] = []
    world.rds_away.meta.events.register_first(
        f"before-parameter-build.rds.Copy{names_of(world)['snapshot']}",
        lambda params, **_: asked.append(dict(params)),
    )
    mark = mark_of(world, copy_of=made.arn)
    copier_of(world).copy(made, AWAY, mark, settings)
    (request,) = asked
    return made, mark, request


def test_a_copy_is_asked_of_the_destination_with_the_source_s_region_and_our_tags(twin: RdsWorld) -> None:
    snapshot = names_of(twin)["snapshot"]
    made, mark, asked = copies_asked(twin, CopySettings())
    tags = asked.pop("Tags")
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS | naming.mark_tags(mark)
    assert len(tags) == len(TAGS | naming.mark_tags(mark))
    assert asked == {
        f"Source{snapshot}Identifier": made.arn,
        f"Target{snapshot}Identifier": naming.snapshot_name(mark, twin.name_limit),
        "SourceRegion": HOME,
        "CopyTags": False,
    }


def test_a_copy_has_the_key_that_it_is_given(twin: RdsWorld) -> None:
    _, _, asked = copies_asked(twin, CopySettings(kms_key=twin.key_in(AWAY)))
    assert asked["KmsKeyId"] == twin.key_in(AWAY)


def test_an_instance_s_copy_has_the_option_group_that_it_is_given(rds: RdsWorld) -> None:
    _, _, asked = copies_asked(rds, CopySettings(option_group="oracle-away"))
    assert asked["OptionGroupName"] == "oracle-away"


def test_a_cluster_s_copy_has_no_option_group(aurora: AuroraWorld) -> None:
    _, _, asked = copies_asked(aurora, CopySettings(option_group="oracle-away"))
    assert "OptionGroupName" not in asked


def test_both_kinds_share_their_copies_in_flight_and_only_instances_are_encrypted_by_a_copy(
    rds: RdsWorld, aurora: AuroraWorld
) -> None:
    assert copier_of(rds).laws == CopyLaws(service="rds", key_for_unencrypted=True)
    assert copier_of(aurora).laws == CopyLaws(service="rds", key_for_unencrypted=False)


def test_a_backup_and_its_copy_know_which_resource_of_that_name_they_are_of(twin: RdsWorld) -> None:
    twin.add_resource("orders", TAGS)
    (resource,) = twin.provider.resources(EVERYTHING)
    assert resource.resource_id
    mark = replace(mark_of(twin), resource_id=resource.resource_id)
    made = twin.provider.create(resource, mark)
    copier_of(twin).copy(made, AWAY, replace(mark, copy_of=made.arn), CopySettings())
    for region in (HOME, AWAY):
        (listed,) = (one for one in twin.provider.backups(region) if one.mark)
        assert listed.resource_id == resource.resource_id


def test_an_unencrypted_instance_is_encrypted_by_its_copy(rds: RdsWorld) -> None:
    rds.add_resource("orders", TAGS)
    (resource,) = rds.provider.resources(EVERYTHING)
    made = rds.provider.create(resource, mark_of(rds))
    settings = CopySettings(kms_key=rds.key_in(AWAY))
    copier_of(rds).copy(made, AWAY, mark_of(rds, copy_of=made.arn), settings)
    (copy,) = rds.provider.backups(AWAY)
    assert copy.encrypted


def test_every_call_waits_for_its_region_s_pace(twin: RdsWorld) -> None:
    waits: list[str] = []
    calls: list[str] = []
    for name in ("orders", "billing", "ledger"):
        twin.add_resource(name)
    for region, client in ((HOME, twin.rds), (AWAY, twin.rds_away)):
        twin.regions._made[region] = (client, CountingPace(partial(waits.append, region)))
        client.meta.events.register("before-call.rds.*", lambda region=region, **_: calls.append(region))
    resources = twin.provider.resources(EVERYTHING)
    made = [twin.provider.create(one, replace(mark_of(twin), source=one.arn)) for one in resources]
    for one in made:
        assert one.mark is not None
        copier_of(twin).copy(one, AWAY, replace(one.mark, copy_of=one.arn), CopySettings())
    twin.provider.backups(AWAY)
    twin.provider.delete(made[0])
    assert waits == calls == [HOME] * 5 + [AWAY] * 5 + [HOME]


def test_each_place_s_client_is_made_once_and_has_a_pace_of_its_own() -> None:
    made: list[str] = []

    def client(place: str) -> Any:
        made.append(place)
        return object()

    regions = RdsRegions(clients=client, home=HOME, account=ACCOUNT, calls_per_second=5)
    vault = place_of(AWAY, "111122223333")
    pairs = [regions.of(place) for place in (HOME, AWAY, vault, HOME, AWAY, vault)]
    assert made == [HOME, AWAY, vault]
    assert pairs[:3] == pairs[3:]
    assert len({id(pace) for _, pace in pairs}) == 3


# What is refused


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("{snapshot}AlreadyExists{fault}", "", AlreadyExists),
        ("InvalidDB{database}State{fault}", "", NotReady),
        ("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots", QuotaReached),
        ("Throttling", "Rate exceeded", Throttled),
        ("AccessDenied", "is not authorized to perform: rds:AddTagsToResource", AccessDenied),
        ("InvalidParameterValue", "a wrong name", ProviderError),
    ],
)
def test_what_a_create_is_refused_for(
    twin: RdsWorld, code: str, message: str, expected: type[ProviderError]
) -> None:
    words = names_of(twin)
    cluster = isinstance(twin, AuroraWorld)
    code = code.format(
        snapshot=words["snapshot"],
        database="Cluster" if cluster else "Instance",
        fault="Fault" if cluster else "",
    )
    with Stubber(twin.rds) as stub:
        stub.add_client_error(f"create_{words['call']}", code, message)
        with pytest.raises(ProviderError) as raised:
            twin.provider.create(Resource(kind=twin.kind, arn=words["arn"]), mark_of(twin))
    assert type(raised.value) is expected
    assert (raised.value.kind, raised.value.resource) == (twin.kind, words["arn"])
    assert (raised.value.code, raised.value.message) == (code, message)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("SnapshotQuotaExceeded", "Cannot copy more than 20 snapshots across regions", CopySlotsFull),
        ("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots", QuotaReached),
        ("KMSKeyNotAccessibleFault", "", KeyUnusable),
        ("Invalid{snapshot}State{fault}", "", NotReady),
        ("{snapshot}AlreadyExists{fault}", "", AlreadyExists),
    ],
)
def test_what_a_copy_is_refused_for(
    twin: RdsWorld, code: str, message: str, expected: type[ProviderError]
) -> None:
    words = names_of(twin)
    code = code.format(snapshot=words["snapshot"], fault="Fault" if isinstance(twin, AuroraWorld) else "")
    (backup,) = listed(twin, HOME, answer(twin, mark_of(twin), HOME))
    with Stubber(twin.rds_away) as stub:
        stub.add_client_error(f"copy_{words['call']}", code, message)
        with pytest.raises(ProviderError) as raised:
            copier_of(twin).copy(backup, AWAY, mark_of(twin, copy_of=backup.arn), CopySettings())
    assert type(raised.value) is expected
    assert raised.value.resource == backup.arn
