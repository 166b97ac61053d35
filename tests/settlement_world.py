"""Closed epochs with real answers, a contract with deposits, and a settler: for faults of money."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributary.epochs import Closer
from distributary.recording.records import Lane
from distributary.rewards.manifest import NAME, load_manifest, posting_folder
from distributary.rewards.posting import open_posting
from distributary.rewards.reference import compute_posting
from distributary.store import connect, migrate
from distributary.store.commit import Committer
from distributary.store.lanes import open_lane
from orchestration.chain import local
from orchestration.chain.artifacts import load_artifact
from orchestration.chain.client import Client
from orchestration.chain.deploy import check_contract
from orchestration.chain.events import decoder
from orchestration.chain.indexer import Indexer
from orchestration.chain.rows import keep_deployment, read_progress
from orchestration.settlement.actions import Actions
from orchestration.settlement.clock import Patience
from orchestration.settlement.contract import SettlementContract
from orchestration.settlement.node import Node
from orchestration.settlement.preparing import Preparer
from orchestration.settlement.rows import (
    Transactions,
    release_settler_lock,
    take_settler_lock,
)
from orchestration.settlement.settle import Settlement
from orchestration.settlement.signer import KeystoreSigner
from orchestration.settlement.transactor import Transactor
from tests.chain_contract import LocalContract
from tests.settler_model import SettlingClock
from tests.signed_answers import DOCUMENTS, DOMAIN, MODEL, Customer, batch, bundle, charge_units

OWNER, PAYEE = "harbour archive", "0x" + "7" * 40
# Enough for a few answers: the rest is carried.
CREDIT_UNITS = 6 * charge_units(100, 10)
IDS = {document: number for number, document in enumerate(DOCUMENTS, 1)}


@dataclass
class World:
    """One database, one lake, one chain, and customers who ask.

    Attributes:
        settler: which of the node's known accounts settles.
        foreign: transactions of the settler's address that settlement did not send.
    """

    dsn: str
    lake: Path
    chain: LocalContract
    customers: list[Customer] = field(default_factory=list)
    offset: int = 0
    settler: int = local.SETTLER
    foreign: int = 0
    _numbers: Any = field(default_factory=itertools.count)
    _lane: Lane | None = None

    def __post_init__(self) -> None:
        migrate(self.dsn)
        with connect(self.dsn, autocommit=True) as connection:
            _, deployment = check_contract(self.chain.settings, self.chain.client)
            keep_deployment(connection, deployment)
            connection.execute("insert into owners (label) values (%s)", (OWNER,))
            for document in DOCUMENTS:
                connection.execute(
                    "insert into documents (document, owner_id, bytes, title) "
                    "values (%s, 1, 1, '')",
                    (document,),
                )
            connection.execute("insert into payee_bindings values (1, %s)", (PAYEE,))
            connection.execute("insert into assets values ('model', %s, 1)", (MODEL,))
        settler = self.chain.sender(local.SETTLER)
        bond = int(self.chain.contract.read("bondNow"))
        local.mint_missing(settler, self.chain.token, bond)
        approval = self.chain.token.encode("approve", self.chain.contract.address, bond)
        settler.send(self.chain.token.address, approval, "approve")
        self.chain.do(local.SETTLER, "depositBond", bond)
        self.foreign = self.nonce()
        self.customers = [Customer(self.chain.address(number)) for number in (3, 4)]
        for number in (3, 4):
            self.chain.deposit(number, CREDIT_UNITS)

    def answer(self, count: int = 4) -> None:
        """Commits answers of every customer into the open epoch."""
        with connect(self.dsn, autocommit=True) as connection:
            self._lane = open_lane(connection, "answers-topic", "inference.answers", 0, 0).lane
            given = [
                customer.answer(self.offset + place * count + number)
                for place, customer in enumerate(self.customers)
                for number in range(count)
            ]
            committer = Committer(self.lake, IDS, lambda: f"{self.offset}-{next(self._numbers)}")
            committer.commit(connection, bundle(batch(self._lane, self.offset, given)))
            self.offset += len(given)

    def close(self) -> int:
        """Closes the open epoch at a final block."""
        cut = int(self.chain.client.read("eth_getBlockByNumber", "finalized", False)["number"], 16)
        with connect(self.dsn, autocommit=True) as connection:
            return Closer(self.lake, DOMAIN, read_cut=lambda: cut).close(connection)

    def close_one(self, answers: int = 4) -> int:
        """An epoch with answers, closed; from now on only the settler's clock mines."""
        self.chain.client.ask("evm_setAutomine", True)
        self.answer(answers)
        epoch = self.close()
        self.chain.client.ask("evm_setAutomine", False)
        return epoch

    def nonce(self) -> int:
        """How many transactions of the settler's address the chain holds."""
        return int(self.ask("eth_getTransactionCount", self.settler_address, "latest"), 16)

    @property
    def settler_address(self) -> str:
        """Whose key settles now."""
        return local.known_address(self.settler).lower()

    def mine(self, blocks: int = 1) -> None:
        self.chain.client.ask("anvil_mine", hex(blocks), hex(1))

    def index(self, block: int, *, may_rewind_finalized: bool = False) -> None:
        """Indexes until a block is final."""
        with connect(self.dsn, autocommit=True) as connection:
            kept = read_progress(connection)
            indexer = Indexer(
                self.chain.client,
                connection,
                check_contract(self.chain.settings, self.chain.client)[1],
                decoder(load_artifact("Distributary")),
                lambda: 0,
                may_rewind_finalized=may_rewind_finalized,
            )
            for _ in range(50):
                indexer.step()
                kept = read_progress(connection)
                if kept and kept.finalized_block >= block:
                    return
                self.mine(2)
        raise AssertionError(f"block {block} is not final")

    def reference(self, connection: Any) -> Callable[[int], Any]:
        """Leaves by the reference in place of dbt: fast, and tests of dbt hold the two equal."""

        def build(posting_id: int) -> Any:
            row = connection.execute(
                "select from_epoch, to_epoch, attempt from settlement.postings_in "
                "where posting_id = %s",
                (posting_id,),
            ).fetchone()
            manifest = load_manifest(self.lake / posting_folder(*row) / NAME)
            return compute_posting(open_posting(self.lake, manifest)).leaves

        return build

    def settlement(
        self,
        connection: Any,
        url: str | None = None,
        checkpoint: Callable[[str], None] = lambda _: None,
        **changes: Any,
    ) -> Settlement:
        """A settler on this connection, by a node or a proxy in front of it."""
        take_settler_lock(connection)
        client = Client(url, sleep=lambda _: None) if url else self.chain.client
        node = Node(client)
        from eth_account import Account

        signer = KeystoreSigner(Account.from_key(local.known_key(self.settler)))
        contract = SettlementContract(
            type(self.chain.contract)(
                client, self.chain.contract.address, load_artifact("Distributary")
            ),
            connection,
            31337,
            signer.address,
        )
        clock = SettlingClock(self)  # type: ignore[arg-type]
        transactor = Transactor(
            node,
            Transactions(connection, 31337, signer.address),
            signer,
            contract.check,
            patience=Patience(confirmations=2, poll_s=1, looks_max=60),
            clock=clock,
            checkpoint=checkpoint,
        )
        actions = Actions(connection, contract, transactor, node, checkpoint)
        preparer = Preparer(
            connection,
            self.lake,
            contract,
            changes.pop("build_rewards", self.reference(connection)),
            changes.pop("gate", lambda posted: None),
            checkpoint,
        )
        return Settlement(
            connection,
            self.lake,
            actions,
            preparer,
            self.index,
            clock=clock,
            checkpoint=checkpoint,
            **changes,
        )

    def ask(self, method: str, *parameters: Any) -> Any:
        return self.chain.node.ask(method, *parameters)


def run(world: World, **options: Any) -> Any:
    """One whole run of settlement."""
    with connect(world.dsn, autocommit=True) as connection:
        try:
            return world.settlement(connection, **options).run()
        finally:
            release_settler_lock(connection)


def crash_after(name: str) -> Callable[[str], None]:
    """A checkpoint that ends the run there, as an interrupt would."""

    def checkpoint(here: str) -> None:
        if here == name:
            raise KeyboardInterrupt

    return checkpoint
