"""Prices in an SSM parameter, as moto keeps them: whatever is in it, there are prices."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from holdfast.adapters.ssm_prices import SsmPrices
from holdfast.core.cost import Prices
from holdfast.prices import load_prices

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

PARAMETER = "/holdfast/prices"


@pytest.fixture
def ssm() -> Iterator["SSMClient"]:
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


def read(ssm: "SSMClient") -> tuple[Prices, str]:
    return SsmPrices(client=ssm, parameter=PARAMETER, parse=load_prices).read()


def test_without_a_parameter_they_are_those_that_come_with_holdfast(ssm: "SSMClient") -> None:
    assert read(ssm) == (load_prices(), "")


def test_a_parameter_takes_the_place_of_some(ssm: "SSMClient") -> None:
    text = '{"as_of": "2026-12-01", "usd": {"ebs_snapshot_gb_month": 0.06}}'
    ssm.put_parameter(Name=PARAMETER, Value=text, Type="String")
    assert read(ssm) == (load_prices(text), "")


def test_one_that_cannot_be_understood_is_told_and_not_used(ssm: "SSMClient") -> None:
    ssm.put_parameter(Name=PARAMETER, Value='{"usd": {"ebs": 1}}', Type="String")
    prices, mistake = read(ssm)
    assert prices == load_prices()
    assert mistake.startswith(
        f"the prices in the SSM parameter {PARAMETER} cannot be used: usd.ebs: unknown price"
    )
    assert mistake.endswith(". The prices that come with Holdfast are used instead")


def test_one_that_cannot_be_read_is_told(ssm: "SSMClient") -> None:
    with Stubber(ssm) as stubber:
        stubber.add_client_error("get_parameter", "AccessDeniedException", "not yours")
        prices, mistake = read(ssm)
    assert prices == load_prices()
    assert mistake.startswith(f"the prices in the SSM parameter {PARAMETER} cannot be read: GetParameter of ")
    assert "not yours" in mistake
    assert mistake.endswith(". The prices that come with Holdfast are used instead")
