"""moto with weather and with tables in it from the start: made in its own process, which takes a second where
the API would take a minute.

    python -m local.bench.server --port <port> --tables 1000 --latency-ms 30 --limit CreateBackup=50
"""

import argparse
import gc

from moto.dynamodb.models import dynamodb_backends

from local.bench.settings import TAGS, table_name
from local.sandbox import ACCOUNT_ID, HOME_REGION
from local.weather import server


def fill(tables: int) -> None:
    """Tables with the tags that a team gives its own, and the one that the plan selects by."""
    backend = dynamodb_backends[ACCOUNT_ID][HOME_REGION]
    for number in range(tables):
        backend.create_table(
            table_name(number),
            schema=[{"AttributeName": "id", "KeyType": "HASH"}],
            attr=[{"AttributeName": "id", "AttributeType": "S"}],
            throughput=None,
            global_indexes=None,
            indexes=None,
            streams=None,
            billing_mode="PAY_PER_REQUEST",
            sse_specification=None,
            tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
            deletion_protection_enabled=False,
            warm_throughput=None,
        )


if __name__ == "__main__":
    _parser = argparse.ArgumentParser()
    _parser.add_argument("--tables", type=int, required=True)
    server.add_arguments(_parser)
    _arguments = _parser.parse_args()
    # A collection stops moto for a fifth of a second, and calls that were sent evenly then arrive at once.
    gc.disable()
    fill(_arguments.tables)
    server.serve(_arguments)
