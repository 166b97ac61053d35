"""Topics on a real Kafka: created as stated, read back, checked."""

from dataclasses import replace

import pytest
from confluent_kafka.admin import NewTopic

from distributary.errors import InputError, UnavailableError
from distributary.kafka import (
    admin,
    check_topics,
    create_topics,
    end_offset,
    read_configs,
    topic_ids,
)
from distributary.settings import Settings
from distributary.topics import ACCOUNTS, ANSWERS, REQUESTS, topic_specs
from tests.servers import unique


def test_create_topics__on_an_empty_kafka__has_the_stated_partitions_and_configuration(
    settings: Settings,
) -> None:
    specs = topic_specs(settings)
    configs = read_configs(settings, [spec.name for spec in specs])
    topics = admin(settings).list_topics(timeout=10).topics

    for spec in specs:
        assert len(topics[spec.name].partitions) == spec.partitions
        assert {name: configs[spec.name][name] for name in spec.config} == spec.config
    assert configs[settings.topic_prefix + REQUESTS]["retention.ms"] == str(14 * 86_400_000)
    assert configs[settings.topic_prefix + REQUESTS]["message.timestamp.type"] == "LogAppendTime"
    assert configs[settings.topic_prefix + ACCOUNTS]["cleanup.policy"] == "compact"


def test_create_topics__repeated__creates_nothing_and_finds_nothing_wrong(
    settings: Settings,
) -> None:
    assert create_topics(settings) == []
    assert check_topics(settings) == []


def test_create_topics__one_missing__creates_that_one(kafka: str) -> None:
    given = Settings(kafka=kafka, topic_prefix=unique("some") + ".")
    answers = NewTopic(
        given.topic_prefix + ANSWERS, 4, 1, config={"message.timestamp.type": "LogAppendTime"}
    )
    creating = admin(given)
    creating.create_topics([answers])[answers.topic].result(30)

    assert given.topic_prefix + ANSWERS not in create_topics(given)
    assert len(topic_ids(given, [spec.name for spec in topic_specs(given)])) == 4


def test_create_topics__an_existing_one_with_producers_timestamps__is_refused(kafka: str) -> None:
    given = Settings(kafka=kafka, topic_prefix=unique("wrong") + ".")
    requests = NewTopic(given.topic_prefix + REQUESTS, 4, 1)
    creating = admin(given)
    creating.create_topics([requests])[requests.topic].result(30)

    with pytest.raises(InputError, match=r"message\.timestamp\.type=LogAppendTime") as caught:
        create_topics(given)

    assert caught.value.code == "bad_topic"


def test_check_topics__other_partitions_than_set__says_what_to_set(settings: Settings) -> None:
    problems = check_topics(replace(settings, partitions=5))

    assert len(problems) == 2
    assert all("DISTRIBUTARY_PARTITIONS" in problem for problem in problems)


def test_topic_ids__a_missing_topic__is_named(settings: Settings) -> None:
    with pytest.raises(InputError, match="none-such") as caught:
        topic_ids(settings, ["none-such"])

    assert caught.value.code == "bad_topic"


def test_end_offset__a_missing_topic__is_named(settings: Settings) -> None:
    with pytest.raises(InputError, match="none-such"):
        end_offset(settings, admin(settings), "none-such", 0)


def test_create_topics__no_kafka__says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributary.kafka.ANSWER_TIMEOUT_S", 0.5)
    # Port 9 is discard: nothing listens there.
    with pytest.raises(UnavailableError, match="distributary up"):
        create_topics(Settings(kafka="127.0.0.1:9"))
