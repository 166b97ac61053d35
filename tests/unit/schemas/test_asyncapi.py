"""docs/asyncapi.yaml and the code agree: topics, headers, schemas, retention, partitions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from distributary import schemas
from distributary.events import NAME_CHARACTERS_MAX, Event, dataschema, write_headers
from distributary.settings import Settings
from distributary.topics import ACCOUNTS, ANSWERS, DEAD, REQUESTS, TopicSpec, topic_specs

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
CHANNELS = {channel["address"]: channel for channel in DOCUMENT["channels"].values()}
MESSAGES = DOCUMENT["components"]["messages"]
SPECS = {spec.name: spec for spec in topic_specs(Settings())}
# How each setting of a topic is written in Kafka's own configuration.
WRITTEN = {"cleanup.policy": lambda policies: ",".join(policies)}


def resolve(reference: str) -> Any:
    found = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [v for k, v in node.items() if k == "$ref"] + [
            r for v in node.values() for r in references(v)
        ]
    return [r for v in node for r in references(v)] if isinstance(node, list) else []


def test_asyncapi__version_and_topics__are_those_of_the_code() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert CHANNELS.keys() == SPECS.keys() == {REQUESTS, ANSWERS, DEAD, ACCOUNTS}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_asyncapi__a_channel__has_the_topics_partitions_and_configuration(spec: TopicSpec) -> None:
    kafka = CHANNELS[spec.name]["bindings"]["kafka"]
    documented = kafka["topicConfiguration"] | kafka["x-topicConfiguration"]
    # How many replicas must have a record depends on the cluster; see docs/acls.md.
    given = {k: v for k, v in spec.config.items() if k != "min.insync.replicas"}

    assert kafka["topic"] == spec.name
    assert kafka["partitions"] == spec.partitions
    assert {k: WRITTEN.get(k, str)(v) for k, v in documented.items()} == given


def test_asyncapi__messages__are_the_event_types_with_their_schema_files() -> None:
    documented = {
        message["name"]: message["payload"]["schema"]["$ref"] for message in MESSAGES.values()
    }

    assert documented == {t: f"../distributary/schemas/{f}" for t, f in schemas.FILES.items()}
    assert all((DOCS / reference).resolve().exists() for reference in documented.values())
    for name in documented:
        assert schemas.load_schema(name)["$id"] == dataschema(name)


def test_asyncapi__headers__are_those_written() -> None:
    headers = DOCUMENT["components"]["schemas"]["headers"]
    event = Event("1", "s", MESSAGES["answer"]["name"], "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    written = write_headers(event, "subject", 1_790_000_000_000)

    assert {name for name, _ in written} == headers["properties"].keys()
    for name in ("ce_id", "ce_source"):
        assert headers["properties"][name]["maxLength"] == NAME_CHARACTERS_MAX
    assert all(m["headers"]["$ref"] == "#/components/schemas/headers" for m in MESSAGES.values())


def test_asyncapi__internal_references__all_lead_somewhere() -> None:
    internal = [r for r in references(DOCUMENT) if r.startswith("#/")]

    assert len(internal) > 20
    for reference in internal:
        assert resolve(reference)


def test_asyncapi__operations__send_answers_from_one_place_only() -> None:
    senders = [
        operation["summary"]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "send"
        and resolve(operation["channel"]["$ref"])["address"] == ANSWERS
    ]

    assert senders == ["The inference job, and nobody else."]
