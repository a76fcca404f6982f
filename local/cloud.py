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
        self.functions: Mapping[str, Deployed] = {}
        self.runtimes: Mapping[str, Runtime] = {}
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

    def _start(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", "local.moto_server", "--host", "127.0.0.1", "--port", str(port)]
        variables = {
            "MOTO_RECORDER_FILEPATH": str(self.folder / "recording"),
            # Its hundreds of images have snapshots, which it would go through in every listing of snapshots.
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
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

    def runtime_of(self, name: str) -> Runtime:
        """One more runtime of a function: Lambda starts several when it is called while it runs."""
        endpoints = {"AWS_ENDPOINT_URL": self.moto.url, "AWS_ENDPOINT_URL_LAMBDA": self.gateway.url}
        modules = runtime_modules(self.folder / "code" / "runtime")
        return Runtime(self.functions[name].function, endpoints, self.nursery, modules)

    def _send_dead_letter(self, queue: str, payload: bytes, error: str) -> None:
        if not queue:
            return
        sqs = self.clients("sqs")
        url = sqs.get_queue_url(QueueName=queue.rsplit(":", 1)[1])["QueueUrl"]
        attributes = {"ErrorMessage": {"DataType": "String", "StringValue": error}}
        sqs.send_message(QueueUrl=url, MessageBody=payload.decode(), MessageAttributes=attributes)


def _forget_old_clouds() -> None:
    """Remove the logs of clouds that were started more than a week ago."""
    for folder in CACHE.glob("cloud-*/"):
        if time.time() - folder.stat().st_mtime > _KEEP_LOGS_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
