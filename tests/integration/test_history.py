"""`docs/history.md` as it stands, against what the use cases and adapters really write: the columns of its
tables, and its queries, whose answers are compared with what was counted by hand.

sqlglot reads the statements as Athena's and says them in DuckDB's words; DuckDB answers them from the files.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pytest
import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp

from holdfast.adapters.s3_postures import S3Postures
from holdfast.adapters.s3_records import S3Records
from holdfast.core.errors import AccessDenied
from holdfast.core.glance import Glance, Standing
from holdfast.core.model import Breaker, KeepPolicy, Origin, Retention
from holdfast.core.posture import Health, Protection
from holdfast.core.report import Action, Outcome, Report, Stage, State, Status, report_from_dict
from holdfast.core.usage import Usage
from tests.builders import DATABASE, NO_BREAKER, TAGS, a_plan, a_request, a_rule
from tests.integration.world import World
from tests.postures import company, protection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE = Path(__file__).parents[2] / "docs" / "history.md"
SLOTS = {day: datetime(2026, 11, day, 2, tzinfo=UTC) for day in (6, 7, 8, 9)}
HOUR = timedelta(hours=1)
_LEFT_OUT = re.search(r"Of a record's keys, (.+?) are left out", PAGE.read_text(), re.DOTALL)
LEFT_OUT = set(re.findall(r"`(\w+)`", _LEFT_OUT[1])) if _LEFT_OUT else set()
"""The keys of a record that the page says it has no columns for."""


@dataclass
class Bucket:
    """As much of S3 as the adapters need to write: every object is a file."""

    folder: Path

    def get_object(self, **request: Any) -> dict[str, Any]:
        path = self.folder / request["Key"]
        if not path.exists():
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": BytesIO(path.read_bytes()), "ETag": "one"}

    def put_object(self, **request: Any) -> dict[str, str]:
        path = self.folder / request["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(request["Body"])
        return {"ETag": "one"}


# What is written.


def nights() -> World:
    """Four nights of two databases and a plan that keeps two of each. On the third one fails; on the fourth
    a person has to approve what is deleted. Every sweep runs twice."""
    world = World(plan=a_plan(keep=KeepPolicy(daily=2), copies=(a_rule(),), types=("rds",)))
    world.cloud.add_resource("rds", "shop", TAGS)
    bills = world.cloud.add_resource("rds", "bills", TAGS)
    for day, slot in SLOTS.items():
        request = a_request(slot)
        if day == 8:
            world.cloud.fail("create", bills.arn, AccessDenied, times=2)
        for _ in range(2):
            world.create(request)
            world.copy(request)
        asks = Breaker(max_deletes_per_run=0, max_delete_share=1.0)
        world.plan = replace(world.plan, breaker=asks if day == 9 else NO_BREAKER)
        world.prune(replace(request, dry_run=True))
        pruned = world.prune(request)
        if day == 9:
            assert pruned.status is Status.REFUSED
            world.prune(replace(request, approve=next(iter(pruned.offers))))
        world.publish(request)
    return world


def everything_a_record_can_have() -> Report:
    """Of a month that no query asks for."""
    kept = {"rds": Retention(policies={"us-east-1": KeepPolicy(daily=7)})}
    slot = datetime(2026, 10, 1, 2, tzinfo=UTC)
    return Report(
        stage=Stage.COPY,
        plan="weekly",
        slot=slot,
        run="a-run",
        outcomes=[
            Outcome(
                action=Action.COPY,
                state=State.PENDING,
                kind="rds",
                resource=DATABASE,
                region="us-west-2",
                reason="it takes longer than the window",
                stuck=True,
            )
        ],
        refusals=["held back"],
        problems=["größer"],
        notices=["new"],
        warnings=["soon"],
        foretold=kept,
        offers={"0123": [DATABASE]},
        approved=["0123"],
        seconds=1.5,
        vault_of=Origin(account="111122223333", region="us-east-1"),
        glance=Glance(at=slot, standing=Standing.OK, resources=1, recoverable=1),
        usage=Usage(invocations=1, gb_seconds=0.5, calls={"s3.PutObject": 2}),
    )


BAD = {
    "shop": {
        22: Health.OVERDUE,
        23: Health.OVERDUE,
        24: Health.MISSING,
        25: Health.UNKNOWN,
        26: Health.MISSING,
    },
    "bills": {30: Health.OVERDUE, 46: Health.MISSING, 47: Health.MISSING},
}
"""How the databases stand worse than well, by the hour from 7 November on."""

NOBODY_LOOKS = (36, 37)


def shown(name: str, hour: int) -> Protection:
    return protection("rds", name, "us-east-1", BAD[name].get(hour, Health.OK))


def write_postures(client: "S3Client") -> None:
    """Two days of postures, one each hour, the first with all that a posture can have."""
    store = S3Postures(client=client, bucket="records")
    begin = datetime(2026, 11, 7, tzinfo=UTC)
    whole = company(at=begin)
    usage = Usage(invocations=1, gb_seconds=0.5, calls={"s3.GetObject": 2})
    for hour in range(48):
        if hour in NOBODY_LOOKS:
            continue
        lines = [shown("shop", hour), shown("bills", hour)]
        others = whole.protections if hour == 0 else ()
        elsewhere = [replace(one, place="us-west-2", health=Health.OK) for one in lines]
        store.save(
            replace(
                whole,
                at=begin + hour * HOUR,
                protections=[*lines, *elsewhere, *(replace(one, health=Health.OK) for one in others)],
                problems=["not seen"],
                usage=usage,
            )
        )


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report bucket as files."""
    written = Bucket(tmp_path_factory.mktemp("bucket"))
    client = cast("S3Client", written)
    records = S3Records(client=client, bucket="records")
    for document in nights().records.documents.values():
        records.save(report_from_dict(document))
    records.save(everything_a_record_can_have())
    write_postures(client)
    return written.folder


