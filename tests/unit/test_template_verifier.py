"""What the template makes of the verifier's parameters."""

import re

import pytest

from tests.unit.test_template import ACCOUNT, HOME, Stack, statements, template

SECRET = f"arn:aws:secretsmanager:{HOME}:{ACCOUNT}:secret:reader-AbCdEf"
VERIFIER = {
    "VerifierSubnetIds": "subnet-0123456789abcdef0,subnet-1123456789abcdef0",
    "VerifierSecurityGroupIds": "sg-0123456789abcdef0",
    "VerifierSecretArn": SECRET,
}
ITS_OWN = {"VerifyDatabaseFunction", "VerifyDatabaseRole", "VerifyDatabaseLogGroup"}


def standing(stack: Stack) -> set[str]:
    return {name for name, each in template()["Resources"].items() if stack.holds(each.get("Condition"))}


def test_without_subnets_nothing_of_it_stands() -> None:
    assert standing(Stack()) & ITS_OWN == set()
    assert standing(Stack(given=VERIFIER)) - standing(Stack()) == ITS_OWN | {"DrillVerifierPolicy"}


def test_it_stands_in_the_subnets_and_is_told_what_it_needs() -> None:
    made = Stack(given=VERIFIER | {"VerifierQueries": '{"orders": "select 1"}'}).resource(
        "VerifyDatabaseFunction"
    )
    assert made["VpcConfig"] == {
        "SubnetIds": VERIFIER["VerifierSubnetIds"].split(","),
        "SecurityGroupIds": ["sg-0123456789abcdef0"],
    }
    assert made["Environment"]["Variables"] == {
        "VERIFIER_SECRET_ARN": SECRET,
        "VERIFIER_QUERIES": '{"orders": "select 1"}',
        "VERIFIER_CA_FILE": "/opt/rds-ca.pem",
    }


def test_it_ends_before_the_drill_stops_waiting() -> None:
    from holdfast.adapters.lambda_verifier import VERIFIER_SECONDS

    assert Stack(given=VERIFIER).resource("VerifyDatabaseFunction")["Timeout"] < VERIFIER_SECONDS


def test_no_other_function_carries_the_drivers() -> None:
    functions = Stack(given=VERIFIER).of_type("AWS::Serverless::Function")
    assert [name for name, each in functions.items() if each.get("Layers")] == ["VerifyDatabaseFunction"]


def test_it_may_read_one_secret_and_be_put_into_the_network() -> None:
    allowed = {
        one["Sid"]: (one["Action"], one["Resource"])
        for one in statements(Stack(given=VERIFIER), "VerifyDatabaseRole")
    }
    assert allowed["SecretRead"] == ("secretsmanager:GetSecretValue", SECRET)
    assert set(allowed) == {"SecretRead", "NetworkInterfaces", "NetworkList", "Logs"}
    assert allowed["NetworkInterfaces"][1] == f"arn:aws:ec2:{HOME}:{ACCOUNT}:*/*"


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "VerifierSubnetIds",
            ["", "subnet-12345678,subnet-0123456789abcdef0"],
            ["subnet", "subnet-12345678, "],
        ),
        ("VerifierSecurityGroupIds", ["", "sg-12345678"], ["default", "sg-12345678;sg-12345678"]),
        ("VerifierSecretArn", ["", SECRET], ["reader", SECRET.replace("secret:", "", 1)]),
        ("VerifierQueries", ["{}", '{"a": "select\n1"}'], ["", "select 1"]),
        (
            "VerifierFunction",
            ["", "mine", "mine:live"],
            ["mine live", f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:mine"],
        ),
    ],
)
def test_what_a_parameter_takes(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = re.compile(template()["Parameters"][parameter]["AllowedPattern"])
    assert [one for one in good if not pattern.search(one)] == []
    assert [one for one in bad if pattern.search(one)] == []
