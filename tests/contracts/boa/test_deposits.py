"""Deposits: by balance difference, for anybody, never for a frozen account."""

from pathlib import Path

import boa
from world import DEPOSIT, ZERO, World, block


def test_deposit__for_oneself__is_credited_and_logged(world: World, customer: str) -> None:
    world.hand(customer, 100)
    world.contract.deposit(40, sender=customer)
    (event,) = world.logs("Deposited")
    assert (event.account, event.payer, event.amount, event.total) == (customer, customer, 40, 40)
    assert world.contract.deposited(customer) == world.contract.creditTotal() == 40
    assert world.token.balanceOf(customer) == 60


def test_deposit_for__by_another__belongs_to_the_account(
    world: World, customer: str, attacker: str
) -> None:
    world.fund(customer, 5)
    world.hand(attacker, 7)
    world.contract.depositFor(customer, 7, sender=attacker)
    (event,) = world.logs("Deposited")
    assert (event.account, event.payer, event.amount, event.total) == (customer, attacker, 7, 12)
    assert world.contract.deposited(attacker) == 0


def test_deposit__of_a_token_with_a_fee__credits_what_arrived(
    odd_world: World, customer: str
) -> None:
    odd_world.hand(customer, 1_000)
    odd_world.token.set_fee(100)
    odd_world.contract.deposit(1_000, sender=customer)
    assert odd_world.contract.deposited(customer) == odd_world.contract.creditTotal() == 990


def test_deposit__that_is_entered_again_by_the_token__is_not_counted_twice(
    odd_world: World, customer: str
) -> None:
    odd_world.hand(customer, 1_000)
    inner = odd_world.contract.depositBond.prepare_calldata(10)
    odd_world.token.mint(odd_world.token, 10)
    odd_world.token.call_back(odd_world.contract, inner)
    with boa.reverts():
        odd_world.contract.deposit(1_000, sender=customer)


def test_deposit__of_a_token_that_returns_nothing__is_credited(customer: str) -> None:
    token = boa.load(str(Path(__file__).parent / "SilentToken.vy"))
    world = World.deploy(token)
    world.fund(customer, 9)
    assert world.contract.deposited(customer) == 9


def test_deposit__when_the_token_answers_false__reverts(odd_world: World, customer: str) -> None:
    odd_world.hand(customer, 10)
    odd_world.token.answer_false_to(odd_world.contract, True)
    with boa.reverts("transfer failed"):
        odd_world.contract.deposit(10, sender=customer)


def test_deposit__of_nothing__reverts(world: World, customer: str) -> None:
    world.hand(customer, 10)
    with boa.reverts("nothing arrived"):
        world.contract.deposit(0, sender=customer)


def test_deposit_for__the_zero_account__reverts(world: World, customer: str) -> None:
    world.hand(customer, 10)
    with boa.reverts("account is zero"):
        world.contract.depositFor(ZERO, 10, sender=customer)


def test_deposit__for_a_frozen_account__reverts(world: World, customer: str) -> None:
    world.fund(customer, 10)
    world.contract.freeze(sender=customer)
    with boa.reverts("account is frozen"):
        world.contract.deposit(1, sender=customer)


def test_deposit__while_deposits_are_paused__reverts(world: World, customer: str) -> None:
    world.hand(customer, 10)
    world.contract.pause(DEPOSIT, sender=world.owner)
    with boa.reverts("deposits are paused"):
        world.contract.deposit(1, sender=customer)


def test_freeze__of_a_funded_account__stores_the_block(world: World, customer: str) -> None:
    world.fund(customer, 10)
    world.contract.freeze(sender=customer)
    (event,) = world.logs("Frozen")
    assert (event.account, event.blockNumber) == (customer, block())
    assert world.contract.frozenAt(customer) == block()


def test_freeze__twice__reverts(world: World, customer: str) -> None:
    world.fund(customer, 10)
    world.contract.freeze(sender=customer)
    with boa.reverts("already frozen"):
        world.contract.freeze(sender=customer)


def test_freeze__without_a_deposit__reverts(world: World, attacker: str) -> None:
    with boa.reverts("nothing deposited"):
        world.contract.freeze(sender=attacker)


def test_first_deposit__of_several__is_the_one_that_counts(world: World, customer: str) -> None:
    world.fund(customer, 5)
    first = block()
    boa.env.time_travel(blocks=3)
    world.fund(customer, 5)
    assert world.contract.firstDepositBlock(customer) == first
