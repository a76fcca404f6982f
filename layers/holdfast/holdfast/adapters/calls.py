"""What every adapter shares: how clients are set up, how fast they may call, and what errors become."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not the built-in one
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError

from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    CopySlotsFull,
    CredentialsExpired,
    KeyUnusable,
    NoAnswer,
    NotFound,
    NotReady,
    OutOfReach,
    ProviderError,
    QuotaReached,
    Throttled,
    Unprepared,
)

ATTEMPTS = 8
"""Where every third attempt fails, one call in 6,561 does: one listing of a hundred pages in sixty-six."""
CONNECT_SECONDS = 3
READ_SECONDS = 20
CONNECTIONS = 32
"""No stage runs more threads than this; a smaller pool would open and drop connections all the time."""


def client_config(attempts: int = ATTEMPTS, read_seconds: float = READ_SECONDS) -> Config:
    """How every client is set up. `attempts` counts the first call too: 1 means that nothing is retried."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        max_pool_connections=CONNECTIONS,
        user_agent_extra="holdfast",
    )


class OutOfTime(BotoCoreError):
    """A call that was not sent, since its answer could come too late."""

    fmt = "not sent, since the function's time is nearly over"


def is_sent_once(config: Config) -> bool:
    """Whether a client with this configuration never retries by itself."""
    # botocore accepts the setting and adds it to Config at run time, which its stubs do not know.
    retries: Mapping[str, Any] = getattr(config, "retries", None) or {}
    return retries.get("total_max_attempts") == 1


class Pace:
    """Lets at most `per_second` calls a second through, evenly spaced, over all threads.

    The wait happens under the lock, so that what counts is when a call was let go and not when it was
    meant to be: an overslept thread does not push two calls together.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0:
            raise ValueError(f"calls per second must be above 0, not {per_second}")
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._next = clock()

    def wait(self) -> None:
        """Return when the next call may be made."""
        with self._lock:
            while (left := self._next - self._clock()) > 0:
                self._sleep(left)
            self._next = self._clock() + self._interval

    def hold(self, seconds: float) -> None:
        """Let no call through for `seconds`: AWS has asked to slow down, and that concerns every thread."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


def paced[Page: Mapping[str, Any]](pages: Iterable[Page], pace: Pace, token: str) -> Iterator[Page]:
    """The pages of a paginator, each asked for at the given pace. `token` is the key that a page has
    when another one follows."""
    pace.wait()
    for page in pages:
        yield page
        if page.get(token):
            pace.wait()


