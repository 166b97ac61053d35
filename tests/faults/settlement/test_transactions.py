"""One transaction through every fault of a node, a pool and a chain."""

import pytest

from distributary.errors import ExitCode
from orchestration.chain.errors import NodeUnavailableError
from orchestration.settlement.fees import FeePolicy
from orchestration.settlement.reserving import Call
from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Outcome
from tests.settler_chain import RICH
from tests.strict_node import SEND


def states(transactor):
    rows = transactor.rows.connection.execute(
        "select nonce, bump, state from transactions order by transaction_id"
    )
    return rows.fetchall()


def test_execute__nothing_wrong__runs_once_and_is_final(transactor, call, chain):
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


def test_execute__twice__takes_the_next_nonce(transactor, call, chain):
    transactor.execute("commit:1", call)
    transactor.execute("commit:2", call)
    assert chain.count(call.to) == 2
    assert states(transactor) == [(0, 0, "finalized"), (1, 0, "finalized")]


@pytest.mark.parametrize("kind", ["cut", "drop", 429, 503, "swallow", "already known", "odd words"])
def test_execute__send_fails_in_some_way__sends_the_same_bytes_until_it_is_mined(
    transactor, call, chain, node, kind
):
    node.fail(SEND, kind, 2)
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


@pytest.mark.parametrize("kind", ["cut", 429, 500])
def test_execute__reads_fail_for_a_while__goes_on(transactor, call, chain, node, kind):
    node.fail("*", kind, 3)
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1


def test_execute__node_stays_away__is_a_named_stop_and_the_next_run_ends_it(
    transactor, call, chain, node
):
    node.fail("eth_getTransactionReceipt", 503, 6)
    with pytest.raises(NodeUnavailableError) as stop:
        transactor.execute("commit:1", call)
    assert stop.value.exit_code is ExitCode.UNAVAILABLE
    assert "secret-token" not in str(stop.value)
    assert transactor.recover() is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1


def test_execute__dropped_from_the_pool__is_sent_again(transactor, call, chain, clock):
    clock.script = [lambda: chain.ask("anvil_dropAllTransactions"), lambda: None]
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


def test_execute__gas_spike_after_broadcast__is_replaced_above_the_ceiling(
    transactor, call, chain, clock
):
    transactor.policy = FeePolicy(ceiling_wei=10 * 10**9)

    def spike():
        chain.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
        chain.mine()

    clock.script = [spike, *[chain.mine] * 3]
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert [row[2] for row in states(transactor)].count("finalized") == 1
    assert len(states(transactor)) > 1


def test_execute__gas_spike_before_broadcast__signs_nothing(transactor, call, chain):
    transactor.policy = FeePolicy(ceiling_wei=10 * 10**9)
    chain.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    chain.mine()
    with pytest.raises(StopError) as stop:
        transactor.execute("commit:1", call)
    assert stop.value.code == "fees_above_ceiling"
    assert states(transactor) == []


def test_execute__nobody_mines_it__replaces_by_what_a_strict_pool_takes(
    transactor, call, chain, clock, node
):
    def mine_without_it():
        held = node.sent[-1]
        chain.ask("anvil_dropAllTransactions")
        chain.mine()
        chain.ask(SEND, "0x" + held.hex())

    clock.script = [mine_without_it] * 5
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert [(row[1], row[2]) for row in states(transactor)] == [(0, "replaced"), (1, "finalized")]


def test_execute__the_older_offer_is_mined__the_newer_one_is_replaced(
    transactor, call, chain, clock, node
):
    def mine_without_it():
        chain.ask("anvil_dropAllTransactions")
        chain.mine()
        chain.ask(SEND, "0x" + node.sent[0].hex())

    clock.script = [mine_without_it] * 5
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    found = [row[2] for row in states(transactor)]
    assert found[0] == "finalized"
    assert set(found[1:]) == {"replaced"}


