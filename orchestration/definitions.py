"""The schedule: an epoch from its close to its root, as Dagster shows and starts it.

Thin by design: each asset calls what `distributary settle` calls, and Postgres alone remembers
where things stand. `dagster dev` loads this module.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from distributary.settings import load_settings
from distributary.store import connect
from orchestration import running
from orchestration.closing import close_epoch
from orchestration.settlement.stops import StopError
from orchestration.watching import STUCK_S, indexer_lag, stuck_states

EPOCH_CRON: Final = "0 * * * *"
SENSOR_INTERVAL_S: Final = 60
HELD_BY_GATE: Final = frozenset(("gate_failed", "epoch_held", "roots_differ", "rewards_failed"))

requests_topic = dg.AssetSpec("requests", group_name="stream", kinds={"kafka"})
answers_topic = dg.AssetSpec("answers", deps=["requests"], group_name="stream", kinds={"kafka"})
recorded_answers = dg.AssetSpec(
    "recorded_answers",
    deps=["answers"],
    group_name="stream",
    kinds={"parquet", "postgres"},
    description="What the attribution job committed: events in Postgres, rows in Parquet.",
)
indexed_chain = dg.AssetSpec("indexed_chain", group_name="chain", kinds={"postgres"})


@dg.asset(deps=[recorded_answers, indexed_chain], group_name="settlement", kinds={"parquet"})
def closed_epoch() -> dg.MaterializeResult[None]:
    """The open epoch, closed: its answers manifest is fixed."""
    settings = load_settings()
    running.index_to_head(settings)
    closed = close_epoch(settings)
    return dg.MaterializeResult(
        metadata={"epoch": closed.epoch, "answers_manifest": str(closed.manifest_hash)}
    )


@dg.asset(deps=[closed_epoch], group_name="settlement", kinds={"ethereum"})
def committed_epochs() -> dg.MaterializeResult[None]:
    """Answers manifests of closed epochs, committed on the chain; owners, bound there."""
    with running.open_settlement(load_settings()) as settlement:
        settlement.begin()
        settlement.commit_epochs()
        settlement.bind_owners()
        report = settlement.report
    return dg.MaterializeResult(
        metadata={"epochs": report.committed, "bound": report.bound, "refused": report.refused}
    )


@dg.asset(
    deps=[committed_epochs],
    group_name="settlement",
    kinds={"dbt", "parquet"},
    check_specs=[dg.AssetCheckSpec("gate", asset="computed_posting", blocking=True)],
)
def computed_posting() -> Iterator[Any]:
    """Lines, leaves and root by dbt and by the reference; the gate stops what comes after."""
    with running.open_settlement(load_settings()) as settlement:
        settlement.begin()
        try:
            posting = settlement.compute()
        except StopError as stop:
            if stop.code not in HELD_BY_GATE:
                raise
            yield dg.MaterializeResult(
                check_results=[dg.AssetCheckResult(passed=False, metadata={"stop": str(stop)})]
            )
            return
    number = posting.posting_id if posting else 0
    yield dg.MaterializeResult(
        metadata={"posting": number}, check_results=[dg.AssetCheckResult(passed=True)]
    )


@dg.asset(deps=[computed_posting], group_name="settlement", kinds={"ethereum"})
def active_root() -> dg.MaterializeResult[None]:
    """The root on the chain: posted, waited for, activated, read back."""
    with running.open_settlement(load_settings()) as settlement:
        settlement.begin()
        settlement.finish()
        report = settlement.report
    waiting = {name: str(value) for name, value in report.waiting.items()}
    return dg.MaterializeResult(metadata={"active": report.active, "waiting": waiting})


@dg.asset(deps=[active_root, indexed_chain], group_name="settlement", kinds={"postgres"})
def reconciliation() -> dg.MaterializeResult[None]:
    """The ledger against the chain; fails where they differ."""
    settings = load_settings()
    with connect(settings.require("postgres"), autocommit=True) as connection:
        running.reconcile(settings, connection)
    return dg.MaterializeResult(metadata={"differing": 0})


settle_epoch = dg.define_asset_job(
    "settle_epoch", selection=dg.AssetSelection.groups("settlement"), tags={"epoch": "one"}
)
resume_settlement = dg.define_asset_job(
    "resume_settlement",
    selection=dg.AssetSelection.assets(
        committed_epochs, computed_posting, active_root, reconciliation
    ),
)


@dg.op
def index_chain() -> None:
    """Indexes up to the head, where no indexer is at work."""
    running.index_to_head(load_settings())


@dg.job
def catch_up_chain() -> None:
    """What the sensor of the indexer's lag starts."""
    index_chain()


every_epoch = dg.ScheduleDefinition(
    name="every_epoch", job=settle_epoch, cron_schedule=EPOCH_CRON, execution_timezone="UTC"
)


@dg.sensor(job=catch_up_chain, minimum_interval_seconds=SENSOR_INTERVAL_S)
def indexer_is_behind() -> dg.RunRequest | dg.SkipReason:
    """Starts the indexer where it is behind, so that epochs can be cut and pinned."""
    with connect(load_settings().require("postgres"), autocommit=True) as connection:
        lag = indexer_lag(connection, int(time.time()))
    if lag is None:
        return dg.SkipReason("The chain is indexed.")
    return dg.RunRequest(run_key=f"lag-{lag}")


@dg.sensor(job=resume_settlement, minimum_interval_seconds=SENSOR_INTERVAL_S)
def settlement_is_stuck() -> dg.RunRequest | dg.SkipReason:
    """Goes on with what has waited too long: a nonce in flight, a root that may be active."""
    with connect(load_settings().require("postgres"), autocommit=True) as connection:
        stuck = stuck_states(connection)
    if not stuck:
        return dg.SkipReason("Nothing waits.")
    # A run key runs once, and what is stuck may stay so: with the time in it, it is tried again.
    turn = int(time.time()) // STUCK_S
    return dg.RunRequest(run_key=f"{turn}: {'; '.join(stuck)}", tags={"stuck": stuck[0][:60]})


defs = dg.Definitions(
    assets=[
        *(requests_topic, answers_topic, recorded_answers, indexed_chain),
        *(closed_epoch, committed_epochs, computed_posting, active_root, reconciliation),
    ],
    jobs=[settle_epoch, resume_settlement, catch_up_chain],
    schedules=[every_epoch],
    sensors=[indexer_is_behind, settlement_is_stuck],
)
