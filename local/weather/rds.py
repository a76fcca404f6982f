"""RDS in the background: snapshots and copies that take their time; quotas. In moto's own process."""

from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from local.weather.background import Background, Method, Words, wrap
from local.weather.calls import CURRENT

WORDS = Words(service="rds", begun="creating", done="available", failed="failed")


def teach(background: Background) -> None:
    for kind, key, parameter in (
        ("db_snapshot", "DBSnapshots", "DBInstanceIdentifier"),
        ("db_cluster_snapshot", "DBClusterSnapshots", "DBClusterIdentifier"),
    ):
        wrap(RDSBackend, f"create_{kind}", partial(_create, background, kind))
        wrap(RDSBackend, f"copy_{kind}", partial(_copy, background, kind))
        wrap(RDSBackend, f"delete_{kind}", partial(_delete, background, kind))
        wrap(RDSResponse, f"describe_{kind}s", partial(_list, background, key, parameter))


def _create(
    background: Background, kind: str, before: Method, self: RDSBackend, *asked: Any, **named: Any
) -> Any:
    if CURRENT.get() is not None:
        _check_room(background, self, kind)
    made = before(self, *asked, **named)
    background.begin(made, WORDS, "backup", self.region_name)
    return made


def _copy(background: Background, kind: str, before: Method, self: RDSBackend, **asked: Any) -> Any:
    source = str(asked[f"source_{kind}_identifier"])
    if CURRENT.get() is not None:
        _check_room(background, self, kind)
        _check_slots(background, self)
        original = getattr(self, f"get_{kind}")(source)
        if original.status != WORDS.done:
            raise _not_available(kind, source, original.status)
    made = before(self, **asked)
    background.begin(made, WORDS, "copy", self.region_name, source)
    return made


def _delete(background: Background, kind: str, before: Method, self: RDSBackend, identifier: str) -> Any:
    held = _snapshots(self, kind).get(identifier)
    status = held.status if held is not None else ""
    if CURRENT.get() is not None and status == WORDS.begun:
        raise _not_available(kind, identifier, status)
    gone = before(self, identifier)
    background.deleted(gone, WORDS, self.region_name, gone.arn, status)
    return gone


def _list(
    background: Background, key: str, parameter: str, before: Method, self: RDSResponse
) -> ActionResult:
    answer: ActionResult = before(self)
    if "Marker" in self.params:  # the first page has moved everything on
        return answer
    database = self.params.get(parameter)
    identifier = "cluster_identifier" if "Cluster" in parameter else "instance_identifier"

    def belongs(one: Any) -> bool:
        of = getattr(one, f"db_{identifier}", None)
        return of is not None and database in (None, of)

    result: Any = answer.result
    result[key] = background.listed(result[key], belongs, "rds", self.region)
    return answer


def _snapshots(backend: RDSBackend, kind: str) -> dict[str, Any]:
    found: Any = backend.database_snapshots if kind == "db_snapshot" else backend.cluster_snapshots
    return found  # type: ignore[no-any-return]


# Both quotas have one code, and differ by the words that people report of them.


def _check_room(background: Background, backend: RDSBackend, kind: str) -> None:
    quotas = background.weather.forecast.quotas
    most = quotas.instance_snapshots if kind == "db_snapshot" else quotas.cluster_snapshots
    manual = [one for one in _snapshots(backend, kind).values() if one.snapshot_type == "manual"]
    if most is not None and len(manual) >= most:
        word = "manual" if kind == "db_snapshot" else "manual cluster"
        raise RDSClientError("SnapshotQuotaExceeded", f"Cannot create more than {most} {word} snapshots")


def _check_slots(background: Background, backend: RDSBackend) -> None:
    slots = background.weather.forecast.quotas.rds_copies_in_flight
    if slots is not None and len(background.running("rds", backend.region_name, "copy")) >= slots:
        message = f"Cannot copy more than {slots} snapshots across regions"
        raise RDSClientError("SnapshotQuotaExceeded", message)


def _not_available(kind: str, identifier: str, status: str) -> RDSClientError:
    code = "InvalidDBSnapshotState" if kind == "db_snapshot" else "InvalidDBClusterSnapshotStateFault"
    return RDSClientError(code, f"{identifier} is not in available state, but {status}")
