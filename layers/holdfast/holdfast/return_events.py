"""The events that ask for lost items, read at the edge into a `core.returning.ReturnRequest`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.core.brief import joined, shown
from holdfast.core.errors import RequestError
from holdfast.core.model import account_of, region_of
from holdfast.core.returning import Changed, ReturnRequest
from holdfast.events import unwrapped

_KEYS = ("from", "to", "changed", "id", "dry_run")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TABLE = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z]{2}(-[a-z]+)+-\d:\d{12}:table/[A-Za-z0-9_.-]{3,255}")
_EXAMPLE = "such as 'arn:aws:dynamodb:us-east-1:123456789012:table/orders'"


def parse_return(event: object, account: str, regions: Sequence[str], run: str) -> ReturnRequest:
    """What an event asks `return_items`. `regions` may have restored tables; the first is the stack's own.
    `run` is its id where it gives none. Raises `RequestError` that names all mistakes."""
    body, _ = unwrapped(event)
    mistakes = list(_mistakes(body, account, tuple(dict.fromkeys(regions))))
    if mistakes:
        raise RequestError("the event cannot be used: " + joined(mistakes))
    return ReturnRequest(
        id=body.get("id") or run,
        source=body["from"],
        target=body.get("to") or "",
        changed=Changed(body.get("changed", Changed.KEEP)),
        dry_run=body.get("dry_run", False),
    )


def _mistakes(body: Mapping[str, Any], account: str, regions: Sequence[str]) -> Iterator[str]:
    for key in sorted(map(str, set(body) - set(_KEYS))):
        yield f"{key}: not a key of this function; allowed are {', '.join(_KEYS)}"
    source, target = body.get("from"), body.get("to") or ""
    yield from _mistakes_of_table("from", source, account, regions)
    if target:
        yield from _mistakes_of_table("to", target, account, regions[:1])
        if source == target:
            yield "to: it is the table of 'from' too; give the table that has lost items"
    changed = body.get("changed", "keep")
    if changed not in list(Changed):
        yield f"changed: {shown(changed)} is not allowed; give {' or '.join(map(repr, map(str, Changed)))}"
    id_ = body.get("id", "")
    if not isinstance(id_, str) or (id_ and not _ID.fullmatch(id_)):
        yield f"id: {shown(id_)} is not allowed; give 1 to 64 letters, digits, '_' and '-'"
    if not isinstance(body.get("dry_run", False), bool):
        yield f"dry_run: {shown(body['dry_run'])} is not allowed; give true or false"


def _mistakes_of_table(key: str, arn: object, account: str, regions: Sequence[str]) -> Iterator[str]:
    if not isinstance(arn, str) or not _TABLE.fullmatch(arn):
        what = "a table that `restore` made" if key == "from" else "the table that has lost items"
        yield f"{key}: {shown(arn)} is no ARN of a DynamoDB table; give that of {what}, {_EXAMPLE}"
        return
    if account and account_of(arn) != account:
        yield f"{key}: {shown(arn)} is of another account; give a table of {account}"
    if region_of(arn) not in regions:
        yield f"{key}: {shown(arn)} is of another Region; give a table in {' or '.join(regions)}"