_CODES: dict[type[ProviderError], frozenset[str]] = {
    NotFound: frozenset(
        {
            "BackupNotFound",
            "DBClusterNotFound",
            "DBClusterSnapshotNotFound",
            "DBInstanceNotFound",
            "DBSnapshotNotFound",
            "ExportNotFound",
            "InvalidInstanceID.NotFound",
            "InvalidSnapshot.NotFound",
            "InvalidVolume.NotFound",
            "NoSuchBucket",
            "NoSuchKey",
            "NotFound",
            "ParameterNotFound",
            "ResourceNotFound",
            "TableNotFound",
        }
    ),
    AlreadyExists: frozenset(
        {
            "DBClusterAlreadyExists",
            "DBClusterSnapshotAlreadyExists",
            "DBInstanceAlreadyExists",
            "DBSnapshotAlreadyExists",
        }
    ),
    AccessDenied: frozenset(
        {
            "AccessDenied",
            "AuthFailure",
            "AuthorizationError",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "SignatureDoesNotMatch",
            "UnauthorizedOperation",
            "UnrecognizedClient",
        }
    ),
    CredentialsExpired: frozenset({"ExpiredToken", "RequestExpired"}),
    KeyUnusable: frozenset(
        {
            "InvalidKmsKey.InvalidState",
            "InvalidKmsKey.NotFound",
            "KMS.Disabled",
            "KMS.InvalidState",
            "KMS.NotFound",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSKeyNotAccessible",
            "KMSNotFound",
            "KMSOptInRequired",
        }
    ),
    OutOfReach: frozenset({"InvalidExportTime"}),
    Unprepared: frozenset(
        {
            "CertificateNotFound",
            "DBClusterParameterGroupNotFound",
            "DBParameterGroupNotFound",
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "DBSubnetGroupNotFound",
            "DomainNotFound",
            "InsufficientDBClusterCapacity",
            "InsufficientDBInstanceCapacity",
            "InsufficientStorageClusterCapacity",
            "InsufficientVolumeCapacity",
            "InvalidRestore",
            "InvalidSubnet",
            "InvalidVPCNetworkState",
            "InvalidZone.NotFound",
            "NetworkTypeNotSupported",
            "OptionGroupNotFound",
            "PointInTimeRecoveryUnavailable",
            "PointInTimeRestoreNotEnabled",
            "ProvisionedIopsNotAvailableInAZ",
            "StorageTypeNotAvailable",
            "StorageTypeNotSupported",
            "VpcEncryptionControlViolation",
        }
    ),
    QuotaReached: frozenset(
        {
            "DBClusterQuotaExceeded",
            "InstanceQuotaExceeded",
            "MaxIOPSLimitExceeded",
            "ServiceQuotaExceeded",
            "SnapshotLimitExceeded",
            "SnapshotQuotaExceeded",
            "StorageQuotaExceeded",
            "VolumeLimitExceeded",
        }
    ),
    CopySlotsFull: frozenset({"ResourceLimitExceeded"}),
    Throttled: frozenset(
        {
            "BandwidthLimitExceeded",
            "ConcurrentSnapshotLimitExceeded",
            "EC2Throttled",
            "KMSThrottling",
            "LimitExceeded",
            "PendingSnapshotLimitExceeded",
            "ProvisionedThroughputExceeded",
            "RequestLimitExceeded",
            "RequestThrottled",
            "SlowDown",
            "SnapshotCreationPerVolumeRateExceeded",
            "Throttled",
            "Throttling",
            "TooManyRequests",
        }
    ),
    NotReady: frozenset(
        {
            "BackupInUse",
            "ContinuousBackupsUnavailable",
            "IncorrectInstanceState",
            "IncorrectState",
            "InvalidDBClusterSnapshotState",
            "InvalidDBClusterState",
            "InvalidDBInstanceState",
            "InvalidDBSnapshotState",
            "PaginationTokenExpired",
            "ResourceInUse",
            "TableInUse",
        }
    ),
    NoAnswer: frozenset(
        {
            "InternalError",
            "InternalFailure",
            "InternalServer",
            "InternalServerError",
            "InternalService",
            "RequestAborted",
            "RequestTimeout",
            "ServiceUnavailable",
        }
    ),
}
"""AWS's error codes, without the `Exception` or `Fault` that one service appends and its twin does not:
RDS answers `DBSnapshotAlreadyExists` for an instance and `DBClusterSnapshotAlreadyExistsFault` for a
cluster. From botocore's service models (`error.code`, else the shape's name), the common errors, and EC2's
list of error codes, since its model has none. EC2's `ResourceLimitExceeded` is, of the calls made here, said
of snapshot copies in flight alone. Its `RequestExpired` is what others call `ExpiredToken`."""

_CLASS_OF = {code: error for error, codes in _CODES.items() for code in codes}

_TOO_MANY_COPIES = "cannot copy more than"
"""`SnapshotQuotaExceeded` means two things, told apart by the message alone: "Cannot copy more than 20
snapshots across regions" ends by itself, "Cannot create more than 100 manual snapshots" does not."""


@contextmanager
def translated(kind: str, resource: str, operation: str) -> Iterator[None]:
    """Turn whatever botocore raises inside into a `ProviderError` of the class that says what to do."""
    try:
        yield
    except ClientError as error:
        raise _from_client_error(error, kind, resource, operation) from error
    except (ConnectionError, HTTPClientError, IncompleteReadError, OutOfTime, ResponseParserError) as error:
        raise NoAnswer(kind, resource, operation, type(error).__name__, str(error)) from error
    except (NoCredentialsError, CredentialRetrievalError) as error:
        raise AccessDenied(kind, resource, operation, type(error).__name__, str(error)) from error
    except BotoCoreError as error:
        raise ProviderError(kind, resource, operation, type(error).__name__, str(error)) from error
    except (LookupError, TypeError) as error:  # an answer without what AWS's models say it has
        text = f"the answer cannot be understood: {error!r}"
        raise NoAnswer(kind, resource, operation, "MalformedAnswer", text) from error


def error_class(answer: Mapping[str, Any], status: int) -> type[ProviderError]:
    """What an error that AWS answered is: `answer` is what botocore reads of it, `status` HTTP's."""
    code = answer.get("Code", "Unknown")
    chosen = _CLASS_OF.get(code.removesuffix("Exception").removesuffix("Fault"))
    if chosen is None:
        # Of an error that it cannot read, botocore gives the status as the code.
        unclear = status >= 500 or (code.isdigit() and status != 429)
        chosen = NoAnswer if unclear else Throttled if status == 429 else ProviderError
    if chosen is QuotaReached and _TOO_MANY_COPIES in answer.get("Message", "").lower():
        chosen = CopySlotsFull
    return chosen


def _from_client_error(error: ClientError, kind: str, resource: str, operation: str) -> ProviderError:
    answer = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    chosen = error_class(answer, status)
    return chosen(kind, resource, operation, answer.get("Code", "Unknown"), answer.get("Message", ""))
