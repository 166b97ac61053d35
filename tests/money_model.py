"""I3 to I6 on the database, the lake and the chain, without the code that is tested."""

import json
from collections import defaultdict
from typing import Any

import psycopg
import pyarrow.parquet as pq
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.money_replay import Replay

ZERO = b"\0" * 32
IN_FLIGHT = ("reserved", "broadcast", "mined")


def root_of(leaves: list[tuple[int, str, int]]) -> bytes:
    """The root of OpenZeppelin's standard tree, written down once more."""
    hashes = sorted(
        keccak(keccak(encode(["uint8", "address", "uint256"], list(leaf)))) for leaf in leaves
    )
    nodes = [ZERO] * (len(hashes) - 1) + hashes[::-1]
    for place in reversed(range(len(hashes) - 1)):
        nodes[place] = keccak(b"".join(sorted(nodes[2 * place + 1 : 2 * place + 3])))
    return nodes[0]


def check_money(world: Any, *, settled: bool = True, behind: bool = False) -> None:
    """Raises AssertionError where an invariant does not hold.

    Args:
        world: a `tests.settlement_world.World`.
        settled: nothing may be in flight.
        behind: a re-org came after the last run, so that the chain may lack what was done.
    """
    with psycopg.connect(world.dsn) as connection:
        rows = _read(connection)
    active = [posting for posting in rows["postings"] if posting["state"] == "active"]
    _check_chain_of_postings(active)
    if settled:
        assert not [p for p in rows["postings"] if p["state"] in ("computed", "sent")]
        assert not [t for t in rows["transactions"] if t["state"] in IN_FLIGHT]
    if not behind:
        _check_transactions(world, rows["transactions"])
        _check_commits(world, rows["commits"])
    leaves = _check_postings(world, rows["leaves"], active)
    if active and not behind and not _is_ahead(world, rows["postings"]):
        _check_totals(world, active[-1]["root"], leaves)


def _check_chain_of_postings(active: list[dict[str, Any]]) -> None:
    """I5: contiguous epochs, each on its parent."""
    parent, next_epoch = ZERO, active[0]["from_epoch"] if active else 0
    for posting in active:
        assert posting["parent_root"] == parent
        assert posting["from_epoch"] == next_epoch
        parent, next_epoch = posting["root"], posting["to_epoch"] + 1


def _check_transactions(world: Any, transactions: list[dict[str, Any]]) -> None:
    """I6 both ways: what is decided here stands there, and nothing of ours is there besides."""
    decided = [(t["sender"], t["nonce"]) for t in transactions if t["state"] == "finalized"]
    assert len(decided) == len(set(decided))
    mined = set()
    for each in transactions:
        receipt = world.ask("eth_getTransactionReceipt", "0x" + each["hash"].hex())
        if receipt is not None:
            mined.add((each["sender"], each["nonce"]))
        if each["state"] in ("mined", "finalized"):
            place = (int(receipt["blockNumber"], 16), bytes.fromhex(receipt["blockHash"][2:]))
            assert place == (each["block"], each["block_hash"])
            assert (int(receipt["status"], 16) == 1) is each["succeeded"]
        assert receipt is None or each["state"] in ("finalized", *IN_FLIGHT)
    ours = [nonce for sender, nonce in mined if sender == world.settler_address]
    assert world.nonce() == len(ours) + world.foreign


def _check_commits(world: Any, commits: list[dict[str, Any]]) -> None:
    """What is committed here is so there, and there is no commit that is not here."""
    read = world.chain.contract.read
    known = {row["epoch"]: row for row in commits}
    for epoch, row in known.items():
        found = (bytes(read("epochCommit", epoch)[0]), read("epochCommit", epoch)[1])
        stored = (bytes(row["answers_hash"]), row["cut_block"])
        assert found == stored or (row["state"] == "closed" and found == (ZERO, 0))
    if next_commit := read("nextCommit"):
        assert set(range(min(known), next_commit)) <= known.keys()


