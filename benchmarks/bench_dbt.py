"""What dbt takes to compute the rewards of one epoch: each model, all models, the build with tests.

    python -m benchmarks.bench_dbt [--answers 1000000] [--documents 20000]

The rows are generated inside a Postgres of its own, with the settings of the local stack: eight
attribution rows an answer, 1,000 accounts of which one in a hundred cannot pay for everything,
one answer in ten with an adapter. Prints JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from distributary.rules import load_catalogue
from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from distributary.store import migrate
from orchestration.dbt import Built, Dbt

WEIGHTS = (300_000_000, 200_000_000, 150_000_000, 100_000_000, 50_000_000, 50_000_000,
           30_000_000, 20_000_000)  # fmt: skip
ACCOUNTS = 1_000
OWNERS = 1_000
CHARGE_UNITS = 1_000_000_000_000
SLOWEST = 8
REPORTING = ("rpt_", "dim_", "fct_ledger", "fct_payee", "fct_claims")

ANSWERS = """
    insert into answers (epoch, topic, partition, answer_offset, answered_at_ms, status, outcome,
        charge_units, request_topic_id, request_partition, request_offset, admitted_at_ms, account,
        source, id, request_hash, body_hash, key, signature, model, model_version, adapter, node,
        split_hash, datanet, commons)
    select 1, 1, n %% 4, n, n, 'executed', 'charged', %(units)s + n %% 1000003, 'r', 0, n, n,
        '0x' || lpad(to_hex(n %% %(accounts)s), 40, '0'), 's', n::text,
        sha256(int8send(n)), sha256(''), sha256(''), sha256('a') || sha256('b'),
        'model ' || n %% 3, '1', case when n %% 10 = 0 then 'adapter' end, 'node ' || n %% 20,
        %(split)s, 'net ' || n %% 5, %(commons)s
    from generate_series(0::int8, %(answers)s - 1) n
"""
ATTRIBUTIONS = """
    insert into attributions
    select 1, 1, n %% 4, n, (n * 7919 + k * 104729 * (n %% 13 + 1)) %% %(documents)s + 1,
        (%(weights)s::int8[])[k], %(units)s + n %% 1000003
    from generate_series(0::int8, %(answers)s - 1) n, generate_series(1, %(per_answer)s) k
"""
INPUTS = (
    """
    insert into settlement.postings_in (posting_id, from_epoch, to_epoch, attempt, pinned_block,
        grace_blocks, manifest_hash)
    values (1, 1, 1, 1, 10, 0, sha256('1'))
    """,
    "insert into settlement.in_epochs values (1, 1, 5, sha256('1'))",
    """
    insert into settlement.in_accounts
    select 1, '0x' || lpad(to_hex(n), 40, '0'),
        case when n %% 100 = 0 then %(units)s * %(answers)s / %(accounts)s / 2
            else %(units)s::numeric * %(answers)s end, 0, null
    from generate_series(0, %(accounts)s - 1) n
    """,
    """
    insert into settlement.in_bindings
    select 1, 'owner ' || n, '0x' || lpad(to_hex(n), 40, 'f')
    from generate_series(1, %(owners)s) n where n %% 10 > 0
    """,
    """
    insert into settlement.in_assets
    select 1, 'data', document, 'owner ' || owner_id from documents
    union all select 1, 'model', 'model ' || n, 'owner 1' from generate_series(0, 2) n
    union all select 1, 'node', 'node ' || n, 'owner ' || n from generate_series(0, 19) n
    """,
)
SETUP = (
    "insert into topics (topic_id, name) values ('t', 'inference.answers')",
    "insert into owners (label) select 'owner ' || n from generate_series(1, %(owners)s) n",
    """
    insert into documents (document, owner_id, bytes, title)
    select encode(sha256(int4send(n)), 'hex'), n %% %(owners)s + 1, 1000, ''
    from generate_series(1, %(documents)s) n
    """,
)


@contextmanager
def database() -> Iterator[str]:
    """A Postgres with the schema, on a free port, that goes with the benchmark."""
    cache = load_settings().cache.expanduser().resolve()
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder), (), cache) as stack:
        stack.start("postgres")
        migrate(stack.settings.postgres)
        yield stack.settings.postgres


def generate(dsn: str, answers: int, documents: int) -> None:
    """Writes the rows of one epoch and the inputs of a posting over it."""
    split = load_catalogue("splits").rules[0]
    values: dict[str, Any] = {
        "answers": answers,
        "documents": documents,
        "accounts": ACCOUNTS,
        "owners": OWNERS,
        "units": CHARGE_UNITS,
        "split": bytes.fromhex(split.hash),
        "commons": 10**9 - sum(WEIGHTS),
        "weights": list(WEIGHTS),
        "per_answer": len(WEIGHTS),
    }
    with psycopg.connect(dsn) as connection:
        for statement in (*SETUP, ANSWERS, ATTRIBUTIONS, *INPUTS):
            connection.execute(statement, values)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # As autovacuum has done by the time that an epoch is closed.
        connection.execute("vacuum analyze")


def reward_seconds(built: Built) -> float:
    """Time of the models that a root needs, reports apart; they hardly overlap."""
    models = [node for node in built.nodes if node.kind == "model"]
    return sum(node.seconds for node in models if not node.name.startswith(("stg_", *REPORTING)))


def measure(dbt: Dbt) -> dict[str, Any]:
    """One build of posting 1, as settlement runs it."""
    began = time.monotonic()
    built = dbt.build(1)
    slowest = sorted(built.nodes, key=lambda node: -node.seconds)[:SLOWEST]
    return {
        "build_s": round(time.monotonic() - began, 2),
        "reward_models_s": round(reward_seconds(built), 2),
        "all_models_s": round(built.model_seconds, 2),
        "tests_s": round(sum(node.seconds for node in built.tests), 2),
        "tests": len(built.tests),
        "slowest": {node.name: round(node.seconds, 2) for node in slowest},
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=20_000)
    given = parser.parse_args()
    with database() as dsn, tempfile.TemporaryDirectory() as folder:
        print("Generating rows…", file=sys.stderr)
        generate(dsn, given.answers, given.documents)
        dbt = Dbt(dsn, Path(folder), "settlement")
        runs = {name: measure(dbt) for name in ("first", "again")}
    rows = given.answers * len(WEIGHTS)
    print(json.dumps({"answers": given.answers, "attribution_rows": rows, **runs}))


if __name__ == "__main__":
    main()
