"""DynamoDB in the background: backups and exports that take their time. Imported in moto's own process."""

from functools import partial
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import s3_backends

from local import exports
from local.weather.background import Background, Method, Words, wrap
from local.weather.calls import CURRENT

BACKUP = Words(service="dynamodb", begun="CREATING", done="AVAILABLE")
"""By DynamoDB's API reference a backup has no state of failure."""

EXPORT = Words(service="dynamodb", begun="IN_PROGRESS", done="COMPLETED", failed="FAILED")

_ERROR = "com.amazonaws.dynamodb.v20120810#"


def teach(background: Background) -> None:
    wrap(DynamoDBBackend, "create_backup", partial(_create, background))
    wrap(DynamoDBBackend, "delete_backup", partial(_delete, background))
    wrap(DynamoHandler, "list_backups", partial(_list, background))
    wrap(DynamoHandler, "export_table_to_point_in_time", partial(_export, background))
    wrap(DynamoHandler, "describe_export", partial(_describe, background))


def _create(background: Background, before: Method, self: DynamoDBBackend, *asked: Any) -> Any:
    made = before(self, *asked)
    background.begin(made, BACKUP, "backup", self.region_name)
    return made


def _delete(background: Background, before: Method, self: DynamoDBBackend, backup_arn: str) -> Any:
    held = self.backups.get(backup_arn)
    if CURRENT.get() is not None and held is not None and held.status == BACKUP.begun:
        raise JsonRESTError(_ERROR + "BackupInUseException", f"Backup is being created: {backup_arn}")
    gone = before(self, backup_arn)
    background.deleted(gone, BACKUP, self.region_name, backup_arn, BACKUP.done)
    return gone


def _list(background: Background, before: Method, self: DynamoHandler) -> ActionResult:
    answer: ActionResult = before(self)
    if "ExclusiveStartBackupArn" in self.body:  # the first page has moved everything on
        return answer
    table = self.body.get("TableName")

    def belongs(one: Any) -> bool:
        return hasattr(one, "summary") and table in (None, one.table.name, one.table.table_arn)

    result: Any = answer.result
    told = {one["BackupArn"]: one for one in result["BackupSummaries"]}
    found = [self.dynamodb_backend.backups[arn] for arn in told]
    shown = background.listed(found, belongs, "dynamodb", self.region)
    result["BackupSummaries"] = [one.summary for one in shown]
    return answer


def _export(background: Background, before: Method, self: DynamoHandler) -> ActionResult:
    if CURRENT.get() is None or "export" not in background.weather.forecast.work:
        return before(self)  # type: ignore[no-any-return]
    account, region = self.current_account, self.region
    most = background.weather.forecast.quotas.exports_in_flight
    if most is not None and len(background.running("dynamodb", region, "export")) >= most:
        message = "Subscriber limit exceeded: too many exports are in progress"
        raise JsonRESTError(_ERROR + "LimitExceededException", message)
    known = {one.arn for one in exports.exports_in(account, region)}
    with exports.held():
        answer: ActionResult = before(self)
    for export in exports.exports_in(account, region):
        if export.arn not in known and export.is_held:
            background.begin(export, EXPORT, "export", region)
            _settle(background, export, account)
    return answer


def _describe(background: Background, before: Method, self: DynamoHandler) -> ActionResult:
    if CURRENT.get() is not None:
        found = exports.exports_in(self.current_account, self.region)
        for export in (one for one in found if one.arn == self.body["ExportArn"]):
            if life := background.life_of(export):
                background.move_on(life)
            _settle(background, export, self.current_account)
    answer: ActionResult = before(self)
    return answer


def _settle(background: Background, export: exports.Export, account: str) -> None:
    """Write what an export that has ended leaves in its bucket."""
    life = background.life_of(export)
    if life is None or not life.is_over or export.ended:
        return
    s3 = s3_backends[account]["aws"]
    if life.ends == EXPORT.failed:
        export.fail(s3, "UNKNOWN", "An internal error ended the export")
    else:
        export.finish(s3)
