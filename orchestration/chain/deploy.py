"""Deploys token and contract on the local chain, once; the settings that name them are kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from distributary.settings import Settings
from distributary.stack.files import locked, read_json
from distributary.stack.state import DEPLOYMENT, record_deployment
from orchestration.chain import local
from orchestration.chain.artifacts import Artifact, load_artifact
from orchestration.chain.client import Client, open_client
from orchestration.chain.contract import ERC20, NAME, Contract, code_hash
from orchestration.chain.errors import ChainStopError, RevertedError
from orchestration.chain.rows import Deployment, keep_deployment

VERSION: Final = "2.0.0"  # of the contract's interface; `version()` must answer it
POLL_S: Final = 0.1
MINED_S_MAX: Final = 60.0


@dataclass(frozen=True)
class Terms:
    """What the constructor fixes for ever; defaults are for the local chain, where people wait.

    Attributes:
        activation_delay_s: how long a posted root can be disputed.
        arbiter_deadline_s: how long the arbiter has.
        grace_blocks: blocks from a freeze to the cut of the last epoch that may charge.
        fail_safe_s: without an active root of a fresh cut for so long, the fail-safe opens.
        bond_units: first bond of settler and disputer.
        timelock_s: from proposing a role's holder to his taking it.
    """

    activation_delay_s: int = 2
    arbiter_deadline_s: int = 30
    grace_blocks: int = 2
    fail_safe_s: int = 600
    bond_units: int = 10**18
    timelock_s: int = 60


def create(
    client: Client,
    artifact: Artifact,
    sender: str,
    arguments: tuple[Any, ...],
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, int]:
    """Deploys a contract from an account whose key the node holds.

    Returns:
        Its address, and the number of its block.

    Raises:
        RevertedError: the constructor refuses its arguments, or it is not mined in time.
    """
    from eth_utils.address import to_checksum_address
    from web3 import Web3

    given = [
        to_checksum_address(a) if isinstance(a, str) and a.startswith("0x") else a
        for a in arguments
    ]
    made = Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    data = str(made.constructor(*given).data_in_transaction)
    # The node's estimate of a constructor is exact, and the local chain's gas costs nothing.
    sent = client.ask("eth_sendTransaction", {"from": sender, "data": data, "gas": hex(10_000_000)})
    for _ in range(int(MINED_S_MAX / POLL_S)):
        receipt = client.read("eth_getTransactionReceipt", sent)
        if receipt is not None:
            break
        sleep(POLL_S)
    if receipt is None or int(receipt["status"], 16) != 1:
        raise RevertedError("its deployment", "the transaction failed or is not mined")
    return str(receipt["contractAddress"]).lower(), int(receipt["blockNumber"], 16)


def create_both(client: Client, terms: Terms = Terms()) -> tuple[str, int]:
    """Deploys token and contract on an anvil, with anvil's own accounts in the three roles.

    Returns:
        The contract's address, and the number of its block.
    """
    owner = local.known_address(local.OWNER)
    token, _ = create(client, load_artifact(ERC20), owner, ())
    roles = (local.known_address(local.SETTLER), local.known_address(local.ARBITER))
    times = (terms.activation_delay_s, terms.arbiter_deadline_s, terms.grace_blocks)
    others = (terms.fail_safe_s, terms.bond_units, terms.timelock_s)
    return create(client, load_artifact(NAME), owner, (token, *roles, *times, *others))


def check_contract(settings: Settings, client: Client) -> tuple[Contract, Deployment]:
    """The configured contract, after a look at its code and version.

    Raises:
        ChainStopError: `wrong_contract`.
    """
    address = settings.contract.lower()
    found = code_hash(client, address)
    contract = Contract(client, address, load_artifact(NAME))
    version = contract.read("version")
    if version != VERSION:
        raise ChainStopError(
            f"The contract is of version {version}, and this program knows {VERSION}: install the "
            "release that the contract was made for.",
            value=address,
            code="wrong_contract",
        )
    token = str(contract.read("token")).lower()
    return contract, Deployment(settings.chain_id, address, token, settings.contract_block, found)


def deploy_local(settings: Settings) -> Deployment:
    """Sees that the local chain has the contract; safe to repeat, and safe for two at once.

    The address goes into `HOME/anvil/deployment.json` and the endpoints file and, where Postgres
    has our tables, into `chain_contract`.

    Raises:
        ChainStopError: the node is no local one, or the database belongs to another contract.
    """
    from dataclasses import replace

    client = open_client(settings)
    home = settings.home.resolve()
    with locked(home / "anvil" / "deployment.lock"):
        kept = read_json(home / DEPLOYMENT)
        if not kept or not client.code(str(kept["contract"])):
            # The deployer's nonces give the same addresses on a chain that began anew.
            contract, block = create_both(client)
            kept = {
                "chain_id": settings.chain_id,
                "contract": contract,
                "contract_block": block,
            }
        record_deployment(home, kept)
    named = replace(
        settings, contract=str(kept["contract"]), contract_block=int(kept["contract_block"])
    )
    _, deployment = check_contract(named, client)
    if settings.postgres:
        from distributary.store import connect

        with connect(settings.postgres) as connection:
            keep_deployment(connection, deployment)
    return deployment
