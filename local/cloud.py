"""The embedded cloud as one thing: started, deployed into, and stopped again with all that belongs to it."""

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local import durable
from local.authority import LOG_VARIABLE
from local.deploy import Stack, deploy
from local.functions import Deployed, deployed_functions
from local.gateway import Gateway
from local.invocations import Lambda
from local.lambda_runtime import Runtime, runtime_modules
from local.paths import CACHE, ROOT, build_dir
from local.processes import Nursery, free_port
from local.sandbox import Clients

_KEEP_LOGS_SECONDS = 7 * 24 * 3600


class Cloud:
    """A moto server, Lambda's runtime and the durable runner behind one endpoint on this machine.

    Used with `with`. Several may stand at once. Its logs stay under `.cache/` afterwards.
    """

    def __init__(self) -> None:
        CACHE.mkdir(exist_ok=True)
        _forget_old_clouds()
        self.folder = Path(tempfile.mkdtemp(prefix="cloud-", dir=CACHE))
        self.nursery = Nursery(self.folder / "logs")
        self.functions: dict[str, Deployed] = {}
        self.runtimes: dict[str, Runtime] = {}
        self.runner = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.nursery.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.gateway.stop()
        self.nursery.stop()
        shutil.rmtree(self.folder / "code", ignore_errors=True)

    @property
    def endpoint(self) -> str:
        """The URL at which all of it answers."""
        return self.gateway.url

    @property
    def logs(self) -> Path:
        return self.nursery.logs

    @property
    def truth(self) -> Path:
        """The log of the functions' calls, as lines of JSON (`local.weather.truth`)."""
        return self.logs / "truth.jsonl"

    def _start(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", "local.moto_server", "--port", str(port), "--truth", str(self.truth)]
        variables = {
            "MOTO_RECORDER_FILEPATH": str(self.folder / "recording"),
            # Its hundreds of images have snapshots, which it would go through in every listing of snapshots.
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
            LOG_VARIABLE: str(self.logs / "authority.jsonl"),
        }
        self.moto = self.nursery.start("moto", command, port=port, variables=variables, cwd=ROOT)
        self.gateway = Gateway(self.moto.url)
        self.clients = Clients(self.gateway.url)

    def deploy(self, name: str, parameters: Mapping[str, str]) -> Stack:
        """Deploy the built template, and let its functions run."""
        code = self.folder / "code"
        stack = deploy(self.clients, build_dir(), name, parameters, code)
        self.functions = deployed_functions(self.clients, stack, code)
        self.runtimes = {name: self.runtime_of(name) for name in self.functions}
        runner = durable.start_runner(
            self.functions, self.gateway.url, sys.executable, self.folder, self.nursery
        )
        self.runner = runner.url
        self.gateway.functions = Lambda(
            functions=self.functions,
            runtimes=self.runtimes,
            runner=self.runner,
            send_dead_letter=self._send_dead_letter,
        )
        return stack

    def deploy_beside(self, name: str, parameters: Mapping[str, str]) -> Stack:
        """Deploy the built template once more, under another name. Its stages can be invoked like those of
        the first; its runs cannot, since the durable runner knows the first alone."""
        code = self.folder / "code"
        stack = deploy(self.clients, build_dir(), name, parameters, code)
        made = deployed_functions(self.clients, stack, code)
        self.functions |= made
        self.runtimes |= {one: self.runtime_of(one) for one in made}
        return stack

    def deploy_standby(self, name: str, region: str, parameters: Mapping[str, str]) -> Stack:
        """Deploy the built template in another Region, under the name of the first. Its functions are invoked
        at the same endpoint, by requests that are signed for that Region."""
        code = self.folder / "code"
        stack = deploy(self.clients, build_dir(), name, parameters, code, region=region)
        functions = deployed_functions(self.clients, stack, code, region)
        runner = durable.start_runner(
            functions, self.gateway.url, sys.executable, self.folder, self.nursery, region
        )
        self.gateway.elsewhere[region] = Lambda(
            functions=functions,
            runtimes={one: self._runtime(deployed) for one, deployed in functions.items()},
            runner=runner.url,
            send_dead_letter=self._send_dead_letter,
            region=region,
        )
        return stack

    def deploy_elsewhere(
        self, account: str, region: str, name: str, parameters: Mapping[str, str]
    ) -> Mapping[str, Runtime]:
        """Deploy the built template in another account. Its functions are given by name, to be invoked one by
        one: the gateway serves those of the first account."""
        code = self.folder / "code"
        clients = self.clients.of_account(account)
        stack = deploy(clients, build_dir(), name, parameters, code, region=region)
        made = deployed_functions(clients, stack, code, region)
        return {one: self._runtime(deployed) for one, deployed in made.items()}

    def runtime_of(self, name: str) -> Runtime:
        """One more runtime of a function: Lambda starts several when it is called while it runs."""
        return self._runtime(self.functions[name])

    def _runtime(self, deployed: Deployed) -> Runtime:
        endpoints = {"AWS_ENDPOINT_URL": self.moto.url, "AWS_ENDPOINT_URL_LAMBDA": self.gateway.url}
        modules = runtime_modules(self.folder / "code" / "runtime")
        return Runtime(deployed.function, endpoints, self.nursery, modules)

    def _send_dead_letter(self, deployed: Deployed, payload: bytes, error: str) -> None:
        """Lambda does it with the rights of the function's own role."""
        queue = deployed.dead_letters
        if not queue:
            return
        region, _, name = queue.split(":")[3:]
        sqs = Clients(self.gateway.url, deployed.function.credentials)("sqs", region)
        url = self.clients("sqs", region).get_queue_url(QueueName=name)["QueueUrl"]
        attributes = {"ErrorMessage": {"DataType": "String", "StringValue": error}}
        sqs.send_message(QueueUrl=url, MessageBody=payload.decode(), MessageAttributes=attributes)


def _forget_old_clouds() -> None:
    """Remove the logs of clouds that were started more than a week ago."""
    for folder in CACHE.glob("cloud-*/"):
        if time.time() - folder.stat().st_mtime > _KEEP_LOGS_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
