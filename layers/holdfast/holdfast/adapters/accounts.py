"""Clients for the stack's own account and, through a role there, for others; and who manages a KMS key."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, override

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from holdfast.adapters.calls import client_config
from holdfast.adapters.patience import Patience
from holdfast.core.model import account_in, region_in, region_of

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class Accounts:
    """Makes the clients of places. Those of another account assume the role called `role` there.

    A role is assumed when the first call needs it, and again before the credentials expire: a Lambda
    environment lives for hours, and such credentials for one.
    """

    def __init__(
        self, session: boto3.Session, *, role: str, session_name: str, patience: Patience | None = None
    ) -> None:
        """`session_name` is what the other account's CloudTrail calls us: 2 to 64 of `[\\w+=,.@-]`.
        `patience` watches over all clients that are made here."""
        self._session = session
        self._patience = patience or Patience()
        self._role = role
        self._session_name = session_name
        self._sts: STSClient | None = None
        self._others: dict[str, boto3.Session] = {}
        self._lock = Lock()

    def client(self, service: str, place: str, config: Config) -> Any:
        """A client of an AWS service in a place. Threads may ask at the same time.

        Its calls raise botocore's `CredentialRetrievalError` when the role may not be assumed, which
        `calls.translated` knows.
        """
        with self._lock:  # boto3's sessions make one client at a time
            session = self._session_in(account_in(place))
            made: BaseClient = session.client(  # type: ignore[call-overload]
                service, region_name=region_in(place), config=config
            )
            return self._patience.watched(made)

    def _session_in(self, account: str) -> boto3.Session:
        if not account:
            return self._session
        if account not in self._others:
            self._others[account] = self._new_session(account)
        return self._others[account]

    def _new_session(self, account: str) -> boto3.Session:
        if self._sts is None:
            self._sts = self._patience.watched(self._session.client("sts", config=client_config()))
        partition = self._session.get_partition_for_region(self._session.region_name)
        role = _AssumedRole(
            self._sts, f"arn:{partition}:iam::{account}:role/{self._role}", self._session_name
        )
        core = botocore.session.get_session()
        core.register_component("credential_provider", CredentialResolver([role]))
        # With the service models that the session has read: RDS's and EC2's take 34 MB, and a while.
        core.register_component("data_loader", self._session._session.get_component("data_loader"))  # noqa: SLF001
        return boto3.Session(botocore_session=core)


class _AssumedRole(CredentialProvider):
    """Credentials of a role, which botocore renews a quarter of an hour before they expire."""

    METHOD = "assume-role"

    def __init__(self, sts: "STSClient", role: str, session_name: str) -> None:
        super().__init__()
        self._sts = sts
        self._role = role
        self._session_name = session_name

    @override
    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        try:
            answer = self._sts.assume_role(RoleArn=self._role, RoleSessionName=self._session_name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            # IAM says the same of a role that is not there and of one that does not trust the caller.
            raise CredentialRetrievalError(
                provider=self._role,
                error_msg=(
                    "either the role is not there or does not trust the function's role (see "
                    f"template-vault-account.yaml), or the function's role may not assume it: {error}"
                ),
            ) from error
        credentials = answer["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


class Keys:
    """What KMS tells about keys."""

    def __init__(self, clients: Callable[[str], Any]) -> None:
        """`clients` makes the KMS client of a Region, in the stack's account."""
        self._make = clients
        self._clients: dict[str, Any] = {}
        self._known: dict[str, bool] = {}
        self._lock = Lock()

    def managed_by_aws(self, key_arn: str) -> bool:
        """Whether it is an AWS managed key (`aws/rds`, `aws/ebs`), whose policy nobody can change.

        `False` as well when KMS does not tell: then the call that uses the key will.
        """
        if not key_arn.startswith("arn:"):
            return False
        if key_arn not in self._known:
            try:
                told = self._client(region_of(key_arn)).describe_key(KeyId=key_arn)
            except (ClientError, BotoCoreError):
                return False
            self._known[key_arn] = told["KeyMetadata"].get("KeyManager") == "AWS"
        return self._known[key_arn]

    def _client(self, region: str) -> Any:
        with self._lock:
            if region not in self._clients:
                self._clients[region] = self._make(region)
            return self._clients[region]
