"""Roles and pauses: two steps, a time lock, and nothing that a lost key stops for ever."""

import boa
import pytest
from book import Book
from world import (
    ARBITER,
    DEPOSIT,
    DISPUTE,
    FAIL_SAFE_S,
    OWNER,
    POST,
    SETTLER,
    TIMELOCK_S,
    WITHDRAW,
    ZERO,
    World,
    address_of,
    now_s,
)

HEIR = address_of("heir")


def holder(world: World, role: int) -> str:
    return str((world.contract.owner, world.contract.settler, world.contract.arbiter)[role]())


@pytest.mark.parametrize("role", [OWNER, SETTLER, ARBITER])
def test_role__proposed_and_accepted_after_the_time_lock__changes_hands(
    world: World, role: int
) -> None:
    world.contract.proposeRole(role, HEIR, sender=world.owner)
    (event,) = world.logs("RoleProposed")
    assert (event.role, event.holder, event.effectiveAt) == (role, HEIR, now_s() + TIMELOCK_S)
    assert tuple(world.contract.proposedRole(role)) == (HEIR, now_s() + TIMELOCK_S)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.contract.acceptRole(role, sender=HEIR)
    (event,) = world.logs("RoleAccepted")
    assert (event.role, event.holder) == (role, HEIR)
    assert holder(world, role) == HEIR
    assert world.contract.proposedRole(role).holder == ZERO


@pytest.mark.parametrize("role", [OWNER, SETTLER, ARBITER])
def test_role__accepted_a_second_early__reverts(world: World, role: int) -> None:
    world.contract.proposeRole(role, HEIR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S - 1)
    with boa.reverts("time lock not over"):
        world.contract.acceptRole(role, sender=HEIR)


@pytest.mark.parametrize("role", [OWNER, SETTLER, ARBITER])
def test_role__accepted_by_another__reverts(world: World, role: int, attacker: str) -> None:
    world.contract.proposeRole(role, HEIR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    with boa.reverts("not proposed"):
        world.contract.acceptRole(role, sender=attacker)


def test_role__accepted_twice__reverts(world: World) -> None:
    world.contract.proposeRole(OWNER, HEIR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.contract.acceptRole(OWNER, sender=HEIR)
    with boa.reverts("not proposed"):
        world.contract.acceptRole(OWNER, sender=HEIR)


def test_role__taken_back__cannot_be_accepted(world: World) -> None:
    world.contract.proposeRole(SETTLER, HEIR, sender=world.owner)
    world.contract.proposeRole(SETTLER, ZERO, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    with boa.reverts("not proposed"):
        world.contract.acceptRole(SETTLER, sender=HEIR)


def test_role__proposed_by_another__reverts(world: World, attacker: str) -> None:
    with boa.reverts("wrong role"):
        world.contract.proposeRole(SETTLER, attacker, sender=attacker)


def test_role__that_does_not_exist__reverts(world: World) -> None:
    with boa.reverts("unknown role"):
        world.contract.proposeRole(3, HEIR, sender=world.owner)


@pytest.mark.parametrize(("role", "of"), [(SETTLER, "arbiter"), (ARBITER, "settler")])
def test_role__that_would_make_the_settler_his_own_judge__reverts(
    world: World, role: int, of: str
) -> None:
    other = getattr(world, of)
    world.contract.proposeRole(role, other, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    with boa.reverts("settler is arbiter"):
        world.contract.acceptRole(role, sender=other)


def test_new_owner__alone_can_pause(world: World) -> None:
    world.contract.proposeRole(OWNER, HEIR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.contract.acceptRole(OWNER, sender=HEIR)
    with boa.reverts("wrong role"):
        world.contract.pause(DEPOSIT, sender=world.owner)
    world.contract.pause(DEPOSIT, sender=HEIR)


def test_new_arbiter__decides_an_open_dispute(world: World, customer: str) -> None:
    world.fund(customer, 10)
    world.contract.proposeRole(ARBITER, HEIR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.commit(0)
    world.post(Book({}, {customer: 0}))
    world.bond(customer, world.contract.bondNow())
    world.dispute(customer)
    world.contract.acceptRole(ARBITER, sender=HEIR)
    with boa.reverts("wrong role"):
        world.resolve(True, world.arbiter)
    world.resolve(True, HEIR)


def test_pause__of_some_functions__is_logged_and_lapses(world: World) -> None:
    world.contract.pause(DEPOSIT | WITHDRAW, sender=world.owner)
    (event,) = world.logs("Paused")
    assert (event.flags, event.until) == (DEPOSIT | WITHDRAW, now_s() + FAIL_SAFE_S)
    assert world.contract.paused() == DEPOSIT | WITHDRAW
    assert world.contract.pausedUntil(DEPOSIT) == now_s() + FAIL_SAFE_S
    boa.env.time_travel(seconds=FAIL_SAFE_S)
    assert world.contract.paused() == 0


def test_unpause__of_one_flag__leaves_the_others(world: World) -> None:
    world.contract.pause(31, sender=world.owner)
    world.contract.unpause(POST | DISPUTE, sender=world.owner)
    (event,) = world.logs("Unpaused")
    assert event.flags == POST | DISPUTE
    assert world.contract.paused() == 31 - POST - DISPUTE


@pytest.mark.parametrize("flags", [0, 32, 2**255])
@pytest.mark.parametrize("function", ["pause", "unpause"])
def test_pause__of_unknown_flags__reverts(world: World, function: str, flags: int) -> None:
    with boa.reverts("unknown flags"):
        getattr(world.contract, function)(flags, sender=world.owner)


@pytest.mark.parametrize("function", ["pause", "unpause"])
def test_pause__by_another__reverts(world: World, function: str, attacker: str) -> None:
    with boa.reverts("wrong role"):
        getattr(world.contract, function)(DEPOSIT, sender=attacker)
