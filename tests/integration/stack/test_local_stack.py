"""The local servers keep their data and their ports when they are killed."""

from collections.abc import Callable

import psycopg
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from distributary.stack.local import LocalStack

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
