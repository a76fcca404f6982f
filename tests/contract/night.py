"""Hours that pass in seconds, and a DynamoDB behind HTTP that fails as often as a test says.

Both stand below botocore: what is sent, repeated, signed and parsed is botocore's and the product's own.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from holdfast.adapters import patience
from holdfast.adapters.calls import CONNECT_SECONDS, READ_SECONDS, Pace
from holdfast.usecases import sweep as sweep_module
from tests.fakes import ACCOUNT, HOME

EVERY_THIRD = 1 / 3


@dataclass
class Night:
    """Time that passes when somebody waits for it. What threads would do at the same time is done one after
    the other, and takes as long as it would take them."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)
    """botocore's, between attempts."""

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.sleep(seconds)

    def deadline(self, seconds: float) -> Callable[[], float]:
        """The time left of an invocation that begins now."""
        end = self.now + seconds
        return lambda: end - self.now

    def lived_by(self, patch: pytest.MonkeyPatch) -> Self:
        """From now on botocore's pauses, the pace of the adapters and the sweeps take this time."""
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=self.pause))
        defaults: Any = Pace.__init__.__kwdefaults__
        patch.setitem(defaults, "clock", self.read)
        patch.setitem(defaults, "sleep", self.sleep)
        patch.setattr(sweep_module, "ThreadPoolExecutor", lambda max_workers: _Pool(self, max_workers))
        patch.setattr(patience, "random", random.Random(5))
        return self


@dataclass
class _Pool:
    """Each step is the next one's of the workers who is free first."""

    night: Night
    max_workers: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def map[Step, Told](self, act: Callable[[Step], Told], steps: Iterable[Step]) -> Iterator[Told]:
        free = [self.night.now] * self.max_workers
        told = []
        for step in steps:
            worker = free.index(min(free))
            self.night.now = free[worker]
            told.append(act(step))
            free[worker] = self.night.now
        self.night.now = max(free)
        return iter(told)


FAULTS = ("broken", "broken", "throttled", "throttled", "unreachable", "unheard", "answer lost")
"""A hang is rarer than a refusal."""


@dataclass
class Tables:
    """DynamoDB's backups and the Tagging API, as far as Holdfast calls them, over HTTP.

    An attempt takes `seconds`, and with the given `share` of probability it fails: with a server's error,
    throttled, without a connection, without an answer before the effect or after it.
    """

    night: Night
    names: list[str]
    share: float = EVERY_THIRD
    seconds: float = 0.16
    faults: tuple[str, ...] = FAULTS
    backups: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _number: int = 0

    def strung(self, patch: pytest.MonkeyPatch) -> Self:
        """Whatever botocore sends comes here, and nothing leaves the process."""
        patch.setattr("botocore.httpsession.URLLib3Session.send", lambda _, request: self.send(request))
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        return self

    def add_backup(self, table: str, name: str) -> str:
        """A backup that stands. Returns its ARN."""
        self._number += 1
        arn = f"{_arn(table)}/backup/{self._number:014d}-00000000"
        self.backups[arn] = {
            "TableName": table,
            "TableArn": _arn(table),
            "TableId": f"00000000-0000-4000-8000-{self.names.index(table):012d}",
            "BackupArn": arn,
            "BackupName": name,
            "BackupCreationDateTime": datetime(2026, 11, 22, 2, tzinfo=UTC).timestamp(),
            "BackupStatus": "AVAILABLE",
            "BackupType": "USER",
            "BackupSizeBytes": 1,
        }
        return arn

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        operation = _text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        asked = json.loads(_text(request.body))
        self.attempts[operation] += 1
        fault = self.chance.choice(self.faults) if self.chance.random() < self.share else ""
        if fault:
            self.failed[operation] += 1
        if fault == "unreachable":
            self.night.sleep(CONNECT_SECONDS)
            raise ConnectTimeoutError(endpoint_url=request.url)
        if fault == "unheard":
            self.night.sleep(CONNECT_SECONDS + READ_SECONDS)
            raise ReadTimeoutError(endpoint_url=request.url)
        self.night.sleep(self.seconds)
        if fault == "broken":
            return _answer(500, {"__type": "InternalServerError", "message": "we failed"})
        if fault == "refused":
            return _answer(400, {"__type": "AccessDeniedException", "message": "may not"})
        if fault == "full":
            return _answer(400, {"__type": "ServiceQuotaExceededException", "message": "no more"})
        if fault == "throttled":
            return _answer(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
        answer = getattr(self, f"_{operation}")(asked)
        if fault == "answer lost":
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer  # type: ignore[no-any-return]

    def _GetResources(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802  AWS's name
        begin = int(asked.get("PaginationToken") or 0)
        end = begin + asked["ResourcesPerPage"]
        tags = [{"Key": one["Key"], "Value": one["Values"][0]} for one in asked["TagFilters"]]
        found = [{"ResourceARN": _arn(one), "Tags": tags} for one in self.names[begin:end]]
        more = str(end) if end < len(self.names) else ""
        return _answer(200, {"ResourceTagMappingList": found, "PaginationToken": more})

    def _ListBackups(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802
        table, begin = asked.get("TableName"), asked.get("ExclusiveStartBackupArn", "")
        standing = [
            one
            for arn, one in self.backups.items()
            if arn.rpartition("/")[2] > begin.rpartition("/")[2] and table in (None, one["TableName"])
        ]
        page: dict[str, Any] = {"BackupSummaries": standing[: asked["Limit"]]}
        if len(standing) > asked["Limit"]:
            page["LastEvaluatedBackupArn"] = page["BackupSummaries"][-1]["BackupArn"]
        return _answer(200, page)

    def _CreateBackup(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802
        made = self.backups[self.add_backup(asked["TableName"], asked["BackupName"])]
        return _answer(200, {"BackupDetails": made})

    def _DeleteBackup(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802
        gone = self.backups.pop(asked["BackupArn"], None)
        if gone is None:
            return _answer(400, {"__type": "BackupNotFoundException", "message": "no such backup"})
        return _answer(200, {"BackupDescription": {"BackupDetails": gone}})


def _arn(table: str) -> str:
    return f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/{table}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body


def _answer(status: int, body: dict[str, Any]) -> AWSResponse:
    return AWSResponse("", status, {}, _Raw(json.dumps(body).encode()))  # type: ignore[arg-type]
