"""One thing goes wrong, with one call, all the time: what depends on the call is told as what it is, all else
is done, nothing is deleted that has to stay, and when it is over a sweep heals it.

The calls are all that the adapters make (`sites`); what goes wrong is what AWS's models declare and what can
befall any call (`cases`); what must come of it was judged by AWS's documents (`codes`, `expected`).
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest

from holdfast.core.errors import HoldfastError
from holdfast.core.report import Action, Outcome, Report, Stage, State, Status
from holdfast.usecases.run import read_window
from tests.fakes import AWAY
from tests.faults import wire
from tests.faults.cases import Case, all_cases, fair_part
from tests.faults.codes import Meaning
from tests.faults.expected import expected, is_true_of_what_is_not_there, words
from tests.faults.furniture import VAULT
from tests.faults.house import House
from tests.faults.operations import REHEARSERS, RESTORERS, RETURNERS, called
from tests.faults.sites import CHECK_SITES, SITES
from tests.faults.sites.site import Harm, Site
from tests.faults.truth import Standing
from tests.faults.wire import Fault, of

pytestmark = pytest.mark.long

CASES = all_cases()
FAIR_PART = fair_part(CASES)

type Key = tuple[str, ...]
type Whats = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a stage: its report or what it raised, and what stood before, after it, and when it was
    healed."""

    report: Report | None
    raised: BaseException | None
    before: list[Standing]
    after: list[Standing]
    healed: Report | BaseException
    in_the_end: list[Standing]
    messages: list[str]
    operations: frozenset[str]


@pytest.fixture(scope="module")
def plain(house: House) -> dict[Any, Played]:
    """What becomes of each stage without a fault, by what was played; filled when it is first needed."""
    return {}


def play(house: House, site: Site, case: Case | None = None) -> Played:
    """The site's stage, with a fault or without one; then again, without."""
    house.restore(site.stage)
    house.things.put_plan(house.things.nightly() | {"select": _selecting(house, site)})
    site.prepare(house)
    before = house.truth()
    told = len(house.messages())
    rule = None
    if case:
        rule = house.wire.add(site.fits(house), case.wrong.fault)
        house.wire.rules.insert(0, house.wire.rules.pop())
    report, raised = _outcome_of(house, site)
    if case and rule:
        assert rule.met, f"{site.name} was not called"
    after, messages = house.truth(), house.messages()[told:]
    operations = frozenset(one.name for one in house.wire.calls)
    house.wire.clear()
    site.settle(house)
    house.let_time_pass()
    healed: Report | BaseException
    try:
        healed = house.sweeps(site.stage, plan=site.plan)
    except HoldfastError as error:
        healed = error
    return Played(
        report=report,
        raised=raised,
        before=before,
        after=after,
        healed=healed,
        in_the_end=house.truth(),
        messages=messages,
        operations=operations,
    )


def _selecting(house: House, site: Site) -> dict[str, Any]:
    """Two kinds: that of the call, and another that must not suffer."""
    return {**house.things.nightly()["select"], "types": sorted(site.kinds)}


def _outcome_of(house: House, site: Site) -> tuple[Report | None, BaseException | None]:
    try:
        return house.stage(site.stage, plan=site.plan), None
    except Exception as error:  # noqa: BLE001  which it is, is what is asked
        return None, error


def without_fault(house: House, plain: dict[Any, Played], site: Site) -> Played:
    key = (site.stage, frozenset(site.kinds), site.plan, site.prepare)
    if key not in plain:
        plain[key] = play(house, site)
    return plain[key]


def by_key(report: Report) -> dict[Key, Outcome]:
    """The outcomes, by what they are about."""
    return {
        (*map(str, (one.action, one.kind, one.resource, one.region)), _backup(one)): one
        for one in report.outcomes
    }


def _backup(one: Outcome) -> str:
    return one.backup_arn if one.action is Action.DELETE else ""


def changed(case: Case, faulty: Report, plain: Report) -> list[Outcome]:
    """The outcomes that are not as without the fault; one that is missing stands there as it was."""
    now, then = by_key(faulty), by_key(plain)
    return [
        now.get(key) or replace(then[key], reason="missing")
        for key in dict.fromkeys((*now, *then))
        if key not in now or key not in then or _told(now[key]) != _told(then[key])
    ]


