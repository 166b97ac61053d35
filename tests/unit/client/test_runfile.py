"""Run files: bad input is named before anything is signed, a tampered run by its line."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from distributary.client.runfile import (
    made_from,
    read_asked,
    read_run,
    run_file,
    signed_in_order,
    write_run,
)
from distributary.client.signed import Randomness, SignedRequest, Signer
from distributary.errors import InputError
from distributary.identity import Domain
from distributary.keys import new_session_key

DOMAIN = Domain(31337, "0x" + "0" * 40)
KEY = new_session_key("0x" + "a" * 40, 2_000)
DEFAULTS = {"model": "simulated", "datanet": "wiki"}


def sign(number: int) -> SignedRequest:
    return Signer(DOMAIN, KEY).sign(
        {"model": "simulated", "prompt": f"Why {number}?"},
        max_charge_units=5,
        expires_at=1_900,
        now_s=1_000,
        fresh=Randomness(f"id-{number}", b"s" * 16, b"t" * 24),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl.run.jsonl"
    write_run(path, "stamp", [sign(1), sign(2), sign(3)])
    return path


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_read_asked__lines__take_the_defaults_that_they_leave_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"prompt": "a"}\n\n{"messages": [{"role": "user", "content": "b"}], "model": "m", '
        '"max_charge_units": "12"}\r\n',
    )

    first, second = read_asked(path, DEFAULTS)

    assert first.body == {"model": "simulated", "datanet": "wiki", "prompt": "a"}
    assert (first.line, first.max_charge_units) == (1, None)
    assert second.body["model"] == "m"
    assert (second.line, second.max_charge_units) == (3, 12)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"prompt": ""}', "empty_prompt"),
        (b'{"prompt": "a", "temperature": 1}', "bad_request"),
        (b'{"prompt": "a", "model": 1}', "bad_request"),
        (b'{"prompt": "a", "prompt": "b"}', "duplicate_key"),
        (b'{"prompt": "\xff"}', "not_utf8"),
        (b'{"prompt": "a"', "not_json"),
        (b'["a"]', "bad_input"),
        (b'{"prompt": "a", "max_charge_units": -1}', "bad_input"),
        (b'{"prompt": "a", "max_charge_units": 1.5}', "bad_input"),
        (b'{"prompt": "a", "max_charge_units": "1e3"}', "bad_input"),
        (b'{"prompt": "a", "max_charge_units": true}', "bad_input"),
    ],
)
def test_read_asked__a_bad_line__is_named(tmp_path: Path, line: bytes, code: str) -> None:
    path = write(tmp_path, b'{"prompt": "fine"}\n' + line + b"\n")

    with pytest.raises(InputError, match="line 2") as caught:
        read_asked(path, DEFAULTS)

    assert caught.value.code == code


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_read_asked__no_request_at_all__is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="1 to"):
        read_asked(write(tmp_path, text), DEFAULTS)


def test_read_asked__no_such_file__is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_asked(tmp_path / "none.jsonl", DEFAULTS)


def test_write_run__a_run__can_be_read_by_its_owner_only_and_once(run: Path) -> None:
    assert stat.S_IMODE(run.stat().st_mode) == 0o600
    assert [p.name for p in run.parent.iterdir()] == [run.name]
    with pytest.raises(InputError) as caught:
        write_run(run, "stamp", [sign(9)])
    assert caught.value.code == "key_exists"
    assert read_run(run, "stamp", DOMAIN)[0] == sign(1)


def test_read_run__as_written__is_the_same_requests(run: Path) -> None:
    assert read_run(run, "stamp", DOMAIN) == [sign(1), sign(2), sign(3)]


def test_read_run__of_another_input__is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="remove it") as caught:
        read_run(run, "other", DOMAIN)

    assert caught.value.code == "other_run"


def _swap_text(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[2].replace("Why 2?", "Who 2?"), *lines[3:]]


def _raise_maximum(lines: list[str]) -> list[str]:
    old, new = '\\"max_charge_units\\":\\"5\\"', '\\"max_charge_units\\":\\"6\\"'
    assert old in lines[2]
    return [*lines[:2], lines[2].replace(old, new), *lines[3:]]


def _not_json(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[2][:-5], *lines[3:]]


@pytest.mark.parametrize("tamper", [_swap_text, _raise_maximum, _not_json])
def test_read_run__a_tampered_line__is_named(run: Path, tamper: Any) -> None:
    run.write_text("\n".join(tamper(run.read_text().splitlines())) + "\n")

    with pytest.raises(InputError, match="line 3"):
        read_run(run, "stamp", DOMAIN)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_read_run__lines_missing__is_refused(run: Path, kept: int) -> None:
    run.write_text("\n".join(run.read_text().splitlines()[:kept]))

    with pytest.raises(InputError) as caught:
        read_run(run, "stamp", DOMAIN)

    assert caught.value.code == "bad_run_file"


def test_read_run__a_file_that_others_can_write__is_refused(run: Path) -> None:
    run.chmod(0o620)

    with pytest.raises(InputError, match="chmod 600") as caught:
        read_run(run, "stamp", DOMAIN)

    assert caught.value.code == "key_readable"


def test_made_from__anything_that_decides_what_is_bought__changes_it(tmp_path: Path) -> None:
    asked = read_asked(write(tmp_path, '{"prompt": "a"}'), DEFAULTS)
    others = read_asked(write(tmp_path, '{"prompt": "b"}'), DEFAULTS)
    stamps = {
        made_from(asked, "0xa", None),
        made_from(others, "0xa", None),
        made_from(asked, "0xb", None),
        made_from(asked, "0xa", 5),
    }

    assert len(stamps) == 4
    assert made_from(asked, "0xa", 2**128) == made_from(asked, "0xa", 2**128)


def test_signed_in_order__a_line_that_cannot_be_signed__is_named(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "a"}\n{"prompt": "b"}\n')
    asked = read_asked(path, DEFAULTS)

    def refuse_second(one: Any) -> SignedRequest:
        if one.line == 2:
            raise InputError("No.", code="prompt_too_long")
        return sign(one.line)

    with pytest.raises(InputError, match=r"q\.jsonl, line 2") as caught:
        list(signed_in_order(asked, refuse_second, path))

    assert caught.value.code == "prompt_too_long"


def test_run_file__an_input__stands_beside_it(tmp_path: Path) -> None:
    assert run_file(tmp_path / "q.jsonl") == tmp_path / "q.jsonl.run.jsonl"


def test_run__its_first_line__holds_no_secret(run: Path) -> None:
    assert KEY.private_key not in run.read_text()
    assert json.loads(run.read_text().splitlines()[0])["requests"] == 3
