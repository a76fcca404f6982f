"""Copies of snapshots that take as long as `pace` says. Imported in moto's own process: afterwards a copy is
told as under way until it has been listed so often. For exports, `exports` does the same."""

from collections.abc import Callable
from typing import Any

from moto.ec2.models.elastic_block_store import EBSBackend
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.rds.models import RDSBackend

from local.pace import COPIES

_LIFE = "holdfast_life"


def _copying(copy: Callable[..., Any], begun: str, done: str) -> Callable[..., Any]:
    def copy_slowly(self: Any, *asked: Any, **named: Any) -> Any:
        made = copy(self, *asked, **named)
        life = ManagedState(COPIES, [(begun, done)])
        setattr(made, _LIFE, life)
        made.status = life.status
        return made

    return copy_slowly


def _listing(listing: Callable[..., Any]) -> Callable[..., Any]:
    def list_and_move_on(self: Any, *asked: Any, **named: Any) -> Any:
        found = listing(self, *asked, **named)
        for one in found:
            if life := getattr(one, _LIFE, None):
                life.advance()
                one.status = life.status
        return found

    return list_and_move_on


def teach() -> None:
    """From now on, moto's copies are these. After all else that changes how they are made."""
    for backend, name, begun, done in (
        (RDSBackend, "copy_db_snapshot", "creating", "available"),
        (RDSBackend, "copy_db_cluster_snapshot", "creating", "available"),
        (EBSBackend, "copy_snapshot", "pending", "completed"),
    ):
        setattr(backend, name, _copying(getattr(backend, name), begun, done))
    for backend, name in (
        (RDSBackend, "describe_db_snapshots"),
        (RDSBackend, "describe_db_cluster_snapshots"),
        (EBSBackend, "describe_snapshots"),
    ):
        setattr(backend, name, _listing(getattr(backend, name)))
