"""The one place where everything is put together, once per execution environment.

Each part is made when it is first asked for, so that a function makes only the clients that it uses.
"""

import os
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

import boto3

from holdfast.adapters.accounts import Accounts, Keys
from holdfast.adapters.aurora import AuroraBackups
from holdfast.adapters.aurora_restore import AuroraRestorer
from holdfast.adapters.calls import client_config
from holdfast.adapters.databases import SqlDatabases
from holdfast.adapters.dynamodb import DynamoDBBackups
from holdfast.adapters.dynamodb_exports import DynamoDBExports
from holdfast.adapters.dynamodb_items import DynamoDBItems
from holdfast.adapters.dynamodb_rehearsal import DynamoDBRehearser
from holdfast.adapters.dynamodb_restore import DynamoDBRestorer
from holdfast.adapters.ebs import EbsBackups
from holdfast.adapters.ebs_rehearsal import EbsRehearser
from holdfast.adapters.ebs_restore import EbsRestorer
from holdfast.adapters.lambda_verifier import VERIFIER_SECONDS, LambdaVerifier
from holdfast.adapters.meter import Meter
from holdfast.adapters.patience import Patience
from holdfast.adapters.rds import RdsBackups
from holdfast.adapters.rds_common import RdsRegions
from holdfast.adapters.rds_rehearsal import AuroraRehearser, RdsRehearser
from holdfast.adapters.rds_restore import RdsRestorer
from holdfast.adapters.s3_documents import Lock, S3Documents
from holdfast.adapters.s3_drills import S3Drills
from holdfast.adapters.s3_page import S3Page
from holdfast.adapters.s3_postures import S3Postures
from holdfast.adapters.s3_records import READ_SECONDS as RECORD_READ_SECONDS
from holdfast.adapters.s3_records import S3Records
from holdfast.adapters.s3_recoveries import S3Recoveries
from holdfast.adapters.s3_restores import S3Restores
from holdfast.adapters.s3_returns import S3Returns
from holdfast.adapters.s3_settings import S3Settings
from holdfast.adapters.s3_turns import RENEWAL_ATTEMPTS, RENEWAL_READ_SECONDS, S3Turns
from holdfast.adapters.secret import ManagedSecret
from holdfast.adapters.service_quotas import ServiceQuotas
from holdfast.adapters.sns import SnsChat, SnsNotifier
from holdfast.adapters.ssm_holds import SsmHolds
from holdfast.adapters.ssm_plans import READ_SECONDS as PARAMETER_READ_SECONDS
from holdfast.adapters.ssm_plans import SsmPlans
from holdfast.adapters.ssm_prices import SsmPrices
from holdfast.adapters.tagging import Tagging
from holdfast.core.errors import SettingsError
from holdfast.core.holds import Hold
from holdfast.core.model import Home, Plan
from holdfast.core.posture import Posture
from holdfast.holds import parse_holds
from holdfast.plans import PlanLimits, parse_plan
from holdfast.ports import (
    Chat,
    CheckPorts,
    Copier,
    CopyPorts,
    CreatePorts,
    Deadline,
    DrillPorts,
    Grouper,
    HoldList,
    Notifier,
    PlanStore,
    Provider,
    PrunePorts,
    Quotas,
    RecordPorts,
    RecordStore,
    RecoverPorts,
    Rehearser,
    RestorePorts,
    Restorer,
    ReturnPorts,
    SettingsStore,
    Turns,
    Verifier,
    VerifyPorts,
)
from holdfast.prices import load_prices
from holdfast.settings import Settings, read_settings

if TYPE_CHECKING:
    from aws_durable_execution_sdk_python import DurableContext
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient

    from holdfast.adapters.durable import DurableRun, DurableSteps

ANSWER_SECONDS = 2.0
"""What the last calls of an invocation, those that store its record, leave for its answer."""

KINDS = ("aurora", "dynamodb", "ebs", "rds")
"""The kinds of resources that `App.providers` has an adapter for."""


