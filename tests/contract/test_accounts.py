"""Copies in another account: how its role is assumed, and what RDS is asked there. moto is taught by
`local.accounts` and `local.ebs` who may copy what."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from holdfast.adapters.accounts import Accounts, Keys
from holdfast.adapters.aurora import AuroraBackups
from holdfast.adapters.calls import client_config, translated
from holdfast.adapters.ebs import EbsBackups
from holdfast.adapters.rds import RdsBackups
from holdfast.adapters.rds_common import RdsRegions
from holdfast.core import naming
from holdfast.core.errors import (
    AccessDenied,
    KeyUnusable,
    NotFound,
    NotReady,
    ProviderError,
    Throttled,
    Unprepared,
)
from holdfast.core.model import Backup, BackupState, CopySettings, Mark, mark_of, place_of
from holdfast.ports import Copier, Provider, ResourceQuery
from tests.contract.clock import CountingPace
from tests.contract.kinds import VAULT_ROLE, AuroraWorld, EbsWorld, MotoWorld, RdsWorld
from tests.fakes import ACCOUNT, AWAY, HOME

SLOT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
OTHER = "111122223333"
VAULT = place_of(AWAY, OTHER)
TAGS = {"team": "orders"}


def copier_of(world: MotoWorld) -> Copier:
    assert world.copier is not None
    return world.copier


def make(world: MotoWorld, *, encrypted: bool = False) -> Backup:
    """A backup in the home Region."""
    arn = world.add_resource("orders", TAGS, encrypted=encrypted)
    (resource,) = world.provider.resources(ResourceQuery(everything=True))
    return world.provider.create(resource, Mark(stack="holdfast", plan="nightly", slot=SLOT, source=arn))


def copy(world: MotoWorld, backup: Backup, place: str, kms_key: str = "") -> Backup:
    mark = replace(mark_of(backup), copy_of=backup.arn)
    return copier_of(world).copy(backup, place, mark, CopySettings(kms_key=kms_key))


def make_away(world: MotoWorld) -> Backup:
    """An encrypted copy in the other Region, of the stack's account."""
    made = make(world, encrypted=True)
    copy(world, made, AWAY, world.key_in(AWAY))
    (away,) = world.provider.backups(AWAY)
    return away


def accounts_of(
    session: boto3.Session | None = None, *, role: str = VAULT_ROLE, session_name: str = "holdfast"
) -> Accounts:
    return Accounts(session or boto3.Session(region_name=HOME), role=role, session_name=session_name)


def vault_s_key(region: str = AWAY) -> str:
    client = accounts_of().client("kms", place_of(region, OTHER), client_config())
    return str(client.create_key()["KeyMetadata"]["Arn"])


