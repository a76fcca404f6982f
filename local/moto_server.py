"""The server that plays AWS: moto, with what its CloudFormation, DynamoDB, EBS, RDS and SNS lack added, with
copies that can take their time, with IAM in front, and with weather, which is calm at first.

python -m local.moto_server --port <port>
"""

import argparse
import os

from local import accounts, cloudformation, databases, ebs, exports, mail, sandbox, slow_copies, tables
from local.authority import enforcement
from local.weather import dynamodb as slow_tables
from local.weather import ebs as slow_volumes
from local.weather import rds as slow_databases
from local.weather import server
from local.weather.background import Background
from local.weather.layer import Weather


def teach(weather: Weather) -> None:
    accounts.teach()
    cloudformation.teach()
    ebs.teach()
    exports.teach()
    tables.teach()
    databases.teach()
    slow_copies.teach()
    mail.deliver()
    enforcement.teach()
    background = Background(weather)
    for service in (slow_databases, slow_volumes, slow_tables):
        service.teach(background)


if __name__ == "__main__":
    sandbox.enter()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    server.add_arguments(parser)
    arguments = parser.parse_args()
    os.environ["MOTO_PORT"] = str(arguments.port)
    server.serve(arguments, teach)
