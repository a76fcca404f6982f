"""Rehearsed restores on moto: what is found in what was restored, and that nothing but a drill's own goes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.adapters.aurora_restore import AuroraRestorer
from holdfast.adapters.dynamodb_rehearsal import DynamoDBRehearser
from holdfast.adapters.ebs_rehearsal import EbsRehearser
from holdfast.adapters.ebs_restore import EbsRestorer
from holdfast.adapters.rds_rehearsal import AuroraRehearser, RdsRehearser
from holdfast.adapters.rds_restore import RdsRestorer
from holdfast.core.checks import Check
from holdfast.core.drilling import DRILL_TAG, PREFIX, Leftover, tags_of
from holdfast.core.errors import AccessDenied, AlreadyExists, NotReady, Throttled
from holdfast.core.model import OPT_OUT, PLAN_TAG, name_of
from holdfast.core.restoring import RESTORE_TAG, Found, Phase, Pick, Piece, Settings, Target, Wanted
from holdfast.ports import Rehearsed, Rehearser, Restorer
from tests.contract.kinds import AuroraWorld, EbsWorld, RdsWorld
from tests.contract.test_dynamodb_exports import SLOT, exported, put
from tests.contract.test_dynamodb_restore import RestoreWorld
from tests.contract.test_ebs_restore import Bench as VolumeBench
from tests.contract.test_ebs_restore import of
from tests.contract.test_rds_restore import Bench, backup_of, rich_cluster, rich_instance, snapshot, taught
from tests.fakes import ACCOUNT, AWAY, HOME

DRILL = "drill-nightly-20261122T060000Z"
NAME = f"{PREFIX}20261122t060000z-0123456789ab"
TEN = [{"id": {"S": f"order-{number}"}, "tags": {"SS": ["a", "b"]}} for number in range(10)]

__all__ = ["taught"]  # a fixture


def rehearsed(source: str, arn: str, pieces: Sequence[Piece] = (), region: str = HOME) -> Rehearsed:
    return Rehearsed(
        drill=DRILL,
        source=source,
        arn=arn,
        region=region,
        pieces=pieces,
        sample=100,
        most_missing_share=0.02,
    )


def found_in(checks: Sequence[Check]) -> dict[str, bool]:
    return {one.name: one.passed for one in checks}


def removed(rehearser: Rehearser, restorer: Restorer, target: Target, most: int = 6) -> int:
    """Remove as a drill does, look by look; how many it took."""
    for number in range(most):
        found = restorer.look(target)
        if found is None:
            return number
        rehearser.remove(found, target, DRILL)
    raise AssertionError(f"{target.name} still stands")


class TestTables:
    @pytest.fixture
    def world(self, aws: None) -> RestoreWorld:
        world = RestoreWorld()
        world.make()
        put(world, *TEN)
        return world

    @pytest.fixture
    def rehearser(self, world: RestoreWorld) -> DynamoDBRehearser:
        return DynamoDBRehearser(
            clients=lambda region: world.watched("dynamodb", region), exports=world.exports
        )

    def restored(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> tuple[Found, Target, Pick]:
        pick, target = world.backup(), world.target(NAME)
        known = world.configured(target.source).settings
        wanted = Wanted(known=known, given=rehearser.given(known, tags_of(DRILL)))
        world.begun(pick, target, wanted)
        world.settled(target, wanted)
        found = world.restorer.look(target)
        assert found is not None
        return found, target, pick

    def test_all_items_pass(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> None:
        found, target, pick = self.restored(world, rehearser)
        checks = rehearser.checks(rehearsed(target.source, found.arn, pick.pieces))
        assert found_in(checks) == {"items": True, "sample": True}
        assert checks[0].found.startswith("10, and DynamoDB counted in its source")
        assert checks[1].found.endswith("10 are there by their key, 10 of them just the same")

    def test_one_item_fewer_does_not(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> None:
        found, target, pick = self.restored(world, rehearser)
        world.dynamodb.delete_item(TableName=NAME, Key={"id": TEN[3]["id"]})
        checks = rehearser.checks(rehearsed(target.source, found.arn, pick.pieces))
        assert found_in(checks) == {"items": False, "sample": True}

    def test_nor_does_an_empty_one(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> None:
        found, target, pick = self.restored(world, rehearser)
        for one in TEN:
            world.dynamodb.delete_item(TableName=NAME, Key={"id": one["id"]})
        checks = rehearser.checks(rehearsed(target.source, found.arn, pick.pieces))
        assert found_in(checks) == {"items": False, "sample": False}

    def test_an_export_is_counted_to_the_item(
        self, world: RestoreWorld, rehearser: DynamoDBRehearser
    ) -> None:
        copy = exported(world)
        piece = Piece(arn=copy.arn, id=copy.id, place=AWAY)
        world.dynamodb_away.create_table(
            TableName=NAME,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for one in TEN[:9]:
            world.dynamodb_away.put_item(TableName=NAME, Item=one)
        arn = f"arn:aws:dynamodb:{AWAY}:{ACCOUNT}:table/{NAME}"
        asked = rehearsed(copy.source, arn, (piece,), AWAY)
        assert found_in(rehearser.checks(asked)) == {"items": False, "sample": True}
        assert rehearser.checks(asked)[0].found == "9, and its export counts 10"
        world.dynamodb_away.put_item(TableName=NAME, Item=TEN[9])
        assert found_in(rehearser.checks(asked)) == {"items": True, "sample": True}

    def test_what_it_makes_differs_where_it_must_and_nowhere_else(
        self, aws: None, world: RestoreWorld, rehearser: DynamoDBRehearser
    ) -> None:
        world.dynamodb.delete_table(TableName="orders")
        source = world.make_with_everything()
        known = world.configured(source).settings
        given = rehearser.given(known, tags_of(DRILL))
        assert given == {
            "Tags": {PLAN_TAG: OPT_OUT, DRILL_TAG: DRILL},
            "DeletionProtectionEnabled": False,
            "AutoScaling": {},
            "KinesisDataStreamDestinations": [],
        }
        assert world.restorer.mistakes(given) == []
        target = world.target(NAME)
        wanted = Wanted(known=known, given=given)
        world.begun(world.backup(), target, wanted)
        settled = world.settled(target, wanted)
        assert settled.problems == {}
        has = world.configured(f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/{NAME}").settings
        assert has["Tags"] == given["Tags"]
        assert has["DeletionProtectionEnabled"] is False
        assert not has["AutoScaling"]
        assert {name for name in known if known[name] != has.get(name)} == set(given)

    def test_it_is_removed(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> None:
        _, target, _ = self.restored(world, rehearser)
        removed(rehearser, world.restorer, target)
        assert world.dynamodb.list_tables()["TableNames"] == ["orders"]

    def test_one_that_never_came_to_its_tags_is_removed_too(
        self, world: RestoreWorld, rehearser: DynamoDBRehearser
    ) -> None:
        target = world.target(NAME)
        world.begun(world.backup(), target)
        assert removed(rehearser, world.restorer, target) >= 2
        assert world.writes()[-2:] == ["TagResource", "DeleteTable"]

    def test_no_other_name_is(self, world: RestoreWorld, rehearser: DynamoDBRehearser) -> None:
        target = world.target("orders")
        found = Found(arn=target.source, phase=Phase.READY, text="ACTIVE", request=target.request)
        with pytest.raises(AlreadyExists, match="not named as a drill's"):
            rehearser.remove(found, target, DRILL)
        left = Leftover(arn=target.source, kind="dynamodb", created=SLOT)
        with pytest.raises(AlreadyExists, match="not named as a drill's"):
            rehearser.remove_leftover(left)
        assert "orders" in world.dynamodb.list_tables()["TableNames"]

    def test_leftovers_are_found_by_name_page_by_page(
        self, world: RestoreWorld, rehearser: DynamoDBRehearser
    ) -> None:
        for name in ("holdfast-drill", "holdfast-drills", "a-table", f"{PREFIX}1", f"{PREFIX}2", "zebra"):
            world.make(name)
        found = rehearser.leftovers(HOME)
        assert [name_of(one.arn) for one in found] == [f"{PREFIX}1", f"{PREFIX}2"]
        assert rehearser.remove_leftover(found[0]) is False  # it gets its tag first
        assert rehearser.remove_leftover(found[0]) is False
        assert rehearser.remove_leftover(found[0]) is True

    def test_one_that_is_being_made_is_waited_for(
        self, world: RestoreWorld, rehearser: DynamoDBRehearser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found, target, _ = self.restored(world, rehearser)
        monkeypatch.setattr(
            "holdfast.adapters.dynamodb_rehearsal.describe",
            lambda *_: {"TableStatus": "CREATING", "TableArn": found.arn},
        )
        with pytest.raises(NotReady, match="it is CREATING"):
            rehearser.remove(found, target, DRILL)


class TestInstances:
    @pytest.fixture
    def bench(self, taught: None, rds: RdsWorld) -> Bench:
        return Bench(rds, RdsRestorer(regions=rds.regions)).record()

    @pytest.fixture
    def rehearser(self, bench: Bench) -> RdsRehearser:
        return RdsRehearser(regions=bench.world.regions)

    def restored(self, bench: Bench, given: Settings) -> Found:
        target = bench.target(rich_instance(bench, DeletionProtection=True), NAME)
        bench.restored(backup_of(snapshot(bench)), target, given)
        found = bench.restorer.look(target)
        assert found is not None
        return found

    def test_it_is_looked_at_and_removed(self, bench: Bench, rehearser: RdsRehearser) -> None:
        found = self.restored(bench, rehearser.given({}, tags_of(DRILL)))
        asked = rehearsed("arn:aws:rds:us-east-1:123456789012:db:orders", found.arn)
        [check] = rehearser.checks(asked)
        assert (check.passed, check.found.split(",")[0]) == (True, "available")
        question = rehearser.question(asked)
        assert question is not None
        assert (question.engine, question.port > 0, question.user) == ("postgres", True, "owner")
        target = bench.target(asked.source, NAME)
        removed(rehearser, bench.restorer, target)
        [call] = bench.calls("DeleteDBInstance")
        assert call == {
            "DBInstanceIdentifier": NAME,
            "SkipFinalSnapshot": True,
            "DeleteAutomatedBackups": True,
        }
        [only] = bench.world.rds.describe_db_instances()["DBInstances"]
        assert only["DBInstanceIdentifier"] == "orders"
        assert rehearser.checks(asked) == [
            Check(name="instance", passed=False, found="it is not there any more")
        ]

    def test_another_drills_is_not(self, bench: Bench, rehearser: RdsRehearser) -> None:
        found = self.restored(bench, rehearser.given({}, tags_of("another")))
        with pytest.raises(AlreadyExists, match="does not bear the tag"):
            rehearser.remove(found, bench.target(found.arn, NAME), DRILL)
        assert bench.calls("DeleteDBInstance") == []

    def test_leftovers_bear_tag_and_name(self, bench: Bench, rehearser: RdsRehearser) -> None:
        assert rehearser.leftovers(HOME) == []
        found = self.restored(bench, rehearser.given({}, tags_of("last-week")))
        [left] = rehearser.leftovers(HOME)
        assert (left.arn, left.drill, left.kind) == (found.arn, "last-week", "rds")
        rehearser.remove_leftover(left)
        assert rehearser.leftovers(HOME) == []


class TestClusters:
    @pytest.fixture
    def bench(self, taught: None, aurora: AuroraWorld) -> Bench:
        return Bench(aurora, AuroraRestorer(regions=aurora.regions)).record()

    @pytest.fixture
    def rehearser(self, bench: Bench) -> AuroraRehearser:
        return AuroraRehearser(regions=bench.world.regions)

    def test_one_instance_of_it_is_restored_looked_at_and_removed_with_it(
        self, bench: Bench, rehearser: AuroraRehearser
    ) -> None:
        source = rich_cluster(bench)
        target = bench.target(source, NAME)
        given = rehearser.given(bench.known(source).settings, tags_of(DRILL))
        assert bench.restorer.mistakes(given) == []
        bench.restored(backup_of(snapshot(bench)), target, given)
        found = bench.restorer.look(target)
        assert found is not None
        asked = rehearsed(source, found.arn)
        [check] = rehearser.checks(asked)
        assert check.passed
        assert f"{NAME}-1 available" in check.found
        question = rehearser.question(asked)
        assert question is not None
        assert question.kind == "aurora"
        removed(rehearser, bench.restorer, target)
        assert [one["DBInstanceIdentifier"] for one in bench.calls("DeleteDBInstance")] == [f"{NAME}-1"]
        assert [one["DBClusterIdentifier"] for one in bench.calls("DeleteDBCluster")] == [NAME]
        [only] = bench.world.rds.describe_db_clusters()["DBClusters"]
        assert only["DBClusterIdentifier"] == "orders"
        assert len(only["DBClusterMembers"]) == 2

    def test_a_persons_is_not(self, bench: Bench, rehearser: AuroraRehearser) -> None:
        source = rich_cluster(bench)
        found = Found(arn=source, phase=Phase.READY, text="available")
        with pytest.raises(AlreadyExists, match="does not bear the tag"):
            rehearser.remove(found, bench.target(source, "orders"), DRILL)
        assert rehearser.leftovers(HOME) == []

    def test_leftovers(self, bench: Bench, rehearser: AuroraRehearser) -> None:
        source = rich_cluster(bench)
        given = rehearser.given(bench.known(source).settings, tags_of("last-week"))
        bench.restored(backup_of(snapshot(bench)), bench.target(source, NAME), given)
        [left] = rehearser.leftovers(HOME)
        assert (name_of(left.arn), left.drill) == (NAME, "last-week")
        told = [rehearser.remove_leftover(left) for _ in range(3)]
        assert told == [False, False, True]


class TestVolumes:
    @pytest.fixture
    def bench(self, aws: None) -> VolumeBench:
        world = EbsWorld()
        return VolumeBench(world, EbsRestorer(clients=world.client_at, account=ACCOUNT))

    @pytest.fixture
    def rehearser(self, bench: VolumeBench) -> EbsRehearser:
        return EbsRehearser(clients=bench.client, account=ACCOUNT)

    def restored(self, bench: VolumeBench, rehearser: EbsRehearser, drill: str) -> tuple[Found, Target]:
        source = bench.a_volume()
        target = Target(kind="ebs", name=NAME, region=HOME, source=source, request="r-1")
        wanted = Wanted(known=bench.known(source).settings, given=rehearser.given({}, tags_of(drill)))
        bench.restorer.begin(of(bench.a_snapshot(source)), target, wanted)
        found = bench.restorer.look(target)
        assert found is not None
        return found, target

    def test_it_is_looked_at_and_removed(self, bench: VolumeBench, rehearser: EbsRehearser) -> None:
        found, target = self.restored(bench, rehearser, DRILL)
        [check] = rehearser.checks(rehearsed(target.source, found.arn))
        assert check.passed
        assert check.found.startswith("available, 40 GiB, of snap-")
        [volume] = [one for one in bench.volumes() if one["VolumeId"] == name_of(found.arn)]
        tags = {one["Key"]: one["Value"] for one in volume["Tags"]}
        assert tags == {"Name": NAME, PLAN_TAG: OPT_OUT, DRILL_TAG: DRILL, RESTORE_TAG: "r-1"}
        removed(rehearser, bench.restorer, target)
        assert [one["VolumeId"] for one in bench.volumes()] == [name_of(target.source)]

    def test_what_does_not_bear_its_tag_is_not(self, bench: VolumeBench, rehearser: EbsRehearser) -> None:
        found, target = self.restored(bench, rehearser, "another")
        for arn in (found.arn, target.source):
            with pytest.raises(AlreadyExists, match="does not bear the tag"):
                rehearser.remove(replace(found, arn=arn), target, DRILL)
        assert len(bench.volumes()) == 2

    def test_leftovers(self, bench: VolumeBench, rehearser: EbsRehearser) -> None:
        found, _ = self.restored(bench, rehearser, "last-week")
        [left] = rehearser.leftovers(HOME)
        assert (left.arn, left.drill) == (found.arn, "last-week")
        rehearser.remove_leftover(left)
        assert rehearser.leftovers(HOME) == []
        assert rehearser.remove_leftover(left) is True


OF_TABLES = (
    "Scan",
    "BatchGetItem",
    "DescribeBackup",
    "DescribeTable",
    "ListTables",
    "ListTagsOfResource",
    "DeleteTable",
)
ERRORS = {"ThrottlingException": Throttled, "AccessDeniedException": AccessDenied}


@pytest.mark.long
class TestWhenAwsRefuses:
    """Each call: it is said as what it is, and nothing else goes."""

    @pytest.mark.parametrize("code", ERRORS)
    @pytest.mark.parametrize("operation", OF_TABLES)
    def test_tables(self, aws: None, operation: str, code: str) -> None:
        world = RestoreWorld()
        world.make()
        put(world, *TEN)
        rehearser = DynamoDBRehearser(
            clients=lambda region: world.watched("dynamodb", region), exports=world.exports
        )
        pick, target = world.backup(), world.target(NAME)
        wanted = Wanted(given=rehearser.given({}, tags_of(DRILL)))
        found = world.begun(pick, target, wanted)
        world.settled(target, wanted)
        world.refused = {operation: code}

        def everything() -> None:
            rehearser.checks(rehearsed(target.source, found.arn, pick.pieces))
            rehearser.leftovers(HOME)
            rehearser.remove(found, target, DRILL)

        with pytest.raises(ERRORS[code]):
            everything()
        world.refused = {}
        assert "orders" in world.dynamodb.list_tables()["TableNames"]

    @pytest.mark.parametrize("code", ERRORS)
    @pytest.mark.parametrize("operation", ["DescribeVolumes", "DeleteVolume"])
    def test_volumes(self, aws: None, operation: str, code: str) -> None:
        world = EbsWorld()
        bench = VolumeBench(world, EbsRestorer(clients=world.client_at, account=ACCOUNT))
        rehearser = EbsRehearser(clients=bench.client, account=ACCOUNT)
        source = bench.a_volume()
        target = Target(kind="ebs", name=NAME, region=HOME, source=source, request="r-1")
        bench.restorer.begin(
            of(bench.a_snapshot(source)), target, Wanted(given={"Tags": dict(tags_of(DRILL))})
        )
        found = bench.restorer.look(target)
        assert found is not None
        refuse(bench.client(HOME), "ec2", operation, code)
        with pytest.raises(ERRORS[code]):
            rehearser.remove(found, target, DRILL)

    @pytest.mark.parametrize("code", ERRORS)
    @pytest.mark.parametrize("operation", ["DescribeDBInstances", "DeleteDBInstance"])
    def test_instances(self, taught: None, rds: RdsWorld, operation: str, code: str) -> None:
        bench = Bench(rds, RdsRestorer(regions=rds.regions))
        rehearser = RdsRehearser(regions=rds.regions)
        target = bench.target(rich_instance(bench), NAME)
        given = rehearser.given({}, tags_of(DRILL))
        bench.restored(backup_of(snapshot(bench)), target, given)
        found = bench.restorer.look(target)
        assert found is not None
        refuse(rds.rds, "rds", operation, code)
        with pytest.raises(ERRORS[code]):
            rehearser.remove(found, target, DRILL)

    @pytest.mark.parametrize("code", ERRORS)
    @pytest.mark.parametrize("operation", ["DescribeDBClusters", "DescribeDBInstances", "DeleteDBInstance"])
    def test_clusters(self, taught: None, aurora: AuroraWorld, operation: str, code: str) -> None:
        bench = Bench(aurora, AuroraRestorer(regions=aurora.regions))
        rehearser = AuroraRehearser(regions=aurora.regions)
        source = rich_cluster(bench)
        given = rehearser.given(bench.known(source).settings, tags_of(DRILL))
        target = bench.target(source, NAME)
        bench.restored(backup_of(snapshot(bench)), target, given)
        found = bench.restorer.look(target)
        assert found is not None
        refuse(aurora.rds, "rds", operation, code)
        with pytest.raises(ERRORS[code]):
            rehearser.remove(found, target, DRILL)


def refuse(client: Any, service: str, operation: str, code: str) -> None:
    """From now on AWS refuses this call of the client."""

    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "not today"}}, operation)

    client.meta.events.register_first(f"provide-client-params.{service}.{operation}", refused)
