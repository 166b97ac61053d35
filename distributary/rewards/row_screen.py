"""The checks of charged rows by columns: which rows surely hold.

`row_checks` decides; this only spares it the rows that it would pass. So whatever is unusual, such
as an amount of 39 digits, may be left to it, and nothing may pass here that fails there. A property
test holds the two to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from distributary.identity import Domain
from distributary.rewards.row_checks import (
    HASHED,
    are_unexpired,
    quote,
    quoted_hasher,
    spans_in_force,
    weights_hold,
)
from distributary.rewards.unit_columns import read_units
from distributary.rules import Catalogue

_TOKEN_DIGITS: Final = 19
_PRICE_DIGITS: Final = 30


@dataclass(frozen=True)
class RowScreen:
    """Screens charged rows by the rules that a posting names.

    Attributes:
        domain: what requests must be signed for.
        prices: catalogue of prices.
        splits: catalogue of splits.
    """

    domain: Domain
    prices: Catalogue
    splits: Catalogue

    def passes(self, table: pa.Table) -> pa.ChunkedArray:
        """Whether each row surely passes every check of `RowChecker`; never null."""
        units = {name: read_units(table[name]) for name in ("charge_units", "max_charge_units")}
        holds = [
            pc.less_equal(units["charge_units"], units["max_charge_units"]),
            are_unexpired(table),
            self._are_in_force(table, "price_hash", self.prices),
            self._are_in_force(table, "split_hash", self.splits),
            pc.equal(table["charge_units"], table["stated_charge_units"]),
            self._are_charged_right(table, units["charge_units"]),
            pa.array(weights_hold(table)),
            self._are_hashed_right(table),
        ]
        return pc.fill_null(reduce(pc.and_, holds), False)

    def _are_in_force(self, table: pa.Table, column: str, catalogue: Catalogue) -> Any:
        spans = spans_in_force(catalogue)
        rule = pc.index_in(table[column], value_set=pa.array(list(spans), pa.string()))
        begins, ends = (
            pa.array([span[side] for span in spans.values()], pa.int64()).take(rule)
            for side in (0, 1)
        )
        at_ms = table["admitted_at_ms"]
        return pc.and_(pc.less_equal(begins, at_ms), pc.less(at_ms, ends))

    def _are_charged_right(self, table: pa.Table, units: pa.ChunkedArray) -> Any:
        """One ceiling: a thousand times the charge is 0 to 999 above tokens times prices."""
        price = self._price_rows(table)
        thousandths = reduce(
            pc.add,
            (
                pc.multiply(pc.cast(table[f"{side}_tokens"], pa.decimal256(_TOKEN_DIGITS)), prices)
                for side, prices in price.items()
            ),
        )
        above = pc.subtract(pc.multiply(units, 1000), thousandths)
        return pc.and_(pc.greater_equal(above, 0), pc.less(above, 1000))

    def _price_rows(self, table: pa.Table) -> Mapping[str, Any]:
        """Units for a thousand prompt and answer tokens by row; null where no price is known."""
        stamps, models = self._priced
        rule = pc.index_in(table["price_hash"], value_set=pa.array(stamps, pa.string()))
        model = pc.index_in(table["model"], value_set=pa.array(models, pa.string()))
        place = pc.add(pc.multiply(rule, len(models)), model)
        return {side: prices.take(place) for side, prices in self._price_columns.items()}

    @cached_property
    def _priced(self) -> tuple[list[str], list[str]]:
        """Every stamp and every model of the catalogue."""
        rules = self.prices.rules
        return [rule.hash for rule in rules], sorted({m for rule in rules for m in rule.content})

    @cached_property
    def _price_columns(self) -> dict[str, pa.Array]:
        """Prices by stamp and model, in one column each for prompt and answer tokens."""
        contents = [rule.content for rule in self.prices.rules]
        prices = [content.get(model) for content in contents for model in self._priced[1]]
        return {
            side: pa.array(
                [each and _price(getattr(each, f"{side}_units_per_1000")) for each in prices],
                pa.decimal256(_PRICE_DIGITS),
            )
            for side in ("prompt", "answer")
        }

    def _are_hashed_right(self, table: pa.Table) -> Any:
        """Every request hash made again; null where a field is."""
        *texts, instants = (table[name] for name in HASHED)
        columns = [*map(_quoted, texts), instants.to_pylist()]
        hashes = pa.array(list(map(quoted_hasher(self.domain), *columns)), pa.string())
        is_whole = reduce(pc.and_, map(pc.is_valid, (*texts, instants)))
        return pc.and_(is_whole, pc.equal(hashes, table["request_hash"]))


def _quoted(column: pa.ChunkedArray) -> list[str]:
    """Texts as JSON strings, each different one quoted once; a null as an empty text."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    quoted = [quote(text) for text in encoded.dictionary.to_pylist()]
    return [quoted[index] for index in encoded.indices.to_pylist()]


def _price(units: int) -> int | None:
    """A price that the column holds; an answer at another is left to the checks by row."""
    return units if units < 10**_PRICE_DIGITS else None