def key_of_aws(world: MotoWorld) -> str:
    """The AWS managed key for RDS in the home Region."""
    return str(world.client("kms").describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"])


def calls_of(client: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a client is asked for from now on."""
    asked: list[tuple[str, dict[str, Any]]] = []
    client.meta.events.register_first(
        "provide-client-params.*",
        lambda params, model, **_: asked.append((model.name, dict(params))),
    )
    return asked


class EbsThroughAccounts(EbsWorld):
    """EBS, with the clients that bootstrap gives it."""

    def __init__(self) -> None:
        super().__init__()
        accounts = accounts_of()

        def clients(attempts: int) -> Callable[[str], Any]:
            return lambda place: accounts.client("ec2", place, client_config(attempts))

        self.provider = self.copier = EbsBackups(
            clients=clients(2),
            once=clients(1),
            home=HOME,
            account=ACCOUNT,
            keys=Keys(partial(self.client, "kms")),
        )


@pytest.fixture(params=[RdsWorld, AuroraWorld, EbsThroughAccounts], ids=["rds", "aurora", "ebs"])
def vaulting(request: pytest.FixtureRequest, aws: None) -> MotoWorld:
    """Each kind that can be copied to another account."""
    build: type[MotoWorld] = request.param
    return build()


# Shared, copied and listed


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_backup_is_copied_to_another_account_in_its_own_region(
    vaulting: MotoWorld, encrypted: bool
) -> None:
    made = make(vaulting, encrypted=encrypted)
    place, key = place_of(HOME, OTHER), vault_s_key(HOME) if encrypted else ""
    begun = copy(vaulting, made, place, key)
    (listed,) = vaulting.provider.backups(place)
    assert listed.mark == begun.mark == replace(mark_of(made), copy_of=made.arn)
    assert (listed.arn, listed.id, listed.source) == (begun.arn, begun.id, made.source)
    assert (listed.place, listed.region, listed.account) == (place, HOME, OTHER)
    assert (begun.place, begun.account) == (place, OTHER)
    assert listed.copied
    assert listed.state is BackupState.AVAILABLE
    assert listed.encrypted is encrypted
    assert listed.tags["team"] == "orders"
    if encrypted:
        assert listed.kms_key == key
    assert [one.arn for one in vaulting.provider.backups(HOME)] == [made.arn]


def test_a_copy_goes_on_to_another_account(vaulting: MotoWorld) -> None:
    """The copy in the other Region is what the account's copy is made from."""
    away = make_away(vaulting)
    key = vault_s_key()
    copy(vaulting, away, VAULT, key)
    (listed,) = vaulting.provider.backups(VAULT)
    assert listed.mark == replace(mark_of(away), copy_of=away.arn)
    assert listed.source == away.source
    assert (listed.place, listed.kms_key) == (VAULT, key)
    assert [one.arn for one in vaulting.provider.backups(AWAY)] == [away.arn]
    assert vaulting.provider.backups(place_of(HOME, OTHER)) == []


def test_another_account_s_copies_are_listed_by_their_source(vaulting: MotoWorld) -> None:
    made = make(vaulting)
    place = place_of(HOME, OTHER)
    copy(vaulting, made, place)
    assert len(vaulting.provider.backups(place, made.source)) == 1
    assert vaulting.provider.backups(place, f"{made.source}-2") == []


def test_a_database_s_copies_are_asked_for_by_its_name_in_its_own_account_alone(twin: RdsWorld) -> None:
    """In another account that is the name of another database, or of none."""
    made = make(twin)
    for place in (HOME, place_of(HOME, OTHER)):
        twin.provider.backups(place, made.source)
    own, other = twin.pages.asked_of(twin.provider.NAMES.describe_snapshots)  # type: ignore[attr-defined]
    assert own["Filters"]
    assert other["Filters"] == []


def test_what_the_other_account_does_not_see_yet_is_waited_for(twin: RdsWorld) -> None:
    made = make(twin)
    place = place_of(HOME, OTHER)
    client = twin.regions.of(place)[0]
    with Stubber(client) as stub:
        stub.add_client_error(copy_call(twin), "DBSnapshotNotFound")
        with pytest.raises(NotReady, match=f"shared with account {OTHER}, which does not see it yet"):
            copy(twin, made, place)


def test_only_the_account_that_it_is_shared_with_can_copy_it(twin: RdsWorld) -> None:
    """So that the sharing in the other tests is known to be needed."""
    made = make(twin)
    share(twin, made.id)
    source, target = names_of(twin)
    for account in (OTHER, "444455556666"):
        client = twin.client_at(place_of(HOME, account))
        request = {source: made.arn, target: "taken"}
        if account == OTHER:
            getattr(client, copy_call(twin))(**request)
            continue
        with pytest.raises(NotFound), translated(twin.kind, made.arn, "CopyDBSnapshot"):
            getattr(client, copy_call(twin))(**request)


def test_what_is_encrypted_cannot_be_copied_without_a_key_of_the_other_account(twin: RdsWorld) -> None:
    made = make(twin, encrypted=True)
    for key in ("", twin.key_in(HOME)):
        with pytest.raises(KeyUnusable):
            copy(twin, made, place_of(HOME, OTHER), key)


def test_what_is_encrypted_is_not_copied_to_another_account_s_other_region(twin: RdsWorld) -> None:
    made = make(twin, encrypted=True)
    with pytest.raises(ProviderError, match="in its Region"):
        copy(twin, made, VAULT, vault_s_key())


# The other account's own stack, which prunes the copies there (a plan's `vault_of`)


def own_provider(world: MotoWorld, region: str) -> Provider:
    """That of a stack in the other account, to which a Region there is a place of its own."""
    accounts = accounts_of()

    def clients(service: str, attempts: int = 2) -> Callable[[str], Any]:
        return lambda place: accounts.client(service, place_of(place, OTHER), client_config(attempts))

    if isinstance(world, RdsWorld):
        regions = RdsRegions(clients=clients("rds"), home=region, account=OTHER, calls_per_second=1000)
        twin = AuroraBackups if isinstance(world, AuroraWorld) else RdsBackups
        return twin(regions=regions, tagging=world.tagging, keys=world.keys)
    keys = Keys(clients("kms"))
    return EbsBackups(clients=clients("ec2"), once=clients("ec2", 1), home=region, account=OTHER, keys=keys)


def test_a_copy_is_known_and_deleted_by_its_own_account_s_stack(vaulting: MotoWorld) -> None:
    away = make_away(vaulting)
    stored = copy(vaulting, away, VAULT, vault_s_key())
    own = own_provider(vaulting, AWAY)
    (listed,) = own.backups(AWAY)
    assert listed.mark == stored.mark
    assert (listed.arn, listed.source, listed.copied) == (stored.arn, away.source, True)
    assert (listed.place, listed.account) == (AWAY, "")
    assert own.backups(AWAY, away.source) == [listed]
    own.delete(listed)
    assert own.backups(AWAY) == vaulting.provider.backups(VAULT) == []
    assert [one.arn for one in vaulting.provider.backups(AWAY)] == [away.arn]


def test_so_is_one_in_the_region_of_the_backups(vaulting: MotoWorld) -> None:
    """There the account alone tells the two places apart."""
    made = make(vaulting)
    stored = copy(vaulting, made, place_of(HOME, OTHER))
    own = own_provider(vaulting, HOME)
    (listed,) = own.backups(HOME, made.source)
    assert (listed.arn, listed.mark, listed.place) == (stored.arn, stored.mark, HOME)


def test_a_database_of_another_account_is_not_asked_for_by_its_name(twin: RdsWorld) -> None:
    made = make(twin)
    copy(twin, made, place_of(HOME, OTHER))
    own = own_provider(twin, HOME)
    asked = calls_of(own._regions.of(HOME)[0])  # type: ignore[attr-defined]
    own.backups(HOME, made.source)
    assert not any(request.get("Filters") for _, request in asked)


def test_a_person_s_copies_are_not_ours_there_either(vaulting: MotoWorld) -> None:
    """They have our tags, and of a volume's snapshot the name too."""
    away = make_away(vaulting)
    key = vault_s_key()
    stored = copy(vaulting, away, VAULT, key)
    for origin in (away, stored):
        copy_by_hand(vaulting, origin, stored, key)
    marks = [one.mark for one in own_provider(vaulting, AWAY).backups(AWAY)]
    assert len(marks) == 3
    assert [mark for mark in marks if mark] == [stored.mark]


def copy_by_hand(world: MotoWorld, origin: Backup, like: Backup, key: str) -> None:
    """Within the other account, with another copy's tags."""
    tags = [{"Key": name, "Value": value} for name, value in like.tags.items()]
    client = accounts_of().client("rds" if isinstance(world, RdsWorld) else "ec2", VAULT, client_config())
    if isinstance(world, RdsWorld):
        source, target = names_of(world)
        name = f"by-hand-{len(world.provider.backups(VAULT))}"
        getattr(client, copy_call(world))(**{source: origin.arn, target: name, "Tags": tags, "KmsKeyId": key})
        return
    client.copy_snapshot(
        SourceRegion=AWAY,
        SourceSnapshotId=origin.id,
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
        Encrypted=True,
        KmsKeyId=key,
    )


# What RDS is asked for


def names_of(world: RdsWorld) -> tuple[str, str]:
    word = "Cluster" if isinstance(world, AuroraWorld) else ""
    return f"SourceDB{word}SnapshotIdentifier", f"TargetDB{word}SnapshotIdentifier"


def copy_call(world: RdsWorld) -> str:
    return "copy_db_cluster_snapshot" if isinstance(world, AuroraWorld) else "copy_db_snapshot"


def share(world: RdsWorld, snapshot: str) -> None:
    """Share a snapshot of the home Region by hand."""
    request = {"AttributeName": "restore", "ValuesToAdd": [OTHER]}
    if isinstance(world, AuroraWorld):
        world.rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier=snapshot, **request)
    else:
        world.rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=snapshot, **request)


