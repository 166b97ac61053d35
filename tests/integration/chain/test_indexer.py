"""The indexer on a real node and a real Postgres: everything, once, through re-orgs."""

from dataclasses import replace

import pytest

from distributary.settings import Settings
from distributary.store import connect
from orchestration.chain.client import Block, Client
from orchestration.chain.errors import ChainStopError, NodeUnavailableError
from orchestration.chain.indexer import Did, Indexer, Step
from orchestration.chain.rows import Database, cut_block, read_progress
from orchestration.chain.running import index_once, open_indexer
from tests.anvil_node import AnvilNode, StartNode
from tests.chain_contract import CUSTOMER, OTHER, LocalContract, deploy

STEPS_MAX = 200


def open_(chain: LocalContract, database: Database, **options: object) -> Indexer:
    indexer = open_indexer(chain.settings, database)
    return replace(indexer, **options)  # type: ignore[arg-type]


def to_head(indexer: Indexer) -> Step:
    for _ in range(STEPS_MAX):
        step = indexer.step()
        if step.did is Did.BEHIND or step.indexed_block >= step.head_block:
            return step
    raise AssertionError("never at the head")


def deposits(database: Database) -> list[tuple[str, int]]:
    rows = database.execute("select account, units from chain_deposits order by block").fetchall()
    return [(account, int(units)) for account, units in rows]


def agrees(database: Database, node: AnvilNode) -> bool:
    """Whether every stored block is the node's, and each from the finalized one on is there."""
    stored = database.execute("select number, hash from chain_blocks order by number").fetchall()
    progress = read_progress(database)
    assert progress is not None
    numbers = {number for number, _ in stored}
    assert numbers >= set(range(progress.finalized_block + 1, progress.indexed_block + 1))
    return all(
        node.ask("eth_getBlockByNumber", hex(number), False)["hash"] == "0x" + hash_.hex()
        for number, hash_ in stored
    )


