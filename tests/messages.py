"""What every message has to be: as its schema says, and as SNS and chat channels take it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from holdfast.ports import Message

MOST_BYTES_OF_SNS = 262_144
MOST_ATTRIBUTES = 10
"""More of them SNS does not pass on to a queue."""

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = DOCS / "message.schema.json"
RESTORE_SCHEMA = DOCS / "restore.schema.json"
DRILL_SCHEMA = DOCS / "drill.schema.json"
RETURN_SCHEMA = DOCS / "return.schema.json"
RECOVERY_SCHEMA = DOCS / "recovery.schema.json"
OTHERS = {
    "holdfast.restore/1": RESTORE_SCHEMA,
    "holdfast.drill_run/1": DRILL_SCHEMA,
    "holdfast.return/1": RETURN_SCHEMA,
    "holdfast.recovery/1": RECOVERY_SCHEMA,
}
"""The messages that are not of a run, by their own schemas."""

OF_A_PLAN = ("holdfast.drill_run/1", "holdfast.recovery/1")
"""Those of them that bear the name of a plan to filter by."""


@cache
def validator(what: str = "message", file: Path = SCHEMA) -> Draft202012Validator:
    """Of a `message`, a `record` or an `answer`; of a restore's `message` or `document` by its own file."""
    schema = json.loads(file.read_text()) | {"$ref": f"#/$defs/{what}"}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def check_data(data: Mapping[str, Any], what: str = "message", file: Path = SCHEMA) -> None:
    """Raises `AssertionError` with what the schema has against it."""
    wrong = next(validator(what, file).iter_errors(dict(data)), None)
    assert wrong is None, f"{wrong.json_path}: {wrong.message[:500]}"


def check(message: Message) -> None:
    """Raises `AssertionError` when it is not as documented, or SNS would not take it."""
    data = json.loads(message.data)
    is_of_run = data["schema"] not in OTHERS
    check_data(data, file=OTHERS.get(data["schema"], SCHEMA))
    assert 0 < len(message.subject) < 100
    assert message.subject.isprintable()
    assert message.subject.isascii()
    bodies = {"default": message.data, "email": message.text, "sms": message.subject}
    sizes = [len(json.dumps(bodies, ensure_ascii=False).encode())]
    sizes += [
        len(name.encode()) + len(b"String") + len(one.encode()) for name, one in message.attributes.items()
    ]
    assert sum(sizes) <= MOST_BYTES_OF_SNS
    is_of_plan = is_of_run or data["schema"] in OF_A_PLAN
    named = {"status", "plan", "schema"} if is_of_plan else {"status", "schema"}
    assert set(message.attributes) == named | {"news"}
    assert len(message.attributes) <= MOST_ATTRIBUTES
    assert all(message.attributes.values())
    assert {name: message.attributes[name] for name in named} == {name: data[name] for name in named}
    if is_of_run:
        check_chat(message.chat)


def check_chat(chat: str) -> None:
    """Raises `AssertionError` when it is no custom notification of Amazon Q Developer, or too much of one."""
    assert len(chat.encode()) < 16_384
    payload = json.loads(chat)
    assert (payload["version"], payload["source"]) == ("1.0", "custom")
    content, metadata = payload["content"], payload["metadata"]
    assert set(payload) == {"version", "source", "content", "metadata"}
    assert set(content) - {"nextSteps"} == {"textType", "title", "description", "keywords"}
    assert set(metadata) - {"relatedResources"} == {"threadId", "summary", "eventType", "additionalContext"}
    assert content["textType"] == "client-markdown"
    assert 0 < len(content["title"]) < 150
    assert 0 < len(content["description"]) <= 3000
    lists = [*content.get("nextSteps", ["-"]), *content["keywords"], *metadata.get("relatedResources", ["-"])]
    assert all(0 < len(one) <= 600 for one in lists)
    assert max(len(content.get("nextSteps", [])), len(content["keywords"])) <= 5
    assert all(isinstance(one, str) for one in metadata["additionalContext"].values())
