"""The client of a node: what is asked again, what is given up, and what no message shows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import requests

from distributary.errors import UnavailableError
from distributary.settings import Settings
from orchestration.chain.client import (
    PAUSE_S_MAX,
    Client,
    as_revert,
    backoff_s,
    is_range_refused,
    open_client,
)
from orchestration.chain.errors import (
    ChainStopError,
    NodeUnavailableError,
    RevertedError,
    RpcError,
)

SECRET = "k3y-of-the-provider"
URL = f"https://me:{SECRET}@node.example/v3/{SECRET}"
Reply = Callable[[], Any]


def answer(result: Any) -> Reply:
    return lambda: {"jsonrpc": "2.0", "id": 1, "result": result}


def refusal(code: int, message: str, data: Any = None) -> Reply:
    error = {"code": code, "message": message} | ({"data": data} if data else {})
    return lambda: {"jsonrpc": "2.0", "id": 1, "error": error}


def status(code: int) -> Reply:
    def fail() -> Any:
        response = requests.Response()
        response.status_code = code
        raise requests.HTTPError(f"{code} for url: {URL}", response=response)

    return fail


def timeout() -> Any:
    raise requests.ReadTimeout(f"timed out: {URL}")


def not_json() -> Any:
    raise ValueError("no JSON")


class Scripted(Client):
    """A client whose node says the replies one after the other, the last for ever."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.slept: list[float] = []
        self.asked = 0
        super().__init__(URL, sleep=self.slept.append, jitter=lambda: 0.0)
        self._replies: Iterator[Reply] = iter([*replies, *[replies[-1]] * 20])
        self._provider.make_request = self._reply  # type: ignore[assignment]

    def _reply(self, _method: Any, _parameters: Any) -> Any:
        self.asked += 1
        return next(self._replies)()


@pytest.mark.parametrize(
    "fault",
    [
        *(timeout, not_json, status(429), status(500), status(502), status(503), status(504)),
        *(refusal(-32005, "rate limited"), refusal(-32603, "internal"), lambda: {"no": "rpc"}),
    ],
)
def test_read__node_fails_twice__is_asked_again_with_rising_pauses(fault: Reply) -> None:
    client = Scripted([fault, fault, answer("0x7a69")])

    assert client.chain_id() == 31337
    assert client.slept == [0.25, 0.5]


@pytest.mark.parametrize("fault", [timeout, status(503)])
def test_read__node_stays_away__is_given_up_without_its_secret(fault: Reply) -> None:
    client = Scripted([fault])

    with pytest.raises(NodeUnavailableError) as raised:
        client.chain_id()

    assert client.asked == 6
    assert SECRET not in str(raised.value)
    assert "node.example" in str(raised.value)


@pytest.mark.parametrize("fault", [status(401), status(404), refusal(-32601, "no such method")])
def test_read__refused_for_good__is_not_asked_again(fault: Reply) -> None:
    client = Scripted([fault])

    with pytest.raises((NodeUnavailableError, RpcError)):
        client.read("eth_chainId")

    assert client.asked == 1


def test_ask__a_send_times_out__is_never_repeated() -> None:
    client = Scripted([timeout, answer("0x")])

    with pytest.raises(NodeUnavailableError):
        client.ask("eth_sendRawTransaction", "0x00")

    assert client.asked == 1


@pytest.mark.parametrize(
    "said",
    [
        *("query returned more than 10000 results", "block range is too wide"),
        *("exceed maximum block range: 5000", "Log response size exceeded", "limit exceeded"),
    ],
)
def test_read__range_too_wide__is_told_apart_and_not_asked_again(said: str) -> None:
    client = Scripted([refusal(-32005, said)])

    with pytest.raises(RpcError) as raised:
        client.logs("0x" + "1" * 40, span=(1, 2))

    assert is_range_refused(raised.value)
    assert client.asked == 1


def test_call__contract_reverts__its_reason_is_in_the_sentence() -> None:
    data = "0x08c379a0" + (32).to_bytes(32, "big").hex() + (10).to_bytes(32, "big").hex()
    data += b"not frozen".ljust(32, b"\0").hex()
    client = Scripted([refusal(3, "execution reverted", {"data": data})])

    with pytest.raises(RevertedError, match="not frozen"):
        client.call("0x" + "1" * 40, "0x")


def test_as_revert__other_refusal__stays_what_it_is() -> None:
    error = RpcError("eth_call", -32000, "header not found")

    assert as_revert(error, "the call") is error


def test_backoff_s__many_tries__stays_under_the_limit_and_jitter_shortens_it() -> None:
    assert [backoff_s(n, 0.0) for n in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert backoff_s(50, 0.0) == PAUSE_S_MAX
    assert backoff_s(1, 1.0) == 0.25 * 0.75


def test_open_client__no_chain_configured__says_what_to_do() -> None:
    with pytest.raises(UnavailableError, match="DISTRIBUTARY_CHAIN"):
        open_client(Settings())


def test_open_client__another_chain__stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "chain_id", lambda _self: 1)

    with pytest.raises(ChainStopError) as stopped:
        open_client(Settings(chain=URL))

    assert stopped.value.code == "wrong_chain"
    assert SECRET not in str(stopped.value)


def test_settings__shown__hide_the_url_of_the_node() -> None:
    assert SECRET not in repr(Settings(chain=URL))
