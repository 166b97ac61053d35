"""Following accounts.state: what is told when that ends; the consumer is a double."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError

from distributary.errors import UnavailableError
from distributary.inference.accounts_table import AccountsTable
from tests.unit.inference.records_at import PAYER


class Message:
    """A record, or an error in its place."""

    def __init__(self, value: bytes = b"", code: int | None = None) -> None:
        self.value = lambda: value
        self.offset = lambda: 0
        self.error = lambda: None if code is None else KafkaError(code)


Follow = Callable[..., tuple[AccountsTable, list[BaseException]]]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Follows a topic of these messages until all are read or following has ended."""

    def start(*messages: Message) -> tuple[AccountsTable, list[BaseException]]:
        left, over = list(messages), threading.Event()

        def poll(_timeout_s: float) -> Message | None:
            if not left:
                over.set()
                over.wait(0.01)
            return left.pop(0) if left else None

        double = SimpleNamespace(
            poll=poll,
            assign=lambda _: None,
            close=lambda: None,
            position=lambda _: [SimpleNamespace(offset=0)],
            get_watermark_offsets=lambda *_args, **_named: (0, 0),
        )
        monkeypatch.setattr(confluent_kafka, "Consumer", lambda _config: double)
        failures: list[BaseException] = []

        def fail(error: BaseException) -> None:
            failures.append(error)
            over.set()

        table = AccountsTable({}, "accounts.state", fail)
        assert over.wait(10)
        table.close()
        return table, failures

    return start


def test_follow__error_that_stays__tells_that_nothing_is_followed_any_more(follow: Follow) -> None:
    _, failures = follow(Message(code=KafkaError.TOPIC_AUTHORIZATION_FAILED))

    assert [type(error) for error in failures] == [UnavailableError]


def test_follow__error_that_passes__reads_on(follow: Follow) -> None:
    state: Any = PAYER.state()
    table, failures = follow(Message(code=KafkaError._TRANSPORT), Message(state.payload()))

    assert failures == []
    assert list(table.accounts) == [state.account]
