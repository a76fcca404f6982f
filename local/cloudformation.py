"""What moto's CloudFormation lacks for this template, added to it: resource types that it does not know,
and properties that it leaves out. Imported in moto's own process (see `moto_server`).

Each is made by the service's API in the same moto, whose parameters are named as the properties are.
"""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from moto.awslambda.models import LambdaFunction, LayerVersion
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel
from moto.iam.models import Role
from moto.kms.models import Key
from moto.s3.models import FakeBucket

from local.sandbox import Clients

type Properties = dict[str, Any]
type Create = Callable[[Clients, str, Properties, str], str]
"""Makes a resource from (clients, name, resolved properties, Region). Returns what `Ref` gives."""
type Complete = Callable[[Clients, str, Properties, str], None]
"""Sets, of a resource that moto made, what it left out."""

_KEPT: list[type] = []
"""The types that were added. moto finds them through weak references, so something has to hold them."""


@cache
def _clients(account: str) -> Clients:
    return Clients(f"http://127.0.0.1:{os.environ['MOTO_PORT']}").of_account(account)


def _add(type_name: str, name_property: str, create: Create, arn: str = "") -> None:
    """Teach moto a type that it does not know. `arn` is how its ARN is made of region, account and name."""

    class Added(CloudFormationModel):
        def __init__(self, physical_resource_id: str, arn: str) -> None:
            self.physical_resource_id = physical_resource_id
            self.arn = arn

        @staticmethod
        def cloudformation_name_type() -> str:
            return name_property

        @staticmethod
        def cloudformation_type() -> str:
            return type_name

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **_kwargs: Any,
        ) -> Any:
            properties = cloudformation_json["Properties"]
            made = create(_clients(account_id), resource_name, properties, region_name)
            return cls(made, arn.format(region=region_name, account=account_id, name=made))

        def get_cfn_attribute(self, attribute_name: str) -> str:
            if attribute_name == "Version":  # of a function's version: the end of its ARN
                return self.physical_resource_id.rsplit(":", 1)[1]
            if attribute_name == "Arn" and self.arn:
                return self.arn
            raise UnformattedGetAttTemplateException

        def is_created(self) -> bool:
            return True

    _KEPT.append(Added)


def _complete(known: Any, complete: Complete) -> None:
    """Let moto make a resource its own way, then set what it left out. Of two classes of one type, moto
    takes the one defined last; it looks at direct subclasses of `CloudFormationModel` only."""

    class Completed(CloudFormationModel):
        @staticmethod
        def cloudformation_name_type() -> str:
            return str(known.cloudformation_name_type())

        @staticmethod
        def cloudformation_type() -> str:
            return str(known.cloudformation_type())

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return bool(known.has_cfn_attr(attr))

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **kwargs: Any,
        ) -> Any:
            made = known.create_from_cloudformation_json(
                resource_name, cloudformation_json, account_id, region_name, **kwargs
            )
            if not hasattr(made, "physical_resource_id"):
                made.physical_resource_id = made.arn  # else `Ref` gives the object itself
            clients = _clients(account_id)
            complete(clients, made.physical_resource_id, cloudformation_json["Properties"], region_name)
            return made

    _KEPT.append(Completed)


def _alias(clients: Clients, _name: str, properties: Properties, region: str) -> str:
    return str(clients("lambda", region).create_alias(**properties)["AliasArn"])


def _version(clients: Clients, _name: str, properties: Properties, region: str) -> str:
    published = clients("lambda", region).publish_version(FunctionName=properties["FunctionName"])
    return str(published["FunctionArn"])


def _event_invoke_config(clients: Clients, name: str, properties: Properties, region: str) -> str:
    clients("lambda", region).put_function_event_invoke_config(**properties)
    return name


def _schedule(clients: Clients, name: str, properties: Properties, region: str) -> str:
    clients("scheduler", region).create_schedule(**{"Name": name} | properties)
    return name


def _schedule_group(clients: Clients, name: str, properties: Properties, region: str) -> str:
    clients("scheduler", region).create_schedule_group(**{"Name": name} | properties)
    return name


