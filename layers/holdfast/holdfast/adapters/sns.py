"""Messages to people and machines through one SNS topic, and to a chat channel through another."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.errors import ProviderError
from holdfast.core.message import MAX_SUBJECT
from holdfast.ports import Message

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

    type Attributes = dict[str, MessageAttributeValueTypeDef]

KIND = "sns"
MOST_BYTES = 262_144
"""SNS's limit for a message, its attributes included."""


class SnsNotifier:
    """Publishes each message once, with bodies for each protocol: `text` for people's e-mail, the subject
    alone for their telephones, `data` for everything else."""

    def __init__(self, *, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic = topic_arn

    def publish(self, message: Message) -> None:
        """Raises `ProviderError` when the message is larger than SNS takes."""
        bodies = {"default": message.data, "email": message.text, "sms": message.subject}
        # Characters beyond ASCII as they are: escaped they would take up to three times the bytes.
        body = json.dumps(bodies, ensure_ascii=False)
        attributes = _attributes(message.attributes)
        _check_size(self._topic, body, attributes)
        with translated(KIND, self._topic, "Publish"):
            self._client.publish(
                TopicArn=self._topic,
                Subject=one_line(message.subject),
                Message=body,
                MessageStructure="json",
                MessageAttributes=attributes,
            )


class SnsChat:
    """Publishes each message's `chat` as it is: Amazon Q Developer reads it from its topic."""

    def __init__(self, *, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic = topic_arn

    def tell(self, message: Message) -> None:
        """Raises `ProviderError` when it did not go out."""
        attributes = _attributes(message.attributes)
        _check_size(self._topic, message.chat, attributes)
        with translated(KIND, self._topic, "Publish"):
            self._client.publish(TopicArn=self._topic, Message=message.chat, MessageAttributes=attributes)


def _attributes(attributes: Mapping[str, str]) -> "Attributes":
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in attributes.items()
        if value  # SNS refuses an empty one
    }


def _check_size(topic: str, body: str, attributes: "Attributes") -> None:
    size = len(body.encode()) + sum(
        len(f"{name}{value['DataType']}{value.get('StringValue', '')}".encode())
        for name, value in attributes.items()
    )
    if size > MOST_BYTES:
        raise ProviderError(
            KIND, topic, "Publish", "MessageTooLong", f"{size} bytes, and SNS takes {MOST_BYTES}"
        )


def one_line(subject: str) -> str:
    """The subject as SNS takes it: one line without control characters, below 100 characters."""
    line = " ".join("".join(one if one.isprintable() else " " for one in subject).split())
    return line if len(line) <= MAX_SUBJECT else line[: MAX_SUBJECT - 3] + "..."
