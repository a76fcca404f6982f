"""Leaves the embedded cloud up, filled, until Ctrl-C.

python -m local.serve
"""

import os
import signal
import socket
import sys
import threading
from urllib.parse import urlsplit

from rich.console import Console

from local import sandbox, show
from local.cloud import Cloud
from local.deploy import DeployError
from local.house import UNVERIFIED, House, furnish
from local.lambda_runtime import MissingToolError
from local.paths import CLOUD_ENV, ROOT
from local.processes import StartError

_VARIABLES = ("AWS_ENDPOINT_URL", "HOLDFAST_STACK")


def main() -> int:
    console = Console()
    earlier = running_cloud()
    if earlier:
        console.print(f"A cloud is up already, on {earlier['AWS_ENDPOINT_URL']}. Stop it first.")
        return 1
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        with Cloud() as cloud:
            with console.status("Starting the embedded cloud, deploying the built template, filling it …"):
                house = furnish(cloud, UNVERIFIED)
            write_environment(house)
            _introduce(console, house)
            done.wait()
    except (MissingToolError, StartError, DeployError) as error:
        console.print(f"[bold red]The cloud could not be started:[/] {error}", highlight=False)
        return 1
    finally:
        CLOUD_ENV.unlink(missing_ok=True)
    return 0


def variables_of(house: House) -> dict[str, str]:
    """What a shell needs so that `aws` and boto3 work with this cloud and with no other."""
    return {
        "AWS_ENDPOINT_URL": house.cloud.endpoint,
        **sandbox.FAKE_CREDENTIALS,
        **sandbox.NO_CONFIGURATION,
        "AWS_DEFAULT_REGION": sandbox.HOME_REGION,
        "HOLDFAST_STACK": house.stack.name,
    }


def write_environment(house: House) -> None:
    """Write them to `.cache/cloud.env`, as lines for a shell."""
    lines = [f"export {name}={value}\n" for name, value in variables_of(house).items()]
    CLOUD_ENV.write_text("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION\n" + "".join(lines))


def running_cloud() -> dict[str, str]:
    """The variables that `make cloud` wrote, empty when none is up."""
    if not CLOUD_ENV.exists():
        return {}
    pairs = (line.removeprefix("export ").split("=", 1) for line in CLOUD_ENV.read_text().splitlines())
    variables = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    if any(name not in variables for name in _VARIABLES):
        return {}
    address = urlsplit(sandbox.loopback(variables["AWS_ENDPOINT_URL"]))
    try:
        socket.create_connection((address.hostname, address.port or 0), timeout=2).close()
    except OSError:
        return {}
    return variables


def _introduce(console: Console, house: House) -> None:
    console.print(show.company())
    console.print("The cloud is up. To use it from another terminal:\n", highlight=False)
    for line in CLOUD_ENV.read_text().splitlines():
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    name = house.stack.name
    examples = f"""
or all of that at once: [bold]. {os.path.relpath(CLOUD_ENV, ROOT)}[/]. Then, for instance:

  aws dynamodb list-tables
  aws --endpoint-url $AWS_ENDPOINT_URL rds describe-db-snapshots
  aws lambda invoke --function-name {name}-create-backups:live --cli-binary-format raw-in-base64-out \\
      --payload '{{"plan": "nightly"}}' /dev/stdout
  make invoke FUNCTION=run_plan EVENT=events/nightly.json

The logs of moto and of each function are in {house.cloud.logs.relative_to(ROOT)}/. Ctrl-C stops it all."""
    console.print(examples, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sandbox.enter()
    sys.exit(main())
