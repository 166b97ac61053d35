"""What a client can be told instead of an answer."""

from typing import TYPE_CHECKING

from distributary.answers import Answer
from distributary.errors import DistributaryError, ExitCode

if TYPE_CHECKING:
    from distributary.client.exchange import Handle


class RefusedError(DistributaryError):
    """The request was refused: nothing was charged.

    Attributes:
        code: one of `distributary.answers.Refusal`.
        retry_after_ms: when the same request may be sent again, milliseconds; None: as it is, it
            will be refused again.
        answer: the whole answer.
    """

    exit_code = ExitCode.INPUT

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.sentence or "The request was refused.", code=answer.code)
        self.answer = answer
        self.retry_after_ms = answer.retry_after_ms


class TimedOutError(DistributaryError):
    """No answer came in time: it may still come, and sending the same request again is safe.

    Attributes:
        handle: what to wait for again, or to send again.
    """

    code = "timed_out"
    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, handle: "Handle", timeout_s: float) -> None:
        super().__init__(
            f"No answer within {timeout_s:.0f} s: see `distributary status`, then wait for the "
            "same handle or send it again, which is no second purchase.",
            value=handle.request_hash,
        )
        self.handle = handle
