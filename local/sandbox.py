"""The wall between the embedded cloud and the real one. Every session and every child's environment is
made here: fake credentials, no profile, no configuration file, and endpoints on this machine only."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

HOME_REGION = "us-east-1"
COPY_REGION = "us-west-2"
ACCOUNT_ID = "123456789012"
"""The account that moto plays when nothing else is said."""

VAULT_ACCOUNT_ID = "111122223333"
"""The second account, which keeps copies."""

HOUSE_ROLE = "house"
"""The role, of which there is none in IAM, by which the house acts in accounts other than moto's first."""

FAKE_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}
NO_CONFIGURATION = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class NotLoopbackError(Exception):
    """An endpoint that is not on this machine."""


def loopback(url: str) -> str:
    """The URL itself. Raises `NotLoopbackError` unless it is plain HTTP to 127.0.0.1."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname != "127.0.0.1" or parts.port is None:
        raise NotLoopbackError(f"{url!r} is not an endpoint on this machine (http://127.0.0.1:<port>)")
    return url


def enter() -> None:
    """Take everything of AWS out of this process's own environment, and put the fake credentials in.

    boto3 reads the environment even when it is told otherwise (endpoints, profiles), so this comes first
    in every program of `local/`.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update({**FAKE_CREDENTIALS, **NO_CONFIGURATION, "AWS_DEFAULT_REGION": HOME_REGION})


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """A child's environment, from scratch: of the user's own it gets the search path alone."""
    base = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LANG": "en_US.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return {**base, **FAKE_CREDENTIALS, **NO_CONFIGURATION, **variables}


def session(credentials: Mapping[str, str] | None = None) -> boto3.Session:
    """A session with the fake credentials, or with those given, which moto made. The real AWS would refuse
    either."""
    used = FAKE_CREDENTIALS if credentials is None else credentials
    return boto3.Session(
        aws_access_key_id=used["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=used["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=used.get("AWS_SESSION_TOKEN"),
        region_name=HOME_REGION,
    )


class Clients:
    """boto3 clients of one endpoint on this machine, made once per service and Region: with the house's
    credentials in moto's first account, or with what is given."""

    def __init__(self, endpoint: str, credentials: Mapping[str, str] | None = None) -> None:
        """`credentials` are named as the variables of the environment are."""
        self.endpoint = loopback(endpoint)
        self._session = session(credentials)
        self._made: dict[tuple[str, str], Any] = {}

    def of_account(self, account: str) -> "Clients":
        """The house's clients in another account."""
        if account == ACCOUNT_ID:
            return self
        return self.in_role(f"arn:aws:iam::{account}:role/{HOUSE_ROLE}")

    def in_role(self, role: str, session_name: str = HOUSE_ROLE, service: str = "") -> "Clients":
        """Clients with the credentials of a role, which `service`, if one is named, must be trusted to
        assume."""
        return Clients(self.endpoint, self.assume(role, session_name, service))

    def assume(self, role: str, session_name: str, service: str = "") -> dict[str, str]:
        """The credentials of a role. `SourceIdentity` tells `authority` in whose name it is assumed."""
        named = {"SourceIdentity": service} if service else {}
        answer = self("sts").assume_role(RoleArn=role, RoleSessionName=session_name, **named)
        given = answer["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def __call__(self, service: str, region: str = HOME_REGION) -> Any:
        """The client of a service. Typed loosely: what is called on it says which service it is."""
        key = (service, region)
        if key not in self._made:
            self._made[key] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                endpoint_url=self.endpoint,
                config=Config(read_timeout=960, retries={"total_max_attempts": 1}),
            )
        return self._made[key]
