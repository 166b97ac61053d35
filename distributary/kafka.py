"""Kafka at the edge: the topics' creation and check, and the configuration of all clients."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from distributary.errors import DistributaryError, InputError, UnavailableError
from distributary.settings import Settings
from distributary.topics import TopicSpec, topic_specs

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient

ANSWER_TIMEOUT_S: Final = 10.0
# Three copies, two of which must have a record before it is acknowledged: one broker may be lost.
REPLICAS_MAX: Final = 3


def producer_config(settings: Settings, client_id: str) -> dict[str, Any]:
    """Configuration of every producer: a record acknowledged is durable, and stands there once.

    Raises:
        UnavailableError: no Kafka endpoint.
    """
    return {
        "bootstrap.servers": settings.require("kafka"),
        "client.id": client_id,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 2,
        "compression.type": "lz4",
        "message.max.bytes": 4 * settings.request_bytes_max,
        "log_level": 2,
    }


def consumer_config(settings: Settings, client_id: str, group: str) -> dict[str, Any]:
    """Configuration of every consumer: positions are given by `assign`, never guessed or stored.

    A position that Kafka no longer holds is an error, not a silent jump over records.

    Raises:
        UnavailableError: no Kafka endpoint.
    """
    return {
        "bootstrap.servers": settings.require("kafka"),
        "client.id": client_id,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        # Consumers prefetch 64 MB a partition by default.
        "queued.max.messages.kbytes": 16_384,
        "log_level": 2,
    }


def admin(settings: Settings) -> "AdminClient":
    """An admin client.

    Raises:
        UnavailableError: no Kafka endpoint.
    """
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": settings.require("kafka"), "log_level": 2})


def unavailable(settings: Settings, error: Exception) -> UnavailableError:
    """Kafka does not answer, in words."""
    return UnavailableError(
        f"Kafka does not answer at {settings.kafka}: start it with `distributary up`, or check "
        f"DISTRIBUTARY_KAFKA ({_reason(error)})."
    )


def missing(topic: str) -> InputError:
    """A topic is missing, in words."""
    return InputError(
        "A topic is missing: create it with `distributary up`.", value=topic, code="bad_topic"
    )


def passes(error: "KafkaError") -> bool:
    """Whether a consumer's error passes by itself, as one does while Kafka is away."""
    from confluent_kafka import KafkaError

    passing = (KafkaError._PARTITION_EOF, KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)
    return bool(error.retriable()) or error.code() in passing


def _reason(error: Exception) -> str:
    reported: Any = error.args[0] if error.args else None
    return str(reported.name()) if hasattr(reported, "name") else "no reply in time"


def config_on(spec: TopicSpec, brokers: int) -> tuple[int, dict[str, str]]:
    """Replicas and configuration of a topic on a cluster of so many brokers."""
    replicas = min(REPLICAS_MAX, brokers)
    return replicas, spec.config | {"min.insync.replicas": str(max(1, replicas - 1))}


def create_topics(settings: Settings) -> list[str]:
    """Creates the topics that are missing and checks those that were there.

    Safe to repeat, and safe for two at once.

    Returns:
        The names of the topics created.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: an existing one would break an invariant.
        DistributaryError: `topic_not_created`; Kafka's reason is named.
    """
    client = admin(settings)
    known, brokers = _metadata(settings, client)
    specs = topic_specs(settings)
    if problems := _problems(settings, [spec for spec in specs if spec.name in known]):
        raise InputError(" ".join(problems), code="bad_topic")
    new = [spec for spec in specs if spec.name not in known]
    created = _create(client, new, brokers) if new else []
    _await_known(settings, client, {spec.name for spec in new})
    for spec in new:
        for partition in range(spec.partitions):
            end_offset(settings, client, spec.name, partition)
    return created


