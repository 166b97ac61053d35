"""The settler's key: where it may be read from, and that it is never shown."""

import json
import os

import pytest
from eth_account import Account

from orchestration.settlement.signer import KeystoreSigner, write_keystore
from orchestration.settlement.stops import StopError

KEY = "0x" + "5e" * 32
PASSWORD = "correct horse"
CALL = {
    "type": 2,
    "chainId": 31337,
    "nonce": 0,
    "to": "0x" + "00" * 19 + "01",
    "data": "0x01",
    "value": 0,
    "gas": 30_000,
    "maxFeePerGas": 10,
    "maxPriorityFeePerGas": 1,
}


@pytest.fixture
def files(tmp_path):
    """A key file that opens quickly, and its password's."""
    password, key = tmp_path / "password", tmp_path / "key.json"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    sealed = Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)
    key.write_text(json.dumps(sealed))
    key.chmod(0o600)
    return key, password


def stopped(*files) -> str:
    with pytest.raises(StopError) as stop:
        KeystoreSigner.open(*files)
    assert PASSWORD not in str(stop.value)
    assert KEY[2:] not in str(stop.value)
    return stop.value.code


def test_open__right_password__signs_as_the_address_and_hides_the_key(files):
    signer = KeystoreSigner.open(*files)
    assert signer.address == Account.from_key(KEY).address.lower()
    signed = signer.sign(CALL)
    assert Account.recover_transaction(signed.raw).lower() == signer.address
    assert KEY[2:] not in repr(signer)
    assert signed.raw.hex() not in repr(signed)


def test_open__wrong_password__is_refused_without_a_hint(files):
    files[1].write_text("wrong")
    assert stopped(*files) == "key_refused"


@pytest.mark.parametrize("which", [0, 1])
def test_open__file_missing__is_a_named_stop(files, which):
    files[which].unlink()
    assert stopped(*files) == "key_missing"


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_open__others_can_read_it__is_a_named_stop(files, which, mode):
    files[which].chmod(mode)
    assert stopped(*files) == "key_readable"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"crypto": 1}', "not json"])
def test_open__damaged_file__is_refused(files, text):
    files[0].write_text(text)
    assert stopped(*files) == "key_refused"


def test_write_keystore__a_key__is_readable_by_its_owner_only_and_opens(tmp_path):
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    address = write_keystore(tmp_path / "key.json", password, KEY)
    assert os.stat(tmp_path / "key.json").st_mode & 0o077 == 0  # noqa: PTH116
    assert KeystoreSigner.open(tmp_path / "key.json", password).address == address
