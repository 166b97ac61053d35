"""`deposit`, `balance`, `freeze`, `withdraw`, `payee`, `claim` and `index` on a real chain."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from distributary import keys
from distributary.cli.main import main
from distributary.errors import ExitCode
from distributary.store import accounts as registry
from orchestration.chain.deploy import Terms
from orchestration.chain.rows import Database
from tests.anvil_node import AnvilNode
from tests.chain_contract import CUSTOMER, OTHER, LocalContract, deploy, post

TOKEN = 10**18


@dataclass(frozen=True)
class Result:
    """What a command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def local_contract(node: AnvilNode) -> LocalContract:
    """The contract with a delay that leaves time for a dispute."""
    return deploy(node, terms=Terms(activation_delay_s=50))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(
    local_contract: LocalContract,
    dsn: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command in this process against the chain and the database of this test."""
    settings = local_contract.settings
    for name in ("chain", "contract", "contract_block"):
        monkeypatch.setenv(f"DISTRIBUTARY_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", dsn)
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(home))

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["distributary", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        captured = capsys.readouterr()
        return Result(int(code), captured.out, captured.err)

    return call


@pytest.fixture
def alice(home: Path, database: Database) -> str:
    """The address of the local account `alice`, registered, without a coin or a token."""
    address = keys.make_account_key(home, "alice").address
    registry.add_account(database, address)
    return address


def test_deposit__address_without_anything__is_minted_approved_and_deposited(
    run: Run, alice: str, local_contract: LocalContract, database: Database
) -> None:
    made = run("deposit", "2.5 tokens", "--json").json
    again = run("deposit", 500, "--json").json

    assert (made["account"], made["deposited_units"]) == (alice, str(25 * TOKEN // 10))
    assert again["total_units"] == str(25 * TOKEN // 10 + 500)
    indexed = run("index", "--once", "--json").json
    assert indexed["indexed_block"] == local_contract.node.head
    shown = run("balance", "alice", "--json").json
    assert shown["deposited_units"] == shown["credit_units"] == again["total_units"]
    assert shown["credit_source"] == "deposit"


def test_deposit__for_another__credits_him_and_the_payer_signs(
    run: Run, alice: str, local_contract: LocalContract
) -> None:
    other = local_contract.address(OTHER)

    made = run("deposit", 7, "--for", other, "--json").json

    assert (made["account"], made["payer"], made["deposited_units"]) == (other, alice, "7")
    assert run("balance", other, "--json").json["deposited_units"] == "7"
    assert run("balance", "alice", "--json").json["deposited_units"] == "0"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("deposit", "1.5"), "bad_amount"),
        (("deposit", "5", "--for", "0x12"), "bad_address"),
        (("deposit", "5", "--account", "bob"), "no_key"),
        (("withdraw",), "not_frozen"),
        (("freeze", "--yes"), "reverted"),
        (("claim", "0x" + "9" * 40), "nothing_posted"),
        (("dispute", 1, 1, "--yes"), "another_root"),
    ],
)
def test_command__mistake__is_one_line_with_its_code(
    run: Run, alice: str, arguments: tuple[object, ...], code: str
) -> None:
    result = run(*arguments)

    assert result.code in (ExitCode.INPUT, ExitCode.FAILED)
    assert code in result.err
    assert result.err.count("\n") == 1


def test_command__no_contract_configured__says_what_to_do(
    run: Run, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_CONTRACT", "0x" + "0" * 40)

    for arguments in (("deposit", "5"), ("balance",), ("index", "--once")):
        result = run(*arguments)
        assert result.code == ExitCode.INPUT
        assert "no_contract" in result.err


def test_freeze_and_withdraw__unspent_credit__comes_back_to_the_recipient(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    chain, elsewhere = local_contract, "0x" + "7" * 40
    run("deposit", 1_000)
    run("payee", "set-recipient", elsewhere, "--json")
    frozen = run("freeze", "--yes", "--json").json
    early = run("withdraw")
    chain.node.mine(frozen["grace_blocks"])
    post(chain, home / "lake", [(1, alice, 300), (0, chain.address(OTHER), 300)])

    made = run("withdraw", "--json").json

    assert "too_early" in early.err
    assert (made["withdrawn_units"], made["recipient"]) == ("700", elsewhere)
    assert int(chain.token.read("balanceOf", elsewhere)) == 700
    run("index", "--once")
    shown = run("balance", "--json").json
    assert (shown["charged_posted_units"], shown["withdrawn_units"]) == ("300", "700")
    assert shown["frozen_block"] == frozen["frozen_block"]
    assert "reverted" in run("withdraw").err


def test_withdraw__deposited_after_the_active_root__has_no_leaf_yet(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    run("deposit", 10)
    run("freeze", "--yes")
    local_contract.node.mine(5)
    local_contract.deposit(CUSTOMER, 100)
    post(local_contract, home / "lake", [(1, local_contract.address(CUSTOMER), 0)])

    assert "no_leaf" in run("withdraw").err


def test_withdraw__no_root_for_the_stated_time__works_by_the_fail_safe(
    run: Run, alice: str, local_contract: LocalContract
) -> None:
    run("deposit", 10)
    assert "reverted" in run("withdraw", "--fail-safe").err
    local_contract.node.ask("evm_increaseTime", 601)
    local_contract.node.mine()

    assert run("withdraw", "--fail-safe", "--json").json["withdrawn_units"] == "10"


def test_withdraw__newer_than_the_active_root_by_the_fail_safe__needs_no_tree(
    run: Run, alice: str, local_contract: LocalContract, home: Path, tmp_path: Path
) -> None:
    """The operator and his lake are gone: who has a leaf needs the tree, who is newer does not."""
    local_contract.deposit(CUSTOMER, 100)
    post(local_contract, home / "lake", [(1, local_contract.address(CUSTOMER), 0)])
    next(home.rglob("tree.json")).rename(tmp_path / "tree.json")
    run("deposit", 10)
    local_contract.node.ask("evm_increaseTime", 601)
    local_contract.node.mine()

    assert run("withdraw", "--fail-safe", "--json").json["withdrawn_units"] == "10"


def test_withdraw__with_a_leaf_by_the_fail_safe__needs_the_tree(
    run: Run, alice: str, local_contract: LocalContract, home: Path, tmp_path: Path
) -> None:
    run("deposit", 10)
    post(local_contract, home / "lake", [(1, alice, 4)])
    tree = next(home.rglob("tree.json")).rename(tmp_path / "tree.json")
    local_contract.node.ask("evm_increaseTime", 601)
    local_contract.node.mine()

    assert "unknown_root" in run("withdraw", "--fail-safe").err
    made = run("withdraw", "--fail-safe", "--tree", tree, "--json").json
    assert made["withdrawn_units"] == "6"


def test_withdraw__left_out_of_the_active_root__is_told_so(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    run("deposit", 10)
    local_contract.deposit(CUSTOMER, 100)
    post(local_contract, home / "lake", [(1, local_contract.address(CUSTOMER), 0)])
    local_contract.node.ask("evm_increaseTime", 601)
    local_contract.node.mine()

    assert "no_leaf" in run("withdraw", "--fail-safe").err


def test_claim__for_payees__pays_each_once_and_says_so(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    chain = local_contract
    run("deposit", 1_000)
    payees = ["0x" + f"{number:040x}" for number in range(1, 31)]  # two lots
    leaves = [(0, payee, 10 + index) for index, payee in enumerate(payees)]
    post(chain, home / "lake", [*leaves, (1, alice, sum(units for _, _, units in leaves))])

    one = run("claim", payees[4], "--json").json
    rest = run("claim", "--all", "--json").json
    nothing = run("claim", "--all", "--json").json

    assert [(row["payee"], row["claimed_units"]) for row in one] == [(payees[4], "14")]
    assert len(rest) == 29
    assert not any(row["skipped"] for row in rest)
    assert nothing == []
    assert all(chain.token.read("balanceOf", payee) == units for _, payee, units in leaves)
    assert run("claim", "--json").json == []  # the local account has earned nothing
    assert "no_leaf" in run("claim", "0x" + "9" * 40).err


def test_claim__tree_of_another_root__is_refused(
    run: Run, alice: str, local_contract: LocalContract, home: Path, tmp_path: Path
) -> None:
    run("deposit", 1_000)
    post(local_contract, home / "lake", [(0, "0x" + "1" * 40, 5), (1, alice, 5)])
    tree = next(home.rglob("tree.json"))
    elsewhere = tree.rename(tmp_path / "tree.json")

    gone = run("claim", "--all")
    given = run("claim", "--all", "--tree", elsewhere, "--json").json
    elsewhere.write_text(elsewhere.read_text().replace('"5"', '"6"'))
    altered = run("claim", "--all", "--tree", elsewhere)

    assert "unknown_root" in gone.err
    assert [row["claimed_units"] for row in given] == ["5"]
    assert "bad_tree" in altered.err


def test_claim__settled_epochs_later__an_old_payee_gets_the_difference_only(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    payee = "0x" + "3" * 40
    run("deposit", 1_000)
    post(local_contract, home / "lake", [(0, payee, 5), (1, alice, 5)])
    run("claim", payee)
    post(local_contract, home / "lake", [(0, payee, 12), (1, alice, 12)], epoch=2)

    (row,) = run("claim", payee, "--json").json

    assert row["claimed_units"] == "7"
    assert run("balance", payee, "--json").json["claimed_units"] == "12"


def test_grant__account_with_a_deposit__is_refused(
    run: Run, alice: str, database: Database
) -> None:
    run("deposit", 10)
    run("index", "--once")

    assert "has_deposit" in run("account", "grant", "alice", 5).err


def test_keys__of_a_run__are_in_no_output(run: Run, alice: str, home: Path) -> None:
    secret = keys.load_account_key(home, "alice").private_key[2:]

    results = [run("deposit", 5), run("balance"), run("withdraw"), run("freeze", "--yes")]

    assert not any(secret in result.out + result.err for result in results)


def test_epoch_close__with_a_contract__takes_the_last_finalized_block_that_is_indexed(
    run: Run, alice: str, local_contract: LocalContract
) -> None:
    local_contract.node.mine(20)

    refused = run("epoch", "close", 1)
    run("index", "--once")
    local_contract.node.mine(5)  # not indexed yet
    closed = run("epoch", "close", 1, "--json").json

    assert "not_indexed" in refused.err
    manifest = json.loads(Path(closed["manifest"]).read_text())
    assert manifest["cut_block"] == local_contract.node.head - 5 - 8
    assert manifest["contract"] == local_contract.contract.address


def test_epoch_close__without_a_contract__has_no_cut(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISTRIBUTARY_CHAIN")

    closed = run("epoch", "close", 1, "--json").json

    assert json.loads(Path(closed["manifest"]).read_text())["cut_block"] is None


def test_dispute__of_the_pending_root_by_name__deposits_the_bond_and_shows_the_deadline(
    run: Run, alice: str, local_contract: LocalContract, home: Path
) -> None:
    chain = local_contract
    chain.deposit(CUSTOMER, 100)
    leaves = [(1, chain.address(CUSTOMER), 0)]
    tree = post(chain, home / "lake", leaves, activate=False)
    bond = int(chain.contract.read("bondNow"))

    other = run("dispute", 1, 2, "--yes")
    made = run("dispute", 1, 1, "--yes", "--json").json
    again = run("dispute", 1, 1, "--yes")

    assert "another_root" in other.err
    assert (made["root"], made["disputer"], made["bond_units"]) == (tree.root, alice, str(bond))
    pending = chain.contract.read("pending")
    assert pending[9] == alice
    block = chain.client.read("eth_getBlockByNumber", hex(made["block"]), False)
    deadline = int(block["timestamp"], 16) + int(chain.contract.read("arbiterDeadlineS"))
    assert datetime.fromisoformat(made["decide_by"]).timestamp() == deadline
    assert int(chain.contract.read("bonds", alice)) == 0
    assert "not_disputable" in again.err
