"""Accounts' records and the delegation of session keys."""

import json
from typing import Any

import pytest

from distributary.accounts import (
    AccountState,
    Delegation,
    delegation_is_valid,
    read_account,
    sign_delegation,
)
from distributary.errors import InputError
from distributary.identity import Domain
from tests.senders import DOMAIN, Customer, public_hex, seeded_key

STATE = Customer().state(credit_units=2**200, answers=(1, 2, 3, 4))
OWNER = "0x" + "11" * 32
OWNER_ADDRESS = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
KEY = public_hex(seeded_key("session"))


def test_read_account__a_record__is_read_back_equal() -> None:
    assert read_account(STATE.payload()) == STATE


@pytest.mark.parametrize(
    "change",
    [
        {"account": 5},
        {"account": None},
        {"account": "0x1"},
        {"version": "x"},
        {"credit_units": None},
        {"delegations": None},
        {"delegations": [1]},
        {"delegations": [{"key": "a"}]},
        {"answers": None},
    ],
)
def test_read_account__a_field_is_wrong__is_refused(change: dict[str, Any]) -> None:
    payload = json.loads(STATE.payload()) | change
    with pytest.raises(InputError):
        read_account(json.dumps(payload).encode())


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"5", b'"x"', b"{}"])
def test_read_account__no_record__is_refused(payload: bytes) -> None:
    with pytest.raises(InputError):
        read_account(payload)


def test_may_sign__at_the_delegations_end__no_longer() -> None:
    state = Customer().state(delegations=(Delegation("k", 100, ""), Delegation("k", 50, "")))
    assert state.may_sign("k", 99)
    assert not state.may_sign("k", 100)
    assert not state.may_sign("other", 0)


def test_sign_delegation__by_the_account__is_valid_for_it_alone() -> None:
    delegation = sign_delegation(DOMAIN, OWNER, KEY, 1_900_000_000)
    assert delegation_is_valid(DOMAIN, OWNER_ADDRESS, delegation)
    assert not delegation_is_valid(DOMAIN, "0x" + "a" * 40, delegation)
    assert not delegation_is_valid(Domain(1, DOMAIN.contract), OWNER_ADDRESS, delegation)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": public_hex(seeded_key("other"))},
        {"expires_at": 1_900_000_001},
        {"signature": "0x" + "00" * 65},
        {"signature": "0x"},
        {"signature": "zz"},
    ],
)
def test_delegation_is_valid__a_field_was_changed__is_false(changed: dict[str, Any]) -> None:
    delegation = sign_delegation(DOMAIN, OWNER, KEY, 1_900_000_000)
    assert not delegation_is_valid(
        DOMAIN, OWNER_ADDRESS, Delegation(**(vars(delegation) | changed))
    )


def test_account_state__is_hashable_and_frozen() -> None:
    with pytest.raises(AttributeError):
        STATE.frozen = True  # type: ignore[misc]
    assert isinstance(STATE, AccountState)
