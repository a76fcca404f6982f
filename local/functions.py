"""The functions of a deployed stack, as Lambda knows them, and where their code lies on this machine."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.deploy import Stack
from local.lambda_runtime import Function
from local.sandbox import HOME_REGION, Clients


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A function, and how Lambda invokes it. `durable` is its DurableConfig, or `None`.

    `qualifiers` are the versions and aliases by which it may be named; `dead_letters` is the ARN of the
    queue that takes what an asynchronous invocation could not do, and `retries` how often it tries again.
    """

    function: Function
    durable: Mapping[str, int] | None
    qualifiers: frozenset[str]
    dead_letters: str
    retries: int


def deployed_functions(
    clients: Clients, stack: Stack, code: Path, region: str = HOME_REGION
) -> dict[str, Deployed]:
    """The stack's functions by name; `code` is where `deploy` laid their code out.

    Lambda tells most. moto's does not keep DurableConfig and DeadLetterConfig, nor give the code back, so
    these are read from the template that was deployed.
    """
    found = (
        _deployed(clients, stack, logical, name, code, region)
        for logical, name in stack.of_type("AWS::Lambda::Function").items()
    )
    return {one.function.name: one for one in found}


def _deployed(clients: Clients, stack: Stack, logical: str, name: str, code: Path, region: str) -> Deployed:
    properties = stack.template["Resources"][logical]["Properties"]
    api = clients("lambda", region)
    config = api.get_function_configuration(FunctionName=name)
    aliases = {one["Name"]: one["FunctionVersion"] for one in api.list_aliases(FunctionName=name)["Aliases"]}
    versions = {one["Version"] for one in api.list_versions_by_function(FunctionName=name)["Versions"]}
    function = Function(
        name=name,
        arn=config["FunctionArn"],
        handler=config["Handler"],
        version=next(iter(aliases.values()), "$LATEST"),
        timeout_seconds=config["Timeout"],
        memory_mb=config["MemorySize"],
        # Of a parameter of type Number moto makes a number; AWS's variables are strings all.
        variables={
            key: str(value) for key, value in config.get("Environment", {}).get("Variables", {}).items()
        },
        credentials=clients.assume(config["Role"], name, service="lambda.amazonaws.com"),
        code=code / properties["Code"]["S3Key"],
        layers=tuple(_layers(stack, properties.get("Layers", []), code)),
    )
    return Deployed(
        function=function,
        durable=properties.get("DurableConfig"),
        qualifiers=frozenset(aliases) | versions,
        dead_letters=_dead_letters(clients, stack, properties, region),
        retries=_retries(api, name, aliases),
    )


def _layers(stack: Stack, layers: Iterable[Any], code: Path) -> Iterable[Path]:
    for layer in layers:
        yield code / stack.template["Resources"][layer["Ref"]]["Properties"]["Content"]["S3Key"]


def _dead_letters(clients: Clients, stack: Stack, properties: Mapping[str, Any], region: str) -> str:
    target = properties.get("DeadLetterConfig", {}).get("TargetArn", {})
    logical = target.get("Fn::GetAtt", [""])[0]
    if logical not in stack.resources:
        return ""
    attributes = clients("sqs", region).get_queue_attributes(
        QueueUrl=stack.resources[logical], AttributeNames=["QueueArn"]
    )
    return str(attributes["Attributes"]["QueueArn"])


def _retries(api: Any, name: str, aliases: Iterable[str]) -> int:
    """Lambda tries an asynchronous invocation twice again, unless it is told otherwise."""
    answer = api.list_function_event_invoke_configs(FunctionName=name)
    told = [one["MaximumRetryAttempts"] for one in answer["FunctionEventInvokeConfigs"]]
    return min(told, default=2) if list(aliases) else 2


def function_configs(functions: Mapping[str, Deployed]) -> str:
    """What the durable runner has to know: which functions there are, and which are durable."""
    return json.dumps(
        {name: {"DurableConfig": dict(one.durable)} if one.durable else {} for name, one in functions.items()}
    )
