"""Each role can do its work and no more; what is final stays."""

import psycopg
import pytest

from distributary.errors import InputError
from distributary.store import accounts, owners
from orchestration.chain.indexer import Did
from orchestration.chain.rows import Database
from orchestration.chain.running import open_indexer
from tests.chain_contract import CUSTOMER, LocalContract

PAYEE = "0x" + "1" * 40


def test_indexer_role__deposits_and_a_re_org__has_all_the_rights_it_needs(
    local_contract: LocalContract, database: Database
) -> None:
    chain = local_contract
    chain.node.mine(10)
    chain.deposit(CUSTOMER, 5)
    database.execute("set role distributary_indexer")
    indexer = open_indexer(chain.settings, database)
    while indexer.step().did is Did.ADVANCED:
        pass
    chain.node.ask("anvil_reorg", 3, [])

    assert indexer.step().did is Did.REWOUND
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute("insert into grants (account, units) values ('0x', 1)")


def test_publisher_role__account_that_deposited_and_froze__is_read(
    local_contract: LocalContract, database: Database
) -> None:
    chain, account = local_contract, local_contract.address(CUSTOMER)
    accounts.add_account(database, account)
    accounts.add_grant(database, account, 1_000)
    chain.deposit(CUSTOMER, 5)
    frozen = chain.do(CUSTOMER, "freeze")
    indexer = open_indexer(chain.settings, database)
    while indexer.step().did is Did.ADVANCED:
        pass
    database.execute("set role distributary_publisher")

    (row,) = accounts.read_accounts(database, [account])

    assert (row.credit_units, row.credit_source, row.frozen_block) == (5, "deposit", frozen)
    assert accounts.compose(row, (), 0, 0).frozen


@pytest.mark.parametrize(
    "statement",
    [
        "update chain_events set units = 1",
        "update chain_blocks set at_s = 1",
        "update chain_contract set chain_id = 1",
        "delete from chain_contract",
        "truncate chain_blocks cascade",
    ],
)
def test_tables__what_is_final__is_not_rewritten(
    local_contract: LocalContract, database: Database, statement: str
) -> None:
    local_contract.deposit(CUSTOMER, 5)
    open_indexer(local_contract.settings, database).step()

    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        database.execute(statement)


def test_assign_asset__again_and_to_another__first_owner_stands(database: Database) -> None:
    assert owners.assign_asset(database, "model", "tiny", "Model Maker") is True
    assert owners.assign_asset(database, "model", "tiny", "Model Maker") is False
    assert owners.assign_asset(database, "node", "tiny", "Operator") is True
    owners.bind_owner(database, "Operator", PAYEE)
    for role, owner, code in (
        ("model", "Operator", "already_owned"),
        ("data", "Operator", "unknown_role"),
    ):
        with pytest.raises(InputError) as refused:
            owners.assign_asset(database, role, "tiny", owner)
        assert refused.value.code == code

    assert [(a.role, a.owner, a.payee) for a in owners.list_assets(database)] == [
        ("model", "Model Maker", None),
        ("node", "Operator", PAYEE),
    ]
