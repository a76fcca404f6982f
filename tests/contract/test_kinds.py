"""No kind of resource without the contract."""

import inspect
from importlib import import_module
from pkgutil import iter_modules

import holdfast.adapters
from tests.contract.kinds import REAL, on_moto
from tests.fakes import KINDS

PROMISED = ("kind", "resources", "backups", "create", "delete")


def providers_in_adapters() -> set[type]:
    """Every class in the adapters' modules that has what a provider has and can be made."""
    modules = [
        import_module(f"holdfast.adapters.{one.name}") for one in iter_modules(holdfast.adapters.__path__)
    ]
    return {
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__
        and not inspect.isabstract(found)
        and all(hasattr(found, name) for name in PROMISED)
    }


def test_every_provider_is_held_to_the_contract() -> None:
    assert providers_in_adapters() == {adapter for adapter, _ in REAL.values()}


def test_every_kind_has_a_fake() -> None:
    assert set(KINDS) == set(REAL)


def test_every_provider_is_entered_under_its_own_kind(aws: None) -> None:
    for kind, (adapter, build) in REAL.items():
        world = build()
        assert world.kind == kind
        assert isinstance(world.provider, adapter)
    assert len(on_moto()) == len(REAL)