def test_a_backup_is_shared_where_it_stands_and_copied_by_the_other_account(twin: RdsWorld) -> None:
    away = make_away(twin)
    key = vault_s_key()
    owner, vault = (calls_of(twin.regions.of(place)[0]) for place in (AWAY, VAULT))
    copy(twin, away, VAULT, key)
    word = "Cluster" if isinstance(twin, AuroraWorld) else ""
    assert owner == [
        (
            f"ModifyDB{word}SnapshotAttribute",
            {f"DB{word}SnapshotIdentifier": away.id, "AttributeName": "restore", "ValuesToAdd": [OTHER]},
        )
    ]
    ((operation, request),) = vault
    tags = request.pop("Tags")
    mark = replace(mark_of(away), copy_of=away.arn)
    assert operation == f"CopyDB{word}Snapshot"
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS | naming.mark_tags(mark)
    source, target = names_of(twin)
    assert request == {
        source: away.arn,
        target: naming.snapshot_name(mark, twin.name_limit),
        "CopyTags": False,
        "KmsKeyId": key,
    }


def test_sharing_and_copying_wait_for_their_places_paces(twin: RdsWorld) -> None:
    made = make(twin)
    place = place_of(HOME, OTHER)
    waits: list[str] = []
    for one in (HOME, place):
        twin.regions._made[one] = (twin.regions.of(one)[0], CountingPace(partial(waits.append, one)))
    copy(twin, made, place)
    assert waits == [HOME, place]


