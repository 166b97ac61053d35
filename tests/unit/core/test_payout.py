"""Payout rules: the project's own, by epoch, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from distributary.errors import InputError
from distributary.rules.payout import (
    FOLDER,
    LEDGER_ACCOUNTS,
    load_payouts,
    payout_in_force,
    read_payout_rule,
)

OWN = (FOLDER / "0001.json").read_bytes()


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(OWN) | changes).encode()


def test_load_payouts__the_projects_own__writes_off_after_sixty_four_epochs() -> None:
    (rule,) = load_payouts()
    assert rule.write_off_epochs == 64
    assert payout_in_force([rule], 0) is rule
    assert rule.ledger_accounts["unclaimed"] == "unclaimed"
    assert rule.reasons["no_owner"] == "no_owner"


def test_payout_in_force__two_rules__is_the_one_that_began_last() -> None:
    early, late = (
        read_payout_rule(changed(valid_from_epoch=3)),
        read_payout_rule(changed(valid_from_epoch=8)),
    )
    assert [payout_in_force([late, early], epoch) for epoch in (3, 7, 8)] == [early, early, late]
    with pytest.raises(InputError) as raised:
        payout_in_force([late, early], 2)
    assert raised.value.code == "unknown_rule"


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        changed(kind="prices"),
        changed(other=1),
        changed(valid_from_epoch=-1),
        changed(valid_from_epoch=True),
        changed(write_off_epochs=0),
        changed(write_off_epochs=1.5),
        changed(absent_roles_to="commons"),
        changed(ledger_accounts={}),
        changed(ledger_accounts=dict.fromkeys(LEDGER_ACCOUNTS, "a")),
        changed(ledger_accounts=json.loads(OWN)["ledger_accounts"] | {"commons": "0x" + "a" * 40}),
        changed(reasons=json.loads(OWN)["reasons"] | {"bound": 1}),
        changed(reasons=[]),
    ],
)
def test_read_payout_rule__not_a_valid_rule__is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_payout_rule(data)


def test_load_payouts__two_files_of_one_epoch__is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(OWN)
    (tmp_path / "2.json").write_bytes(changed(write_off_epochs=3))
    with pytest.raises(InputError, match="same epoch"):
        load_payouts(tmp_path)
