"""Key files: readable by their owner only, whole, never overwritten by accident."""

import stat
from pathlib import Path

import pytest

from distributary import keys
from distributary.errors import InputError

ACCOUNT = "0x" + "a" * 40


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_make_account_key__a_new_name__is_kept_for_its_owner_only(tmp_path: Path) -> None:
    made = keys.make_account_key(tmp_path, "payer")
    path = keys.account_file(tmp_path, "payer")

    assert keys.load_account_key(tmp_path, "payer") == made
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["payer.account.json"]
    assert made.private_key not in repr(made)
    assert made.address == made.address.lower()


def test_make_account_key__a_name_taken__keeps_the_key_that_is_there(tmp_path: Path) -> None:
    made = keys.make_account_key(tmp_path, "payer")

    with pytest.raises(InputError) as caught:
        keys.make_account_key(tmp_path, "payer")

    assert caught.value.code == "key_exists"
    assert keys.load_account_key(tmp_path, "payer") == made


@pytest.mark.parametrize("name", ["", "Payer", "a/b", "..", "a" * 64, "é", "a\n"])
def test_parse_name__not_a_name__is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        keys.make_account_key(tmp_path, name)

    assert not (tmp_path / "keys").exists()


def test_save_session_key__a_second_one__takes_the_place_of_the_first(tmp_path: Path) -> None:
    first, second = keys.new_session_key(ACCOUNT, 1), keys.new_session_key(ACCOUNT, 2)

    keys.save_session_key(tmp_path, "payer", first)
    keys.save_session_key(tmp_path, "payer", second)

    assert keys.load_session_key(tmp_path, "payer") == second
    assert first.key != second.key
    assert mode(keys.session_file(tmp_path, "payer")) == 0o600


def test_session_key__its_signer__has_the_public_key(tmp_path: Path) -> None:
    made = keys.new_session_key(ACCOUNT, 1)

    assert made.signer.public_key().public_bytes_raw().hex() == made.key


@pytest.mark.parametrize("others", [0o644, 0o640, 0o604, 0o620, 0o602, 0o700])
def test_load__a_file_that_others_can_use__is_refused_by_name(tmp_path: Path, others: int) -> None:
    keys.save_session_key(tmp_path, "payer", keys.new_session_key(ACCOUNT, 1))
    path = keys.session_file(tmp_path, "payer")
    path.chmod(others)

    with pytest.raises(InputError, match=r"payer\.session\.json") as caught:
        keys.load_session_key(tmp_path, "payer")

    assert caught.value.code == "key_readable"
    assert caught.value.sentence.count("chmod 600")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"account": "a"}', '{"more": 1}'])
def test_load__a_damaged_file__is_refused_without_its_content(tmp_path: Path, text: str) -> None:
    keys.write_private(keys.session_file(tmp_path, "payer"), text, replace=False)

    with pytest.raises(InputError) as caught:
        keys.load_session_key(tmp_path, "payer")

    assert caught.value.code == "bad_key"


def test_load__no_file__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="account create") as caught:
        keys.load_account_key(tmp_path, "payer")

    assert caught.value.code == "no_key"


def test_only_name__one_account__is_it(tmp_path: Path) -> None:
    keys.save_session_key(tmp_path, "payer", keys.new_session_key(ACCOUNT, 1))
    keys.make_account_key(tmp_path, "payer")

    assert keys.account_names(tmp_path) == ["payer"]
    assert keys.only_name(tmp_path) == "payer"


def test_only_name__none_or_several__is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="account create"):
        keys.only_name(tmp_path)
    for name in ("one", "two"):
        keys.save_session_key(tmp_path, name, keys.new_session_key(ACCOUNT, 1))
    with pytest.raises(InputError, match="--account"):
        keys.only_name(tmp_path)
