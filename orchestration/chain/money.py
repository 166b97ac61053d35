"""What people do with their money on the chain: deposit, freeze, withdraw, claim."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from distributary.errors import InputError
from distributary.settings import Settings
from orchestration.chain import local
from orchestration.chain.client import Client, open_client
from orchestration.chain.contract import Contract, open_token
from orchestration.chain.deploy import check_contract
from orchestration.chain.events import ChainEvent, decoder
from orchestration.chain.proofs import CHARGED, Proof, TreeOf, earned, find_proof
from orchestration.chain.transact import Receipt, Sender

NO_ROOT: Final = "0x" + "0" * 64
CLAIMS_MAX: Final = 25  # of one transaction; the contract takes 64, and blocks have limits too


@dataclass(frozen=True)
class Bank:
    """The configured contract and its token, for one run of a command."""

    settings: Settings
    client: Client
    contract: Contract
    token: Contract

    def sender(self, private_key: str) -> Sender:
        """Sends for a key; on the local chain its address can pay gas from now on."""
        sender = Sender(self.client, self.settings.chain_id, private_key)
        if local.is_local(self.client):
            local.give_coins(self.client, sender.address)
        return sender

    def events(self, receipt: Receipt) -> list[ChainEvent]:
        """The contract's events of a transaction."""
        decode = decoder(self.contract.artifact)
        mine = [log for log in receipt.logs if log["address"].lower() == self.contract.address]
        return [decode(log) for log in mine]


def open_bank(settings: Settings) -> Bank:
    """The configured contract, checked.

    Raises:
        InputError: `no_contract`.
        UnavailableError: the node does not answer.
        ChainStopError: `wrong_chain`, `wrong_contract`.
    """
    if not settings.has_contract:
        raise InputError(
            "No contract is configured: run `distributary up`, or set DISTRIBUTARY_CHAIN and "
            "DISTRIBUTARY_CONTRACT.",
            code="no_contract",
        )
    client = open_client(settings)
    contract, deployment = check_contract(settings, client)
    return Bank(settings, client, contract, open_token(client, deployment.token))


def deposit(bank: Bank, sender: Sender, account: str, units: int) -> tuple[Receipt, ChainEvent]:
    """Approves and deposits for an account; on the local chain missing tokens are minted.

    Returns:
        The deposit's receipt and event; the event's units are what arrived.

    Raises:
        InputError: `no_tokens`, `no_gas`.
        RevertedError: the account is frozen, deposits are paused, and the like.
    """
    local.mint_missing(sender, bank.token, units)
    approve(bank, sender, units)
    contract = bank.contract
    receipt = sender.send(
        contract.address, contract.encode("depositFor", account, units), "the deposit"
    )
    (event,) = [each for each in bank.events(receipt) if each.event == "Deposited"]
    return receipt, event


def approve(bank: Bank, sender: Sender, units: int) -> None:
    """Lets the contract take units of the sender's tokens, where it may not yet."""
    if int(bank.token.read("allowance", sender.address, bank.contract.address)) < units:
        approval = bank.token.encode("approve", bank.contract.address, units)
        sender.send(bank.token.address, approval, "the approval")


def freeze(bank: Bank, sender: Sender) -> Receipt:
    """Freezes the sender's account for good: the first step of a withdrawal.

    Raises:
        RevertedError: nothing was deposited, or it is frozen already.
    """
    return sender.send(bank.contract.address, bank.contract.encode("freeze"), "the freeze")


def withdraw(bank: Bank, sender: Sender, tree_of: TreeOf) -> tuple[Receipt, ChainEvent]:
    """Withdraws what a frozen account has not been charged, by its leaf in the active root.

    Raises:
        InputError: `not_frozen`, `too_early`, `no_leaf`, `unknown_root`.
        RevertedError: nothing is left, withdrawals are paused.
    """
    root = active_root(bank)
    _check_grace(bank, sender.address, root)
    proof = find_proof(tree_of(root), CHARGED, sender.address)
    if proof is None:
        raise InputError(
            "The account has no leaf in the active root: it was deposited after it; wait for the "
            "next posting.",
            value=sender.address,
            code="no_leaf",
        )
    data = bank.contract.encode("withdraw", root, proof.cumulative_units, proof.siblings)
    return _withdrawn(bank, sender.send(bank.contract.address, data, "the withdrawal"))


def withdraw_fail_safe(bank: Bank, sender: Sender, tree_of: TreeOf) -> tuple[Receipt, ChainEvent]:
    """Withdraws from the last active root when no later one has come for the stated time.

    Raises:
        InputError: `unknown_root`, `no_leaf`: the root is no older than the account, and has no
            leaf of it.
        RevertedError: the fail-safe is not open, or nothing is left.
    """
    given = Proof(0, []) if _is_newer(bank, sender.address) else _charges(bank, sender, tree_of)
    data = bank.contract.encode("failSafeWithdraw", given.cumulative_units, given.siblings)
    return _withdrawn(bank, sender.send(bank.contract.address, data, "the fail-safe withdrawal"))


def _is_newer(bank: Bank, account: str) -> bool:
    """Whether the active root, if there is one, cannot know of the account: no tree is needed."""
    first = int(bank.contract.read("firstDepositBlock", account))
    return active_root(bank) == NO_ROOT or first > int(bank.contract.read("activePinnedBlock"))


def _charges(bank: Bank, sender: Sender, tree_of: TreeOf) -> Proof:
    proof = find_proof(tree_of(active_root(bank)), CHARGED, sender.address)
    if proof is None:
        raise InputError(
            "The active root has no leaf of the account: wait for one that has, or dispute.",
            value=sender.address,
            code="no_leaf",
        )
    return proof


