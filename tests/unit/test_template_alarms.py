"""What the template's alarms and its dashboard look at is told by the code, with those very dimensions."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from holdfast.core.report import Report, Stage
from holdfast.gauges import gauge_posture
from holdfast.telemetry import tell
from local.alarms import Metric, alarm_from, points
from tests.postures import AT, company
from tests.unit.test_template import HOME, ROOT, STACK, WITH_COPIES, Stack, template

pytestmark = pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")

ALARMS = sorted(Stack().of_type("AWS::CloudWatch::Alarm"))
FUNCTIONS = {f"<{name}>" for name in Stack().of_type("AWS::Serverless::Function")}
STAGES = (Stage.CREATE, Stage.COPY, Stage.PRUNE, Stage.REPORT)

LAMBDA = {"Errors", "Throttles", "Duration"}
"""Metrics that Lambda has of each function, by the Lambda guide."""
SQS = {"ApproximateNumberOfMessagesVisible"}


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """All that the code tells: of each stage, and of a posture at the hour at which all is told."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", STACK)
    metrics = Metrics()
    for stage in STAGES:
        report = Report(stage=stage, plan="nightly", slot=AT)
        metrics.log_metrics(lambda one, _context: tell(one, Logger(), metrics))(report, None)
    gauge_posture(company(at=AT.replace(hour=0)))
    return {one.metric for one in points(capsys.readouterr().out.splitlines())}


def unknown(watched: Iterable[Metric], emitted: Iterable[Metric]) -> list[str]:
    """The metrics that nothing tells: of ours, what the code does not; of AWS's, what is of nothing in the
    template."""
    ours = set(emitted)
    return sorted(
        f"{one.namespace} {one.name} {dict(sorted(one.dimensions))}"
        for one in watched
        if not (one in ours if one.namespace == "Holdfast" else _is_of_aws(one))
    )


def _is_of_aws(one: Metric) -> bool:
    [(name, value)] = one.dimensions
    if one.namespace == "AWS/Lambda":
        return one.name in LAMBDA and name == "FunctionName" and value in FUNCTIONS
    queues = {f"<{queue}.QueueName>" for queue in Stack().of_type("AWS::SQS::Queue")}
    return one.namespace == "AWS/SQS" and one.name in SQS and name == "QueueName" and value in queues


def watched_by(alarm: str) -> set[Metric]:
    return {series.metric for series in alarm_from(Stack().resource(alarm)).series.values()}


