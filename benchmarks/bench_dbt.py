"""What dbt takes to compute the rewards of one epoch: each model, all models, the build with tests.

    python -m benchmarks.bench_dbt [--answers 1000000] [--documents 20000]

The rows are copied into a Postgres of its own, with the settings of the local stack: eight
attribution rows an answer, 1,000 accounts of which one in a hundred cannot pay for everything,
one answer in ten with an adapter. Beside the clock it gives CPU seconds of Postgres and of dbt,
which other work on the machine changes less. Prints JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cpu import tree_cpu_s
from benchmarks.epoch_rows import WEIGHTS, EpochRows, load_epoch
from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from distributary.store import migrate
from orchestration.dbt import Built, Dbt

REPORTING = ("rpt_", "dim_", "fct_ledger", "fct_payee", "fct_claims")
REWARDS = ("+fct_leaves",)  # which stand on the lines, and these on all that a root needs
SLOWEST = 8


@contextmanager
def database() -> Iterator[tuple[str, int]]:
    """A Postgres with the schema, on a free port, and its process; it goes with the benchmark."""
    cache = load_settings().cache.expanduser().resolve()
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder), (), cache) as stack:
        stack.start("postgres")
        migrate(stack.settings.postgres)
        yield stack.settings.postgres, stack.pid("postgres")


def reward_seconds(built: Built) -> float:
    """Time of the models that a root needs, reports apart; they hardly overlap."""
    models = [node for node in built.nodes if node.kind == "model"]
    return sum(node.seconds for node in models if not node.name.startswith(("stg_", *REPORTING)))


def measure(run: Callable[[], Built], postgres: int) -> dict[str, Any]:
    """One invocation of dbt on posting 1, as settlement runs it."""
    began, cpu_s, postgres_cpu_s = time.monotonic(), time.process_time(), tree_cpu_s(postgres)
    built = run()
    slowest = sorted(built.nodes, key=lambda node: -node.seconds)[:SLOWEST]
    return {
        "load_average": round(os.getloadavg()[0], 1),
        "seconds": round(time.monotonic() - began, 2),
        "postgres_cpu_s": round(tree_cpu_s(postgres) - postgres_cpu_s, 2),
        "dbt_cpu_s": round(time.process_time() - cpu_s, 2),
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
    with database() as (dsn, postgres), tempfile.TemporaryDirectory() as folder:
        print("Loading rows…", file=sys.stderr)
        began = time.monotonic()
        load_epoch(dsn, EpochRows(given.answers, given.documents))
        load_s = round(time.monotonic() - began, 2)
        dbt = Dbt(dsn, Path(folder), "settlement")
        runs = {
            "first": measure(lambda: dbt.build(1), postgres),
            "again": measure(lambda: dbt.build(1), postgres),
            "reward_models": measure(lambda: dbt.run(1, select=REWARDS), postgres),
        }
    rows = given.answers * len(WEIGHTS)
    counted = {"answers": given.answers, "attribution_rows": rows, "load_s": load_s}
    print(json.dumps(counted | runs))


if __name__ == "__main__":
    main()
