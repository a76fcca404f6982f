"""An answer that does not come whole is no answer: half a listing must not be read as an empty one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import boto3
import pytest

from holdfast.adapters import patience as patience_module
from holdfast.adapters.calls import client_config, translated
from holdfast.adapters.patience import Patience
from holdfast.core.errors import NoAnswer

WHOLE = b'{"BackupSummaries": []}'
SNAPSHOTS = b"<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots/>"


@contextmanager
def server(*bodies: tuple[int, bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that announces so many bytes, sends these, and hangs up; its URL, and what it was asked."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for announced, body in bodies:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % announced + body)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
    finally:
        listening.close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "PAUSE_SECONDS", 0.0)


def list_backups(url: str, attempts: int) -> object:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", endpoint_url=url, config=client_config(attempts)
    )
    with translated("dynamodb", "us-east-1", "ListBackups"):
        return Patience().watched(client).list_backups()["BackupSummaries"]


@pytest.mark.parametrize(
    ("announced", "body"),
    [(len(WHOLE), WHOLE[:11]), (11, WHOLE[:11]), (0, b""), (2, b"[]")],
    ids=["cut off", "no JSON", "empty", "no object"],
)
def test_what_is_not_whole_is_no_answer(announced: int, body: bytes) -> None:
    with server((announced, body)) as (url, _), pytest.raises(NoAnswer, match="cut off"):
        list_backups(url, attempts=1)


def test_it_is_asked_for_again() -> None:
    with server((len(WHOLE), WHOLE[:11]), (len(WHOLE), WHOLE)) as (url, asked):
        assert list_backups(url, attempts=2) == []
        assert len(asked) == 2


def test_so_it_is_of_a_service_that_answers_in_xml() -> None:
    with server((200, SNAPSHOTS)) as (url, _):
        client = boto3.client("rds", region_name="us-east-1", endpoint_url=url, config=client_config(1))
        with pytest.raises(NoAnswer), translated("rds", "us-east-1", "DescribeDBSnapshots"):
            Patience().watched(client).describe_db_snapshots()


def test_an_object_that_ends_too_early_is_no_answer() -> None:
    with server((200, b'{"until": ')) as (url, _):
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=url, config=client_config(1))
        with pytest.raises(NoAnswer), translated("s3", "s3://records/turn", "GetObject"):
            Patience().watched(client).get_object(Bucket="records", Key="turn")["Body"].read()


def test_an_answer_without_what_it_must_have_is_no_answer() -> None:
    with server((2, b"{}")) as (url, _), pytest.raises(NoAnswer, match="cannot be understood"):
        list_backups(url, attempts=1)
