"""What moto's RDS and KMS lack for copies. Imported in moto's own process: afterwards

- a snapshot can be copied by an account that it is shared with, and by no other;
- an encrypted one only within its Region, and with a key of the account that copies it;
- one that is encrypted with an AWS managed key cannot be shared;
- a copy from another Region or account tells what it was made from.

RDS's user guide ("Sharing encrypted snapshots", "Copying a DB snapshot") and its API reference say so. How
RDS words the two refusals that have no code of their own is not documented; they are made up here.
"""

from collections.abc import Callable
from typing import Any

from moto.kms.models import KmsBackend
from moto.rds.exceptions import InvalidParameterCombination, KMSKeyNotAccessibleFault
from moto.rds.models import DBClusterSnapshot, DBSnapshot, RDSBackend, rds_backends

type Snapshot = DBSnapshot | DBClusterSnapshot

_find: Callable[..., Snapshot] = RDSBackend.get_snapshot
_make_default_key = KmsBackend._generate_default_keys  # noqa: SLF001
_copy_of_instance: Callable[..., Snapshot] = RDSBackend.copy_db_snapshot
_copy_of_cluster: Callable[..., Snapshot] = RDSBackend.copy_db_cluster_snapshot
_modify_of_instance = RDSBackend.modify_db_snapshot_attribute
_modify_of_cluster = RDSBackend.modify_db_cluster_snapshot_attribute


def _get_snapshot(
    self: RDSBackend, identifier: str, resource_type: Any, not_found_exception: Callable[[str], Exception]
) -> Snapshot:
    owner = _owner(self, identifier)
    if owner.account_id == self.account_id:
        return _find(self, identifier, resource_type, not_found_exception)
    found = owner.resource_map[resource_type].get(identifier.split(":", 6)[6])
    if found is None or self.account_id not in found.attributes["restore"]:
        raise not_found_exception(identifier)
    return found  # type: ignore[no-any-return]


def _copy_db_snapshot(self: RDSBackend, **asked: Any) -> Snapshot:
    source = self.get_db_snapshot(asked["source_db_snapshot_identifier"])
    _refuse_what_rds_refuses(self, source, asked.get("kms_key_id"))
    made = _copy_of_instance(self, **asked)
    if source.backend is not self:
        made.source_db_snapshot_identifier = source.arn  # type: ignore[union-attr]  # told by its name
    return made


def _copy_db_cluster_snapshot(self: RDSBackend, **asked: Any) -> Snapshot:
    source = self.get_db_cluster_snapshot(asked["source_db_cluster_snapshot_identifier"])
    _refuse_what_rds_refuses(self, source, asked.get("kms_key_id"))
    made = _copy_of_cluster(self, **asked)
    if source.backend is not self:
        made.source_db_cluster_snapshot_arn = source.arn  # type: ignore[union-attr]
    return made


def _refuse_what_rds_refuses(copying: RDSBackend, source: Snapshot, key: str | None) -> None:
    owner = source.backend
    if owner.account_id == copying.account_id or not source.encrypted:
        return
    if owner.region_name != copying.region_name:
        raise InvalidParameterCombination("An encrypted snapshot of another account is copied in its Region")
    if not key or key.split(":")[4:5] == [owner.account_id]:
        raise KMSKeyNotAccessibleFault(str(key))


def _modify_db_snapshot_attribute(self: RDSBackend, **asked: Any) -> dict[str, list[str]]:
    _refuse_to_share(self, self.get_db_snapshot(asked["db_snapshot_identifier"]))
    return _each_once(_modify_of_instance(self, **asked))


def _modify_db_cluster_snapshot_attribute(self: RDSBackend, **asked: Any) -> dict[str, list[str]]:
    _refuse_to_share(self, self.get_db_cluster_snapshot(asked["db_cluster_snapshot_identifier"]))
    return _each_once(_modify_of_cluster(self, **asked))


def _refuse_to_share(owner: RDSBackend, snapshot: Snapshot) -> None:
    if not snapshot.encrypted:
        return
    key = owner.kms.keys.get(str(snapshot.kms_key_id).rpartition("/")[2])
    if key is not None and key.key_manager == "AWS":
        raise InvalidParameterCombination("A snapshot encrypted with an AWS managed key cannot be shared")


def _each_once(attributes: dict[str, list[str]]) -> dict[str, list[str]]:
    """Sharing again with an account changes nothing; moto would count it twice."""
    for name, values in attributes.items():
        attributes[name] = list(dict.fromkeys(values))
    return attributes


def _generate_default_keys(self: KmsBackend, alias_name: str) -> str | None:
    made = _make_default_key(self, alias_name)
    if made is not None:
        self.keys[made].key_manager = "AWS"
    return made


def _owner(asking: RDSBackend, identifier: str) -> RDSBackend:
    """Where a snapshot stands: of an identifier without an ARN it is where one asks."""
    if not identifier.startswith("arn:"):
        return asking
    _, _, _, region, account, _ = identifier.split(":", 5)
    return rds_backends[account][region]


def teach() -> None:
    """From now on, have it."""
    taught: dict[str, Callable[..., Any]] = {
        "get_snapshot": _get_snapshot,
        "copy_db_snapshot": _copy_db_snapshot,
        "copy_db_cluster_snapshot": _copy_db_cluster_snapshot,
        "modify_db_snapshot_attribute": _modify_db_snapshot_attribute,
        "modify_db_cluster_snapshot_attribute": _modify_db_cluster_snapshot_attribute,
    }
    for name, function in taught.items():
        setattr(RDSBackend, name, function)
    KmsBackend._generate_default_keys = _generate_default_keys  # type: ignore[method-assign]  # noqa: SLF001
