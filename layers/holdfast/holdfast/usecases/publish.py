"""The last stage: one message about the whole run, whatever failed before it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from holdfast.core.brief import cut
from holdfast.core.chat import chat_payload
from holdfast.core.cost import ZERO
from holdfast.core.errors import ProviderError
from holdfast.core.glance import Glance
from holdfast.core.message import subject, text
from holdfast.core.model import Home, Request
from holdfast.core.report import SCHEMA, Report, Stage, combine
from holdfast.core.usage import Usage
from holdfast.ports import Chat, Message, Notifier, RecordStore

MOST_BYTES = 262_144 - 4_096
"""What SNS takes of the messages for machines and people together, less the subject and the attributes."""

_LEAST_BYTES_OF_AN_OUTCOME = 150
"""No outcome is shorter as JSON: to write out what can never fit takes more memory than the function has."""

_MOST_SENTENCES, _LONGEST_SENTENCE = 10, 140
"""Of each of the six sorts, where not all of them fit: 118 KB at most, in whatever characters."""

_AGE = re.compile(r"\d+(?= (?:second|minute|hour|day)s?\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The run's report, and whether a message went out for it: not in a dry run, and never twice.
    `chat_problem` says why the one for the chat channel did not; empty when it did, or none was to."""

    report: Report
    message: Message
    sent: bool
    chat_problem: str = ""


def publish_report(
    records: RecordStore,
    notifier: Notifier,
    request: Request,
    home: Home,
    chat: Chat | None = None,
    usage: Callable[[], Usage] = Usage,
) -> Published:
    """Combine the stages' records, tell people, and keep the result as the run's own record.

    Needs no plan, so that a plan that cannot be read is told too. The same report is not sent a second
    time: an invocation that AWS repeats sends nothing new. The chat channel, if there is one, is told when
    the message is out and noted as such, and its failure is no more than a sentence in the answer. `usage`
    tells what this invocation has used until the message is made.
    """
    stages: dict[Stage, Report | None] = {}
    problems = list(request.problems)
    for stage in (Stage.CREATE, Stage.COPY, Stage.PRUNE):
        try:
            stages[stage] = records.load(request.plan, request.slot, stage)
        except ProviderError as error:  # a record that is lost must not cost people their message
            problems.append(f"the record of {stage}_backups cannot be read ({error})")
    if request.unchecked:
        problems.append(f"check_recovery_points could not do its work: {request.unchecked}")
    combined = combine(stages, request.plan, request.slot, problems, told=bool(request.problems))
    report = replace(
        combined,
        dry_run=request.dry_run,
        run=request.run,
        glance=request.glance,
        usage=combined.usage + usage(),
    )
    message = message_of(report, records.address(request.plan, request.slot, Stage.REPORT), home)
    send = not request.dry_run and not _was_told(records, report)
    chat_problem = ""
    if send:
        notifier.publish(message)
        records.save(report)
        chat_problem = _tell_chat(chat, message)
    pruned = stages.get(Stage.PRUNE)
    if pruned and pruned.foretold and not request.dry_run:
        # Also when the message went out before: what follows it may have failed then.
        records.tell(request.plan, request.slot, pruned.foretold)
    return Published(report=report, message=message, sent=send, chat_problem=chat_problem)


def message_of(report: Report, address: str, home: Home) -> Message:
    """What is sent about a run, small enough for SNS. `address` is where its record is."""
    body = _readable(report, address, home)
    return Message(
        subject=subject(report),
        text=body,
        data=_fitting(report, home, MOST_BYTES - _bytes_in_json(body)),
        chat=json.dumps(chat_payload(report, address, home), ensure_ascii=False),
        attributes={
            "status": str(report.status),
            "plan": report.plan,
            "schema": SCHEMA,
            "news": "true" if report.notices else "false",
        },
    )


def _tell_chat(chat: Chat | None, message: Message) -> str:
    """Why the channel was not told; empty when it was, or there is none."""
    if chat is None:
        return ""
    try:
        chat.tell(message)
    except ProviderError as error:
        return f"the chat channel was not told ({error})"
    return ""


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
    return replace(
        report,
        refusals=_short(report.refusals),
        problems=_short(report.problems),
        notices=_short(report.notices),
        warnings=_short(report.warnings),
        glance=_with_short_breaches(report.glance),
    )


def _with_short_breaches(glance: Glance | None) -> Glance | None:
    if glance is None:
        return None
    return replace(glance, breaches=_short(glance.breaches), problems=_short(glance.problems))


def _short(sentences: Sequence[str]) -> list[str]:
    return [cut(one, _LONGEST_SENTENCE) for one in sentences[:_MOST_SENTENCES]]


def _bytes_in_json(text: str) -> int:
    """SNS wants each body as a string within JSON, where quotes and line ends become two characters."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _was_told(records: RecordStore, report: Report) -> bool:
    try:
        told = records.load(report.plan, report.slot, Stage.REPORT)
    except ProviderError:
        return False  # better told twice than never
    return told is not None and _news(told).to_dict() == _news(report).to_dict()


def _news(report: Report) -> Report:
    """What of a report is worth telling again: not how long the work took and what it used, since a run that
    AWS started twice sweeps twice, nor when it was looked at how everything stands and what that costs."""
    return replace(report, seconds=0, run="", usage=Usage(), glance=_news_of(report))


def _news_of(report: Report) -> Glance | None:
    if report.glance is None:
        return None
    return replace(
        report.glance,
        at=report.slot,
        now_usd=ZERO,
        full_usd=ZERO,
        own_usd=ZERO,
        cost_is_whole=True,
        breaches=[_AGE.sub("", one) for one in report.glance.breaches],
        problems=[_AGE.sub("", one) for one in report.glance.problems],
    )