def test_sharing_again_changes_nothing(twin: RdsWorld) -> None:
    """As after a copy that RDS refused for a while."""
    made = make(twin)
    place = place_of(HOME, OTHER)
    first = copy(twin, made, place)
    twin.provider.delete(first)
    copy(twin, made, place)
    assert len(twin.provider.backups(place)) == 1


def test_a_copy_of_another_account_is_deleted_with_that_account_s_client(twin: RdsWorld) -> None:
    """Whether that may be is for the role there to say (see `tests/unit/test_template_vault_account.py`)."""
    made = make(twin)
    place = place_of(HOME, OTHER)
    stored = copy(twin, made, place)
    calls = calls_of(twin.regions.of(place)[0])
    twin.provider.delete(stored)
    assert [operation for operation, _ in calls] == [twin.provider.NAMES.delete]  # type: ignore[attr-defined]
    assert twin.provider.backups(place) == []
    assert [one.arn for one in twin.provider.backups(HOME)] == [made.arn]


# Whose it is


def test_a_person_s_copies_are_not_ours(twin: RdsWorld) -> None:
    """Those of our backup, and those of our copy in the other account, have our tags."""
    made = make(twin)
    place = place_of(HOME, OTHER)
    stored = copy(twin, made, place)
    client = twin.client_at(place)
    source, target = names_of(twin)
    tags = [{"Key": key, "Value": value} for key, value in stored.tags.items()]
    for origin, name in ((made.arn, "kept-by-ana"), (stored.arn, "kept-by-bo")):
        getattr(client, copy_call(twin))(**{source: origin, target: name, "Tags": tags})
    marks = {one.id: one.mark for one in twin.provider.backups(place)}
    assert marks == {stored.id: stored.mark, "kept-by-ana": None, "kept-by-bo": None}


