"""Turns: who may do now what only one may do at a time, by conditional writes to S3.

DynamoDB's CreateBackup cannot be repeated safely, and Lambda may run one event twice, even at the same
moment. So a sweep that creates takes its plan's turn first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import ChangedMeanwhile, S3Documents
from holdfast.core.errors import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEASE_SECONDS = 20.0


class S3Turns:
    """One object a name, `turns/<name>.json`, that says until when the turn is taken.

    Whoever has a turn renews it in the background, three times as often as it would end, and the turn of
    one that was killed ends by itself. The clocks of two functions may differ by less than the lease.
    """

    def __init__(self, *, client: "S3Client", bucket: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)
        self._lease = timedelta(seconds=lease_seconds)

    @contextmanager
    def taken(self, name: str) -> Iterator[Callable[[], bool]]:
        tag = self._take(f"turns/{name}.json")
        if not tag:
            yield lambda: False
            return
        turn = _Turn(f"turns/{name}.json", tag, self._write, self._lease)
        turn.start()
        try:
            yield turn.is_mine
        finally:
            turn.give_back()

    def _take(self, key: str) -> str:
        """The entity tag of the object that says that the turn is taken now, or nothing when somebody else
        has it."""
        now = datetime.now(UTC)
        until, tag = self._read(key)
        if until is not None and until > now:
            return ""
        try:
            return self._write(key, now + self._lease, tag)
        except ChangedMeanwhile:
            return ""  # somebody took it between the read and the write

    def _read(self, key: str) -> tuple[datetime | None, str]:
        """Until when the turn is taken, and the object's entity tag; nothing when nobody ever took it."""
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return datetime.fromisoformat(document["until"]).astimezone(UTC), tag
        except (ValueError, KeyError, TypeError) as error:
            raise self._documents.broken(key, error) from error

    def _write(self, key: str, until: datetime, tag: str) -> str:
        return self._documents.write(key, {"until": until.isoformat()}, tag)


class _Turn:
    """A turn that is had, and renewed until it is given back or lost."""

    def __init__(
        self, key: str, tag: str, write: Callable[[str, datetime, str], str], lease: timedelta
    ) -> None:
        self._key = key
        self._tag = tag
        self._write = write
        self._lease = lease
        self._until = datetime.now(UTC) + lease
        self._over = Event()
        self._renewing = Thread(target=self._renew, name=f"renews {key}", daemon=True)

    def start(self) -> None:
        self._renewing.start()

    def is_mine(self) -> bool:
        """Whether the turn is ours, and for a while longer: an act that is begun now may wait for its pace,
        or for AWS to take more, before its call goes out."""
        return datetime.now(UTC) < self._until - self._lease / 3

    def give_back(self) -> None:
        self._over.set()
        self._renewing.join()
        if self.is_mine():
            # A turn that cannot be given back ends by itself.
            with suppress(ProviderError):
                self._write(self._key, datetime.now(UTC), self._tag)

    def _renew(self) -> None:
        while not self._over.wait(self._lease.total_seconds() / 3) and self.is_mine():
            until = datetime.now(UTC) + self._lease
            # A renewal that fails is tried again. When none succeeds the turn ends, and the work with it.
            with suppress(ProviderError):
                self._tag = self._write(self._key, until, self._tag)
                self._until = until
