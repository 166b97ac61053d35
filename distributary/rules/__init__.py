"""The rules catalogue: append-only files of prices and splits, each with its first instant.

Payout rules, which hold from an epoch on, are read by `payout`.

A stamp is the SHA-256 of a file's bytes, so a rule can never change under an answer that names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from distributary.canonical import sha256_hex
from distributary.errors import InputError
from distributary.strict_json import parse_json

ROLES = ("node", "data", "model", "adapter", "agent", "platform")
BASIS_POINTS = 10_000
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Price:
    """Base units per 1,000 tokens of one model."""

    prompt_units_per_1000: int
    answer_units_per_1000: int

    def charge_units(self, prompt_tokens: int, answer_tokens: int) -> int:
        """One ceiling over the whole sum, so that rounding costs at most one base unit."""
        thousandths = (
            prompt_tokens * self.prompt_units_per_1000 + answer_tokens * self.answer_units_per_1000
        )
        return -(-thousandths // 1000)


@dataclass(frozen=True)
class Rule:
    """One file of the catalogue: `content` is a price by model, or basis points by role."""

    hash: str
    valid_from_ms: int
    content: dict[str, Any]


def _units(text: Any) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        raise InputError("A price is the decimal digits of base units.", value=text)
    return int(text)


def _prices(parsed: dict[str, Any]) -> dict[str, Any]:
    return {
        model: Price(_units(price["prompt_units_per_1000"]), _units(price["answer_units_per_1000"]))
        for model, price in parsed["models"].items()
    }


def _split(parsed: dict[str, Any]) -> dict[str, Any]:
    split: dict[str, int] = parsed["basis_points"]
    if set(split) != set(ROLES) or sum(split.values()) != BASIS_POINTS or min(split.values()) < 0:
        raise InputError(f"A split gives {BASIS_POINTS} basis points to {', '.join(ROLES)}.")
    return split


_READERS = {"prices": _prices, "splits": _split}


def data_share_bp(split: Mapping[str, int], adapter: str | None, agent: str | None) -> int:
    """Basis points for data: those of an absent adapter or agent go to it as well."""
    absent = [role for role, asset in (("adapter", adapter), ("agent", agent)) if asset is None]
    return split["data"] + sum(split[role] for role in absent)


class Catalogue:
    """The rules of one kind, by validity and by hash."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = sorted(rules, key=lambda rule: rule.valid_from_ms)
        self._by_hash = {rule.hash: rule for rule in rules}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, in order of their first instant."""
        return tuple(self._rules)

    def in_force(self, instant_ms: int) -> Rule | None:
        """The rule whose validity began last before or at `instant_ms` (Unix milliseconds)."""
        for rule in reversed(self._rules):
            if rule.valid_from_ms <= instant_ms:
                return rule
        return None

    def by_hash(self, stamp: str) -> Rule | None:
        """The rule that a stamp names."""
        return self._by_hash.get(stamp)


def read_rule(kind: str, data: bytes) -> Rule:
    """Reads one file.

    Raises:
        InputError: it is not a valid rule of that kind.
    """
    parsed = parse_json(data)
    try:
        if parsed["kind"] != kind or parsed["valid_from_ms"] < 0:
            raise InputError(f"Not a file of {kind}.", value=parsed["kind"])
        return Rule(sha256_hex(data), int(parsed["valid_from_ms"]), _READERS[kind](parsed))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"Not a valid file of {kind}: {error!r}.") from error


@lru_cache(maxsize=4)
def load_catalogue(kind: str, folder: Path = FOLDER) -> Catalogue:
    """Loads the files of one kind, `prices` or `splits`.

    Raises:
        InputError: a file is invalid, or two begin at the same instant.
    """
    rules = [read_rule(kind, path.read_bytes()) for path in sorted((folder / kind).glob("*.json"))]
    if len({rule.valid_from_ms for rule in rules}) != len(rules):
        raise InputError(f"Two files of {kind} begin at the same instant.", value=str(folder))
    return Catalogue(rules)
