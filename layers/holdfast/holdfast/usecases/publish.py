"""The last stage: one message about the whole run, whatever failed before it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from holdfast.core.brief import cut
from holdfast.core.errors import ProviderError
from holdfast.core.message import subject, text
from holdfast.core.model import Home, Request
from holdfast.core.report import SCHEMA, Report, Stage, combine
from holdfast.ports import Message, Notifier, RecordStore

MOST_BYTES = 262_144 - 4_096
"""What SNS takes of the messages for machines and people together, less the subject and the attributes."""

_LEAST_BYTES_OF_AN_OUTCOME = 150
"""No outcome is shorter as JSON: to write out what can never fit takes more memory than the function has."""

_MOST_SENTENCES, _LONGEST_SENTENCE = 10, 200
"""Of each sort, where not all of them fit: 112 KB at most, in whatever characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The run's report, and whether a message went out for it: not in a dry run, and never twice."""

    report: Report
    message: Message
    sent: bool


def publish_report(records: RecordStore, notifier: Notifier, request: Request, home: Home) -> Published:
    """Combine the stages' records, tell people, and keep the result as the run's own record.

    Needs no plan, so that a plan that cannot be read is told too. The same report is not sent a second
    time: an invocation that AWS repeats sends nothing new.
    """
    stages: dict[Stage, Report | None] = {}
    problems = list(request.problems)
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        try:
            stages[stage] = records.load(request.plan, request.slot, stage)
        except ProviderError as error:  # a record that is lost must not cost people their message
            problems.append(f"the record of {stage}_backups cannot be read ({error})")
    report = replace(
        combine(stages, request.plan, request.slot, problems, told=bool(request.problems)),
        dry_run=request.dry_run,
    )
    body = _readable(report, records.address(request.plan, request.slot, Stage.REPORT), home)
    message = Message(
        subject=subject(report),
        text=body,
        data=_fitting(report, home, MOST_BYTES - _bytes_in_json(body)),
        attributes={
            "status": str(report.status),
            "plan": report.plan,
            "schema": SCHEMA,
            "news": "true" if report.notices else "false",
        },
    )
    send = not request.dry_run and not _was_told(records, report)
    if send:
        notifier.publish(message)
        records.save(report)
    pruned = stages.get(Stage.PRUNE)
    if pruned and pruned.foretold and not request.dry_run:
        # Also when the message went out before: what follows it may have failed then.
        records.tell(request.plan, request.slot, pruned.foretold)
    return Published(report=report, message=message, sent=send)


def _readable(report: Report, address: str, home: Home) -> str:
    """The text for people, of which the rest is left out where it would leave no room for the JSON."""
    body = whole = text(report, address, home)
    while _bytes_in_json(body) > MOST_BYTES // 2:
        body = body[: len(body) * 2 // 3]
    return body if body == whole else f"{body}\n…\n\nThe whole record: {address}\n"


def _fitting(report: Report, home: Home, most_bytes: int) -> str:
    """The report as JSON, with where it comes from and as many outcomes as fit, failures first. Where not
    even its sentences do, they are cut."""
    place = {"stack": home.stack, "region": home.region, "account": home.account}
    most = min(len(report.outcomes), most_bytes // _LEAST_BYTES_OF_AN_OUTCOME)
    while True:
        data = json.dumps(place | report.to_dict(most=most))
        if _bytes_in_json(data) <= most_bytes:
            return data
        if most == 0:
            return json.dumps(place | _with_short_sentences(report).to_dict(most=0))
        most = most * 2 // 3


def _with_short_sentences(report: Report) -> Report:
    def short(sentences: Sequence[str]) -> list[str]:
        return [cut(one, _LONGEST_SENTENCE) for one in sentences[:_MOST_SENTENCES]]

    return replace(
        report,
        refusals=short(report.refusals),
        problems=short(report.problems),
        notices=short(report.notices),
        warnings=short(report.warnings),
    )


def _bytes_in_json(text: str) -> int:
    """SNS wants each body as a string within JSON, where quotes and line ends become two characters."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _was_told(records: RecordStore, report: Report) -> bool:
    try:
        told = records.load(report.plan, report.slot, Stage.REPORT)
    except ProviderError:
        return False  # better told twice than never
    # How long the work took is no news: a run that AWS started twice sweeps twice.
    return told is not None and replace(told, seconds=0).to_dict() == replace(report, seconds=0).to_dict()
