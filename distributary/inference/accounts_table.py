"""The inference job's copy of `accounts.state`: a thread follows the compacted topic."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from distributary.accounts import AccountState, read_account
from distributary.errors import InputError, UnavailableError
from distributary.kafka import passes

log = logging.getLogger(__name__)

POLL_S = 0.5
LOAD_S_MAX = 60.0
# A request may overtake its account's record by the time a broker takes to deliver one; whoever
# must wait longer is not unknown but unread, and the job starts anew.
REFRESH_S_MAX = 30.0


class AccountsTable:
    """Accounts by address, as of the newest record read; reads are safe from any thread.

    Args:
        config: of its two consumers.
        topic: accounts.state.
        fail: called, on the following thread, when the topic can be followed no more: credit and
            freezes would stay as they are without anybody noticing.
    """

    def __init__(
        self, config: dict[str, Any], topic: str, fail: Callable[[BaseException], object]
    ) -> None:
        from confluent_kafka import Consumer, TopicPartition

        self.accounts: dict[str, AccountState] = {}
        self._partition = TopicPartition(topic, 0)
        self._position = 0
        self._closed = threading.Event()
        self._failure: BaseException | None = None
        self._fail = fail
        self._consumer = Consumer(config)
        # A call into a consumer waits for its poll to end, and a loop of polls starves it.
        self._asking = Consumer(config)
        low, _high = self._watermarks()
        self._position = low
        self._consumer.assign([TopicPartition(topic, 0, low)])
        self._thread = threading.Thread(target=self._follow, name="accounts", daemon=True)
        self._thread.start()

    def _watermarks(self) -> tuple[int, int]:
        low, high = self._asking.get_watermark_offsets(self._partition, timeout=LOAD_S_MAX)
        return int(low), int(high)

    def _follow(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._failure = error
            self._fail(error)

    def _read(self) -> None:
        while not self._closed.is_set():
            message = self._consumer.poll(POLL_S)
            if message is None:
                self._skip_to_position()
            elif (error := message.error()) is not None:
                if not passes(error):
                    raise UnavailableError(f"accounts.state cannot be read: {error.str()}.")
                log.warning({"msg": "accounts.state cannot be read now", "error": error.str()})
            else:
                self._apply(message.value())
                self._position = int(message.offset() or 0) + 1

    def _skip_to_position(self) -> None:
        """Passes offsets that compaction removed, where there is no message to tell it."""
        (at,) = self._consumer.position([self._partition])
        self._position = max(self._position, at.offset)

    def _apply(self, payload: bytes | None) -> None:
        try:
            state = read_account(payload or b"")
        except InputError as error:
            log.error({"msg": "unreadable account record skipped", "error": error})
            return
        known = self.accounts.get(state.account)
        if known is None or known.version < state.version:
            self.accounts[state.account] = state

    def refresh(self, timeout_s: float = REFRESH_S_MAX) -> bool:
        """Waits until every record that is in the topic now has been read.

        Returns:
            Whether that came about within `timeout_s`.

        Raises:
            UnavailableError: nothing follows the topic any more.
        """
        deadline = time.monotonic() + timeout_s
        _low, high = self._watermarks()
        while self._position < high:
            if self._failure is not None:
                raise UnavailableError(f"accounts.state is not followed: {self._failure!r}.")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def load(self) -> None:
        """Waits for the whole topic.

        Raises:
            UnavailableError: it did not arrive in time.
        """
        if not self.refresh(LOAD_S_MAX):
            raise UnavailableError(f"accounts.state was not read within {LOAD_S_MAX:.0f} s.")

    def close(self) -> None:
        """Stops following."""
        self._closed.set()
        self._thread.join()
        self._consumer.close()
        self._asking.close()
