"""Accounts on a real Postgres and Kafka: rows, delegations verified, one publisher."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from distributary import enrolment, keys
from distributary.accounts import AccountState, delegation_is_valid, read_account, sign_delegation
from distributary.errors import InputError, UnavailableError
from distributary.events import ACCOUNT_TYPE, read_event
from distributary.kafka import consumer_config
from distributary.publisher import Publisher, publish_accounts, publish_forever
from distributary.settings import Settings
from distributary.store import connect
from distributary.store.accounts import (
    add_account,
    add_delegation,
    open_registry,
    read_accounts,
)
from distributary.topics import ACCOUNTS, ANSWERS

OTHER = "0x" + "b" * 40
WAIT_S = 60.0


def published(settings: Settings) -> list[AccountState]:
    """Every record of accounts.state, in order."""
    topic = settings.topic_prefix + ACCOUNTS
    consumer = Consumer(consumer_config(settings, "test", "test") | {"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    states = []
    deadline = time.monotonic() + WAIT_S
    while (message := consumer.poll(0.1)) is None or not message.error():
        assert time.monotonic() < deadline
        if message is not None:
            state = read_account(message.value() or b"")
            assert message.key() == state.account.encode()
            assert read_event(message.headers()).type == ACCOUNT_TYPE  # type: ignore[arg-type]
            states.append(state)
    consumer.close()
    return states


def test_create_account__with_credit__is_published_ready_to_sign(registered: Settings) -> None:
    made = enrolment.create_account(registered, "payer", 10**18)
    session = keys.load_session_key(registered.home, "payer")

    (state,) = published(registered)

    assert state.account == made.address
    assert (state.version, state.credit_units, state.credit_source) == (1, 10**18, "grant")
    assert not state.frozen
    assert state.may_sign(session.key, int(time.time()))
    assert delegation_is_valid(registered.domain, made.address, state.delegations[0])


def test_create_account__a_name_taken__changes_nothing(registered: Settings) -> None:
    enrolment.create_account(registered, "payer", 5)

    with pytest.raises(InputError) as caught:
        enrolment.create_account(registered, "payer", 5)

    assert caught.value.code == "key_exists"
    assert len(published(registered)) == 1


def test_create_account__failed_half_way__is_finished_with_the_same_address_and_credit_once(
    registered: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("Kafka is away.")

    with monkeypatch.context() as broken:
        broken.setattr("distributary.enrolment.publish_accounts", away)
        with pytest.raises(UnavailableError):
            enrolment.create_account(registered, "payer", 5)
    begun = keys.load_account_key(registered.home, "payer")

    finished = enrolment.create_account(registered, "payer", 5)

    assert finished == begun
    assert [s.credit_units for s in published(registered)] == [5]


def test_authorize__a_second_key__stands_beside_the_first(registered: Settings) -> None:
    enrolment.create_account(registered, "payer")
    first = keys.load_session_key(registered.home, "payer")

    second = enrolment.authorize(registered, "payer", 1_000)

    state = published(registered)[-1]
    assert keys.load_session_key(registered.home, "payer") == second
    assert {d.key for d in state.delegations} == {first.key, second.key}
    assert state.version == 2


def test_add_delegation__not_signed_by_the_account__is_refused(registered: Settings) -> None:
    domain = registered.domain
    forged = sign_delegation(domain, "0x" + "7" * 64, "c" * 64, 2**40)
    with open_registry(registered) as connection:
        add_account(connection, OTHER)

    with (
        pytest.raises(InputError) as caught,
        open_registry(registered) as connection,
    ):
        add_delegation(connection, domain, OTHER, forged)

    assert caught.value.code == "bad_delegation"


@pytest.mark.parametrize(
    "change", [{"key": "d" * 64}, {"expires_at": 5}, {"signature": "0x" + "0" * 130}]
)
def test_add_delegation__changed_after_it_was_signed__is_refused(
    registered: Settings, change: dict[str, object]
) -> None:
    made = enrolment.create_account(registered, "payer")
    domain = registered.domain
    signed = sign_delegation(domain, made.private_key, "c" * 64, 2**40)

    with (
        pytest.raises(InputError) as caught,
        open_registry(registered) as connection,
    ):
        add_delegation(connection, domain, made.address, replace(signed, **change))  # type: ignore[arg-type]

    assert caught.value.code == "bad_delegation"


def test_grant__twice__adds_up_exactly(registered: Settings) -> None:
    made = enrolment.create_account(registered, "payer", 2**127)

    enrolment.grant(registered, made.address, 2**127 + 1, "trial")

    assert published(registered)[-1].credit_units == 2**128 + 1


def test_grant__to_nobody__is_refused(registered: Settings) -> None:
    with pytest.raises(InputError) as caught:
        enrolment.grant(registered, OTHER, 5)

    assert caught.value.code == "unknown_account"


def test_erase__an_account__freezes_it_and_ends_its_keys(registered: Settings) -> None:
    made = enrolment.create_account(registered, "payer", 5)

    enrolment.erase(registered, made.address)

    state = published(registered)[-1]
    assert state.frozen
    assert state.delegations == ()
    with pytest.raises(InputError) as caught:
        enrolment.authorize(registered, "payer")
    assert caught.value.code == "account_erased"
    assert enrolment.erase(registered, made.address) == 0


@pytest.mark.parametrize("table", ["accounts", "delegations", "grants", "erasures"])
@pytest.mark.parametrize("change", ["delete from {}", "update {} set account = account"])
def test_registry__a_row_once_written__is_never_changed(
    registered: Settings, table: str, change: str
) -> None:
    made = enrolment.create_account(registered, "payer", 5)
    enrolment.erase(registered, made.address)

    with (
        pytest.raises(psycopg.errors.RaiseException, match="never changed"),
        connect(registered.postgres) as connection,
    ):
        connection.execute(change.format(table))


def test_publish__nothing_changed__publishes_nothing(registered: Settings) -> None:
    enrolment.create_account(registered, "payer", 5)

    assert publish_accounts(registered) == []
    assert len(published(registered)) == 1


def _charge(settings: Settings, publisher: Publisher, account: str, units: int) -> None:
    with connect(settings.postgres) as connection:
        connection.execute(
            "insert into topics (topic_id, name) values (%s, %s) on conflict do nothing",
            [publisher.answers_id, ANSWERS],
        )
        connection.execute(
            "insert into account_charge_sums select %s, topic, 1, %s from topics", [account, units]
        )
        connection.execute(
            "insert into consumed (topic, partition, generation, first_offset, next_offset) "
            "select topic, p, 1, 0, p * 10 from topics, (values (1), (3)) as given (p)"
        )


def test_publish__charges_recorded__lowers_credit_and_names_the_offsets_counted(
    registered: Settings,
) -> None:
    made = enrolment.create_account(registered, "payer", 100)
    enrolment.create_account(registered, "idle", 100)
    publisher = Publisher(registered)
    _charge(registered, publisher, made.address, 30)

    with connect(registered.postgres, autocommit=True) as connection:
        (state,) = publisher.publish(connection)

    assert state.account == made.address
    assert state.credit_units == 70
    assert state.answers == (0, 10, 0, 30)
    assert published(registered)[-1] == state


def test_publish__a_crash_before_the_acknowledgement__is_made_good_by_the_next_round(
    registered: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = enrolment.create_account(registered, "payer", 5)

    def away(*_: object) -> None:
        raise UnavailableError("Kafka is away.")

    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "_produce", away)
        with pytest.raises(UnavailableError):
            enrolment.grant(registered, made.address, 7)

    (state,) = publish_accounts(registered)

    assert state.credit_units == 12
    assert [s.version for s in published(registered)] == [1, 3]


def test_publish__another_publisher_went_first__is_published_once_more(
    registered: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = enrolment.create_account(registered, "payer", 5)
    honest = Publisher._produce

    def overtaken(self: Publisher, states: list[AccountState]) -> None:
        with connect(registered.postgres) as other:
            other.execute("update account_publications set version = version + 1, digest = 'x'")
        honest(self, states)

    with monkeypatch.context() as raced:
        raced.setattr(Publisher, "_produce", overtaken)
        enrolment.grant(registered, made.address, 7)

    assert [s.version for s in publish_accounts(registered)] == [4]
    assert [s.version for s in published(registered)] == [1, 2, 4]


def test_publish__many_at_once__never_gives_a_version_twice(registered: Settings) -> None:
    made = enrolment.create_account(registered, "payer", 5)
    failures: list[BaseException] = []

    def give() -> None:
        try:
            for _ in range(3):
                enrolment.grant(registered, made.address, 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=give) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    states = published(registered)
    assert failures == []
    assert [s.version for s in states] == sorted({s.version for s in states})
    assert states[-1].credit_units == 5 + 12


def test_publish_forever__rows_written_by_others__are_published_until_stopped(
    registered: Settings,
) -> None:
    made = enrolment.create_account(registered, "payer", 100)
    stop = threading.Event()
    loop = threading.Thread(target=publish_forever, args=(registered, stop, 0.05))
    loop.start()
    _charge(registered, Publisher(registered), made.address, 30)

    def lowered() -> bool:
        return published(registered)[-1].credit_units == 70

    deadline = time.monotonic() + WAIT_S
    while not lowered() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    loop.join(WAIT_S)

    assert lowered()
    assert not loop.is_alive()


def test_open_registry__an_empty_database__says_what_to_do(
    settings: Settings, fresh_database: Callable[[], str]
) -> None:
    empty = replace(settings, postgres=fresh_database())

    with pytest.raises(UnavailableError, match="distributary up"):
        enrolment.create_account(empty, "payer")


def test_read_accounts__all__are_in_the_order_of_their_addresses(registered: Settings) -> None:
    addresses = [enrolment.create_account(registered, f"payer-{n}").address for n in range(3)]

    with open_registry(registered) as connection:
        rows = read_accounts(connection)

    assert [row.account for row in rows] == sorted(addresses)
    assert json.dumps([row.version for row in rows]) == "[1, 1, 1]"
