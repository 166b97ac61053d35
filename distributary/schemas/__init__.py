"""The JSON Schemas (draft 2020-12) of the payloads, one file per event type."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from distributary import events

FOLDER = Path(__file__).parent
FILES = {
    events.REQUEST_TYPE: "inference.request.v1.json",
    events.ANSWER_TYPE: "inference.answer.v1.json",
    events.DEAD_TYPE: "inference.dead.v1.json",
    events.ACCOUNT_TYPE: "accounts.state.v1.json",
}


@cache
def load_schema(event_type: str) -> dict[str, Any]:
    """The schema of the payload of events of `event_type`, one of `FILES`."""
    schema: dict[str, Any] = json.loads((FOLDER / FILES[event_type]).read_text())
    return schema
