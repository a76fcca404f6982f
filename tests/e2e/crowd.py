"""A company with very many tables and volumes: what AWS would list of them, without a server that holds them.

moto would need minutes to make as many, and lists them by going through all for each page.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from xml.sax.saxutils import escape

from holdfast.core import naming
from holdfast.core.model import Mark
from local.sandbox import ACCOUNT_ID, COPY_REGION, HOME_REGION
from tests.e2e.wire import Call, Reply, in_json

PAGE_SIZE = 100
EC2_PAGE_SIZE = 1000
TAGS = {
    "holdfast:plan": "nightly",
    "team": "orders and deliveries",
    "stage": "production",
    "cost-centre": "4711-0815",
    "owner": "platform@example.com",
}


@dataclass(slots=True, kw_only=True)
class Crowd:
    """So many tables and volumes, each with a backup of each of `slots`, and the volumes' snapshots of
    `copied` in the copy Region too. As a `Rule` it answers the calls that list, make and copy them."""

    tables: int
    volumes: int
    slots: Sequence[datetime]
    copied: Sequence[datetime] = ()
    stack: str = "holdfast"
    plan: str = "nightly"
    _number: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(self, call: Call) -> Reply | None:
        answer = self._answers().get(call.operation)
        return answer(call) if answer else None

    def _answers(self) -> dict[str, Callable[[Call], Reply]]:
        return {
            "GetResources": self._get_resources,
            "ListTables": self._list_tables,
            "DescribeTable": _describe_table,
            "ListBackups": self._list_backups,
            "DescribeVolumes": self._describe_volumes,
            "DescribeInstances": lambda _: _ec2("DescribeInstances", "reservationSet", [], ""),
            "DescribeSnapshots": self._describe_snapshots,
            "CreateBackup": self._create_backup,
            "CreateSnapshot": self._one_snapshot,
            "CopySnapshot": self._one_snapshot,
        }

    # Tables.

    def _get_resources(self, call: Call) -> Reply:
        asked = call.asked
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        numbers, after = _page(range(self.tables), asked.get("PaginationToken"), PAGE_SIZE)
        listed = [{"ResourceARN": _table(number), "Tags": tags} for number in numbers]
        return in_json({"ResourceTagMappingList": listed, "PaginationToken": after})

    def _list_tables(self, call: Call) -> Reply:
        """What comes after is named by the last one."""
        last = call.asked.get("ExclusiveStartTableName", "-").rpartition("-")[2]
        numbers, more = _page(range(self.tables), int(last) + 1 if last else 0, PAGE_SIZE)
        names = [_table_name(number) for number in numbers]
        return in_json({"TableNames": names, **({"LastEvaluatedTableName": names[-1]} if more else {})})

    def _list_backups(self, call: Call) -> Reply:
        every = range(self.tables * len(self.slots))
        after = call.asked.get("ExclusiveStartBackupArn", "").rpartition("/")[2]
        numbers, more = _page(every, after, PAGE_SIZE)
        answer: dict[str, object] = {"BackupSummaries": [self._backup(number) for number in numbers]}
        if more:
            answer["LastEvaluatedBackupArn"] = f"{_table(numbers[-1])}/backup/{more}"
        return in_json(answer)

    def _backup(self, number: int) -> dict[str, object]:
        table, slot = divmod(number, len(self.slots))
        return _described(table, naming.backup_name(self._mark(_table(table), self.slots[slot])), "AVAILABLE")

    def _create_backup(self, call: Call) -> Reply:
        asked = call.asked
        number = int(asked["TableName"].rsplit("-", 1)[1])
        return in_json({"BackupDetails": _described(number, asked["BackupName"], "AVAILABLE")})

    # Volumes.

    def _describe_volumes(self, call: Call) -> Reply:
        numbers, after = _page(range(self.volumes), call.asked.get("NextToken"), EC2_PAGE_SIZE)
        return _ec2("DescribeVolumes", "volumeSet", map(_volume_item, numbers), after)

    def _describe_snapshots(self, call: Call) -> Reply:
        slots = self.slots if call.region == HOME_REGION else self.copied
        every = range(self.volumes * len(slots))
        numbers, after = _page(every, call.asked.get("NextToken"), EC2_PAGE_SIZE)
        items = (self._snapshot_item(number, slots, call.region) for number in numbers)
        return _ec2("DescribeSnapshots", "snapshotSet", items, after)

    def _snapshot_item(self, number: int, slots: Sequence[datetime], region: str) -> str:
        volume, slot = divmod(number, len(slots))
        mark = self._mark(_volume(volume), slots[slot])
        description = f"Made by Holdfast of {_volume_id(volume)} for {naming.format_slot(mark.slot)}"
        made_of = _volume_id(volume)
        if region == COPY_REGION:
            mark = replace(mark, copy_of=f"arn:aws:ec2:{HOME_REGION}::snapshot/{_snapshot_id(volume, slot)}")
            description = f"Copied by Holdfast from {mark.copy_of}"
            made_of = "vol-ffffffff"
        tags = naming.tags_for(mark, TAGS) | {"Name": naming.snapshot_name(mark, naming.EBS_NAME_LIMIT)}
        return (
            f"<item><snapshotId>{_snapshot_id(volume, slot)}</snapshotId><volumeId>{made_of}</volumeId>"
            f"<status>completed</status><startTime>{naming.format_slot(mark.slot)}</startTime>"
            f"<progress>100%</progress><ownerId>{ACCOUNT_ID}</ownerId><volumeSize>100</volumeSize>"
            f"<description>{escape(description)}</description><encrypted>false</encrypted>{_tag_set(tags)}"
            "</item>"
        )

    def _one_snapshot(self, call: Call) -> Reply:
        made = f"<snapshotId>snap-{next(self._number):017x}</snapshotId><status>pending</status>"
        name = call.operation
        return _xml(f"<{name}Response>{made}</{name}Response>")

    def _mark(self, source: str, slot: datetime) -> Mark:
        return Mark(stack=self.stack, plan=self.plan, slot=slot, source=source)


def _table(number: int) -> str:
    return _table_arn(_table_name(number))


def _table_name(number: int) -> str:
    return f"orders-of-the-company-{number:05d}"


def _table_arn(name: str) -> str:
    return f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT_ID}:table/{name}"


def _describe_table(call: Call) -> Reply:
    name = call.asked["TableName"]
    return in_json({"Table": {"TableName": name, "TableArn": _table_arn(name), "TableStatus": "ACTIVE"}})


def _described(table: int, name: str, status: str) -> dict[str, object]:
    source = _table(table)
    return {
        "TableName": source.rsplit("/", 1)[1],
        "TableId": f"{table:08x}-0000-4000-8000-000000000000",
        "TableArn": source,
        "BackupArn": f"{source}/backup/{abs(hash(name)) % 10**14:014d}-{table:08x}",
        "BackupName": name,
        "BackupCreationDateTime": 1795312800.0,
        "BackupStatus": status,
        "BackupType": "USER",
        "BackupSizeBytes": 4096,
    }


def _volume_id(number: int) -> str:
    return f"vol-{number:017x}"


def _volume(number: int) -> str:
    return f"arn:aws:ec2:{HOME_REGION}:{ACCOUNT_ID}:volume/{_volume_id(number)}"


def _snapshot_id(volume: int, slot: int) -> str:
    return f"snap-{slot:02x}{volume:015x}"


def _volume_item(number: int) -> str:
    return (
        f"<item><volumeId>{_volume_id(number)}</volumeId><size>100</size><status>available</status>"
        f"<createTime>2026-01-01T00:00:00.000Z</createTime><encrypted>false</encrypted>{_tag_set(TAGS)}</item>"
    )


def _tag_set(tags: dict[str, str]) -> str:
    items = (
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in tags.items()
    )
    return f"<tagSet>{''.join(items)}</tagSet>"


def _page(every: range, after: object, size: int) -> tuple[range, str]:
    """The numbers that follow those up to `after`, and what to give for `after` next: empty at the end."""
    start = int(str(after or 0))
    page = every[start : start + size]
    return page, str(start + size) if start + size < len(every) else ""


def _ec2(operation: str, of: str, items: Iterable[str], after: str) -> Reply:
    more = f"<nextToken>{after}</nextToken>" if after else ""
    return _xml(f"<{operation}Response><{of}>{''.join(items)}</{of}>{more}</{operation}Response>")


def _xml(text: str) -> Reply:
    return Reply(body=text.encode(), headers={"Content-Type": "text/xml;charset=UTF-8"})
