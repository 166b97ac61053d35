"""Payout rules: where money goes that no payee can take, and for how long a charge may wait."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distributary.canonical import sha256_hex
from distributary.errors import InputError
from distributary.strict_json import parse_json

FOLDER: Final = Path(__file__).parent / "payouts"
LEDGER_ACCOUNTS: Final = frozenset(("commons", "insurance", "platform", "unclaimed"))
REASONS: Final = frozenset(("bound", "frozen", "no_owner", "too_old", "unbound", "unfunded"))
_FIELDS: Final = {
    *("kind", "valid_from_epoch", "absent_roles_to"),
    *("ledger_accounts", "write_off_epochs", "reasons"),
}
# No ledger account may look like an address: leaves are told from them by their form.
_NAME: Final = re.compile(r"[a-z][a-z_]{0,31}")


@dataclass(frozen=True)
class PayoutRule:
    """One payout rule.

    Attributes:
        hash: SHA-256 of the file's bytes, hex.
        valid_from_epoch: the first epoch that it holds for.
        absent_roles_to: the role that takes the share of an absent adapter or agent.
        ledger_accounts: the names of the ledger accounts that earn without an address.
        write_off_epochs: a charge carried for this many epochs is written off.
        reasons: the reason code of each case.
    """

    hash: str
    valid_from_epoch: int
    absent_roles_to: str
    ledger_accounts: dict[str, str]
    write_off_epochs: int
    reasons: dict[str, str]


def read_payout_rule(data: bytes) -> PayoutRule:
    """Reads one file.

    Raises:
        InputError: it is not a valid payout rule.
    """
    parsed = parse_json(data)
    if not isinstance(parsed, dict) or set(parsed) != _FIELDS or parsed["kind"] != "payouts":
        raise InputError("Not a file of payouts.", value=str(parsed)[:100])
    if parsed["absent_roles_to"] != "data":
        raise InputError("Absent roles can give to data only.", value=parsed["absent_roles_to"])
    return PayoutRule(
        sha256_hex(data),
        _whole(parsed["valid_from_epoch"], 0),
        parsed["absent_roles_to"],
        _names(parsed["ledger_accounts"], LEDGER_ACCOUNTS),
        _whole(parsed["write_off_epochs"], 1),
        _names(parsed["reasons"], REASONS),
    )


def payout_in_force(rules: Sequence[PayoutRule], epoch: int) -> PayoutRule:
    """The rule whose validity began last before or at `epoch`.

    Raises:
        InputError: `unknown_rule`: none had begun.
    """
    begun = [rule for rule in rules if rule.valid_from_epoch <= epoch]
    if not begun:
        raise InputError("No payout rule is in force.", value=epoch, code="unknown_rule")
    return max(begun, key=lambda rule: rule.valid_from_epoch)


def load_payouts(folder: Path = FOLDER) -> list[PayoutRule]:
    """Loads all payout rules, the earliest first.

    Raises:
        InputError: a file is invalid, or two begin at the same epoch.
    """
    rules = [read_payout_rule(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    if len({rule.valid_from_epoch for rule in rules}) != len(rules):
        raise InputError("Two files of payouts begin at the same epoch.", value=str(folder))
    return sorted(rules, key=lambda rule: rule.valid_from_epoch)


def _whole(value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise InputError(f"A payout rule needs a whole number from {least}.", value=value)
    return value


def _names(value: Any, expected: frozenset[str]) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != expected:
        raise InputError(f"A payout rule names {', '.join(sorted(expected))}.", value=value)
    names = list(value.values())
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise InputError("A ledger account or reason is a word in lower case.", value=names)
    if len(set(names)) != len(names):
        raise InputError("Two ledger accounts or reasons have one name.", value=names)
    return dict(value)
