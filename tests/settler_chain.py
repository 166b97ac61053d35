"""What a test of settlement does to a chain: fund, deploy, count, and send as anybody."""

from typing import Any, Final

from tests.anvil_node import AnvilNode

# The first account of anvil's public mnemonic.
RICH: Final = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
# Counts calls in slot 0 and reverts where the first word of the call is zero.
COUNTER_CODE: Final = "0x60118060095f395ff35f356008575f5ffd5b60015f54015f5500"


class SettlerChain:
    """An anvil that mines when it is told to."""

    def __init__(self, node: AnvilNode) -> None:
        self.node, self.url = node, node.url
        self.ask("evm_setAutomine", False)
        self.mine()

    def ask(self, method: str, *parameters: Any) -> Any:
        return self.node.ask(method, *parameters)

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks), hex(1))

    def head(self) -> int:
        return self.node.head

    def count(self, contract: str) -> int:
        """What the counter contract counted."""
        return int(self.ask("eth_getStorageAt", contract, "0x0", "latest"), 16)

    def fund(self, address: str, wei: int = 10**20) -> None:
        self.ask("anvil_setBalance", address, hex(wei))

    def deploy(self, code: str = COUNTER_CODE) -> str:
        """Deploys from the rich account; the address."""
        sent = self.ask("eth_sendTransaction", {"from": RICH, "data": code, "gas": hex(10**7)})
        self.mine()
        return str(self.ask("eth_getTransactionReceipt", sent)["contractAddress"])

    def send_as(self, address: str, to: str, *, nonce: int | None = None, **fields: Any) -> str:
        """A transaction that the settler knows nothing of, from any address."""
        self.ask("anvil_impersonateAccount", address)
        given = {"from": address, "to": to, "gas": hex(500_000)} | fields
        if nonce is not None:
            given["nonce"] = hex(nonce)
        return str(self.ask("eth_sendTransaction", given))
