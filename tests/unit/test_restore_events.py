"""What may be asked of a restore, and how each mistake is told."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import RequestError
from holdfast.core.restoring import RestoreRequest, kind_of
from holdfast.restore_events import parse_restore
from tests.builders import CLUSTER, DATABASE, NIGHT, TABLE, VOLUME

NOW = NIGHT + timedelta(hours=13)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("resource", "to", "region", "at", "backup", "settings", "id", "dry_run")


def parsed(**event: Any) -> RestoreRequest:
    return parse_restore({"resource": TABLE, **event}, NOW, "us-east-1", "run-1")


def test_the_least_that_one_has_to_say() -> None:
    assert parsed() == RestoreRequest(id="run-1", resource=TABLE, region="us-east-1")


def test_all_that_one_can_say() -> None:
    asked = parsed(
        to="orders-restored",
        region="us-west-2",
        at="2026-11-22T14:55:00Z",
        settings={"BillingMode": "PROVISIONED"},
        id="worst-day",
        dry_run=True,
    )
    assert asked == RestoreRequest(
        id="worst-day",
        resource=TABLE,
        region="us-west-2",
        to="orders-restored",
        at=NIGHT + timedelta(hours=12, minutes=55),
        settings={"BillingMode": "PROVISIONED"},
        dry_run=True,
    )
    assert parsed(at="latest").latest
    assert parsed(backup="before-migration").backup == "before-migration"


@pytest.mark.parametrize(
    ("arn", "kind"), [(TABLE, "dynamodb"), (DATABASE, "rds"), (CLUSTER, "aurora"), (VOLUME, "ebs"), ("x", "")]
)
def test_the_kind_is_in_the_arn(arn: str, kind: str) -> None:
    assert kind_of(arn) == kind


@pytest.mark.parametrize(
    ("event", "mistake"),
    [
        ({"resource": "orders"}, "resource: 'orders' is no ARN of a DynamoDB table"),
        (
            {"resource": "arn:aws:s3:::bucket"},
            "resource: 'arn:aws:s3:::bucket' is no ARN of a DynamoDB table",
        ),
        ({"into": "x"}, "into: not a key of this function; allowed are resource, to, region"),
        ({"to": ""}, ""),
        ({"to": "a\nb"}, "to: 'a\\nb' is not allowed; give the name of what is to be made"),
        ({"region": "Oregon"}, "region: 'Oregon' is not allowed; give a Region such as 'us-west-2'"),
        ({"id": "a b"}, "id: 'a b' is not allowed; give 1 to 64 letters, digits, '_' and '-'"),
        ({"at": "yesterday"}, "at: 'yesterday' is no time; give one in UTC such as"),
        ({"at": "yesterday"}, "(or 'latest')"),
        ({"at": "2026-11-23T02:00:00Z"}, "is in the future"),
        ({"at": "latest", "backup": "b"}, "backup and at: give one of them, or neither"),
        ({"settings": ["x"]}, "settings: ['x'] is not allowed; give an object of AWS's names and values"),
        ({"settings": {"Tags": {"a": "x" * 60_000}}}, "of at most 50,000 characters"),
        ({"dry_run": "yes"}, "dry_run: 'yes' is not allowed; give true or false"),
    ],
)
def test_each_mistake_is_told_with_what_is_allowed(event: dict[str, Any], mistake: str) -> None:
    if not mistake:
        assert parsed(**event).to == ""
        return
    with pytest.raises(RequestError) as error:
        parsed(**event)
    assert mistake in str(error.value)


@given(st.dictionaries(st.sampled_from(KEYS), json_values) | json_values)
def test_anything_is_a_request_or_a_mistake(event: object) -> None:
    with suppress(RequestError):
        assert kind_of(parse_restore(event, NOW, "us-east-1", "run-1").resource)
