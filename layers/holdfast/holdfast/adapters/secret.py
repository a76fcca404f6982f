"""One secret in Secrets Manager."""

from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KIND = "secretsmanager"


class ManagedSecret:
    """`ports.Secret`, of an ARN."""

    def __init__(self, *, client: "SecretsManagerClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def read(self) -> str:
        if not self._arn:
            raise SettingsError("VERIFIER_SECRET_ARN is missing (see template.yaml)")
        with translated(KIND, self._arn, "GetSecretValue"):
            return self._client.get_secret_value(SecretId=self._arn)["SecretString"]
