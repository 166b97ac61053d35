"""Sending a whole file: the run is opened or begun, and its outcomes are summed up."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distributary.answers import Status
from distributary.client.bulk import Outcome
from distributary.client.client import Client
from distributary.client.runfile import (
    Asked,
    made_from,
    read_run,
    run_file,
    signed_in_order,
    write_run,
)
from distributary.client.signed import SignedRequest
from distributary.errors import InputError
from distributary.settings import DAY_S

# Long enough to finish a run begun on a Friday.
RUN_EXPIRY_S: Final = 7 * DAY_S


@dataclass(frozen=True)
class Run:
    """The signed requests of a file.

    Attributes:
        path: the run file.
        requests: in the order of the input.
        repeated: whether they were signed before: executed ones are replayed, not bought.
    """

    path: Path
    requests: list[SignedRequest]
    repeated: bool


def open_run(
    client: Client,
    path: Path,
    asked: list[Asked],
    max_charge_units: int | None,
    quote_units: Callable[[Asked], int],
) -> Run:
    """Opens the run of an input file, or signs it and keeps it before anything is sent.

    Args:
        client: signs.
        path: the input file.
        asked: its lines.
        max_charge_units: for lines that state none; None: what each is quoted.
        quote_units: the most a line can cost.

    Raises:
        InputError: `other_run`, `bad_run_file`, `key_readable`, or a line, named, is refused.
    """
    kept = run_file(path)
    stamp = made_from(asked, client.account, max_charge_units)
    if kept.exists():
        return Run(kept, read_run(kept, stamp, client.domain), repeated=True)

    def sign(one: Asked) -> SignedRequest:
        stated = max_charge_units if one.max_charge_units is None else one.max_charge_units
        maximum = quote_units(one) if stated is None else stated
        signed = client.sign(one.body, max_charge_units=maximum, expiry_s=RUN_EXPIRY_S)
        if len(signed.payload.encode()) > client.request_bytes_max:
            raise InputError(
                f"It is over the limit of {client.request_bytes_max} bytes.", code="oversize"
            )
        return signed

    requests = list(signed_in_order(asked, sign, path))
    write_run(kept, stamp, requests)
    return Run(kept, requests, repeated=False)


@dataclass(frozen=True)
class Summary:
    """What a run came to; amounts in base units.

    Attributes:
        requests: how many were sent.
        by_result: how many by status, refusal code or error code.
        charge_units: of the executed answers; replayed ones were charged before.
        charge_units_exact: whether that is what the run is charged. A request that is executed
            again, after its answer could no longer be replayed, is a duplicate in the books and is
            not charged again; nothing on its answer tells. Then the sum is the most there can be.
        answer_tokens: of all answers.
    """

    requests: int
    by_result: dict[str, int]
    charge_units: int
    charge_units_exact: bool
    answer_tokens: int

    @property
    def answered(self) -> int:
        """Executed and replayed."""
        return sum(self.by_result.get(status, 0) for status in (Status.EXECUTED, Status.REPLAYED))


def result_of(outcome: Outcome) -> str:
    """`executed`, `replayed`, or the code of what went wrong."""
    if outcome.answer is not None:
        return str(outcome.answer.status)
    return outcome.error.code if outcome.error else "failed"


def summarise(outcomes: Iterable[Outcome], *, repeated: bool) -> Summary:
    """Sums up the outcomes of a run, `repeated` if its requests may have been sent before."""
    given = list(outcomes)
    answers = [outcome.answer for outcome in given if outcome.answer is not None]
    executed = [answer for answer in answers if answer.status is Status.EXECUTED]
    return Summary(
        requests=len(given),
        by_result=dict(sorted(Counter(result_of(outcome) for outcome in given).items())),
        charge_units=sum(int(answer.charge_units or 0) for answer in executed),
        charge_units_exact=not (repeated and executed),
        answer_tokens=sum(answer.answer_tokens or 0 for answer in answers),
    )
