"""An outsider verifies what settlement left on a real contract, with files and a node alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from distributary.rewards.finding_postings import find_posting
from distributary.rewards.inputs import AccountFunds, read_inputs, write_inputs
from distributary.rewards.manifest import SettlementManifest, load_manifest
from distributary.rewards.verify import verify
from orchestration.chain.verifying import ChainReader
from tests.settlement_world import World, run

# The answers of this world are signed for a domain without a contract.
OF_THE_DOUBLE = {"answers_manifest", "request_hash"}


def settled(world: World, epochs: int = 2) -> tuple[Path, SettlementManifest]:
    for _ in range(epochs):
        world.close_one()
        run(world)
    lake, path = find_posting(world.lake, str(epochs))
    return lake, load_manifest(path)


def test_verify__what_settlement_posted__holds_against_files_and_chain(world: World) -> None:
    lake, manifest = settled(world)
    report = verify(lake, manifest, chain=ChainReader(world.chain.client))
    assert {finding.name for finding in report.failures} == OF_THE_DOUBLE, report.failures
    names = {finding.name for finding in report.findings}
    assert {"chain_root", "chain_commits", "chain_accounts", "carried_in"} <= names


def test_verify__an_account_left_out_and_all_hashed_again__is_found_on_the_chain(
    world: World,
) -> None:
    lake, manifest = settled(world, 1)
    folder = lake / manifest.folder
    inputs = read_inputs(folder, manifest.files)
    left_out = min(inputs.accounts)
    fewer = {a: f for a, f in inputs.accounts.items() if a != left_out}
    lie = replace(manifest, files=write_inputs(folder, replace(inputs, accounts=fewer)))
    report = verify(lake, lie, chain=ChainReader(world.chain.client))
    found = {finding.name for finding in report.failures}
    assert {"chain_root", "chain_accounts", "outputs", "root"} <= found


@pytest.mark.parametrize("extra", [1, -1])
def test_verify__a_deposit_stated_wrongly__is_found_on_the_chain(world: World, extra: int) -> None:
    lake, manifest = settled(world, 1)
    folder = lake / manifest.folder
    inputs = read_inputs(folder, manifest.files)
    account = min(inputs.accounts)
    funds = inputs.accounts[account]
    inputs.accounts[account] = AccountFunds(funds.deposited_units + extra, funds.withdrawn_units)
    lie = replace(manifest, files=write_inputs(folder, inputs))
    report = verify(lake, lie, chain=ChainReader(world.chain.client))
    assert {"chain_root", "chain_accounts"} <= {finding.name for finding in report.failures}
