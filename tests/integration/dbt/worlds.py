"""Random postings, written twice: as the reference's files, and as dbt's rows in Postgres."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pyarrow as pa

from distributary.attribution.weights import WHOLE
from distributary.canonical import canonical_json, sha256_hex
from distributary.lake.files import manifest_path
from distributary.lake.schema import ANSWERS
from distributary.rewards.inputs import (
    CARRIED,
    CHARGED,
    EARNED,
    AccountFunds,
    Correction,
    Inputs,
    write_inputs,
    write_table,
)
from distributary.rewards.manifest import ZERO_ROOT, PostedEpoch, SettlementManifest
from distributary.rewards.posting import Posting, open_posting, rule_files
from distributary.rules import FOLDER as RULES
from distributary.rules import ROLES

CONTRACT = "0x" + "c0" * 20
FIRST_EPOCH = 100  # so that charges older than 64 epochs can be carried in
# What RFC 8785 must escape, and what it must not.
NAMES = [
    'a"b',
    "back\\slash",
    "line\nfeed\ttab\r\b\f",
    "\x01\x1f\x7f",
    "ü→漢𝄞",
    "</script>\u2028",
    "plain",
]
SPLITS = [
    dict(zip(ROLES, shares, strict=True))
    for shares in (
        (2500, 4000, 1500, 500, 500, 1000),
        (0, 0, 3333, 3333, 3333, 1),
        (1, 9000, 0, 998, 0, 1),
    )
]
Answers = list[dict[str, Any]]


@dataclass
class World:
    """One database, one lake, and the postings made so far."""

    dsn: str
    lake: Path
    rules: Path
    next_epoch: int = FIRST_EPOCH
    next_posting: int = 1
    splits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shape:
    """What decides a posting, printed when an example fails."""

    seed: int
    epochs: int
    answers: int
    units_max: int
    credit: int


def make_rules(folder: Path) -> list[str]:
    """Writes a catalogue with three splits; returns their stamps."""
    for kind in ("prices", "payouts", "splits"):
        (folder / kind).mkdir(parents=True)
    for kind in ("prices", "payouts"):
        for path in (RULES / kind).glob("*.json"):
            (folder / kind / path.name).write_bytes(path.read_bytes())
    stamps = []
    for number, shares in enumerate(SPLITS):
        data = json.dumps(
            {
                "kind": "splits",
                "valid_from_ms": number,
                "basis_points": shares,
            }
        ).encode()
        (folder / "splits" / f"{number:04d}.json").write_bytes(data)
        stamps.append(sha256_hex(data))
    return stamps


def prepare(dsn: str) -> None:
    """Opens the epoch that comes before the first posting's, and registers owners and documents."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select begin_closing_epoch(1, null)")
        connection.execute(
            "insert into epochs (epoch, method) values (%s, 'x')", (FIRST_EPOCH - 1,)
        )
        connection.execute(
            "update epochs set state = 'closing' where epoch = %s", (FIRST_EPOCH - 1,)
        )
        connection.execute("insert into topics (topic_id, name) values ('t', 'inference.answers')")
        connection.execute("insert into owners (label) values ('somebody')")
        for document in DOCUMENTS:
            connection.execute(
                "insert into documents (document, owner_id, bytes, title) values (%s, 1, 1, '')",
                (document,),
            )
        connection.execute("select open_epoch('x')")


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


ACCOUNTS = [f"0x{number:02x}" + "aa" * 19 for number in range(5)]
PAYEES = [f"0x{number:02x}" + "bb" * 19 for number in range(4)]
DOCUMENTS = sorted(_hash("document", number) for number in range(6))
OWNERS = ["owner " + name for name in NAMES]


def make_posting(world: World, shape: Shape) -> tuple[int, Posting]:
    """Makes a posting over the next epochs, in the lake and in Postgres.

    Returns:
        Its number, and the posting as the reference reads it.
    """
    random = Random(shape.seed)
    first = world.next_epoch
    epochs = list(range(first, first + shape.epochs))
    answers = {epoch: _answers(random, world, epoch, shape) for epoch in epochs}
    cuts = sorted(random.randrange(1000) for _ in range(shape.epochs + 1))
    inputs = _inputs(random, world, epochs, shape)
    posted = [
        PostedEpoch(epoch, cut, _write_epoch(world.lake, epoch, answers[epoch]))
        for epoch, cut in zip(epochs, cuts[1:], strict=True)
    ]
    manifest = SettlementManifest(
        chain_id=31337,
        contract=CONTRACT,
        from_epoch=epochs[0],
        to_epoch=epochs[-1],
        attempt=random.randint(1, 3),
        parent_root=ZERO_ROOT,
        previous_cut_block=random.choice([None, cuts[0]]),
        pinned_block=1000,
        grace_blocks=random.choice([0, 50]),
        epochs=tuple(posted),
        rules=rule_files(world.rules),
        files=write_inputs(world.lake / f"settlements/{epochs[0]:08d}-{epochs[-1]:08d}-1", inputs),
    )
    write_inputs(world.lake / manifest.folder, inputs)
    _store(world, answers)
    world.next_epoch = epochs[-1] + 1
    world.next_posting += 1
    return world.next_posting - 1, open_posting(world.lake, manifest, rules=world.rules)


def _answers(random: Random, world: World, epoch: int, shape: Shape) -> Answers:
    return [
        _answer(random, world, epoch, number, shape)
        for number in range(random.randrange(shape.answers + 1))
    ]


