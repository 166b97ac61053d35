"""Logs are one JSON object per line on stderr."""

import json
import logging
from collections.abc import Iterator

import pytest

from distributary.logs import configure_logs


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_configure_logs__dicts_text_and_exceptions__are_json_lines(
    root_logger: None, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("INFO")
    log = logging.getLogger("test")
    log.debug("not shown")
    log.info({"msg": "answered\nhere", "identity": ("a", "b"), "error": ValueError("x")})
    log.warning("plain %s", "text")
    try:
        raise KeyError("lost")
    except KeyError:
        log.exception({"msg": "failed"})

    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["msg"] for line in lines] == ["answered\nhere", "plain text", "failed"]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0]["at"].endswith("Z")
    assert "KeyError: 'lost'" in lines[2]["exception"]
