"""A run: the requests of a JSONL file, signed once and kept, so that a repetition buys nothing new.

`FILE.run.jsonl` has a first line that says what it was made from, then a line per signed request,
in the order of the input. It is written whole before the first request is sent.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distributary.bodies import read_body
from distributary.canonical import canonical_hash
from distributary.client.signed import SignedRequest, read_signed
from distributary.errors import InputError
from distributary.identity import Domain
from distributary.keys import check_private, write_private
from distributary.strict_json import parse_json

VERSION: Final = 1
REQUESTS_MAX: Final = 1_000_000


@dataclass(frozen=True)
class Asked:
    """One line of the input.

    Attributes:
        line: its number, from 1.
        body: the request's body, defaults filled in.
        max_charge_units: as the line says, None: the caller's.
    """

    line: int
    body: dict[str, Any]
    max_charge_units: int | None


def run_file(path: Path) -> Path:
    """Where the run of an input file is kept."""
    return path.with_name(path.name + ".run.jsonl")


def _named(path: Path, line: int, error: InputError) -> InputError:
    return InputError(
        f"{path.name}, line {line}: {error.sentence}", value=error.value, code=error.code
    )


def read_asked(path: Path, defaults: dict[str, Any]) -> list[Asked]:
    """Reads an input file: a JSON object per line with the fields of a body.

    Args:
        path: the file.
        defaults: fields of the body that a line may leave out.

    Raises:
        InputError: the file cannot be read, is empty or too long; or a line, named, is no request.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError("The file cannot be read.", value=str(path)) from error
    asked = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                asked.append(_read_line(number, line, defaults))
            except InputError as error:
                raise _named(path, number, error) from error
    if not 1 <= len(asked) <= REQUESTS_MAX:
        raise InputError(f"The file must hold 1 to {REQUESTS_MAX} requests.", value=str(path))
    return asked


def _read_line(number: int, line: bytes, defaults: dict[str, Any]) -> Asked:
    parsed = parse_json(line)
    if not isinstance(parsed, dict):
        raise InputError('A line is a JSON object such as {"prompt": "Why?"}.')
    maximum = parsed.pop("max_charge_units", None)
    if isinstance(maximum, str) and maximum.isascii() and maximum.isdigit():
        maximum = int(maximum)
    if maximum is not None and (type(maximum) is not int or maximum < 0):
        raise InputError("`max_charge_units` must be a whole number.", value=maximum)
    body = defaults | parsed
    read_body(body)
    return Asked(number, body, maximum)


def made_from(asked: list[Asked], account: str, max_charge_units: int | None) -> str:
    """What a run stands for: everything that decides what is bought, by hash."""
    return canonical_hash(
        [
            VERSION,
            account,
            None if max_charge_units is None else str(max_charge_units),
            [
                [a.body, None if a.max_charge_units is None else str(a.max_charge_units)]
                for a in asked
            ],
        ]
    )


def write_run(path: Path, stamp: str, requests: list[SignedRequest]) -> None:
    """Keeps a run, readable by its owner only.

    Raises:
        InputError: `key_exists`: there is one already.
    """
    head = json.dumps({"run": VERSION, "made_from": stamp, "requests": len(requests)})
    text = "\n".join([head, *(request.to_line() for request in requests)])
    write_private(path, text + "\n", replace=False)


def read_run(path: Path, stamp: str, domain: Domain) -> list[SignedRequest]:
    """Reads a run and checks that it is what was signed for this input.

    Raises:
        InputError: `other_run`: it was made from another input, account or maximum; `bad_run_file`:
            a line, named, is not as it was signed, or lines are missing; `key_readable`.
    """
    check_private(path)
    lines = path.read_bytes().splitlines()
    try:
        head = parse_json(lines[0])
        made, count = head["made_from"], head["requests"]
    except (InputError, IndexError, KeyError, TypeError) as error:
        raise _bad(path, "has no readable first line") from error
    if made != stamp:
        raise InputError(
            "The run file belongs to another input, account or maximum: remove it to buy anew.",
            value=str(path),
            code="other_run",
        )
    if count != len(lines) - 1:
        raise _bad(path, f"has {len(lines) - 1} requests instead of {count}")
    return [_checked(path, number, line, domain) for number, line in enumerate(lines[1:], 2)]


def _checked(path: Path, number: int, line: bytes, domain: Domain) -> SignedRequest:
    try:
        return read_signed(line, domain)
    except InputError as error:
        raise _named(path, number, error) from error


def _bad(path: Path, what: str) -> InputError:
    return InputError(
        f"The run file {what}: restore it, or remove it to buy anew.",
        value=str(path),
        code="bad_run_file",
    )


def signed_in_order(
    asked: list[Asked], sign: Callable[[Asked], SignedRequest], path: Path
) -> Iterator[SignedRequest]:
    """Signs every line of an input.

    Raises:
        InputError: a line, named, cannot be signed.
    """
    for one in asked:
        try:
            yield sign(one)
        except InputError as error:
            raise _named(path, one.line, error) from error