class App:
    """The parts of Holdfast, wired for one deployment."""

    def __init__(self, settings: Settings, session: boto3.Session) -> None:
        self.settings = settings
        self.home = Home(stack=settings.stack, region=settings.region, account=settings.account)
        self._session = session
        self.patience = Patience(Meter(memory_mb=settings.memory_mb))
        self._accounts = Accounts(
            session,
            role=settings.vault_role,
            session_name=f"holdfast-{settings.stack}",
            patience=self.patience,
        )

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """A provider for each kind. A new kind of resource is one more line here."""
        made: list[Provider] = [self._dynamodb, self._rds, self._aurora, self._ebs]
        return {provider.kind: provider for provider in made}

    @cached_property
    def copiers(self) -> Mapping[str, Copier]:
        """How the backups of each kind get to another Region."""
        made = (self._dynamodb, self._rds, self._aurora, self._ebs)
        return {copier.kind: copier for copier in made}

    @cached_property
    def groupers(self) -> Mapping[str, Grouper]:
        """The kinds of which several can be backed up together."""
        return {self._ebs.kind: self._ebs}

    @cached_property
    def restore_ports(self) -> RestorePorts:
        return RestorePorts(
            providers=self.providers,
            restorers=self.restorers,
            restores=S3Restores(client=self._s3, bucket=self.settings.bucket),
            recorded=self.recorded_settings,
        )

    @cached_property
    def recover_ports(self) -> RecoverPorts:
        return RecoverPorts(
            restore=self.restore_ports,
            settings=self.recorded_settings,
            recoveries=S3Recoveries(client=self._s3, bucket=self.settings.bucket),
        )

    @cached_property
    def record_ports(self) -> RecordPorts:
        return RecordPorts(
            providers=self.providers, restorers=self.restorers, settings=self.recorded_settings
        )

    @cached_property
    def recorded_settings(self) -> SettingsStore:
        """Where the settings of what is protected are recorded: here, and where the exports go."""
        config = client_config(read_seconds=RECORD_READ_SECONDS)
        return S3Settings(
            home=S3Documents(client=self._s3, bucket=self.settings.bucket),
            copies=[
                S3Documents(client=self._accounts.client("s3", region, config), bucket=bucket)
                for region, bucket in self.settings.copy_buckets.items()
            ],
            stack=self.settings.stack,
        )

    @cached_property
    def return_ports(self) -> ReturnPorts:
        return ReturnPorts(
            tables=DynamoDBItems(
                clients=lambda region: self._accounts.client("dynamodb", region, client_config())
            ),
            restores=S3Restores(client=self._s3, bucket=self.settings.bucket),
            returns=S3Returns(client=self._s3, bucket=self.settings.bucket),
        )

    @cached_property
    def restorers(self) -> Mapping[str, Restorer]:
        """How a resource of each kind is made again of its backups."""
        made: list[Restorer] = [
            self._dynamodb_restorer,
            RdsRestorer(regions=self._rds_regions),
            AuroraRestorer(regions=self._rds_regions),
            EbsRestorer(
                clients=lambda place: self._accounts.client("ec2", place, client_config()),
                account=self.home.account,
            ),
        ]
        return {restorer.kind: restorer for restorer in made}

    @cached_property
    def drill_ports(self) -> DrillPorts:
        return DrillPorts(
            restore=self.restore_ports,
            copiers=self.copiers,
            rehearsers=self.rehearsers,
            plans=self.plans,
            drills=S3Drills(client=self._s3, bucket=self.settings.bucket),
            prices=self._prices,
            verifier=self.verifier,
            places=(self.home.region, *self.settings.copy_regions),
        )

    @cached_property
    def rehearsers(self) -> Mapping[str, Rehearser]:
        """How a rehearsed restore of each kind is checked and removed."""
        made: list[Rehearser] = [
            DynamoDBRehearser(
                clients=lambda region: self._accounts.client("dynamodb", region, client_config()),
                exports=self._exports,
            ),
            RdsRehearser(regions=self._rds_regions),
            AuroraRehearser(regions=self._rds_regions),
            EbsRehearser(
                clients=lambda place: self._accounts.client("ec2", place, client_config()),
                account=self.home.account,
            ),
        ]
        return {rehearser.kind: rehearser for rehearser in made}

    @cached_property
    def verifier(self) -> Verifier | None:
        """Who asks databases by SQL, if anybody does."""
        function = self.settings.verifier_function
        if not function:
            return None
        return LambdaVerifier(client=self._lambda, function=function)

    @cached_property
    def _lambda(self) -> "LambdaClient":
        config = client_config(attempts=1, read_seconds=VERIFIER_SECONDS)
        return self.patience.watched(self._session.client("lambda", config=config))

    @cached_property
    def verify_ports(self) -> VerifyPorts:
        client = self.patience.watched(self._session.client("secretsmanager", config=client_config()))
        return VerifyPorts(
            secret=ManagedSecret(client=client, arn=self.settings.verifier_secret),
            databases=SqlDatabases(ca_file=self.settings.verifier_ca_file),
            queries=self.settings.verifier_queries,
        )

    @cached_property
    def quotas(self) -> Quotas:
        quota = self.settings.snapshot_quota
        return ServiceQuotas(
            clients=lambda place: self._accounts.client("service-quotas", place, client_config(attempts=1)),
            configured=dict.fromkeys(("rds", "aurora"), quota) if quota else {},
        )

    @cached_property
    def create_ports(self) -> CreatePorts:
        return CreatePorts(
            providers=self.providers, groupers=self.groupers, turns=self.turns, quotas=self.quotas
        )

    @cached_property
    def copy_ports(self) -> CopyPorts:
        return CopyPorts(
            providers=self.providers,
            copiers=self.copiers,
            records=self.records,
            turns=self.turns,
            quotas=self.quotas,
        )

    @cached_property
    def prune_ports(self) -> PrunePorts:
        return PrunePorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists=self.hold_lists,
            records=self.records,
            quotas=self.quotas,
        )

    @cached_property
    def hold_lists(self) -> Mapping[str, HoldList]:
        """The lists of holds of those kinds whose backups cannot carry the tag."""
        parameter = self.settings.holds_parameter
        if not parameter:
            raise SettingsError("HOLDFAST_HOLDS_PARAMETER is missing (see template.yaml)")

        def parse(text: str, place: str) -> tuple[Hold, ...]:
            return parse_holds(text, place, "dynamodb")

        return {self._dynamodb.kind: SsmHolds(client=self._ssm, parameter=parameter, parse=parse)}

    @cached_property
    def plans(self) -> PlanStore:
        limits = PlanLimits(
            kinds=KINDS,
            home_region=self.home.region,
            copy_regions=self.settings.copy_regions,
            copy_buckets=self.settings.copy_buckets,
            vault_accounts=self.settings.vault_accounts,
            account=self.home.account,
        )

        def parse(name: str, text: str) -> Plan:
            return parse_plan(name, text, limits)

        return SsmPlans(client=self._ssm, path=self.settings.plans_path, parse=parse)

    @cached_property
    def records(self) -> RecordStore:
        return S3Records(client=self._s3, bucket=self.settings.bucket, lock=self._record_lock)

    @cached_property
    def _record_lock(self) -> Lock:
        """For what an auditor reads: records and postures."""
        return Lock(mode=self.settings.record_lock_mode, days=self.settings.record_lock_days)

    @cached_property
    def check_ports(self) -> CheckPorts:
        return CheckPorts(
            providers=self.providers,
            copiers=self.copiers,
            hold_lists=self.hold_lists,
            plans=self.plans,
            records=self.records,
            postures=S3Postures(client=self._s3, bucket=self.settings.bucket, lock=self._record_lock),
            page=S3Page(client=self._s3, bucket=self.settings.bucket, render=_page),
            prices=self._prices,
            quotas=self.quotas,
        )

    @cached_property
    def _prices(self) -> SsmPrices:
        return SsmPrices(client=self._ssm, parameter=self.settings.prices_parameter, parse=load_prices)

    @cached_property
    def turns(self) -> Turns:
        config = client_config(RENEWAL_ATTEMPTS, RENEWAL_READ_SECONDS)
        return S3Turns(
            client=self._s3,
            renewing=self.patience.watched(self._session.client("s3", config=config)),
            bucket=self.settings.bucket,
        )

    @cached_property
    def notifier(self) -> Notifier:
        if not self.settings.topic_arn:
            raise SettingsError("HOLDFAST_TOPIC_ARN is missing (see template.yaml)")
        return SnsNotifier(client=self._sns, topic_arn=self.settings.topic_arn)

    @cached_property
    def chat(self) -> Chat | None:
        """The chat channel, if one is to be told."""
        topic = self.settings.chat_topic_arn
        return SnsChat(client=self._sns, topic_arn=topic) if topic else None

    def durable_run(self, context: "DurableContext") -> "DurableRun":
        """What `run_plan` needs of Lambda's durable functions. No other function loads their SDK."""
        from holdfast.adapters.durable import DurableRun  # noqa: PLC0415  it takes longer than all else here

        return DurableRun(context, self.settings.stage_functions)

    def durable_steps(self, context: "DurableContext") -> "DurableSteps":
        """What `restore` needs of Lambda's durable functions."""
        from holdfast.adapters.durable import DurableSteps  # noqa: PLC0415  as above

        return DurableSteps(context)

    @cached_property
    def _dynamodb(self) -> DynamoDBBackups:
        return DynamoDBBackups(
            client=self._dynamodb_client,
            once=lambda: self.patience.watched(
                self._session.client(
                    "dynamodb", region_name=self.home.region, config=client_config(attempts=1)
                )
            ),
            tagging=self._tagging,
            exports=self._exports,
        )

    @cached_property
    def _dynamodb_restorer(self) -> DynamoDBRestorer:
        return DynamoDBRestorer(
            clients=lambda region: self._accounts.client("dynamodb", region, client_config()),
            once=lambda region: self._accounts.client("dynamodb", region, client_config(attempts=1)),
            scaling=lambda region: self._accounts.client("application-autoscaling", region, client_config()),
            s3=lambda region: self._accounts.client("s3", region, client_config()),
            exports=self._exports,
        )

    @cached_property
    def _dynamodb_client(self) -> "DynamoDBClient":
        return self.patience.watched(
            self._session.client("dynamodb", region_name=self.home.region, config=client_config())
        )

    @cached_property
    def _exports(self) -> DynamoDBExports:
        return DynamoDBExports(
            client=self._dynamodb_client,
            s3=lambda region: self._accounts.client("s3", region, client_config()),
            buckets=self.settings.copy_buckets,
            stack=self.settings.stack,
        )

    @cached_property
    def _rds(self) -> RdsBackups:
        return RdsBackups(regions=self._rds_regions, tagging=self._tagging, keys=self._keys)

    @cached_property
    def _aurora(self) -> AuroraBackups:
        return AuroraBackups(regions=self._rds_regions, tagging=self._tagging, keys=self._keys)

    @cached_property
    def _ebs(self) -> EbsBackups:
        return EbsBackups(
            clients=lambda place: self._accounts.client("ec2", place, client_config()),
            once=lambda place: self._accounts.client("ec2", place, client_config(attempts=1)),
            home=self.home.region,
            account=self.home.account,
            keys=self._keys,
        )

    @cached_property
    def _rds_regions(self) -> RdsRegions:
        return RdsRegions(
            clients=lambda place: self._accounts.client("rds", place, client_config()),
            home=self.home.region,
            account=self.home.account,
            calls_per_second=self.settings.rds_calls_per_second,
        )

    @cached_property
    def _keys(self) -> Keys:
        return Keys(lambda region: self._accounts.client("kms", region, client_config()))

    @cached_property
    def _ssm(self) -> "SSMClient":
        config = client_config(read_seconds=PARAMETER_READ_SECONDS)
        return self.patience.watched(self._session.client("ssm", config=config), ANSWER_SECONDS)

    @cached_property
    def _s3(self) -> "S3Client":
        config = client_config(read_seconds=RECORD_READ_SECONDS)
        return self.patience.watched(self._session.client("s3", config=config), ANSWER_SECONDS)

    @cached_property
    def _sns(self) -> "SNSClient":
        return self.patience.watched(self._session.client("sns", config=client_config()))

    @cached_property
    def _tagging(self) -> Tagging:
        return Tagging(
            lambda: self.patience.watched(
                self._session.client(
                    "resourcegroupstaggingapi", region_name=self.home.region, config=client_config()
                )
            )
        )


def _page(posture: Posture) -> str:
    """The page. Imported here, since it is one function's alone and takes its time to start."""
    from holdfast.page.render import render  # noqa: PLC0415

    return render(posture)


def bootstrap(deadline: Deadline) -> App:
    """The parts for this execution environment, which from now on make no call that this invocation has no
    time for. Raises `SettingsError` when a variable is missing."""
    app = _app()
    app.patience.begin(deadline)
    return app


@cache
def _app() -> App:
    settings = read_settings(os.environ)
    return App(settings, boto3.Session(region_name=settings.here))