def _await_known(settings: Settings, client: "AdminClient", names: set[str]) -> None:
    """Waits until the brokers tell of topics that were just created."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while unknown := names - _metadata(settings, client)[0]:
        if time.monotonic() > deadline:
            raise missing(min(unknown))
        time.sleep(0.05)


def _metadata(settings: Settings, client: "AdminClient") -> tuple[set[str], int]:
    """The names of all topics, and how many brokers there are."""
    from confluent_kafka import KafkaException

    try:
        metadata = client.list_topics(timeout=ANSWER_TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return set(metadata.topics), len(metadata.brokers)


def _create(client: "AdminClient", specs: Iterable[TopicSpec], brokers: int) -> list[str]:
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    topics = []
    for spec in specs:
        replicas, config = config_on(spec, brokers)
        topics.append(NewTopic(spec.name, spec.partitions, replicas, config=config))
    created = []
    for name, future in client.create_topics(topics).items():
        try:
            future.result(ANSWER_TIMEOUT_S)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise DistributaryError(
                    f"Kafka did not create topic {name}: {error.args[0].str()}.",
                    code="topic_not_created",
                ) from error
    return created


def _results(settings: Settings, futures: dict[Any, Any]) -> dict[Any, Any]:
    """Waits for the replies of an admin client, by subject.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """
    from confluent_kafka import KafkaError, KafkaException

    results = {}
    for subject, future in futures.items():
        try:
            results[subject] = future.result(ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise unavailable(settings, error) from error
            raise missing(getattr(subject, "name", subject)) from error
        except TimeoutError as error:
            raise unavailable(settings, error) from error
    return results


def read_configs(settings: Settings, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The configuration in force of topics, by name.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """
    from confluent_kafka.admin import (  # type: ignore[attr-defined]
        ConfigResource,
        ResourceType,
    )

    client = admin(settings)
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    found = _results(settings, client.describe_configs(resources)) if resources else {}
    return {
        resource.name: {key: entry.value for key, entry in entries.items()}
        for resource, entries in found.items()
    }


def _describe(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    from confluent_kafka import TopicCollection

    client, wanted = admin(settings), list(names)
    return _results(settings, client.describe_topics(TopicCollection(wanted))) if wanted else {}


def count_partitions(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """How many partitions each topic has.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """
    found = _describe(settings, names)
    return {name: len(topic.partitions) for name, topic in found.items()}


def topic_ids(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """The ids of topics, which tell a re-created topic from the one it replaced.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """
    found = _describe(settings, names)
    return {name: topic_id_text(str(topic.topic_id)) for name, topic in found.items()}


def topic_id_text(base64: str) -> str:
    """A topic id as Kafka's own tools write it, safe in a path: librdkafka writes `/` and `+`."""
    return base64.replace("/", "_").replace("+", "-")


def end_offset(settings: Settings, client: "AdminClient", topic: str, partition: int) -> int:
    """The offset that the next record of a partition will have.

    A partition without a leader, new or moving, is waited for.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: the topic is missing.
    """
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

    place = TopicPartition(topic, partition)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            return int(client.list_offsets({place: latest})[place].result(ANSWER_TIMEOUT_S).offset)
        except (KafkaException, TimeoutError) as error:
            # Asking for all topics also renews what the client believes about leaders.
            if topic not in _metadata(settings, client)[0]:
                raise missing(topic) from error
            if time.monotonic() > deadline:
                raise unavailable(settings, error) from error
            time.sleep(0.05)


# Settings of a topic on which an invariant rests; the others are the operator's business.
_BINDING: Final = ("message.timestamp.type", "cleanup.policy")


def check_topics(settings: Settings) -> list[str]:
    """Says, one sentence each, where an existing topic differs from what the invariants need.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """
    return _problems(settings, topic_specs(settings))


def _problems(settings: Settings, specs: list[TopicSpec]) -> list[str]:
    names = [spec.name for spec in specs]
    configs, partitions = read_configs(settings, names), count_partitions(settings, names)
    problems = []
    for spec in specs:
        if partitions[spec.name] != spec.partitions:
            problems.append(
                f"Topic {spec.name} has {partitions[spec.name]} partitions, not {spec.partitions}: "
                "they are fixed for its life, so set DISTRIBUTARY_PARTITIONS to what it has."
            )
        problems += [
            f"Topic {spec.name} needs {name}={spec.config[name]}, not {configs[spec.name][name]}."
            for name in _BINDING
            if configs[spec.name][name] != spec.config[name]
        ]
    return problems