def _answer(random: Random, world: World, epoch: int, number: int, shape: Shape) -> dict[str, Any]:
    documents = sorted(random.sample(DOCUMENTS, random.randrange(4)))
    cuts = sorted(random.sample(range(1, WHOLE), len(documents)))
    weights = [b - a for a, b in zip([0, *cuts], cuts, strict=False)]
    commons = WHOLE - sum(weights)
    if not documents:
        commons = random.choice([None, WHOLE])
    charged = random.random() < 0.9
    return {
        "topic_id": "t",
        "partition": number % 2,
        "answer_offset": number,
        "answered_at_ms": 1,
        "status": "executed",
        "outcome": "charged" if charged else "uncharged",
        "reason": None if charged else "bad_charge",
        "charge_units": str(random.randint(0, shape.units_max) if charged else 0),
        "request_topic_id": "r",
        "request_partition": 0,
        "request_offset": number,
        "admitted_at_ms": 1,
        "account": random.choice(ACCOUNTS),
        "source": "s",
        "id": str(number),
        "request_hash": _hash("request", epoch, number, shape.seed),
        "body_hash": "00" * 32,
        "key": "00" * 32,
        "signature": "00" * 64,
        "model": random.choice(NAMES[:3]),
        "model_version": "1",
        "adapter": random.choice([None, None, *NAMES[3:5]]),
        "agent": random.choice([None, *NAMES[5:]]),
        "node": random.choice(NAMES),
        "price_hash": "00" * 32,
        "split_hash": random.choice([world.splits[0], world.splits[0], *world.splits]),
        "datanet": random.choice(["net", "other"]) if documents else None,
        "manifest_hash": None,
        "commons": commons,
        "method": "x" if commons is not None else None,
        "documents": documents,
        "weights": weights,
    }


def _inputs(random: Random, world: World, epochs: Sequence[int], shape: Shape) -> Inputs:
    def units() -> int:
        return random.randint(0, shape.units_max)

    accounts = random.sample(ACCOUNTS, random.randrange(1, 6))
    owners = random.sample(OWNERS, 5)
    charged = {account: units() for account in accounts if random.random() < 0.5}
    carried = [
        {"epoch": epochs[0] - random.choice([1, 2, 62, 63, 64, 65]), "outcome": "charged"}
        | {
            key: value
            for key, value in _answer(random, world, -1, 10**6 + number, shape).items()
            if key != "outcome"
        }
        | {"charge_units": str(units())}
        for number in range(random.choice([0, 0, 4]))
    ]
    assets = [("data", document) for document in DOCUMENTS] + [
        (role, name) for role in ("model", "adapter", "agent", "node") for name in NAMES
    ]
    return Inputs(
        accounts={
            account: AccountFunds(
                charged.get(account, 0) + 7 + random.randint(0, shape.credit),
                7,
                random.choice([None, None, random.randrange(1000)]),
            )
            for account in accounts
        },
        bindings={owner: random.choice(PAYEES) for owner in random.sample(OWNERS, 4)},
        assets={key: random.choice(owners) for key in assets if random.random() < 0.8},
        active_leaves={(CHARGED, account): units_ for account, units_ in charged.items()}
        | {(EARNED, payee): units() for payee in random.sample(PAYEES, 2)},
        carried=pa.Table.from_pylist(
            sorted(carried, key=lambda row: (row["epoch"], row["request_hash"])), schema=CARRIED
        ),
        unclaimed={owner: units() for owner in random.sample(["", *OWNERS], 3)},
        corrections=[
            Correction(
                random.choice(list(epochs)),
                random.choice(["refund", "refund", "reversal", "verdict"]),
                _hash("correction", number, shape.seed),
                random.choice(ACCOUNTS),
                "",
                units(),
                "bad_answer",
            )
            for number in range(random.randrange(3))
        ],
    )


def _write_epoch(lake: Path, epoch: int, answers: Answers) -> str:
    """The answers file and manifest of an epoch; returns the manifest's hash."""
    path = manifest_path(lake, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = write_table(
        path.parent / "answers-t-00000.parquet", pa.Table.from_pylist(answers, schema=ANSWERS)
    )
    data = canonical_json({"files": [{"name": file.name, "sha256": file.sha256}]})
    path.write_bytes(data)
    return sha256_hex(data)


_LISTS = ("documents", "weights")
_HEX = ("request_hash", "body_hash", "key", "signature", "price_hash", "split_hash")
_COLUMNS = [name for name in ANSWERS.names if name not in ("topic_id", "method", *_LISTS)]
_WEIGHTED = ("epoch", "topic", "partition", "answer_offset", "document_id", "weight")


def _data_bp(world: World, row: dict[str, Any]) -> int:
    split = SPLITS[world.splits.index(row["split_hash"])]
    given = [split[role] for role in ("adapter", "agent") if row[role] is None]
    return split["data"] + sum(given)


def _store(world: World, answers: dict[int, Answers]) -> None:
    """The same rows as the attribution job would commit, epoch by epoch."""
    with psycopg.connect(world.dsn) as connection:
        for epoch, rows in answers.items():
            _copy(
                connection,
                "answers",
                ("epoch", "topic", *_COLUMNS),
                [(epoch, 1, *(_value(name, row.get(name)) for name in _COLUMNS)) for row in rows],
            )
            _copy(
                connection,
                "attributions",
                (*_WEIGHTED, "charge_units", "data_bp"),
                [
                    (epoch, 1, row["partition"], row["answer_offset"],
                     DOCUMENTS.index(document) + 1, weight, row["charge_units"],
                     _data_bp(world, row))
                    for row in rows
                    for document, weight in zip(row["documents"], row["weights"], strict=True)
                ],
            )  # fmt: skip
            connection.execute("select begin_closing_epoch(%s, null)", (epoch,))
            connection.execute("select open_epoch('x')")


def _value(name: str, value: Any) -> Any:
    return bytes.fromhex(value) if name in _HEX and value is not None else value


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: list[Any]
) -> None:
    statement = f"copy {table} ({', '.join(columns)}) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