class TestAlarms:
    @pytest.mark.parametrize("name", ALARMS)
    def test_what_it_watches_is_told(self, name: str, emitted: set[Metric]) -> None:
        assert unknown(watched_by(name), emitted) == []

    @pytest.mark.parametrize("name", ["RecoveryPointsAlarm", "RunOverdueAlarm", "RunNotOkAlarm"])
    def test_a_metric_that_is_renamed_in_the_code_is_missed(self, name: str, emitted: set[Metric]) -> None:
        [watched] = watched_by(name)
        renamed = {replace(one, name=f"{one.name}X") if one.name == watched.name else one for one in emitted}
        assert len(unknown([watched], renamed)) == 1
        redimensioned = {
            replace(one, dimensions=one.dimensions | {("more", "x")}) if one.name == watched.name else one
            for one in emitted
        }
        assert len(unknown([watched], redimensioned)) == 1

    @pytest.mark.parametrize("name", ALARMS)
    def test_it_tells_the_topic_and_says_what_to_do_first(self, name: str) -> None:
        alarm = Stack().resource(name)
        assert alarm["AlarmActions"] == ["<ReportTopic>"]
        is_news = name in ("RecoveryPointsAlarm", "RunOverdueAlarm", "DeadLetterAlarm")
        assert alarm.get("OKActions") == (["<ReportTopic>"] if is_news else None)
        filtered = Stack(given={"FailuresEmail": "oncall@example.com"}).resource(name)
        assert filtered["AlarmActions"] == ["<ReportTopic>", "<AlarmTopic>"]
        assert alarm["AlarmName"].startswith(f"{STACK}-")
        assert " First: " in alarm["AlarmDescription"]
        # CloudWatch's limit. Names are longer in the account than here.
        assert len(alarm["AlarmDescription"]) <= 900

    @pytest.mark.parametrize("name", ALARMS)
    def test_cloudwatch_takes_its_length(self, name: str) -> None:
        alarm = alarm_from(Stack().resource(name))
        assert alarm.period.total_seconds() * alarm.evaluation_periods <= 86_400
        assert 1 <= alarm.datapoints_to_alarm <= alarm.evaluation_periods

    @pytest.mark.parametrize(
        ("metric", "name"), [("Errors", "FunctionErrorsAlarm"), ("Throttles", "FunctionThrottlesAlarm")]
    )
    def test_no_function_is_left_out(self, metric: str, name: str) -> None:
        watched = [
            *watched_by(name),
            *(one for one in watched_by("RecoveryErrorsAlarm") if one.name == metric),
        ]
        assert {value for one in watched for _, value in one.dimensions} == FUNCTIONS

    def test_a_run_is_overdue_when_its_backups_are_too_old(self) -> None:
        assert alarm_from(Stack().resource("RunOverdueAlarm")).threshold == 26
        assert alarm_from(Stack(given={"RpoHours": "170"}).resource("RunOverdueAlarm")).threshold == 170

    def test_silence_is_the_worst_where_a_run_is_due(self) -> None:
        modes = {name: alarm_from(Stack().resource(name)).missing for name in ALARMS}
        assert modes["RunOverdueAlarm"] == "breaching"
        assert modes["RecoveryPointsAlarm"] == "ignore"

    def test_the_stack_s_name_is_the_service(self) -> None:
        shared = Stack().resolve(template()["Globals"]["Function"]["Environment"]["Variables"])
        assert shared["POWERTOOLS_SERVICE_NAME"] == STACK
        assert shared["POWERTOOLS_METRICS_NAMESPACE"] == "Holdfast"


@dataclass(frozen=True, slots=True)
class Search:
    """A search expression: metrics of one namespace with exactly these dimensions, by their names and by
    the values of some of the dimensions."""

    namespace: str
    dimensions: frozenset[str]
    names: frozenset[str]
    values: frozenset[tuple[str, str]]
    without: frozenset[tuple[str, str]]

    def finds(self, emitted: Iterable[Metric]) -> set[str]:
        """The names that it finds something of."""
        return {
            one.name
            for one in emitted
            if one.namespace == self.namespace
            and {name for name, _ in one.dimensions} == self.dimensions
            and one.name in self.names
            and self.values <= one.dimensions
            and not self.without & one.dimensions
        }


_SEARCH = re.compile(r"SEARCH\('\{(?P<schema>[^}]+)\} (?P<terms>.+)', '(?P<stat>\w+)', (?P<period>\d+)\)")
_TERM = re.compile(r'(?P<no>NOT )?(?P<key>\w+)=(?P<value>"[^"]+"|\([^)]+\))')


def search_in(expression: str) -> Search:
    found = _SEARCH.fullmatch(expression)
    assert found, expression
    namespace, *dimensions = found["schema"].split(",")
    terms = list(_TERM.finditer(found["terms"]))
    assert " ".join(term[0] for term in terms) == found["terms"], expression
    quoted = {(bool(term["no"]), term["key"]): re.findall(r'"([^"]+)"', term["value"]) for term in terms}
    return Search(
        namespace=namespace,
        dimensions=frozenset(dimensions),
        names=frozenset(quoted.pop((False, "MetricName"))),
        values=frozenset((key, one) for (no, key), [one] in quoted.items() if not no),
        without=frozenset((key, one) for (no, key), [one] in quoted.items() if no),
    )


