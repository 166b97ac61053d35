"""What only the local chain has: coins for anybody, a token that anybody mints, known accounts.

anvil makes its accounts from a mnemonic that is public, so their keys protect nothing: the first
owns the contract, the second settles, the third is the arbiter.
"""

from typing import Final

from distributary.errors import InputError
from distributary.stack.anvil import CHAIN_ID
from orchestration.chain.client import Client
from orchestration.chain.contract import Contract
from orchestration.chain.transact import Sender

MNEMONIC: Final = "test test test test test test test test test test test junk"
OWNER, SETTLER, ARBITER = 0, 1, 2
COINS_WEI: Final = 10 * 10**18
COINS_WEI_MIN: Final = 10**18


def is_local(client: Client) -> bool:
    """Whether the node is an anvil of chain 31337, so that nothing on it is worth anything."""
    if client.chain_id() != CHAIN_ID:
        return False
    return str(client.read("web3_clientVersion")).lower().startswith("anvil/")


def known_key(number: int) -> str:
    """The private key of one of anvil's accounts, 0x and hex."""
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{number}"
    return "0x" + bytes(Account.from_mnemonic(MNEMONIC, account_path=path).key).hex()


def known_address(number: int) -> str:
    """The address of one of anvil's accounts, in lower case."""
    from eth_account import Account

    return str(Account.from_key(known_key(number)).address).lower()


def give_coins(client: Client, address: str) -> None:
    """Sees that an address can pay gas on the local chain."""
    if int(client.read("eth_getBalance", address, "latest"), 16) < COINS_WEI_MIN:
        client.read("anvil_setBalance", address, hex(COINS_WEI))


def mint_missing(sender: Sender, token: Contract, units: int) -> int:
    """Mints demo tokens so that the sender has `units`; how many were missing.

    Raises:
        InputError: `no_tokens`: this is no local chain, and tokens are missing.
    """
    missing = units - int(token.read("balanceOf", sender.address))
    if missing <= 0:
        return 0
    if not is_local(sender.client):
        raise InputError(
            f"The address lacks {missing} units of the token: send it some.",
            value=sender.address,
            code="no_tokens",
        )
    sender.send(token.address, token.encode("mint", sender.address, missing), "the minting")
    return missing