def test_a_mark_counts_only_when_rds_tells_the_same_origin(twin: RdsWorld) -> None:
    """Another copy under our name and with our tags is not ours: it is of something else."""
    made = make(twin)
    place = place_of(HOME, OTHER)
    mark = replace(mark_of(made), copy_of=made.arn)
    stored = copy(twin, made, place)
    twin.provider.delete(stored)
    other = twin.provider.create(
        twin.provider.resources(ResourceQuery(everything=True))[0],
        replace(mark_of(made), slot=SLOT + timedelta(1)),
    )
    share(twin, other.id)
    source, target = names_of(twin)
    tags = [{"Key": key, "Value": value} for key, value in naming.mark_tags(mark).items()]
    getattr(twin.client_at(place), copy_call(twin))(
        **{source: other.arn, target: naming.snapshot_name(mark, twin.name_limit), "Tags": tags}
    )
    (listed,) = twin.provider.backups(place)
    assert listed.id == naming.snapshot_name(mark, twin.name_limit)
    assert listed.mark is None


# What cannot be shared


def test_a_snapshot_under_the_aws_managed_key_is_told_before_any_call(twin: RdsWorld) -> None:
    made = replace(make(twin, encrypted=True), kms_key=key_of_aws(twin))
    place = place_of(HOME, OTHER)
    calls = [calls_of(twin.regions.of(one)[0]) for one in (HOME, place)]
    with pytest.raises(Unprepared) as raised:
        copy(twin, made, place, vault_s_key(HOME))
    assert calls == [[], []]
    assert raised.value.resource == made.arn
    assert raised.value.message.startswith(
        "it is encrypted with the AWS managed key (aws/rds), and RDS shares no such snapshot with "
        f"account {OTHER}. "
    )
    assert "with a key of your own first" in raised.value.message


def test_rds_itself_would_refuse_it(twin: RdsWorld) -> None:
    """So that the test above tests something: the resource is encrypted with that key indeed."""
    key = key_of_aws(twin)
    twin.key_in = lambda region: key  # type: ignore[method-assign]
    made = make(twin, encrypted=True)
    assert made.kms_key == key
    with pytest.raises(Unprepared):
        copy(twin, made, place_of(HOME, OTHER), vault_s_key(HOME))
    twin.keys._known[key] = False
    with pytest.raises(ProviderError, match="AWS managed key cannot be shared"):
        copy(twin, made, place_of(HOME, OTHER), vault_s_key(HOME))


def test_a_copy_with_a_key_of_one_s_own_is_the_way_out(twin: RdsWorld) -> None:
    key = key_of_aws(twin)
    own = twin.key_in(AWAY)
    twin.key_in = lambda region: key if region == HOME else own  # type: ignore[method-assign]
    away = make_away(twin)
    copy(twin, away, VAULT, vault_s_key())
    assert len(twin.provider.backups(VAULT)) == 1


def test_what_the_engine_encrypts_too_is_told_before_any_call(rds: RdsWorld) -> None:
    made = replace(make(rds), tde=True)
    calls = calls_of(rds.rds)
    with pytest.raises(Unprepared, match="take instance orders out of the plan that copies to account 1111"):
        copy(rds, made, place_of(HOME, OTHER))
    assert calls == []


def test_nobody_asks_about_the_key_of_what_is_not_encrypted(twin: RdsWorld) -> None:
    made = replace(make(twin), kms_key=key_of_aws(twin))
    asked = calls_of(twin.keys._client(HOME))
    copy(twin, made, place_of(HOME, OTHER))
    assert asked == []


def test_within_the_account_nobody_asks_who_manages_the_key(twin: RdsWorld) -> None:
    made = replace(make(twin, encrypted=True), kms_key=key_of_aws(twin), tde=True)
    asked = calls_of(twin.keys._client(HOME))
    copy(twin, made, AWAY, twin.key_in(AWAY))
    assert asked == []
    assert len(twin.provider.backups(AWAY)) == 1


# Keys


