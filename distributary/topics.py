"""The topics: names, and the configuration that the invariants rest on."""

from dataclasses import dataclass

from distributary.settings import DAY_S, Settings

REQUESTS = "inference.requests"
ANSWERS = "inference.answers"
DEAD = "inference.dead"
ACCOUNTS = "accounts.state"


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it is created: partitions never change, since answers are placed by them."""

    name: str
    partitions: int
    config: dict[str, str]


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """The four topics; the setting `topic_prefix` keeps installations on one Kafka apart.

    `LogAppendTime` makes the admission instant the broker's, so that no producer chooses the
    price he pays. Dead letters are kept longer than requests: a person looks at them.
    """
    prefix = settings.topic_prefix
    stream = {
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "1",
        "retention.ms": str(settings.retention_s * 1000),
        "cleanup.policy": "delete",
        "max.message.bytes": str(4 * settings.request_bytes_max),
    }
    dead = stream | {"retention.ms": str(90 * DAY_S * 1000)}
    state = stream | {"cleanup.policy": "compact"}
    del state["retention.ms"]
    return [
        TopicSpec(prefix + REQUESTS, settings.partitions, stream),
        TopicSpec(prefix + ANSWERS, settings.partitions, stream),
        TopicSpec(prefix + DEAD, 1, dead),
        TopicSpec(prefix + ACCOUNTS, 1, state),
    ]
