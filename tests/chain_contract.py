"""A contract on an anvil of one test, and people who deposit, freeze and claim there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from distributary.merkle import Tree, Value, build_tree
from distributary.settings import Settings
from orchestration.chain import local
from orchestration.chain.client import Client
from orchestration.chain.contract import Contract, open_contract, open_token
from orchestration.chain.deploy import Terms, create_both
from orchestration.chain.transact import Sender
from tests.anvil_node import AnvilNode

CUSTOMER, OTHER = 3, 4  # of anvil's accounts; the first three have roles


@dataclass(frozen=True)
class LocalContract:
    """Token and contract on an anvil that mines every transaction at once."""

    node: AnvilNode
    settings: Settings
    client: Client
    contract: Contract
    token: Contract

    def sender(self, number: int) -> Sender:
        return Sender(self.client, self.settings.chain_id, local.known_key(number))

    def address(self, number: int) -> str:
        return local.known_address(number)

    def do(self, number: int, function: str, *arguments: object) -> int:
        """Calls the contract as one of anvil's accounts; the block of the call."""
        data = self.contract.encode(function, *arguments)
        return self.sender(number).send(self.contract.address, data, function).block

    def deposit(self, number: int, units: int, account: str = "") -> int:
        """Mints, approves and deposits; the block of the deposit."""
        sender = self.sender(number)
        local.mint_missing(sender, self.token, units)
        approval = self.token.encode("approve", self.contract.address, units)
        sender.send(self.token.address, approval, "approve")
        return self.do(number, "depositFor", account or self.address(number), units)


def deploy(
    node: AnvilNode, settings: Settings | None = None, terms: Terms | None = None
) -> LocalContract:
    """Deploys on a node of a test."""
    client = Client(node.url)
    address, block = create_both(client, terms or Terms())
    named = replace(settings or Settings(), chain=node.url, contract=address, contract_block=block)
    contract = open_contract(named, client)
    token = open_token(client, contract.read("token"))
    return LocalContract(node, named, client, contract, token)


@pytest.fixture
def local_contract(node: AnvilNode) -> LocalContract:
    """The contract on a chain of this test."""
    return deploy(node)


Deploy = Callable[..., LocalContract]


def bond(chain: LocalContract, number: int) -> None:
    """Sees that an account of anvil's holds the bond that posting and disputing need now."""
    sender, units = chain.sender(number), int(chain.contract.read("bondNow"))
    if int(chain.contract.read("bonds", sender.address)) < units:
        local.mint_missing(sender, chain.token, units)
        approval = chain.token.encode("approve", chain.contract.address, units)
        sender.send(chain.token.address, approval, "approve")
        chain.do(number, "depositBond", units)


def post(
    chain: LocalContract,
    lake: Path,
    leaves: Sequence[Value],
    epoch: int = 1,
    *,
    activate: bool = True,
) -> Tree:
    """Commits and posts an epoch whose tree has these leaves, activates it, and keeps the tree."""
    tree = build_tree(sorted(leaves))
    bond(chain, local.SETTLER)
    cut = chain.node.head
    chain.node.mine()
    chain.do(local.SETTLER, "commitEpoch", epoch, b"\1" * 32, cut)
    totals = [sum(units for kind, _, units in leaves if kind == wanted) for wanted in (0, 1)]
    parent = bytes(chain.contract.read("activeRoot"))
    root = bytes.fromhex(tree.root[2:])
    chain.do(local.SETTLER, "postRoot", epoch, epoch, 1, parent, root, *totals, cut + 1, b"\2" * 32)
    if activate:
        chain.node.ask("evm_increaseTime", 60)
        chain.node.mine()
        chain.do(CUSTOMER, "activateRoot")
    folder = lake / "settlements" / f"{epoch:08d}-{epoch:08d}-1"
    folder.mkdir(parents=True)
    (folder / "tree.json").write_bytes(b"".join(tree.dump()))
    return tree