def test_each_key_is_asked_about_once_where_it_stands(aws: None) -> None:
    world = RdsWorld()
    own, amazon_s = world.key_in(HOME), key_of_aws(world)
    regions: list[str] = []

    def client(region: str) -> Any:
        regions.append(region)
        return world.client("kms", region)

    keys = Keys(client)
    assert regions == []
    asked = calls_of(keys._client(HOME))
    for _ in range(2):
        assert not keys.managed_by_aws(own)
        assert keys.managed_by_aws(amazon_s)
    assert regions == [HOME]
    assert asked == [("DescribeKey", {"KeyId": own}), ("DescribeKey", {"KeyId": amazon_s})]
    assert not keys.managed_by_aws(world.key_in(AWAY))
    assert regions == [HOME, AWAY]


@pytest.mark.parametrize("code", ["AccessDeniedException", "NotFoundException", "ThrottlingException"])
def test_what_kms_does_not_tell_stops_nothing_and_is_asked_again(rds: RdsWorld, code: str) -> None:
    amazon_s = key_of_aws(rds)
    client = rds.client("kms", attempts=1)
    keys = Keys(lambda _: client)
    with Stubber(client) as stub:
        stub.add_client_error("describe_key", code)
        assert not keys.managed_by_aws(amazon_s)
    assert keys.managed_by_aws(amazon_s)


@pytest.mark.parametrize("key", ["", "alias/aws/rds", "1234abcd-12ab-34cd-56ef-1234567890ab"])
def test_what_names_no_region_is_not_asked_about(key: str) -> None:
    def client(region: str) -> Any:
        raise AssertionError(region)

    assert not Keys(client).managed_by_aws(key)


# How the role is assumed


class Sts:
    """Answers AssumeRole in AWS's place, and remembers what it was asked."""

    def __init__(
        self, *, lasts: timedelta = timedelta(hours=1), refuses: tuple[int, str] | None = None
    ) -> None:
        self.lasts = lasts
        self.refuses = refuses
        self.asked: list[dict[str, Any]] = []

    def session(self, region: str = HOME) -> boto3.Session:
        session = boto3.Session(region_name=region)
        session.events.register("provide-client-params.sts.AssumeRole", self._remember)
        answer: Callable[..., Any] = self._answer  # the stubs know no handler that answers
        session.events.register("before-call.sts.AssumeRole", answer)
        return session

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(dict(params))

    def _answer(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        if self.refuses:
            status, code = self.refuses
            error = {"Code": code, "Message": "User: arn:… is not authorized to perform: sts:AssumeRole"}
            answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
            return SimpleNamespace(status_code=status), answer
        number = len(self.asked)
        credentials = {
            "AccessKeyId": f"ASIA{number:016}",
            "SecretAccessKey": "not-a-secret",
            "SessionToken": f"token-{number}",
            "Expiration": datetime.now(UTC) + self.lasts,
        }
        return SimpleNamespace(status_code=200), {"Credentials": credentials}


def keys_used(client: Any) -> list[str]:
    """The access key of each request that a client sends from now on."""
    used: list[str] = []

    def look(request: Any, **_: Any) -> None:
        used.append(request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0])

    client.meta.events.register("before-send.*", look)
    return used


def test_a_role_is_assumed_by_the_first_call_and_for_all_clients_of_the_account(aws: None) -> None:
    sts = Sts()
    accounts = accounts_of(sts.session(), session_name="holdfast-prod")
    clients = [accounts.client("rds", place_of(region, OTHER), client_config()) for region in (HOME, AWAY)]
    clients.append(accounts.client("ec2", VAULT, client_config()))
    assert sts.asked == []
    used = [keys_used(client) for client in clients]
    clients[0].describe_db_snapshots()
    clients[1].describe_db_snapshots()
    clients[2].describe_snapshots(OwnerIds=["self"])
    assert sts.asked == [
        {"RoleArn": f"arn:aws:iam::{OTHER}:role/{VAULT_ROLE}", "RoleSessionName": "holdfast-prod"}
    ]
    assert used == [["ASIA0000000000000001"]] * 3
    assert [client.meta.region_name for client in clients] == [HOME, AWAY, AWAY]