def documents(folder: Path) -> list[dict[str, Any]]:
    """Every line of every file as Athena's SerDe reads them: one object each."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        found += [json.loads(line) for line in text.splitlines()]
    return found


# What the page says.


@cache
def statements() -> dict[str, exp.Expr]:
    """The page's SQL: tables by their names, a view by its name, queries by the heading above."""
    found: dict[str, exp.Expr] = {}
    heading = ""
    for title, text in re.findall(
        r"^## (.+?)$|^```sql\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        if title:
            heading = title
            continue
        parsed = sqlglot.parse_one(text, read="athena")
        name = parsed.this.find(exp.Table).name if isinstance(parsed, exp.Create) else heading
        found[f"{name} (more)" if name in found else name] = parsed
    return found


def columns(table: str) -> dict[str, exp.DataType]:
    """The columns of a table, without those that partition it."""
    schema = statements()[table].this
    assert isinstance(schema, exp.Schema)
    return {one.name: one.args["kind"] for one in schema.expressions}


def read(connection: duckdb.DuckDBPyConnection, table: str, files: str) -> None:
    """Make a table of the page's columns, and of what the objects' paths say of their partition."""
    kinds = {name: kind.sql("duckdb") for name, kind in columns(table).items()}
    partition = statements()[table].find(exp.PartitionedByProperty)
    by = {one.name: "VARCHAR" for one in partition.this.expressions} if partition else {}
    connection.execute(
        f"CREATE TABLE {table} AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {kinds},"
        f" hive_partitioning = {bool(by)}" + (f", hive_types = {by})" if by else ")"),
        [files],
    )


@pytest.fixture(scope="module")
def athena(bucket: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The page's tables over the bucket, and its view."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        read(connection, "holdfast_runs", f"{bucket}/runs/*/*/*.json")
        read(connection, "holdfast_posture", f"{bucket}/posture/*/*.jsonl.gz")
        connection.execute(statements()["holdfast_acts"].sql("duckdb"))
        yield connection


def answer(athena: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    cursor = athena.execute(statements()[name].sql("duckdb"))
    names = [one[0] for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# The tables.


PLAIN: Mapping[str, tuple[type, ...]] = {
    "TEXT": (str,),
    "BOOLEAN": (bool,),
    "INT": (int,),
    "DOUBLE": (float, int),
}


def fits(kind: exp.DataType, value: Any) -> bool:
    """Whether a value of JSON is of a column's type."""
    match kind.this.name:
        case "ARRAY":
            return isinstance(value, list) and all(fits(kind.expressions[0], one) for one in value)
        case "MAP":
            return isinstance(value, dict) and all(fits(kind.expressions[1], one) for one in value.values())
        case "STRUCT":
            fields = {one.name: one.args["kind"] for one in kind.expressions}
            return isinstance(value, dict) and all(
                name in fields and fits(fields[name], one) for name, one in value.items()
            )
        case plain:
            return isinstance(value, PLAIN[plain]) and isinstance(value, bool) == (plain == "BOOLEAN")


@pytest.mark.parametrize(
    ("table", "folder", "left_out"),
    [("holdfast_runs", "runs", LEFT_OUT), ("holdfast_posture", "posture", set())],
)
def test_the_columns_are_those_of_the_documents(
    bucket: Path, table: str, folder: str, left_out: set[str]
) -> None:
    found = documents(bucket / folder)
    kinds = columns(table)
    keys = {key for document in found for key in document}
    assert keys - left_out == set(kinds)
    assert left_out <= keys
    wrong = [
        (key, value)
        for document in found
        for key, value in document.items()
        if key not in left_out and not fits(kinds[key], value)
    ]
    assert wrong == []


def test_every_field_of_a_struct_is_in_some_document(bucket: Path) -> None:
    outcomes = [one for record in documents(bucket / "runs") for one in record["outcomes"]]
    fields = {one.name for one in columns("holdfast_runs")["outcomes"].expressions[0].expressions}
    assert {key for one in outcomes for key in one} == fields


def test_a_record_is_one_line(bucket: Path) -> None:
    for path in (bucket / "runs").rglob("*.json"):
        assert len(path.read_text().splitlines()) == 1


def test_the_table_of_columns_is_that_of_the_rows(bucket: Path) -> None:
    """What the page's own table of `row` says."""
    told = {
        row: set(re.findall(r"`(\w+)`", words))
        for row, words in re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
        if row != "row"  # the head
    }
    found: dict[str, set[str]] = {}
    for document in documents(bucket / "posture"):
        found.setdefault(document["row"], set()).update(document)
    assert told == {row: keys - {"row", "at"} for row, keys in found.items()}


# The queries.


def brief(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def short(row: dict[str, Any]) -> str:
    return str(row["resource"]).rpartition(":")[2]


def test_what_was_backed_up_on_a_day(athena: duckdb.DuckDBPyConnection) -> None:
    rows = answer(athena, "What was backed up on a day?")
    assert {row["slot"] for row in rows} == {"2026-11-08T02:00:00Z"}
    assert [(short(row), row["place"], row["action"], row["state"]) for row in rows] == [
        ("bills", "us-east-1", "create", "failed"),
        ("shop", "us-east-1", "create", "done"),
        ("shop", "us-west-2", "copy", "done"),
    ]


def test_what_was_deleted_and_why(athena: duckdb.DuckDBPyConnection) -> None:
    rows = answer(athena, "What was deleted, and why?")
    told = [
        (row["slot"][:10], short(row), row["place"], row["backup"][-16:], bool(row["approved"]))
        for row in rows
    ]
    assert told == [  # two stay in the home Region, and three copies
        ("2026-11-08", "shop", "us-east-1", "20261106t020000z", False),
        ("2026-11-09", "bills", "us-east-1", "20261106t020000z", True),
        ("2026-11-09", "shop", "us-east-1", "20261107t020000z", True),
        ("2026-11-09", "shop", "us-west-2", "20261106t020000z", True),
    ]
    assert len({row["approved"] for row in rows[1:]}) == 1
    assert rows[0]["reason"].startswith("no rule keeps it (")


def test_how_long_there_was_no_good_backup(athena: duckdb.DuckDBPyConnection) -> None:
    rows = answer(athena, "How long did we have no good backup?")
    told = [(short(row), row["began"], row["ended"], row["last_seen"], float(row["hours"])) for row in rows]
    assert told == [
        ("shop", "2026-11-07T22:00:00Z", "2026-11-08T03:00:00Z", "2026-11-08T02:00:00Z", 5.0),
        ("bills", "2026-11-08T06:00:00Z", "2026-11-08T07:00:00Z", "2026-11-08T06:00:00Z", 1.0),
        ("bills", "2026-11-08T22:00:00Z", None, "2026-11-08T23:00:00Z", 1.0),
    ]
    assert brief(rows, "place", "health") == [
        ("us-east-1", "missing"),
        ("us-east-1", "overdue"),
        ("us-east-1", "missing"),
    ]


def test_when_nobody_looked(athena: duckdb.DuckDBPyConnection) -> None:
    rows = answer(athena, "How long did we have no good backup? (more)")
    assert brief(rows, "last_look", "next_look", "hours") == [
        ("2026-11-08T11:00:00Z", "2026-11-08T14:00:00Z", 3.0)
    ]


def test_what_people_were_told(athena: duckdb.DuckDBPyConnection) -> None:
    rows = answer(athena, "What were people told?")
    assert [(row["slot"][:10], row["status"]) for row in rows] == [
        ("2026-11-06", "ok"),
        ("2026-11-07", "ok"),
        ("2026-11-08", "partial"),
        ("2026-11-09", "ok"),
    ]
