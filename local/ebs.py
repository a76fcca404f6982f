"""What moto's EBS lacks. Imported in moto's own process: afterwards

- CreateSnapshots leaves out the data volumes that are to be left out, and snapshots know their volume's key;
- a copy tells no volume, and can be made of what another account has shared, which that one sees by its id;
- all snapshots tell a type of transfer, as EC2's do, though its model has that of copies alone;
- the key that volumes are encrypted with by default is AWS's, and what is encrypted with it cannot be shared;
- DescribeSnapshots tells those of the owners that were asked for: moto's images have snapshots too.
"""

import copy
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidSnapshotIdError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.utils import random_snapshot_id
from moto.kms.models import kms_backends

NO_VOLUME = "vol-ffffffff"
"""What EC2 tells as the volume of a copy."""

_create_one = EBSBackend.create_snapshot
_create_several = EBSBackend.create_snapshots
_create_default_key = EBSBackend._create_default_encryption_key  # noqa: SLF001
_add_permission = EBSBackend.add_create_volume_permission
_describe = ElasticBlockStore.describe_snapshots


def _create_snapshot(self: EC2Backend, *asked: Any, **more: Any) -> Snapshot:
    made = _create_one(self, *asked, **more)
    made.kms_key_id = made.volume.kms_key_id
    made.transfer_type = "standard"  # type: ignore[attr-defined]  # moto answers with what it finds by name
    return made


def _create_snapshots(
    self: EC2Backend, instance_spec: dict[str, Any], description: str, tags: dict[str, str]
) -> list[Snapshot]:
    made = _create_several(self, instance_spec, description, tags)
    excluded = [one for one in made if one.volume_id in instance_spec.get("ExcludeDataVolumeIds", [])]
    for one in excluded:
        del self.snapshots[one.id]
    return [one for one in made if one not in excluded]


def _copy_snapshot(
    self: EC2Backend, source_snapshot_id: str, source_region: str, description: str, kms_key_id: str | None
) -> Snapshot:
    source = _visible(self.account_id, source_region, source_snapshot_id)
    volume = copy.copy(source.volume)
    volume.id = NO_VOLUME
    if source.encrypted and not kms_key_id:
        kms_key_id = self.default_kms_key_id or _create_default_encryption_key(self)
    made = Snapshot(
        self,
        random_snapshot_id(),
        volume=volume,
        description=description,
        encrypted=source.encrypted,
        kms_key_id=kms_key_id,
    )
    made.transfer_type = "standard"  # type: ignore[attr-defined]
    self.snapshots[made.id] = made
    return made


def _visible(account: str, region: str, snapshot_id: str) -> Snapshot:
    """The snapshot, if it is the account's own or shared with it."""
    for owner, regions in list(ec2_backends.items()):
        found = regions[region].snapshots.get(snapshot_id)
        if found and account in {owner, *found.create_volume_permission_userids}:
            return found
    raise InvalidSnapshotIdError


def _create_default_encryption_key(self: EC2Backend) -> str:
    arn = _create_default_key(self)
    _key(self, arn).key_manager = "AWS"
    return arn


def _add_create_volume_permission(
    self: EC2Backend, snapshot_id: str, user_ids: list[str], groups: list[str]
) -> None:
    key = self.get_snapshot(snapshot_id).kms_key_id
    if key and _key(self, key).key_manager == "AWS":
        text = "Encrypted snapshots with EBS default key cannot be shared"
        raise EC2ClientError("OperationNotPermitted", text)
    _add_permission(self, snapshot_id, user_ids, groups)


def _key(asking: EC2Backend, arn: str) -> Any:
    return kms_backends[asking.account_id][asking.region_name].describe_key(arn)


def _describe_snapshots(self: ElasticBlockStore) -> ActionResult:
    wanted = self._get_param("SnapshotIds", [])
    if any(one not in self.ec2_backend.snapshots for one in wanted):  # then they may be others', and shared
        visible = [_visible(self.current_account, self.region, one) for one in wanted]
        return ActionResult({"Snapshots": visible})
    snapshots: list[Snapshot] = _describe(self).result["Snapshots"]  # type: ignore[index]
    owners = {self.current_account if owner == "self" else owner for owner in self._get_param("OwnerIds", [])}
    return ActionResult({"Snapshots": [one for one in snapshots if not owners or one.owner_id in owners]})


def teach() -> None:
    """From now on, have it."""
    taught: dict[str, Callable[..., Any]] = {
        "create_snapshot": _create_snapshot,
        "create_snapshots": _create_snapshots,
        "copy_snapshot": _copy_snapshot,
        "add_create_volume_permission": _add_create_volume_permission,
        "_create_default_encryption_key": _create_default_encryption_key,
    }
    for name, function in taught.items():
        setattr(EBSBackend, name, function)
    ElasticBlockStore.describe_snapshots = _describe_snapshots  # type: ignore[method-assign]
