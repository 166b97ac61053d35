"""The token of the local chain is a plain ERC-20."""

import boa
from world import ZERO, World


def test_mint__by_anybody__adds_to_the_supply(world: World, payee: str) -> None:
    before = world.token.totalSupply()
    world.token.mint(payee, 5, sender=payee)
    assert (world.token.balanceOf(payee), world.token.totalSupply()) == (5, before + 5)


def test_transfer__of_what_one_has__moves_it(world: World, payee: str, customer: str) -> None:
    world.token.mint(payee, 5)
    assert world.token.transfer(customer, 3, sender=payee)
    assert (world.token.balanceOf(payee), world.token.balanceOf(customer)) == (2, 3)


def test_transfer__of_more__reverts(world: World, payee: str, customer: str) -> None:
    with boa.reverts():
        world.token.transfer(customer, 1, sender=payee)


def test_transfer__to_zero__reverts(world: World, payee: str) -> None:
    world.token.mint(payee, 1)
    with boa.reverts("receiver is zero"):
        world.token.transfer(ZERO, 1, sender=payee)
    with boa.reverts("receiver is zero"):
        world.token.mint(ZERO, 1)


def test_transfer_from__uses_up_the_allowance(world: World, payee: str, customer: str) -> None:
    world.token.mint(payee, 5)
    world.token.approve(customer, 3, sender=payee)
    assert world.token.transferFrom(payee, customer, 3, sender=customer)
    assert world.token.allowance(payee, customer) == 0
    with boa.reverts():
        world.token.transferFrom(payee, customer, 1, sender=customer)


def test_transfer_from__with_the_largest_allowance__keeps_it(
    world: World, payee: str, customer: str
) -> None:
    world.token.mint(payee, 5)
    world.token.approve(customer, 2**256 - 1, sender=payee)
    world.token.transferFrom(payee, customer, 5, sender=customer)
    assert world.token.allowance(payee, customer) == 2**256 - 1


def test_token__says_what_it_is(world: World) -> None:
    assert (world.token.symbol(), world.token.decimals()) == ("DEMO", 18)
    assert "demo" in world.token.name()
