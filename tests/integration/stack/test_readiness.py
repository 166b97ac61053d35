"""Topics and tables of real servers, as `doctor` sees them."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from distributary.kafka import create_topics
from distributary.settings import Settings
from distributary.stack.endpoints import Finding
from distributary.stack.readiness import check_readiness
from distributary.store import migrate
from tests.servers import unique


def finding(settings: Settings, endpoint: str) -> Finding:
    (found,) = check_readiness(settings, {endpoint}, lambda _address: [])
    return found


def test_doctor__topics__missing_made_and_other_than_set(kafka: str) -> None:
    settings = Settings(kafka=kafka, topic_prefix=unique("doctor") + ".")
    missing = finding(settings, "kafka")
    assert not missing.ok
    assert settings.topic_prefix in missing.text
    assert "distributary up" in missing.advice

    create_topics(settings)
    assert finding(settings, "kafka") == Finding("topics", True, "4 as they must be")
    assert "DISTRIBUTARY_PARTITIONS" in finding(replace(settings, partitions=5), "kafka").text


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        (None, "no tables of ours"),
        ("0003", "at revision 0003, this version needs"),
        ("head", "the newest"),
    ],
)
def test_doctor__schema__is_held_against_the_newest(
    fresh_database: Callable[[], str], revision: str | None, said: str
) -> None:
    settings = Settings(postgres=fresh_database())
    if revision is not None:
        migrate(settings.postgres, revision)
    found = finding(settings, "postgres")
    assert found.ok == (revision == "head")
    assert said in found.text


def test_doctor__schema_may_not_be_read__is_said(fresh_database: Callable[[], str]) -> None:
    dsn = fresh_database()
    with psycopg.connect(dsn) as connection:
        connection.execute("create table alembic_version (other text)")
    found = finding(Settings(postgres=dsn), "postgres")
    assert (found.ok, found.text) == (False, "UndefinedColumn")