def test_execute__reorg_after_mining__is_mined_again_once(transactor, call, chain, clock):
    def reorg():
        chain.ask("anvil_reorg", 1, [])

    clock.script = [chain.mine, reorg]
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


def test_execute__receipt_of_a_block_that_is_gone__is_not_believed(transactor, call, chain, node):
    looks = []

    def of_another_block(_asked, real):
        looks.append(real)
        return real | {"blockHash": "0x" + "1" * 64} if real and len(looks) < 30 else real

    node.overrides["eth_getTransactionReceipt"] = of_another_block
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert len(looks) > 30
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


def test_execute__reorg_deeper_than_final__sends_the_stored_bytes_again(transactor, call, chain):
    transactor.execute("commit:1", call)
    chain.ask("anvil_reorg", chain.head() - 2, [])
    chain.ask("anvil_dropAllTransactions")
    chain.mine(8)
    assert chain.count(call.to) == 0
    assert transactor.execute("commit:2", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 2
    assert states(transactor) == [(0, 0, "finalized"), (1, 0, "finalized")]


def test_execute__nonce_taken_before_ours_arrives__is_lost_and_reserved_anew(
    transactor, call, chain, node
):
    sender = transactor.rows.sender
    node.fail(SEND, "drop", 1)
    transactor.reserve("commit:1", call)
    chain.send_as(sender, RICH, nonce=0)
    chain.mine()
    assert transactor.drive() is Outcome.LOST
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "lost"), (1, 0, "finalized")]


def test_reserve__foreign_transaction_in_the_pool__is_a_named_stop(transactor, call, chain):
    chain.send_as(transactor.rows.sender, RICH, nonce=0)
    with pytest.raises(StopError) as stop:
        transactor.execute("commit:1", call)
    assert stop.value.code == "foreign_pending"
    chain.mine()
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED


def test_reserve__contract_refuses__signs_nothing(transactor, counter):
    with pytest.raises(StopError) as stop:
        transactor.execute("commit:1", Call(counter, "0x"))
    assert stop.value.code == "call_refused"
    assert states(transactor) == []


def test_execute__reverts_when_mined__says_so(transactor, call, chain, clock):
    def break_contract():
        chain.ask("anvil_setCode", call.to, "0x5f5ffd")
        chain.mine()

    clock.script = [break_contract]
    assert transactor.execute("commit:1", call) is Outcome.REVERTED


def test_reserve__balance_too_low__signs_nothing(transactor, call, chain):
    chain.fund(transactor.rows.sender, 10)
    with pytest.raises(StopError) as stop:
        transactor.execute("commit:1", call)
    assert stop.value.code in ("balance_too_low", "call_refused")
    assert states(transactor) == []


def test_drive__balance_gone_after_reserving__is_a_named_stop_until_it_is_filled(
    transactor, call, chain
):
    transactor.reserve("commit:1", call)
    chain.fund(transactor.rows.sender, 10)
    with pytest.raises(StopError) as stop:
        transactor.drive()
    assert stop.value.code == "balance_too_low"
    chain.fund(transactor.rows.sender)
    assert transactor.recover() is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1


@pytest.mark.parametrize("words", ["nonce too low", "nonce too high", "nonce gap"])
def test_execute__node_is_wrong_about_the_nonce__goes_on(transactor, call, chain, node, words):
    node.fail(SEND, words, 3)
    assert transactor.execute("commit:1", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 1
    assert states(transactor) == [(0, 0, "finalized")]


def test_execute__node_falls_behind__stops_and_goes_on_with_another(transactor, call, chain, node):
    transactor.execute("commit:1", call)
    node.overrides["eth_getTransactionCount"] = lambda asked, real: "0x0"
    with pytest.raises(StopError) as stop:
        transactor.execute("commit:2", call)
    assert stop.value.code == "stale_node"
    node.overrides.clear()
    assert transactor.execute("commit:2", call) is Outcome.SUCCEEDED
    assert chain.count(call.to) == 2
