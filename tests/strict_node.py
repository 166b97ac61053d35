"""A strict and faulty JSON-RPC proxy in front of anvil: real HTTP, with knobs.

anvil takes a replacement for +0 %; geth wants 10 % more on both fees, and so does this. Every
transaction that is let through is shown to `on_send` first, so that a test can look for it in the
database before the chain has it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

SEND = "eth_sendRawTransaction"
Answer = dict[str, Any]


def refusal(message: str, code: int = -32000) -> Answer:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


@dataclass
class Fault:
    """What happens to the next `times` requests of a method.

    kind: `drop` (never arrives, no answer), `cut` (arrives, no answer: a time-out after accept),
    `swallow` (answered with the hash, never arrives), an HTTP status, or words of a refusal.
    """

    method: str
    kind: str | int
    times: int


@dataclass
class StrictNode:
    """The proxy; `url` is what settlement is given."""

    upstream: str
    on_send: Callable[[bytes], None] = lambda raw: None
    faults: list[Fault] = field(default_factory=list)
    overrides: dict[str, Callable[[list[Any], Any], Any]] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    _fees: dict[tuple[str, int], tuple[int, int, bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "StrictNode":
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with node._lock:
                    status, answer = node.answer(body)
                if status == 0:
                    self.close_connection = True
                    return
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(self, method: str, kind: str | int, times: int = 1) -> None:
        """The next `times` requests of a method fail so."""
        self.faults.append(Fault(method, kind, times))

    def answer(self, body: Answer) -> tuple[int, Answer]:
        """HTTP status and answer; status 0: the connection is cut."""
        method = body["method"]
        fault = next((f for f in self.faults if f.method in (method, "*") and f.times), None)
        if fault is None:
            return 200, {"id": body["id"]} | self._pass_on(body)
        fault.times -= 1
        if fault.kind == "cut":
            self._pass_on(body)
        if fault.kind in ("cut", "drop"):
            return 0, {}
        if fault.kind == "swallow":
            return 200, {"jsonrpc": "2.0", "id": body["id"], "result": "0x" + "00" * 32}
        if isinstance(fault.kind, int):
            return fault.kind, {}
        return 200, {"id": body["id"]} | refusal(fault.kind)

    def _pass_on(self, body: Answer) -> Answer:
        refused = self._judge(body) if body["method"] == SEND else None
        if refused:
            return refused
        answer: Answer = requests.post(self.upstream, json=body, timeout=20).json()
        override = self.overrides.get(body["method"])
        if override and "result" in answer:
            answer["result"] = override(body["params"], answer["result"])
        if body["method"] == SEND and "result" in answer:
            self._remember(body)
        return answer

    def _judge(self, body: Answer) -> Answer | None:
        raw = bytes.fromhex(body["params"][0][2:])
        self.on_send(raw)
        sender, nonce, fee, tip = _read(raw)
        pending = self._fees.get((sender, nonce))
        if pending is None or not self._is_pending(pending[2]):
            return None
        if pending[2] == raw:
            return refusal("already known")
        if fee * 100 < pending[0] * 110 or tip * 100 < pending[1] * 110:
            return refusal("replacement transaction underpriced")
        return None

    def _remember(self, body: Answer) -> None:
        raw = bytes.fromhex(body["params"][0][2:])
        sender, nonce, fee, tip = _read(raw)
        self._fees[sender, nonce] = (fee, tip, raw)
        self.sent.append(raw)

    def _is_pending(self, raw: bytes) -> bool:
        from eth_utils.crypto import keccak

        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionByHash"}
        body["params"] = ["0x" + keccak(raw).hex()]  # type: ignore[assignment]
        found = requests.post(self.upstream, json=body, timeout=20).json().get("result")
        return found is not None and found["blockNumber"] is None


def _read(raw: bytes) -> tuple[str, int, int, int]:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    sender = Account.recover_transaction(raw).lower()
    return sender, fields["nonce"], fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
