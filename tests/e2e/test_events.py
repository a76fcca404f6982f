"""Every file in events/ is answered by the functions that it is for; a dry run changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local import invoke, serve, standing
from local.house import House
from local.paths import EVENTS
from local.sandbox import COPY_REGION, HOME_REGION

pytestmark = pytest.mark.xdist_group("cloud")

CALLS = [(event, name) for event in sorted(EVENTS.glob("*.json")) for name in invoke.functions_for(event)]


@pytest.mark.parametrize(("event", "function"), CALLS, ids=[f"{e.stem}-{f}" for e, f in CALLS])
def test_an_event_is_answered(house: House, event: Path, function: str) -> None:
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, invoke.read_event(event))
    assert not answer.error, answer.payload
    assert json.loads(answer.payload)["plan"] == "nightly"


@pytest.mark.parametrize("function", invoke.functions_for(EVENTS / "nightly.json"))
def test_a_dry_run_changes_nothing(house: House, function: str) -> None:
    payload = b'{"plan": "nightly", "slot": "2026-07-01T02:00:00Z", "dry_run": true}'
    before = all_that_is(house)
    answer = invoke.invoke(house.cloud.clients, house.stack.name, function, payload)
    assert not answer.error, answer.payload
    assert all_that_is(house) == before


def all_that_is(house: House) -> Mapping[str, Any]:
    """Everything that a stage could change: backups, databases, tables, records, messages."""
    clients, bucket = house.cloud.clients, house.stack.outputs["ReportBucketName"]
    sqs = clients("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    return {
        "backups": standing.everything(clients),
        "instances": [
            (one["DBInstanceArn"], one["DBInstanceStatus"], one["TagList"])
            for region in (HOME_REGION, COPY_REGION)
            for one in clients("rds", region).describe_db_instances()["DBInstances"]
        ],
        "tables": clients("dynamodb").list_tables()["TableNames"],
        "records": [
            (one["Key"], one["VersionId"])
            for one in clients("s3").list_object_versions(Bucket=bucket).get("Versions", [])
        ],
        "messages": [
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ]
            for url in urls
        ],
    }


class TestMakeInvoke:
    """`python -m local.invoke`, as `make invoke` calls it."""

    @pytest.fixture(autouse=True)
    def environment_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        file = tmp_path / "cloud.env"
        monkeypatch.setattr(serve, "CLOUD_ENV", file)
        return file

    def test_it_prints_the_answer(self, house: House, capsys: pytest.CaptureFixture[str]) -> None:
        serve.write_environment(house)
        assert invoke.main(["prune_backups", str(EVENTS / "prune_backups.dry_run.json")]) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == "prune"

    def test_a_failed_function_ends_it_with_1(
        self, house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        serve.write_environment(house)
        event = tmp_path / "event.json"
        event.write_text('{"plan": "nosuch"}')
        assert invoke.main(["create_backups", str(event)]) == 1
        assert "create_backups failed (Unhandled)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("function", "event", "said"),
        [
            ("no_such", "events/nightly.json", "create_backups, prune_backups, publish_report, run_plan"),
            ("create_backups", "events/no_such.json", "events/nightly.json"),
            ("create_backups", "README.md", "is not JSON"),
        ],
    )
    def test_what_is_not_there_is_named(
        self, function: str, event: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert invoke.main([function, event]) == 2
        assert said in " ".join(capsys.readouterr().out.split())

    def test_without_a_cloud_it_says_so(
        self, environment_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert invoke.main(["create_backups", str(EVENTS / "nightly.json")]) == 2
        assert "no cloud is up" in capsys.readouterr().out
        environment_file.write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:9\nexport HOLDFAST_STACK=x\n")
        assert serve.running_cloud() == {}
