"""The page as text: what is on it, and that nobody's names can be more than text."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.cost import Basis, Cost
from holdfast.core.model import name_of
from holdfast.core.posture import (
    Gap,
    Health,
    LastRun,
    PlanPosture,
    Posture,
    Protection,
    Tick,
    TickState,
    Uncovered,
)
from holdfast.core.report import Action, Outcome, State, Status
from holdfast.page.render import LONGEST_SHOWN, MOST_NEEDS, MOST_UNCOVERED, headline, needs_of, render
from holdfast.page.strips import COLUMNS, table_of
from tests import postures

EMPTY = Posture(at=postures.AT, home=postures.HOME)
MEAN = "</script><script>alert('1')</script><img src=x onerror=\"alert(2)\">"


def failure(name: str) -> Outcome:
    return Outcome(
        action=Action.CREATE,
        state=State.FAILED,
        kind="rds",
        resource=postures.arn("rds", name),
        region="us-east-1",
        reason="its storage is full",
    )


class Read(HTMLParser):
    """What a browser would take the page for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.hashes: dict[str, str] = {}
        self.policy = ""
        self.data = ""
        self.words: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        of = dict(attrs)
        self.links += [value for name in ("src", "href", "srcset", "action") if (value := of.get(name))]
        assert not any(name.startswith("on") for name in of)
        if of.get("http-equiv") == "Content-Security-Policy":
            self.policy = of["content"] or ""
        self._inside = "data" if of.get("id") == "data" else tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data
        elif self._inside in ("style", "script"):
            digest = hashlib.sha256(data.encode()).digest()
            self.hashes[self._inside] = "sha256-" + base64.b64encode(digest).decode()
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def table(self) -> dict[str, Any]:
        table: dict[str, Any] = json.loads(self.data)
        return table


def named(text: str) -> Posture:
    """A posture in which all that somebody else words is this."""
    posture = postures.company()
    one = replace(
        postures.protection(health=Health.MISSING),
        resource=f"arn:aws:dynamodb:us-east-1:{postures.ACCOUNT}:table/{text}",
        plan=text,
        place=text,
        kind=text,
        reason=text,
        ticks=[Tick(slot=postures.SLOT, state=TickState.FAILED, reason=text)],
    )
    return replace(
        posture,
        protections=[one],
        plans=[PlanPosture(name=text, problem=text), *posture.plans],
        uncovered=[Uncovered(kind=text, resource=one.resource, gap=Gap.UNKNOWN_PLAN, reason=text)],
        problems=[text],
        warnings=[text],
        changes=[replace(posture.changes[0], text=text)],
    )


class TestWhatSomebodyNamed:
    def test_is_text_in_the_page_and_in_its_data(self) -> None:
        read, plain = Read(render(named(MEAN))), Read(render(named("plain")))
        assert read.tags == plain.tags
        assert MEAN in read.text
        assert read.table["rows"][0][2] == name_of(f"a:b:c:d:e:table/{MEAN}")
        assert MEAN in read.table["reasons"]

    @settings(max_examples=12)
    @given(st.text(min_size=1, max_size=40))
    def test_whatever_it_is_the_page_holds_and_its_data_can_be_read(self, text: str) -> None:
        posture = named(text)
        read = Read(render(posture))
        assert read.table == json.loads(json.dumps(table_of(posture)))
        assert set(read.tags) <= set(Read(render(named("plain"))).tags)


class TestThePageAsItIs:
    @pytest.mark.parametrize("posture", [postures.company(), postures.well(), EMPTY])
    def test_it_asks_for_nothing_from_outside(self, posture: Posture) -> None:
        read = Read(render(posture))
        assert set(read.links) == {"data:,", "#main"}
        assert "@import" not in render(posture)
        assert "url(" not in render(posture)

    def test_its_policy_lets_its_own_style_and_script_be_and_nothing_else(self) -> None:
        read = Read(render(postures.company()))
        assert f"style-src '{read.hashes['style']}'" in read.policy
        assert f"script-src '{read.hashes['script']}'" in read.policy
        assert read.policy.startswith("default-src 'none'")
        assert "unsafe" not in read.policy

    @pytest.mark.parametrize("posture", [postures.company(), postures.well(), EMPTY])
    def test_what_is_not_there_is_said_in_words(self, posture: Posture) -> None:
        assert not re.search(r"\b(None|nan|NaN|undefined|True|False)\b", Read(render(posture)).text)


