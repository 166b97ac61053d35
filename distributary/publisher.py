"""The one publisher of `accounts.state`: composes whole records from Postgres.

Everybody else writes rows, then asks for a round. Rounds exclude one another by an advisory lock,
so a version is never published twice and records stand in the topic in their order.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from distributary.accounts import AccountState
from distributary.canonical import canonical_hash
from distributary.errors import UnavailableError
from distributary.events import ACCOUNT_TYPE, Event, to_record
from distributary.kafka import producer_config, topic_ids
from distributary.settings import Settings
from distributary.store.accounts import (
    Registry,
    answer_offsets,
    compose,
    open_registry,
    read_accounts,
)
from distributary.topics import ACCOUNTS, ANSWERS

log = logging.getLogger(__name__)

PUBLISHER_LOCK = 7_310_004  # docs/reference.md lists all advisory locks; a test holds them apart
LOCK_WAIT_MS_MAX = 30_000
DELIVERY_S_MAX = 30.0
BATCH_MAX = 10_000  # the producer's queue holds 100,000
SOURCE = "urn:distributary:accounts"


def digest_of(state: AccountState) -> str:
    """What makes a state worth a new record: all but its version and the answers counted.

    The answers of others move those offsets, and an account whose credit is the same has had no
    charge among them.
    """
    return canonical_hash(
        [
            state.account,
            str(state.credit_units),
            state.credit_source,
            state.frozen,
            [vars(delegation) for delegation in state.delegations],
        ]
    )


class Publisher:
    """Publishes rounds on one Kafka producer.

    Args:
        settings: endpoints and retention.
        clock: Unix seconds.

    Raises:
        UnavailableError: Kafka does not answer.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        from confluent_kafka import Producer

        self._settings, self._clock = settings, clock
        answers = settings.topic_prefix + ANSWERS
        self.answers_id = topic_ids(settings, [answers])[answers]
        self._producer = Producer(producer_config(settings, "distributary-accounts"))

    def publish(
        self, connection: Registry, accounts: Sequence[str] | None = None
    ) -> list[AccountState]:
        """Publishes the accounts, by default all, whose record has changed.

        1. Take the lock. 2. Compose in one snapshot. 3. Store the new versions. 4. Publish, and
        wait for the acknowledgement. 5. Store what was published. A crash between two steps
        leaves versions unused, and the next round publishes.

        Args:
            connection: in autocommit mode.
            accounts: addresses.

        Returns:
            The states published.

        Raises:
            UnavailableError: Kafka does not acknowledge, or another publisher holds the lock.
        """
        self._lock(connection)
        try:
            changed = self._compose(connection, accounts)
            _reserve(connection, changed)
            self._produce(changed)
            _confirm(connection, changed)
        finally:
            if not connection.broken:
                connection.execute("select pg_advisory_unlock(%s)", [PUBLISHER_LOCK])
        return changed

    def _lock(self, connection: Registry) -> None:
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = {LOCK_WAIT_MS_MAX}")
                connection.execute("select pg_advisory_lock(%s)", [PUBLISHER_LOCK])
        except psycopg.errors.LockNotAvailable as error:
            raise UnavailableError("Another publisher of accounts does not finish.") from error

    def _compose(self, connection: Registry, accounts: Sequence[str] | None) -> list[AccountState]:
        now_s = int(self._clock())
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            rows = read_accounts(connection, accounts)
            answers = answer_offsets(connection, self.answers_id)
        states = [(row, compose(row, answers, now_s, self._settings.retention_s)) for row in rows]
        return [state for row, state in states if digest_of(state) != row.digest]

    def _produce(self, states: Sequence[AccountState]) -> None:
        failed: list[Any] = []
        for first in range(0, len(states), BATCH_MAX):
            for state in states[first : first + BATCH_MAX]:
                self._produce_one(state, failed)
            left = self._producer.flush(DELIVERY_S_MAX)
            if left or failed:
                self._producer.purge()
                raise UnavailableError(
                    f"Kafka did not acknowledge {left + len(failed)} account records: the next "
                    "round publishes them again."
                )

    def _produce_one(self, state: AccountState, failed: list[Any]) -> None:
        headers, value = to_record(
            Event(f"{state.account}/{state.version}", SOURCE, ACCOUNT_TYPE, ""),
            state.account,
            datetime.fromtimestamp(self._clock(), UTC),
            state.payload(),
        )
        self._producer.produce(
            self._settings.topic_prefix + ACCOUNTS,
            key=state.account,
            value=value,
            headers=headers,  # type: ignore[arg-type]
            on_delivery=lambda error, _message: failed.append(error) if error else None,
        )


def _reserve(connection: Registry, states: Sequence[AccountState]) -> None:
    """Makes the versions ours; no digest stands for them yet."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into account_publications (account, version) values (%s, %s) "
            "on conflict (account) do update set version = excluded.version, digest = null",
            [(state.account, state.version) for state in states],
        )


def _confirm(connection: Registry, states: Sequence[AccountState]) -> None:
    """Notes what stands in the topic.

    Where another publisher took our place meanwhile (a lost connection frees the lock), an older
    record may stand behind a newer one: the account is published once more.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "update account_publications set digest = case when version = %s then %s end "
            "where account = %s",
            [(state.version, digest_of(state), state.account) for state in states],
        )


def publish_accounts(
    settings: Settings, accounts: Sequence[str] | None = None
) -> list[AccountState]:
    """One round, for a command that has written rows.

    Raises:
        UnavailableError: Kafka or Postgres does not answer.
    """
    with open_registry(settings, autocommit=True) as connection:
        return Publisher(settings).publish(connection, accounts)


def publish_forever(
    settings: Settings,
    stop: threading.Event,
    interval_s: float,
    on_round: Callable[[Sequence[AccountState]], None] = lambda _published: None,
) -> None:
    """Publishes every account whose record has changed, until `stop` is set.

    Runs beside the attribution job. A server that is away is waited for: credit that is published
    late stops no answer.

    Args:
        settings: endpoints.
        stop: ends the loop after the round under way.
        interval_s: pause between rounds, seconds.
        on_round: called after each round that ended well, with what it published.

    Raises:
        InputError: `bad_topic`: waiting would mend nothing.
    """
    while not stop.is_set():
        try:
            with open_registry(settings, autocommit=True) as connection:
                publisher = Publisher(settings)
                while not stop.wait(interval_s):
                    published = publisher.publish(connection)
                    for state in published:
                        log.info({"msg": "account published", "account": state.account})
                    on_round(published)
        except UnavailableError as error:
            log.warning({"msg": "accounts are not published", "error": str(error)})
            stop.wait(interval_s)
