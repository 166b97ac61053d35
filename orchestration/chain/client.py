"""An EVM node over JSON-RPC: time-outs, bounded retries of reads, and typed errors.

A send is never repeated here: what a time-out leaves unknown is the sender's to find out.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from distributary.settings import Settings
from orchestration.chain.errors import NodeUnavailableError, RevertedError, RpcError, wrong_chain

TRIES_MAX: Final = 6
PAUSE_S_FIRST: Final = 0.25
PAUSE_S_MAX: Final = 8.0
TIMEOUT_S: Final = 10.0
# A node that is overloaded or starting says so by these; others mean that asking again is vain.
RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# "Limit exceeded" (EIP-1474), also worn by rate limits; -32603 is any trouble inside of a node.
RETRIED_CODES: Final = frozenset({-32005, -32603, 429})
RANGE_WORDS: Final = ("range", "too many", "more than", "limit exceed", "size exceed", "too large")


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header: number, hashes, and Unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    at_s: int


def backoff_s(tries: int, jitter: float) -> float:
    """Pause after so many tries, at least one: doubling, with a limit, up to 25 % shortened."""
    return float(min(PAUSE_S_MAX, PAUSE_S_FIRST * 2 ** (tries - 1)) * (1 - jitter / 4))


def is_range_refused(error: RpcError) -> bool:
    """Whether a node wants fewer blocks, or fewer results, at once."""
    return any(words in error.said.lower() for words in RANGE_WORDS)


class Client:
    """One node.

    Args:
        url: of its JSON-RPC over HTTP; it may hold a key, so no message names it.
        timeout_s: of one call, connecting included.
        tries_max: calls of one read, before it is given up.
        sleep: waits so many seconds.
        jitter: a number in [0, 1), so that many clients do not come back together.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        tries_max: int = TRIES_MAX,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        from web3 import HTTPProvider

        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None
        )
        self._where = urlsplit(url).hostname or "the node"
        self._tries_max, self._sleep, self._jitter = tries_max, sleep, jitter

    def read(self, method: str, *parameters: Any) -> Any:
        """One read, repeated with back-off on time-outs, 429 and 5xx.

        Raises:
            NodeUnavailableError: no answer after `tries_max` tries.
            RpcError: the node refuses it.
        """
        for tries in range(1, self._tries_max + 1):
            try:
                return self.ask(method, *parameters)
            except (NodeUnavailableError, RpcError) as error:
                if tries == self._tries_max or not _is_passing(error):
                    raise
                self._sleep(backoff_s(tries, self._jitter()))
        raise AssertionError("unreachable")

    def ask(self, method: str, *parameters: Any) -> Any:
        """One call, once.

        Raises:
            NodeUnavailableError: no answer, so it is unknown whether the node took it.
            RpcError: the node refuses it.
        """
        import requests

        try:
            answer: Any = self._provider.make_request(method, list(parameters))
        except requests.RequestException as error:
            # The message of the original error holds the URL.
            response = getattr(error, "response", None)
            status = None if response is None else int(response.status_code)
            raise self._silent(method, type(error).__name__, status) from None
        except ValueError:
            raise self._silent(method, "it does not answer in JSON", 502) from None
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise self._silent(method, "it does not speak JSON-RPC", None)
        if answer.get("error") is not None:
            raise _refusal(method, answer["error"])
        return answer["result"]

    def _silent(self, method: str, why: str, status: int | None) -> NodeUnavailableError:
        said = why if status is None else f"{why}, HTTP status {status}"
        error = NodeUnavailableError(
            f"The chain's node at {self._where} does not answer {method} ({said}): see "
            "`distributary doctor`."
        )
        error.value = status
        return error

    def chain_id(self) -> int:
        """The chain that the node serves."""
        return int(self.read("eth_chainId"), 16)

    def block(self, which: int | str) -> Block | None:
        """A block by number, or `latest` or `finalized`; None where the node has none."""
        tag = hex(which) if isinstance(which, int) else which
        found = self.read("eth_getBlockByNumber", tag, False)
        return None if found is None else read_block(found)

    def code(self, address: str) -> bytes:
        """The code at an address; empty where there is none."""
        return bytes.fromhex(self.read("eth_getCode", address, "latest")[2:])

    def logs(
        self, address: str, *, block_hash: bytes | None = None, span: tuple[int, int] | None = None
    ) -> list[dict[str, Any]]:
        """An address' logs of one block, by its hash, or of blocks `span[0]..span[1]`."""
        query: dict[str, Any] = {"address": address}
        if block_hash is not None:
            query["blockHash"] = "0x" + block_hash.hex()
        elif span is not None:
            query |= {"fromBlock": hex(span[0]), "toBlock": hex(span[1])}
        found = self.read("eth_getLogs", query)
        return [log for log in found if not log.get("removed")]

    def call(self, to: str, data: str, *, sender: str | None = None, at: str = "latest") -> bytes:
        """Executes a call without sending it.

        Raises:
            RevertedError: the contract refuses it.
        """
        call = {"to": to, "data": data} | ({"from": sender} if sender else {})
        try:
            return bytes.fromhex(self.read("eth_call", call, at)[2:])
        except RpcError as error:
            raise as_revert(error, "the call") from error


def read_block(found: Mapping[str, Any]) -> Block:
    """A header as nodes write it."""
    return Block(
        int(found["number"], 16),
        bytes.fromhex(found["hash"][2:]),
        bytes.fromhex(found["parentHash"][2:]),
        int(found["timestamp"], 16),
    )


def as_revert(error: RpcError, what: str) -> Exception:
    """The revert that a refusal is, or the refusal itself."""
    if error.rpc_code == 3 or "revert" in error.said.lower():
        return RevertedError(what, _reason(error.said, error.data))
    return error


def _reason(said: str, data: str) -> str:
    """The text of `Error(string)`, else what the node says."""
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    if data.startswith("0x08c379a0"):
        try:
            return str(decode(["string"], bytes.fromhex(data[10:]))[0])
        except DecodingError:
            return said
    return said.removeprefix("execution reverted:").removeprefix("execution reverted").strip(": ")


def _refusal(method: str, error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(method, 0, str(error)[:200])
    data = error.get("data")
    if isinstance(data, dict):  # some nodes wrap it
        data = data.get("data", "")
    said = str(error.get("message", error))[:200]
    return RpcError(
        method, int(error.get("code") or 0), said, data if isinstance(data, str) else ""
    )


def _is_passing(error: NodeUnavailableError | RpcError) -> bool:
    if isinstance(error, RpcError):
        return error.rpc_code in RETRIED_CODES and not is_range_refused(error)
    return error.value is None or error.value in RETRIED_STATUSES


def open_client(settings: Settings, **options: Any) -> Client:
    """A client of the configured node, after asking which chain it serves.

    Raises:
        UnavailableError: no chain is configured, or the node does not answer.
        ChainStopError: `wrong_chain`.
    """
    client = Client(settings.require("chain"), **options)
    found = client.chain_id()
    if found != settings.chain_id:
        raise wrong_chain(found, settings.chain_id)
    return client
