"""docs/acls.md names every topic, and gives the right to write answers to one principal."""

import re
from pathlib import Path

from distributary.topics import ACCOUNTS, ANSWERS, DEAD, REQUESTS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "acls.md").read_text()
COMMAND = re.compile(r"^K --add --allow-principal User:(\S+) (.*)--topic (\S+)", re.MULTILINE)


def writers(topic: str) -> list[str]:
    return [who for who, how, on in COMMAND.findall(DOCUMENT) if on == topic and "Write" in how]


def test_acls__commands__name_every_topic() -> None:
    assert {on for _, _, on in COMMAND.findall(DOCUMENT)} == {REQUESTS, ANSWERS, DEAD, ACCOUNTS}


def test_acls__answers_and_dead_letters__are_written_by_the_inference_job_only() -> None:
    assert writers(ANSWERS) == ["inference"]
    assert writers(DEAD) == ["inference"]


def test_acls__account_states__are_written_by_the_publisher_only() -> None:
    assert writers(ACCOUNTS) == ["accounts"]
