"""Alembic's environment: runs the revisions on the connection that `migrate` opened."""

from alembic import context
from sqlalchemy import text

# Any number that nothing else in this database takes an advisory lock on.
MIGRATION_LOCK = 7_310_001

connection = context.config.attributes["connection"]
connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
