"""From a deposit on the chain to the account's record in `accounts.state`."""

from dataclasses import replace
from pathlib import Path

import pytest

from distributary import enrolment
from distributary.kafka import create_topics
from distributary.publisher import publish_accounts
from distributary.settings import Settings
from orchestration.chain import money
from orchestration.chain.running import index_once
from tests.chain_contract import LocalContract
from tests.servers import unique


@pytest.fixture
def settings(
    kafka: str,
    dsn: str,
    local_contract: LocalContract,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Settings:
    prefix = unique(request.node.name) + "."
    made = replace(
        local_contract.settings, kafka=kafka, postgres=dsn, home=tmp_path, topic_prefix=prefix
    )
    create_topics(made)
    return made


def test_publish__deposit_freeze_and_re_org__are_followed(
    settings: Settings, local_contract: LocalContract
) -> None:
    chain = local_contract
    key = enrolment.create_account(settings, "alice", 10)
    bank = money.open_bank(settings)
    sender = bank.sender(key.private_key)
    chain.node.mine(10)

    money.deposit(bank, sender, key.address, 1_000)
    index_once(settings)
    (deposited,) = publish_accounts(settings)
    snapshot = chain.node.ask("evm_snapshot")
    money.freeze(bank, sender)
    index_once(settings)
    (frozen,) = publish_accounts(settings)
    chain.node.ask("evm_revert", snapshot)
    chain.node.ask("evm_increaseTime", 60)
    chain.node.mine(3)
    index_once(settings)
    (thawed,) = publish_accounts(settings)

    assert (deposited.credit_units, deposited.credit_source) == (1_000, "deposit")
    assert [state.frozen for state in (deposited, frozen, thawed)] == [False, True, False]
    assert deposited.version < frozen.version < thawed.version
    assert publish_accounts(settings) == []
