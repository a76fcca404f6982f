"""E-mail subscriptions, which moto's SNS accepts and never delivers. Imported in moto's own process: what
SNS would mail goes to the SQS queue `mailbox`, if there is one, subject and text as a person gets them."""

import json
from typing import Any

from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends

MAILBOX = "mailbox"

_publish = Subscription.publish


def _publish_or_mail(
    self: Subscription, message: str, message_id: str, subject: str | None = None, **kwargs: Any
) -> None:
    if self.protocol != "email":
        _publish(self, message, message_id, subject=subject, **kwargs)
        return
    bodies = json.loads(message) if kwargs.get("message_structure") == "json" else {"default": message}
    text = bodies.get("email", bodies["default"])
    queues = sqs_backends[self.account_id][self.topic.arn.split(":")[3]]
    if MAILBOX in queues.queues:
        queues.send_message(MAILBOX, json.dumps({"to": self.endpoint, "subject": subject, "text": text}))


def deliver() -> None:
    """From now on, deliver them."""
    Subscription.publish = _publish_or_mail  # type: ignore[method-assign, assignment]
