"""Settings for every test: no way to the real AWS, and how many examples hypothesis tries.

`HYPOTHESIS_PROFILE=long` tries many more; in CI (`CI=true`) the examples are the same each time.
"""

import os
from collections.abc import Callable
from typing import Any

from botocore.client import ClientCreator
from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=100, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("ci", max_examples=100, derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("long", max_examples=5_000, **_COMMON)  # type: ignore[arg-type]
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "quick")
)

os.environ.pop("AWS_PROFILE", None)
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    POWERTOOLS_SERVICE_NAME="holdfast",
    POWERTOOLS_METRICS_NAMESPACE="Holdfast",
)


def _remember_the_services() -> None:
    """botocore reads a service's model, and makes a client's methods, anew for each client: 800 of EC2. Both
    know nothing of the client that they were made for, and most of a test's time would go into them."""
    creator: Any = ClientCreator
    for name in ("_load_service_model", "_create_methods"):
        setattr(creator, name, _once_for_each_service(getattr(creator, name)))


def _once_for_each_service(make: Callable[..., Any]) -> Callable[..., Any]:
    made: dict[str, Any] = {}

    def remembered(self: ClientCreator, service: Any, *more: Any) -> Any:
        name = getattr(service, "service_name", service)
        if name not in made:
            made[name] = make(self, service, *more)
        return dict(made[name]) if isinstance(made[name], dict) else made[name]

    return remembered


_remember_the_services()
