"""Postgres, the durable half of the slow reality: connections and the schema."""

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.errors import InputError, UnavailableError
from distributary.store.schema import migrate

__all__ = ["connect", "migrate"]

CONNECT_TIMEOUT_S = 5


def connect(dsn: str, *, autocommit: bool = False) -> Connection[TupleRow]:
    """Opens a connection; the caller closes it, best by `with`.

    Args:
        dsn: a Postgres URI, as in the setting `postgres`.
        autocommit: whether every statement commits by itself.

    Raises:
        UnavailableError: the server does not answer or refuses the login.
        InputError: the URI is none.
    """
    try:
        return psycopg.connect(
            dsn,
            autocommit=autocommit,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="distributary",
        )
    except psycopg.ProgrammingError as error:
        # libpq's own words repeat the value, and there may be a password in it.
        raise InputError(
            "The setting `postgres` is no connection URI: write DISTRIBUTARY_POSTGRES as "
            "postgresql://user@host:port/database."
        ) from error
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())[:200]
        raise UnavailableError(
            f"Postgres does not answer: start it with `distributary up`, or check the setting "
            f"`postgres` ({reason})."
        ) from error
