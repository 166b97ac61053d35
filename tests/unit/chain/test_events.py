"""Logs as rows: nothing is rounded, and an unknown event is kept."""

from typing import Any

from orchestration.chain.artifacts import Artifact, load_artifact
from orchestration.chain.events import ACCOUNTS, UNITS, decoder, plain

ADDRESS = "0x" + "ab" * 20
HASH = "0x" + "11" * 32
DEPOSITED: dict[str, Any] = {
    "type": "event",
    "name": "Deposited",
    "inputs": [
        {"name": "account", "type": "address", "indexed": True},
        {"name": "payer", "type": "address", "indexed": True},
        {"name": "amount", "type": "uint256", "indexed": False},
        {"name": "total", "type": "uint256", "indexed": False},
    ],
}


def log(**changes: Any) -> dict[str, Any]:
    padded = "0x" + "00" * 12 + ADDRESS[2:]
    data = (2**256 - 2).to_bytes(32, "big") + (2**256 - 1).to_bytes(32, "big")
    return {
        "topics": [_topic(), padded, padded],
        "data": "0x" + data.hex(),
        "blockNumber": "0x10",
        "blockHash": HASH,
        "logIndex": "0x2",
        "transactionHash": HASH,
        **changes,
    }


def _topic() -> str:
    from eth_utils.crypto import keccak

    return "0x" + keccak(text="Deposited(address,address,uint256,uint256)").hex()


def test_decoder__deposit_of_all_there_is__is_exact() -> None:
    event = decoder(Artifact([DEPOSITED], "0x"))(log())

    assert (event.event, event.account, event.units) == ("Deposited", ADDRESS, 2**256 - 2)
    assert event.data["total"] == str(2**256 - 1)
    assert (event.block, event.log_index) == (16, 2)


def test_decoder__event_that_the_abi_has_not__is_kept_by_its_topic() -> None:
    event = decoder(Artifact([DEPOSITED], "0x"))(log(topics=[HASH]))

    assert (event.event, event.account, event.units, dict(event.data)) == (HASH, None, None, {})


def test_plain__arguments__are_text_that_json_keeps() -> None:
    assert plain(2**255) == str(2**255)
    assert plain(b"\x01\x02") == "0x0102"
    assert plain("0xABcd") == "0xabcd"
    assert plain("A. Author") == "A. Author"
    assert plain([True, (1,)]) == [True, ["1"]]


def test_names__of_accounts_and_amounts__are_arguments_of_the_contract() -> None:
    events = {
        each["name"]: {argument["name"] for argument in each["inputs"]}
        for each in load_artifact("Distributary").abi
        if each["type"] == "event"
    }
    for named in (ACCOUNTS, UNITS):
        assert all(argument in events[event] for event, argument in named.items())