def _told(one: Outcome) -> tuple[State, str]:
    """What is told of it, but for the ids that moto makes up anew each time."""
    return one.state, re.sub(r"snap-[0-9a-f]+", "snap-", one.reason)


def whats(standing: list[Standing]) -> Whats:
    return Counter(one.what for one in standing)


# --- what must hold of every case --------------------------------------------------------------------------


def check_what_stands(case: Case, played: Played, plain: Played) -> None:
    """Nothing is gone that has to stay, and nothing of ours stands twice."""
    gone = {one.id for one in played.before} - {one.id for one in played.after}
    may_go = {one.id for one in plain.before} - {one.id for one in plain.after}
    assert gone <= may_go
    for standing in (played.after, played.in_the_end):
        assert [what for what, count in whats(standing).items() if count > 1 and what[3]] == []


def check_that_nothing_missing_is_ok(case: Case, played: Played, plain: Played) -> None:
    if played.report is None or is_true_of_what_is_not_there(case):
        return
    if whats(played.after) != whats(plain.after):
        assert played.report.status is not Status.OK


def check_that_it_heals(case: Case, played: Played, plain: Played) -> None:
    """One sweep later all is as it would have been."""
    assert whats(played.in_the_end) == whats(plain.in_the_end)
    if isinstance(plain.healed, Report):
        assert isinstance(played.healed, Report), played.healed
        assert played.healed.status is plain.healed.status
        assert [one for one in played.healed.outcomes if one.state is State.FAILED] == []


# --- what must hold, by what the call is for ---------------------------------------------------------------


def check_act(case: Case, played: Played, plain: Played) -> None:
    """As many outcomes as hang on the call are what they should be, and no others."""
    site, report = case.site, played.report
    assert report is not None, played.raised
    assert plain.report is not None
    hurt = changed(case, report, plain.report)
    if case.wrong.garbled and not hurt:  # nothing that was needed stood in what is left out
        assert whats(played.after) == whats(plain.after)
        return
    own = [one for one in hurt if _is_its_own(site, one)]
    state, reason = expected(case)
    for one in own:
        assert one.state is state, one.reason
        for word in words(case):
            assert word in one.reason
    assert len(own) == site.acts or (len(own) > site.acts and _holds_for_all(case))
    # The slots for copies are those of all kinds of a service.
    full = [one for one in hurt if case.wrong.meaning is Meaning.FULL and reason in one.reason]
    resources = {one.resource for one in (*own, *full)}
    others = [one for one in hurt if one not in (*own, *full) and not _follows(site, one, resources)]
    assert others == []


def _is_its_own(site: Site, one: Outcome) -> bool:
    return one.action is site.action and one.kind in site.hurt and one.region == site.place


def _follows(site: Site, one: Outcome, resources: set[str]) -> bool:
    """Whether it waits for what the call should have made."""
    return (site.stage, site.place, one.region) == (Stage.COPY, AWAY, VAULT) and one.resource in resources


def _holds_for_all(case: Case) -> bool:
    """What AWS says of all copies of the kind after it said it of one: then no further call is made."""
    return case.site.stage is Stage.COPY and case.wrong.meaning in (Meaning.FULL, Meaning.QUOTA)


def check_listing(case: Case, played: Played, plain: Played) -> None:
    """The kinds are told as not listed, once each; others are done, or wait for the slots to be known."""
    site, report = case.site, played.report
    assert report is not None, played.raised
    assert plain.report is not None
    state, _ = expected(case)
    unlisted = [one for one in report.outcomes if not one.resource and one.region == site.place]
    assert sorted(one.kind for one in unlisted) == sorted(site.hurt)
    for one in unlisted:
        assert one.state is state, one.reason
        for word in words(case):
            assert word in one.reason
    others = [one for one in changed(case, report, plain.report) if one.kind not in site.hurt]
    waiting = "waits until it is known how many copy slots"
    assert [one for one in others if waiting not in one.reason and not _waits(one, others)] == []


def _waits(one: Outcome, others: list[Outcome]) -> bool:
    """A copy for another account is made from the Region's, which waits."""
    return one.region == VAULT and any(
        each.region == AWAY and each.resource == one.resource for each in others
    )


