"""A verifier as a Lambda function, which somebody has put where the databases can be reached."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.adapters.calls import translated
from holdfast.core.brief import cut
from holdfast.core.verifying import Question, Verdict, question_to_dict, verdict_from_dict

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

KIND = "lambda"
VERIFIER_SECONDS = 120
"""As long as a verifier may take. A call that takes longer is given up, and made again in the next look."""

MOST_CHECKS = 100
_LONGEST_NAME = 100
_LONGEST_ANSWER = 500


class LambdaVerifier:
    """`ports.Verifier`. A function that fails, or answers what it should not, has not let anything pass."""

    def __init__(self, *, client: "LambdaClient", function: str) -> None:
        self._client = client
        self._function = function

    def verify(self, question: Question) -> Verdict:
        with translated(KIND, self._function, "Invoke"):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(question_to_dict(question)).encode()
            )
            text = answer["Payload"].read().decode(errors="replace")
        if answer.get("FunctionError"):
            return _failed(f"the function {self._function} failed: {cut(text, _LONGEST_ANSWER)}")
        try:
            return _of_a_length(verdict_from_dict(json.loads(text)))
        except (ValueError, RecursionError) as error:
            said = f"{error}: {cut(text, _LONGEST_ANSWER)}"
            return _failed(f"the function {self._function} did not answer as a verifier does: {said}")


def _of_a_length(verdict: Verdict) -> Verdict:
    """What is found goes into messages. Raises `ValueError` when there is more of it than anybody reads."""
    if len(verdict.checks) > MOST_CHECKS:
        raise ValueError(f"{len(verdict.checks)} checks are too many; a verifier tells at most {MOST_CHECKS}")
    checks = (
        replace(one, name=cut(one.name, _LONGEST_NAME), found=cut(one.found, _LONGEST_ANSWER))
        for one in verdict.checks
    )
    return Verdict(checks=tuple(checks), reason=cut(verdict.reason, _LONGEST_ANSWER))


def _failed(reason: str) -> Verdict:
    return Verdict(checks=(), reason=reason)
