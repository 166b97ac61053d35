"""Binding an owner's label to a payee: once, by the settler."""

import boa
import pytest
from eth_utils import keccak
from world import ZERO, World


def test_bind_owner__once__is_stored_and_logged(world: World, payee: str) -> None:
    world.contract.bindOwner("Ærø forlag", payee, sender=world.settler)
    (event,) = world.logs("OwnerBound")
    owner_hash = keccak(text="Ærø forlag")
    assert (event.ownerHash, event.payee) == (owner_hash, payee)
    assert event.label == "Ærø forlag"
    assert world.contract.payeeOf(owner_hash) == payee


def test_bind_owner__twice__reverts(world: World, payee: str, attacker: str) -> None:
    world.contract.bindOwner("press", payee, sender=world.settler)
    for again in (payee, attacker):
        with boa.reverts("already bound"):
            world.contract.bindOwner("press", again, sender=world.settler)


def test_bind_owner__by_another__reverts(world: World, attacker: str) -> None:
    with boa.reverts("wrong role"):
        world.contract.bindOwner("press", attacker, sender=attacker)


@pytest.mark.parametrize(("label", "to_zero"), [("", False), ("press", True)])
def test_bind_owner__with_something_empty__reverts(
    world: World, payee: str, label: str, to_zero: bool
) -> None:
    with boa.reverts("label or payee is empty"):
        world.contract.bindOwner(label, ZERO if to_zero else payee, sender=world.settler)
