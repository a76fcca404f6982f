"""The matrix: each call of the product, with each thing that can go wrong with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.faults import wire
from tests.faults.codes import DECLARED, EC2, EC2_SERVER_ERRORS, Meaning
from tests.faults.operations import declared
from tests.faults.protocols import denial, expiry, internal_error, throttling
from tests.faults.sites import SITES
from tests.faults.sites.site import Harm, Site
from tests.faults.wire import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Something that goes wrong with a call: what it means, and a word of it that people must be told.
    `garbled`: the answer is a good one, but for what is left of it."""

    name: str
    fault: Fault
    meaning: Meaning
    told: str
    garbled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    site: Site
    wrong: Wrong

    @property
    def id(self) -> str:
        return f"{self.site.id}-{self.wrong.name}"


_ABORTED = "RequestAbortedException"
"""One of AWS's common errors: "the request was aborted before a reply was sent back"."""

_LOST: Mapping[str, tuple[Fault, str]] = {"unheard": (wire.unheard, "ReadTimeoutError")}
_LOST_AFTER_THE_EFFECT: Mapping[str, tuple[Fault, str]] = {
    "lost-answer": (wire.lost_answer, "ReadTimeoutError"),
}
_LOST_IN_OTHER_WAYS: Mapping[str, tuple[Fault, str]] = {
    "outage": (wire.outage, "503"),
    "unreachable": (wire.unreachable, "ConnectTimeoutError"),
    "reset": (wire.reset, "ConnectionClosedError"),
    "reset-after": (wire.reset_after, "ConnectionClosedError"),
    "aborted": (wire.error(_ABORTED), _ABORTED),
}
"""Tried with the calls that make, copy or delete a backup."""
_GARBLED: Mapping[str, Fault] = {"truncated": wire.truncated, "emptied": wire.emptied}


def _of_any_call(site: Site) -> Iterator[Wrong]:
    service = site.name.partition(".")[0]
    answers: tuple[tuple[str, Fault, str, Meaning], ...] = (
        ("throttled", wire.throttled, throttling(service)[0], Meaning.SLOW),
        ("denied", wire.denied, denial(service)[0], Meaning.DENIED),
        ("expired", wire.expired, expiry(service)[0], Meaning.STALE),
        ("internal", wire.internal, internal_error(service), Meaning.UNCLEAR),
    )
    for name, fault, code, meaning in answers:
        yield Wrong(name=name, fault=fault, meaning=meaning, told=code)
    lost = _LOST if site.reads else {**_LOST, **_LOST_AFTER_THE_EFFECT}
    if site.harm is Harm.ACT and not site.reads:
        lost = {**lost, **_LOST_IN_OTHER_WAYS}
    for name, (fault, told) in lost.items():
        yield Wrong(name=name, fault=fault, meaning=Meaning.UNCLEAR, told=told)
    for name, fault in _GARBLED.items():
        yield Wrong(name=name, fault=fault, meaning=Meaning.UNCLEAR, told="", garbled=True)


def _of_its_own(site: Site) -> Iterator[Wrong]:
    """What the service declares, or EC2's list describes, for the operation."""
    service, _, operation = site.name.partition(".")
    known = DECLARED.get(site.name, {})
    codes = sorted(EC2[operation]) if service == "ec2" else declared(site.name)
    for code in codes:
        meaning = EC2[operation][code] if service == "ec2" else known.get(code)
        if meaning is None and site.harm in (Harm.ACT, Harm.LISTING) and not _is_no_failure(site, code):
            raise LookupError(f"say in tests/faults/codes.py what {code} means for {site.name}")
        status = EC2_SERVER_ERRORS.get(code, 400)
        yield Wrong(
            name=code,
            fault=wire.error(code, f"{code}, said the test", status),
            meaning=meaning or Meaning.OTHER,
            told=code,
        )
    if site.name in ("rds.CopyDBSnapshot", "rds.CopyDBClusterSnapshot"):
        # The other meaning of this code, which its message alone tells.
        text = "Cannot copy more than 20 snapshots across regions"
        code = "SnapshotQuotaExceeded"
        fault = wire.error(code, text)
        yield Wrong(name=f"{code}-in-flight", fault=fault, meaning=Meaning.FULL, told=text)


NO_FAILURES = {
    ("dynamodb.DescribeExport", "ExportNotFoundException"),
    ("s3.GetObject", "NoSuchKey"),
    ("ssm.GetParameter", "ParameterNotFound"),
}
"""Answers that tell a state rather than a failure. `test_matrix` has tests of their own for them."""


def _is_no_failure(site: Site, code: str) -> bool:
    return (site.name, code) in NO_FAILURES


def all_cases(sites: Iterable[Site] = SITES) -> list[Case]:
    """Every case, in an order that does not change."""
    return [
        Case(site=site, wrong=wrong)
        for site in sites
        for wrong in (*_of_any_call(site), *_of_its_own(site))
        if not _is_no_failure(site, wrong.name)
    ]


def fair_part(cases: list[Case]) -> list[Case]:
    """Each operation once, each time with another thing that goes wrong; and each harm of each stage, each
    way that an error is handled and each thing that can befall any call, at least once."""
    chosen: dict[str, Case] = {}
    seen: set[object] = set()
    by_operation: dict[str, list[Case]] = {}
    for case in cases:
        by_operation.setdefault(case.site.name, []).append(case)
    for turn, of_one in enumerate(by_operation.values()):
        rotated = of_one[turn % len(of_one) :] + of_one[: turn % len(of_one)]
        case = max(rotated, key=lambda each: len(_aspects(each) - seen))
        chosen[case.id] = case
        seen |= _aspects(case)
    for case in cases:
        if not _aspects(case) <= seen:
            chosen[case.id] = case
            seen |= _aspects(case)
    return list(chosen.values())


def _aspects(case: Case) -> set[object]:
    """What a case is an example of. What an error means decides what becomes of an act and of a listing; all
    else is told alike."""
    site, wrong = case.site, case.wrong
    name = wrong.name if wrong.name[0].islower() else "its own"
    handling = (site.harm, wrong.meaning if site.harm in (Harm.ACT, Harm.LISTING) else None)
    return {name, (site.stage, site.harm), handling}
