"""What can go wrong between us and a chain, each with what to do about it."""

from typing import Any

from distributary.errors import DistributaryError, ExitCode, UnavailableError


class NodeUnavailableError(UnavailableError):
    """The node did not answer in time, or answered with a status of an overload."""

    code = "node_unavailable"


class RpcError(DistributaryError):
    """The node answered, and refused.

    Attributes:
        rpc_code: the JSON-RPC error code, 0 where there is none.
        said: the node's words.
        data: what a revert returned, 0x and hex; empty where there is nothing.
    """

    code = "rpc_refused"
    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, method: str, rpc_code: int, said: str, data: str = "") -> None:
        super().__init__(f"The node refuses {method}: {said}.")
        self.rpc_code, self.said, self.data = rpc_code, said, data


class RevertedError(DistributaryError):
    """The contract refuses a call or a transaction; its reason is in the sentence."""

    code = "reverted"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"The contract refuses {what}: {reason or 'it gives no reason'}.")
        self.reason = reason


class ChainStopError(DistributaryError):
    """The chain is not what it must be: a person looks before anything goes on.

    Codes: `wrong_chain`, `wrong_contract`, `chain_replaced`, `finality_broken`, `events_missing`.
    """

    exit_code = ExitCode.INPUT


def wrong_chain(found: int, wanted: int) -> ChainStopError:
    """The node serves another chain."""
    return ChainStopError(
        f"The node serves chain {found}: give a node of chain {wanted}, or mend "
        "DISTRIBUTARY_CHAIN_ID.",
        value=found,
        code="wrong_chain",
    )


def wrong_contract(sentence: str, value: Any) -> ChainStopError:
    """The contract's address has no code, or other code than it had."""
    return ChainStopError(
        f"{sentence}: check DISTRIBUTARY_CONTRACT and the node.", value=value, code="wrong_contract"
    )
