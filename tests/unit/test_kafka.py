"""Configuration of Kafka's clients and topics, without a Kafka."""

import pytest

from distributary.errors import UnavailableError
from distributary.kafka import config_on, consumer_config, producer_config
from distributary.settings import Settings
from distributary.topics import topic_specs

SETTINGS = Settings(kafka="127.0.0.1:9092")


def test_producer_config__every_producer__waits_for_all_and_repeats_nothing() -> None:
    config = producer_config(SETTINGS, "test")

    assert config["acks"] == "all"
    assert config["enable.idempotence"] is True
    assert config["bootstrap.servers"] == SETTINGS.kafka


def test_consumer_config__every_consumer__neither_commits_nor_guesses_positions() -> None:
    config = consumer_config(SETTINGS, "test", "group")

    assert config["enable.auto.commit"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["group.id"] == "group"


def test_producer_config__no_kafka__says_what_to_do() -> None:
    with pytest.raises(UnavailableError, match="distributary up"):
        producer_config(Settings(), "test")


@pytest.mark.parametrize(
    ("brokers", "replicas", "insync"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 3, 2)]
)
def test_config_on__a_cluster__survives_what_it_can(
    brokers: int, replicas: int, insync: int
) -> None:
    for spec in topic_specs(SETTINGS):
        assert config_on(spec, brokers) == (
            replicas,
            spec.config | {"min.insync.replicas": str(insync)},
        )


def test_topic_specs__a_prefix__stands_before_every_name() -> None:
    names = {spec.name for spec in topic_specs(Settings(topic_prefix="x-"))}

    assert names == {"x-" + spec.name for spec in topic_specs(SETTINGS)}
