"""What a backup of ours is called and tagged, and how it is recognised again.

DynamoDB backups cannot carry tags, so there the name is the whole mark. RDS, Aurora and EBS snapshots
carry the mark in tags, and their name is derived from it: a snapshot is ours only when both agree. A
person's manual copy of our snapshot inherits the tags but not the name, and is therefore left alone.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from holdfast.core.model import Mark, name_of, region_of

STACK_TAG = "holdfast:stack"
SLOT_TAG = "holdfast:slot"
SOURCE_TAG = "holdfast:source"
COPY_TAG = "holdfast:copy-of"
RESOURCE_ID_TAG = "holdfast:resource-id"
ATTEMPT_TAG = "holdfast:attempt"
MARK_PLAN_TAG = "holdfast:plan"

INSTANCE_SNAPSHOT_LIMIT = 255
CLUSTER_SNAPSHOT_LIMIT = 63
DYNAMODB_BACKUP_LIMIT = 255
EBS_NAME_LIMIT = 255
"""EC2 takes 256 characters as a tag's value."""

MAX_TAGS = 50
"""RDS and EC2 refuse a 51st tag on a snapshot."""

PLAN_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")
"""Hyphens and dots separate the parts of a backup's name, so a plan's name has none."""

_SLOT_FORMAT = "%Y%m%dT%H%M%SZ"
_BACKUP_NAME = re.compile(
    r"(?P<stack>[A-Za-z][A-Za-z0-9-]*)\.(?P<plan>[a-z][a-z0-9]*)\.(?P<slot>\d{8}T\d{6}Z)"
)
_DIGEST_LENGTH = 8
_PLAIN_STACK = re.compile(r"[a-z0-9]+")
_ATTEMPT = re.compile(r"[1-9][0-9]?")


def format_slot(slot: datetime) -> str:
    """A slot as it stands in tags, events and messages: `2026-11-22T02:00:00Z`."""
    return slot.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_slot(text: str) -> datetime | None:
    """The slot that `format_slot` wrote, or `None` when the text is not one."""
    try:
        slot = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    # strptime also takes "2026-1-2T3:4:5Z", which would be a second spelling of one slot.
    return slot if format_slot(slot) == text else None


def compact_slot(slot: datetime) -> str:
    """A slot as it stands in names and record keys: `20261122T020000Z`."""
    return slot.astimezone(UTC).strftime(_SLOT_FORMAT)


def backup_name(mark: Mark) -> str:
    """The name of a DynamoDB backup: `<stack>.<plan>.<slot>`. The table is not in it; the API knows it."""
    return f"{mark.stack}.{mark.plan}.{compact_slot(mark.slot)}"


def mark_from_backup_name(name: str, source: str) -> Mark | None:
    """The mark that `backup_name` wrote, or `None` when Holdfast did not name this backup."""
    found = _BACKUP_NAME.fullmatch(name)
    if found is None:
        return None
    try:
        slot = datetime.strptime(found["slot"], _SLOT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    mark = Mark(stack=found["stack"], plan=found["plan"], slot=slot, source=source)
    return mark if backup_name(mark) == name else None


def snapshot_name(mark: Mark, limit: int) -> str:
    """The identifier of an RDS, Aurora or EBS snapshot: `<stack>-<plan>-<resource>-<slot>`, lower case.

    A copy has its source's Region before the resource's name, so that two stacks which copy to each
    other's Regions never want the same identifier; a further attempt has its number behind it, since the
    failed copy keeps its own. No double hyphen, since RDS refuses one.

    A name over `limit` is cut in the middle, and a digest of the whole put there. The digest is also in the
    names of a stack that has a hyphen or a capital letter itself: `a-b` with `c`, `a` with `b-c`, and `A-B`
    would else want the same.
    """
    resource = name_of(mark.source)
    label = f"{region_of(mark.source)}-{resource}" if mark.copy_of else resource
    if mark.attempt > 1:
        label += f"-try{mark.attempt}"
    slot = compact_slot(mark.slot).lower()
    head = _squeeze(f"{mark.stack}-{mark.plan}-{label}")
    if _PLAIN_STACK.fullmatch(mark.stack) and len(head) + 1 + len(slot) <= limit:
        return f"{head}-{slot}"
    whole = "/".join((mark.stack, mark.plan, label, slot))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_LENGTH]
    room = limit - len(slot) - len(digest) - 2
    return f"{head[:room].rstrip('-')}-{digest}-{slot}"


def mark_tags(mark: Mark) -> dict[str, str]:
    """The tags that carry a mark."""
    tags = {
        STACK_TAG: mark.stack,
        MARK_PLAN_TAG: mark.plan,
        SLOT_TAG: format_slot(mark.slot),
        SOURCE_TAG: mark.source,
    }
    attempt = str(mark.attempt) if mark.attempt > 1 else ""
    more = {COPY_TAG: mark.copy_of, RESOURCE_ID_TAG: mark.resource_id, ATTEMPT_TAG: attempt}
    return tags | {key: value for key, value in more.items() if value}


def mark_from_tags(name: str, tags: Mapping[str, str], limit: int) -> Mark | None:
    """The mark that `mark_tags` and `snapshot_name` wrote, or `None` when they disagree or lack a part."""
    slot = parse_slot(tags.get(SLOT_TAG, ""))
    source = tags.get(SOURCE_TAG, "")
    attempt = tags.get(ATTEMPT_TAG, "1")
    if not _ATTEMPT.fullmatch(attempt):
        return None
    if slot is None or source.count(":") < 5 or not tags.get(STACK_TAG) or not tags.get(MARK_PLAN_TAG):
        return None
    mark = Mark(
        stack=tags[STACK_TAG],
        plan=tags[MARK_PLAN_TAG],
        slot=slot,
        source=source,
        copy_of=tags.get(COPY_TAG, ""),
        resource_id=tags.get(RESOURCE_ID_TAG, ""),
        attempt=int(attempt),
    )
    return mark if snapshot_name(mark, limit) == name else None


def tags_for(mark: Mark, carried: Mapping[str, str]) -> dict[str, str]:
    """The tags of a new backup: the resource's (or the copied backup's) own, then ours.

    Tags that AWS keeps for itself (`aws:`, `rds:`) make the call fail and are left out, as are all of
    `holdfast:`, which speak of the resource and not of the backup. What is over 49 is dropped, in the
    order of the keys, so that a retry drops the same; one more is left for a hold.
    """
    reserved = ("aws:", "rds:", "holdfast:")
    own = {key: carried[key] for key in sorted(carried) if not key.lower().startswith(reserved)}
    ours = mark_tags(mark)
    return dict(list(own.items())[: MAX_TAGS - 1 - len(ours)]) | ours


def _squeeze(text: str) -> str:
    return re.sub(r"-{2,}", "-", text.lower()).strip("-")
