"""Structured logs: one JSON object per line on stderr; a message is a dict, never an f-string."""

import json
import logging
import sys
from typing import Any


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        message = record.msg if isinstance(record.msg, dict) else {"msg": record.getMessage()}
        fields |= message
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)


def configure_logs(level: str) -> None:
    """Sends all logs of this process to stderr as JSON lines, times in UTC."""
    import time

    formatter = _JsonFormatter()
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Beam logs every bundle and every worker state change at INFO.
    logging.getLogger("apache_beam").setLevel(max(logging.WARNING, logging.getLevelName(level)))