def check_refusal(case: Case, played: Played, plain: Played) -> None:
    """Of the kinds nothing is deleted, and it is told why; of others all is."""
    site, report = case.site, played.report
    assert report is not None, played.raised
    assert report.status is Status.REFUSED
    assert any(case.wrong.told in one for one in report.refusals)

    def of_kinds(standing: list[Standing], *, hurt: bool) -> Whats:
        return whats([one for one in standing if (one.kind in site.hurt) is hurt])

    assert of_kinds(played.after, hurt=True) == of_kinds(played.before, hurt=True)
    assert of_kinds(played.after, hurt=False) == of_kinds(plain.after, hurt=False)


def check_nothing(case: Case, played: Played, plain: Played) -> None:
    """The states are what they would have been; in words less may be known."""
    assert played.report is not None, played.raised
    assert plain.report is not None
    now, then = by_key(played.report), by_key(plain.report)
    assert {key: one.state for key, one in now.items()} == {key: one.state for key, one in then.items()}
    assert played.report.status is plain.report.status


def check_problem(case: Case, played: Played, plain: Played) -> None:
    """The message goes out, and says what could not be read."""
    assert played.report is not None, played.raised
    assert any(case.wrong.told in one and "cannot be read" in one for one in played.report.problems)
    assert played.report.status is not Status.OK
    assert len(played.messages) == 1


def check_stage(case: Case, played: Played, plain: Played) -> None:
    """What comes out says what could not be done, in the product's own words."""
    if case.wrong.garbled and played.raised is None:  # nothing that was needed stood in what is left out
        assert whats(played.after) == whats(plain.after)
        return
    assert isinstance(played.raised, HoldfastError), repr(played.raised)
    if plain.raised is None:
        assert case.wrong.told in str(played.raised)
    else:
        assert str(plain.raised).startswith(str(played.raised))


CHECKS = {
    Harm.ACT: check_act,
    Harm.LISTING: check_listing,
    Harm.REFUSAL: check_refusal,
    Harm.NOTHING: check_nothing,
    Harm.PROBLEM: check_problem,
    Harm.STAGE: check_stage,
}


def check(house: House, plain: dict[Any, Played], case: Case) -> None:
    usual = without_fault(house, plain, case.site)
    played = play(house, case.site, case)
    CHECKS[case.site.harm](case, played, usual)
    check_what_stands(case, played, usual)
    check_that_nothing_missing_is_ok(case, played, usual)
    check_that_it_heals(case, played, usual)


@pytest.mark.parametrize("case", FAIR_PART, ids=lambda case: case.id)
def test_a_fault_costs_what_depends_on_the_call_and_no_more(
    house: House, plain: dict[Any, Played], case: Case
) -> None:
    check(house, plain, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_fault_of_every_call_costs_what_depends_on_it_and_no_more(
    house: House, plain: dict[Any, Played], case: Case
) -> None:
    check(house, plain, case)


@pytest.mark.parametrize(
    ("fault", "may_pass"), [(wire.expired, True), (wire.throttled, True), (wire.denied, False)]
)
def test_a_run_waits_where_it_may_read_its_plan_later(house: House, fault: Fault, may_pass: bool) -> None:
    house.restore()
    house.wire.add(of("ssm.GetParameter"), fault)
    assert read_window(house.app().plans, "nightly")["may_pass"] is may_pass


# --- that the matrix is whole ------------------------------------------------------------------------------


def test_every_call_in_the_adapters_has_its_cases(house: House, plain: dict[Any, Played]) -> None:
    """A call that is new in the source is missing here by its name: in `sites`, and in what is seen on the
    wire."""
    special = [without_fault(house, plain, site) for site in SITES if site.is_special]
    seen = house.operations.union(*(one.operations for one in special))
    of_the_run = called(but=(*RESTORERS, *RETURNERS, *REHEARSERS))
    assert of_the_run - {one.name for one in (*SITES, *CHECK_SITES)} == set()
    assert of_the_run - seen == set()


def test_the_fair_part_has_every_operation() -> None:
    assert {one.site.name for one in FAIR_PART} == {one.site.name for one in CASES}
