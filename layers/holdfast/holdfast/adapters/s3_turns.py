"""Turns: who may do now what only one may do at a time, by conditional writes to S3.

DynamoDB's CreateBackup cannot be repeated safely, and Lambda may run one event twice, even at the same
moment. So a sweep that creates takes its plan's turn first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from holdfast.adapters.s3_documents import ChangedMeanwhile, S3Documents
from holdfast.core.errors import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEASE_SECONDS = 20.0
RENEWAL_ATTEMPTS = 3
RENEWAL_READ_SECONDS = 3
"""A renewal that hangs is given up and tried again before the turn is over, and does not outlast the work by
much."""


class S3Turns:
    """One object a name, `turns/<name>.json`, that says until when the turn is taken.

    Whoever has a turn renews it in the background, three times as often as it would end, and the turn of
    one that was killed ends by itself. The clocks of two functions may differ by less than the lease.
    """

    def __init__(
        self,
        *,
        client: "S3Client",
        bucket: str,
        renewing: "S3Client | None" = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """`renewing` is for the calls that keep a turn and give it back, which must not hang for long."""
        self._documents = S3Documents(client=client, bucket=bucket)
        self._kept = S3Documents(client=renewing or client, bucket=bucket)
        self._lease = timedelta(seconds=lease_seconds)

    @contextmanager
    def taken(self, name: str) -> Iterator[Callable[[], bool]]:
        turn = self._take(f"turns/{name}.json")
        if turn is None:
            yield lambda: False
            return
        turn.start()
        try:
            yield turn.is_mine
        finally:
            turn.give_back()

    def _take(self, key: str) -> "_Turn | None":
        """The turn, or nothing when somebody else has it."""
        until, tag = self._read(key)
        # Only now: the answer may have taken long, and the turn would be over before it has begun.
        now = datetime.now(UTC)
        if until is not None and until > now:
            return None
        turn = _Turn(key, self._kept, self._lease)
        try:
            turn.write(self._documents, now + self._lease, tag)
        except ChangedMeanwhile:
            return None  # somebody took it between the read and the write
        return turn

    def _read(self, key: str) -> tuple[datetime | None, str]:
        """Until when the turn is taken, and the object's entity tag; nothing when nobody ever took it."""
        document, tag = self._documents.read(key)
        if not tag:
            return None, ""
        try:
            return datetime.fromisoformat(document["until"]).astimezone(UTC), tag
        except (ValueError, KeyError, TypeError) as error:
            raise self._documents.broken(key, error) from error


class _Turn:
    """A turn that is had, and renewed until it is given back or lost."""

    def __init__(self, key: str, documents: S3Documents, lease: timedelta) -> None:
        self._key = key
        self._documents = documents
        self._lease = lease
        self._holder = uuid4().hex
        self._tag = ""
        self._until = datetime.min.replace(tzinfo=UTC)
        self._over = Event()
        self._renewing = Thread(target=self._renew, name=f"renews {key}", daemon=True)

    def write(self, documents: S3Documents, until: datetime, tag: str) -> None:
        """Say that it is ours until then, over what has this entity tag."""
        document = {"until": until.isoformat(), "holder": self._holder}
        try:
            self._tag = documents.write(self._key, document, tag)
        except ChangedMeanwhile:
            # Our own writing did, if its answer was lost and it was repeated. No two holders write the same.
            stands, its_tag = documents.read(self._key)
            if stands != document:
                raise
            self._tag = its_tag
        self._until = until

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
                self.write(self._documents, datetime.now(UTC), self._tag)

    def _renew(self) -> None:
        while not self._over.wait(self._lease.total_seconds() / 3) and self.is_mine():
            # A renewal that fails is tried again. When none succeeds the turn ends, and the work with it.
            with suppress(ProviderError):
                self.write(self._documents, datetime.now(UTC) + self._lease, self._tag)
