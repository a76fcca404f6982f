"""Which resources no plan protects, and why."""

from collections.abc import Mapping

import pytest

from holdfast.core.coverage import uncovered
from holdfast.core.model import Origin, Plan, Resource, Selection
from holdfast.core.posture import Gap, Uncovered
from tests.builders import CLUSTER, DATABASE, TABLE, TAGS, VOLUME, a_plan, a_resource

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"


def found(*resources: Resource, plans: tuple[Plan, ...] = (a_plan(),), **unusable: str) -> list[Uncovered]:
    by_kind: dict[str, list[Resource]] = {}
    for one in resources:
        by_kind.setdefault(one.kind, []).append(one)
    return uncovered(by_kind, plans, unusable)


def tagged(plan: str, arn: str = DATABASE) -> Resource:
    return a_resource(arn, {"holdfast:plan": plan})


class TestGaps:
    def test_what_a_plan_protects_is_not_told(self) -> None:
        assert found(a_resource(), a_resource(TABLE), a_resource(VOLUME), a_resource(CLUSTER)) == []

    @pytest.mark.parametrize(
        ("resource", "gap", "reason"),
        [
            (a_resource(tags={}), Gap.NO_PLAN, "no plan protects it: give it the tag holdfast:plan"),
            (tagged("nigthly"), Gap.UNKNOWN_PLAN, "holdfast:plan=nigthly names no plan; there are: nightly"),
            (tagged("none"), Gap.OPTED_OUT, "takes it out of every plan"),
        ],
    )
    def test_why_it_has_none_is_told(self, resource: Resource, gap: Gap, reason: str) -> None:
        [one] = found(resource)
        assert one.gap is gap
        assert reason in one.reason

    def test_without_any_plan_that_is_said(self) -> None:
        assert "there are: none at all" in found(tagged("nightly"), plans=())[0].reason

    def test_a_plan_that_cannot_be_used_protects_nothing(self) -> None:
        [one] = found(tagged("weekly"), weekly="keep: missing")
        assert (one.gap, one.reason) == (
            Gap.UNKNOWN_PLAN,
            "its tag names the plan weekly, which cannot be used: keep: missing",
        )

    def test_one_that_is_there_and_does_not_select_it_is_told(self) -> None:
        [one] = found(a_resource(), plans=(a_plan(types=("dynamodb",)),))
        assert (one.gap, one.reason) == (
            Gap.NO_PLAN,
            "its tag names the plan nightly, which does not select it",
        )

    def test_what_a_plan_excludes_is_opted_out_and_told_why(self) -> None:
        select = Selection(tags=TAGS, exclude=("*:orders",), types=frozenset({"rds"}))
        [one] = found(a_resource(), plans=(a_plan(select=select),))
        assert (one.gap, one.reason) == (Gap.OPTED_OUT, "plan nightly: the plan excludes *:orders")

    def test_unless_another_plan_protects_it(self) -> None:
        select = Selection(tags=TAGS, exclude=("*:orders",), types=frozenset({"rds"}))
        other = a_plan(name="weekly")
        assert found(a_resource(), plans=(a_plan(select=select), other)) == []

    def test_a_vaults_plan_protects_nothing_here(self) -> None:
        plan = a_plan(vault_of=Origin(account="111122223333", region="us-east-1"))
        assert found(a_resource(), plans=(plan,)) == []

    def test_what_is_included_by_name_needs_no_tag(self) -> None:
        select = Selection(include=(DATABASE,), types=frozenset({"rds"}))
        assert found(a_resource(tags={}), plans=(a_plan(select=select),)) == []
        assert found(tagged("none"), plans=(a_plan(select=select),)) == []


class TestVolumes:
    """They may be scratch space: only what a tag meant to protect is told."""

    @pytest.mark.parametrize(
        ("tags", "gaps"),
        [
            ({}, []),
            ({"holdfast:plan": "none"}, []),
            ({"holdfast:plan": "nigthly"}, [Gap.UNKNOWN_PLAN]),
            (TAGS, [Gap.NO_PLAN]),
        ],
    )
    def test_only_where_tagged(self, tags: Mapping[str, str], gaps: list[Gap]) -> None:
        plan = a_plan(select=Selection(tags={"env": "prod"}, types=frozenset({"ebs"})))
        assert [one.gap for one in found(a_resource(VOLUME, tags), plans=(plan,))] == gaps

    def test_the_tag_of_its_instance_counts(self) -> None:
        volume = Resource(
            kind="ebs", arn=VOLUME, group=INSTANCE, group_tags={"holdfast:plan": "nigthly"}, tags={}
        )
        assert [one.gap for one in found(volume)] == [Gap.UNKNOWN_PLAN]


def test_what_needs_a_person_most_comes_first_and_each_once() -> None:
    """Pages of a listing may overlap."""
    resources = (tagged("none"), a_resource(TABLE, {}), tagged("x", CLUSTER))
    gaps = [one.gap for one in found(*resources, *resources)]
    assert gaps == [Gap.UNKNOWN_PLAN, Gap.NO_PLAN, Gap.OPTED_OUT]
