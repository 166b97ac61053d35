"""The same client for asyncio: nothing here blocks the event loop."""

import asyncio
import time
from types import TracebackType
from typing import Any

from distributary.answers import Answer
from distributary.client.client import TIMEOUT_S, Client
from distributary.client.errors import RefusedError, TimedOutError
from distributary.client.exchange import Handle
from distributary.client.signed import SignedRequest, write_body


class AsyncClient:
    """Sends paid requests of one account and awaits their answers.

    ```python
    async with AsyncClient(Client.of("alice")) as client:
        answers = await asyncio.gather(
            *(client.send(q, model="smollm2-135m", max_charge_units=10**15) for q in questions)
        )
    ```

    Args:
        client: what it wraps, and closes at the end.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    async def submit(self, signed: SignedRequest) -> Handle:
        """As `Client.submit`."""
        return await asyncio.to_thread(self.client.submit, signed)

    async def wait(self, handle: Handle, timeout_s: float = TIMEOUT_S) -> Answer:
        """As `Client.wait`.

        Raises:
            RefusedError, TimedOutError, UnavailableError: as `Client.wait`.
        """
        future = asyncio.wrap_future(handle.future)
        try:
            # A time-out must not cancel what may be waited for again.
            answer = await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError as error:
            raise TimedOutError(handle, timeout_s) from error
        if answer.code is not None:
            raise RefusedError(answer)
        return answer

    async def send_signed(self, signed: SignedRequest, timeout_s: float = TIMEOUT_S) -> Answer:
        """As `Client.send_signed`.

        Raises:
            RefusedError, TimedOutError, UnavailableError: as `wait`.
        """
        end = time.monotonic() + timeout_s
        while True:
            handle = await self.submit(signed)
            try:
                return await self.wait(handle, max(0.0, end - time.monotonic()))
            except RefusedError as refused:
                pause_s = (refused.retry_after_ms or 0) / 1000
                if refused.retry_after_ms is None or time.monotonic() + pause_s > end:
                    raise
                await asyncio.sleep(pause_s)

    async def send(
        self,
        prompt: str | None = None,
        *,
        max_charge_units: int,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
        timeout_s: float = TIMEOUT_S,
        **body: Any,
    ) -> Answer:
        """As `Client.send`; `body` takes the arguments of `write_body`.

        Raises:
            InputError, RefusedError, TimedOutError, UnavailableError: as `Client.send`.
        """
        signed = self.client.sign(
            write_body(prompt=prompt, **body), max_charge_units=max_charge_units, id=id
        )
        return await self.send_signed(signed, timeout_s)

    async def close(self) -> None:
        """Sends what is queued and stops reading."""
        await asyncio.to_thread(self.client.close)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