def _check_postings(
    world: Any, posted: list[dict[str, Any]], active: list[dict[str, Any]]
) -> dict[tuple[int, str], int]:
    """I3 and I2 of every active posting, from the answers on; the leaves of the last one."""
    replay, earned = Replay(world), defaultdict(int)
    leaves: dict[tuple[int, str], int] = {}
    for posting in active:
        pinned_block = posting["pinned_block"]
        replay.post(posting["from_epoch"], posting["to_epoch"], pinned_block)
        folder = _check_folder(world, posting, replay, earned)
        before, leaves = leaves, _leaves(posted, posting["posting_id"])
        assert all(units <= leaves[key] for key, units in before.items())
        kind_1 = {address: units for (kind, address), units in leaves.items() if kind == 1}
        accounts = {address for kind, address in before if kind == 1}
        accounts.update(replay.accounts(pinned_block))
        assert kind_1 == {account: replay.charged[account] for account in accounts}
        assert sum(kind_1.values()) == sum(replay.charged.values())
        assert {a: u for (kind, a), u in leaves.items() if kind == 0} == dict(earned)
        assert root_of([(*key, units) for key, units in sorted(leaves.items())]) == posting["root"]
        assert json.loads((folder / "tree.json").read_text())["format"] == "standard-v1"
    assert len(replay.funded) == len({hash_ for hash_, _ in replay.funded})
    return leaves


def _check_folder(world: Any, posting: dict[str, Any], replay: Replay, earned: Any) -> Any:
    """The posting's files against the replay; adds its lines to what each payee has earned."""
    name = f"{posting['from_epoch']:08d}-{posting['to_epoch']:08d}-{posting['attempt']}"
    folder = world.lake / "settlements" / name
    covered = range(posting["from_epoch"], posting["to_epoch"] + 1)
    lines = pq.read_table(folder / "lines.parquet").to_pylist()
    charges = pq.read_table(folder / "charges.parquet").to_pylist()
    funded = [c for c in charges if c["state"] == "funded"]
    assert len(funded) == len({c["request_hash"] for c in funded})
    assert {(c["request_hash"], c["epoch"]) for c in funded} == {
        (hash_, epoch) for hash_, epoch in replay.funded if epoch in covered
    }
    carried = {c["request_hash"] for c in charges if c["state"] == "carried"}
    assert carried == {hash_ for _, hash_, _, _ in replay.waiting}
    for epoch in covered:
        paid = [x for x in lines if x["epoch"] == epoch and x["role"] not in ("release", "refund")]
        assert sum(int(x["units"]) for x in paid) == sum(
            int(c["units"]) for c in funded if c["epoch"] == epoch
        )
    for line in lines:
        assert int(line["units"]) > 0
        if line["payee"].startswith("0x"):
            earned[line["payee"]] += int(line["units"])
    return folder


def _is_ahead(world: Any, postings: list[dict[str, Any]]) -> bool:
    """Whether a sent posting is active on the chain already, with the totals that were sent."""
    read = world.chain.contract.read
    for posting in postings:
        if posting["state"] == "sent" and posting["root"] == read("activeRoot"):
            sent = (posting["earned_total_units"], posting["charged_total_units"])
            assert (read("earnedTotal"), read("chargedTotal")) == sent
            return True
    return False


def _check_totals(world: Any, root: bytes, leaves: dict[tuple[int, str], int]) -> None:
    """I3 on the chain as it is now, in sum and account by account."""
    read = world.chain.contract.read
    assert root == read("activeRoot")
    earned = sum(units for (kind, _), units in leaves.items() if kind == 0)
    charged = sum(units for (kind, _), units in leaves.items() if kind == 1)
    assert (earned, charged) == (read("earnedTotal"), read("chargedTotal"))
    assert read("claimedTotal") <= earned <= charged <= read("creditTotal")
    for (kind, address), units in leaves.items():
        if kind == 1:
            assert units <= read("deposited", address) - read("withdrawn", address)
        else:
            assert read("claimed", address) <= units


def _leaves(posted: list[dict[str, Any]], posting_id: int) -> dict[tuple[int, str], int]:
    rows = [row for row in posted if row["posting_id"] == posting_id]
    found = {(row["kind"], row["address"]): int(row["cumulative_units"]) for row in rows}
    assert len(found) == len(rows)
    return found


def _read(connection: Any) -> dict[str, list[dict[str, Any]]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            "postings": cursor.execute("select * from postings order by from_epoch").fetchall(),
            "transactions": cursor.execute("select * from transactions").fetchall(),
            "leaves": cursor.execute("select * from settlement.posted_leaves").fetchall(),
            "commits": cursor.execute("select * from epoch_commits").fetchall(),
        }
