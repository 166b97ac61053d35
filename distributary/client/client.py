"""The client that waits: signs, sends, and hands back the answer."""

import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Any, Final

from distributary.answers import Answer
from distributary.client.bulk import WINDOW_MAX, Outcome, send_many
from distributary.client.errors import RefusedError, TimedOutError
from distributary.client.exchange import Exchange, Handle
from distributary.client.signed import Randomness, SignedRequest, Signer, write_body
from distributary.errors import InputError
from distributary.identity import Domain
from distributary.keys import SessionKey, load_session_key, only_name
from distributary.settings import DAY_S, Settings, load_settings

EXPIRY_S: Final = DAY_S  # as long as an executed answer is kept for replays
TIMEOUT_S: Final = 90.0


def draw() -> Randomness:
    """Fresh randomness of this process."""
    return Randomness(str(uuid.uuid4()), secrets.token_bytes(16), secrets.token_bytes(24))


class Client:
    """Sends paid requests of one account and waits for their answers.

    ```python
    from distributary.client import Client

    with Client.of("alice") as client:
        answer = client.send(
            "What does a distributary do?", model="smollm2-135m", max_charge_units=10**15
        )
        print(answer.text, answer.charge_units)
    ```

    Safe to share between threads. Expiry and salt are fixed when a request is signed; sending it
    again, by itself or by hand, sends the same bytes and is the same purchase.

    Args:
        settings: the settings, or Kafka's bootstrap servers alone.
        session: the session key that signs.
        domain: chain and contract; by default the settings'.
        clock: Unix seconds.
        draw: fresh randomness for each request.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """

    def __init__(
        self,
        settings: Settings | str,
        session: SessionKey,
        *,
        domain: Domain | None = None,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], Randomness] = draw,
    ) -> None:
        if isinstance(settings, str):
            settings = Settings(kafka=settings)
        self._settings, self._clock, self._draw = settings, clock, draw
        self._signer = Signer(domain or Domain(settings.chain_id, settings.contract), session)
        self.exchange = Exchange(settings)

    @classmethod
    def of(cls, name: str | None = None, settings: Settings | None = None) -> "Client":
        """The client of a local account, by default the only one.

        Raises:
            InputError: there is no such key, or several to choose from.
            UnavailableError: Kafka does not answer.
        """
        settings = settings or load_settings()
        return cls(settings, load_session_key(settings.home, name or only_name(settings.home)))

    @property
    def account(self) -> str:
        """The address that pays."""
        return self._signer.session.account

    @property
    def domain(self) -> Domain:
        """Chain and contract that requests are signed for."""
        return self._signer.domain

    @property
    def request_bytes_max(self) -> int:
        """The largest request that the job reads, bytes."""
        return self._settings.request_bytes_max

    def sign(
        self,
        body: dict[str, Any],
        *,
        max_charge_units: int,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
        expiry_s: int = EXPIRY_S,
    ) -> SignedRequest:
        """Signs a body without sending it.

        Args:
            body: see `inference.request.v1.json` and `write_body`.
            max_charge_units: the most that may be charged, base units.
            id: names the request within the account; by default a fresh one.
            expiry_s: seconds from now after which it is refused.

        Raises:
            InputError: it would be refused, or the session key has expired.
        """
        if not 0 < expiry_s <= self._settings.expiry_s_max:
            raise InputError(
                f"A request expires within {self._settings.expiry_s_max} s.", value=expiry_s
            )
        now_s, fresh = self._clock(), self._draw()
        return self._signer.sign(
            body,
            max_charge_units=max_charge_units,
            expires_at=int(now_s) + expiry_s,
            now_s=now_s,
            fresh=fresh if id is None else Randomness(id, fresh.salt, fresh.trace),
        )

    def submit(self, signed: SignedRequest) -> Handle:
        """Sends a signed request, for the first time or again.

        Raises:
            UnavailableError: Kafka does not answer, or takes no more.
            InputError: `oversize`.
        """
        return self.exchange.submit(signed)

    def wait(self, handle: Handle, timeout_s: float = TIMEOUT_S) -> Answer:
        """Waits for the answer, executed or replayed.

        Raises:
            RefusedError: with the code, the sentence and when to try again.
            TimedOutError: the handle can be waited for again.
            UnavailableError: Kafka did not take the request.
        """
        try:
            answer = handle.future.result(timeout_s)
        except FutureTimeoutError as error:
            raise TimedOutError(handle, timeout_s) from error
        if answer.code is not None:
            raise RefusedError(answer)
        return answer

    def send_signed(self, signed: SignedRequest, timeout_s: float = TIMEOUT_S) -> Answer:
        """Sends a signed request and waits; sends it again where a refusal says when.

        Raises:
            RefusedError, TimedOutError, UnavailableError: as `wait`.
        """
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self.wait(self.submit(signed), max(0.0, end - time.monotonic()))
            except RefusedError as refused:
                pause_s = (refused.retry_after_ms or 0) / 1000
                if refused.retry_after_ms is None or time.monotonic() + pause_s > end:
                    raise
                time.sleep(pause_s)

    def send(
        self,
        prompt: str | None = None,
        *,
        model: str,
        max_charge_units: int,
        messages: list[dict[str, str]] | None = None,
        datanet: str | None = None,
        adapter: str | None = None,
        agent: str | None = None,
        max_tokens: int | None = None,
        deadline_ms: int | None = None,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Asks, and waits for the answer.

        Args:
            prompt: the question; or give `messages`.
            model: public name of a model.
            max_charge_units: the most that may be charged, base units.
            messages: a conversation of `{"role": ..., "content": ...}`, oldest first.
            datanet: the datanet to retrieve from.
            adapter: an adapter of the model.
            agent: the agent that earns for bringing the request.
            max_tokens: the longest answer, tokens.
            deadline_ms: from admission to answer, milliseconds.
            id: names the request within the account; by default a fresh one.
            timeout_s: how long to wait, seconds.

        Raises:
            InputError, RefusedError, TimedOutError, UnavailableError: see `sign` and `wait`.
        """
        body = write_body(
            model=model,
            prompt=prompt,
            messages=messages,
            datanet=datanet,
            adapter=adapter,
            agent=agent,
            max_tokens=max_tokens,
            deadline_ms=deadline_ms,
        )
        return self.send_signed(
            self.sign(body, max_charge_units=max_charge_units, id=id), timeout_s
        )

    def send_many(
        self,
        requests: Iterable[SignedRequest],
        *,
        timeout_s: float = TIMEOUT_S,
        window_max: int = WINDOW_MAX,
    ) -> Iterator[Outcome]:
        """Sends many, a window at a time; yields an outcome for each as it comes.

        Raises:
            UnavailableError: Kafka takes no more.
        """
        return send_many(self.exchange, requests, timeout_s=timeout_s, window_max=window_max)

    def close(self) -> None:
        """Sends what is queued and stops reading."""
        self.exchange.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
