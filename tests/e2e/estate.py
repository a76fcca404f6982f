"""A cloud with everything that the templates know: two Regions, a second account with its key, its roles and
its own stack, and a plan whose backups are soon pruned. And what IAM decided in it."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.authority import CONTROL_PATH
from local.cloud import Cloud
from local.deploy import Stack, deploy_plain
from local.house import MAIL_ADDRESS, STACK, House, furnish
from local.lambda_runtime import Answer, Runtime
from local.paths import ROOT
from local.sandbox import ACCOUNT_ID, COPY_REGION, HOME_REGION, VAULT_ACCOUNT_ID, Clients

SHORT = {
    "KeepDaily": "1",
    "KeepWeekly": "0",
    "KeepMonthly": "0",
    "KeepMinimum": "1",
    "MaxDeleteShare": "1",
}
SHORT_COPIES = {"CopyKeepDaily": "1", "CopyKeepWeekly": "0", "CopyKeepMinimum": "1", "CopyFullEveryDays": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """`vault` are the house's clients in the second account; `vault_runtimes` the functions of its own
    stack there, by name."""

    house: House
    vault: Clients
    vault_stack: Stack
    vault_runtimes: Mapping[str, Runtime]
    known: dict[str, Clients] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return self.house.cloud

    def function(self, name: str, payload: Mapping[str, object]) -> Answer:
        """What a function of the first account's stack answers."""
        return self.cloud.runtimes[f"{STACK}-{name}"].invoke(json.dumps(payload).encode())

    def in_vault(self, name: str, payload: Mapping[str, object]) -> Answer:
        return self.vault_runtimes[f"{STACK}-{name}"].invoke(json.dumps(payload).encode())

    def as_function(self, name: str) -> Clients:
        """Clients with the credentials of a function."""
        if name not in self.known:
            credentials = self.cloud.functions[f"{STACK}-{name}"].function.credentials
            self.known[name] = Clients(self.cloud.endpoint, credentials)
        return self.known[name]

    def as_copier_in_vault(self) -> Clients:
        """Clients with the credentials of the role that the copy function takes in the second account."""
        if "vault" not in self.known:
            role = f"arn:aws:iam::{VAULT_ACCOUNT_ID}:role/{STACK}-vault"
            credentials = self.as_function("copy-backups").assume(role, "tried")
            self.known["vault"] = Clients(self.cloud.endpoint, credentials)
        return self.known["vault"]

    def decisions(self) -> list[dict[str, Any]]:
        """What IAM has decided so far (`local.authority.enforcement.Decision`)."""
        told: list[dict[str, Any]] = _ask(self.cloud, "log")
        return told

    def policies(self) -> dict[str, Any]:
        told: dict[str, Any] = _ask(self.cloud, "policies")
        return told


@contextmanager
def estate() -> Iterator[Estate]:
    with Cloud() as cloud:
        vault = cloud.clients.of_account(VAULT_ACCOUNT_ID)
        vault_stack = deploy_plain(
            vault,
            ROOT / "template-vault-account.yaml",
            f"{STACK}-vault",
            {"SourceAccountId": ACCOUNT_ID, "StackName": STACK},
            COPY_REGION,
        )
        house = furnish(
            cloud,
            {
                **SHORT,
                **SHORT_COPIES,
                "VaultAccountId": VAULT_ACCOUNT_ID,
                "VaultKmsKeyArn": vault_stack.outputs["KeyArn"],
                "ChatTopic": "on",
                "FailuresEmail": MAIL_ADDRESS,
                "RecordLockMode": "GOVERNANCE",
            },
            {"VaultAccountId": VAULT_ACCOUNT_ID},
        )
        runtimes = cloud.deploy_elsewhere(
            VAULT_ACCOUNT_ID,
            COPY_REGION,
            STACK,
            {**SHORT, "VaultOfAccountId": ACCOUNT_ID, "VaultOfRegion": HOME_REGION},
        )
        yield Estate(house=house, vault=vault, vault_stack=vault_stack, vault_runtimes=runtimes)


def _ask(cloud: Cloud, what: str) -> Any:
    with urllib.request.urlopen(f"{cloud.moto.url}{CONTROL_PATH}/{what}") as answer:
        return json.load(answer)