class TestTheHeadline:
    def test_all_is_well(self) -> None:
        found = headline(postures.well())
        assert (found.tone, found.title) == ("good", "Everything is recoverable.")
        assert found.text.startswith("4 resources have a good backup")
        assert not needs_of(postures.well())

    def test_one_alone(self) -> None:
        one = replace(EMPTY, protections=[postures.protection()])
        assert headline(one).text.startswith("1 resource has")
        bad = replace(EMPTY, protections=[postures.protection(health=Health.MISSING)])
        assert headline(bad).title == "1 of 1 resource is not recoverable as planned."

    def test_what_is_broken_is_counted_and_what_is_new_is_not(self) -> None:
        found = headline(postures.company())
        assert (found.tone, found.title) == ("bad", "2 of 7 resources are not recoverable as planned.")
        assert "1 new one waits for a first backup." in found.text

    def test_new_ones_alone_are_no_trouble_and_not_recoverable_either(self) -> None:
        posture = replace(postures.well(), protections=[postures.protection(health=Health.WAITING)])
        found = headline(posture)
        assert (found.tone, found.title) == ("unsure", "Nothing is recoverable yet.")
        assert not needs_of(posture)
        one_more = replace(posture, protections=[*posture.protections, postures.protection("rds")])
        assert headline(one_more).title == "All that is due is recoverable."

    def test_only_a_tag_that_names_no_plan(self) -> None:
        posture = replace(postures.well(), uncovered=postures.company().misnamed)
        found = headline(posture)
        assert (found.tone, found.title) == ("bad", "A tag names a plan that does not exist.")
        assert [one.label for one in needs_of(posture)] == ["no such plan"]

    @pytest.mark.parametrize(
        ("changed", "label"),
        [
            ({"plans": [PlanPosture(name="nightly", problem="keep is missing")]}, "unusable"),
            ({"problems": ["rds could not be listed"]}, "not seen"),
        ],
    )
    def test_what_is_not_known_is_not_fine(self, changed: dict[str, Any], label: str) -> None:
        posture = replace(postures.well(), **changed)
        assert headline(posture).tone == "unsure"
        assert [one.label for one in needs_of(posture)] == [label]

    def test_nothing_protected(self) -> None:
        assert headline(EMPTY).tone == "empty"
        assert "the tag holdfast:plan" in Read(render(EMPTY)).text


class TestWhatNeedsAPerson:
    def test_the_most_urgent_first_in_the_words_of_the_table(self) -> None:
        needs = needs_of(postures.company())
        assert [one.label for one in needs] == ["not recoverable", "too old", "no such plan"]
        words = [word for word, _ in table_of(postures.company())["healths"]]
        assert {one.label for one in needs[:2]} <= set(words)

    def test_what_a_run_could_not_do_is_told_once(self) -> None:
        """The copy that failed is that of what is too old; where it is not, the failure is told itself."""
        posture = postures.company()
        assert "copy RDS reporting" not in [one.what for one in needs_of(posture)]
        fine = replace(posture, protections=postures.well().protections)
        assert ("failed", "copy RDS reporting", "us-west-2") in [
            (one.label, one.what, one.where) for one in needs_of(fine)
        ]

    def test_hundreds_are_counted(self) -> None:
        many = [
            replace(postures.protection(name=f"t{number}", health=Health.MISSING), reason=f"why {number}")
            for number in range(MOST_NEEDS + 7)
        ]
        uncovered = [replace(postures.company().uncovered[0]) for _ in range(MOST_UNCOVERED + 3)]
        text = Read(render(replace(EMPTY, protections=many, uncovered=uncovered))).text
        assert "and 7 more." in text
        assert "and 3 more." in text

    @pytest.mark.parametrize(("hours", "told"), [(52.0, 1), (20.0, 0), (None, 0)])
    def test_a_run_that_died_is_told_once_none_has_ended_for_too_long(
        self, hours: float | None, told: int
    ) -> None:
        [plan] = postures.well().plans
        died = LastRun(slot=postures.SLOT, status=Status.OK, ended=False)
        posture = replace(postures.well(), plans=[replace(plan, last_run=died, hours_since_run=hours)])
        assert [one.label for one in needs_of(posture)] == ["last run"] * told

    def test_what_has_one_cause_is_one_thing_to_mend(self) -> None:
        places = ("us-east-1", "us-west-2")
        alike = [
            postures.protection("rds", f"db{number}", place, Health.OVERDUE)
            for number in range(6)
            for place in places
        ]
        [need] = needs_of(replace(postures.well(), protections=alike))
        assert need.what == "RDS db0, RDS db1, RDS db2, RDS db3 and 2 more"
        assert need.where == "us-east-1, us-west-2"
        run = LastRun(
            slot=postures.SLOT,
            status=Status.FAILED,
            ended=True,
            failures=[failure(f"db{n}") for n in range(6)],
        )
        [plan] = postures.well().plans
        [need] = needs_of(replace(postures.well(), plans=[replace(plan, last_run=run)]))
        assert need.what == "back up RDS db0, db1, db2, db3 and 2 more"
        assert need.reason.startswith("its storage is full")

    def test_a_volume_is_called_what_people_call_it(self) -> None:
        volume = replace(postures.protection("ebs", "vol-1", health=Health.MISSING), label="web-data")
        [need] = needs_of(replace(EMPTY, protections=[volume]))
        assert need.what == "EBS web-data (vol-1)"

    def test_a_long_reason_is_whole_but_folded(self) -> None:
        reason = "why " * LONGEST_SHOWN
        posture = replace(EMPTY, problems=[reason])
        read = Read(render(posture))
        assert "details" in read.tags
        assert reason.strip() in read.text
        assert "details" not in Read(render(replace(EMPTY, problems=["short"]))).tags


