"""What a recovery is made of: order, documents, messages, and the events that ask for one."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import RequestError
from holdfast.core.recovery import (
    LONGEST_ID,
    MOST_AT_ONCE,
    Line,
    LineState,
    LostSetting,
    Recovery,
    RecoveryRequest,
    at_work,
    in_order,
    tier_of,
)
from holdfast.core.recovery_document import recovery_from_dict, recovery_to_dict
from holdfast.core.recovery_message import message_of, status_of
from holdfast.core.report import Status
from holdfast.ports import Message
from holdfast.recovery_events import parse_recovery
from tests.builders import AWAY_REGION, CLUSTER, DATABASE, HOME, HOME_REGION, NIGHT, TABLE, VOLUME
from tests.messages import RECOVERY_SCHEMA, check, check_data

BEGAN = NIGHT + timedelta(hours=8)
ADDRESS = "s3://reports/recoveries/worst-day.json"
any_text = st.text(max_size=200)


def a_line(resource: str = TABLE, **more: object) -> Line:
    done = Line(
        resource=resource,
        to="orders",
        state=LineState.DONE,
        reason="it stands",
        arn=resource.replace(HOME_REGION, AWAY_REGION),
        backup=f"{resource}/export/1",
        instant=NIGHT,
        began=BEGAN,
        seconds=600.0,
    )
    return replace(done, **more)  # type: ignore[arg-type]


def a_recovery(*lines: Line, **more: object) -> Recovery:
    recovery = Recovery(
        request=RecoveryRequest(id="worst-day", plan="nightly", region=AWAY_REGION),
        began=BEGAN,
        ended=BEGAN + timedelta(minutes=23),
        slot=NIGHT,
        rpo_hours=26,
        rto_minutes=60,
        lines=lines or (a_line(),),
    )
    return replace(recovery, **more)  # type: ignore[arg-type]


class TestOrder:
    def test_is_by_tier_then_by_what_takes_longest_then_by_arn(self) -> None:
        lines = [a_line(one) for one in (TABLE, VOLUME, DATABASE, CLUSTER)]
        first = a_line(f"{TABLE}-first", tier=0)
        assert [one.kind for one in in_order([*lines, first])] == [
            "dynamodb",
            "aurora",
            "rds",
            "ebs",
            "dynamodb",
        ]
        assert in_order([*lines, first])[0] == first

    @given(
        st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), st.sampled_from(list(LineState))), max_size=80)
    )
    def test_nothing_begins_before_its_tier_nor_beyond_the_limit(
        self, drawn: list[tuple[int | None, LineState]]
    ) -> None:
        lines = [a_line(f"{TABLE}{n}", tier=tier, state=state) for n, (tier, state) in enumerate(drawn)]
        chosen = at_work(lines, BEGAN, dict.fromkeys(MOST_AT_ONCE, 3))
        begun = [one for one in chosen if one.state is LineState.WAITING]
        flying = [one for one in lines if one.state is LineState.PENDING]
        assert [one for one in chosen if one not in begun] == flying
        assert not begun or len(begun) + len(flying) <= 3
        open_tiers = [
            9 if one.tier is None else one.tier
            for one in lines
            if one in flying or one.state is LineState.WAITING
        ]
        assert all((9 if one.tier is None else one.tier) == min(open_tiers) for one in begun)

    @pytest.mark.parametrize(("text", "tier"), [("0", 0), (" 12 ", 12), ("999999", 999999)])
    def test_a_tier_is_a_whole_number(self, text: str, tier: int) -> None:
        assert tier_of(TABLE, {"holdfast:tier": text}) == (tier, [])

    @pytest.mark.parametrize("text", ["", "-1", "1.5", "first", "1000000", "²"])
    def test_what_is_none_is_told(self, text: str) -> None:
        tier, [problem] = tier_of(TABLE, {"holdfast:tier": text})
        assert tier is None
        assert TABLE in problem


class TestDocument:
    def test_comes_back_as_it_was(self) -> None:
        lost = (LostSetting(name="DBSubnetGroupName", reason="it is of another Region"),)
        request = RecoveryRequest(
            id="x",
            plan="nightly",
            region=AWAY_REGION,
            until=NIGHT,
            lost_at=BEGAN,
            only=("*:table/*",),
            names={TABLE: "there"},
            settings={"rds": {"DBInstanceClass": "db.r8g.large"}},
            dry_run=True,
        )
        lines = (
            a_line(tier=3, lost_settings=lost, settings_known=False),
            Line(resource=VOLUME, to="v", label="v"),
        )
        recovery = a_recovery(*lines, request=request, ended=None, unlisted=("rds",), problems=("a problem",))
        document = json.loads(json.dumps(recovery_to_dict(recovery)))
        check_data(document, "document", RECOVERY_SCHEMA)
        assert recovery_from_dict(document) == recovery

    def test_of_another_schema_is_none(self) -> None:
        with pytest.raises(ValueError, match=r"holdfast\.recovery/1"):
            recovery_from_dict(recovery_to_dict(a_recovery()) | {"schema": "holdfast.restore/1"})


class TestMessage:
    def of(self, recovery: Recovery) -> Message:
        told = message_of(recovery, HOME, AWAY_REGION, ADDRESS)
        message = Message(subject=told.subject, text=told.text, data=told.data, attributes=told.attributes)
        check(message)
        return message

    def test_is_ok_when_all_stands_with_its_settings(self) -> None:
        message = self.of(a_recovery())
        assert message.subject == "Holdfast recovery of nightly in us-west-2: OK, 1 of 1 restored"
        assert (
            "dynamodb orders: lost 8 h 0 min (data of 2026-11-22T02:00:00Z), restored in 10 min"
            in message.text
        )
        assert "NOT restored" not in message.text

    def test_tells_first_what_is_not_there_and_why_and_what_to_do(self) -> None:
        missing = a_line(
            VOLUME, label="archive", state=LineState.REFUSED, reason="no backup of it", instant=None
        )
        lacking = a_line(DATABASE, lost_settings=(LostSetting(name="Port", reason="taken"),))
        message = self.of(a_recovery(a_line(), lacking, missing, problems=("one more thing",)))
        assert message.subject == "Holdfast recovery of nightly in us-west-2: PARTIAL, 2 of 3 restored, 1 not"
        places = [
            message.text.index(word)
            for word in ("NOT restored (1)", "not as they were", "one more thing", "RPO")
        ]
        assert places == sorted(places)
        assert "archive (vol-0123456789abcdef0): no backup of it" in message.text
        assert "What to do: " in message.text
        assert "Port (taken)" in message.text

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            (a_line(), Status.OK),
            (a_line(settings_known=False), Status.PARTIAL),
            (a_line(lost_settings=(LostSetting(name="Tags", reason="x"),)), Status.PARTIAL),
            (a_line(state=LineState.FAILED), Status.FAILED),
        ],
    )
    def test_status(self, line: Line, status: Status) -> None:
        assert status_of(a_recovery(line)) is status

    def test_names_what_is_beyond_the_plan_s_targets(self) -> None:
        text = self.of(a_recovery(a_line(instant=NIGHT - timedelta(days=2), seconds=4000.0))).text
        assert "more than the RPO of 26 h" in text
        assert "longer than the RTO of 60 min" in text

    def test_counts_the_loss_up_to_when_the_region_was_lost(self) -> None:
        request = replace(a_recovery().request, lost_at=NIGHT + timedelta(hours=1))
        assert "lost 1 h 0 min" in self.of(a_recovery(request=request)).text

    @given(reason=any_text, name=any_text, label=any_text)
    def test_any_words_make_a_message(self, reason: str, name: str, label: str) -> None:
        lost = tuple(LostSetting(name=name, reason=reason) for _ in range(12))
        missing = a_line(VOLUME, state=LineState.FAILED, reason=reason, label=label)
        self.of(a_recovery(a_line(to=name or "x", lost_settings=lost), missing, problems=(reason,)))

    def test_of_a_thousand_fits(self) -> None:
        lines = [a_line(f"{TABLE}-{n}", state=LineState.FAILED, reason="r" * 1000) for n in range(1000)]
        message = self.of(a_recovery(*lines))
        assert "0 of 1000 restored, 1000 not" in message.subject
        assert json.loads(message.data)["left_out"] is True


class TestEvent:
    def parse(self, **event: object) -> RecoveryRequest:
        return parse_recovery(
            {"plan": "nightly", **event}, BEGAN, AWAY_REGION, (AWAY_REGION, HOME_REGION), "run-1"
        )

    def test_says_the_plan_and_the_rest_has_defaults(self) -> None:
        assert self.parse() == RecoveryRequest(id="run-1", plan="nightly", region=AWAY_REGION)

    def test_says_all(self) -> None:
        asked = self.parse(
            region=HOME_REGION,
            until="2026-11-22T02:00:00Z",
            lost_at="2026-11-22T09:59:00Z",
            only=["*:table/*"],
            names={TABLE: "there"},
            settings={"rds": {"Port": 1}, VOLUME: {"VolumeType": "gp3"}},
            id="mine",
            dry_run=True,
        )
        assert (asked.region, asked.until, asked.only, asked.dry_run) == (
            HOME_REGION,
            NIGHT,
            ("*:table/*",),
            True,
        )
        assert asked.settings_for("ebs", VOLUME) == {"VolumeType": "gp3"}

    def test_a_long_id_of_the_run_becomes_one_that_leaves_room(self) -> None:
        asked = parse_recovery({"plan": "nightly"}, BEGAN, AWAY_REGION, (AWAY_REGION,), "r" * 64)
        assert len(asked.id) <= LONGEST_ID
        assert len(a_recovery(request=asked).restore_request(a_line()).id) <= 64

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({"plan": "Nightly!"}, "plan: 'Nightly!' is not the name of a plan"),
            (
                {"region": "mars"},
                "region: 'mars' is none that this stack works in; give us-west-2 or us-east-1",
            ),
            ({"until": "yesterday"}, "until: 'yesterday' is no time"),
            ({"lost_at": "2036-01-01T00:00:00Z"}, "lost_at: '2036-01-01T00:00:00Z' is in the future"),
            ({"only": "all"}, "only: 'all' is not allowed; give a list"),
            ({"names": {"orders": "x"}}, "names: 'orders': 'x' is not allowed"),
            ({"names": []}, None),
            ({"names": ["x"]}, "names: ['x'] is not allowed"),
            ({"settings": {"s3": {}}}, "by kind (aurora, dynamodb, ebs, rds) or by ARN"),
            ({"settings": {"rds": 1}}, "settings: 'rds': 1 is not allowed"),
            ({"settings": 7}, "settings: 7 is not allowed"),
            ({"id": "i" * 52}, "give 1 to 51 letters"),
            ({"dry_run": "yes"}, "dry_run: 'yes' is not allowed"),
            ({"tables": []}, "tables: not a key of this function"),
            ({"only": ["x" * 60_000]}, "only, names and settings: give at most 50,000 characters"),
        ],
    )
    def test_a_mistake_is_named_with_what_is_allowed(
        self, event: dict[str, object], told: str | None
    ) -> None:
        if told is None:
            assert self.parse(**event).names == {}
            return
        with pytest.raises(RequestError) as raised:
            self.parse(**event)
        assert told in str(raised.value)