def _alarm(clients: Clients, name: str, properties: Properties, region: str) -> str:
    # CloudFormation takes a parameter's text for a number; the API does not.
    threshold = {"Threshold": float(properties["Threshold"])}
    clients("cloudwatch", region).put_metric_alarm(**{"AlarmName": name} | properties | threshold)
    return str(properties.get("AlarmName", name))


def _subscription(clients: Clients, _name: str, properties: Properties, region: str) -> str:
    # What the API takes as attributes, CloudFormation has as properties.
    filters = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in properties.items()
        if name.startswith("Filter")
    }
    rest = {name: value for name, value in properties.items() if name not in filters}
    answer = clients("sns", region).subscribe(**rest, Attributes=filters, ReturnSubscriptionArn=True)
    return str(answer["SubscriptionArn"])


def _query_definition(_clients: Clients, name: str, properties: Properties, _region: str) -> str:
    """moto's Logs keeps no queries: what is saved is looked at, and nothing stands."""
    if not properties["QueryString"].strip() or not all(properties["LogGroupNames"]):
        raise ValueError(f"the query {properties['Name']} says nothing, or of no log group")
    return name


def _bucket_policy(clients: Clients, name: str, properties: Properties, region: str) -> str:
    policy = json.dumps(properties["PolicyDocument"])
    clients("s3", region).put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return name


def _topic_policy(clients: Clients, name: str, properties: Properties, region: str) -> str:
    policy = json.dumps(properties["PolicyDocument"])
    for topic in properties["Topics"]:
        clients("sns", region).set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=policy
        )
    return name


def _queue_policy(clients: Clients, name: str, properties: Properties, region: str) -> str:
    policy = json.dumps(properties["PolicyDocument"])
    for queue in properties["Queues"]:
        clients("sqs", region).set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return name


def _complete_function(clients: Clients, name: str, properties: Properties, region: str) -> None:
    left_out = ("Layers", "TracingConfig")
    settings = {key: properties[key] for key in left_out if key in properties}
    clients("lambda", region).update_function_configuration(FunctionName=name, **settings)


def _complete_bucket(clients: Clients, name: str, properties: Properties, region: str) -> None:
    s3 = clients("s3", region)
    if versioning := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if properties.get("ObjectLockEnabled"):
        s3.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )
    if block := properties.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if ownership := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)


def _complete_key(clients: Clients, key_id: str, properties: Properties, region: str) -> None:
    """moto keeps the policy as it stands in the template, and cannot read it then. It also leaves a gap in a
    list where `AWS::NoValue` leaves nothing."""
    document = properties["KeyPolicy"]
    statements = [one for one in document["Statement"] if one is not None]
    policy = json.dumps(document | {"Statement": statements})
    clients("kms", region).put_key_policy(KeyId=key_id, PolicyName="default", Policy=policy)


def _complete_role(clients: Clients, name: str, properties: Properties, region: str) -> None:
    for arn in properties.get("ManagedPolicyArns", []):
        clients("iam", region).attach_role_policy(RoleName=name, PolicyArn=arn)


def teach() -> None:
    """From now on, moto knows these. Called before the first stack is made."""
    _add("AWS::Lambda::Version", "", _version)
    _add("AWS::Lambda::Alias", "", _alias)
    _add("AWS::Lambda::EventInvokeConfig", "", _event_invoke_config)
    _add("AWS::Scheduler::Schedule", "Name", _schedule)
    _add("AWS::Scheduler::ScheduleGroup", "Name", _schedule_group)
    _add(
        "AWS::CloudWatch::Alarm",
        "AlarmName",
        _alarm,
        arn="arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    )
    _add("AWS::SNS::Subscription", "", _subscription)
    _add("AWS::SNS::TopicPolicy", "", _topic_policy)
    _add("AWS::SQS::QueuePolicy", "", _queue_policy)
    _add("AWS::S3::BucketPolicy", "", _bucket_policy)
    _add("AWS::Logs::QueryDefinition", "", _query_definition)
    _complete(LayerVersion, lambda *_: None)
    _complete(LambdaFunction, _complete_function)
    _complete(FakeBucket, _complete_bucket)
    _complete(Key, _complete_key)
    _complete(Role, _complete_role)