def body(**given: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(Stack(given=given).resource("Dashboard")["DashboardBody"])
    return parsed


def widgets(kind: str) -> list[dict[str, Any]]:
    return [one for one in body()["widgets"] if one["type"] == kind]


def shown() -> Iterator[list[Any]]:
    for widget in widgets("metric"):
        yield from widget["properties"]["metrics"]


METRICS = [one for one in shown() if isinstance(one[0], str)]
SEARCHES = [one[0]["expression"] for one in shown() if not isinstance(one[0], str)]


def metric_of(row: list[Any]) -> Metric:
    namespace, name, *dimensions = [one for one in row if isinstance(one, str)]
    return Metric(namespace, name, frozenset(zip(dimensions[::2], dimensions[1::2], strict=True)))


class TestDashboard:
    def test_each_metric_that_it_names_is_told(self, emitted: set[Metric]) -> None:
        assert METRICS
        assert unknown(map(metric_of, METRICS), emitted) == []

    @pytest.mark.parametrize("expression", SEARCHES)
    def test_each_search_finds_all_that_it_names(self, expression: str, emitted: set[Metric]) -> None:
        search = search_in(expression)
        assert search.namespace == "Holdfast"
        assert ("service", STACK) in search.values
        assert search.finds(emitted) == search.names

    @pytest.mark.parametrize("expression", SEARCHES)
    def test_a_metric_that_is_renamed_in_the_code_is_missed(
        self, expression: str, emitted: set[Metric]
    ) -> None:
        search = search_in(expression)
        renamed = {replace(one, name=f"{one.name}X") for one in emitted}
        assert search.finds(renamed) == set()

    def test_it_shows_every_alarm(self) -> None:
        [widget] = widgets("alarm")
        assert sorted(widget["properties"]["alarms"]) == [f"<{name}.Arn>" for name in ALARMS]

    def test_it_shows_what_every_check_tells(self, emitted: set[Metric]) -> None:
        found = {metric_of(one).name for one in METRICS}.union(*(search_in(one).names for one in SEARCHES))
        # What is told by plan or place as well is shown once.
        assert {one.name for one in emitted} - found == {"GoodBackups"}

    def test_ages_are_shown_with_what_the_plan_allows(self) -> None:
        lines = [one["properties"].get("annotations") for one in widgets("metric")]
        [line] = [one["horizontal"][0]["value"] for one in lines if one]
        assert line == 26

    def test_it_says_where_the_page_and_the_runbook_are(self) -> None:
        [text] = [one["properties"]["markdown"] for one in widgets("text")]
        assert "s3://<ReportBucket>/page/index.html" in text
        assert "docs/alarms.md" in text
        assert (ROOT / "docs" / "alarms.md").exists()

    def test_no_widget_covers_another_and_all_fit(self) -> None:
        def cells(one: dict[str, Any]) -> set[tuple[int, int]]:
            rows, columns = (
                range(one["y"], one["y"] + one["height"]),
                range(one["x"], one["x"] + one["width"]),
            )
            return {(row, column) for row in rows for column in columns}

        places = [cells(one) for one in body()["widgets"]]
        assert all(not one & other for one, other in combinations(places, 2))
        assert {column for one in places for _, column in one} == set(range(24))

    def test_each_metric_widget_names_its_region_and_how_it_is_drawn(self) -> None:
        for one in widgets("metric"):
            drawn = one["properties"]
            assert drawn["region"] == HOME
            assert drawn["view"] in ("timeSeries", "singleValue")
            assert {"title", "stat", "period"} <= drawn.keys()

    @pytest.mark.parametrize("given", [{}, WITH_COPIES, {"RpoHours": "170", "ScheduleState": "DISABLED"}])
    def test_it_is_json_whatever_the_parameters(self, given: dict[str, str]) -> None:
        assert len(body(**given)["widgets"]) == len(body()["widgets"])


class TestDocument:
    def test_it_tells_of_each_alarm_and_each_metric(self, emitted: set[Metric]) -> None:
        text = (ROOT / "docs" / "alarms.md").read_text()
        names = {Stack().resource(name)["AlarmName"].removeprefix(f"{STACK}-") for name in ALARMS}
        assert [name for name in sorted(names) if f"`{name}`" not in text] == []
        assert [name for name in sorted({one.name for one in emitted}) if f"`{name}`" not in text] == []

    def test_it_names_no_metric_that_is_not_told(self, emitted: set[Metric]) -> None:
        text = (ROOT / "docs" / "alarms.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \| (?:hour|day|run|stage)", text, flags=re.MULTILINE)
        assert sorted(set(rows)) == sorted({one.name for one in emitted})
