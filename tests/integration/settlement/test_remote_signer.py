"""A signer elsewhere, over real HTTP: what it signs is checked before it counts."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from eth_account import Account

from orchestration.settlement.signer import RemoteSigner
from orchestration.settlement.stops import StopError

KEY = "0x" + "5e" * 32
CALL: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 7,
    "to": "0x" + "00" * 19 + "01",
    "data": "0x0102",
    "value": 0,
    "gas": 30_000,
    "maxFeePerGas": 10,
    "maxPriorityFeePerGas": 1,
}


class Wallet:
    """Signs what it is asked, with `changes`, by `key`; or answers with `status`."""

    def __init__(self) -> None:
        self.key, self.changes, self.status = KEY, {}, 200
        wallet = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                data = json.dumps(wallet.answer(asked)).encode()
                self.send_response(wallet.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["method"] == "eth_signTransaction"
        (given,) = asked["params"]
        whole = {k: v for k, v in given.items() if k != "from"} | self.changes
        raw = Account.sign_transaction(whole, self.key).raw_transaction
        return {"jsonrpc": "2.0", "id": asked["id"], "result": {"raw": "0x" + bytes(raw).hex()}}


@pytest.fixture
def wallet() -> Iterator[Wallet]:
    made = Wallet()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def signer(wallet: Wallet) -> RemoteSigner:
    return RemoteSigner(wallet.url, Account.from_key(KEY).address)


def test_sign__an_honest_signer__gives_the_bytes_and_their_hash(signer):
    signed = signer.sign(CALL)
    expected = Account.sign_transaction(CALL, KEY)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 8},
        {"chainId": 1},
        {"to": "0x" + "00" * 19 + "02"},
        {"data": "0x0103"},
        {"value": 1},
        {"maxFeePerGas": 11},
    ],
)
def test_sign__it_signs_something_else__is_refused(signer, wallet, changes):
    wallet.changes = changes
    with pytest.raises(StopError) as stop:
        signer.sign(CALL)
    assert stop.value.code == "signer_refused"


def test_sign__it_signs_with_another_key__is_refused(signer, wallet):
    wallet.key = "0x" + "6f" * 32
    with pytest.raises(StopError) as stop:
        signer.sign(CALL)
    assert stop.value.code == "signer_refused"


def test_sign__it_does_not_answer__is_refused_without_its_url(signer, wallet):
    wallet.status = 503
    with pytest.raises(StopError) as stop:
        signer.sign(CALL)
    assert stop.value.code == "signer_refused"
    assert wallet.url not in str(stop.value)