def _withdrawn(bank: Bank, receipt: Receipt) -> tuple[Receipt, ChainEvent]:
    names = ("Withdrawn", "FailSafeWithdrawn")
    (event,) = [each for each in bank.events(receipt) if each.event in names]
    return receipt, event


def _check_grace(bank: Bank, account: str, root: str) -> None:
    """Says in words what the contract would refuse."""
    frozen_at = int(bank.contract.read("frozenAt", account))
    if not frozen_at:
        raise InputError(
            "The account is not frozen: run `distributary freeze` first.",
            value=account,
            code="not_frozen",
        )
    needed = frozen_at + int(bank.contract.read("graceBlocks"))
    cut = last_cut(bank) if root != NO_ROOT else 0
    if cut < needed:
        raise InputError(
            f"An active root must cover answers up to block {needed}, and the latest one covers "
            f"them up to {cut}: wait for the next posting.",
            value=account,
            code="too_early",
        )


def last_cut(bank: Bank) -> int:
    """The cut block of the active root's last epoch."""
    epoch = int(bank.contract.read("nextEpoch")) - 1
    return int(bank.contract.read("epochCommit", epoch)[1])


def active_root(bank: Bank) -> str:
    """The latest active root, 0x and 64 hex digits; zeros before the first."""
    return "0x" + bytes(bank.contract.read("activeRoot")).hex()


def claim(
    bank: Bank, sender: Sender, payees: Sequence[str] | None, tree_of: TreeOf
) -> list[tuple[Receipt, list[ChainEvent]]]:
    """Claims for payees, in lots; who has nothing new to claim is left out.

    Args:
        bank: the contract.
        sender: pays the gas; the money goes to each payee or the recipient that he set.
        payees: addresses, or None for everybody in the tree.
        tree_of: where the tree is.

    Returns:
        By transaction, its receipt and its `Claimed` and `ClaimSkipped` events.

    Raises:
        InputError: `nothing_posted`, `unknown_root`, or `no_leaf`: a payee is not in the tree.
    """
    root = active_root(bank)
    if root == NO_ROOT:
        raise InputError("No root is active yet: nothing can be claimed.", code="nothing_posted")
    tree = tree_of(root)
    leaves = earned(tree)
    for payee in payees or ():
        if payee not in leaves:
            raise InputError(
                "The payee has earned nothing by the active root.", value=payee, code="no_leaf"
            )
    due = [
        (payee, units, tree.proof(index))
        for payee, (index, units) in leaves.items()
        if (payees is None or payee in payees) and units > claimed_units(bank, payee)
    ]
    return [_claim_lot(bank, sender, root, lot) for lot in _lots(due)]


def with_leaves(bank: Bank, addresses: Sequence[str], tree_of: TreeOf) -> list[str]:
    """Those of some addresses that have earned by the active root; none before the first."""
    root = active_root(bank)
    if root == NO_ROOT:
        return []
    leaves = earned(tree_of(root))
    return [address for address in addresses if address in leaves]


def claimed_units(bank: Bank, payee: str) -> int:
    """What a payee has claimed so far, base units."""
    return int(bank.contract.read("claimed", payee))


def _lots(due: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(due), CLAIMS_MAX):
        yield due[first : first + CLAIMS_MAX]


def _claim_lot(
    bank: Bank, sender: Sender, root: str, lot: Sequence[Any]
) -> tuple[Receipt, list[ChainEvent]]:
    data = bank.contract.encode("claimMany", root, list(lot))
    receipt = sender.send(bank.contract.address, data, "the claim")
    return receipt, bank.events(receipt)


def set_recipient(bank: Bank, sender: Sender, recipient: str) -> Receipt:
    """Sends what the sender claims or withdraws to `recipient` from now on."""
    data = bank.contract.encode("setRecipient", recipient)
    return sender.send(bank.contract.address, data, "the new recipient")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the chain says of an address; base units, at the head.

    Attributes:
        deposited_units: deposited for the account.
        withdrawn_units: withdrawn from it.
        charged_posted_units: charged by the latest active root; None where its tree is not here.
        frozen_block: when it was frozen, or None.
        earned_units: earned as a payee by the latest active root; None like the above.
        claimed_units: claimed as a payee.
        recipient: where claims and withdrawals go.
        token_units: the address' own tokens.
    """

    account: str
    deposited_units: int
    withdrawn_units: int
    charged_posted_units: int | None
    frozen_block: int | None
    earned_units: int | None
    claimed_units: int
    recipient: str
    token_units: int


def read_standing(bank: Bank, account: str, tree_of: TreeOf) -> Standing:
    """Reads an address' standing; one that never was on the chain has zeros."""
    contract, root = bank.contract, active_root(bank)
    charged: int | None = 0
    earned_units: int | None = 0
    if root != NO_ROOT:
        try:
            tree = tree_of(root)
        except InputError:
            charged = earned_units = None
        else:
            leaf = find_proof(tree, CHARGED, account)
            charged = leaf.cumulative_units if leaf else 0
            earned_units = earned(tree).get(account, (0, 0))[1]
    return Standing(
        account=account,
        deposited_units=int(contract.read("deposited", account)),
        withdrawn_units=int(contract.read("withdrawn", account)),
        charged_posted_units=charged,
        frozen_block=int(contract.read("frozenAt", account)) or None,
        earned_units=earned_units,
        claimed_units=claimed_units(bank, account),
        recipient=str(contract.read("recipientOf", account)).lower(),
        token_units=int(bank.token.read("balanceOf", account)),
    )
