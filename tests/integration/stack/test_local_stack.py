"""The local servers keep their data and their ports when they are killed."""

from collections.abc import Callable

import psycopg
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from distributary.stack.anvil import ask
from distributary.stack.local import LocalStack
from distributary.stack.process import wait_until

OwnStack = Callable[..., LocalStack]


def test_kafka__killed_after_an_acknowledged_record__record_is_there_on_the_same_port(
    own_stack: OwnStack,
) -> None:
    stack = own_stack("kafka")
    servers = stack.settings.kafka
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic("kept", 1)])["kept"].result(30)
    producer = Producer({"bootstrap.servers": servers, "acks": "all"})
    producer.produce("kept", b"a record")
    assert producer.flush(30) == 0

    stack.kill("kafka")
    stack.start("kafka")

    assert stack.settings.kafka == servers
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"a record"


def test_postgres__stopped_immediately_after_a_commit__row_is_there(own_stack: OwnStack) -> None:
    stack = own_stack("postgres")
    uri = stack.settings.postgres
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")

    stack.stop("postgres", immediate=True)
    stack.start("postgres")

    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_valkey__killed__comes_back_empty_on_the_same_port(own_stack: OwnStack) -> None:
    stack = own_stack("valkey")
    with redis.Redis.from_url(stack.settings.valkey) as client:
        client.set("lease", "held")

        stack.kill("valkey")
        stack.start("valkey")

        assert client.get("lease") is None


def test_anvil__stopped_and_started__has_its_blocks_on_the_same_port(own_stack: OwnStack) -> None:
    stack = own_stack("anvil")
    url = stack.settings.chain
    accounts = ask(url, "eth_accounts")
    sent = ask(url, "eth_sendTransaction", {"from": accounts[0], "to": accounts[1], "value": "0x1"})
    assert wait_until(lambda: ask(url, "eth_getTransactionReceipt", sent) is not None, 30)
    mined = ask(url, "eth_getTransactionReceipt", sent)["blockHash"]

    stack.stop("anvil")
    stack.start("anvil")

    assert stack.settings.chain == url
    assert ask(url, "eth_getTransactionReceipt", sent)["blockHash"] == mined


def test_anvil__blocks_go_by__finalized_follows_the_head(own_stack: OwnStack) -> None:
    url = own_stack("anvil").settings.chain

    def finalized() -> int:
        return int(ask(url, "eth_getBlockByNumber", "finalized", False)["number"], 16)

    assert wait_until(lambda: finalized() > 0, 30)
