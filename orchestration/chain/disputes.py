"""A dispute of the pending root, by name and with its bond."""

from dataclasses import dataclass
from typing import Final

from distributary.errors import InputError
from orchestration.chain import local, money
from orchestration.chain.money import Bank
from orchestration.chain.transact import Receipt, Sender

NOBODY: Final = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class Disputed:
    """An open dispute.

    Attributes:
        root: the disputed root, 0x and 64 hex digits.
        bond_units: what the disputer loses if the arbiter finds the root right; half of it comes
            on top if he finds it wrong.
        decide_by_s: unix second until which the arbiter decides; then the root is dropped.
        receipt: of the transaction.
    """

    root: str
    bond_units: int
    decide_by_s: int
    receipt: Receipt


def pending_root(bank: Bank, from_epoch: int, attempt: int) -> str:
    """The pending root, if it is the one named and can be disputed: else no bond is paid in.

    Raises:
        InputError: `another_root`: nothing is pending, or something else. `not_disputable`: its
            delay is over, it is disputed already, or it was ruled right.
    """
    pending = bank.contract.read("pending")
    root, found = "0x" + bytes(pending[0]).hex(), (int(pending[1]), int(pending[3]))
    active_at_s, disputer, was_ruled = pending[8:]
    if root == money.NO_ROOT or found != (from_epoch, attempt):
        raise InputError(
            "That root is not pending: it is active, was dropped, or was never posted.",
            value=f"first epoch {from_epoch}, attempt {attempt}",
            code="another_root",
        )
    head = bank.client.read("eth_getBlockByNumber", "latest", False)
    if disputer != NOBODY or was_ruled or int(head["timestamp"], 16) >= int(active_at_s):
        raise InputError(
            "The root cannot be disputed: its delay is over, it is disputed already, or it was "
            "ruled right.",
            value=root,
            code="not_disputable",
        )
    return root


def dispute(bank: Bank, sender: Sender, from_epoch: int, attempt: int) -> Disputed:
    """Tops up the sender's bond to what a dispute needs, and disputes the root.

    Raises:
        InputError: `another_root`, `not_disputable`, `no_tokens`, `no_gas`.
        RevertedError: disputes are paused, the sender is the settler, and the like; the bond
            can be withdrawn then.
    """
    root = pending_root(bank, from_epoch, attempt)
    held, bond = bank.contract.read("bonds", sender.address), bank.contract.read("bondNow")
    if (missing := int(bond) - int(held)) > 0:
        local.mint_missing(sender, bank.token, missing)
        money.approve(bank, sender, missing)
        data = bank.contract.encode("depositBond", missing)
        sender.send(bank.contract.address, data, "the bond")
    data = bank.contract.encode("dispute", from_epoch, attempt)
    receipt = sender.send(bank.contract.address, data, "the dispute")
    (event,) = [each for each in bank.events(receipt) if each.event == "RootDisputed"]
    return Disputed(root, int(event.data["bond"]), int(event.data["decideBy"]), receipt)
