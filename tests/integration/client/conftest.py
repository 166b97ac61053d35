"""Topics of a test's own on the session's Kafka, a database of its own, and a client."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributary.client import Client
from distributary.kafka import create_topics
from distributary.keys import new_session_key
from distributary.settings import Settings
from distributary.store import migrate
from tests.integration.client.responder import Responder, responding
from tests.servers import unique

PAYER = "0x" + "a" * 40
ENDLESS = 2**40


@pytest.fixture
def settings(kafka: str, tmp_path: Path) -> Settings:
    """Settings of an installation with topics of its own."""
    given = Settings(home=tmp_path / "home", kafka=kafka, topic_prefix=unique("client") + ".")
    create_topics(given)
    return given


@pytest.fixture
def registered(settings: Settings, fresh_database: Callable[[], str]) -> Settings:
    """The same with an empty database."""
    given = replace(settings, postgres=fresh_database())
    migrate(given.postgres)
    return given


@pytest.fixture
def responder(settings: Settings) -> Iterator[Responder]:
    """A double of the inference job."""
    with responding(settings) as double:
        yield double


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """A client of an account that the double does not ask after."""
    with Client(settings, new_session_key(PAYER, ENDLESS)) as made:
        yield made
