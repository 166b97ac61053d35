"""A contract on an anvil of one test, and people who deposit, freeze and claim there."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

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
