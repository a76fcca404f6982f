"""How many backups may stand in a place, as Service Quotas tells it."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import ProviderError
from holdfast.core.headroom import QUOTAS, WARN_PERCENT, Quota

if TYPE_CHECKING:
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_service_quotas.type_defs import (
        GetAWSDefaultServiceQuotaResponseTypeDef,
        GetServiceQuotaResponseTypeDef,
    )

_NO_APPLIED_VALUE = "NoSuchResourceException"
"""GetServiceQuota's answer when the account has no value of its own: "for some quotas, only the default
values are available", says its reference. GetAWSDefaultServiceQuota then has the one that counts."""


class ServiceQuotas:
    """The quotas of each place. The first of these that there is, is the number:

    1. What the deployment configured for the kind. It holds in all places, and nothing is asked: it is for
       accounts that may not ask, or that want to be warned at a number of their own.
    2. The account's own value, from GetServiceQuota.
    3. AWS's default, from GetAWSDefaultServiceQuota, where the account has no value of its own.
    4. AWS's default as `core.headroom` knows it, where asking failed, whyever. An account with a raised quota
       is then warned too early, never too late.

    A place is asked once for each kind, by one thread, and the answer, or that there was none, is kept as
    long as this object. A quota that is raised meanwhile is known to the next execution environment.
    """

    def __init__(
        self, *, clients: "Callable[[str], ServiceQuotasClient]", configured: Mapping[str, int]
    ) -> None:
        """`clients` makes the client for a place, whose account's and Region's quotas it asks for; one that
        does not retry, since no answer is worth a wait."""
        self._make = clients
        self._configured = configured
        self._made: dict[str, ServiceQuotasClient] = {}
        self._known: dict[tuple[str, str], int] = {}
        self._lock = Lock()

    def most(self, kind: str, place: str, standing: int | None = None) -> int | None:
        quota = QUOTAS.get(kind)
        if quota is None:
            return None
        if kind in self._configured:
            return self._configured[kind]
        if standing is not None and standing * 100 < quota.default * WARN_PERCENT:
            return quota.default  # no account has less
        with self._lock:
            if (kind, place) not in self._known:
                self._known[kind, place] = self._asked(kind, place, quota) or quota.default
            return self._known[kind, place]

    def _asked(self, kind: str, place: str, quota: Quota) -> int:
        """What Service Quotas says; 0 when it could not be asked or does not know."""
        try:
            return self._applied(kind, place, quota)
        except ProviderError as error:
            if error.code != _NO_APPLIED_VALUE:
                return 0
        try:
            return self._default(kind, place, quota)
        except ProviderError:
            return 0

    def _applied(self, kind: str, place: str, quota: Quota) -> int:
        with translated(kind, place, "GetServiceQuota"):
            answer = self._client(place).get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
        return _value(answer)

    def _default(self, kind: str, place: str, quota: Quota) -> int:
        with translated(kind, place, "GetAWSDefaultServiceQuota"):
            answer = self._client(place).get_aws_default_service_quota(
                ServiceCode=quota.service, QuotaCode=quota.code
            )
        return _value(answer)

    def _client(self, place: str) -> "ServiceQuotasClient":
        # Called within the lock. Making one for another account takes on a role there, which may fail.
        if place not in self._made:
            self._made[place] = self._make(place)
        return self._made[place]


def _value(answer: "GetServiceQuotaResponseTypeDef | GetAWSDefaultServiceQuotaResponseTypeDef") -> int:
    """The value, or 0: without the right to ask the service itself (`rds:DescribeAccountAttributes`), Service
    Quotas answers well, but with a reason where the value would be, or with a value of 0 beside it."""
    quota = answer.get("Quota", {})
    return 0 if quota.get("ErrorReason") else int(quota.get("Value", 0))
