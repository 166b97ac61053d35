"""Errors that a user can act on, and the exit codes of the command line."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; documented in docs/reference.md."""

    OK = 0
    FAILED = 1  # something that should have worked did not
    USAGE = 2  # the command was called wrongly (click's own code)
    INPUT = 3  # a value, file or record given by the user was refused
    UNAVAILABLE = 4  # a server that the command needs does not answer
    GAVE_UP = 5  # a supervised job failed too often in a row
    SUPERSEDED = 6  # another attribution job has taken over; do not restart this one


class DistributaryError(Exception):
    """An error with a code, one sentence that says what to do, and the offending value.

    Attributes:
        code: a stable snake_case name, listed in docs/reference.md.
        sentence: what is wrong and what to do about it, for a person.
        value: what was refused, never a secret.
    """

    code = "failed"
    exit_code = ExitCode.FAILED

    def __init__(self, sentence: str, *, value: object = None, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.value = value
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.sentence if self.value is None else f"{self.sentence} (got {self.value!r})"


class InputError(DistributaryError):
    """A value, a file or a record given by the user was refused."""

    code = "bad_input"
    exit_code = ExitCode.INPUT


class UnavailableError(DistributaryError):
    """A server that is needed does not answer."""

    code = "unavailable"
    exit_code = ExitCode.UNAVAILABLE


class GaveUpError(DistributaryError):
    """A supervised job failed too often in a row."""

    code = "gave_up"
    exit_code = ExitCode.GAVE_UP