def test_the_stack_s_own_account_needs_no_role(aws: None) -> None:
    sts = Sts()
    session = sts.session()
    client = accounts_of(session).client("rds", AWAY, client_config())
    used = keys_used(client)
    client.describe_db_snapshots()
    credentials = session.get_credentials()
    assert credentials is not None
    assert used == [credentials.access_key]
    assert client.meta.region_name == AWAY
    assert sts.asked == []


def test_each_account_has_its_role(aws: None) -> None:
    sts = Sts()
    accounts = accounts_of(sts.session())
    for account in (OTHER, "444455556666"):
        accounts.client("rds", place_of(AWAY, account), client_config()).describe_db_snapshots()
    assert [one["RoleArn"].split(":")[4] for one in sts.asked] == [OTHER, "444455556666"]


def test_a_client_is_made_as_it_is_asked_for(aws: None) -> None:
    client = accounts_of(Sts().session()).client("rds", VAULT, client_config(attempts=1))
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert "holdfast" in client.meta.config.user_agent


def test_credentials_are_renewed_before_they_expire(aws: None) -> None:
    """A Lambda environment lives for hours, and so do the clients."""
    sts = Sts(lasts=timedelta(minutes=5))
    client = accounts_of(sts.session()).client("rds", VAULT, client_config())
    used = keys_used(client)
    client.describe_db_snapshots()
    sts.lasts = timedelta(hours=1)
    client.describe_db_snapshots()
    client.describe_db_snapshots()
    assert used == ["ASIA0000000000000001", "ASIA0000000000000002", "ASIA0000000000000002"]


def test_threads_share_one_assumed_role(aws: None) -> None:
    sts = Sts()
    accounts = accounts_of(sts.session())

    def call(number: int) -> None:
        region = (HOME, AWAY)[number % 2]
        accounts.client("rds", place_of(region, OTHER), client_config()).describe_db_snapshots()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(16)))
    assert len(sts.asked) == 1


def test_a_role_of_another_partition_is_named_by_it() -> None:
    sts = Sts(refuses=(403, "AccessDenied"))
    accounts = accounts_of(sts.session("us-gov-west-1"))
    client = accounts.client("rds", place_of("us-gov-east-1", OTHER), client_config(1))
    with pytest.raises(AccessDenied), translated("rds", "x", "DescribeDBSnapshots"):
        client.describe_db_snapshots()
    assert sts.asked[0]["RoleArn"] == f"arn:aws-us-gov:iam::{OTHER}:role/{VAULT_ROLE}"


def test_a_role_that_may_not_be_assumed_is_a_matter_of_access_and_says_where_to_look(aws: None) -> None:
    sts = Sts(refuses=(403, "AccessDenied"))
    client = accounts_of(sts.session()).client("rds", VAULT, client_config())
    with pytest.raises(AccessDenied) as raised, translated("rds", VAULT, "DescribeDBSnapshots"):
        client.describe_db_snapshots()
    assert f"arn:aws:iam::{OTHER}:role/{VAULT_ROLE}" in raised.value.message
    assert "template-vault-account.yaml" in raised.value.message
    assert "not authorized to perform: sts:AssumeRole" in raised.value.message
    sts.refuses = None
    client.describe_db_snapshots()


def test_an_sts_that_is_busy_is_a_throttle(aws: None) -> None:
    client = accounts_of(Sts(refuses=(400, "Throttling")).session()).client("rds", VAULT, client_config())
    with pytest.raises(Throttled), translated("rds", VAULT, "DescribeDBSnapshots"):
        client.describe_db_snapshots()


def test_a_listing_in_an_account_that_lets_nobody_in_is_no_listing(twin: RdsWorld) -> None:
    twin.accounts = accounts_of(Sts(refuses=(403, "AccessDenied")).session())
    with pytest.raises(AccessDenied):
        twin.provider.backups(VAULT)
