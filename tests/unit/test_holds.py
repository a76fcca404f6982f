"""The hold list: what is taken, what it covers, what it says when it is wrong."""

import json

import pytest

from holdfast.core.errors import HoldListError
from holdfast.core.holds import Hold, hold, idle
from holdfast.core.model import HOLD_TAG, Backup
from holdfast.holds import parse_holds
from tests.builders import TABLE, a_backup, nights_ago

PLACE = "in the SSM parameter /holdfast/holds"
TONIGHT = a_backup(source=TABLE)
YESTERDAY = a_backup(nights_ago(1), source=TABLE)
OTHER = a_backup(source=TABLE.replace("orders", "bills"))


def problems_of(document: object) -> list[str]:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(HoldListError) as raised:
        parse_holds(text, PLACE, "dynamodb")
    assert str(raised.value) == f"the hold list {PLACE} cannot be used: " + "; ".join(raised.value.problems)
    return list(raised.value.problems)


class TestParsing:
    def test_a_list_of_backups_each_with_its_reason(self) -> None:
        entries = [
            {"backups": "orders/holdfast.nightly.20261122T020000Z", "reason": " case 17 "},
            {"backups": f"{TABLE}/backup/*", "reason": "audit"},
        ]
        assert parse_holds(json.dumps(entries), PLACE, "dynamodb") == (
            Hold(backups="orders/holdfast.nightly.20261122T020000Z", reason="case 17"),
            Hold(backups=f"{TABLE}/backup/*", reason="audit"),
        )

    def test_an_empty_list_holds_nothing(self) -> None:
        assert parse_holds("[]", PLACE, "dynamodb") == ()

    @pytest.mark.parametrize("text", ["", "orders", "[", '[{"backups": "a/b", "reason": "x"},]'])
    def test_what_is_no_json_is_told_with_an_example(self, text: str) -> None:
        [problem] = problems_of(text)
        assert problem.startswith("not JSON (")
        assert 'give a list such as [{"backups": "orders/holdfast.nightly.' in problem

    @pytest.mark.parametrize("document", [{}, {"backups": "a/b", "reason": "x"}, "a/b", None, 7])
    def test_what_is_no_list_is_told(self, document: object) -> None:
        [problem] = problems_of(json.dumps(document))
        assert problem.startswith(f"it is {json.dumps(document)}; give a list such as [{{")

    def test_every_mistake_is_told_at_once(self) -> None:
        assert problems_of(
            [
                "orders/one",
                {"backups": "orders/one", "reason": ""},
                {"backup": "orders/one", "reason": "x"},
                {"backups": 7, "reason": "x"},
                {"backups": "orders/one", "reason": "fine"},
            ]
        ) == [
            'entry 1: "orders/one" is not an object with backups and reason',
            'entry 2: reason is ""; give a text',
            "entry 3: unknown key 'backup'; allowed are backups, reason",
            "entry 3: backups is null; give a text",
            "entry 4: backups is 7; give a text",
        ]

    @pytest.mark.parametrize(
        "backups",
        [
            "orders",
            "orders/",
            "/one",
            "a/b/c",
            " orders/one",
            "arn:aws:rds:us-east-1:123456789012:snapshot:one",
            "arn:aws:dynamodb",
            "*",
        ],
    )
    def test_a_name_that_can_be_no_backups_is_told(self, backups: str) -> None:
        assert problems_of([{"backups": backups, "reason": "x"}]) == [
            (
                f"entry 1: backups is {backups!r}; give <table>/<backup name> or the backup's dynamodb ARN, "
                "with * and ? for any characters"
            )
        ]


class TestHolding:
    @pytest.mark.parametrize(
        ("backups", "covered"),
        [
            ("orders/holdfast.nightly.20261122T020000Z", {TONIGHT.arn}),
            ("orders/*", {TONIGHT.arn, YESTERDAY.arn}),
            ("*/holdfast.nightly.20261122T020000Z", {TONIGHT.arn, OTHER.arn}),
            ("orders/holdfast.nightly.2026112?T020000Z", {TONIGHT.arn, YESTERDAY.arn}),
            ("Orders/*", set()),
            ("order/*", set()),
            (TONIGHT.arn, {TONIGHT.arn}),
            (f"{TABLE}/backup/*", {TONIGHT.arn, YESTERDAY.arn}),
        ],
    )
    def test_what_an_entry_covers(self, backups: str, covered: set[str]) -> None:
        held = hold([TONIGHT, YESTERDAY, OTHER], [Hold(backups=backups, reason="case 17")])
        assert {one.arn for one in held if one.held} == covered
        assert {one.tags.get(HOLD_TAG) for one in held if one.held} <= {"case 17"}

    def test_the_reasons_of_all_entries_are_told_and_its_own_tags_stay(self) -> None:
        one = a_backup(source=TABLE, tags={"team": "shop"})
        holds = [Hold(backups="orders/*", reason="case 17"), Hold(backups="*/*", reason="audit")]
        assert hold([one], holds)[0].tags == {"team": "shop", HOLD_TAG: "case 17; audit"}

    def test_each_idle_entry_is_named_beside_those_in_use(self) -> None:
        used, mistyped = (Hold(backups=name, reason="case 17") for name in ("orders/*", "ordres/*"))
        assert idle([used, mistyped], [TONIGHT]) == [mistyped]

    @pytest.mark.parametrize(
        ("backups", "standing", "is_idle"),
        [("orders/*", [OTHER], True), ("orders/*", [OTHER, TONIGHT], False), ("orders/*", [], True)],
    )
    def test_an_entry_that_covers_nothing_is_idle(
        self, backups: str, standing: list[Backup], is_idle: bool
    ) -> None:
        entry = Hold(backups=backups, reason="case 17")
        assert idle([entry], standing) == ([entry] if is_idle else [])
