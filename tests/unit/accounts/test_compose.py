"""The composed account record: what is in it, and when it is worth a new one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from distributary.accounts import Delegation, read_account
from distributary.errors import InputError
from distributary.publisher import digest_of
from distributary.store.accounts import GRANT_UNITS_MAX, AccountRow, check_grant, compose

ENDED, LIVE = Delegation("a" * 64, 1_000, "0x01"), Delegation("b" * 64, 9_000, "0x02")
ROW = AccountRow(
    account="0x" + "c" * 40,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    erased_at=None,
    granted_units=100,
    charged_units=30,
    delegations=(ENDED, LIVE),
    version=4,
    digest=None,
)


def test_compose__a_row__is_the_next_version_with_what_is_left() -> None:
    state = compose(ROW, (5, 0, 7), now_s=2_000, kept_s=100)

    assert state.version == 5
    assert state.credit_units == 70
    assert state.credit_source == "grant"
    assert state.answers == (5, 0, 7)
    assert state.delegations == (LIVE,)
    assert not state.frozen
    assert read_account(state.payload()) == state


def test_compose__a_delegation_just_ended__stays_for_requests_admitted_before() -> None:
    state = compose(ROW, (), now_s=1_099, kept_s=100)

    assert state.delegations == (ENDED, LIVE)
    assert state.may_sign(ENDED.key, 999)
    assert not state.may_sign(ENDED.key, 1_000)


def test_compose__an_erased_account__is_frozen_and_has_no_keys() -> None:
    state = compose(replace(ROW, erased_at=ROW.created_at), (), now_s=0, kept_s=100)

    assert state.frozen
    assert state.delegations == ()


def test_compose__charges_ahead_of_the_credit__are_negative() -> None:
    assert compose(replace(ROW, charged_units=101), (), now_s=0, kept_s=0).credit_units == -1


def test_compose__first_deposit__grants_count_no_more() -> None:
    row = replace(ROW, deposited_units=50, withdrawn_units=5)

    state = compose(row, (), now_s=0, kept_s=0)

    assert (state.credit_units, state.credit_source) == (15, "deposit")


def test_compose__frozen_on_the_chain__is_frozen_and_keeps_its_keys() -> None:
    state = compose(replace(ROW, frozen_block=7), (), now_s=0, kept_s=0)

    assert state.frozen
    assert state.delegations == (ENDED, LIVE)


def test_digest_of__version_and_offsets__change_nothing() -> None:
    state = compose(ROW, (1,), now_s=0, kept_s=0)

    assert digest_of(replace(state, version=9, answers=(8,))) == digest_of(state)


@pytest.mark.parametrize(
    "change",
    [{"credit_units": 71}, {"frozen": True}, {"delegations": ()}, {"account": "0x" + "d" * 40}],
)
def test_digest_of__what_admission_looks_at__changes_it(change: dict[str, object]) -> None:
    state = compose(ROW, (), now_s=0, kept_s=0)

    assert digest_of(replace(state, **change)) != digest_of(state)  # type: ignore[arg-type]


def test_digest_of__credit_beyond_what_json_numbers_hold__is_exact() -> None:
    state = compose(replace(ROW, granted_units=2**100), (), now_s=0, kept_s=0)

    assert digest_of(replace(state, credit_units=state.credit_units + 1)) != digest_of(state)


@pytest.mark.parametrize("units", [1, GRANT_UNITS_MAX])
def test_check_grant__a_sensible_grant__passes(units: int) -> None:
    check_grant(units)


@pytest.mark.parametrize("units", [0, -1, GRANT_UNITS_MAX + 1])
def test_check_grant__a_senseless_grant__is_refused(units: int) -> None:
    with pytest.raises(InputError):
        check_grant(units)
