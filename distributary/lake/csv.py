"""Arrow tables as CSV: for Postgres' COPY, and as the one text that a logical digest is over."""

import hashlib
import io

import pyarrow as pa
import pyarrow.csv

from distributary.lake.schema import SCALARS, attributions_table

# Texts are quoted and nulls are not, so that COPY tells an empty text from no text.
_OPTIONS = pa.csv.WriteOptions(include_header=False, quoting_style="needed")


def csv_bytes(table: pa.Table) -> bytes:
    """The rows of `table`, without a header."""
    sink = io.BytesIO()
    pa.csv.write_csv(table, sink, _OPTIONS)
    return sink.getvalue()


class LogicalDigest:
    """A digest of rows that does not depend on Parquet, on files or on where they were cut.

    SHA-256 over two SHA-256: of the CSV of all scalar columns, and of the CSV (answer_offset,
    document, weight, charge_units) of the weights; both in the order of the rows.
    """

    def __init__(self) -> None:
        self._answers, self._weights = hashlib.sha256(), hashlib.sha256()

    def add(self, answers: pa.Table) -> None:
        """Adds the next rows of the settlement Parquet."""
        if answers.num_rows:
            self._answers.update(csv_bytes(answers.select(SCALARS)))
            self._weights.update(csv_bytes(attributions_table(answers)))

    def digest(self) -> bytes:
        """32 bytes."""
        return hashlib.sha256(self._answers.digest() + self._weights.digest()).digest()


def logical_digest(answers: pa.Table) -> bytes:
    """The digest of one table."""
    digest = LogicalDigest()
    digest.add(answers)
    return digest.digest()
