"""The contract as deployed: what it answers, and the data of calls to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from distributary.settings import Settings
from orchestration.chain.artifacts import Artifact, load_artifact
from orchestration.chain.client import Client
from orchestration.chain.errors import ChainStopError, wrong_contract

NAME: Final = "Distributary"
# Any ERC-20: of its ABI only the standard part and `mint` are used.
ERC20: Final = "DemoToken"


@dataclass(frozen=True)
class Contract:
    """One deployed contract with its ABI.

    Attributes:
        client: the node.
        address: in lower case.
        artifact: its ABI.
    """

    client: Client
    address: str
    artifact: Artifact

    @cached_property
    def _codec(self) -> Any:
        from web3 import Web3

        return Web3().eth.contract(abi=self.artifact.abi)

    def encode(self, function: str, *arguments: Any) -> str:
        """The data of a call, 0x and hex. Addresses may be in lower case."""
        return str(self._codec.encode_abi(function, args=[_checksummed(a) for a in arguments]))

    def read(self, function: str, *arguments: Any, at: int | str = "latest") -> Any:
        """Calls a view; one value alone, several as a tuple, addresses in lower case.

        Raises:
            RevertedError: the contract refuses it.
            ChainStopError: `wrong_contract`: it has no such view.
        """
        from eth_abi.abi import decode
        from eth_abi.exceptions import DecodingError

        tag = hex(at) if isinstance(at, int) else at
        data = self.client.call(self.address, self.encode(function, *arguments), at=tag)
        types = [_type(each) for each in self._entry(function)["outputs"]]
        try:
            values = decode(types, data)
        except DecodingError as error:
            raise wrong_contract(f"The contract does not answer {function}()", self.address) from (
                error
            )
        return values[0] if len(values) == 1 else values

    def _entry(self, function: str) -> Mapping[str, Any]:
        for each in self.artifact.abi:
            if each["type"] == "function" and each["name"] == function:
                return each
        raise ChainStopError(
            "The compiled contract has no such function: rebuild contracts/artifacts.",
            value=function,
            code="wrong_contract",
        )


def _type(output: Mapping[str, Any]) -> str:
    """The type of an output as eth_abi wants it: a tuple by its components."""
    kind = str(output["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(each) for each in output['components'])}){kind[5:]}"


def _checksummed(argument: Any) -> Any:
    """web3 wants addresses in the mixed case of EIP-55, also inside of lists of tuples."""
    if isinstance(argument, str) and argument.startswith("0x") and len(argument) == 42:
        from eth_utils.address import to_checksum_address

        return to_checksum_address(argument)
    if isinstance(argument, list | tuple):
        return type(argument)(_checksummed(each) for each in argument)
    return argument


def code_hash(client: Client, address: str) -> bytes:
    """keccak-256 of the code at an address.

    Raises:
        ChainStopError: `wrong_contract`: there is none.
    """
    from eth_utils.crypto import keccak

    code = client.code(address)
    if not code:
        raise wrong_contract("There is no contract at the address", address)
    return bytes(keccak(code))


def open_contract(settings: Settings, client: Client) -> Contract:
    """The configured contract.

    Raises:
        ChainStopError: `wrong_contract`: there is no code.
    """
    contract = Contract(client, settings.contract.lower(), load_artifact(NAME))
    code_hash(client, contract.address)
    return contract


def open_token(client: Client, address: str) -> Contract:
    """An ERC-20."""
    return Contract(client, address, load_artifact(ERC20))
