"""Brings a database to the newest revision of the schema."""

from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from distributary.errors import DistributaryError, UnavailableError

FOLDER = Path(__file__).parent / "migrations"


def migrate(dsn: str, revision: str = "head") -> None:
    """Applies every migration up to `revision`; safe to repeat, and safe for two at once.

    With the newest come the rules of the installed catalogue, which the reward models read.

    Args:
        dsn: a Postgres URI of a role that may create tables and roles.
        revision: a revision such as "0002"; by default the newest.

    Raises:
        UnavailableError: the server does not answer or refuses the login.
        DistributaryError: `migration_failed`; the database is as it was before.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    def creator() -> psycopg.Connection[tuple[object, ...]]:
        from distributary.store import connect

        return connect(dsn)

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    engine = create_engine("postgresql+psycopg://", creator=creator, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        if revision == "head":
            _add_rules(dsn)
    except UnavailableError:
        raise
    except (CommandError, DBAPIError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DistributaryError(
            f"The schema could not be brought up to date: {reason}", code="migration_failed"
        ) from error


def newest_revision() -> str:
    """The revision that this version of the package needs."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def read_revision(connection: psycopg.Connection[TupleRow]) -> str | None:
    """The revision that a database is at; None where it has no tables of ours."""
    row = connection.execute("select to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute("select version_num from alembic_version").fetchone()
    return None if found is None else str(found[0])


def _add_rules(dsn: str) -> None:
    from distributary.store import connect
    from distributary.store.settlement_inputs import write_rules

    with connect(dsn) as connection:
        write_rules(connection)