def test_step__deposits_freezes_and_recipients__are_in_the_views(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    customer, other = chain.address(CUSTOMER), chain.address(OTHER)
    first = chain.deposit(CUSTOMER, 2**200)
    chain.deposit(CUSTOMER, 5, other)
    frozen = chain.do(OTHER, "freeze")
    chain.do(OTHER, "setRecipient", customer)
    chain.do(1, "bindOwner", "A. Author", customer)
    chain.do(1, "commitEpoch", 7, b"\7" * 32, chain.node.head)

    to_head(open_(chain, database))

    assert deposits(database) == [(customer, 2**200), (other, 5)]
    assert database.execute("select * from chain_freezes").fetchall() == [(other, frozen)]
    bound = database.execute("select label, payee from chain_bindings").fetchall()
    assert bound == [("A. Author", customer)]
    committed = database.execute("select epoch, answers_hash from chain_epochs").fetchall()
    assert committed == [(7, b"\7" * 32)]
    recipients = database.execute("select payee, recipient from chain_recipients").fetchall()
    assert recipients == [(other, customer)]
    at = database.execute("select min(block) from chain_deposits").fetchone()
    assert at == (first,)
    assert agrees(database, chain.node)


@pytest.mark.parametrize("range_blocks", [1, 3, 2_000])
def test_step__a_long_chain__is_read_in_ranges_and_to_the_head(
    local_contract: LocalContract, database: Database, range_blocks: int
) -> None:
    chain = local_contract
    for units in (1, 2, 3):
        chain.deposit(CUSTOMER, units)
        chain.node.mine(7)

    step = to_head(open_(chain, database, range_blocks=range_blocks))

    assert step.indexed_block == chain.node.head
    assert [units for _, units in deposits(database)] == [1, 2, 3]
    assert agrees(database, chain.node)
    assert cut_block(database) == chain.node.head - 8


def test_step__re_org_drops_a_deposit__it_is_gone_and_the_new_branch_is_indexed(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.deposit(CUSTOMER, 1)
    chain.node.mine(9)
    indexer = open_(chain, database)
    to_head(indexer)
    chain.deposit(CUSTOMER, 2)  # three transactions, three blocks
    to_head(indexer)

    chain.node.ask("anvil_reorg", 3, [])
    did = indexer.step().did
    to_head(indexer)

    assert did is Did.REWOUND
    assert [units for _, units in deposits(database)] == [1]
    assert agrees(database, chain.node)
    chain.deposit(CUSTOMER, 4)
    to_head(indexer)
    assert [units for _, units in deposits(database)] == [1, 4]


def test_step__re_org__is_rolled_back_to_the_true_common_ancestor_only(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.node.mine(10)
    indexer = open_(chain, database)
    head = to_head(indexer).indexed_block

    chain.node.ask("anvil_reorg", 4, [])
    step = indexer.step()

    assert step.did is Did.REWOUND
    assert step.indexed_block == head - 4


def test_step__head_goes_back_with_known_blocks__nothing_is_removed_until_another_branch_stands(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.node.mine(12)
    snapshot = chain.node.ask("evm_snapshot")
    chain.deposit(CUSTOMER, 1)
    indexer = open_(chain, database)
    head = to_head(indexer).indexed_block

    chain.node.ask("evm_revert", snapshot)
    behind = indexer.step()

    assert (behind.did, behind.stale) == (Did.BEHIND, True)
    assert behind.indexed_block == head
    assert deposits(database) != []
    chain.node.ask("evm_increaseTime", 60)
    chain.node.mine(5)
    assert indexer.step().did is Did.REWOUND
    to_head(indexer)
    assert deposits(database) == []
    assert agrees(database, chain.node)


def test_step__finalized_blocks_change__stops_until_a_person_allows_it(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.node.mine(20)
    indexer = open_(chain, database)
    to_head(indexer)
    before = read_progress(database)
    chain.node.ask("anvil_reorg", 12, [])

    with pytest.raises(ChainStopError, match="--rewind-finalized") as stopped:
        indexer.step()

    assert stopped.value.code == "finality_broken"
    assert read_progress(database) == before
    allowed = replace(indexer, may_rewind_finalized=True)
    to_head(allowed)
    assert agrees(database, chain.node)


def test_step__another_chain_with_the_same_number__stops(
    local_contract: LocalContract, database: Database, start_node: StartNode
) -> None:
    chain = local_contract
    chain.node.mine(3)
    to_head(open_(chain, database))
    other = deploy(start_node("--timestamp=1700000000"))
    other.node.mine(30)
    indexer = open_(chain, database, client=Client(other.node.url))

    with pytest.raises(ChainStopError) as stopped:
        indexer.step()

    assert stopped.value.code == "chain_replaced"


def test_step__node_leaves_a_deposit_out__stops_at_the_next_one(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    left_out = chain.deposit(CUSTOMER, 1)
    chain.deposit(CUSTOMER, 2)
    indexer = open_(chain, database)

    class Forgetful(Client):
        def logs(self, address: str, **query: object) -> list[dict[str, object]]:
            found = super().logs(address, **query)  # type: ignore[arg-type]
            return [log for log in found if int(str(log["blockNumber"]), 16) != left_out]

    indexer.client = Forgetful(chain.node.url)
    with pytest.raises(ChainStopError) as stopped:
        to_head(indexer)

    assert stopped.value.code == "events_missing"
    assert deposits(database) == []


def test_step__another_node_calls_fewer_blocks_final__ours_stay_final(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.node.mine(20)
    indexer = open_(chain, database)
    to_head(indexer)
    before = cut_block(database)

    class Cautious(Client):
        def block(self, which: int | str) -> Block | None:
            return super().block(1 if which == "finalized" else which)

    indexer.client = Cautious(chain.node.url)
    chain.node.mine(5)
    to_head(indexer)

    assert cut_block(database) == before


def test_index_once__node_mixes_two_branches__is_given_up(
    local_contract: LocalContract, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = local_contract
    chain.node.mine(20)
    honest = Client.block

    def mixed(client: Client, which: int | str) -> Block | None:
        block = honest(client, which)
        return replace(block, parent_hash=bytes(32)) if block and block.number % 2 else block

    monkeypatch.setattr(Client, "block", mixed)
    settings = replace(chain.settings, postgres=dsn)
    slept: list[float] = []

    with pytest.raises(NodeUnavailableError, match="contradicts itself"):
        index_once(settings, sleep=slept.append)

    assert slept == [0.5] * 21


def test_step__old_head__the_node_is_called_stale(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    indexer = open_(chain, database)
    assert not to_head(indexer).stale
    progress = read_progress(database)
    assert progress is not None

    later = replace(indexer, clock=lambda: progress.head_at_s + 121)

    assert later.step().stale


def test_open_indexer__two_on_one_database__the_second_is_refused(
    local_contract: LocalContract, database: Database, dsn: str
) -> None:
    open_(local_contract, database)

    with (
        connect(dsn) as second,
        pytest.raises(Exception, match="Another indexer"),
    ):
        open_indexer(local_contract.settings, second)


def test_open_indexer__other_code_at_the_address__stops(
    local_contract: LocalContract, database: Database
) -> None:
    open_(local_contract, database)
    other = deploy(local_contract.node)

    with pytest.raises(ChainStopError) as stopped:
        open_indexer(other.settings, database)

    assert stopped.value.code == "wrong_contract"


def test_open_indexer__chain_of_another_number__stops(
    local_contract: LocalContract, database: Database
) -> None:
    with pytest.raises(ChainStopError) as stopped:
        open_indexer(replace(local_contract.settings, chain_id=1), database)

    assert stopped.value.code == "wrong_chain"


def test_settings__defaults__have_no_contract() -> None:
    assert not Settings(chain="http://node").has_contract
