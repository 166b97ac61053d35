"""What anybody can check of a charged row: hash, maximum, expiry, stamps, charge and weights."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from distributary.attribution.weights import WHOLE
from distributary.identity import Domain
from distributary.rules import Catalogue, Price

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS: Final = (
    *("outcome", "request_hash", "account", "source", "id", "body_hash", "max_charge_units"),
    *("expires_at", "admitted_at_ms", "charge_units", "stated_charge_units", "prompt_tokens"),
    *("answer_tokens", "model", "price_hash", "split_hash", "commons", "weights"),
)
HASHED: Final = ("account", "source", "id", "body_hash", "max_charge_units", "expires_at")
_ALWAYS: Final = 2**63 - 1

quote = encode_basestring


@dataclass
class RowFindings:
    """Failures of rows, by check: how many, and the first of their request hashes."""

    rows: int = 0
    signatures: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, check: str, request_hash: str) -> None:
        """Notes a failure."""
        self.failed.setdefault(check, []).append(request_hash)

    def fail_all(self, check: str, rows: pa.Table) -> None:
        """Notes a failure of every row given."""
        for request_hash in rows["request_hash"].to_pylist():
            self.fail(check, request_hash)


ROW_CHECKS: Final = (
    *("request_hash", "expiry", "maximum", "price_in_force", "split_in_force"),
    *("charge", "weights", "signature"),
)


@dataclass(frozen=True)
class RowChecker:
    """Checks charged rows by the rules that a posting names.

    Attributes:
        domain: what requests must be signed for.
        prices: catalogue of prices.
        splits: catalogue of splits.
    """

    domain: Domain
    prices: Catalogue
    splits: Catalogue

    def check(self, table: pa.Table) -> RowFindings:
        """Checks rows that have these columns, all of them charged."""
        found = RowFindings(rows=table.num_rows)
        self._check_hashes(table, found)
        self._check_limits(table, found)
        self._check_stamps(table, found)
        self._check_charges(table, found)
        self._check_weights(table, found)
        return found

    def _check_hashes(self, table: pa.Table, found: RowFindings) -> None:
        make = hasher(self.domain)
        for request_hash, *signed in rows_of(table, "request_hash", *HASHED):
            if make(*signed) != request_hash:
                found.fail("request_hash", request_hash)

    def _check_limits(self, table: pa.Table, found: RowFindings) -> None:
        found.fail_all("expiry", table.filter(pc.invert(are_unexpired(table))))
        names = ("request_hash", "charge_units", "max_charge_units")
        for request_hash, units, maximum in rows_of(table, *names):
            if maximum is None or int(units) > int(maximum):
                found.fail("maximum", request_hash)

    def _check_stamps(self, table: pa.Table, found: RowFindings) -> None:
        for column, catalogue in (("price_hash", self.prices), ("split_hash", self.splits)):
            spans, check = spans_in_force(catalogue), f"{column.removesuffix('_hash')}_in_force"
            for stamp in pc.unique(table[column]).to_pylist():
                begins, ends = spans.get(stamp, (_ALWAYS, 0))
                stamped = pc.is_null(table[column]) if stamp is None else table[column]
                rows = table.filter(stamped if stamp is None else pc.equal(stamped, stamp))
                at_ms = rows["admitted_at_ms"]
                before = pc.or_(pc.less(at_ms, begins), pc.greater_equal(at_ms, ends))
                found.fail_all(check, rows.filter(before))

    def _check_charges(self, table: pa.Table, found: RowFindings) -> None:
        prices = {
            (rule.hash, model): price
            for rule in self.prices.rules
            for model, price in rule.content.items()
        }
        names = ("price_hash", "model", "prompt_tokens", "answer_tokens")
        stated = ("request_hash", "charge_units", "stated_charge_units")
        for request_hash, units, answered, *key, prompt, answer in rows_of(table, *stated, *names):
            price: Price | None = prices.get(tuple(key))
            if (
                price is None
                or prompt is None
                or answer is None
                or units != answered
                or int(units) != price.charge_units(prompt, answer)
            ):
                found.fail("charge", request_hash)

    def _check_weights(self, table: pa.Table, found: RowFindings) -> None:
        for row in np.flatnonzero(~weights_hold(table)):
            found.fail("weights", table["request_hash"][int(row)].as_py())


def are_unexpired(table: pa.Table) -> Any:
    """Whether each row was admitted before its request expired; never null."""
    admitted_at_s = pc.divide(table["admitted_at_ms"], 1000)
    return pc.fill_null(pc.greater(table["expires_at"], admitted_at_s), False)


def weights_hold(table: pa.Table) -> "NDArray[np.bool_]":
    """Whether all weights of each row are positive and with commons sum to 10^9, or it has none."""
    lists = table["weights"].combine_chunks()
    flat = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths)
    # One above 10^9 fails by itself, and is left out of sums that it could make wrap.
    is_bad = (flat <= 0) | (flat > WHOLE)
    sums = np.concatenate(([0], np.cumsum(np.where(is_bad, 0, flat))))
    totals = sums[ends] - sums[ends - lengths]
    bad = np.concatenate(([0], np.cumsum(is_bad)))
    commons = pc.fill_null(table["commons"], -1).to_numpy()
    holds: NDArray[np.bool_] = bad[ends] == bad[ends - lengths]
    holds &= np.where(commons < 0, lengths == 0, totals + commons == WHOLE)
    return holds


def rows_of(table: pa.Table, *names: str) -> Iterable[tuple[Any, ...]]:
    """Some columns of a table, row by row."""
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def spans_in_force(catalogue: Catalogue) -> dict[str, tuple[int, int]]:
    """By stamp, from when to before when a rule is in force, Unix milliseconds."""
    rules = catalogue.rules
    ends = [*(rule.valid_from_ms for rule in rules[1:]), _ALWAYS]
    return {rule.hash: (rule.valid_from_ms, end) for rule, end in zip(rules, ends, strict=True)}


def hasher(domain: Domain) -> Callable[[Any, Any, Any, Any, Any, Any], str]:
    """What `requests.request_hash` gives for text fields and a whole `expires_at`, faster.

    A charged row holds nothing else, so its canonical JSON has one form; a test holds the two
    equal. What is made raises TypeError where a field is none.
    """
    make_quoted = quoted_hasher(domain)

    def make(
        account: str, source: str, id_: str, body_hash: str, maximum: str, expires_at: int
    ) -> str:
        first = (quote(account), quote(source), quote(id_))
        return make_quoted(*first, quote(body_hash), quote(maximum), expires_at)

    return make


def quoted_hasher(domain: Domain) -> Callable[[str, str, str, str, str, int], str]:
    """The same for fields that are JSON already."""
    middle = f',"chain_id":{domain.chain_id},"contract":{quote(domain.contract)},"expires_at":'
    sha256 = hashlib.sha256

    def make(
        account: str, source: str, id_: str, body_hash: str, maximum: str, expires_at: int
    ) -> str:
        return sha256(
            f'{{"account":{account},"body_hash":{body_hash}{middle}{expires_at},"id":{id_},'
            f'"max_charge_units":{maximum},"source":{source}}}'.encode()
        ).hexdigest()

    return make