class TestTheRest:
    def test_what_is_retired_is_in_the_table_and_in_no_count(self) -> None:
        retired = replace(postures.protection(name="gone"), health=Health.RETIRED, reason="it was deleted")
        posture = replace(postures.well(), protections=[*postures.well().protections, retired])
        assert headline(posture) == headline(postures.well())
        assert len(table_of(posture)["rows"]) == len(table_of(postures.well())["rows"]) + 1

    def test_costs_that_are_not_known_are_in_no_sum_and_said_to_be(self) -> None:
        unknown = replace(postures.protection(name="big"), cost=Cost(rule="not counted: AWS told no size"))
        posture = replace(postures.well(), protections=[*postures.well().protections, unknown])
        assert "does not tell the size of 1 of 9" in Read(render(posture)).text
        line = table_of(posture)["rows"][-1][4][0]
        assert line[9:11] == [None, None]

    def test_costs_are_rounded_only_as_they_are_shown(self) -> None:
        third = Cost(now_usd=Decimal("0.004"), basis=Basis.KNOWN)
        posture = replace(
            EMPTY, protections=[replace(postures.protection(name=f"t{n}"), cost=third) for n in range(3)]
        )
        assert "$0.01 a month" in Read(render(posture)).text

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({}, ["restored", "22 min of 60"]),
            ({"passed": False, "reason": "the key is gone"}, ["failed", "the key is gone"]),
            ({"seconds": 7_200.0}, ["120 min of 60 that the plan allows (too long)"]),
        ],
    )
    def test_drills(self, changed: dict[str, Any], words: list[str]) -> None:
        (drill,) = postures.company().drills
        text = Read(render(replace(EMPTY, drills=[replace(drill, **changed)]))).text
        assert all(word in text for word in words)


class TestTimelines:
    def test_letters_and_reasons_are_by_slot(self) -> None:
        states = list(TickState)
        strip = [
            Tick(slot=postures.SLOT + timedelta(days=number), state=state, reason=f"because {state}")
            for number, state in enumerate(states)
        ]
        table = table_of(replace(EMPTY, protections=[with_ticks(strip), with_ticks(strip[:1], "other")]))
        (letters, reasons, older, since), (other, *_) = table["strips"]
        assert letters == "klpfm"
        assert [table["reasons"][number] for number in reasons] == [one.reason for one in strip]
        assert (older, since) == (0, None)
        assert other == "k----"
        assert table["columns"] == [["2026-11-08T02:00:00Z", *table["columns"][0][1:]]]

    def test_the_newest_are_shown_and_the_older_good_ones_counted(self) -> None:
        strip = [
            Tick(
                slot=postures.SLOT + timedelta(days=number),
                state=TickState.FAILED if number == 1 else TickState.KEPT,
            )
            for number in range(COLUMNS + 4)
        ]
        table = table_of(replace(EMPTY, protections=[with_ticks(strip)]))
        assert len(table["columns"][0]) == COLUMNS
        assert table["columns"][0][-1].startswith(f"{strip[-1].slot:%Y-%m-%dT%H:%M}")
        ((letters, _, older, since),) = table["strips"]
        assert letters == "k" * COLUMNS
        assert (older, since) == (3, "2026-11-08T02:00:00Z")

    def test_those_that_are_alike_are_one(self) -> None:
        table = table_of(postures.large(50))
        assert len(table["rows"]) == 50
        assert [letters for letters, *_ in table["strips"]] == ["k" * 14, "k" * 11 + "mmm"]


def with_ticks(strip: list[Tick], name: str = "orders") -> Protection:
    return replace(postures.protection(name=name), ticks=tuple(strip))
