"""Rehearsed restores of RDS instances and of clusters: whether they answer, and their removal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holdfast.adapters.aurora_restore import INSTANCES
from holdfast.adapters.calls import Pace, paced, translated
from holdfast.adapters.rds_common import PAGE_SIZE, RdsRegions
from holdfast.adapters.rds_settings import PROTECTION, TAGS, Answer, all_tags
from holdfast.core.checks import Check
from holdfast.core.drilling import DRILL_TAG, PREFIX, Leftover
from holdfast.core.errors import AlreadyExists, NotFound
from holdfast.core.model import name_of, region_of
from holdfast.core.restoring import Found, Settings, Target
from holdfast.core.verifying import Question
from holdfast.ports import Rehearsed

_AVAILABLE = "available"
_DELETING = "deleting"


class RdsRehearser:
    """The rehearser of kind `rds`."""

    def __init__(self, *, regions: RdsRegions) -> None:
        self._regions = regions

    @property
    def kind(self) -> str:
        return "rds"

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:  # noqa: ARG002
        return {TAGS: dict(tags), PROTECTION: False}

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        answer = _instance(self._regions, rehearsed.arn)
        if answer is None:
            return [Check(name="instance", passed=False, found="it is not there any more")]
        status = answer["DBInstanceStatus"]
        found = f"{status}, {answer['Engine']} {answer['EngineVersion']}, {answer['AllocatedStorage']} GiB"
        return [Check(name="instance", passed=status == _AVAILABLE, found=found)]

    def question(self, rehearsed: Rehearsed) -> Question | None:
        answer = _instance(self._regions, rehearsed.arn)
        endpoint = (answer or {}).get("Endpoint") or {}
        if answer is None or not endpoint.get("Address"):
            return None
        return _question(
            rehearsed, self.kind, answer, endpoint["Address"], endpoint["Port"], answer.get("DBName", "")
        )

    def remove(self, found: Found, target: Target, drill: str) -> None:  # noqa: ARG002
        self._remove(found.arn, drill)

    def leftovers(self, region: str) -> Sequence[Leftover]:
        client, pace = self._regions.of(region)
        with translated(self.kind, region, "DescribeDBInstances"):
            pages = client.get_paginator("describe_db_instances").paginate(
                PaginationConfig={"PageSize": PAGE_SIZE}
            )
            found = [one for page in paced(pages, pace, "Marker") for one in page["DBInstances"]]
        return [
            Leftover(
                arn=one["DBInstanceArn"],
                kind=self.kind,
                created=one["InstanceCreateTime"],
                drill=all_tags(one)[DRILL_TAG],
            )
            for one in found
            if _is_a_drills(one, "DBInstance")
            and not one.get("DBClusterIdentifier")
            and one.get("InstanceCreateTime")
        ]

    def remove_leftover(self, left: Leftover) -> bool:
        return self._remove(left.arn, left.drill)

    def _remove(self, arn: str, drill: str) -> bool:
        """Whether it is gone."""
        answer = _instance(self._regions, arn)
        if answer is None:
            return True
        _delete_instance(self._regions, self.kind, answer, drill)
        return False


class AuroraRehearser:
    """The rehearser of kind `aurora`: of a cluster one instance is restored, by which it can be read."""

    def __init__(self, *, regions: RdsRegions) -> None:
        self._regions = regions

    @property
    def kind(self) -> str:
        return "aurora"

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:
        given: dict[str, Any] = {TAGS: dict(tags), PROTECTION: False}
        members = known.get(INSTANCES)
        first = members[0] if isinstance(members, list | tuple) and members else None
        if isinstance(first, Mapping):
            given[INSTANCES] = [{"DBInstanceClass": first["DBInstanceClass"], TAGS: dict(tags)}]
        return given

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        answer = _cluster(self._regions, rehearsed.arn)
        if answer is None:
            return [Check(name="cluster", passed=False, found="it is not there any more")]
        members = self._members(rehearsed.arn)
        states = ", ".join(f"{one['DBInstanceIdentifier']} {one['DBInstanceStatus']}" for one in members)
        found = f"{answer['Status']}, {answer['Engine']} {answer['EngineVersion']}, {states or 'no instance'}"
        is_multi_az = not answer["Engine"].startswith("aurora")
        answers = is_multi_az or any(one["DBInstanceStatus"] == _AVAILABLE for one in members)
        return [Check(name="cluster", passed=answer["Status"] == _AVAILABLE and answers, found=found)]

    def question(self, rehearsed: Rehearsed) -> Question | None:
        answer = _cluster(self._regions, rehearsed.arn)
        if answer is None or not answer.get("Endpoint"):
            return None
        return _question(
            rehearsed,
            self.kind,
            answer,
            answer["Endpoint"],
            answer["Port"],
            answer.get("DatabaseName", ""),
        )

    def remove(self, found: Found, target: Target, drill: str) -> None:  # noqa: ARG002
        self._remove(found.arn, drill)

    def leftovers(self, region: str) -> Sequence[Leftover]:
        client, pace = self._regions.of(region)
        with translated(self.kind, region, "DescribeDBClusters"):
            pages = client.get_paginator("describe_db_clusters").paginate(
                PaginationConfig={"PageSize": PAGE_SIZE}
            )
            found = [one for page in paced(pages, pace, "Marker") for one in page["DBClusters"]]
        return [
            Leftover(
                arn=one["DBClusterArn"],
                kind=self.kind,
                created=one["ClusterCreateTime"],
                drill=all_tags(one)[DRILL_TAG],
            )
            for one in found
            if _is_a_drills(one, "DBCluster") and one.get("ClusterCreateTime")
        ]

    def remove_leftover(self, left: Leftover) -> bool:
        return self._remove(left.arn, left.drill)

    def _remove(self, arn: str, drill: str) -> bool:
        """Whether it is gone. Its instances go first: RDS deletes no cluster that has some."""
        answer = _cluster(self._regions, arn)
        if answer is None:
            return True
        _must_be_the_drills(self.kind, arn, answer, drill, "DeleteDBCluster")
        members = [] if answer["Status"] == _DELETING else self._members(arn)
        if members and answer["Engine"].startswith("aurora"):
            for one in members:
                _delete_instance(self._regions, self.kind, one, drill)
            return False
        if answer["Status"] != _DELETING:
            client, pace = self._regions.of(region_of(arn))
            pace.wait()
            with translated(self.kind, arn, "DeleteDBCluster"):
                client.delete_db_cluster(
                    DBClusterIdentifier=name_of(arn), SkipFinalSnapshot=True, DeleteAutomatedBackups=True
                )
        return False

    def _members(self, arn: str) -> list[Answer]:
        client, pace = self._regions.of(region_of(arn))
        with translated(self.kind, arn, "DescribeDBInstances"):
            pages = client.get_paginator("describe_db_instances").paginate(
                Filters=[{"Name": "db-cluster-id", "Values": [name_of(arn)]}],
                PaginationConfig={"PageSize": PAGE_SIZE},
            )
            return [one for page in paced(pages, pace, "Marker") for one in page["DBInstances"]]


def _question(
    rehearsed: Rehearsed, kind: str, answer: Answer, host: str, port: int, database: str
) -> Question:
    return Question(
        drill=rehearsed.drill,
        kind=kind,
        engine=answer["Engine"],
        engine_version=answer["EngineVersion"],
        source=rehearsed.source,
        arn=rehearsed.arn,
        host=host,
        port=port,
        slot=rehearsed.pieces[0].slot if rehearsed.pieces else None,
        database=database,
        user=answer.get("MasterUsername", ""),
    )


def _instance(regions: RdsRegions, arn: str) -> Answer | None:
    client, pace = regions.of(region_of(arn))
    return _described(
        pace,
        arn,
        "DescribeDBInstances",
        lambda: client.describe_db_instances(DBInstanceIdentifier=name_of(arn))["DBInstances"],
    )


def _cluster(regions: RdsRegions, arn: str) -> Answer | None:
    client, pace = regions.of(region_of(arn))
    return _described(
        pace,
        arn,
        "DescribeDBClusters",
        lambda: client.describe_db_clusters(DBClusterIdentifier=name_of(arn))["DBClusters"],
    )


def _described(pace: Pace, arn: str, operation: str, describe: Callable[[], Any]) -> Answer | None:
    pace.wait()
    try:
        with translated("rds", arn, operation):
            found = describe()
    except NotFound:
        return None
    return found[0] if found else None


def _is_a_drills(answer: Answer, what: str) -> bool:
    return (
        answer[f"{what}Identifier"].startswith(PREFIX)
        and DRILL_TAG in all_tags(answer)
        and answer.get(f"{what}Status", answer.get("Status")) != _DELETING
    )


def _must_be_the_drills(kind: str, arn: str, answer: Answer, drill: str, operation: str) -> None:
    if all_tags(answer).get(DRILL_TAG) != drill:
        text = f"it does not bear the tag {DRILL_TAG} of this drill, and is not removed"
        raise AlreadyExists(kind, arn, operation, "NotOurs", text)


def _delete_instance(regions: RdsRegions, kind: str, answer: Answer, drill: str) -> None:
    arn = answer["DBInstanceArn"]
    _must_be_the_drills(kind, arn, answer, drill, "DeleteDBInstance")
    if answer["DBInstanceStatus"] == _DELETING:
        return
    client, pace = regions.of(region_of(arn))
    more: dict[str, Any] = (
        {}
        if answer.get("DBClusterIdentifier")
        else {"DeleteAutomatedBackups": True, "SkipFinalSnapshot": True}
    )
    pace.wait()
    with translated(kind, arn, "DeleteDBInstance"):
        client.delete_db_instance(DBInstanceIdentifier=answer["DBInstanceIdentifier"], **more)
