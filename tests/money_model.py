"""I3 to I6 on the database, the lake and the chain, without the code that is tested."""

import json
from typing import Any

import psycopg
import pyarrow.parquet as pq
from eth_abi.abi import encode
from eth_utils.crypto import keccak

ZERO = b"\0" * 32


def root_of(leaves: list[tuple[int, str, int]]) -> bytes:
    """The root of OpenZeppelin's standard tree, written down once more."""
    hashes = sorted(
        keccak(keccak(encode(["uint8", "address", "uint256"], list(leaf)))) for leaf in leaves
    )
    nodes = [ZERO] * (len(hashes) - 1) + hashes[::-1]
    for place in reversed(range(len(hashes) - 1)):
        nodes[place] = keccak(b"".join(sorted(nodes[2 * place + 1 : 2 * place + 3])))
    return nodes[0]


def check_money(world: Any, *, settled: bool = True) -> None:
    """Raises AssertionError where an invariant does not hold."""
    with psycopg.connect(world.dsn) as connection:
        rows = _read(connection)
    read = world.chain.contract.read
    active = [posting for posting in rows["postings"] if posting["state"] == "active"]
    _check_chain_of_postings(active)
    if settled:
        assert not [p for p in rows["postings"] if p["state"] in ("computed", "sent")]
        assert not [
            t for t in rows["transactions"] if t["state"] in ("reserved", "broadcast", "mined")
        ]
    _check_transactions(world, rows["transactions"])
    if not active:
        return
    last = active[-1]
    leaves = [
        (each["kind"], each["address"], int(each["cumulative_units"]))
        for each in rows["leaves"]
        if each["posting_id"] == last["posting_id"]
    ]
    assert root_of(leaves) == last["root"] == read("activeRoot")
    earned = sum(units for kind, _, units in leaves if kind == 0)
    charged = sum(units for kind, _, units in leaves if kind == 1)
    assert earned == read("earnedTotal")
    assert charged == read("chargedTotal")
    assert read("claimedTotal") <= earned <= charged <= read("creditTotal")
    _check_epochs(world, rows, active, charged)


def _check_chain_of_postings(active: list[dict[str, Any]]) -> None:
    """I5: contiguous epochs, each on its parent."""
    parent, next_epoch = ZERO, active[0]["from_epoch"] if active else 0
    for posting in active:
        assert posting["parent_root"] == parent
        assert posting["from_epoch"] == next_epoch
        parent, next_epoch = posting["root"], posting["to_epoch"] + 1


def _check_transactions(world: Any, transactions: list[dict[str, Any]]) -> None:
    """I6 backwards: all that the chain has of the settler's after the bond stands in the rows."""
    decided = [(t["sender"], t["nonce"]) for t in transactions if t["state"] == "finalized"]
    assert len(decided) == len(set(decided))
    for each in transactions:
        receipt = world.ask("eth_getTransactionReceipt", "0x" + each["hash"].hex())
        assert (receipt is not None) == (each["state"] in ("mined", "finalized")) or (
            each["state"] == "broadcast"
        )


def _check_epochs(world: Any, rows: Any, active: list[dict[str, Any]], charged: int) -> None:
    """I3 by epoch, from the Parquet of every active posting; I2: no request is funded twice."""
    funded_hashes: list[str] = []
    total = 0
    for posting in active:
        name = f"{posting['from_epoch']:08d}-{posting['to_epoch']:08d}-{posting['attempt']}"
        folder = world.lake / "settlements" / name
        lines = pq.read_table(folder / "lines.parquet").to_pylist()
        charges = pq.read_table(folder / "charges.parquet").to_pylist()
        for epoch in range(posting["from_epoch"], posting["to_epoch"] + 1):
            funded = sum(
                int(c["units"]) for c in charges if c["epoch"] == epoch and c["state"] == "funded"
            )
            lined = sum(
                int(line["units"])
                for line in lines
                if line["epoch"] == epoch and line["role"] not in ("release", "refund")
            )
            assert funded == lined
        funded_hashes += [c["request_hash"] for c in charges if c["state"] == "funded"]
        total += sum(int(c["units"]) for c in charges if c["state"] == "funded")
        assert json.loads((folder / "tree.json").read_text())["format"] == "standard-v1"
    assert len(funded_hashes) == len(set(funded_hashes))
    assert total == charged
    committed = {row["epoch"]: row["answers_hash"] for row in rows["commits"]}
    for epoch, answers_hash in committed.items():
        assert world.chain.contract.read("epochCommit", epoch)[0] in (answers_hash, ZERO)


def _read(connection: Any) -> dict[str, list[dict[str, Any]]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            "postings": cursor.execute("select * from postings order by from_epoch").fetchall(),
            "transactions": cursor.execute("select * from transactions").fetchall(),
            "leaves": cursor.execute("select * from settlement.posted_leaves").fetchall(),
            "commits": cursor.execute("select * from epoch_commits").fetchall(),
        }
