"""What the chain says of a posting, for an outsider who verifies it: root, commits, accounts."""

from collections.abc import Iterator
from typing import Any, Final

from distributary.identity import Domain
from distributary.rewards.findings import ChainFact
from distributary.rewards.inputs import Inputs
from distributary.rewards.manifest import SettlementManifest
from orchestration.chain.artifacts import load_artifact
from orchestration.chain.client import Client
from orchestration.chain.contract import NAME, Contract
from orchestration.chain.events import decoder

SPAN_BLOCKS: Final = 2_000


class ChainReader:
    """Compares a posting with the contract that its manifest names.

    Attributes:
        client: any node of that chain, best one that the settler does not run.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(
        self, manifest: SettlementManifest, inputs: Inputs, root: str
    ) -> Iterator[ChainFact]:
        """What was stated, and what the chain says.

        Raises:
            UnavailableError: the node does not answer, or lacks the state of the pinned block.
            ChainStopError: there is no such contract.
        """
        domain = Domain(manifest.chain_id, manifest.contract)
        found = self.client.chain_id()
        yield ChainFact("chain_domain", "the chain", domain.chain_id, found)
        if found == domain.chain_id:
            contract = Contract(self.client, domain.contract, load_artifact(NAME))
            yield self._posted(contract, manifest, root)
            yield from self._commits(contract, manifest)
            yield from self._accounts(contract, manifest, inputs)
            yield from self._bindings(contract, manifest, inputs)

    def _posted(self, contract: Contract, manifest: SettlementManifest, root: str) -> ChainFact:
        """The settlement hash that the root was posted with; None if it never was."""
        decode = decoder(contract.artifact)
        head = self.client.block("latest")
        last = head.number if head else manifest.pinned_block
        for start in range(manifest.pinned_block, last + 1, SPAN_BLOCKS):
            span = (start, min(start + SPAN_BLOCKS - 1, last))
            for log in self.client.logs(contract.address, span=span):
                event = decode(log)
                if event.event == "RootPosted" and event.data["root"] == root:
                    stated = event.data["settlementHash"]
                    return ChainFact("chain_root", f"of {root}", "0x" + manifest.hash, stated)
        return ChainFact("chain_root", f"of {root}", "0x" + manifest.hash, None)

    def _commits(self, contract: Contract, manifest: SettlementManifest) -> Iterator[ChainFact]:
        for each in manifest.epochs:
            answers_hash, cut_block = _flat(contract.read("epochCommit", each.epoch))
            stated = (each.manifest, each.cut_block)
            found = (bytes(answers_hash).hex(), int(cut_block))
            yield ChainFact("chain_commits", f"epoch {each.epoch}", stated, found)

    def _accounts(
        self, contract: Contract, manifest: SettlementManifest, inputs: Inputs
    ) -> Iterator[ChainFact]:
        at, credit = manifest.pinned_block, 0
        for account, funds in inputs.accounts.items():
            frozen_at = int(contract.read("frozenAt", account, at=at)) or None
            found = (
                int(contract.read("deposited", account, at=at)),
                int(contract.read("withdrawn", account, at=at)),
                frozen_at,
            )
            yield ChainFact("chain_accounts", account, tuple(funds), found)
            credit += funds.deposited_units - funds.withdrawn_units
        every = int(contract.read("creditTotal", at=at))
        yield ChainFact("chain_accounts", "deposits less withdrawals of all", credit, every)

    def _bindings(
        self, contract: Contract, manifest: SettlementManifest, inputs: Inputs
    ) -> Iterator[ChainFact]:
        from eth_utils.crypto import keccak

        owners = set(inputs.assets.values()) | inputs.unclaimed.keys() | inputs.bindings.keys()
        for owner in sorted(owners - {""}):
            found = contract.read("payeeOf", keccak(text=owner), at=manifest.pinned_block)
            payee = str(found).lower()
            bound = None if int(payee, 16) == 0 else payee
            yield ChainFact("chain_bindings", owner, inputs.bindings.get(owner), bound)


def _flat(value: Any) -> Any:
    """A struct, which some decoders wrap in a tuple of one."""
    return value[0] if len(value) == 1 else value
