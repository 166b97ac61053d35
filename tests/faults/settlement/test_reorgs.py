"""Re-orgs deeper than what counted as final: what was done is done again, and said truly.

Where a transaction stands is compared with its row at the end of each test, by `node`'s model.
"""

import pytest

from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Outcome
from tests.faults.settlement.test_transactions import states
from tests.settler_chain import RICH


def take_back(chain, *, pool=True):
    """All but the first two blocks go, with what is in the pool unless that is kept."""
    chain.ask("anvil_reorg", chain.head() - 2, [])
    if pool:
        chain.ask("anvil_dropAllTransactions")
    chain.mine(8)


def test_recover__final_transactions_taken_back__are_sent_again_in_order(transactor, call, chain):
    for number in (1, 2, 3):
        transactor.execute(f"commit:{number}", call)
    take_back(chain)
    assert chain.count(call.to) == 0
    assert transactor.recover() is None
    assert chain.count(call.to) == 3
    assert [state for _, _, state in states(transactor)] == ["finalized"] * 3


def test_recover__taken_back_while_another_nonce_is_in_flight__ends_both(transactor, call, chain):
    transactor.execute("commit:1", call)
    transactor.reserve("commit:2", call)
    take_back(chain)
    assert transactor.recover() is Outcome.SUCCEEDED
    assert chain.count(call.to) == 2
    assert states(transactor) == [(0, 0, "finalized"), (1, 0, "finalized")]


def test_drive__taken_back_while_it_waits__ends_both(transactor, call, chain, clock):
    transactor.execute("commit:1", call)
    clock.script = [lambda: take_back(chain)]
    assert transactor.execute("commit:2", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 2
    assert states(transactor) == [(0, 0, "finalized"), (1, 0, "finalized")]


def test_recover__mined_again_by_the_chain_itself__has_its_new_block(transactor, call, chain, node):
    transactor.execute("commit:1", call)
    sent = list(node.sent)
    chain.ask("anvil_reorg", chain.head() - 2, [])
    chain.ask("eth_sendRawTransaction", "0x" + sent[0].hex())
    chain.mine(8)
    assert transactor.recover() is None
    assert node.sent == sent
    assert chain.count(call.to) == 1


def test_recover__another_bump_is_mined_after_the_reorg__is_the_final_one(
    transactor, call, chain, clock, node
):
    def mine_without_it():
        chain.ask("anvil_dropAllTransactions")
        chain.mine()
        chain.ask("eth_sendRawTransaction", "0x" + node.sent[0].hex())

    clock.script = [mine_without_it] * 5
    transactor.execute("commit:1", call)
    before = states(transactor)
    assert before[0] == (0, 0, "finalized")
    assert len(before) > 1
    take_back(chain)
    assert transactor.recover() is None
    assert chain.count(call.to) == 1
    ends = [state for _, _, state in states(transactor)]
    assert ends == ["replaced"] * (len(before) - 1) + ["finalized"]


def test_recover__nonce_goes_to_another_after_the_reorg__is_lost(transactor, call, chain):
    transactor.execute("commit:1", call)
    chain.ask("anvil_reorg", chain.head() - 2, [])
    chain.ask("anvil_dropAllTransactions")
    chain.send_as(transactor.rows.sender, RICH, nonce=0)
    chain.mine(8)
    assert transactor.recover() is None
    assert states(transactor) == [(0, 0, "lost")]
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1


def test_recover__gas_dearer_than_what_was_stored__stops_until_it_is_cheaper(
    transactor, call, chain, clock
):
    transactor.execute("commit:1", call)
    take_back(chain)

    def dear():
        chain.ask("anvil_setNextBlockBaseFeePerGas", hex(10**13))
        chain.mine()

    clock.script = [dear] * 100
    with pytest.raises(StopError) as stop:
        transactor.recover()
    assert stop.value.code == "transaction_stuck"
    clock.script.clear()
    chain.ask("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    assert transactor.recover() is None
    assert chain.count(call.to) == 1


def test_recover__foreign_nonce_before_ours_is_free_again__is_a_named_stop(transactor, call, chain):
    sender = transactor.rows.sender
    chain.send_as(sender, RICH, nonce=0)
    chain.mine()
    transactor.execute("commit:1", call)
    take_back(chain)
    with pytest.raises(StopError) as stop:
        transactor.recover()
    assert stop.value.code == "nonce_free"
    chain.send_as(sender, sender, nonce=0)
    assert transactor.recover() is None
    assert chain.count(call.to) == 1
